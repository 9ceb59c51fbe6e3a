/* tests/networks.c: the public functions of networks that are made of listed ops, against naive sums; their errors. */
#include <math.h>
#include <string.h>
#include <tapegrad.h>

#include "tests/test.h"

static double values[4096];

static tg_tensor numbers(tg_tape *t, tg_shape s, double phase) {
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dims[i];
    for (int64_t i = 0; i < n; i++) values[i] = sin(1.7 * (double)i + phase) + 0.1 * cos((double)(i * i));
    return tg_input(t, tg_f64(values, s));
}

static void check_error(tg_tape *t, tg_tensor y, tg_status status, const char *text) {
    CHECK(!tg_valid(y) || !tg_ok(t), "no error for %s", text);
    CHECK_EQ_I(tg_error(t), status);
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_error_get(t).site, "networks.c");
    tg_clear(t);
}

/* ------------------------------------------------------------------ normalisation */

TEST(networks, group_norm_is_that_of_each_group) {
    tg_tape *t = tg_tape_new();
    enum { N = 2, C = 6, S = 4, G = 3, SIZE = C / G * S };
    tg_tensor x = numbers(t, TG_SHAPE(N, C, S), 0), w = numbers(t, TG_SHAPE(C), 1), b = numbers(t, TG_SHAPE(C), 2);
    tg_tensor y = tg_group_norm(x, G, w, b, 1e-5);
    const double *xs = tg_data(x), *ws = tg_data(w), *bs = tg_data(b), *ys = tg_data(y);
    if (!CHECK(ys, "%s", tg_message(t))) return;
    for (int i = 0; i < N * C * S; i++) {
        double mean = 0, square = 0;
        const double *group = xs + i / SIZE * SIZE;
        for (int j = 0; j < SIZE; j++) mean += group[j] / SIZE;
        for (int j = 0; j < SIZE; j++) square += (group[j] - mean) * (group[j] - mean) / SIZE;
        int c = i / S % C;
        CHECK_NEAR(ys[i], (xs[i] - mean) / sqrt(square + 1e-5) * ws[c] + bs[c], 1e-12);
    }
    tg_tensor each = tg_instance_norm(x, w, b, 1e-5), same = tg_group_norm(x, C, w, b, 1e-5);
    CHECK(memcmp(tg_data(each), tg_data(same), N * C * S * sizeof(double)) == 0, "instance norm is not a channel a group");
    tg_tensor none = {0};
    check_error(t, tg_group_norm(x, 4, w, b, 1e-5), TG_EARG, "4 groups");
    check_error(t, tg_group_norm(x, 3, w, b, 0), TG_EARG, "epsilon");
    check_error(t, tg_layer_norm(x, none, w, 1e-5), TG_EARG, "needs a weight");
    check_error(t, tg_layer_norm(x, w, none, 1e-5), TG_ESHAPE, "must have shape (4)");
    check_error(t, tg_batch_norm(x, w, b, NAN, NULL), TG_EARG, "epsilon");
    tg_tape_free(t);
}

TEST(networks, batch_norm_gives_the_statistics_of_the_batch) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(3, 2, 5), 0), one = tg_ones(t, TG_SHAPE(2), TG_F64), stats[2];
    tg_tensor y = tg_batch_norm(x, one, tg_zeros(t, TG_SHAPE(2), TG_F64), 1e-9, stats);
    const double *means = tg_data(tg_mean(y, TG_AXES(0, 2), false)), *mean = tg_data(stats[0]), *variance = tg_data(stats[1]);
    const double *squares = tg_data(tg_mean(tg_square(y), TG_AXES(0, 2), false)), *xs = tg_data(x);
    for (int c = 0; c < 2; c++) {
        double sum = 0, square = 0;
        for (int i = 0; i < 15; i++) sum += xs[i / 5 * 10 + c * 5 + i % 5] / 15;
        for (int i = 0; i < 15; i++) square += pow(xs[i / 5 * 10 + c * 5 + i % 5] - sum, 2) / 15;
        CHECK_NEAR(mean[c], sum, 1e-14);
        CHECK_NEAR(variance[c], square, 1e-14);
        CHECK_NEAR(means[c], 0, 1e-14);
        CHECK_NEAR(squares[c], 1, 1e-8);
    }
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ convolution and pooling */

static double inner(tg_tensor a, tg_tensor b) { return tg_item(tg_sum(tg_mul(a, b), TG_ALL_AXES, false)); }

