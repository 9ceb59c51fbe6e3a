/* The error state of a tape: the first error stays until it is cleared. */
#include <stdlib.h>

#include "engine.h"

static void append(char *buf, size_t size, const char *format, ...) TG_PRINTF(3, 4);
static void append(char *buf, size_t size, const char *format, ...) {
    size_t used = strlen(buf);
    if (used + 1 >= size) return;
    va_list args;
    va_start(args, format);
    vsnprintf(buf + used, size - used, format, args);
    va_end(args);
}

/* Truncates: an error record has room for what fits. */
static void copy_text(char *dst, size_t size, const char *src) {
    size_t n = src ? strlen(src) : 0;
    if (n >= size) n = size - 1;
    if (n) memcpy(dst, src, n);
    dst[n] = 0;
}

void tg__error_set(tg__error *e, tg_status status, const char *op, const char *site, const char *scope, const char *format,
                   va_list args) {
    if (e->status) return;
    e->status = status;
    e->site = site ? site : "";
    copy_text(e->op, sizeof e->op, op);
    copy_text(e->scope, sizeof e->scope, scope);
    char where[sizeof e->message / 2] = "";
    if (scope && *scope) append(where, sizeof where, " [in %s]", e->scope);
    if (site && *site) append(where, sizeof where, " at %s", site);
    e->message[0] = 0;
    if (op && *op) append(e->message, sizeof e->message, "%s: ", op);
    size_t used = strlen(e->message), room = sizeof e->message - strlen(where); /* a long text is cut, never the place */
    vsnprintf(e->message + used, room - used, format, args);
    append(e->message, sizeof e->message, "%s", where);
}

/* A debugger stops at the guilty line: TG_TRAP=1. */
static void trap_if_asked(void) {
    const char *trap = getenv("TG_TRAP");
    if (trap && *trap == '1') __builtin_trap();
}

static tg_status set(tg_tape *t, tg_status status, const char *op, const char *site, uint32_t scope, const char *format,
                     va_list args) {
    if (!t->base.error.status) {
        if (!site && t->site_override) site = t->site_override;
        tg__error_set(&t->base.error, status, op, site, tg__scope_path(t, scope), format, args);
        t->failed = true;
        trap_if_asked();
    }
    return t->base.error.status;
}

tg_status tg__fail(tg_tape *t, tg_status status, const char *op, const char *site, uint32_t scope, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(t, status, op, site, scope, format, args);
    va_end(args);
    return t->base.error.status;
}

tg_status tg__fail_nomem(tg_tape *t, const char *op, const char *site) {
    return tg__fail(t, TG_ENOMEM, op, site, t->scope, "out of memory");
}

char *tg__shape_text(const tg_shape *s, char *buf, size_t size) {
    buf[0] = 0;
    append(buf, size, "(");
    for (int i = 0; i < s->rank && i < TG_MAX_RANK; i++) append(buf, size, i ? ", %lld" : "%lld", (long long)s->dims[i]);
    append(buf, size, ")");
    return buf;
}

char *tg__node_text(const tg_tape *t, uint32_t id, char *buf, size_t size) {
    tg__shape_text(&tg__node_shape(t, id)->shape, buf, size);
    append(buf, size, " %s", tg_dtype_name(t->nodes[id].dtype));
    return buf;
}

#define NAMED_INPUTS 8 /* of an op with more the message says how many there are */

char *tg__inputs_text(const tg_tape *t, const uint32_t *in, uint32_t n, char *buf, size_t size) {
    char one[160];
    buf[0] = 0;
    for (uint32_t i = 0; i < n && i < NAMED_INPUTS; i++)
        append(buf, size, "%s %s", i ? "," : "; inputs", tg__node_text(t, in[i], one, sizeof one));
    if (n > NAMED_INPUTS) append(buf, size, ", ... (%u)", n);
    return buf;
}

tg_status tg__fail_node(tg_tape *t, tg_status status, uint32_t id, const char *format, ...) {
    const tg__node *n = &t->nodes[id];
    char text[640], inputs[TG__INPUTS_TEXT] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint32_t count;
    const uint32_t *in = tg__inputs(t, n, &count);
    if (!(n->flags & TG__IS_LEAF) && !n->op->source_fn) tg__inputs_text(t, in, count, inputs, sizeof inputs);
    const char *gradient = n->flags & TG__GRADIENT ? " (recorded by a gradient)" : "";
    return tg__fail(t, status, n->op->name, n->site, n->scope, "%s%s%s", text, inputs, gradient);
}

bool tg_ok(const tg_tape *t) { return t && t->base.kind == TG__OWNER_TAPE && !t->base.error.status; }

tg_status tg_error(const tg_tape *t) { return t ? t->base.error.status : TG_EARG; }

const char *tg_message(const tg_tape *t) { return t ? t->base.error.message : "the tape is NULL"; }

tg_error_info tg_error_get(const tg_tape *t) {
    if (!t) return (tg_error_info){TG_EARG, "", "", "", tg_message(t)};
    const tg__error *e = &t->base.error;
    return (tg_error_info){e->status, e->op, e->site ? e->site : "", e->scope, e->message};
}

void tg_clear(tg_tape *t) {
    if (t) t->base.error = (tg__error){0};
}
