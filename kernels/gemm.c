/* kernels/gemm.c: matrix products. Compiled once per instruction set (set.h); the code is gemm_type.h, for each element type.
 * What differs between sets is here: vector width, tile, multiply-add, loads of part of a vector, transposes. */
#include "kernels/fused.h"
#include "kernels/gemm.h"
#include "kernels/set.h"
#include "kernels/unroll.h"
#include "kernels/whole.h"

#include <string.h>
#if defined(__SSE2__)
#include "kernels/avx512.h"
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* A tile is ROWS x (TILE_VECTORS vectors): its accumulators, a row of B and a broadcast of A fit the registers. */
#if VECTOR_BYTES == 64
#define STREAM_GROUP 4
#define ROWS 12
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define NARROW_ROWS 16
#define EACH_NARROW_ROWS(X) EACH_ROWS(X) X(13) X(14) X(15) X(16)
#elif VECTOR_BYTES == 32
#define STREAM_GROUP 2
#define ROWS 6
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define NARROW_ROWS 12
#define EACH_NARROW_ROWS(X) EACH_ROWS(X) X(7) X(8) X(9) X(10) X(11) X(12)
#elif defined(__aarch64__)
#define STREAM_GROUP 4
#define ROWS 10
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10)
#else
#define STREAM_GROUP 2
#define ROWS 4
#define EACH_ROWS(X) X(1) X(2) X(3) X(4)
#endif
#define TILE_VECTORS 2
#ifndef NARROW_ROWS /* of a tile that is one vector wide */
#define NARROW_ROWS ROWS
#define EACH_NARROW_ROWS EACH_ROWS
#endif

#define SMALL 32             /* m, n and K up to this go without packing, scratch and threads */
#define SMALL_WORK 400       /* what such a product costs beside its multiplications, in units of tg_parallel */
#define STREAM_ROWS 4        /* up to this many rows of C, B is read once, along its rows, and not packed */
#define STREAM_MORE 8        /* the same where B has STREAM_LARGE bytes or more */
#define STREAM_LARGE 262144
#define STREAM_TERMS 4       /* rows of B at a time */
#define STREAM_ELEMENTS 4096 /* accumulators of that path, and elements of its buffer: they stay in L1 */
#define STREAM_STRIP 64      /* columns of that buffer */
#define A_BLOCK_BYTES 576    /* bytes of a column of the block of A that is packed at once: the block stays in L2 */
#define B_BLOCK_BYTES 2048   /* bytes of a row of the block of B that is packed at once */
#define DOT_SQUARES 4        /* squares of columns whose rows are turned in registers at once */
#define PAGE_BYTES 4096      /* rows so far apart share the few places of one set of L1: not many of them at once */
#define SET_ROWS 6           /* so many rows of A may share one, where tiles read A in place */
#define ALONG_BYTES 16384    /* B up to this stays in L1 while rows of C are written along */
#define PLACE_COLS 16        /* a block of up to this many panels reads A in place */
#define NEAR_BYTES 4096      /* rows of B at most this far apart are packed by the tiles that read them */
#define EDGE_COST 16         /* of a row whose last vector is no whole one, in multiply-adds of vectors */
#define PACK_COST (VECTOR_BYTES == 64 ? 3 : 4) /* of eight elements that are turned */
#define WIDE_PANELS 4        /* panels of B packed side by side */
#define SLACK 64             /* elements that packing may write past the end */

typedef float vec_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef float loose_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vec_f64 __attribute__((vector_size(VECTOR_BYTES)));
typedef double loose_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

#if VECTOR_BYTES == 64

INLINE vec_f32 part_f32(const float *p, int n) { return (vec_f32)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
INLINE vec_f64 part_f64(const double *p, int n) { return (vec_f64)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p); }

#elif defined(__AVX2__)

static const int32_t part_mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
INLINE __m256i mask_first(int words) { return _mm256_loadu_si256((const __m256i *)(part_mask + 8 - words)); }

INLINE vec_f32 part_f32(const float *p, int n) { return (vec_f32)_mm256_maskload_ps(p, mask_first(n)); }
INLINE vec_f64 part_f64(const double *p, int n) { return (vec_f64)_mm256_maskload_pd(p, mask_first(2 * n)); }

#else

