/* Orthogonal decompositions of matrices */
#include "ops/factor.h"

#define MOST_REF 16 /* rows and columns of what the references are asked to do */

/* ------------------------------------------------------------------ signs
 *
 * A decomposition leaves signs open. They are chosen so that results are unique, where that can be: R's diagonal is not
 * negative; of each eigenvector and left singular vector the element of largest absolute value (the first of several) is
 * positive. */

static double sign_of_largest(const double *v, int64_t n, int64_t step) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (fabs(v[i * step]) > fabs(v[best * step])) best = i;
    return n && v[best * step] < 0 ? -1 : 1;
}

static void scale(double *v, int64_t n, int64_t step, double by) {
    for (int64_t i = 0; i < n && by != 1; i++) v[i * step] *= by;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rows_of(const tg_operand *x) { return x->shape->dims[x->shape->rank - 2]; }
static int64_t columns_of(const tg_operand *x) { return x->shape->dims[x->shape->rank - 1]; }
static int64_t batch_of(const tg_operand *x) { return tg__extent(x->shape, 0, x->shape->rank - 2); }

static void not_converged(int code, char *text, size_t size) {
    snprintf(text, size, "holds a NaN or an infinity, or its decomposition does not converge (LAPACK says %d)", code);
}

static double decomposition_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    const tg_shape *s = in[0];
    return 4 * (double)tg_shape_numel(s) * (double)least(s->dims[s->rank - 1], s->dims[s->rank - 2]);
}

/* All elements finite: LAPACK may never end, or say nothing, on others. */
static bool all_finite(const double *x, int64_t n) {
    bool finite = true;
    for (int64_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
    return finite;
}

static tg_shape matrix_like(const tg_shape *s, int64_t rows, int64_t columns) {
    tg_shape y = *s;
    y.dims[y.rank - 2] = rows;
    y.dims[y.rank - 1] = columns;
    return y;
}

static tg_shape vector_like(const tg_shape *s, int64_t n) {
    tg_shape y = *s;
    y.rank--;
    y.dims[y.rank - 1] = n;
    return y;
}

/* ------------------------------------------------------------------ qr */

static tg_status qr_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, false);
    if (s) return s;
    const tg_shape *a = f->in_shape[0];
    int64_t m = a->dims[a->rank - 2], n = a->dims[a->rank - 1];
    f->shape[0] = matrix_like(a, m, least(m, n));
    f->shape[1] = matrix_like(a, least(m, n), n);
    f->dtype[0] = f->dtype[1] = f->in_dtype[0];
    return tg__lapack_needed(f);
}

static int qr_one(const tg__matrices *a, int64_t matrix, double *work) {
    int64_t m = a->m, n = a->n, k = least(m, n);
    double *r = work + m * n, *rest = r + k * n;
    tg__load(&a->k->in[0], matrix, m, n, false, work);
    int code = all_finite(work, m * n) ? tg__lapack_qr((int)m, (int)n, work, rest) : 1;
    if (code) return code;
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++) r[i + j * k] = i <= j ? work[i + j * m] : 0;
    code = tg__lapack_qr_q((int)m, (int)k, work, rest);
    for (int64_t i = 0; i < k && !code; i++) {
        double by = r[i * (k + 1)] < 0 ? -1 : 1;
        scale(r + i, n, k, by);
        scale(work + i * m, m, 1, by);
    }
    if (!code) tg__store(&a->k->out[0], matrix, m, k, false, work);
    if (!code) tg__store(&a->k->out[1], matrix, k, n, false, r);
    return code;
}

static int64_t qr_work(int64_t m, int64_t n) { return m * n + least(m, n) * n + tg__lapack_qr_work((int)m, (int)n); }

static size_t qr_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    return (size_t)(batch_of(in) * qr_work(rows_of(in), columns_of(in))) * sizeof(double);
}

static tg_status qr_kernel(tg_kernel_args *k) {
    int64_t work = qr_work(rows_of(k->in), columns_of(k->in));
    tg__matrices a = {.k = k, .work = work, .one = qr_one, .failure = not_converged};
    return k->in[0].numel ? tg__for_each_matrix(&a) : TG_OK;
}

