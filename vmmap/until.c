/* SPDX-License-Identifier: MIT */
/*
 * until.c - the _until forms: the plain call, with a deadline.
 *
 * The deadline stands in the thread's slot for the time of the call (base/thread.h), so that whatever waits below finds
 * it there and no signature between carries it; a plain call finds PARK_FOREVER.
 */
#include "vmmap/space/space.h"

_Static_assert(VMMAP_TRY == PARK_TRY && VMMAP_FOREVER == PARK_FOREVER, "the public names of the same deadlines");

/* The value of `call`, made with this deadline. */
#define UNTIL(type, deadline_ns, call) do { \
	struct thread_slot *self_ = thread_self(); \
	uint64_t before_ = thread_deadline(self_, (deadline_ns)); \
	type got_ = (call); \
	thread_deadline(self_, before_); \
	return got_; } while (0)

int vmmap_fork_until(struct vmmap **out, struct vmmap *map, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_fork(out, map));
}

int64_t vmmap_mmap_until(struct vmmap *map, uint64_t addr, uint64_t len, int prot, int flags,
			 struct vmmap_object *object, uint64_t offset, uint64_t deadline_ns)
{
	UNTIL(int64_t, deadline_ns, vmmap_mmap(map, addr, len, prot, flags, object, offset));
}

int64_t vmmap_mmap_within_until(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t phase,
				uint64_t len, int prot, int flags, struct vmmap_object *object, uint64_t offset,
				uint64_t deadline_ns)
{
	UNTIL(int64_t, deadline_ns, vmmap_mmap_within(map, lo, hi, align, phase, len, prot, flags, object, offset));
}

int vmmap_munmap_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_munmap(map, addr, len));
}

int vmmap_mprotect_until(struct vmmap *map, uint64_t addr, uint64_t len, int prot, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_mprotect(map, addr, len, prot));
}

int64_t vmmap_mremap_until(struct vmmap *map, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
			   uint64_t new_addr, uint64_t deadline_ns)
{
	UNTIL(int64_t, deadline_ns, vmmap_mremap(map, old_addr, old_len, new_len, flags, new_addr));
}

int vmmap_madvise_until(struct vmmap *map, uint64_t addr, uint64_t len, int advice, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_madvise(map, addr, len, advice));
}

int vmmap_msync_until(struct vmmap *map, uint64_t addr, uint64_t len, int flags, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_msync(map, addr, len, flags));
}

int vmmap_object_sync_until(struct vmmap_object *object, uint64_t offset, uint64_t len, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_object_sync(object, offset, len));
}

int64_t vmmap_brk_until(struct vmmap *map, uint64_t addr, uint64_t deadline_ns)
{
	UNTIL(int64_t, deadline_ns, vmmap_brk(map, addr));
}

int vmmap_mlock_until(struct vmmap *map, uint64_t addr, uint64_t len, unsigned flags, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_mlock(map, addr, len, flags));
}

int vmmap_munlock_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_munlock(map, addr, len));
}

int vmmap_fault_until(struct vmmap *map, uint64_t addr, int access, struct vmmap_fault_info *info, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_fault(map, addr, access, info));
}

ssize_t vmmap_read_until(struct vmmap *map, uint64_t addr, void *bytes, size_t len, uint64_t deadline_ns)
{
	UNTIL(ssize_t, deadline_ns, vmmap_read(map, addr, bytes, len));
}

ssize_t vmmap_write_until(struct vmmap *map, uint64_t addr, const void *bytes, size_t len, uint64_t deadline_ns)
{
	UNTIL(ssize_t, deadline_ns, vmmap_write(map, addr, bytes, len));
}

int vmmap_pin_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t *pfns, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_pin(map, addr, len, pfns));
}

int vmmap_hold_until(struct vmmap *map, uint64_t addr, uint64_t len, struct vmmap_held *held, uint64_t deadline_ns)
{
	UNTIL(int, deadline_ns, vmmap_hold(map, addr, len, held));
}
