/* SPDX-License-Identifier: MIT */
/* count.h - logs each write to an atomic word by the calling thread (base/atomic.h, builds with VMMAP_COUNT_WRITES). */
#ifndef BASE_COUNT_H
#define BASE_COUNT_H

#include <stdbool.h>

bool atomic_count_available(void);
/* From now on calls fn(address of the word, arg) before each atomic write of this thread; what fn writes is left out.
 * Without VMMAP_COUNT_WRITES nothing is ever reported. Do not stop from inside fn. */
void atomic_count_start(void (*fn)(const volatile void *where, void *arg), void *arg);
void atomic_count_stop(void);

#endif
