/* Attention */
#include "ops/definition.h"

#define SOURCE "Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, eq. 1"

typedef struct attention_attr {
    int64_t causal;
} attention_attr;
static const tg_field attention_fields[] = {
    {"causal", TG_FIELD_INT, offsetof(attention_attr, causal)},
    {NULL, TG_FIELD_INT, 0},
};

/* ------------------------------------------------------------------ shapes */

static tg_status heads_rule(tg_infer *f, const tg_shape *q, const tg_shape *k, const tg_shape *v) {
    int r = q->rank;
    if (r < 3 || r >= TG_MAX_RANK || k->rank != r || v->rank != r)
        return tg_infer_fail(f, TG_ESHAPE, "q, k and v must be (..., heads, length, size), of one rank from 3 to %d",
                             TG_MAX_RANK - 1);
    for (int i = 0; i < r - 3; i++)
        if (q->dims[i] != k->dims[i] || q->dims[i] != v->dims[i])
            return tg_infer_fail(f, TG_ESHAPE, "the batch axes of q, k and v differ");
    if (k->dims[r - 3] != v->dims[r - 3] || k->dims[r - 2] != v->dims[r - 2])
        return tg_infer_fail(f, TG_ESHAPE, "heads and length of k and v differ");
    if (k->dims[r - 3] < 1 || q->dims[r - 3] % k->dims[r - 3])
        return tg_infer_fail(f, TG_ESHAPE, "%lld heads of q are no multiple of %lld of k", (long long)q->dims[r - 3],
                             (long long)k->dims[r - 3]);
    if (!k->dims[r - 2]) return tg_infer_fail(f, TG_ESHAPE, "there are no keys");
    if (q->dims[r - 1] != k->dims[r - 1])
        return tg_infer_fail(f, TG_ESHAPE, "q and k have vectors of %lld and %lld", (long long)q->dims[r - 1],
                             (long long)k->dims[r - 1]);
    return TG_OK;
}

static tg_status float_rule(tg_infer *f, int n) {
    for (int i = 0; i < n; i++)
        if (!tg_dtype_is_float(f->in_dtype[i]) || f->in_dtype[i] != f->in_dtype[0])
            return tg_infer_fail(f, TG_EDTYPE, "%s and %s: all but the mask must be f32 or all f64: cast with tg_cast",
                                 tg_dtype_name(f->in_dtype[0]), tg_dtype_name(f->in_dtype[i]));
    for (int i = 0; i < 3; i++) f->dtype[i] = f->in_dtype[0];
    return TG_OK;
}

static tg_shape result_shape(const tg_shape *q, const tg_shape *last) { /* as q, but the last axis is that of `last` */
    tg_shape s = *q;
    s.dims[s.rank - 1] = last->dims[last->rank - 1];
    return s;
}

static tg_shape scores_shape(const tg_shape *q, const tg_shape *k) {
    tg_shape s = *q;
    s.dims[s.rank - 1] = k->dims[k->rank - 2];
    return s;
}

/* What q, k, v have in common with scale and mask, the inputs from `scale` on. */
static tg_status common_rule(tg_infer *f, int scale) {
    const tg_shape *q = f->in_shape[0];
    tg_status s = float_rule(f, scale + 1);
    if (!s) s = heads_rule(f, q, f->in_shape[1], f->in_shape[2]);
    if (s) return s;
    if (f->in_shape[scale]->rank) return tg_infer_fail(f, TG_ESHAPE, "the scale must be a number");
    if (f->n_in == scale + 1) return TG_OK;
    tg_shape scores = scores_shape(q, f->in_shape[1]), both;
    int bad;
    if (f->in_dtype[scale + 1] != TG_BOOL)
        return tg_infer_fail(f, TG_EDTYPE, "the mask must be bool, not %s", tg_dtype_name(f->in_dtype[scale + 1]));
    if (!tg_broadcast(f->in_shape[scale + 1], &scores, &both, &bad) || !tg_shape_equal(&both, &scores))
        return tg_infer_fail(f, TG_ESHAPE, "the mask does not broadcast to (..., heads, length of q, length of k)");
    return TG_OK;
}

static tg_status attention_infer(tg_infer *f) {
    tg_status s = common_rule(f, 3);
    if (!s) f->shape[0] = result_shape(f->in_shape[0], f->in_shape[2]);
    return s;
}

