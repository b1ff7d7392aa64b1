/* SPDX-License-Identifier: MIT */
/* engine.c - see engine.h. */
#include "stress/oracle/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static int border(struct engine *e, uint64_t addr, uint64_t offset)
{
	int64_t at = vmmap_mmap(e->map, addr, PAGE, PROT_NONE, MAP_SHARED | MAP_FIXED, e->object[OBJECT_BORDER],
				offset);

	return at < 0 ? (int)at : at == (int64_t)addr ? 0 : -EINVAL;
}

static int begin(struct engine *e, uint64_t until)
{
	struct vmmap *child;
	int err = e->forks < OP_FORKS ? vmmap_fork_until(&child, e->map, until) : -EAGAIN;

	if (err)
		return err;
	e->parent[e->forks++] = e->map;
	e->map = child;
	return 0;
}

static int end(struct engine *e)
{
	if (!e->forks)
		return -ECHILD;
	vmmap_destroy(e->map);
	e->map = e->parent[--e->forks];
	return 0;
}

static void clear(struct engine *e)
{
	struct physmem_usage usage;

	if (!e->physmem)
		return;
	for (int i = OBJECT_A; i < OBJECT_FILES; i++) {
		if (e->object[i])
			vmmap_object_put(e->object[i]);
		e->object[i] = NULL;
	}
	while (e->forks)
		end(e);
	if (e->map)
		vmmap_destroy(e->map);           /* waits for what the last references gave back                   */
	e->map = NULL;
	physmem_get_usage(e->physmem, &usage);
	e->leaked = usage.owned;
}

static int copy_read(void *self, uint64_t page, void *bytes)
{
	struct engine *e = self;

	memset(bytes, 0, PAGE);
	memcpy(bytes, &e->copy[page].word, sizeof(e->copy[page].word));
	return 0;
}

static int copy_write(void *self, uint64_t page, const void *bytes)
{
	struct engine *e = self;

	memcpy(&e->copy[page].word, bytes, sizeof(e->copy[page].word));
	e->copy[page].written = true;
	return 0;
}

int engine_reset(struct engine *e)
{
	static const char *const name[OBJECT_FILES] = { "", "A", "B", "border" };
	const struct vmmap_pager pager = { copy_read, copy_write, e };
	int err = 0;

	clear(e);
	memset(e->copy, 0, sizeof(e->copy));
	for (int i = OBJECT_A; i < OBJECT_FILES && !err; i++)
		err = vmmap_object_create(&e->object[i], e->physmem, name[i], OBJECT_PAGES * PAGE,
					  i == OBJECT_B ? &pager : NULL);
	if (!err)
		err = vmmap_create(&e->map, &e->config);
	e->calls = 0;
	if (!err)
		err = border(e, e->lo - PAGE, 0);
	if (!err)
		err = border(e, e->hi, 2 * PAGE);
	return err;
}

int engine_open(struct engine *e, const char *policy, enum vmmap_placement placement, uint64_t lo, uint64_t hi)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	int err;

	memset(e, 0, sizeof(*e));
	memory.bytes = 1;
	memory.pages = 32768;
	e->config = (struct vmmap_config)VMMAP_CONFIG;
	e->config.policy = policy;
	e->config.placement = placement;
	e->config.lo = lo - PAGE;
	e->config.hi = hi + PAGE;
	e->config.mmap_base = placement == VMMAP_TOPDOWN ? hi + PAGE : 0;
	e->config.brk_start = lo;
	e->lo = lo;
	e->hi = hi;
	err = physmem_create(&e->physmem, &memory);
	if (err)
		return err;
	e->config.physmem = e->physmem;
	err = engine_reset(e);
	if (err)
		engine_close(e);
	return err;
}

void engine_close(struct engine *e)
{
	clear(e);
	if (e->physmem)
		physmem_destroy(e->physmem);
	e->physmem = NULL;
}

static int64_t touch(struct engine *e, const struct op *op, uint64_t until)
{
	struct vmmap_fault_info info = { 0 };
	bool write = op->call == OP_WRITE;
	uint64_t value = op->value;
	ssize_t n = write ? vmmap_write_until(e->map, op->addr, &value, sizeof(value), until)
			  : vmmap_read_until(e->map, op->addr, &value, sizeof(value), until);
	int err;

	if (n == (ssize_t)sizeof(value))
		return write ? 0 : (int64_t)value;
	if (n != -EFAULT)
		return n < 0 ? n : -EIO;
	err = vmmap_fault_until(e->map, op->addr, write ? PROT_WRITE : PROT_READ, &info, until);
	return err == -EFAULT ? OP_FAULT((int)info.code) : err ? err : -EIO;
}

