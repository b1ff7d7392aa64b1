/* SPDX-License-Identifier: MIT */
/*
 * physseg.h - physical segments: which frames there are, as runs that can be plugged and unplugged; and byte addresses.
 *
 * A segment is [start, end); a part of it, [avail_start, avail_end), may be handed out: what lies beside that is
 * reserved (firmware, the machine's own tables). Names and semantics are those of NetBSD's uvm_hotplug(9), with return
 * codes where it panics: an error changes nothing, and counts, lists and reserved frames survive a split.
 * docs/physmem.md has the two side by side.
 *
 * All numbers are pfns, except where `phys` says that it is a byte address. Conventions of vmmap.h: any thread, no
 * registration, -errno, no call holds a lock when it returns. Changes wait for each other; lookups wait for nothing,
 * but with the indexes `array` and `rbtree`, which are there to be compared with. Pointers are not NULL but where said.
 * Source: uvm_hotplug(9); Cherry G. Mathew and Santhosh N. Raju, "uvm_hotplug(9)", AsiaBSDCon 2017.
 */
#ifndef VMMAP_PHYSSEG_H
#define VMMAP_PHYSSEG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

struct physseg_table;
struct physseg_frame;                            /* of a frame that is there: its record                           */

#define PHYSSEG_NONE       UINT64_MAX            /* instead of a pfn, of a byte address                            */
#define PHYSSEG_FREE_LISTS 4u

/* Names one segment for as long as it is plugged, whatever happens to others; never valid again afterwards. Under the
 * index `array` it is a place in the order, and names another segment once a lower one comes or goes. */
struct physseg_handle { uint32_t slot, generation; };

#ifdef __cplusplus
#define PHYSSEG_HANDLE(s, g) physseg_handle{ s, g }
#else
#define PHYSSEG_HANDLE(s, g) ((struct physseg_handle){ s, g })
#endif
#define PHYSSEG_INVALID  PHYSSEG_HANDLE(0, 0)
#define PHYSSEG_EMPTY    PHYSSEG_HANDLE(1, 0)    /* in front of the first one; of an empty table                   */
#define PHYSSEG_OVERFLOW PHYSSEG_HANDLE(2, 0)    /* behind the last one                                            */

/* ---- life ---- */

struct physseg_config {                          /* start from PHYSSEG_CONFIG; 0 / NULL = the default              */
	size_t size;                             /* sizeof(struct physseg_config)                                  */
	const char *index;                       /* "bitmap" (default), "cow-array", "rbtree", "array"             */
	uint64_t base, limit;                    /* pfns that there may be: [base, limit); default base + 2^28     */
	int sections;                            /* 1: as if address space were short (see physseg_create)         */
};
#define PHYSSEG_CONFIG { sizeof(struct physseg_config), NULL, 0, 0, 0 }

/*
 * Makes a table without segments, in boot state. config: NULL = all defaults. 0 and *out; -EINVAL: out NULL, size
 * wrong, no such index, limit not above base, above 2^40, or 2^32 pfns or more above base; -ENOMEM. 10 bytes of
 * address space for each pfn are reserved, memory is used as segments come. Where that is refused (RLIMIT_AS, strict
 * overcommit) the table does with sections of 16 MiB, made when a segment comes there: lookups cost one load more.
 */
int  physseg_create(struct physseg_table **out, const struct physseg_config *config);
/* NULL: nothing. No other call on it may run or come. Sleeps for grace periods, if the index is cow-array. */
void physseg_destroy(struct physseg_table *t);
/* Ends boot: from now on frames are handed out by their allocator, so load and unload fail. */
void physseg_boot_done(struct physseg_table *t);

/* ---- plug and unplug ---- */

/*
 * Registers [pfn, pfn + pages), all of it available, on free list 0. 0 and *out (NULL: not wanted); -EINVAL: empty, or
 * not inside the table's range; -EEXIST: a frame of it is there already; -ENOSPC: the index is full; -ENOMEM. Lookups
 * go on beside it. The first 64 segments take no memory but for their frames' records, a byte each, and need
 * no allocator (cow-array: they do). Cost: that of the index, and a byte written for each frame.
 */
