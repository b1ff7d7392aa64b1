/* SPDX-License-Identifier: MIT */
/* test_script.c - commands of vmmap-physmem: what they mean, what they refuse, what is a mistake. */
#include "bench/physmem/figure.h"
#include "tests/unit/physmem/fixture.h"

#define BEGIN "machine memory=32M;"

static void all_of(const char *const *text, size_t n, int status)
{
	for (size_t i = 0; i < n; i++) {
		int got = script_once(text[i]);

		if (got != status)
			fail_msg("'%s': exit %d instead of %d", text[i], got, status);
	}
}

static void what_is_so(void **state)
{
	static const char *const text[] = {
		"", "# nothing", "machine", "machine; machine memory=4M; expect frames = 4M", ";;; print a ; # b",
		"machine memory=8M bytes=off; expect frames = 2048; expect frames = 2048p; expect frames = 8M",
		"machine boot=0+1M boot=2M+1M base=0 limit=1G; expect segments = 2; expect boot2.frames = 1M",
		BEGIN "plug 64M 4M d movable; expect d.free = 4M; expect d.absent = 0; expect segments = 2",
		BEGIN "plug boot+32M 4K; expect frames = 8193",
		BEGIN "alloc a 3; alloc a 2 order=3; expect a.runs = 5; expect a.frames = 19; free a 1; expect "
			"a.runs = 4",
		BEGIN "alloc a 10; free a 10 step=3; expect a.runs = 6; free a; alloc a; expect a.runs = 1",
		BEGIN "map s/h 4M; touch s/h 2M at=1M step=8K; expect s.resident = 1M; expect s.mapped = 4M",
		BEGIN "map s/h 4M policy=rwsem; touch s/h; drop s/h 1M; unmap s/h 1M at=3M; expect s.resident = 2M; "
			"verify",
		BEGIN "map s/h 4M; touch s/h; fork s t; unmap s/h; map s/h 8K; touch t/h 8K; verify; exit s; audit; "
			"verify",
		BEGIN "expect frames > 1; expect frames >= frames; expect free < 1G; expect owned <= 0; expect "
			"owned != 1",
		BEGIN "fails ENOMEM alloc a 17 order=9; expect a.frames = 32M",
		BEGIN "report on host=later; report pass now; expect report.later = 16; expect reported = 0; report "
			"off",
		BEGIN "report on host=refuse low=1M notify=4 most=4 capture=64; report pass; report off; report off",
		BEGIN "alloc a; report on; report pass now; expect reported = 30M; alloc b 15 order=9; expect "
			"reported = 0",
		BEGIN "fails ENXIO report pass; report on; fails EBUSY report on; verify; audit; machine",
		BEGIN "balloon on; balloon inflate 8M; expect balloon = 8M; fails EBUSY balloon on; balloon "
			"deflate; audit",
		BEGIN "balloon on order=9 low=4M; balloon inflate 1G; expect balloon = 28M; alloc a 7000; expect "
			"balloon <= 8M; audit; machine",
		BEGIN "balloon on host=refuse; balloon inflate 8M; expect balloon = 0; balloon off; balloon off",
		BEGIN "fails ENXIO balloon inflate 8M; fails ENXIO balloon deflate; balloon on; balloon off; fails "
			"ENXIO balloon inflate 8M; balloon on; balloon inflate 8M; machine; fails ENXIO balloon "
			"deflate",
		BEGIN "balloon on host=refuse; fails EBUSY balloon on; balloon inflate 8M; expect balloon = 0",
		BEGIN "report on host=refuse; fails EBUSY report on; report pass now; expect report.accepted = 0",
		BEGIN "poison 4M; expect poisoned = 1; unpoison 4M; poison boot",
		BEGIN "alloc a; fails EBUSY poison a; free a; fails EINVAL poison 64M; fails EINVAL unpoison 0; "
			"poison 5M",
		BEGIN "plug 64M 4M d movable; unplug d 4M; plug 64M 4M d; unplug d 1M; expect d.frames = 3M",
		BEGIN "alloc a 16 order=9; fails EBUSY unplug 4M 4K; expect unplug.held >= 1; unplug 4M 4K mode=revoke",
		BEGIN "listen on; unplug 4M 4M; listen veto; fails EPERM unplug 8M 4M; expect unplug.veto = 1; "
			"fails EPERM plug 4M 4M; listen off; unplug 8M 4M; expect unplug.veto = 0",
		BEGIN "map s/h 40M; fails ENOMEM touch s/h; fails EBUSY unplug 0 4M mode=wait attempts=2; expect "
			"unplug.no_room = 4M; expect unplug.held = 0",
		BEGIN "fails ENXIO unplug 40M 4K; fails EINVAL unplug 4G 4K; fails ENOMEM unplug 0 32M; expect "
			"unplug.first = 0; expect unplug.all = 32M; unplug 0 31M; fails ENXIO unplug 30M 2M; expect "
			"unplug.first = 30M; expect unplug.absent = 1M; expect unplug.all = 0",
		BEGIN "map s/h 28M; touch s/h; fails ENOMEM unplug 0 16M; expect unplug.no_room >= 1M; expect "
			"unplug.moved = 0; pin a s/h 1p; fails EBUSY unplug 0 16M; expect unplug.pinned = 1p; expect "
			"unplug.first = a.first; verify",
		BEGIN "alloc a 16 order=9; fails ETIMEDOUT unplug 4M 4K mode=wait within=1ms; unplug 0 4K mode=revoke",
		BEGIN "alloc a 16 order=9; fails EBUSY unplug 4M 4K mode=wait attempts=3; free a; unplug 4M 4K; audit",
		BEGIN "fails EEXIST plug 0 4K; fails EINVAL plug 2G 4K",
		BEGIN "map s/h 4M; touch s/h; pin a s/h 1M at=1M; pin b s/h 2p at=1M; expect pinned = 1M; expect "
			"a.pages = 1M; expect s.resident = 4M; unpin a 200; expect a.pages = 56p; unpin a; expect "
			"pinned = 2p; inspect b; fails EBUSY poison b; unpin b; expect pinned = 0; poison s/h at=1M; "
			"verify",
		BEGIN "map s/h 1M; pin a s/h step=4p; expect a.pages = 64p; expect s.resident = 256K; inspect s/h; "
			"drop s/h; expect pinned = 256K; verify; exit s; audit; verify; unpin a; expect owned = 0",
		BEGIN "map s/h 8K; pin a s/h; fork s t; expect owned = 4p; touch s/h; touch t/h; verify; unmap s/h 4K; "
			"verify; machine",
		BEGIN "plug 64M 4M d movable; map s/h 8M; touch s/h; pin a s/h; expect d.pinned = 0; unplug d 4M; "
			"verify; fails EBUSY unplug 0 16M; expect unplug.pinned = a.pages; expect unplug.first = "
			"a.first; unplug 0 16M mode=revoke; expect a.pages = 0; expect s.resident = 8M; verify",
		"machine memory=4M bytes=off; map s/h 1M; pin a s/h; fails EBUSY unplug 0 2M; unpin a; unplug 0 2M",
		BEGIN "map s/h 64M; fails ENOMEM pin a s/h; expect pinned = 0; pin a s/h 1M; verify; audit",
		BEGIN "map s/h 64M; fails ENOMEM touch s/h; expect s.resident >= 31M; verify",
	};

	(void)state;
	all_of(text, ARRAY_SIZE(text), CLI_OK);
}

