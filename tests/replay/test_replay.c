/* SPDX-License-Identifier: MIT */
/*
 * test_replay.c - the log's parser, the plan (who waits for whom), the replay and the comparison of maps, on small
 * hand-made logs in the directory given as argument. Mutilated logs must be read without harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/prng.h"
#include "stress/replay/replay.h"

static const char *directory;

static FILE *open_file(const char *name)
{
	char path[4096];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	in = fopen(path, "re");
	assert_non_null(in);
	return in;
}

static void load(const char *name, struct log *log, struct plan *plan)
{
	FILE *in = open_file(name);

	assert_int_equal(log_read(log, in), 0);
	fclose(in);
	assert_int_equal(plan_make(plan, log), 0);
}

static void unload(struct log *log, struct plan *plan)
{
	plan_free(plan);
	log_free(log);
}

/* ---- one call's text ---- */

static bool parse(const char *text, struct record *r)
{
	static struct log log;
	bool understood;

	log_free(&log);
	*r = (struct record){ 0 };
	understood = log_parse_call(&log, text, r);
	return understood;
}

static void calls_are_understood(void **state)
{
	struct record r;

	(void)state;
	assert_true(parse(
		"mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000",
		&r));
	assert_int_equal(r.call, CALL_MMAP);
	assert_int_equal(r.len, 8192);
	assert_int_equal(r.prot, PROT_READ | PROT_WRITE);
	assert_int_equal(r.flags, MAP_PRIVATE | MAP_ANONYMOUS);
	assert_int_equal(r.result, 0x7f0000001000);
	assert_true(parse(
		"mmap(0x10000, 1, PROT_NONE, MAP_SHARED|MAP_FIXED|0x800000, 3</a, b(c)>, 0x3000) = 0x10000",
		&r));
	assert_int_equal(r.file, 1);
	assert_int_equal(r.offset, 0x3000);
	assert_true(r.odd_flags);
	assert_true(parse("munmap(0x7f0000000000, 4096)           = 0", &r));
	assert_int_equal(r.call, CALL_MUNMAP);
	assert_true(parse("munmap(0x7f0000000000, 4096 ) = -1 EINVAL (Invalid argument)", &r));
	assert_int_equal(r.result, -EINVAL);
	assert_true(parse("mremap(0x7f0000000000, 4096, 8192, MREMAP_MAYMOVE|MREMAP_FIXED, 0x7f0000010000) = "
			  "0x7f0000010000",
			  &r));
	assert_int_equal(r.new_addr, 0x7f0000010000);
	assert_true(parse("pkey_mprotect(0x7f0000000000, 4096, PROT_READ, 1) = 0", &r));
	assert_int_equal(r.call, CALL_MPROTECT);
	assert_true(parse("madvise(0x7f0000000000, 4096, MADV_HUGEPAGE) = 0", &r));
	assert_int_equal(r.advice, MADV_HUGEPAGE);
	assert_true(parse("brk(NULL) = ?", &r));
	assert_false(r.finished);
	assert_true(parse("mlock2(0x7f0000000000, 4096, MLOCK_ONFAULT) = 0", &r));
	assert_int_equal(r.call, CALL_IGNORED);
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"munmap",
		"munmap(",
		"munmap(0x1000, 4096)",
		"munmap(0x1000) = 0",
		"munmap(0x1000, 4096) = ",
		"munmap(0x, 1) = 0",
		"munmap(0x1000, 4096) = -1 EWHAT (?)",
		"mmap(NULL, 1, PROT_ODD, MAP_PRIVATE, 3, 0) = 0x1000",
		"12munmap(0, 1) = 0",
		"munmap(0x1000, 99999999999999999999999) = 0",
		"mprotect(\"a\", 4096, PROT_READ) = 0",
		") = 0",
		"mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3</unclosed, 0) = 0x1000",
		"brk(-1) = 0x1000",
		"munmap(0xffffffffff600000, 4096) = 0",
	};
	struct record r;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(parse(bad[i], &r));
}

/* ---- logs ---- */

