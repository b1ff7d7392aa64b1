/* SPDX-License-Identifier: MIT */
/*
 * board_pin.c - pages that are pinned, by name: see board.h. A pin goes on where its page has been dropped, unmapped,
 * or is gone with its address space: its frame has what was stored there last.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/physmem/board.h"

struct board_pins *board_pins(struct board *b, const char *name)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (strcmp(b->pins[i].name, name) == 0)
			return &b->pins[i];
	return NULL;
}

struct board_pins *board_new_pins(struct board *b, const char *name)
{
	struct board_pins *p = board_pins(b, "");

	if (p != NULL)
		snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

void board_pins_tidy(struct board_pins *p)
{
	if (p->n != 0)
		return;
	free(p->pin);
	memset(p, 0, sizeof(*p));
}

static struct board_pin *room_for(struct board_pins *p, uint64_t n)
{
	if (p->room - p->n < n) {
		p->room = 2 * p->room + n;
		p->pin = board_need(realloc(p->pin, p->room * sizeof(*p->pin)));
	}
	return &p->pin[p->n];
}

int board_pin(struct board_pins *p, struct board_space *s, struct board_mapping *m, uint64_t first, uint64_t n)
{
	uint64_t *pfn = board_need(malloc(n * sizeof(*pfn)));
	struct board_pin *pin = room_for(p, n);
	int err = vmmap_pin(s->map, m->addr + first * VMMAP_PAGE_SIZE, n * VMMAP_PAGE_SIZE, pfn);

	for (uint64_t i = 0; err == 0 && i < n; i++)
		pin[i] = (struct board_pin){ pfn[i], s, m, first + i, 0 };
	p->n += err == 0 ? n : 0;
	free(pfn);
	return err;
}

/* Pins are given back by any map: by one that is made for it, if all are gone. */
static int unpin(struct board *b, uint64_t pfn)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	int err;

	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (b->space[i].map != NULL)
			return vmmap_unpin(b->space[i].map, &pfn, 1);
	config.physmem = b->pm;
	err = vmmap_create(&map, &config);
	if (err != 0)
		return err;
	err = vmmap_unpin(map, &pfn, 1);
	vmmap_destroy(map);
	return err;
}

int board_unpin(struct board *b, struct board_pins *p, uint64_t i)
{
	int err = unpin(b, p->pin[i].pfn);

	if (err == 0)
		memmove(&p->pin[i], &p->pin[i + 1], (--p->n - i) * sizeof(*p->pin));
	return err;
}

void board_pages_go(struct board *b, const struct board_mapping *m, uint64_t first, uint64_t n)
{
	for (unsigned k = 0; k < BOARD_SLOTS; k++)
		for (uint64_t i = 0; i < b->pins[k].n; i++) {
			struct board_pin *pin = &b->pins[k].pin[i];

			if (pin->mapping != m || pin->page - first >= n)
				continue;
			pin->stored = m->stored[pin->page];
			pin->mapping = NULL;
		}
}

bool board_is_pinned(struct board *b, const struct board_mapping *m, uint64_t page)
{
	for (unsigned k = 0; k < BOARD_SLOTS; k++)
		for (uint64_t i = 0; i < b->pins[k].n; i++)
			if (b->pins[k].pin[i].mapping == m && b->pins[k].pin[i].page == page)
				return true;
	return false;
}

/* The page, if it is still there, is in the frame that is pinned. */
static bool is_in_place(const struct board_pin *pin)
{
	struct vmmap_fault_info info;

	return pin->mapping == NULL ||
	       (vmmap_fault(pin->space->map, pin->mapping->addr + pin->page * VMMAP_PAGE_SIZE, PROT_READ, &info) == 0 &&
		info.pfn == pin->pfn);
}

uint64_t board_verify_pins(struct board *b, const struct board_pins *p, FILE *report)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < p->n; i++) {
		const struct board_pin *pin = &p->pin[i];
		uint64_t stored = pin->mapping != NULL ? pin->mapping->stored[pin->page] : pin->stored, is;

		memcpy(&is, physmem_frame_bytes(b->pm, pin->pfn), sizeof(is));
		if (is == stored && is_in_place(pin))
			continue;
		fprintf(report, "%s: frame 0x%" PRIx64 " is not its page's, or has not what was stored there\n",
			p->name, pin->pfn * VMMAP_PAGE_SIZE);
		bad++;
	}
	return bad;
}
