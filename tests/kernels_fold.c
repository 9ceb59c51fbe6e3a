/* tests/kernels_fold.c: reductions against a plain model of the order that kernels.h states, bit for bit, in every set. */
#include "tests/kernels_basic.h"

#include <math.h>
#include <string.h>

#define MOST_COLS 300
#define MOST_LEAVES 70

typedef union number { float f32; double f64; int32_t i32; int64_t i64; uint8_t u8; } number;

static number get(const void *x, tg_dtype d, int64_t i) {
    number v = {.i64 = 0};
    memcpy(&v, (const char *)x + (size_t)i * tg_dtype_size(d), tg_dtype_size(d));
    return v;
}

static void put(void *x, tg_dtype d, int64_t i, number v) {
    memcpy((char *)x + (size_t)i * tg_dtype_size(d), &v, tg_dtype_size(d));
}

#define JOIN(T, U, member)                                                              \
    switch (fold) {                                                                     \
    case TG__SUM: a.member = (T)((U)a.member + (U)b.member); break;                     \
    case TG__PROD: a.member = (T)((U)a.member * (U)b.member); break;                    \
    case TG__MAX: a = a.member > b.member || a.member != a.member ? a : b; break;       \
    default: a = a.member < b.member || a.member != a.member ? a : b; break;            \
    }

static number join(tg__fold fold, tg_dtype d, number a, number b) {
    switch (d) {
    case TG_F32: JOIN(float, float, f32) break;
    case TG_F64: JOIN(double, double, f64) break;
    case TG_I32: JOIN(int32_t, uint32_t, i32) break;
    case TG_I64: JOIN(int64_t, uint64_t, i64) break;
    default: JOIN(uint8_t, unsigned, u8) break;
    }
    return a;
}

static number model_leaf(tg__fold fold, tg_dtype d, const void *x, int64_t n, int64_t stride) {
    number lane[TG__LANES];
    for (int64_t i = 0; i < n; i++)
        lane[i % TG__LANES] = i < TG__LANES ? get(x, d, i * stride) : join(fold, d, lane[i % TG__LANES], get(x, d, i * stride));
    for (int64_t half = TG__LANES / 2, lanes = n; half > 0; half /= 2) {
        for (int64_t l = 0; l < half && l + half < lanes; l++) lane[l] = join(fold, d, lane[l], lane[l + half]);
        lanes = lanes < half ? lanes : half;
    }
    return lane[0];
}

static number model_combine(tg__fold fold, tg_dtype d, const void *x, int64_t m) {
    number v[MOST_LEAVES];
    for (int64_t i = 0; i < m; i++) v[i] = get(x, d, i);
    for (; m > 1; m = (m + 1) / 2) {
        for (int64_t i = 0; i < m / 2; i++) v[i] = join(fold, d, v[2 * i], v[2 * i + 1]);
        if (m % 2) v[m / 2] = v[m - 1];
    }
    return v[0];
}

static const char *const fold_names[] = {"sum", "prod", "max", "min"};

typedef struct fold_case {
    tg__fold fold;
    tg_dtype d;
    int level;
    const tg__fold_fns *fns;
} fold_case;

static void check(kernel_test *t, const fold_case *c, const char *what, int64_t n, number got, number wanted) {
    if (!kernel_same(&got, &wanted, c->d, 1))
        kernel_fail(t, "%s of %s, set %d, %s, n = %lld: not the stated order", fold_names[c->fold], tg_dtype_name(c->d),
                    c->level, what, (long long)n);
}

/* A multiple of the element size past a multiple of 64: alignment must not matter. */
static void *shifted(kernel_test *t, double *memory, tg_dtype d) {
    return (char *)memory + tg_dtype_size(d) * (size_t)kernel_int(t, 0, 7);
}

static void check_leaf(kernel_test *t, const fold_case *c, int64_t n) {
    double memory[TG__FOLD_LEAF + 16];
    number got = {.i64 = 0};
    void *x = shifted(t, memory, c->d);
    kernel_fill(t, x, c->d, n, n % 3 == 0);
    c->fns->leaf(x, n, &got);
    check(t, c, "leaf", n, got, model_leaf(c->fold, c->d, x, n, 1));
}

static void check_combine(kernel_test *t, const fold_case *c, int64_t m) {
    double memory[MOST_LEAVES + 8];
    number got = {.i64 = 0};
    kernel_fill(t, memory, c->d, m, m % 3 == 0);
    const number wanted = model_combine(c->fold, c->d, memory, m);
    c->fns->combine(memory, m, &got);
    check(t, c, "combine", m, got, wanted);
}

/* A leaf of a loop's results, against the loop and then the leaf; both operands may be one array. */
static void check_pair(kernel_test *t, const fold_case *c, const tg__fold_pair *pair, int64_t n, bool same) {
    double memory[4][TG__FOLD_LEAF + 16];
    const size_t size = tg_dtype_size(c->d);
    for (int one = 0; one < 4; one += same ? 3 : 1) {
        char *x[2], *all[2];
        for (int k = 0; k < 2; k++) {
            x[k] = k && same ? x[0] : shifted(t, memory[k], c->d), all[k] = (char *)memory[2 + k];
            if (k == 0 || !same) kernel_fill(t, x[k], c->d, n, n % 3 == 0);
            for (size_t i = 0; i < (size_t)n; i++) memcpy(all[k] + i * size, x[k] + (one >> k & 1 ? 0 : i * size), size);
        }
        number got = {.i64 = 0}, wanted = {.i64 = 0};
        pair->leaf(x[0], x[1], n, one, &got);
        pair->micro((size_t)n, all[0], all[0], all[1], NULL);
        c->fns->leaf(all[0], n, &wanted);
        check(t, c, "leaf of a pair", n, got, wanted);
    }
}

