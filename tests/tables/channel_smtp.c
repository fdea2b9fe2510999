/* The smtp plugin in its channel, against a mail server that does as told. A row: how the server behaves, and what must
 * come back. */
#include "channel_world.h"
#include "smtp_sink.h"

#include <curl/curl.h>

static struct sink sinks[3]; /* by enum sink_way */

/* Messages taken since the last call. They must have arrived byte for byte, as far as their length tells. */
static int sink_taken(struct sink *sink)
{
    char line[1000], size[40];
    int taken = 0;

    clearerr(sink->log);
    snprintf(size, sizeof size, "\"size\": %zu}", strlen("Message-ID: <t0000@shop.example>\r\n" BODY));
    while (fgets(line, sizeof line, sink->log)) {
        if (!strstr(line, "\"result\": \"taken\""))
            continue;
        taken++;
        if (!strstr(line, size) || !strstr(line, "\"message_id\": \"t"))
            fail_msg("not what was sent (%s): %s", size, line);
    }
    return taken;
}

static const struct row {
    const char *name;
    const char *behaviour;
    const char *options;
    int count; /* messages, to p0@x.example, p1@... */
    const char *expected;
    int taken;    /* by the sink */
    char trouble; /* 0 none, 't' trouble, 'p' needs a person */
    enum sink_way way;
} rows[] = {
    {"all well", "{}", "", 50, "accepted*50", 50, 0, PLAIN},
    {"without pipelining", "{\"no_pipelining\": true}", "", 50, "accepted*50", 50, 0, PLAIN},
    {"lower-case keywords", "{\"lower_case\": true}", "", 20, "accepted*20", 20, 0, PLAIN},
    {"replies byte by byte", "{\"split\": true}", ", connections: 2", 10, "accepted*10", 10, 0, PLAIN},
    {"coalesced replies", "{\"coalesce\": true}", "", 30, "accepted*30", 30, 0, PLAIN},
    {"multi-line replies", "{\"mail\": \"250 2.1.0 yes\\nindeed\", \"dot\": \"250 2.0.0 taken\\nas 12\"}", "", 10,
     "accepted*10", 10, 0, PLAIN},
    {"one recipient refused", "{\"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 <p3@x.example> unknown\"}]}",
     ", connections: 1", 10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"one recipient refused, 354 all the same",
     "{\"data_always\": true, \"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 unknown\"}]}", ", connections: 1",
     10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"refused without pipelining",
     "{\"no_pipelining\": true, \"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 unknown\"}]}",
     ", connections: 1", 10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"every third mailbox busy", "{\"refuse_every\": 3, \"refuse_reply\": \"450 4.2.1 busy\"}", ", connections: 1", 9,
     "accepted*6 try later/address/450*3", 6, 0, PLAIN},
    {"refused at DATA", "{\"refuse\": [{\"to\": \"p1@*\", \"at\": \"data\", \"reply\": \"451 4.3.0 disk\"}]}",
     ", connections: 1", 5, "accepted*4 try later/channel/451*1", 4, 0, PLAIN},
    {"refused at the dot", "{\"refuse\": [{\"to\": \"p1@*\", \"at\": \"dot\", \"reply\": \"554 5.7.1 spam\"}]}",
     ", connections: 1", 5, "accepted*4 refused/message/554*1", 4, 0, PLAIN},
    {"policy for all", "{\"mail\": \"550 5.7.1 not you\"}", ", connections: 1", 4, "refused/message/550*4", 0, 0,
     PLAIN},
    {"a stream that is refused at the dot", "{\"behind\": \"refuse_body\"}", ", connections: 4", 60, "accepted*60", 60,
     0, PLAIN},
    {"a stream that is refused at MAIL", "{\"behind\": \"refuse_mail\"}", ", connections: 4", 60, "accepted*60", 60, 0,
     PLAIN},
    {"a stream that is lost", "{\"behind\": \"lose\"}", ", connections: 4, command_timeout: 300ms", 60, "accepted*60",
     60, 0, PLAIN},
    {"a stream that ends connections", "{\"behind\": \"drop\"}", ", connections: 4", 60,
     "accepted*58 in doubt/channel/0*2", 58, 0, PLAIN},
    {"a stream that ends them later", "{\"behind\": \"drop_stored\"}", ", connections: 4", 60,
     "accepted*58 in doubt/channel/0*2", 60, 0, PLAIN},
    {"no stream, nothing broken", "{\"behind\": \"drop\"}", ", connections: 4, pipelining: message", 60, "accepted*60",
     60, 0, PLAIN},
    {"log-in demanded at MAIL", "{\"mail\": \"530 5.7.0 log in first\"}", ", connections: 1", 1,
     "try later/channel/530*1", 0, 'p', PLAIN},
    {"421 at MAIL", "{\"mail\": \"421 4.7.0 slow down\"}", ", connections: 1", 1, "try later/channel/421*1", 0, 't',
     PLAIN},
    {"421 at the dot", "{\"dot\": \"421 4.3.2 going\"}", ", connections: 1", 1, "try later/channel/421*1", 0, 't',
     PLAIN},
    {"few messages a connection", "{\"messages_per_connection\": 3}", ", connections: 2", 20, "accepted*20", 20, 0,
     PLAIN},
    {"our own limit", "{\"messages_per_connection\": 3}", ", connections: 2, messages_per_connection: 2", 20,
     "accepted*20", 20, 0, PLAIN},
    {"connection lost at MAIL", "{\"drop\": \"mail\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"connection lost at RCPT", "{\"drop\": \"rcpt\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"connection lost at DATA", "{\"drop\": \"data\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"lost at the dot, not stored", "{\"drop\": \"dot_unstored\"}", ", connections: 1", 1, "in doubt/channel/0*1", 0, 0,
     PLAIN},
    {"lost at the dot, stored", "{\"drop\": \"dot_stored\"}", ", connections: 1", 1, "in doubt/channel/0*1", 1, 0,
     PLAIN},
    {"lost after the answer", "{\"drop\": \"dot_answered\"}", ", connections: 1", 5, "accepted*5", 5, 0, PLAIN},
    {"no answer to the dot", "{\"hang\": \"dot\"}", ", connections: 1, answer_timeout: 300ms", 1,
     "in doubt/channel/0*1", 1, 0, PLAIN},
    {"no answer to MAIL", "{\"hang\": \"mail\"}", ", connections: 1, command_timeout: 300ms", 1,
     "try later/channel/0*1", 0, 0, PLAIN},
    {"greeting refused", "{\"greeting\": \"554 5.3.2 no\"}", ", connections: 1", 3, "returned/channel/0*3", 0, 't',
     PLAIN},
    {"greeting never comes", "{\"hang\": \"greeting\"}", ", connections: 1, connect_timeout: 300ms", 2,
     "returned/channel/0*2", 0, 't', PLAIN},
    {"nonsense for an answer", "{\"mail\": \"999 what\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"354 for MAIL", "{\"mail\": \"354 go on\"}", ", connections: 1", 1, "try later/channel/354*1", 0, 0, PLAIN},
    {"too large", "{\"size_limit\": 20}", ", connections: 1", 1, "refused/message/0*1", 0, 0, PLAIN},
    {"251 for the dot", "{\"dot\": \"251 2.0.0 hm\"}", ", connections: 1", 1, "in doubt/channel/251*1", 1, 0, PLAIN},
    {"no log-in offered", "{}", ", username: u, password: secret", 2, "returned/channel/0*2", 0, 'p', PLAIN},
    {"log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 5, "accepted*5", 5, 0, PLAIN},
    {"log-in the old way", "{\"auth\": [\"LOGIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 5, "accepted*5", 5, 0, PLAIN},
    {"wrong password", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"other\"}}", ", username: u, password: secret", 3,
     "returned/channel/0*3", 0, 'p', PLAIN},
    {"log-in refused for now",
     "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"auth_reply\": \"454 4.7.0 later\"}",
     ", username: u, password: secret", 3, "returned/channel/0*3", 0, 't', PLAIN},
    {"STARTTLS and log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 20, "accepted*20", 20, 0, STARTTLS},
    {"TLS at once, and log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 20, "accepted*20", 20, 0, SMTPS},
    {"TLS at once, wrong password", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"other\"}}",
     ", username: u, password: secret", 3, "returned/channel/0*3", 0, 'p', SMTPS},
    {"STARTTLS not offered", "{\"no_starttls\": true}", "", 2, "returned/channel/0*2", 0, 't', STARTTLS},
    {"STARTTLS in lower case", "{\"lower_case\": true}", "", 2, "returned/channel/0*2", 0, 't', STARTTLS},
};

static void run_row(const struct row *row)
{
    struct sink *sink = &sinks[row->way];
    char options[500];
    auto_buf struct buf got;
    struct error err = {0};
    int64_t began_ms = clock_now_ms(&clock_machine);

    if (row->way != PLAIN)
        snprintf(options, sizeof options, ", url: \"smtp%s://127.0.0.1:%d\", ca_file: %s/ca.pem%s",
                 row->way == SMTPS ? "s" : "", sink->fake.port, folder, row->options);
    else
        snprintf(options, sizeof options, ", url: \"smtp://127.0.0.1:%d\", tls: off%s", sink->fake.port, row->options);
    sink_tell(sink, row->behaviour);
    sink_taken(sink);
    struct world *world = world_new("smtp", options, &err);
    if (!world->channel)
        fail_msg("%s: %s", row->name, err.text);
    for (int i = 0; i < row->count; i++) {
        char to[64];
        snprintf(to, sizeof to, "p%d@x.example", i);
        send_one(world, (uint32_t)i, to);
    }
    run_until(world, (size_t)row->count, 20000);
    run_for(world, 1); /* what else might come */
    buf_init(&got, 4000);
    summarize(world, &got);
    char trouble = world->troubles == 0 ? 0 : world->needs_person ? 'p' : 't';
    int taken = sink_taken(sink);
    if (!text_is(buf_text(&got), row->expected) || taken != row->taken || trouble != row->trouble)
        fail_msg("%s: got %s, taken %d, trouble %c %s (%s)", row->name, got.ptr, taken, trouble ? trouble : '-',
                 world->trouble, world->texts[0]);
    for (size_t i = 0; i < world->count; i++) {
        const struct channel_result *one = &world->results[i];
        if (strchr(world->texts[i], '@') || strstr(world->texts[i], "secret"))
            fail_msg("%s: the text says too much: %s", row->name, world->texts[i]);
        if ((one->fate == FATE_ACCEPTED || one->fate == FATE_IN_DOUBT) != (one->handed_over_at_ms >= began_ms) &&
            one->fate != FATE_REFUSED && one->fate != FATE_TRY_LATER)
            fail_msg("%s: handed over at %lld", row->name, (long long)one->handed_over_at_ms);
    }
    assert_null(strstr(world->trouble, "secret"));
    world_free(world);
}

static void mail_server_rows(void **state)
{
    (void)state;
    const char *only = getenv("ROW");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!only || strcmp(only, rows[i].name) == 0)
            run_row(&rows[i]);
}

/* ---- what takes more than one behaviour ---- */

static struct world *mail_world(const char *more)
{
    char options[300];
    struct error err = {0};

    snprintf(options, sizeof options, ", url: \"smtp://127.0.0.1:%d\", tls: off%s", sinks[PLAIN].fake.port, more);
    sink_taken(&sinks[PLAIN]);
    struct world *world = world_new("smtp", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    return world;
}

static void a_relay_that_comes_back(void **state)
{
    (void)state;
    sink_tell(&sinks[PLAIN], "{\"greeting\": \"421 4.3.2 starting up\"}");
    struct world *world = mail_world(", connections: 3");
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 5, 5000);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(world->results[i].fate, FATE_RETURNED);
    run_for(world, 1);
    assert_int_equal(world->troubles, 1);
    assert_false(world->needs_person);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
    sink_tell(&sinks[PLAIN], "{}");
    for (int i = 0; i < 50 && world->wells == 0; i++)
        run_for(world, 100); /* it tries by itself, after a second */
    assert_int_equal(world->wells, 1);
    assert_true(channel_room(world->channel, clock_now_ms(&clock_machine), 0) > 0);
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 10, 5000);
    for (size_t i = 5; i < 10; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    assert_int_equal(sink_taken(&sinks[PLAIN]), 5);
    world_free(world);
}

/* Stopping: what has not begun comes back, what has begun is waited for, and no longer than the grace. */
static void stopping_answers_for_everything(void **state)
{
    (void)state;
    for (int hang = 0; hang < 2; hang++) {
        sink_tell(&sinks[PLAIN], hang ? "{\"hang\": \"dot\"}" : "{\"delay\": {\"dot\": 0.3}}");
        struct world *world = mail_world(", connections: 2");
        size_t doubt = 0, accepted = 0, returned = 0;
        for (uint32_t i = 0; i < 20; i++)
            send_one(world, i, "p@x.example");
        run_for(world, 150);
        channel_stop(world->channel, hang ? 200 : 5000);
        assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
        run_until(world, 20, 8000);
        for (size_t i = 0; i < world->count; i++) {
            doubt += world->results[i].fate == FATE_IN_DOUBT;
            accepted += world->results[i].fate == FATE_ACCEPTED;
            returned += world->results[i].fate == FATE_RETURNED;
        }
        assert_int_equal(world->count, 20);
        assert_int_equal(doubt + accepted + returned, 20);
        assert_int_equal(channel_in_flight(world->channel), 0);
        if (hang)
            assert_true(doubt == 2 && accepted == 0);
        else
            assert_true(doubt == 0 && accepted >= 2);
        assert_int_equal((size_t)sink_taken(&sinks[PLAIN]), accepted + doubt);
        send_one(world, 99, "p@x.example");
        run_until(world, 21, 1000);
        assert_int_equal(world->results[20].fate, FATE_RETURNED);
        world_free(world);
    }
}

/* A message that the server refused for what stood behind it is sent again; while stopping it comes home, and does not
 * wait for a connection that nobody gives it until the grace is over. */
static void told_off_while_stopping(void **state)
{
    (void)state;
    sink_tell(&sinks[PLAIN], "{\"behind\": \"refuse_body\", \"delay\": {\"\": 0.5}}");
    struct world *world = mail_world(", connections: 1");
    int before = sink_count(&sinks[PLAIN], "behind");
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    for (int i = 0; i < 500 && sink_count(&sinks[PLAIN], "behind") == before; i++)
        run_for(world, 10);
    assert_int_equal(sink_count(&sinks[PLAIN], "behind") - before, 1);
    channel_stop(world->channel, 30 * SECOND_MS);
    run_until(world, 5, 15 * SECOND_MS);
    assert_int_equal(world->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(world->results[i].fate == FATE_RETURNED || world->results[i].fate == FATE_TRY_LATER);
    assert_int_equal(channel_in_flight(world->channel), 0);
    assert_int_equal(sink_taken(&sinks[PLAIN]), 0);
    world_free(world);
}

/* What a stream must not do, and that what was learned outlives a reload: another channel, the same process. */
static void a_broken_stream_is_remembered(void **state)
{
    (void)state;
    sink_tell(&sinks[PLAIN], "{\"behind\": \"drop_stored\"}");
    struct world *world = mail_world(", connections: 4");
    struct channel *first = world->channel;
    int before = sink_count(&sinks[PLAIN], "behind");
    for (uint32_t i = 0; i < 40; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 40, 10000);
    assert_int_equal(sink_count(&sinks[PLAIN], "behind") - before, 2);
    world->channel = channel_made(world, NULL);
    assert_non_null(world->channel);
    for (uint32_t i = 40; i < 80; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 80, 10000);
    assert_int_equal(sink_count(&sinks[PLAIN], "behind") - before, 2);
    for (size_t i = 40; i < 80; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    assert_int_equal(sink_taken(&sinks[PLAIN]), 80);
    channel_free(first);
    world_free(world);
}

/* All at once would be 20 connections. Nobody is charged, and the server is not knocked at all the time. */
static void a_server_that_lets_us_have_five(void **state)
{
    (void)state;
    for (int warm = 0; warm < 2; warm++) {
        sink_tell(&sinks[PLAIN], "{\"connections\": 5, \"delay\": {\"dot\": 0.02}}");
        int before = sink_count(&sinks[PLAIN], "connections");
        struct world *world = mail_world(", connections: 20");
        if (warm)
            channel_warm(world->channel);
        run_for(world, warm ? 300 : 1);
        for (uint32_t i = 0; i < 600; i++)
            send_one(world, i, "p@x.example");
        run_until(world, 600, 20000);
        for (size_t i = 0; i < 600; i++)
            assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
        assert_int_equal(world->count, 600);
        assert_int_equal(world->troubles, 0);
        int knocked = sink_count(&sinks[PLAIN], "connections") - before;
        if (knocked > 15) /* five, three beside them before the first answer, then after 1, 2, 4 s */
            fail_msg("%d attempts", knocked);
        assert_int_equal(sink_taken(&sinks[PLAIN]), 600);
        world_free(world);
    }
}

static void connections_are_warm_and_kept(void **state)
{
    (void)state;
    sink_tell(&sinks[PLAIN], "{}");
    struct world *world = mail_world(", connections: 3, keep_alive: 100ms");
    channel_warm(world->channel);
    run_for(world, 700); /* several NOOPs later they must still carry mail */
    assert_int_equal(world->troubles, 0);
    send_one(world, 1, "p@x.example");
    run_until(world, 1, 2000);
    assert_int_equal(world->results[0].fate, FATE_ACCEPTED);
    sink_tell(&sinks[PLAIN], "{\"op\": \"close\"}"); /* dropped while idle: nobody is the worse for it */
    run_for(world, 50);
    channel_warm(world->channel);
    send_one(world, 2, "p@x.example");
    run_until(world, 2, 4000);
    assert_int_equal(world->results[1].fate, FATE_ACCEPTED);
    channel_rest(world->channel);
    run_for(world, 50);
    assert_int_equal(world->troubles, 0);
    world_free(world);
}

/* A certificate that nobody we trust has signed, and one for another name: no mail and no password goes there. */
static void strangers_get_nothing(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"}; /* the second is not in the certificate */
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char options[400], ca[200] = "";
        struct error err = {0};
        if (i == 1)
            snprintf(ca, sizeof ca, ", ca_file: %s/ca.pem", folder);
        snprintf(options, sizeof options, ", url: \"smtp://%s:%d\", username: u, password: secret%s", hosts[i],
                 sinks[STARTTLS].fake.port, ca);
        sink_tell(&sinks[STARTTLS], "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}}");
        sink_taken(&sinks[STARTTLS]);
        struct world *world = world_new("smtp", options, &err);
        assert_non_null(world->channel);
        send_one(world, 1, "p@x.example");
        run_until(world, 1, 5000);
        run_for(world, 1);
        assert_int_equal(world->results[0].fate, FATE_RETURNED);
        assert_int_equal(world->troubles, 1);
        assert_int_equal(sink_taken(&sinks[STARTTLS]), 0);
        if (i == 0)
            assert_non_null(strstr(world->trouble, "no safe TLS"));
        world_free(world);
    }
}

/* smtps:// speaks TLS from the first byte: to a stranger, or to a server that greets in the clear, nothing is said. */
static void smtps_is_tls_or_nothing(void **state)
{
    (void)state;
    static const enum sink_way ways[] = {SMTPS, PLAIN};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct sink *sink = &sinks[ways[i]];
        char options[300];
        struct error err = {0};
        snprintf(options, sizeof options,
                 ", url: \"smtps://127.0.0.1:%d\", username: u, password: secret, connect_timeout: 1s",
                 sink->fake.port); /* and no ca_file */
        sink_tell(sink, "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}}");
        sink_taken(sink);
        int before = sink_count(sink, "commands");
        struct world *world = world_new("smtp", options, &err);
        assert_non_null(world->channel);
        send_one(world, 1, "p@x.example");
        run_until(world, 1, 5000);
        run_for(world, 1);
        assert_int_equal(world->results[0].fate, FATE_RETURNED);
        assert_int_equal(world->troubles, 1);
        assert_int_equal(sink_taken(sink), 0);
        if (i == 0) /* the other took our hello for commands */
            assert_int_equal(sink_count(sink, "commands"), before);
        world_free(world);
    }
}

struct probed {
    bool done, fine;
    char text[400];
};

static void on_probed(void *ctx, bool fine, const char *text)
{
    struct probed *probed = ctx;
    probed->done = true;
    probed->fine = fine;
    snprintf(probed->text, sizeof probed->text, "%s", text);
}

static void probing_says_what_is_there(void **state)
{
    (void)state;
    for (int fine = 0; fine < 2; fine++) {
        struct probed probed = {0};
        sink_tell(&sinks[PLAIN], fine ? "{\"size_limit\": 5000}" : "{\"greeting\": \"554 5.3.2 go away\"}");
        struct world *world = mail_world("");
        channel_probe(world->channel, on_probed, &probed);
        for (int i = 0; i < 50 && !probed.done; i++)
            run_for(world, 20);
        assert_true(probed.done);
        assert_int_equal(probed.fine, fine);
        assert_non_null(strstr(probed.text, fine ? "messages up to 5000 bytes" : "554 5.3.2 go away"));
        world_free(world);
    }
}

int main(void)
{
    char command[2000];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_server_rows),
        cmocka_unit_test(a_relay_that_comes_back),
        cmocka_unit_test(stopping_answers_for_everything),
        cmocka_unit_test(told_off_while_stopping),
        cmocka_unit_test(a_broken_stream_is_remembered),
        cmocka_unit_test(a_server_that_lets_us_have_five),
        cmocka_unit_test(connections_are_warm_and_kept),
        cmocka_unit_test(strangers_get_nothing),
        cmocka_unit_test(smtps_is_tls_or_nothing),
        cmocka_unit_test(probing_says_what_is_there),
    };

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!mkdtemp(folder))
        return 1;
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca "
             "2>/dev/null "
             "&& openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=sink 2>/dev/null "
             "&& printf 'subjectAltName=IP:127.0.0.1\\n' > ext && openssl x509 -req -in server.csr -CA ca.pem "
             "-CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile ext 2>/dev/null",
             folder);
    if (system(command) != 0)
        return 1;
    for (int way = PLAIN; way <= SMTPS; way++)
        sink_start(&sinks[way], folder, way);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int way = PLAIN; way <= SMTPS; way++)
        sink_stop(&sinks[way]);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        return 1;
    curl_global_cleanup();
    return failed;
}
