/* Products of vectors, diagonals and norms of matrices */
#include "ops/algebra.h"

#include "ops/factor.h"

#define LAST TG_AXES(-1)

static tg_status floats_infer(tg_infer *f) {
    for (int i = 0; i < f->n_in; i++)
        if (!tg_dtype_is_float(f->in_dtype[i]) || f->in_dtype[i] != f->in_dtype[0])
            return tg_infer_fail(f, TG_EDTYPE, "all must be f32 or all f64, not %s: cast with tg_cast",
                                 tg_dtype_name(f->in_dtype[i]));
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* ------------------------------------------------------------------ dot, outer */

/* The batch axes of two vectors; rank 0 has no vector. */
static tg_status vectors_infer(tg_infer *f) {
    tg_status s = floats_infer(f);
    if (s) return s;
    tg_shape a = *f->in_shape[0], b = *f->in_shape[1];
    if (!a.rank || !b.rank) return tg_infer_fail(f, TG_ESHAPE, "a number is no vector: use tg_mul");
    a.rank--, b.rank--;
    if (!tg_broadcast(&a, &b, &f->shape[0], NULL)) return tg_infer_fail(f, TG_ESHAPE, "the batch axes do not broadcast");
    return TG_OK;
}

static tg_status dot_infer(tg_infer *f) {
    tg_status s = vectors_infer(f);
    const tg_shape *a = f->in_shape[0], *b = f->in_shape[1];
    if (!s && a->dims[a->rank - 1] != b->dims[b->rank - 1]) s = tg_infer_fail(f, TG_ESHAPE, "the vectors' sizes differ");
    return s;
}

static tg_tensor dot_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_sum(tg_mul(in[0], in[1]), LAST, false);
}

#define VECTORS_BADS                                                                                          \
    BAD("a number", TG_ESHAPE, "use tg_mul", INPUTS(IN('f', ()), IN('f', (3)))),                              \
    BAD("batches that do not broadcast", TG_ESHAPE, "batch axes", INPUTS(IN('f', (2, 3)), IN('f', (4, 3)))),  \
    BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('i', (3)))),                            \
    BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3)), IN('i', (3)))),                           \
    BAD("one input", TG_EARG, "not 1", INPUTS(IN('f', (3))))

const tg_op tg__op_dot = {
    .name = "dot",
    .formula = "y = sum of a b over the last axis",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .infer = dot_infer,
    .define = dot_define,
    SAMPLES(SAMPLE("vectors", INPUTS(IN('f', (5)), IN('f', (5)))),
            SAMPLE("a batch", INPUTS(IN('f', (2, 1, 3)), IN('f', (4, 3)))),
            SAMPLE("of size 0", INPUTS(IN('f', (0)), IN('f', (0))))),
    BADS(VECTORS_BADS, BAD("sizes differ", TG_ESHAPE, "sizes differ", INPUTS(IN('f', (3)), IN('f', (1))))),
};

/*| tg_dot: the inner product of vectors, along the last axis.
 *    y = sum of a b over the last axis
 *  Shapes:   a (..., n), b (..., n), batch axes broadcast -> y (...)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g a, summed over broadcast axes
 *  Errors:   TG_ESHAPE if the sizes differ or batch axes do not broadcast; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_dot, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg_apply_at(site, NULL, &tg__op_dot, NULL, (tg_tensor[]){a, b}, 2);
}

static tg_status outer_infer(tg_infer *f) {
    tg_status s = vectors_infer(f);
    if (!s && f->shape[0].rank + 2 > TG_MAX_RANK)
        s = tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", f->shape[0].rank + 2, TG_MAX_RANK);
    return s;
}

static tg_tensor outer_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_mul(tg_unsqueeze(in[0], LAST), tg_unsqueeze(in[1], TG_AXES(-2)));
}

const tg_op tg__op_outer = {
    .name = "outer",
    .formula = "y[..., i, j] = a[..., i] b[..., j]",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .infer = outer_infer,
    .define = outer_define,
    SAMPLES(SAMPLE("vectors", INPUTS(IN('f', (3)), IN('f', (4)))),
            SAMPLE("a batch", INPUTS(IN('f', (2, 1, 3)), IN('f', (4, 2)))),
            SAMPLE("of size 0", INPUTS(IN('f', (0)), IN('f', (2))))),
    BADS(VECTORS_BADS),
};

/*| tg_outer: the outer product of vectors, along the last axis.
 *    y[..., i, j] = a[..., i] b[..., j]
 *  Shapes:   a (..., m), b (..., n), batch axes broadcast -> y (..., m, n)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g^T a, summed over broadcast axes
 *  Errors:   TG_ESHAPE if batch axes do not broadcast or one is a number; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_outer, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg_apply_at(site, NULL, &tg__op_outer, NULL, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ trace */

