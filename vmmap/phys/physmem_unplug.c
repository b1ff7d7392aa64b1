/* SPDX-License-Identifier: MIT */
/*
 * physmem_unplug.c - segments, or parts of them, leave a machine that runs.
 *
 * STEPS     1. Every block that the range touches is set offline: that is the claim. A block that is offline already
 *              is another unplug's, or a poison's: -EBUSY, or it is waited for, as the mode says. Then it is looked
 *              whether all of the range is there, which stays true (physmem_unplug_range.c).
 *           2. GOING_OFFLINE.
 *           3. The caches are drained of its frames, and of what is too much for what stays (frame_isolate.c).
 *           4. Attempts: drain, claim what is free (its bits are ours: `mine`), go through what is left: a frame of a
 *              map or an object is moved, another one is asked for or waited for, as the mode says. Until all is
 *              claimed (physmem_unplug_left.c). Caches are closed for a grace period and the drain, open while frames
 *              are moved. What has moved waits for its readers all together (frame_left_wait): then mostly nothing is
 *              left.
 *           5. Commit, under plug_lock: out of the table of segments, which may fail for want of memory; then nothing
 *              can. Words FRESH again with the generation kept, blocks absent, or online where a part of them stays.
 *           6. OFFLINE. A failure gives back what was claimed, sets the blocks online, and tells CANCEL_OFFLINE; the
 *              blocks' counts were right all the time.
 * MEMORY    a frame is claimed when it is free, that is when all who may have read it are gone. So what its bytes lie
 *           in goes back to the operating system before the commit, and nothing is left to be waited for. Words and
 *           records stay backed: a generation must not come again.
 * OTHERS    what the balloon has there it gives back, and takes elsewhere if it can; what is out of use goes as if it
 *           were free, or is out of use again. A block that the host is being told of is waited for.
 * WHO       frames claimed are the unplugger's; their words say FREE or FRESH still, so a free of one is -EALREADY. Of
 *           one that was out of use, GOING.
 * ORDER     no lock is held while frames are moved or waited for, or listeners called. plug_lock in step 5 only.
 * PROGRESS  two unplugs of disjoint blocks have only plug_lock, far_lock and listen_lock in common, each for a short
 *           time; not for that of a listener (physmem_notify.c).
 * NOT HERE  which of the frames that stay could be moved by others; holes between segments (-ENXIO).
 * SOURCE    offline_pages and its notifiers (Linux); uvm_physseg_unplug (NetBSD), which leaves frames in use to its
 *           caller.
 */
#include "vmmap/phys/physmem_unplug.h"

#include <errno.h>

#include "base/mem.h"
#include "vmmap/phys/physmem_balloon.h"
#include "vmmap/phys/physmem_notify.h"
#include "vmmap/phys/physmem_poison.h"
#include "vmmap/phys/physmem_report.h"
#include "vmmap/phys/physmem_slots.h"
#include "vmmap/phys/physseg.h"

static size_t mine_bytes(const struct unplug *u) { return 2 * rows_of(u) * sizeof(*u->mine); }

/* ---- claims ---- */

static bool all_mine(const struct unplug *u) { return u->claimed == pages_of(u); }

static void count_claimed(struct unplug *u, uint64_t n)
{
	frame_taken_count(u->pm, thread_local_at(&u->pm->slots, u->self->number), n);
	(void)atomic_add_relaxed(&u->pm->isolated, n);
	u->claimed += n;
}

static void claim_free(struct unplug *u)
{
	for (uint64_t block = u->first; block < u->end; block++)
		count_claimed(u, frame_bits_claim_rows(&u->pm->bits, part_lo(u, block), part_hi(u, block),
						       mine_of(u, block << FRAME_BLOCK_ORDER)));
}

/* Those that are out of use count as free. */
static void claim_bad(struct unplug *u)
{
	for (uint64_t index = u->lo; index < u->hi; index++) {
		uint64_t bit = UINT64_C(1) << (index % FRAME_ROW_FRAMES);

		if (*mine_of(u, index) & bit || !physmem_poison_is(u->pm, index) ||
		    !physmem_poison_leaves(u->pm, index))
			continue;
		*mine_of(u, index) |= bit;
		u->bad[mine_of(u, index) - u->mine] |= bit;
		count_claimed(u, 1);
	}
}

