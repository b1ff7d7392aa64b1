/* SPDX-License-Identifier: MIT */
/*
 * turn.c - see turn.h.
 *
 * The queue has all cores that will go on without anybody's help, but the one that runs: ready ones by their virtual
 * time, sleepers with a deadline by that. Equal times go by a lot that is always the same. It is a tournament: a leaf
 * for each core, above two nodes the sooner of both. Who comes or goes plays again against those that it meets on the
 * way up, which are known beforehand: no load waits for a comparison, as in a heap, and no branch depends on one.
 * Who watches a line stands there with the end of its last period, until a store of another's brings it forward.
 */
#include <string.h>
#include "base/assert.h"
#include "base/compiler.h"
#include "bench/manycore/turn.h"

#define ALL     (CORE_MAX + 1)                   /* and the main core                                              */
#define BUCKETS 256
#define DAEMONS 8

void (*turn_transfer)(const struct access *a, uint32_t core, const void *from, uint64_t took);

struct turn_now turn_now;
struct turn_core turn_of[CORE_MAX + 1];
static struct entry { uint64_t key, tie; } queue[2 * (ALL + 1)];  /* leaves from `leaves` on, [1]: the soonest      */
static uint32_t leaves;
static struct core *core_of[2 * (ALL + 1)];      /* by leaf                                                         */
static uint64_t digest;
static const void *released;                     /* turn_release: who wakes from this pays no wake-up               */
static uint64_t released_ps;
static struct watch { uint64_t line, period, rounds; } watch_of[ALL];    /* line 0: none                            */
static uint32_t watchers[BUCKETS];               /* how many, by a hash of the line                                 */
static char bucket[BUCKETS][UINT64_C(1) << LINE_SHIFT];

static struct turn_core *mine(const struct core *c)
{
	return &turn_of[c->number == CORE_MAIN ? CORE_MAX : c->number];
}

/* ---- the queue ---- */

#define NOBODY UINT64_MAX                        /* as key and as tie                                               */

static uint32_t leaf_of(const struct core *c)
{
	return leaves + c->number + 1;           /* CORE_MAIN's is the first */
}

/* Equal times go by lot: in the order of numbers, a line would go round inside of one socket before it leaves it. */
static struct entry entry_of(const struct core *c, uint64_t key)
{
	return (struct entry){ key, (uint64_t)(c->number * 40503u & 0xffff) << 32 | leaf_of(c) };
}

static ALWAYS_INLINE bool sooner(const struct entry *a, const struct entry *b)
{
	return ((unsigned __int128)a->key << 64 | a->tie) < ((unsigned __int128)b->key << 64 | b->tie);
}

/* What stands at a leaf, from now on. */
static ALWAYS_INLINE void put(uint32_t at, struct entry e)
{
	queue[at] = e;
	while (at > 1) {
		const struct entry *other = &queue[at ^ 1];
		uint64_t loses = -(uint64_t)sooner(other, &e);

		e.key ^= (e.key ^ other->key) & loses;
		e.tie ^= (e.tie ^ other->tie) & loses;
		at /= 2;
		if (queue[at].key == e.key && queue[at].tie == e.tie)
			return;
		queue[at] = e;
	}
}

static ALWAYS_INLINE bool empty(void)
{
	return queue[1].tie == NOBODY;
}

static ALWAYS_INLINE void look_ahead(void)
{
	turn_now.horizon = empty() ? UINT64_MAX : queue[1].key + turn_now.costs.quantum;
}

static void enqueue(struct core *c, uint64_t key)
{
	core_of[leaf_of(c)] = c;
	put(leaf_of(c), entry_of(c, key));
	look_ahead();
}

/* The first of the queue goes on; a sleeper whose time has come is woken. */
static struct core *next_core(void)
{
	struct entry first = queue[1];
	struct core *c = core_of[(uint32_t)first.tie];
	struct turn_core *m = mine(c);

	put((uint32_t)first.tie, (struct entry){ NOBODY, NOBODY });
	if (c->state != CORE_READY) {
		m->wait[TURN_ASLEEP] += first.key - m->asleep_since;
		CHECK(core_wake_timed(c, first.key / TURN_PS));
	}
	if (c->time < first.key)
		c->time = first.key;
	look_ahead();
	if (!empty())                            /* soon, probably */
		__builtin_prefetch(core_of[(uint32_t)queue[1].tie]);
	return c;
}

/* Whose turn comes before the calling core's goes on first. */
static void step_back(struct core *self)
{
	struct entry e = entry_of(self, self->time);

	if (empty() || sooner(&e, &queue[1]))
		return;
	core_of[leaf_of(self)] = self;
	put(leaf_of(self), e);
	core_switch(next_core());
}

