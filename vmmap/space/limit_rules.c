/* SPDX-License-Identifier: MIT */
/*
 * limit_rules.c - what Linux checks, in which order, with which errno. Each call tries a shared window with a generous
 * reservation first; only when that is not to be had, the exact window asks what Linux would.
 *
 * COUNT       mmap, brk: map_count > max. A split (mprotect, madvise, mlock; a hole in the middle of one VMA by munmap
 *             or MAP_FIXED): map_count >= max. mremap: map_count >= max - 3 to move, max - 5 if it has a target.
 *             limits.most is max + 1 VMAs, so "map_count > max" is "none left".
 * PAGES       mmap over something mapped: its pages are set off against the address space and the committed memory,
 *             not against the locked memory. mlock: what is locked already is not counted twice.
 */
#include "vmmap/space/space.h"

static int64_t pages_of(struct lock_range r) { return (int64_t)((r.hi - r.lo) >> PAGE_SHIFT); }

/* ---- brief edits: a reservation or nothing ---- */

static struct limit_units units_of_map(struct lock_range r, const struct space_new *fresh, bool pays)
{
	struct limit_units u = { { LIMIT_VMA_MARGIN, pages_of(r) } };

	u.of[LIMIT_COMMIT] = fresh->bits & VMA_ACCOUNT || pays ? pages_of(r) : 0;
	u.of[LIMIT_LOCKED] = fresh->bits & VMA_LOCKED ? pages_of(r) : 0;
	return u;
}

static struct limit_units units_of_bits(struct lock_range r, const struct space_rebits *rb)
{
	struct limit_units u = { { LIMIT_VMA_MARGIN } };

	u.of[LIMIT_COMMIT] = rb->prot && rb->arg & VMA_WRITE ? pages_of(r) : 0;
	u.of[LIMIT_LOCKED] = (int64_t)rb->lock_pages;
	return u;
}

bool limit_brief(struct vmmap *map, struct thread_slot *self, const struct carve *c)
{
	struct limit_units want = { { LIMIT_VMA_MARGIN } };

	if (c->kind == CARVE_MAP)
		want = units_of_map(c->r, c->fresh, c->pays);
	else if (c->kind == CARVE_BITS)
		want = units_of_bits(c->r, c->rebits);
	limit_enter(map, self);
	if (limit_reserve(map, self, &want))
		return true;
	limit_leave(map, self);
	return false;
}

/* ---- the general form ---- */

/* true: reserved, or this map is not exact yet and has room for everything that is asked. */
static bool reserved(struct vmmap *map, struct thread_slot *self, const struct limit_units *want)
{
	limit_enter(map, self);
	if (limit_reserve(map, self, want))
		return true;
	limit_exact(map, self);
	return false;
}

static int decided(struct vmmap *map, struct thread_slot *self, int err)
{
	if (err)
		limit_leave(map, self);
	return err;
}

/* What is in r by kind; LIMIT_VMAS: the VMAs that begin in r, and whether it is a hole in the middle of one. */
struct rules_found { struct limit_units in; bool middle; };

static void rules_look(struct vmmap *map, struct thread_slot *self, struct lock_range r, struct rules_found *found)
{
	struct vtree_listed v;
	unsigned seen = 0;

	*found = (struct rules_found){ .in = { { 0 } } };
	rcu_enter(self);
	for (uint64_t at = r.lo; vtree_list(&map->tree, at, r.hi, &v); at = v.r.hi) {
		struct lock_range in = { v.r.lo > r.lo ? v.r.lo : r.lo, v.r.hi < r.hi ? v.r.hi : r.hi };

		found->middle = !seen++ && v.r.lo < r.lo && v.r.hi > r.hi;
		found->in.of[LIMIT_VMAS] += v.r.lo >= r.lo && v.r.hi <= r.hi;
		found->in.of[LIMIT_AS] += pages_of(in);
		found->in.of[LIMIT_COMMIT] += v.bits & VMA_ACCOUNT ? pages_of(in) : 0;
		found->in.of[LIMIT_LOCKED] += v.bits & VMA_LOCKED ? pages_of(in) : 0;
	}
	rcu_leave(self);
}

static int rules_map(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_new *fresh,
		     bool pays)
{
	struct rules_found found;
	int64_t n = pages_of(r), commit = fresh->bits & VMA_ACCOUNT ? n : 0;

	if (limit_left(map, LIMIT_VMAS) < 1)
		return -ENOMEM;
	if (fresh->bits & VMA_LOCKED && limit_left(map, LIMIT_LOCKED) < n)
		return -EAGAIN;
	rules_look(map, self, r, &found);
	if (found.middle && limit_left(map, LIMIT_VMAS) < 2)
		return -ENOMEM;
	if (limit_left(map, LIMIT_AS) < n - found.in.of[LIMIT_AS])
		return -ENOMEM;
	/* What goes is set off against a private mapping that comes; a shared one is charged as an object. */
	if (commit && limit_left(map, LIMIT_COMMIT) < commit - found.in.of[LIMIT_COMMIT])
		return -ENOMEM;
	return pays && limit_left(map, LIMIT_COMMIT) < n ? -ENOMEM : 0;
}

