/* names.c - a resolver as bad as a story wants, preloaded into the daemon: getaddrinfo(3) looks into the file named by
 * NAMES, lines of HOST WORD [SECONDS], at each call: here              it is this machine unknown, failing  as a name
 * server says NXDOMAIN or SERVFAIL silent SECONDS    no name server answers for so long, then it is failing; when that
 * is over, "HOST" is appended to the file named by NAMES_LOG Hosts that are not in the file are asked of the real
 * resolver. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict out);

static void look_up(const char *name, char word[20], unsigned *seconds)
{
    FILE *file = fopen(getenv("NAMES"), "re");
    char line[200], host[100];

    word[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        *seconds = 0;
        if (sscanf(line, "%99s %19s %u", host, word, seconds) >= 2 && strcmp(host, name) == 0)
            break;
        word[0] = '\0';
    }
    if (file)
        fclose(file);
}

static void note(const char *name)
{
    FILE *file = fopen(getenv("NAMES_LOG"), "ae");

    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    char word[20];
    unsigned seconds;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo"); /* as POSIX has it */
    look_up(name ? name : "", word, &seconds);
    if (strcmp(word, "unknown") == 0)
        return EAI_NONAME;
    if (strcmp(word, "failing") == 0)
        return EAI_AGAIN;
    if (strcmp(word, "silent") == 0) {
        sleep(seconds);
        note(name);
        return EAI_AGAIN;
    }
    return real(strcmp(word, "here") == 0 ? "127.0.0.1" : name, service, hints, out);
}
