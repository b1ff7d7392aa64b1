/* SPDX-License-Identifier: MIT */
/*
 * race.c - every call, all threads, thirty-two pages: whatever can meet, meets. A new place each second.
 *
 * Calls fail all the time here, as they should (-ENOMEM over a hole, -EFAULT, -EINVAL of overlapping mremaps): what is
 * right is for the verifier to say. Mappings that end up outside the window (mremap) are unmapped at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "stress/profile_ops.h"

#define WINDOW_PAGES 32u
#define BRK_PAGES    16u
#define PLACES       (UINT64_C(1) << 27)         /* pages: the window may be anywhere in 512 GiB                   */
#define STAY_NS      UINT64_C(1000000000)

struct race_shared {
	atomic_u64 window, until;
	struct prng prng;                        /* the meeting's leader only                                      */
};

static const unsigned default_mix[CALL_COUNT] = {
	[CALL_MMAP] = 20, [CALL_MUNMAP] = 10, [CALL_MPROTECT] = 10, [CALL_FAULT] = 20, [CALL_READ] = 10,
	[CALL_WRITE] = 15, [CALL_MADVISE] = 8, [CALL_MREMAP] = 4, [CALL_WITHIN] = 3, [CALL_BRK] = 1, [CALL_WALK] = 1,
	[CALL_QUERY] = 2, [CALL_HOLD] = 1,
};

static uint64_t frames(const struct profile_map *map)
{
	return 8 * map->threads * WINDOW_PAGES + BRK_PAGES;
}

static int setup(struct profile_map *map)
{
	struct race_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return -ENOMEM;
	shared->prng = prng_seed(map->params->seed, 500);
	map->shared = shared;
	return 0;
}

static int move_window(struct profile_map *map)
{
	struct race_shared *shared = map->shared;
	uint64_t was = atomic_load_relaxed(&shared->window), len = WINDOW_PAGES * PROFILE_PAGE;
	uint64_t now = PROFILE_BASE + prng_below(&shared->prng, PLACES) * PROFILE_PAGE;
	int err = 0;

	if (map->params->verify)
		verify_forget_all(map->params->verify);  /* it would keep a table for each place      */
	if (was)
		err = vmmap_munmap(map->vm, was, len);
	if (map->params->verify)
		verify_no_objects(map->params->verify);
	atomic_store_relaxed(&shared->window, now);
	atomic_store_relaxed(&shared->until, clock_ns() + STAY_NS);
	return err;
}

/* ---- one call; w: the window, a: a page of it, n: a length that stays inside ---- */

struct race_at { uint64_t window, addr, len; };

static int some_prot(struct profile_thread *t)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROFILE_RW, PROFILE_RW, PROFILE_RW, PROT_READ | PROT_EXEC };

	return prots[prng_below(&t->prng, ARRAY_SIZE(prots))];
}

static int64_t race_mmap(struct profile_thread *t, struct race_at a)
{
	uint64_t dice = prng_next(&t->prng);
	int flags = MAP_ANONYMOUS | (dice & 7 ? MAP_PRIVATE : MAP_SHARED);

	flags |= dice & 0x38 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	flags |= dice & 0x3c0 ? 0 : MAP_POPULATE;
	flags |= dice & 0x3c00 ? 0 : MAP_NORESERVE;
	return try_mmap(t, a.addr, a.len, some_prot(t), flags);
}

static int64_t race_madvise(struct profile_thread *t, struct race_at a)
{
	static const int advices[] = { MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_WILLNEED,
				       MADV_SEQUENTIAL, MADV_NORMAL, MADV_DONTDUMP, MADV_DODUMP };

	return try_madvise(t, a.addr, a.len, advices[prng_below(&t->prng, ARRAY_SIZE(advices))]);
}

