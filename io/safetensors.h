/* io/safetensors.h: the safetensors format in memory, without tapes and models.
 *
 * A file: 8 bytes N, little-endian; N bytes of JSON, beginning with '{' and padded with spaces; the elements. The JSON maps
 * each name to {"dtype", "shape", "data_offsets": [begin, end]}, with offsets counted from the end of the JSON, and
 * "__metadata__" to strings by strings.
 * Source: https://github.com/huggingface/safetensors (README, and the rules of its reader). */
#ifndef TG_SAFETENSORS_H
#define TG_SAFETENSORS_H

#include "file.h"

#define TG__ST_MOST_HEADER 100000000u
#define TG__ST_MOST_TENSORS 1000000u
#define TG__ST_MOST_PAIRS 100000u
#define TG__ST_METADATA "__metadata__"

/* X(name, bits, tg_dtype or -1 where tapegrad has none): the element types in the order of the reference, from which the order
 * of tensors in a file follows. */
#define TG__ST_DTYPE_MAP(X) \
    X("BOOL", 8, TG_BOOL)   \
    X("F4", 4, -1)          \
    X("F6_E2M3", 6, -1)     \
    X("F6_E3M2", 6, -1)     \
    X("U8", 8, TG_U8)       \
    X("I8", 8, -1)          \
    X("F8_E5M2", 8, -1)     \
    X("F8_E4M3", 8, -1)     \
    X("F8_E8M0", 8, -1)     \
    X("F8_E4M3FNUZ", 8, -1) \
    X("F8_E5M2FNUZ", 8, -1) \
    X("I16", 16, -1)        \
    X("U16", 16, -1)        \
    X("F16", 16, TG_F16)     \
    X("BF16", 16, TG_BF16)   \
    X("I32", 32, TG_I32)    \
    X("U32", 32, -1)        \
    X("F32", 32, TG_F32)    \
    X("C64", 64, -1)        \
    X("F64", 64, TG_F64)    \
    X("I64", 64, TG_I64)    \
    X("U64", 64, -1)

typedef struct tg__st_dtype {
    const char *name;
    uint16_t bits;
    int16_t dtype; /* a tg_dtype, or -1 */
} tg__st_dtype;
extern const tg__st_dtype tg__st_dtypes[];

typedef struct tg__st_entry {
    const char *name;
    const void *data;    /* the elements, packed; in a parsed file not aligned, and little-endian */
    uint64_t begin, end; /* bytes of the data section */
    int64_t dims[TG_MAX_RANK];
    uint32_t at; /* parsed: where the name stands in the file, for messages */
    uint8_t rank, dtype; /* index into tg__st_dtypes */
} tg__st_entry;

typedef struct tg__st_pair {
    const char *key, *value;
} tg__st_pair;

/* One file. Entries are in the order of their data; parsed: also by name, and pairs sorted by key. */
typedef struct tg__st_table {
    tg__st_entry *entries;
    tg__st_entry **by_name; /* NULL in a built table */
    tg__st_pair *pairs;
    char *text; /* holds the strings of a parsed table */
    uint64_t data_size;
    uint32_t n, cap, n_pairs, cap_pairs;
    bool has_metadata;
} tg__st_table;

/* Reads the table of a whole file in memory, which must outlive the table. On an error the table is empty. */
tg_status tg__st_parse(const uint8_t *bytes, size_t size, tg__st_table *t, const tg__report *r);

/* Makes the table of a file to be written: checks the items, sorts them, gives each its place. Names and elements stay the
 * caller's. */
tg_status tg__st_build(const tg_named_array *items, int n, tg__st_table *t, const tg__report *r);

void tg__st_free(tg__st_table *t);

const tg__st_entry *tg__st_find(const tg__st_table *t, const char *name); /* of a parsed table; NULL: none */
const char *tg__st_value(const tg__st_table *t, const char *key);         /* of the metadata; NULL: none */
tg_shape tg__st_shape(const tg__st_entry *e);

/* The first 8 + N bytes of the file; free with tg__free. */
tg_status tg__st_header(const tg__st_table *t, uint8_t **bytes, size_t *size, const tg__report *r);

/* Gives the data section to a sink, in order; stops at the first status that is not TG_OK and returns it. */
typedef tg_status (*tg__sink)(void *to, const void *bytes, size_t n);
tg_status tg__st_put_data(const tg__st_table *t, tg__sink sink, void *to);

/* The checksum of a table's content as 32 hexadecimal digits, which content_hash.c defines. */
#define TG__HASH_TEXT 33
tg_status tg__st_content_hash(const tg__st_table *t, char text[TG__HASH_TEXT], const tg__report *r);

#endif
