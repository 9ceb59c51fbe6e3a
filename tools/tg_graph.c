/* tg-graph: draws a saved graph (tg_tape_save): as DOT, and through Graphviz as SVG, PNG or PDF. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tapegrad/graph.h"

static const char usage[] =
    "usage: tg-graph FILE [-o PICTURE] [options]\n"
    "\n"
    "Draws a graph that tg_tape_save saved. PICTURE ends in .svg, .png, .pdf or .dot; its DOT is written beside it in\n"
    "either case, and without -o to the standard output. All but .dot need Graphviz.\n"
    "\n"
    "  -o, --output PICTURE   what to write\n"
    "      --gradient         also the gradient graph and the updates, apart\n"
    "      --plan             colour what runs as one block, number shared memory (if it was saved with the plan)\n"
    "      --max-nodes N      beyond N nodes repeated scopes are folded, then the rest is cut: 300; -1: no limit\n"
    "      --title TEXT       a line above the picture\n"
    "      --seconds N        stop Graphviz after N seconds: 60\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 drawn, 1 not drawn, 2 wrong usage.\n";

typedef struct job {
    const char *graph, *picture;
    tg_graph_options options;
    long seconds;
} job;

static int fail(const char *what, const char *why) {
    fprintf(stderr, "tg-graph: %s: %s\n", what, why);
    return 1;
}

/* ------------------------------------------------------------------ the command line */

static int wrong(const char *what, const char *why) {
    fprintf(stderr, "tg-graph: %s%s; tg-graph -h says more\n", what, why);
    return 2;
}

static bool whole_number(const char *text, long least, long most, long *value) {
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    return end != text && !*end && !errno && *value >= least && *value <= most;
}

/* An option's value: behind '=' or the next argument. NULL: another option. */
static const char *value_of(const char *name, char **argv, int *i) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n)) return NULL;
    if (argv[*i][n] == '=' && n > 2) return argv[*i] + n + 1;
    if (argv[*i][n]) return NULL;
    return argv[*i + 1] ? argv[++*i] : NULL;
}

static int read_option(job *j, char **argv, int *i) {
    const char *option = argv[*i], *value;
    long n;
    if (!strcmp(option, "--gradient")) return j->options.gradient = true, 0;
    if (!strcmp(option, "--plan")) return j->options.plan = true, 0;
    if ((value = value_of("-o", argv, i)) || (value = value_of("--output", argv, i))) return j->picture = value, 0;
    if ((value = value_of("--title", argv, i))) return j->options.title = value, 0;
    if ((value = value_of("--max-nodes", argv, i))) {
        if (!whole_number(value, -1, 1000000000, &n)) return wrong("--max-nodes takes a number from -1 up, not ", value);
        return j->options.max_nodes = (int)n, 0;
    }
    if ((value = value_of("--seconds", argv, i))) {
        if (!whole_number(value, 1, 1000000, &j->seconds)) return wrong("--seconds takes a number from 1 up, not ", value);
        return 0;
    }
    return wrong("an unknown option, or one without its value: ", option);
}

static int read_arguments(job *j, char **argv) {
    bool only_names = false;
    for (int i = 1; argv[i]; i++) {
        bool option = !only_names && argv[i][0] == '-' && argv[i][1];
        if (option && !strcmp(argv[i], "--")) {
            only_names = true;
        } else if (option) {
            if (read_option(j, argv, &i)) return 2;
        } else if (j->graph) {
            return wrong("one file at a time, not also ", argv[i]);
        } else {
            j->graph = argv[i];
        }
    }
    return j->graph ? 0 : wrong("which file?", "");
}

/* ------------------------------------------------------------------ DOT */

