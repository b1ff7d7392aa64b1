/* SPDX-License-Identifier: MIT */
/*
 * Window: mprotect(PROT_GROWSDOWN) has looked where the stack begins; before it holds it, the stack grows.
 * Rule: look, hold, look again. Broken: it protects what was the stack, and not the stack.
 * mutant: protect_down_one_look
 */
#include "tests/windows/window.h"

#define STACK (BASE + 600 * PAGE)

static void body(struct window_thread *t)
{
	t->result = vmmap_mprotect(t->map, t->addr, t->len, PROT_READ | PROT_GROWSDOWN);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread protect = { .role = "protect", .fn = body, .map = map, .addr = STACK + PAGE, .len = PAGE };
	struct vmmap_vma v;

	expect(vmmap_mmap(map, STACK, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
	window_start_to(&protect, "protect_down_looked");
	expect(vmmap_fault(map, STACK - 5 * PAGE, PROT_WRITE, NULL) == 0);
	point_release("protect", "protect_down_looked");
	window_join(&protect);
	expect(protect.result == 0);
	expect(vmmap_query(map, STACK - 5 * PAGE, &v) == 0 && v.start == STACK - 5 * PAGE);
	expect(v.end == STACK + 2 * PAGE && v.prot == PROT_READ && v.flags & MAP_GROWSDOWN);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "pt-lock", NULL },
			  script);
}
