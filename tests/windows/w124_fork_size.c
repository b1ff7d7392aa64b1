/* SPDX-License-Identifier: MIT */
/*
 * Window: a fork has made its child, whose gate is still closed; an object that both map privately gets shorter. Rule:
 * the fork looks at the sizes once the gate is open. Broken: the walk has passed by the child, which keeps its private
 * copies beyond the end.
 * mutant: fork_no_size
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fork = { .role = "fork", .fn = window_fork, .map = map };
	struct vmmap_fault_info info;
	int64_t at;

	object_of(map, 4, false);
	at = vmmap_mmap(map, BASE, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, object, 0);
	expect(at == (int64_t)BASE);
	expect(put_word(map, BASE, 1) > 0 && put_word(map, BASE + 3 * PAGE, 4) > 0);
	window_start_to(&fork, "fork_before_gate");
	expect(vmmap_object_resize(object, PAGE) == 0);
	point_release("fork", "fork_before_gate");
	window_join(&fork);
	expect(fork.result == 0);
	expect(vmmap_fault(child, BASE + 3 * PAGE, PROT_READ, &info) == -EFAULT && info.code == VMMAP_BUS);
	expect(word_at(child, BASE) == 1);
	expect(vmmap_audit(child, stderr) == 0);
	vmmap_destroy(child);
	object_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
