/* Programs that look at values and derivatives: 2, 6, 10, 13, 15, 19 and 20 of the design. */
#include "tests/programs.h"

/* ------------------------------------------------------------------ 2 */

static tg_tensor newton_step(tg_tensor x, double *size) {
    tg_tensor f = tg_sub(tg_cos(x), x), slope;
    tg_grad(f, &x, 1, &slope);
    tg_tensor step = tg_div(f, slope);
    *size = tg_item(step);
    return tg_sub(x, step);
}

PROGRAM(n02_newton_with_flat_memory) {
    uint64_t memory = 0;
    tg_mark start = tg_tape_mark(r->t);
    double last = 0;
    for (int round = 0; round < 200; round++) {
        tg_tensor x = tg_keep(tg_scalar(r->t, 1 + round * .001, TG_F64));
        double step = 1;
        for (int i = 0; i < 20 && fabs(step) > 1e-13; i++) {
            tg_tensor next = tg_keep(newton_step(x, &step));
            tg_drop(x);
            tg_rewind(r->t, start);
            x = next;
        }
        last = tg_item(x);
        CHECK_NEAR(last, 0.7390851332151607, 1e-13);
        tg_drop(x);
        tg_rewind(r->t, start);
        if (round == 1) memory = tg_stats(r->t).kept_bytes + tg__alloc_live();
        if (round > 1) CHECK_EQ_I(tg_stats(r->t).kept_bytes + tg__alloc_live(), memory);
        CHECK(tg_stats(r->t).nodes < 60, "%llu nodes", (unsigned long long)tg_stats(r->t).nodes);
    }
    see(r, last);
}

/* A kept value is read by what was recorded before the mark of a later rewind: dropping it does not end it then. */
PROGRAM(n02_kept_values_outlive_their_readers) {
    tg_model *m = tg_model_new(2);
    tg_tensor w = tg_param(m, "w", TG_SHAPE(3), TG_F64, (tg_init){0}), x = numbers_like(r->t, TG_SHAPE(3), TG_F64, 1), g;
    tg_mark first = tg_tape_mark(r->t);
    for (int i = 0; i < 9; i++) x = tg_sin(x);
    tg_keep(x);
    tg_rewind(r->t, first);
    tg_tensor reader = tg_square(x); /* of a lower number than x */
    tg_assign(w, x);
    tg_want(x);
    tg_mark second = tg_tape_mark(r->t);
    tg_tensor later = tg_exp(x);
    tg_drop(x);
    tg_rewind(r->t, second);
    CHECK(tg_valid(x) && !tg_valid(later), "the kept value, or what came after it");
    tg_grad(sum_of(tg_mul(reader, x)), &x, 1, &g);
    see_all(r, g);
    for (int i = 0; i < 3; i++) {
        double v = ((const double *)tg_data(x))[i];
        CHECK_NEAR(((const double *)tg_data(g))[i], 3 * v * v, 1e-15);
    }
    CHECK_EQ_I(tg_step(r->t), TG_OK);
    see_all(r, w);
    tg_rewind(r->t, first);
    CHECK(!tg_valid(x) && !tg_valid(reader), "handles of values that were dropped");
    tg_model_free(m);
}

PROGRAM(n02_bisection_reads_each_value) {
    tg_tensor low = tg_scalar(r->t, 0, TG_F64), high = tg_scalar(r->t, 2, TG_F64);
    uint64_t work = 0;
    for (int i = 0; i < 1000; i++) {
        tg_tensor middle = tg_scale(tg_add(low, high), .5);
        if (tg_item(tg_sub(tg_square(middle), tg_scalar(r->t, 2, TG_F64))) < 0)
            low = middle;
        else
            high = middle;
        work += tg_stats(r->t).micro_ops;
        if (i % 100 == 0) see(r, tg_item(low));
    }
    CHECK_NEAR(see(r, tg_item(low)), sqrt(2), 1e-15);
    /* what lived only inside a block is computed again: at most a block of it */
    if (r->way != EAGER) CHECK(work <= 1000 * 64, "%llu micro-ops for 1,000 iterations", (unsigned long long)work);
}

/* ------------------------------------------------------------------ 6 */

typedef tg_tensor scalar_fn(tg_tensor x);

static tg_tensor of_products(tg_tensor x) {
    tg_tensor a = tg_reshape(x, TG_SHAPE(3, 4));
    return sum_of(tg_tanh(tg_matmul(tg_matmul(a, tg_transpose(a)), a)));
}

