/* SPDX-License-Identifier: MIT */
/* geometry.h - how a pair of calls lies in a layout: isomorphism, relation, class, stretched borders. See suite.h. */
#ifndef BENCH_CONFLICTS_GEOMETRY_H
#define BENCH_CONFLICTS_GEOMETRY_H

#include "bench/conflicts/suite.h"

struct geometry {
	const struct ref *layout;                /* after the set-up, unstretched                                  */
	const struct scene *scene;
	const struct call *call;                 /* A, B                                                           */
	uint32_t pages[2];                       /* that each names                                                */
};

void geometry_open(struct geometry *k, const struct ref *layout, const struct scene *scene, const struct call call[2]);
uint64_t geometry_key(const struct geometry *k);
enum suite_relation geometry_relation(const struct geometry *k);
/* How each call cuts the layout, what it meets and brings, and the relation. */
uint64_t geometry_class(const struct geometry *k);
/* Both only look, and nothing that they look at has still to be made. */
bool geometry_looks(const struct geometry *k);
/* The borders to be stretched; false: none that would part them. */
bool geometry_stretch(const struct geometry *k, struct stretch *out);

#endif
