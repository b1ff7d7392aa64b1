/* SPDX-License-Identifier: MIT */
/*
 * fine_lock.c - one short lock over a count of coarse holders, trees of fine ones, and one FIFO of waiters, each with
 * a predicate. Ranges are held beside the map; what that means for VMAs is in beside.h.
 *
 * HOLDERS    fine: a range, in one of two interval trees, readers (visits) and writers (edits). Coarse: who asks for
 *            half the space or more, by a count: -1 a writer, +n readers; it stands in no tree.
 * TAKE       Under the short lock: nobody waits in the FIFO, and the request's predicate holds (fits_*): it is in. Else
 *            LOCK_TRY leaves nothing; others stand last in the FIFO.
 * DEQUEUE    After each release: from the head until the first that does not fit; each that fits becomes a holder there
 *            and then, under the lock. Nobody goes in but by the FIFO while somebody stands in it: newcomers do not
 *            barge, and what stands behind the head waits though nothing is in its own way.
 * NESTED     A thread that holds an edit already asks the holders only, and waits in a list of its own, all of which
 *            is looked at after each release. In the FIFO it might stand behind who waits for what it holds. Who is in
 *            the FIFO does not fit where a nested waiter wants to go. So nested waiters wait for holders, at ranges
 *            above all that they hold themselves; the others, who hold nothing, wait for holders, nested waiters and
 *            the head: no circle. The coarse writer's own nested requests fit: nobody else is in.
 * GAPS       Who waits for a held gap, and wants any gap, waits beside the FIFO as well: as its head it would keep all
 *            others waiting for a holder that they have no business with.
 * RECORD     a node for each range lock of a thread (beside.h), in its block. `state`: WAITING -> ASLEEP, by its owner,
 *            after it has looked for a while; either -> GRANTED, after the lock was given back: the granter's last
 *            access. From there on the record is its owner's, who may be asking for something else with it already; a
 *            wake that comes late is spurious. All else of a node that waits is under the lock; `waits` is false once
 *            it has become a holder.
 * CANCEL     A wait that is over looks at `waits` under the lock. False: it holds what it wanted, and waits for
 *            GRANTED, which is on its way: no grant is lost, no record changed under its granter. True: it leaves the
 *            queue, and the head is handed on: what stood behind it may fit.
 * EDGES      qspin.h: what a holder did, to the next. G1 GRANTED -> G2 the waiter's look. S1 ASLEEP -> G1: two
 *            read-modify-writes of one word; the granter sees ASLEEP, and wakes, or the waiter sees GRANTED.
 * LOCK ORDER the short lock is a leaf: nothing is waited for under it.
 * PROGRESS   Each release, and each cancel, grants the head if it fits: as long as holders end, each is the head once.
 *            Who waits is passed by nested requests only: counted, where they meet what it wants.
 * NOT PROMISED  that disjoint edits never wait: they do behind a head that waits, and beside a coarse writer. How often
 *            a thread that holds one range passes who waits, with requests for others above it.
 * COST       Each visit and each edit writes the short lock's line twice, whatever it wants: with several threads that
 *            is all that counts. One thread pays two locked instructions, as for a reader-writer lock, and for a tree
 *            of one node.
 * WEAKNESS   The short lock: what COST says makes eight cores get less done than one, wherever they fault
 *            (docs/rivals.md). And the FIFO's head: what stands behind it waits for holders of other ranges.
 * SOURCE     Michel Lespinasse, "Fine grained MM locking" (LSF/MM 2019, patches of 2020): short lock, coarse count,
 *            tree, one queue of waiters with predicates, hand-off by the last store. Nested requests are ours, and a
 *            tree of their own for writers. Re-derived.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/qspin.h"
#include "locks/policy/beside.h"
#include "locks/policy/treap.h"

#define FINE_COARSE (ADDRESS_END / 2)
#define FINE_LOOKS  96                           /* before it sleeps: most holders are done within a microsecond   */

enum { FINE_WAITING, FINE_ASLEEP, FINE_GRANTED };

struct fine_state;
struct fine_node;
typedef bool fine_fits(const struct fine_state *s, const struct fine_node *n);

struct fine_node {
	struct treap_node at;                    /* the range; in a tree while it holds                            */
	struct fine_node *prev, *next;           /* in a queue while it waits                                      */
	struct fine_node *later;                 /* who is to be told next                                         */
	fine_fits *fits;                         /* by the holders                                                 */
	uint64_t ticket;
	uint32_t owner, overtaken;
	bool exclusive, coarse, nested, waits;
	atomic_u32 state;
};

struct fine_queue { struct fine_node *first, *last; };

struct fine_thread {
	struct beside_thread home;               /* first                                                          */
	struct fine_node node[BESIDE_LOCKS] PAIR_ALIGNED;
};

