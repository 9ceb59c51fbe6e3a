/* tests/ops_loss.c: what tg_op_check cannot know of losses: values by hand, masks over NaN, refused options, equal losses. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

#define N 12
#define C 4

static tg_tensor doubles(tg_tape *t, tg_shape s, const double *v) { return tg_input(t, tg_f64(v, s)); }

/* Some logits, large ones among them. */
static tg_tensor logits_of(tg_tape *t, tg_shape s, tg_dtype d) {
    tg_seed(t, 3);
    return tg_normal(t, s, d, 0, 4);
}

static tg_tensor labels_of(tg_tape *t) {
    int64_t v[N];
    for (int i = 0; i < N; i++) v[i] = i * 7 % C;
    return tg_input(t, tg_i64(v, TG_SHAPE(N)));
}

static void same_bits(tg_tensor a, tg_tensor b, const char *what) {
    const void *x = tg_data(a), *y = tg_data(b);
    size_t size = (size_t)tg_numel(a) * tg_dtype_size(tg_dtype_of(a));
    CHECK(x && y && tg_numel(a) == tg_numel(b) && !memcmp(x, y, size), "%s differ: %s", what, tg_message(tg_tape_of(a)));
}

static void same_with_gradient(tg_tensor a, tg_tensor b, tg_tensor x, const char *what) {
    tg_tensor da, db;
    tg_grad(a, &x, 1, &da);
    tg_grad(b, &x, 1, &db);
    same_bits(a, b, what);
    same_bits(da, db, what);
}

TEST(losses, focal_of_gamma_0_is_cross_entropy) {
    tg_tape *t = tg_tape_new();
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
        tg_tensor x = logits_of(t, TG_SHAPE(N, C), d), labels = labels_of(t);
        const double weights[C] = {0.5, 2, 1, 3};
        tg_loss_options plain = {0}, weighted = {.class_weight = tg_cast(doubles(t, TG_SHAPE(C), weights), d)};
        same_with_gradient(tg_focal(x, labels, 0, plain), tg_cross_entropy(x, labels), x, "focal and cross_entropy");
        same_with_gradient(tg_focal(x, labels, 0, weighted), tg_cross_entropy_with(x, labels, weighted), x, "weighted");
        tg_tensor target = tg_cast(tg_gt(logits_of(t, TG_SHAPE(N, C), d), tg_zeros(t, TG_SCALAR, d)), d);
        same_with_gradient(tg_focal_binary(x, target, -1, 0, plain), tg_bce_with_logits(x, target, plain), x, "binary");
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(losses, plain_options_are_the_short_forms) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = logits_of(t, TG_SHAPE(N, C), TG_F64), labels = labels_of(t), one_hot = tg_one_hot(labels, C, TG_F64);
    tg_loss_options plain = {0};
    same_with_gradient(tg_cross_entropy_with(x, labels, plain), tg_cross_entropy(x, labels), x, "cross_entropy_with");
    same_with_gradient(tg_mse_with(x, one_hot, plain), tg_mse(x, one_hot), x, "mse_with");
    double soft = tg_item(tg_cross_entropy_soft(x, one_hot, plain)), hard = tg_item(tg_cross_entropy(x, labels));
    double nll = tg_item(tg_nll(tg_log_softmax(x, -1), labels, plain));
    CHECK(fabs(soft - hard) < 1e-13 * hard && fabs(nll - hard) < 1e-13 * hard, "%g, %g, %g", soft, nll, hard);
    tg_loss_options smooth = {.smoothing = 0.1};
    tg_tensor spread = tg_add_scalar(tg_scale(one_hot, 0.9), 0.1 / C);
    double a = tg_item(tg_cross_entropy_with(x, labels, smooth)), b = tg_item(tg_cross_entropy_soft(x, spread, plain));
    double c = tg_item(tg_cross_entropy_soft(x, one_hot, smooth));
    CHECK(fabs(a - b) < 1e-13 * a && fabs(a - c) < 1e-13 * a, "smoothed: %.17g, %.17g, %.17g", a, b, c);
    tg_tape_free(t);
}

