/* A recording as a graph: each node that is asked for, in recording order, then the assignments. */
#include "engine/planner.h"
#include "graph.h"

typedef struct source {
    tg__graph *g;
    tg_tape *t;
    const tg_graph_options *o;
    const char *function;
    uint32_t *ids, n_ids, ids_cap; /* what is taken from the tape, in the order of the graph */
    uint32_t *roots, n_roots, roots_cap;
    tg__plan_note *notes; /* by node id; NULL: not asked for */
} source;

static bool push(uint32_t **list, uint32_t *n, uint32_t *cap, uint32_t id) {
    if (!tg__grow(list, cap, (uint64_t)*n + 1, sizeof **list)) return false;
    (*list)[(*n)++] = id;
    return true;
}

/* ------------------------------------------------------------------ which nodes */

static bool is_asked(const tg_graph_options *o) { return o->outputs != NULL; }

static tg_status resolve_outputs(source *s) {
    for (int i = 0; i < s->o->n_outputs; i++) {
        uint32_t id = tg__resolve(s->t, s->o->outputs[i], s->function, NULL, i);
        if (!id) return tg_error(s->t);
        if (!push(&s->roots, &s->n_roots, &s->roots_cap, id)) return tg__fail_nomem(s->t, s->function, NULL);
    }
    return TG_OK;
}

/* What held on over a rewind may have a number above its readers': it comes first. */
static void held_first(const tg_tape *t, uint32_t *ids, uint32_t n) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(t->nodes[ids[i]].flags & TG__HELD)) continue;
        uint32_t id = ids[i];
        memmove(ids + done + 1, ids + done, (i - done) * sizeof *ids);
        ids[done++] = id;
    }
}

static void reverse(uint32_t *v, uint32_t n) {
    for (uint32_t i = 0; i < n / 2; i++) {
        uint32_t x = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = x;
    }
}

static bool take_needed(source *s) {
    tg_tape *t = s->t;
    bool ok = true;
    for (uint32_t i = 0; i < s->n_roots; i++) tg__idset_add(&t->ids, s->roots[i]);
    for (uint32_t id; (id = tg__idset_take(&t->ids)) != TG__NONE;) {
        ok = ok && push(&s->ids, &s->n_ids, &s->ids_cap, id);
        if (!ok) continue; /* empties the set */
        uint32_t count = 0;
        const uint32_t *in = t->nodes[id].flags & TG__IS_LEAF ? NULL : tg__inputs(t, &t->nodes[id], &count);
        for (uint32_t i = 0; i < count; i++) tg__idset_add(&t->ids, in[i]);
    }
    reverse(s->ids, s->n_ids);
    return ok;
}

static bool take_all(source *s) {
    for (uint32_t id = 1; id < s->t->n; id++)
        if (s->t->nodes[id].epoch && !push(&s->ids, &s->n_ids, &s->ids_cap, id)) return false;
    for (uint32_t i = 0; i < s->t->n_held; i++) /* those above the end of the tape */
        if (s->t->held[i] >= s->t->n && !push(&s->ids, &s->n_ids, &s->ids_cap, s->t->held[i])) return false;
    return true;
}

static tg_status take_ids(source *s) {
    if (is_asked(s->o) && resolve_outputs(s)) return tg_error(s->t);
    bool ok = tg__reserve_local(s->t) && (is_asked(s->o) ? take_needed(s) : take_all(s));
    if (!ok) return tg__fail_nomem(s->t, s->function, NULL);
    held_first(s->t, s->ids, s->n_ids);
    for (uint32_t i = 0; i < s->n_ids; i++) s->t->local[s->ids[i]] = i;
    return TG_OK;
}

/* ------------------------------------------------------------------ the plan */

static bool push_root(source *s, uint32_t id) { return push(&s->roots, &s->n_roots, &s->roots_cap, id); }

