/* SPDX-License-Identifier: MIT */
/* call.c - names, pages and the printed form of calls. See call.h. */
#include "bench/conflicts/call.h"

#include <sys/mman.h>

const char *const call_kind_name[CALL_KINDS] = {
	"mmap_fixed", "mmap_any", "mmap_within", "munmap", "mprotect", "mremap", "madvise", "brk", "fault_read",
	"fault_write", "access", "listing", "query",
};

static const char *const form_name[CALL_FORMS] = {
	"", "shrink", "grow", "anywhere", "to", "dontneed", "dontdump", "load", "store",
};

const char *call_form_name(uint8_t form) { return form_name[form]; }

uint32_t call_pages(const struct call *c, unsigned old)
{
	unsigned n = (unsigned)(c->hi - c->lo), most = c->n > n ? c->n : n;

	switch (c->kind) {
	case CALL_MMAP_ANY:
		return 0;
	case CALL_BRK:
		return c->hi < old ? call_bits(c->hi, old) : c->hi > old ? call_bits(old, c->hi + 1u) : 0;
	case CALL_MREMAP:
		if (c->form == FORM_TO)
			return call_bits(c->lo, c->hi) | call_bits(c->to, (unsigned)c->to + c->n);
		return call_bits(c->lo, c->lo + most < CALL_PAGES ? c->lo + most : CALL_PAGES);
	default:
		return call_bits(c->lo, c->hi);
	}
}

static void print_prot(FILE *out, uint8_t prot)
{
	fprintf(out, "%s", prot == (PROT_READ | PROT_WRITE) ? "rw" : prot == PROT_READ ? "r" : prot ? "?" : "none");
}

static void print_backing(FILE *out, const struct call *c)
{
	static const char *const object[] = { "anonymous", "file A", "file B" };

	fprintf(out, " ");
	print_prot(out, c->prot);
	fprintf(out, " %s %s%s", c->shared ? "shared" : "private", object[c->object],
		c->object && c->alias ? " (offset from the region's start)" : "");
}

void call_print(FILE *out, const struct call *c)
{
	fprintf(out, "%s", call_kind_name[c->kind]);
	if (c->form)
		fprintf(out, ".%s", form_name[c->form]);
	switch (c->kind) {
	case CALL_MMAP_ANY:
		fprintf(out, " %u pages", c->n);
		print_backing(out, c);
		break;
	case CALL_MMAP_WITHIN:
		fprintf(out, " %u pages in [%u,%u)", c->n, c->lo, c->hi);
		print_backing(out, c);
		break;
	case CALL_BRK:
		fprintf(out, " to %u", c->hi);
		break;
	case CALL_QUERY: case CALL_FAULT_READ: case CALL_FAULT_WRITE:
		fprintf(out, " %u", c->lo);
		break;
	default:
		fprintf(out, " [%u,%u)", c->lo, c->hi);
		break;
	}
	if (c->kind == CALL_MMAP_FIXED)
		print_backing(out, c);
	if (c->kind == CALL_MPROTECT) {
		fprintf(out, " ");
		print_prot(out, c->prot);
	}
	if (c->kind == CALL_MREMAP)
		fprintf(out, " -> %u pages", c->n);
	if (c->form == FORM_TO)
		fprintf(out, " at %u", c->to);
	if (c->form == FORM_STORE)
		fprintf(out, " = %#x..", c->tag);
}
