/* optim/optim.c: an optimizer and its state. */
#include <math.h>

#include "optim/optim.h"

static bool is_rate(double x) { return isfinite(x) && x >= 0; }
static bool is_beta(double x) { return x >= 0 && x < 1; }

static bool hyper_valid(const tg__hyper *h, const tg_optim_common *c) {
    return is_rate(h->lr) && is_rate(h->momentum) && is_rate(h->eps) && is_rate(h->weight_decay) && is_rate(c->clip_norm) &&
           is_beta(h->beta1) && is_beta(h->beta2);
}

tg_optim *tg__optim_new(tg_model *m, const tg__rule *rule, tg__hyper h, tg_optim_common c) {
    if (!m || !hyper_valid(&h, &c)) return NULL;
    tg_optim *o = tg__calloc(1, sizeof *o);
    if (!o) return NULL;
    o->model = m;
    o->rule = rule;
    o->hyper = h;
    o->common = c;
    o->state = tg__model_create();
    o->step = o->state ? tg__model_add(o->state, "step", TG_SCALAR, TG_I64, false) : NULL;
    if (o->step && tg__optim_reserve(o)) return o;
    tg_optim_free(o);
    return NULL;
}

void tg_optim_free(tg_optim *o) {
    if (!o) return;
    tg__model_destroy(o->state);
    tg__free(o->slots);
    tg__free(o->params);
    tg__free(o->versions);
    tg__free(o->grads);
    tg__free(o->writes);
    tg__free(o);
}

static tg__var *slot_var(tg_model *state, const char *slot, const tg__var *p) {
    size_t size = strlen(slot) + strlen(p->name) + 2;
    char *name = tg__alloc(size);
    if (!name) return NULL;
    snprintf(name, size, "%s/%s", slot, p->name);
    tg__var *v = tg__model_lookup(state, name); /* one is there if the last try ran out of memory half-way */
    if (!v) v = tg__model_add(state, name, p->shape, p->dtype, false);
    tg__free(name);
    return v;
}

static bool add_slots(tg_optim *o, const tg__var *p, tg_tensor *slot) {
    for (int k = 0; k < o->rule->n_slots; k++) {
        tg__var *v = p->trainable ? slot_var(o->state, o->rule->slot[k], p) : NULL;
        if (p->trainable && !v) return false;
        slot[k] = tg__var_handle(v);
    }
    return true;
}

bool tg__optim_reserve(tg_optim *o) {
    int n = tg__model_count(o->model), width = o->rule->n_slots;
    if (o->n_slotted == n) return true;
    if (!tg__grow(&o->slots, &o->slots_cap, (uint64_t)n * (uint64_t)width, sizeof *o->slots)) return false;
    for (; o->n_slotted < n; o->n_slotted++) {
        if (add_slots(o, tg__model_var(o->model, o->n_slotted), o->slots + o->n_slotted * width)) continue;
        tg_model_clear(o->state); /* the update reports it, on its tape */
        return false;
    }
    return true;
}

void tg_optim_set_lr(tg_optim *o, double lr) {
    if (o) o->hyper.lr = lr;
}
double tg_optim_lr(const tg_optim *o) { return o ? o->hyper.lr : NAN; }
int64_t tg_optim_steps(const tg_optim *o) { return o ? tg__var_i64(o->step) : 0; }
tg_model *tg_optim_state(tg_optim *o) { return o ? o->state : NULL; }
