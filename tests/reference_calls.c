/* tests/reference_calls.c: what is compared with PyTorch beside the ops of the list: functions that are more than one op, and
 * options that the samples of an op leave out. Each is an op that is its definition alone; tests/reference/calls.py has what it
 * should be. */
#include "tests/reference_calls.h"

#include <string.h>
#include <tapegrad.h>

/* What a call is given beside tensors: p and q hold what calls.py reads in the same places, reals in hundredths. */
typedef struct call_attr {
    const char *text; /* the note */
    int64_t p[TG_MAX_RANK], q[TG_MAX_RANK];
} call_attr;

static const tg_field call_fields[] = {
    {"text", TG_FIELD_PTR, offsetof(call_attr, text)},
    {"p", TG_FIELD_DIMS, offsetof(call_attr, p)},
    {"q", TG_FIELD_DIMS, offsetof(call_attr, q)},
    {NULL, TG_FIELD_INT, 0},
};

#define DIMS(...) {(int32_t)(sizeof((int64_t[]){0, __VA_ARGS__}) / sizeof(int64_t) - 1), {__VA_ARGS__ + 0}}
#define IN(kind_, ...) {.kind = kind_, .shape = DIMS __VA_ARGS__}
#define P(...) {__VA_ARGS__}
#define CASE(note_, p_, q_, ...) {.note = note_, .attr = &(const call_attr){note_, p_, q_}, .in = {__VA_ARGS__}}
#define CALL(name_, ...)                                                                                              \
    static tg_tensor name_##_call(tg_tape *t, const tg_tensor *x, int n, const void *attr) {                          \
        const int64_t *p = ((const call_attr *)attr)->p, *q = ((const call_attr *)attr)->q;                           \
        (void)t, (void)x, (void)n, (void)p, (void)q;                                                                  \
        return __VA_ARGS__;                                                                                           \
    }
#define ROW(name_, ...)                                                                                               \
    {.name = #name_, .formula = "the function", .source = "its documentation", .max_in = -1,                          \
     .attr_size = sizeof(call_attr), .fields = call_fields, .define = name_##_call,                                   \
     .samples = (const tg_sample[]){__VA_ARGS__, {.note = NULL}}}
#define VECTOR IN('f', (40), .lo = -3, .hi = 3, .avoid = 0.01)
#define NOTHING {.kind = 0}

static double real(int64_t hundredths) { return (double)hundredths / 100; }

/* ------------------------------------------------------------------ elementwise, with numbers */

CALL(leaky_relu, tg_leaky_relu(x[0], real(p[0])))
CALL(scale, tg_scale(x[0], real(p[0])))
CALL(add_scalar, tg_add_scalar(x[0], real(p[0])))
CALL(elu_alpha, tg_elu(x[0], real(p[0])))
CALL(celu_alpha, tg_celu(x[0], real(p[0])))
CALL(clamp_bounds, tg_clamp(x[0], real(p[0]), real(p[1])))
CALL(hardtanh_bounds, tg_hardtanh(x[0], real(p[0]), real(p[1])))
CALL(cast, tg_cast(tg_cast(x[0], (tg_dtype)p[0]), (tg_dtype)p[1]))
CALL(norm_p, tg_norm(x[0], real(p[0]), TG_AXES((int32_t)p[1]), p[2] != 0))

/* ------------------------------------------------------------------ making tensors */

CALL(zeros, tg_zeros(t, TG_SHAPE(p[0], p[1]), (tg_dtype)p[2]))
CALL(ones, tg_ones(t, TG_SHAPE(p[0], p[1]), (tg_dtype)p[2]))
CALL(full, tg_full(t, TG_SHAPE(p[0], p[1]), real(p[3]), (tg_dtype)p[2]))
CALL(linspace, tg_linspace(t, real(p[0]), real(p[1]), p[2], TG_F64))

/* ------------------------------------------------------------------ parts of a tensor */

static tg_tensor side_by_side(tg_status s, tg_tensor *parts, int n, int axis) {
    for (int i = 0; i < n && !s; i++) parts[i] = tg_scale(parts[i], i + 1); /* so that their order matters */
    return tg_concat(parts, n, axis);
}

static tg_tensor split_all(tg_tensor x, int axis, int n, tg_status (*cut)(tg_tensor x, int64_t axis, int n, tg_tensor *outs)) {
    tg_tensor parts[8] = {{0}};
    return side_by_side(cut(x, axis, n, parts), parts, n, axis);
}

CALL(split, split_all(x[0], (int)p[0], (int)p[1], (tg_split)))
CALL(chunk, split_all(x[0], (int)p[0], (int)p[1], (tg_chunk)))
CALL(slice_box, tg_slice_box(x[0], p, p + 2, q))
CALL(topk, tg_topk(x[0], p[0], p[1], p[2] != 0))
CALL(argtopk, tg_argtopk(x[0], p[0], p[1], p[2] != 0))
CALL(nonzero_max, tg_nonzero_max(x[0], p[0], NULL))
CALL(nonzero_all, tg_nonzero(x[0]))
CALL(masked_select, tg_masked_select(x[0], x[1]))
CALL(unique, tg_unique(x[0]))

/* ------------------------------------------------------------------ products */

CALL(einsum, tg_einsum(((const call_attr *)attr)->text, x, n))

/* ------------------------------------------------------------------ convolution and pooling */

/* p: stride, padding; q: dilation, output padding, groups. Three of each. */
static tg_conv_config conv_config(const int64_t *p, const int64_t *q) {
    tg_conv_config c = {.groups = q[6]};
    for (int i = 0; i < 3; i++) {
        c.stride[i] = p[i], c.padding[i] = p[3 + i];
        c.dilation[i] = q[i], c.output_padding[i] = q[3 + i];
    }
    return c;
}

