/* SPDX-License-Identifier: MIT */
/* ask.c - see ask.h. */
#include "bench/ask.h"

void ask_bar(struct ask *ask, const char *what, double got, double limit, bool at_most)
{
	bool met = at_most ? got <= limit : got >= limit;
	struct json *j = json_row(ask->rows);

	json_text(j, "bar", what);
	json_text(j, "asked", at_most ? "at most" : "at least");
	json_real(j, "limit", limit);
	json_real(j, "median", got);
	json_bool(j, "met", met);
	fprintf(ask->out, "%-64s %s %-6g %9.4g  %s\n", what, at_most ? "<=" : ">=", limit, got, met ? "met" : "MISSED");
	fflush(ask->out);
	ask->measured++;
	ask->missed += !met;
}

void ask_sum(const struct ask *ask)
{
	fprintf(ask->out, "%u bars measured, %u missed\n", ask->measured, ask->missed);
}
