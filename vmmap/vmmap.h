/* SPDX-License-Identifier: MIT */
/*
 * vmmap.h - an address space: VMAs, page table, frames. Calls on disjoint ranges run in parallel.
 *
 * Conventions, once for every call
 *   addresses   uint64_t, simulated, below 2^47; page size 4096; ranges half open [addr, addr + len); len in bytes,
 *               rounded up to pages
 *   constants   PROT_*, MAP_*, MREMAP_*, MADV_*, MS_* of <sys/mman.h>, same values (needs _GNU_SOURCE there)
 *   pointers    map and what is written through are not NULL, unless a call says so
 *   returns     0 or an address/byte count >= 0; else -errno, Linux's errno for the same call, in Linux's order
 *   threads     every call from any thread, no registration (with 1,024 threads alive, the first call of one more
 *               sleeps until one has ended); vmmap_destroy when no other call runs. Not from signal handlers
 *   fork        of the process: in the child a map works, as a snapshot, if no other thread was inside a call on it, on
 *               its physmem or its objects, or held a range; else it is to be left alone (docs/semantics.md)
 *   edits       mmap, munmap, mprotect, mremap, brk, flag advices: hold their range, gaps included, against edits and
 *               faults on the same pages until they return, and nothing afterwards
 *   visits      faults, accesses, DONTNEED, FREE, POPULATE: run beside each other; for one page each comes before or
 *               after an edit, a negative answer included; nobody sees a hole where an edit only replaces
 *   [waits]     may sleep for another thread's operation on pages of the same range; never for one elsewhere (policies
 *               `vma`, `vma-count`; the others have one lock for all edits), and never for a grace period, unless all
 *               free frames are deferred and the call would fail. Calls without the mark sleep only if they say so
 *   _until      each call with [waits] has a form with a deadline, in ns of CLOCK_MONOTONIC: it waits no longer than
 *               that, and says -ETIMEDOUT if it would have to; VMMAP_TRY does not wait, and says -EAGAIN. Nothing has
 *               been done then: VMAs and contents are as they were. Only populating (MAP_POPULATE, MADV_POPULATE_*,
 *               mlock), copying and syncing go page by page: pages faulted in stay so, bytes copied are the result,
 *               what a sync has not come to is dirty. A pager is asked whatever the deadline: its time is the caller's
 *               own. A deadline in the past fails only where it would have had to wait. Bounded steps of others (a leaf
 *               of the tree, an entry, a visit that has begun, a change that counts against a limit; its thread may
 *               have lost its CPU) are not counted as waiting
 *   failure     want of memory, a bad argument: map unchanged. Linux's partial effects
 *               (mprotect, madvise over a hole: -ENOMEM, the mapped part before it done) are kept
 *   -EDEADLK    the caller holds such a range itself (vmmap_hold): a mistake, told where it is noticed
 *   cost        an edit: O(log n) in VMAs, plus O(VMAs met + tables and entries present in the range); one that stays
 *               inside a leaf of the tree and meets few entries is one publication. A visit: O(log n) a page
 *   source      Linux 6.18 and its man pages; differences: docs/semantics.md; locks: docs/protocol.md
 */
#ifndef VMMAP_VMMAP_H
#define VMMAP_VMMAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <vmmap/physmem.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

struct vmmap;
struct vmmap_object;

#define VMMAP_PAGE_SIZE 4096u
#define VMMAP_TRY       UINT64_C(0)              /* deadlines: never wait                                         */
#define VMMAP_FOREVER   UINT64_MAX               /* as the plain form                                             */

/* ---- life ------------------------------------------------------------------------------------------------------ */

enum vmmap_placement {
	VMMAP_ARENAS,                    /* some free address, first in the caller's arena: two such mmaps commute    */
	VMMAP_TOPDOWN,                   /* Linux's choice: top of the highest gap that fits below mmap_base          */
};

struct vmmap_config {                    /* start from VMMAP_CONFIG; 0 / NULL = the default                       */
	size_t size;                     /* sizeof(struct vmmap_config): later versions add fields at the end     */
	const char *policy;              /* "vma"; any name of vmmap_policy_name()                                */
	enum vmmap_placement placement;
	uint64_t lo, hi;                 /* usable addresses; 64 KiB .. 2^47 - 4 KiB                              */
	uint64_t mmap_base;              /* TOPDOWN only; default hi                                              */
	uint64_t brk_start;              /* default: no brk area (-ENOMEM)                                        */
	struct physmem *physmem;         /* shared by maps that use it; NULL: one of its own, metadata only       */