/* Gram and Schmidt, each column twice, for exactness. */
static tg_status qr_ref(tg_kernel_args *a) {
    int64_t m = rows_of(a->in), n = columns_of(a->in), k = least(m, n);
    for (int64_t p = 0; p < batch_of(a->in) && a->in[0].numel; p++) {
        const double *x = (const double *)a->in[0].data + p * m * n;
        double *q = (double *)a->out[0].data + p * m * k, *r = (double *)a->out[1].data + p * k * n, v[MOST_REF];
        memset(r, 0, (size_t)(k * n) * sizeof *r);
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < m; i++) v[i] = x[i * n + j];
            for (int64_t c = 0; c < 2 * least(j, k); c++) {
                double dot = 0;
                int64_t column = c % least(j, k);
                for (int64_t i = 0; i < m; i++) dot += q[i * k + column] * v[i];
                for (int64_t i = 0; i < m; i++) v[i] -= dot * q[i * k + column];
                r[column * n + j] += dot;
            }
            double norm = 0;
            for (int64_t i = 0; i < m; i++) norm += v[i] * v[i];
            for (int64_t i = 0; i < m && j < k; i++) q[i * k + j] = v[i] / sqrt(norm);
            if (j < k) r[j * n + j] = sqrt(norm);
        }
    }
    return TG_OK;
}

static tg_tensor times_or(tg_tensor a, tg_tensor b) { return tg__is_none(b) ? b : tg_matmul(a, b); }
static tg_tensor plus(tg_tensor a, tg_tensor b) { return tg__is_none(a) ? b : tg__is_none(b) ? a : tg_add(a, b); }
static tg_tensor transposed(tg_tensor a) { return tg__is_none(a) ? a : tg_transpose(a); }

/* With M = R dR^T - dQ^T Q and C its lower triangle mirrored to the upper one: (dQ + Q C) R^-T. */
static tg_tensor tall_qr_cotangent(tg_tensor q, tg_tensor r, tg_tensor dq, tg_tensor dr) {
    tg_tensor m = plus(times_or(r, transposed(dr)), tg__is_none(dq) ? dq : tg_neg(tg_matmul(tg_transpose(dq), q)));
    tg_tensor mirrored = tg_add(tg__lower_part(m, false), tg_transpose(tg__lower_part(m, true)));
    tg_tensor left = plus(dq, tg_matmul(q, mirrored));
    return tg_transpose(tg_triangular_solve(r, tg_transpose(left), 0));
}

/* A = (X Y) with X square, R = (U V): X = Q U and Y = Q V, where Q depends on X alone. */
static tg_tensor wide_qr_cotangent(tg_tensor a, tg_tensor q, tg_tensor r, tg_tensor dq, tg_tensor dr, int64_t m) {
    tg_tensor u = tg_slice(r, -1, 0, m, 1), y = tg_slice(a, -1, m, TG_END, 1);
    if (tg__is_none(dr)) dr = tg_zeros(tg_tape_of(r), tg_shape_of(r), tg_dtype_of(r));
    tg_tensor du = tg_slice(dr, -1, 0, m, 1), dv = tg_slice(dr, -1, m, TG_END, 1);
    tg_tensor dx = tall_qr_cotangent(q, u, plus(dq, tg_matmul(y, tg_transpose(dv))), du);
    return tg_concat((tg_tensor[]){dx, tg_matmul(q, dv)}, 2, -1);
}

static void qr_vjp(tg_vjp_args *v) {
    tg_shape s = tg_shape_of(v->in[0]);
    int64_t m = s.dims[s.rank - 2], n = s.dims[s.rank - 1];
    tg_vjp_give(v, 0, m >= n ? tall_qr_cotangent(v->out[0], v->out[1], v->g[0], v->g[1])
                             : wide_qr_cotangent(v->in[0], v->out[0], v->out[1], v->g[0], v->g[1], m));
}

#define MATRIX_BADS                                                                                           \
    BAD("a vector", TG_ESHAPE, "a matrix or a batch", INPUTS(IN('f', (3)))),                                  \
    BAD("rank 0", TG_ESHAPE, "a matrix or a batch", INPUTS(IN('f', ()))),                                     \
    BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 3)))),                                      \
    BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 3)), IN('f', (3, 3))))
#define REGULAR(shape) INPUTS(IN('f', shape, .lo = -0.5, .hi = 0.5, .diagonal = 2))

