/* SPDX-License-Identifier: MIT */
/* test_cli.c - texts to numbers, subcommands, messages, exit codes. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/tool/cli.h"
#include "tests/unit/base/crew.h"

typedef int (*parse_fn)(const char *text, uint64_t *out);
struct row { const char *text; int rc; uint64_t value; };

static void check_rows(parse_fn parse, const struct row *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 12345;
		int rc = parse(row[i].text, &value);

		if (rc != row[i].rc || value != (rc == 0 ? row[i].value : 12345))
			fail_msg("'%s': %d, %llu", row[i].text, rc, (unsigned long long)value);
	}
}

static void durations(void **state)
{
	static const struct row row[] = {
		{ "10", 0, 10000000000 }, { "0.5", 0, 500000000 }, { "10ns", 0, 10 }, { "5us", 0, 5000 },
		{ "10ms", 0, 10000000 }, { "1.5s", 0, 1500000000 }, { "2m", 0, 120000000000 },
		{ "1h", 0, 3600000000000 },
		{ "0", 0, 0 }, { "", -EINVAL, 0 }, { "x", -EINVAL, 0 }, { "-1s", -EINVAL, 0 }, { "1x", -EINVAL, 0 },
		{ "s", -EINVAL, 0 }, { "nan", -EINVAL, 0 }, { "inf", -EINVAL, 0 }, { "1e30", -ERANGE, 0 },
		{ "1 s", -EINVAL, 0 },
	};

	(void)state;
	check_rows(cli_parse_duration, row, ARRAY_SIZE(row));
}

static void sizes(void **state)
{
	static const struct row row[] = {
		{ "4096", 0, 4096 }, { "4k", 0, 4096 }, { "64KiB", 0, 65536 }, { "2M", 0, 2097152 },
		{ "1.5G", 0, 1610612736 }, { "1T", 0, 1099511627776 },
		{ "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -ERANGE, 0 },
		{ "20000000T", -ERANGE, 0 }, { "0x1000", -EINVAL, 0 }, { "4kk", -EINVAL, 0 }, { "k", -EINVAL, 0 },
	};

	(void)state;
	check_rows(cli_parse_size, row, ARRAY_SIZE(row));
}

static void counts_and_seeds(void **state)
{
	static const struct row count[] = {
		{ "0", 0, 0 }, { "1000", 0, 1000 }, { "10k", 0, 10000 }, { "1M", 0, 1000000 }, { "1e6", 0, 1000000 },
		{ "1,000,000", 0, 1000000 }, { "9007199254740993", 0, 9007199254740993 }, { ",1", -EINVAL, 0 },
		{ "1,", -EINVAL, 0 }, { "1,,0", -EINVAL, 0 }, { "many", -EINVAL, 0 },
	};
	static const struct row seed[] = {
		{ "42", 0, 42 }, { "0x2a", 0, 42 }, { "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 }, { "-1", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "4x", -EINVAL, 0 },
	};
	uint64_t a, b;

	(void)state;
	check_rows(cli_parse_count, count, ARRAY_SIZE(count));
	check_rows(cli_parse_seed, seed, ARRAY_SIZE(seed));
	assert_int_equal(cli_parse_seed("random", &a), 0);
	assert_int_equal(cli_parse_seed("random", &b), 0);
	assert_true(a != b);
}

static void lists_and_choices(void **state)
{
	static const char *const names[] = { "none", "rwlock", "vma" };
	char text[] = "1,2,4", one[] = "7";
	char *item[4];

	(void)state;
	assert_int_equal(cli_list("--threads", text, item, 4), 3);
	assert_string_equal(item[0], "1");
	assert_string_equal(item[2], "4");
	assert_int_equal(cli_list("--threads", one, item, 1), 1);
	assert_int_equal(cli_choice("--policy", "vma", names, 3), 2);
	assert_int_equal(cli_count("--n", "5", 5, 5), 5);
	assert_true(cli_real("--r", "0.25", 0, 1) == 0.25);
}

/* ---- what ends the program: in a child ---- */

