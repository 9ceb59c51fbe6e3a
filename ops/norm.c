/* Normalisation */
#include "ops/definition.h"

#define LAST TG_AXES(-1)
#define LAYER_SOURCE "Ba, Kiros, Hinton 2016, Layer normalization, arXiv:1607.06450, eq. 4"
#define RMS_SOURCE "Zhang, Sennrich 2019, Root mean square layer normalization, arXiv:1910.07467, eq. 4"
#define BATCH_SOURCE "Ioffe, Szegedy 2015, Batch normalization, arXiv:1502.03167, algorithm 1"

/* ------------------------------------------------------------------ rules that all share */

static tg_status float_rule(tg_infer *f) {
    for (int i = 0; i < f->n_in; i++)
        if (!tg_dtype_is_float(f->in_dtype[i]) || f->in_dtype[i] != f->in_dtype[0])
            return tg_infer_fail(f, TG_EDTYPE, "%s and %s: all must be f32 or all f64: cast with tg_cast",
                                 tg_dtype_name(f->in_dtype[0]), tg_dtype_name(f->in_dtype[i]));
    for (int k = 0; k < 3; k++) f->dtype[k] = f->in_dtype[0];
    return TG_OK;
}

static tg_status vector_rule(tg_infer *f, int input, int64_t n, const char *name) {
    const tg_shape *s = f->in_shape[input];
    if (s->rank == 1 && s->dims[0] == n) return TG_OK;
    return tg_infer_fail(f, TG_ESHAPE, "%s must have shape (%lld)", name, (long long)n);
}

static tg_status epsilon_rule(tg_infer *f) {
    return f->in_shape[1]->rank ? tg_infer_fail(f, TG_ESHAPE, "epsilon must be a number") : TG_OK;
}

static double number_of(const tg_operand *x) {
    return x->dtype == TG_F64 ? *(const double *)x->data : (double)*(const float *)x->data;
}

static int type_of(tg_dtype d) { return d == TG_F64; }

#define WORK_PER_ELEMENT 8.0 /* in the unit of tg_parallel */

static double norm_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    return 8 * (double)tg_shape_numel(in[0]);
}

/* ------------------------------------------------------------------ rows: (x, epsilon[, w[, b]]) */

static tg_status row_norm_infer(tg_infer *f) {
    const tg_shape *x = f->in_shape[0];
    tg_status s = float_rule(f);
    if (!s) s = epsilon_rule(f);
    if (s) return s;
    if (!x->rank) return tg_infer_fail(f, TG_ESHAPE, "rank 0 has no axis");
    int64_t n = x->dims[x->rank - 1];
    if (!n) return tg_infer_fail(f, TG_ESHAPE, "the last axis has size 0");
    f->shape[0] = *x;
    if (f->n_in > 2) s = vector_rule(f, 2, n, "the weight");
    return s || f->n_in < 4 ? s : vector_rule(f, 3, n, "the bias");
}

typedef struct rows_run {
    tg__row_norm norm;
    int type;
    int64_t rows, chunks; /* of the gradient */
    char *sums;           /* of dw and db, for each chunk */
    size_t size;          /* of an element */
} rows_run;

static rows_run rows_of(const tg_kernel_args *k, bool center) {
    const tg_operand *x = &k->in[0];
    rows_run r = {.type = type_of(x->dtype), .size = tg_dtype_size(x->dtype)};
    r.norm = (tg__row_norm){.x = x->data, .y = k->out[0].data, .n = x->shape->dims[x->shape->rank - 1], .center = center};
    r.norm.epsilon = number_of(&k->in[1]);
    r.norm.past = tg__stores_past(x->numel * (int64_t)tg_dtype_size(x->dtype));
    r.rows = x->numel / r.norm.n;
    return r;
}

static void norm_rows(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    tg__kernels_get()->row_norm[r->type](&r->norm, begin, end);
}

static tg_status row_norm(tg_kernel_args *k, bool center) {
    rows_run r = rows_of(k, center);
    if (k->n_in > 2) r.norm.w = k->in[2].data;
    if (k->n_in > 3) r.norm.b = k->in[3].data;
    tg_parallel(k->threads, r.rows, (double)k->in[0].numel * WORK_PER_ELEMENT, norm_rows, &r);
    return TG_OK;
}

static tg_status layer_norm_kernel(tg_kernel_args *k) { return row_norm(k, true); }
static tg_status rms_norm_kernel(tg_kernel_args *k) { return row_norm(k, false); }

typedef struct standard { /* z, and by what x - mean was multiplied */
    tg_tensor z, rate;
} standard;

static standard standardise(tg_tensor x, tg_tensor epsilon, bool center) {
    if (center) x = tg_sub(x, tg_mean(x, LAST, true));
    tg_tensor rate = tg_rsqrt(tg_add(tg_mean(tg_square(x), LAST, true), epsilon));
    return (standard){tg_mul(x, rate), rate};
}

