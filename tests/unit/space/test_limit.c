/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c - limits as one thread meets them: which check, with which errno, and what is charged afterwards. The
 * rows that the kernel can judge are in tests/oracle/test_pitfalls.c, too.
 */
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

static struct vmmap_config config;

static struct vmmap *limited(void **state)
{
	return maps_limited(*state, config);
}

static int fresh(void **state)
{
	(void)state;
	config = (struct vmmap_config)VMMAP_CONFIG;
	return 0;
}

static int lock(struct vmmap *map, uint64_t page, uint64_t pages)
{
	return vmmap_mlock(map, BASE + page * PAGE, pages * PAGE, MLOCK_ONFAULT);
}

static int64_t move(struct vmmap *map, uint64_t page, uint64_t n, uint64_t new_n, int flags, uint64_t to)
{
	return vmmap_mremap(map, BASE + page * PAGE, n * PAGE, new_n * PAGE, flags, BASE + to * PAGE);
}

static struct vmmap_usage used(struct vmmap *map)
{
	struct vmmap_usage usage;

	vmmap_get_usage(map, &usage);
	return usage;
}

#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)
#define AT(page) ((int64_t)(BASE + (page) * PAGE))

/* ---- VMAs ---- */

/* Linux: an mmap is refused above the limit, a split at it. */
static void vmas_mmap(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 3;
	map = limited(state);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(maps_fixed(map, 2 * i, 1, RW, NORES), AT(2 * i));
	assert_int_equal(maps_fixed(map, 20, 1, RW, NORES), -ENOMEM);
	assert_int_equal(maps_fixed(map, 1, 1, RW, NORES), -ENOMEM);     /* would join two: looked at first           */
	assert_int_equal(maps_fixed(map, 0, 1, RW, NORES), -ENOMEM);
	assert_int_equal(vmmap_mmap(map, BASE, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0), -ENOMEM);
	assert_int_equal(vmmap_mmap(map, BASE, PAGE, RW, MAP_ANONYMOUS | MAP_FIXED, NULL, 0), -ENOMEM);
	assert_int_equal(vmmap_mmap(map, 0, PAGE, RW, NORES, NULL, 0), -ENOMEM);
	assert_int_equal(maps_unmap(map, 6, 1), 0);
	assert_int_equal(maps_fixed(map, 1, 1, RW, NORES), AT(1));
	maps_are(map, "0-3rw 4-5rw");
	maps_free(map);
}

static void vmas_split(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 3;
	map = limited(state);
	maps_fixed(map, 0, 8, RW, NORES);
	assert_int_equal(maps_protect(map, 0, 2, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 4, 1, PROT_READ), -ENOMEM);   /* two more; Linux would leave one of them  */
	maps_are(map, "0-2r 2-8rw");
	assert_int_equal(maps_protect(map, 7, 1, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 3, 1, PROT_NONE), -ENOMEM);
	assert_int_equal(maps_protect(map, 6, 1, PROT_READ), 0);         /* moves a border                            */
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_DONTDUMP), -EAGAIN);
	assert_int_equal(lock(map, 0, 1), -ENOMEM);
	assert_int_equal(maps_unmap(map, 3, 1), -ENOMEM);
	maps_are(map, "0-2r 2-6rw 6-8r");
	assert_int_equal(maps_unmap(map, 2, 1), 0);
	assert_int_equal(maps_unmap(map, 1, 6), 0);
	maps_are(map, "0-1r 7-8r");
	assert_int_equal(maps_fixed(map, 2, 4, RW, NORES), AT(2));
	assert_int_equal(maps_fixed(map, 3, 1, PROT_READ, NORES), -ENOMEM);  /* a hole in the middle is a split       */
	assert_int_equal(maps_fixed(map, 2, 1, PROT_READ, NORES), AT(2));
	assert_int_equal(maps_protect(map, 0, 8, RW), -ENOMEM);          /* the hole; the part before it is done      */
	assert_int_equal(maps_unmap(map, 0, 8), 0);
	assert_int_equal(used(map).vmas, 0);
	maps_free(map);
}

