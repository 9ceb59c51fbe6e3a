/* tests/ops_linalg.c: linear algebra beyond single ops: broadcasting, degenerate matrices, errors when run, einsum against
 * loops over all indices. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

static tg_tensor doubles(tg_tape *t, tg_shape s, const double *v) { return tg_input(t, tg_f64(v, s)); }

static bool has_lapack(tg_tape *t) {
    tg_det(tg_ones(t, TG_SHAPE(1, 1), TG_F64));
    bool has = tg_error(t) != TG_EUNSUPPORTED;
    tg_clear(t);
    return has;
}

static void is_near(tg_tensor a, tg_tensor b, double tolerance, const char *what) {
    tg_shape sa = tg_shape_of(a), sb = tg_shape_of(b);
    const double *x = tg_data(tg_cast(a, TG_F64)), *y = tg_data(tg_cast(b, TG_F64));
    if (!CHECK(x && y && sa.rank == sb.rank && tg_numel(a) == tg_numel(b), "%s: %s", what, tg_message(tg_tape_of(a)))) return;
    for (int64_t i = 0; i < tg_numel(a); i++)
        CHECK(fabs(x[i] - y[i]) <= tolerance, "%s: element %d is %.17g, not %.17g", what, (int)i, x[i], y[i]);
}

static void refused(tg_tape *t, tg_status status, const char *text) {
    CHECK(tg_error(t) == status, "%s instead of %s: %s", tg_status_name(tg_error(t)), tg_status_name(status), tg_message(t));
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_message(t), "ops_linalg.c:");
    tg_clear(t);
}

/* ------------------------------------------------------------------ factorisations */

TEST(linalg, decompositions_give_the_matrix_back) {
    tg_tape *t = tg_tape_new();
    bool has = has_lapack(t);
    static const int64_t sizes[][2] = {{50, 30}, {30, 50}, {65, 65}, {1, 7}};
    for (int i = 0; i < 4 && has; i++)
        for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
            tg_tensor a = tg_normal(t, TG_SHAPE(2, sizes[i][0], sizes[i][1]), d, 0, 1), q, r, u, s, vt, w, v;
            double tolerance = d == TG_F32 ? 2e-5 : 1e-13;
            tg_qr(a, &q, &r);
            is_near(tg_matmul(q, r), a, tolerance, "Q R");
            tg_svd(a, &u, &s, &vt);
            is_near(tg_matmul(tg_mul(u, tg_unsqueeze(s, TG_AXES(-2))), vt), a, tolerance, "U S V'");
            tg_tensor square = tg_matmul(a, tg_transpose(a));
            tg_eigh(square, &w, &v);
            is_near(tg_matmul(tg_mul(v, tg_unsqueeze(w, TG_AXES(-2))), tg_transpose(v)), square, 100 * tolerance, "V W V'");
        }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
    if (!has) SKIP("built without LAPACK");
}

TEST(linalg, solve_broadcasts) {
    tg_tape *t = tg_tape_new();
    bool has = has_lapack(t);
    if (has) {
        tg_tensor a = doubles(t, TG_SHAPE(2, 2, 2), (const double[]){2, 1, 1, 3, 0, 1, 1, 0}), g;
        tg_tensor x = tg_solve(a, doubles(t, TG_SHAPE(2), (const double[]){3, 4}));
        is_near(x, doubles(t, TG_SHAPE(2, 2), (const double[]){1, 1, 4, 3}), 1e-15, "one vector for two matrices");
        tg_tensor b = tg_normal(t, TG_SHAPE(3, 1, 2, 5), TG_F64, 0, 1), y = tg_solve(a, b);
        is_near(tg_matmul(a, y), tg_expand(b, TG_SHAPE(3, 2, 2, 5)), 1e-14, "batches that broadcast");
        tg_grad(tg_sum(y, TG_ALL_AXES, false), &a, 1, &g);
        CHECK(tg_numel(g) == 8, "the gradient is summed to the matrices: %s", tg_message(t));
    }
    tg_tape_free(t);
    if (!has) SKIP("built without LAPACK");
}

