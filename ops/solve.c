/* Linear equations */
#include "ops/factor.h"

#define MATRIX(...) IN('f', __VA_ARGS__)
#define REGULAR(shape) IN('f', shape, .lo = -0.5, .hi = 0.5, .diagonal = 2)

/* ------------------------------------------------------------------ cholesky */

static tg_status cholesky_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, true);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return s ? s : tg__lapack_needed(f);
}

static void not_definite(int code, char *text, size_t size) {
    snprintf(text, size, "is not positive definite: its leading minor of order %d is not positive", code);
}

static int cholesky_one(const tg__matrices *a, int64_t matrix, double *work) {
    int n = (int)a->n;
    tg__load_symmetric(&a->k->in[0], matrix, n, work);
    int code = tg__lapack_cholesky(n, work);
    for (int i = 0; i < n && !code; i++)
        for (int j = i + 1; j < n; j++) work[j + i * n] = 0; /* what was below the diagonal of the upper factor */
    if (!code) tg__store(&a->k->out[0], matrix, n, n, true, work);
    return code;
}

static size_t square_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    return (size_t)in[0].numel * sizeof(double);
}

static tg_status cholesky_kernel(tg_kernel_args *k) {
    int64_t n = k->in[0].shape->dims[k->in[0].shape->rank - 1];
    tg__matrices a = {.k = k, .work = n * n, .one = cholesky_one, .failure = not_definite};
    return n ? tg__for_each_matrix(&a) : TG_OK;
}

/* Row by row, as in Cholesky's own scheme. */
static tg_status cholesky_ref(tg_kernel_args *k) {
    int64_t n = k->in[0].shape->dims[k->in[0].shape->rank - 1];
    for (int64_t m = 0; n && m < k->in[0].numel / (n * n); m++) {
        const double *x = (const double *)k->in[0].data + m * n * n;
        double *y = (double *)k->out[0].data + m * n * n;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0.5 * (x[i * n + j] + x[j * n + i]);
                for (int64_t p = 0; p < j && j <= i; p++) sum -= y[i * n + p] * y[j * n + p];
                y[i * n + j] = j > i ? 0 : j == i ? sqrt(sum) : sum / y[j * n + j];
            }
    }
    return TG_OK;
}

static double cube_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    return (double)tg_shape_numel(in[0]) * (double)in[0]->dims[in[0]->rank - 1];
}

static tg_tensor lower_transposed_solve(tg_tensor l, tg_tensor b) {
    return tg_triangular_solve(l, b, TG_LOWER | TG_TRANSPOSED);
}

/* With P the lower part of L' G, its diagonal halved: L^-T P L^-1, made symmetric. */
static void cholesky_vjp(tg_vjp_args *v) {
    tg_tensor l = v->out[0], product = tg_matmul(tg_transpose(l), v->g[0]);
    tg_tensor p = tg_scale(tg_add(tg__lower_part(product, false), tg__lower_part(product, true)), 0.5);
    tg_tensor transposed = lower_transposed_solve(l, tg_transpose(lower_transposed_solve(l, p)));
    tg_vjp_give(v, 0, tg__symmetric_part(transposed));
}

#define SQUARE_BADS                                                                                           \
    BAD("a vector", TG_ESHAPE, "a matrix or a batch", INPUTS(IN('f', (3)))),                                  \
    BAD("not square", TG_ESHAPE, "must be square", INPUTS(IN('f', (3, 4)))),                                  \
    BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 3)))),                                      \
    BAD("no input", TG_EARG, "not 0", ),                                                                      \
    BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 3)), IN('f', (3, 3))))

#define DEFINITE(shape) INPUTS(IN('f', shape, .lo = -0.5, .hi = 0.5, .diagonal = 3))
const tg_op tg__op_cholesky = {
    .name = "cholesky",
    .formula = "L L^T = (A + A^T) / 2, L lower triangular",
    .source = "Murray 2016, Differentiation of the Cholesky decomposition, arXiv:1602.07527, equations 9 and 10",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_CAN_FAIL,
    .infer = cholesky_infer,
    .vjp = cholesky_vjp,
    .kernel = cholesky_kernel,
    .scratch = square_scratch,
    .ref = cholesky_ref,
    .flops = cube_flops,
    SAMPLES(SAMPLE("a matrix", DEFINITE((3, 3))), SAMPLE("a batch", DEFINITE((2, 3, 2, 2))),
            SAMPLE("a number", DEFINITE((1, 1))), SAMPLE("larger", DEFINITE((6, 6))), SAMPLE("of size 0", DEFINITE((2, 0, 0)))),
    BADS(SQUARE_BADS, BAD("not definite", TG_EARG, "the matrix is not positive definite: its leading minor of order 1",
                          INPUTS(IN('f', (2, 2), .lo = -2, .hi = -1)))),
};

