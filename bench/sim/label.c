/* SPDX-License-Identifier: MIT */
/* label.c - see label.h. */
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "bench/sim/core.h"
#include "bench/sim/debug.h"
#include "bench/sim/heap.h"
#include "bench/sim/label.h"
#include "vmmap/space/space.h"

#define LABEL_BYTES 160

/* ---- which type a block has ---- */

static const struct debug_type *is(const char *type, size_t at, size_t *offset)
{
	*offset = at;
	return debug_struct(type);
}

/* A header, then elements of one size; what is left over behind the last is nothing. */
static const struct debug_type *in_slab(const char *header, const char *element, size_t bytes, size_t at,
					size_t *offset)
{
	const struct debug_type *head = debug_struct(header);

	if (head == NULL || at < debug_bytes(head))
		return is(header, at, offset);
	return is(element, (at - debug_bytes(head)) % bytes, offset);
}

/* The map whose lock state this is. */
static void find_map(const struct heap_block *block, void *arg)
{
	const struct vmmap **map = ((void **)arg)[0];
	uintptr_t state = *(uintptr_t *)((void **)arg)[1];

	if (block->purpose == MEM_MAP && block->bytes == sizeof(struct vmmap) &&
	    (uintptr_t)((const struct vmmap *)block->at)->lock_state == state)
		*map = (const struct vmmap *)block->at;
}

static const struct debug_type *lock_state(const struct heap_block *block, size_t at, size_t *offset)
{
	static const struct { const char *policy, *type; } state[] = {
		{ "vma", "intree" }, { "vma-count", "intree" }, { "checked", "checked_state" },
		{ "rwsem", "rwsem_state" }, { "pervma", "writer" }, { "rwlock", "rwlock_state" },
		{ "none", "global" }, { "spf", "writer" }, { "range-tree", "tree_state" },
		{ "range-list", "list_state" }, { "fine-lock", "fine_state" }, { "pt-lock", "pt_lock" },
	};
	const struct vmmap *map = NULL;
	uintptr_t where = block->at;

	heap_each(find_map, (void *[]){ &map, &where });
	for (size_t i = 0; map != NULL && i < ARRAY_SIZE(state); i++)
		if (strcmp(map->policy->name, state[i].policy) == 0)
			return is(state[i].type, at, offset);
	return NULL;
}

/* Blocks of a per-slot table: by the table's own place. The longest ending that fits. */
static const struct debug_type *slot_block(const struct heap_block *block, size_t at, size_t *offset)
{
	static const struct { const char *table, *type; } kind[] = {
		{ "vmmap.locals", "space_local" }, { "vmmap.vmas.lists", "vma_list" },
		{ "physmem.slots", "frame_slot" }, { "vtree_nodes.caches", "node_cache" },
		{ "checked_state.threads", "checked_thread" },
		{ "tree_state.beside.threads", "tree_thread" }, { "fine_state.beside.threads", "fine_thread" },
		{ "list_state.beside.threads", "list_thread" }, { "pt_lock.tables.threads", "table_thread" },
		{ ".pt.slots", "pt_slot" }, { ".pages.slots", "pt_slot" }, { ".locks.threads", "range_thread" },
	};
	const struct debug_type *chunk = debug_struct("list_chunk");
	const char *table = block->table != NULL ? label_of((uintptr_t)block->table) : NULL;
	const char *dot = table != NULL ? strstr(table, ".chunk[]") : NULL;

	for (size_t i = 0; dot != NULL && i < ARRAY_SIZE(kind); i++) {
		size_t n = strlen(kind[i].table);

		if ((size_t)(dot - table) >= n && strncmp(dot - n, kind[i].table, n) == 0)
			return is(kind[i].type, at, offset);
	}
	if (table == NULL && chunk != NULL && block->bytes == debug_bytes(chunk))
		return is("list_chunk", at, offset);             /* of range-list: a thread's own, in a chain       */
	return NULL;
}

/* Where a field of a struct stands that its file keeps to itself; its size if there is none. */
static size_t offset_of(const struct debug_type *type, const char *field)
{
	size_t offset = 0;

	while (offset < debug_bytes(type)) {
		const char *name = debug_field(type, offset);

		if (name != NULL && strcmp(name, field) == 0)
			break;
		offset++;
	}
	return offset;
}

