/* SPDX-License-Identifier: MIT */
/* geometry.c - see geometry.h. */
#include "bench/conflicts/geometry.h"


void geometry_open(struct geometry *k, const struct ref *layout, const struct scene *scene, const struct call call[2])
{
	unsigned old = ref_break(layout);

	*k = (struct geometry){ .layout = layout, .scene = scene, .call = call };
	for (unsigned i = 0; i < 2; i++)
		k->pages[i] = call_pages(&call[i], old);
}

/* ---- isomorphism ---- */

/* Has the set-up made the page present, by its last call that names it? */
static bool present(const struct geometry *k, unsigned page)
{
	bool there = false;

	for (unsigned i = 0; i < k->scene->n; i++) {
		const struct call *c = &k->scene->call[i];

		if (c->kind == CALL_ACCESS && page >= c->lo && page < c->hi)
			there = true;
		else if (c->kind != CALL_BRK && c->kind != CALL_MPROTECT && c->form != FORM_DONTDUMP &&
			 page >= c->lo && page < c->hi)
			there = false;
	}
	return there && k->layout->m.page[page].mapped;
}

/* Objects by their first appearance. */
static unsigned object_name(uint32_t seen[CALL_PAGES + 4], uint32_t object)
{
	unsigned i = 0;

	if (!object)
		return 0;
	while (seen[i] && seen[i] != object)
		i++;
	seen[i] = object;
	return i + 1;
}

static uint64_t page_class(const struct geometry *k, unsigned i, uint32_t seen[CALL_PAGES + 4])
{
	const struct model_page *p = &k->layout->m.page[i];
	uint64_t named = (k->pages[0] >> i & 1) | (k->pages[1] >> i & 1) << 1;

	if (!p->mapped)
		return named;
	return named | 4 | (uint64_t)p->prot << 3 | (uint64_t)p->shared << 6 | (uint64_t)p->account << 7 |
	       (uint64_t)p->touched << 8 | (uint64_t)p->copied << 10 | (uint64_t)present(k, i) << 11 |
	       (uint64_t)p->advice << 12 | (uint64_t)object_name(seen, p->object) << 28;
}

/* An argument begins or ends at the border. */
static bool cut(const struct geometry *k, unsigned border)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct call *c = &k->call[i];
		unsigned second = c->kind == CALL_MREMAP ? (unsigned)c->lo + c->n : c->lo;

		if (c->kind == CALL_MMAP_ANY)
			continue;
		if (border == c->lo || border == c->hi || border == second)
			return true;
		if (c->form == FORM_TO && (border == c->to || border == (unsigned)c->to + c->n))
			return true;
	}
	return border == ref_break(k->layout) && (k->call[0].kind == CALL_BRK || k->call[1].kind == CALL_BRK);
}

/* Does the mapping go on over the border, in its object too? */
static bool goes_on(const struct geometry *k, unsigned border)
{
	const struct model_page *a = &k->layout->m.page[border - 1], *b = &k->layout->m.page[border];

	return a->mapped == b->mapped && (!a->mapped || k->layout->m.joined[border]);
}

static uint64_t argument_hash(const struct call *c, uint32_t seen[CALL_PAGES + 4])
{
	uint64_t hash = ref_mix(c->kind, (uint64_t)c->form | (uint64_t)c->prot << 8 | (uint64_t)c->shared << 16 |
					     (uint64_t)c->alias << 24);
	unsigned n = c->kind == CALL_MMAP_ANY || c->kind == CALL_MMAP_WITHIN ? (c->n > 1) + 1u : 0;

	return ref_mix(ref_mix(hash, object_name(seen, c->object)), n);
}

uint64_t geometry_key(const struct geometry *k)
{
	uint32_t named = k->pages[0] | k->pages[1], seen[CALL_PAGES + 4] = { 0 };
	uint64_t hash = 0, last = 0;
	unsigned lo = 0, hi = CALL_PAGES;

	/* two segments beyond the outermost pages that are named: what is met, and its neighbour */
	while (lo < hi && !k->layout->m.page[lo].mapped && !(named >> lo & 1))
		lo++;
	while (hi > lo && !k->layout->m.page[hi - 1].mapped && !(named >> (hi - 1) & 1))
		hi--;
	for (unsigned i = lo, run = 0; i < hi; i++) {
		uint64_t now = page_class(k, i, seen);
		bool fresh = i == lo || now != last || !goes_on(k, i) || cut(k, i);

		run = fresh ? 1 : run + 1;
		if (fresh) {
			hash = ref_mix(hash, now);
			hash = ref_mix(hash, i > lo && goes_on(k, i));
		} else if (run == 2 && (named >> i & 1)) {
			hash = ref_mix(hash, UINT64_C(1) << 60);
		}
		last = now;
	}
	for (unsigned i = 0; i < 2; i++)         /* in this order: objects get their names                         */
		hash = ref_mix(hash, argument_hash(&k->call[i], seen));
	return hash;
}

/* ---- relation and class ---- */

/* The VMAs that a set of pages meets, as the pages of them. */
static uint32_t vmas(const struct geometry *k, uint32_t pages)
{
	uint32_t met = 0;

	for (unsigned i = 0; i < CALL_PAGES; i++) {
		uint64_t lo, hi;

		if (!(pages >> i & 1) || !k->layout->m.page[i].mapped)
			continue;
		model_vma(&k->layout->m, i, &lo, &hi);
		met |= call_bits((unsigned)lo, hi < CALL_PAGES ? (unsigned)hi : CALL_PAGES);
	}
	return met;
}

static uint32_t object_of(const struct call *c)
{
	return c->object == CALL_FILE_A ? OBJECT_A : c->object == CALL_FILE_B ? OBJECT_B : OBJECT_NONE;
}

