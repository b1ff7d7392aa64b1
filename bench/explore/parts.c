/* SPDX-License-Identifier: MIT */
/*
 * parts.c - parts of the engine that a body uses without the rest. Compiled as the engine is: what stands here is told,
 * undone, and a scheduling point, as the engine's own accesses are.
 */
#include "bench/explore/scenario.h"

#include "base/mem.h"
#include "base/qspin.h"
#include "base/rcu.h"
#include "bench/sim/core.h"
#include "locks/policy/intree.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree_impl.h"

#undef PAGE
#define SPAN (UINT64_C(1) << 21)

bool scene_migrate(struct vmmap *map, uint64_t at)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	uint64_t seen;

	rcu_enter(self);
	entry = pt_find(&map->pt, at);
	seen = entry ? atomic_load_acquire(entry) : 0;
	rcu_leave(self);
	return pt_has_frame(seen) && space_mover.move(map->physmem, self, pt_pfn(seen), NULL) == FRAME_MOVED;
}

bool scene_frame_stays(uint64_t at)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	uint64_t seen, word;

	rcu_enter(self);
	entry = pt_find(&scene.map->pt, at);
	seen = entry ? atomic_load_acquire(entry) : 0;
	word = pt_has_frame(seen) ? atomic_load_acquire(&scene.physmem->word[pt_pfn(seen) - scene.physmem->base]) : 0;
	rcu_leave(self);
	return !pt_has_frame(seen) || frame_state(word) == FRAME_OWNED || frame_state(word) == FRAME_DEFERRED;
}

void scene_store_frame(uint64_t pfn, uint64_t word)
{
	frame_write(scene.physmem, pfn, 0, &word, sizeof word);
}

int scene_move_entries(uint64_t at, uint64_t len, uint64_t to)
{
	struct thread_slot *self = thread_self();
	int err;

	rcu_enter(self);
	err = pt_move(&scene.map->pt, self, (struct lock_range){ at, at + len }, to);
	rcu_leave(self);
	return err;
}

bool scene_present(uint64_t at)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	bool present;

	rcu_enter(self);
	entry = pt_find(&scene.map->pt, at);
	present = entry != NULL && atomic_load_acquire(entry) != 0;
	rcu_leave(self);
	return present;
}

void scene_pins(uint64_t at, uint32_t free)
{
	struct intree *s = scene.map->lock_state;
	struct vma *vma = vtree_lookup(&scene.map->tree, at);

	atomic_store_seqcst(range_pins(&s->locks, &vma->slot), free == UINT32_MAX ? 0 : LOCK_PINS_MAX - free);
}

struct pt *scene_tables(void)
{
	struct pt *pt = mem_alloc(MEM_OTHER, sizeof(*pt), CACHE_LINE);

	expect(pt != NULL && pt_init(pt) == 0);
	return pt;
}

void scene_tables_unlink(struct pt *pt, unsigned n)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	for (unsigned i = 0; i < n; i++)
		expect(pt_make(pt, self, SCENE_BASE + i * SPAN) != NULL);
	expect(pt_free_tables(pt, self, (struct lock_range){ SCENE_BASE, SCENE_BASE + n * SPAN }) == n);
	rcu_leave(self);
}

void scene_tables_end(struct pt *pt)
{
	pt_fini(pt);
}

/* ---- a visit, a section, a chain of frames, between two calls of the body ---- */

static struct lock_visit visits[SCENARIO_CORES];
static struct vtree_section sections[SCENARIO_CORES];

void scene_visit(uint64_t at)
{
	struct lock_visit *v = &visits[core_current->number];

	*v = (struct lock_visit){ .self = thread_self(), .r = { at, at + PAGE_BYTES } };
	expect(scene.map->policy->visit_begin(scene.map->lock_state, v, LOCK_FOREVER) == 0);
}

void scene_visit_end(void)
{
	scene.map->policy->visit_end(scene.map->lock_state, &visits[core_current->number]);
}

void scene_section(uint64_t at, uint64_t *lo, uint64_t *hi)
{
	struct vtree_section *s = &sections[core_current->number];

	vtree_enter(&scene.map->tree, thread_self(), at, s);
	*lo = s->r.lo;
	*hi = s->r.hi;
}

void scene_section_end(void)
{
	vtree_leave(&sections[core_current->number]);
}

void scene_collided(uint64_t at, unsigned times)
{
	struct vtree_place place;
	struct vtree_leaf *leaf = vtree_descend(&scene.map->tree, vtree_block(at), vtree_page(at), &place);

	atomic_store_relaxed(&leaf->contended, vtree_met(times, thread_self(), vtree_page(at)));
}

/* ---- the queued spin lock ---- */

static struct qspin spin;
static uint32_t spin_inside, spin_turns;         /* plain: under it */

static uint32_t spin_turn(void)
{
	qspin_lock(&spin);
	expect(spin_inside++ == 0);
	return ++spin_turns;
}

static void spin_turn_end(void)
{
	spin_inside--;
	qspin_unlock(&spin);
}

void scene_spin(unsigned i)
{
	scene.result[i] = spin_turn();
	spin_turn_end();
}

void scene_spin_again(unsigned i)
{
	uint32_t first;
	bool waits;

	scene_spin(i);
	first = spin_turn();
	waits = atomic_load_relaxed(&spin.tail) != NULL && atomic_load_relaxed(&spin.impatient) != 0;
	spin_turn_end();
	scene_spin(i);
	expect(!waits || scene.result[i] > first + 1);
}

/* ---- frames ---- */

uint32_t scene_chain(void)
{
	return frame_depot_take(scene.physmem, NULL, FRAME_MOVABLE);
}

void scene_chain_back(uint32_t chain)
{
	frame_depot_give(scene.physmem, NULL, FRAME_MOVABLE, chain);
}
