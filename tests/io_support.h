/* tests/io_support.h: what the tests of files share: counted checks, a folder of their own, faults of system calls. */
#ifndef TG_TESTS_IO_SUPPORT_H
#define TG_TESTS_IO_SUPPORT_H

#include "engine/alloc.h"
#include "io/file.h"

typedef struct io_test {
    FILE *out; /* may be NULL */
    int failures;
    char folder[512];
    char *paths[64]; /* what io_test_path gave, ended by NULL */
} io_test;

void io_test_check(io_test *t, bool good, int line, const char *format, ...) TG_PRINTF(4, 5);
#define CHECK(t, good, ...) io_test_check(t, good, __LINE__, __VA_ARGS__)

/* An error must have this status and a message with this fragment. */
void io_test_error(io_test *t, int line, const char *what, tg_status got, const tg_file_error *e, tg_status status,
                   const char *part);
#define CHECK_ERROR(t, what, got, e, status, part) io_test_error(t, __LINE__, what, got, e, status, part)

/* A folder under $TMPDIR or /tmp, removed with all files in it by the end. */
bool io_test_begin(io_test *t, FILE *out);
int io_test_end(io_test *t); /* the number of failures */

/* The path of a file in the folder; valid until the end of the tests. */
const char *io_test_path(io_test *t, const char *name);
bool io_test_write(const char *path, const void *bytes, size_t n);
uint8_t *io_test_read(const char *path, size_t *n); /* free it with free() */
int io_test_files(const io_test *t);                /* how many files are in the folder */

/* System calls made to fail. Numbers count from 1 over all calls of the table. */
typedef enum io_fault { IO_NONE, IO_ERROR, IO_SHORT, IO_KILL } io_fault;
void io_faults_set(io_fault kind, int error, int at, bool forever);
int io_faults_end(void);            /* back to the real calls; how many calls there were */
const char *io_faults_trace(void); /* the first letter of each successful call: o r w s(fsync) f(fstat) t(stat) n(rename) u c */

int io_test_setting(const char *variable, int otherwise); /* a number from the environment */

/* Random numbers for fuzzing (SplitMix64). */
static inline uint64_t io_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

#endif