static void what_is_not_so(void **state)
{
	static const char *const text[] = {
		BEGIN "expect frames = 31M; print not reached", BEGIN "expect owned > 0", BEGIN "plug 0 4K",
		BEGIN "alloc a 33 order=9", BEGIN "fails EEXIST plug 64M 4K", BEGIN "fails ENOMEM plug 0 4K",
		"machine memory=4M; map s/h 8M; touch s/h", "machine boot=0+4M boot=2M+4M",
		"machine limit=4M memory=8M",
		BEGIN "map s/h 8K; unmap s/h 4K; pin a s/h", BEGIN "map s/h 64M; pin a s/h",
		BEGIN "map s/h 1M; unmap s/h 4K; touch s/h 4K", BEGIN "map s/h 4K policy=nonsense",
	};

	(void)state;
	all_of(text, ARRAY_SIZE(text), CLI_VIOLATION);
}

static void what_means_nothing(void **state)
{
	static const char *const text[] = {
		"nonsense", "alloc a", "show", "verify", "map s/h 4K",
		"expect frames = 1",      /* no machine          */
		"machine 4M", "machine memory=5", "machine memory=5000", "machine bytes=maybe", "machine mem=4M",
		"machine memory=4M boot=0+4M", "machine boot=4M", "machine limit=x",
		BEGIN "plug 64M", BEGIN "plug x 4M", BEGIN "plug 64M 4M a b", BEGIN "plug 64M 0p",
		BEGIN "plug 64M 4M 9x",
		BEGIN "plug 64M 4M boot", BEGIN "plug 64M 4M a movable c", BEGIN "plug -1 4K",
		BEGIN "alloc a 1 order=10", BEGIN "alloc a x", BEGIN "alloc boot", BEGIN "free a",
		BEGIN "alloc a; free a 2",
		BEGIN "alloc a 4; free a step=0", BEGIN "alloc a order=1 step=2",
		BEGIN "map s 4K", BEGIN "map s/ 4K", BEGIN "map s/h/i 4K", BEGIN "map s/h 4K; map s/h 4K",
		BEGIN "touch s/h",
		BEGIN "map s/h 8K; touch s/i", BEGIN "map s/h 8K; touch s/h 12K", BEGIN "map s/h 8K; touch s/h at=8K",
		BEGIN "map s/h 8K; touch s/h at=4K 8K", BEGIN "map s/h 4K; map s/i 4K policy=vma", BEGIN "fork s t",
		BEGIN "map s/h 4K; fork s boot", BEGIN "map s/h 4K; exit s/h", BEGIN "exit t",
		BEGIN "pin", BEGIN "pin a", BEGIN "pin a s/h", BEGIN "map s/h 4K; pin boot s/h",
		BEGIN "map s/h 4K; pin s s/h", BEGIN "map s/h 4K; pin 9 s/h", BEGIN "map s/h 4K; pin a s/h 8K",
		BEGIN "map s/h 4K; pin a s/h; alloc a", BEGIN "unpin a", BEGIN "map s/h 4K; pin a s/h; unpin a 2",
		BEGIN "map s/h 4K; pin a s/h; unpin a; unpin a", BEGIN "map s/h 4K; pin a s/h; expect a.runs = 1",
		BEGIN "alloc a; unplug 0 31M mode=revoke; inspect a",
		BEGIN "report", BEGIN "report maybe", BEGIN "report on now", BEGIN "report on host=x",
		BEGIN "report pass x",
		BEGIN "balloon", BEGIN "balloon inflate", BEGIN "balloon on 4M", BEGIN "balloon inflate x",
		BEGIN "poison",
		BEGIN "balloon on order=10", BEGIN "poison 3G", BEGIN "unpoison a", BEGIN "map s/h 4K; poison s/h",
		BEGIN "unplug 4M", BEGIN "unplug 4M x", BEGIN "unplug 4M 4K mode=x", BEGIN "unplug 4M 4K within=x",
		BEGIN "unplug 4M 4K attempts=x", BEGIN "listen", BEGIN "listen maybe",
		BEGIN "report on most=5000", BEGIN "report on low=x",
		BEGIN "expect frames", BEGIN "expect nonsense = 1", BEGIN "expect frames ~ 1",
		BEGIN "expect frames = x",
		BEGIN "expect boot.x = 1", BEGIN "expect .x = 1", BEGIN "fails", BEGIN "fails EWHAT plug 0 4K",
		BEGIN "fails EINVAL nonsense", BEGIN "inspect 2G", BEGIN "map s/h 4K; inspect s/h",
		BEGIN "picture a.gif",
		BEGIN "picture .svg", BEGIN "picture 'a.svg", "machine bytes=off; verify",
		BEGIN "print 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32",
	};

	(void)state;
	all_of(text, ARRAY_SIZE(text), CLI_USAGE);
}