static tg_status attention_grad_infer(tg_infer *f) {
    tg_status s = common_rule(f, 4);
    if (s) return s;
    tg_shape y = result_shape(f->in_shape[0], f->in_shape[2]);
    if (!tg_shape_equal(&y, f->in_shape[3])) return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not the result's");
    for (int i = 0; i < 3; i++) f->shape[i] = *f->in_shape[i];
    return TG_OK;
}

/* ------------------------------------------------------------------ the kernels: blocks of rows of the matrix of scores */

#define BLOCK_ROWS 64

typedef struct attention {
    const char *q, *k, *v, *g;
    char *y, *dk, *dv; /* y: of the gradient, dq */
    const uint8_t *mask;
    int64_t mask_strides[TG_MAX_RANK];
    tg_shape scores;
    tg_dtype dtype;
    size_t size;
    double scale;
    bool causal;
    int64_t units, group, rows, keys, width, value_width; /* units: pairs (batch, head of k); group: heads of q in one */
    char *scratch;
    int64_t workers;
    size_t worker_bytes, tile_bytes, sums_bytes;
} attention;

static size_t round64(size_t n) { return (n + 63) / 64 * 64; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static attention attention_of(const tg_operand *in, int scale, bool causal) {
    const tg_shape *q = in[0].shape, *k = in[1].shape;
    int r = q->rank;
    attention a = {.q = in[0].data, .k = in[1].data, .v = in[2].data, .dtype = in[0].dtype, .causal = causal};
    a.g = scale == 4 ? in[3].data : NULL;
    a.size = tg_dtype_size(a.dtype);
    a.scores = scores_shape(q, k);
    a.units = tg__extent(k, 0, r - 2);
    a.group = q->dims[r - 3] / k->dims[r - 3];
    a.rows = q->dims[r - 2], a.width = q->dims[r - 1];
    a.keys = k->dims[r - 2], a.value_width = in[2].shape->dims[r - 1];
    return a;
}

static void read_numbers(attention *a, const tg_operand *in, int n_in, int scale) {
    a->scale = a->dtype == TG_F64 ? *(const double *)in[scale].data : (double)*(const float *)in[scale].data;
    if (n_in == scale + 1) return;
    a->mask = in[scale + 1].data;
    tg__broadcast_strides(in[scale + 1].shape, in[scale + 1].strides, &a->scores, a->mask_strides);
}

/* Memory of each worker: tiles of scores, sums of a gradient, and what the products need. */
static size_t plan_memory(attention *a, bool gradient, int threads) {
    int64_t threads_or_1 = larger(threads, 1), widest = larger(a->width, a->value_width);
    a->workers = a->units < threads_or_1 ? a->units : threads_or_1;
    a->tile_bytes = round64((size_t)(BLOCK_ROWS * a->keys) * a->size);
    a->sums_bytes = gradient ? round64((size_t)(a->keys * widest) * a->size) : 0;
    size_t products = tg__gemm_scratch_within(a->dtype, larger(BLOCK_ROWS, a->keys), larger(widest, a->keys),
                                              larger(larger(widest, a->keys), BLOCK_ROWS));
    a->worker_bytes = (gradient ? 2 : 1) * a->tile_bytes + a->sums_bytes + round64(products);
    return (size_t)a->workers * a->worker_bytes;
}

typedef struct matrix {
    const char *data;
    int64_t rs, cs;
} matrix;

static void multiply(const attention *a, char *c, matrix left, matrix right, int64_t m, int64_t n, int64_t k, void *scratch) {
    const void *l = left.data, *r = right.data;
    tg__gemm g = {.m = m, .n = n, .k = k, .pairs = 1, .batch = 1, .a = &l, .b = &r, .c = c, .c_rs = n, .threads = 1};
    g.a_rs = left.rs, g.a_cs = left.cs, g.b_rs = right.rs, g.b_cs = right.cs;
    g.scratch = scratch;
    (a->dtype == TG_F32 ? tg__kernels_get()->gemm_f32 : tg__kernels_get()->gemm_f64)(&g);
}

/* Where row i of head `head` (batch and head of q, as one number) begins in the mask. */
static const uint8_t *mask_row(const attention *a, int64_t head, int64_t i) {
    const uint8_t *mask = a->mask + i * a->mask_strides[a->scores.rank - 2];
    for (int axis = a->scores.rank - 3; axis >= 0; axis--) {
        mask += head % a->scores.dims[axis] * a->mask_strides[axis];
        head /= a->scores.dims[axis];
    }
    return mask;
}

/* How many keys, from the first one, row i may look at. */
static int64_t seen_by(const attention *a, int64_t i) {
    int64_t seen = a->causal ? i + 1 + a->keys - a->rows : a->keys;
    return seen < 0 ? 0 : seen < a->keys ? seen : a->keys;
}

#define ROWS(T, softmax)                                                                                          \
    /* A row of q k becomes one of weights; what it may not look at becomes 0. */                                 \
    static void weigh_##T(const attention *a, T *s, int64_t seen, int64_t n, const uint8_t *mask, int64_t step) { \
        T scale = (T)a->scale;                                                                                    \
        bool any = !mask && seen > 0;                                                                             \
        for (int64_t j = 0; j < seen; j++) s[j] *= scale;                                                         \
        for (int64_t j = 0; mask && j < seen; j++) {                                                              \
            if (mask[j * step])                                                                                   \
                any = true;                                                                                       \
            else                                                                                                  \
                s[j] = -(T)INFINITY;                                                                              \
        }                                                                                                         \
        if (any)                                                                                                  \
            tg__kernels_get()->softmax(s, s, 1, seen, false);                                                            \
        else                                                                                                      \
            seen = 0;                                                                                             \
        for (int64_t j = seen; j < n; j++) s[j] = 0;                                                              \
    }                                                                                                             \
    /* The cotangent d of a row of weights p becomes that of its scores. */                                       \
    static void pull_##T(const attention *a, const T *p, T *d, int64_t n) {                                       \
        T lanes[16] = {0}, sum = 0, scale = (T)a->scale;                                                          \
        int64_t whole = n / 16 * 16;                                                                              \
        for (int64_t j = 0; j < whole; j += 16)                                                                   \
            for (int l = 0; l < 16; l++) lanes[l] += p[j + l] * d[j + l];                                         \
        for (int64_t j = whole; j < n; j++) lanes[j - whole] += p[j] * d[j];                                      \
        for (int l = 0; l < 16; l++) sum += lanes[l];                                                             \
        for (int64_t j = 0; j < n; j++) d[j] = p[j] * (d[j] - sum) * scale;                                       \
    }                                                                                                             \
    static void add_##T(T *to, const T *from, int64_t n) {                                                        \
        for (int64_t i = 0; i < n; i++) to[i] += from[i];                                                         \
    }
