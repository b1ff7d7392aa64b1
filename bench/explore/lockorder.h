/* SPDX-License-Identifier: MIT */
/*
 * lockorder.h - who holds which addresses, and who waits for which: kept from what the engine's locks do, not from what
 * they believe (locks/rank.h, whose ASSERTs are not needed here).
 *
 * RULE 1   A core that waits for an address holds nothing at or above it.
 * RULE 2   No core waits for itself by way of others: wanted -> holder -> what that one waits for -> ...
 * A run that breaks one has failed. What is held is told by view->claim and view->pass (locks/view.h), which every
 * range of the policies that lock in the tree goes through (vma, vma-count, pt-lock's edits of the tree): hand-over
 * included, and an acquisition that is half done as well. A core waits when it sleeps, yields or naps in range_wait.
 * Not seen: range locks beside the map, one lock for all, and sections of leaves (whoever is in one waits for nobody).
 */
#ifndef BENCH_EXPLORE_LOCKORDER_H
#define BENCH_EXPLORE_LOCKORDER_H

#include <stdint.h>

void lockorder_save(void);                       /* what is held where each run begins                             */
void lockorder_restore(void);
void lockorder_waits(uint32_t core);             /* it asks the kernel to let others run, whatever for             */

#endif
