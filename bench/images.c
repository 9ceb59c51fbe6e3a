/* Cases of training steps on images: LeNet, a network of two convolutions, ResNet-18 for small images. */
#include "bench.h"

#include <stdlib.h>

typedef struct images {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    float *x;
    int32_t *labels;
} images;

static images images_new(size_t numel, size_t batch) {
    images w = {.t = bench_tape(), .m = tg_model_new(1)};
    w.x = bench_floats(numel), w.labels = bench_integers(10, batch);
    return w;
}

static void images_end(images *w) {
    bench_check(w->t);
    tg_optim_free(w->opt);
    tg_model_free(w->m);
    tg_tape_free(w->t);
    free(w->x);
    free(w->labels);
}

static void learn(images *w, tg_tensor logits, int64_t batch) {
    tg_tensor loss = tg_cross_entropy(logits, tg_borrow(w->t, tg_i32(w->labels, TG_SHAPE(batch))));
    tg_minimize(w->opt, loss);
    bench_end(w->t, &loss, 1);
}

/* ------------------------------------------------------------------ two convolutions and two linear layers */

typedef struct small_net {
    images i;
    tg_conv_layer c[2];
    tg_linear l[2];
    bool pool_first; /* after the first convolution, too */
    int64_t flat;
} small_net;

static void small_step(void *ctx) {
    small_net *w = ctx;
    tg_pool_config two = {.kernel = {2, 2}};
    tg_tensor h = tg_relu(tg_conv_apply(w->c[0], tg_borrow(w->i.t, tg_f32(w->i.x, TG_SHAPE(64, 1, 28, 28)))));
    if (w->pool_first) h = tg_max_pool(h, two);
    h = tg_max_pool(tg_relu(tg_conv_apply(w->c[1], h)), two);
    h = tg_relu(tg_linear_apply(w->l[0], tg_reshape(h, TG_SHAPE(64, w->flat))));
    learn(&w->i, tg_linear_apply(w->l[1], h), 64);
}

static small_net small_new(int64_t first, int64_t second, int64_t kernel, bool pool_first, int64_t flat) {
    small_net w = {.i = images_new(64 * 784, 64), .pool_first = pool_first, .flat = flat};
    w.c[0] = tg_conv_new(w.i.m, "c1", 1, first, TG_SHAPE(kernel, kernel), (tg_conv_config){0});
    w.c[1] = tg_conv_new(w.i.m, "c2", first, second, TG_SHAPE(kernel, kernel), (tg_conv_config){0});
    w.l[0] = tg_linear_new(w.i.m, "l1", flat, 128);
    w.l[1] = tg_linear_new(w.i.m, "l2", 128, 10);
    bench_fill(w.i.m);
    return w;
}

static void lenet(const char *name) {
    small_net w = small_new(16, 32, 5, true, 512);
    w.i.opt = tg_sgd(w.i.m, (tg_sgd_config){.lr = 0.01, .momentum = 0.9});
    bench_time(name, small_step, &w, 1, "us/step");
    images_end(&w.i);
}

static void two_convolutions(const char *name) {
    small_net w = small_new(32, 32, 3, false, 4608);
    w.i.opt = tg_sgd(w.i.m, (tg_sgd_config){.lr = 0.01});
    bench_time(name, small_step, &w, 1, "us/step");
    images_end(&w.i);
}

/* ------------------------------------------------------------------ ResNet-18. He et al. 2016, arXiv:1512.03385 */

enum { STAGES = 4, BLOCKS = 2 * STAGES, IMAGES = 32 };

typedef struct normed_conv { /* without a bias: the norm has one */
    tg_tensor weight;
    tg_conv_config config;
    tg_batch_norm_layer norm;
} normed_conv;

typedef struct resnet {
    images i;
    normed_conv stem;
    struct {
        normed_conv first, second, shortcut;
        bool projects;
    } block[BLOCKS];
    tg_linear head;
} resnet;

static normed_conv normed_conv_new(tg_model *m, const char *scope, const char *part, int64_t in, int64_t out, int64_t kernel,
                                   int64_t stride) {
    char name[64];
    tg_init he = {.kind = TG_INIT_HE_NORMAL, .fan_in = in * kernel * kernel};
    normed_conv l = {.config = {.stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}}};
    snprintf(name, sizeof name, "%s.%s", scope, part);
    l.weight = tg_param(m, name, TG_SHAPE(out, in, kernel, kernel), TG_F32, he);
    snprintf(name, sizeof name, "%s.%s_norm", scope, part);
    l.norm = tg_batch_norm_new(m, name, out);
    return l;
}

static tg_tensor normed(normed_conv l, tg_tensor x) {
    return tg_batch_norm_apply(l.norm, tg_conv2d(x, l.weight, l.config), true);
}

static void resnet_step(void *ctx) {
    resnet *w = ctx;
    tg_tensor h = tg_borrow(w->i.t, tg_f32(w->i.x, TG_SHAPE(IMAGES, 3, 32, 32)));
    h = tg_relu(normed(w->stem, h));
    for (int i = 0; i < BLOCKS; i++) {
        tg_tensor y = normed(w->block[i].second, tg_relu(normed(w->block[i].first, h)));
        h = tg_relu(tg_add(y, w->block[i].projects ? normed(w->block[i].shortcut, h) : h));
    }
    learn(&w->i, tg_linear_apply(w->head, tg_mean(h, TG_AXES(2, 3), false)), IMAGES);
}

static void time_resnet(const char *name) {
    static resnet w;
    w.i = images_new(IMAGES * 3 * 32 * 32, IMAGES);
    w.stem = normed_conv_new(w.i.m, "stem", "conv", 3, 64, 3, 1);
    int64_t in = 64;
    for (int i = 0; i < BLOCKS; i++) {
        int64_t out = (int64_t)64 << i / 2, stride = i > 0 && i % 2 == 0 ? 2 : 1;
        char scope[16];
        snprintf(scope, sizeof scope, "block%d", i);
        w.block[i].first = normed_conv_new(w.i.m, scope, "first", in, out, 3, stride);
        w.block[i].second = normed_conv_new(w.i.m, scope, "second", out, out, 3, 1);
        w.block[i].projects = in != out;
        if (in != out) w.block[i].shortcut = normed_conv_new(w.i.m, scope, "shortcut", in, out, 1, stride);
        in = out;
    }
    w.head = tg_linear_new(w.i.m, "head", 512, 10);
    bench_fill(w.i.m);
    w.i.opt = tg_sgd(w.i.m, (tg_sgd_config){.lr = 0.01, .momentum = 0.9});
    bench_time(name, resnet_step, &w, 1, "us/step");
    images_end(&w.i);
}

const bench_case bench_images[] = {
    {"lenet_28x28_b64", lenet},
    {"cnn_28x28_c32_c32_b64", two_convolutions},
    {"resnet18_cifar_b32", time_resnet},
    {0},
};
