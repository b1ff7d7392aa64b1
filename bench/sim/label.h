/* SPDX-License-Identifier: MIT */
/*
 * label.h - addresses of the engine as what they are: type and field, never a number.
 *
 *   vma.slot.lk  vtree_leaf.word  vtree_inner.bound[].best  pt_table.word[]  physmem.depot
 *   range_thread.lock[].queue.word  frame.word[]  frame.bytes  thread.c:slot_of[].rcu_word (a variable)
 *
 * Of an array no index is told: labels say what kind of thing two cores meet on. Names are those of the sources, read
 * from the debug information (debug.h); here is only what that cannot know: which type a block of the engine's memory
 * (heap.h) has. Blocks of per-slot tables are told by the table, arrays of a pool by the size of their elements.
 */
#ifndef BENCH_SIM_LABEL_H
#define BENCH_SIM_LABEL_H

#include <stddef.h>
#include <stdint.h>

struct debug_type;
struct heap_block;

/* A name that stays valid and is one pointer for equal names; NULL: unknown. Of a stack: "stack". */
const char *label_of(uintptr_t at);

/* What stands at offset `at` of this block: its type and, in *offset, where in it that is. NULL: memory without fields
 * (*name says what), or unknown (*name NULL). */
const struct debug_type *label_block(const struct heap_block *block, size_t at, size_t *offset, const char **name);

#endif
