/* Matrix products */
#include "ops/op_file.h"

/* The op takes pairs (A0, B0, A1, B1, ...) of matrices, or batches of them, and gives the sum of A_i B_i: so a weight that is
 * used many times has one product as its gradient. Its bits depend on the numbers and their order, never on strides. */

/* ------------------------------------------------------------------ shapes */

static tg_shape batch_of(const tg_shape *s) {
    tg_shape batch = *s;
    batch.rank -= 2;
    return batch;
}

static bool product_shape(const tg_shape *a, const tg_shape *b, tg_shape *out) {
    tg_shape batch_a = batch_of(a), batch_b = batch_of(b);
    if (!tg_broadcast(&batch_a, &batch_b, out, NULL) || out->rank + 2 > TG_MAX_RANK) return false;
    out->dims[out->rank++] = a->dims[a->rank - 2];
    out->dims[out->rank++] = b->dims[b->rank - 1];
    return true;
}

/* The inner size as a vector or matrix on the left, on the right. */
static int64_t inner_left(const tg_shape *a) { return a->dims[a->rank - 1]; }
static int64_t inner_right(const tg_shape *b) { return b->dims[b->rank == 1 ? 0 : b->rank - 2]; }

static tg_status product_fail(tg_infer *f, int pair, const char *why) {
    char left[160], right[160];
    tg__shape_text(f->in_shape[pair], left, sizeof left);
    tg__shape_text(f->in_shape[pair + 1], right, sizeof right);
    return tg_infer_fail(f, TG_ESHAPE, "%s x %s: %s", left, right, why);
}

