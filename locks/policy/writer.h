/* SPDX-License-Identifier: MIT */
/*
 * writer.h - one writer per map, whom most visits pass by: what `pervma` and `spf` share.
 *
 * WORDS       writer.seq   the sequence of the next or present edit; raised when it ends: all VMAs unlock at once
 *             slot.seq     == writer.seq: the VMA is the present edit's, from its first change to the edit's end (by
 *                          chance, 2^32 edits later, is harmless: the visit takes the lock)
 * VISIT       looks for a way past the lock that is its policy's own. Where it finds none, as in a gap, it takes the
 *             lock, shared (own[0]), as Linux does.
 * EDIT        the lock, exclusive (rwsem.h). A VMA is shut, by its policy's edit_shut, before its first change, and
 *             before it is cut: what keeps a visit out does not follow a page into a new object.
 * EDGES       E1 an edit's end, or its downgrade: release of writer.seq -> M0, M1 a visit's acquire: what the edit did.
 * LOCK ORDER  the lock -> a VMA. PROGRESS as rwsem.h.
 */
#ifndef LOCKS_POLICY_WRITER_H
#define LOCKS_POLICY_WRITER_H

#include "locks/policy/global.h"
#include "locks/rwsem.h"

struct writer {                                  /* all of the policy's state                                      */
	struct rwsem sem;
	atomic_u32 seq PAIR_ALIGNED;             /* read by every visit, written once per edit, like global.owner  */
	struct global global;
};

enum writer_visit { WRITER_PASSED, WRITER_SHARED, WRITER_BORROWED };     /* own[0] of a visit: past the lock; has it */

typedef void writer_shut(void *state, struct lock_edit *e, struct lock_slot *slot);

int  writer_init(void *state, struct lock_space *space, const struct lock_view *view);
void writer_fini(void *state);
/* The lock, shared, then find; v as it came to begin. As visit_begin. */
int  writer_visit_shared(struct writer *w, struct lock_visit *v, uint64_t deadline_ns);
/* Leaves RCU and what writer_visit_shared took, if it did. */
void writer_visit_end(struct writer *w, struct lock_visit *v);

int  writer_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns);
int  writer_edit_begin(struct writer *w, struct lock_edit *e, uint64_t deadline_ns, writer_shut *shut);
void writer_edit_end(void *state, struct lock_edit *e);                  /* of both forms                          */
void writer_edit_downgrade(void *state, struct lock_edit *e);

void writer_stats(const void *state, struct lock_stats *out);
void writer_dump(const struct writer *w, const char *name, FILE *out);
uint64_t writer_audit(const struct writer *w, bool far, FILE *out);

#endif
