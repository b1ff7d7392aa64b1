/* SPDX-License-Identifier: MIT */
/* runner.c - see runner.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "bench/conflicts/runner.h"
#include "bench/sim/core.h"
#include "bench/sim/undo.h"

#define SETTLE_NS UINT64_C(50000000)             /* more than RCU's worker naps                                    */

static struct undo_mark unborn, steady;          /* before any map; with a warm one                                */
static bool open;
static struct exec engine;
static unsigned running;                         /* 0 A, 1 B                                                       */

static void keep(const struct access *a)
{
	if (a->op != ACCESS_LOAD && !core_on_stack(core_current, a->at))
		undo_store(a->at, a->bytes);
}

static void keep_and_trace(const struct access *a)
{
	keep(a);
	trace_add(running, a);
}

static const struct access_listener keeping = { .before = keep, .deaf_to_loads = true };
static const struct access_listener tracing = { .before = keep_and_trace };

void runner_begin(void)
{
	core_begin(RUNNER_CORES);
	undo_begin();
	access_listener = &keeping;
	undo_take(&unborn);
}

static void on_core(uint32_t number, void (*fn)(void *arg), void *arg)
{
	core_give(number, fn, arg);
	CHECK(core_run() == 0);
}

/* ---- steady state ---- */

#define WARM_BASE   (UINT64_C(1) << 39)          /* below PLACED_BASE                                              */
#define WARM_STRIDE (UINT64_C(1) << 36)
#define WARM_OFFSET (UINT64_C(3) << 44)          /* in the files: where no test maps them                          */
#define WARM_ROUNDS 40
#define AGED        256u                         /* pages whose frames come back out of order                      */
#define AGED_STRIDE 16u
#define NEIGHBOUR   (PLACED_BASE + (UINT64_C(1) << 38))  /* beyond most tests' pages, under the same upper tables   */

struct warm { uint32_t core; uint64_t at; };

static void warm_mapping(struct warm *w, int flags, struct vmmap_object *object)
{
	uint64_t offset = object != NULL ? WARM_OFFSET + w->core * WARM_STRIDE : 0;
	char bytes[64] = { 0 };

	vmmap_mmap(engine.map, w->at, 8 * PAGE, PROT_READ | PROT_WRITE,
		   flags | MAP_FIXED | (object != NULL ? 0 : MAP_ANONYMOUS), object, offset);
	for (uint64_t i = 0; i < 8; i++)
		vmmap_fault(engine.map, w->at + i * PAGE, i % 2 ? PROT_WRITE : PROT_READ, NULL);
	vmmap_write(engine.map, w->at + 2 * PAGE, bytes, sizeof(bytes));
	vmmap_read(engine.map, w->at + 2 * PAGE, bytes, sizeof(bytes));
	vmmap_mprotect(engine.map, w->at + PAGE, 2 * PAGE, PROT_READ);
	vmmap_madvise(engine.map, w->at + 3 * PAGE, PAGE, MADV_DONTNEED);
	vmmap_madvise(engine.map, w->at + 4 * PAGE, PAGE, MADV_DONTDUMP);
	vmmap_munmap(engine.map, w->at + 5 * PAGE, PAGE);
	vmmap_mremap(engine.map, w->at + 6 * PAGE, 2 * PAGE, 4 * PAGE, 0, 0);
	vmmap_munmap(engine.map, w->at, 16 * PAGE);
}

/* Free frames in no order, as after a long run: those that one call gets after the other have words on lines apart. */
static void warm_frames(struct warm *w)
{
	vmmap_mmap(engine.map, w->at, AGED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
		   NULL, 0);
	for (uint64_t i = 0; i < AGED; i++)
		vmmap_fault(engine.map, w->at + i * PAGE, PROT_WRITE, NULL);
	for (uint64_t i = 0; i < AGED; i++)
		vmmap_munmap(engine.map, w->at + (i % AGED_STRIDE * (AGED / AGED_STRIDE) + i / AGED_STRIDE) * PAGE,
			     PAGE);
}

static int warm_row(const struct vmmap_vma *vma, void *arg)
{
	(void)vma;
	(void)arg;
	return 0;
}

