/* optim/optim.h: what the files of optim/ share. An update rule is a tg__rule; update.c records it for every parameter. */
#ifndef TG_OPTIM_SHARED_H
#define TG_OPTIM_SHARED_H

#include "engine/engine.h"
#include "tapegrad/model.h"
#include "tapegrad/optim.h"
#include "tapegrad/ops.h"

#define TG__RULE_SLOTS 2
#define TG__RULE_NUMBERS 8

typedef struct tg__hyper {
    double lr, momentum, beta1, beta2, eps, weight_decay;
    bool nesterov;
} tg__hyper;

/* One update being recorded. The rule's numbers are computed on the host in f64 and become leaves where they are first used,
 * one per dtype: they are data, so a new value makes no new plan. */
typedef struct tg__update {
    tg_tape *t;
    const char *site;
    tg_optim *o;
    double value[TG__RULE_NUMBERS];
    tg_tensor number[2][TG__RULE_NUMBERS];
    tg_tensor clip; /* factor for gradients, f64; owner NULL: none */
} tg__update;

tg_tensor tg__update_number(tg__update *u, int which, tg_dtype dtype);

typedef struct tg__rule {
    int n_slots;                      /* state tensors per parameter, of its shape and dtype */
    const char *slot[TG__RULE_SLOTS]; /* their names are "<slot>/<parameter>" */
    void (*numbers)(const tg__hyper *h, int64_t step, double lr, double *value);
    /* Records the new values of the parameter (returned) and of its slots (written to next). */
    tg_tensor (*record)(tg__update *u, tg_tensor w, tg_tensor g, const tg_tensor *slot, tg_tensor *next);
} tg__rule;

typedef struct tg__write {
    tg_tensor target, value;
} tg__write;

struct tg_optim {
    tg_model *model, *state;
    const tg__rule *rule;
    tg__hyper hyper;
    tg_optim_common common;
    tg__var *step;
    tg_tensor *slots; /* rule->n_slots handles for each variable of the model, in its order */
    uint32_t slots_cap;
    int n_slotted; /* variables of the model that have their slots */
    /* scratch of an update, kept */
    tg_tensor *params, *versions, *grads;
    tg__write *writes;
    uint32_t params_cap, versions_cap, grads_cap, writes_cap;
};

tg_optim *tg__optim_new(tg_model *m, const tg__rule *rule, tg__hyper h, tg_optim_common c);
/* Slots for every trainable variable that the model has now. False: out of memory; what was there stays. */
bool tg__optim_reserve(tg_optim *o);

static inline double tg__or_default(double x, double fallback) { return x == 0 ? fallback : x; }

#endif
