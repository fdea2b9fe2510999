/* listmonk's answers from outside: a page is taken whole or not at all, in the order of ids, and nobody on it is
 * without an address or a word. */
#include "audience/listmonk_page.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text body = {(const char *)data, size};
    const struct interest interest = {.event_id = "77", .attribute = "events", .list_name = "fans of 77"};
    struct listmonk_list list = {7, true};
    struct listmonk_page page;
    struct error err = {0};
    char message[120];

    listmonk_message(body, message);
    assert(!strchr(message, '@'));
    if (listmonk_page_parse(body, &list, &interest, &page, &err) < 0) {
        assert(err.kind != ERROR_NONE);
        assert(page.records.count == 0);
    }
    for (size_t i = 0; i < page.records.count; i++) {
        assert(i == 0 || page.ids[i] > page.ids[i - 1]);
        assert(page.records.at[i].address.len > 0 && page.records.at[i].source_id.len > 0);
        assert(page.records.at[i].consent <= CONSENT_NEVER);
    }
    listmonk_page_clear(&page);
    err = (struct error){0};
    if (listmonk_list_parse(body, 7, &list, &err) < 0)
        assert(err.kind != ERROR_NONE);
    const int64_t lists[] = {7, 5};
    struct listmonk_person person;
    err = (struct error){0};
    if (listmonk_person_parse(body, TEXT(""), TEXT("ines.marchetti@example.org"), lists, 2, &person, &err) < 0)
        assert(err.kind != ERROR_NONE);
    else
        assert(person.id > 0 ? person.on_list == 0 || person.on_list == 7 || person.on_list == 5 : !person.on_list);
    return 0;
}