/*| tg_cholesky: the Cholesky factor of symmetric positive definite matrices. The mean of A and its transpose is what is
 *  factorised, so that both triangles count alike.
 *    L L^T = (A + A^T) / 2, L lower triangular with a positive diagonal
 *  Shapes:   A (..., n, n) -> L (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = (S + S^T) / 2, S = L^-T P L^-1, P the lower triangle of L^T g with its diagonal halved
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG if a matrix is not positive definite
 *  Source:   LAPACK's potrf; Murray 2016, arXiv:1602.07527, equations 9 and 10 */
TG_API(tg_tensor, tg_cholesky, (tg_tensor a), (a)) {
    return tg_apply_at(site, NULL, &tg__op_cholesky, NULL, &a, 1);
}

/* ------------------------------------------------------------------ systems: A X = B with equal batches */

typedef struct solve_attr {
    int64_t flags; /* of triangular_solve: tg_triangle; of solve: TG_TRANSPOSED or 0 */
} solve_attr;
static const tg_field solve_fields[] = {{"flags", TG_FIELD_INT, offsetof(solve_attr, flags)}, {NULL, TG_FIELD_INT, 0}};

static tg_status system_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, true);
    if (!s) s = tg__matrix_infer(f, 1, false);
    if (s) return s;
    const tg_shape *a = f->in_shape[0], *b = f->in_shape[1];
    bool fit = a->rank == b->rank;
    for (int i = 0; i < a->rank - 1 && fit; i++) fit = a->dims[i] == b->dims[i];
    if (!fit) return tg_infer_fail(f, TG_ESHAPE, "the right side must have the matrix's batch and as many rows");
    f->shape[0] = *b;
    f->dtype[0] = f->in_dtype[0];
    return tg__lapack_needed(f);
}

static void singular(int code, char *text, size_t size) {
    snprintf(text, size, "is singular: pivot %d is 0", code);
}

/* Room for A, B and the pivots of each matrix, in doubles. */
static int64_t system_work(int64_t n, int64_t columns) { return n * n + n * columns + (n + 1) / 2; }

static size_t system_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    const tg_shape *a = in[0].shape, *b = in[1].shape;
    return (size_t)(tg__extent(a, 0, a->rank - 2) * system_work(a->dims[a->rank - 1], b->dims[b->rank - 1])) * sizeof(double);
}

static tg_status run_system(tg_kernel_args *k, int (*one)(const tg__matrices *, int64_t, double *)) {
    int64_t n = k->in[0].shape->dims[k->in[0].shape->rank - 1], columns = k->in[1].shape->dims[k->in[1].shape->rank - 1];
    tg__matrices a = {.k = k, .work = system_work(n, columns), .one = one, .failure = singular};
    return k->out[0].numel ? tg__for_each_matrix(&a) : TG_OK;
}

static double system_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    return cube_flops(in, n_in, out, attr) + 2 * (double)tg_shape_numel(in[1]) * (double)in[0]->dims[in[0]->rank - 1];
}

