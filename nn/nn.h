/* nn/nn.h: what the files of nn/ share. */
#ifndef TG_NN_H
#define TG_NN_H

#include "engine/engine.h"
#include "tapegrad/model.h"

/* Why an initialiser cannot fill this shape, or NULL. */
const char *tg__init_refuse(const tg_init *init, const tg_shape *shape);
/* Fills a variable that tg__init_refuse let pass; stream is the variable's number in its model. */
void tg__init_fill(tg__var *v, const tg_init *init, uint64_t seed, uint64_t stream);

/* A parameter or buffer "<layer>.<name>". */
tg_tensor tg__layer_param(tg_model *m, const char *layer, const char *name, tg_shape shape, tg_dtype dtype, tg_init init);
tg_tensor tg__layer_buffer(tg_model *m, const char *layer, const char *name, tg_shape shape, tg_dtype dtype, tg_init init);
/* Opens the layer's scope, named as its parameter without what follows the last dot, on x's tape, which is returned; NULL if x
 * has none. tg__layer_pop closes it and returns y. */
tg_tape *tg__layer_push(tg_tensor x, tg_tensor parameter);
tg_tensor tg__layer_pop(tg_tape *t, tg_tensor y);

#endif
