/* A small stream of random numbers (SplitMix64: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"). */
#ifndef EXAMPLE_RANDOM_H
#define EXAMPLE_RANDOM_H

#include <math.h>
#include <stdint.h>

typedef struct random_stream {
    uint64_t state;
} random_stream;

static inline uint64_t random_bits(random_stream *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline random_stream random_start(uint64_t seed, uint64_t stream) {
    random_stream r = {seed};
    r.state = random_bits(&r) ^ stream * 0xd1342543de82ef95u;
    return r;
}

static inline float random_between(random_stream *r, float lo, float hi) {
    return lo + (hi - lo) * (float)(random_bits(r) >> 40) * 0x1p-24f;
}

/* Mean 0, deviation 1: the sum of twelve uniform numbers is near enough to a normal one, and needs no logarithm. */
static inline float random_normal(random_stream *r) {
    uint32_t sum = 0;
    for (int i = 0; i < 3; i++)
        for (uint64_t bits = random_bits(r), k = 0; k < 4; k++, bits >>= 16) sum += bits & 0xffff;
    return (float)sum * 0x1p-16f - 6;
}

static inline uint64_t random_below(random_stream *r, uint64_t n) { return random_bits(r) % n; }

#endif