static void plain_log(void **state)
{
	struct log log;
	struct plan plan;

	(void)state;
	load("plain.log", &log, &plan);
	assert_false(log.process_calls);
	assert_false(log.paths);
	assert_int_equal(log.bad_lines, 0);
	assert_int_equal(log.ignored, 1);
	assert_int_equal(plan.threads, 2);
	assert_int_equal(plan.steps, 10);
	assert_int_equal(plan.brk_start, 0x555555560000);
	assert_int_equal(spans_bytes(&plan.mapped), 8192 + 67108864 + 0x10000);
	unload(&log, &plan);
}

static void thread_log(void **state)
{
	struct log log;
	struct plan plan;
	uint32_t freed = UINT32_MAX, given = UINT32_MAX;

	(void)state;
	load("threads.log", &log, &plan);
	assert_true(log.process_calls && log.paths);
	assert_int_equal(log.bad_lines, 0);
	assert_int_equal(log.resumed, 5);
	assert_int_equal(log.files, 2);
	assert_string_equal(log.file[1].name, "/memfd:pool");
	assert_int_equal(log.spaces, 4);         /* before env's exec, env, prog, the forked child                 */
	assert_int_equal(plan.threads, 2);
	assert_int_equal(plan.elsewhere, 3);
	assert_int_equal(plan.foreign, 1);       /* mprotect of what exec mapped                                   */
	assert_int_equal(plan.incomparable, 2);  /* no room for 2^50 bytes; an advice without a name               */
	for (uint32_t i = 0; i < plan.steps; i++) {
		const struct record *r = &plan.step[i].r;

		freed = r->call == CALL_MUNMAP && r->result == 0 ? i : freed;
		given = r->call == CALL_MMAP && r->result == 0x7ffff5f00000 && r->line == 16 ? i : given;
	}
	assert_true(freed < given && given < plan.steps);        /* though its return stands later in the log         */
	assert_true(plan.step[given].prefix > freed);
	unload(&log, &plan);
}

static void earlier_steps_only(void **state)
{
	struct log log;
	struct plan plan;

	(void)state;
	load("threads.log", &log, &plan);
	for (uint32_t i = 0; i < plan.steps; i++) {
		const struct step *s = &plan.step[i];

		assert_true(s->prefix <= i);
		for (uint32_t k = 0; k < s->deps; k++) {
			assert_true(plan.dep[s->first_dep + k] < i);
			assert_int_not_equal(plan.step[plan.dep[s->first_dep + k]].thread, s->thread);
		}
	}
	unload(&log, &plan);
}

static void replay_all(const char *name, const char *maps_name, bool fast)
{
	struct log log;
	struct plan plan;
	struct maps snapshot = { 0 };

	load(name, &log, &plan);
	if (maps_name) {
		FILE *in = open_file(maps_name);

		assert_int_equal(maps_read(&snapshot, in, &log), 0);
		fclose(in);
	}
	for (unsigned i = 0; vmmap_policy_name(i); i++) {
		struct replay r = { .plan = &plan, .policy = vmmap_policy_name(i), .fast = fast,
				    .one_thread = !vmmap_policy_threads(i) };

		assert_int_equal(replay_run(&r), 0);
		assert_int_equal(r.calls, plan.steps);
		assert_int_equal(r.mismatches, 0);
		assert_int_equal(r.unplanned_bytes, 0);
		assert_int_equal(r.audit, 0);
		if (maps_name)
			assert_true(maps_same(&snapshot, &r.maps, &plan.mapped, log.paths, stdout));
		maps_free(&r.maps);
	}
	maps_free(&snapshot);
	unload(&log, &plan);
}

static void replays_in_order(void **state)
{
	(void)state;
	replay_all("plain.log", NULL, false);
	replay_all("threads.log", "threads.maps", false);
}

static void replays_fast(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		replay_all("threads.log", "threads.maps", true);
}

static void wrong_results_are_counted(void **state)
{
	struct log log;
	struct plan plan;
	struct replay r = { .plan = &plan, .policy = "vma" };

	(void)state;
	load("wrong.log", &log, &plan);
	assert_int_equal(replay_run(&r), 0);
	assert_int_equal(r.mismatches, 2);
	assert_int_equal(r.first[0].got, 0);             /* recorded EINVAL                                           */
	assert_int_equal(r.first[1].got, -EEXIST);       /* recorded an address that is taken                         */
	maps_free(&r.maps);
	unload(&log, &plan);
}

