/* Errors of files: one message that names the file, the offset and the fault. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "file.h"

/* The end of a long path says more than its beginning. */
static const char *path_tail(const char *path, const char **dots) {
    const size_t most = 200;
    size_t n = strlen(path);
    *dots = n > most ? "..." : "";
    return n > most ? path + n - most : path;
}

tg_status tg__report_at(const tg__report *r, tg_status status, uint64_t offset, const char *format, ...) {
    if (!r->e) return status;
    r->e->status = status;
    const char *dots, *tail = path_tail(r->path ? r->path : "(no path)", &dots);
    char *text = r->e->message;
    size_t size = sizeof r->e->message;
    int n = offset == TG__NO_OFFSET ? snprintf(text, size, "%s%s: ", dots, tail)
                                    : snprintf(text, size, "%s%s: byte %" PRIu64 ": ", dots, tail, offset);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, size - (size_t)n, format, args);
    va_end(args);
    return status;
}

tg_status tg__report_errno(const tg__report *r, const char *step, int error) {
    char reason[128];
    if (strerror_r(error, reason, sizeof reason)) snprintf(reason, sizeof reason, "error %d", error);
    if (error == ENOMEM) return tg__report_at(r, TG_ENOMEM, TG__NO_OFFSET, "out of memory: cannot %s", step);
    return tg__report_at(r, TG_EIO, TG__NO_OFFSET, "cannot %s: %s", step, reason);
}

tg_status tg__report_nomem(const tg__report *r, uint64_t bytes) {
    return tg__report_at(r, TG_ENOMEM, TG__NO_OFFSET, "out of memory (%" PRIu64 " bytes were asked for)", bytes);
}

tg_status tg__report_ok(const tg__report *r) {
    if (r->e) *r->e = (tg_file_error){.status = TG_OK};
    return TG_OK;
}

const char *tg__quoted(char text[TG__QUOTED], const char *name) {
    const size_t room = TG__QUOTED - 6; /* quotes, dots, end */
    size_t n = strlen(name), shown = n;
    if (shown > room)
        for (shown = room; shown && ((unsigned char)name[shown] & 0xC0) == 0x80;) shown--;
    text[0] = '"';
    for (size_t i = 0; i < shown; i++) text[1 + i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7F ? '?' : name[i];
    strcpy(text + 1 + shown, shown < n ? "...\"" : "\"");
    return text;
}
