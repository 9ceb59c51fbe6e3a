/* What factorisations share */
#include "ops/factor.h"

#include <pthread.h>

tg_status tg__matrix_infer(tg_infer *f, int i, bool square) {
    const tg_shape *s = f->in_shape[i];
    if (!tg_dtype_is_float(f->in_dtype[i]) || f->in_dtype[i] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "all must be f32 or all f64, not %s: cast with tg_cast",
                             tg_dtype_name(f->in_dtype[i]));
    if (s->rank < 2)
        return tg_infer_fail(f, TG_ESHAPE, "input %d must be a matrix or a batch of them, not of rank %d", i, s->rank);
    if (square && s->dims[s->rank - 1] != s->dims[s->rank - 2])
        return tg_infer_fail(f, TG_ESHAPE, "the matrix must be square");
    for (int a = 1; a <= 2; a++)
        if (s->dims[s->rank - a] > TG__LAPACK_MOST)
            return tg_infer_fail(f, TG_ESHAPE, "matrices of more than %d rows or columns are not factorised", TG__LAPACK_MOST);
    return TG_OK;
}

tg_status tg__lapack_needed(tg_infer *f) {
#ifdef TG_HAVE_LAPACK
    (void)f;
    return TG_OK;
#else
    return tg_infer_fail(f, TG_EUNSUPPORTED, "tapegrad was built without LAPACK, which this op needs");
#endif
}

/* ------------------------------------------------------------------ kernels */

typedef struct batch {
    const tg__matrices *a;
    int64_t failed; /* the first matrix that failed; the size of the batch: none */
    int code;
    pthread_mutex_t lock;
} batch;

/* Of several failures the first matrix is named, whichever thread is faster. */
static void note_failure(batch *b, int64_t matrix, int code) {
    pthread_mutex_lock(&b->lock);
    if (matrix < b->failed) {
        b->failed = matrix;
        b->code = code;
    }
    pthread_mutex_unlock(&b->lock);
}

static void some_matrices(int64_t begin, int64_t end, void *ctx) {
    batch *b = ctx;
    for (int64_t i = begin; i < end; i++) {
        int code = b->a->one(b->a, i, (double *)b->a->k->scratch + i * b->a->work);
        if (code) note_failure(b, i, code);
    }
}

tg_status tg__for_each_matrix(tg__matrices *a) {
    const tg_shape *s = a->k->in[0].shape;
    a->m = s->dims[s->rank - 2];
    a->n = s->dims[s->rank - 1];
    int64_t count = tg__extent(s, 0, s->rank - 2);
    batch b = {a, count, 0, PTHREAD_MUTEX_INITIALIZER};
    double each = 10 * (double)(a->m * a->n) * (double)(a->m < a->n ? a->m : a->n);
    tg__lapack_begin();
    tg_parallel(a->k->threads, count, (double)count * each, some_matrices, &b);
    tg__lapack_end();
    if (b.failed == count) return TG_OK;
    char why[100] = "";
    a->failure(b.code, why, sizeof why);
    if (s->rank > 2) snprintf(a->k->message, a->k->message_size, "matrix %lld of the batch %s", (long long)b.failed, why);
    else snprintf(a->k->message, a->k->message_size, "the matrix %s", why);
    return TG_EARG;
}

static double element(const tg_operand *x, int64_t i) {
    return x->dtype == TG_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
}

void tg__load(const tg_operand *x, int64_t matrix, int64_t rows, int64_t columns, bool transposed, double *to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[transposed ? j + i * columns : i + j * rows] = element(x, (matrix * rows + i) * columns + j);
}

void tg__load_symmetric(const tg_operand *x, int64_t matrix, int64_t n, double *to) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            to[i + j * n] = 0.5 * (element(x, (matrix * n + i) * n + j) + element(x, (matrix * n + j) * n + i));
}

void tg__store(const tg_operand *y, int64_t matrix, int64_t rows, int64_t columns, bool transposed, const double *from) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double value = from[transposed ? j + i * columns : i + j * rows];
            int64_t at = (matrix * rows + i) * columns + j;
            if (y->dtype == TG_F32) ((float *)y->data)[at] = (float)value;
            else ((double *)y->data)[at] = value;
        }
}

/* ------------------------------------------------------------------ rules */

/* Row and column numbers of the last two axes, as (m, 1) and (n). */
static tg_tensor places(tg_tensor x, int axis) {
    tg_shape s = tg_shape_of(x);
    if (s.rank < 2) return x; /* only the result of an error is so here */
    tg_tensor n = tg_arange(tg_tape_of(x), s.dims[s.rank + axis], TG_I32);
    return axis == -2 ? tg_unsqueeze(n, TG_AXES(1)) : n;
}

tg_tensor tg__lower_part(tg_tensor x, bool strict) {
    tg_tensor row = places(x, -2), column = places(x, -1);
    return tg_where(strict ? tg_gt(row, column) : tg_ge(row, column), x, tg__zero_like(x));
}

tg_tensor tg__upper_part(tg_tensor x, bool strict) {
    tg_tensor row = places(x, -2), column = places(x, -1);
    return tg_where(strict ? tg_lt(row, column) : tg_le(row, column), x, tg__zero_like(x));
}

tg_tensor tg__eye_like(tg_tensor x) { return tg_cast(tg_eq(places(x, -2), places(x, -1)), tg_dtype_of(x)); }

tg_tensor tg__symmetric_part(tg_tensor x) { return tg_scale(tg_add(x, tg_transpose(x)), 0.5); }
