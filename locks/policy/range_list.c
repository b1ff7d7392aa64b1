/* SPDX-License-Identifier: MIT */
/*
 * range_list.c - a sorted linked list of held ranges, changed by compare-and-swap.
 *
 * PATENT     The algorithm is claimed by US patent 11,636,152, "Scalable range locks" (granted 2023-04-25). It is here
 *            as a rival to measure by; see to that before you build on it.
 *
 * LIST       head and each node's `next`: the address of the next node, by lo; bit 0 of a node's next, GONE: the node
 *            is released, whoever passes unlinks it (Harris 2001). Bit 0 of head, ALONE: the list is one node, which
 *            its owner takes out by one CAS; who comes takes the bit away first, and it is a list like any other.
 * TAKE       Empty list: one CAS. Else from head upwards: what ends before us, and a shared range at or below a shared
 *            one of ours, is passed; what is gone is unlinked; a conflict is waited for; before the first other one we
 *            go in by a CAS of the link that led there (N1). What went in meanwhile at the same place fails that CAS;
 *            elsewhere only a shared and an exclusive range can have passed each other. So then
 *              shared      looks forward from itself, to where its range ends, for an exclusive one
 *              exclusive   looks from head to itself for a shared one that reaches into it
 *            and who finds one takes itself out and begins again (a node that is out may still be read: another node).
 *            Of two that passed each other the later look (N2) sees both. The exclusive one gives way at once; the
 *            shared one waits, a few steps, until it knows whether that other has: `held` says that it has not.
 * GIVE       ALONE: one CAS. Else GONE into our own link (N1), and a wake-up, if somebody waits.
 * WAIT       Nobody waits for a range while it has one of its own in the list that it does not hold yet. Node.turn: bit
 *            0, somebody sleeps; above it how often such a one was woken. A waiter sets the bit, then looks at GONE
 *            (W1); a release sets GONE, then looks at the bit (W2): one of the two sees the other. The waiter leaves
 *            RCU, sleeps on the count that it saw, and begins again at head.
 * NODES      range_list.h: read inside RCU, used again by their thread after a polled grace period.
 * EDGES      N1 -> N2: what is in the list, and what the holder before did; Dekker, between those that passed each
 *            other. W1 -> W2: above. H1 `held` -> H2 the look of who waits for it to be so. T1 a turn is over -> T2
 *            who begins to wait for the next.
 * WISHES     A request that has been overtaken twice is impatient: it puts its range into a list of wishes, under a
 *            spin lock. While there are any, a request waits for the older wishes that it meets in conflict before it
 *            looks at the list; where its thread holds ranges, only for those that lie above them, with all that they
 *            may wait for: others may wait for it. (The paper: a fair reader-writer lock around the list, taken
 *            exclusively by the impatient. He would wait for holders with it in hand, and stop all others.)
 * LOCK ORDER The spin lock is a leaf. Who waits, waits for holders above what its thread holds, or for wishes above
 *            that, which wait for holders there; and such a holder, if it waits, holds something higher up. No circle.
 * PROGRESS   Some thread always gets on. All who waited for a range are woken, and the first at head has it: counted as
 *            an overtake, if what keeps a request out came after its first sleep (`stamp` against ticket). Twice, then
 *            once by each thread that had looked for wishes before: at most threads + 2 times.
 * NOT PROMISED  An order before that. How often a thread that holds one range passes, with a second one, wishes that
 *            wait for it, or perhaps do.
 * COST       grows with the number of held ranges below the one that is wanted, on lines that others write.
 * SOURCE     Kogan, Dice, Issa, "Scalable Range Locks for Scalable Address Spaces and Beyond", EuroSys 2020; FreeBSD
 *            ships a relative (sys/kern/kern_rangelock.c). Re-derived.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "base/assert.h"
#include "base/spin.h"
#include "locks/policy/range_list.h"

#define LIST_IMPATIENT 2                         /* overtakes                                                      */

/* ---- going in and out ---- */

/* For the mutant that does not wait for who may still look at the node. */
static void list_reuse(struct list_state *s, struct list_thread *t, struct list_node *n)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	list_sweep(s);
	rcu_leave(self);
	chain_push(&t->ready, n);
}

