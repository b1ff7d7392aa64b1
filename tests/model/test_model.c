/* SPDX-License-Identifier: MIT */
/*
 * test_model.c - random programs on the engine and on the reference, every policy, both placements.
 *
 * Two kinds of programs: `exact` never writes private memory, so that the VMA list is a pure function of the calls;
 * `contents` writes everywhere, reads it back, and compares lists up to the borders that anonymous groups may leave.
 * A difference is cut down and printed as a program. test_model [OPS [SEED]]: calls per case, first seed.
 *
 * In programs of a third kind every so many calls want for memory at a random place. The failed call must have done
 * nothing: the model does not hear of it, lists are compared, the program goes on. Which one fails is part of the
 * program, so that shrinking keeps it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "stress/oracle/gen.h"
#include "stress/oracle/party.h"

#define LO    UINT64_C(0x10000000)
#define PAGES 1024u

struct test_case { const char *policy; enum vmmap_placement placement; bool contents, fails; char name[64]; };

static unsigned long ops_per_case = 6000;
static uint64_t seed = 1;

/* ---- calls that want for memory ---- */

#define FAIL_ONE_IN 3

struct failing { struct party engine; bool refused; uint64_t calls; };

/* What populates keeps what it has; a move to a fixed place goes VMA by VMA; a resize and a sync allocate nothing;
 * OP_LIMIT is no call. */
static bool may_fail(const struct op *op)
{
	switch (op->call) {
	case OP_MMAP:
		return !(op->flags & (MAP_POPULATE | MAP_LOCKED));
	case OP_MADVISE:
		return op->advice != MADV_POPULATE_READ && op->advice != MADV_POPULATE_WRITE;
	case OP_MREMAP:
		return !(op->flags & MREMAP_FIXED) || op->len < op->new_len;
	case OP_MLOCK:
		return op->flags & MLOCK_ONFAULT;
	default:
		return op->call != OP_MSYNC && op->call != OP_RESIZE && op->call != OP_LIMIT;
	}
}

static void choose_failure(struct gen *g, struct op *op)
{
	op->fail = may_fail(op) && !prng_below(&g->rng, FAIL_ONE_IN) ? (uint8_t)(1 + prng_below(&g->rng, 8)) : 0;
}

/* True: a failure that was ordered has come. */
static bool run_armed(struct failing *f, const struct op *op, int64_t *result)
{
	bool fired;

	if (op->fail & 1)
		mem_fail_nth((op->fail + 1u) / 2);
	else if (op->fail)
		site_refuse_nth(op->fail / 2u, false);
	f->engine.run(f->engine.self, op, result);
	fired = op->fail && (op->fail & 1 ? mem_fail_fired() : site_refuse_fired());
	mem_fail_nth(0);
	site_refuse_nth(0, false);
	return fired;
}

/* Of these, a failure looks like a hole in the range, or like a break that may not move. Twice they do what they do
 * once. */
static bool twice_is_once(const struct op *op)
{
	return op->call == OP_MPROTECT || op->call == OP_MADVISE || op->call == OP_BRK || op->call == OP_MLOCK ||
	       op->call == OP_MUNLOCK;
}

static int failing_run(void *self, const struct op *op, int64_t *result)
{
	struct failing *f = self;
	bool fired = run_armed(f, op, result);

	f->refused = fired && *result == -ENOMEM && !twice_is_once(op);
	f->calls += f->refused;
	if (fired && twice_is_once(op) && *result != (op->call == OP_BRK ? (int64_t)op->addr : 0)) {
		f->calls++;
		return f->engine.run(f->engine.self, op, result);
	}
	return 0;
}

static bool failing_refused(void *self) { return ((struct failing *)self)->refused; }

static int failing_reset(void *self)
{
	struct failing *f = self;

	return f->engine.reset(f->engine.self);
}

static int failing_list(void *self, struct row *rows, unsigned room)
{
	struct failing *f = self;

	return f->engine.list(f->engine.self, rows, room);
}

static uint64_t failing_audit(void *self, FILE *out)
{
	struct failing *f = self;

	return f->engine.audit(f->engine.self, out);
}

static struct party party_failing(struct failing *f)
{
	struct party party = f->engine;

	party.self = f;
	party.reset = failing_reset;
	party.run = failing_run;
	party.list = failing_list;
	party.audit = failing_audit;
	party.refused = failing_refused;
	return party;
}

/* ---- programs ---- */

/* Runs n generated calls. Returns the index of the first difference, n if there is none. */
static unsigned run(struct trial *t, struct gen *g, struct op *ops, unsigned n)
{
	trial_reset(t);
	for (unsigned i = 0; i < n; i++) {
		gen_next(g, &ops[i]);
		if (t->party.refused)
			choose_failure(g, &ops[i]);
		t->audit = i % 512 == 511;        /* an audit waits for a grace period                              */
		if (!trial_step(t, &ops[i], i % 4 == 3))
			return i;
	}
	return n;
}

