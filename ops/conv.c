/* Convolution */
#include "kernels/direct.h"
#include "kernels/winograd.h"
#include "ops/op_file.h"

/* The three ops of this file are the derivatives of one form, linear in each of x, w and g:
 *     T(x, w, g) = sum of g[n, o, p] w[o, c, k] x[n, c, p stride + k dilation - padding]
 * over images n, channels o and c of one group, positions p and taps k. tg_conv is its derivative by g, conv_transpose by x,
 * conv_weight_grad by w. So each one's rule consists of the other two, to any order. */

typedef struct conv_attr {
    int64_t stride[TG_MAX_RANK], padding[TG_MAX_RANK], dilation[TG_MAX_RANK]; /* per spatial axis */
    int64_t size[TG_MAX_RANK]; /* conv_transpose: of the result's axes; conv_weight_grad: of the kernel's; conv: 0 */
    int64_t groups;
} conv_attr;
static const tg_field conv_fields[] = {
    {"stride", TG_FIELD_DIMS, offsetof(conv_attr, stride)},     {"padding", TG_FIELD_DIMS, offsetof(conv_attr, padding)},
    {"dilation", TG_FIELD_DIMS, offsetof(conv_attr, dilation)}, {"size", TG_FIELD_DIMS, offsetof(conv_attr, size)},
    {"groups", TG_FIELD_INT, offsetof(conv_attr, groups)},      {NULL, TG_FIELD_INT, 0},
};

#define AXES 3 /* most spatial axes */

/* ------------------------------------------------------------------ shapes */

static tg_status numbers_rule(tg_infer *f, int axes) {
    const conv_attr *attr = f->attr;
    for (int i = 0; i < axes; i++) {
        if (attr->stride[i] < 1 || attr->stride[i] > INT32_MAX || attr->dilation[i] < 1 || attr->dilation[i] > INT32_MAX)
            return tg_infer_fail(f, TG_EARG, "stride %lld and dilation %lld of axis %d must be at least 1",
                                 (long long)attr->stride[i], (long long)attr->dilation[i], i);
        if (attr->padding[i] < 0 || attr->padding[i] > INT32_MAX)
            return tg_infer_fail(f, TG_EARG, "padding %lld of axis %d is negative", (long long)attr->padding[i], i);
    }
    if (attr->groups < 1) return tg_infer_fail(f, TG_EARG, "%lld groups", (long long)attr->groups);
    return TG_OK;
}