INLINE vec_f32 part_f32(const float *p, int n) {
    vec_f32 v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

INLINE vec_f64 part_f64(const double *p, int n) {
    vec_f64 v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

#endif

/* mask_T: the lanes whose bit is set; over_T: `under`, but p[l] where lane l is in the mask: no other element is read. */
#if VECTOR_BYTES == 64

typedef __mmask16 mask_f32;
typedef __mmask8 mask_f64;
INLINE mask_f32 mask_of_f32(unsigned bits) { return (mask_f32)bits; }
INLINE mask_f64 mask_of_f64(unsigned bits) { return (mask_f64)bits; }
INLINE vec_f32 over_f32(vec_f32 under, mask_f32 m, const float *p) {
    return (vec_f32)_mm512_mask_loadu_ps((__m512)under, m, p);
}
INLINE vec_f64 over_f64(vec_f64 under, mask_f64 m, const double *p) {
    return (vec_f64)_mm512_mask_loadu_pd((__m512d)under, m, p);
}

#elif defined(__AVX2__)

typedef __m256i mask_f32;
typedef __m256i mask_f64;
INLINE mask_f32 mask_of_f32(unsigned bits) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane);
}
INLINE mask_f64 mask_of_f64(unsigned bits) {
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x((int)bits), lane), lane);
}
INLINE vec_f32 over_f32(vec_f32 under, mask_f32 m, const float *p) {
    return (vec_f32)_mm256_blendv_ps((__m256)under, _mm256_maskload_ps(p, m), (__m256)m);
}
INLINE vec_f64 over_f64(vec_f64 under, mask_f64 m, const double *p) {
    return (vec_f64)_mm256_blendv_pd((__m256d)under, _mm256_maskload_pd(p, m), (__m256d)m);
}

#else

typedef unsigned mask_f32;
typedef unsigned mask_f64;
INLINE mask_f32 mask_of_f32(unsigned bits) { return bits; }
INLINE mask_f64 mask_of_f64(unsigned bits) { return bits; }
INLINE vec_f32 over_f32(vec_f32 under, mask_f32 m, const float *p) {
    for (int l = 0; l < (int)(sizeof under / sizeof *p); l++) under[l] = m >> l & 1 ? p[l] : under[l];
    return under;
}
INLINE vec_f64 over_f64(vec_f64 under, mask_f64 m, const double *p) {
    for (int l = 0; l < (int)(sizeof under / sizeof *p); l++) under[l] = m >> l & 1 ? p[l] : under[l];
    return under;
}

#endif

/* turn_T: out[t][l] = src[l * lane + t], a square of SQUARE_T elements a side. Lanes from `count` on are zeros and not read. */
#if defined(__AVX2__)
#define SQUARE_F32 8
#define SQUARE_F64 4
#else
#define SQUARE_F32 4
#define SQUARE_F64 2
#endif
typedef float turned_f32 __attribute__((vector_size(4 * SQUARE_F32)));
typedef double turned_f64 __attribute__((vector_size(8 * SQUARE_F64)));
typedef float four_f32 __attribute__((vector_size(16)));
typedef double four_f64 __attribute__((vector_size(32)));

#if defined(__AVX2__)

INLINE __m256 two_f32(const float *src, int64_t lane, int l, int count) { /* four terms of lanes l and l + 4 */
    __m128 low = l < count ? _mm_loadu_ps(src + l * lane) : _mm_setzero_ps();
    __m128 high = l + 4 < count ? _mm_loadu_ps(src + (l + 4) * lane) : _mm_setzero_ps();
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}

INLINE void turn_f32(turned_f32 *out, const float *src, int64_t lane, int count) {
    UNROLL for (int t = 0; t < 8; t += 4) {
        __m256 r0 = two_f32(src + t, lane, 0, count), r1 = two_f32(src + t, lane, 1, count);
        __m256 r2 = two_f32(src + t, lane, 2, count), r3 = two_f32(src + t, lane, 3, count);
        __m256 t0 = _mm256_unpacklo_ps(r0, r1), t1 = _mm256_unpackhi_ps(r0, r1);
        __m256 t2 = _mm256_unpacklo_ps(r2, r3), t3 = _mm256_unpackhi_ps(r2, r3);
        out[t] = (turned_f32)_mm256_shuffle_ps(t0, t2, 0x44);
        out[t + 1] = (turned_f32)_mm256_shuffle_ps(t0, t2, 0xee);
        out[t + 2] = (turned_f32)_mm256_shuffle_ps(t1, t3, 0x44);
        out[t + 3] = (turned_f32)_mm256_shuffle_ps(t1, t3, 0xee);
    }
}

INLINE __m256d two_f64(const double *src, int64_t lane, int l, int count) { /* two terms of lanes l and l + 2 */
    __m128d low = l < count ? _mm_loadu_pd(src + l * lane) : _mm_setzero_pd();
    __m128d high = l + 2 < count ? _mm_loadu_pd(src + (l + 2) * lane) : _mm_setzero_pd();
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1);
}

INLINE void turn_f64(turned_f64 *out, const double *src, int64_t lane, int count) {
    UNROLL for (int t = 0; t < 4; t += 2) {
        __m256d r0 = two_f64(src + t, lane, 0, count), r1 = two_f64(src + t, lane, 1, count);
        out[t] = (turned_f64)_mm256_unpacklo_pd(r0, r1);
        out[t + 1] = (turned_f64)_mm256_unpackhi_pd(r0, r1);
    }
}

