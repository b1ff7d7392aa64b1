/* SPDX-License-Identifier: MIT */
/*
 * physmem_report.c - an instance tells its host what is free: begin, end, who reports, what is given back for it.
 *
 * LIFE       made by the first start, then there until the instance goes: who holds (frame_short.c) or notes beside a
 *            stop and a start finds memory that is there. Start and stop have `host_lock`.
 * STOP       `on` goes to 0, whoever reports is woken and has left (`running`), and the pass that is going on has ended
 *            (`turn`): a pass looks at `on` under it. So no call of tell comes after a stop.
 * CACHES     a pass for ALL begins with all that is free going to its rows, from depot, shelves, and the caches of all
 *            slots (frame_gather_all), so what idle threads keep holds no block back; that is once an age, and a busy
 *            thread gets from the rows what it has lost. SOME leaves them alone.
 * EDGES      O1 `on` is set, after what there is to know -> O2 the look at it under `turn`.
 *            Q1 running goes up, then the look at `on` -> Q2 on goes to 0, then the look at running: all four are
 *            sequentially consistent, so one of the two sees the other. Q1 also when it leaves.
 *            M1 store-release of pm->report, made -> M2 its acquire.
 * ORDER      host_lock, turn, then what frame_report.c has. Nothing is held by who waits to be asked.
 * COUNTS     of what was told: under turn, read by anybody.
 */
#include "vmmap/phys/physmem_report.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/point.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/frame_gather.h"
#include "vmmap/physmem_host.h"

#define PATIENCE_NS UINT64_C(100000000)          /* of a pass with readers of what is deferred                     */

struct physmem_report {
	struct frame_report report;
	struct physmem *pm;              /*                                                                [const] */
	struct physmem_report_config host;       /* written while it is off                                        */
	struct physmem_told *told;       /* [PHYSMEM_TOLD_MOST] in turn                                            */
	struct park_mutex turn;          /* of a pass                                                              */
	atomic_u32 on;
	atomic_u32 running;              /* 1: a thread is in physmem_report_run; slept on by who stops            */
	atomic_u64 passes, calls, accepted, refused, later;
};

static struct physmem_report *of(struct physmem *pm) { return atomic_load_acquire(&pm->report); }        /* M2 -> M1 */

struct frame_report *physmem_report_of(struct physmem *pm)
{
	struct physmem_report *r = of(pm);

	return r != NULL ? &r->report : NULL;
}

/* A block is told of only if it is not offline, and while `flight` is odd: what had begun before has ended when it is
 * even. So it may be let at once. */
int physmem_report_await(struct physmem *pm, uint64_t until_ns)
{
	struct physmem_report *r = of(pm);
	int err = r != NULL ? frame_report_hold(&r->report, until_ns) : 0;

	if (r != NULL && err == 0)
		frame_report_let(&r->report);
	return err;
}

/* ---- what the host sees ---- */

static uint64_t pfn_of(const struct physmem_report *r, uint64_t block)
{
	return r->pm->base + (block << FRAME_BLOCK_ORDER);
}

static void tell(void *arg, struct frame_told *told, unsigned n)
{
	static const enum frame_verdict verdict[] = { FRAME_LATER, FRAME_ACCEPTED, FRAME_REFUSED };
	struct physmem_report *r = arg;

	for (unsigned i = 0; i < n; i++)
		r->told[i] = (struct physmem_told){ pfn_of(r, told[i].block), FRAME_BLOCK_ORDER, PHYSMEM_LATER };
	r->host.tell(r->host.arg, r->told, n);
	for (unsigned i = 0; i < n; i++)
		if (r->told[i].verdict <= PHYSMEM_REFUSED)
			told[i].verdict = verdict[r->told[i].verdict];
}

static uint64_t bank(void *arg, uint64_t block)
{
	struct physmem_report *r = arg;

	return r->host.bank(r->host.arg, pfn_of(r, block));
}

/* ---- life ---- */

static void report_free(struct physmem_report *r)
{
	mem_free(MEM_FRAME, r->told, PHYSMEM_TOLD_MOST * sizeof(*r->told));
	mem_free(MEM_FRAME, r, sizeof(*r));
}

/* With host_lock. */
static struct physmem_report *make(struct physmem *pm)
{
	struct physmem_report *r = of(pm);

	if (r != NULL)
		return r;
	r = mem_alloc(MEM_FRAME, sizeof(*r), CACHE_PAIR);
	if (r == NULL)
		return NULL;
	r->pm = pm;
	r->told = mem_alloc(MEM_FRAME, PHYSMEM_TOLD_MOST * sizeof(*r->told), CACHE_LINE);
	if (r->told == NULL || frame_report_init(&r->report, &pm->bits) != 0) {
		report_free(r);
		return NULL;
	}
	atomic_store_release(&pm->report, r);                                    /* M1 */
	return r;
}

void physmem_report_fini(struct physmem *pm)
{
	struct physmem_report *r = of(pm);

	if (r == NULL)
		return;
	frame_report_fini(&r->report);
	report_free(r);
}

/* ---- begin, end ---- */

static int begin(struct physmem_report *r, const struct physmem_report_config *c)
{
	struct frame_report_config config = {
		.tell = c->tell != NULL ? tell : NULL, .bank = c->bank != NULL ? bank : NULL, .arg = r,
		.capture = c->capture, .begin = c->begin, .notify = c->notify, .most = c->most, .low = c->low,
		.idle = !c->busy,
	};
	int err;

	if (atomic_load_relaxed(&r->on))
		return -EBUSY;
	r->host = *c;
	err = frame_report_begin(&r->report, &config);
	if (err == 0)
		atomic_store_seqcst(&r->on, 1);                                  /* O1 */
	return err;
}

