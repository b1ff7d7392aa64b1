/* SPDX-License-Identifier: MIT */
/*
 * object.c - memory objects: simulated files and shared anonymous memory, each with a page cache. Words and edges:
 * object.h.
 *
 * The page cache is a page table keyed by page number: one concurrent index for both. A page, once in, stays in with
 * its frame until the object dies, a resize cuts it off (resize.c) or it goes to another frame (migrate_object.c),
 * which visit every entry that maps it first: so an entry needs no reference on the frame. The page has one, beside the
 * pins of the frame (pin.c): of a frame that is pinned it is given up, and the frame goes with its last pin, without a
 * name, since the object may be gone before. The VMAs of one mmap share
 * a reference on the object (rmap.c). The last put retires the object by RCU: a listing may still be reading its name,
 * and an access that hit an entry may still be copying. Its tables stay until then: a pointer to a page's word is good
 * as long as a reference. Then its frames go, and its memory by another round: who has read its name in a frame's
 * record (rmap_frame.c) may be looking at it.
 */
#include <inttypes.h>
#include <string.h>

#include "vmmap/space/space.h"

#define NUMBERS 64                               /* a slot takes so many at once                                   */

static atomic_u64 object_numbers;
static struct numbers { uint64_t used, end; } PAIR_ALIGNED numbers_of[THREAD_MAX];      /* each its slot's */

/* From 1, unique in the process. */
static uint64_t object_next_number(const struct thread_slot *self)
{
	struct numbers *mine = &numbers_of[self->number];

	if (mine->used == mine->end) {
		mine->used = atomic_add_relaxed(&object_numbers, NUMBERS);
		mine->end = mine->used + NUMBERS;
	}
	return ++mine->used;
}

int (object_make)(struct object **out, const struct object_new *is, bool shared_anon)
{
	struct vmmap_object *o = mem_alloc(MEM_OBJECT, sizeof *o, CACHE_PAIR);
	int err;

	if (!o)
		return -ENOMEM;
	err = pt_init(&o->object.pages);
	if (err) {
		mem_free(MEM_OBJECT, o, sizeof *o);
		return err;
	}
	atomic_store_relaxed(&o->object.refs, 1);
	atomic_store_relaxed(&o->object.size, is->size);
	atomic_store_relaxed(&o->object.filled, is->size);
	o->object.number = object_next_number(thread_self());
	o->object.physmem = is->physmem;
	if (is->pager)
		o->object.pager = *is->pager;
	o->object.shared_anon = shared_anon;
	strncpy(o->object.name, is->name, sizeof o->object.name - 1);
	rmap_list_init(&o->object.where);
	*out = &o->object;
	return 0;
}

void object_get(struct object *object)
{
	atomic_add_relaxed(&object->refs, 1);
}

bool object_get_live(struct object *object)
{
	uint64_t refs = atomic_load_relaxed(&object->refs);

	while (refs && !atomic_cas_relaxed(&object->refs, &refs, refs + 1))
		;
	return refs != 0;
}

bool object_leaves(struct object *object, uint64_t pfn)
{
	if (!BASE_MUTANT(pin_keeps_name))
		frame_unname(object->physmem, pfn);
	return frame_drop(object->physmem, pfn, true) || BASE_MUTANT(cut_frees_pinned);          /* K2 -> K1 */
}

static void object_free_page(uint64_t addr, uint64_t entry, void *arg)
{
	struct object *object = arg;

	(void)addr;
	if (pt_has_frame(entry) && object_leaves(object, pt_pfn(entry)))
		frame_give(object->physmem, thread_self(), pt_pfn(entry), FRAME_OWNER_OBJECT);
	atomic_store_relaxed(pt_find(&object->pages, addr), 0);
}

static void object_free_memory(struct rcu_item *item)
{
	struct object *object = container_of(item, struct object, rcu);

	pt_fini(&object->pages);
	mem_free(MEM_OBJECT, container_of(object, struct vmmap_object, object), sizeof(struct vmmap_object));
}

/* Its frames first: who has read its name from one of them may still be looking at it. */
static void object_free(struct rcu_item *item)
{
	struct object *object = container_of(item, struct object, rcu);

	pt_walk(&object->pages, (struct lock_range){ 0, ADDRESS_END }, object_free_page, object);
	frame_flush(object->physmem, thread_self());
	rcu_retire(thread_self(), &object->rcu, object_free_memory);
}

