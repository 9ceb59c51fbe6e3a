/* kernels/gemm.h: what the matrix products of all instruction sets share: the order of the inner sum and the block sizes.
 *
 * Order of the inner sum, for every path, shape and stride: K = k * pairs terms, in order of pair and then k, are cut in
 * chunks, and a chunk in blocks of `block` terms (tg__gemm_cut). A block is summed from zero, term by term, each step one
 * multiply-add (fused where the instruction set has it); blocks are added in order to the chunk's sum; the chunks' sums are
 * added pairwise, level by level, an odd last one carried up. So the bits of an element depend on its row of A, its column of
 * B, (m, n, K) and the instruction set only, and each path may be chosen for speed alone. */
#ifndef TG_GEMM_H
#define TG_GEMM_H

#include "kernels/kernels.h"

#define TG__GEMM_BLOCK 256          /* a panel of B of this many rows stays in L1 */
#define TG__GEMM_CUT_RESULT 16384   /* a result of more elements than this keeps threads busy without cutting the sum */
#define TG__GEMM_CUT_CHUNK 1024     /* least terms in a chunk */
#define TG__GEMM_CUT_MAX 64         /* most chunks */
#define TG__GEMM_CUT_ELEMENTS 262144 /* most elements of all partial results together */

typedef struct tg__gemm_order {
    int64_t block;  /* terms summed from zero */
    int64_t chunk;  /* terms of a partial result, a multiple of block; K or more: the sum is not cut */
    int64_t chunks; /* how many; 1 if the sum is not cut */
} tg__gemm_order;

static inline tg__gemm_order tg__gemm_cut(int64_t m, int64_t n, int64_t K) {
    int64_t blocks = (K + TG__GEMM_BLOCK - 1) / TG__GEMM_BLOCK;
    if (blocks <= 1) return (tg__gemm_order){K, K, 1};
    int64_t block = ((K + blocks - 1) / blocks + 7) / 8 * 8;
    blocks = (K + block - 1) / block;
    if (m > TG__GEMM_CUT_RESULT / n || K < 2 * TG__GEMM_CUT_CHUNK) return (tg__gemm_order){block, blocks * block, 1};
    int64_t chunks = K / TG__GEMM_CUT_CHUNK, room = TG__GEMM_CUT_ELEMENTS / (m * n);
    if (chunks > room) chunks = room;
    if (chunks > TG__GEMM_CUT_MAX) chunks = TG__GEMM_CUT_MAX;
    int64_t chunk = (blocks + chunks - 1) / chunks * block;
    return (tg__gemm_order){block, chunk, (K + chunk - 1) / chunk};
}

/* The inside of a product, for kernels that pack operands of their own. Rows of the left one are cut into
 * tg__gemm_row_tiles(rows, tile_rows) tiles (tg__gemm_row_tile), each packed term by term; columns of the right one into
 * panels of tile_cols, each packed term by term and whole. c (rows x cols) = or += left right, over k terms from zero. */
typedef struct tg__gemm_panels {
    int64_t tile_rows, tile_cols;
    void (*multiply)(int64_t rows, int64_t cols, int64_t k, const float *left, const float *right, float *c, int64_t c_row,
                     bool add);
} tg__gemm_panels;

static inline int64_t tg__gemm_row_tiles(int64_t rows, int64_t tile_rows) { return (rows + tile_rows - 1) / tile_rows; }

/* The first row of tile t of `tiles` (and of the one past the last: rows); their sizes differ by at most one. */
static inline int64_t tg__gemm_row_tile(int64_t rows, int64_t tiles, int64_t t) {
    return rows / tiles * t + (t < rows % tiles ? t : rows % tiles);
}

/* product_f32: by tiles where the mode of matrix products says so (amx.h), else by gemm_f32, the plain product. gemm_split: by
 * tiles; m, n, k, pairs and batch are 1 or more, and scratch has tg__gemm_split_scratch bytes. */
struct tg__matmul_mode;
size_t tg__gemm_split_scratch(int64_t m, int64_t n, int64_t K, int parts, int threads);
#define TG__GEMM_DECLARE(set)                                                         \
    void tg__gemm_f32_##set(const tg__gemm *g);                                       \
    void tg__gemm_f64_##set(const tg__gemm *g);                                       \
    void tg__product_f32_##set(const tg__gemm *g);                                    \
    void tg__gemm_split_##set(const tg__gemm *g, const struct tg__matmul_mode *mode); \
    extern const tg__gemm_panels tg__gemm_panels_f32_##set;
TG__GEMM_DECLARE(any)
TG__GEMM_DECLARE(avx2)
TG__GEMM_DECLARE(avx512)

#endif