static tg_tensor row_norm_define(const tg_tensor *in, int n_in, bool center) {
    tg_tensor y = standardise(in[0], in[1], center).z;
    if (n_in > 2) y = tg_mul(y, in[2]);
    return n_in > 3 ? tg_add(y, in[3]) : y;
}

static tg_tensor layer_norm_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)attr;
    return row_norm_define(in, n_in, true);
}
static tg_tensor rms_norm_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)attr;
    return row_norm_define(in, n_in, false);
}

extern const tg_op tg__op_layer_norm_grad, tg__op_rms_norm_grad, tg__op_batch_norm_grad;

static void row_norm_vjp(tg_vjp_args *v, const tg_op *grad) {
    tg_tensor in[4] = {v->in[0], v->in[1], v->g[0], v->n_in > 2 ? v->in[2] : v->g[0]}, outs[3];
    if (tg_apply_n(NULL, grad, NULL, in, v->n_in > 2 ? 4 : 3, outs)) return;
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, outs[0]);
    if (v->n_in > 2 && tg_vjp_needs(v, 2)) tg_vjp_give(v, 2, outs[1]);
    if (v->n_in > 3 && tg_vjp_needs(v, 3)) tg_vjp_give(v, 3, outs[2]);
}
static void layer_norm_vjp(tg_vjp_args *v) { row_norm_vjp(v, &tg__op_layer_norm_grad); }
static void rms_norm_vjp(tg_vjp_args *v) { row_norm_vjp(v, &tg__op_rms_norm_grad); }

#define EPSILON IN('c', (), .lo = 1e-3, .hi = 0.1)
#define ROW_SAMPLES                                                                                              \
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (5)), IN('f', (5)))),                        \
            SAMPLE("a batch of long rows", INPUTS(IN('f', (2, 2, 67)), EPSILON, IN('f', (67)), IN('f', (67)))),  \
            SAMPLE("rows of two leaves", INPUTS(IN('f', (2, 1100)), EPSILON, IN('f', (1100)), IN('f', (1100)))), \
            SAMPLE("no bias", INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (5)))),                                   \
            SAMPLE("neither weight nor bias", INPUTS(IN('f', (3, 5)), EPSILON)),                                 \
            SAMPLE("a vector", INPUTS(IN('f', (7)), EPSILON, IN('f', (7)), IN('f', (7)))),                       \
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), EPSILON, IN('f', (3)), IN('f', (3)))))
#define ROW_BADS                                                                                                  \
    BADS(BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ()), EPSILON)),                                        \
         BAD("empty rows", TG_ESHAPE, "size 0", INPUTS(IN('f', (3, 0)), EPSILON)),                                \
         BAD("a weight of another size", TG_ESHAPE, "the weight must have shape (5)",                             \
             INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (3)))),                                                     \
         BAD("a bias of another size", TG_ESHAPE, "the bias must have shape (5)",                                 \
             INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (5)), IN('f', (1, 5)))),                                    \
         BAD("an epsilon per row", TG_ESHAPE, "epsilon must be a number", INPUTS(IN('f', (3, 5)), IN('c', (3)))), \
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 5)), EPSILON)),                            \
         BAD("a weight of whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3, 5)), EPSILON, IN('i', (5)))))

const tg_op tg__op_layer_norm = {
    .name = "layer_norm",
    .formula = "y = (x - mean(x)) / sqrt(var(x) + epsilon) * w + b, over the last axis",
    .source = LAYER_SOURCE,
    .min_in = 2,
    .max_in = 4,
    .infer = row_norm_infer,
    .vjp = layer_norm_vjp,
    .define = layer_norm_define,
    .kernel = layer_norm_kernel,
    .flops = norm_flops,
    ROW_SAMPLES,
    ROW_BADS,
};

const tg_op tg__op_rms_norm = {
    .name = "rms_norm",
    .formula = "y = x / sqrt(mean(x^2) + epsilon) * w + b, over the last axis",
    .source = RMS_SOURCE,
    .min_in = 2,
    .max_in = 4,
    .infer = row_norm_infer,
    .vjp = rms_norm_vjp,
    .define = rms_norm_define,
    .kernel = rms_norm_kernel,
    .flops = norm_flops,
    ROW_SAMPLES,
    ROW_BADS,
};

/* ------------------------------------------------------------------ rows: (x, epsilon, g[, w]) -> (dx, dw, db) */

static tg_status row_norm_grad_infer(tg_infer *f) {
    const tg_shape *x = f->in_shape[0];
    tg_status s = float_rule(f);
    if (!s) s = epsilon_rule(f);
    if (s) return s;
    if (!x->rank || !x->dims[x->rank - 1]) return tg_infer_fail(f, TG_ESHAPE, "there is no last axis, or it has size 0");
    if (!tg_shape_equal(x, f->in_shape[2])) return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not that of x");
    f->shape[0] = *x;
    f->shape[1] = f->shape[2] = TG_SHAPE(x->dims[x->rank - 1]);
    return f->n_in > 3 ? vector_rule(f, 3, x->dims[x->rank - 1], "the weight") : TG_OK;
}

/* Rows are summed in chunks, cut by their number alone, so that any number of threads gives the same bits. */
#define MOST_CHUNKS 64
static int64_t chunks_of(int64_t rows) { return rows < MOST_CHUNKS ? rows : MOST_CHUNKS; }

static size_t row_norm_grad_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)attr, (void)threads;
    int64_t n = out[1].numel, rows = n ? in[0].numel / n : 0;
    return 2 * (size_t)(chunks_of(rows) * n) * tg_dtype_size(in[0].dtype);
}

