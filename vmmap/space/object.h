/* SPDX-License-Identifier: MIT */
/*
 * object.h - memory objects: a size, a page cache, where they are mapped, and for some a pager.
 *
 * PAGE    one word per page, in a page table of the object (pt.h: PRESENT, DIRTY, frame), and marks:
 *           0                     absent
 *           NEW | frame           a fault has made a page of zeros; shown to nobody before it was seen to be inside
 *           BUSY | frame          a fault asks the pager to fill this frame, which is its own: so the word is unique
 *           BUSY | MOVING | frame it goes to another frame; DIRTY as it was. Nobody else changes this word
 *           PRESENT | frame       cached; DIRTY (objects with a pager): may differ from the pager's copy
 *           .. | WRITEBACK        a sync writes a copy of it; stays, alone, when the page is cut off meanwhile
 *         0 -> NEW -> PRESENT | 0, 0 -> BUSY -> PRESENT | 0 by a fault; PRESENT -> DIRTY by a fault; DIRTY ->
 *         WRITEBACK -> PRESENT (DIRTY again on failure) by a sync; PRESENT -> MOVING -> PRESENT by who moves the frame
 *         (migrate_object.c); all but MOVING -> 0 by a resize. All by seq_cst CAS. Who takes PRESENT or NEW to 0, or
 *         PRESENT to another frame, defers the frame; but a frame that is pinned (pin.c) goes to no other one, and
 *         stays, its pins', when the page goes to 0 (object_leaves).
 * WHERE   struct rmap, one per mmap: rmap.c.
 * EDGES   towards mappings, all seq_cst. "Entry" is that of a map's page table, "page" the word above.
 *         Z1 resize: store size, then load each entry       Z2 fault: CAS entry LOCKED, then load size
 *            either the fault sees the new size and undoes, or the resize sees LOCKED or the value, and drops it.
 *         Z3 resize: page -> 0, after Z1's entries          Z4 fault: after Z2, load page: still this frame?
 *            a size that was lowered and raised again: resizes exclude each other, so the page went before the raise.
 *            The frame is deferred, so it does not come back to this word inside the fault's read section.
 *         Z5 make a page: CAS page NEW, then load size      Z6 resize: store size, then load page: none is left behind
 *            what is inside becomes PRESENT, what is beyond goes; who meets NEW may do it for its maker. (Were it shown
 *            first, it could not be taken back: another fault may have mapped it, before the cut or after a raise.)
 *         Z7 a page's word, PRESENT: its frame has the bytes of who made it (Z5) or read it (P1)
 *         Y1 sync: page DIRTY -> WRITEBACK, then take WRITE out of each entry, then copy the bytes
 *         Y2 fault: CAS entry LOCKED, then page -> DIRTY, then store the entry with WRITE
 *            Y2's mark before Y1's: the entry was LOCKED before Y1, so Y1 waits for it and takes WRITE away: the stores
 *            until then are in the copy, a later one faults. Y2's mark after Y1's: the page stays dirty.
 *         Y4 sync: after Y1's entries is the frame pinned?  Y5 pin: counted with an entry LOCKED that has WRITE
 *            pinned: the page stays dirty, whoever pinned it may store past any entry. Not: what a pin stored that has
 *            gone is in the copy (K2 -> K1 of frame_record.h); one that comes later faults first, Y2.
 *         Y3 sync: after Y1's mark load size, what lies beyond is zeros. Else Z6's look at the last page, after the
 *            size was lowered, sees the mark gone, and sets it again after it has zeroed the rest.
 *         B1 fill, mover: page BUSY -> another word, then wake + 1, then wake up
 *         B2 waiter: load wake, then page: still BUSY, then sleep while wake is that
 *         P1 fill: CAS page BUSY, then load filled          P2 resize: lower filled, then page BUSY -> 0
 *            either the fill knows what the pager's copy is no longer good for, or its CAS to PRESENT fails and it
 *            starts again.
 *         X1 mover: page -> MOVING, then load each entry    X2 fault: Z2, Z4: either the fault sees that the page has
 *            gone on, or the mover sees LOCKED or the value
 *         V1 mremap: moves + 1, then entries by CAS, then moves done    V2 mover: load moves, then entries, then moves
 *            again: none was moved past it
 * ORDER   object.resize_lock -> ranges of maps -> object.lock (the ring) -> leaf section -> entry. A fault that asks
 *         a pager holds nothing but a reference and the BUSY mark; a sync that writes, nothing but WRITEBACK.
 */