INLINE turned_f32 turned_fma_f32(turned_f32 a, turned_f32 b, turned_f32 c) {
    return (turned_f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

INLINE turned_f64 turned_fma_f64(turned_f64 a, turned_f64 b, turned_f64 c) {
    return (turned_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

#else

INLINE turned_f32 turned_fma_f32(turned_f32 a, turned_f32 b, turned_f32 c) {
    return (turned_f32)fused_f32((vec_f32)a, (vec_f32)b, (vec_f32)c);
}

INLINE turned_f64 turned_fma_f64(turned_f64 a, turned_f64 b, turned_f64 c) {
    return (turned_f64)fused_f64((vec_f64)a, (vec_f64)b, (vec_f64)c);
}

#if defined(__SSE2__)

INLINE __m128 lane_f32(const float *src, int64_t lane, int l, int count) {
    return l < count ? _mm_loadu_ps(src + l * lane) : _mm_setzero_ps();
}

INLINE void turn_f32(turned_f32 *out, const float *src, int64_t lane, int count) {
    __m128 r0 = lane_f32(src, lane, 0, count), r1 = lane_f32(src, lane, 1, count);
    __m128 r2 = lane_f32(src, lane, 2, count), r3 = lane_f32(src, lane, 3, count);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    out[0] = (turned_f32)r0, out[1] = (turned_f32)r1, out[2] = (turned_f32)r2, out[3] = (turned_f32)r3;
}

INLINE void turn_f64(turned_f64 *out, const double *src, int64_t lane, int count) {
    __m128d r0 = _mm_loadu_pd(src), r1 = count > 1 ? _mm_loadu_pd(src + lane) : _mm_setzero_pd();
    out[0] = (turned_f64)_mm_unpacklo_pd(r0, r1);
    out[1] = (turned_f64)_mm_unpackhi_pd(r0, r1);
}

#elif defined(__aarch64__)

INLINE float32x4_t lane_f32(const float *src, int64_t lane, int l, int count) {
    return l < count ? vld1q_f32(src + l * lane) : vdupq_n_f32(0);
}

INLINE void turn_f32(turned_f32 *out, const float *src, int64_t lane, int count) {
    float32x4_t r0 = lane_f32(src, lane, 0, count), r1 = lane_f32(src, lane, 1, count);
    float32x4_t r2 = lane_f32(src, lane, 2, count), r3 = lane_f32(src, lane, 3, count);
    float64x2_t t0 = (float64x2_t)vtrn1q_f32(r0, r1), t1 = (float64x2_t)vtrn2q_f32(r0, r1);
    float64x2_t t2 = (float64x2_t)vtrn1q_f32(r2, r3), t3 = (float64x2_t)vtrn2q_f32(r2, r3);
    out[0] = (turned_f32)vtrn1q_f64(t0, t2), out[1] = (turned_f32)vtrn1q_f64(t1, t3);
    out[2] = (turned_f32)vtrn2q_f64(t0, t2), out[3] = (turned_f32)vtrn2q_f64(t1, t3);
}

INLINE void turn_f64(turned_f64 *out, const double *src, int64_t lane, int count) {
    float64x2_t r0 = vld1q_f64(src), r1 = count > 1 ? vld1q_f64(src + lane) : vdupq_n_f64(0);
    out[0] = (turned_f64)vtrn1q_f64(r0, r1);
    out[1] = (turned_f64)vtrn2q_f64(r0, r1);
}

#else

INLINE void turn_f32(turned_f32 *out, const float *src, int64_t lane, int count) {
    for (int t = 0; t < SQUARE_F32; t++) {
        turned_f32 row = {0};
        for (int l = 0; l < count; l++) row[l] = src[l * lane + t];
        out[t] = row;
    }
}

INLINE void turn_f64(turned_f64 *out, const double *src, int64_t lane, int count) {
    for (int t = 0; t < SQUARE_F64; t++) {
        turned_f64 row = {0};
        for (int l = 0; l < count; l++) row[l] = src[l * lane + t];
        out[t] = row;
    }
}

#endif
#endif


/* Whether L1 keeps a line of each of so many rows, `bytes` apart, while a tile reads along them. */
static bool rows_fit(int64_t rows, int64_t bytes) {
    int64_t apart = bytes < 0 ? -bytes % PAGE_BYTES : bytes % PAGE_BYTES;
    int64_t step = apart ? max_of(apart & -apart, 64) : PAGE_BYTES;
    return rows * step <= SET_ROWS * PAGE_BYTES;
}

static double work_of(int64_t m, int64_t n, int64_t K, size_t size) { /* in units of tg_parallel */
    double md = (double)m, nd = (double)n, kd = (double)K;
    double bytes = (md * kd + kd * nd + md * nd) * (double)size / 2, multiplies = md * nd * kd * (double)size / 16;
    return bytes > multiplies ? bytes : multiplies;
}

/* How the result is cut among `width` threads: rows x cols rectangles that need little packing. */
typedef struct grid {
    int64_t rows, cols;
} grid;

static grid grid_for(int64_t m, int64_t n, int width, int64_t tile_cols) {
    int64_t row_tiles = (m + ROWS - 1) / ROWS, col_tiles = (n + tile_cols - 1) / tile_cols;
    grid best = {1, 1};
    double least = 0;
    for (int64_t rows = 1; rows <= width; rows++) {
        grid g = {min_of(rows, row_tiles), min_of(width / rows, col_tiles)};
        double share = (double)((row_tiles + g.rows - 1) / g.rows) * (double)((col_tiles + g.cols - 1) / g.cols);
        double packing = ((double)m / (double)g.rows + (double)n / (double)g.cols) / (4.0 * ROWS);
        if (least == 0 || share + packing < least) best = g, least = share + packing;
    }
    return best;
}

/* Elements that a worker packs into. The same for every instruction set. */
static int64_t pack_elements(int64_t rows, int64_t cols, int64_t block, size_t size) {
    int64_t a = min_of(rows, A_BLOCK_BYTES / (int64_t)size), b = round_up(min_of(cols, B_BLOCK_BYTES / (int64_t)size), 32);
    return round_up((a + b) * block + 2 * SLACK, SLACK);
}

static int64_t worker_elements(int64_t m, int64_t n, int64_t block, size_t size) {
    return max_of(pack_elements(m, n, block, size), pack_elements(n, m, block, size)); /* C may be computed transposed */
}

#define T float
#define TYPE f32
#define SQUARE SQUARE_F32
#include "kernels/gemm_type.h"
#undef T
#undef TYPE
#undef SQUARE

static void multiply_panels(int64_t rows, int64_t cols, int64_t k, const float *left, const float *right, float *c,
                            int64_t c_row, bool add) {
    const int64_t tile_cols = TILE_VECTORS * VECTOR_BYTES / (int64_t)sizeof(float);
    sweep_f32(rows, cols, k, (left_f32){left, 1, 0, true}, (right_f32){right, tile_cols, tile_cols * k, NULL, 0},
              (result_f32){c, c_row, 1}, add);
}

const tg__gemm_panels TG__SET(tg__gemm_panels_f32) = {ROWS, TILE_VECTORS * VECTOR_BYTES / (int64_t)sizeof(float),
                                                      multiply_panels};

#include "kernels/gemm_split.h"

#define T double
#define TYPE f64
#define SQUARE SQUARE_F64
#include "kernels/gemm_type.h"

#define IS_any 1
#if TG__PASTE(IS, TG__ISA)

size_t tg__gemm_split_scratch(int64_t m, int64_t n, int64_t K, int parts, int threads) {
    return (size_t)max_of(threads, 1) * split_memory_at(NULL, m, n, K, parts, NULL);
}

static size_t split_scratch(tg_dtype d, int64_t m, int64_t n, int64_t K, int threads) { /* 0: no product of tiles */
    const tg__matmul_mode *mode = tg__matmul_mode_get();
    return d != TG_F64 && split_takes(mode, m, n, K) ? tg__gemm_split_scratch(m, n, K, mode->parts, threads) : 0;
}

size_t tg__gemm_scratch(tg_dtype d, int64_t m, int64_t n, int64_t k, int pairs, int64_t batch, int threads) {
    int64_t K = k * pairs;
    if (m <= 0 || n <= 0 || K <= 0 || batch <= 0) return 0;
    size_t split = split_scratch(d, m, n, K, threads);
    if (m <= SMALL && n <= SMALL && K <= SMALL) return split;
    size_t size = d == TG_F64 ? sizeof(double) : sizeof(float);
    int64_t workers = max_of(threads, 1);
    tg__gemm_order o = tg__gemm_cut(m, n, K);
    int64_t partials = o.chunks > 1 ? min_of(workers, batch) * round_up(m * n * o.chunks, SLACK) : 0;
    size_t plain = (size_t)(workers * worker_elements(m, n, o.block, size) + partials) * size;
    return split > plain ? split : plain;
}

size_t tg__gemm_scratch_within(tg_dtype d, int64_t m, int64_t n, int64_t K) {
    size_t size = d == TG_F64 ? sizeof(double) : sizeof(float);
    int64_t partials = K < 2 * TG__GEMM_CUT_CHUNK ? 0 : TG__GEMM_CUT_ELEMENTS + SLACK;
    size_t plain = (size_t)(worker_elements(m, n, min_of(K + 8, TG__GEMM_BLOCK), size) + partials) * size;
    size_t split = split_scratch(d, m, n, K, 1);
    return split > plain ? split : plain;
}

#endif
