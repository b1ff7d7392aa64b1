/* SPDX-License-Identifier: MIT */
/* policy_list.h - the policies, one line each, in the order of --policy=help: LOCK_POLICY(symbol after lock_policy_) */
LOCK_POLICY(none)
LOCK_POLICY(rwlock)
LOCK_POLICY(rwsem)
LOCK_POLICY(pervma)
LOCK_POLICY(spf)
LOCK_POLICY(range_tree)
LOCK_POLICY(range_list)
LOCK_POLICY(fine_lock)
LOCK_POLICY(pt_lock)
LOCK_POLICY(vma_count)
LOCK_POLICY(vma)
LOCK_POLICY(checked)