static tg_tensor of_softmax(tg_tensor x) {
    tg_tensor y = tg_softmax(tg_reshape(x, TG_SHAPE(3, 4)), -1);
    return sum_of(tg_mul(tg_square(y), tg_log_softmax(tg_reshape(x, TG_SHAPE(3, 4)), 0)));
}

static tg_tensor of_cross_entropy(tg_tensor x) {
    const int64_t labels[] = {2, 0, 3};
    return tg_square(tg_cross_entropy(tg_reshape(x, TG_SHAPE(3, 4)), tg_input(tg_tape_of(x), tg_i64(labels, TG_SHAPE(3)))));
}

static tg_tensor of_gather(tg_tensor x) {
    const int64_t places[] = {1, 1, 3, 0, 1};
    tg_tensor y = tg_gather(tg_reshape(x, TG_SHAPE(4, 3)), 0, tg_input(tg_tape_of(x), tg_i64(places, TG_SHAPE(5))));
    return sum_of(tg_exp(tg_mul(y, tg_slice(y, 0, TG_END, TG_BEGIN, -1))));
}

static tg_tensor of_slices(tg_tensor x) {
    tg_tensor y = sum_of(tg_square(tg_mul(tg_slice(x, 0, 0, 10, 3), tg_slice(x, 0, 8, 0, -2))));
    return tg_mul(y, sum_of(tg_sin(tg_slice(x, 0, 2, 9, 1))));
}

static tg_tensor of_norm(tg_tensor x) {
    tg_tensor a = tg_reshape(x, TG_SHAPE(3, 4)), mean = tg_mean(a, TG_AXES(-1), true), d = tg_sub(a, mean);
    tg_tensor y = tg_mul(d, tg_rsqrt(tg_add_scalar(tg_mean(tg_square(d), TG_AXES(-1), true), 1e-3)));
    return sum_of(tg_mul(tg_sigmoid(y), tg_reshape(tg_arange(tg_tape_of(x), 12, TG_F64), TG_SHAPE(3, 4))));
}

static tg_tensor of_attention(tg_tensor x) {
    tg_tensor q = tg_reshape(x, TG_SHAPE(2, 3, 2)), k = tg_sin(q), v = tg_square(q);
    return sum_of(tg_square(tg_matmul(tg_softmax(tg_scale(tg_matmul(q, tg_transpose(k)), .7), -1), v)));
}

static tg_tensor of_fused_attention(tg_tensor x) { /* by its own op, causal */
    tg_tensor q = tg_reshape(x, TG_SHAPE(2, 3, 2));
    return sum_of(tg_square(tg_attention(q, tg_sin(q), tg_square(q), (tg_attention_config){.causal = true})));
}

static tg_tensor of_convolution(tg_tensor x) { /* x is image and kernel at once */
    tg_tensor image = tg_reshape(x, TG_SHAPE(1, 1, 3, 4)), w = tg_reshape(tg_slice(x, 0, 4, 8, 1), TG_SHAPE(1, 1, 2, 2));
    return sum_of(tg_exp(tg_scale(tg_conv2d(image, w, (tg_conv_config){.padding = {1, 1}}), .3)));
}

static tg_tensor of_scatter(tg_tensor x) {
    const int64_t places[] = {4, 1, 4, 0, 4, 2};
    tg_tensor at = tg_input(tg_tape_of(x), tg_i64(places, TG_SHAPE(6)));
    tg_tensor y = tg_scatter_add(tg_slice(x, 0, 0, 6, 1), 0, at, tg_square(tg_slice(x, 0, 6, 12, 1)));
    return sum_of(tg_mul(tg_sin(y), y));
}

enum { N = 12 };

static void gradient_at(tg_tape *t, scalar_fn *f, const double *at, double *out) {
    tg_tensor x = tg_input(t, tg_f64(at, TG_SHAPE(N))), g;
    tg_grad(f(x), &x, 1, &g);
    tg_read(g, out, N * sizeof *out);
}

