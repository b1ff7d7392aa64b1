/* SPDX-License-Identifier: MIT */
/* child.c - see child.h. */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int child_path(const char *suffix, char *path, size_t bytes)
{
	ssize_t n = readlink("/proc/self/exe", path, bytes - strlen(suffix) - 1);

	if (n <= 0)
		return -ENOENT;
	memcpy(path + n, suffix, strlen(suffix) + 1);
	return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

int child_start(struct child *child, const char *path, char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int fd[2], err;

	if (pipe2(fd, O_CLOEXEC) != 0)
		return -errno;
	fflush(NULL);
	posix_spawn_file_actions_init(&actions);
	err = posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
	if (!err)
		err = posix_spawn(&child->pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	child->out = err ? NULL : fdopen(fd[0], "r");
	if (!child->out)
		close(fd[0]);
	return -err;
}

int child_end(struct child *child)
{
	int status;

	fclose(child->out);
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -EIO;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}
