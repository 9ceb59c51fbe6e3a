#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_STEPS = 200, BAR_CELLS = 24 };
static const double redraw_seconds = .1, memory = .98;

double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress progress_start(int64_t steps, int epochs) {
    return (progress){.terminal = isatty(STDOUT_FILENO), .steps = steps, .epochs = epochs, .start = now_seconds()};
}

double progress_seconds(const progress *p) { return now_seconds() - p->start; }

static void print_bar(const progress *p) {
    char bar[BAR_CELLS + 1];
    int full = (int)(p->step * BAR_CELLS / p->steps);
    for (int i = 0; i < BAR_CELLS; i++) bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[BAR_CELLS] = 0;
    printf("[%s] ", bar);
}

static void print_state(const progress *p, int epoch) {
    double seconds = progress_seconds(p);
    if (p->terminal) printf("\r\033[K");
    printf("epoch %d/%d  ", epoch, p->epochs);
    if (p->terminal)
        print_bar(p);
    else
        printf("step %lld/%lld  ", (long long)p->step, (long long)p->steps);
    printf("loss %.4f  %.0f samples/s  %.0f s left", p->loss, (double)p->samples / seconds,
           seconds * (double)(p->steps - p->step) / (double)p->step);
    if (!p->terminal) printf("\n");
    fflush(stdout);
}

void progress_step(progress *p, int epoch, int64_t samples, double loss) {
    p->step++;
    p->loss += (loss - p->loss) * fmax(1 - memory, 1 / (double)p->step); /* at first the plain mean */
    p->samples += samples;
    double now = now_seconds();
    bool due = p->terminal ? now - p->shown >= redraw_seconds : p->step % LINE_STEPS == 0;
    if (!due && p->step != p->steps) return;
    p->shown = now;
    print_state(p, epoch);
}

void progress_end(progress *p) {
    if (p->terminal && p->step) printf("\n");
    fflush(stdout);
}
