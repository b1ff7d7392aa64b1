/* SPDX-License-Identifier: MIT */
/*
 * rmap.c - where an object is mapped: a ring of hints per object, and the walk over all entries that map its pages.
 *          The same for what has moved of a map's anonymous memory: a ring per map and slot (rmap_frame.c walks them).
 *
 * HINT       struct rmap says: in this map, with this delta, some of the pages [lo, hi) may be mapped. One is made by
 *            each mmap of an object (each move by mremap: another delta); every VMA of that mapping points at it and
 *            holds a reference. A split copies the pointer; a merge keeps the survivor's, extended before the slots are
 *            published; a VMA that dies puts it. So splits, merges and unmaps write no line of the object.
 *            A hint covers at least what is mapped under it. Who walks looks into the map's tree, at page - delta.
 * STATES     made -> placed (in the ring) by rmap_place, before its VMA is published -> dead with the last reference.
 * WALK       takes a reference on every rmap of the ring, under its lock: what is in the ring then stays, with its
 *            links, until it has been passed; what comes later stands in front and is not walked. Then visit by visit,
 *            holding nothing: entries are changed by the fault's protocol (LOCKED, visit_valid, store).
 *   misses nothing of before: let an entry E of the object be stored before the walk began (by a fault that saw no new
 *            size, or no cleared dirty mark: object.h, Z and Y). Its VMA's rmap X was in the ring before that VMA was
 *            published, so before E, so it is in the walk (L1 -> L2; if the walk's lock had come first, the fault would
 *            have seen what was stored before it). If a merge gives E's VMA another rmap meanwhile, X is still walked,
 *            by address. If mremap moves E, the walk either came by before the source was held, or waits until it is
 *            let go; by then the mover has looked at the size, and taken WRITE out (remap_move.c).
 *   under a policy that downgrades, munmap takes the VMAs out before it zaps: a walk that meets entries in a gap waits
 *            until they are gone. A frame that it goes on to free must not be shown by any.
 * PINS       each walk has a reference on the gate (rmap_gate.c) of each hint that it has pinned; hints have none: each
 *            mmap of every object would count there. A hint that no VMA has any more is in the ring only while a walk
 *            has it pinned.
 * ANONYMOUS  memory that never moved needs no hint: its pages stand at their own numbers (delta 0). A VMA of another
 *            delta has one, without an object, in a ring of its map: that of the slot that moved it, so that threads
 *            that move memory of their own meet in no line. In one ring of the map a move and the put of its hint were
 *            4.5 transfers (docs/scalability.md). gate.moved spares maps in which nothing has moved the look at each
 *            slot. It is a hint: who does not see it yet misses what he might have missed in the ring (rmap_frame.c,
 *            COMPLETE).
 * EDGES      L1 ring lock's release -> L2 its acquire.  E1 rmap_place, rmap_extend (before publication) -> E2 the walk.
 *            R1 each put of a reference -> the last one (of hints, objects): what was done with what it frees.
 * ORDER      ranges -> object.lock, moved_lock -> leaf section. Under it nothing is allocated, called or slept on.
 * PROGRESS   rmap_get, extend: lock-free. put: the lock only for the last reference. A walk waits for ranges that
 *            others hold, by address, and for LOCKED entries.
 * NOT PROMISED  the ring's lock is held for one store per mapping when a walk begins.
 * SOURCE     Linux's i_mmap tree (mm/rmap.c, mm/memory.c), which it replaces where edits are parallel.
 */
#include <inttypes.h>

#include "base/spin.h"
#include "vmmap/space/space.h"

#define RMAP_ENTRIES 512                         /* entries per visit: bounds the RCU section                      */

/* ---- the ring of an object, or of what a slot moved in a map ---- */

void rmap_list_init(struct rmap *head)
{
	head->next = head->prev = head;
}

static struct rmap *rmap_head(const struct rmap *where)
{
	return where->object ? &where->object->where : &where->local->moved;
}

static atomic_u32 *rmap_lock(const struct rmap *where)
{
	return where->object ? &where->object->lock : &where->local->moved_lock;
}

int (rmap_make)(struct rmap **out, struct object *object, struct rmap_gate *gate)
{
	struct space_local *local = object ? NULL : space_local_make(gate->map, thread_self());
	struct rmap *where = object || local ? mem_alloc(MEM_OBJECT, sizeof *where, CACHE_LINE) : NULL;

	if (!where)
		return -ENOMEM;
	atomic_store_relaxed(&where->refs, 1);
	where->object = object;
	where->gate = gate;
	where->local = local;
	if (object)
		object_get(object);
	else if (!atomic_load_relaxed(&gate->moved))
		atomic_store_relaxed(&gate->moved, 1);
	*out = where;
	return 0;
}

