/* SPDX-License-Identifier: MIT */
/* nomem_calls.h - for test_nomem: the calls that are made on a crowded map, each at several places. */
#ifndef TESTS_UNIT_SPACE_NOMEM_CALLS_H
#define TESTS_UNIT_SPACE_NOMEM_CALLS_H

#include "tests/unit/space/nomem_map.h"

static int64_t fixed_free(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 500 + 3 * page, 1, RW, NORES);
}

static int64_t fixed_over(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page + 1, 2, PROT_EXEC, NORES);
}

static int64_t fixed_over_many(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page + 1, 60, PROT_EXEC, NORES);
}

static int64_t fixed_over_large(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 1100 + page, 700, PROT_READ, NORES);
}

static int64_t fixed_object(struct vmmap *map, uint64_t page)
{
	return vmmap_mmap(map, BASE + (2 * page + 1) * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);
}

static int64_t shared_anonymous(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page, 1, RW, MAP_SHARED | MAP_ANONYMOUS);
}

static int64_t anywhere(struct vmmap *map, uint64_t page)
{
	return vmmap_mmap(map, 0, (page + 1) * PAGE, RW, NORES, NULL, 0);
}

static int64_t within(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mmap_within(map, BASE, BASE + 400 * PAGE, 2 * PAGE, PAGE, PAGE, RW, NORES, NULL, 0);
}

static int64_t unmap_one(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, page, 1);
}

static int64_t unmap_many(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 2 * page + 1, 100);
}

static int64_t unmap_middle(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 1500 + page, 1000);
}

static int64_t protect_one(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 2 * page + 1, 1, PROT_NONE);
}

static int64_t protect_middle(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 1200 + 3 * page, 1, PROT_READ);
}

static int64_t protect_many(struct vmmap *map, uint64_t page)
{
	return maps_protect(map, 2 * page + 1, 60, PROT_NONE);
}

static int64_t advise_one(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (2 * page + 1) * PAGE, PAGE, MADV_DONTDUMP);
}

static int64_t advise_many(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (2 * page + 1) * PAGE, 60 * PAGE, MADV_RANDOM);
}

static int64_t advise_drop(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + page * PAGE, 100 * PAGE, MADV_DONTNEED);
}

static int64_t populate(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (1000 + 600 * page) * PAGE, 600 * PAGE, MADV_POPULATE_WRITE);
}

static int64_t populate_object(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + (4000 + page) * PAGE, PAGE, MADV_POPULATE_READ);
}

static int64_t remap_shrink(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1100 + page) * PAGE, 500 * PAGE, 100 * PAGE, 0, 0);
}

static int64_t remap_grow(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mremap(map, BASE + 2999 * PAGE, PAGE, 2 * PAGE, 0, 0);
}

/* Linux does not move what could grow where it is. */
static int64_t remap_stay(struct vmmap *map, uint64_t page)
{
	int64_t old = (int64_t)(BASE + 2999 * PAGE), got;

	(void)page;
	got = vmmap_mremap(map, BASE + 2999 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	return got < 0 || got == old ? got : -EIO;
}

static int64_t remap_move(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 600 * PAGE, 601 * PAGE, MREMAP_MAYMOVE, 0);
}

static int64_t remap_fixed(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

/* Sources that do not overlap. */
static int64_t remap_fixed_apart(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + 3 * page) * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

static int64_t remap_same_length(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (page + 1) * PAGE);
}

static int64_t remap_keep(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
}

static int64_t remap_duplicate(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + 4000 * PAGE, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + (page + 1) * PAGE);
}

/* With a deadline: what has several steps without one is held as a whole. */
static int64_t until_drop(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise_until(map, BASE + (2 * page + 1) * PAGE, 100 * PAGE, MADV_DONTNEED, VMMAP_TRY);
}

static int64_t until_move(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (2 * page + 1) * PAGE, VMMAP_TRY);
}

static int64_t until_cut(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 9 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (2 * page + 1) * PAGE, VMMAP_TRY);
}

static int64_t until_cut_gap(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap_until(map, BASE + (1023 + page) * PAGE, 600 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				  BASE + (3500 + page) * PAGE, VMMAP_TRY);
}

static int64_t remap_object(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (4000 + page % 4) * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (2 * page + 1) * PAGE);
}

static int64_t grow_object(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mremap(map, BASE + 4007 * PAGE, PAGE, 3 * PAGE, 0, 0);
}

static int64_t unmap_object(struct vmmap *map, uint64_t page)
{
	return maps_unmap(map, 4002 + page, 1);
}

static int64_t break_up(struct vmmap *map, uint64_t page)
{
	uint64_t to = BASE + (9020 + page) * PAGE;

	return vmmap_brk(map, to) == (int64_t)to ? 0 : -ENOMEM;
}

static int64_t break_down(struct vmmap *map, uint64_t page)
{
	uint64_t to = BASE + (9008 - page) * PAGE;

	return vmmap_brk(map, to) == (int64_t)to ? 0 : -ENOMEM;
}

static int64_t fault_write(struct vmmap *map, uint64_t page)
{
	return maps_touch(map, 1001 + 512 * page);
}

static int64_t fault_read(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (1001 + 512 * page) * PAGE, PROT_READ, NULL);
}

/* Two frames: the object's page, and a copy of it. */
static int64_t fault_private(struct vmmap *map, uint64_t page)
{
	return maps_touch(map, 6001 + page);
}