static void bad_stay(struct unplug *u)
{
	for (uint64_t index = u->lo; index < u->hi; index++) {
		uint64_t bit = UINT64_C(1) << (index % FRAME_ROW_FRAMES);

		if (!(u->bad[mine_of(u, index) - u->mine] & bit) || !physmem_poison_stays(u->pm, index))
			continue;
		*mine_of(u, index) &= ~bit;
		count_claimed(u, -UINT64_C(1));
	}
}

static void give_back(struct unplug *u)
{
	bad_stay(u);
	for (uint64_t row = 0; row < rows_of(u); row++) {
		struct frame_some some = { u->first * FRAME_BLOCK_FRAMES + row * FRAME_ROW_FRAMES, u->mine[row] };

		if (some.mask == 0)
			continue;
		count_claimed(u, -(uint64_t)__builtin_popcountll(some.mask));
		CHECK(frame_bits_give_some(&u->pm->bits, &some) == 0);
	}
}

/* No call of the host's that began before these blocks were offline goes on; later ones are not of them. */
static int wait_for_host(struct unplug *u)
{
	int err = BASE_MUTANT(unplug_trusts_host) ? 0 : physmem_report_await(u->pm, u->how->deadline_ns);

	return err == -ETIMEDOUT && u->how->deadline_ns == PARK_TRY ? -EAGAIN : err;
}

/* What is left is moved, or waited for, while caches are open, and they stay so if that was all; but if the attempt
 * before this one has met a frame that was in somebody's hands, or cache, they are closed throughout, so that none can
 * go round and round there. */
static int attempt(struct unplug *u, struct park_spin *spin)
{
	int err;

	u->open = u->result.left[PHYSMEM_REASON_BUSY] == 0 || BASE_MUTANT(unplug_keeps_open);
	if (u->open)
		frame_isolate_open(u->pm);
	err = unplug_go_through(u);
	if (err == 0)
		err = unplug_pause(u, spin);
	if (err == 0)
		err = frame_left_wait(u->pm, u->self, &u->left, u->how->deadline_ns);
	if (err == 0)
		claim_free(u);
	if (err != 0 || all_mine(u) || (!u->open && u->result.left[PHYSMEM_REASON_READERS] == 0))
		return err;
	if (u->open)
		frame_isolate_close(u->pm);
	u->open = false;
	return frame_isolate_wait(u->how->deadline_ns);
}

static int empty(struct unplug *u)
{
	struct park_spin spin = PARK_SPIN;
	int err = frame_isolate_wait(u->how->deadline_ns);

	if (err == 0)
		err = wait_for_host(u);
	while (err == 0 && !all_mine(u)) {
		(void)physmem_balloon_leave(u->pm, u->lo, u->hi);
		(void)frame_isolate_drain(u->pm, u->self);
		claim_free(u);
		if (atomic_load_relaxed(&u->pm->poisoned) != 0)
			claim_bad(u);
		if (!all_mine(u))
			err = attempt(u, &spin);
	}
	if (err == 0)
		unplug_forget_left(u);
	return err;
}

/* ---- commit ---- */

static void forget(struct unplug *u)
{
	for (uint64_t index = u->lo; index < u->hi; index++) {
		uint64_t word = atomic_load_relaxed(&u->pm->word[index]);

		if (word & ~FRAME_LIVES_MASK)
			atomic_store_relaxed(&u->pm->word[index], word & FRAME_LIVES_MASK);
	}
}

/* The blocks at the ends, where a part of them stays. */
static void ends_online(struct unplug *u)
{
	for (uint64_t block = u->first; block < u->end; block = block + 1 < u->end ? u->end - 1 : u->end)
		if (frame_block_present(frame_bits_word(&u->pm->bits, block)) != 0)
			CHECK(frame_bits_step(&u->pm->bits, block, frame_block_online));
}

static int commit(struct unplug *u)
{
	struct physmem *pm = u->pm;
	int err;

	if (pm->bytes)
		mem_discard(pm->bytes + (u->lo << PAGE_SHIFT), pages_of(u) << PAGE_SHIFT);
	park_lock(&pm->plug_lock);
	err = physseg_unplug(pm->segments, pm->base + u->lo, pages_of(u));
	if (err == 0) {
		forget(u);
		frame_bits_go(&pm->bits, u->lo, u->hi);
		ends_online(u);
		atomic_store_relaxed(&pm->frames, atomic_load_relaxed(&pm->frames) - pages_of(u));
		pm->leaving -= pages_of(u);      /* the caches' sizes are those for what stays                    */
		count_claimed(u, -pages_of(u));
	} else if (atomic_load_relaxed(&pm->frames) == pages_of(u)) {
		unplug_note_all(u);
	}
	park_unlock(&pm->plug_lock);
	return err;
}

