/* SPDX-License-Identifier: MIT */
/* budget.c - see budget.h. */
#include "bench/conflicts/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/tool/cli.h"

/* A line of the file: 1: of this policy and placement; 0: another's, a comment; -ESTALE; -EINVAL. */
static int parse(struct budget *b, const char *text, const struct tally *t)
{
	char policy[32], placement[16], pair[64];
	struct suite_cell cell;
	struct budget_cell have;
	size_t spread, packed;
	uint64_t digest;

	if (text[strspn(text, " \t\n")] == '\0' || *text == '#')
		return 0;
	if (sscanf(text, "tests %zu %zu %" SCNx64, &spread, &packed, &digest) == 3)
		return digest == t->suite->digest && spread + packed == t->suite->n ? 0 : -ESTALE;
	if (sscanf(text, "%31s %15s %63s %u %u", policy, placement, pair, &have.byte, &have.line) != 5 ||
	    !suite_cell_parse(pair, &cell))
		return -EINVAL;
	if (strcmp(policy, t->policy) != 0 || strcmp(placement, placement_name[t->placement]) != 0)
		return 0;
	b->cell[suite_cell_index(cell)] = have;
	return 1;
}

int budget_read(struct budget *b, const char *path, const struct tally *t)
{
	FILE *f = fopen(path, "r");
	char text[256];
	int err = f ? 0 : -errno;
	unsigned line = 0;

	memset(b, 0, sizeof(*b));
	while (err >= 0 && f && fgets(text, sizeof(text), f)) {
		line++;
		err = parse(b, text, t);
		if (err == -EINVAL)
			cli_complain("policy placement pair byte line", "%s:%u: not a budget", path, line);
	}
	if (f && err >= 0 && ferror(f))
		err = -errno;
	if (f)
		fclose(f);
	return err < 0 ? err : 0;
}

void budget_count(struct budget *b, const struct tally *t)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < t->suite->n; i++) {
		const struct test *test = &t->suite->test[i];
		struct budget_cell *cell = &b->cell[test->call[0].kind * CALL_KINDS + test->call[1].kind];

		cell->byte += t->verdict[i] == TALLY_BYTE;
		cell->line += t->verdict[i] == TALLY_LINE;
	}
}

unsigned budget_worse(const struct budget *allowed, const struct tally *t, FILE *out)
{
	struct budget now;
	char name[64];
	unsigned n = 0;

	budget_count(&now, t);
	for (unsigned i = 0; i < SUITE_CELLS; i++) {
		struct budget_cell may = allowed->cell[i], is = now.cell[i];

		if (is.byte <= may.byte && is.byte + is.line <= may.byte + may.line)
			continue;
		fprintf(out, "worse: %s %s %s: %u tests conflict in a byte, %u in a line only; ", t->policy,
			placement_name[t->placement], tally_cell_name(name, suite_cell_at(i)), is.byte, is.line);
		fprintf(out, "the budget has %u and %u\n", may.byte, may.line);
		n++;
	}
	return n;
}

unsigned budget_better(const struct budget *allowed, const struct tally *t)
{
	struct budget now;
	unsigned n = 0;

	budget_count(&now, t);
	for (unsigned i = 0; i < SUITE_CELLS; i++) {
		struct budget_cell may = allowed->cell[i], is = now.cell[i];

		n += is.byte <= may.byte && is.byte + is.line <= may.byte + may.line &&
		     (is.byte < may.byte || is.line < may.line);
	}
	return n;
}

static void write_cells(FILE *f, const struct tally *t)
{
	struct budget now;
	char name[64];

	budget_count(&now, t);
	for (unsigned i = 0; i < SUITE_CELLS; i++)
		if (now.cell[i].byte || now.cell[i].line)
			fprintf(f, "%s %s %s %u %u\n", t->policy, placement_name[t->placement],
				tally_cell_name(name, suite_cell_at(i)), now.cell[i].byte, now.cell[i].line);
}

int budget_write(const char *path, const struct tally *const *tallies, size_t n)
{
	FILE *f = fopen(path, "w");
	int failed;

	if (!f)
		return -errno;
	fputs("# SPDX-License-Identifier: MIT\n"
	      "# Conflicting tests of vmmap-conflicts, by cell: policy placement pair byte line. More of them than\n"
	      "# here is a failure; --write-budget renews it.\n", f);
	if (n)
		fprintf(f, "tests %zu %zu %" PRIx64 "\n", tallies[0]->suite->spread,
			tallies[0]->suite->n - tallies[0]->suite->spread, tallies[0]->suite->digest);
	for (size_t i = 0; i < n; i++)
		write_cells(f, tallies[i]);
	failed = ferror(f);
	return fclose(f) != 0 || failed ? -EIO : 0;
}
