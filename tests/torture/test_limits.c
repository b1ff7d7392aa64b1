/* SPDX-License-Identifier: MIT */
/*
 * test_limits.c - threads at the edge of each limit, under every policy.
 *
 * BUDGET   Threads take as many tokens as an operation may need before it begins, and give them back after they have
 *          undone it. There are as many tokens as the limit has units, so the map always has room: a refusal is false.
 * GREED    Threads ask until they are refused. What is in use is counted after each success and before each undoing,
 *          so the sum is never above what is really used: a sum above the limit is an overrun.
 * CHAOS    All calls on a few pages that all threads share, ranges held by hand among them: at rest the audit finds
 *          each charge equal to what a walk says.
 * Usage: test_limits [--ops N] [--threads N] [--seed N] [--policy NAME]
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/options.h"
#include "vmmap/vmmap.h"

#define PAGE  UINT64_C(4096)
#define BASE  UINT64_C(0x100000000)
#define NORES (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define RW    (PROT_READ | PROT_WRITE)
#define THREADS_MAX 16
#define SLOTS 6                                  /* things that one thread has under way                          */
#define MOST  4                                  /* tokens of one thing                                           */
#define TOKENS 24

static unsigned ops = BUILT_WITH_TSAN ? 200 : 600, threads = 4;
static uint64_t seed = 1;

struct run;

/* do_fn makes n units used in the thread's slot, undo_fn takes them back; each returns what the call said. */
struct kind {
	const char *name;
	void (*limit)(struct vmmap_config *config, uint64_t units);
	int64_t (*do_fn)(struct vmmap *map, uint64_t page, unsigned n, unsigned how);
	int64_t (*undo_fn)(struct vmmap *map, uint64_t page, unsigned n, unsigned how);
	uint64_t before;                         /* units that are used when the threads begin                     */
	uint64_t extra;                          /* units above the limit that one kind of call may take (VMAs)    */
	bool mapped, lower;                      /* pages are mapped before; greed counts no more than is used     */
};

struct run {
	const struct kind *kind;
	struct vmmap *map;
	bool greed;
	atomic_u64 tokens, used, refused, bad;
	pthread_barrier_t start;
};

struct worker { pthread_t thread; struct run *run; unsigned number; struct prng rng; };

static void bad(struct run *r, const char *what, int64_t value)
{
	if (atomic_add_relaxed(&r->bad, 1) < 5)
		fprintf(stderr, "%s: %s: %" PRId64 "\n", r->kind->name, what, value);
}

static uint64_t at(uint64_t page) { return BASE + page * PAGE; }

/* ---- kinds ---- */

static void limit_vmas(struct vmmap_config *c, uint64_t units)   { c->limit_vmas = units; }
static void limit_as(struct vmmap_config *c, uint64_t units)     { c->limit_as = units * PAGE; }
static void limit_commit(struct vmmap_config *c, uint64_t units) { c->limit_commit = units; }
static void limit_locked(struct vmmap_config *c, uint64_t units) { c->limit_locked = units * PAGE; }

/* n VMAs, apart from all others. */
static int64_t do_islands(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	int64_t got = 0;

	(void)how;
	for (unsigned i = 0; i < n && got >= 0; i++) {
		got = vmmap_mmap(map, at(page + 2 * i), PAGE, RW, NORES | MAP_FIXED, NULL, 0);
		if (got < 0 && i)
			vmmap_munmap(map, at(page), 2 * i * PAGE);
	}
	return got;
}

static int64_t undo_islands(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	(void)how;
	return vmmap_munmap(map, at(page), 2 * n * PAGE);
}

/* Two more VMAs where all around is one: but neighbours may have split it, too, and then it is none. */
static int64_t do_splits(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	(void)n;
	return how & 1 ? vmmap_mprotect(map, at(page), 8 * PAGE, PROT_READ)
		       : vmmap_madvise(map, at(page), 8 * PAGE, MADV_DONTDUMP);
}

static int64_t undo_splits(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	(void)n;
	return how & 1 ? vmmap_mprotect(map, at(page), 8 * PAGE, RW)
		       : vmmap_madvise(map, at(page), 8 * PAGE, MADV_DODUMP);
}

