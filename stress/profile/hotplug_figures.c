/* SPDX-License-Identifier: MIT */
/* hotplug_figures.c - what a storm of segments has counted, at rest: hotplug.c says what it means. */
#include "stress/profile/hotplug.h"

static uint64_t lost(const struct profile_map *map)
{
	struct physmem_usage u;
	struct vmmap_usage in;
	uint64_t all;

	physmem_get_usage(map->pm, &u);
	vmmap_get_usage(map->vm, &in);
	all = u.free + u.cached + u.deferred + u.balloon + u.poisoned + u.isolated + u.owned;
	return (u.frames > all ? u.frames - all : 0) + (u.owned > in.resident_pages ? u.owned - in.resident_pages : 0);
}

static unsigned category_figures(const struct category *c, const char *const name[4], struct profile_figure *out)
{
	uint64_t all = c->unplugs + c->failures;

	out[0] = (struct profile_figure){ name[0], c->unplugs };
	out[1] = (struct profile_figure){ name[1], c->used };
	out[2] = (struct profile_figure){ name[2], c->failures };
	out[3] = (struct profile_figure){ name[3], all ? 100 * c->unplugs / all : 100 };
	return 4;
}

static unsigned unplug_figures(const struct storm *s, struct profile_figure *out)
{
	static const char *const name[2][4] = {
		{ "everything.unplugs", "everything.used", "everything.failures", "everything.success_percent" },
		{ "movable.unplugs", "movable.used", "movable.failures", "movable.success_percent" },
	};
	const struct category *all = s->category;
	unsigned n = 0;

	out[n++] = (struct profile_figure){ "plugs", s->plugs };
	out[n++] = (struct profile_figure){ "unplugs", all[0].unplugs + all[1].unplugs };
	out[n++] = (struct profile_figure){ "unplugs_used", all[0].used + all[1].used };
	out[n++] = (struct profile_figure){ "unplug_failures.held", s->failed[PHYSMEM_REASON_HELD] };
	out[n++] = (struct profile_figure){ "unplug_failures.pinned", s->failed[PHYSMEM_REASON_PINNED] };
	out[n++] = (struct profile_figure){ "unplug_failures.busy", s->failed[PHYSMEM_REASON_BUSY] };
	out[n++] = (struct profile_figure){ "unplug_failures.readers", s->failed[PHYSMEM_REASON_READERS] };
	out[n++] = (struct profile_figure){ "unplug_failures.no_room", s->failed[PHYSMEM_REASON_NO_ROOM] };
	out[n] = (struct profile_figure){ "unplug_failures.other", s->failed[PHYSMEM_REASON_NONE] };
	for (unsigned why = PHYSMEM_REASON_VETO; why < PHYSMEM_REASONS; why++)
		out[n].value += s->failed[why];
	n++;
	for (unsigned i = 0; i < 2; i++)
		n += category_figures(&all[i], name[i], &out[n]);
	return n;
}

unsigned hotplug_figures(const struct profile_map *map, struct profile_figure *out)
{
	const struct storm *s = map->shared;
	uint64_t blocked = 0, pins = 0, revoked = 0, verified = 0;
	unsigned n = unplug_figures(s, out);

	for (unsigned i = 1; i < s->workers; i++) {
		blocked += atomic_load_relaxed(&s->worker[i].blocked);
		pins += atomic_load_relaxed(&s->worker[i].pins);
		revoked += atomic_load_relaxed(&s->worker[i].revoked);
		verified += atomic_load_relaxed(&s->worker[i].verified);
	}
	out[n++] = (struct profile_figure){ "migrated_frames", s->moved };
	out[n++] = (struct profile_figure){ "verified_pages", verified };
	out[n++] = (struct profile_figure){ "pins", pins };
	out[n++] = (struct profile_figure){ "revoked_pins", revoked };
	out[n++] = (struct profile_figure){ "blocked_accesses", blocked };
	out[n++] = (struct profile_figure){ "lost_frames", lost(map) };
	return n;
}
