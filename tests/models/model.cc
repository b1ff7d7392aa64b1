/* SPDX-License-Identifier: MIT */
/*
 * model.cc - the modelled memory: what relacy knows of each word, by the word's address; sleeping; the order that is
 * weakened. The operations are those of standin/base/atomic.h.
 *
 * A load may return any of the last three stores that its thread may still see. A compare-and-swap that fails may do
 * so, too (C11 lets it); one that succeeds, and every other read-modify-write, works on the newest.
 */
#include "model.h"

#include "base/park.h"
#include "base/point.h"
#include "weaken.h"

namespace {

struct cell {
	const void *where;
	rl::atomic_data *atomic;
	rl::var_data *plain;
	uint64_t newest, stored[rl::atomic_history_size];
};

typedef rl::atomic_data_impl<MODEL_THREADS> known;

const unsigned TABLE = 8192;
cell table[TABLE];
unsigned used[TABLE / 2], uses;

cell *slot_of(const void *where)
{
	unsigned i = (unsigned)((uintptr_t)where * UINT64_C(0x9e3779b97f4a7c15) >> 40) % TABLE;

	while (table[i].where && table[i].where != where)
		i = (i + 1) % TABLE;
	return &table[i];
}

cell *cell_make(const void *where)
{
	cell *c = slot_of(where);

	if (!c->where) {
		RL_VERIFY(uses < TABLE / 2);
		used[uses++] = (unsigned)(c - table);
		c->where = where;
	}
	return c;
}

/* The first value was there before all threads: each of them may see it, and has not seen it so far. */
cell *cell_atomic(const void *where, unsigned bytes)
{
	cell *c = cell_make(where);

	if (!c->atomic) {
		rl::context &context = rl::ctx();
		known *data = static_cast<known *>(context.atomic_ctor(c));
		unsigned index;

		for (unsigned i = 0; i < rl::atomic_history_size; i++) {
			data->history_[i].busy_ = false;
			for (int t = 0; t < MODEL_THREADS; t++)
				data->history_[i].first_seen_order_[t] = (rl::timestamp_t)-1;
		}
		c->newest = 0;
		memcpy(&c->newest, where, bytes);
		index = context.threadx_->atomic_init(data);
		data->history_[index].thread_id_ = 0;
		c->stored[index] = c->newest;
		c->atomic = data;
	}
	return c;
}

void cell_drop(cell *c)
{
	if (c->atomic)
		rl::ctx().atomic_dtor(c->atomic);
	if (c->plain)
		rl::ctx().var_dtor(c->plain);
	c->atomic = nullptr;
	c->plain = nullptr;
}

bool acquires(model_order order) { return order == MODEL_ACQUIRE || order == MODEL_ACQREL; }

unsigned load_index(cell *c, model_order order)
{
	rl::thread_info_base *self = rl::ctx().threadx_;
	unsigned index = order == MODEL_SEQCST ? (self->atomic_load_seq_cst)(c->atomic) :
			 acquires(order) ? (self->atomic_load_acquire)(c->atomic) :
			 (self->atomic_load_relaxed)(c->atomic);

	RL_VERIFY(index != (unsigned)-1);
	return index;
}

/* As the failure of a compare-and-swap that saw the newest value. */
void load_newest(cell *c, model_order order)
{
	rl::thread_info_base *self = rl::ctx().threadx_;

	if (order == MODEL_SEQCST)
		(self->atomic_load_seq_cst_rmw)(c->atomic);
	else if (acquires(order))
		(self->atomic_load_acquire_rmw)(c->atomic);
	else
		(self->atomic_load_relaxed_rmw)(c->atomic);
}

void put(cell *c, unsigned index, void *word, unsigned bytes, uint64_t value)
{
	uint64_t mask = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;

	c->newest = c->stored[index] = value & mask;
	memcpy(word, &c->newest, bytes);
}

void rmw_newest(cell *c, void *word, unsigned bytes, uint64_t value, model_order order)
{
	rl::thread_info_base *self = rl::ctx().threadx_;
	bool aba;
	unsigned index = order == MODEL_SEQCST ? (self->atomic_rmw_seq_cst)(c->atomic, aba) :
			 order == MODEL_ACQREL ? (self->atomic_rmw_acq_rel)(c->atomic, aba) :
			 order == MODEL_ACQUIRE ? (self->atomic_rmw_acquire)(c->atomic, aba) :
			 order == MODEL_RELEASE ? (self->atomic_rmw_release)(c->atomic, aba) :
			 (self->atomic_rmw_relaxed)(c->atomic, aba);

	put(c, index, word, bytes, value);
}

uint64_t changed(uint64_t old, model_change change, uint64_t by)
{
	switch (change) {
	case MODEL_SWAP:
		return by;
	case MODEL_ADD:
		return old + by;
	case MODEL_SUB:
		return old - by;
	case MODEL_OR:
		return old | by;
	case MODEL_AND:
		return old & by;
	}
	return old;
}

/* Bursts: in an interleaving a thread goes on for `burst` steps on average. All lengths matter: with 1 no thread would
 * ever stand still while another does all of a long operation. */
unsigned burst;

void step()
{
	if (burst == 1 || rl::ctx().rand(burst, rl::sched_type_user) == 0)
		rl::ctx().sched();
}

void log(const model_site *site, const void *word, const char *what, uint64_t value)
{
	char line[160];

	if (!rl::ctx().collecting_history())
		return;
	snprintf(line, sizeof(line), "%p %s %s 0x%llx (%s:%d)", word, site->operation, what,
		 (unsigned long long)value, site->function, site->line);
	rl::ctx().exec_log_msg(rl::debug_info(site->function, site->file, (unsigned)site->line), line);
}

}

