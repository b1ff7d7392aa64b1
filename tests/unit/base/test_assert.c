/* SPDX-License-Identifier: MIT */
/* test_assert.c - a failed check says which one, and aborts. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/assert.h"
#include "tests/unit/base/crew.h"

/* Runs fn in a child with stderr in a pipe. Returns the wait status; text: what it wrote. */
static int run_child(void (*fn)(void), char *text, size_t bytes)
{
	int fd[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(fd[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fd[1]);
	while (len + 1 < bytes && (n = read(fd[0], text + len, bytes - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void failing_check(void)
{
	int two = 2;

	CHECK(two == 3);
}

static void failing_with_words(void)
{
	assert_failed("rank", "file.c", 12, "held %d, wanted %s", 4, "three");
}

static void passing_check(void)
{
	int two = 2;

	CHECK(two == 2);
}

static void a_failed_check_aborts_and_tells(void **state)
{
	char text[512];
	int status = run_child(failing_check, text, sizeof(text));

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "two == 3"));
	assert_non_null(strstr(text, "test_assert.c:"));
	status = run_child(failing_with_words, text, sizeof(text));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "file.c:12"));
	assert_non_null(strstr(text, "held 4, wanted three"));
}

static void a_passing_check_does_nothing(void **state)
{
	char text[512];
	int status = run_child(passing_check, text, sizeof(text));

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_check_aborts_and_tells),
		cmocka_unit_test(a_passing_check_does_nothing),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
