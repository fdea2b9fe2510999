/* What a channel promises whatever its plugin: with null, example and outbox, real shared objects. channel_smtp.c has
 * the one that speaks to a server. */
#include "channel_world.h"

#include <dirent.h>
#include <sys/stat.h>

static void example_writes_lines(void **state)
{
    (void)state;
    char options[300], path[200], line[100] = "";
    struct error err = {0};
    int lines = 0;

    snprintf(path, sizeof path, "%s/notes", folder);
    snprintf(options, sizeof options, ", path: %s", path);
    struct world *world = world_new("example", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < 10; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 10, 5000);
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    world_free(world);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        lines++;
    fclose(file);
    assert_int_equal(lines, 10);
    assert_string_equal(line, "told t0009 69 bytes\n");
}

static void room_follows_doubt_and_pace(void **state)
{
    (void)state;
    struct error err = {0};
    int64_t now_ms = clock_now_ms(&clock_machine);
    struct world *world = world_new("null", ", window: 10, doubt_max: 30", &err);

    assert_non_null(world->channel);
    assert_int_equal(channel_doubt_max(world->channel), 30);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 30);
    channel_claimed(world->channel, now_ms, 30);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 0);
    assert_int_equal(channel_room(world->channel, now_ms, 5), 5); /* their fates ride in the same turn */
    channel_settled(world->channel, 12);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 12);
    channel_settled(world->channel, 18);
    world_free(world);

    world = world_new("null", ", window: 10, rate: 10/s", &err);
    assert_non_null(world->channel);
    assert_int_equal(channel_doubt_max(world->channel), 20);
    now_ms = clock_now_ms(&clock_machine);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 0); /* no burst at the start */
    run_for(world, 250);
    assert_true(world->rooms > 0);
    assert_true(channel_room(world->channel, clock_now_ms(&clock_machine), 0) > 0);
    world_free(world);
}

/* The one message that shows whether the receiver works again waits for a busy plugin, and is called back: the next one
 * takes its place at once. */
static void a_probe_that_never_began_is_no_probe(void **state)
{
    (void)state;
    struct error err = {0};
    struct world *world = world_new("null", ", window: 1, latency: 1s", &err);

    assert_non_null(world->channel);
    send_one(world, 0, "p@x.example");
    channel_recall(world->channel, NULL, 0,
                   &(struct channel_wait){clock_now_ms(&clock_machine) + 50, 1, "421 slow down"});
    run_for(world, 100);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1);
    send_one(world, 1, "p@x.example");
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
    channel_call_back(world->channel, 1, "paused");
    run_until(world, 1, 5000);
    assert_int_equal(world->results[0].seq, 1);
    assert_int_equal(world->results[0].fate, FATE_RETURNED);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1);
    run_until(world, 2, 5000);
    world_free(world);
}

static void null_does_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *options, *expected;
    } cases[] = {
        {"", "accepted*30"},
        {", latency: 20ms, window: 7", "accepted*30"},
        {", fail_every: 10", "accepted*27 refused/address/550*3"},
        {", fail_every: 5, fail_code: 451", "accepted*24 try later/address/451*6"},
        {", doubt_every: 15, latency: 1ms", "accepted*28 in doubt/channel/0*2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        auto_buf struct buf got;
        struct world *world = world_new("null", cases[i].options, &err);
        if (!world->channel)
            fail_msg("%s: %s", cases[i].options, err.text);
        for (uint32_t k = 0; k < 30; k++)
            send_one(world, k, "p@x.example");
        assert_int_equal(world->count, 0); /* never from inside channel_send() */
        run_until(world, 30, 5000);
        buf_init(&got, 1000);
        summarize(world, &got);
        if (!text_is(buf_text(&got), cases[i].expected))
            fail_msg("%s: %s", cases[i].options, got.ptr);
        world_free(world);
    }
}

