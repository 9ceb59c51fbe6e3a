/* Crash-safe writing: a temporary file in the same folder is written, flushed and renamed over the path, then the folder is
 * flushed, so that the new name survives a power cut. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/alloc.h"
#include "retry.h"

/* The length of the path's folder part, with its last slash; 0: the current folder. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The name does not contain the target's, which may be as long as a name can be. */
static void name_temporary(tg__atomic_file *f) {
    static _Atomic uint32_t count;
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    size_t n = folder_length(f->report->path);
    memcpy(f->temporary, f->report->path, n);
    sprintf(f->temporary + n, ".tapegrad-%08" PRIx32 "-%08" PRIx32 "-%08" PRIx32 ".tmp", (uint32_t)getpid(),
            (uint32_t)now.tv_nsec, atomic_fetch_add(&count, 1));
}

#define TEMPORARY_NAME 64 /* room for the name above */

static int open_retrying(const char *path, int flags, mode_t mode) {
    int fd, tries = 0;
    do fd = tg__io_calls.open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && tg__interrupted(&tries));
    return fd;
}

static int open_temporary(tg__atomic_file *f) {
    int fd, tries = 0;
    do {
        name_temporary(f);
        fd = open_retrying(f->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    } while (fd < 0 && errno == EEXIST && ++tries < TG__MOST_TRIES);
    return fd;
}

static int open_folder(const char *path) {
    size_t n = folder_length(path);
    if (n == 0) return open_retrying(".", O_RDONLY | O_DIRECTORY, 0);
    char *folder = tg__alloc(n + 1);
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(folder, path, n);
    folder[n] = 0;
    int fd = open_retrying(folder, O_RDONLY | O_DIRECTORY, 0), error = errno;
    tg__free(folder);
    errno = error;
    return fd;
}

static int flush(int fd) {
    int failed, tries = 0;
    do failed = tg__io_calls.fsync(fd);
    while (failed && tg__interrupted(&tries));
    return failed;
}

/* On Linux the number is free again whatever close returns; a signal that interrupts it after a flush lost nothing. */
static int close_once(int *fd) {
    int failed = *fd >= 0 && tg__io_calls.close(*fd) && errno != EINTR;
    *fd = -1;
    return failed;
}

/* There is no temporary file (yet, or any more). */
static void forget_name(tg__atomic_file *f) {
    tg__free(f->temporary);
    f->temporary = NULL;
}

void tg__atomic_discard(tg__atomic_file *f) {
    int error = errno;
    close_once(&f->file);
    close_once(&f->folder);
    if (f->temporary) tg__io_calls.unlink(f->temporary);
    forget_name(f);
    errno = error;
}

static tg_status fail(tg__atomic_file *f, const char *step, int error) {
    tg__atomic_discard(f);
    return tg__report_errno(f->report, step, error);
}

/* Renaming over a device or a pipe would destroy it. */
static tg_status check_target(const tg__report *r) {
    struct stat s;
    if (tg__io_calls.stat(r->path, &s)) return errno == ENOENT ? TG_OK : tg__report_errno(r, "look at the path", errno);
    if (S_ISDIR(s.st_mode)) return tg__report_at(r, TG_EIO, TG__NO_OFFSET, "is a folder, not a file");
    if (!S_ISREG(s.st_mode)) return tg__report_at(r, TG_EIO, TG__NO_OFFSET, "is not a regular file and is not replaced");
    return TG_OK;
}

static int make_temporary(tg__atomic_file *f) {
    f->temporary = tg__alloc(folder_length(f->report->path) + TEMPORARY_NAME);
    if (!f->temporary) {
        errno = ENOMEM;
        return -1;
    }
    int fd = open_temporary(f), error = errno;
    if (fd < 0) forget_name(f);
    errno = error;
    return fd;
}

tg_status tg__atomic_begin(tg__atomic_file *f, const tg__report *r) {
    *f = (tg__atomic_file){.report = r, .file = -1, .folder = -1};
    tg_status status = check_target(r);
    if (status != TG_OK) return status;
    f->folder = open_folder(r->path);
    if (f->folder < 0) return fail(f, "open the folder", errno);
    f->file = make_temporary(f);
    if (f->file < 0) return fail(f, "make a temporary file in the folder", errno);
    return TG_OK;
}

tg_status tg__atomic_write(tg__atomic_file *f, const void *bytes, size_t n) {
    const char *at = bytes;
    int tries = 0;
    while (n) {
        ssize_t done = tg__io_calls.write(f->file, at, n < TG__MOST_AT_ONCE ? n : TG__MOST_AT_ONCE);
        if (done < 0 && tg__interrupted(&tries)) continue;
        if (done < 0) return fail(f, "write", errno);
        if (done == 0) return fail(f, "write", ENOSPC);
        tries = 0;
        at += done;
        n -= (size_t)done;
    }
    return TG_OK;
}

tg_status tg__atomic_commit(tg__atomic_file *f) {
    if (flush(f->file)) return fail(f, "flush the file to the disk", errno);
    if (close_once(&f->file)) return fail(f, "close the file", errno);
    if (tg__io_calls.rename(f->temporary, f->report->path)) return fail(f, "rename the temporary file", errno);
    forget_name(f);
    /* Some network file systems cannot flush a folder and say EINVAL: there is nothing more to do then. */
    if (flush(f->folder) && errno != EINVAL) return fail(f, "flush the folder to the disk (the new file is in place)", errno);
    close_once(&f->folder);
    return TG_OK;
}
