#include "scrape.h"

#include "measures.h"

#include <string.h>

enum { TEXT_MAX = 16 * 1024 * 1024 };

void scrape_handle(const struct scrape *scrape, struct server_request *request, const struct server_call *call)
{
    auto_buf struct buf text;
    char who[AUTH_WHO_SIZE];

    buf_init(&text, TEXT_MAX);
    if (strcmp(call->method, "GET") != 0) {
        server_refuse_more(request, 405, "metrics are asked by GET", NULL,
                           &(struct server_field){"Allow", "GET, HEAD"});
        return;
    }
    if (!scrape->open && !auth_admit_password(scrape->auth, request, call, TOKEN_METRICS, who))
        return;
    measures_take(scrape->world, scrape->server);
    metrics_write(scrape->world->metrics, &text);
    if (buf_failed(&text)) {
        server_refuse(request, 500, "the metrics are larger than 16 MB");
        return;
    }
    server_reply(request, &(struct server_reply){.status = 200,
                                                 .type = "text/plain; version=0.0.4; charset=utf-8",
                                                 .body = buf_text(&text)});
}
