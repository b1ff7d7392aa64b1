/* SPDX-License-Identifier: MIT */
/*
 * physseg.h - physical segments: which frames there are, as runs that can be plugged and unplugged.
 *
 * A segment is [start, end); a part of it, [avail_start, avail_end), may be handed out: what lies beside that is
 * reserved (firmware, the machine's own tables). Names and semantics are those of NetBSD's uvm_hotplug(9), with return
 * codes where it panics: an error changes nothing, and counts, lists and reserved frames survive a split.
 * All numbers are pfns. Who changes segments takes turns on a lock of the table; who looks them up takes none
 * (physseg.c), but with the indexes `array` and `rbtree`, which are there to be compared with.
 * Source: uvm_hotplug(9); Cherry G. Mathew and Santhosh N. Raju, "uvm_hotplug(9)", AsiaBSDCon 2017.
 */
#ifndef VMMAP_PHYS_PHYSSEG_H
#define VMMAP_PHYS_PHYSSEG_H

#include <stdbool.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define PHYSSEG_NONE       UINT64_MAX            /* instead of a pfn                                               */
#define PHYSSEG_FREE_LISTS 4u

/* Names one segment for as long as it is plugged, whatever happens to others; never valid again afterwards. */
struct physseg_handle { uint32_t slot, generation; };

#define PHYSSEG_INVALID  ((struct physseg_handle){ 0, 0 })
#define PHYSSEG_EMPTY    ((struct physseg_handle){ 1, 0 })       /* in front of the first one; of an empty table   */
#define PHYSSEG_OVERFLOW ((struct physseg_handle){ 2, 0 })       /* behind the last one                            */

struct physseg_table;

/* ---- life ---- */

/*
 * Makes an empty table for pfns [base, limit), at most 2^32 - 1 of them, in boot state. index: "bitmap" (NULL),
 * "cow-array", "rbtree", "array". 0; -EINVAL: no such index or range; -ENOMEM.
 */
int  physseg_table_init(struct physseg_table *t, const char *index, uint64_t base, uint64_t limit);
void physseg_table_fini(struct physseg_table *t);
/* Ends boot: from now on frames are handed out by their allocator, so load and unload fail. */
void physseg_boot_done(struct physseg_table *t);

/* ---- plug and unplug ---- */

/*
 * Registers [pfn, pfn + pages), all of it available, on free list 0. 0 and *out (NULL: not wanted); -EINVAL: empty, or
 * not inside the table's range; -EEXIST: a frame of it is there already; -ENOSPC: the index is full; -ENOMEM. Lookups
 * go on beside it. The first 64 segments take no memory, but under cow-array. Cost: that of the index.
 */
int  physseg_plug(struct physseg_table *t, uint64_t pfn, uint64_t pages, struct physseg_handle *out);
/*
 * Forgets [pfn, pfn + pages), whoever uses it: whole segments, ends of them, a middle part (what is above goes on as a
 * new segment), across neighbours. What remains keeps its handle, free list, hint and data; its available part is
 * what is left of it. 0; -EINVAL: empty or not inside; -ENXIO: a frame of it is not there; -ENOMEM: nothing would be left, or
 * no memory for the new segment; -ENOSPC.
 */
int  physseg_unplug(struct physseg_table *t, uint64_t pfn, uint64_t pages);

/* ---- boot ---- */

/* Plugs [start, end) with its available part and free list. -EBUSY: not in boot state; -EINVAL: also if the part does
 * not lie in the segment or the list is not below PHYSSEG_FREE_LISTS; else as physseg_plug. */
int  physseg_load(struct physseg_table *t, uint64_t start, uint64_t end, uint64_t avail_start, uint64_t avail_end,
		  unsigned free_list, struct physseg_handle *out);
/*
 * Steals a frame for the boot code: the first of the segment, else its last one, if that is available. 0 and *pfn;
 * -EBUSY: not in boot state; -EINVAL: stale handle or another free list; -ENXIO: neither is available; -ENOMEM: it is
 * the last of all.
 */
int  physseg_unload(struct physseg_table *t, struct physseg_handle h, unsigned free_list, uint64_t *pfn);
/* Steals the first available frame, wherever it is and whatever its list. The segment stays whole: the frame becomes
 * reserved, unless it was the segment's first. Errors as physseg_unload. */
int  physseg_unload_force(struct physseg_table *t, struct physseg_handle h, uint64_t *pfn);

/* ---- lookup: any thread, beside changes ---- */

/* The segment that has pfn, and the frame's place in it; PHYSSEG_INVALID, *offset untouched. offset may be NULL. */
struct physseg_handle physseg_find(struct physseg_table *t, uint64_t pfn, uint64_t *offset);
/* In order of address. After the last: OVERFLOW; before the first, or of an empty table: EMPTY; of a stale handle:
 * INVALID. A segment that stays is met once by who goes through all of them. */
struct physseg_handle physseg_first(struct physseg_table *t);
struct physseg_handle physseg_last(struct physseg_table *t);
struct physseg_handle physseg_next(struct physseg_table *t, struct physseg_handle h);
struct physseg_handle physseg_prev(struct physseg_table *t, struct physseg_handle h);
bool physseg_valid(struct physseg_table *t, struct physseg_handle h);
/* Of a stale handle: PHYSSEG_NONE. */
uint64_t physseg_start(struct physseg_table *t, struct physseg_handle h);
uint64_t physseg_end(struct physseg_table *t, struct physseg_handle h);
uint64_t physseg_avail_start(struct physseg_table *t, struct physseg_handle h);
uint64_t physseg_avail_end(struct physseg_table *t, struct physseg_handle h);
uint64_t physseg_start_hint(struct physseg_table *t, struct physseg_handle h);
/* -1 */
int      physseg_free_list(struct physseg_table *t, struct physseg_handle h);
/* NULL */
void    *physseg_md(struct physseg_table *t, struct physseg_handle h);
/* The last frame of all; PHYSSEG_NONE: there is none. */
uint64_t physseg_highest_frame(struct physseg_table *t);
uint64_t physseg_count(struct physseg_table *t);
uint64_t physseg_pages(struct physseg_table *t);

/* ---- fields ---- */

/* start <= avail_start <= avail_end <= end. 0; -EINVAL: stale, or not so. */
int physseg_set_avail(struct physseg_table *t, struct physseg_handle h, uint64_t avail_start, uint64_t avail_end);
/* Where a search for free frames is to begin, as an offset into the segment. 0; -EINVAL: stale, or beyond its end. */
int physseg_set_start_hint(struct physseg_table *t, struct physseg_handle h, uint64_t offset);
/* The caller's own, handed on by splits. */
int physseg_set_md(struct physseg_table *t, struct physseg_handle h, void *md);

/* Segments sorted, disjoint, not empty, their available parts inside; slots, index and sums agree. Quiescent only. */
uint64_t physseg_audit(struct physseg_table *t, FILE *report);

#endif
