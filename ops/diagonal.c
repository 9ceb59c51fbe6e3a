/* Diagonals and triangles */
#include "ops/op_file.h"

/* Of matrices (rows x columns): diagonal `offset` has the elements (i, i + offset); negative ones lie below the main one. */
static int64_t first_row(int64_t offset) { return offset < 0 ? -offset : 0; }
static int64_t first_column(int64_t offset) { return offset > 0 ? offset : 0; }

static int64_t length(int64_t rows, int64_t columns, int64_t offset) {
    int64_t down = rows - first_row(offset), right = columns - first_column(offset), n = down < right ? down : right;
    return n > 0 ? n : 0;
}

/* No diagonal lies further out, and smaller numbers do not overflow. */
static int64_t within(int64_t offset, int64_t most) { return offset < -most ? -most : offset > most ? most : offset; }

#define FAR ((int64_t)1 << 52)

/* Column minus row, in whole numbers: 0 on the main diagonal. */
static tg_tensor offsets(tg_tape *t, int64_t rows, int64_t columns) {
    return tg_sub(tg_arange(t, columns, TG_I64), tg_unsqueeze(tg_arange(t, rows, TG_I64), TG_AXES(1)));
}

static tg_tensor whole(tg_tape *t, int64_t value) { return tg_full(t, TG_SCALAR, (double)value, TG_I64); }

typedef struct offset_attr {
    int64_t offset;
} offset_attr;
static const tg_field offset_fields[] = {{"offset", TG_FIELD_INT, offsetof(offset_attr, offset)}, {NULL, TG_FIELD_INT, 0}};

static tg_status matrix_infer(tg_infer *f) {
    if (f->in_shape[0]->rank < 2) return tg_infer_fail(f, TG_ESHAPE, "rank %d is less than 2", f->in_shape[0]->rank);
    int64_t offset = ((const offset_attr *)f->attr)->offset;
    if (offset != within(offset, FAR)) return tg_infer_fail(f, TG_EARG, "the offset %lld", (long long)offset);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

#define OFFSET(n) .attr = &(const offset_attr){n}
#define MATRIX_BADS                                                                                  \
    BADS(BAD("a vector", TG_ESHAPE, "rank 1", INPUTS(IN('f', (3))), OFFSET(0)),                      \
         BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ())), OFFSET(0)),                         \
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 3)), IN('f', (3, 3))), OFFSET(0)),   \
         BAD("too far out", TG_EARG, "the offset", INPUTS(IN('f', (3, 3))), OFFSET(INT64_MAX)),      \
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3, 3)))))
#define MATRIX_OP(op_name, formula_)                                                                 \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1,         \
    .attr_size = sizeof(offset_attr), .fields = offset_fields, .infer = op_name##_infer, MATRIX_BADS

static tg_tensor with_offset(const char *site, const tg_op *op, tg_tensor x, int64_t offset) {
    offset_attr attr = {within(offset, FAR)};
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

/* ------------------------------------------------------------------ diagonal: a view */

static tg_status diagonal_infer(tg_infer *f) {
    tg_status s = matrix_infer(f);
    int last = f->shape[0].rank - 1;
    if (s) return s;
    f->shape[0].dims[last - 1] =
        length(f->shape[0].dims[last - 1], f->shape[0].dims[last], ((const offset_attr *)f->attr)->offset);
    f->shape[0].rank = last;
    return TG_OK;
}

static bool diagonal_view(tg_view_args *v) {
    int last = v->in_shape->rank - 1;
    int64_t offset = ((const offset_attr *)v->attr)->offset, down = v->in_strides[last - 1], right = v->in_strides[last];
    memcpy(v->out_strides, v->in_strides, (size_t)last * sizeof *v->in_strides);
    v->out_strides[last - 1] = (int64_t)((uint64_t)down + (uint64_t)right); /* of no elements a stride may be any number */
    v->offset = v->out_shape->dims[last - 1] ? first_row(offset) * down + first_column(offset) * right : 0;
    return true;
}

static tg_status diagonal_ref(tg_kernel_args *k) {
    int last = k->in[0].shape->rank - 1;
    int64_t rows = k->in[0].shape->dims[last - 1], columns = k->in[0].shape->dims[last], n = k->out[0].shape->dims[last - 1];
    int64_t offset = ((const offset_attr *)k->attr)->offset, first = first_row(offset) * columns + first_column(offset);
    for (int64_t i = 0; i < k->out[0].numel; i++)
        ((double *)k->out[0].data)[i] =
            ((const double *)k->in[0].data)[i / n * rows * columns + first + i % n * (columns + 1)];
    return TG_OK;
}

typedef struct diag_attr {
    int64_t rows, columns, offset;
} diag_attr;
static const tg_field diag_fields[] = {
    {"rows", TG_FIELD_INT, offsetof(diag_attr, rows)},
    {"columns", TG_FIELD_INT, offsetof(diag_attr, columns)},
    {"offset", TG_FIELD_INT, offsetof(diag_attr, offset)},
    {NULL, TG_FIELD_INT, 0},
};

extern const tg_op tg__op_diag;

static void diagonal_vjp(tg_vjp_args *v) {
    tg_shape s = tg_shape_of(v->in[0]);
    diag_attr attr = {s.dims[s.rank - 2], s.dims[s.rank - 1], ((const offset_attr *)v->attr)->offset};
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_diag, &attr, &v->g[0], 1));
}

