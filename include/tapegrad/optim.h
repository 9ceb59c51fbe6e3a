/* tapegrad/optim.h: optimizers. An update rule is ordinary graph, recorded by tg_update, and runs with the step. */
#ifndef TAPEGRAD_OPTIM_H
#define TAPEGRAD_OPTIM_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_optim tg_optim;

/* The learning rate of a step: called by tg_update with the number of the step (from 1) and the configured rate. */
typedef double (*tg_schedule_fn)(int64_t step, double lr, void *user);

/* What all rules share; zero means the default. */
typedef struct tg_optim_common {
    double clip_norm;        /* > 0: each gradient g becomes g clip_norm / max(norm, clip_norm), where norm is that of all of
                              * them, summed in f64 (Pascanu et al. 2013, algorithm 1). Keeps all gradients alive at once */
    tg_schedule_fn schedule; /* NULL: constant */
    void *schedule_user;
} tg_optim_common;

/* Stochastic gradient descent. g += weight_decay w; v = momentum v + g (v is zero at first); w -= lr v, or with nesterov
 * w -= lr (g + momentum v). Without momentum w -= lr g, and there is no v. Source: Sutskever et al. 2013, in the form of
 * PyTorch's SGD with dampening 0. */
typedef struct tg_sgd_config {
    double lr; /* 0.01 */
    double momentum, weight_decay;
    bool nesterov;
    tg_optim_common common;
} tg_sgd_config;

/* Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), where t is the
 * number of the step; g += weight_decay w comes first. Computed as w -= s m / (sqrt(v) + eps') with s = lr c / (1 - b1^t),
 * eps' = eps c, c = sqrt(1 - b2^t) from the host, in f64. Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1 and the
 * end of section 2. */
typedef struct tg_adam_config {
    double lr;           /* 0.001 */
    double beta1, beta2; /* 0.9, 0.999 */
    double eps;          /* 1e-8 */
    double weight_decay;
    tg_optim_common common;
} tg_adam_config;

/* AdamW: Adam with decoupled decay: w -= lr weight_decay w comes first, with the lr of the step. Source: Loshchilov and Hutter
 * 2019, arXiv:1711.05101, algorithm 2. */
typedef struct tg_adamw_config {
    double lr;           /* 0.001 */
    double beta1, beta2; /* 0.9, 0.999 */
    double eps;          /* 1e-8 */
    double weight_decay; /* 0.01; negative: none */
    tg_optim_common common;
} tg_adamw_config;

/* New optimizers for all trainable parameters of m, which must outlive them; parameters made later join at the next update.
 * NULL: out of memory, or a bad value (a negative or not finite number, but for AdamW's weight_decay; betas outside [0, 1)), or
 * m is NULL. tg_optim_free(NULL) is allowed; no tape may hold an update of it that has not run.
 * Threads: an optimizer is used by one thread at a time. */
TG_EXPORT tg_optim *tg_sgd(tg_model *m, tg_sgd_config c);
TG_EXPORT tg_optim *tg_adam(tg_model *m, tg_adam_config c);
TG_EXPORT tg_optim *tg_adamw(tg_model *m, tg_adamw_config c);
TG_EXPORT void tg_optim_free(tg_optim *o);

/* tg_optim_set_lr: the configured rate from the next update on; 0 is 0 here. A negative or not finite rate, here or from the
 * schedule, is TG_EARG of that update. */
TG_EXPORT void tg_optim_set_lr(tg_optim *o, double lr);
TG_EXPORT double tg_optim_lr(const tg_optim *o);
TG_EXPORT int64_t tg_optim_steps(const tg_optim *o); /* committed steps */

/* The state (moments, step count) as a model: names "momentum/<parameter>", "m/<parameter>", "v/<parameter>", "step". It is the
 * optimizer's; save and load it with tg_save and tg_load to resume exactly. */
TG_EXPORT tg_model *tg_optim_state(tg_optim *o);

/* tg_update: records the gradients of loss (one element) and the update of every trainable parameter that loss depends on; a
 * parameter with no path to the loss is left alone, decay included. tg_update_grads: the same from gradients of your own, for n
 * parameters of the model. Nothing changes until tg_step. tg_minimize: tg_update, then tg_step.
 * Where the loss reads a parameter after an update that has not run, its gradient is that of the newest value; two updates
 * before one step count as two steps. All return the tape's status.
 * Errors: those of tg_grad; TG_EARG if o is NULL, or no parameter has a path to the loss, or a parameter is given twice or of
 * another model; TG_ESHAPE, TG_EDTYPE for a gradient that does not fit its parameter. A loss of parameters alone,
 * without tg_on, knows no tape: TG_EARG is then all that is said. */
TG_SITED(tg_status, tg_update, tg_optim *o, tg_tensor loss);
TG_SITED(tg_status, tg_update_grads, tg_optim *o, const tg_tensor *params, const tg_tensor *grads, int n);
TG_SITED(tg_status, tg_minimize, tg_optim *o, tg_tensor loss);
#define tg_update(...) tg_update_at(TG_HERE, __VA_ARGS__)
#define tg_update_grads(...) tg_update_grads_at(TG_HERE, __VA_ARGS__)
#define tg_minimize(...) tg_minimize_at(TG_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
