/* SPDX-License-Identifier: MIT */
/*
 * test_lines.c - disjoint operations move no cache line from core to core. Eight logical cores run one profile each on
 * places of their own; a line that another core has written since, or that another core has and this one writes, is a
 * transfer (MSI, one line per 64 bytes, no capacity). The first rounds are not counted: arenas, leaves and tables come
 * apart then. What RCU's worker fetches is not counted, what the others fetch after it is; its naps last as long as it
 * likes, since the clock counts switches: how often its rounds come is for vmmap-manycore, which has a clock. Memory
 * comes from an arena for each core, as there: libc would serve all cores, one thread to it, from one, and hand a core
 * what another one has just given back. Each profile stands for a finding of docs/scalability.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "bench/sim/access.h"
#include "bench/sim/arenas.h"
#include "bench/sim/core.h"
#include "bench/sim/kernel.h"
#include "vmmap/physmem.h"
#include "vmmap/vmmap.h"

#define CORES   8
#define QUANTUM 20                               /* accesses until the next core's turn                            */
#define OPS     1000                             /* of each core: as many to warm up, then as many that count      */
#define PAGE    UINT64_C(4096)
#define MIB     (UINT64_C(1) << 20)
#define GIB     (UINT64_C(1) << 30)
#define RW      (PROT_READ | PROT_WRITE)
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define LINES   (UINT64_C(1) << 23)
#define PLACES  1024

const long kernel_cpus = CORES;

/* ---- lines ---- */

struct line { uintptr_t number; uint32_t holders, writer; };     /* holders: bits; writer: its bit, 0 after a read */
struct place { const void *pc; uint64_t n; };

static struct line *lines;
static struct place places[PLACES];
static uint64_t transfers, used;
static uint32_t left;
static bool listening;                           /* the listener stays: a daemon may stand in it                 */

static struct line *line_of(uintptr_t number)
{
	uint64_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> 41;

	while (lines[at].number != 0 && lines[at].number != number)
		at = (at + 1) % LINES;
	if (lines[at].number == 0 && ++used > LINES / 2)
		abort();                         /* too many for this table                                         */
	lines[at].number = number;
	return &lines[at];
}

static void transferred(const void *pc)
{
	if (core_current->number >= CORES)
		return;
	transfers++;
	for (unsigned i = 0; i < PLACES; i++)
		if (places[i].pc == pc || places[i].pc == NULL) {
			places[i].pc = pc;
			places[i].n++;
			return;
		}
}

static void touch(const struct access *a, uintptr_t number)
{
	struct line *l = line_of(number);
	uint32_t me = UINT32_C(1) << core_current->number;

	if (a->op == ACCESS_LOAD ? l->holders != 0 && !(l->holders & me) && l->writer != 0
				 : (l->holders & ~me) != 0)
		transferred(a->pc);
	if (a->op == ACCESS_LOAD) {
		l->writer = l->holders == me ? l->writer : 0;
		l->holders |= me;
	} else {
		l->holders = l->writer = me;
	}
}

static void before(const struct access *a)
{
	if (!listening || core_current->number == CORE_MAIN || core_on_stack(core_current, a->at))
		return;
	for (uintptr_t l = a->at / 64; l <= (a->at + a->bytes - 1) / 64; l++)
		touch(a, l);
	if (--left == 0) {
		left = QUANTUM;
		core_yield();
	}
}

static const struct access_listener listener = { .before = before };

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct place *)a)->n, y = ((const struct place *)b)->n;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* For addr2line. */
static void print_places(void)
{
	qsort(places, PLACES, sizeof places[0], by_number);
	for (unsigned i = 0; i < 8 && places[i].n != 0; i++)
		print_message("  %8lu at %p\n", (unsigned long)places[i].n,
			      (const void *)((const char *)places[i].pc - 1));
}

/* ---- profiles: one operation of core `me`, number i ---- */

static struct physmem *physmem;
static struct vmmap *map;

static uint64_t area(uint64_t me)
{
	return (100 + 4 * me) * GIB;
}

static void fixed(uint64_t addr, uint64_t len, int flags)
{
	assert_int_equal(vmmap_mmap(map, addr, len, RW, flags | MAP_FIXED, NULL, 0), addr);
}

