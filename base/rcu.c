/* SPDX-License-Identifier: MIT */
/*
 * rcu.c - two kinds of grace period over one read section.
 *
 * POLLED (frames). Words: rcu_global.epoch, slot.rcu_word (rcu_inline.h), poll_done_to.
 *   reader   E1 e = load epoch (acquire);  E2 rcu_word = e*2+1 (release);  ... section ...  E3 rcu_word = 0 (release)
 *   freer    unpublish X;  P1 c = ++epoch (seq_cst);  P2 membarrier;  return c
 *            S1 load every rcu_word (acquire): c is done if each is 0 or shows an epoch >= c;  S2 poll_done_to = max c
 *   Claim: when c is done, nobody can still reach X. Let R be a section that reached X.
 *   - P2 makes R's CPU execute a full barrier somewhere; call the place B. If R's load of X stood after B it would
 *     see the unpublishing. So it stood before B, hence E2 too (program order; the compiler is held by liburcu's
 *     barrier), and every S1 after P2 sees E2 or a later store of that thread.
 *   - S1 sees e >= c: then E1 read P1 or a later value, so P1 happens before that section's loads: it cannot reach X.
 *   - S1 sees e < c: not done. It may be a section that began after P1 but read a stale epoch: it delays, no harm.
 *   - S1 sees 0 or a later section: E3 -> S1 gives the edge from R's last access to the free.
 *   - A reader that read the epoch (E1) and lost its CPU before E2 is not seen by S1. Its E2 then stands after B, and
 *     all its loads with it: it sees the unpublishing, though its word, when it comes, shows e < c and delays others.
 *   - A thread whose slot lies past thread_count() as S1 saw it: its count store (thread.c C1) precedes its E2, so the
 *     same argument places its section after B.
 *   - S2 (release, max) -> S3 (acquire) hands the edges of one scan to a poller that only reads poll_done_to. It may
 *     answer for smaller cookies: their P1 precede c's in the epoch's order, so c's membarrier serves them too.
 *   Without membarrier (heavy_readers) E2 is seq_cst, P1 is, and the order of the two decides as B did.
 *   Progress: a section that has begun delays at most until it ends; S1 never waits.
 *
 * RETIRED (tree nodes, page tables). Per slot a list of open items and BATCHES heads that travel through liburcu.
 *   item     open (R1: pushed by its slot's thread) -> batched (under the slot's lock) -> called back, in
 *            liburcu's worker
 *   batch    free -> flying -> free, under the slot's lock. All flying: the open list grows until one lands, so that
 *            retiring allocates nothing and cannot fail.
 *   H1 (batch's items stored, release) -> F1 (callback's load, acquire): retire -> callback.
 *   F2: the callback loads every rcu_word (acquire). liburcu's grace period ended after each earlier section's unlock,
 *            which follows its E3; so F2 reads E3 or later, and the edge reader -> callback is one that both the
 *            language and ThreadSanitizer know.
 *   Slot lock: held while a list is taken *and* given to call_rcu. So whoever then holds the lock knows: each item is
 *            in the open list, or already queued in liburcu. The owner only tries it: it never waits for a drain.
 *   Drain    under drain_mutex: under each slot's lock take its open list; queue all of it as one batch of its own and
 *            wait until that is called back. Batches of before were queued earlier, and the worker is FIFO (always the
 *            process's default one, whatever workers the host has set for its CPUs): they are done as well.
 *            The mutex: a second drain must not overtake items that the first holds in its hands.
 *   Exit     hands the open list over; with no head free it leaves a wish, and the next landing batch does it.
 *
 * Lock order: drain_mutex -> slot lock. Callbacks run under neither. Source: McKenney et al. for the idea of per-reader
 * epochs (urcu), Linux's polled grace-period interface for the face; the proof is ours.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"
#include <urcu/static/urcu-memb.h>

#define BATCH_ITEMS 64
#define BATCHES     4

struct rcu_batch {
	struct rcu_head head;
	_Atomic(struct rcu_item *) items;
	struct rcu_slot *slot;           /* NULL: a drain's                                                          */
	struct rcu_batch *next_free;
	atomic_u32 landed;               /* a drain sleeps on it                                                     */
};

