/* SPDX-License-Identifier: MIT */
/*
 * Window: MADV_FREE has found a VMA; before it comes to an entry, or to its answer, the page becomes another mapping's.
 * Rule: what changes no VMA follows the fault's protocol entry by entry, and a refusal is validated like the rest.
 * Broken: a page is dropped that FREE may not drop; memory is refused that was anonymous all the time.
 * mutant: advise_drops_unchecked
 * mutant: advise_denies_unchecked
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define ELSEWHERE (BASE + MIB)

static void advise_free(struct window_thread *t) { t->result = vmmap_madvise(t->map, t->addr, PAGE, MADV_FREE); }

static struct vmmap_object *object;

static void object_at(struct vmmap *map, uint64_t addr)
{
	expect(vmmap_mmap(map, addr, PAGE, RW, MAP_PRIVATE | MAP_FIXED, object, 0) == (int64_t)addr);
}

static void anonymous_at(struct vmmap *map, uint64_t addr, uint64_t word)
{
	expect(vmmap_mmap(map, addr, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)addr);
	expect(vmmap_write(map, addr, &word, sizeof word) == sizeof word);
}

/* The page is a private copy of an object's by the time at which it would be dropped. */
static void dropped(struct vmmap *map)
{
	struct window_thread advise = { .role = "advise", .fn = advise_free, .map = map, .addr = BASE };
	uint64_t word = 7, got = 0;

	anonymous_at(map, BASE, 1);
	window_start_to(&advise, "advise_before_entry");
	object_at(map, BASE);
	expect(vmmap_write(map, BASE, &word, sizeof word) == sizeof word);
	point_release("advise", "advise_before_entry");
	window_join(&advise);
	expect(vmmap_read(map, BASE, &got, sizeof got) == sizeof got && got == word);
	expect(advise.result == -EINVAL);
}

/* The page is anonymous before and after; the VMA that was found lives again elsewhere, where it maps an object. */
static void denied(struct vmmap *map)
{
	struct window_thread advise = { .role = "denied", .fn = advise_free, .map = map, .addr = BASE };
	struct vma *vma;

	anonymous_at(map, BASE, 1);
	vma = vtree_lookup(&map->tree, BASE);
	window_start_to(&advise, "advise_after_begin");
	anonymous_at(map, BASE, 2);
	object_at(map, ELSEWHERE);
	expect(vtree_lookup(&map->tree, ELSEWHERE) == vma);
	point_release("denied", "advise_after_begin");
	window_join(&advise);
	expect(advise.result == 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vmmap_object_create(&object, map->physmem, "w83", PAGE, NULL) == 0);
	dropped(map);
	denied(map);
	expect(vmmap_munmap(map, BASE, 2 * MIB) == 0);
	expect(vmmap_object_resize(object, 0) == 0);
	vmmap_object_put(object);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