void rmap_place(struct rmap *where, int64_t delta, struct lock_range r)
{
	struct rmap *head = rmap_head(where);

	spin_lock(rmap_lock(where));                                             /* L2 -> L1 */
	atomic_store_seqcst(&where->delta, delta);                              /* E1 -> E2 */
	atomic_store_seqcst(&where->lo, (r.lo >> PAGE_SHIFT) + (uint64_t)delta);        /* E1 -> E2 */
	atomic_store_seqcst(&where->hi, (r.hi >> PAGE_SHIFT) + (uint64_t)delta);        /* E1 -> E2 */
	if (!head->next)
		rmap_list_init(head);
	if (!where->next) {
		where->next = head->next;
		where->prev = head;
		head->next->prev = where;
		head->next = where;
	}
	spin_unlock(rmap_lock(where));                                           /* L1 */
}

static void extend_pages(struct rmap *where, uint64_t lo, uint64_t hi)
{
	uint64_t now = atomic_load_relaxed(&where->lo);

	if (BASE_MUTANT(rmap_keeps_hull))
		return;
	while (lo < now && !atomic_cas_seqcst(&where->lo, &now, lo))             /* E1 -> E2 */
		;
	now = atomic_load_relaxed(&where->hi);
	while (hi > now && !atomic_cas_seqcst(&where->hi, &now, hi))             /* E1 -> E2 */
		;
}

void rmap_extend(struct rmap *where, struct lock_range r)
{
	uint64_t delta = (uint64_t)atomic_load_relaxed(&where->delta);

	extend_pages(where, (r.lo >> PAGE_SHIFT) + delta, (r.hi >> PAGE_SHIFT) + delta);
}

void rmap_swallow(struct rmap *where, const struct rmap *other)
{
	if (where != other)
		extend_pages(where, atomic_load_seqcst(&other->lo), atomic_load_seqcst(&other->hi));    /* E2 -> E1 */
}

void rmap_get(struct rmap *where)
{
	atomic_add_relaxed(&where->refs, 1);
}

void rmap_put(struct rmap *where)
{
	struct object *object = where->object;
	atomic_u32 *lock = rmap_lock(where);
	uint64_t refs = atomic_load_relaxed(&where->refs);
	bool last;

	while (refs > 1)
		if (atomic_cas_acqrel(&where->refs, &refs, refs - 1))            /* R1 -> R1 */
			return;
	/* A walk may take a reference until it is out of the ring. */
	spin_lock(lock);                                                         /* L2 -> L1 */
	last = atomic_sub_acqrel(&where->refs, 1) == 1;                          /* R1 -> R1 */
	if (last && where->next) {
		where->next->prev = where->prev;
		where->prev->next = where->next;
	}
	spin_unlock(lock);                                                       /* L1 */
	if (!last)
		return;
	mem_free(MEM_OBJECT, where, sizeof *where);
	if (object)
		object_put(object);
}

/* ---- the walk ---- */

enum walk_step { WALK_ON, WALK_AGAIN };

/* One entry of the object's pages, under a visit. */
static enum walk_step walk_entry(const struct rmap_walk *w, struct vmmap *map, struct lock_visit *v, uint64_t addr,
				 atomic_u64 *entry)
{
	uint64_t seen = atomic_load_seqcst(entry), next = 0;             /* Z1, Y1 */

	if (seen & PT_LOCKED)
		return WALK_AGAIN;
	if (!w->drop)
		next = seen & PT_OBJECT ? seen & ~(uint64_t)(PT_WRITE | PT_DIRTY) : seen;
	if (!(seen & PT_PRESENT) || (!w->drop && !(seen & PT_WRITE)) || next == seen)
		return WALK_ON;
	if (!pt_lock(entry, seen))
		return WALK_AGAIN;
	if (!map->policy->visit_valid(map->lock_state, v) && !BASE_MUTANT(walk_drops_unchecked)) {
		pt_store(entry, seen);
		return WALK_AGAIN;
	}
	space_touch(map, w->self, (struct lock_range){ addr, addr + PAGE_BYTES }, LOCK_TOUCH_ENTRY, false);
	pt_store(entry, next);
	if (w->drop)
		space_retire_entry(map, w->self, seen);
	return WALK_ON;
}

/* Entries where nothing is mapped: munmap has let visits in again, and zaps. */
static bool walk_leftover(struct vmmap *map, struct lock_range r)
{
	atomic_u64 *entry;

	if (!map->policy->edit_downgrade || BASE_MUTANT(walk_trusts_gap))
		return false;
	for (; (entry = pt_next(&map->pt, &r.lo, r.hi)); r.lo += PAGE_BYTES)
		if (atomic_load_seqcst(entry))                                  /* Z1 -> Z2; Y1 -> Y2 */
			return true;
	return false;
}