/* Every page's contents; then nothing may be left of them. */
static bool sweep(struct trial *t)
{
	for (uint64_t i = 0; i < PAGES; i++) {
		struct op op = { .call = OP_READ, .kind = KIND_READ, .addr = LO + i * PAGE };

		if (!trial_step(t, &op, false))
			return false;
	}
	return true;
}

/* After a sync the pager of B has what the pages have. */
static bool synced(struct engine *e, const struct model *m)
{
	bool same = vmmap_object_sync(e->object[OBJECT_B], 0, UINT64_MAX) == 0;

	for (uint64_t i = 0; i < OBJECT_PAGES && same; i++) {
		same = engine_copied(e, i, model_object_value(m, OBJECT_B, i));
		if (!same)
			print_message("page %llu of B is not what its pager got\n", (unsigned long long)i);
	}
	return same;
}

static void complain(struct trial *t, struct op *ops, unsigned n)
{
	print_message("%s\n", t->why);
	t->audit = !strcmp(t->why, "audit");
	n = trial_shrink(t, ops, n);
	if (t->late)
		print_message("not cut down as far as it would go: its time was up\n");
	if (n)
		trial_print(t, ops, n, stdout);
	else
		print_message("it does not differ when run again\n");
}

static void programs(void **state)
{
	const struct test_case *c = *state;
	unsigned n = (unsigned)ops_per_case, at;
	struct op *ops = calloc(n, sizeof(*ops));
	struct failing failing = { .refused = false };
	struct engine engine;
	struct party party;
	struct trial t;
	struct gen g = { .rng = prng_seed(1, seed), .m = &t.model, .noreserve = 25, .private_writes = c->contents };
	bool same, swept;

	assert_non_null(ops);
	assert_int_equal(engine_open(&engine, c->policy, c->placement, LO, LO + PAGES * PAGE), 0);
	failing.engine = party = party_engine(&engine);
	if (c->fails)
		party = party_failing(&failing);
	assert_int_equal(trial_open(&t, &party, LO, LO + PAGES * PAGE), 0);
	g.limits = c->placement == VMMAP_TOPDOWN;
	at = run(&t, &g, ops, n);
	same = at == n;
	swept = same && sweep(&t);
	if (!same)
		complain(&t, ops, at + 1);
	else if (!swept)
		print_message("contents differ at the end: %s\n", t.why);
	assert_true(same && swept);
	assert_true(synced(&engine, &t.model));
	assert_int_equal(vmmap_audit(engine.map, stdout), 0);
	trial_close(&t);
	engine_close(&engine);
	assert_int_equal(engine.leaked, 0);
	assert_true(!c->fails || failing.calls > 0);
	if (c->fails)
		print_message("%llu calls wanted for memory\n", (unsigned long long)failing.calls);
	free(ops);
}

/* ---- the checker itself: a second model with a planted error must be found and the program cut down ---- */

enum planted { PLANT_PROT, PLANT_RESULT, PLANT_CONTENT, PLANT_AUDIT };

struct liar { struct model model; enum planted what; unsigned audits, slow, naps; bool unsound; };

static int liar_reset(void *self)
{
	struct liar *liar = self;

	model_reset(&liar->model);
	liar->unsound = false;
	return 0;
}

enum { SLOW_RUN = 1, SLOW_LIST };

static void liar_nap(struct liar *liar, unsigned where)
{
	if (liar->slow != where)
		return;
	liar->naps++;
	usleep(1000);
}

static int liar_run(void *self, const struct op *op, int64_t *result)
{
	struct liar *liar = self;
	struct op told = *op;

	if (liar->what == PLANT_PROT && op->call == OP_MPROTECT && op->len > PAGE)
		told.len -= PAGE;                /* the last page is forgotten                                     */
	liar_nap(liar, SLOW_RUN);
	*result = model_run(&liar->model, &told);
	if (liar->what == PLANT_AUDIT && op->call == OP_MUNMAP && *result == 0)
		liar->unsound = true;
	if (liar->what == PLANT_RESULT && op->call == OP_MUNMAP && *result == -22)
		*result = 0;
	if (liar->what == PLANT_CONTENT && op->call == OP_READ && *result > 0)
		*result ^= 1;
	return 0;
}

static int liar_list(void *self, struct row *rows, unsigned room)
{
	struct liar *liar = self;

	liar_nap(liar, SLOW_LIST);
	return (int)model_list(&liar->model, rows, room);
}

static uint64_t liar_audit(void *self, FILE *out)
{
	struct liar *liar = self;

	(void)out;
	liar->audits++;
	return liar->unsound;
}