CALL(conv1d, tg_conv1d(x[0], x[1], conv_config(p, q)))
CALL(conv2d, tg_conv2d(x[0], x[1], conv_config(p, q)))
CALL(conv3d, tg_conv3d(x[0], x[1], conv_config(p, q)))
CALL(conv_transpose1d, tg_conv_transpose1d(x[0], x[1], conv_config(p, q)))
CALL(conv_transpose2d, tg_conv_transpose2d(x[0], x[1], conv_config(p, q)))
CALL(conv_transpose3d, tg_conv_transpose3d(x[0], x[1], conv_config(p, q)))

/* p: kernel, stride; q: padding, whether it counts. */
static tg_pool_config pool_config(const int64_t *p, const int64_t *q) {
    tg_pool_config c = {.skip_padding = q[3] != 0};
    for (int i = 0; i < 3; i++) c.kernel[i] = p[i], c.stride[i] = p[3 + i], c.padding[i] = q[i];
    return c;
}

static tg_shape shape_of_sizes(const int64_t *p) {
    tg_shape s = {0};
    while (p[s.rank]) s.dims[s.rank] = p[s.rank], s.rank++;
    return s;
}

CALL(max_pool_windows, tg_max_pool(x[0], pool_config(p, q)))
CALL(avg_pool_windows, tg_avg_pool(x[0], pool_config(p, q)))
CALL(adaptive_max_pool, tg_adaptive_max_pool(x[0], shape_of_sizes(p)))
CALL(adaptive_avg_pool, tg_adaptive_avg_pool(x[0], shape_of_sizes(p)))
CALL(global_max_pool, tg_global_max_pool(x[0]))
CALL(global_avg_pool, tg_global_avg_pool(x[0]))
CALL(interpolate_sizes, tg_interpolate(x[0], shape_of_sizes(p), (tg_interpolation)q[0], q[1] != 0))

static tg_padding padding_of(const int64_t *p, const int64_t *q) {
    tg_padding pad = {.mode = (tg_pad_mode)q[0], .value = real(q[1])};
    for (int i = 0; i < 4; i++) pad.before[i] = p[i], pad.after[i] = p[4 + i];
    return pad;
}

CALL(pad_modes, tg_pad(x[0], padding_of(p, q)))

/* ------------------------------------------------------------------ normalisation, attention, cells */

CALL(group_norm, tg_group_norm(x[0], p[0], n > 1 ? x[1] : (tg_tensor){0}, n > 2 ? x[2] : (tg_tensor){0}, real(p[1])))
CALL(instance_norm, tg_instance_norm(x[0], n > 1 ? x[1] : (tg_tensor){0}, n > 2 ? x[2] : (tg_tensor){0}, real(p[0])))
CALL(rotary, tg_rotary(x[0], p[0], real(p[1])))
CALL(attention_options,
     tg_attention(x[0], x[1], x[2],
                  (tg_attention_config){.causal = p[0] != 0, .scale = real(p[1]), .mask = n > 3 ? x[3] : (tg_tensor){0}}))
CALL(rnn_cell, tg_rnn_cell(x[0], x[1], (tg_cell){.wx = x[2], .wh = x[3], .b = n > 4 ? x[4] : (tg_tensor){0}}))
CALL(gru_cell,
     tg_gru_cell(x[0], x[1],
                 (tg_cell){.wx = x[2], .wh = x[3], .b = n > 4 ? x[4] : (tg_tensor){0}, .bh = n > 5 ? x[5] : (tg_tensor){0}}))

static tg_tensor lstm(const tg_tensor *x, int n) { /* the state and the memory, side by side */
    tg_tensor y[2] = {{0}, x[2]};
    y[0] = tg_lstm_cell(x[0], x[1], &y[1], (tg_cell){.wx = x[3], .wh = x[4], .b = n > 5 ? x[5] : (tg_tensor){0}});
    return tg_concat(y, 2, 1);
}

CALL(lstm_cell, lstm(x, n))

/* ------------------------------------------------------------------ losses with every option
 *
 * p: reduction, which options are given, the ignored label, the loss's own numbers, the smoothing. After the data come the
 * class weight, the weight and the mask, if they are given. */

enum { CLASS_WEIGHT = 1, SMOOTHING = 2, WEIGHT = 4, MASK = 8, IGNORE = 16 };

static tg_loss_options options_of(const tg_tensor *rest, const int64_t *p) {
    tg_loss_options o = {.reduction = (tg_reduction)p[0], .ignore = (p[1] & IGNORE) != 0, .ignored = p[2]};
    if (p[1] & CLASS_WEIGHT) o.class_weight = *rest++;
    if (p[1] & SMOOTHING) o.smoothing = real(p[5]);
    if (p[1] & WEIGHT) o.weight = *rest++;
    if (p[1] & MASK) o.mask = *rest++;
    return o;
}

