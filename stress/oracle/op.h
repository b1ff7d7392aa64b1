/* SPDX-License-Identifier: MIT */
/*
 * op.h - one call of a random program, as data: the model, the running kernel and the engine all execute it.
 *
 * Addresses are absolute and concrete, so a program is replayed, cut down and printed without its generator.
 * A result is what the call returns, or -errno. A touch (OP_READ, OP_WRITE) loads or stores the first 8 bytes of a
 * page: its result is the value read, 0 for a store, or OP_FAULT(code) with the signal's code.
 */
#ifndef STRESS_ORACLE_OP_H
#define STRESS_ORACLE_OP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PAGE UINT64_C(4096)

enum op_call {
	OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MREMAP, OP_MADVISE, OP_BRK, OP_MSYNC, OP_RESIZE, OP_MLOCK, OP_MUNLOCK,
	OP_READ, OP_WRITE,
	OP_LIMIT,                                /* on an empty region: from here on so much more, see below       */
	OP_FORK, OP_EXIT,                        /* what follows meets the child; it ends, the parent goes on      */
};
#define OP_FORKS 8u                              /* children of children: -EAGAIN beyond                           */

/* What the statistics call a kind: a call with a purpose. The touches come last: they sample contents, and are not
 * counted as calls. */
enum op_kind {
	KIND_MMAP_ANY, KIND_MMAP_HINT, KIND_MMAP_FIXED, KIND_MMAP_NOREPLACE, KIND_MUNMAP, KIND_MPROTECT,
	KIND_MREMAP_SHRINK, KIND_MREMAP_GROW, KIND_MREMAP_MOVE, KIND_MREMAP_DONTUNMAP, KIND_MADVISE_FLAG,
	KIND_MADVISE_DONTNEED, KIND_MADVISE_FREE, KIND_MADVISE_WILLNEED, KIND_MADVISE_POPULATE, KIND_BRK,
	KIND_MSYNC, KIND_RESIZE, KIND_MLOCK, KIND_MUNLOCK, KIND_FORK, KIND_EXIT,
	KIND_CALLS, KIND_READ = KIND_CALLS, KIND_WRITE, KIND_COUNT
};

enum {
	OBJECT_NONE,
	OBJECT_A,
	OBJECT_B,
	OBJECT_BORDER,
	OBJECT_FILES
};                                               /* memfds; from OBJECT_FILES on: shared anonymous */
#define OBJECT_PAGES 1024u                       /* A and B have no more; mappings may reach beyond: BUS            */

struct op {
	uint8_t call, kind, object;              /* object: OBJECT_NONE, OBJECT_A, OBJECT_B; OP_RESIZE: len bytes  */
	uint8_t fail;                            /* odd: allocation (fail + 1) / 2 fails; even: need fail / 2; 0: - */
	int32_t prot, flags, advice;
	uint64_t addr, len, new_len, new_addr;   /* len: mremap's old length. OP_LIMIT: len pages of address space,
	                                            new_len locked, new_addr of a stack, addr VMAs; 0: no limit    */
	uint64_t offset, value;                  /* value: what OP_WRITE stores                                    */
};

enum { FAULT_MAPERR = 1, FAULT_ACCERR, FAULT_BUS };
#define OP_FAULT(code) (-(INT64_C(100000) + (code)))

/* One VMA as a party lists it. What a party cannot tell is left 0 in all (op_row_same's `deep`). */
struct row {
	uint64_t start, end, offset, object;     /* object: that party's own number, 0 = private anonymous         */
	uint8_t prot, shared, noreserve, locked;
	uint16_t advice;                         /* enum vmmap_advice_bits                                         */
	uint8_t growsdown;
	uint8_t loose;                           /* the model's: is it one VMA, and ends here? History knows        */
};

extern const char *const op_kind_name[KIND_COUNT];
/* Prints the op as a line of C, ` = result` as its comment where result is not NULL. */
void op_print(FILE *out, const struct op *op);
/* "0x10000000", "-ENOMEM", "fault ACCERR" into text[32]. */
const char *op_result(char *text, int64_t result);
void row_print(FILE *out, const struct row *row);

#endif