/* Without outputs: those of a step, or where nothing is to be stepped everything that nothing reads. */
static bool find_roots(source *s) {
    tg_tape *t = s->t;
    if (is_asked(s->o)) return true;
    bool ok = true;
    for (uint32_t i = 0; i < t->n_effects && ok; i++) ok = push_root(s, t->effects[i].value);
    for (uint32_t i = 0; i < t->n_wants && ok; i++) ok = push_root(s, t->wants[i]);
    if (s->n_roots || !ok) return ok;
    uint8_t *read = tg__calloc(s->n_ids + 1, 1);
    if (!read) return false;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        const tg__node *n = &t->nodes[s->ids[i]];
        uint32_t count = 0;
        const uint32_t *in = n->flags & TG__IS_LEAF ? NULL : tg__inputs(t, n, &count);
        for (uint32_t k = 0; k < count; k++) read[t->local[in[k]]] = 1;
    }
    for (uint32_t i = 0; i < s->n_ids && ok; i++)
        if (!read[i] && !(t->nodes[s->ids[i]].flags & TG__IS_LEAF)) ok = push_root(s, s->ids[i]);
    tg__free(read);
    return ok;
}

static tg_status describe_plan(source *s) {
    uint32_t n = s->t->nodes_cap;
    s->notes = find_roots(s) ? tg__calloc(n, sizeof *s->notes) : NULL;
    if (!s->notes) return tg__fail_nomem(s->t, s->function, NULL);
    for (uint32_t i = 0; i < n; i++) s->notes[i] = (tg__plan_note){TG__NONE, TG__NONE, -1, 0, false};
    tg_status status = tg__plan_describe(s->t, s->roots, s->n_roots, s->notes);
    for (uint32_t i = 0; i < s->n_ids; i++) s->t->local[s->ids[i]] = i; /* planning numbers nodes in its own way */
    return status;
}

/* ------------------------------------------------------------------ one node */

static void add_dims(tg__text *out, const int64_t *dims, int n) {
    for (int i = 0; i < n; i++) tg__text_format(out, "%s%lld", i ? ", " : "(", (long long)dims[i]);
    tg__text_add(out, n ? ")" : "()");
}

static void add_axes(tg__text *out, const tg_axes *a) {
    int64_t axes[TG_MAX_RANK];
    for (int i = 0; i < a->n && i < TG_MAX_RANK; i++) axes[i] = a->axis[i];
    if (a->n < 0)
        tg__text_add(out, "all");
    else
        add_dims(out, axes, a->n < TG_MAX_RANK ? a->n : TG_MAX_RANK);
}

static void add_field(tg__text *out, const tg_field *f, const void *attr, int rank) {
    const void *at = (const char *)attr + f->offset;
    if (f->type == TG_FIELD_PTR) return; /* an address is another one in the next process */
    tg__text_format(out, "%s%s=", out->n ? ", " : "", f->name);
    switch (f->type) {
    case TG_FIELD_INT:
        tg__text_format(out, "%lld", (long long)*(const int64_t *)at);
        break;
    case TG_FIELD_DTYPE:
        tg__text_add(out, tg_dtype_name(*(const tg_dtype *)at));
        break;
    case TG_FIELD_SHAPE:
        add_dims(out, ((const tg_shape *)at)->dims, ((const tg_shape *)at)->rank);
        break;
    case TG_FIELD_AXES:
        add_axes(out, at);
        break;
    case TG_FIELD_DIMS:
        add_dims(out, at, rank);
        break;
    default:
        break;
    }
}

static int largest_rank(const tg_tape *t, const tg__node *n, const uint32_t *in, uint32_t count) {
    int rank = tg__shape_at(t, n->shape)->shape.rank;
    for (uint32_t i = 0; i < count; i++)
        if (tg__node_shape(t, in[i])->shape.rank > rank) rank = tg__node_shape(t, in[i])->shape.rank;
    return rank;
}

static const char *detail_of(source *s, const tg__node *n, const uint32_t *in, uint32_t count) {
    tg__text out = {0};
    if (n->op == &tg__op_output)
        tg__text_format(&out, "output=%d", n->output);
    else if (n->attr && n->op->fields)
        for (const tg_field *f = n->op->fields; f->name; f++) add_field(&out, f, n->attr, largest_rank(s->t, n, in, count));
    tg__text_bytes(&out, "", 1);
    const char *detail = out.failed ? NULL : tg__graph_text(s->g, out.at);
    tg__text_free(&out);
    return detail;
}

static void number_text(const tg__node *n, char *text, size_t size) {
    float f;
    double d;
    memcpy(&f, n->u.num, sizeof f);
    memcpy(&d, n->u.num, sizeof d);
    snprintf(text, size, "%.6g", n->dtype == TG_F32 ? (double)f : d);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.'; /* the user's locale */
}