const tg_op tg__op_qr = {
    .name = "qr",
    .formula = "A = Q R, Q^T Q = I, R upper triangular",
    .source = "Walter, Lehmann 2010, Algorithmic differentiation of linear algebra functions, arXiv:1001.1654; Roberts, "
              "Roberts 2020, arXiv:2009.10071 (wide matrices)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = qr_infer,
    .vjp = qr_vjp,
    .kernel = qr_kernel,
    .scratch = qr_scratch,
    .ref = qr_ref,
    .flops = decomposition_flops,
    SAMPLES(SAMPLE("square", REGULAR((3, 3))), SAMPLE("tall", REGULAR((4, 2))), SAMPLE("wide", REGULAR((2, 4))),
            SAMPLE("a batch", REGULAR((2, 3, 2, 2))), SAMPLE("no columns", REGULAR((3, 0)))),
    BADS(MATRIX_BADS, BAD("too large", TG_ESHAPE, "more than 20000", INPUTS(IN('f', (0, 20001))))),
};

/*| tg_qr: orthonormal columns times an upper triangle whose diagonal is not negative; the reduced form. q or r may be NULL.
 *    A = Q R, Q^T Q = I
 *  Shapes:   A (..., m, n) -> Q (..., m, k), R (..., k, n), k = min(m, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: for m >= n dA = (dQ + Q C) R^-T, C the lower triangle of R dR^T - dQ^T Q mirrored to the upper one; for m < n that
 *            of the first m columns, and Q dV for the others; TG_EARG when run if a diagonal of R has a 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG for NaN
 *            and infinity
 *  Source:   LAPACK's geqrf, orgqr; Walter, Lehmann 2010, arXiv:1001.1654; Roberts, Roberts 2020, arXiv:2009.10071 */
TG_API(tg_status, tg_qr, (tg_tensor a, tg_tensor *q, tg_tensor *r), (a, q, r)) {
    tg_tensor outs[2];
    tg_status s = tg_apply_n_at(site, NULL, &tg__op_qr, NULL, &a, 1, outs);
    if (q) *q = outs[0];
    if (r) *r = outs[1];
    return s;
}

/* ------------------------------------------------------------------ eigh */

static tg_status eigh_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, true);
    if (s) return s;
    f->shape[0] = vector_like(f->in_shape[0], f->in_shape[0]->dims[f->in_shape[0]->rank - 1]);
    f->shape[1] = *f->in_shape[0];
    f->dtype[0] = f->dtype[1] = f->in_dtype[0];
    return tg__lapack_needed(f);
}

static int eigh_one(const tg__matrices *a, int64_t matrix, double *work) {
    int64_t n = a->n;
    double *w = work + n * n, *rest = w + n;
    tg__load_symmetric(&a->k->in[0], matrix, n, work);
    int code = all_finite(work, n * n) ? tg__lapack_eigh((int)n, work, w, rest) : 1;
    for (int64_t j = 0; j < n && !code; j++) scale(work + j * n, n, 1, sign_of_largest(work + j * n, n, 1));
    if (!code) tg__store(&a->k->out[0], matrix, n, 1, false, w);
    if (!code) tg__store(&a->k->out[1], matrix, n, n, false, work);
    return code;
}

static int64_t eigh_work(int64_t n) { return n * n + n + tg__lapack_eigh_work((int)n); }

static size_t eigh_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    return (size_t)(batch_of(in) * eigh_work(columns_of(in))) * sizeof(double);
}

static tg_status eigh_kernel(tg_kernel_args *k) {
    tg__matrices a = {.k = k, .work = eigh_work(columns_of(k->in)), .one = eigh_one, .failure = not_converged};
    return k->in[0].numel ? tg__for_each_matrix(&a) : TG_OK;
}

/* Jacobi 1846: rotations of pairs of columns of a (n rows) until they are orthogonal, done to v as well. */
static void rotate_columns(double *a, int64_t m, double *v, int64_t n) {
    for (int round = 0; round < 60; round++)
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++) {
                double pp = 0, qq = 0, pq = 0;
                for (int64_t i = 0; i < m; i++) {
                    pp += a[i * n + p] * a[i * n + p];
                    qq += a[i * n + q] * a[i * n + q];
                    pq += a[i * n + p] * a[i * n + q];
                }
                double angle = 0.5 * atan2(2 * pq, pp - qq), c = cos(angle), s = sin(angle);
                for (int64_t i = 0; i < m + n; i++) {
                    double *row = i < m ? a + i * n : v + (i - m) * n, x = row[p], y = row[q];
                    row[p] = c * x + s * y;
                    row[q] = c * y - s * x;
                }
            }
}

