/* Tests of pictures: what they show, that they are stable and apart, what is folded and cut. */
#define _POSIX_C_SOURCE 200809L
#include "tests/graph_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/alloc.h"

/* ------------------------------------------------------------------ what is shown */

TEST(graph, a_network_and_its_parts) {
    net n = net_mlp(false);
    char *s = graph_text(&n, &(tg_graph_options){.title = "A title"});
    if (!s) return;
    CHECK_STR(s, "digraph");
    CHECK_STR(s, "subgraph \"cluster forward l1\" {\nlabel=\"l1\"");
    CHECK_STR(s, "\"l2/matmul#1\" [label=<matmul<br/>");
    CHECK_STR(s, "(64, 128) f32");
    CHECK_STR(s, "\"parameter/l1.weight#1\" [label=<weight<br/>");
    CHECK_STR(s, "\"parameter/l3.bias#1\" -> \"l3/add#1\"");
    CHECK_STR(s, "\"relu#1\" -> \"l2/matmul#1\"");
    CHECK_STR(s, "<i>x</i> / 64");          /* a number stands in its reader */
    CHECK_STR(s, "tests/graph_support.c:"); /* where it was recorded */
    CHECK_STR(s, "label=\"A title\\n\"");
    CHECK(!strstr(s, "\"number"), "numbers are no nodes");
    CHECK_EQ_I(graph_count(s, "class=\"parameter\""), 6);
    CHECK_EQ_I(graph_count(s, "class=\"input\""), 2);
    free(s);
    net_free(&n);
}

TEST(graph, a_parameter_is_one_node) {
    net n = net_rnn(20);
    char *s = graph_text(&n, NULL);
    if (!s) return;
    CHECK_EQ_I(graph_count(s, "class=\"parameter\""), 2);
    CHECK_EQ_I(graph_count(s, "class=\"reference\""), 40);
    CHECK_STR(s, "label=\"step19\"");
    free(s);
    net_free(&n);
}

TEST(graph, outputs_show_only_what_they_need) {
    net n = net_mlp(false);
    tg_push_scope(n.t, "other");
    tg_exp(n.y);
    char *all = graph_text(&n, NULL), *s = graph_text(&n, &(tg_graph_options){.outputs = &n.y, .n_outputs = 1});
    if (!all || !s) return;
    CHECK_STR(all, "other/exp#1");
    CHECK(!strstr(s, "exp"), "what the output does not need is not shown");
    CHECK_STR(s, "l1/matmul#1");
    free(all), free(s);
    net_free(&n);
}

TEST(graph, assignments_are_shown) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    tg_tensor w = tg_param(n.m, "w", TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    tg_tensor lr = tg_buffer(n.m, "lr", TG_SCALAR, TG_F32);
    tg_assign(w, tg_exp(tg_on(n.t, w)));
    tg_assign(lr, tg_scalar(n.t, 0.25, TG_F32));
    char *s = graph_text(&n, NULL);
    if (!s) return;
    CHECK_STR(s, "\"exp#1\" -> \"assign/w#1\"");
    CHECK_STR(s, "assign lr = 0.25");
    free(s);
    s = graph_text(&n, &(tg_graph_options){.outputs = &w, .n_outputs = 1});
    if (!s) return;
    CHECK(!strstr(s, "assign"), "outputs need no assignment");
    free(s);
    net_free(&n);
}

/* ------------------------------------------------------------------ names */

/* The names of the nodes, in order, each with a newline behind. */
static char *names_of(const char *dot) {
    char *names = calloc(1, strlen(dot) + 2);
    for (const char *line = dot; *line; line = strchr(line, '\n') + 1) {
        const char *end = *line == '"' ? strstr(line, "\" [label=") : NULL;
        if (!end || end > strchr(line, '\n') || !names) continue;
        strncat(names, line + 1, (size_t)(end - line - 1));
        strcat(names, "\n");
    }
    return names;
}

