/* SPDX-License-Identifier: MIT */
/*
 * kernel_child.c - the process in which calls meet the running kernel. After the fork it uses no allocator and no
 * stdio: its address space is the experiment. Raw system calls only, so that sanitizers do not step in between.
 */
#include "stress/oracle/kernel_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_PAGES 256u                         /* the kernel's stack_guard_gap                                   */

/* <linux/fs.h> of kernel 6.11 and later; older headers lack it. */
struct procmap_query {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY_ _IOWR('f', 17, struct procmap_query)
enum { QUERY_SHARED = 8, QUERY_COVERING_OR_NEXT = 16 };

static struct ring *ring;
static sigjmp_buf touch_failed;
static int maps_file = -1;
static unsigned forks;                           /* how deep a child this process is                               */

static int64_t raw(int64_t result) { return result == -1 ? -errno : result; }

static int64_t map_raw(uint64_t addr, uint64_t len, int prot, int flags, int file, uint64_t offset)
{
	return raw(syscall(SYS_mmap, addr, len, prot, flags, file, offset));
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	siglongjmp(touch_failed, sig == SIGBUS                  ? FAULT_BUS
				 : info->si_code == SEGV_MAPERR ? FAULT_MAPERR
								: FAULT_ACCERR);
}

__attribute__((no_sanitize("address", "thread", "undefined")))
static int64_t touch(const struct op *op)
{
	volatile uint64_t *word = (volatile uint64_t *)(uintptr_t)op->addr;
	int code = sigsetjmp(touch_failed, 1);

	if (code)
		return OP_FAULT(code);
	if (op->call == OP_READ)
		return (int64_t)*word;
	*word = op->value;
	return 0;
}

/* ---- limits ---- */

static uint64_t filler;                          /* a large stretch of the filling                                 */
static uint64_t filler_split;                    /* its pages that are VMAs of their own, to reach max_map_count   */

static bool stack_limited;                       /* our own has grown as far as it needs                           */

/* A number in a file of /proc: what follows `key`. */
static int64_t number_in(const char *path, const char *key)
{
	char text[4096], *p = text;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	int64_t value = 0;

	if (file >= 0)
		close(file);
	text[n > 0 ? n : 0] = 0;
	p = n > 0 ? strstr(text, key) : NULL;
	if (!p)
		return -1;
	for (p += strlen(key); *p == ' ' || *p == '\t'; p++)
		;
	for (; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	return value;
}

static int set_limit(int which, uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(which, &limit))
		return -errno;
	limit.rlim_cur = bytes;
	if (bytes == RLIM_INFINITY || (limit.rlim_max != RLIM_INFINITY && bytes > limit.rlim_max))
		limit.rlim_cur = limit.rlim_max;
	return setrlimit(which, &limit) ? -errno : 0;
}

/* VMAs of this process: lines of its map, but for the one that is none. */
static int64_t count_vmas(void)
{
	char part[4096];
	int64_t lines = 0;
	ssize_t n;

	if (lseek(maps_file, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(maps_file, part, sizeof(part))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += part[i] == '\n';
	return lines - 1;
}

/* Cuts the filling into VMAs until only n more may come. */
static int64_t use_up_vmas(uint64_t n)
{
	int64_t most = number_in("/proc/sys/vm/max_map_count", ""), more = most - (int64_t)n - count_vmas();
	int64_t odd = more & 1;

	if (!filler || most < 0 || more < 0 || ring->text_lists)
		return -ENOSYS;
	filler_split = (uint64_t)more + 4;
	if (odd && mprotect((void *)(uintptr_t)filler, PAGE, PROT_READ))
		return -errno;
	for (uint64_t i = 1; i <= (uint64_t)more / 2; i++)
		if (mprotect((void *)(uintptr_t)(filler + 2 * i * PAGE), PAGE, PROT_READ))
			return -errno;
	return count_vmas() == most - (int64_t)n ? 0 : -ENOSYS;
}

static int64_t limit(const struct op *op)
{
	int64_t vm = number_in("/proc/self/status", "VmSize:"), locked = number_in("/proc/self/status", "VmLck:");
	int64_t err = vm < 0 || locked < 0 ? -ENOSYS : 0;

	if (!err && op->addr)
		err = use_up_vmas(op->addr);
	if (!err && op->len)
		err = set_limit(RLIMIT_AS, (uint64_t)vm * 1024 + op->len * PAGE);
	if (!err && op->new_addr) {
		stack_limited = true;
		err = set_limit(RLIMIT_STACK, op->new_addr * PAGE);
	}
	if (!err && op->new_len)
		err = set_limit(RLIMIT_MEMLOCK, (uint64_t)locked * 1024 + op->new_len * PAGE);
	return err;
}

static void lift_limits(void)
{
	set_limit(RLIMIT_AS, RLIM_INFINITY);
	set_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	if (stack_limited)
		set_limit(RLIMIT_STACK, RLIM_INFINITY);
	stack_limited = false;
	if (filler_split)
		mprotect((void *)(uintptr_t)filler, (filler_split + 4) * PAGE, PROT_NONE);
	filler_split = 0;
}

/* A privileged process may lock as much as it likes. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = 0;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	syscall(SYS_capset, &header, data);
}

/* From here on the child answers. This process goes on when that has ended, and answers what ended it. */
static int64_t begin(void)
{
	int64_t pid = forks < OP_FORKS ? raw(syscall(SYS_fork)) : -EAGAIN;

	if (pid > 0) {
		pid = raw(syscall(SYS_wait4, pid, NULL, 0, NULL)) == pid ? 0 : -ECHILD;
	} else if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(maps_file);
		maps_file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);       /* of this map, not of its parent's */
		forks++;
	}
	ring->pid = getpid();
	return pid;
}

static int64_t run(const struct op *op)
{
	switch (op->call) {
	case OP_MMAP:
		return map_raw(op->addr, op->len, op->prot, op->flags, op->object ? ring->file[op->object] : -1,
			       op->offset);
	case OP_MUNMAP:
		return raw(syscall(SYS_munmap, op->addr, op->len));
	case OP_MPROTECT:
		return raw(syscall(SYS_mprotect, op->addr, op->len, op->prot));
	case OP_MREMAP:
		return raw(syscall(SYS_mremap, op->addr, op->len, op->new_len, op->flags, op->new_addr));
	case OP_MADVISE:
		return raw(syscall(SYS_madvise, op->addr, op->len, op->advice));
	case OP_BRK:
		return syscall(SYS_brk, op->addr);
	case OP_MSYNC:
		return raw(syscall(SYS_msync, op->addr, op->len, op->flags));
	case OP_RESIZE:
		return raw(ftruncate(ring->file[op->object], (off_t)op->len));
	case OP_MLOCK:
		return raw(syscall(SYS_mlock2, op->addr, op->len, op->flags));
	case OP_MUNLOCK:
		return raw(syscall(SYS_munlock, op->addr, op->len));
	case OP_LIMIT:
		return limit(op);
	case OP_FORK:
		return begin();
	case OP_EXIT:
		if (forks)
			_exit(0);
		return -ECHILD;
	default:
		return touch(op);
	}
}

/* ---- listing ---- */

static const char *hex(const char *p, uint64_t *value)
{
	for (*value = 0;; p++) {
		if (*p >= '0' && *p <= '9')
			*value = *value * 16 + (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			*value = *value * 16 + (uint64_t)(*p - 'a' + 10);
		else
			return p;
	}
}

/* One line of /proc/PID/maps; the address of the next one. */
static const char *parse_line(const char *p, struct row *row)
{
	uint64_t skip;

	*row = (struct row){ 0 };
	p = hex(p, &row->start);
	p = hex(p + 1, &row->end) + 1;
	row->prot = (uint8_t)((p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) |
			      (p[2] == 'x' ? PROT_EXEC : 0));
	row->shared = p[3] == 's';
	p = hex(p + 5, &row->offset);
	p = hex(p + 1, &skip);
	p = hex(p + 1, &skip) + 1;
	while (*p >= '0' && *p <= '9')
		row->object = row->object * 10 + (uint64_t)(*p++ - '0');
	if (!row->object)
		row->offset = 0;
	p = strchr(p, '\n');
	return p ? p + 1 : "";
}

static int read_maps(void)
{
	size_t used = 0;
	ssize_t n;

	if (lseek(maps_file, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(maps_file, ring->text + used, KERNEL_TEXT - 1 - used)) > 0)
		used += (size_t)n;
	ring->text[used] = 0;
	return n < 0 ? -errno : used == KERNEL_TEXT - 1 ? -E2BIG : 0;
}

static void list_text(unsigned i)
{
	ring->error = read_maps();
	for (const char *p = ring->text; !ring->error && *p;) {
		struct row row;

		p = parse_line(p, &row);
		if (row.end > ring->lo && row.start < ring->hi && ring->used < KERNEL_ROWS)
			ring->row[ring->used++] = row;
	}
	ring->list_count[i] = ring->used - ring->list_from[i];
}

static void list(unsigned i)
{
	uint64_t at = ring->lo;

	ring->list_from[i] = ring->used;
	if (ring->text_lists) {
		list_text(i);
		return;
	}
	while (at < ring->hi && ring->used < KERNEL_ROWS) {
		struct procmap_query q = { .size = sizeof(q), .query_flags = QUERY_COVERING_OR_NEXT, .query_addr = at };

		if (ioctl(maps_file, PROCMAP_QUERY_, &q) < 0) {
			ring->error = -errno;
			break;
		}
		if (q.vma_start >= ring->hi)
			break;
		ring->row[ring->used++] = (struct row){
			.start = q.vma_start, .end = q.vma_end, .offset = q.inode ? q.vma_offset : 0, .object = q.inode,
			.prot = q.vma_flags & 7, .shared = !!(q.vma_flags & QUERY_SHARED),
		};
		at = q.vma_end;
	}
	ring->list_count[i] = ring->used - ring->list_from[i];
}

static void probe_listing(void)
{
	struct procmap_query q = { .size = sizeof(q), .query_flags = QUERY_COVERING_OR_NEXT, .query_addr = 0 };

	maps_file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ring->text_lists = maps_file < 0 || ioctl(maps_file, PROCMAP_QUERY_, &q) < 0;
}

/* ---- set-up ---- */

static int fail(const char *why)
{
	strncpy(ring->why, why, sizeof(ring->why) - 1);
	return errno ? -errno : -EINVAL;
}

static int fill(uint64_t lo, uint64_t hi)
{
	int64_t at;

	if (lo >= hi)
		return 0;
	at = map_raw(lo, hi - lo, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (hi - lo > UINT64_C(1) << 36)
		filler = lo;
	return at == (int64_t)lo ? 0 : fail("the address space cannot be filled (address space limit?)");
}

static int border(uint64_t addr, uint64_t offset)
{
	int64_t at = map_raw(addr, PAGE, PROT_NONE, MAP_SHARED | MAP_FIXED_NOREPLACE, ring->file[OBJECT_BORDER],
			     offset);

	return at == (int64_t)addr ? 0 : fail("the region is taken");
}

/* Fills every gap but the region, and but the guard gap of the stack, which counts as taken anyway. */
static int fill_all(void)
{
	uint64_t at = 65536, limit = (UINT64_C(1) << 47) - PAGE;
	int err = read_maps();

	for (const char *p = ring->text; !err && *p;) {
		struct row row;
		bool stack;

		p = parse_line(p, &row);
		stack = row.start <= (uintptr_t)&row && (uintptr_t)&row < row.end;
		if (row.start >= limit)
			break;
		if (row.start > at) {
			uint64_t to = stack ? row.start - GUARD_PAGES * PAGE : row.start;

			err = fill(at, to);
		}
		at = row.end > at ? row.end : at;
	}
	return err ? err : fill(at, limit);
}

static int field(char *text, int number, uint64_t *value)
{
	char *p = strrchr(text, ')');

	for (int i = 2; p && i < number; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -EINVAL;
	for (*value = 0, p++; *p >= '0' && *p <= '9'; p++)
		*value = *value * 10 + (uint64_t)(*p - '0');
	return 0;
}

/* The program break starts at the region's start. Needs no privilege (PR_SET_MM_MAP), but CONFIG_CHECKPOINT_RESTORE. */
static int move_brk(void)
{
	struct prctl_mm_map m = { .exe_fd = (uint32_t)-1 };
	const struct { int number; __u64 *to;
	} fields[] = {
		{26, &m.start_code}, {27, &m.end_code},  {28, &m.start_stack},
		{45, &m.start_data}, {46, &m.end_data},  {48, &m.arg_start},
		{49, &m.arg_end},    {50, &m.env_start}, {51, &m.env_end},
	};
	int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, ring->text, KERNEL_TEXT - 1);

	if (n <= 0)
		return -ENOENT;
	close(file);
	ring->text[n] = 0;
	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		uint64_t value;

		if (field(ring->text, fields[i].number, &value))
			return -EINVAL;
		*fields[i].to = value;
	}
	m.start_brk = m.brk = ring->lo;
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0) ? -errno : 0;
}

static int set_up(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	/* one signal before the address space is full: a sanitizer's runtime allocates on the first */
	touch(&(struct op){ .call = OP_READ, .addr = ring->lo });
	probe_listing();
	if (maps_file < 0)
		return fail("/proc/self/maps cannot be read");
	err = border(ring->lo - PAGE, 0);
	if (!err)
		err = border(ring->hi, 2 * PAGE);
	if (!err && map_raw(ring->lo, ring->hi - ring->lo, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (int64_t)ring->lo)
		err = fail("the region is taken");
	if (!err)
		err = fill_all();
	ring->no_brk = move_brk() != 0;
	drop_ipc_lock();
	return err;
}

static void reset(void)
{
	uint64_t size = ring->hi - ring->lo;

	lift_limits();
	/* a break shrinks only over something mapped */
	map_raw(ring->lo, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (!ring->no_brk)
		syscall(SYS_brk, ring->lo);
	syscall(SYS_munmap, ring->lo, size);
	for (int i = OBJECT_A; i <= OBJECT_B; i++) {
		if (ftruncate(ring->file[i], 0) || ftruncate(ring->file[i], OBJECT_PAGES * (off_t)PAGE))
			ring->error = -errno;
	}
}

_Noreturn void kernel_child(struct ring *shared)
{
	bool resumed = false;

	ring = shared;
	ring->pid = getpid();
	ring->error = set_up();
	for (;;) {
		if (ring->command == RING_RUN || !resumed) {
			sem_post(&ring->done);
			while (sem_wait(&ring->go))
				;
		}
		resumed = false;
		if (ring->command == RING_EXIT || ring->error || (ring->command == RING_RESET && forks))
			_exit(0);
		if (ring->command == RING_RESET) {
			reset();
			continue;
		}
		ring->used = 0;
		for (ring->at = 0; ring->at < ring->n && !resumed; ring->at++) {
			int64_t result = run(&ring->op[ring->at]);       /* perhaps another op's by now: begin()  */

			ring->result[ring->at] = result;
			resumed = ring->command != RING_RUN;     /* it came to a child, and ended that     */
			if (ring->list_after[ring->at] && !resumed)
				list(ring->at);
		}
	}
}
