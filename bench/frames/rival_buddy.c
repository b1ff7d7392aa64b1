/* SPDX-License-Identifier: MIT */
/*
 * rival_buddy.c - the Linux shape: a buddy allocator of orders 0 .. 10 under one lock, with lists of each CPU above it.
 *
 * RECORD    of each frame: its neighbours in the list that it is in. A list is circular through a record of its own
 *           behind those of the frames: nothing is asked at its ends. Those of two CPUs share no line.
 * ZONE      eleven lists under `lock`, and a byte for each frame: order + 1, of the first one of a free block. A block
 *           that comes back is joined with its buddy (its number with bit `order` turned) as long as that is free and
 *           of the same order; one that is too large is cut, upper halves stay.
 * CPU       lists of orders 0 .. 3 and 9, of one thread. `buddy` has them without a lock, as kernels had that turned
 *           interrupts off instead, for which nothing is paid here; `buddy-lock` takes one of the CPU's own each time,
 *           as Linux does since others may drain these lists (6.1). Refill and drain go by batches of 63 frames,
 *           doubled up to 32 times while only one of the two happens, as Linux does since 6.7: `grow` is that
 *           exponent, `freed` counts frames that came back, halved by refills. HIGH is what the lists may keep:
 *           64 times 64 frames, what a slot of the engine keeps.
 * STRONG    no checks of a frame that is given back, no counts of references, no watermarks, no migrate types, records
 *           of 8 bytes (Linux's has 64); the lock is the queued one (base/qspin.h), as Linux's.
 * WEAKNESS  who refills or drains holds the zone's lock for a batch, frame by frame; runs of other orders take it each
 *           time.
 * SOURCE    Knuth, The Art of Computer Programming 1, 2.5; Linux 6.8, mm/page_alloc.c (rmqueue_bulk,
 *           free_pcppages_bulk, nr_pcp_alloc, nr_pcp_free). Re-derived.
 */
#include <stdlib.h>
#include <string.h>

#include "base/qspin.h"
#include "base/spin.h"
#include "bench/frames/churn.h"

#define ORDERS    11u
#define BATCH     63u
#define GROW_MAX  5u
#define HIGH      4096u
#define CPU_LISTS 5u                             /* orders 0 .. 3, and 9                                            */

#define APART     32u                            /* records between the lists of two CPUs: 256 bytes                */

struct record { uint32_t next, prev; };

struct cpu {
	uint32_t frames, grow, freed;
	uint32_t lists;                          /* the record of the first of its lists                            */
	atomic_u32 lock;
} PAIR_ALIGNED;

struct buddy {
	uint64_t frames;
	struct record *record;                   /* [frames], those of the zone's lists, those of the CPUs'         */
	uint8_t *order;                          /* [frames] under the lock                                        */
	struct cpu cpu[SOURCE_THREADS];
	PAIR_ALIGNED struct qspin lock;
	uint64_t free;                           /* under the lock: frames in the zone                             */
};

/* ---- lists ---- */

static uint32_t zone_list(const struct buddy *b, unsigned order) { return (uint32_t)b->frames + order; }

static ALWAYS_INLINE uint32_t cpu_list(const struct cpu *cpu, unsigned i) { return cpu->lists + i; }

static ALWAYS_INLINE void list_init(struct record *r, uint32_t list)
{
	r[list].next = r[list].prev = list;
}

static ALWAYS_INLINE void list_add(struct record *r, uint32_t list, uint32_t frame)
{
	uint32_t next = r[list].next;

	r[next].prev = frame;
	r[frame].next = next;
	r[frame].prev = list;
	r[list].next = frame;
}

static ALWAYS_INLINE void list_remove(struct record *r, uint32_t frame)
{
	uint32_t next = r[frame].next, prev = r[frame].prev;

	r[next].prev = prev;
	r[prev].next = next;
}

/* ---- the zone, under its lock ---- */

static void zone_put(struct buddy *b, uint32_t frame, unsigned order)
{
	struct record *r = b->record;

	b->free += UINT64_C(1) << order;
	while (order + 1 < ORDERS) {
		uint32_t other = frame ^ 1u << order;

		if (other >= b->frames || b->order[other] != order + 1)
			break;
		list_remove(r, other);
		b->order[other] = 0;
		frame &= ~(1u << order);
		order++;
	}
	b->order[frame] = (uint8_t)(order + 1);
	list_add(r, zone_list(b, order), frame);
}

/* The upper halves of what is too large stay. */
static void zone_cut(struct buddy *b, uint32_t frame, unsigned from, unsigned order)
{
	while (from > order) {
		uint32_t half = frame + (1u << --from);

		b->order[half] = (uint8_t)(from + 1);
		list_add(b->record, zone_list(b, from), half);
	}
}

