/* optim/sgd.c: stochastic gradient descent. */
#include "optim/optim.h"

enum { RATE, MOMENTUM, DECAY };

static void sgd_numbers(const tg__hyper *h, int64_t step, double lr, double *value) {
    (void)step;
    value[RATE] = lr;
    value[MOMENTUM] = h->momentum;
    value[DECAY] = h->weight_decay;
}

static tg_tensor times(tg__update *u, tg_tensor x, int which) {
    return tg_mul_at(u->site, x, tg__update_number(u, which, tg_dtype_of(x)));
}

static tg_tensor with_decay(tg__update *u, tg_tensor w, tg_tensor g) {
    return u->value[DECAY] == 0 ? g : tg_add_at(u->site, g, times(u, w, DECAY));
}

static tg_tensor sgd_record(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next) {
    (void)slot, (void)next;
    return tg_sub_at(u->site, w, times(u, with_decay(u, w, g), RATE));
}

static tg_tensor momentum_record(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next) {
    g = with_decay(u, w, g);
    next[0] = tg_add_at(u->site, times(u, slot[0], MOMENTUM), g);
    tg_tensor direction = u->o->hyper.nesterov ? tg_add_at(u->site, g, times(u, next[0], MOMENTUM)) : next[0];
    return tg_sub_at(u->site, w, times(u, direction, RATE));
}

static const tg__rule sgd = {.numbers = sgd_numbers, .record = sgd_record};
static const tg__rule sgd_momentum = {.n_slots = 1, .slot = {"momentum"}, .numbers = sgd_numbers, .record = momentum_record};

tg_optim *tg_sgd(tg_model *m, tg_sgd_config c) {
    tg__hyper h = {
        .lr = tg__or_default(c.lr, 0.01), .momentum = c.momentum, .weight_decay = c.weight_decay, .nesterov = c.nesterov};
    return tg__optim_new(m, c.momentum == 0 ? &sgd : &sgd_momentum, h, c.common);
}