/* n leaves the list; those that sleep on it are woken. */
static void list_leave(struct list_state *s, struct list_thread *t, struct list_node *n)
{
	uint32_t turn;

	atomic_or_seqcst(&n->next, LIST_GONE);                                  /* N1 -> N2; W2 -> W1 */
	BASE_POINT(list_after_gone);
	turn = atomic_load_seqcst(&n->turn);                                    /* W2 -> W1 */
	if (unlikely(turn & LIST_SLEEPER)) {
		atomic_store_release(&n->turn, (turn & ~(uint32_t)LIST_SLEEPER) + LIST_TURN);    /* T1 -> T2 */
		park_wake(&n->turn, INT_MAX);
	}
	if (BASE_MUTANT(list_reuses_at_once))
		list_reuse(s, t, n);
	else
		chain_push(&t->gone, n);
}

/* Inside RCU, `on` is in the list. True: it is worth sleeping on *turn. */
static bool list_will_sleep(struct list_node *on, uint32_t *turn)
{
	BASE_POINT(list_before_sleeper);
	*turn = atomic_load_acquire(&on->turn);                                 /* T2 -> T1 */
	while (!(*turn & LIST_SLEEPER))
		if (atomic_cas_seqcst(&on->turn, turn, *turn | LIST_SLEEPER))   /* W1 -> W2 */
			*turn |= LIST_SLEEPER;
	return !(atomic_load_seqcst(&on->next) & LIST_GONE) || BASE_MUTANT(list_sleeps_unchecked);       /* W1 -> W2 */
}

/* Inside RCU: a shared range has met an exclusive one that may still give way. True: it has. */
static bool list_gives_way(struct list_node *other)
{
	struct park_spin spin = PARK_SPIN;

	for (;;) {
		if (atomic_load_seqcst(&other->next) & LIST_GONE)               /* N2 -> N1 */
			return true;
		if (atomic_load_acquire(&other->held))                          /* H2 -> H1 */
			return false;
		park_spin(&spin);
	}
}

/* Inside RCU. NULL: n is in the list, and held. Else who keeps it out; *out: n was in the list, and is gone. */
static struct list_node *list_insert(struct list_state *s, struct list_thread *t, struct list_node *n, bool *out)
{
	struct list_node *other;
	struct list_walk w;

	*out = false;
	do {
		if (!list_place(s, n, &w))
			return w.at;
		atomic_store_relaxed(&n->next, w.link);
		BASE_POINT(list_before_insert);
	} while (!atomic_cas_seqcst(w.prev, &w.link, link_to(n)));              /* N1 -> N2 */
	BASE_POINT(list_before_check);
	do
		other = list_conflict(s, n);
	while (other && !n->exclusive && list_gives_way(other));
	if (other) {
		*out = true;
		list_leave(s, t, n);
		return other;
	}
	atomic_store_release(&n->held, 1);                                      /* H1 -> H2 */
	return NULL;
}

static struct list_node *node_fresh(struct list_state *s, const struct beside_want *want)
{
	struct list_node *n = node_take(s, want->self, thread_of(want->home));

	n->lo = want->r.lo;
	n->hi = want->r.hi;
	n->exclusive = want->exclusive;
	n->owner = want->self->number;
	n->stamp = atomic_load_relaxed(&s->tickets);
	atomic_store_relaxed(&n->next, 0);
	atomic_store_relaxed(&n->held, 0);
	return n;
}

/* ---- wishes ---- */

static void wish_begin(struct list_state *s, struct list_wish *wish, const struct beside_want *want)
{
	wish->lo = want->r.lo;
	wish->hi = want->r.hi;
	wish->exclusive = want->exclusive;
	wish->ticket = atomic_add_relaxed(&s->tickets, 1) + 1;
	wish->overtaken = 0;
	wish->said = false;
	atomic_bump(want->exclusive ? &want->home->edits_waited : &want->home->visits_waited, 1);
}

static void wish_overtaken(struct list_state *s, struct list_thread *t, struct list_wish *wish)
{
	if (++wish->overtaken > atomic_load_relaxed(&t->overtakes))
		atomic_store_relaxed(&t->overtakes, wish->overtaken);
	if (wish->said || wish->overtaken < LIST_IMPATIENT || BASE_MUTANT(list_always_patient))
		return;
	wish->said = true;
	spin_lock(&s->wish_lock);
	wish->next = s->wishes;
	s->wishes = wish;
	spin_unlock(&s->wish_lock);
	atomic_add_relaxed(&s->impatient, 1);
}

