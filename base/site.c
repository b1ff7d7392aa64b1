/* SPDX-License-Identifier: MIT */
/* site.c - refusals by order (builds with VMMAP_POINTS). The order stands in the slot of the thread that gave it. */
#include "base/site.h"
#include "base/thread.h"

#ifdef VMMAP_POINTS

/* The section exists, and with it its two symbols, even in a program without any site. */
static struct site *no_site[0] POINT_LIST("vmmap_sites");

atomic_u32 site_orders;
static atomic_u32 site_only;             /* the number of the one slot that is listened to, + 1; 0: all are        */

bool site_heard(void)
{
	uint32_t only = atomic_load_relaxed(&site_only);

	return only == 0 || (thread_current != NULL && thread_current->number + 1 == only);
}

void site_hear_only_me(void)
{
	atomic_store_relaxed(&site_only, thread_self()->number + 1);
}

bool site_ordered(void)
{
	struct thread_slot *self = thread_current;

	if (self == NULL || self->site_nth == 0)
		return false;
	if (self->site_nth > 1) {
		self->site_nth--;
		return false;
	}
	self->site_nth = self->site_lasts;
	self->site_fired = 1;
	return true;
}

void site_refuse_nth(uint64_t n, bool lasts)
{
	struct thread_slot *self = thread_self();

	atomic_store_relaxed(&site_orders, 1);   /* for good: from here on each site asks its thread */
	self->site_nth = n;
	self->site_lasts = lasts;
	if (n != 0)
		self->site_fired = 0;
}

bool site_refuse_fired(void)
{
	return thread_self()->site_fired != 0;
}

#else

void site_hear_only_me(void)
{
}

void site_refuse_nth(uint64_t n, bool lasts)
{
	(void)n, (void)lasts;
}

bool site_refuse_fired(void)
{
	return false;
}

#endif
