/* kernels/direct.c: convolutions between few channels for one instruction set (direct.h); the loops are direct_loops.h, by
 * type. Memory is laid out the same for every set. */
#include "kernels/direct.h"
#include "kernels/fused.h"
#include "kernels/unroll.h"
#include "kernels/whole.h"

#include <string.h>

#define FN(name) TG__PASTE(name, D)
#define POSITIONS 192     /* whose results are summed in the cache */
#define WIDEST 32         /* elements of the widest panel of any set and type */
#define MOST_OUT 64       /* channels along the vectors */
#define MOST_CHUNKS 16    /* of the images of a gradient of weights */
#define PARTIALS 1048576  /* most elements of all their sums together */
#define NEAR_BYTES 262144 /* planes of an image, and sums of a gradient of weights, that stay in the second-level cache */

#if VECTOR_BYTES == 64
#define ROWS 8
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif defined(__aarch64__)
#define ROWS 10
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10)
#elif VECTOR_BYTES == 32
#define ROWS 6
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define ROWS 4
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)
#endif

static int64_t product_of(const int64_t *n) { return n[0] * n[1] * n[2] * n[3]; }
static int64_t positions_of(const tg__direct *a) { return product_of(a->image.at); }
static int64_t taps_of(const tg__direct *a) { return product_of(a->image.taps); }

/* Images of a gradient of weights are summed in so many chunks. */
static int64_t chunks_of(const tg__direct *a) {
    int64_t room = PARTIALS / (a->in * taps_of(a) * round_up(a->out, WIDEST));
    return max_of(min_of(min_of(room, MOST_CHUNKS), a->images), 1);
}

/* Where row i of the rows of a plane begins in its copy. */
static int64_t row_in_copy(const tg__direct *a, int64_t i) {
    const int64_t *n = a->size, at[3] = {i / n[2] / n[1], i / n[2] % n[1], i % n[2]};
    int64_t place = a->before[3];
    for (int d = 0; d < 3; d++) place += (at[d] + a->before[d]) * a->image.stride[d];
    return place;
}

/* out[i] = the sum over the axes of digit * step, where the digits count to `sizes`, the last axis fastest; from[a] added. */
static void find_offsets(int64_t *out, int64_t n, const int64_t *sizes, const int64_t *steps, int64_t first) {
    int64_t digit[TG__IMAGE_AXES] = {0}, offset = first;
    for (int64_t i = 0; i < n; i++) {
        out[i] = offset;
        for (int a = TG__IMAGE_AXES - 1; a >= 0; a--) {
            offset += steps[a];
            if (++digit[a] < sizes[a]) break;
            offset -= digit[a] * steps[a], digit[a] = 0;
        }
    }
}

enum { RESULT, IMAGE, WEIGHTS };

/* The parts of the scratch memory, but for the numbers. */
typedef struct memory {
    int64_t *rows, *terms; /* offsets of positions and of (channel, tap); of a gradient of weights the other way round */
    int64_t *numbers;      /* 0, 1, 2, ... */
    int64_t *planes_of_g;  /* where they begin */
    char *packed, *sums, *workers;
    size_t worker, planes, bytes; /* of a worker: the planes, then what it packs or sums; of all */
    int64_t items, width;
} memory;

static void find_tables(const tg__direct *a, const memory *m, int64_t *positions, int64_t *terms) {
    const tg__image *i = &a->image;
    int64_t step[TG__IMAGE_AXES], tap[TG__IMAGE_AXES], first = 0, n = positions_of(a), taps = taps_of(a);
    for (int x = 0; x < TG__IMAGE_AXES; x++) {
        step[x] = i->at_step[x] * i->stride[x], tap[x] = i->tap_step[x] * i->stride[x], first += i->offset[x] * i->stride[x];
    }
    find_offsets(positions, n, i->at, step, first);
    for (int64_t c = 0; c < a->in; c++) {
        find_offsets(terms + c * taps, taps, i->taps, tap, c * i->channel);
        m->planes_of_g[c] = c * n;
    }
    for (int64_t x = 0; x < max_of(n, a->in * taps); x++) m->numbers[x] = x;
}

static size_t take(size_t *used, int64_t elements, size_t size) {
    size_t at = *used;
    *used += ((size_t)elements * size + 63) / 64 * 64;
    return at;
}

