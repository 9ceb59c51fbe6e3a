/* Tests of saved graphs: what is saved is drawn as the tape would be, and no file does harm. */
#define _POSIX_C_SOURCE 200809L
#include "tests/graph_support.h"

#include <stdlib.h>
#include <string.h>

#include "io/graph.h"

/* The picture of a saved graph, NULL where it cannot be drawn; free it with free(). */
static char *drawn(const char *path, const tg_graph_options *o, tg_status *s, char message[600]) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    *s = tg_graph_draw(path, f, o, message, 600);
    fclose(f);
    if (!*s) return text;
    CHECK_EQ_I(size, 0);
    free(text);
    return NULL;
}

static void check_round_trip(net *n, const tg_graph_options *o, const char *what) {
    char message[600];
    const char *path = graph_path("saved.json");
    tg_status s;
    CHECK(!tg_tape_save(n->t, path, o), "%s: %s", what, tg_message(n->t));
    char *direct = graph_text(n, o), *loaded = drawn(path, o, &s, message);
    CHECK(direct && loaded && !strcmp(direct, loaded), "%s: drawn from a file it is another picture (%s)", what, message);
    free(direct), free(loaded);
}

TEST(graph_files, a_saved_graph_gives_the_same_picture) {
    for (int mode = 0; mode < 8; mode++) {
        net n = net_mlp(true);
        tg_graph_options o = {.gradient = mode & 1, .plan = mode & 2, .title = "t"};
        if (mode & 4) o.outputs = &n.y, o.n_outputs = 1;
        check_round_trip(&n, &o, "a network");
        net_free(&n);
    }
    for (uint64_t seed = 0; seed < 40; seed++) {
        net n = net_random(seed, 150, 99);
        check_round_trip(&n, &(tg_graph_options){.max_nodes = 40}, "a random graph");
        net_free(&n);
    }
    graph_folder_end();
}

TEST(graph_files, errors_of_saving) {
    net n = net_mlp(false);
    CHECK_EQ_I(tg_tape_save(NULL, "x", NULL), TG_EARG);
    CHECK_EQ_I(tg_tape_save(n.t, NULL, NULL), TG_EARG);
    tg_clear(n.t);
    CHECK_EQ_I(tg_tape_save(n.t, graph_path("no/such/folder.json"), NULL), TG_EIO);
    CHECK_STR(tg_message(n.t), "tape_save: ");
    CHECK_EQ_I(tg_tape_save(n.t, graph_path("a.json"), NULL), TG_EIO); /* the tape has an error */
    CHECK(!graph_read(graph_path("a.json"), NULL), "a file that should not be");
    tg_clear(n.t);
    net_free(&n);
    graph_folder_end();
}

TEST(graph_files, errors_of_drawing) {
    char message[600] = "";
    CHECK_EQ_I(tg_graph_draw(graph_path("none.json"), stdout, NULL, message, sizeof message), TG_EIO);
    CHECK_STR(message, "none.json");
    CHECK_EQ_I(tg_graph_draw(NULL, stdout, NULL, message, sizeof message), TG_EARG);
    CHECK_EQ_I(tg_graph_draw("x", NULL, NULL, NULL, 0), TG_EARG);
    net n = net_mlp(false);
    const char *path = graph_path("a.json");
    CHECK_EQ_I(tg_tape_save(n.t, path, NULL), TG_OK);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        CHECK_EQ_I(tg_graph_draw(path, full, NULL, message, sizeof message), TG_EIO);
        CHECK_STR(message, "write");
        fclose(full);
    }
    net_free(&n);
    graph_folder_end();
}

/* ------------------------------------------------------------------ hostile files */

#define HEAD "{\"format\": \"tapegrad graph\", \"version\": 1, \"nodes\": ["
#define X "{\"kind\": \"input\", \"op\": \"input\"}"

static const struct {
    const char *file, *message;
} broken[] = {
    {"", "byte 0: no saved graph: expected '{'"},
    {"[]", "byte 0: no saved graph: expected '{'"},
    {"{}", "byte 1: no saved graph: expected a string"},
    {"{\"format\": \"other\"", "another format"},
    {"{\"format\": \"tapegrad graph\", \"version\": 2", "written by a newer tapegrad"},
    {"{\"format\": \"tapegrad graph\", \"version\": 0", "no such version"},
    {HEAD "]} x", "bytes after the end"},
    {HEAD "{}]}", "expected a string"},
    {HEAD "{\"op\": \"a\"}]}", "without a kind"},
    {HEAD "{\"kind\": \"op\"}]}", "without a kind or an op"},
    {HEAD "{\"kind\": \"op\", \"op\": \"\"}]}", "an op without a name"},
    {HEAD "{\"kind\": \"what\", \"op\": \"a\"}]}", "unknown kind"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"op\": \"b\"}]}", "a field stands twice"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"x\": 1}]}", "an unknown field"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"in\": [0]}]}", "does not come before"},
    {HEAD X ", {\"kind\": \"op\", \"op\": \"a\", \"in\": [1]}]}", "does not come before"},
    {HEAD X ", {\"kind\": \"op\", \"op\": \"a\", \"in\": [18446744073709551615]}]}", "above 2^63"},
    {HEAD X ", {\"kind\": \"input\", \"op\": \"a\", \"in\": [0]}]}", "a leaf with inputs"},
    {HEAD X ", {\"kind\": \"assign\", \"op\": \"assign\"}]}", "not one value"},
    {HEAD X ", {\"kind\": \"assign\", \"op\": \"a\", \"in\": [0]}, {\"kind\": \"op\", \"op\": \"b\", \"in\": [1]}]}",
     "an assignment as an input"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"dtype\": \"f8\"}]}", "unknown dtype"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"shape\": [1,1,1,1,1,1,1,1,1]}]}", "too many dimensions"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"shape\": [-1]}]}", "non-negative"},
    {HEAD "{\"kind\": \"op\", \"op\": \"a\", \"gradient\": 2}]}", "too large"},
    {HEAD "{\"kind\": \"op\", \"op\": \"\xFF\"}]}", "not UTF-8"},
};