/* The first command that does not work ends a script; the line is told. Who types goes on. */
static void where_it_ends(void **state)
{
	(void)state;
	script_open();
	assert_int_equal(script_do("machine\nprint one\n\nnonsense\nprint two\n"), CLI_USAGE);
	assert_string_equal(script_printed(), "one\n");
	assert_int_equal(script.line, 4);
	assert_int_equal(script.commands, 3);
	assert_int_equal(script.failures, 1);
	script.go_on = true;
	assert_int_equal(script_do("nonsense; print two\nexpect frames = 1\nprint three\n"), CLI_VIOLATION);
	assert_non_null(strstr(script_printed(), "two\n"));
	assert_non_null(strstr(script_printed(), "three\n"));
	assert_int_equal(script.failures, 3);
	script_close();
}

/* What is in memory is not what was stored: verify says so. */
static void what_is_lost_is_told(void **state)
{
	uint64_t wrong = 99;

	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=8M; alloc a 2 order=1; map s/h 64K; touch s/h; verify"), CLI_OK);
	assert_int_equal(vmmap_write(script.board.space[0].map, script.board.space[0].mapping[0].addr + 4096, &wrong,
				     sizeof(wrong)), sizeof(wrong));
	assert_int_equal(script_do("verify"), CLI_VIOLATION);
	assert_int_equal(board_verify(&script.board, stderr), 1);
	memset(physmem_frame_bytes(script.board.pm, script.board.group[0].run[1].pfn + 1), 0, 4096);
	assert_int_equal(board_verify(&script.board, stderr), 2);
	assert_int_equal(script_do("pin b s/h 2p at=4p; drop s/h 1p at=4p"), CLI_OK);
	assert_int_equal(board_verify(&script.board, stderr), 2);
	script.board.pins[0].pin[1].pfn--;                       /* not the page's */
	assert_int_equal(board_verify(&script.board, stderr), 3);
	script.board.pins[0].pin[1].pfn++;
	memset(physmem_frame_bytes(script.board.pm, script.board.pins[0].pin[0].pfn), 0, 4096);
	assert_int_equal(board_verify(&script.board, stderr), 3);
	script_close();
}

