/* io/retry.h: what repeated system calls share. */
#ifndef TG_RETRY_H
#define TG_RETRY_H

#include <errno.h>

#include "file.h"

#define TG__MOST_AT_ONCE ((size_t)1 << 30) /* Linux moves at most 2^31 - 4096 bytes a call */
#define TG__MOST_TRIES 100                 /* so that a system that always says EINTR is an error and not a hang */

/* After a failed call: whether a signal was the reason and it should be tried again. */
static inline bool tg__interrupted(int *tries) { return errno == EINTR && ++*tries < TG__MOST_TRIES; }

#endif