/* Written down once: another process, another day, another machine gives the same names. */
TEST(graph, names_are_stable) {
    net n = net_mlp(false);
    char *s = graph_text(&n, NULL), *names = s ? names_of(s) : NULL;
    if (!names) return;
    static const char *const expected = "input#1\ninput#2\nrelu#1\nrelu#2\ncross_entropy_each#1\nsum#1\ndiv#1\n"
                                        "parameter/l1.weight#1\nl1/matmul#1\nparameter/l1.bias#1\nl1/add#1\n"
                                        "parameter/l2.weight#1\nl2/matmul#1\nparameter/l2.bias#1\nl2/add#1\n"
                                        "parameter/l3.weight#1\nl3/matmul#1\nparameter/l3.bias#1\nl3/add#1\n";
    CHECK(!strcmp(names, expected), "the names are\n%s", names);
    free(names);
    free(s);
    net_free(&n);
}

TEST(graph, the_same_recording_gives_the_same_bytes) {
    for (int mode = 0; mode < 4; mode++) {
        tg_graph_options o = {.gradient = mode & 1, .plan = mode & 2};
        net a = net_mlp(true);
        void *elsewhere = malloc(100000); /* so that addresses differ */
        net b = net_mlp(true);
        char *s = graph_text(&a, &o), *again = graph_text(&a, &o), *other = graph_text(&b, &o);
        if (!s || !again || !other) return;
        CHECK(!strcmp(s, again), "drawn twice, mode %d", mode);
        CHECK(!strcmp(s, other), "recorded twice, mode %d", mode);
        CHECK(!strstr(s, "0x"), "an address, mode %d", mode);
        free(s), free(again), free(other), free(elsewhere);
        net_free(&a), net_free(&b);
    }
}

TEST(graph, any_text_is_escaped) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    static const char name[] = "q\" b\\ n\n <i>&amp; \xC3\xA9 \xFF";
    tg_tensor w = tg_param(n.m, name, TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    tg_push_scope(n.t, name);
    tg_exp(tg_on(n.t, w));
    char *s = graph_text(&n, &(tg_graph_options){.title = name});
    if (!s) return;
    CHECK_STR(s, "label=<q&quot; b\\ n\xE2\x90\x8A &lt;i&gt;&amp;amp; \xC3\xA9 \xEF\xBF\xBD<br/>");
    CHECK_STR(s, "label=\"q\\\" b\\\\ n\xE2\x90\x8A <i>&amp;amp; \xC3\xA9 \xEF\xBF\xBD\"");
    for (const char *line = s; *line; line = strchr(line, '\n') + 1)
        CHECK(strchr(line, '\n') != NULL && *line != ' ', "a name broke a line: %.40s", line);
    free(s);
    net_free(&n);
}

/* ------------------------------------------------------------------ forward and gradient */

TEST(graph, no_line_joins_forward_and_gradient) {
    net n = net_mlp(true);
    char *forward = graph_text(&n, NULL), *both = graph_text(&n, &(tg_graph_options){.gradient = true});
    if (!forward || !both) return;
    char *inside = names_of(forward);
    CHECK(!strstr(forward, "gradient") && !strstr(forward, "assign"), "the forward graph alone");
    CHECK_STR(both, "subgraph \"cluster gradient\"");
    CHECK_STR(both, "assign l1.weight");
    CHECK_STR(both, "class=\"reference\"");
    int lines = 0;
    for (char *line = both; *line; line = strchr(line, '\n') + 1) {
        char *arrow = *line == '"' ? strstr(line, "\" -> \"") : NULL, *end = arrow ? strstr(arrow + 6, "\" [") : NULL;
        if (!end || end > strchr(line, '\n')) continue;
        char from[300], to[300];
        snprintf(from, sizeof from, "\n%.*s\n", (int)(arrow - line - 1), line + 1);
        snprintf(to, sizeof to, "\n%.*s\n", (int)(end - arrow - 6), arrow + 6);
        bool from_forward = strstr(inside, from) || !strncmp(inside, from + 1, strlen(from + 1));
        bool to_forward = strstr(inside, to) || !strncmp(inside, to + 1, strlen(to + 1));
        CHECK(from_forward == to_forward, "joined: %.*s", (int)(end - line), line);
        lines++;
    }
    CHECK(lines > 100, "only %d lines were looked at", lines);
    free(forward), free(both), free(inside);
    net_free(&n);
}

