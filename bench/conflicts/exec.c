/* SPDX-License-Identifier: MIT */
/* exec.c - see exec.h. */
#include "bench/conflicts/exec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "stress/oracle/engine.h"

#define COPY_BYTES (CALL_PAGES * PAGE)

int exec_open(struct exec *e, const char *policy, bool bytes)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	memset(e, 0, sizeof(*e));
	e->bytes = bytes;
	memory.bytes = bytes;
	memory.pages = 16384;
	err = physmem_create(&e->physmem, &memory);
	if (err)
		return err;
	config.policy = policy;
	config.brk_start = PLACED_BASE;
	config.physmem = e->physmem;
	err = vmmap_create(&e->map, &config);
	if (err)
		exec_close(e);
	return err;
}

void exec_close(struct exec *e)
{
	if (e->map)
		vmmap_destroy(e->map);
	if (e->physmem)
		physmem_destroy(e->physmem);
	memset(e, 0, sizeof(*e));
}

int exec_begin(struct exec *e)
{
	static const char *const name[] = { "", "A", "B" };
	int err = 0;

	for (int i = CALL_FILE_A; i <= CALL_FILE_B && !err; i++)
		err = vmmap_object_create(&e->object[i], e->physmem, name[i], PLACED_OBJECT, NULL);
	return err;
}

