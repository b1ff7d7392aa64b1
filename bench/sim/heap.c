/* SPDX-License-Identifier: MIT */
/* heap.c - see heap.h. */
#include <search.h>
#include <stdlib.h>
#include "base/assert.h"
#include "bench/sim/core.h"
#include "bench/sim/heap.h"

void *__real_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align);
void __real_mem_free(enum mem_purpose purpose, void *p, size_t bytes);
void *__real_mem_reserve(enum mem_purpose purpose, size_t bytes);
void __real_mem_unreserve(enum mem_purpose purpose, void *p, size_t bytes);
void *__real_thread_local_make(struct thread_local_table *t, uint32_t number);
void *__wrap_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align);
void __wrap_mem_free(enum mem_purpose purpose, void *p, size_t bytes);
void *__wrap_mem_reserve(enum mem_purpose purpose, size_t bytes);
void __wrap_mem_unreserve(enum mem_purpose purpose, void *p, size_t bytes);
void *__wrap_thread_local_make(struct thread_local_table *t, uint32_t number);

const struct heap_listener *heap_listener;
bool heap_keeps;

static void *blocks;                             /* tree of struct heap_block, by address; they do not overlap     */
static const struct thread_local_table *making[CORE_MAX + 1];    /* what each core is making a block of            */

static const struct thread_local_table **my_making(void)
{
	return &making[core_current->number == CORE_MAIN ? CORE_MAX : core_current->number];
}

static int by_place(const void *x, const void *y)
{
	const struct heap_block *a = x, *b = y;

	return a->at + a->bytes <= b->at ? -1 : a->at >= b->at + b->bytes;
}

const struct heap_block *heap_at(uintptr_t at)
{
	struct heap_block key = { .at = at, .bytes = 1 }, **found = tfind(&key, &blocks, by_place);

	return found != NULL ? *found : NULL;
}

static void heap_add(const struct heap_block *block)
{
	struct heap_block *mine = malloc(sizeof(*mine)), **found;

	CHECK(mine != NULL);
	*mine = *block;
	found = tsearch(mine, &blocks, by_place);
	CHECK(found != NULL && *found == mine);
}

void heap_remove(uintptr_t at)
{
	struct heap_block key = { .at = at, .bytes = 1 }, **found = tfind(&key, &blocks, by_place), *mine;

	CHECK(found != NULL && (*found)->at == at);
	mine = *found;
	tdelete(mine, &blocks, by_place);
	free(mine);
}

struct each { void (*fn)(const struct heap_block *block, void *arg); void *arg; };

static void visit(const void *node, VISIT order, void *arg)
{
	const struct each *each = arg;

	if (order == postorder || order == leaf)
		each->fn(*(struct heap_block *const *)node, each->arg);
}

void heap_each(void (*fn)(const struct heap_block *block, void *arg), void *arg)
{
	struct each each = { fn, arg };

	twalk_r(blocks, visit, &each);
}

static void *came(void *p, const struct heap_block *block)
{
	if (p == NULL)
		return NULL;
	heap_add(block);
	if (heap_listener != NULL && heap_listener->came != NULL)
		heap_listener->came(block);
	return p;
}

static void goes(const void *p)
{
	if (p == NULL)
		return;
	if (heap_listener != NULL && heap_listener->goes != NULL)
		heap_listener->goes(heap_at((uintptr_t)p));
	if (!heap_keeps)
		heap_remove((uintptr_t)p);
}

void *__wrap_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align)
{
	void *p = __real_mem_alloc(purpose, bytes, align);

	return came(p, &(struct heap_block){ (uintptr_t)p, bytes, align, purpose, *my_making() });
}

void __wrap_mem_free(enum mem_purpose purpose, void *p, size_t bytes)
{
	goes(p);
	__real_mem_free(purpose, p, bytes);
}

void *__wrap_mem_reserve(enum mem_purpose purpose, size_t bytes)
{
	void *p = __real_mem_reserve(purpose, bytes);

	return came(p, &(struct heap_block){ (uintptr_t)p, bytes, 0, purpose, NULL });
}

void __wrap_mem_unreserve(enum mem_purpose purpose, void *p, size_t bytes)
{
	goes(p);
	__real_mem_unreserve(purpose, p, bytes);
}

void *__wrap_thread_local_make(struct thread_local_table *t, uint32_t number)
{
	void *block;

	*my_making() = t;
	block = __real_thread_local_make(t, number);
	*my_making() = NULL;
	return block;
}
