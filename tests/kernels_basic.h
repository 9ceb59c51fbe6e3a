/* tests/kernels_basic.h: what the tests of the kernels share. Each part counts its failures and prints them, nothing else. */
#ifndef TG_TESTS_KERNELS_BASIC_H
#define TG_TESTS_KERNELS_BASIC_H

#include "kernels/kernels.h"

typedef struct kernel_test {
    FILE *out; /* may be NULL */
    int failures;
    uint64_t random;
} kernel_test;

void kernel_fail(kernel_test *t, const char *format, ...) TG_PRINTF(2, 3); /* prints the first failures, counts them all */

uint64_t kernel_random(kernel_test *t);                                 /* 64 random bits */
int64_t kernel_int(kernel_test *t, int64_t low, int64_t high);          /* in [low, high] */
double kernel_double(kernel_test *t, double low, double high);
/* n numbers of a dtype, zeros of both signs, infinities and NaN among them if wild. */
void kernel_fill(kernel_test *t, void *x, tg_dtype d, int64_t n, bool wild);

bool kernel_same(const void *a, const void *b, tg_dtype d, int64_t n); /* the same bits, or NaN both */

void test_kernel_math(kernel_test *t);
/* All floats in chunks of 1024, or one chunk in `stride`; the number of functions beyond their bounds. */
int test_kernel_every_float(FILE *out, int64_t stride);
void test_kernel_micro(kernel_test *t);
void test_kernel_folds(kernel_test *t);
void test_kernel_copies(kernel_test *t);
void test_kernel_random(kernel_test *t);
void test_kernel_rows(kernel_test *t);

/* The elementwise loops of the library, by the name of their TG_MICRO; ends with a NULL name. */
typedef struct kernel_micro {
    const char *name, *class;
    int inputs;
    const tg_micro *table;
} kernel_micro;
extern const kernel_micro kernel_micros[];
const kernel_micro *kernel_micro_find(const char *name); /* NULL: no op has such a loop */

int tg_test_kernels(FILE *out); /* all of it; the number of failures */

#endif
