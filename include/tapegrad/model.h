/* tapegrad/model.h: named parameters and buffers, initialisers, layers.
 *
 * Threads: any number of tapes, in any threads, may use one model: runs hold it shared, the commit of a step exclusively.
 * Adding parameters and freeing must not happen at the same time as anything else on the model. */
#ifndef TAPEGRAD_MODEL_H
#define TAPEGRAD_MODEL_H

#include "core.h"
#include "options.h"

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

/* All layers below: parameters are f32, named "<name>.weight" and "<name>.bias"; nodes are in the scope <name>; errors are
 * those of tg_param and of the op, naming the caller's site. A layer is a plain struct: its options may be changed.
 *
 * A convolution with 1 to 3 spatial axes, as many as `kernel` has: tg_conv1d, 2d, 3d and a bias. x (N, in, L...), weight
 * (out, in / groups, kernel...) (He normal), bias (out) (zeros; owner NULL: none). TG_EARG for a kernel of other axes. */
typedef struct tg_conv_layer {
    tg_tensor weight, bias;
    tg_conv_config config;
    int axes;
} tg_conv_layer;
TG_EXPORT tg_conv_layer tg_conv_new(tg_model *m, const char *name, int64_t in, int64_t out, tg_shape kernel,
                                    tg_conv_config config);
TG_SITED(tg_tensor, tg_conv_apply, tg_conv_layer l, tg_tensor x);
#define tg_conv_apply(...) tg_conv_apply_at(TG_HERE, __VA_ARGS__)

/* Layer and RMS normalisation of the last axis: tg_layer_norm and tg_rms_norm; weight (size) ones, bias (size) zeros, none for
 * RMS. epsilon is 1e-5. */
typedef struct tg_norm_layer {
    tg_tensor weight, bias;
    double epsilon;
} tg_norm_layer;
TG_EXPORT tg_norm_layer tg_layer_norm_new(tg_model *m, const char *name, int64_t size);
TG_SITED(tg_tensor, tg_layer_norm_apply, tg_norm_layer l, tg_tensor x);
#define tg_layer_norm_apply(...) tg_layer_norm_apply_at(TG_HERE, __VA_ARGS__)
TG_EXPORT tg_norm_layer tg_rms_norm_new(tg_model *m, const char *name, int64_t size);
TG_SITED(tg_tensor, tg_rms_norm_apply, tg_norm_layer l, tg_tensor x);
#define tg_rms_norm_apply(...) tg_rms_norm_apply_at(TG_HERE, __VA_ARGS__)

/* Batch normalisation: tg_batch_norm. In training a step also moves the buffers "<name>.running_mean" and "<name>.running_var"
 * (of a sample: divided by its size less 1) by momentum, 0.1, towards those of the batch; else x is normalised with them. Two
 * training applications in one step: the second one's move builds on the first. */
typedef struct tg_batch_norm_layer {
    tg_tensor weight, bias, mean, variance;
    double epsilon, momentum;
} tg_batch_norm_layer;
TG_EXPORT tg_batch_norm_layer tg_batch_norm_new(tg_model *m, const char *name, int64_t channels);
TG_SITED(tg_tensor, tg_batch_norm_apply, tg_batch_norm_layer l, tg_tensor x, bool training);
#define tg_batch_norm_apply(...) tg_batch_norm_apply_at(TG_HERE, __VA_ARGS__)

/* A table of `count` vectors (normal, deviation 1): index (any), i64 or i32 -> y (index's shape, size). */
typedef struct tg_embedding_layer {
    tg_tensor weight;
} tg_embedding_layer;
TG_EXPORT tg_embedding_layer tg_embedding_new(tg_model *m, const char *name, int64_t count, int64_t size);
TG_SITED(tg_tensor, tg_embedding_apply, tg_embedding_layer l, tg_tensor index);
#define tg_embedding_apply(...) tg_embedding_apply_at(TG_HERE, __VA_ARGS__)

/* Recurrent layers over a sequence x (T, N, in) -> y (T, N, size): tg_lstm_cell and tg_gru_cell, step by step, from states of
 * zeros. Parameters "<name>.wx", "<name>.wh" (uniform, +- 1 / sqrt(size)), "<name>.b" and, of a GRU, "<name>.bh" (zeros).
 * To begin from another state, or to keep the last one, call tg_lstm_cell or tg_gru_cell with l.cell for each step. */
typedef struct tg_recurrent {
    tg_cell cell;
} tg_recurrent;
TG_EXPORT tg_recurrent tg_lstm_new(tg_model *m, const char *name, int64_t in, int64_t size);
TG_SITED(tg_tensor, tg_lstm_apply, tg_recurrent l, tg_tensor x);
#define tg_lstm_apply(...) tg_lstm_apply_at(TG_HERE, __VA_ARGS__)
TG_EXPORT tg_recurrent tg_gru_new(tg_model *m, const char *name, int64_t in, int64_t size);
TG_SITED(tg_tensor, tg_gru_apply, tg_recurrent l, tg_tensor x);
#define tg_gru_apply(...) tg_gru_apply_at(TG_HERE, __VA_ARGS__)

/* Multi-head self-attention: x (..., T, size) -> y (..., T, size): "<name>.qkv", a linear layer to queries, keys and values,
 * tg_attention in `heads` heads, which must divide size (TG_EARG), and "<name>.out", a linear layer. */
typedef struct tg_self_attention {
    tg_linear qkv, out;
    int64_t heads;
    tg_attention_config config;
} tg_self_attention;
TG_EXPORT tg_self_attention tg_self_attention_new(tg_model *m, const char *name, int64_t size, int64_t heads, bool causal);
TG_SITED(tg_tensor, tg_self_attention_apply, tg_self_attention l, tg_tensor x);
#define tg_self_attention_apply(...) tg_self_attention_apply_at(TG_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
