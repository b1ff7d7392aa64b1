/* SPDX-License-Identifier: MIT */
/*
 * physmem_unplug_left.c - what of an unplug's range is not claimed yet: it is moved, asked for or waited for, and
 * counted by the reason why it is still there.
 *
 * FIRST     the frame that the result names is the first one that is left, but rather the first that ends it: of those
 *           that end it, rather one that its owner keeps (-EBUSY) than one without room (-ENOMEM), since room alone
 *           would not help.
 * LOOK      the same without moving or asking for anything: where there is no room, before a listener is told; or where
 *           the time was up before the first attempt. Caches are not drained then, so what is free is told by its word,
 *           and what is in the middle of a change is not counted.
 * EDGES     physmem_poison.c M1 -> M2: the mover.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/point.h"
#include "vmmap/phys/frame_head.h"
#include "vmmap/phys/frame_mover.h"
#include "vmmap/phys/frame_record.h"
#include "vmmap/phys/physmem_unplug.h"

/* ---- one frame ---- */

static enum physmem_reason held(struct unplug *u, uint64_t head, uint64_t index, uint64_t pages)
{
	bool first = index == head || index == u->lo;

	if (u->how->mode == PHYSMEM_UNPLUG_REVOKE && first && !u->looks)
		u->how->revoke(u->how->arg, u->pm->base + head, pages);
	return PHYSMEM_REASON_HELD;
}

static enum physmem_reason move(struct unplug *u, uint64_t index)
{
	const struct frame_mover *mover = atomic_load_acquire(&u->pm->mover);    /* M2 -> M1 */

	if (mover == NULL)
		return held(u, index, index, 1);
	if (u->err != 0 || u->looks)
		return frame_is_pinned(u->pm, u->pm->base + index) ? PHYSMEM_REASON_PINNED : PHYSMEM_REASON_NONE;
	switch (mover->move(u->pm, u->self, u->pm->base + index, &u->left)) {
	case FRAME_MOVED:
		u->result.moved++;
		return PHYSMEM_REASON_READERS;
	case FRAME_PINNED:
		if (u->how->mode == PHYSMEM_UNPLUG_REVOKE)
			u->how->revoke(u->how->arg, u->pm->base + index, 1);
		return PHYSMEM_REASON_PINNED;
	case FRAME_NO_MEMORY:
		return PHYSMEM_REASON_NO_ROOM;
	default:
		return PHYSMEM_REASON_BUSY;
	}
}

/* A frame that is not ours yet: why. */
static enum physmem_reason look(struct unplug *u, uint64_t index)
{
	uint64_t word = atomic_load_relaxed(&u->pm->word[index]), head;
	enum frame_owner owner = frame_state(word) == FRAME_OWNED ? frame_owner(word) : FRAME_OWNER_NONE;

	if (frame_state(word) == FRAME_DEFERRED)
		return PHYSMEM_REASON_READERS;
	if (owner == FRAME_OWNER_MAP || owner == FRAME_OWNER_OBJECT)
		return move(u, index);
	head = frame_head(u->pm, index, &word);
	if (u->looks && frame_owner(word) != FRAME_OWNER_CALLER && !BASE_MUTANT(unplug_room_forgets))
		return PHYSMEM_REASON_BUSY;      /* the balloon's, or out of use                                   */
	return word ? held(u, head, index, UINT64_C(1) << frame_order(word)) : PHYSMEM_REASON_BUSY;
}

/* ---- all of them ---- */

/* Nobody but its owner can change that. */
static int ends(const struct unplug *u, enum physmem_reason why)
{
	if (u->how->mode != PHYSMEM_UNPLUG_FAIL)
		return 0;
	if (why == PHYSMEM_REASON_HELD || why == PHYSMEM_REASON_PINNED)
		return -EBUSY;
	return why == PHYSMEM_REASON_NO_ROOM ? -ENOMEM : 0;
}

static void note(struct unplug *u, uint64_t index, enum physmem_reason why)
{
	int err = ends(u, why);
	bool ends_it = err == -EBUSY ? u->err != -EBUSY : err != 0 && u->err == 0;
	bool first = why != PHYSMEM_REASON_NONE || u->result.left[why] == 0;

	u->result.left[why]++;
	if ((first && u->result.reason == PHYSMEM_REASON_NONE) || ends_it) {
		u->result.reason = why;
		u->result.first = u->pm->base + index;
	}
	if (ends_it)
		u->err = err;
}

void unplug_forget_left(struct unplug *u)
{
	memset(u->result.left, 0, sizeof(u->result.left));
	u->result.reason = PHYSMEM_REASON_NONE;
	u->result.first = 0;
}

int unplug_go_through(struct unplug *u)
{
	unplug_forget_left(u);
	u->result.attempts++;
	for (uint64_t index = u->lo; index < u->hi; index++)
		if (!is_mine(u, index))
			note(u, index, look(u, index));
	return u->err;
}

int unplug_look(struct unplug *u, enum physmem_reason movable)
{
	unplug_forget_left(u);
	u->looks = true;
	for (uint64_t index = u->lo; index < u->hi; index++) {
		enum physmem_reason why = is_mine(u, index) ? PHYSMEM_REASON_BUSY : look(u, index);

		if (why != PHYSMEM_REASON_BUSY)
			note(u, index, why == PHYSMEM_REASON_NONE ? movable : why);
	}
	u->looks = false;
	return u->err;
}

int unplug_pause(struct unplug *u, struct park_spin *spin)
{
	if (u->how->attempts != 0 && u->result.attempts >= u->how->attempts)
		return -EBUSY;
	if (u->how->cancelled != NULL && u->how->cancelled(u->how->arg))
		return -ECANCELED;
	if (u->result.left[PHYSMEM_REASON_READERS] != 0)
		return 0;                        /* waits for a grace period                                       */
	if (u->how->deadline_ns != PARK_FOREVER && clock_ns() >= u->how->deadline_ns)
		return u->how->deadline_ns == PARK_TRY ? -EAGAIN : -ETIMEDOUT;
	park_spin(spin);
	return 0;
}