static const char *ending_of(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

/* path with its ending replaced; the caller frees it. */
static char *with_ending(const char *path, const char *ending) {
    size_t stem = strlen(path) - strlen(ending_of(path));
    char *result = malloc(stem + strlen(ending) + 1);
    if (!result) return NULL;
    memcpy(result, path, stem);
    strcpy(result + stem, ending);
    return result;
}

static int draw_to(const job *j, FILE *out) {
    char message[600];
    if (!tg_graph_draw(j->graph, out, &j->options, message, sizeof message)) return 0;
    fprintf(stderr, "tg-graph: %s\n", message);
    return 1;
}

static int write_dot(const job *j, const char *path) {
    FILE *out = fopen(path, "w");
    if (!out) return fail(path, strerror(errno));
    int failed = draw_to(j, out);
    if (fclose(out) && !failed) failed = fail(path, strerror(errno));
    if (failed) remove(path);
    return failed;
}

/* ------------------------------------------------------------------ Graphviz */

#define NOT_FOUND 127

static void become_dot(char *const *arguments) {
    execvp(arguments[0], arguments);
    _exit(NOT_FOUND);
}

static double seconds_since(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* Waits for the child, at most so many seconds. Returns its status, or -1 when it had to be stopped. */
static int wait_for(pid_t child, long seconds) {
    struct timespec start, pause = {0, 5000000};
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (seconds_since(&start) > (double)seconds) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return status;
}

/* A line of the DOT that begins with a quoted name and is no edge. */
static bool is_node(const char *line) { return line[0] == '"' && strstr(line, "\" [") && !strstr(line, "\" -> \""); }

static int count_nodes(const char *dot) {
    FILE *f = fopen(dot, "r");
    char *line = NULL;
    size_t size = 0;
    int n = 0;
    while (f && getline(&line, &size, f) > 0) n += is_node(line);
    free(line);
    if (f) fclose(f);
    return n;
}

static int too_slow(const job *j, const char *dot) {
    fprintf(stderr,
            "tg-graph: Graphviz did not lay out %d nodes in %ld seconds; %s is written: try --max-nodes, or --seconds\n",
            count_nodes(dot), j->seconds, dot);
    return 1;
}

static int no_graphviz(const char *dot) {
    fprintf(stderr,
            "tg-graph: `dot` is not there; %s is written. It is part of Graphviz: install the package graphviz\n"
            "(apt-get, dnf, pacman, apk, zypper and brew all call it so), or open the file at a Graphviz viewer\n",
            dot);
    return 1;
}

/* The picture appears whole or not at all. */
static int run_dot(const job *j, const char *dot, const char *unfinished) {
    char format[16];
    snprintf(format, sizeof format, "-T%s", ending_of(j->picture));
    char *arguments[] = {"dot", format, "-o", (char *)unfinished, (char *)dot, NULL};
    pid_t child = fork();
    if (child < 0) return fail("cannot start dot", strerror(errno));
    if (child == 0) become_dot(arguments);
    int status = wait_for(child, j->seconds);
    if (status == -1) return too_slow(j, dot);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND) return no_graphviz(dot);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) return fail(dot, "dot failed on it");
    return rename(unfinished, j->picture) ? fail(j->picture, strerror(errno)) : 0;
}

static int draw_picture(const job *j) {
    char *dot = with_ending(j->picture, "dot"), *unfinished = with_ending(j->picture, "unfinished");
    int failed = 1;
    if (!dot || !unfinished)
        fprintf(stderr, "tg-graph: out of memory\n");
    else
        failed = write_dot(j, dot);
    if (!failed && strcmp(dot, j->picture)) {
        failed = run_dot(j, dot, unfinished);
        if (failed) remove(unfinished);
    }
    free(dot);
    free(unfinished);
    return failed;
}

static bool is_known(const char *ending) {
    static const char *const known[] = {"dot", "svg", "png", "pdf"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(ending, known[i])) return true;
    return false;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) return fputs(usage, stdout) < 0;
    job j = {.seconds = 60};
    int failed = read_arguments(&j, argv);
    if (failed) return failed;
    if (!j.picture) return draw_to(&j, stdout);
    if (!is_known(ending_of(j.picture))) return wrong("the picture must end in .svg, .png, .pdf or .dot: ", j.picture);
    return draw_picture(&j);
}
