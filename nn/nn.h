/* nn/nn.h: what the files of nn/ share. */
#ifndef TG_NN_H
#define TG_NN_H

#include "engine/engine.h"
#include "tapegrad/model.h"

/* Why an initialiser cannot fill this shape, or NULL. */
const char *tg__init_refuse(const tg_init *init, const tg_shape *shape);
/* Fills a variable that tg__init_refuse let pass; stream is the variable's number in its model. */
void tg__init_fill(tg__var *v, const tg_init *init, uint64_t seed, uint64_t stream);

#endif
