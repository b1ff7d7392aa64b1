/* SPDX-License-Identifier: MIT */
/* placed.c - see placed.h. */
#include "bench/conflicts/placed.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

const char *const placement_name[PLACEMENTS] = { "packed", "spread" };

struct view { const struct stretch *stretch; uint64_t distance; };

/* Address of the page with this index in the model; inside of a stretched border: its hole, its filler, its hole. */
static uint64_t address(const struct view *v, unsigned index)
{
	uint64_t addr = PLACED_BASE, half = v->distance / 2 & ~(PAGE - 1);
	unsigned page = index;

	for (unsigned k = 0; k < v->stretch->n; k++) {
		unsigned first = ref_end(v->stretch, v->stretch->at[k]);

		if (index < first)
			break;
		if (index < first + REF_WIDE) {
			uint64_t inside[REF_WIDE] = { 0, half, half + 2 * PLACED_FILLERS * PAGE };

			return addr + v->stretch->at[k] * PAGE + inside[index - first];
		}
		addr += v->distance;
		page -= REF_WIDE;
	}
	return addr + page * PAGE;
}

static uint64_t start(const struct view *v, unsigned border) { return address(v, ref_start(v->stretch, border)); }

/* Not where the next page begins: that may be a stretched border away. */
static uint64_t end(const struct view *v, unsigned border) { return address(v, ref_end(v->stretch, border)); }

/* ---- calls ---- */

static void place_mapping(const struct call *c, struct step *s)
{
	s->prot = c->prot;
	s->object = c->object;
	s->flags = (c->shared ? MAP_SHARED : MAP_PRIVATE) | (c->object ? 0 : MAP_ANONYMOUS);
	if (c->object && (c->alias || c->kind == CALL_MMAP_ANY))
		s->offset = PLACED_ALIAS + c->lo % CALL_REGION * PAGE;
	else if (c->object)
		s->offset = s->addr - PLACED_BASE;
	if (c->kind == CALL_MMAP_FIXED)
		s->flags |= MAP_FIXED;
	if (c->kind == CALL_MMAP_ANY) {
		s->addr = 0;
		s->len = c->n * PAGE;
	}
	s->new_len = c->n * PAGE;
}

static void place_call(const struct view *v, const struct call *c, struct step *s)
{
	*s = (struct step){ .kind = c->kind, .form = c->form, .tag = c->tag, .page = c->lo, .prot = c->prot };
	s->addr = start(v, c->lo);
	s->len = c->hi > c->lo ? end(v, c->hi) - s->addr : 0;
	switch (c->kind) {
	case CALL_MMAP_FIXED: case CALL_MMAP_ANY: case CALL_MMAP_WITHIN:
		place_mapping(c, s);
		break;
	case CALL_MREMAP:
		s->new_len = c->n * PAGE;
		s->flags = c->form >= FORM_ANYWHERE ? MREMAP_MAYMOVE : 0;
		if (c->form == FORM_TO) {
			s->flags |= MREMAP_FIXED;
			s->new_addr = start(v, c->to);
		}
		break;
	case CALL_MADVISE:
		s->advice = c->form == FORM_DONTNEED ? MADV_DONTNEED : MADV_DONTDUMP;
		break;
	case CALL_BRK:
		s->addr = end(v, c->hi);
		s->len = 0;
		break;
	case CALL_ACCESS:
		s->len -= PAGE - 8;
		break;
	default:
		break;
	}
}

/* An access of the set-up leaves stretched borders out: one step for each run of pages. */
static void place_setup(const struct view *v, const struct call *c, struct placed *p)
{
	struct call part = *c;

	for (unsigned k = 0; c->kind == CALL_ACCESS && k < v->stretch->n; k++) {
		if (v->stretch->at[k] <= part.lo || v->stretch->at[k] >= c->hi)
			continue;
		part.hi = v->stretch->at[k];
		place_call(v, &part, &p->setup[p->setups++]);
		part.lo = part.hi;
		part.hi = c->hi;
	}
	place_call(v, &part, &p->setup[p->setups++]);
}

/* ---- answers ---- */

static unsigned index_of(uint64_t model_addr) { return (unsigned)((model_addr - REF_LO) / PAGE); }

static void place_offset(const struct view *v, struct row *row)
{
	uint64_t page = row->offset / PAGE;

	if (row->object != OBJECT_A && row->object != OBJECT_B)
		return;
	row->offset = page >= REF_ALIAS ? PLACED_ALIAS + (page - REF_ALIAS) * PAGE
					: address(v, (unsigned)page) - PLACED_BASE;
}

static void place_row(const struct view *v, const struct row *from, struct row *row)
{
	*row = *from;
	row->start = address(v, index_of(from->start));
	row->end = address(v, index_of(from->end));
	if (from->object == OBJECT_BORDER) {     /* the first filler                                               */
		row->end = row->start + PAGE;
		row->object = row->offset = row->shared = 0;
	}
	place_offset(v, row);
}

static bool is_address(const struct step *s)
{
	return s->kind == CALL_MMAP_FIXED || s->kind == CALL_MMAP_WITHIN || s->kind == CALL_MREMAP ||
	       s->kind == CALL_BRK;
}

static void place_answer(const struct view *v, const struct step *s, struct answer *a)
{
	if (a->result >= 0 && !a->placed && is_address(s))
		a->result = (int64_t)address(v, index_of((uint64_t)a->result));
	for (unsigned i = 0; i < a->rows; i++)
		place_row(v, &a->row[i], &a->row[i]);
}

/* ---- the map at the end ---- */

