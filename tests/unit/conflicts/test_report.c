/* SPDX-License-Identifier: MIT */
/*
 * test_report.c - books, reports and exit codes of vmmap-conflicts, over an invented instrument: what conflicts is a
 * function of how A and B lie, so that each number can be told beforehand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <errno.h>
#include <cjson/cJSON.h>

#include "bench/conflicts/budget.h"
#include "bench/conflicts/heat.h"
#include "bench/conflicts/result.h"
#include "bench/conflicts/waive.h"

/* ---- the instrument ---- */

struct invented { const char *policy; enum placement placement; bool blind, worse, wrong; };

static const struct run_conflict same_object[] = {
	{ "vma", "lk", "carve.c:1 take", "fault.c:2 look", true },
	{ "vma", "bits", "carve.c:3 cut", "fault.c:4 check", true },
	{ "vma", "lk", "carve.c:1 take", "fault.c:2 look", true },       /* twice: is one                            */
};
static const struct run_conflict beside[] = { { "pt_table", "word", "pt.c:5 zap", "pt.c:6 make", false } };
static const struct run_conflict global[] = { { "rwsem", "word", "rwsem.c:7 down", "rwsem.c:8 down", true } };

static bool odd_one(const struct test *t)
{
	return t->call[0].kind == CALL_MUNMAP && t->call[1].kind == CALL_MPROTECT && t->relation == SUITE_APART;
}

static int invented_begin(void *self, const char *policy, enum placement placement)
{
	struct invented *v = self;

	v->policy = policy;
	v->placement = placement;
	return 0;
}

static int invented_run(void *self, const struct test *t, const struct placed *p, struct run_verdict *out)
{
	struct invented *v = self;

	assert_true(p->hi > p->lo);
	out->proven = !(v->wrong && t->id == 7);
	snprintf(out->why, sizeof(out->why), "planted");
	if (strcmp(v->policy, "vma") != 0) {
		out->conflict = global;
		out->n = !v->blind;
	} else if (t->relation == SUITE_SAME_OBJECT) {
		out->conflict = same_object;
		out->n = 3;
	} else if ((t->relation == SUITE_ADJACENT && v->placement == PLACED_PACKED) || (v->worse && odd_one(t))) {
		out->conflict = beside;
		out->n = 1;
	}
	return 0;
}

static struct runner runner_of(struct invented *v)
{
	return (struct runner){ v, invented_begin, invented_run };
}

/* ---- one suite, and the books of a policy ---- */

static struct suite suite;
static char dir[] = "/tmp/test_report.XXXXXX";

static int make(void **state)
{
	(void)state;
	return suite_make(&suite, SUITE_SEED, NULL) || !mkdtemp(dir);
}

