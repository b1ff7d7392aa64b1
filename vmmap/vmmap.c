/* SPDX-License-Identifier: MIT */
/*
 * vmmap.c - the public calls: argument checks as Linux makes them, then one call down.
 */
#include <string.h>
#include <sys/mman.h>

#include "vmmap/space/space.h"

static bool face_range(uint64_t addr, uint64_t len)
{
	return len <= ADDRESS_END && addr <= ADDRESS_END - len;
}

/* ---- policies (objects: vmmap_object.c) ---- */

const char *vmmap_policy_name(unsigned i)
{
	const struct lock_policy *p = lock_policy_at(i);

	return p ? p->name : NULL;
}

const char *vmmap_policy_idea(unsigned i)
{
	const struct lock_policy *p = lock_policy_at(i);

	return p ? p->idea : NULL;
}

int vmmap_policy_threads(unsigned i)
{
	const struct lock_policy *p = lock_policy_at(i);

	return p && p->caps & LOCK_CAP_THREADS;
}

/* ---- mmap ---- */

/* As Linux ignores the file descriptor. */
static struct vmmap_object *face_object(struct vmmap_object *object, int flags)
{
	return flags & MAP_ANONYMOUS ? NULL : object;
}

static int face_mmap_check(const struct vmmap *map, const struct space_mmap *m, struct vmmap_object *object)
{
	if (!m->len || m->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC) || !space_aligned(m->offset))
		return -EINVAL;
	if (!object && !(m->flags & MAP_ANONYMOUS))
		return -EBADF;
	if (object && object->object.physmem != map->physmem)
		return -EINVAL;
	return m->len > map->hi - map->lo ? -ENOMEM : 0;
}

/* The flags that MAP_SHARED_VALIDATE lets pass: all that were there before it (bits 26 to 30: a huge page's size). */
#define FACE_OLD_FLAGS (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | \
			MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | 31 << 26)

/* What Linux finds wrong only after it has chosen the address. */
static int face_mmap_late(const struct space_mmap *m)
{
	uint64_t end = (m->offset >> PAGE_SHIFT) + (m->len >> PAGE_SHIFT);
	int type = m->flags & MAP_TYPE;

	if (m->object && end > ((UINT64_C(1) << 63) - 1) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (m->object && type == MAP_SHARED_VALIDATE)
		return m->flags & ~FACE_OLD_FLAGS ? -EOPNOTSUPP : m->flags & MAP_GROWSDOWN ? -EINVAL : 0;
	if (m->flags & MAP_GROWSDOWN && (m->object || type != MAP_PRIVATE))
		return -EINVAL;
	return type == MAP_PRIVATE || type == MAP_SHARED ? 0 : -EINVAL;
}

/* Shared anonymous memory is an object of its own. */
static int face_shared_anon(struct vmmap *map, struct space_mmap *m, struct object **own)
{
	int err = 0;

	*own = NULL;
	if (!m->object && (m->flags & MAP_TYPE) != MAP_PRIVATE) {
		struct object_new is = { map->physmem, "/dev/zero (deleted)", m->len, NULL };

		err = object_make(own, &is, true);
		m->object = *own;
		m->offset = 0;
		m->pays = !(m->flags & MAP_NORESERVE);
	}
	return err;
}

static int64_t face_mmap_run(struct vmmap *map, struct thread_slot *self, struct space_mmap *m)
{
	struct lock_range fit;
	struct object *own;
	uint64_t locked;
	int64_t got;
	int err = face_mmap_late(m);

	if (err && m->noreplace && (!space_empty(map, self, (struct lock_range){ m->addr, m->addr + m->len }) ||
				    (m->unguarded && space_guarded(map, self, m->addr + m->len, NULL))))
		err = -EEXIST;
	if (err && m->want && space_place(map, self, m->want, &fit, &locked) == -ENOMEM)
		err = -ENOMEM;
	if (!err)
		err = face_shared_anon(map, m, &own);
	if (err)
		return err;
	got = space_mmap(map, self, m);
	if (own)
		object_put(own);
	return got;
}

/* A free hint is honoured exactly; a busy one is as if none had been given. */
static bool face_hint(struct vmmap *map, struct thread_slot *self, struct space_mmap *m, int64_t *got)
{
	struct space_mmap fixed = *m;

	fixed.addr = m->addr & ~(PAGE_BYTES - 1);
	if (!fixed.addr || fixed.addr < map->lo || !face_range(fixed.addr, m->len) || fixed.addr + m->len > map->hi)
		return false;
	fixed.want = NULL;
	fixed.noreplace = fixed.unguarded = true;
	*got = face_mmap_run(map, self, &fixed);
	return *got != -EEXIST;
}

/* With limits: Linux looks at some of them before it finds fault with the place, the flags or the offset. */
static NOINLINE int64_t face_mmap_refused(struct vmmap *map, struct thread_slot *self, const struct space_mmap *m,
					  int64_t err)
{
	bool placed = m->want || (space_aligned(m->addr) && m->addr >= map->lo);

	if (!limit_on(map) || err == -ENOMEM || err == -EAGAIN || err == -ETIMEDOUT || err == -EDEADLK)
		return err;
	return limit_mmap_first(map, self, m->len, placed && m->flags & MAP_LOCKED, (int)err);
}

static ALWAYS_INLINE int64_t face_mmap_fixed(struct vmmap *map, struct thread_slot *self, struct space_mmap *m)
{
	if (!face_range(m->addr, m->len) || m->addr + m->len > map->hi)
		return -ENOMEM;
	if (!space_aligned(m->addr))
		return -EINVAL;
	if (m->addr < map->lo)
		return -EPERM;
	return face_mmap_run(map, self, m);
}

int64_t vmmap_mmap(struct vmmap *map, uint64_t addr, uint64_t len, int prot, int flags, struct vmmap_object *object,
		   uint64_t offset)
{
	struct thread_slot *self = thread_self();
	struct space_mmap m = { .addr = addr, .len = space_up(len), .prot = prot, .flags = flags, .offset = offset };
	struct space_want want;
	int64_t got = 0;
	int err;

	object = face_object(object, flags);
	m.object = object ? &object->object : NULL;
	if (len && !m.len)
		return -ENOMEM;
	err = face_mmap_check(map, &m, object);
	if (err)
		return err;
	m.offset = object ? offset : 0;
	m.noreplace = flags & MAP_FIXED_NOREPLACE;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		got = face_mmap_fixed(map, self, &m);
	} else {
		space_want_anywhere(map, self, m.len, !object && (flags & MAP_TYPE) == MAP_PRIVATE && !addr, &want);
		m.want = &want;
		if (!face_hint(map, self, &m, &got))
			got = face_mmap_run(map, self, &m);
	}
	return likely(got >= 0) ? got : face_mmap_refused(map, self, &m, got);
}

