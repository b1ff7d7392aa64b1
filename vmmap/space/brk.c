/* SPDX-License-Identifier: MIT */
/*
 * brk.c - the break. Calls of brk exclude each other by a word of their own (they would meet at the break anyway);
 * the mapping below it is ordinary, so other operations meet it only by range.
 * ORDER  the word before ranges: who holds a range (vmmap_hold) does not wait for it: its owner may wait for that.
 * EDGES  U1 space_brk_leave's release -> L1 space_brk_enter's acquire: the break.
 */
#include <sys/mman.h>

#include "vmmap/space/space.h"

int space_brk_enter(struct vmmap *map, struct thread_slot *self)
{
	uint32_t seen = 0;

	for (; !atomic_cas_acquire(&map->brk_lock, &seen, 1) && !BASE_MUTANT(brk_no_lock); seen = 0) {   /* L1 -> U1 */
		if (self->holds && self->deadline_ns != LOCK_TRY && !BASE_MUTANT(brk_waits_holding))
			return -EDEADLK;
		if (park_wait(&map->brk_lock, 1, self->deadline_ns))
			return self->deadline_ns == LOCK_TRY ? -EAGAIN : -ETIMEDOUT;
	}
	return 0;
}

void space_brk_leave(struct vmmap *map)
{
	atomic_store_release(&map->brk_lock, 0);                                 /* U1 -> L1 */
	park_wake(&map->brk_lock, 1);
}

static bool brk_gave_up(int64_t err)
{
	return err == -EAGAIN || err == -ETIMEDOUT || err == -EDEADLK;
}

/* Returns the break as it is afterwards: unchanged on every failure, as the system call does; or why it gave up. */
static int64_t brk_move(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	uint64_t break_now = atomic_load_relaxed(&map->brk), old_end = space_up(break_now), end = space_up(addr);
	int64_t now = (int64_t)break_now, err = 0;

	BASE_POINT(brk_after_now);
	if (addr < map->brk_start || addr > map->hi)
		return now;
	/* Linux: a break does not shrink over a hole, and grows only while one page beyond is free, too. */
	if (end < old_end && space_empty(map, self, (struct lock_range){ end, old_end }))
		return now;
	if (end > old_end && end < map->hi && !space_empty(map, self, (struct lock_range){ end, end + PAGE_BYTES }))
		return now;
	if (end > old_end && space_guarded(map, self, end + PAGE_BYTES, NULL))   /* nor into the guard of a stack */
		return now;
	if (end < old_end)
		err = space_munmap(map, self, (struct lock_range){ end, old_end });
	if (end > old_end) {
		struct space_mmap m = { .addr = old_end, .len = end - old_end, .prot = PROT_READ | PROT_WRITE,
					.flags = MAP_PRIVATE | MAP_ANONYMOUS, .noreplace = true, .unguarded = true };

		err = space_mmap(map, self, &m);
	}
	if (err < 0)
		return brk_gave_up(err) ? err : now;
	atomic_store_relaxed(&map->brk, addr);
	return (int64_t)addr;
}

int64_t space_brk(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	int64_t now;

	if (!map->brk_start)
		return -ENOMEM;
	now = space_brk_enter(map, self);
	if (now)
		return now;
	now = brk_move(map, self, addr);
	space_brk_leave(map);
	if (now >= 0)
		space_count(map, self, SPACE_BRK, 1);
	return now;
}
