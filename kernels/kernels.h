/* kernels/kernels.h: loops over plain arrays. No tensors, no tape, no errors: what is here ports and benches alone.
 *
 * Bits: each function's result depends on its arguments only, never on thread count, alignment or how a caller cuts the work.
 * Sums have one order: leaves of TG__FOLD_LEAF elements, TG__LANES interleaved lanes in a leaf (lane l takes the elements
 * congruent to l; lanes combine l with l + half, half = 16, 8, 4, 2, 1; a lane without elements is skipped), then leaves
 * pairwise, level by level, an odd last one carried up. max, min and prod use the same order. */
#ifndef TG_KERNELS_H
#define TG_KERNELS_H

#include "tapegrad/op.h"

#define TG__FOLD_LEAF 1024

/* How many pieces of `size` cover n >= 0, which may be as large as a size can be where another size is 0. */
static inline int64_t tg__pieces(int64_t n, int64_t size) { return n / size + (n % size != 0); }
#define TG__LANES 32

typedef enum tg__fold { TG__SUM, TG__PROD, TG__MAX, TG__MIN, TG__FOLD_COUNT } tg__fold; /* max and min carry NaN through */

/* A fold of what an elementwise loop makes of two operands, which is then nowhere stored: as leaf of the loop's results. `one`
 * says which operands are a single element: bit 0: a, bit 1: b. */
typedef struct tg__fold_pair {
    tg_micro_fn *micro;
    void (*leaf)(const void *a, const void *b, int64_t n, int one, void *out);
} tg__fold_pair;

/* One reduction, for one dtype. n may be 0: the result is the identity (0, 1, -inf or lowest, +inf or highest). */
typedef struct tg__fold_fns {
    /* out[0] = fold of x[0..n), n <= TG__FOLD_LEAF */
    void (*leaf)(const void *x, int64_t n, void *out);
    /* out[0] = combination of m leaf results, which are overwritten; m >= 1 */
    void (*combine)(void *leaves, int64_t m, void *out);
    /* out[j] = fold over i of x[i * row_stride + j], i < n <= TG__FOLD_LEAF, j < cols; the same order and bits as leaf on each
     * column. scratch: TG__LANES * cols elements */
    void (*leaf_cols)(const void *x, int64_t n, int64_t cols, int64_t row_stride, void *out, void *scratch);
    /* out[j] = combine over the m rows of leaves (m x cols, packed, overwritten) */
    void (*combine_cols)(void *leaves, int64_t m, int64_t cols, void *out);
    const tg__fold_pair *pairs; /* ends with micro NULL; NULL: there are none */
} tg__fold_fns;

/* A matrix of patches that is never made: products pack it straight from an image of channels, each with up to 4 axes (unused
 * ones are first, of size 1). Its two sides are the positions of a window and the pairs (channel, tap of the window), the last
 * axis fastest. The element for position p and tap k lies at coordinate p * at_step + k * tap_step + offset of each axis;
 * outside of the image it is 0. */
#define TG__IMAGE_AXES 4
typedef struct tg__image {
    int64_t size[TG__IMAGE_AXES], stride[TG__IMAGE_AXES], channel; /* strides in elements; channel: from one to the next */
    int64_t at[TG__IMAGE_AXES], taps[TG__IMAGE_AXES];              /* how many positions and taps */
    int64_t at_step[TG__IMAGE_AXES], tap_step[TG__IMAGE_AXES], offset[TG__IMAGE_AXES]; /* at_step > 0 */
    bool columns_are_positions;                                    /* else rows are, and columns (channel, tap) */
} tg__image;

/* C_b = sum over p of A_pb B_pb, for each b of a batch. Element (i, k) of A_pb is a[p][a_off[b] + i * a_rs + k * a_cs],
 * likewise B (k, j) and C (i, j) with unit column stride. Offsets are in elements; a NULL offset table means 0 for all. C is
 * overwritten. The strides hold for all pairs. Threads split the results; the inner sum is cut only by a rule of
 * (m, n, k, dtype). */
typedef struct tg__gemm {
    int64_t m, n, k;
    int pairs;
    int64_t batch;
    const void *const *a, *const *b;
    int64_t a_rs, a_cs, b_rs, b_cs, c_rs;
    const int64_t *a_off, *b_off, *c_off;
    void *c;
    int threads;
    void *scratch; /* gemm_scratch bytes, 64-byte aligned */
    const tg__image *b_image; /* not NULL: B is made of patches of the images at b, b_rs and b_cs mean nothing */
} tg__gemm;

/* Whether a kernel should store a result past the caches: where it is so large that its reader would not find it there, and
 * plain stores would read each line before they write it. Measured with 32 MiB of third-level cache: the gradient of a softmax
 * of 4096 x 1024 f32 (16 MiB) takes 1.0 ms in place of 1.7. */
