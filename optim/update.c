/* optim/update.c: recording an update. First every new value, then every assignment: an update that fails leaves no half. */
#include <math.h>

#include "optim/optim.h"

tg_tensor tg__update_number(tg__update *u, int which, tg_dtype dtype) {
    tg_tensor *n = &u->number[dtype == TG_F64][which];
    if (tg__is_none(*n)) *n = tg_scalar_at(u->site, u->t, u->value[which], dtype);
    return *n;
}

/* ------------------------------------------------------------------ clipping by global norm */

static tg_tensor square_sum(const char *site, tg_tensor g) {
    if (tg_dtype_of(g) != TG_F64) g = tg_cast_at(site, g, TG_F64);
    return tg_sum_at(site, tg_square_at(site, g), TG_ALL_AXES, false);
}

/* clip_norm / max(norm, clip_norm): exactly 1 where nothing is to be clipped. */
static tg_tensor clip_factor(const char *site, double clip_norm, const tg_tensor *grads, int n) {
    tg_tensor total = square_sum(site, grads[0]);
    for (int i = 1; i < n; i++) total = tg_add_at(site, total, square_sum(site, grads[i]));
    tg_tensor limit = tg_scalar_at(site, tg_tape_of(total), clip_norm, TG_F64);
    return tg_div_at(site, limit, tg_maximum_at(site, tg_sqrt_at(site, total), limit));
}

static tg_tensor clipped(tg__update *u, tg_tensor g) {
    if (tg__is_none(u->clip)) return g;
    tg_dtype d = tg_dtype_of(g);
    return tg_mul_at(u->site, g, d == TG_F64 ? u->clip : tg_cast_at(u->site, u->clip, d));
}

/* ------------------------------------------------------------------ one parameter */

static int record_param(tg__update *u, tg_tensor param, tg_tensor g, tg__write *writes) {
    const tg__rule *rule = u->o->rule;
    const tg_tensor *state = u->o->slots + (size_t)param.id * (size_t)rule->n_slots;
    tg_tensor slot[TG__RULE_SLOTS], next[TG__RULE_SLOTS];
    tg_tensor w = tg_on_at(u->site, u->t, param);
    for (int k = 0; k < rule->n_slots; k++) slot[k] = tg_on_at(u->site, u->t, state[k]);
    writes[0] = (tg__write){param, rule->record(u, w, clipped(u, g), slot, next)};
    for (int k = 0; k < rule->n_slots; k++) writes[1 + k] = (tg__write){state[k], next[k]};
    return 1 + rule->n_slots;
}

/* ------------------------------------------------------------------ one update */

static tg_status fail(tg_tape *t, tg_status s, const char *site, const char *text) {
    return tg__fail(t, s, "update", site, t->scope, "%s", text);
}

/* Afterwards the assignments cannot fail. */
static bool reserve_effects(tg_tape *t, const tg__write *writes, int n) {
    for (int i = 0; i < n; i++)
        if (!tg__var_slot_of(t, tg__var_of(writes[i].target), true)) return false;
    return tg__grow(&t->effects, &t->effects_cap, (uint64_t)t->n_effects + (uint64_t)n, sizeof *t->effects);
}

static tg_status start(tg__update *u) {
    tg_optim *o = u->o;
    int64_t step;
    if (!tg__pending_i64(u->t, o->step, &step)) step = tg__var_i64(o->step);
    step++;
    double lr = o->common.schedule ? o->common.schedule(step, o->hyper.lr, o->common.schedule_user) : o->hyper.lr;
    if (!isfinite(lr) || lr < 0)
        return tg__fail(u->t, TG_EARG, "update", u->site, u->t->scope, "the learning rate of step %lld is %g", (long long)step,
                        lr);
    o->rule->numbers(&o->hyper, step, lr, u->value);
    o->writes[0] = (tg__write){tg_model_at(o->state, 0), tg_input_at(u->site, u->t, tg_i64(&step, TG_SCALAR))};
    return tg_error(u->t);
}

static tg_status record_all(tg__update *u, const tg_tensor *params, const tg_tensor *grads, int n) {
    tg_optim *o = u->o;
    if (start(u)) return tg_error(u->t);
    if (o->common.clip_norm > 0) u->clip = clip_factor(u->site, o->common.clip_norm, grads, n);
    int n_writes = 1;
    for (int i = 0; i < n; i++) n_writes += record_param(u, params[i], grads[i], o->writes + n_writes);
    if (tg_error(u->t)) return tg_error(u->t);
    if (!reserve_effects(u->t, o->writes, n_writes)) return tg__fail_nomem(u->t, "update", u->site);
    for (int i = 0; i < n_writes; i++) tg_assign_at(u->site, o->writes[i].target, o->writes[i].value);
    return tg_error(u->t);
}

static bool reserve(tg_optim *o, int n) {
    uint64_t writes = 1 + (uint64_t)n * (uint64_t)(1 + o->rule->n_slots);
    return tg__optim_reserve(o) && tg__grow(&o->writes, &o->writes_cap, writes, sizeof *o->writes);
}

