/* SPDX-License-Identifier: MIT */
/* memory.cc - the allocators of the engine's parts (vtree_node.c, pt_table.c, vma.c, object.c) in the models. */
#include "memory.h"

#include "base/assert.h"
#include "vmmap/pt/pt_table.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree_impl.h"

#define EACH 48

static struct {
	struct pt_table table[EACH];
	struct vtree_leaf leaf[EACH];
	struct vtree_inner inner[EACH];
	struct vma vma[EACH];
	unsigned tables, leaves, inners, vmas;
} m;

void memory_begin()
{
	memset((void *)m.table, 0, m.tables * sizeof(m.table[0]));
	memset((void *)m.leaf, 0, m.leaves * sizeof(m.leaf[0]));
	memset((void *)m.inner, 0, m.inners * sizeof(m.inner[0]));
	memset((void *)m.vma, 0, m.vmas * sizeof(m.vma[0]));
	m.tables = m.leaves = m.inners = m.vmas = 0;
}

struct pt_table *pt_table_take(struct pt *pt, struct thread_slot *self)
{
	CHECK(m.tables < EACH);
	return &m.table[m.tables++];
}

void pt_table_drop(struct pt *pt, struct thread_slot *self, struct pt_table *table) { }
void pt_table_retire(struct pt *pt, struct thread_slot *self, struct pt_table *table) { }
bool pt_table_chains(struct pt *pt, struct thread_slot *self) { return false; }
void pt_table_chain(struct pt_chain *chain, struct pt_table *table) { }
void pt_table_retire_chain(struct pt *pt, struct thread_slot *self, const struct pt_chain *chain) { }
void pt_table_born(struct pt_table *table, struct pt_table *above, struct thread_slot *self) { }
bool pt_table_ours(struct pt_table *above, struct pt_table *below, struct thread_slot *self) { return true; }
void pt_table_stray(struct pt_table *table) { }
struct table_lock *pt_lock_over(struct pt *pt, struct lock_range r, bool unlinks) { return NULL; }
struct table_lock *pt_lock_below(struct table_lock *lock, uint64_t addr) { return NULL; }
struct table_lock *pt_lock_make(struct pt *pt, struct thread_slot *self, struct table_lock *lock, uint64_t addr)
{
	return NULL;
}

int vtree_nodes_init(struct vtree *t) { return 0; }
void vtree_nodes_fini(struct vtree *t) { }
int vtree_nodes_reserve(struct vtree *t, struct thread_slot *self, unsigned leaves, unsigned inners) { return 0; }

struct vtree_leaf *vtree_take_leaf(struct vtree *t, struct thread_slot *self)
{
	CHECK(m.leaves < EACH);
	return &m.leaf[m.leaves++];
}

struct vtree_inner *vtree_take_inner(struct vtree *t, struct thread_slot *self)
{
	CHECK(m.inners < EACH);
	return &m.inner[m.inners++];
}

void vtree_untake_leaf(struct vtree *t, struct thread_slot *self, struct vtree_leaf *leaf) { }
void vtree_untake_inner(struct vtree *t, struct thread_slot *self, struct vtree_inner *inner) { }
void vtree_retire(struct vtree *t, struct thread_slot *self, uintptr_t node) { }
void vtree_count(struct vtree *t, struct thread_slot *self, enum vtree_event event) { }
uint64_t vtree_counted(struct vtree *t, enum vtree_event event) { return 0; }
uint64_t vtree_nodes_bytes(struct vtree *t) { return 0; }

int (vma_reserve)(struct vma_pool *pool, struct thread_slot *self, unsigned n) { return 0; }

struct vma *vma_take(struct vma_pool *pool, struct thread_slot *self)
{
	CHECK(m.vmas < EACH);
	return &m.vma[m.vmas++];
}

void vma_give(struct vma_pool *pool, struct thread_slot *self, struct vma *vma)
{
	atomic_store_release(&vma->slot.lk, LOCK_DEAD);
}

void object_put(struct object *object) { CHECK(!object); }
void object_get(struct object *object) { CHECK(!object); }
void rmap_put(struct rmap *rmap) { CHECK(!rmap); }
void rmap_get(struct rmap *rmap) { CHECK(!rmap); }
