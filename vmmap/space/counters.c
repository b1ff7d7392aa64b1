/* SPDX-License-Identifier: MIT */
/* counters.c - what a map has done, summed over the slots: no shared line is written while it works. */
#include "vmmap/space/space.h"

void vmmap_get_counters(struct vmmap *map, struct vmmap_counters *out)
{
	uint64_t sum[SPACE_EVENTS] = { 0 };
	struct lock_stats locks = { 0 };

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct space_local *local = thread_local_at(&map->locals, i);

		for (unsigned e = 0; local && e < SPACE_EVENTS; e++)
			sum[e] += atomic_load_relaxed(&local->event[e]);
	}
	if (map->policy->stats)
		map->policy->stats(map->lock_state, &locks);
	*out = (struct vmmap_counters){
		.mmaps = sum[SPACE_MMAP], .munmaps = sum[SPACE_MUNMAP], .mprotects = sum[SPACE_MPROTECT],
		.mremaps = sum[SPACE_MREMAP], .madvises = sum[SPACE_MADVISE], .brks = sum[SPACE_BRK],
		.mlocks = sum[SPACE_MLOCK], .munlocks = sum[SPACE_MUNLOCK], .forks = sum[SPACE_FORK],
		.faults = sum[SPACE_FAULT], .fault_hits = sum[SPACE_FAULT_HIT], .fault_retries = sum[SPACE_FAULT_RETRY],
		.accesses = sum[SPACE_ACCESS], .brief_edits = sum[SPACE_BRIEF], .general_edits = sum[SPACE_GENERAL],
		.merges = sum[SPACE_MERGE], .splits = sum[SPACE_SPLIT],
		.waits = locks.visits_waited + locks.edits_waited, .hand_overs = locks.hand_overs,
		.max_overtakes = locks.max_overtakes,
		.frames_direct = sum[SPACE_FRAME_DIRECT], .frames_deferred = sum[SPACE_FRAME_DEFERRED],
	};
}

uint64_t vmmap_grace_period_waits(void) { return rcu_waits(); }
uint64_t vmmap_blocked_total(void)      { return park_blocked_total(); }
uint64_t vmmap_blocked_self(void)       { return park_blocked_self(); }
