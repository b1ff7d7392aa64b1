/* SPDX-License-Identifier: MIT */
/* ref.c - see ref.h. */
#include "bench/conflicts/ref.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "stress/oracle/model_pages.h"

int ref_open(struct ref *r)
{
	int err = model_init(&r->m, REF_LO, REF_LO + REF_PAGES * PAGE);

	r->m.follow = true;
	if (!err)
		ref_reset(r, NULL);
	return err;
}

void ref_close(struct ref *r) { model_fini(&r->m); }

void ref_reset(struct ref *r, const struct stretch *stretch)
{
	model_reset(&r->m);
	r->stretch = stretch ? *stretch : (struct stretch){ .n = 0 };
	r->filled = r->groups = 0;
	r->history = false;
	memset(r->group, 0, sizeof(r->group));
}

int ref_copy(struct ref *to, const struct ref *from)
{
	to->stretch = from->stretch;
	to->filled = from->filled;
	to->history = from->history;
	to->groups = from->groups;
	memcpy(to->group, from->group, sizeof(to->group));
	return model_copy(&to->m, &from->m);
}

unsigned ref_start(const struct stretch *s, unsigned border)
{
	unsigned before = 0;

	while (before < s->n && s->at[before] <= border)
		before++;
	return border + before * REF_WIDE;
}

unsigned ref_end(const struct stretch *s, unsigned border)
{
	unsigned before = 0;

	while (before < s->n && s->at[before] < border)
		before++;
	return border + before * REF_WIDE;
}

static uint64_t address(const struct ref *r, unsigned index) { return r->m.lo + index * PAGE; }

/* ---- anonymous groups ---- */

/* The VMA has the one group of its pages, or, where it has just got one, a new one. */
static void group_vma(struct ref *r, unsigned lo, unsigned hi)
{
	uint8_t group = 0;

	for (unsigned i = lo; i < hi; i++) {
		r->history |= group && r->group[i] && r->group[i] != group;
		group = r->group[i] ? r->group[i] : group;
	}
	group = group ? group : ++r->groups;
	memset(r->group + lo, group, hi - lo);
}

static void group_all(struct ref *r)
{
	for (unsigned i = 0, hi = 0; i < REF_PAGES; i = hi) {
		if (!r->m.page[i].mapped || !r->m.page[i].touched) {
			r->group[i] = 0;
			hi = i + 1;
			continue;
		}
		for (hi = i + 1; hi < REF_PAGES && r->m.joined[hi]; hi++)
			;
		group_vma(r, i, hi);
	}
}

/* What comes to these pages brings its own. */
static void group_bring(struct ref *r, int64_t result, const uint8_t *groups, uint64_t n)
{
	uint64_t at = ((uint64_t)result - r->m.lo) / PAGE;

	if (result < 0)
		return;
	for (uint64_t i = 0; i < n && at + i < REF_PAGES; i++)
		r->group[at + i] = groups ? groups[i] : 0;
}

/* ---- stretched borders ---- */

static bool one_vma(const struct ref *r, unsigned first)
{
	for (unsigned i = first; i <= first + REF_WIDE; i++)
		if (!r->m.joined[i])
			return false;
	return true;
}

void ref_fill(struct ref *r)
{
	for (unsigned k = 0; k < r->stretch.n; k++) {
		unsigned first = ref_end(&r->stretch, r->stretch.at[k]);
		struct op clear = { .call = OP_MUNMAP, .addr = address(r, first), .len = REF_WIDE * PAGE };
		struct op fill = { .call = OP_MMAP, .object = OBJECT_BORDER, .addr = address(r, first + 1), .len = PAGE,
				   .prot = PROT_NONE, .flags = MAP_SHARED | MAP_FIXED, .offset = k * 2 * PAGE };

		if (one_vma(r, first))
			continue;
		model_run(&r->m, &clear);
		model_run(&r->m, &fill);
		r->filled |= (uint8_t)(1u << k);
	}
	group_all(r);
}

unsigned ref_break(const struct ref *r) { return (unsigned)((r->m.brk - r->m.lo) / PAGE); }

/* ---- calls ---- */

static struct op mapping(const struct ref *r, const struct call *c, unsigned first, unsigned pages)
{
	bool alias = c->alias || c->kind == CALL_MMAP_ANY;       /* an offset is said before a place is chosen      */
	uint64_t offset = alias ? REF_ALIAS + c->lo % CALL_REGION : ref_start(&r->stretch, c->lo);

	return (struct op){
		.call = OP_MMAP,
		.object = c->object == CALL_FILE_A ? OBJECT_A : c->object == CALL_FILE_B ? OBJECT_B : OBJECT_NONE,
		.addr = address(r, first),
		.len = pages * PAGE,
		.prot = c->prot,
		.flags = (c->shared ? MAP_SHARED : MAP_PRIVATE) | (c->object ? 0 : MAP_ANONYMOUS) | MAP_FIXED,
		.offset = c->object ? offset * PAGE : 0,
	};
}