/* What the pager has beyond the end is nobody's any more; nothing of it may show when the object is long again. */
static int64_t resize(struct engine *e, const struct op *op)
{
	uint64_t pages = (op->len + PAGE - 1) / PAGE;
	int err = vmmap_object_resize(e->object[op->object], op->len);

	for (uint64_t i = pages; !err && op->object == OBJECT_B && i < OBJECT_PAGES; i++)
		e->copy[i] = (struct engine_copy){ .word = UINT64_C(0xaaaaaaaaaaaaaaaa) };
	return err;
}

bool engine_copied(struct engine *e, uint64_t page, uint64_t value)
{
	return e->copy[page].written ? e->copy[page].word == value : !value;
}

/* A fresh map with these limits; the borders do not count. */
static int64_t limit(struct engine *e, const struct op *op)
{
	struct vmmap_config plain = e->config;
	int err;

	e->config.limit_as = op->len ? (op->len + 2) * PAGE : 0;
	e->config.limit_locked = op->new_len * PAGE;
	e->config.limit_stack = op->new_addr * PAGE;
	e->config.limit_vmas = op->addr ? op->addr + 2 : 0;
	err = engine_reset(e);
	e->config = plain;
	return err;
}

int64_t engine_run(struct engine *e, const struct op *op)
{
	/* With nobody about, a try is the same call: some of them take other ways inside. */
	uint64_t until = e->calls++ % 3 ? VMMAP_FOREVER : VMMAP_TRY;

	switch (op->call) {
	case OP_MMAP:
		return vmmap_mmap_until(e->map, op->addr, op->len, op->prot, op->flags, e->object[op->object],
					op->offset, until);
	case OP_MUNMAP:
		return vmmap_munmap_until(e->map, op->addr, op->len, until);
	case OP_MPROTECT:
		return vmmap_mprotect_until(e->map, op->addr, op->len, op->prot, until);
	case OP_MREMAP:
		return vmmap_mremap_until(e->map, op->addr, op->len, op->new_len, op->flags, op->new_addr, until);
	case OP_MADVISE:
		return vmmap_madvise_until(e->map, op->addr, op->len, op->advice, until);
	case OP_BRK:
		return vmmap_brk_until(e->map, op->addr, until);
	case OP_MSYNC:
		return vmmap_msync_until(e->map, op->addr, op->len, op->flags, until);
	case OP_RESIZE:
		return resize(e, op);
	case OP_MLOCK:
		return vmmap_mlock_until(e->map, op->addr, op->len, (unsigned)op->flags, until);
	case OP_MUNLOCK:
		return vmmap_munlock_until(e->map, op->addr, op->len, until);
	case OP_LIMIT:
		return limit(e, op);
	case OP_FORK:
		return begin(e, until);
	case OP_EXIT:
		return end(e);
	default:
		return touch(e, op, until);
	}
}

struct row engine_row(const struct vmmap_vma *vma)
{
	return (struct row){
		.start = vma->start,
		.end = vma->end,
		.offset = vma->object ? vma->offset : 0,
		.object = vma->object,
		.prot = (uint8_t)vma->prot,
		.shared = !!(vma->flags & MAP_SHARED),
		.noreserve = !!(vma->flags & MAP_NORESERVE),
		.advice = (uint16_t)vma->advice,
		.growsdown = !!(vma->flags & MAP_GROWSDOWN),
		.locked = (uint8_t)vma->locked,
	};
}

struct sink { struct row *rows; unsigned n, room; };

static int collect(const struct vmmap_vma *vma, void *arg)
{
	struct sink *s = arg;

	if (s->n < s->room)
		s->rows[s->n] = engine_row(vma);
	s->n++;
	return 0;
}

unsigned engine_list(struct engine *e, struct row *rows, unsigned room)
{
	struct sink s = { rows, 0, room };

	vmmap_walk(e->map, e->lo, e->hi, collect, &s);
	return s.n;
}