/* What does not count may be NaN, infinite, or no class. */
TEST(losses, masks_keep_out_what_does_not_count) {
    tg_tape *t = tg_tape_new();
    const double a[4] = {1, NAN, 3, INFINITY}, b[4] = {0, 1, NAN, 2};
    const uint8_t counts[4] = {true, false, false, false}, nothing[4] = {0};
    tg_tensor x = doubles(t, TG_SHAPE(4), a), y = doubles(t, TG_SHAPE(4), b), g;
    tg_loss_options o = {.mask = tg_input(t, tg_bools(counts, TG_SHAPE(4)))};
    tg_loss_options none = {.mask = tg_input(t, tg_bools(nothing, TG_SHAPE(4)))};
    tg_tensor losses[] = {tg_mse_with(x, y, o),        tg_mae(x, y, o),
                          tg_huber(x, y, 0.5, o),      tg_bce(x, y, o),
                          tg_bce_with_logits(x, y, o), tg_focal_binary(x, y, 0.25, 2, o),
                          tg_hinge(x, y, o),           tg_poisson_nll(x, y, o),
                          tg_mse_with(x, y, none),     tg_gaussian_nll(x, y, x, 1e-3, o)};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        CHECK(isfinite(tg_item(losses[i])), "loss %zu is %g", i, tg_item(losses[i]));
        tg_grad(losses[i], &x, 1, &g);
        const double *v = tg_data(g);
        for (int k = 0; v && k < 4; k++)
            CHECK(k ? v[k] == 0 : isfinite(v[k]), "loss %zu: gradient %d is %g", i, k, v[k]);
    }
    CHECK(tg_item(losses[0]) == 1 && tg_item(losses[8]) == 0, "%g, %g", tg_item(losses[0]), tg_item(losses[8]));
    const int64_t labels[3] = {1, -100, 0};
    tg_tensor rows = doubles(t, TG_SHAPE(3, 2), (const double[]){0, 0, NAN, NAN, 0, 0});
    tg_loss_options ignore = {.ignore = true, .ignored = -100};
    tg_tensor kept = tg_cross_entropy_with(rows, tg_input(t, tg_i64(labels, TG_SHAPE(3))), ignore);
    CHECK(fabs(tg_item(kept) - log(2)) < 1e-15, "%g: %s", tg_item(kept), tg_message(t));
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(losses, values_by_hand) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = doubles(t, TG_SHAPE(2), (const double[]){3, -1}), y = doubles(t, TG_SHAPE(2), (const double[]){1, -0.5});
    tg_loss_options o = {0}, sum = {.reduction = TG_REDUCE_SUM, .weight = doubles(t, TG_SHAPE(2), (const double[]){10, 1})};
#define IS(loss, want) CHECK(fabs(tg_item(loss) - (want)) < 1e-14, #loss " is %.17g: %s", tg_item(loss), tg_message(t))
    IS(tg_mae(x, y, o), 1.25);
    IS(tg_mae(x, y, sum), 20.5);
    IS(tg_huber(x, y, 1, o), (1.5 + 0.125) / 2);
    IS(tg_smooth_l1(x, y, 0.5, o), (1.75 + 0.25) / 2);
    IS(tg_hinge(x, y, o), 0.25);
    IS(tg_poisson_nll(x, y, o), (exp(3) - 3 + exp(-1) - 0.5) / 2);
    IS(tg_gaussian_nll(x, y, tg_square(x), 2, o), ((log(9) + 4.0 / 9) + (log(2) + 0.125)) / 4);
    IS(tg_bce(tg_scalar(t, 0, TG_F64), tg_scalar(t, 0, TG_F64), o), 0);
    IS(tg_bce_with_logits(tg_scalar(t, 800, TG_F64), tg_scalar(t, 0, TG_F64), o), 800);
    IS(tg_kl(tg_log(doubles(t, TG_SHAPE(2), (const double[]){0.5, 0.5})), doubles(t, TG_SHAPE(2), (const double[]){1, 0}), o),
       log(2));
    IS(tg_cosine_similarity(x, y), 3.5 / sqrt(10 * 1.25));
    IS(tg_cosine_similarity(x, tg_zeros(t, TG_SHAPE(2), TG_F64)), 0);
    IS(tg_triplet(x, y, x, 0.5, o), sqrt(4.25) - 1e-12 + 0.5);
    IS(tg_cosine(x, y, tg_full(t, TG_SCALAR, 0, TG_I64), 0.25, o), 3.5 / sqrt(10 * 1.25) - 0.25);
    tg_tape_free(t);
}

static void refused(tg_tape *t, tg_status status, const char *text) {
    CHECK(tg_error(t) == status, "%s instead of %s", tg_status_name(tg_error(t)), tg_status_name(status));
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_message(t), "ops_loss.c:");
    tg_clear(t);
}

TEST(losses, what_they_refuse) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_zeros(t, TG_SHAPE(3, 2), TG_F32), labels = tg_full(t, TG_SHAPE(3), 5, TG_I64);
    tg_loss_options o = {0}, smooth = {.smoothing = 0.1}, wild = {.smoothing = 2}, ignore = {.ignore = true};
    tg_mse_with(x, x, smooth);
    refused(t, TG_EARG, "mse: this loss takes no smoothing");
    tg_mae(x, x, (tg_loss_options){.class_weight = x});
    refused(t, TG_EARG, "mae: this loss takes no class_weight");
    tg_bce(x, x, ignore);
    refused(t, TG_EARG, "bce: this loss has no labels");
    tg_cross_entropy_with(x, labels, wild);
    refused(t, TG_EARG, "the smoothing must be in [0, 1]");
    tg_huber(x, x, 0, o);
    refused(t, TG_EARG, "delta must be positive");
    tg_smooth_l1(x, x, NAN, o);
    refused(t, TG_EARG, "beta must be positive");
    tg_gaussian_nll(x, x, x, 0, o);
    refused(t, TG_EARG, "variance must be positive");
    tg_focal(x, labels, -1, o);
    refused(t, TG_EARG, "gamma must not be negative");
    tg_focal_binary(x, x, 2, 1, o);
    refused(t, TG_EARG, "alpha must not be above 1");
    tg_triplet(x, x, x, 0, o);
    refused(t, TG_EARG, "the margin must be positive");
    tg_cosine(x, x, labels, 2, o);
    refused(t, TG_EARG, "the margin must be in [-1, 1]");
    tg_item(tg_nll(x, labels, o));
    refused(t, TG_EINDEX, "label 5 at position 0 is not in [0, 2)");
    tg_item(tg_focal(x, labels, 1, o));
    refused(t, TG_EINDEX, "label 5");
    tg_mse_with((tg_tensor){0}, (tg_tensor){0}, o);
    CHECK(tg_ok(t), "an op without a tape has no tape to fail");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ ctc */

