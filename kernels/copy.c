/* kernels/copy.c: between strided and packed memory. Dimensions are merged where their strides allow it; then the innermost
 * one is moved row by row, or, where the memory runs along the next one instead (a transpose), in blocks. A piece costs one
 * division per dimension, however it is cut out of the whole. */
#include "kernels/past.h"

/* The array after merging: dims[0] is the innermost. */
typedef struct layout {
    int rank;
    int64_t dims[TG_MAX_RANK], strides[TG_MAX_RANK];
    bool past; /* too large to be found in a cache when it is read next */
} layout;

static layout merge(const tg_shape *shape, const int64_t *strides) {
    layout l;
    l.rank = 0;
    l.past = false;
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

#define LINE 64  /* bytes of a cache line */
#define ROWS 128 /* of a block of a transpose */
#define SIDE 4   /* of a corner of it */
#define FETCH(address) __builtin_prefetch(address, 0, 2)

/* Whole lines to aligned memory. */
static void store_lines_past(char *dst, const char *src, size_t bytes) {
    for (size_t i = 0; i < bytes; i += LINE) tg__store_past(dst + i, src + i, LINE);
}

/* dst (SIDE x SIDE) = the transpose of src. */
#define CORNER_BY_ELEMENT(size, T)                                                                           \
    static inline void corner_##size(T *dst, int64_t dst_stride, const T *src, int64_t src_stride) {         \
        for (int c = 0; c < SIDE; c++)                                                                       \
            for (int r = 0; r < SIDE; r++) dst[r * dst_stride + c] = src[c * src_stride + r];                \
    }
CORNER_BY_ELEMENT(1, uint8_t)
#if defined(__SSE2__)
static inline __m128i load_short(const uint16_t *x) { return _mm_loadl_epi64((const __m128i *)(const void *)x); }
static inline void store_short(uint16_t *x, __m128i row) { _mm_storel_epi64((__m128i *)(void *)x, row); }

static inline void corner_2(uint16_t *dst, int64_t dst_stride, const uint16_t *src, int64_t src_stride) {
    const __m128i ab = _mm_unpacklo_epi16(load_short(src), load_short(src + src_stride));
    const __m128i cd = _mm_unpacklo_epi16(load_short(src + 2 * src_stride), load_short(src + 3 * src_stride));
    const __m128i above = _mm_unpacklo_epi32(ab, cd), beyond = _mm_unpackhi_epi32(ab, cd);
    store_short(dst, above);
    store_short(dst + dst_stride, _mm_unpackhi_epi64(above, above));
    store_short(dst + 2 * dst_stride, beyond);
    store_short(dst + 3 * dst_stride, _mm_unpackhi_epi64(beyond, beyond));
}

static inline __m128i load_four(const uint32_t *x) { return _mm_loadu_si128((const __m128i *)(const void *)x); }

static inline void corner_4(uint32_t *dst, int64_t dst_stride, const uint32_t *src, int64_t src_stride) {
    const __m128i a = load_four(src), b = load_four(src + src_stride);
    const __m128i c = load_four(src + 2 * src_stride), d = load_four(src + 3 * src_stride);
    const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
    const __m128i above = _mm_unpackhi_epi32(a, b), beyond = _mm_unpackhi_epi32(c, d);
    _mm_storeu_si128((__m128i *)(void *)dst, _mm_unpacklo_epi64(ab, cd));
    _mm_storeu_si128((__m128i *)(void *)(dst + dst_stride), _mm_unpackhi_epi64(ab, cd));
    _mm_storeu_si128((__m128i *)(void *)(dst + 2 * dst_stride), _mm_unpacklo_epi64(above, beyond));
    _mm_storeu_si128((__m128i *)(void *)(dst + 3 * dst_stride), _mm_unpackhi_epi64(above, beyond));
}

static inline void corner_8(uint64_t *dst, int64_t dst_stride, const uint64_t *src, int64_t src_stride) {
    for (int c = 0; c < SIDE; c += 2)
        for (int r = 0; r < SIDE; r += 2) {
            const uint64_t *from = src + c * src_stride + r;
            const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)from);
            const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(from + src_stride));
            _mm_storeu_si128((__m128i *)(void *)(dst + r * dst_stride + c), _mm_unpacklo_epi64(a, b));
            _mm_storeu_si128((__m128i *)(void *)(dst + (r + 1) * dst_stride + c), _mm_unpackhi_epi64(a, b));
        }
}
#else
CORNER_BY_ELEMENT(2, uint16_t)
CORNER_BY_ELEMENT(4, uint32_t)
CORNER_BY_ELEMENT(8, uint64_t)
#endif

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
    layout l = merge(shape, strides);
    if (count <= 0) return;
    int64_t bytes = (int64_t)size;
    for (int a = 0; a < l.rank; a++) bytes *= l.dims[a];
    l.past = tg__stores_past(bytes);
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
