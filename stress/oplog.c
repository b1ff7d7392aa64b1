/* SPDX-License-Identifier: MIT */
/* oplog.c - the last calls of one thread. */
#include "stress/oplog.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "stress/profile.h"

#define OPEN (UINT64_C(1) << 32)

void oplog_begin(struct oplog *log, unsigned call, uint64_t addr, uint64_t len, unsigned arg)
{
	struct oplog_entry *e = &log->entry[log->n % OPLOG_ENTRIES];

	atomic_store_relaxed(&e->ns, clock_ns());
	atomic_store_relaxed(&e->what, call | OPEN | (uint64_t)arg << 33);
	atomic_store_relaxed(&e->addr, addr);
	atomic_store_relaxed(&e->len, len);
	atomic_store_relaxed(&log->seen, ++log->n);
}

void oplog_end(struct oplog *log, int64_t result)
{
	struct oplog_entry *e = &log->entry[(log->n - 1) % OPLOG_ENTRIES];

	atomic_store_relaxed(&e->result, (uint64_t)result);
	atomic_store_relaxed(&e->what, atomic_load_relaxed(&e->what) & ~OPEN);
}

static void print_entry(const struct oplog_entry *e, uint64_t began, FILE *out)
{
	uint64_t what = atomic_load_relaxed(&e->what);
	int64_t result = (int64_t)atomic_load_relaxed(&e->result);

	fprintf(out, "    %12.6f  %-8s 0x%012" PRIx64 " +0x%-8" PRIx64 " arg 0x%-4x ",
		(double)(atomic_load_relaxed(&e->ns) - began) / 1e9, profile_call_name[(uint32_t)what % CALL_COUNT],
		atomic_load_relaxed(&e->addr), atomic_load_relaxed(&e->len), (unsigned)(what >> 33));
	if (what & OPEN)
		fprintf(out, "= (has not returned)\n");
	else if (result < 0)
		fprintf(out, "= %" PRId64 " (%s)\n", result, strerror((int)-result));
	else
		fprintf(out, "= 0x%" PRIx64 "\n", (uint64_t)result);
}

void oplog_print(const struct oplog *log, unsigned thread, unsigned most, uint64_t began, FILE *out)
{
	uint64_t n = atomic_load_relaxed(&log->seen), from;

	if (most > OPLOG_ENTRIES)
		most = OPLOG_ENTRIES;
	from = n > most ? n - most : 0;
	fprintf(out, "  thread %u, call %" PRIu64 " to %" PRIu64 ":\n", thread, from, n);
	for (; from < n; from++)
		print_entry(&log->entry[from % OPLOG_ENTRIES], began, out);
}
