/* SPDX-License-Identifier: MIT */
/* log.c - see log.h. Lines to records; then which records share an address space. */
#include "stress/replay/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "stress/replay/names.h"

const char *const call_name[CALL_REPLAYED] = { "mmap", "munmap", "mprotect", "mremap", "madvise", "brk" };

#define ARGUMENTS 8
#define NO_SPACE UINT32_MAX
#define SANE (UINT64_C(1) << 48)                 /* larger addresses and lengths are not replayed                  */

struct text { const char *at; size_t n; };

/* The open calls: what strace printed before "<unfinished ...>". One per thread. */
struct pending { char *text; uint32_t line; };

/* Makes room for one more element of an array that grows by doubling. */
static bool grow(void *array, uint32_t used, size_t size)
{
	void **p = array, *more;

	if (used && (used & (used - 1)))
		return true;
	more = realloc(*p, (used ? used * 2 : 1) * size);
	if (more)
		*p = more;
	return more != NULL;
}

static uint32_t file_of(struct log *log, const char *name, size_t n)
{
	static const char deleted[] = " (deleted)", tight[] = "(deleted)";

	if (n > sizeof(deleted) && !memcmp(name + n - sizeof(deleted) + 1, deleted, sizeof(deleted) - 1))
		n -= sizeof(deleted) - 1;
	else if (n > sizeof(tight) && !memcmp(name + n - sizeof(tight) + 1, tight, sizeof(tight) - 1))
		n -= sizeof(tight) - 1;
	for (uint32_t i = 0; i < log->files; i++) {
		if (strlen(log->file[i].name) == n && !memcmp(log->file[i].name, name, n))
			return i + 1;
	}
	if (!grow(&log->file, log->files, sizeof(*log->file)))
		return 0;
	log->file[log->files] = (struct log_file){ .name = strndup(name, n) };
	return log->file[log->files].name ? ++log->files : 0;
}

/* ---- one call ---- */

/* Splits at commas outside of quotes, brackets and <paths>. Returns the number, and where the closing ')' is. */
static unsigned split(const char *p, struct text *args, const char **close)
{
	unsigned n = 0, depth = 0;
	const char *start = p, *end;
	bool quoted = false, path = false;

	for (; *p; p++) {
		if (quoted) {
			if (*p == '\\' && p[1])
				p++;
			else
				quoted = *p != '"';
		} else if (path) {
			path = *p != '>';
		} else if (*p == '"') {
			quoted = true;
		} else if (*p == '<' && p > start && isdigit((unsigned char)p[-1]) && p[1] != '<') {
			path = true;
		} else if (strchr("({[", *p)) {
			depth++;
		} else if (depth && strchr(")}]", *p)) {
			depth--;
		} else if (!depth && (*p == ',' || *p == ')')) {
			while (*start == ' ')
				start++;
			for (end = p; end > start && end[-1] == ' ';)
				end--;                   /* strace leaves a space before "<unfinished ...>"        */
			if (n < ARGUMENTS && end > start)
				args[n++] = (struct text){ start, (size_t)(end - start) };
			start = p + 1;
			if (*p == ')') {
				*close = p;
				return n;
			}
		}
	}
	*close = NULL;
	return n;
}

static bool number(struct text t, uint64_t *value)
{
	char *end;

	if (t.n == 4 && !memcmp(t.at, "NULL", 4)) {
		*value = 0;
		return true;
	}
	if (!t.n || !isdigit((unsigned char)*t.at))
		return false;
	errno = 0;
	*value = strtoull(t.at, &end, 0);
	return end == t.at + t.n && !errno;
}

static bool flags(enum name_kind kind, struct text t, int *value, bool *odd)
{
	*value = names_flags(kind, t.at, t.n, odd);
	return *value >= 0;
}

/* "3</path>", "3", "-1" */
static bool file_argument(struct log *log, struct text t, struct record *r)
{
	const char *angle = memchr(t.at, '<', t.n);

	if (r->flags & MAP_ANONYMOUS)
		return true;
	if (*t.at == '-')
		return true;
	if (angle && t.at[t.n - 1] == '>') {
		log->paths = true;
		r->file = file_of(log, angle + 1, (size_t)(t.at + t.n - angle) - 2);
	} else {
		char name[32];

		r->file = file_of(
			log, name,
			(size_t)snprintf(name, sizeof(name), "fd %.*s", (int)(t.n > 16 ? 16 : t.n), t.at));
	}
	return r->file != 0;
}

static bool result_of(const char *text, struct record *r)
{
	size_t n;

	while (*text == ' ')
		text++;
	if (*text != '=')
		return false;
	while (*++text == ' ')
		;
	r->finished = *text != '?';
	if (!r->finished)
		return true;
	if (*text == '-') {
		text = strchr(text, ' ');
		if (!text)
			return false;
		n = strcspn(++text, " \n");
		r->result = -names_errno(text, n);
		return r->result != 0;
	}
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	r->result = (int64_t)strtoull(text, NULL, 0);
	return !errno && r->result >= 0;
}

