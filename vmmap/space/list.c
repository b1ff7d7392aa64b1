/* SPDX-License-Identifier: MIT */
/*
 * list.c - listings: each VMA as it was at one instant, without waiting and without delaying anybody.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "vmmap/space/space.h"

static unsigned list_advice(uint64_t bits)
{
	static const struct { uint64_t bit; unsigned advice;
	} pair[] = {
		{ VMA_DONTDUMP, VMMAP_DONTDUMP },     { VMA_DONTFORK, VMMAP_DONTFORK },
		{ VMA_WIPEONFORK, VMMAP_WIPEONFORK }, { VMA_SEQUENTIAL, VMMAP_SEQUENTIAL },
		{ VMA_RANDOM, VMMAP_RANDOM },	      { VMA_HUGE, VMMAP_HUGEPAGE },
		{ VMA_NOHUGE, VMMAP_NOHUGEPAGE },     { VMA_MERGEABLE, VMMAP_MERGEABLE },
	};
	unsigned advice = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pair); i++)
		advice |= bits & pair[i].bit ? pair[i].advice : 0;
	return advice;
}

static void list_fill(struct vmmap_vma *out, const struct vtree_listed *v)
{
	struct object *o = v->object;

	memset(out, 0, sizeof *out);
	out->start = v->r.lo;
	out->end = v->r.hi;
	out->prot = (int)(v->bits & VMA_PROT);
	out->flags = (v->bits & VMA_SHARED ? MAP_SHARED : MAP_PRIVATE) | (v->bits & VMA_NORESERVE ? MAP_NORESERVE : 0) |
		     (v->bits & VMA_GROWSDOWN ? MAP_GROWSDOWN : 0) | (!o || o->shared_anon ? MAP_ANONYMOUS : 0);
	out->advice = list_advice(v->bits);
	out->locked = !(v->bits & VMA_LOCKED) ? 0 : v->bits & VMA_LOCKONFAULT ? 2 : 1;
	if (o) {
		out->offset = (uint64_t)((int64_t)(v->r.lo >> PAGE_SHIFT) + v->delta) << PAGE_SHIFT;
		out->object = o->number;
		memcpy(out->name, o->name, sizeof o->name);
	}
}

/* For the mutant that keeps writers out while it looks. */
static bool list_in_section(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t hi,
			    struct vtree_listed *v)
{
	struct vtree_section s;
	bool found;

	vtree_enter(&map->tree, self, addr, &s);
	found = vtree_list(&map->tree, addr, hi, v);
	vtree_leave(&s);
	return found;
}

/* What covers addr, or begins above, below hi. */
static bool list_next(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t hi, struct vmmap_vma *out)
{
	struct vtree_listed v;
	bool found;

	rcu_enter(self);
	found = BASE_MUTANT(list_enters_leaf) && addr < ADDRESS_END ? list_in_section(map, self, addr, hi, &v)
								    : vtree_list(&map->tree, addr, hi, &v);
	if (found)
		list_fill(out, &v);              /* inside RCU: the object's name */
	rcu_leave(self);
	return found;
}

int vmmap_query(struct vmmap *map, uint64_t addr, struct vmmap_vma *out)
{
	return list_next(map, thread_self(), addr, ADDRESS_END, out) ? 0 : -ENOENT;
}

int vmmap_walk(struct vmmap *map, uint64_t lo, uint64_t hi, int (*fn)(const struct vmmap_vma *vma, void *arg),
	       void *arg)
{
	struct thread_slot *self = thread_self();
	struct vmmap_vma vma;
	int stop = 0;

	while (!stop && list_next(map, self, lo, hi, &vma)) {
		stop = fn(&vma, arg);
		lo = vma.end;
	}
	return stop;
}

static int list_line(const struct vmmap_vma *v, void *arg)
{
	char line[160];
	int n = snprintf(line, sizeof line, "%08llx-%08llx %c%c%c%c %08llx 00:00 %llu ", (unsigned long long)v->start,
			 (unsigned long long)v->end, v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
			 v->prot & PROT_EXEC ? 'x' : '-', v->flags & MAP_SHARED ? 's' : 'p',
			 (unsigned long long)v->offset, (unsigned long long)v->object);

	if (v->name[0])
		n = fprintf(arg, "%-72s %s\n", line, v->name);
	else
		n = fprintf(arg, "%s\n", line);
	return n < 0 ? -EIO : 0;
}

int vmmap_print_maps(struct vmmap *map, FILE *out)
{
	return vmmap_walk(map, 0, ADDRESS_END, list_line, out);
}

static void usage_vmas(struct vmmap *map, struct thread_slot *self, struct vmmap_usage *out)
{
	struct vtree_listed v;
	uint64_t at = 0;
	bool found;

	for (;; at = v.r.hi) {
		rcu_enter(self);
		found = vtree_list(&map->tree, at, ADDRESS_END, &v);
		rcu_leave(self);
		if (!found)
			return;
		out->vmas++;
		out->mapped_bytes += v.r.hi - v.r.lo;
		out->committed_pages += v.bits & VMA_ACCOUNT ? (v.r.hi - v.r.lo) >> PAGE_SHIFT : 0;
		out->locked_bytes += v.bits & VMA_LOCKED ? v.r.hi - v.r.lo : 0;
	}
}

static uint64_t usage_shared(struct vmmap *map)
{
	uint64_t sum = atomic_load_relaxed(&map->limits.shared_pages);

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct space_local *local = thread_local_at(&map->locals, i);

		sum += local ? atomic_load_relaxed(&local->shared_pages) : 0;
	}
	return sum;
}

static void usage_entry(uint64_t addr, uint64_t entry, void *arg)
{
	struct vmmap_usage *out = arg;

	(void)addr;
	out->resident_pages += pt_has_frame(entry);
}

void vmmap_get_usage(struct vmmap *map, struct vmmap_usage *out)
{
	struct thread_slot *self = thread_self();
	struct vtree_stats tree;
	struct pt_stats tables;

	*out = (struct vmmap_usage){ 0 };
	usage_vmas(map, self, out);
	out->committed_pages += usage_shared(map);
	rcu_enter(self);
	pt_walk(&map->pt, (struct lock_range){ 0, ADDRESS_END }, usage_entry, out);
	rcu_leave(self);
	vtree_get_stats(&map->tree, &tree);
	pt_get_stats(&map->pt, &tables);
	out->table_pages = tables.tables;
	out->metadata_bytes = tree.bytes + atomic_load_relaxed(&map->vmas.slab_bytes) + sizeof *map;
}
