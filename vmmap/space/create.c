/* SPDX-License-Identifier: MIT */
/*
 * create.c - birth and death of an address space. No other call on the map runs beside them.
 *
 * FAMILY  a physmem that came with a map is that of all maps that were forked from it, directly or not: it goes with
 *         the last of them. R1 each map's leave -> the last one: what was done with the frames.
 */
#include <string.h>

#include "vmmap/space/space.h"

struct space_local *space_local_make(struct vmmap *map, struct thread_slot *self)
{
	return thread_local_mine(&map->locals, self);
}

static int create_parts(struct vmmap *map, struct vmmap *like)
{
	int err = thread_local_init(&map->locals, sizeof(struct space_local));

	if (err)
		return err;
	err = vma_pool_init(&map->vmas, map->policy->slot_bytes);
	if (err)
		goto locals;
	err = vtree_init(&map->tree);
	if (err)
		goto vmas;
	err = pt_init(&map->pt);
	if (err)
		goto tree;
	map->pt.locked = map->policy->caps & LOCK_CAP_TABLES;
	err = rmap_gate_make(&map->gate, map, like ? like->gate : NULL);
	if (err)
		goto pt;
	map->lock_state = mem_alloc(MEM_MAP, map->policy->state_bytes ? map->policy->state_bytes : 1, CACHE_PAIR);
	err = map->lock_state ? map->policy->init(map->lock_state, space_lock(map), &space_lock_view) : -ENOMEM;
	if (!err)
		return 0;
	mem_free(MEM_MAP, map->lock_state, map->policy->state_bytes ? map->policy->state_bytes : 1);
	rmap_gate_put(map->gate);
pt:
	pt_fini(&map->pt);
tree:
	vtree_fini(&map->tree);
vmas:
	vma_pool_fini(&map->vmas);
locals:
	thread_local_free(&map->locals, NULL, NULL);
	return err;
}

static int create_config(struct vmmap *map, const struct vmmap_config *config)
{
	const uint64_t top = ADDRESS_END - PAGE_BYTES;

	map->lo = config->lo ? config->lo : UINT64_C(0x10000);
	map->hi = config->hi ? config->hi : top;
	map->mmap_base = config->mmap_base ? config->mmap_base : map->hi;
	map->placement = config->placement;
	map->brk_start = config->brk_start;
	map->config = *config;
	map->config.policy = map->policy->name;
	atomic_store_relaxed(&map->brk, config->brk_start);
	if (map->lo >= map->hi || map->hi > top || map->mmap_base > map->hi || map->mmap_base < map->lo)
		return -EINVAL;
	if (!space_aligned(map->lo | map->hi | map->mmap_base | map->brk_start))
		return -EINVAL;
	if (map->brk_start && (map->brk_start < map->lo || map->brk_start >= map->hi))
		return -EINVAL;
	if (map->placement != VMMAP_ARENAS && map->placement != VMMAP_TOPDOWN)
		return -EINVAL;
	limit_init(&map->limits, config);
	return 0;
}

/* Where its frames come from: the caller's physmem, that of the map it is forked from, or a new one. */
static int create_physmem(struct vmmap *map, struct vmmap *like)
{
	int err = 0;

	map->physmem = like ? like->physmem : map->config.physmem;
	if (like) {
		map->family = like->family;
	} else if (!map->physmem) {
		map->family = mem_alloc(MEM_MAP, sizeof *map->family, CACHE_LINE);
		err = map->family ? physmem_create(&map->physmem, NULL) : -ENOMEM;
	}
	if (err)
		mem_free(MEM_MAP, map->family, sizeof *map->family);
	else if (map->family)
		atomic_add_relaxed(&map->family->maps, 1);
	return err;
}

static void create_leave_physmem(struct vmmap *map)
{
	if (!map->family || atomic_sub_acqrel(&map->family->maps, 1) > 1)        /* R1 -> R1 */
		return;
	physmem_destroy(map->physmem);
	mem_free(MEM_MAP, map->family, sizeof *map->family);
}

static int create_map(struct vmmap **out, const struct vmmap_config *config, const struct lock_policy *policy,
		      struct vmmap *like)
{
	struct vmmap *map = mem_alloc(MEM_MAP, sizeof *map, CACHE_PAIR);
	int err;

	if (!map)
		return -ENOMEM;
	map->policy = policy;
	err = create_config(map, config);
	if (!err)
		err = create_physmem(map, like);
	if (!err) {
		physmem_set_mover(map->physmem, &space_mover);
		err = create_parts(map, like);
		if (err)
			create_leave_physmem(map);
	}
	if (err) {
		mem_free(MEM_MAP, map, sizeof *map);
		return err;
	}
	*out = map;
	return 0;
}

int vmmap_create(struct vmmap **out, const struct vmmap_config *config)
{
	struct vmmap_config defaults = VMMAP_CONFIG, mine = VMMAP_CONFIG;
	const struct lock_policy *policy;

	if (!config)
		config = &defaults;
	if (!out || config->size < offsetof(struct vmmap_config, placement) || config->size > sizeof mine)
		return -EINVAL;
	memcpy(&mine, config, config->size);
	policy = lock_policy_find(mine.policy ? mine.policy : "vma");
	return policy ? create_map(out, &mine, policy, NULL) : -ENOENT;
}

int (space_create_like)(struct vmmap **out, struct vmmap *map)
{
	return create_map(out, &map->config, map->policy, map);
}

/* Frames and object references that the map still holds. */
static void destroy_contents(struct vmmap *map, struct thread_slot *self)
{
	struct vtree_seen seen;
	struct vma *last = NULL;
	uint64_t at = 0;
	bool found;

	space_zap(map, self, (struct lock_range){ 0, ADDRESS_END }, true);
	for (;;) {
		rcu_enter(self);
		found = vtree_next(&map->tree, at, ADDRESS_END, &seen);
		rcu_leave(self);
		if (!found)
			return;
		at = seen.r.hi;
		if (seen.vma != last)
			space_backing_put(vma_rmap(seen.vma));
		last = seen.vma;
	}
}

void vmmap_destroy(struct vmmap *map)
{
	if (!map)
		return;
	rmap_gate_close(map->gate);                      /* an object that it maps may be in a resize or a sync    */
	destroy_contents(map, thread_self());
	rmap_gate_put(map->gate);
	rcu_drain();                                     /* retired tables, nodes, objects, the gate               */
	map->policy->fini(map->lock_state);
	mem_free(MEM_MAP, map->lock_state, map->policy->state_bytes ? map->policy->state_bytes : 1);
	pt_fini(&map->pt);
	vtree_fini(&map->tree);
	vma_pool_fini(&map->vmas);
	thread_local_free(&map->locals, NULL, NULL);
	create_leave_physmem(map);
	mem_free(MEM_MAP, map, sizeof *map);
}
