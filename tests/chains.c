/* Blocks large enough to run as chains: random elementwise programs give the same bits as op by op, for sizes with and without
 * a rest, every kind of operand, results that many read, mixed types, and sums at the end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "tests/test.h"

#define POOL 48

typedef struct chain_run {
    tg_tape *t;
    uint64_t state;
    tg_tensor x[POOL];
    int n;
} chain_run;

static uint32_t draw(chain_run *r, uint32_t n) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) % n;
}

/* Mostly a new one: then the last result is in registers. */
static tg_tensor pick(chain_run *r) {
    return draw(r, 2) ? r->x[r->n - 1] : r->x[draw(r, (uint32_t)r->n)];
}

static tg_tensor apply_any(chain_run *r, int inputs) {
    tg_tensor a = pick(r), b = pick(r), scalar = r->x[draw(r, (uint32_t)inputs)];
    switch (draw(r, 16)) {
    case 0: case 1: return tg_add(a, b);
    case 2: case 3: return tg_mul(a, b);
    case 4: case 5: return tg_sub(a, b);
    case 6: return tg_div(a, b);
    case 7: return tg_square(a);
    case 8: return tg_neg(a);
    case 9: return tg_mul(scalar, a);
    case 10: return tg_add_scalar(a, 0.25);
    case 11: return tg_sub(a, scalar);
    case 12: return tg_add(a, a);
    case 13: return tg_tanh(a);
    case 14: return tg_where(tg_gt(a, b), a, scalar);
    default: return tg_scale(tg_cast(tg_cast(a, tg_dtype_of(a) == TG_F32 ? TG_F64 : TG_F32), tg_dtype_of(a)), 0.5);
    }
}

static tg_tensor input_of(chain_run *r, tg_dtype d, tg_shape s, const double *numbers) {
    tg_tensor x = tg_input(r->t, tg_f64(numbers + draw(r, 16), s));
    return d == TG_F64 ? x : tg_cast(x, d);
}

/* Records a program of one seed: its results. */
static int record(chain_run *r, tg_dtype d, int64_t rows, int64_t cols, const double *numbers, tg_tensor *out) {
    const tg_shape full = TG_SHAPE(rows, cols);
    r->x[0] = tg_cast(tg_input(r->t, tg_f64(numbers, TG_SHAPE(1))), d);
    r->x[1] = input_of(r, d, TG_SHAPE(rows, 1), numbers);
    r->x[2] = input_of(r, d, TG_SHAPE(cols), numbers);
    r->x[3] = tg_transpose(input_of(r, d, TG_SHAPE(cols, rows), numbers));
    r->x[4] = input_of(r, d, full, numbers);
    r->x[5] = input_of(r, d, full, numbers);
    r->n = 6;
    tg_run(r->t, r->x, 6);
    while (r->n < POOL) {
        tg_tensor y = apply_any(r, 6);
        r->x[r->n++] = tg_numel(y) == rows * cols ? y : tg_add(y, tg_expand(r->x[0], full));
    }
    int n = 0;
    out[n++] = r->x[POOL - 1];
    out[n++] = r->x[6 + draw(r, POOL - 6)];
    out[n++] = draw(r, 2) ? tg_sum(r->x[POOL - 1], TG_AXES(-1), false) : tg_sum(r->x[POOL - 2], TG_ALL_AXES, false);
    out[n++] = tg_max(r->x[6 + draw(r, POOL - 6)], TG_AXES(-1), false);
    return n;
}

static bool same_bits(tg_tensor x, tg_tensor y) {
    const char *a = tg_data(x), *b = tg_data(y);
    const size_t size = tg_dtype_size(tg_dtype_of(x));
    if (!a || !b || tg_numel(x) != tg_numel(y)) return false;
    for (int64_t i = 0; i < tg_numel(x); i++, a += size, b += size) {
        const bool nans = size == 4 ? isnan(*(const float *)(const void *)a) && isnan(*(const float *)(const void *)b)
                                    : isnan(*(const double *)(const void *)a) && isnan(*(const double *)(const void *)b);
        if (memcmp(a, b, size) != 0 && !nans) return false;
    }
    return true;
}

static void one_program(uint64_t seed, tg_dtype d, int64_t rows, int64_t cols, const double *numbers) {
    tg_tensor want[4], got[4];
    chain_run plain = {.t = tg_tape_new(), .state = seed}, planned = {.t = tg_tape_new(), .state = seed};
    tg_set_eager(plain.t, true);
    tg_set_threads(planned.t, 1 + (int)(seed % 3));
    const int n = record(&plain, d, rows, cols, numbers, want);
    record(&planned, d, rows, cols, numbers, got);
    CHECK_EQ_I(tg_run(plain.t, want, n), TG_OK);
    CHECK_EQ_I(tg_run(planned.t, got, n), TG_OK);
    for (int i = 0; i < n; i++) CHECK(same_bits(want[i], got[i]), "seed %d, result %d", (int)seed, i);
    tg_tape_free(plain.t);
    tg_tape_free(planned.t);
}