/* Inside a visit: *at moves up over what has been done, or over what is not ours. */
static enum walk_step walk_visited(const struct rmap_walk *w, struct vmmap *map, struct lock_visit *v, int64_t delta,
				   uint64_t *at)
{
	const struct vma *vma = v->slot ? space_vma(v->slot) : NULL;
	uint64_t addr = *at;
	atomic_u64 *entry = NULL;

	BASE_POINT(walk_after_begin);
	if (!vma || atomic_load_acquire(&vma->object) != w->object ||           /* B2 -> B1 */
	    atomic_load_acquire(&vma->delta) != delta) {
		if (!map->policy->visit_valid(map->lock_state, v) && !BASE_MUTANT(walk_passes_unchecked))
			return WALK_AGAIN;
		if (!vma && walk_leftover(map, v->r))
			return WALK_AGAIN;
		*at = v->r.hi;
		return WALK_ON;
	}
	space_touch(map, w->self, v->r, LOCK_TOUCH_VMA, false);
	BASE_POINT(walk_before_entries);
	for (unsigned n = 0; n < RMAP_ENTRIES && (entry = pt_next(&map->pt, &addr, v->r.hi)); n++) {
		if (walk_entry(w, map, v, addr, entry) == WALK_AGAIN) {
			*at = addr;
			return WALK_AGAIN;
		}
		addr += PAGE_BYTES;
	}
	*at = entry && addr < v->r.hi ? addr : v->r.hi;
	return WALK_ON;
}

static int walk_map(const struct rmap_walk *w, struct vmmap *map, int64_t delta, struct lock_range r)
{
	struct lock_visit v = { .self = w->self };
	struct park_spin spin = PARK_SPIN;

	while (r.lo < r.hi) {
		enum walk_step step;
		int err;

		v.r = r;
		err = map->policy->visit_begin(map->lock_state, &v, w->self->deadline_ns);
		if (err)
			return err;
		step = walk_visited(w, map, &v, delta, &r.lo);
		map->policy->visit_end(map->lock_state, &v);
		frame_tidy(map->physmem, w->self);
		if (step == WALK_AGAIN) {
			err = space_again(w->self, &spin);
			if (err)
				return err;
		} else {
			v = (struct lock_visit){ .self = w->self };      /* the next visit is a young one  */
			spin = (struct park_spin)PARK_SPIN;
		}
	}
	return 0;
}

static int walk_one(const struct rmap_walk *w, struct rmap *where)
{
	uint64_t lo = atomic_load_seqcst(&where->lo), hi = atomic_load_seqcst(&where->hi);       /* E2 -> E1 */
	int64_t delta = atomic_load_seqcst(&where->delta);                      /* E2 -> E1 */
	struct lock_range r;
	int err;

	lo = lo < w->lo ? w->lo : lo;
	hi = hi > w->hi ? w->hi : hi;
	if (lo >= hi || !rmap_gate_enter(where->gate))
		return 0;
	BASE_POINT(rmap_inside);
	r = (struct lock_range){ (lo - (uint64_t)delta) << PAGE_SHIFT, (hi - (uint64_t)delta) << PAGE_SHIFT };
	err = walk_map(w, where->gate->map, delta, r);
	rmap_gate_leave(where->gate);
	return err;
}

/* In the ring, under its lock: so somebody has a reference; a VMA, whose map has its gate, or a walk, which has it. */
static void walk_pin(struct rmap *where)
{
	rmap_get(where);
	if (!BASE_MUTANT(walk_pins_no_gate))
		rmap_gate_get(where->gate);
}

static void walk_unpin(struct rmap *where)
{
	struct rmap_gate *gate = where->gate;

	rmap_put(where);
	if (!BASE_MUTANT(walk_pins_no_gate))
		rmap_gate_put(gate);
}

int rmap_walk(struct rmap_walk *w)
{
	struct rmap *head = &w->object->where, *first, *next;
	int err = 0;

	spin_lock(&w->object->lock);                                             /* L2 -> L1 */
	first = head->next;
	for (struct rmap *where = first; where != head; where = where->next)
		walk_pin(where);
	spin_unlock(&w->object->lock);                                           /* L1 */
	BASE_POINT(rmap_after_pin);
	for (struct rmap *where = first; where != head; where = next) {
		next = where->next;                      /* pinned as well: nobody unlinks it                      */
		if (!err && !(BASE_MUTANT(rmap_skips_unused) && atomic_load_relaxed(&where->refs) == 1))
			err = walk_one(w, where);
		walk_unpin(where);
		BASE_POINT(rmap_between);
	}
	return err;
}

void rmap_cut(struct rmap *where, struct thread_slot *self)
{
	struct rmap_walk w = { .object = where->object, .self = self, .lo = object_pages(where->object),
			       .hi = UINT64_MAX, .drop = true };
	uint64_t before = thread_deadline(self, PARK_FOREVER);

	if (!BASE_MUTANT(fork_no_size) && walk_one(&w, where))
		CHECK(!"somebody holds a range of a map that nobody has");
	thread_deadline(self, before);
}

bool rmap_covers(struct rmap *where, const struct vmmap *map, int64_t delta, struct lock_range r)
{
	uint64_t lo = (r.lo >> PAGE_SHIFT) + (uint64_t)delta, hi = (r.hi >> PAGE_SHIFT) + (uint64_t)delta;
	bool linked = false;

	for (struct rmap *at = rmap_head(where)->next; at && at != rmap_head(where); at = at->next)
		linked |= at == where;
	return linked && where->gate->map == map && atomic_load_relaxed(&where->delta) == delta &&
	       atomic_load_relaxed(&where->lo) <= lo && hi <= atomic_load_relaxed(&where->hi);
}
