/* engine/var.h: variables: the memory that outlives recordings. A model is a named set of them (parameters and buffers); the
 * states of a tape and of an optimizer are private models. Only loads and the commit of a step write them. */
#ifndef TG_VAR_H
#define TG_VAR_H

#include <pthread.h>

#include "tapegrad/core.h"

typedef struct tg__var {
    char *name;
    tg_dtype dtype;
    tg_shape shape;
    int64_t numel;
    void *data;
    uint64_t version; /* raised by every commit and load that writes it */
    tg_model *model;
    uint32_t uid;     /* never used twice in a process */
    bool trainable;
} tg__var;

tg_model *tg__model_create(void);
void tg__model_destroy(tg_model *m);

/* A new variable, zeros. On failure NULL, and the model's error says why. */
tg__var *tg__model_add(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype, bool trainable);
int tg__model_count(const tg_model *m);
tg__var *tg__model_var(const tg_model *m, int i);
tg__var *tg__model_lookup(const tg_model *m, const char *name);
tg_tensor tg__var_handle(const tg__var *v);
tg__var *tg__var_of(tg_tensor x); /* NULL if x is no live parameter */

uint64_t *tg__model_seed(tg_model *m);
tg_status tg__model_fail(tg_model *m, tg_status status, const char *format, ...) TG_PRINTF(3, 4);

void tg__model_lock_shared(tg_model *m);
void tg__model_lock_exclusive(tg_model *m);
void tg__model_unlock(tg_model *m);

#endif