static tg_status matmul_infer(tg_infer *f) {
    if (f->n_in % 2) return tg_infer_fail(f, TG_EARG, "takes pairs of inputs, not %d", f->n_in);
    for (int i = 0; i < f->n_in; i += 2) {
        const tg_shape *a = f->in_shape[i], *b = f->in_shape[i + 1];
        if (!tg_dtype_is_float(f->in_dtype[i]) || f->in_dtype[i] != f->in_dtype[i + 1] || f->in_dtype[i] != f->in_dtype[0])
            return tg_infer_fail(f, TG_EDTYPE, "%s x %s: both must be f32 or both f64: cast with tg_cast",
                                 tg_dtype_name(f->in_dtype[i]), tg_dtype_name(f->in_dtype[i + 1]));
        if (!a->rank || !b->rank) return product_fail(f, i, "a number is no matrix: use tg_mul");
        if (inner_left(a) != inner_right(b)) return product_fail(f, i, "inner sizes differ");
        if (a->rank < 2 || b->rank < 2) return product_fail(f, i, "vectors are for tg_matmul alone");
        tg_shape product;
        if (!product_shape(a, b, &product)) return product_fail(f, i, "the batch axes do not broadcast");
        if (i && (!tg_shape_equal(&product, &f->shape[0]) || inner_left(a) != inner_left(f->in_shape[0])))
            return product_fail(f, i, "another shape or inner size than the first product");
        f->shape[0] = product;
    }
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* ------------------------------------------------------------------ the kernel
 *
 * The matrices of one side (all A, or all B) are read where they are if they are laid out alike; else those that are not
 * packed, batch and all, are copied to scratch. */

typedef struct side {
    const tg_operand *in; /* of pair i: in[2 i] */
    int pairs;
    tg_shape shape;       /* batch of the result, rows, columns */
    int64_t numel, batch;
    int64_t strides[TG_MAX_RANK], packed[TG_MAX_RANK]; /* strides: what all are read with */
    bool alike;
} side;

/* The strides of a matrix seen as broadcast to the batch of the result; along axes of size 1 those of packed memory. */
static void strides_of(const side *s, int pair, int64_t *strides) {
    const tg_operand *x = &s->in[2 * pair];
    tg__broadcast_strides(x->shape, x->strides, &s->shape, strides);
    for (int i = 0; i < s->shape.rank; i++)
        if (s->shape.dims[i] == 1) strides[i] = s->packed[i];
}

static bool equal_strides(const side *s, const int64_t *a, const int64_t *b) {
    return memcmp(a, b, (size_t)s->shape.rank * sizeof *a) == 0;
}

static side side_of(const tg_operand *in, int n_in, const tg_operand *out, int which) {
    const tg_shape *first = in[which].shape;
    side s = {.in = in + which, .pairs = n_in / 2, .shape = *out->shape, .alike = true};
    s.shape.dims[s.shape.rank - 2] = first->dims[first->rank - 2];
    s.shape.dims[s.shape.rank - 1] = first->dims[first->rank - 1];
    s.numel = tg__extent(&s.shape, 0, s.shape.rank);
    s.batch = tg__extent(&s.shape, 0, s.shape.rank - 2);
    tg__packed_strides(&s.shape, s.packed);
    strides_of(&s, 0, s.strides);
    for (int i = 1; i < s.pairs && s.alike; i++) {
        int64_t strides[TG_MAX_RANK];
        strides_of(&s, i, strides);
        s.alike = equal_strides(&s, strides, s.strides);
    }
    return s;
}

static bool must_copy(const side *s, int pair) {
    int64_t strides[TG_MAX_RANK];
    if (s->alike) return false;
    strides_of(s, pair, strides);
    return !equal_strides(s, strides, s->packed);
}

static size_t align64(size_t n) { return (n + 63) / 64 * 64; }

static size_t copies_bytes(const side *s) {
    size_t one = align64((size_t)s->numel * tg_dtype_size(s->in->dtype)), all = 0;
    for (int i = 0; i < s->pairs && !s->alike; i++) all += must_copy(s, i) ? one : 0;
    return all;
}

static size_t tables_bytes(int64_t batch, int pairs) {
    return align64((size_t)(batch > 1 ? 3 * batch : 0) * sizeof(int64_t)) + align64(2 * (size_t)pairs * sizeof(void *));
}

typedef struct product {
    side a, b;
    int64_t m, n, k, batch;
} product;

static product product_of(const tg_operand *in, int n_in, const tg_operand *out) {
    product p = {.a = side_of(in, n_in, out, 0), .b = side_of(in, n_in, out, 1)};
    int rank = out->shape->rank;
    p.m = out->shape->dims[rank - 2];
    p.n = out->shape->dims[rank - 1];
    p.k = p.a.shape.dims[rank - 1];
    p.batch = p.a.batch;
    return p;
}

/* One product of two matrices: nothing to look at but sizes and strides. */
static bool is_single(int n_in, const tg_operand *out) { return n_in == 2 && out->shape->rank == 2; }

static int64_t stride(const tg_operand *x, int axis) { return x->shape->dims[axis] == 1 ? 1 : x->strides[axis]; }

static void single_product(const tg_kernel_args *k) {
    const tg_operand *a = &k->in[0], *b = &k->in[1], *y = &k->out[0];
    const void *matrices[2] = {a->data, b->data};
    tg__gemm g = {.m = y->shape->dims[0], .n = y->shape->dims[1], .k = a->shape->dims[1], .pairs = 1, .batch = 1};
    g.a = matrices;
    g.b = matrices + 1;
    g.c = y->data;
    g.c_rs = y->shape->dims[1];
    g.threads = k->threads;
    g.scratch = k->scratch;
    g.a_rs = stride(a, 0);
    g.a_cs = stride(a, 1);
    g.b_rs = stride(b, 0);
    g.b_cs = stride(b, 1);
    (y->dtype == TG_F32 ? tg__kernels_get()->gemm_f32 : tg__kernels_get()->gemm_f64)(&g);
}

static size_t gemm_bytes(const product *p, tg_dtype d, int pairs, int threads) {
    return align64(tg__gemm_scratch(d, p->m, p->n, p->k, pairs, p->batch, threads));
}

static size_t matmul_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)attr;
    if (!out->numel || !in->numel) return 0;
    if (is_single(n_in, out))
        return tg__gemm_scratch(in->dtype, out->shape->dims[0], out->shape->dims[1], in->shape->dims[1], 1, 1, threads);
    product p = product_of(in, n_in, out);
    return gemm_bytes(&p, in->dtype, n_in / 2, threads) + tables_bytes(p.batch, n_in / 2) + copies_bytes(&p.a) +
           copies_bytes(&p.b);
}

typedef struct copy_run {
    const side *s;
    const tg_operand *x;
    char *to;
    int64_t strides[TG_MAX_RANK];
} copy_run;

static void copy_piece(int64_t begin, int64_t end, void *ctx) {
    const copy_run *r = ctx;
    int64_t size = (int64_t)tg_dtype_size(r->x->dtype);
    tg__copy_in(r->to + begin * size, r->x->data, (size_t)size, &r->s->shape, r->strides, begin, end - begin);
}

