/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the module is built for. Kbuild looks
 * into their headers, since distributions move interfaces between versions.
 */
#ifndef CHANNEL_COMPAT_H
#define CHANNEL_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>

#ifndef HAVE_VM_FLAGS_MOD /* before Linux 6.3 */
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}
#endif

static inline void channel_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef HAVE_EVENTFD_SIGNAL_COUNT /* before Linux 6.8 */
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

#endif /* CHANNEL_COMPAT_H */
