/* Images: shuffling pixels, changing sizes */
#include "ops/op_file.h"

/* ------------------------------------------------------------------ pixel_shuffle, pixel_unshuffle */

typedef struct factor_attr {
    int64_t factor;
} factor_attr;
static const tg_field factor_fields[] = {{"factor", TG_FIELD_INT, offsetof(factor_attr, factor)}, {NULL, TG_FIELD_INT, 0}};

static tg_status image_infer(tg_infer *f) {
    int64_t r = ((const factor_attr *)f->attr)->factor;
    if (f->in_shape[0]->rank < 3) return tg_infer_fail(f, TG_ESHAPE, "rank %d is less than 3", f->in_shape[0]->rank);
    if (r < 1 || r > INT32_MAX) return tg_infer_fail(f, TG_EARG, "the factor %lld", (long long)r);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status pixel_shuffle_infer(tg_infer *f) {
    tg_status s = image_infer(f);
    if (s) return s;
    int64_t r = ((const factor_attr *)f->attr)->factor, *image = &f->shape[0].dims[f->shape[0].rank - 3];
    if (image[0] % (r * r))
        return tg_infer_fail(f, TG_ESHAPE, "%lld channels are no multiple of %lld", (long long)image[0], (long long)(r * r));
    image[0] /= r * r;
    if (__builtin_mul_overflow(image[1], r, &image[1]) || __builtin_mul_overflow(image[2], r, &image[2]))
        return tg_infer_fail(f, TG_ESHAPE, "the size overflows");
    return TG_OK;
}

static tg_status pixel_unshuffle_infer(tg_infer *f) {
    tg_status s = image_infer(f);
    if (s) return s;
    int64_t r = ((const factor_attr *)f->attr)->factor, *image = &f->shape[0].dims[f->shape[0].rank - 3];
    if (image[1] % r || image[2] % r)
        return tg_infer_fail(f, TG_ESHAPE, "%lld x %lld pixels are no multiples of %lld", (long long)image[1],
                             (long long)image[2], (long long)r);
    image[1] /= r;
    image[2] /= r;
    if (__builtin_mul_overflow(image[0], r * r, &image[0])) return tg_infer_fail(f, TG_ESHAPE, "the channels overflow");
    return TG_OK;
}

static tg_tensor pixel_shuffle_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    int64_t r = ((const factor_attr *)attr)->factor;
    tg_shape s = tg_shape_of(in[0]);
    int64_t *image = &s.dims[s.rank - 3], batch = tg__extent(&s, 0, s.rank - 3), h = image[1], w = image[2];
    image[0] /= r * r;
    image[1] *= r;
    image[2] *= r;
    tg_tensor parts = tg_reshape(in[0], TG_SHAPE(batch, image[0], r, r, h, w));
    return tg_reshape(tg_permute(parts, TG_AXES(0, 1, 4, 2, 5, 3)), s);
}

static tg_tensor pixel_unshuffle_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    int64_t r = ((const factor_attr *)attr)->factor;
    tg_shape s = tg_shape_of(in[0]);
    int64_t *image = &s.dims[s.rank - 3], batch = tg__extent(&s, 0, s.rank - 3), channels = image[0];
    image[0] *= r * r;
    image[1] /= r;
    image[2] /= r;
    tg_tensor parts = tg_reshape(in[0], TG_SHAPE(batch, channels, image[1], r, image[2], r));
    return tg_reshape(tg_permute(parts, TG_AXES(0, 1, 3, 5, 2, 4)), s);
}

#define BY(n) .attr = &(const factor_attr){n}
#define SHUFFLE(op_name, formula_)                                                                        \
    .name = #op_name, .formula = formula_,                                                                \
    .source = "Shi et al. 2016, Real-time single image and video super-resolution, arXiv:1609.05158, eq. 4", .min_in = 1, \
    .max_in = 1, .attr_size = sizeof(factor_attr), .fields = factor_fields, .infer = op_name##_infer,     \
    .define = op_name##_define
