/* SPDX-License-Identifier: MIT */
/*
 * test_badargs.c - bad arguments of the map's calls: the errno, that nothing has changed, what the running kernel says.
 *
 * One table row is one call, given to an engine map and to this process, both with the same small layout (LAYOUT). A
 * row says the error it must end with. Rows marked ENGINE are not given to the kernel, each for the reason it names. A
 * kernel other than 6.18 may differ: what it says then is printed, and does not count.
 */
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/badargs/unchanged.h"

enum call { MMAP, MUNMAP, MPROTECT, MREMAP, MADVISE, MLOCK, MUNLOCK };
enum where { AT, ABSOLUTE };                     /* addr counts from the layout's base, or is meant as it stands   */
enum judge { BOTH, ENGINE };

struct bad {
	const char *what;
	enum call call;
	enum where where;
	uint64_t addr, len;
	int prot, flags;                         /* flags: also the advice                                         */
	uint64_t more;                           /* offset, new length                                             */
	uint64_t to;                             /* mremap's new address: from the base, or absolute above 2^40    */
	int err;
	enum judge judge;
};

#define P        PAGE
#define SPACE    (UINT64_C(1) << 47)
#define FAR      (UINT64_C(1) << 63)
#define LAST     (UINT64_MAX - PAGE + 1)         /* the last page of 64 bits                                       */
#define FIX      MAP_FIXED
#define NOREP    MAP_FIXED_NOREPLACE
#define MAY      MREMAP_MAYMOVE
#define MAYFIX   (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP     MREMAP_DONTUNMAP
#define FILE_PAGES 8
#define NEEDS_FILE (1 << 30)                     /* in flags of mmap: with the object, without MAP_ANONYMOUS       */

/* LAYOUT, in pages: 0-4 rw private, 4-8 hole, 8-10 r private, 10-12 rw private, 12-16 hole, 16-20 rw shared object
 * from its page 6 on (18-20 are beyond its end), 20-24 hole, 24-26 rw private object. */
