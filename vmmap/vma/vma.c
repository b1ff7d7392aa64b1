/* SPDX-License-Identifier: MIT */
/*
 * vma.c - the pool of VMAs of one map: per-slot lists over slabs, one depot that evens them out.
 *
 * STATES      in a slab, fresh -> on a slot's list <-> in the depot; on a list -> handed out (vma_take) -> on the
 *             giver's list (vma_give), at once: no grace period. Memory stays VMAs until vma_pool_fini, so a reader
 *             that still holds a pointer reads a VMA, perhaps another one; it finds out when it looks at `lk`
 *             again: LOCK_DEAD, or the version of another life (numbers are unique in the process).
 * Edges       G1 (a store of LOCK_DEAD) -> the reader's re-load of lk (V1 and P2 in intree.c, LOOK). Release will
 *             do: who gives a VMA away has taken it, and that was the RMW that a visit's second look must not miss.
 *             D1 (depot unlock, release) -> D2 (depot lock, acquire): a batch travels with everything written to it.
 * Ownership   a list belongs to the thread slot. next_free is touched only by the owner of the list it is on.
 * Keep        who cuts a VMA up takes one for each piece, and gives them when it maps the range anew: they stay with
 *             its slot, and their lines with its core. vma_give hands a batch to the depot only above VMA_KEEP, so
 *             nothing takes back what vma_reserve has promised.
 * Lock order  depot_lock is a leaf lock; memory is allocated outside it.
 * Progress    take and give: no wait but the depot's lock, once in VMA_BATCH calls. reserve: may allocate.
 * Not promised  that memory goes back to the system before vma_pool_fini.
 */
#include <errno.h>
#include "base/assert.h"
#include "base/mem.h"
#include "base/point.h"
#include "base/spin.h"
#include "vmmap/vma/vma.h"

#define VMA_BATCH 64
#define VMA_RESERVE_MAX 4096
#define VMA_KEEP  VMA_RESERVE_MAX                /* a list longer than this gives a batch away                     */

struct vma_list {
	struct vma *head;
	unsigned n;
	atomic_u64 out;                          /* takes - gives of this slot: one writer; may be negative         */
};

struct vma_slab {                                /* one line in front of VMA_BATCH VMAs                             */
	struct vma_slab *next;
} LINE_ALIGNED;

