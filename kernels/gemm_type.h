/* kernels/gemm_type.h: the matrix product for one element type T, included by gemm.c once per type. No include guard.
 *
 * An operand is seen as lanes (rows of A, columns of B) by terms of the inner sum; the two differ in nothing else. The vectors
 * run along the columns of C; where C is too narrow for that, A and B swap and C is computed transposed, with the same bits. */

#define FN(name) TG__PASTE(name, TYPE)
#define VEC FN(vec)
#define LANES ((int)(VECTOR_BYTES / sizeof(T)))
#define TILE_COLS (TILE_VECTORS * LANES)
#define A_BLOCK ((int64_t)(A_BLOCK_BYTES / sizeof(T)))
#define B_BLOCK ((int64_t)(B_BLOCK_BYTES / sizeof(T)))

typedef struct FN(side) {
    const T *const *pairs;
    int64_t offset, lane, term; /* element (l, t) of pair p: pairs[p][offset + l * lane + t * term] */
    const tg__image *image;     /* or, where this is not NULL, of its matrix of patches; lane and term are 0 */
} FN(side);

/* One product. */
typedef struct FN(product) {
    int64_t m, n, k, K;
    FN(side) a, b;
    tg__gemm_order order;
} FN(product);

typedef struct FN(result) {
    T *c;
    int64_t row, col;
} FN(result);

/* Operands as a tile reads them: of A, element (i, t) at p[i * lane + t * term]; of B, panel q of columns at p[q * panel], its
 * row t at t * term from there. packed: tiles of A follow each other, each with its lanes adjacent. copy: where the first tile
 * of a panel packs what it reads, for the others: panel q at copy[q * copy_panel]. */
typedef struct FN(left) {
    const T *p;
    int64_t lane, term;
    bool packed;
} FN(left);

typedef struct FN(right) {
    const T *p;
    int64_t term, panel;
    T *copy;
    int64_t copy_panel;
} FN(right);

static int64_t FN(offset)(const int64_t *table, int64_t b) { return table ? table[b] : 0; }

static inline bool FN(in_reach)(int64_t rows, int64_t lane) { return rows_fit(rows, lane * (int64_t)sizeof(T)); }

INLINE VEC FN(load)(const T *p) { return *(const FN(loose) *)p; }
INLINE void FN(store)(T *p, VEC v) { *(FN(loose) *)p = v; }
INLINE VEC FN(splat)(T x) { return x - (VEC){0}; } /* not x + 0: -0 stays -0 */

/* ------------------------------------------------------------------ the tile */

/* Where a sum is added, its memory is asked for while it is computed: C may be far from the caches. */
INLINE void FN(fetch_row)(const T *c, int vectors) {
    UNROLL for (int byte = 0; byte < vectors * VECTOR_BYTES; byte += 64) __builtin_prefetch((const char *)c + byte);
}

/* c (rows x vectors, unit column stride) = or += sum of k terms from zero. copying: the rows of b go to `copy`, too. Each
 * fourth row of a has a pointer that the next three are reached from: an offset for every row does not fit the registers. */
INLINE void FN(tile)(int rows, int vectors, bool copying, int64_t k, const T *a, int64_t lane, int64_t term, const T *b,
                     int64_t b_term, T *copy, T *c, int64_t c_row, bool add) {
    VEC sum[NARROW_ROWS][TILE_VECTORS];
    const T *fourth[(NARROW_ROWS + 3) / 4];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = (VEC){0};
        if (i % 4 == 0) fourth[i / 4] = a + i * lane;
        if (add) FN(fetch_row)(c + i * c_row, vectors);
    }
    for (; k > 0; k--, b += b_term) {
        VEC right[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) right[v] = FN(load)(b + v * LANES);
        if (copying) {
            UNROLL for (int v = 0; v < vectors; v++) FN(store)(copy + v * LANES, right[v]);
            copy += vectors * LANES;
        }
        UNROLL for (int i = 0; i < rows; i++) {
            VEC left = FN(splat)(fourth[i / 4][i % 4 * lane]);
            UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = FN(fused)(left, right[v], sum[i][v]);
        }
        UNROLL for (int i = 0; i < rows; i += 4) fourth[i / 4] += term;
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < vectors; v++) {
            T *to = c + i * c_row + v * LANES;
            FN(store)(to, add ? FN(load)(to) + sum[i][v] : sum[i][v]);
        }
    }
}

#define TILE_ARGS \
    int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term, T *copy, T *c, int64_t c_row, bool add
typedef void FN(tile_fn)(TILE_ARGS);

#define NARROW_TILE(rows)                                                                     \
    static void FN(narrow_##rows)(TILE_ARGS) {                                                \
        FN(tile)(rows, 1, false, k, a, lane, term, b, b_term, copy, c, c_row, add);           \
    }
#define WIDE_TILES(rows)                                                                      \
    static void FN(wide_##rows)(TILE_ARGS) {                                                  \
        FN(tile)(rows, TILE_VECTORS, false, k, a, lane, term, b, b_term, copy, c, c_row, add); \
    }                                                                                         \
    static void FN(copying_##rows)(TILE_ARGS) {                                               \
        FN(tile)(rows, TILE_VECTORS, true, k, a, lane, term, b, b_term, copy, c, c_row, add); \
    }
EACH_NARROW_ROWS(NARROW_TILE)
EACH_ROWS(WIDE_TILES)

#define NARROW_NAME(rows) FN(narrow_##rows),
#define WIDE_NAME(rows) FN(wide_##rows),
#define COPYING_NAME(rows) FN(copying_##rows),
static FN(tile_fn) *const FN(narrow_tiles)[NARROW_ROWS] = {EACH_NARROW_ROWS(NARROW_NAME)};
static FN(tile_fn) *const FN(wide_tiles)[ROWS] = {EACH_ROWS(WIDE_NAME)};
static FN(tile_fn) *const FN(copying_tiles)[ROWS] = {EACH_ROWS(COPYING_NAME)};

