/* SPDX-License-Identifier: MIT */
/*
 * vtree_impl.h - what the files of the VMA tree tell each other, and nobody else.
 *
 * LOCK ORDER  leaf (left before right) -> its parent -> its parent's parent -> ... -> root lock of the block. Upwards
 *             only, spinning; anything else is try-lock (vtree_join). No lock is held while memory is allocated.
 * STRUCTURE   A node that is locked and not DEAD stays in the tree; its parent is found by descent, again if the one
 *             found turns out DEAD. Old nodes are marked DEAD after the one store that links their successors, and
 *             before any successor is unlocked; then they are retired through RCU.
 */
#ifndef VMMAP_VMA_VTREE_IMPL_H
#define VMMAP_VMA_VTREE_IMPL_H

#include "base/park.h"
#include "vmmap/vma/vtree.h"

#define VTREE_HEIGHT_MAX 16                      /* levels of inner nodes a block can get to                       */
#define VTREE_JOINED_MAX 18                      /* ... if the result has no more than so many                     */

/* ---- vtree_node.c: memory ---- */
int  vtree_nodes_init(struct vtree *t);
void vtree_nodes_fini(struct vtree *t);
/* After it returned 0 this thread can take that many nodes without fail. -ENOMEM */
int  vtree_nodes_reserve(struct vtree *t, struct thread_slot *self, unsigned leaves, unsigned inners) MUST_CHECK;
/* NULL: the reserve is empty. Contents are unspecified. */
struct vtree_leaf *vtree_take_leaf(struct vtree *t, struct thread_slot *self);
struct vtree_inner *vtree_take_inner(struct vtree *t, struct thread_slot *self);
/* Never published: back to the reserve. */
void vtree_untake_leaf(struct vtree *t, struct thread_slot *self, struct vtree_leaf *leaf);
void vtree_untake_inner(struct vtree *t, struct thread_slot *self, struct vtree_inner *inner);
/* Was published and is DEAD: reused after a grace period. */
void vtree_retire(struct vtree *t, struct thread_slot *self, uintptr_t node);
enum vtree_event { VTREE_SPLIT, VTREE_JOIN, VTREE_COLLISION, VTREE_EVENTS };
void vtree_count(struct vtree *t, struct thread_slot *self, enum vtree_event event);
uint64_t vtree_counted(struct vtree *t, enum vtree_event event);
uint64_t vtree_nodes_bytes(struct vtree *t);

/* ---- vtree.c: ways and locks ---- */
struct vtree_place { struct vtree_inner *parent; unsigned index; };      /* parent NULL: the root                  */

/* Leaf that owns page, and where its pointer stands. Inside RCU. */
struct vtree_leaf *vtree_descend(const struct vtree *t, unsigned block, uint32_t page, struct vtree_place *at);
/* Where the pointer to node, which owns page, stands. false: not in the tree (any more). */
bool vtree_parent_of(const struct vtree *t, unsigned block, uint32_t page, uintptr_t node, struct vtree_place *at);
/* Takes WRITER. try: do not wait. false: DEAD, or (try) taken. */
bool vtree_lock(atomic_u64 *word, bool try);
void vtree_unlock(atomic_u64 *word);
bool vtree_lock_root(struct vtree *t, unsigned block, bool try);
void vtree_unlock_root(struct vtree *t, unsigned block);
/* The section takes over a leaf that the thread has locked. */
void vtree_section_at(struct vtree_section *s, unsigned block, struct vtree_leaf *leaf, struct vtree_place at);

/* ---- vtree_part.c ---- */
/* Pages between which a border is wanted; one of the two passes by: only in a gap. */
struct vtree_rivals { uint32_t a, b; bool passes; };

/* Has nobody met anybody in this leaf, the caller's? */
static ALWAYS_INLINE bool vtree_undisturbed(const struct vtree_leaf *leaf, const struct thread_slot *self)
{
	return atomic_load_relaxed(&leaf->contended) == 0 && leaf->visitor == (uint16_t)self->number;
}
/* If not: notes that s is there, at page, whether it had to wait, and whether it only passes. True: it is to be parted
 * from a rival. */
bool vtree_note_visit(struct vtree_section *s, uint32_t page, bool waited, bool passes, struct vtree_rivals *rivals);

/* ---- vtree_bound.c: free-space bounds; the protocol is there ---- */
struct vtree_free { uint32_t best, head, tail; };        /* pages, saturating at UINT32_MAX                        */