static int64_t do_space(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	int64_t got = vmmap_mmap(map, at(page), (how & 1 && n > 1 ? 1 : n) * PAGE, RW, NORES | MAP_FIXED, NULL, 0);

	if (got >= 0 && how & 1 && n > 1) {
		got = vmmap_mremap(map, at(page), PAGE, n * PAGE, 0, 0);
		if (got < 0)
			vmmap_munmap(map, at(page), PAGE);
	}
	/* over itself: nothing more is used, though it is asked for */
	return got >= 0 && how & 2 ? vmmap_mmap(map, at(page), n * PAGE, RW, NORES | MAP_FIXED, NULL, 0) : got;
}

static int64_t undo_unmap(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	(void)how;
	return vmmap_munmap(map, at(page), n * PAGE);
}

static int64_t do_commit(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	int flags = MAP_ANONYMOUS | MAP_FIXED | (how & 1 ? MAP_SHARED : MAP_PRIVATE);
	int64_t got;

	if (how & 1 || how & 2)
		return vmmap_mmap(map, at(page), n * PAGE, RW, flags, NULL, 0);
	got = vmmap_mmap(map, at(page), n * PAGE, PROT_READ, flags, NULL, 0);
	if (got >= 0)
		got = vmmap_mprotect(map, at(page), n * PAGE, RW);
	if (got < 0)
		vmmap_munmap(map, at(page), n * PAGE);
	return got;
}

static int64_t do_lock(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	return how & 1 ? vmmap_mmap(map, at(page), n * PAGE, RW, NORES | MAP_FIXED | MAP_LOCKED, NULL, 0)
		       : vmmap_mlock(map, at(page), n * PAGE, how & 2 ? MLOCK_ONFAULT : 0);
}

static int64_t undo_lock(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	return how & 4 ? vmmap_mmap(map, at(page), n * PAGE, RW, NORES | MAP_FIXED, NULL, 0)
		       : vmmap_munlock(map, at(page), n * PAGE);
}

/* A stack of n pages, by growth; all that lies below it is a stack, too. */
static int64_t do_stack(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	int flags = NORES | MAP_FIXED | MAP_GROWSDOWN | (how & 8 ? MAP_LOCKED : 0);
	int64_t got = vmmap_mmap(map, at(page + n - 1), PAGE, RW, flags, NULL, 0);

	if (got >= 0)
		got = vmmap_fault(map, at(page), how & 1 ? PROT_WRITE : PROT_READ, NULL);
	if (got == -EFAULT)
		vmmap_munmap(map, at(page), n * PAGE);
	return got;
}

static int64_t do_locked_stack(struct vmmap *map, uint64_t page, unsigned n, unsigned how)
{
	return do_stack(map, page, n, how | 8);
}

static const struct kind kinds[] = {
	{ "islands", limit_vmas, do_islands, undo_islands, 0, 1, false, true },
	{ "splits", limit_vmas, do_splits, undo_splits, 1, 0, true, false },
	{ "space", limit_as, do_space, undo_unmap, 0, 0, false, true },
	{ "commit", limit_commit, do_commit, undo_unmap, 0, 0, false, true },
	{ "locked", limit_locked, do_lock, undo_lock, 0, 0, true, true },
	{ "stacks", limit_as, do_stack, undo_unmap, 0, 0, false, true },
	{ "l-stacks", limit_locked, do_locked_stack, undo_unmap, 0, 0, false, true },
};

/* ---- budget and greed ---- */

struct thing { uint64_t page; unsigned n, how; };

static bool take_tokens(struct run *r, unsigned n)
{
	uint64_t have = atomic_load_relaxed(&r->tokens);

	while (have >= n)
		if (atomic_cas_acqrel(&r->tokens, &have, have - n))
			return true;
	return false;
}

static void begin(struct worker *w, struct thing *t, unsigned slot)
{
	struct run *r = w->run;
	int64_t got;

	/* neighbouring slots are different threads' */
	*t = (struct thing){ .page = (slot * threads + w->number) * 8, .how = (unsigned)prng_below(&w->rng, 8) };
	t->n = r->kind->do_fn == do_splits ? 2 : 1 + (unsigned)prng_below(&w->rng, MOST);
	if (!r->greed && !take_tokens(r, t->n)) {
		t->n = 0;
		return;
	}
	got = r->kind->do_fn(r->map, t->page, t->n, t->how);
	if (got < 0 && !r->greed)
		bad(r, "refused, but there is room", got);
	if (got < 0) {
		atomic_add_relaxed(&r->refused, 1);
		t->n = 0;
	} else if (r->greed) {
		uint64_t used = atomic_add_seqcst(&r->used, t->n) + t->n;

		if (used > TOKENS + r->kind->extra)
			bad(r, "above the limit", (int64_t)used);
	}
}

