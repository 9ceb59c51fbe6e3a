/* The system calls of io/, behind a table that tests replace. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <unistd.h>

#include "file.h"

static int call_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static int call_fstat(int fd, struct stat *s) { return fstat(fd, s); }
static int call_stat(const char *path, struct stat *s) { return stat(path, s); }

tg__io_table tg__io_calls = {
    .open = call_open, .read = read,     .write = write,   .fsync = fsync, .fstat = call_fstat,
    .stat = call_stat, .rename = rename, .unlink = unlink, .close = close,
};
