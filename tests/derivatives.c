/* tests/derivatives.c: Jacobians, Hessians, straight-through gradients, checkpoints (program 12 of the design). */
#include "tests/programs.h"

static double at2(tg_tensor x, int64_t i, int64_t j) {
    const double *v = tg_data(x);
    return v ? v[i * tg_shape_of(x).dims[1] + j] : NAN;
}

PROGRAM_IN(derivatives, jacobian) {
    tg_tensor a = numbers_like(r->t, TG_SHAPE(2, 3), TG_F64, 1), b = numbers_like(r->t, TG_SHAPE(3), TG_F64, 2), j[2];
    tg_tensor y = tg_sum(tg_mul(tg_square(a), b), TG_AXES(1), false);
    CHECK_EQ_I(tg_jacobian(y, (tg_tensor[]){a, b}, 2, j), TG_OK);
    CHECK_EQ_I(tg_shape_of(j[0]).rank, 3);
    CHECK_EQ_I(tg_shape_of(j[1]).dims[1], 3);
    const double *x = tg_data(a), *w = tg_data(b), *g = tg_data(j[0]);
    if (!CHECK(x && w && g, "%s", tg_message(r->t))) return;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) {
            CHECK_NEAR(at2(j[1], i, k), x[3 * i + k] * x[3 * i + k], 1e-12);
            for (int l = 0; l < 2; l++) CHECK_NEAR(g[(3 * 2 * i) + 3 * l + k], l == i ? 2 * x[3 * l + k] * w[k] : 0, 1e-12);
        }
    see_all(r, j[0]);
    see_all(r, j[1]);
}

PROGRAM_IN(derivatives, hessian_in_blocks) {
    tg_tensor a = numbers_like(r->t, TG_SHAPE(3), TG_F64, 1), b = numbers_like(r->t, TG_SHAPE(2), TG_F64, 2), h[4];
    tg_tensor s = sum_of(tg_square(a)), y = tg_add(tg_mul(s, sum_of(b)), sum_of(tg_mul(tg_square(b), b)));
    CHECK_EQ_I(tg_hessian(y, (tg_tensor[]){a, b}, 2, h), TG_OK);
    const double *x = tg_data(a), *w = tg_data(b);
    if (!CHECK(x && w, "%s", tg_message(r->t))) return;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) CHECK_NEAR(at2(h[0], i, j), i == j ? 2 * (w[0] + w[1]) : 0, 1e-12);
        for (int j = 0; j < 2; j++) {
            CHECK_NEAR(at2(h[1], i, j), 2 * x[i], 1e-12);
            CHECK_NEAR(at2(h[2], j, i), 2 * x[i], 1e-12);
        }
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) CHECK_NEAR(at2(h[3], i, j), i == j ? 6 * w[i] : 0, 1e-12);
    for (int k = 0; k < 4; k++) see_all(r, h[k]);
}

/* A linear function has a Hessian of zeros, not an error. */
PROGRAM_IN(derivatives, hessian_of_a_linear_function) {
    tg_tensor a = numbers_like(r->t, TG_SHAPE(2, 2), TG_F64, 1), h;
    CHECK_EQ_I(tg_hessian(sum_of(a), &a, 1, &h), TG_OK);
    CHECK_EQ_I(tg_shape_of(h).rank, 4);
    see_all(r, h);
    for (int i = 0; i < r->n; i++) CHECK_NEAR(r->seen[i], 0, 0);
    CHECK_EQ_I(r->n, 16);
}

TEST(derivatives, jacobian_of_hundreds_of_rows) {
    tg_tape *t = tg_tape_new();
    tg_tensor w = numbers_like(t, TG_SHAPE(300, 20), TG_F64, 1), x = numbers_like(t, TG_SHAPE(20), TG_F64, 2), j;
    CHECK_EQ_I(tg_jacobian(tg_matmul(w, x), &x, 1, &j), TG_OK);
    const double *a = tg_data(j), *b = tg_data(w);
    CHECK(a && b && !memcmp(a, b, 300 * 20 * sizeof *a), "d(Wx)/dx is not W: %s", tg_message(t));
    tg_tape_free(t);
}

