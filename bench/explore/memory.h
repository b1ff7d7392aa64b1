/* SPDX-License-Identifier: MIT */
/*
 * memory.h - the engine's memory under exploration: told stores are undone, freed memory is watched, words are known.
 *
 * All that the engine allocates comes from one arena at a fixed address, so that addresses, and what depends on them,
 * are the same in each run. memory_save marks a state; from there on each store that memory_store is told of is logged
 * with the bytes that stood there, and memory_restore puts them back, newest first. What is freed is not given out
 * again before memory_restore: a touch of it is told by memory_freed.
 *
 * A *word* is an aligned piece of eight bytes: what is known of it over all runs of a scenario (who ever touched it),
 * and in the present run. Words that only one core touches, or that nobody writes, are no scheduling points.
 */
#ifndef BENCH_EXPLORE_MEMORY_H
#define BENCH_EXPLORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	uintptr_t key;                   /* address / 8; 0: none                                                    */
	uint32_t run;                    /* the run that `cores`, `writers` are of                                  */
	uint32_t freed_in;               /* the run in which it was freed                                           */
	uint8_t ever_cores, ever_writers;        /* a bit per core, over all runs                                   */
	uint8_t cores, writers;          /* the same, of this run                                                   */
	bool conflict;                   /* two cores touch it, one of them writes                                  */
	bool ignored;                    /* statistics of the test points                                           */
};

void memory_begin(void);                         /* before the engine's first allocation                           */
void memory_save(void);
void memory_restore(void);                       /* also begins the next run                                       */
void memory_store(uintptr_t at, size_t bytes);   /* before that store                                              */
struct word *memory_word(uintptr_t at);
uint32_t memory_word_number(const struct word *w);       /* below MEMORY_WORDS                                     */
struct word *memory_word_at(uint32_t number);
uint32_t memory_run(void);                       /* number of the present run, from 1                              */
static inline bool memory_freed(const struct word *w, uint32_t run) { return w->freed_in == run; }
bool memory_is_arena(uintptr_t at);
/* Where memory for VMAs was given out: [*lo, *hi); false past the last. */
bool memory_vma_slab(unsigned i, uintptr_t *lo, uintptr_t *hi);

#define MEMORY_WORDS (1u << 18)

#endif
