/* nn/linear.c: the linear layer. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

#define TG__LAYER_BYTES 256

tg_linear tg_linear_new(tg_model *m, const char *name, int64_t in, int64_t out) {
    return tg_linear_new_of(m, name, in, out, TG_F32, true);
}

tg_linear tg_linear_new_of(tg_model *m, const char *name, int64_t in, int64_t out, tg_dtype dtype, bool with_bias) {
    char full[TG__LAYER_BYTES]; /* longer than any allowed name: what is cut off here is refused there */
    tg_init he = {.kind = TG_INIT_HE_NORMAL}, zeros = {.kind = TG_INIT_ZEROS};
    tg_linear l = {{NULL, 0, 0}, {NULL, 0, 0}};
    snprintf(full, sizeof full, "%s.weight", name ? name : "");
    l.weight = tg_param(m, full, TG_SHAPE(in, out), dtype, he);
    if (!with_bias) return l;
    snprintf(full, sizeof full, "%s.bias", name ? name : "");
    l.bias = tg_param(m, full, TG_SHAPE(out), dtype, zeros);
    return l;
}

/* The layer's name is that of its weight without ".weight". */
static void push_layer_scope(tg_tape *t, tg_tensor weight) {
    char name[TG__LAYER_BYTES];
    const char *full = tg_param_name(weight), *dot = strrchr(full, '.');
    size_t n = dot ? (size_t)(dot - full) : strlen(full);
    if (n >= sizeof name) n = sizeof name - 1;
    memcpy(name, full, n);
    name[n] = 0;
    tg_push_scope(t, name);
}

TG_API(tg_tensor, tg_linear_apply, (tg_linear l, tg_tensor x), (l, x)) {
    tg_tape *t = tg_tape_of(x);
    if (t) push_layer_scope(t, l.weight);
    tg_tensor y = tg_matmul_at(site, x, l.weight);
    if (!tg__is_none(l.bias)) y = tg_add_at(site, y, l.bias);
    if (t) tg_pop_scope(t);
    return y;
}