static void wish_end(struct list_state *s, struct list_wish *wish)
{
	struct list_wish **at = &s->wishes;
	uint32_t turn;

	if (!wish->said)
		return;
	spin_lock(&s->wish_lock);
	while (*at != wish)
		at = &(*at)->next;
	*at = wish->next;
	turn = atomic_load_relaxed(&wish->turn);
	atomic_store_release(&wish->turn, (turn & ~(uint32_t)LIST_SLEEPER) + LIST_TURN);         /* T1 -> T2 */
	spin_unlock(&s->wish_lock);
	atomic_add_relaxed(&s->impatient, (uint32_t)-1);
	if (turn & LIST_SLEEPER)
		park_wake(&wish->turn, INT_MAX);
}

static bool ranges_conflict(const struct list_wish *a, const struct list_wish *b)
{
	return a->lo < b->hi && b->lo < a->hi && (a->exclusive || b->exclusive);
}

/* Does w lie above addr, with all older wishes that it may wait for? (Those that meet the hull of the ones before.) */
static bool wish_above(const struct list_wish *w, uint64_t addr)
{
	struct list_wish hull = { .lo = w->lo, .hi = w->hi, .exclusive = true };

	for (const struct list_wish *o = w->next; o; o = o->next)
		if (ranges_conflict(o, &hull)) {
			hull.lo = o->lo < hull.lo ? o->lo : hull.lo;
			hull.hi = o->hi > hull.hi ? o->hi : hull.hi;
		}
	return hull.lo >= addr;
}

/* The wish that this request has to wait for, or NULL. mine: its own, if it is impatient: older ones come after it. */
static NOINLINE atomic_u32 *wish_heed(struct list_state *s, const struct beside_want *want, struct list_wish *mine,
				      uint32_t *turn)
{
	const struct list_wish want_it = { .lo = want->r.lo, .hi = want->r.hi, .exclusive = want->exclusive };
	atomic_u32 *found = NULL;
	uint64_t held_hi = 0;

	for (unsigned i = 0; i < want->home->held.n; i++)
		held_hi = want->home->held.r[i].hi > held_hi ? want->home->held.r[i].hi : held_hi;
	spin_lock(&s->wish_lock);
	for (struct list_wish *w = mine ? mine->next : s->wishes; w && !found; w = w->next)
		if (ranges_conflict(w, &want_it) && wish_above(w, held_hi))
			found = &w->turn;
	if (found) {
		*turn = atomic_load_relaxed(found) | LIST_SLEEPER;
		atomic_store_relaxed(found, *turn);
	}
	spin_unlock(&s->wish_lock);
	return found;
}

/* ---- taking and giving ---- */

/* What n has to sleep on. NULL: nothing; *in says whether it holds its range. n is another one when it was in the list
 * in vain. */
static atomic_u32 *list_attempt(struct list_state *s, const struct beside_want *want, struct list_wish *mine,
				struct list_node **n, uint32_t *turn, bool *in)
{
	struct list_thread *t = thread_of(want->home);
	atomic_u32 *sleep_on = NULL;
	struct list_node *other;
	bool out;

	*in = false;
	if (unlikely(atomic_load_relaxed(&s->impatient)))
		sleep_on = wish_heed(s, want, mine && mine->said ? mine : NULL, turn);
	if (sleep_on)
		return sleep_on;
	rcu_enter(want->self);
	other = list_insert(s, t, *n, &out);
	*in = !other;
	if (other && mine && other->stamp >= mine->ticket)
		wish_overtaken(s, t, mine);
	if (other && (want->deadline_ns == LOCK_TRY || list_will_sleep(other, turn)))
		sleep_on = &other->turn;
	rcu_leave(want->self);
	if (out)
		*n = node_fresh(s, want);
	return sleep_on;
}

/* The list is not empty, or somebody is impatient. */
static NOINLINE int list_take_slow(struct list_state *s, const struct beside_want *want, struct list_node *n)
{
	struct list_thread *t = thread_of(want->home);
	struct list_wish *mine = NULL;
	atomic_u32 *sleep_on;
	uint32_t turn = 0;
	bool in = false;
	int err = 0;

	while (!err) {
		sleep_on = list_attempt(s, want, mine, &n, &turn, &in);
		if (in)
			break;
		if (want->deadline_ns == LOCK_TRY)
			err = -EAGAIN;
		if (err || !sleep_on)
			continue;
		if (!mine)
			wish_begin(s, mine = &t->wish, want);
		BASE_POINT(waiter_before_sleep);
		err = park_wait(sleep_on, turn, want->deadline_ns);
		BASE_POINT(waiter_woken);
	}
	if (mine)
		wish_end(s, mine);
	if (err)
		chain_push(&t->ready, n);                /* it is not in the list                                  */
	else
		t->has[want->which] = n;
	return err;
}