struct rcu_slot {
	atomic_u32 lock;
	bool wish;                       /* under lock: hand over as soon as a batch lands                           */
	bool ready;                      /* under lock: free_list is made                                            */
	struct rcu_batch *free_list;     /* under lock                                                               */
	_Atomic(struct rcu_item *) open; /* pushed by the owner, taken whole under lock                              */
	uint32_t open_items;             /* owner only: since it last handed over                                    */
	bool registered;                 /* owner only: by us, not by the host program                               */
	struct rcu_batch batch[BATCHES];
} PAIR_ALIGNED;

struct rcu_global rcu_global = { .epoch = 1 };
static atomic_u64 poll_done_to PAIR_ALIGNED;
static atomic_u64 waits PAIR_ALIGNED;
static struct park_mutex drain_mutex;
static struct rcu_slot rcu_slot_of[THREAD_MAX];

__attribute__((constructor)) static void rcu_load(void)
{
	rcu_global.heavy_readers =
		syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
}

/* ---- polled ---- */

uint64_t rcu_poll_start(void)
{
	uint64_t cookie = atomic_add_seqcst(&rcu_global.epoch, 1) + 1;           /* P1 -> E1 */

	if (!rcu_global.heavy_readers && !BASE_MUTANT(rcu_no_membarrier))
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);     /* P2 */
	return cookie;
}

static bool all_readers_reached(uint64_t cookie)
{
	uint32_t n = thread_count();

	for (uint32_t i = 0; i < n; i++) {
		uint64_t word = atomic_load_acquire(&thread_at(i)->rcu_word);    /* S1 -> E2, E3 */

		if ((word & 1) != 0 && word >> 1 < cookie)
			return false;
	}
	return true;
}

bool rcu_poll_done(uint64_t cookie)
{
	uint64_t to = atomic_load_acquire(&poll_done_to);                        /* S3 -> S2 */

	if (to >= cookie)
		return true;
	ASSERT(cookie <= atomic_load_relaxed(&rcu_global.epoch));
	if (!all_readers_reached(cookie) && !BASE_MUTANT(rcu_poll_blind))
		return false;
	while (to < cookie)
		if (atomic_cas_acqrel(&poll_done_to, &to, cookie))               /* S2 -> S3 */
			break;
	return true;
}

/* ---- retired ---- */

static void slot_lock(struct rcu_slot *s)
{
	struct park_spin spin = PARK_SPIN;
	uint32_t seen = 0;

	while (!atomic_cas_acquire(&s->lock, &seen, 1)) {
		seen = 0;
		park_spin(&spin);
	}
}

static bool slot_trylock(struct rcu_slot *s)
{
	uint32_t seen = 0;

	return atomic_cas_acquire(&s->lock, &seen, 1);
}

static void slot_unlock(struct rcu_slot *s)
{
	atomic_store_release(&s->lock, 0);
}

static void batch_called_back(struct rcu_head *head);

/* FIFO holds per worker: always the default one, also where the host gave its threads or CPUs others. */
static void queue_batch(struct rcu_batch *b, struct rcu_item *items)
{
	struct call_rcu_data *hosts = urcu_memb_get_thread_call_rcu_data();

	atomic_store_release(&b->items, items);                                  /* H1 -> F1 */
	urcu_memb_set_thread_call_rcu_data(urcu_memb_get_default_call_rcu_data());
	urcu_memb_call_rcu(&b->head, batch_called_back);
	urcu_memb_set_thread_call_rcu_data(hosts);
}

/* Under the slot's lock. */
static void hand_over(struct rcu_slot *s)
{
	struct rcu_batch *b = s->free_list;
	struct rcu_item *items;

	s->wish = b == NULL;
	if (b == NULL)
		return;
	items = atomic_swap_acqrel(&s->open, NULL);                              /* -> R1 */
	if (items == NULL)
		return;
	s->free_list = b->next_free;
	queue_batch(b, items);
}

static void run_items(struct rcu_item *item)
{
	while (item != NULL) {
		struct rcu_item *next = item->next;

		item->fn(item);
		item = next;
	}
}