static tg__graph_kind kind_of(const tg__node *n) {
    if (n->op == &tg__leaf_var) return ((const tg__var *)n->attr)->trainable ? TG__GRAPH_PARAMETER : TG__GRAPH_STATE;
    if (n->op == &tg__leaf_number || n->op == &tg__leaf_const) return TG__GRAPH_NUMBER;
    if (n->flags & TG__IS_LEAF) return TG__GRAPH_INPUT;
    return n->op->view || n->op == &tg__op_output ? TG__GRAPH_VIEW : TG__GRAPH_OP;
}

static const char *text_of(source *s, const tg__node *n) {
    char number[64];
    if (n->op == &tg__leaf_var) return tg__graph_text(s->g, ((const tg__var *)n->attr)->name);
    if (n->op == &tg__leaf_number)
        number_text(n, number, sizeof number);
    else if (n->op == &tg__leaf_const)
        snprintf(number, sizeof number, "%d", tg__is_constant(tg__handle(s->t, (uint32_t)(n - s->t->nodes)), 1));
    else
        return tg__graph_text(s->g, NULL);
    return tg__graph_text(s->g, number);
}

static void note_plan(const source *s, uint32_t id, tg__graph_node *to) {
    if (!s->notes) return;
    const tg__plan_note *note = &s->notes[id];
    to->planned = true;
    to->dropped = note->dropped;
    to->block = note->block;
    to->offset = note->offset;
    to->bytes = note->bytes;
}

static bool add_node(source *s, uint32_t id) {
    const tg__node *n = &s->t->nodes[id];
    uint32_t count = 0;
    const uint32_t *in = n->flags & TG__IS_LEAF || n->op->source_fn ? NULL : tg__inputs(s->t, n, &count);
    tg__graph_node *to = tg__graph_add(s->g);
    if (!to) return false;
    to->op = tg__graph_text(s->g, n->op->name);
    to->label = tg__graph_text(s->g, n->op->label);
    to->text = text_of(s, n);
    to->detail = detail_of(s, n, in, count);
    to->scope = tg__graph_text(s->g, tg__scope_path(s->t, n->scope));
    to->site = tg__graph_text(s->g, n->site);
    to->shape = tg__shape_at(s->t, n->shape)->shape;
    to->dtype = n->dtype;
    to->kind = (uint8_t)kind_of(n);
    to->gradient = n->flags & TG__GRADIENT;
    note_plan(s, id, to);
    bool ok = to->op && to->label && to->text && to->detail && to->scope && to->site;
    for (uint32_t i = 0; i < count && ok; i++) ok = tg__graph_add_input(s->g, s->t->local[in[i]]);
    return ok;
}

static bool add_effect(source *s, const tg__effect *e) {
    uint32_t value = s->t->local[e->value];
    tg__graph_node *to = tg__graph_add(s->g);
    if (!to) return false;
    const tg__graph_node *from = &s->g->nodes[value];
    to->op = tg__graph_text(s->g, "assign");
    to->text = tg__graph_text(s->g, e->var->name);
    to->scope = from->scope;
    to->site = tg__graph_text(s->g, e->site);
    to->shape = from->shape;
    to->dtype = from->dtype;
    to->kind = TG__GRAPH_ASSIGN;
    to->gradient = from->gradient;
    return to->op && to->text && to->site && tg__graph_add_input(s->g, value);
}

/* ------------------------------------------------------------------ all of them */

static tg_status fill(source *s) {
    if (take_ids(s) || (s->o->plan && describe_plan(s))) return tg_error(s->t);
    bool ok = true;
    for (uint32_t i = 0; i < s->n_ids && ok; i++) ok = add_node(s, s->ids[i]);
    for (uint32_t i = 0; i < s->t->n_effects && ok && !is_asked(s->o); i++) ok = add_effect(s, &s->t->effects[i]);
    if (!ok) return tg__fail_nomem(s->t, s->function, NULL);
    for (uint32_t i = 0; i < s->n_roots && is_asked(s->o); i++) s->g->nodes[s->t->local[s->roots[i]]].wanted = true;
    return TG_OK;
}

tg_status tg__graph_from_tape(tg__graph *g, tg_tape *t, const tg_graph_options *o, const char *function) {
    if (tg_error(t)) return tg_error(t);
    source s = {.g = g, .t = t, .o = o, .function = function};
    tg_status status = fill(&s);
    tg__free(s.ids);
    tg__free(s.roots);
    tg__free(s.notes);
    return status;
}