const tg_op tg__op_diagonal = {
    MATRIX_OP(diagonal, "y[..., i] = x[..., i, i + offset]"),
    .vjp = diagonal_vjp,
    .view = diagonal_view,
    .ref = diagonal_ref,
    SAMPLES(SAMPLE("the main one", INPUTS(IN('f', (4, 4))), OFFSET(0)), SAMPLE("above", INPUTS(IN('f', (3, 5))), OFFSET(1)),
            SAMPLE("below", INPUTS(IN('f', (5, 3))), OFFSET(-2)), SAMPLE("a batch", INPUTS(IN('f', (2, 3, 4))), OFFSET(1)),
            SAMPLE("outside", INPUTS(IN('f', (3, 3))), OFFSET(7)), SAMPLE("nothing", INPUTS(IN('f', (0, 3))), OFFSET(0))),
};

/*| tg_diagonal: a diagonal of matrices: the main one with offset 0, above it with offset > 0, below it with offset < 0. A view:
 *  no memory is used.
 *    y[..., i] = x[..., i, i + offset]
 *  Shapes:   x (..., m, n) -> y (..., elements of the diagonal), 0 of them outside the matrix
 *  Dtypes:   every dtype
 *  Gradient: dx = g on the diagonal, else 0
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_API(tg_tensor, tg_diagonal, (tg_tensor x, int64_t offset), (x, offset)) {
    return with_offset(site, &tg__op_diagonal, x, offset);
}

/* ------------------------------------------------------------------ diag: its transpose */

static tg_status diag_infer(tg_infer *f) {
    const diag_attr *a = f->attr;
    const tg_shape *x = f->in_shape[0];
    if (!x->rank) return tg_infer_fail(f, TG_ESHAPE, "rank 0 has no axis");
    if (x->rank == TG_MAX_RANK) return tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", x->rank + 1, TG_MAX_RANK);
    if (a->rows < 0 || a->columns < 0 || a->offset != within(a->offset, FAR))
        return tg_infer_fail(f, TG_EARG, "%lld rows, %lld columns, offset %lld", (long long)a->rows, (long long)a->columns,
                             (long long)a->offset);
    if (x->dims[x->rank - 1] != length(a->rows, a->columns, a->offset))
        return tg_infer_fail(f, TG_ESHAPE, "diagonal %lld of %lld rows and %lld columns has %lld elements",
                             (long long)a->offset, (long long)a->rows, (long long)a->columns,
                             (long long)length(a->rows, a->columns, a->offset));
    f->shape[0] = *x;
    f->shape[0].dims[x->rank - 1] = a->rows;
    f->shape[0].dims[f->shape[0].rank++] = a->columns;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* Each row has its element, or none, in one column. */
static tg_tensor diag_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const diag_attr *a = attr;
    tg_shape s = tg_shape_of(in[0]);
    int last = s.rank - 1;
    tg_padding rows = {.before[0] = 0};
    rows.before[last] = s.dims[last] ? first_row(a->offset) : 0;
    rows.after[last] = a->rows - rows.before[last] - s.dims[last];
    tg_tensor x = rows.before[last] || rows.after[last] ? tg_pad(in[0], rows) : in[0];
    tg_tensor on = tg_eq(offsets(t, a->rows, a->columns), whole(t, a->offset));
    return tg_where(on, tg_unsqueeze(x, TG_AXES(-1)), tg__zero_like(x));
}

