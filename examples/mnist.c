/* Trains a small network to read digits, shows how well it does, draws its loss and its graph, saves it and loads it again.
 *
 *     mnist [--data FOLDER] [--out FOLDER] [--quick]          or DATA=, OUT= and QUICK=1 in the environment
 *
 * FOLDER of --data holds IDX files, plain or .gz, of 28 x 28 images (see mnist/dataset.h). Without it the digits are drawn by
 * the program. What is written goes to --out, by default the current folder. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mnist/dataset.h"
#include "mnist/digits.h"
#include "mnist/progress.h"
#include "mnist/random.h"
#include "mnist/report.h"

enum { BATCH = 64, TEST_BATCH = 500, HIDDEN1 = 256, HIDDEN2 = 128, EPOCHS = 8, QUICK_TRAIN = 3000 };
enum { MODEL_SEED = 42, OTHER_SEED = 43, SHUFFLE_SEED = 44 };
static const char model_file[] = "mnist.safetensors";

typedef struct options {
    const char *data, *out;
    bool quick;
} options;

/* ------------------------------------------------------------------ the model */

typedef struct mlp {
    tg_model *model;
    tg_linear l1, l2, l3;
} mlp;

static mlp mlp_new(uint64_t seed) {
    mlp n = {.model = tg_model_new(seed)};
    if (!n.model) return n;
    n.l1 = tg_linear_new(n.model, "l1", DIGIT_PIXELS, HIDDEN1);
    n.l2 = tg_linear_new(n.model, "l2", HIDDEN1, HIDDEN2);
    n.l3 = tg_linear_new(n.model, "l3", HIDDEN2, CLASSES);
    return n;
}

static tg_tensor mlp_logits(const mlp *n, tg_tensor images) {
    tg_tensor x = tg_scale(tg_cast(images, TG_F32), 1 / 255.);
    tg_tensor h1 = tg_relu(tg_linear_apply(n->l1, x));
    tg_tensor h2 = tg_relu(tg_linear_apply(n->l2, h1));
    return tg_linear_apply(n->l3, h2);
}

static bool mlp_ok(const mlp *n) {
    if (tg_model_ok(n->model)) return true;
    fprintf(stderr, "%s\n", n->model ? tg_model_message(n->model) : "out of memory");
    return false;
}

static bool tape_ok(const tg_tape *t) {
    if (tg_ok(t)) return true;
    fprintf(stderr, "%s\n", t ? tg_message(t) : "out of memory");
    return false;
}

/* ------------------------------------------------------------------ batches */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Rows order[0 .. n) of the set, packed. */
static void gather(const dataset *d, const int64_t *order, int64_t n, uint8_t *images, int64_t *labels) {
    for (int64_t i = 0; i < n; i++) {
        memcpy(images + i * DIGIT_PIXELS, d->images + order[i] * DIGIT_PIXELS, DIGIT_PIXELS);
        labels[i] = d->labels[order[i]];
    }
}