/* Gaussian elimination with row pivoting on (A | B), reading what a triangular matrix has. */
static tg_status system_ref(tg_kernel_args *k, bool triangular) {
    const tg_shape *s = k->in[1].shape;
    int64_t n = s->dims[s->rank - 2], columns = s->dims[s->rank - 1], flags = ((const solve_attr *)k->attr)->flags;
    double a[16 * 16], *y = k->out[0].data;
    for (int64_t m = 0; n && columns && m < k->in[1].numel / (n * columns); m++, y += n * columns) {
        if (n > 16) return TG_EINTERNAL;
        for (int64_t i = 0; i < n * n; i++) {
            int64_t row = i / n, column = i % n;
            double x = ((const double *)k->in[0].data)[m * n * n + i];
            if (triangular && (flags & TG_LOWER ? column > row : column < row)) x = 0;
            if (triangular && flags & TG_UNIT && row == column) x = 1;
            a[flags & TG_TRANSPOSED ? column * n + row : i] = x;
        }
        memcpy(y, (const double *)k->in[1].data + m * n * columns, (size_t)(n * columns) * sizeof *y);
        for (int64_t p = 0; p < n; p++) {
            int64_t best = p;
            for (int64_t i = p; i < n; i++)
                if (fabs(a[i * n + p]) > fabs(a[best * n + p])) best = i;
            for (int64_t j = 0; j < n + columns; j++) {
                double *u = j < n ? &a[p * n + j] : &y[p * columns + j - n];
                double *v = j < n ? &a[best * n + j] : &y[best * columns + j - n], w = *u;
                *u = *v;
                *v = w;
            }
            for (int64_t i = 0; i < n; i++) {
                double factor = i == p ? 0 : a[i * n + p] / a[p * n + p];
                for (int64_t j = p; j < n && i != p; j++) a[i * n + j] -= factor * a[p * n + j];
                for (int64_t j = 0; j < columns && i != p; j++) y[i * columns + j] -= factor * y[p * columns + j];
            }
        }
        for (int64_t i = 0; i < n * columns; i++) y[i] /= a[i / columns * (n + 1)];
    }
    return TG_OK;
}

#define SYSTEM_BADS(attr_)                                                                                    \
    BAD("a vector", TG_ESHAPE, "a matrix or a batch", INPUTS(IN('f', (3)), IN('f', (3, 1))), attr_),          \
    BAD("not square", TG_ESHAPE, "must be square", INPUTS(IN('f', (3, 4)), IN('f', (3, 1))), attr_),          \
    BAD("other rows", TG_ESHAPE, "as many rows", INPUTS(IN('f', (3, 3)), IN('f', (4, 1))), attr_),            \
    BAD("another batch", TG_ESHAPE, "batch", INPUTS(IN('f', (2, 3, 3)), IN('f', (3, 3))), attr_),             \
    BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3, 3)), IN('i', (3, 3))), attr_),               \
    BAD("singular", TG_EARG, "the matrix is singular: pivot 1 is 0",                                          \
        INPUTS(IN('f', (2, 2), .lo = -1e-300, .hi = -1e-300), IN('f', (2, 1))), attr_)

/* Both inputs with the batch axes of both; what does not fit is left for the op to refuse. */
static void expand_batches(const char *site, tg_tensor *a, tg_tensor *b) {
    tg_shape s = tg_shape_of(*a), u = tg_shape_of(*b), batch_s = s, batch_u = u, both;
    if (s.rank < 2 || u.rank < 2) return;
    batch_s.rank -= 2, batch_u.rank -= 2;
    if (!tg_broadcast(&batch_s, &batch_u, &both, NULL) || both.rank + 2 > TG_MAX_RANK) return;
    tg_shape to_a = both, to_b = both;
    for (int i = 0; i < 2; i++) {
        to_a.dims[to_a.rank++] = s.dims[s.rank - 2 + i];
        to_b.dims[to_b.rank++] = u.dims[u.rank - 2 + i];
    }
    if (!tg_shape_equal(&to_a, &s)) *a = tg_expand_at(site, *a, to_a);
    if (!tg_shape_equal(&to_b, &u)) *b = tg_expand_at(site, *b, to_b);
}

