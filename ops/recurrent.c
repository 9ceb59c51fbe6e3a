/* Cells of recurrent networks */
#include "ops/op_file.h"

/* x wx, or x where it is that already. */
static tg_tensor input_product(const char *site, tg_tensor x, const tg_cell *w) {
    return tg__is_none(w->wx) ? x : tg_matmul_at(site, x, w->wx);
}

/* x wx + h wh + b, or without b. */
static tg_tensor gates(const char *site, tg_tensor x, tg_tensor h, const tg_cell *w) {
    tg_tensor z = tg_add_at(site, input_product(site, x, w), tg_matmul_at(site, h, w->wh));
    return tg__is_none(w->b) ? z : tg_add_at(site, z, w->b);
}

/* Part i of n along the last axis. */
static tg_tensor gate(const char *site, tg_tensor z, int i, int n) {
    tg_shape s = tg_shape_of(z);
    int64_t size = s.rank ? s.dims[s.rank - 1] / n : 0;
    return tg_slice_at(site, z, -1, i * size, (i + 1) * size, 1);
}

/* Whether z, from the weights, has n gates of the size of h: a single column would be broadcast. */
static bool has_gates(const char *site, const char *name, tg_tensor z, tg_tensor h, int n) {
    tg_shape wide = tg_shape_of(z), one = tg_shape_of(h);
    tg_tape *t = tg_tape_of(z);
    if (!t || !tg_valid(z) || !tg_valid(h)) return true; /* an error already */
    if (wide.rank && one.rank && wide.dims[wide.rank - 1] == n * one.dims[one.rank - 1]) return true;
    tg__fail(t, TG_ESHAPE, name, site, t->scope, "the weights must have %d columns for each element of the state", n);
    return false;
}

/*| tg_rnn_cell: one step of a plain recurrent network (Elman's). w.b may be (tg_tensor){0}; so may w.wx, of every cell: x is
 *  then the product x wx already, which the steps of a sequence can have in one.
 *    y = tanh(x wx + h wh + b)
 *  Shapes:   x (N, I), h (N, H), wx (I, H), wh (H, H), b (H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with d = g (1 - y^2): dx = d wx^T, dh = d wh^T, dwx = x^T d, dwh = h^T d, db = sum of d
 *  Errors:   those of tg_matmul and tg_add
 *  Source:   Elman 1990, Finding structure in time */
TG_API(tg_tensor, tg_rnn_cell, (tg_tensor x, tg_tensor h, tg_cell w), (x, h, w)) {
    return tg_tanh_at(site, gates(site, x, h, &w));
}

/*| tg_lstm_cell: one step of a long short-term memory. *c, the memory, is read and becomes the next one. The columns of wx, wh
 *  and b are those of the gates i, f, g, o, one after the other; w.b and w.wx may be (tg_tensor){0}, as in tg_rnn_cell.
 *    c' = sigmoid(f) c + sigmoid(i) tanh(g), y = sigmoid(o) tanh(c'), where (i, f, g, o) = x wx + h wh + b
 *  Shapes:   x (N, I), h (N, H), c (N, H), wx (I, 4 H), wh (H, 4 H), b (4 H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with u = cotangent of c' + g sigmoid(o) (1 - tanh(c')^2), s' = s (1 - s) for s a sigmoid: dc = u sigmoid(f);
 *            the gates get di = u tanh(g) sigmoid(i)', df = u c sigmoid(f)', dg = u sigmoid(i) (1 - tanh(g)^2),
 *            do = g tanh(c') sigmoid(o)', and d of all four goes on as in tg_rnn_cell
 *  Errors:   TG_ESHAPE if wx has not 4 times as many columns as c; those of tg_matmul, tg_add and tg_mul
 *  Source:   Hochreiter, Schmidhuber 1997, Long short-term memory; Gers, Schmidhuber, Cummins 2000 (the gate f) */
TG_API(tg_tensor, tg_lstm_cell, (tg_tensor x, tg_tensor h, tg_tensor *c, tg_cell w), (x, h, c, w)) {
    tg_tensor z = gates(site, x, h, &w);
    if (!has_gates(site, "lstm_cell", z, *c, 4)) return *c = tg__poison(tg_tape_of(z));
    tg_tensor kept = tg_mul_at(site, tg_sigmoid_at(site, gate(site, z, 1, 4)), *c);
    tg_tensor added = tg_mul_at(site, tg_sigmoid_at(site, gate(site, z, 0, 4)), tg_tanh_at(site, gate(site, z, 2, 4)));
    *c = tg_add_at(site, kept, added);
    return tg_mul_at(site, tg_sigmoid_at(site, gate(site, z, 3, 4)), tg_tanh_at(site, *c));
}

/*| tg_gru_cell: one step of a gated recurrent unit. The columns of wx, wh, b and bh are those of r, z, n, one after the other;
 *  w.b and w.bh, the biases of x wx and of h wh, may be (tg_tensor){0}, and w.wx as in tg_rnn_cell.
 *    y = (1 - z) n + z h, with r = sigmoid(xr + hr), z = sigmoid(xz + hz), n = tanh(xn + r hn), x. = x wx + b, h. = h wh + bh
 *  Shapes:   x (N, I), h (N, H), wx (I, 3 H), wh (H, 3 H), b (3 H), bh (3 H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with u = g (1 - z) (1 - n^2): the gates get dz = g (h - n) z (1 - z), dn = u, dr = u hn r (1 - r), which go on
 *            through x. and h. (hn gets u r) as in tg_rnn_cell; dh also has g z
 *  Errors:   TG_ESHAPE if wx has not 3 times as many columns as h; those of tg_matmul, tg_add and tg_mul
 *  Source:   Cho et al. 2014, arXiv:1406.1078, eq. 5 to 8, with r after the product as in Chung et al. 2014, arXiv:1412.3555 */
TG_API(tg_tensor, tg_gru_cell, (tg_tensor x, tg_tensor h, tg_cell w), (x, h, w)) {
    tg_tensor xs = input_product(site, x, &w), hs = tg_matmul_at(site, h, w.wh);
    if (!tg__is_none(w.b)) xs = tg_add_at(site, xs, w.b);
    if (!tg__is_none(w.bh)) hs = tg_add_at(site, hs, w.bh);
    if (!has_gates(site, "gru_cell", hs, h, 3)) return tg__poison(tg_tape_of(hs));
    tg_tensor r = tg_sigmoid_at(site, tg_add_at(site, gate(site, xs, 0, 3), gate(site, hs, 0, 3)));
    tg_tensor z = tg_sigmoid_at(site, tg_add_at(site, gate(site, xs, 1, 3), gate(site, hs, 1, 3)));
    tg_tensor reset = tg_mul_at(site, r, gate(site, hs, 2, 3));
    tg_tensor n = tg_tanh_at(site, tg_add_at(site, gate(site, xs, 2, 3), reset));
    return tg_add_at(site, n, tg_mul_at(site, z, tg_sub_at(site, h, n)));
}
