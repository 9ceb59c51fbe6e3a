/* The public functions of pictures and saved graphs. */
#include <errno.h>

#include "graph.h"

static const tg_graph_options defaults;

static tg_status write_file(FILE *file, const tg__text *text) {
    errno = 0;
    bool good = fwrite(text->at, 1, text->n, file) == text->n && !fflush(file) && !ferror(file);
    return good ? TG_OK : TG_EIO;
}

static bool options_good(const tg_graph_options *o) { return !o->outputs || o->n_outputs > 0; }

static tg_status check(tg_tape *t, const tg_graph_options *o, const char *function) {
    if (tg_error(t)) return tg_error(t);
    if (!options_good(o))
        return tg__fail(t, TG_EARG, function, NULL, 0, "outputs are given, and n_outputs is %d", o->n_outputs);
    return TG_OK;
}

tg_status tg_graph_write(tg_tape *t, FILE *file, const tg_graph_options *o) {
    if (!t) return TG_EARG;
    if (!o) o = &defaults;
    if (check(t, o, "graph_write")) return tg_error(t);
    if (!file) return tg__fail(t, TG_EARG, "graph_write", NULL, 0, "the file is NULL");
    tg__graph g = {0};
    tg__text dot = {0};
    if (!tg__graph_from_tape(&g, t, o, "graph_write")) {
        if (!tg__graph_dot(&g, o, &dot))
            tg__fail_nomem(t, "graph_write", NULL);
        else if (write_file(file, &dot))
            tg__fail(t, TG_EIO, "graph_write", NULL, 0, "cannot write: %s", tg_status_text(TG_EIO));
    }
    tg__text_free(&dot);
    tg__graph_free(&g);
    return tg_error(t);
}

static tg_status save(const tg__report *r, const tg__text *text) {
    tg__atomic_file file;
    tg_status status = tg__atomic_begin(&file, r);
    if (!status) status = tg__atomic_write(&file, text->at, text->n);
    return status ? status : tg__atomic_commit(&file);
}

tg_status tg_tape_save(tg_tape *t, const char *path, const tg_graph_options *o) {
    if (!t) return TG_EARG;
    if (!o) o = &defaults;
    if (check(t, o, "tape_save")) return tg_error(t);
    if (!path) return tg__fail(t, TG_EARG, "tape_save", NULL, 0, "the path is NULL");
    tg__graph g = {0};
    tg__text text = {0};
    tg_file_error e = {TG_OK, ""};
    tg__report r = {path, &e};
    if (!tg__graph_from_tape(&g, t, o, "tape_save")) {
        tg__graph_to_file(&g, &text);
        if (text.failed)
            tg__fail_nomem(t, "tape_save", NULL);
        else if (save(&r, &text))
            tg__fail(t, e.status, "tape_save", NULL, 0, "%s", e.message);
    }
    tg__text_free(&text);
    tg__graph_free(&g);
    return tg_error(t);
}

static tg_status draw(const tg__report *r, const uint8_t *bytes, size_t n, FILE *out, const tg_graph_options *o) {
    tg__graph g = {0};
    tg__text dot = {0};
    tg_status status = tg__graph_parse(&g, r, bytes, n);
    if (!status && !tg__graph_dot(&g, o, &dot)) status = tg__report_nomem(r, n);
    if (!status && write_file(out, &dot)) status = tg__report_errno(r, "write its picture", errno ? errno : EIO);
    tg__text_free(&dot);
    tg__graph_free(&g);
    return status;
}

tg_status tg_graph_draw(const char *path, FILE *out, const tg_graph_options *o, char *message, size_t message_size) {
    tg_file_error e = {TG_OK, ""};
    tg__report r = {path, &e};
    uint8_t *bytes = NULL;
    size_t n = 0;
    tg_status status;
    if (!o) o = &defaults;
    if (!path || !out)
        status = tg__report_at(&r, TG_EARG, TG__NO_OFFSET, "the path or the file to write to is NULL");
    else
        status = tg__read_file(&r, &bytes, &n);
    if (!status) status = draw(&r, bytes, n, out, o);
    tg__free(bytes);
    if (message && message_size) snprintf(message, message_size, "%s", e.message);
    return status;
}