ROWS(float, softmax_f32)
ROWS(double, softmax_f64)

/* The weights of rows [first, first + count) of one head, for the first `keys` keys. */
static void weigh_rows(const attention *a, char *tile, int64_t head, int64_t first, int64_t count, int64_t keys,
                       void *scratch) {
    int64_t unit = head / a->group, step = a->mask ? a->mask_strides[a->scores.rank - 1] : 0;
    matrix q = {a->q + (size_t)((head * a->rows + first) * a->width) * a->size, a->width, 1};
    matrix k = {a->k + (size_t)(unit * a->keys * a->width) * a->size, 1, a->width};
    multiply(a, tile, q, k, count, keys, a->width, scratch);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *mask = a->mask ? mask_row(a, head, first + i) : NULL;
        int64_t seen = seen_by(a, first + i);
        if (a->dtype == TG_F32)
            weigh_float(a, (float *)(void *)tile + i * keys, seen, keys, mask, step);
        else
            weigh_double(a, (double *)(void *)tile + i * keys, seen, keys, mask, step);
    }
}

static void attend_head(const attention *a, int64_t head, char *tile, void *scratch) {
    int64_t unit = head / a->group;
    matrix v = {a->v + (size_t)(unit * a->keys * a->value_width) * a->size, a->value_width, 1};
    for (int64_t i = 0; i < a->rows; i += BLOCK_ROWS) {
        int64_t count = a->rows - i < BLOCK_ROWS ? a->rows - i : BLOCK_ROWS, keys = seen_by(a, i + count - 1);
        char *y = a->y + (size_t)((head * a->rows + i) * a->value_width) * a->size;
        weigh_rows(a, tile, head, i, count, keys, scratch);
        multiply(a, y, (matrix){tile, keys, 1}, v, count, a->value_width, keys, scratch);
    }
}

static void add_rows(const attention *a, char *to, const char *from, int64_t n) {
    if (a->dtype == TG_F32)
        add_float((float *)(void *)to, (const float *)(const void *)from, n);
    else
        add_double((double *)(void *)to, (const double *)(const void *)from, n);
}

