/* io/file.h: bytes in and out: system calls through one table, errors, whole-file reads, crash-safe writes. */
#ifndef TG_FILE_H
#define TG_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "tapegrad/io.h"

/* Every system call of io/ goes through this table, so that a test can make each of them fail. */
typedef struct tg__io_table {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *p, size_t n);
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*fsync)(int fd);
    int (*fstat)(int fd, struct stat *s);
    int (*stat)(const char *path, struct stat *s);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*close)(int fd);
} tg__io_table;

extern tg__io_table tg__io_calls;

/* ------------------------------------------------------------------ errors */

typedef struct tg__report {
    const char *path;
    tg_file_error *e; /* may be NULL */
} tg__report;

#define TG__NO_OFFSET UINT64_MAX

/* Writes "path: byte offset: text" and returns the status. */
tg_status tg__report_at(const tg__report *r, tg_status status, uint64_t offset, const char *format, ...) TG_PRINTF(4, 5);
tg_status tg__report_errno(const tg__report *r, const char *step, int error);
tg_status tg__report_nomem(const tg__report *r, uint64_t bytes);
tg_status tg__report_ok(const tg__report *r);

/* A name from a file or a caller made fit for a message: quoted, without control characters, shortened. Returns text. */
#define TG__QUOTED 80
const char *tg__quoted(char text[TG__QUOTED], const char *name);

/* ------------------------------------------------------------------ reading, writing */

/* The whole of a regular file; free *bytes with tg__free. */
tg_status tg__read_file(const tg__report *r, uint8_t **bytes, size_t *size);

/* A file that appears at its path, whole, when committed, and never if discarded. On an error the functions have reported it
 * and discarded the file already; discarding twice is allowed. */
typedef struct tg__atomic_file {
    const tg__report *report;
    char *temporary; /* NULL: nothing to discard */
    int file, folder;
} tg__atomic_file;

tg_status tg__atomic_begin(tg__atomic_file *f, const tg__report *r);
tg_status tg__atomic_write(tg__atomic_file *f, const void *bytes, size_t n);
tg_status tg__atomic_commit(tg__atomic_file *f);
void tg__atomic_discard(tg__atomic_file *f);

#endif
