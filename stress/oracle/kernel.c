/* SPDX-License-Identifier: MIT */
/* kernel.c - the parent's side: start, batches, the deep list, probes. See kernel.h. */
#include "stress/oracle/kernel_child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vmmap/vmmap.h>

struct kernel {
	pid_t child;
	struct ring *ring;
	int file[OBJECT_FILES];
	bool dead;
};

const char *const kernel_lack_name[LACK_COUNT] = {
	"brk (no PR_SET_MM_MAP)", "MREMAP_DONTUNMAP", "MADV_POPULATE_*", "MADV_HUGEPAGE", "MADV_MERGEABLE",
	"mremap over several VMAs (before 6.17)", "MAP_NORESERVE (overcommit is off)", "huge placement", "smaps",
	"MADV_WILLNEED on anonymous memory (no swap)", "PROCMAP_QUERY (lists come from text)",
};

/* Waits for the child's answer; a child that died never gives one. */
static int wait_done(struct kernel *k)
{
	while (!k->dead) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		if (!sem_timedwait(&k->ring->done, &until))
			return k->ring->error;
		if (errno == ETIMEDOUT && waitpid(k->child, NULL, WNOHANG) == k->child)
			k->dead = true;
	}
	return -EPIPE;
}

static int make_files(struct kernel *k)
{
	static const char *const name[OBJECT_FILES] = { "", "A", "B", "border" };

	for (int i = OBJECT_A; i < OBJECT_FILES; i++) {
		k->file[i] = memfd_create(name[i], MFD_CLOEXEC);
		if (k->file[i] < 0 || ftruncate(k->file[i], OBJECT_PAGES * (off_t)PAGE))
			return -errno;
	}
	return 0;
}

int kernel_start(struct kernel **out, uint64_t lo, uint64_t hi, char *why)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	k->ring = mmap(NULL, sizeof(*k->ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	err = k->ring == MAP_FAILED ? -ENOMEM : make_files(k);
	if (err) {
		strcpy(why, "memory or memfd_create");
		free(k);
		return err;
	}
	k->ring->lo = lo;
	k->ring->hi = hi;
	memcpy(k->ring->file, k->file, sizeof(k->file));
	sem_init(&k->ring->go, 1, 0);
	sem_init(&k->ring->done, 1, 0);
	fflush(NULL);
	k->child = fork();
	if (k->child < 0) {
		strcpy(why, "fork");
		k->dead = true;
		err = -errno;
	} else if (!k->child) {
		kernel_child(k->ring);
	} else {
		err = wait_done(k);
		memcpy(why, k->ring->why, sizeof(k->ring->why));
	}
	if (!err)
		err = kernel_reset(k);
	if (err)
		kernel_stop(k);
	else
		*out = k;
	return err;
}

void kernel_stop(struct kernel *k)
{
	if (!k)
		return;
	if (!k->dead) {
		k->ring->command = RING_EXIT;
		sem_post(&k->ring->go);
		waitpid(k->child, NULL, 0);
	}
	for (int i = OBJECT_A; i < OBJECT_FILES; i++)
		close(k->file[i]);
	munmap(k->ring, sizeof(*k->ring));
	free(k);
}

int kernel_reset(struct kernel *k)
{
	k->ring->command = RING_RESET;
	sem_post(&k->ring->go);
	return wait_done(k);
}

void kernel_submit(struct kernel *k, const struct op *ops, unsigned n, const uint8_t *list_after)
{
	k->ring->command = RING_RUN;
	k->ring->n = n;
	memcpy(k->ring->op, ops, n * sizeof(*ops));
	memcpy(k->ring->list_after, list_after, n);
	sem_post(&k->ring->go);
}

int kernel_collect(struct kernel *k, int64_t *results)
{
	int err = wait_done(k);

	if (!err)
		memcpy(results, k->ring->result, k->ring->n * sizeof(*results));
	return err;
}

unsigned kernel_rows(struct kernel *k, unsigned i, const struct row **rows)
{
	*rows = &k->ring->row[k->ring->list_from[i]];
	return k->ring->list_count[i];
}

int kernel_run_one(struct kernel *k, const struct op *op, int64_t *result, const struct row **rows, unsigned *count)
{
	uint8_t list = rows != NULL;
	int err;

	kernel_submit(k, op, 1, &list);
	err = kernel_collect(k, result);
	if (!err && rows)
		*count = kernel_rows(k, 0, rows);
	return err;
}

/* ---- the deep list ---- */

static void deep_flags(struct row *row, char *text)
{
	static const struct { char code[3]; uint16_t bit;
	} codes[] = {
		{"dd", VMMAP_DONTDUMP},   {"dc", VMMAP_DONTFORK},  {"wf", VMMAP_WIPEONFORK},
		{"sr", VMMAP_SEQUENTIAL}, {"rr", VMMAP_RANDOM},    {"hg", VMMAP_HUGEPAGE},
		{"nh", VMMAP_NOHUGEPAGE}, {"mg", VMMAP_MERGEABLE},
	};
	char *rest;

	for (char *p = strtok_r(text, " \n", &rest); p; p = strtok_r(NULL, " \n", &rest)) {
		row->noreserve |= !strcmp(p, "nr");
		row->growsdown |= !strcmp(p, "gd");
		row->locked = !strcmp(p, "lo") ? 1 : row->locked && !strcmp(p, "lf") ? 2 : row->locked;
		for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
			row->advice |= strcmp(p, codes[i].code) ? 0 : codes[i].bit;
	}
}

int kernel_deep(struct kernel *k, struct row *rows, unsigned room)
{
	char path[64], line[512], prot[8];
	struct row row;
	unsigned n = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)k->ring->pid);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	while (fgets(line, sizeof(line), in)) {
		memset(&row, 0, sizeof(row));
		if (sscanf(line, "%lx-%lx %7s %lx %*x:%*x %lu", &row.start, &row.end, prot, &row.offset,
			   &row.object) != 5 ||
		    row.end <= k->ring->lo || row.start >= k->ring->hi)
			continue;
		row.prot = (uint8_t)((prot[0] == 'r') | (prot[1] == 'w') << 1 | (prot[2] == 'x') << 2);
		row.shared = prot[3] == 's';
		row.offset = row.object ? row.offset : 0;
		while (fgets(line, sizeof(line), in) && strncmp(line, "VmFlags:", 8))
			;
		deep_flags(&row, line + 8);
		if (n < room)
			rows[n++] = row;
	}
	fclose(in);
	return (int)n;
}