	uint64_t limit_vmas;             /* VMAs; max_map_count (Linux: 65530)    } 0: no limit, nothing counted. */
	uint64_t limit_as;               /* bytes mapped; RLIMIT_AS               } One thread alone meets each   */
	uint64_t limit_commit;           /* pages accounted; NORESERVE is exempt  } where Linux would; several    */
	uint64_t limit_locked;           /* bytes of mlock; RLIMIT_MEMLOCK        } never fail while there is     */
	uint64_t limit_stack;            /* bytes of a stack that grows; RLIMIT_STACK   room, never go beyond     */
};
#define VMMAP_CONFIG { sizeof(struct vmmap_config), NULL, VMMAP_ARENAS, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0 }

/* Makes an empty address space. config: NULL = all defaults; it and its strings may go after the call, physmem must
 * outlive the map. 0 and *out; -EINVAL: out NULL, a size that is no version's, lo, hi, mmap_base or brk_start
 * unaligned or not lo < hi <= 2^47 - 4 KiB, lo <= mmap_base <= hi, lo <= brk_start < hi, an unknown placement;
 * -ENOENT: no such policy; -ENOMEM. *out is set with 0 only. Never sleeps. Cost: some 10 KiB; a physmem of its own
 * only reserves. */
int  vmmap_create(struct vmmap **out, const struct vmmap_config *config);
/* Destroys the map with all mappings; gives frames and references on objects back. NULL: nothing. No other call may
 * run or come, no range be held. Sleeps for a grace period, for no other map. Cost: O(VMAs + tables + entries). */
void vmmap_destroy(struct vmmap *map);

/*
 * Makes *out an address space like map: policy, placement, limits, physmem (its own too: it goes with the last of the
 * maps that have it), the VMAs of one instant, the break, and for each page what it shows at an instant of the call.
 * From then on neither sees what the other stores to private memory; what is shared stays so. Nothing is copied: pages
 * are shared until one of the two stores. MADV_DONTFORK: left out; MADV_WIPEONFORK: zeros; locks of mlock are not
 * inherited. 0; -EINVAL: out NULL; -ENOMEM: no *out, map as it was (it sleeps then as vmmap_destroy does); -EDEADLK:
 * the caller holds a range of map, or waits for the break while it holds any. [waits] for all edits of map, and holds
 * all of it, as an edit would; accesses to present entries go on beside it: of two stores of such a one *out may have
 * the later without the earlier, if they are to two pages. Cost: an edit of all VMAs, a step for each entry of private
 * memory that was written. Source: fork(2), madvise(2); docs/adr/0014.
 */
int  vmmap_fork(struct vmmap **out, struct vmmap *map);
/* Forks as vmmap_fork, waiting until deadline_ns at the longest. Errors: its, and -EAGAIN, -ETIMEDOUT ("_until" above):
 * nothing was done. */
int  vmmap_fork_until(struct vmmap **out, struct vmmap *map, uint64_t deadline_ns);

/* Names policy i = 0, 1, ...; NULL past the last. Constant strings: what --policy=help prints. O(1). */
const char *vmmap_policy_name(unsigned i);
/* Says in a line what policy i does and where it comes from; NULL past the last. */
const char *vmmap_policy_idea(unsigned i);
/* Tells whether a map of policy i may be used by several threads: 1; 0: by one at a time (`none`), or past the last. */
int         vmmap_policy_threads(unsigned i);

/* ---- memory objects: simulated files, with a page cache --------------------------------------------------------- */

/*
 * Reads and writes the pages of an object, where it is given one. Both calls get self, the number of the page
 * (offset / 4096) and 4096 bytes, and return 0, or anything else for failure. They run on the thread whose fault, sync
 * or msync needs the page, hold nothing of the engine, may sleep, and may call vmmap functions on any map and object;
 * only what waits for the very page they are called for (a fault on it, a sync of it, a resize that cuts it off) would
 * wait for ever. Calls for different pages run beside each other; for one page one at a time, except that a page which
 * was cut off and exists again may be read while the result of its last read is still to be dropped.
 */
struct vmmap_pager {
	int (*read_page)(void *self, uint64_t page, void *bytes);        /* a fault met an absent page             */
	int (*write_page)(void *self, uint64_t page, const void *bytes); /* a copy; beyond the object's end: zeros */
	void *self;
};

/* Makes an object whose pages come from pm as they are touched, and stay until it is shorter or dies. name: for
 * listings, cut to 39 bytes; NULL = "". size: 0 .. 2^46 bytes; accesses beyond its last page: BUS. pager: NULL: pages
 * begin as zeros; else copied, both calls set, they outlive the object; what is mapped shared and stored to is dirty
 * until it is synced. The caller gets one reference. 0; -EINVAL: out or pm NULL, size, a pager without both calls;
 * -ENOMEM. pm outlives it. Never sleeps. O(1). */
