/* SPDX-License-Identifier: MIT */
/*
 * audit.c - everything that must hold when no call runs: the tree, the page table and the lock words by themselves,
 * and what they owe each other.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "vmmap/space/space.h"

struct audit {
	struct vmmap *map;
	struct thread_slot *self;
	FILE *report;
	uint64_t bad, frames;
};

static void PRINTF_LIKE(2, 3) audit_say(struct audit *a, const char *fmt, ...)
{
	va_list args;

	a->bad++;
	if (!a->report)
		return;
	va_start(args, fmt);
	fputs("audit: ", a->report);
	vfprintf(a->report, fmt, args);
	fputc('\n', a->report);
	va_end(args);
}

/* No dummy, no held word, canonical merging. */
static void audit_vmas(struct audit *a)
{
	struct vtree_seen seen;
	const struct vma *last = NULL;
	uint64_t end = 0;

	for (uint64_t at = 0; vtree_next(&a->map->tree, at, ADDRESS_END, &seen); at = seen.r.hi) {
		const struct vma *v = seen.vma;

		if (vma_gap(v))
			audit_say(a, "a dummy is left over at %#" PRIx64, seen.r.lo);
		if (lock_word_held(seen.lk))
			audit_say(a, "the lock word of the VMA at %#" PRIx64 " is held: %#" PRIx64, seen.r.lo, seen.lk);
		if (last && last != v && end == seen.r.lo && vma_mergeable(last, v))
			audit_say(a,
				  "mergeable VMAs meet at %#" PRIx64 " (bits %#" PRIx64 ", groups %#" PRIx64
				  " %#" PRIx64 ")",
				  end, atomic_load_relaxed(&v->bits), vma_anon(last), vma_anon(v));
		if ((vma_object(v) || vma_delta(v)) &&
		    (!vma_rmap(v) || !rmap_covers(vma_rmap(v), a->map, vma_delta(v), seen.r)))
			audit_say(a, "object %" PRIu64 " does not know that it is mapped at %#" PRIx64,
				  vma_object(v) ? vma_object(v)->number : 0, seen.r.lo);
		last = v;
		end = seen.r.hi;
	}
}

#define AUDIT_MET ((uintptr_t)2)                 /* beside the mark of vma_counted                                 */

static bool audit_meet(struct vma *vma, bool met)
{
	uintptr_t link = (uintptr_t)atomic_load_relaxed(&vma->next_free);

	atomic_store_relaxed(&vma->next_free, (struct vma *)(met ? link | AUDIT_MET : link & ~AUDIT_MET));
	return link & AUDIT_MET;
}

/* The slots of a VMA follow each other. The link of a VMA that is in the tree says who was met before. */
static void audit_places(struct audit *a)
{
	const struct vma *last = NULL;
	struct vtree_seen seen;
	uint64_t end = 0;

	for (uint64_t at = 0; vtree_next(&a->map->tree, at, ADDRESS_END, &seen); at = end = seen.r.hi) {
		if (audit_meet(seen.vma, true) && (seen.vma != last || end != seen.r.lo))
			audit_say(a, "one VMA object stands at two places, the second is %#" PRIx64, seen.r.lo);
		last = seen.vma;
	}
	for (uint64_t at = 0; vtree_next(&a->map->tree, at, ADDRESS_END, &seen); at = seen.r.hi)
		(void)audit_meet(seen.vma, false);
}

/* An entry that shows an object's page: that frame is cached, inside the object, and dirty if stores go through. */
static void audit_object_entry(struct audit *a, const struct vma *vma, uint64_t addr, uint64_t entry)
{
	uint64_t page = (addr >> PAGE_SHIFT) + (uint64_t)vma_delta(vma);
	atomic_u64 *word = vma_object(vma) && page < object_pages(vma_object(vma))
				   ? pt_find(&vma_object(vma)->pages, page << PAGE_SHIFT)
				   : NULL;
	uint64_t is = word ? atomic_load_acquire(word) : 0;                     /* Z7 -> Z5: quiescent */

	if (!(is & PT_PRESENT) || pt_pfn(is) != pt_pfn(entry))
		audit_say(a, "the entry at %#" PRIx64 " shows what is no page of its object: %#" PRIx64, addr, entry);
	else if (entry & PT_WRITE && object_paged(vma_object(vma)) && !(is & PT_DIRTY))
		audit_say(a, "stores at %#" PRIx64 " go into a page that is not dirty", addr);
}

