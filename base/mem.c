/* SPDX-License-Identifier: MIT */
/*
 * mem.c - our metadata's memory, counted where it is asked for.
 *
 * Each slot has its own row of counters, which only its thread writes (plain add, published whole): statistics share
 * no line. What one thread allocates another may free, so a row is a signed difference and only the sum means bytes.
 * A sum read while others allocate may miss what they do meanwhile; at rest it is exact. Threads without a slot
 * (rcu.c's worker, which runs retired items) share one row by atomic adds.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "base/atomic.h"
#include "base/mem.h"
#include "base/thread.h"

struct mem_row { atomic_u64 bytes[MEM_PURPOSES]; } PAIR_ALIGNED;

static struct mem_row row_of_slot[THREAD_MAX];
static struct mem_row row_of_others;

static void *libc_alloc(size_t align, size_t bytes)
{
	return aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
}

static void libc_free(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}

static const struct mem_functions libc_functions = { libc_alloc, libc_free };
static struct mem_functions functions = { libc_alloc, libc_free };

static void account(enum mem_purpose purpose, uint64_t bytes)
{
	struct thread_slot *self = thread_current;

	if (likely(self != NULL))
		atomic_bump(&row_of_slot[self->number].bytes[purpose], bytes);
	else
		atomic_add_relaxed(&row_of_others.bytes[purpose], bytes);
}

static bool ordered_to_fail(void)
{
	struct thread_slot *self = thread_current;

	if (likely(self == NULL || self->mem_fail_nth == 0))
		return false;
	if (self->mem_fail_nth > 1) {
		self->mem_fail_nth--;
		return false;
	}
	self->mem_fail_nth = self->mem_fail_lasts;
	self->mem_fail_fired = 1;
	return true;
}

void mem_set_functions(const struct mem_functions *f)
{
	functions = f ? *f : libc_functions;
}

void *(mem_alloc)(enum mem_purpose purpose, size_t bytes, size_t align)
{
	void *p;

	ASSERT(bytes > 0 && align > 0 && (align & (align - 1)) == 0);
	if (align < sizeof(void *))
		align = sizeof(void *);
	if (unlikely(bytes > SIZE_MAX - align) || ordered_to_fail())
		return NULL;
	p = functions.alloc(align, bytes);
	if (unlikely(p == NULL))
		return NULL;
	account(purpose, bytes);
	return memset(p, 0, bytes);
}

void mem_free(enum mem_purpose purpose, void *p, size_t bytes)
{
	if (p == NULL)
		return;
	account(purpose, -(uint64_t)bytes);
	functions.free(p, bytes);
}

/*
 * LeakSanitizer, where the process has it, finds pointers in malloc's memory and in what it is told of. Nodes point at
 * their tree, and may be all that does so: those that wait for their grace period when the process ends.
 */
__attribute__((weak)) void __lsan_register_root_region(const void *p, size_t bytes);
__attribute__((weak)) void __lsan_unregister_root_region(const void *p, size_t bytes);

static void show_pointers(enum mem_purpose purpose, const void *p, size_t bytes)
{
	if (purpose == MEM_NODE && __lsan_register_root_region != NULL)
		__lsan_register_root_region(p, bytes);
}

static void hide_pointers(enum mem_purpose purpose, const void *p, size_t bytes)
{
	if (purpose == MEM_NODE && __lsan_unregister_root_region != NULL)
		__lsan_unregister_root_region(p, bytes);
}

void *(mem_reserve)(enum mem_purpose purpose, size_t bytes)
{
	void *p;

	ASSERT(bytes > 0);
	if (ordered_to_fail())
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	account(purpose, bytes);
	show_pointers(purpose, p, bytes);
	return p;
}

void mem_unreserve(enum mem_purpose purpose, void *p, size_t bytes)
{
	if (p == NULL)
		return;
	account(purpose, -(uint64_t)bytes);
	hide_pointers(purpose, p, bytes);
	CHECK(munmap(p, bytes) == 0);
}

void mem_discard(void *p, size_t bytes)
{
	(void)madvise(p, bytes, MADV_DONTNEED);  /* its own, whole and private: nothing that could be refused      */
}

void mem_want_huge(void *p, size_t bytes)
{
	(void)madvise(p, bytes, MADV_HUGEPAGE);  /* refused where huge pages are off: no matter                    */
}

uint64_t mem_bytes(enum mem_purpose purpose)
{
	uint64_t sum = atomic_load_relaxed(&row_of_others.bytes[purpose]);

	for (uint32_t i = 0; i < thread_count(); i++)
		sum += atomic_load_relaxed(&row_of_slot[i].bytes[purpose]);
	return sum;
}

const char *mem_purpose_name(enum mem_purpose purpose)
{
	static const char *const name[MEM_PURPOSES] = {
		[MEM_MAP] = "map", [MEM_VMA] = "vma", [MEM_NODE] = "node", [MEM_TABLE] = "table",
		[MEM_FRAME] = "frame", [MEM_OBJECT] = "object", [MEM_SLOT] = "slot", [MEM_OTHER] = "other",
	};

	return name[purpose];
}

static void fail_order(uint64_t n, uint32_t lasts)
{
	struct thread_slot *self = thread_self();

	self->mem_fail_nth = n;
	self->mem_fail_lasts = lasts;
	self->mem_fail_fired = 0;
}

void mem_fail_nth(uint64_t n)
{
	fail_order(n, 0);
}

void mem_fail_from(uint64_t n)
{
	fail_order(n, 1);
}

bool mem_fail_fired(void)
{
	return thread_self()->mem_fail_fired != 0;
}
