/* SPDX-License-Identifier: MIT */
/* undo.c - see undo.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/mem.h"
#include "bench/sim/core.h"
#include "bench/sim/heap.h"
#include "bench/sim/undo.h"

#define AREA_BYTES (UINT64_C(1) << 36)           /* reserved, not used                                             */

/* The log: for each store the old bytes, padded, then this. Read from its end. */
struct entry { uintptr_t at; size_t bytes; };

static char *text;
static size_t length, room;
static uintptr_t area, area_end;         /* what mem_alloc gives next; the area's end                               */
static uintptr_t fresh;                  /* from here on: given since the last mark, needs no log                   */
static struct came { uintptr_t at; size_t reserved; } *came;
static size_t ncame, came_room;

static void *area_alloc(size_t align, size_t bytes)
{
	uintptr_t at = (area + align - 1) & ~(uintptr_t)(align - 1);

	CHECK(at + bytes <= area_end);
	area = at + bytes;
	return (void *)at;
}

static void area_free(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}

static void note(const struct heap_block *block)
{
	if (ncame == came_room) {
		came_room = came_room ? 2 * came_room : 64;
		came = realloc(came, came_room * sizeof(*came));
		CHECK(came != NULL);
	}
	came[ncame++] = (struct came){ block->at, block->align == 0 ? block->bytes : 0 };
}

/* Only what mem_alloc gave may go, as nothing really does. */
static void no_reservation(const struct heap_block *block)
{
	CHECK(block->align != 0);
}

void undo_begin(void)
{
	static const struct mem_functions functions = { area_alloc, area_free };
	static const struct heap_listener listener = { note, no_reservation };
	void *p = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED && area == 0);
	area = fresh = (uintptr_t)p;
	area_end = area + AREA_BYTES;
	mem_set_functions(&functions);
	heap_listener = &listener;
	heap_keeps = true;
}

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

void undo_store(uintptr_t at, size_t bytes)
{
	struct entry entry = { at, bytes };
	size_t need = padded(bytes) + sizeof(entry);

	CHECK(core_current->number != CORE_MAIN);
	if (at >= fresh && at < area_end)
		return;
	if (room - length < need) {
		room = 2 * room + need;
		text = realloc(text, room);
		CHECK(text != NULL);
	}
	memcpy(text + length, (const void *)at, bytes);
	memcpy(text + length + padded(bytes), &entry, sizeof(entry));
	length += need;
}

void undo_take(struct undo_mark *mark)
{
	*mark = (struct undo_mark){ length, ncame, area, core_picture_take() };
	fresh = area;
}

void undo_back(const struct undo_mark *mark)
{
	while (length > mark->log) {
		struct entry entry;

		length -= sizeof(entry);
		memcpy(&entry, text + length, sizeof(entry));
		length -= padded(entry.bytes);
		memcpy((void *)entry.at, text + length, entry.bytes);
	}
	CHECK(length == mark->log);
	while (ncame > mark->blocks) {
		const struct came *last = &came[--ncame];

		heap_remove(last->at);
		if (last->reserved)
			CHECK(munmap((void *)last->at, last->reserved) == 0);
	}
	area = fresh = mark->area;
	core_picture_put_back(mark->cores);
}

void undo_drop(struct undo_mark *mark)
{
	core_picture_free(mark->cores);
	mark->cores = NULL;
}