static void check_pairs(kernel_test *t, const fold_case *c) {
    const bool wanted = c->fold == TG__SUM && (c->d == TG_F32 || c->d == TG_F64);
    if (wanted != (c->fns->pairs != NULL))
        kernel_fail(t, "pairs of %s of %s, set %d: there or not", fold_names[c->fold], tg_dtype_name(c->d), c->level);
    tg_micro_fn *const square = kernel_micro_find("square")->table->fn[c->level][c->d];
    for (const tg__fold_pair *pair = c->fns->pairs; pair && pair->micro; pair++) {
        for (int64_t n = 1; n <= 100; n++) check_pair(t, c, pair, n, pair->micro == square);
        for (int64_t n = 990; n <= TG__FOLD_LEAF; n += 17) check_pair(t, c, pair, n, pair->micro == square);
    }
}

static void check_columns(kernel_test *t, const fold_case *c, int64_t n, int64_t cols) {
    static double x[40 * (MOST_COLS + 8)], out[MOST_COLS], scratch[TG__LANES * MOST_COLS];
    static double many[1024 * 3];
    const int64_t row_stride = n > 40 ? 3 : cols + kernel_int(t, 0, 5);
    void *from = n > 40 ? many : x;
    kernel_fill(t, from, c->d, (n - 1) * row_stride + cols, n % 3 == 0);
    c->fns->leaf_cols(from, n, cols, row_stride, out, scratch);
    for (int64_t j = 0; j < cols; j++)
        check(t, c, "leaf_cols", n, get(out, c->d, j),
              model_leaf(c->fold, c->d, (char *)from + (size_t)j * tg_dtype_size(c->d), n, row_stride));
    if (n > MOST_LEAVES || n > 40) return;
    number column[MOST_COLS];
    for (int64_t j = 0; j < cols; j++) {
        double leaves[MOST_LEAVES];
        for (int64_t i = 0; i < n; i++) put(leaves, c->d, i, get(from, c->d, i * cols + j));
        column[j] = model_combine(c->fold, c->d, leaves, n);
    }
    c->fns->combine_cols(from, n, cols, out);
    for (int64_t j = 0; j < cols; j++) check(t, c, "combine_cols", n, get(out, c->d, j), column[j]);
}

static void check_empty(kernel_test *t, const fold_case *c) {
    number got = {.i64 = 0}, column = {.i64 = 0}, wanted = {.i64 = 0}, x = {.i64 = 0}, scratch[TG__LANES];
    const bool low = c->fold == TG__MAX;
    if (c->fold == TG__PROD) {
        if (c->d == TG_F32) wanted.f32 = 1;
        else if (c->d == TG_F64) wanted.f64 = 1;
        else wanted.i64 = 1;
    }
    if (c->fold == TG__MAX || c->fold == TG__MIN) {
        if (c->d == TG_F32) wanted.f32 = low ? -INFINITY : INFINITY;
        if (c->d == TG_F64) wanted.f64 = low ? -(double)INFINITY : (double)INFINITY;
        if (c->d == TG_I32) wanted.i32 = low ? INT32_MIN : INT32_MAX;
        if (c->d == TG_I64) wanted.i64 = low ? INT64_MIN : INT64_MAX;
        if (c->d == TG_U8 || c->d == TG_BOOL) wanted.u8 = low ? 0 : UINT8_MAX;
    }
    c->fns->leaf(&x, 0, &got);
    c->fns->leaf_cols(&x, 0, 1, 1, &column, scratch);
    check(t, c, "leaf", 0, got, wanted);
    check(t, c, "leaf_cols", 0, column, wanted);
}

static void check_case(kernel_test *t, const fold_case *c) {
    static const int64_t cols[] = {1, 2, 7, 16, 33, 130, MOST_COLS};
    check_empty(t, c);
    for (int64_t n = 1; n <= 200; n++) check_leaf(t, c, n);
    for (int64_t n = 1000; n <= TG__FOLD_LEAF; n++) check_leaf(t, c, n);
    for (int64_t m = 1; m <= MOST_LEAVES; m++) check_combine(t, c, m);
    for (size_t k = 0; k < sizeof cols / sizeof *cols; k++)
        for (int64_t n = 1; n <= 40; n += n < 4 ? 1 : 9) check_columns(t, c, n, cols[k]);
    check_pairs(t, c);
    check_columns(t, c, 32, 5);
    check_columns(t, c, 777, 3);
    check_columns(t, c, TG__FOLD_LEAF, 2);
}

void test_kernel_folds(kernel_test *t) {
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        const tg__kernels *k = tg__kernels_of((tg_isa_level)level);
        for (int fold = 0; k && fold < TG__FOLD_COUNT; fold++)
            for (int d = 0; d < TG_DTYPE_COUNT; d++) {
                const bool half = d == TG_BF16 || d == TG_F16, byte = d == TG_U8 || d == TG_BOOL;
                const bool wanted = !half && (!byte || fold == TG__MAX || fold == TG__MIN);
                const fold_case c = {(tg__fold)fold, (tg_dtype)d, level, k->fold[fold][d]};
                if (wanted != (c.fns != NULL))
                    kernel_fail(t, "%s of %s, set %d: there or not", fold_names[fold], tg_dtype_name(c.d), level);
                if (c.fns) check_case(t, &c);
            }
    }
}