#define SHUFFLE_BADS                                                                                      \
    BAD("a matrix", TG_ESHAPE, "rank 2 is less than 3", INPUTS(IN('f', (4, 4))), BY(2)),                  \
    BAD("factor 0", TG_EARG, "the factor 0", INPUTS(IN('f', (4, 4, 4))), BY(0)),                          \
    BAD("a huge factor", TG_EARG, "the factor", INPUTS(IN('f', (4, 4, 4))), BY(INT64_MAX)),               \
    BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (4, 4, 4))))

const tg_op tg__op_pixel_shuffle = {
    SHUFFLE(pixel_shuffle, "y[..., c, r h + i, r w + j] = x[..., c r^2 + i r + j, h, w]"),
    SAMPLES(SAMPLE("a batch", INPUTS(IN('f', (2, 8, 3, 2))), BY(2)), SAMPLE("one image", INPUTS(IN('f', (9, 2, 1))), BY(3)),
            SAMPLE("unchanged", INPUTS(IN('f', (2, 3, 4))), BY(1)), SAMPLE("nothing", INPUTS(IN('f', (0, 4, 2, 3))), BY(2))),
    BADS(SHUFFLE_BADS, BAD("channels left over", TG_ESHAPE, "6 channels", INPUTS(IN('f', (6, 3, 3))), BY(2))),
};

/*| tg_pixel_shuffle: groups of r^2 channels become images r times as high and as wide.
 *    y[..., c, r h + i, r w + j] = x[..., c r^2 + i r + j, h, w]
 *  Shapes:   x (..., C r^2, H, W) -> y (..., C, r H, r W)
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_pixel_unshuffle of g
 *  Errors:   TG_ESHAPE if the rank is less than 3 or r^2 does not divide the channels; TG_EARG if r < 1
 *  Source:   Shi et al. 2016, Real-time single image and video super-resolution, arXiv:1609.05158, eq. 4 */
TG_API(tg_tensor, tg_pixel_shuffle, (tg_tensor x, int64_t r), (x, r)) {
    return tg_apply_at(site, NULL, &tg__op_pixel_shuffle, &(factor_attr){r}, &x, 1);
}

const tg_op tg__op_pixel_unshuffle = {
    SHUFFLE(pixel_unshuffle, "y[..., c r^2 + i r + j, h, w] = x[..., c, r h + i, r w + j]"),
    SAMPLES(SAMPLE("a batch", INPUTS(IN('f', (2, 2, 6, 4))), BY(2)), SAMPLE("one image", INPUTS(IN('f', (1, 6, 3))), BY(3)),
            SAMPLE("unchanged", INPUTS(IN('f', (2, 3, 4))), BY(1)), SAMPLE("nothing", INPUTS(IN('f', (0, 1, 2, 2))), BY(2))),
    BADS(SHUFFLE_BADS, BAD("pixels left over", TG_ESHAPE, "4 x 3 pixels", INPUTS(IN('f', (2, 4, 3))), BY(2))),
};

/*| tg_pixel_unshuffle: squares of r^2 pixels become channels: the inverse of tg_pixel_shuffle.
 *    y[..., c r^2 + i r + j, h, w] = x[..., c, r h + i, r w + j]
 *  Shapes:   x (..., C, r H, r W) -> y (..., C r^2, H, W)
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_pixel_shuffle of g
 *  Errors:   TG_ESHAPE if the rank is less than 3 or r does not divide height and width; TG_EARG if r < 1
 *  Source:   Shi et al. 2016, Real-time single image and video super-resolution, arXiv:1609.05158, eq. 4 */
TG_API(tg_tensor, tg_pixel_unshuffle, (tg_tensor x, int64_t r), (x, r)) {
    return tg_apply_at(site, NULL, &tg__op_pixel_unshuffle, &(factor_attr){r}, &x, 1);
}

/* ------------------------------------------------------------------ interpolate */

typedef struct interpolate_attr {
    tg_shape size;
    int64_t mode, corners;
} interpolate_attr;
static const tg_field interpolate_fields[] = {
    {"size", TG_FIELD_SHAPE, offsetof(interpolate_attr, size)},
    {"mode", TG_FIELD_INT, offsetof(interpolate_attr, mode)},
    {"corners", TG_FIELD_INT, offsetof(interpolate_attr, corners)},
    {NULL, TG_FIELD_INT, 0},
};

