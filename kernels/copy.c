/* kernels/copy.c: between strided and packed memory. Dimensions are merged where their strides allow it; then the innermost one
 * is moved row by row, or, where the memory runs along the next one instead (a transpose), in tiles. A piece costs one division
 * per dimension, however it is cut out of the whole. */
#include <string.h>

#include "kernels/kernels.h"

/* The array after merging: dims[0] is the innermost. */
typedef struct layout {
    int rank;
    int64_t dims[TG_MAX_RANK], strides[TG_MAX_RANK];
} layout;

static layout merge(const tg_shape *shape, const int64_t *strides) {
    layout l;
    l.rank = 0;
    for (int a = shape->rank - 1; a >= 0; a--) {
        if (shape->dims[a] == 1) continue;
        const int outer = l.rank - 1;
        if (l.rank && strides[a] == l.strides[outer] * l.dims[outer]) {
            l.dims[outer] *= shape->dims[a];
            continue;
        }
        l.dims[l.rank] = shape->dims[a];
        l.strides[l.rank++] = strides[a];
    }
    if (l.rank == 0) {
        l.dims[0] = l.strides[0] = 1;
        l.rank = 1;
    }
    return l;
}

/* A place in the array: the index along each dimension, and the offset of the element. */
typedef struct place {
    int64_t index[TG_MAX_RANK], offset;
} place;

static place find(const layout *l, int64_t at) {
    place p;
    p.offset = 0;
    for (int a = 0; a < l->rank; a++) {
        const int64_t rest = a + 1 < l->rank ? at / l->dims[a] : 0;
        p.index[a] = at - rest * l->dims[a];
        p.offset += p.index[a] * l->strides[a];
        at = rest;
    }
    return p;
}

/* Steps dimension a by n, which does not go past its end, and carries into the dimensions outside it. */
static void step(const layout *l, place *p, int a, int64_t n) {
    p->index[a] += n;
    p->offset += n * l->strides[a];
    while (p->index[a] == l->dims[a] && a + 1 < l->rank) {
        p->offset -= l->dims[a] * l->strides[a];
        p->index[a++] = 0;
        p->index[a]++;
        p->offset += l->strides[a];
    }
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* memcpy of a few bytes: from both ends, so that they need not be a power of two. */
static void copy_short(char *dst, const char *src, size_t bytes) {
#define BOTH_ENDS(size)                                              \
    if (bytes >= size) {                                             \
        memcpy(dst, src, size);                                      \
        memcpy(dst + bytes - size, src + bytes - size, size);        \
        return;                                                      \
    }
    BOTH_ENDS(32)
    BOTH_ENDS(16)
    BOTH_ENDS(8)
    BOTH_ENDS(4)
    BOTH_ENDS(2)
    BOTH_ENDS(1)
#undef BOTH_ENDS
}

static void copy_packed(void *dst, const void *src, size_t bytes) {
    if (bytes <= 64) copy_short(dst, src, bytes);
    else memcpy(dst, src, bytes);
}

#define TILE 16      /* rows and columns of a tile of a transpose: a cache line of f32 each way */
#define SQUARE 256   /* each row and column may be a page of its own: so many fit the address cache */

#define T uint8_t
#define FN(name) name##_1
#include "kernels/copy_loops.h"
#undef T
#undef FN

#define T uint16_t
#define FN(name) name##_2
#include "kernels/copy_loops.h"
#undef T
#undef FN

#define T uint32_t
#define FN(name) name##_4
#include "kernels/copy_loops.h"
#undef T
#undef FN

#define T uint64_t
#define FN(name) name##_8
#include "kernels/copy_loops.h"

void tg__copy_in(void *dst, const void *src, size_t size, const tg_shape *shape, const int64_t *strides, int64_t begin,
                 int64_t count) {
    const layout l = merge(shape, strides);
    if (count <= 0) return;
    if (size == 1) copy_in_1(dst, src, &l, begin, count);
    else if (size == 2) copy_in_2(dst, src, &l, begin, count);
    else if (size == 4) copy_in_4(dst, src, &l, begin, count);
    else copy_in_8(dst, src, &l, begin, count);
}

void tg__copy_out(void *dst, const void *src, size_t size, const tg_shape *shape, const int64_t *strides, int64_t begin,
                  int64_t count) {
    const layout l = merge(shape, strides);
    if (count <= 0) return;
    if (size == 1) copy_out_1(dst, src, &l, begin, count);
    else if (size == 2) copy_out_2(dst, src, &l, begin, count);
    else if (size == 4) copy_out_4(dst, src, &l, begin, count);
    else copy_out_8(dst, src, &l, begin, count);
}

void tg__fill(void *dst, const void *element, size_t size, int64_t count) {
    const size_t bytes = (size_t)count * size;
    size_t done = bytes < size ? bytes : size;
    memcpy(dst, element, done);
    for (; done < bytes; done *= 2) memcpy((char *)dst + done, dst, done < bytes - done ? done : bytes - done);
}