int  physseg_plug(struct physseg_table *t, uint64_t pfn, uint64_t pages, struct physseg_handle *out);
/*
 * Forgets [pfn, pfn + pages), whoever uses it: whole segments, ends of them, a middle part (what is above goes on as a
 * new segment), across neighbours. What remains keeps its handle, free list, hint and data; its available part is
 * what is left of it. 0; -EINVAL: empty or not inside; -ENXIO: a frame of it is not there; -ENOMEM: nothing would be
 * left, or no memory for the new segment; -ENOSPC.
 */
int  physseg_unplug(struct physseg_table *t, uint64_t pfn, uint64_t pages);

/* ---- boot ---- */

struct physseg_boot { uint64_t start, end, avail_start, avail_end; unsigned free_list; };

/* Plugs a segment with its available part and free list. -EBUSY: not in boot state; -EINVAL: also if the part does not
 * lie in the segment or the list is not below PHYSSEG_FREE_LISTS; else as physseg_plug. */
int  physseg_load(struct physseg_table *t, const struct physseg_boot *what, struct physseg_handle *out);
/*
 * Steals a frame for the boot code: the first of the segment, else its last one, if that is available. 0 and *pfn;
 * -EBUSY: not in boot state; -EINVAL: stale handle or another free list; -ENXIO: neither is available; -ENOMEM: it is
 * the last of all.
 */
int  physseg_unload(struct physseg_table *t, struct physseg_handle h, unsigned free_list, uint64_t *pfn);
/* Steals the first available frame, wherever it is and whatever its list. The segment stays whole: the frame becomes
 * reserved, unless it was the segment's first. Errors as physseg_unload. */
int  physseg_unload_force(struct physseg_table *t, struct physseg_handle h, uint64_t *pfn);

/* ---- lookup: beside changes ---- */

/* The segment that has pfn, and the frame's place in it; PHYSSEG_INVALID, *offset untouched. offset may be NULL. */
struct physseg_handle physseg_find(struct physseg_table *t, uint64_t pfn, uint64_t *offset);
/* In order of address. After the last: OVERFLOW; before the first, or of an empty table: EMPTY; of a stale handle:
 * INVALID. A segment that stays is met once by who goes through all of them. */
struct physseg_handle physseg_first(struct physseg_table *t);
struct physseg_handle physseg_last(struct physseg_table *t);
struct physseg_handle physseg_next(struct physseg_table *t, struct physseg_handle h);
struct physseg_handle physseg_prev(struct physseg_table *t, struct physseg_handle h);
/* 1 or 0. */
int      physseg_valid(struct physseg_table *t, struct physseg_handle h);
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
/* How many segments there are, and frames in them. */
uint64_t physseg_count(struct physseg_table *t);
uint64_t physseg_pages(struct physseg_table *t);

/* ---- frames: beside changes ---- */

/* The record of the frame that has this byte; NULL: it is not there. The record's place is the frame's for the life of
 * the table, so a pointer may be kept, and compared. Cost: one load, however many segments there are. */
struct physseg_frame *physseg_phys_to_frame(struct physseg_table *t, uint64_t phys);
/* The frame's first byte; PHYSSEG_NONE: it is not there any more, or frame is NULL. One load. */
uint64_t physseg_frame_to_phys(struct physseg_table *t, const struct physseg_frame *frame);
/* The segment's frame at this place; NULL: stale handle, or the segment is not as large. */
struct physseg_frame *physseg_frame(struct physseg_table *t, struct physseg_handle h, uint64_t offset);

/* ---- fields ---- */

/* start <= avail_start <= avail_end <= end. 0; -EINVAL: stale, or not so. */
int physseg_set_avail(struct physseg_table *t, struct physseg_handle h, uint64_t avail_start, uint64_t avail_end);
/* Where a search for free frames is to begin, as an offset into the segment. 0; -EINVAL: stale, or beyond its end. */
int physseg_set_start_hint(struct physseg_table *t, struct physseg_handle h, uint64_t offset);
/* The caller's own, handed on by splits. */
int physseg_set_md(struct physseg_table *t, struct physseg_handle h, void *md);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