#ifndef VMMAP_SPACE_OBJECT_H
#define VMMAP_SPACE_OBJECT_H

#include "base/park.h"
#include "base/rcu.h"
#include "locks/policy/policy.h"
#include "vmmap/phys/frame_record.h"
#include "vmmap/pt/pt.h"
#include "vmmap/vmmap.h"

enum object_page_bits {
	OBJECT_MOVING = 1 << 8, OBJECT_BUSY = 1 << 9, OBJECT_WRITEBACK = 1 << 10, OBJECT_NEW = 1 << 11,
};

#define OBJECT_MOVED (UINT64_C(1) << 32)         /* in `moves`: one that is done                                   */

/* Where an object is, or was, mapped, or anonymous memory that moved: a hint that misses nothing (rmap.c). */
struct rmap {
	struct rmap *next, *prev;                /* the ring, under its lock; NULL: not in it yet                  */
	struct object *object;                   /* holds one reference; NULL: anonymous, or the head    [const]   */
	struct rmap_gate *gate;                  /* of the map                                           [const]   */
	struct space_local *local;               /* anonymous: of the slot that made it, whose ring it is in; NULL:
	                                            an object's                                          [const]   */
	_Atomic(int64_t) delta;                  /* as in the VMAs                                                 */
	atomic_u64 lo, hi;                       /* pages, as the object or the group counts them; only grows once
	                                            a VMA is published                                             */
	atomic_u64 refs LINE_ALIGNED;            /* VMAs, walkers; who widens it, and who counts, are two           */
};

/* Outlives its map: who walks mappings goes through it, vmmap_destroy closes it. The name of the map's anonymous pages.
 * Words, edges: rmap_gate.c. */
struct rmap_gate {
	atomic_u32 inside;                       /* walkers, RMAP_CLOSED; slept on by vmmap_destroy                */
	atomic_u32 refs;                         /* the map; forks of it; walks, one for each rmap that they have
	                                            pinned; objects that it pays for, and has handed on            */
	struct vmmap *map;                       /*                                                      [const]   */
	struct rmap_gate *parent;                /* of the map that it was forked from; has a reference  [const]   */
	atomic_u32 moved;                        /* 1: of the map's anonymous memory some moved; rings may have it */
	atomic_u32 lock;                         /* of the forks                                                   */
	struct rmap_gate *forks;                 /* the youngest                                                   */
	struct rmap_gate *older, *younger;       /* forks of the same map, under that one's lock                   */
	struct rcu_item rcu;
};

struct object {
	atomic_u64 refs;                         /* alone: each mmap of it counts, each fault reads what follows   */
	atomic_u64 size PAIR_ALIGNED;            /* bytes; written under resize_lock                               */
	atomic_u64 filled;                       /* bytes from here on are zero, whatever the pager has: the least size
	                                            since birth; written under resize_lock                         */
	uint64_t number;                         /*                                                      [const]   */
	struct physmem *physmem;                 /*                                                      [const]   */
	struct vmmap_pager pager;                /* read_page NULL: none                                 [const]   */
	struct pt pages;                         /* the page cache: a page table keyed by page number              */
	struct park_mutex resize_lock;
	atomic_u32 wake;                         /* counts up when a BUSY or WRITEBACK mark goes: slept on         */
	atomic_u32 lock PAIR_ALIGNED;            /* of the ring: moves take it, faults read what stands above      */
	atomic_u64 moves;                        /* of its entries by mremap: under way | done << 32               */
	struct rmap where;                       /* head of the ring                                               */
	struct rcu_item rcu;
	struct rmap_gate *payer;                 /* of the map whose committed memory it counts as; NULL: nobody's */
	atomic_u32 handed;                       /* to a fork's child: it has a reference on that gate             */
	bool shared_anon;                        /*                                                      [const]   */
	char name[40];
};
struct vmmap_object { struct object object; };