static void vmas_mremap(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 8;
	map = limited(state);
	for (uint64_t i = 0; i < 3; i++)
		maps_fixed(map, 2 * i, 1, RW, NORES);
	assert_int_equal(move(map, 0, 1, 1, MOVE, 20), -ENOMEM);         /* 3 + 2 >= 8 - 3                            */
	assert_int_equal(maps_unmap(map, 4, 1), 0);
	assert_int_equal(move(map, 0, 1, 1, MOVE, 20), AT(20));
	for (uint64_t i = 4; i < 7; i++)
		maps_fixed(map, 2 * i, 1, RW, NORES);
	assert_int_equal(move(map, 2, 1, 2, 0, 0), AT(2));               /* in place: no VMA more                     */
	maps_fixed(map, 4, 1, PROT_READ, NORES);
	assert_int_equal(used(map).vmas, 6);
	assert_int_equal(move(map, 2, 2, 3, MREMAP_MAYMOVE, 0), -ENOMEM);
	maps_are(map, "2-4rw 4-5r 8-9rw 10-11rw 12-13rw 20-21rw");
	maps_free(map);
}

/* The largest limits are as good as none. */
static void vmas_endless(void **state)
{
	struct vmmap *map;

	config.limit_vmas = config.limit_as = config.limit_commit = config.limit_locked = UINT64_MAX;
	map = limited(state);
	assert_int_equal(maps_fixed(map, 0, 8, RW, ANON | MAP_LOCKED), AT(0));
	assert_int_equal(maps_protect(map, 2, 2, PROT_READ), 0);
	maps_free(map);
}

/* ---- address space ---- */

