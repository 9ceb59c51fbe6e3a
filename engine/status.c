/* Names of statuses and dtypes, expanded from their tables. */
#include "engine.h"

const char *tg_status_name(tg_status s) {
    static const char *const names[] = {
#define TG__ROW(name, text) "TG_" #name,
        TG_STATUS_MAP(TG__ROW)
#undef TG__ROW
    };
    return (unsigned)s < TG_STATUS_COUNT ? names[s] : "?";
}

const char *tg_status_text(tg_status s) {
    static const char *const texts[] = {
#define TG__ROW(name, text) text,
        TG_STATUS_MAP(TG__ROW)
#undef TG__ROW
    };
    return (unsigned)s < TG_STATUS_COUNT ? texts[s] : "?";
}

const char *tg_dtype_name(tg_dtype d) {
    static const char *const names[] = {
#define TG__ROW(name, text, type, bytes) text,
        TG_DTYPE_MAP(TG__ROW)
#undef TG__ROW
    };
    return (unsigned)d < TG_DTYPE_COUNT ? names[d] : "?";
}

const uint8_t tg__dtype_sizes[TG_DTYPE_COUNT] = {
#define TG__ROW(name, text, type, bytes) bytes,
    TG_DTYPE_MAP(TG__ROW)
#undef TG__ROW
};

size_t tg_dtype_size(tg_dtype d) { return (unsigned)d < TG_DTYPE_COUNT ? tg__dtype_sizes[d] : 0; }

bool tg_dtype_is_float(tg_dtype d) { return d == TG_F32 || d == TG_F64; }

const char *tg_version(void) { return TG_VERSION; }