static void pull_head(const attention *a, int64_t head, char *tile, char *sums, void *scratch) {
    int64_t unit = head / a->group, w = a->width, e = a->value_width;
    char *pulled = tile + a->tile_bytes, *dk = a->dk + (size_t)(unit * a->keys * w) * a->size;
    char *dv = a->dv + (size_t)(unit * a->keys * e) * a->size;
    matrix k = {a->k + (size_t)(unit * a->keys * w) * a->size, w, 1};
    matrix v_turned = {a->v + (size_t)(unit * a->keys * e) * a->size, 1, e};
    for (int64_t i = 0; i < a->rows; i += BLOCK_ROWS) {
        int64_t count = a->rows - i < BLOCK_ROWS ? a->rows - i : BLOCK_ROWS, keys = seen_by(a, i + count - 1);
        size_t row = (size_t)(head * a->rows + i);
        matrix q = {a->q + row * (size_t)w * a->size, w, 1}, g = {a->g + row * (size_t)e * a->size, e, 1};
        weigh_rows(a, tile, head, i, count, keys, scratch);
        multiply(a, pulled, g, v_turned, count, keys, e, scratch);
        multiply(a, sums, (matrix){tile, 1, keys}, g, keys, e, count, scratch);
        add_rows(a, dv, sums, keys * e);
        for (int64_t r = 0; r < count; r++) {
            size_t at = (size_t)(r * keys) * a->size;
            if (a->dtype == TG_F32)
                pull_float(a, (float *)(void *)(tile + at), (float *)(void *)(pulled + at), keys);
            else
                pull_double(a, (double *)(void *)(tile + at), (double *)(void *)(pulled + at), keys);
        }
        multiply(a, a->y + row * (size_t)w * a->size, (matrix){pulled, keys, 1}, k, count, w, keys, scratch);
        multiply(a, sums, (matrix){pulled, 1, keys}, q, keys, w, count, scratch);
        add_rows(a, dk, sums, keys * w);
    }
}

/* Worker `begin` does its share of the units: heads that share keys stay together, so that their sums have one order. */
static void attend(int64_t begin, int64_t end, void *ctx) {
    const attention *a = ctx;
    char *tile = a->scratch + (size_t)begin * a->worker_bytes;
    int64_t first = begin * a->units / a->workers * a->group, last = end * a->units / a->workers * a->group;
    for (int64_t head = first; head < last; head++) attend_head(a, head, tile, tile + a->tile_bytes);
}

static void pull(int64_t begin, int64_t end, void *ctx) {
    const attention *a = ctx;
    char *tile = a->scratch + (size_t)begin * a->worker_bytes, *sums = tile + 2 * a->tile_bytes;
    int64_t first = begin * a->units / a->workers, last = end * a->units / a->workers;
    size_t dk = (size_t)(a->keys * a->width) * a->size, dv = (size_t)(a->keys * a->value_width) * a->size;
    memset(a->dk + (size_t)first * dk, 0, (size_t)(last - first) * dk);
    memset(a->dv + (size_t)first * dv, 0, (size_t)(last - first) * dv);
    for (int64_t head = first * a->group; head < last * a->group; head++) pull_head(a, head, tile, sums, sums + a->sums_bytes);
}

static double work_of(const attention *a) {
    return (double)(a->units * a->group * a->rows) * (double)a->keys * (double)(a->width + a->value_width + 16);
}

static size_t attention_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr;
    attention a = attention_of(in, 3, false);
    return plan_memory(&a, false, threads);
}

static tg_status attention_kernel(tg_kernel_args *k) {
    attention a = attention_of(k->in, 3, ((const attention_attr *)k->attr)->causal);
    if (!k->out[0].numel) return TG_OK;
    read_numbers(&a, k->in, k->n_in, 3);
    plan_memory(&a, false, k->threads);
    a.scratch = k->scratch;
    a.y = k->out[0].data;
    tg_parallel(k->threads, a.workers, work_of(&a), attend, &a);
    return TG_OK;
}

/* ------------------------------------------------------------------ attention: (q, k, v, scale[, mask]) */

/* The parts of the definition, with heads that share keys as an axis of their own: (..., heads of k, group, length, size). */
typedef struct parts {
    tg_tensor q, k, v, p; /* p: the weights */
    tg_shape q_shape, k_shape, v_shape;
} parts;

static tg_tensor in_groups(tg_tensor x, int64_t heads) { /* the axis of heads is cut into (heads, the rest) */
    tg_shape s = tg_shape_of(x), cut = s;
    cut.rank++;
    for (int i = s.rank; i > s.rank - 2; i--) cut.dims[i] = s.dims[i - 1];
    cut.dims[s.rank - 3] = heads;
    cut.dims[s.rank - 2] = s.dims[s.rank - 3] / heads;
    return tg_reshape(x, cut);
}

