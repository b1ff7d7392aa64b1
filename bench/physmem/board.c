/* SPDX-License-Identifier: MIT */
/* board.c - see board.h. Over the public calls. */
#include "bench/physmem/board.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/tool/cli.h"
#include "bench/physmem/survey.h"

void *board_need(void *memory)
{
	if (memory == NULL)
		cli_die("give smaller sizes", "not enough memory for this machine's books");
	return memory;
}

/* ---- names ---- */

struct board_segment *board_segment(struct board *b, const char *name)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (strcmp(b->segment[i].name, name) == 0)
			return &b->segment[i];
	return NULL;
}

struct board_group *board_group(struct board *b, const char *name)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (strcmp(b->group[i].name, name) == 0)
			return &b->group[i];
	return NULL;
}

struct board_space *board_space(struct board *b, const char *name)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (strcmp(b->space[i].name, name) == 0)
			return &b->space[i];
	return NULL;
}

struct board_mapping *board_mapping(struct board_space *s, const char *name)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (strcmp(s->mapping[i].name, name) == 0)
			return &s->mapping[i];
	return NULL;
}

bool board_has_name(struct board *b, const char *name)
{
	return board_segment(b, name) != NULL || board_group(b, name) != NULL || board_space(b, name) != NULL ||
	       board_pins(b, name) != NULL;
}

static void set_name(char to[BOARD_NAME], const char *name)
{
	snprintf(to, BOARD_NAME, "%s", name);
}

struct board_segment *board_new_segment(struct board *b, const char *name)
{
	struct board_segment *s = board_segment(b, "");

	if (s != NULL)
		set_name(s->name, name);
	return s;
}

struct board_group *board_new_group(struct board *b, const char *name)
{
	struct board_group *g = board_group(b, "");

	if (g != NULL)
		set_name(g->name, name);
	return g;
}

struct board_space *board_new_space(struct board *b, const char *name)
{
	struct board_space *s = board_space(b, "");

	if (s != NULL)
		set_name(s->name, name);
	return s;
}

struct board_mapping *board_new_mapping(struct board_space *s, const char *name, uint64_t pages)
{
	struct board_mapping *m = board_mapping(s, "");

	if (m == NULL)
		return NULL;
	set_name(m->name, name);
	m->pages = pages;
	m->stored = board_need(calloc(pages, sizeof(*m->stored)));
	return m;
}

void board_drop_mapping(struct board_mapping *m)
{
	free(m->stored);
	memset(m, 0, sizeof(*m));
}

/* ---- life ---- */

int board_open(struct board *b, const struct board_segment *boot, unsigned n)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem_range range[BOARD_SLOTS];
	int err;

	for (unsigned i = 0; i < n; i++)
		range[i] = (struct physmem_range){ boot[i].pfn, boot[i].pages };
	config.segments = range;
	config.nsegments = n;
	config.bytes = b->bytes;
	config.base = b->base;
	config.limit = b->limit;
	err = physmem_create(&b->pm, &config);
	if (err == 0)
		memcpy(b->segment, boot, n * sizeof(*boot));
	return err;
}

static void close_group(struct board *b, struct board_group *g)
{
	for (uint64_t i = 0; i < g->n; i++)
		physmem_run_free(b->pm, &g->run[i]);
	free(g->run);
}

static void close_pins(struct board *b, struct board_pins *p)
{
	while (p->n > 0 && board_unpin(b, p, p->n - 1) == 0)
		;
	free(p->pin);
}

uint64_t board_close(struct board *b)
{
	uint64_t bad = b->pm != NULL ? board_audit(b, stderr) : 0;

	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		close_pins(b, &b->pins[i]);
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		board_space_close(b, &b->space[i]);
		close_group(b, &b->group[i]);
	}
	if (b->pm != NULL) {
		if (b->listener.l.fn != NULL)
			physmem_unlisten(b->pm, &b->listener.l);
		physmem_report_stop(b->pm);
		physmem_balloon_stop(b->pm);
		physmem_destroy(b->pm);
	}
	memset(b, 0, sizeof(*b));
	return bad;
}

int board_space_open(struct board *b, struct board_space *s, const char *policy)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	config.physmem = b->pm;
	config.policy = policy;
	config.placement = VMMAP_TOPDOWN;
	err = vmmap_create(&s->map, &config);
	if (err == 0)
		set_name(s->policy, policy);
	else
		memset(s, 0, sizeof(*s));
	return err;
}

void board_space_close(struct board *b, struct board_space *s)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		board_pages_go(b, &s->mapping[i], 0, s->mapping[i].pages);
		board_drop_mapping(&s->mapping[i]);
	}
	vmmap_destroy(s->map);
	memset(s, 0, sizeof(*s));
}

