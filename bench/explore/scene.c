/* SPDX-License-Identifier: MIT */
/* scene.c - see scene.h. */
#include "bench/explore/scene.h"

#include "base/clock.h"

void scene_pages(uint64_t n)
{
	scene_map();
	scene_mmap(PAGES(0, n), RW);
}

void scene_two_leaves(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(0, 1024), RW);
}

void scene_fill_movable(void (*fill)(void))
{
	static uint64_t taken[SCENE_MOVABLE_FROM];
	uint64_t n = 0, pfn;

	while ((pfn = physmem_frame_alloc(scene.physmem)) != PHYSMEM_NONE)
		taken[n++] = pfn;
	fill();
	while (n)
		expect(physmem_frame_free(scene.physmem, taken[--n]) == 0);
}

bool scene_is_movable(uint64_t pfn) { return pfn >= SCENE_MOVABLE_FROM; }

uint64_t scene_soon(void)
{
	return clock_ns() + 1000000;
}

void scene_take(unsigned i, uint64_t at, uint64_t len)
{
	scene_hold(i, at, len);
	scene_release(i);
}

int scene_take_until(unsigned i, uint64_t at, uint64_t len, uint64_t until)
{
	int rc = vmmap_hold_until(scene.map, at, len, &scene.held[i], until);

	expect(rc == 0 || rc == (until == VMMAP_TRY ? -EAGAIN : -ETIMEDOUT));
	if (rc == 0)
		scene_release(i);
	return rc;
}

void scene_keep(unsigned i, uint64_t at, uint64_t len, unsigned awaits)
{
	scene_hold(i, at, len);
	scene_signal(THERE);
	if (awaits >= SCENE_MUST)
		scene_must(awaits - SCENE_MUST);
	else
		(void)scene_await(awaits);
	scene_release(i);
}

void scene_keep_asleep(unsigned i, uint64_t at, uint64_t len)
{
	scene_hold(i, at, len);
	scene_signal(THERE);
	scene_asleep(1);
	scene_release(i);
}

void scene_pass(uint64_t at, uint64_t len, unsigned waiters, unsigned times)
{
	scene_hold(0, at, len);
	for (unsigned n = 0; n <= times; n++) {
		for (unsigned i = 1; i <= waiters; i++)
			scene_asleep(i);
		if (n < times) {
			scene_release(0);
			scene_hold(0, at, len);
		}
	}
}

void scene_then_munmap(uint64_t at, uint64_t len)
{
	(void)scene_await(THERE);
	expect(scene_munmap(1, at, len) == 0);
	scene_signal(BACK);
}

void scene_then_protect(uint64_t at, uint64_t len, int prot)
{
	(void)scene_await(THERE);
	expect(scene_protect(1, at, len, prot) == 0);
	scene_signal(BACK);
}

void scene_then_fixed(uint64_t at, uint64_t len, int prot)
{
	(void)scene_await(THERE);
	expect(scene_fixed(1, at, len, prot) == (int64_t)at);
	scene_signal(BACK);
}

void scene_then_fault_soon(uint64_t at)
{
	(void)scene_await(THERE);
	scene.result[1] = vmmap_fault_until(scene.map, at, PROT_WRITE, NULL, scene_soon());
	expect(scene.result[1] == 0 || scene.result[1] == -ETIMEDOUT);
}

void scene_word_is(uint64_t at, uint64_t word)
{
	uint64_t there = ~word;

	expect(vmmap_read(scene.map, at, &there, sizeof(there)) == sizeof(there) && there == word);
}

uint64_t scene_word_of(struct vmmap *map, uint64_t at)
{
	uint64_t word = 0;

	expect(vmmap_read(map, at, &word, sizeof(word)) == sizeof(word));
	return word;
}

void scene_put(struct vmmap *map, uint64_t at, uint64_t word)
{
	expect(vmmap_write(map, at, &word, sizeof(word)) == sizeof(word));
}

uint64_t scene_fork(void)
{
	struct vmmap *made;

	expect(vmmap_fork(&made, scene.map) == 0);
	return (uintptr_t)made;
}

void scene_is_cut(uint64_t at)
{
	struct vmmap_fault_info info;

	expect(vmmap_fault(scene.map, at, PROT_READ, &info) == -EFAULT && info.code == VMMAP_BUS);
}
