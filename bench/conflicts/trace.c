/* SPDX-License-Identifier: MIT */
/*
 * trace.c - see trace.h. Each line that a call touches has an entry in a hash table: a bit per byte for what A and B
 * read and wrote. Entries of the test before are told by their number, not cleared. The accesses themselves are kept
 * in two logs, to be searched for the place in the code once a line turns out to matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/compiler.h"
#include "bench/conflicts/trace.h"
#include "bench/sim/core.h"
#include "bench/sim/label.h"

#define LINES 32768u                             /* a power of two                                                 */

struct line {
	uintptr_t at;
	uint64_t read[2], written[2];
	uint32_t test;
};

static struct line table[LINES];
static uint32_t used[LINES], nused, test;        /* entries of this test, in the order of their first access       */
static struct { struct access *access; size_t n, room; } log_of[2];

void trace_begin(void)
{
	test++;
	nused = 0;
	log_of[0].n = log_of[1].n = 0;
}

static struct line *line_at(uintptr_t at)
{
	uint32_t i = (uint32_t)((at >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % LINES;

	for (;; i = (i + 1) % LINES) {
		if (table[i].test != test)
			break;
		if (table[i].at == at)
			return &table[i];
	}
	CHECK(nused < LINES / 2);
	table[i] = (struct line){ .at = at, .test = test };
	used[nused++] = i;
	return &table[i];
}

static void mark(unsigned who, uintptr_t at, size_t bytes, bool write)
{
	while (bytes > 0) {
		size_t from = at % CACHE_LINE, n = CACHE_LINE - from < bytes ? CACHE_LINE - from : bytes;
		uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << from;
		struct line *line = line_at(at - from);

		if (write)
			line->written[who] |= mask;
		else
			line->read[who] |= mask;
		at += n;
		bytes -= n;
	}
}

void trace_add(unsigned who, const struct access *a)
{
	if (core_on_stack(core_current, a->at) || a->at - (uintptr_t)&errno < sizeof(errno))
		return;
	if (log_of[who].n == log_of[who].room) {
		log_of[who].room = log_of[who].room ? 2 * log_of[who].room : 4096;
		log_of[who].access = realloc(log_of[who].access, log_of[who].room * sizeof(struct access));
		CHECK(log_of[who].access != NULL);
	}
	log_of[who].access[log_of[who].n++] = *a;
	mark(who, a->at, a->bytes, a->op != ACCESS_LOAD);
}

/* ---- the verdict ---- */

static uint64_t touched(const struct line *line, unsigned who)
{
	return line->read[who] | line->written[who];
}

/* The first access of that byte; of these the first write, if there is one. */
static struct trace_side side_of(unsigned who, uintptr_t at)
{
	const struct access *first = NULL;

	for (size_t i = 0; i < log_of[who].n; i++) {
		const struct access *a = &log_of[who].access[i];

		if (at - a->at >= a->bytes)
			continue;
		if (first == NULL || (first->op == ACCESS_LOAD && a->op != ACCESS_LOAD))
			first = a;
		if (first->op != ACCESS_LOAD)
			break;
	}
	CHECK(first != NULL);
	return (struct trace_side){ first->op, first->atomic, first->pc };
}

static void add(struct trace_verdict *out, uintptr_t a, uintptr_t b)
{
	const char *label[2] = { label_of(a), label_of(b) };
	struct trace_meeting *met = out->met;

	for (unsigned who = 0; who < 2; who++)
		label[who] = label[who] != NULL ? label[who] : "?";
	for (; met < out->met + out->n; met++)
		if (met->label[0] == label[0] && met->label[1] == label[1] && met->same_bytes == (a == b))
			return;
	if (out->n == TRACE_MEETINGS)
		return;
	*met = (struct trace_meeting){ { label[0], label[1] }, { side_of(0, a), side_of(1, b) }, a == b };
	out->n++;
}

static unsigned lowest(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask);
}

static void judge_bytes(const struct line *line, struct trace_verdict *out)
{
	uint64_t both = (line->written[0] & touched(line, 1)) | (line->written[1] & touched(line, 0));

	out->lines += both != 0;
	for (; both != 0; both &= both - 1)
		add(out, line->at + lowest(both), line->at + lowest(both));
}

/* Of who wrote what it wrote first on the line, by address. */
static void judge_line(const struct line *line, struct trace_verdict *out)
{
	uint64_t shown[2];

	if (!((line->written[0] && touched(line, 1)) || (line->written[1] && touched(line, 0))) ||
	    (line->written[0] & touched(line, 1)) || (line->written[1] & touched(line, 0)))
		return;
	out->false_lines++;
	for (unsigned who = 0; who < 2; who++)
		shown[who] = line->written[who] ? line->written[who] : line->read[who];
	add(out, line->at + lowest(shown[0]), line->at + lowest(shown[1]));
}

void trace_judge(struct trace_verdict *out)
{
	out->lines = out->false_lines = out->n = 0;
	for (unsigned who = 0; who < 2; who++)
		out->accesses[who] = (unsigned)log_of[who].n;
	for (uint32_t i = 0; i < nused; i++)
		judge_bytes(&table[used[i]], out);
	for (uint32_t i = 0; i < nused; i++)
		judge_line(&table[used[i]], out);
}