/* f(A) = V exp(w) V' does not depend on the choice of eigenvectors: its gradient is right for equal eigenvalues, too. */
TEST(linalg, degenerate_matrices) {
    tg_tape *t = tg_tape_new();
    bool has = has_lapack(t);
    if (has) {
        tg_tensor eye = doubles(t, TG_SHAPE(3, 3), (const double[]){1, 0, 0, 0, 1, 0, 0, 0, 1}), w, v, sign, g;
        tg_eigh(eye, &w, &v);
        tg_grad(tg_sum(tg_square(w), TG_ALL_AXES, false), &eye, 1, &g);
        is_near(g, tg_scale(eye, 2), 1e-15, "the sum of squares of equal eigenvalues");
        tg_tensor rank_1 = doubles(t, TG_SHAPE(2, 2), (const double[]){1, 2, 2, 4}), log_abs = tg_slogdet(rank_1, &sign);
        CHECK(tg_item(tg_det(rank_1)) == 0 && tg_item(sign) == 0 && tg_item(log_abs) == -INFINITY, "a determinant of 0");
        tg_grad(tg_det(rank_1), &rank_1, 1, &g);
        tg_data(g);
        refused(t, TG_EARG, "the matrix is singular: pivot 2 is 0");
        tg_tensor pair = doubles(t, TG_SHAPE(2, 1, 1), (const double[]){1, -1});
        tg_data(tg_cholesky(pair));
        refused(t, TG_EARG, "matrix 1 of the batch is not positive definite");
        tg_svd(doubles(t, TG_SHAPE(1, 2), (const double[]){NAN, 1}), NULL, &w, NULL);
        tg_data(w);
        refused(t, TG_EARG, "holds a NaN");
        tg_grad(sign, &rank_1, 1, &g);
        refused(t, TG_ENOGRAD, "does not depend");
    }
    tg_tape_free(t);
    if (!has) SKIP("built without LAPACK");
}

/* ------------------------------------------------------------------ einsum */

#define MOST 4

typedef struct loops {
    const char *in[MOST], *out; /* letters a to h */
    int64_t size[8];
    const double *x[MOST];
    int n;
} loops;

static int64_t place(const loops *l, const char *letters, const int64_t *at) {
    int64_t p = 0;
    for (; *letters; letters++) p = p * l->size[*letters - 'a'] + at[*letters - 'a'];
    return p;
}

static int64_t count_of(const loops *l, const char *letters) {
    int64_t n = 1;
    for (; *letters; letters++) n *= l->size[*letters - 'a'];
    return n;
}

static tg_shape shape_of(const loops *l, const char *letters) {
    tg_shape s = {0};
    for (; *letters; letters++) s.dims[s.rank++] = l->size[*letters - 'a'];
    return s;
}

/* Every index through its range. Letters that no operand has have size 1. */
static void naive(const loops *l, double *y) {
    int64_t at[8] = {0}, total = count_of(l, "abcdefgh");
    memset(y, 0, (size_t)count_of(l, l->out) * sizeof *y);
    for (int64_t i = 0; i < total; i++) {
        int64_t rest = i;
        for (int k = 0; k < 8; k++) {
            at[k] = rest % l->size[k];
            rest /= l->size[k];
        }
        double p = 1;
        for (int k = 0; k < l->n; k++) p *= l->x[k][place(l, l->in[k], at)];
        y[place(l, l->out, at)] += p;
    }
}

static tg_tensor einsum_of(tg_tape *t, const tg_tensor *xs, int n, void *notation) {
    (void)t;
    return tg_einsum(notation, xs, n);
}

