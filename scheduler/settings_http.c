/* What stands under `http`: where the daemon listens, who may come in, and under which address people find it. */
#include "settings_check.h"

#include "crypt_webhook.h"
#include "origin.h"

#include <string.h>

enum {
    SOCKET_PATH_MAX = 107, /* sun_path of unix(7) */
    PUBLIC_URL_MAX = 200,  /* a link with a token stays within a line of a mail */
    TOKEN_LEN_MIN = 20,
    TOKEN_LEN_MAX = 1000, /* a header is to hold it */
};

/* "127.0.0.1:8470", "[::1]:8470", "localhost:8470" */
static bool is_endpoint(const char *at)
{
    const char *colon = strrchr(at, ':');
    struct text host = colon ? (struct text){at, (size_t)(colon - at)} : (struct text){0};
    struct origin origin;
    int64_t port;

    if (!colon || parse_i64(text_of(colon + 1), 0, 65535, &port, NULL) < 0)
        return false;
    return text_is(host, "localhost") ||
           (origin_read(host, &origin) == 0 && (text_starts(host, "[") || !memchr(host.ptr, ':', host.len)));
}

static void check_listen(struct settings *settings)
{
    const struct config_list *listen = &settings->http.listen;

    for (size_t i = 0; i < listen->count; i++) {
        const char *at = listen->at[i];
        bool fine = text_starts(text_of(at), "unix:") ? at[5] && strlen(at + 5) <= SOCKET_PATH_MAX
                                                      : strcmp(at, "systemd") == 0 || is_endpoint(at);
        if (!fine)
            config_problem(settings->doc, listen->places[i],
                           "listen: expected unix:PATH (at most %d bytes), ADDRESS:PORT such as 127.0.0.1:8470, or "
                           "systemd, found \"%.120s\"",
                           SOCKET_PATH_MAX, at);
    }
}

static void check_proxies(struct settings *settings)
{
    const struct config_list *proxies = &settings->http.proxies;

    for (size_t i = 0; i < proxies->count; i++) {
        struct origin_net net;
        struct error why = {0};
        if (strcmp(proxies->at[i], "loopback") != 0 && origin_net_read(text_of(proxies->at[i]), &net, &why) < 0)
            config_problem(settings->doc, proxies->places[i], "proxies: %s", why.text);
    }
}

static void check_hook(struct settings *settings, const struct http_hook *hook, const struct demand_names *audiences)
{
    struct webhook_secret secrets[WEBHOOK_SECRETS_MAX];
    bool file = config_has(settings->doc, hook->place, "secret_file");
    size_t count;
    struct error why = {0};

    if (text_given(hook->secret) && webhook_secrets_parse(text_of(hook->secret), secrets, &count, &why) < 0)
        config_problem(settings->doc, config_place_of(settings->doc, hook->place, file ? "secret_file" : "secret"),
                       "secret: %s", why.text);
    for (size_t i = 0; i < ARRAY_LEN(secrets) && text_given(hook->secret); i++)
        webhook_secret_clear(&secrets[i]);
    if (text_given(hook->audience))
        demand_known(settings->doc, config_place_of(settings->doc, hook->place, "audience"), "audience", hook->audience,
                     audiences);
}

/* A token must be hard to guess, possible to send (RFC 6750 section 2.1), and somebody's own. */
static void check_token(struct settings *settings, size_t index)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    const struct http_token *token = &settings->http.tokens[index];
    bool file = config_has(settings->doc, token->place, "token_file");
    struct config_place place = config_place_of(settings->doc, token->place, file ? "token_file" : "token");

    if (!text_given(token->token))
        return;
    if (strlen(token->token) < TOKEN_LEN_MIN || strlen(token->token) > TOKEN_LEN_MAX)
        config_problem(settings->doc, place,
                       "token: expected %d to %d characters; make one by: openssl rand -base64 32", TOKEN_LEN_MIN,
                       TOKEN_LEN_MAX);
    else if (token->token[strspn(token->token, letters)])
        config_problem(settings->doc, place,
                       "token: expected letters, digits and -._~+/= only; make one by: openssl rand -base64 32");
    for (size_t i = 0; i < index; i++)
        if (text_given(settings->http.tokens[i].token) && strcmp(settings->http.tokens[i].token, token->token) == 0)
            config_problem(settings->doc, place, "the same token as that in line %u: nobody could tell who it was",
                           settings->http.tokens[i].place.line);
}

/* Paths are put behind it, and the whole stands in a mail's header. */
static void check_public_url(struct settings *settings, struct config_place http)
{
    struct config_place place = config_place_of(settings->doc, http, "public_url");
    const char *url = settings->http.public_url;

    if (!text_given(url))
        return;
    if (strpbrk(url, "?#"))
        config_problem(settings->doc, place, "public_url: expected a URL without \"?\" and \"#\"");
    if (strlen(url) > PUBLIC_URL_MAX)
        config_problem(settings->doc, place, "public_url: expected at most %d bytes", PUBLIC_URL_MAX);
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c > 0x7E || *c == '\\') {
            config_problem(settings->doc, place,
                           "public_url: expected letters of ASCII only (a name such as \"b\xc3\xbc"
                           "hne.example\" is written xn--bhne-0ra.example)");
            break;
        }
}

void settings_check_http(struct settings *settings, const struct demand_names *audiences)
{
    struct config_doc *doc = settings->doc;
    const struct http_settings *http = &settings->http;
    struct config_place place = config_place_of(doc, settings->place, "http");
    struct demand_names tokens = demand_names_new(doc, "token", http->token_count);
    struct demand_names hooks = demand_names_new(doc, "hook", http->hook_count);

    for (size_t i = 0; i < http->token_count; i++) {
        demand_name(doc, &tokens, http->tokens[i].name, http->tokens[i].place);
        check_token(settings, i);
    }
    for (size_t i = 0; i < http->hook_count; i++) {
        demand_name(doc, &hooks, http->hooks[i].name, http->hooks[i].place);
        check_hook(settings, &http->hooks[i], audiences);
    }
    check_listen(settings);
    check_proxies(settings);
    demand_url(doc, place, "public_url", http->public_url);
    check_public_url(settings, place);
    if (http->rate.count > 1)
        config_problem(doc, config_place_of(doc, place, "rate"), "rate: expected one rate");
}