enum { STEPS = 5, CLASSES = 3, LABELS = 3 };

/* Whether a path, a number of STEPS digits, reads as the labels. */
static bool reads_as(int path, int steps, const int64_t *labels, int64_t n) {
    int last = -1;
    int64_t at = 0;
    for (int i = 0; i < steps; i++, path /= CLASSES) {
        int class = path % CLASSES;
        if (class != last && class != 0 && (at == n || labels[at++] != class)) return false;
        last = class;
    }
    return at == n;
}

static double by_enumeration(const double *log_p, int n, int sequence, int steps, const int64_t *labels, int64_t size) {
    double sum = 0;
    int paths = 1;
    for (int i = 0; i < steps; i++) paths *= CLASSES;
    for (int path = 0; path < paths; path++) {
        if (!reads_as(path, steps, labels, size)) continue;
        double p = 1;
        for (int i = 0, rest = path; i < steps; i++, rest /= CLASSES)
            p *= exp(log_p[(i * n + sequence) * CLASSES + rest % CLASSES]);
        sum += p;
    }
    return -log(sum);
}

TEST(losses, ctc_is_the_sum_over_all_paths) {
    enum { BATCH = 7 };
    const int64_t labels[BATCH][LABELS] = {{1, 2, 1}, {1, 1, 2}, {2, 9, 9}, {1, 1, -5}, {2, 1, 2}, {0, 0, 0}, {1, 1, 1}};
    const int64_t steps[BATCH] = {5, 5, 1, 4, 3, 2, 4}, sizes[BATCH] = {3, 3, 1, 2, 3, 0, 3};
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_log_softmax(logits_of(t, TG_SHAPE(STEPS, BATCH, CLASSES), TG_F64), -1);
    tg_tensor y = tg_input(t, tg_i64(&labels[0][0], TG_SHAPE(BATCH, LABELS)));
    tg_tensor x_length = tg_input(t, tg_i64(steps, TG_SHAPE(BATCH))), y_length = tg_input(t, tg_i64(sizes, TG_SHAPE(BATCH)));
    const double *log_p = tg_data(x), *each = tg_data(tg_ctc(x, y, x_length, y_length, 0, TG_REDUCE_NONE));
    if (!CHECK(log_p && each, "%s", tg_message(t))) return;
    for (int i = 0; i < BATCH; i++) {
        double want = by_enumeration(log_p, BATCH, i, (int)steps[i], labels[i], sizes[i]);
        CHECK(each[i] == want || fabs(each[i] - want) < 1e-12 * want, "sequence %d: %.17g, not %.17g", i, each[i], want);
    }
    CHECK(each[6] == INFINITY, "three equal labels do not fit in four steps");
    tg_tensor g, impossible = tg_slice(tg_ctc(x, y, x_length, y_length, 0, TG_REDUCE_NONE), 0, 6, 7, 1);
    tg_vjp(impossible, tg_ones(t, TG_SHAPE(1), TG_F64), &x, 1, &g);
    CHECK(tg_item(tg_max(tg_abs(g), TG_ALL_AXES, false)) == 0, "no gradient of what cannot be: %s", tg_message(t));
    tg_tensor no_labels = tg_zeros(t, TG_SHAPE(BATCH, 0), TG_I64), no_length = tg_zeros(t, TG_SHAPE(BATCH), TG_I64);
    each = tg_data(tg_ctc(x, no_labels, x_length, no_length, 0, TG_REDUCE_NONE));
    for (int i = 0; i < BATCH && CHECK(each != NULL, "%s", tg_message(t)); i++)
        CHECK_NEAR(each[i], by_enumeration(log_p, BATCH, i, (int)steps[i], labels[i], 0), 1e-12);
    tg_tensor wrong = tg_full(t, TG_SHAPE(BATCH, LABELS), 7, TG_I64);
    tg_item(tg_ctc(x, wrong, x_length, y_length, 0, TG_REDUCE_SUM));
    CHECK(tg_error(t) == TG_EINDEX, "a label that is no class: %s", tg_message(t));
    tg_tape_free(t);
}
