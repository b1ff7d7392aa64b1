/* SPDX-License-Identifier: MIT */
/*
 * test_fair_calls.c - nobody is shut out, whole engine: crowds of calls over the same pages, under each policy that
 * promises bounded overtaking (tests/policy/test_fairness.c does the same for the policies alone). Some threads must
 * come to the end of their rounds, the others are in their way until then.
 *
 * Counted in each scene: max_overtakes <= threads + 2 (P-6), a quiet map without fault (audit), and what the calls
 * answered; what is moved back and forth keeps its contents.
 *
 * mutant: never_insists
 * mutant: remap_source_first
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "base/point.h"
#include "locks/policy/policy.h"
#include "tests/policy/crowd.h"
#include "vmmap/vmmap.h"

#define ROUNDS (BUILT_WITH_TSAN ? 60 : 400)
#define PAGE   UINT64_C(4096)
#define BASE   UINT64_C(0x100000000)
#define LARGE  128                                       /* pages: more than the brief form takes                  */
#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define MARK   UINT64_C(0x6b72616d)

/* One call; false: it may not answer that. `required`: rounds, 0: until the others end. lo, hi in pages from BASE. */
struct job { bool (*call)(struct member *m); unsigned required, lo, hi, to; };
struct scene { const char *name; struct job job[CROWD_MAX]; bool (*over)(void); };

static struct vmmap *map;

static uint64_t at(unsigned page) { return BASE + page * PAGE; }
static uint64_t lo_of(const struct member *m) { return at(m->job->lo); }
static uint64_t len_of(const struct member *m) { return (m->job->hi - m->job->lo) * PAGE; }

/* ---- calls ---- */

static bool hold(struct member *m)
{
	struct vmmap_held held;

	if (vmmap_hold(map, lo_of(m), len_of(m), &held))
		return false;
	for (uint64_t i = prng_below(&m->random, 50); i; i--)
		atomic_pause();
	vmmap_release(map, &held);
	return true;
}

static bool protect(struct member *m)
{
	return vmmap_mprotect(map, lo_of(m), len_of(m), m->round % 2 ? RW : RW | PROT_EXEC) == 0;
}

static bool remap(struct member *m)
{
	return vmmap_mmap(map, lo_of(m), len_of(m), m->round % 2 ? RW : RW | PROT_EXEC, ANON | MAP_FIXED, NULL, 0) ==
	       (int64_t)lo_of(m);
}

/* A fault that misses, or finds what another has brought. */
static bool fault(struct member *m)
{
	return vmmap_madvise(map, lo_of(m), PAGE, MADV_DONTNEED) == 0 &&
	       vmmap_fault(map, lo_of(m), PROT_WRITE, NULL) == 0;
}

/* To another place, if it is here. */
static bool move(struct member *m)
{
	int64_t got = vmmap_mremap(map, lo_of(m), len_of(m), len_of(m), MREMAP_MAYMOVE | MREMAP_FIXED,
				   at(m->job->to));

	return got == (int64_t)at(m->job->to) || got == -EFAULT;
}

static bool look_at(struct member *m)
{
	uint64_t word = 0;
	ssize_t got = vmmap_read(map, lo_of(m), &word, sizeof word);

	return got == -EFAULT || (got == sizeof word && (word == MARK || word == 0));
}

/* ---- scenes ---- */

/* It is at one place, whole and as it was. */
static bool one_is_left(void)
{
	unsigned here = 0;

	for (unsigned page = 0; page < 512; page += 256) {
		uint64_t word = 0;

		here += vmmap_read(map, at(page), &word, sizeof word) == sizeof word && word == MARK;
	}
	return here == 1;
}