#define INTO(rows, columns, offset) .attr = &(const diag_attr){rows, columns, offset}

const tg_op tg__op_diag = {
    .name = "diag",
    .formula = "y[..., i, i + offset] = x[..., i], else 0",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(diag_attr),
    .fields = diag_fields,
    .infer = diag_infer,
    .define = diag_define,
    SAMPLES(SAMPLE("the main one", INPUTS(IN('f', (3))), INTO(3, 3, 0)),
            SAMPLE("above", INPUTS(IN('f', (3))), INTO(5, 5, 2)), SAMPLE("below", INPUTS(IN('f', (3))), INTO(4, 4, -1)),
            SAMPLE("a batch", INPUTS(IN('f', (2, 3))), INTO(4, 4, 1)),
            SAMPLE("not square", INPUTS(IN('f', (2))), INTO(4, 3, -2)),
            SAMPLE("nothing", INPUTS(IN('f', (0))), INTO(2, 2, -2))),
    BADS(BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ())), INTO(1, 1, 0)),
         BAD("too many elements", TG_ESHAPE, "has 2 elements", INPUTS(IN('f', (3))), INTO(3, 3, 1)),
         BAD("negative rows", TG_EARG, "-1 rows", INPUTS(IN('f', (0))), INTO(-1, 3, 0)),
         BAD("too far out", TG_EARG, "offset", INPUTS(IN('f', (0))), INTO(1, 3, INT64_MIN)),
         BAD("rank too high", TG_ESHAPE, "rank 9", INPUTS(IN('f', (1, 1, 1, 1, 1, 1, 1, 1))), INTO(1, 1, 0))),
};

/*| tg_diag: square matrices with x on a diagonal and zeros elsewhere: the transpose of tg_diagonal.
 *    y[..., i, i + offset] = x[..., i], else 0
 *  Shapes:   x (..., n) -> y (..., n + |offset|, n + |offset|)
 *  Dtypes:   every dtype
 *  Gradient: dx = the diagonal of g
 *  Errors:   TG_ESHAPE if x has rank 0 or 8
 *  Source:   elementary */
TG_API(tg_tensor, tg_diag, (tg_tensor x, int64_t offset), (x, offset)) {
    tg_shape s = tg_shape_of(x);
    int64_t at = within(offset, FAR), n = (s.rank ? s.dims[s.rank - 1] : 0) + first_row(at) + first_column(at);
    diag_attr attr = {n, n, at};
    return tg_apply_at(site, NULL, &tg__op_diag, &attr, &x, 1);
}

/* ------------------------------------------------------------------ triangles */

static tg_status tril_infer(tg_infer *f) { return matrix_infer(f); }
static tg_status triu_infer(tg_infer *f) { return matrix_infer(f); }

static tg_tensor tril_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    tg_shape s = tg_shape_of(in[0]);
    tg_tensor at = offsets(t, s.dims[s.rank - 2], s.dims[s.rank - 1]);
    return tg_where(tg_le(at, whole(t, ((const offset_attr *)attr)->offset)), in[0], tg__zero_like(in[0]));
}

static tg_tensor triu_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    tg_shape s = tg_shape_of(in[0]);
    tg_tensor at = offsets(t, s.dims[s.rank - 2], s.dims[s.rank - 1]);
    return tg_where(tg_ge(at, whole(t, ((const offset_attr *)attr)->offset)), in[0], tg__zero_like(in[0]));
}

#define TRIANGLE_SAMPLES                                                                                     \
    SAMPLES(SAMPLE("square", INPUTS(IN('f', (4, 4))), OFFSET(0)), SAMPLE("more of it", INPUTS(IN('f', (3, 5))), OFFSET(1)), \
            SAMPLE("less of it", INPUTS(IN('f', (5, 3))), OFFSET(-2)),                                       \
            SAMPLE("a batch", INPUTS(IN('f', (2, 3, 4))), OFFSET(0)),                                        \
            SAMPLE("outside", INPUTS(IN('f', (3, 3))), OFFSET(7)), SAMPLE("nothing", INPUTS(IN('f', (0, 3))), OFFSET(0)))