/* What the slots have added up, modulo 2^64, is what the map pays for: an object may die under another thread. */
static void shared_pages_add(struct vmmap *map, struct thread_slot *self, uint64_t n)
{
	struct space_local *local = thread_local_mine(&map->locals, self);

	if (likely(local != NULL))
		atomic_bump(&local->shared_pages, n);
	else
		atomic_add_relaxed(&map->limits.shared_pages, n);
}

void object_pay(struct object *object, struct vmmap *map, struct thread_slot *self)
{
	if (object->payer)
		return;
	object->payer = map->gate;
	shared_pages_add(map, self, object_pages(object));
	if (limit_on(map))
		limit_add(map, self, LIMIT_COMMIT, (int64_t)object_pages(object));
}

static void object_pay_back(struct object *object, struct vmmap *map, struct thread_slot *self)
{
	shared_pages_add(map, self, 0 - object_pages(object));
	if (!limit_on(map))
		return;
	limit_enter(map, self);
	limit_add(map, self, LIMIT_COMMIT, -(int64_t)object_pages(object));
	limit_leave(map, self);
}

void object_hand_on(struct object *object)
{
	uint32_t handed = 0;

	/* Not handed on yet: only the map that pays has it, and that is the caller's. */
	if (object->payer && atomic_cas_relaxed(&object->handed, &handed, 1))
		rmap_gate_get(object->payer);
}

/* The map that pays may have gone, if others have the object. */
static void object_pay_handed(struct object *object)
{
	if (rmap_gate_enter(object->payer)) {
		object_pay_back(object, object->payer->map, thread_self());
		rmap_gate_leave(object->payer);
	}
	rmap_gate_put(object->payer);
}

void object_put(struct object *object)
{
	if (atomic_sub_acqrel(&object->refs, 1) > 1)                            /* R1 -> R1 */
		return;
	if (object->payer && atomic_load_relaxed(&object->handed))
		object_pay_handed(object);
	else if (object->payer)
		object_pay_back(object, object->payer->map, thread_self());
	rcu_retire(thread_self(), &object->rcu, object_free);
}

/* A NEW page is shown, or taken back. Its maker does one of the two; who meets it may. */
static void object_decide(struct object *object, struct thread_slot *self, uint64_t page, atomic_u64 *entry,
			  uint64_t seen)
{
	uint64_t frame = pt_pfn(seen), made = BASE_MUTANT(page_shown_early) ? PT_PRESENT : OBJECT_NEW, next;
	bool inside = page < object_pages(object) || BASE_MUTANT(page_made_stays);      /* Z5 -> Z6 */

	BASE_POINT(object_before_decide);
	while (seen & made && pt_pfn(seen) == frame) {
		next = (inside ? pt_entry(frame, PT_PRESENT, 0) : 0) | (seen & OBJECT_WRITEBACK);
		if (!atomic_cas_seqcst(entry, &seen, next))             /* Z5 -> Z7 */
			continue;
		if (!inside)
			frame_defer_by(object->physmem, self, frame, FRAME_OWNER_OBJECT);
		return;
	}
}

/* Makes a page of zeros, unless another is first. false: no memory. */
static bool object_make_page(struct object *object, struct thread_slot *self, uint64_t page, atomic_u64 *entry,
			     uint64_t seen)
{
	uint64_t frame = frame_alloc_named(object->physmem, self, FRAME_OWNER_OBJECT, rmap_name(object), page), is;

	if (frame == PHYSMEM_NONE)
		return false;
	frame_zero(object->physmem, frame);
	BASE_POINT(object_before_make);
	do {
		if (seen & (PT_PRESENT | OBJECT_NEW) && !BASE_MUTANT(page_made_twice)) {
			frame_free_by(object->physmem, self, frame, FRAME_OWNER_OBJECT);    /* nobody saw ours */
			return true;
		}
		is = pt_entry(frame, (BASE_MUTANT(page_shown_early) ? PT_PRESENT : OBJECT_NEW) |
				     (seen & OBJECT_WRITEBACK), 0);
	} while (!atomic_cas_seqcst(entry, &seen, is));                          /* Z5 -> Z6 */
	BASE_POINT(object_after_make);
	object_decide(object, self, page, entry, is);
	return true;
}

