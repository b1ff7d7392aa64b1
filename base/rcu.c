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
 *     barrier, in a brief section by our own), and every S1 after P2 sees E2 or a later store of that thread.
 *   - S1 sees e >= c: then E1 read P1 or a later value, so P1 happens before that section's loads: it cannot reach X.
 *   - S1 sees e < c: not done. It may be a section that began after P1 but read a stale epoch: it delays, no harm.
 *   - S1 sees 0 or a later section: E3 -> S1 gives the edge from R's last access to the free.
 *   - A reader that read the epoch (E1) and lost its CPU before E2 is not seen by S1. Its E2 then stands after B, and
 *     all its loads with it: it sees the unpublishing, though its word, when it comes, shows e < c and delays others.
 *   - A thread whose slot lies past thread_count() as S1 saw it: its count store (thread.c C1) precedes its E2, so the
 *     same argument places its section after B.
 *   - S2 (release, max) -> S3 (acquire) hands the edges of one scan to a poller that only reads poll_done_to. It may
 *     answer for smaller cookies: their P1 precede c's in the epoch's order, so c's membarrier serves them too.
 *   Without membarrier (heavy_readers) E4, a read-modify-write of the epoch after E2, and P1 decide: if P1 comes
 *   first, E4 has seen it, and the section's loads see the unpublishing; else P1 has seen E4, and S1 sees E2.
 *   Progress: a section that has begun delays at most until it ends; S1 never waits.
 *
 * RETIRED (tree nodes, page tables, objects). Per slot a list of open items; rounds empty all the lists.
 *   item     open (R1: pushed by its slot's thread) -> in a round's hands -> called back
 *   round    under `rounds`: swap every slot's list for an empty one, liburcu's grace period, the callbacks. Run by the
 *            worker, a thread of our own that somebody asked, or by a drain. One at a time, from the first swap to the
 *            last callback: so whoever gets `rounds` knows that each item is in a list or has been called back.
 *   rounds   a lock with tickets: `drawn` counts those who came, `turn` those who have gone; free if they are equal.
 *            T1 (turn, release) -> T2 (acquire): one round to the next. First come, first served: a drain, a fork or
 *            the worker waits for those who came before it, however fast others come back. Tried (trylock) it is by
 *            a CAS of `drawn` from what `turn` was: turn never passes drawn, so if that succeeds nobody is inside.
 *   worker   none -> up (the first ask starts it) -> none (in a fork's child, or it could not be started: the next ask
 *            tries again, the items wait). Not liburcu's call_rcu, whose one lock for forks only one party in a process
 *            can take (ADR 0010), and which ends the process where no thread can be started.
 *   asked    0 -> ASKED (A1: by who has a batch) -> ASKED, HURRY (A1: by who has much) -> 0 (A2: the worker, before its
 *            swaps). Who sets a bit wakes. The worker naps 10 ms once it is asked, so that one round serves many
 *            batches; not, or no longer, where somebody is in a hurry.
 *            Items pushed before A1 are met by the swaps after A2; who asks after A2 gets another round.
 *   R1 (push, release) -> R2 (swap, acquire): retire -> callback.
 *   F2: a round loads every rcu_word (acquire). liburcu's grace period ended after each earlier section's unlock, which
 *            follows its E3; so F2 reads E3 or later, and the edge reader -> callback is one that both the language and
 *            ThreadSanitizer know.
 *   Bound    a slot asks at every 64th item and when its thread exits, and is in a hurry when 1,024 wait since a round
 *            has last emptied its list (it finds the list empty, and counts anew): in 10 ms a thread that maps, writes
 *            and unmaps goes through 70 MiB of page tables, which would be as many lines that no cache has when they
 *            come back. So rounds come as often as one of the slots has 1,024 items, whatever the others do.
 *            Retiring allocates nothing and cannot fail. Not promised: that rounds keep up with threads which do
 *            nothing but retire.
 *
 * FORK (base/atfork.c). A child has one thread; what the others had in their hands is half done for ever.
 *   prepare  takes `rounds` and runs a round; takes `onlines`. Then nobody is inside liburcu's grace period or its
 *            registry, and what was retired before the fork began is freed.
 *            A forker that is inside a read section (ours, or the host's) would wait for itself: it only tries, and
 *            where a round is under way the child is `unsafe`: it may exec, exit or fork, its first call here aborts.
 *            `onlines`, as `registry` (thread.c), is waited for even there: who holds it waits for no section.
 *   child    the others' words are cleared and their readers taken out of liburcu's registry, before anybody reuses
 *            the stacks that they lie in; what they retired since the round is forgotten, as it belongs to calls that
 *            will never end. The worker is none. No cookie of before is larger than the epoch.
 *
 * Lock order: rounds -> onlines (prepare), rounds -> what callbacks take. Source: McKenney et al. for the idea of
 * per-reader epochs (urcu), Linux's polled grace-period interface for the face; the proof is ours.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"
#include <urcu/static/urcu-memb.h>

#define BATCH_ITEMS 64
#define HURRY_ITEMS 1024
#define ASKED 1u                         /* bits of `asked`                                                        */
#define HURRY 2u
#define WORKER_NAP_NS UINT64_C(10000000)

struct rcu_slot {
	_Atomic(struct rcu_item *) open; /* pushed by the owner, taken whole by a round                              */
	uint32_t unasked;                /* owner only: items since it last asked                                   */
	uint32_t waiting;                /* owner only: since a round last took its list, or it was in a hurry      */
	bool registered;                 /* owner only: by us, not by the host program                               */
	struct urcu_reader *reader;      /* of the slot's thread; NULL: none, or not yet. Read by a fork's child     */
} PAIR_ALIGNED;

struct rcu_global rcu_global = { .epoch = 1 };
static atomic_u64 poll_done_to PAIR_ALIGNED;
static atomic_u64 waits PAIR_ALIGNED;
static atomic_u32 asked;
static atomic_u32 worker_up;
static struct rcu_rounds { atomic_u32 drawn, turn; } rounds;
static struct park_mutex onlines;
static struct rcu_slot rcu_slot_of[THREAD_MAX];
static bool rounds_taken, unsafe;        /* by prepare; for the child                                               */

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

static bool rounds_trylock(void)
{
	uint32_t turn = atomic_load_acquire(&rounds.turn);                       /* T2 -> T1 */

	return atomic_cas_acquire(&rounds.drawn, &turn, turn + 1);              /* T2 -> T1 */
}

/* wait: park_wait, or park_stall for who is nobody's operation. */
static void rounds_lock(int (*wait)(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns))
{
	bool unfair = BASE_MUTANT(rounds_unfair);
	uint32_t mine = unfair ? 0 : atomic_add_relaxed(&rounds.drawn, 1), turn;

	BASE_POINT(rcu_rounds_queued);
	for (;;) {
		turn = atomic_load_acquire(&rounds.turn);                        /* T2 -> T1 */
		if (unfair ? rounds_trylock() : turn == mine)
			return;
		wait(&rounds.turn, turn, PARK_FOREVER);
	}
}

static void rounds_unlock(void)
{
	atomic_store_release(&rounds.turn, atomic_load_relaxed(&rounds.turn) + 1);       /* T1 -> T2 */
	park_wake(&rounds.turn, INT32_MAX);
}

/* Links what slot s has open in front of `list`. */
static struct rcu_item *take_open(struct rcu_slot *s, struct rcu_item *list)
{
	struct rcu_item *items = atomic_swap_acqrel(&s->open, NULL), *last;      /* R2 -> R1 */

	if (items == NULL)
		return list;
	for (last = items; last->next != NULL; last = last->next)
		;
	last->next = list;
	return items;
}

static void run_items(struct rcu_item *item)
{
	while (item != NULL) {
		struct rcu_item *next = item->next;

		item->fn(item);
		item = next;
	}
}

/* Under `rounds`. */
static void run_round(void)
{
	struct rcu_item *items = NULL;
	uint32_t n = thread_count();

	for (uint32_t i = 0; i < n; i++)
		items = take_open(&rcu_slot_of[i], items);
	if (items == NULL)
		return;
	BASE_POINT(rcu_round_begun);
	urcu_memb_synchronize_rcu();
	n = thread_count();
	for (uint32_t i = 0; i < n; i++)
		(void)atomic_load_acquire(&thread_at(i)->rcu_word);              /* F2 -> E3 */
	run_items(items);
}

static void nap(void)
{
	uint64_t until = clock_ns() + WORKER_NAP_NS;

	while ((atomic_load_relaxed(&asked) & HURRY) == 0)
		if (park_stall(&asked, ASKED, until) != 0)
			return;
	BASE_POINT(rcu_nap_cut);
}

/* It has no slot of its own, unless a callback asks who it is. */
static void *worker(void *arg)
{
	for (;;) {
		while (atomic_load_acquire(&asked) == 0)                        /* A2 -> A1 */
			park_stall(&asked, 0, PARK_FOREVER);
		nap();
		atomic_swap_acqrel(&asked, 0);                                   /* A2 -> A1 */
		rounds_lock(park_stall);
		run_round();
		rounds_unlock();
	}
	return arg;
}

/* The host's signals are not for it. */
static void start_worker(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	uint32_t none = 0;

	if (!atomic_cas_relaxed(&worker_up, &none, 1))
		return;
	if (pthread_attr_init(&attr) != 0) {
		atomic_store_relaxed(&worker_up, 0);
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, worker, NULL) != 0)
		atomic_store_relaxed(&worker_up, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

static void ask_round(uint32_t bits)
{
	if (unlikely(atomic_load_relaxed(&worker_up) == 0))
		start_worker();
	if ((atomic_or_acqrel(&asked, bits) & bits) != bits)                     /* A1 -> A2 */
		park_wake(&asked, 1);
}

void rcu_retire_many(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *), uint32_t n)
{
	struct rcu_slot *s = self->rcu_private;
	struct rcu_item *first = atomic_load_relaxed(&s->open);

	item->fn = fn;
	do {
		item->next = first;
	} while (!atomic_cas_release(&s->open, &first, item));                   /* R1 -> R2 */
	s->unasked += n;
	s->waiting = first != NULL ? s->waiting + n : n;
	if (s->waiting >= HURRY_ITEMS && !BASE_MUTANT(rcu_never_hurries)) {
		s->unasked = s->waiting = 0;
		ask_round(ASKED | HURRY);
	} else if (s->unasked >= BATCH_ITEMS) {
		rcu_retire_flush(self);
	}
}

void rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *))
{
	rcu_retire_many(self, item, fn, 1);
}

