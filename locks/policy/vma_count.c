/* SPDX-License-Identifier: MIT */
/*
 * vma_count.c - the mission's design as presented: every visit counts itself in its VMA, writers share a lock object.
 *
 * VISIT       find; pin (the counter has a line of its own, LOCK_SLOT_FAR); lk must still be the version that was seen,
 *             else the pin goes back and the visit waits. From then on the VMA object cannot change.
 * EDIT        range locks as in `vma`; edit_shut sets the writer's bit and waits for the count to fall to 0.
 * A count does not follow a page that a cut gives to a new object, so valid compares lk too and, where it changed,
 * finds again: a pin holds the object, the second look the page (NOT PROMISED in vma_word.h). A visit that insists is
 * counted in the slot as well, so that its page is not cut away.
 */
#include "locks/policy/global.h"
#include "locks/policy/intree.h"

static int vma_count_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	return intree_init(state, space, view, LOCK_SLOT_FAR);
}

static int vma_count_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	return likely(intree_visit_look(state, v, true)) ? 0 : intree_visit_wait(state, v, true, deadline_ns);
}

static uint64_t vma_count_audit(const void *state, FILE *out)
{
	struct intree *s = (struct intree *)state;

	return lock_audit_words(s->locks.space, s->locks.view, true, out) + range_audit(&s->locks, out);
}

const struct lock_policy lock_policy_vma_count = {
	.name = "vma-count",
	.idea = "reader counters in VMAs, shared writer-lock objects, dummies in gaps",
	.source = "the mission's design; counter and flag in one word as in Linux 6.15's vm_refcnt",
	.weakness = "two visits of one VMA share its counter's line",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_DISJOINT_EDITS | LOCK_CAP_SUBRANGE | LOCK_CAP_TRY | LOCK_CAP_DEADLINE |
		LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct intree),
	.slot_bytes = sizeof(struct lock_slot_far),
	.init = vma_count_init, .fini = intree_fini,
	.visit_begin = vma_count_visit_begin, .visit_valid = intree_visit_valid, .visit_end = intree_visit_end,
	.edit_begin = intree_edit_begin, .edit_shut = intree_edit_shut, .edit_born = intree_edit_born,
	.edit_dead = intree_edit_dead, .edit_part = intree_edit_part, .edit_end = intree_edit_end,
	.edit_take = intree_edit_take, .edit_drop = intree_edit_drop,
	.brief_begin = intree_brief_begin, .brief_end = intree_brief_end,
	.gap_wait = intree_gap_wait,
	.stats = intree_stats, .dump = intree_dump, .audit = vma_count_audit,
};
