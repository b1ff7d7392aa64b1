/* SPDX-License-Identifier: MIT */
/* where.h - code locations in words: function, file and line of an access, from the program's own debug information. */
#ifndef BENCH_EXPLORE_WHERE_H
#define BENCH_EXPLORE_WHERE_H

struct where {
	const char *function, *file;     /* innermost, inlined or not; "?"                                         */
	const char *outer;               /* the function that it was inlined into; the same, if it was not         */
	int line;
};

/* pc: behind the call, as an access has it. Kept: asking again is cheap. */
const struct where *where_of(const void *pc);

#endif