static void grad_chunks(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    size_t bytes = (size_t)r->norm.n * r->size;
    for (int64_t i = begin; i < end; i++) {
        char *sums = r->sums + 2 * (size_t)i * bytes;
        memset(sums, 0, 2 * bytes);
        int64_t first = i * r->rows / r->chunks, last = (i + 1) * r->rows / r->chunks;
        tg__kernels_get()->row_norm_grad[r->type](&r->norm, first, last, sums, sums + bytes);
    }
}

#define ADD_CHUNKS(T)                                                                        \
    static void add_chunks_##T(T *sums, int64_t n, int64_t chunks) {                         \
        for (int64_t step = 1; step < chunks; step *= 2)                                     \
            for (int64_t i = 0; i + step < chunks; i += 2 * step)                            \
                for (int64_t j = 0; j < n; j++) sums[i * n + j] += sums[(i + step) * n + j]; \
    }
ADD_CHUNKS(float)
ADD_CHUNKS(double)

static tg_status row_norm_grad(tg_kernel_args *k, bool center) {
    rows_run r = rows_of(k, center);
    size_t bytes = (size_t)r.norm.n * r.size;
    r.norm.g = k->in[2].data;
    if (k->n_in > 3) r.norm.w = k->in[3].data;
    r.chunks = chunks_of(r.rows);
    r.sums = k->scratch;
    if (!r.rows) {
        memset(k->out[1].data, 0, bytes);
        memset(k->out[2].data, 0, bytes);
        return TG_OK;
    }
    tg_parallel(k->threads, r.chunks, 2 * (double)k->in[0].numel * WORK_PER_ELEMENT, grad_chunks, &r);
    if (r.type)
        add_chunks_double(k->scratch, 2 * r.norm.n, r.chunks);
    else
        add_chunks_float(k->scratch, 2 * r.norm.n, r.chunks);
    memcpy(k->out[1].data, r.sums, bytes);
    memcpy(k->out[2].data, r.sums + bytes, bytes);
    return TG_OK;
}

static tg_status layer_norm_grad_kernel(tg_kernel_args *k) { return row_norm_grad(k, true); }
static tg_status rms_norm_grad_kernel(tg_kernel_args *k) { return row_norm_grad(k, false); }

static tg_axes leading_axes(tg_tensor x) {
    tg_axes axes = {0, {0}};
    for (int i = 0; i < tg_shape_of(x).rank - 1; i++) axes.axis[axes.n++] = i;
    return axes;
}

static void row_norm_grad_all(const tg_tensor *in, int n_in, bool center, tg_tensor *outs) {
    standard s = standardise(in[0], in[1], center);
    tg_tensor g = in[2], a = n_in > 3 ? tg_mul(g, in[3]) : g;
    tg_tensor rest = tg_sub(a, tg_mul(s.z, tg_mean(tg_mul(a, s.z), LAST, true)));
    if (center) rest = tg_sub(rest, tg_mean(a, LAST, true));
    outs[0] = tg_mul(s.rate, rest);
    outs[1] = tg_sum(tg_mul(g, s.z), leading_axes(g), false);
    outs[2] = tg_sum(g, leading_axes(g), false);
}

static void layer_norm_grad_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs) {
    (void)t, (void)attr;
    row_norm_grad_all(in, n_in, true, outs);
}
static void rms_norm_grad_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs) {
    (void)t, (void)attr;
    row_norm_grad_all(in, n_in, false, outs);
}
static void layer_norm_grad_vjp(tg_vjp_args *v) { tg__vjp_by_definition(v, layer_norm_grad_all); }
static void rms_norm_grad_vjp(tg_vjp_args *v) { tg__vjp_by_definition(v, rms_norm_grad_all); }

