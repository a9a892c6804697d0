// Preloaded into a server under callgrind: its clocks run 200 times slower. Callgrind makes a server about that much
// slower, so that without this each operation would carry far more of what the server does once in a millisecond (a
// tick of the module, an active expire cycle) or once in a tenth of a second (its cron) than it does in life. Then a
// count also does not depend on how busy the machine is.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SLOWER = 200, SECOND = 1000000000 };

static long long began[16];

int clock_gettime(clockid_t id, struct timespec *at) {
    struct timespec now;
    int failed = syscall(SYS_clock_gettime, id, &now);
    if (failed) return failed;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        long long ns = now.tv_sec * (long long)SECOND + now.tv_nsec;
        if (began[id] == 0) began[id] = ns;
        ns = began[id] + (ns - began[id]) / SLOWER;
        now.tv_sec = ns / SECOND;
        now.tv_nsec = ns % SECOND;
    }
    *at = now;
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