static int list_take(struct beside *b, const struct beside_want *want)
{
	struct list_state *s = (struct list_state *)b;
	struct list_node *n = node_fresh(s, want);
	uint64_t empty = 0;

	if (unlikely(atomic_load_relaxed(&s->impatient)) ||
	    unlikely(!atomic_cas_seqcst(&s->head, &empty, link_to(n) | LIST_ALONE)))             /* N1 -> N2 */
		return list_take_slow(s, want, n);
	atomic_store_release(&n->held, 1);                                      /* H1 -> H2 */
	thread_of(want->home)->has[want->which] = n;
	return 0;
}

static void list_give(struct beside *b, struct thread_slot *self, struct beside_thread *home, unsigned which)
{
	struct list_state *s = (struct list_state *)b;
	struct list_thread *t = thread_of(home);
	struct list_node *n = t->has[which];
	uint64_t alone = link_to(n) | LIST_ALONE;

	(void)self;
	if (likely(atomic_load_relaxed(&s->head) == alone &&
		   atomic_cas_seqcst(&s->head, &alone, 0)) ||                   /* N1 -> N2 */
	    BASE_MUTANT(list_always_alone))
		chain_push(&t->ready, n);
	else
		list_leave(s, t, n);
}

/* ---- the policy ---- */

static const struct beside_lock list_lock = { .take = list_take, .give = list_give };

static int list_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct list_state *s = state;

	return beside_init(&s->beside, &list_lock, space, view, sizeof(struct list_thread), &s->spare.home);
}

static void list_thread_fini(void *block, void *arg)
{
	struct list_thread *t = block;

	(void)arg;
	for (struct list_chunk *c = t->chunks, *next; c; c = next) {
		next = c->next;
		mem_free(MEM_SLOT, c, sizeof(*c));
	}
}

static void list_fini(void *state)
{
	struct list_state *s = state;

	list_thread_fini(&s->spare, NULL);
	thread_local_free(&s->beside.threads, list_thread_fini, NULL);
}

static void list_stats(const void *state, struct lock_stats *out)
{
	struct list_state *s = (struct list_state *)state;

	*out = (struct lock_stats){ 0 };
	beside_stats(&s->beside, out);
	for (uint32_t i = 0; i <= THREAD_MAX; i++) {
		struct beside_thread *home = beside_at(&s->beside, i);
		uint64_t n = home ? atomic_load_relaxed(&thread_of(home)->overtakes) : 0;

		out->max_overtakes = n > out->max_overtakes ? n : out->max_overtakes;
	}
}

/* Prints what is held; returns how many there are. */
static uint64_t list_print(struct list_state *s, FILE *out)
{
	struct thread_slot *self = thread_self();
	struct list_walk w;
	uint64_t n = 0;
	bool good;

	rcu_enter(self);
	for (good = walk_from(&w, s, &s->head); good && w.at; good = walk_on(&w)) {
		n++;
		if (out)
			fprintf(out, "  [%#" PRIx64 ", %#" PRIx64 ") thread %" PRIu32 " %s\n", w.at->lo, w.at->hi,
				w.at->owner, w.at->exclusive ? "edits" : "visits");
	}
	rcu_leave(self);
	if (!good && out)
		fprintf(out, "  ... (the list has changed)\n");
	return n;
}

static void list_dump(const void *state, FILE *out)
{
	fprintf(out, "range-list:\n");
	list_print((struct list_state *)state, out);
}

static uint64_t list_audit(const void *state, FILE *out)
{
	struct list_state *s = (struct list_state *)state;

	return beside_audit(&s->beside, out) + list_print(s, out);
}

const struct lock_policy lock_policy_range_list = {
	.name = "range-list",
	.idea = "held ranges in a sorted list, changed by compare-and-swap",
	.source = "Kogan, Dice, Issa, EuroSys 2020 (US patent 11,636,152); FreeBSD kern_rangelock.c",
	.weakness = "cost grows with the number of held ranges, on lines that others write; a release wakes all",
	.caps = BESIDE_CAPS,
	.state_bytes = sizeof(struct list_state),
	.init = list_init, .fini = list_fini,
	BESIDE_OPERATIONS,
	.gap_wait = beside_gap_wait,
	.stats = list_stats, .dump = list_dump, .audit = list_audit,
};