static tg_tensor causal_mask(tg_tape *t, int64_t rows, int64_t keys) {
    tg_tensor row = tg_unsqueeze(tg_add_scalar(tg_arange(t, rows, TG_F64), (double)(keys - rows)), TG_AXES(-1));
    return tg_ge(row, tg_arange(t, keys, TG_F64));
}

static parts parts_of(tg_tape *t, const tg_tensor *in, int n_in, int scale, bool causal) {
    parts p = {.q_shape = tg_shape_of(in[0]), .k_shape = tg_shape_of(in[1]), .v_shape = tg_shape_of(in[2])};
    tg_shape scores = scores_shape(&p.q_shape, &p.k_shape);
    int64_t heads = p.k_shape.dims[p.k_shape.rank - 3];
    p.q = in_groups(in[0], heads), p.k = in_groups(in[1], heads), p.v = in_groups(in[2], heads);
    tg_tensor s = tg_mul(tg_matmul(p.q, tg_transpose(p.k)), in[scale]), seen = {0};
    if (causal) seen = causal_mask(t, scores.dims[scores.rank - 2], scores.dims[scores.rank - 1]);
    if (n_in > scale + 1) {
        tg_tensor mask = in_groups(tg_expand(in[scale + 1], scores), heads);
        seen = causal ? tg_and(seen, mask) : mask;
    }
    if (tg__is_none(seen)) {
        p.p = tg_softmax(s, -1);
        return p;
    }
    tg_tensor nothing = tg_scalar(t, -1e30, tg_dtype_of(s)); /* a row that may look nowhere has weights 0 */
    tg_tensor top = tg_stop_gradient(tg_max(tg_where(seen, s, nothing), TG_AXES(-1), true));
    tg_tensor e = tg_where(seen, tg_exp(tg_where(seen, tg_sub(s, top), tg__zero_like(s))), tg__zero_like(s));
    tg_tensor sum = tg_sum(e, TG_AXES(-1), true);
    p.p = tg_div(e, tg_where(tg_gt(sum, tg__zero_like(sum)), sum, tg__one_like(sum)));
    return p;
}

static tg_tensor attention_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    parts p = parts_of(t, in, n_in, 3, ((const attention_attr *)attr)->causal);
    return tg_reshape(tg_matmul(p.p, p.v), result_shape(&p.q_shape, &p.v_shape));
}

extern const tg_op tg__op_attention_grad;

static void attention_vjp(tg_vjp_args *v) {
    tg_tensor in[6] = {v->in[0], v->in[1], v->in[2], v->g[0], v->in[3], v->n_in > 4 ? v->in[4] : v->in[3]}, outs[3];
    if (tg_apply_n(NULL, &tg__op_attention_grad, v->attr, in, v->n_in + 1, outs)) return;
    for (int i = 0; i < 3; i++)
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, outs[i]);
}

static double attention_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)attr;
    int r = out->rank;
    return 2 * (double)tg_shape_numel(out) / (double)larger(out->dims[r - 1], 1) * (double)in[1]->dims[r - 2] *
           (double)(in[0]->dims[r - 1] + out->dims[r - 1]);
}

#define SCALE IN('c', (), .lo = 0.2, .hi = 0.9)
#define CAUSAL \
    .attr = &(const attention_attr) { 1 }
#define PLAIN \
    .attr = &(const attention_attr) { 0 }