struct fine_state {
	struct beside beside;                    /* first                                                          */
	struct qspin lock PAIR_ALIGNED;          /* of all below, and of the nodes                                 */
	int32_t coarse;                          /* -1 a writer, 0, n readers                                      */
	uint32_t coarse_owner;                   /* of -1                                                          */
	struct treap_node *readers, *writers;
	uint64_t tickets;
	struct fine_queue fifo, nested;          /* on a line that is written only when somebody waits             */
	uint64_t hand_overs, max_overtakes;
	struct fine_thread spare PAIR_ALIGNED;
};

static struct fine_node *node_of(struct beside_thread *home, unsigned which)
{
	return &container_of(home, struct fine_thread, home)->node[which];
}

/* ---- holders: under the lock, like all but the last two parts ---- */

static bool meets(const struct treap_node *root, const struct fine_node *n)
{
	return unlikely(root != NULL) && treap_meets(root, n->at.r);
}

static bool coarse_writer(const struct fine_state *s, const struct fine_node *n)
{
	return unlikely(s->coarse < 0) && s->coarse_owner != n->owner;
}

static bool fits_read(const struct fine_state *s, const struct fine_node *n)
{
	return (!coarse_writer(s, n) || BASE_MUTANT(fine_coarse_unheeded)) && !meets(s->writers, n);
}

static bool fits_write(const struct fine_state *s, const struct fine_node *n)
{
	return s->coarse <= 0 && fits_read(s, n) && !meets(s->readers, n);
}

static bool fits_read_all(const struct fine_state *s, const struct fine_node *n)
{
	return !coarse_writer(s, n) && !s->writers;
}

static bool fits_write_all(const struct fine_state *s, const struct fine_node *n)
{
	(void)n;
	return s->coarse == 0 && !s->writers && !s->readers;
}

static ALWAYS_INLINE void holder_enter(struct fine_state *s, struct fine_node *n)
{
	struct treap_node **root = n->exclusive ? &s->writers : &s->readers;

	if (unlikely(n->coarse)) {
		s->coarse += n->exclusive ? -1 : 1;
		s->coarse_owner = n->owner;
		return;
	}
	if (unlikely(*root != NULL))
		n->at.weight = (uint32_t)prng_mix(n->ticket);
	treap_insert(root, &n->at);
}

static ALWAYS_INLINE void holder_leave(struct fine_state *s, struct fine_node *n)
{
	if (unlikely(n->coarse))
		s->coarse -= n->exclusive ? -1 : 1;
	else
		treap_erase(n->exclusive ? &s->writers : &s->readers, &n->at);
}

/* ---- waiters ---- */

static bool conflict(const struct fine_node *a, const struct fine_node *b)
{
	return (a->exclusive || b->exclusive) && (a->coarse || b->coarse || lock_range_meets(a->at.r, b->at.r));
}

static void queue_add(struct fine_queue *q, struct fine_node *n)
{
	n->waits = true;
	n->prev = q->last;
	n->next = NULL;
	if (q->last)
		q->last->next = n;
	else
		q->first = n;
	q->last = n;
}

static void queue_remove(struct fine_queue *q, struct fine_node *n)
{
	n->waits = false;
	if (n->prev)
		n->prev->next = n->next;
	else
		q->first = n->next;
	if (n->next)
		n->next->prev = n->prev;
	else
		q->last = n->prev;
}

/* By the holders, and by the nested waiters. */
static ALWAYS_INLINE bool may_enter(const struct fine_state *s, const struct fine_node *n)
{
	if (!n->fits(s, n))
		return false;
	if (n->nested || BASE_MUTANT(fine_nested_unheeded))
		return true;
	for (const struct fine_node *w = s->nested.first; unlikely(w != NULL); w = w->next)
		if (conflict(w, n))
			return false;
	return true;
}

static void count_passed(struct fine_state *s, const struct fine_queue *q, const struct fine_node *n)
{
	for (struct fine_node *w = q->first; w; w = w->next)
		if (w->ticket < n->ticket && conflict(w, n) && ++w->overtaken > s->max_overtakes)
			s->max_overtakes = w->overtaken;
}

static ALWAYS_INLINE void enter(struct fine_state *s, struct fine_node *n)
{
	holder_enter(s, n);
	if (unlikely(n->nested)) {
		count_passed(s, &s->fifo, n);
		count_passed(s, &s->nested, n);
	}
}

/* Those that became holders, oldest first, to be told outside the lock. */
struct fine_told { struct fine_node *first, **last; };

static void grant(struct fine_state *s, struct fine_queue *q, struct fine_node *n, struct fine_told *told)
{
	queue_remove(q, n);
	enter(s, n);
	s->hand_overs++;
	*told->last = n;
	told->last = &n->later;
}

