/* SPDX-License-Identifier: MIT */
/* window.c - threads and expectations of the scripts; see window.h. */
#include "tests/windows/window.h"

#include <stdlib.h>
#include <unistd.h>

#include "locks/policy/policy.h"
#include "tests/patience.h"

static struct physmem *window_memory;

void window_expect(bool cond, const char *what, const char *file, int line)
{
	if (cond)
		return;
	fprintf(stderr, "%s:%d: expected: %s\n", file, line, what);
	fflush(stderr);
	_Exit(1);                                        /* other threads may be stopped */
}

/* 0, or 99. */
static int run_one(const char *policy, void (*script)(const char *policy))
{
	const char *mutant = getenv("VMMAP_MUTANT");

	alarm(mutant ? 5 : 20);                          /* a script takes milliseconds; who hangs has failed */
	point_reset();
	if (point_mutant_select(mutant && *mutant ? mutant : NULL))
		return 99;
	script(policy);
	printf("%s: as it should be\n", policy);
	return 0;
}

static bool run_possible(void)
{
	if (!point_available())
		fprintf(stderr, "built without test points\n");
	return point_available();
}

int window_run(const char *const policies[], void (*script)(const char *policy))
{
	int code = 0;

	if (!run_possible())
		return 77;
	for (unsigned i = 0; policies[i] && !code; i++)
		code = run_one(policies[i], script);
	return code;
}

/* Under each that has all of `caps` and none of `unless`. */
static int run_with(unsigned caps, unsigned unless, void (*script)(const char *policy))
{
	int code = 0;

	if (!run_possible())
		return 77;
	for (unsigned i = 0; lock_policy_at(i) && !code; i++)
		if ((lock_policy_at(i)->caps & (caps | unless)) == caps)
			code = run_one(lock_policy_at(i)->name, script);
	return code;
}

int window_run_every(bool one_thread, void (*script)(const char *policy))
{
	return run_with(one_thread ? 0 : LOCK_CAP_THREADS, 0, script);
}

int window_run_disjoint(void (*script)(const char *policy))
{
	return run_with(LOCK_CAP_DISJOINT_EDITS, 0, script);
}

int window_run_in_table(bool disjoint, void (*script)(const char *policy))
{
	return run_with(disjoint ? LOCK_CAP_DISJOINT_EDITS : LOCK_CAP_THREADS, LOCK_CAP_TABLES, script);
}

struct vmmap *window_map(const char *policy)
{
	return window_map_limited(policy, &(struct vmmap_config)VMMAP_CONFIG);
}

struct vmmap *window_map_limited(const char *policy, const struct vmmap_config *limits)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = *limits;
	struct vmmap *map;

	memory.bytes = 1;
	memory.pages = 1 << 15;
	memory.limit = memory.pages + 512;               /* a segment more may come                                */
	config.policy = policy;
	config.placement = VMMAP_TOPDOWN;
	expect(physmem_create(&window_memory, &memory) == 0);
	config.physmem = window_memory;
	expect(vmmap_create(&map, &config) == 0);
	return map;
}

void window_close(struct vmmap *map)
{
	struct vmmap_usage usage;
	struct physmem_usage frames;

	expect(vmmap_audit(map, stderr) == 0);
	expect(point_timeouts() == 0);
	vmmap_get_usage(map, &usage);
	physmem_get_usage(window_memory, &frames);
	expect(frames.owned == usage.resident_pages);    /* only private memory in these scripts */
	vmmap_destroy(map);
	physmem_get_usage(window_memory, &frames);
	expect(frames.owned == 0);
	physmem_destroy(window_memory);
}

static void *window_body(void *arg)
{
	struct window_thread *t = arg;

	point_role(t->role);
	t->fn(t);
	point_role(NULL);
	atomic_store_release(&t->done, 1);
	return NULL;
}

void window_start(struct window_thread *t)
{
	atomic_store_relaxed(&t->done, 0);
	expect(pthread_create(&t->id, NULL, window_body, t) == 0);
}

void window_start_to(struct window_thread *t, const char *point)
{
	window_expect(!point_wait_reached(t->role, point, 0), "a role that was not there before", __FILE__, __LINE__);
	expect(point_stop(t->role, point, NULL, NULL) == 0);
	window_start(t);
	window_expect(point_wait_reached(t->role, point, UINT64_C(10000000000)), point, __FILE__, __LINE__);
}

void window_join(struct window_thread *t)
{
	pthread_join(t->id, NULL);
}

bool window_done_within(struct window_thread *t, unsigned ms)
{
	uint64_t end = clock_ns() + patience_ms(ms);
	struct timespec nap = { 0, 1000000 };

	while (!atomic_load_acquire(&t->done) && clock_ns() < end)
		nanosleep(&nap, NULL);
	return atomic_load_acquire(&t->done);
}

void window_fault(struct window_thread *t)  { t->result = vmmap_fault(t->map, t->addr, PROT_WRITE, &t->info); }
void window_munmap(struct window_thread *t) { t->result = vmmap_munmap(t->map, t->addr, t->len); }
void window_protect(struct window_thread *t) { t->result = vmmap_mprotect(t->map, t->addr, t->len, RW); }
void window_protect_read(struct window_thread *t) { t->result = vmmap_mprotect(t->map, t->addr, t->len, PROT_READ); }
void window_mmap(struct window_thread *t)   { t->result = vmmap_mmap(t->map, 0, t->len, RW, ANON, NULL, 0); }

void window_hold(struct window_thread *t)
{
	struct vmmap_held held;

	t->result = vmmap_hold(t->map, t->addr, t->len, &held);
	BASE_POINT(window_held);
	vmmap_release(t->map, &held);
}

void window_mmap_fixed(struct window_thread *t)
{
	t->result = vmmap_mmap(t->map, t->addr, t->len, RW, ANON | MAP_FIXED, NULL, 0);
}

void window_write(struct window_thread *t)
{
	t->result = vmmap_write(t->map, t->addr, &t->bytes, sizeof t->bytes);
}
