/* tapegrad/io.h: files: models and named arrays (safetensors), data sets (IDX, plain or gzip).
 *
 * Reading trusts nothing: every size is compared with the bytes that are there before memory of that size is taken, and a file
 * that breaks a rule of its format is a named error. Writing is crash-safe: a temporary file in the same folder is written,
 * flushed to the disk and renamed, so that at every moment the path holds the old file or the new one, whole. (What stands at
 * the path must be a regular file; a symbolic link is replaced, not followed.)
 *
 * Errors: these functions return a status, and fill *e if e is not NULL: TG_OK and "" on success, else the status and a message
 * that names the file and, where it makes sense, the byte offset in it. Nothing else changes on an error.
 *
 * Threads: each function may be called from any number of threads at once. tg_save holds the model shared while it writes,
 * tg_load exclusively while it copies. */
#ifndef TAPEGRAD_IO_H
#define TAPEGRAD_IO_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_file_error {
    tg_status status;
    char message[512];
} tg_file_error;

/* ------------------------------------------------------------------ arrays that you own */

/* Elements read from a file: packed, row-major, 64-byte aligned. Free with tg_blob_free. */
typedef struct tg_blob {
    tg_dtype dtype;
    tg_shape shape;
    void *data;
} tg_blob;

/* tg_blob_array: the blob as an array for tg_input and its like; valid until the blob is freed. NULL gives an empty f32 array.
 * tg_blob_free: frees the elements and zeroes the blob; NULL and a zeroed blob are allowed. */
TG_EXPORT tg_array tg_blob_array(const tg_blob *b);
TG_EXPORT void tg_blob_free(tg_blob *b);

/* ------------------------------------------------------------------ IDX: the format of MNIST */

/* tg_read_idx: reads an IDX file, plain or gzip (told apart by the first two bytes).
 * Shapes:    as the file says: rank 0 to 8, each dimension below 2^32
 * Dtypes:    u8, i32, f32, f64; the format's i8 and i16 are TG_EDTYPE
 * Success:   *out owns the elements; the caller frees it with tg_blob_free
 * Errors:    TG_EIO if the file cannot be read; TG_EFORMAT for a wrong magic number, a size that does not match the bytes,
 *            damaged or truncated gzip data, bytes after the end; TG_EDTYPE; TG_ESHAPE for a rank above 8; TG_ENOMEM;
 *            TG_EUNSUPPORTED for gzip in a build without zlib; TG_EARG for NULL. *out is then zeroed
 * Source:    http://yann.lecun.com/exdb/mnist/, "The IDX file format"; RFC 1952 (gzip) */
TG_EXPORT tg_status tg_read_idx(const char *path, tg_blob *out, tg_file_error *e);

/* ------------------------------------------------------------------ safetensors: named arrays */

typedef struct tg_named_array {
    const char *name;
    tg_array array;
} tg_named_array;

typedef struct tg_named_blob {
    char *name;
    tg_blob blob;
} tg_named_blob;

/* What tg_load_arrays gives: names and elements, owned by the list, in the order of the file's data. */
typedef struct tg_array_list {
    int n;
    tg_named_blob *items;
} tg_array_list;

/* tg_save_arrays: writes n arrays as one safetensors file: sorted and padded as the reference implementation does, with the
 *   metadata format ("tapegrad"), version and xxh3, a checksum of all names, shapes, types, metadata and elements. It finds
 *   accidents, not attackers.
 * Names:     unique, UTF-8, not "__metadata__", at most 65,535 bytes
 * Success:   the file at path is replaced as a whole. The arrays are only read while the call runs
 * Errors:    TG_EARG for NULL or a bad name; TG_ESHAPE; TG_EDTYPE; TG_EIO, naming the step that failed and the system's reason;
 *            TG_ENOMEM. The file at path is then as it was, and no temporary file is left; only when the folder itself cannot
 *            be flushed at the very end (TG_EIO, the message says so) the new file already stands at path, whole
 * Source:    https://github.com/huggingface/safetensors (format); XXH3 with 128 bits, canonical form, hexadecimal */
TG_EXPORT tg_status tg_save_arrays(const char *path, const tg_named_array *items, int n, tg_file_error *e);

/* tg_load_arrays: reads a safetensors file, whoever wrote it.
 * Success:   *out owns all names and elements; free with tg_array_list_free
 * Errors:    TG_EIO; TG_EFORMAT if any rule of the format is broken, the checksum of a file of tapegrad does not match, or a
 *            newer tapegrad wrote it; TG_EDTYPE for element types that tapegrad does not have (i16, ...); TG_ESHAPE for a rank
 *            above 8; TG_ENOMEM; TG_EARG for NULL. *out is then zeroed
 * tg_array_list_find: the blob of that name, owned by the list; NULL if there is none.
 * tg_array_list_free: frees all and zeroes the list; NULL and a zeroed list are allowed. */
TG_EXPORT tg_status tg_load_arrays(const char *path, tg_array_list *out, tg_file_error *e);
TG_EXPORT const tg_blob *tg_array_list_find(const tg_array_list *list, const char *name);
TG_EXPORT void tg_array_list_free(tg_array_list *list);

/* ------------------------------------------------------------------ safetensors: models */

/* tg_save: writes all parameters and buffers of the model, in the file format of tg_save_arrays.
 * Success:   the file at path is replaced as a whole
 * Errors:    as tg_save_arrays; TG_EARG also if the model is in an error state */
TG_EXPORT tg_status tg_save(const tg_model *m, const char *path, tg_file_error *e);

/* tg_load: overwrites all parameters and buffers of the model from a file. Names, shapes and dtypes must match exactly. (To
 * take some of them: tg_load_arrays, tg_model_find, tg_param_write.) To go on with training exactly, save the optimizer's
 * state (tg_optim_state) beside the model, and the tape's random numbers (tg_random_get) if the program draws any.
 * Success:   every parameter and buffer has the file's elements; tapes that read them before and run later get TG_ECHANGED
 * Errors:    as tg_load_arrays; TG_EARG if the file lacks a tensor of the model or has one that the model does not know,
 *            TG_ESHAPE and TG_EDTYPE if one differs, all naming the first such tensor; TG_EARG if the model is in an error
 *            state. The model is then unchanged */
TG_EXPORT tg_status tg_load(tg_model *m, const char *path, tg_file_error *e);

#ifdef __cplusplus
}
#endif
#endif
