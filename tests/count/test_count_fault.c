/* SPDX-License-Identifier: MIT */
/*
 * test_count_fault.c - which lines a fault writes. Under `vma` a fault on anonymous memory writes no line that another
 * thread may want but the page-table entry's; one that finds its page present writes none at all.
 *
 * What is left out as the thread's own: its stack, its slot, its blocks in the instance's tables, and the metadata word
 * and record of the frame that it took from its own cache (nobody else knows that frame before the entry does).
 * liburcu's reader word does not pass base/atomic.h; it is the thread's own as well. libc's rwlock does not either:
 * --wrap reports it.
 *
 * The policies that lock something are measured the same way and must show it, so that this test can see.
 */
#include <pthread.h>

#include "base/count.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define WRITES 256
#define WARM   8                                 /* pages faulted beforehand: tables, caches, the anonymous group  */

enum kind { FIRST_WRITE, PRESENT_WRITE, FIRST_READ, PRESENT_READ, AFTER_READ, FOREIGN, KINDS };

static const char *const kind_name[KINDS] = {
	"first write", "write, present", "first read", "read, present", "write to the zero page",
	"another thread's page",
};

/* What one fault wrote beside the thread's own lines. */
struct wrote { unsigned entry, frame, lock, vma, other; };

struct log {
	const volatile void *where[WRITES];
	unsigned n;
	struct vmmap *map;
	struct thread_slot *self;
	uint64_t addr;
	struct vmmap_fault_info info;
	uintptr_t stack_lo, stack_hi;
};

struct worker {
	struct vmmap *map;
	uint64_t page;                           /* the first of a row of pages that nobody has touched            */
	uint64_t foreign;                        /* a page that another thread has written                         */
	struct wrote wrote[KINDS];
	int err;
	unsigned long long strays;               /* writes that found no place in the log                          */
};

static void note(const volatile void *where, void *arg)
{
	struct log *l = arg;

	if (l->n < WRITES)
		l->where[l->n] = where;
	l->n++;
}

int __real_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __real_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int __real_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	atomic_count_write(lock);
	return __real_pthread_rwlock_rdlock(lock);
}

int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
	atomic_count_write(lock);
	return __real_pthread_rwlock_tryrdlock(lock);
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	atomic_count_write(lock);
	return __real_pthread_rwlock_unlock(lock);
}

static bool in_block(uintptr_t at, const void *block, size_t bytes)
{
	return block && at >= (uintptr_t)block && at < (uintptr_t)block + bytes;
}

static bool in_table(uintptr_t at, struct thread_local_table *t, const struct thread_slot *self)
{
	return in_block(at, thread_local_at(t, self->number), t->block_bytes);
}

static bool is_own(const struct log *l, uintptr_t at)
{
	struct vmmap *map = l->map;

	return (at >= l->stack_lo && at < l->stack_hi) || in_block(at, l->self, sizeof *l->self) ||
	       in_table(at, &map->locals, l->self) || in_table(at, &map->vmas.lists, l->self) ||
	       in_table(at, &map->pt.slots, l->self) || in_table(at, &map->physmem->slots, l->self);
}

static struct wrote sort(const struct log *l)
{
	struct vmmap *map = l->map;
	struct wrote w = { 0 };
	struct vtree_seen seen;
	const struct frame_record *record = NULL;
	uintptr_t entry, frame = 0;

	rcu_enter(l->self);
	entry = (uintptr_t)pt_find(&map->pt, l->addr);
	vtree_find(&map->tree, l->addr, &seen);
	rcu_leave(l->self);
	if (l->info.pfn != PHYSMEM_NONE) {
		frame = (uintptr_t)&map->physmem->word[l->info.pfn - map->physmem->base];
		record = frame_record_of(map->physmem, l->info.pfn);
	}
	for (unsigned i = 0; i < l->n && i < WRITES; i++) {
		uintptr_t at = (uintptr_t)l->where[i];

		if (is_own(l, at))
			continue;
		if (at == entry)
			w.entry++;
		else if (at == frame || (frame && in_block(at, record, sizeof *record)))
			w.frame++;
		else if (in_block(at, map->lock_state, map->policy->state_bytes))
			w.lock++;
		else if (in_block(at, seen.vma, map->vmas.vma_bytes))
			w.vma++;
		else
			w.other++;
	}
	return w;
}

static void one_fault(struct worker *k, struct log *l, enum kind kind, uint64_t page, int access)
{
	int err;

	l->n = 0;
	l->addr = BASE + page * PAGE;
	atomic_count_start(note, l);
	err = vmmap_fault(k->map, l->addr, access, &l->info);
	atomic_count_stop();
	k->err = k->err ? k->err : err;
	k->strays += l->n > WRITES ? l->n - WRITES : 0;
	k->wrote[kind] = sort(l);
}