static tg_tensor apply_system(const char *site, const tg_op *op, tg_tensor a, tg_tensor b, int64_t flags) {
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){a, b}, 2);
    solve_attr attr = {flags};
    if (t && tg_valid(a) && tg_valid(b)) {
        if (!tg_tape_of(a)) a = tg_on_at(site, t, a);
        if (!tg_tape_of(b)) b = tg_on_at(site, t, b);
        expand_batches(site, &a, &b);
    }
    return tg_apply_at(site, NULL, op, &attr, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ triangular_solve */

static tg_status triangular_infer(tg_infer *f) {
    int64_t flags = ((const solve_attr *)f->attr)->flags;
    if (flags & ~(int64_t)(TG_LOWER | TG_TRANSPOSED | TG_UNIT))
        return tg_infer_fail(f, TG_EARG, "%lld is no set of tg_triangle", (long long)flags);
    return system_infer(f);
}

static int triangular_one(const tg__matrices *a, int64_t matrix, double *work) {
    const tg_operand *b = &a->k->in[1];
    int64_t flags = ((const solve_attr *)a->k->attr)->flags, columns = b->shape->dims[b->shape->rank - 1];
    double *x = work + a->n * a->n;
    tg__load(&a->k->in[0], matrix, a->n, a->n, false, work);
    tg__load(b, matrix, a->n, columns, false, x);
    int code = tg__lapack_triangular_solve((int)a->n, (int)columns, flags & TG_LOWER, flags & TG_TRANSPOSED, flags & TG_UNIT,
                                           work, x);
    if (!code) tg__store(&a->k->out[0], matrix, a->n, columns, false, x);
    return code;
}

static tg_status triangular_kernel(tg_kernel_args *k) { return run_system(k, triangular_one); }
static tg_status triangular_ref(tg_kernel_args *k) { return system_ref(k, true); }

static void triangular_vjp(tg_vjp_args *v) {
    int64_t flags = ((const solve_attr *)v->attr)->flags;
    tg_tensor x = v->out[0], db = tg_triangular_solve(v->in[0], v->g[0], (int)(flags ^ TG_TRANSPOSED));
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, db);
    if (!tg_vjp_needs(v, 0)) return;
    tg_tensor da = tg_neg(flags & TG_TRANSPOSED ? tg_matmul(x, tg_transpose(db)) : tg_matmul(db, tg_transpose(x)));
    bool strict = flags & TG_UNIT;
    tg_vjp_give(v, 0, flags & TG_LOWER ? tg__lower_part(da, strict) : tg__upper_part(da, strict));
}

#define FLAGS(x) .attr = &(const solve_attr){x}
const tg_op tg__op_triangular_solve = {
    .name = "triangular_solve",
    .formula = "A X = B, A triangular",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.3.1",
    .min_in = 2,
    .max_in = 2,
    .flags = TG_OP_CAN_FAIL,
    .attr_size = sizeof(solve_attr),
    .fields = solve_fields,
    .infer = triangular_infer,
    .vjp = triangular_vjp,
    .kernel = triangular_kernel,
    .scratch = system_scratch,
    .ref = triangular_ref,
    .flops = system_flops,
    SAMPLES(SAMPLE("lower", INPUTS(REGULAR((3, 3)), MATRIX((3, 2))), FLAGS(TG_LOWER)),
            SAMPLE("upper", INPUTS(REGULAR((3, 3)), MATRIX((3, 2))), FLAGS(0)),
            SAMPLE("lower, transposed", INPUTS(REGULAR((3, 3)), MATRIX((3, 2))), FLAGS(TG_LOWER | TG_TRANSPOSED)),
            SAMPLE("upper, transposed, ones", INPUTS(REGULAR((3, 3)), MATRIX((3, 1))), FLAGS(TG_TRANSPOSED | TG_UNIT)),
            SAMPLE("a batch", INPUTS(REGULAR((2, 3, 2, 2)), MATRIX((2, 3, 2, 4))), FLAGS(TG_LOWER | TG_UNIT)),
            SAMPLE("of size 0", INPUTS(REGULAR((2, 0, 0)), MATRIX((2, 0, 3))), FLAGS(TG_LOWER)),
            SAMPLE("no column", INPUTS(REGULAR((3, 3)), MATRIX((3, 0))), FLAGS(TG_LOWER))),
    BADS(SYSTEM_BADS(FLAGS(TG_LOWER)),
         BAD("other flags", TG_EARG, "64 is no set", INPUTS(REGULAR((3, 3)), MATRIX((3, 2))), FLAGS(64))),
};

