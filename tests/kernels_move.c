/* tests/kernels_move.c: strided copies against a plain loop over indices; random numbers; softmax rows. */
#include "kernels/math.h"
#include "tests/kernels_basic.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ copies */

#define ROOM 40000

static int64_t offset_of(const tg_shape *s, const int64_t *strides, int64_t at) {
    int64_t offset = 0;
    for (int a = s->rank - 1; a >= 0; at /= s->dims[a--]) offset += at % s->dims[a] * strides[a];
    return offset;
}

static int64_t random_shape(kernel_test *t, tg_shape *s) {
    int64_t numel = 1;
    s->rank = (int32_t)kernel_int(t, 0, TG_MAX_RANK);
    const bool flat = kernel_int(t, 0, 3) == 0;
    if (flat) s->rank = (int32_t)kernel_int(t, 1, 3);
    for (int a = 0; a < s->rank; a++) numel *= s->dims[a] = kernel_int(t, 1, flat ? 30 : s->rank > 4 ? 3 : 8);
    return numel;
}

/* Strides of distinct places: the axes in random order, some with gaps, some reversed. Returns the offset of element 0. */
static int64_t random_strides(kernel_test *t, const tg_shape *s, int64_t *strides) {
    int order[TG_MAX_RANK];
    int64_t next = 1, base = 0;
    for (int a = 0; a < s->rank; a++) order[a] = s->rank - 1 - a;
    if (kernel_int(t, 0, 2))
        for (int a = s->rank - 1; a > 0; a--) {
            const int b = (int)kernel_int(t, 0, a), swap = order[a];
            order[a] = order[b], order[b] = swap;
        }
    for (int a = 0; a < s->rank; a++) {
        const int axis = order[a];
        if (next * s->dims[axis] < ROOM / 4 && kernel_int(t, 0, 4) == 0) next *= 2;
        strides[axis] = next;
        next *= s->dims[axis];
        if (kernel_int(t, 0, 5) == 0) {
            base += (s->dims[axis] - 1) * strides[axis];
            strides[axis] = -strides[axis];
        }
    }
    return next < ROOM ? base : -1;
}

static void check_copy(kernel_test *t, size_t size) {
    static uint64_t memory[ROOM], packed[ROOM], back[ROOM];
    tg_shape s;
    int64_t strides[TG_MAX_RANK];
    const int64_t numel = random_shape(t, &s), base = random_strides(t, &s, strides);
    if (base < 0 || numel > 20000) return;
    const int64_t begin = kernel_int(t, 0, numel - 1), rest = numel - begin;
    const int64_t count = kernel_int(t, 0, 1) ? kernel_int(t, 0, rest) : rest;
    uint8_t *from = (uint8_t *)memory, *to = (uint8_t *)packed, *again = (uint8_t *)back;
    for (size_t i = 0; i < ROOM * size; i++) from[i] = (uint8_t)kernel_random(t);
    bool wrong_in = false, wrong_out = false;
    memset(back, 0xAA, sizeof back);
    tg__copy_in(packed, from + (size_t)base * size, size, &s, strides, begin, count);
    tg__copy_out(again + (size_t)base * size, packed, size, &s, strides, begin, count);
    for (int64_t i = 0; i < count; i++) {
        const size_t at = (size_t)(base + offset_of(&s, strides, begin + i)) * size;
        if (memcmp(to + (size_t)i * size, from + at, size) != 0) wrong_in = true;
        if (memcmp(again + at, from + at, size) != 0) wrong_out = true;
        memset(again + at, 0xAA, size);
    }
    for (size_t i = 0; i < ROOM * size; i++)
        if (again[i] != 0xAA) wrong_out = true;
    if (wrong_in) kernel_fail(t, "copy_in: wrong, rank %d", (int)s.rank);
    if (wrong_out) kernel_fail(t, "copy_out: wrong, or wrote outside, rank %d", (int)s.rank);
}

