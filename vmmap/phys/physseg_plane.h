/* SPDX-License-Identifier: MIT */
/*
 * physseg_plane.h - a byte or a word for each frame (or for each 64 of them), over all pfns that a table may have.
 *
 * FLAT      one array, reserved and lazily backed (Linux's vmemmap): a unit is found by its number alone.
 * SECTIONS  where so much address space is not to be had: a table of pointers, each to 4096 units, made when a segment
 *           comes there and kept while the plane lives (Linux's SPARSEMEM). A section that was never made has no units:
 *           readers take that for 0. Behind the units of a section stands its number, so that a byte knows its place.
 * EDGES     A1 the CAS that installs a section -> A2 acquire load of the pointer: who has it sees its number, and units
 *           that are 0, or stored later.
 * PROGRESS  readers wait for nothing; who installs a section, neither: of two, one gives its own back.
 */
#ifndef VMMAP_PHYS_PHYSSEG_PLANE_H
#define VMMAP_PHYS_PHYSSEG_PLANE_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define PLANE_SHIFT 12u                          /* units of a section: frames of 16 MiB                           */
#define PLANE_UNITS (UINT64_C(1) << PLANE_SHIFT)

struct physseg_plane {
	uint64_t units, unit;                            /* how many; bytes of each: 1 or 8                [const] */
	char *flat;                                      /* or NULL: sections                              [const] */
	_Atomic(char *) *section;                        /* [units / PLANE_UNITS, rounded up]                      */
};

/* One array, or sections if that is not to be had; sections; one array, or nothing. */
enum physseg_form { PLANE_EITHER, PLANE_SECTIONS, PLANE_FLAT };

/* 0; -ENOMEM. */
int  physseg_plane_init(struct physseg_plane *p, uint64_t units, uint64_t unit, enum physseg_form form) MUST_CHECK;
/* Also of a plane that is all zeroes. */
void physseg_plane_fini(struct physseg_plane *p);
/* Makes the sections of units [first, last]. 0; -ENOMEM: perhaps not all of them, which nobody can tell. */
int  physseg_plane_cover(struct physseg_plane *p, uint64_t first, uint64_t last) MUST_CHECK;
/* Which one that is, of a plane of bytes. */
uint64_t physseg_plane_number(const struct physseg_plane *p, const void *byte);

/* NULL: there is no such section. unit: the plane's, as a constant. */
static ALWAYS_INLINE void *physseg_plane_at(const struct physseg_plane *p, uint64_t i, uint64_t unit)
{
	char *section;

	if (likely(p->flat != NULL))
		return p->flat + i * unit;
	section = atomic_load_acquire(&p->section[i >> PLANE_SHIFT]);            /* A2 -> A1 */
	return section != NULL ? section + (i & (PLANE_UNITS - 1)) * unit : NULL;
}

static ALWAYS_INLINE atomic_u64 *physseg_plane_word(const struct physseg_plane *p, uint64_t i)
{
	return physseg_plane_at(p, i, sizeof(atomic_u64));
}

static ALWAYS_INLINE atomic_u8 *physseg_plane_byte(const struct physseg_plane *p, uint64_t i)
{
	return physseg_plane_at(p, i, sizeof(atomic_u8));
}

#endif