static void different_maps_differ(void **state)
{
	static const char *const change[][2] = {         /* in threads.maps: this, and what it becomes                */
		{ "7ffff6001000-7ffff6801000 rw-p", "7ffff6001000-7ffff6801000 r--p" },
		{ "7ffff5f00000-7ffff5f01000 rw-s 00002000", "7ffff5f00000-7ffff5f01000 rw-s 00003000" },
		{ "7ffff5f00000-7ffff5f01000 rw-s", "7ffff5f00000-7ffff5f01000 rw-p" },
		{ "/memfd:pool (deleted)", "/memfd:pond (deleted)" },
		{ "7ffff6001000-7ffff6801000", "7ffff6001000-7ffff6800000" },
	};
	struct log log;
	struct plan plan;
	struct replay r = { .plan = &plan, .policy = "vma" };
	char text[8192];
	size_t n;
	FILE *in = open_file("threads.maps");

	(void)state;
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = 0;
	load("threads.log", &log, &plan);
	assert_int_equal(replay_run(&r), 0);
	for (unsigned i = 0; i < sizeof(change) / sizeof(*change); i++) {
		char copy[8192], *where;
		struct maps changed;

		memcpy(copy, text, n + 1);
		where = strstr(copy, change[i][0]);
		assert_non_null(where);
		memcpy(where, change[i][1], strlen(change[i][1]));
		in = fmemopen(copy, n, "r");
		assert_int_equal(maps_read(&changed, in, &log), 0);
		fclose(in);
		assert_false(maps_same(&changed, &r.maps, &plan.mapped, log.paths, NULL));
		maps_free(&changed);
	}
	maps_free(&r.maps);
	unload(&log, &plan);
}

/* ---- mutilated logs ---- */

static void read_text(char *text, size_t n)
{
	FILE *in = fmemopen(text, n ? n : 1, "r");
	struct log log;
	struct plan plan;
	int err;

	assert_non_null(in);
	assert_int_equal(log_read(&log, in), 0);
	fclose(in);
	err = plan_make(&plan, &log);
	assert_true(err == 0 || err == -ENODATA);
	unload(&log, &plan);
}

static void mutilated_logs(void **state)
{
	static const char junk[] = "0(<,)=- \n|x9\"[{>.";
	struct prng rng = prng_seed(7, 7);
	char text[16384], copy[16384];
	FILE *in = open_file("threads.log");
	size_t n = fread(text, 1, sizeof(text) - 1, in);

	(void)state;
	fclose(in);
	for (size_t cut = 1; cut < n; cut += 3) {
		memcpy(copy, text, cut);
		read_text(copy, cut);
		memcpy(copy, text + cut, n - cut);
		read_text(copy, n - cut);
	}
	for (int i = 0; i < 1500; i++) {
		memcpy(copy, text, n);
		for (uint64_t k = 1 + prng_below(&rng, 12); k > 0; k--)
			copy[prng_below(&rng, n)] = junk[prng_below(&rng, sizeof(junk) - 1)];
		read_text(copy, n);
	}
}

static void spans_like_pages(void **state)
{
	struct prng rng = prng_seed(3, 1);
	struct spans s = { 0 };
	bool page[64] = { false };

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t lo = prng_below(&rng, 64), hi = lo + prng_below(&rng, 65 - lo), bytes = 0;
		bool add = prng_next(&rng) & 1;
		uint32_t n;

		assert_int_equal(add ? spans_add(&s, lo, hi) : spans_remove(&s, lo, hi), 0);
		for (uint64_t k = lo; k < hi; k++)
			page[k] = add;
		for (unsigned k = 0; k < 64; k++)
			bytes += page[k];
		assert_int_equal(spans_bytes(&s), bytes);
		lo = prng_below(&rng, 64);
		spans_meet(&s, lo, lo + 1, &n);
		assert_int_equal(n, page[lo]);
		for (uint32_t k = 1; k < s.n; k++)
			assert_true(s.span[k - 1].hi < s.span[k].lo);
	}
	spans_free(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_understood),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(plain_log),
		cmocka_unit_test(thread_log),
		cmocka_unit_test(earlier_steps_only),
		cmocka_unit_test(replays_in_order),
		cmocka_unit_test(replays_fast),
		cmocka_unit_test(wrong_results_are_counted),
		cmocka_unit_test(different_maps_differ),
		cmocka_unit_test(mutilated_logs),
		cmocka_unit_test(spans_like_pages),
	};

	directory = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
