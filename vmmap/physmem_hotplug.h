/* SPDX-License-Identifier: MIT */
/*
 * physmem_hotplug.h - memory that goes while it is used, and who is told when memory comes and goes.
 *
 * Conventions of physmem.h. Plugging is physmem_plug (physmem.h).
 */
#ifndef VMMAP_PHYSMEM_HOTPLUG_H
#define VMMAP_PHYSMEM_HOTPLUG_H

#include <vmmap/physmem.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

/* ---- who is told ---- */

/* Each GOING is followed, for each listener that was told of it, by one of its two ends. */
enum physmem_event {
	PHYSMEM_GOING_ONLINE, PHYSMEM_ONLINE, PHYSMEM_CANCEL_ONLINE,
	PHYSMEM_GOING_OFFLINE, PHYSMEM_OFFLINE, PHYSMEM_CANCEL_OFFLINE
};

struct physmem_listener {
	/* Of a GOING: 0, or a negative errno, a veto: the plug or unplug fails with it. Else: ignored. May sleep: none
	 * but the plug or unplug that it is told of waits for it, and others tell it of theirs meanwhile, by their own
	 * threads. May not plug, unplug, listen or unlisten on the instance. */
	int (*fn)(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages);
	int priority;                            /* higher ones are told first                                     */
	struct physmem_listener *next;           /* the instance's, from here on                                   */
	uint64_t number;
	unsigned calls, leaves;
};

/* l is told of what begins from now on; it stays the caller's memory. 0; -EINVAL: no function; -EEXIST: it listens. */
int  physmem_listen(struct physmem *pm, struct physmem_listener *l);
/* It is told of nothing more, ends included. Not called when this returns: waits for its calls. */
void physmem_unlisten(struct physmem *pm, struct physmem_listener *l);

/* ---- unplug ---- */

enum physmem_unplug_mode {
	PHYSMEM_UNPLUG_FAIL,                     /* what cannot be moved ends it, or whose block another one has   */
	PHYSMEM_UNPLUG_WAIT,                     /* ... is waited for                                              */
	PHYSMEM_UNPLUG_REVOKE                    /* ... and its owner is asked to free it                          */
};

/* Why a frame is still there. */
enum physmem_reason {
	PHYSMEM_REASON_NONE,                     /* it could have been moved, but another frame had ended it, or the
						  * time was up before the first attempt                           */
	PHYSMEM_REASON_HELD,                     /* nobody can move it: physmem_frame_alloc or _run_alloc gave it  */
	PHYSMEM_REASON_PINNED,                   /* a map's, or an object's, that is pinned (vmmap_pin)            */
	PHYSMEM_REASON_BUSY,                     /* in the middle of a change                                      */
	PHYSMEM_REASON_READERS,                  /* freed, but it may still be read                                */
	PHYSMEM_REASON_NO_ROOM,                  /* there is no frame to move it to, or too few for all of these   */
	PHYSMEM_REASON_VETO,                     /* of a listener; first: of the range; none is counted            */
	PHYSMEM_REASON_TAKEN,                    /* its block is another unplug's, or a frame there is poisoned    */
	PHYSMEM_REASON_ABSENT,                   /* it is in no segment                                            */
	PHYSMEM_REASON_ALL,                      /* the range is all the memory that there is                      */
	PHYSMEM_REASONS
};

struct physmem_unplug_options {                  /* start from PHYSMEM_UNPLUG_OPTIONS                              */
	size_t size;                             /* sizeof(struct physmem_unplug_options)                          */
	enum physmem_unplug_mode mode;
	uint64_t deadline_ns;                    /* of CLOCK_MONOTONIC; 0: never wait; UINT64_MAX: no deadline     */
	unsigned attempts;                       /* how often all that is left is gone through, or a block tried for
						  * that another one has; 0: no bound                              */
	int (*cancelled)(void *arg);             /* NULL, or asked after each of them: 1, give up                  */
	/* REVOKE: the owner of these frames is asked to free them, now or soon, by whichever call he would. */
	void (*revoke)(void *arg, uint64_t pfn, uint64_t pages);
	void *arg;
};
#define PHYSMEM_UNPLUG_OPTIONS { sizeof(struct physmem_unplug_options), PHYSMEM_UNPLUG_FAIL, UINT64_MAX, 0, NULL, \
				 NULL, NULL }

struct physmem_unplug_result {
	uint64_t moved;                          /* frames whose contents are elsewhere now                        */
	uint64_t attempts;
	/* When it gave up, of the last attempt; zeroes if it did not, or no frame was the reason (-EINVAL, memory for
	 * our own books, time where all is free): */
	enum physmem_reason reason;              /* of the first frame that was left, or rather that ended it      */
	uint64_t first;                          /* ... its pfn                                                    */
	uint64_t left[PHYSMEM_REASONS];          /* frames that were left, by reason                               */
};

/*
 * Takes [pfn, pfn + pages) away, while others use the instance: what is free there is not handed out any more (but
 * what a thread frees meanwhile may serve itself once more), what maps and objects have there is moved elsewhere,
 * contents and all; then it is in no segment, and its contents are the operating system's. It may be in several
 * segments that touch, and in the middle of one. options NULL: all defaults; out NULL: not wanted, else written
 * whatever the call returns. Faults and frees elsewhere go on; an allocation may fail that could have had what is
 * taken away.
 * 0; an error has changed nothing, but what was moved stays where it is now: -EINVAL: empty, outside [base, limit),
 * options wrong (REVOKE wants a function); -ENXIO: some of it is in no segment; -ENOMEM: it is all the memory that
 * there is at one instant of the call, or FAIL and there is no room for what must be moved, all of which could, or none
 * for our own books; -EBUSY: FAIL and a frame cannot be moved, whether or not there is room, or another unplug, or a
 * poison, has a block of 2 MiB of it; the attempts are over; a listener's veto; -EAGAIN, -ETIMEDOUT: the deadline;
 * -ECANCELED. *out names a frame, and why.
 * Two of disjoint blocks run side by side. Of two that want one block the other one gets -EBUSY (FAIL), or waits as it
 * would for a frame, holding nothing, until it can go on, or finds its range gone: -ENXIO. So no unplug of a block, but
 * FAIL, from a callback of one that has it. Sleeps for grace periods, and as the mode says. Cost: a copy for each frame
 * that is used, a look at each word else. Source: offline_pages of Linux, without its zone locks.
 */
int  physmem_unplug(struct physmem *pm, uint64_t pfn, uint64_t pages, const struct physmem_unplug_options *options,
		    struct physmem_unplug_result *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