/* dx from the derivative of each y by x: dz_j / dx_i = rate (i = j - center / n - z_i z_j / n). */
static tg_status row_norm_grad_ref(tg_kernel_args *k, bool center) {
    const tg_operand *x = &k->in[0];
    const double *g = k->in[2].data, *w = k->n_in > 3 ? k->in[3].data : NULL;
    double *dx = k->out[0].data, *dw = k->out[1].data, *db = k->out[2].data;
    int64_t n = x->shape->dims[x->shape->rank - 1];
    for (int64_t j = 0; j < n; j++) dw[j] = db[j] = 0;
    for (int64_t from = 0; from < x->numel; from += n) {
        const double *row = (const double *)x->data + from;
        double mean = 0, square = 0;
        for (int64_t j = 0; center && j < n; j++) mean += row[j] / (double)n;
        for (int64_t j = 0; j < n; j++) square += (row[j] - mean) * (row[j] - mean) / (double)n;
        double rate = 1 / sqrt(square + *(const double *)k->in[1].data);
        for (int64_t i = 0; i < n; i++) {
            double z = (row[i] - mean) * rate;
            dx[from + i] = 0;
            dw[i] += g[from + i] * z;
            db[i] += g[from + i];
            for (int64_t j = 0; j < n; j++) {
                double by = (i == j) - (center ? 1 : 0) / (double)n - z * (row[j] - mean) * rate / (double)n;
                dx[from + i] += rate * by * g[from + j] * (w ? w[j] : 1);
            }
        }
    }
    return TG_OK;
}
static tg_status layer_norm_grad_ref(tg_kernel_args *k) { return row_norm_grad_ref(k, true); }
static tg_status rms_norm_grad_ref(tg_kernel_args *k) { return row_norm_grad_ref(k, false); }

#define ROW_GRAD_SAMPLES                                                                                              \
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (3, 5)), IN('f', (5)))),                          \
            SAMPLE("a batch of long rows", INPUTS(IN('f', (2, 2, 67)), EPSILON, IN('f', (2, 2, 67)), IN('f', (67)))), \
            SAMPLE("no weight", INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (3, 5)))),                                   \
            SAMPLE("more rows than chunks", INPUTS(IN('f', (70, 3)), EPSILON, IN('f', (70, 3)), IN('f', (3)))),       \
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), EPSILON, IN('f', (0, 3)), IN('f', (3)))))
#define ROW_GRAD_BADS                                                                                                         \
    BADS(BAD("rank 0", TG_ESHAPE, "no last axis", INPUTS(IN('f', ()), EPSILON, IN('f', ()))),                                 \
         BAD("a cotangent of another shape", TG_ESHAPE, "cotangent's shape", INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (3)))), \
         BAD("a weight of another size", TG_ESHAPE, "the weight must have shape (5)",                                         \
             INPUTS(IN('f', (3, 5)), EPSILON, IN('f', (3, 5)), IN('f', (3)))),                                                \
         BAD("an epsilon per row", TG_ESHAPE, "epsilon must be a number",                                                     \
             INPUTS(IN('f', (3, 5)), IN('c', (3)), IN('f', (3, 5)))),                                                         \
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3, 5)), EPSILON, IN('i', (3, 5)))))

const tg_op tg__op_layer_norm_grad = {
    .name = "layer_norm_grad",
    .formula =
        "dx = (g w - mean(g w) - z mean(g w z)) / sqrt(var(x) + epsilon), dw = sum of g z, db = sum of g; z the normalised x",
    .source = LAYER_SOURCE,
    .min_in = 3,
    .max_in = 4,
    .n_out = 3,
    .infer = row_norm_grad_infer,
    .vjp = layer_norm_grad_vjp,
    .kernel = layer_norm_grad_kernel,
    .scratch = row_norm_grad_scratch,
    .ref = layer_norm_grad_ref,
    .flops = norm_flops,
    ROW_GRAD_SAMPLES,
    ROW_GRAD_BADS,
};

const tg_op tg__op_rms_norm_grad = {
    .name = "rms_norm_grad",
    .formula = "dx = (g w - z mean(g w z)) / sqrt(mean(x^2) + epsilon), dw = sum of g z, db = sum of g; z the normalised x",
    .source = RMS_SOURCE,
    .min_in = 3,
    .max_in = 4,
    .n_out = 3,
    .infer = row_norm_grad_infer,
    .vjp = rms_norm_grad_vjp,
    .kernel = rms_norm_grad_kernel,
    .scratch = row_norm_grad_scratch,
    .ref = rms_norm_grad_ref,
    .flops = norm_flops,
    ROW_GRAD_SAMPLES,
    ROW_GRAD_BADS,
};

/* ------------------------------------------------------------------ batch_norm: (x, epsilon, w, b) -> (y, mean, variance) */

static tg_status channels_rule(tg_infer *f) {
    const tg_shape *x = f->in_shape[0];
    tg_status s = float_rule(f);
    if (s) return s;
    if (x->rank < 2) return tg_infer_fail(f, TG_ESHAPE, "rank %d: it must be (batch, channels, any)", x->rank);
    if (x->dims[0] * tg__extent(x, 2, x->rank) == 0) return tg_infer_fail(f, TG_ESHAPE, "the mean of an empty batch");
    f->shape[0] = *x;
    f->shape[1] = f->shape[2] = TG_SHAPE(x->dims[1]);
    return TG_OK;
}

static tg_status batch_norm_infer(tg_infer *f) {
    tg_status s = channels_rule(f);
    if (!s) s = epsilon_rule(f);
    if (!s) s = vector_rule(f, 2, f->in_shape[0]->dims[1], "the weight");
    return s ? s : vector_rule(f, 3, f->in_shape[0]->dims[1], "the bias");
}

typedef struct channels_run {
    tg__channel_norm norm;
    int type;
} channels_run;