/* Fills the table of matrices; returns the scratch that is left. */
static char *place_matrices(side *s, const void **matrices, char *scratch, int threads) {
    size_t bytes = (size_t)s->numel * tg_dtype_size(s->in->dtype);
    for (int i = 0; i < s->pairs; i++) {
        matrices[i] = s->in[2 * i].data;
        if (!must_copy(s, i)) continue;
        copy_run r = {.s = s, .x = &s->in[2 * i], .to = scratch};
        strides_of(s, i, r.strides);
        tg_parallel(threads, s->numel, 2 * (double)bytes, copy_piece, &r);
        matrices[i] = scratch;
        scratch += align64(bytes);
    }
    if (!s->alike) memcpy(s->strides, s->packed, sizeof s->strides);
    return scratch;
}

/* Where each matrix of a batch begins. */
static void fill_offsets(int64_t *offsets, const tg_shape *shape, const int64_t *strides, int64_t batch) {
    for (int64_t i = 0; i < batch; i++) {
        int64_t rest = i, at = 0;
        for (int a = shape->rank - 3; a >= 0; a--) {
            at += rest % shape->dims[a] * strides[a];
            rest /= shape->dims[a];
        }
        offsets[i] = at;
    }
}

static tg_status matmul_kernel(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    if (!y->numel) return TG_OK;
    if (!k->in[0].numel) { /* sums of nothing */
        memset(y->data, 0, (size_t)y->numel * tg_dtype_size(y->dtype));
        return TG_OK;
    }
    if (is_single(k->n_in, y)) {
        single_product(k);
        return TG_OK;
    }
    product p = product_of(k->in, k->n_in, y);
    int pairs = k->n_in / 2, rank = y->shape->rank;
    char *scratch = k->scratch;
    tg__gemm g = {
        .m = p.m, .n = p.n, .k = p.k, .pairs = pairs, .batch = p.batch, .c_rs = p.n, .c = y->data, .threads = k->threads};
    g.scratch = scratch;
    scratch += gemm_bytes(&p, y->dtype, pairs, k->threads);
    int64_t *offsets = (int64_t *)(void *)scratch;
    const void **matrices = (const void **)(void *)(scratch + tables_bytes(p.batch, 0));
    scratch += tables_bytes(p.batch, pairs);
    scratch = place_matrices(&p.a, matrices, scratch, k->threads);
    place_matrices(&p.b, matrices + pairs, scratch, k->threads);
    if (p.batch > 1) {
        fill_offsets(offsets, &p.a.shape, p.a.strides, p.batch);
        fill_offsets(offsets + p.batch, &p.b.shape, p.b.strides, p.batch);
        fill_offsets(offsets + 2 * p.batch, y->shape, y->strides, p.batch);
        g.a_off = offsets;
        g.b_off = offsets + p.batch;
        g.c_off = offsets + 2 * p.batch;
    }
    g.a = matrices;
    g.b = matrices + pairs;
    g.a_rs = p.a.strides[rank - 2];
    g.a_cs = p.a.strides[rank - 1];
    g.b_rs = p.b.strides[rank - 2];
    g.b_cs = p.b.strides[rank - 1];
    (y->dtype == TG_F32 ? tg__kernels_get()->gemm_f32 : tg__kernels_get()->gemm_f64)(&g);
    return TG_OK;
}

/* Where matrix `i` of the result's batch is in an operand, in elements: its batch axes of size 1 are repeated. */
static int64_t matrix_at(const tg_operand *x, const tg_shape *out, int64_t i) {
    int64_t at = 0, step = x->shape->dims[x->shape->rank - 1] * x->shape->dims[x->shape->rank - 2];
    for (int a = 3; a <= out->rank; a++) {
        int64_t position = i % out->dims[out->rank - a];
        i /= out->dims[out->rank - a];
        if (a > x->shape->rank) continue;
        int64_t dim = x->shape->dims[x->shape->rank - a];
        if (dim != 1) at += position * step;
        step *= dim;
    }
    return at;
}