TEST(graph, a_forward_op_on_a_gradient_has_a_reference) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    tg_tensor w = tg_on(n.t, tg_param(n.m, "w", TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_ZEROS})), g;
    tg_grad(tg_sum(tg_square(w), TG_ALL_AXES, false), &w, 1, &g);
    tg_push_scope(n.t, "penalty");
    tg_square(g);
    char *s = graph_text(&n, NULL);
    if (!s) return;
    CHECK_STR(s, "penalty/square#1");
    CHECK_STR(s, ">gradient</font>");
    CHECK_EQ_I(graph_count(s, "class=\"reference\""), 1);
    free(s);
    net_free(&n);
}

TEST(graph, sums_of_cotangents_belong_to_the_gradient) {
    net n = net_rnn(3);
    tg_tensor xs[2] = {tg_model_at(n.m, 0), tg_model_at(n.m, 1)}, gs[2];
    char *before = graph_text(&n, NULL);
    tg_grad(n.y, xs, 2, gs);
    char *after = graph_text(&n, NULL);
    if (!before || !after) return;
    CHECK(!strcmp(before, after), "the gradient changed the forward graph:\n%s", after);
    free(before), free(after);
    net_free(&n);
}

/* ------------------------------------------------------------------ the plan */

TEST(graph, the_plan_is_shown) {
    net n = net_mlp(false);
    char *without = graph_text(&n, NULL),
         *s = graph_text(&n, &(tg_graph_options){.plan = true, .outputs = &n.y, .n_outputs = 1});
    if (!without || !s) return;
    CHECK(!strstr(without, "block") && !strstr(without, "memory"), "a plan that nobody asked for");
    CHECK_STR(s, "block 0");
    CHECK_STR(s, "memory 0");
    CHECK_STR(s, "fused block");
    CHECK(!isnan(tg_item(n.y)), "it can still run: %s", tg_message(n.t));
    free(without), free(s);
    net_free(&n);
}

/* ------------------------------------------------------------------ folding and cutting */

TEST(graph, repeated_scopes_are_folded) {
    net n = net_rnn(500);
    char *s = graph_text(&n, NULL), *all = graph_text(&n, &(tg_graph_options){.max_nodes = -1});
    if (!s || !all) return;
    CHECK_STR(s, "label=\"step0 \xE2\x80\xA6 step499  \xC3\x97\x35\x30\x30\"");
    CHECK_STR(s, "\"rnn.step0/tanh#1\" -> \"rnn.step0/matmul#2\"");
    CHECK_STR(s, "style=dashed constraint=false");
    CHECK_STR(s, "\"rnn.step0/tanh#1\" -> \"sum#1\"");
    CHECK(!strstr(s, "left out"), "nothing had to be cut");
    CHECK(graph_count(s, "label=<") < 20, "%d nodes", graph_count(s, "label=<"));
    CHECK_EQ_I(graph_count(all, "class=\"op\""), 500 * 4 + 1);
    CHECK(!strstr(all, "\xC3\x97"), "no limit, nothing folded");
    free(s), free(all);
    net_free(&n);
}

static net layers(int n_layers, int different) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    static const float zeros[16];
    n.y = tg_input(n.t, tg_f32(zeros, TG_SHAPE(4, 4)));
    for (int i = 0; i < n_layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "enc.%d", i);
        tg_push_scope(n.t, name);
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "enc.%d.part%d", i, k);
            tg_linear l = tg_linear_new(n.m, name, 4, 4);
            snprintf(name, sizeof name, "part%d", k);
            tg_push_scope(n.t, name);
            n.y = i == different && k == 1 ? tg_tanh(n.y) : tg_relu(n.y);
            n.y = tg_add(tg_matmul(n.y, l.weight), l.bias);
            tg_pop_scope(n.t);
        }
        tg_pop_scope(n.t);
    }
    return n;
}

TEST(graph, only_equal_scopes_are_folded) {
    net n = layers(40, 7);
    char *s = graph_text(&n, &(tg_graph_options){.max_nodes = 50});
    if (!s) return;
    CHECK_STR(s, "label=\"0 \xE2\x80\xA6 39  \xC3\x97\x33\x39\""); /* all but one */
    CHECK_STR(s, "label=\"7\"");
    CHECK_STR(s, "part0 \xE2\x80\xA6 part2  \xC3\x97\x33"); /* in what stands for the others */
    CHECK_STR(s, "part0 \xE2\x80\xA6 part2  \xC3\x97\x32"); /* in the one that differs */
    CHECK(!strstr(s, "left out"), "nothing had to be cut");
    free(s);
    net_free(&n);
}