static int drop(void **state)
{
	char command[64];

	(void)state;
	suite_free(&suite);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *file(const char *name)
{
	static char path[4][64];
	static unsigned next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

static void fill(struct tally *t, const char *policy, enum placement placement, struct invented v)
{
	static const struct placed p = { .lo = 1, .hi = 2 };

	invented_begin(&v, policy, placement);
	assert_int_equal(tally_open(t, &suite, policy, placement), 0);
	for (size_t i = 0; i < suite.n; i++) {
		struct run_verdict verdict = { .n = 0 };

		if (placement == PLACED_SPREAD && !suite.test[i].spread)
			continue;
		assert_int_equal(invented_run(&v, &suite.test[i], &p, &verdict), 0);
		assert_int_equal(tally_add(t, &suite.test[i], &verdict), 0);
	}
}

static unsigned tests_with(enum suite_relation relation)
{
	unsigned n = 0;

	for (size_t i = 0; i < suite.n; i++)
		n += suite.test[i].spread && suite.test[i].relation == relation;
	return n;
}

static void books_are_right(void **state)
{
	unsigned same = tests_with(SUITE_SAME_OBJECT), near = tests_with(SUITE_ADJACENT);
	struct tally t;
	struct tally_count c;

	(void)state;
	fill(&t, "vma", PLACED_PACKED, (struct invented){ .policy = NULL });
	c = tally_all(&t, true);
	assert_int_equal(c.tests, suite.spread);
	assert_int_equal(c.byte, same);
	assert_int_equal(c.line, near);
	assert_int_equal(c.none, suite.spread - same - near);
	assert_int_equal(tally_all(&t, false).tests, suite.n - suite.spread);
	c = tally_relation(&t, SUITE_SAME_OBJECT, true);
	assert_int_equal(c.byte, c.tests);
	for (size_t i = 0; i < t.findings; i++)
		assert_true(t.finding[i].tests > 0);
	tally_close(&t);
}

/* ---- budget ---- */

static void budget_notices_what_gets_worse(void **state)
{
	struct tally was, same, worse;
	const struct tally *list[1] = { &was };
	struct budget allowed;
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	fill(&was, "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	fill(&worse, "vma", PLACED_SPREAD, (struct invented){ .worse = true });
	fill(&same, "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	assert_int_equal(budget_write(file("budget"), list, 1), 0);
	assert_int_equal(budget_read(&allowed, file("budget"), &same), 0);
	assert_int_equal(budget_worse(&allowed, &same, out), 0);
	assert_int_equal(budget_better(&allowed, &same), 0);
	assert_int_equal(budget_worse(&allowed, &worse, out), 1);
	fclose(out);
	assert_non_null(strstr(text, "vma spread munmap|mprotect"));
	list[0] = &worse;
	assert_int_equal(budget_write(file("budget"), list, 1), 0);
	assert_int_equal(budget_read(&allowed, file("budget"), &same), 0);
	assert_int_equal(budget_better(&allowed, &same), 1);
	same.placement = PLACED_PACKED;          /* the file says nothing about that: nothing is allowed            */
	assert_int_equal(budget_read(&allowed, file("budget"), &same), 0);
	assert_int_equal(allowed.cell[CALL_MUNMAP * CALL_KINDS + CALL_MUNMAP].byte, 0);
	tally_close(&was);
	tally_close(&same);
	tally_close(&worse);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void budget_of_other_tests_is_refused(void **state)
{
	struct tally t;
	struct budget b;

	(void)state;
	assert_int_equal(tally_open(&t, &suite, "vma", PLACED_SPREAD), 0);
	write_text(file("stale"), "# comment\ntests 3 4 5\nvma spread munmap|munmap 1 1\n");
	assert_int_equal(budget_read(&b, file("stale"), &t), -ESTALE);
	write_text(file("wrong"), "vma spread munmap|mumble 1 1\n");
	assert_int_equal(budget_read(&b, file("wrong"), &t), -EINVAL);
	assert_int_equal(budget_read(&b, file("absent"), &t), -ENOENT);
	tally_close(&t);
}

/* ---- waivers ---- */

static void waived(const char *text, unsigned unused, unsigned missing)
{
	struct waivers w;
	struct tally t;
	FILE *out = fopen("/dev/null", "w");

	write_text(file("waivers"), text);
	assert_int_equal(waive_read(&w, file("waivers")), 0);
	fill(&t, "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	waive_apply(&w, &t);
	assert_int_equal(waive_unused(&w, &t, out), unused);
	if (missing)
		assert_true(waive_missing(&t, out) >= missing);
	else
		assert_int_equal(waive_missing(&t, out), 0);
	assert_true((tally_all(&t, true).waived == tests_with(SUITE_SAME_OBJECT)) == !missing);
	tally_close(&t);
	waive_free(&w);
	fclose(out);
}

static void waivers_cover_what_they_say(void **state)
{
	(void)state;
	waived("# none\n\n", 0, 2);
	waived("waived vma spread *|* * vma.* two cuts of one VMA\n", 0, 0);
	waived("waived vma spread *|* same_object vma.* one object\n", 0, 0);
	waived("waived vma spread *|* * vma.lk one VMA\nwaived vma * *|* * vma.bits one VMA\n", 0, 0);
	waived("waived vma spread *|* * vma.lk one VMA\n", 0, 1);       /* half covered is not covered             */
	waived("waived vma spread *|* apart vma.* one VMA\n", 1, 1);
	waived("waived vma spread *|* * vma.* one VMA\nwaived vma spread *|* * pt_table.word never\n", 1, 0);
	waived("waived vma spread *|* * vma.* one VMA\nremains vma spread *|* * vma.lk too late\n", 1, 0);
	waived("waived vma spread *|* * vma.* one VMA\nwaived rwsem spread *|* * pt_table.word other books\n", 0, 0);
	waived("waived vma spread munmap|munmap * vma.* one VMA\n", 0, 1);
}

static void what_remains_is_no_exception(void **state)
{
	struct suite_cell cell = { 0, 0 };
	struct tally_count all;
	struct waivers w;
	struct tally t;

	(void)state;
	write_text(file("waivers"), "remains vma spread *|* * vma.bits a reason\nwaived vma spread *|* * vma.lk one\n");
	assert_int_equal(waive_read(&w, file("waivers")), 0);
	fill(&t, "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	waive_apply(&w, &t);
	assert_int_equal(waive_missing(&t, stderr), 0);
	all = tally_all(&t, true);
	assert_int_equal(all.waived, 0);
	assert_true(tally_share(&all, true) == tally_share(&all, false) && tally_share(&all, true) < 1);
	assert_true(tally_worst(&t, true, &cell) < tally_share(&all, true));
	assert_true(suite_mutator(cell.a) && suite_mutator(cell.b));
	tally_close(&t);
	waive_free(&w);
}

static void waivers_need_a_reason(void **state)
{
	static const char *const bad[] = {
		"waived vma spread *|* * vma.lk\n", "waived vma spread *|* * vma reason\n",
		"waived vma far *|* * vma.lk reason\n", "waived vnone spread *|* * vma.lk reason\n",
		"waived vma spread munmap * vma.lk reason\n", "waived vma spread munmap|mumble * vma.lk reason\n",
		"waived vma spread *|* near vma.lk reason\n", "vma spread *|* * vma.lk reason\n",
		"denied vma spread *|* * vma.lk reason\n",
	};
	struct waivers w;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_text(file("waivers"), bad[i]);
		assert_int_equal(waive_read(&w, file("waivers")), -EINVAL);
	}
	assert_int_equal(waive_read(&w, file("absent")), -ENOENT);
}

/* ---- text and pictures ---- */

static char *read_text(const char *path)
{
	static char *text[2];
	static unsigned next;
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	next = !next;
	free(text[next]);
	text[next] = calloc(1, 1 << 20);
	assert_non_null(text[next]);
	n = fread(text[next], 1, (1 << 20) - 1, f);
	assert_true(n > 0);
	fclose(f);
	return text[next];
}

static void why_names_objects_and_places(void **state)
{
	struct tally t;
	struct result_policy r = { .policy = "vma", .distance = PLACED_DISTANCE };
	struct suite_cell cell;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fill(&t, "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	r.tally[PLACED_SPREAD] = &t;
	assert_true(suite_cell_parse("munmap|fault_read", &cell));
	result_why(out, &r, cell);
	fclose(out);
	assert_non_null(strstr(text, "vma.lk"));
	assert_non_null(strstr(text, "A carve.c:1 take"));
	assert_non_null(strstr(text, "B fault.c:2 look"));
	assert_non_null(strstr(text, "page    0   1   2"));
	assert_non_null(strstr(text, "core 2  B: fault_read"));
	free(text);
	tally_close(&t);
}

static void pictures_are_legible_and_the_same(void **state)
{
	struct tally t[2];
	const struct tally *list[2] = { &t[0], &t[1] };
	char *first, *again;

	(void)state;
	fill(&t[0], "vma", PLACED_PACKED, (struct invented){ .policy = NULL });
	fill(&t[1], "vma", PLACED_SPREAD, (struct invented){ .policy = NULL });
	if (heat_write(dir, HEAT_SVG, list, 2, PLACED_DISTANCE) == -ENOENT) {
		tally_close(&t[0]);
		tally_close(&t[1]);
		print_message("no gnuplot\n");
		skip();
	}
	first = read_text(file("conflicts-vma.svg"));
	for (unsigned i = 0; i < CALL_KINDS; i++)
		assert_non_null(strstr(first, call_kind_name[i]));
	assert_int_equal(heat_write(dir, HEAT_SVG, list, 2, PLACED_DISTANCE), 0);
	again = read_text(file("conflicts-vma.svg"));
	assert_string_equal(first, again);
	assert_int_equal(heat_write(dir, HEAT_PNG, list, 1, PLACED_DISTANCE), 0);
	assert_memory_equal(read_text(file("conflicts-vma.png")), "\x89PNG", 4);
	tally_close(&t[0]);
	tally_close(&t[1]);
}

/* ---- the program: each run in a child, what it says in a file ---- */

static int program(struct invented v, const char *const *args)
{
	char *argv[12] = { (char *)"vmmap-conflicts" };
	struct runner runner = runner_of(&v);
	int argc = 1, status = 0;
	pid_t child;

	while (args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	fflush(NULL);
	child = fork();
	if (!child) {
		if (!freopen(file("out"), "w", stdout) || !freopen(file("err"), "w", stderr))
			_exit(99);
		exit(conflicts_main(argc, argv, &runner));
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) program((struct invented){ .policy = NULL }, (const char *const[]){ __VA_ARGS__, NULL })
#define RUN_WITH(what, ...) program((struct invented){ what }, (const char *const[]){ __VA_ARGS__, NULL })

static double number(const cJSON *object, const char *key) { return cJSON_GetObjectItem(object, key)->valuedouble; }

static void check_json(const cJSON *root)
{
	const cJSON *row;
	double tests = 0, packed = 0, spread = 0;

	assert_string_equal(cJSON_GetObjectItem(root, "policy")->valuestring, "vma");
	assert_true(number(root, "tests") == (double)suite.spread);
	assert_true(number(root, "spread_conflict_free") == (double)(suite.spread - tests_with(SUITE_SAME_OBJECT)));
	assert_true(number(root, "waived") == 0);
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(root, "pairs")) {
		tests += number(row, "tests");
		packed += number(row, "packed");
		spread += number(row, "spread");
		assert_true(number(row, "lines") == 0);
		assert_non_null(cJSON_GetObjectItem(row, "first"));
		assert_non_null(cJSON_GetObjectItem(row, "second"));
	}
	assert_true(tests == number(root, "tests") && packed == number(root, "packed_conflict_free"));
	assert_true(spread == number(root, "spread_conflict_free"));
}

static void two_runs_write_the_same(void **state)
{
	char json[2][80];
	cJSON *root;

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(json[i], sizeof(json[i]), "--json=%s/%d.json", dir, i);
		assert_int_equal(RUN("--policy=vma", json[i]), 0);
	}
	assert_string_equal(read_text(file("0.json")), read_text(file("1.json")));
	root = cJSON_Parse(read_text(file("0.json")));
	assert_non_null(root);
	check_json(root);
	cJSON_Delete(root);
}

static void several_policies_are_a_list(void **state)
{
	char json[80];
	cJSON *root;

	(void)state;
	snprintf(json, sizeof(json), "--json=%s", file("many.json"));
	assert_int_equal(RUN("--only=munmap|munmap", json), 0);
	root = cJSON_Parse(read_text(file("many.json")));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "policies")), 3);
	cJSON_Delete(root);
}

static void exit_codes(void **state)
{
	char budget[80], waivers[80];

	(void)state;
	snprintf(budget, sizeof(budget), "--budget=%s/b", dir);
	snprintf(waivers, sizeof(waivers), "--waivers=%s/w", dir);
	write_text(file("w"), "waived vma spread *|* same_object vma.* one object\n");
	assert_int_equal(RUN("--policy=vma", "--placement=spread", budget, "--write-budget", waivers), 0);
	assert_int_equal(RUN_WITH(.worse = true, "--policy=vma", "--placement=spread", budget, waivers), 1);
	assert_non_null(strstr(read_text(file("err")), "worse: vma spread munmap|mprotect"));
	assert_non_null(strstr(read_text(file("err")), "no waiver: vma spread munmap|mprotect, apart: pt_table.word"));
	write_text(file("w"), "remains vma spread *|* same_object vma.* named, and too many all the same\n");
	assert_int_equal(RUN("--policy=vma", "--placement=spread", waivers), 1);
	assert_non_null(strstr(read_text(file("err")), "below the bars of 99 % and 95 %"));
	assert_non_null(strstr(read_text(file("err")), "\n  --policy=vma --why='"));
	write_text(file("w"), "waived vma spread *|* same_object vma.* one object\n"
			      "waived vma spread *|* * rwsem.word never\n");
	assert_int_equal(RUN("--policy=vma", "--placement=spread", waivers), 1);
	assert_non_null(strstr(read_text(file("err")), "line 2 covers nothing"));
	assert_int_equal(RUN_WITH(.blind = true, "--policy=rwsem", "--only=munmap|munmap"), 1);
	assert_non_null(strstr(read_text(file("err")), "does not see its lock"));
	assert_int_equal(RUN_WITH(.wrong = true, "--policy=vma", "--only=munmap|munmap"), 1);
	assert_non_null(strstr(read_text(file("err")), "planted"));
	assert_int_equal(RUN("--policy=none-such"), 2);
	assert_int_equal(RUN("--only=munmap"), 2);
	assert_int_equal(RUN("--why=munmap|munmap", budget), 2);
	assert_int_equal(RUN("--policy=vma", "--budget=/none/such"), 2);
	assert_int_equal(RUN("--policy=vma", "--waivers=/none/such"), 2);
	assert_non_null(strstr(read_text(file("err")), "No such file"));
	assert_int_equal(RUN("--distance=1k"), 2);
	assert_int_equal(RUN("--write-budget"), 2);
	assert_int_equal(RUN("--help"), 0);
	assert_non_null(strstr(read_text(file("out")), "Examples:"));
	assert_int_equal(RUN("--list", "--only=munmap|munmap"), 0);
	assert_non_null(strstr(read_text(file("out")), "core 1  A: munmap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(books_are_right), cmocka_unit_test(budget_notices_what_gets_worse),
		cmocka_unit_test(budget_of_other_tests_is_refused), cmocka_unit_test(waivers_cover_what_they_say),
		cmocka_unit_test(what_remains_is_no_exception), cmocka_unit_test(waivers_need_a_reason),
		cmocka_unit_test(why_names_objects_and_places),
		cmocka_unit_test(pictures_are_legible_and_the_same), cmocka_unit_test(two_runs_write_the_same),
		cmocka_unit_test(several_policies_are_a_list), cmocka_unit_test(exit_codes),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
