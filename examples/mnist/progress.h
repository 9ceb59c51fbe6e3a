/* How far a training is: a bar on a terminal, else a line every few hundred steps. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool terminal;
    int64_t step, steps, samples;
    int epochs;
    double start, shown, loss; /* loss: a running mean */
} progress;

progress progress_start(int64_t steps, int epochs);
void progress_step(progress *p, int epoch, int64_t samples, double loss);
void progress_end(progress *p); /* also after an error */
double progress_seconds(const progress *p);

double now_seconds(void);

#endif
