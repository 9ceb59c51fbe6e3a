/* kernels/direct.h: convolutions between few channels, straight from the image.
 *
 * Channels of one side lie along the vectors; a tile of results is a few positions (or, of a gradient of weights, a few pairs
 * of a channel and a tap) by two vectors of them. What a tile reads of the image are single elements, at the sum of two offsets
 * from tables, so no patch is packed, and neither strides nor ends of rows leave lanes empty.
 *
 * Order of sums: blocks of at most TG__DIRECT_BLOCK terms, from zero, term by term, each one multiply-add, are added in order.
 * Of a gradient of an image, the sum of each tap over the channels is made in this way; taps are added in order. Of a gradient
 * of weights, each image gives the sum over its positions in this way; images are added in order within a chunk of
 * them (tg__direct_chunks), and chunks pairwise, level by level. */
#ifndef TG_DIRECT_H
#define TG_DIRECT_H

#include "kernels/kernels.h"
#include "kernels/set.h"

#define TG__DIRECT_BLOCK 256

/* Whether this is faster than a product with packed patches; the one rule, by shape alone. */
bool tg__direct_fits(const tg__direct *a, size_t size);
bool tg__direct_transpose_fits(const tg__direct *a, size_t size);
bool tg__direct_weights_fits(const tg__direct *a, size_t size);

/* Bytes of a->scratch, for a->threads and elements of `size` bytes. */
size_t tg__direct_scratch(const tg__direct *a, size_t size);
size_t tg__direct_transpose_scratch(const tg__direct *a, size_t size);
size_t tg__direct_weights_scratch(const tg__direct *a, size_t size);

#define TG__DIRECT_DECLARE_TYPE(D, set)                         \
    void tg__direct_##D##_##set(const tg__direct *a);           \
    void tg__direct_transpose_##D##_##set(const tg__direct *a); \
    void tg__direct_weights_##D##_##set(const tg__direct *a);
#define TG__DIRECT_DECLARE(set, level) TG__DIRECT_DECLARE_TYPE(f32, set) TG__DIRECT_DECLARE_TYPE(f64, set)
TG__SET_MAP(TG__DIRECT_DECLARE)

#endif