static tg_status matmul_ref(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    int rank = y->shape->rank;
    int64_t m = y->shape->dims[rank - 2], n = y->shape->dims[rank - 1], inner = k->in[0].shape->dims[k->in[0].shape->rank - 1];
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t matrix = i / (m * n), row = i / n % m, column = i % n;
        double sum = 0;
        for (int pair = 0; pair < k->n_in; pair += 2) {
            const double *a = (const double *)k->in[pair].data + matrix_at(&k->in[pair], y->shape, matrix);
            const double *b = (const double *)k->in[pair + 1].data + matrix_at(&k->in[pair + 1], y->shape, matrix);
            for (int64_t j = 0; j < inner; j++) sum += a[row * inner + j] * b[j * n + column];
        }
        ((double *)y->data)[i] = sum;
    }
    return TG_OK;
}

static double matmul_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)attr;
    return (double)n_in * (double)tg_shape_numel(out) * (double)in[0]->dims[in[0]->rank - 1];
}

/* ------------------------------------------------------------------ gradients */

static void matmul_vjp(tg_vjp_args *v) {
    for (int i = 0; i < v->n_in; i += 2) {
        tg_tensor a = v->in[i], b = v->in[i + 1];
        tg_shape shape_a = tg_shape_of(a), shape_b = tg_shape_of(b);
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, tg__sum_to(tg_matmul(v->g[0], tg_transpose(b)), &shape_a));
        if (tg_vjp_needs(v, i + 1)) tg_vjp_give(v, i + 1, tg__sum_to(tg_matmul(tg_transpose(a), v->g[0]), &shape_b));
    }
}

extern const tg_op tg__op_matmul;

static tg_tensor matmul_sum(const tg_tensor *const *in, const int *n_in, const void *const *attr, int n_nodes) {
    (void)attr;
    tg_shape first = tg_shape_of(in[0][0]);
    int64_t total = 0;
    for (int i = 0; i < n_nodes; i++) {
        tg_shape a = tg_shape_of(in[i][0]);
        if (inner_left(&a) != inner_left(&first)) return (tg_tensor){0};
        total += n_in[i];
    }
    tg_tensor *all = tg__alloc((size_t)total * sizeof *all), sum = {0};
    if (!all) return sum; /* added one by one, or out of memory there too */
    int64_t at = 0;
    for (int i = 0; i < n_nodes; i++) {
        memcpy(all + at, in[i], (size_t)n_in[i] * sizeof *all);
        at += n_in[i];
    }
    sum = tg_apply(NULL, &tg__op_matmul, NULL, all, (int)total);
    tg__free(all);
    return sum;
}

const tg_op tg__op_matmul = {
    .name = "matmul",
    .formula = "y = A0 B0 + A1 B1 + ...",
    .source = "elementary",
    .min_in = 2,
    .max_in = -1,
    .flags = TG_OP_STRIDED,
    .infer = matmul_infer,
    .vjp = matmul_vjp,
    .sum = matmul_sum,
    .kernel = matmul_kernel,
    .scratch = matmul_scratch,
    .ref = matmul_ref,
    .flops = matmul_flops,
    SAMPLES(SAMPLE("a matrix and a matrix", INPUTS(IN('f', (3, 4)), IN('f', (4, 5)))),
            SAMPLE("a batch and a batch", INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 4, 2)))),
            SAMPLE("a batch and a matrix", INPUTS(IN('f', (2, 3, 4)), IN('f', (4, 2)))),
            SAMPLE("a matrix and a batch", INPUTS(IN('f', (3, 4)), IN('f', (2, 4, 2)))),
            SAMPLE("batches that broadcast", INPUTS(IN('f', (2, 1, 3, 2)), IN('f', (3, 2, 2)))),
            SAMPLE("two products", INPUTS(IN('f', (3, 4)), IN('f', (4, 2)), IN('f', (3, 4)), IN('f', (4, 2)))),
            SAMPLE("two products of unlike batches",
                   INPUTS(IN('f', (2, 3, 2)), IN('f', (2, 2)), IN('f', (3, 2)), IN('f', (2, 2, 2)))),
            SAMPLE("a row and a column", INPUTS(IN('f', (1, 5)), IN('f', (5, 1)))),
            SAMPLE("a column and a row", INPUTS(IN('f', (3, 1)), IN('f', (1, 4)))),
            SAMPLE("larger than a tile", INPUTS(IN('f', (19, 41)), IN('f', (41, 37)))),
            SAMPLE("an inner size of 0", INPUTS(IN('f', (2, 0)), IN('f', (0, 3)))),
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), IN('f', (3, 2))))),
    BADS(BAD("inner sizes differ", TG_ESHAPE, "(3, 4) x (3, 4): inner sizes differ", INPUTS(IN('f', (3, 4)), IN('f', (3, 4)))),
         BAD("batches differ", TG_ESHAPE, "batch axes", INPUTS(IN('f', (2, 3, 4)), IN('f', (3, 4, 5)))),
         BAD("a number", TG_ESHAPE, "use tg_mul", INPUTS(IN('f', ()), IN('f', (3, 4)))),
         BAD("a vector", TG_ESHAPE, "vectors", INPUTS(IN('f', (3)), IN('f', (3, 4)))),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4)), IN('i', (4, 5)))),
         BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3, 4)), IN('j', (4, 5)))),
         BAD("three inputs", TG_EARG, "pairs", INPUTS(IN('f', (3, 3)), IN('f', (3, 3)), IN('f', (3, 3)))),
         BAD("unlike products", TG_ESHAPE, "than the first",
             INPUTS(IN('f', (3, 4)), IN('f', (4, 2)), IN('f', (2, 4)), IN('f', (4, 2))))),
};

