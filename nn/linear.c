/* nn/linear.c: the linear layer. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

tg_linear tg_linear_new(tg_model *m, const char *name, int64_t in, int64_t out) {
    return tg_linear_new_of(m, name, in, out, TG_F32, true);
}

tg_linear tg_linear_new_of(tg_model *m, const char *name, int64_t in, int64_t out, tg_dtype dtype, bool with_bias) {
    tg_linear l = {{NULL, 0, 0}, {NULL, 0, 0}};
    l.weight = tg__layer_param(m, name, "weight", TG_SHAPE(in, out), dtype, (tg_init){.kind = TG_INIT_HE_NORMAL});
    if (with_bias) l.bias = tg__layer_param(m, name, "bias", TG_SHAPE(out), dtype, (tg_init){.kind = TG_INIT_ZEROS});
    return l;
}

TG_API(tg_tensor, tg_linear_apply, (tg_linear l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.weight);
    tg_tensor y = tg_matmul_at(site, x, l.weight);
    if (!tg__is_none(l.bias)) y = tg_add_at(site, y, l.bias);
    return tg__layer_pop(t, y);
}