static void by_loops(const char *notation, int n, const char *const *in, const char *out) {
    static double numbers[MOST][3000], y[3000];
    loops l = {.out = out, .size = {1, 1, 1, 1, 1, 1, 1, 1}, .n = n};
    tg_tape *t = tg_tape_new();
    tg_tensor xs[MOST];
    tg_array arrays[MOST];
    for (int k = 0; k < n; k++)
        for (const char *p = in[k]; *p; p++) l.size[*p - 'a'] = 2 + (*p - 'a') % 3;
    for (int k = 0; k < n; k++) {
        l.in[k] = in[k];
        l.x[k] = numbers[k];
        for (int i = 0; i < 3000; i++) numbers[k][i] = sin(1 + i * (k + 1.7));
        arrays[k] = tg_f64(numbers[k], shape_of(&l, in[k]));
        xs[k] = tg_input(t, arrays[k]);
    }
    naive(&l, y);
    is_near(tg_einsum(notation, xs, n), doubles(t, shape_of(&l, out), y), 1e-12, notation);
    tg_gradcheck_options fast = {.fast = true};
    tg_gradcheck_report report;
    CHECK(tg_gradcheck(einsum_of, (void *)(size_t)notation, arrays, n, &fast, &report) == 0, "%s: %s", notation, report.text);
    tg_tape_free(t);
}

#define EINSUM(notation, out, ...) \
    by_loops(notation, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__}, out)

TEST(linalg, einsum_is_the_sum_over_all_indices) {
    EINSUM("ab,bc->ac", "ac", "ab", "bc");
    EINSUM("ab,bc", "ac", "ab", "bc");
    EINSUM("ab, bc -> ca", "ca", "ab", "bc");
    EINSUM("aab,bc->ac", "ac", "aab", "bc");
    EINSUM("aa", "", "aa");
    EINSUM("aa->a", "a", "aa");
    EINSUM("abab->ba", "ba", "abab");
    EINSUM("aaa->a", "a", "aaa");
    EINSUM("abc->b", "b", "abc");
    EINSUM("ba", "ab", "ba");
    EINSUM("abc->cab", "cab", "abc");
    EINSUM("a,b->ab", "ab", "a", "b");
    EINSUM("a,a->a", "a", "a", "a");
    EINSUM("a,a", "", "a", "a");
    EINSUM(",a->a", "a", "", "a");
    EINSUM("abc,abd->acd", "acd", "abc", "abd");
    EINSUM("dabc,cdbe->ade", "ade", "dabc", "cdbe");
    EINSUM("ab,bc,cd->ad", "ad", "ab", "bc", "cd");
    EINSUM("ab,bc,ca->", "", "ab", "bc", "ca");
    EINSUM("ab,ac,ad->bcd", "bcd", "ab", "ac", "ad");
    EINSUM("ab,bc,cd,de->ae", "ae", "ab", "bc", "cd", "de");
    EINSUM("abc,bd,ce,af->def", "def", "abc", "bd", "ce", "af");
    EINSUM("ab,cd->", "", "ab", "cd");
}