static NOINLINE struct fine_node *dequeue(struct fine_state *s)
{
	struct fine_told told = { NULL, &told.first };
	struct fine_node *n, *next;

	for (n = s->nested.first; n; n = next) {
		next = n->next;
		if (may_enter(s, n))
			grant(s, &s->nested, n, &told);
		else if (BASE_MUTANT(fine_nested_in_turn))
			break;
	}
	for (n = s->fifo.first; n; n = next) {
		next = n->next;
		if (may_enter(s, n))
			grant(s, &s->fifo, n, &told);
		else if (!BASE_MUTANT(fine_passes_head))
			break;
		if (BASE_MUTANT(fine_dequeues_one))
			break;
	}
	return told.first;
}

/* ---- outside the lock ---- */

/* A node that has been told is its owner's again. */
static void tell(struct fine_node *list)
{
	for (struct fine_node *n = list, *later; n; n = later) {
		BASE_POINT(fine_before_grant);
		later = n->later;
		if (atomic_swap_acqrel(&n->state, FINE_GRANTED) == FINE_ASLEEP) /* G1 -> G2, S1 */
			park_wake(&n->state, 1);                         /* by address: it may be awake already    */
		BASE_POINT(grant_done);
		if (BASE_MUTANT(fine_reads_after))
			later = n->later;
	}
}

/* The time is over. True: it waits no more, and has nothing. */
static bool cancel(struct fine_state *s, struct fine_node *n)
{
	struct fine_node *told = NULL;
	bool waited;

	BASE_POINT(waiter_before_cancel);
	qspin_lock(&s->lock);
	waited = n->waits;
	if (waited) {
		queue_remove(n->nested ? &s->nested : &s->fifo, n);
		if (!BASE_MUTANT(fine_cancel_silent))
			told = dequeue(s);
	}
	qspin_unlock(&s->lock);
	tell(told);
	return waited || BASE_MUTANT(fine_cancel_unchecked);
}

/* True: it has been granted. False: whoever grants it from here on wakes it. */
static bool spin_granted(struct fine_node *n)
{
	uint32_t state = FINE_WAITING;

	for (unsigned i = 0; i < FINE_LOOKS; i++) {
		if (atomic_load_acquire(&n->state) == FINE_GRANTED)              /* G2 -> G1 */
			return true;
		atomic_pause();
	}
	return !atomic_cas_acqrel(&n->state, &state, FINE_ASLEEP);               /* S1 -> G1; G2 -> G1 */
}

static NOINLINE int fine_wait(struct fine_state *s, const struct beside_want *want, struct fine_node *n)
{
	uint64_t deadline_ns = want->deadline_ns;

	atomic_bump(want->exclusive ? &want->home->edits_waited : &want->home->visits_waited, 1);
	if (spin_granted(n))
		return 0;
	BASE_POINT(waiter_before_sleep);
	while (atomic_load_acquire(&n->state) == FINE_ASLEEP) {                  /* G2 -> G1 */
		if (park_wait(&n->state, FINE_ASLEEP, deadline_ns) != -ETIMEDOUT)
			continue;
		if (cancel(s, n))
			return -ETIMEDOUT;
		deadline_ns = LOCK_FOREVER;
	}
	BASE_POINT(waiter_woken);
	return 0;
}

static void request(struct fine_node *n, const struct beside_want *want, bool aside)
{
	n->at.r = want->r;
	n->owner = want->self->number;
	n->exclusive = want->exclusive;
	n->nested = aside || (want->home->held.n != 0 && !BASE_MUTANT(fine_nested_queues));
	n->coarse = unlikely(want->r.hi - want->r.lo >= FINE_COARSE) && !n->nested;
	if (likely(!n->coarse))
		n->fits = n->exclusive ? fits_write : fits_read;
	else
		n->fits = n->exclusive ? fits_write_all : fits_read_all;
	n->at.weight = 0;
	n->overtaken = 0;
	n->later = NULL;
	atomic_store_relaxed(&n->state, FINE_WAITING);
}

/* aside: as if nested, not in the FIFO. */
static ALWAYS_INLINE int take(struct beside *b, const struct beside_want *want, bool aside)
{
	struct fine_state *s = (struct fine_state *)b;
	struct fine_node *n = node_of(want->home, want->which);
	bool in;

	request(n, want, aside);
	qspin_lock(&s->lock);
	n->ticket = ++s->tickets;
	in = (likely(!s->fifo.first) || n->nested || BASE_MUTANT(fine_barges)) && may_enter(s, n);
	if (likely(in)) {
		enter(s, n);
		qspin_unlock(&s->lock);
		return 0;
	}
	if (want->deadline_ns != LOCK_TRY)
		queue_add(n->nested ? &s->nested : &s->fifo, n);
	qspin_unlock(&s->lock);
	return want->deadline_ns == LOCK_TRY ? -EAGAIN : fine_wait(s, want, n);
}

