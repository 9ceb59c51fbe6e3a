/* kernels/gemm_split.h: f32 products on tiles (amx.h), included by gemm.c after the plain ones, whose packing it uses.
 *
 * Rows of A and columns of B are scaled by powers of two while they are packed, so that the largest number of each block of a
 * row is near 2^SPLIT_EXPONENT; the result is scaled back when it goes to C. Scaling is exact, and it keeps the parts of small
 * numbers and their products far from underflow. Rows and columns of C that an infinity or a NaN goes into are computed once
 * more, as plain f32, and no others are touched by it.
 *
 * The terms, in the order of pair and then k, are cut into blocks of at most SPLIT_BLOCK, each summed from zero, and blocks are
 * added in order. So the bits of an element depend on its row of A, its column of B, K and the mode only. */
#include "kernels/amx.h"
#include "kernels/math.h"

#define SPLIT_BLOCK 512    /* most terms summed from zero */
#define SPLIT_ROWS 128     /* rows of A packed at once: they stay in L2 */
#define SPLIT_COLS 1024    /* columns of B packed at once */
#define SPLIT_WIDTH (SPLIT_BLOCK + 16) /* of a row of A in f32, with room for what packing writes past its end */
#define SPLIT_EXPONENT 56  /* products up to 2^114, sums of a block up to 2^123 */
#define SPLIT_SCALE_MOST 126 /* so that the inverse is a normal number, too */

typedef struct split_task {
    task_f32 plain;
    const tg__matmul_mode *mode;
    int64_t block;
    grid cut;
    int64_t workers;
    size_t worker_bytes;
    char *memory;
} split_task;

/* What a worker packs into. */
typedef struct split_memory {
    float *flat;            /* a panel in f32 */
    uint32_t *left, *right; /* panels in parts */
    int *left_scale, *right_scale; /* exponents of two that rows and columns were multiplied with */
    uint8_t *left_wild, *right_wild; /* rows and columns of the worker's region with an infinity or a NaN */
    float *plain;
} split_memory;

static int64_t split_block(int64_t K) {
    int64_t blocks = (K + SPLIT_BLOCK - 1) / SPLIT_BLOCK;
    return round_up((K + blocks - 1) / blocks, TG__PANEL);
}

static size_t split_panels_bytes(int64_t lanes, int64_t K, int parts) {
    int64_t steps = min_of(round_up(K, TG__PANEL), SPLIT_BLOCK) / TG__PANEL;
    return (size_t)(round_up(lanes, TG__PANEL) / TG__PANEL * steps * parts * TG__PART) * sizeof(uint32_t);
}

static size_t take_bytes(size_t *used, size_t bytes) { /* a multiple of a cache line */
    size_t at = *used;
    *used += (bytes + 63) / 64 * 64;
    return at;
}

/* Lays out the memory of a worker for products up to these sizes; base may be NULL. Returns its size. */
static size_t split_memory_at(char *base, int64_t m, int64_t n, int64_t K, int parts, split_memory *memory) {
    size_t used = 0, flat = take_bytes(&used, (TG__PANEL * SPLIT_WIDTH + SLACK) * sizeof(float));
    size_t left = take_bytes(&used, split_panels_bytes(min_of(m, SPLIT_ROWS), K, parts));
    size_t right = take_bytes(&used, split_panels_bytes(min_of(n, SPLIT_COLS), K, parts));
    size_t left_scale = take_bytes(&used, SPLIT_ROWS * sizeof(int));
    size_t right_scale = take_bytes(&used, SPLIT_COLS * sizeof(int));
    size_t left_wild = take_bytes(&used, (size_t)m), right_wild = take_bytes(&used, (size_t)n);
    int64_t buffer = worker_elements(m, n, min_of(K + 8, TG__GEMM_BLOCK), sizeof(float));
    size_t plain = take_bytes(&used, (size_t)buffer * sizeof(float));
    if (memory) {
        *memory = (split_memory){(float *)(void *)(base + flat), (uint32_t *)(void *)(base + left),
                                 (uint32_t *)(void *)(base + right), (int *)(void *)(base + left_scale),
                                 (int *)(void *)(base + right_scale), (uint8_t *)base + left_wild, (uint8_t *)base + right_wild,
                                 (float *)(void *)(base + plain)};
    }
    return used;
}

/* ------------------------------------------------------------------ packing */

