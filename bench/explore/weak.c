/* SPDX-License-Identifier: MIT */
/* weak.c - see weak.h. Memory holds the newest value of each location at any time; what is old comes from here. */
#include "bench/explore/weak.h"

#include <string.h>

#include "base/assert.h"
#include "bench/explore/words.h"
#include "bench/explore/order.h"
#include "bench/explore/race.h"
#include "bench/explore/run.h"
#include "bench/explore/turn.h"
#include "bench/explore/weaken.h"

#define LOCATIONS 1024
#define KEPT      8                      /* messages of a location                                                  */
#define HASH      4096

typedef uint16_t stamp;                  /* number of a message of its location, from 0                            */

#define EIGHT 8
typedef stamp stamps __attribute__((vector_size(EIGHT * sizeof(stamp)), may_alias));

struct view { stamp at[LOCATIONS] __attribute__((aligned(16))); struct clocks clocks; };
struct message { uint64_t value; bool pending; struct view view; };      /* pending: a plain store's, in memory     */
struct location {
	uintptr_t at;
	size_t bytes;
	stamp last, last_seqcst;
	uint32_t joined[RUN_CORES];      /* the message whose view that core has joined last, + 1                   */
	struct message message[KEPT];
};

bool weak_is_on;
static const struct chooser *chooser;
static struct outcome *outcome;
static struct location locations[LOCATIONS];
static uint32_t used, run;
static struct { uintptr_t at; uint32_t run, location; } table[HASH];
static struct view view_of[RUN_CORES], told;
static struct view unlocated;            /* what was released by words that can have no location                    */
static struct view unfought;             /* by words that only one core had touched                                 */

void weak_use(void)
{
	weak_is_on = true;
}

/* ---- views ---- */

/* What no language rule orders, but the kernel does: bytes are seen, and a race is one all the same. */
static void join_seen(struct view *to, const struct view *from)
{
	for (uint32_t i = 0; i < used; i += EIGHT) {
		stamps a = *(const stamps *)&to->at[i], b = *(const stamps *)&from->at[i], less = (stamps)(a < b);

		*(stamps *)&to->at[i] = (b & less) | (a & ~less);
	}
}

static void join(struct view *to, const struct view *from)
{
	join_seen(to, from);
	clocks_join(&to->clocks, &from->clocks);
}

/* ---- locations ---- */

static uint64_t memory_at(uintptr_t at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)at, bytes);
	return value;
}

/* What a core does in its own stack is not told: a word there has no history. */
static bool in_conflict(uintptr_t at)
{
	const struct word *w = word_of(at);

	return w != NULL && w->conflict && at - CORE_STACKS >= CORE_STACKS_BYTES;
}

/* One core's own so far: nobody takes over what it releases there, but in the run that finds out that it is not. So a
 * run depends on nothing that other runs have taught, once it teaches nothing itself. */
static bool unfought_at(uintptr_t at)
{
	const struct word *w = word_of(at);

	return w != NULL && !w->conflict && !w->ignored;
}

/* Only words that cores fight over have one, from the access on that shows it. NULL: none, or no room: then the word is
 * as strong as can be, by way of `unlocated`. */
static struct location *find(uintptr_t at, size_t bytes, bool make)
{
	uint32_t i = (uint32_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 52);

	for (; table[i].run == run; i = (i + 1) & (HASH - 1))
		if (table[i].at == at)
			return locations[table[i].location].bytes == bytes ? &locations[table[i].location] : NULL;
	if (!make || used == LOCATIONS || !in_conflict(at))
		return NULL;
	table[i].at = at;
	table[i].run = run;
	table[i].location = used;
	for (uint32_t c = 0; c < RUN_CORES; c++) {
		view_of[c].at[used] = 0;
		locations[used].joined[c] = 0;
	}
	locations[used].at = at;
	locations[used].bytes = bytes;
	locations[used].last = locations[used].last_seqcst = 0;
	locations[used].message[0].value = memory_at(at, bytes);
	locations[used].message[0].pending = false;
	memset(&locations[used].message[0].view, 0, sizeof(struct view));
	if (order_has_learned())
		locations[used].message[0].view = unfought;
	return &locations[used++];
}

static uint32_t number_of(const struct location *l)
{
	return (uint32_t)(l - locations);
}

static struct message *message_of(struct location *l, stamp n)
{
	return &l->message[n % KEPT];
}

static struct message *append(struct location *l, uint32_t core)
{
	struct message *m;

	CHECK(l->last < UINT16_MAX);
	m = message_of(l, ++l->last);
	memset(&m->view, 0, sizeof(m->view));
	m->view.at[number_of(l)] = l->last;
	m->pending = false;
	view_of[core].at[number_of(l)] = l->last;
	return m;
}

/* A plain store made a message before its value was there. */
static void settle(struct location *l)
{
	struct message *m = message_of(l, l->last);

	if (m->pending) {
		m->value = memory_at(l->at, l->bytes);
		m->pending = false;
	}
}

/* ---- accesses ---- */

