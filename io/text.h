/* io/text.h: a text that grows. Running out of memory is remembered, so that a writer checks once, at its end. */
#ifndef TG_TEXT_H
#define TG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapegrad/core.h"

typedef struct tg__text {
    char *at;
    uint32_t n, cap;
    bool failed;
} tg__text;

void tg__text_bytes(tg__text *t, const char *bytes, size_t n);
void tg__text_add(tg__text *t, const char *text);
void tg__text_format(tg__text *t, const char *format, ...) TG_PRINTF(2, 3); /* at most 255 bytes */
void tg__text_free(tg__text *t);

#endif
