/* SPDX-License-Identifier: MIT */
/* site.h - stands in for base/site.h in the models: memory never runs out there. */
#ifndef BASE_SITE_H
#define BASE_SITE_H

#define BASE_SITE(kind, call, is_none) (call)

#endif