static tg_status record_update(const char *site, tg_tape *t, tg_optim *o, const tg_tensor *params, const tg_tensor *grads,
                               int n) {
    if (!reserve(o, n)) return tg__fail_nomem(t, "update", site);
    tg__update u = {.t = t, .site = site, .o = o};
    uint8_t flags = t->flags_override;
    t->flags_override |= TG__GRADIENT; /* pictures draw updates with the gradients */
    tg_status s = record_all(&u, params, grads, n);
    t->flags_override = flags;
    return s;
}

/* ------------------------------------------------------------------ from gradients of the user's */

static tg_status check_pair(tg_tape *t, const tg_optim *o, tg_tensor param, tg_tensor g, const char *site) {
    char a[200], b[200];
    const tg__var *v = tg__var_of(param);
    if (!v || v->model != o->model || !v->trainable)
        return fail(t, TG_EARG, site, "a tensor given is no trainable parameter of the optimizer's model");
    uint32_t id = tg__resolve(t, g, "update", site, 1);
    if (!id) return tg_error(t);
    bool same_dtype = t->nodes[id].dtype == v->dtype;
    if (same_dtype && tg_shape_equal(&tg__node_shape(t, id)->shape, &v->shape)) return TG_OK;
    return tg__fail(t, same_dtype ? TG_ESHAPE : TG_EDTYPE, "update", site, t->scope, "the gradient of %s %s %s is %s", v->name,
                    tg__shape_text(&v->shape, a, sizeof a), tg_dtype_name(v->dtype), tg__node_text(t, id, b, sizeof b));
}

static bool given_twice(const tg_tensor *params, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (params[i].id == params[j].id) return true;
    return false;
}

TG_API(tg_status, tg_update_grads, (tg_optim *o, const tg_tensor *params, const tg_tensor *grads, int n),
       (o, params, grads, n)) {
    tg_tape *t = grads ? tg__tape_from(NULL, grads, n) : NULL;
    if (!t) return TG_EARG;
    if (tg_error(t)) return tg_error(t);
    if (!o) return fail(t, TG_EARG, site, "the optimizer is NULL: it could not be made");
    if (!params) return fail(t, TG_EARG, site, "the parameters are NULL");
    for (int i = 0; i < n; i++)
        if (check_pair(t, o, params[i], grads[i], site)) return tg_error(t);
    if (given_twice(params, n)) return fail(t, TG_EARG, site, "a parameter was given twice");
    return record_update(site, t, o, params, grads, n);
}

/* ------------------------------------------------------------------ from a loss */

/* The version of a parameter that is meant: where the loss reads it after a pending update, the newest. */
static tg_tensor version_read(tg_tape *t, tg_tensor loss, tg_tensor param, uint32_t newest) {
    tg_tensor x = tg__handle(t, newest);
    return t->nodes[newest].op == &tg__leaf_var || tg_depends(loss, x) ? x : param;
}

/* The trainable parameters that this tape has read: no other can have a path to the loss. */
static int read_params(tg_tape *t, tg_optim *o, tg_tensor loss) {
    int n = 0;
    for (int i = 0; i < tg__model_count(o->model); i++) {
        const tg__var *v = tg__model_var(o->model, i);
        const tg__var_slot *slot = v->trainable ? tg__var_slot_of(t, v, false) : NULL;
        if (!slot || !slot->id) continue;
        o->params[n] = tg_model_at(o->model, i);
        o->versions[n] = version_read(t, loss, o->params[n], slot->id);
        n++;
    }
    return n;
}

static int drop_without_path(tg_optim *o, int n) {
    int left = 0;
    for (int i = 0; i < n; i++) {
        if (tg__is_none(o->grads[i])) continue;
        o->params[left] = o->params[i];
        o->grads[left++] = o->grads[i];
    }
    return left;
}

static bool reserve_params(tg_optim *o) {
    uint64_t n = (uint64_t)tg__model_count(o->model);
    return tg__grow(&o->params, &o->params_cap, n, sizeof *o->params) &&
           tg__grow(&o->versions, &o->versions_cap, n, sizeof *o->versions) &&
           tg__grow(&o->grads, &o->grads_cap, n, sizeof *o->grads);
}

TG_API(tg_status, tg_update, (tg_optim *o, tg_tensor loss), (o, loss)) {
    tg_tape *t = tg__tape_from(NULL, &loss, 1);
    if (!t) return TG_EARG;
    if (tg_error(t)) return tg_error(t);
    if (!o) return fail(t, TG_EARG, site, "the optimizer is NULL: it could not be made");
    if (!tg__resolve(t, loss, "update", site, 0)) return tg_error(t);
    if (!reserve_params(o)) return tg__fail_nomem(t, "update", site);
    int n = read_params(t, o, loss);
    if (tg__grad_where(site, loss, o->versions, n, o->grads)) return tg_error(t);
    n = drop_without_path(o, n);
    if (n == 0) return fail(t, TG_EARG, site, "no trainable parameter of the optimizer's model has a path to the loss");
    if (record_update(site, t, o, o->params, o->grads, n)) return tg_error(t);
    tg_want_at(site, loss); /* so that its value can be asked for after the step */
    return tg_error(t);
}

TG_API(tg_status, tg_minimize, (tg_optim *o, tg_tensor loss), (o, loss)) {
    tg_status s = tg_update_at(site, o, loss);
    return s ? s : tg_step_at(site, tg_tape_of(loss));
}
