/* The graph as data: nodes, inputs, texts that are kept once, stable names. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "graph.h"
#include "json.h"

const char *const tg__graph_kinds[TG__GRAPH_KIND_COUNT] = {
#define TG__ROW(name, text) text,
    TG__GRAPH_KIND_MAP(TG__ROW)
#undef TG__ROW
};

void tg__graph_free(tg__graph *g) {
    tg__free(g->nodes);
    tg__free(g->in);
    tg__free(g->texts);
    tg__free(g->table);
    tg__arena_free(&g->memory);
    tg__text_free(&g->scratch);
    *g = (tg__graph){0};
}

/* ------------------------------------------------------------------ texts */

/* Control characters are shown by their pictures (U+2400 on), what no XML file may hold by U+FFFD. */
static void add_readable(tg__text *out, const char *raw) {
    const uint8_t *p = (const uint8_t *)raw, *end = p + strlen(raw);
    while (p < end) {
        size_t n = tg__utf8_length(p, end);
        bool c1 = n == 2 && p[0] == 0xC2 && p[1] < 0xA0, no_character = n == 3 && p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE;
        if (n == 1 && (*p < 0x20 || *p == 0x7F)) {
            const char picture[3] = {(char)0xE2, (char)0x90, (char)(0x80 | (*p == 0x7F ? 0x21 : *p))};
            tg__text_bytes(out, picture, 3);
        } else if (n == 0 || c1 || no_character) {
            tg__text_bytes(out, "\xEF\xBF\xBD", 3);
        } else {
            tg__text_bytes(out, (const char *)p, n);
        }
        p += n ? n : 1;
    }
    tg__text_bytes(out, "", 1);
}

typedef struct record {
    uint32_t number;
    char text[];
} record;

uint32_t tg__graph_text_number(const char *text) {
    uint32_t number;
    memcpy(&number, text - offsetof(record, text), sizeof number);
    return number;
}

static void insert(uint32_t *table, uint32_t size, const char *text, uint32_t number) {
    uint32_t at = (uint32_t)XXH3_64bits(text, strlen(text)) & (size - 1);
    while (table[at] != TG__NONE) at = (at + 1) & (size - 1);
    table[at] = number;
}

static bool grow_table(tg__graph *g) {
    uint32_t size = g->table_size ? g->table_size * 2 : 256;
    uint32_t *table = tg__alloc(size * sizeof *table);
    if (!table) return false;
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t i = 0; i < g->n_texts; i++) insert(table, size, g->texts[i], i);
    tg__free(g->table);
    g->table = table;
    g->table_size = size;
    return true;
}

static const char *find(const tg__graph *g, const char *text, size_t n) {
    if (!g->table_size) return NULL;
    uint32_t mask = g->table_size - 1, at = (uint32_t)XXH3_64bits(text, n) & mask;
    for (; g->table[at] != TG__NONE; at = (at + 1) & mask)
        if (strcmp(g->texts[g->table[at]], text) == 0) return g->texts[g->table[at]];
    return NULL;
}

const char *tg__graph_text(tg__graph *g, const char *raw) {
    g->scratch.n = 0;
    add_readable(&g->scratch, raw ? raw : "");
    if (g->scratch.failed) return NULL;
    const char *text = g->scratch.at, *known = find(g, text, g->scratch.n - 1);
    if (known) return known;
    if ((g->n_texts + 1) * 2 > g->table_size && !grow_table(g)) return NULL;
    if (!tg__grow(&g->texts, &g->texts_cap, (uint64_t)g->n_texts + 1, sizeof *g->texts)) return NULL;
    record *r = tg__arena_take(&g->memory, sizeof *r + g->scratch.n);
    if (!r) return NULL;
    r->number = g->n_texts;
    memcpy(r->text, text, g->scratch.n);
    insert(g->table, g->table_size, text, g->n_texts);
    return g->texts[g->n_texts++] = r->text;
}

/* ------------------------------------------------------------------ nodes */

tg__graph_node *tg__graph_add(tg__graph *g) {
    const char *none = tg__graph_text(g, "");
    if (!none || !tg__grow(&g->nodes, &g->nodes_cap, (uint64_t)g->n + 1, sizeof *g->nodes)) return NULL;
    tg__graph_node *n = &g->nodes[g->n++];
    *n = (tg__graph_node){none, none, none, none, none, none, .block = TG__NONE, .offset = -1, .first_in = g->n_in};
    return n;
}

bool tg__graph_add_input(tg__graph *g, uint32_t input) {
    if (!tg__grow(&g->in, &g->in_cap, (uint64_t)g->n_in + 1, sizeof *g->in)) return false;
    g->in[g->n_in++] = input;
    g->nodes[g->n - 1].n_in++;
    return true;
}

/* ------------------------------------------------------------------ names */

static const char *base_name(tg__graph *bases, const tg__graph_node *n) {
    bool variable = n->kind == TG__GRAPH_PARAMETER || n->kind == TG__GRAPH_STATE || n->kind == TG__GRAPH_ASSIGN;
    const char *first = variable ? tg__graph_kinds[n->kind] : n->scope, *second = variable ? n->text : n->op;
    tg__text text = {0};
    tg__text_add(&text, first);
    if (*first) tg__text_add(&text, "/");
    tg__text_add(&text, second);
    tg__text_bytes(&text, "", 1);
    const char *base = text.failed ? NULL : tg__graph_text(bases, text.at);
    tg__text_free(&text);
    return base;
}

static const char *numbered(tg__arena *memory, const char *base, uint32_t count) {
    size_t size = strlen(base) + 12;
    char *name = tg__arena_take(memory, size);
    if (name) snprintf(name, size, "%s#%u", base, count);
    return name;
}

bool tg__graph_name(const tg__graph *g, tg__arena *memory, const char **names) {
    tg__graph bases = {0}; /* for its texts */
    uint32_t *counts = tg__calloc(g->n ? g->n : 1, sizeof *counts);
    bool ok = counts != NULL;
    for (uint32_t i = 0; i < g->n && ok; i++) {
        const char *base = base_name(&bases, &g->nodes[i]);
        ok = base && (names[i] = numbered(memory, base, ++counts[tg__graph_text_number(base)]));
    }
    tg__free(counts);
    tg__graph_free(&bases);
    return ok;
}
