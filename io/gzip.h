/* io/gzip.h: a stream over bytes in memory, plain or gzip (RFC 1952, any number of members). */
#ifndef TG_GZIP_H
#define TG_GZIP_H

#include "file.h"

bool tg__is_gzip(const uint8_t *bytes, size_t size);

/* Unpacked bytes come in order. After a successful begin, end must be called. */
typedef struct tg__unpacker tg__unpacker;
tg_status tg__unpack_begin(tg__unpacker **u, const uint8_t *bytes, size_t size, const tg__report *r);
/* Fills out with up to n bytes. *got < n only at the end of a sound stream, whose checksums were then verified. */
tg_status tg__unpack(tg__unpacker *u, void *out, size_t n, size_t *got);
void tg__unpack_end(tg__unpacker *u);

#endif
