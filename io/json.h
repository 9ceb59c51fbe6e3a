/* io/json.h: the part of JSON (RFC 8259) that file headers use: strings, counts, and single characters of punctuation.
 *
 * A library parser was measured and not taken: jansson 2.14 needs up to 73 bytes per byte of input, and when one allocation
 * fails it drops characters of names in silence or crashes. Here nothing is allocated and nothing recurses. */
#ifndef TG_JSON_H
#define TG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tg__json {
    const uint8_t *start, *at, *end;
    const char *error;       /* the first error, static storage; NULL: none */
    const uint8_t *error_at; /* where it is */
} tg__json;

/* Each skips white space first. Try: takes c if it is next, never an error. Expect: an error if it is not. */
bool tg__json_try(tg__json *j, char c);
bool tg__json_expect(tg__json *j, char c);

/* Decodes a string to *text, ends it with NUL, and moves *text behind that. It needs at most as many bytes as the string has in
 * the file. Returns the string, or NULL on an error: bad UTF-8, a control character, a bad escape, half a surrogate pair,
 * a NUL. */
const char *tg__json_string(tg__json *j, char **text);

/* An integer from 0 to 2^63 - 1: no sign, fraction, exponent or leading zero. */
bool tg__json_count(tg__json *j, uint64_t *value);

bool tg__json_fail(tg__json *j, const char *error); /* false */

/* The length of the valid UTF-8 character at p, 1 to 4; 0 if there is none. */
size_t tg__utf8_length(const uint8_t *p, const uint8_t *end);

#endif