#define MOST_PIXELS ((int64_t)1 << 31) /* along an axis: products of two places fit i64 */

static tg_status interpolate_infer(tg_infer *f) {
    const interpolate_attr *a = f->attr;
    const tg_shape *x = f->in_shape[0];
    if (!tg_dtype_is_float(f->in_dtype[0]) && a->mode != TG_NEAREST)
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64, not %s", tg_dtype_name(f->in_dtype[0]));
    if (a->mode != TG_NEAREST && a->mode != TG_LINEAR)
        return tg_infer_fail(f, TG_EARG, "%lld is no interpolation", (long long)a->mode);
    if (a->mode == TG_NEAREST && a->corners) return tg_infer_fail(f, TG_EARG, "TG_NEAREST has no corners to align");
    if (a->size.rank < 1 || a->size.rank > x->rank)
        return tg_infer_fail(f, TG_ESHAPE, "%d sizes for rank %d", a->size.rank, x->rank);
    f->shape[0] = *x;
    f->dtype[0] = f->in_dtype[0];
    for (int i = 0; i < a->size.rank; i++) {
        int axis = x->rank - a->size.rank + i;
        int64_t from = x->dims[axis], to = a->size.dims[i];
        if (to < 0 || to > MOST_PIXELS || from > MOST_PIXELS || (to && !from))
            return tg_infer_fail(f, TG_ESHAPE, "axis %d of size %lld cannot get the size %lld", axis, (long long)from,
                                 (long long)to);
        f->shape[0].dims[axis] = to;
    }
    return TG_OK;
}

/* Where place i of `to` lies among `from` elements. */
static double source_place(int64_t i, int64_t from, int64_t to, bool corners) {
    if (corners) return to > 1 ? (double)i * (double)(from - 1) / (double)(to - 1) : 0;
    double at = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    return at > 0 ? at : 0;
}

/* For each place along an axis the elements below and above, and the weight of the latter. */
typedef struct axis_table {
    int64_t *below, *above;
    double *weight;
} axis_table;

static void fill_table(axis_table *table, int64_t from, int64_t to, const interpolate_attr *a) {
    for (int64_t i = 0; i < to; i++) {
        double at = a->mode == TG_NEAREST ? 0 : source_place(i, from, to, a->corners != 0);
        int64_t below = a->mode == TG_NEAREST ? i * from / to : (int64_t)at;
        if (below > from - 1) below = from - 1;
        table->below[i] = below;
        table->above[i] = below + 1 < from ? below + 1 : below;
        table->weight[i] = at - (double)below;
    }
}

static tg_tensor along_axis(tg_tensor x, int axis, int64_t to, const axis_table *table, bool linear) {
    tg_tape *t = tg_tape_of(x);
    tg_tensor below = tg_gather(x, axis, tg_input(t, tg_i64(table->below, TG_SHAPE(to))));
    if (!linear) return below;
    tg_shape column = {tg_shape_of(x).rank, {0}};
    for (int i = 0; i < column.rank; i++) column.dims[i] = i == axis ? to : 1;
    tg_tensor above = tg_gather(x, axis, tg_input(t, tg_i64(table->above, TG_SHAPE(to))));
    tg_tensor weight = tg_cast(tg_input(t, tg_f64(table->weight, column)), tg_dtype_of(x));
    return tg_add(below, tg_mul(weight, tg_sub(above, below)));
}

static tg_tensor interpolate_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const interpolate_attr *a = attr;
    tg_tensor y = in[0];
    int first = tg_shape_of(y).rank - a->size.rank;
    for (int i = 0; i < a->size.rank; i++) {
        int64_t from = tg_shape_of(in[0]).dims[first + i], to = a->size.dims[i];
        size_t bytes = (size_t)to * sizeof(int64_t);
        char *memory = tg__alloc(3 * bytes + 1);
        if (!memory) {
            tg__fail_nomem(t, "interpolate", t->site_override);
            return tg__poison(t);
        }
        axis_table table = {(int64_t *)memory, (int64_t *)(memory + bytes), (double *)(memory + 2 * bytes)};
        fill_table(&table, from, to, a);
        y = along_axis(y, first + i, to, &table, a->mode == TG_LINEAR);
        tg__free(memory);
    }
    return y;
}

