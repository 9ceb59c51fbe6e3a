/* nn/embedding.c: the table of vectors. */
#include "nn/nn.h"
#include "tapegrad/ops.h"

tg_embedding_layer tg_embedding_new(tg_model *m, const char *name, int64_t count, int64_t size) {
    tg_init normal = {.kind = TG_INIT_NORMAL, .a = 0, .b = 1};
    return (tg_embedding_layer){tg__layer_param(m, name, "weight", TG_SHAPE(count, size), TG_F32, normal)};
}

TG_API(tg_tensor, tg_embedding_apply, (tg_embedding_layer l, tg_tensor index), (l, index)) {
    tg_tape *t = tg__layer_push(index, l.weight);
    return tg__layer_pop(t, tg_gather_at(site, l.weight, 0, index));
}