PROGRAM(n06_double_backward) {
    static scalar_fn *const fns[] = {of_products, of_softmax, of_cross_entropy, of_gather,
                                    of_slices, of_norm, of_attention, of_fused_attention, of_convolution, of_scatter};
    double x[N], v[N], up[N], down[N], h[N], gg[N];
    for (int i = 0; i < N; i++) x[i] = sin(1.3 * i + .4), v[i] = cos(2.1 * i);
    for (size_t f = 0; f < sizeof fns / sizeof *fns; f++) {
        tg_tensor at = tg_input(r->t, tg_f64(x, TG_SHAPE(N))), along = tg_input(r->t, tg_f64(v, TG_SHAPE(N))), hv, g, again;
        tg_tensor y = fns[f](at);
        tg_hvp(y, &at, &along, 1, &hv);
        tg_read(hv, h, sizeof h);
        tg_grad(y, &at, 1, &g); /* the same by a gradient of a gradient */
        tg_grad(sum_of(tg_mul(g, along)), &at, 1, &again);
        tg_read(again, gg, sizeof gg);
        double e = 1e-5, shifted[N];
        for (int i = 0; i < N; i++) shifted[i] = x[i] + e * v[i];
        gradient_at(r->t, fns[f], shifted, up);
        for (int i = 0; i < N; i++) shifted[i] = x[i] - e * v[i];
        gradient_at(r->t, fns[f], shifted, down);
        for (int i = 0; i < N; i++) {
            double want = (up[i] - down[i]) / (2 * e), size = fabs(want) + 1;
            CHECK(fabs(see(r, h[i]) - want) < 1e-6 * size, "function %zu, element %d: %g, not %g", f, i, h[i], want);
            CHECK(fabs(gg[i] - h[i]) < 1e-9 * size, "function %zu, element %d: %g and %g", f, i, gg[i], h[i]);
        }
        tg_tape_reset(r->t);
    }
}

/* ------------------------------------------------------------------ 10 */

static tg_status last_infer(tg_infer *f) {
    if (f->in_dtype[0] != TG_F64) return tg_infer_fail(f, TG_EDTYPE, "f64 only");
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = TG_F64;
    return TG_OK;
}

static tg_status cumulate(tg_kernel_args *k) {
    double sum = 0;
    for (int64_t i = 0; i < k->in[0].numel; i++) ((double *)k->out[0].data)[i] = sum += ((const double *)k->in[0].data)[i];
    return TG_OK;
}

static void cumulate_vjp(tg_vjp_args *v);

static const tg_op plain_sum = {.name = "running_sum", .min_in = 1, .max_in = 1, .infer = last_infer, .kernel = cumulate};
static const tg_op running_sum = {
    .name = "running_sum", .min_in = 1, .max_in = 1, .infer = last_infer, .kernel = cumulate, .vjp = cumulate_vjp};

static void cumulate_vjp(tg_vjp_args *v) {
    tg_tensor turned = tg_slice(v->g[0], 0, TG_END, TG_BEGIN, -1);
    tg_vjp_give(v, 0, tg_slice(tg_apply(NULL, &running_sum, NULL, &turned, 1), 0, TG_END, TG_BEGIN, -1));
}

PROGRAM(n10_an_op_of_the_user) {
    tg_tensor x = numbers_like(r->t, TG_SHAPE(9), TG_F64, 2), g, h;
    tg_tensor y = tg_apply(NULL, &running_sum, NULL, &x, 1);
    tg_grad(sum_of(tg_mul(tg_square(y), tg_relu(x))), &x, 1, &g);
    tg_grad(sum_of(tg_square(g)), &x, 1, &h);
    see_all(r, y);
    see_all(r, g);
    see_all(r, h);
    tg_tensor z = sum_of(tg_apply(NULL, &plain_sum, NULL, &x, 1));
    CHECK(isfinite(see(r, tg_item(z))), "%s", tg_message(r->t));
    CHECK_EQ_I(tg_grad(z, &x, 1, &g), TG_ENOGRAD);
    CHECK_STR(tg_message(r->t), "running_sum");
    CHECK_STR(tg_message(r->t), "programs_values.c:");
    CHECK(!tg_valid(g), "a gradient that does not exist has a handle");
    tg_clear(r->t);
}

/* ------------------------------------------------------------------ 13 */

enum { DIMS = 6, PAIRS = 5 };

static double rosenbrock(tg_tape *t, const double *at, double *gradient) {
    tg_mark mark = tg_tape_mark(t);
    tg_tensor x = tg_input(t, tg_f64(at, TG_SHAPE(DIMS))), g;
    tg_tensor a = tg_slice(x, 0, 0, DIMS - 1, 1), b = tg_slice(x, 0, 1, DIMS, 1);
    tg_tensor valley = tg_scale(sum_of(tg_square(tg_sub(b, tg_square(a)))), 100);
    tg_tensor y = tg_add(valley, sum_of(tg_square(tg_add_scalar(tg_neg(a), 1))));
    tg_grad(y, &x, 1, &g);
    tg_read(g, gradient, DIMS * sizeof *gradient);
    double value = tg_item(y);
    tg_rewind(t, mark);
    return value;
}

static double dot(const double *a, const double *b) {
    double s = 0;
    for (int i = 0; i < DIMS; i++) s += a[i] * b[i];
    return s;
}

typedef struct memory {
    double s[PAIRS][DIMS], y[PAIRS][DIMS];
    int n;
} memory;