TEST(networks, a_transposed_convolution_is_the_transpose) {
    tg_tape *t = tg_tape_new();
    tg_conv_config c = {.stride = {2, 3}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2};
    tg_tensor x = numbers(t, TG_SHAPE(2, 4, 7, 11), 0), w = numbers(t, TG_SHAPE(6, 2, 3, 2), 1), y = tg_conv2d(x, w, c);
    tg_tensor g = numbers(t, tg_shape_of(y), 2);
    c.output_padding[1] = 2;
    tg_tensor back = tg_conv_transpose2d(g, w, c);
    CHECK_EQ_I(tg_shape_of(back).dims[2], 7);
    CHECK_EQ_I(tg_shape_of(back).dims[3], 11);
    CHECK_NEAR(inner(y, g), inner(x, back), 1e-11);
    c.bias = numbers(t, TG_SHAPE(4), 3);
    tg_tensor shifted = tg_sub(tg_conv_transpose2d(g, w, c), back);
    CHECK_NEAR(inner(shifted, x), inner(tg_reshape(c.bias, TG_SHAPE(4, 1, 1)), x), 1e-11);
    c.bias = numbers(t, TG_SHAPE(1), 3);
    check_error(t, tg_conv_transpose2d(g, w, c), TG_ESHAPE, "");
    c.bias = (tg_tensor){0};
    check_error(t, tg_conv1d(x, w, c), TG_ESHAPE, "rank 4");
    check_error(t, tg_conv_transpose1d(x, w, c), TG_ESHAPE, "rank 4");
    c.output_padding[0] = 2;
    check_error(t, tg_conv_transpose2d(g, w, c), TG_ESHAPE, "negative");
    check_error(t, tg_adaptive_avg_pool(x, TG_SHAPE(2)), TG_ESHAPE, "1 axes for 2");
    check_error(t, tg_max_pool(x, (tg_pool_config){.kernel = {2}}), TG_EARG, "kernel 0 of axis 1");
    tg_tape_free(t);
}

TEST(networks, one_window_is_the_global_pool) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(2, 3, 4, 5), 0), s = tg_reshape(tg_adaptive_avg_pool(x, TG_SHAPE(1, 1)), TG_SHAPE(2, 3));
    const double *a = tg_data(tg_global_avg_pool(x)), *b = tg_data(s), *top = tg_data(tg_global_max_pool(x));
    const double *most = tg_data(tg_adaptive_max_pool(x, TG_SHAPE(1, 1)));
    for (int i = 0; i < 6; i++) {
        CHECK_NEAR(a[i], b[i], 1e-14);
        CHECK_NEAR(top[i], most[i], 0);
    }
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ rotary embedding */