/* No other map may show what this one shows. Then a frame has one entry: were it two, more pages would be resident than
 * frames are owned. */
static bool audit_alone(const struct audit *a)
{
	return a->map->gate->parent == NULL && a->map->gate->forks == NULL;
}

/* References that are no entries are pins: of frames with one entry, which says so. */
static void audit_counts(struct audit *a, uint64_t addr, uint64_t entry)
{
	struct frame_counts counts = frame_counts(a->map->physmem, pt_pfn(entry));

	if (audit_alone(a) && counts.maps != 1)
		audit_say(a, "the frame of %#" PRIx64 " counts %u entries, nobody else can show it", addr, counts.maps);
	if (!(entry & PT_SHARED) && counts.maps > 1)
		audit_say(a, "the frame of %#" PRIx64 " is counted as shared, the entry does not say so", addr);
	if (counts.refs > counts.maps && (!(entry & PT_PINNED) || counts.maps != 1))
		audit_say(a, "the frame of %#" PRIx64 " is pinned %u times, the entry does not say so, or %u show it",
			  addr, counts.refs - counts.maps, counts.maps);
}

/* Each entry lies in a VMA that allows at least what the entry allows. */
static void audit_entry(uint64_t addr, uint64_t entry, void *arg)
{
	struct audit *a = arg;
	struct vtree_seen seen;
	uint64_t bits;

	vtree_find(&a->map->tree, addr, &seen);
	if (!seen.vma) {
		audit_say(a, "ghost: an entry %#" PRIx64 " is left at unmapped %#" PRIx64, entry, addr);
		return;
	}
	bits = atomic_load_acquire(&seen.vma->bits);                            /* B2 -> B1: quiescent */
	if (entry & PT_ACCESS & ~space_pt_access(bits))
		audit_say(a, "the entry at %#" PRIx64 " allows more (%#" PRIx64 ") than its VMA", addr,
			  entry & PT_ACCESS);
	if (entry & PT_WRITE && (entry & (PT_ZERO | PT_SHARED) || (entry & PT_OBJECT && !(bits & VMA_SHARED))))
		audit_say(a, "a shared frame is writable at private %#" PRIx64, addr);
	if (entry & PT_OBJECT)
		audit_object_entry(a, seen.vma, addr, entry);
	if (pt_has_frame(entry) && !(entry & PT_OBJECT))
		audit_counts(a, addr, entry);
	if (pt_has_frame(entry) && !rmap_leads(a->map, addr, pt_pfn(entry)))
		audit_say(a, "the frame of %#" PRIx64 " does not lead there", addr);
	a->frames += pt_has_frame(entry) && !(entry & PT_OBJECT);
}

static void audit_count(uint64_t addr, uint64_t entry, void *arg)
{
	(void)addr;
	*(uint64_t *)arg += pt_has_frame(entry);
}

/* The objects, and what they cache. */
static void audit_objects(struct audit *a)
{
	struct object *counted[64], *o;
	struct vtree_seen seen;
	unsigned n = 0;

	for (uint64_t at = 0; vtree_next(&a->map->tree, at, ADDRESS_END, &seen); at = seen.r.hi) {
		bool known = !(o = vma_object(seen.vma));

		for (unsigned i = 0; i < n && !known; i++)
			known = counted[i] == o;
		if (known)
			continue;
		if (n == ARRAY_SIZE(counted)) {
			a->frames = UINT64_MAX;          /* too many to keep apart: the frames are not compared */
			return;
		}
		counted[n++] = o;
		a->bad += object_audit(o, a->report);
		pt_walk(&o->pages, (struct lock_range){ 0, ADDRESS_END }, audit_count, &a->frames);
	}
}

/* Frames that no entry and no object has any more, but somebody has pinned. */
static uint64_t audit_pinned(struct physmem *pm)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pm->span; i++) {
		uint64_t word = atomic_load_relaxed(&pm->word[i]);

		if (frame_state(word) == FRAME_OWNED && frame_owner_shows(frame_owner(word)))
			n += frame_counts(pm, pm->base + i).maps == 0;
	}
	return n;
}

