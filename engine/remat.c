/* Values that are made twice rather than kept (rematerialization: Griewank, Walther 2008, Evaluating Derivatives, section 12.3;
 * Chen, Xu, Zhang, Guestrin 2016, arXiv:1604.06174).
 *
 * Where the values of a plan take much memory, those that lie idle while the most is in use are looked at: read before that
 * point, and not again until long after it. One that is cheap to make from what is there at its next reading gives its place
 * up, and its step runs a second time before that reading. Bits do not change, since the same step makes them. */
#include "chain.h"
#include "remat.h"

#define LARGE ((int64_t)8 << 20)   /* bytes in use at once: a plan of less is left alone */
#define SMALLEST 256               /* a value is looked at if it is that part of the most in use */
#define SECONDS_PER_BYTE 0.6e-9    /* that a byte less is worth */
#define SPENDABLE 0.05             /* of the time of the plan */
#define DEEPEST 2                  /* steps that a step needs again, and those need */
#define MOST_AGAIN 4               /* steps for one revival */
#define MOST_EXTENDED 8            /* values that are kept longer for it */
/* Rates of a core of these years: decisions need their ratios alone, and must not depend on the machine's mood. */
#define BYTES_PER_SECOND 8e9
#define FLOPS_PER_SECOND 64e9
#define MICRO_OPS_PER_SECOND 16e9
#define CHEAP_OPS_OF_A_FUNCTION 10

typedef struct reading {
    uint32_t step, next;
} reading;

typedef struct chooser {
    tg__remat r;
    tg__planner *p;
    tg__plan *d;
    bool always; /* whatever it costs: for tests */
    uint32_t *first, *last; /* by storage: its readings; where it is read last before its copy takes over */
    uint32_t *written;      /* by storage of a variable's old value: the step that writes the new one over it */
    reading *readings;
    uint32_t n_readings, readings_cap;
    int64_t *live; /* bytes, by step */
    bool *refused; /* by step */
    double spent, spendable;
} chooser;

/* ------------------------------------------------------------------ what is read, and when */

static bool add_reading(chooser *c, uint32_t storage, uint32_t step) {
    if (!tg__grow(&c->readings, &c->readings_cap, (uint64_t)c->n_readings + 1, sizeof *c->readings)) return false;
    c->readings[c->n_readings] = (reading){step, c->first[storage]};
    c->first[storage] = c->n_readings++;
    if (c->r.revived[storage] == TG__NONE && step > c->last[storage]) c->last[storage] = step;
    return true;
}

static bool find_readings(chooser *c) {
    for (uint32_t s = 0; s < c->d->n_steps; s++)
        for (uint32_t i = 0; i < tg__n_inputs(c->d, &c->d->steps[s]); i++)
            if (!add_reading(c, *tg__input_storage(c->d, &c->d->steps[s], i), s)) return false;
    return true;
}

static uint32_t write_of(const chooser *c, uint32_t effect) {
    uint32_t s = c->d->n_steps;
    while (s > 0 && !(c->d->steps[s - 1].kind == TG__WRITE && c->d->steps[s - 1].index == effect)) s--;
    return s ? s - 1 : 0;
}

static void find_overwritten(chooser *c) {
    for (uint32_t i = 0; c->p->mode == TG__STEP && i < c->p->t->n_effects; i++) {
        const tg__effect_plan *e = &c->p->effects[i];
        uint32_t old = e->read == TG__NONE ? TG__NONE : c->p->nodes[e->read].storage;
        if (old == TG__NONE) continue;
        c->written[old] = e->direct ? c->d->storages[c->p->nodes[e->value].storage].def : write_of(c, i);
    }
}

static void use(chooser *c, int64_t bytes, uint32_t from, uint32_t to) {
    for (uint32_t s = from; s < to; s++) c->live[s] += bytes;
}

static bool is_there(const chooser *c, uint32_t storage, uint32_t before) {
    const tg__storage *s = &c->d->storages[storage];
    if (s->cls == TG__ST_LEAF) return before <= c->written[storage];
    return s->def < before && (s->cls != TG__ST_POOL || before <= c->last[storage]);
}

/* ------------------------------------------------------------------ what a revival takes */

typedef struct trial {
    uint32_t before, n, n_extended, extended[MOST_EXTENDED];
    int64_t gained, lost; /* bytes */
    double seconds;
    tg__again again[MOST_AGAIN];
} trial;

static uint32_t output_in(const chooser *c, const tg__block *b, uint16_t reg) {
    uint32_t i = 0;
    while (i < b->n_outs && c->d->outs[b->outs + i].reg != reg) i++;
    return i;
}

