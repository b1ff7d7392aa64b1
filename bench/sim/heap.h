/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what the engine has allocated, seen by the linker's --wrap of base/mem's functions: which block an address
 * lies in, what for and how large. The wrappers do nothing else; memory comes from where mem_set_functions says.
 */
#ifndef BENCH_SIM_HEAP_H
#define BENCH_SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"
#include "base/thread.h"

struct heap_block {
	uintptr_t at;
	size_t bytes, align;                     /* align 0: reserved (mem_reserve)                                */
	enum mem_purpose purpose;
	const struct thread_local_table *table;  /* NULL, or: thread_local_make of this table asked for it         */
};

/* NULL, or told after each block that comes, before each that goes. */
struct heap_listener {
	void (*came)(const struct heap_block *block);
	void (*goes)(const struct heap_block *block);
};
extern const struct heap_listener *heap_listener;
/* Blocks that go stay known: for who gives each address out once (undo.c). */
extern bool heap_keeps;

/* The block that this address lies in; NULL: none of the engine's. */
const struct heap_block *heap_at(uintptr_t at);
/* Calls fn for each block, ascending. */
void heap_each(void (*fn)(const struct heap_block *block, void *arg), void *arg);

/* ---- for undo.c ---- */
bool heap_reserving(void);                       /* the calling core is in mem_reserve                             */
void heap_remove(uintptr_t at);                  /* as if the block that begins there had never come               */
void heap_settle(void);                          /* no core is in the middle of an allocation any more             */

#endif
