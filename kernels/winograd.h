/* kernels/winograd.h: convolutions of 3 x 3 kernels with stride 1 by Winograd's minimal filtering, in f32.
 *
 * Winograd 1980, Arithmetic complexity of computations; Lavin, Gray 2016, Fast algorithms for convolutional neural networks,
 * arXiv:1509.09308: F(4 x 4, 3 x 3) for the result and the gradient of the image, F(3 x 3, 4 x 4) for that of the weights. A
 * tile of 6 x 6 costs 36 products where the plain sum has 144. The points are 0, 3/4, -3/4, 3/2, -3/2 and infinity: with them
 * the root mean square error is about twice that of the plain sum in f32, against four times with the usual 0, 1, -1, 2, -2.
 * An error is relative to the largest element of a tile's patch, not to each term. */
#ifndef TG_WINOGRAD_H
#define TG_WINOGRAD_H

#include "kernels/kernels.h"
#include "kernels/set.h"

/* Not where TG_CONV=plain in the environment says so, read once. */
bool tg__winograd_wanted(void);

/* Whether a convolution of these sizes is faster this way; the one rule, by shape alone. in, out: channels of a group. */
bool tg__winograd_fits(const tg__winograd *a);

/* Bytes of a->scratch, for a->threads. */
size_t tg__winograd_scratch(const tg__winograd *a);
size_t tg__winograd_weights_scratch(const tg__winograd *a);

#define TG__WINOGRAD_DECLARE(set, level)                     \
    bool tg__winograd_##set(const tg__winograd *a);          \
    bool tg__winograd_weights_##set(const tg__winograd *a);
TG__SET_MAP(TG__WINOGRAD_DECLARE)

#endif
