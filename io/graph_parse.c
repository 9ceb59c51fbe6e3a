/* The strict reader of saved graphs. Whatever the bytes are, it ends with a graph whose every index is in range, or with an
 * error that names the byte. Memory taken: in proportion to the file. */
#include "graph.h"
#include "json.h"

#define VERSION 1
#define MOST_DIMENSION INT64_MAX

typedef struct parser {
    tg__json json;
    const tg__report *report;
    tg__graph *g;
    char *text; /* room for any string of the file */
    tg_status status;
    bool has_op, has_kind;
} parser;

static bool fail(parser *p, const char *why) {
    if (p->status) return false;
    tg__json *j = &p->json;
    const uint8_t *at = j->error ? j->error_at : j->at;
    p->status =
        tg__report_at(p->report, TG_EFORMAT, (uint64_t)(at - j->start), "no saved graph: %s", j->error ? j->error : why);
    return false;
}

static bool no_memory(parser *p) {
    if (!p->status) p->status = tg__report_nomem(p->report, (uint64_t)(p->json.end - p->json.start));
    return false;
}

static bool expect(parser *p, char c) { return tg__json_expect(&p->json, c) || fail(p, ""); }

static bool string(parser *p, const char **text) {
    char *end = p->text;
    *text = tg__json_string(&p->json, &end);
    return *text || fail(p, "");
}

static bool count(parser *p, uint64_t most, uint64_t *value) {
    if (!tg__json_count(&p->json, value)) return fail(p, "");
    return *value <= most || fail(p, "a number is too large");
}

/* ------------------------------------------------------------------ fields of a node */

static tg__graph_node *node(parser *p) { return &p->g->nodes[p->g->n - 1]; }

static bool read_text(parser *p, const char **to) {
    const char *raw;
    if (!string(p, &raw)) return false;
    const char *text = tg__graph_text(p->g, raw);
    if (!text) return no_memory(p);
    *to = text;
    return true;
}

/* The text copies into the graph first: the node may not move meanwhile, as only tg__graph_add moves it. */
static bool read_op(parser *p) {
    if (!read_text(p, &node(p)->op)) return false;
    p->has_op = *node(p)->op != 0;
    return p->has_op || fail(p, "an op without a name");
}
static bool read_label(parser *p) { return read_text(p, &node(p)->label); }
static bool read_name(parser *p) { return read_text(p, &node(p)->text); }
static bool read_detail(parser *p) { return read_text(p, &node(p)->detail); }
static bool read_scope(parser *p) { return read_text(p, &node(p)->scope); }
static bool read_site(parser *p) { return read_text(p, &node(p)->site); }

static bool read_kind(parser *p) {
    const char *name;
    if (!string(p, &name)) return false;
    for (int i = 0; i < TG__GRAPH_KIND_COUNT; i++)
        if (strcmp(name, tg__graph_kinds[i]) == 0) {
            node(p)->kind = (uint8_t)i;
            return p->has_kind = true;
        }
    return fail(p, "an unknown kind of node");
}

static bool read_dtype(parser *p) {
    const char *name;
    if (!string(p, &name)) return false;
    for (int i = 0; i < TG_DTYPE_COUNT; i++)
        if (strcmp(name, tg_dtype_name((tg_dtype)i)) == 0) {
            node(p)->dtype = (uint8_t)i;
            return true;
        }
    return fail(p, "an unknown dtype");
}

static bool read_shape(parser *p) {
    uint64_t dim;
    if (!expect(p, '[')) return false;
    if (tg__json_try(&p->json, ']')) return true;
    do {
        if (!count(p, MOST_DIMENSION, &dim)) return false;
        tg_shape *s = &node(p)->shape;
        if (s->rank == TG_MAX_RANK) return fail(p, "a shape of too many dimensions");
        s->dims[s->rank++] = (int64_t)dim;
    } while (tg__json_try(&p->json, ','));
    return expect(p, ']');
}

static bool read_inputs(parser *p) {
    uint64_t input;
    if (!expect(p, '[')) return false;
    do {
        if (!count(p, UINT32_MAX, &input)) return false;
        if (input >= p->g->n - 1) return fail(p, "an input that does not come before its reader");
        if (!tg__graph_add_input(p->g, (uint32_t)input)) return no_memory(p);
    } while (tg__json_try(&p->json, ','));
    return expect(p, ']');
}

static bool read_flag(parser *p, bool *to) {
    uint64_t value;
    if (!count(p, 1, &value)) return false;
    *to = value;
    return true;
}
static bool read_gradient(parser *p) { return read_flag(p, &node(p)->gradient); }
static bool read_wanted(parser *p) { return read_flag(p, &node(p)->wanted); }
static bool read_planned(parser *p) { return read_flag(p, &node(p)->planned); }
static bool read_dropped(parser *p) { return read_flag(p, &node(p)->dropped); }