CALL(mse_with, tg_mse_with(x[0], x[1], options_of(x + 2, p)))
CALL(mae_with, tg_mae(x[0], x[1], options_of(x + 2, p)))
CALL(huber_with, tg_huber(x[0], x[1], real(p[3]), options_of(x + 2, p)))
CALL(smooth_l1_with, tg_smooth_l1(x[0], x[1], real(p[3]), options_of(x + 2, p)))
CALL(poisson_nll_with, tg_poisson_nll(x[0], x[1], options_of(x + 2, p)))
CALL(gaussian_nll_with, tg_gaussian_nll(x[0], x[1], x[2], real(p[3]), options_of(x + 3, p)))
CALL(bce_with, tg_bce(x[0], x[1], options_of(x + 2, p)))
CALL(bce_with_logits_with, tg_bce_with_logits(x[0], x[1], options_of(x + 2, p)))
CALL(focal_binary_with, tg_focal_binary(x[0], x[1], real(p[3]), real(p[4]), options_of(x + 2, p)))
CALL(hinge_with, tg_hinge(x[0], x[1], options_of(x + 2, p)))
CALL(cross_entropy_options, tg_cross_entropy_with(x[0], x[1], options_of(x + 2, p)))
CALL(nll_with, tg_nll(x[0], x[1], options_of(x + 2, p)))
CALL(focal_with, tg_focal(x[0], x[1], real(p[3]), options_of(x + 2, p)))
CALL(cross_entropy_soft_with, tg_cross_entropy_soft(x[0], x[1], options_of(x + 2, p)))
CALL(kl_with, tg_kl(x[0], x[1], options_of(x + 2, p)))
CALL(cosine_with, tg_cosine(x[0], x[1], x[2], real(p[3]), options_of(x + 3, p)))
CALL(triplet_with, tg_triplet(x[0], x[1], x[2], real(p[3]), options_of(x + 3, p)))

#define POSITIVE(...) IN('f', __VA_ARGS__, .lo = 0.5, .hi = 2)
#define BY_CLASS(...) IN('c', __VA_ARGS__, .lo = 0.5, .hi = 2)

/* Each reduction, alone, weighted, masked, and both; LOSSES is the shape of the losses, then come the data. */
#define REDUCED(r, note, N1, N2, LOSSES, ...)                                                                   \
    CASE(note, P(r, 0, 0, N1, N2), P(0), __VA_ARGS__),                                                          \
        CASE(note ", weighted", P(r, WEIGHT, 0, N1, N2), P(0), __VA_ARGS__, POSITIVE(LOSSES)),                  \
        CASE(note ", masked", P(r, MASK, 0, N1, N2), P(0), __VA_ARGS__, IN('b', LOSSES)),                       \
        CASE(note ", weighted and masked", P(r, WEIGHT | MASK, 0, N1, N2), P(0), __VA_ARGS__, POSITIVE(LOSSES), \
             IN('b', LOSSES))
#define GRID(N1, N2, LOSSES, ...)                                                                                             \
    REDUCED(TG_REDUCE_MEAN, "mean", N1, N2, LOSSES, __VA_ARGS__), REDUCED(TG_REDUCE_SUM, "sum", N1, N2, LOSSES, __VA_ARGS__), \
        REDUCED(TG_REDUCE_NONE, "none", N1, N2, LOSSES, __VA_ARGS__)

/* With labels also class weights and an ignored label; SMOOTH is SMOOTHING for a loss that has it, else 0. */
#define LABELLED(r, note, SMOOTH, N1)                                                                              \
    CASE(note ", class weights", P(r, CLASS_WEIGHT, 0, N1), P(0), SCORES, BY_CLASS((5))),                          \
        CASE(note ", ignored", P(r, IGNORE, 2, N1), P(0), SCORES),                                                 \
        CASE(note ", ignored, class weights", P(r, IGNORE | CLASS_WEIGHT, 2, N1), P(0), SCORES, BY_CLASS((5))),    \
        CASE(note ", smoothed if it can be", P(r, SMOOTH, 0, N1, 0, 20), P(0), SCORES),                            \
        CASE(note ", all of it", P(r, CLASS_WEIGHT | SMOOTH | WEIGHT | MASK | IGNORE, 1, N1, 0, 10), P(0), SCORES, \
             BY_CLASS((5)), POSITIVE((6)), IN('b', (6)))
#define SCORES IN('f', (6, 5)), IN('i', (6), .lo = 0, .hi = 4)
#define LABELLED_GRID(SMOOTH, N1)                                                                                       \
    GRID(N1, 0, (6), SCORES), LABELLED(TG_REDUCE_MEAN, "mean", SMOOTH, N1), LABELLED(TG_REDUCE_SUM, "sum", SMOOTH, N1), \
        LABELLED(TG_REDUCE_NONE, "none", SMOOTH, N1)
#define TWO IN('f', (3, 4)), IN('f', (3, 4))
#define APART IN('f', (3, 4), .avoid = 0.02), IN('f', (3, 4), .avoid = 0.02)
#define UNIT IN('f', (3, 4), .lo = 0.1, .hi = 0.9), IN('f', (3, 4), .lo = 0, .hi = 1)
#define LOGITS IN('f', (3, 4)), IN('f', (3, 4), .lo = 0, .hi = 1)

/* ------------------------------------------------------------------ the list */

#define VARIED IN('f', (3, 4)), IN('f', (3, 4)), IN('f', (3, 4), .lo = 0.2, .hi = 3)
#define KL IN('f', (3, 4)), IN('f', (3, 4), .lo = 0.05, .hi = 1)
#define PAIRS IN('f', (3, 4)), IN('f', (3, 4)), IN('i', (3), .lo = 0, .hi = 1)
#define TRIPLE IN('f', (3, 4)), IN('f', (3, 4)), IN('f', (3, 4))