static void end(struct worker *w, struct thing *t)
{
	struct run *r = w->run;
	int64_t got;

	if (r->greed)
		atomic_add_seqcst(&r->used, 0 - (uint64_t)t->n);
	got = r->kind->undo_fn(r->map, t->page, t->n, t->how);
	if (got < 0)
		bad(r, "undoing failed", got);
	if (!r->greed)
		atomic_add_acqrel(&r->tokens, t->n);
	t->n = 0;
}

static void hold(struct worker *w)
{
	struct vmmap_held held;
	uint64_t page = prng_below(&w->rng, SLOTS * threads * 8);

	if (!vmmap_hold(w->run->map, at(page), (1 + prng_below(&w->rng, 20)) * PAGE, &held))
		vmmap_release(w->run->map, &held);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct thing things[SLOTS] = { { 0 } };

	pthread_barrier_wait(&w->run->start);
	for (unsigned i = 0; i < ops; i++) {
		unsigned slot = (unsigned)prng_below(&w->rng, SLOTS);

		if (things[slot].n)
			end(w, &things[slot]);
		else
			begin(w, &things[slot], slot);
		if (!prng_below(&w->rng, 8))
			hold(w);
	}
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (things[slot].n)
			end(w, &things[slot]);
	return NULL;
}

/* ---- chaos ---- */

