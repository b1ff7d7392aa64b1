/* SPDX-License-Identifier: MIT */
/*
 * physseg_plane.h - a word for each frame (or for each 64 of them), over all pfns that a table may have.
 *
 * FLAT      one array, reserved and lazily backed (Linux's vmemmap): a word is found by its number alone.
 * SECTIONS  where so much address space is not to be had: a table of pointers, each to 4096 words, made when a segment
 *           comes there and kept while the plane lives (Linux's SPARSEMEM). A section that was never made has no words:
 *           readers take that for 0.
 * EDGES     A1 the CAS that installs a section -> A2 acquire load of the pointer: who has it sees words that are 0, or
 *           stored later.
 * PROGRESS  readers wait for nothing; who installs a section, neither: of two, one gives its own back.
 */
#ifndef VMMAP_PHYS_PHYSSEG_PLANE_H
#define VMMAP_PHYS_PHYSSEG_PLANE_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define PLANE_SHIFT 12u                          /* words of a section: frames of 16 MiB                           */
#define PLANE_WORDS (UINT64_C(1) << PLANE_SHIFT)

struct physseg_plane {
	uint64_t words;                                  /* [const] */
	atomic_u64 *flat;                                /* [words], or NULL: sections                     [const] */
	_Atomic(atomic_u64 *) *section;                  /* [words / PLANE_WORDS, rounded up]                      */
};

/* 0; -ENOMEM. sectioned: does not try for one array. */
int  physseg_plane_init(struct physseg_plane *p, uint64_t words, bool sectioned) MUST_CHECK;
/* Also of a plane that is all zeroes. */
void physseg_plane_fini(struct physseg_plane *p);
/* Makes the sections of words [first, last]. 0; -ENOMEM: perhaps not all of them, which nobody can tell. */
int  physseg_plane_cover(struct physseg_plane *p, uint64_t first, uint64_t last) MUST_CHECK;

/* NULL: there is no such section. */
static ALWAYS_INLINE atomic_u64 *physseg_plane_word(const struct physseg_plane *p, uint64_t i)
{
	atomic_u64 *section;

	if (likely(p->flat != NULL))
		return &p->flat[i];
	section = atomic_load_acquire(&p->section[i >> PLANE_SHIFT]);            /* A2 -> A1 */
	return section != NULL ? &section[i & (PLANE_WORDS - 1)] : NULL;
}

#endif
