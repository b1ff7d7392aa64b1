/* SPDX-License-Identifier: MIT */
/*
 * waive.h - conflicts that remain, each with its reason: bench/conflicts/waivers.list.
 *
 *	# as    policy placement pair                relation     object      reason
 *	waived  vma    spread    *|*                 same_object  rmap.*      two maps of one object count in it
 *	remains vma    packed    mmap_fixed|munmap   same_VMA     vma.lk      both cut the one VMA that lies under them
 *
 * WAIVED   is not asked of the policy: two maps of one object have that object in common. Counts towards the bars.
 * REMAINS  is a conflict like any other; the line says why it is there.
 * A star stands for every policy, placement, kind, relation (suite.h), type or field. The reason is the rest of the
 * line, and no less. A test is waived if each of its findings is.
 */
#ifndef BENCH_CONFLICTS_WAIVE_H
#define BENCH_CONFLICTS_WAIVE_H

#include "bench/conflicts/tally.h"

struct waiver {
	bool exempt;                             /* waived, not just remaining                                     */
	char policy[32], placement[16], pair[64], relation[16], object[96], reason[256];
	unsigned line, used;
};
struct waivers { struct waiver *waiver; size_t n; };

/* Reads a file; complains about the first line that is not one (cli_complain). 0, -errno. */
int  waive_read(struct waivers *w, const char *path);
void waive_free(struct waivers *w);
/* Marks the findings that a line covers, and the lines that cover any. The first that fits is it. */
void waive_apply(struct waivers *w, struct tally *t);
/* How many lines with this policy and placement cover nothing; each is told to `out`. */
unsigned waive_unused(const struct waivers *w, const struct tally *t, FILE *out);
/* How many findings no line covers; the first of them are told to `out`. */
unsigned waive_missing(const struct tally *t, FILE *out);

#endif