static void check_broadcast(kernel_test *t, size_t size) {
    static uint64_t memory[ROOM], packed[ROOM];
    tg_shape s;
    int64_t strides[TG_MAX_RANK], numel = random_shape(t, &s);
    const int64_t base = random_strides(t, &s, strides);
    if (base < 0 || numel > 20000) return;
    for (int a = 0; a < s.rank; a++)
        if (strides[a] > 0 && kernel_int(t, 0, 1)) strides[a] = 0;
    const int64_t begin = kernel_int(t, 0, numel - 1), count = kernel_int(t, 0, numel - begin);
    const uint8_t *from = (const uint8_t *)memory + (size_t)base * size, *to = (const uint8_t *)packed;
    for (size_t i = 0; i < ROOM; i++) memory[i] = kernel_random(t);
    tg__copy_in(packed, from, size, &s, strides, begin, count);
    for (int64_t i = 0; i < count; i++)
        if (memcmp(to + (size_t)i * size, from + offset_of(&s, strides, begin + i) * (int64_t)size, size) != 0) {
            kernel_fail(t, "copy_in: wrong with stride 0, rank %d", (int)s.rank);
            return;
        }
}

/* A transpose of rows x cols in and out, with gaps between the lines of the other side; `shift` elements past an alignment. */
static void check_transpose(kernel_test *t, size_t size, int64_t rows, int64_t cols, int64_t gap, int64_t shift) {
    const tg_shape s = TG_SHAPE(rows, cols);
    const int64_t pitch = rows + gap, strides[] = {1, pitch};
    const size_t bytes = ((size_t)(pitch * cols + shift) * size + 127) / 64 * 64;
    uint8_t *from = aligned_alloc(64, bytes), *packed = aligned_alloc(64, bytes), *back = calloc(bytes, 1);
    if (!from || !packed || !back) kernel_fail(t, "out of memory");
    for (size_t i = 0; from && i < bytes; i++) from[i] = (uint8_t)(i * 0x9E3779B1u >> 13);
    if (from && packed && back) {
        uint8_t *to = packed + (size_t)shift * size;
        bool wrong = false;
        tg__copy_in(to, from, size, &s, strides, 0, rows * cols);
        tg__copy_out(back, to, size, &s, strides, 0, rows * cols);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++) {
                const uint8_t *at = to + (size_t)(r * cols + c) * size;
                const size_t there = (size_t)(c * pitch + r) * size;
                wrong |= memcmp(at, from + there, size) != 0 || memcmp(back + there, at, size) != 0;
            }
        if (wrong) kernel_fail(t, "transpose of %d x %d, %d bytes: wrong", (int)rows, (int)cols, (int)size);
    }
    free(from);
    free(packed);
    free(back);
}

static void check_transposes(kernel_test *t, size_t size) {
    static const int64_t sides[] = {4, 5, 31, 64, 127, 130, 259};
    enum { SIDES = sizeof sides / sizeof *sides };
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < SIDES; k++) check_transpose(t, size, sides[i], sides[k], (i + k) % 3, (i * k) % 2);
    check_transpose(t, size, 2304, (int64_t)(8192 / size), 0, 0); /* larger than the caches: lines are written past them */
    check_transpose(t, size, 2304, (int64_t)(8192 / size), 16, 1);
}

void test_kernel_copies(kernel_test *t) {
    static const size_t sizes[] = {1, 2, 4, 8};
    for (int i = 0; i < 500; i++) {
        check_copy(t, sizes[i % 4]);
        check_broadcast(t, sizes[i % 4]);
    }
    for (int i = 0; i < 4; i++) check_transposes(t, sizes[i]);
}

/* ------------------------------------------------------------------ random numbers */