static channels_run channels_of(const tg_kernel_args *k) {
    const tg_shape *x = k->in[0].shape;
    tg__channel_norm norm = {.x = k->in[0].data, .y = k->out[0].data, .images = x->dims[0], .channels = x->dims[1]};
    norm.n = tg__extent(x, 2, x->rank);
    return (channels_run){norm, type_of(k->in[0].dtype)};
}

static void norm_channels(int64_t begin, int64_t end, void *ctx) {
    const channels_run *r = ctx;
    tg__kernels_get()->channel_norm[r->type](&r->norm, begin, end);
}

static tg_status batch_norm_kernel(tg_kernel_args *k) {
    channels_run r = channels_of(k);
    r.norm.epsilon = number_of(&k->in[1]);
    r.norm.w = k->in[2].data, r.norm.b = k->in[3].data;
    r.norm.mean = k->out[1].data, r.norm.variance = k->out[2].data;
    tg_parallel(k->threads, r.norm.channels, (double)k->in[0].numel * WORK_PER_ELEMENT, norm_channels, &r);
    return TG_OK;
}

static tg_axes other_axes(tg_tensor x) { /* all but the channels' */
    tg_axes axes = {1, {0}};
    for (int i = 2; i < tg_shape_of(x).rank; i++) axes.axis[axes.n++] = i;
    return axes;
}

static tg_tensor per_channel(tg_tensor v, tg_tensor x) { /* (C) -> (C, 1, ...), to broadcast over x */
    tg_shape s = {tg_shape_of(x).rank - 1, {tg_shape_of(v).dims[0]}};
    for (int i = 1; i < s.rank; i++) s.dims[i] = 1;
    return tg_reshape(v, s);
}

static void batch_norm_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor x = in[0], mean = tg_mean(x, other_axes(x), false), centred = tg_sub(x, per_channel(mean, x));
    tg_tensor variance = tg_mean(tg_square(centred), other_axes(x), false);
    tg_tensor slope = tg_mul(in[2], tg_rsqrt(tg_add(variance, in[1])));
    outs[0] = tg_add(tg_mul(centred, per_channel(slope, x)), per_channel(in[3], x));
    outs[1] = mean;
    outs[2] = variance;
}

static tg_tensor batch_norm_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    tg_tensor outs[3];
    batch_norm_all(t, in, n_in, attr, outs);
    return outs[0];
}

/* A cotangent of the mean or the variance is rare (a loss on them): then the definition is differentiated. */
static void batch_norm_vjp(tg_vjp_args *v) {
    if (!tg__is_none(v->g[1]) || !tg__is_none(v->g[2])) {
        tg__vjp_by_definition(v, batch_norm_all);
        return;
    }
    tg_tensor in[6] = {v->in[0], v->in[1], v->out[1], v->out[2], v->in[2], v->g[0]}, outs[3];
    if (tg_apply_n(NULL, &tg__op_batch_norm_grad, NULL, in, 6, outs)) return;
    for (int i = 0; i < 3; i++) {
        int input = i ? i + 1 : 0;
        if (tg_vjp_needs(v, input)) tg_vjp_give(v, input, outs[i]);
    }
}

static tg_status batch_norm_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0];
    const double *from = x->data;
    double *mean = k->out[1].data, *variance = k->out[2].data;
    int64_t channels = x->shape->dims[1], n = tg__extent(x->shape, 2, x->shape->rank);
    double count = (double)(channels ? x->numel / channels : 0);
    for (int64_t c = 0; c < channels; c++) mean[c] = variance[c] = 0;
    for (int64_t i = 0; i < x->numel; i++) mean[i / n % channels] += from[i] / count;
    for (int64_t i = 0; i < x->numel; i++) variance[i / n % channels] += pow(from[i] - mean[i / n % channels], 2) / count;
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t c = i / n % channels;
        double z = (from[i] - mean[c]) / sqrt(variance[c] + *(const double *)k->in[1].data);
        ((double *)k->out[0].data)[i] = z * ((const double *)k->in[2].data)[c] + ((const double *)k->in[3].data)[c];
    }
    return TG_OK;
}

