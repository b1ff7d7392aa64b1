/* SPDX-License-Identifier: MIT */
/*
 * undo.h - the engine, its memory and its cores as they were at a mark: bit for bit, so that what is tried after the
 * mark depends on nothing that was tried before it.
 *
 * Every store of the engine is told before it happens (access.h), so its old bytes can be kept: a log. Going back
 * writes them, newest first. Memory that mem_alloc gives comes from one area, ascending, and is never given twice
 * between two returns; going back lowers its end. Cores are pictures (core.h). Marks nest.
 *
 * Between a mark and the return to it the engine runs on cores only (a log of the program's own stack would be played
 * back into it), and gives back nothing that it has reserved (mem_reserve).
 */
#ifndef BENCH_SIM_UNDO_H
#define BENCH_SIM_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core_picture;

struct undo_mark {
	size_t log, blocks;
	uintptr_t area;
	struct core_picture *cores;
};

/* Before the first instance. */
void undo_begin(void);
/* Each store of a listener's `before`, but those to the running core's own stack. */
void undo_store(uintptr_t at, size_t bytes);
/* By CORE_MAIN, while nobody else runs. */
void undo_take(struct undo_mark *mark);
void undo_back(const struct undo_mark *mark);    /* the mark stays                                                 */
void undo_drop(struct undo_mark *mark);          /* frees what the mark itself needs                               */

#endif
