/* SPDX-License-Identifier: MIT */
/* names.h - strace's symbols as numbers. */
#ifndef STRESS_REPLAY_NAMES_H
#define STRESS_REPLAY_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum name_kind { NAME_PROT, NAME_MAP, NAME_MREMAP, NAME_MADVISE };

/* "A|B|0x20" (n bytes) to bits; names of the kind that mean nothing to the engine are dropped and set *odd. -1: not
 * understood. */
int names_flags(enum name_kind kind, const char *text, size_t n, bool *odd);
int names_errno(const char *text, size_t n);     /* "ENOMEM" to 12; 0: unknown                                     */

#endif
