/* kernels/amx_product.h: products of panels (amx.h) by one way to multiply tiles, included by amx.c with
 *   WAY                          short name
 *   TARGET                       attributes of a function that uses tiles
 *   TILES                        declares eight of them
 *   ZERO(t), LOAD(t, p), STORE(t, p), MULTIPLY(c, a, b)
 * Rows of a tile of A or B are 64 bytes apart in memory, those of C 128. Tiles 0 to 3 hold C, 4 and 5 A, 6 and 7 B. */

#define FN(name) TG__PASTE(name, WAY)

#define LEFT(part) LOAD(4, a + (part) * TG__PART) LOAD(5, a + (part) * TG__PART + TG__PART / 2)
#define RIGHT(part) LOAD(6, b + (part) * TG__PART) LOAD(7, b + (part) * TG__PART + TG__PART / 2)
#define MULTIPLY_ALL MULTIPLY(0, 4, 6) MULTIPLY(1, 4, 7) MULTIPLY(2, 5, 6) MULTIPLY(3, 5, 7)
#define ZERO_ALL ZERO(0) ZERO(1) ZERO(2) ZERO(3)
#define STORE_ALL STORE(0, c) STORE(1, c + 16) STORE(2, c + 16 * TG__PANEL) STORE(3, c + 16 * TG__PANEL + 16)

static TARGET void FN(three_parts)(const uint32_t *a, const uint32_t *b, int64_t steps, float *c) {
    TILES
    ZERO_ALL
    for (; steps > 0; steps--, a += 3 * TG__PART, b += 3 * TG__PART) { /* a line changes one side: 14 loads, 24 products */
        LEFT(2) RIGHT(0) MULTIPLY_ALL
        LEFT(1) MULTIPLY_ALL
        RIGHT(1) MULTIPLY_ALL
        LEFT(0) MULTIPLY_ALL
        RIGHT(2) MULTIPLY_ALL
        RIGHT(0) MULTIPLY_ALL
    }
    STORE_ALL
}

static TARGET void FN(one_part)(const uint32_t *a, const uint32_t *b, int64_t steps, float *c) {
    TILES
    ZERO_ALL
    for (; steps > 0; steps--, a += TG__PART, b += TG__PART) {
        LEFT(0) RIGHT(0) MULTIPLY_ALL
    }
    STORE_ALL
}

#undef FN
#undef LEFT
#undef RIGHT
#undef MULTIPLY_ALL
#undef ZERO_ALL
#undef STORE_ALL
#undef WAY
#undef TARGET
#undef TILES
#undef ZERO
#undef LOAD
#undef STORE
#undef MULTIPLY