/* dst (rows of SPLIT_WIDTH) = rows [first, first + rows) and terms [t0, t0 + terms) of A, as they are. */
static void split_read_left(float *dst, const product_f32 *q, int64_t first, int64_t rows, int64_t t0, int64_t terms) {
    const side_f32 *s = &q->a;
    while (terms > 0) {
        int64_t pair = t0 / q->k, t = t0 % q->k, piece = min_of(q->k - t, terms);
        const float *src = s->pairs[pair] + s->offset + first * s->lane + t * s->term;
        if (s->lane == 1) {
            pack_transposed_f32(dst, SPLIT_WIDTH, src, s->term, rows, piece);
        } else {
            for (int64_t i = 0; i < rows; i++) {
                for (int64_t l = 0; l < piece; l++) dst[i * SPLIT_WIDTH + l] = src[i * s->lane + l * s->term];
            }
        }
        dst += piece, t0 += piece, terms -= piece;
    }
}

/* The exponent of the power of two that brings a row to 2^SPLIT_EXPONENT; largest: bits of the largest magnitude in it. */
static int split_scale(uint32_t largest) {
    int exponent = (int)(largest >> 23) - 127, scale = SPLIT_EXPONENT - exponent;
    if (exponent == -127 || exponent == 128) return 0; /* zeros and denormals, which count as zeros; no finite row */
    return scale < SPLIT_SCALE_MOST ? scale : SPLIT_SCALE_MOST;
}

static inline float power_of_two(int exponent) { return tg__from_bits_f32((uint32_t)(exponent + 127) << 23); }

static inline uint8_t wild_bits(uint32_t largest) { return largest >= 0x7f800000u; } /* an infinity or a NaN */

/* to[p * TG__PART + l] = part p of low[l] (low half) and of high[l], scaled. */
INLINE void split_sixteen(uint32_t *to, const float *low, const float *high, const float *scale, int parts) {
    TG__INDEPENDENT
    for (int l = 0; l < 16; l++) {
        float x = low[l] * scale[l], y = high[l] * scale[l];
        UNROLL for (int p = 0; p < parts; p++) {
            uint32_t u = (tg__bits_f32(x) + 0x8000u) & 0xffff0000u, v = (tg__bits_f32(y) + 0x8000u) & 0xffff0000u;
            to[p * TG__PART + l] = u >> 16 | v;
            x -= tg__from_bits_f32(u), y -= tg__from_bits_f32(v);
        }
    }
}

static void split_words(uint32_t *to, const float *low, const float *high, const float *scale, int parts) {
    if (parts == 3) split_sixteen(to, low, high, scale, 3);
    else split_sixteen(to, low, high, scale, 1);
}

static void split_left_panel(uint32_t *dst, const product_f32 *q, int64_t first, int64_t rows, int64_t t0, int64_t terms,
                             int64_t steps, int parts, float *flat, int *scales, uint8_t *wild) {
    memset(flat + rows * SPLIT_WIDTH, 0, (size_t)((TG__PANEL - rows) * SPLIT_WIDTH) * sizeof *flat);
    split_read_left(flat, q, first, rows, t0, terms);
    for (int64_t i = 0; i < TG__PANEL; i++) {
        float *row = flat + i * SPLIT_WIDTH, scale[16];
        uint32_t largest = 0;
        for (int64_t t = 0; t < terms; t++) {
            uint32_t bits = tg__bits_f32(row[t]) & 0x7fffffffu;
            largest = largest > bits ? largest : bits;
        }
        wild[i] |= wild_bits(largest);
        memset(row + terms, 0, (size_t)(steps * TG__PANEL - terms) * sizeof *row);
        scales[i] = split_scale(largest);
        for (int l = 0; l < 16; l++) scale[l] = power_of_two(scales[i]);
        for (int64_t s = 0; s < steps; s++) {
            const float *at = row + s * TG__PANEL;
            split_words(dst + s * parts * TG__PART + i * 16, at, at + 16, scale, parts);
        }
    }
}

static void split_right_panel(uint32_t *dst, const product_f32 *q, int64_t first, int64_t cols, int64_t t0, int64_t terms,
                              int64_t steps, int parts, float *flat, int *scales, uint8_t *wild) {
    for (int64_t t = 0; t < terms; t += TG__GEMM_BLOCK) /* patches of images are packed so many terms at a time */
        pack_panel_f32(flat + t * TG__PANEL, TG__PANEL, q, &q->b, first, cols, t0 + t, min_of(TG__GEMM_BLOCK, terms - t));
    memset(flat + terms * TG__PANEL, 0, (size_t)((steps * TG__PANEL - terms) * TG__PANEL) * sizeof *flat);
    uint32_t largest[TG__PANEL] = {0};
    float scale[TG__PANEL];
    for (int64_t t = 0; t < terms; t++) {
        for (int j = 0; j < TG__PANEL; j++) {
            uint32_t bits = tg__bits_f32(flat[t * TG__PANEL + j]) & 0x7fffffffu;
            largest[j] = largest[j] > bits ? largest[j] : bits;
        }
    }
    for (int j = 0; j < TG__PANEL; j++) {
        wild[j] |= wild_bits(largest[j]);
        scales[j] = split_scale(largest[j]);
        scale[j] = power_of_two(scales[j]);
    }
    for (int64_t s = 0; s < steps; s++) {
        for (int r = 0; r < 16; r++) {
            const float *low = flat + (s * TG__PANEL + r) * TG__PANEL, *high = low + 16 * TG__PANEL;
            uint32_t *to = dst + s * parts * TG__PART + r * 16;
            split_words(to, low, high, scale, parts);
            split_words(to + TG__PART / 2, low + 16, high + 16, scale + 16, parts);
        }
    }
}