/* ---- life and page cache (object.c) ---- */
struct object_new { struct physmem *physmem; const char *name; uint64_t size; const struct vmmap_pager *pager; };
int  object_make(struct object **out, const struct object_new *is, bool shared_anon);
#define object_make(out, is, shared_anon) BASE_SITE(SITE_NEED, (object_make)(out, is, shared_anon), -ENOMEM)
void object_get(struct object *object);          /* the caller knows that somebody holds a reference         */
bool object_get_live(struct object *object);     /* inside RCU; false: the last reference was dropped         */
void object_put(struct object *object);          /* not in a leaf section: the last one may open a window       */
/* The pages of a new one, shared anonymous, count as committed by map until it dies. In a window, if map has limits. */
void object_pay(struct object *object, struct vmmap *map, struct thread_slot *self);
/* Another map is going to hold a reference, too: it may outlive the one that pays. By who holds one. */
void object_hand_on(struct object *object);
static inline bool object_paged(const struct object *object) { return object->pager.read_page != NULL; }
static inline uint64_t object_pages(struct object *object)
{
	return (atomic_load_seqcst(&object->size) + PAGE_BYTES - 1) >> PAGE_SHIFT;              /* Z2 -> Z1; Z5 -> Z6 */
}

enum object_has { OBJECT_HAS, OBJECT_BEYOND, OBJECT_NOMEM, OBJECT_ABSENT, OBJECT_MOVES };
/* The frame of a page, made zeroed if absent; ABSENT: its pager has to be asked; MOVES: to another frame (object_fill
 * waits for that). Inside RCU. */
enum object_has object_page(struct object *object, struct thread_slot *self, uint64_t page, uint64_t *pfn);
/* After an entry was locked: is this still the page's frame, and the page inside the object? Inside RCU. */
bool object_still(struct object *object, uint64_t page, uint64_t pfn);
/* The same, and the page is dirty from here on. */
bool object_dirty(struct object *object, uint64_t page, uint64_t pfn);
/* By who has taken a page out: its reference goes. true: it was the last; else the frame is its pins'. */
bool object_leaves(struct object *object, uint64_t pfn) MUST_CHECK;
uint64_t object_audit(struct object *object, FILE *report);      /* quiescent                                      */

/* ---- reading from and writing to the pager (pager.c): outside RCU, holding nothing but a reference ---- */
/* Asks the pager for an absent page, or waits for who does. 0: look again; -EIO: it failed; -ENOMEM: no frame at hand;
 * -EAGAIN -ETIMEDOUT: another asks for it. */
int object_fill(struct object *object, struct thread_slot *self, uint64_t page);
/* Writes dirty pages of [lo, hi). 0, -EIO (some failed, the others are written), or what ends it: -EDEADLK, -EAGAIN,
 * -ETIMEDOUT. */
int object_sync(struct object *object, struct thread_slot *self, uint64_t lo, uint64_t hi);
/* Sleeps until the page's word may have changed from one with a BUSY or WRITEBACK mark. 0 -EAGAIN -ETIMEDOUT */
int object_wait(struct object *object, struct thread_slot *self, atomic_u64 *entry, uint64_t marked) MUST_CHECK;
void object_woken(struct object *object);        /* after such a mark went                                         */

/* ---- size (resize.c) ---- */
int object_resize(struct object *object, struct thread_slot *self, uint64_t size);

