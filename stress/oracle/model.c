/* SPDX-License-Identifier: MIT */
/* model.c - pages: what is one VMA, what is free, what a load sees; listing. See model.h. */
#include "stress/oracle/model_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGES  512u
#define GUARD_PAGES 256u                         /* below a stack: nothing is placed there                         */

/* Linux's merge rule, without anonymous groups. */
static bool same(const struct model_page *a, const struct model_page *b)
{
	return a->mapped && b->mapped && a->prot == b->prot && a->shared == b->shared && a->noreserve == b->noreserve &&
	       a->growsdown == b->growsdown && a->account == b->account && a->advice == b->advice &&
	       a->locked == b->locked && a->object == b->object && b->off == a->off + 1;
}

static void touch_vma(struct model *m, uint64_t i, uint8_t touched)
{
	uint64_t lo, hi;

	model_vma(m, i, &lo, &hi);
	for (i = lo; i < hi; i++)
		m->page[i].touched = touched;
}

void pages_piece(struct model *m, uint64_t i)
{
	uint64_t lo, hi;

	model_vma(m, i, &lo, &hi);
	for (i = lo; i < hi; i++)
		m->page[i].pieced = 1;
}

/* After a change of [lo, hi): which neighbours are one VMA now. fresh: what is inside is new, not merged. */
void pages_rejoin(struct model *m, uint64_t lo, uint64_t hi, bool fresh)
{
	for (uint64_t i = lo ? lo : 1; i <= hi && i < m->pages; i++) {
		const struct model_page *a = &m->page[i - 1], *b = &m->page[i];
		bool was = m->joined[i], now = same(a, b);

		m->splits += was && !now && (a->mapped || b->mapped);
		m->merges += !was && now && (!fresh || i == lo || i == hi);
		m->joined[i] = now;
		if (now && a->touched != b->touched)
			touch_vma(m, i, a->touched == 1 || b->touched == 1 ? 1 : 2);
		if (now && a->pieced != b->pieced)
			pages_piece(m, i);
	}
}

void pages_put(struct model *m, uint64_t i, const struct model_page *value)
{
	struct model_page old = m->page[i];

	if (value) {
		m->page[i] = *value;
		m->object[value->object].mapped++;
		m->used++;
	} else {
		m->page[i].mapped = m->page[i].touched = m->page[i].pieced = 0;
	}
	if (!old.mapped)
		return;
	m->used--;
	if (!--m->object[old.object].mapped && old.object >= OBJECT_FILES) {
		free(m->object[old.object].value);
		m->object[old.object].value = NULL;
	}
}

void pages_unmap(struct model *m, uint64_t lo, uint64_t hi)
{
	for (uint64_t i = lo; i < hi; i++)
		pages_put(m, i, NULL);
	pages_rejoin(m, lo, hi, true);
}

bool pages_free(const struct model *m, uint64_t i, uint64_t n)
{
	if (i > m->pages || n > m->pages - i)
		return false;
	while (n && !m->page[i].mapped)
		i++, n--;
	return !n;
}

static uint64_t next_mapped(const struct model *m, uint64_t i)
{
	while (i < m->pages && !m->page[i].mapped)
		i++;
	return i;
}

/* Where the guard gap of the stack next above begins, if it reaches below `end`; else `end`. */
static uint64_t guard_from(const struct model *m, uint64_t end)
{
	uint64_t stack = next_mapped(m, end);

	if (stack == m->pages || !m->page[stack].growsdown || stack - end >= GUARD_PAGES)
		return end;
	return stack > GUARD_PAGES ? stack - GUARD_PAGES : 0;
}

bool pages_clear(const struct model *m, uint64_t i, uint64_t n)
{
	return pages_free(m, i, n) && guard_from(m, i + n) == i + n;
}

bool pages_room(const struct model *m, uint64_t lo, uint64_t hi, uint64_t n)
{
	uint64_t go = 0;

	for (uint64_t i = lo; i < hi; i++)
		go += m->page[i].mapped;
	return !m->limit_as || m->used + n <= m->limit_as + go;
}

bool pages_lockable(const struct model *m, uint64_t lo, uint64_t hi, uint64_t n)
{
	uint64_t locked = 0;

	for (uint64_t i = 0; m->limit_locked && i < m->pages; i++)
		locked += m->page[i].mapped && m->page[i].locked && !(i >= lo && i < hi);
	return !m->limit_locked || locked + n <= m->limit_locked;
}

void pages_fill(struct model *m, uint64_t i)
{
	uint8_t lazy = m->page[i].lazy;

	pages_touch(m, m->lo + i * PAGE, true, (uint64_t)pages_content(m, &m->page[i]));
	m->page[i].lazy = lazy;                  /* what MADV_FREE may have dropped is still old, or zero          */
}

