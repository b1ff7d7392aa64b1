/* SPDX-License-Identifier: MIT */
/*
 * words.h - what is known of each aligned piece of eight bytes: over all runs of a scenario, who ever touched it; in
 * the present run, who does, and whether it was freed. Words that only one core touches, or that nobody writes, are no
 * scheduling points. Where words lie: undo.h. What a core does in its own stack is not looked at; what is thread-local
 * is its own, too.
 */
#ifndef BENCH_EXPLORE_WORDS_H
#define BENCH_EXPLORE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/sim/undo.h"

struct word {
	uint32_t run;                    /* the run that `cores`, `writers` are of                                  */
	uint32_t freed_in;               /* the run in which it was freed                                           */
	uint8_t ever_cores, ever_writers;        /* a bit per core, over all runs                                   */
	uint8_t cores, writers;          /* the same, of this run                                                   */
	uint32_t number : 30;            /* of those that cores have touched, from 1; below WORDS_MAX               */
	uint32_t conflict : 1;           /* two cores touch it, one of them writes                                  */
	uint32_t ignored : 1;            /* statistics of the test points                                           */
};

#define WORDS_MAX (1u << 18)

extern struct word *words;                       /* by undo_word()                                                  */
extern uint32_t words_run;                       /* number of the present run, from 1                               */

/* NULL: a core's own. */
static inline struct word *word_of(uintptr_t at)
{
	uint32_t i = undo_word(at);

	return i == UNDO_NOWHERE ? NULL : &words[i];
}

void words_begin(void);                          /* once, behind undo_begin                                         */
void words_next_run(void);
void word_first_touch(struct word *w);           /* gives it its number                                             */

#endif