TEST(derivatives, sizes_at_the_edge) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_zeros(t, TG_SHAPE(0, 3), TG_F64), p = tg_input(t, (tg_array){TG_F64, TG_SHAPE(0, 3), NULL}), j;
    CHECK_EQ_I(tg_jacobian(tg_square(p), &p, 1, &j), TG_OK);
    CHECK_EQ_I(tg_numel(j), 0);
    CHECK_EQ_I(tg_shape_of(j).rank, 4);
    CHECK_EQ_I(tg_hessian(sum_of(tg_square(p)), &p, 1, &j), TG_OK);
    CHECK_EQ_I(tg_jacobian(tg_square(p), NULL, 0, NULL), TG_OK);
    CHECK(tg_ok(t) && tg_valid(x), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(derivatives, errors) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers_like(t, TG_SHAPE(2, 2), TG_F64, 1), other = numbers_like(t, TG_SHAPE(3), TG_F64, 1), j[4];
    const char *here = TG_HERE;
    CHECK_EQ_I(tg_jacobian_at(here, tg_square(x), (tg_tensor[]){x, other}, 2, j), TG_ENOGRAD);
    CHECK_STR(tg_message(t), "does not depend on x number 1");
    CHECK_STR(tg_message(t), here);
    CHECK(!tg_valid(j[0]) && !tg_valid(j[1]), "results of an error are poison");
    tg_clear(t);
    CHECK_EQ_I(tg_jacobian(tg_square(x), NULL, 1, j), TG_EARG);
    tg_clear(t);
    CHECK_EQ_I(tg_hessian(tg_square(x), &x, 1, j), TG_ESHAPE);
    tg_clear(t);
    tg_tensor deep = tg_reshape(x, TG_SHAPE(1, 2, 1, 2, 1));
    CHECK_EQ_I(tg_jacobian(tg_square(deep), &deep, 1, j), TG_ESHAPE);
    CHECK_STR(tg_message(t), "more than rank 8");
    tg_clear(t);
    tg_tensor whole = tg_arange(t, 4, TG_I64);
    CHECK_EQ_I(tg_jacobian(whole, &x, 1, j), TG_EDTYPE);
    tg_clear(t);
    CHECK_EQ_I(tg_jacobian((tg_tensor){0}, &x, 1, j), TG_EARG);
    CHECK_EQ_I(tg_hessian((tg_tensor){0}, &x, 1, j), TG_EARG);
    tg_clear(t);
    CHECK(!tg_valid(tg_straight_through(x, other)), "two shapes");
    CHECK_EQ_I(tg_error(t), TG_ESHAPE);
    CHECK_STR(tg_message(t), "(2, 2) f64");
    tg_clear(t);
    CHECK(!tg_valid(tg_checkpoint(t, NULL, NULL, &x, 1)), "no function");
    CHECK_EQ_I(tg_error(t), TG_EARG);
    CHECK_STR(tg_message(t), "checkpoint");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ straight through */

PROGRAM_IN(derivatives, straight_through) {
    tg_tensor x = numbers_like(r->t, TG_SHAPE(5), TG_F64, 1), g;
    tg_tensor y = tg_straight_through(tg_sign(x), x);
    tg_grad(sum_of(tg_mul(y, tg_square(x))), &x, 1, &g);
    const double *v = tg_data(x), *d = tg_data(g), *s = tg_data(y);
    if (!CHECK(v && d && s, "%s", tg_message(r->t))) return;
    for (int i = 0; i < 5; i++) {
        double sign = v[i] > 0 ? 1 : -1;
        CHECK_NEAR(s[i], sign, 0);
        CHECK_NEAR(d[i], v[i] * v[i] + 2 * sign * v[i], 1e-12);
    }
    see_all(r, g);
}

static void spread_over(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)user;
    for (int i = 0; i < n; i++) gs[i] = tg_scale(g, i + 1);
}