const tg_op tg__op_attention = {
    .name = "attention",
    .formula = "y = softmax(scale q k^T) v, over the keys that a row may look at",
    .source = SOURCE,
    .min_in = 4,
    .max_in = 5,
    .attr_size = sizeof(attention_attr),
    .fields = attention_fields,
    .infer = attention_infer,
    .vjp = attention_vjp,
    .define = attention_define,
    .kernel = attention_kernel,
    .scratch = attention_scratch,
    .flops = attention_flops,
    SAMPLES(SAMPLE("heads", INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE), PLAIN),
            SAMPLE("a batch", INPUTS(IN('f', (2, 2, 3, 2)), IN('f', (2, 2, 3, 2)), IN('f', (2, 2, 3, 2)), SCALE), PLAIN),
            SAMPLE("causal", INPUTS(IN('f', (1, 5, 3)), IN('f', (1, 5, 3)), IN('f', (1, 5, 3)), SCALE), CAUSAL),
            SAMPLE("causal, more keys than rows", INPUTS(IN('f', (1, 2, 3)), IN('f', (1, 5, 3)), IN('f', (1, 5, 2)), SCALE),
                   CAUSAL),
            SAMPLE("causal, more rows than keys", INPUTS(IN('f', (1, 4, 3)), IN('f', (1, 2, 3)), IN('f', (1, 2, 2)), SCALE),
                   CAUSAL),
            SAMPLE("grouped heads", INPUTS(IN('f', (4, 3, 2)), IN('f', (2, 5, 2)), IN('f', (2, 5, 2)), SCALE), PLAIN),
            SAMPLE("more rows than a block, causal",
                   INPUTS(IN('f', (1, 70, 2)), IN('f', (1, 70, 2)), IN('f', (1, 70, 1)), SCALE), CAUSAL),
            SAMPLE("a mask", INPUTS(IN('f', (2, 3, 2)), IN('f', (2, 5, 2)), IN('f', (2, 5, 2)), SCALE, IN('b', (3, 5))), PLAIN),
            SAMPLE("a mask per batch, causal, grouped",
                   INPUTS(IN('f', (2, 4, 3, 2)), IN('f', (2, 2, 3, 2)), IN('f', (2, 2, 3, 2)), SCALE, IN('b', (2, 1, 1, 3))),
                   CAUSAL),
            SAMPLE("no rows", INPUTS(IN('f', (2, 0, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE), PLAIN)),
    BADS(BAD("matrices", TG_ESHAPE, "of one rank", INPUTS(IN('f', (3, 4)), IN('f', (5, 4)), IN('f', (5, 3)), SCALE), PLAIN),
         BAD("batches that differ", TG_ESHAPE, "batch axes",
             INPUTS(IN('f', (2, 1, 3, 4)), IN('f', (1, 1, 5, 4)), IN('f', (2, 1, 5, 3)), SCALE), PLAIN),
         BAD("lengths that differ", TG_ESHAPE, "length of k and v",
             INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 6, 3)), SCALE), PLAIN),
         BAD("heads that do not divide", TG_ESHAPE, "3 heads of q",
             INPUTS(IN('f', (3, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE), PLAIN),
         BAD("sizes that differ", TG_ESHAPE, "vectors of 4 and 3",
             INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 3)), IN('f', (2, 5, 3)), SCALE), PLAIN),
         BAD("no keys", TG_ESHAPE, "no keys", INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 0, 4)), IN('f', (2, 0, 3)), SCALE), PLAIN),
         BAD("a scale per row", TG_ESHAPE, "a number",
             INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), IN('c', (3))), PLAIN),
         BAD("a float mask", TG_EDTYPE, "must be bool",
             INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE, IN('c', (3, 5))), PLAIN),
         BAD("a mask of another shape", TG_ESHAPE, "does not broadcast",
             INPUTS(IN('f', (2, 3, 4)), IN('f', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE, IN('b', (5, 3))), PLAIN),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (2, 3, 4)), IN('i', (2, 5, 4)), IN('f', (2, 5, 3)), SCALE),
             PLAIN)),
};

/* ------------------------------------------------------------------ (q, k, v, g, scale[, mask]) -> (dq, dk, dv) */

static size_t attention_grad_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr;
    attention a = attention_of(in, 4, false);
    return plan_memory(&a, true, threads);
}

static tg_status attention_grad_kernel(tg_kernel_args *k) {
    attention a = attention_of(k->in, 4, ((const attention_attr *)k->attr)->causal);
    read_numbers(&a, k->in, k->n_in, 4);
    plan_memory(&a, true, k->threads);
    a.scratch = k->scratch;
    a.y = k->out[0].data, a.dk = k->out[1].data, a.dv = k->out[2].data;
    if (a.units) tg_parallel(k->threads, a.workers, 2.5 * work_of(&a), pull, &a);
    return TG_OK;
}

static void attention_grad_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs) {
    parts p = parts_of(t, in, n_in, 4, ((const attention_attr *)attr)->causal);
    tg_tensor g = in_groups(in[3], p.k_shape.dims[p.k_shape.rank - 3]), dp = tg_matmul(g, tg_transpose(p.v));
    tg_tensor ds = tg_mul(p.p, tg_sub(dp, tg_sum(tg_mul(p.p, dp), TG_AXES(-1), true)));
    ds = tg_mul(ds, in[4]);
    outs[0] = tg_reshape(tg_matmul(ds, p.k), p.q_shape);
    outs[1] = tg_sum(tg_matmul(tg_transpose(ds), p.q), TG_AXES(-3), false);
    outs[2] = tg_sum(tg_matmul(tg_transpose(p.p), g), TG_AXES(-3), false);
}

