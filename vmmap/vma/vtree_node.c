/* SPDX-License-Identifier: MIT */
/*
 * vtree_node.c - memory of the tree's nodes: slabs, one depot, a cache per thread slot.
 *
 * STATES  in a slab, fresh -> depot, or at once -> cache of a slot (reserve) -> taken -> linked -> DEAD, retired ->
 *         returned to the slot that retired it, by a round (rcu.c), after a grace period -> cache of that slot, with
 *         all that has come home, by its next reserve that needs more than it has.
 * HOME    who replaces nodes retires one for nearly each that it takes: they come back to it, and the lines of a node
 *         do not go from core to core. What is more than NODE_HOME goes to the depot, also when one slot only takes
 *         and another one only retires. What a thread that exits has stays with the slot, for its next owner.
 * LIFE    struct vtree_nodes outlives its tree while retired nodes are under way: each of them and the tree hold a
 *         reference, whoever drops the last frees the slabs and the caches. So vtree_fini waits for no grace period.
 *         A slot takes references NODE_REFS at a time; vtree_fini drops what is left of them.
 * Edges   N1 (depot unlock) -> N2 (depot lock). R1 (release part of dropping a reference) -> R2 (its acquire part).
 *         H1 (a round returns a node) -> H2 (its slot takes what came back). No ABA: it takes all of it.
 * Lock order  the depot's lock is a leaf lock; memory is allocated outside it. Only reserve allocates.
 */
#include <errno.h>
#include "base/mem.h"
#include "base/spin.h"
#include "vmmap/vma/vtree_impl.h"

#define NODE_BATCH 4                             /* nodes a cache fetches beyond what it was asked for             */
#define NODE_REFS  64                            /* references that a slot takes at once                           */
#define NODE_HOME  256                           /* nodes of a kind on their way home to one slot, at most         */
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

struct node_returned {                           /* linked as a chain                                              */
	_Atomic(struct rcu_item *) head;         /* pushed by rounds, taken whole by the slot                      */
	uint32_t n;                              /* since it was last empty; rounds' own                           */
};

struct node_cache {                              /* of a slot; its owner's                                         */
	struct node_chain chain[NODE_KINDS];
	atomic_u64 events[VTREE_EVENTS];         /* one writer                                                     */
	struct vtree_nodes *nodes;               /* once it has reserved                                           */
	size_t slab_bytes[NODE_KINDS];           /* of its last one; 0: none yet                                   */
	uint32_t refs;                           /* taken, for nodes that it will retire                           */
	struct node_returned returned[NODE_KINDS] LINE_ALIGNED;
};

struct node_slab {
	struct node_slab *next;
	size_t bytes;
	enum node_kind kind;                     /* for who looks at memory from outside: debuggers, bench/sim     */
} PAIR_ALIGNED;

struct vtree_nodes {
	struct thread_local_table caches;
	atomic_u32 lock;
	struct node_chain depot[NODE_KINDS];     /* under lock, as the next two                                    */
	struct node_slab *slabs;
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
	*nodes = (struct vtree_nodes){ .refs = 1 };
	if (thread_local_init(&nodes->caches, sizeof(struct node_cache)) != 0) {
		mem_free(MEM_NODE, nodes, sizeof(*nodes));
		return -ENOMEM;
	}
	t->nodes = nodes;
	return 0;
}

static void nodes_put(struct vtree_nodes *nodes, uint64_t n)
{
	struct node_slab *slab, *next;

	if (atomic_sub_acqrel(&nodes->refs, n) != n)                             /* R1, R2 */
		return;
	for (slab = nodes->slabs; slab != NULL; slab = next) {
		next = slab->next;
		slab_free(slab);
	}
	thread_local_free(&nodes->caches, NULL, NULL);
	mem_free(MEM_NODE, nodes, sizeof(*nodes));
}

void vtree_nodes_fini(struct vtree *t)
{
	uint64_t refs = 1;

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct node_cache *cache = thread_local_at(&t->nodes->caches, i);

		refs += cache ? cache->refs : 0;
	}
	nodes_put(t->nodes, refs);
	t->nodes = NULL;
}

/* Slabs grow with what a slot takes: a small map stays small, a huge one spares the TLB. */
static size_t next_slab(struct vtree_nodes *nodes, const struct node_cache *cache, enum node_kind kind)
{
	size_t last = cache->slab_bytes[kind];

	if (last < SLAB_LAST)
		return last == 0 ? SLAB_FIRST : 2 * last;
	return atomic_load_relaxed(&nodes->bytes) >= HUGE_FROM ? SLAB_HUGE : SLAB_LAST;
}