static tg_status dtypes_rule(tg_infer *f) {
    if (!tg_dtype_is_float(f->in_dtype[0]) || f->in_dtype[0] != f->in_dtype[1])
        return tg_infer_fail(f, TG_EDTYPE, "%s and %s: both must be f32 or both f64: cast with tg_cast",
                             tg_dtype_name(f->in_dtype[0]), tg_dtype_name(f->in_dtype[1]));
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status rank_rule(tg_infer *f) {
    int rank = f->in_shape[0]->rank;
    if (rank < 3 || rank > 2 + AXES)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d: it must be (batch, channels, 1 to %d spatial axes)", rank, AXES);
    if (f->in_shape[1]->rank != rank) return tg_infer_fail(f, TG_ESHAPE, "ranks %d and %d differ", rank, f->in_shape[1]->rank);
    tg_status s = dtypes_rule(f);
    return s ? s : numbers_rule(f, rank - 2);
}

/* The positions of a kernel of `taps` elements along an axis of `size`; 0: it does not fit. */
static int64_t positions_of(const conv_attr *attr, int axis, int64_t size, int64_t taps) {
    if (taps < 1 || taps > INT32_MAX || size > INT64_MAX / 2) return 0;
    int64_t room = size + 2 * attr->padding[axis] - attr->dilation[axis] * (taps - 1) - 1;
    return room < 0 ? 0 : room / attr->stride[axis] + 1;
}

/* y, from x and w. */
static tg_status conv_rule(tg_infer *f, const tg_shape *x, const tg_shape *w, tg_shape *y) {
    const conv_attr *attr = f->attr;
    int64_t channels = x->dims[1], outputs = w->dims[0], groups = attr->groups;
    if (channels % groups || outputs % groups)
        return tg_infer_fail(f, TG_ESHAPE, "%lld and %lld channels cannot be cut into %lld groups", (long long)channels,
                             (long long)outputs, (long long)groups);
    if (w->dims[1] != channels / groups)
        return tg_infer_fail(f, TG_ESHAPE, "the weight is for %lld channels per group, not for %lld", (long long)w->dims[1],
                             (long long)(channels / groups));
    *y = (tg_shape){x->rank, {x->dims[0], outputs}};
    for (int i = 2; i < x->rank; i++) {
        y->dims[i] = positions_of(attr, i - 2, x->dims[i], w->dims[i]);
        if (!y->dims[i])
            return tg_infer_fail(f, TG_ESHAPE, "a kernel of size %lld and dilation %lld does not fit %lld padded by %lld twice",
                                 (long long)w->dims[i], (long long)attr->dilation[i - 2], (long long)x->dims[i],
                                 (long long)attr->padding[i - 2]);
    }
    return TG_OK;
}

static tg_status bias_rule(tg_infer *f, int64_t channels) {
    const tg_shape *b = f->in_shape[2];
    if (f->in_dtype[2] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "a bias of %s, and x of %s: cast with tg_cast", tg_dtype_name(f->in_dtype[2]),
                             tg_dtype_name(f->in_dtype[0]));
    if (b->rank != 1 || b->dims[0] != channels)
        return tg_infer_fail(f, TG_ESHAPE, "the bias must have shape (%lld)", (long long)channels);
    return TG_OK;
}

static tg_status conv_infer(tg_infer *f) {
    tg_status s = rank_rule(f);
    if (!s) s = conv_rule(f, f->in_shape[0], f->in_shape[1], &f->shape[0]);
    return s || f->n_in < 3 ? s : bias_rule(f, f->shape[0].dims[1]);
}

/* g must be what a convolution of x and w gives. */
static tg_status cotangent_rule(tg_infer *f, const tg_shape *x, const tg_shape *w, const tg_shape *g) {
    tg_shape y;
    tg_status s = conv_rule(f, x, w, &y);
    char text[96];
    if (!s && !tg_shape_equal(&y, g))
        return tg_infer_fail(f, TG_ESHAPE, "a convolution with a result of this size has shape %s",
                             tg__shape_text(&y, text, sizeof text));
    return s;
}

static tg_status conv_transpose_infer(tg_infer *f) {
    tg_status s = rank_rule(f);
    if (s) return s;
    const conv_attr *attr = f->attr;
    const tg_shape *g = f->in_shape[0], *w = f->in_shape[1];
    tg_shape *x = &f->shape[0];
    if (g->dims[1] != w->dims[0])
        return tg_infer_fail(f, TG_ESHAPE, "the weight is for %lld channels, not for %lld", (long long)w->dims[0],
                             (long long)g->dims[1]);
    if (w->dims[1] > INT64_MAX / attr->groups) return tg_infer_fail(f, TG_ESHAPE, "the result would have too many channels");
    *x = (tg_shape){g->rank, {g->dims[0], w->dims[1] * attr->groups}};
    for (int i = 2; i < g->rank; i++) {
        x->dims[i] = attr->size[i - 2];
        if (x->dims[i] < 0) return tg_infer_fail(f, TG_ESHAPE, "axis %d of the result would be negative", i);
    }
    return cotangent_rule(f, x, w, g);
}

static tg_status conv_weight_grad_infer(tg_infer *f) {
    tg_status s = rank_rule(f);
    if (s) return s;
    const conv_attr *attr = f->attr;
    const tg_shape *x = f->in_shape[0], *g = f->in_shape[1];
    tg_shape *w = &f->shape[0];
    *w = (tg_shape){x->rank, {g->dims[1], x->dims[1] / attr->groups}};
    for (int i = 2; i < x->rank; i++) w->dims[i] = attr->size[i - 2];
    return cotangent_rule(f, x, w, g);
}

/* ------------------------------------------------------------------ the form */

/* Spatial axes stand right in arrays of AXES; axes that are not there have size 1. */
typedef struct form {
    const void *x, *w, *g, *bias; /* bias: of the result of conv, or NULL */
    int64_t images, groups, cg, og; /* cg and og: channels of x and of g in a group */
    int64_t size[AXES], taps[AXES], at[AXES], stride[AXES], padding[AXES], dilation[AXES];
    int64_t all_size, all_taps, all_at;
} form;

static int64_t spatial(const tg_shape *s, int64_t *dims) {
    int64_t all = 1;
    for (int a = 0; a < AXES; a++) {
        int i = s->rank - AXES + a;
        dims[a] = i < 2 ? 1 : s->dims[i];
        all *= dims[a];
    }
    return all;
}

static form form_of(const tg_operand *x, const tg_operand *w, const tg_operand *g, const conv_attr *attr) {
    form f = {.x = x->data, .w = w->data, .g = g->data, .groups = attr->groups, .images = x->shape->dims[0]};
    f.cg = w->shape->dims[1];
    f.og = w->shape->dims[0] / f.groups;
    f.all_size = spatial(x->shape, f.size);
    f.all_taps = spatial(w->shape, f.taps);
    f.all_at = spatial(g->shape, f.at);
    for (int a = 0; a < AXES; a++) {
        int i = x->shape->rank - 2 - AXES + a;
        f.stride[a] = i < 0 ? 1 : attr->stride[i];
        f.dilation[a] = i < 0 ? 1 : attr->dilation[i];
        f.padding[a] = i < 0 ? 0 : attr->padding[i];
    }
    return f;
}

static double form_flops(const form *f) {
    return 2.0 * (double)f->images * (double)f->groups * (double)f->cg * (double)f->og * (double)f->all_taps *
           (double)f->all_at;
}

/* Calls `at` with the places in x, w and g of every term of the form. */
typedef void term_fn(const form *f, double *out, int64_t x, int64_t w, int64_t g);

static int64_t next_place(int64_t *place, const int64_t *sizes) { /* 0 after the last one */
    for (int a = AXES - 1; a >= 0; a--) {
        if (++place[a] < sizes[a]) return 1;
        place[a] = 0;
    }
    return 0;
}

static void terms_of_channel(const form *f, double *out, term_fn *at, int64_t x, int64_t w, int64_t g) {
    int64_t p[AXES] = {0}, k[AXES] = {0}, tap = 0, position = 0;
    do {
        do {
            int64_t point = 0;
            bool inside = true;
            for (int a = 0; a < AXES; a++) {
                int64_t i = p[a] * f->stride[a] + k[a] * f->dilation[a] - f->padding[a];
                inside = inside && i >= 0 && i < f->size[a];
                point = point * f->size[a] + i;
            }
            if (inside) at(f, out, x + point, w + tap, g + position);
            tap = (tap + 1) % f->all_taps;
        } while (next_place(k, f->taps));
        position++;
    } while (next_place(p, f->at));
}

static tg_status every_term(const form *f, const tg_operand *out, term_fn *at) {
    memset(out->data, 0, (size_t)out->numel * sizeof(double));
    for (int64_t n = 0; n < f->images; n++)
        for (int64_t o = 0; o < f->groups * f->og; o++)
            for (int64_t c = 0; c < f->cg; c++) {
                int64_t channel = o / f->og * f->cg + c;
                terms_of_channel(f, out->data, at, (n * f->groups * f->cg + channel) * f->all_size,
                                 (o * f->cg + c) * f->all_taps, (n * f->groups * f->og + o) * f->all_at);
            }
    return TG_OK;
}

/* ------------------------------------------------------------------ products */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t round64(size_t n) { return (n + 63) / 64 * 64; }

/* The patches that a kernel sees: of x. */
static tg__image patches_of_x(const form *f, bool columns_are_positions) {
    tg__image m = {.channel = f->all_size, .columns_are_positions = columns_are_positions};
    int64_t step = 1;
    for (int i = TG__IMAGE_AXES - 1; i >= 0; i--) {
        int a = i - (TG__IMAGE_AXES - AXES);
        m.stride[i] = step;
        m.size[i] = a < 0 ? 1 : f->size[a];
        m.at[i] = a < 0 ? 1 : f->at[a];
        m.taps[i] = a < 0 ? 1 : f->taps[a];
        m.at_step[i] = a < 0 ? 1 : f->stride[a];
        m.tap_step[i] = a < 0 ? 1 : f->dilation[a];
        m.offset[i] = a < 0 ? 0 : -f->padding[a];
        step *= m.size[i];
    }
    return m;
}

/* With a stride, the points of x at one place of the grid of strides (a phase) see only some taps. For them the form is a
 * plain product with patches of g: points q stride + phase see g at q + shift - j step with the tap first + j apart. */
typedef struct phase {
    int64_t points[AXES], taps[AXES]; /* how many */
    int64_t at[AXES];                 /* the first point */
    int64_t first[AXES], apart[AXES]; /* taps that it sees */
    int64_t shift[AXES], step[AXES];
    int64_t all_points, all_taps;
} phase;

static phase phase_at(const form *f, int64_t number) {
    phase h = {.all_points = 1, .all_taps = 1};
    for (int a = AXES - 1; a >= 0; a--) {
        int64_t stride = f->stride[a], apart = stride / tg__common_divisor(stride, f->dilation[a]), first = 0;
        h.at[a] = number % stride;
        number /= stride;
        h.points[a] = h.at[a] < f->size[a] ? (f->size[a] - h.at[a] + stride - 1) / stride : 0;
        while (first < apart && (h.at[a] + f->padding[a] - first * f->dilation[a]) % stride != 0) first++;
        h.first[a] = first;
        h.apart[a] = apart;
        h.taps[a] = first < apart && first < f->taps[a] ? (f->taps[a] - first + apart - 1) / apart : 0;
        h.shift[a] = (h.at[a] + f->padding[a] - first * f->dilation[a]) / stride;
        h.step[a] = apart * f->dilation[a] / stride;
        h.all_points *= h.points[a];
        h.all_taps *= h.taps[a];
    }
    return h;
}

static int64_t phases_of(const form *f) {
    int64_t all = 1;
    for (int a = 0; a < AXES; a++) all *= f->stride[a] < f->size[a] ? f->stride[a] : f->size[a];
    return all;
}

/* Number `i` of the phases that have points, as phase_at counts them. */
static int64_t phase_number(const form *f, int64_t i) {
    int64_t number = 0, digits[AXES];
    for (int a = AXES - 1; a >= 0; a--) {
        int64_t used = f->stride[a] < f->size[a] ? f->stride[a] : f->size[a];
        digits[a] = i % used;
        i /= used;
    }
    for (int a = 0; a < AXES; a++) number = number * f->stride[a] + digits[a];
    return number;
}

static tg__image patches_of_g(const form *f, const phase *h) {
    tg__image m = {.channel = f->all_at, .columns_are_positions = true};
    int64_t step = 1;
    for (int i = TG__IMAGE_AXES - 1; i >= 0; i--) {
        int a = i - (TG__IMAGE_AXES - AXES);
        m.stride[i] = step;
        m.size[i] = a < 0 ? 1 : f->at[a];
        m.at[i] = a < 0 ? 1 : h->points[a];
        m.taps[i] = a < 0 ? 1 : h->taps[a];
        m.at_step[i] = 1;
        m.tap_step[i] = a < 0 ? 1 : -h->step[a];
        m.offset[i] = a < 0 ? 0 : h->shift[a];
        step *= m.size[i];
    }
    return m;
}

/* Small images that patches reach out of are copied with zeros around them, once, since packing is faster where all of a
 * patch is inside: for large ones borders are rare. */
#define MARGIN_BYTES (8 << 20)

typedef struct margin {
    tg__image image; /* as it is in the copy */
    int64_t before[TG__IMAGE_AXES], planes;
    bool some, far; /* patches reach out of the image; further than what may ever be copied */
    const tg__image *plain;
    const char *from;
    char *to;
    size_t size, bytes; /* of an element; of the copy: 0 if none is made */
} margin;

static margin margin_of(const tg__image *m, int64_t planes, size_t size) {
    margin w = {.image = *m, .planes = planes, .plain = m, .size = size};
    int64_t step = 1;
    for (int a = TG__IMAGE_AXES - 1; a >= 0; a--) {
        int64_t tap = (m->taps[a] - 1) * m->tap_step[a], low = m->offset[a] + (tap < 0 ? tap : 0);
        int64_t high = m->offset[a] + (m->at[a] - 1) * m->at_step[a] + (tap > 0 ? tap : 0);
        int64_t after = high < m->size[a] ? 0 : high - m->size[a] + 1;
        w.before[a] = low < 0 ? -low : 0;
        w.far = w.far || w.before[a] + after > MARGIN_BYTES;
        if (w.far) return w;
        w.image.size[a] += w.before[a] + after, w.image.offset[a] += w.before[a], w.image.stride[a] = step;
        step *= w.image.size[a];
    }
    bool small = (double)step * (double)planes * (double)size <= MARGIN_BYTES;
    w.some = step > m->channel, w.image.channel = step;
    if (w.some && small) w.bytes = round64((size_t)(step * planes) * size);
    return w;
}

static void copy_planes(int64_t begin, int64_t end, void *ctx) {
    const margin *w = ctx;
    const int64_t *n = w->plain->size, *before = w->before;
    const size_t plane = (size_t)w->image.channel * w->size, row = (size_t)n[3] * w->size;
    for (int64_t p = begin; p < end; p++) {
        const char *from = w->from + (size_t)(p * w->plain->channel) * w->size;
        memset(w->to + (size_t)p * plane, 0, plane);
        for (int64_t i = 0; i < n[1] * n[2]; i++, from += row) {
            int64_t at = ((i / n[2] + before[1]) * w->image.size[2] + i % n[2] + before[2]) * w->image.size[3] + before[3];
            memcpy(w->to + (size_t)p * plane + (size_t)at * w->size, from, row);
        }
    }
}

/* The patches of `m` as those of a copy in `memory`, where one is made; returns the planes to read. */
static const void *with_margin(tg__image *m, const void *data, int64_t planes, size_t size, int threads, void *memory) {
    const tg__image plain = *m;
    margin w = margin_of(&plain, planes, size);
    if (!w.bytes) return data;
    w.from = data, w.to = memory;
    tg_parallel(threads, planes, 2 * (double)w.bytes, copy_planes, &w);
    *m = w.image;
    return memory;
}

/* A kernel of size 1 that looks at every point: patches are the image. */
static bool is_pointwise(const form *f) {
    bool all = f->all_taps == 1;
    for (int a = 0; a < AXES; a++) all = all && f->stride[a] == 1 && f->padding[a] == 0;
    return all;
}

typedef struct batch_offsets {
    int64_t *a, *b, *c;
} batch_offsets;

static size_t offsets_bytes(int64_t batch) { return round64(3 * (size_t)batch * sizeof(int64_t)); }

static batch_offsets offsets_in(void *scratch, int64_t batch) {
    int64_t *p = scratch;
    return (batch_offsets){p, p + batch, p + 2 * batch};
}

static void multiply(tg__gemm *g, tg_dtype d) { (d == TG_F32 ? tg__kernels_get()->gemm_f32 : tg__kernels_get()->gemm_f64)(g); }

static int at_type(tg_dtype d) { return d == TG_F64; }

/* ------------------------------------------------------------------ few channels */

typedef enum direct_way { FORWARD, TRANSPOSE, WEIGHTS } direct_way;

static tg__direct direct_of(const form *f, direct_way way, int threads) {
    const bool back = way == TRANSPOSE;
    tg__direct d = {.x = back ? f->g : f->x, .w = way == WEIGHTS ? f->g : f->w, .images = f->images, .groups = f->groups};
    d.in = back ? f->og : f->cg, d.out = back ? f->cg : f->og;
    d.w_lane = (back ? 1 : f->cg) * f->all_taps, d.w_channel = (back ? f->cg : 1) * f->all_taps;
    d.w_group = f->og * f->cg * f->all_taps;
    d.bias = f->bias;
    d.threads = threads < 1 ? 1 : threads;
    tg__image patches = patches_of_x(f, true);
    margin m = margin_of(&patches, 1, 1);
    d.image = m.image, d.copied = m.some;
    for (int a = 0; a < TG__IMAGE_AXES; a++) d.size[a] = patches.size[a], d.before[a] = m.before[a];
    if (m.far) d.in = 0; /* fits nothing */
    return d;
}

static bool is_direct(const form *f, direct_way way, tg_dtype dtype) {
    tg__direct d = direct_of(f, way, 1);
    size_t size = tg_dtype_size(dtype);
    return way == FORWARD     ? tg__direct_fits(&d, size)
           : way == TRANSPOSE ? tg__direct_transpose_fits(&d, size)
                              : tg__direct_weights_fits(&d, size);
}

static size_t direct_scratch(const form *f, direct_way way, tg_dtype dtype, int threads) {
    tg__direct d = direct_of(f, way, threads);
    size_t size = tg_dtype_size(dtype);
    return way == FORWARD     ? tg__direct_scratch(&d, size)
           : way == TRANSPOSE ? tg__direct_transpose_scratch(&d, size)
                              : tg__direct_weights_scratch(&d, size);
}

static tg_status run_direct(const tg_kernel_args *k, const form *f, direct_way way) {
    tg__direct d = direct_of(f, way, k->threads);
    const tg__kernels *set = tg__kernels_get();
    const int type = at_type(k->out[0].dtype);
    d.y = k->out[0].data, d.scratch = k->scratch;
    (way == FORWARD ? set->direct : way == TRANSPOSE ? set->direct_transpose : set->direct_weights)[type](&d);
    return TG_OK;
}

/* ------------------------------------------------------------------ a channel a group */

static bool is_depthwise(const form *f) { return f->groups > 1 && f->cg == 1 && f->og == 1; }

/* A transposed one is an ordinary one of g, spread out by the stride, unless it would need less than no padding. */
static bool is_depthwise_transpose(const form *f) {
    bool fits = is_depthwise(f);
    for (int a = 0; a < AXES; a++) fits = fits && f->padding[a] <= f->dilation[a] * (f->taps[a] - 1);
    return fits;
}

static tg__depthwise depthwise_of(const form *f, bool transpose, size_t size) {
    tg__depthwise d = {.x = transpose ? f->g : f->x, .w = f->w, .images = f->images, .channels = f->groups};
    int64_t extent[AXES];
    d.turned = transpose, d.bias = f->bias;
    for (int a = 0; a < AXES; a++) {
        d.size[a] = transpose ? f->at[a] : f->size[a];
        d.at[a] = transpose ? f->size[a] : f->at[a];
        d.taps[a] = f->taps[a], d.dilation[a] = f->dilation[a];
        d.stride[a] = transpose ? 1 : f->stride[a];
        d.spread[a] = transpose ? f->stride[a] : 1;
        d.padding[a] = transpose ? f->dilation[a] * (f->taps[a] - 1) - f->padding[a] : f->padding[a];
        int64_t filled = d.padding[a] + (d.size[a] - 1) * d.spread[a] + 1;
        extent[a] = (d.at[a] - 1) * d.stride[a] + d.dilation[a] * (d.taps[a] - 1) + 1;
        if (extent[a] < filled) extent[a] = filled;
    }
    d.depth = extent[0], d.rows = extent[1];
    d.part = (extent[2] + d.stride[2] - 1) / d.stride[2], d.row = d.part * d.stride[2];
    d.plane_bytes = round64((size_t)(d.depth * d.rows * d.row) * size + 128); /* whole vectors are read */
    d.memory = d.plane_bytes + round64((size_t)f->all_taps * (sizeof(int64_t) + TG__DEPTHWISE_SUM));
    return d;
}

typedef struct depthwise_run {
    tg__depthwise planes;
    void (*piece)(const tg__depthwise *a, int64_t begin, int64_t end, void *memory);
    int64_t items, workers;
    char *memory;
} depthwise_run;

static int64_t depthwise_workers(int64_t items, int threads) { return threads < 1 ? 1 : items < threads ? items : threads; }

static void depthwise_share(int64_t begin, int64_t end, void *ctx) {
    const depthwise_run *r = ctx;
    r->piece(&r->planes, begin * r->items / r->workers, end * r->items / r->workers,
             r->memory + (size_t)begin * r->planes.memory);
}

static tg_status run_depthwise(tg_kernel_args *k, const form *f, depthwise_run r) {
    r.workers = depthwise_workers(r.items, k->threads);
    r.memory = k->scratch;
    r.planes.y = k->out[0].data;
    double work = 2 * (double)(f->images * f->groups) * (double)(f->all_taps + 4) * (double)(f->all_at + f->all_size);
    tg_parallel(k->threads, r.workers, work, depthwise_share, &r);
    return TG_OK;
}

static size_t depthwise_scratch(const form *f, bool transpose, int64_t items, tg_dtype d, int threads) {
    return (size_t)depthwise_workers(items, threads) * depthwise_of(f, transpose, tg_dtype_size(d)).memory;
}

/* ------------------------------------------------------------------ kernels of 3 x 3 */

static tg__winograd winograd_of(const form *f, bool transpose, int threads) {
    tg__winograd a = {.x = transpose ? f->g : f->x, .w = f->w, .images = f->images, .groups = f->groups, .turned = transpose};
    a.in = transpose ? f->og : f->cg, a.out = transpose ? f->cg : f->og;
    a.w_in = transpose ? f->cg * f->all_taps : f->all_taps, a.w_out = transpose ? f->all_taps : f->cg * f->all_taps;
    a.bias = f->bias;
    a.threads = threads < 1 ? 1 : threads;
    for (int i = 0; i < 2; i++) {
        a.size[i] = transpose ? f->at[i + 1] : f->size[i + 1];
        a.at[i] = transpose ? f->size[i + 1] : f->at[i + 1];
        a.padding[i] = transpose ? 2 - f->padding[i + 1] : f->padding[i + 1];
    }
    return a;
}

/* Chosen by dtype and shape alone. */
static bool is_winograd(const form *f, bool transpose, tg_dtype d) {
    bool fits = d == TG_F32 && tg__winograd_wanted() && f->taps[0] == 1 && f->at[0] == 1 && f->size[0] == 1;
    for (int a = 1; a < AXES; a++) fits = fits && f->taps[a] == 3 && f->stride[a] == 1 && f->dilation[a] == 1;
    tg__winograd w = winograd_of(f, transpose, 1);
    return fits && w.padding[0] >= 0 && w.padding[1] >= 0 && tg__winograd_fits(&w);
}

static size_t winograd_scratch(const form *f, bool transpose, int threads) {
    tg__winograd w = winograd_of(f, transpose, threads);
    return tg__winograd_scratch(&w);
}

static bool run_winograd(const tg_kernel_args *k, const form *f, bool transpose) {
    tg__winograd w = winograd_of(f, transpose, k->threads);
    w.y = k->out[0].data, w.scratch = k->scratch;
    return tg__kernels_get()->winograd(&w);
}

static bool run_winograd_weights(const tg_kernel_args *k, const form *f) {
    tg__winograd w = winograd_of(f, false, k->threads);
    w.g = f->g, w.y = k->out[0].data, w.scratch = k->scratch;
    return tg__kernels_get()->winograd_weights(&w);
}

/* ------------------------------------------------------------------ conv */

static size_t conv_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in;
    if (!out->numel) return 0;
    form f = form_of(&in[0], &in[1], out, attr);
    int64_t batch = f.images * f.groups;
    if (is_depthwise(&f)) return depthwise_scratch(&f, false, batch, in->dtype, threads);
    const bool tiles = is_winograd(&f, false, in->dtype), direct = is_direct(&f, FORWARD, in->dtype);
    tg__image patches = patches_of_x(&f, true);
    size_t plain = offsets_bytes(batch) + margin_of(&patches, batch * f.cg, tg_dtype_size(in->dtype)).bytes +
                   tg__gemm_scratch(in->dtype, f.og, f.all_at, f.cg * f.all_taps, 1, batch, threads);
    if (direct) plain = direct_scratch(&f, FORWARD, in->dtype, threads);
    return tiles ? larger(plain, winograd_scratch(&f, false, threads)) : plain;
}

