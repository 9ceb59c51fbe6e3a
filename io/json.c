#include "json.h"

bool tg__json_fail(tg__json *j, const char *error) {
    if (!j->error) {
        j->error = error;
        j->error_at = j->at;
    }
    return false;
}

static void skip_space(tg__json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r')) j->at++;
}

bool tg__json_try(tg__json *j, char c) {
    skip_space(j);
    if (j->at == j->end || *j->at != (uint8_t)c) return false;
    j->at++;
    return true;
}

bool tg__json_expect(tg__json *j, char c) {
    if (tg__json_try(j, c)) return true;
    switch (c) {
    case '{': return tg__json_fail(j, "expected '{'");
    case '}': return tg__json_fail(j, "expected '}' or ','");
    case '[': return tg__json_fail(j, "expected '['");
    case ']': return tg__json_fail(j, "expected ']' or ','");
    case ':': return tg__json_fail(j, "expected ':'");
    default: return tg__json_fail(j, "expected ','");
    }
}

static bool is_tail(const uint8_t *p, const uint8_t *end) { return p < end && (*p & 0xC0) == 0x80; }

/* The table of well-formed sequences: The Unicode Standard, section 3.9, table 3-7. */
size_t tg__utf8_length(const uint8_t *p, const uint8_t *end) {
    if (p >= end) return 0;
    uint8_t c = *p;
    if (c < 0x80) return 1;
    if (c < 0xC2 || c > 0xF4 || !is_tail(p + 1, end)) return 0;
    if (c < 0xE0) return 2;
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F)) return 0;
    if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F)) return 0;
    if (!is_tail(p + 2, end)) return 0;
    if (c < 0xF0) return 3;
    return is_tail(p + 3, end) ? 4 : 0;
}

static char *put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 63));
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool four_hex(tg__json *j, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = j->at < j->end ? hex_digit(*j->at) : -1;
        if (digit < 0) return tg__json_fail(j, "\\u needs four hexadecimal digits");
        *code = *code << 4 | (uint32_t)digit;
        j->at++;
    }
    return true;
}

static bool unicode_escape(tg__json *j, uint32_t *code) {
    uint32_t low;
    if (!four_hex(j, code)) return false;
    if (*code == 0) return tg__json_fail(j, "a string contains NUL");
    if (*code < 0xD800 || *code > 0xDFFF) return true;
    if (*code > 0xDBFF) return tg__json_fail(j, "half a surrogate pair");
    if (j->end - j->at < 2 || j->at[0] != '\\' || j->at[1] != 'u') return tg__json_fail(j, "half a surrogate pair");
    j->at += 2;
    if (!four_hex(j, &low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return tg__json_fail(j, "half a surrogate pair");
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

static bool escape(tg__json *j, char **out) {
    uint32_t code;
    switch (j->at < j->end ? *j->at++ : 0) {
    case '"': code = '"'; break;
    case '\\': code = '\\'; break;
    case '/': code = '/'; break;
    case 'b': code = '\b'; break;
    case 'f': code = '\f'; break;
    case 'n': code = '\n'; break;
    case 'r': code = '\r'; break;
    case 't': code = '\t'; break;
    case 'u':
        if (!unicode_escape(j, &code)) return false;
        break;
    default: return tg__json_fail(j, "an unknown escape");
    }
    *out = put_utf8(*out, code);
    return true;
}

static bool string_body(tg__json *j, char **out) {
    while (j->at < j->end && *j->at != '"') {
        if (*j->at < 0x20) return tg__json_fail(j, "a control character in a string");
        if (*j->at == '\\') {
            j->at++;
            if (!escape(j, out)) return false;
            continue;
        }
        size_t n = tg__utf8_length(j->at, j->end);
        if (n == 0) return tg__json_fail(j, "not UTF-8");
        while (n--) *(*out)++ = (char)*j->at++;
    }
    if (j->at == j->end) return tg__json_fail(j, "a string does not end");
    j->at++;
    return true;
}

const char *tg__json_string(tg__json *j, char **text) {
    const char *string = *text;
    if (!tg__json_try(j, '"')) {
        tg__json_fail(j, "expected a string");
        return NULL;
    }
    if (!string_body(j, text)) return NULL;
    *(*text)++ = 0;
    return string;
}

static bool is_digit(const tg__json *j) { return j->at < j->end && *j->at >= '0' && *j->at <= '9'; }

bool tg__json_count(tg__json *j, uint64_t *value) {
    skip_space(j);
    *value = 0;
    if (!is_digit(j)) return tg__json_fail(j, "expected a non-negative integer");
    bool zero = *j->at == '0';
    while (is_digit(j)) {
        uint64_t digit = *j->at - (uint64_t)'0';
        if (*value > (INT64_MAX - digit) / 10) return tg__json_fail(j, "an integer above 2^63 - 1");
        *value = *value * 10 + digit;
        j->at++;
        if (zero) break;
    }
    if (is_digit(j)) return tg__json_fail(j, "an integer with a leading zero");
    if (j->at < j->end && (*j->at == '.' || *j->at == 'e' || *j->at == 'E'))
        return tg__json_fail(j, "expected a non-negative integer, not a fraction");
    return true;
}
