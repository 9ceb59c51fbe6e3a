/* bench/proto_lstm.c: one LSTM step (128 inputs, 256 units, batch 32), forward and backward: the products, and the
 * elementwise part in blocks, against the same products and loops fused by hand with the same functions (docs/design.md,
 * chains). Hochreiter and Schmidhuber 1997; gates in the order i f g o. One JSON line per case. */
#include "bench/proto_block.h"

#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#endif
#include "kernels/math.h"

enum { BATCH = 32, IN = 128, UNITS = 256, INNER = IN + UNITS, WIDTH = 4 * UNITS, GAP = 176 };

#define OP(name, ...) {&tg__micro_##name, __VA_ARGS__}

/* Gates as the product leaves them; activations, the new cell, its tanh and the new state are kept for the backward pass. */
enum { GI, GF, GG, GO, C, I, F, G, O, NEXT, TC, H, FORWARD_ARRAYS, S = FORWARD_ARRAYS, FORWARD_REGS };
#define FORWARD                                                                                                        \
    OP(sigmoid, I, GI, GI), OP(sigmoid, F, GF, GF), OP(tanh, G, GG, GG), OP(sigmoid, O, GO, GO), OP(mul, S, I, G),     \
    OP(mul, NEXT, F, C), OP(add, NEXT, NEXT, S), OP(tanh, TC, NEXT, NEXT), OP(mul, H, O, TC)

/* Cotangents of the state and the new cell to those of the four gates and the old cell. */
enum { BI, BF, BG, BO, BC, BTC, DH, DC, DGI, DGF, DGG, DGO, DOLD, BACKWARD_ARRAYS, ONE = BACKWARD_ARRAYS, U, V, BACKWARD_REGS };
#define BACKWARD                                                                                                       \
    OP(square, U, BTC, BTC), OP(sub, U, ONE, U), OP(mul, V, DH, BO), OP(mul, V, V, U), OP(add, V, V, DC),              \
    OP(mul, DOLD, V, BF), OP(sub, U, ONE, BI), OP(mul, U, U, BI), OP(mul, U, U, BG), OP(mul, DGI, U, V),               \
    OP(sub, U, ONE, BF), OP(mul, U, U, BF), OP(mul, U, U, BC), OP(mul, DGF, U, V), OP(square, U, BG, BG),              \
    OP(sub, U, ONE, U), OP(mul, U, U, BI), OP(mul, DGG, U, V), OP(sub, U, ONE, BO), OP(mul, U, U, BO),                 \
    OP(mul, U, U, BTC), OP(mul, DGO, U, DH)
#define LINES(...) {.lines = {__VA_ARGS__}, .n_lines = sizeof((proto_line[]){__VA_ARGS__}) / sizeof(proto_line)}

typedef struct work {
    proto_block forward, backward;
    float *gates, *dgates, *units[11], *x, *w, *dx, *dw; /* units: c, i, f, g, o, next, tanh next, h, dh, dc, dold */
    void *scratch;
    bool products;
} work;

/* c (m x n) = a b, with any strides of a and b. */
static void product(const work *w, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_rs, int64_t a_cs, const float *b,
                    int64_t b_rs, int64_t b_cs, float *c) {
    const void *as[] = {a}, *bs[] = {b};
    tg__gemm g = {.m = m, .n = n, .k = k, .pairs = 1, .batch = 1, .a = as, .b = bs, .a_rs = a_rs, .a_cs = a_cs,
                  .b_rs = b_rs, .b_cs = b_cs, .c_rs = n, .c = c, .threads = 1, .scratch = w->scratch};
    if (w->products) tg__kernels_get()->gemm_f32(&g);
}

static void gates(const work *w) { product(w, BATCH, WIDTH, INNER, w->x, INNER, 1, w->w, WIDTH, 1, w->gates); }

static void gradients(const work *w) {
    product(w, BATCH, INNER, WIDTH, w->dgates, WIDTH, 1, w->w, 1, WIDTH, w->dx);
    product(w, INNER, WIDTH, BATCH, w->x, 1, INNER, w->dgates, WIDTH, 1, w->dw);
}

static void ours_forward(void *ctx) {
    work *w = ctx;
    gates(w);
    proto_run(&w->forward);
}

static void ours_backward(void *ctx) {
    work *w = ctx;
    proto_run(&w->backward);
    gradients(w);
}

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