int  vmmap_object_create(struct vmmap_object **out, struct physmem *pm, const char *name, uint64_t size,
			 const struct vmmap_pager *pager);
/* Drops the caller's reference (NULL: nothing); VMAs hold their own. After the last one the object and its frames are
 * freed behind a grace period, which nobody waits for. Dirty pages are not written: sync before. Cost: O(1) here,
 * O(pages cached) later. */
void vmmap_object_put(struct vmmap_object *object);
/* Returns the number that listings show: unique in the process, from 1 (shared anonymous mmaps take numbers, too). */
uint64_t vmmap_object_number(const struct vmmap_object *object);
/* Returns the size in bytes, as the last resize left it. Never sleeps. O(1). */
uint64_t vmmap_object_size(const struct vmmap_object *object);
/*
 * Sets the size, 0 .. 2^46 bytes. [waits] Shorter: when it returns, no page beyond the new end is mapped anywhere,
 * private copies included, faults there say BUS, dirty pages there are forgotten, no write of one is under way, and the
 * rest of the last page is zero. Longer: what is new reads zero, whatever was there before, and whatever the pager has;
 * the pager's own storage is the caller's to cut. 0; -EINVAL: size; -EDEADLK: the caller holds such a range
 * (vmmap_hold; told where it is noticed; size unchanged, some private copies beyond may be gone), or holds any while
 * another resize of the object is under way. Faults, accesses and
 * edits of its maps go on; it waits for edits that hold pages beyond the end, for other resizes of the object, and for
 * writes of pages that it cuts off; it has no form with a deadline, since half of it cannot be taken back. Cost:
 * O(mappings of the object + entries and pages beyond). Source: ftruncate(2).
 */
int  vmmap_object_resize(struct vmmap_object *object, uint64_t size);
/*
 * Writes the dirty pages of [offset, offset + len), rounded outward to pages, through the pager, one by one. Any
 * offset and len, in bytes; what is beyond the end is nothing. [waits] What was stored before the call is in the
 * pager's copy when it returns; what is stored beside it is there, or its page is dirty again. A page that another
 * sync is writing is waited for. 0, also without a pager; -EIO: write_page failed (that page stays dirty, the others
 * are written); -EDEADLK: as resize. Entries of each page lose the right to store: the next store faults. Cost:
 * O(mappings of the object) a dirty page. Source: fsync(2), page_mkclean of Linux.
 */
int  vmmap_object_sync(struct vmmap_object *object, uint64_t offset, uint64_t len);
/* Syncs as vmmap_object_sync, waiting until deadline_ns at the longest. Errors: its, and -EAGAIN, -ETIMEDOUT ("_until"
 * above): the pages up to there are written, the others dirty. */
int  vmmap_object_sync_until(struct vmmap_object *object, uint64_t offset, uint64_t len, uint64_t deadline_ns);

/* ---- the map: Linux's calls. All [waits], all edits ------------------------------------------------------------- */

/*
 * Maps len > 0 bytes of object (NULL with MAP_ANONYMOUS, which ignores it) from offset, a multiple of the page (but
 * unused if anonymous).
 * addr: exact with MAP_FIXED (replaces what is there) and MAP_FIXED_NOREPLACE; else a hint, taken if it is free, or 0.
 * Returns the address, or
 *   -EINVAL      len 0; prot beyond r, w, x; offset unaligned; neither MAP_SHARED nor MAP_PRIVATE; fixed addr
 *                unaligned; object of another physmem than the map's; GROWSDOWN of other than private anonymous memory
 *   -EBADF       neither object nor MAP_ANONYMOUS         -EOVERFLOW  object, offset + len beyond 2^63 - 1
 *   -EOPNOTSUPP  MAP_SHARED_VALIDATE, unknown flags       -EEXIST     NOREPLACE, and something is mapped there
 *   -ENOMEM      no gap fits; the range goes above hi; no memory; limit_vmas, limit_as, limit_commit
 *   -EPERM       fixed addr below lo                       -EAGAIN   MAP_LOCKED above limit_locked
 * MAP_POPULATE faults pages in afterwards; its failures are not told. MAP_LOCKED: locks them, too, as mlock does.
 * MAP_HUGETLB, STACK: no effect.
 * MAP_GROWSDOWN makes a stack: a fault or an access below it, with nothing mapped in between, extends it (vmmap_fault).
 * No place that is not fixed (hints, mmap_within, mremap, brk) ends nearer than 256 pages below the VMA next above if
 * that is a stack: its guard gap. The pieces that other calls cut it into are stacks.
 * Concurrently: an address is handed to one caller; if only locked gaps fit, it sleeps for one holder, holding nothing.
 * Cost: as an edit; the search O(log n); before -ENOMEM every leaf is read. Source: mmap(2), docs/semantics.md.
 */