const tg_op tg__op_batch_norm = {
    .name = "batch_norm",
    .formula = "y = (x - mean) / sqrt(variance + epsilon) * w + b, for each channel; mean, variance",
    .source = BATCH_SOURCE,
    .min_in = 4,
    .max_in = 4,
    .n_out = 3,
    .infer = batch_norm_infer,
    .vjp = batch_norm_vjp,
    .define = batch_norm_define,
    .kernel = batch_norm_kernel,
    .ref = batch_norm_ref,
    .flops = norm_flops,
    SAMPLES(SAMPLE("images", INPUTS(IN('f', (2, 3, 2, 3)), EPSILON, IN('f', (3)), IN('f', (3)))),
            SAMPLE("features", INPUTS(IN('f', (5, 4)), EPSILON, IN('f', (4)), IN('f', (4)))),
            SAMPLE("long channels", INPUTS(IN('f', (2, 2, 37)), EPSILON, IN('f', (2)), IN('f', (2)))),
            SAMPLE("no channels", INPUTS(IN('f', (2, 0, 3)), EPSILON, IN('f', (0)), IN('f', (0))))),
    BADS(
        BAD("a vector", TG_ESHAPE, "rank 1", INPUTS(IN('f', (3)), EPSILON, IN('f', (3)), IN('f', (3)))),
        BAD("an empty batch", TG_ESHAPE, "empty batch", INPUTS(IN('f', (0, 3)), EPSILON, IN('f', (3)), IN('f', (3)))),
        BAD("a weight of another size", TG_ESHAPE, "the weight must have shape (3)",
            INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (2)), IN('f', (3)))),
        BAD("a bias of another size", TG_ESHAPE, "the bias must have shape (3)",
            INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (3)), IN('f', (2)))),
        BAD("an epsilon per channel", TG_ESHAPE, "a number", INPUTS(IN('f', (2, 3)), IN('c', (3)), IN('f', (3)), IN('f', (3)))),
        BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (2, 3)), EPSILON, IN('f', (3)), IN('f', (3))))),
};

/* ------------------------------------------------------------------ (x, epsilon, mean, variance, w, g) -> (dx, dw, db)
 *
 * As a function of its inputs, mean and variance are not tied to x: what ties them is the node that made them. */

static tg_status batch_norm_grad_infer(tg_infer *f) {
    static const char *const names[] = {"the mean", "the variance", "the weight"};
    tg_status s = channels_rule(f);
    if (!s) s = epsilon_rule(f);
    for (int i = 0; i < 3 && !s; i++) s = vector_rule(f, i + 2, f->in_shape[0]->dims[1], names[i]);
    if (!s && !tg_shape_equal(f->in_shape[0], f->in_shape[5]))
        return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not that of x");
    return s;
}

static void grad_channels(int64_t begin, int64_t end, void *ctx) {
    const channels_run *r = ctx;
    tg__kernels_get()->channel_norm_grad[r->type](&r->norm, begin, end);
}

static tg_status batch_norm_grad_kernel(tg_kernel_args *k) {
    channels_run r = channels_of(k);
    r.norm.epsilon = number_of(&k->in[1]);
    r.norm.mean = k->in[2].data, r.norm.variance = k->in[3].data;
    r.norm.w = k->in[4].data, r.norm.g = k->in[5].data;
    r.norm.dw = k->out[1].data, r.norm.db = k->out[2].data;
    tg_parallel(k->threads, r.norm.channels, 2 * (double)k->in[0].numel * WORK_PER_ELEMENT, grad_channels, &r);
    return TG_OK;
}

static void batch_norm_grad_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor x = in[0], w = in[4], g = in[5], rate = tg_rsqrt(tg_add(in[3], in[1]));
    tg_tensor z = tg_mul(tg_sub(x, per_channel(in[2], x)), per_channel(rate, x));
    tg_tensor shift = tg_mean(g, other_axes(x), false), slope = tg_mean(tg_mul(g, z), other_axes(x), false);
    tg_tensor rest = tg_sub(tg_sub(g, per_channel(shift, x)), tg_mul(z, per_channel(slope, x)));
    outs[0] = tg_mul(per_channel(tg_mul(w, rate), x), rest);
    outs[1] = tg_sum(tg_mul(g, z), other_axes(x), false);
    outs[2] = tg_sum(g, other_axes(x), false);
}

static void batch_norm_grad_vjp(tg_vjp_args *v) { tg__vjp_by_definition(v, batch_norm_grad_all); }

static tg_status batch_norm_grad_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0];
    const double *from = x->data, *mean = k->in[2].data, *variance = k->in[3].data, *w = k->in[4].data, *g = k->in[5].data;
    double *dx = k->out[0].data, *dw = k->out[1].data, *db = k->out[2].data;
    int64_t channels = x->shape->dims[1], n = tg__extent(x->shape, 2, x->shape->rank);
    double count = (double)(channels ? x->numel / channels : 0), epsilon = *(const double *)k->in[1].data;
    for (int64_t c = 0; c < channels; c++) dw[c] = db[c] = 0;
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t c = i / n % channels;
        dw[c] += g[i] * (from[i] - mean[c]) / sqrt(variance[c] + epsilon);
        db[c] += g[i];
    }
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t c = i / n % channels;
        double rate = 1 / sqrt(variance[c] + epsilon), z = (from[i] - mean[c]) * rate;
        dx[i] = w[c] * rate * (g[i] - db[c] / count - z * dw[c] / count);
    }
    return TG_OK;
}

#define POSITIVE(...) IN('f', __VA_ARGS__, .lo = 0.5, .hi = 2)