/* More inputs than a node holds inline. */
PROGRAM_IN(derivatives, custom_gradient_of_many_inputs) {
    tg_tensor xs[9], gs[9];
    for (int i = 0; i < 9; i++) xs[i] = numbers_like(r->t, TG_SHAPE(4), TG_F64, i);
    tg_tensor y = tg_custom_grad(tg_square(xs[3]), xs, 9, spread_over, NULL);
    CHECK_EQ_I(tg_grad(sum_of(y), xs, 9, gs), TG_OK);
    const double *a = tg_data(y), *x = tg_data(xs[3]);
    for (int i = 0; i < 4 && CHECK(a && x, "%s", tg_message(r->t)); i++) CHECK_NEAR(a[i], x[i] * x[i], 0);
    for (int i = 0; i < 9; i++) CHECK_NEAR(see(r, tg_item(tg_sum(gs[i], TG_ALL_AXES, false))), 4 * (i + 1), 0);
}

/* ------------------------------------------------------------------ 12: checkpoints */

enum { LAYERS = 12, WIDTH = 48, ROWS = 64 };

typedef struct network {
    tg_tensor w[LAYERS];
    bool checkpoint, nested;
    int layer;
} network;

static tg_tensor layer(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n;
    network *net = user;
    tg_tensor h = tg_dropout(tg_tanh(tg_matmul(xs[0], net->w[net->layer])), 0.25);
    return tg_add(xs[0], tg_mul(h, tg_sigmoid(h)));
}

static tg_tensor checked_layer(tg_tape *t, network *net, int which, tg_tensor x) {
    net->layer = which;
    return net->checkpoint ? tg_checkpoint(t, layer, net, &x, 1) : layer(t, &x, 1, net);
}

static tg_tensor two_layers(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)n;
    network *net = user;
    int first = net->layer;
    return checked_layer(t, net, first + 1, checked_layer(t, net, first, xs[0]));
}

typedef struct outcome {
    double loss, g[2][WIDTH * WIDTH];
    uint64_t pool;
} outcome;

static void train_once(tg_tape *t, tg_model *m, bool checkpoint, bool nested, outcome *o) {
    network net = {.checkpoint = checkpoint, .nested = nested};
    tg_tape_reset(t);
    tg_seed(t, 7);
    for (int i = 0; i < LAYERS; i++) net.w[i] = tg_on(t, tg_model_at(m, i));
    tg_tensor x = numbers_like(t, TG_SHAPE(ROWS, WIDTH), TG_F64, 3), g[LAYERS];
    for (int i = 0; i < LAYERS; i += nested ? 2 : 1) {
        net.layer = i;
        x = nested && checkpoint ? tg_checkpoint(t, two_layers, &net, &x, 1)
            : nested             ? two_layers(t, &x, 1, &net)
                                 : checked_layer(t, &net, i, x);
    }
    tg_tensor loss = tg_mean(tg_square(x), TG_ALL_AXES, false), all[LAYERS + 1];
    CHECK_EQ_I(tg_grad(loss, net.w, LAYERS, g), TG_OK);
    memcpy(all, g, sizeof g);
    all[LAYERS] = loss;
    CHECK_EQ_I(tg_run(t, all, LAYERS + 1), TG_OK);
    o->pool = tg_stats(t).pool_bytes;
    o->loss = tg_item(loss);
    tg_read(g[0], o->g[0], sizeof o->g[0]);
    tg_read(g[LAYERS - 1], o->g[1], sizeof o->g[1]);
}

static tg_model *layers_model(void) {
    tg_model *m = tg_model_new(12);
    char name[16];
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "w%d", i);
        tg_param(m, name, TG_SHAPE(WIDTH, WIDTH), TG_F64, (tg_init){.kind = TG_INIT_XAVIER_UNIFORM});
    }
    return m;
}

