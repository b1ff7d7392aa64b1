/* SPDX-License-Identifier: MIT */
/* gen_allow.c - what the generator leaves out: see gen.h, and kernel.h for what an older kernel lacks. */
#include "stress/oracle/gen.h"

#include <sys/mman.h>
#include <vmmap/vmmap.h>
#include "stress/oracle/kernel.h"

/* Would it touch private memory, or have an effect that this kernel does not have? */
static bool allowed(const struct gen *g, const struct op *op)
{
	const struct model *m = g->m;
	uint64_t i = (op->addr - m->lo) / PAGE, n = (op->len + PAGE - 1) / PAGE;
	bool write = op->call == OP_WRITE || (op->call == OP_MADVISE && op->advice == MADV_POPULATE_WRITE);

	if (op->call == OP_READ || op->call == OP_WRITE)
		n = 1;
	else if (op->call != OP_MADVISE && op->call != OP_MREMAP)
		return true;
	for (uint64_t k = i; k < i + n && k < m->pages; k++) {
		const struct model_page *p = &m->page[k];

		if (!p->mapped)
			continue;
		if (op->call == OP_MREMAP) {
			if (p->touched == 2 || p->pieced)        /* where a move makes it lie is history, too      */
				return false;
			/* whether written memory is one VMA or two is history: only pure moves do not care          */
			if (p->touched && n > 1 && !((op->flags & MREMAP_FIXED) && op->len == op->new_len))
				return false;
			if ((g->lack & LACK_MANY_MOVE) && k > i && !m->joined[k])
				return false;
			continue;
		}
		if (op->advice == MADV_WILLNEED && (g->lack & LACK_WILLNEED) && !p->object)
			return false;
		if (!gen_writes(g) && write && !p->shared && (p->prot & PROT_WRITE))
			return false;
		/* in a batch the model runs ahead, and cannot be told whether the contents have gone by now */
		if (g->forks && op->advice == MADV_FREE && p->copied)
			return false;
		/* a read of a huge page's memory is a write to the anonymous group */
		if (!g->private_writes && (p->advice & VMMAP_HUGEPAGE) && !p->shared &&
		    (op->call == OP_READ || op->advice == MADV_POPULATE_READ))
			return false;
	}
	return true;
}

/* Faults in private memory as a write does, where it is locked or about to be. Also what Linux does to locked memory
 * and we do not (docs/semantics.md): DONTUNMAP; and a destination that is cut or cleared for a call that fails. */
static bool allowed_locked(const struct gen *g, const struct op *op)
{
	const struct model *m = g->m;
	uint64_t i = (op->addr - m->lo) / PAGE, n = (op->len + PAGE - 1) / PAGE;
	bool grows = op->call == OP_MREMAP && op->new_len > op->len, keep = op->flags & MREMAP_DONTUNMAP;

	if (op->call == OP_MMAP && op->flags & MAP_FIXED && m->limit_as && m->used + n > m->limit_as)
		return false;
	if (op->call == OP_MMAP)
		return !(op->flags & MAP_LOCKED) || g->private_writes || (op->flags & 3) == MAP_SHARED ||
		       !(op->prot & PROT_WRITE);
	if (op->call == OP_MREMAP && keep && m->limit_as && m->used + n > m->limit_as)
		return false;
	if (op->call != OP_MLOCK && op->call != OP_MPROTECT && op->call != OP_MREMAP)
		return true;
	if (op->call == OP_MPROTECT && op->prot & PROT_GROWSDOWN && m->page[i].pieced)
		return false;                            /* which is history                                       */
	if (op->call == OP_MPROTECT && op->prot & PROT_GROWSDOWN)
		while (i && m->joined[i])                /* from the start of the VMA                              */
			i--, n++;
	for (uint64_t k = i; k < i + n + 1 && k < m->pages; k++) {
		const struct model_page *p = &m->page[k];
		bool writes = p->mapped && !p->shared && (p->prot & PROT_WRITE || p->advice & VMMAP_HUGEPAGE);

		if (op->call == OP_MREMAP && keep && p->mapped && p->locked)
			return false;
		if (g->private_writes || !p->mapped || p->shared)
			continue;
		if (op->call == OP_MLOCK && !(op->flags & MLOCK_ONFAULT) && writes)
			return false;
		if (op->call == OP_MPROTECT && op->prot & PROT_WRITE && p->locked == 1)
			return false;
		if (grows && p->locked == 1 && writes)
			return false;
	}
	return true;
}

bool gen_allows(const struct gen *g, const struct op *op)
{
	return allowed(g, op) && allowed_locked(g, op);
}
