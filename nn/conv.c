/* nn/conv.c: the convolution layer. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

tg_conv_layer tg_conv_new(tg_model *m, const char *name, int64_t in, int64_t out, tg_shape kernel, tg_conv_config config) {
    tg_conv_layer l = {.config = config, .axes = kernel.rank};
    int64_t groups = config.groups > 0 ? config.groups : 1;
    tg_shape shape = {kernel.rank + 2, {out, in / groups}};
    tg_init he = {.kind = TG_INIT_HE_NORMAL, .fan_in = in / groups};
    for (int i = 0; i < kernel.rank && i < 3; i++) {
        shape.dims[i + 2] = kernel.dims[i];
        he.fan_in *= kernel.dims[i];
    }
    if (m && (kernel.rank < 1 || kernel.rank > 3)) {
        tg__model_fail(m, TG_EARG, "tg_conv_new %s: a kernel of %d axes, not of 1 to 3", name ? name : "", kernel.rank);
        shape.rank = 3;
    }
    l.weight = tg__layer_param(m, name, "weight", shape, TG_F32, he);
    l.bias = tg__layer_param(m, name, "bias", TG_SHAPE(out), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    return l;
}

TG_API(tg_tensor, tg_conv_apply, (tg_conv_layer l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.weight);
    if (!tg__is_none(l.bias)) l.config.bias = l.bias;
    tg_tensor y = l.axes == 1   ? tg_conv1d_at(site, x, l.weight, l.config)
                  : l.axes == 2 ? tg_conv2d_at(site, x, l.weight, l.config)
                                : tg_conv3d_at(site, x, l.weight, l.config);
    return tg__layer_pop(t, y);
}