static void write_fault(uint64_t addr)
{
	assert_int_equal(vmmap_fault(map, addr, PROT_WRITE, NULL), 0);
}

static void local(uint64_t me, uint64_t i)
{
	(void)i;
	fixed(area(me), PAGE, ANON);
	write_fault(area(me));
	assert_int_equal(vmmap_munmap(map, area(me), PAGE), 0);
}

static void mmap_any(uint64_t me, uint64_t i)
{
	(void)me;
	(void)i;
	assert_true(vmmap_mmap(map, 0, 4 * PAGE, RW, ANON, NULL, 0) > 0);
}

static void protect(uint64_t me, uint64_t i)
{
	if (i == 0)
		fixed(area(me), 64 * PAGE, ANON);
	assert_int_equal(vmmap_mprotect(map, area(me) + 16 * PAGE, 16 * PAGE, i % 2 ? RW : PROT_READ), 0);
}

static void fault(uint64_t me, uint64_t i)
{
	if (i == 0)
		fixed(area(me), 512 * PAGE, ANON);
	if (i % 512 == 0)
		assert_int_equal(vmmap_madvise(map, area(me), 512 * PAGE, MADV_DONTNEED), 0);
	write_fault(area(me) + i % 512 * PAGE);
}

/* Back and forth between two places. */
static void remap(uint64_t me, uint64_t i)
{
	uint64_t from = area(me) + i % 2 * GIB / 4, to = area(me) + (i + 1) % 2 * GIB / 4;

	if (i == 0)
		fixed(from, 4 * PAGE, ANON);
	write_fault(from);
	assert_int_equal(vmmap_mremap(map, from, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
}

/* A new object each time: its number, and who pays for it. */
static void shared(uint64_t me, uint64_t i)
{
	(void)i;
	fixed(area(me), 4 * PAGE, MAP_SHARED | MAP_ANONYMOUS);
	write_fault(area(me));
	assert_int_equal(vmmap_munmap(map, area(me), 4 * PAGE), 0);
}

/* An object of one's own, mapped again and again. */
static void mapped(uint64_t me, uint64_t i)
{
	static struct vmmap_object *mine[CORES];

	if (i == 0)
		assert_int_equal(vmmap_object_create(&mine[me], physmem, "mine", 4 * PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, area(me), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, mine[me], 0), area(me));
	write_fault(area(me));
	assert_int_equal(vmmap_munmap(map, area(me), 4 * PAGE), 0);
	if (i == 2 * OPS - 1)
		vmmap_object_put(mine[me]);
}

/* A VMA more each time: leaves are split, their parents replaced, and what was replaced comes home. */
static void many(uint64_t me, uint64_t i)
{
	fixed(area(me) + i * 2 * PAGE, PAGE, ANON);
}

/* Single pages out of a VMA of one's own: each leaves a VMA more behind. Then it is mapped anew. */
static void holes(uint64_t me, uint64_t i)
{
	uint64_t page = i % 500;

	if (page == 0)
		fixed(area(me), 1001 * PAGE, ANON);
	assert_int_equal(vmmap_munmap(map, area(me) + (2 * page + 1) * PAGE, PAGE), 0);
}

/* One VMA over everybody's places, of one group: who cuts a piece out and puts it back shares that VMA, and no more. */
static void closed(void)
{
	fixed(area(0), CORES * 4 * GIB, ANON);
	write_fault(area(0));
	assert_int_equal(vmmap_mprotect(map, area(0), CORES * 4 * GIB, PROT_NONE), 0);
}

static void opened(uint64_t me, uint64_t i)
{
	uint64_t lot = (me * 2 * OPS + i) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	uint64_t addr = area(me) + lot % 8 * GIB / 2, len = 16 * PAGE;

	assert_int_equal(vmmap_mprotect(map, addr, len, RW), 0);
	for (unsigned k = 0; k < 4 + lot / 8 % 8; k++)
		write_fault(addr + k * PAGE);
	assert_int_equal(vmmap_madvise(map, addr, len, MADV_DONTNEED), 0);
	assert_int_equal(vmmap_mprotect(map, addr, len, PROT_NONE), 0);
}

/* On and on through three GiB, with nothing left behind. */
static void wander(uint64_t me, uint64_t i)
{
	uint64_t addr = area(me) + i % 1500 * 2 * MIB;

	fixed(addr, PAGE, ANON);
	write_fault(addr);
	assert_int_equal(vmmap_munmap(map, addr, PAGE), 0);
}

/* ---- */

static void (*profile)(uint64_t me, uint64_t i);
static uint64_t from, to;
static void (*prepare)(void);
static bool settled;                             /* a round between warming up and counting                        */

static void work(void *arg)
{
	for (uint64_t i = from; i < to; i++)
		profile((uint64_t)(uintptr_t)arg, i);
}

static void rounds(uint64_t begin, uint64_t end)
{
	from = begin;
	to = end;
	for (uint32_t i = 0; i < CORES; i++)
		core_give(i, work, (void *)(uintptr_t)i);
	assert_int_equal(core_run(), 0);
}

/* Transfers of `ops` operations of each core, after as many, in thousandths of one. */
static uint64_t transfers_of(void (*fn)(uint64_t me, uint64_t i), uint64_t ops)
{
	struct vmmap_config config = VMMAP_CONFIG;

	assert_int_equal(physmem_create(&physmem, NULL), 0);
	config.physmem = physmem;
	assert_int_equal(vmmap_create(&map, &config), 0);
	if (prepare != NULL)
		prepare();
	lines = calloc(LINES, sizeof *lines);
	assert_non_null(lines);
	used = 0;
	profile = fn;
	left = QUANTUM;
	access_listener = &listener;
	listening = true;
	rounds(0, ops);
	if (settled)
		core_settle(UINT64_C(50000000));         /* what was retired comes back                         */
	transfers = 0;
	memset(places, 0, sizeof places);
	rounds(ops, 2 * ops);
	listening = false;
	free(lines);
	core_settle(UINT64_C(50000000));
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
	physmem_destroy(physmem);
	return transfers * 1000 / (CORES * ops);
}

static void at_most(void (*fn)(uint64_t me, uint64_t i), uint64_t ops, uint64_t most)
{
	uint64_t n = transfers_of(fn, ops);

	print_message("  %lu.%03lu transfers an operation\n", (unsigned long)(n / 1000), (unsigned long)(n % 1000));
	if (n > most)
		print_places();
	assert_in_range(n, 0, most);
}

static void local_moves_no_line(void **state) { (void)state; at_most(local, OPS, 4); }
static void mmap_moves_no_line(void **state) { (void)state; at_most(mmap_any, OPS, 4); }
static void mprotect_moves_no_line(void **state) { (void)state; at_most(protect, OPS, 4); }
static void fault_moves_no_line(void **state) { (void)state; at_most(fault, OPS, 4); }
static void remap_looks_at_no_neighbour(void **state) { (void)state; at_most(remap, OPS, 4); }
static void shared_memory_counts_apart(void **state) { (void)state; at_most(shared, OPS / 2, 150); }
static void mappings_of_own_objects(void **state) { (void)state; at_most(mapped, OPS, 100); }
static void nodes_come_home(void **state)
{
	(void)state;
	settled = true;
	at_most(many, OPS, 1000);
	settled = false;
}

static void pieces_stay_with_their_slot(void **state)
{
	(void)state;
	settled = true;
	at_most(holes, OPS, 2700);
	settled = false;
}

static void who_cuts_one_vma_parts_no_leaves(void **state)
{
	(void)state;
	prepare = closed;
	at_most(opened, OPS, 75000);
	prepare = NULL;
}

static void wanderers_stay_apart(void **state) { (void)state; at_most(wander, OPS, 250); }

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_moves_no_line),
		cmocka_unit_test(mmap_moves_no_line),
		cmocka_unit_test(mprotect_moves_no_line),
		cmocka_unit_test(fault_moves_no_line),
		cmocka_unit_test(remap_looks_at_no_neighbour),
		cmocka_unit_test(shared_memory_counts_apart),
		cmocka_unit_test(mappings_of_own_objects),
		cmocka_unit_test(nodes_come_home),
		cmocka_unit_test(pieces_stay_with_their_slot),
		cmocka_unit_test(who_cuts_one_vma_parts_no_leaves),
		cmocka_unit_test(wanderers_stay_apart),
	};

	(void)argc;
	kernel_same_addresses(argv);
	core_begin(CORES);
	arenas_begin();
	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