int64_t vmmap_mmap(struct vmmap *map, uint64_t addr, uint64_t len, int prot, int flags,
		   struct vmmap_object *object, uint64_t offset);
/* Maps as vmmap_mmap does, anywhere in [lo, hi) with address % align == phase, found and taken in one step. lo is
 * rounded up, hi down, both cut to the map's; align: a power of two >= 4096; phase: a multiple of 4096 below align.
 * Errors of vmmap_mmap but -EEXIST and -EPERM; -EINVAL also: lo > hi, align, phase, MAP_FIXED or NOREPLACE; -ENOMEM:
 * no such gap. Takes the highest fit in [lo, hi). Cost: O(log n), more where align rules out many gaps that are large
 * enough. */
int64_t vmmap_mmap_within(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t phase, uint64_t len,
			  int prot, int flags, struct vmmap_object *object, uint64_t offset);
/* Unmaps all in the range; holes are no error. 0; -EINVAL: addr unaligned, len 0, beyond 2^47; -ENOMEM: to split a
 * VMA: memory, limit_vmas. When it returns, no store to an old page is in flight; a load that began before may still
 * copy the old bytes: frames that other threads touched are reused only after a grace period (nobody waits for it).
 * Source: munmap(2). */
int     vmmap_munmap(struct vmmap *map, uint64_t addr, uint64_t len);
/* Sets prot, bits of r, w, x, on every page. 0, also with len 0; -EINVAL: addr unaligned, prot; -ENOMEM: a hole or the
 * end of the space (the mapped part before it is done); no memory, limit_vmas, limit_commit (unchanged). A store that
 * lost its right is over when it returns; present entries get new rights at once, where no copy is due first. Where
 * nothing changes, nothing is held. With PROT_GROWSDOWN the range begins at the start of the first VMA that it meets,
 * as it is when it is held; -EINVAL: that is no stack, or PROT_GROWSUP (-ENOMEM: addr is unmapped).
 * Source: mprotect(2). */
int     vmmap_mprotect(struct vmmap *map, uint64_t addr, uint64_t len, int prot);
/*
 * Resizes or moves [old_addr, old_addr + old_len) to new_len > 0 bytes. flags: MREMAP_MAYMOVE, with it MREMAP_FIXED
 * (to new_addr, replacing what is there), MREMAP_DONTUNMAP (old_len == new_len; new_addr is a hint unless FIXED).
 * old_len 0, with MAYMOVE: maps the same shared pages once more. Returns the new address, or
 *   -EINVAL   other flags or combinations; old_addr or new_addr unaligned; new_len 0 or too large; old and new overlap;
 *             new range above hi; old_len 0 of a private VMA; to shrink a range that leaves 2^47
 *   -EFAULT   old_addr unmapped; the range leaves 2^47, or its VMA (but to shrink, or a FIXED move of equal length,
 *             which takes several VMAs along, one by one)  -EPERM   FIXED below lo
 *   -ENOMEM   cannot grow in place and may not move; no gap; no memory; limit_vmas (to move: 4 VMAs below it, with
 *             new_addr 6), limit_as, limit_commit           -EAGAIN  a locked VMA grows above limit_locked
 * On failure unchanged, but for what a FIXED call of several VMAs did before: those that it had moved.
 * Locks: both ranges, lower first; a gap of the engine's choice is only tried while the source is held. Each page is
 * seen at the old or the new place, faults on both wait. Cost: as two edits, a step an entry. Source: mremap(2).
 */
int64_t vmmap_mremap(struct vmmap *map, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
		     uint64_t new_addr);
/*
 * Gives advice on the range. 0, also with len 0, or
 *   -EINVAL   addr unaligned; the range wraps; advice unknown here; FREE, WIPEONFORK on other than private anonymous
 *             memory, DONTNEED and FREE on locked memory, POPULATE_* without the right: ends there, what lies before
 *             is done                                        -EAGAIN  flags: limit_vmas (nothing done)
 *   -ENOMEM   a hole: told at the end, the mapped rest is done (POPULATE_*: ends there); the range leaves 2^47 (nothing
 *             done); no memory                             -EFAULT   POPULATE_* beyond the object's end
 * DONTNEED and FREE drop entries, POPULATE_* faults them in: visits, page by page, no VMA changes. WILLNEED only tells
 * holes and never waits. NORMAL, RANDOM, SEQUENTIAL, [DONT|DO]FORK, [DONT|DO]DUMP, [WIPE|KEEP]ONFORK, [NO]HUGEPAGE,
 * [UN]MERGEABLE are flags of the VMA: edits, split and merged as by mprotect. Source: madvise(2).
 */