static void rival_forward(void *ctx) {
    const work *w = ctx;
    gates(w);
    for (int r = 0; r < BATCH; r++) {
        const float *z = w->gates + r * WIDTH, *c = w->units[0] + r * UNITS;
        float *row[8];
        for (int k = 1; k < 8; k++) row[k] = w->units[k] + r * UNITS;
        INDEPENDENT
        for (int j = 0; j < UNITS; j++) {
            const float i = tg__sigmoid_f32(z[j]), f = tg__sigmoid_f32(z[UNITS + j]), g = tg__tanh_f32(z[2 * UNITS + j]),
                        o = tg__sigmoid_f32(z[3 * UNITS + j]), next = f * c[j] + i * g, t = tg__tanh_f32(next);
            row[1][j] = i, row[2][j] = f, row[3][j] = g, row[4][j] = o, row[5][j] = next, row[6][j] = t, row[7][j] = o * t;
        }
    }
}

static void rival_backward(void *ctx) {
    const work *w = ctx;
    for (int r = 0; r < BATCH; r++) {
        float *d = w->dgates + r * WIDTH, *dold = w->units[10] + r * UNITS;
        const float *row[10];
        for (int k = 0; k < 10; k++) row[k] = w->units[k] + r * UNITS;
        INDEPENDENT
        for (int j = 0; j < UNITS; j++) {
            const float c = row[0][j], i = row[1][j], f = row[2][j], g = row[3][j], o = row[4][j], t = row[6][j],
                        dh = row[8][j];
            const float dc = dh * o * (1 - t * t) + row[9][j];
            dold[j] = dc * f;
            d[j] = (1 - i) * i * g * dc;
            d[UNITS + j] = (1 - f) * f * c * dc;
            d[2 * UNITS + j] = (1 - g * g) * i * dc;
            d[3 * UNITS + j] = (1 - o) * o * t * dh;
        }
    }
    gradients(w);
}

static void set_arrays(work *w) {
    for (int k = 0; k < 4; k++) {
        w->forward.arrays[k] = (proto_array){w->gates + k * UNITS, WIDTH, false};
        w->backward.arrays[DGI + k] = (proto_array){w->dgates + k * UNITS, WIDTH, true};
    }
    for (int k = 0; k < 8; k++) w->forward.arrays[C + k] = (proto_array){w->units[k], UNITS, k > 0};
    static const int read[] = {1, 2, 3, 4, 0, 6, 8, 9};
    for (int k = 0; k < 8; k++) w->backward.arrays[k] = (proto_array){w->units[read[k]], UNITS, false};
    w->backward.arrays[DOLD] = (proto_array){w->units[10], UNITS, true};
}

static void set_block(proto_block *p, int arrays, int numbers, int regs) {
    p->n_arrays = arrays;
    p->n_numbers = numbers;
    p->n_regs = regs;
    p->numbers[0] = 1;
    p->row = UNITS;
    p->rows = BATCH;
    proto_make(p);
}

/* Both ways give the same bits. */
static bool agree(work *w) {
    static float kept[BATCH * WIDTH], state[BATCH * UNITS];
    ours_forward(w);
    ours_backward(w);
    memcpy(kept, w->dgates, sizeof kept);
    memcpy(state, w->units[7], sizeof state);
    rival_forward(w);
    rival_backward(w);
    return !memcmp(kept, w->dgates, sizeof kept) && !memcmp(state, w->units[7], sizeof state);
}

int main(void) {
    work w = {.forward = LINES(FORWARD), .backward = LINES(BACKWARD)};
    float *memory = proto_floats(13 * (BATCH * WIDTH + GAP) + 2 * INNER * (BATCH + WIDTH)), *p = memory;
    w.gates = p, p += BATCH * WIDTH + GAP;
    w.dgates = p, p += BATCH * WIDTH + GAP;
    for (int k = 0; k < 11; k++, p += BATCH * UNITS + GAP) w.units[k] = p;
    w.x = p, p += BATCH * INNER;
    w.dx = p, p += BATCH * INNER;
    w.w = p, p += INNER * WIDTH;
    w.dw = p;
    for (int i = 0; i < INNER * WIDTH; i++) w.w[i] *= 0.1f;
    size_t size = tg__gemm_scratch_within(TG_F32, INNER, WIDTH, WIDTH);
    if (!(w.scratch = aligned_alloc(64, (size + 64) / 64 * 64))) return 1;
    set_arrays(&w);
    set_block(&w.forward, FORWARD_ARRAYS, 0, FORWARD_REGS);
    set_block(&w.backward, BACKWARD_ARRAYS, 1, BACKWARD_REGS);
    w.products = true;
    if (!agree(&w)) printf("the blocks and the loops differ\n");
    proto_compare("lstm_step_forward", ours_forward, rival_forward, &w, 50);
    proto_compare("lstm_step_backward", ours_backward, rival_backward, &w, 50);
    w.products = false;
    proto_compare("lstm_block_forward", ours_forward, rival_forward, &w, 500);
    proto_compare("lstm_block_backward", ours_backward, rival_backward, &w, 500);
    proto_free(&w.forward);
    proto_free(&w.backward);
    free(w.scratch);
    free(memory);
    return 0;
}
