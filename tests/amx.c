/* tests/amx.c: f32 products on tiles, emulated here, and on the CPU's own tiles where it has them. */
#include "kernels/amx.h"
#include "kernels/gemm.h"
#include "tests/test.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const tg__matmul_mode amx = {&tg__tiles_emulated, 3, 1}, bf16 = {&tg__tiles_emulated, 1, 1};

/* ------------------------------------------------------------------ products to test */

static uint64_t state;

static double uniform(void) { /* [0, 1) */
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / 16777216;
}

static double normal(void) { /* nearly */
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += uniform();
    return sum;
}

typedef struct product { /* canonical: a (m, K), b (K, n), c (m, n) */
    int64_t m, n, k;
    int pairs;
    float *a, *b, *c;
} product;

static product product_new(int64_t m, int64_t n, int64_t k, int pairs, double (*number)(void)) {
    int64_t K = k * pairs;
    product q = {m, n, k, pairs, malloc(sizeof(float) * (size_t)(m * K)), malloc(sizeof(float) * (size_t)(K * n)),
                 malloc(sizeof(float) * (size_t)(m * n))};
    for (int64_t i = 0; q.a && i < m * K; i++) q.a[i] = (float)number();
    for (int64_t i = 0; q.b && i < K * n; i++) q.b[i] = (float)number();
    return q;
}

static void product_free(product *q) { free(q->a), free(q->b), free(q->c); }

/* As rows and columns lie: by rows, by columns, or with gaps, backwards. */
typedef enum layout { BY_ROWS, BY_COLUMNS, GAPS, LAYOUTS } layout;

typedef struct placed {
    float *memory[2];
    const void *start[2];
    int64_t rs, cs;
} placed;

static placed place(const float *from, int pairs, int64_t rows, int64_t cols, int64_t rs, int64_t cs, int64_t step, layout l) {
    placed p = {.rs = l == BY_ROWS ? cols : l == BY_COLUMNS ? 1 : -2 * cols, .cs = l == BY_COLUMNS ? rows : l == GAPS ? 2 : 1};
    for (int i = 0; i < pairs; i++) {
        p.memory[i] = calloc((size_t)(2 * rows * cols), sizeof(float));
        float *start = p.memory[i] + (l == GAPS ? 2 * (rows - 1) * cols : 0);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t c = 0; c < cols; c++) start[r * p.rs + c * p.cs] = from[i * step + r * rs + c * cs];
        }
        p.start[i] = start;
    }
    return p;
}

static void multiply(const product *q, layout la, layout lb, int threads, const tg__matmul_mode *mode) {
    int64_t K = q->k * q->pairs;
    placed a = place(q->a, q->pairs, q->m, q->k, K, 1, q->k, la);
    placed b = place(q->b, q->pairs, q->k, q->n, q->n, 1, q->k * q->n, lb);
    tg__gemm g = {.m = q->m, .n = q->n, .k = q->k, .pairs = q->pairs, .batch = 1, .a = a.start, .b = b.start, .a_rs = a.rs,
                  .a_cs = a.cs, .b_rs = b.rs, .b_cs = b.cs, .c_rs = q->n, .c = q->c, .threads = threads};
    size_t split = mode ? tg__gemm_split_scratch(q->m, q->n, K, mode->parts, threads)
                        : tg__gemm_scratch(TG_F32, q->m, q->n, q->k, q->pairs, 1, threads);
    char *memory = aligned_alloc(64, (split + 127) / 64 * 64);
    const uint32_t nan = 0x7fc00000u; /* memory that is used before it is written shows */
    for (size_t i = 0; i < split; i += sizeof nan) memcpy(memory + i, &nan, sizeof nan);
    memset(memory + split, 0x5a, 64 - split % 64);
    g.scratch = memory;
    for (int64_t i = 0; i < q->m * q->n; i++) q->c[i] = NAN;
    if (mode) tg__gemm_split_any(&g, mode);
    else tg__gemm_f32_any(&g);
    CHECK(memory[split] == 0x5a, "wrote past the scratch memory");
    free(memory);
    for (int i = 0; i < q->pairs; i++) free(a.memory[i]), free(b.memory[i]);
}

/* Root of the mean square of the error, relative to |a||b|, and the largest. */
typedef struct errors {
    double rms, most;
} errors;

