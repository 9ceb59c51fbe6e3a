/* Copies of steps: puts the steps that remat.c chose into the draft a second time, and has later steps read what they make. */
#include "remat.h"

/* ------------------------------------------------------------------ the storages of a step */

static const tg__kernel_call *call_of(const tg__plan *d, const tg__step *s) {
    return &d->kernels[s->kind == TG__WRITE ? s->node : s->index];
}

uint32_t tg__n_inputs(const tg__plan *d, const tg__step *s) {
    return s->kind == TG__BLOCK ? d->blocks[s->index].n_streams : call_of(d, s)->n_in;
}

uint32_t *tg__input_storage(const tg__plan *d, const tg__step *s, uint32_t i) {
    return s->kind == TG__BLOCK ? &d->streams[d->blocks[s->index].streams + i].storage
                                : &d->operands[call_of(d, s)->operands + i].storage;
}

uint32_t tg__n_outputs(const tg__plan *d, const tg__step *s) {
    return s->kind == TG__BLOCK ? d->blocks[s->index].n_outs : call_of(d, s)->n_out;
}

uint32_t *tg__output_storage(const tg__plan *d, const tg__step *s, uint32_t i) {
    return s->kind == TG__BLOCK ? &d->outs[d->blocks[s->index].outs + i].storage
                                : &d->operands[call_of(d, s)->operands + call_of(d, s)->n_in + i].storage;
}

/* ------------------------------------------------------------------ copies */

typedef struct redo {
    tg__remat *r;
    tg__planner *p;
    tg__plan *d;
    uint32_t *copy;             /* by storage: its revived copy */
    uint32_t *help, *helped_by; /* by storage: a copy made for one revival alone, and which */
    uint32_t *next, *head;      /* revivals by the step that they come before, the last chosen first */
    uint32_t *moved;            /* old step -> new */
    tg__step *steps;
    uint32_t n_steps;
    uint32_t revival; /* in work */
} redo;

static bool is_root(const redo *w, uint32_t again) {
    const tg__revival *v = &w->r->revivals[w->revival];
    return again == v->first + v->n - 1;
}

/* Where a copied step finds what the step read in `storage`. */
static uint32_t found(const redo *w, uint32_t storage) {
    const tg__revival *v = &w->r->revivals[w->revival];
    if (w->helped_by[storage] == w->revival) return w->help[storage];
    return v->before >= w->r->revived[storage] ? w->copy[storage] : storage;
}

/* The storage that takes the place of output `storage` in a copy. */
static uint32_t new_output(redo *w, uint32_t storage, uint32_t again, bool wanted) {
    tg__storage s = w->d->storages[storage];
    s.cls = TG__ST_POOL;
    uint32_t made = APPEND(w->p, storages, s);
    if (made == TG__NONE || !wanted) return made;
    if (is_root(w, again)) {
        w->copy[storage] = made;
    } else {
        w->help[storage] = made;
        w->helped_by[storage] = w->revival;
    }
    return made;
}

static bool copy_kernel(redo *w, uint32_t again, tg__step *s) {
    const tg__again *a = &w->r->agains[again];
    tg__kernel_call k = w->d->kernels[s->index];
    uint32_t from = k.operands;
    k.operands = w->d->n_operands;
    for (uint32_t i = 0; i < k.n_in + k.n_out; i++) {
        tg__operand_ref o = w->d->operands[from + i];
        uint32_t out = i - k.n_in;
        o.storage = i < k.n_in ? found(w, o.storage) : new_output(w, o.storage, again, out < 64 && a->wanted >> out & 1);
        if (o.storage == TG__NONE || APPEND(w->p, operands, o) == TG__NONE) return false;
    }
    s->index = APPEND(w->p, kernels, k);
    return s->index != TG__NONE;
}

/* ------------------------------------------------------------------ part of a block */

typedef struct part {
    redo *w;
    const tg__block *from;
    tg__block to;
    uint32_t again;
    uint16_t scratch[64]; /* of an output that only the copy itself needs: its register */
} part;

static uint16_t renamed(const part *c, uint16_t reg) {
    for (uint32_t i = 0; i < c->from->n_outs; i++)
        if (c->w->d->outs[c->from->outs + i].reg == reg && c->scratch[i]) return c->scratch[i];
    return reg;
}

