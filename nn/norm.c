/* nn/norm.c: the layers of normalisation. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

#define TG__EPSILON 1e-5

static const tg_init ones = {.kind = TG_INIT_CONSTANT, .a = 1}, zeros = {.kind = TG_INIT_ZEROS};

tg_norm_layer tg_layer_norm_new(tg_model *m, const char *name, int64_t size) {
    tg_norm_layer l = {.epsilon = TG__EPSILON};
    l.weight = tg__layer_param(m, name, "weight", TG_SHAPE(size), TG_F32, ones);
    l.bias = tg__layer_param(m, name, "bias", TG_SHAPE(size), TG_F32, zeros);
    return l;
}

TG_API(tg_tensor, tg_layer_norm_apply, (tg_norm_layer l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.weight);
    return tg__layer_pop(t, tg_layer_norm_at(site, x, l.weight, l.bias, l.epsilon));
}

tg_norm_layer tg_rms_norm_new(tg_model *m, const char *name, int64_t size) {
    tg_norm_layer l = {.epsilon = TG__EPSILON};
    l.weight = tg__layer_param(m, name, "weight", TG_SHAPE(size), TG_F32, ones);
    return l;
}

TG_API(tg_tensor, tg_rms_norm_apply, (tg_norm_layer l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.weight);
    return tg__layer_pop(t, tg_rms_norm_at(site, x, l.weight, l.epsilon));
}

/* ------------------------------------------------------------------ batch normalisation */

tg_batch_norm_layer tg_batch_norm_new(tg_model *m, const char *name, int64_t channels) {
    tg_batch_norm_layer l = {.epsilon = TG__EPSILON, .momentum = 0.1};
    l.weight = tg__layer_param(m, name, "weight", TG_SHAPE(channels), TG_F32, ones);
    l.bias = tg__layer_param(m, name, "bias", TG_SHAPE(channels), TG_F32, zeros);
    l.mean = tg__layer_buffer(m, name, "running_mean", TG_SHAPE(channels), TG_F32, zeros);
    l.variance = tg__layer_buffer(m, name, "running_var", TG_SHAPE(channels), TG_F32, ones);
    return l;
}

static tg_tensor per_channel(const char *site, tg_tensor v, int rank) {
    tg_shape s = {rank - 1, {tg_numel(v), 1, 1, 1, 1, 1, 1, 1}};
    return tg_reshape_at(site, v, s);
}

/* old + momentum (new - old) */
static void move(const char *site, tg_tape *t, tg_tensor buffer, tg_tensor target, double momentum) {
    tg_tensor old = tg_on_at(site, t, buffer);
    tg_assign_at(site, buffer, tg_add_at(site, old, tg_scale_at(site, tg_sub_at(site, target, old), momentum)));
}

static tg_tensor train(const char *site, const tg_batch_norm_layer *l, tg_tape *t, tg_tensor x) {
    tg_tensor stats[2], y = tg_batch_norm_at(site, x, l->weight, l->bias, l->epsilon, stats);
    int64_t channels = tg_numel(l->weight), count = channels ? tg_numel(x) / channels : 0;
    double unbiased = count > 1 ? (double)count / (double)(count - 1) : 1;
    move(site, t, l->mean, tg_stop_gradient_at(site, stats[0]), l->momentum);
    move(site, t, l->variance, tg_scale_at(site, tg_stop_gradient_at(site, stats[1]), unbiased), l->momentum);
    return y;
}

static tg_tensor infer(const char *site, const tg_batch_norm_layer *l, tg_tape *t, tg_tensor x) {
    int rank = tg_shape_of(x).rank;
    tg_tensor variance = tg_add_scalar_at(site, tg_on_at(site, t, l->variance), l->epsilon);
    tg_tensor slope = tg_mul_at(site, tg_rsqrt_at(site, variance), l->weight);
    tg_tensor centred = tg_sub_at(site, x, per_channel(site, tg_on_at(site, t, l->mean), rank));
    tg_tensor scaled = tg_mul_at(site, centred, per_channel(site, slope, rank));
    return tg_add_at(site, scaled, per_channel(site, tg_on_at(site, t, l->bias), rank));
}

TG_API(tg_tensor, tg_batch_norm_apply, (tg_batch_norm_layer l, tg_tensor x, bool training), (l, x, training)) {
    tg_tape *t = tg__layer_push(x, l.weight);
    if (!t) return tg__lost(site);
    if (training || tg_shape_of(x).rank < 2) return tg__layer_pop(t, train(site, &l, t, x));
    return tg__layer_pop(t, infer(site, &l, t, x));
}