const tg_op tg__op_tril = {
    MATRIX_OP(tril, "y[..., i, j] = x[..., i, j] if j - i <= offset, else 0"),
    .define = tril_define,
    TRIANGLE_SAMPLES,
};

/*| tg_tril: the lower triangles of matrices, up to a diagonal. What is above counts as nothing, NaN included.
 *    y[..., i, j] = x[..., i, j] if j - i <= offset, else 0
 *  Shapes:   x (..., m, n) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = the lower triangle of g
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_API(tg_tensor, tg_tril, (tg_tensor x, int64_t offset), (x, offset)) {
    return with_offset(site, &tg__op_tril, x, offset);
}

const tg_op tg__op_triu = {
    MATRIX_OP(triu, "y[..., i, j] = x[..., i, j] if j - i >= offset, else 0"),
    .define = triu_define,
    TRIANGLE_SAMPLES,
};

/*| tg_triu: the upper triangles of matrices, from a diagonal on. What is below counts as nothing, NaN included.
 *    y[..., i, j] = x[..., i, j] if j - i >= offset, else 0
 *  Shapes:   x (..., m, n) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = the upper triangle of g
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_API(tg_tensor, tg_triu, (tg_tensor x, int64_t offset), (x, offset)) {
    return with_offset(site, &tg__op_triu, x, offset);
}

/* ------------------------------------------------------------------ eye */

typedef struct eye_attr {
    int64_t rows, columns;
    tg_dtype dtype;
} eye_attr;
static const tg_field eye_fields[] = {
    {"rows", TG_FIELD_INT, offsetof(eye_attr, rows)},
    {"columns", TG_FIELD_INT, offsetof(eye_attr, columns)},
    {"dtype", TG_FIELD_DTYPE, offsetof(eye_attr, dtype)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status eye_infer(tg_infer *f) {
    const eye_attr *a = f->attr;
    if (a->rows < 0 || a->columns < 0)
        return tg_infer_fail(f, TG_EARG, "%lld rows, %lld columns", (long long)a->rows, (long long)a->columns);
    if ((unsigned)a->dtype >= TG_DTYPE_COUNT) return tg_infer_fail(f, TG_EDTYPE, "%d is no dtype", (int)a->dtype);
    f->shape[0] = TG_SHAPE(a->rows, a->columns);
    f->dtype[0] = a->dtype;
    return TG_OK;
}

static tg_tensor eye_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)in, (void)n_in;
    const eye_attr *a = attr;
    return tg_cast(tg_eq(offsets(t, a->rows, a->columns), whole(t, 0)), a->dtype);
}

#define OF(rows, columns, dtype) .attr = &(const eye_attr){rows, columns, dtype}

const tg_op tg__op_eye = {
    .name = "eye",
    .formula = "y[i, j] = 1 if i = j, else 0",
    .source = "elementary",
    .flags = TG_OP_CUT,
    .attr_size = sizeof(eye_attr),
    .fields = eye_fields,
    .infer = eye_infer,
    .define = eye_define,
    SAMPLES(SAMPLE("square", OF(4, 4, TG_F32)), SAMPLE("wide", OF(2, 5, TG_F64)), SAMPLE("high", OF(5, 2, TG_I64)),
            SAMPLE("truth values", OF(3, 3, TG_BOOL)), SAMPLE("nothing", OF(0, 3, TG_F32))),
    BADS(BAD("negative rows", TG_EARG, "-1 rows", OF(-1, 3, TG_F32)),
         BAD("negative columns", TG_EARG, "-2 columns", OF(1, -2, TG_F32)),
         BAD("no dtype", TG_EDTYPE, "77 is no dtype", OF(3, 3, (tg_dtype)77)),
         BAD("an input", TG_EARG, "not 1", INPUTS(IN('f', (3))), OF(3, 3, TG_F32)), BAD("no attribute", TG_EARG, "missing", )),
};

/*| tg_eye: ones on the main diagonal, zeros elsewhere: with equal sizes the identity matrix.
 *    y[i, j] = 1 if i = j, else 0
 *  Shapes:   y (rows, columns)
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if rows or columns is negative; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_API(tg_tensor, tg_eye, (tg_tape *t, int64_t rows, int64_t columns, tg_dtype dtype), (t, rows, columns, dtype)) {
    eye_attr attr = {rows, columns, dtype};
    return tg_apply_at(site, t, &tg__op_eye, &attr, NULL, 0);
}