static bool parse_mmap(struct log *log, const struct text *a, unsigned n, struct record *r)
{
	return n == 6 && number(a[0], &r->addr) && number(a[1], &r->len) &&
	       flags(NAME_PROT, a[2], &r->prot, &r->odd_flags) &&
	       flags(NAME_MAP, a[3], &r->flags, &r->odd_flags) && number(a[5], &r->offset) &&
	       file_argument(log, a[4], r);
}

static bool parse_arguments(struct log *log, const struct text *a, unsigned n, struct record *r)
{
	switch (r->call) {
	case CALL_MMAP:
		return parse_mmap(log, a, n, r);
	case CALL_MUNMAP:
		return n == 2 && number(a[0], &r->addr) && number(a[1], &r->len);
	case CALL_MPROTECT:
		return n >= 3 && number(a[0], &r->addr) && number(a[1], &r->len) &&
		       flags(NAME_PROT, a[2], &r->prot, &r->odd_flags);
	case CALL_MREMAP:
		return n >= 4 && number(a[0], &r->addr) && number(a[1], &r->len) && number(a[2], &r->new_len) &&
		       flags(NAME_MREMAP, a[3], &r->flags, &r->odd_flags) && (n < 5 || number(a[4], &r->new_addr));
	case CALL_MADVISE:
		return n == 3 && number(a[0], &r->addr) && number(a[1], &r->len) &&
		       flags(NAME_MADVISE, a[2], &r->advice, &r->odd_flags);
	case CALL_BRK:
		return n == 1 && number(a[0], &r->addr);
	default:
		return true;
	}
}

static const struct { const char *name; enum call call; } calls[] = {
	{ "mmap", CALL_MMAP }, { "mmap2", CALL_MMAP }, { "munmap", CALL_MUNMAP }, { "mprotect", CALL_MPROTECT },
	{ "pkey_mprotect", CALL_MPROTECT }, { "mremap", CALL_MREMAP }, { "madvise", CALL_MADVISE }, { "brk", CALL_BRK },
	{ "clone", CALL_CLONE }, { "clone3", CALL_CLONE }, { "fork", CALL_CLONE }, { "vfork", CALL_CLONE },
	{ "execve", CALL_EXEC }, { "execveat", CALL_EXEC }, { "exit", CALL_EXIT }, { "exit_group", CALL_EXIT },
};

bool log_parse_call(struct log *log, const char *text, struct record *r)
{
	struct text args[ARGUMENTS];
	size_t n = strcspn(text, "(");
	const char *close, *end;
	uint64_t limit;
	unsigned count;

	if (!text[n] || !n || !(isalpha((unsigned char)*text) || *text == '_'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	}
	r->call = CALL_IGNORED;
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (strlen(calls[i].name) == n && !memcmp(calls[i].name, text, n))
			r->call = calls[i].call;
	}
	if (r->call == CALL_CLONE)
		r->shared_space = strstr(text, "CLONE_VM") || *text == 'v';
	if (r->call >= CALL_REPLAYED) {          /* their arguments may hold anything: only the result matters     */
		end = strrchr(text, '=');
		return end && (result_of(end, r) || r->call != CALL_CLONE);
	}
	count = split(text + n + 1, args, &close);
	if (!close || !parse_arguments(log, args, count, r) || !result_of(close + 1, r))
		return false;
	limit = r->result < 0 ? SANE * 4096 : SANE;      /* what failed may have asked for anything                   */
	return r->addr < limit && r->len < limit && r->new_len < limit && r->new_addr < limit &&
	       r->offset < SANE * 256 && r->result < (int64_t)SANE;
}

/* ---- lines ---- */

static int64_t thread_index(struct log *log, int64_t tid)
{
	for (uint32_t i = log->threads; i-- > 0;) {
		if (log->thread[i].tid == tid && !log->thread[i].exited)
			return i;
	}
	if (!grow(&log->thread, log->threads, sizeof(*log->thread)))
		return -ENOMEM;
	log->thread[log->threads] = (struct log_thread){ .tid = tid };
	return log->threads++;
}

/* Skips "123 1700000000.123456 " or "[pid 123] 170... " or less; returns the call's text. */
static const char *prefix(const char *p, int64_t *tid)
{
	char *end;

	*tid = 0;
	if (!strncmp(p, "[pid", 4)) {
		*tid = strtoll(p + 4, &end, 10);
		p = *end == ']' ? end + 1 : end;
	} else if (isdigit((unsigned char)*p)) {
		size_t digits = strspn(p, "0123456789");

		if (p[digits] == ' ') {
			*tid = strtoll(p, &end, 10);
			p = end;
		}
	}
	while (*p == ' ')
		p++;
	if (isdigit((unsigned char)*p) && p[strspn(p, "0123456789.:")] == ' ')
		p += strspn(p, "0123456789.:");
	while (*p == ' ')
		p++;
	return p;
}

