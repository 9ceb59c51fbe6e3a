/* Effects: assignments to variables, which happen together when a tape steps. */
#include <stdlib.h>

#include "engine.h"

static tg__effect *effect_of(tg_tape *t, const tg__var_slot *slot) {
    tg__effect *e = slot->effect && slot->effect <= t->n_effects ? &t->effects[slot->effect - 1] : NULL;
    return e && e->var == slot->var ? e : NULL;
}

TG_API(tg_status, tg_assign, (tg_tensor target, tg_tensor value), (target, value)) {
    tg_tape *t = tg_tape_of(value) ? tg_tape_of(value) : tg_tape_of(target);
    if (!t) return TG_EARG;
    if (t->base.error.status) return t->base.error.status;
    tg__var *v = tg__var_of(target);
    if (!v) return tg__fail(t, TG_EARG, "assign", site, t->scope, "the target is no parameter, buffer or state");
    uint32_t id = tg__resolve(t, value, "assign", site, 1);
    if (!id) return t->base.error.status;
    char a[200], b[200];
    if (t->nodes[id].dtype != v->dtype || !tg_shape_equal(&tg__node_shape(t, id)->shape, &v->shape))
        return tg__fail(t, t->nodes[id].dtype != v->dtype ? TG_EDTYPE : TG_ESHAPE, "assign", site, t->scope,
                        "%s is %s %s, the value %s", v->name, tg__shape_text(&v->shape, a, sizeof a), tg_dtype_name(v->dtype),
                        tg__node_text(t, id, b, sizeof b));
    tg__var_slot *slot = tg__var_slot_of(t, v, true);
    if (!slot || !tg__grow(&t->effects, &t->effects_cap, t->n_effects + 1, sizeof *t->effects))
        return tg__fail_nomem(t, "assign", site);
    tg__effect *e = effect_of(t, slot);
    if (e) {
        e->value = id;
        e->site = site;
    } else {
        uint32_t read = slot->id ? slot->id : TG__NONE;
        uint64_t version = slot->id ? t->nodes[read].u.num[0] : __atomic_load_n(&v->version, __ATOMIC_ACQUIRE);
        t->effects[t->n_effects++] = (tg__effect){v, read, id, site, version};
        slot->effect = t->n_effects;
    }
    slot->id = id;
    return TG_OK;
}

/* The newest value of the variable is again the one that was read before, or after a commit one to be read anew. */
static void end_effect(tg_tape *t, const tg__effect *e, bool committed) {
    tg__var_slot *slot = tg__var_slot_of(t, e->var, false);
    if (slot) slot->id = committed || e->target == TG__NONE ? 0 : e->target;
}

static void end_effects(tg_tape *t, bool committed) {
    for (uint32_t i = 0; i < t->n_effects; i++) end_effect(t, &t->effects[i], committed);
    t->n_effects = 0;
}

void tg__discard_effect(tg_tape *t, uint32_t i) {
    end_effect(t, &t->effects[i], false);
    t->n_effects--;
    for (; i < t->n_effects; i++) {
        t->effects[i] = t->effects[i + 1];
        tg__var_slot_of(t, t->effects[i].var, false)->effect = i + 1;
    }
}

void tg_discard_effects(tg_tape *t) {
    if (t) end_effects(t, false);
}

bool tg__pending_i64(tg_tape *t, const tg__var *v, int64_t *value) {
    tg__var_slot *slot = tg__var_slot_of(t, v, false);
    const tg__node *n = slot && slot->id && effect_of(t, slot) ? &t->nodes[slot->id] : NULL;
    if (!n || n->op != &tg__leaf_input || n->dtype != TG_I64) return false;
    memcpy(value, n->data, sizeof *value);
    return true;
}

void tg__step_roots(const tg_tape *t, uint32_t *roots) {
    for (uint32_t i = 0; i < t->n_effects; i++) roots[i] = t->effects[i].value;
    if (t->n_wants) memcpy(roots + t->n_effects, t->wants, t->n_wants * sizeof *roots);
}

/* ------------------------------------------------------------------ commit */

static int by_address(const void *a, const void *b) {
    tg_model *x = *(tg_model *const *)a, *y = *(tg_model *const *)b;
    return x < y ? -1 : x > y;
}

static bool add_model(tg__locks *l, tg_model *m) {
    for (int i = 0; i < l->n; i++)
        if (l->models[i] == m) return true;
    if (l->n == (int)(sizeof l->models / sizeof *l->models)) return false;
    l->models[l->n++] = m;
    return true;
}

static tg_status changed(tg_tape *t, uint32_t id, const tg__var *v) {
    return tg__fail(t, TG_ECHANGED, "parameter", t->nodes[id].site, t->nodes[id].scope,
                    "%s was written after this tape read it (another tape stepped, or a file was loaded)", v->name);
}

static tg_status check_versions(tg_tape *t, const uint32_t *leaves, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const tg__node *node = &t->nodes[leaves[i]];
        if (node->op != &tg__leaf_var) continue;
        const tg__var *v = node->attr;
        if (v->version != node->u.num[0]) return changed(t, leaves[i], v);
    }
    return TG_OK;
}

tg_status tg__lock_shared(tg_tape *t, tg__locks *l, const uint32_t *leaves, uint32_t n) {
    l->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const tg__node *node = &t->nodes[leaves[i]];
        if (node->op == &tg__leaf_var && !add_model(l, ((const tg__var *)node->attr)->model))
            return tg__fail(t, TG_EARG, "run", NULL, 0, "a run may use at most 16 models");
    }
    if (l->n > 1) qsort(l->models, (size_t)l->n, sizeof *l->models, by_address);
    for (int i = 0; i < l->n; i++) tg__model_lock_shared(l->models[i]);
    tg_status s = check_versions(t, leaves, n);
    if (s) tg__unlock(l);
    return s;
}

/* Between the two locks another tape may have stepped: that is found here, before anything was written. */
tg_status tg__lock_commit(tg_tape *t, tg__locks *l, const uint32_t *leaves, uint32_t n) {
    for (int i = 0; i < l->n; i++) tg__model_unlock(l->models[i]);
    for (uint32_t i = 0; i < t->n_effects; i++)
        if (!add_model(l, t->effects[i].var->model)) {
            l->n = 0;
            return tg__fail(t, TG_EARG, "step", NULL, 0, "a step may use at most 16 models");
        }
    if (l->n > 1) qsort(l->models, (size_t)l->n, sizeof *l->models, by_address);
    for (int i = 0; i < l->n; i++) tg__model_lock_exclusive(l->models[i]);
    tg_status s = check_versions(t, leaves, n);
    for (uint32_t i = 0; i < t->n_effects && !s; i++) {
        const tg__effect *e = &t->effects[i];
        if (e->var->version != e->version)
            s = tg__fail(t, TG_ECHANGED, "assign", e->site, 0,
                         "%s was written by another tape after this one recorded its assignment", e->var->name);
    }
    if (s) tg__unlock(l);
    return s;
}

void tg__unlock(tg__locks *l) {
    for (int i = 0; i < l->n; i++) tg__model_unlock(l->models[i]);
    l->n = 0;
}

void tg__commit(tg_tape *t) {
    for (uint32_t i = 0; i < t->n_effects; i++)
        __atomic_store_n(&t->effects[i].var->version, t->effects[i].var->version + 1, __ATOMIC_RELEASE);
    end_effects(t, true);
    for (uint32_t i = 0; i < t->n_wants; i++) t->nodes[t->wants[i]].flags &= (uint8_t)~TG__WANT;
    t->n_wants = 0;
}
