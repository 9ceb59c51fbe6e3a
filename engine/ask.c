/* What the user asks of a tape: values, runs and steps. */
#include <math.h>

#include "engine.h"
#include "kernels/math.h"

/* The packed value of a live tensor on a tape; NULL and the tape's error if it cannot be had. */
static const void *value_of(tg_tape *t, uint32_t id, const char *op, const char *site) {
    tg__node *n = &t->nodes[id];
    if (n->op == &tg__leaf_dummy) {
        tg__fail(t, TG_EARG, op, site, t->scope, "this tensor stands for a tangent and has no value");
        return NULL;
    }
    if (n->op == &tg__leaf_var || (!n->data && n->op != &tg__leaf_number)) {
        tg_status s = t->eager ? tg__plain_run(t, &id, 1) : tg__execute(t, TG__ASK, &id, 1, site);
        if (s) return NULL;
    }
    return tg__leaf_data(t, id);
}

static double element(const void *data, tg_dtype d) {
    switch (d) {
    case TG_F32:
        return *(const float *)data;
    case TG_F64:
        return *(const double *)data;
    case TG_I32:
        return *(const int32_t *)data;
    case TG_I64:
        return (double)*(const int64_t *)data;
    case TG_BF16:
        return (double)tg__to_f32_bf16(*(const uint16_t *)data);
    case TG_F16:
        return (double)tg__to_f32_f16(*(const uint16_t *)data);
    default:
        return *(const uint8_t *)data;
    }
}

static double item_of_var(tg__var *v) {
    if (!v || v->numel != 1) return NAN;
    tg__model_lock_shared(v->model);
    double x = element(v->data, v->dtype);
    tg__model_unlock(v->model);
    return x;
}

TG_API(double, tg_item, (tg_tensor x), (x)) {
    tg_tape *t = tg_tape_of(x);
    if (!t) return item_of_var(tg__var_of(x));
    if (t->base.error.status) return NAN;
    uint32_t id = tg__resolve(t, x, "item", site, 0);
    if (!id) return NAN;
    char text[200];
    if (tg__node_shape(t, id)->numel != 1) {
        tg__fail(t, TG_ESHAPE, "item", site, t->scope, "needs one element, not %s", tg__node_text(t, id, text, sizeof text));
        return NAN;
    }
    const void *data = value_of(t, id, "item", site);
    return data ? element(data, t->nodes[id].dtype) : NAN;
}

/* A constant has one element of memory: its packed value is made when somebody asks. */
static const void *expand_constant(tg_tape *t, uint32_t id, const char *site) {
    size_t size = tg_dtype_size(t->nodes[id].dtype), n = (size_t)tg__node_shape(t, id)->numel;
    char *data = tg__value_memory(t, id, n * size);
    if (!data) {
        tg__fail_nomem(t, "data", site);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) memcpy(data + i * size, t->nodes[id].u.num, size);
    return t->nodes[id].data = data;
}

TG_API(const void *, tg_data, (tg_tensor x), (x)) {
    tg_tape *t = tg_tape_of(x);
    if (!t) {
        const tg__var *v = tg__var_of(x);
        return v ? v->data : NULL;
    }
    uint32_t id = t->base.error.status ? 0 : tg__resolve(t, x, "data", site, 0);
    if (!id) return NULL;
    if (t->nodes[id].op == &tg__leaf_const && !t->nodes[id].data) return expand_constant(t, id, site);
    return value_of(t, id, "data", site);
}

static tg_status read_var(tg__var *v, void *dst, size_t bytes) {
    if (!v) return TG_ESTALE;
    if (!dst || bytes != (size_t)v->numel * tg_dtype_size(v->dtype)) return TG_EARG;
    tg__model_lock_shared(v->model);
    if (bytes) memcpy(dst, v->data, bytes);
    tg__model_unlock(v->model);
    return TG_OK;
}

TG_API(tg_status, tg_read, (tg_tensor x, void *dst, size_t bytes), (x, dst, bytes)) {
    tg_tape *t = tg_tape_of(x);
    if (!t) return read_var(tg__var_of(x), dst, bytes);
    if (t->base.error.status) return t->base.error.status;
    uint32_t id = tg__resolve(t, x, "read", site, 0);
    if (!id) return t->base.error.status;
    char text[200];
    size_t have = (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x));
    if (!dst || bytes != have)
        return tg__fail(t, TG_EARG, "read", site, t->scope, "the destination %s: %s takes %zu bytes, not %zu",
                        dst ? "has another size" : "is NULL", tg__node_text(t, id, text, sizeof text), have, bytes);
    const void *data = tg_data_at(site, x);
    if (data && bytes) memcpy(dst, data, bytes);
    return t->base.error.status;
}

TG_API(tg_status, tg_run, (tg_tape *t, const tg_tensor *outs, int n), (t, outs, n)) {
    if (!t) return TG_EARG;
    if (t->base.error.status) return t->base.error.status;
    if (n < 0 || (n && !outs)) return tg__fail(t, TG_EARG, "run", site, t->scope, "the list of outputs is missing");
    uint32_t few[16], *ids = few;
    if (n > 16 && !(ids = tg__alloc((size_t)n * sizeof *ids))) return tg__fail_nomem(t, "run", site);
    bool ok = true;
    for (int i = 0; i < n && ok; i++) ok = (ids[i] = tg__resolve(t, outs[i], "run", site, i)) != 0;
    if (ok && n) {
        if (t->eager)
            tg__plain_run(t, ids, (uint32_t)n);
        else
            tg__execute(t, TG__RUN, ids, (uint32_t)n, site);
    }
    if (ids != few) tg__free(ids);
    return t->base.error.status;
}

TG_API(tg_status, tg_step, (tg_tape *t), (t)) {
    if (!t) return TG_EARG;
    if (t->base.error.status) return t->base.error.status;
    if (!t->n_effects && !t->n_wants) return TG_OK;
    return t->eager ? tg__plain_step(t) : tg__execute(t, TG__STEP, NULL, 0, site);
}
