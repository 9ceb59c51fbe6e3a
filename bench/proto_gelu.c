/* bench/proto_gelu.c: the block of GELU(x a + b) on 10 M elements, forward and backward, against one loop fused by hand with
 * the same functions (docs/design.md, chains). One JSON line per case. */
#include "bench/proto_block.h"

#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#endif
#include "kernels/math.h"

enum { ROW = 1024, GAP = 176 }; /* ROW: a leaf of the sum; GAP: arrays do not begin at one place of a page */

/* Registers: arrays, numbers, scratch. */
enum { X, A, B, DX, DA, DB, ARRAYS, CUBIC = ARRAYS, SLOPE, HALF, ONE, NUMBERS, Z = NUMBERS, Z2, P, T, U, H, Y, V, G, REGS };

#define OP(name, ...) {&tg__micro_##name, __VA_ARGS__}

/* Hendrycks and Gimpel 2016, arXiv:1606.08415: z/2 (1 + tanh(c (z + 0.044715 z^3))). */
#define FORWARD                                                                                                       \
    OP(mul, Z, X, A), OP(add, Z, Z, B), OP(square, Z2, Z, Z), OP(mul, P, Z2, Z), OP(mul, P, P, CUBIC), OP(add, P, P, Z), \
    OP(mul, P, P, SLOPE), OP(tanh, T, P, P), OP(add, U, T, ONE), OP(mul, H, Z, HALF), OP(mul, Y, H, U)
/* u/2 + s + 3 z^2 (0.044715 s), where s = c z/2 (1 - t^2); the cube's part comes as z z and z^2, as the rules record it. */
#define BACKWARD                                                                                                      \
    OP(mul, U, U, HALF), OP(square, V, T, T), OP(sub, V, ONE, V), OP(mul, V, H, V), OP(mul, P, V, SLOPE),             \
    OP(mul, V, P, CUBIC), OP(mul, H, V, Z), OP(mul, V, V, Z2), OP(mul, H, H, Z), OP(add, G, U, P), OP(add, G, G, V),  \
    OP(add, G, G, H), OP(add, DB, G, H), OP(mul, DX, DB, A), OP(mul, DA, DB, X)

typedef struct work {
    proto_block block;
    float *in[3], *out[3];
    int64_t n;
    bool backward;
    float total;
} work;

static void ours(void *ctx) { proto_run(&((work *)ctx)->block); }

#if defined(__GNUC__) && !defined(__clang__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#endif

static inline __attribute__((always_inline)) void fused_row(const work *w, int64_t from, float *y, bool backward) {
    const float *x = w->in[0] + from, *a = w->in[1] + from, *b = w->in[2] + from;
    float *dx = w->out[0] + from, *da = w->out[1] + from, *db = w->out[2] + from;
    const float cubic = 0.044715f, slope = 0.7978845608f;
    INDEPENDENT
    for (int64_t i = 0; i < ROW; i++) {
        const float z = x[i] * a[i] + b[i], z2 = z * z;
        const float t = tg__tanh_f32((z2 * z * cubic + z) * slope), u = t + 1, h = z * 0.5f;
        y[i] = h * u;
        if (!backward) continue;
        const float p = h * (1 - t * t) * slope, v = p * cubic, cube = v * z * z;
        const float g = u * 0.5f + p + v * z2 + cube + cube;
        db[i] = g;
        dx[i] = g * a[i];
        da[i] = g * x[i];
    }
}

static __attribute__((noinline)) void fused(work *w, bool backward) {
    float row[ROW];
    for (int64_t r = 0; r < w->block.rows; r++) {
        if (backward)
            fused_row(w, r * ROW, row, true);
        else
            fused_row(w, r * ROW, row, false);
        w->block.tail.fold->leaf(row, ROW, w->block.leaves + r);
    }
    w->block.tail.fold->combine(w->block.leaves, w->block.rows, &w->total);
}

static void rival(void *ctx) { fused(ctx, ((work *)ctx)->backward); }

static void compare(const char *name, int64_t rows, bool backward, int calls) {
    work w = {.n = rows * ROW, .backward = backward};
    w.block = (proto_block){.numbers = {0.044715f, 0.7978845608f, 0.5f, 1},
                            .lines = {FORWARD, BACKWARD},
                            .n_arrays = ARRAYS,
                            .n_numbers = NUMBERS - ARRAYS,
                            .n_regs = REGS,
                            .n_lines = backward ? 26 : 11,
                            .sum = Y,
                            .row = ROW,
                            .rows = rows};
    float *memory = proto_floats(6 * (w.n + GAP));
    for (int k = 0; k < 3; k++) {
        w.in[k] = memory + k * (w.n + GAP);
        w.out[k] = memory + (3 + k) * (w.n + GAP);
        w.block.arrays[k] = (proto_array){w.in[k], ROW, false};
        w.block.arrays[3 + k] = (proto_array){backward ? w.out[k] : NULL, ROW, true};
    }
    proto_make(&w.block);
    proto_compare(name, ours, rival, &w, calls);
    if (w.block.total != w.total) printf("%s: the sums differ: %.9g, %.9g\n", name, w.block.total, w.total);
    proto_free(&w.block);
    free(memory);
}

int main(void) {
    compare("gelu_block_1e+04_fwdbwd", 10, true, 1000);
    compare("gelu_block_1e+07_fwdbwd", 9765, true, 1);
    compare("gelu_block_1e+07_fwd", 9765, false, 1);
    return 0;
}
