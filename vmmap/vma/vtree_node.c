/* SPDX-License-Identifier: MIT */
/*
 * vtree_node.c - memory of the tree's nodes: slabs, one depot, a cache per thread slot.
 *
 * STATES  in a slab, fresh -> depot -> cache of a slot (reserve) -> taken -> linked -> DEAD, retired -> depot, from
 *         RCU's thread, after a grace period.
 * LIFE    struct vtree_nodes outlives its tree while retired nodes are under way: each of them and the tree hold a
 *         reference, whoever drops the last frees the slabs. So vtree_fini waits for no grace period.
 * Edges   N1 (depot unlock) -> N2 (depot lock). R1 (release part of dropping a reference) -> R2 (its acquire part).
 * Lock order  the depot's lock is a leaf lock; memory is allocated outside it. Only reserve allocates.
 */
#include <errno.h>
#include "base/mem.h"
#include "base/spin.h"
#include "vmmap/vma/vtree_impl.h"

#define NODE_BATCH 4                             /* nodes a cache fetches beyond what it was asked for             */
#define SLAB_FIRST ((size_t)8 << 10)
#define SLAB_LAST  ((size_t)64 << 10)
#define SLAB_HUGE  ((size_t)2 << 20)             /* a tree of more than HUGE_FROM takes these, on huge pages       */
#define HUGE_FROM  ((size_t)8 << 20)

enum node_kind { NODE_LEAF, NODE_INNER, NODE_KINDS };
static const size_t node_bytes[NODE_KINDS] = { sizeof(struct vtree_leaf), sizeof(struct vtree_inner) };
static const size_t link_offset[NODE_KINDS] = { offsetof(struct vtree_leaf, link), offsetof(struct vtree_inner, link) };

struct node_chain {                              /* linked by link.rcu.next                                        */
	struct vtree_link *head;
	unsigned n;
};

struct node_cache {                              /* of a slot; its owner's                                         */
	struct node_chain chain[NODE_KINDS];
	atomic_u64 events[VTREE_EVENTS];         /* one writer                                                     */
};

struct node_slab {
	struct node_slab *next;
	size_t bytes;
} PAIR_ALIGNED;

struct vtree_nodes {
	struct thread_local_table caches;
	atomic_u32 lock;
	struct node_chain depot[NODE_KINDS];     /* under lock, as the next two                                    */
	struct node_slab *slabs;
	size_t slab_bytes[NODE_KINDS];           /* of the next one                                                */
	atomic_u64 bytes, refs;
};

static void chain_push(struct node_chain *chain, struct vtree_link *link)
{
	link->rcu.next = chain->head ? &chain->head->rcu : NULL;
	chain->head = link;
	chain->n++;
}

static struct vtree_link *chain_pop(struct node_chain *chain)
{
	struct vtree_link *link = chain->head;

	if (link != NULL) {
		chain->head = (struct vtree_link *)link->rcu.next;
		chain->n--;
	}
	return link;
}

static struct node_slab *slab_alloc_huge(size_t bytes)
{
	struct node_slab *slab = mem_reserve(MEM_NODE, bytes);

	if (slab != NULL)
		mem_want_huge(slab, bytes);
	return slab;
}

static struct node_slab *slab_alloc(size_t bytes)
{
	return bytes < SLAB_HUGE ? mem_alloc(MEM_NODE, bytes, CACHE_PAIR) : slab_alloc_huge(bytes);
}

static void slab_free(struct node_slab *slab)
{
	if (slab->bytes < SLAB_HUGE)
		mem_free(MEM_NODE, slab, slab->bytes);
	else
		mem_unreserve(MEM_NODE, slab, slab->bytes);
}

int vtree_nodes_init(struct vtree *t)
{
	struct vtree_nodes *nodes = mem_alloc(MEM_NODE, sizeof(*nodes), CACHE_PAIR);

	if (nodes == NULL)
		return -ENOMEM;
	*nodes = (struct vtree_nodes){ .slab_bytes = { SLAB_FIRST, SLAB_FIRST }, .refs = 1 };
	if (thread_local_init(&nodes->caches, sizeof(struct node_cache)) != 0) {
		mem_free(MEM_NODE, nodes, sizeof(*nodes));
		return -ENOMEM;
	}
	t->nodes = nodes;
	return 0;
}

static void nodes_put(struct vtree_nodes *nodes)
{
	struct node_slab *slab, *next;

	if (atomic_sub_acqrel(&nodes->refs, 1) != 1)                             /* R1, R2 */
		return;
	for (slab = nodes->slabs; slab != NULL; slab = next) {
		next = slab->next;
		slab_free(slab);
	}
	mem_free(MEM_NODE, nodes, sizeof(*nodes));
}

void vtree_nodes_fini(struct vtree *t)
{
	thread_local_free(&t->nodes->caches, NULL, NULL);
	nodes_put(t->nodes);
	t->nodes = NULL;
}

/* Slabs grow with the tree: a small map stays small, a huge one spares the TLB. */
static size_t next_slab(struct vtree_nodes *nodes, enum node_kind kind)
{
	size_t bytes;

	spin_lock(&nodes->lock);                                                 /* N2 -> N1 */
	bytes = nodes->slab_bytes[kind];
	if (bytes < SLAB_LAST)
		nodes->slab_bytes[kind] = 2 * bytes;
	else if (atomic_load_relaxed(&nodes->bytes) >= HUGE_FROM)
		bytes = SLAB_HUGE;
	spin_unlock(&nodes->lock);                                               /* N1 */
	return bytes;
}