/* Returns when nobody has a lower virtual time. */
static ALWAYS_INLINE void wait_turn(struct core *self)
{
	for (;;) {
		struct entry e = entry_of(self, self->time);

		if (sooner(&e, &queue[1]))
			return;
		step_back(self);
	}
}

/* ---- lines that are watched ---- */

static void unwatch(struct watch *w)
{
	watchers[w->line % BUCKETS]--;
	w->line = 0;
}

/* The calling core takes the line now: who watches it sees that at the end of its period. */
static NOINLINE void wake_watchers(struct core *self, uint64_t line)
{
	for (uint32_t i = leaves; i < 2 * leaves; i++) {
		struct core *c = queue[i].tie != NOBODY ? core_of[i] : self;
		struct watch *w = &watch_of[c->number == CORE_MAIN ? CORE_MAX : c->number];
		uint64_t rounds;

		if (c == self || w->line != line)
			continue;
		rounds = self->time > c->time ? (self->time - c->time + w->period - 1) / w->period : 1;
		w->rounds = rounds < w->rounds ? rounds : w->rounds;
		unwatch(w);
		enqueue(c, c->time + w->rounds * w->period);
	}
}

uint64_t turn_watch(uintptr_t at, uint64_t period, uint64_t most)
{
	struct core *self = core_current;
	struct watch *w = &watch_of[self->number];
	uint64_t number = at >> LINE_SHIFT;

	if (!line_hit(&turn_now.lines, line_at(&turn_now.lines, number), self->number, false))
		return 0;
	*w = (struct watch){ number, period, most };
	watchers[number % BUCKETS]++;
	enqueue(self, self->time + most * period);
	core_switch(next_core());
	if (w->line != 0)
		unwatch(w);
	return w->rounds;
}

/* ---- accesses ---- */

static void fetch(struct core *self, uint64_t number, const struct access *a)
{
	struct turn_core *m = mine(self);
	struct line_ask ask = { self->number, a->op != ACCESS_LOAD, a->pc, 0 };
	const void *from;
	uint64_t done, took;
	enum line_event event;

	wait_turn(self);
	from = line_writer(line_at(&turn_now.lines, number));
	ask.now = self->time;
	event = line_take(&turn_now.lines, number, &ask, &done);
	if (unlikely(ask.store && watchers[number % BUCKETS] != 0))
		wake_watchers(self, number);
	took = done - self->time;
	self->time = done;
	m->wait[TURN_LINES] += took;
	if (event == LINE_COLD) {
		m->cold++;
		return;
	}
	m->loaded += event == LINE_LOADED;
	m->stored += event == LINE_STORED;
	digest = (digest ^ (done + self->number)) * UINT64_C(0x9e3779b97f4a7c15);
	digest ^= digest >> 29;
	if (turn_transfer != NULL)
		turn_transfer(a, self->number, from, took);
}

static void look(struct core *self, const struct access *a, bool locked)
{
	uint64_t number = a->at >> LINE_SHIFT, last = (a->at + a->bytes - 1) >> LINE_SHIFT;
	bool store = a->op != ACCESS_LOAD;

	for (; number <= last; number++) {
		struct line *line = line_at(&turn_now.lines, number);

		if (locked && (line->who & LINE_MOVED))          /* others may be waiting for it */
			wait_turn(self);
		if (unlikely(!line_hit(&turn_now.lines, line, self->number, store)))
			fetch(self, number, a);
		else if (store)
			line_written(line, a->pc);
	}
}

void turn_access(const struct access *a)
{
	struct core *self = core_current;
	bool store = a->op != ACCESS_LOAD, locked = turn_locked(a);
	struct turn_core *m;

	if (unlikely(self->number == CORE_MAIN))
		return;
	if (unlikely(self->time > turn_now.horizon))
		step_back(self);
	m = mine(self);
	m->accesses++;
	if (unlikely(m->last_at == a->at && m->last_pc == a->pc && !store)) {
		self->time += turn_now.costs.pause;
		m->wait[TURN_SPINNING] += turn_now.costs.pause;
	}
	m->last_at = a->at;
	m->last_pc = a->pc;
	m->rmws += locked;
	self->time += locked ? turn_now.costs.rmw : turn_now.costs.access;
	look(self, a, locked);
}

/* ---- the kernel ---- */

static void touch_bucket(const void *word)
{
	size_t i = (size_t)((uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15) >> 56) % BUCKETS;

	turn_access(&(struct access){ (uintptr_t)bucket[i], 4, ACCESS_RMW, true, false, __ATOMIC_ACQ_REL,
				 __builtin_return_address(0) });
}

