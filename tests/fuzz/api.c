/* A request to the API: the first line is "METHOD PATH", the rest is the body. */
#include "api_request.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, line = text_cut(&rest, '\n');
    auto_free char *method = text_dup(text_cut(&line, ' ')), *path = text_dup(line);
    json_t *body = rest.len ? json_loadb(rest.ptr, rest.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct api_request request;
    struct error err = {0};
    int64_t after, limit;

    int status = api_request_read(method, path, body, &request, &err);
    if (status ? status < 400 || status > 405 || !*err.text : request.operation >= API_OPERATIONS)
        abort();
    if (status == 0 && request.operation == API_RETRY && request.fate == FATE_WITHHELD && !request.withheld)
        abort();
    err = (struct error){0};
    status = api_page_read(path, method, path, &after, &limit, &err);
    if (status ? !*err.text : after < 0 || limit < 1)
        abort();
    json_decref(body);
    return 0;
}