static inline uint32_t vtree_sat_add(uint32_t a, uint32_t b) { return a + b < a ? UINT32_MAX : a + b; }
/* Pages first..last. */
static inline uint32_t vtree_run(uint32_t first, uint32_t last) { return vtree_sat_add(last - first, 1); }
static inline bool vtree_free_within(struct vtree_free a, struct vtree_free bound)
{
	return a.best <= bound.best && a.head <= bound.head && a.tail <= bound.tail;
}
static inline uint32_t vtree_last_of(const struct vtree_inner *inner, unsigned i)
{
	return simd_bias(atomic_load_relaxed(&inner->last[i]));
}
static inline uint32_t vtree_first_of(const struct vtree_inner *inner, unsigned i)
{
	return i == 0 ? inner->base : vtree_last_of(inner, i - 1) + 1;
}
static inline struct vtree_free vtree_bound(const struct vtree_inner *inner, unsigned i)
{
	const struct vtree_bounds *b = &inner->bound[i];

	return (struct vtree_free){ atomic_load_seqcst(&b->best),               /* X2 -> Y1; Y2 -> X1; T1 -> T2 */
				    atomic_load_seqcst(&b->head), atomic_load_seqcst(&b->tail) };
}
/* What inner's own bounds say about all of it. */
struct vtree_free vtree_bound_fold(const struct vtree_inner *inner);
/* Raises a bound of a node; true: it was lower. */
bool vtree_bound_max(struct vtree_inner *inner, unsigned i, struct vtree_free free);
/* After a publication in leaf freed pages: makes all bounds above it cover `free`. Inside RCU. */
void vtree_bound_raise(struct vtree *t, unsigned block, struct vtree_leaf *leaf, struct vtree_free free);
/* Makes each bound on the way to page cover what the node below says. Inside RCU. */
void vtree_bound_settle(struct vtree *t, unsigned block, uint32_t page);
/* inner's bound of child i was `seen` and misled a search: stores what the child says now, if that is lower. */
void vtree_bound_lower(struct vtree *t, unsigned block, struct vtree_inner *inner, unsigned i, struct vtree_free seen);
/* The same for all bounds on the way to page. */
void vtree_bound_tighten(struct vtree *t, unsigned block, uint32_t page);
/* Of the locked leaf of s: the free runs, as they will be published, that meet what was dropped. best 0: none. */
void vtree_bound_freed(const struct vtree_section *s, struct vtree_free *free);

/* ---- vtree_split.c: sorted slots of a leaf ---- */
struct vtree_item { uint32_t first, last; uint64_t vma; };
struct vtree_items { unsigned n; struct vtree_item at[2 * VTREE_SLOTS]; };

/* Live slots in ascending order, unvalidated (the leaf is locked, or the caller looks at its word again). */
void vtree_items_read(const struct vtree_leaf *leaf, uint32_t live, struct vtree_items *items);
struct vtree_free vtree_items_free(const struct vtree_items *items, uint32_t base, uint32_t limit);
/* Splits the locked leaf of s in front of page border; s then holds the half that owns `keep`. -EAGAIN: the reserve was
 * too small; nothing has changed and s still holds its leaf. */
enum vtree_border { VTREE_BORDER_PLAIN, VTREE_BORDER_FIXED, VTREE_BORDER_CONTENDED };
int  vtree_split_at(struct vtree_section *s, uint32_t border, uint32_t keep, enum vtree_border kind) MUST_CHECK;
/* Reserves nodes for one split below addr. Nothing is locked. -ENOMEM */
int  vtree_split_reserve(struct vtree *t, struct thread_slot *self, uint64_t addr) MUST_CHECK;
/* A new locked leaf with these slots; NULL: the reserve is empty. */
struct vtree_leaf *vtree_leaf_make(struct vtree *t, struct thread_slot *self, const struct vtree_items *items,
				   uint32_t base, uint32_t limit);

/* ---- vtree_border.c ---- */
/* Where a full leaf is best split for an insertion at page. */
uint32_t vtree_border_room(const struct vtree_section *s, uint32_t page);
/* A border between two colliders' pages; false: they are too close, or no gap is there for who passes. */
bool vtree_border_between(const struct vtree_section *s, struct vtree_rivals rivals, uint32_t *border);

/* ---- vtree_graft.c ---- */
struct vtree_entry { uintptr_t child; uint32_t last; struct vtree_free free; bool fixed; };

struct vtree_graft {
	struct vtree *t;
	struct thread_slot *self;
	unsigned block;
	uint32_t page;                           /* in the first old child                                         */
	bool try;                                /* never wait                                                     */
	unsigned drop, n;                        /* so many neighbouring children go, so many come                 */
	uintptr_t old[2];                        /* locked                                                         */
	struct vtree_entry come[2];              /* locked; fixed of the first one is ignored: the old one's stays */
};
/* Links the new children in place of the old ones, marks what was replaced DEAD, retires it. The new leaves stay
 * locked. -EAGAIN: out of reserve. -EBUSY: (try) a lock was taken. Then nothing has changed. */
int vtree_graft(struct vtree_graft *g) MUST_CHECK;

#endif
