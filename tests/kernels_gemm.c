/* tests/kernels_gemm.c: the matrix product of every instruction set that this CPU has, bit for bit against a plain loop in the
 * documented order of the inner sum, and within an error bound against a loop of higher precision. */
#include "kernels/gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void gemm_fn(const tg__gemm *g);

typedef struct kernel_set {
    const char *name;
    bool fused;
    gemm_fn *f32, *f64;
} kernel_set;

#if defined(__aarch64__)
#define ANY_FUSED true
#else
#define ANY_FUSED false
#endif

static int sets_of_cpu(kernel_set *sets) {
    int n = 0;
    sets[n++] = (kernel_set){"any", ANY_FUSED, tg__gemm_f32_any, tg__gemm_f64_any};
#if defined(__x86_64__)
    if (tg__kernels_of(TG_ISA_AVX2))
        sets[n++] = (kernel_set){"avx2", true, tg__gemm_f32_avx2, tg__gemm_f64_avx2};
    if (tg__kernels_of(TG_ISA_AVX512))
        sets[n++] = (kernel_set){"avx512", true, tg__gemm_f32_avx512, tg__gemm_f64_avx512};
#endif
    return n;
}

typedef struct log_of {
    FILE *out;
    int failures;
} log_of;

/* A product in canonical form: A is m x K and B is K x n, packed; the terms of pair p are [p * k, (p + 1) * k). */
typedef struct product {
    tg_dtype dtype;
    int64_t m, n, k;
    int pairs;
    void *a, *b;
    void *want[2];            /* plain and fused */
    double *exact, *magnitude; /* sum of a b, and of |a||b| */
} product;

/* ------------------------------------------------------------------ the reference */

static uint64_t random_state;

static double random_value(void) { /* exact in f32 */
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int32_t)(random_state >> 40) / 8388608 - 1;
}

static size_t bytes_of(tg_dtype d) { return d == TG_F64 ? 8 : 4; }

static double get(const void *p, tg_dtype d, int64_t i) { return d == TG_F64 ? ((const double *)p)[i] : ((const float *)p)[i]; }

static void put(void *p, tg_dtype d, int64_t i, double x) {
    if (d == TG_F64) ((double *)p)[i] = x;
    else ((float *)p)[i] = (float)x;
}

#define ORDERED(T, suffix, fma_of)                                                                                         \
    static T block_##suffix(const T *a, const T *b, int64_t n, int64_t count, bool fused) {                                \
        T sum = 0;                                                                                                         \
        for (int64_t t = 0; t < count; t++) sum = fused ? fma_of(a[t], b[t * n], sum) : a[t] * b[t * n] + sum;             \
        return sum;                                                                                                        \
    }                                                                                                                      \
    static T element_##suffix(const T *a, const T *b, int64_t m, int64_t n, int64_t K, bool fused) {                       \
        if (K == 0) return 0;                                                                                              \
        tg__gemm_order o = tg__gemm_cut(m, n, K);                                                                          \
        T chunk[TG__GEMM_CUT_MAX];                                                                                         \
        for (int64_t s = 0; s < o.chunks; s++) {                                                                           \
            int64_t end = (s + 1) * o.chunk < K ? (s + 1) * o.chunk : K;                                                   \
            for (int64_t t = s * o.chunk; t < end; t += o.block) {                                                         \
                T sum = block_##suffix(a + t, b + t * n, n, o.block < end - t ? o.block : end - t, fused);                 \
                chunk[s] = t == s * o.chunk ? sum : chunk[s] + sum;                                                        \
            }                                                                                                              \
        }                                                                                                                  \
        for (int64_t step = 1; step < o.chunks; step *= 2)                                                                 \
            for (int64_t s = 0; s + step < o.chunks; s += 2 * step) chunk[s] += chunk[s + step];                           \
        return chunk[0];                                                                                                   \
    }
ORDERED(float, f32, fmaf)
ORDERED(double, f64, fma)

