/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The interface of /dev/channel: see channel(4).
 */
#ifndef _UAPI_LINUX_CHANNEL_H
#define _UAPI_LINUX_CHANNEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CHANNEL_MAJOR	96
#define CHANNEL_SIZE	4096

#define CHANNEL_IOC_MAGIC	0xC8

/* The eventfd that each write signals; -1 takes it away. */
#define CHANNEL_SET_EVENTFD	_IOW(CHANNEL_IOC_MAGIC, 1, __s32)
/* The length of the message, fresh or stale. */
#define CHANNEL_GET_LENGTH	_IOR(CHANNEL_IOC_MAGIC, 2, __u32)

#endif /* _UAPI_LINUX_CHANNEL_H */
