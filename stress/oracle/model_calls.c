/* SPDX-License-Identifier: MIT */
/* model_calls.c - each function is one call, in the order in which Linux 6.18 checks and acts. See model.h. */
#include <errno.h>
#include <sys/mman.h>
#include <vmmap/vmmap.h>
#include "stress/oracle/model_pages.h"

#define TASK_SIZE ((UINT64_C(1) << 47) - PAGE)
#define ALIGN(len) (((len) + PAGE - 1) & ~(PAGE - 1))

static bool private_anon(const struct model_page *p) { return !p->object; }

static int64_t do_mmap(struct model *m, const struct op *op)
{
	uint64_t len = ALIGN(op->len), n = len / PAGE, lo;
	bool shared = (op->flags & 3) == MAP_SHARED, anon = !op->object && !shared;
	struct model_page new = { .mapped = 1, .prot = op->prot & 7, .shared = shared, .object = op->object,
				  .off = op->offset / PAGE, .noreserve = !!(op->flags & MAP_NORESERVE),
				  .growsdown = !!(op->flags & MAP_GROWSDOWN), .locked = !!(op->flags & MAP_LOCKED) };
	int64_t i = -1;

	if (op->offset % PAGE || !op->len)
		return -EINVAL;
	if (!len || len > TASK_SIZE || ((op->flags & MAP_FIXED) && op->addr > TASK_SIZE - len))
		return -ENOMEM;
	if (op->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (op->addr % PAGE)
			return -EINVAL;
		i = (int64_t)((op->addr - m->lo) / PAGE);
		if ((op->flags & MAP_FIXED_NOREPLACE) && !pages_free(m, (uint64_t)i, n))
			return -EEXIST;
	} else {
		if (op->addr && pages_clear(m, (op->addr - m->lo) / PAGE, n))
			i = (int64_t)((op->addr - m->lo) / PAGE);
		else
			i = pages_place(m, n, anon && !op->addr, 0);
		if (i < 0)
			return -ENOMEM;
	}
	if (new.locked && !pages_lockable(m, 0, 0, n))
		return -EAGAIN;
	if (op->object && op->offset / PAGE > (UINT64_C(1) << 51) - 1 - n)
		return -EOVERFLOW;
	if (!(op->flags & 3) || (new.growsdown && !anon))
		return -EINVAL;
	lo = (uint64_t)i;
	if (!pages_room(m, lo, lo + n, n))
		return -ENOMEM;
	new.account = !shared && !new.noreserve && (op->prot & PROT_WRITE);
	if (anon)
		new.off = m->lo / PAGE + lo;
	else if (!op->object)
		new.object = pages_object(m, n), new.off = 0;
	for (uint64_t k = lo; k < lo + n; k++, new.off++)
		pages_put(m, k, &new);
	pages_rejoin(m, lo, lo + n, true);
	if (new.locked)
		pages_lock_in(m, lo, lo + n);
	else if ((op->flags & MAP_POPULATE) && !shared && (op->prot & PROT_WRITE)) {
		for (uint64_t k = lo; k < lo + n; k++)
			pages_fill(m, k);
	}
	return (int64_t)(m->lo + lo * PAGE);
}

static int64_t do_munmap(struct model *m, const struct op *op)
{
	if (op->addr % PAGE || op->addr > TASK_SIZE || op->len > TASK_SIZE - op->addr || !ALIGN(op->len))
		return -EINVAL;
	pages_unmap(m, (op->addr - m->lo) / PAGE, (op->addr + ALIGN(op->len) - m->lo) / PAGE);
	return 0;
}

static int64_t do_mprotect(struct model *m, const struct op *op)
{
	uint64_t end = op->addr + ALIGN(op->len), lo = (op->addr - m->lo) / PAGE, i = lo, hi;
	int grows = op->prot & (PROT_GROWSDOWN | PROT_GROWSUP), prot = op->prot & ~grows;

	if (op->addr % PAGE || grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!op->len)
		return 0;
	if (end <= op->addr)
		return -ENOMEM;
	if (prot & ~7)
		return -EINVAL;
	if (grows == PROT_GROWSDOWN) {           /* from the start of the first VMA that the range meets           */
		while (m->lo + i * PAGE < end && i < m->pages && !m->page[i].mapped)
			i++;
		if (m->lo + i * PAGE >= end || i == m->pages)
			return -ENOMEM;
		if (!m->page[i].growsdown)
			return -EINVAL;
		model_vma(m, i, &lo, &hi);
		i = lo;
	}
	if (grows == PROT_GROWSUP && m->page[i].mapped)
		return -EINVAL;
	for (; m->lo + i * PAGE < end && m->page[i].mapped; i++) {
		struct model_page *p = &m->page[i];

		if (p->prot == prot)
			continue;
		if (prot & PROT_WRITE)
			p->account |= !(p->prot & PROT_WRITE) && !p->shared && !p->noreserve;
		else if (private_anon(p) && !p->touched)
			p->account = 0;
		p->prot = (uint8_t)prot;
	}
	pages_rejoin(m, lo, i, false);
	for (uint64_t k = lo; k < i && op->prot & PROT_WRITE; k++)
		if (!m->page[k].shared)          /* locked private memory is copied at once                        */
			pages_lock_in(m, k, k + 1);
	return m->lo + i * PAGE < end ? -ENOMEM : 0;
}