/* to = or += the first `count` elements of a turned row */
INLINE void FN(give_lanes)(T *to, const T *from, int count, bool add) {
    if (count == SQUARE) {
        FN(turned) v, old;
        memcpy(&v, from, sizeof v), memcpy(&old, to, sizeof old);
        v = add ? old + v : v;
        memcpy(to, &v, sizeof v);
        return;
    }
    if (count & 4) {
        FN(four) v, old;
        memcpy(&v, from, sizeof v), memcpy(&old, to, sizeof old);
        v = add ? old + v : v;
        memcpy(to, &v, sizeof v);
        from += 4, to += 4;
    }
    for (int l = 0; l < (count & 3); l++) to[l] = add ? to[l] + from[l] : from[l];
}

/* c = or += sum (packed rows), where adjacent rows of c are adjacent in memory */
static void FN(give_turned)(FN(result) to, int64_t rows, int64_t cols, const T *sum, int64_t sum_row, bool add) {
    for (int64_t j = 0; j < cols; j += SQUARE) {
        int wanted = (int)min_of(SQUARE, cols - j);
        for (int64_t i = 0; i < rows; i += SQUARE) {
            int count = (int)min_of(SQUARE, rows - i);
            FN(turned) square[SQUARE];
            FN(turn)(square, sum + i * sum_row + j, sum_row, count);
            for (int t = 0; t < wanted; t++) FN(give_lanes)(to.c + (j + t) * to.col + i, (T *)&square[t], count, add);
        }
    }
}

static void FN(give_row)(T *to, int64_t cols, const T *from, bool add) {
    int64_t j = 0;
    for (; j + LANES <= cols; j += LANES) {
        VEC v = FN(load)(from + j);
        FN(store)(to + j, add ? FN(load)(to + j) + v : v);
    }
    for (; j < cols; j++) to[j] = add ? to[j] + from[j] : from[j];
}

/* c (strided) = or += sum (packed rows) */
static void FN(give_rows)(FN(result) to, int64_t rows, int64_t cols, const T *sum, int64_t sum_row, bool add) {
    if (to.row == 1 && to.col != 1 && sum_row >= round_up(cols, SQUARE)) {
        FN(give_turned)(to, rows, cols, sum, sum_row, add);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        T *c = to.c + i * to.row;
        const T *from = sum + i * sum_row;
        if (to.col == 1) {
            FN(give_row)(c, cols, from, add);
        } else if (add) {
            for (int64_t j = 0; j < cols; j++) c[j * to.col] += from[j];
        } else {
            for (int64_t j = 0; j < cols; j++) c[j * to.col] = from[j];
        }
    }
}

/* A tile of which not all columns are wanted, or whose columns are not adjacent: computed in full beside C. */
static void FN(edge_tile)(FN(tile_fn) *fn, int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term,
                          T *copy, FN(result) to, int64_t rows, int64_t cols, bool add) {
    T full[NARROW_ROWS * TILE_COLS] __attribute__((aligned(VECTOR_BYTES)));
    fn(k, a, lane, term, b, b_term, copy, full, cols > LANES ? TILE_COLS : LANES, false);
    FN(give_rows)(to, rows, cols, full, cols > LANES ? TILE_COLS : LANES, add);
}

/* One panel: to (rows x cols) = or += left right, over k terms. */
static void FN(sweep_panel)(int64_t rows, int64_t cols, int64_t k, FN(left) left, const T *b, int64_t b_term, T *copy,
                            FN(result) to, bool add) {
    bool wide = cols > LANES, whole = to.col == 1 && cols == (wide ? TILE_COLS : LANES);
    bool tall = !wide && !copy && !left.packed && FN(in_reach)(NARROW_ROWS, left.lane);
    int64_t tiles = tall ? (rows + NARROW_ROWS - 1) / NARROW_ROWS : (rows + ROWS - 1) / ROWS;
    if (tiles == 1) copy = NULL;
    for (int64_t t = 0, i = 0; t < tiles; t++) {
        int64_t count = rows / tiles + (t < rows % tiles);
        bool copying = copy && t == 0;
        const T *a = left.p + i * (left.packed ? k : left.lane);
        int64_t lane = left.packed ? 1 : left.lane, term = left.packed ? count : left.term;
        FN(tile_fn) *fn = copying ? FN(copying_tiles)[count - 1]
                          : wide  ? FN(wide_tiles)[count - 1]
                                  : FN(narrow_tiles)[count - 1];
        FN(result) at = {to.c + i * to.row, to.row, to.col};
        if (whole) fn(k, a, lane, term, b, b_term, copy, at.c, at.row, add);
        else FN(edge_tile)(fn, k, a, lane, term, b, b_term, copy, at, count, cols, add);
        if (copying) b = copy, b_term = TILE_COLS;
        i += count;
    }
}

static void FN(sweep_panels)(int64_t rows, int64_t cols, int64_t k, FN(left) left, FN(right) right, FN(result) to,
                             bool add) {
    for (int64_t j = 0; j < cols; j += TILE_COLS, right.p += right.panel) {
        FN(result) at = {to.c + j * to.col, to.row, to.col};
        FN(sweep_panel)(rows, min_of(cols - j, TILE_COLS), k, left, right.p, right.term, right.copy, at, add);
        if (right.copy) right.copy += right.copy_panel;
    }
}

