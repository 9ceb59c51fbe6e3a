/* Models: names, first values, the linear layer. */
#include <math.h>
#include <string.h>
#include <tapegrad.h>

#include "test.h"

enum { IN = 300, OUT = 200, COUNT = IN * OUT };

typedef struct moments {
    double mean, deviation, least, most;
} moments;

static moments moments_of(tg_tensor p) {
    moments s = {0, 0, INFINITY, -INFINITY};
    int64_t n = tg_numel(p);
    const void *data = tg_data(p);
    bool f32 = tg_dtype_of(p) == TG_F32;
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = f32 ? ((const float *)data)[i] : ((const double *)data)[i];
        s.mean += x / (double)n;
        square += x * x / (double)n;
        s.least = fmin(s.least, x);
        s.most = fmax(s.most, x);
    }
    s.deviation = sqrt(fmax(square - s.mean * s.mean, 0));
    return s;
}

/* Sampling errors: of a mean about deviation / sqrt(n), of a deviation about deviation / sqrt(2 n); 5 times that is allowed. */
static void has_moments(tg_init init, tg_dtype dtype, double mean, double deviation, double least, double most) {
    tg_model *m = tg_model_new(11);
    tg_tensor p = tg_param(m, "p", TG_SHAPE(IN, OUT), dtype, init);
    if (CHECK(tg_model_ok(m), "%s", tg_model_message(m))) {
        moments s = moments_of(p);
        CHECK_NEAR(s.mean, mean, 5 * deviation / sqrt(COUNT) + 1e-12);
        CHECK_NEAR(s.deviation, deviation, 5 * deviation / sqrt(2. * COUNT) + 1e-6);
        CHECK(s.least >= least && s.most < most, "values from %g to %g", s.least, s.most);
    }
    tg_model_free(m);
}

TEST(nn, moments_of_first_values) {
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
        double he = sqrt(6. / IN), xavier = sqrt(6. / (IN + OUT)), third = 1 / sqrt(3), up = 1 + 1e-6;
        has_moments((tg_init){.kind = TG_INIT_ZEROS}, d, 0, 0, 0, 1);
        has_moments((tg_init){.kind = TG_INIT_CONSTANT, .a = .75}, d, .75, 0, .75, 1);
        has_moments((tg_init){.kind = TG_INIT_UNIFORM, .a = 2, .b = 6}, d, 4, 2 * third, 2, 6);
        has_moments((tg_init){.kind = TG_INIT_NORMAL, .a = -3, .b = .5}, d, -3, .5, -6, 0);
        has_moments((tg_init){.kind = TG_INIT_HE_NORMAL}, d, 0, sqrt(2. / IN), -1, 1);
        has_moments((tg_init){.kind = TG_INIT_HE_UNIFORM}, d, 0, he * third, -he * up, he * up);
        has_moments((tg_init){.kind = TG_INIT_HE_UNIFORM, .fan_in = 6}, d, 0, third, -up, up);
        has_moments((tg_init){.kind = TG_INIT_XAVIER_NORMAL}, d, 0, sqrt(2. / (IN + OUT)), -1, 1);
        has_moments((tg_init){.kind = TG_INIT_XAVIER_UNIFORM}, d, 0, xavier * third, -xavier * up, xavier * up);
    }
}

TEST(nn, a_uniform_range_is_open_above) {
    tg_model *m = tg_model_new(3);
    /* the span is 2 steps of f32: rounding reaches b for half of the draws */
    tg_tensor p = tg_param(m, "p", TG_SHAPE(1000), TG_F32, (tg_init){.kind = TG_INIT_UNIFORM, .a = 1, .b = 1 + 0x1p-22});
    tg_tensor q = tg_param(m, "q", TG_SHAPE(10), TG_F32, (tg_init){.kind = TG_INIT_UNIFORM, .a = 2, .b = 2});
    moments s = moments_of(p), e = moments_of(q);
    CHECK(s.least == 1 && s.most == 1 + 0x1p-23, "values from %.9g to %.9g", s.least, s.most);
    CHECK(e.least == 2 && e.most == 2, "values from %.9g to %.9g", e.least, e.most);
    tg_model_free(m);
}

static void draw(uint64_t seed, float *first, float *second) {
    tg_model *m = tg_model_new(seed);
    tg_init normal = {.kind = TG_INIT_NORMAL, .b = 1};
    tg_read(tg_param(m, "first", TG_SHAPE(100), TG_F32, normal), first, 400);
    tg_read(tg_param(m, "second", TG_SHAPE(100), TG_F32, normal), second, 400);
    tg_model_free(m);
}

TEST(nn, first_values_follow_the_seed) {
    float a[100], b[100], c[100], d[100], e[100], f[100];
    draw(5, a, b);
    draw(5, c, d);
    draw(6, e, f);
    CHECK(memcmp(a, c, sizeof a) == 0 && memcmp(b, d, sizeof b) == 0, "the same seed draws other numbers");
    CHECK(memcmp(a, b, sizeof a) != 0, "two parameters have the same numbers");
    CHECK(memcmp(a, e, sizeof a) != 0 && memcmp(b, f, sizeof b) != 0, "two seeds draw the same numbers");
}