int limit_map(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_new *fresh,
	      bool pays)
{
	struct limit_units want = units_of_map(r, fresh, pays);

	return reserved(map, self, &want) ? 0 : decided(map, self, rules_map(map, self, r, fresh, pays));
}

int limit_unmap(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct rules_found found;

	if (reserved(map, self, &(struct limit_units){ { LIMIT_VMA_MARGIN } }))
		return 0;
	rules_look(map, self, r, &found);
	return decided(map, self, found.middle && limit_left(map, LIMIT_VMAS) < 2 ? -ENOMEM : 0);
}

/* ---- new bits: Linux goes from VMA to VMA, merges where it can, else splits ---- */

struct rules_walk {
	struct vtree_listed left;                /* what lies below the part, as it will be; r empty: nothing      */
	int64_t more, most, commit;              /* VMAs more so far, at most; pages to be committed               */
};

static bool rules_joins(const struct vtree_listed *a, const struct vtree_listed *b)
{
	return a->r.lo < a->r.hi && a->r.hi == b->r.lo && a->bits == b->bits && a->delta == b->delta &&
	       a->object == b->object && (a->anon == b->anon || !a->anon || !b->anon);
}

/* The part `in` of v gets `bits`; next: what lies above v. */
static void rules_step(struct rules_walk *w, const struct vtree_listed *v, struct lock_range in, uint64_t bits,
		       const struct vtree_listed *next)
{
	struct vtree_listed part = { .r = in, .bits = bits, .delta = v->delta, .object = v->object, .anon = v->anon };
	bool left = in.lo == v->r.lo && rules_joins(&w->left, &part);
	bool right = in.hi == v->r.hi && rules_joins(&part, next);

	if (bits != v->bits) {
		right = right && !(left && w->left.anon && next->anon && w->left.anon != next->anon);
		if (left || right) {
			w->more -= in.lo == v->r.lo && in.hi == v->r.hi ? left + right : 0;
		} else {
			w->more += (in.lo > v->r.lo) + (in.hi < v->r.hi);
			w->most = w->more > w->most ? w->more : w->most;
		}
		w->commit += bits & ~v->bits & VMA_ACCOUNT ? pages_of(in) : 0;
	}
	w->left = part;
}

static void rules_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
		       bool every, struct rules_walk *w)
{
	struct vtree_listed v, next;
	struct vtree_seen seen;

	*w = (struct rules_walk){ .more = 0 };
	rcu_enter(self);
	if (r.lo > 0 && vtree_list(&map->tree, r.lo - PAGE_BYTES, r.lo, &v) && v.r.hi == r.lo)
		w->left = v;
	for (uint64_t at = r.lo; vtree_list(&map->tree, at, r.hi, &v); at = v.r.hi) {
		struct lock_range in = { v.r.lo > at ? v.r.lo : at, v.r.hi < r.hi ? v.r.hi : r.hi };

		if (v.r.lo > at && !every)
			break;
		if (!vtree_list(&map->tree, v.r.hi, v.r.hi + PAGE_BYTES, &next))
			next.r = (struct lock_range){ 0, 0 };
		vtree_find(&map->tree, in.lo, &seen);
		rules_step(w, &v, in, rb->fn(seen.vma, v.bits, rb->arg), &next);
	}
	rcu_leave(self);
}

int limit_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
	       bool every)
{
	struct limit_units want = units_of_bits(r, rb);
	struct rules_found found;
	struct rules_walk walk;

	if (reserved(map, self, &want))
		return 0;
	if (rb->lock_pages) {
		rules_look(map, self, r, &found);
		if (limit_left(map, LIMIT_LOCKED) < (int64_t)rb->lock_pages - found.in.of[LIMIT_LOCKED])
			return decided(map, self, -ENOMEM);
	}
	rules_bits(map, self, r, rb, every, &walk);
	if (limit_left(map, LIMIT_COMMIT) < walk.commit)
		return decided(map, self, -ENOMEM);
	if (walk.most && limit_left(map, LIMIT_VMAS) < walk.most + 1)
		return decided(map, self, rb->advice ? -EAGAIN : -ENOMEM);
	return 0;
}

/* ---- growth and moves ---- */