/* to (rows x cols) = or += left right, over k terms. Panel by panel, each of which stays in L1; or, where all panels do and
 * rows of C share the few places of one set, along the rows of C. */
static void FN(sweep)(int64_t rows, int64_t cols, int64_t k, FN(left) left, FN(right) right, FN(result) to, bool add) {
    bool along = cols * k * (int64_t)sizeof(T) <= ALONG_BYTES && to.row * (int64_t)sizeof(T) % PAGE_BYTES == 0;
    int64_t tiles = along ? (rows + ROWS - 1) / ROWS : 1;
    for (int64_t t = 0, i = 0; t < tiles; t++) {
        int64_t count = rows / tiles + (t < rows % tiles);
        FN(left) part = {left.p + i * (left.packed ? k : left.lane), left.lane, left.term, left.packed};
        FN(sweep_panels)(count, cols, k, part, right, (FN(result)){to.c + i * to.row, to.row, to.col}, add);
        i += count;
    }
}

/* ------------------------------------------------------------------ packing */

static void FN(pack_adjacent)(T *dst, int64_t width, const T *src, int64_t term, int64_t k, int64_t count) {
    int64_t full = count / LANES;
    int part = (int)(count % LANES);
    for (; k > 0; k--, src += term, dst += width) {
        for (int64_t v = 0; v < full; v++) FN(store)(dst + v * LANES, FN(load)(src + v * LANES));
        if (part) FN(store)(dst + full * LANES, FN(part)(src + full * LANES, part));
    }
}

INLINE void FN(pack_square)(T *dst, int64_t width, const T *src, int64_t lane, int valid) {
    FN(turned) rows[SQUARE];
    FN(turn)(rows, src, lane, valid);
    UNROLL for (int t = 0; t < SQUARE; t++) memcpy(dst + t * width, &rows[t], sizeof rows[t]);
}

static void FN(pack_squares)(T *dst, int64_t width, const T *src, int64_t lane, int64_t squares, int valid) {
    if (valid == SQUARE) {
        for (; squares > 0; squares--, src += SQUARE, dst += SQUARE * width) FN(pack_square)(dst, width, src, lane, SQUARE);
    } else {
        for (; squares > 0; squares--, src += SQUARE, dst += SQUARE * width) FN(pack_square)(dst, width, src, lane, valid);
    }
}

static void FN(pack_transposed)(T *dst, int64_t width, const T *src, int64_t lane, int64_t k, int64_t count) {
    int64_t squares = k / SQUARE, last = (count - 1) / SQUARE * SQUARE;
    for (int64_t l = last; l >= 0; l -= SQUARE) { /* downwards: what the last lanes write past their row is overwritten */
        FN(pack_squares)(dst + l, width, src + l * lane, lane, squares, (int)min_of(count - l, SQUARE));
    }
    for (int64_t t = squares * SQUARE; t < k; t++) {
        for (int64_t l = 0; l < count; l++) dst[t * width + l] = src[l * lane + t];
    }
}

/* dst[t * width + l] = src[l * lane + t * term], l < count; the rest up to width is zeros. What is past a row of dst may be
 * overwritten: rows and panels are packed in rising order. */
static void FN(pack_piece)(T *dst, int64_t width, const T *src, int64_t lane, int64_t term, int64_t k, int64_t count) {
    if (width - count >= LANES || (lane != 1 && width > count)) memset(dst, 0, (size_t)(k * width) * sizeof(T));
    if (lane == 1) {
        FN(pack_adjacent)(dst, width, src, term, k, count);
    } else if (term == 1) {
        FN(pack_transposed)(dst, width, src, lane, k, count);
    } else {
        for (; k > 0; k--, src += term, dst += width) {
            for (int64_t l = 0; l < count; l++) dst[l] = src[l * lane];
        }
    }
}

#include "kernels/gemm_image.h"

/* Packs lanes [first, first + count) and terms [t0, t0 + k) of K, which may lie in several pairs. */
static void FN(pack_panel)(T *dst, int64_t width, const FN(product) *q, const FN(side) *s, int64_t first, int64_t count,
                           int64_t t0, int64_t k) {
    while (k > 0) {
        int64_t pair = t0 / q->k, t = t0 % q->k, piece = min_of(q->k - t, k);
        const T *src = s->pairs[pair] + s->offset + first * s->lane + t * s->term;
        if (s->image) FN(pack_image)(dst, width, s->image, src, first, count, t, piece);
        else FN(pack_piece)(dst, width, src, s->lane, s->term, piece, count);
        dst += piece * width, t0 += piece, k -= piece;
    }
}

/* Packs rows of A by the tiles of `sweep`. */
static void FN(pack_left)(T *dst, const FN(product) *q, int64_t first, int64_t rows, int64_t t0, int64_t k) {
    int64_t tiles = (rows + ROWS - 1) / ROWS;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t count = rows / tiles + (t < rows % tiles);
        FN(pack_panel)(dst, count, q, &q->a, first, count, t0, k);
        first += count, dst += count * k;
    }
}

/* Whole panels of adjacent columns, side by side, so that long rows are read; `panel`: from one panel of dst to the next. */
static void FN(pack_wide)(T *dst, int64_t panel, const T *src, int64_t term, int64_t k, int64_t panels) {
    for (; k > 0; k--, src += term, dst += TILE_COLS) {
        for (int64_t p = 0; p < panels; p++) {
            const T *from = src + p * TILE_COLS;
            T *to = dst + p * panel;
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) FN(store)(to + v * LANES, FN(load)(from + v * LANES));
        }
    }
}