static const struct bad table[] = {
	{ "no length", MMAP, AT, 0, 0, RW, ANON, 0, 0, EINVAL, BOTH },
	{ "no length, fixed", MMAP, AT, 0, 0, RW, ANON | FIX, 0, 0, EINVAL, BOTH },
	{ "a length that rounds up past 64 bits", MMAP, AT, 0, UINT64_MAX - 5, RW, NORES, 0, 0, ENOMEM, BOTH },
	{ "a length of 2^63", MMAP, AT, 0, FAR, RW, NORES, 0, 0, ENOMEM, BOTH },
	{ "longer than the space", MMAP, AT, 0, SPACE, RW, NORES, 0, 0, ENOMEM, BOTH },
	{ "fixed, unaligned", MMAP, AT, 1, P, RW, NORES | FIX, 0, 0, EINVAL, BOTH },
	{ "noreplace, unaligned", MMAP, AT, 4 * P + 5, P, RW, NORES | NOREP, 0, 0, EINVAL, BOTH },
	{ "fixed beyond the space", MMAP, ABSOLUTE, FAR, P, RW, NORES | FIX, 0, 0, ENOMEM, BOTH },
	{ "fixed, wraps", MMAP, ABSOLUTE, LAST, 2 * P, RW, NORES | FIX, 0, 0, ENOMEM, BOTH },
	/* a processor with five levels has more */
	{ "fixed over the end", MMAP, ABSOLUTE, SPACE - 2 * P, 2 * P, RW, NORES | FIX, 0, 0, ENOMEM, ENGINE },
	/* root may map there */
	{ "fixed below the space", MMAP, ABSOLUTE, P, P, RW, NORES | FIX, 0, 0, EPERM, ENGINE },
	{ "noreplace over a mapping", MMAP, AT, 3 * P, 2 * P, RW, NORES | NOREP, 0, 0, EEXIST, BOTH },
	{ "noreplace inside a mapping", MMAP, AT, 8 * P, P, RW, NORES | NOREP, 0, 0, EEXIST, BOTH },
	{ "neither shared nor private", MMAP, AT, 4 * P, P, RW, MAP_ANONYMOUS | FIX, 0, 0, EINVAL, BOTH },
	{ "a type that there is not", MMAP, AT, 4 * P, P, RW, MAP_ANONYMOUS | FIX | 0x0c, 0, 0, EINVAL, BOTH },
	{ "validated anonymous memory", MMAP, AT, 4 * P, P, RW, MAP_ANONYMOUS | FIX | MAP_SHARED_VALIDATE,
	  0, 0, EINVAL, BOTH },
	{ "neither shared nor private, with a file", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | FIX, 0, 0, EINVAL, BOTH },
	{ "a validated flag that there is not", MMAP, AT, 4 * P, P, RW,
	  NEEDS_FILE | FIX | MAP_SHARED_VALIDATE | 1 << 24, 0, 0, EOPNOTSUPP, BOTH },
	{ "neither anonymous nor a file", MMAP, AT, 4 * P, P, RW, MAP_PRIVATE | FIX, 0, 0, EBADF, BOTH },
	{ "neither anonymous nor a file, shared", MMAP, AT, 4 * P, P, RW, MAP_SHARED, 0, 0, EBADF, BOTH },
	{ "an unaligned offset", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | MAP_SHARED | FIX, 512, 0, EINVAL, BOTH },
	{ "an unaligned offset, anonymous", MMAP, AT, 4 * P, P, RW, NORES | FIX, 1, 0, EINVAL, BOTH },
	{ "an offset that overflows", MMAP, AT, 4 * P, 2 * P, RW, NEEDS_FILE | MAP_SHARED | FIX, LAST,
	  0, EOVERFLOW, BOTH },
	{ "an offset that overflows, private", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | MAP_PRIVATE | FIX,
	  FAR, 0, EOVERFLOW, BOTH },
	{ "a shared stack", MMAP, AT, 4 * P, P, RW, MAP_ANONYMOUS | MAP_SHARED | MAP_GROWSDOWN | FIX,
	  0, 0, EINVAL, BOTH },
	{ "a shared stack over a mapping, noreplace", MMAP, AT, 3 * P, P, RW,
	  MAP_ANONYMOUS | MAP_SHARED | MAP_GROWSDOWN | NOREP, 0, 0, EEXIST, BOTH },
	{ "a stack of a file", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | MAP_PRIVATE | MAP_GROWSDOWN | FIX,
	  0, 0, EINVAL, BOTH },
	{ "a stack of a shared file", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | MAP_SHARED | MAP_GROWSDOWN | FIX,
	  0, 0, EINVAL, BOTH },
	{ "a validated stack", MMAP, AT, 4 * P, P, RW, NEEDS_FILE | MAP_SHARED_VALIDATE | MAP_GROWSDOWN | FIX,
	  0, 0, EINVAL, BOTH },
	{ "a stack of a file, an offset that overflows", MMAP, AT, 4 * P, P, RW,
	  NEEDS_FILE | MAP_PRIVATE | MAP_GROWSDOWN | FIX, FAR, 0, EOVERFLOW, BOTH },
	{ "a stack without a type", MMAP, AT, 4 * P, P, RW, MAP_ANONYMOUS | MAP_GROWSDOWN | FIX, 0, 0, EINVAL, BOTH },
	/* Linux ignores it: docs/semantics.md */
	{ "unknown protection", MMAP, AT, 4 * P, P, 0x100, NORES | FIX, 0, 0, EINVAL, ENGINE },

	{ "unaligned", MUNMAP, AT, 1, P, 0, 0, 0, 0, EINVAL, BOTH },
	{ "no length", MUNMAP, AT, 0, 0, 0, 0, 0, 0, EINVAL, BOTH },
	{ "a length that rounds up past 64 bits", MUNMAP, AT, 0, UINT64_MAX - 5, 0, 0, 0, 0, EINVAL, BOTH },
	{ "wraps", MUNMAP, ABSOLUTE, LAST, 2 * P, 0, 0, 0, 0, EINVAL, BOTH },
	{ "beyond the space", MUNMAP, ABSOLUTE, FAR, P, 0, 0, 0, 0, EINVAL, BOTH },
	{ "over the end", MUNMAP, AT, 0, FAR, 0, 0, 0, 0, EINVAL, BOTH },

	{ "unaligned", MPROTECT, AT, 1, P, PROT_READ, 0, 0, 0, EINVAL, BOTH },
	{ "no length", MPROTECT, AT, 0, 0, PROT_READ, 0, 0, 0, 0, BOTH },
	{ "no length over a hole", MPROTECT, AT, 5 * P, 0, PROT_READ, 0, 0, 0, 0, BOTH },
	{ "a length that rounds up past 64 bits", MPROTECT, AT, 0, UINT64_MAX - 5, PROT_READ, 0, 0, 0, ENOMEM, BOTH },
	{ "wraps", MPROTECT, ABSOLUTE, LAST, 2 * P, PROT_READ, 0, 0, 0, ENOMEM, BOTH },
	{ "unknown protection", MPROTECT, AT, 0, P, 0x100, 0, 0, 0, EINVAL, BOTH },
	{ "unknown protection beside a known one", MPROTECT, AT, 0, P, RW | 0x40, 0, 0, 0, EINVAL, BOTH },
	{ "a hole first", MPROTECT, AT, 4 * P, 5 * P, RW, 0, 0, 0, ENOMEM, BOTH },
	{ "nothing mapped", MPROTECT, AT, 13 * P, P, RW, 0, 0, 0, ENOMEM, BOTH },
	{ "beyond the space", MPROTECT, ABSOLUTE, FAR, P, PROT_READ, 0, 0, 0, ENOMEM, BOTH },
	{ "down and up", MPROTECT, AT, 0, P, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP, 0, 0, 0, EINVAL, BOTH },
	{ "down and up, no length", MPROTECT, AT, 0, 0, PROT_GROWSDOWN | PROT_GROWSUP, 0, 0, 0, EINVAL, BOTH },
	{ "down, no length", MPROTECT, AT, 0, 0, PROT_READ | PROT_GROWSDOWN, 0, 0, 0, 0, BOTH },
	{ "down, of no stack", MPROTECT, AT, 0, P, PROT_READ | PROT_GROWSDOWN, 0, 0, 0, EINVAL, BOTH },
	{ "down, of no stack, a hole first", MPROTECT, AT, 6 * P, 4 * P, RW | PROT_GROWSDOWN, 0, 0, 0, EINVAL, BOTH },
	{ "down, nothing mapped", MPROTECT, AT, 4 * P, P, RW | PROT_GROWSDOWN, 0, 0, 0, ENOMEM, BOTH },
	{ "down, unaligned", MPROTECT, AT, 1, P, RW | PROT_GROWSDOWN, 0, 0, 0, EINVAL, BOTH },
	{ "down, unknown protection", MPROTECT, AT, 0, P, 0x100 | PROT_GROWSDOWN, 0, 0, 0, EINVAL, BOTH },
	{ "down, beyond the space", MPROTECT, ABSOLUTE, FAR, P, RW | PROT_GROWSDOWN, 0, 0, 0, ENOMEM, BOTH },
	{ "up", MPROTECT, AT, 0, P, PROT_READ | PROT_GROWSUP, 0, 0, 0, EINVAL, BOTH },
	{ "up, no length", MPROTECT, AT, 0, 0, PROT_READ | PROT_GROWSUP, 0, 0, 0, 0, BOTH },
	{ "up, a hole first", MPROTECT, AT, 6 * P, 4 * P, RW | PROT_GROWSUP, 0, 0, 0, ENOMEM, BOTH },

	{ "unknown flag", MREMAP, AT, 0, P, 0, 8, P, 0, EINVAL, BOTH },
	{ "unaligned", MREMAP, AT, 1, P, 0, MAY, 2 * P, 0, EINVAL, BOTH },
	{ "no new length", MREMAP, AT, 0, P, 0, MAY, 0, 0, EINVAL, BOTH },
	{ "a new length that rounds up past 64 bits", MREMAP, AT, 0, P, 0, MAY, UINT64_MAX - 5, 0, EINVAL, BOTH },
	{ "fixed without maymove", MREMAP, AT, 0, P, 0, MREMAP_FIXED, P, 12 * P, EINVAL, BOTH },
	{ "dontunmap without maymove", MREMAP, AT, 0, P, 0, KEEP, P, 0, EINVAL, BOTH },
	{ "dontunmap with another length", MREMAP, AT, 0, P, 0, MAY | KEEP, 2 * P, 0, EINVAL, BOTH },
	{ "nothing mapped, shrink", MREMAP, AT, 4 * P, 2 * P, 0, 0, P, 0, EFAULT, BOTH },
	{ "nothing mapped, move", MREMAP, AT, 4 * P, P, 0, MAY, 2 * P, 0, EFAULT, BOTH },
	{ "nothing mapped, fixed", MREMAP, AT, 4 * P, P, 0, MAYFIX, P, 12 * P, EFAULT, BOTH },
	{ "beyond the space", MREMAP, ABSOLUTE, FAR, P, 0, MAY, 2 * P, 0, EFAULT, BOTH },
	{ "source wraps", MREMAP, ABSOLUTE, LAST, 2 * P, 0, MAY, 3 * P, 0, EFAULT, BOTH },
	{ "old length of 2^63", MREMAP, AT, 0, FAR, 0, MAY, P, 0, EINVAL, BOTH },
	{ "old length of 2^63, nothing mapped", MREMAP, AT, 5 * P, FAR, 0, MAY, P, 0, EFAULT, BOTH },
	{ "old length of 2^63, fixed", MREMAP, AT, 0, FAR, 0, MAYFIX, P, 12 * P, EINVAL, BOTH },
	{ "new length of 2^63", MREMAP, AT, 0, P, 0, MAY, FAR, 0, EINVAL, BOTH },
	{ "new length as long as the space", MREMAP, AT, 0, P, 0, MAY, SPACE - P, 0, ENOMEM, BOTH },
	{ "over several VMAs, grow", MREMAP, AT, 8 * P, 4 * P, 0, MAY, 5 * P, 0, EFAULT, BOTH },
	{ "over several VMAs, dontunmap", MREMAP, AT, 8 * P, 4 * P, 0, MAY | KEEP, 4 * P, 12 * P, EFAULT, BOTH },
	{ "target overlaps", MREMAP, AT, 0, 2 * P, 0, MAYFIX, 2 * P, P, EINVAL, BOTH },
	{ "target is the source", MREMAP, AT, 0, 2 * P, 0, MAYFIX, 2 * P, 0, EINVAL, BOTH },
	{ "target unaligned", MREMAP, AT, 0, P, 0, MAYFIX, P, 12 * P + 8, EINVAL, BOTH },
	{ "target beyond the space", MREMAP, AT, 0, P, 0, MAYFIX, P, FAR, EINVAL, BOTH },
	{ "target wraps", MREMAP, AT, 0, P, 0, MAYFIX, 3 * P, LAST, EINVAL, BOTH },
	{ "target below the space", MREMAP, AT, 0, P, 0, MAYFIX, P, 0, EPERM, ENGINE },
	{ "duplicate of private memory", MREMAP, AT, 0, 0, 0, MAY, P, 0, EINVAL, BOTH },
	{ "duplicate of nothing", MREMAP, AT, 4 * P, 0, 0, MAY, P, 0, EFAULT, BOTH },
	{ "no room to grow", MREMAP, AT, 8 * P, 2 * P, 0, 0, 3 * P, 0, ENOMEM, BOTH },
	{ "grow from the middle", MREMAP, AT, 0, P, 0, 0, 2 * P, 0, ENOMEM, BOTH },

	{ "unknown advice", MADVISE, AT, 0, P, 0, 99, 0, 0, EINVAL, BOTH },
	{ "negative advice", MADVISE, AT, 0, P, 0, -1, 0, 0, EINVAL, BOTH },
	{ "unknown advice, no length", MADVISE, AT, 0, 0, 0, 99, 0, 0, EINVAL, BOTH },
	{ "no length", MADVISE, AT, 0, 0, 0, MADV_DONTNEED, 0, 0, 0, BOTH },
	{ "unaligned", MADVISE, AT, 1, P, 0, MADV_DONTNEED, 0, 0, EINVAL, BOTH },
	{ "unaligned, no length", MADVISE, AT, 1, 0, 0, MADV_RANDOM, 0, 0, EINVAL, BOTH },
	{ "a length that rounds up past 64 bits", MADVISE, AT, 0, UINT64_MAX - 5, 0, MADV_RANDOM, 0, 0, EINVAL, BOTH },
	{ "wraps", MADVISE, ABSOLUTE, LAST, 2 * P, 0, MADV_DONTDUMP, 0, 0, EINVAL, BOTH },
	{ "nothing mapped", MADVISE, AT, 4 * P, P, 0, MADV_DONTDUMP, 0, 0, ENOMEM, BOTH },
	{ "nothing mapped, dontneed", MADVISE, AT, 4 * P, 4 * P, 0, MADV_DONTNEED, 0, 0, ENOMEM, BOTH },
	{ "nothing mapped, willneed", MADVISE, AT, 4 * P, 4 * P, 0, MADV_WILLNEED, 0, 0, ENOMEM, BOTH },
	{ "nothing mapped, populate", MADVISE, AT, 4 * P, P, 0, MADV_POPULATE_READ, 0, 0, ENOMEM, BOTH },
	{ "beyond the space", MADVISE, ABSOLUTE, FAR, P, 0, MADV_DONTNEED, 0, 0, ENOMEM, BOTH },
	{ "free of an object", MADVISE, AT, 16 * P, P, 0, MADV_FREE, 0, 0, EINVAL, BOTH },
	{ "free of a private object", MADVISE, AT, 24 * P, P, 0, MADV_FREE, 0, 0, EINVAL, BOTH },
	{ "wipe of an object", MADVISE, AT, 16 * P, P, 0, MADV_WIPEONFORK, 0, 0, EINVAL, BOTH },
	{ "populate for writing what is read-only", MADVISE, AT, 8 * P, P, 0, MADV_POPULATE_WRITE, 0, 0, EINVAL, BOTH },
	{ "populate beyond the object's end", MADVISE, AT, 18 * P, P, 0, MADV_POPULATE_READ, 0, 0, EFAULT, BOTH },

	{ "unknown flag", MLOCK, AT, 0, P, 0, 2, 0, 0, EINVAL, BOTH },
	{ "no length", MLOCK, AT, 0, 0, 0, 0, 0, 0, 0, BOTH },
	{ "no length, nothing there", MLOCK, AT, 4 * P, 0, 0, 0, 0, 0, 0, BOTH },
	{ "a length that rounds up past 64 bits", MLOCK, AT, 0, UINT64_MAX - 5, 0, 0, 0, 0, 0, BOTH },
	{ "a hole first", MLOCK, AT, 4 * P, 5 * P, 0, MLOCK_ONFAULT, 0, 0, ENOMEM, BOTH },
	{ "nothing at all", MLOCK, AT, 5 * P, P, 0, 0, 0, 0, ENOMEM, BOTH },
	{ "beyond the space", MLOCK, ABSOLUTE, SPACE, P, 0, 0, 0, 0, ENOMEM, BOTH },
	{ "wraps", MLOCK, ABSOLUTE, LAST, 2 * P, 0, MLOCK_ONFAULT, 0, 0, EINVAL, BOTH },
	{ "no length", MUNLOCK, AT, 0, 0, 0, 0, 0, 0, 0, BOTH },
	{ "a hole first", MUNLOCK, AT, 4 * P, 5 * P, 0, 0, 0, 0, ENOMEM, BOTH },
	{ "not locked", MUNLOCK, AT, P, P, 0, 0, 0, 0, 0, BOTH },
	{ "beyond the space", MUNLOCK, ABSOLUTE, SPACE, P, 0, 0, 0, 0, ENOMEM, BOTH },
	{ "wraps", MUNLOCK, ABSOLUTE, LAST, 2 * P, 0, 0, 0, 0, EINVAL, BOTH },
};