/* The two-loop recursion: Nocedal and Wright, Numerical Optimization, algorithm 7.4. */
static void direction(const memory *m, const double *g, double *d) {
    double alpha[PAIRS];
    int first = m->n > PAIRS ? m->n - PAIRS : 0;
    for (int i = 0; i < DIMS; i++) d[i] = -g[i];
    for (int k = m->n - 1; k >= first; k--) {
        const double *s = m->s[k % PAIRS], *y = m->y[k % PAIRS];
        alpha[k % PAIRS] = dot(s, d) / dot(s, y);
        for (int i = 0; i < DIMS; i++) d[i] -= alpha[k % PAIRS] * y[i];
    }
    if (m->n) {
        const double *s = m->s[(m->n - 1) % PAIRS], *y = m->y[(m->n - 1) % PAIRS];
        for (int i = 0; i < DIMS; i++) d[i] *= dot(s, y) / dot(y, y);
    }
    for (int k = first; k < m->n; k++) {
        const double *s = m->s[k % PAIRS], *y = m->y[k % PAIRS];
        double beta = dot(y, d) / dot(s, y);
        for (int i = 0; i < DIMS; i++) d[i] += s[i] * (alpha[k % PAIRS] - beta);
    }
}

/* The loss of the elements that are wrong by much: how many there are follows from the values, step by step. */
PROGRAM(n11_shapes_that_follow_from_values) {
    double x[] = {4, -3, .2, 2, -.1, 5}, g[6];
    for (int step = 0; step < 12; step++) {
        tg_tensor w = tg_input(r->t, tg_f64(x, TG_SHAPE(6))), far = tg_gt(tg_abs(w), tg_scalar(r->t, 1, TG_F64)), gradient;
        tg_tensor places = tg_nonzero(far), chosen = tg_masked_select(w, far);
        int64_t n = tg_numel(chosen), many = 0;
        for (int i = 0; i < 6; i++) many += fabs(x[i]) > 1;
        CHECK_EQ_I(n, many);
        CHECK_EQ_I(tg_shape_of(places).dims[0], many);
        tg_tensor same = tg_gather(w, 0, tg_reshape(places, TG_SHAPE(n)));
        tg_grad(sum_of(tg_mul(chosen, same)), &w, 1, &gradient); /* 2 x where far */
        tg_read(gradient, g, sizeof g);
        CHECK(tg_ok(r->t), "%s", tg_message(r->t));
        for (int i = 0; i < 6; i++) {
            CHECK_NEAR(see(r, g[i]), fabs(x[i]) > 1 ? 2 * x[i] : 0, 1e-12);
            x[i] -= .1 * g[i];
        }
        tg_tape_reset(r->t);
    }
}

PROGRAM(n13_lbfgs_with_line_search) {
    double x[DIMS], g[DIMS], d[DIMS], at[DIMS], then[DIMS];
    memory m = {.n = 0};
    for (int i = 0; i < DIMS; i++) x[i] = i % 2 ? 1 : -1.2;
    double f = rosenbrock(r->t, x, g);
    for (int step = 0; step < 200 && dot(g, g) > 1e-20; step++) {
        direction(&m, g, d);
        double length = 1, new = INFINITY;
        for (;; length *= .5) {
            for (int i = 0; i < DIMS; i++) at[i] = x[i] + length * d[i];
            new = rosenbrock(r->t, at, then);
            if (new <= f + 1e-4 * length * dot(g, d) || length < 1e-12) break;
        }
        double *s = m.s[m.n % PAIRS], *y = m.y[m.n % PAIRS];
        for (int i = 0; i < DIMS; i++) s[i] = at[i] - x[i], y[i] = then[i] - g[i];
        if (dot(s, y) > 1e-18) m.n++;
        memcpy(x, at, sizeof x);
        memcpy(g, then, sizeof g);
        f = new;
    }
    for (int i = 0; i < DIMS; i++) CHECK_NEAR(see(r, x[i]), 1, 1e-8);
    CHECK(tg_stats(r->t).nodes < 40, "%llu nodes", (unsigned long long)tg_stats(r->t).nodes);
}

/* ------------------------------------------------------------------ 15 */

