#define _POSIX_C_SOURCE 200809L
#include "tests/graph_support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ recordings */

static float zeros[64 * 784];

void net_free(net *n) {
    if (n->t) tg_discard_effects(n->t);
    tg_tape_free(n->t);
    tg_optim_free(n->o);
    tg_model_free(n->m);
    *n = (net){0};
}

net net_mlp(bool update) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    tg_linear l1 = tg_linear_new(n.m, "l1", 784, 256), l2 = tg_linear_new(n.m, "l2", 256, 128),
              l3 = tg_linear_new(n.m, "l3", 128, 10);
    static const int64_t labels[64];
    tg_tensor x = tg_input(n.t, tg_f32(zeros, TG_SHAPE(64, 784))), y = tg_input(n.t, tg_i64(labels, TG_SHAPE(64)));
    tg_tensor h = tg_relu(tg_linear_apply(l1, x));
    h = tg_relu(tg_linear_apply(l2, h));
    n.y = tg_cross_entropy(tg_linear_apply(l3, h), y);
    if (!update) return n;
    n.o = tg_adamw(n.m, (tg_adamw_config){.lr = 1e-3});
    tg_update(n.o, n.y);
    return n;
}

net net_rnn(int steps) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(1)};
    tg_init init = {.kind = TG_INIT_HE_NORMAL};
    tg_tensor wx = tg_param(n.m, "rnn.wx", TG_SHAPE(32, 64), TG_F32, init),
              wh = tg_param(n.m, "rnn.wh", TG_SHAPE(64, 64), TG_F32, init);
    tg_tensor h = tg_input(n.t, tg_f32(zeros, TG_SHAPE(8, 64)));
    tg_push_scope(n.t, "rnn");
    for (int i = 0; i < steps; i++) {
        char name[32];
        snprintf(name, sizeof name, "step%d", i);
        tg_push_scope(n.t, name);
        tg_tensor x = tg_input(n.t, tg_f32(zeros, TG_SHAPE(8, 32)));
        tg_tensor a = tg_matmul(x, wx); /* in this order with every compiler */
        h = tg_tanh(tg_add(a, tg_matmul(h, wh)));
        tg_pop_scope(n.t);
    }
    tg_pop_scope(n.t);
    n.y = tg_sum(h, TG_ALL_AXES, false);
    return n;
}

static uint64_t next_random(uint64_t *s) { /* xorshift64*, Marsaglia 2003 and Vigna 2016 */
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return *s * 2685821657736338717u;
}

static const char *random_name(uint64_t *s, int names) {
    static const char *const all[] = {"a",        "b.c",
                                      "0",        "1",
                                      "2",        "enc",
                                      "\"",       "\\",
                                      "a\\",      "x\ny",
                                      "<b>&amp;", "\xC3\xA9\xE2\x82\xAC",
                                      "\xFF\xC3", "",
                                      ".",        "..",
                                      "\\N",      "]; \" -> ",
                                      "}",        "\xF0\x9F\x98\x80",
                                      "\x01\x7F", "very long very long very long very long"};
    int n = 6 + names < (int)(sizeof all / sizeof *all) ? 6 + names : (int)(sizeof all / sizeof *all);
    return all[next_random(s) % (uint64_t)n];
}

static tg_tensor random_node(net *n, uint64_t *s, tg_tensor a, tg_tensor b) {
    switch (next_random(s) % 9) {
    case 0:
        return tg_input(n->t, tg_f32(zeros, TG_SHAPE(4, 4)));
    case 1:
        return tg_matmul(a, b);
    case 2:
        return tg_mul(a, tg_scalar(n->t, (double)(next_random(s) % 100) / 8, TG_F32));
    case 3:
        return tg_transpose(a);
    case 4:
        return tg_where(tg_gt(a, b), a, b);
    case 5:
        return tg_add(a, tg_model_at(n->m, (int)(next_random(s) % 4)));
    case 6:
        return tg_sub(a, b);
    case 7:
        return tg_softmax(a, -1);
    default:
        return tg_exp(a);
    }
}

net net_random(uint64_t seed, int nodes, int names) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(seed)};
    uint64_t s = seed * 2654435769u + 1;
    for (int i = 0; i < 4; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s.%s.%d", random_name(&s, names), random_name(&s, names), i);
        tg_param(n.m, name, TG_SHAPE(4, 4), TG_F32, (tg_init){.kind = TG_INIT_HE_NORMAL});
    }
    tg_tensor recent[8];
    for (int i = 0; i < 8; i++) recent[i] = tg_input(n.t, tg_f32(zeros, TG_SHAPE(4, 4)));
    int depth = 0;
    for (int i = 0; i < nodes; i++) {
        uint64_t turn = next_random(&s) % 16;
        if (turn < 2 && depth < 4) tg_push_scope(n.t, random_name(&s, names)), depth++;
        if (turn >= 2 && turn < 4 && depth) tg_pop_scope(n.t), depth--;
        recent[i % 8] = random_node(&n, &s, recent[next_random(&s) % 8], recent[next_random(&s) % 8]);
    }
    n.y = tg_sum(recent[0], TG_ALL_AXES, false);
    for (int i = 1; i < 8; i++) n.y = tg_add(n.y, tg_sum(recent[i], TG_ALL_AXES, false));
    return n;
}

/* ------------------------------------------------------------------ text and files */

char *graph_text(net *n, const tg_graph_options *o) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    tg_status s = tg_graph_write(n->t, f, o);
    fclose(f);
    if (CHECK(!s, "%s", tg_message(n->t))) return text;
    free(text);
    return NULL;
}

int graph_count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

static char folder[512];

const char *graph_path(const char *name) {
    static char paths[4][600];
    static int turn;
    const char *base = getenv("TMPDIR");
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/tapegrad-graph-XXXXXX", base && *base ? base : "/tmp");
        CHECK(mkdtemp(folder) != NULL, "cannot make %s", folder);
    }
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void graph_folder_end(void) {
    DIR *d = *folder ? opendir(folder) : NULL;
    if (d)
        for (struct dirent *f; (f = readdir(d));)
            if (strcmp(f->d_name, ".") && strcmp(f->d_name, "..")) remove(graph_path(f->d_name));
    if (d) closedir(d);
    rmdir(folder);
    *folder = 0;
}

char *graph_read(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *bytes = NULL;
    size_t n = 0, got;
    do {
        bytes = realloc(bytes, n + 65537);
        n += got = fread(bytes + n, 1, 65536, f);
    } while (got);
    fclose(f);
    bytes[n] = 0;
    if (size) *size = n;
    return bytes;
}

bool graph_write_file(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(bytes, 1, n, f) == n;
    return f ? !fclose(f) && good : false;
}

/* ------------------------------------------------------------------ Graphviz */

bool graph_has_dot(void) { return system("dot -V >/dev/null 2>&1") == 0; }

double graph_render(const char *dot, int limit) {
    const char *path = graph_path("render.dot");
    char command[1400];
    struct timespec a, b;
    if (!graph_write_file(path, dot, strlen(dot))) return -1;
    snprintf(command, sizeof command, "timeout %d dot -Tsvg -o '%s.svg' '%s' >'%s.log' 2>&1 && ! test -s '%s.log'", limit, path,
             path, path, path);
    clock_gettime(CLOCK_MONOTONIC, &a);
    int status = system(command);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return status ? -1 : (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}
