/* SPDX-License-Identifier: MIT */
/*
 * table_range.h - exclusive locks on ranges, held in the tables of the page table: the protocol of CortenMM_adv.
 *
 * RANGE     Who wants r locks the *covering* table, the lowest one there is over all of r, found by a descent under RCU
 *           without locks; then, in pre-order, every table below it that meets r: lock, then read its words. What is
 *           absent in there stays absent: a table is made under the lock of the one above it. So two that want one
 *           page meet at a table: of their covering tables, both over the page, the lower one is locked by both.
 *           [0, 128 TiB) is the root and every table there is.
 * MADE      An edit makes the tables down to its covering one where its first page is mapped (a call on a gap must not
 *           cost memory; nor is it an error if there is none): under the lock of the one above, born held, hand over
 *           hand. Elsewhere the covering table is coarser than r needs: in an empty map it is the root.
 * STRAY     A table is unlinked by who holds it and the one above: first the word above is cleared, then it and all
 *           below become strays, which gives up their locks for good and sends their waiters away, then RCU. The mark
 *           is in the lock's word: who found the table before and asks for its lock sees it, and starts again. Below a
 *           held table there is none: who unlinks holds the one above. So an edit that may unlink all of its range
 *           (unlinks) locks a table that has more than that below it.
 * PAGE      A visit locks the lowest table over its page, exclusively, and gets no more pages than that table has. If
 *           it is not one of entries, what the visit makes below it is born held, and given up with it.
 * NESTED    Who holds tables waits for more in pre-order only. A second range, or a page, of a thread that holds a
 *           range may have a covering table above what it holds. It is tried; and before the thread waits it gives up
 *           all tables that it has, *sets aside* what it holds, and tries to have them back when it has the new ones.
 *           So somebody else may come to its pages: table locks alone do not keep what was set aside. Their user has
 *           marks that do (pt_lock.c), and sets aside all that the thread holds before it waits for a mark.
 *           Tables in a range that is set aside are made without a lock, born free, and are not unlinked.
 * DEADLOCK  none. Who waits for a table holds tables only before it in pre-order; so follow who waits for whom, and the
 *           pre-order rises until one runs, or waits for something else. That may be nothing that is given up only by
 *           who waits for a table.
 * LIFETIME  table_lock.h, MEMORY. A table that is held is linked: to unlink it takes its lock.
 * PROGRESS  A table's lock is first come, first served. Who met two strays goes down hand over hand from the root,
 *           which never is one: no restart. An edit waits at its tables one after the other, for those that were there
 *           before.
 * WORDS     table_lock.h. What a thread holds is its own (struct table_thread); no other atomics.
 * SOURCE    CortenMM (SOSP'25), artifact, ostd/src/mm/page_table/cursor/locking.rs; asterinas RFC 0003 (what is out of
 *           order is tried). Re-derived. Nested ranges, waiting, deadlines are ours.
 */
#ifndef LOCKS_TABLE_RANGE_H
#define LOCKS_TABLE_RANGE_H

#include <stdio.h>

#include "base/point.h"
#include "base/rcu.h"
#include "locks/rank.h"
#include "locks/table_lock.h"
#include "locks/view.h"

#define TABLE_HOLDS (LOCK_HELD_MAX + 2)          /* general edits, a brief one, one to spare                        */

struct table_hold {                              /* the tables of one edit                                         */
	struct lock_range r;
	struct table_lock *cover;                /* NULL: set aside                                                */
	bool used, stays;                        /* stays: it is never set aside                                   */
};

struct table_thread { struct table_hold hold[TABLE_HOLDS]; unsigned n; };        /* its thread's                   */

struct table_locks {                             /* per map                                                        */
	struct lock_space *space;
	const struct lock_view *view;
	struct thread_local_table threads;
	atomic_u64 visits_waited PAIR_ALIGNED;   /* for a table; bumped by who has to wait anyway                  */
	atomic_u64 edits_waited;
};

/* A visit's table, bit 0 set: borrowed of an edit of the same thread. */
typedef uint64_t table_page;
enum { TABLE_BORROWED = 1 };

int  table_locks_init(struct table_locks *s, struct lock_space *space, const struct lock_view *view);
void table_locks_fini(struct table_locks *s);

/* ---- edits; outside RCU ---- */
/* 0, and *hold for the end; -EAGAIN -ETIMEDOUT -ENOMEM: nothing is held. unlinks: has marks, and may unlink all tables
 * of r; else (a brief edit) its thread waits for nothing until the end. */
int  table_range_take(struct table_locks *s, struct thread_slot *self, struct lock_range r, bool unlinks,
		      uint64_t deadline_ns, uint64_t *hold);
void table_range_give(struct table_locks *s, struct thread_slot *self, uint64_t hold);
/* Before the thread waits for anything but tables. */
void table_set_aside(struct table_locks *s, struct thread_slot *self);

/* ---- visits ---- */
/* The slow parts of the next two: inside RCU; on an error not. */
int  table_page_wait(struct table_locks *s, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns,
		     table_page *page);
int  table_page_down(struct table_locks *s, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns,
		     table_page *page);
void table_page_let(struct table_locks *s, struct thread_slot *self, uint64_t addr, table_page page);

static ALWAYS_INLINE struct table_lock *table_of_page(table_page page)
{
	return (struct table_lock *)(uintptr_t)(page & ~(uint64_t)TABLE_BORROWED);
}

/* Locks the table of r's first page, and cuts r to it. 0: inside RCU. -EAGAIN -ETIMEDOUT: not. */
static ALWAYS_INLINE int table_page_take(struct table_locks *s, struct thread_slot *self, struct lock_range *r,
					 uint64_t deadline_ns, table_page *page)
{
	struct table_lock *t;
	uint64_t end;
	unsigned shift;
	int err;

	rcu_enter(self);
	t = s->view->table_over(s->space, (struct lock_range){ r->lo, r->lo + PAGE_BYTES }, false);
	BASE_POINT(table_after_descent);
	*page = (uint64_t)(uintptr_t)t;
	if (unlikely(!table_lock_try(t, self))) {
		err = table_page_wait(s, self, r->lo, deadline_ns, page);
		if (err)
			return err;
		t = table_of_page(*page);
	}
	if (unlikely(!table_lock_lowest(t))) {
		err = table_page_down(s, self, r->lo, deadline_ns, page);
		if (err)
			return err;
		t = table_of_page(*page);
	}
	shift = table_lock_lowest(t) ? t->shift : t->step;
	end = ((r->lo >> shift) + 1) << shift;
	r->hi = end < r->hi ? end : r->hi;
	return 0;
}

/* Inside RCU or outside. */
static ALWAYS_INLINE void table_page_give(struct table_locks *s, struct thread_slot *self, uint64_t addr,
					  table_page page)
{
	struct table_lock *t = table_of_page(page);

	if (likely(!(page & TABLE_BORROWED) && table_lock_lowest(t)))
		table_lock_give(t);
	else
		table_page_let(s, self, addr, page);
}

/* Tables that are held: their number, and a line for each (out may be NULL). */
uint64_t table_report(struct table_locks *s, FILE *out);

#endif
