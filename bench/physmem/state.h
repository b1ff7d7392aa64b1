/* SPDX-License-Identifier: MIT */
/* state.h - a machine as JSON, as a script has left it. */
#ifndef BENCH_PHYSMEM_STATE_H
#define BENCH_PHYSMEM_STATE_H

#include "base/tool/json.h"
#include "bench/physmem/script.h"

/* Members of an object. Without a machine: only what became of the script. */
void state_json(struct script *s, struct json *root);

#endif
