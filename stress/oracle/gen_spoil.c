/* SPDX-License-Identifier: MIT */
/* gen_spoil.c - arguments that no call takes; the answer is an errno, and nothing changes. */
#include "stress/oracle/gen.h"

#include <sys/mman.h>

void gen_spoil(struct gen *g, struct op *op)
{
	switch (prng_below(&g->rng, 4)) {
	case 0:
		if (op->call == OP_MMAP && !(op->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
			op->offset = 123;
		else if (op->call != OP_BRK && op->call != OP_MLOCK && op->call != OP_MUNLOCK)
			op->addr += 1 + prng_below(&g->rng, PAGE - 1);
		break;
	case 1:
		if (op->call == OP_MREMAP)
			op->new_len = 0;
		else if (op->call != OP_BRK)
			op->len = 0;
		break;
	case 2:
		if (op->call == OP_MLOCK)
			op->flags = 2;
		else if (op->call == OP_MMAP)
			op->flags &= ~3;
		else if (op->call == OP_MPROTECT)
			op->prot |= 0x100;
		else if (op->call == OP_MSYNC)
			op->flags = !prng_below(&g->rng, 2) ? 8 : MS_SYNC | MS_ASYNC;
		else if (op->call == OP_MREMAP)
			op->flags = MREMAP_FIXED;
		else if (op->call == OP_MADVISE)
			op->advice = 77;
		break;
	default:
		if (op->call == OP_MREMAP)
			op->flags |= 64;
		else if (op->call == OP_MMAP && op->object)
			op->offset = UINT64_C(0x7ffffffffffff000);
		else if (op->call != OP_BRK && op->call != OP_MLOCK && op->call != OP_MUNLOCK)
			op->len = UINT64_MAX - prng_below(&g->rng, 2 * PAGE);
		break;
	}
}
