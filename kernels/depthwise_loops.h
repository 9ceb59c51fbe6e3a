/* kernels/depthwise_loops.h: convolutions of a channel a group, for one type T, named D. Included by depthwise.c.
 *
 * A plane of x is copied with its padding, the columns of one remainder by the stride side by side, so that every tap of
 * a row reads adjacent elements. Terms are added in the order of taps, each by one multiply-add. Of a weight's gradient, each
 * plane gives a vector of sums, by rows and columns or, of 3 x 3 taps, by columns and rows; planes are added in the order of
 * images, then the lanes. */

typedef T FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef T FN(loose) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
typedef BITS FN(bits) __attribute__((vector_size(VECTOR_BYTES)));
#define VEC FN(vec)
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(T)))
#define VECTORS 4 /* results held in registers */

INLINE VEC FN(load)(const T *p) { return *(const FN(loose) *)p; }
INLINE void FN(store)(T *p, VEC v) { *(FN(loose) *)p = v; }
INLINE VEC FN(splat)(T x) { return x - (VEC){0}; }

static void FN(copy_row)(T *to, const T *from, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) FN(store)(to + i, FN(load)(from + i));
    if (i < n && n >= LANES) FN(store)(to + n - LANES, FN(load)(from + n - LANES));
    else for (; i < n; i++) to[i] = from[i];
}

/* Element (d, h, c) of x stands at its place times the spread, after the padding; column p of a row at p % stride * part +
 * p / stride. All else of the plane is 0 already. */
static void FN(lay_out)(const tg__depthwise *a, const T *x, T *plane) {
    const int64_t stride = a->stride[2], spread = a->spread[2], first = a->padding[2], n = a->size[2];
    for (int64_t d = 0; d < a->size[0]; d++) {
        for (int64_t h = 0; h < a->size[1]; h++, x += n) {
            T *to = plane + ((d * a->spread[0] + a->padding[0]) * a->rows + h * a->spread[1] + a->padding[1]) * a->row;
            if (stride * spread == 1) {
                FN(copy_row)(to + first, x, n);
            } else if (stride == 1) {
                for (int64_t c = 0; c < n; c++) to[c * spread + first] = x[c];
            } else { /* columns of one remainder after the other; no kernel call has both a stride and a spread */
                for (int64_t r = 0; r < stride; r++) {
                    int64_t c = ((r - first) % stride + stride) % stride;
                    T *part = to + r * a->part + (c + first) / stride;
                    for (; c < n; c += stride) *part++ = x[c];
                }
            }
        }
    }
}

/* A worker's memory: the plane, all zeros, and where each tap of a row of results reads, from where the row's first window
 * begins. Returns the number of taps. */
static int64_t FN(prepare)(const tg__depthwise *a, T *plane, int64_t *offsets) {
    int64_t taps = a->taps[0] * a->taps[1] * a->taps[2];
    memset(plane, 0, a->plane_bytes);
    for (int64_t t = 0; t < taps; t++) {
        int64_t tap = a->turned ? taps - 1 - t : t, column = tap % a->taps[2] * a->dilation[2];
        int64_t row = tap / a->taps[2] % a->taps[1] * a->dilation[1], slice = tap / a->taps[2] / a->taps[1] * a->dilation[0];
        offsets[t] = (slice * a->rows + row) * a->row + column % a->stride[2] * a->part + column / a->stride[2];
    }
    return taps;
}

INLINE void FN(vectors)(int count, T *y, const T *plane, const T *w, const int64_t *offsets, int64_t taps) {
    VEC sum[VECTORS];
    UNROLL for (int v = 0; v < count; v++) sum[v] = (VEC){0};
    for (int64_t t = 0; t < taps; t++) {
        const T *from = plane + offsets[t];
        VEC tap = FN(splat)(w[t]);
        UNROLL for (int v = 0; v < count; v++) sum[v] = FN(fused)(FN(load)(from + v * LANES), tap, sum[v]);
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

/* 3 x 3 taps, adjacent in a row, in registers: `rows` adjacent rows of results, of at least a vector each, which share what
 * they read; the last vector may compute some results again. */
INLINE void FN(rows_of_nine)(int rows, T *y, int64_t n, const T *plane, const VEC *w, int64_t down, VEC bias) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t at = i + LANES <= n ? i : n - LANES;
        VEC sum[NINE_ROWS];
        UNROLL for (int o = 0; o < rows; o++) sum[o] = (VEC){0};
        UNROLL for (int r = 0; r < rows + 2; r++) {
            UNROLL for (int c = 0; c < 3; c++) {
                VEC x = FN(load)(plane + r * down + at + c);
                UNROLL for (int o = 0; o < rows; o++) {
                    if (r - o >= 0 && r - o < 3) sum[o] = FN(fused)(x, w[(r - o) * 3 + c], sum[o]);
                }
            }
        }
        UNROLL for (int o = 0; o < rows; o++) FN(store)(y + o * n + at, sum[o] + bias);
    }
}

