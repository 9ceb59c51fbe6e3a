/* nn/layer.c: what layers share: the names of their parameters, and the scope of their nodes. */
#include "nn/nn.h"

#define TG__LAYER_BYTES 256

tg_tensor tg__layer_param(tg_model *m, const char *layer, const char *name, tg_shape shape, tg_dtype dtype, tg_init init) {
    char full[TG__LAYER_BYTES]; /* longer than any allowed name: what is cut off here is refused there */
    snprintf(full, sizeof full, "%s.%s", layer ? layer : "", name);
    return tg_param(m, full, shape, dtype, init);
}

tg_tensor tg__layer_buffer(tg_model *m, const char *layer, const char *name, tg_shape shape, tg_dtype dtype, tg_init init) {
    char full[TG__LAYER_BYTES];
    snprintf(full, sizeof full, "%s.%s", layer ? layer : "", name);
    tg_tensor buffer = tg_buffer(m, full, shape, dtype);
    if (m && tg_model_ok(m)) tg__init_fill(tg__model_lookup(m, full), &init, 0, 0);
    return buffer;
}

tg_tape *tg__layer_push(tg_tensor x, tg_tensor parameter) {
    char name[TG__LAYER_BYTES];
    const char *full = tg_param_name(parameter), *dot = strrchr(full, '.');
    size_t n = dot ? (size_t)(dot - full) : strlen(full);
    tg_tape *t = tg_tape_of(x);
    if (!t) return NULL;
    if (n >= sizeof name) n = sizeof name - 1;
    memcpy(name, full, n);
    name[n] = 0;
    tg_push_scope(t, name);
    return t;
}

tg_tensor tg__layer_pop(tg_tape *t, tg_tensor y) {
    if (t) tg_pop_scope(t);
    return y;
}
