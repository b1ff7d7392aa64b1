/* SPDX-License-Identifier: MIT */
/*
 * suite_print.c - a test as text: calls, and a picture of the layout that the set-up leaves.
 *
 *	page  0   1   2   3   4   5   6   7   8   9   10  11
 *	VMAs                  aa* aa*|b   b          |c   c   |      a rw private anonymous ...
 *	A                             ========
 *	B                                                 ====
 *
 * A star: the page has contents of its own. Bars: ends of VMAs.
 */
#include <string.h>
#include <sys/mman.h>

#include "bench/conflicts/suite.h"

static void print_scene(FILE *out, const struct test *t)
{
	fputs(t->scene.n ? "  set-up  " : "  set-up  nothing", out);
	for (unsigned i = 0; i < t->scene.n; i++) {
		fputs(i ? "; " : "", out);
		call_print(out, &t->scene.call[i]);
	}
	fputc('\n', out);
}

static void print_pages(FILE *out, const struct ref *r)
{
	char vma = 'a' - 1;

	fputs("  page    ", out);
	for (unsigned i = 0; i < CALL_PAGES; i++)
		fprintf(out, "%-4u", i);
	fputs("\n  VMAs    ", out);
	for (unsigned i = 0; i < CALL_PAGES; i++) {
		const struct model_page *p = &r->m.page[i];
		bool ends = p->mapped && (i + 1 == CALL_PAGES || !r->m.joined[i + 1]);

		vma += p->mapped && (!i || !r->m.joined[i]);
		fprintf(out, "%c%c%c%c", p->mapped ? vma : '.', p->copied ? '*' : ' ', ' ', ends ? '|' : ' ');
	}
	fputc('\n', out);
}

static void print_legend(FILE *out, const struct ref *r)
{
	struct answer list = { .rows = 0 };

	ref_rows(r, 0, CALL_PAGES, &list);
	for (unsigned i = 0; i < list.rows; i++) {
		const struct row *row = &list.row[i];
		const struct model_page *p = &r->m.page[(row->start - REF_LO) / PAGE];

		fprintf(out, "  %c = [%u,%u) %s%s %s", 'a' + (int)i, (unsigned)((row->start - REF_LO) / PAGE),
			(unsigned)((row->end - REF_LO) / PAGE), row->prot & PROT_READ ? "r" : "none",
			row->prot & PROT_WRITE ? "w" : "", row->shared ? "shared" : "private");
		if (row->object)
			fprintf(out, " %s at page %u",
				row->object == OBJECT_A ? "A" : row->object == OBJECT_B ? "B" : "anonymous",
				(unsigned)(row->offset / PAGE));
		else
			fputs(" anonymous", out);
		fprintf(out, "%s%s\n", p->touched ? ", with a group" : "", row->advice ? ", advised" : "");
	}
}

static void print_named(FILE *out, char name, uint32_t pages)
{
	fprintf(out, "  %c       ", name);
	for (unsigned i = 0; i < CALL_PAGES && pages >> i; i++)
		fputs(pages >> i & 1 ? "====" : "    ", out);
	fputc('\n', out);
}

void suite_print(FILE *out, const struct test *t)
{
	struct ref r;

	fprintf(out, "test %u: %s|%s, %s%s\n", t->number, call_kind_name[t->call[0].kind],
		call_kind_name[t->call[1].kind], suite_relation_name[t->relation], t->spread ? "" : ", packed only");
	print_scene(out, t);
	for (unsigned i = 0; i < 2; i++) {
		fprintf(out, "  core %u  %c: ", i + 1, "AB"[i]);
		call_print(out, &t->call[i]);
		fputc('\n', out);
	}
	if (ref_open(&r))
		return;
	scene_run(&r, &t->scene, NULL);
	print_pages(out, &r);
	for (unsigned i = 0; i < 2; i++)
		print_named(out, "AB"[i], call_pages(&t->call[i], ref_break(&r)));
	print_legend(out, &r);
	if (t->spread && t->stretch.n) {
		fputs("  spread: stretched at", out);
		for (unsigned i = 0; i < t->stretch.n; i++)
			fprintf(out, " %u", t->stretch.at[i]);
		fputc('\n', out);
	}
	ref_close(&r);
}
