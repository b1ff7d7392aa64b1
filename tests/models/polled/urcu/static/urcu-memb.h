/* SPDX-License-Identifier: MIT */
/* static/urcu-memb.h - nothing more than the other. */
#include "urcu/urcu-memb.h"