/* From the last micro-op to the first: what is needed, stopping at outputs that are still in memory. */
static void find_needed(const chooser *c, const tg__block *b, uint32_t before, tg__again *a, bool *needed) {
    memset(needed, 0, b->n_regs);
    for (uint32_t i = 0; i < b->n_outs; i++) needed[c->d->outs[b->outs + i].reg] = a->wanted >> i & 1;
    for (uint32_t i = b->n_instrs; i-- > 0;) {
        const tg__instr *ins = &c->d->instrs[b->instrs + i];
        if (!needed[ins->out]) continue;
        uint32_t o = output_in(c, b, ins->out);
        if (o < b->n_outs && !(a->wanted >> o & 1) && is_there(c, c->d->outs[b->outs + o].storage, before)) {
            a->read |= (uint64_t)1 << o;
            continue;
        }
        a->instrs |= (uint64_t)1 << i;
        needed[ins->out] = false;
        needed[ins->a] = true;
        if (ins->c != TG__SOURCE_MARK) needed[ins->b] = needed[ins->c] = true;
    }
}

static double block_seconds(const chooser *c, uint32_t step, const tg__again *a) {
    const tg__block *b = &c->d->blocks[c->d->steps[step].index];
    double ops = 0;
    uint32_t i = 0;
    for (uint32_t x = c->p->groups[c->p->order[step]].node; x != TG__NONE; x = c->p->nodes[x].next) {
        if (c->p->nodes[x].kind == TG__L_TAIL) continue;
        bool cheap = c->p->nodes[x].node->op->flags & TG_OP_CHEAP;
        if (a->instrs >> i++ & 1) ops += cheap ? 1 : CHEAP_OPS_OF_A_FUNCTION;
    }
    return fmax(ops * (double)b->numel / MICRO_OPS_PER_SECOND, (double)c->d->steps[step].bytes / BYTES_PER_SECOND);
}

#define MOST_OPERANDS 64

static double kernel_seconds(const chooser *c, const tg__step *s) {
    const tg__kernel_call *k = &c->d->kernels[s->index];
    const tg__lnode *n = &c->p->nodes[s->node];
    double flops = 0;
    if (s->kind == TG__KERNEL && n->node->op->flops) {
        if (k->n_in > MOST_OPERANDS) return INFINITY;
        const tg_shape *shapes[MOST_OPERANDS];
        for (uint32_t i = 0; i < k->n_in; i++)
            shapes[i] = &tg__shape_at(c->p->t, c->d->operands[k->operands + i].shape)->shape;
        flops = n->node->op->flops(shapes, (int)k->n_in, &tg__shape_at(c->p->t, n->shape)->shape, n->node->attr);
    }
    return fmax(flops / FLOPS_PER_SECOND, (double)s->bytes / BYTES_PER_SECOND);
}

static double plan_seconds(const chooser *c) {
    double sum = 0;
    for (uint32_t s = 0; s < c->d->n_steps; s++) {
        const tg__step *step = &c->d->steps[s];
        if (step->kind == TG__BLOCK) sum += block_seconds(c, s, &(tg__again){.instrs = ~(uint64_t)0});
        if (step->kind == TG__KERNEL) sum += fmin(kernel_seconds(c, step), 1);
    }
    return sum;
}

static bool can_run_again(const chooser *c, const tg__step *s) {
    return s->kind == TG__BLOCK || s->kind == TG__PACK ||
           (s->kind == TG__KERNEL && !(c->p->nodes[s->node].node->op->flags & TG_OP_CAN_FAIL));
}

static bool run_again(const chooser *c, trial *t, uint32_t step, uint64_t wanted, int depth);

static uint64_t output_of(const chooser *c, uint32_t storage) {
    const tg__step *s = &c->d->steps[c->d->storages[storage].def];
    for (uint32_t i = 0; i < tg__n_outputs(c->d, s) && i < 64; i++)
        if (*tg__output_storage(c->d, s, i) == storage) return (uint64_t)1 << i;
    return 0; /* a sum at the end of a block */
}

static bool extend(const chooser *c, trial *t, uint32_t storage) {
    int64_t bytes = c->d->storages[storage].bytes;
    if (c->r.revived[storage] != TG__NONE || t->n_extended == MOST_EXTENDED || 2 * (t->lost + bytes) > t->gained) return false;
    t->extended[t->n_extended++] = storage;
    t->lost += bytes;
    return true;
}

/* Makes an input available: it is there, or is kept a little longer if it is small, or made again, or kept. */
static bool provide(const chooser *c, trial *t, uint32_t storage, int depth) {
    if (is_there(c, storage, t->before)) return true;
    const tg__storage *s = &c->d->storages[storage];
    if (s->cls != TG__ST_POOL) return false;
    for (uint32_t i = 0; i < t->n_extended; i++)
        if (t->extended[i] == storage) return true;
    for (uint32_t i = 0; i < t->n; i++)
        if (t->again[i].step == s->def) return t->again[i].wanted & output_of(c, storage);
    if (SMALLEST * s->bytes <= t->gained && extend(c, t, storage)) return true;
    trial before = *t;
    if (depth < DEEPEST && run_again(c, t, s->def, output_of(c, storage), depth + 1)) return true;
    *t = before;
    return extend(c, t, storage);
}