/*| tg_triangular_solve: solves systems with triangular matrices. Of A only the triangle that `triangle` names is read.
 *    A X = B, or A^T X = B with TG_TRANSPOSED
 *  Shapes:   A (..., n, n), B (..., n, m), batch axes broadcast -> X (..., n, m)
 *  Dtypes:   f32 (computed in f64 and rounded), f64, the same for both
 *  Gradient: dB = A^-T g, dA = the triangle of -dB X^T (with TG_TRANSPOSED A^-1 g and -X dB^T); 0 on a diagonal of TG_UNIT
 *  Errors:   TG_ESHAPE if shapes do not fit; TG_EDTYPE for other dtypes; TG_EARG for other flags; TG_EUNSUPPORTED without
 *            LAPACK; when run, TG_EARG if a diagonal has a 0
 *  Source:   LAPACK's trtrs; Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.3.1 */
TG_API(tg_tensor, tg_triangular_solve, (tg_tensor a, tg_tensor b, int triangle), (a, b, triangle)) {
    return apply_system(site, &tg__op_triangular_solve, a, b, triangle);
}

/* ------------------------------------------------------------------ solve, inverse */

static int solve_one(const tg__matrices *a, int64_t matrix, double *work) {
    const tg_operand *b = &a->k->in[1];
    int64_t columns = b->shape->dims[b->shape->rank - 1];
    double *x = work + a->n * a->n;
    int *pivots = (int *)(void *)(x + a->n * columns);
    tg__load(&a->k->in[0], matrix, a->n, a->n, ((const solve_attr *)a->k->attr)->flags & TG_TRANSPOSED, work);
    tg__load(b, matrix, a->n, columns, false, x);
    int code = tg__lapack_lu((int)a->n, work, pivots);
    if (!code) code = tg__lapack_lu_solve((int)a->n, (int)columns, work, pivots, x);
    if (!code) tg__store(&a->k->out[0], matrix, a->n, columns, false, x);
    return code;
}

static tg_status solve_kernel(tg_kernel_args *k) { return run_system(k, solve_one); }
static tg_status solve_ref(tg_kernel_args *k) { return system_ref(k, false); }

extern const tg_op tg__op_solve;

static tg_tensor solve_with(tg_tensor a, tg_tensor b, bool transposed) {
    return apply_system(NULL, &tg__op_solve, a, b, transposed ? TG_TRANSPOSED : 0);
}

static void solve_vjp(tg_vjp_args *v) {
    bool transposed = ((const solve_attr *)v->attr)->flags & TG_TRANSPOSED;
    tg_tensor x = v->out[0], db = solve_with(v->in[0], v->g[0], !transposed);
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, db);
    if (tg_vjp_needs(v, 0))
        tg_vjp_give(v, 0, tg_neg(transposed ? tg_matmul(x, tg_transpose(db)) : tg_matmul(db, tg_transpose(x))));
}

const tg_op tg__op_solve = {
    .name = "solve",
    .formula = "A X = B",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.3.1",
    .min_in = 2,
    .max_in = 2,
    .flags = TG_OP_CAN_FAIL,
    .attr_size = sizeof(solve_attr),
    .fields = solve_fields,
    .infer = system_infer,
    .vjp = solve_vjp,
    .kernel = solve_kernel,
    .scratch = system_scratch,
    .ref = solve_ref,
    .flops = system_flops,
    SAMPLES(SAMPLE("a matrix", INPUTS(REGULAR((3, 3)), MATRIX((3, 2))), FLAGS(0)),
            SAMPLE("transposed", INPUTS(REGULAR((4, 4)), MATRIX((4, 1))), FLAGS(TG_TRANSPOSED)),
            SAMPLE("a batch", INPUTS(REGULAR((2, 3, 2, 2)), MATRIX((2, 3, 2, 4))), FLAGS(0)),
            SAMPLE("of size 0", INPUTS(REGULAR((2, 0, 0)), MATRIX((2, 0, 3))), FLAGS(0))),
    BADS(SYSTEM_BADS(FLAGS(0))),
};

/*| tg_solve: solves systems of linear equations, by LU factors with row exchanges. A vector b is one column.
 *    A X = B
 *  Shapes:   A (..., n, n), B (..., n, m), batch axes broadcast -> X (..., n, m); b (n) -> x (..., n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64, the same for both
 *  Gradient: dB = A^-T g, dA = -dB X^T, summed over broadcast axes
 *  Errors:   TG_ESHAPE if shapes do not fit; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG if a
 *            matrix is singular
 *  Source:   LAPACK's getrf, getrs; Giles 2008, Collected matrix derivative results for forward and reverse mode, 2.3.1 */
