/* SPDX-License-Identifier: MIT */
/*
 * turn.c - see turn.h.
 *
 * The queue is a binary heap of all cores that will go on without anybody's help, but the one that runs: ready ones by
 * their virtual time, sleepers with a deadline by that. Equal times go by a lot that is always the same.
 */
#include <string.h>
#include "base/assert.h"
#include "base/compiler.h"
#include "bench/manycore/turn.h"

#define ALL     (CORE_MAX + 1)                   /* and the main core                                              */
#define BUCKETS 256
#define DAEMONS 8
#define RECENT  256

void (*turn_transfer)(const struct access *a, uint32_t core, const void *from, uint64_t took);

static struct turn_costs costs;
static struct line_table lines;
static struct turn_core of[ALL];
static struct core *queue[ALL + 1];              /* from 1 on                                                       */
static uint32_t queued;
static uint64_t horizon;                         /* until when the running core may go on in hits                   */
static uint64_t digest;
static const void *released;                     /* turn_release: who wakes from this pays no wake-up               */
static uint64_t released_ps;
/* What the running core has hit since it was switched to: nobody can have taken it. */
static struct recent { uint64_t number, run; struct line *line; bool mine; } recent[RECENT];
static uint64_t run = 1;                         /* number of the switch                                            */
static char bucket[BUCKETS][UINT64_C(1) << LINE_SHIFT];

static struct turn_core *mine(const struct core *c)
{
	return &of[c->number == CORE_MAIN ? CORE_MAX : c->number];
}

/* ---- the queue ---- */

/* Equal times go by lot: in the order of numbers, a line would go round inside of one socket before it leaves it. */
static uint32_t lot(const struct core *c)
{
	return c->number * 40503u & 0xffff;
}

static bool sooner(const struct core *a, const struct core *b)
{
	const struct turn_core *x = mine(a), *y = mine(b);

	return x->key != y->key ? x->key < y->key : lot(a) < lot(b);
}

static void put(uint32_t place, struct core *c)
{
	queue[place] = c;
	mine(c)->place = place;
}

static void rise(uint32_t place, struct core *c)
{
	for (; place > 1 && sooner(c, queue[place / 2]); place /= 2)
		put(place, queue[place / 2]);
	put(place, c);
}

static void sink(uint32_t place, struct core *c)
{
	for (;;) {
		uint32_t child = place * 2;

		if (child > queued)
			break;
		if (child < queued && sooner(queue[child + 1], queue[child]))
			child++;
		if (!sooner(queue[child], c))
			break;
		put(place, queue[child]);
		place = child;
	}
	put(place, c);
}

static void look_ahead(void)
{
	horizon = queued == 0 ? UINT64_MAX : mine(queue[1])->key + costs.quantum;
}

static void enqueue(struct core *c, uint64_t key)
{
	struct turn_core *m = mine(c);
	uint32_t place = m->place;

	m->key = key;
	if (place == 0) {
		rise(++queued, c);
	} else {
		rise(place, c);
		sink(m->place, c);
	}
	look_ahead();
}

static struct core *dequeue(void)
{
	struct core *first = queue[1];

	mine(first)->place = 0;
	if (--queued > 0)
		sink(1, queue[queued + 1]);
	return first;
}

/* The first of the queue goes on; a sleeper whose time has come is woken. */
static struct core *next_core(void)
{
	struct core *c = dequeue();
	uint64_t key = mine(c)->key;

	run++;
	if (c->state != CORE_READY) {
		mine(c)->wait[TURN_ASLEEP] += key - mine(c)->asleep_since;
		CHECK(core_wake_due(key / TURN_PS) && c->state == CORE_READY);
	}
	if (c->time < key)
		c->time = key;
	look_ahead();
	return c;
}

/* Somebody else's turn comes before the calling core's. */
static void step_back(struct core *self)
{
	struct core *to;

	enqueue(self, self->time);
	to = next_core();
	core_switch(to);
}

/* Returns when nobody has a lower virtual time. */
static void wait_turn(struct core *self)
{
	while (queued > 0 && (mine(queue[1])->key < self->time ||
			      (mine(queue[1])->key == self->time && lot(queue[1]) < lot(self))))
		step_back(self);
}

/* ---- accesses ---- */

