/* tapegrad/model.h: named parameters and buffers, initialisers, layers.
 *
 * Threads: any number of tapes, in any threads, may use one model: runs hold it shared, the commit of a step exclusively.
 * Adding parameters and freeing must not happen at the same time as anything else on the model. */
#ifndef TAPEGRAD_MODEL_H
#define TAPEGRAD_MODEL_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tg_model_new: an empty model; the seed feeds the initialisers, one stream of random numbers per parameter. NULL: no memory.
 * tg_model_free: NULL is allowed. Handles of its parameters become stale. Snapshots (tg_model_publish) live on. */
TG_EXPORT tg_model *tg_model_new(uint64_t seed);
TG_EXPORT void tg_model_free(tg_model *m);

/* The first error of building a model stays: a failed tg_param gives a handle that every op refuses. */
TG_EXPORT bool tg_model_ok(const tg_model *m);
TG_EXPORT tg_status tg_model_error(const tg_model *m);
TG_EXPORT const char *tg_model_message(const tg_model *m);
TG_EXPORT void tg_model_clear(tg_model *m);

/* How a parameter's first values are drawn. fan_in is dimension 0 of a matrix (x W: (in, out)), fan_out dimension 1; for other
 * ranks the products that the layer names. Sources: He et al. 2015, arXiv:1502.01852, eq. 10 and 14; Glorot and Bengio 2010,
 * eq. 16 (Xavier uniform). */
typedef enum tg_init_kind {
    TG_INIT_ZEROS,
    TG_INIT_CONSTANT,      /* a */
    TG_INIT_UNIFORM,       /* [a, b) */
    TG_INIT_NORMAL,        /* mean a, deviation b */
    TG_INIT_HE_NORMAL,     /* deviation sqrt(2 / fan_in) */
    TG_INIT_HE_UNIFORM,    /* +- sqrt(6 / fan_in) */
    TG_INIT_XAVIER_NORMAL, /* deviation sqrt(2 / (fan_in + fan_out)) */
    TG_INIT_XAVIER_UNIFORM /* +- sqrt(6 / (fan_in + fan_out)) */
} tg_init_kind;
typedef struct tg_init {
    tg_init_kind kind;
    double a, b;
    int64_t fan_in, fan_out; /* 0: from the shape */
} tg_init;

/* tg_param: a trainable tensor.   tg_buffer: one that optimizers leave alone (statistics); zeros at first.
 * Names are unique in the model, not empty, at most 200 bytes; "enc.0.weight" is the custom. dtype f32 or f64 for parameters.
 * The handle lives until the model is freed and may be given to ops beside tensors of any tape.
 * Errors (on the model): TG_EARG for a bad or taken name, dtype or initialiser; TG_ESHAPE; TG_ENOMEM. */
TG_EXPORT tg_tensor tg_param(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype, tg_init init);
TG_EXPORT tg_tensor tg_buffer(tg_model *m, const char *name, tg_shape shape, tg_dtype dtype);

/* Parameters and buffers in the order of their making. tg_model_find gives a handle with owner NULL if there is none. */
TG_EXPORT int tg_model_count(const tg_model *m);
TG_EXPORT tg_tensor tg_model_at(const tg_model *m, int i);
TG_EXPORT tg_tensor tg_model_find(const tg_model *m, const char *name);
TG_EXPORT const char *tg_param_name(tg_tensor p); /* "" for a bad handle; lives as long as the model */
TG_EXPORT bool tg_param_trainable(tg_tensor p);
TG_EXPORT uint64_t tg_param_version(tg_tensor p); /* raised by every write */
TG_EXPORT int64_t tg_model_size(const tg_model *m); /* elements of all trainable parameters */

/* tg_param_write: overwrites a parameter or buffer from outside of any tape; shape and dtype must be equal. Tapes that read it
 * before and run later get TG_ECHANGED. */
TG_EXPORT tg_status tg_param_write(tg_tensor p, tg_array values);

/* tg_model_publish: an immutable copy for serving, with the same names, taken between two steps; a copy that is still
 * current is shared and counted. Free it with tg_model_free. NULL: out of memory. tg_model_find gives its handles. */
TG_EXPORT tg_model *tg_model_publish(tg_model *m);

/* ------------------------------------------------------------------ layers */

/* A linear layer: y = x W + b.
 * Shapes: x (..., in), W (in, out), b (out) -> y (..., out). Parameters "<name>.weight" (He normal) and "<name>.bias" (zeros).
 * Its nodes are in the scope <name>. Errors: those of tg_param; of tg_matmul and tg_add, naming the caller's site. */
typedef struct tg_linear {
    tg_tensor weight, bias; /* bias.owner is NULL where there is none */
} tg_linear;
TG_EXPORT tg_linear tg_linear_new(tg_model *m, const char *name, int64_t in, int64_t out);
TG_EXPORT tg_linear tg_linear_new_of(tg_model *m, const char *name, int64_t in, int64_t out, tg_dtype dtype, bool with_bias);
TG_SITED(tg_tensor, tg_linear_apply, tg_linear l, tg_tensor x);
#define tg_linear_apply(...) tg_linear_apply_at(TG_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