static void exact_element(const product *q, int64_t i, int64_t j) {
    int64_t K = q->k * q->pairs;
    long double sum = 0, magnitude = 0;
    for (int64_t t = 0; t < K; t++) {
        long double x = (long double)get(q->a, q->dtype, i * K + t) * get(q->b, q->dtype, t * q->n + j);
        sum += x, magnitude += fabsl(x);
    }
    q->exact[i * q->n + j] = (double)sum, q->magnitude[i * q->n + j] = (double)magnitude;
}

static bool product_make(product *q, tg_dtype d, int64_t m, int64_t n, int64_t k, int pairs) {
    int64_t K = k * pairs;
    size_t size = bytes_of(d), results = (size_t)(m * n) + 1;
    *q = (product){d, m, n, k, pairs, malloc((size_t)(m * K) * size + 1), malloc((size_t)(K * n) * size + 1), {0}, 0, 0};
    q->want[0] = malloc(results * size), q->want[1] = malloc(results * size);
    q->exact = malloc(results * sizeof(double)), q->magnitude = malloc(results * sizeof(double));
    if (!q->a || !q->b || !q->want[0] || !q->want[1] || !q->exact || !q->magnitude) return false;
    for (int64_t i = 0; i < m * K; i++) put(q->a, d, i, random_value());
    for (int64_t i = 0; i < K * n; i++) put(q->b, d, i, random_value());
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            for (int fused = 0; fused < 2; fused++) {
                double x = d == TG_F32 ? (double)element_f32((float *)q->a + i * K, (float *)q->b + j, m, n, K, fused)
                                       : element_f64((double *)q->a + i * K, (double *)q->b + j, m, n, K, fused);
                put(q->want[fused], d, i * n + j, x);
            }
            exact_element(q, i, j);
        }
    }
    return true;
}

static void product_free(product *q) {
    free(q->a), free(q->b), free(q->want[0]), free(q->want[1]), free(q->exact), free(q->magnitude);
}

/* ------------------------------------------------------------------ layouts */

typedef enum layout { BY_ROWS, BY_COLUMNS, STEP_2, ROWS_BACKWARDS, COLUMNS_BACKWARDS, STEP_2_BACKWARDS, LAYOUTS } layout;

typedef struct placed { /* element (i, j) of matrix p is at memory[p] + i * rs + j * cs from `origin` on */
    void *memory[3];
    const void *start[3];
    int64_t rs, cs;
} placed;

static void strides_of(layout l, int64_t rows, int64_t cols, int64_t *rs, int64_t *cs) {
    switch (l) {
    case BY_ROWS: *rs = cols, *cs = 1; break;
    case BY_COLUMNS: *rs = 1, *cs = rows; break;
    case STEP_2: *rs = 2 * cols + 1, *cs = 2; break;
    case ROWS_BACKWARDS: *rs = -(cols + 3), *cs = 1; break;
    case COLUMNS_BACKWARDS: *rs = 1, *cs = -(rows + 1); break;
    default: *rs = -2, *cs = 2 * rows + 3; break;
    }
}

/* Places the matrix of each pair, taken from the canonical array. What no element uses is NaN. */
static bool place(placed *to, const product *q, const void *from, layout l, int64_t rows, int64_t cols, bool pairs_by_rows) {
    *to = (placed){0};
    strides_of(l, rows, cols, &to->rs, &to->cs);
    int64_t last_row = rows ? (rows - 1) * to->rs : 0, last_col = cols ? (cols - 1) * to->cs : 0;
    int64_t low = (last_row < 0 ? last_row : 0) + (last_col < 0 ? last_col : 0);
    int64_t high = (last_row > 0 ? last_row : 0) + (last_col > 0 ? last_col : 0);
    int64_t elements = rows && cols ? high - low + 1 : 0;
    size_t size = bytes_of(q->dtype);
    for (int p = 0; p < q->pairs; p++) {
        to->memory[p] = malloc((size_t)elements * size + !elements); /* exact: an address sanitizer sees a read past the end */
        if (!to->memory[p]) return false;
        for (int64_t i = 0; i < elements; i++) put(to->memory[p], q->dtype, i, NAN);
        for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < cols; j++) {
                int64_t source = pairs_by_rows ? (p * rows + i) * cols + j : i * cols * q->pairs + p * cols + j;
                put(to->memory[p], q->dtype, i * to->rs + j * to->cs - low, get(from, q->dtype, source));
            }
        }
        to->start[p] = (char *)to->memory[p] - low * (int64_t)size;
    }
    return true;
}

