/* The API's routes as the program has them, a JSON object a line, for who compares them with what is written. */
#include "api_request.h"

int main(void)
{
    for (enum api_operation i = 0; i < API_OPERATIONS; i++) {
        const struct api_route *route = &api_routes[i];
        json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:b}", "method", route->method, "path", route->path, "fields",
                                 route->fields, "query", route->query ? route->query : "", "reads", route->reads);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    }
    return 0;
}
