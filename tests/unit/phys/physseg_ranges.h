/* SPDX-License-Identifier: MIT */
/*
 * physseg_ranges.h - ranges in every position to what is there: absent, up to and over an end, within, exact, over two
 * that touch, over a hole, nothing, wrapping, the last. Behind physseg_model.h, in its units.
 */
#ifndef TESTS_UNIT_PHYS_PHYSSEG_RANGES_H
#define TESTS_UNIT_PHYS_PHYSSEG_RANGES_H

#include "tests/unit/phys/physseg_model.h"

struct range { uint64_t pfn, pages; };

/* Units, and frames beside them. */
#define AT(units, frames) (MODEL_BASE + (units) * MODEL_UNIT + (frames))
#define OF(units, frames) ((units) * MODEL_UNIT + (frames))

/* What is there before: [20, 60) [60, 100) [140, 200) of units, and one frame. */
static const struct range present[] = {
	{ AT(20, 0), OF(40, 0) }, { AT(60, 0), OF(40, 0) }, { AT(140, 0), OF(60, 0) }, { AT(120, 0), 1 },
};

static const struct range ranges[] = {
	{ AT(0, 0), OF(10, 0) }, { AT(0, 0), OF(20, 0) }, { AT(0, 0), OF(20, 1) },       /* absent; up to, over end */
	{ AT(20, 0), 1 }, { AT(20, 0), OF(10, 0) }, { AT(30, 0), OF(10, 0) },            /* front, middle           */
	{ AT(60, -1), 1 }, { AT(50, 0), OF(10, 0) },                                     /* back                    */
	{ AT(20, 0), OF(40, 0) }, { AT(60, 0), OF(40, 0) },                              /* exact                   */
	{ AT(20, 0), OF(80, 0) }, { AT(30, 0), OF(60, 0) }, { AT(50, 0), OF(20, 0) },    /* two that touch          */
	{ AT(20, 0), OF(60, 0) }, { AT(40, 0), OF(60, 0) },
	{ AT(90, 0), OF(20, 0) }, { AT(90, 0), OF(60, 0) }, { AT(100, 0), OF(20, 0) },   /* over a hole, in one     */
	{ AT(100, 0), OF(40, 0) }, { AT(120, 0), OF(80, 0) },
	{ AT(120, 0), 1 }, { AT(120, 1), OF(20, -1) }, { AT(120, -1), 3 },               /* one frame, and beside it */
	{ AT(200, 0), OF(56, 0) }, { AT(200, -1), 2 }, { AT(190, 0), OF(66, 0) },        /* the end                 */
	{ AT(200, 0), OF(56, 1) }, { AT(256, -1), 1 }, { AT(256, -1), 2 }, { AT(256, 0), 1 },
	{ AT(20, 0), 0 }, { AT(0, 0), 0 }, { AT(0, -1), 1 }, { AT(0, -1), OF(30, 0) }, { 0, 1 },
	{ AT(0, 0), OF(256, 0) }, { AT(0, 0), OF(256, 1) },
	{ AT(20, 0), UINT64_MAX }, { UINT64_MAX, 1 }, { UINT64_MAX - 1, 5 }, { AT(30, 0), UINT64_MAX - AT(20, 0) },
};

#endif
