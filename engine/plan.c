/* Plans: made once per structure, and kept. A plan enters the cache when its key is seen a second time, so that a stream of new
 * structures neither allocates nor drives out what is of use; the cache is bounded in bytes, the longest unused goes first. */
#include "planner.h"

#define BUCKETS 1024
#define SEEN 4096
#define CACHE_LIMIT ((size_t)32 << 20)

/* ------------------------------------------------------------------ cache */

static void unlink_plan(tg__planner *p, tg__plan *plan) {
    if (plan->newer)
        plan->newer->older = plan->older;
    else
        p->newest = plan->older;
    if (plan->older)
        plan->older->newer = plan->newer;
    else
        p->oldest = plan->newer;
    plan->newer = plan->older = NULL;
}

static void make_newest(tg__planner *p, tg__plan *plan) {
    plan->older = p->newest;
    if (p->newest) p->newest->newer = plan;
    p->newest = plan;
    if (!p->oldest) p->oldest = plan;
}

static void drop(tg__planner *p, tg__plan *plan) {
    tg__plan **link = &p->buckets[plan->hash[0] % BUCKETS];
    while (*link != plan) link = &(*link)->next;
    *link = plan->next;
    unlink_plan(p, plan);
    p->cached_bytes -= plan->bytes;
    p->n_cached--;
    tg__repeat_forget_plan(p->t, plan);
    tg__free(plan);
}