/* Elements that a worker packs or sums. */
static int64_t own_elements(const tg__direct *a, int way) {
    if (way == IMAGE) return a->image.channel * WIDEST;
    return way == WEIGHTS ? positions_of(a) * round_up(a->out, WIDEST) : min_of(positions_of(a), POSITIONS) * WIDEST;
}

/* Lays the memory out and fills the tables; base may be NULL. */
static memory memory_at(const tg__direct *a, char *base, size_t size, int way) {
    int64_t positions = positions_of(a), terms = a->in * taps_of(a), wide = round_up(a->out, WIDEST), chunks = chunks_of(a);
    const bool weights = way == WEIGHTS;
    size_t used = 0, own = 0, first = take(&used, positions, sizeof(int64_t)), second = take(&used, terms, sizeof(int64_t));
    size_t numbers = take(&used, max_of(positions, terms), sizeof(int64_t)), planes = take(&used, a->in, sizeof(int64_t));
    size_t packed = take(&used, weights ? 0 : a->groups * terms * wide, size);
    size_t sums = take(&used, weights ? a->groups * chunks * terms * wide : 0, size);
    memory m = {.items = weights ? a->groups * chunks : a->images * a->groups};
    take(&own, a->copied && way != IMAGE ? a->in * a->image.channel : 0, size);
    m.planes = own;
    take(&own, own_elements(a, way), size);
    m.worker = own, m.width = max_of(min_of(a->threads, m.items), 1);
    m.bytes = used + (size_t)m.width * own;
    if (!base) return m;
    int64_t *at_positions = (int64_t *)(void *)(base + first), *at_terms = (int64_t *)(void *)(base + second);
    m.numbers = (int64_t *)(void *)(base + numbers), m.planes_of_g = (int64_t *)(void *)(base + planes);
    m.rows = weights ? at_terms : at_positions, m.terms = weights ? at_positions : at_terms;
    m.packed = base + packed, m.sums = base + sums, m.workers = base + used;
    find_tables(a, &m, at_positions, at_terms);
    return m;
}

static int64_t block_of(int64_t terms) {
    int64_t blocks = (terms + TG__DIRECT_BLOCK - 1) / TG__DIRECT_BLOCK;
    return (terms + blocks - 1) / blocks;
}

static double work_of(const tg__direct *a, size_t size) {
    double each = (double)a->in * (double)taps_of(a) * (double)positions_of(a) * (double)round_up(a->out, 8);
    return (double)a->images * (double)a->groups * each * (double)size / 16;
}

typedef struct job {
    const tg__direct *a;
    memory m;
    int64_t channel, tap; /* in packed weights: terms from one channel to the next, and from one tap */
} job;

#define T float
#define D f32
#include "kernels/direct_loops.h"
#undef T
#undef D

#define T double
#define D f64
#include "kernels/direct_loops.h"

#define IS_any 1
#if TG__PASTE(IS, TG__ISA)

bool tg__direct_fits(const tg__direct *a, size_t size) {
    return a->in > 0 && a->images > 0 && a->out >= 4 && a->out <= MOST_OUT &&
           (double)a->in * (double)a->image.channel * (double)size <= NEAR_BYTES;
}

bool tg__direct_transpose_fits(const tg__direct *a, size_t size) {
    return a->in >= 8 && a->images > 0 && a->out >= 4 && a->out <= MOST_OUT &&
           WIDEST * (double)a->image.channel * (double)size <= NEAR_BYTES;
}

bool tg__direct_weights_fits(const tg__direct *a, size_t size) {
    double near = NEAR_BYTES / (double)size, wide = (double)round_up(a->out, WIDEST);
    return tg__direct_fits(a, size) && (double)a->in * (double)taps_of(a) * wide <= near &&
           (double)positions_of(a) * wide <= near;
}

size_t tg__direct_scratch(const tg__direct *a, size_t size) { return memory_at(a, NULL, size, RESULT).bytes; }
size_t tg__direct_transpose_scratch(const tg__direct *a, size_t size) { return memory_at(a, NULL, size, IMAGE).bytes; }
size_t tg__direct_weights_scratch(const tg__direct *a, size_t size) { return memory_at(a, NULL, size, WEIGHTS).bytes; }

#endif