static void FN(pack_right)(T *dst, const FN(product) *q, int64_t first, int64_t cols, int64_t t0, int64_t k) {
    int64_t j = 0, whole = q->b.lane == 1 ? cols / TILE_COLS * TILE_COLS : 0;
    for (int64_t done = 0; whole > 0 && done < k;) {
        int64_t pair = (t0 + done) / q->k, t = (t0 + done) % q->k, piece = min_of(q->k - t, k - done);
        const T *src = q->b.pairs[pair] + q->b.offset + first + t * q->b.term;
        for (j = 0; j < whole; j += WIDE_PANELS * TILE_COLS) {
            int64_t panels = min_of(WIDE_PANELS, (whole - j) / TILE_COLS);
            FN(pack_wide)(dst + j * k + done * TILE_COLS, k * TILE_COLS, src + j, q->b.term, piece, panels);
        }
        done += piece;
    }
    for (j = whole; j < cols; j += TILE_COLS) {
        FN(pack_panel)(dst + j * k, TILE_COLS, q, &q->b, first + j, min_of(cols - j, TILE_COLS), t0, k);
    }
}

/* ------------------------------------------------------------------ few rows */

/* sum[i][j] += terms a[i * lane + t * term] * b[t * b_term + j], `steps` terms, one after another. */
INLINE void FN(stream_terms)(int rows, int steps, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term, T *sum,
                             int64_t sum_row, int64_t cols) {
    VEC left[STREAM_GROUP][STREAM_TERMS];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int t = 0; t < steps; t++) left[i][t] = FN(splat)(a[i * lane + t * term]);
    }
    int64_t j = 0;
    for (; j + LANES <= cols; j += LANES) {
        VEC right[STREAM_TERMS];
        UNROLL for (int t = 0; t < steps; t++) right[t] = FN(load)(b + t * b_term + j);
        UNROLL for (int i = 0; i < rows; i++) {
            T *to = sum + i * sum_row + j;
            VEC s = FN(load)(to);
            UNROLL for (int t = 0; t < steps; t++) s = FN(fused)(left[i][t], right[t], s);
            FN(store)(to, s);
        }
    }
    if (j == cols) return;
    UNROLL for (int i = 0; i < rows; i++) {
        T *to = sum + i * sum_row + j;
        VEC s = FN(load)(to);
        UNROLL for (int t = 0; t < steps; t++) s = FN(fused)(left[i][t], FN(part)(b + t * b_term + j, (int)(cols - j)), s);
        FN(store)(to, s);
    }
}

/* The same for all rows, which find the part of B in L1 after the first. */
INLINE void FN(stream_rows)(int64_t rows, int steps, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term,
                            T *sum, int64_t sum_row, int64_t cols) {
    int64_t i = 0;
    for (; i + STREAM_GROUP <= rows; i += STREAM_GROUP)
        FN(stream_terms)(STREAM_GROUP, steps, a + i * lane, lane, term, b, b_term, sum + i * sum_row, sum_row, cols);
    for (; i < rows; i++) FN(stream_terms)(1, steps, a + i * lane, lane, term, b, b_term, sum + i * sum_row, sum_row, cols);
}

INLINE void FN(stream_all)(int64_t rows, int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term, T *sum,
                           int64_t sum_row, int64_t cols) {
    for (; k >= STREAM_TERMS; k -= STREAM_TERMS, a += STREAM_TERMS * term, b += STREAM_TERMS * b_term)
        FN(stream_rows)(rows, STREAM_TERMS, a, lane, term, b, b_term, sum, sum_row, cols);
    for (; k > 0; k--, a += term, b += b_term) FN(stream_rows)(rows, 1, a, lane, term, b, b_term, sum, sum_row, cols);
}

static void FN(stream_piece)(int64_t rows, int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term,
                             T *sum, int64_t sum_row, int64_t cols) {
    if (rows == 1) FN(stream_all)(1, k, a, lane, term, b, b_term, sum, sum_row, cols);
    else FN(stream_all)(rows, k, a, lane, term, b, b_term, sum, sum_row, cols);
}

/* The same where the terms of a column of B are adjacent: `squares` x SQUARE columns at a time, of the last square `count` of
 * them. Several squares hide the latency of the multiply-adds. */
