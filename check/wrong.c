/* Inputs that must be refused: with the right code, and a message that says what and where. */
#include "check.h"

static void record(tg__check *c, const tg__point *p, tg_tensor *in) {
    for (int i = 0; i < p->n; i++)
        in[i] = tg__layout_record(c, TG__PACKED, p->x[i], &p->in[i].shape, tg__kind_dtype(p->in[i].kind, TG_F32));
}

static void message_says(tg__check *c, const char *message, const char *text, const char *what) {
    tg__verdict(c, text && *text && strstr(message, text), "the message \"%s\" does not hold %s, \"%s\"", message, what,
                text ? text : "");
}

static void message_says_inputs(tg__check *c, const char *message, const tg_tensor *in, int n) {
    char text[160], what[40];
    for (int i = 0; i < n; i++) {
        snprintf(what, sizeof what, "the shape and dtype of input %d", i);
        message_says(c, message, tg__node_text(c->tape, in[i].id, text, sizeof text), what);
    }
}

static void check_one(tg__check *c, const tg_sample *bad) {
    tg__check_at(c, "bad input '%s': ", bad->note);
    if (!tg__verdict(c, bad->status > TG_OK && bad->status < TG_STATUS_COUNT && bad->text,
                     "says no status or no text of the error"))
        return;
    tg__point p = tg__point_of(c, bad);
    tg_tensor in[TG_SAMPLE_INPUTS], out[TG_MAX_OUTPUTS];
    tg_clear(c->tape);
    tg_tape_reset(c->tape);
    record(c, &p, in);
    if (c->no_memory) return;
    if (!tg__verdict(c, tg_ok(c->tape), "the inputs cannot be recorded: %s", tg_message(c->tape))) return;
    const char *site = TG_HERE;
    tg_status s = tg_apply_n_at(site, c->tape, c->op, bad->attr, in, p.n, out);
    bool recorded = !s;
    if (recorded && c->op->n_out <= 1)
        s = tg_run(c->tape, out, 1);
    else if (recorded)
        s = tg_run(c->tape, out, c->op->n_out);
    if (!tg__verdict(c, s != TG_OK, "is accepted; %s should be the error", tg_status_name(bad->status))) return;
    const char *message = tg_message(c->tape);
    tg__verdict(c, s == bad->status, "gives %s and not %s: %s", tg_status_name(s), tg_status_name(bad->status), message);
    message_says(c, message, c->op->name, "the op's name");
    message_says(c, message, bad->text, "the promised text");
    message_says(c, message, site, "the caller's place");
    message_says_inputs(c, message, in, p.n);
    if (!recorded) {
        tg__verdict(c, !tg_valid(out[0]), "an op that failed must give a poison tensor");
        return;
    }
    tg__verdict(c, c->op->flags & TG_OP_CAN_FAIL || !c->op->kernel, "the kernel fails, but the op has no flag TG_OP_CAN_FAIL");
    tg__verdict(c, !strstr(message, "the kernel failed"), "the kernel fails without a message");
}

void tg__check_bad(tg__check *c) {
    tg_set_eager(c->tape, false);
    for (const tg_sample *bad = c->op->bad; bad && bad->note; bad++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        check_one(c, bad);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
}
