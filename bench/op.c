/* SPDX-License-Identifier: MIT */
/* op.c - see op.h. */
#include "bench/op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "bench/op_churn.h"

#define PAGE      UINT64_C(4096)
#define AREA(t)   ((UINT64_C(1) << 40) + (uint64_t)(t) * (UINT64_C(64) << 30))
#define BREAK     (UINT64_C(1) << 32)
#define BATCH     UINT64_C(1024)
#define BLOCK     (16 * PAGE)                    /* what mprotect toggles                                          */
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW        (PROT_READ | PROT_WRITE)
#define STRIDE    (8 * PAGE)                     /* of the many VMAs of lookup: 4 pages each                       */

static int map_fixed(struct op_env *env, uint64_t addr, uint64_t len, int prot)
{
	int64_t at = vmmap_mmap(env->map, addr, len, prot, ANON | MAP_FIXED, NULL, 0);

	return at < 0 ? (int)at : 0;
}

/* Each thread's area: one RW VMA of BATCH pages. */
static int setup_pages(struct op_env *env)
{
	int err = 0;

	for (unsigned t = 0; t < env->threads && !err; t++)
		err = map_fixed(env, AREA(t), BATCH * PAGE, RW);
	return err;
}

static int touch(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_fault(env->map, t->area + i * PAGE, PROT_WRITE, NULL);
	return err;
}

static int setup_present(struct op_env *env)
{
	int err = setup_pages(env);

	for (unsigned t = 0; t < env->threads && !err; t++)
		err = touch(env, &env->thread[t], BATCH);
	return err;
}

static int dontneed(struct op_env *env, struct op_thread *t, uint64_t n)
{
	return vmmap_madvise(env->map, t->area, n * PAGE, MADV_DONTNEED);
}

static int run_fault_miss(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = -EFAULT;

	for (uint64_t i = 0; i < n && err == -EFAULT; i++)
		err = vmmap_fault(env->map, t->area + BATCH * PAGE + i * PAGE, PROT_WRITE, NULL);
	return err == -EFAULT ? 0 : -EPROTO;
}

static int run_hold(struct op_env *env, struct op_thread *t, uint64_t n)
{
	struct vmmap_held held;
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++) {
		err = vmmap_hold(env->map, t->area, BATCH * PAGE, &held);
		if (!err)
			vmmap_release(env->map, &held);
	}
	return err;
}

/* env->vmas VMAs of 4 pages, a gap of 4 between, for all threads. */
static int setup_many(struct op_env *env)
{
	int err = 0;

	for (uint64_t i = 0; i < env->vmas && !err; i++)
		err = map_fixed(env, AREA(0) + i * STRIDE, STRIDE / 2, RW);
	return err;
}

static int run_lookup(struct op_env *env, struct op_thread *t, uint64_t n)
{
	struct prng rng = { t->random };
	struct vmmap_vma vma;
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_query(env->map, AREA(0) + prng_below(&rng, env->vmas) * STRIDE, &vma);
	t->random = rng.state;
	return err;
}

/* Unaddressed mappings grow one VMA downwards, as they do in Linux; `again` takes them away one by one. */
static int run_mmap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		int64_t at = vmmap_mmap(env->map, 0, 4 * PAGE, RW, ANON, NULL, 0);

		if (at < 0)
			return (int)at;
		t->list[i] = (uint64_t)at;
	}
	return 0;
}

static int again_mmap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_munmap(env->map, t->list[i], 4 * PAGE);
	return err;
}

/* The gaps between the many are too small for what is asked: only their bounds keep a search from seeing each. */
static int run_gap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	uint64_t end = AREA(0) + env->vmas * STRIDE;

	for (uint64_t i = 0; i < n; i++) {
		int64_t at = vmmap_mmap_within(env->map, AREA(0), end + BATCH * STRIDE * env->threads, STRIDE, 0,
					       STRIDE, PROT_NONE, ANON, NULL, 0);

		if (at < 0)
			return (int)at;
		t->list[i] = (uint64_t)at;
	}
	return 0;
}

static int again_gap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_munmap(env->map, t->list[i], STRIDE);
	return err;
}

/* munmap: every second page of the area, so that nothing merges and each call removes one whole VMA. */
static int make_pages(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = map_fixed(env, t->area + 2 * i * PAGE, PAGE, RW);
	return err;
}

static int setup_munmap(struct op_env *env)
{
	int err = 0;

	for (unsigned t = 0; t < env->threads && !err; t++)
		err = make_pages(env, &env->thread[t], BATCH);
	return err;
}

