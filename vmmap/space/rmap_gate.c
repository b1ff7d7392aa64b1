/* SPDX-License-Identifier: MIT */
/*
 * rmap_gate.c - who comes into a map from a frame or an object; the tree of the maps that were forked from each other.
 *
 * GATE     a walker is inside a map only between enter and leave; vmmap_destroy closes the gate and waits for who is
 *          inside, and for nobody else. Both by RMW on one word; the last out wakes. A fork's child is born closed.
 * TREE     a gate is a fork of its parent, and has a reference on it: it stands as long as its map, or one that was
 *          forked from it, directly or not. So a frame's name, the gate of the map whose fault made the page
 *          (frame_record.h), leads to all maps that may show it: forks only hand frames down. What is left of a map
 *          that died before its forks is this one block.
 * NAMES    stand in frame records without a reference: memory of a gate is freed after a grace period (get_live).
 * EDGES    G1 a walker comes and leaves by the gate -> G2 who closed it: what it did in the map, before that is
 *          destroyed.
 *          G3 a fork opens its child's gate, then loads the size of what that maps (Z2) -> G1: the walk of a resize
 *          comes in, or the fork sees the size that it has stored before (Z1).
 *          L1 release of a gate's lock -> L2 its acquire: its forks.
 *          R1 each put of a reference -> the last one: what was done with what it frees.
 * ORDER    gate.lock: nothing is taken under it, nor allocated, called or slept on. One at a time.
 * PROGRESS enter, leave, get: lock-free. put: the parent's lock only for the last reference of a fork.
 * SOURCE   Linux's anon_vma (mm/rmap.c), without its chains: docs/adr/0014-fork.md.
 */
#include "base/spin.h"
#include "vmmap/space/space.h"

#define RMAP_CLOSED UINT32_C(0x80000000)

int rmap_gate_make(struct rmap_gate **out, struct vmmap *map, struct rmap_gate *parent)
{
	struct rmap_gate *gate = mem_alloc(MEM_MAP, sizeof *gate, CACHE_LINE);

	if (!gate)
		return -ENOMEM;
	atomic_store_relaxed(&gate->refs, 1);
	atomic_store_relaxed(&gate->inside, parent ? RMAP_CLOSED : 0);
	gate->map = map;
	gate->parent = parent;
	if (parent) {
		rmap_gate_get(parent);
		spin_lock(&parent->lock);                                        /* L2 -> L1 */
		gate->older = parent->forks;
		if (gate->older)
			gate->older->younger = gate;
		parent->forks = gate;
		spin_unlock(&parent->lock);                                      /* L1 */
	}
	*out = gate;
	return 0;
}

void rmap_gate_get(struct rmap_gate *gate)
{
	atomic_add_relaxed(&gate->refs, 1);
}

bool rmap_gate_get_live(struct rmap_gate *gate)
{
	uint32_t refs = atomic_load_relaxed(&gate->refs);

	while (refs && !atomic_cas_relaxed(&gate->refs, &refs, refs + 1))
		;
	return refs != 0;
}

static void rmap_gate_free(struct rcu_item *item)
{
	struct rmap_gate *gate = container_of(item, struct rmap_gate, rcu);

	mem_free(MEM_MAP, gate, sizeof *gate);
}

/* Out of its parent's forks. true: it was the last reference. A walk may take one until it is out. */
static bool gate_unlink(struct rmap_gate *gate, struct rmap_gate *parent)
{
	bool last;

	spin_lock(&parent->lock);                                                /* L2 -> L1 */
	last = atomic_sub_acqrel(&gate->refs, 1) == 1;                           /* R1 -> R1 */
	if (last) {
		if (gate->younger)
			gate->younger->older = gate->older;
		else
			parent->forks = gate->older;
		if (gate->older)
			gate->older->younger = gate->younger;
	}
	spin_unlock(&parent->lock);                                              /* L1 */
	return last;
}

/* The last reference of a fork is its own one on its parent. */
void rmap_gate_put(struct rmap_gate *gate)
{
	while (gate) {
		struct rmap_gate *parent = gate->parent;
		uint32_t refs = atomic_load_relaxed(&gate->refs);

		while (parent && refs > 1)
			if (atomic_cas_acqrel(&gate->refs, &refs, refs - 1))     /* R1 -> R1 */
				return;
		if (parent ? !gate_unlink(gate, parent) : atomic_sub_acqrel(&gate->refs, 1) > 1) /* R1 -> R1 */
			return;
		rcu_retire(thread_self(), &gate->rcu, rmap_gate_free);
		gate = parent;
	}
}

void rmap_gate_open(struct rmap_gate *gate)
{
	atomic_store_seqcst(&gate->inside, 0);                                   /* G3 -> G1 */
}

bool rmap_gate_enter(struct rmap_gate *gate)
{
	uint32_t inside = atomic_load_seqcst(&gate->inside);                    /* G1 -> G2: the CAS compares it */

	while (!(inside & RMAP_CLOSED) || BASE_MUTANT(gate_lets_in))
		if (atomic_cas_seqcst(&gate->inside, &inside, inside + 1))      /* G1 -> G2 */
			return true;
	return false;
}

void rmap_gate_leave(struct rmap_gate *gate)
{
	if (atomic_sub_acqrel(&gate->inside, 1) == (RMAP_CLOSED | 1))            /* G1 -> G2 */
		park_wake(&gate->inside, 1);
}

void rmap_gate_close(struct rmap_gate *gate)
{
	uint32_t inside = atomic_or_seqcst(&gate->inside, RMAP_CLOSED) | RMAP_CLOSED;    /* G2 -> G1 */

	while (inside != RMAP_CLOSED && !BASE_MUTANT(gate_no_wait)) {
		park_wait(&gate->inside, inside, PARK_FOREVER);
		inside = atomic_load_seqcst(&gate->inside);                      /* G2 -> G1 */
	}
}

/* ---- the tree ---- */

/* The youngest fork, with a reference. In the list under the lock: it has one (gate_unlink). */
static struct rmap_gate *gate_down(struct rmap_gate *at)
{
	struct rmap_gate *fork;

	spin_lock(&at->lock);                                                    /* L2 -> L1 */
	fork = at->forks;
	if (fork)
		rmap_gate_get(fork);
	spin_unlock(&at->lock);                                                  /* L1 */
	return fork;
}

static struct rmap_gate *gate_beside(struct rmap_gate *at)
{
	struct rmap_gate *older;

	spin_lock(&at->parent->lock);                                            /* L2 -> L1 */
	older = at->older;
	if (older)
		rmap_gate_get(older);
	spin_unlock(&at->parent->lock);                                          /* L1 */
	return older;
}

struct rmap_gate *rmap_gate_next(const struct rmap_gate *root, struct rmap_gate *at)
{
	struct rmap_gate *next = gate_down(at), *up;

	while (!next && at != root) {
		next = gate_beside(at);
		up = at->parent;
		rmap_gate_get(up);
		rmap_gate_put(at);
		at = up;
	}
	rmap_gate_put(at);
	return next;
}

bool rmap_gate_descends(const struct rmap_gate *gate, const struct rmap_gate *from)
{
	while (gate && gate != from)
		gate = gate->parent;
	return gate != NULL;
}