TEST(chains, random_blocks_have_the_bits_of_single_ops) {
    static const int64_t sizes[][2] = {{1, 2048}, {1, 4133}, {32, 64}, {67, 31}, {5, 1024}, {3, 1500}, {2, 9000}, {129, 200},
                                         {33, 128}, {12, 2048}, {7, 640}};
    enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 26000 };
    double *numbers = malloc(MOST * sizeof *numbers);
    if (!CHECK(numbers != NULL, "out of memory")) return;
    for (int i = 0; i < MOST; i++) numbers[i] = sin(i * 1.7) * 1.5;
    for (int seed = 0; seed < 66; seed++)
        one_program((uint64_t)seed, seed % 3 ? TG_F32 : TG_F64, sizes[seed % SIZES][0], sizes[seed % SIZES][1], numbers);
    free(numbers);
}

/* Every way in which a row of C elements can be shared by a block of (A, B, C), or be part of a longer one. */
static tg_tensor rows_in_runs(tg_tape *t, int64_t c, bool chained, const double *numbers) {
    enum { A = 4, B = 5, N = 6 };
    const tg_shape shapes[N] = {TG_SHAPE(A, 1, c), TG_SHAPE(1, B, c), TG_SHAPE(A, B, 1),
                                TG_SHAPE(c),       TG_SHAPE(A, 1, 1), TG_SHAPE(A, B, 2 * c)};
    tg_tensor y = tg_input(t, tg_f64(numbers, TG_SHAPE(A, B, c)));
    for (int i = 0; i < N; i++) {
        tg_tensor x = tg_cast(tg_input(t, tg_f64(numbers + i, shapes[i])), TG_F64);
        if (i + 1 == N) x = tg_slice(x, -1, c / 2, c / 2 + c, 1);
        y = tg_add(tg_mul(y, x), x);
        if (!chained) y = tg_tanh(y);
    }
    return tg_add(y, tg_slice(tg_reshape(y, TG_SHAPE(A * B, c)), 0, 0, 1, 1));
}

TEST(chains, rows_are_read_where_they_lie) {
    static const int64_t sizes[] = {128, 384, 1024, 1100, 4096, 5000};
    enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 4 * 5 * 2 * 5000 + 8 };
    double *numbers = malloc(MOST * sizeof *numbers);
    if (!CHECK(numbers != NULL, "out of memory")) return;
    for (int i = 0; i < MOST; i++) numbers[i] = sin(i * 0.7);
    for (int i = 0; i < 4 * SIZES; i++) {
        tg_tape *plain = tg_tape_new(), *planned = tg_tape_new();
        tg_set_eager(plain, true);
        tg_set_threads(planned, 1 + i % 3);
        tg_tensor want = rows_in_runs(plain, sizes[i / 4], i % 2, numbers);
        tg_tensor got = rows_in_runs(planned, sizes[i / 4], i % 2, numbers);
        if (i / 2 % 2) want = tg_sum(want, TG_AXES(-1), false), got = tg_sum(got, TG_AXES(-1), false);
        CHECK(same_bits(want, got), "rows of %d", (int)sizes[i / 4]);
        tg_tape_free(plain);
        tg_tape_free(planned);
    }
    free(numbers);
}

/* A sum at the end of a short block takes the last op over: operands side by side, one for a run, one for all, one twice. */
static tg_tensor sum_of_pair(tg_tape *t, int form, int64_t a, int64_t b, int64_t c, tg_dtype d, const double *numbers) {
    const tg_shape shapes[] = {TG_SHAPE(a, b, c), TG_SHAPE(a, b, 1), TG_SHAPE(c), TG_SHAPE(1), TG_SHAPE(b, c)};
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    const int first = form % SHAPES, second = form / SHAPES % SHAPES;
    tg_tensor x = tg_cast(tg_input(t, tg_f64(numbers, shapes[first])), d), xs[] = {x, x};
    if (form % 11) xs[1] = tg_cast(tg_input(t, tg_f64(numbers + 5, shapes[second])), d);
    tg_run(t, xs, 2);
    if (form % 3 == 2) xs[0] = tg_tanh(tg_expand(xs[0], shapes[0]));
    tg_tensor y = form % 4 == 0   ? tg_add(xs[0], xs[1])
                  : form % 4 == 1 ? tg_mul(xs[0], xs[1])
                  : form % 4 == 2 ? tg_sub(xs[0], xs[1])
                                  : tg_square(tg_expand(xs[1], shapes[0]));
    return form % 5 ? tg_sum(tg_expand(y, shapes[0]), TG_ALL_AXES, false)
                    : tg_sum(tg_expand(y, shapes[0]), form % 2 ? TG_AXES(-1) : TG_AXES(-2, -1), false);
}