int vma_pool_init(struct vma_pool *pool, size_t slot_bytes)
{
	*pool = (struct vma_pool){ .vma_bytes = sizeof(struct vma) };
	pool->vma_bytes += (slot_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	return thread_local_init(&pool->lists, sizeof(struct vma_list));
}

static size_t slab_size(const struct vma_pool *pool)
{
	return sizeof(struct vma_slab) + VMA_BATCH * pool->vma_bytes;
}

void vma_pool_fini(struct vma_pool *pool)
{
	struct vma_slab *slab = pool->slabs, *next;

	for (; slab != NULL; slab = next) {
		next = slab->next;
		mem_free(MEM_VMA, slab, slab_size(pool));
	}
	thread_local_free(&pool->lists, NULL, NULL);
	pool->slabs = NULL;
	pool->depot = NULL;
}

/* `rmap` of a batch's first VMA links the batches of the depot; one has VMA_BATCH VMAs, or one (give_stray). */
static struct vma *depot_pull(struct vma_pool *pool)
{
	struct vma *batch;

	spin_lock(&pool->depot_lock);                                            /* D2 -> D1 */
	batch = pool->depot;
	if (batch != NULL)
		pool->depot = (struct vma *)atomic_load_relaxed(&batch->rmap);
	spin_unlock(&pool->depot_lock);                                          /* D1 */
	return batch;
}

static void depot_push(struct vma_pool *pool, struct vma *batch)
{
	spin_lock(&pool->depot_lock);                                            /* D2 -> D1 */
	atomic_store_relaxed(&batch->rmap, (struct rmap *)pool->depot);
	pool->depot = batch;
	spin_unlock(&pool->depot_lock);                                          /* D1 */
}

/* A fresh slab as a chain in ascending addresses, or NULL. */
static struct vma *slab_make(struct vma_pool *pool)
{
	struct vma_slab *slab = mem_alloc(MEM_VMA, slab_size(pool), CACHE_LINE);
	struct vma *chain = NULL;

	if (slab == NULL)
		return NULL;
	for (unsigned i = VMA_BATCH; i-- > 0;) {
		struct vma *vma = (struct vma *)((char *)(slab + 1) + i * pool->vma_bytes);

		atomic_store_relaxed(&vma->next_free, chain);
		chain = vma;
	}
	spin_lock(&pool->depot_lock);                                            /* D2 -> D1 */
	slab->next = pool->slabs;
	pool->slabs = slab;
	spin_unlock(&pool->depot_lock);                                          /* D1 */
	atomic_add_relaxed(&pool->slab_bytes, slab_size(pool));
	return chain;
}

/* Adds one batch to the list: from the depot, else a fresh slab. */
static bool list_refill(struct vma_pool *pool, struct vma_list *list)
{
	struct vma *batch = depot_pull(pool), *last, *next;
	unsigned n = 1;

	if (batch == NULL)
		batch = slab_make(pool);
	if (batch == NULL)
		return false;
	for (last = batch; (next = atomic_load_relaxed(&last->next_free)) != NULL; last = next)
		n++;
	atomic_store_relaxed(&last->next_free, list->head);
	list->head = batch;
	list->n += n;
	return true;
}

int (vma_reserve)(struct vma_pool *pool, struct thread_slot *self, unsigned n)
{
	struct vma_list *list = thread_local_mine(&pool->lists, self);

	ASSERT(n <= VMA_RESERVE_MAX);
	if (unlikely(list == NULL))
		return -ENOMEM;
	while (unlikely(list->n < n))
		if (!list_refill(pool, list))
			return -ENOMEM;
	return 0;
}

struct vma *vma_take(struct vma_pool *pool, struct thread_slot *self)
{
	struct vma_list *list = thread_local_mine(&pool->lists, self);
	struct vma *vma;

	if (unlikely(list == NULL))
		return NULL;
	if (unlikely(list->head == NULL) && !list_refill(pool, list))
		return NULL;
	vma = list->head;
	list->head = atomic_load_relaxed(&vma->next_free);
	list->n--;
	atomic_bump(&list->out, 1);
	ASSERT(atomic_load_relaxed(&vma->slot.lk) == LOCK_DEAD);
	return vma;
}

/* Moves the batch that is on top of the list to the depot. */
static void list_shed(struct vma_pool *pool, struct vma_list *list)
{
	struct vma *batch = list->head, *last = batch;

	for (unsigned i = 1; i < VMA_BATCH; i++)
		last = atomic_load_relaxed(&last->next_free);
	list->head = atomic_load_relaxed(&last->next_free);
	atomic_store_relaxed(&last->next_free, NULL);
	list->n -= VMA_BATCH;
	depot_push(pool, batch);
}

/* A thread that has no list (it never took or reserved one) gives to the depot: nothing to allocate or to fail. */
static NOINLINE void give_stray(struct vma_pool *pool, struct vma *vma)
{
	atomic_store_relaxed(&vma->next_free, NULL);
	depot_push(pool, vma);
	atomic_add_relaxed(&pool->strays, UINT64_MAX);
}

void vma_give(struct vma_pool *pool, struct thread_slot *self, struct vma *vma)
{
	struct vma_list *list = thread_local_at(&pool->lists, self->number);

	/* pins stays as it is: a late visitor may have counted itself in and is about to take that back. */
	if (BASE_MUTANT(give_resets_pins))
		atomic_store_relaxed(&vma->slot.pins, 0);
	atomic_store_release(&vma->slot.lk, LOCK_DEAD);                          /* G1 */
	if (unlikely(list == NULL)) {
		give_stray(pool, vma);
		return;
	}
	atomic_store_relaxed(&vma->next_free, list->head);
	list->head = vma;
	list->n++;
	atomic_bump(&list->out, UINT64_MAX);
	if (unlikely(list->n >= VMA_KEEP + VMA_BATCH))
		list_shed(pool, list);
}

uint64_t vma_pool_live(struct vma_pool *pool)
{
	uint64_t live = atomic_load_relaxed(&pool->strays);

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct vma_list *list = thread_local_at(&pool->lists, i);

		if (list != NULL)
			live += atomic_load_relaxed(&list->out);
	}
	return live;
}