static void plain_philox(uint32_t x[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const uint64_t p = UINT64_C(0xD2511F53) * x[0], q = UINT64_C(0xCD9E8D57) * x[2];
        const uint32_t y[4] = {(uint32_t)(q >> 32) ^ x[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ x[3] ^ k1, (uint32_t)p};
        memcpy(x, y, sizeof y);
    }
}

/* The published test vectors of Philox4x32-10 (Random123, kat_vectors), and the library against the plain code. */
static void check_philox(kernel_test *t) {
    static const struct { uint32_t counter[4], key[2], result[4]; } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t x[4];
        memcpy(x, known[i].counter, sizeof x);
        plain_philox(x, known[i].key[0], known[i].key[1]);
        if (memcmp(x, known[i].result, sizeof x) != 0) kernel_fail(t, "philox: the model misses test vector %d", (int)i);
    }
    const uint64_t data[2] = {UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e)}, block = UINT64_C(0x05a308d3243f6a88);
    for (uint64_t b = block; b < block + 100; b++) {
        uint32_t x[4] = {(uint32_t)b, (uint32_t)(b >> 32), (uint32_t)data[1], (uint32_t)(data[1] >> 32)};
        float u[4];
        double v[2];
        plain_philox(x, (uint32_t)data[0], (uint32_t)(data[0] >> 32));
        tg__uniform_f32(4, u, data, 4 * b);
        tg__uniform_f64(2, v, data, 2 * b);
        for (int k = 0; k < 4; k++)
            if (u[k] != (float)(x[k] >> 8) / 16777216.0f) kernel_fail(t, "uniform f32: not philox");
        for (int k = 0; k < 2; k++)
            if (v[k] != ((double)(x[2 * k] >> 5) * 67108864.0 + (x[2 * k + 1] >> 6)) / 9007199254740992.0)
                kernel_fail(t, "uniform f64: not philox");
    }
}

#define DRAWS 200000

typedef struct source {
    const char *name;
    tg_source_fn *fn;
    tg_dtype d;
    double mean, variance, low, high;
} source;

static const source sources[] = {
    {"uniform", tg__uniform_f32, TG_F32, 0.5, 1.0 / 12, 0, 1},
    {"uniform", tg__uniform_f64, TG_F64, 0.5, 1.0 / 12, 0, 1},
    {"normal", tg__normal_f32, TG_F32, 0, 1, -7, 7},
    {"normal", tg__normal_f64, TG_F64, 0, 1, -9, 9},
};

static double number_at(const void *x, tg_dtype d, size_t i) {
    return d == TG_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void check_moments(kernel_test *t, const source *s, const void *x) {
    double sum = 0, square = 0, fourth = 0, next = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        const double v = number_at(x, s->d, i), c = v - s->mean;
        if (!(v >= s->low && v <= s->high) || (s->high == 1 && v == 1)) kernel_fail(t, "%s: %g is out of range", s->name, v);
        sum += c, square += c * c, fourth += c * c * c * c;
        if (i) next += c * (number_at(x, s->d, i - 1) - s->mean);
    }
    const double tolerance = 5 / sqrt((double)DRAWS), v = s->variance;
    const double kurtosis = s->high == 1 ? 1.8 : 3.0;
    if (fabs(sum / DRAWS) > tolerance * sqrt(v)) kernel_fail(t, "%s: mean is off by %g", s->name, sum / DRAWS);
    if (fabs(square / DRAWS / v - 1) > 2 * tolerance) kernel_fail(t, "%s: variance is %g", s->name, square / DRAWS);
    if (fabs(fourth / DRAWS / v / v - kurtosis) > 10 * tolerance)
        kernel_fail(t, "%s: fourth moment is %g", s->name, fourth / DRAWS);
    if (fabs(next / DRAWS / v) > tolerance) kernel_fail(t, "%s: neighbours correlate, %g", s->name, next / DRAWS);
}

static void check_pieces(kernel_test *t, const source *s, const uint64_t *data, const void *x) {
    double piece[600];
    for (int i = 0; i < 300; i++) {
        const size_t first = (size_t)kernel_int(t, 0, 5000), n = (size_t)kernel_int(t, 0, i % 2 ? 7 : 600);
        s->fn(n, piece, data, first);
        if (!kernel_same(piece, (const char *)x + first * tg_dtype_size(s->d), s->d, (int64_t)n))
            kernel_fail(t, "%s: numbers depend on where a piece begins", s->name);
    }
}

