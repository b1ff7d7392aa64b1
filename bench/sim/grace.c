/* SPDX-License-Identifier: MIT */
/*
 * grace.c - liburcu's face (flavour memb) for logical cores: read sections, and the grace period that waits for them.
 *
 * Touches the lines that liburcu 0.13 touches: a section loads the global counter and stores to the reader's own line;
 * its end looks at the global futex word, beside the counter. A grace period flips the counter's phase and looks at
 * each reader's line, twice, and sleeps on the futex word where one is still in a section of before.
 *   reader  G1 ctr = gp.ctr                 ... section ...                G2 ctr = 0;  G3 load gp.futex
 *   writer  barrier; flip gp.ctr; G4 load each ctr; found: gp.futex = -1; barrier; G4 again; sleep
 *   The membarriers stand where liburcu has them: one orders G1 before the section as the writer sees it, the other
 *   makes either G3 see the futex word or G4 the cleared counter. Compiled as the engine is: its accesses are told.
 * Source: Desnoyers et al., "User-Level Implementations of Read-Copy Update" (TPDS 2012); re-derived.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/park.h"
#include "bench/sim/core.h"
#include <urcu/static/urcu-memb.h>
#include <urcu/urcu-memb.h>

#define NEST_ONE UINT64_C(1)
#define PHASE    (UINT64_C(1) << 32)
#define ASLEEP   UINT32_MAX

static struct { atomic_u64 ctr; atomic_u32 futex; } gp PAIR_ALIGNED = { NEST_ONE, 0 };
static struct grace_reader { atomic_u64 ctr; } PAIR_ALIGNED reader_of[CORE_MAX + 1];

static struct urcu_reader registered[CORE_MAX + 1];      /* rcu.c takes them out of the registry, in a fork's child */

static uint32_t my_number(void) { return core_current->number == CORE_MAIN ? CORE_MAX : core_current->number; }
static struct grace_reader *mine(void) { return &reader_of[my_number()]; }
struct urcu_reader *grace_registry(void) { return &registered[my_number()]; }

void urcu_memb_read_lock(void)
{
	struct grace_reader *r = mine();
	uint64_t ctr = atomic_load_relaxed(&r->ctr);

	if ((ctr & (PHASE - 1)) == 0) {
		atomic_store_relaxed(&r->ctr, atomic_load_relaxed(&gp.ctr));
		core_tell(CORE_CALL_SECTION_BEGIN, core_current, NULL);  /* not before the word says so               */
	} else {
		atomic_store_relaxed(&r->ctr, ctr + NEST_ONE);
	}
}

void urcu_memb_read_unlock(void)
{
	struct grace_reader *r = mine();
	uint64_t ctr = atomic_load_relaxed(&r->ctr);

	if ((ctr & (PHASE - 1)) != NEST_ONE) {
		atomic_store_relaxed(&r->ctr, ctr - NEST_ONE);
		return;
	}
	core_tell(CORE_CALL_SECTION_END, core_current, NULL);
	atomic_store_relaxed(&r->ctr, ctr - NEST_ONE);
	if (unlikely(atomic_load_relaxed(&gp.futex) == ASLEEP)) {
		atomic_store_relaxed(&gp.futex, 0);
		park_wake(&gp.futex, 1);
	}
}

int urcu_memb_read_ongoing(void)
{
	return (atomic_load_relaxed(&mine()->ctr) & (PHASE - 1)) != 0;
}

static void barrier(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

/* Not told: liburcu has a lock for that. */
__attribute__((no_sanitize("thread"))) static NOINLINE bool is_registered(uint32_t i)
{
	return registered[i].registered;
}

/* In a section that began before the last flip. */
static bool inside_of_before(uint64_t phase)
{
	for (uint32_t i = 0; i <= CORE_MAX; i++) {
		uint64_t ctr;

		if ((i >= core_count() && i != CORE_MAX) || !is_registered(i))
			continue;
		ctr = atomic_load_relaxed(&reader_of[i].ctr);
		if ((ctr & (PHASE - 1)) != 0 && (ctr & PHASE) != phase)
			return true;
	}
	return false;
}

static void wait_for_readers(uint64_t phase)
{
	while (inside_of_before(phase)) {
		atomic_store_relaxed(&gp.futex, ASLEEP);
		barrier();
		if (inside_of_before(phase))
			park_stall(&gp.futex, ASLEEP, PARK_FOREVER);
		atomic_store_relaxed(&gp.futex, 0);
	}
}

void urcu_memb_synchronize_rcu(void)
{
	core_tell(CORE_CALL_GRACE_BEGIN, core_current, NULL);
	barrier();
	for (int pass = 0; pass < 2; pass++) {
		uint64_t ctr = atomic_load_relaxed(&gp.ctr) ^ PHASE;

		atomic_store_relaxed(&gp.ctr, ctr);
		wait_for_readers(ctr & PHASE);
	}
	barrier();
	core_tell(CORE_CALL_GRACE_END, core_current, NULL);
}

/* The list itself nobody needs: each reader is alone in its own. */
void urcu_memb_register_thread(void)
{
	struct urcu_reader *reader = grace_registry();

	CDS_INIT_LIST_HEAD(&reader->node);
	reader->registered = 1;
}

void urcu_memb_unregister_thread(void)
{
	grace_registry()->registered = 0;
}
