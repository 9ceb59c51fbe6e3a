/* Numbers for the cases: each is a hash of its place and a seed, so that any other program can make the same ones. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t next_seed;
static uint64_t state;

void bench_numbers_restart(void) {
    next_seed = 1;
    state = 88172645463325252u;
}

/* The finalizer of MurmurHash3 (Appleby 2011). */
uint32_t bench_hash(uint32_t index, uint32_t seed) {
    uint32_t x = index * 0x9E3779B1u + seed * 0x85EBCA77u;
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return (x ^ x >> 16) >> 8;
}

static void *memory(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    if (!p) exit(1);
    return p;
}

static float *uniform(size_t n, uint32_t seed, float scale) {
    float *x = memory(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = ((float)bench_hash((uint32_t)i, seed) * 0x1p-23f - 1) * scale;
    return x;
}

float *bench_floats(size_t n) { return uniform(n, next_seed++, 1.7f); }

int32_t *bench_integers(int32_t bound, size_t n) {
    int32_t *x = memory(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (int32_t)(bench_hash((uint32_t)i, next_seed) % (uint32_t)bound);
    next_seed++;
    return x;
}

/* Scales of norms lie around 1, other vectors around 0, and matrices are small enough for deep models. */
void bench_fill(tg_model *m) {
    if (!tg_model_ok(m)) exit(1);
    uint32_t seed = 1000;
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_tensor p = tg_model_at(m, i);
        if (!tg_param_trainable(p)) continue;
        tg_shape s = tg_shape_of(p);
        size_t n = (size_t)tg_numel(p);
        const char *name = tg_param_name(p), *last = strrchr(name, '.');
        bool norm = s.rank == 1 && last && strcmp(last, ".weight") == 0;
        float *x = uniform(n, ++seed, s.rank > 1 ? (float)(sqrt(3) * pow((double)n, -0.25)) : 0.1f);
        for (size_t k = 0; norm && k < n; k++) x[k] += 1;
        if (tg_param_write(p, tg_f32(x, s))) exit(1);
        free(x);
    }
}

float bench_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(state >> 40) * (1.0f / 16777216.0f);
}