static void FN(plane_of_nine)(const tg__depthwise *a, T *y, const T *plane, const T *w, T bias) {
    VEC tap[9];
    const int64_t n = a->at[2], down = a->dilation[1] * a->row, step = a->stride[1] * a->row;
    const bool share = a->dilation[1] == 1 && a->stride[1] == 1;
    UNROLL for (int t = 0; t < 9; t++) tap[t] = FN(splat)(w[a->turned ? 8 - t : t]);
    int64_t h = 0;
    for (; share && h + NINE_ROWS <= a->at[1]; h += NINE_ROWS)
        FN(rows_of_nine)(NINE_ROWS, y + h * n, n, plane + h * step, tap, down, FN(splat)(bias));
    for (; h < a->at[1]; h++) FN(rows_of_nine)(1, y + h * n, n, plane + h * step, tap, down, FN(splat)(bias));
}

static bool FN(is_nine)(const tg__depthwise *a) {
    return a->taps[0] == 1 && a->at[0] == 1 && a->taps[1] == 3 && a->taps[2] == 3 && a->stride[2] == 1 && a->dilation[2] == 1 &&
           a->at[2] >= LANES;
}

/* Results of planes [begin, end), numbered image by image. */
void TG__SET(FN(tg__depthwise))(const tg__depthwise *a, int64_t begin, int64_t end, void *memory) {
    T *plane = memory;
    int64_t *offsets = (int64_t *)(void *)((char *)memory + a->plane_bytes), taps = FN(prepare)(a, plane, offsets);
    int64_t size = a->size[0] * a->size[1] * a->size[2], at = a->at[0] * a->at[1] * a->at[2];
    const bool nine = FN(is_nine)(a);
    for (int64_t p = begin; p < end; p++) {
        const int64_t channel = p % a->channels;
        const T *w = (const T *)a->w + channel * taps, bias = a->bias ? ((const T *)a->bias)[channel] : (T)-0.0;
        T *y = (T *)a->y + p * at;
        FN(lay_out)(a, (const T *)a->x + p * size, plane);
        if (p + 1 < end) fetch_plane((const T *)a->x + (p + 1) * size, (size_t)size * sizeof(T));
        if (nine) {
            FN(plane_of_nine)(a, y, plane, w, bias);
            continue;
        }
        for (int64_t d = 0; d < a->at[0]; d++)
            for (int64_t h = 0; h < a->at[1]; h++)
                FN(result_row)(y + (d * a->at[1] + h) * a->at[2], a->at[2],
                               plane + (d * a->stride[0] * a->rows + h * a->stride[1]) * a->row, w, offsets, taps);
        for (int64_t i = 0; i < at; i++) y[i] += bias;
    }
}

/* One row of x and up to three of g, of which its windows are: row r of taps is of g[r]. */
INLINE void FN(row_of_sums)(int first, int last, VEC *sum, const T *from, const VEC *g, FN(bits) there) {
    UNROLL for (int c = 0; c < 3; c++) {
        VEC x = (VEC)((FN(bits))FN(load)(from + c) & there);
        UNROLL for (int r = first; r <= last; r++) sum[r * 3 + c] = FN(fused)(g[r], x, sum[r * 3 + c]);
    }
}

/* tap_sums of 3 x 3 adjacent taps, for a plane of two rows or more of at least a vector each: column of vectors by column, each
 * row read once. The last column counts only the lanes that the one before it does not have. */
