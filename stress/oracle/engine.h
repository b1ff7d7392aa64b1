/* SPDX-License-Identifier: MIT */
/* engine.h - the engine as a party: a map over the same region, with the same borders, TOPDOWN unless told. */
#ifndef STRESS_ORACLE_ENGINE_H
#define STRESS_ORACLE_ENGINE_H

#include <vmmap/vmmap.h>
#include "stress/oracle/op.h"

struct engine_copy { uint64_t word; bool written; };     /* B's pager: a page's first 8 bytes; by a sync             */

struct engine {
	struct vmmap *map;                       /* the youngest child's, after OP_FORK                            */
	struct vmmap *parent[OP_FORKS];
	unsigned forks;
	struct physmem *physmem;
	struct vmmap_object *object[OBJECT_FILES];
	struct vmmap_config config;
	unsigned calls;                          /* since the reset                                                */
	uint64_t lo, hi;
	struct engine_copy copy[OBJECT_PAGES];
	uint64_t leaked;                         /* frames that no map and no object owned after the last reset    */
};

/* -errno of vmmap_create and friends. Frames have real bytes. */
int  engine_open(struct engine *e, const char *policy, enum vmmap_placement placement, uint64_t lo, uint64_t hi);
void engine_close(struct engine *e);
int  engine_reset(struct engine *e);             /* a fresh map, fresh objects                                     */
int64_t engine_run(struct engine *e, const struct op *op);
/* Does B's pager have this in its copy of the page, or had it nothing to write where it is 0? */
bool engine_copied(struct engine *e, uint64_t page, uint64_t value);
struct row engine_row(const struct vmmap_vma *vma);      /* what the model says of a VMA                           */
unsigned engine_list(struct engine *e, struct row *rows, unsigned room);         /* number of VMAs                 */

#endif
