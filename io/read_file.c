/* Reading a whole regular file into memory. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>

#include "engine/alloc.h"
#include "retry.h"

/* Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever. */
static int open_to_read(const char *path) {
    int fd, tries = 0;
    do fd = tg__io_calls.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    while (fd < 0 && tg__interrupted(&tries));
    return fd;
}

static ssize_t read_some(int fd, uint8_t *p, size_t n) {
    ssize_t got;
    int tries = 0;
    do got = tg__io_calls.read(fd, p, n < TG__MOST_AT_ONCE ? n : TG__MOST_AT_ONCE);
    while (got < 0 && tg__interrupted(&tries));
    return got;
}

static tg_status read_bytes(const tg__report *r, int fd, uint8_t *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read_some(fd, bytes + done, size - done);
        if (got < 0) return tg__report_errno(r, "read the file", errno);
        if (got == 0) return tg__report_at(r, TG_EIO, done, "the file became shorter while it was read");
        done += (size_t)got;
    }
    uint8_t more;
    ssize_t got = read_some(fd, &more, 1);
    if (got < 0) return tg__report_errno(r, "read the file", errno);
    if (got > 0) return tg__report_at(r, TG_EIO, size, "the file became longer while it was read");
    return TG_OK;
}

static tg_status read_open(const tg__report *r, int fd, uint8_t **bytes, size_t *size) {
    struct stat s;
    if (tg__io_calls.fstat(fd, &s)) return tg__report_errno(r, "ask for the size of the file", errno);
    if (S_ISDIR(s.st_mode)) return tg__report_at(r, TG_EIO, TG__NO_OFFSET, "is a folder, not a file");
    if (!S_ISREG(s.st_mode)) return tg__report_at(r, TG_EIO, TG__NO_OFFSET, "is not a regular file");
    if (s.st_size < 0 || (uint64_t)s.st_size > PTRDIFF_MAX) return tg__report_nomem(r, (uint64_t)s.st_size);
    *size = (size_t)s.st_size;
    *bytes = tg__alloc(*size);
    if (!*bytes) return tg__report_nomem(r, *size);
    tg_status status = read_bytes(r, fd, *bytes, *size);
    if (status == TG_OK) return TG_OK;
    tg__free(*bytes);
    *bytes = NULL;
    return status;
}

tg_status tg__read_file(const tg__report *r, uint8_t **bytes, size_t *size) {
    *bytes = NULL;
    *size = 0;
    int fd = open_to_read(r->path);
    if (fd < 0) return tg__report_errno(r, "open the file", errno);
    tg_status status = read_open(r, fd, bytes, size);
    tg__io_calls.close(fd); /* nothing was written: a failure here loses nothing */
    return status;
}