void rcu_retire_flush(struct thread_slot *self)
{
	struct rcu_slot *s = self->rcu_private;

	s->unasked = 0;
	if (atomic_load_relaxed(&s->open) != NULL)
		ask_round(ASKED);
}

static void count_wait(const struct thread_slot *self)
{
	CHECK(!rcu_inside(self));
	atomic_add_relaxed(&waits, 1);
}

void rcu_drain(void)
{
	struct rcu_slot *mine = thread_self()->rcu_private;

	count_wait(thread_self());
	rounds_lock(park_wait);
	do
		run_round();
	while (atomic_load_relaxed(&mine->open) != NULL);        /* what the items have retired                     */
	rounds_unlock();
}

/* Something waits for its round, or one is under way. */
static bool retired_left(void)
{
	bool left = false;

	if (!rounds_trylock())
		return true;
	for (uint32_t i = 0, n = thread_count(); i < n; i++)
		left |= atomic_load_relaxed(&rcu_slot_of[i].open) != NULL;
	rounds_unlock();
	return left;
}

int rcu_drain_until(uint64_t deadline_ns)
{
	struct park_spin spin = PARK_SPIN;

	if (!retired_left())
		return 0;
	if (deadline_ns == PARK_TRY)
		return -EAGAIN;
	if (deadline_ns == PARK_FOREVER) {
		rcu_drain();
		return 0;
	}
	count_wait(thread_self());
	do {
		if (clock_ns() >= deadline_ns)
			return -ETIMEDOUT;
		ask_round(ASKED);                /* again: what is freed in a round may retire more                */
		park_spin(&spin);
	} while (retired_left());
	return 0;
}