static int64_t race_mremap(struct profile_thread *t, struct race_at a)
{
	uint64_t end = a.window + WINDOW_PAGES * PROFILE_PAGE;
	uint64_t to = prng_below(&t->prng, WINDOW_PAGES), pages = 1 + prng_below(&t->prng, WINDOW_PAGES - to);
	struct verify_remap r = { a.addr, a.len, pages * PROFILE_PAGE, 0, a.window + to * PROFILE_PAGE };
	int64_t got;

	switch (prng_below(&t->prng, 4)) {
	case 0:                                          /* in place */
		r.new_len = r.new_len > end - a.addr ? end - a.addr : r.new_len;
		r.new_addr = 0;
		break;
	case 1:
		r.flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		break;
	case 2:
		r.flags = MREMAP_MAYMOVE;
		r.new_len = r.new_len > end - a.addr ? end - a.addr : r.new_len;
		r.new_addr = 0;
		break;
	default:
		r.flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
		r.new_len = r.old_len = a.len < r.new_len ? a.len : r.new_len;
	}
	got = try_mremap(t, r);
	if (got >= 0 && ((uint64_t)got < a.window || (uint64_t)got >= end))
		try_munmap(t, (uint64_t)got, r.new_len);
	return got;
}

static int64_t race_brk(struct profile_thread *t)
{
	uint64_t to = PROFILE_BRK + prng_below(&t->prng, BRK_PAGES * PROFILE_PAGE);
	int64_t got = vmmap_brk(t->vm, to);

	if (t->verify) {
		verify_note(t->verify, CALL_BRK, to, 0, got);
		if (got < (int64_t)PROFILE_BRK)
			verify_report(t->at->params->verify, SIN_ERRNO, to, "brk returned %lld", (long long)got);
	}
	return got;
}

struct race_listing { uint64_t at; bool wrong; struct vmmap_vma first; };

/* A VMA may have been merged with the one listed before it, and then begins below; it must end above. */
static int in_order(const struct vmmap_vma *vma, void *arg)
{
	struct race_listing *listing = arg;

	if (vma->end <= listing->at || vma->end <= vma->start) {
		listing->first = *vma;
		listing->wrong = true;
		return 1;
	}
	listing->at = vma->end;
	return 0;
}

static int64_t race_walk(struct profile_thread *t, struct race_at a)
{
	struct race_listing listing = { 0, false, { 0 } };

	vmmap_walk(t->vm, a.addr, a.addr + a.len, in_order, &listing);
	if (t->verify) {
		verify_note(t->verify, CALL_WALK, a.addr, a.len, 0);
		if (listing.wrong)
			verify_report(t->at->params->verify, SIN_USAGE, a.addr, "listed 0x%llx-0x%llx after 0x%llx",
				      (unsigned long long)listing.first.start, (unsigned long long)listing.first.end,
				      (unsigned long long)listing.at);
	}
	return 0;
}

static int64_t race_query(struct profile_thread *t, struct race_at a)
{
	struct vmmap_vma vma;
	int err = vmmap_query(t->vm, a.addr, &vma);

	if (t->verify) {
		verify_note(t->verify, CALL_QUERY, a.addr, 0, err);
		if (!err && vma.end <= a.addr)
			verify_report(t->at->params->verify, SIN_USAGE, a.addr, "query answers with a VMA below");
	}
	return err;
}

static int64_t race_hold(struct profile_thread *t, struct race_at a)
{
	struct vmmap_held held;
	int err = vmmap_hold_until(t->vm, a.addr, a.len, &held, prng_next(&t->prng) & 1 ? VMMAP_TRY : VMMAP_FOREVER);

	for (unsigned i = 0; !err && i < 50; i++)
		atomic_pause();
	if (!err)
		vmmap_release(t->vm, &held);
	if (t->verify)
		verify_note(t->verify, CALL_HOLD, a.addr, a.len, err);
	return err;
}

static int64_t race_access(struct profile_thread *t, enum profile_call call, uint64_t addr)
{
	uint64_t word = addr;

	if (t->verify)
		return call == CALL_READ ? verify_read(t->verify, addr) : verify_write(t->verify, addr);
	return call == CALL_READ ? vmmap_read(t->vm, addr, &word, sizeof(word))
				 : vmmap_write(t->vm, addr, &word, sizeof(word));
}

