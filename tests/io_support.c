#define _POSIX_C_SOURCE 200809L
#include "io_support.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ checks */

void io_test_check(io_test *t, bool good, int line, const char *format, ...) {
    if (good) return;
    t->failures++;
    if (!t->out) return;
    va_list args;
    va_start(args, format);
    fprintf(t->out, "io test, line %d: ", line);
    vfprintf(t->out, format, args);
    fputc('\n', t->out);
    va_end(args);
}

void io_test_error(io_test *t, int line, const char *what, tg_status got, const tg_file_error *e, tg_status status,
                   const char *part) {
    bool good = got == status && e->status == status && strstr(e->message, part);
    io_test_check(t, good, line, "%s: wanted %s with \"%s\", got %s: %s", what, tg_status_name(status), part,
                  tg_status_name(got), e->message);
}

int io_test_setting(const char *variable, int otherwise) {
    const char *text = getenv(variable);
    return text && *text ? atoi(text) : otherwise;
}

/* ------------------------------------------------------------------ files */

bool io_test_begin(io_test *t, FILE *out) {
    const char *base = getenv("TMPDIR");
    *t = (io_test){.out = out};
    snprintf(t->folder, sizeof t->folder, "%s/tapegrad-test-XXXXXX", base && *base ? base : "/tmp");
    bool made = mkdtemp(t->folder) != NULL;
    CHECK(t, made, "cannot make the folder %s", t->folder);
    return made;
}

static int visit_files(const io_test *t, bool remove_them) {
    DIR *d = opendir(t->folder);
    int n = 0;
    if (!d) return -1;
    for (struct dirent *f; (f = readdir(d));) {
        char path[1024];
        if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, "..")) continue;
        n++;
        snprintf(path, sizeof path, "%s/%s", t->folder, f->d_name);
        if (remove_them) remove(path);
    }
    closedir(d);
    return n;
}

int io_test_files(const io_test *t) { return visit_files(t, false); }

int io_test_end(io_test *t) {
    visit_files(t, true);
    rmdir(t->folder);
    for (size_t i = 0; t->paths[i]; i++) free(t->paths[i]);
    return t->failures;
}

const char *io_test_path(io_test *t, const char *name) {
    size_t n = strlen(t->folder), i = 0;
    for (; t->paths[i]; i++)
        if (!strcmp(t->paths[i] + n + 1, name)) return t->paths[i];
    size_t size = n + 1 + strlen(name) + 1;
    char *path = malloc(size);
    snprintf(path, size, "%s/%s", t->folder, name);
    return t->paths[i] = path;
}

/* A new file each time: some file systems wait for the disk when a file is emptied and written again. */
bool io_test_write(const char *path, const void *bytes, size_t n) {
    unlink(path);
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    bool good = n == 0 || fwrite(bytes, 1, n, f) == n;
    return fclose(f) == 0 && good;
}

uint8_t *io_test_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    *n = 0;
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc((size_t)size + 1);
    if (bytes) *n = fread(bytes, 1, (size_t)size, f);
    fclose(f);
    return bytes;
}

/* ------------------------------------------------------------------ faults of system calls */

static struct {
    tg__io_table real;
    io_fault kind;
    int error, at, calls;
    bool forever, installed;
    char trace[256];
    size_t traced;
} faults;

/* Whether this call is to be spoiled. A kill at a write lets half of it through first. */
static io_fault next_call(char letter) {
    int call = ++faults.calls;
    bool hit = call == faults.at || (call > faults.at && faults.forever);
    if (hit && faults.kind == IO_KILL && letter != 'w') kill(getpid(), SIGKILL);
    if (hit && faults.kind == IO_ERROR) {
        errno = faults.error;
        return IO_ERROR;
    }
    if (faults.traced + 1 < sizeof faults.trace) faults.trace[faults.traced++] = letter;
    return hit ? faults.kind : IO_NONE;
}

static size_t shortened(io_fault fault, size_t n) { return fault == IO_NONE || n < 2 ? n : n / 2; }

static int spoiled_open(const char *path, int flags, mode_t mode) {
    return next_call('o') == IO_ERROR ? -1 : faults.real.open(path, flags, mode);
}
static ssize_t spoiled_read(int fd, void *p, size_t n) {
    io_fault fault = next_call('r');
    return fault == IO_ERROR ? -1 : faults.real.read(fd, p, shortened(fault, n));
}
static ssize_t spoiled_write(int fd, const void *p, size_t n) {
    io_fault fault = next_call('w');
    if (fault == IO_ERROR) return -1;
    ssize_t done = faults.real.write(fd, p, shortened(fault, n));
    if (fault == IO_KILL) kill(getpid(), SIGKILL);
    return done;
}
/* A process that dies loses nothing that it gave to the kernel: the tests need not wait for the disk. */
static int spoiled_fsync(int fd) { return (void)fd, next_call('s') == IO_ERROR ? -1 : 0; }
static int spoiled_fstat(int fd, struct stat *s) { return next_call('f') == IO_ERROR ? -1 : faults.real.fstat(fd, s); }
static int spoiled_stat(const char *path, struct stat *s) {
    return next_call('t') == IO_ERROR ? -1 : faults.real.stat(path, s);
}
static int spoiled_rename(const char *from, const char *to) {
    return next_call('n') == IO_ERROR ? -1 : faults.real.rename(from, to);
}
/* Cleaning up must work: it is what the test looks for. */
static int spoiled_unlink(const char *path) { return faults.real.unlink(path); }
/* Like Linux: the number is free again, whatever close says. */
static int spoiled_close(int fd) {
    io_fault fault = next_call('c');
    int error = errno, result = faults.real.close(fd);
    errno = error;
    return fault == IO_ERROR ? -1 : result;
}

void io_faults_set(io_fault kind, int error, int at, bool forever) {
    if (!faults.installed) faults.real = tg__io_calls;
    faults.installed = true;
    faults.kind = kind;
    faults.error = error;
    faults.at = at;
    faults.forever = forever;
    faults.calls = 0;
    faults.traced = 0;
    memset(faults.trace, 0, sizeof faults.trace);
    tg__io_calls = (tg__io_table){
        .open = spoiled_open,
        .read = spoiled_read,
        .write = spoiled_write,
        .fsync = spoiled_fsync,
        .fstat = spoiled_fstat,
        .stat = spoiled_stat,
        .rename = spoiled_rename,
        .unlink = spoiled_unlink,
        .close = spoiled_close,
    };
}

int io_faults_end(void) {
    if (faults.installed) tg__io_calls = faults.real;
    faults.installed = false;
    return faults.calls;
}

const char *io_faults_trace(void) { return faults.trace; }