static void FN(nine_sums)(VEC *sums, const tg__depthwise *a, const T *cotangents, const T *plane) {
    const int64_t n = a->at[2], rows = a->at[1], down = a->row;
    VEC sum[9];
    UNROLL for (int t = 0; t < 9; t++) sum[t] = sums[t];
    for (int64_t i = 0; i < n; i += LANES) {
        const int64_t at = i + LANES <= n ? i : n - LANES;
        const T *from = plane + at, *next = cotangents + at;
        FN(bits) there;
        VEC g[3];
        for (int64_t l = 0; l < LANES; l++) there[l] = at + l < i ? 0 : -1;
#define NEXT_ROW (VEC)((FN(bits))FN(load)(next) & there), next += n
        g[0] = NEXT_ROW;
        FN(row_of_sums)(0, 0, sum, from, g, there), from += down;
        g[1] = g[0], g[0] = NEXT_ROW;
        FN(row_of_sums)(0, 1, sum, from, g, there), from += down;
        for (int64_t h = 2; h < rows; h++, from += down) {
            g[2] = g[1], g[1] = g[0], g[0] = NEXT_ROW;
            FN(row_of_sums)(0, 2, sum, from, g, there);
        }
#undef NEXT_ROW
        g[2] = g[1], g[1] = g[0];
        FN(row_of_sums)(1, 2, sum, from, g, there), from += down;
        g[2] = g[1];
        FN(row_of_sums)(2, 2, sum, from, g, there);
    }
    UNROLL for (int t = 0; t < 9; t++) sums[t] = sum[t];
}

/* Adds to each of `count` sums a plane of g times what its tap sees. Lanes past the end of a row count as zeros. */
INLINE void FN(tap_sums)(int count, VEC *sums, const tg__depthwise *a, const T *g, const T *plane, const int64_t *offsets) {
    const int64_t n = a->at[2], whole = n / LANES * LANES;
    FN(bits) there;
    VEC sum[NINE];
    for (int64_t l = 0; l < LANES; l++) there[l] = l < n - whole ? -1 : 0;
    UNROLL for (int t = 0; t < count; t++) sum[t] = (VEC){0};
    for (int64_t d = 0; d < a->at[0]; d++) {
        for (int64_t h = 0; h < a->at[1]; h++, g += n) {
            const T *from = plane + (d * a->stride[0] * a->rows + h * a->stride[1]) * a->row;
            for (int64_t i = 0; i < whole; i += LANES) {
                VEC right = FN(load)(g + i);
                UNROLL for (int t = 0; t < count; t++) sum[t] = FN(fused)(right, FN(load)(from + offsets[t] + i), sum[t]);
            }
            if (whole == n) continue;
            VEC right = {0};
            memcpy(&right, g + whole, (size_t)(n - whole) * sizeof(T));
            UNROLL for (int t = 0; t < count; t++) {
                VEC left = (VEC)((FN(bits))FN(load)(from + offsets[t] + whole) & there);
                sum[t] = FN(fused)(right, left, sum[t]);
            }
        }
    }
    UNROLL for (int t = 0; t < count; t++) sums[t] += sum[t];
}

/* Gradients of the weights of channels [begin, end). */
void TG__SET(FN(tg__depthwise_weights))(const tg__depthwise *a, int64_t begin, int64_t end, void *memory) {
    T *plane = memory;
    VEC *sums = (VEC *)(void *)((char *)memory + a->plane_bytes);
    int64_t taps = a->taps[0] * a->taps[1] * a->taps[2], *offsets = (int64_t *)(void *)(sums + taps);
    int64_t size = a->size[0] * a->size[1] * a->size[2], at = a->at[0] * a->at[1] * a->at[2];
    FN(prepare)(a, plane, offsets);
    const bool nine = FN(is_nine)(a) && a->stride[1] == 1 && a->dilation[1] == 1 && a->at[1] > 1;
    for (int64_t c = begin; c < end; c++) {
        memset(sums, 0, (size_t)taps * sizeof *sums);
        for (int64_t n = 0; n < a->images; n++) {
            int64_t p = n * a->channels + c, t = 0;
            const T *g = (const T *)a->w + p * at;
            FN(lay_out)(a, (const T *)a->x + p * size, plane);
            if (n + 1 < a->images) {
                fetch_plane((const T *)a->x + (p + a->channels) * size, (size_t)size * sizeof(T));
                fetch_plane(g + a->channels * at, (size_t)at * sizeof(T));
            }
            if (nine) {
                FN(nine_sums)(sums, a, g, plane);
                continue;
            }
            for (; t + NINE <= taps; t += NINE) FN(tap_sums)(NINE, sums + t, a, g, plane, offsets + t);
            for (; t + 3 <= taps; t += 3) FN(tap_sums)(3, sums + t, a, g, plane, offsets + t);
            for (; t < taps; t++) FN(tap_sums)(1, sums + t, a, g, plane, offsets + t);
        }
        for (int64_t t = 0; t < taps; t++) {
            T *w = (T *)a->y + c * taps + t;
            *w = 0;
            for (int64_t l = 0; l < LANES; l++) *w += sums[t][l];
        }
    }
}

#undef VEC
#undef LANES
#undef VECTORS
