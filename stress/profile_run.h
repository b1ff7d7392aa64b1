/* SPDX-License-Identifier: MIT */
/* profile_run.h - the inside of a run: for profile*.c only. */
#ifndef STRESS_PROFILE_RUN_H
#define STRESS_PROFILE_RUN_H

#include <pthread.h>

#include "stress/profile_ops.h"

enum run_control { RUN_ON, RUN_REST, RUN_OVER };

struct run_crew;                                 /* the run's own threads, where the caller brings none            */

struct profile_run {
	const struct profile *profile;
	struct profile_params params;
	struct profile_map *maps;
	struct profile_thread *threads;
	unsigned nmaps;
	struct run_crew *crew;

	struct profile_goal goal;                /* of this block                                                  */
	uint64_t began;
	struct vmmap_counters before;
	char error[160];                         /* under lock                                                     */

	atomic_u32 control;                      /* enum run_control: read after every step                        */
	atomic_u32 at_gate;                      /* threads that have come to this block                           */

	pthread_mutex_t lock;
	pthread_cond_t moved;                    /* any of these has changed                                       */
	unsigned active, resting;                /* threads inside the block; of them, at rest                     */
	bool quiet;                              /* somebody looks: nobody leaves his rest                         */
};

void run_sync_init(struct profile_run *run);
void run_gate(struct profile_thread *t);         /* returns when all threads of the run are here                   */
void run_rest(struct profile_thread *t);         /* while control is RUN_REST                                      */
void run_leave(struct profile_thread *t);        /* the thread's last act in a block                               */

int  run_crew_start(struct profile_run *run);    /* sends the run's own threads into the block; makes them at first */
void run_crew_wait(struct profile_run *run);     /* until all have left it                                         */
void run_crew_end(struct profile_run *run);

#endif