static const char *const call_name[] = { "mmap", "munmap", "mprotect", "mremap", "madvise", "mlock", "munlock" };

static struct vmmap_object *file;
static int file_fd;

static void layout(struct vmmap *map)
{
	maps_fixed(map, 0, 4, RW, NORES);
	maps_fixed(map, 8, 2, PROT_READ, NORES);
	maps_fixed(map, 10, 2, RW, NORES);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", FILE_PAGES * PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, BASE + 16 * PAGE, 4 * PAGE, RW, MAP_SHARED | FIX, file, 6 * PAGE),
			 BASE + 16 * PAGE);
	assert_int_equal(vmmap_mmap(map, BASE + 24 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | FIX, file, 0), BASE + 24 * PAGE);
	assert_int_equal(maps_touch(map, 1), 0);
	maps_are(map, "0-4rw 8-10r 10-12rw 16-20rwso6 24-26rwo0");
}

/* The same in this process; the calls go past any interceptor. */
static uint64_t layout_kernel(void)
{
	uint64_t base = (uint64_t)syscall(SYS_mmap, NULL, 64 * PAGE, PROT_NONE, NORES, -1, 0L);
	static const struct { unsigned lo, hi; } hole[] = { { 4, 8 }, { 12, 16 }, { 20, 24 } };

	assert_true(base < SPACE);
	file_fd = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(ftruncate(file_fd, FILE_PAGES * (off_t)PAGE), 0);
	syscall(SYS_mmap, base, 4 * PAGE, RW, NORES | FIX, -1, 0L);
	syscall(SYS_mmap, base + 8 * PAGE, 2 * PAGE, PROT_READ, NORES | FIX, -1, 0L);
	syscall(SYS_mmap, base + 10 * PAGE, 2 * PAGE, RW, NORES | FIX, -1, 0L);
	syscall(SYS_mmap, base + 16 * PAGE, 4 * PAGE, RW, MAP_SHARED | FIX, file_fd, 6 * PAGE);
	syscall(SYS_mmap, base + 24 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | FIX, file_fd, 0L);
	for (unsigned i = 0; i < sizeof hole / sizeof hole[0]; i++)
		assert_int_equal(syscall(SYS_munmap, base + hole[i].lo * PAGE, (hole[i].hi - hole[i].lo) * PAGE), 0);
	return base;
}

