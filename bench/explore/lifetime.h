/* SPDX-License-Identifier: MIT */
/* lifetime.h - no item is called back while a section lasts that began before it was retired. */
#ifndef BENCH_EXPLORE_LIFETIME_H
#define BENCH_EXPLORE_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

void lifetime_save(void);                        /* what is retired, and where each run begins                     */
void lifetime_begin(void);                       /* of a run                                                       */
void lifetime_restore(void);
void lifetime_section(uint32_t core, bool begins);       /* the outermost read section of that core                */

#endif