static int64_t run_within(struct ref *r, const struct call *c, unsigned lo, unsigned hi)
{
	for (unsigned at = hi; at >= lo + c->n; at--) {
		struct op op = mapping(r, c, at - c->n, c->n);

		if (pages_free(&r->m, at - c->n, c->n))
			return model_run(&r->m, &op);    /* no page of it has a group                              */
	}
	return -ENOMEM;
}

static int64_t run_mremap(struct ref *r, const struct call *c, unsigned lo, unsigned hi)
{
	unsigned to = ref_start(&r->stretch, c->to);
	uint8_t groups[REF_PAGES] = { 0 };
	int64_t result;
	struct op op = { .call = OP_MREMAP, .addr = address(r, lo), .len = (hi - lo) * PAGE, .new_len = c->n * PAGE };

	if (c->form == FORM_ANYWHERE)
		op.flags = MREMAP_MAYMOVE;
	if (c->form == FORM_TO) {
		op.flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		op.new_addr = address(r, to);
	}
	memcpy(groups, r->group + lo, hi - lo);
	result = model_run(&r->m, &op);
	if (result != (int64_t)op.addr)
		group_bring(r, result, groups, c->n);
	return result;
}

/* A fault makes the page as a load, or as a store of what it has. */
static int64_t run_fault(struct ref *r, unsigned index, bool write)
{
	int64_t got = pages_touch(&r->m, address(r, index), false, 0);

	if (got >= 0 && write)
		got = pages_touch(&r->m, address(r, index), true, (uint64_t)got);
	return got < 0 ? got : 0;
}

/* Page by page, wide ones left out, 8 bytes of the last one; the bytes done, or -EFAULT. */
static int64_t run_access(struct ref *r, const struct call *c, struct answer *out)
{
	for (unsigned i = c->lo; i < c->hi; i++) {
		int64_t got = pages_touch(&r->m, address(r, ref_start(&r->stretch, i)), c->form == FORM_STORE,
					  call_value(c->tag, i));

		if (got < 0)
			return i == c->lo ? -EFAULT : (int64_t)((i - c->lo) * PAGE);
		if (c->form == FORM_LOAD)
			out->value[out->values++] = (uint64_t)got;
	}
	return (int64_t)((c->hi - c->lo - 1u) * PAGE + 8);
}

void ref_rows(const struct ref *r, unsigned lo, unsigned hi, struct answer *out)
{
	struct row row[REF_PAGES];
	unsigned n = model_list(&r->m, row, REF_PAGES);

	for (unsigned i = 0; i < n && out->rows < REF_ROWS; i++) {
		if (row[i].end <= address(r, lo) || row[i].start >= address(r, hi))
			continue;
		if (model_loose(&r->m, row[i].start))
			out->loose |= UINT32_C(1) << out->rows;
		out->row[out->rows++] = row[i];
	}
}

static int64_t run_query(const struct ref *r, unsigned index, struct answer *out)
{
	while (index < REF_PAGES && !r->m.page[index].mapped)
		index++;
	if (index == REF_PAGES)
		return -ENOENT;
	ref_rows(r, index, index + 1, out);
	return 0;
}

static int64_t run_listing(const struct ref *r, unsigned lo, unsigned hi, struct answer *out)
{
	ref_rows(r, lo, hi, out);
	return 0;
}

static int64_t run_brk(struct ref *r, unsigned to)
{
	struct op op = { .call = OP_BRK, .addr = address(r, to) };

	return model_run(&r->m, &op);
}

static bool moved(const struct ref *r, unsigned core, int64_t result)
{
	return result >= (int64_t)address(r, REF_ZONE + (core - 1) * REF_ZONE_PAGES);
}

static void run(struct ref *r, const struct call *c, unsigned core, struct answer *out)
{
	unsigned lo = ref_start(&r->stretch, c->lo), hi = c->hi ? ref_end(&r->stretch, c->hi) : 0;
	unsigned zone = core ? REF_ZONE + (core - 1) * REF_ZONE_PAGES + 1 : 0;
	struct op op = { .addr = address(r, lo), .len = (hi - lo) * PAGE, .prot = c->prot };

	out->placed = out->rows = out->values = 0;
	out->loose = 0;
	r->m.placed = core ? (int64_t)address(r, zone) : -1;
	switch (c->kind) {
	case CALL_MMAP_FIXED: case CALL_MMAP_ANY:
		op = mapping(r, c, c->kind == CALL_MMAP_ANY ? zone : lo, c->kind == CALL_MMAP_ANY ? c->n : hi - lo);
		break;
	case CALL_MMAP_WITHIN: out->result = run_within(r, c, lo, hi); return;
	case CALL_MUNMAP: op.call = OP_MUNMAP; break;
	case CALL_MPROTECT: op.call = OP_MPROTECT; break;
	case CALL_MREMAP:
		out->result = run_mremap(r, c, lo, hi);
		out->placed = c->form == FORM_ANYWHERE && moved(r, core, out->result);
		return;
	case CALL_MADVISE:
		op.call = OP_MADVISE;
		op.advice = c->form == FORM_DONTNEED ? MADV_DONTNEED : MADV_DONTDUMP;
		break;
	case CALL_BRK: out->result = run_brk(r, hi); return;
	case CALL_FAULT_READ: case CALL_FAULT_WRITE:
		out->result = run_fault(r, lo, c->kind == CALL_FAULT_WRITE);
		return;
	case CALL_ACCESS: out->result = run_access(r, c, out); return;
	case CALL_LISTING: out->result = run_listing(r, lo, hi, out); return;
	default: out->result = run_query(r, lo, out); return;
	}
	out->result = model_run(&r->m, &op);
	out->placed = c->kind == CALL_MMAP_ANY && out->result >= 0;
	if (c->kind == CALL_MMAP_FIXED)
		group_bring(r, out->result, NULL, hi - lo);
}