static uint64_t bad_to(const struct bad *b, uint64_t base)
{
	return b->to >= UINT64_C(1) << 40 || b->err == EPERM ? b->to : base + b->to;
}

static int64_t on_engine(struct vmmap *map, const struct bad *b)
{
	uint64_t addr = b->where == AT ? BASE + b->addr : b->addr;

	switch (b->call) {
	case MMAP:     return vmmap_mmap(map, addr, b->len, b->prot, b->flags & ~NEEDS_FILE,
					 b->flags & NEEDS_FILE ? file : NULL, b->more);
	case MUNMAP:   return vmmap_munmap(map, addr, b->len);
	case MPROTECT: return vmmap_mprotect(map, addr, b->len, b->prot);
	case MREMAP:   return vmmap_mremap(map, addr, b->len, b->more, b->flags, bad_to(b, BASE));
	case MADVISE:  return vmmap_madvise(map, addr, b->len, b->flags);
	case MLOCK:    return vmmap_mlock(map, addr, b->len, (unsigned)b->flags);
	case MUNLOCK:  return vmmap_munlock(map, addr, b->len);
	}
	return 1;
}

static int64_t on_kernel(uint64_t base, const struct bad *b)
{
	uint64_t addr = b->where == AT ? base + b->addr : b->addr;
	int64_t got = 1;

	switch (b->call) {
	case MMAP:     got = syscall(SYS_mmap, addr, b->len, b->prot, b->flags & ~NEEDS_FILE,
				     b->flags & NEEDS_FILE ? file_fd : -1, b->more); break;
	case MUNMAP:   got = syscall(SYS_munmap, addr, b->len); break;
	case MPROTECT: got = syscall(SYS_mprotect, addr, b->len, b->prot); break;
	case MREMAP:   got = syscall(SYS_mremap, addr, b->len, b->more, b->flags, bad_to(b, base)); break;
	case MADVISE:  got = syscall(SYS_madvise, addr, b->len, b->flags); break;
	case MLOCK:    got = syscall(SYS_mlock2, addr, b->len, b->flags); break;
	case MUNLOCK:  got = syscall(SYS_munlock, addr, b->len); break;
	}
	return got == -1 ? -errno : got;
}