void rcu_synchronize(void)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t cookie;

	count_wait(thread_self());
	cookie = rcu_poll_start();
	while (!rcu_poll_done(cookie))
		park_spin(&spin);
	rounds_lock(park_wait);
	urcu_memb_synchronize_rcu();
	rounds_unlock();
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

/* The host program may have registered this thread with liburcu already: then it also unregisters it. */
void rcu_thread_online(struct thread_slot *self)
{
	struct rcu_slot *s = &rcu_slot_of[self->number];

	CHECK(!unsafe);          /* forked inside a read section: this process may exec, exit or fork, no more */
	self->rcu_private = s;
	park_lock(&onlines);
	s->reader = &URCU_TLS(urcu_memb_reader);
	s->registered = !s->reader->registered;
	if (s->registered)
		urcu_memb_register_thread();
	park_unlock(&onlines);
}

void rcu_thread_offline(struct thread_slot *self)
{
	struct rcu_slot *s = self->rcu_private;

	CHECK(self->rcu_nest == 0);
	if (!BASE_MUTANT(rcu_exit_keeps_items))
		rcu_retire_flush(self);
	atomic_store_release(&self->rcu_word, 0);                                /* E3 -> S1 */
	park_lock(&onlines);
	BASE_POINT(rcu_offline_locked);
	if (s->registered)
		urcu_memb_unregister_thread();
	s->reader = NULL;
	park_unlock(&onlines);
}