INLINE void FN(dot_squares)(int rows, int squares, int64_t k, const T *a, int64_t lane, int64_t term, const T *b,
                            int64_t b_lane, int count, T *sum, int64_t sum_row) {
    FN(turned) s[STREAM_ROWS][DOT_SQUARES], right[SQUARE];
    UNROLL for (int i = 0; i < rows; i++) memcpy(s[i], sum + i * sum_row, (size_t)squares * sizeof s[i][0]);
    for (; k >= SQUARE; k -= SQUARE, a += SQUARE * term, b += SQUARE) {
        UNROLL for (int q = 0; q < squares; q++) {
            FN(turn)(right, b + q * SQUARE * b_lane, b_lane, count);
            UNROLL for (int t = 0; t < SQUARE; t++) {
                UNROLL for (int i = 0; i < rows; i++) {
                    s[i][q] = FN(turned_fma)(a[i * lane + t * term] - (FN(turned)){0}, right[t], s[i][q]);
                }
            }
        }
    }
    for (; k > 0; k--, a += term, b++) {
        UNROLL for (int q = 0; q < squares; q++) {
            FN(turned) one = {0};
            for (int l = 0; l < count; l++) one[l] = b[(q * SQUARE + l) * b_lane];
            UNROLL for (int i = 0; i < rows; i++) {
                s[i][q] = FN(turned_fma)(a[i * lane] - (FN(turned)){0}, one, s[i][q]);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) memcpy(sum + i * sum_row, s[i], (size_t)squares * sizeof s[i][0]);
}

INLINE void FN(dot_rows)(int rows, int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_lane, T *sum,
                         int64_t sum_row, int64_t cols) {
    const int many = rows > 2 ? DOT_SQUARES / 2 : DOT_SQUARES, step = many * SQUARE;
    bool spread = b_lane * (int64_t)sizeof(T) % PAGE_BYTES != 0;
    for (; spread && cols >= step; cols -= step, b += step * b_lane, sum += step)
        FN(dot_squares)(rows, many, k, a, lane, term, b, b_lane, SQUARE, sum, sum_row);
    for (; cols >= SQUARE; cols -= SQUARE, b += SQUARE * b_lane, sum += SQUARE)
        FN(dot_squares)(rows, 1, k, a, lane, term, b, b_lane, SQUARE, sum, sum_row);
    if (cols > 0) FN(dot_squares)(rows, 1, k, a, lane, term, b, b_lane, (int)cols, sum, sum_row);
}

static void FN(dot_piece)(int64_t rows, int64_t k, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_lane, T *sum,
                          int64_t sum_row, int64_t cols) {
    switch (rows) {
    case 1: FN(dot_rows)(1, k, a, lane, term, b, b_lane, sum, sum_row, cols); break;
    case 2: FN(dot_rows)(2, k, a, lane, term, b, b_lane, sum, sum_row, cols); break;
    case 3: FN(dot_rows)(3, k, a, lane, term, b, b_lane, sum, sum_row, cols); break;
    default: FN(dot_rows)(4, k, a, lane, term, b, b_lane, sum, sum_row, cols); break;
    }
}

typedef struct FN(region) { /* of C, and the terms that are summed for it */
    int64_t row, rows, col, cols, term, terms;
} FN(region);

/* B is read as it lies where its columns or its rows are adjacent, else packed first. */
static void FN(stream_pair)(const FN(product) *q, FN(region) r, const T *a, const T *b, T *sum, int64_t sum_row, T *buffer) {
    if (q->b.lane == 1) {
        FN(stream_piece)(r.rows, r.terms, a, q->a.lane, q->a.term, b, q->b.term, sum, sum_row, r.cols);
    } else if (q->b.term == 1) {
        FN(dot_piece)(r.rows, r.terms, a, q->a.lane, q->a.term, b, q->b.lane, sum, sum_row, r.cols);
    } else {
        FN(pack_panel)(buffer, sum_row, q, &q->b, r.col, r.cols, r.term, r.terms);
        FN(stream_piece)(r.rows, r.terms, a, q->a.lane, q->a.term, buffer, sum_row, sum, sum_row, sum_row);
    }
}

static void FN(stream_block)(const FN(product) *q, FN(region) r, T *sum, int64_t sum_row, T *buffer) {
    for (int64_t i = 0; i < r.rows; i++) memset(sum + i * sum_row, 0, (size_t)sum_row * sizeof(T));
    for (int64_t end = r.term + r.terms; r.term < end; r.term += r.terms) {
        int64_t pair = r.term / q->k, t = r.term % q->k;
        const T *a = q->a.pairs[pair] + q->a.offset + r.row * q->a.lane + t * q->a.term;
        const T *b = q->b.pairs[pair] + q->b.offset + r.col * q->b.lane + t * q->b.term;
        r.terms = min_of(q->k - t, end - r.term);
        FN(stream_pair)(q, r, a, b, sum, sum_row, buffer);
    }
}

static void FN(stream)(const FN(product) *q, FN(region) r, FN(result) to, T *buffer) {
    T sum[STREAM_ELEMENTS] __attribute__((aligned(VECTOR_BYTES)));
    int64_t strip = q->b.lane == 1 ? STREAM_ELEMENTS / r.rows / LANES * LANES : STREAM_STRIP;
    for (int64_t j = 0; j < r.cols; j += strip) {
        int64_t cols = min_of(strip, r.cols - j), sum_row = round_up(cols, LANES);
        FN(result) at = {to.c + j * to.col, to.row, to.col};
        for (int64_t t = 0; t < r.terms; t += q->order.block) {
            FN(region) part = {r.row, r.rows, r.col + j, cols, r.term + t, min_of(q->order.block, r.terms - t)};
            FN(stream_block)(q, part, sum, sum_row, buffer);
            FN(give_rows)(at, r.rows, cols, sum, sum_row, t > 0);
        }
    }
}

/* ------------------------------------------------------------------ few terms */

/* A result that costs no more than its stores: each row is written from begin to end. */
INLINE void FN(thin_rows)(int terms, const FN(region) *r, const T *a, int64_t lane, int64_t term, const T *b, int64_t b_term,
                          FN(result) to) {
    for (int64_t i = 0; i < r->rows; i++, a += lane, to.c += to.row) {
        VEC left[STREAM_TERMS];
        UNROLL for (int t = 0; t < terms; t++) left[t] = FN(splat)(a[t * term]);
        for (int64_t j = 0; j < r->cols; j += LANES) {
            bool whole = j + LANES <= r->cols;
            VEC s = {0};
            UNROLL for (int t = 0; t < terms; t++) {
                const T *from = b + t * b_term + j;
                s = FN(fused)(left[t], whole ? FN(load)(from) : FN(part)(from, (int)(r->cols - j)), s);
            }
            if (whole) FN(store)(to.c + j, s);
            else memcpy(to.c + j, &s, (size_t)(r->cols - j) * sizeof(T));
        }
    }
}

static void FN(thin)(const FN(product) *q, FN(region) r, FN(result) to) {
    const T *a = q->a.pairs[0] + q->a.offset + r.row * q->a.lane, *b = q->b.pairs[0] + q->b.offset + r.col;
    switch (r.terms) {
    case 1: FN(thin_rows)(1, &r, a, q->a.lane, q->a.term, b, q->b.term, to); break;
    case 2: FN(thin_rows)(2, &r, a, q->a.lane, q->a.term, b, q->b.term, to); break;
    case 3: FN(thin_rows)(3, &r, a, q->a.lane, q->a.term, b, q->b.term, to); break;
    default: FN(thin_rows)(4, &r, a, q->a.lane, q->a.term, b, q->b.term, to); break;
    }
}

/* Where rows of C and of B are adjacent in memory and no term comes from another pair or an image. */
static bool FN(is_thin)(const FN(product) *q, FN(result) to) {
    return q->K <= STREAM_TERMS && q->K == q->k && to.col == 1 && q->b.lane == 1 && !q->a.image && !q->b.image;
}

/* ------------------------------------------------------------------ a region of C */

/* Where a block of an operand lies in one pair, tiles may read it in place. */
static const T *FN(in_place)(const FN(product) *q, const FN(side) *s, int64_t first, int64_t t0, int64_t k) {
    int64_t pair = t0 / q->k, t = t0 % q->k;
    return !s->image && t + k <= q->k ? s->pairs[pair] + s->offset + first * s->lane + t * s->term : NULL;
}

/* Whole panels of B whose columns are adjacent are packed by the first tile that reads them; the rest before. */
static void FN(block)(const FN(product) *q, FN(region) r, FN(result) to, T *left_buffer, T *right_buffer, bool add) {
    bool few = r.cols <= PLACE_COLS * TILE_COLS && FN(in_reach)(min_of(ROWS, r.rows), q->a.lane);
    const T *a = few ? FN(in_place)(q, &q->a, r.row, r.term, r.terms) : NULL;
    bool near = q->b.lane == 1 && q->b.term * (int64_t)sizeof(T) <= NEAR_BYTES;
    const T *b = near && r.rows <= A_BLOCK ? FN(in_place)(q, &q->b, r.col, r.term, r.terms) : NULL;
    int64_t whole = b ? r.cols / TILE_COLS * TILE_COLS : 0;
    if (whole < r.cols) FN(pack_right)(right_buffer, q, r.col + whole, r.cols - whole, r.term, r.terms);

    int64_t blocks = (r.rows + A_BLOCK - 1) / A_BLOCK, step = round_up((r.rows + blocks - 1) / blocks, ROWS);
    for (int64_t i = 0; i < r.rows; i += step) {
        int64_t rows = min_of(step, r.rows - i);
        FN(left) left = {a ? a + i * q->a.lane : NULL, q->a.lane, q->a.term, false};
        if (!a) {
            FN(pack_left)(left_buffer, q, r.row + i, rows, r.term, r.terms);
            left = (FN(left)){left_buffer, 1, 0, true};
        }
        FN(result) at = {to.c + i * to.row, to.row, to.col};
        T *copy = right_buffer + round_up(r.cols - whole, TILE_COLS) * r.terms;
        if (whole > 0) FN(sweep)(rows, whole, r.terms, left, (FN(right)){b, q->b.term, TILE_COLS, copy, 0}, at, add);
        at.c += whole * to.col;
        if (whole < r.cols) {
            FN(right) right = {right_buffer, TILE_COLS, TILE_COLS * r.terms, NULL, 0};
            FN(sweep)(rows, r.cols - whole, r.terms, left, right, at, add);
        }
    }
}

/* to = the sum of r.terms terms, for the rows and columns of r. */
static void FN(region_product)(const FN(product) *q, FN(region) r, FN(result) to, T *buffer) {
    if (FN(is_thin)(q, to)) {
        FN(thin)(q, r, to);
        return;
    }
    int64_t few = q->b.lane == 1 && q->n * q->K * (int64_t)sizeof(T) >= STREAM_LARGE ? STREAM_MORE : STREAM_ROWS;
    if (r.rows <= few && r.cols >= 4 * LANES && !q->a.image) {
        FN(stream)(q, r, to, buffer);
        return;
    }
    T *right_buffer = buffer + round_up(min_of(A_BLOCK, r.rows) * q->order.block + SLACK, SLACK);
    for (int64_t j = 0; j < r.cols; j += B_BLOCK) {
        FN(result) at = {to.c + j * to.col, to.row, to.col};
        for (int64_t t = 0; t < r.terms; t += q->order.block) {
            int64_t terms = min_of(q->order.block, r.terms - t);
            FN(region) part = {r.row, r.rows, r.col + j, min_of(B_BLOCK, r.cols - j), r.term + t, terms};
            FN(block)(q, part, at, buffer, right_buffer, t > 0);
        }
    }
}

/* ------------------------------------------------------------------ small products */

static void FN(small)(const FN(product) *q, FN(result) to) {
    T a[SMALL * SMALL + SLACK], b[SMALL * SMALL + SLACK] __attribute__((aligned(VECTOR_BYTES)));
    FN(left) left = {q->a.pairs[0] + q->a.offset, q->a.lane, q->a.term, false};
    if (q->K > q->k || q->a.image) {
        FN(pack_panel)(a, q->m, q, &q->a, 0, q->m, 0, q->K);
        left = (FN(left)){a, 1, q->m, false};
    }
    FN(right) right = {q->b.pairs[0] + q->b.offset, q->b.term, TILE_COLS, NULL, 0};
    if (q->K > q->k || q->b.lane != 1 || q->n % LANES) {
        int64_t width = round_up(q->n, LANES);
        FN(pack_panel)(b, width, q, &q->b, 0, q->n, 0, q->K);
        right = (FN(right)){b, width, TILE_COLS, NULL, 0};
    }
    FN(sweep)(q->m, q->n, q->K, left, right, to, false);
}

/* One small product that tiles read as it lies: nothing to choose, pack or share. */
static bool FN(is_ready)(const tg__gemm *g) {
    return g->m <= SMALL && g->n <= SMALL && g->k <= SMALL && g->batch == 1 && g->pairs == 1 && !g->b_image && g->b_cs == 1 &&
           g->n % LANES == 0;
}

static void FN(ready)(const tg__gemm *g) {
    unsigned mode = tg__denormals_flush();
    FN(left) left = {(const T *)g->a[0] + FN(offset)(g->a_off, 0), g->a_rs, g->a_cs, false};
    FN(right) right = {(const T *)g->b[0] + FN(offset)(g->b_off, 0), g->b_rs, TILE_COLS, NULL, 0};
    FN(sweep)(g->m, g->n, g->k, left, right, (FN(result)){(T *)g->c + FN(offset)(g->c_off, 0), g->c_rs, 1}, false);
    tg__denormals_restore(mode);
}

/* ------------------------------------------------------------------ the whole */

typedef struct FN(task) {
    const tg__gemm *g;
    int64_t K;
    tg__gemm_order order;
    int threads;
    bool swapped;
    int64_t m, n; /* after the swap */
    grid cut;
    int64_t workers, worker_size;
    T *buffers, *partials;
    int64_t element; /* of the batch, where the inner sum is what threads share */
} FN(task);

static FN(product) FN(product_of)(const FN(task) *w, int64_t b) {
    const tg__gemm *g = w->g;
    FN(side) x = {(const T *const *)g->a, FN(offset)(g->a_off, b), g->a_rs, g->a_cs, NULL};
    FN(side) y = {(const T *const *)g->b, FN(offset)(g->b_off, b), g->b_cs, g->b_rs, g->b_image};
    if (g->b_image) y.lane = y.term = 0;
    return (FN(product)){w->m, w->n, g->k, w->K, w->swapped ? y : x, w->swapped ? x : y, w->order};
}

static FN(result) FN(result_of)(const FN(task) *w, int64_t b) {
    T *c = (T *)w->g->c + FN(offset)(w->g->c_off, b);
    return w->swapped ? (FN(result)){c, 1, w->g->c_rs} : (FN(result)){c, w->g->c_rs, 1};
}

static void FN(small_task)(int64_t begin, int64_t end, void *ctx) {
    const FN(task) *w = ctx;
    for (int64_t b = begin; b < end; b++) {
        FN(product) q = FN(product_of)(w, b);
        FN(small)(&q, FN(result_of)(w, b));
    }
}

static void FN(small_products)(FN(task) *w) {
    double work = (work_of(w->m, w->n, w->K, sizeof(T)) + SMALL_WORK) * (double)w->g->batch;
    if (w->g->batch > 1) {
        tg_parallel(w->threads, w->g->batch, work, FN(small_task), w);
        return;
    }
    unsigned mode = tg__denormals_flush();
    FN(small_task)(0, 1, w);
    tg__denormals_restore(mode);
}

/* Cell `cell` of the grid of each element of the batch; worker i of tg_parallel does its share of all cells. */
static void FN(grid_cell)(const FN(task) *w, int64_t cell, T *buffer) {
    int64_t cells = w->cut.rows * w->cut.cols, b = cell / cells;
    int64_t i = cell % cells / w->cut.cols, j = cell % cells % w->cut.cols;
    int64_t row_tiles = (w->m + ROWS - 1) / ROWS, col_tiles = (w->n + TILE_COLS - 1) / TILE_COLS;
    int64_t row = part_begin(row_tiles, w->cut.rows, i) * ROWS, col = part_begin(col_tiles, w->cut.cols, j) * TILE_COLS;
    int64_t rows = min_of(part_begin(row_tiles, w->cut.rows, i + 1) * ROWS, w->m) - row;
    int64_t cols = min_of(part_begin(col_tiles, w->cut.cols, j + 1) * TILE_COLS, w->n) - col;
    FN(product) q = FN(product_of)(w, b);
    FN(result) to = FN(result_of)(w, b);
    to.c += row * to.row + col * to.col;
    FN(region_product)(&q, (FN(region)){row, rows, col, cols, 0, w->K}, to, buffer);
}

static void FN(grid_task)(int64_t begin, int64_t end, void *ctx) {
    const FN(task) *w = ctx;
    int64_t cells = w->g->batch * w->cut.rows * w->cut.cols;
    int64_t first = part_begin(cells, w->workers, begin), last = part_begin(cells, w->workers, end);
    for (int64_t cell = first; cell < last; cell++) FN(grid_cell)(w, cell, w->buffers + begin * w->worker_size);
}

static void FN(chunk)(const FN(task) *w, int64_t b, int64_t chunk, T *partials, T *buffer) {
    FN(product) q = FN(product_of)(w, b);
    int64_t t = chunk * w->order.chunk, size = w->m * w->n;
    FN(region) r = {0, w->m, 0, w->n, t, min_of(w->order.chunk, w->K - t)};
    FN(region_product)(&q, r, (FN(result)){partials + chunk * size, w->n, 1}, buffer);
}

/* Adds the partial results pairwise, level by level; the last sums go to C. */
static void FN(combine)(const FN(task) *w, int64_t b, T *partials) {
    int64_t size = w->m * w->n;
    for (int64_t step = 1; step < w->order.chunks; step *= 2) {
        for (int64_t s = 0; s + step < w->order.chunks; s += 2 * step) {
            T *to = partials + s * size;
            const T *from = partials + (s + step) * size;
            for (int64_t i = 0; i < size; i++) to[i] += from[i];
        }
    }
    FN(result) to = FN(result_of)(w, b);
    for (int64_t i = 0; i < w->m; i++) {
        for (int64_t j = 0; j < w->n; j++) to.c[i * to.row + j * to.col] = partials[i * w->n + j];
    }
}

static int64_t FN(partial_size)(const FN(task) *w) { return round_up(w->m * w->n * w->order.chunks, SLACK); }

static void FN(chunk_task)(int64_t begin, int64_t end, void *ctx) {
    const FN(task) *w = ctx;
    int64_t first = part_begin(w->order.chunks, w->workers, begin), last = part_begin(w->order.chunks, w->workers, end);
    for (int64_t s = first; s < last; s++) FN(chunk)(w, w->element, s, w->partials, w->buffers + begin * w->worker_size);
}

static void FN(cut_batch_task)(int64_t begin, int64_t end, void *ctx) {
    const FN(task) *w = ctx;
    T *partials = w->partials + begin * FN(partial_size)(w);
    int64_t first = part_begin(w->g->batch, w->workers, begin), last = part_begin(w->g->batch, w->workers, end);
    for (int64_t b = first; b < last; b++) {
        for (int64_t s = 0; s < w->order.chunks; s++) FN(chunk)(w, b, s, partials, w->buffers + begin * w->worker_size);
        FN(combine)(w, b, partials);
    }
}

/* The inner sum is cut: threads share the batch where it is large enough, else the chunks of each product. */
static void FN(cut_products)(FN(task) *w, double work) {
    w->partials = w->buffers + w->workers * w->worker_size;
    if (w->g->batch >= w->workers) {
        tg_parallel(w->threads, w->workers, work * (double)w->g->batch, FN(cut_batch_task), w);
        return;
    }
    for (w->element = 0; w->element < w->g->batch; w->element++) {
        tg_parallel(w->threads, w->workers, work, FN(chunk_task), w);
        FN(combine)(w, w->element, w->partials);
    }
}

static void FN(products)(FN(task) *w, double work) {
    double all = work * (double)w->g->batch;
    w->workers = tg__parallel_width(w->threads, all);
    w->worker_size = worker_elements(w->m, w->n, w->order.block, sizeof(T));
    w->buffers = w->g->scratch;
    if (w->order.chunks > 1) {
        FN(cut_products)(w, work);
        return;
    }
    if (w->g->batch < 8 * w->workers) w->cut = grid_for(w->m, w->n, (int)w->workers, TILE_COLS);
    tg_parallel(w->threads, w->workers, all, FN(grid_task), w);
}

/* What a product costs with m rows on the left and n columns on the right, in multiply-adds of vectors. turned_row: 0, or the
 * distance of rows of C that is computed transposed. */
static int64_t FN(cost)(int64_t m, int64_t n, int64_t K, int64_t right_lane, int64_t turned_row) {
    int64_t vectors = (n + LANES - 1) / LANES, arithmetic = vectors * m * K, blocks = (K + TG__GEMM_BLOCK - 1) / TG__GEMM_BLOCK;
    if (vectors % TILE_VECTORS) arithmetic += (m + NARROW_ROWS - 1) / NARROW_ROWS * K; /* bound by loads */
    if (n % LANES) arithmetic += EDGE_COST * m * blocks;
    int64_t packing = right_lane == 1 ? 0 : n * K * PACK_COST / 8;
    int64_t result = turned_row ? m * n * blocks * (turned_row * (int64_t)sizeof(T) % PAGE_BYTES ? 2 : 8) : 0;
    return arithmetic + packing + result;
}

static bool FN(better_swapped)(const tg__gemm *g, int64_t K) {
    if (g->b_image) return 2 * ((g->m + LANES - 1) / LANES * g->n) <= (g->n + LANES - 1) / LANES * g->m;
    int64_t as_it_is = FN(cost)(g->m, g->n, K, g->b_cs, 0);
    return FN(cost)(g->n, g->m, K, g->a_rs, g->c_rs) < as_it_is - as_it_is / 32;
}

static void FN(zeros)(const tg__gemm *g) {
    for (int64_t b = 0; b < g->batch; b++) {
        T *c = (T *)g->c + FN(offset)(g->c_off, b);
        for (int64_t i = 0; i < g->m; i++) memset(c + i * g->c_rs, 0, (size_t)g->n * sizeof(T));
    }
}

void TG__SET(FN(tg__gemm))(const tg__gemm *g) {
    if (g->m <= 0 || g->n <= 0 || g->batch <= 0) return;
    if (g->k > 0 && FN(is_ready)(g)) {
        FN(ready)(g);
        return;
    }
    FN(task) w = {.g = g, .K = g->k * g->pairs, .threads = g->threads, .m = g->m, .n = g->n, .cut = {1, 1}};
    if (w.threads < 1) w.threads = 1; /* scratch memory is for so many: not for what OpenMP says later */
    if (w.K <= 0) {
        FN(zeros)(g);
        return;
    }
    if (FN(better_swapped)(g, w.K)) w.swapped = true, w.m = g->n, w.n = g->m;

    if (w.m <= SMALL && w.n <= SMALL && w.K <= SMALL) {
        FN(small_products)(&w);
        return;
    }
    unsigned mode = tg__denormals_flush(); /* sums of partial results are added outside tg_parallel */
    w.order = tg__gemm_cut(w.m, w.n, w.K);
    FN(products)(&w, work_of(w.m, w.n, w.K, sizeof(T)));
    tg__denormals_restore(mode);
}

#undef FN
#undef VEC
#undef LANES
#undef TILE_COLS
#undef A_BLOCK
#undef B_BLOCK
#undef TILE_ARGS
#undef NARROW_TILE
#undef WIDE_TILES
#undef NARROW_NAME
#undef WIDE_NAME
#undef COPYING_NAME
