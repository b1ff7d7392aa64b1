/* SPDX-License-Identifier: MIT */
/*
 * call.h - a command of a script as it is carried out: its words, what it says when it does not work.
 *
 * A command returns 0, or what one of these returns: call_mistake, the script's: it cannot mean anything; call_refused,
 * what the machine does not do, by an errno, which `fails ERRNO command` expects; call_unmet: a figure or a content is
 * not as it should be.
 */
#ifndef BENCH_PHYSMEM_CALL_H
#define BENCH_PHYSMEM_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "bench/physmem/board.h"

#define CALL_WORDS   32u
#define CALL_MISTAKE 1
#define CALL_UNMET   2

struct call {
	struct board *board;
	FILE *out;                                       /* what it prints                                         */
	char *word[CALL_WORDS], *option[CALL_WORDS];     /* the command's name first; "key=value"                  */
	unsigned words, options;
	char cause[512], remedy[512];                    /* of a call that did not work; "": no remedy             */
};

/* Splits text, in place, into words and options. False: too many. */
bool call_split(struct call *c, char *text);

int call_mistake(struct call *c, const char *remedy, const char *cause, ...) PRINTF_LIKE(3, 4);
int call_unmet(struct call *c, const char *remedy, const char *cause, ...) PRINTF_LIKE(3, 4);
/* err: -errno, which is returned. The cause gets the errno's name behind it. */
int call_refused(struct call *c, int err, const char *remedy, const char *cause, ...) PRINTF_LIKE(4, 5);

/* "EEXIST" */
const char *call_errno_name(int err);
/* -errno; 0: no such name. */
int call_errno(const char *name);

/* The value of option "key"; NULL: it is not there. */
const char *call_option(const struct call *c, const char *key);

/*
 * What a word says. 0, or a mistake that is told; `what` names it. Amounts of memory: 64K 2M 1.5G, or pages: 512p, 1p;
 * counts without a unit. Places: the same, or 0x40000000, or a name that plug has given, and "+4M" behind any of these.
 * All in pages.
 */
int call_pages(struct call *c, const char *what, const char *word, uint64_t *pages);
int call_place(struct call *c, const char *what, const char *word, uint64_t *pfn);
int call_count(struct call *c, const char *what, const char *word, uint64_t most, uint64_t *n);
/* Which of names (NULL ends them) the word is. */
int call_one_of(struct call *c, const char *what, const char *word, const char *const *names, unsigned *index);
/* A name that is still free: letters, digits, '-', '_', '.', a letter first. */
int call_new_name(struct call *c, const char *word);
/* "space/mapping", or "space": *mapping NULL if there is no slash, else what stands behind it. */
int call_space(struct call *c, const char *word, struct board_space **space, const char **mapping);
int call_mapping(struct call *c, const char *word, struct board_space **space, struct board_mapping **mapping);

/* Pages [*first, *first + *n) of a mapping, of these each step-th: option at=, the amount in word (NULL: all that is
 * behind it), option step=. */
struct call_pages { uint64_t first, n, step; };
int call_part(struct call *c, const char *word, uint64_t pages, struct call_pages *out);

/* "64 MiB" of pages. Returns text. */
#define CALL_SIZE_TEXT 32u
const char *call_size_text(uint64_t pages, char text[CALL_SIZE_TEXT]);

#endif
