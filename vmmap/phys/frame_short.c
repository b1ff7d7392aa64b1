/* SPDX-License-Identifier: MIT */
/*
 * frame_short.c - what an allocation does that finds nothing, before it fails.
 *
 * ORDER      1. no block is being told to the host any more, until frame_short_ends (frame_report_hold): what is free
 *            can be had. 2. no block is offline for the sake of a frame that is being poisoned (physmem_poison.c),
 *            likewise. 3. the frames of objects that died and wait for their round (base/rcu) come back, once. 4. the
 *            balloon gives back what is wanted, until it is empty; and it takes nothing until frame_short_ends
 *            (frame_balloon_press). After each the caller looks at all places again, and its last look comes after all
 *            of them. Hence "nothing is left" is said of an instant of that look: the host had nothing that is free,
 *            and nothing that could be free.
 * EDGES      Z1 shorts goes up, then the look at poisoner -> Z2 poisoner is set, then the look at shorts: all four are
 *            sequentially consistent, so one of the two sees the other.
 * HOLDS      nothing but counts, of who holds (frame_report.c), is short, and presses (frame_balloon.c): they stop who
 *            reports, poisons and inflates, and nobody else.
 * PROGRESS   waits for a call of the host's, for a poison, for a round, all no longer than the thread's deadline, and
 *            for calls by which the balloon shrinks.
 * NOT HERE   which frames of the balloon would do: who wants what cannot be moved may get what only takes what can.
 */
#include "vmmap/phys/frame_short.h"

#include "base/clock.h"
#include "base/point.h"
#include "vmmap/phys/physmem_balloon.h"
#include "vmmap/phys/physmem_report.h"

/* Who poisons may himself be short, for the copy. */
static int wait_for_poison(struct physmem *pm, const struct thread_slot *self)
{
	(void)atomic_add_seqcst(&pm->shorts, 1);                                 /* Z1 */
	for (;;) {
		uint32_t poisoner = atomic_load_seqcst(&pm->poisoner);           /* Z1 -> Z2 */
		int err;

		if (poisoner == 0 || poisoner == self->number + 1)
			return 0;
		err = park_wait(&pm->poisoner, poisoner, self->deadline_ns);
		if (err != 0)
			return err;
	}
}

int frame_short_of(struct physmem *pm, struct thread_slot *self, struct frame_short *s, uint64_t n)
{
	struct frame_report *report = physmem_report_of(pm);
	struct frame_balloon *balloon = physmem_balloon_of(pm);

	if (!s->held && report != NULL && !BASE_MUTANT(frame_short_lets)) {
		int err = frame_report_hold(report, self->deadline_ns);

		s->held = err == 0;
		return err;
	}
	if (!s->counted && !BASE_MUTANT(frame_short_poisoned)) {
		s->counted = true;
		return wait_for_poison(pm, self);
	}
	if (!s->drained && !BASE_MUTANT(refill_no_drain)) {
		s->drained = true;
		return rcu_drain_until(self->deadline_ns);
	}
	if (balloon == NULL || s->empty || BASE_MUTANT(frame_short_keeps_balloon))
		return -ENOMEM;
	if (self->deadline_ns != PARK_FOREVER && clock_ns() >= self->deadline_ns)
		return -ETIMEDOUT;
	s->empty = (s->pressed ? frame_balloon_deflate(balloon, n) : frame_balloon_press(balloon, n)) == 0;
	s->pressed = true;
	return 0;
}

void frame_short_ends(struct physmem *pm, struct frame_short *s)
{
	if (s->pressed)
		frame_balloon_press_ends(physmem_balloon_of(pm));
	if (s->counted)
		(void)atomic_sub_release(&pm->shorts, 1);                        /* Z1 */
	if (s->held)
		frame_report_let(physmem_report_of(pm));
}
