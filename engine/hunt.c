/* Where was a NaN born: the nodes that the roots of a step need, in the order of recording, each with its value; the first
 * that is not finite though its inputs are is named. */
#include <math.h>

#include "kernels/math.h"
#include "planner.h"

/* The value of a node, if it is known. */
static const void *known(const tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    return n->data ? n->data : n->op == &tg__leaf_number || n->op == &tg__leaf_const ? n->u.num : NULL;
}

static bool is_one_element(const tg_tape *t, uint32_t id) { return t->nodes[id].op == &tg__leaf_const && !t->nodes[id].data; }

static double element(const void *data, tg_dtype d, int64_t i) {
    switch (d) {
    case TG_F32: return (double)((const float *)data)[i];
    case TG_F64: return ((const double *)data)[i];
    case TG_BF16: return (double)tg__to_f32_bf16(((const uint16_t *)data)[i]);
    case TG_F16: return (double)tg__to_f32_f16(((const uint16_t *)data)[i]);
    default: return 0;
    }
}

int64_t tg__first_not_finite(const void *data, tg_dtype d, int64_t n) {
    if (d == TG_F32)
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(((const float *)data)[i])) return i;
    if (d == TG_F64)
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(((const double *)data)[i])) return i;
    if (tg__is_half(d))
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(element(data, d, i))) return i;
    return -1;
}

/* The first element that is not finite; -1: there is none, or the value is not known. */
static int64_t first_bad(const tg_tape *t, uint32_t id) {
    const void *data = known(t, id);
    int64_t n = !data ? 0 : is_one_element(t, id) ? 1 : tg__node_shape(t, id)->numel;
    return tg__first_not_finite(data, t->nodes[id].dtype, n);
}

bool tg__is_finite(const tg_tape *t, uint32_t id) { return first_bad(t, id) < 0; }

/* The elements of the inputs that it was computed from, where they lie at the same place. */
static void inputs_at(const tg_tape *t, uint32_t id, int64_t at, char *text, size_t size) {
    uint32_t count;
    const uint32_t *in = tg__inputs(t, &t->nodes[id], &count);
    for (uint32_t i = 0; i < count && i < 3; i++) {
        const void *data = known(t, in[i]);
        tg_dtype d = t->nodes[in[i]].dtype;
        if (!data || !tg__is_float(d) || tg__node_shape(t, in[i])->numel != tg__node_shape(t, id)->numel) continue;
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%g", used ? ", " : " from ", element(data, d, is_one_element(t, in[i]) ? 0 : at));
    }
}

/* Asked values stand without what they were made of: computes those inputs. False: all are known, or cannot be known again,
 * since a parameter has changed. */
static bool inputs_found(tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    uint32_t count = 0;
    const uint32_t *in = n->flags & TG__IS_LEAF || n->op->source_fn ? NULL : tg__inputs(t, n, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (known(t, in[i])) continue;
        if (!tg__plain_run(t, in, count)) return known(t, in[i]) != NULL;
        tg_clear(t);
        return false;
    }
    return false;
}

static tg_status report_birth(tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    int64_t at = first_bad(t, id);
    if (at < 0) return TG_OK;
    double value = element(known(t, id), n->dtype, at);
    if (n->flags & TG__IS_LEAF)
        return tg__fail_node(t, TG_ENONFINITE, id, "the given value %g is not finite, at element %lld", value, (long long)at);
    uint32_t count = 0;
    const uint32_t *in = n->op->source_fn ? NULL : tg__inputs(t, n, &count);
    for (uint32_t i = 0; i < count; i++)
        if (first_bad(t, in[i]) >= 0) return TG_OK; /* passed through: reported where it was born */
    char inputs[200] = "";
    if (count) inputs_at(t, id, at, inputs, sizeof inputs);
    return tg__fail_node(t, TG_ENONFINITE, id, "%g was born here, at element %lld%s", value, (long long)at, inputs);
}

tg_status tg__hunt(tg_tape *t, const uint32_t *roots, uint32_t n_roots) {
    tg__live live = {0};
    tg_status s = t->eager ? TG_OK : tg__plain_run(t, roots, n_roots); /* a plan has not kept the values */
    if (!s && !tg__live_ancestors(t, &live, roots, n_roots)) s = tg__fail_nomem(t, "step", NULL);
    for (uint32_t i = 0; i < live.n && !s; i++) {
        bool bad = first_bad(t, live.ids[i]) >= 0;
        if (bad && inputs_found(t, live.ids[i]))
            i = UINT32_MAX; /* among what came to light there may be earlier ones */
        else if (bad)
            s = report_birth(t, live.ids[i]);
    }
    tg__live_free(&live);
    return s ? s : tg__fail(t, TG_ENONFINITE, "step", NULL, 0, "a new value is not finite");
}
