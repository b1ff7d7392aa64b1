/* SPDX-License-Identifier: MIT */
/* party.c - see party.h. */
#include "stress/oracle/party.h"

#include <string.h>

static int engine_party_reset(void *self) { return engine_reset(self); }

static int engine_party_run(void *self, const struct op *op, int64_t *result)
{
	*result = engine_run(self, op);
	return 0;
}

static int engine_party_list(void *self, struct row *rows, unsigned room)
{
	return (int)engine_list(self, rows, room);
}

static uint64_t engine_party_audit(void *self, FILE *out)
{
	struct engine *e = self;

	return vmmap_audit(e->map, out);
}

struct party party_engine(struct engine *e)
{
	return (struct party){
		.name = "engine",
		.self = e,
		.reset = engine_party_reset,
		.run = engine_party_run,
		.list = engine_party_list,
		.audit = engine_party_audit,
		.deep = true,
		.follow = e->config.placement == VMMAP_ARENAS,
	};
}

static int kernel_party_reset(void *self) { return kernel_reset(self); }

static int kernel_party_run(void *self, const struct op *op, int64_t *result)
{
	const struct row *rows;
	unsigned count;

	return kernel_run_one(self, op, result, &rows, &count);
}

static int kernel_party_list(void *self, struct row *rows, unsigned room)
{
	const struct row *have;
	unsigned n = kernel_rows(self, 0, &have);

	memcpy(rows, have, (n < room ? n : room) * sizeof(*rows));
	return (int)n;
}

struct party party_kernel(struct kernel *k)
{
	return (struct party){ .name = "kernel", .self = k, .reset = kernel_party_reset, .run = kernel_party_run,
			       .list = kernel_party_list };
}
