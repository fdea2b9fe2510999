#include "pages.h"

#include "consent.h"
#include "events.h"
#include "unsubscribe.h"

#include <string.h>

enum { PAGE_MAX = 256 * 1024 };

/* One who waits for the disk. */
struct visit {
    struct pages *pages;
    struct server_request *request;
    struct store_job *job;
    enum unsubscribe_wish wish;
    char language[LANGUAGE_MAX + 1];
    char *address; /* masked */
    struct visit *next;
};

struct pages {
    struct world *world;
    struct visit *visits;
};

/* --- Answers ------------------------------------------------------------------------------------------------------ */

/* The address of the page is what opens it: it is told to nobody, kept nowhere and found by no search. Styles stand in
 * the page, so that a team's own needs nothing else. */
static const struct server_field page_fields[] = {
    {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                                "frame-ancestors 'none'; base-uri 'none'"},
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Robots-Tag", "noindex"},
};

static void answer(struct server_request *request, int status, const char *type, const char *language, struct text body)
{
    struct server_reply reply = {.status = status, .type = type, .body = body};
    size_t count = ARRAY_LEN(page_fields);

    memcpy(reply.fields, page_fields, sizeof page_fields);
    if (language)
        reply.fields[count++] = (struct server_field){"Content-Language", language};
    if (status == 503)
        reply.fields[count++] = (struct server_field){"Retry-After", "60"};
    server_reply(request, &reply);
}

static void answer_text(struct server_request *request, int status, const char *text)
{
    answer(request, status, "text/plain; charset=utf-8", NULL, text_of(text));
}

static void answer_plainly(struct server_request *request, int status, enum unsubscribe_page page)
{
    answer_text(request, status == 200 && page == PAGE_ASK ? 500 : status,
                page == PAGE_DONE || page == PAGE_DONE_ALL ? "unsubscribed\n" : "the page cannot be shown\n");
}

static void answer_page(struct pages *pages, struct server_request *request, int status, enum unsubscribe_page page,
                        const char *language, const char *address)
{
    if (!pages->world->unsubscribe_texts) { /* a reload has failed at its end: what was done is still told */
        answer_plainly(request, status, page);
        return;
    }
    const struct message_sender *sender = pages->world->sender;
    struct unsubscribe_view view = {.page = page,
                                    .language = language,
                                    .address = address,
                                    .sender_name = sender->name,
                                    .postal_address = sender->postal_address,
                                    .contact = sender->contact};
    struct error err = {0};
    auto_buf struct buf out;

    buf_init(&out, PAGE_MAX);
    if (unsubscribe_page_make(pages->world->unsubscribe_texts, &view, &out, &err) == 0) {
        answer(request, status, "text/html; charset=utf-8", language, buf_text(&out));
        return;
    }
    log_line(pages->world->log, LOG_ERROR, "event=page_failed error=%s", LOG_QUOTED(text_of(err.text)));
    answer_plainly(request, status, page);
}

/* --- Who came, and what for --------------------------------------------------------------------------------------- */

static struct text site_language(const struct world *world, struct text site)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (text_is(site, world->sites[i].name) && world->sites[i].settings)
            return text_of(world->sites[i].settings->language);
    return world->site_count > 0 && world->sites[0].settings ? text_of(world->sites[0].settings->language)
                                                             : (struct text){0};
}

static const char *choose_language(const struct pages *pages, const struct server_request *request,
                                   const struct unsubscribe_ticket *ticket)
{
    return unsubscribe_language(pages->world->unsubscribe_texts, ticket->language,
                                text_of(server_header(request, "Accept-Language")),
                                site_language(pages->world, ticket->site));
}

static void answer_broken(struct pages *pages, struct server_request *request)
{
    struct unsubscribe_ticket nobody = {0};

    answer_page(pages, request, 404, PAGE_BROKEN, choose_language(pages, request, &nobody), "");
}

static void visit_end(struct visit *visit)
{
    for (struct visit **at = &visit->pages->visits; *at; at = &(*at)->next)
        if (*at == visit) {
            *at = visit->next;
            break;
        }
    free(visit->address);
    free(visit);
}

static void on_stored(void *ctx, int64_t count, const struct error *failure)
{
    struct visit *visit = ctx;
    struct pages *pages = visit->pages;
    struct server_request *request = visit->request;

    visit->job = NULL;
    if (failure)
        log_line(pages->world->log, LOG_ERROR, "event=unsubscribe_failed error=%s", LOG_QUOTED(text_of(failure->text)));
    else
        events_count(pages->world->events, EVENT_SUPPRESSION, "unsubscribe", count);
    if (visit->wish == WISH_ONE_CLICK)
        answer_text(request, failure ? 503 : 200, failure ? "try again later\n" : "unsubscribed\n");
    else
        answer_page(pages, request, failure ? 503 : 200,
                    failure                   ? PAGE_LATER
                    : visit->wish == WISH_ALL ? PAGE_DONE_ALL
                                              : PAGE_DONE,
                    visit->language, visit->address);
    visit_end(visit);
}

static void unsubscribe(struct pages *pages, struct server_request *request, const struct unsubscribe_ticket *ticket,
                        enum unsubscribe_wish wish, const char *language, const char *address)
{
    struct visit *visit = must_calloc(1, sizeof *visit);
    struct error err = {0};

    *visit = (struct visit){.pages = pages, .request = request, .wish = wish, .next = pages->visits};
    pages->visits = visit;
    snprintf(visit->language, sizeof visit->language, "%s", language);
    visit->address = must_strdup(address);
    visit->job = consent_unsubscribe(pages->world, ticket, wish == WISH_ALL, on_stored, visit, &err);
    if (visit->job)
        return;
    visit_end(visit); /* our own seal around what is no address: nobody can be meant */
    answer_broken(pages, request);
}

void pages_handle(struct pages *pages, struct server_request *request, const struct server_call *call)
{
    bool post = strcmp(call->method, "POST") == 0;
    struct unsubscribe_ticket ticket;
    struct arena arena = {0};
    auto_buf struct buf address;

    buf_init(&address, 4096);
    if (!pages->world->unsubscribe_texts) {
        answer_text(request, 503, "starting; try again in a moment\n");
        return;
    }
    if (crypt_unseal(pages->world->tokens, text_of(call->path + strlen("/u/")), &arena, &ticket) < 0) {
        answer_broken(pages, request);
    } else {
        const char *language = choose_language(pages, request, &ticket);
        enum unsubscribe_wish wish = post ? unsubscribe_wish(call->content_type, call->body) : WISH_NONE;
        buf_add_masked_address(&address, ticket.address);
        if (wish == WISH_NONE)
            answer_page(pages, request, post ? 400 : 200, PAGE_ASK, language, address.ptr);
        else
            unsubscribe(pages, request, &ticket, wish, language, address.ptr);
    }
    arena_clear(&arena);
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

struct pages *pages_new(struct world *world)
{
    struct pages *pages = must_calloc(1, sizeof *pages);

    pages->world = world;
    return pages;
}

void pages_close(struct pages *pages)
{
    if (!pages)
        return;
    while (pages->visits) {
        store_cancel(&pages->visits->job);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        visit_end(pages->visits);
    }
    free(pages);
}