/* Fillers are the runner's: no rows of the test. */
static void place_map(const struct view *v, const struct ref *after, struct placed *p)
{
	struct answer list = { .rows = 0 };

	ref_rows(after, 0, ref_start(v->stretch, CALL_PAGES), &list);
	for (unsigned i = 0; i < list.rows; i++) {
		if (list.row[i].object == OBJECT_BORDER)
			continue;
		place_row(v, &list.row[i], &p->map.row[p->map.rows]);
		p->map.loose |= (list.loose >> i & 1) << p->map.rows;
		p->map.rows++;
	}
}

static void place_zone(const struct view *v, const struct ref *after, unsigned which, struct placed_rows *out)
{
	unsigned zone = REF_ZONE + which * REF_ZONE_PAGES;
	struct answer list = { .rows = 0 };

	ref_rows(after, zone, zone + REF_ZONE_PAGES, &list);
	for (unsigned i = 0; i < list.rows; i++) {
		out->row[i] = list.row[i];
		out->row[i].start -= REF_LO + (zone + 1) * PAGE;
		out->row[i].end -= REF_LO + (zone + 1) * PAGE;
		place_offset(v, &out->row[i]);
	}
	out->rows = list.rows;
	out->loose = list.loose;
}

static void place_words(const struct view *v, struct ref *after, struct placed *p)
{
	for (unsigned i = 0; i < CALL_PAGES; i++) {
		struct call load = { .kind = CALL_ACCESS, .form = FORM_LOAD, .lo = (uint8_t)i, .hi = (uint8_t)(i + 1) };
		struct answer answer;

		ref_run(after, &load, 0, &answer);
		if (answer.values)
			p->word[p->words++] = (struct placed_word){ start(v, i), answer.value[0] };
	}
}

static int place_after(const struct view *v, const struct test *t, struct ref ref[3], struct placed *p)
{
	int commutes;

	if (!scene_run(&ref[0], &t->scene, v->stretch))
		return -EINVAL;
	ref_fill(&ref[0]);
	for (unsigned k = 0; k < v->stretch->n; k++) {
		unsigned first = ref_end(v->stretch, v->stretch->at[k]);

		if (!(ref[0].filled >> k & 1))
			continue;
		p->filler[p->fillers].addr = address(v, first);
		p->filler[p->fillers].len = v->distance;
		p->filler[p->fillers++].row = address(v, first + 1);
	}
	commutes = ref_commute(&ref[0], t->call, &ref[1], p->answer);
	if (commutes <= 0)
		return commutes ? commutes : -EINVAL;
	for (unsigned i = 0; i < 2; i++) {
		place_answer(v, &p->call[i], &p->answer[i]);
		place_zone(v, &ref[1], i, &p->zone[i]);
	}
	p->brk = address(v, ref_break(&ref[1]));
	place_map(v, &ref[1], p);
	place_words(v, &ref[1], p);
	return 0;
}

int placed_make(struct placed *out, const struct test *t, enum placement placement, uint64_t distance)
{
	static const struct stretch none = { .n = 0 };
	struct view v = { placement == PLACED_SPREAD ? &t->stretch : &none, distance };
	struct ref ref[3];
	int err = 0;

	if ((placement == PLACED_SPREAD && !t->spread) || distance > PLACED_MOST ||
	    distance < 8 * PLACED_FILLERS * PAGE || distance % PAGE)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < t->scene.n; i++)
		place_setup(&v, &t->scene.call[i], out);
	for (unsigned i = 0; i < 2; i++)
		place_call(&v, &t->call[i], &out->call[i]);
	out->lo = PLACED_BASE;
	out->hi = address(&v, ref_start(v.stretch, CALL_PAGES));
	out->offsets = !v.stretch->n;
	for (unsigned i = 0; i < 3; i++)
		err |= ref_open(&ref[i]);
	err = err ? -ENOMEM : place_after(&v, t, ref, out);
	for (unsigned i = 0; i < 3; i++)
		ref_close(&ref[i]);
	return err;
}

/* ---- text ---- */

static void print_step(FILE *out, const struct step *s)
{
	static const char *const file[] = { "NULL", "A", "B" };

	fprintf(out, "%s%s%s(%#" PRIx64 ", %#" PRIx64, call_kind_name[s->kind], s->form ? "." : "",
		call_form_name(s->form), s->addr, s->len);
	if (s->kind == CALL_MREMAP)
		fprintf(out, ", %#" PRIx64 ", %#" PRIx64, s->new_len, s->new_addr);
	if (s->kind == CALL_MMAP_WITHIN)
		fprintf(out, ", %#" PRIx64, s->new_len);
	if (s->kind <= CALL_MMAP_WITHIN)
		fprintf(out, ", flags %#x, object %s, offset %#" PRIx64, (unsigned)s->flags, file[s->object],
			s->offset);
	if (s->kind <= CALL_MMAP_WITHIN || s->kind == CALL_MPROTECT)
		fprintf(out, ", prot %d", s->prot);
	fputs(")\n", out);
}

void placed_print(FILE *out, const struct placed *p)
{
	for (unsigned i = 0; i < p->setups; i++) {
		fputs("  set-up  ", out);
		print_step(out, &p->setup[i]);
	}
	for (unsigned i = 0; i < p->fillers; i++)
		fprintf(out, "  fillers %u at %#" PRIx64 "\n", PLACED_FILLERS, p->filler[i].row);
	for (unsigned i = 0; i < 2; i++) {
		fprintf(out, "  call %c  ", "AB"[i]);
		print_step(out, &p->call[i]);
	}
}
