/* SPDX-License-Identifier: MIT */
/*
 * range_list.h - the list of `range-list` itself: nodes, walks over it, and where nodes come from. range_list.c has the
 * protocol, and includes this; nobody else does.
 *
 * WALK       stands at a link, *prev, and the node that it leads to. What is gone is unlinked as one comes by (N1); a
 *            link whose own node is gone leads nowhere: begin again. All of it inside RCU.
 * NODES      are of a thread: ready; in the list; gone (their release has marked them); resting (out of the list, by a
 *            walk over all of it after they were marked) until a polled grace period is over, one for all of them;
 *            ready. A node that was alone until its end is ready at once: nobody reads it without taking ALONE away.
 * EDGES      N1, N2 of range_list.c.
 */
#ifndef LOCKS_POLICY_RANGE_LIST_H
#define LOCKS_POLICY_RANGE_LIST_H

#include "base/mem.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/beside.h"

#define LIST_FIRST 32                            /* nodes in a thread's block                                      */
#define LIST_CHUNK 128                           /* that it asks memory for at a time                              */

enum { LIST_GONE = 1, LIST_ALONE = 1 };          /* bit 0 of a node's link; of head                                */
enum { LIST_SLEEPER = 1, LIST_TURN = 2 };        /* of turn                                                        */

struct list_node {
	atomic_u64 next;
	uint64_t lo, hi;
	struct list_node *spare;                 /* the thread's own: in a chain of its spare nodes                */
	uint64_t stamp;                          /* the last ticket that was drawn before                          */
	uint32_t owner;
	bool exclusive;
	atomic_u32 held;                         /* it is not only in the list                                     */
	atomic_u32 turn;                         /* slept on                                                       */
} __attribute__((aligned(CACHE_LINE)));

struct list_chunk { struct list_chunk *next; struct list_node node[LIST_CHUNK]; };

struct list_chain { struct list_node *first; unsigned n; };

/* Of a request that waits; in the list once it is impatient. */
struct list_wish {
	struct list_wish *next;
	uint64_t lo, hi, ticket;
	uint64_t overtaken;
	bool exclusive, said;
	atomic_u32 turn;                         /* slept on, as a node's; changed under wish_lock                 */
};

struct list_thread {                             /* all but home and the wish: its thread's own                    */
	struct beside_thread home;               /* first                                                          */
	struct list_node *has[BESIDE_LOCKS];
	struct list_chain ready;                 /* may be used                                                    */
	struct list_chain gone;                  /* were in the list                                               */
	struct list_chain resting;               /* are in it no more; until the cookie is done                    */
	uint64_t cookie;
	bool made;                               /* node[] is in one of the chains                                 */
	struct list_chunk *chunks;
	atomic_u64 overtakes;
	struct list_wish wish;
	struct list_node node[LIST_FIRST];
};

struct list_state {
	struct beside beside;                    /* first                                                          */
	atomic_u64 head PAIR_ALIGNED;
	atomic_u64 tickets PAIR_ALIGNED;         /* drawn by who waits; like the next: read by all, seldom written */
	atomic_u32 impatient;                    /* how many wishes there are                                      */
	atomic_u32 wish_lock;                    /* base/spin.h: of the list of wishes                             */
	struct list_wish *wishes;
	struct list_thread spare PAIR_ALIGNED;
};

static inline struct list_node *node_at(uint64_t link) { return (struct list_node *)(uintptr_t)(link & ~UINT64_C(1)); }
static inline uint64_t link_to(const struct list_node *n) { return (uint64_t)(uintptr_t)n; }
static inline struct list_thread *thread_of(struct beside_thread *home)
{
	return container_of(home, struct list_thread, home);
}

/* ---- the list; inside RCU ---- */

/* What a walk stands at: node `at`, which *prev leads to; `next` is its link. */
struct list_walk { struct list_state *s; atomic_u64 *prev; struct list_node *at; uint64_t link, next; };

/* The walk stands at *prev: skips what is gone, and makes a list of a node that was alone. False: *prev itself is in a
 * node that is gone, begin again. */
