/* SPDX-License-Identifier: MIT */
/*
 * micro.c - `vmmap-manycore table` and `held`: faults in two places where no profile goes.
 *
 * table   each core faults in a VMA of its own, and all of these lie below one table of entries (2 MiB). Nothing is
 *         asked for twice; what the cores have in common is the table.
 * held    the last core faults, in a VMA above one page for each other core, which that one holds (vmmap_hold) in a VMA
 *         and a table of its own. Nobody waits; what the fault has to do with the held ranges is to look past them.
 *
 * ROUNDS  of 7 faults, then MADV_DONTNEED, which is not counted. All cores begin a round at the same virtual time. Half
 *         as many come before, for warmth.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/run.h"
#include "bench/sim/arenas.h"
#include "bench/sim/kernel.h"
#include "vmmap/vmmap.h"

#define PAGE   UINT64_C(4096)
#define BASE   (UINT64_C(64) << 30)
#define FAULTS 7u
#define SLOT   ((FAULTS + 1) * PAGE)             /* a page between neighbours: they do not merge                   */
#define APART  (UINT64_C(4) << 20)               /* held pages: a table each                                       */
#define ABOVE  (UINT64_C(16) << 30)

static const char table_doc[] =
	"N cores fault below one table of entries, each in a VMA of its own. One operation is one write fault.\v"
	"Examples:\n"
	"  vmmap-manycore table --policy pt-lock --cores 64\n"
	"Exit code: 0; 1 if the cores got stuck; 2 if it could not run.";
static const char held_doc[] =
	"One core faults while each of the N - 1 others holds a page below it. One operation is one write fault.\v"
	"Examples:\n"
	"  vmmap-manycore held --policy range-list --cores 64\n"
	"Exit code: 0; 1 if the fault waits for the held ranges; 2 if it could not run.";

/* What it means that all cores sleep; how many there can be; whether one faults above the others. */
static const struct micro { const char *name, *doc, *stuck; uint32_t most; bool above; } table = {
	"table", table_doc, "all cores sleep, and nobody can wake them", APART / 2 / SLOT, false,
}, above_held = {
	"held", held_doc, "what is held is in the way of all else", PROFILE_THREADS_MAX, true,
};

static struct vmmap *map;
static struct vmmap_held held[CORE_MAX];
static uint32_t first, cores;                    /* those from first on fault                                      */
static bool counted;                             /* faults; else drops                                             */
static uint64_t transfers, in_drops;
static int failed;
static const struct micro *kind;

static uint64_t place(uint32_t core)
{
	return first ? BASE + ABOVE : BASE + core * SLOT;
}

static void note(int err)
{
	if (err)
		failed = err;
}

/* One that would wait would do so for ever: under some policies a held range is everybody's business. */
static void note_tried(int err)
{
	note(err == -EAGAIN ? -EDEADLK : err);
}

static void hold(void *arg)
{
	uint64_t core = (uintptr_t)arg;

	note_tried(vmmap_hold_until(map, BASE + core * APART, PAGE, &held[core], VMMAP_TRY));
}

static void release(void *arg)
{
	vmmap_release(map, &held[(uintptr_t)arg]);
}

static void try_one(void *arg)
{
	note_tried(vmmap_fault_until(map, place((uint32_t)(uintptr_t)arg), PROT_WRITE, NULL, VMMAP_TRY));
}

static void faults(void *arg)
{
	for (unsigned i = 0; i < FAULTS; i++)
		note(vmmap_fault(map, place((uint32_t)(uintptr_t)arg) + i * PAGE, PROT_WRITE, NULL));
}

static void drop(void *arg)
{
	note(vmmap_madvise(map, place((uint32_t)(uintptr_t)arg), FAULTS * PAGE, MADV_DONTNEED));
}

static void transfer(const struct access *a, uint32_t core, const void *from, uint64_t took)
{
	if (core >= cores)
		return;
	if (!counted) {
		in_drops++;
		return;
	}
	transfers++;
	hot_add(a->pc, from, a->at, took);
}

