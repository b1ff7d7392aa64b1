/* SPDX-License-Identifier: MIT */
/*
 * rmap_frame.c - from a frame to the entries that show it.
 *
 * NAME       stands in the frame's record (frame_record.h): whose page it is, and its number there.
 *              the gate of a map, page   anonymous: made by a fault of that map. page = address + the VMA's delta then:
 *                                        the delta takes back each move, so the number stays right for ever
 *              an object, page           its own page (owner class OBJECT), or a private copy of it (RMAP_COPY, MAP)
 * LOOKED FOR anonymous: in that map, and in all that were forked from it (rmap_gate.c): a frame is only handed down. In
 *              each at the page's own address, and at page - delta of each hint in the rings of what moved there.
 *            of an object: at page - delta of each hint of the object's ring, as a resize does. So copies that forks
 *              share are found like any, since the child's mapping has its own hint.
 *            A candidate counts if the entry there shows the frame; the rest decides who locks it.
 * COMPLETE   quiescent, the candidates are all entries that show the frame (vmmap_audit asks for each entry of the map,
 *            rmap_leads). Else one may be missed: it is in a mover's hands, in a child that is being made, in one that
 *            came after its parent was passed. So who wants all of them compares with the frame's count.
 * LIFE       what a name points to is there in the read section that has read it: the memory of gates and objects is
 *            freed by a grace period after the last frame of that name was freed (frame_name).
 * PRICE      a frame that a fork shared is looked for in all maps below the one that made it; a map in which something
 *            has moved has a ring for each slot that it knows, and long ones if it was much. None of it counts for
 *            faults, unmaps, moves and forks of what nobody looks for.
 * EDGES      S1 an entry is stored -> S2 it is read here.   L1, E1 of rmap.c, rmap_gate.c -> L2, E2.
 * ORDER      object.lock or moved_lock, one at a time; under it only entries are read, and gates passed.
 */
#include "base/spin.h"
#include "vmmap/space/space.h"

static bool seek_shows(const struct rmap_seek *s, uint64_t entry)
{
	return pt_has_frame(entry) && pt_pfn(entry) == s->pfn;
}

/* Two hints of one delta may both cover it. */
static bool seek_known(const struct rmap_seek *s, const struct rmap_gate *gate, uint64_t addr)
{
	for (unsigned i = s->n; i-- > 0;)
		if (s->found[i].gate == gate && s->found[i].addr == addr)
			return true;
	return false;
}

/* Nobody has placed anything in a ring of zeros. */
static const struct rmap *ring_first(const struct rmap *head)
{
	return head->next ? head->next : head;
}

/* Its entry, if it is there: stays so while the map does, and this read section. */
static void seek_at(struct rmap_seek *s, struct rmap_gate *gate, uint64_t page)
{
	uint64_t addr = page << PAGE_SHIFT;
	atomic_u64 *entry;
	uint64_t seen;

	if (s->n == s->most || page >= ADDRESS_END >> PAGE_SHIFT || !rmap_gate_enter(gate))
		return;
	entry = pt_find(&gate->map->pt, addr);
	seen = entry ? atomic_load_seqcst(entry) : 0;                            /* S2 -> S1; X1 -> X2 */
	s->locked |= (seen & PT_LOCKED) != 0;
	if (seek_shows(s, seen) && !seek_known(s, gate, addr))
		s->found[s->n++] = (struct rmap_found){ gate, addr, 0 };
	else
		rmap_gate_leave(gate);
	BASE_POINT(seek_looked);
}

static void seek_ring(struct rmap_seek *s, atomic_u32 *lock, const struct rmap *head)
{
	spin_lock(lock);                                                         /* L2 -> L1 */
	for (const struct rmap *where = ring_first(head); where != head && s->n < s->most; where = where->next) {
		uint64_t lo = atomic_load_seqcst(&where->lo), hi = atomic_load_seqcst(&where->hi);       /* E2 -> E1 */
		uint64_t delta = (uint64_t)atomic_load_seqcst(&where->delta);    /* E2 -> E1 */

		if (lo <= s->name.page && s->name.page < hi)
			seek_at(s, where->gate, s->name.page - delta);
	}
	spin_unlock(lock);                                                       /* L1 */
}

/* The rings go with the map, its gate may stay (rmap_gate.c, TREE). */
static void seek_moved(struct rmap_seek *s, struct rmap_gate *gate)
{
	if (!atomic_load_relaxed(&gate->moved) || (!rmap_gate_enter(gate) && !BASE_MUTANT(seek_no_gate)))
		return;
	BASE_POINT(seek_inside);
	for (uint32_t i = 0; i < thread_count(); i++) {
		struct space_local *local = thread_local_at(&gate->map->locals, i);

		if (local)
			seek_ring(s, &local->moved_lock, &local->moved);
	}
	rmap_gate_leave(gate);
}

static void seek_anonymous(struct rmap_seek *s, struct rmap_gate *root)
{
	struct rmap_gate *at = root;

	if (!rmap_gate_get_live(root))
		return;
	while (at) {
		seek_at(s, at, s->name.page);
		if (!BASE_MUTANT(seek_unmoved))
			seek_moved(s, at);
		if (s->n == s->most) {
			rmap_gate_put(at);
			return;
		}
		at = rmap_gate_next(root, at);
	}
}

static bool name_of_object(const struct frame_name *name)
{
	return frame_owner(name->word) == FRAME_OWNER_OBJECT || name->where & RMAP_COPY;
}

static void *name_points(const struct frame_name *name)
{
	return (void *)(uintptr_t)(name->where & ~RMAP_COPY);
}

void rmap_seek(struct rmap_seek *s)
{
	struct object *object = name_points(&s->name);

	s->n = 0;
	s->locked = false;
	if (name_of_object(&s->name))
		seek_ring(s, &object->lock, &object->where);
	else
		seek_anonymous(s, name_points(&s->name));
}

void rmap_seek_end(struct rmap_seek *s)
{
	for (unsigned i = 0; i < s->n; i++)
		rmap_gate_leave(s->found[i].gate);
}

/* ---- audit ---- */

static bool ring_leads(const struct rmap *head, const struct vmmap *map, uint64_t page, uint64_t at)
{
	for (const struct rmap *where = ring_first(head); where != head; where = where->next)
		if (where->gate->map == map && atomic_load_relaxed(&where->lo) <= page &&
		    page < atomic_load_relaxed(&where->hi) &&
		    page - (uint64_t)atomic_load_relaxed(&where->delta) == at)
			return true;
	return false;
}

static bool moved_leads(struct vmmap *map, uint64_t page, uint64_t at)
{
	bool leads = false;

	for (uint32_t i = 0; atomic_load_relaxed(&map->gate->moved) && i < thread_count(); i++) {
		const struct space_local *local = thread_local_at(&map->locals, i);

		leads |= local && ring_leads(&local->moved, map, page, at);
	}
	return leads;
}

bool rmap_leads(struct vmmap *map, uint64_t addr, uint64_t pfn)
{
	struct frame_name name;
	struct object *object;

	if (!frame_name(map->physmem, pfn, &name))
		return false;
	object = name_points(&name);
	if (name_of_object(&name))
		return ring_leads(&object->where, map, name.page, addr >> PAGE_SHIFT);
	return rmap_gate_descends(map->gate, name_points(&name)) &&
	       (name.page == addr >> PAGE_SHIFT || moved_leads(map, name.page, addr >> PAGE_SHIFT));
}
