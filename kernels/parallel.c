/* kernels/parallel.c: the one place where threads start. */
#include "kernels/gemm.h"
#include "kernels/kernels.h"

#include <stdatomic.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Measured: a region costs about 2 us to open and close, and its second half pays from about 5 us of work on one thread. A unit
 * of `work` (a byte touched, an operation) takes about a tenth of a nanosecond. */
#define GRAIN 50000.0

static _Atomic double grain = GRAIN;

double tg__parallel_grain(double work) {
    double before = grain;
    grain = work > 0 ? work : GRAIN;
    return before;
}

#ifdef _OPENMP
/* One team per process: two threads of the program that open regions at once would oversubscribe the cores. */
static atomic_flag busy = ATOMIC_FLAG_INIT;
#endif

static void run_piece(int64_t begin, int64_t end, void (*fn)(int64_t, int64_t, void *), void *ctx) {
    if (begin >= end) return;
    unsigned mode = tg__denormals_flush();
    fn(begin, end, ctx);
    tg__denormals_restore(mode);
}

static int most_threads(int threads) {
#ifdef _OPENMP
    return threads > 0 ? threads : omp_get_max_threads();
#else
    (void)threads;
    return 1;
#endif
}

int tg__parallel_width(int threads, double work) {
    int most = most_threads(threads);
    double useful = work / atomic_load_explicit(&grain, memory_order_relaxed);
    return useful < 2 ? 1 : useful < most ? (int)useful : most;
}

/* The team is always as large as `threads` says, though some of it may have nothing to do: OpenMP runtimes end and start
 * threads when a team's size changes, which costs far more than the region (measured: tens of microseconds and up). */
void tg_parallel(int threads, int64_t n, double work, void (*fn)(int64_t begin, int64_t end, void *ctx), void *ctx) {
    int64_t width = n < 2 ? 1 : tg__parallel_width(threads, work);
    if (width > n) width = n;
#ifdef _OPENMP
    if (width > 1 && !omp_in_parallel() && !atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
        bool paused = tg__denormals_pause();
#pragma omp parallel num_threads(most_threads(threads))
        {
            int64_t id = omp_get_thread_num(), team = omp_get_num_threads(); /* may be fewer than asked */
            int64_t pieces = width < team ? width : team, each = n / pieces, more = n % pieces;
            int64_t begin = id * each + (id < more ? id : more);
            if (id < pieces) run_piece(begin, begin + each + (id < more), fn, ctx);
        }
        if (paused) tg__denormals_flush();
        atomic_flag_clear_explicit(&busy, memory_order_release);
        return;
    }
#endif
    run_piece(0, n, fn, ctx);
}