void test_kernel_random(kernel_test *t) {
    static double x[DRAWS], other[DRAWS];
    check_philox(t);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const uint64_t data[2] = {42, 7}, next_stream[2] = {42, 8}, next_seed[2] = {43, 7};
        sources[i].fn(DRAWS, x, data, 0);
        check_moments(t, &sources[i], x);
        check_pieces(t, &sources[i], data, x);
        sources[i].fn(DRAWS, other, next_stream, 0);
        if (kernel_same(x, other, sources[i].d, 1)) kernel_fail(t, "%s: two streams are one", sources[i].name);
        sources[i].fn(DRAWS, other, next_seed, 0);
        if (kernel_same(x, other, sources[i].d, 1)) kernel_fail(t, "%s: two seeds are one", sources[i].name);
    }
}

/* ------------------------------------------------------------------ softmax */

#define MOST_ROW 5000

static void check_near(kernel_test *t, const char *what, int64_t n, double got, double wanted, double tolerance) {
    const bool good = isinf(wanted) ? got == wanted : fabs(got - wanted) <= tolerance;
    if (!good) kernel_fail(t, "%s, n = %lld: %g, not %g", what, (long long)n, got, wanted);
}

static void check_row(kernel_test *t, const tg__kernels *k, const double *x, int64_t n) {
    static float x32[MOST_ROW], soft32[MOST_ROW], log32[MOST_ROW];
    static double soft64[MOST_ROW], log64[MOST_ROW];
    long double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x32[i] = log32[i] = (float)x[i];
        log64[i] = x[i];
        most = x[i] > most ? x[i] : most;
    }
    for (int64_t i = 0; i < n; i++) sum += expl(x[i] - most);
    k->softmax_f32(x32, soft32, 1, n, false);
    k->softmax_f64(x, soft64, 1, n, false);
    k->log_softmax_f32(log32, log32, 1, n, false);
    k->log_softmax_f64(log64, log64, 1, n, false);
    for (int64_t i = 0; i < n; i++) {
        const double soft = (double)(expl(x[i] - most) / sum), log_soft = (double)(x[i] - most - logl(sum));
        check_near(t, "softmax f32", n, (double)soft32[i], soft, 1e-6 * soft + 1e-38);
        check_near(t, "softmax f64", n, soft64[i], soft, 1e-14 * soft + 1e-307);
        check_near(t, "log_softmax f32", n, (double)log32[i], log_soft, 4e-6 * (1 + fabs(log_soft)));
        check_near(t, "log_softmax f64", n, log64[i], log_soft, 1e-14 * (1 + fabs(log_soft)));
    }
}

/* From any y and g. */
static void check_row_grad(kernel_test *t, const tg__kernels *k, const double *y, int64_t n) {
    static float y32[MOST_ROW], g32[MOST_ROW], soft32[MOST_ROW], log32[MOST_ROW];
    static double g[MOST_ROW], soft64[MOST_ROW], log64[MOST_ROW];
    long double dot = 0, sum = 0;
    double size = 0;
    for (int64_t i = 0; i < n; i++) {
        y32[i] = (float)y[i];
        g[i] = (double)(g32[i] = (float)kernel_double(t, -1, 1));
        dot += (long double)y[i] * g[i];
        sum += g[i];
        size += fabs(y[i] * g[i]) + fabs(g[i]);
    }
    k->softmax_grad_f32(y32, g32, soft32, 1, n, false);
    k->softmax_grad_f64(y, g, soft64, 1, n, false);
    k->log_softmax_grad_f32(y32, g32, log32, 1, n, false);
    k->log_softmax_grad_f64(y, g, log64, 1, n, false);
    for (int64_t i = 0; i < n; i++) {
        const double soft = (double)(y[i] * (g[i] - dot)), log_soft = (double)(g[i] - expl(y[i]) * sum), e = exp(y[i]);
        check_near(t, "softmax_grad f32", n, (double)soft32[i], soft, 1e-6 * (1 + fabs(y[i])) * (1 + size));
        check_near(t, "softmax_grad f64", n, soft64[i], soft, 1e-14 * (1 + fabs(y[i])) * (1 + size));
        check_near(t, "log_softmax_grad f32", n, (double)log32[i], log_soft, 1e-6 * (1 + e) * (1 + size));
        check_near(t, "log_softmax_grad f64", n, log64[i], log_soft, 1e-14 * (1 + e) * (1 + size));
    }
}