static const struct scene scenes[] = {
	{ "staircase", { { hold, 2, 0, 4, 0 }, { hold, 2, 2, 6, 0 }, { remap, 2, 4, 8, 0 }, { hold, 2, 6, 10, 0 },
			 { protect, 2, 8, 140, 0 } }, NULL },
	{ "wide among narrow", { { protect, 1, 0, 600, 0 }, { remap, 0, 10, 12, 0 }, { hold, 0, 150, 152, 0 },
				 { remap, 0, 300, 430, 0 }, { hold, 0, 590, 600, 0 } }, NULL },
	{ "narrow among wide", { { hold, 1, 300, 301, 0 }, { protect, 0, 0, 600, 0 }, { hold, 0, 100, 400, 0 },
				 { remap, 0, 250, 500, 0 } }, NULL },
	{ "there and back", { { move, 2, 0, 8, 256 }, { move, 2, 256, 264, 0 }, { look_at, 0, 0, 8, 0 },
			      { look_at, 0, 256, 264, 0 } }, one_is_left },
	{ "moves over each other", { { move, 1, 0, 80, 256 }, { move, 1, 256, 336, 40 }, { remap, 1, 30, 90, 0 },
				     { hold, 1, 60, 300, 0 }, { remap, 1, 256, 336, 0 } }, NULL },
	{ "faults, large edits", { { fault, 1, 20, 21, 0 }, { fault, 1, 21, 22, 0 }, { protect, 0, 0, LARGE, 0 },
				   { protect, 0, 10, 10 + LARGE, 0 }, { hold, 0, 16, 24, 0 } }, NULL },
	{ "faults, small edits", { { fault, 1, 20, 21, 0 }, { protect, 0, 20, 21, 0 }, { protect, 0, 20, 22, 0 },
				   { protect, 0, 16, 24, 0 } }, NULL },
	{ "large among small", { { hold, 1, 0, 64, 0 }, { protect, 0, 20, 21, 0 }, { protect, 0, 22, 24, 0 },
				 { remap, 0, 40, 44, 0 } }, NULL },
};

static bool one_round(struct member *m)
{
	return m->job->call(m);
}

static void map_open(const char *policy, struct physmem *memory, const struct scene *scene)
{
	struct vmmap_config config = VMMAP_CONFIG;
	uint64_t mark = MARK;

	config.policy = policy;
	config.physmem = memory;
	if (vmmap_create(&map, &config))
		abort();
	if (scene->over) {                               /* one thing that is moved about                             */
		if (vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) != (int64_t)BASE ||
		    vmmap_write(map, BASE, &mark, sizeof mark) != sizeof mark)
			abort();
	} else if (vmmap_mmap(map, BASE, 600 * PAGE, RW, ANON | MAP_FIXED | MAP_NORESERVE, NULL, 0) != (int64_t)BASE) {
		abort();
	}
}

static bool scene_run(const char *policy, struct physmem *memory, const struct scene *scene)
{
	struct vmmap_counters count;
	struct crowd c = { .n = 0 };
	uint64_t bad;
	bool over;

	map_open(policy, memory, scene);
	for (const struct job *j = scene->job; j < scene->job + CROWD_MAX && j->call; j++)
		crowd_add(&c, j, (uint64_t)j->required * ROUNDS);
	point_yield(20, c.n);                            /* holders lose their CPU: so others have to wait            */
	if (!crowd_run(&c, one_round)) {
		vmmap_dump(map, stderr);
		_Exit(1);
	}
	point_yield(0, 0);
	vmmap_get_counters(map, &count);
	over = !scene->over || scene->over();
	bad = vmmap_audit(map, stderr) + atomic_load_relaxed(&c.wrong) + !over;
	printf("%-10s %-22s %u threads, %7" PRIu64 " waits, %6" PRIu64 " hand-overs, %2" PRIu64 " overtakes, %" PRIu64
	       " wrong\n", policy, scene->name, c.n, count.waits, count.hand_overs, count.max_overtakes, bad);
	fflush(stdout);
	vmmap_destroy(map);
	return bad == 0 && count.max_overtakes <= c.n + 2;
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *memory;
	bool good = true;

	if (mutant && point_mutant_select(mutant))
		return 99;
	config.bytes = 1;
	config.pages = 1 << 12;
	if (physmem_create(&memory, &config))
		abort();
	for (unsigned i = 0; lock_policy_at(i); i++)
		for (unsigned s = 0; s < ARRAY_SIZE(scenes); s++)
			if (lock_policy_at(i)->caps & LOCK_CAP_FIFO)
				good &= scene_run(lock_policy_at(i)->name, memory, &scenes[s]);
	physmem_destroy(memory);
	return !good;
}