static tg_tensor attention_grad_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    tg_tensor outs[3];
    attention_grad_all(t, in, n_in, attr, outs);
    return outs[0];
}

static void attention_grad_vjp(tg_vjp_args *v) { tg__vjp_by_definition(v, attention_grad_all); }

/* The reference knows nothing of blocks: each weight is computed where it is needed. */
static double score(const attention *a, int64_t head, int64_t i, int64_t j) {
    const double *q = (const double *)(const void *)a->q + (head * a->rows + i) * a->width,
                 *k = (const double *)(const void *)a->k;
    double sum = 0;
    for (int64_t c = 0; c < a->width; c++) sum += q[c] * k[(head / a->group * a->keys + j) * a->width + c];
    return sum * a->scale;
}

static bool may_look(const attention *a, int64_t head, int64_t i, int64_t j) {
    if (a->causal && j > i + a->keys - a->rows) return false;
    return !a->mask || mask_row(a, head, i)[j * a->mask_strides[a->scores.rank - 1]];
}

static double weight(const attention *a, int64_t head, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t o = 0; o < a->keys; o++) sum += may_look(a, head, i, o) ? exp(score(a, head, i, o) - score(a, head, i, j)) : 0;
    return may_look(a, head, i, j) ? 1 / sum : 0;
}

static double weight_cotangent(const attention *a, int64_t head, int64_t i, int64_t j) {
    const double *g = (const double *)(const void *)a->g + (head * a->rows + i) * a->value_width;
    const double *v = (const double *)(const void *)a->v + (head / a->group * a->keys + j) * a->value_width;
    double sum = 0;
    for (int64_t c = 0; c < a->value_width; c++) sum += g[c] * v[c];
    return sum;
}

static void ref_row(const attention *a, int64_t head, int64_t i) {
    const double *q = (const double *)(const void *)a->q + (head * a->rows + i) * a->width,
                 *k = (const double *)(const void *)a->k;
    const double *g = (const double *)(const void *)a->g + (head * a->rows + i) * a->value_width;
    double *dq = (double *)(void *)a->y + (head * a->rows + i) * a->width, mean = 0;
    for (int64_t j = 0; j < a->keys; j++) mean += weight(a, head, i, j) * weight_cotangent(a, head, i, j);
    for (int64_t j = 0; j < a->keys; j++) {
        int64_t key = head / a->group * a->keys + j;
        double p = weight(a, head, i, j), ds = p * (weight_cotangent(a, head, i, j) - mean) * a->scale;
        for (int64_t c = 0; c < a->width; c++) {
            dq[c] += ds * k[key * a->width + c];
            ((double *)(void *)a->dk)[key * a->width + c] += ds * q[c];
        }
        for (int64_t c = 0; c < a->value_width; c++) ((double *)(void *)a->dv)[key * a->value_width + c] += p * g[c];
    }
}

static tg_status attention_grad_ref(tg_kernel_args *k) {
    attention a = attention_of(k->in, 4, ((const attention_attr *)k->attr)->causal);
    read_numbers(&a, k->in, k->n_in, 4);
    a.y = k->out[0].data, a.dk = k->out[1].data, a.dv = k->out[2].data;
    for (int i = 0; i < 3; i++) memset(k->out[i].data, 0, (size_t)k->out[i].numel * sizeof(double));
    for (int64_t head = 0; head < a.units * a.group; head++)
        for (int64_t i = 0; i < a.rows; i++) ref_row(&a, head, i);
    return TG_OK;
}

#define QKVG(q_, k_, v_, g_) IN('f', q_), IN('f', k_), IN('f', v_), IN('f', g_), SCALE