PROGRAM(n12_checkpoint_with_dropout) {
    tg_model *m = layers_model();
    static outcome kept, again, nested;
    tg_tape *other = tg_tape_new(), *third = tg_tape_new();
    tg_set_eager(other, r->way == EAGER);
    tg_set_eager(third, r->way == EAGER);
    other->debug_memory = third->debug_memory = r->way == POISONED;
    train_once(r->t, m, false, false, &kept);
    train_once(other, m, true, false, &again);
    train_once(third, m, true, true, &nested);
    CHECK(tg_ok(other) && tg_ok(third), "%s%s", tg_message(other), tg_message(third));
    CHECK(again.loss == kept.loss && nested.loss == kept.loss, "%.17g, %.17g and %.17g", kept.loss, again.loss, nested.loss);
    CHECK(!memcmp(again.g, kept.g, sizeof kept.g), "the gradients differ from those without checkpoints");
    CHECK(!memcmp(nested.g, kept.g, sizeof kept.g), "the gradients of nested checkpoints differ");
    if (r->way == PLANNED)
        CHECK((double)again.pool < 0.6 * (double)kept.pool, "%llu bytes, without checkpoints %llu",
              (unsigned long long)again.pool, (unsigned long long)kept.pool);
    see(r, kept.loss);
    tg_tape_free(other);
    tg_tape_free(third);
    tg_model_free(m);
}

static tg_tensor cubed_sum(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return sum_of(tg_mul(tg_square(xs[0]), tg_mul(xs[0], xs[1])));
}

/* Derivatives of higher order and in forward mode go through. */
PROGRAM_IN(derivatives, of_a_checkpoint) {
    tg_tensor x[2] = {numbers_like(r->t, TG_SHAPE(4), TG_F64, 1), numbers_like(r->t, TG_SHAPE(4), TG_F64, 2)}, h[2][4];
    for (int k = 0; k < 2; k++) {
        tg_tensor y = k ? tg_checkpoint(NULL, cubed_sum, NULL, x, 2) : cubed_sum(r->t, x, 2, NULL);
        CHECK_EQ_I(tg_hessian(y, x, 2, h[k]), TG_OK);
        see(r, tg_item(tg_jvp(y, x, (tg_tensor[]){x[1], x[0]}, 2)));
    }
    CHECK_NEAR(r->seen[0], r->seen[1], 1e-12);
    for (int b = 0; b < 4; b++) {
        const double *one = tg_data(h[0][b]), *two = tg_data(h[1][b]);
        for (int i = 0; i < 16 && CHECK(one && two, "%s", tg_message(r->t)); i++) CHECK_NEAR(one[i], two[i], 1e-12);
    }
}

static tg_tensor passes_x(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return xs[0];
}

static tg_tensor of_no_input(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)xs, (void)n;
    return tg_square(tg_mul(*(tg_tensor *)user, tg_uniform(t, TG_SHAPE(4), TG_F64, 1, 2)));
}

PROGRAM_IN(derivatives, odd_checkpoints) {
    tg_tensor x = numbers_like(r->t, TG_SHAPE(4), TG_F64, 1), g;
    tg_tensor same = tg_checkpoint(r->t, passes_x, NULL, &x, 1);
    CHECK_EQ_I(tg_grad(sum_of(same), &x, 1, &g), TG_OK);
    see_all(r, g);
    tg_tensor y = tg_checkpoint(r->t, of_no_input, &x, NULL, 0); /* reads x without being given it */
    CHECK_EQ_I(tg_grad(sum_of(y), &x, 1, &g), TG_OK);
    const double *value = tg_data(y), *d = tg_data(g), *v = tg_data(x);
    for (int i = 0; i < 4 && CHECK(value && d && v, "%s", tg_message(r->t)); i++) CHECK_NEAR(d[i], 2 * value[i] / v[i], 1e-12);
    see_all(r, g);
    CHECK(!tg_depends(tg_checkpoint(r->t, of_no_input, &x, NULL, 0), y), "a later part depends on an earlier one");
}