TG_API(tg_tensor, tg_solve, (tg_tensor a, tg_tensor b), (a, b)) {
    if (tg_shape_of(b).rank != 1 || !tg_valid(b) || !tg_tape_of(b)) return apply_system(site, &tg__op_solve, a, b, 0);
    tg_tensor x = apply_system(site, &tg__op_solve, a, tg_unsqueeze_at(site, b, TG_AXES(1)), 0);
    return tg_squeeze_at(site, x, TG_AXES(-1));
}

static tg_tensor inverse_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return solve_with(in[0], tg__eye_like(in[0]), false);
}

const tg_op tg__op_inverse = {
    .name = "inverse",
    .formula = "A Y = I",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.3",
    .min_in = 1,
    .max_in = 1,
    .infer = cholesky_infer,
    .define = inverse_define,
    SAMPLES(SAMPLE("a matrix", INPUTS(REGULAR((3, 3)))), SAMPLE("a batch", INPUTS(REGULAR((2, 3, 2, 2)))),
            SAMPLE("of size 0", INPUTS(REGULAR((2, 0, 0))))),
    BADS(SQUARE_BADS),
};

/*| tg_inverse: the inverse of matrices. To solve equations tg_solve is faster and more exact.
 *    A Y = I
 *  Shapes:   A (..., n, n) -> Y (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = -Y^T g Y^T
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG if a matrix is singular
 *  Source:   Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.3 */
TG_API(tg_tensor, tg_inverse, (tg_tensor a), (a)) {
    return tg_apply_at(site, NULL, &tg__op_inverse, NULL, &a, 1);
}

/* ------------------------------------------------------------------ slogdet, det */

static tg_status slogdet_infer(tg_infer *f) {
    tg_status s = tg__matrix_infer(f, 0, true);
    if (s) return s;
    f->shape[0] = *f->in_shape[0];
    f->shape[0].rank -= 2;
    f->shape[1] = f->shape[0];
    f->dtype[0] = f->dtype[1] = f->in_dtype[0];
    return tg__lapack_needed(f);
}

static void set(const tg_operand *y, int64_t i, double value) {
    if (y->dtype == TG_F32) ((float *)y->data)[i] = (float)value;
    else ((double *)y->data)[i] = value;
}

/* From LU factors in columns; a row exchange turns the sign. */
static void set_slogdet(const tg_operand *out, int64_t matrix, int64_t n, const double *lu, const int *pivots) {
    double sign = 1, log_abs = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = lu[i * (n + 1)];
        if (pivots && pivots[i] != i + 1) sign = -sign;
        sign *= (d > 0) - (d < 0);
        log_abs += log(fabs(d));
    }
    set(&out[0], matrix, log_abs);
    set(&out[1], matrix, sign);
}

static int slogdet_one(const tg__matrices *a, int64_t matrix, double *work) {
    int *pivots = (int *)(void *)(work + a->n * a->n);
    tg__load(&a->k->in[0], matrix, a->n, a->n, false, work);
    int code = tg__lapack_lu((int)a->n, work, pivots);
    set_slogdet(a->k->out, matrix, a->n, work, pivots); /* a pivot of 0 is a determinant of 0 */
    return code < 0 ? code : 0;
}

static size_t slogdet_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)attr, (void)threads;
    int64_t n = in[0].shape->dims[in[0].shape->rank - 1];
    return (size_t)(out[0].numel * system_work(n, 0)) * sizeof(double);
}

static tg_status slogdet_kernel(tg_kernel_args *k) {
    int64_t n = k->in[0].shape->dims[k->in[0].shape->rank - 1];
    tg__matrices a = {.k = k, .work = system_work(n, 0), .one = slogdet_one, .failure = singular};
    for (int64_t i = 0; i < k->out[0].numel && !n; i++) set_slogdet(k->out, i, 0, NULL, NULL);
    return n ? tg__for_each_matrix(&a) : TG_OK;
}

