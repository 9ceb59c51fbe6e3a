/* io/signed_file.h: safetensors files as tapegrad writes them: with its metadata and checksum. */
#ifndef TG_SIGNED_FILE_H
#define TG_SIGNED_FILE_H

#include "safetensors.h"

/* Writes the arrays to a begun file; they are not read any more afterwards. On an error the file is discarded. */
tg_status tg__write_signed(tg__atomic_file *f, const tg_named_array *items, int n);

/* Reads and checks a whole file: format, checksum (if it is ours), element types. The table points into *bytes; free both. */
tg_status tg__read_signed(const tg__report *r, uint8_t **bytes, tg__st_table *t);

/* Copies an entry's elements to memory in this machine's byte order. */
void tg__st_copy(void *to, const tg__st_entry *e);

#endif