static int fine_take(struct beside *b, const struct beside_want *want)
{
	return take(b, want, false);
}

static void fine_give(struct beside *b, struct thread_slot *self, struct beside_thread *home, unsigned which)
{
	struct fine_state *s = (struct fine_state *)b;
	struct fine_node *told;

	(void)self;
	qspin_lock(&s->lock);
	holder_leave(s, node_of(home, which));
	if (likely(!s->fifo.first && !s->nested.first)) {
		qspin_unlock(&s->lock);
		return;
	}
	told = dequeue(s);
	qspin_unlock(&s->lock);
	tell(told);
}

/* ---- the policy ---- */

/* GAPS. A thread that holds a range, or has no block yet, asks as a visit does. */
static int fine_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	struct beside_want w = { .self = self, .home = beside_at(state, self->number), .which = BESIDE_VISIT,
				 .r = { addr, addr + PAGE_BYTES }, .deadline_ns = deadline_ns };
	int err;

	if (!w.home || w.home->held.n || BASE_MUTANT(fine_gap_queues))
		return beside_gap_wait(state, self, addr, deadline_ns);
	err = take(state, &w, true);
	if (!err)
		fine_give(state, self, w.home, w.which);
	return err;
}

static const struct beside_lock fine_lock = { .take = fine_take, .give = fine_give };

static int fine_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct fine_state *s = state;

	return beside_init(&s->beside, &fine_lock, space, view, sizeof(struct fine_thread), &s->spare.home);
}

static void fine_stats(const void *state, struct lock_stats *out)
{
	struct fine_state *s = (struct fine_state *)state;

	*out = (struct lock_stats){ 0 };
	beside_stats(&s->beside, out);
	qspin_lock(&s->lock);
	out->hand_overs = s->hand_overs;
	out->max_overtakes = s->max_overtakes;
	qspin_unlock(&s->lock);
}

static void node_dump(const struct fine_node *n, const char *what, FILE *out)
{
	fprintf(out, "  [%#" PRIx64 ", %#" PRIx64 ") thread %" PRIu32 " %s, %s\n", n->at.r.lo, n->at.r.hi, n->owner,
		n->exclusive ? "edits" : "visits", what);
}

static void holder_dump(void *out, struct treap_node *n)
{
	node_dump(container_of(n, struct fine_node, at), "holds", out);
}

/* Under the lock. */
static void dump_all(const struct fine_state *s, FILE *out)
{
	const struct lock_range all = { 0, ADDRESS_END };

	if (s->coarse < 0)
		fprintf(out, "  all: thread %" PRIu32 " edits\n", s->coarse_owner);
	else if (s->coarse)
		fprintf(out, "  all: %" PRId32 " visits\n", s->coarse);
	treap_each(s->writers, all, holder_dump, out);
	treap_each(s->readers, all, holder_dump, out);
	for (const struct fine_node *n = s->nested.first; n; n = n->next)
		node_dump(n, "waits, nested", out);
	for (const struct fine_node *n = s->fifo.first; n; n = n->next)
		node_dump(n, "waits", out);
}

static void fine_dump(const void *state, FILE *out)
{
	struct fine_state *s = (struct fine_state *)state;

	fprintf(out, "fine-lock:\n");
	qspin_lock(&s->lock);
	dump_all(s, out);
	qspin_unlock(&s->lock);
}

static uint64_t fine_audit(const void *state, FILE *out)
{
	struct fine_state *s = (struct fine_state *)state;
	uint64_t bad = beside_audit(&s->beside, out);

	qspin_lock(&s->lock);
	if (s->coarse || s->readers || s->writers || s->fifo.first || s->nested.first) {
		bad++;
		if (out)
			dump_all(s, out);
	}
	qspin_unlock(&s->lock);
	return bad;
}

const struct lock_policy lock_policy_fine_lock = {
	.name = "fine-lock",
	.idea = "one short lock: coarse count, trees of ranges, one FIFO of waiters with predicates",
	.source = "Lespinasse: fine grained MM locking (2019, 2020)",
	.weakness = "everybody writes the short lock; behind the head of the queue disjoint ranges wait as well",
	.caps = BESIDE_CAPS,
	.state_bytes = sizeof(struct fine_state),
	.init = fine_init, .fini = beside_fini,
	BESIDE_OPERATIONS,
	.gap_wait = fine_gap_wait,
	.stats = fine_stats, .dump = fine_dump, .audit = fine_audit,
};