/* ---- probes ---- */

static int64_t one(struct kernel *k, struct op op)
{
	int64_t result = -EPIPE;
	int err = kernel_run_one(k, &op, &result, NULL, NULL);

	return err ? err : result;
}

static int64_t map_at(struct kernel *k, uint64_t addr, uint64_t pages, int prot, int flags)
{
	return one(k, (struct op){ .call = OP_MMAP, .addr = addr, .len = pages * PAGE, .prot = prot,
				   .flags = MAP_PRIVATE | MAP_ANONYMOUS | flags });
}

static int64_t advise(struct kernel *k, uint64_t addr, int advice)
{
	return one(k, (struct op){ .call = OP_MADVISE, .addr = addr, .len = PAGE, .advice = advice });
}

static unsigned probe_mremap(struct kernel *k)
{
	uint64_t lo = k->ring->lo;
	struct op keep = { .call = OP_MREMAP, .addr = lo, .len = PAGE, .new_len = PAGE, .new_addr = lo + 8 * PAGE,
			   .flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP };
	struct op many = {.call = OP_MREMAP,
			  .addr = lo,
			  .len = 4 * PAGE,
			  .new_len = 4 * PAGE,
			  .new_addr = lo + 16 * PAGE,
			  .flags = MREMAP_MAYMOVE | MREMAP_FIXED};
	unsigned lack;

	map_at(k, lo, 1, PROT_READ, MAP_FIXED);
	map_at(k, lo + 2 * PAGE, 1, PROT_READ, MAP_FIXED);
	lack = one(k, keep) < 0 ? LACK_DONTUNMAP : 0;
	return lack | (one(k, many) < 0 ? LACK_MANY_MOVE : 0);
}

unsigned kernel_probe(struct kernel *k)
{
	uint64_t lo = k->ring->lo, huge = 512 * PAGE, top = (k->ring->hi - huge) & ~(huge - 1);
	FILE *overcommit = fopen("/proc/sys/vm/overcommit_memory", "re");
	unsigned lack = k->ring->no_brk ? LACK_BRK : 0;
	struct row row;
	int64_t at;

	if (overcommit && fgetc(overcommit) == '2')
		lack |= LACK_NORESERVE;
	if (overcommit)
		fclose(overcommit);
	kernel_reset(k);
	lack |= probe_mremap(k);
	kernel_reset(k);
	map_at(k, lo, 1, PROT_READ, MAP_FIXED);
	lack |= advise(k, lo, MADV_POPULATE_READ) ? LACK_POPULATE : 0;
	lack |= advise(k, lo, MADV_HUGEPAGE) ? LACK_HUGEPAGE : 0;
	lack |= advise(k, lo, MADV_MERGEABLE) ? LACK_MERGEABLE : 0;
	lack |= advise(k, lo, MADV_WILLNEED) ? LACK_WILLNEED : 0;
	lack |= kernel_deep(k, &row, 1) < 1 ? LACK_SMAPS : 0;
	lack |= k->ring->text_lists ? LACK_PROCMAP : 0;
	kernel_reset(k);
	if (k->ring->hi - lo >= 2 * huge) {
		map_at(k, k->ring->hi - PAGE, 1, PROT_READ, MAP_FIXED);
		at = map_at(k, 0, 512, PROT_READ, 0);
		lack |= at < 0 || (uint64_t)at % huge || (uint64_t)at > top ? LACK_HUGE_ALIGN : 0;
		kernel_reset(k);
	}
	return lack;
}
