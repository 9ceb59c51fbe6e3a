/* kernels/transpose_loops.h: transposes of elements of one size, moved as unsigned T. Included by copy_loops.h.
 *
 * A block of rows and columns goes through a buffer: corners of 4 x 4 are turned in registers, and lines of either side that
 * lie a power of two apart do not push each other out of the cache, since they are read once each and written whole. Lines of
 * 256 bytes are cheap to write, and what the next block reads is fetched ahead meanwhile: into the second-level cache, as the
 * first-level has no room for such strides. */

#define COLS (256 / (int)sizeof(T))
#define PITCH (COLS + LINE / (int)sizeof(T))
#define PER_LINE (LINE / (int)sizeof(T))

/* buffer (rows x cols) = the transpose of src (cols x rows). */
static void FN(turn)(T *buffer, const T *src, int64_t src_stride, int64_t rows, int64_t cols, bool ahead) {
    const int64_t whole_rows = rows / SIDE * SIDE, whole_cols = cols / SIDE * SIDE;
    for (int64_t c = 0; c < whole_cols; c += SIDE)
        for (int64_t r = 0; r < whole_rows; r += SIDE) {
            const T *from = src + c * src_stride + r;
            for (int k = 0; ahead && r % PER_LINE == 0 && k < SIDE; k++) FETCH(from + k * src_stride + ROWS);
            FN(corner)(buffer + r * PITCH + c, PITCH, from, src_stride);
        }
    for (int64_t c = 0; c < cols; c++)
        for (int64_t r = c < whole_cols ? whole_rows : 0; r < rows; r++) buffer[r * PITCH + c] = src[c * src_stride + r];
}

/* A block of at most ROWS x COLS. */
static void FN(block)(T *dst, int64_t dst_stride, const T *src, int64_t src_stride, int64_t rows, int64_t cols, bool ahead,
                      bool past) {
    _Alignas(LINE) T buffer[ROWS * PITCH];
    FN(turn)(buffer, src, src_stride, rows, cols, ahead);
    for (int64_t r = 0; r < rows; r++) {
        T *to = dst + r * dst_stride;
        const T *from = buffer + r * PITCH;
        if (past && cols % PER_LINE == 0) store_lines_past((char *)to, (const char *)from, (size_t)cols * sizeof(T));
        else copy_packed(to, from, (size_t)cols * sizeof(T));
    }
}

/* dst (rows x cols) = the transpose of src (cols x rows); past: dst is not soon read, and its lines are written whole. */
static void FN(transpose)(T *dst, int64_t dst_stride, const T *src, int64_t src_stride, int64_t rows, int64_t cols, bool past) {
    past = past && ((uintptr_t)dst | (uintptr_t)dst_stride * sizeof(T)) % LINE == 0;
    for (int64_t c = 0; c < cols; c += COLS)
        for (int64_t r = 0; r < rows; r += ROWS)
            FN(block)(dst + r * dst_stride + c, dst_stride, src + c * src_stride + r, src_stride, least(ROWS, rows - r),
                      least(COLS, cols - c), r + 2 * ROWS <= rows, past);
    if (past) tg__stored_past();
}

#undef COLS
#undef PITCH
#undef PER_LINE
