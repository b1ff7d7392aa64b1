/* SPDX-License-Identifier: MIT */
/* test_label.c - every byte that the engine touches has a name: of a type and field, or of a variable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/prng.h"
#include "bench/sim/access.h"
#include "bench/sim/core.h"
#include "bench/sim/debug.h"
#include "bench/sim/heap.h"
#include "bench/sim/kernel.h"
#include "bench/sim/label.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree_node.h"
#include "vmmap/vmmap.h"

#define CORES 3
#define PAGE  UINT64_C(4096)
#define AREA  UINT64_C(0x40000000)

const long kernel_cpus = CORES;

/* ---- accesses wait here until what they touched can be asked for, at the latest when it goes ---- */

static struct { uintptr_t at; const void *pc; } seen[1 << 16];
static unsigned nseen;
static uint64_t named, nameless;

static void tell_nameless(uintptr_t at, const void *pc)
{
	const struct heap_block *block = heap_at(at);

	if (nameless++ < 20)
		fprintf(stderr, "no name: %#lx by %s, block of %s, %zu bytes, at %zu\n", (unsigned long)at,
			debug_location(pc), block ? mem_purpose_name(block->purpose) : "nobody",
			block ? block->bytes : 0, block ? at - block->at : 0);
}

/* Not in the end: a core may have zeroed a block that nobody has been told of yet; that one is asked for again. */
static void name_all(bool end)
{
	unsigned later = 0;

	for (unsigned i = 0; i < nseen; i++) {
		if (label_of(seen[i].at) != NULL)
			named++;
		else if (end)
			tell_nameless(seen[i].at, seen[i].pc);
		else
			seen[later++] = seen[i];
	}
	nseen = later;
}

static void before(const struct access *a)
{
	struct core *to;

	/* One of a kind is enough: the last byte shows whether the whole has a name. */
	seen[nseen].at = a->at + (a->bytes > 16 ? a->bytes / 2 : 0);
	seen[nseen++].pc = a->pc;
	if (nseen == ARRAY_SIZE(seen)) {
		name_all(false);
		if (nseen > ARRAY_SIZE(seen) / 2)                /* that many are no block under way                */
			name_all(true);
	}
	if (core_current->number == CORE_MAIN || a->at % 61 != 0)
		return;
	to = core_next_in_turn(core_current);
	if (to != NULL && to->number != CORE_MAIN && !to->daemon)
		core_switch(to);
}

static void goes(const struct heap_block *block)
{
	(void)block;
	name_all(false);
}

static const struct access_listener listener = { .before = before };
static const struct heap_listener heap = { .goes = goes };

/* ---- a bit of everything ---- */

static struct vmmap *map;
static struct vmmap_object *object;

static int nothing(const struct vmmap_vma *vma, void *arg)
{
	(void)vma;
	(void)arg;
	return 0;
}

static void step(struct prng *prng, uint64_t at, uint64_t pages)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DONTDUMP, MADV_WILLNEED, MADV_DODUMP };
	char bytes[2 * 4096];
	bool file = prng_below(prng, 3) == 0;
	int private = prng_below(prng, 2) ? MAP_PRIVATE : MAP_SHARED;

	switch (prng_below(prng, 14)) {
	case 0: case 1: case 2:
		(void)vmmap_mmap(map, at, pages * PAGE, PROT_READ | PROT_WRITE,
				 private | MAP_FIXED | (file ? 0 : MAP_ANONYMOUS), file ? object : NULL,
				 file ? at - AREA : 0);
		break;
	case 3: (void)vmmap_munmap(map, at, pages * PAGE); break;
	case 4: (void)vmmap_mprotect(map, at, pages * PAGE, PROT_READ | (prng_below(prng, 2) ? PROT_WRITE : 0)); break;
	case 5: (void)vmmap_mremap(map, at, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE, 0); break;
	case 6: (void)vmmap_madvise(map, at, pages * PAGE, advice[prng_below(prng, 4)]); break;
	case 7: (void)vmmap_brk(map, AREA / 2 + prng_below(prng, 9) * PAGE); break;
	case 8: (void)vmmap_fault(map, at, PROT_READ, NULL); break;
	case 9: (void)vmmap_fault(map, at, PROT_WRITE, NULL); break;
	case 10: (void)vmmap_read(map, at, bytes, sizeof(bytes)); break;
	case 11: memset(bytes, 1, sizeof(bytes)); (void)vmmap_write(map, at, bytes, sizeof(bytes)); break;
	case 12: (void)vmmap_walk(map, 0, UINT64_C(1) << 46, nothing, NULL); break;
	default: (void)vmmap_mmap(map, 0, pages * PAGE, PROT_READ, private | MAP_ANONYMOUS, NULL, 0); break;
	}
}

static void work(void *arg)
{
	struct prng prng = prng_seed((uintptr_t)arg, 0);

	for (int i = 0; i < 100; i++)
		step(&prng, AREA + prng_below(&prng, 200) * 2 * PAGE, 1 + prng_below(&prng, 90));
}

static void set_up(void *arg)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	struct physmem *physmem;

	memory.bytes = 1;
	memory.pages = 1 << 14;
	assert_int_equal(physmem_create(&physmem, &memory), 0);
	config.policy = arg;
	config.physmem = physmem;
	config.brk_start = AREA / 2;
	config.limit_vmas = 2000;
	config.limit_as = UINT64_C(1) << 40;
	assert_int_equal(vmmap_create(&map, &config), 0);
	assert_int_equal(vmmap_object_create(&object, physmem, "file", UINT64_C(1) << 30, NULL), 0);
}