static void unplace(placed *p) {
    for (int i = 0; i < 3; i++) free(p->memory[i]);
}

/* ------------------------------------------------------------------ checks */

static bool call(const kernel_set *set, tg_dtype d, tg__gemm *g) {
    size_t size = tg__gemm_scratch(d, g->m, g->n, g->k, g->pairs, g->batch, g->threads);
    char *block = malloc(size + 128);
    if (!block) return false;
    char *scratch = block + 64 - (uintptr_t)block % 64;
    size_t after = 128 - (size_t)(scratch - block);
    memset(scratch + size, 0x5a, after);
    g->scratch = scratch;
    (d == TG_F32 ? set->f32 : set->f64)(g);
    bool inside = true;
    for (size_t i = 0; i < after; i++) inside = inside && scratch[size + i] == 0x5a;
    free(block);
    return inside;
}

static void complain(log_of *log, const product *q, const kernel_set *set, const char *what, int la, int lb, int threads) {
    log->failures++;
    fprintf(log->out, "gemm %s %s m %lld n %lld k %lld pairs %d layouts %d %d threads %d: %s\n", set->name,
            q->dtype == TG_F32 ? "f32" : "f64", (long long)q->m, (long long)q->n, (long long)q->k, q->pairs, la, lb, threads,
            what);
}

static const char *compare(const product *q, const void *c, int64_t c_rs, bool fused) {
    double epsilon = (q->dtype == TG_F32 ? 0x1p-24 : 0x1p-53) * (double)(q->k * q->pairs + 4);
    for (int64_t i = 0; i < q->m; i++) {
        for (int64_t j = 0; j < c_rs; j++) {
            double x = get(c, q->dtype, i * c_rs + j);
            if (j >= q->n) {
                if (x != 77) return "wrote between the rows of C";
                continue;
            }
            int64_t at = i * q->n + j;
            if (!(fabs(x - q->exact[at]) <= epsilon * q->magnitude[at] + 0x1p-140)) return "value out of bounds";
            if (x != get(q->want[fused], q->dtype, at) || signbit(x) != signbit(get(q->want[fused], q->dtype, at)))
                return "bits differ from the documented order";
        }
    }
    return NULL;
}

static void check(log_of *log, const product *q, const kernel_set *set, layout la, layout lb, int threads) {
    placed a, b;
    int64_t c_rs = q->n + 2;
    void *c = malloc((size_t)(q->m * c_rs) * bytes_of(q->dtype) + 1);
    bool a_placed = place(&a, q, q->a, la, q->m, q->k, false), b_placed = place(&b, q, q->b, lb, q->k, q->n, true);
    if (!a_placed || !b_placed || !c) {
        complain(log, q, set, "no memory", la, lb, threads);
    } else {
        for (int64_t i = 0; i < q->m * c_rs; i++) put(c, q->dtype, i, 77);
        tg__gemm g = {q->m, q->n, q->k, q->pairs, 1, a.start, b.start, a.rs, a.cs, b.rs,
                      b.cs, c_rs, 0,    0,        0, c,       threads, 0,    NULL};
        bool inside = call(set, q->dtype, &g);
        const char *wrong = inside ? compare(q, c, c_rs, set->fused) : "wrote past the scratch memory";
        if (wrong) complain(log, q, set, wrong, la, lb, threads);
    }
    unplace(&a), unplace(&b), free(c);
}

