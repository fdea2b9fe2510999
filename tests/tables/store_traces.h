/* store_traces.h - people of whom everything that is known is theirs alone, so that it can be looked for on the disk.
 */
#ifndef ONSALE_STORE_TRACES_H
#define ONSALE_STORE_TRACES_H

#include "store_bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static inline bool file_has(const char *path, const char *what)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    bool found = memmem(bytes, (size_t)st.st_size, what, strlen(what)) != NULL;
    munmap(bytes, (size_t)st.st_size);
    close(fd);
    return found;
}

/* In any file of the state's folder: the database, its write-ahead log, whatever else lies there. */
static inline bool disk_has(const struct bench *b, const char *what)
{
    DIR *folder = opendir(b->folder);
    char path[512];
    bool found = false;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", b->folder, entry->d_name);
        found |= entry->d_type == DT_REG && file_has(path, what);
    }
    closedir(folder);
    return found;
}

/* With their number between. */
static const struct {
    const char *before, *after;
} traces[] = {
    {"mail", "@example.org"}, {"name", ""}, {"id", ""}, {"{\"a\":\"attr", "\"}"}, {"Zone/", ""},
};

/* People `from`..`to` say yes to audience 0 in one page. */
static inline void gather_distinct(struct bench *b, int64_t roll, int64_t pass, unsigned from, unsigned to)
{
    size_t count = to - from + 1;
    struct store_person *people = must_calloc(count, sizeof *people);
    char(*texts)[5][48] = must_calloc(count, sizeof *texts);

    for (size_t i = 0; i < count; i++) {
        unsigned who = from + (unsigned)i;
        for (size_t k = 0; k < ARRAY_LEN(traces); k++)
            snprintf(texts[i][k], sizeof texts[i][k], "%s%06u%s", traces[k].before, who, traces[k].after);
        people[i] = (struct store_person){.address = text_of(texts[i][0]),
                                          .name = text_of(texts[i][1]),
                                          .source_id = text_of(texts[i][2]),
                                          .attributes = text_of(texts[i][3]),
                                          .zone = text_of(texts[i][4])};
        bench_key(people[i].key, who);
    }
    store_gather(b->store,
                 &(struct store_gather){
                     .roll = roll, .pass = pass, .source = "fans", .people = people, .count = count, .cursor = ""},
                 bench_on_gathered, b);
    free(people);
    free(texts);
    bench_wait(b);
    bench_fine(b);
}

/* The log is emptied behind the answer, a moment later on a busy machine. */
static inline void nothing_is_left_of(const struct bench *b, unsigned who)
{
    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        char trace[32];
        snprintf(trace, sizeof trace, "%s%06u", traces[i].before, who);
        for (int tries = 0; disk_has(b, trace); tries++) {
            if (tries == 100)
                fail_msg("%s is still on the disk", trace);
            usleep(20 * 1000);
        }
    }
}

#endif