static void as_mmap(void **state)
{
	struct vmmap *map;

	config.limit_as = 12 * PAGE + 5;
	map = limited(state);
	maps_fixed(map, 0, 10, RW, NORES);
	assert_int_equal(maps_fixed(map, 20, 3, RW, NORES), -ENOMEM);
	assert_int_equal(maps_fixed(map, 20, 2, RW, NORES), AT(20));
	assert_int_equal(maps_fixed(map, 20, 1, PROT_READ, NORES), AT(20));      /* replaces                          */
	assert_int_equal(maps_fixed(map, 5, 7, RW, NORES), -ENOMEM);
	assert_int_equal(maps_fixed(map, 0, 10, PROT_READ, NORES), AT(0));
	assert_int_equal(move(map, 0, 10, 12, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(move(map, 0, 10, 12, 0, 0), -ENOMEM);
	assert_int_equal(move(map, 0, 10, 10, MOVE, 30), AT(30));
	assert_int_equal(move(map, 30, 2, 3, MOVE, 50), -ENOMEM);
	assert_int_equal(move(map, 30, 2, 2, MOVE | MREMAP_DONTUNMAP, 38), AT(38));
	assert_int_equal(move(map, 30, 8, 8, MOVE | MREMAP_DONTUNMAP, 20), -ENOMEM);
	maps_are(map, "20-21r 21-22rw 30-40r");
	assert_int_equal(used(map).mapped_bytes, 12 * PAGE);
	maps_free(map);
}

static void as_brk(void **state)
{
	struct vmmap *map;

	config.limit_as = 2 * PAGE;
	config.brk_start = BASE;
	map = limited(state);
	assert_int_equal(vmmap_brk(map, BASE + 3 * PAGE), BASE);
	assert_int_equal(vmmap_brk(map, BASE + 2 * PAGE), BASE + 2 * PAGE);
	assert_int_equal(vmmap_brk(map, BASE + 2 * PAGE + 1), BASE + 2 * PAGE);
	assert_int_equal(vmmap_brk(map, BASE), BASE);
	maps_free(map);
}

/* ---- committed memory ---- */

static void commit(void **state)
{
	struct vmmap_object *object;
	struct vmmap *map;

	config.limit_commit = 10;
	map = limited(state);
	assert_int_equal(maps_fixed(map, 0, 8, RW, ANON), AT(0));
	assert_int_equal(maps_fixed(map, 10, 3, RW, ANON), -ENOMEM);
	assert_int_equal(maps_fixed(map, 10, 3, RW, NORES), AT(10));     /* exempt                                    */
	assert_int_equal(maps_fixed(map, 20, 3, PROT_READ, ANON), AT(20));
	assert_int_equal(maps_protect(map, 20, 3, RW), -ENOMEM);         /* becomes accountable                       */
	assert_int_equal(maps_protect(map, 20, 2, RW), 0);
	assert_int_equal(used(map).committed_pages, 10);
	assert_int_equal(maps_protect(map, 20, 2, PROT_READ), 0);        /* never written: given back                 */
	assert_int_equal(used(map).committed_pages, 8);
	assert_int_equal(maps_fixed(map, 4, 6, RW, ANON), AT(4));        /* what is replaced is set off               */
	assert_int_equal(used(map).committed_pages, 10);
	maps_touch(map, 0);
	assert_int_equal(maps_protect(map, 0, 10, PROT_READ), 0);
	assert_int_equal(used(map).committed_pages, 10);
	assert_int_equal(move(map, 0, 10, 11, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(move(map, 0, 10, 10, MOVE | MREMAP_DONTUNMAP, 40), -ENOMEM);
	assert_int_equal(maps_unmap(map, 4, 6), 0);
	assert_int_equal(maps_fixed(map, 60, 7, RW, MAP_SHARED | MAP_ANONYMOUS), -ENOMEM);
	assert_int_equal(maps_fixed(map, 60, 6, RW, MAP_SHARED | MAP_ANONYMOUS), AT(60));
	assert_int_equal(used(map).committed_pages, 10);
	assert_int_equal(maps_unmap(map, 61, 5), 0);                     /* an object is charged as a whole           */
	assert_int_equal(used(map).committed_pages, 10);
	assert_int_equal(maps_fixed(map, 70, 1, RW, ANON), -ENOMEM);
	assert_int_equal(maps_unmap(map, 60, 1), 0);
	assert_int_equal(used(map).committed_pages, 4);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "o", 100 * PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, BASE + 100 * PAGE, 50 * PAGE, RW, MAP_SHARED | MAP_FIXED, object, 0), AT(100));
	assert_int_equal(vmmap_mmap(map, BASE + 200 * PAGE, 7 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, object, 0), -ENOMEM);
	vmmap_object_put(object);
	maps_free(map);
}

/* ---- locked memory ---- */

static void locked(void **state)
{
	struct vmmap *map;

	config.limit_locked = 10 * PAGE;
	map = limited(state);
	maps_fixed(map, 0, 8, RW, NORES);
	assert_int_equal(lock(map, 0, 8), 0);
	assert_int_equal(lock(map, 0, 8), 0);
	assert_int_equal(lock(map, 2, 9), -ENOMEM);                      /* pages in holes count                      */
	assert_int_equal(maps_fixed(map, 8, 2, RW, NORES | MAP_LOCKED), AT(8));
	assert_int_equal(used(map).locked_bytes, 10 * PAGE);
	assert_int_equal(used(map).resident_pages, 2);                   /* but for those on fault                    */
	assert_int_equal(maps_fixed(map, 10, 1, RW, NORES | MAP_LOCKED), -EAGAIN);
	assert_int_equal(maps_fixed(map, 0, 1, RW, NORES | MAP_LOCKED), -EAGAIN);    /* no allowance for what goes    */
	assert_int_equal(vmmap_mmap(map, BASE, PAGE, RW, NORES | MAP_LOCKED | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(vmmap_mmap(map, 0, PAGE, RW, MAP_ANONYMOUS | MAP_LOCKED, NULL, 0), -EAGAIN);
	assert_int_equal(vmmap_mmap(map, BASE + 1, PAGE, RW, NORES | MAP_LOCKED | MAP_FIXED, NULL, 0), -EINVAL);
	assert_int_equal(vmmap_mmap(map, 0, PAGE, RW, NORES | MAP_LOCKED, NULL, 0), -EAGAIN);
	assert_int_equal(move(map, 8, 2, 3, 0, 0), -EAGAIN);
	assert_int_equal(move(map, 8, 2, 3, MREMAP_MAYMOVE, 0), -EAGAIN);
	assert_int_equal(move(map, 0, 8, 8, MOVE | MREMAP_DONTUNMAP, 20), AT(20));   /* the lock goes along           */
	assert_int_equal(used(map).locked_bytes, 10 * PAGE);
	assert_int_equal(vmmap_munlock(map, BASE + 22 * PAGE, 4 * PAGE), 0);
	assert_int_equal(used(map).locked_bytes, 6 * PAGE);
	assert_int_equal(move(map, 8, 2, 6, 0, 0), AT(8));
	assert_int_equal(used(map).locked_bytes, 10 * PAGE);
	assert_int_equal(used(map).resident_pages, 6);                   /* growth of locked memory is faulted in     */
	assert_int_equal(maps_unmap(map, 8, 3), 0);
	assert_int_equal(used(map).locked_bytes, 7 * PAGE);
	maps_free(map);
}

static void mlock_over_holes(void **state)
{
	struct vmmap *map;

	config.limit_locked = 10 * PAGE;
	map = limited(state);
	maps_fixed(map, 0, 2, RW, NORES), maps_fixed(map, 4, 2, RW, NORES);
	assert_int_equal(lock(map, 0, 6), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 2 * PAGE);
	assert_int_equal(vmmap_munlock(map, BASE, 6 * PAGE), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 0);
	assert_int_equal(lock(map, 2, 4), -ENOMEM);
	assert_int_equal(lock(map, 4, 7), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 2 * PAGE);
	assert_int_equal(lock(map, 0, 11), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 2 * PAGE);
	maps_are(map, "0-2rw 4-6rw");
	maps_free(map);
}

static void mlock_faults_in(void **state)
{
	struct vmmap_vma vma;
	struct vmmap *map = limited(state);
	struct vmmap_object *object;

	maps_fixed(map, 0, 4, RW, NORES), maps_fixed(map, 4, 2, PROT_NONE, NORES);
	maps_fixed(map, 6, 2, PROT_READ, NORES);
	assert_int_equal(vmmap_mlock(map, BASE + 5, PAGE, 0), 0);        /* widened to pages                          */
	assert_int_equal(used(map).resident_pages, 2);
	assert_int_equal(vmmap_mlock(map, BASE, 8 * PAGE, 0), -ENOMEM);  /* no right: locked all the same             */
	assert_int_equal(used(map).resident_pages, 4);
	assert_int_equal(used(map).locked_bytes, 8 * PAGE);
	assert_int_equal(vmmap_query(map, BASE, &vma), 0);
	assert_int_equal(vma.locked, 1);
	assert_int_equal(lock(map, 0, 4), 0);
	assert_int_equal(vmmap_query(map, BASE, &vma), 0);
	assert_int_equal(vma.locked, 2);
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_FREE), -EINVAL);
	assert_int_equal(maps_protect(map, 6, 1, RW), 0);                /* copied at once                            */
	assert_int_equal(used(map).resident_pages, 5);
	assert_int_equal(vmmap_object_create(&object, maps_memory, "o", PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, BASE + 20 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, object, 0), AT(20));
	assert_int_equal(vmmap_mlock(map, BASE + 20 * PAGE, 2 * PAGE, 0), -ENOMEM);  /* BUS                           */
	assert_int_equal(move(map, 20, 0, 1, MOVE, 30), AT(30));         /* a second mapping is locked, too           */
	assert_int_equal(vmmap_query(map, BASE + 30 * PAGE, &vma), 0);
	assert_int_equal(vma.locked, 1);
	vmmap_object_put(object);
	maps_free(map);
}

static void mlock_arguments(void **state)
{
	struct vmmap *map = limited(state);

	maps_fixed(map, 0, 4, RW, NORES);
	assert_int_equal(vmmap_mlock(map, BASE, PAGE, 2), -EINVAL);
	assert_int_equal(vmmap_mlock(map, BASE, 0, 0), 0);
	assert_int_equal(vmmap_mlock(map, BASE, UINT64_MAX, 0), 0);      /* rounds up to 0 (Linux)                    */
	assert_int_equal(vmmap_mlock(map, 0 - PAGE, 2 * PAGE, 0), -EINVAL);
	assert_int_equal(vmmap_mlock(map, UINT64_C(1) << 47, PAGE, 0), -ENOMEM);
	assert_int_equal(vmmap_munlock(map, 0 - PAGE, PAGE), -EINVAL);
	assert_int_equal(vmmap_mlock(map, BASE, UINT64_C(1) << 62, MLOCK_ONFAULT), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 4 * PAGE);
	assert_int_equal(vmmap_mprotect(map, BASE, UINT64_C(1) << 47, PROT_READ), -ENOMEM);      /* the same for it   */
	assert_int_equal(vmmap_munlock(map, BASE, UINT64_C(1) << 62), -ENOMEM);
	assert_int_equal(used(map).locked_bytes, 0);
	maps_free(map);
}

/* ---- stacks ---- */

#define STACK (NORES | MAP_GROWSDOWN)

static int grow(struct vmmap *map, uint64_t page)
{
	struct vmmap_fault_info info;
	int err = vmmap_fault(map, BASE + page * PAGE, PROT_WRITE, &info);

	assert_true(!err || (err == -EFAULT && info.code == VMMAP_MAPERR && !info.grew));
	return err;
}

static void stacks(void **state)
{
	struct vmmap *map;

	config.limit_stack = 10 * PAGE + 1;
	map = limited(state);
	maps_fixed(map, 1000, 4, RW, STACK);
	assert_int_equal(grow(map, 993), -EFAULT);
	assert_int_equal(grow(map, 994), 0);
	assert_int_equal(maps_protect(map, 1002, 2, PROT_READ), 0);
	assert_int_equal(grow(map, 992), 0);
	assert_int_equal(grow(map, 991), -EFAULT);
	maps_are(map, "992-1002rw 1002-1004r");
	maps_free(map);
}

/* All that a growth is charged for, over leaf borders, and what is refused is not charged. */
static void stacks_pay(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 100;
	config.limit_as = 500 * PAGE;
	config.limit_commit = 450;
	config.limit_locked = 400 * PAGE;
	map = limited(state);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + 900 * PAGE), 0);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + 800 * PAGE), 0);
	maps_fixed(map, 1000, 4, RW, ANON | MAP_GROWSDOWN);
	assert_int_equal(grow(map, 750), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(used(map).committed_pages, 254);
	assert_int_equal(grow(map, 553), -EFAULT);
	assert_int_equal(grow(map, 554), 0);
	assert_int_equal(lock(map, 554, 300), 0);
	assert_int_equal(grow(map, 553), -EFAULT);
	assert_int_equal(maps_unmap(map, 900, 104), 0);
	assert_int_equal(grow(map, 453), -EFAULT);       /* 346 committed and mapped, 300 locked                      */
	assert_int_equal(grow(map, 454), 0);
	assert_int_equal(used(map).locked_bytes, 400 * PAGE);
	assert_int_equal(used(map).committed_pages, 446);
	assert_int_equal(used(map).vmas, 2);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	maps_are(map, "454-854rw 854-900rw");
	maps_free(map);
}

