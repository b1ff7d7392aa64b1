/* SPDX-License-Identifier: MIT */
/*
 * region.h - parts of a map that one thread changes for ever, and what a listing may say of them.
 *
 * HISTORY  The changes of a region are numbered. Its thread writes the state that change n leads to, then says
 *          `started` n, makes the call, says `done` n. Who looks reads `done` before (no older state can be seen) and
 *          `started` after (nor a newer one): the window.
 * BETWEEN  An edit that covers several leaves or several VMAs is seen leaf by leaf, each page old or new. So a VMA is
 *          right if there is a change n in the window such that each of its units is what it is said to be before or
 *          after n, and so is that it ends where it ends. Anything else is a tear: bounds of one time with attributes
 *          of another, half a VMA, a hole.
 * PARTED   Leaves that threads fight over are parted anywhere: then, while a change is under way, one end may also lie
 *          inside a unit. (The regions of two writers are so far apart that a border between them lies at a unit's.)
 * IDENTITY What is mapped shows an object at an offset that says where in the region it is, or which replacement of it
 *          this is; so fields that do not belong together are recognized.
 *
 * CARVED   units with a protection and an advice each: mprotect, madvise, munmap, MAP_FIXED of runs: split, shrink,
 *          merge. Lies across a border of leaves.
 * GROWN    grows and shrinks by mremap in place, over such a border.
 * REPLACED by MAP_FIXED as a whole; never a hole in it.
 * MOVED    by mremap to another place and back.
 */
#ifndef TESTS_LISTING_REGION_H
#define TESTS_LISTING_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/prng.h"
#include "vmmap/vmmap.h"

#define UNITS     16
#define UNIT      UINT64_C(0x8000)                       /* eight pages                                            */
#define SPAN      (UNITS * UNIT)
#define RING      4096                                   /* changes that a window may go back                      */
#define REGIONS   4
#define REGION_UNTOLD (~0u)                              /* an advice: the line of maps does not show it           */

enum region_kind { REGION_CARVED, REGION_GROWN, REGION_REPLACED, REGION_MOVED };

struct region {
	enum region_kind kind;
	struct vmmap *map;
	bool parted;
	uint64_t at[2];                                  /* its place; of MOVED both                               */
	struct vmmap_object *object[2];
	struct prng random;
	atomic_u64 started, done;
	atomic_u64 state[RING];                          /* CARVED, GROWN: three bits a unit; else the number      */
};

struct window { uint64_t lo, hi; };                      /* numbers of changes that may be seen                    */

void region_open(struct region *r, struct vmmap *map, enum region_kind kind, struct physmem *memory);
void region_close(struct region *r);
/* One change. False: a call failed. */
bool region_change(struct region *r);

static inline uint64_t region_before(const struct region *r) { return atomic_load_acquire(&r->done); }
static inline uint64_t region_after(const struct region *r)  { return atomic_load_acquire(&r->started); }
/* Which region is over addr (of MOVED: either place). NULL: none. */
struct region *region_over(struct region regions[], uint64_t addr);
/* Is this VMA right? NULL, or what is wrong. */
const char *region_check(const struct region *r, struct window w, const struct vmmap_vma *v);
/* Nothing is listed in [lo, hi), which lies in one place of r: may that be? */
bool region_may_miss(const struct region *r, struct window w, uint64_t lo, uint64_t hi);

#endif