static void woken(struct core *c, const void *word)
{
	struct turn_core *m = mine(c);
	uint64_t now = core_current->time, key = now + (word == released ? released_ps : turn_now.costs.wake);

	if (c->number != CORE_MAIN && word != released)
		core_current->time += turn_now.costs.poke;
	key = key > c->time ? key : c->time;
	m->wait[word == released ? TURN_HARNESS : TURN_ASLEEP] += key - m->asleep_since;
	enqueue(c, key);
}

static void interrupt_all(void)
{
	struct core *ready[ALL];
	uint32_t n = 0;

	for (uint32_t i = leaves; i < 2 * leaves; i++)
		if (queue[i].tie != NOBODY && core_of[i]->state == CORE_READY)
			ready[n++] = core_of[i];
	for (uint32_t i = 0; i < n; i++) {
		ready[i]->time += turn_now.costs.interrupt;
		enqueue(ready[i], queue[leaf_of(ready[i])].key + turn_now.costs.interrupt);
	}
}

static void spend(struct core *self, uint64_t ps, enum turn_wait as)
{
	self->time += ps;
	mine(self)->wait[as] += ps;
}

static void call(enum core_call what, struct core *about, const void *at)
{
	struct core *self = core_current;

	if (what == CORE_CALL_WOKEN) {
		woken(about, at);
		return;
	}
	if (what == CORE_CALL_STARTED) {
		enqueue(about, about->time);
		return;
	}
	if (self->number == CORE_MAIN)
		return;
	switch (what) {
	case CORE_CALL_WAIT:
		mine(self)->sleeps++;
		/* fall through */
	case CORE_CALL_WAKE:
		self->time += turn_now.costs.syscall;
		touch_bucket(at);
		break;
	case CORE_CALL_BARRIER:
		spend(self, turn_now.costs.syscall + turn_now.costs.interrupt, TURN_LINES);
		interrupt_all();
		break;
	case CORE_CALL_YIELD:
		spend(self, turn_now.costs.syscall, TURN_SPINNING);
		break;
	case CORE_CALL_NAP:
		self->time += turn_now.costs.syscall;
		break;
	case CORE_CALL_GRACE_END:
		mine(self)->graces++;
		break;
	default:
		break;
	}
}

/* ---- the scheduler's face ---- */

static struct core *next(struct core *from, enum core_why why)
{
	struct core *all = core_at(CORE_MAIN);

	if (why == CORE_ENDED && all->state == CORE_READY)
		return all;
	if (why == CORE_SLEEPS) {
		mine(from)->asleep_since = from->time;
		if (from->until != CORE_NEVER && (from->state == CORE_FUTEX || from->state == CORE_NAP))
			enqueue(from, from->until * TURN_PS > from->time ? from->until * TURN_PS : from->time);
	}
	if (why == CORE_YIELDED)
		enqueue(from, from->time);
	return empty() ? NULL : next_core();
}

static uint64_t now(void)
{
	return core_current->time / TURN_PS;
}

static const struct access_listener listener = { .before = turn_access };
static const struct core_scheduler scheduler = { next, now, call };

void turn_begin(const struct turn_costs *c)
{
	leaves = core_count() + DAEMONS + 1;
	CHECK(leaves <= ALL + 1);
	for (uint32_t i = 0; i < 2 * leaves; i++)
		queue[i] = (struct entry){ NOBODY, NOBODY };
	turn_now.costs = *c;
	CHECK(line_init(&turn_now.lines, core_count() + DAEMONS, &turn_now.costs.line) == 0);
	core_scheduler = &scheduler;
	access_listener = &listener;
}

void turn_reset(void)
{
	for (uint32_t i = 0; i < ALL; i++) {
		struct turn_core *m = &turn_of[i], keep = *m;

		memset(m, 0, sizeof(*m));
		m->asleep_since = keep.asleep_since;
	}
}

const struct turn_core *turn_at(uint32_t number)
{
	return &turn_of[number];
}

uint64_t turn_digest(void)
{
	return digest;
}

/* ---- harness ---- */

void turn_spend(uint64_t ps)
{
	spend(core_current, ps, TURN_HARNESS);
	step_back(core_current);
}

void turn_sleep(const void *word)
{
	core_sleep(CORE_FUTEX, word, CORE_NEVER);
}

void turn_release(const void *word, uint64_t ps)
{
	released = word;
	released_ps = ps;
	(void)core_wake(word, UINT32_MAX);
	released = NULL;
}
