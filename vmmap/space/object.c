/* SPDX-License-Identifier: MIT */
/*
 * object.c - memory objects: simulated files and shared anonymous memory, each with a page cache.
 *
 * The page cache is a page table keyed by page number: one concurrent index for both. A page, once in, stays in with
 * its frame until the object dies, so an entry that maps it needs no reference on the frame; the mapping VMA holds one
 * on the object. The last put retires the object by RCU: a listing may still be reading its name, and an access that
 * hit an entry may still be copying.
 */
#include <string.h>

#include "vmmap/space/space.h"

static atomic_u64 object_numbers;

int object_make(struct object **out, struct physmem *pm, const char *name, uint64_t size, bool shared_anon)
{
	struct vmmap_object *o = mem_alloc(MEM_OBJECT, sizeof *o, CACHE_PAIR);
	int err;

	if (!o)
		return -ENOMEM;
	err = pt_init(&o->object.pages);
	if (err) {
		mem_free(MEM_OBJECT, o, sizeof *o);
		return err;
	}
	atomic_store_relaxed(&o->object.refs, 1);
	o->object.size = size;
	o->object.number = atomic_add_relaxed(&object_numbers, 1) + 1;
	o->object.physmem = pm;
	o->object.shared_anon = shared_anon;
	strncpy(o->object.name, name, sizeof o->object.name - 1);
	*out = &o->object;
	return 0;
}

void object_get(struct object *object)
{
	atomic_add_relaxed(&object->refs, 1);
}

bool object_get_live(struct object *object)
{
	uint64_t refs = atomic_load_relaxed(&object->refs);

	while (refs && !atomic_cas_relaxed(&object->refs, &refs, refs + 1))
		;
	return refs != 0;
}

static void object_free_page(uint64_t addr, uint64_t entry, void *arg)
{
	struct object *object = arg;

	(void)addr;
	if (pt_has_frame(entry))
		frame_free(object->physmem, thread_self(), pt_pfn(entry));
	atomic_store_relaxed(pt_find(&object->pages, addr), 0);
}

static void object_free(struct rcu_item *item)
{
	struct object *object = container_of(item, struct object, rcu);

	pt_walk(&object->pages, (struct lock_range){ 0, ADDRESS_END }, object_free_page, object);
	pt_fini(&object->pages);
	mem_free(MEM_OBJECT, container_of(object, struct vmmap_object, object), sizeof(struct vmmap_object));
}

static uint64_t object_pages(const struct object *object) { return space_up(object->size) >> PAGE_SHIFT; }

void object_pay(struct object *object, struct vmmap *map, struct thread_slot *self)
{
	if (object->payer)
		return;
	object->payer = map;
	atomic_add_relaxed(&map->limits.shared_pages, object_pages(object));
	if (limit_on(map))
		limit_add(map, self, LIMIT_COMMIT, (int64_t)object_pages(object));
}

static void object_pay_back(const struct object *object, struct vmmap *map, struct thread_slot *self)
{
	atomic_add_relaxed(&map->limits.shared_pages, 0 - object_pages(object));
	if (!limit_on(map))
		return;
	limit_enter(map, self);
	limit_add(map, self, LIMIT_COMMIT, -(int64_t)object_pages(object));
	limit_leave(map, self);
}

void object_put(struct object *object)
{
	if (atomic_sub_acqrel(&object->refs, 1) > 1)
		return;
	if (object->payer)
		object_pay_back(object, object->payer, thread_self());
	rcu_retire(thread_self(), &object->rcu, object_free);
}

uint64_t object_page(struct object *object, struct thread_slot *self, uint64_t page)
{
	atomic_u64 *entry = pt_make(&object->pages, self, page << PAGE_SHIFT);
	uint64_t seen, pfn;

	if (!entry)
		return PHYSMEM_NONE;
	seen = atomic_load_acquire(entry);
	if (seen & PT_PRESENT)
		return pt_pfn(seen);
	pfn = frame_alloc(object->physmem, self);
	if (pfn == PHYSMEM_NONE)
		return PHYSMEM_NONE;
	frame_zero(object->physmem, pfn);
	if (!atomic_cas_seqcst(entry, &seen, pt_entry(pfn, PT_PRESENT, 0))) {
		frame_free(object->physmem, self, pfn);          /* another thread was first; nobody saw ours */
		pfn = pt_pfn(seen);
	}
	return pfn;
}
