/* SPDX-License-Identifier: MIT */
/*
 * vmmap.h - an address space: VMAs, page table, frames. Calls on disjoint ranges run in parallel.
 *
 * Conventions, once for every call
 *   addresses   uint64_t, simulated; page size 4096; ranges half open [addr, addr + len)
 *   constants   PROT_*, MAP_*, MREMAP_*, MADV_* of <sys/mman.h>, same values (needs _GNU_SOURCE there)
 *   returns     0 or an address/byte count >= 0; else -errno, Linux's errno for the same call
 *   threads     every call from any thread, no registration; vmmap_destroy when no other call runs
 *   [waits]     may wait for another thread's operation on pages of the same range; never for one elsewhere
 *   failure     want of memory, a bad argument: map unchanged. Linux's partial effects
 *               (mprotect, madvise over a hole: -ENOMEM, the mapped part before it done) are kept
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
};
#define VMMAP_CONFIG { sizeof(struct vmmap_config), NULL, VMMAP_ARENAS, 0, 0, 0, 0, NULL }

int  vmmap_create(struct vmmap **out, const struct vmmap_config *config);      /* -EINVAL -ENOENT (policy) -ENOMEM */
void vmmap_destroy(struct vmmap *map);                                         /* waits for a grace period         */

const char *vmmap_policy_name(unsigned i);       /* NULL past the last: what --policy=help prints                  */
const char *vmmap_policy_idea(unsigned i);       /* one line, with the source                                     */
int         vmmap_policy_threads(unsigned i);    /* 0: one thread only (`none`)                                    */

/* ---- memory objects: simulated files, with a page cache --------------------------------------------------------- */

int  vmmap_object_create(struct vmmap_object **out, struct physmem *pm, const char *name, uint64_t size);
void vmmap_object_put(struct vmmap_object *object);                            /* VMAs hold references of their own */
uint64_t vmmap_object_number(const struct vmmap_object *object);               /* as listings show it              */

/* ---- the map: Linux's calls. All [waits] ------------------------------------------------------------------------ */

/* Maps len bytes of object (NULL = anonymous) from offset. Returns the address. */
int64_t vmmap_mmap(struct vmmap *map, uint64_t addr, uint64_t len, int prot, int flags,
		   struct vmmap_object *object, uint64_t offset);
/* The same anywhere in [lo, hi) with address % align == phase, found and taken in one step. -ENOMEM: no such gap. */
int64_t vmmap_mmap_within(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t phase, uint64_t len,
			  int prot, int flags, struct vmmap_object *object, uint64_t offset);
int     vmmap_munmap(struct vmmap *map, uint64_t addr, uint64_t len);
int     vmmap_mprotect(struct vmmap *map, uint64_t addr, uint64_t len, int prot);
int64_t vmmap_mremap(struct vmmap *map, uint64_t old_addr, uint64_t old_len, uint64_t new_len, int flags,
		     uint64_t new_addr);
int     vmmap_madvise(struct vmmap *map, uint64_t addr, uint64_t len, int advice);
int64_t vmmap_brk(struct vmmap *map, uint64_t addr);                 /* returns the break, as the system call does */

/* ---- faults and accesses. [waits] ------------------------------------------------------------------------------ */

enum vmmap_fault_code {                          /* why -EFAULT: what the signal's si_code would say              */
	VMMAP_MAPERR = 1,                        /* SIGSEGV, nothing mapped                                       */
	VMMAP_ACCERR,                            /* SIGSEGV, protection                                           */
	VMMAP_BUS,                               /* SIGBUS, beyond the object's end                               */
};
enum vmmap_fault_how { VMMAP_PRESENT, VMMAP_ZERO, VMMAP_ANON, VMMAP_COW, VMMAP_OBJECT };

struct vmmap_fault_info {
	enum vmmap_fault_code code;              /* set with -EFAULT                                              */
	enum vmmap_fault_how how;                /* set with 0                                                    */
	uint64_t pfn;                            /* set with 0; PHYSMEM_NONE: the shared zero page                */
};

