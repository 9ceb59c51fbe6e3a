#include "planner.h"
/* until plans are there */
void tg__planner_free(tg_tape *t) { (void)t; }
void tg__planner_forget(tg_tape *t) { (void)t; }
tg_status tg__execute(tg_tape *t, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots, const char *site) {
    (void)site;
    return mode == TG__STEP ? tg__plain_step(t) : tg__plain_run(t, roots, n_roots, false);
}
