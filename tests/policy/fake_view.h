/* SPDX-License-Identifier: MIT */
/*
 * fake_view.h - a map of a few pages for tests of locks and policies: no tree, no page table, the same contract.
 *
 * PAGES    page[i].vma: the VMA or dummy over page i, NULL: a gap. A VMA is the run of pages that show it. Leaves of
 *          FAKE_LEAF pages bound what one claim can take and what find reports.
 * MUTEXES  `leaf` is held for a leaf section, during which entries may be waited for; `step` for one look or one
 *          change, inside it. A reader takes only `step`, so it never waits for a leaf section: as in the tree.
 * ENTRIES  page[i].entry: 0 empty, bit 0 locked, else the generation that a visit stored. Same protocol as real ones.
 * TABLES   three levels, fixed: a lowest one has one page, so that what is disjoint is disjoint in tables too.
 * OBJECTS  type-stable, reused at once (last in, first out: reuse comes as early as it can).
 * fake_*() below are a small conductor: a fault, and edits that map, unmap and change.
 */
#ifndef TESTS_POLICY_FAKE_VIEW_H
#define TESTS_POLICY_FAKE_VIEW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "locks/policy/policy.h"

#define FAKE_PAGES   64
#define FAKE_LOCKED  UINT64_C(1)                 /* bit of an entry                                                */
#define FAKE_LEAF    8
#define FAKE_OBJECTS 1024

struct fake_vma {
	struct lock_slot slot;
	atomic_u32 dummy;
	atomic_u64 gen;                          /* the attribute: which mapping this is                           */
	struct fake_vma *next_free;
	char line[64 - 40];
	char far_line[64];
} PAIR_ALIGNED;

/* Tables: one over all, one for each leaf, one for each page. All are there, for ever. */
#define FAKE_LEAVES (FAKE_PAGES / FAKE_LEAF)
struct fake_tables { struct table_lock root, middle[FAKE_LEAVES], page[FAKE_PAGES]; };

struct fake_page { struct fake_vma *vma; atomic_u64 entry; };

struct fake_map {
	pthread_mutex_t leaf, step;
	struct fake_page page[FAKE_PAGES];
	struct fake_vma *free;
	const struct lock_policy *policy;
	void *state;
	atomic_u64 gens;                         /* generator of generations                                       */
	struct fake_tables tables;
	unsigned fail_claims;                    /* under leaf: the n-th claim or cut from now fails, once        */
	struct fake_vma objects[FAKE_OBJECTS];
};

extern const struct lock_view fake_view;

/* fake_tables.c */
struct table_lock *fake_table_over(struct lock_space *space, struct lock_range r, bool unlinks);
struct table_lock *fake_table_below(struct lock_space *space, struct table_lock *t, uint64_t addr);
struct table_lock *fake_table_make(struct lock_space *space, struct thread_slot *self, struct table_lock *t,
				   uint64_t addr);
void fake_tables_init(struct fake_map *map);

struct fake_map *fake_new(const struct lock_policy *policy);
void fake_free(struct fake_map *map);
static inline struct lock_space *fake_space(struct fake_map *map) { return (struct lock_space *)map; }
static inline struct lock_range fake_range(unsigned lo, unsigned hi)
{
	return (struct lock_range){ (uint64_t)lo << PAGE_SHIFT, (uint64_t)hi << PAGE_SHIFT };
}
static inline struct fake_vma *fake_of(struct lock_slot *slot) { return container_of(slot, struct fake_vma, slot); }

/* Set-up without any lock: pages [lo, hi) become one new VMA; the generation is returned. */
uint64_t fake_place(struct fake_map *map, unsigned lo, unsigned hi);
struct lock_slot *fake_slot(struct fake_map *map, unsigned page);
uint64_t fake_lk(struct fake_map *map, unsigned page);
/* Number of VMAs and dummies in the map. */
unsigned fake_vmas(struct fake_map *map);
unsigned fake_dummies(struct fake_map *map);
void fake_lock(struct fake_map *map);            /* "a leaf section"                                               */
void fake_unlock(struct fake_map *map);

/* ---- the small conductor ---- */
enum fake_change { FAKE_MAP, FAKE_UNMAP, FAKE_STAMP };

/* Begins again until valid. 0: entry stored (or found); -EFAULT: a gap; else what visit_begin said. */
int fake_fault(struct fake_map *map, unsigned page, uint64_t deadline_ns, uint64_t *gen);
/* The middle of an edit: shuts, clears entries (waiting for locked ones), replaces. */
void fake_clear(struct fake_map *map, struct lock_edit *e);
void fake_replace(struct fake_map *map, struct lock_edit *e, bool mapped);
void fake_restamp(struct fake_map *map, struct lock_edit *e);
/* A whole edit. 0 or what edit_begin said. */
int fake_edit(struct fake_map *map, unsigned lo, unsigned hi, enum fake_change change, uint64_t deadline_ns);
/* Changes the generation of the VMA over page by the brief form. -ENOENT: none, or taken by another. */
int fake_brief(struct fake_map *map, unsigned page);
/* Entries in the map that show another generation than their VMA: ghosts. Quiescent. */
unsigned fake_ghosts(struct fake_map *map);
struct lock_edit fake_begin(struct fake_map *map, unsigned lo, unsigned hi, uint64_t deadline_ns, int *err);
void fake_end(struct fake_map *map, struct lock_edit *e);

#endif
