/* SPDX-License-Identifier: MIT */
/* coverage_table.c - see coverage.h: who came to a lock word, and the tables of that. */
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/tool/json.h"
#include "bench/explore/coverage_in.h"
#include "bench/explore/text.h"
#include "bench/sim/debug.h"

#define ROWS 256

struct row { char doing[48]; unsigned kind; uint64_t met[COVERAGE_STATES]; };

static const struct { const char *doing, *functions; } doings[] = {
	{ "look-up (fault, edit)", "vtree_leaf_find" },
	{ "visit (fault, access)", "intree_visit_valid visit_pin lock_pin lock_unpin beside_visit_valid "
	  "spf_visit_valid" },
	{ "waits", "spin_on range_wait" },
	{ "edit, general form: claim", "claim_step claim_spanning claim_pinned view_look view_claim view_cut "
	  "view_piece view_piece_undo" },
	{ "edit, general form: pass on", "view_pass pass_dummy" },
	{ "edit, short form, merge: take", "intree_edit_take beside_edit_take spf_edit_shut" },
	{ "edit, short form, merge: drop", "intree_edit_drop beside_edit_drop global_drop" },
	{ "edit: a VMA is born, dies", "intree_edit_born intree_edit_dead beside_edit_born beside_edit_dead "
	  "global_born global_dead replace_leaf work_make space_prepare bits_settled" },
	{ "merge", "merge_held neighbour_kept piece_neighbour" },
	{ "merge is noted", "range_leave_note note_leave" },
	{ "drain", "lock_drain" },
	{ "list, search for a gap", "leaf_next read_piece" },
	{ "fork: a VMA is copied", "fork_put" },
	{ "memory of a VMA, a dummy", "vma_take vma_give thread_ready" },
	{ "shared: take", "rwsem_try_shared rwsem_wait_shared rwsem_take_back" },
	{ "exclusive: take", "rwsem_try_exclusive rwsem_wait_exclusive barge" },
	{ "queue", "queue_join queue_remove queue_quit exclusive_sleep woken_try node_barged" },
	{ "let go", "rwsem_unlock_shared rwsem_unlock_exclusive rwsem_downgrade table_lock_give list_give tree_give "
	  "fine_give list_leave qspin_unlock qspin_pass_on" },
	{ "wake", "wake_first wake_shared wake_exclusive" },
	{ "take", "table_lock_try list_take list_insert node_fresh tree_take take" },
	{ "queue of a table", "table_lock_queue queue_enter queue_leave" },
	{ "walk", "walk_from walk_look" },
	{ "wait, give up", "wait_word tree_cancel cancel list_will_sleep list_gives_way" },
	{ "a table is made, unlinked", "pt_table_born table_reclaim table_lock_stray table_lock_gone" },
};

static void doing_of(const void *pc, char *out, size_t room)
{
	const char *at = debug_location(pc);

	snprintf(out, room, "%.*s", (int)strcspn(at, " "), at);
	for (unsigned i = 0; i < ARRAY_SIZE(doings); i++)
		if (text_has_word(doings[i].functions, out)) {
			snprintf(out, room, "%s", doings[i].doing);
			return;
		}
}

/* Places of one doing are one row. */
static unsigned rows_of(const struct coverage *c, struct row *rows)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct coverage_place *p = &c->place[i];
		char doing[sizeof(rows->doing)];
		unsigned r = 0;

		doing_of(p->pc, doing, sizeof(doing));
		while (r < n && (rows[r].kind != p->kind || strcmp(rows[r].doing, doing) != 0))
			r++;
		if (r == n) {
			CHECK(n < ROWS);
			rows[n] = (struct row){ .kind = p->kind };
			memcpy(rows[n++].doing, doing, sizeof(doing));
		}
		for (unsigned k = 0; k < COVERAGE_STATES; k++)
			rows[r].met[k] += p->met[k];
	}
	return n;
}

static void print_row(const struct row *row, const struct coverage_kind *kind, FILE *to)
{
	const char *sep = "   never: ";

	fprintf(to, "  %-30s", row->doing);
	for (unsigned k = 0; k < COVERAGE_STATES && kind->state[k] != NULL; k++)
		if (row->met[k] != 0)
			fprintf(to, " %11llu", (unsigned long long)row->met[k]);
		else
			fprintf(to, " %11s", "-");
	for (unsigned k = 0; k < COVERAGE_STATES && kind->state[k] != NULL; k++)
		if (row->met[k] == 0) {
			fprintf(to, "%s%s", sep, kind->state[k]);
			sep = ", ";
		}
	fputc('\n', to);
}

void coverage_print(const struct coverage *c, FILE *to)
{
	static struct row rows[ROWS];
	unsigned n = rows_of(c, rows);

	for (unsigned kind = 0; kind < coverage_kinds_n; kind++) {
		bool any = false;

		for (unsigned r = 0; r < n; r++) {
			if (rows[r].kind != kind)
				continue;
			if (!any) {
				fprintf(to, "\nwho met %s\n  %-30s", coverage_kinds[kind].what, "");
				for (unsigned k = 0; k < COVERAGE_STATES && coverage_kinds[kind].state[k] != NULL; k++)
					fprintf(to, " %11s", coverage_kinds[kind].state[k]);
				fputc('\n', to);
				any = true;
			}
			print_row(&rows[r], &coverage_kinds[kind], to);
		}
	}
	if (c->lost != 0)
		fprintf(to, "%llu encounters at further places are not counted\n", (unsigned long long)c->lost);
}

void coverage_write(const struct coverage *c, struct json *array)
{
	static struct row rows[ROWS];
	unsigned n = rows_of(c, rows);

	for (unsigned r = 0; r < n; r++) {
		const struct coverage_kind *kind = &coverage_kinds[rows[r].kind];
		struct json *row = json_row(array), *met;

		json_text(row, "doing", rows[r].doing);
		json_text(row, "word", kind->what);
		met = json_sub(row, "met");
		for (unsigned k = 0; k < COVERAGE_STATES && kind->state[k] != NULL; k++)
			json_uint(met, kind->state[k], rows[r].met[k]);
	}
}