enum object_has object_page(struct object *object, struct thread_slot *self, uint64_t page, uint64_t *pfn)
{
	atomic_u64 *entry;
	uint64_t seen;

	if (page >= object_pages(object))
		return OBJECT_BEYOND;
	entry = pt_make(&object->pages, self, page << PAGE_SHIFT);
	if (!entry)
		return OBJECT_NOMEM;
	for (;;) {
		seen = atomic_load_acquire(entry);                               /* Z7 -> Z5 */
		if (likely(seen & PT_PRESENT)) {
			*pfn = pt_pfn(seen);
			return OBJECT_HAS;
		}
		/* Where the pager has nothing, nothing is asked for; `filled` only goes down, so that stays right. */
		if (seen & OBJECT_NEW)
			object_decide(object, self, page, entry, seen);
		else if (seen & OBJECT_MOVING && !BASE_MUTANT(page_made_over_moving))
			return OBJECT_MOVES;
		else if (object_paged(object) &&
			 page << PAGE_SHIFT < atomic_load_seqcst(&object->filled))       /* P1 -> P2 */
			return OBJECT_ABSENT;
		else if (!object_make_page(object, self, page, entry, seen))
			return OBJECT_NOMEM;
		if (page >= object_pages(object))
			return OBJECT_BEYOND;
	}
}

/* Is it the page's frame? */
static bool object_shows(struct object *object, uint64_t page, uint64_t pfn)
{
	uint64_t now = atomic_load_seqcst(pt_find(&object->pages, page << PAGE_SHIFT));  /* Z4 -> Z3; X2 -> X1 */

	return (now & PT_PRESENT && pt_pfn(now) == pfn) || BASE_MUTANT(fault_no_page);
}

bool object_still(struct object *object, uint64_t page, uint64_t pfn)
{
	bool first = BASE_MUTANT(still_page_first), shows = first && object_shows(object, page, pfn);
	bool inside = first || page < object_pages(object) || BASE_MUTANT(fault_no_size);        /* Z2 -> Z1 */

	BASE_POINT(object_between);
	return first ? shows && page < object_pages(object) : inside && object_shows(object, page, pfn);
}

bool object_dirty(struct object *object, uint64_t page, uint64_t pfn)
{
	atomic_u64 *entry;
	uint64_t now;

	if (page >= object_pages(object))                                        /* Z2, before the page: see Z4 */
		return false;
	entry = pt_find(&object->pages, page << PAGE_SHIFT);
	now = atomic_load_seqcst(entry);                                        /* Z4 -> Z3; X2 -> X1 */
	do {
		if (!(now & PT_PRESENT) || pt_pfn(now) != pfn)
			return false;
	} while (!(now & PT_DIRTY) && !atomic_cas_seqcst(entry, &now, now | PT_DIRTY));  /* Y2 -> Y1 */
	return true;
}

/* ---- audit ---- */

struct object_check { struct object *object; FILE *report; uint64_t pages, bad; };

static void object_check_page(uint64_t addr, uint64_t entry, void *arg)
{
	struct object_check *c = arg;
	const char *wrong = NULL;

	if (entry & (OBJECT_BUSY | OBJECT_WRITEBACK | OBJECT_NEW))
		wrong = "is under way";
	else if (pt_has_frame(entry) && frame_counts(c->object->physmem, pt_pfn(entry)).maps != 1)
		wrong = "is not counted";
	else if (entry & PT_DIRTY && !object_paged(c->object))
		wrong = "is dirty, and there is no pager";
	else if (addr >> PAGE_SHIFT >= c->pages)
		wrong = "lies beyond the end";
	if (!wrong)
		return;
	c->bad++;
	if (c->report)
		fprintf(c->report, "audit: page %" PRIu64 " of object %" PRIu64 " %s: %#" PRIx64 "\n",
			addr >> PAGE_SHIFT, c->object->number, wrong, entry);
}

uint64_t object_audit(struct object *object, FILE *report)
{
	struct object_check c = { .object = object, .report = report, .pages = object_pages(object) };

	pt_walk(&object->pages, (struct lock_range){ 0, ADDRESS_END }, object_check_page, &c);
	return c.bad;
}