static inline bool tg__stores_past(int64_t bytes) { return bytes >= (int64_t)16 << 20; }

/* Rows (packed) of n elements, normalised: y = (x - mean) / sqrt(variance + epsilon) w + b; w, b (n) may be NULL. Without
 * center the mean counts as 0. The gradient goes to y; rows [begin, end) are added to dw and db (n). past: y is stored past the
 * caches (tg__stores_past). */
typedef struct tg__row_norm {
    const void *x, *w, *b, *g;
    void *y;
    int64_t n;
    double epsilon;
    bool center, past;
} tg__row_norm;

/* Channels of (images, channels, n), packed, each normalised over images and n. mean and variance (channels) are written by
 * channel_norm and read by channel_norm_grad, whose gradients go to y, dw and db. */
typedef struct tg__channel_norm {
    const void *x, *w, *b, *g;
    void *y, *mean, *variance, *dw, *db;
    int64_t images, channels, n;
    double epsilon;
} tg__channel_norm;

/* A convolution of planes x (images, channels, size) with one kernel for each channel: y (images, channels, at). Element i of
 * an axis stands at i * spread + padding of a plane of zeros; result p sees i = p * stride + tap * dilation there. turned: the
 * taps of w in reverse. bias (channels): NULL, or added. Of the weights: w holds the cotangents of y, and y (channels, taps)
 * the result. */
#define TG__DEPTHWISE_SUM 64 /* bytes for the sum of a tap in a worker's memory */
typedef struct tg__depthwise {
    const void *x, *w, *bias;
    void *y;
    int64_t images, channels;
    int64_t size[3], at[3], taps[3], stride[3], dilation[3], spread[3], padding[3];
    bool turned;
    int64_t depth, rows, part, row; /* of the laid out plane; part: columns of one remainder by the stride */
    size_t plane_bytes, memory;     /* what depthwise_plan found: of the plane, and of all that a worker needs */
} tg__depthwise;

/* A convolution between few channels, for each image and group of planes x (images, groups, in, size), packed: y (images,
 * groups, out, at) from weights whose element for channels (o, c) and a tap lies at o * w_lane + c * w_channel + tap of their
 * group, plus bias (groups, out), unless that is NULL. All patches of `image` are inside: of the planes or, if copied, of a
 * copy of one image's with zeros around them, where a plane begins at `before`. Transposed: x holds the cotangents (images,
 * groups, in, at) and y is what the patches are of (images, groups, out, size). Of the weights: w holds the cotangents
 * (images, groups, out, at) and y the result (groups, out, in, taps). */
typedef struct tg__direct {
    const void *x, *w, *bias;
    void *y;
    int64_t images, groups, in, out, w_lane, w_channel, w_group;
    int64_t size[TG__IMAGE_AXES], before[TG__IMAGE_AXES];
    tg__image image;
    bool copied;
    int threads;
    void *scratch; /* tg__direct_scratch bytes (kernels/direct.h), 64-byte aligned */
} tg__direct;

/* A convolution of planes x (images, groups in, size) with kernels of 3 x 3 and stride 1: y (images, groups out, at). The
 * weight of channels (o, i) of a group begins at o * w_out + i * w_in of its in * out * 9; turned: its taps in reverse. Of the
 * weights: g (images, groups out, at) holds the cotangents of y, and y the result. */
typedef struct tg__winograd {
    const float *x, *w, *g, *bias; /* bias (groups out): NULL, or added */
    float *y;
    int64_t images, groups, in, out, size[2], at[2], padding[2], w_out, w_in;
    bool turned;
    int threads;
    void *scratch; /* tg__winograd_scratch bytes, 64-byte aligned */
} tg__winograd;

