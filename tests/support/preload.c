/* Lets a test set the clock of one server, fill its disk, and see what is on disk for certain.
 *
 * LD_PRELOAD names this library, WORKGATE_CONTROL a file of `struct control` that the test writes and
 * reads. The clock of the machine (CLOCK_MONOTONIC) goes on: a clock that is set does not touch it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FILES 64

struct control {
    /* The clock is ahead by this much. */
    volatile int64_t ahead_us;
    /* Where it stands still, in microseconds since 1970; 0 where it goes. */
    volatile int64_t stands_at_us;
    /* Writes to files fail. */
    volatile int64_t disk_is_full;
    /* How much of each file the system was asked to put on disk, and has. */
    struct {
        volatile int64_t inode, size;
    } synced[FILES];
};

static struct control nothing;

static struct control *control(void) {
    static struct control *mapped;
    if (!mapped) {
        const char *path = getenv("WORKGATE_CONTROL");
        int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *at = file < 0 ? MAP_FAILED
                            : mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
        mapped = at == MAP_FAILED ? &nothing : at;
    }
    return mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t us = (int64_t)now->tv_sec * 1000000 + now->tv_nsec / 1000;
    us = control()->stands_at_us ? control()->stands_at_us : us + control()->ahead_us;
    now->tv_sec = us / 1000000;
    now->tv_nsec = us % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}

static int is_refused(int file) {
    struct stat seen;
    if (!control()->disk_is_full || fstat(file, &seen) || !S_ISREG(seen.st_mode)) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int file, const void *bytes, size_t length) {
    return is_refused(file) ? -1 : syscall(SYS_write, file, bytes, length);
}

size_t fwrite(const void *restrict bytes, size_t size, size_t count, FILE *restrict file) {
    static size_t (*own)(const void *, size_t, size_t, FILE *);
    if (!own) own = (size_t (*)(const void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT, "fwrite");
    /* Not the log. */
    if (file != stdout && file != stderr && is_refused(fileno(file))) return 0;
    return own(bytes, size, count, file);
}

static int sync_with(long call, int file) {
    struct stat seen;
    int known = !fstat(file, &seen);
    int failed = (int)syscall(call, file);
    if (failed || !known) return failed;
    for (int at = 0; at < FILES; at++) {
        int64_t inode = control()->synced[at].inode;
        if (!inode || inode == (int64_t)seen.st_ino) {
            if (seen.st_size > control()->synced[at].size) control()->synced[at].size = seen.st_size;
            control()->synced[at].inode = (int64_t)seen.st_ino;
            break;
        }
    }
    return 0;
}

int fsync(int file) { return sync_with(SYS_fsync, file); }

int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }
