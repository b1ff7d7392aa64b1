/* SPDX-License-Identifier: MIT */
/*
 * model_fork.c - the model of a fork: what the child gets (madvise(2), mlock(2), fork(2)), and the way back.
 *
 * The model is one address space at a time: a fork puts the parent's pages aside, the end of the child takes them out
 * again. Objects, sizes and what was stored to them are everybody's, and live while one of the parents maps them.
 */
#include "stress/oracle/model_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vmmap/vmmap.h>

void pages_forget_forks(struct model *m)
{
	while (m->forks) {
		free(m->fork[--m->forks].page);
		free(m->fork[m->forks].joined);
	}
}

/* Without what is not for children; nothing is locked. */
static void make_child(struct model *m)
{
	for (uint64_t i = 0; i < m->pages; i++) {
		struct model_page *p = &m->page[i];

		if (!p->mapped)
			continue;
		m->object[p->object].mapped++;
		p->locked = 0;
		if (p->advice & VMMAP_WIPEONFORK)
			p->copied = p->lazy = p->touched = 0;
		if (p->advice & VMMAP_DONTFORK)
			pages_put(m, i, NULL);
	}
}

/* What only mlock had kept apart is one VMA by the rules, but Linux's fork does not look. */
static void join_child(struct model *m)
{
	const uint8_t *was = m->fork[m->forks - 1].joined;

	pages_rejoin(m, 0, m->pages, true);
	for (uint64_t i = 1; i < m->pages; i++)
		if (m->joined[i] && !was[i])
			pages_piece(m, i);
}

int64_t pages_fork(struct model *m)
{
	struct model_fork *f = &m->fork[m->forks];

	if (m->forks == OP_FORKS)
		return -EAGAIN;
	f->page = malloc(m->pages * sizeof(*f->page));
	f->joined = malloc(m->pages);
	if (!f->page || !f->joined) {
		free(f->page);
		free(f->joined);
		return -ENOMEM;
	}
	memcpy(f->page, m->page, m->pages * sizeof(*f->page));
	memcpy(f->joined, m->joined, m->pages);
	f->used = m->used;
	f->brk = m->brk;
	m->forks++;
	make_child(m);
	join_child(m);
	return 0;
}

int64_t pages_exit(struct model *m)
{
	const struct model_fork *f = &m->fork[m->forks - 1];

	if (!m->forks)
		return -ECHILD;
	for (uint64_t i = 0; i < m->pages; i++)
		pages_put(m, i, NULL);
	memcpy(m->page, f->page, m->pages * sizeof(*f->page));
	memcpy(m->joined, f->joined, m->pages);
	m->used = f->used;
	m->brk = f->brk;
	free(f->page);
	free(f->joined);
	m->forks--;
	return 0;
}

static void cut(struct model_page *page, uint64_t n, uint32_t object, uint64_t pages)
{
	for (struct model_page *p = page; p < page + n; p++)
		if (p->mapped && p->object == object && p->off >= pages)
			p->copied = p->lazy = 0;
}

void pages_cut(struct model *m, uint32_t object, uint64_t pages)
{
	cut(m->page, m->pages, object, pages);
	for (unsigned i = 0; i < m->forks; i++)
		cut(m->fork[i].page, m->pages, object, pages);
}