int     vmmap_madvise(struct vmmap *map, uint64_t addr, uint64_t len, int advice);
/*
 * Syncs the range: flags MS_SYNC, MS_ASYNC, MS_INVALIDATE, not both of the first two. MS_SYNC: the dirty pages of
 * shared mappings of objects with a pager, as vmmap_object_sync; without it nothing is written. 0, also with len 0 or
 * one that rounds up to 2^64; -EINVAL: flags; addr unaligned; -ENOMEM: a hole (told at the end, the rest is done; with
 * MS_ASYNC alone it ends there), or the range wraps; -EBUSY: MS_INVALIDATE, and a VMA is locked: ends there; -EIO: a
 * write failed: ends with that VMA. [waits] as vmmap_object_sync does; holds nothing meanwhile. Source: msync(2).
 */
int     vmmap_msync(struct vmmap *map, uint64_t addr, uint64_t len, int flags);
/* Moves the break to addr, any byte in [brk_start, hi], and returns the break as it is then: unchanged if it cannot
 * move (0 asks). -ENOMEM: the map has no brk area. Calls of brk exclude each other by a lock of their own, taken
 * before the range; -EDEADLK: the caller holds a range, and another thread is inside brk, or holds pages that brk would
 * change. Cost: as an edit of what is added or removed. Source: brk(2), the system call. */
int64_t vmmap_brk(struct vmmap *map, uint64_t addr);

/*
 * Locks the pages of [addr, addr + len), widened to pages, in memory: a flag of the VMAs, split and merged as by
 * mprotect, which counts against limit_locked; then, but with MLOCK_ONFAULT (the one flag), faults them in. 0, or
 *   -EINVAL   other flags; the range wraps
 *   -ENOMEM   above limit_locked (pages in holes count, locked ones once), or limit_vmas: nothing done; a hole or the
 *             end of the space: the mapped part before it is locked, not faulted in; a page without any right, or
 *             beyond its object's end: all is locked, faulted in up to it    -EAGAIN  no frames: the same
 * Waits as mprotect does, then as faults do, a pager's included. Source: mlock(2).
 */
int     vmmap_mlock(struct vmmap *map, uint64_t addr, uint64_t len, unsigned flags);
/* Takes the flag away again. 0; -EINVAL: the range wraps; -ENOMEM: a hole, the end of the space (the mapped part before
 * it is done), limit_vmas, no memory (nothing done). Source: munlock(2). */
int     vmmap_munlock(struct vmmap *map, uint64_t addr, uint64_t len);

/*
 * Do what the plain calls do, waiting until deadline_ns at the longest ("_until" above). Errors: theirs, and
 *   -EAGAIN     deadline_ns is VMMAP_TRY, and the call would have to wait
 *   -ETIMEDOUT  deadline_ns is over (VMMAP_FOREVER never is), and the call would still have to wait
 * All or nothing also where the plain call may stop half way: DONTNEED and FREE, and mremap of several VMAs, hold the
 * whole range as an edit first. brk gives these two errors instead of a break. mlock gives them only before it locks:
 * a page that it cannot fault in by then comes with its first access. A limit's -EAGAIN (mmap, mremap, advices: nothing
 * done) is not a try's: the call says it with any deadline. Cost, locks, source: of the plain call.
 */
int64_t vmmap_mmap_until(struct vmmap *map, uint64_t addr, uint64_t len, int prot, int flags,
			 struct vmmap_object *object, uint64_t offset, uint64_t deadline_ns);
int64_t vmmap_mmap_within_until(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t phase,
				uint64_t len, int prot, int flags, struct vmmap_object *object, uint64_t offset,
				uint64_t deadline_ns);
int     vmmap_munmap_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t deadline_ns);
int     vmmap_mprotect_until(struct vmmap *map, uint64_t addr, uint64_t len, int prot, uint64_t deadline_ns);
int64_t vmmap_mremap_until(struct vmmap *map, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
			   uint64_t new_addr, uint64_t deadline_ns);
int     vmmap_madvise_until(struct vmmap *map, uint64_t addr, uint64_t len, int advice, uint64_t deadline_ns);
int64_t vmmap_brk_until(struct vmmap *map, uint64_t addr, uint64_t deadline_ns);
int     vmmap_msync_until(struct vmmap *map, uint64_t addr, uint64_t len, int flags, uint64_t deadline_ns);
int     vmmap_mlock_until(struct vmmap *map, uint64_t addr, uint64_t len, unsigned flags, uint64_t deadline_ns);
int     vmmap_munlock_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t deadline_ns);

