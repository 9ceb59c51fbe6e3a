/* A recording that repeats the last one: its gradients and plans are taken over, not made again.
 *
 * A gradient is a function of the nodes before it and of what is asked, and so is the plan of a tape's first run. Nodes stay
 * in memory when a tape is reset or rewound, so that the same question at the same place, after the same nodes, finds the
 * answer already there. A node that is recorded and differs from the one that was in its place ends what was known beyond it
 * (tg__repeat_end). Values are no part of this: numbers, inputs and parameters change from step to step. */
#include "planner.h"

/* ------------------------------------------------------------------ questions and answers, as words */

/* Room at the end of the words for a question and its answer; NULL: none. */
static uint32_t *ask(tg_tape *t, uint64_t question, uint64_t answer) {
    uint32_t at = t->n_repeats ? t->repeats[t->n_repeats - 1].words_end : 0;
    if (!tg__grow(&t->repeat_words, &t->repeat_words_cap, at + question + answer, sizeof *t->repeat_words)) return NULL;
    t->n_question = (uint32_t)question;
    return t->repeat_words + at;
}

static uint32_t first_from(const tg_tape *t, uint32_t begin) {
    uint32_t low = 0, high = t->n_repeats;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (t->repeats[middle].begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The answer to the question at the end of the words, if it was asked at this place before. */
static const tg__repeat *known(const tg_tape *t) {
    for (uint32_t i = first_from(t, t->n); i < t->n_repeats && t->repeats[i].begin == t->n; i++) {
        const tg__repeat *r = &t->repeats[i];
        const uint32_t *now = t->repeat_words + t->repeats[t->n_repeats - 1].words_end, *then = t->repeat_words + r->words;
        if (r->site == t->site_override && r->spill_begin == t->n_spill && r->answer - r->words == t->n_question &&
            memcmp(now, then, t->n_question * sizeof *now) == 0)
            return r;
    }
    return NULL;
}

static bool may_know(const tg_tape *t) { return t->n_repeats && !t->eager && !t->n_held; }

static tg__repeat *note(tg_tape *t, uint32_t begin, uint32_t spill_begin, uint32_t n_answer) {
    if (!tg__grow(&t->repeats, &t->repeats_cap, t->n_repeats + 1, sizeof *t->repeats)) return NULL;
    uint32_t words = t->n_repeats ? t->repeats[t->n_repeats - 1].words_end : 0, answer = words + t->n_question;
    t->repeats[t->n_repeats] = (tg__repeat){.begin = begin,
                                            .end = t->n,
                                            .spill_begin = spill_begin,
                                            .spill_end = t->n_spill,
                                            .words = words,
                                            .answer = answer,
                                            .words_end = answer + n_answer,
                                            .site = t->site_override};
    t->repeats_end = t->n;
    return &t->repeats[t->n_repeats++];
}

void tg__repeat_end(tg_tape *t, uint32_t id) {
    while (t->n_repeats && t->repeats[t->n_repeats - 1].end > id) t->n_repeats--;
    t->repeats_end = t->n_repeats ? t->repeats[t->n_repeats - 1].end : 0;
}

/* ------------------------------------------------------------------ gradients */

static bool ask_gradient(tg_tape *t, const tg__question *q) {
    uint32_t *w = ask(t, 5 + 2 * (uint64_t)q->n_roots + (uint64_t)q->n_xs, (uint64_t)q->n_xs);
    if (!w) return false;
    *w++ = t->scope;
    *w++ = t->flags_override;
    *w++ = t->for_tangents;
    *w++ = (uint32_t)q->n_roots;
    *w++ = (uint32_t)q->n_xs;
    for (int i = 0; i < q->n_roots; i++) {
        *w++ = q->roots[i];
        *w++ = q->cotangents[i].id;
    }
    for (int i = 0; i < q->n_xs; i++) *w++ = q->xs[i];
    return true;
}

bool tg__repeat_gradient(tg_tape *t, const tg__question *q, uint32_t *gs) {
    const tg__repeat *r = may_know(t) && ask_gradient(t, q) ? known(t) : NULL;
    if (!r) return false;
    for (uint32_t id = r->begin; id < r->end; id++) {
        tg__node *n = &t->nodes[id];
        n->epoch = t->base.epoch;
        n->data = NULL;
        n->flags &= (uint8_t)~(TG__KEEP | TG__WANT);
    }
    for (int i = 0; i < q->n_xs; i++) gs[i] = t->repeat_words[r->answer + (uint32_t)i];
    t->n = r->end;
    t->n_spill = r->spill_end;
    t->stats.gradient_hits++;
    return true;
}

/* Whether the node says all there is: nothing beside it was changed when it was recorded. */
static bool stands_alone(const tg__node *n) {
    if (n->op->source_fn) return false;
    return !(n->flags & TG__IS_LEAF) || n->op == &tg__leaf_const || n->op == &tg__leaf_number;
}

void tg__repeat_note_gradient(tg_tape *t, const tg__question *q, uint32_t begin, uint32_t spill_begin, const uint32_t *gs) {
    tg__repeat_end(t, begin);
    if (t->eager || t->n_held || !ask_gradient(t, q)) return;
    for (uint32_t id = begin; id < t->n; id++)
        if (!stands_alone(&t->nodes[id])) return;
    const tg__repeat *r = note(t, begin, spill_begin, (uint32_t)q->n_xs);
    for (int i = 0; r && i < q->n_xs; i++) t->repeat_words[r->answer + (uint32_t)i] = gs[i];
}

/* ------------------------------------------------------------------ plans */

/* Of a first run since the reset: no value is there yet, and none is to be kept beyond what the question says. */
static bool ask_plan(const tg__planner *p) {
    tg_tape *t = p->t;
    bool steps = p->mode == TG__STEP;
    uint32_t *w = ask(t, 4 + (uint64_t)p->n_roots + (steps ? 2 * (uint64_t)t->n_effects : 0), 0);
    if (!w) return false;
    *w++ = TG__NONE; /* no scope: not a gradient */
    *w++ = (uint32_t)p->mode << 1 | t->check_finite;
    *w++ = (uint32_t)tg__threads(t);
    *w++ = p->n_roots;
    for (uint32_t i = 0; i < p->n_roots; i++) *w++ = p->roots[i];
    for (uint32_t i = 0; steps && i < t->n_effects; i++) {
        *w++ = t->effects[i].target;
        *w++ = t->effects[i].value;
    }
    return true;
}

const tg__plan *tg__repeat_plan(tg__planner *p) {
    const tg__repeat *r = may_know(p->t) && !p->t->has_values && ask_plan(p) ? known(p->t) : NULL;
    return r ? r->plan : NULL;
}

bool tg__repeat_note_plan(tg__planner *p, const tg__plan *plan) {
    tg_tape *t = p->t;
    if (t->eager || t->n_held || t->has_values) return false;
    while (t->n_repeats && t->repeats[t->n_repeats - 1].begin >= t->n) t->n_repeats--; /* a later place is for later */
    tg__repeat *r = ask_plan(p) ? note(t, t->n, t->n_spill, 0) : NULL;
    if (!r) return false;
    tg__repeat_forget_plan(t, plan); /* a plan knows the nodes of one place */
    r->plan = plan;
    return true;
}

void tg__repeat_forget_plan(tg_tape *t, const tg__plan *plan) {
    for (uint32_t i = 0; i < t->n_repeats; i++)
        if (t->repeats[i].plan == plan) t->repeats[i].plan = NULL;
}