static const int threads[] = {1, 2, 3, 8};

static void check_shape(log_of *log, const kernel_set *sets, int n_sets, tg_dtype d, int64_t m, int64_t n, int64_t k, int pairs,
                        bool all) {
    static unsigned turn;
    product q;
    if (!product_make(&q, d, m, n, k, pairs)) {
        complain(log, &q, &sets[0], "no memory", 0, 0, 0);
    } else {
        for (int s = 0; s < n_sets; s++) {
            /* a shape gets one number of threads: teams are slow to change their size */
            for (int t = 0; t < 4; t++) check(log, &q, &sets[s], t % 2, t / 2, all ? 1 : threads[m % 4]);
            check(log, &q, &sets[s], turn % LAYOUTS, turn / LAYOUTS % LAYOUTS, threads[m % 4]);
            turn += 5;
            for (int t = 0; all && t < 4; t++) {
                check(log, &q, &sets[s], STEP_2, ROWS_BACKWARDS, threads[t]);
                check(log, &q, &sets[s], BY_ROWS, BY_ROWS, threads[t]);
            }
        }
    }
    product_free(&q);
}

/* Each element of a batch has the bits of the product alone; a NULL table and one of zeros are the same. */
static void check_batch(log_of *log, const kernel_set *set, tg_dtype d, int64_t m, int64_t n, int64_t k, int64_t batch,
                        bool broadcast_a, int team) {
    size_t size = bytes_of(d);
    int64_t *a_off = malloc((size_t)batch * 8), *b_off = malloc((size_t)batch * 8), *c_off = malloc((size_t)batch * 8);
    void *a = malloc((size_t)(m * k * batch) * size), *b = malloc((size_t)(k * n * batch) * size);
    void *c = malloc((size_t)(m * n * batch) * size), *alone = malloc((size_t)(m * n) * size);
    product q = {.dtype = d, .m = m, .n = n, .k = k, .pairs = 1};
    if (!a_off || !b_off || !c_off || !a || !b || !c || !alone) {
        complain(log, &q, set, "no memory", 0, 0, team);
        goto done;
    }
    for (int64_t i = 0; i < m * k * batch; i++) put(a, d, i, random_value());
    for (int64_t i = 0; i < k * n * batch; i++) put(b, d, i, random_value());
    for (int64_t e = 0; e < batch; e++) a_off[e] = 0, b_off[e] = (batch - 1 - e) * k * n, c_off[e] = (e + 3) % batch * m * n;
    const void *const as[] = {a}, *const bs[] = {b};
    tg__gemm g = {m, n, k, 1, batch, as, bs, k, 1, n, 1, n, 0, b_off, c_off, c, team, 0, NULL};
    if (!broadcast_a) {
        for (int64_t e = 0; e < batch; e++) a_off[e] = e * m * k;
        g.a_off = a_off;
    }
    if (!call(set, d, &g)) complain(log, &q, set, "batch: wrote past the scratch memory", 0, 0, team);
    for (int64_t e = 0; e < batch; e++) {
        tg__gemm one = g;
        one.batch = 1, one.threads = 1, one.c = alone, one.a_off = &a_off[e], one.b_off = &b_off[e], one.c_off = NULL;
        call(set, d, &one);
        if (memcmp(alone, (char *)c + c_off[e] * (int64_t)size, (size_t)(m * n) * size) != 0) {
            complain(log, &q, set, "batch: an element differs from the product alone", 0, 0, team);
            break;
        }
    }
done:
    free(a_off), free(b_off), free(c_off), free(a), free(b), free(c), free(alone);
}