/* ---- faults and accesses. [waits] ------------------------------------------------------------------------------ */

enum vmmap_fault_code {                          /* why -EFAULT: what the signal's si_code would say              */
	VMMAP_MAPERR = 1,                        /* SIGSEGV, nothing mapped                                       */
	VMMAP_ACCERR,                            /* SIGSEGV, protection                                           */
	VMMAP_BUS,                               /* SIGBUS, beyond the object's end, or its pager failed          */
};
/* COW: a copy of its own, or, after a fork, the page itself where nobody else has it any more. */
enum vmmap_fault_how { VMMAP_PRESENT, VMMAP_ZERO, VMMAP_ANON, VMMAP_COW, VMMAP_OBJECT };

struct vmmap_fault_info {
	enum vmmap_fault_code code;              /* set with -EFAULT                                              */
	enum vmmap_fault_how how;                /* set with 0                                                    */
	uint64_t pfn;                            /* set with 0; PHYSMEM_NONE: the shared zero page                */
	unsigned grew;                           /* 1: a GROWSDOWN VMA was extended first; also with an error     */
};

/*
 * Resolves a fault at addr, any byte. access: one of PROT_READ (content with any of r, w, x, as on x86), PROT_WRITE,
 * PROT_EXEC. info may be NULL. 0: the entry permitted the access at that instant; -EFAULT: info->code, validated as
 * success is; -ENOMEM: no frame or no table; -EINVAL: access (info untouched). Faults on one page run in parallel;
 * waits only while an edit holds the page, or a pager reads it (on this thread, or on another: if that fails, BUS for
 * the thread that asked, and the others ask for themselves). Holds an entry locked for a few instructions, sleeps
 * holding nothing.
 * In a hole below a stack (MAP_GROWSDOWN) it extends the stack to the page, as an edit of it and of its guard gap, and
 * begins again: MAPERR if the VMA next below allows any access, is no stack, and ends within 256 pages of the page, or
 * if the page is below lo. A stack that grew for an access which its protection then refuses stays grown. Only where
 * the VMA next above a hole is held by an edit does a fault that ends with MAPERR wait for it, and only in a map that
 * has had a stack. With a deadline: a fault that gives up after the stack has grown leaves it grown.
 * Cost: O(log n) and four tables; one frame at most. Writes no shared line but the entry's for anonymous memory
 * (policy vma; a private VMA's first write aside). Source: Linux mm/memory.c, per-VMA locks (Documentation/mm).
 */
int vmmap_fault(struct vmmap *map, uint64_t addr, int access, struct vmmap_fault_info *info);

/*
 * Copies len bytes from addr on out of the map, faulting as needed. Returns the bytes done before the first page that
 * fails, or, if that is 0, its error: -EFAULT, -ENOMEM (as vmmap_fault). len 0: 0. Cut at 2^47 and at SSIZE_MAX.
 * A page whose entry permits the access asks no lock, as on a TLB hit: it neither waits nor delays anybody. Per page
 * it sees the map before or after each edit; a racing vmmap_write may show word by word. No order between pages.
 * If the physmem is metadata only, faults are as usual, and *bytes is written for zero pages only.
 * Cost: O(len) and a walk of four tables a page, O(log n) more where it faults. Source: docs/adr/0005.
 */
ssize_t vmmap_read(struct vmmap *map, uint64_t addr, void *bytes, size_t len);
/* Copies len bytes into the map at addr; else as vmmap_read. Within a page a store is before or after every edit,
 * other store and copy-on-write: it locks the entry while it copies. Metadata only: sets dirty bits, moves nothing. */
ssize_t vmmap_write(struct vmmap *map, uint64_t addr, const void *bytes, size_t len);

/* vmmap_fault, read, write, waiting until deadline_ns at the longest. Errors: theirs, and -EAGAIN, -ETIMEDOUT as above;
 * a copy that has bytes to tell tells these. With frames left that readers hold back, VMMAP_TRY says -EAGAIN. */
int     vmmap_fault_until(struct vmmap *map, uint64_t addr, int access, struct vmmap_fault_info *info,
			  uint64_t deadline_ns);
ssize_t vmmap_read_until(struct vmmap *map, uint64_t addr, void *bytes, size_t len, uint64_t deadline_ns);
ssize_t vmmap_write_until(struct vmmap *map, uint64_t addr, const void *bytes, size_t len, uint64_t deadline_ns);