/* The rows that have a diagonal element, one after the other: it is every (n + 1)th element of them. */
tg_tensor tg__diagonal(tg_tensor x) {
    tg_shape s = tg_shape_of(x);
    int64_t m = s.dims[s.rank - 2], n = s.dims[s.rank - 1];
    tg_tensor rows = m > n ? tg_slice(x, -2, 0, n, 1) : x;
    s.rank--;
    s.dims[s.rank - 1] = (m < n ? m : n) * n;
    int64_t step = !m || !n ? 1 : n < INT64_MAX ? n + 1 : n; /* of no rows n may be any size */
    return tg_slice(tg_reshape(rows, s), -1, 0, TG_END, step);
}

static tg_status trace_infer(tg_infer *f) {
    tg_status s = floats_infer(f);
    if (!s && f->in_shape[0]->rank < 2) s = tg_infer_fail(f, TG_ESHAPE, "rank %d is no matrix", f->in_shape[0]->rank);
    f->shape[0] = *f->in_shape[0];
    f->shape[0].rank -= 2;
    return s;
}

static tg_tensor trace_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_sum(tg__diagonal(in[0]), LAST, false);
}

#define MATRIX_BADS(...)                                                                                      \
    BAD("a vector", TG_ESHAPE, "rank 1 is no matrix", INPUTS(IN('f', (3))), __VA_ARGS__),                     \
    BAD("a number", TG_ESHAPE, "rank 0 is no matrix", INPUTS(IN('f', ())), __VA_ARGS__),                      \
    BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 3))), __VA_ARGS__),                         \
    BAD("bool", TG_EDTYPE, "tg_cast", INPUTS(IN('b', (3, 3))), __VA_ARGS__),                                  \
    BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 3)), IN('f', (3, 3))), __VA_ARGS__)

const tg_op tg__op_trace = {
    .name = "trace",
    .formula = "y = sum of A[..., i, i]",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .infer = trace_infer,
    .define = trace_define,
    SAMPLES(SAMPLE("square", INPUTS(IN('f', (3, 3)))), SAMPLE("tall", INPUTS(IN('f', (4, 2)))),
            SAMPLE("wide, a batch", INPUTS(IN('f', (2, 2, 3)))), SAMPLE("no rows", INPUTS(IN('f', (0, 3)))),
            SAMPLE("no columns", INPUTS(IN('f', (3, 0))))),
    BADS(MATRIX_BADS(.attr = NULL)),
};

/*| tg_trace: the sum of the diagonal of matrices.
 *    y = sum of A[..., i, i]
 *  Shapes:   A (..., m, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: dA = g on the diagonal, else 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_trace, (tg_tensor a), (a)) {
    return tg_apply_at(site, NULL, &tg__op_trace, NULL, &a, 1);
}

/* ------------------------------------------------------------------ matrix_norm */

typedef struct norm_attr {
    int64_t kind;
} norm_attr;
static const tg_field norm_fields[] = {{"kind", TG_FIELD_INT, offsetof(norm_attr, kind)}, {NULL, TG_FIELD_INT, 0}};