void ref_run(struct ref *r, const struct call *c, unsigned core, struct answer *out)
{
	run(r, c, core, out);
	if (c->kind <= CALL_BRK || c->kind == CALL_FAULT_WRITE || c->form == FORM_STORE)
		group_all(r);
}

/* ---- equality ---- */

static bool same_object(struct rename *objects, uint64_t x, uint64_t y)
{
	if (x < OBJECT_FILES || y < OBJECT_FILES)
		return x == y;
	if (x - OBJECT_FILES >= sizeof(objects->to) / sizeof(*objects->to))
		return false;
	if (!objects->to[x - OBJECT_FILES])
		objects->to[x - OBJECT_FILES] = (uint32_t)y;
	return objects->to[x - OBJECT_FILES] == y;
}

static bool same_page(const struct ref *x, const struct ref *y, unsigned i, struct rename *objects)
{
	const struct model_page *a = &x->m.page[i], *b = &y->m.page[i];

	if (a->mapped != b->mapped || !a->mapped)
		return a->mapped == b->mapped;
	return a->prot == b->prot && a->shared == b->shared && a->noreserve == b->noreserve &&
	       a->growsdown == b->growsdown && a->account == b->account && a->touched == b->touched &&
	       a->lazy == b->lazy && a->locked == b->locked && a->advice == b->advice && a->off == b->off &&
	       (a->copied == b->copied || !a->object) && same_object(objects, a->object, b->object) &&
	       pages_content(&x->m, a) == pages_content(&y->m, b) && x->m.joined[i] == y->m.joined[i];
}

static bool same_file(const struct ref *x, const struct ref *y, uint32_t object)
{
	const struct model_object *a = &x->m.object[object], *b = &y->m.object[object];

	for (uint64_t i = 0; (a->value || b->value) && i < OBJECT_PAGES; i++)
		if (model_object_value(&x->m, object, i) != model_object_value(&y->m, object, i))
			return false;
	return true;
}

bool ref_same(const struct ref *x, const struct ref *y, struct rename *objects)
{
	for (unsigned i = 0; i < REF_PAGES; i++)
		if (!same_page(x, y, i, objects))
			return false;
	return x->m.brk == y->m.brk && same_file(x, y, OBJECT_A) && same_file(x, y, OBJECT_B);
}

static bool same_row(const struct row *x, const struct row *y, struct rename *objects)
{
	return x->start == y->start && x->end == y->end && x->offset == y->offset && x->prot == y->prot &&
	       x->shared == y->shared && x->noreserve == y->noreserve && x->locked == y->locked &&
	       x->advice == y->advice && x->growsdown == y->growsdown && same_object(objects, x->object, y->object);
}

bool ref_same_answer(const struct answer *x, const struct answer *y, struct rename *objects)
{
	if (x->result != y->result || x->placed != y->placed || x->rows != y->rows || x->values != y->values)
		return false;
	for (unsigned i = 0; i < x->rows; i++)
		if (!same_row(&x->row[i], &y->row[i], objects))
			return false;
	return !memcmp(x->value, y->value, x->values * sizeof(*x->value));
}

int ref_commute(const struct ref *from, const struct call call[2], struct ref spare[2], struct answer answer[2])
{
	struct rename objects = { { 0 } };
	struct answer late[2];

	if (ref_copy(&spare[0], from) || ref_copy(&spare[1], from))
		return -ENOMEM;
	ref_run(&spare[0], &call[0], 1, &answer[0]);
	ref_run(&spare[1], &call[1], 2, &late[1]);
	ref_run(&spare[0], &call[1], 2, &answer[1]);
	ref_run(&spare[1], &call[0], 1, &late[0]);
	if (spare[0].history || spare[1].history)
		return 0;
	return ref_same_answer(&answer[0], &late[0], &objects) && ref_same_answer(&answer[1], &late[1], &objects) &&
	       ref_same(&spare[0], &spare[1], &objects);
}
