/* kernels/amx.h: f32 matrix products on the tiles of AMX, which multiply bf16 and add f32.
 *
 * A number is split into three bf16 parts that sum to it exactly, x = hi + mid + lo, and of the nine products of parts the six
 * that matter are added, smallest first: lo hi, mid hi, mid mid, hi mid, hi lo, hi hi. The error is below that of a sum of f32
 * products, since a tile adds 32 terms before they meet the large sum. With one part the product is that of numbers rounded to
 * bf16. How operands become panels is in gemm_split.h; here is what multiplies panels.
 *
 * A panel is 32 rows of A (columns of B), for each step of 32 terms its parts, hi first, each TG__PART words: two tiles of 16
 * rows of 64 bytes. Word r of row i of A holds terms r (low half) and r + 16 of row i; word j of row r of B holds terms r and
 * r + 16 of column j. So both sides are packed without shuffles. */
#ifndef TG_AMX_H
#define TG_AMX_H

#include <stdint.h>

#define TG__PANEL 32 /* rows of a panel of A, columns of one of B, and terms of a step */
#define TG__PART 512 /* words of 32 bits of one part of a step */

/* c (32 x 32, packed) = the sum over `steps` steps of two panels. */
typedef void tg__tile_product(const uint32_t *a, const uint32_t *b, int64_t steps, float *c);

typedef struct tg__tiles {
    void (*begin)(void), (*end)(void); /* around a thread's products: they take and release its tiles */
    tg__tile_product *product[4];      /* by the number of parts: [1] and [3] */
} tg__tiles;

/* By the instructions; NULL where the CPU or the system does not give them to this process. */
const tg__tiles *tg__tiles_of_cpu(void);

/* The same bits without them, after Intel's SDM, volume 2, TDPBF16PS; for tests. Denormals are to be flushed by the caller. */
extern const tg__tiles tg__tiles_emulated;

/* What TG_MATMUL asks for. f32: no tiles; amx: three parts; bf16: one. Unset: amx where the CPU has it and AVX-512 is in use.
 * Where the CPU lacks AMX, amx and bf16 are ignored. amx-emulated and bf16-emulated: for tests, products of any size. */
typedef struct tg__matmul_mode {
    const tg__tiles *tiles; /* NULL: every product is plain f32 */
    int parts;
    int64_t least; /* products with m, n and K of at least this much go to tiles */
} tg__matmul_mode;
tg__matmul_mode tg__matmul_mode_named(const char *name); /* name may be NULL */
const tg__matmul_mode *tg__matmul_mode_get(void);        /* chosen once, by the environment */

#endif