/* ---- an interleaving ---- */

static thread_slot slots[MODEL_THREADS];

void model_begin()
{
	for (unsigned i = 0; i < uses; i++)
		table[used[i]] = cell();                 /* of one that failed: its context is gone                */
	uses = 0;
	burst = 1u << 2 * model_random(4);               /* 1, 4, 16, 64 */
	memset((void *)slots, 0, sizeof(slots));
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		slots[i].number = i;
}

void model_end()
{
	for (unsigned i = 0; i < uses; i++) {
		cell_drop(&table[used[i]]);
		table[used[i]] = cell();
	}
	uses = 0;
}

struct thread_slot *thread_self(void) { return &slots[rl::ctx().current_thread()]; }
struct thread_slot *thread_at(uint32_t number) { return &slots[number]; }
uint32_t thread_count(void) { return MODEL_THREADS; }

void model_check(bool holds, const char *what, const char *file, int line)
{
	if (!holds)
		rl::ctx().fail_test(what, rl::test_result_user_assert_failed, rl::debug_info("", file, (unsigned)line));
}

/* ---- words ---- */

uint64_t model_load(const void *word, unsigned bytes, const model_site *site)
{
	cell *c;
	unsigned index;

	step();
	c = cell_atomic(word, bytes);
	index = load_index(c, weaken_order(site));
	log(site, word, c->stored[index] == c->newest ? "->" : "-> (old)", c->stored[index]);
	return c->stored[index];
}

void model_store(void *word, unsigned bytes, uint64_t value, const model_site *site)
{
	rl::thread_info_base *self;
	model_order order = weaken_order(site);
	unsigned index;
	cell *c;

	step();
	c = cell_atomic(word, bytes);
	self = rl::ctx().threadx_;
	index = order == MODEL_SEQCST ? (self->atomic_store_seq_cst)(c->atomic) :
		order == MODEL_RELEASE ? (self->atomic_store_release)(c->atomic) :
		(self->atomic_store_relaxed)(c->atomic);
	put(c, index, word, bytes, value);
	log(site, word, "<-", value);
}