static const tg_op list[] = {
    ROW(leaky_relu, CASE("slope 0.01", P(1), P(0), VECTOR),
        CASE("slope -0.3", P(-30), P(0), VECTOR),
        CASE("slope 0", P(0), P(0), VECTOR)),
    ROW(scale, CASE("by 2.5", P(250), P(0), VECTOR),
        CASE("by 0", P(0), P(0), VECTOR)),
    ROW(add_scalar, CASE("minus 1.25", P(-125), P(0), VECTOR)),
    ROW(elu_alpha, CASE("alpha 1", P(100), P(0), VECTOR),
        CASE("alpha 0.3", P(30), P(0), VECTOR)),
    ROW(celu_alpha, CASE("alpha 1.5", P(150), P(0), VECTOR),
        CASE("alpha 0.25", P(25), P(0), VECTOR)),
    ROW(clamp_bounds, CASE("from -1 to 1.5", P(-100, 150), P(0), VECTOR),
        CASE("from 1 to 0", P(100, 0), P(0), VECTOR)),
    ROW(hardtanh_bounds, CASE("from -1 to 1", P(-100, 100), P(0), VECTOR),
        CASE("from 0 to 2", P(0, 200), P(0), VECTOR)),
    ROW(cast, CASE("to f32", P(TG_F32, TG_F32), P(0), IN('f', (20), .lo = -3, .hi = 3)),
        CASE("to f64", P(TG_F64, TG_F64), P(0), IN('f', (20), .lo = -3, .hi = 3)),
        CASE("to i64", P(TG_I64, TG_I64), P(0), IN('c', (20), .lo = -3, .hi = 3)),
        CASE("to i32", P(TG_I32, TG_I32), P(0), IN('c', (20), .lo = -3, .hi = 3)),
        CASE("to u8", P(TG_U8, TG_U8), P(0), IN('c', (20), .lo = 0, .hi = 9)),
        CASE("to bool", P(TG_BOOL, TG_BOOL), P(0), IN('c', (20), .lo = -1, .hi = 1)),
        CASE("through bf16", P(TG_BF16, TG_F64), P(0), IN('f', (20), .lo = -3, .hi = 3)),
        CASE("through f16", P(TG_F16, TG_F64), P(0), IN('f', (20), .lo = -3, .hi = 3))),
    ROW(norm_p, CASE("p 0, axis 0", P(0, 0, 0), P(0), IN('f', (3, 4, 2), .avoid = 0.01)),
        CASE("p 1, axis 1", P(100, 1, 1), P(0), IN('f', (3, 4, 2), .avoid = 0.01)),
        CASE("p 2, axis -1", P(200, -1, 0), P(0), IN('f', (3, 4, 2), .avoid = 0.01)),
        CASE("p 3, axis 0", P(300, 0, 1), P(0), IN('f', (3, 4, 2), .avoid = 0.01)),
        CASE("p 2.5, axis 1", P(250, 1, 0), P(0), IN('f', (3, 4, 2), .avoid = 0.01)),
        CASE("p 0.5, axis 2", P(50, 2, 0), P(0), IN('f', (3, 4, 2), .avoid = 0.01))),
    ROW(zeros, CASE("f64", P(2, 3, TG_F64), P(0), NOTHING), CASE("i64", P(0, 3, TG_I64), P(0), NOTHING)),
    ROW(ones, CASE("f64", P(2, 3, TG_F64), P(0), NOTHING), CASE("bool", P(3, 1, TG_BOOL), P(0), NOTHING)),
    ROW(full, CASE("f64", P(2, 3, TG_F64, 125), P(0), NOTHING), CASE("i32", P(2, 2, TG_I32, -700), P(0), NOTHING)),
    ROW(linspace, CASE("up", P(0, 100, 11), P(0), NOTHING), CASE("down", P(300, -50, 7), P(0), NOTHING),
        CASE("one", P(200, 300, 1), P(0), NOTHING)),
    ROW(split, CASE("rows", P(0, 3), P(0), IN('f', (6, 2))), CASE("columns", P(-1, 2), P(0), IN('f', (3, 4)))),
    ROW(chunk, CASE("rows", P(0, 3), P(0), IN('f', (7, 2))), CASE("more parts than elements", P(1, 4), P(0), IN('f', (2, 3)))),
    ROW(slice_box, CASE("a corner", P(1, 0, 3, 2), P(1, 1), IN('f', (4, 5))),
        CASE("backwards", P(-1, 4, TG_BEGIN, 0), P(-2, -1), IN('f', (4, 5)))),
    ROW(topk, CASE("largest of rows", P(1, 3, 1), P(0), IN('f', (4, 6), .avoid = 0.01)),
        CASE("smallest of columns", P(0, 2, 0), P(0), IN('f', (4, 6), .avoid = 0.01)),
        CASE("all", P(-1, 6, 1), P(0), IN('f', (4, 6), .avoid = 0.01)),
        CASE("none", P(1, 0, 1), P(0), IN('f', (4, 6), .avoid = 0.01))),
    ROW(argtopk, CASE("largest of rows", P(1, 3, 1), P(0), IN('c', (4, 6), .avoid = 0.01)),
        CASE("smallest of columns", P(0, 2, 0), P(0), IN('c', (4, 6), .avoid = 0.01)),
        CASE("all", P(-1, 6, 1), P(0), IN('c', (4, 6), .avoid = 0.01)),
        CASE("none", P(1, 0, 1), P(0), IN('c', (4, 6), .avoid = 0.01))),
    ROW(nonzero_max, CASE("some", P(4), P(0), IN('b', (3, 4))), CASE("room", P(20), P(0), IN('i', (3, 4)))),
    ROW(nonzero_all, CASE("truth values", P(0), P(0), IN('b', (3, 4))), CASE("whole numbers", P(0), P(0), IN('i', (2, 3, 4)))),
    ROW(masked_select, CASE("a matrix", P(0), P(0), IN('f', (3, 4)), IN('b', (3, 4))),
        CASE("a mask of rows", P(0), P(0), IN('f', (3, 4)), IN('b', (3, 1)))),
    ROW(unique, CASE("whole numbers", P(0), P(0), IN('i', (4, 5))), CASE("floats", P(0), P(0), IN('f', (9)))),
    ROW(einsum, CASE("ij,jk->ik", P(0), P(0), IN('f', (3, 4)), IN('f', (4, 2))),
        CASE("bij,bjk->bik", P(0), P(0), IN('f', (2, 3, 4)), IN('f', (2, 4, 2))), CASE("ij->ji", P(0), P(0), IN('f', (3, 4))),
        CASE("ii->i", P(0), P(0), IN('f', (4, 4))), CASE("ii", P(0), P(0), IN('f', (4, 4))),
        CASE("ij->", P(0), P(0), IN('f', (3, 4))), CASE("i,j->ij", P(0), P(0), IN('f', (3)), IN('f', (4))),
        CASE("i,i->", P(0), P(0), IN('f', (5)), IN('f', (5))),
        CASE("bi,ij,bj->b", P(0), P(0), IN('f', (2, 3)), IN('f', (3, 4)), IN('f', (2, 4))),
        CASE("ij,jk,kl,lm->im", P(0), P(0), IN('f', (2, 3)), IN('f', (3, 4)), IN('f', (4, 2)), IN('f', (2, 3))),
        CASE("...ij,...jk->...ik", P(0), P(0), IN('f', (2, 1, 3, 2)), IN('f', (4, 2, 3))),
        CASE("bhqd,bhkd->bhqk", P(0), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 2, 5, 4))),
        CASE("ijk,jil->kl", P(0), P(0), IN('f', (2, 3, 4)), IN('f', (3, 2, 5))),
        CASE("iij,jk->ik", P(0), P(0), IN('f', (3, 3, 4)), IN('f', (4, 2))),
        CASE("ab,cd->abcd", P(0), P(0), IN('f', (2, 3)), IN('f', (2, 2))),
        CASE("i...,i...->...", P(0), P(0), IN('f', (3, 2, 2)), IN('f', (3, 2, 2))), CASE("ba", P(0), P(0), IN('f', (2, 3))),
        CASE("ij,ij,ij->j", P(0), P(0), IN('f', (3, 4)), IN('f', (3, 4)), IN('f', (3, 4)))),
    ROW(conv1d,
        CASE("stride 1, padding 0, dilation 1, groups 1", P(1, 0, 0, 0), P(1, 0, 0, 0, 0, 0, 1), IN('f', (2, 4, 9)),
             IN('f', (6, 4, 3))),
        CASE("stride 2, padding 0, dilation 1, groups 1", P(2, 0, 0, 0), P(1, 0, 0, 0, 0, 0, 1), IN('f', (2, 4, 9)),
             IN('f', (6, 4, 3))),
        CASE("stride 1, padding 1, dilation 1, groups 2", P(1, 0, 0, 1), P(1, 0, 0, 0, 0, 0, 2), IN('f', (2, 4, 9)),
             IN('f', (6, 2, 3))),
        CASE("stride 3, padding 2, dilation 1, groups 2", P(3, 0, 0, 2), P(1, 0, 0, 0, 0, 0, 2), IN('f', (2, 4, 9)),
             IN('f', (6, 2, 2))),
        CASE("stride 1, padding 2, dilation 2, groups 1", P(1, 0, 0, 2), P(2, 0, 0, 0, 0, 0, 1), IN('f', (2, 4, 9)),
             IN('f', (6, 4, 3))),
        CASE("stride 2, padding 3, dilation 3, groups 2", P(2, 0, 0, 3), P(3, 0, 0, 0, 0, 0, 2), IN('f', (2, 4, 9)),
             IN('f', (6, 2, 2))),
        CASE("kernels of one element, padded, groups 2", P(1, 0, 0, 1), P(1, 0, 0, 0, 0, 0, 2), IN('f', (2, 4, 9)),
             IN('f', (6, 2, 1))),
        CASE("stride 2, padding 2, dilation 2, groups 2", P(2, 0, 0, 2), P(2, 0, 0, 0, 0, 0, 2), IN('f', (2, 4, 9)),
             IN('f', (6, 2, 4)))),
    ROW(conv2d,
        CASE("stride (1, 1), padding (0, 0), dilation (1, 1), groups 1", P(1, 1, 0, 0, 0), P(1, 1, 0, 0, 0, 0, 1),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 4, 3, 3))),
        CASE("stride (2, 1), padding (1, 0), dilation (1, 1), groups 1", P(2, 1, 0, 1, 0), P(1, 1, 0, 0, 0, 0, 1),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 4, 3, 2))),
        CASE("stride (1, 2), padding (2, 1), dilation (2, 1), groups 2", P(1, 2, 0, 2, 1), P(2, 1, 0, 0, 0, 0, 2),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 2, 2, 3))),
        CASE("stride (2, 2), padding (1, 1), dilation (1, 1), groups 4", P(2, 2, 0, 1, 1), P(1, 1, 0, 0, 0, 0, 4),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 1, 3, 3))),
        CASE("stride (1, 1), padding (1, 1), dilation (2, 2), groups 1", P(1, 1, 0, 1, 1), P(2, 2, 0, 0, 0, 0, 1),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 4, 2, 2))),
        CASE("stride (1, 1), padding (0, 0), dilation (1, 1), groups 2", P(1, 1, 0, 0, 0), P(1, 1, 0, 0, 0, 0, 2),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 2, 1, 1))),
        CASE("stride (3, 2), padding (0, 3), dilation (1, 2), groups 2", P(3, 2, 0, 0, 3), P(1, 2, 0, 0, 0, 0, 2),
             IN('f', (2, 4, 6, 5)), IN('f', (4, 2, 2, 3)))),
    ROW(conv3d,
        CASE("stride 1, padding 0, dilation 1, groups 1", P(1, 1, 1, 0, 0, 1), P(1, 1, 1, 0, 0, 0, 1), IN('f', (1, 2, 3, 4, 3)),
             IN('f', (2, 2, 2, 2, 2))),
        CASE("stride 2, padding 1, dilation 1, groups 2", P(2, 1, 1, 1, 0, 1), P(1, 1, 1, 0, 0, 0, 2), IN('f', (1, 2, 3, 4, 3)),
             IN('f', (2, 1, 2, 2, 2))),
        CASE("stride 1, padding 1, dilation 2, groups 1", P(1, 1, 1, 1, 0, 1), P(1, 2, 1, 0, 0, 0, 1), IN('f', (1, 2, 3, 4, 3)),
             IN('f', (2, 2, 2, 2, 2)))),
    ROW(conv_transpose1d,
        CASE("stride 1, padding 0, dilation 1, more 0, groups 1", P(1, 0, 0, 0), P(1, 0, 0, 0, 0, 0, 1), IN('f', (2, 4, 5)),
             IN('f', (4, 3, 3))),
        CASE("stride 2, padding 1, dilation 1, more 1, groups 1", P(2, 0, 0, 1), P(1, 0, 0, 1, 0, 0, 1), IN('f', (2, 4, 5)),
             IN('f', (4, 3, 3))),
        CASE("stride 3, padding 0, dilation 1, more 2, groups 2", P(3, 0, 0, 0), P(1, 0, 0, 2, 0, 0, 2), IN('f', (2, 4, 5)),
             IN('f', (4, 3, 2))),
        CASE("stride 2, padding 1, dilation 2, more 1, groups 2", P(2, 0, 0, 1), P(2, 0, 0, 1, 0, 0, 2), IN('f', (2, 4, 5)),
             IN('f', (4, 3, 3))),
        CASE("stride 1, padding 2, dilation 2, more 0, groups 4", P(1, 0, 0, 2), P(2, 0, 0, 0, 0, 0, 4), IN('f', (2, 4, 5)),
             IN('f', (4, 3, 3)))),
    ROW(conv_transpose2d,
        CASE("stride (1, 1), padding (0, 0), dilation (1, 1), more (0, 0), groups 1", P(1, 1, 0, 0, 0), P(1, 1, 0, 0, 0, 0, 1),
             IN('f', (2, 4, 3, 4)), IN('f', (4, 2, 3, 3))),
        CASE("stride (2, 1), padding (1, 0), dilation (1, 1), more (1, 0), groups 1", P(2, 1, 0, 1, 0), P(1, 1, 0, 1, 0, 0, 1),
             IN('f', (2, 4, 3, 4)), IN('f', (4, 2, 3, 2))),
        CASE("stride (1, 2), padding (1, 1), dilation (2, 1), more (0, 1), groups 2", P(1, 2, 0, 1, 1), P(2, 1, 0, 0, 1, 0, 2),
             IN('f', (2, 4, 3, 4)), IN('f', (4, 2, 2, 3))),
        CASE("stride (2, 3), padding (0, 1), dilation (1, 2), more (1, 2), groups 4", P(2, 3, 0, 0, 1), P(1, 2, 0, 1, 2, 0, 4),
             IN('f', (2, 4, 3, 4)), IN('f', (4, 2, 2, 2)))),
    ROW(conv_transpose3d,
        CASE("stride 1, padding 0, more 0, groups 1", P(1, 1, 1, 0, 0, 0), P(1, 1, 1, 0, 0, 0, 1), IN('f', (1, 2, 2, 3, 2)),
             IN('f', (2, 2, 2, 2, 2))),
        CASE("stride 2, padding 1, more 1, groups 2", P(2, 1, 2, 1, 0, 0), P(1, 1, 1, 1, 0, 0, 2), IN('f', (1, 2, 2, 3, 2)),
             IN('f', (2, 2, 2, 2, 2)))),
    ROW(max_pool_windows,
        CASE("windows (2, 2), stride (0, 0), padding (0, 0)", P(2, 2, 0, 0, 0), P(0, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (3, 2), stride (1, 2), padding (1, 0)", P(3, 2, 0, 1, 2), P(1, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (3, 3), stride (2, 1), padding (1, 1), not counted", P(3, 3, 0, 2, 1), P(1, 1, 0, 1),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (2, 3), stride (3, 1), padding (1, 1)", P(2, 3, 0, 3, 1), P(1, 1, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (1, 1), stride (2, 2), padding (0, 0)", P(1, 1, 0, 2, 2), P(0, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("1-D", P(3, 0, 0, 2), P(1), IN('f', (2, 2, 9), .avoid = 0.01)),
        CASE("3-D", P(2, 2, 2), P(0), IN('f', (1, 2, 4, 4, 4), .avoid = 0.005))),
    ROW(avg_pool_windows,
        CASE("windows (2, 2), stride (0, 0), padding (0, 0)", P(2, 2, 0, 0, 0), P(0, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (3, 2), stride (1, 2), padding (1, 0)", P(3, 2, 0, 1, 2), P(1, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (3, 3), stride (2, 1), padding (1, 1), not counted", P(3, 3, 0, 2, 1), P(1, 1, 0, 1),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (2, 3), stride (3, 1), padding (1, 1)", P(2, 3, 0, 3, 1), P(1, 1, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("windows (1, 1), stride (2, 2), padding (0, 0)", P(1, 1, 0, 2, 2), P(0, 0, 0, 0),
             IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("1-D", P(3, 0, 0, 2), P(1), IN('f', (2, 2, 9), .avoid = 0.01)),
        CASE("3-D", P(2, 2, 2), P(0), IN('f', (1, 2, 4, 4, 4), .avoid = 0.005))),
    ROW(adaptive_max_pool, CASE("to one", P(1, 1), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("to 4 and 3", P(4, 3), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("to 7 and 2", P(7, 2), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("1-D", P(4), P(0), IN('f', (2, 2, 9), .avoid = 0.01))),
    ROW(adaptive_avg_pool, CASE("to one", P(1, 1), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("to 4 and 3", P(4, 3), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("to 7 and 2", P(7, 2), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("1-D", P(4), P(0), IN('f', (2, 2, 9), .avoid = 0.01))),
    ROW(global_max_pool, CASE("images", P(0), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("sequences", P(0), P(0), IN('f', (2, 2, 9), .avoid = 0.01))),
    ROW(global_avg_pool, CASE("images", P(0), P(0), IN('f', (2, 3, 6, 5), .avoid = 0.002)),
        CASE("sequences", P(0), P(0), IN('f', (2, 2, 9), .avoid = 0.01))),
    ROW(interpolate_sizes, CASE("nearest from (5,) to (8,)", P(8), P(TG_NEAREST, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (8,)", P(8), P(TG_LINEAR, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (8,), corners", P(8), P(TG_LINEAR, 1), IN('f', (2, 2, 5))),
        CASE("nearest from (5,) to (3,)", P(3), P(TG_NEAREST, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (3,)", P(3), P(TG_LINEAR, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (3,), corners", P(3), P(TG_LINEAR, 1), IN('f', (2, 2, 5))),
        CASE("nearest from (5,) to (5,)", P(5), P(TG_NEAREST, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (5,)", P(5), P(TG_LINEAR, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (5,), corners", P(5), P(TG_LINEAR, 1), IN('f', (2, 2, 5))),
        CASE("nearest from (5,) to (1,)", P(1), P(TG_NEAREST, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (1,)", P(1), P(TG_LINEAR, 0), IN('f', (2, 2, 5))),
        CASE("linear from (5,) to (1,), corners", P(1), P(TG_LINEAR, 1), IN('f', (2, 2, 5))),
        CASE("nearest from (4, 3) to (7, 5)", P(7, 5), P(TG_NEAREST, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (7, 5)", P(7, 5), P(TG_LINEAR, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (7, 5), corners", P(7, 5), P(TG_LINEAR, 1), IN('f', (2, 2, 4, 3))),
        CASE("nearest from (4, 3) to (2, 2)", P(2, 2), P(TG_NEAREST, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (2, 2)", P(2, 2), P(TG_LINEAR, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (2, 2), corners", P(2, 2), P(TG_LINEAR, 1), IN('f', (2, 2, 4, 3))),
        CASE("nearest from (4, 3) to (8, 3)", P(8, 3), P(TG_NEAREST, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (8, 3)", P(8, 3), P(TG_LINEAR, 0), IN('f', (2, 2, 4, 3))),
        CASE("linear from (4, 3) to (8, 3), corners", P(8, 3), P(TG_LINEAR, 1), IN('f', (2, 2, 4, 3))),
        CASE("nearest from (2, 3, 3) to (4, 2, 5)", P(4, 2, 5), P(TG_NEAREST, 0), IN('f', (2, 2, 2, 3, 3))),
        CASE("linear from (2, 3, 3) to (4, 2, 5)", P(4, 2, 5), P(TG_LINEAR, 0), IN('f', (2, 2, 2, 3, 3))),
        CASE("linear from (2, 3, 3) to (4, 2, 5), corners", P(4, 2, 5), P(TG_LINEAR, 1), IN('f', (2, 2, 2, 3, 3)))),
    ROW(pad_modes, CASE("constant, one axis", P(0, 0, 0, 2, 0, 0, 0, 1), P(0, 150), IN('f', (2, 3, 5, 4))),
        CASE("constant, two axes", P(0, 0, 3, 1, 0, 0, 2, 2), P(0, 150), IN('f', (2, 3, 5, 4))),
        CASE("constant, one side", P(0, 1, 0, 0, 0, 0, 0, 3), P(0, 150), IN('f', (2, 3, 5, 4))),
        CASE("reflect, one axis", P(0, 0, 0, 2, 0, 0, 0, 1), P(1, 0), IN('f', (2, 3, 5, 4))),
        CASE("reflect, two axes", P(0, 0, 3, 1, 0, 0, 2, 2), P(1, 0), IN('f', (2, 3, 5, 4))),
        CASE("reflect, one side", P(0, 1, 0, 0, 0, 0, 0, 3), P(1, 0), IN('f', (2, 3, 5, 4))),
        CASE("replicate, one axis", P(0, 0, 0, 2, 0, 0, 0, 1), P(2, 0), IN('f', (2, 3, 5, 4))),
        CASE("replicate, two axes", P(0, 0, 3, 1, 0, 0, 2, 2), P(2, 0), IN('f', (2, 3, 5, 4))),
        CASE("replicate, one side", P(0, 1, 0, 0, 0, 0, 0, 3), P(2, 0), IN('f', (2, 3, 5, 4))),
        CASE("circular, one axis", P(0, 0, 0, 2, 0, 0, 0, 1), P(3, 0), IN('f', (2, 3, 5, 4))),
        CASE("circular, two axes", P(0, 0, 3, 1, 0, 0, 2, 2), P(3, 0), IN('f', (2, 3, 5, 4))),
        CASE("circular, one side", P(0, 1, 0, 0, 0, 0, 0, 3), P(3, 0), IN('f', (2, 3, 5, 4)))),
    ROW(group_norm, CASE("2 groups", P(2, 1), P(0), IN('f', (2, 4, 3, 2)), IN('f', (4)), IN('f', (4))),
        CASE("one group, no weight", P(1, 10), P(0), IN('f', (2, 4, 3))),
        CASE("as many groups as channels", P(4, 1), P(0), IN('f', (2, 4, 6)), IN('f', (4)), IN('f', (4)))),
    ROW(instance_norm, CASE("images", P(1), P(0), IN('f', (2, 3, 4, 2)), IN('f', (3)), IN('f', (3))),
        CASE("sequences, no weight", P(10), P(0), IN('f', (2, 3, 7)))),
    ROW(rotary, CASE("from the first", P(0, 1000000), P(0), IN('f', (2, 5, 6))),
        CASE("from the 7th", P(7, 10000), P(0), IN('f', (3, 4)))),
    ROW(attention_options,
        CASE("causal 0, scale 0, heads 2 and 2", P(0, 0), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 2, 5, 4)),
             IN('f', (2, 2, 5, 3))),
        CASE("causal 1, scale 0, heads 2 and 2", P(1, 0), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 2, 5, 4)),
             IN('f', (2, 2, 5, 3))),
        CASE("causal 0, scale 30, heads 4 and 2", P(0, 30), P(0), IN('f', (2, 4, 3, 4)), IN('f', (2, 2, 5, 4)),
             IN('f', (2, 2, 5, 3))),
        CASE("causal 1, scale 30, heads 4 and 1", P(1, 30), P(0), IN('f', (2, 4, 3, 4)), IN('f', (2, 1, 5, 4)),
             IN('f', (2, 1, 5, 3))),
        CASE("causal 0, scale 0, heads 2 and 2, mask", P(0, 0), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 2, 5, 4)),
             IN('f', (2, 2, 5, 3)), IN('b', (3, 5))),
        CASE("causal 1, scale 0, heads 2 and 1, mask", P(1, 0), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 1, 5, 4)),
             IN('f', (2, 1, 5, 3)), IN('b', (2, 1, 3, 5))),
        CASE("causal 0, scale 50, heads 2 and 2, mask", P(0, 50), P(0), IN('f', (2, 2, 3, 4)), IN('f', (2, 2, 5, 4)),
             IN('f', (2, 2, 5, 3)), IN('b', (2, 2, 1, 5)))),
    ROW(rnn_cell,
        CASE("with bias", P(0), P(0), IN('f', (3, 4)), IN('f', (3, 5)), IN('f', (4, 5)), IN('f', (5, 5)), IN('f', (5))),
        CASE("without", P(0), P(0), IN('f', (1, 2)), IN('f', (1, 3)), IN('f', (2, 3)), IN('f', (3, 3)))),
    ROW(gru_cell,
        CASE("with biases", P(0), P(0), IN('f', (3, 4)), IN('f', (3, 2)), IN('f', (4, 6)), IN('f', (2, 6)), IN('f', (6)),
             IN('f', (6))),
        CASE("without", P(0), P(0), IN('f', (1, 2)), IN('f', (1, 3)), IN('f', (2, 9)), IN('f', (3, 9)))),
    ROW(lstm_cell,
        CASE("with bias", P(0), P(0), IN('f', (3, 4)), IN('f', (3, 2)), IN('f', (3, 2)), IN('f', (4, 8)), IN('f', (2, 8)),
             IN('f', (8))),
        CASE("without", P(0), P(0), IN('f', (1, 2)), IN('f', (1, 3)), IN('f', (1, 3)), IN('f', (2, 12)), IN('f', (3, 12)))),
    ROW(mse_with, GRID(0, 0, (3, 4), TWO)),
    ROW(mae_with, GRID(0, 0, (3, 4), APART)),
    ROW(huber_with, GRID(70, 0, (3, 4), APART)),
    ROW(smooth_l1_with, GRID(130, 0, (3, 4), APART)),
    ROW(poisson_nll_with, GRID(0, 0, (3, 4), TWO)),
    ROW(gaussian_nll_with, GRID(10, 0, (3, 4), VARIED)),
    ROW(bce_with, GRID(0, 0, (3, 4), UNIT)),
    ROW(bce_with_logits_with, GRID(0, 0, (3, 4), LOGITS),
        CASE("class weights", P(TG_REDUCE_MEAN, CLASS_WEIGHT), P(0), LOGITS, BY_CLASS((4))),
        CASE("class weights, weighted", P(TG_REDUCE_SUM, CLASS_WEIGHT | WEIGHT), P(0), LOGITS, BY_CLASS((4)),
             POSITIVE((3, 1)))),
    ROW(focal_binary_with, GRID(25, 200, (3, 4), LOGITS),
        CASE("no alpha, gamma 0", P(TG_REDUCE_MEAN, 0, 0, -100, 0), P(0), LOGITS),
        CASE("gamma 0.5", P(TG_REDUCE_MEAN, 0, 0, 60, 50), P(0), LOGITS)),
    ROW(hinge_with, GRID(0, 0, (3, 4), APART)),
    ROW(cross_entropy_options, LABELLED_GRID(SMOOTHING, 0)),
    ROW(nll_with, LABELLED_GRID(0, 0)),
    ROW(focal_with, LABELLED_GRID(0, 150)),
    ROW(cross_entropy_soft_with, GRID(0, 0, (3), LOGITS),
        CASE("mean, class weights, smoothed", P(TG_REDUCE_MEAN, CLASS_WEIGHT | SMOOTHING, 0, 0, 0, 20), P(0), LOGITS,
             BY_CLASS((4))),
        CASE("sum, class weights, smoothed", P(TG_REDUCE_SUM, CLASS_WEIGHT | SMOOTHING, 0, 0, 0, 20), P(0), LOGITS,
             BY_CLASS((4))),
        CASE("none, class weights, smoothed", P(TG_REDUCE_NONE, CLASS_WEIGHT | SMOOTHING, 0, 0, 0, 20), P(0), LOGITS,
             BY_CLASS((4)))),
    ROW(kl_with, GRID(0, 0, (3), KL)),
    ROW(cosine_with, GRID(10, 0, (3), PAIRS)),
    ROW(triplet_with, GRID(100, 0, (3), TRIPLE)),
};

const tg_op *reference_call(int i) { return i >= 0 && i < (int)(sizeof list / sizeof *list) ? &list[i] : NULL; }