/* A stack that grows up to one that is like it is one VMA with it: its start is not counted any more. */
static void stacks_meet(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 3;
	map = limited(state);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + 900 * PAGE), 0);
	maps_fixed(map, 1000, 4, RW, STACK), maps_fixed(map, 800, 4, RW, STACK);
	maps_fixed(map, 2000, 1, RW, NORES), maps_fixed(map, 2002, 1, RW, NORES);
	assert_int_equal(maps_fixed(map, 2004, 1, RW, NORES), -ENOMEM);
	assert_int_equal(grow(map, 804), 0);
	assert_int_equal(maps_fixed(map, 2004, 1, RW, NORES), AT(2004));
	assert_int_equal(maps_fixed(map, 2006, 1, RW, NORES), -ENOMEM);
	maps_are(map, "800-1004rw 2000-2001rw 2002-2003rw 2004-2005rw");
	maps_free(map);
}

static void stacks_protected(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 3;
	config.limit_commit = 10;
	map = limited(state);
	maps_fixed(map, 100, 12, PROT_READ, ANON | MAP_GROWSDOWN), maps_fixed(map, 200, 1, PROT_READ, NORES);
	assert_int_equal(vmmap_mlock(map, BASE + 100 * PAGE, 12 * PAGE, 0), 0);
	assert_int_equal(maps_protect(map, 110, 1, RW | PROT_GROWSDOWN), -ENOMEM);       /* 11 to commit              */
	assert_int_equal(maps_protect(map, 109, 1, RW | PROT_GROWSDOWN), 0);
	assert_int_equal(used(map).committed_pages, 10);
	assert_int_equal(used(map).resident_pages, 10);                  /* locked: copied at once                    */
	maps_fixed(map, 300, 1, RW, NORES);
	assert_int_equal(maps_protect(map, 104, 1, PROT_NONE | PROT_GROWSDOWN), -ENOMEM);        /* one VMA more      */
	maps_are(map, "100-110rw 110-112r 200-201r 300-301rw");
	maps_free(map);
}