static void shuffle(int64_t *order, int64_t n, int epoch) {
    random_stream r = random_start(SHUFFLE_SEED, (uint64_t)epoch);
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)random_below(&r, (uint64_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static tg_tensor batch_loss(const mlp *net, tg_tape *t, const dataset *d, const int64_t *order, int64_t n) {
    uint8_t images[BATCH * DIGIT_PIXELS];
    int64_t labels[BATCH];
    gather(d, order, n, images, labels);
    tg_tensor x = tg_input(t, tg_u8(images, TG_SHAPE(n, DIGIT_PIXELS)));
    tg_tensor y = tg_input(t, tg_i64(labels, TG_SHAPE(n)));
    return tg_cross_entropy(mlp_logits(net, x), y);
}

/* ------------------------------------------------------------------ training */

static bool train_epochs(const mlp *net, tg_optim *opt, tg_tape *t, const dataset *d, int64_t *order, int epochs, FILE *log) {
    int64_t steps = (d->n + BATCH - 1) / BATCH;
    progress p = progress_start(steps * epochs, epochs);
    for (int epoch = 1; epoch <= epochs && tg_ok(t); epoch++) {
        shuffle(order, d->n, epoch);
        for (int64_t i = 0; i < d->n && tg_ok(t); i += BATCH) {
            int64_t n = smaller(BATCH, d->n - i);
            tg_tensor loss = batch_loss(net, t, d, order + i, n);
            tg_minimize(opt, loss);
            double value = tg_item(loss);
            if (!tg_ok(t)) break;
            progress_step(&p, epoch, n, value);
            loss_log_step(log, p.step, epoch, value, p.loss);
            tg_tape_reset(t);
        }
    }
    progress_end(&p);
    if (!tape_ok(t)) return false;
    printf("trained for %.1f s\n", progress_seconds(&p));
    return true;
}

static bool train(const mlp *net, tg_tape *t, const dataset *d, int epochs, FILE *log) {
    tg_optim *opt = tg_adamw(net->model, (tg_adamw_config){.lr = 1e-3});
    int64_t *order = malloc((size_t)d->n * sizeof *order);
    bool ok = opt && order;
    if (!ok)
        fprintf(stderr, "out of memory\n");
    else
        ok = train_epochs(net, opt, t, d, order, epochs, log);
    free(order);
    tg_optim_free(opt);
    return ok;
}

/* ------------------------------------------------------------------ testing */

static uint8_t largest(const float *row) {
    int best = 0;
    for (int j = 1; j < CLASSES; j++)
        if (row[j] > row[best]) best = j;
    return (uint8_t)best;
}

static bool predict(const mlp *net, tg_tape *t, const dataset *d, uint8_t *predicted) {
    for (int64_t i = 0; i < d->n; i += TEST_BATCH) {
        int64_t n = smaller(TEST_BATCH, d->n - i);
        tg_tensor x = tg_borrow(t, tg_u8(d->images + i * DIGIT_PIXELS, TG_SHAPE(n, DIGIT_PIXELS)));
        tg_tensor logits = mlp_logits(net, x);
        tg_run(t, &logits, 1);
        const float *rows = tg_data(logits);
        if (!tape_ok(t)) return false;
        for (int64_t k = 0; k < n; k++) predicted[i + k] = largest(rows + k * CLASSES);
        tg_tape_reset(t);
    }
    return tape_ok(t);
}

static double accuracy(const dataset *d, const uint8_t *predicted) {
    int64_t right = 0;
    for (int64_t i = 0; i < d->n; i++) right += predicted[i] == d->labels[i];
    return 100. * (double)right / (double)d->n;
}

/* The saved model, in a fresh one, must say the same. */
static bool check_reloaded(const mlp *net, tg_tape *t, const dataset *d, const uint8_t *predicted, uint8_t *again) {
    tg_file_error e;
    if (tg_save(net->model, model_file, &e)) return fprintf(stderr, "%s\n", e.message), false;
    mlp copy = mlp_new(OTHER_SEED);
    bool ok = mlp_ok(&copy);
    if (ok && tg_load(copy.model, model_file, &e)) ok = fprintf(stderr, "%s\n", e.message) < 0;
    ok = ok && predict(&copy, t, d, again);
    bool same = ok && memcmp(predicted, again, (size_t)d->n) == 0;
    if (same)
        printf("%s: saved, loaded again: accuracy %.2f %%, the same answers\n", model_file, accuracy(d, again));
    else if (ok)
        fprintf(stderr, "%s: the loaded model answers differently: accuracy %.2f %%\n", model_file, accuracy(d, again));
    tg_model_free(copy.model);
    return same;
}

static bool test(const mlp *net, tg_tape *t, const dataset *d) {
    uint8_t *predicted = malloc((size_t)d->n * 2);
    if (!predicted) return fprintf(stderr, "out of memory\n"), false;
    bool ok = predict(net, t, d, predicted);
    if (ok) {
        print_confusion(d->labels, predicted, d->n);
        printf("accuracy %.2f %%\n", accuracy(d, predicted));
        fflush(stdout);
        ok = check_reloaded(net, t, d, predicted, predicted + d->n);
    }
    free(predicted);
    return ok;
}

/* ------------------------------------------------------------------ the whole job */

static bool draw_loss_graph(const mlp *net, tg_tape *t, const dataset *d) {
    int64_t order[BATCH];
    for (int64_t i = 0; i < BATCH; i++) order[i] = i % d->n;
    tg_tensor loss = batch_loss(net, t, d, order, BATCH);
    bool ok = tape_ok(t) && draw_graph(loss, "A network that reads digits: 784, 256, 128, 10", "graph");
    tg_tape_reset(t);
    return ok;
}

static bool run_on(const digit_sets *d, const mlp *net, tg_tape *t, int epochs) {
    FILE *log = loss_log_open(); /* before the training: an output that cannot be written should say so at once */
    if (!log) return false;
    if (isatty(STDOUT_FILENO) && d->train.n >= 5) print_some_digits(d->train.images);
    printf("%lld images to train on, %lld held out; %lld parameters; batches of %d; kernels for %s\n", (long long)d->train.n,
           (long long)d->test.n, (long long)tg_model_size(net->model), BATCH, tg_isa());
    fflush(stdout);
    bool trained = train(net, t, &d->train, epochs, log);
    bool logged = loss_log_close(log);
    return trained && logged && draw_loss_graph(net, t, &d->train) && test(net, t, &d->test);
}

static bool run(const digit_sets *d, int epochs) {
    mlp net = mlp_new(MODEL_SEED);
    tg_tape *t = tg_tape_new();
    bool ok = mlp_ok(&net) && tape_ok(t) && run_on(d, &net, t, epochs);
    tg_tape_free(t);
    tg_model_free(net.model);
    return ok;
}

static bool enter_folder(const char *out) {
    if (mkdir(out, 0777) && errno != EEXIST) return fprintf(stderr, "OUT=%s: %s\n", out, strerror(errno)), false;
    if (chdir(out)) return fprintf(stderr, "OUT=%s: %s\n", out, strerror(errno)), false;
    return true;
}

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool parse(int argc, char **argv, options *o) {
    const char *quick = environment("QUICK");
    *o = (options){environment("DATA"), environment("OUT"), quick && strcmp(quick, "0") != 0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            o->data = argv[++i];
        else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc)
            o->out = argv[++i];
        else if (strcmp(argv[i], "--quick") == 0)
            o->quick = true;
        else
            return fprintf(stderr, "usage: %s [--data FOLDER] [--out FOLDER] [--quick]\n", argv[0]), false;
    }
    return true;
}

int main(int argc, char **argv) {
    options o;
    digit_sets d = {0};
    if (!parse(argc, argv, &o)) return 1;
    int64_t limit = o.quick ? QUICK_TRAIN : 0;
    bool ok = (o.data ? digits_read(&d, o.data, limit) : digits_draw(&d, limit)) && (!o.out || enter_folder(o.out)) &&
              run(&d, o.quick ? 1 : EPOCHS);
    digits_free(&d);
    return ok ? 0 : 1;
}
