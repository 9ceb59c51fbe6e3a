#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/alloc.h"

void tg__text_bytes(tg__text *t, const char *bytes, size_t n) {
    uint64_t need = (uint64_t)t->n + n;
    if (!t->failed && need > t->cap) t->failed = need > UINT32_MAX / 2 || !tg__grow(&t->at, &t->cap, need, 1);
    if (t->failed || !n) return;
    memcpy(t->at + t->n, bytes, n);
    t->n += (uint32_t)n;
}

void tg__text_add(tg__text *t, const char *text) { tg__text_bytes(t, text, strlen(text)); }

void tg__text_format(tg__text *t, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0) tg__text_bytes(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void tg__text_free(tg__text *t) {
    tg__free(t->at);
    *t = (tg__text){0};
}
