/* SPDX-License-Identifier: MIT */
/* carve.h - what the files of the brief form share: what stands in a leaf, and what will stand there. */
#ifndef VMMAP_SPACE_CARVE_H
#define VMMAP_SPACE_CARVE_H

#include "vmmap/space/space.h"

#define CARVE_VMAS 4                             /* VMAs that one brief edit may change                            */

struct carve_piece {
	struct lock_range r;
	struct vma *vma;                         /* the object that stands for it; NULL: to be made                */
	struct space_new is;
	int slot;                                /* its slot as it is now, -1: none                                */
	bool ours;                               /* taken                                                          */
	bool spans;                              /* its object has slots in another leaf: it has to stay           */
	bool store;                              /* bits differ from vma->bits: to be stored in place              */
	bool moved;                              /* bounds differ from the slot's                                  */
};

struct carve_work {
	struct vmmap *map;
	struct lock_edit *e;
	struct carve *c;
	struct vtree_section s;
	struct lock_range r;                     /* what is done of c->r                                           */
	int result;
	bool right_keeps;                        /* the piece above r keeps the object, not the one below          */
	unsigned n, pieces, deads;
	struct vtree_slot old[CARVE_VMAS];       /* VMAs that meet r, low to high                                  */
	int old_slot[CARVE_VMAS];
	uint32_t spans, elsewhere;               /* which of them go on in another leaf; and only there, soon      */
	struct carve_piece piece[2 * CARVE_VMAS + 3]; /* what will stand there, low to high, neighbours included    */
	struct vma *dead[CARVE_VMAS + 2];
	struct vma *neighbour[2];                /* taken to grow, and to be let go                                */
	unsigned beside;
	uint64_t heal[2];
	int64_t counted;                         /* with limits: VMAs that were, of those whose borders change     */
};

/* Makes neighbours among the pieces, and those beside them in this leaf, one (carve_join.c). */
void carve_join(struct carve_work *w);

#endif