static errors errors_of(const product *q) {
    int64_t K = q->k * q->pairs;
    errors e = {0, 0};
    for (int64_t i = 0; i < q->m; i++) {
        for (int64_t j = 0; j < q->n; j++) {
            double exact = 0, magnitude = 0;
            for (int64_t t = 0; t < K; t++) {
                double x = (double)q->a[i * K + t] * (double)q->b[t * q->n + j];
                exact += x, magnitude += fabs(x);
            }
            double error = fabs((double)q->c[i * q->n + j] - exact) / (magnitude > 0 ? magnitude : 1);
            e.rms += error * error;
            e.most = error > e.most || isnan(error) ? error : e.most;
        }
    }
    e.rms = sqrt(e.rms / (double)(q->m * q->n));
    return e;
}

/* ------------------------------------------------------------------ tests */

static uint32_t pair_of(float low, float high) {
    uint32_t l, h;
    memcpy(&l, &low, 4), memcpy(&h, &high, 4);
    return l >> 16 | (h & 0xffff0000u);
}

/* One step of one part: row 0 of A against column 0 of B is the sum that TDPBF16PS defines. */
static float tile_sum(const float *a, const float *b) {
    static uint32_t left[TG__PART], right[TG__PART];
    static float c[TG__PANEL * TG__PANEL];
    memset(left, 0, sizeof left), memset(right, 0, sizeof right);
    for (int r = 0; r < 16; r++) left[r] = pair_of(a[2 * r], a[2 * r + 1]), right[16 * r] = pair_of(b[2 * r], b[2 * r + 1]);
    unsigned mode = tg__denormals_flush();
    tg__tiles_emulated.product[1](left, right, 1, c);
    tg__denormals_restore(mode);
    return c[0];
}

TEST(amx, an_emulated_tile_rounds_as_documented) {
    float a[32] = {0}, b[32] = {0};
    for (int i = 0; i < 32; i++) a[i] = (float)(i - 9), b[i] = (float)(3 * i + 1);
    double sum = 0;
    for (int i = 0; i < 32; i++) sum += (double)a[i] * (double)b[i];
    CHECK((double)tile_sum(a, b) == sum, "whole numbers: %g", (double)tile_sum(a, b));

    memset(a, 0, sizeof a); /* even and odd places are summed apart: 2^24 + 1 rounds to even, 1 + 1 does not vanish */
    for (int i = 0; i < 32; i++) b[i] = 1;
    a[0] = 0x1p24f, a[2] = 1, a[4] = 1;
    CHECK(tile_sum(a, b) == 0x1p24f, "even places: %a", (double)tile_sum(a, b));
    a[2] = a[4] = 0, a[1] = a[3] = 1;
    CHECK(tile_sum(a, b) == 0x1p24f + 2, "odd places: %a", (double)tile_sum(a, b));

    memset(a, 0, sizeof a);
    a[0] = 0x1p-127f, b[0] = 0x1p100f;
    CHECK(tile_sum(a, b) == 0, "a denormal operand counts as zero");
    a[0] = 0x1p-64f, b[0] = 0x1p-64f;
    CHECK(tile_sum(a, b) == 0, "a denormal result becomes zero");
    a[0] = b[0] = 0x1p-60f, a[2] = b[2] = 0x1p-64f;
    CHECK(tile_sum(a, b) == 0x1p-120f + 0x1p-128f, "a product is not rounded before it is added");
}

TEST(amx, every_layout_gives_the_same_bits) {
    static const int64_t shapes[][4] = {{1, 1, 1, 1}, {33, 31, 70, 1}, {150, 40, 530, 1}, {64, 129, 300, 2}, {5, 1100, 40, 1}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        state = s + 1;
        product q = product_new(shapes[s][0], shapes[s][1], shapes[s][2], (int)shapes[s][3], normal);
        size_t bytes = sizeof(float) * (size_t)(q.m * q.n);
        float *first = malloc(bytes);
        multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
        memcpy(first, q.c, bytes);
        errors e = errors_of(&q);
        CHECK(e.most < 4e-7, "shape %d: error %g", (int)s, e.most);
        for (int l = 1; l < LAYOUTS * LAYOUTS; l++) {
            multiply(&q, (layout)(l / LAYOUTS), (layout)(l % LAYOUTS), 1 + l % 4, &amx);
            CHECK(!memcmp(first, q.c, bytes), "shape %d, layouts %d, %d threads", (int)s, l, 1 + l % 4);
        }
        free(first);
        product_free(&q);
    }
}

