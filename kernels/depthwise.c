/* kernels/depthwise.c: convolutions of a channel a group for one instruction set; the code is depthwise_loops.h, by type. */
#include "kernels/depthwise.h"
#include "kernels/fused.h"
#include "kernels/unroll.h"

#include <string.h>

#define FN(name) TG__PASTE(name, D)
#define NINE 9      /* taps whose sums are held in registers */
#define NINE_ROWS 3 /* of results of 3 x 3 taps */
#define NEAR 16384  /* bytes: a larger plane would push out of the first-level cache what is needed sooner */

/* Asks for the plane after the one that is being computed: each may begin on a page of its own. */
static void fetch_plane(const void *at, size_t bytes) {
    for (size_t i = 0; i < bytes && bytes <= NEAR; i += 64) __builtin_prefetch((const char *)at + i);
}

#define T float
#define D f32
#define BITS int32_t
#include "kernels/depthwise_loops.h"
#undef T
#undef D
#undef BITS

#define T double
#define D f64
#define BITS int64_t
#include "kernels/depthwise_loops.h"
