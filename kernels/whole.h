/* kernels/whole.h: whole numbers, as kernels cut their work. */
#ifndef TG_WHOLE_H
#define TG_WHOLE_H

#include <stdint.h>

static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t round_up(int64_t a, int64_t to) { return (a + to - 1) / to * to; }

/* Part i of n elements in `parts` parts whose sizes differ by at most one: where it begins (part i + 1 is where it ends). */
static inline int64_t part_begin(int64_t n, int64_t parts, int64_t i) { return n / parts * i + min_of(i, n % parts); }

#endif
