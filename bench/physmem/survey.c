/* SPDX-License-Identifier: MIT */
/* survey.c - see survey.h: the public walk over states; words of blocks, segments and single frames from inside. */
#include "bench/physmem/survey.h"

#include <inttypes.h>

#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/frame_record.h"
#include "vmmap/phys/physseg.h"

const struct survey_text survey_text[SURVEY_STATES] = {
	[PHYSMEM_ABSENT]    = { "absent", "not plugged", ' ', ' ', 0xffffff },
	[PHYSMEM_FREE]      = { "free", "anybody can have it", '.', '.', 0xe3ecd9 },
	[PHYSMEM_REPORTED]  = { "reported", "free, and the host knows it: it may have it", 'R', 'R', 0xf0e442 },
	[PHYSMEM_CACHED]    = { "cached", "free, in a cache, the depot, or until its readers are gone", 'C', 'c',
			       0xa6cba0 },
	[PHYSMEM_MOVABLE]   = { "movable", "of a map or an object: can be had elsewhere", 'M', 'm', 0x56b4e9 },
	[PHYSMEM_UNMOVABLE] = { "unmovable", "taken by name: stays where it is", 'U', 'u', 0xd55e00 },
	[PHYSMEM_ISOLATED]  = { "isolated", "free, not to be had: being reported or unplugged", 'I', 'i', 0x7d3f63 },
	[PHYSMEM_BALLOON]   = { "balloon", "the host has it until it is wanted", 'B', 'b', 0xcc79a7 },
	[PHYSMEM_POISONED]  = { "poisoned", "out of use", 'X', 'x', 0x000000 },
	[SURVEY_PINNED]     = { "pinned", "of a map or an object, stays where it is until it is unpinned", 'P', 'p',
			       0x0072b2 },
};

struct counting { struct physmem *pm; struct survey_counts c; };

static int count_stretch(void *arg, const struct physmem_stretch *stretch)
{
	struct counting *k = arg;
	uint64_t pinned = 0;

	for (uint64_t i = 0; stretch->state == PHYSMEM_MOVABLE && i < stretch->pages; i++)
		pinned += frame_is_pinned(k->pm, stretch->pfn + i);
	k->c.n[stretch->state] += stretch->pages - pinned;
	k->c.n[SURVEY_PINNED] += pinned;
	return 0;
}

void survey_count(struct physmem *pm, uint64_t pfn, uint64_t pages, struct survey_counts *counts)
{
	struct counting k = { .pm = pm };
	uint64_t met = 0;

	physmem_walk(pm, pfn, pages, count_stretch, &k);
	for (unsigned s = 0; s < SURVEY_STATES; s++) {
		counts->n[s] += k.c.n[s];
		met += k.c.n[s];
	}
	counts->n[PHYSMEM_ABSENT] += pages - met;                /* where no segment may ever be                   */
}

/* ---- blocks, segments ---- */

void survey_blocks(struct physmem *pm, struct survey_blocks *out)
{
	*out = (struct survey_blocks){ 0 };
	for (uint64_t block = 0, end = atomic_load_relaxed(&pm->blocks); block < end; block++) {
		uint64_t word = frame_bits_word(&pm->bits, block);

		out->present += frame_block_present(word) != 0;
		out->free += frame_block_present(word) != 0 && frame_block_drained(word);
		out->movable += frame_block_class(word) == FRAME_CLASS_MOVABLE;
		out->unmovable += frame_block_class(word) == FRAME_CLASS_UNMOVABLE;
		out->whole += frame_block_class(word) == FRAME_CLASS_WHOLE;
	}
}

bool survey_segment(struct physmem *pm, unsigned index, struct survey_segment *out)
{
	struct physseg_table *t = pm->segments;
	struct physseg_handle h = physseg_first(t);

	while (index-- > 0 && physseg_valid(t, h))
		h = physseg_next(t, h);
	if (!physseg_valid(t, h))
		return false;
	out->pfn = physseg_start(t, h);
	out->pages = physseg_end(t, h) - out->pfn;
	out->movable = frame_bits_word(&pm->bits, (out->pfn - pm->base) >> FRAME_BLOCK_ORDER) &
		       FRAME_BLOCK_MOVABLE_ONLY;
	return true;
}

/* ---- one frame ---- */

static const char *owner_name(enum frame_owner owner)
{
	static const char *const name[] = { "nobody", "a name", "an address space", "an object", "the host (balloon)",
					   "nobody: poisoned" };

	return owner < sizeof(name) / sizeof(name[0]) ? name[owner] : "somebody else";
}

/* The first frame of the run that has this one, which is taken. */
static uint64_t run_of(struct physmem *pm, uint64_t index)
{
	for (unsigned order = 0; order <= FRAME_BLOCK_ORDER; order++) {
		uint64_t first = index >> order << order, word = atomic_load_relaxed(&pm->word[first]);

		if (frame_state(word) == FRAME_OWNED && first + (UINT64_C(1) << frame_order(word)) > index)
			return first;
	}
	return index;
}

static void tell_taken(struct physmem *pm, uint64_t index, FILE *out)
{
	uint64_t first = run_of(pm, index), word = atomic_load_relaxed(&pm->word[first]);
	struct frame_counts counts;

	if (frame_state(word) != FRAME_OWNED) {
		fprintf(out, "free, %s", frame_state(word) == FRAME_FREE ? "in a cache" : "once its readers are gone");
		return;
	}
	counts = frame_counts(pm, pm->base + first);
	fprintf(out, "of %s, generation %" PRIu64 ", %u references, %u of them entries%s",
		owner_name(frame_owner(word)), word >> FRAME_LIVES_SHIFT, counts.refs, counts.maps,
		frame_is_pinned(pm, pm->base + first) ? ", pinned" : "");
	if (frame_order(word) != 0)
		fprintf(out, "; frame %" PRIu64 " of a run of %u", index - first, 1u << frame_order(word));
}

static void tell_block(struct physmem *pm, uint64_t index, FILE *out)
{
	static const char *const class[] = { "nobody's", "movable", "unmovable", "taken as one" };
	uint64_t word = frame_bits_word(&pm->bits, index >> FRAME_BLOCK_ORDER);

	fprintf(out, "  block 0x%" PRIx64 ": %s, %u of %u frames free in rows, taken from %u times%s%s%s%s\n",
		(pm->base + index / FRAME_BLOCK_FRAMES * FRAME_BLOCK_FRAMES) << PAGE_SHIFT,
		class[frame_block_class(word)], frame_block_free(word), frame_block_present(word),
		frame_block_takes(word), word & FRAME_BLOCK_MOVABLE_ONLY ? ", for movable memory only" : "",
		word & FRAME_BLOCK_REPORTING ? ", being reported" : "", word & FRAME_BLOCK_REPORTED ? ", reported" : "",
		word & FRAME_BLOCK_OFFLINE ? ", offline" : "");
}

void survey_frame(struct physmem *pm, uint64_t pfn, FILE *out)
{
	uint64_t index = pfn - pm->base;

	fprintf(out, "frame 0x%" PRIx64 " (pfn %" PRIu64 "): ", pfn << PAGE_SHIFT, pfn);
	if (!physseg_valid(pm->segments, physseg_find(pm->segments, pfn, NULL))) {
		fputs("absent\n", out);
		return;
	}
	if (frame_bits_is_taken(&pm->bits, index))
		tell_taken(pm, index, out);
	else
		fputs("free, in its row", out);
	fputc('\n', out);
	tell_block(pm, index, out);
}

uint64_t survey_audit(struct physmem *pm, FILE *report) { return physmem_audit(pm, report); }