/* DONTUNMAP unlocks what it leaves behind. */
static void unlocked_by_moving(void **state)
{
	struct vmmap_vma vma;
	struct vmmap *map;

	config.limit_vmas = 100;
	config.limit_locked = 20 * PAGE;
	map = limited(state);
	maps_fixed(map, 0, 12, RW, NORES);
	assert_int_equal(lock(map, 2, 8), 0);
	maps_are(map, "0-2rw 2-10rw 10-12rw");
	assert_int_equal(move(map, 2, 8, 8, MOVE | MREMAP_DONTUNMAP, 40), AT(40));
	maps_are(map, "0-12rw 40-48rw");
	assert_int_equal(vmmap_query(map, BASE, &vma), 0);
	assert_int_equal(vma.locked, 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	/* shortened and moved at once: the tail is no longer counted */
	assert_int_equal(move(map, 40, 8, 3, MOVE, 60), AT(60));
	assert_int_equal(used(map).locked_bytes, 3 * PAGE);
	maps_are(map, "0-12rw 60-63rw");
	maps_free(map);
}

/* What is not limited is measured all the same; many VMAs over many leaves are counted. */
static void many(void **state)
{
	struct vmmap *map;

	config.limit_vmas = 1000;
	config.limit_as = 4000 * PAGE;
	map = limited(state);
	for (uint64_t i = 0; i < 1001; i++)
		assert_int_equal(maps_fixed(map, 3 * i, 1, i & 1 ? RW : PROT_READ, NORES), AT(3 * i));
	assert_int_equal(maps_fixed(map, 3003, 1, RW, NORES), -ENOMEM);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_unmap(map, 3, 900), 0);
	assert_int_equal(used(map).vmas, 701);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_fixed(map, 3, 900, PROT_READ, NORES), AT(3));
	assert_int_equal(maps_protect(map, 0, 901, RW), -ENOMEM);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	for (uint64_t i = 0; i < 298; i++)
		assert_int_equal(maps_protect(map, 4 + 3 * i, 1, i & 1 ? PROT_NONE : PROT_EXEC),
				 used(map).vmas + 2 > 1000 ? -ENOMEM : 0);
	assert_int_equal(used(map).vmas, 1000);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_unmap(map, 0, 4000), 0);
	maps_free(map);
}

#define ROW(f) { #f, f, fresh, NULL, NULL }

static struct CMUnitTest rows[] = {
	ROW(vmas_mmap), ROW(vmas_split), ROW(vmas_mremap), ROW(vmas_endless), ROW(as_mmap), ROW(as_brk),
	ROW(commit), ROW(locked),
	ROW(mlock_over_holes), ROW(mlock_faults_in), ROW(mlock_arguments), ROW(many),
	ROW(stacks), ROW(stacks_pay), ROW(stacks_meet), ROW(stacks_protected), ROW(unlocked_by_moving),
};

MAPS_MAIN(rows)
