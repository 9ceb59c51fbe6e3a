/* tests/fuzz.h: random programs. One program is a number: every choice in it follows from its seed and from shapes, never
 * from values, so that it does the same on every tape. What it can observe goes into a trace; traces of two ways of
 * running must be equal. */
#ifndef TG_TESTS_FUZZ_H
#define TG_TESTS_FUZZ_H

#include <tapegrad.h>

/* ------------------------------------------------------------------ what a program observed (fuzz_trace.c) */

typedef struct fuzz_event {
    char what[40];
    tg_status status;
    tg_dtype dtype;
    size_t at, size; /* bytes in the trace */
} fuzz_event;

typedef struct fuzz_trace {
    fuzz_event *events;
    uint8_t *bytes;
    int n, cap, failed;
    size_t n_bytes, cap_bytes;
    bool log; /* also print each event */
} fuzz_trace;

void fuzz_note(fuzz_trace *r, const char *what, tg_status status, tg_dtype dtype, const void *bytes, size_t size);
/* The first difference as text, or false. A NaN equals every NaN. */
bool fuzz_differ(const fuzz_trace *a, const fuzz_trace *b, char *text, size_t size);
void fuzz_trace_free(fuzz_trace *r);

/* ------------------------------------------------------------------ programs (fuzz_program.c) */

typedef struct fuzz_way {
    const char *name;
    bool eager, poison;
    bool remat; /* whatever it costs */
    int threads;
    bool faults; /* the allocator fails now and then: any error may come */
} fuzz_way;

/* Runs the program of this seed. Fills the trace; errors that the program did not mean are counted in trace->failed. */
void fuzz_run(uint64_t seed, const fuzz_way *way, fuzz_trace *trace);

#endif