static int64_t fault_shared(struct vmmap *map, uint64_t page)
{
	return maps_touch(map, 4001 + page);
}

static int64_t load(struct vmmap *map, uint64_t page)
{
	uint64_t word;
	ssize_t got = vmmap_read(map, BASE + (4002 + 1000 * page) * PAGE, &word, sizeof word);

	return got == sizeof word ? 0 : got;
}

static int64_t store(struct vmmap *map, uint64_t page)
{
	static const uint64_t at[] = { 2002, 4003, 5003, 6003 };
	ssize_t got = vmmap_write(map, BASE + at[page] * PAGE, &page, sizeof page);

	return got == sizeof page ? 0 : got;
}

static int64_t hold(struct vmmap *map, uint64_t page)
{
	int err = vmmap_hold(map, BASE + (2 * page + 1) * PAGE, 60 * PAGE, &pages_held);

	if (!err)
		vmmap_release(map, &pages_held);
	return err;
}

static int64_t hold_middle(struct vmmap *map, uint64_t page)
{
	int err = vmmap_hold(map, BASE + (1100 + 3 * page) * PAGE, PAGE, &pages_held);

	if (!err)
		vmmap_release(map, &pages_held);
	return err;
}

static int count_one(const struct vmmap_vma *vma, void *arg)
{
	(void)vma;
	++*(unsigned *)arg;
	return 0;
}

/* What looks, and what cannot fail. */
static int64_t look(struct vmmap *map, uint64_t page)
{
	struct vmmap_counters counters;
	struct physmem_usage frames;
	struct vmmap_usage usage;
	struct vmmap_vma vma;
	unsigned n = 0;

	vmmap_get_usage(map, &usage);
	vmmap_get_counters(map, &counters);
	physmem_get_usage(maps_memory, &frames);
	return vmmap_query(map, BASE + page * PAGE, &vma) || vmmap_walk(map, 0, UINT64_MAX, count_one, &n) ||
			       n != usage.vmas || vmmap_object_size(file) != 8 * PAGE ||
			       !vmmap_object_number(file) || !physmem_frame_bytes(maps_memory, 0)
		       ? -EIO
		       : 0;
}

static int64_t show(struct vmmap *map, uint64_t page)
{
	FILE *out = fopen("/dev/null", "w");
	int err;

	(void)page;
	assert_non_null(out);
	err = vmmap_print_maps(map, out);
	vmmap_dump(map, out);
	fclose(out);
	return err;
}

static int64_t audit(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_audit(map, stderr) ? -EIO : 0;
}

static int64_t hint(struct vmmap *map, uint64_t page)
{
	return vmmap_mmap(map, BASE + (600 + 3 * page) * PAGE, PAGE, RW, NORES, NULL, 0);
}

static int64_t populated(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 600 + 3 * page, 2, RW, NORES | MAP_POPULATE);
}

static int64_t stack(struct vmmap *map, uint64_t page)
{
	return maps_fixed(map, 2 * page + 1, 2, RW, NORES | MAP_GROWSDOWN);
}

static int64_t remap_many(struct vmmap *map, uint64_t page)
{
	return vmmap_mremap(map, BASE + (2 * page + 1) * PAGE, 12 * PAGE, 12 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    BASE + (1500 + page) * PAGE);
}

static int64_t free_pages(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + page * PAGE, 100 * PAGE, MADV_FREE);
}

static int64_t will_need(struct vmmap *map, uint64_t page)
{
	return vmmap_madvise(map, BASE + page * PAGE, 100 * PAGE, MADV_WILLNEED);
}

static int64_t grow(struct vmmap *map, uint64_t page)
{
	return vmmap_fault(map, BASE + (7599 - 2 * page) * PAGE, PROT_WRITE, NULL);
}

static int64_t protect_down(struct vmmap *map, uint64_t page)
{
	(void)page;
	return vmmap_mprotect(map, BASE + 7602 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN);
}

static int64_t lock_many(struct vmmap *map, uint64_t page)
{
	return vmmap_mlock(map, BASE + (2 * page + 1) * PAGE, 60 * PAGE, MLOCK_ONFAULT);
}

/* -EAGAIN: locked, and faulted in as far as there were frames. */
static int64_t lock_all(struct vmmap *map, uint64_t page)
{
	int err = vmmap_mlock(map, BASE + (1001 + 512 * page) * PAGE, 20 * PAGE, 0);

	return err == -EAGAIN ? -ENOMEM : err;
}

static int64_t lock_one(struct vmmap *map, uint64_t page)
{
	return vmmap_mlock(map, BASE + (2 * page + 1) * PAGE, PAGE, MLOCK_ONFAULT);
}

static int64_t pin_pages(struct vmmap *map, uint64_t page)
{
	uint64_t pfns[20];
	int err = vmmap_pin(map, BASE + (1001 + 512 * page) * PAGE, 20 * PAGE, pfns);

	return err ? err : vmmap_unpin(map, pfns, 20);
}

/* The file's, then those of what has a pager. */
static int64_t pin_object(struct vmmap *map, uint64_t page)
{
	uint64_t pfns[8];
	int err = vmmap_pin(map, BASE + (page ? 5300 : 4000) * PAGE, 8 * PAGE, pfns);

	return err ? err : vmmap_unpin(map, pfns, 8);
}

static int64_t unlock_middle(struct vmmap *map, uint64_t page)
{
	return vmmap_munlock(map, BASE + (8010 + 5 * page) * PAGE, 2 * PAGE);
}

#endif