static uint32_t zone_take(struct buddy *b, unsigned order)
{
	for (unsigned from = order; from < ORDERS; from++) {
		uint32_t list = zone_list(b, from), frame = b->record[list].next;

		if (frame == list)
			continue;
		list_remove(b->record, frame);
		b->order[frame] = 0;
		zone_cut(b, frame, from, order);
		b->free -= UINT64_C(1) << order;
		return frame;
	}
	return UINT32_MAX;
}

/* ---- a CPU's lists ---- */

/* Which of them has that order; CPU_LISTS: none. */
static ALWAYS_INLINE unsigned list_of(unsigned order)
{
	return order <= 3 ? order : order == 9 ? 4 : CPU_LISTS;
}

/* Runs that a refill of one order asks for. */
static unsigned refill_runs(struct cpu *cpu, unsigned order)
{
	unsigned room = HIGH > cpu->frames + BATCH ? HIGH - cpu->frames : BATCH, n = BATCH << cpu->grow;

	if (order != 0)
		return BATCH >> order > 2 ? BATCH >> order : 2;
	if (n <= room && cpu->grow < GROW_MAX)
		cpu->grow++;
	cpu->freed >>= 1;
	return n < room ? n : room;
}

static NOINLINE void refill(struct buddy *b, struct cpu *cpu, unsigned i, unsigned order)
{
	unsigned n = refill_runs(cpu, order);
	uint32_t frame;

	qspin_lock(&b->lock);
	for (; n != 0 && (frame = zone_take(b, order)) != UINT32_MAX; n--) {
		/* behind what was added before: lowest first */
		list_add(b->record, b->record[cpu_list(cpu, i)].prev, frame);
		cpu->frames += 1u << order;
	}
	qspin_unlock(&b->lock);
}

/* The coldest go, a list in turn. */
static NOINLINE void drain(struct buddy *b, struct cpu *cpu, unsigned most)
{
	static const unsigned order_of[CPU_LISTS] = { 0, 1, 2, 3, 9 };
	unsigned gone = 0;

	qspin_lock(&b->lock);
	for (unsigned i = 0; gone < most && cpu->frames != 0; i = (i + 1) % CPU_LISTS) {
		uint32_t list = cpu_list(cpu, i), frame;

		while (gone < most && (frame = b->record[list].prev) != list) {
			list_remove(b->record, frame);
			zone_put(b, frame, order_of[i]);
			gone += 1u << order_of[i];
			cpu->frames -= 1u << order_of[i];
		}
	}
	qspin_unlock(&b->lock);
}

static NOINLINE void full(struct buddy *b, struct cpu *cpu)
{
	unsigned n = cpu->freed < BATCH ? BATCH : cpu->freed;

	drain(b, cpu, n < HIGH - BATCH ? n : HIGH - BATCH);
}

static ALWAYS_INLINE uint64_t take_from(struct buddy *b, struct cpu *cpu, unsigned i, unsigned order)
{
	uint32_t list = cpu_list(cpu, i), frame = b->record[list].next;

	if (unlikely(frame == list)) {
		refill(b, cpu, i, order);
		frame = b->record[list].next;
		if (frame == list)
			return SOURCE_NONE;
	}
	list_remove(b->record, frame);
	cpu->frames -= 1u << order;
	return frame;
}

static ALWAYS_INLINE void give_to(struct buddy *b, struct cpu *cpu, unsigned i, uint32_t frame, unsigned order)
{
	list_add(b->record, cpu_list(cpu, i), frame);
	cpu->frames += 1u << order;
	cpu->grow >>= 1;
	if (cpu->freed < BATCH << GROW_MAX)
		cpu->freed += 1u << order;
	if (unlikely(cpu->frames >= HIGH))
		full(b, cpu);
}

/* ---- the source ---- */

static void buddy_destroy(void *s)
{
	struct buddy *b = s;

	free(b->order);
	free(b->record);
	free(b);
}

static void *buddy_create(uint64_t frames, unsigned threads)
{
	struct buddy *b = aligned_alloc(_Alignof(struct buddy), sizeof(*b));
	uint64_t records = frames + (SOURCE_THREADS + 1) * APART;

	(void)threads;
	if (b == NULL)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->frames = frames;
	b->record = aligned_alloc(CACHE_PAIR, records * sizeof(*b->record));
	b->order = calloc(frames, sizeof(*b->order));
	if (b->record == NULL || b->order == NULL) {
		buddy_destroy(b);
		return NULL;
	}
	for (unsigned i = 0; i < SOURCE_THREADS; i++)
		b->cpu[i].lists = (uint32_t)frames + (i + 1) * APART;
	for (uint64_t list = frames; list < records; list++)
		list_init(b->record, (uint32_t)list);
	for (uint64_t frame = frames; frame != 0; frame -= 1u << (ORDERS - 1))
		zone_put(b, (uint32_t)frame - (1u << (ORDERS - 1)), ORDERS - 1);
	return b;
}