static void refused(tg_model *m, tg_tensor p, tg_status status, const char *part) {
    CHECK_EQ_I(tg_model_error(m), status);
    CHECK_STR(tg_model_message(m), part);
    CHECK(!tg_valid(p), "a failed parameter is valid");
    tg_tape *t = tg_tape_new();
    tg_relu(tg_add(tg_scalar(t, 1, TG_F32), p));
    CHECK_EQ_I(tg_error(t), TG_EARG);
    tg_tape_free(t);
    tg_model_clear(m);
}

TEST(nn, bad_parameters) {
    tg_model *m = tg_model_new(1);
    tg_init zeros = {.kind = TG_INIT_ZEROS}, he = {.kind = TG_INIT_HE_NORMAL};
    char name[202];
    memset(name, 'n', 201);
    name[201] = 0;
    tg_param(m, "taken", TG_SCALAR, TG_F32, zeros);
    refused(m, tg_param(m, "taken", TG_SCALAR, TG_F32, zeros), TG_EARG, "taken");
    refused(m, tg_buffer(m, "taken", TG_SCALAR, TG_F32), TG_EARG, "taken");
    refused(m, tg_param(m, "", TG_SCALAR, TG_F32, zeros), TG_EARG, "empty");
    refused(m, tg_param(m, NULL, TG_SCALAR, TG_F32, zeros), TG_EARG, "empty");
    refused(m, tg_param(m, name, TG_SCALAR, TG_F32, zeros), TG_EARG, "200 bytes");
    refused(m, tg_param(m, "i", TG_SCALAR, TG_I64, zeros), TG_EARG, "i64");
    refused(m, tg_buffer(m, "d", TG_SCALAR, (tg_dtype)77), TG_EARG, "dtype 77");
    refused(m, tg_param(m, "s", TG_SHAPE(2, -1), TG_F32, zeros), TG_ESHAPE, "s: ");
    refused(m, tg_param(m, "s", TG_SHAPE(INT64_MAX, 2), TG_F32, zeros), TG_ESHAPE, "s: ");
    refused(m, tg_param(m, "k", TG_SCALAR, TG_F32, (tg_init){.kind = (tg_init_kind)99}), TG_EARG, "initialiser");
    refused(m, tg_param(m, "u", TG_SCALAR, TG_F32, (tg_init){.kind = TG_INIT_UNIFORM, .a = 2, .b = 1}), TG_EARG, "a <= b");
    refused(m, tg_param(m, "n", TG_SCALAR, TG_F32, (tg_init){.kind = TG_INIT_NORMAL, .b = -1}), TG_EARG, "b >= 0");
    refused(m, tg_param(m, "n", TG_SCALAR, TG_F32, (tg_init){.kind = TG_INIT_NORMAL, .b = NAN}), TG_EARG, "finite");
    refused(m, tg_param(m, "v", TG_SHAPE(3), TG_F32, he), TG_EARG, "fan_in");
    refused(m, tg_param(m, "v", TG_SHAPE(3, 3), TG_F32, (tg_init){.kind = TG_INIT_HE_NORMAL, .fan_in = -1}), TG_EARG, "fan_in");
    CHECK_EQ_I(tg_model_count(m), 1);
    CHECK(!tg_valid(tg_param(NULL, "p", TG_SCALAR, TG_F32, zeros)), "a parameter of no model");
    tg_param(m, "empty", TG_SHAPE(0, 4), TG_F32, he);
    CHECK(tg_model_ok(m), "%s", tg_model_message(m));
    tg_model_free(m);
}

TEST(nn, linear) {
    const float w[] = {1, 2, 3, 4, 5, 6}, b[] = {.5f, -.5f, 0}, x[] = {1, 10, 2, 20, -1, 0, 0, 3};
    float y[12];
    tg_model *m = tg_model_new(1);
    tg_linear l = tg_linear_new(m, "enc.0", 2, 3), no_bias = tg_linear_new_of(m, "head", 2, 3, TG_F64, false);
    tg_tape *t = tg_tape_new();
    CHECK_STR(tg_param_name(l.weight), "enc.0.weight");
    CHECK_STR(tg_param_name(l.bias), "enc.0.bias");
    CHECK(no_bias.bias.owner == NULL && tg_dtype_of(no_bias.weight) == TG_F64, "no bias, f64");
    CHECK_EQ_I(tg_model_size(m), 6 + 3 + 6);
    tg_param_write(l.weight, tg_f32(w, TG_SHAPE(2, 3)));
    tg_param_write(l.bias, tg_f32(b, TG_SHAPE(3)));
    tg_tensor out = tg_linear_apply(l, tg_input(t, tg_f32(x, TG_SHAPE(2, 2, 2))));
    CHECK_EQ_I(tg_shape_of(out).rank, 3);
    CHECK_EQ_I(tg_read(out, y, sizeof y), TG_OK);
    for (int i = 0; i < 12; i++) CHECK_NEAR(y[i], x[i / 3 * 2] * w[i % 3] + x[i / 3 * 2 + 1] * w[3 + i % 3] + b[i % 3], 0);
    tg_linear_apply(l, tg_input(t, tg_f32(x, TG_SHAPE(2, 4))));
    CHECK_EQ_I(tg_error(t), TG_ESHAPE);
    CHECK_STR(tg_message(t), "enc.0");
    CHECK_STR(tg_message(t), "tests/nn.c:");
    tg_linear_new(m, "enc.0", 2, 3);
    CHECK_EQ_I(tg_model_error(m), TG_EARG);
    tg_tape_free(t);
    tg_model_free(m);
}