uint64_t model_rmw(void *word, unsigned bytes, model_change change, uint64_t by, const model_site *site)
{
	uint64_t old;
	cell *c;

	step();
	c = cell_atomic(word, bytes);
	old = c->newest;
	rmw_newest(c, word, bytes, changed(old, change, by), weaken_order(site));
	log(site, word, "<-", c->newest);
	return old;
}

bool model_cas(void *word, unsigned bytes, uint64_t *expected, uint64_t value, const model_site *site)
{
	model_order order = weaken_order(site);
	model_order fails = order == MODEL_RELEASE ? MODEL_RELAXED : order == MODEL_ACQREL ? MODEL_ACQUIRE : order;
	uint64_t seen;
	cell *c;

	step();
	c = cell_atomic(word, bytes);
	seen = c->newest;
	if (seen != *expected || rl::ctx().rand(4, rl::sched_type_cas_fail) == 0)
		seen = c->stored[load_index(c, fails)];
	if (seen == *expected && c->newest == seen) {
		rmw_newest(c, word, bytes, value, order);
		log(site, word, "<-", value);
		return true;
	}
	if (seen == *expected) {                 /* an old value would have let it succeed: it sees the newest     */
		seen = c->newest;
		load_newest(c, fails);
	}
	log(site, word, "failed, saw", seen);
	*expected = seen;
	return false;
}

void model_forget(void *word)
{
	cell *c;

	if (!rl::is_ctx() || !(c = slot_of(word))->where)
		return;
	cell_drop(c);
}

void model_plain_load(const void *word)
{
	cell *c;

	step();
	c = cell_make(word);
	if (c->plain && !c->plain->load(*rl::ctx().threadx_))
		rl::ctx().fail_test("read", rl::test_result_data_race, $);
}

void model_plain_store(void *word)
{
	cell *c;

	step();
	c = cell_make(word);
	if (!c->plain) {
		c->plain = rl::ctx().var_ctor();
		c->plain->init(*rl::ctx().threadx_);
	} else if (!c->plain->store(*rl::ctx().threadx_)) {
		rl::ctx().fail_test("write", rl::test_result_data_race, $);
	}
}

/* ---- waiting ---- */

void atomic_pause(void)
{
	step();                                  /* a few looks, no more: they may all find what is old            */
}

void park_spin(struct park_spin *spin)
{
	(void)spin;
	rl::ctx().yield(1, $);
}

void park_spin_queued(struct park_spin *spin)
{
	park_spin(spin);
}

int park_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns)
{
	bool timed = deadline_ns != PARK_FOREVER;
	cell *c;

	step();
	c = cell_atomic(word, sizeof(expected));
	if (c->newest != expected || model_random(8) == 0)
		return 0;
	if (timed && model_random(2) == 0)
		return -ETIMEDOUT;
	if (static_cast<known *>(c->atomic)->futex_ws_.park_current(rl::ctx(), timed, false, false, $) ==
	    rl::unpark_reason_timeout)
		return -ETIMEDOUT;
	return 0;
}

void park_wake(atomic_u32 *word, int n)
{
	cell *c;

	step();
	c = slot_of(word);
	while (c->atomic && n-- > 0 && static_cast<known *>(c->atomic)->futex_ws_.unpark_one(rl::ctx(), $))
		;
}

void park_lock(struct park_mutex *m)
{
	struct park_spin spin = PARK_SPIN;
	uint32_t open = 0;

	while (!atomic_cas_acquire(&m->word, &open, 1)) {
		open = 0;
		park_spin(&spin);
	}
}

bool park_trylock(struct park_mutex *m)
{
	uint32_t open = 0;

	return atomic_cas_acquire(&m->word, &open, 1);
}

int park_stall(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns)
{
	return park_wait(word, expected, deadline_ns);
}

void park_stall_lock(struct park_mutex *m)
{
	park_lock(m);
}

void park_unlock(struct park_mutex *m)
{
	atomic_store_release(&m->word, 0);
}
