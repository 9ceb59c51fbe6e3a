/* kernels/depthwise_loops.h: convolutions of a channel a group, for one type T, named D. Included by depthwise.c.
 *
 * A plane of x is copied with its padding, the columns of one remainder by the stride side by side, so that every tap of
 * a row reads adjacent elements. Terms are added in the order of taps; planes of a weight's gradient in that of images. */

typedef T FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef T FN(loose) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(T)))
#define VECTORS 4 /* results held in registers */

INLINE FN(vec) FN(load)(const T *p) { return *(const FN(loose) *)p; }
INLINE void FN(store)(T *p, FN(vec) v) { *(FN(loose) *)p = v; }

/* Element (d, h, c) of x stands at its place times the spread, after the padding; column p of a row at p % stride * part +
 * p / stride. All else is 0. */
static void FN(lay_out)(const tg__depthwise *a, const T *x, T *plane) {
    const int64_t stride = a->stride[2], spread = a->spread[2], first = a->padding[2];
    memset(plane, 0, (size_t)(a->depth * a->rows * a->row) * sizeof(T));
    for (int64_t d = 0; d < a->size[0]; d++) {
        for (int64_t h = 0; h < a->size[1]; h++) {
            const T *from = x + (d * a->size[1] + h) * a->size[2];
            T *to = plane + ((d * a->spread[0] + a->padding[0]) * a->rows + h * a->spread[1] + a->padding[1]) * a->row;
            if (stride * spread == 1) {
                memcpy(to + first, from, (size_t)a->size[2] * sizeof(T));
                continue;
            }
            for (int64_t c = 0; c < a->size[2]; c++) {
                int64_t column = c * spread + first;
                to[column % stride * a->part + column / stride] = from[c];
            }
        }
    }
}

/* Where each tap of a row of results reads, from where the row's first window begins. */
static int64_t FN(tap_offsets)(const tg__depthwise *a, int64_t *offsets) {
    int64_t taps = a->taps[0] * a->taps[1] * a->taps[2];
    for (int64_t t = 0; t < taps; t++) {
        int64_t tap = a->turned ? taps - 1 - t : t, column = tap % a->taps[2] * a->dilation[2];
        int64_t row = tap / a->taps[2] % a->taps[1] * a->dilation[1], slice = tap / a->taps[2] / a->taps[1] * a->dilation[0];
        offsets[t] = (slice * a->rows + row) * a->row + column % a->stride[2] * a->part + column / a->stride[2];
    }
    return taps;
}

INLINE void FN(vectors)(int count, T *y, const T *plane, const T *w, const int64_t *offsets, int64_t taps) {
    FN(vec) sum[VECTORS];
    UNROLL for (int v = 0; v < count; v++) sum[v] = (FN(vec)){0};
    for (int64_t t = 0; t < taps; t++) {
        const T *from = plane + offsets[t];
        FN(vec) tap = w[t] - (FN(vec)){0};
        UNROLL for (int v = 0; v < count; v++) sum[v] = FN(load)(from + v * LANES) * tap + sum[v];
    }
    UNROLL for (int v = 0; v < count; v++) FN(store)(y + v * LANES, sum[v]);
}

static void FN(result_row)(T *y, int64_t n, const T *plane, const T *w, const int64_t *offsets, int64_t taps) {
    int64_t i = 0;
    for (; i + VECTORS * LANES <= n; i += VECTORS * LANES) FN(vectors)(VECTORS, y + i, plane + i, w, offsets, taps);
    for (; i + LANES <= n; i += LANES) FN(vectors)(1, y + i, plane + i, w, offsets, taps);
    if (i == n) return;
    T last[VECTOR_BYTES / sizeof(T)];
    FN(vectors)(1, last, plane + i, w, offsets, taps);
    memcpy(y + i, last, (size_t)(n - i) * sizeof(T));
}

/* Results of planes [begin, end), numbered image by image. */
void TG__SET(FN(tg__depthwise))(const tg__depthwise *a, int64_t begin, int64_t end, void *memory) {
    T *plane = memory;
    int64_t *offsets = (int64_t *)(void *)((char *)memory + a->plane_bytes), taps = FN(tap_offsets)(a, offsets);
    int64_t size = a->size[0] * a->size[1] * a->size[2], at = a->at[0] * a->at[1] * a->at[2];
    for (int64_t p = begin; p < end; p++) {
        FN(lay_out)(a, (const T *)a->x + p * size, plane);
        T *y = (T *)a->y + p * at;
        for (int64_t d = 0; d < a->at[0]; d++)
            for (int64_t h = 0; h < a->at[1]; h++, y += a->at[2])
                FN(result_row)(y, a->at[2], plane + (d * a->stride[0] * a->rows + h * a->stride[1]) * a->row,
                               (const T *)a->w + p % a->channels * taps, offsets, taps);
    }
}

/* The sum over a plane of g times what one tap sees: vector sums of each row, then of their lanes. */
static T FN(tap_sum)(const tg__depthwise *a, const T *g, const T *plane) {
    FN(vec) sum = {0};
    T rest = 0;
    for (int64_t d = 0; d < a->at[0]; d++) {
        for (int64_t h = 0; h < a->at[1]; h++, g += a->at[2]) {
            const T *from = plane + (d * a->stride[0] * a->rows + h * a->stride[1]) * a->row;
            int64_t i = 0;
            for (; i + LANES <= a->at[2]; i += LANES) sum = FN(load)(g + i) * FN(load)(from + i) + sum;
            for (; i < a->at[2]; i++) rest += g[i] * from[i];
        }
    }
    for (int64_t l = 0; l < LANES; l++) rest += sum[l];
    return rest;
}

/* Gradients of the weights of channels [begin, end). */
void TG__SET(FN(tg__depthwise_weights))(const tg__depthwise *a, int64_t begin, int64_t end, void *memory) {
    T *plane = memory;
    int64_t *offsets = (int64_t *)(void *)((char *)memory + a->plane_bytes), taps = FN(tap_offsets)(a, offsets);
    int64_t size = a->size[0] * a->size[1] * a->size[2], at = a->at[0] * a->at[1] * a->at[2];
    for (int64_t c = begin; c < end; c++) {
        T *w = (T *)a->y + c * taps;
        memset(w, 0, (size_t)taps * sizeof(T));
        for (int64_t n = 0; n < a->images; n++) {
            int64_t p = n * a->channels + c;
            FN(lay_out)(a, (const T *)a->x + p * size, plane);
            for (int64_t t = 0; t < taps; t++) w[t] += FN(tap_sum)(a, (const T *)a->w + p * at, plane + offsets[t]);
        }
    }
}

#undef LANES
#undef VECTORS
