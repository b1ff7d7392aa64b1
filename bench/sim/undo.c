/* SPDX-License-Identifier: MIT */
/*
 * undo.c - see undo.h.
 *
 * Of each word of the area and of the program's variables a stamp says which of its bytes are in the log since the last
 * mark or return: a byte that is stored to a hundred times is logged once. What lies elsewhere is logged each time.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "bench/sim/core.h"
#include "bench/sim/heap.h"
#include "bench/sim/undo.h"

#define HUGE (UINT64_C(1) << 20)         /* a reservation that is cleared by giving its pages back                  */

/* The log: up to eight bytes, which stood at an address; their number above it. */
struct entry { uint64_t where, before; };
#define ENTRY_AT    ((UINT64_C(1) << 56) - 1)
#define ENTRY_BYTES 56

static struct entry *text;
static size_t length, room;
static bool begun;
static uintptr_t area = UNDO_AREA;       /* what is given out next                                                  */
static uintptr_t fresh;                  /* from here on: given since the last mark, needs no log                   */
static struct came { uintptr_t at; size_t reserved; } *came;
static size_t ncame, came_room;
static uint32_t *stamps, epoch;          /* stamp: epoch << 8 | a bit per byte                                      */

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);

/* ---- the area ---- */

static void note(uintptr_t at, size_t reserved)
{
	if (ncame == came_room) {
		came_room = came_room ? 2 * came_room : 64;
		came = realloc(came, came_room * sizeof(*came));
		CHECK(came != NULL);
	}
	came[ncame++] = (struct came){ at, reserved };
}

static void *take(size_t align, size_t bytes, bool reserve)
{
	uintptr_t at = (area + align - 1) & ~(uintptr_t)(align - 1);

	CHECK(at + bytes <= UNDO_AREA + UNDO_AREA_BYTES);
	area = at + bytes;
	note(at, reserve ? bytes : 0);
	return (void *)at;
}

/* No two allocations share a line. */
static void *area_alloc(size_t align, size_t bytes)
{
	return take(align < CACHE_LINE ? CACHE_LINE : align, (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1),
		    false);
}

static void area_free(void *p, size_t bytes)
{
	(void)p;
	(void)bytes;
}

/* What is reserved reads zero, whatever lay there in a run of before. */
static void clear(const struct came *c)
{
	if (c->reserved >= HUGE)
		CHECK(madvise((void *)c->at, c->reserved, MADV_DONTNEED) == 0);
	else
		memset((void *)c->at, 0, c->reserved);
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *p;

	if (!begun || !heap_reserving())
		return __real_mmap(at, bytes, prot, flags, fd, offset);
	p = take(4096, bytes, true);
	clear(&came[ncame - 1]);
	return p;
}

int __wrap_munmap(void *at, size_t bytes)
{
	return (uintptr_t)at - UNDO_AREA < UNDO_AREA_BYTES ? 0 : __real_munmap(at, bytes);
}

static void *zeroes(void *at, size_t bytes)
{
	void *p = __real_mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			      (at != NULL ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	CHECK(p != MAP_FAILED && (at == NULL || p == at));
	return p;
}

static size_t words(void)
{
	return (UNDO_AREA_BYTES + CORE_STACKS_BYTES + (size_t)(_end - __data_start) + 16) / 8;
}

void *undo_word_table(size_t bytes)
{
	return zeroes(NULL, words() * bytes);
}

void undo_begin(void)
{
	static const struct mem_functions functions = { area_alloc, area_free };

	CHECK(!begun);
	(void)zeroes((void *)(uintptr_t)UNDO_AREA, UNDO_AREA_BYTES);
	stamps = undo_word_table(sizeof(*stamps));
	epoch = 1;
	fresh = area;
	begun = true;
	mem_set_functions(&functions);
	heap_keeps = true;
}

/* ---- the log ---- */

/* A word is copied by one instruction; the size of what is less is not known to the compiler. */
static ALWAYS_INLINE void copy(void *to, const void *from, size_t bytes)
{
	if (likely(bytes == 8))
		memcpy(to, from, 8);
	else
		memcpy(to, from, bytes);
}

static void keep(uintptr_t at, size_t bytes)
{
	struct entry e = { at | (uint64_t)bytes << ENTRY_BYTES, 0 };

	if (unlikely(length == room)) {
		room = room ? 2 * room : 4096;
		text = realloc(text, room * sizeof(*text));
		CHECK(text != NULL);
	}
	copy(&e.before, (const void *)at, bytes);
	text[length++] = e;
}

/* These bytes of that word, since the last mark or return. */
static bool first_time(uint32_t *stamp, uint32_t mask)
{
	if (*stamp >> 8 != epoch)
		*stamp = epoch << 8;
	if ((*stamp & mask) == mask)
		return false;
	*stamp |= mask;
	return true;
}

void undo_store(uintptr_t at, size_t bytes)
{
	if (at - fresh < UNDO_AREA + UNDO_AREA_BYTES - fresh)
		return;
	while (bytes > 0) {
		uintptr_t from = at & 7;
		size_t n = 8 - from < bytes ? 8 - from : bytes;
		uint32_t word = undo_word(at);

		if (word == UNDO_NOWHERE || first_time(&stamps[word], ((1u << n) - 1) << from))
			keep(at, n);
		at += n;
		bytes -= n;
	}
}

static void next_epoch(void)
{
	if (++epoch < 1u << 24)
		return;
	CHECK(madvise(stamps, words() * sizeof(*stamps), MADV_DONTNEED) == 0);
	epoch = 1;
}

void undo_take(struct undo_mark *mark)
{
	*mark = (struct undo_mark){ length, ncame, area, core_picture_take() };
	fresh = area;
	next_epoch();
}

static void write_back(const struct entry *e)
{
	copy((void *)(e->where & ENTRY_AT), &e->before, e->where >> ENTRY_BYTES);
}

void undo_back(const struct undo_mark *mark)
{
	CHECK(length >= mark->log);
	while (length > mark->log)
		write_back(&text[--length]);
	while (ncame > mark->blocks) {
		const struct came *last = &came[--ncame];

		heap_remove(last->at);
	}
	heap_settle();
	area = fresh = mark->area;
	next_epoch();
	core_picture_put_back(mark->cores);
}

void undo_drop(struct undo_mark *mark)
{
	core_picture_free(mark->cores);
	mark->cores = NULL;
}

/* ---- sums ---- */

static uint64_t of_bytes(uintptr_t at, uint64_t value)
{
	return prng_mix(value * UINT64_C(0xd1b54a32d192ed03) + at);
}

/* Entries in any order: two of one place differ in nothing but what stood there, which does not count. */
uint64_t undo_sum(const struct undo_mark *mark)
{
	uint64_t sum = 0;

	for (const struct entry *e = text + mark->log; e < text + length; e++) {
		uint64_t now = 0;

		memcpy(&now, (const void *)(e->where & ENTRY_AT), e->where >> ENTRY_BYTES);
		if (now != e->before)
			sum += of_bytes(e->where, now);
	}
	for (const struct came *c = came + mark->blocks; c < came + ncame; c++) {
		uintptr_t end = c + 1 < came + ncame ? c[1].at : area;

		for (uintptr_t at = c->at; at < end; at += 8) {
			uint64_t now = *(const uint64_t *)at;

			if (now != 0)
				sum += of_bytes(at, now);
		}
	}
	return prng_mix(sum ^ area);
}