/* Calls of every kind, in this core's own part of the map. */
static void warm(void *arg)
{
	struct warm *w = arg;
	struct vmmap_vma vma;

	/* What is left there keeps the borders of its arena (place.c) out of the way, as in any program. */
	vmmap_mmap(engine.map, 0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	for (unsigned i = 0; i < WARM_ROUNDS; i++) {
		int64_t anywhere = vmmap_mmap(engine.map, 0, 4 * PAGE, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);

		warm_mapping(w, MAP_PRIVATE, NULL);
		for (int file = CALL_FILE_A; file <= CALL_FILE_B; file++) {
			warm_mapping(w, MAP_PRIVATE, engine.object[file]);
			warm_mapping(w, MAP_SHARED, engine.object[file]);
		}
		warm_mapping(w, MAP_SHARED, NULL);
		vmmap_walk(engine.map, w->at, w->at + PAGE, warm_row, NULL);
		vmmap_query(engine.map, w->at, &vma);
		vmmap_fault(engine.map, (uint64_t)anywhere, PROT_WRITE, NULL);
		vmmap_munmap(engine.map, (uint64_t)anywhere, 4 * PAGE);
	}
	warm_frames(w);
}

static void make(void *arg)
{
	int *err = ((void **)arg)[1];

	*err = exec_open(&engine, ((void **)arg)[0], true);
	if (!*err)
		*err = exec_begin(&engine);
	if (*err)
		return;
	vmmap_mmap(engine.map, NEIGHBOUR, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL,
		   0);
	vmmap_fault(engine.map, NEIGHBOUR, PROT_WRITE, NULL);
}

int runner_policy(const char *policy)
{
	int err = 0;

	if (strcmp(policy, "rwlock") == 0)
		return -ENOTSUP;
	if (open) {
		undo_back(&unborn);
		undo_drop(&steady);
		open = false;
	}
	on_core(0, make, (void *[]){ (void *)(uintptr_t)policy, &err });
	if (err)
		return err;
	for (uint32_t i = 0; i < RUNNER_CORES; i++) {
		struct warm w = { i, WARM_BASE + i * WARM_STRIDE };

		on_core(i, warm, &w);
	}
	core_settle(SETTLE_NS);
	undo_take(&steady);
	open = true;
	return 0;
}

/* ---- a test ---- */

struct job { const struct placed *p; const struct step *step; struct answer *answer; char *why; int err; bool proven; };

static void set_up(void *arg)
{
	struct job *job = arg;

	if (job->p->hi > NEIGHBOUR)
		vmmap_munmap(engine.map, NEIGHBOUR, PAGE);
	job->err = exec_setup(&engine, job->p);
}

static void call(void *arg)
{
	struct job *job = arg;

	exec_step(&engine, job->step, job->answer);
}

/* The model knows nothing of what lies above the test's own pages. */
static void forget_neighbours(const struct placed *p, unsigned who, struct answer *answer)
{
	if (p->call[who].kind == CALL_QUERY && answer->rows == 1 && answer->row[0].start >= p->hi)
		*answer = (struct answer){ .result = -ENOENT };
}

static void prove(void *arg)
{
	struct job *job = arg;

	for (unsigned who = 0; who < 2; who++)
		forget_neighbours(job->p, who, &job->answer[who]);
	job->proven = exec_proves(&engine, job->p, job->answer, job->why);
}

static void traced(unsigned who, void (*fn)(void *arg), void *arg)
{
	running = who;
	access_listener = &tracing;
	on_core(who + 1, fn, arg);
	access_listener = &keeping;
}

int runner_test(const struct placed *p, struct trace_verdict *verdict, char *why)
{
	struct answer answer[2];
	struct job job = { .p = p, .answer = answer, .why = why };

	*why = '\0';
	on_core(0, set_up, &job);
	if (!job.err) {
		core_settle(SETTLE_NS);
		trace_begin();
		for (unsigned who = 0; who < 2; who++)
			traced(who, call, &(struct job){ .step = &p->call[who], .answer = &answer[who] });
		trace_judge(verdict);
		on_core(0, prove, &job);
	}
	undo_back(&steady);
	return job.err ? job.err : job.proven ? 0 : -EILSEQ;
}

static void run_of_pair(void *arg)
{
	(*(void (**)(struct exec *))arg)(&engine);
}

void runner_pair(const struct runner_pair *pair, struct trace_verdict *verdict)
{
	struct runner_pair run = *pair;

	on_core(0, run_of_pair, &run.setup);
	core_settle(SETTLE_NS);
	trace_begin();
	for (unsigned who = 0; who < 2; who++)
		traced(who, run_of_pair, &run.call[who]);
	trace_judge(verdict);
	undo_back(&steady);
}