static bool acquires(int order)
{
	return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
	       order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void plain(const struct access *a, uint32_t core)
{
	if (a->op == ACCESS_LOAD)
		return;
	for (uintptr_t at = a->at & ~(uintptr_t)3; at < a->at + a->bytes; at += 4)
		for (size_t bytes = 4; bytes <= 8; bytes += 4) {
			struct location *l = find(at, bytes, false);

			if (l != NULL) {
				settle(l);
				append(l, core)->pending = true;
			}
		}
}

void weak_before(const struct access *a, uint32_t core)
{
	struct location *l;

	race_access(a, core, &view_of[core].clocks);
	if (!a->atomic) {
		plain(a, core);
		return;
	}
	l = find(a->at, a->bytes, true);
	if (l != NULL)
		settle(l);
}

static void take_over(struct location *l, stamp n, uint32_t core, int order)
{
	if (!acquires(order) || l->joined[core] == n + 1u)
		return;
	join(&view_of[core], &message_of(l, n)->view);
	l->joined[core] = n + 1u;
}

bool weak_load(const struct access *a, uint64_t *value)
{
	uint32_t core = core_current->number, age = 0;
	int order = weaken_order(a);
	struct location *l = core < RUN_CORES ? find(a->at, a->bytes, false) : NULL;
	stamp from;

	if (l == NULL && core < RUN_CORES && acquires(order) && !unfought_at(a->at))
		join(&view_of[core], &unlocated);
	if (l == NULL)
		return false;
	from = view_of[core].at[number_of(l)];
	if (order == __ATOMIC_SEQ_CST && from < l->last_seqcst)
		from = l->last_seqcst;
	if (l->last - from >= KEPT)
		from = (stamp)(l->last - KEPT + 1);
	if (from < l->last && chooser->stale != NULL)
		age = chooser->stale(chooser->state, core, turn_accesses(core), (uint32_t)(l->last - from) + 1);
	if (age > (uint32_t)(l->last - from))
		age = (uint32_t)(l->last - from);
	if (age > 0) {
		schedule_stale(&outcome->schedule, core, turn_accesses(core), age);
		order_stale(core, turn_accesses(core), age);
	}
	from = (stamp)(l->last - age);
	view_of[core].at[number_of(l)] = from;
	take_over(l, from, core, order);
	*value = message_of(l, from)->value;
	return true;
}

void weak_after(const struct access *a, uint32_t core, uint64_t stored)
{
	struct location *l = a->op == ACCESS_LOAD ? NULL : find(a->at, a->bytes, false);
	int order = weaken_order(a);
	struct message before, *m;

	if (l == NULL && a->op == ACCESS_RMW && acquires(order) && !unfought_at(a->at))
		join(&view_of[core], &unlocated);
	if (l == NULL && a->op != ACCESS_LOAD && !a->failed && releases(order)) {
		join(unfought_at(a->at) ? &unfought : &unlocated, &view_of[core]);
		clocks_tick(&view_of[core].clocks, core);
	}
	if (l == NULL)
		return;
	before = *message_of(l, l->last);
	if (a->op == ACCESS_RMW) {
		view_of[core].at[number_of(l)] = l->last;
		take_over(l, l->last, core, order);
		if (a->failed)
			return;
	}
	m = append(l, core);
	m->value = stored;
	if (a->op == ACCESS_RMW) {
		stamp own = m->view.at[number_of(l)];

		join(&m->view, &before.view);
		m->view.at[number_of(l)] = own;
	}
	if (releases(order)) {
		join(&m->view, &view_of[core]);
		clocks_tick(&view_of[core].clocks, core);
	}
	if (order == __ATOMIC_SEQ_CST)
		l->last_seqcst = l->last;
}

static void barrier_of_all(void)
{
	struct view all = view_of[0];

	for (uint32_t i = 1; i < RUN_CORES; i++)
		join_seen(&all, &view_of[i]);
	for (uint32_t i = 0; i < RUN_CORES; i++)
		join_seen(&view_of[i], &all);
}

void weak_call(enum core_call what, uint32_t core, uint32_t about)
{
	if (what == CORE_CALL_BARRIER)
		barrier_of_all();
	else if (what == CORE_CALL_LOST && about < RUN_CORES)    /* a fork copies all memory as it is               */
		join(&view_of[core], &view_of[about]);
	else if (what == CORE_CALL_WOKEN && about < RUN_CORES)
		join_seen(&view_of[about], &view_of[core]);
}

void weak_tell(uint32_t core)
{
	join_seen(&told, &view_of[core]);
}

void weak_told(uint32_t core)
{
	join_seen(&view_of[core], &told);
}

void weak_knows(uint32_t core, uint32_t of)
{
	join_seen(&view_of[core], &view_of[of]);
}

void weak_begin(const struct chooser *c, struct outcome *out)
{
	chooser = c;
	outcome = out;
	used = 0;
	run++;
	memset(&told, 0, sizeof(told));
	memset(&unlocated, 0, sizeof(unlocated));
	memset(&unfought, 0, sizeof(unfought));
	memset(view_of, 0, sizeof(view_of));
	for (uint32_t i = 0; i < RUN_CORES; i++)
		clocks_tick(&view_of[i].clocks, i);
	race_begin();
}