API int physmem_report_start(struct physmem *pm, const struct physmem_report_config *c)
{
	struct physmem_report *r;
	int err = -ENOMEM;

	if (c == NULL || c->size != sizeof(*c) || c->most > PHYSMEM_TOLD_MOST)
		return -EINVAL;
	park_lock(&pm->host_lock);
	r = make(pm);
	if (r != NULL)
		err = begin(r, c);
	park_unlock(&pm->host_lock);
	return err;
}

static void end(struct physmem_report *r)
{
	uint32_t running;

	atomic_store_seqcst(&r->on, 0);                                          /* Q2 */
	frame_report_end(&r->report);
	frame_report_ask(&r->report);
	while ((running = atomic_load_seqcst(&r->running)) != 0)                 /* Q2 -> Q1 */
		(void)park_wait(&r->running, running, PARK_FOREVER);
	park_lock(&r->turn);
	park_unlock(&r->turn);
}

API void physmem_report_stop(struct physmem *pm)
{
	struct physmem_report *r;

	park_lock(&pm->host_lock);
	r = of(pm);
	if (r != NULL && atomic_load_relaxed(&r->on))
		end(r);
	park_unlock(&pm->host_lock);
}

/* ---- passes ---- */

static void caches_to_rows(struct physmem *pm)
{
	struct thread_slot *self = thread_self();
	struct frame_slot *slot = thread_local_mine(&pm->slots, self);

	if (slot == NULL || BASE_MUTANT(physmem_report_gathers_not))
		return;
	if (BASE_MUTANT(physmem_report_spares_idle))
		frame_gather(pm, self, slot);
	else
		frame_gather_all(pm, self, slot, clock_ns() + PATIENCE_NS);
}

static void count(struct physmem_report *r, const struct frame_report_result *told)
{
	atomic_bump(&r->passes, 1);
	atomic_bump(&r->calls, told->calls);
	atomic_bump(&r->accepted, told->accepted);
	atomic_bump(&r->refused, told->refused);
	atomic_bump(&r->later, told->later);
}

/* With turn. -ENXIO: it is off. */
static int pass(struct physmem_report *r, enum frame_report_how how, struct frame_report_result *told)
{
	int err;

	if (atomic_load_acquire(&r->on) == 0)                                    /* O2 -> O1 */
		return -ENXIO;
	if (how != FRAME_REPORT_SOME)
		caches_to_rows(r->pm);
	err = frame_report_pass(&r->report, how, told);
	if (err == 0)
		count(r, told);
	return err;
}

API int physmem_report_pass(struct physmem *pm, enum physmem_report_how how, struct physmem_report_result *out)
{
	static const enum frame_report_how hows[] = { FRAME_REPORT_SOME, FRAME_REPORT_ALL, FRAME_REPORT_NOW };
	struct physmem_report *r = of(pm);
	struct frame_report_result told;
	int err;

	if ((unsigned)how > PHYSMEM_REPORT_NOW)
		return -EINVAL;
	if (r == NULL)
		return -ENXIO;
	if (!park_trylock(&r->turn))
		return -EBUSY;
	err = pass(r, hows[how], &told);
	park_unlock(&r->turn);
	if (err == 0 && out != NULL)
		*out = (struct physmem_report_result){ told.accepted, told.refused, told.later, told.put_off,
						       told.calls };
	return err;
}

static void run(struct physmem_report *r)
{
	uint64_t until = clock_ns() + r->host.age_ns;

	while (atomic_load_seqcst(&r->on)) {                                     /* Q1 -> Q2 */
		enum frame_report_how how = frame_report_wait(&r->report, until);
		struct frame_report_result told;

		park_lock(&r->turn);
		(void)pass(r, how, &told);
		park_unlock(&r->turn);
		if (how == FRAME_REPORT_ALL)
			until = clock_ns() + r->host.age_ns;
	}
}

API int physmem_report_run(struct physmem *pm)
{
	struct physmem_report *r = of(pm);
	uint32_t none = 0;
	int err = 0;

	if (r == NULL)
		return -ENXIO;
	if (!atomic_cas_seqcst(&r->running, &none, 1))                           /* Q1 */
		return -EBUSY;
	if (atomic_load_seqcst(&r->on))                                          /* Q1 -> Q2 */
		run(r);
	else
		err = -ENXIO;
	atomic_store_release(&r->running, 0);                                    /* Q1 */
	park_wake(&r->running, 1);
	return err;
}

/* ---- looks ---- */

API void physmem_get_report(struct physmem *pm, struct physmem_report_state *out)
{
	struct physmem_report *r = of(pm);

	*out = (struct physmem_report_state){ 0 };
	for (uint64_t block = 0, end = frame_blocks(pm); block < end; block++) {
		uint64_t word = frame_bits_word(&pm->bits, block);

		out->reported += word & FRAME_BLOCK_REPORTED ? FRAME_BLOCK_FRAMES : 0;
		out->reporting += word & FRAME_BLOCK_REPORTING ? FRAME_BLOCK_FRAMES : 0;
		out->reportable += frame_block_reportable(word) ? FRAME_BLOCK_FRAMES : 0;
	}
	if (r == NULL)
		return;
	out->on = atomic_load_relaxed(&r->on) != 0;
	out->passes = atomic_load_relaxed(&r->passes);
	out->calls = atomic_load_relaxed(&r->calls);
	out->accepted = atomic_load_relaxed(&r->accepted);
	out->refused = atomic_load_relaxed(&r->refused);
	out->later = atomic_load_relaxed(&r->later);
}
