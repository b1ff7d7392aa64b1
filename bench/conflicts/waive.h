/* SPDX-License-Identifier: MIT */
/*
 * waive.h - conflicts that remain, each with its reason: bench/conflicts/waivers.list.
 *
 *	# policy placement pair                object          reason
 *	vma      spread    *|*                 rmap.*          two maps of one object count in it
 *	vma      spread    mmap_fixed|munmap   vma.lk          both cut the one VMA that lies under them
 *
 * A star stands for every policy, placement, kind, type or field. The reason is the rest of the line, and no less.
 */
#ifndef BENCH_CONFLICTS_WAIVE_H
#define BENCH_CONFLICTS_WAIVE_H

#include "bench/conflicts/tally.h"

struct waiver { char policy[32], placement[16], pair[64], object[96], reason[256]; unsigned line, used; };
struct waivers { struct waiver *waiver; size_t n; };

/* Reads a file; complains about the first line that is not one (cli_complain). 0, -errno. */
int  waive_read(struct waivers *w, const char *path);
void waive_free(struct waivers *w);
/* Marks the findings that a waiver covers, and the waivers that cover any. */
void waive_apply(struct waivers *w, struct tally *t);
/* How many lines with this policy and placement cover nothing; each is told to `out`. */
unsigned waive_unused(const struct waivers *w, const struct tally *t, FILE *out);
/* How many findings no waiver covers; the first of them are told to `out`. */
unsigned waive_missing(const struct tally *t, FILE *out);

#endif