/* Outputs that the copy makes, but that nobody reads in memory, become scratch registers: the last ones. */
static void give_scratch(part *c) {
    const tg__again *a = &c->w->r->agains[c->again];
    for (uint32_t i = 0; i < c->from->n_outs; i++) {
        if ((a->wanted | a->read) >> i & 1) continue;
        c->scratch[i] = (uint16_t)c->to.n_regs++;
        c->to.n_slots++;
    }
}

static bool copy_instrs(part *c) {
    const tg__again *a = &c->w->r->agains[c->again];
    c->to.instrs = c->w->d->n_instrs;
    c->to.n_instrs = 0;
    for (uint32_t i = 0; i < c->from->n_instrs; i++) {
        if (!(a->instrs >> i & 1)) continue;
        tg__instr ins = c->w->d->instrs[c->from->instrs + i];
        ins.out = renamed(c, ins.out);
        ins.a = renamed(c, ins.a);
        ins.b = renamed(c, ins.b);
        if (ins.c != TG__SOURCE_MARK) ins.c = renamed(c, ins.c);
        if (APPEND(c->w->p, instrs, ins) == TG__NONE) return false;
        c->to.n_instrs++;
    }
    return true;
}

static bool reads(const tg__instr *ins, uint16_t reg) {
    return ins->a == reg || (ins->c != TG__SOURCE_MARK && (ins->b == reg || ins->c == reg));
}

/* The last micro-op of the copy that reads the register; TG__NO_REG: none. */
static uint16_t last_reading(const part *c, uint16_t reg) {
    for (uint32_t i = c->to.n_instrs; i-- > 0;)
        if (reads(&c->w->d->instrs[c->to.instrs + i], reg)) return (uint16_t)i;
    return TG__NO_REG;
}

static bool add_stream(part *c, tg__stream s) {
    s.last_read = last_reading(c, s.reg);
    if (s.last_read == TG__NO_REG) return true;
    s.storage = found(c->w, s.storage);
    c->to.n_streams++;
    return APPEND(c->w->p, streams, s) != TG__NONE;
}

static bool copy_streams(part *c) {
    const tg__again *a = &c->w->r->agains[c->again];
    c->to.streams = c->w->d->n_streams;
    c->to.n_streams = 0;
    for (uint32_t i = 0; i < c->from->n_streams; i++)
        if (!add_stream(c, c->w->d->streams[c->from->streams + i])) return false;
    for (uint32_t i = 0; i < c->from->n_outs; i++) {
        if (!(a->read >> i & 1)) continue;
        const tg__out *o = &c->w->d->outs[c->from->outs + i];
        tg__stream s = {.storage = o->storage, .slot = TG__NONE, .kind = TG__LINEAR, .size = o->size, .reg = o->reg};
        if (!add_stream(c, s)) return false;
    }
    return true;
}

static uint16_t written_by(const part *c, uint16_t reg) {
    uint16_t i = 0;
    while (c->w->d->instrs[c->to.instrs + i].out != reg) i++;
    return i;
}

static bool copy_outs(part *c) {
    const tg__again *a = &c->w->r->agains[c->again];
    c->to.outs = c->w->d->n_outs;
    c->to.n_outs = 0;
    for (uint32_t i = 0; i < c->from->n_outs; i++) {
        if (!(a->wanted >> i & 1)) continue;
        tg__out o = c->w->d->outs[c->from->outs + i];
        o.written = written_by(c, o.reg);
        o.storage = new_output(c->w, o.storage, c->again, true);
        if (o.storage == TG__NONE || APPEND(c->w->p, outs, o) == TG__NONE) return false;
        c->to.n_outs++;
    }
    return true;
}

static bool copy_block(redo *w, uint32_t again, tg__step *s) {
    tg__block from = w->d->blocks[s->index];
    part c = {.w = w, .from = &from, .to = from, .again = again};
    c.to.n_tails = 0;
    c.to.segment = c.to.pieces = 0;
    give_scratch(&c);
    if (!copy_instrs(&c) || !copy_streams(&c) || !copy_outs(&c)) return false;
    c.to.work = tg__block_work(&c.to);
    s->bytes = tg__block_bytes(w->d, &c.to);
    size_t scratch = (size_t)c.to.n_slots * c.to.slot_bytes;
    if (scratch > w->d->block_scratch) w->d->block_scratch = scratch;
    s->index = APPEND(w->p, blocks, c.to);
    return s->index != TG__NONE;
}

/* ------------------------------------------------------------------ the new order */

