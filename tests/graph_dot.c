/* Tests of pictures with Graphviz, and of the program tg-graph. */
#define _POSIX_C_SOURCE 200809L
#include "tests/graph_support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_SECONDS 5

static void check_renders(net *n, const tg_graph_options *o, const char *what) {
    char *s = graph_text(n, o);
    double seconds = s ? graph_render(s, 60) : -1;
    CHECK(seconds >= 0, "%s: dot refuses it, warns, or is not done in a minute", what);
    CHECK(seconds < MOST_SECONDS, "%s: dot takes %.1f s", what, seconds);
    free(s);
}

TEST(graph_dot, every_picture_renders_soon) {
    if (!graph_has_dot()) SKIP("Graphviz is not installed");
    for (int mode = 0; mode < 4; mode++) {
        net n = net_mlp(true);
        check_renders(&n, &(tg_graph_options){.gradient = mode & 1, .plan = mode & 2, .title = "<&\"\\"}, "a network");
        net_free(&n);
    }
    for (int steps = 1; steps <= 400; steps = steps * 20) {
        net n = net_rnn(steps);
        check_renders(&n, NULL, "a recurrent network");
        net_free(&n);
    }
    for (uint64_t seed = 0; seed < 12; seed++) {
        net n = net_random(seed, seed % 4 ? 60 : 2000, 99);
        check_renders(&n, &(tg_graph_options){.plan = true}, "a random graph with any names");
        net_free(&n);
    }
    graph_folder_end();
}

/* ------------------------------------------------------------------ tg-graph */

/* The program beside this one, or NULL. */
static const char *program(void) {
    static char path[600];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
    if (n <= 0) return NULL;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return NULL;
    strcpy(slash, "/tg-graph");
    return access(path, X_OK) ? NULL : path;
}

static char said[4000]; /* what the last run wrote to its standard error */

/* Exit status of tg-graph with these arguments; PATH is searched as `path` says, NULL: as ours. */
static int run(const char *path, const char *arguments) {
    char command[4000];
    const char *log = graph_path("log");
    snprintf(command, sizeof command, "%s%s%s '%s' %s >'%s.out' 2>'%s'", path ? "PATH='" : "", path ? path : "",
             path ? "'" : "", program(), arguments, log, log);
    int status = system(command);
    char *text = graph_read(log, NULL);
    snprintf(said, sizeof said, "%s", text ? text : "");
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool exists(const char *name) { return access(graph_path(name), F_OK) == 0; }

static bool save_mlp(void) {
    net n = net_mlp(true);
    bool good = CHECK(!tg_tape_save(n.t, graph_path("g.json"), &(tg_graph_options){.plan = true}), "%s", tg_message(n.t));
    net_free(&n);
    return good;
}

static const char *arguments(const char *options) {
    static char text[2000];
    snprintf(text, sizeof text, "'%s' %s", graph_path("g.json"), options);
    return text;
}

static const char *with_output(const char *name, const char *options) {
    static char text[2000];
    snprintf(text, sizeof text, "'%s' -o '%s' %s", graph_path("g.json"), graph_path(name), options);
    return text;
}

TEST(graph_dot, the_program_draws) {
    if (!program()) SKIP("tg-graph is not built");
    if (!save_mlp()) return;
    CHECK(run(NULL, arguments("")) == 0 && !*said, "%s", said);
    char *dot = graph_read(graph_path("log.out"), NULL);
    CHECK_STR(dot, "digraph");
    free(dot);
    CHECK(run(NULL, with_output("a.dot", "--gradient --plan --max-nodes 1000 --title 'x y'")) == 0, "%s", said);
    dot = graph_read(graph_path("a.dot"), NULL);
    CHECK_STR(dot, "gradient and updates");
    CHECK_STR(dot, "block 0");
    CHECK_STR(dot, "x y");
    free(dot);
    if (graph_has_dot()) {
        CHECK(run(NULL, with_output("b.svg", "")) == 0 && !*said, "%s", said);
        char *svg = graph_read(graph_path("b.svg"), NULL);
        CHECK(svg && strstr(svg, "<svg") && strstr(svg, "matmul"), "no picture");
        free(svg);
        CHECK(run(NULL, with_output("c.png", "")) == 0 && exists("c.png"), "%s", said);
        CHECK(run(NULL, with_output("d.pdf", "")) == 0 && exists("d.pdf"), "%s", said);
        CHECK(exists("b.dot") && exists("c.dot"), "the DOT is written beside the picture");
    }
    graph_folder_end();
}

TEST(graph_dot, the_program_says_what_is_wrong) {
    if (!program()) SKIP("tg-graph is not built");
    if (!save_mlp()) return;
    CHECK_EQ_I(run(NULL, "-h"), 0);
    CHECK_EQ_I(run(NULL, ""), 2);
    CHECK_EQ_I(run(NULL, arguments("--what")), 2);
    CHECK_STR(said, "--what");
    CHECK_EQ_I(run(NULL, arguments("-o")), 2);
    CHECK_EQ_I(run(NULL, arguments("--max-nodes many")), 2);
    CHECK_EQ_I(run(NULL, with_output("a.gif", "")), 2);
    CHECK_STR(said, ".svg, .png, .pdf or .dot");
    CHECK_EQ_I(run(NULL, "/none/such.json"), 1);
    CHECK_STR(said, "/none/such.json");
    CHECK_EQ_I(run(NULL, with_output("no/folder.dot", "")), 1);
    CHECK_EQ_I(run("/none", with_output("a.svg", "")), 1);
    CHECK_STR(said, "install the package graphviz");
    CHECK(exists("a.dot") && !exists("a.svg"), "the DOT is written without Graphviz, the picture is not");
    graph_folder_end();
}

static bool fake_dot(const char *script) {
    const char *path = graph_path("dot");
    return graph_write_file(path, script, strlen(script)) && !chmod(path, 0700);
}

TEST(graph_dot, the_program_ends_a_dot_that_does_not) {
    if (!program()) SKIP("tg-graph is not built");
    if (!save_mlp() || !fake_dot("#!/bin/sh\necho half >\"$3\"\nexec /bin/sleep 100\n")) return;
    char path[600];
    snprintf(path, sizeof path, "%s", graph_path("dot"));
    *strrchr(path, '/') = 0;
    CHECK_EQ_I(run(path, with_output("a.svg", "--seconds 1")), 1);
    CHECK_STR(said, "19 nodes in 1 seconds");
    CHECK(exists("a.dot") && !exists("a.svg") && !exists("a.unfinished"), "half a picture stays");
    if (!fake_dot("#!/bin/sh\necho half >\"$3\"\nexit 3\n")) return;
    CHECK_EQ_I(run(path, with_output("a.svg", "")), 1);
    CHECK(!exists("a.svg") && !exists("a.unfinished"), "half a picture stays");
    graph_folder_end();
}
