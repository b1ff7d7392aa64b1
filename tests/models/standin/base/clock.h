/* SPDX-License-Identifier: MIT */
/* clock.h - stands in for base/clock.h in the models: time stands still, deadlines end sleeps when they like. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

static inline uint64_t clock_ns(void) { return 1; }

#endif