static void audit_frames(struct audit *a)
{
	struct physmem_usage usage;

	audit_objects(a);
	if (!a->map->family || atomic_load_relaxed(&a->map->family->maps) > 1)   /* others may have frames of it   */
		return;
	physmem_get_usage(a->map->physmem, &usage);
	if (a->frames != UINT64_MAX && usage.owned > a->frames)
		a->frames += audit_pinned(a->map->physmem);
	if (a->frames != UINT64_MAX && usage.owned != a->frames)
		audit_say(a, "%" PRIu64 " frames are owned, %" PRIu64 " are mapped or cached", usage.owned, a->frames);
}

/* The start of each VMA is counted iff it is real; but for two that only their groups keep apart (limit_count.c). */
static void audit_counted(struct audit *a, struct limit_units *used)
{
	struct vtree_seen seen;
	const struct vma *last = NULL;
	uint64_t end = 0;

	for (uint64_t at = 0; vtree_next(&a->map->tree, at, ADDRESS_END, &seen); at = seen.r.hi) {
		const struct vma *v = seen.vma;

		used->of[LIMIT_VMAS] += last != v && vma_counted(v);
		if (limit_counts(a->map) && last != v && !vma_counted(v) &&
		    !(last && end == seen.r.lo && vma_alike(last, v)))
			audit_say(a, "the VMA at %#" PRIx64 " is not counted", seen.r.lo);
		last = v;
		end = seen.r.hi;
	}
}

/* Used is what a walk says. */
static void audit_limits(struct audit *a)
{
	static const char *const name[LIMIT_KINDS] = { "VMAs", "pages of address space", "committed pages",
						       "locked pages" };
	struct limits *l = &a->map->limits;
	struct limit_units used = { { 0 } };
	struct vmmap_usage usage;

	vmmap_get_usage(a->map, &usage);
	used.of[LIMIT_AS] = (int64_t)(usage.mapped_bytes >> PAGE_SHIFT);
	used.of[LIMIT_COMMIT] = (int64_t)usage.committed_pages;
	used.of[LIMIT_LOCKED] = (int64_t)(usage.locked_bytes >> PAGE_SHIFT);
	audit_counted(a, &used);
	if (atomic_load_relaxed(&l->next) != atomic_load_relaxed(&l->serving))
		audit_say(a, "somebody waits for an exact window");
	for (unsigned k = 0; k < LIMIT_KINDS; k++) {
		int64_t unused = l->pool.of[k];

		for (uint32_t i = 0; i < thread_count(); i++) {
			struct space_local *local = thread_local_at(&a->map->locals, i);

			if (local && (atomic_load_relaxed(&local->limit.inside) || local->limit.depth))
				audit_say(a, "slot %u is in a window", i);
			unused += local ? local->limit.quota.of[k] + local->limit.reserved.of[k] : 0;
		}
		if (l->set >> k & 1 && l->most.of[k] - unused != used.of[k])
			audit_say(a, "%" PRId64 " %s are charged, there are %" PRId64, l->most.of[k] - unused, name[k],
				  used.of[k]);
		if (l->set >> k & 1 && used.of[k] > l->most.of[k])
			audit_say(a, "%" PRId64 " %s are above the limit", used.of[k], name[k]);
	}
}

uint64_t vmmap_audit(struct vmmap *map, FILE *report)
{
	struct audit a = { .map = map, .self = thread_self(), .report = report };

	rcu_drain();
	frame_settle(map->physmem);
	a.bad += vtree_audit(&map->tree, report);
	a.bad += pt_audit(&map->pt, report);
	a.bad += map->policy->audit(map->lock_state, report);
	rcu_enter(a.self);
	audit_vmas(&a);
	audit_places(&a);
	pt_walk(&map->pt, (struct lock_range){ 0, ADDRESS_END }, audit_entry, &a);
	audit_frames(&a);
	audit_limits(&a);
	rcu_leave(a.self);
	return a.bad;
}

void vmmap_dump(struct vmmap *map, FILE *out)
{
	fprintf(out, "policy %s\n", map->policy->name);
	map->policy->dump(map->lock_state, out);
	vmmap_print_maps(map, out);
}