static bool read_block(parser *p) {
    uint64_t value;
    if (!count(p, TG__NONE - 1, &value)) return false;
    node(p)->block = (uint32_t)value;
    return true;
}

static bool read_i64(parser *p, int64_t *to) {
    uint64_t value;
    if (!count(p, INT64_MAX, &value)) return false;
    *to = (int64_t)value;
    return true;
}
static bool read_offset(parser *p) { return read_i64(p, &node(p)->offset); }
static bool read_bytes(parser *p) { return read_i64(p, &node(p)->bytes); }

static const struct {
    const char *name;
    bool (*read)(parser *p);
} fields[] = {
    {"kind", read_kind},         {"op", read_op},         {"label", read_label},
    {"dtype", read_dtype},       {"shape", read_shape},   {"text", read_name},
    {"detail", read_detail},     {"scope", read_scope},   {"site", read_site},
    {"gradient", read_gradient}, {"wanted", read_wanted}, {"planned", read_planned},
    {"dropped", read_dropped},   {"block", read_block},   {"offset", read_offset},
    {"bytes", read_bytes},       {"in", read_inputs},
};
#define N_FIELDS (sizeof fields / sizeof *fields)

static bool read_field(parser *p, unsigned *seen) {
    const char *name;
    if (!string(p, &name)) return false;
    for (unsigned i = 0; i < N_FIELDS; i++) {
        if (strcmp(name, fields[i].name)) continue;
        if (*seen & 1u << i) return fail(p, "a field stands twice");
        *seen |= 1u << i;
        return expect(p, ':') && fields[i].read(p);
    }
    return fail(p, "an unknown field");
}

/* ------------------------------------------------------------------ nodes */

static bool fits_kind(parser *p) {
    const tg__graph_node *n = node(p);
    if (!p->has_kind || !p->has_op) return fail(p, "a node without a kind or an op");
    if (tg__graph_is_leaf(n) && n->n_in) return fail(p, "a leaf with inputs");
    if (n->kind == TG__GRAPH_ASSIGN && n->n_in != 1) return fail(p, "an assignment of not one value");
    for (uint32_t i = 0; i < n->n_in; i++)
        if (p->g->nodes[tg__graph_inputs(p->g, n)[i]].kind == TG__GRAPH_ASSIGN) return fail(p, "an assignment as an input");
    return true;
}

static bool read_node(parser *p) {
    unsigned seen = 0;
    if (!expect(p, '{')) return false;
    if (p->g->n == TG__NONE - 1 || !tg__graph_add(p->g)) return no_memory(p);
    p->has_op = p->has_kind = false;
    do {
        if (!read_field(p, &seen)) return false;
    } while (tg__json_try(&p->json, ','));
    return expect(p, '}') && fits_kind(p);
}

static bool read_nodes(parser *p) {
    if (!expect(p, '[')) return false;
    if (tg__json_try(&p->json, ']')) return true;
    do {
        if (!read_node(p)) return false;
    } while (tg__json_try(&p->json, ','));
    return expect(p, ']');
}

/* ------------------------------------------------------------------ the file */

static bool key(parser *p, const char *name) {
    const char *text;
    if (!string(p, &text)) return false;
    return strcmp(text, name) == 0 ? expect(p, ':') : fail(p, "an unknown field, or one in a wrong place");
}

static bool read_head(parser *p) {
    const char *format;
    uint64_t version;
    if (!expect(p, '{') || !key(p, "format") || !string(p, &format)) return false;
    if (strcmp(format, "tapegrad graph")) return fail(p, "another format");
    if (!expect(p, ',') || !key(p, "version") || !count(p, INT64_MAX, &version)) return false;
    if (version != VERSION) return fail(p, version > VERSION ? "written by a newer tapegrad" : "no such version");
    return expect(p, ',') && key(p, "nodes");
}

static bool read_end(parser *p) {
    if (!expect(p, '}')) return false;
    bool more = tg__json_try(&p->json, 0); /* skips white space */
    return (!more && p->json.at == p->json.end) || fail(p, "bytes after the end");
}

tg_status tg__graph_parse(tg__graph *g, const tg__report *r, const uint8_t *bytes, size_t n) {
    parser p = {.json = {bytes, bytes, bytes + n, NULL, NULL}, .report = r, .g = g, .text = tg__alloc(n + 1)};
    if (!p.text) return tg__report_nomem(r, n);
    if (read_head(&p) && read_nodes(&p)) read_end(&p);
    tg__free(p.text);
    return p.status;
}