typedef struct biased {
    const form *f;
    void *y;
    size_t size;
} biased;

static void add_bias(int64_t begin, int64_t end, void *ctx) { /* planes */
    const biased *b = ctx;
    const int64_t n = b->f->all_at, channels = b->f->groups * b->f->og;
    for (int64_t p = begin; p < end; p++) {
        if (b->size == sizeof(float)) {
            float *y = (float *)b->y + p * n, add = ((const float *)b->f->bias)[p % channels];
            for (int64_t i = 0; i < n; i++) y[i] += add;
        } else {
            double *y = (double *)b->y + p * n, add = ((const double *)b->f->bias)[p % channels];
            for (int64_t i = 0; i < n; i++) y[i] += add;
        }
    }
}

/* For each image and group: y (og x positions) = w (og x cg taps) patches (cg taps x positions). */
static tg_status conv_kernel(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    if (!y->numel) return TG_OK;
    form f = form_of(&k->in[0], &k->in[1], y, k->attr);
    if (k->n_in > 2) f.bias = k->in[2].data;
    if (is_depthwise(&f)) {
        depthwise_run r = {.planes = depthwise_of(&f, false, tg_dtype_size(y->dtype)), .items = f.images * f.groups};
        r.piece = tg__kernels_get()->depthwise[at_type(y->dtype)];
        return run_depthwise(k, &f, r);
    }
    if (is_winograd(&f, false, y->dtype) && run_winograd(k, &f, false)) return TG_OK;
    if (is_direct(&f, FORWARD, y->dtype)) return run_direct(k, &f, FORWARD);
    tg__image patches = patches_of_x(&f, true);
    char *copy = (char *)k->scratch + offsets_bytes(f.images * f.groups);
    size_t size = tg_dtype_size(y->dtype), copied = margin_of(&patches, f.images * f.groups * f.cg, size).bytes;
    const void *x = with_margin(&patches, f.x, f.images * f.groups * f.cg, size, k->threads, copy);
    tg__gemm g = {.m = f.og, .n = f.all_at, .k = f.cg * f.all_taps, .pairs = 1, .batch = f.images * f.groups};
    batch_offsets at = offsets_in(k->scratch, g.batch);
    for (int64_t b = 0; b < g.batch; b++) {
        at.a[b] = b % f.groups * f.og * g.k;
        at.b[b] = b * f.cg * patches.channel;
        at.c[b] = b * f.og * f.all_at;
    }
    g.a = &f.w, g.a_off = at.a, g.a_rs = g.k, g.a_cs = 1;
    g.b = &x, g.b_off = at.b, g.b_rs = f.all_size, g.b_cs = 1;
    g.c = y->data, g.c_off = at.c, g.c_rs = f.all_at;
    if (!is_pointwise(&f)) g.b_image = &patches;
    g.threads = k->threads;
    g.scratch = copy + copied;
    multiply(&g, y->dtype);
    biased b = {&f, y->data, size};
    if (f.bias) tg_parallel(k->threads, f.images * f.groups * f.og, 2.0 * (double)size * (double)y->numel, add_bias, &b);
    return TG_OK;
}