/* ------------------------------------------------------------------ products */

/* A row of a panel of sums, scaled back: in two steps, since the power of two may be out of range, but no half of it is. */
INLINE void split_scale_back(float *to, const float *sum, int row_scale, const int *col_scale, bool add) {
    TG__INDEPENDENT
    for (int j = 0; j < TG__PANEL; j++) {
        int exponent = -(row_scale + col_scale[j]), half = exponent >> 1;
        float x = sum[j] * power_of_two(half) * power_of_two(exponent - half);
        to[j] = add ? to[j] + x : x;
    }
}

/* to (rows x cols) = or += sum, which is overwritten, scaled back */
static void split_give(result_f32 to, int64_t rows, int64_t cols, float *sum, const int *row_scale, const int *col_scale,
                       bool add) {
    bool whole = cols == TG__PANEL && to.col == 1;
    for (int64_t i = 0; i < rows; i++) {
        float *row = sum + i * TG__PANEL;
        if (!whole) split_scale_back(row, row, row_scale[i], col_scale, false);
        else if (add) split_scale_back(to.c + i * to.row, row, row_scale[i], col_scale, true);
        else split_scale_back(to.c + i * to.row, row, row_scale[i], col_scale, false);
    }
    if (!whole) give_rows_f32(to, rows, cols, sum, TG__PANEL, add);
}

static void split_rows(const split_task *w, const product_f32 *q, region_f32 r, result_f32 to, split_memory *m, bool add) {
    int parts = w->mode->parts;
    int64_t steps = round_up(r.terms, TG__PANEL) / TG__PANEL, panel = steps * parts * TG__PART;
    tg__tile_product *multiply = w->mode->tiles->product[parts];
    for (int64_t i = 0; i < r.rows; i += TG__PANEL) {
        split_left_panel(m->left + i / TG__PANEL * panel, q, r.row + i, min_of(TG__PANEL, r.rows - i), r.term, r.terms, steps,
                         parts, m->flat, m->left_scale + i, m->left_wild + i);
    }
    for (int64_t j = 0; j < r.cols; j += TG__PANEL) {
        for (int64_t i = 0; i < r.rows; i += TG__PANEL) {
            float sum[TG__PANEL * TG__PANEL] __attribute__((aligned(64)));
            multiply(m->left + i / TG__PANEL * panel, m->right + j / TG__PANEL * panel, steps, sum);
            result_f32 at = {to.c + i * to.row + j * to.col, to.row, to.col};
            split_give(at, min_of(TG__PANEL, r.rows - i), min_of(TG__PANEL, r.cols - j), sum, m->left_scale + i,
                       m->right_scale + j, add);
        }
    }
}

static void split_columns(const split_task *w, const product_f32 *q, region_f32 r, result_f32 to, split_memory *m, bool add) {
    int parts = w->mode->parts;
    int64_t steps = round_up(r.terms, TG__PANEL) / TG__PANEL, panel = steps * parts * TG__PART;
    for (int64_t j = 0; j < r.cols; j += TG__PANEL) {
        split_right_panel(m->right + j / TG__PANEL * panel, q, r.col + j, min_of(TG__PANEL, r.cols - j), r.term, r.terms, steps,
                          parts, m->flat, m->right_scale + j, m->right_wild + j);
    }
    split_memory part = *m;
    for (int64_t i = 0; i < r.rows; i += SPLIT_ROWS, part.left_wild += SPLIT_ROWS) {
        region_f32 rows = {r.row + i, min_of(SPLIT_ROWS, r.rows - i), r.col, r.cols, r.term, r.terms};
        split_rows(w, q, rows, (result_f32){to.c + i * to.row, to.row, to.col}, &part, add);
    }
}

/* Runs of rows, and of columns, that are not finite, by the plain kernel. */
static void split_wild(const product_f32 *q, region_f32 r, result_f32 to, split_memory *m) {
    for (int64_t i = 0, run; i < r.rows; i += run + 1) {
        for (run = 0; i + run < r.rows && m->left_wild[i + run];) run++;
        region_f32 rows = {r.row + i, run, r.col, r.cols, 0, q->K};
        if (run) region_product_f32(q, rows, (result_f32){to.c + i * to.row, to.row, to.col}, m->plain);
    }
    for (int64_t j = 0, run; j < r.cols; j += run + 1) {
        for (run = 0; j + run < r.cols && m->right_wild[j + run];) run++;
        region_f32 cols = {r.row, r.rows, r.col + j, run, 0, q->K};
        if (run) region_product_f32(q, cols, (result_f32){to.c + j * to.col, to.row, to.col}, m->plain);
    }
}