static bool provide_inputs(const chooser *c, trial *t, const tg__step *s, const bool *needed, int depth) {
    for (uint32_t i = 0; i < tg__n_inputs(c->d, s); i++) {
        if (needed && !needed[c->d->streams[c->d->blocks[s->index].streams + i].reg]) continue;
        if (!provide(c, t, *tg__input_storage(c->d, s, i), depth)) return false;
    }
    return true;
}

static bool run_again(const chooser *c, trial *t, uint32_t step, uint64_t wanted, int depth) {
    const tg__step *s = &c->d->steps[step];
    if (!wanted || !can_run_again(c, s)) return false;
    tg__again a = {.step = step, .wanted = wanted};
    bool needed[TG__CHAIN_REGS];
    if (s->kind == TG__BLOCK) {
        const tg__block *b = &c->d->blocks[s->index];
        if (b->n_regs + b->n_outs > TG__CHAIN_REGS) return false;
        find_needed(c, b, t->before, &a, needed);
    }
    t->seconds += s->kind == TG__BLOCK ? block_seconds(c, step, &a) : kernel_seconds(c, s);
    if (!c->always && t->seconds > SECONDS_PER_BYTE * (double)t->gained) return false;
    if (!provide_inputs(c, t, s, s->kind == TG__BLOCK ? needed : NULL, depth) || t->n == MOST_AGAIN) return false;
    t->again[t->n++] = a;
    return true;
}

/* ------------------------------------------------------------------ candidates */

/* The readings around step `at`: the last before it (or the making), and the first after it. False: not idle then. */
static bool find_gap(const chooser *c, uint32_t storage, uint32_t at, uint32_t *from, uint32_t *to) {
    const tg__storage *s = &c->d->storages[storage];
    if (s->cls != TG__ST_POOL || c->r.revived[storage] != TG__NONE || s->def >= at || c->last[storage] <= at) return false;
    *from = s->def;
    *to = TG__NONE;
    for (uint32_t i = c->first[storage]; i != TG__NONE; i = c->readings[i].next) {
        uint32_t step = c->readings[i].step;
        if (step <= at && step > *from) *from = step;
        if (step > at && step < *to) *to = step;
    }
    if (*from >= at || *to == TG__NONE) return false;
    return c->d->steps[*to].kind != TG__WRITE; /* all new values are checked before the first is written */
}

/* The idle outputs of a step, and the first step that reads one of them again. */
static uint64_t idle_outputs(const chooser *c, uint32_t step, uint32_t at, uint32_t *before, int64_t *bytes) {
    const tg__step *s = &c->d->steps[step];
    uint64_t idle = 0;
    *before = TG__NONE;
    *bytes = 0;
    for (uint32_t i = 0, from, to; i < tg__n_outputs(c->d, s) && i < 64; i++) {
        uint32_t storage = *tg__output_storage(c->d, s, i);
        if (!find_gap(c, storage, at, &from, &to)) continue;
        idle |= (uint64_t)1 << i;
        *bytes += c->d->storages[storage].bytes;
        if (to < *before) *before = to;
    }
    return idle;
}

static bool note_readings(chooser *c, const trial *t) {
    for (uint32_t i = 0; i < t->n; i++) {
        const tg__step *s = &c->d->steps[t->again[i].step];
        for (uint32_t k = 0; k < tg__n_inputs(c->d, s); k++) {
            uint32_t storage = *tg__input_storage(c->d, s, k);
            if (is_there(c, storage, t->before) && !add_reading(c, storage, t->before)) return false;
        }
        for (uint32_t k = 0; k < tg__n_outputs(c->d, s) && k < 64; k++)
            if (t->again[i].read >> k & 1 && !add_reading(c, *tg__output_storage(c->d, s, k), t->before)) return false;
    }
    return true;
}