/* By Laplace's expansion along the first row. */
static double laplace(const double *a, int64_t n, unsigned columns, int64_t row) {
    if (row == n) return 1;
    double sum = 0, sign = 1;
    for (int64_t j = 0; j < n; j++) {
        if (!(columns >> j & 1)) continue;
        sum += sign * a[row * n + j] * laplace(a, n, columns & ~(1u << j), row + 1);
        sign = -sign;
    }
    return sum;
}

static tg_status slogdet_ref(tg_kernel_args *k) {
    int64_t n = k->in[0].shape->dims[k->in[0].shape->rank - 1];
    for (int64_t i = 0; i < k->out[0].numel; i++) {
        double d = laplace((const double *)k->in[0].data + i * n * n, n, (1u << n) - 1, 0);
        set(&k->out[0], i, log(fabs(d)));
        set(&k->out[1], i, (d > 0) - (d < 0));
    }
    return TG_OK;
}

static tg_tensor as_matrices(tg_tensor x) { return tg_unsqueeze(x, TG_AXES(-2, -1)); }

static void slogdet_vjp(tg_vjp_args *v) {
    if (tg__is_none(v->g[0])) return; /* the sign is constant */
    tg_vjp_give(v, 0, tg_mul(solve_with(v->in[0], tg__eye_like(v->in[0]), true), as_matrices(v->g[0])));
}

const tg_op tg__op_slogdet = {
    .name = "slogdet",
    .formula = "y = log |det A|, and the sign of det A",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.4",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = slogdet_infer,
    .vjp = slogdet_vjp,
    .kernel = slogdet_kernel,
    .scratch = slogdet_scratch,
    .ref = slogdet_ref,
    .flops = cube_flops,
    SAMPLES(SAMPLE("a matrix", INPUTS(REGULAR((3, 3)))), SAMPLE("a batch", INPUTS(REGULAR((2, 3, 2, 2)))),
            SAMPLE("without a large diagonal", INPUTS(IN('f', (4, 4)))), SAMPLE("of size 0", INPUTS(REGULAR((2, 0, 0))))),
    BADS(SQUARE_BADS),
};

/*| tg_slogdet: the logarithm of the absolute value of determinants, and their sign: 1, -1, or 0 with the logarithm -infinity.
 *  Does not overflow. sign may be NULL.
 *    y = log |det A|
 *  Shapes:   A (..., n, n) -> y (...), sign (...)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = g A^-T; no gradient flows through the sign
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; the
 *            gradient, when run, is TG_EARG if a matrix is singular
 *  Source:   LAPACK's getrf; Giles 2008, Collected matrix derivative results for forward and reverse mode, 2.2.4 */
TG_API(tg_tensor, tg_slogdet, (tg_tensor a, tg_tensor *sign), (a, sign)) {
    tg_tensor outs[2];
    tg_apply_n_at(site, NULL, &tg__op_slogdet, NULL, &a, 1, outs);
    if (sign) *sign = outs[1];
    return outs[0];
}

static tg_tensor det_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor sign, log_abs = tg_slogdet(in[0], &sign);
    return tg_mul(tg_stop_gradient(sign), tg_exp(log_abs));
}

const tg_op tg__op_det = {
    .name = "det",
    .formula = "y = det A",
    .source = "Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.4",
    .min_in = 1,
    .max_in = 1,
    .infer = slogdet_infer,
    .define = det_define,
    SAMPLES(SAMPLE("a matrix", INPUTS(REGULAR((3, 3)))), SAMPLE("a batch", INPUTS(REGULAR((2, 3, 2, 2)))),
            SAMPLE("without a large diagonal", INPUTS(IN('f', (4, 4)))), SAMPLE("of size 0", INPUTS(REGULAR((2, 0, 0))))),
    BADS(SQUARE_BADS),
};

/*| tg_det: the determinant of matrices; tg_slogdet does not overflow.
 *    y = det A
 *  Shapes:   A (..., n, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: dA = g y A^-T: of regular matrices only, though the derivative of a singular one exists
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; the
 *            gradient, when run, is TG_EARG if a matrix is singular
 *  Source:   Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.4 */
TG_API(tg_tensor, tg_det, (tg_tensor a), (a)) {
    return tg_apply_at(site, NULL, &tg__op_det, NULL, &a, 1);
}
