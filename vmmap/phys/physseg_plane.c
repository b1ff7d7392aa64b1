/* SPDX-License-Identifier: MIT */
/* physseg_plane.c - see physseg_plane.h. */
#include "vmmap/phys/physseg_plane.h"

#include <errno.h>

#include "base/mem.h"
#include "base/point.h"

static uint64_t sections(const struct physseg_plane *p) { return (p->units + PLANE_UNITS - 1) >> PLANE_SHIFT; }
static uint64_t section_units(const struct physseg_plane *p) { return PLANE_UNITS * p->unit; }
static uint64_t section_bytes(const struct physseg_plane *p) { return section_units(p) + sizeof(uint64_t); }

/* Of bytes: so that where its section begins can be told from a byte's address. Else that would cost as much again. */
static uint64_t section_align(const struct physseg_plane *p) { return p->unit == 1 ? 2 * PLANE_UNITS : CACHE_LINE; }

int physseg_plane_init(struct physseg_plane *p, uint64_t units, uint64_t unit, enum physseg_form form)
{
	p->units = units;
	p->unit = unit;
	p->flat = form == PLANE_SECTIONS ? NULL : mem_reserve(MEM_FRAME, units * unit);
	p->section = p->flat || form == PLANE_FLAT ? NULL : mem_reserve(MEM_FRAME, sections(p) * sizeof(*p->section));
	return p->flat || p->section ? 0 : -ENOMEM;
}

void physseg_plane_fini(struct physseg_plane *p)
{
	mem_unreserve(MEM_FRAME, p->flat, p->units * p->unit);
	if (p->section == NULL)
		return;
	for (uint64_t i = 0; i < sections(p); i++)
		mem_free(MEM_FRAME, atomic_load_relaxed(&p->section[i]), section_bytes(p));
	mem_unreserve(MEM_FRAME, p->section, sections(p) * sizeof(*p->section));
}

static uint64_t *section_number(const struct physseg_plane *p, char *section)
{
	return (uint64_t *)(void *)(section + section_units(p));
}

/* Somebody else may be as fast: then his stays, and whatever he has stored there. */
static int make_section(struct physseg_plane *p, uint64_t i)
{
	char *none = NULL, *section;

	if (atomic_load_relaxed(&p->section[i]) != NULL)
		return 0;
	section = mem_alloc(MEM_FRAME, section_bytes(p), section_align(p));
	if (section == NULL)
		return -ENOMEM;
	*section_number(p, section) = i;
	BASE_POINT(physseg_section_made);
	if (BASE_MUTANT(physseg_section_twice))
		mem_free(MEM_FRAME, atomic_swap_acqrel(&p->section[i], section), section_bytes(p));      /* A1 */
	else if (!atomic_cas_release(&p->section[i], &none, section))            /* A1 */
		mem_free(MEM_FRAME, section, section_bytes(p));
	return 0;
}

int physseg_plane_cover(struct physseg_plane *p, uint64_t first, uint64_t last)
{
	int err = 0;

	for (uint64_t i = first >> PLANE_SHIFT; p->flat == NULL && err == 0 && i <= last >> PLANE_SHIFT; i++)
		err = make_section(p, i);
	return err;
}

uint64_t physseg_plane_number(const struct physseg_plane *p, const void *byte)
{
	uintptr_t offset = (uintptr_t)byte & (section_align(p) - 1);
	char *section = (char *)(uintptr_t)((uintptr_t)byte - offset);

	if (p->flat != NULL)
		return (uint64_t)((const char *)byte - p->flat);
	return (*section_number(p, section) << PLANE_SHIFT) + offset;
}