static uint32_t zone_take_locked(struct buddy *b, unsigned order)
{
	uint32_t frame;

	qspin_lock(&b->lock);
	frame = zone_take(b, order);
	qspin_unlock(&b->lock);
	return frame;
}

static uint64_t take_run(void *s, unsigned thread, unsigned order)
{
	struct buddy *b = s;
	uint32_t frame;

	if (list_of(order) < CPU_LISTS)
		return take_from(b, &b->cpu[thread], list_of(order), order);
	frame = zone_take_locked(b, order);
	if (frame == UINT32_MAX) {               /* what is missing may be in the lists                             */
		drain(b, &b->cpu[thread], UINT32_MAX);
		frame = zone_take_locked(b, order);
	}
	return frame != UINT32_MAX ? frame : SOURCE_NONE;
}

static void give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	struct buddy *b = s;

	if (list_of(order) < CPU_LISTS) {
		give_to(b, &b->cpu[thread], list_of(order), (uint32_t)frame, order);
		return;
	}
	qspin_lock(&b->lock);
	zone_put(b, (uint32_t)frame, order);
	qspin_unlock(&b->lock);
}

static uint64_t free_frames(void *s)
{
	struct buddy *b = s;
	uint64_t sum = b->free;

	for (unsigned i = 0; i < SOURCE_THREADS; i++)
		sum += b->cpu[i].frames;
	return sum;
}

static ALWAYS_INLINE uint64_t take(void *s, void *mine)
{
	return take_from(s, mine, 0, 0);
}

static ALWAYS_INLINE void give(void *s, void *mine, uint64_t frame)
{
	give_to(s, mine, 0, (uint32_t)frame, 0);
}

static void *mine_of(const struct churn *c) { return &((struct buddy *)c->source)->cpu[c->thread]; }

static void pairs(struct churn *c) { churn_pair(c, mine_of(c), take, give); }
static void bulk(struct churn *c) { churn_bulk(c, mine_of(c), take, give); }
static void in_random_order(struct churn *c) { churn_random(c, mine_of(c), take, give); }
static void hand_over(struct churn *c) { churn_hand_over(c, mine_of(c), take, give); }

const struct source source_buddy = {
	.name = "buddy", .what = "buddies under one lock, lists of each CPU", .order = ORDERS - 1,
	.create = buddy_create, .destroy = buddy_destroy, .take = take_run, .give = give_run,
	.free_frames = free_frames, .loop = { pairs, bulk, in_random_order, hand_over },
};

/* ---- the same, and a lock of each CPU's lists ---- */

static ALWAYS_INLINE uint64_t locked_take(void *s, void *mine)
{
	struct cpu *cpu = mine;
	uint64_t frame;

	spin_lock(&cpu->lock);
	frame = take_from(s, cpu, 0, 0);
	spin_unlock(&cpu->lock);
	return frame;
}

static ALWAYS_INLINE void locked_give(void *s, void *mine, uint64_t frame)
{
	struct cpu *cpu = mine;

	spin_lock(&cpu->lock);
	give_to(s, cpu, 0, (uint32_t)frame, 0);
	spin_unlock(&cpu->lock);
}

static uint64_t locked_take_run(void *s, unsigned thread, unsigned order)
{
	struct buddy *b = s;
	uint64_t frame;

	spin_lock(&b->cpu[thread].lock);
	frame = take_run(s, thread, order);
	spin_unlock(&b->cpu[thread].lock);
	return frame;
}

static void locked_give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	struct buddy *b = s;

	spin_lock(&b->cpu[thread].lock);
	give_run(s, thread, frame, order);
	spin_unlock(&b->cpu[thread].lock);
}

static void locked_pairs(struct churn *c) { churn_pair(c, mine_of(c), locked_take, locked_give); }
static void locked_bulk(struct churn *c) { churn_bulk(c, mine_of(c), locked_take, locked_give); }
static void locked_random(struct churn *c) { churn_random(c, mine_of(c), locked_take, locked_give); }
static void locked_hand_over(struct churn *c) { churn_hand_over(c, mine_of(c), locked_take, locked_give); }

const struct source source_buddy_lock = {
	.name = "buddy-lock", .what = "the same, with a lock of each CPU's lists", .order = ORDERS - 1,
	.create = buddy_create, .destroy = buddy_destroy, .take = locked_take_run, .give = locked_give_run,
	.free_frames = free_frames, .loop = { locked_pairs, locked_bulk, locked_random, locked_hand_over },
};