static void add_to_y(const form *f, double *out, int64_t x, int64_t w, int64_t g) {
    out[g] += ((const double *)f->x)[x] * ((const double *)f->w)[w];
}

static tg_status conv_ref(tg_kernel_args *k) {
    form f = form_of(&k->in[0], &k->in[1], &k->out[0], k->attr);
    every_term(&f, &k->out[0], add_to_y);
    biased b = {&f, k->out[0].data, sizeof(double)};
    if (k->n_in > 2) f.bias = k->in[2].data, add_bias(0, f.images * f.groups * f.og, &b);
    return TG_OK;
}

static double conv_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in;
    tg_operand x = {.shape = in[0]}, w = {.shape = in[1]}, y = {.shape = out};
    form f = form_of(&x, &w, &y, attr);
    return form_flops(&f);
}

extern const tg_op tg__op_conv, tg__op_conv_transpose, tg__op_conv_weight_grad;

static tg_tensor apply_sized(const tg_op *op, const void *like, const tg_shape *sized, tg_tensor a, tg_tensor b) {
    conv_attr attr = *(const conv_attr *)like;
    memset(attr.size, 0, sizeof attr.size);
    for (int i = 2; sized && i < sized->rank; i++) attr.size[i - 2] = sized->dims[i];
    return tg_apply(NULL, op, &attr, (tg_tensor[]){a, b}, 2);
}

static tg_tensor by_g(const tg_vjp_args *v, tg_tensor x, tg_tensor w) { return apply_sized(&tg__op_conv, v->attr, NULL, x, w); }
static tg_tensor by_x(const tg_vjp_args *v, tg_tensor g, tg_tensor w, tg_tensor like) {
    tg_shape s = tg_shape_of(like);
    return apply_sized(&tg__op_conv_transpose, v->attr, &s, g, w);
}
static tg_tensor by_w(const tg_vjp_args *v, tg_tensor x, tg_tensor g, tg_tensor like) {
    tg_shape s = tg_shape_of(like);
    return apply_sized(&tg__op_conv_weight_grad, v->attr, &s, x, g);
}

static void conv_vjp(tg_vjp_args *v) {
    tg_tensor x = v->in[0], w = v->in[1], g = v->g[0];
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, by_x(v, g, w, x));
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, by_w(v, x, g, w));
    if (v->n_in > 2 && tg_vjp_needs(v, 2)) {
        tg_axes all_but_channels = {1, {0}};
        for (int i = 2; i < tg_shape_of(g).rank; i++) all_but_channels.axis[all_but_channels.n++] = i;
        tg_vjp_give(v, 2, tg_sum(g, all_but_channels, false));
    }
}

#define CONV(stride_, padding_, dilation_, size_, groups_) \
    .attr = &(const conv_attr) { {TG__OPEN stride_}, {TG__OPEN padding_}, {TG__OPEN dilation_}, {TG__OPEN size_}, groups_ }

#define CONV_SOURCE "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II"

