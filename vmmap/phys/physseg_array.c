/* SPDX-License-Identifier: MIT */
/*
 * physseg_array.c - indexes that are sorted arrays, searched by libc's bsearch(), for comparison.
 *
 * array      one array of a fixed size, changed in place; readers take the table's lock. As NetBSD's without
 *            UVM_HOTPLUG a handle is a place in it, so it names another segment once a lower one is plugged.
 * cow-array  each change makes a new array and publishes it; readers are in an RCU section. (From the questions after
 *            the talk at AsiaBSDCon 2017: why not rebuild the array?)
 * EDGES      P1 store-release of the array -> P2 acquire load. Old arrays go through rcu_retire.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vmmap/phys/physseg_impl.h"

#define SORTED_ROOM (UINT32_C(1) << 17)          /* segments of `array`                                            */

static size_t array_bytes(uint32_t room)
{
	return sizeof(struct physseg_array) + ((size_t)room + 1) * sizeof(struct physseg_entry);
}

/* The entry behind the last one, which bsearch's comparison looks at. */
static void set_end(struct physseg_array *a)
{
	a->at[a->n] = (struct physseg_entry){ UINT32_MAX, NULL };
}

static int compare(const void *key, const void *entry)
{
	const struct physseg_entry *e = entry;
	uint32_t at = *(const uint32_t *)key;

	return at < e->start ? -1 : at >= e[1].start && e[1].seg != NULL;
}

/* The entry with the highest key <= at; NULL: there is none. */
static struct physseg_entry *entry_below(struct physseg_array *a, uint32_t at)
{
	return bsearch(&at, a->at, a->n, sizeof(a->at[0]), compare);
}

static uint32_t place_above(struct physseg_array *a, uint32_t at)
{
	struct physseg_entry *e = entry_below(a, at);

	return e == NULL ? 0 : (uint32_t)(e - a->at) + (e->start < at);
}

static struct physseg *floor_in(struct physseg_array *a, uint32_t at, uint32_t *key)
{
	struct physseg_entry *e = entry_below(a, at);

	if (e == NULL)
		return NULL;
	*key = e->start;
	return e->seg;
}

static struct physseg *ceil_in(struct physseg_array *a, uint32_t at, uint32_t *key)
{
	struct physseg_entry *e = &a->at[place_above(a, at)];

	*key = e->start;
	return e->seg;
}

static void insert_in(struct physseg_array *a, struct physseg *seg, uint32_t start)
{
	uint32_t place = place_above(a, start);

	memmove(&a->at[place + 1], &a->at[place], (a->n - place) * sizeof(a->at[0]));
	a->at[place] = (struct physseg_entry){ start, seg };
	a->n++;
	set_end(a);
}

static void remove_in(struct physseg_array *a, uint32_t start)
{
	uint32_t place = place_above(a, start);

	a->n--;
	memmove(&a->at[place], &a->at[place + 1], (a->n - place) * sizeof(a->at[0]));
	set_end(a);
}

/* ---- array ---- */

static struct physseg_array *sorted(struct physseg_table *t) { return atomic_load_relaxed(&t->array.now); }

static int sorted_init(struct physseg_table *t)
{
	struct physseg_array *a = mem_reserve(MEM_FRAME, array_bytes(SORTED_ROOM));

	if (a == NULL)
		return -ENOMEM;
	set_end(a);
	atomic_store_relaxed(&t->array.now, a);
	return 0;
}

static void sorted_fini(struct physseg_table *t) { mem_unreserve(MEM_FRAME, sorted(t), array_bytes(SORTED_ROOM)); }
static bool sorted_ready(struct physseg_table *t) { return sorted(t)->n < SORTED_ROOM; }

static int sorted_prepare(struct physseg_table *t)
{
	(void)t;
	return -ENOSPC;
}

static void sorted_nothing(struct physseg_table *t)
{
	(void)t;
}

static void sorted_insert(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	insert_in(sorted(t), seg, start);
}

static void sorted_move(struct physseg_table *t, struct physseg *seg, uint32_t from, uint32_t to)
{
	(void)seg;
	entry_below(sorted(t), from)->start = to;
}

static void sorted_remove(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	(void)seg;
	remove_in(sorted(t), start);
}

static struct physseg *sorted_floor(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	return floor_in(sorted(t), at, key);
}

static struct physseg *sorted_ceil(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	return ceil_in(sorted(t), at, key);
}