static uint32_t objects(const struct geometry *k, unsigned call)
{
	uint32_t met = UINT32_C(1) << object_of(&k->call[call]);

	for (unsigned i = 0; i < CALL_PAGES; i++)
		if ((k->pages[call] >> i & 1) && k->layout->m.page[i].mapped)
			met |= UINT32_C(1) << k->layout->m.page[i].object;
	return met & ~(UINT32_C(1) << OBJECT_NONE);
}

enum suite_relation geometry_relation(const struct geometry *k)
{
	uint32_t a = k->pages[0], b = k->pages[1];

	if (a & b)
		return SUITE_SAME_PAGE;
	if (vmas(k, a) & vmas(k, b))
		return SUITE_SAME_VMA;
	if (objects(k, 0) & objects(k, 1))
		return SUITE_SAME_OBJECT;
	if (!a || !b)
		return SUITE_ANYWHERE;
	return (a << 1 | a >> 1) & b ? SUITE_ADJACENT : SUITE_APART;
}

/* Left cut, right cut, hole inside, several VMAs, nothing mapped, and what the first VMA is. */
static uint64_t meets(const struct geometry *k, unsigned call)
{
	const struct model *m = &k->layout->m;
	uint32_t named = k->pages[call];
	unsigned lo = 0, hi = CALL_PAGES, borders = 0, holes = 0, first;

	if (!named)
		return 0;
	while (!(named >> lo & 1))
		lo++;
	while (!(named >> (hi - 1) & 1))
		hi--;
	for (unsigned i = lo; i < hi; i++) {
		holes += (named >> i & 1) && !m->page[i].mapped;
		borders += i > lo && (named >> i & 1) && !m->joined[i];
	}
	for (first = lo; first < hi && !m->page[first].mapped; first++)
		;
	if (first == hi)
		return 1;
	return 2 | (uint64_t)m->joined[lo] << 2 | (uint64_t)(hi < CALL_PAGES && m->joined[hi]) << 3 |
	       (uint64_t)!!holes << 4 | (uint64_t)!!borders << 5 | (uint64_t)m->page[first].shared << 6 |
	       (uint64_t)!!m->page[first].object << 7 | (uint64_t)m->page[first].touched << 8 |
	       (uint64_t)present(k, first) << 10;
}

uint64_t geometry_class(const struct geometry *k)
{
	uint64_t hash = ref_mix(geometry_relation(k), k->call[0].object | (uint64_t)k->call[1].object << 8);

	return ref_mix(ref_mix(hash, meets(k, 0)), meets(k, 1));
}

/* ---- spread ---- */

static bool looks(const struct geometry *k, unsigned call)
{
	const struct call *c = &k->call[call];

	if (c->kind == CALL_LISTING || c->kind == CALL_QUERY)
		return true;
	if (c->kind != CALL_FAULT_READ && c->form != FORM_LOAD)
		return false;
	for (unsigned i = 0; i < CALL_PAGES; i++)
		if ((k->pages[call] >> i & 1) && !(present(k, i) && k->layout->m.page[i].prot))
			return false;
	return true;
}

bool geometry_looks(const struct geometry *k) { return looks(k, 0) && looks(k, 1); }

/* No VMA goes on over the border: other VMAs can be put there. */
static bool hole(const struct geometry *k, unsigned border) { return !k->layout->m.joined[border]; }

/* The border of [lo, hi] nearest to its middle, a hole if there is one. */
static unsigned between(const struct geometry *k, unsigned lo, unsigned hi)
{
	unsigned best = (lo + hi) / 2, distance = CALL_PAGES;

	for (unsigned b = lo; b <= hi; b++) {
		unsigned off = 2 * b > lo + hi ? 2 * b - lo - hi : lo + hi - 2 * b;

		if (hole(k, b) && off < distance) {
			best = b;
			distance = off;
		}
	}
	return best;
}

/* Offsets that count from a region's start do not know of pages inside of it. */
static bool aliased(const struct call *c, unsigned border)
{
	return c->object && c->alias && border > c->lo && border < c->hi;
}

/* What brk adds or takes begins at the page below: the stretch would be part of it, and B's pages right behind A's. */
static bool breaks_at(const struct geometry *k, unsigned call, unsigned border)
{
	const struct call *c = &k->call[call];
	unsigned old = ref_break(k->layout);

	return c->kind == CALL_BRK && border == (c->hi < old ? c->hi : old);
}

bool geometry_stretch(const struct geometry *k, struct stretch *out)
{
	unsigned last = 0, owner = 2;
	bool anywhere = false;

	*out = (struct stretch){ .n = 0 };
	if (k->pages[0] & k->pages[1])
		return false;
	for (unsigned i = 0; i < CALL_PAGES; i++) {
		unsigned now = k->pages[0] >> i & 1 ? 0 : k->pages[1] >> i & 1 ? 1 : 2;

		if (now == 2)
			continue;
		if (owner != 2 && now != owner) {
			if (out->n == REF_STRETCHES - 1)
				return false;
			out->at[out->n++] = (uint8_t)between(k, last + 1, i);
		}
		owner = now;
		last = i;
	}
	for (unsigned i = 0; i < 2; i++)
		anywhere |= k->call[i].kind == CALL_MMAP_ANY || k->call[i].form == FORM_ANYWHERE;
	if (anywhere)
		out->at[out->n++] = CALL_PAGES;
	for (unsigned s = 0; s < out->n; s++) {
		if (breaks_at(k, 0, out->at[s]) || breaks_at(k, 1, out->at[s]))
			return false;
		for (unsigned i = 0; i < k->scene->n; i++)
			if (aliased(&k->scene->call[i], out->at[s]))
				return false;
	}
	return true;
}
