/* Definitions of several outputs */
#include "ops/definition.h"

#define MOST_INPUTS 8

void tg__vjp_by_definition(tg_vjp_args *v, tg__define_all *define) {
    tg_tape *t = tg_tape_of(v->in[0]);
    tg_tensor in[MOST_INPUTS], outs[TG_MAX_OUTPUTS], wanted[MOST_INPUTS], gradients[MOST_INPUTS], total = {0};
    int which[MOST_INPUTS], n = 0;
    for (int i = 0; i < v->n_in; i++) {
        in[i] = tg__identity(v->in[i]);
        if (tg_vjp_needs(v, i)) wanted[n] = in[i], which[n++] = i;
    }
    define(t, in, v->n_in, v->attr, outs);
    for (int k = 0; k < v->n_out; k++) {
        if (tg__is_none(v->g[k])) continue;
        tg_tensor part = tg_sum(tg_mul(outs[k], v->g[k]), TG_ALL_AXES, false);
        total = tg__is_none(total) ? part : tg_add(total, part);
    }
    if (tg__grad_where(NULL, total, wanted, n, gradients)) return;
    for (int i = 0; i < n; i++)
        if (!tg__is_none(gradients[i])) tg_vjp_give(v, which[i], gradients[i]);
}