int64_t vmmap_mmap_within(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t phase, uint64_t len,
			  int prot, int flags, struct vmmap_object *object, uint64_t offset)
{
	struct space_mmap m = { .len = space_up(len), .prot = prot, .flags = flags, .offset = offset };
	struct space_want want = { .want = { .within = { space_up(lo), hi & ~(PAGE_BYTES - 1) },
					     .len = m.len,
					     .align = align,
					     .phase = phase } };
	int err;

	object = face_object(object, flags);
	m.object = object ? &object->object : NULL;
	if (len && !m.len)
		return -ENOMEM;
	err = face_mmap_check(map, &m, object);
	if (err)
		return err;
	m.offset = object ? offset : 0;
	if (align < PAGE_BYTES || align & (align - 1) || phase >= align || !space_aligned(phase) || lo > hi ||
	    flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return -EINVAL;
	if (want.want.within.lo < lo)                    /* the round-up went past 64 bits */
		return -ENOMEM;
	want.want.within.lo = want.want.within.lo < map->lo ? map->lo : want.want.within.lo;
	want.want.within.hi = want.want.within.hi > map->hi ? map->hi : want.want.within.hi;
	if (want.want.within.lo >= want.want.within.hi || m.len > want.want.within.hi - want.want.within.lo)
		return -ENOMEM;
	m.want = &want;
	return face_mmap_run(map, thread_self(), &m);
}

/* ---- the other calls ---- */

int vmmap_munmap(struct vmmap *map, uint64_t addr, uint64_t len)
{
	uint64_t bytes = space_up(len);

	if (!space_aligned(addr) || !len || !bytes || !face_range(addr, bytes))
		return -EINVAL;
	return space_munmap(map, thread_self(), (struct lock_range){ addr, addr + bytes });
}

/* The same with PROT_GROWSDOWN, PROT_GROWSUP: no VMA grows up here. */
static NOINLINE int face_mprotect_grows(struct vmmap *map, uint64_t addr, uint64_t len, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	uint64_t bytes = space_up(len), end = addr + bytes;
	struct vmmap_vma vma;
	int err;

	prot &= ~grows;
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !space_aligned(addr))
		return -EINVAL;
	if (!len)
		return 0;
	if (!bytes || end <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (grows == PROT_GROWSUP)
		return !vmmap_query(map, addr, &vma) && vma.start <= addr ? -EINVAL : -ENOMEM;
	if (addr >= ADDRESS_END)
		return -ENOMEM;
	if (face_range(addr, bytes))
		return space_mprotect_down(map, thread_self(), (struct lock_range){ addr, end }, (uint64_t)prot);
	err = space_mprotect_down(map, thread_self(), (struct lock_range){ addr, ADDRESS_END }, (uint64_t)prot);
	return err ? err : -ENOMEM;
}

int vmmap_mprotect(struct vmmap *map, uint64_t addr, uint64_t len, int prot)
{
	uint64_t bytes = space_up(len);

	if (unlikely(prot & (PROT_GROWSDOWN | PROT_GROWSUP)))
		return face_mprotect_grows(map, addr, len, prot);
	if (!space_aligned(addr))
		return -EINVAL;
	if (!len)
		return 0;
	if (!bytes || addr + bytes <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (!face_range(addr, bytes)) {                  /* the mapped part before the end is done, as by Linux */
		if (addr >= ADDRESS_END)
			return -ENOMEM;
		int err = space_mprotect(map, thread_self(), (struct lock_range){ addr, ADDRESS_END }, (uint64_t)prot);

		return err ? err : -ENOMEM;
	}
	return space_mprotect(map, thread_self(), (struct lock_range){ addr, addr + bytes }, (uint64_t)prot);
}

/* The source goes beyond the space: nothing is mapped there, and what begins below cannot shrink to new_len. */
static int face_mremap_beyond(struct vmmap *map, uint64_t addr, bool shrinks)
{
	struct vmmap_vma vma;

	return shrinks && !vmmap_query(map, addr, &vma) && vma.start <= addr ? -EINVAL : -EFAULT;
}

int64_t vmmap_mremap(struct vmmap *map, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
		     uint64_t new_addr)
{
	uint64_t from = space_up(old_len), to = space_up(new_len);

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || !space_aligned(old_addr) || !to)
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && from != to)
		return -EINVAL;
	if (to > ADDRESS_END)
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) { /* DONTUNMAP takes new_addr as a hint */
		if (!space_aligned(new_addr) || !face_range(new_addr, to) || new_addr + to > map->hi)
			return -EINVAL;
		if (old_addr < new_addr + to && new_addr < old_addr + from)
			return -EINVAL;
		if (flags & MREMAP_FIXED && new_addr < map->lo)
			return -EPERM;
	}
	if (!face_range(old_addr, from))
		return face_mremap_beyond(map, old_addr, to < from);
	return space_mremap(map, thread_self(), &(struct space_mremap){ old_addr, from, to, new_addr, flags });
}