const tg_op tg__op_batch_norm_grad = {
    .name = "batch_norm_grad",
    .formula =
        "dx = w (g - mean(g) - z mean(g z)) / sqrt(variance + epsilon), dw = sum of g z, db = sum of g; z the normalised x",
    .source = BATCH_SOURCE,
    .min_in = 6,
    .max_in = 6,
    .n_out = 3,
    .infer = batch_norm_grad_infer,
    .vjp = batch_norm_grad_vjp,
    .kernel = batch_norm_grad_kernel,
    .ref = batch_norm_grad_ref,
    .flops = norm_flops,
    SAMPLES(SAMPLE("images",
                   INPUTS(IN('f', (2, 3, 2, 3)), EPSILON, IN('f', (3)), POSITIVE((3)), IN('f', (3)), IN('f', (2, 3, 2, 3)))),
            SAMPLE("features", INPUTS(IN('f', (5, 4)), EPSILON, IN('f', (4)), POSITIVE((4)), IN('f', (4)), IN('f', (5, 4)))),
            SAMPLE("no channels",
                   INPUTS(IN('f', (2, 0, 3)), EPSILON, IN('f', (0)), POSITIVE((0)), IN('f', (0)), IN('f', (2, 0, 3))))),
    BADS(BAD("a mean of another size", TG_ESHAPE, "the mean must have shape (3)",
             INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (2)), IN('f', (3)), IN('f', (3)), IN('f', (2, 3)))),
         BAD("a variance of another size", TG_ESHAPE, "the variance must have shape (3)",
             INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (3)), IN('f', (2)), IN('f', (3)), IN('f', (2, 3)))),
         BAD("a weight of another size", TG_ESHAPE, "the weight must have shape (3)",
             INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (3)), IN('f', (3)), IN('f', (3, 1)), IN('f', (2, 3)))),
         BAD("a cotangent of another shape", TG_ESHAPE, "cotangent's shape",
             INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (3)), IN('f', (3)), IN('f', (3)), IN('f', (3, 2)))),
         BAD("whole numbers", TG_EDTYPE, "tg_cast",
             INPUTS(IN('f', (2, 3)), EPSILON, IN('f', (3)), IN('f', (3)), IN('f', (3)), IN('i', (2, 3))))),
};

/* ------------------------------------------------------------------ the public functions */

/* Records op on x, eps and as many of w and b as there are; poison and an error if eps cannot be one. */
static tg_tensor normalised(const char *site, const tg_op *op, tg_tensor x, tg_tensor w, tg_tensor b, double eps) {
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){x, w, b}, 3);
    if (!t) return tg__lost(site);
    if (!(eps > 0 && eps < INFINITY) || (tg__is_none(w) && !tg__is_none(b))) {
        tg__fail(t, TG_EARG, op->name, site, t->scope,
                 eps > 0 && eps < INFINITY ? "a bias needs a weight" : "epsilon must be positive and finite");
        return tg__poison(t);
    }
    tg_tensor in[4] = {x, tg_scalar_at(site, t, eps, tg_dtype_of(x) == TG_F64 ? TG_F64 : TG_F32), w, b};
    return tg_apply_at(site, t, op, NULL, in, tg__is_none(w) ? 2 : tg__is_none(b) ? 3 : 4);
}

/*| tg_layer_norm: normalises each row along the last axis, then scales and shifts. w and b may be (tg_tensor){0}: without.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b
 *  Shapes:   x (..., C), w (C), b (C) -> y (..., C), C >= 1
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = (g w - mean(g w) - z mean(g w z)) / sqrt(var(x) + eps), dw = sum of g z, db = sum of g; z the normalised x
 *  Errors:   TG_ESHAPE if x has no last axis or w or b is not (C); TG_EARG if eps is not positive, or for b without w;
 *            TG_EDTYPE for other dtypes
 *  Source:   Ba, Kiros, Hinton 2016, Layer normalization, arXiv:1607.06450, eq. 4 */
TG_API(tg_tensor, tg_layer_norm, (tg_tensor x, tg_tensor w, tg_tensor b, double eps), (x, w, b, eps)) {
    return normalised(site, &tg__op_layer_norm, x, w, b, eps);
}

/*| tg_rms_norm: divides each row along the last axis by its root mean square, then scales. w may be (tg_tensor){0}: without.
 *    y = x / sqrt(mean(x^2) + eps) * w
 *  Shapes:   x (..., C), w (C) -> y (..., C), C >= 1
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = (g w - z mean(g w z)) / sqrt(mean(x^2) + eps), dw = sum of g z; z the normalised x
 *  Errors:   TG_ESHAPE if x has no last axis or w is not (C); TG_EARG if eps is not positive; TG_EDTYPE for other dtypes
 *  Source:   Zhang, Sennrich 2019, Root mean square layer normalization, arXiv:1910.07467, eq. 4 */
TG_API(tg_tensor, tg_rms_norm, (tg_tensor x, tg_tensor w, double eps), (x, w, eps)) {
    return normalised(site, &tg__op_rms_norm, x, w, (tg_tensor){0}, eps);
}