const tg_op tg__op_conv = {
    .name = "conv",
    .formula = "y[n, o, p] = b[o] + sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding]",
    .source = CONV_SOURCE,
    .min_in = 2,
    .max_in = 3,
    .attr_size = sizeof(conv_attr),
    .fields = conv_fields,
    .infer = conv_infer,
    .vjp = conv_vjp,
    .kernel = conv_kernel,
    .scratch = conv_scratch,
    .ref = conv_ref,
    .flops = conv_flops,
    SAMPLES(
        SAMPLE("1-D", INPUTS(IN('f', (2, 3, 7)), IN('f', (4, 3, 3))), CONV((1), (0), (1), (0), 1)),
        SAMPLE("1-D, padded, strided, dilated", INPUTS(IN('f', (2, 2, 9)), IN('f', (3, 2, 3))), CONV((2), (3), (2), (0), 1)),
        SAMPLE("2-D", INPUTS(IN('f', (2, 2, 5, 6)), IN('f', (3, 2, 3, 2))), CONV((1, 1), (0, 0), (1, 1), (0), 1)),
        SAMPLE("2-D, padded", INPUTS(IN('f', (1, 2, 4, 5)), IN('f', (2, 2, 3, 3))), CONV((1, 1), (1, 1), (1, 1), (0), 1)),
        SAMPLE("axes that differ", INPUTS(IN('f', (1, 2, 5, 7)), IN('f', (2, 2, 2, 3))), CONV((2, 3), (1, 0), (1, 2), (0), 1)),
        SAMPLE("groups", INPUTS(IN('f', (2, 4, 4, 4)), IN('f', (6, 2, 3, 3))), CONV((1, 1), (1, 1), (1, 1), (0), 2)),
        SAMPLE("a channel a group", INPUTS(IN('f', (2, 3, 5, 5)), IN('f', (3, 1, 3, 3))), CONV((1, 1), (1, 1), (1, 1), (0), 3)),
        SAMPLE("a channel a group, strided", INPUTS(IN('f', (1, 2, 5, 6)), IN('f', (2, 1, 3, 2))),
               CONV((2, 2), (1, 1), (1, 2), (0), 2)),
        SAMPLE("two kernels a channel", INPUTS(IN('f', (1, 2, 5, 5)), IN('f', (4, 1, 2, 2))),
               CONV((1, 1), (0, 0), (1, 1), (0), 2)),
        SAMPLE("kernels of one element", INPUTS(IN('f', (2, 3, 3, 3)), IN('f', (4, 3, 1, 1))),
               CONV((1, 1), (0, 0), (1, 1), (0), 1)),
        SAMPLE("kernels of one element, strided", INPUTS(IN('f', (2, 3, 5, 5)), IN('f', (2, 3, 1, 1))),
               CONV((2, 2), (0, 0), (1, 1), (0), 1)),
        SAMPLE("3-D", INPUTS(IN('f', (1, 2, 3, 4, 5)), IN('f', (2, 2, 2, 3, 2))),
               CONV((1, 2, 1), (1, 1, 0), (1, 1, 2), (0), 1)),
        SAMPLE("wider than a panel", INPUTS(IN('f', (1, 2, 6, 35)), IN('f', (7, 2, 3, 3))),
               CONV((1, 1), (1, 1), (1, 1), (0), 1)),
        SAMPLE("channels along vectors", INPUTS(IN('f', (3, 2, 6, 7)), IN('f', (10, 2, 3, 2))),
               CONV((1, 2), (1, 2), (1, 1), (0), 1)),
        SAMPLE("channels along vectors, groups", INPUTS(IN('f', (2, 4, 4, 5)), IN('f', (10, 2, 2, 3))),
               CONV((1, 1), (0, 0), (2, 1), (0), 2)),
        SAMPLE("channels along vectors, 3-D", INPUTS(IN('f', (1, 2, 3, 4, 3)), IN('f', (5, 2, 2, 3, 2))),
               CONV((2, 1, 1), (1, 1, 1), (1, 1, 2), (0), 1)),
        SAMPLE("more positions and channels than a part", INPUTS(IN('f', (1, 1, 14, 20)), IN('f', (37, 1, 3, 5))),
               CONV((1, 1), (1, 2), (1, 1), (0), 1)),
        SAMPLE("by tiles", INPUTS(IN('f', (1, 16, 13, 14)), IN('f', (17, 16, 3, 3))), CONV((1, 1), (1, 1), (1, 1), (0), 1)),
        SAMPLE("a bias", INPUTS(IN('f', (2, 2, 4, 5)), IN('f', (3, 2, 3, 3)), IN('f', (3))),
               CONV((1, 1), (1, 1), (1, 1), (0), 1)),
        SAMPLE("a bias, channels along vectors, groups", INPUTS(IN('f', (2, 4, 4, 5)), IN('f', (10, 2, 2, 3)), IN('f', (10))),
               CONV((1, 1), (0, 0), (2, 1), (0), 2)),
        SAMPLE("a bias, a channel a group", INPUTS(IN('f', (2, 3, 5, 9)), IN('f', (3, 1, 3, 3)), IN('f', (3))),
               CONV((1, 1), (1, 1), (1, 1), (0), 3)),
        SAMPLE("a bias, a channel a group, strided", INPUTS(IN('f', (1, 2, 5, 6)), IN('f', (2, 1, 3, 2)), IN('f', (2))),
               CONV((2, 2), (1, 1), (1, 2), (0), 2)),
        SAMPLE("a bias, by tiles", INPUTS(IN('f', (1, 16, 13, 14)), IN('f', (17, 16, 3, 3)), IN('f', (17))),
               CONV((1, 1), (1, 1), (1, 1), (0), 1)),
        SAMPLE("no images", INPUTS(IN('f', (0, 2, 5, 5)), IN('f', (3, 2, 3, 3))), CONV((1, 1), (0, 0), (1, 1), (0), 1))),
    BADS(
        BAD("a matrix", TG_ESHAPE, "rank 2", INPUTS(IN('f', (3, 4)), IN('f', (3, 4))), CONV((1), (0), (1), (0), 1)),
        BAD("ranks that differ", TG_ESHAPE, "ranks 4 and 3", INPUTS(IN('f', (1, 2, 5, 5)), IN('f', (3, 2, 3))),
            CONV((1, 1), (0, 0), (1, 1), (0), 1)),
        BAD("channels that differ", TG_ESHAPE, "is for 3 channels per group, not for 2",
            INPUTS(IN('f', (1, 2, 5)), IN('f', (3, 3, 3))), CONV((1), (0), (1), (0), 1)),
        BAD("groups that do not divide", TG_ESHAPE, "into 2 groups", INPUTS(IN('f', (1, 3, 5)), IN('f', (2, 1, 3))),
            CONV((1), (0), (1), (0), 2)),
        BAD("a kernel too large", TG_ESHAPE, "size 3 and dilation 2 does not fit 4",
            INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3))), CONV((1), (0), (2), (0), 1)),
        BAD("a kernel of size 0", TG_ESHAPE, "size 0", INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 0))),
            CONV((1), (0), (1), (0), 1)),
        BAD("a bias of another size", TG_ESHAPE, "the bias must have shape (3)",
            INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3)), IN('f', (3, 1))), CONV((1), (0), (1), (0), 1)),
        BAD("a bias of whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3)), IN('i', (3))),
            CONV((1), (0), (1), (0), 1)),
        BAD("no stride", TG_EARG, "stride 0", INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3))), CONV((0), (0), (1), (0), 1)),
        BAD("a negative padding", TG_EARG, "padding -1", INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3))),
            CONV((1), (-1), (1), (0), 1)),
        BAD("negative groups", TG_EARG, "-1 groups", INPUTS(IN('f', (1, 2, 4)), IN('f', (3, 2, 3))),
            CONV((1), (0), (1), (0), -1)),
        BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 4)), IN('i', (3, 2, 3))), CONV((1), (0), (1), (0), 1))),
};

/* ------------------------------------------------------------------ conv_transpose: (g, w) -> x */

/* The taps of one phase, with the two kinds of channels exchanged: (groups, cg, og, taps). */
typedef struct turned {
    const form *f;
    const phase *h;
    const char *from;
    char *to;
    size_t size;
} turned;

static void turn_channels(int64_t begin, int64_t end, void *ctx) {
    const turned *t = ctx;
    const form *f = t->f;
    const phase *h = t->h;
    for (int64_t i = begin; i < end; i++) { /* group, channel of x, channel of g */
        int64_t o = i % f->og, c = i / f->og % f->cg, group = i / f->og / f->cg, j[AXES] = {0};
        const char *from = t->from + (size_t)(((group * f->og + o) * f->cg + c) * f->all_taps) * t->size;
        char *to = t->to + (size_t)(i * h->all_taps) * t->size;
        do {
            int64_t tap = 0;
            for (int a = 0; a < AXES; a++) tap = tap * f->taps[a] + h->first[a] + j[a] * h->apart[a];
            memcpy(to, from + (size_t)tap * t->size, t->size);
            to += t->size;
        } while (next_place(j, h->taps));
    }
}