static tg__plan *find(tg__planner *p) {
    const tg__live *l = &p->live;
    for (tg__plan *plan = p->buckets[l->hash[0] % BUCKETS]; plan; plan = plan->next)
        if (plan->hash[0] == l->hash[0] && plan->hash[1] == l->hash[1] && plan->n_key == l->n_key &&
            memcmp(plan->key, l->key, l->n_key * sizeof *l->key) == 0) {
            if (plan != p->newest) {
                unlink_plan(p, plan);
                make_newest(p, plan);
            }
            return plan;
        }
    return NULL;
}

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* One block of memory: the plan, its tables, its key. NULL: no memory, or too large; the draft still serves. */
static tg__plan *keep(tg__planner *p) {
    const tg__plan *d = &p->draft;
    size_t bytes = aligned(sizeof *d), key_bytes = p->live.n_key * sizeof *p->live.key;
#define TG__TABLE(type, name) bytes += aligned(d->n_##name * sizeof(type));
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    bytes += aligned(key_bytes) + aligned((p->live.n + p->live.n_leaves) * sizeof *p->live.ids);
    if (bytes > CACHE_LIMIT / 2) return NULL;
    while (p->cached_bytes + bytes > CACHE_LIMIT) drop(p, p->oldest);
    char *memory = tg__alloc(bytes);
    if (!memory) return NULL;
    tg__plan *plan = (tg__plan *)memory;
    *plan = *d;
    char *at = memory + aligned(sizeof *d);
#define TG__TABLE(type, name)                                                 \
    plan->name = (type *)(void *)at;                                          \
    if (d->n_##name) memcpy(plan->name, d->name, d->n_##name * sizeof(type)); \
    at += aligned(d->n_##name * sizeof(type));
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    plan->key = (uint64_t *)(void *)at;
    memcpy(plan->key, p->live.key, key_bytes);
    plan->ids = (uint32_t *)(void *)(at + aligned(key_bytes));
    plan->n_ids = p->live.n;
    plan->leaves = plan->ids + plan->n_ids;
    plan->n_leaves = p->live.n_leaves;
    plan->n_key = p->live.n_key;
    plan->hash[0] = p->live.hash[0];
    plan->hash[1] = p->live.hash[1];
    plan->bytes = bytes;
    plan->newer = plan->older = NULL;
    plan->next = p->buckets[plan->hash[0] % BUCKETS];
    p->buckets[plan->hash[0] % BUCKETS] = plan;
    make_newest(p, plan);
    p->cached_bytes += bytes;
    p->n_cached++;
    return plan;
}

/* ------------------------------------------------------------------ making */

static bool make(tg__planner *p) {
    return tg__fuse(p) && tg__schedule(p) && tg__emit(p) && tg__rematerialize(p) && tg__place(p);
}

static const tg__plan *made_plan(tg__planner *p) {
    if (!make(p)) return NULL;
    p->t->stats.plans_made++;
    uint64_t *seen = &p->seen[p->live.hash[0] % SEEN];
    tg__plan *plan = *seen == p->live.hash[1] ? keep(p) : NULL;
    *seen = p->live.hash[1];
    return plan ? plan : &p->draft;
}

/* Which nodes a cached plan is run for, this time. */
static void remember_nodes(const tg__planner *p, const tg__plan *plan) {
    memcpy(plan->ids, p->live.ids, plan->n_ids * sizeof *plan->ids);
    if (plan->n_leaves) memcpy(plan->leaves, p->live.leaves, plan->n_leaves * sizeof *plan->leaves);
}

static const tg__plan *plan_by_key(tg__planner *p) {
    tg_tape *t = p->t;
    if (!tg__live_collect(t, &p->live, p->roots, p->n_roots) || !tg__live_key(t, &p->live, p->mode, p->roots, p->n_roots))
        return NULL;
    const tg__plan *plan = find(p);
    t->stats.plan_hits += plan != NULL;
    if (!plan) plan = made_plan(p);
    if (plan && plan != &p->draft && tg__repeat_note_plan(p, plan)) remember_nodes(p, plan);
    return plan;
}

const tg__plan *tg__plan_get(tg__planner *p) {
    const tg__plan *plan = tg__repeat_plan(p);
    if (plan && tg__live_set(&p->live, plan->ids, plan->n_ids, plan->leaves, plan->n_leaves)) {
        p->t->stats.plan_hits++;
        return plan;
    }
    if (!(plan = plan_by_key(p))) tg__fail_nomem(p->t, "plan", NULL);
    return plan;
}

/* ------------------------------------------------------------------ life of the planner */

bool tg__planner_start(tg_tape *t) {
    if (t->planner) return true;
    tg__planner *p = tg__calloc(1, sizeof *p);
    if (!p) return false;
    p->t = t;
    p->buckets = tg__calloc(BUCKETS, sizeof *p->buckets);
    p->seen = tg__calloc(SEEN, sizeof *p->seen);
    t->planner = p;
    if (p->buckets && p->seen) return true;
    tg__planner_free(t);
    return false;
}

void tg__planner_forget(tg_tape *t) {
    tg__planner *p = t->planner;
    if (!p) return;
    while (p->oldest) drop(p, p->oldest);
    memset(p->seen, 0, SEEN * sizeof *p->seen);
}

void tg__planner_free(tg_tape *t) {
    tg__planner *p = t->planner;
    if (!p) return;
    while (p->oldest) drop(p, p->oldest);
    tg__live_free(&p->live);
    void *const blocks[] = {p->nodes,    p->views,   p->groups,     p->order,   p->table,  p->turns,      p->first_of,
                            p->next_of,  p->effects, p->written_by, p->deaths,  p->holes,  p->death_next, p->base,
                            p->args,     p->seen,    p->root_ids,   p->buckets, p->births};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) tg__free(blocks[i]);
#define TG__TABLE(type, name) tg__free(p->draft.name);
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    tg__free(p);
    t->planner = NULL;
}

tg_status tg__plan_describe(tg_tape *t, const uint32_t *roots, uint32_t n_roots, tg__plan_note *notes) {
    for (uint32_t i = 0; i < t->n; i++) notes[i] = (tg__plan_note){TG__NONE, TG__NONE, -1, 0, true};
    if (!tg__planner_start(t)) return tg__fail_nomem(t, "plan", NULL);
    tg__planner *p = t->planner;
    p->mode = TG__RUN;
    p->roots = roots;
    p->n_roots = n_roots;
    if (!tg__live_collect(t, &p->live, roots, n_roots) || !make(p)) return tg__fail_nomem(t, "plan", NULL);
    for (uint32_t i = 0; i < p->live.n; i++) {
        const tg__lnode *n = &p->nodes[i];
        tg__plan_note *note = &notes[p->live.ids[i]];
        note->dropped = n->same != i;
        if (n->same != i || n->group == TG__NONE) continue;
        note->step = p->groups[n->group].position;
        const tg__step *s = &p->draft.steps[note->step];
        if (s->kind == TG__BLOCK) note->block = s->index;
        if (n->storage == TG__NONE || n->kind == TG__L_LEAF) continue;
        note->offset = p->draft.storages[n->storage].offset;
        note->bytes = p->draft.storages[n->storage].bytes;
    }
    return TG_OK;
}
