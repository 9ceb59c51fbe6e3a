/* nn/param.c: new models, parameters and buffers. What a model does afterwards is in engine/var.c. */
#include "nn/nn.h"

#define TG__NAME_BYTES 200

tg_model *tg_model_new(uint64_t seed) {
    tg_model *m = tg__model_create();
    if (m) *tg__model_seed(m) = seed;
    return m;
}

/* Ops refuse this handle. */
static tg_tensor refused(tg_model *m) {
    tg_tensor x = {(tg_owner *)m, UINT32_MAX, 0};
    return x;
}

static tg__var *add(tg_model *m, const char *kind, const char *name, const tg_shape *shape, tg_dtype dtype, bool trainable) {
    char why[160];
    if (!name || !*name) return tg__model_fail(m, TG_EARG, "%s: the name is empty", kind), NULL;
    if (strlen(name) > TG__NAME_BYTES)
        return tg__model_fail(m, TG_EARG, "%s: the name is longer than 200 bytes: %s", kind, name), NULL;
    if (tg__model_lookup(m, name)) return tg__model_fail(m, TG_EARG, "%s: the name is taken: %s", kind, name), NULL;
    if (!tg__shape_valid(shape, why, sizeof why)) return tg__model_fail(m, TG_ESHAPE, "%s %s: %s", kind, name, why), NULL;
    return tg__model_add(m, name, *shape, dtype, trainable);
}

tg_tensor tg_param(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype, tg_init init) {
    if (!m) return refused(m);
    if (!tg_dtype_is_float(dtype)) {
        tg__model_fail(m, TG_EARG, "tg_param %s: dtype must be f32 or f64, not %s", name ? name : "", tg_dtype_name(dtype));
        return refused(m);
    }
    const char *why = tg__init_refuse(&init, &shape);
    if (why) {
        tg__model_fail(m, TG_EARG, "tg_param %s: %s", name ? name : "", why);
        return refused(m);
    }
    uint64_t stream = (uint64_t)tg__model_count(m);
    tg__var *v = add(m, "tg_param", name, &shape, dtype, true);
    if (!v) return refused(m);
    tg__init_fill(v, &init, *tg__model_seed(m), stream);
    return tg__var_handle(v);
}

tg_tensor tg_buffer(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype) {
    if (!m) return refused(m);
    if (tg_dtype_size(dtype) == 0) {
        tg__model_fail(m, TG_EARG, "tg_buffer %s: there is no dtype %d", name ? name : "", (int)dtype);
        return refused(m);
    }
    tg__var *v = add(m, "tg_buffer", name, &shape, dtype, false);
    return v ? tg__var_handle(v) : refused(m);
}