static void fetch(struct core *self, struct line *line, const struct access *a)
{
	struct turn_core *m = mine(self);
	struct line_ask ask = { self->number, a->op != ACCESS_LOAD, a->pc, 0 };
	const void *from;
	uint64_t done, took;
	enum line_event event;

	wait_turn(self);
	from = line->writer;
	ask.now = self->time;
	event = line_take(&lines, line, &ask, &done);
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

static ALWAYS_INLINE void remember(struct recent *r, uint64_t number, struct line *line, uint32_t core)
{
	*r = (struct recent){ number, run, line, line->holders == 1 && line->owner == core };
}

/* All but hits that are remembered. */
static NOINLINE void look(struct core *self, const struct access *a, uint64_t number, bool locked)
{
	uint64_t last = (a->at + a->bytes - 1) >> LINE_SHIFT;
	bool store = a->op != ACCESS_LOAD;

	for (; number <= last; number++) {
		struct line *line = line_at(&lines, number);

		if (locked && line->busy != 0)           /* others may be waiting for it */
			wait_turn(self);
		if (unlikely(!line_hit(&lines, line, self->number, store)))
			fetch(self, line, a);
		else if (store)
			line->writer = a->pc;
		remember(&recent[number % RECENT], number, line, self->number);
	}
}

static void before(const struct access *a)
{
	struct core *self = core_current;
	uint64_t number = a->at >> LINE_SHIFT;
	struct recent *r = &recent[number % RECENT];
	bool store = a->op != ACCESS_LOAD, locked;
	struct turn_core *m;

	if (unlikely(self->number == CORE_MAIN))
		return;
	if (unlikely(self->time > horizon))
		step_back(self);
	m = &of[self->number];
	m->accesses++;
	if (unlikely(m->last_at == a->at && m->last_pc == a->pc && !store)) {
		self->time += costs.pause;
		m->wait[TURN_SPINNING] += costs.pause;
	}
	m->last_at = a->at;
	m->last_pc = a->pc;
	locked = a->op == ACCESS_RMW || (store && a->order == __ATOMIC_SEQ_CST);
	if (locked) {
		m->rmws++;
		self->time += costs.rmw;
	} else {
		self->time += costs.access;
	}
	if (likely(r->number == number && r->run == run && (r->mine || !store) && (!locked || r->line->busy == 0) &&
		   (a->at + a->bytes - 1) >> LINE_SHIFT == number)) {
		if (store)
			r->line->writer = a->pc;
		return;
	}
	look(self, a, number, locked);
}

/* ---- the kernel ---- */

static void touch_bucket(const void *word)
{
	size_t i = (size_t)((uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15) >> 56) % BUCKETS;

	before(&(struct access){ (uintptr_t)bucket[i], 4, ACCESS_RMW, true, false, __ATOMIC_ACQ_REL,
				 __builtin_return_address(0) });
}

static void woken(struct core *c, const void *word)
{
	struct turn_core *m = mine(c);
	uint64_t now = core_current->time, key = now + (word == released ? released_ps : costs.wake);

	if (c->number != CORE_MAIN && word != released)
		core_current->time += costs.poke;
	key = key > c->time ? key : c->time;
	m->wait[word == released ? TURN_HARNESS : TURN_ASLEEP] += key - m->asleep_since;
	enqueue(c, key);
}

static void interrupt_all(void)
{
	struct core *ready[ALL];
	uint32_t n = 0;

	for (uint32_t i = 1; i <= queued; i++)
		if (queue[i]->state == CORE_READY)
			ready[n++] = queue[i];
	for (uint32_t i = 0; i < n; i++) {
		ready[i]->time += costs.interrupt;
		enqueue(ready[i], mine(ready[i])->key + costs.interrupt);
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
		self->time += costs.syscall;
		touch_bucket(at);
		break;
	case CORE_CALL_BARRIER:
		mine(self)->barriers++;
		spend(self, costs.syscall + costs.interrupt, TURN_LINES);
		interrupt_all();
		break;
	case CORE_CALL_YIELD:
		spend(self, costs.syscall, TURN_SPINNING);
		break;
	case CORE_CALL_NAP:
		self->time += costs.syscall;
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
	return queued > 0 ? next_core() : NULL;
}

static uint64_t now(void)
{
	return core_current->time / TURN_PS;
}

static const struct access_listener listener = { .before = before };
static const struct core_scheduler scheduler = { next, now, call };

void turn_begin(const struct turn_costs *c)
{
	costs = *c;
	CHECK(line_init(&lines, core_count() + DAEMONS, &costs.line) == 0);
	core_scheduler = &scheduler;
	access_listener = &listener;
}

void turn_reset(void)
{
	for (uint32_t i = 0; i < ALL; i++) {
		struct turn_core *m = &of[i], keep = *m;

		memset(m, 0, sizeof(*m));
		m->key = keep.key;
		m->place = keep.place;
		m->asleep_since = keep.asleep_since;
	}
}

const struct turn_core *turn_at(uint32_t number)
{
	return &of[number];
}

uint64_t turn_digest(void)
{
	return digest;
}

struct line_table *turn_lines(void)
{
	return &lines;
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
