/* SPDX-License-Identifier: MIT */
/* maps.c - see maps.h. */
#include "stress/replay/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int push(struct maps *m, struct run r)
{
	if (m->n == m->room) {
		struct run *more = realloc(m->run, (m->room * 2 + 64) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		m->run = more;
		m->room = m->room * 2 + 64;
	}
	m->run[m->n++] = r;
	return 0;
}

void maps_free(struct maps *m)
{
	free(m->run);
	*m = (struct maps){ 0 };
}

uint64_t maps_bytes(const struct maps *m)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < m->n; i++)
		sum += m->run[i].hi - m->run[i].lo;
	return sum;
}

static uint32_t file_by_name(const struct log *log, const char *name, size_t n)
{
	for (uint32_t i = 0; i < log->files; i++) {
		if (strlen(log->file[i].name) == n && !memcmp(log->file[i].name, name, n))
			return BACK_FILE_0 + i + 1;
	}
	return BACK_FILE;
}

static uint32_t back_of(const struct log *log, const char *name, uint64_t inode)
{
	static const char deleted[] = " (deleted)";
	size_t n = strcspn(name, "\n");

	if (!inode)
		return BACK_ANON;
	if (!strncmp(name, "/dev/zero (deleted)", 19))
		return BACK_SHARED_ANON;
	if (n > 10 && !memcmp(name + n - 10, deleted, 10))
		n -= 10;
	return file_by_name(log, name, n);
}

int maps_read(struct maps *m, FILE *in, const struct log *log)
{
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	*m = (struct maps){ 0 };
	while (!err && getline(&line, &room, in) >= 0) {
		uint64_t lo, hi, offset, inode;
		char prot[8];
		int name = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*x:%*x %" SCNu64 " %n", &lo, &hi,
			   prot, &offset, &inode, &name) != 5 ||
		    hi <= lo || !name)
			err = -EBADMSG;
		else if (hi < UINT64_C(1)
				      << 47) /* not the vsyscall page                                      */
			err = push(m, (struct run){lo, hi, inode ? offset : 0,
						   (prot[0] == 'r') | (prot[1] == 'w') << 1 |
							   (prot[2] == 'x') << 2,
						   prot[3] == 's', back_of(log, line + name, inode)});
	}
	if (!err && ferror(in))
		err = -EIO;
	free(line);
	return err;
}

struct sink { struct maps *maps; const uint64_t *numbers; const struct log *log; };

static int take(const struct vmmap_vma *vma, void *arg)
{
	struct sink *s = arg;
	uint32_t back = vma->object ? BACK_SHARED_ANON : BACK_ANON;

	for (uint32_t i = 0; i < s->log->files && vma->object; i++) {
		if (s->numbers[i] == vma->object)
			back = BACK_FILE_0 + i + 1;
	}
	return push(s->maps, (struct run){ vma->start, vma->end, vma->object ? vma->offset : 0, vma->prot,
					   !!(vma->flags & MAP_SHARED), back });
}

int maps_engine(struct maps *m, struct vmmap *map, const uint64_t *numbers, const struct log *log)
{
	struct sink sink = { m, numbers, log };

	*m = (struct maps){ 0 };
	return vmmap_walk(map, 0, UINT64_C(1) << 47, take, &sink);
}

/* ---- comparison ---- */

static uint32_t kind(uint32_t back, bool paths) { return !paths && back > BACK_FILE ? BACK_FILE : back; }

static bool joins(const struct run *a, const struct run *b)
{
	return a->hi == b->lo && a->prot == b->prot && a->shared == b->shared && a->back == b->back &&
	       (a->back == BACK_ANON || a->offset + (a->hi - a->lo) == b->offset);
}

/* The runs within `within`, neighbours joined. */
static int cut(struct maps *out, const struct maps *in, const struct spans *within, bool paths)
{
	int err = 0;

	*out = (struct maps){ 0 };
	for (uint32_t i = 0; i < in->n; i++) {
		for (uint32_t k = spans_find(within, in->run[i].lo);
		     k < within->n && within->span[k].lo < in->run[i].hi; k++) {
			const struct span *s = &within->span[k];
			struct run r = in->run[i];

			r.back = kind(r.back, paths);
			if (s->lo > r.lo) {
				r.offset += r.back == BACK_ANON ? 0 : s->lo - r.lo;
				r.lo = s->lo;
			}
			r.hi = s->hi < r.hi ? s->hi : r.hi;
			if (out->n && joins(&out->run[out->n - 1], &r))
				out->run[out->n - 1].hi = r.hi;
			else
				err = push(out, r);
			if (err)
				return err;
		}
	}
	return 0;
}

uint64_t maps_covered(const struct maps *m, const struct spans *within)
{
	struct maps part;
	uint64_t bytes = cut(&part, m, within, true) ? 0 : maps_bytes(&part);

	maps_free(&part);
	return bytes;
}

static void print_run(FILE *out, const char *who, const struct run *r)
{
	static const char *const back[] = { "anonymous", "shared anonymous", "a file" };

	fprintf(out, "  %s %" PRIx64 "-%" PRIx64 " %c%c%c%c offset %" PRIx64 " %s", who, r->lo, r->hi,
		r->prot & 1 ? 'r' : '-', r->prot & 2 ? 'w' : '-', r->prot & 4 ? 'x' : '-',
		r->shared ? 's' : 'p', r->offset, r->back < BACK_FILE_0 ? back[r->back] : "file");
	if (r->back >= BACK_FILE_0)
		fprintf(out, " %u", r->back - BACK_FILE_0);
	fputc('\n', out);
}

static bool same_run(const struct run *a, const struct run *b)
{
	return a->lo == b->lo && a->hi == b->hi && a->prot == b->prot && a->shared == b->shared && a->back == b->back &&
	       a->offset == b->offset;
}

bool maps_same(const struct maps *want, const struct maps *have, const struct spans *within, bool paths, FILE *out)
{
	struct maps w = { 0 }, h = { 0 };
	uint32_t i = 0, k = 0, differences = 0;

	if (cut(&w, want, within, paths) || cut(&h, have, within, paths))
		differences = 1;
	while (!differences || (differences < 10 && out)) {
		const struct run *a = i < w.n ? &w.run[i] : NULL, *b = k < h.n ? &h.run[k] : NULL;

		if (!a && !b)
			break;
		if (a && b && same_run(a, b)) {
			i++, k++;
			continue;
		}
		differences++;
		if (a && (!b || a->lo <= b->lo)) {
			if (out)
				print_run(out, "snapshot", a);
			i++;
		}
		if (b && (!a || b->lo <= a->lo)) {
			if (out)
				print_run(out, "engine  ", b);
			k++;
		}
	}
	maps_free(&w);
	maps_free(&h);
	return !differences;
}