/* Results stored past the cache are the same bits, wherever rows begin. */
#define PAST_ROWS 3
static void check_past(kernel_test *t, const tg__kernels *k, const double *x, int64_t n) {
    static float a[PAST_ROWS * MOST_ROW + 16], y[2][PAST_ROWS * MOST_ROW + 16];
    for (int64_t i = 0; i < PAST_ROWS * n; i++) a[i] = (float)x[i % n];
    for (int shift = 0; shift < 2; shift++) {
        for (int call = 0; call < 4; call++) {
            for (int past = 0; past < 2; past++) {
                float *out = y[past] + (past ? shift : 0);
                if (call == 0) k->softmax_f32(a, out, PAST_ROWS, n, past);
                if (call == 1) k->log_softmax_f32(a, out, PAST_ROWS, n, past);
                if (call == 2) k->softmax_grad_f32(a, a, out, PAST_ROWS, n, past);
                if (call == 3) k->log_softmax_grad_f32(a, a, out, PAST_ROWS, n, past);
            }
            if (memcmp(y[0], y[1] + shift, (size_t)(PAST_ROWS * n) * sizeof **y) != 0)
                kernel_fail(t, "rows of %lld stored past the cache differ, call %d", (long long)n, call);
        }
    }
}

static void check_norm_past(kernel_test *t, const tg__kernels *k, const double *x, int64_t n) {
    static float a[PAST_ROWS * MOST_ROW], y[2][PAST_ROWS * MOST_ROW + 16], sums[2][2][MOST_ROW];
    for (int64_t i = 0; i < PAST_ROWS * n; i++) a[i] = (float)x[i % n] + (float)(i / n);
    for (int call = 0; call < 4; call++) {
        memset(sums, 0, sizeof sums);
        for (int past = 0; past < 2; past++) {
            tg__row_norm r = {.x = a, .g = a, .w = call % 2 ? a : NULL, .y = y[past], .n = n, .epsilon = 1e-5, .past = past};
            r.center = true;
            if (call < 2) k->row_norm[0](&r, 0, PAST_ROWS);
            else k->row_norm_grad[0](&r, 0, PAST_ROWS, sums[past][0], sums[past][1]);
        }
        if (memcmp(y[0], y[1], (size_t)(PAST_ROWS * n) * sizeof **y) != 0 || memcmp(sums[0], sums[1], sizeof *sums) != 0)
            kernel_fail(t, "normalised rows of %lld stored past the cache differ, call %d", (long long)n, call);
    }
}

static void check_edges(kernel_test *t, const tg__kernels *k) {
    float row[3] = {-INFINITY, -INFINITY, -INFINITY}, out[6], two[6] = {1, 2, 3, 1, 2, 3};
    k->softmax_f32(row, out, 1, 3, false);
    if (!isnan(out[0]) || !isnan(out[2])) kernel_fail(t, "softmax of -inf throughout is %g", (double)out[0]);
    k->softmax_f32(two, two, 2, 3, false);
    if (memcmp(two, two + 3, 3 * sizeof *two) != 0) kernel_fail(t, "softmax: equal rows differ");
    k->softmax_f32(two, out, 5, 0, false);
}

void test_kernel_rows(kernel_test *t) {
    static double x[MOST_ROW];
    static const int64_t sizes[] = {1, 2, 3, 10, 31, 33, 64, 1000, 1024, 1025, 3000, MOST_ROW};
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        const tg__kernels *k = tg__kernels_of((tg_isa_level)level);
        if (!k) continue;
        check_edges(t, k);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int repeat = 0; repeat < 4; repeat++) {
                const double shift = repeat == 1 ? 500 : 0;
                for (int64_t i = 0; i < sizes[s]; i++) x[i] = (double)(float)(shift + kernel_double(t, -8, 8));
                if (repeat == 2 && sizes[s] > 1) x[sizes[s] / 2] = -(double)INFINITY;
                check_row(t, k, x, sizes[s]);
                if (repeat == 0) check_row_grad(t, k, x, sizes[s]);
                if (repeat == 0) check_past(t, k, x, sizes[s]);
                if (repeat == 0) check_norm_past(t, k, x, sizes[s]);
            }
    }
}
