/* tests/kernels_basic.c: the tests of all kernels but the matrix product, and what they share. */
#include "tests/kernels_basic.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define MOST_PRINTED 40

void kernel_fail(kernel_test *t, const char *format, ...) {
    if (++t->failures > MOST_PRINTED || !t->out) return;
    va_list args;
    va_start(args, format);
    vfprintf(t->out, format, args);
    va_end(args);
    fputc('\n', t->out);
}

uint64_t kernel_random(kernel_test *t) { /* SplitMix64 */
    uint64_t z = t->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

int64_t kernel_int(kernel_test *t, int64_t low, int64_t high) {
    return low + (int64_t)(kernel_random(t) % (uint64_t)(high - low + 1));
}

double kernel_double(kernel_test *t, double low, double high) {
    return low + (high - low) * ((double)(kernel_random(t) >> 11) * 0x1p-53);
}

static double wild_double(kernel_test *t) {
    const double values[] = {0.0, -0.0, INFINITY, -INFINITY, (double)NAN};
    return values[kernel_int(t, 0, 4)];
}

static double float_value(kernel_test *t, bool wild) {
    return wild && kernel_int(t, 0, 40) == 0 ? wild_double(t) : kernel_double(t, -3, 3);
}

void kernel_fill(kernel_test *t, void *x, tg_dtype d, int64_t n, bool wild) {
    for (int64_t i = 0; i < n; i++) {
        switch (d) {
        case TG_F32: ((float *)x)[i] = (float)float_value(t, wild); break;
        case TG_F64: ((double *)x)[i] = float_value(t, wild); break;
        case TG_I32: ((int32_t *)x)[i] = (int32_t)kernel_random(t) >> (wild ? 0 : 24); break;
        case TG_I64: ((int64_t *)x)[i] = (int64_t)kernel_random(t) >> (wild ? 0 : 56); break;
        case TG_BF16:
        case TG_F16: ((uint16_t *)x)[i] = (uint16_t)kernel_random(t); break;
        case TG_U8: ((uint8_t *)x)[i] = (uint8_t)kernel_random(t); break;
        default: ((uint8_t *)x)[i] = (uint8_t)(kernel_random(t) & 1); break;
        }
    }
}

bool kernel_same(const void *a, const void *b, tg_dtype d, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const size_t size = tg_dtype_size(d);
        const char *x = (const char *)a + (size_t)i * size, *y = (const char *)b + (size_t)i * size;
        if (memcmp(x, y, size) == 0) continue;
        if (d == TG_F32 && isnan(*(const float *)(const void *)x) && isnan(*(const float *)(const void *)y)) continue;
        if (d == TG_F64 && isnan(*(const double *)(const void *)x) && isnan(*(const double *)(const void *)y)) continue;
        return false;
    }
    return true;
}

static void test_dispatch(kernel_test *t) {
    const tg__kernels *k = tg__kernels_get();
    if (!k || tg__kernels_of(k->isa) != k) kernel_fail(t, "dispatch: the chosen set is not one of the CPU's");
    if (!tg__kernels_of(TG_ISA_ANY)) kernel_fail(t, "dispatch: no baseline");
    if (tg__kernels_of((tg_isa_level)TG_ISA_COUNT)) kernel_fail(t, "dispatch: a set that does not exist");
    if (!tg_isa() || !*tg_isa()) kernel_fail(t, "dispatch: no name");
}

/* A kernel that a set lacks would be that of another set, slower and unseen: every entry, all pointers, is the set's own. */
static void test_sets_are_whole(kernel_test *t) {
    enum { FIRST = offsetof(tg__kernels, chain_f32) / sizeof(void *), ALL = sizeof(tg__kernels) / sizeof(void *) };
    const void *base[ALL], *own[ALL];
    memcpy(base, tg__kernels_of(TG_ISA_ANY), sizeof base);
    for (int level = TG_ISA_ANY + 1; level < TG_ISA_COUNT; level++) {
        if (!tg__kernels_of((tg_isa_level)level)) continue;
        memcpy(own, tg__kernels_of((tg_isa_level)level), sizeof own);
        for (int i = FIRST; i < ALL; i++)
            if (base[i] ? !own[i] || own[i] == base[i] : own[i] != NULL)
                kernel_fail(t, "dispatch: pointer %d of the table of set %d is not its own", i, level);
    }
}

static void test_denormals(kernel_test *t) {
#if defined(__x86_64__) || defined(__aarch64__)
    volatile float tiny = 1e-40f, one = 1.0f;
    const unsigned mode = tg__denormals_flush();
    const float flushed = tiny * one;
    tg__denormals_restore(mode);
    const float kept = tiny * one;
    if (flushed != 0.0f || kept == 0.0f)
        kernel_fail(t, "denormals: flushed gives %g, restored %g", (double)flushed, (double)kept);
#else
    (void)t;
#endif
}

int tg_test_kernels(FILE *out) {
    kernel_test t = {out, 0, 1};
    test_dispatch(&t);
    test_sets_are_whole(&t);
    test_denormals(&t);
    test_kernel_math(&t);
    test_kernel_micro(&t);
    test_kernel_folds(&t);
    test_kernel_copies(&t);
    test_kernel_random(&t);
    test_kernel_rows(&t);
    return t.failures;
}
