/* SPDX-License-Identifier: MIT */
/* inside.c - what scenarios want of the engine that has no public face. */
#include "bench/explore/scenario.h"

#include <sched.h>

#include "base/mem.h"
#include "base/site.h"
#include "bench/explore/weak.h"
#include "bench/sim/core.h"
#include "locks/policy/intree.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree_impl.h"

#undef PAGE

void scene_separate(uint64_t at)
{
	expect(vtree_separate(&scene.map->tree, thread_self(), at) == 0);
}

uint64_t scene_same_notes(uint64_t at)
{
	unsigned set = scavenge_set(at);

	do
		at += UINT64_C(1) << pt_level_shift(1);
	while (scavenge_set(at) != set);
	return at;
}

bool scene_insists(unsigned i)
{
	struct intree *s = scene.map->lock_state;
	struct range_thread *t = range_thread_at(&s->locks, core_at(i)->slot->number);

	if (!t || atomic_load_relaxed(&t->insist_ticket) == 0)
		return false;
	if (weak_on())
		weak_knows(core_current->number, i);     /* who asks has seen it, then                              */
	return true;
}

void scene_separate_for_now(uint64_t at)
{
	struct vtree_section s;

	expect(vtree_split_reserve(&scene.map->tree, thread_self(), at) == 0);
	vtree_enter(&scene.map->tree, thread_self(), at, &s);
	expect(vtree_split_at(&s, vtree_page(at), vtree_page(at), VTREE_BORDER_CONTENDED) == 0);
	vtree_leave(&s);
}

void scene_join(uint64_t at)
{
	vtree_join_idle(&scene.map->tree, thread_self(), (struct lock_range){ at - 4096, at + 4096 }, ADDRESS_END);
}

void scene_search(uint64_t at, uint64_t len)
{
	struct vtree_want want = { .within = { at, at + len }, .len = 4096 };
	struct lock_range fit;

	(void)vtree_gap(&scene.map->tree, thread_self(), &want, UINT64_MAX, false, &fit);
}

const void *scene_vma(uint64_t at)
{
	return vtree_lookup(&scene.map->tree, at);
}

uint64_t scene_version(uint64_t at)
{
	struct vma *vma = vtree_lookup(&scene.map->tree, at);
	uint64_t lk = vma != NULL ? atomic_load_acquire(&vma->slot.lk) : 0;

	return lock_word_free(lk) ? lk : 0;
}

uint64_t scene_group(uint64_t at)
{
	return vma_anon(vtree_lookup(&scene.map->tree, at));
}

uint64_t scene_owned(void)
{
	struct physmem_usage frames;

	physmem_get_usage(scene.physmem, &frames);
	return frames.owned;
}

void scene_no_membarrier(void)
{
	rcu_global.heavy_readers = 1;
}

void scene_grace(void)
{
	uint64_t cookie = rcu_poll_start();

	while (!rcu_poll_done(cookie))
		sched_yield();
}

void scene_drain(void)
{
	rcu_drain();
}

void scene_shelf(unsigned most)
{
	scene.physmem->spare_max = most;
}

unsigned scene_batch(void)
{
	return atomic_load_relaxed(&scene.physmem->batch);
}

void scene_thread_exit(void)
{
	core_thread_exit();
}

uint64_t scene_table_bytes(void)
{
	return mem_bytes(MEM_TABLE);
}

void scene_refuse(uint64_t nth)
{
	site_refuse_nth(nth, false);
}

void scene_refuse_memory(uint64_t nth)
{
	mem_fail_nth(nth);
}

bool scene_refused(void)
{
	bool fired = site_refuse_fired() || mem_fail_fired();

	site_refuse_nth(0, false);
	mem_fail_nth(0);
	return fired;
}