TEST(graph, what_is_still_too_much_is_cut_visibly) {
    net n = net_random(5, 1000, 0);
    for (int limit = 1; limit < 400; limit += 133) {
        char *s = graph_text(&n, &(tg_graph_options){.max_nodes = limit});
        if (!s) return;
        int shown = graph_count(s, "class=\"") - graph_count(s, "class=\"reference\"");
        CHECK(shown <= limit, "%d nodes, the limit is %d", shown, limit);
        CHECK_STR(s, "more nodes are left out");
        free(s);
    }
    net_free(&n);
}

TEST(graph, an_empty_tape) {
    net n = {.t = tg_tape_new()};
    char *s = graph_text(&n, &(tg_graph_options){.gradient = true, .plan = true});
    if (s) CHECK_STR(s, "nothing to draw");
    free(s);
    net_free(&n);
}

TEST(graph, a_kept_value_over_a_rewind) {
    net n = {.t = tg_tape_new()};
    const float two[] = {2, 2};
    tg_tensor x = tg_input(n.t, tg_f32(two, TG_SHAPE(2)));
    tg_mark m = tg_tape_mark(n.t);
    tg_tensor h = x;
    for (int i = 0; i < 5; i++) h = tg_exp(h);
    tg_keep(h);
    tg_rewind(n.t, m);
    n.y = tg_mul(h, x);
    char *s = graph_text(&n, NULL), *same = graph_text(&n, &(tg_graph_options){.outputs = &n.y, .n_outputs = 1});
    if (!s || !same) return;
    CHECK_STR(same, "\"value#1\" -> \"mul#1\"");
    CHECK_STR(same, "\"input#1\" -> \"mul#1\"");
    CHECK(!strstr(same, "exp"), "what was rewound is gone");
    free(s), free(same);
    net_free(&n);
}

/* ------------------------------------------------------------------ errors */

TEST(graph, errors) {
    net n = net_mlp(false), other = net_mlp(false);
    FILE *f = tmpfile();
    CHECK_EQ_I(tg_graph_write(NULL, f, NULL), TG_EARG);
    CHECK_EQ_I(tg_graph_write(n.t, NULL, NULL), TG_EARG);
    CHECK_STR(tg_message(n.t), "graph_write: the file is NULL");
    CHECK_EQ_I(tg_graph_write(n.t, f, NULL), TG_EARG); /* the tape has an error */
    CHECK_EQ_I(ftell(f), 0);
    tg_clear(n.t);
    CHECK_EQ_I(tg_graph_write(n.t, f, &(tg_graph_options){.outputs = &other.y, .n_outputs = 1}), TG_EMIXED);
    tg_clear(n.t);
    CHECK_EQ_I(tg_graph_write(n.t, f, &(tg_graph_options){.outputs = &n.y}), TG_EARG);
    tg_clear(n.t);
    fclose(f);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        CHECK_EQ_I(tg_graph_write(n.t, full, NULL), TG_EIO);
        fclose(full);
    }
    net_free(&n), net_free(&other);
}

TEST(graph, memory_may_run_out_anywhere) {
    net n = net_mlp(true);
    tg_graph_options o = {.gradient = true, .max_nodes = 20, .title = "t"};
    FILE *f = fopen("/dev/null", "w");
    tg_status s = TG_ENOMEM;
    uint64_t before = 0;
    int failures = 0;
    for (uint64_t at = 1; s && at < 100000; at += 1 + at / 20) {
        before = tg__alloc_live();
        tg__alloc_fail_at(at, false);
        s = tg_graph_write(n.t, f, &o);
        tg__alloc_fail_at(0, false);
        CHECK(!s || s == TG_ENOMEM, "allocation %d: %s", (int)at, tg_message(n.t));
        if (at > 3) CHECK(tg__alloc_live() <= before + 2, "allocation %d leaks", (int)at);
        failures += s != TG_OK;
        tg_clear(n.t);
    }
    CHECK(failures > 20 && !s, "%d failures, and in the end %s", failures, tg_status_name(s));
    fclose(f);
    net_free(&n);
}