static void *work(void *arg)
{
	struct worker *k = arg;
	struct log log = { .map = k->map, .self = thread_self() };
	pthread_attr_t attr;
	void *stack;
	size_t bytes;

	k->err = pthread_getattr_np(pthread_self(), &attr) || pthread_attr_getstack(&attr, &stack, &bytes);
	pthread_attr_destroy(&attr);
	log.stack_lo = (uintptr_t)stack;
	log.stack_hi = (uintptr_t)stack + bytes;
	for (unsigned i = 0; i < WARM; i++)
		if (maps_touch(k->map, k->page++))
			k->err = 1;
	one_fault(k, &log, FIRST_WRITE, k->page, PROT_WRITE);
	one_fault(k, &log, PRESENT_WRITE, k->page, PROT_WRITE);
	one_fault(k, &log, FIRST_READ, k->page + 1, PROT_READ);
	one_fault(k, &log, PRESENT_READ, k->page + 1, PROT_READ);
	one_fault(k, &log, AFTER_READ, k->page + 1, PROT_WRITE);
	one_fault(k, &log, FOREIGN, k->foreign, PROT_WRITE);
	return NULL;
}

/* One worker on a map whose VMA, group and tables another thread made. Frames are metadata only. */
static struct worker measure(const char *policy)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct worker k = { .page = 16, .foreign = 0 };
	pthread_t thread;

	config.policy = policy;
	assert_int_equal(vmmap_create(&k.map, &config), 0);
	assert_int_equal(maps_fixed(k.map, 0, 256, RW, NORES), BASE);
	assert_int_equal(maps_touch(k.map, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, work, &k), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(k.err, 0);
	assert_int_equal(k.strays, 0);
	assert_int_equal(vmmap_audit(k.map, stderr), 0);
	vmmap_destroy(k.map);
	for (unsigned i = 0; i < KINDS; i++)
		print_message("%-10s %-24s entry %u  frame %u  lock %u  vma %u  other %u\n", policy, kind_name[i],
			      k.wrote[i].entry, k.wrote[i].frame, k.wrote[i].lock, k.wrote[i].vma, k.wrote[i].other);
	return k;
}

static unsigned foreign_lines(const struct wrote *w)
{
	return w->lock + w->vma + w->other;
}

/* entry: locked by one write, filled by the other. */
static void writes_only_the_entry(const struct wrote *w, bool entry, bool frame)
{
	assert_int_equal(foreign_lines(w), 0);
	assert_int_equal(w->entry, entry ? 2 : 0);
	assert_int_equal(w->frame != 0, frame);
}

/* Under `vma`, and under `spf`, where nothing is amiss. */
static void test_optimistic(void **state)
{
	static const char *const optimistic[] = { "vma", "spf" };

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(optimistic); p++) {
		struct worker k = measure(optimistic[p]);

		writes_only_the_entry(&k.wrote[FIRST_WRITE], true, true);
		writes_only_the_entry(&k.wrote[PRESENT_WRITE], false, false);
		writes_only_the_entry(&k.wrote[FIRST_READ], true, false);
		writes_only_the_entry(&k.wrote[PRESENT_READ], false, false);
		writes_only_the_entry(&k.wrote[AFTER_READ], true, true);
		writes_only_the_entry(&k.wrote[FOREIGN], true, false);   /* which says that two have touched it */
	}
}

/* What the others write for being sure of their VMA: the lock, or the VMA's counter, twice per fault. */
static void test_others(void **state)
{
	static const char *const global[] = { "rwlock", "rwsem" }, *const counted[] = { "pervma", "vma-count" };

	(void)state;
	measure("none");
	for (unsigned p = 0; p < ARRAY_SIZE(global); p++) {
		struct worker k = measure(global[p]);

		for (unsigned i = 0; i < KINDS; i++)
			assert_true(k.wrote[i].lock >= 2);
	}
	for (unsigned p = 0; p < ARRAY_SIZE(counted); p++) {
		struct worker k = measure(counted[p]);

		for (unsigned i = 0; i < KINDS; i++)
			assert_true(k.wrote[i].vma >= 2);
	}
}

/* The group of a VMA is one write of its line in all of its life: the first fault's. */
static void test_group(void **state)
{
	struct worker k = { .page = 16, .foreign = 0 };
	struct log log = { .self = thread_self() };

	(void)state;
	assert_true(atomic_count_available());
	assert_int_equal(vmmap_create(&k.map, NULL), 0);
	assert_int_equal(maps_fixed(k.map, 0, 256, RW, NORES), BASE);
	log.map = k.map;
	one_fault(&k, &log, FIRST_WRITE, 0, PROT_WRITE);
	assert_int_equal(k.wrote[FIRST_WRITE].vma, 1);
	one_fault(&k, &log, FIRST_WRITE, 1, PROT_WRITE);
	assert_int_equal(k.wrote[FIRST_WRITE].vma, 0);
	assert_int_equal(k.err, 0);
	vmmap_destroy(k.map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_optimistic), cmocka_unit_test(test_others), cmocka_unit_test(test_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