/* A slab of the tree's nodes: of leaves, if it says so. */
static const struct debug_type *node_block(const struct heap_block *block, size_t at, size_t *offset)
{
	const struct debug_type *nodes = debug_struct("vtree_nodes"), *head = debug_struct("node_slab");
	const uint32_t *kind;

	if (nodes != NULL && block->bytes == debug_bytes(nodes))
		return is("vtree_nodes", at, offset);
	if (head == NULL || block->bytes < debug_bytes(head) + sizeof(struct vtree_leaf))
		return NULL;
	kind = (const uint32_t *)(block->at + offset_of(head, ".kind"));
	if (*kind == 0)
		return in_slab("node_slab", "vtree_leaf", sizeof(struct vtree_leaf), at, offset);
	return in_slab("node_slab", "vtree_inner", sizeof(struct vtree_inner), at, offset);
}

/* VMAs, each perhaps followed by a line of the policy's own. */
static const struct debug_type *vma_block(const struct heap_block *block, size_t at, size_t *offset)
{
	const size_t head = CACHE_LINE, number = 64;
	size_t bytes = (block->bytes - head) / number;
	const struct debug_type *type = in_slab("vma_slab", "vma", bytes, at, offset);

	if (at < head || *offset < sizeof(struct vma))
		return type;
	return is("lock_slot_far", *offset - LOCK_SLOT_FAR, offset);
}

/* A table of segments has a pointer to it. */
static bool segments_have(const struct physmem *pm, uintptr_t at)
{
	const struct debug_type *type = debug_struct("physseg_table");
	const uintptr_t *word = (const uintptr_t *)pm->segments;

	for (size_t i = 0; type != NULL && word != NULL && i < debug_bytes(type) / sizeof(*word); i++)
		if (word[i] == at)
			return true;
	return false;
}

static void find_array(const struct heap_block *block, void *arg)
{
	const struct physmem *pm = (const struct physmem *)block->at;
	const struct heap_block *of = ((void **)arg)[0];
	const char **name = ((void **)arg)[1];

	if (block->purpose != MEM_FRAME || block->bytes != sizeof(*pm))
		return;
	if (of->at == (uintptr_t)pm->word)
		*name = "frame.word[]";
	else if (of->at == (uintptr_t)pm->batch_of)
		*name = "frame_batch";
	else if (of->at == (uintptr_t)pm->record)
		*name = "frame_record";
	else if (of->at == (uintptr_t)pm->bytes)
		*name = "frame.bytes";
	else if (of->at == (uintptr_t)pm->bits.block.flat)
		*name = "frame_bits.block[]";
	else if (of->at == (uintptr_t)pm->bits.row.flat)
		*name = "frame_bits.row[]";
	else if (of->at == (uintptr_t)pm->bits.hint.flat)
		*name = "frame_bits.hint[]";
	else if (segments_have(pm, of->at))
		*name = "physseg_bits.level[]";
}

/* A table of segments, the states of its frames behind it: it says how large both are. */
static bool segments_block(const struct heap_block *block)
{
	const struct debug_type *type = debug_struct("physseg_table");

	if (type == NULL || block->bytes < debug_bytes(type))
		return false;
	if (block->bytes == debug_bytes(type))
		return true;                             /* bare                                                      */
	return *(const uint64_t *)(block->at + offset_of(type, ".reserved")) == block->bytes;
}

static const struct debug_type *segments_field(size_t at, size_t *offset, const char **name)
{
	if (at < debug_bytes(debug_struct("physseg_table")))
		return is("physseg_table", at, offset);
	*name = "frame.state[]";
	return NULL;
}

static const struct debug_type *frame_block(const struct heap_block *block, size_t at, size_t *offset,
					    const char **name)
{
	const struct debug_type *element;

	if (segments_block(block))
		return segments_field(at, offset, name);
	if (block->align != 0 && block->bytes == sizeof(struct physmem))
		return is("physmem", at, offset);
	heap_each(find_array, (void *[]){ (void *)(uintptr_t)block, name });
	element = *name != NULL ? debug_struct(*name) : NULL;
	return element != NULL ? is(*name, at % debug_bytes(element), offset) : NULL;
}