/* The columns of A + shift, which is positive definite, rotated until orthogonal, are its eigenvectors times eigenvalues. */
static tg_status eigh_ref(tg_kernel_args *k) {
    int64_t n = columns_of(k->in);
    for (int64_t m = 0; m < batch_of(k->in) && n; m++) {
        const double *x = (const double *)k->in[0].data + m * n * n;
        double a[MOST_REF * MOST_REF], v[MOST_REF * MOST_REF] = {0}, shift = 0;
        for (int64_t i = 0; i < n * n; i++) shift += fabs(x[i]);
        for (int64_t i = 0; i < n * n; i++) {
            a[i] = 0.5 * (x[i] + x[i % n * n + i / n]) + (i % (n + 1) ? 0 : shift);
            v[i] = i % (n + 1) == 0;
        }
        rotate_columns(a, n, v, n); /* largest first */
        for (int64_t j = 0; j < n; j++) {
            double norm = 0, by = sign_of_largest(v + j, n, n);
            for (int64_t i = 0; i < n; i++) norm += a[i * n + j] * a[i * n + j];
            ((double *)k->out[0].data)[m * n + n - 1 - j] = sqrt(norm) - shift;
            for (int64_t i = 0; i < n; i++) ((double *)k->out[1].data)[(m * n + i) * n + n - 1 - j] = by * v[i * n + j];
        }
    }
    return TG_OK;
}

static tg_tensor as_row(tg_tensor x) { return tg_unsqueeze(x, TG_AXES(-2)); }
static tg_tensor as_column(tg_tensor x) { return tg_unsqueeze(x, TG_AXES(-1)); }

/* 1 / (x_j - x_i), 0 where they are equal. */
static tg_tensor inverse_gaps(tg_tensor x) {
    tg_tensor gap = tg_sub(as_row(x), as_column(x)), equal = tg_eq(gap, tg__zero_like(gap));
    return tg_where(equal, tg__zero_like(gap), tg_reciprocal(tg_where(equal, tg__one_like(gap), gap)));
}

static void eigh_vjp(tg_vjp_args *v) {
    tg_tensor w = v->out[0], vectors = v->out[1], rotation = {0}, moved = {0};
    if (!tg__is_none(v->g[1])) rotation = tg_mul(inverse_gaps(w), tg_matmul(tg_transpose(vectors), v->g[1]));
    if (!tg__is_none(v->g[0])) moved = tg_mul(vectors, as_row(v->g[0]));
    tg_tensor left = plus(moved, times_or(vectors, rotation));
    tg_vjp_give(v, 0, tg__symmetric_part(tg_matmul(left, tg_transpose(vectors))));
}

#define SPREAD(shape) INPUTS(IN('f', shape, .lo = -2, .hi = 2, .avoid = 0.05))
const tg_op tg__op_eigh = {
    .name = "eigh",
    .formula = "(A + A^T) / 2 = V diag(w) V^T, V^T V = I, w rising",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 3.1",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = eigh_infer,
    .vjp = eigh_vjp,
    .kernel = eigh_kernel,
    .scratch = eigh_scratch,
    .ref = eigh_ref,
    .flops = decomposition_flops,
    SAMPLES(SAMPLE("a matrix", SPREAD((3, 3))), SAMPLE("a batch", SPREAD((2, 2, 2))), SAMPLE("a number", SPREAD((1, 1))),
            SAMPLE("of size 0", SPREAD((2, 0, 0)))),
    BADS(MATRIX_BADS, BAD("not square", TG_ESHAPE, "must be square", INPUTS(IN('f', (3, 4))))),
};

/*| tg_eigh: eigenvalues, rising, and eigenvectors, the columns of V, of symmetric matrices. The mean of A and its transpose is
 *  what is decomposed. Of each eigenvector the element of largest absolute value is positive. w or vectors may be NULL.
 *    (A + A^T) / 2 = V diag(w) V^T
 *  Shapes:   A (..., n, n) -> w (..., n), V (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = the symmetric part of V (diag(dw) + F * (V^T dV)) V^T, F_ij = 1 / (w_j - w_i), and 0 on the diagonal and for
 *            equal eigenvalues. Eigenvectors of equal eigenvalues have no derivative: only what does not depend on their
 *            choice, such as the sum of the eigenvalues or V f(w) V^T, has a right gradient there; for nearly equal ones it
 *            is large
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG for NaN and infinity
 *  Source:   LAPACK's syev; Giles 2008, Collected matrix derivative results for forward and reverse mode, section 3.1 */
