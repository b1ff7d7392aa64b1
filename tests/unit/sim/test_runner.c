/* SPDX-License-Identifier: MIT */
/* test_runner.c - the conflict matrix's instrument on pairs of calls whose verdict is known from the policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/conflicts/runner.h"
#include "bench/sim/debug.h"
#include "bench/sim/kernel.h"

#define BASE UINT64_C(0x100000000000)
#define FAR  (UINT64_C(1) << 33)
#define RW   (PROT_READ | PROT_WRITE)

const long kernel_cpus = RUNNER_CORES;

static void print(const struct trace_verdict *v)
{
	printf("  %u lines, %u false, %u + %u accesses\n", v->lines, v->false_lines, v->accesses[0], v->accesses[1]);
	for (unsigned i = 0; i < v->n; i++) {
		printf("    %s %s / %s: %d %s / %d %s\n", v->met[i].same_bytes ? "bytes" : "line ", v->met[i].label[0],
		       v->met[i].label[1], v->met[i].side[0].op, debug_location(v->met[i].side[0].pc),
		       v->met[i].side[1].op, debug_location(v->met[i].side[1].pc));
	}
}

static void map_at(struct exec *e, uint64_t at, uint64_t pages, int flags)
{
	assert_int_equal(vmmap_mmap(e->map, at, pages * PAGE, RW, flags | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), at);
}

/* Other VMAs, so that the tree has many leaves. */
static void crowd(struct exec *e, uint64_t at)
{
	for (uint64_t i = 0; i < 120; i++)
		map_at(e, at + i * 2 * PAGE, 1, MAP_PRIVATE);
}

static void one_vma(struct exec *e)
{
	map_at(e, BASE, FAR / PAGE + 8, MAP_PRIVATE);
	assert_int_equal(vmmap_fault(e->map, BASE + 4 * PAGE, PROT_WRITE, NULL), 0);
	assert_int_equal(vmmap_fault(e->map, BASE + FAR + 4 * PAGE, PROT_WRITE, NULL), 0);
}

static void two_vmas(struct exec *e)
{
	map_at(e, BASE, 8, MAP_PRIVATE);
	map_at(e, BASE + FAR, 8, MAP_PRIVATE);
	crowd(e, BASE + FAR / 2);
	assert_int_equal(vmmap_fault(e->map, BASE + 4 * PAGE, PROT_WRITE, NULL), 0);
	assert_int_equal(vmmap_fault(e->map, BASE + FAR + 4 * PAGE, PROT_WRITE, NULL), 0);
}

static void fault_low(struct exec *e) { assert_int_equal(vmmap_fault(e->map, BASE, PROT_WRITE, NULL), 0); }
static void fault_high(struct exec *e) { assert_int_equal(vmmap_fault(e->map, BASE + FAR, PROT_WRITE, NULL), 0); }
static void mmap_low(struct exec *e) { map_at(e, BASE + PAGE, 1, MAP_PRIVATE); }
static void mmap_high(struct exec *e) { map_at(e, BASE + FAR + PAGE, 1, MAP_PRIVATE); }
static void munmap_low(struct exec *e) { assert_int_equal(vmmap_munmap(e->map, BASE, 2 * PAGE), 0); }
static void munmap_high(struct exec *e) { assert_int_equal(vmmap_munmap(e->map, BASE + FAR, 2 * PAGE), 0); }
static void protect_low(struct exec *e) { assert_int_equal(vmmap_mprotect(e->map, BASE, PAGE, PROT_READ), 0); }
static void protect_high(struct exec *e) { assert_int_equal(vmmap_mprotect(e->map, BASE + FAR, PAGE, PROT_READ), 0); }
static void mmap_anywhere(struct exec *e)
{
	assert_true(vmmap_mmap(e->map, 0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) > 0);
}

static const struct { const char *name; struct runner_pair pair; } pairs[] = {
	{ "two faults in one VMA", { one_vma, { fault_low, fault_high } } },
	{ "faults in two VMAs", { two_vmas, { fault_low, fault_high } } },
	{ "two mmaps far apart", { two_vmas, { mmap_low, mmap_high } } },
	{ "two munmaps far apart", { two_vmas, { munmap_low, munmap_high } } },
	{ "two mprotects far apart", { two_vmas, { protect_low, protect_high } } },
	{ "two mmaps anywhere", { two_vmas, { mmap_anywhere, mmap_anywhere } } },
	{ "munmap and fault", { two_vmas, { munmap_low, fault_high } } },
	{ "the same fault", { two_vmas, { fault_low, fault_low } } },
};

static bool meets(const struct trace_verdict *v, const char *label)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->met[i].same_bytes && strstr(v->met[i].label[0], label) != NULL)
			return true;
	return false;
}

static void show(void **state)
{
	static const char *const policy[] = { "vma", "vma-count", "rwsem", "pervma" };
	static struct trace_verdict v, again;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
		assert_int_equal(runner_policy(policy[i]), 0);
		for (unsigned k = 0; k < ARRAY_SIZE(pairs); k++) {
			printf("%s: %s\n", policy[i], pairs[k].name);
			runner_pair(&pairs[k].pair, &v);
			print(&v);
			runner_pair(&pairs[k].pair, &again);
			assert_memory_equal(&v, &again, offsetof(struct trace_verdict, met) + v.n * sizeof(v.met[0]));
		}
	}
	(void)meets;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(show),
	};

	(void)argc;
	kernel_same_addresses(argv);
	runner_begin();
	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