TEST(amx, any_number_of_threads_gives_the_same_bits) {
    state = 7;
    product q = product_new(200, 170, 600, 1, normal);
    size_t bytes = sizeof(float) * (size_t)(q.m * q.n);
    float *first = malloc(bytes);
    multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
    memcpy(first, q.c, bytes);
    for (int threads = 2; threads <= 16; threads += threads < 3 ? 1 : 5) {
        multiply(&q, BY_ROWS, BY_ROWS, threads, &amx);
        CHECK(!memcmp(first, q.c, bytes), "%d threads", threads);
    }
    free(first);
    product_free(&q);
}

TEST(amx, the_error_is_below_that_of_f32_products) {
    double (*const numbers[])(void) = {normal, uniform};
    static const int64_t depths[] = {64, 256, 1024, 2048};
    for (int kind = 0; kind < 2; kind++) {
        for (int d = 0; d < 4; d++) {
            state = 11;
            product q = product_new(64, 64, depths[d], 1, numbers[kind]);
            multiply(&q, BY_ROWS, BY_ROWS, 2, NULL);
            errors plain = errors_of(&q);
            multiply(&q, BY_ROWS, BY_ROWS, 2, &amx);
            errors split = errors_of(&q);
            CHECK(split.rms <= plain.rms, "numbers %d, K %d: rms %g, f32 %g", kind, (int)depths[d], split.rms, plain.rms);
            CHECK(split.most <= 1.5 * plain.most, "numbers %d, K %d: most %g", kind, (int)depths[d], split.most);
            multiply(&q, BY_ROWS, BY_ROWS, 2, &bf16);
            errors one = errors_of(&q);
            CHECK(one.rms > 1e-5 && one.rms < 2e-3, "one part, numbers %d, K %d: rms %g", kind, (int)depths[d], one.rms);
            product_free(&q);
        }
    }
}

/* Rows of A by 2^row, columns of B by 2^col: far from where parts or products of unscaled numbers would overflow or vanish. */
TEST(amx, no_range_of_finite_numbers_is_lost) {
    static const int scales[][2] = {{100, -100}, {-110, 20}, {-60, -50}, {110, -118}, {55, 55}, {-118, 110}, {0, 0}};
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        state = s + 5;
        product q = product_new(40, 40, 96, 1, normal);
        for (int64_t i = 0; i < q.m * q.k; i++)
            q.a[i] = ldexpf(q.a[i] + copysignf(1, q.a[i]), i / q.k % 2 ? scales[s][0] : 0);
        for (int64_t i = 0; i < q.k * q.n; i++)
            q.b[i] = ldexpf(q.b[i] + copysignf(1, q.b[i]), i % q.n % 2 ? scales[s][1] : 0);
        multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
        errors e = errors_of(&q);
        CHECK(e.most < 4e-7, "scales 2^%d, 2^%d: error %g", scales[s][0], scales[s][1], e.most);
        product_free(&q);
    }
}

TEST(amx, a_row_of_mixed_sizes_keeps_its_small_numbers) {
    state = 3;
    product q = product_new(32, 32, 64, 1, normal);
    for (int64_t i = 0; i < q.m * q.k; i++) q.a[i] = ldexpf(q.a[i], i % q.k % 2 ? 100 : -40);
    for (int64_t i = 0; i < q.k * q.n; i++) q.b[i] = i / q.n % 2 ? 0 : q.b[i]; /* only the small ones count */
    multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
    errors e = errors_of(&q);
    CHECK(e.most < 4e-7, "error %g", e.most);
    product_free(&q);
}

TEST(amx, numbers_that_are_not_finite_stay_in_their_rows_and_columns) {
    static const float wild[] = {INFINITY, -INFINITY, NAN};
    for (int w = 0; w < 3; w++) {
        state = 9;
        product q = product_new(70, 50, 600, 1, normal);
        size_t bytes = sizeof(float) * (size_t)(q.m * q.n);
        float *clean = malloc(bytes), *plain = malloc(bytes);
        multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
        memcpy(clean, q.c, bytes);
        q.a[33 * q.k + 20] = q.a[34 * q.k + 599] = wild[w];
        q.b[550 * q.n + 49] = wild[w];
        multiply(&q, BY_ROWS, BY_ROWS, 1, NULL);
        memcpy(plain, q.c, bytes);
        for (int threads = 1; threads < 4; threads++) {
            multiply(&q, BY_ROWS, BY_COLUMNS, threads, &amx);
            for (int64_t i = 0; i < q.m * q.n; i++) {
                bool touched = i / q.n == 33 || i / q.n == 34 || i % q.n == 49, nan = isnan(plain[i]);
                float want = touched ? plain[i] : clean[i];
                CHECK(touched && nan ? isnan(q.c[i]) : !memcmp(&q.c[i], &want, 4), "%g: element (%d, %d) is %g, not %g",
                      (double)wild[w], (int)(i / q.n), (int)(i % q.n), (double)q.c[i], (double)want);
            }
        }
        free(clean), free(plain);
        product_free(&q);
    }
}