static int64_t any_call(struct worker *w, uint64_t addr, uint64_t len)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW };
	struct vmmap *map = w->run->map;
	int prot = prots[prng_below(&w->rng, 3)];
	uint64_t other = at(prng_below(&w->rng, 64));

	switch (prng_below(&w->rng, 16)) {
	case 0:  return vmmap_munmap(map, addr, len);
	case 1:  return vmmap_mprotect(map, addr, len, prot);
	case 2:  return vmmap_mlock(map, addr, len, MLOCK_ONFAULT);
	case 3:  return vmmap_munlock(map, addr, len);
	case 4:  return vmmap_madvise(map, addr, len, prng_below(&w->rng, 2) ? MADV_DONTFORK : MADV_DOFORK);
	case 5:  return vmmap_mremap(map, addr, len, len + PAGE, MREMAP_MAYMOVE, 0);
	case 6:  return vmmap_mremap(map, addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, other);
	case 7:  return vmmap_mremap(map, addr, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	case 8:  return vmmap_mmap(map, addr, len, prot, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	case 9:  return vmmap_mmap(map, 0, len, prot, NORES | (prng_below(&w->rng, 2) ? MAP_LOCKED : 0), NULL, 0);
	case 10: return vmmap_mmap(map, addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	case 11: return vmmap_mmap(map, addr, len, prot, NORES | MAP_FIXED | MAP_GROWSDOWN, NULL, 0);
	case 12: return vmmap_fault(map, addr, prng_below(&w->rng, 2) ? PROT_WRITE : PROT_READ, NULL);
	case 13: return vmmap_mprotect(map, addr, len, prot | PROT_GROWSDOWN);
	case 14: return vmmap_mremap(map, addr, len + PAGE, len, MREMAP_MAYMOVE | MREMAP_FIXED, other);
	default: return vmmap_brk(map, at(128) + prng_below(&w->rng, 8) * PAGE);
	}
}

static void *chaos(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->run->start);
	for (unsigned i = 0; i < ops; i++) {
		uint64_t page = prng_below(&w->rng, 64), n = 1 + prng_below(&w->rng, 8);
		int64_t got = any_call(w, at(page), n * PAGE);

		if (got < 0 && got != -ENOMEM && got != -EAGAIN && got != -EFAULT && got != -EINVAL)
			bad(w->run, "an error that no limit gives", got);
		if (got == -ENOMEM || got == -EAGAIN)
			atomic_add_relaxed(&w->run->refused, 1);
		if (i % 64 == 0)
			vmmap_munmap(w->run->map, BASE, (64 + 16) * PAGE);
		if (!prng_below(&w->rng, 8))
			hold(w);
	}
	return NULL;
}

static const struct kind chaos_kind = { .name = "chaos" };

/* ---- one run ---- */

static uint64_t run_threads(struct run *r, const struct vmmap_config *config, void *(*body)(void *))
{
	struct worker w[THREADS_MAX];
	struct vmmap_counters counters;
	uint64_t wrong;

	if (vmmap_create(&r->map, config))
		abort();
	if (r->kind->mapped &&
	    vmmap_mmap(r->map, BASE, (SLOTS * threads * 8 + 8) * PAGE, RW, NORES | MAP_FIXED, NULL, 0) < 0)
		abort();
	atomic_store_relaxed(&r->tokens, TOKENS);
	pthread_barrier_init(&r->start, NULL, threads);
	point_yield(24, seed);
	for (unsigned i = 0; i < threads; i++) {
		w[i] = (struct worker){ .run = r, .number = i };
		w[i].rng = prng_seed(seed, i);
		pthread_create(&w[i].thread, NULL, body, &w[i]);
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	point_yield(0, 0);
	pthread_barrier_destroy(&r->start);
	wrong = vmmap_audit(r->map, stderr) + atomic_load_relaxed(&r->bad);
	vmmap_get_counters(r->map, &counters);
	printf("%-10s %-8s %-6s brief %" PRIu64 " general %" PRIu64 " merges %" PRIu64 " refused %" PRIu64 "%s\n",
	       config->policy, r->kind->name, body == chaos ? "" : r->greed ? "greed" : "budget", counters.brief_edits,
	       counters.general_edits, counters.merges, atomic_load_relaxed(&r->refused), wrong ? "  WRONG" : "");
	vmmap_destroy(r->map);
	return wrong;
}

static uint64_t run_kind(const char *policy, const struct kind *kind, bool greed, bool roomy, uint64_t *refused)
{
	struct run r = { .kind = kind, .greed = greed };
	struct vmmap_config config = VMMAP_CONFIG;
	uint64_t wrong;

	config.policy = policy;
	config.placement = VMMAP_TOPDOWN;
	kind->limit(&config, roomy ? 100000 : TOKENS + kind->before);    /* roomy: quotas and batches are used, too   */
	wrong = run_threads(&r, &config, work);
	*refused += atomic_load_relaxed(&r.refused);
	return wrong;
}

/* Until somebody comes to the limit: on a busy machine the threads may run one after the other. */
static uint64_t run_greed(const char *policy, const struct kind *kind)
{
	uint64_t wrong = 0, refused = 0;

	for (unsigned tries = 0; tries < 50 && !refused && !wrong; tries++)
		wrong += run_kind(policy, kind, true, false, &refused);
	if (!refused && !wrong) {
		printf("nobody came to the limit\n");
		wrong++;
	}
	return wrong;
}

static uint64_t run_chaos(const char *policy, bool roomy)
{
	struct run r = { .kind = &chaos_kind };
	struct vmmap_config config = VMMAP_CONFIG;

	config.policy = policy;
	config.placement = VMMAP_TOPDOWN;
	config.brk_start = at(128);
	config.limit_vmas = roomy ? 100000 : 20;
	config.limit_as = (roomy ? 100000 : 48) * PAGE;
	config.limit_commit = roomy ? 100000 : 32;
	config.limit_locked = (roomy ? 100000 : 16) * PAGE;
	return run_threads(&r, &config, chaos);
}

int main(int argc, char **argv)
{
	const char *one = option_text(argc, argv, "--policy", NULL);
	uint64_t wrong = 0;

	ops = (unsigned)option_number(argc, argv, "--ops", ops);
	threads = (unsigned)option_number(argc, argv, "--threads", threads);
	seed = option_number(argc, argv, "--seed", seed);
	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	for (unsigned p = 0; vmmap_policy_name(p); p++) {
		const char *policy = vmmap_policy_name(p);

		if (!vmmap_policy_threads(p) || (one && strcmp(one, policy) != 0))
			continue;
		for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			uint64_t refused = 0;

			wrong += run_kind(policy, &kinds[k], false, false, &refused);
			wrong += run_kind(policy, &kinds[k], false, true, &refused);
			wrong += kinds[k].lower ? run_greed(policy, &kinds[k]) : 0;
		}
		wrong += run_chaos(policy, false) + run_chaos(policy, true);
	}
	return wrong != 0;
}
