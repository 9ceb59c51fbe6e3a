/* The saved graph: JSON (RFC 8259) with a line for each node, so that two of them can be compared. Fields that say nothing are
 * left out; numbers are whole and not negative.
 *
 *     {"format": "tapegrad graph", "version": 1, "nodes": [
 *     {"kind": "input", "op": "input", "dtype": "f32", "shape": [64, 784], "site": "net.c:12"},
 *     {"kind": "op", "op": "relu", "dtype": "f32", "shape": [64, 784], "scope": "l1", "site": "net.c:14", "in": [0]}]} */
#include "graph.h"

static void add_string(tg__text *f, const char *field, const char *text) {
    if (!*text) return;
    if (field) tg__text_format(f, ", \"%s\": ", field);
    tg__text_add(f, "\"");
    for (const char *end; *text; text = end) {
        end = text + strcspn(text, "\"\\");
        tg__text_bytes(f, text, (size_t)(end - text));
        if (!*end) break;
        tg__text_add(f, "\\");
        tg__text_bytes(f, end++, 1);
    }
    tg__text_add(f, "\"");
}

static void add_flag(tg__text *f, const char *field, bool on) {
    if (on) tg__text_format(f, ", \"%s\": 1", field);
}

static void add_count(tg__text *f, const char *field, int64_t value) {
    tg__text_format(f, ", \"%s\": %lld", field, (long long)value);
}

static void add_plan(tg__text *f, const tg__graph_node *n) {
    add_flag(f, "planned", n->planned);
    add_flag(f, "dropped", n->dropped);
    if (n->block != TG__NONE) add_count(f, "block", n->block);
    if (n->offset < 0) return;
    add_count(f, "offset", n->offset);
    add_count(f, "bytes", n->bytes);
}

static void add_node(tg__text *f, const tg__graph *g, const tg__graph_node *n) {
    tg__text_format(f, "{\"kind\": \"%s\"", tg__graph_kinds[n->kind]);
    add_string(f, "op", n->op);
    add_string(f, "label", n->label);
    add_string(f, "dtype", tg_dtype_name(n->dtype));
    tg__text_add(f, ", \"shape\": [");
    for (int i = 0; i < n->shape.rank; i++) tg__text_format(f, "%s%lld", i ? ", " : "", (long long)n->shape.dims[i]);
    tg__text_add(f, "]");
    add_string(f, "text", n->text);
    add_string(f, "detail", n->detail);
    add_string(f, "scope", n->scope);
    add_string(f, "site", n->site);
    add_flag(f, "gradient", n->gradient);
    add_flag(f, "wanted", n->wanted);
    add_plan(f, n);
    for (uint32_t i = 0; i < n->n_in; i++) tg__text_format(f, "%s%u", i ? ", " : ", \"in\": [", tg__graph_inputs(g, n)[i]);
    tg__text_add(f, n->n_in ? "]}" : "}");
}

void tg__graph_to_file(const tg__graph *g, tg__text *file) {
    tg__text_add(file, "{\"format\": \"tapegrad graph\", \"version\": 1, \"nodes\": [");
    for (uint32_t i = 0; i < g->n; i++) {
        tg__text_add(file, i ? ",\n" : "\n");
        add_node(file, g, &g->nodes[i]);
    }
    tg__text_add(file, "]}\n");
}
