/* kernels/copy_loops.h: copies of elements of one size, moved as unsigned T. Included by copy.c. */

static void FN(row_in)(T *dst, const T *src, int64_t n, int64_t stride) {
    const T first = *src;
    if (stride == 1) copy_packed(dst, src, (size_t)n * sizeof(T));
    else if (stride == 0)
        for (int64_t i = 0; i < n; i++) dst[i] = first;
    else
        for (int64_t i = 0; i < n; i++) dst[i] = src[i * stride];
}

static void FN(row_out)(T *dst, const T *src, int64_t n, int64_t stride) {
    if (stride == 1) copy_packed(dst, src, (size_t)n * sizeof(T));
    else
        for (int64_t i = 0; i < n; i++) dst[i * stride] = src[i];
}

#include "kernels/transpose_loops.h"

/* Whole rows of the innermost dimension. */
static void FN(rows_in)(T *dst, const T *src, const layout *l, int64_t rows) {
    const int64_t cols = l->dims[0], stride = l->strides[1];
    if (stride == 1 && rows >= SIDE && l->strides[0] != 0) FN(transpose)(dst, cols, src, l->strides[0], rows, cols, l->past);
    else
        for (int64_t r = 0; r < rows; r++) FN(row_in)(dst + r * cols, src + r * stride, cols, l->strides[0]);
}

static void FN(rows_out)(T *dst, const T *src, const layout *l, int64_t rows) {
    const int64_t cols = l->dims[0], stride = l->strides[1];
    if (stride == 1 && rows >= SIDE) FN(transpose)(dst, l->strides[0], src, cols, cols, rows, false);
    else
        for (int64_t r = 0; r < rows; r++) FN(row_out)(dst + r * stride, src + r * cols, cols, l->strides[0]);
}

/* Does rows_move on groups of whole rows, row_move on single rows and pieces of rows, from `begin` on; p is the place. */
#define WALK(packed, rows_move, row_move)                                                                  \
    place p = find(l, begin);                                                                              \
    while (count > 0) {                                                                                    \
        const int64_t whole = l->rank > 1 && p.index[0] == 0 ? count / l->dims[0] : 0;                     \
        const int64_t rows = whole > 1 ? least(whole, l->dims[1] - p.index[1]) : 0;                        \
        const int64_t n = rows ? rows * l->dims[0] : least(count, l->dims[0] - p.index[0]);                \
        if (rows) rows_move;                                                                               \
        else row_move;                                                                                     \
        step(l, &p, rows ? 1 : 0, rows ? rows : n);                                                        \
        packed += n;                                                                                       \
        count -= n;                                                                                        \
    }

static void FN(copy_in)(T *dst, const T *src, const layout *l, int64_t begin, int64_t count) {
    WALK(dst, FN(rows_in)(dst, src + p.offset, l, rows), FN(row_in)(dst, src + p.offset, n, l->strides[0]))
}

static void FN(copy_out)(T *dst, const T *src, const layout *l, int64_t begin, int64_t count) {
    WALK(src, FN(rows_out)(dst + p.offset, src, l, rows), FN(row_out)(dst + p.offset, src, n, l->strides[0]))
}

#undef WALK
