/* tapegrad/options.h: options of ops. In all of them 0 means the default: (tg_conv_config){0} is a plain convolution. */
#ifndef TAPEGRAD_OPTIONS_H
#define TAPEGRAD_OPTIONS_H

#include "core.h"

/* A convolution. One number per spatial axis, outermost first; those of axes that are not there are not looked at. */
typedef struct tg_conv_config {
    int64_t stride[3];         /* default 1 */
    int64_t padding[3];        /* zeros on both sides of an axis */
    int64_t dilation[3];       /* distance of the kernel's elements; default 1 */
    int64_t output_padding[3]; /* of a transposed convolution: added to the size of its result, at the end of an axis */
    int64_t groups;            /* channels are cut into so many parts that do not mix; default 1 */
    tg_tensor bias;            /* (channels of the result): added to each; default: none */
} tg_conv_config;

/* Windows of a pooling. One number per spatial axis, outermost first; those of axes that are not there are not looked at. */
typedef struct tg_pool_config {
    int64_t kernel[3];  /* size of a window: must be given */
    int64_t stride[3];  /* default: the kernel's, so that windows touch */
    int64_t padding[3]; /* on both sides of an axis; less than the kernel */
    bool skip_padding;  /* an average is over the elements of x alone; else padding counts as zeros */
} tg_pool_config;

/* Attention. */
typedef struct tg_attention_config {
    bool causal;    /* a row looks at no later key */
    double scale;   /* of the products; default 1 / sqrt(size of a key) */
    tg_tensor mask; /* bool, true where a row may look; default: everywhere */
} tg_attention_config;

/* Weights of a recurrent cell: of x, of the state h, and biases, which may be left out, as may wx where x is x wx already.
 * bh, of h wh, is for tg_gru_cell. */
typedef struct tg_cell {
    tg_tensor wx, wh, b, bh;
} tg_cell;

#endif