typedef struct tg__kernels {
    tg_isa_level isa;
    const struct tg__chain_set *chain_f32, *chain_f64; /* kernels/chain.h */
    /* NULL: not there. All of f32 f64 i32 i64; max, min also u8, bool */
    const tg__fold_fns *fold[TG__FOLD_COUNT][TG_DTYPE_COUNT];
    void (*gemm_f32)(const tg__gemm *g); /* on tiles of AMX where amx.h says so */
    void (*gemm_f64)(const tg__gemm *g);
    /* rows of a softmax: packed (rows x n). y = softmax(x), y = log_softmax(x); x and y may be the same memory. past: the
     * results are stored past the caches (tg__stores_past) */
    void (*softmax_f32)(const float *x, float *y, int64_t rows, int64_t n, bool past);
    void (*softmax_f64)(const double *x, double *y, int64_t rows, int64_t n, bool past);
    void (*log_softmax_f32)(const float *x, float *y, int64_t rows, int64_t n, bool past);
    void (*log_softmax_f64)(const double *x, double *y, int64_t rows, int64_t n, bool past);
    /* and their gradients from y and its cotangent */
    void (*softmax_grad_f32)(const float *y, const float *g, float *dx, int64_t rows, int64_t n, bool past);
    void (*softmax_grad_f64)(const double *y, const double *g, double *dx, int64_t rows, int64_t n, bool past);
    void (*log_softmax_grad_f32)(const float *y, const float *g, float *dx, int64_t rows, int64_t n, bool past);
    void (*log_softmax_grad_f64)(const double *y, const double *g, double *dx, int64_t rows, int64_t n, bool past);
    /* [0]: f32, [1]: f64 */
    void (*row_norm[2])(const tg__row_norm *a, int64_t begin, int64_t end);
    void (*row_norm_grad[2])(const tg__row_norm *a, int64_t begin, int64_t end, void *dw, void *db);
    void (*channel_norm[2])(const tg__channel_norm *a, int64_t begin, int64_t end);
    void (*channel_norm_grad[2])(const tg__channel_norm *a, int64_t begin, int64_t end);
    /* planes [begin, end), counted image by image; channels [begin, end); memory: a->memory bytes of the caller's thread */
    void (*depthwise[2])(const tg__depthwise *a, int64_t begin, int64_t end, void *memory);
    void (*depthwise_weights[2])(const tg__depthwise *a, int64_t begin, int64_t end, void *memory);
    void (*direct[2])(const tg__direct *a);
    void (*direct_transpose[2])(const tg__direct *a);
    void (*direct_weights[2])(const tg__direct *a);
    /* false: a result is not finite, where the plain sum may be: compute it again by that */
    bool (*winograd)(const tg__winograd *a);
    bool (*winograd_weights)(const tg__winograd *a);
} tg__kernels;

/* The table in use: the best set of this CPU, or the one that TG_ISA names (baseline, avx2, avx512; one that the CPU lacks is
 * ignored). Chosen once; tg__kernels_get is cheap afterwards and safe from any thread. */
const tg__kernels *tg__kernels_get(void);
const tg__kernels *tg__kernels_of(tg_isa_level level); /* that set's table; NULL where the CPU lacks it */

/* The micro-op for this CPU: the table's entry, else the portable one, else NULL. */
tg_micro_fn *tg__micro_get(const tg_micro *m, tg_dtype d);

size_t tg__gemm_scratch(tg_dtype d, int64_t m, int64_t n, int64_t k, int pairs, int64_t batch, int threads);
size_t tg__gemm_scratch_within(tg_dtype d, int64_t m, int64_t n, int64_t K); /* one thread, any product up to these sizes */

/* Copies a strided array of elements of `size` bytes (1, 2, 4, 8) in logical row-major order to packed memory: elements
 * [begin, begin + count) of the logical order. Strides in elements, may be 0 or negative. */
void tg__copy_in(void *dst, const void *src, size_t size, const tg_shape *shape, const int64_t *strides, int64_t begin,
                 int64_t count);
/* The reverse: packed src to a strided destination (distinct addresses). */
void tg__copy_out(void *dst, const void *src, size_t size, const tg_shape *shape, const int64_t *strides, int64_t begin,
                  int64_t count);

/* count times the same element. */
void tg__fill(void *dst, const void *element, size_t size, int64_t count);

/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * Element i of stream s under seed k is a function of (k, s, i) only; `first` may be any number. data points to {seed, stream},
 * two uint64_t. uniform: [0, 1), 24 or 53 random bits. normal: mean 0, deviation 1 (Box-Muller, both numbers used). */
void tg__uniform_f32(size_t n, void *out, const void *data, uint64_t first);
void tg__uniform_f64(size_t n, void *out, const void *data, uint64_t first);
void tg__normal_f32(size_t n, void *out, const void *data, uint64_t first);
void tg__normal_f64(size_t n, void *out, const void *data, uint64_t first);

/* Threads worth using for `work` (see tg_parallel), at most `threads`. */
int tg__parallel_width(int threads, double work);
/* For tests: from how much work on a second thread is worth it, so that small problems run on many, too. 0: as measured.
 * Returns what was set before. */
double tg__parallel_grain(double work);

/* Denormals: tg__denormals_flush sets flush-to-zero for the calling thread and returns the old mode for
 * tg__denormals_restore. */
unsigned tg__denormals_flush(void);
void tg__denormals_restore(unsigned mode);
/* Back to the mode that this thread had, where we changed it: a thread that it starts inherits the mode for good. True: to be
 * ended with tg__denormals_flush. */
bool tg__denormals_pause(void);

#endif