static void batch_called_back(struct rcu_head *head)
{
	struct rcu_batch *b = container_of(head, struct rcu_batch, head);
	struct rcu_item *items = atomic_load_acquire(&b->items);                 /* F1 -> H1: before all else of b */
	struct rcu_slot *s = b->slot;
	uint32_t n = thread_count();

	for (uint32_t i = 0; i < n; i++)
		(void)atomic_load_acquire(&thread_at(i)->rcu_word);              /* F2 -> E3 */
	run_items(items);
	if (s == NULL) {
		atomic_store_release(&b->landed, 1);                             /* D1 */
		park_wake(&b->landed, 1);        /* b may be gone by now: park_wake takes only the address */
		return;
	}
	slot_lock(s);
	b->next_free = s->free_list;
	s->free_list = b;
	if (s->wish)
		hand_over(s);
	slot_unlock(s);
}

void rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *))
{
	struct rcu_slot *s = self->rcu_private;
	struct rcu_item *first = atomic_load_relaxed(&s->open);

	item->fn = fn;
	do {
		item->next = first;
	} while (!atomic_cas_release(&s->open, &first, item));                   /* R1 */
	if (++s->open_items >= BATCH_ITEMS)
		rcu_retire_flush(self);
}

void rcu_retire_flush(struct thread_slot *self)
{
	struct rcu_slot *s = self->rcu_private;

	if (!slot_trylock(s))
		return;          /* a drain takes the items, or a landing batch is just being put back: next time */
	s->open_items = 0;
	hand_over(s);
	slot_unlock(s);
}

/* Takes what slot s has open to the front of *list, whose last item is *last. */
static void take_open(struct rcu_slot *s, struct rcu_item **list)
{
	struct rcu_item *items, *last;

	slot_lock(s);
	items = atomic_swap_acqrel(&s->open, NULL);                              /* -> R1 */
	s->wish = false;
	slot_unlock(s);
	if (items == NULL)
		return;
	for (last = items; last->next != NULL; last = last->next)
		;
	last->next = *list;
	*list = items;
}

static void count_wait(const struct thread_slot *self)
{
	CHECK(!rcu_inside(self));
	atomic_add_relaxed(&waits, 1);
}

void rcu_drain(void)
{
	struct rcu_batch b = { .slot = NULL };
	struct rcu_item *items = NULL;
	uint32_t n;

	count_wait(thread_self());
	park_lock(&drain_mutex);
	n = thread_count();
	for (uint32_t i = 0; i < n; i++)
		take_open(&rcu_slot_of[i], &items);
	queue_batch(&b, items);
	while (atomic_load_acquire(&b.landed) == 0)                              /* -> D1 */
		park_wait(&b.landed, 0, PARK_FOREVER);
	park_unlock(&drain_mutex);
}

void rcu_synchronize(void)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t cookie;

	count_wait(thread_self());
	cookie = rcu_poll_start();
	while (!rcu_poll_done(cookie))
		park_spin(&spin);
	urcu_memb_synchronize_rcu();
}

int rcu_poll_wait(uint64_t deadline_ns)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t cookie;

	if (deadline_ns == PARK_TRY)
		return -EAGAIN;
	count_wait(thread_self());
	cookie = rcu_poll_start();
	while (!rcu_poll_done(cookie)) {
		if (deadline_ns != PARK_FOREVER && clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		park_spin(&spin);
	}
	return 0;
}

uint64_t rcu_waits(void)
{
	return atomic_load_relaxed(&waits);
}

/* ---- lives ---- */

static void make_free_list(struct rcu_slot *s)
{
	if (s->ready)
		return;
	for (uint32_t i = 0; i < BATCHES; i++) {
		s->batch[i].slot = s;
		s->batch[i].next_free = s->free_list;
		s->free_list = &s->batch[i];
	}
	s->ready = true;
}

/* The host program may have registered this thread with liburcu already: then it also unregisters it. */
void rcu_thread_online(struct thread_slot *self)
{
	struct rcu_slot *s = &rcu_slot_of[self->number];

	self->rcu_private = s;
	s->registered = !URCU_TLS(urcu_memb_reader).registered;
	if (s->registered)
		urcu_memb_register_thread();
	slot_lock(s);
	make_free_list(s);
	slot_unlock(s);
}

void rcu_thread_offline(struct thread_slot *self)
{
	struct rcu_slot *s = self->rcu_private;

	CHECK(self->rcu_nest == 0);
	if (!BASE_MUTANT(rcu_exit_keeps_items)) {
		slot_lock(s);
		s->open_items = 0;
		hand_over(s);
		slot_unlock(s);
	}
	atomic_store_release(&self->rcu_word, 0);                                /* E3 -> S1 */
	if (s->registered)
		urcu_memb_unregister_thread();
}