/* ---- the gate of a map (rmap_gate.c) ---- */
/* parent: of the map that it is forked from, or NULL. */
int  rmap_gate_make(struct rmap_gate **out, struct vmmap *map, struct rmap_gate *parent);
void rmap_gate_close(struct rmap_gate *gate);    /* no walker comes in, none is inside when it returns; may sleep   */
void rmap_gate_open(struct rmap_gate *gate);     /* after it was closed; the map's walkers come in                 */
bool rmap_gate_enter(struct rmap_gate *gate);    /* false: closed                                                  */
void rmap_gate_leave(struct rmap_gate *gate);
void rmap_gate_get(struct rmap_gate *gate);      /* the caller knows that somebody holds a reference               */
bool rmap_gate_get_live(struct rmap_gate *gate); /* inside RCU; false: the last reference was dropped              */
void rmap_gate_put(struct rmap_gate *gate);
/* Of the gate's forks, and theirs, the next one behind `at`, with a reference; the one on `at` goes. First: at = root,
 * with a reference. NULL: no more. */
struct rmap_gate *rmap_gate_next(const struct rmap_gate *root, struct rmap_gate *at);
bool rmap_gate_descends(const struct rmap_gate *gate, const struct rmap_gate *from);     /* or is it */

/* ---- names in frame records (rmap_frame.c) ---- */
#define RMAP_COPY UINT64_C(1)                    /* a private copy of an object's page                             */
#define rmap_name(of) ((uint64_t)(uintptr_t)(of))        /* a map's gate; of an object's own page, the object       */
static inline uint64_t rmap_name_copy(const struct object *object) { return rmap_name(object) | RMAP_COPY; }

/* From a frame: entries of maps that show it, looked for where they may be. */
struct rmap_seek {
	struct physmem *physmem;
	uint64_t pfn;
	struct frame_name name;
	unsigned n, most;
	bool locked;                             /* one was LOCKED: nobody knows what it shows                     */
	struct rmap_found {
		struct rmap_gate *gate;          /* entered                                                        */
		uint64_t addr;
		uint64_t seen;                   /* the caller's: what the entry was when it locked that           */
	} *found;
};
/* Notes entries, until there are `most`: hints, which may have changed by now. Inside RCU, waits for nobody. */
void rmap_seek(struct rmap_seek *s);
void rmap_seek_end(struct rmap_seek *s);         /* leaves their maps: inside the same section                     */
/* Is the entry at addr of the map, which shows the frame, where rmap_seek would look? Quiescent. */
bool rmap_leads(struct vmmap *map, uint64_t addr, uint64_t pfn);

/* ---- where it is mapped (rmap.c) ---- */
void rmap_list_init(struct rmap *head);
/* One reference, not in a ring yet. object NULL: anonymous memory that moves, in the caller's ring. -ENOMEM. */
int  rmap_make(struct rmap **out, struct object *object, struct rmap_gate *gate);
#define rmap_make(out, object, gate) BASE_SITE(SITE_NEED, (rmap_make)(out, object, gate), -ENOMEM)
/* Says where it is going to be mapped, before that is published; again if that place was lost. */
void rmap_place(struct rmap *where, int64_t delta, struct lock_range r);
void rmap_extend(struct rmap *where, struct lock_range r);       /* before what lies in r is published under it     */
void rmap_swallow(struct rmap *where, const struct rmap *other); /* the same for all that other covers              */
void rmap_get(struct rmap *where);
void rmap_put(struct rmap *where);
/* What a walk does to the entries of pages [lo, hi), one by one, by the fault's protocol. */
struct rmap_walk {
	struct object *object;
	struct thread_slot *self;
	uint64_t lo, hi;                         /* pages of the object                                            */
	bool drop;                               /* out, private copies included; else: WRITE out of shared entries */
};
/* 0; -EDEADLK: the caller holds such a range; -EAGAIN -ETIMEDOUT. May sleep for ranges; outside RCU. */
int  rmap_walk(struct rmap_walk *w) MUST_CHECK;
/* Of this mapping alone: private copies beyond the object's end go. What a walk may have missed, which looked before it
 * could come in. */
void rmap_cut(struct rmap *where, struct thread_slot *self);
/* Does the ring know this mapping? Quiescent. */
bool rmap_covers(struct rmap *where, const struct vmmap *map, int64_t delta, struct lock_range r);

#endif