static bool revive(redo *w, uint32_t revival) {
    const tg__revival *v = &w->r->revivals[revival];
    w->revival = revival;
    for (uint32_t i = v->first; i < v->first + v->n; i++) {
        tg__step s = w->d->steps[w->r->agains[i].step];
        if (!(s.kind == TG__BLOCK ? copy_block(w, i, &s) : copy_kernel(w, i, &s))) return false;
        w->steps[w->n_steps++] = s;
    }
    return true;
}

/* A step that was there before reads the copies of what was revived for it or for an earlier one. */
static void read_copies(redo *w, uint32_t step) {
    const tg__step *s = &w->d->steps[step];
    for (uint32_t i = 0; i < tg__n_inputs(w->d, s); i++) {
        uint32_t *storage = tg__input_storage(w->d, s, i);
        if (step >= w->r->revived[*storage]) *storage = w->copy[*storage];
    }
}

static bool make_steps(redo *w) {
    uint32_t n = w->d->n_steps;
    for (uint32_t i = 0; i < w->r->n_revivals; i++) {
        uint32_t *head = &w->head[w->r->revivals[i].before];
        w->next[i] = *head;
        *head = i;
    }
    for (uint32_t s = 0; s < n; s++) {
        for (uint32_t i = w->head[s]; i != TG__NONE; i = w->next[i])
            if (!revive(w, i)) return false;
        w->moved[s] = w->n_steps;
        w->steps[w->n_steps++] = w->d->steps[s];
    }
    w->moved[n] = w->n_steps;
    for (uint32_t s = 0; s < n; s++) read_copies(w, s);
    return true;
}

static void made_at(redo *w, uint32_t storage, uint32_t step) {
    tg__storage *s = &w->d->storages[storage];
    s->def = s->last = step;
    w->p->births[w->p->n_births++] = storage;
}

static void made_by_tails(redo *w, const tg__block *b, uint32_t step) {
    for (uint32_t i = 0; i < b->n_tails; i++) {
        const tg__tail *t = &w->d->tails[b->tails + i];
        made_at(w, t->storage, step);
        if (t->partials != TG__NONE) made_at(w, t->partials, step);
    }
}

/* When each storage is made and read last. */
static bool find_lives(redo *w) {
    if (!tg__grow(&w->p->births, &w->p->births_cap, w->d->n_storages, sizeof *w->p->births)) return false;
    for (uint32_t n = 0; n < w->d->n_steps; n++) {
        const tg__step *s = &w->d->steps[n];
        for (uint32_t i = 0; i < tg__n_inputs(w->d, s); i++) w->d->storages[*tg__input_storage(w->d, s, i)].last = n;
        for (uint32_t i = 0; i < tg__n_outputs(w->d, s); i++) made_at(w, *tg__output_storage(w->d, s, i), n);
        if (s->kind == TG__BLOCK) made_by_tails(w, &w->d->blocks[s->index], n);
    }
    return true;
}

static bool put_in(redo *w) {
    tg__planner *p = w->p;
    if (!make_steps(w) || !tg__grow(&w->d->steps, &p->steps_cap, w->n_steps, sizeof *w->steps)) return false;
    memcpy(w->d->steps, w->steps, w->n_steps * sizeof *w->steps);
    w->d->n_steps = w->n_steps;
    w->d->commit = w->moved[w->d->commit];
    for (uint32_t i = 0; i < p->n_order; i++) {
        tg__group *g = &p->groups[p->order[i]];
        g->position = w->moved[g->position];
    }
    return find_lives(w);
}

uint32_t *tg__all_none(uint32_t n) {
    uint32_t *p = tg__alloc(((size_t)n + 1) * sizeof *p);
    if (p) memset(p, 0xff, ((size_t)n + 1) * sizeof *p);
    return p;
}

bool tg__redo(tg__remat *r) {
    tg__plan *d = &r->p->draft;
    redo w = {.r = r, .p = r->p, .d = d};
    w.copy = tg__all_none(d->n_storages);
    w.help = tg__all_none(d->n_storages);
    w.helped_by = tg__all_none(d->n_storages);
    w.next = tg__all_none(r->n_revivals);
    w.head = tg__all_none(d->n_steps);
    w.moved = tg__all_none(d->n_steps);
    w.steps = tg__alloc(((size_t)d->n_steps + r->n_agains) * sizeof *w.steps);
    bool ok = w.copy && w.help && w.helped_by && w.next && w.head && w.moved && w.steps && put_in(&w);
    void *const blocks[] = {w.copy, w.help, w.helped_by, w.next, w.head, w.moved, w.steps};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) tg__free(blocks[i]);
    return ok;
}