/* Lays the points of one phase into x. */
static void spread_points(int64_t begin, int64_t end, void *ctx) {
    const turned *t = ctx;
    const form *f = t->f;
    const phase *h = t->h;
    int64_t rows = h->points[0] * h->points[1], row = h->points[2], step = f->stride[2];
    for (int64_t i = begin; i < end; i++) { /* image and channel, row of points */
        int64_t r = i % rows, depth = h->at[0] + r / h->points[1] * f->stride[0],
                height = h->at[1] + r % h->points[1] * f->stride[1];
        int64_t at = ((i / rows * f->size[0] + depth) * f->size[1] + height) * f->size[2] + h->at[2];
        const char *from = t->from ? t->from + (size_t)(i * row) * t->size : NULL;
        for (int64_t p = 0; p < row; p++) {
            char *to = t->to + (size_t)(at + p * step) * t->size;
            if (!from)
                memset(to, 0, t->size);
            else if (t->size == 4)
                memcpy(to, from + p * 4, 4);
            else
                memcpy(to, from + p * 8, 8);
        }
    }
}

typedef struct transpose_memory {
    size_t offsets, weights, points, copy, gemm;
} transpose_memory;

static transpose_memory transpose_memory_of(const form *f, tg_dtype d, int threads) {
    int64_t batch = f->images * f->groups, phases = phases_of(f);
    size_t size = tg_dtype_size(d);
    transpose_memory m = {.offsets = offsets_bytes(batch)};
    for (int64_t i = 0; i < phases; i++) {
        phase h = phase_at(f, phase_number(f, i));
        if (!h.all_taps || !h.all_points) continue;
        size_t weights = round64((size_t)(f->groups * f->cg * f->og * h.all_taps) * size);
        size_t points = phases > 1 ? round64((size_t)(batch * f->cg * h.all_points) * size) : 0;
        size_t gemm = tg__gemm_scratch(d, f->cg, h.all_points, f->og * h.all_taps, 1, batch, threads);
        tg__image patches = patches_of_g(f, &h);
        m.weights = larger(m.weights, weights);
        m.points = larger(m.points, points);
        m.copy = larger(m.copy, margin_of(&patches, batch * f->og, size).bytes);
        m.gemm = larger(m.gemm, gemm);
    }
    return m;
}

static size_t conv_transpose_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in;
    if (!out->numel) return 0;
    form f = form_of(out, &in[1], &in[0], attr);
    if (is_depthwise_transpose(&f)) return depthwise_scratch(&f, true, f.images * f.groups, out->dtype, threads);
    transpose_memory m = transpose_memory_of(&f, out->dtype, threads);
    size_t plain = m.offsets + m.weights + m.points + m.copy + m.gemm;
    if (is_direct(&f, TRANSPOSE, out->dtype)) plain = direct_scratch(&f, TRANSPOSE, out->dtype, threads);
    return is_winograd(&f, true, out->dtype) ? larger(plain, winograd_scratch(&f, true, threads)) : plain;
}

/* For each image and group: the phase of x (cg x points) = taps (cg x og taps) patches of g (og taps x points). */
static void transpose_phase(const tg_kernel_args *k, const form *f, const transpose_memory *memory, const phase *h) {
    const tg_operand *x = &k->out[0];
    size_t size = tg_dtype_size(x->dtype);
    char *weights = (char *)k->scratch + memory->offsets, *points = weights + memory->weights;
    bool direct = memory->points == 0;
    if (h->all_taps) {
        turned t = {f, h, f->w, weights, size};
        int64_t pairs = f->groups * f->cg * f->og;
        tg_parallel(k->threads, pairs, 2.0 * (double)size * (double)(pairs * h->all_taps), turn_channels, &t);
        tg__image patches = patches_of_g(f, h);
        char *copy = points + memory->points;
        const void *planes = with_margin(&patches, f->g, f->images * f->groups * f->og, size, k->threads, copy);
        tg__gemm g = {.m = f->cg, .n = h->all_points, .k = f->og * h->all_taps, .pairs = 1, .batch = f->images * f->groups};
        batch_offsets at = offsets_in(k->scratch, g.batch);
        for (int64_t b = 0; b < g.batch; b++) {
            at.a[b] = b % f->groups * f->cg * g.k;
            at.b[b] = b * f->og * patches.channel;
            at.c[b] = b * f->cg * h->all_points;
        }
        const void *w = weights;
        g.a = &w, g.a_off = at.a, g.a_rs = g.k, g.a_cs = 1;
        g.b = &planes, g.b_off = at.b, g.b_rs = f->all_at, g.b_cs = 1;
        g.c = direct ? x->data : points, g.c_off = at.c, g.c_rs = h->all_points;
        if (!is_pointwise(f)) g.b_image = &patches;
        g.threads = k->threads;
        g.scratch = copy + memory->copy;
        multiply(&g, x->dtype);
    }
    if (direct && h->all_taps) return;
    turned t = {f, h, h->all_taps ? points : NULL, x->data, size};
    int64_t rows = f->images * f->groups * f->cg * h->points[0] * h->points[1];
    tg_parallel(k->threads, rows, 2.0 * (double)size * (double)(rows * h->points[2]), spread_points, &t);
}

static tg_status conv_transpose_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->out[0];
    if (!x->numel) return TG_OK;
    form f = form_of(x, &k->in[1], &k->in[0], k->attr);
    if (is_depthwise_transpose(&f)) {
        depthwise_run r = {.planes = depthwise_of(&f, true, tg_dtype_size(x->dtype)), .items = f.images * f.groups};
        r.piece = tg__kernels_get()->depthwise[at_type(x->dtype)];
        return run_depthwise(k, &f, r);
    }
    if (is_winograd(&f, true, x->dtype) && run_winograd(k, &f, true)) return TG_OK;
    if (is_direct(&f, TRANSPOSE, x->dtype)) return run_direct(k, &f, TRANSPOSE);
    transpose_memory memory = transpose_memory_of(&f, x->dtype, k->threads);
    for (int64_t i = 0; i < phases_of(&f); i++) {
        phase h = phase_at(&f, phase_number(&f, i));
        transpose_phase(k, &f, &memory, &h);
    }
    return TG_OK;
}

static void add_to_x(const form *f, double *out, int64_t x, int64_t w, int64_t g) {
    out[x] += ((const double *)f->g)[g] * ((const double *)f->w)[w];
}

static tg_status conv_transpose_ref(tg_kernel_args *k) {
    form f = form_of(&k->out[0], &k->in[1], &k->in[0], k->attr);
    return every_term(&f, &k->out[0], add_to_x);
}

static double conv_transpose_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in;
    tg_operand x = {.shape = out}, w = {.shape = in[1]}, g = {.shape = in[0]};
    form f = form_of(&x, &w, &g, attr);
    return form_flops(&f);
}

static void conv_transpose_vjp(tg_vjp_args *v) {
    tg_tensor g = v->in[0], w = v->in[1], x = v->g[0];
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, by_g(v, x, w));
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, by_w(v, x, g, w));
}

