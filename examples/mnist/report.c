#define _POSIX_C_SOURCE 200809L
#include "report.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "digits.h"

extern char **environ;

/* ------------------------------------------------------------------ on the terminal */

enum { SHOWN = 5, CELL_COLUMNS = 15, CELL_ROWS = 8, MARGIN = 3, SUBSAMPLES = 3 };

/* The mean grey level under one character. */
static int character_grey(const uint8_t *image, int column, int row) {
    int sum = 0, inner = DIGIT_SIDE - 2 * MARGIN;
    for (int j = 0; j < SUBSAMPLES; j++)
        for (int i = 0; i < SUBSAMPLES; i++) {
            int x = MARGIN + (column * SUBSAMPLES + i) * inner / (CELL_COLUMNS * SUBSAMPLES);
            int y = MARGIN + (row * SUBSAMPLES + j) * inner / (CELL_ROWS * SUBSAMPLES);
            sum += image[y * DIGIT_SIDE + x];
        }
    return sum / (SUBSAMPLES * SUBSAMPLES);
}

void print_some_digits(const uint8_t *images) {
    const char ramp[] = " .:-=+*#%@";
    for (int row = 0; row < CELL_ROWS; row++) {
        for (int k = 0; k < SHOWN; k++)
            for (int column = 0; column < CELL_COLUMNS; column++)
                putchar(ramp[character_grey(images + k * DIGIT_PIXELS, column, row) * 9 / 255]);
        putchar('\n');
    }
}

void print_confusion(const uint8_t *labels, const uint8_t *predicted, int64_t n) {
    int64_t count[CLASSES][CLASSES] = {{0}};
    for (int64_t i = 0; i < n; i++) count[labels[i]][predicted[i]]++;
    printf("\ndigit    taken for\n     ");
    for (int j = 0; j < CLASSES; j++) printf("%6d", j);
    printf("\n");
    for (int i = 0; i < CLASSES; i++) {
        printf("%5d", i);
        for (int j = 0; j < CLASSES; j++) {
            if (count[i][j])
                printf("%6lld", (long long)count[i][j]);
            else
                printf("     .");
        }
        printf("\n");
    }
    printf("\n");
}

/* ------------------------------------------------------------------ programs that draw */

typedef enum outcome { RAN, FAILED, NOT_INSTALLED } outcome;

static outcome run_program(const char *const *arguments) {
    pid_t pid;
    int status, error = posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)arguments, environ);
    if (error) return error == ENOENT ? NOT_INSTALLED : FAILED;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return FAILED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return NOT_INSTALLED;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RAN : FAILED;
}

/* That a picture could not be drawn is no failure of the training: the data to draw it from are there. */
static void draw_with(const char *const *arguments, const char *package, const char *from, const char *picture) {
    switch (run_program(arguments)) {
    case RAN:
        printf("%s: drawn from %s\n", picture, from);
        break;
    case NOT_INSTALLED:
        printf("%s: not drawn, install %s (the data are in %s)\n", picture, package, from);
        break;
    case FAILED:
        printf("%s: not drawn, %s failed (the data are in %s)\n", picture, arguments[0], from);
        break;
    }
    fflush(stdout);
}

static bool close_file(FILE *f, const char *name) {
    bool bad = ferror(f);
    if (!fclose(f) && !bad) return true;
    fprintf(stderr, "cannot write %s: %s\n", name, strerror(errno));
    return false;
}

static FILE *open_file(const char *name) {
    FILE *f = fopen(name, "w");
    if (!f) fprintf(stderr, "cannot write %s: %s\n", name, strerror(errno));
    return f;
}

/* ------------------------------------------------------------------ the loss curve */

FILE *loss_log_open(void) {
    FILE *f = open_file("loss.csv");
    if (f) fprintf(f, "step,epoch,loss,mean\n");
    return f;
}

void loss_log_step(FILE *f, int64_t step, int epoch, double loss, double mean) {
    fprintf(f, "%lld,%d,%.6g,%.6g\n", (long long)step, epoch, loss, mean);
}

bool loss_log_close(FILE *f) {
    if (!close_file(f, "loss.csv")) return false;
    const char *plot[] = {
        "gnuplot", "-e",
        "set terminal svg size 800,450 dynamic background rgb 'white'; set output 'loss.svg'; set datafile separator ',';"
        "set xlabel 'step'; set ylabel 'cross-entropy'; set logscale y; set format y '%g'; set grid; set autoscale xfix;"
        "plot 'loss.csv' skip 1 using 1:3 with lines lc rgb '#c0c8d8' title 'of each batch',"
        "     'loss.csv' skip 1 using 1:4 with lines lw 2 lc rgb '#204a87' title 'running mean'",
        NULL};
    fflush(stdout);
    draw_with(plot, "gnuplot", "loss.csv", "loss.svg");
    return true;
}

/* ------------------------------------------------------------------ the graph */

bool draw_graph(tg_tensor y, const char *title, const char *name) {
    char dot[64], svg[64];
    snprintf(dot, sizeof dot, "%s.dot", name);
    snprintf(svg, sizeof svg, "%s.svg", name);
    FILE *f = open_file(dot);
    if (!f) return false;
    tg_graph_options o = {.title = title, .outputs = &y, .n_outputs = 1};
    tg_status s = tg_graph_write(tg_tape_of(y), f, &o);
    if (s) fprintf(stderr, "%s: %s\n", dot, tg_status_text(s));
    if (!close_file(f, dot) || s) return false;
    draw_with((const char *[]){"dot", "-Tsvg", "-o", svg, dot, NULL}, "graphviz", dot, svg);
    return true;
}