int board_space_fork(struct board_space *parent, struct board_space *child)
{
	int err = vmmap_fork(&child->map, parent->map);

	if (err != 0) {
		memset(child, 0, sizeof(*child));
		return err;
	}
	set_name(child->policy, parent->policy);
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		const struct board_mapping *from = &parent->mapping[i];
		struct board_mapping *to = &child->mapping[i];
		size_t bytes = from->pages * sizeof(*from->stored);

		*to = *from;
		if (from->stored != NULL)
			to->stored = memcpy(board_need(malloc(bytes)), from->stored, bytes);
	}
	return 0;
}

/* ---- runs ---- */

static uint64_t stamp_of(const struct physmem_run *run) { return run->pfn << 20 | run->generation | 1; }

static void write_run(struct board *b, const struct physmem_run *run)
{
	uint64_t stamp = stamp_of(run);

	for (uint64_t i = 0; b->bytes && i < UINT64_C(1) << run->order; i++)
		memcpy(physmem_frame_bytes(b->pm, run->pfn + i), &stamp, sizeof(stamp));
}

int board_take(struct board *b, struct board_group *g, unsigned order)
{
	int err;

	if (g->n == g->room) {
		g->room = 2 * g->room + 16;
		g->run = board_need(realloc(g->run, g->room * sizeof(*g->run)));
	}
	err = physmem_run_alloc(b->pm, order, &g->run[g->n]);
	if (err == 0)
		write_run(b, &g->run[g->n++]);
	return err;
}

int board_give(struct board *b, struct board_group *g, uint64_t i)
{
	int err = physmem_run_free(b->pm, &g->run[i]);

	if (err == 0)
		memmove(&g->run[i], &g->run[i + 1], (--g->n - i) * sizeof(*g->run));
	return err;
}

/* ---- pages ---- */

int board_store(struct board *b, struct board_space *s, struct board_mapping *m, uint64_t page)
{
	uint64_t stamp = b->stamp + 1;
	ssize_t n = vmmap_write(s->map, m->addr + page * VMMAP_PAGE_SIZE, &stamp, sizeof(stamp));

	if (n < 0)
		return (int)n;
	m->stored[page] = b->stamp = stamp;
	return 0;
}

int board_drop(struct board *b, struct board_space *s, struct board_mapping *m, uint64_t page)
{
	int err = vmmap_madvise(s->map, m->addr + page * VMMAP_PAGE_SIZE, VMMAP_PAGE_SIZE, MADV_DONTNEED);

	if (err == 0) {
		board_pages_go(b, m, page, 1);
		m->stored[page] = 0;
	}
	return err;
}

/* ---- checks ---- */

static uint64_t verify_run(struct board *b, const struct board_group *g, const struct physmem_run *run, FILE *report)
{
	uint64_t bad = 0, is;

	for (uint64_t i = 0; i < UINT64_C(1) << run->order; i++) {
		memcpy(&is, physmem_frame_bytes(b->pm, run->pfn + i), sizeof(is));
		if (is == stamp_of(run))
			continue;
		fprintf(report, "%s: frame 0x%" PRIx64 " has not what was written to it\n", g->name,
			(run->pfn + i) * VMMAP_PAGE_SIZE);
		bad++;
	}
	return bad;
}

static uint64_t verify_mapping(struct board_space *s, const struct board_mapping *m, FILE *report)
{
	uint64_t bad = 0, is;

	for (uint64_t page = 0; page < m->pages; page++) {
		uint64_t addr = m->addr + page * VMMAP_PAGE_SIZE;

		is = 0;
		if (m->stored[page] == BOARD_GONE)
			continue;
		if (vmmap_read(s->map, addr, &is, sizeof(is)) == (ssize_t)sizeof(is) && is == m->stored[page])
			continue;
		fprintf(report, "%s/%s: page %" PRIu64 " has not what was stored to it\n", s->name, m->name, page);
		bad++;
	}
	return bad;
}

uint64_t board_verify(struct board *b, FILE *report)
{
	uint64_t bad = 0;

	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		for (uint64_t k = 0; k < b->group[i].n; k++)
			bad += verify_run(b, &b->group[i], &b->group[i].run[k], report);
		for (unsigned k = 0; b->space[i].map != NULL && k < BOARD_SLOTS; k++)
			if (b->space[i].mapping[k].stored != NULL)
				bad += verify_mapping(&b->space[i], &b->space[i].mapping[k], report);
		bad += board_verify_pins(b, &b->pins[i], report);
	}
	return bad;
}

uint64_t board_audit(struct board *b, FILE *report)
{
	uint64_t bad = survey_audit(b->pm, report);

	for (unsigned i = 0; i < BOARD_SLOTS; i++)
		if (b->space[i].map != NULL)
			bad += vmmap_audit(b->space[i].map, report);
	return bad;
}