TG_API(tg_status, tg_eigh, (tg_tensor a, tg_tensor *w, tg_tensor *vectors), (a, w, vectors)) {
    tg_tensor outs[2];
    tg_status s = tg_apply_n_at(site, NULL, &tg__op_eigh, NULL, &a, 1, outs);
    if (w) *w = outs[0];
    if (vectors) *vectors = outs[1];
    return s;
}

/* ------------------------------------------------------------------ svd: outputs S, U, V^T */

static tg_status svd_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, false);
    if (s) return s;
    const tg_shape *a = f->in_shape[0];
    int64_t m = a->dims[a->rank - 2], n = a->dims[a->rank - 1], k = least(m, n);
    f->shape[0] = vector_like(a, k);
    f->shape[1] = matrix_like(a, m, k);
    f->shape[2] = matrix_like(a, k, n);
    f->dtype[0] = f->dtype[1] = f->dtype[2] = f->in_dtype[0];
    return tg__lapack_needed(f);
}

static int svd_one(const tg__matrices *a, int64_t matrix, double *work) {
    int64_t m = a->m, n = a->n, k = least(m, n);
    double *s = work + m * n, *u = s + k, *vt = u + m * k, *rest = vt + k * n;
    tg__load(&a->k->in[0], matrix, m, n, false, work);
    int code = all_finite(work, m * n) ? tg__lapack_svd((int)m, (int)n, work, s, u, vt, rest) : 1;
    for (int64_t j = 0; j < k && !code; j++) {
        double by = sign_of_largest(u + j * m, m, 1);
        scale(u + j * m, m, 1, by);
        scale(vt + j, n, k, by);
    }
    if (code) return code;
    tg__store(&a->k->out[0], matrix, k, 1, false, s);
    tg__store(&a->k->out[1], matrix, m, k, false, u);
    tg__store(&a->k->out[2], matrix, k, n, false, vt);
    return 0;
}

static int64_t svd_work(int64_t m, int64_t n) {
    return m * n + least(m, n) * (m + n + 1) + tg__lapack_svd_work((int)m, (int)n);
}

static size_t svd_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    return (size_t)(batch_of(in) * svd_work(rows_of(in), columns_of(in))) * sizeof(double);
}

static tg_status svd_kernel(tg_kernel_args *k) {
    int64_t work = svd_work(rows_of(k->in), columns_of(k->in));
    tg__matrices a = {.k = k, .work = work, .one = svd_one, .failure = not_converged};
    return k->in[0].numel ? tg__for_each_matrix(&a) : TG_OK;
}

/* Hestenes 1958: the columns of A, or of A^T if it is wide, rotated until orthogonal. */
static tg_status svd_ref(tg_kernel_args *args) {
    int64_t m = rows_of(args->in), n = columns_of(args->in), k = least(m, n), l = m + n - k;
    for (int64_t p = 0; p < batch_of(args->in) && args->in[0].numel; p++) {
        const double *x = (const double *)args->in[0].data + p * m * n;
        double a[MOST_REF * MOST_REF], v[MOST_REF * MOST_REF] = {0}, *s = (double *)args->out[0].data + p * k;
        double *u = (double *)args->out[1].data + p * m * k, *vt = (double *)args->out[2].data + p * k * n;
        for (int64_t i = 0; i < l * k; i++) a[i] = m >= n ? x[i] : x[i % k * n + i / k];
        for (int64_t i = 0; i < k; i++) v[i * (k + 1)] = 1;
        rotate_columns(a, l, v, k);
        for (int64_t j = 0; j < k; j++) {
            double norm = 0;
            for (int64_t i = 0; i < l; i++) norm += a[i * k + j] * a[i * k + j];
            s[j] = sqrt(norm);
            for (int64_t i = 0; i < l; i++) a[i * k + j] /= s[j];
            double by = m >= n ? sign_of_largest(a + j, l, k) : sign_of_largest(v + j, k, k);
            for (int64_t i = 0; i < m; i++) u[i * k + j] = by * (m >= n ? a : v)[i * k + j];
            for (int64_t i = 0; i < n; i++) vt[j * n + i] = by * (m >= n ? v : a)[i * k + j];
        }
    }
    return TG_OK;
}

/* With F_ij = 1 / (s_j^2 - s_i^2), K(X) = F * (X - X^T):
 *   dA = (U (K(U^T dU) S + S K(V^T dV) + diag(dS)) + (I - U U^T) dU S^-1) V^T + U S^-1 dV^T (I - V V^T). */
