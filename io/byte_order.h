/* io/byte_order.h: from and to the byte order of files. */
#ifndef TG_BYTE_ORDER_H
#define TG_BYTE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TG__BIG_ENDIAN 1
#else
#define TG__BIG_ENDIAN 0
#endif

/* Copies elements of `size` bytes each; if swap, with the bytes of each reversed. */
static inline void tg__copy_elements(void *to, const void *from, size_t bytes, size_t size, bool swap) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (bytes == 0) return;
    if (!swap || size == 1) memcpy(out, in, bytes);
    else
        for (size_t i = 0; i < bytes; i += size)
            for (size_t k = 0; k < size; k++) out[i + k] = in[i + size - 1 - k];
}

static inline uint64_t tg__little_64(const uint8_t *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static inline void tg__put_little_64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t tg__big_32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
