/* kernels/copy_loops.h: copies of elements of one size, moved as unsigned T. Included by copy.c. */

static void FN(row_in)(T *dst, const T *src, int64_t n, int64_t stride) {
    const T first = *src;
    if (stride == 1) memcpy(dst, src, (size_t)n * sizeof(T));
    else if (stride == 0)
        for (int64_t i = 0; i < n; i++) dst[i] = first;
    else
        for (int64_t i = 0; i < n; i++) dst[i] = src[i * stride];
}

static void FN(row_out)(T *dst, const T *src, int64_t n, int64_t stride) {
    if (stride == 1) memcpy(dst, src, (size_t)n * sizeof(T));
    else
        for (int64_t i = 0; i < n; i++) dst[i * stride] = src[i];
}

/* Packed (rows x cols) from memory where the elements of a column lie side by side, rows being col_stride apart. */
static void FN(tiles_in)(T *dst, const T *src, int64_t rows, int64_t cols, int64_t col_stride) {
    for (int64_t i = 0; i < rows; i += TILE)
        for (int64_t j = 0; j < cols; j += TILE) {
            const int64_t i_end = least(i + TILE, rows), j_end = least(j + TILE, cols);
            for (int64_t r = i; r < i_end; r++)
                for (int64_t c = j; c < j_end; c++) dst[r * cols + c] = src[c * col_stride + r];
        }
}

static void FN(tiles_out)(T *dst, const T *src, int64_t rows, int64_t cols, int64_t col_stride) {
    for (int64_t i = 0; i < rows; i += TILE)
        for (int64_t j = 0; j < cols; j += TILE) {
            const int64_t i_end = least(i + TILE, rows), j_end = least(j + TILE, cols);
            for (int64_t c = j; c < j_end; c++)
                for (int64_t r = i; r < i_end; r++) dst[c * col_stride + r] = src[r * cols + c];
        }
}

/* How many whole rows, from p on, can go as one group of tiles; 0 where the memory does not run along dimension 1. */
static int64_t FN(rows_in_tiles)(const layout *l, const place *p, int64_t left) {
    if (l->rank < 2 || l->strides[1] != 1 || p->index[0] != 0) return 0;
    const int64_t rows = least(left / l->dims[0], l->dims[1] - p->index[1]);
    return rows >= 4 ? rows : 0;
}

/* Does rows_move on groups of whole rows, row_move on rows and pieces of rows, from `begin` on; p is where they start. */
#define WALK(packed, rows_move, row_move)                                        \
    place p = find(l, begin);                                                    \
    while (count > 0) {                                                          \
        const int64_t rows = FN(rows_in_tiles)(l, &p, count);                    \
        const int64_t in_row = least(count, l->dims[0] - p.index[0]);            \
        const int64_t n = rows ? rows * l->dims[0] : in_row;                     \
        if (rows) rows_move;                                                     \
        else row_move;                                                           \
        step(l, &p, rows ? 1 : 0, rows ? rows : n);                              \
        packed += n;                                                             \
        count -= n;                                                              \
    }

static void FN(copy_in)(T *dst, const T *src, const layout *l, int64_t begin, int64_t count) {
    WALK(dst, FN(tiles_in)(dst, src + p.offset, rows, l->dims[0], l->strides[0]),
         FN(row_in)(dst, src + p.offset, n, l->strides[0]))
}

static void FN(copy_out)(T *dst, const T *src, const layout *l, int64_t begin, int64_t count) {
    WALK(src, FN(tiles_out)(dst + p.offset, src, rows, l->dims[0], l->strides[0]),
         FN(row_out)(dst + p.offset, src, n, l->strides[0]))
}

#undef WALK
