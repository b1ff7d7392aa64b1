/* SPDX-License-Identifier: MIT */
/* op.c - the printed form of calls, results and VMAs: a shrunk program reads like C. */
#include "stress/oracle/op.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

const char *const op_kind_name[KIND_COUNT] = {
	"mmap", "mmap_hint", "mmap_fixed", "mmap_noreplace", "munmap", "mprotect", "mremap_shrink", "mremap_grow",
	"mremap_move", "mremap_dontunmap", "madvise_flag", "madvise_dontneed", "madvise_free", "madvise_willneed",
	"madvise_populate", "brk", "msync", "resize", "mlock", "munlock", "fork", "exit", "read",
	"write",
};

struct flag { int bit; const char *name; };

static const struct flag prots[] = {
	{PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"},
	{PROT_GROWSDOWN, "PROT_GROWSDOWN"}, {PROT_GROWSUP, "PROT_GROWSUP"}, {0, NULL}};
static const struct flag maps[] = {
	{ MAP_SHARED, "MAP_SHARED" }, { MAP_PRIVATE, "MAP_PRIVATE" }, { MAP_ANONYMOUS, "MAP_ANONYMOUS" },
	{ MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE" }, { MAP_FIXED, "MAP_FIXED" },
	{ MAP_NORESERVE, "MAP_NORESERVE" }, { MAP_POPULATE, "MAP_POPULATE" },
	{ MAP_GROWSDOWN, "MAP_GROWSDOWN" }, { MAP_LOCKED, "MAP_LOCKED" }, { 0, NULL },
};
static const struct flag syncs[] = {
	{ MS_ASYNC, "MS_ASYNC" }, { MS_INVALIDATE, "MS_INVALIDATE" }, { MS_SYNC, "MS_SYNC" }, { 0, NULL } };
static const struct flag remaps[] = { { MREMAP_MAYMOVE, "MREMAP_MAYMOVE" }, { MREMAP_FIXED, "MREMAP_FIXED" },
				      { MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP" }, { 0, NULL } };
static const struct flag advices[] = {
	{ MADV_RANDOM, "MADV_RANDOM" }, { MADV_SEQUENTIAL, "MADV_SEQUENTIAL" }, { MADV_WILLNEED, "MADV_WILLNEED" },
	{ MADV_DONTNEED, "MADV_DONTNEED" }, { MADV_FREE, "MADV_FREE" }, { MADV_DONTFORK, "MADV_DONTFORK" },
	{ MADV_DOFORK, "MADV_DOFORK" }, { MADV_MERGEABLE, "MADV_MERGEABLE" }, { MADV_UNMERGEABLE, "MADV_UNMERGEABLE" },
	{ MADV_HUGEPAGE, "MADV_HUGEPAGE" }, { MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE" }, { MADV_DONTDUMP, "MADV_DONTDUMP" },
	{ MADV_DODUMP, "MADV_DODUMP" }, { MADV_WIPEONFORK, "MADV_WIPEONFORK" }, { MADV_KEEPONFORK, "MADV_KEEPONFORK" },
	{ MADV_POPULATE_READ, "MADV_POPULATE_READ" }, { MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE" }, { 0, NULL },
};

static void print_flags(FILE *out, const struct flag *list, int value)
{
	const char *bar = "";

	for (; list->name; list++) {
		if ((value & list->bit) == list->bit) {
			fprintf(out, "%s%s", bar, list->name);
			value &= ~list->bit;
			bar = "|";
		}
	}
	if (value || !*bar)
		fprintf(out, value ? "%s0x%x" : "%s%d", bar, (unsigned)value);
}

static void print_advice(FILE *out, int advice)
{
	for (const struct flag *f = advices; f->name; f++) {
		if (f->bit == advice) {
			fputs(f->name, out);
			return;
		}
	}
	fprintf(out, advice ? "%d" : "MADV_NORMAL", advice);
}

static const char *const files[] = { "-1", "A", "B", "border" };

static void print_mmap(FILE *out, const struct op *op)
{
	fprintf(out, "mmap((void *)%#" PRIx64 ", %#" PRIx64 ", ", op->addr, op->len);
	print_flags(out, prots, op->prot);
	fputs(", ", out);
	print_flags(out, maps, op->flags);
	fprintf(out, ", %s, %#" PRIx64 ");", files[op->object], op->offset);
}

static void print_call(FILE *out, const struct op *op)
{
	switch (op->call) {
	case OP_MMAP:
		print_mmap(out, op);
		break;
	case OP_MUNMAP:
		fprintf(out, "munmap((void *)%#" PRIx64 ", %#" PRIx64 ");", op->addr, op->len);
		break;
	case OP_MPROTECT:
		fprintf(out, "mprotect((void *)%#" PRIx64 ", %#" PRIx64 ", ", op->addr, op->len);
		print_flags(out, prots, op->prot);
		fputs(");", out);
		break;
	case OP_MREMAP:
		fprintf(out, "mremap((void *)%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", ", op->addr, op->len,
			op->new_len);
		print_flags(out, remaps, op->flags);
		fprintf(out, ", (void *)%#" PRIx64 ");", op->new_addr);
		break;
	case OP_MADVISE:
		fprintf(out, "madvise((void *)%#" PRIx64 ", %#" PRIx64 ", ", op->addr, op->len);
		print_advice(out, op->advice);
		fputs(");", out);
		break;
	case OP_BRK:
		fprintf(out, "syscall(SYS_brk, %#" PRIx64 ");", op->addr);
		break;
	case OP_MSYNC:
		fprintf(out, "msync((void *)%#" PRIx64 ", %#" PRIx64 ", ", op->addr, op->len);
		print_flags(out, syncs, op->flags);
		fputs(");", out);
		break;
	case OP_RESIZE:
		fprintf(out, "ftruncate(%s, %#" PRIx64 ");", files[op->object], op->len);
		break;
	case OP_MLOCK:
		fprintf(out, "mlock2((void *)%#" PRIx64 ", %#" PRIx64 ", %d);", op->addr, op->len, op->flags);
		break;
	case OP_MUNLOCK:
		fprintf(out, "munlock((void *)%#" PRIx64 ", %#" PRIx64 ");", op->addr, op->len);
		break;
	case OP_LIMIT:
		fprintf(out, "limit(%" PRIu64 " pages, %" PRIu64 " locked, %" PRIu64 " of a stack, %" PRIu64 " VMAs);",
			op->len, op->new_len, op->new_addr, op->addr);
		break;
	case OP_FORK:
	case OP_EXIT:
		fputs(op->call == OP_FORK ? "fork();" : "_exit(0);", out);
		break;
	case OP_READ:
		fprintf(out, "*(volatile uint64_t *)%#" PRIx64 ";", op->addr);
		break;
	default:
		fprintf(out, "*(volatile uint64_t *)%#" PRIx64 " = %#" PRIx64 ";", op->addr, op->value);
		break;
	}
}

void op_print(FILE *out, const struct op *op)
{
	print_call(out, op);
	if (op->fail)
		fprintf(out, "  /* %s %u refused */", op->fail & 1 ? "allocation" : "need", (op->fail + 1u) / 2);
}

const char *op_result(char *text, int64_t result)
{
	static const char *const faults[] = { "?", "MAPERR", "ACCERR", "BUS" };

	if (result <= OP_FAULT(FAULT_MAPERR) && result >= OP_FAULT(FAULT_BUS))
		snprintf(text, 32, "fault %s", faults[OP_FAULT(0) - result]);
	else if (result < 0 && result > -4096 && strerrorname_np((int)-result))
		snprintf(text, 32, "-%s", strerrorname_np((int)-result));
	else
		snprintf(text, 32, "%#" PRIx64, (uint64_t)result);
	return text;
}

void row_print(FILE *out, const struct row *row)
{
	fprintf(out, "%" PRIx64 "-%" PRIx64 " %c%c%c%c off %#" PRIx64 " object %" PRIu64 " advice %#x%s%s%s\n",
		row->start, row->end, row->prot & PROT_READ ? 'r' : '-', row->prot & PROT_WRITE ? 'w' : '-',
		row->prot & PROT_EXEC ? 'x' : '-', row->shared ? 's' : 'p', row->offset, row->object,
		row->advice, row->noreserve ? " noreserve" : "", row->growsdown ? " growsdown" : "",
		row->locked == 2 ? " locked on fault" : row->locked ? " locked" : "");
}
