/* SPDX-License-Identifier: MIT */
/*
 * reference_radix.c - a radix tree of two levels whose inner level never changes, and a counter that all share.
 *
 * A search reads the root, which nobody writes, and one slot; a writer writes the slot of its key. Slots have a line
 * each, as RadixVM's descriptors do: two keys never meet.
 *
 * Source: Clements, Kaashoek, Zeldovich, RadixVM (EuroSys'13), figure on index structures. Re-derived.
 */
#include <stddef.h>
#include "base/atomic.h"
#include "base/compiler.h"
#include "bench/manycore/reference.h"

#define FANOUT 64u

struct slot { atomic_u32 present; } PAIR_ALIGNED;

static struct slot slot_of[REFERENCE_KEYS];
static _Atomic(struct slot *) root[REFERENCE_KEYS / FANOUT];
static struct { atomic_u64 n; } PAIR_ALIGNED counter;

static struct slot *walk(uint32_t key)
{
	return (struct slot *)atomic_load_acquire(&root[key / FANOUT]) + key % FANOUT;
}

static bool find(uint32_t key)
{
	return atomic_load_acquire(&walk(key)->present) != 0;
}

static void insert(uint32_t key)
{
	atomic_store_release(&walk(key)->present, 1);
}

static void remove_key(uint32_t key)
{
	atomic_store_release(&walk(key)->present, 0);
}

static void setup(void)
{
	for (uint32_t i = 0; i < REFERENCE_KEYS / FANOUT; i++)
		atomic_store_release(&root[i], &slot_of[i * FANOUT]);
	for (uint32_t key = 0; key < REFERENCE_KEYS; key += 2)
		insert(key);
}

const struct reference reference_radix = { "radix tree", setup, find, insert, remove_key };

void reference_count(void)
{
	atomic_add_acqrel(&counter.n, 1);
}