/* ---- fork ---- */

/* It cannot wait for a round: that may wait for its own section; in an unsafe child nobody ends it. */
static bool must_not_wait(void)
{
	if (unsafe && !BASE_MUTANT(fork_trusts_lost_rounds))
		return true;
	return (thread_current != NULL && rcu_inside(thread_current)) || urcu_memb_read_ongoing() != 0;
}

void rcu_fork_prepare(void)
{
	bool only_tries = must_not_wait();

	rounds_taken = !only_tries || rounds_trylock();
	if (!only_tries && !BASE_MUTANT(fork_skips_rounds)) {
		rounds_lock(park_stall);
		run_round();
	}
	if (BASE_MUTANT(fork_sleeps_as_a_call))
		park_lock(&onlines);
	else if (!BASE_MUTANT(fork_skips_onlines))
		park_stall_lock(&onlines);
}

void rcu_fork_parent(void)
{
	if (!BASE_MUTANT(fork_skips_onlines))
		park_unlock(&onlines);
	if (rounds_taken && !BASE_MUTANT(fork_skips_rounds))
		rounds_unlock();
}

/* Its stack is free for the next thread: it must not stay in liburcu's list. Two copies of this file in one process may
 * know the same reader; the second finds it gone. */
static void reader_out(struct rcu_slot *s)
{
	if (s->reader != NULL && s->reader->registered && !BASE_MUTANT(fork_keeps_readers)) {
		cds_list_del(&s->reader->node);
		s->reader->registered = 0;
	}
	s->reader = NULL;
}

bool rcu_fork_child(void)
{
	uint64_t epoch = atomic_load_relaxed(&rcu_global.epoch);

	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		if (thread_at(i) == thread_current)
			continue;
		reader_out(&rcu_slot_of[i]);
		if (!BASE_MUTANT(fork_keeps_words))
			atomic_store_relaxed(&thread_at(i)->rcu_word, 0);
		atomic_store_relaxed(&rcu_slot_of[i].open, NULL);
	}
	if (atomic_load_relaxed(&poll_done_to) > epoch)
		atomic_store_relaxed(&poll_done_to, epoch);
	atomic_store_relaxed(&asked, 0);
	if (!BASE_MUTANT(fork_keeps_worker))
		atomic_store_relaxed(&worker_up, 0);
	unsafe = unsafe || !rounds_taken;
	rcu_fork_parent();
	if (!unsafe)             /* nobody else is in the queue */
		atomic_store_relaxed(&rounds.drawn, atomic_load_relaxed(&rounds.turn));
	return !unsafe;
}