/* A stride of 0 repeats a row or a column; a NaN in a row of A reaches that row of C and no other. */
static void check_repeat_and_nan(log_of *log, const kernel_set *set, int64_t n) {
    enum { M = 19, K = 300 };
    float *a = malloc(sizeof(float) * M * K), *b = malloc(sizeof(float) * K * 100), *c = malloc(sizeof(float) * M * 100);
    product q = {.dtype = TG_F32, .m = M, .n = n, .k = K, .pairs = 1};
    if (a && b && c) {
        for (int i = 0; i < M * K; i++) a[i] = (float)random_value();
        for (int i = 0; i < K * 100; i++) b[i] = (float)random_value();
        tg__gemm g = {M, n, K, 1, 1, (const void *const[]){a}, (const void *const[]){b}, 0, 1, n, 1, n, 0, 0, 0, c, 2, 0, NULL};
        call(set, TG_F32, &g);
        for (int i = 1; i < M; i++)
            if (memcmp(c, c + i * n, sizeof(float) * (size_t)n) != 0) complain(log, &q, set, "equal rows differ", 0, 0, 2);
        a[7 * K + 5] = NAN, g.a_rs = K;
        call(set, TG_F32, &g);
        for (int64_t i = 0; i < M * n; i++)
            if ((i / n == 7) != (isnan(c[i]) != 0)) complain(log, &q, set, "a NaN is not where it belongs", 0, 0, 2);
    } else {
        complain(log, &q, set, "no memory", 0, 0, 2);
    }
    free(a), free(b), free(c);
}

int tg_test_gemm(FILE *out); /* the number of failures, each of which is a line of out */

int tg_test_gemm(FILE *out) {
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 7, 16, 17, 33, 64, 100, 150}, depths[] = {0, 1, 3, 17, 512, 5000};
    enum { SIZES = sizeof sizes / sizeof *sizes, DEPTHS = sizeof depths / sizeof *depths };
    kernel_set sets[TG_ISA_COUNT];
    int n_sets = sets_of_cpu(sets);
    log_of log = {out, 0};
    random_state = 20;
    for (int d = TG_F32; d <= TG_F64; d++) {
        for (int i = 0; i < SIZES; i++) {
            for (int j = 0; j < SIZES; j++) {
                int64_t m = sizes[i], n = sizes[j];
                for (int l = (i + j) % 3; l < SIZES; l += 3)
                    check_shape(&log, sets, n_sets, (tg_dtype)d, m, n, sizes[l], 1, false);
                for (int l = 0; l < DEPTHS; l++) {
                    if (m * n * depths[l] > 300000) continue;
                    check_shape(&log, sets, n_sets, (tg_dtype)d, m, n, depths[l], 1 + (i + j + l) % 3, false);
                }
            }
        }
        check_shape(&log, sets, n_sets, (tg_dtype)d, 150, 170, 600, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 3, 2100, 260, 2, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 2500, 4, 300, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 6, 25, 20000, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 40, 300, 300, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 2, 70, 1024, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 300, 12, 260, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 40, 31, 2300, 3, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 20, 1022, 5, 1, true); /* rows of C a page apart */
        check_shape(&log, sets, n_sets, (tg_dtype)d, 40, 1022, 4, 1, true);
        check_shape(&log, sets, n_sets, (tg_dtype)d, 7, 1022, 300, 1, true);
        for (int t = 0; t < 4; t++) {
            for (int s = 0; s < n_sets; s++) {
                check_batch(&log, &sets[s], (tg_dtype)d, 4, 16, 16, 300, false, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 31, 32, 7, 40, true, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 70, 65, 80, 3, true, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 20, 40, 64, 31, false, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 40, 50, 3, 5, true, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 9, 10, 4000, 2, false, threads[t]);
                check_batch(&log, &sets[s], (tg_dtype)d, 9, 10, 4000, 7, true, threads[t]);
            }
        }
    }
    for (int s = 0; s < n_sets; s++) {
        check_repeat_and_nan(&log, &sets[s], 1);
        check_repeat_and_nan(&log, &sets[s], 37);
        check_repeat_and_nan(&log, &sets[s], 100);
    }
    return log.failures;
}