static int run_child(int (*fn)(void), char *text, size_t bytes)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		dup2(fd[1], STDOUT_FILENO);
		exit(fn());
	}
	close(fd[1]);
	while (len + 1 < bytes && (n = read(fd[0], text + len, bytes - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run_lock(int argc, char **argv)
{
	printf("%s %d %s\n", argv[0], argc, argc > 1 ? argv[1] : "");
	return CLI_VIOLATION;
}

static const struct cli_command commands[] = { { "lock", "locks things", run_lock } };

static int call(char *arg)
{
	char self[] = "bin/prog", more[] = "more";
	char *argv[] = { self, arg, more, NULL };

	return cli_run("About.\vExamples:\n  prog lock", commands, 1, arg ? 3 : 1, argv);
}

static int call_lock(void) { char a[] = "lock"; return call(a); }
static int call_help(void) { char a[] = "--help"; return call(a); }
static int call_none(void) { return call(NULL); }
static int call_wrong(void) { char a[] = "luck"; return call(a); }
static int bad_duration(void) { return (int)cli_duration("--hold", "soon"); }
static int bad_size(void) { return (int)cli_size("--bytes", "big"); }
static int bad_count(void) { return (int)cli_count("--threads", "0", 1, 1024); }
static int bad_seed(void) { return (int)cli_seed("--seed", "x"); }
static int bad_real(void) { return (int)cli_real("--ratio", "1.5", 0, 1); }
static int bad_choice(void)
{
	static const char *const names[] = { "none", "rwlock" };

	return (int)cli_choice("--policy", "nine", names, 2);
}
static int bad_list(void) { char t[] = "1,,2", *item[8]; return (int)cli_list("--threads", t, item, 8); }
static int long_list(void) { char t[] = "1,2,3", *item[2]; return (int)cli_list("--threads", t, item, 2); }

static error_t no_option(int key, char *arg, struct argp_state *st)
{
	(void)arg;
	(void)st;
	return key == ARGP_KEY_ARG ? ARGP_ERR_UNKNOWN : 0;
}

static int bad_option(void)
{
	static const struct argp argp = { NULL, no_option, NULL, NULL, NULL, NULL, NULL };
	char self[] = "prog", option[] = "--no-such-option";
	char *argv[] = { self, option, NULL };

	cli_parse(&argp, 2, argv, NULL);
	return 0;
}

static void errors_name_the_option_the_text_and_the_remedy(void **state)
{
	static const struct { int (*fn)(void); const char *option, *text; } bad[] = {
		{ bad_duration, "--hold", "soon" }, { bad_size, "--bytes", "big" }, { bad_count, "--threads", "1024" },
		{ bad_seed, "--seed", "'x'" }, { bad_real, "--ratio", "1.5" }, { bad_choice, "--policy", "rwlock" },
		{ bad_list, "--threads", "empty" }, { long_list, "--threads", "2" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(run_child(bad[i].fn, text, sizeof(text)), CLI_USAGE);
		assert_non_null(strstr(text, bad[i].option));
		assert_non_null(strstr(text, bad[i].text));
		assert_non_null(strstr(text, "\n  "));           /* the remedy's line */
	}
	assert_int_equal(run_child(bad_option, text, sizeof(text)), CLI_USAGE);
}

static void subcommands(void **state)
{
	char text[1024];

	(void)state;
	assert_int_equal(run_child(call_lock, text, sizeof(text)), CLI_VIOLATION);
	assert_string_equal(text, "prog lock 2 more\n");
	assert_int_equal(run_child(call_help, text, sizeof(text)), CLI_OK);
	assert_non_null(strstr(text, "\nAbout.\n\n  lock         locks things\n\n"));
	assert_non_null(strstr(text, "of one.\n\nExamples:\n  prog lock\n"));
	assert_null(strchr(text, '\v'));
	assert_int_equal(run_child(call_none, text, sizeof(text)), CLI_USAGE);
	assert_int_equal(run_child(call_wrong, text, sizeof(text)), CLI_USAGE);
	assert_non_null(strstr(text, "'luck' is not a command"));
	assert_non_null(strstr(text, "locks things"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(counts_and_seeds),
		cmocka_unit_test(lists_and_choices),
		cmocka_unit_test(errors_name_the_option_the_text_and_the_remedy),
		cmocka_unit_test(subcommands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