/*| tg_batch_norm: normalises each channel over the batch, then scales and shifts: for training. stats is NULL or has room for
 *  two handles: mean and variance of the batch (divided by its size, not by one less); a layer keeps running averages of them
 *  for inference.
 *    y = (x - mean) / sqrt(variance + eps) * w + b
 *  Shapes:   x (N, C, any), w (C), b (C) -> y (N, C, any); stats (C), (C)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = w (g - mean(g) - z mean(g z)) / sqrt(variance + eps), dw = sum of g z, db = sum of g; z the normalised x
 *  Errors:   TG_ESHAPE if x has rank less than 2, the batch is empty, or w or b is not (C); TG_EARG if eps is not positive;
 *            TG_EDTYPE for other dtypes
 *  Source:   Ioffe, Szegedy 2015, Batch normalization, arXiv:1502.03167, algorithm 1 */
TG_API(tg_tensor, tg_batch_norm, (tg_tensor x, tg_tensor w, tg_tensor b, double eps, tg_tensor *stats), (x, w, b, eps, stats)) {
    tg_tape *t = tg__tape_from(NULL, (tg_tensor[]){x, w, b}, 3);
    tg_tensor outs[3] = {tg__lost(site), tg__lost(site), tg__lost(site)};
    if (t && !(eps > 0 && eps < INFINITY)) {
        tg__fail(t, TG_EARG, "batch_norm", site, t->scope, "epsilon must be positive and finite");
        outs[0] = outs[1] = outs[2] = tg__poison(t);
    } else if (t) {
        tg_tensor in[4] = {x, tg_scalar_at(site, t, eps, tg_dtype_of(x) == TG_F64 ? TG_F64 : TG_F32), w, b};
        tg_apply_n_at(site, t, &tg__op_batch_norm, NULL, in, 4, outs);
    }
    if (stats) memcpy(stats, outs + 1, 2 * sizeof *stats);
    return outs[0];
}

/*| tg_group_norm: cuts the channels of each example into groups and normalises each group, then scales and shifts each
 *  channel. One channel a group is instance normalisation (tg_instance_norm). w and b may be (tg_tensor){0}: without.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b, the mean and variance over a group of channels and all after them
 *  Shapes:   x (N, C, any), w (C), b (C), C a multiple of groups -> y (N, C, any)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: that of tg_layer_norm over a group; dw = sum of g z, db = sum of g over all but the channels
 *  Errors:   TG_EARG if groups does not divide C or eps is not positive; TG_ESHAPE if x has rank less than 2, a group is
 *            empty, or w or b does not fit; TG_EDTYPE for other dtypes
 *  Source:   Wu, He 2018, Group normalization, arXiv:1803.08494, eq. 1 and 7 */
TG_API(tg_tensor, tg_group_norm, (tg_tensor x, int64_t groups, tg_tensor w, tg_tensor b, double eps), (x, groups, w, b, eps)) {
    tg_shape s = tg_shape_of(x);
    tg_tape *t = tg_tape_of(x);
    if (!t) return tg__lost(site);
    if (tg_valid(x) && (s.rank < 2 || groups < 1 || s.dims[1] % groups)) {
        tg__fail(t, s.rank < 2 ? TG_ESHAPE : TG_EARG, "group_norm", site, t->scope,
                 "rank %d, %lld groups: it must be (batch, channels, any), the channels a multiple of the groups", s.rank,
                 (long long)groups);
        return tg__poison(t);
    }
    if (!tg_valid(x)) return tg_stop_gradient_at(site, x); /* says why */
    tg_tensor rows = tg_reshape_at(site, x, TG_SHAPE(s.dims[0], groups, tg__extent(&s, 1, s.rank) / groups));
    tg_tensor y = tg_reshape_at(site, normalised(site, &tg__op_layer_norm, rows, (tg_tensor){0}, (tg_tensor){0}, eps), s);
    tg_shape channels = {s.rank - 1, {s.dims[1]}};
    for (int i = 1; i < channels.rank; i++) channels.dims[i] = 1;
    tg_tensor affine[2] = {w, b};
    for (int i = 0; i < 2; i++) {
        if (tg__is_none(affine[i])) continue;
        if (!tg_tape_of(affine[i])) affine[i] = tg_on_at(site, t, affine[i]);
        affine[i] = tg_reshape_at(site, affine[i], channels);
        y = i ? tg_add_at(site, y, affine[i]) : tg_mul_at(site, y, affine[i]);
    }
    return y;
}

/*| tg_instance_norm: normalises each channel of each example, then scales and shifts it. w and b may be (tg_tensor){0}.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b, the mean and variance over the axes after the channels'
 *  Shapes:   x (N, C, any), w (C), b (C) -> y (N, C, any)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: that of tg_group_norm with C groups
 *  Errors:   those of tg_group_norm
 *  Source:   Ulyanov, Vedaldi, Lempitsky 2016, Instance normalization, arXiv:1607.08022, eq. 4 */
TG_API(tg_tensor, tg_instance_norm, (tg_tensor x, tg_tensor w, tg_tensor b, double eps), (x, w, b, eps)) {
    tg_shape s = tg_shape_of(x);
    return tg_group_norm_at(site, x, s.rank > 1 && s.dims[1] > 0 ? s.dims[1] : 1, w, b, eps);
}