static void figures_add_up(void **state)
{
	struct figure_value frames, owned, movable, pinned, unmovable, available;

	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=32M; plug 64M 6M d movable; alloc a 5 order=2; map s/h 4M; touch "
				   "s/h; drop s/h step=2p; pin p s/h 8p at=1028K step=2p; pin q s/h 1p at=1028K; show; "
				   "segments; inspect a; inspect s/h at=1p; inspect 63M"), CLI_OK);
	assert_true(figure_get(&script.board, "frames", &frames));
	assert_true(figure_get(&script.board, "owned", &owned));
	assert_true(figure_get(&script.board, "movable", &movable));
	assert_true(figure_get(&script.board, "pinned", &pinned));
	assert_true(figure_get(&script.board, "unmovable", &unmovable));
	assert_true(figure_get(&script.board, "available", &available));
	assert_int_equal(frames.n, (38 << 20) / 4096);
	assert_int_equal(owned.n, movable.n + pinned.n + unmovable.n);
	assert_int_equal(unmovable.n, 20);
	assert_int_equal(pinned.n, 4);
	assert_int_equal(movable.n, 508);
	assert_int_equal(available.n, frames.n - owned.n);
	assert_non_null(strstr(script_printed(), "of an address space, generation 1, 1 references, 1 of them entries"));
	assert_non_null(strstr(script_printed(), "frame 0 of a run of 4"));
	assert_non_null(strstr(script_printed(), "absent"));
	script_close();
}

/* Whatever is left by an unplug, `expect` can ask for it. */
static void each_reason_has_a_figure(void **state)
{
	(void)state;
	script_open();
	assert_int_equal(script_do("machine memory=4M"), CLI_OK);
	for (unsigned i = 0; i < PHYSMEM_REASONS; i++)
		script.board.unplugged.left[i] = 77700 + i;
	assert_int_equal(script_do("show"), CLI_OK);
	for (unsigned i = 0; i < PHYSMEM_REASONS; i++) {
		char number[16];

		snprintf(number, sizeof(number), " %u ", 77700 + i);
		if (strstr(script_printed(), number) == NULL)
			fail_msg("no figure for reason %u of physmem_hotplug.h", i);
	}
	script_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_so),
		cmocka_unit_test(what_is_not_so),
		cmocka_unit_test(what_means_nothing),
		cmocka_unit_test(where_it_ends),
		cmocka_unit_test(what_is_lost_is_told),
		cmocka_unit_test(figures_add_up),
		cmocka_unit_test(each_reason_has_a_figure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