TEST(linalg, einsum_ellipsis_and_sizes_of_1) {
    tg_tape *t = tg_tape_new();
    tg_tensor a = tg_normal(t, TG_SHAPE(2, 1, 3, 4), TG_F64, 0, 1), b = tg_normal(t, TG_SHAPE(5, 4, 2), TG_F64, 0, 1);
    tg_tensor ab[2] = {a, b};
    is_near(tg_einsum("...ij,...jk->...ik", ab, 2), tg_matmul(a, b), 1e-13, "batches");
    is_near(tg_einsum("...ij,...jk", ab, 2), tg_matmul(a, b), 1e-13, "batches, implied");
    is_near(tg_einsum("i...->...i", &b, 1), tg_permute(b, TG_AXES(1, 2, 0)), 0, "an ellipsis at the end");
    is_near(tg_einsum("...", &b, 1), b, 0, "nothing to do");
    tg_tensor column = tg_normal(t, TG_SHAPE(3, 1), TG_F64, 0, 1), m = tg_normal(t, TG_SHAPE(3, 4), TG_F64, 0, 1);
    tg_tensor cm[2] = {column, m}, mc[2] = {m, column};
    is_near(tg_einsum("ij,ij->i", cm, 2), tg_sum(tg_mul(column, m), TG_AXES(1), false), 1e-14, "a size of 1");
    is_near(tg_einsum("ij,ij->ij", mc, 2), tg_mul(column, m), 0, "a size of 1 in the result");
    tg_tensor none = tg_zeros(t, TG_SHAPE(3, 0), TG_F64), nothing[2] = {none, none};
    is_near(tg_einsum("ik,jk->ij", nothing, 2), tg_zeros(t, TG_SHAPE(3, 3), TG_F64), 0, "a sum of nothing");
    tg_tensor chain[12];
    for (int i = 0; i < 12; i++) chain[i] = tg_normal(t, TG_SHAPE(2, 2), TG_F64, 0, 1);
    tg_tensor y = chain[0];
    for (int i = 1; i < 12; i++) y = tg_matmul(y, chain[i]);
    is_near(tg_einsum("ab,bc,cd,de,ef,fg,gh,hi,ij,jk,kl,lm->am", chain, 12), y, 1e-12, "12 operands");
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* (1000 x 2) (2 x 1000) (1000 x 2): from the right it is a thousandth of the work. */
TEST(linalg, einsum_takes_the_order_of_least_work) {
    tg_tape *t = tg_tape_new();
    tg_tensor tall = tg_ones(t, TG_SHAPE(1000, 2), TG_F64), wide = tg_ones(t, TG_SHAPE(2, 1000), TG_F64);
    tg_tensor xs[3] = {tall, wide, tall}, y = tg_einsum("ab,bc,cd->ad", xs, 3);
    tg_run(t, &y, 1);
    tg_tape_stats s = tg_stats(t);
    CHECK(tg_ok(t) && s.pool_bytes < 200000, "%llu bytes: %s", (unsigned long long)s.pool_bytes, tg_message(t));
    CHECK(((const double *)tg_data(y))[0] == 2000, "%g", ((const double *)tg_data(y))[0]);
    tg_tape_free(t);
}

TEST(linalg, einsum_errors) {
    tg_tape *t = tg_tape_new();
    tg_tensor m = tg_zeros(t, TG_SHAPE(2, 3), TG_F64), xs[2] = {m, m}, narrow[2] = {m, tg_zeros(t, TG_SHAPE(2, 3), TG_F32)};
    tg_einsum("ij,jk->ik", xs, 2);
    refused(t, TG_ESHAPE, "einsum: \"ij,jk->ik\": sizes differ along 'j'");
    tg_einsum("ij->ik", xs, 1);
    refused(t, TG_EARG, "no operand has the result's 'k'");
    tg_einsum("ij->ii", xs, 1);
    refused(t, TG_EARG, "the result has twice 'i'");
    tg_einsum("ij", xs, 2);
    refused(t, TG_EARG, "as many terms as operands");
    tg_einsum("ij,ij,ij", xs, 2);
    refused(t, TG_EARG, "as many terms as operands");
    tg_einsum("ijk", xs, 1);
    refused(t, TG_ESHAPE, "rank is not the number");
    tg_einsum("i", xs, 1);
    refused(t, TG_ESHAPE, "rank is not the number");
    tg_einsum("i2->i", xs, 1);
    refused(t, TG_EARG, "only letters");
    tg_einsum("......", xs, 1);
    refused(t, TG_EARG, "only letters");
    tg_einsum("...j->j", xs, 1);
    refused(t, TG_EARG, "under the ellipsis");
    tg_einsum("ij,ij", narrow, 2);
    refused(t, TG_EDTYPE, "tg_cast");
    tg_einsum(NULL, xs, 1);
    refused(t, TG_EARG, "no notation");
    tg_einsum("ii", xs, 1);
    refused(t, TG_ESHAPE, "sizes differ along 'i'");
    tg_tensor big[3] = {tg_zeros(t, TG_SHAPE(1, 1, 1), TG_F64), tg_zeros(t, TG_SHAPE(1, 1, 1), TG_F64),
                        tg_zeros(t, TG_SHAPE(1, 1, 1), TG_F64)};
    tg_einsum("abc,def,ghi->abcdefghi", big, 3);
    refused(t, TG_ESHAPE, "more than 8 axes");
    tg_einsum("ij", NULL, 0);
    CHECK(tg_ok(t), "without operands there is no tape that could fail");
    tg_tape_free(t);
}