const tg_op tg__op_attention_grad = {
    .name = "attention_grad",
    .formula = "dv = p^T g, dp = g v^T, ds = scale p (dp - sum of p dp), dq = ds k, dk = ds^T q; p the weights",
    .source = "Dao, Fu, Ermon, Rudra, Re 2022, FlashAttention, arXiv:2205.14135, appendix B.2",
    .min_in = 5,
    .max_in = 6,
    .n_out = 3,
    .attr_size = sizeof(attention_attr),
    .fields = attention_fields,
    .infer = attention_grad_infer,
    .vjp = attention_grad_vjp,
    .define = attention_grad_define,
    .kernel = attention_grad_kernel,
    .scratch = attention_grad_scratch,
    .ref = attention_grad_ref,
    .flops = attention_flops,
    SAMPLES(SAMPLE("heads", INPUTS(QKVG((2, 3, 2), (2, 4, 2), (2, 4, 3), (2, 3, 3))), PLAIN),
            SAMPLE("causal, grouped", INPUTS(QKVG((2, 3, 2), (1, 4, 2), (1, 4, 2), (2, 3, 2))), CAUSAL),
            SAMPLE("causal, more rows than keys", INPUTS(QKVG((1, 4, 2), (1, 2, 2), (1, 2, 2), (1, 4, 2))), CAUSAL),
            SAMPLE("more rows than a block", INPUTS(QKVG((1, 67, 1), (1, 3, 1), (1, 3, 1), (1, 67, 1))), PLAIN),
            SAMPLE("a mask", INPUTS(QKVG((2, 3, 2), (2, 4, 2), (2, 4, 2), (2, 3, 2)), IN('b', (2, 1, 4))), PLAIN),
            SAMPLE("no rows", INPUTS(QKVG((2, 0, 2), (2, 3, 2), (2, 3, 2), (2, 0, 2))), PLAIN)),
    BADS(BAD("a cotangent of another shape", TG_ESHAPE, "cotangent's shape",
             INPUTS(QKVG((2, 3, 2), (2, 4, 2), (2, 4, 3), (2, 3, 2))), PLAIN),
         BAD("matrices", TG_ESHAPE, "of one rank", INPUTS(QKVG((3, 2), (4, 2), (4, 3), (3, 3))), PLAIN),
         BAD("lengths that differ", TG_ESHAPE, "length of k and v", INPUTS(QKVG((2, 3, 2), (2, 4, 2), (2, 5, 3), (2, 3, 3))),
             PLAIN),
         BAD("sizes that differ", TG_ESHAPE, "vectors of 2 and 3", INPUTS(QKVG((2, 3, 2), (2, 4, 3), (2, 4, 3), (2, 3, 3))),
             PLAIN),
         BAD("whole numbers", TG_EDTYPE, "tg_cast",
             INPUTS(IN('f', (2, 3, 2)), IN('f', (2, 4, 2)), IN('i', (2, 4, 3)), IN('f', (2, 3, 3)), SCALE), PLAIN)),
};

/* ------------------------------------------------------------------ the public function */

/*| tg_attention: scaled dot-product attention. Each row of q looks at the keys and takes the mean of the values, weighted by
 *  the softmax of the products; the matrix of weights is never in memory as a whole. scale 0 means 1 / sqrt(D). mask is bool,
 *  true where a row may look, or (tg_tensor){0}. causal: row i looks at keys up to i + S - T, so that the last row sees all.
 *  With fewer heads of k and v than of q, heads of q in a row share them. A row that may look nowhere gives 0.
 *    y = softmax(scale q k^T) v, over the keys that a row may look at
 *  Shapes:   q (..., H, T, D), k (..., K, S, D), v (..., K, S, E), H a multiple of K, mask broadcasts to (..., H, T, S)
 *            -> y (..., H, T, E)
 *  Dtypes:   f32, f64, the same for all; mask bool
 *  Gradient: dv = p^T g, ds = scale p (g v^T - sum of p (g v^T)), dq = ds k, dk = ds^T q; p the weights
 *  Errors:   TG_ESHAPE if ranks, batches, heads, lengths or sizes do not fit; TG_EARG if scale is not finite; TG_EDTYPE
 *  Source:   Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, eq. 1 */
TG_API(tg_tensor, tg_attention, (tg_tensor q, tg_tensor k, tg_tensor v, tg_attention_config c), (q, k, v, c)) {
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){q, k, v, c.mask}, 4);
    if (!t) return tg__lost(site);
    tg_shape s = tg_shape_of(q);
    if (!isfinite(c.scale)) {
        tg__fail(t, TG_EARG, "attention", site, t->scope, "the scale is not finite");
        return tg__poison(t);
    }
    double scale = c.scale != 0 ? c.scale : 1 / sqrt((double)larger(s.rank ? s.dims[s.rank - 1] : 1, 1));
    tg_tensor number = tg_scalar_at(site, t, scale, tg_dtype_of(q) == TG_F64 ? TG_F64 : TG_F32);
    attention_attr attr = {c.causal};
    return tg_apply_at(site, t, &tg__op_attention, &attr, (tg_tensor[]){q, k, v, number, c.mask}, tg__is_none(c.mask) ? 4 : 5);
}