/* Moves what lies in n pages at `from`, inside one VMA, to new_n >= n pages at `to`, which are free. */
static void move(struct model *m, uint64_t from, uint64_t n, uint64_t to, uint64_t new_n, bool keep)
{
	struct model_page p = m->page[from];
	bool rebase = private_anon(&p) && !p.touched;

	for (uint64_t k = 0; k < new_n; k++) {
		uint64_t off = p.off + 1;

		if (k < n)
			p = m->page[from + k];
		else
			p.copied = p.lazy = 0, p.off = off;
		if (rebase)
			p.off = m->lo / PAGE + to + k;
		pages_put(m, to + k, &p);
		if (k < n && keep) {
			m->page[from + k].copied = m->page[from + k].lazy = m->page[from + k].locked = 0;
			if (m->page[from + k].touched)
				m->page[from + k].touched = 2;
		}
	}
	pages_rejoin(m, to, to + new_n, true);
	if (keep)
		pages_rejoin(m, from, from + n, false);
	else
		pages_unmap(m, from, from + n);
}

static int64_t move_fixed(struct model *m, const struct op *op, uint64_t n, uint64_t new_n)
{
	uint64_t from = (op->addr - m->lo) / PAGE, to = (op->new_addr - m->lo) / PAGE, lo, hi, i = from;
	bool many = n == new_n;                  /* a pure move may span VMAs and holes, but not start with one    */

	if (!m->page[from].mapped)
		return -EFAULT;
	model_vma(m, from, &lo, &hi);
	if (!many && from + (new_n < n ? new_n : n) > hi)
		return -EFAULT;
	if (new_n > n && m->page[from].locked && !pages_lockable(m, 0, 0, new_n - n))
		return -EAGAIN;
	if (new_n > n && !pages_room(m, 0, 0, new_n - n))
		return -ENOMEM;
	if (!many) {
		pages_unmap(m, to, to + new_n);
		if (new_n < n)
			pages_unmap(m, from + new_n, from + n);
		move(m, from, new_n < n ? new_n : n, to, new_n, false);
		if (new_n > n)
			pages_lock_in(m, to + n, to + new_n);
		return (int64_t)op->new_addr;
	}
	while (i < from + n) {
		if (m->page[i].mapped) {
			model_vma(m, i, &lo, &hi);
			hi = hi < from + n ? hi : from + n;
			pages_unmap(m, to + i - from, to + hi - from);
			move(m, i, hi - i, to + i - from, hi - i, op->flags & MREMAP_DONTUNMAP);
			i = hi;
		} else {
			i++;
		}
	}
	return (int64_t)op->new_addr;
}

