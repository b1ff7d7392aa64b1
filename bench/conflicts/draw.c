/* SPDX-License-Identifier: MIT */
/* draw.c - see draw.h. */
#include "bench/conflicts/draw.h"

#include <sys/mman.h>
#include "bench/conflicts/scene.h"

static unsigned below(struct draw *d, unsigned n) { return (unsigned)prng_below(&d->rng, n); }
static unsigned first_page(const struct draw *d) { return d->heap ? 0 : CALL_HEAP; }

/* A page, three times out of four a mapped one (if there is any). */
static unsigned page(struct draw *d)
{
	unsigned at = first_page(d) + below(d, CALL_PAGES - first_page(d)), start = at;

	if (!below(d, 4))
		return at;
	do {
		if (d->layout->m.page[at].mapped)
			return at;
		at = at + 1 < CALL_PAGES ? at + 1 : first_page(d);
	} while (at != start);
	return at;
}

/* Lengths 1 to most, short ones more often; it lies around a page of page(). */
static void range(struct draw *d, struct call *c, unsigned most)
{
	unsigned n = 1 + below(d, 1 + below(d, most)), at = page(d), back = below(d, n), lo = first_page(d);

	lo = at >= lo + back ? at - back : lo;
	lo = lo + n <= CALL_PAGES ? lo : CALL_PAGES - n;
	c->lo = (uint8_t)lo;
	c->hi = (uint8_t)(lo + n);
}

static void back(struct draw *d, struct call *c)
{
	static const uint8_t weighted[] = { 0, 0, 0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7 };
	struct call made;

	scene_backing(weighted[below(d, sizeof(weighted))], &made);
	c->prot = made.prot;
	c->shared = made.shared;
	c->object = made.object;
	c->alias = made.alias;
}

static bool protect(struct draw *d, struct call *c)
{
	static const uint8_t prots[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE };

	range(d, c, 5);
	c->prot = prots[below(d, sizeof(prots))];
	return true;
}

/* A range inside one VMA; to its end, where `end`. */
static bool inside(struct draw *d, struct call *c, bool end)
{
	unsigned at = page(d);
	uint64_t lo, hi;

	if (!d->layout->m.page[at].mapped)
		return false;
	model_vma(&d->layout->m, at, &lo, &hi);
	hi = hi < CALL_PAGES ? hi : CALL_PAGES;
	c->hi = (uint8_t)(end ? hi : at + 1 + below(d, (unsigned)hi - at));
	c->lo = (uint8_t)(lo + below(d, c->hi - (unsigned)lo));
	return true;
}

static bool remap(struct draw *d, struct call *c)
{
	unsigned n;

	c->form = (uint8_t)(FORM_SHRINK + below(d, 4));
	if (c->form == FORM_SHRINK)
		range(d, c, 4);
	else if (!inside(d, c, c->form == FORM_GROW && below(d, 8)))
		return false;
	n = c->hi - c->lo;
	switch (c->form) {
	case FORM_SHRINK:
		if (n < 2)
			return false;
		c->n = (uint8_t)(1 + below(d, n - 1));
		return true;
	case FORM_GROW: case FORM_ANYWHERE:
		c->n = (uint8_t)(n + 1 + below(d, 2));
		return (unsigned)c->lo + c->n <= CALL_PAGES;
	default:
		c->n = (uint8_t)(below(d, 3) ? n : 1 + below(d, n + 1));
		if (first_page(d) + c->n > CALL_PAGES)
			return false;
		c->to = (uint8_t)(first_page(d) + below(d, CALL_PAGES - first_page(d) - c->n + 1));
		return c->to + c->n <= c->lo || c->hi <= c->to;
	}
}

static bool move_break(struct draw *d, struct call *c)
{
	unsigned now = ref_break(d->layout);

	c->hi = (uint8_t)below(d, CALL_HEAP + 1);
	c->form = c->hi > now ? FORM_GROW : FORM_SHRINK;
	return c->hi != now;
}

bool draw_call(struct draw *d, unsigned kind, unsigned core, struct call *out)
{
	struct call *c = out;

	*c = (struct call){ .kind = (uint8_t)kind };
	switch (kind) {
	case CALL_MMAP_ANY:
		back(d, c);
		c->n = (uint8_t)(1 + below(d, 4));
		c->lo = CALL_HEAP;
		c->hi = CALL_HEAP;
		return true;
	case CALL_MMAP_FIXED:
		back(d, c);
		range(d, c, 4);
		return true;
	case CALL_MMAP_WITHIN:
		back(d, c);
		range(d, c, 5);
		c->n = (uint8_t)(1 + below(d, c->hi - (unsigned)c->lo));
		return true;
	case CALL_MPROTECT: return protect(d, c);
	case CALL_MREMAP: return remap(d, c);
	case CALL_MADVISE:
		c->form = below(d, 2) ? FORM_DONTNEED : FORM_DONTDUMP;
		range(d, c, 5);
		return true;
	case CALL_BRK: return move_break(d, c);
	case CALL_FAULT_READ: case CALL_FAULT_WRITE: case CALL_QUERY:
		c->lo = (uint8_t)page(d);
		c->hi = c->lo + 1;
		return true;
	case CALL_ACCESS:
		c->form = below(d, 2) ? FORM_LOAD : FORM_STORE;
		c->tag = c->form == FORM_STORE ? (uint8_t)(0x90 + 16 * core) : 0;
		range(d, c, 3);
		return true;
	default:
		range(d, c, 6);
		return true;
	}
}