/* A small slab is its maker's, who has zeroed it. Of a huge one, which nobody has touched, there is enough for all. */
static int slab_make(struct vtree_nodes *nodes, struct node_cache *cache, enum node_kind kind)
{
	size_t bytes = next_slab(nodes, cache, kind), n = (bytes - sizeof(struct node_slab)) / node_bytes[kind];
	struct node_slab *slab = slab_alloc(bytes);
	char *node = (char *)(slab + 1);
	struct node_chain *to = bytes < SLAB_HUGE ? &cache->chain[kind] : &nodes->depot[kind];

	if (slab == NULL)
		return -ENOMEM;
	slab->bytes = bytes;
	slab->kind = kind;
	cache->slab_bytes[kind] = bytes < SLAB_HUGE ? bytes : SLAB_LAST;
	spin_lock(&nodes->lock);                                                 /* N2 -> N1 */
	slab->next = nodes->slabs;
	nodes->slabs = slab;
	for (size_t i = n; i-- > 0;) {
		struct vtree_link *link = (struct vtree_link *)(node + i * node_bytes[kind] + link_offset[kind]);

		chain_push(to, link);
	}
	spin_unlock(&nodes->lock);                                               /* N1 */
	atomic_add_relaxed(&nodes->bytes, bytes);
	return 0;
}

/* What has come home. */
static void cache_collect(struct node_cache *cache, enum node_kind kind)
{
	struct rcu_item *item = atomic_load_relaxed(&cache->returned[kind].head), *next;

	if (item == NULL)
		return;
	for (item = atomic_swap_acqrel(&cache->returned[kind].head, NULL); item != NULL; item = next) {  /* H2 -> H1 */
		next = item->next;
		chain_push(&cache->chain[kind], container_of(item, struct vtree_link, rcu));
	}
}

static int cache_fill(struct vtree_nodes *nodes, struct node_cache *cache, enum node_kind kind, unsigned want)
{
	struct node_chain *mine = &cache->chain[kind];

	if (likely(mine->n >= want))
		return 0;
	cache_collect(cache, kind);
	while (mine->n < want) {
		spin_lock(&nodes->lock);                                         /* N2 -> N1 */
		while (mine->n < want + NODE_BATCH && nodes->depot[kind].n > 0)
			chain_push(mine, chain_pop(&nodes->depot[kind]));
		spin_unlock(&nodes->lock);                                       /* N1 */
		if (mine->n < want && slab_make(nodes, cache, kind) != 0)
			return -ENOMEM;
	}
	return 0;
}

int vtree_nodes_reserve(struct vtree *t, struct thread_slot *self, unsigned leaves, unsigned inners)
{
	struct node_cache *cache = thread_local_mine(&t->nodes->caches, self);

	if (cache == NULL)
		return -ENOMEM;
	if (cache->nodes == NULL)                /* a round may read it once this slot has retired something       */
		cache->nodes = t->nodes;
	if (cache_fill(t->nodes, cache, NODE_LEAF, leaves) != 0)
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

/* In a round: there is one at a time, so nobody else pushes. false: enough are there. */
static bool node_home(struct node_cache *home, struct rcu_item *item, enum node_kind kind)
{
	struct node_returned *to = &home->returned[kind];
	struct rcu_item *head = atomic_load_relaxed(&to->head);

	if (head == NULL)
		to->n = 0;
	if (to->n >= NODE_HOME)
		return false;
	to->n++;
	do
		item->next = head;
	while (!atomic_cas_acqrel(&to->head, &head, item));                      /* H1 -> H2 */
	return true;
}

static void node_back(struct rcu_item *item, enum node_kind kind)
{
	struct vtree_link *link = container_of(item, struct vtree_link, rcu);
	struct vtree_nodes *nodes = link->home->nodes;

	if (!node_home(link->home, item, kind)) {
		spin_lock(&nodes->lock);                                         /* N2 -> N1 */
		chain_push(&nodes->depot[kind], link);
		spin_unlock(&nodes->lock);                                       /* N1 */
	}
	nodes_put(nodes, 1);
}

static void leaf_back(struct rcu_item *item) { node_back(item, NODE_LEAF); }
static void inner_back(struct rcu_item *item) { node_back(item, NODE_INNER); }

void vtree_retire(struct vtree *t, struct thread_slot *self, uintptr_t node)
{
	bool leaf = node & VTREE_LEAF;
	struct vtree_link *link = leaf ? &vtree_as_leaf(node)->link : &((struct vtree_inner *)node)->link;
	struct node_cache *home = thread_local_at(&t->nodes->caches, self->number);

	ASSERT(home != NULL);                    /* it has taken what stands there now                             */
	if (home->refs == 0) {
		atomic_add_relaxed(&t->nodes->refs, NODE_REFS);
		home->refs = NODE_REFS;
	}
	home->refs--;
	link->home = home;
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
