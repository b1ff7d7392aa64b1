/* SPDX-License-Identifier: MIT */
/* heap.c - see heap.h. */
#include <search.h>
#include <stdlib.h>
#include <string.h>
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
/* What each core is about: the table that it makes a block of; whether it is in mem_reserve. */
static struct about { const struct thread_local_table *table; bool reserves; } about_of[CORE_MAX + 1];

static struct about *mine(void)
{
	return &about_of[core_current->number == CORE_MAIN ? CORE_MAX : core_current->number];
}

bool heap_reserving(void)
{
	return mine()->reserves;
}

void heap_settle(void)
{
	memset(about_of, 0, (core_count() + 1) * sizeof(about_of[0]));
	about_of[CORE_MAX] = (struct about){ NULL, false };
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
	struct heap_block *copy = malloc(sizeof(*copy)), **found;

	CHECK(copy != NULL);
	*copy = *block;
	found = tsearch(copy, &blocks, by_place);
	CHECK(found != NULL && *found == copy);
}

void heap_remove(uintptr_t at)
{
	struct heap_block key = { .at = at, .bytes = 1 }, **found = tfind(&key, &blocks, by_place), *block;

	if (found == NULL || (*found)->at != at)         /* a run that was cut short before the block was known     */
		return;
	block = *found;
	tdelete(block, &blocks, by_place);
	free(block);
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

	return came(p, &(struct heap_block){ (uintptr_t)p, bytes, align, purpose, mine()->table });
}

void __wrap_mem_free(enum mem_purpose purpose, void *p, size_t bytes)
{
	goes(p);
	__real_mem_free(purpose, p, bytes);
}

void *__wrap_mem_reserve(enum mem_purpose purpose, size_t bytes)
{
	void *p;

	mine()->reserves = true;
	p = __real_mem_reserve(purpose, bytes);
	mine()->reserves = false;
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

	mine()->table = t;
	block = __real_thread_local_make(t, number);
	mine()->table = NULL;
	return block;
}