TEST(chains, sums_take_the_last_op_over) {
    static const int64_t sizes[][3] = {{3, 4, 1024}, {2, 3, 2048}, {2, 5, 1000}, {1, 2, 5120}, {2, 2, 4096}, {4, 1, 3000}};
    enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 26000, FORMS = 125 };
    double *numbers = malloc(MOST * sizeof *numbers);
    if (!CHECK(numbers != NULL, "out of memory")) return;
    for (int i = 0; i < MOST; i++) numbers[i] = sin(i * 1.3) * 1.5;
    for (int i = 0; i < SIZES * FORMS; i++) {
        const int64_t *s = sizes[i % SIZES];
        const tg_dtype d = i % 7 ? TG_F32 : TG_F64;
        tg_tape *plain = tg_tape_new(), *planned = tg_tape_new();
        tg_set_eager(plain, true);
        tg_set_threads(planned, 1 + i % 3);
        CHECK(same_bits(sum_of_pair(plain, i / SIZES, s[0], s[1], s[2], d, numbers),
                        sum_of_pair(planned, i / SIZES, s[0], s[1], s[2], d, numbers)),
              "form %d of (%d, %d, %d)", i / SIZES, (int)s[0], (int)s[1], (int)s[2]);
        tg_tape_free(plain);
        tg_tape_free(planned);
    }
    free(numbers);
}

/* Large values, kept or not, do not begin at one place of a page. */
TEST(chains, large_values_lie_apart) {
    enum { N = 1 << 17, BYTES = 4 * N, PAGE = 4096, KEPT = 4 };
    float *numbers = calloc(N, sizeof *numbers);
    tg_tape *t = tg_tape_new();
    tg_tensor y[KEPT];
    for (int step = 0; numbers && step < 2; step++) {
        tg_tape_reset(t);
        tg_tensor x = tg_input(t, tg_f32(numbers, TG_SHAPE(N)));
        for (int k = 0; k < KEPT; k++) y[k] = tg_cumsum(x = tg_cumsum(x, 0), 0);
        CHECK_EQ_I(tg_run(t, y, KEPT), TG_OK);
    }
    CHECK(tg_stats(t).pool_bytes > BYTES && tg_stats(t).pool_bytes % PAGE != 0, "%llu bytes",
          (unsigned long long)tg_stats(t).pool_bytes);
    for (int k = 1; k < KEPT; k++)
        CHECK(((uintptr_t)tg_data(y[k]) - (uintptr_t)tg_data(y[0])) % PAGE != 0, "value %d", k);
    tg_tape_free(t);
    free(numbers);
}

/* Results that are larger than caches are stored past them, aligned or not: chunks of rows, runs, in place, both types. */
TEST(chains, large_results_are_stored_past_the_caches) {
    static const int64_t sizes[][2] = {{4196, 1001}, {430, 5000}, {1, 4200001}, {4100, 1024}};
    enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 4300000 };
    double *numbers = malloc(MOST * sizeof *numbers);
    if (!CHECK(numbers != NULL, "out of memory")) return;
    for (int i = 0; i < MOST; i++) numbers[i] = (i % 4001 - 2000) / 1337.0;
    for (int i = 0; i < SIZES; i++) {
        const tg_shape s = TG_SHAPE(sizes[i][0], sizes[i][1]);
        tg_tensor out[2][4];
        tg_tape *tapes[2] = {tg_tape_new(), tg_tape_new()};
        for (int k = 0; k < 2; k++) {
            tg_set_eager(tapes[k], k == 0);
            tg_set_threads(tapes[k], 2);
            tg_tensor x = tg_borrow(tapes[k], tg_f64(numbers, s));
            tg_tensor row = tg_borrow(tapes[k], tg_f64(numbers, TG_SHAPE(s.dims[1])));
            if (i != 1) x = tg_cast(x, TG_F32), row = tg_cast(row, TG_F32);
            out[k][0] = tg_add(tg_mul(x, row), x);
            out[k][1] = tg_sub(tg_mul(out[k][0], x), row);
            out[k][2] = tg_sum(tg_mul(out[k][1], out[k][1]), TG_AXES(-1), false);
            out[k][3] = tg_neg(tg_sub(out[k][1], out[k][0])); /* nobody reads this one */
            CHECK_EQ_I(tg_run(tapes[k], out[k], 4), TG_OK);
        }
        for (int k = 0; k < 4; k++) CHECK(same_bits(out[0][k], out[1][k]), "case %d, result %d", i, k);
        for (int k = 0; k < 2; k++) tg_tape_free(tapes[k]);
    }
    free(numbers);
}
