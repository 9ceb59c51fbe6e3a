/* nn/recurrent.c: cells over a sequence. */
#include <math.h>

#include "nn/nn.h"
#include "tapegrad/ops.h"

static tg_recurrent recurrent_new(tg_model *m, const char *name, int64_t in, int64_t size, int gates) {
    double bound = size > 0 ? 1 / sqrt((double)size) : 1;
    tg_init uniform = {.kind = TG_INIT_UNIFORM, .a = -bound, .b = bound}, zeros = {.kind = TG_INIT_ZEROS};
    tg_recurrent l = {.cell = {.wx = {0}}};
    l.cell.wx = tg__layer_param(m, name, "wx", TG_SHAPE(in, gates * size), TG_F32, uniform);
    l.cell.wh = tg__layer_param(m, name, "wh", TG_SHAPE(size, gates * size), TG_F32, uniform);
    l.cell.b = tg__layer_param(m, name, "b", TG_SHAPE(gates * size), TG_F32, zeros);
    return l;
}

tg_recurrent tg_lstm_new(tg_model *m, const char *name, int64_t in, int64_t size) {
    return recurrent_new(m, name, in, size, 4);
}

tg_recurrent tg_gru_new(tg_model *m, const char *name, int64_t in, int64_t size) {
    tg_recurrent l = recurrent_new(m, name, in, size, 3);
    l.cell.bh = tg__layer_param(m, name, "bh", TG_SHAPE(3 * size), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    return l;
}

static tg_tensor fail(const char *site, tg_tape *t, tg_status status, const char *layer, const char *why) {
    if (status == TG_ENOMEM)
        tg__fail_nomem(t, layer, site);
    else
        tg__fail(t, status, layer, site, t->scope, "%s", why);
    return tg__poison(t);
}

/* The products of all inputs are one: a weight is read once, not once a step. */
static tg_tensor over_sequence(const char *site, const char *name, tg_cell cell, tg_tensor x, bool lstm) {
    tg_tape *t = tg_tape_of(x);
    tg_shape s = tg_shape_of(x);
    if (!t) return tg__lost(site);
    if (!tg_valid(x)) return tg_stop_gradient_at(site, x); /* says why */
    if (s.rank != 3 || s.dims[0] < 1) return fail(site, t, TG_ESHAPE, name, "x must be (length from 1 up, batch, size)");
    tg_tensor h = tg_zeros_at(site, t, TG_SHAPE(s.dims[1], tg_shape_of(cell.wh).dims[0]), tg_dtype_of(x)), c = h;
    tg_tensor *outs = tg__alloc((size_t)s.dims[0] * sizeof *outs);
    if (!outs) return fail(site, t, TG_ENOMEM, name, NULL);
    x = tg_matmul_at(site, x, cell.wx);
    cell.wx = (tg_tensor){0};
    for (int64_t i = 0; i < s.dims[0]; i++) {
        tg_tensor step = tg_squeeze_at(site, tg_slice_at(site, x, 0, i, i + 1, 1), TG_AXES(0));
        h = outs[i] = lstm ? tg_lstm_cell_at(site, step, h, &c, cell) : tg_gru_cell_at(site, step, h, cell);
    }
    tg_tensor y = tg_stack_at(site, outs, (int)s.dims[0], 0);
    tg__free(outs);
    return y;
}

TG_API(tg_tensor, tg_lstm_apply, (tg_recurrent l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.cell.wx);
    return tg__layer_pop(t, over_sequence(site, "lstm", l.cell, x, true));
}

TG_API(tg_tensor, tg_gru_apply, (tg_recurrent l, tg_tensor x), (l, x)) {
    tg_tape *t = tg__layer_push(x, l.cell.wx);
    return tg__layer_pop(t, over_sequence(site, "gru", l.cell, x, false));
}
