/* The profile: time and bytes by kind of kernel, when switched on. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <time.h>

#include "engine.h"

uint64_t tg__now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Rows are found by the address of the name: each op has one. No memory for a row: that kernel goes uncounted. */
void tg__profile_add(tg_tape *t, const char *name, uint64_t ns, uint64_t bytes) {
    uint32_t i = 0;
    while (i < t->n_profile && t->profile[i].name != name) i++;
    if (i == t->n_profile) {
        if (!tg__grow(&t->profile, &t->profile_cap, i + 1, sizeof *t->profile)) return;
        t->profile[t->n_profile++] = (tg__profile){.name = name};
    }
    t->profile[i].calls++;
    t->profile[i].ns += ns;
    t->profile[i].bytes += bytes;
}

void tg_profile(tg_tape *t, bool on) {
    if (!t) return;
    if (on) t->n_profile = 0;
    t->profiling = on;
}

static int more_time_first(const void *a, const void *b) {
    const tg_profile_row *x = a, *y = b;
    return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : strcmp(x->name, y->name);
}

int tg_profile_rows(const tg_tape *t, tg_profile_row *rows, int n) {
    if (!t) return 0;
    for (int i = 0; i < n && i < (int)t->n_profile; i++) {
        const tg__profile *p = &t->profile[i];
        rows[i] = (tg_profile_row){p->name, p->calls, p->ns, p->bytes};
    }
    int filled = n < (int)t->n_profile ? n : (int)t->n_profile;
    if (filled > 1) qsort(rows, (size_t)filled, sizeof *rows, more_time_first);
    return (int)t->n_profile;
}
