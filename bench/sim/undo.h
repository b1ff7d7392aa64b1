/* SPDX-License-Identifier: MIT */
/*
 * undo.h - the engine, its memory and its cores as they were at a mark: bit for bit, so that what is tried after the
 * mark depends on nothing that was tried before it.
 *
 * Every store of the engine is told before it happens (access.h), so its old bytes can be kept: a log. Going back
 * writes them, newest first. Memory that the engine allocates or reserves comes from one area at a fixed address,
 * ascending, and is never given twice between two returns; going back lowers its end. Cores are pictures (core.h).
 * Marks nest.
 *
 * Between a mark and the return to it the engine runs on cores; CORE_MAIN may run it, too, if it leaves out what it
 * stores to its own stack (the log would be played back into that).
 */
#ifndef BENCH_SIM_UNDO_H
#define BENCH_SIM_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "bench/sim/core.h"

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
/* By whoever runs, and is CORE_MAIN then; its stack and registers go on as they are. The mark stays. */
void undo_back(const struct undo_mark *mark);
void undo_drop(struct undo_mark *mark);          /* frees what the mark itself needs                               */
/* Of all that differs from the mark: equal states have equal sums, others, but for 1 in 2^64, have not. */
uint64_t undo_sum(const struct undo_mark *mark);

/* ---- numbers of words: for tables of who knows more about them ---- */

#define UNDO_AREA       UINT64_C(0x200000000000)
#define UNDO_AREA_BYTES (UINT64_C(1) << 30)
#define UNDO_NOWHERE    UINT32_MAX

extern char __data_start[], _end[];              /* the linker's: the program's variables                          */

/* Of the eight bytes around `at`, which lie in the area, in the program's variables or in a core's stack; UNDO_NOWHERE:
 * in CORE_MAIN's stack, in what is thread-local, in libc's memory. */
static inline uint32_t undo_word(uintptr_t at)
{
	uintptr_t variables = (uintptr_t)__data_start & ~(uintptr_t)7;

	if (likely(at - UNDO_AREA < UNDO_AREA_BYTES))
		return (uint32_t)((at - UNDO_AREA) >> 3);
	if (at - variables < (uintptr_t)_end - variables)
		return (uint32_t)((UNDO_AREA_BYTES + CORE_STACKS_BYTES + (at - variables)) >> 3);
	if (at - CORE_STACKS < CORE_STACKS_BYTES)
		return (uint32_t)((UNDO_AREA_BYTES + (at - CORE_STACKS)) >> 3);
	return UNDO_NOWHERE;
}

void *undo_word_table(size_t bytes);             /* of zeroes, `bytes` for each word; only what is used costs memory */

#endif
