/* SPDX-License-Identifier: MIT */
/*
 * suite.h - the tests: set-up, call A of core 1, call B of core 2, such that A;B and B;A cannot be told apart.
 *
 * HOW     For each ordered pair of kinds (a cell) arguments are drawn over all scenes, from a fixed seed; what commutes
 *         on the model (ref.h) is a candidate, isomorphic ones are one. Then the cell is filled evenly: first over
 *         forms and over what the calls do (both change something before one of them, before errors), then over classes
 *         (relation of A and B x how each cuts the layout x what it meets).
 * ISOMORPHIC  Pages are cut into segments at every border that means something: of a VMA, of what has been touched, of
 *         an argument. Two tests with the same sequence of segments are one test; inside of arguments one page and more
 *         are two things, outside they are one; what lies beyond the outermost borders does not count.
 * SPREAD  A and B name different pages, of different VMAs. Between each page of one and the next of the other a border
 *         is stretched (ref.h), one between two VMAs or in a hole, so that other VMAs fit in. The stretched test must
 *         commute on the model as well. A call that goes anywhere has the border above all pages stretched. Two calls
 *         that only look and meet on the same pages (listing, query, faults and loads of pages that the set-up has made
 *         present) are spread as they are: no distance may be needed for them.
 * ELSE    (the same page, not only looking; one VMA, in which no others can lie between the two; or a form that would
 *         no longer commute) a test is packed only, and counted apart: `tests` of a report are those which run in both
 *         placements.
 */
#ifndef BENCH_CONFLICTS_SUITE_H
#define BENCH_CONFLICTS_SUITE_H

#include "bench/conflicts/scene.h"

#define SUITE_SEED UINT64_C(4)
#define SUITE_SPREAD 82u                         /* at most so many tests of a cell that run in both placements    */
#define SUITE_PACKED 30u                         /* ... that are packed only                                       */
#define SUITE_CELL   (SUITE_SPREAD + SUITE_PACKED)
#define SUITE_CELLS  (CALL_KINDS * CALL_KINDS)   /* the matrix                                                     */

/* How what A and B name lies in the layout; the first that holds. */
enum suite_relation {
	SUITE_SAME_PAGE, SUITE_SAME_VMA, SUITE_SAME_OBJECT, SUITE_ADJACENT, SUITE_APART, SUITE_ANYWHERE,
	SUITE_RELATIONS
};
extern const char *const suite_relation_name[SUITE_RELATIONS];

struct test {
	uint32_t id;                             /* index in this suite                                            */
	uint32_t number;                         /* by which it is named: cell * SUITE_CELL + its place there      */
	struct scene scene;
	struct call call[2];
	struct stretch stretch;                  /* of the spread form                                             */
	bool spread;
	uint8_t relation;                        /* enum suite_relation                                            */
	uint64_t key;                            /* equal for isomorphic tests of one cell                         */
};

/* Sorted by cell; in a cell those that are spread come first. */
struct suite { struct test *test; size_t n, spread; uint64_t digest; };  /* digest: of all that the tests are       */

/* -ENOMEM. A function of the seed: two machines make the same tests. only: NULL, or the names of one cell. */
struct suite_cell { uint8_t a, b; };
int  suite_make(struct suite *out, uint64_t seed, const struct suite_cell *only);
void suite_free(struct suite *s);
/* "mmap_within|mremap". False: no such names. */
bool suite_cell_parse(const char *text, struct suite_cell *out);
/* The cells in the order of the tests: i from 0 to SUITE_CELLS - 1. */
static inline struct suite_cell suite_cell_at(unsigned i)
{
	return (struct suite_cell){ (uint8_t)(i / CALL_KINDS), (uint8_t)(i % CALL_KINDS) };
}
static inline unsigned suite_cell_index(struct suite_cell cell) { return cell.a * CALL_KINDS + cell.b; }
bool suite_mutator(unsigned kind);
/* Set-up, calls, and a picture of the layout with what each call names. */
void suite_print(FILE *out, const struct test *t);

#endif