int64_t pages_lock_in(struct model *m, uint64_t lo, uint64_t hi)
{
	for (uint64_t i = lo; i < hi; i++) {
		const struct model_page *p = &m->page[i];

		if (!p->mapped || p->locked != 1)
			continue;
		if (!p->prot || pages_content(m, p) == OP_FAULT(FAULT_BUS))
			return -ENOMEM;
		if (!p->shared && p->prot & PROT_WRITE)
			pages_fill(m, i);
	}
	return 0;
}

/* The highest place for n pages, -1: none. */
static int64_t topdown(const struct model *m, uint64_t n)
{
	uint64_t run = 0;

	for (uint64_t i = m->pages; i-- > 0;) {
		run = m->page[i].mapped ? 0 : run + 1;
		if (run < n)
			continue;
		if (guard_from(m, i + n) == i + n)
			return (int64_t)i;
		i = guard_from(m, i + n);        /* goes on below it */
		run = 0;
	}
	return -1;
}

/* Where n pages go when nobody says. Private anonymous memory of whole huge pages is placed for huge pages, in step
 * with its page offset (mmap: 0). */
int64_t pages_place(const struct model *m, uint64_t n, bool anon, uint64_t off)
{
	uint64_t up = (off + HUGE_PAGES - 1) / HUGE_PAGES * HUGE_PAGES, base = m->lo / PAGE;
	int64_t i;

	if (m->follow && m->placed >= 0)
		return pages_clear(m, ((uint64_t)m->placed - m->lo) / PAGE, n)
			       ? (m->placed - (int64_t)m->lo) / (int64_t)PAGE
			       : -1;
	if (!m->follow && anon && n % HUGE_PAGES == 0 && off + n >= up + HUGE_PAGES) {
		i = topdown(m, n + HUGE_PAGES);
		if (i >= 0) {
			uint64_t sub = (off - base - (uint64_t)i) % HUGE_PAGES;

			return i + (int64_t)(sub ? sub : HUGE_PAGES);
		}
	}
	return topdown(m, n);
}

uint32_t pages_object(struct model *m, uint64_t pages)
{
	if (m->objects == m->object_room) {
		m->object_room *= 2;
		m->object = realloc(m->object, m->object_room * sizeof(*m->object));
	}
	m->object[m->objects] = (struct model_object){ .pages = pages };
	return m->objects++;
}

uint64_t model_object_value(const struct model *m, uint32_t object, uint64_t page)
{
	const struct model_object *o = &m->object[object];

	return o->value && page < o->pages ? o->value[page] : 0;        /* beyond its end: never stored to */
}

/* What a load sees, or a fault's code as a negative number. */
int64_t pages_content(const struct model *m, const struct model_page *p)
{
	if (p->copied)
		return (int64_t)p->value;
	if (!p->object)
		return 0;
	if (p->off >= m->object[p->object].pages)
		return OP_FAULT(FAULT_BUS);
	return (int64_t)model_object_value(m, p->object, p->off);
}

/* A touch of page i, which is not mapped: the stack next above is extended, if the rules allow it. */
static bool grow(struct model *m, uint64_t i)
{
	uint64_t stack = next_mapped(m, i), below = i, lo, hi;
	struct model_page p;

	while (below && !m->page[below - 1].mapped)
		below--;
	if (stack == m->pages || !m->page[stack].growsdown || m->page[stack].off < stack - i)
		return false;
	if (below && m->page[below - 1].prot && !m->page[below - 1].growsdown && i - below < GUARD_PAGES)
		return false;
	model_vma(m, stack, &lo, &hi);
	if (m->limit_stack && hi - i > m->limit_stack)
		return false;
	if (!pages_room(m, 0, 0, stack - i) || (m->page[stack].locked && !pages_lockable(m, 0, 0, stack - i)))
		return false;
	touch_vma(m, stack, 1);                  /* growth makes the group */
	p = m->page[stack];
	p.copied = p.lazy = 0;
	p.off -= stack - i;
	for (uint64_t k = i; k < stack; k++, p.off++)
		pages_put(m, k, &p);
	pages_rejoin(m, i, stack, true);
	return true;
}