static void tear_down(void *arg)
{
	struct physmem *physmem = *(struct physmem **)arg;

	vmmap_destroy(map);
	vmmap_object_put(object);
	physmem_destroy(physmem);
}

static void on_core_0(void (*fn)(void *), void *arg)
{
	core_give(0, fn, arg);
	assert_int_equal(core_run(), 0);
}

static void every_access_has_a_name(void **state)
{
	static char policy[][12] = { "vma", "vma-count", "checked", "rwsem", "pervma", "spf", "range-tree",
				     "range-list", "fine-lock", "pt-lock" };

	(void)state;
	heap_listener = &heap;
	access_listener = &listener;
	for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
		struct physmem *physmem;

		on_core_0(set_up, policy[i]);
		physmem = map->physmem;
		for (uintptr_t k = 0; k < CORES; k++)
			core_give((uint32_t)k, work, (void *)(k + 1));
		assert_int_equal(core_run(), 0);
		core_settle(UINT64_C(50000000));
		name_all(true);
		on_core_0(tear_down, &physmem);
		name_all(true);
	}
	access_listener = NULL;
	heap_listener = NULL;
	printf("%lu accesses have a name\n", (unsigned long)named);
	assert_int_equal(nameless, 0);
	assert_true(named > 1000000);
}

/* ---- names ---- */

static void check(const void *at, const char *want)
{
	const char *label = label_of((uintptr_t)at);

	assert_non_null(label);
	assert_string_equal(label, want);
	assert_ptr_equal(label, label_of((uintptr_t)at));
}

static void names_say_type_and_field(void **state)
{
	struct vtree_seen seen_there;
	static char policy[] = "vma";
	struct physmem *physmem;

	(void)state;
	on_core_0(set_up, policy);
	physmem = map->physmem;
	(void)vmmap_mmap(map, AREA, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	(void)vmmap_fault(map, AREA, PROT_WRITE, NULL);
	vtree_find(&map->tree, AREA, &seen_there);
	check(&seen_there.vma->slot.lk, "vma.slot.lk");
	check((char *)&seen_there.vma->bits + 7, "vma.bits");
	check(&vtree_leaf_of(&map->tree, AREA)->word, "vtree_leaf.word");
	check(&vtree_leaf_of(&map->tree, AREA)->first[3], "vtree_leaf.first[]");
	check(pt_find(&map->pt, AREA), "pt_table.word[]");
	check(&map->tree.root[2], "vmmap.tree.root[]");
	check(&physmem->far_lock, "physmem.far_lock");
	check(&physmem->word[1], "frame.word[]");
	check(&physmem->batch_of[1].cookie, "frame_batch.cookie");
	check(physmem->bytes, "frame.bytes");
	check(&thread_self()->rcu_word, "thread.c:slot_of[].rcu_word");
	check(&thread_current, "thread.c:thread_current");
	check(&rcu_global.epoch, "rcu.c:rcu_global.epoch");
	check(thread_local_at(&physmem->slots, thread_self()->number), "frame_slot.taken");
	check(thread_local_at(&map->locals, thread_self()->number), "space_local.last.slot");
	check(&policy, "test_label.c:policy[]");
	check(&physmem, "stack");
	assert_null(label_of(8));
	on_core_0(tear_down, &physmem);
}

static void locations_say_function_and_line(void **state)
{
	const char *where = debug_location((const char *)(uintptr_t)vmmap_create + 1);

	(void)state;
	assert_non_null(strstr(where, "vmmap_create vmmap/space/create.c:"));
	assert_string_equal(debug_location((const void *)8), "?");
}

/* Each byte of each struct is a field's, or padding that alignment explains: less than 128 bytes in a row. */
static void every_byte_is_a_field(void **state)
{
	static const char *const type[] = {
		"vmmap", "vma", "vtree_leaf", "vtree_inner", "vtree_nodes", "node_cache", "pt_table", "pt_slot",
		"physmem", "frame_slot", "frame_batch", "range_thread", "intree", "rwsem_state", "writer",
		"checked_state", "space_local", "vma_list", "object", "rmap", "rmap_gate", "thread_slot", "rcu_slot",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(type); i++) {
		const struct debug_type *t = debug_struct(type[i]);
		size_t hole = 0;

		assert_non_null(t);
		for (size_t at = 0; at < debug_bytes(t); at++) {
			hole = debug_field(t, at) != NULL ? 0 : hole + 1;
			assert_true(hole < CACHE_PAIR);
		}
		assert_null(debug_field(t, debug_bytes(t)));
	}
	assert_null(debug_struct("no_such_struct"));
}

/* Bit fields of one unit have one name, whichever bytes of it the compiler touches; what comes next has its own. */
static void bit_fields_end_with_their_unit(void **state)
{
	const struct debug_type *leaf = debug_struct("vtree_leaf");
	size_t next = offsetof(struct vtree_leaf, low_most);

	(void)state;
	assert_string_equal(debug_field(leaf, next - 2), ".turns");
	assert_string_equal(debug_field(leaf, next - 1), ".turns");
	assert_string_equal(debug_field(leaf, next), ".low_most");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_a_field),
		cmocka_unit_test(bit_fields_end_with_their_unit),
		cmocka_unit_test(locations_say_function_and_line),
		cmocka_unit_test(names_say_type_and_field),
		cmocka_unit_test(every_access_has_a_name),
	};

	(void)argc;
	kernel_same_addresses(argv);
	core_begin(CORES);
	return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