TEST(networks, products_of_rotated_vectors_depend_on_distance) {
    tg_tape *t = tg_tape_new();
    tg_tensor q = numbers(t, TG_SHAPE(1, 8), 0), k = numbers(t, TG_SHAPE(1, 8), 1);
    double near = inner(tg_rotary(q, 3, 1e4), tg_rotary(k, 1, 1e4)),
           far = inner(tg_rotary(q, 102, 1e4), tg_rotary(k, 100, 1e4));
    CHECK_NEAR(near, far, 1e-12);
    CHECK_NEAR(inner(tg_rotary(q, 0, 1e4), k), inner(q, k), 1e-14);
    const double *x = tg_data(q), *y = tg_data(tg_rotary(q, 5, 100));
    for (int i = 0; i < 4; i++) {
        double angle = 5 * pow(100, -2.0 * i / 8);
        CHECK_NEAR(y[i], x[i] * cos(angle) - x[i + 4] * sin(angle), 1e-14);
        CHECK_NEAR(y[i + 4], x[i] * sin(angle) + x[i + 4] * cos(angle), 1e-14);
    }
    check_error(t, tg_rotary(numbers(t, TG_SHAPE(2, 3), 0), 0, 1e4), TG_ESHAPE, "even");
    check_error(t, tg_rotary(q, 0, -1), TG_EARG, "base");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ cells */

static double logistic(double x) { return 1 / (1 + exp(-x)); }

enum { I = 3, H = 2, N = 2 };

static double column(const double *x, const double *w, const double *b, int row, int columns, int size, int j) {
    double sum = b ? b[j] : 0;
    for (int i = 0; i < size; i++) sum += x[row * size + i] * w[i * columns + j];
    return sum;
}

TEST(networks, cells_do_what_their_equations_say) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(N, I), 0), h = numbers(t, TG_SHAPE(N, H), 1), c = numbers(t, TG_SHAPE(N, H), 2), next = c;
    tg_cell l = {numbers(t, TG_SHAPE(I, 4 * H), 3), numbers(t, TG_SHAPE(H, 4 * H), 4), numbers(t, TG_SHAPE(4 * H), 5), {0}};
    tg_cell r = {numbers(t, TG_SHAPE(I, 3 * H), 6), numbers(t, TG_SHAPE(H, 3 * H), 7), numbers(t, TG_SHAPE(3 * H), 8),
                 numbers(t, TG_SHAPE(3 * H), 9)};
    tg_cell e = {numbers(t, TG_SHAPE(I, H), 10), numbers(t, TG_SHAPE(H, H), 11), numbers(t, TG_SHAPE(H), 12), {0}};
    const double *lstm = tg_data(tg_lstm_cell(x, h, &next, l)), *memory = tg_data(next), *gru = tg_data(tg_gru_cell(x, h, r));
    const double *rnn = tg_data(tg_rnn_cell(x, h, e)), *xs = tg_data(x), *hs = tg_data(h), *cs = tg_data(c);
    if (!CHECK(lstm && memory && gru && rnn, "%s", tg_message(t))) return;
    for (int k = 0; k < N * H; k++) {
        int row = k / H, j = k % H;
        double z[4], u[3], v[3];
        for (int p = 0; p < 4; p++)
            z[p] = column(xs, tg_data(l.wx), tg_data(l.b), row, 4 * H, I, p * H + j) +
                   column(hs, tg_data(l.wh), NULL, row, 4 * H, H, p * H + j);
        for (int p = 0; p < 3; p++) {
            u[p] = column(xs, tg_data(r.wx), tg_data(r.b), row, 3 * H, I, p * H + j);
            v[p] = column(hs, tg_data(r.wh), tg_data(r.bh), row, 3 * H, H, p * H + j);
        }
        double kept = logistic(z[1]) * cs[k] + logistic(z[0]) * tanh(z[2]);
        CHECK_NEAR(memory[k], kept, 1e-14);
        CHECK_NEAR(lstm[k], logistic(z[3]) * tanh(kept), 1e-14);
        double fresh = tanh(u[2] + logistic(u[0] + v[0]) * v[2]), old = logistic(u[1] + v[1]);
        CHECK_NEAR(gru[k], (1 - old) * fresh + old * hs[k], 1e-14);
        CHECK_NEAR(rnn[k],
                   tanh(column(xs, tg_data(e.wx), tg_data(e.b), row, H, I, j) + column(hs, tg_data(e.wh), NULL, row, H, H, j)),
                   1e-14);
    }
    next = c;
    check_error(t, tg_lstm_cell(x, h, &next, r), TG_ESHAPE, "4 columns");
    tg_tape_free(t);
}

static void check_same(tg_tensor x, tg_tensor y) {
    const void *xs = tg_data(x), *ys = tg_data(y);
    CHECK(xs && ys && memcmp(xs, ys, N * H * sizeof(double)) == 0, "%s", tg_message(tg_tape_of(x)));
}

TEST(networks, cells_take_the_product_of_the_input) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(N, I), 0), h = numbers(t, TG_SHAPE(N, H), 1), c = numbers(t, TG_SHAPE(N, H), 2);
    tg_tensor other = c;
    for (int gates = 1; gates <= 4; gates++) {
        tg_cell w = {numbers(t, TG_SHAPE(I, gates * H), 3), numbers(t, TG_SHAPE(H, gates * H), 4),
                     numbers(t, TG_SHAPE(gates * H), 5), {0}};
        tg_cell rest = w;
        tg_tensor xw = tg_matmul(x, w.wx);
        rest.wx = (tg_tensor){0};
        if (gates == 1) check_same(tg_rnn_cell(x, h, w), tg_rnn_cell(xw, h, rest));
        if (gates == 3) check_same(tg_gru_cell(x, h, w), tg_gru_cell(xw, h, rest));
        if (gates != 4) continue;
        check_same(tg_lstm_cell(x, h, &c, w), tg_lstm_cell(xw, h, &other, rest));
        check_same(c, other);
    }
    tg_tape_free(t);
}