static void split_region(const split_task *w, const product_f32 *q, region_f32 r, result_f32 to, char *memory) {
    split_memory m;
    split_memory_at(memory, w->plain.m, w->plain.n, q->K, w->mode->parts, &m);
    memset(m.left_wild, 0, (size_t)r.rows);
    memset(m.right_wild, 0, (size_t)r.cols);
    split_memory part = m;
    for (int64_t j = 0; j < r.cols; j += SPLIT_COLS, part.right_wild += SPLIT_COLS) {
        result_f32 at = {to.c + j * to.col, to.row, to.col};
        for (int64_t t = 0; t < q->K; t += w->block) {
            region_f32 block = {r.row, r.rows, r.col + j, min_of(SPLIT_COLS, r.cols - j), t, min_of(w->block, q->K - t)};
            split_columns(w, q, block, at, &part, t > 0);
        }
    }
    split_wild(q, r, to, &m);
}

static void split_cell(const split_task *w, int64_t cell, char *memory) {
    int64_t cells = w->cut.rows * w->cut.cols, b = cell / cells, i = cell % cells / w->cut.cols, j = cell % cells % w->cut.cols;
    int64_t row_panels = (w->plain.m + TG__PANEL - 1) / TG__PANEL, col_panels = (w->plain.n + TG__PANEL - 1) / TG__PANEL;
    int64_t row = part_begin(row_panels, w->cut.rows, i) * TG__PANEL, col = part_begin(col_panels, w->cut.cols, j) * TG__PANEL;
    int64_t rows = min_of(part_begin(row_panels, w->cut.rows, i + 1) * TG__PANEL, w->plain.m) - row;
    int64_t cols = min_of(part_begin(col_panels, w->cut.cols, j + 1) * TG__PANEL, w->plain.n) - col;
    product_f32 q = product_of_f32(&w->plain, b);
    result_f32 to = result_of_f32(&w->plain, b);
    to.c += row * to.row + col * to.col;
    split_region(w, &q, (region_f32){row, rows, col, cols, 0, q.K}, to, memory);
}

static void split_worker(int64_t begin, int64_t end, void *ctx) {
    const split_task *w = ctx;
    int64_t cells = w->plain.g->batch * w->cut.rows * w->cut.cols;
    int64_t first = part_begin(cells, w->workers, begin), last = part_begin(cells, w->workers, end);
    w->mode->tiles->begin();
    for (int64_t cell = first; cell < last; cell++) split_cell(w, cell, w->memory + (size_t)begin * w->worker_bytes);
    w->mode->tiles->end();
}

static bool split_takes(const tg__matmul_mode *mode, int64_t m, int64_t n, int64_t K) {
    return mode->tiles && m >= mode->least && n >= mode->least && K >= mode->least;
}

/* g by tiles, whatever its size; the sizes of m, n, K and batch are 1 or more, scratch has tg__gemm_split_scratch bytes. */
void TG__SET(tg__gemm_split)(const tg__gemm *g, const tg__matmul_mode *mode) {
    split_task w = {.mode = mode, .memory = g->scratch, .cut = {1, 1}};
    w.plain = (task_f32){.g = g, .K = g->k * g->pairs, .threads = (int)max_of(g->threads, 1), .m = g->m, .n = g->n};
    double work = work_of(g->m, g->n, w.plain.K, sizeof(float)) * (double)g->batch;
    w.plain.order = tg__gemm_cut(g->m, g->n, w.plain.K);
    w.block = split_block(w.plain.K);
    w.workers = tg__parallel_width(w.plain.threads, work);
    w.worker_bytes = split_memory_at(NULL, g->m, g->n, w.plain.K, mode->parts, NULL);
    if (g->batch < 8 * w.workers) { /* in units of panels */
        int64_t row_panels = (g->m + TG__PANEL - 1) / TG__PANEL, col_panels = (g->n + TG__PANEL - 1) / TG__PANEL;
        w.cut = grid_for(row_panels * ROWS, col_panels * ROWS, (int)w.workers, ROWS);
    }
    tg_parallel(w.plain.threads, w.workers, work, split_worker, &w);
}

/* The product of the kernel table: by tiles where the mode says so. */
void TG__SET(tg__product_f32)(const tg__gemm *g) {
    const tg__matmul_mode *mode = tg__matmul_mode_get();
    if (split_takes(mode, g->m, g->n, g->k * g->pairs) && g->batch > 0) TG__SET(tg__gemm_split)(g, mode);
    else TG__SET(tg__gemm_f32)(g);
}
