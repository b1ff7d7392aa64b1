/* SPDX-License-Identifier: MIT */
/*
 * arenas.c - see arenas.h.
 *
 * A span of 1 MiB, at a multiple of it, has blocks of one size for one arena, behind a header; larger blocks have a
 * span of their own each, unmapped when they go. An arena's sizes are a list: the engine has some twenty. Arenas begin
 * at different places of their spans: else what they have alike was in the same few sets of a cache, a thousand times.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/mem.h"
#include "bench/sim/arenas.h"
#include "bench/sim/core.h"

#define SPAN  (UINT64_C(1) << 20)
#define LARGE (SPAN / 4)

struct block { struct block *next; };

#define SHIFT(number) ((number) * UINT64_C(4160) % 65536)

struct size {                                    /* of one arena                                                   */
	struct size *next;
	size_t bytes, align;
	struct block *free;
	char *fresh, *end;                       /* of its last span                                               */
};

struct span { struct size *of; size_t mapped; };  /* of: NULL: one large block                                      */

static struct size *arena[CORE_MAX + 1];

static struct size **mine(void)
{
	return &arena[core_current->number == CORE_MAIN ? CORE_MAX : core_current->number];
}

static size_t up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* At a multiple of SPAN. */
static struct span *map_span(size_t bytes)
{
	size_t all = bytes + SPAN;
	char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t at = up((uintptr_t)p, SPAN);
	struct span *span = (struct span *)at;

	if (p == MAP_FAILED)
		return NULL;
	if (at > (uintptr_t)p)
		munmap(p, at - (uintptr_t)p);
	if ((uintptr_t)p + all > at + bytes)
		munmap((char *)at + bytes, (uintptr_t)p + all - at - bytes);
	span->mapped = bytes;
	return span;
}

static void *large_alloc(size_t align, size_t bytes)
{
	size_t head = up(sizeof(struct span), align);
	struct span *span = head < SPAN ? map_span(up(head + bytes, 4096)) : NULL;

	return span == NULL ? NULL : (char *)span + head;
}

static struct size *size_of(size_t align, size_t bytes)
{
	struct size **list = mine(), *s = *list;

	while (s != NULL && (s->bytes != bytes || s->align != align))
		s = s->next;
	if (s == NULL && (s = malloc(sizeof(*s))) != NULL) {
		*s = (struct size){ .next = *list, .bytes = bytes, .align = align };
		*list = s;
	}
	return s;
}

static void *arenas_alloc(size_t align, size_t bytes)
{
	struct size *s;
	void *p;

	align = align > CACHE_LINE ? align : CACHE_LINE;
	bytes = up(bytes, align);
	if (bytes > LARGE)
		return large_alloc(align, bytes);
	s = size_of(align, bytes);
	if (s == NULL)
		return NULL;
	if (s->free != NULL) {
		p = s->free;
		s->free = s->free->next;
		return p;
	}
	if ((size_t)(s->end - s->fresh) < bytes) {
		struct span *span = map_span(SPAN);

		if (span == NULL)
			return NULL;
		span->of = s;
		s->fresh = (char *)span + up(sizeof(*span) + SHIFT(core_current->number), align);
		s->end = (char *)span + SPAN;
	}
	p = s->fresh;
	s->fresh += bytes;
	return p;
}

static void arenas_free(void *p, size_t bytes)
{
	struct span *span = (struct span *)((uintptr_t)p & ~(SPAN - 1));
	struct block *block = p;

	(void)bytes;
	if (span->of == NULL) {
		munmap(span, span->mapped);
		return;
	}
	block->next = span->of->free;
	span->of->free = block;
}

void arenas_begin(void)
{
	static const struct mem_functions functions = { arenas_alloc, arenas_free };

	mem_set_functions(&functions);
}