static void test_calls(void **state)
{
	struct vmmap *map = maps_new(*state);
	unsigned wrong = 0;

	layout(map);
	for (const struct bad *b = table; b < table + sizeof table / sizeof table[0]; b++) {
		char *before = listing(map);
		int64_t got = on_engine(map, b);

		if (got != -b->err) {
			print_error("%s, %s: %lld, not %d\n", call_name[b->call], b->what, (long long)got, -b->err);
			wrong++;
		}
		wrong += changed(map, before, b->what);
	}
	assert_int_equal(wrong, 0);
	vmmap_object_put(file);
	maps_free(map);
}

static void test_kernel_says_so(void **state)
{
	uint64_t base = layout_kernel();
	struct utsname kernel;
	unsigned wrong = 0;

	(void)state;
	for (const struct bad *b = table; b < table + sizeof table / sizeof table[0]; b++) {
		int64_t got = b->judge == BOTH ? on_kernel(base, b) : -b->err;

		if (got != -b->err) {
			print_error("the kernel: %s, %s: %lld, not %d\n", call_name[b->call], b->what, (long long)got,
				    -b->err);
			wrong++;
		}
	}
	assert_int_equal(uname(&kernel), 0);
	if (!strncmp(kernel.release, "6.18", 4))
		assert_int_equal(wrong, 0);
	syscall(SYS_munmap, base, 64 * PAGE);
	close(file_fd);
}

int main(void)
{
	const struct CMUnitTest kernel[] = { cmocka_unit_test(test_kernel_says_so) };
	struct CMUnitTest calls[] = { cmocka_unit_test(test_calls) };
	int bad = cmocka_run_group_tests_name("kernel", kernel, NULL, NULL);

	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), calls);
	return bad;
}