static int64_t do_mremap(struct model *m, const struct op *op)
{
	uint64_t len = ALIGN(op->len), new_len = ALIGN(op->new_len), n = len / PAGE, new_n = new_len / PAGE;
	uint64_t from = (op->addr - m->lo) / PAGE, lo, hi;
	bool keep = op->flags & MREMAP_DONTUNMAP, there = (op->flags & MREMAP_FIXED) || keep;
	int64_t to;

	if ((op->flags & ~7) || op->addr % PAGE || !new_len || new_len > TASK_SIZE)
		return -EINVAL;
	if (there && (op->new_addr > TASK_SIZE - new_len || op->new_addr % PAGE || !(op->flags & MREMAP_MAYMOVE) ||
		      (keep && n != new_n) || (op->new_addr + new_len > op->addr && op->addr + len > op->new_addr)))
		return -EINVAL;
	if (op->flags & MREMAP_FIXED)
		return move_fixed(m, op, n, new_n);
	if (!m->page[from].mapped)
		return -EFAULT;
	model_vma(m, from, &lo, &hi);
	if (!there && new_n <= n) {
		pages_unmap(m, from + new_n, from + n);
		return (int64_t)op->addr;
	}
	if (!n && !m->page[from].shared)
		return -EINVAL;
	if (n > hi - from)
		return -EFAULT;
	if (new_n > n && m->page[from].locked && !pages_lockable(m, 0, 0, new_n - n))
		return -EAGAIN;
	if ((new_n > n || keep) && !pages_room(m, 0, 0, keep ? n : new_n - n))
		return -ENOMEM;
	if (!there && from + n == hi && pages_free(m, hi, new_n - n)) {
		struct model_page p = m->page[hi - 1];

		for (p.copied = p.lazy = 0, p.off++; hi < from + new_n; hi++, p.off++)
			pages_put(m, hi, &p);
		pages_rejoin(m, from + n, from + new_n, true);
		pages_lock_in(m, from + n, from + new_n);
		return (int64_t)op->addr;
	}
	if (!(op->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (keep && op->new_addr && pages_clear(m, (op->new_addr - m->lo) / PAGE, new_n))
		to = (int64_t)((op->new_addr - m->lo) / PAGE);
	else
		to = pages_place(m, new_n, private_anon(&m->page[from]) && !(keep && op->new_addr), m->page[from].off);
	if (to < 0)
		return -ENOMEM;
	move(m, from, n, (uint64_t)to, new_n, keep);
	pages_lock_in(m, (uint64_t)to + n, (uint64_t)to + new_n);
	return (int64_t)(m->lo + (uint64_t)to * PAGE);
}

static int advise_bits(int advice, unsigned *set, unsigned *clear)
{
	static const struct { int advice; unsigned set, clear;
	} list[] = {
		{MADV_NORMAL, 0, VMMAP_SEQUENTIAL | VMMAP_RANDOM},
		{MADV_RANDOM, VMMAP_RANDOM, VMMAP_SEQUENTIAL},
		{MADV_SEQUENTIAL, VMMAP_SEQUENTIAL, VMMAP_RANDOM},
		{MADV_DONTFORK, VMMAP_DONTFORK, 0},
		{MADV_DOFORK, 0, VMMAP_DONTFORK},
		{MADV_DONTDUMP, VMMAP_DONTDUMP, 0},
		{MADV_DODUMP, 0, VMMAP_DONTDUMP},
		{MADV_WIPEONFORK, VMMAP_WIPEONFORK, 0},
		{MADV_KEEPONFORK, 0, VMMAP_WIPEONFORK},
		{MADV_HUGEPAGE, VMMAP_HUGEPAGE, VMMAP_NOHUGEPAGE},
		{MADV_NOHUGEPAGE, VMMAP_NOHUGEPAGE, VMMAP_HUGEPAGE},
		{MADV_MERGEABLE, VMMAP_MERGEABLE, 0},
		{MADV_UNMERGEABLE, 0, VMMAP_MERGEABLE},
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(*list); i++) {
		if (list[i].advice == advice) {
			*set = list[i].set;
			*clear = list[i].clear;
			return 0;
		}
	}
	*set = *clear = 0;
	return advice == MADV_WILLNEED || advice == MADV_DONTNEED || advice == MADV_FREE ? 0 : -EINVAL;
}

static int64_t populate(struct model *m, uint64_t lo, uint64_t hi, bool write)
{
	for (uint64_t i = lo; i < hi; i++) {
		struct model_page *p = &m->page[i];

		if (!p->mapped)
			return -ENOMEM;
		if (!(p->prot & (write ? PROT_WRITE : PROT_READ)))
			return -EINVAL;
		if (pages_content(m, p) == OP_FAULT(FAULT_BUS)) {
			pages_touch(m, m->lo + i * PAGE, write, 0);
			return -EFAULT;
		}
		if (write && !p->shared)
			pages_fill(m, i);
	}
	return 0;
}

/* One page's share of an advice; -errno ends the call. */
static int64_t advise(const struct model *m, struct model_page *p, int advice, unsigned set, unsigned clear)
{
	if (p->locked && (advice == MADV_DONTNEED || advice == MADV_FREE))
		return -EINVAL;
	if ((advice == MADV_WIPEONFORK || advice == MADV_FREE) && !private_anon(p))
		return -EINVAL;
	if (advice == MADV_WILLNEED && private_anon(p) && m->willneed_ebadf)
		return -EBADF;
	if (advice == MADV_DONTNEED && !p->shared)
		p->copied = p->lazy = 0;
	if (advice == MADV_FREE)
		p->lazy = p->copied;
	if (advice != MADV_MERGEABLE || !p->shared)
		p->advice = (uint16_t)((p->advice & ~clear) | set);
	return 0;
}

static int64_t do_madvise(struct model *m, const struct op *op)
{
	uint64_t end = op->addr + ALIGN(op->len), lo = (op->addr - m->lo) / PAGE, i = lo;
	bool fill = op->advice == MADV_POPULATE_READ || op->advice == MADV_POPULATE_WRITE;
	unsigned set = 0, clear = 0;
	int64_t err = fill ? 0 : advise_bits(op->advice, &set, &clear), hole = 0;

	if (err || op->addr % PAGE || (op->len && !ALIGN(op->len)) || end < op->addr)
		return -EINVAL;
	if (fill)
		return populate(m, lo, (end - m->lo) / PAGE, op->advice == MADV_POPULATE_WRITE);
	for (; m->lo + i * PAGE < end && !err; i++) {
		if (m->page[i].mapped)
			err = advise(m, &m->page[i], op->advice, set, clear);
		else
			hole = -ENOMEM;
	}
	pages_rejoin(m, lo, i, false);
	return err ? err : hole;
}

static int64_t do_brk(struct model *m, const struct op *op)
{
	uint64_t old = (ALIGN(m->brk) - m->lo) / PAGE, new = (ALIGN(op->addr) - m->lo) / PAGE;
	struct model_page p = { .mapped = 1, .prot = PROT_READ | PROT_WRITE, .account = 1, .off = m->lo / PAGE + old };
	uint64_t i = new;

	if (op->addr < m->brk_start || op->addr > m->hi)
		return (int64_t)m->brk;
	if (new < old) {
		while (i < old && !m->page[i].mapped)
			i++;
		if (i == old)                    /* nothing there to give back                                     */
			return (int64_t)m->brk;
		pages_unmap(m, new, old);
	} else if (new > old) {
		/* one page beyond must be free, too, and no guard gap                                         */
		if (!pages_free(m, old, new + 1 - old) || !pages_clear(m, new, 1))
			return (int64_t)m->brk;
		if (!pages_room(m, 0, 0, new - old))
			return (int64_t)m->brk;
		for (i = old; i < new; i++, p.off++)
			pages_put(m, i, &p);
		pages_rejoin(m, old, new, true);
	}
	m->brk = op->addr;
	return (int64_t)m->brk;
}

static int64_t do_msync(const struct model *m, const struct op *op)
{
	uint64_t end = op->addr + ALIGN(op->len);
	int64_t hole = 0;

	if (op->flags & ~7 || op->addr % PAGE || (op->flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < op->addr)
		return -ENOMEM;
	for (uint64_t at = op->addr; at < end; at += PAGE) {
		const struct model_page *p = at < m->hi ? &m->page[(at - m->lo) / PAGE] : NULL;

		if (!p || !p->mapped)
			hole = -ENOMEM;
		if (hole && (!p || op->flags == MS_ASYNC))
			return hole;
		if (p->mapped && p->locked && op->flags & MS_INVALIDATE)
			return -EBUSY;
	}
	return hole;
}

/* What is cut off goes for good, private copies as well. */
static int64_t do_resize(struct model *m, const struct op *op)
{
	struct model_object *o = &m->object[op->object];
	uint64_t pages = ALIGN(op->len) / PAGE;

	for (uint64_t i = pages; o->value && i < o->pages; i++)
		o->value[i] = 0;
	o->pages = pages;
	pages_cut(m, op->object, pages);
	return 0;
}

static int64_t do_mlock(struct model *m, const struct op *op, uint8_t locked)
{
	uint64_t in = op->addr % PAGE, start = op->addr - in, len = ALIGN(op->len + in), end = start + len;
	uint64_t lo = (start - m->lo) / PAGE, i = lo, hi = end > m->hi || end < start ? m->pages : (end - m->lo) / PAGE;

	if (locked && (op->flags & ~MLOCK_ONFAULT))
		return -EINVAL;
	if (locked && !pages_lockable(m, lo, hi, len / PAGE))
		return -ENOMEM;
	if (end < start)
		return -EINVAL;
	for (; i < hi && m->page[i].mapped; i++)
		m->page[i].locked = locked;
	pages_rejoin(m, lo, i, false);
	if (m->lo + i * PAGE < end)
		return -ENOMEM;
	return pages_lock_in(m, lo, hi);
}

int64_t model_run(struct model *m, const struct op *op)
{
	switch (op->call) {
	case OP_MMAP: return do_mmap(m, op);
	case OP_MUNMAP: return do_munmap(m, op);
	case OP_MPROTECT: return do_mprotect(m, op);
	case OP_MREMAP: return do_mremap(m, op);
	case OP_MADVISE: return do_madvise(m, op);
	case OP_BRK: return do_brk(m, op);
	case OP_MSYNC: return do_msync(m, op);
	case OP_RESIZE: return do_resize(m, op);
	case OP_MLOCK: return do_mlock(m, op, op->flags & MLOCK_ONFAULT ? 2 : 1);
	case OP_MUNLOCK: return do_mlock(m, op, 0);
	case OP_FORK: return pages_fork(m);
	case OP_EXIT: return pages_exit(m);
	case OP_LIMIT:
		m->limit_as = op->len;
		m->limit_locked = op->new_len;
		m->limit_stack = op->new_addr;
		return 0;
	default: return pages_touch(m, op->addr, op->call == OP_WRITE, op->value);
	}
}
