/* SPDX-License-Identifier: MIT */
/*
 * frame_bytes.c - contents of frames.
 *
 * Several threads may load and store one frame at once, as real processors do. Such copies go in atomic words of eight
 * bytes where both ends of the word lie inside, and in atomic bytes at the edges: never undefined, never torn within an
 * aligned word. A frame that only the caller can reach is written plainly (frame_zero, the target of frame_copy): what
 * comes between its last foreign access and that write is a grace period (frame.c), or how the owner got it.
 * EDGES  S1 a store (release) -> S2 a load (acquire): who has read a byte sees what had happened before it was stored;
 *        so a load from a frame that was shared can tell that it is no longer (access.c, SHARED).
 */
#include <string.h>

#include "vmmap/phys/frame.h"

static unsigned char *frame_at(struct physmem *pm, uint64_t pfn)
{
	ASSERT(pfn - pm->base < pm->span);
	return pm->bytes + ((pfn - pm->base) << PAGE_SHIFT);
}

static uint64_t word_load(unsigned char *at)
{
	return atomic_load_acquire((atomic_u64 *)(void *)at);                    /* S2 -> S1 */
}

void *physmem_frame_bytes(struct physmem *pm, uint64_t pfn)
{
	if (!pm->bytes || pfn - pm->base >= pm->span)
		return NULL;
	return frame_at(pm, pfn);
}

void frame_zero(struct physmem *pm, uint64_t pfn)
{
	if (pm->bytes)
		memset(frame_at(pm, pfn), 0, PAGE_BYTES);
}

void frame_copy(struct physmem *pm, uint64_t to, uint64_t from)
{
	if (pm->bytes)
		frame_read(pm, from, 0, frame_at(pm, to), PAGE_BYTES);
}

/* Bytes of [at, at + len) before the first whole aligned word. */
static size_t head_bytes(const unsigned char *at, size_t len)
{
	size_t n = -(uintptr_t)at & 7;

	return n < len ? n : len;
}

void frame_read(struct physmem *pm, uint64_t pfn, unsigned offset, void *to, size_t len)
{
	unsigned char *out = to, *at;
	size_t i = 0, head;

	if (!pm->bytes)
		return;
	ASSERT(offset + len <= PAGE_BYTES);
	at = frame_at(pm, pfn) + offset;
	head = head_bytes(at, len);
	for (; i < head; i++)
		out[i] = atomic_load_acquire((atomic_u8 *)(void *)(at + i));     /* S2 -> S1 */
	for (; i + 8 <= len; i += 8) {
		uint64_t word = word_load(at + i);

		memcpy(out + i, &word, 8);
	}
	for (; i < len; i++)
		out[i] = atomic_load_acquire((atomic_u8 *)(void *)(at + i));     /* S2 -> S1 */
}

void frame_write(struct physmem *pm, uint64_t pfn, unsigned offset, const void *from, size_t len)
{
	const unsigned char *in = from;
	unsigned char *at;
	size_t i = 0, head;

	if (!pm->bytes)
		return;
	ASSERT(offset + len <= PAGE_BYTES);
	at = frame_at(pm, pfn) + offset;
	head = head_bytes(at, len);
	for (; i < head; i++)
		atomic_store_release((atomic_u8 *)(void *)(at + i), in[i]);      /* S1 -> S2 */
	for (; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, in + i, 8);
		atomic_store_release((atomic_u64 *)(void *)(at + i), word);      /* S1 -> S2 */
	}
	for (; i < len; i++)
		atomic_store_release((atomic_u8 *)(void *)(at + i), in[i]);      /* S1 -> S2 */
}
