/* SPDX-License-Identifier: MIT */
/* physseg_plane.c - see physseg_plane.h. */
#include "vmmap/phys/physseg_plane.h"

#include <errno.h>

#include "base/mem.h"
#include "base/point.h"

#define SECTION_BYTES (PLANE_WORDS * sizeof(atomic_u64))

static uint64_t sections(const struct physseg_plane *p) { return (p->words + PLANE_WORDS - 1) >> PLANE_SHIFT; }

int physseg_plane_init(struct physseg_plane *p, uint64_t words, bool sectioned)
{
	p->words = words;
	p->flat = sectioned ? NULL : mem_reserve(MEM_FRAME, words * sizeof(*p->flat));
	p->section = p->flat ? NULL : mem_reserve(MEM_FRAME, sections(p) * sizeof(*p->section));
	return p->flat || p->section ? 0 : -ENOMEM;
}

void physseg_plane_fini(struct physseg_plane *p)
{
	mem_unreserve(MEM_FRAME, p->flat, p->words * sizeof(*p->flat));
	if (p->section == NULL)
		return;
	for (uint64_t i = 0; i < sections(p); i++)
		mem_free(MEM_FRAME, atomic_load_relaxed(&p->section[i]), SECTION_BYTES);
	mem_unreserve(MEM_FRAME, p->section, sections(p) * sizeof(*p->section));
}

/* Somebody else may be as fast: then his stays, and whatever he has stored there. */
static int make_section(struct physseg_plane *p, uint64_t i)
{
	atomic_u64 *none = NULL, *section;

	if (atomic_load_relaxed(&p->section[i]) != NULL)
		return 0;
	section = mem_alloc(MEM_FRAME, SECTION_BYTES, CACHE_LINE);
	if (section == NULL)
		return -ENOMEM;
	BASE_POINT(physseg_section_made);
	if (BASE_MUTANT(physseg_section_twice))
		mem_free(MEM_FRAME, atomic_swap_acqrel(&p->section[i], section), SECTION_BYTES);         /* A1 */
	else if (!atomic_cas_release(&p->section[i], &none, section))            /* A1 */
		mem_free(MEM_FRAME, section, SECTION_BYTES);
	return 0;
}

int physseg_plane_cover(struct physseg_plane *p, uint64_t first, uint64_t last)
{
	int err = 0;

	for (uint64_t i = first >> PLANE_SHIFT; p->flat == NULL && err == 0 && i <= last >> PLANE_SHIFT; i++)
		err = make_section(p, i);
	return err;
}