/* The choice becomes part of the plan to be. */
static bool accept(chooser *c, const trial *t, uint32_t at) {
    tg__remat *r = &c->r;
    if (!tg__grow(&r->revivals, &r->revivals_cap, (uint64_t)r->n_revivals + 1, sizeof *r->revivals) ||
        !tg__grow(&r->agains, &r->agains_cap, (uint64_t)r->n_agains + t->n, sizeof *r->agains))
        return false;
    for (uint32_t i = 0; i < t->n_extended; i++) {
        uint32_t storage = t->extended[i];
        use(c, c->d->storages[storage].bytes, c->last[storage] + 1, t->before);
        if (!add_reading(c, storage, t->before)) return false;
    }
    if (!note_readings(c, t)) return false;
    const tg__again *root = &t->again[t->n - 1];
    for (uint32_t i = 0, from = 0, to; i < 64; i++) {
        if (!(root->wanted >> i & 1)) continue;
        uint32_t storage = *tg__output_storage(c->d, &c->d->steps[root->step], i);
        find_gap(c, storage, at, &from, &to);
        r->revived[storage] = t->before;
        c->last[storage] = from;
        use(c, -c->d->storages[storage].bytes, from + 1, t->before);
    }
    r->revivals[r->n_revivals++] = (tg__revival){t->before, r->n_agains, t->n};
    memcpy(r->agains + r->n_agains, t->again, t->n * sizeof *t->again);
    r->n_agains += t->n;
    c->spent += t->seconds;
    return true;
}

static bool pays(const chooser *c, const trial *t) {
    return c->always || (t->seconds <= SECONDS_PER_BYTE * (double)(t->gained - t->lost) &&
                         c->spent + t->seconds <= c->spendable);
}

/* The step with idle outputs that are needed again the soonest, of those the one made last: what it needs may itself be
 * idle, and is then revived earlier for it. */
static uint32_t next_candidate(const chooser *c, uint32_t at, trial *t, uint64_t *wanted) {
    uint32_t best = TG__NONE, before;
    int64_t bytes, least = c->always ? 1 : c->live[at] / SMALLEST;
    for (uint32_t s = 0; s < at; s++) {
        if (c->refused[s]) continue;
        uint64_t idle = idle_outputs(c, s, at, &before, &bytes);
        if (!idle || bytes < least || (best != TG__NONE && before > t->before)) continue;
        best = s;
        *t = (trial){.before = before, .gained = bytes};
        *wanted = idle;
    }
    return best;
}

static uint32_t fullest(const chooser *c) {
    uint32_t at = 0;
    for (uint32_t s = 1; s < c->d->n_steps; s++)
        if (c->live[s] > c->live[at]) at = s;
    return at;
}

static bool choose(chooser *c) {
    trial t;
    uint64_t wanted;
    for (uint32_t at = fullest(c), s; (s = next_candidate(c, at, &t, &wanted)) != TG__NONE; at = fullest(c)) {
        if (!run_again(c, &t, s, wanted, 0) || !pays(c, &t))
            c->refused[s] = true;
        else if (!accept(c, &t, at))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ all */

/* Cheaply, for the many plans that are small: more than can be in use at once. */
static int64_t most_in_use(const tg__plan *d) {
    int64_t bytes = 0;
    for (uint32_t i = 0; i < d->n_storages; i++)
        if (d->storages[i].cls == TG__ST_POOL) bytes += d->storages[i].bytes;
    return bytes;
}

static bool start(chooser *c) {
    uint32_t n = c->d->n_storages;
    c->first = tg__all_none(n);
    c->written = tg__all_none(n);
    c->r.revived = tg__all_none(n);
    c->last = tg__calloc((size_t)n + 1, sizeof *c->last);
    c->live = tg__calloc((size_t)c->d->n_steps + 1, sizeof *c->live);
    c->refused = tg__calloc((size_t)c->d->n_steps + 1, sizeof *c->refused);
    if (!c->first || !c->written || !c->r.revived || !c->last || !c->live || !c->refused || !find_readings(c)) return false;
    find_overwritten(c);
    for (uint32_t i = 0; i < n; i++) {
        const tg__storage *s = &c->d->storages[i];
        if (s->cls != TG__ST_POOL) continue;
        if (c->last[i] < s->def) c->last[i] = s->def;
        use(c, s->bytes, s->def, c->last[i] + 1);
    }
    c->spendable = SPENDABLE * plan_seconds(c);
    return true;
}

static void finish(chooser *c) {
    void *const blocks[] = {c->first, c->last, c->written, c->readings, c->live, c->refused, c->r.agains, c->r.revivals,
                            c->r.revived};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) tg__free(blocks[i]);
}

bool tg__rematerialize(tg__planner *p) {
    p->n_births = 0;
    bool always = p->t->remat == TG__REMAT_ALWAYS;
    if (p->t->remat == TG__REMAT_NEVER || (!always && most_in_use(&p->draft) < LARGE)) return true;
    chooser c = {.r = {.p = p}, .p = p, .d = &p->draft, .always = always};
    bool ok = start(&c);
    if (ok && (always || c.live[fullest(&c)] >= LARGE)) ok = choose(&c) && (!c.r.n_revivals || tg__redo(&c.r));
    finish(&c);
    return ok;
}
