/* tests/kernels_micro.c: every elementwise loop of the library: the value of an element must not depend on where it stands, how
 * many there are, or whether the result goes over an input. */
#include "kernels/micro.h"
#include "tests/kernels_basic.h"

#include <string.h>

#undef TG_MICRO
#define TG_MICRO(name, inputs, class, ...) extern const tg_micro tg__micro_##name;
#include "kernels/micro.inc"
#undef TG_MICRO
#define TG_MICRO(name, inputs, class, ...) {#name, #class, inputs, &tg__micro_##name},
const kernel_micro kernel_micros[] = {
#include "kernels/micro.inc"
    {NULL, NULL, 0, NULL},
};

const kernel_micro *kernel_micro_find(const char *name) {
    for (const kernel_micro *m = kernel_micros; m->name; m++)
        if (strcmp(m->name, name) == 0) return m;
    return NULL;
}

static tg_dtype result_dtype(const char *class, tg_dtype d) {
    static const struct { const char *class; tg_dtype d; } fixed[] = {
        {"TEST", TG_BOOL}, {"LOGIC", TG_BOOL}, {"TO_F32", TG_F32}, {"TO_F64", TG_F64},
        {"TO_I32", TG_I32}, {"TO_I64", TG_I64}, {"TO_U8", TG_U8}, {"TO_BOOL", TG_BOOL},
        {"TO_BF16", TG_BF16}, {"TO_F16", TG_F16},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(class, fixed[i].class) == 0) return fixed[i].d;
    return d;
}

#define MOST 133
typedef union array { uint8_t bytes[MOST * 8]; double aligned[MOST]; } array;

static void check_places(kernel_test *t, const kernel_micro *m, tg_micro_fn *f, int level, tg_dtype d, int n) {
    const bool select = strcmp(m->class, "SELECT") == 0;
    const tg_dtype out = result_dtype(m->class, d), first = select ? TG_BOOL : d;
    const size_t size[3] = {tg_dtype_size(first), tg_dtype_size(d), tg_dtype_size(d)}, out_size = tg_dtype_size(out);
    array x[3], all, one;
    for (int k = 0; k < 3; k++) kernel_fill(t, &x[k], k == 0 ? first : d, n, true);
    const void *in[3] = {&x[0], m->inputs > 1 ? &x[1] : NULL, m->inputs > 2 ? &x[2] : NULL};
    f((size_t)n, &all, in[0], in[1], in[2]);
    for (int i = 0; i < n; i++) {
        const void *at[3];
        for (int k = 0; k < 3; k++) at[k] = in[k] ? (const char *)in[k] + (size_t)i * size[k] : NULL;
        f(1, one.bytes + (size_t)i * out_size, at[0], at[1], at[2]);
    }
    if (!kernel_same(&all, &one, out, n))
        kernel_fail(t, "%s, set %d, %s, n = %d: an element depends on its place", m->name, level, tg_dtype_name(d), n);
    for (int k = 0; k < m->inputs; k++) {
        if (size[k] != out_size) continue;
        array over = x[k];
        const void *again[3] = {in[0], in[1], in[2]};
        again[k] = &over;
        f((size_t)n, &over, again[0], again[1], again[2]);
        if (!kernel_same(&all, &over, out, n))
            kernel_fail(t, "%s, set %d, %s, n = %d: wrong over input %d", m->name, level, tg_dtype_name(d), n, k);
    }
}

void test_kernel_micro(kernel_test *t) {
    static const int sizes[] = {0, 1, 2, 3, 7, 8, 9, 16, 31, 33, 64, 100, MOST};
    for (const kernel_micro *m = kernel_micros; m->name; m++)
        for (int level = 0; level < TG_ISA_COUNT; level++)
            for (int d = 0; d < TG_DTYPE_COUNT; d++) {
                tg_micro_fn *f = m->table->fn[level][d];
                if (level == TG_ISA_ANY && (d == TG_F32 || d == TG_F64) && !f && strcmp(m->class, "LOGIC") != 0)
                    kernel_fail(t, "%s has no loop for %s", m->name, tg_dtype_name((tg_dtype)d));
                if (!f != !m->table->fn[TG_ISA_ANY][d])
                    kernel_fail(t, "%s: set %d and the baseline differ in %s", m->name, level, tg_dtype_name((tg_dtype)d));
                if (!f || !tg__kernels_of((tg_isa_level)level)) continue;
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) check_places(t, m, f, level, (tg_dtype)d, sizes[s]);
            }
}
