/* kernels/amx.c: tiles by AMX's instructions, and the same without them; which of them matrix products use. */
#define _DEFAULT_SOURCE /* syscall */
#include "kernels/amx.h"
#include "kernels/kernels.h"
#include "kernels/math.h"
#include "kernels/set.h"
#include "kernels/unroll.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define HAVE_AMX 1
#endif

/* ------------------------------------------------------------------ without the instructions */

typedef union tile {
    uint32_t word[16][16];
    float sum[16][16];
} tile;

INLINE float low_half(uint32_t word) { return tg__from_bits_f32(word << 16); }
INLINE float high_half(uint32_t word) { return tg__from_bits_f32(word & 0xffff0000u); }

/* TDPBF16PS: terms of even and of odd place are summed apart, from zero, each step one fused multiply-add; then both are added
 * to each other, and that to c. */
INLINE void multiply_plainly(tile *c, const tile *a, const tile *b) {
    for (int i = 0; i < 16; i++) {
        float even[16] = {0}, odd[16] = {0};
        for (int r = 0; r < 16; r++) {
            const float x = low_half(a->word[i][r]), y = high_half(a->word[i][r]);
            for (int j = 0; j < 16; j++) even[j] = __builtin_fmaf(x, low_half(b->word[r][j]), even[j]);
            for (int j = 0; j < 16; j++) odd[j] = __builtin_fmaf(y, high_half(b->word[r][j]), odd[j]);
        }
        for (int j = 0; j < 16; j++) c->sum[i][j] += even[j] + odd[j];
    }
}

#if defined(__x86_64__) /* without the instruction each multiply-add is a call */
static __attribute__((target("avx2,fma"))) void multiply_fused(tile *c, const tile *a, const tile *b) {
    multiply_plainly(c, a, b);
}
#endif

static void multiply_tiles(tile *c, const tile *a, const tile *b) {
#if defined(__x86_64__)
    if (tg__kernels_of(TG_ISA_AVX2)) {
        multiply_fused(c, a, b);
        return;
    }
#endif
    multiply_plainly(c, a, b);
}

#define WAY emulated
#define TARGET
#define TILES tile tiles[8];
#define ZERO(t) memset(&tiles[t], 0, sizeof(tile));
#define LOAD(t, p) memcpy(&tiles[t], p, sizeof(tile));
#define STORE(t, p) for (int i = 0; i < 16; i++) memcpy((p) + i * TG__PANEL, tiles[t].sum[i], sizeof tiles[t].sum[i]);
#define MULTIPLY(c, a, b) multiply_tiles(&tiles[c], &tiles[a], &tiles[b]);
#include "kernels/amx_product.h"

static void nothing(void) {}

const tg__tiles tg__tiles_emulated = {nothing, nothing, {[1] = one_part_emulated, [3] = three_parts_emulated}};

/* ------------------------------------------------------------------ the instructions */

#ifdef HAVE_AMX

#define WAY amx
#define TARGET __attribute__((target("amx-tile,amx-bf16")))
#define TILES
#define ZERO(t) _tile_zero(t);
#define LOAD(t, p) _tile_loadd(t, p, 64);
#define STORE(t, p) _tile_stored(t, p, 4 * TG__PANEL);
#define MULTIPLY(c, a, b) _tile_dpbf16ps(c, a, b);
#include "kernels/amx_product.h"

typedef struct tile_config { /* as LDTILECFG reads it */
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;
_Static_assert(sizeof(tile_config) == 64, "the layout of LDTILECFG");

static __attribute__((target("amx-tile"))) void take_tiles(void) {
    static const tile_config all_full = {
        .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&all_full);
}

static __attribute__((target("amx-tile"))) void release_tiles(void) { _tile_release(); }

static bool cpu_has_amx(void) {
    const unsigned osxsave = 1u << 27, bf16 = 1u << 22, tiles = 1u << 24, tile_state = 3u << 17;
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || !(c & osxsave)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & bf16) || !(d & tiles)) return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & tile_state) == tile_state;
}

/* The kernel keeps a thread's tiles only for processes that asked; it may refuse, as where a signal stack is too small. */
static bool system_gives_tiles(void) {
    const int request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static const tg__tiles by_amx = {take_tiles, release_tiles, {[1] = one_part_amx, [3] = three_parts_amx}};

const tg__tiles *tg__tiles_of_cpu(void) { return cpu_has_amx() && system_gives_tiles() ? &by_amx : NULL; }

#else

const tg__tiles *tg__tiles_of_cpu(void) { return NULL; }

#endif

/* ------------------------------------------------------------------ the choice */

#define LEAST 128 /* measured: below, packing both operands costs more than tiles bring */

tg__matmul_mode tg__matmul_mode_named(const char *name) {
    const tg__matmul_mode plain = {NULL, 0, 0};
    if (!name) name = tg__kernels_get()->isa == TG_ISA_AVX512 ? "amx" : "f32";
    if (!strcmp(name, "amx-emulated")) return (tg__matmul_mode){&tg__tiles_emulated, 3, 1};
    if (!strcmp(name, "bf16-emulated")) return (tg__matmul_mode){&tg__tiles_emulated, 1, 1};
    const int parts = !strcmp(name, "amx") ? 3 : !strcmp(name, "bf16") ? 1 : 0;
    const tg__tiles *tiles = parts ? tg__tiles_of_cpu() : NULL;
    return tiles ? (tg__matmul_mode){tiles, parts, LEAST} : plain;
}

static tg__matmul_mode chosen;
static _Atomic(const tg__matmul_mode *) known; /* once it is chosen */

static void choose(void) {
    chosen = tg__matmul_mode_named(getenv("TG_MATMUL"));
    atomic_store_explicit(&known, &chosen, memory_order_release);
}

const tg__matmul_mode *tg__matmul_mode_get(void) { /* at each product, of any size */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!atomic_load_explicit(&known, memory_order_acquire)) pthread_once(&once, choose);
    return &chosen;
}