enum { LIE_OPS = 4000 };

struct lie { struct liar liar; struct trial t; struct op *ops; unsigned n; };

/* A program at whose end the liar is caught: ops[0, n). */
static void lie_open(struct lie *l, enum planted what)
{
	struct party party = {.name = "liar",
			      .self = &l->liar,
			      .reset = liar_reset,
			      .run = liar_run,
			      .list = liar_list,
			      .audit = liar_audit,
			      .deep = true};
	struct gen g = { .rng = prng_seed(1, seed), .m = &l->t.model, .noreserve = 25, .private_writes = true };

	l->liar = (struct liar){ .what = what };
	l->ops = calloc(LIE_OPS, sizeof(*l->ops));
	assert_non_null(l->ops);
	assert_int_equal(model_init(&l->liar.model, LO, LO + PAGES * PAGE), 0);
	assert_int_equal(trial_open(&l->t, &party, LO, LO + PAGES * PAGE), 0);
	l->n = run(&l->t, &g, l->ops, LIE_OPS) + 1;
	assert_true(l->n <= LIE_OPS);
	l->t.audit = what == PLANT_AUDIT;
	l->liar.audits = 0;
}

/* What is left still differs, and only at its end. */
static void lie_close(struct lie *l)
{
	assert_int_equal(trial_run(&l->t, l->ops, l->n), l->n - 1);
	trial_close(&l->t);
	model_fini(&l->liar.model);
	free(l->ops);
}

static void finds(enum planted what, unsigned longest)
{
	struct lie l;

	lie_open(&l, what);
	l.n = trial_shrink(&l.t, l.ops, l.n);
	assert_in_range(l.n, 1, longest);
	lie_close(&l);
}

static void finds_wrong_protection(void **state) { (void)state; finds(PLANT_PROT, 2); }
static void finds_wrong_result(void **state) { (void)state; finds(PLANT_RESULT, 1); }
static void finds_wrong_content(void **state) { (void)state; finds(PLANT_CONTENT, 3); }

/* An audit takes 10 ms, and a program has thousands of calls: no more than one for each program that is tried. */
static void finds_what_an_audit_says(void **state)
{
	struct lie l;

	(void)state;
	lie_open(&l, PLANT_AUDIT);
	assert_string_equal(l.t.why, "audit");
	assert_int_equal(trial_run(&l.t, l.ops, l.n), l.n - 1);
	assert_int_equal(l.liar.audits, 1);
	l.n = trial_shrink(&l.t, l.ops, l.n);
	assert_in_range(l.n, 1, 2);
	assert_false(l.t.late);
	lie_close(&l);
}

/* A nap is never shorter than it was asked to be: 20 fit into the time, and few begin at its end. */
static void stops(unsigned slow)
{
	struct lie l;
	unsigned before;

	lie_open(&l, PLANT_AUDIT);
	before = l.n;
	l.t.shrink_ns = 20 * UINT64_C(1000000);
	l.liar.slow = slow;
	l.n = trial_shrink(&l.t, l.ops, l.n);
	assert_true(l.t.late);
	assert_in_range(l.n, 1, before);
	assert_in_range(l.liar.naps, before, before + 24);
	l.liar.slow = 0;
	lie_close(&l);
}

static void stops_in_time(void **state)
{
	(void)state;
	stops(SLOW_RUN);
	stops(SLOW_LIST);
}

int main(int argc, char **argv)
{
	static struct test_case cases[64];
	enum { OWN = 5 };
	struct CMUnitTest tests[64 + OWN] = {
		cmocka_unit_test(finds_wrong_protection), cmocka_unit_test(finds_wrong_result),
		cmocka_unit_test(finds_wrong_content), cmocka_unit_test(finds_what_an_audit_says),
		cmocka_unit_test(stops_in_time),
	};
	unsigned n = 0;

	ops_per_case = argc > 1 ? strtoul(argv[1], NULL, 0) : ops_per_case;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : seed;
	for (unsigned i = 0; vmmap_policy_name(i) && n + 6 <= 64; i++) {
		for (int k = 0; k < 6; k++, n++) {
			cases[n] = (struct test_case){vmmap_policy_name(i),
						      k & 1 ? VMMAP_TOPDOWN : VMMAP_ARENAS, k >= 2, k >= 4, ""};
			snprintf(cases[n].name, sizeof(cases[n].name), "%s, %s, %s", cases[n].policy,
				 k & 1 ? "topdown" : "arenas",
				 k >= 4 ? "contents, no memory" : k >= 2 ? "contents" : "exact");
			tests[n + OWN] = (struct CMUnitTest){ cases[n].name, programs, NULL, NULL, &cases[n] };
		}
	}
	return _cmocka_run_group_tests("model", tests, n + OWN, NULL, NULL);
}