const tg_op tg__op_conv_transpose = {
    .name = "conv_transpose",
    .formula = "y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i",
    .source = "Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks",
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(conv_attr),
    .fields = conv_fields,
    .infer = conv_transpose_infer,
    .vjp = conv_transpose_vjp,
    .kernel = conv_transpose_kernel,
    .scratch = conv_transpose_scratch,
    .ref = conv_transpose_ref,
    .flops = conv_transpose_flops,
    SAMPLES(
        SAMPLE("1-D", INPUTS(IN('f', (2, 4, 5)), IN('f', (4, 3, 3))), CONV((1), (0), (1), (7), 1)),
        SAMPLE("1-D, strided, dilated", INPUTS(IN('f', (1, 3, 4)), IN('f', (3, 2, 3))), CONV((2), (1), (2), (9), 1)),
        SAMPLE("a stride and a dilation with a common divisor", INPUTS(IN('f', (1, 2, 3)), IN('f', (2, 2, 3))),
               CONV((4), (1), (2), (12), 1)),
        SAMPLE("2-D, padded", INPUTS(IN('f', (1, 2, 4, 5)), IN('f', (2, 2, 3, 3))), CONV((1, 1), (1, 1), (1, 1), (4, 5), 1)),
        SAMPLE("2-D, strided", INPUTS(IN('f', (2, 2, 2, 3)), IN('f', (2, 3, 3, 3))), CONV((2, 2), (1, 1), (1, 1), (4, 5), 1)),
        SAMPLE("a stride larger than the kernel", INPUTS(IN('f', (1, 2, 2, 2)), IN('f', (2, 2, 1, 2))),
               CONV((2, 3), (0, 0), (1, 1), (4, 6), 1)),
        SAMPLE("groups", INPUTS(IN('f', (1, 4, 3, 3)), IN('f', (4, 3, 2, 2))), CONV((2, 1), (0, 0), (1, 1), (6, 4), 2)),
        SAMPLE("a channel a group", INPUTS(IN('f', (2, 3, 3, 3)), IN('f', (3, 1, 3, 3))),
               CONV((2, 2), (1, 1), (1, 1), (6, 5), 3)),
        SAMPLE("a channel a group, more padding than kernel", INPUTS(IN('f', (1, 2, 6)), IN('f', (2, 1, 2))),
               CONV((1), (2), (1), (3), 2)),
        SAMPLE("kernels of one element", INPUTS(IN('f', (2, 4, 3, 3)), IN('f', (4, 3, 1, 1))),
               CONV((1, 1), (0, 0), (1, 1), (3, 3), 1)),
        SAMPLE("3-D", INPUTS(IN('f', (1, 2, 2, 2, 3)), IN('f', (2, 1, 2, 2, 2))),
               CONV((2, 1, 1), (0, 1, 0), (1, 2, 1), (4, 2, 4), 1)),
        SAMPLE("channels along vectors", INPUTS(IN('f', (2, 9, 4, 5)), IN('f', (9, 5, 3, 3))),
               CONV((1, 2), (1, 1), (2, 1), (6, 10), 1)),
        SAMPLE("channels along vectors, groups", INPUTS(IN('f', (2, 16, 3, 3)), IN('f', (16, 19, 2, 2))),
               CONV((1, 1), (0, 0), (1, 1), (4, 4), 2)),
        SAMPLE("by tiles", INPUTS(IN('f', (1, 16, 13, 14)), IN('f', (16, 17, 3, 3))),
               CONV((1, 1), (1, 1), (1, 1), (13, 14), 1)),
        SAMPLE("no images", INPUTS(IN('f', (0, 2, 3)), IN('f', (2, 2, 2))), CONV((1), (0), (1), (4), 1))),
    BADS(
        BAD("channels that differ", TG_ESHAPE, "is for 3 channels, not for 2", INPUTS(IN('f', (1, 2, 5)), IN('f', (3, 2, 3))),
            CONV((1), (0), (1), (7), 1)),
        BAD("a size that does not fit", TG_ESHAPE, "has shape (1, 2, 6)", INPUTS(IN('f', (1, 2, 5)), IN('f', (2, 2, 3))),
            CONV((1), (0), (1), (8), 1)),
        BAD("groups that do not divide", TG_ESHAPE, "into 2 groups", INPUTS(IN('f', (1, 3, 5)), IN('f', (3, 1, 3))),
            CONV((1), (0), (1), (7), 2)),
        BAD("a negative size", TG_ESHAPE, "negative", INPUTS(IN('f', (1, 3, 5)), IN('f', (3, 1, 3))),
            CONV((1), (4), (1), (-1), 1)),
        BAD("no dilation", TG_EARG, "dilation 0", INPUTS(IN('f', (1, 3, 5)), IN('f', (3, 1, 3))), CONV((1), (0), (0), (7), 1)),
        BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 4)), IN('i', (2, 2, 3))), CONV((1), (0), (1), (6), 1))),
};

/* ------------------------------------------------------------------ conv_weight_grad: (x, g) -> w */

static size_t tables_bytes(const form *f) { return round64(2 * (size_t)f->images * sizeof(void *)); }

static size_t conv_weight_grad_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in;
    if (!out->numel) return 0;
    form f = form_of(&in[0], out, &in[1], attr);
    if (is_depthwise(&f)) return depthwise_scratch(&f, false, f.groups, in->dtype, threads);
    tg__image patches = patches_of_x(&f, false);
    size_t plain = offsets_bytes(f.groups) + tables_bytes(&f) +
                   margin_of(&patches, f.images * f.groups * f.cg, tg_dtype_size(in->dtype)).bytes +
                   tg__gemm_scratch(in->dtype, f.og, f.cg * f.all_taps, f.all_at, (int)f.images, f.groups, threads);
    if (is_direct(&f, WEIGHTS, in->dtype)) plain = direct_scratch(&f, WEIGHTS, in->dtype, threads);
    tg__winograd w = winograd_of(&f, false, threads);
    return is_winograd(&f, false, in->dtype) ? larger(plain, tg__winograd_weights_scratch(&w)) : plain;
}

/* For each group: w (og x cg taps) = sum over images of g (og x positions) patches (positions x cg taps). */
static tg_status conv_weight_grad_kernel(tg_kernel_args *k) {
    const tg_operand *w = &k->out[0];
    if (!w->numel) return TG_OK;
    form f = form_of(&k->in[0], w, &k->in[1], k->attr);
    if (is_depthwise(&f)) {
        depthwise_run r = {.planes = depthwise_of(&f, false, tg_dtype_size(w->dtype)), .items = f.groups};
        r.planes.w = f.g;
        r.piece = tg__kernels_get()->depthwise_weights[at_type(w->dtype)];
        return run_depthwise(k, &f, r);
    }
    if (is_winograd(&f, false, w->dtype) && run_winograd_weights(k, &f)) return TG_OK;
    if (is_direct(&f, WEIGHTS, w->dtype)) return run_direct(k, &f, WEIGHTS);
    tg__image patches = patches_of_x(&f, false);
    char *copy = (char *)k->scratch + offsets_bytes(f.groups) + tables_bytes(&f);
    size_t size = tg_dtype_size(w->dtype), copied = margin_of(&patches, f.images * f.groups * f.cg, size).bytes;
    const char *x = with_margin(&patches, f.x, f.images * f.groups * f.cg, size, k->threads, copy);
    tg__gemm g = {.m = f.og, .n = f.cg * f.all_taps, .k = f.all_at, .pairs = (int)f.images, .batch = f.groups};
    batch_offsets at = offsets_in(k->scratch, g.batch);
    for (int64_t b = 0; b < g.batch; b++) {
        at.a[b] = b * f.og * f.all_at;
        at.b[b] = b * f.cg * patches.channel;
        at.c[b] = b * f.og * g.n;
    }
    const char **tables = (const char **)(void *)((char *)k->scratch + offsets_bytes(f.groups));
    for (int64_t n = 0; n < f.images; n++) {
        tables[n] = (const char *)f.g + (size_t)(n * f.groups * f.og * f.all_at) * size;
        tables[f.images + n] = x + (size_t)(n * f.groups * f.cg * patches.channel) * size;
    }
    g.a = (const void *const *)tables, g.a_off = at.a, g.a_rs = f.all_at, g.a_cs = 1;
    g.b = (const void *const *)(tables + f.images), g.b_off = at.b, g.b_rs = 1, g.b_cs = f.all_size;
    g.c = w->data, g.c_off = at.c, g.c_rs = g.n;
    if (!is_pointwise(&f)) g.b_image = &patches;
    g.threads = k->threads;
    g.scratch = copy + copied;
    multiply(&g, w->dtype);
    return TG_OK;
}

static void add_to_w(const form *f, double *out, int64_t x, int64_t w, int64_t g) {
    out[w] += ((const double *)f->x)[x] * ((const double *)f->g)[g];
}

static tg_status conv_weight_grad_ref(tg_kernel_args *k) {
    form f = form_of(&k->in[0], &k->out[0], &k->in[1], k->attr);
    return every_term(&f, &k->out[0], add_to_w);
}

static double conv_weight_grad_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in;
    tg_operand x = {.shape = in[0]}, w = {.shape = out}, g = {.shape = in[1]};
    form f = form_of(&x, &w, &g, attr);
    return form_flops(&f);
}

static void conv_weight_grad_vjp(tg_vjp_args *v) {
    tg_tensor x = v->in[0], g = v->in[1], w = v->g[0];
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, by_x(v, g, w, x));
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, by_g(v, x, w));
}

