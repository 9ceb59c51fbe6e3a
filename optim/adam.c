/* optim/adam.c: Adam and AdamW. */
#include <math.h>

#include "optim/optim.h"

enum { BETA1, ONE_MINUS_BETA1, BETA2, ONE_MINUS_BETA2, RATE, EPS, DECAY };
enum { M, V };

static void moment_numbers(const tg__hyper *h, int64_t step, double lr, double *value) {
    double correction1 = 1 - pow(h->beta1, (double)step), correction2 = sqrt(1 - pow(h->beta2, (double)step));
    value[BETA1] = h->beta1;
    value[ONE_MINUS_BETA1] = 1 - h->beta1;
    value[BETA2] = h->beta2;
    value[ONE_MINUS_BETA2] = 1 - h->beta2;
    value[RATE] = lr * correction2 / correction1;
    value[EPS] = h->eps * correction2;
}

static void adam_numbers(const tg__hyper *h, int64_t step, double lr, double *value) {
    moment_numbers(h, step, lr, value);
    value[DECAY] = h->weight_decay;
}

static void adamw_numbers(const tg__hyper *h, int64_t step, double lr, double *value) {
    moment_numbers(h, step, lr, value);
    value[DECAY] = 1 - lr * h->weight_decay;
}

static tg_tensor times(tg__update *u, tg_tensor x, int which) {
    return tg_mul_at(u->site, x, tg__update_number(u, which, tg_dtype_of(x)));
}

static tg_tensor moments_record(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next) {
    tg_tensor eps = tg__update_number(u, EPS, tg_dtype_of(w));
    next[M] = tg_add_at(u->site, times(u, slot[M], BETA1), times(u, g, ONE_MINUS_BETA1));
    next[V] = tg_add_at(u->site, times(u, slot[V], BETA2), times(u, tg_square_at(u->site, g), ONE_MINUS_BETA2));
    tg_tensor scale = tg_add_at(u->site, tg_sqrt_at(u->site, next[V]), eps);
    return tg_sub_at(u->site, w, tg_div_at(u->site, times(u, next[M], RATE), scale));
}

static tg_tensor adam_record(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next) {
    if (u->o->hyper.weight_decay != 0) g = tg_add_at(u->site, g, times(u, w, DECAY));
    return moments_record(u, w, g, slot, next);
}

static tg_tensor adamw_record(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next) {
    if (u->o->hyper.weight_decay != 0) w = times(u, w, DECAY);
    return moments_record(u, w, g, slot, next);
}

static const tg__rule adam = {.n_slots = 2, .slot = {"m", "v"}, .numbers = adam_numbers, .record = adam_record};
static const tg__rule adamw = {.n_slots = 2, .slot = {"m", "v"}, .numbers = adamw_numbers, .record = adamw_record};

static tg__hyper moment_hyper(double lr, double beta1, double beta2, double eps, double weight_decay) {
    return (tg__hyper){
        .lr = tg__or_default(lr, 1e-3),
        .beta1 = tg__or_default(beta1, 0.9),
        .beta2 = tg__or_default(beta2, 0.999),
        .eps = tg__or_default(eps, 1e-8),
        .weight_decay = weight_decay,
    };
}

tg_optim *tg_adam(tg_model *m, tg_adam_config c) {
    return tg__optim_new(m, &adam, moment_hyper(c.lr, c.beta1, c.beta2, c.eps, c.weight_decay), c.common);
}

tg_optim *tg_adamw(tg_model *m, tg_adamw_config c) {
    double decay = c.weight_decay < 0 ? 0 : tg__or_default(c.weight_decay, 0.01);
    return tg__optim_new(m, &adamw, moment_hyper(c.lr, c.beta1, c.beta2, c.eps, decay), c.common);
}