/* Resolves a fault at addr. access: one of PROT_READ, PROT_WRITE, PROT_EXEC. info may be NULL.
 * 0; -EFAULT (info->code); -ENOMEM: no frame or no table; -EINVAL. */
int vmmap_fault(struct vmmap *map, uint64_t addr, int access, struct vmmap_fault_info *info);

/* Copy bytes out of / into the map, faulting as needed. Returns bytes done before the first fault that fails, or
 * -EFAULT if that is 0. Atomic per page against every other call, not beyond a page. */
ssize_t vmmap_read(struct vmmap *map, uint64_t addr, void *bytes, size_t len);
ssize_t vmmap_write(struct vmmap *map, uint64_t addr, const void *bytes, size_t len);

/* ---- looking ---------------------------------------------------------------------------------------------------- */

enum vmmap_advice_bits { VMMAP_DONTDUMP = 1, VMMAP_DONTFORK = 2, VMMAP_WIPEONFORK = 4, VMMAP_SEQUENTIAL = 8,
			 VMMAP_RANDOM = 16, VMMAP_HUGEPAGE = 32, VMMAP_NOHUGEPAGE = 64, VMMAP_MERGEABLE = 128 };

struct vmmap_vma {
	uint64_t start, end, offset;             /* offset: bytes in the object; anonymous: 0                      */
	int prot, flags;                         /* PROT_*; MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE */
	unsigned advice;                         /* bits of the flag advices                                      */
	uint64_t object;                         /* number of the object, 0 = anonymous private                   */
	char name[48];                           /* the object's; "" for anonymous private                        */
};

/* The VMA that covers addr, else the next above. -ENOENT: none. Never waits; each VMA is as it was at one instant. */
int vmmap_query(struct vmmap *map, uint64_t addr, struct vmmap_vma *out);
/* Calls fn for each VMA that meets [lo, hi), ascending, until it returns non-zero; returns that. fn holds nothing. */
int vmmap_walk(struct vmmap *map, uint64_t lo, uint64_t hi, int (*fn)(const struct vmmap_vma *vma, void *arg),
	       void *arg);
int vmmap_print_maps(struct vmmap *map, FILE *out);                  /* the text of /proc/PID/maps                 */

struct vmmap_usage { uint64_t vmas, mapped_bytes, resident_pages, table_pages, metadata_bytes; };
void vmmap_get_usage(struct vmmap *map, struct vmmap_usage *out);   /* exact when quiescent                         */

struct vmmap_counters {                          /* since creation, summed over threads                            */
	uint64_t mmaps, munmaps, mprotects, mremaps, madvises, brks;         /* calls that succeeded               */
	uint64_t faults, fault_hits, fault_retries, accesses;
	uint64_t brief_edits, general_edits, merges, splits;
	uint64_t waits, hand_overs, max_overtakes;       /* operations that queued; longest overtaking of a waiter */
	uint64_t frames_direct, frames_deferred;         /* freed at once / after a grace period                   */
};
void vmmap_get_counters(struct vmmap *map, struct vmmap_counters *out);

/* Process-wide: grace periods that an operation waited for (0: promise P-7), waits that blocked a thread (entered the
 * kernel to sleep, or spun more than 1,000 times): in all, and by the calling thread. */
uint64_t vmmap_grace_period_waits(void);
uint64_t vmmap_blocked_total(void);
uint64_t vmmap_blocked_self(void);

/* ---- ranges held by the caller, checks, diagnosis ---------------------------------------------------------------- */

struct vmmap_held { uint64_t lo, hi; void *opaque[24]; };
/* Holds [addr, addr + len) as an operation would, gaps included: others wait there, nobody elsewhere. [waits]
 * Until vmmap_release this thread calls nothing else on this map. -EINVAL -ENOMEM */
int  vmmap_hold(struct vmmap *map, uint64_t addr, uint64_t len, struct vmmap_held *held);
void vmmap_release(struct vmmap *map, struct vmmap_held *held);

uint64_t vmmap_audit(struct vmmap *map, FILE *report);               /* quiescent only; number of violations        */
void     vmmap_dump(struct vmmap *map, FILE *out);                   /* holders, queues, wait-for chain; any time   */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
