/* SPDX-License-Identifier: MIT */
/* physseg_tables.h - tables of segments for tests: one of each index, and the default in sections. */
#ifndef TESTS_UNIT_PHYS_PHYSSEG_TABLES_H
#define TESTS_UNIT_PHYS_PHYSSEG_TABLES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "vmmap/phys/physseg.h"

struct kind {
	const char *index;
	int sections;
	int places;                                      /* handles are places in the order                        */
};

static const struct kind kinds[] = {
	{ "bitmap", 0, 0 }, { "bitmap", 1, 0 }, { "cow-array", 0, 0 }, { "rbtree", 0, 0 }, { "array", 0, 1 },
};

static inline struct physseg_table *table_of(const struct kind *kind, uint64_t base, uint64_t limit)
{
	struct physseg_config config = PHYSSEG_CONFIG;
	struct physseg_table *t = NULL;

	config.index = kind->index;
	config.sections = kind->sections;
	config.base = base;
	config.limit = limit;
	assert_int_equal(physseg_create(&t, &config), 0);
	return t;
}

static inline void table_end(struct physseg_table *t)
{
	assert_int_equal(physseg_audit(t, stderr), 0);
	physseg_destroy(t);
}

static inline int same(struct physseg_handle a, struct physseg_handle b)
{
	return a.slot == b.slot && a.generation == b.generation;
}

static inline struct physseg_handle plug(struct physseg_table *t, uint64_t pfn, uint64_t pages)
{
	struct physseg_handle h = PHYSSEG_INVALID;

	assert_int_equal(physseg_plug(t, pfn, pages, &h), 0);
	return h;
}

static inline struct physseg_handle load(struct physseg_table *t, const struct physseg_boot *what)
{
	struct physseg_handle h = PHYSSEG_INVALID;

	assert_int_equal(physseg_load(t, what, &h), 0);
	return h;
}

static inline void assert_segment(struct physseg_table *t, struct physseg_handle h, const struct physseg_boot *is)
{
	assert_true(physseg_valid(t, h));
	assert_int_equal(physseg_start(t, h), is->start);
	assert_int_equal(physseg_end(t, h), is->end);
	assert_int_equal(physseg_avail_start(t, h), is->avail_start);
	assert_int_equal(physseg_avail_end(t, h), is->avail_end);
	assert_int_equal(physseg_free_list(t, h), is->free_list);
}

/* Ends of a segment and of its available part; with its free list, else that is 0. */
#define BOOT(start, end, from, to, list) (&(struct physseg_boot){ start, end, from, to, list })
#define RUN(start, end, from, to) BOOT(start, end, from, to, 0)

#endif
