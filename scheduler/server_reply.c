#include "server_private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    SMALL = 64 * 1024,
    ANSWERS_MAX = 64 * 1024 * 1024, /* of strangers who ask for much and do not read it */
};

/* What every answer has, unless it says otherwise itself. */
static const struct server_field usual[] = {
    {"Cache-Control", "no-store"},      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"}, {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

static bool has_field(const struct server_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return true;
    return false;
}

void server_add_fields(struct MHD_Response *response, const struct server_field *fields, size_t count, bool with_usual)
{
    for (size_t i = 0; i < count; i++)
        MHD_add_response_header(response, fields[i].name, fields[i].value);
    for (size_t i = 0; with_usual && i < ARRAY_LEN(usual); i++)
        if (!has_field(fields, count, usual[i].name))
            MHD_add_response_header(response, usual[i].name, usual[i].value);
}

void server_respond_shared(struct server_request *request, int status, struct MHD_Response *response)
{
    request->answered = true;
    request->status = (unsigned)status;
    request->response = response;
    server_request_resume(request); /* inside the handler there is nothing to resume: it is queued after it */
}

void server_respond(struct server_request *request, int status, struct MHD_Response *response,
                    const struct server_field *fields, size_t count)
{
    if (response)
        server_add_fields(response, fields, count, true);
    if (response && request->last)
        MHD_add_response_header(response, "Connection", "close");
    server_respond_shared(request, status, response);
}

/* No: so much waits already for those who asked that this one would be too much. Small ones are bounded by the number
 * of connections. */
static bool may_wait(const struct server_request *request, size_t size)
{
    return request->call.local || size <= SMALL || request->listener->server->answers + size <= ANSWERS_MAX;
}

/* `reply` with a body that is ours to free. */
static void reply_owned(struct server_request *request, const struct server_reply *reply, char *body)
{
    struct server_field fields[ARRAY_LEN(reply->fields) + 1];
    size_t count = 0;

    if (!may_wait(request, reply->body.len)) {
        free(body);
        server_refuse_more(request, 503, "too many large answers wait for those who asked", NULL,
                           &(struct server_field){"Retry-After", "10"});
        return;
    }

    if (reply->type)
        fields[count++] = (struct server_field){"Content-Type", reply->type};
    for (size_t i = 0; i < ARRAY_LEN(reply->fields) && reply->fields[i].name; i++)
        fields[count++] = reply->fields[i];
    struct MHD_Response *response = MHD_create_response_from_buffer(reply->body.len, body, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(body);
    request->size = reply->body.len;
    request->counted = request->call.local ? 0 : request->size;
    request->listener->server->answers += request->counted;
    server_respond(request, reply->status, response, fields, count);
}

void server_reply(struct server_request *request, const struct server_reply *reply)
{
    reply_owned(request, reply, text_dup(reply->body));
}

void server_answer_page(struct server_request *request, int status, json_t *body, const char *next)
{
    char *text = json_dumps(body, JSON_COMPACT);
    struct server_reply reply = {.status = status, .type = "application/json", .body = text_of(text)};
    auto_buf struct buf link;

    json_decref(body);
    buf_init(&link, 4096);
    if (next) {
        buf_addf(&link, "<%s>; rel=\"next\"", next);
        reply.fields[0] = (struct server_field){"Link", link.ptr};
    }
    if (text && !buf_failed(&link)) {
        reply_owned(request, &reply, text);
        return;
    }
    free(text);
    server_refuse(request, 500, "the answer could not be written");
}

void server_answer(struct server_request *request, int status, json_t *body)
{
    server_answer_page(request, status, body, NULL);
}

void server_refuse_more(struct server_request *request, int status, const char *detail, json_t *members,
                        const struct server_field *field)
{
    const char *title = MHD_get_reason_phrase_for((unsigned)status);
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title, "status", status,
                                "detail", text_is_utf8(text_of(detail)) ? detail : title);
    json_object_update(problem, members);
    auto_free char *text = json_dumps(problem, JSON_COMPACT);
    struct server_reply reply = {.status = status, .type = "application/problem+json", .body = text_of(text)};

    if (field)
        reply.fields[0] = *field;
    json_decref(problem);
    json_decref(members);
    server_reply(request, &reply);
}

void server_refuse(struct server_request *request, int status, const char *detail)
{
    server_refuse_more(request, status, detail, NULL, NULL);
}

/* Only what no client reads as anything but a name. */
static void add_file_name(struct buf *out, const char *name)
{
    for (const char *c = name; *c; c++)
        buf_addc(out,
                 (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-_.", *c)
                     ? *c
                     : '_');
}

void server_send_file(struct server_request *request, int fd, const char *type, const char *name)
{
    auto_buf struct buf disposition;
    struct stat file;

    buf_init(&disposition, 512);
    buf_adds(&disposition, "attachment; filename=\"");
    add_file_name(&disposition, name);
    buf_adds(&disposition, "\"");
    if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode) || buf_failed(&disposition)) {
        close(fd);
        server_refuse(request, 500, "the file cannot be sent");
        return;
    }
    struct server_field fields[] = {{"Content-Type", type}, {"Content-Disposition", disposition.ptr}};
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)file.st_size, fd);
    if (!response)
        close(fd);
    request->takes_long = true;
    server_respond(request, 200, response, fields, ARRAY_LEN(fields));
}