static int run_munmap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_munmap(env->map, t->area + 2 * i * PAGE, PAGE);
	return err;
}

static int run_mmap_munmap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++) {
		err = map_fixed(env, t->area, PAGE, RW);
		if (!err)
			err = vmmap_munmap(env->map, t->area, PAGE);
	}
	return err;
}

/* Every second block of an area stays read-only; the others are toggled in turn: one VMA in, one VMA out. */
static int setup_blocks(struct op_env *env)
{
	int err = setup_present(env);

	for (unsigned t = 0; t < env->threads && !err; t++)
		for (uint64_t i = 0; i < BATCH * PAGE / BLOCK && !err; i += 2)
			err = vmmap_mprotect(env->map, AREA(t) + i * BLOCK, BLOCK, PROT_READ);
	return err;
}

static int run_mprotect(struct op_env *env, struct op_thread *t, uint64_t n)
{
	const uint64_t blocks = BATCH * PAGE / BLOCK / 2;
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++, t->cursor++) {
		uint64_t block = t->cursor % blocks * 2 + 1;

		err = vmmap_mprotect(env->map, t->area + block * BLOCK, BLOCK, t->cursor / blocks % 2 ? RW : PROT_NONE);
	}
	return err;
}

static int run_mremap(struct op_env *env, struct op_thread *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++, t->cursor++) {
		uint64_t from = t->cursor % 2 ? BATCH / 2 : BATCH, to = t->cursor % 2 ? BATCH : BATCH / 2;
		int64_t at = vmmap_mremap(env->map, t->area, from * PAGE, to * PAGE, 0, 0);

		if (at < 0)
			return (int)at;
	}
	return 0;
}

/* 4 present pages go there and back again. */
static int setup_move(struct op_env *env)
{
	int err = 0;

	for (unsigned t = 0; t < env->threads && !err; t++) {
		err = map_fixed(env, AREA(t), 4 * PAGE, RW);
		if (!err)
			err = touch(env, &env->thread[t], 4);
	}
	return err;
}

static int run_move(struct op_env *env, struct op_thread *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++, t->cursor++) {
		uint64_t from = t->area + (t->cursor % 2) * (PAGE << 10),
			 to = t->area + (1 - t->cursor % 2) * (PAGE << 10);
		int64_t at = vmmap_mremap(env->map, from, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);

		if (at < 0)
			return (int)at;
	}
	return 0;
}

static int run_dontneed(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_madvise(env->map, t->area + i * PAGE, PAGE, MADV_DONTNEED);
	return err;
}

static int run_advice(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++, t->cursor++)
		err = vmmap_madvise(env->map, t->area, BATCH * PAGE, t->cursor % 2 ? MADV_NORMAL : MADV_SEQUENTIAL);
	return err;
}

static int run_brk(struct op_env *env, struct op_thread *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++, t->cursor++) {
		uint64_t want = BREAK + (1 + t->cursor % 2) * PAGE;

		if (vmmap_brk(env->map, want) != (int64_t)want)
			return -ENOMEM;
	}
	return 0;
}

static int run_read(struct op_env *env, struct op_thread *t, uint64_t n)
{
	ssize_t got = sizeof(t->bytes);

	for (uint64_t i = 0; i < n && got == sizeof(t->bytes); i++)
		got = vmmap_read(env->map, t->area + i * PAGE, t->bytes, sizeof(t->bytes));
	return got == sizeof(t->bytes) ? 0 : -EFAULT;
}

static int run_write(struct op_env *env, struct op_thread *t, uint64_t n)
{
	ssize_t put = sizeof(t->bytes);

	for (uint64_t i = 0; i < n && put == sizeof(t->bytes); i++)
		put = vmmap_write(env->map, t->area + i * PAGE, t->bytes, sizeof(t->bytes));
	return put == sizeof(t->bytes) ? 0 : -EFAULT;
}

static int run_walk(struct op_env *env, struct op_thread *t, uint64_t n)
{
	struct vmmap_vma vma;
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++) {
		err = vmmap_query(env->map, t->cursor ? t->cursor : AREA(0), &vma);
		t->cursor = err ? 0 : vma.end;
		err = err == -ENOENT ? 0 : err;
	}
	return err;
}

static int run_create(struct op_env *env, struct op_thread *t, uint64_t n)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err = 0;

	(void)t;
	config.policy = env->policy;
	config.physmem = env->pm;
	for (uint64_t i = 0; i < n && !err; i++) {
		struct vmmap *map;

		err = vmmap_create(&map, &config);
		if (!err)
			vmmap_destroy(map);
	}
	return err;
}