TEST(amx, zeros_and_denormals_give_zeros) {
    state = 2;
    product q = product_new(33, 33, 33, 1, normal);
    for (int64_t i = 0; i < q.m * q.k; i++) q.a[i] = i % 2 ? 0 : 0x1p-130f;
    multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
    for (int64_t i = 0; i < q.m * q.n; i++) CHECK(q.c[i] == 0, "element %d is %g", (int)i, (double)q.c[i]);
    product_free(&q);
}

TEST(amx, each_of_a_batch_is_the_product_alone) {
    enum { BATCH = 19, M = 20, N = 37, K = 45 };
    static float a[BATCH * M * K], b[K * N], c[BATCH * M * N];
    static int64_t a_off[BATCH], c_off[BATCH];
    state = 4;
    product q = product_new(M, N, K, 1, normal);
    memcpy(b, q.b, sizeof b);
    for (int i = 0; i < BATCH * M * K; i++) a[i] = (float)normal();
    for (int e = 0; e < BATCH; e++) a_off[e] = (BATCH - 1 - e) * M * K, c_off[e] = (e + 5) % BATCH * M * N;
    tg__gemm g = {.m = M, .n = N, .k = K, .pairs = 1, .batch = BATCH, .a = (const void *const[]){a},
                  .b = (const void *const[]){b}, .a_rs = K, .a_cs = 1, .b_rs = N, .b_cs = 1, .c_rs = N, .a_off = a_off,
                  .c_off = c_off, .c = c, .threads = 3};
    g.scratch = aligned_alloc(64, (tg__gemm_split_scratch(M, N, K, 3, 3) + 63) / 64 * 64);
    tg__gemm_split_any(&g, &amx);
    for (int e = 0; e < BATCH; e++) {
        memcpy(q.a, a + a_off[e], sizeof(float) * M * K);
        multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
        CHECK(!memcmp(q.c, c + c_off[e], sizeof(float) * M * N), "element %d", e);
    }
    free(g.scratch);
    product_free(&q);
}

TEST(amx, the_mode_is_what_the_environment_asks_for) {
    const tg__tiles *cpu = tg__tiles_of_cpu();
    CHECK(!tg__matmul_mode_named("f32").tiles, "f32 uses tiles");
    CHECK(!tg__matmul_mode_named("nonsense").tiles, "an unknown mode uses tiles");
    CHECK(tg__matmul_mode_named("amx").tiles == cpu, "amx is not that of the CPU");
    CHECK(tg__matmul_mode_named("bf16").tiles == cpu, "bf16 is not that of the CPU");
    CHECK(!cpu || (tg__matmul_mode_named("amx").parts == 3 && tg__matmul_mode_named("bf16").parts == 1), "parts");
    CHECK(tg__matmul_mode_named("amx-emulated").tiles == &tg__tiles_emulated, "amx-emulated");
    CHECK(tg__matmul_mode_named("bf16-emulated").parts == 1, "bf16-emulated");
    CHECK(!tg__matmul_mode_named(NULL).tiles || cpu, "tiles by default on a CPU without");
}

TEST(amx, the_tiles_of_the_cpu_give_the_emulated_bits) {
    const tg__tiles *cpu = tg__tiles_of_cpu();
    if (!cpu) SKIP("this CPU has no AMX");
    const tg__matmul_mode real = {cpu, 3, 1}, real_bf16 = {cpu, 1, 1};
    state = 6;
    product q = product_new(100, 90, 700, 1, normal);
    size_t bytes = sizeof(float) * (size_t)(q.m * q.n);
    float *emulated = malloc(bytes);
    multiply(&q, BY_ROWS, BY_ROWS, 1, &amx);
    memcpy(emulated, q.c, bytes);
    multiply(&q, BY_ROWS, BY_ROWS, 2, &real);
    CHECK(!memcmp(emulated, q.c, bytes), "three parts");
    multiply(&q, BY_ROWS, BY_ROWS, 1, &bf16);
    memcpy(emulated, q.c, bytes);
    multiply(&q, BY_ROWS, BY_ROWS, 2, &real_bf16);
    CHECK(!memcmp(emulated, q.c, bytes), "one part");
    free(emulated);
    product_free(&q);
}