static tg_status matrix_norm_infer(tg_infer *f) {
    int64_t kind = ((const norm_attr *)f->attr)->kind;
    tg_status s = trace_infer(f);
    if (s) return s;
    const tg_shape *a = f->in_shape[0];
    if (kind < TG_FROBENIUS || kind > TG_ROW_SUM) return tg_infer_fail(f, TG_EARG, "there is no norm %lld", (long long)kind);
    bool largest = kind == TG_SPECTRAL || kind == TG_COLUMN_SUM || kind == TG_ROW_SUM;
    if (largest && !(a->dims[a->rank - 1] && a->dims[a->rank - 2]))
        return tg_infer_fail(f, TG_ESHAPE, "a matrix without elements has no such norm");
    return kind == TG_NUCLEAR || kind == TG_SPECTRAL ? tg__lapack_needed(f) : TG_OK;
}

static tg_tensor matrix_norm_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg_tensor s;
    switch (((const norm_attr *)attr)->kind) {
    case TG_FROBENIUS: return tg_norm(in[0], 2, TG_AXES(-2, -1), false);
    case TG_COLUMN_SUM: return tg_max(tg_sum(tg_abs(in[0]), TG_AXES(-2), false), LAST, false);
    case TG_ROW_SUM: return tg_max(tg_sum(tg_abs(in[0]), LAST, false), LAST, false);
    default: break;
    }
    tg_svd(in[0], NULL, &s, NULL);
    if (((const norm_attr *)attr)->kind == TG_NUCLEAR) return tg_sum(s, LAST, false);
    return tg_squeeze(tg_slice(s, -1, 0, 1, 1), LAST);
}

#define KIND(x) .attr = &(const norm_attr){x}
#define APART(shape) INPUTS(IN('f', shape, .avoid = 0.05))
const tg_op tg__op_matrix_norm = {
    .name = "matrix_norm",
    .formula = "y = |A|, by kind",
    .source = "Golub, Van Loan 2013, Matrix computations, section 2.3",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(norm_attr),
    .fields = norm_fields,
    .infer = matrix_norm_infer,
    .define = matrix_norm_define,
    SAMPLES(SAMPLE("nuclear", APART((3, 2)), KIND(TG_NUCLEAR)), SAMPLE("spectral", APART((2, 3)), KIND(TG_SPECTRAL)),
            SAMPLE("Frobenius", APART((2, 3, 3)), KIND(TG_FROBENIUS)), SAMPLE("column sum", APART((3, 2)), KIND(TG_COLUMN_SUM)),
            SAMPLE("row sum", APART((2, 3, 2)), KIND(TG_ROW_SUM)), SAMPLE("none", APART((0, 3, 3)), KIND(TG_FROBENIUS))),
    BADS(MATRIX_BADS(KIND(TG_FROBENIUS)), BAD("no kind", TG_EARG, "no norm 9", INPUTS(IN('f', (2, 2))), KIND(9)),
         BAD("the largest of nothing", TG_ESHAPE, "without elements", INPUTS(IN('f', (2, 0))), KIND(TG_ROW_SUM))),
};

/*| tg_matrix_norm: a norm of matrices: TG_FROBENIUS, TG_NUCLEAR, TG_SPECTRAL, TG_COLUMN_SUM (also called the 1-norm) or
 *  TG_ROW_SUM (the infinity norm).
 *    y = (sum of A^2)^(1/2), sum of s, max of s, max over columns of (sum of |A|), max over rows of (sum of |A|); s: tg_svd
 *  Shapes:   A (..., m, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: of the Frobenius norm g A / y, 0 at A = 0; of the nuclear and spectral norms g U V^T and g u1 v1^T; of the sums
 *            g sign(A) in the largest column or row; where several are largest, as tg_max and tg_svd say
 *  Errors:   TG_ESHAPE if A is no matrix, or has no elements but the kind needs one; TG_EARG for another kind; TG_EDTYPE for
 *            other dtypes; TG_EUNSUPPORTED for the nuclear and spectral norms without LAPACK
 *  Source:   Golub, Van Loan 2013, Matrix computations, section 2.3 */
TG_API(tg_tensor, tg_matrix_norm, (tg_tensor a, tg_matrix_norm_kind kind), (a, kind)) {
    norm_attr attr = {kind};
    return tg_apply_at(site, NULL, &tg__op_matrix_norm, &attr, &a, 1);
}