static int setup_reports(struct op_env *env)
{
	int err = setup_pages(env);

	return err ? err : op_churn_report(env);
}

static int setup_closed(struct op_env *env)
{
	int err = setup_pages(env);

	return err ? err : op_churn_close(env);
}

static const struct op ops[] = {
	{ "lookup", "vmmap_query at a random VMA's start", BATCH, 0, setup_many, run_lookup, NULL },
	{ "list", "vmmap_query from each VMA's end to the next", BATCH, 0, setup_many, run_walk, NULL },
	{ "fault-hit", "write fault on an absent page of a VMA", BATCH, 0, setup_pages, touch, dontneed },
	{ "fault-present", "write fault on a page that is present", BATCH, 0, setup_present, touch, NULL },
	{ "fault-miss", "write fault where nothing is mapped", BATCH, 0, setup_pages, run_fault_miss, NULL },
	{ "churn", "write fault on an absent page, and its DONTNEED with 1023 others", BATCH, 0, setup_pages, op_churn,
	  NULL },
	{ "churn-reported", "the same, and a host is told what is free", BATCH, 1, setup_reports, op_churn_reported,
	  NULL },
	{ "churn-closed", "churn, with caches closed as for a drain: the slow way", BATCH, 1, setup_closed, op_churn,
	  NULL },
	{ "hold", "lock and unlock one VMA (vmmap_hold, vmmap_release)", BATCH, 0, setup_pages, run_hold, NULL },
	{ "gap", "mmap of 8 pages where every gap but one is 4", 256, 0, setup_many, run_gap, again_gap },
	{ "mmap", "mmap of 4 pages anywhere", BATCH, 0, NULL, run_mmap, again_mmap },
	{ "munmap", "munmap of a VMA of one absent page", BATCH, 0, setup_munmap, run_munmap, make_pages },
	{ "mmap-munmap", "mmap FIXED of one page and its munmap", BATCH, 0, NULL, run_mmap_munmap, NULL },
	{ "mprotect", "RW/NONE on 16 present pages between unlike neighbours", BATCH, 0, setup_blocks, run_mprotect,
	  NULL },
	{ "mremap", "shrink to half, grow in place", BATCH, 0, setup_pages, run_mremap, NULL },
	{ "mremap-move", "move 4 present pages", BATCH, 0, setup_move, run_move, NULL },
	{ "madvise-dontneed", "DONTNEED of one present page", BATCH, 0, setup_present, run_dontneed, touch },
	{ "madvise-flag", "SEQUENTIAL/NORMAL on a whole VMA", BATCH, 0, setup_pages, run_advice, NULL },
	{ "brk", "one page up, one page down", BATCH, 1, NULL, run_brk, NULL },
	{ "read", "vmmap_read of 64 bytes, page present", BATCH, 0, setup_present, run_read, NULL },
	{ "write", "vmmap_write of 64 bytes, page present", BATCH, 0, setup_present, run_write, NULL },
	{ "create-destroy", "an empty map", 16, 0, NULL, run_create, NULL },
};

const struct op *op_at(unsigned i)
{
	return i < ARRAY_SIZE(ops) ? &ops[i] : NULL;
}

const struct op *op_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	return NULL;
}

int op_open(const struct op *op, struct op_env *env)
{
	struct physmem_config frames = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	env->map = NULL;
	env->pm = NULL;
	memset(env->thread, 0, sizeof(env->thread));
	frames.pages = 4 * BATCH * env->threads + 4096;
	frames.bytes = strcmp(op->name, "read") == 0 || strcmp(op->name, "write") == 0;
	err = physmem_create(&env->pm, &frames);
	if (err)
		return err;
	config.policy = env->policy;
	config.physmem = env->pm;
	config.brk_start = BREAK;
	err = vmmap_create(&env->map, &config);
	for (unsigned t = 0; t < env->threads && !err; t++) {
		env->thread[t].area = AREA(t);
		env->thread[t].random = t + 1;
		env->thread[t].list = calloc(BATCH, sizeof(uint64_t));
		err = env->thread[t].list ? 0 : -ENOMEM;
	}
	if (!err && op->setup)
		err = op->setup(env);
	if (err)
		op_close(env);
	return err;
}

void op_close(struct op_env *env)
{
	if (env->map)
		vmmap_destroy(env->map);
	if (env->pm)
		physmem_destroy(env->pm);
	for (unsigned t = 0; t < env->threads; t++) {
		free(env->thread[t].list);
		env->thread[t].list = NULL;
	}
	env->map = NULL;
	env->pm = NULL;
}