/*
 * Pins the pages of [addr, addr + len), widened to pages: each stays in one frame, which is the map's own, or, through
 * a shared mapping, its object's page; pfns[0], pfns[1], ... say which these are, until they are given back: for who
 * reaches them past the page table (physmem_frame_bytes). Faults pages in as writes first; what lies in a segment for
 * what can be moved (physmem_plug) goes elsewhere first, contents and all. Counted: a page that is pinned twice is
 * given back twice. Neither unplug nor poison moves them (PHYSMEM_REASON_PINNED, -EBUSY). mprotect changes only what
 * the map's own accesses may do; munmap, DONTNEED, resizes, vmmap_destroy and the last put of an object take the page
 * out, the frame stays until its last pin goes; mremap takes it along; a fork copies a private one at once: the pin
 * goes on with the parent's page. A page of an object with a pager stays dirty: each sync writes it, and the first one
 * after the last unpin what was stored until then. With a physmem of the map's own, pins go before the last of the maps
 * that have it is destroyed.
 * 0; an error has pinned nothing, pages faulted in or moved stay so: -EINVAL: len 0, a range that wraps, pfns NULL;
 * -EFAULT: a hole, no right to write, beyond the object's end, or the pager failed; -ENOMEM, also if only segments for
 * what can be moved have frames left; -EDEADLK: it has to be moved, and who is at work there may wait for a range that
 * the caller holds. [waits] as faults do. Counts against no limit. Cost: a fault, or a walk of four tables, a page;
 * what is moved: as for an unplug. Source: pin_user_pages with FOLL_LONGTERM and FOLL_WRITE of Linux.
 */
int vmmap_pin(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t *pfns);
/* Pins, waiting until deadline_ns at the longest. Errors: its, and -EAGAIN, -ETIMEDOUT as above: nothing is pinned. */
int vmmap_pin_until(struct vmmap *map, uint64_t addr, uint64_t len, uint64_t *pfns, uint64_t deadline_ns);
/* Gives n pins back, by frame, in any order, by any thread and any map of the physmem. What no map shows any more is
 * freed with its last pin. 0; -EINVAL: pfns NULL, or no frame of this physmem; -EALREADY: nobody pins it (of two calls
 * for one pin one gets this, unless it was pinned anew in between): of the first such; all others are given back. Never
 * sleeps. O(n). Source: unpin_user_pages. */
int vmmap_unpin(struct vmmap *map, const uint64_t *pfns, uint64_t n);

/* ---- looking ---------------------------------------------------------------------------------------------------- */

enum vmmap_advice_bits { VMMAP_DONTDUMP = 1, VMMAP_DONTFORK = 2, VMMAP_WIPEONFORK = 4, VMMAP_SEQUENTIAL = 8,
			 VMMAP_RANDOM = 16, VMMAP_HUGEPAGE = 32, VMMAP_NOHUGEPAGE = 64, VMMAP_MERGEABLE = 128 };

struct vmmap_vma {
	uint64_t start, end, offset;             /* offset: bytes in the object; anonymous: 0                      */
	int prot, flags;                         /* PROT_*; MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE,
						    MAP_GROWSDOWN                                                 */
	unsigned advice;                         /* bits of the flag advices                                      */
	unsigned locked;                         /* 0; 1: mlock; 2: the same with MLOCK_ONFAULT                   */
	uint64_t object;                         /* number of the object, 0 = anonymous private                   */
	char name[48];                           /* the object's; "" for anonymous private                        */
};

/* Reports the VMA that covers addr, any value, else the next above, in *out. 0; -ENOENT: none (*out untouched). It is
 * as it was at one instant, whole: mergeable pieces of an edit under way show as one. Takes no lock, never sleeps,
 * delays no one; looks again if overtaken. Cost: O(log n). Source: PROCMAP_QUERY (Linux 6.11). */
int vmmap_query(struct vmmap *map, uint64_t addr, struct vmmap_vma *out);
/* Calls fn for each VMA that meets [lo, hi), ascending, until it returns non-zero; returns that, else 0. VMAs are not
 * cut to [lo, hi). Each is as vmmap_query says, all of them not of one instant: ends always rise, and a VMA that has
 * changed since the one before was told may begin below its end. What is mapped throughout is not missed. fn runs with
 * nothing held: it may call anything, edits of this map included. Cost: O(log n) a VMA. */
int vmmap_walk(struct vmmap *map, uint64_t lo, uint64_t hi, int (*fn)(const struct vmmap_vma *vma, void *arg),
	       void *arg);
/* Prints the map as /proc/PID/maps does, device 00:00, the object's number as inode. 0; -EIO: out does not take it. As
 * vmmap_walk; sleeps only in stdio. Source: proc_pid_maps(5). */
int vmmap_print_maps(struct vmmap *map, FILE *out);