static bool face_advice_known(int advice)
{
	static const int known[] = { MADV_NORMAL,
				     MADV_RANDOM,
				     MADV_SEQUENTIAL,
				     MADV_WILLNEED,
				     MADV_DONTNEED,
				     MADV_FREE,
				     MADV_DONTFORK,
				     MADV_DOFORK,
				     MADV_DONTDUMP,
				     MADV_DODUMP,
				     MADV_WIPEONFORK,
				     MADV_KEEPONFORK,
				     MADV_HUGEPAGE,
				     MADV_NOHUGEPAGE,
				     MADV_MERGEABLE,
				     MADV_UNMERGEABLE,
				     22,
				     23 };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == advice)
			return true;
	return false;
}

int vmmap_madvise(struct vmmap *map, uint64_t addr, uint64_t len, int advice)
{
	uint64_t bytes = space_up(len);

	if (!face_advice_known(advice) || !space_aligned(addr) || (len && !bytes) || addr + bytes < addr)
		return -EINVAL;
	if (!bytes)
		return 0;
	if (!face_range(addr, bytes))
		return -ENOMEM;
	return space_madvise(map, thread_self(), (struct lock_range){ addr, addr + bytes }, advice);
}

/* A length that rounds up to 2^64 is none, as for Linux. */
int vmmap_msync(struct vmmap *map, uint64_t addr, uint64_t len, int flags)
{
	uint64_t bytes = space_up(len);

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || !space_aligned(addr) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (addr + bytes < addr)
		return -ENOMEM;
	return space_msync(map, thread_self(), (struct lock_range){ addr, addr + bytes }, flags);
}