/* ---- the call ---- */

static int isolated(struct unplug *u)
{
	int err = frame_isolate_begin(u->pm, u->self);

	if (err != 0)
		return err;
	err = empty(u);
	if (err != 0 && u->result.reason == PHYSMEM_REASON_NONE)
		(void)unplug_look(u, PHYSMEM_REASON_NONE);
	frame_left_put_off(u->pm, u->self, &u->left);
	(u->open ? frame_isolate_end_open : frame_isolate_end)(u->pm);
	if (err == 0)
		err = commit(u);
	if (err != 0)
		give_back(u);
	return err;
}

/* Without room nothing is begun; but what cannot be moved at all is the better reason. 0: what was in the way has gone
 * meanwhile. */
static int fits(struct unplug *u)
{
	int err;

	if (u->how->mode != PHYSMEM_UNPLUG_FAIL || unplug_has_room(u))
		return 0;
	BASE_POINT(unplug_without_room);
	err = unplug_look(u, PHYSMEM_REASON_NO_ROOM);
	if (err == 0)
		unplug_forget_left(u);
	return err;
}

static int claimed(struct unplug *u)
{
	uint64_t pfn = u->pm->base + u->lo;
	int err = fits(u);

	if (err != 0) {
		set_online(u, u->end);
		return err;
	}
	err = physmem_notify_begin(u->pm, PHYSMEM_GOING_OFFLINE, pfn, pages_of(u), &u->told);
	if (err != 0 && !BASE_MUTANT(unplug_ignores_veto)) {
		u->result.reason = PHYSMEM_REASON_VETO;
		u->result.first = pfn;
		BASE_POINT(unplug_vetoed);
		set_online(u, BASE_MUTANT(unplug_veto_keeps) ? u->first : u->end);
		return err;
	}
	physmem_leaving(u->pm, pages_of(u));     /* the drains go by it                                            */
	err = isolated(u);
	if (err != 0) {
		physmem_leaving(u->pm, -pages_of(u));
		set_online(u, BASE_MUTANT(unplug_fail_keeps) ? u->first : u->end);
	}
	physmem_notify_end(u->pm, err ? PHYSMEM_CANCEL_OFFLINE : PHYSMEM_OFFLINE, pfn, pages_of(u), u->told);
	return err;
}

static int unplug(struct unplug *u)
{
	uint64_t before;
	int err;

	if (unplug_is_all(u))
		return -ENOMEM;
	u->mine = mem_alloc(MEM_FRAME, mine_bytes(u), CACHE_PAIR);
	if (!u->mine)
		return -ENOMEM;
	u->bad = u->mine + rows_of(u);
	before = thread_deadline(u->self, u->how->deadline_ns);
	err = unplug_take_blocks(u);
	if (err == 0)
		err = claimed(u);
	(void)thread_deadline(u->self, before);
	mem_free(MEM_FRAME, u->mine, mine_bytes(u));
	return err;
}

API int physmem_unplug(struct physmem *pm, uint64_t pfn, uint64_t pages, const struct physmem_unplug_options *options,
		       struct physmem_unplug_result *out)
{
	static const struct physmem_unplug_options all = PHYSMEM_UNPLUG_OPTIONS;
	struct unplug u = { .pm = pm, .self = thread_self(), .how = options ? options : &all };
	int err;

	if (out)
		*out = u.result;
	if (pages == 0 || pfn < pm->base || pfn - pm->base >= pm->span || pages > pm->span - (pfn - pm->base))
		return -EINVAL;
	if (u.how->size != sizeof(all) || u.how->mode > PHYSMEM_UNPLUG_REVOKE ||
	    (u.how->mode == PHYSMEM_UNPLUG_REVOKE && u.how->revoke == NULL))
		return -EINVAL;
	u.lo = pfn - pm->base;
	u.hi = u.lo + pages;
	u.first = u.lo >> FRAME_BLOCK_ORDER;
	u.end = (u.hi + FRAME_BLOCK_FRAMES - 1) >> FRAME_BLOCK_ORDER;
	err = unplug(&u);
	if (out)
		*out = u.result;
	return err;
}