static tg_tensor product_at(const char *site, tg_tensor a, tg_tensor b) {
    return tg_apply_at(site, NULL, &tg__op_matmul, NULL, (tg_tensor[]){a, b}, 2);
}

/* A vector on the left is a row, on the right a column; that axis is dropped from the result. */
static tg_tensor vector_product(const char *site, tg_tensor a, tg_tensor b, const tg_shape *shape_a, const tg_shape *shape_b) {
    tg_tensor row = shape_a->rank == 1 ? tg_unsqueeze_at(site, a, TG_AXES(0)) : a;
    tg_tensor column = shape_b->rank == 1 ? tg_unsqueeze_at(site, b, TG_AXES(1)) : b;
    tg_tensor y = tg_matmul_at(site, row, column);
    if (shape_b->rank == 1) y = tg_squeeze_at(site, y, TG_AXES(-1));
    return shape_a->rank == 1 ? tg_squeeze_at(site, y, shape_b->rank == 1 ? TG_AXES(-1) : TG_AXES(-2)) : y;
}

/*| tg_matmul: the product of matrices, of batches of them, and of vectors.
 *    y[..., i, j] = sum over k of a[..., i, k] b[..., k, j]
 *  Shapes:   a (..., m, k), b (..., k, n), batch axes broadcast -> y (..., m, n); a vector a (k) is a row and b (k) a column,
 *            whose axis of size 1 is dropped from y
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes. Where the CPU has AMX, f32 products
 *            with m, n and k of 128 and more run on it, with smaller errors than on f32 units; TG_MATMUL=f32 in the environment
 *            keeps them off it, and TG_MATMUL=bf16 rounds their operands to bf16, 3 digits, for speed
 *  Gradient: da = g b^T, db = a^T g, summed over broadcast axes
 *  Errors:   TG_ESHAPE if inner sizes differ, batch axes do not broadcast, or one is a number; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_matmul, (tg_tensor a, tg_tensor b), (a, b)) {
    tg_shape shape_a = tg_shape_of(a), shape_b = tg_shape_of(b);
    bool fit = shape_a.rank && shape_b.rank && inner_left(&shape_a) == inner_right(&shape_b);
    bool plain = shape_b.rank > 2 ? shape_a.rank > 1 : shape_a.rank == 2 && shape_b.rank == 2;
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){a, b}, 2);
    if (plain || !fit || !t || !tg_valid(a) || !tg_valid(b) || tg_dtype_of(a) != tg_dtype_of(b)) return product_at(site, a, b);
    if (!tg_tape_of(a)) a = tg_on_at(site, t, a);
    if (!tg_tape_of(b)) b = tg_on_at(site, t, b);
    if (shape_a.rank == 1 || shape_b.rank == 1) return vector_product(site, a, b, &shape_a, &shape_b);
    /* one matrix on the right: the batch becomes rows, so that the gradient of b is one product too */
    int64_t rows = tg__extent(&shape_a, 0, shape_a.rank - 1);
    tg_tensor y = product_at(site, tg_reshape_at(site, a, TG_SHAPE(rows, shape_b.dims[0])), b);
    shape_a.dims[shape_a.rank - 1] = shape_b.dims[1];
    return tg_reshape_at(site, y, shape_a);
}