static struct limit_units units_of_growth(uint64_t bits, uint64_t more)
{
	int64_t n = (int64_t)(more >> PAGE_SHIFT);
	struct limit_units u = { { LIMIT_VMA_MARGIN, n } };

	u.of[LIMIT_COMMIT] = bits & VMA_ACCOUNT ? n : 0;
	u.of[LIMIT_LOCKED] = bits & VMA_LOCKED ? n : 0;
	return u;
}

/* Linux looks at the committed memory last, where it charges. */
static int rules_growth(const struct vmmap *map, const struct limit_units *want, bool commit)
{
	if (want->of[LIMIT_LOCKED] && limit_left(map, LIMIT_LOCKED) < want->of[LIMIT_LOCKED])
		return -EAGAIN;
	if (limit_left(map, LIMIT_AS) < want->of[LIMIT_AS])
		return -ENOMEM;
	return commit && limit_left(map, LIMIT_COMMIT) < want->of[LIMIT_COMMIT] ? -ENOMEM : 0;
}

int limit_grow(struct vmmap *map, struct thread_slot *self, uint64_t bits, uint64_t more, uint64_t stack)
{
	struct limit_units want = units_of_growth(bits, more);

	if (stack && map->limits.stack && stack > map->limits.stack)
		return -ENOMEM;
	return reserved(map, self, &want) ? 0 : decided(map, self, rules_growth(map, &want, true));
}

/* A window for a check alone: true if the check has to be made. */
static bool rules_check(struct vmmap *map, struct thread_slot *self, const struct limit_units *want)
{
	if (!reserved(map, self, want))
		return true;
	limit_leave(map, self);
	return false;
}

int limit_grow_first(struct vmmap *map, struct thread_slot *self, uint64_t bits, uint64_t more)
{
	struct limit_units want = units_of_growth(bits, more);
	int err = 0;

	if (rules_check(map, self, &want)) {
		err = rules_growth(map, &want, false);
		limit_leave(map, self);
	}
	return err;
}

int limit_mremap_first(struct vmmap *map, struct thread_slot *self, int64_t least)
{
	int err = 0;

	if (rules_check(map, self, &(struct limit_units){ { LIMIT_VMA_MARGIN } })) {
		err = limit_left(map, LIMIT_VMAS) < least ? -ENOMEM : 0;
		limit_leave(map, self);
	}
	return err;
}

static int rules_move(struct vmmap *map, struct thread_slot *self, const struct limit_move *m)
{
	int64_t vmas = limit_left(map, LIMIT_VMAS), n = pages_of(m->to), delta = n - (m->keep ? 0 : pages_of(m->from));
	struct rules_found gone = { .in = { { 0 } } };
	int64_t commit = m->bits & VMA_ACCOUNT ? delta : 0;

	if (m->fixed)
		rules_look(map, self, m->to, &gone);
	if (gone.middle && vmas < 2)
		return -ENOMEM;
	vmas += gone.in.of[LIMIT_VMAS] - gone.middle;
	/* Growth was looked at before the destination was cleared, DONTUNMAP is after that. */
	if (!m->keep && delta > 0 && m->bits & VMA_LOCKED && limit_left(map, LIMIT_LOCKED) < delta)
		return -EAGAIN;
	if (delta > 0 && limit_left(map, LIMIT_AS) + (m->keep ? gone.in.of[LIMIT_AS] : 0) < delta)
		return -ENOMEM;
	if (vmas < 5)
		return -ENOMEM;
	return commit > 0 && limit_left(map, LIMIT_COMMIT) + gone.in.of[LIMIT_COMMIT] < commit ? -ENOMEM : 0;
}

int limit_move(struct vmmap *map, struct thread_slot *self, const struct limit_move *m)
{
	int64_t n = pages_of(m->to), delta = n - (m->keep ? 0 : pages_of(m->from));
	struct limit_units want = { { LIMIT_VMA_MARGIN, delta } };

	want.of[LIMIT_COMMIT] = m->bits & VMA_ACCOUNT ? delta : 0;
	want.of[LIMIT_LOCKED] = m->bits & VMA_LOCKED && !m->keep ? delta : 0;
	return reserved(map, self, &want) ? 0 : decided(map, self, rules_move(map, self, m));
}

/* ---- mmap's order of errors ---- */

int limit_mmap_first(struct vmmap *map, struct thread_slot *self, uint64_t len, bool locked, int err)
{
	limit_enter(map, self);
	limit_exact(map, self);
	if (limit_left(map, LIMIT_VMAS) < 1)
		err = -ENOMEM;
	else if (locked && err != -EEXIST && limit_left(map, LIMIT_LOCKED) < (int64_t)(len >> PAGE_SHIFT))
		err = -EAGAIN;
	limit_leave(map, self);
	return err;
}
