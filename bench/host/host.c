/* SPDX-License-Identifier: MIT */
/*
 * host.c - see host.h. Victims are chosen by a clock with a second chance, over all guests alike. A page that came from
 * swap and was not written since goes without being written again.
 */
#include "bench/host/host.h"

#include <errno.h>
#include <stdlib.h>

#define NOWHERE 0u                               /* no frame, not in swap; else slot + 1, or                       */
#define IN_SWAP UINT32_MAX

#define SECOND UINT64_C(1000000000)
#define WANT   4096                              /* frames that guests are asked for at a time: 16 MiB             */

int host_init(struct host *h, uint64_t frames, const struct host_cost *cost)
{
	*h = (struct host){ .cost = *cost, .frames = frames };
	h->slot = calloc(frames, sizeof(*h->slot));
	h->spare = calloc(frames, sizeof(*h->spare));
	if (h->slot == NULL || h->spare == NULL) {
		host_fini(h);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < frames; i++)
		h->spare[i] = (uint32_t)(frames - 1 - i);
	return 0;
}

void host_fini(struct host *h)
{
	free(h->slot);
	free(h->spare);
}

static void free_slot(struct host *h, uint32_t slot)
{
	h->slot[slot] = (struct host_slot){ 0 };
	h->used--;
	h->spare[h->frames - h->used - 1] = slot;
}

/* Somebody's page goes to swap. */
static void swap_out(struct host *h)
{
	struct host_slot *victim;

	for (;; h->hand = (h->hand + 1) % h->frames) {
		victim = &h->slot[h->hand];
		if (!victim->referenced)
			break;
		victim->referenced = false;
	}
	if (victim->dirty) {
		h->now += h->cost.swap_out;
		h->outs++;
	}
	victim->page->place = IN_SWAP;
	h->swapped++;
	free_slot(h, (uint32_t)h->hand);
	h->hand = (h->hand + 1) % h->frames;
}

static void make_room(struct host *h)
{
	if (h->pressure != NULL && h->now >= h->ask_again && h->pressure(h->arg, WANT) == 0)
		h->ask_again = h->now + SECOND;
	if (h->used == h->frames)
		swap_out(h);
}

static struct host_slot *touch(struct host *h, struct host_page *page)
{
	bool from_swap = page->place == IN_SWAP;
	uint32_t slot;

	h->now += h->cost.touch;
	if (page->place != NOWHERE && !from_swap)
		return &h->slot[page->place - 1];
	if (h->used == h->frames)
		make_room(h);
	slot = h->spare[h->frames - h->used - 1];
	h->used++;
	h->now += h->cost.fault + (from_swap ? h->cost.swap_in : 0);
	h->ins += from_swap;
	h->swapped -= from_swap;
	h->slot[slot] = (struct host_slot){ .page = page, .dirty = !from_swap };
	page->place = slot + 1;
	return &h->slot[slot];
}

uint32_t host_read(struct host *h, struct host_page *page)
{
	touch(h, page)->referenced = true;
	return page->content;
}

void host_write(struct host *h, struct host_page *page, uint32_t content)
{
	struct host_slot *slot = touch(h, page);

	slot->referenced = slot->dirty = true;
	page->content = content;
}

void host_discard(struct host *h, struct host_page *page)
{
	if (page->place == IN_SWAP)
		h->swapped--;
	else if (page->place != NOWHERE)
		free_slot(h, page->place - 1);
	*page = (struct host_page){ 0 };
}

uint64_t host_audit(const struct host *h)
{
	uint64_t used = 0, bad = 0;

	for (uint64_t i = 0; i < h->frames; i++) {
		const struct host_slot *slot = &h->slot[i];

		used += slot->page != NULL;
		bad += slot->page != NULL && slot->page->place != i + 1;
	}
	return bad + (used != h->used);
}
