/* kernels/dispatch.c: the kernels of each instruction set, and which set this process uses. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/depthwise.h"
#include "kernels/chain.h"
#include "kernels/direct.h"
#include "kernels/fold.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/norm.h"
#include "kernels/rows.h"
#include "kernels/set.h"
#include "kernels/winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define FOLDS(op, set)                                                                                       \
    [TG_F32] = &tg__fold_##op##_f32_##set, [TG_F64] = &tg__fold_##op##_f64_##set,                            \
    [TG_I32] = &tg__fold_##op##_i32_##set, [TG_I64] = &tg__fold_##op##_i64_##set
#define BYTE_FOLDS(op, set) [TG_U8] = &tg__fold_##op##_u8_##set, [TG_BOOL] = &tg__fold_##op##_u8_##set
#define KERNELS(set, level)                                                                                  \
    [level] = {                                                                                              \
        .isa = level,                                                                                        \
        .chain_f32 = &tg__chain_f32_##set,                                                                   \
        .chain_f64 = &tg__chain_f64_##set,                                                                   \
        .fold = {[TG__SUM] = {FOLDS(sum, set)},                                                              \
                 [TG__PROD] = {FOLDS(prod, set)},                                                            \
                 [TG__MAX] = {FOLDS(max, set), BYTE_FOLDS(max, set)},                                        \
                 [TG__MIN] = {FOLDS(min, set), BYTE_FOLDS(min, set)}},                                       \
        .gemm_f32 = tg__product_f32_##set,                                                                   \
        .gemm_f64 = tg__gemm_f64_##set,                                                                      \
        .softmax_f32 = tg__softmax_f32_##set,                                                                \
        .softmax_f64 = tg__softmax_f64_##set,                                                                \
        .log_softmax_f32 = tg__log_softmax_f32_##set,                                                        \
        .log_softmax_f64 = tg__log_softmax_f64_##set,                                                        \
        .softmax_grad_f32 = tg__softmax_grad_f32_##set,                                                      \
        .softmax_grad_f64 = tg__softmax_grad_f64_##set,                                                      \
        .log_softmax_grad_f32 = tg__log_softmax_grad_f32_##set,                                              \
        .log_softmax_grad_f64 = tg__log_softmax_grad_f64_##set,                                              \
        .row_norm = {tg__row_norm_f32_##set, tg__row_norm_f64_##set},                                        \
        .row_norm_grad = {tg__row_norm_grad_f32_##set, tg__row_norm_grad_f64_##set},                         \
        .channel_norm = {tg__channel_norm_f32_##set, tg__channel_norm_f64_##set},                            \
        .channel_norm_grad = {tg__channel_norm_grad_f32_##set, tg__channel_norm_grad_f64_##set},             \
        .depthwise = {tg__depthwise_f32_##set, tg__depthwise_f64_##set},                                     \
        .depthwise_weights = {tg__depthwise_weights_f32_##set, tg__depthwise_weights_f64_##set},             \
        .direct = {tg__direct_f32_##set, tg__direct_f64_##set},                                              \
        .direct_transpose = {tg__direct_transpose_f32_##set, tg__direct_transpose_f64_##set},                \
        .direct_weights = {tg__direct_weights_f32_##set, tg__direct_weights_f64_##set},                      \
        .winograd = tg__winograd_##set,                                                                      \
        .winograd_weights = tg__winograd_weights_##set,                                                      \
    },

static const tg__kernels kernels[TG_ISA_COUNT] = {TG__SET_MAP(KERNELS)};
static const char *const names[TG_ISA_COUNT] = {"baseline", "avx2", "avx512"};

static bool cpu_has(tg_isa_level level) {
    if (level == TG_ISA_ANY) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (level == TG_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (level == TG_ISA_AVX512)
#ifdef TG__WIDE_BUILD
        return cpu_has(TG_ISA_AVX2);
#else
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
#endif
#endif
    return false;
}

const tg__kernels *tg__kernels_of(tg_isa_level level) {
    return (unsigned)level < TG_ISA_COUNT && cpu_has(level) ? &kernels[level] : NULL;
}

static const tg__kernels *named_by_user(void) {
    const char *name = getenv("TG_ISA");
    for (int level = 0; name && level < TG_ISA_COUNT; level++)
        if (strcmp(name, names[level]) == 0) return tg__kernels_of((tg_isa_level)level);
    return NULL;
}

static const tg__kernels *best(void) {
    for (int level = TG_ISA_COUNT - 1; level > 0; level--)
        if (cpu_has((tg_isa_level)level)) return &kernels[level];
    return &kernels[TG_ISA_ANY];
}

static _Atomic(const tg__kernels *) chosen;

static void choose(void) {
    const tg__kernels *wanted = named_by_user();
    atomic_store_explicit(&chosen, wanted ? wanted : best(), memory_order_release);
}

const tg__kernels *tg__kernels_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const tg__kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);
    if (k) return k;
    pthread_once(&once, choose);
    return atomic_load_explicit(&chosen, memory_order_acquire);
}

static _Atomic int plain_convolutions; /* 0: not known yet, 1: TG_CONV=plain, 2: not */

bool tg__winograd_wanted(void) {
    int known = atomic_load_explicit(&plain_convolutions, memory_order_relaxed);
    if (!known) {
        const char *way = getenv("TG_CONV");
        known = way && strcmp(way, "plain") == 0 ? 1 : 2;
        atomic_store_explicit(&plain_convolutions, known, memory_order_relaxed);
    }
    return known == 2;
}

tg_micro_fn *tg__micro_get(const tg_micro *m, tg_dtype d) {
    if ((unsigned)d >= TG_DTYPE_COUNT) return NULL;
    tg_micro_fn *fn = m->fn[tg__kernels_get()->isa][d];
    return fn ? fn : m->fn[TG_ISA_ANY][d];
}

const char *tg_isa(void) {
    return names[tg__kernels_get()->isa];
}

/* ------------------------------------------------------------------ denormals */

#if defined(__x86_64__)

#define FLUSH 0x8040u /* MXCSR: results that are denormal become zero (bit 15), and operands (bit 6) */
static inline unsigned get_mode(void) { return _mm_getcsr(); }
static inline void set_mode(unsigned mode) { _mm_setcsr(mode); }

#elif defined(__aarch64__)

#define FLUSH (1u << 24) /* FPCR.FZ */
static inline unsigned get_mode(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return (unsigned)mode;
}
static inline void set_mode(unsigned mode) { __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode)); }

#else

#define FLUSH 0u
static inline unsigned get_mode(void) { return 0; }
static inline void set_mode(unsigned mode) { (void)mode; }

#endif

/* Where this thread flushes because of us: the mode that it had. */
static _Thread_local struct {
    bool ours;
    unsigned mode;
} before __attribute__((tls_model("initial-exec")));

unsigned tg__denormals_flush(void) {
    const unsigned old = get_mode();
    if ((old & FLUSH) == FLUSH) return old;
    before.ours = true;
    before.mode = old;
    set_mode(old | FLUSH);
    return old;
}

void tg__denormals_restore(unsigned mode) {
    if ((mode & FLUSH) != FLUSH) before.ours = false;
    if (get_mode() != mode) set_mode(mode);
}

bool tg__denormals_pause(void) {
    if (!before.ours) return false;
    tg__denormals_restore(before.mode);
    return true;
}