/* Cores [from, to) do it, from the same time on: how long the slowest takes, in ps; 0: they got stuck, or it failed. */
static uint64_t together(void (*fn)(void *arg), uint32_t from, uint32_t to)
{
	uint64_t begin = 0, end = 0;

	for (uint32_t i = from; i < to; i++)
		begin = core_at(i)->time > begin ? core_at(i)->time : begin;
	for (uint32_t i = from; i < to; i++) {
		core_at(i)->time = begin;
		core_give(i, fn, (void *)(uintptr_t)i);
	}
	if (core_run())
		failed = -EDEADLK;
	for (uint32_t i = from; i < to; i++)
		end = core_at(i)->time > end ? core_at(i)->time : end;
	return failed ? 0 : end - begin;
}

static int map_open(const struct measure_params *p)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	int err;

	config.policy = p->policy;
	err = physmem_create(&config.physmem, &memory);
	if (!err)
		err = vmmap_create(&map, &config);
	for (uint32_t i = 0; !err && i < p->cores; i++) {
		uint64_t at = i < first ? BASE + i * APART : place(i);

		if (vmmap_mmap(map, at, i < first ? PAGE : FAULTS * PAGE, PROT_READ | PROT_WRITE, flags, NULL, 0) < 0)
			err = -ENOMEM;
	}
	return err;
}

static void count(struct measure_result *r)
{
	for (uint32_t i = first; i < cores; i++) {
		const struct turn_core *c = turn_at(i);

		r->accesses += (double)c->accesses;
		r->rmws += (double)c->rmws;
		r->cold += (double)c->cold;
		r->sleeps += c->sleeps;
	}
}

static void rounds(uint64_t n, struct measure_result *r)
{
	uint64_t ps = 0;

	hot_reset();
	transfers = in_drops = 0;
	r->accesses = r->rmws = r->cold = 0;
	r->sleeps = 0;
	for (uint64_t i = 0; i < n && !failed; i++) {
		turn_reset();
		counted = true;
		ps += together(faults, first, cores);
		counted = false;
		count(r);
		(void)together(drop, first, cores);
	}
	r->units = n * FAULTS * (cores - first);
	r->virtual_ns = ps / TURN_PS;
}

static void per_operation(struct measure_result *r)
{
	double units = (double)r->units;

	r->calls = r->units;
	r->ops_per_s = units * 1e9 / (double)r->virtual_ns;
	r->ns_per_op = (double)r->virtual_ns * (cores - first) / units;
	r->transfers = (double)transfers / units;
	r->reset_transfers = (double)in_drops / units;
	r->accesses /= units;
	r->rmws /= units;
	r->cold /= units;
	r->running = 1;
	r->digest = turn_digest();
	r->nhot = hot_most(r->hot, MEASURE_HOT);
}

static int measure_micro(const struct measure_params *p, struct measure_result *r)
{
	uint64_t n = (p->ops + FAULTS - 1) / FAULTS, began;

	cores = p->cores;
	arenas_begin();
	core_begin(cores);
	turn_begin(&p->costs);
	turn_transfer = transfer;
	note(map_open(p));
	core_thread_exit();
	for (uint32_t i = 0; i < first && !failed; i++)
		(void)together(hold, i, i + 1);
	if (!failed && first > 0)
		(void)together(try_one, first, cores);
	if (!failed)
		rounds(n / 2 + 1, r);
	began = kernel_real_ns();
	if (!failed)
		rounds(n, r);
	r->real_s = (double)(kernel_real_ns() - began) / 1e9;
	if (failed) {
		snprintf(r->error, sizeof(r->error), "%s", failed == -EDEADLK ? kind->stuck : "a call failed");
		return failed == -EDEADLK ? failed : -EIO;
	}
	per_operation(r);
	r->warm_blocks = 1;
	r->steady = true;
	if (first > 0)
		(void)together(release, 0, first);
	return 0;
}

static int micro(const struct micro *which, int argc, char **argv)
{
	struct options o;

	kind = which;
	options_parse("pnockqJ", kind->doc, argc, argv, &o);
	o.m.profile = kind->name;
	o.m.ops = o.ops ? o.ops : 1000;
	if (o.m.cores > kind->most)
		cli_die("fewer cores", "--cores: at most %u", kind->most);
	first = kind->above ? o.m.cores - 1 : 0;
	return run_point(&o, measure_micro);
}

int table_main(int argc, char **argv)
{
	return micro(&table, argc, argv);
}

int held_main(int argc, char **argv)
{
	return micro(&above_held, argc, argv);
}