int64_t vmmap_brk(struct vmmap *map, uint64_t addr)
{
	return space_brk(map, thread_self(), addr);
}

/* Linux widens the range to pages, and lets a length that wraps in doing so be 0. */
int vmmap_mlock(struct vmmap *map, uint64_t addr, uint64_t len, unsigned flags)
{
	uint64_t in = addr & (PAGE_BYTES - 1);

	if (flags & ~(unsigned)MLOCK_ONFAULT)
		return -EINVAL;
	return space_mlock(map, thread_self(), addr - in, space_up(len + in),
			   VMA_LOCKED | (flags & MLOCK_ONFAULT ? VMA_LOCKONFAULT : 0));
}

int vmmap_munlock(struct vmmap *map, uint64_t addr, uint64_t len)
{
	uint64_t in = addr & (PAGE_BYTES - 1);

	return space_mlock(map, thread_self(), addr - in, space_up(len + in), 0);
}

int vmmap_fault(struct vmmap *map, uint64_t addr, int access, struct vmmap_fault_info *info)
{
	if (access != PROT_READ && access != PROT_WRITE && access != PROT_EXEC)
		return -EINVAL;
	if (addr >= ADDRESS_END) {
		if (info)
			*info = (struct vmmap_fault_info){ .code = VMMAP_MAPERR };
		return -EFAULT;
	}
	return space_fault(map, thread_self(), addr, (uint64_t)access, true, info);
}

static size_t face_copy_len(uint64_t addr, size_t len)
{
	uint64_t room = addr < ADDRESS_END ? ADDRESS_END - addr : 0;

	len = len > (SIZE_MAX >> 1) ? SIZE_MAX >> 1 : len;
	return len < room ? len : (size_t)room;
}

ssize_t vmmap_read(struct vmmap *map, uint64_t addr, void *bytes, size_t len)
{
	size_t part = face_copy_len(addr, len);

	return len && !part ? -EFAULT : space_copy(map, thread_self(), addr, bytes, part, false);
}

ssize_t vmmap_write(struct vmmap *map, uint64_t addr, const void *bytes, size_t len)
{
	size_t part = face_copy_len(addr, len);

	return len && !part ? -EFAULT : space_copy(map, thread_self(), addr, (void *)(uintptr_t)bytes, part, true);
}

/* Widened to pages, as mlock does. */
int vmmap_pin(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t *pfns)
{
	uint64_t in = addr & (PAGE_BYTES - 1), bytes = space_up(len + in);

	if (!len || addr + len < addr || !bytes || !pfns)
		return -EINVAL;
	if (!face_range(addr - in, bytes))
		return -EFAULT;
	return space_pin(map, thread_self(), (struct lock_range){ addr - in, addr - in + bytes }, pfns);
}

int vmmap_unpin(struct vmmap *map, const uint64_t *pfns, uint64_t n)
{
	return n && !pfns ? -EINVAL : space_unpin(map, thread_self(), pfns, n);
}

/* ---- ranges held by the caller ---- */

_Static_assert(sizeof(struct lock_edit) <= sizeof(((struct vmmap_held *)0)->opaque), "an edit fits into vmmap_held");

int vmmap_hold(struct vmmap *map, uint64_t addr, uint64_t len, struct vmmap_held *held)
{
	uint64_t bytes = space_up(len);
	struct lock_edit e;
	int err;

	if (!space_aligned(addr) || !bytes || !face_range(addr, bytes) || !held)
		return -EINVAL;
	err = space_edit_begin(map, &e, thread_self(), (struct lock_range){ addr, addr + bytes });
	if (err)
		return err;
	space_shut(map, &e, e.r);
	e.self->holds++;
	held->lo = addr;
	held->hi = addr + bytes;
	memcpy(held->opaque, &e, sizeof e);
	return 0;
}

void vmmap_release(struct vmmap *map, struct vmmap_held *held)
{
	struct lock_edit e;

	memcpy(&e, held->opaque, sizeof e);
	space_merge(map, &e, (struct lock_range){ held->lo, held->hi });
	space_edit_end(map, &e);
	e.self->holds--;
}