const tg_op tg__op_conv_weight_grad = {
    .name = "conv_weight_grad",
    .formula = "y[o, c, k] = sum over n and p of g[n, o, p] x[n, c, p stride + k dilation - padding]",
    .source = CONV_SOURCE,
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(conv_attr),
    .fields = conv_fields,
    .infer = conv_weight_grad_infer,
    .vjp = conv_weight_grad_vjp,
    .kernel = conv_weight_grad_kernel,
    .scratch = conv_weight_grad_scratch,
    .ref = conv_weight_grad_ref,
    .flops = conv_weight_grad_flops,
    SAMPLES(
        SAMPLE("1-D", INPUTS(IN('f', (2, 3, 7)), IN('f', (2, 4, 5))), CONV((1), (0), (1), (3), 1)),
        SAMPLE("1-D, strided, dilated", INPUTS(IN('f', (1, 2, 9)), IN('f', (1, 3, 4))), CONV((2), (1), (2), (3), 1)),
        SAMPLE("2-D, padded", INPUTS(IN('f', (2, 2, 4, 5)), IN('f', (2, 2, 4, 5))), CONV((1, 1), (1, 1), (1, 1), (3, 3), 1)),
        SAMPLE("groups", INPUTS(IN('f', (2, 4, 4, 4)), IN('f', (2, 6, 2, 3))), CONV((2, 1), (1, 0), (1, 1), (3, 2), 2)),
        SAMPLE("a channel a group", INPUTS(IN('f', (2, 3, 5, 5)), IN('f', (2, 3, 3, 3))),
               CONV((2, 2), (1, 1), (1, 1), (3, 3), 3)),
        SAMPLE("a channel a group, rows of more than a vector", INPUTS(IN('f', (2, 2, 4, 21)), IN('f', (2, 2, 4, 21))),
               CONV((1, 1), (1, 1), (1, 1), (3, 3), 2)),
        SAMPLE("kernels of one element", INPUTS(IN('f', (2, 3, 3, 3)), IN('f', (2, 4, 3, 3))),
               CONV((1, 1), (0, 0), (1, 1), (1, 1), 1)),
        SAMPLE("3-D", INPUTS(IN('f', (1, 2, 3, 4, 3)), IN('f', (1, 2, 2, 3, 2))),
               CONV((1, 1, 1), (0, 0, 0), (1, 1, 1), (2, 2, 2), 1)),
        SAMPLE("channels along vectors", INPUTS(IN('f', (3, 2, 6, 7)), IN('f', (3, 10, 6, 5))),
               CONV((1, 2), (1, 2), (1, 1), (3, 2), 1)),
        SAMPLE("channels along vectors, groups", INPUTS(IN('f', (21, 4, 4, 5)), IN('f', (21, 38, 2, 3))),
               CONV((1, 1), (0, 0), (2, 1), (2, 3), 2)),
        SAMPLE("by tiles", INPUTS(IN('f', (1, 16, 13, 14)), IN('f', (1, 17, 13, 14))), CONV((1, 1), (1, 1), (1, 1), (3, 3), 1)),
        SAMPLE("more positions than a block", INPUTS(IN('f', (1, 1, 20, 22)), IN('f', (1, 2, 18, 20))),
               CONV((1, 1), (0, 0), (1, 1), (3, 3), 1)),
        SAMPLE("no images", INPUTS(IN('f', (0, 2, 5)), IN('f', (0, 3, 3))), CONV((1), (0), (1), (3), 1))),
    BADS(
        BAD("a size that does not fit", TG_ESHAPE, "has shape (1, 2, 4)", INPUTS(IN('f', (1, 2, 5)), IN('f', (1, 2, 3))),
            CONV((1), (0), (1), (2), 1)),
        BAD("batches that differ", TG_ESHAPE, "has shape (2, 2, 3)", INPUTS(IN('f', (2, 2, 5)), IN('f', (1, 2, 3))),
            CONV((1), (0), (1), (3), 1)),
        BAD("groups that do not divide", TG_ESHAPE, "into 2 groups", INPUTS(IN('f', (1, 3, 5)), IN('f', (1, 2, 3))),
            CONV((1), (0), (1), (3), 2)),
        BAD("no stride", TG_EARG, "stride 0", INPUTS(IN('f', (1, 3, 5)), IN('f', (1, 2, 3))), CONV((0), (0), (1), (3), 1)),
        BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 5)), IN('i', (1, 2, 3))), CONV((1), (0), (1), (3), 1))),
};

/* ------------------------------------------------------------------ the public functions */

static conv_attr attr_of(const tg_conv_config *config, int axes) {
    conv_attr attr = {.groups = config->groups ? config->groups : 1};
    for (int i = 0; i < axes; i++) {
        attr.stride[i] = config->stride[i] ? config->stride[i] : 1;
        attr.dilation[i] = config->dilation[i] ? config->dilation[i] : 1;
        attr.padding[i] = config->padding[i];
    }
    return attr;
}

/* A tape that holds this error; poison. */
static tg_tensor refuse_rank(const char *site, const char *name, tg_tensor x, int axes) {
    tg_tape *t = tg_tape_of(x);
    if (!t) return tg__lost(site);
    tg__fail(t, TG_ESHAPE, name, site, t->scope, "x has rank %d: it must be (batch, channels, %d spatial %s)",
             tg_shape_of(x).rank, axes, axes == 1 ? "axis" : "axes");
    return tg__poison(t);
}

static tg_tensor conv(const char *site, const char *name, tg_tensor x, tg_tensor w, const tg_conv_config *config, int axes) {
    if (tg_valid(x) && tg_shape_of(x).rank != axes + 2) return refuse_rank(site, name, x, axes);
    conv_attr attr = attr_of(config, axes);
    return tg_apply_at(site, NULL, &tg__op_conv, &attr, (tg_tensor[]){x, w, config->bias}, tg__is_none(config->bias) ? 2 : 3);
}

static tg_tensor transposed(const char *site, const char *name, tg_tensor x, tg_tensor w, const tg_conv_config *config,
                            int axes) {
    tg_shape g = tg_shape_of(x), kernel = tg_shape_of(w);
    if (tg_valid(x) && g.rank != axes + 2) return refuse_rank(site, name, x, axes);
    conv_attr attr = attr_of(config, axes);
    for (int i = 0; i < axes && kernel.rank == g.rank; i++) {
        if (config->output_padding[i] < 0 || config->output_padding[i] >= attr.stride[i])
            attr.size[i] = -1;
        else
            attr.size[i] = (g.dims[i + 2] - 1) * attr.stride[i] - 2 * attr.padding[i] +
                           attr.dilation[i] * (kernel.dims[i + 2] - 1) + 1 + config->output_padding[i];
    }
    tg_tensor y = tg_apply_at(site, NULL, &tg__op_conv_transpose, &attr, (tg_tensor[]){x, w}, 2);
    if (tg__is_none(config->bias)) return y;
    tg_shape channels = {axes + 1, {tg_shape_of(y).dims[1], 1, 1, 1}};
    return tg_add_at(site, y, tg_reshape_at(site, config->bias, channels));
}

/*| tg_conv1d: the convolution of signals with a bank of kernels (as all of this field, without turning the kernel round).
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  With groups, output channel o sees only the input channels of its group. config.bias (O) is added to each channel of y.
 *  Shapes:   x (N, C, L), w (O, C / groups, K) -> y (N, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1)
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   TG_ESHAPE if ranks or channels do not fit, groups do not divide them, or the kernel is empty or too large; TG_EARG
 *            for a negative number in config; TG_EDTYPE for other dtypes
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_API(tg_tensor, tg_conv1d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return conv(site, "conv1d", x, w, &config, 1);
}

/*| tg_conv2d: the convolution of images with a bank of kernels: tg_conv1d with two spatial axes.
 *  In f32, kernels of 3 x 3 with stride 1 between 16 channels or more may be computed by tiles (Winograd), with about twice the
 *  rounding error of the plain sum, relative to the largest elements nearby; TG_CONV=plain in the environment forbids it.
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  Shapes:   x (N, C, H, W), w (O, C / groups, KH, KW) -> y (N, O, H', W'), each as in tg_conv1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   as tg_conv1d
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_API(tg_tensor, tg_conv2d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return conv(site, "conv2d", x, w, &config, 2);
}

/*| tg_conv3d: the convolution of volumes or films with a bank of kernels: tg_conv1d with three spatial axes.
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  Shapes:   x (N, C, D, H, W), w (O, C / groups, KD, KH, KW) -> y (N, O, D', H', W'), each as in tg_conv1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   as tg_conv1d
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_API(tg_tensor, tg_conv3d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return conv(site, "conv3d", x, w, &config, 3);
}

/*| tg_conv_transpose1d: the transpose of tg_conv1d as a linear map of its x: it makes signals longer.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, L), w (O, C / groups, K) -> y (N, C, (L - 1) stride - 2 padding + dilation (K - 1) + 1 + output_padding)
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv1d; TG_ESHAPE also if the result would be negative or output_padding is not less than the stride
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_API(tg_tensor, tg_conv_transpose1d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return transposed(site, "conv_transpose1d", x, w, &config, 1);
}

/*| tg_conv_transpose2d: the transpose of tg_conv2d as a linear map of its x: it makes images larger.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, H, W), w (O, C / groups, KH, KW) -> y (N, C, H', W'), each as in tg_conv_transpose1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv_transpose1d
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_API(tg_tensor, tg_conv_transpose2d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return transposed(site, "conv_transpose2d", x, w, &config, 2);
}

/*| tg_conv_transpose3d: the transpose of tg_conv3d as a linear map of its x.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, D, H, W), w (O, C / groups, KD, KH, KW) -> y (N, C, D', H', W'), each as in tg_conv_transpose1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv_transpose1d
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_API(tg_tensor, tg_conv_transpose3d, (tg_tensor x, tg_tensor w, tg_conv_config config), (x, w, config)) {
    return transposed(site, "conv_transpose3d", x, w, &config, 3);
}