PROGRAM(n15_where_a_nan_was_born) {
    tg_model *m = tg_model_new(15);
    tg_tensor w = tg_param(m, "w", TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_CONSTANT, .a = .5});
    tg_optim *o = tg_adam(m, (tg_adam_config){0});
    tg_check_finite(r->t, true);
    for (int step = 0; step < 3; step++, tg_tape_reset(r->t)) {
        const float x[] = {1, step == 1 ? -2 : 2, 3};
        tg_tensor y = tg_log(tg_mul(tg_on(r->t, w), tg_input(r->t, tg_f32(x, TG_SHAPE(3)))));
        tg_tensor loss = tg_mean(tg_tanh(tg_exp(y)), TG_ALL_AXES, false);
        float before[3], after[3];
        tg_read(w, before, sizeof before);
        tg_status s = tg_minimize(o, loss);
        tg_read(w, after, sizeof after);
        CHECK_EQ_I(s, step == 1 ? TG_ENONFINITE : TG_OK);
        CHECK((memcmp(before, after, sizeof after) == 0) == (step == 1), "step %d", step);
        if (step != 1) continue;
        CHECK_STR(tg_message(r->t), "log: ");
        CHECK_STR(tg_message(r->t), "element 1");
        CHECK_STR(tg_error_get(r->t).site, "programs_values.c:");
        tg_clear(r->t);
        tg_discard_effects(r->t);
    }
    CHECK_EQ_I(tg_optim_steps(o), 2);
    tg_optim_free(o);
    tg_model_free(m);
}

/* A value that was asked for stands without what it was made of: its birth is still found. */
PROGRAM(n15_a_nan_behind_an_asked_value) {
    tg_model *m = tg_model_new(15);
    tg_tensor w = tg_param(m, "w", TG_SHAPE(4), TG_F64, (tg_init){.kind = TG_INIT_CONSTANT, .a = -1});
    tg_check_finite(r->t, true);
    tg_tensor born = tg_sqrt(tg_on(r->t, w)), passed = tg_tanh(tg_add_scalar(tg_exp(born), 1));
    CHECK(isnan(((const double *)tg_data(passed))[2]), "a root of -1");
    tg_assign(w, tg_mul(passed, passed));
    CHECK_EQ_I(tg_step(r->t), TG_ENONFINITE);
    CHECK_STR(tg_message(r->t), "sqrt: ");
    CHECK_STR(tg_message(r->t), "was born here, at element 0");
    tg_clear(r->t);
    tg_discard_effects(r->t);

    tg_tensor x = tg_tanh(tg_sqrt(tg_on(r->t, w))); /* the same, but the parameter has changed since: named where it is known */
    tg_data(x);
    tg_assign(w, tg_zeros(r->t, TG_SHAPE(4), TG_F64));
    CHECK_EQ_I(tg_step(r->t), TG_OK);
    tg_assign(w, tg_neg(x));
    CHECK_EQ_I(tg_step(r->t), TG_ENONFINITE);
    CHECK_STR(tg_message(r->t), "was born here");
    tg_clear(r->t);
    tg_discard_effects(r->t);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 19 */

PROGRAM(n19_ops_through_function_pointers) {
    tg_tensor (*const one[])(tg_tensor) = {tg_relu, tg_exp, tg_tanh, tg_transpose};
    tg_tensor (*const two[])(tg_tensor, tg_tensor) = {tg_add, tg_mul, tg_matmul};
    tg_tensor x = numbers_like(r->t, TG_SHAPE(3, 3), TG_F32, 4);
    for (int i = 0; i < 4; i++) x = one[i](x);
    for (int i = 0; i < 3; i++) x = two[i](x, x);
    see_all(r, x);
}

/* ------------------------------------------------------------------ 20 */

PROGRAM(n20_a_long_inner_sum_on_any_threads) {
    enum { K = 50176 };
    static float first[150];
    float got[150];
    tg_tensor x = numbers_like(r->t, TG_SHAPE(K, 15), TG_F32, 1), w = numbers_like(r->t, TG_SHAPE(15, 10), TG_F32, 2), g;
    for (int k = 0; k < 3; k++) {
        tg_set_threads(r->t, (int[]){1, 2, 8}[k]);
        tg_tensor again = tg_stop_gradient(w);
        tg_grad(sum_of(tg_square(tg_matmul(x, again))), &again, 1, &g);
        tg_read(g, k ? got : first, sizeof got);
        if (k) CHECK(!memcmp(got, first, sizeof got), "other bits on %d threads", (int[]){1, 2, 8}[k]);
    }
    see_all(r, g);
    const float *a = tg_data(x), *b = tg_data(w);
    double want = 0; /* dw[0][0] = sum over k of 2 x[k][0] y[k][0] */
    for (int k = 0; k < K; k++) {
        double y = 0;
        for (int i = 0; i < 15; i++) y += (double)a[15 * k + i] * b[10 * i];
        want += 2 * a[15 * k] * y;
    }
    CHECK_NEAR(first[0], want, 1e-5 * fabs(want) + 1);
}