/* mapped_bytes: sum over VMAs. resident_pages: entries with a frame, the object's included, the zero page not.
 * metadata_bytes: tree nodes and VMAs, unused ones in their slabs included, and the map itself; tables are apart.
 * committed_pages: private ones that may need a frame of their own (VM_ACCOUNT), and shared anonymous objects, both
 * but for NORESERVE. locked_bytes: VMAs under mlock. */
struct vmmap_usage {
	uint64_t vmas, mapped_bytes, resident_pages, table_pages, metadata_bytes, committed_pages, locked_bytes;
};
/* Measures the map. Exact when quiescent, else each part at its own time. Takes no lock, never sleeps; frames freed
 * meanwhile wait for it. Cost: O(VMAs + tables + entries). */
void vmmap_get_usage(struct vmmap *map, struct vmmap_usage *out);

struct vmmap_counters {                          /* since creation, summed over threads                            */
	uint64_t mmaps, munmaps, mprotects, mremaps, madvises, brks;         /* calls that succeeded; brks: all    */
	uint64_t mlocks, munlocks;
	uint64_t faults, fault_hits, fault_retries, accesses;
	uint64_t brief_edits, general_edits, merges, splits;
	uint64_t waits, hand_overs, max_overtakes;       /* operations that queued; longest overtaking of a waiter */
	uint64_t frames_direct, frames_deferred;         /* freed at once / after a grace period                   */
	uint64_t forks;                                  /* of this map                                            */
};
/* Sums the counters over all threads' slots: exact when quiescent, each counter monotonic otherwise. A thread that got
 * no memory for its counters goes uncounted. Takes no lock, never sleeps. Cost: O(threads ever alive at a time). */
void vmmap_get_counters(struct vmmap *map, struct vmmap_counters *out);

/* Returns how often a call waited for a grace period, process-wide. Map calls add 0 but where frames would run out;
 * vmmap_destroy, physmem_destroy and vmmap_audit count as well. O(1). */
uint64_t vmmap_grace_period_waits(void);
/* Returns how often a thread was blocked (entered the kernel to sleep, or spun more than 1,000 rounds), process-wide.
 * Cost: O(threads ever alive at a time). */
uint64_t vmmap_blocked_total(void);
/* The same of the calling thread. O(1): the difference over a call says whether it blocked. */
uint64_t vmmap_blocked_self(void);

/* ---- ranges held by the caller, checks, diagnosis ---------------------------------------------------------------- */

/* A range that is held: lo, hi page-rounded; the rest is the engine's. Valid from hold to release, where it lies. */
struct vmmap_held { uint64_t lo, hi; void *opaque[24]; };
/* Holds [addr, addr + len), len > 0, as an edit would, gaps included. [waits] When it returns, no visit of before is
 * inside; edits and faults wait there, nobody elsewhere; accesses to present entries and listings go on. Until
 * vmmap_release, by this thread, it calls nothing else on this map. A VMA that it cuts is one again after that, but
 * for anonymous memory first written to on both sides meanwhile. 0; -EINVAL: addr unaligned, len 0, beyond 2^47,
 * held NULL; -ENOMEM: to cut a VMA at a border; -EDEADLK: it holds a range already (where noticed). Then it holds none
 * of this one. Cost: O(log n + VMAs and leaves met). Source: range locks, Dufour and Glisse, LPC 2019. */
int  vmmap_hold(struct vmmap *map, uint64_t addr, uint64_t len, struct vmmap_held *held);
/* Holds as vmmap_hold, waiting until deadline_ns at the longest. Errors: its, and -EAGAIN, -ETIMEDOUT as above. */
int  vmmap_hold_until(struct vmmap *map, uint64_t addr, uint64_t len, struct vmmap_held *held, uint64_t deadline_ns);
/* Releases what vmmap_hold took, once, on the same thread; joins again what the borders had cut, or leaves it to who
 * holds a neighbour; grants to waiters in turn. Cannot fail, waits for no range: needs no deadline. Cost: as hold. */
void vmmap_release(struct vmmap *map, struct vmmap_held *held);

/* Checks tree, page table, locks, and what they owe each other: canonical merging, no entry without a VMA, no lock
 * left, all frames accounted for (a physmem of its own). A line per violation to report (NULL: none). Returns their
 * number. Quiescent only: no call, no range held. Sleeps for grace periods. Cost: O(VMAs + tables + entries). */
uint64_t vmmap_audit(struct vmmap *map, FILE *report);
/* Writes the policy, holders, queues and wait-for chains, then the map as vmmap_print_maps. Any time, also while
 * others are stuck: takes no lock; a picture, not a snapshot. Cost: O(threads + VMAs). */
void     vmmap_dump(struct vmmap *map, FILE *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