TEST(graph_files, broken_files_are_named_errors) {
    char message[600];
    tg_status s;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *path = graph_path("broken.json");
        graph_write_file(path, broken[i].file, strlen(broken[i].file));
        char *text = drawn(path, NULL, &s, message);
        CHECK(!text && s == TG_EFORMAT && strstr(message, broken[i].message), "%s: %s: %s", broken[i].file, tg_status_name(s),
              message);
        free(text);
    }
    graph_folder_end();
}

/* Reads and draws the bytes, which end where their memory ends. */
static tg_status parsed(const char *bytes, size_t n, char message[600]) {
    const tg_graph_options o = {.max_nodes = 30, .gradient = true, .plan = true};
    tg_file_error e = {TG_OK, ""};
    tg__report r = {"memory", &e};
    tg__graph g = {0};
    tg__text dot = {0};
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact) return TG_ENOMEM;
    if (n) memcpy(exact, bytes, n);
    tg_status s = tg__graph_parse(&g, &r, exact, n);
    if (!s && !tg__graph_dot(&g, &o, &dot)) s = TG_ENOMEM;
    tg__text_free(&dot);
    tg__graph_free(&g);
    free(exact);
    snprintf(message, 600, "%s", e.message);
    return s;
}

TEST(graph_files, every_truncation_is_an_error) {
    net n = net_random(1, 12, 99);
    const char *path = graph_path("whole.json");
    CHECK_EQ_I(tg_tape_save(n.t, path, &(tg_graph_options){.plan = true}), TG_OK);
    size_t size;
    char *file = graph_read(path, &size), message[600];
    for (size_t cut = 0; file && cut < size - 2; cut++) {
        tg_status s = parsed(file, cut, message);
        CHECK(s == TG_EFORMAT, "cut at byte %d: %s %s", (int)cut, tg_status_name(s), message);
    }
    free(file);
    net_free(&n);
    graph_folder_end();
}

/* It may still be a graph, but then one that can be drawn. */
TEST(graph_files, mutated_files_do_no_harm) {
    net n = net_random(2, 60, 99);
    const char *path = graph_path("whole.json");
    CHECK_EQ_I(tg_tape_save(n.t, path, &(tg_graph_options){.plan = true}), TG_OK);
    size_t size;
    char *file = graph_read(path, &size), *copy = malloc(size), message[600];
    unsigned random = 1;
    int good = 0, bad = 0;
    for (int i = 0; i < 6000 && file && copy; i++) {
        memcpy(copy, file, size);
        for (int k = 0; k <= i % 3; k++) {
            random = random * 1664525u + 1013904223u; /* Numerical Recipes */
            const char some[] = "0123456789\"\\,:[]{}\x01\xFF ae";
            copy[(random >> 8) % size] = i % 2 ? some[random % (sizeof some - 1)] : (char)(random >> 3);
        }
        tg_status s = parsed(copy, size, message);
        CHECK(!s || s == TG_EFORMAT, "mutation %d: %s", i, message);
        good += !s, bad += s != TG_OK;
    }
    CHECK(good > 50 && bad > 50, "%d of the mutated files could be drawn, %d could not", good, bad);
    free(file), free(copy);
    net_free(&n);
    graph_folder_end();
}

TEST(graph_files, memory_may_run_out_anywhere) {
    net n = net_random(3, 60, 99);
    const char *path = graph_path("whole.json");
    CHECK_EQ_I(tg_tape_save(n.t, path, NULL), TG_OK);
    char message[600];
    tg_status s = TG_ENOMEM;
    int failures = 0;
    for (uint64_t at = 1; s && at < 10000; at++) {
        uint64_t before = tg__alloc_live();
        tg__alloc_fail_at(at, false);
        free(drawn(path, &(tg_graph_options){.max_nodes = 10}, &s, message));
        tg__alloc_fail_at(0, false);
        CHECK(!s || s == TG_ENOMEM, "allocation %d: %s", (int)at, message);
        CHECK_EQ_I(tg__alloc_live(), before);
        failures += s != TG_OK;
    }
    CHECK(failures > 20 && !s, "%d failures, and in the end %s", failures, tg_status_name(s));
    net_free(&n);
    graph_folder_end();
}