#define TO(mode, corners, ...) .attr = &(const interpolate_attr){DIMS(__VA_ARGS__), mode, corners}

const tg_op tg__op_interpolate = {
    .name = "interpolate",
    .formula = "y[i] = x at place (i + 1/2) n / m - 1/2 along each of the last axes",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(interpolate_attr),
    .fields = interpolate_fields,
    .infer = interpolate_infer,
    .define = interpolate_define,
    SAMPLES(SAMPLE("bilinear, larger", INPUTS(IN('f', (2, 3, 4))), TO(TG_LINEAR, 0, 5, 9)),
            SAMPLE("bilinear, smaller", INPUTS(IN('f', (5, 7))), TO(TG_LINEAR, 0, 2, 3)),
            SAMPLE("bilinear, corners", INPUTS(IN('f', (1, 2, 3, 4))), TO(TG_LINEAR, 1, 5, 6)),
            SAMPLE("linear, corners to one", INPUTS(IN('f', (2, 3))), TO(TG_LINEAR, 1, 1)),
            SAMPLE("trilinear", INPUTS(IN('f', (2, 2, 3))), TO(TG_LINEAR, 0, 3, 2, 5)),
            SAMPLE("nearest, larger", INPUTS(IN('f', (2, 3, 4))), TO(TG_NEAREST, 0, 6, 7)),
            SAMPLE("nearest, smaller", INPUTS(IN('f', (5, 7))), TO(TG_NEAREST, 0, 2, 3)),
            SAMPLE("to nothing", INPUTS(IN('f', (3, 4))), TO(TG_LINEAR, 0, 0)),
            SAMPLE("no image", INPUTS(IN('f', (0, 2, 2))), TO(TG_LINEAR, 0, 3, 3))),
    BADS(BAD("more sizes than axes", TG_ESHAPE, "3 sizes for rank 2", INPUTS(IN('f', (3, 4))), TO(TG_LINEAR, 0, 2, 2, 2)),
         BAD("no size", TG_ESHAPE, "0 sizes", INPUTS(IN('f', (3, 4))), TO(TG_LINEAR, 0, )),
         BAD("a negative size", TG_ESHAPE, "cannot get the size -1", INPUTS(IN('f', (3, 4))), TO(TG_LINEAR, 0, -1)),
         BAD("something of nothing", TG_ESHAPE, "of size 0 cannot", INPUTS(IN('f', (3, 0))), TO(TG_NEAREST, 0, 2)),
         BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (3, 4))), TO(TG_LINEAR, 0, 2)),
         BAD("no mode", TG_EARG, "5 is no interpolation", INPUTS(IN('f', (3, 4))), TO(5, 0, 2)),
         BAD("corners of the nearest", TG_EARG, "no corners", INPUTS(IN('f', (3, 4))), TO(TG_NEAREST, 1, 2))),
};

/*| tg_interpolate: the last axes, as many as size has, at other sizes. Elements stand in the middle of equal cells; with
 *  corners the first and the last one stay at the ends instead. TG_NEAREST takes element i n / m, rounded down, exactly.
 *  TG_LINEAR is linear along each axis (bilinear along two); beyond the middle of the outermost cells it is constant.
 *    y[i] = x at place (i + 1/2) n / m - 1/2 along each of the last axes; i (n - 1) / (m - 1) with corners
 *  Shapes:   x (..., n_1, n_2, ...), size (m_1, m_2, ...) -> y (..., m_1, m_2, ...)
 *  Dtypes:   f32, f64; for TG_NEAREST every dtype
 *  Gradient: dx = sum of g over the places that an element counts for, by its weights
 *  Errors:   TG_ESHAPE if there are no sizes, or more than axes, or one is negative or of nothing; TG_EARG if there is no such
 *            mode or TG_NEAREST has corners; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_API(tg_tensor, tg_interpolate, (tg_tensor x, tg_shape size, tg_interpolation mode, bool corners), (x, size, mode, corners)) {
    interpolate_attr attr = {size, mode, corners};
    return tg_apply_at(site, NULL, &tg__op_interpolate, &attr, &x, 1);
}
