/* SPDX-License-Identifier: MIT */
/* crowd.c - the threads of a crowd; see crowd.h. */
#include "tests/policy/crowd.h"

#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/thread.h"

#define TOO_LONG_NS UINT64_C(60000000000)

void crowd_add(struct crowd *c, const struct job *job, uint64_t rounds)
{
	c->member[c->n] = (struct member){
		.crowd = c, .job = job, .rounds = rounds, .number = c->n, .random = prng_seed(c->n, 3)
	};
	c->n++;
	if (rounds)
		atomic_add_relaxed(&c->left, 1);
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;

	m->slot = thread_self()->number;
	for (; !atomic_load_relaxed(&c->stop); m->round++) {
		if (m->rounds && m->round == m->rounds) {
			atomic_add_relaxed(&c->left, (uint32_t)-1);
			break;
		}
		if (!c->one_round(m))
			atomic_add_relaxed(&c->wrong, 1);
	}
	return NULL;
}

bool crowd_run(struct crowd *c, bool (*one_round)(struct member *m))
{
	uint64_t late = clock_ns() + TOO_LONG_NS;

	c->one_round = one_round;
	for (unsigned i = 0; i < c->n; i++)
		CHECK(pthread_create(&c->member[i].thread, NULL, member_main, &c->member[i]) == 0);
	while (atomic_load_relaxed(&c->left)) {
		usleep(200);
		if (clock_ns() > late) {
			fprintf(stderr, "somebody is shut out\n");
			return false;
		}
	}
	atomic_store_relaxed(&c->stop, 1);
	for (unsigned i = 0; i < c->n; i++)
		pthread_join(c->member[i].thread, NULL);
	return true;
}