static inline bool walk_look(struct list_walk *w)
{
	for (;;) {
		if (unlikely(w->link & 1)) {
			if (w->prev != &w->s->head)
				return false;
			if (atomic_cas_seqcst(&w->s->head, &w->link, w->link & ~(uint64_t)LIST_ALONE))   /* N1 -> N2 */
				w->link &= ~(uint64_t)LIST_ALONE;
			continue;
		}
		w->at = node_at(w->link);
		if (!w->at)
			return true;
		w->next = atomic_load_seqcst(&w->at->next);                     /* N2 -> N1 */
		if (likely(!(w->next & LIST_GONE)))
			return true;
		BASE_POINT(list_before_unlink);
		if (atomic_cas_seqcst(w->prev, &w->link, w->next & ~(uint64_t)LIST_GONE))        /* N1 -> N2 */
			w->link = w->next & ~(uint64_t)LIST_GONE;
	}
}

static inline bool walk_from(struct list_walk *w, struct list_state *s, atomic_u64 *prev)
{
	w->s = s;
	w->prev = prev;
	w->link = atomic_load_seqcst(prev);                                     /* N2 -> N1 */
	return walk_look(w);
}

static inline bool walk_on(struct list_walk *w)
{
	w->prev = &w->at->next;
	w->link = w->next;
	return walk_look(w);
}

/* n is in the list. NULL: it has all of its range. Else who keeps it out. */
static inline struct list_node *list_conflict(struct list_state *s, struct list_node *n)
{
	atomic_u64 *from = n->exclusive ? &s->head : &n->next;
	struct list_walk w;
	bool good;

	if (n->exclusive ? BASE_MUTANT(list_writer_unchecked) : BASE_MUTANT(list_reader_unchecked))
		return NULL;
	for (;;) {
		good = walk_from(&w, s, from);
		while (good && w.at && w.at != n && w.at->lo < n->hi) {
			if (w.at->hi > n->lo && (w.at->exclusive || n->exclusive))
				return w.at;
			good = walk_on(&w);
		}
		if (good)
			return NULL;
	}
}

/* Where n goes in: true. Or w->at keeps it out. */
static inline bool list_place(struct list_state *s, const struct list_node *n, struct list_walk *w)
{
	bool good;

	for (;;) {
		good = walk_from(w, s, &s->head);
		while (good && w->at &&
		       (w->at->hi <= n->lo || (!w->at->exclusive && !n->exclusive && w->at->lo <= n->lo)))
			good = walk_on(w);
		if (!good)
			continue;
		return !w->at || w->at->lo >= n->hi || (!w->at->exclusive && !n->exclusive);
	}
}

/* All nodes that were gone before are out of the list after. */
static inline void list_sweep(struct list_state *s)
{
	struct list_walk w;
	bool good = false;

	while (!good) {
		good = walk_from(&w, s, &s->head);
		while (good && w.at)
			good = walk_on(&w);
	}
}

/* ---- nodes ---- */

static inline void chain_push(struct list_chain *c, struct list_node *n)
{
	n->spare = c->first;
	c->first = n;
	c->n++;
}

static inline void chain_move(struct list_chain *to, struct list_chain *from)
{
	*to = *from;
	*from = (struct list_chain){ NULL, 0 };
}

static inline void chunk_ready(struct list_thread *t, struct list_node *node, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		chain_push(&t->ready, &node[i]);
}

/* One step towards a node that may be used. */
static inline void nodes_find(struct list_state *s, struct thread_slot *self, struct list_thread *t)
{
	struct list_chunk *chunk = NULL;

	if (!t->made) {
		t->made = true;
		chunk_ready(t, t->node, LIST_FIRST);
		return;
	}
	if (t->resting.n && rcu_poll_done(t->cookie)) {
		chain_move(&t->ready, &t->resting);
		return;
	}
	if (t->resting.n || t->gone.n < LIST_CHUNK)
		chunk = mem_alloc(MEM_SLOT, sizeof(*chunk), CACHE_LINE);
	if (chunk) {
		chunk->next = t->chunks;
		t->chunks = chunk;
		chunk_ready(t, chunk->node, LIST_CHUNK);
	} else if (!t->resting.n) {
		rcu_enter(self);
		list_sweep(s);
		rcu_leave(self);
		chain_move(&t->resting, &t->gone);
		t->cookie = rcu_poll_start();
	}
}

static ALWAYS_INLINE struct list_node *node_take(struct list_state *s, struct thread_slot *self, struct list_thread *t)
{
	struct park_spin spin = PARK_SPIN;
	struct list_node *n;

	while (unlikely(!t->ready.first)) {
		nodes_find(s, self, t);
		if (!t->ready.first)
			park_spin(&spin);                        /* others' read sections are short                */
	}
	n = t->ready.first;
	t->ready.first = n->spare;
	t->ready.n--;
	return n;
}

#endif
