/* SPDX-License-Identifier: MIT */
/*
 * vma.c - the default policy: locks live in the map, and a visit that hits announces nothing.
 *
 * VISIT       find reads the VMA's lk together with its place in the tree; a free word is a version. The visit CASes
 *             the page-table entry, loads lk again, and stores only if it is the same version (V1). The edit takes
 *             lk first and reads every entry after that, waiting for LOCKED ones: one of the two sees the other
 *             (Dekker on lk and entry, all seq_cst). No line is written but the entry's.
 *             A visit that failed twice counts itself in the VMA (pins) and so cannot be shut out by a stream of edits.
 * EDIT        range locks from low to high (range_lock.h); the brief form takes each VMA by LOCK_BRIEF inside one leaf
 *             section.
 * NOT PROMISED  VMA fields may change under a visit that is not valid: read them between two equal looks at lk.
 */
#include <stddef.h>

#include "locks/policy/global.h"
#include "locks/policy/intree.h"

static int vma_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	return intree_init(state, space, view, offsetof(struct lock_slot, pins));
}

static int vma_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	return likely(intree_visit_look(state, v, false)) ? 0 : intree_visit_wait(state, v, false, deadline_ns);
}

static uint64_t vma_audit(const void *state, FILE *out)
{
	struct intree *s = (struct intree *)state;

	return lock_audit_words(s->locks.space, s->locks.view, false, out) + range_audit(&s->locks, out);
}

const struct lock_policy lock_policy_vma = {
	.name = "vma",
	.idea = "lock words in VMAs, dummies in gaps, optimistic visits (the default)",
	.source = "DESIGN section 4; speculative page faults (Zijlstra, Dufour) for the re-check",
	.weakness = "a visit under a stream of edits starts again until it insists",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_VISIT_NO_WRITE | LOCK_CAP_DISJOINT_EDITS | LOCK_CAP_SUBRANGE |
		LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct intree),
	.init = vma_init, .fini = intree_fini,
	.visit_begin = vma_visit_begin, .visit_valid = intree_visit_valid, .visit_end = intree_visit_end,
	.edit_begin = intree_edit_begin, .edit_shut = intree_edit_shut, .edit_born = intree_edit_born,
	.edit_dead = intree_edit_dead, .edit_part = intree_edit_part, .edit_end = intree_edit_end,
	.edit_take = intree_edit_take, .edit_drop = intree_edit_drop,
	.brief_begin = intree_brief_begin, .brief_end = intree_brief_end,
	.gap_wait = intree_gap_wait,
	.stats = intree_stats, .dump = intree_dump, .audit = vma_audit,
};
