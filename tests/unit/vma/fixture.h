/* SPDX-License-Identifier: MIT */
/* fixture.h - one tree and one pool for each test of a program, with its mutants and stops undone at the end. */
#ifndef TESTS_UNIT_VMA_FIXTURE_H
#define TESTS_UNIT_VMA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/point.h"
#include "tests/unit/vma/reference.h"

#define PAGES(n) ((uint64_t)(n) * PAGE_BYTES)
#define SECOND   UINT64_C(1000000000)

static struct vtree tree;
static struct vma_pool pool;

static inline int setup(void **state)
{
	(void)state;
	return vtree_init(&tree) != 0 || vma_pool_init(&pool, 0) != 0;
}

static inline int teardown(void **state)
{
	(void)state;
	point_mutant_select(NULL);
	point_reset();
	vtree_fini(&tree);
	vma_pool_fini(&pool);
	return 0;
}

/* A script over a race window: it says whether the engine did well, and must say no with the mutant. */
static inline void window(bool (*run)(void), const char *mutant)
{
	void *none = NULL;

	if (!point_available())
		skip();
	assert_true(run());
	assert_int_equal(point_timeouts(), 0);
	teardown(&none);
	setup(&none);
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_false(run());
	assert_int_equal(point_timeouts(), 0);
}

#endif
