/* kernels/winograd.c: Winograd's convolutions for one instruction set (winograd.h). */
#include "kernels/winograd.h"
#include "kernels/gemm.h"
#include "kernels/unroll.h"
#include "kernels/whole.h"

#include <stdatomic.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
#define TILE 6            /* pixels of x along a tile's side */
#define STEP 4            /* pixels of the result along a tile's side: from one tile to the next */
#define ROOM 8            /* pixels of a row that are read for a tile, a whole number of vectors */
#define POINTS (TILE * TILE)
#define PANEL 32          /* of any instruction set: the widest panel */
#define MOST_LANES 8      /* and the longest vector: memory has one size for all */
#define APART 16          /* floats between the matrices of two points: else their rows would fall into the same sets of L1 */
#define NEAR_BYTES 1048576 /* of the transformed tiles of a chunk */
#define LEAST_CHUNK 48
#define MOST_CHUNK 256
#define SLICE_BYTES 4194304 /* of the matrices of a slice of the channels of the result, or of those of weights */
#define LEAST_SLICE 64
#define WEIGHT_CHUNK 128  /* tiles in a block of the sum of a gradient of weights: part of the order of that sum */

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }
INLINE vec splat(float x) { return x - (vec){0}; }
#if defined(__AVX2__)
INLINE vec fused(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
INLINE vec fused(vec a, vec b, vec c) { return a * b + c; }
#endif

/* A square of vectors becomes its transpose. */
INLINE void turn(vec *r) {
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#if LANES == 8
    vec pair[8], quad[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        pair[i] = MIX(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        pair[i + 1] = MIX(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int h = 0; h < 2; h++) {
            quad[i + 2 * h] = MIX(pair[i + h], pair[i + h + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            quad[i + 2 * h + 1] = MIX(pair[i + h], pair[i + h + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = MIX(quad[i], quad[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[i + 4] = MIX(quad[i], quad[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    vec a = MIX(r[0], r[1], 0, 4, 1, 5), b = MIX(r[0], r[1], 2, 6, 3, 7);
    vec c = MIX(r[2], r[3], 0, 4, 1, 5), d = MIX(r[2], r[3], 2, 6, 3, 7);
    r[0] = MIX(a, c, 0, 1, 4, 5), r[1] = MIX(a, c, 2, 3, 6, 7);
    r[2] = MIX(b, d, 0, 1, 4, 5), r[3] = MIX(b, d, 2, 3, 6, 7);
#endif
#undef MIX
}

/* ------------------------------------------------------------------ transforms along one axis, `step` vectors apart */

#define P 0.75f /* the points: 0, P, -P, Q, -Q, infinity */
#define Q 1.5f
#define PP (P * P)
#define QQ (Q * Q)
/* What divides the value of a kernel at a point: the product of its distances to the other finite points. */
#define AT_0 (PP * QQ)
#define AT_P (2 * PP * (PP - QQ))
#define AT_Q (2 * QQ * (QQ - PP))

INLINE void of_data(vec *out, const vec *d, int step) {
    const vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    vec even = fused(d2, splat(-QQ), d4), odd = fused(d1, splat(-QQ), d3);
    out[0] = fused(d2, splat(-(PP + QQ)), fused(d0, splat(PP * QQ), d4));
    out[step] = fused(odd, splat(P), even);
    out[2 * step] = fused(odd, splat(-P), even);
    even = fused(d2, splat(-PP), d4), odd = fused(d1, splat(-PP), d3);
    out[3 * step] = fused(odd, splat(Q), even);
    out[4 * step] = fused(odd, splat(-Q), even);
    out[5 * step] = fused(d3, splat(-(PP + QQ)), fused(d1, splat(PP * QQ), d5));
}

/* A kernel of `taps` elements, 3 or 4, from k to out. */
INLINE void of_kernel(int taps, vec *out, int out_step, const vec *k, int step) {
    const vec last = k[(taps - 1) * step], zero = {0};
    const vec k0 = k[0], k1 = k[step], k2 = k[2 * step], k3 = taps > 3 ? last : zero;
    vec even = fused(k2, splat(PP), k0), odd = taps > 3 ? fused(k3, splat(PP), k1) : k1;
    out[0] = k0 * splat(1 / AT_0);
    out[out_step] = fused(odd, splat(P), even) * splat(1 / AT_P);
    out[2 * out_step] = fused(odd, splat(-P), even) * splat(1 / AT_P);
    even = fused(k2, splat(QQ), k0), odd = taps > 3 ? fused(k3, splat(QQ), k1) : k1;
    out[3 * out_step] = fused(odd, splat(Q), even) * splat(1 / AT_Q);
    out[4 * out_step] = fused(odd, splat(-Q), even) * splat(1 / AT_Q);
    out[5 * out_step] = last;
}

/* `results` elements, 4 or 3, from the products m. */
INLINE void of_products(int results, vec *out, int out_step, const vec *m, int step) {
    vec even_p = m[step] + m[2 * step], odd_p = m[step] - m[2 * step];
    vec even_q = m[3 * step] + m[4 * step], odd_q = m[3 * step] - m[4 * step];
    out[0] = m[0] + even_p + even_q;
    out[out_step] = fused(odd_q, splat(Q), odd_p * splat(P));
    out[2 * out_step] = fused(even_q, splat(QQ), even_p * splat(PP));
    if (results == 4) out[3 * out_step] = fused(odd_q, splat(Q * QQ), fused(odd_p, splat(P * PP), m[5 * step]));
    else out[2 * out_step] += m[5 * step];
}

/* ------------------------------------------------------------------ tiles, and the bands of planes that they are cut from */

/* Tiles of the images, image by image and row by row, as they lie on planes of `size` that begin `padding` before the first. */
typedef struct tiling {
    int64_t down, across, size[2], padding[2];
    int64_t reach; /* pixels of a plane along a tile's side */
    int64_t row;   /* of a band */
} tiling;

static tiling tiling_of(const tg__winograd *a, const int64_t *size, const int64_t *padding, int64_t reach) {
    tiling t = {.down = (a->at[0] + STEP - 1) / STEP, .across = (a->at[1] + STEP - 1) / STEP, .reach = reach};
    for (int i = 0; i < 2; i++) t.size[i] = size[i], t.padding[i] = padding[i];
    t.row = STEP * t.across + (reach > STEP ? ROOM - STEP : 0);
    return t;
}
static tiling tiling_of_x(const tg__winograd *a) { return tiling_of(a, a->size, a->padding, TILE); }
static tiling tiling_of_g(const tg__winograd *a) { return tiling_of(a, a->at, (int64_t[2]){0, 0}, STEP); }

static int64_t tiles_of(const tg__winograd *a) {
    return a->images * ((a->at[0] + STEP - 1) / STEP) * ((a->at[1] + STEP - 1) / STEP);
}

/* Elements of the bands of a chunk of tiles at most. */
static int64_t band_room(const tiling *t, int64_t chunk) { return ((chunk - 1) / t->across + 2) * TILE * t->row; }

/* Rows of tiles of one image that a chunk touches: their pixels, with zeros around, stand at `base` of the staged memory. */
typedef struct band {
    int64_t image, first, rows, base;
} band;

typedef struct place { /* of a tile */
    int64_t staged;  /* its first pixel */
    int64_t result, rows, cols; /* its first result, from the image's first channel on, and how many there are */
} place;

static int64_t find_bands(band *bands, const tiling *t, int64_t begin, int64_t end) {
    int64_t n = 0, base = 0, image_tiles = t->down * t->across;
    for (int64_t tile = begin; tile < end;) {
        int64_t image = tile / image_tiles, first = tile % image_tiles / t->across;
        int64_t stop = min_of(end, (image + 1) * image_tiles);
        int64_t rows = (stop - 1) % image_tiles / t->across - first + 1;
        bands[n++] = (band){image, first, rows, base};
        base += (STEP * (rows - 1) + t->reach) * t->row;
        tile = stop;
    }
    return n;
}

/* Tiles past the last one stand where the first one does, so that whole vectors of tiles may be read. */
static void find_places(place *places, const tiling *t, const band *bands, const int64_t *at, int64_t image_results,
                        int64_t begin, int64_t end, int64_t room) {
    int64_t image_tiles = t->down * t->across;
    for (int64_t i = begin; i < begin + room; i++) {
        int64_t tile = i < end ? i : begin, inside = tile % image_tiles, y = inside / t->across, x = inside % t->across;
        const band *b = &bands[tile / image_tiles - begin / image_tiles];
        places[i - begin] = (place){b->base + STEP * ((y - b->first) * t->row + x),
                                    b->image * image_results + STEP * (y * at[1] + x),
                                    i < end ? min_of(STEP, at[0] - STEP * y) : 0, min_of(STEP, at[1] - STEP * x)};
    }
}

static void copy_row(float *to, const float *from, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) store(to + i, load(from + i));
    for (; i < n; i++) to[i] = from[i];
}

/* The rows of a band that lie on the plane: [*low, *high). */
static void rows_inside(const tiling *t, const band *b, int64_t *low, int64_t *high) {
    int64_t first = STEP * b->first - t->padding[0], rows = STEP * (b->rows - 1) + t->reach;
    *low = min_of(max_of(-first, 0), rows);
    *high = max_of(min_of(t->size[0] - first, rows), *low);
}

/* Columns of a plane that a band holds. */
static int64_t cols_inside(const tiling *t) { return min_of(t->size[1], t->row - t->padding[1]); }

/* The bands of one channel; planes: that channel of the first image. What is outside of the planes is zero already. */
static void stage_channel(float *staged, const tiling *t, const band *bands, int64_t n, const float *planes,
                          int64_t image_size) {
    int64_t cols = cols_inside(t), low, high;
    for (const band *b = bands; b < bands + n; b++) {
        const float *plane = planes + b->image * image_size + (STEP * b->first - t->padding[0]) * t->size[1];
        rows_inside(t, b, &low, &high);
        for (int64_t r = low; r < high; r++)
            copy_row(staged + b->base + r * t->row + t->padding[1], plane + r * t->size[1], cols);
    }
}

/* ------------------------------------------------------------------ the weights */

typedef struct job {
    const tg__winograd *a;
    const tg__gemm_panels *panels;
    int64_t group, block; /* block: terms of the inner sum that are packed together */
    int64_t tiles, chunk, workers, worker_size;
    int64_t slice, first, out; /* channels of the result at a time; in work: from which on, and how many */
    float *weights, *memory;
    int64_t weight_point; /* elements from the matrix of one point to the next */
    _Atomic bool *broken; /* a result is not finite */
} job;

/* lanes: rows of the matrix of weights; k[tap]. */
INLINE void load_kernels(vec *k, const tg__winograd *a, const float *w, int64_t lanes) {
    float taps[9][LANES];
    for (int64_t l = 0; l < LANES; l++) {
        const float *from = w + min_of(l, lanes - 1) * a->w_out;
        UNROLL for (int t = 0; t < 9; t++) taps[t][l] = from[a->turned ? 8 - t : t];
    }
    UNROLL for (int t = 0; t < 9; t++) k[t] = load(taps[t]);
}

/* Row tile `tile` of the matrices of all points, packed as a product reads them. Vectors reach past their row into the next
 * one, which is written later, but not past the tile. */
static void transform_weight_tile(const job *j, int64_t tile, int64_t tiles) {
    const tg__winograd *a = j->a;
    int64_t first = tg__gemm_row_tile(j->out, tiles, tile), rows = tg__gemm_row_tile(j->out, tiles, tile + 1) - first;
    const float *w = a->w + j->group * a->in * a->out * 9 + (j->first + first) * a->w_out;
    for (int64_t i = 0; i < a->in; i++) {
        int64_t begin = i / j->block * j->block, terms = min_of(j->block, a->in - begin);
        float *to = j->weights + begin * j->out + first * terms + (i - begin) * rows;
        int64_t left = (terms - (i - begin)) * rows;
        for (int64_t l = 0; l < rows; l += LANES) {
            vec k[9], half[TILE * 3], u[POINTS];
            load_kernels(k, a, w + l * a->w_out + i * a->w_in, rows - l);
            UNROLL for (int c = 0; c < 3; c++) of_kernel(3, half + c, 3, k + c, 3);
            UNROLL for (int r = 0; r < TILE; r++) of_kernel(3, u + r * TILE, 1, half + r * 3, 1);
            size_t bytes = (size_t)min_of(left - l, LANES) * sizeof(float);
            for (int e = 0; e < POINTS; e++) {
                if (bytes == sizeof(vec)) store(to + e * j->weight_point + l, u[e]);
                else memcpy(to + e * j->weight_point + l, &u[e], bytes);
            }
        }
    }
}

static void transform_weights(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    int64_t tiles = tg__gemm_row_tiles(j->out, j->panels->tile_rows);
    for (int64_t t = begin; t < end; t++) transform_weight_tile(j, t, tiles);
}

/* ------------------------------------------------------------------ the result */

typedef struct chunk { /* memory of a worker */
    float *staged, *data, *products;
    place *places;
    band *bands;
    int64_t width, data_point, product_point;
} chunk;

static int64_t chunk_width(int64_t tiles) { return round_up(tiles, PANEL); }
static int64_t data_point(int64_t channels, int64_t width) { return channels * width + APART; }

static chunk chunk_in(const job *j, float *memory) {
    const tiling t = tiling_of_x(j->a);
    chunk c = {.width = chunk_width(j->chunk)};
    c.data_point = data_point(j->a->in, c.width), c.product_point = data_point(j->slice, c.width);
    c.data = memory;
    c.products = c.data + POINTS * c.data_point;
    c.staged = c.products + POINTS * c.product_point;
    c.places = (place *)(void *)(c.staged + round_up(band_room(&t, j->chunk), APART));
    c.bands = (band *)(void *)(c.places + c.width);
    return c;
}

static int64_t chunk_elements(const tg__winograd *a, int64_t tiles, int64_t slice) {
    const tiling t = tiling_of_x(a);
    int64_t width = chunk_width(tiles), tables = width * (int64_t)(sizeof(place) + sizeof(band)) / (int64_t)sizeof(float);
    return POINTS * (data_point(a->in, width) + data_point(slice, width)) + round_up(band_room(&t, tiles), APART) +
           round_up(tables, APART);
}

/* LANES tiles of one channel, each of its points to `to`, `point` elements apart. */
static void transform_tiles(float *to, int64_t point, const float *staged, int64_t row, const place *places) {
    vec rows[TILE][ROOM / LANES][LANES]; /* row of the tile transformed down its columns, columns, tile */
    for (int t = 0; t < LANES; t++) {
        const float *from = staged + places[t].staged;
        UNROLL for (int v = 0; v < ROOM / LANES; v++) {
            vec d[TILE];
            UNROLL for (int r = 0; r < TILE; r++) d[r] = load(from + r * row + v * LANES);
            of_data(d, d, 1);
            UNROLL for (int r = 0; r < TILE; r++) rows[r][v][t] = d[r];
        }
    }
    for (int r = 0; r < TILE; r++) {
        vec d[ROOM];
        UNROLL for (int v = 0; v < ROOM / LANES; v++) {
            UNROLL for (int t = 0; t < LANES; t++) d[v * LANES + t] = rows[r][v][t];
            turn(d + v * LANES);
        }
        of_data(d, d, 1);
        UNROLL for (int c = 0; c < TILE; c++) store(to + (r * TILE + c) * point, d[c]);
    }
}

static void transform_chunk(const job *j, const chunk *c, const tiling *t, int64_t bands, int64_t width) {
    const tg__winograd *a = j->a;
    int64_t plane = a->size[0] * a->size[1], panel = j->panels->tile_cols;
    memset(c->staged, 0, (size_t)band_room(t, j->chunk) * sizeof(float));
    for (int64_t i = 0; i < a->in; i++) {
        int64_t begin = i / j->block * j->block, terms = min_of(j->block, a->in - begin);
        stage_channel(c->staged, t, c->bands, bands, a->x + (j->group * a->in + i) * plane, a->groups * a->in * plane);
        for (int64_t s = 0; s < width; s += LANES) {
            float *to = c->data + begin * c->width + s / panel * panel * terms + (i - begin) * panel + s % panel;
            transform_tiles(to, c->data_point, c->staged, t->row, c->places + s);
        }
    }
}

/* Results of LANES tiles of one channel, from the products of all points; bias: -0 for none. */
static vec give_tiles(float *y, int64_t row, const float *products, int64_t point, const place *places, float bias) {
    vec m[POINTS], half[STEP * TILE], out[STEP][STEP], bad = {0};
    UNROLL for (int c = 0; c < TILE; c++) {
        UNROLL for (int r = 0; r < TILE; r++) m[r * TILE + c] = load(products + (r * TILE + c) * point);
        of_products(STEP, half + c, TILE, m + c, TILE);
    }
    UNROLL for (int r = 0; r < STEP; r++) {
        of_products(STEP, out[r], 1, half + r * TILE, 1);
        UNROLL for (int c = 0; c < STEP; c++) bad += out[r][c] - out[r][c];
    }
    float pixels[STEP][STEP][LANES];
    UNROLL for (int r = 0; r < STEP; r++) {
        UNROLL for (int c = 0; c < STEP; c++) store(pixels[r][c], out[r][c] + splat(bias));
    }
    for (int t = 0; t < LANES; t++) {
        for (int64_t r = 0; r < places[t].rows; r++) {
            float *to = y + places[t].result + r * row;
            for (int64_t c = 0; c < places[t].cols; c++) to[c] = pixels[r][c][t];
        }
    }
    return bad;
}

static bool any_nonzero(vec v) { /* a NaN is */
    bool any = false;
    for (int l = 0; l < LANES; l++) any |= !(v[l] == 0);
    return any;
}

static void give_chunk(const job *j, const chunk *c, int64_t tiles) {
    const tg__winograd *a = j->a;
    int64_t plane = a->at[0] * a->at[1];
    vec bad = {0};
    for (int64_t o = 0; o < j->out; o++) {
        const int64_t channel = j->group * a->out + j->first + o;
        const float bias = a->bias ? a->bias[channel] : -0.0f;
        for (int64_t s = 0; s < tiles; s += LANES)
            bad += give_tiles(a->y + channel * plane, a->at[1], c->products + o * c->width + s, c->product_point,
                              c->places + s, bias);
    }
    if (any_nonzero(bad)) atomic_store_explicit(j->broken, true, memory_order_relaxed);
}

static void multiply_chunk(const job *j, const chunk *c, int64_t width) {
    const tg__winograd *a = j->a;
    for (int64_t e = 0; e < POINTS; e++) {
        for (int64_t t = 0; t < a->in; t += j->block)
            j->panels->multiply(j->out, width, min_of(j->block, a->in - t), j->weights + e * j->weight_point + t * j->out,
                                c->data + e * c->data_point + t * c->width, c->products + e * c->product_point, c->width,
                                t > 0);
    }
}

static void convolve_chunk(const job *j, int64_t begin, int64_t end, float *memory) {
    const tg__winograd *a = j->a;
    const tiling t = tiling_of_x(a);
    chunk c = chunk_in(j, memory);
    int64_t width = round_up(end - begin, j->panels->tile_cols);
    if (j->first == 0) {
        int64_t bands = find_bands(c.bands, &t, begin, end);
        find_places(c.places, &t, c.bands, a->at, a->groups * a->out * a->at[0] * a->at[1], begin, end, width);
        transform_chunk(j, &c, &t, bands, width);
    }
    multiply_chunk(j, &c, width);
    give_chunk(j, &c, end - begin);
}

static void convolve_share(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    int64_t first = part_begin(j->tiles, j->workers, begin), last = part_begin(j->tiles, j->workers, end);
    for (int64_t t = first; t < last; t += j->chunk)
        convolve_chunk(j, t, min_of(t + j->chunk, last), j->memory + begin * j->worker_size);
}

/* How tiles are shared; it changes no bits. */
static int64_t workers_of(const tg__winograd *a, int64_t tiles) { return max_of(min_of(a->threads, tiles / 16), 1); }

static int64_t chunk_of(const tg__winograd *a, int64_t tiles, int64_t workers) {
    int64_t near = NEAR_BYTES / (int64_t)sizeof(float) / (POINTS * (a->in + a->out)), across = (a->at[1] + STEP - 1) / STEP;
    int64_t wanted = min_of(max_of(max_of(near, LEAST_CHUNK), across), MOST_CHUNK);
    return round_up(min_of(wanted, (tiles + workers - 1) / workers), 16);
}

/* Channels of a slice: `out` in equal parts, whose matrices of all points, `width` elements to a channel, stay near. */
static int64_t even_slice(int64_t out, int64_t width) {
    int64_t most = max_of(SLICE_BYTES / (int64_t)sizeof(float) / (POINTS * width), LEAST_SLICE);
    int64_t slices = (out + most - 1) / most;
    return (out + slices - 1) / slices;
}

/* Where every worker has one chunk, and so keeps its transformed tiles, weights are filtered and used slice by slice. */
static int64_t slice_of(const tg__winograd *a, int64_t tiles, int64_t workers) {
    return chunk_of(a, tiles, workers) * workers < tiles ? a->out : even_slice(a->out, a->in);
}

static int64_t weight_elements(const tg__winograd *a, int64_t slice) {
    return round_up(POINTS * (a->in * slice + APART), APART);
}

static double work_of(const tg__winograd *a, int64_t tiles, int64_t out) {
    return (double)POINTS * (double)tiles * (double)a->in * (double)out / 4;
}

static void convolve_slice(job *j) {
    const tg__winograd *a = j->a;
    j->out = min_of(j->slice, a->out - j->first);
    tg_parallel(a->threads, tg__gemm_row_tiles(j->out, j->panels->tile_rows), (double)POINTS * (double)(a->in * j->out) * 4,
                transform_weights, j);
    tg_parallel(a->threads, j->workers, work_of(a, j->tiles, j->out), convolve_share, j);
}

bool TG__SET(tg__winograd)(const tg__winograd *a) {
    _Atomic bool broken = false;
    job j = {.a = a, .panels = &TG__SET(tg__gemm_panels_f32), .tiles = tiles_of(a), .broken = &broken};
    j.block = tg__gemm_cut(a->out, j.tiles, a->in).block;
    j.workers = workers_of(a, j.tiles), j.chunk = chunk_of(a, j.tiles, j.workers), j.slice = slice_of(a, j.tiles, j.workers);
    j.weights = a->scratch, j.weight_point = a->in * j.slice + APART;
    j.memory = j.weights + weight_elements(a, j.slice);
    j.worker_size = chunk_elements(a, j.chunk, j.slice);
    for (j.group = 0; j.group < a->groups; j.group++) {
        for (j.first = 0; j.first < a->out; j.first += j.slice) convolve_slice(&j);
    }
    return !broken;
}

/* ------------------------------------------------------------------ the gradient of the weights */

/* Sums over blocks of tiles, in order: of each point, out x in products of g's tiles (rows) and x's (columns). */
typedef struct weight_job {
    const tg__winograd *a;
    const tg__gemm_panels *panels;
    int64_t group, begin, end, tiles, width; /* the block of tiles; of all; columns of the products */
    int64_t slice, first, out;               /* channels of g at a time; in work: from which on, and how many */
    tiling x, g;
    band *x_bands, *g_bands;
    place *x_places, *g_places;
    int64_t bands, left_point, right_point, product_point, workers, staged_size;
    float *left, *right, *products, *staged;
    _Atomic bool *broken;
} weight_job;

/* The bands of LANES channels from `first` on, pixel by pixel; the last channel stands for those that are not there. */
static void stage_channels(float *staged, const tiling *t, const band *bands, int64_t n, const float *planes,
                           int64_t image_size, int64_t first, int64_t channels) {
    int64_t cols = cols_inside(t), plane = t->size[0] * t->size[1], low, high, lane[LANES];
    for (int64_t l = 0; l < LANES; l++) lane[l] = min_of(first + l, channels - 1) * plane;
    for (const band *b = bands; b < bands + n; b++) {
        rows_inside(t, b, &low, &high);
        for (int64_t r = low; r < high; r++) {
            const float *from = planes + b->image * image_size + (STEP * b->first - t->padding[0] + r) * t->size[1];
            float *to = staged + (b->base + r * t->row + t->padding[1]) * LANES;
            int64_t c = 0;
            for (; c + LANES <= cols; c += LANES) {
                vec pixels[LANES];
                UNROLL for (int l = 0; l < LANES; l++) pixels[l] = load(from + lane[l] + c);
                turn(pixels);
                UNROLL for (int l = 0; l < LANES; l++) store(to + (c + l) * LANES, pixels[l]);
            }
            for (; c < cols; c++)
                for (int l = 0; l < LANES; l++) to[c * LANES + l] = from[lane[l] + c];
        }
    }
}

/* LANES columns of the right side, for every tile of the block. */
static void transform_columns(const weight_job *j, float *staged, int64_t first) {
    const tg__winograd *a = j->a;
    int64_t plane = a->size[0] * a->size[1], panel = j->panels->tile_cols, terms = j->end - j->begin;
    stage_channels(staged, &j->x, j->x_bands, j->bands, a->x + j->group * a->in * plane, a->groups * a->in * plane, first,
                   a->in);
    float *to = j->right + first / panel * panel * terms + first % panel;
    for (int64_t t = 0; t < terms; t++, to += panel) {
        const float *from = staged + j->x_places[t].staged * LANES;
        vec half[POINTS], d[POINTS];
        UNROLL for (int c = 0; c < TILE; c++) {
            UNROLL for (int r = 0; r < TILE; r++) d[r * TILE + c] = load(from + (r * j->x.row + c) * LANES);
            of_data(half + c, d + c, TILE);
        }
        UNROLL for (int r = 0; r < TILE; r++) {
            of_data(d + r * TILE, half + r * TILE, 1);
            UNROLL for (int c = 0; c < TILE; c++) store(to + (r * TILE + c) * j->right_point, d[r * TILE + c]);
        }
    }
}

/* Up to LANES rows of the left side, from row `first` of its tile of `rows`. What the vectors of row 0 write past their tile is
 * written later or, at the end, not at all; later ones would write into what is there. */
static void transform_rows(const weight_job *j, const float *staged, float *tile, int64_t first, int64_t rows) {
    int64_t terms = j->end - j->begin;
    for (int64_t t = 0; t < terms; t++) {
        const float *from = staged + j->g_places[t].staged * LANES;
        float *to = tile + t * rows + first;
        vec k[STEP * STEP], half[TILE * STEP], u[POINTS];
        UNROLL for (int c = 0; c < STEP; c++) {
            UNROLL for (int r = 0; r < STEP; r++) k[r * STEP + c] = load(from + (r * j->g.row + c) * LANES);
            of_kernel(STEP, half + c, STEP, k + c, STEP);
        }
        UNROLL for (int r = 0; r < TILE; r++) of_kernel(STEP, u + r * TILE, 1, half + r * STEP, 1);
        size_t bytes = (size_t)min_of(first ? rows - first : (terms - t) * rows, LANES) * sizeof(float);
        for (int e = 0; e < POINTS; e++) {
            if (bytes == sizeof(vec)) store(to + e * j->left_point, u[e]);
            else memcpy(to + e * j->left_point, &u[e], bytes);
        }
    }
}

static void transform_row_tile(const weight_job *j, float *staged, int64_t tile, int64_t tiles) {
    const tg__winograd *a = j->a;
    int64_t first = tg__gemm_row_tile(j->out, tiles, tile), rows = tg__gemm_row_tile(j->out, tiles, tile + 1) - first;
    int64_t plane = a->at[0] * a->at[1];
    for (int64_t l = 0; l < rows; l += LANES) {
        stage_channels(staged, &j->g, j->g_bands, j->bands, a->g + j->group * a->out * plane, a->groups * a->out * plane,
                       j->first + first + l, j->first + j->out);
        transform_rows(j, staged, j->left + first * (j->end - j->begin), l, rows);
    }
}

static void transform_share(int64_t begin, int64_t end, void *ctx) {
    const weight_job *j = ctx;
    int64_t columns = j->first ? 0 : j->width / LANES, tiles = tg__gemm_row_tiles(j->out, j->panels->tile_rows);
    int64_t first = part_begin(columns + tiles, j->workers, begin), last = part_begin(columns + tiles, j->workers, end);
    float *staged = j->staged + begin * j->staged_size;
    memset(staged, 0, (size_t)j->staged_size * sizeof(float));
    for (int64_t i = first; i < min_of(last, columns); i++) transform_columns(j, staged, i * LANES);
    memset(staged, 0, (size_t)j->staged_size * sizeof(float));
    for (int64_t i = max_of(first, columns); i < last; i++) transform_row_tile(j, staged, i - columns, tiles);
}

static void multiply_points(int64_t begin, int64_t end, void *ctx) {
    const weight_job *j = ctx;
    for (int64_t e = begin; e < end; e++)
        j->panels->multiply(j->out, j->width, j->end - j->begin, j->left + e * j->left_point,
                            j->right + e * j->right_point, j->products + e * j->product_point, j->width, j->begin > 0);
}

/* The weights of channels [begin, end) of the slice. */
static void give_weights(int64_t begin, int64_t end, void *ctx) {
    const weight_job *j = ctx;
    const tg__winograd *a = j->a;
    vec bad = {0};
    for (int64_t i = begin * a->in; i < end * a->in;) {
        int64_t o = i / a->in, c = i % a->in, lanes = min_of(LANES, a->in - c);
        const float *products = j->products + o * j->width + c;
        vec m[POINTS], half[3 * TILE], out[9];
        UNROLL for (int x = 0; x < TILE; x++) {
            UNROLL for (int y = 0; y < TILE; y++) m[y * TILE + x] = load(products + (y * TILE + x) * j->product_point);
            of_products(3, half + x, TILE, m + x, TILE);
        }
        UNROLL for (int y = 0; y < 3; y++) of_products(3, out + 3 * y, 1, half + y * TILE, 1);
        float *to = a->y + ((j->group * a->out + j->first) * a->in + i) * 9, taps[9][LANES];
        UNROLL for (int t = 0; t < 9; t++) bad += out[t] - out[t], store(taps[t], out[t]);
        for (int64_t l = 0; l < lanes; l++) {
            UNROLL for (int t = 0; t < 9; t++) to[l * 9 + t] = taps[t][l];
        }
        i += lanes;
    }
    if (any_nonzero(bad)) atomic_store_explicit(j->broken, true, memory_order_relaxed);
}

/* Where all tiles are one block, whose columns of x are transformed once, weights are made slice by slice. */
static int64_t weight_slice_of(const tg__winograd *a, int64_t tiles) {
    return tiles > WEIGHT_CHUNK ? a->out : even_slice(a->out, round_up(a->in, PANEL));
}

/* Lays out a job's memory; returns how many elements it takes. */
static int64_t lay_out(weight_job *j, float *memory) {
    const tg__winograd *a = j->a;
    int64_t chunk = min_of(WEIGHT_CHUNK, j->tiles), width = round_up(a->in, PANEL), at = 0, places, bands;
    j->x = tiling_of_x(a), j->g = tiling_of_g(a);
    j->slice = weight_slice_of(a, j->tiles);
    j->left_point = j->slice * chunk + APART, j->right_point = width * chunk + APART;
    j->product_point = j->slice * width + APART;
    j->staged_size = round_up(band_room(&j->x, chunk) * MOST_LANES, APART);
    places = round_up(chunk * (int64_t)(sizeof(place) / sizeof(float)), APART);
    bands = round_up(chunk * (int64_t)(sizeof(band) / sizeof(float)), APART);
#define TAKE(member, type, elements) j->member = (type *)(void *)(memory + at), at += round_up(elements, APART)
    TAKE(left, float, POINTS * j->left_point);
    TAKE(right, float, POINTS * j->right_point);
    TAKE(products, float, POINTS * j->product_point);
    TAKE(x_places, place, places);
    TAKE(g_places, place, places);
    TAKE(x_bands, band, bands);
    TAKE(g_bands, band, bands);
    TAKE(staged, float, j->workers * j->staged_size);
#undef TAKE
    return at;
}

static void sum_block(weight_job *j) {
    const tg__winograd *a = j->a;
    int64_t image = a->groups * a->out * a->at[0] * a->at[1], terms = j->end - j->begin;
    j->bands = find_bands(j->x_bands, &j->x, j->begin, j->end);
    find_bands(j->g_bands, &j->g, j->begin, j->end);
    find_places(j->x_places, &j->x, j->x_bands, a->at, image, j->begin, j->end, terms);
    find_places(j->g_places, &j->g, j->g_bands, a->at, image, j->begin, j->end, terms);
    int64_t channels = j->out + (j->first ? 0 : a->in);
    tg_parallel(a->threads, j->workers, 4.0 * (double)(POINTS * terms * channels), transform_share, j);
    tg_parallel(a->threads, POINTS, work_of(a, terms, j->out), multiply_points, j);
}

static void sum_slice(weight_job *j) {
    const tg__winograd *a = j->a;
    j->out = min_of(j->slice, a->out - j->first);
    for (j->begin = 0; j->begin < j->tiles; j->begin = j->end) {
        j->end = min_of(j->begin + WEIGHT_CHUNK, j->tiles);
        sum_block(j);
    }
    tg_parallel(a->threads, j->out, (double)(j->out * a->in) * 4 * POINTS, give_weights, j);
}

bool TG__SET(tg__winograd_weights)(const tg__winograd *a) {
    _Atomic bool broken = false;
    weight_job j = {.a = a, .panels = &TG__SET(tg__gemm_panels_f32), .tiles = tiles_of(a), .broken = &broken};
    j.workers = a->threads, j.width = round_up(a->in, j.panels->tile_cols);
    lay_out(&j, a->scratch);
    for (j.group = 0; j.group < a->groups; j.group++) {
        for (j.first = 0; j.first < a->out; j.first += j.slice) sum_slice(&j);
    }
    return !broken;
}

#define IS_any 1
#if TG__PASTE(IS, TG__ISA)

bool tg__winograd_fits(const tg__winograd *a) {
    int64_t tiles = tiles_of(a);
    double plain = 9.0 * (double)(a->images * a->at[0] * a->at[1]), here = (double)POINTS * (double)round_up(tiles, 16);
    return a->in >= 16 && a->out >= 16 && a->padding[0] <= 2 && a->padding[1] <= 2 && here <= 0.6 * plain;
}

size_t tg__winograd_scratch(const tg__winograd *a) {
    int64_t tiles = tiles_of(a), workers = workers_of(a, tiles), slice = slice_of(a, tiles, workers);
    int64_t chunk = chunk_elements(a, chunk_of(a, tiles, workers), slice);
    return (size_t)(weight_elements(a, slice) + workers * chunk) * sizeof(float);
}

size_t tg__winograd_weights_scratch(const tg__winograd *a) {
    weight_job j = {.a = a, .tiles = tiles_of(a), .workers = a->threads};
    static float nowhere[1];
    return (size_t)lay_out(&j, nowhere) * sizeof(float);
}

#endif