static void one_call(struct profile_thread *t, enum profile_call call, struct race_at a)
{
	static const int accesses[] = { PROT_READ, PROT_WRITE, PROT_WRITE, PROT_EXEC };

	switch (call) {
	case CALL_MMAP:
		race_mmap(t, a);
		break;
	case CALL_MUNMAP:
		try_munmap(t, a.addr, a.len);
		break;
	case CALL_MPROTECT:
		try_mprotect(t, a.addr, a.len, some_prot(t));
		break;
	case CALL_FAULT:
		try_fault(t, a.addr, accesses[prng_below(&t->prng, ARRAY_SIZE(accesses))]);
		break;
	case CALL_READ:
	case CALL_WRITE:
		race_access(t, call, a.addr);
		break;
	case CALL_MADVISE:
		race_madvise(t, a);
		break;
	case CALL_MREMAP:
		race_mremap(t, a);
		break;
	case CALL_WITHIN:
		try_within(t, a.window, a.window + WINDOW_PAGES * PROFILE_PAGE, a.len, PROFILE_RW);
		break;
	case CALL_BRK:
		race_brk(t);
		break;
	case CALL_WALK:
		race_walk(t, a);
		break;
	case CALL_QUERY:
		race_query(t, a);
		break;
	default:
		race_hold(t, a);
	}
}

/* ---- the mix ---- */

struct race_own { enum profile_call call[512]; unsigned n; };    /* each call as often as its weight says          */

static int init(struct profile_thread *t)
{
	const unsigned *mix = t->at->params->mix;
	struct race_own *own = calloc(1, sizeof(*own));
	unsigned sum = 0;

	if (!own)
		return -ENOMEM;
	t->own = own;
	for (unsigned c = 0; c < CALL_COUNT; c++)
		sum += mix[c];
	if (!sum)
		mix = default_mix;
	for (unsigned c = 0; c < CALL_COUNT; c++)
		for (unsigned i = 0; i < mix[c] && own->n < ARRAY_SIZE(own->call); i++)
			own->call[own->n++] = (enum profile_call)c;
	return 0;
}

static uint64_t step(struct profile_thread *t)
{
	struct race_shared *shared = t->at->shared;
	const struct race_own *own = t->own;
	uint64_t window;

	if (clock_ns() >= atomic_load_relaxed(&shared->until)) {
		bool met;

		profile_watch_stop(t);
		met = profile_meet(t, move_window);
		profile_watch_start(t);
		if (!met)
			return 0;
	}
	window = atomic_load_relaxed(&shared->window);
	for (unsigned i = 0; i < PROFILE_BATCH / 2; i++) {
		uint64_t page = prng_below(&t->prng, WINDOW_PAGES);
		uint64_t pages = 1 + prng_below(&t->prng, prng_next(&t->prng) & 3 ? 4 : WINDOW_PAGES);
		struct race_at a = { window, window + page * PROFILE_PAGE, 0 };

		if (pages > WINDOW_PAGES - page)
			pages = WINDOW_PAGES - page;
		a.len = pages * PROFILE_PAGE;
		one_call(t, own->call[prng_below(&t->prng, own->n)], a);
	}
	return PROFILE_BATCH / 2;
}

const struct profile profile_race = {
	.name = "race", .idea = "every call on random parts of 32 pages, all threads; a new place each second (--mix)",
	.source = "stress-ng vm stressors; syzkaller on mm",
	.rounds = true, .blind = true, .brk = true,
	.evidence = COUNT_FAULTS | COUNT_MMAPS | COUNT_MUNMAPS | COUNT_MPROTECTS | COUNT_MADVISES | COUNT_MREMAPS |
		    COUNT_ACCESSES | COUNT_BRKS,
	.evidence_per_unit = 0, .frames = frames, .setup = setup, .thread_init = init, .step = step,
};