const struct debug_type *label_block(const struct heap_block *block, size_t at, size_t *offset, const char **name)
{
	const struct debug_type *type;

	*name = NULL;
	*offset = 0;
	switch (block->purpose) {
	case MEM_MAP:
		type = lock_state(block, at, offset);            /* first: it may have the size of a map           */
		if (type != NULL)
			return type;
		if (block->bytes == sizeof(struct vmmap))
			return is("vmmap", at, offset);
		if (block->bytes == sizeof(struct rmap_gate))
			return is("rmap_gate", at, offset);
		return NULL;
	case MEM_VMA: return vma_block(block, at, offset);
	case MEM_NODE: return node_block(block, at, offset);
	case MEM_TABLE: return is("pt_table", at, offset);
	case MEM_FRAME: return frame_block(block, at, offset, name);
	case MEM_OBJECT: return is(block->bytes == sizeof(struct rmap) ? "rmap" : "object", at, offset);
	case MEM_SLOT:
		if (block->bytes != THREAD_CHUNK * sizeof(void *) || block->align != CACHE_LINE)
			return slot_block(block, at, offset);
		*name = "thread_local_table.chunk[][]";
		return NULL;
	default:
		return NULL;
	}
}

/* ---- labels ---- */

static int by_text(const void *x, const void *y)
{
	return strcmp(x, y);
}

static const char *intern(const char *text)
{
	static void *known;
	char **found = tfind(text, &known, by_text);

	if (found == NULL) {
		char *mine = strdup(text);

		CHECK(mine != NULL && (found = tsearch(mine, &known, by_text)) != NULL);
	}
	return *found;
}

/* What a lock object shows in a gap is a VMA, though its owner knows only bytes, which begin at a line pair. */
static const char *in_dummy(size_t offset)
{
	size_t at = offset % LOCK_DUMMY_BYTES;

	return at < sizeof(struct vma) ? debug_field(debug_struct("vma"), at)
				       : debug_field(debug_struct("lock_slot_far"), at - LOCK_SLOT_FAR);
}

static const char *label_in_block(const struct heap_block *block, uintptr_t at)
{
	char text[LABEL_BYTES];
	size_t offset;
	const char *name, *field, *dummy;
	const struct debug_type *type = label_block(block, at - block->at, &offset, &name);

	if (type == NULL)
		return name != NULL ? intern(name) : NULL;
	field = debug_field(type, offset);
	dummy = field != NULL ? strstr(field, ".dummy[]") : NULL;
	if (dummy != NULL && in_dummy(offset) != NULL)
		snprintf(text, sizeof(text), "%s%.*s.dummy%s", debug_name(type), (int)(dummy - field), field,
			 in_dummy(offset));
	else
		snprintf(text, sizeof(text), "%s%s", debug_name(type), field != NULL ? field : ".padding");
	return intern(text);
}

static bool on_main_stack(uintptr_t at)
{
	static void *stack;
	static size_t bytes;
	pthread_attr_t attr;

	if (stack == NULL) {
		CHECK(pthread_getattr_np(pthread_self(), &attr) == 0 &&
		      pthread_attr_getstack(&attr, &stack, &bytes) == 0);
		pthread_attr_destroy(&attr);
	}
	return at - (uintptr_t)stack < bytes;
}

static bool on_stack(uintptr_t at)
{
	for (uint32_t i = 0; i < core_count(); i++)
		if (core_on_stack(core_at(i), at))
			return true;
	return on_main_stack(at);
}

/* Variables stay where they are: a name once found is kept. */
static const char *label_in_variable(uintptr_t at)
{
	static struct { uintptr_t at; const char *label; } known[4096];
	unsigned i = (unsigned)(at * UINT64_C(0x9e3779b97f4a7c15) >> 52);
	char text[LABEL_BYTES];

	if (known[i].at != at) {
		known[i].at = at;
		known[i].label = debug_variable(at, text, sizeof(text)) ? intern(text) : NULL;
	}
	return known[i].label;
}

const char *label_of(uintptr_t at)
{
	const struct heap_block *block = heap_at(at);

	if (block != NULL)
		return label_in_block(block, at);
	if (on_stack(at))
		return "stack";
	return at - (uintptr_t)&errno < sizeof(errno) ? "errno" : label_in_variable(at);
}