/* A break moves down only over something that is mapped. */
static void reset_break(struct exec *e)
{
	uint64_t now = (uint64_t)vmmap_brk(e->map, 0);

	if (now == PLACED_BASE)
		return;
	vmmap_mmap(e->map, PLACED_BASE, now - PLACED_BASE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	vmmap_brk(e->map, PLACED_BASE);
}

void exec_end(struct exec *e)
{
	reset_break(e);
	vmmap_munmap(e->map, PAGE, (UINT64_C(1) << 47) - 2 * PAGE);
	for (int i = CALL_FILE_A; i <= CALL_FILE_B; i++)
		vmmap_object_put(e->object[i]);
}

static int fill(struct exec *e, const struct placed *p)
{
	int64_t err = 0;

	for (unsigned i = 0; i < p->fillers && err >= 0; i++) {
		err = vmmap_munmap(e->map, p->filler[i].addr, p->filler[i].len);
		for (unsigned k = 0; k < PLACED_FILLERS && err >= 0; k++)
			err = vmmap_mmap(e->map, p->filler[i].row + k * 2 * PAGE, PAGE, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	}
	return err < 0 ? (int)err : 0;
}

int exec_setup(struct exec *e, const struct placed *p)
{
	struct answer answer;

	for (unsigned i = 0; i < p->setups; i++) {
		exec_step(e, &p->setup[i], &answer);
		if (answer.result < 0)
			return (int)answer.result;
	}
	return fill(e, p);
}

/* ---- one call ---- */

static int64_t fault(struct exec *e, uint64_t addr, int access)
{
	struct vmmap_fault_info info = { 0 };
	int err = vmmap_fault(e->map, addr, access, &info);

	return err == -EFAULT ? OP_FAULT((int)info.code) : err;
}

static int64_t load(struct exec *e, const struct step *s, struct answer *out)
{
	char bytes[COPY_BYTES];
	ssize_t done = vmmap_read(e->map, s->addr, bytes, s->len);

	for (ssize_t at = 0; at + 8 <= done; at += (ssize_t)PAGE)
		memcpy(&out->value[out->values++], bytes + at, 8);
	return done;
}

static int64_t store(struct exec *e, const struct step *s)
{
	char bytes[COPY_BYTES];

	memset(bytes, 0, s->len);
	for (uint64_t at = 0; at < s->len; at += PAGE) {
		uint64_t value = call_value(s->tag, s->page + (unsigned)(at / PAGE));

		memcpy(bytes + at, &value, sizeof(value));
	}
	return vmmap_write(e->map, s->addr, bytes, s->len);
}

static int take_row(const struct vmmap_vma *vma, void *arg)
{
	struct answer *out = arg;

	if (out->rows == REF_ROWS)
		return 1;
	out->row[out->rows++] = engine_row(vma);
	return 0;
}

static int64_t query(struct exec *e, const struct step *s, struct answer *out)
{
	struct vmmap_vma vma;
	int err = vmmap_query(e->map, s->addr, &vma);

	if (!err)
		take_row(&vma, out);
	return err;
}

void exec_step(struct exec *e, const struct step *s, struct answer *out)
{
	int64_t result;

	out->rows = out->values = out->placed = 0;
	out->loose = 0;
	switch (s->kind) {
	case CALL_MMAP_FIXED: case CALL_MMAP_ANY:
		result = vmmap_mmap(e->map, s->addr, s->len, s->prot, s->flags, e->object[s->object], s->offset);
		break;
	case CALL_MMAP_WITHIN:
		result = vmmap_mmap_within(e->map, s->addr, s->addr + s->len, PAGE, 0, s->new_len, s->prot, s->flags,
					   e->object[s->object], s->offset);
		break;
	case CALL_MUNMAP: result = vmmap_munmap(e->map, s->addr, s->len); break;
	case CALL_MPROTECT: result = vmmap_mprotect(e->map, s->addr, s->len, s->prot); break;
	case CALL_MREMAP:
		result = vmmap_mremap(e->map, s->addr, s->len, s->new_len, s->flags, s->new_addr);
		break;
	case CALL_MADVISE: result = vmmap_madvise(e->map, s->addr, s->len, s->advice); break;
	case CALL_BRK: result = vmmap_brk(e->map, s->addr); break;
	case CALL_FAULT_READ: result = fault(e, s->addr, PROT_READ); break;
	case CALL_FAULT_WRITE: result = fault(e, s->addr, PROT_WRITE); break;
	case CALL_ACCESS: result = s->form == FORM_LOAD ? load(e, s, out) : store(e, s); break;
	case CALL_LISTING: result = vmmap_walk(e->map, s->addr, s->addr + s->len, take_row, out); break;
	default: result = query(e, s, out); break;
	}
	out->result = result;
}

/* ---- the proof ---- */

struct proof { const struct placed *p; uint64_t number[64]; char *why; };

static bool fails(struct proof *f, const char *what, uint64_t want, uint64_t got)
{
	snprintf(f->why, 160, "%s: model %#" PRIx64 ", engine %#" PRIx64, what, want, got);
	return false;
}

static bool same_object(struct proof *f, uint64_t want, uint64_t got)
{
	if (!want != !got || want >= 64)
		return false;
	if (!f->number[want])
		f->number[want] = got;
	return f->number[want] == got;
}

static bool same_row(struct proof *f, const struct row *want, const struct row *got)
{
	bool offset = want->object && (want->object < OBJECT_FILES || f->p->offsets);

	if (want->prot != got->prot || want->shared != got->shared || want->advice != got->advice ||
	    want->locked != got->locked || want->noreserve != got->noreserve || want->growsdown != got->growsdown)
		return fails(f, "attributes of the VMA at", want->start, got->start);
	if (offset && want->offset - want->start != got->offset - got->start)
		return fails(f, "offset", want->offset, got->offset);
	if (!same_object(f, want->object, got->object))
		return fails(f, "object of the VMA at", want->start, got->start);
	return true;
}

/* The same pages in the same VMAs; a loose border may be there or not. base: what the wanted rows count from. */
static bool same_rows(struct proof *f, const struct placed_rows *want, uint64_t base, const struct answer *got)
{
	unsigned i = 0, k = 0;
	uint64_t at = 0;

	while (i < want->rows && k < got->rows) {
		struct row w = want->row[i];
		const struct row *g = &got->row[k];

		w.start += base;
		w.end += base;
		if ((w.start > at ? w.start : at) != (g->start > at ? g->start : at))
			return fails(f, "VMA begins", w.start, g->start);
		if (!same_row(f, &w, g))
			return false;
		at = w.end < g->end ? w.end : g->end;
		if (w.end > at && !want->loose)
			return fails(f, "VMA ends", w.end, g->end);
		if (g->end > at && !(i + 1 < want->rows && (want->loose >> (i + 1) & 1)))
			return fails(f, "VMA ends", w.end, g->end);
		i += w.end == at;
		k += g->end == at;
	}
	return i == want->rows && k == got->rows ? true : fails(f, "number of VMAs", want->rows, got->rows);
}

static bool same_answer(struct proof *f, const struct exec *e, const struct answer *want, const struct answer *got)
{
	struct placed_rows rows = { .loose = want->loose, .rows = want->rows };

	if (want->placed ? got->result < (int64_t)f->p->hi : want->result != got->result)
		return fails(f, "result", (uint64_t)want->result, (uint64_t)got->result);
	memcpy(rows.row, want->row, sizeof(rows.row));
	if (!same_rows(f, &rows, 0, got))
		return false;
	for (unsigned i = 0; e->bytes && i < want->values; i++)
		if (i >= got->values || want->value[i] != got->value[i])
			return fails(f, "value read", want->value[i], i < got->values ? got->value[i] : 0);
	return true;
}

static bool filler(const struct placed *p, const struct row *row)
{
	for (unsigned i = 0; i < p->fillers; i++)
		if (row->start >= p->filler[i].addr && row->end <= p->filler[i].addr + p->filler[i].len)
			return true;
	return false;
}

struct listing { const struct placed *p; struct answer answer; };

static int list_row(const struct vmmap_vma *vma, void *arg)
{
	struct listing *l = arg;
	int full = take_row(vma, &l->answer);

	if (!full && filler(l->p, &l->answer.row[l->answer.rows - 1]))
		l->answer.rows--;
	return full;
}

/* Where the engine put A's, B's mapping. It may have grown together with what lay there. */
static bool proves_zone(struct exec *e, struct proof *f, const struct placed_rows *want, int64_t at)
{
	for (unsigned i = 0; i < want->rows; i++) {
		uint64_t lo = (uint64_t)at + want->row[i].start, hi = (uint64_t)at + want->row[i].end;
		struct listing l = { .p = f->p };
		struct row row = want->row[i];

		row.start += (uint64_t)at;
		row.end += (uint64_t)at;
		vmmap_walk(e->map, lo, hi, list_row, &l);
		if (!l.answer.rows || l.answer.row[0].start > lo || l.answer.row[l.answer.rows - 1].end < hi)
			return fails(f, "not mapped where it was placed", lo, l.answer.rows);
		if (!same_row(f, &row, &l.answer.row[0]))
			return false;
	}
	return true;
}

bool exec_proves(struct exec *e, const struct placed *p, const struct answer got[2], char *why)
{
	struct proof f = { .p = p, .why = why };
	struct listing l = { .p = p };

	for (unsigned i = 0; i < 2; i++)
		if (!same_answer(&f, e, &p->answer[i], &got[i]))
			return false;
	vmmap_walk(e->map, p->lo, p->hi, list_row, &l);
	if (!same_rows(&f, &p->map, 0, &l.answer))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (p->answer[i].placed && !proves_zone(e, &f, &p->zone[i], got[i].result))
			return false;
	if (vmmap_brk(e->map, 0) != (int64_t)p->brk)
		return fails(&f, "break", p->brk, (uint64_t)vmmap_brk(e->map, 0));
	for (unsigned i = 0; i < p->words && e->bytes; i++) {
		uint64_t value = 0;

		if (vmmap_read(e->map, p->word[i].addr, &value, sizeof(value)) != (ssize_t)sizeof(value) ||
		    value != p->word[i].value)
			return fails(&f, "contents", p->word[i].value, value);
	}
	return true;
}
