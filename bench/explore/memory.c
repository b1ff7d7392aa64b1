/* SPDX-License-Identifier: MIT */
/*
 * memory.c - see memory.h. The arena, the log of undone stores, and the table of words.
 *
 * The linker leads mem_alloc and mem_reserve (base/mem), and the mmap of the latter, here; what mem_alloc asks for
 * by its table of functions. Nothing here is instrumented, and nothing of it is undone but what memory_save has noted.
 */
#include "bench/explore/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/point.h"
#include "base/site.h"

#define ARENA_AT    ((char *)UINT64_C(0x200000000000))
#define ARENA_BYTES (UINT64_C(4) << 30)
#define LOG_BYTES   (UINT64_C(1) << 30)
#define SLABS       64

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
void *__real_mem_reserve(enum mem_purpose purpose, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
void *__real_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align);
void *__wrap_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align);
void *__wrap_mem_reserve(enum mem_purpose purpose, size_t bytes);

struct record { uintptr_t at; uint64_t bytes; };         /* in the log: behind the bytes that stood there          */

static char *top;                        /* of the arena                                                            */
static char *saved_top, *log_at, *log_end;
static bool reserving, saved;
static uint32_t run = 1;
static struct word words[MEMORY_WORDS];
static uint32_t words_used;
static struct { uintptr_t lo, hi; } slab[SLABS];
static unsigned slabs, saved_slabs;

/* ---- the arena ---- */

static void *take(size_t align, size_t bytes)
{
	char *p = (char *)(((uintptr_t)top + align - 1) & ~(uintptr_t)(align - 1));

	if (p + bytes > ARENA_AT + ARENA_BYTES)
		return NULL;
	top = p + bytes;
	return p;
}

/* At least two words apart: no two allocations share a line. */
static void *arena_alloc(size_t align, size_t bytes)
{
	return take(align < 64 ? 64 : align, (bytes + 63) & ~(size_t)63);
}

static void arena_free(void *p, size_t bytes)
{
	if (saved)
		for (size_t i = 0; i < bytes; i += 8)
			memory_word((uintptr_t)p + i)->freed_in = run;
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	if (!reserving)
		return __real_mmap(at, bytes, prot, flags, fd, offset);
	reserving = false;
	return take(4096, bytes);
}

int __wrap_munmap(void *at, size_t bytes)
{
	if (!memory_is_arena((uintptr_t)at))
		return __real_munmap(at, bytes);
	arena_free(at, bytes);
	return 0;
}

void *__wrap_mem_reserve(enum mem_purpose purpose, size_t bytes)
{
	char *p;

	reserving = true;
	p = __real_mem_reserve(purpose, bytes);
	reserving = false;
	return p;
}

void *__wrap_mem_alloc(enum mem_purpose purpose, size_t bytes, size_t align)
{
	char *p = __real_mem_alloc(purpose, bytes, align);

	if (p != NULL && purpose == MEM_VMA && slabs < SLABS) {
		slab[slabs].lo = (uintptr_t)p;
		slab[slabs++].hi = (uintptr_t)p + bytes;
	}
	return p;
}

bool memory_is_arena(uintptr_t at)
{
	return at - (uintptr_t)ARENA_AT < ARENA_BYTES;
}

bool memory_vma_slab(unsigned i, uintptr_t *lo, uintptr_t *hi)
{
	if (i >= slabs)
		return false;
	*lo = slab[i].lo;
	*hi = slab[i].hi;
	return true;
}

/* ---- undone stores ---- */

void memory_store(uintptr_t at, size_t bytes)
{
	struct record r = { at, bytes };

	if (!saved || (at >= (uintptr_t)saved_top && at < (uintptr_t)ARENA_AT + ARENA_BYTES))
		return;
	CHECK(log_at + bytes + sizeof(r) < log_end);
	memcpy(log_at, (const void *)at, bytes);
	memcpy(log_at + bytes, &r, sizeof(r));
	log_at += bytes + sizeof(r);
}

static char *log_begin(void)
{
	return log_end - LOG_BYTES;
}

void memory_save(void)
{
	saved_top = top;
	saved_slabs = slabs;
	saved = true;
	log_at = log_begin();
	run++;
}

void memory_restore(void)
{
	while (log_at > log_begin()) {
		struct record r;

		memcpy(&r, log_at - sizeof(r), sizeof(r));
		log_at -= sizeof(r) + r.bytes;
		memcpy((void *)r.at, log_at, r.bytes);
	}
	memset(saved_top, 0, (size_t)(top - saved_top)); /* what is reserved anew reads zero                        */
	top = saved_top;
	slabs = saved_slabs;
	reserving = false;
	run++;
}

/* ---- words ---- */

struct word *memory_word(uintptr_t at)
{
	uintptr_t key = at >> 3;
	uint32_t i = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 46);     /* 18 bits                         */

	while (words[i].key != key) {
		if (words[i].key == 0) {
			CHECK(++words_used < MEMORY_WORDS / 4 * 3);
			words[i].key = key;
			break;
		}
		i = (i + 1) & (MEMORY_WORDS - 1);
	}
	return &words[i];
}

uint32_t memory_word_number(const struct word *w)
{
	return (uint32_t)(w - words);
}

struct word *memory_word_at(uint32_t number)
{
	return &words[number];
}

uint32_t memory_run(void)
{
	return run;
}

static void ignore(const void *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		memory_word((uintptr_t)at + i)->ignored = true;
}

void memory_begin(void)
{
	static const struct mem_functions functions = { arena_alloc, arena_free };

	top = __real_mmap(ARENA_AT, ARENA_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(top == ARENA_AT);
	log_at = __real_mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(log_at != MAP_FAILED);
	log_end = log_at + LOG_BYTES;
	mem_set_functions(&functions);
	for (struct site **s = __start_vmmap_sites; s < __stop_vmmap_sites; s++)
		ignore(*s, sizeof(**s));
}