static tg_tensor skew(tg_tensor gaps, tg_tensor x) { return tg_mul(gaps, tg_sub(x, tg_transpose(x))); }

static tg_tensor without_span(tg_tensor basis, tg_tensor x) {
    return tg_sub(x, tg_matmul(basis, tg_matmul(tg_transpose(basis), x)));
}

static void svd_vjp(tg_vjp_args *v) {
    tg_tensor s = v->out[0], u = v->out[1], vt = v->out[2], ds = v->g[0], du = v->g[1], dv = transposed(v->g[2]);
    tg_shape shape = tg_shape_of(v->in[0]);
    int64_t m = shape.dims[shape.rank - 2], n = shape.dims[shape.rank - 1];
    tg_tensor core = {0}, left = {0}, right = {0}, gaps = inverse_gaps(tg_square(s));
    if (!tg__is_none(du)) {
        core = tg_mul(skew(gaps, tg_matmul(tg_transpose(u), du)), as_row(s));
        if (m > n) left = tg_div(without_span(u, du), as_row(s));
    }
    if (!tg__is_none(dv)) {
        core = plus(core, tg_mul(as_column(s), skew(gaps, tg_matmul(vt, dv))));
        if (n > m) right = tg_matmul(u, tg_transpose(tg_div(without_span(tg_transpose(vt), dv), as_row(s))));
    }
    tg_tensor turned = plus(times_or(u, core), left);
    if (!tg__is_none(ds)) turned = plus(turned, tg_mul(u, as_row(ds)));
    tg_vjp_give(v, 0, plus(tg_matmul(turned, vt), right));
}

const tg_op tg__op_svd = {
    .name = "svd",
    .formula = "A = U diag(s) V^T, U^T U = V^T V = I, s falling",
    .source = "Giles 2008, Collected matrix derivative results, section 3.2; Townsend 2016, Differentiating the singular value "
              "decomposition; Seeger, Hetzel, Dai, Meissner, Lawrence 2017, arXiv:1710.08717",
    .min_in = 1,
    .max_in = 1,
    .n_out = 3,
    .flags = TG_OP_CAN_FAIL,
    .infer = svd_infer,
    .vjp = svd_vjp,
    .kernel = svd_kernel,
    .scratch = svd_scratch,
    .ref = svd_ref,
    .flops = decomposition_flops,
    SAMPLES(SAMPLE("square", SPREAD((3, 3))), SAMPLE("tall", SPREAD((3, 2))), SAMPLE("wide", SPREAD((2, 4))),
            SAMPLE("a batch", SPREAD((2, 2, 2))), SAMPLE("no rows", SPREAD((0, 3)))),
    BADS(MATRIX_BADS, BAD("too large", TG_ESHAPE, "more than 20000", INPUTS(IN('f', (0, 20001))))),
};

/*| tg_svd: the singular values of matrices, falling, and their singular vectors, the columns of U and rows of V^T; the reduced
 *  form. Of each column of U the element of largest absolute value is positive. u, s and vt may be NULL.
 *    A = U diag(s) V^T
 *  Shapes:   A (..., m, n) -> U (..., m, k), s (..., k), V^T (..., k, n), k = min(m, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = (U (K(U^T dU) S + S K(V^T dV) + diag(ds)) + (I - U U^T) dU S^-1) V^T + U S^-1 dV^T (I - V V^T), with
 *            K(X) = F * (X - X^T), F_ij = 1 / (s_j^2 - s_i^2), and 0 on the diagonal and for equal singular values: their
 *            vectors have no derivative, and only what does not depend on their choice has a right gradient. The gradient of
 *            the vectors of a rectangular matrix divides by s: not finite where one is 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG for NaN
 *            and infinity
 *  Source:   LAPACK's gesdd; Giles 2008, section 3.2; Townsend 2016; Seeger et al. 2017, arXiv:1710.08717 */
TG_API(tg_status, tg_svd, (tg_tensor a, tg_tensor *u, tg_tensor *s, tg_tensor *vt), (a, u, s, vt)) {
    tg_tensor outs[3];
    tg_status status = tg_apply_n_at(site, NULL, &tg__op_svd, NULL, &a, 1, outs);
    if (s) *s = outs[0];
    if (u) *u = outs[1];
    if (vt) *vt = outs[2];
    return status;
}