static int slab_make(struct vtree_nodes *nodes, enum node_kind kind)
{
	size_t bytes = next_slab(nodes, kind), n = (bytes - sizeof(struct node_slab)) / node_bytes[kind];
	struct node_slab *slab = slab_alloc(bytes);
	char *node = (char *)(slab + 1);

	if (slab == NULL)
		return -ENOMEM;
	slab->bytes = bytes;
	spin_lock(&nodes->lock);                                                 /* N2 -> N1 */
	slab->next = nodes->slabs;
	nodes->slabs = slab;
	for (size_t i = n; i-- > 0;) {
		struct vtree_link *link = (struct vtree_link *)(node + i * node_bytes[kind] + link_offset[kind]);

		link->owner = nodes;
		chain_push(&nodes->depot[kind], link);
	}
	spin_unlock(&nodes->lock);                                               /* N1 */
	atomic_add_relaxed(&nodes->bytes, bytes);
	return 0;
}

static int cache_fill(struct vtree_nodes *nodes, struct node_cache *cache, enum node_kind kind, unsigned want)
{
	struct node_chain *mine = &cache->chain[kind];

	if (likely(mine->n >= want))
		return 0;
	for (;;) {
		spin_lock(&nodes->lock);                                         /* N2 -> N1 */
		while (mine->n < want + NODE_BATCH && nodes->depot[kind].n > 0)
			chain_push(mine, chain_pop(&nodes->depot[kind]));
		spin_unlock(&nodes->lock);                                       /* N1 */
		if (mine->n >= want)
			return 0;
		if (slab_make(nodes, kind) != 0)
			return -ENOMEM;
	}
}

int vtree_nodes_reserve(struct vtree *t, struct thread_slot *self, unsigned leaves, unsigned inners)
{
	struct node_cache *cache = thread_local_mine(&t->nodes->caches, self);

	if (cache == NULL || cache_fill(t->nodes, cache, NODE_LEAF, leaves) != 0)
		return -ENOMEM;
	return cache_fill(t->nodes, cache, NODE_INNER, inners);
}

static void *node_take(struct vtree *t, struct thread_slot *self, enum node_kind kind)
{
	struct node_cache *cache = thread_local_at(&t->nodes->caches, self->number);
	struct vtree_link *link = cache ? chain_pop(&cache->chain[kind]) : NULL;

	return link ? (char *)link - link_offset[kind] : NULL;
}

struct vtree_leaf *vtree_take_leaf(struct vtree *t, struct thread_slot *self)
{
	return node_take(t, self, NODE_LEAF);
}

struct vtree_inner *vtree_take_inner(struct vtree *t, struct thread_slot *self)
{
	return node_take(t, self, NODE_INNER);
}

static void node_untake(struct vtree *t, struct thread_slot *self, enum node_kind kind, struct vtree_link *link)
{
	struct node_cache *cache = thread_local_at(&t->nodes->caches, self->number);

	chain_push(&cache->chain[kind], link);
}

void vtree_untake_leaf(struct vtree *t, struct thread_slot *self, struct vtree_leaf *leaf)
{
	node_untake(t, self, NODE_LEAF, &leaf->link);
}

void vtree_untake_inner(struct vtree *t, struct thread_slot *self, struct vtree_inner *inner)
{
	node_untake(t, self, NODE_INNER, &inner->link);
}

static void node_back(struct rcu_item *item, enum node_kind kind)
{
	struct vtree_link *link = container_of(item, struct vtree_link, rcu);
	struct vtree_nodes *nodes = link->owner;

	spin_lock(&nodes->lock);                                                 /* N2 -> N1 */
	chain_push(&nodes->depot[kind], link);
	spin_unlock(&nodes->lock);                                               /* N1 */
	nodes_put(nodes);
}

static void leaf_back(struct rcu_item *item) { node_back(item, NODE_LEAF); }
static void inner_back(struct rcu_item *item) { node_back(item, NODE_INNER); }

void vtree_retire(struct thread_slot *self, uintptr_t node)
{
	bool leaf = node & VTREE_LEAF;
	struct vtree_link *link = leaf ? &vtree_as_leaf(node)->link : &((struct vtree_inner *)node)->link;

	atomic_add_relaxed(&link->owner->refs, 1);
	rcu_retire(self, &link->rcu, leaf ? leaf_back : inner_back);
}

void vtree_count(struct vtree *t, struct thread_slot *self, enum vtree_event event)
{
	struct node_cache *cache = thread_local_mine(&t->nodes->caches, self);

	if (cache != NULL)
		atomic_bump(&cache->events[event], 1);
}

uint64_t vtree_counted(struct vtree *t, enum vtree_event event)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct node_cache *cache = thread_local_at(&t->nodes->caches, i);

		if (cache != NULL)
			sum += atomic_load_relaxed(&cache->events[event]);
	}
	return sum;
}

uint64_t vtree_nodes_bytes(struct vtree *t)
{
	return atomic_load_relaxed(&t->nodes->bytes);
}
