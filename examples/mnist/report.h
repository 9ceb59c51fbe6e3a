/* What a training leaves behind: tables on the terminal, curves and graphs as files in the current folder. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <tapegrad.h>

void print_some_digits(const uint8_t *images); /* five, in characters */
void print_confusion(const uint8_t *labels, const uint8_t *predicted, int64_t n);

/* loss.csv, written line by line; afterwards loss.svg through gnuplot, if it is installed. NULL: the reason was printed. */
FILE *loss_log_open(void);
void loss_log_step(FILE *f, int64_t step, int epoch, double loss, double mean);
bool loss_log_close(FILE *f);

/* The graph of a tensor: name.dot, and name.svg through Graphviz, if it is installed. */
bool draw_graph(tg_tensor y, const char *title, const char *name);

#endif