static unsigned files_in(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static void outbox_is_a_maildir(void **state)
{
    (void)state;
    char options[200], path[300], line[100] = "";
    struct stat found;
    struct error err = {0};

    snprintf(options, sizeof options, ", path: %s/mail, sync: true", folder);
    struct world *world = world_new("outbox", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    assert_true(channel_is_local(world->channel));
    snprintf(path, sizeof path, "%s/mail", folder);
    assert_int_equal(stat(path, &found), -1); /* looking at a configuration makes nothing */
    for (uint32_t i = 0; i < 40; i++)
        send_one(world, i, "p@x.example");
    send_one(world, 7, "p@x.example"); /* a repeat replaces the first */
    run_until(world, 41, 5000);
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    snprintf(path, sizeof path, "%s/mail", folder);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/mail/new", folder);
    assert_int_equal(files_in(path), 40);
    snprintf(path, sizeof path, "%s/mail/tmp", folder);
    assert_int_equal(files_in(path), 0);
    snprintf(path, sizeof path, "%s/mail/new/t0007.onsale.eml", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_string_equal(line, "Message-ID: <t0007@shop.example>\r\n");

    /* the folder goes away and comes back: trouble, and well again by itself */
    snprintf(path, sizeof path, "mv %s/mail %s/away", folder, folder);
    assert_int_equal(system(path), 0);
    send_one(world, 50, "p@x.example");
    run_until(world, 42, 5000);
    assert_int_equal(world->results[41].fate, FATE_TRY_LATER);
    assert_int_equal(world->results[41].scope, SCOPE_CHANNEL);
    run_for(world, 1);
    unsigned rooms = world->rooms;
    bool late = channel_standing(world->channel).state == CHANNEL_TRYING; /* the machine is: it has been said already */
    for (int i = 0; i < 30 && channel_standing(world->channel).state != CHANNEL_TRYING; i++)
        run_for(world, 100);
    assert_int_equal(world->rooms, rooms + !late); /* or nobody would make use of it */
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1); /* one message shows it */
    assert_int_equal(world->wells, 0);
    send_one(world, 51, "p@x.example");
    run_until(world, 43, 5000);
    assert_int_equal(world->results[42].fate, FATE_ACCEPTED);
    run_for(world, 1);
    assert_int_equal(world->troubles, 1);
    assert_int_equal(world->wells, 1);
    world_free(world);
}

static void options_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *plugin, *options, *expected;
    } cases[] = {
        {"smpt", "", "unknown plugin \"smpt\" (did you mean \"smtp\"?)"},
        {"../smtp", "", "is no name of a plugin"},
        {"smtp", "", "url"},
        {"smtp", ", url: \"http://127.0.0.1\"", "expected smtp://"},
        {"smtp", ", url: \"smtp://mail.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtp://localhost.evil.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtp://127.0.0.1.evil.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtps://127.0.0.1\", tls: off", "cannot be off"},
        {"smtp", ", url: \"smtp://127.0.0.1\", tls: maybe", "tls"},
        {"smtp", ", url: \"smtp://127.0.0.1\", password: x", "no username"},
        {"smtp", ", url: \"smtp://127.0.0.1\", conections: 3", "did you mean \"connections\""},
        {"smtp", ", url: \"smtp://127.0.0.1\", connections: 0", "connections"},
        {"outbox", ", path: /proc/nowhere/mail", "cannot write into"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct world *world = world_new(cases[i].plugin, cases[i].options, &err);
        if (world->channel || !strstr(err.text, cases[i].expected))
            fail_msg("%s%s: %s", cases[i].plugin, cases[i].options, err.text);
        world_free(world);
    }
}

int main(void)
{
    char command[100];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_writes_lines),
        cmocka_unit_test(room_follows_doubt_and_pace),
        cmocka_unit_test(a_probe_that_never_began_is_no_probe),
        cmocka_unit_test(null_does_as_told),
        cmocka_unit_test(outbox_is_a_maildir),
        cmocka_unit_test(options_are_checked),
    };

    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        return 1;
    return failed;
}