int64_t pages_touch(struct model *m, uint64_t addr, bool write, uint64_t value)
{
	uint64_t i = (addr - m->lo) / PAGE;
	struct model_page *p = &m->page[i];
	int64_t now;

	if (!p->mapped && !grow(m, i))
		return OP_FAULT(FAULT_MAPERR);
	now = pages_content(m, p);
	if (write ? !(p->prot & PROT_WRITE) : !p->prot)  /* x86: what may be accessed at all may be read              */
		return OP_FAULT(FAULT_ACCERR);
	if (write && now == OP_FAULT(FAULT_BUS) && !p->shared)
		touch_vma(m, i, 1);              /* Linux makes the group, and asks the object then                */
	if (!write || now == OP_FAULT(FAULT_BUS))
		return now;
	if (p->shared) {
		struct model_object *o = &m->object[p->object];

		if (!o->value)
			o->value = calloc(p->object < OBJECT_FILES ? OBJECT_PAGES : o->pages, sizeof(*o->value));
		o->value[p->off] = value;
		return 0;
	}
	p->copied = 1;
	p->lazy = 0;
	p->value = value;
	touch_vma(m, i, 1);
	return 0;
}

void model_vma(const struct model *m, uint64_t i, uint64_t *lo, uint64_t *hi)
{
	for (*lo = i; *lo && m->joined[*lo]; --*lo)
		;
	for (*hi = i + 1; *hi < m->pages && m->joined[*hi]; ++*hi)
		;
}

unsigned model_list(const struct model *m, struct row *rows, unsigned room)
{
	unsigned n = 0;

	for (uint64_t i = 0, lo, hi; i < m->pages; i = hi) {
		const struct model_page *p = &m->page[i];

		model_vma(m, i, &lo, &hi);
		if (!p->mapped)
			continue;
		if (n < room)
			rows[n] = (struct row){
				m->lo + lo * PAGE, m->lo + hi * PAGE, p->object ? p->off * PAGE : 0,
				p->object,         p->prot,           p->shared,
				p->noreserve,      p->locked,         p->advice,         p->growsdown,
				p->touched || p->pieced};
		n++;
	}
	return n;
}

bool model_loose(const struct model *m, uint64_t border)
{
	uint64_t i = (border - m->lo) / PAGE;

	return i && i < m->pages && (m->page[i].touched || m->page[i - 1].touched);
}

void model_reset(struct model *m)
{
	pages_forget_forks(m);
	for (uint32_t i = 0; i < m->objects; i++)
		free(m->object[i].value);
	memset(m->object, 0, m->object_room * sizeof(*m->object));
	m->object[OBJECT_A].pages = m->object[OBJECT_B].pages = OBJECT_PAGES;
	m->objects = OBJECT_FILES;
	memset(m->page, 0, m->pages * sizeof(*m->page));
	memset(m->joined, 0, m->pages);
	m->used = m->limit_as = m->limit_locked = m->limit_stack = 0;
	m->brk_start = m->brk = m->lo;
}

static int copy_object(struct model_object *to, const struct model_object *from, uint64_t room)
{
	*to = *from;
	if (!from->value)
		return 0;
	to->value = malloc(room * sizeof(*to->value));
	if (!to->value)
		return -ENOMEM;
	memcpy(to->value, from->value, room * sizeof(*to->value));
	return 0;
}

int model_copy(struct model *to, const struct model *from)
{
	struct model own;
	int err = 0;

	model_reset(to);
	if (to->object_room < from->objects) {
		struct model_object *more = realloc(to->object, from->object_room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		to->object = more;
		to->object_room = from->object_room;
		memset(to->object, 0, to->object_room * sizeof(*to->object));
	}
	for (to->objects = 0; to->objects < from->objects && !err; to->objects++) {
		const struct model_object *o = &from->object[to->objects];

		err = copy_object(&to->object[to->objects], o, to->objects < OBJECT_FILES ? OBJECT_PAGES : o->pages);
	}
	if (err)
		return err;
	own = *to;
	*to = *from;
	to->page = memcpy(own.page, from->page, from->pages * sizeof(*own.page));
	to->joined = memcpy(own.joined, from->joined, from->pages);
	to->object = own.object;
	to->object_room = own.object_room;
	return 0;
}

int model_init(struct model *m, uint64_t lo, uint64_t hi)
{
	*m = (struct model){ .lo = lo, .hi = hi, .pages = (hi - lo) / PAGE, .object_room = 64 };
	m->page = calloc(m->pages, sizeof(*m->page));
	m->joined = calloc(m->pages, 1);
	m->object = calloc(m->object_room, sizeof(*m->object));
	if (!m->page || !m->joined || !m->object)
		return -ENOMEM;
	model_reset(m);
	return 0;
}

void model_fini(struct model *m)
{
	pages_forget_forks(m);
	for (uint32_t i = 0; m->object && i < m->objects; i++)
		free(m->object[i].value);
	free(m->page);
	free(m->joined);
	free(m->object);
}
