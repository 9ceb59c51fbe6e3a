/* kernels/direct_loops.h: convolutions between few channels, for one type T, named D. Included by direct.c. */

typedef T FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef T FN(loose) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
typedef T FN(quad) __attribute__((vector_size(4 * sizeof(T))));
#define VEC FN(vec)
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(T)))
#define PANEL (2 * LANES) /* the last one is of one vector, where that holds the rest */

INLINE VEC FN(load)(const T *p) { return *(const FN(loose) *)p; }
INLINE void FN(store)(T *p, VEC v) { *(FN(loose) *)p = v; }
INLINE VEC FN(splat)(T x) { return x - (VEC){0}; }

static int FN(vectors_at)(int64_t first, int64_t out) { return out - first > LANES ? 2 : 1; }

/* Row i, to[i] rows after c, each of `vectors`, = or += the sum over k terms of x[row[i] + term] times the term's row of b. */
INLINE void FN(tile)(int rows, int vectors, int64_t k, const T *x, const int64_t *row, const int64_t *term, const T *b, T *c,
                     const int64_t *to, bool add) {
    VEC sum[ROWS][2];
    const T *from[ROWS];
    UNROLL for (int i = 0; i < rows; i++) {
        from[i] = x + row[i];
        UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = (VEC){0};
    }
    for (int64_t t = 0; t < k; t++, b += vectors * LANES) {
        const int64_t at = term[t];
        VEC right[2];
        UNROLL for (int v = 0; v < vectors; v++) right[v] = FN(load)(b + v * LANES);
        UNROLL for (int i = 0; i < rows; i++) {
            VEC left = FN(splat)(from[i][at]);
            UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = FN(fused)(left, right[v], sum[i][v]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        T *at = c + to[i] * vectors * LANES;
        UNROLL for (int v = 0; v < vectors; v++, at += LANES) FN(store)(at, add ? FN(load)(at) + sum[i][v] : sum[i][v]);
    }
}

#define TILE_ARGS int64_t k, const T *x, const int64_t *row, const int64_t *term, const T *b, T *c, const int64_t *to, bool add
typedef void FN(tile_fn)(TILE_ARGS);
#define TILES(rows)                                                                                 \
    static void FN(narrow_##rows)(TILE_ARGS) { FN(tile)(rows, 1, k, x, row, term, b, c, to, add); } \
    static void FN(wide_##rows)(TILE_ARGS) { FN(tile)(rows, 2, k, x, row, term, b, c, to, add); }
EACH_ROWS(TILES)
#define TILE_ROW(rows) {FN(narrow_##rows), FN(wide_##rows)},
static FN(tile_fn) *const FN(tiles)[ROWS][2] = {EACH_ROWS(TILE_ROW)};

static void FN(sweep)(int64_t rows, int vectors, int64_t k, const T *x, const int64_t *row, const int64_t *term, const T *b,
                      T *c, const int64_t *to, bool add) {
    int64_t tiles = (rows + ROWS - 1) / ROWS;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t count = rows / tiles + (t < rows % tiles);
        FN(tiles)[count - 1][vectors - 1](k, x, row, term, b, c, to, add);
        row += count, to += count;
    }
}

INLINE void FN(turn_square)(T *to, int64_t to_row, const T *from, int64_t from_row) {
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
    FN(quad) r[4];
    UNROLL for (int i = 0; i < 4; i++) memcpy(&r[i], from + i * from_row, sizeof r[i]);
    FN(quad) a = MIX(r[0], r[1], 0, 4, 1, 5), b = MIX(r[0], r[1], 2, 6, 3, 7);
    FN(quad) c = MIX(r[2], r[3], 0, 4, 1, 5), d = MIX(r[2], r[3], 2, 6, 3, 7);
    r[0] = MIX(a, c, 0, 1, 4, 5), r[1] = MIX(a, c, 2, 3, 6, 7);
    r[2] = MIX(b, d, 0, 1, 4, 5), r[3] = MIX(b, d, 2, 3, 6, 7);
    UNROLL for (int i = 0; i < 4; i++) memcpy(to + i * to_row, &r[i], sizeof r[i]);
#undef MIX
}

/* to[j * to_row + i] = from[i * from_row + j], i < rows, j < cols */
static void FN(turn)(T *to, int64_t to_row, const T *from, int64_t from_row, int64_t rows, int64_t cols) {
    const int64_t whole_rows = rows / 4 * 4, whole_cols = cols / 4 * 4;
    for (int64_t i = 0; i < whole_rows; i += 4) {
        for (int64_t j = 0; j < whole_cols; j += 4)
            FN(turn_square)(to + j * to_row + i, to_row, from + i * from_row + j, from_row);
    }
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = i < whole_rows ? whole_cols : 0; j < cols; j++) to[j * to_row + i] = from[i * from_row + j];
    }
}

/* The planes of one image and group, so that every patch is inside; in a copy, all around them is zero already. */
static const T *FN(stage)(const tg__direct *a, int64_t item, T *copy) {
    const int64_t *n = a->size, row = n[3], rows = n[0] * n[1] * n[2];
    const T *from = (const T *)a->x + item * a->in * rows * row;
    if (!a->copied) return from;
    for (int64_t c = 0; c < a->in; c++, copy += a->image.channel) {
        for (int64_t i = 0; i < rows; i++, from += row) memcpy(copy + row_in_copy(a, i), from, (size_t)row * sizeof(T));
    }
    return copy - a->in * a->image.channel;
}

/* ------------------------------------------------------------------ results */

/* Panel by panel: terms, in the order of the job, by lanes, with zeros in the lanes that are not there. */
static void FN(pack_weights)(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    const tg__direct *a = j->a;
    const int64_t taps = taps_of(a), terms = a->in * taps, wide = round_up(a->out, WIDEST);
    for (int64_t g = begin; g < end; g++) {
        T *to = (T *)(void *)j->m.packed + g * terms * wide;
        memset(to, 0, (size_t)(terms * wide) * sizeof(T));
        for (int64_t first = 0; first < a->out; first += PANEL) {
            int64_t width = FN(vectors_at)(first, a->out) * LANES, lanes = min_of(width, a->out - first);
            const T *w = (const T *)a->w + g * a->w_group + first * a->w_lane;
            for (int64_t c = 0; c < a->in; c++, w += a->w_channel)
                FN(turn)(to + first * terms + c * j->channel * width, j->tap * width, w, a->w_lane, lanes, taps);
        }
    }
}

static void FN(add_bias)(T *sums, int64_t rows, int64_t width, const T *bias, int64_t lanes) {
    T padded[WIDEST] = {0};
    memcpy(padded, bias, (size_t)lanes * sizeof(T));
    for (int64_t i = 0; i < rows; i++, sums += width) {
        for (int64_t l = 0; l < width; l += LANES) FN(store)(sums + l, FN(load)(sums + l) + FN(load)(padded + l));
    }
}

static void FN(convolve_item)(const job *j, int64_t item, const T *x, T *sums) {
    const tg__direct *a = j->a;
    const int64_t positions = positions_of(a), terms = a->in * taps_of(a), block = block_of(terms), group = item % a->groups;
    const T *weights = (const T *)(const void *)j->m.packed + group * terms * round_up(a->out, WIDEST);
    for (int64_t p = 0; p < positions; p += POSITIONS) {
        int64_t rows = min_of(POSITIONS, positions - p);
        for (int64_t first = 0; first < a->out; first += PANEL) {
            int vectors = FN(vectors_at)(first, a->out);
            int64_t width = vectors * LANES, lanes = min_of(width, a->out - first);
            for (int64_t t = 0; t < terms; t += block) {
                FN(sweep)(rows, vectors, min_of(block, terms - t), x, j->m.rows + p, j->m.terms + t,
                          weights + first * terms + t * width, sums, j->m.numbers, t > 0);
            }
            if (a->bias) FN(add_bias)(sums, rows, width, (const T *)a->bias + group * a->out + first, lanes);
            FN(turn)((T *)a->y + (item * a->out + first) * positions + p, positions, sums, width, rows, lanes);
        }
    }
}

static void FN(convolve_share)(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    char *own = j->m.workers + (size_t)begin * j->m.worker;
    int64_t first = part_begin(j->m.items, j->m.width, begin), last = part_begin(j->m.items, j->m.width, end);
    memset(own, 0, j->m.planes);
    for (int64_t i = first; i < last; i++)
        FN(convolve_item)(j, i, FN(stage)(j->a, i, (T *)(void *)own), (T *)(void *)(own + j->m.planes));
}

void TG__SET(FN(tg__direct))(const tg__direct *a) {
    job j = {.a = a, .m = memory_at(a, a->scratch, sizeof(T), RESULT), .channel = taps_of(a), .tap = 1};
    tg_parallel(a->threads, a->groups, 4.0 * (double)(a->groups * a->in * taps_of(a) * a->out), FN(pack_weights), &j);
    tg_parallel(a->threads, j.m.width, work_of(a, sizeof(T)), FN(convolve_share), &j);
}

/* ------------------------------------------------------------------ gradients of images */

/* The planes of y from sums of all points of a padded plane. */
static void FN(give_planes)(const tg__direct *a, T *y, const T *sums, int64_t width, int64_t lanes) {
    const int64_t *n = a->size, plane = n[0] * n[1] * n[2] * n[3];
    const int64_t rows = a->copied ? n[0] * n[1] * n[2] : 1, row = plane / rows;
    for (int64_t i = 0; i < rows; i++) FN(turn)(y + i * row, plane, sums + row_in_copy(a, i) * width, width, row, lanes);
}

/* Each tap's products are added to the points that it sees. */
static void FN(transpose_item)(const job *j, int64_t item, T *sums) {
    const tg__direct *a = j->a;
    const int64_t positions = positions_of(a), taps = taps_of(a), block = block_of(a->in), plane = a->image.channel;
    const int64_t all = a->in * taps, points = a->size[0] * a->size[1] * a->size[2] * a->size[3];
    const T *weights = (const T *)(const void *)j->m.packed + item % a->groups * all * round_up(a->out, WIDEST);
    const T *g = (const T *)a->x + item * a->in * positions;
    for (int64_t first = 0; first < a->out; first += PANEL) {
        int vectors = FN(vectors_at)(first, a->out);
        int64_t width = vectors * LANES, lanes = min_of(width, a->out - first);
        memset(sums, 0, (size_t)(plane * width) * sizeof(T));
        for (int64_t t = 0; t < taps; t++) {
            for (int64_t c = 0; c < a->in; c += block) {
                const T *b = weights + first * all + (t * a->in + c) * width;
                FN(sweep)(positions, vectors, min_of(block, a->in - c), g, j->m.numbers, j->m.planes_of_g + c, b,
                          sums + j->m.terms[t] * width, j->m.rows, true);
            }
        }
        FN(give_planes)(a, (T *)a->y + (item * a->out + first) * points, sums, width, lanes);
    }
}

static void FN(transpose_share)(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    int64_t first = part_begin(j->m.items, j->m.width, begin), last = part_begin(j->m.items, j->m.width, end);
    for (int64_t i = first; i < last; i++)
        FN(transpose_item)(j, i, (T *)(void *)(j->m.workers + (size_t)begin * j->m.worker));
}

void TG__SET(FN(tg__direct_transpose))(const tg__direct *a) {
    job j = {.a = a, .m = memory_at(a, a->scratch, sizeof(T), IMAGE), .channel = 1, .tap = a->in};
    tg_parallel(a->threads, a->groups, 4.0 * (double)(a->groups * a->in * taps_of(a) * a->out), FN(pack_weights), &j);
    tg_parallel(a->threads, j.m.width, work_of(a, sizeof(T)), FN(transpose_share), &j);
}

/* ------------------------------------------------------------------ gradients of weights */

/* Positions by lanes, panel by panel; lanes that are not there are zeros already. */
static void FN(pack_cotangents)(const tg__direct *a, int64_t item, T *packed) {
    const int64_t positions = positions_of(a);
    for (int64_t first = 0; first < a->out; first += PANEL) {
        int64_t width = FN(vectors_at)(first, a->out) * LANES, lanes = min_of(width, a->out - first);
        const T *g = (const T *)a->w + (item * a->out + first) * positions;
        FN(turn)(packed + first * positions, width, g, positions, lanes, positions);
    }
}

/* sums (panel by panel: (channel, tap) by lanes) = or += those of one image. */
static void FN(sum_image)(const job *j, const T *x, const T *packed, T *sums, bool add) {
    const tg__direct *a = j->a;
    const int64_t positions = positions_of(a), rows = a->in * taps_of(a), block = block_of(positions);
    for (int64_t first = 0; first < a->out; first += PANEL) {
        int vectors = FN(vectors_at)(first, a->out);
        for (int64_t p = 0; p < positions; p += block) {
            FN(sweep)(rows, vectors, min_of(block, positions - p), x, j->m.rows, j->m.terms + p,
                      packed + first * positions + p * vectors * LANES, sums + first * rows, j->m.numbers,
                      add || p > 0);
        }
    }
}

static void FN(weights_share)(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    const tg__direct *a = j->a;
    const int64_t chunks = chunks_of(a), size = a->in * taps_of(a) * round_up(a->out, WIDEST);
    char *own = j->m.workers + (size_t)begin * j->m.worker;
    T *planes = (T *)(void *)own, *packed = (T *)(void *)(own + j->m.planes);
    int64_t first = part_begin(j->m.items, j->m.width, begin), last = part_begin(j->m.items, j->m.width, end);
    memset(own, 0, j->m.worker);
    for (int64_t i = first; i < last; i++) { /* group, chunk */
        int64_t group = i / chunks, image = part_begin(a->images, chunks, i % chunks);
        int64_t stop = part_begin(a->images, chunks, i % chunks + 1);
        for (int64_t n = image; n < stop; n++) {
            FN(pack_cotangents)(a, n * a->groups + group, packed);
            const T *x = FN(stage)(a, n * a->groups + group, planes);
            FN(sum_image)(j, x, packed, (T *)(void *)j->m.sums + i * size, n > image);
        }
    }
}

static void FN(combine)(T *sums, int64_t chunks, int64_t size) {
    for (int64_t step = 1; step < chunks; step *= 2) {
        for (int64_t s = 0; s + step < chunks; s += 2 * step) {
            T *to = sums + s * size;
            const T *from = sums + (s + step) * size;
            for (int64_t i = 0; i < size; i++) to[i] += from[i];
        }
    }
}

static void FN(give_weights)(int64_t begin, int64_t end, void *ctx) {
    const job *j = ctx;
    const tg__direct *a = j->a;
    const int64_t rows = a->in * taps_of(a), size = rows * round_up(a->out, WIDEST), chunks = chunks_of(a);
    for (int64_t g = begin; g < end; g++) {
        T *sums = (T *)(void *)j->m.sums + g * chunks * size;
        FN(combine)(sums, chunks, size);
        for (int64_t first = 0; first < a->out; first += PANEL) {
            int64_t width = FN(vectors_at)(first, a->out) * LANES, lanes = min_of(width, a->out - first);
            FN(turn)((T *)a->y + (g * a->out + first) * rows, rows, sums + first * rows, width, rows, lanes);
        }
    }
}

void TG__SET(FN(tg__direct_weights))(const tg__direct *a) {
    job j = {.a = a, .m = memory_at(a, a->scratch, sizeof(T), WEIGHTS)};
    tg_parallel(a->threads, j.m.width, work_of(a, sizeof(T)), FN(weights_share), &j);
    tg_parallel(a->threads, a->groups, (double)(a->groups * chunks_of(a) * a->in * taps_of(a) * a->out) * sizeof(T),
                FN(give_weights), &j);
}

#undef VEC
#undef LANES
#undef PANEL
#undef TILE_ARGS
#undef TILES
#undef TILE_ROW
