/* SPDX-License-Identifier: MIT */
/*
 * frames.c - one thread takes frames, the others give them back: what per-thread caches of frames like least.
 *
 * Thread 0 puts frames into a ring for each of the others, a piece at a time; who takes them off gives them back, so
 * that every frame crosses once, and the free ones pile up where nobody takes any. A thread alone does both. Straight
 * to physical memory; the map has nothing to do with it but the verifier's own pages.
 *
 * CHECKED   A word for each frame says whether it is out: who takes it swaps 1 in, and it must have been 0; who gives
 *           it back swaps 0 in, and it must have been 1. With contents, three words of the page say which frame it is,
 *           and which taking of it; who gives it back reads them, and clears them.
 * EDGE  H1, release store of ring.full or ring.empty -> H2, acquire load by the other side: places, and contents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stress/profile_ops.h"

#define PIECE 32u
#define RING  1024u                              /* frames; a multiple of PIECE                                     */
#define WORDS (PROFILE_PAGE / sizeof(uint64_t))

struct place { uint64_t pfn, serial; };

struct ring {
	PAIR_ALIGNED atomic_u64 full;            /* frames put there by thread 0                                    */
	PAIR_ALIGNED atomic_u64 empty;           /* ... taken off                                                   */
	PAIR_ALIGNED struct place place[RING];
};

struct imbalance {
	uint64_t frames;
	atomic_u32 *out;                         /* [frames] 1: somebody has it                                     */
	struct ring ring[];                      /* [threads], that of thread 0 for who is alone                    */
};

static uint64_t frames(const struct profile_map *map)
{
	return (uint64_t)map->threads * RING;
}

/* Where the words of the frame lie that the profile checks: first, last, one in between. */
static uint64_t *word_at(uint64_t *page, const struct place *p, unsigned i)
{
	return &page[i == 0 ? 0 : i == 1 ? 1 + p->serial % (WORDS - 2) : WORDS - 1];
}

static uint64_t stamp(const struct place *p, unsigned i)
{
	return (p->pfn << 32 ^ p->serial) + i + 1;
}

static int setup(struct profile_map *map)
{
	size_t size = sizeof(struct imbalance) + map->threads * sizeof(struct ring);
	size_t align = _Alignof(struct imbalance);
	struct physmem_usage usage;
	struct imbalance *all = aligned_alloc(align, (size + align - 1) / align * align);

	map->shared = all;
	if (!all)
		return -ENOMEM;
	memset(all, 0, size);
	physmem_get_usage(map->pm, &usage);
	all->frames = usage.frames;
	all->out = calloc(usage.frames, sizeof(*all->out));
	return all->out ? 0 : -ENOMEM;
}

static void wrong(struct profile_thread *t, const struct place *p, const char *what)
{
	if (t->verify)
		verify_report(t->at->params->verify, SIN_OVERLAP, p->pfn * PROFILE_PAGE, "frame: %s", what);
	profile_fail(t, CALL_FAULT, p->pfn * PROFILE_PAGE, PROFILE_PAGE, -EBADMSG);
}

static bool take_one(struct profile_thread *t, struct place *p)
{
	struct imbalance *all = t->at->shared;
	uint64_t *page;

	*p = (struct place){ physmem_frame_alloc(t->at->pm), ++t->count };
	if (p->pfn == PHYSMEM_NONE) {
		profile_fail(t, CALL_FAULT, 0, PROFILE_PAGE, -ENOMEM);
		return false;
	}
	if (p->pfn >= all->frames || atomic_swap_acqrel(&all->out[p->pfn], 1) != 0) {
		wrong(t, p, "given to two");
		return false;
	}
	page = physmem_frame_bytes(t->at->pm, p->pfn);
	for (unsigned i = 0; page && i < 3; i++)
		*word_at(page, p, i) = stamp(p, i);
	return true;
}

static bool give_one(struct profile_thread *t, const struct place *p)
{
	struct imbalance *all = t->at->shared;
	uint64_t *page = physmem_frame_bytes(t->at->pm, p->pfn);
	bool same = true;
	int err;

	for (unsigned i = 0; page && i < 3; i++) {
		same &= *word_at(page, p, i) == stamp(p, i);
		*word_at(page, p, i) = 0;
	}
	if (!same)
		wrong(t, p, "has another's contents");
	if (atomic_swap_acqrel(&all->out[p->pfn], 0) != 1)
		wrong(t, p, "given back by two");
	err = physmem_frame_free(t->at->pm, p->pfn);
	if (err)
		profile_fail(t, CALL_FAULT, p->pfn * PROFILE_PAGE, PROFILE_PAGE, err);
	return same && !err;
}

static void holds(struct profile_thread *t, int64_t frames_more)
{
	if (t->verify)
		verify_holds(t->verify, frames_more);
}

static unsigned put(struct profile_thread *t, struct ring *ring)
{
	uint64_t at = atomic_load_relaxed(&ring->full);
	unsigned n = 0;

	if (at - atomic_load_acquire(&ring->empty) > RING - PIECE)                       /* H2 -> H1 */
		return 0;
	while (n < PIECE && take_one(t, &ring->place[(at + n) % RING]))
		n++;
	holds(t, n);
	atomic_store_release(&ring->full, at + n);                                      /* H1 -> H2 */
	return n;
}

static unsigned take_off(struct profile_thread *t, struct ring *ring)
{
	uint64_t at = atomic_load_relaxed(&ring->empty), n = atomic_load_acquire(&ring->full) - at;      /* H2 -> H1 */

	for (uint64_t i = 0; i < n; i++)
		if (!give_one(t, &ring->place[(at + i) % RING]))
			break;
	holds(t, -(int64_t)n);
	atomic_store_release(&ring->empty, at + n);                                     /* H1 -> H2 */
	return (unsigned)n;
}

static uint64_t step(struct profile_thread *t)
{
	struct imbalance *all = t->at->shared;
	unsigned turns = 0, n = 0;

	if (t->at->threads == 1)
		return put(t, &all->ring[0]) + take_off(t, &all->ring[0]);
	while (n == 0 && !profile_over(t)) {
		if (t->index != 0)
			n = take_off(t, &all->ring[t->index]);
		for (unsigned i = 1; t->index == 0 && i < t->at->threads; i++)
			n += put(t, &all->ring[i]);
		if (n == 0)
			profile_relax(t, &turns);
	}
	return n;
}

/* What is in the rings goes back. */
static void finish(struct profile_map *map)
{
	struct imbalance *all = map->shared;

	for (unsigned i = 0; all && i < map->threads; i++) {
		struct ring *ring = &all->ring[i];
		uint64_t end = atomic_load_relaxed(&ring->full);

		for (uint64_t at = atomic_load_relaxed(&ring->empty); at < end; at++)
			(void)physmem_frame_free(map->pm, ring->place[at % RING].pfn);
	}
	if (all)
		free(all->out);
}

const struct profile profile_frames = {
	.name = "frames", .idea = "one thread takes frames, the others give them back; counts both",
	.source = "sv6's imbalance benchmark of memory pools (Clements, SOSP 2013)",
	.rounds = true, .frames = frames, .setup = setup, .finish = finish, .step = step,
};