static struct physseg_handle sorted_handle(struct physseg_table *t, struct physseg *seg)
{
	return (struct physseg_handle){ place_above(sorted(t), run_start(atomic_load_relaxed(&seg->run))), 1 };
}

static struct physseg *sorted_resolve(struct physseg_table *t, struct physseg_handle h)
{
	return h.generation == 1 && h.slot < sorted(t)->n ? sorted(t)->at[h.slot].seg : NULL;
}

const struct physseg_index physseg_sorted_array = {
	.name = "array",
	.locked = true,
	.init = sorted_init,
	.fini = sorted_fini,
	.ready = sorted_ready,
	.prepare = sorted_prepare,
	.begin = sorted_nothing,
	.insert = sorted_insert,
	.move = sorted_move,
	.remove = sorted_remove,
	.commit = sorted_nothing,
	.floor = sorted_floor,
	.ceil = sorted_ceil,
	.handle = sorted_handle,
	.resolve = sorted_resolve,
};

/* ---- cow-array ---- */

static struct physseg_array *array_make(uint32_t room)
{
	struct physseg_array *a = mem_alloc(MEM_FRAME, array_bytes(room), CACHE_LINE);

	if (a != NULL) {
		a->room = room;
		set_end(a);
	}
	return a;
}

static void array_free(struct rcu_item *item)
{
	struct physseg_array *a = container_of(item, struct physseg_array, rcu);

	mem_free(MEM_FRAME, a, array_bytes(a->room));
}

static int cow_init(struct physseg_table *t)
{
	struct physseg_array *a = array_make(0);

	atomic_store_relaxed(&t->array.now, a);
	return a != NULL ? 0 : -ENOMEM;
}

static void cow_fini(struct physseg_table *t)
{
	if (t->array.next != NULL)
		array_free(&t->array.next->rcu);
	array_free(&atomic_load_relaxed(&t->array.now)->rcu);
	rcu_drain();                             /* arrays of before                                                */
}

static bool cow_ready(struct physseg_table *t)
{
	return t->array.next != NULL && t->array.next->room > atomic_load_relaxed(&t->array.now)->n;
}

static int cow_prepare(struct physseg_table *t)
{
	struct physseg_array *a = array_make((uint32_t)physseg_count(t) + 8), *old;

	if (a == NULL)
		return -ENOMEM;
	spin_lock(&t->lock);
	old = t->array.next;
	t->array.next = a;
	spin_unlock(&t->lock);
	if (old != NULL)
		array_free(&old->rcu);
	return 0;
}

static void cow_begin(struct physseg_table *t)
{
	const struct physseg_array *now = atomic_load_relaxed(&t->array.now);

	memcpy(t->array.next->at, now->at, (now->n + 1) * sizeof(now->at[0]));
	t->array.next->n = now->n;
	t->array.changed = false;
}

static void cow_insert(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	insert_in(t->array.next, seg, start);
	t->array.changed = true;
}

static void cow_move(struct physseg_table *t, struct physseg *seg, uint32_t from, uint32_t to)
{
	(void)seg;
	entry_below(t->array.next, from)->start = to;
	t->array.changed = true;
}

static void cow_remove(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	(void)seg;
	remove_in(t->array.next, start);
	t->array.changed = true;
}

static void cow_commit(struct physseg_table *t)
{
	struct physseg_array *old = atomic_load_relaxed(&t->array.now);

	if (!t->array.changed)
		return;
	atomic_store_release(&t->array.now, t->array.next);                      /* P1 */
	t->array.next = NULL;
	t->array.changed = false;
	rcu_retire(thread_self(), &old->rcu, array_free);
}

static struct physseg *cow_floor(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	struct thread_slot *self = thread_self();
	struct physseg *seg;

	rcu_enter(self);
	seg = floor_in(atomic_load_acquire(&t->array.now), at, key);             /* P2 -> P1 */
	rcu_leave(self);
	return seg;
}

static struct physseg *cow_ceil(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	struct thread_slot *self = thread_self();
	struct physseg *seg;

	rcu_enter(self);
	seg = ceil_in(atomic_load_acquire(&t->array.now), at, key);              /* P2 -> P1 */
	rcu_leave(self);
	return seg;
}

const struct physseg_index physseg_cow_array = {
	.name = "cow-array",
	.init = cow_init,
	.fini = cow_fini,
	.ready = cow_ready,
	.prepare = cow_prepare,
	.begin = cow_begin,
	.insert = cow_insert,
	.move = cow_move,
	.remove = cow_remove,
	.commit = cow_commit,
	.floor = cow_floor,
	.ceil = cow_ceil,
};