static int add(struct log *log, const char *text, uint32_t thread, uint32_t line)
{
	struct record r = { .thread = thread, .space = NO_SPACE, .line = line, .end_line = log->lines };

	if (!log_parse_call(log, text, &r)) {
		log->bad_lines++;
		return 0;
	}
	log->process_calls |= r.call == CALL_CLONE || r.call == CALL_EXEC;
	if (r.file) {
		struct log_file *file = &log->file[r.file - 1];
		uint64_t end = r.offset + ((r.len + 4095) & ~UINT64_C(4095));

		file->size = end > file->size ? end : file->size;
	}
	if (!grow(&log->record, log->records, sizeof(*log->record)))
		return -ENOMEM;
	log->record[log->records++] = r;
	return 0;
}

static int resume(struct log *log, struct pending *open, const char *text, uint32_t thread)
{
	const char *rest = strstr(text, "resumed>");
	char *whole;
	int err;

	if (!open->text || !rest) {
		log->orphans++;
		return 0;
	}
	if (asprintf(&whole, "%s%s", open->text, rest + strlen("resumed>")) < 0)
		return -ENOMEM;
	log->resumed++;
	err = add(log, whole, thread, open->line);
	free(whole);
	free(open->text);
	open->text = NULL;
	return err;
}

static int read_line(struct log *log, struct pending **pending, uint32_t *pendings, char *line)
{
	int64_t tid, thread;
	const char *text = prefix(line, &tid), *cut;
	struct pending *open;

	if (!*text)
		return 0;
	thread = thread_index(log, tid);
	if (thread < 0)
		return (int)thread;
	if (thread >= *pendings) {
		struct pending *more = realloc(*pending, ((size_t)thread + 16) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		memset(more + *pendings, 0, ((size_t)thread + 16 - *pendings) * sizeof(*more));
		*pending = more;
		*pendings = (uint32_t)thread + 16;
	}
	open = &(*pending)[thread];
	if (!strncmp(text, "+++", 3)) {
		log->thread[thread].exited = true;
		return 0;
	}
	if (!strncmp(text, "---", 3) || !strncmp(text, "strace:", 7))
		return 0;
	if (!strncmp(text, "<...", 4))
		return resume(log, open, text, (uint32_t)thread);
	cut = strstr(text, "<unfinished ...>");
	if (cut) {
		free(open->text);
		*open = (struct pending){ strndup(text, (size_t)(cut - text)), log->lines };
		return open->text ? 0 : -ENOMEM;
	}
	return add(log, text, (uint32_t)thread, log->lines);
}

static int by_start(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* ---- address spaces ---- */

/* The call that made thread t, started before `line`. */
static const struct record *maker(const struct log *log, uint32_t thread, uint32_t line)
{
	const struct record *found = NULL;

	for (uint32_t i = 0; i < log->records && log->record[i].line < line; i++) {
		const struct record *r = &log->record[i];

		if (r->call == CALL_CLONE && r->finished && r->result == log->thread[thread].tid && r->thread != thread)
			found = r;
	}
	return found;
}

static int assign_spaces(struct log *log)
{
	uint32_t *space = malloc((log->threads + 1) * sizeof(*space));

	if (!space)
		return -ENOMEM;
	for (uint32_t t = 0; t < log->threads; t++)
		space[t] = NO_SPACE;
	log->spaces = 1;
	for (uint32_t i = 0; i < log->records; i++) {
		struct record *r = &log->record[i];

		if (space[r->thread] == NO_SPACE) {
			const struct record *parent = log->process_calls ? maker(log, r->thread, r->line) : NULL;

			space[r->thread] = !parent ? 0 : parent->shared_space ? space[parent->thread] : log->spaces++;
		}
		r->space = space[r->thread];
		if (r->call == CALL_EXEC && r->finished && r->result == 0)
			space[r->thread] = log->spaces++;
	}
	free(space);
	return 0;
}

int log_read(struct log *log, FILE *in)
{
	struct pending *pending = NULL;
	uint32_t pendings = 0;
	size_t room = 0;
	char *line = NULL;
	int err = 0;

	memset(log, 0, sizeof(*log));
	while (!err && getline(&line, &room, in) >= 0) {
		line[strcspn(line, "\n")] = 0;
		log->lines++;
		err = read_line(log, &pending, &pendings, line);
	}
	if (!err && ferror(in))
		err = -EIO;
	for (uint32_t i = 0; i < pendings; i++)
		free(pending[i].text);
	free(pending);
	free(line);
	if (!err && log->records)
		qsort(log->record, log->records, sizeof(*log->record), by_start);
	if (!err)
		err = assign_spaces(log);
	for (uint32_t i = 0; i < log->records; i++)
		log->ignored += log->record[i].call == CALL_IGNORED;
	return err;
}

void log_free(struct log *log)
{
	for (uint32_t i = 0; i < log->files; i++)
		free(log->file[i].name);
	free(log->file);
	free(log->thread);
	free(log->record);
	memset(log, 0, sizeof(*log));
}
