// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/channel: pass messages between processes. channel(4) is the specification.
 *
 * A channel has two mutexes. The state (message, length, freshness, eventfd) is under
 * channel.lock, which is held for short copies within the kernel only. No user
 * memory is accessed under it: a page fault may sleep for as long as some other
 * process likes. Readers take turns by channel.reading, which the one that
 * is taking a message holds until the message is in its memory: then, and only then,
 * the message is stale. Those who wait for that can be interrupted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include <linux/channel.h>

#include "compat.h"
#include "mutants.h"

#define CHANNELS_MAX	64

static unsigned int major = CHANNEL_MAJOR;
module_param(major, uint, 0444);
MODULE_PARM_DESC(major, "major number, 0 for a free one (default 96)");

static unsigned int channels = 2;
module_param(channels, uint, 0444);
MODULE_PARM_DESC(channels, "number of channels, 1 to 64 (default 2)");

struct channel {
	struct mutex reading;		/* held by the one reader that takes a message */
	char *taken;			/* its copy of the message */

	struct mutex lock;		/* protects what follows */
	struct page *page;		/* holds the message; also mapped */
	size_t length;			/* where the message ends */
	bool fresh;			/* read without the lock by those who look again */
	u64 writes;			/* so far: tells one message from the next */
	struct eventfd_ctx *eventfd;

	/* Apart, so that an exclusive waiter among the pollers takes no wake-up of a reader. */
	wait_queue_head_t readers;
	wait_queue_head_t pollers;
	struct fasync_struct *fasync;
};

static struct channel *channel_table;
static struct cdev *channel_cdev;
static dev_t channel_first;

static struct channel *channel_of(struct file *file)
{
	return file->private_data;
}

/* The channel whose freshness counts. */
static struct channel *channel_fresh(struct channel *ch)
{
	return MUTANT(READINESS_SHARED) ? channel_table : ch;
}

static bool channel_is_fresh(struct channel *ch)
{
	return READ_ONCE(channel_fresh(ch)->fresh);
}

static int channel_open(struct inode *inode, struct file *file)
{
	unsigned int minor = iminor(inode);

	if (minor >= channels)
		return -ENXIO;
	file->private_data = &channel_table[minor];
	return 0;
}

static loff_t channel_llseek(struct file *file, loff_t offset, int whence)
{
	if (MUTANT(SEEK_END_OFF_BY_ONE) && whence == SEEK_END)
		return fixed_size_llseek(file, offset, whence, CHANNEL_SIZE - 1);
	return fixed_size_llseek(file, offset, whence, CHANNEL_SIZE);
}

static int channel_await_message(struct channel *ch, bool nonblock)
{
	if (nonblock)
		return channel_is_fresh(ch) ? 0 : -EAGAIN;
	if (MUTANT(UNINTERRUPTIBLE_READ))
		return wait_event_killable_exclusive(ch->readers, channel_is_fresh(ch));
	return wait_event_interruptible_exclusive(ch->readers, channel_is_fresh(ch));
}

/*
 * Takes the message, with ch->reading held. -EAGAIN: somebody else was first.
 */
static ssize_t channel_take(struct channel *ch, loff_t pos, struct iov_iter *to)
{
	size_t end, n = 0;
	char *message;
	u64 writes;

	mutex_lock(&ch->lock);
	if (!channel_is_fresh(ch)) {
		mutex_unlock(&ch->lock);
		return -EAGAIN;
	}
	message = page_address(ch->page);
	end = MUTANT(READ_PAST_END) ? CHANNEL_SIZE : ch->length;
	if (pos < end) {
		n = min_t(size_t, end - pos, iov_iter_count(to));
		if (MUTANT(C_STRING_LENGTH))
			n = strnlen(message + pos, n);
		flush_dcache_page(ch->page);
		memcpy(ch->taken, message + pos, n);
	}
	writes = ch->writes;
	if (MUTANT(EFAULT_CONSUMES) && n)
		ch->fresh = false;
	mutex_unlock(&ch->lock);

	if (copy_to_iter(ch->taken, n, to) != n)
		return -EFAULT;

	mutex_lock(&ch->lock);
	/* A message that has come meanwhile stays fresh. */
	if (n && ch->writes == writes)
		WRITE_ONCE(channel_fresh(ch)->fresh, false);
	mutex_unlock(&ch->lock);
	return n;
}

static ssize_t channel_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct channel *ch = channel_of(iocb->ki_filp);
	bool nonblock = (iocb->ki_filp->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT);
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;
	do {
		ret = channel_await_message(ch, nonblock);
		if (ret)
			return ret;
		if (MUTANT(UNLOCKED_READ)) {
			ret = channel_take(ch, iocb->ki_pos, to);
			continue;
		}
		if (mutex_lock_interruptible(&ch->reading)) {
			ret = -ERESTARTSYS;
			break;
		}
		ret = channel_take(ch, iocb->ki_pos, to);
		mutex_unlock(&ch->reading);
	} while (ret == -EAGAIN);

	/* Who was woken and leaves the message to others must wake the next one. */
	if (ret <= 0 && !MUTANT(WAKE_UP_SWALLOWED) && channel_is_fresh(ch))
		wake_up(&ch->readers);
	return ret;
}

static ssize_t channel_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct channel *ch = channel_of(iocb->ki_filp);
	size_t n = iov_iter_count(from);
	loff_t pos = iocb->ki_pos;
	char *data, *message;

	if (!n)
		return 0;
	if (pos >= CHANNEL_SIZE)
		return MUTANT(ZERO_AT_END) ? 0 : -ENOSPC;
	n = min_t(size_t, n, CHANNEL_SIZE - pos);
	data = kmalloc(n, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (!copy_from_iter_full(data, n, from)) {
		kfree(data);
		return -EFAULT;
	}
	if (MUTANT(COPY_OVERRUN))
		data[n] = '\0';

	mutex_lock(&ch->lock);
	message = page_address(ch->page);
	memcpy(message + pos, data, n);
	if (MUTANT(NUL_AFTER_DATA))
		message[pos + n] = '\0';
	flush_dcache_page(ch->page);
	ch->length = pos + n;
	ch->writes++;
	WRITE_ONCE(channel_fresh(ch)->fresh, true);
	if (ch->eventfd)
		channel_eventfd_signal(ch->eventfd);
	mutex_unlock(&ch->lock);
	kfree(data);

	if (!MUTANT(NO_WAKE_UP)) {
		wake_up(&ch->readers);
		wake_up_interruptible_poll(&ch->pollers, EPOLLIN | EPOLLRDNORM);
	}
	kill_fasync(&ch->fasync, SIGIO, POLL_IN);
	iocb->ki_pos = pos + n;
	return n;
}

static __poll_t channel_poll(struct file *file, poll_table *wait)
{
	struct channel *ch = channel_of(file);
	__poll_t mask = MUTANT(NO_POLLOUT) ? 0 : EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &ch->pollers, wait);
	if (channel_is_fresh(ch))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int channel_fasync(int fd, struct file *file, int on)
{
	return fasync_helper(fd, file, on, &channel_of(file)->fasync);
}

static vm_fault_t channel_fault(struct vm_fault *vmf)
{
	struct channel *ch = vmf->vma->vm_private_data;

	if (vmf->pgoff) {
		if (!MUTANT(MAP_UNBOUNDED))
			return VM_FAULT_SIGBUS;
		vmf->page = ch->page + vmf->pgoff;
	} else {
		vmf->page = ch->page;
	}
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct channel_vm_ops = {
	.fault = channel_fault,
};

static int channel_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;

	if (!MUTANT(MAP_UNBOUNDED) && (vma->vm_pgoff || size > PAGE_ALIGN(CHANNEL_SIZE)))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_private_data = channel_of(file);
	vma->vm_ops = &channel_vm_ops;
	return 0;
}

static long channel_set_eventfd(struct channel *ch, __s32 __user *arg)
{
	struct eventfd_ctx *eventfd = NULL;
	__s32 fd;

	if (get_user(fd, arg))
		return -EFAULT;
	if (fd != -1) {
		eventfd = eventfd_ctx_fdget(fd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	mutex_lock(&ch->lock);
	swap(ch->eventfd, eventfd);
	mutex_unlock(&ch->lock);
	if (eventfd && !MUTANT(EVENTFD_LEAK))
		eventfd_ctx_put(eventfd);
	return 0;
}

static long channel_get_length(struct channel *ch, __u32 __user *arg)
{
	__u32 length;

	mutex_lock(&ch->lock);
	length = ch->length;
	mutex_unlock(&ch->lock);
	return put_user(length, arg);
}

static long channel_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct channel *ch = channel_of(file);

	switch (cmd) {
	case CHANNEL_SET_EVENTFD:
		return channel_set_eventfd(ch, (__s32 __user *)arg);
	case CHANNEL_GET_LENGTH:
		return channel_get_length(ch, (__u32 __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations channel_fops = {
	.owner		= THIS_MODULE,
	.open		= channel_open,
	.llseek		= channel_llseek,
	.read_iter	= channel_read_iter,
	.write_iter	= channel_write_iter,
	.poll		= channel_poll,
	.fasync		= channel_fasync,
	.mmap		= channel_mmap,
	.unlocked_ioctl	= channel_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct class channel_class = {
	.name = "channel",
};

static int channel_set_up(struct channel *ch)
{
	ch->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	ch->taken = kmalloc(CHANNEL_SIZE, GFP_KERNEL);
	if (!ch->page || !ch->taken)
		return -ENOMEM;
	mutex_init(&ch->reading);
	mutex_init(&ch->lock);
	init_waitqueue_head(&ch->readers);
	init_waitqueue_head(&ch->pollers);
	return 0;
}

/* Undoes channel_set_up(), also if that has failed or never ran. */
static void channel_tear_down(struct channel *ch)
{
	if (ch->eventfd)
		eventfd_ctx_put(ch->eventfd);
	kfree(ch->taken);
	if (ch->page && !MUTANT(PAGE_LEAK))
		__free_page(ch->page);
}

static int channel_set_up_all(void)
{
	unsigned int i;
	int ret;

	channel_table = kcalloc(channels, sizeof(*channel_table), GFP_KERNEL);
	if (!channel_table)
		return -ENOMEM;
	for (i = 0; i < channels; i++) {
		if (MUTANT(SECOND_UNINITIALISED) && i == 1)
			continue;
		ret = channel_set_up(&channel_table[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static void channel_tear_down_all(void)
{
	unsigned int i;

	if (!channel_table)
		return;
	for (i = 0; i < channels; i++)
		channel_tear_down(&channel_table[i]);
	kfree(channel_table);
}

static int channel_take_numbers(void)
{
	if (!major)
		return alloc_chrdev_region(&channel_first, 0, channels, KBUILD_MODNAME);
	channel_first = MKDEV(major, 0);
	if (MAJOR(channel_first) != major)
		return -EINVAL;
	return register_chrdev_region(channel_first, channels, KBUILD_MODNAME);
}

static int channel_add_cdev(void)
{
	int ret;

	channel_cdev = cdev_alloc();
	if (!channel_cdev)
		return -ENOMEM;
	channel_cdev->owner = THIS_MODULE;
	channel_cdev->ops = &channel_fops;
	ret = cdev_add(channel_cdev, channel_first, channels);
	if (ret)
		kobject_put(&channel_cdev->kobj);
	return ret;
}

static void channel_remove_nodes(unsigned int n)
{
	while (n--)
		device_destroy(&channel_class, channel_first + n);
}

static int channel_make_nodes(void)
{
	struct device *dev;
	unsigned int i;

	for (i = 0; i < channels; i++) {
		dev = device_create(&channel_class, NULL, channel_first + i, NULL, "channel%u", i);
		if (IS_ERR(dev)) {
			channel_remove_nodes(i);
			return PTR_ERR(dev);
		}
	}
	return 0;
}

static int __init channel_init(void)
{
	int ret;

	BUILD_BUG_ON(CHANNEL_SIZE > PAGE_SIZE);

	if (channels < 1 || channels > CHANNELS_MAX)
		return -EINVAL;
	ret = channel_set_up_all();
	if (ret)
		goto tear_down;
	ret = channel_take_numbers();
	if (ret)
		goto tear_down;
	ret = class_register(&channel_class);
	if (ret)
		goto give_numbers_back;
	/* From here on a channel can be opened: all of them are ready. */
	ret = channel_add_cdev();
	if (ret)
		goto unregister_class;
	ret = channel_make_nodes();
	if (ret)
		goto delete_cdev;
	pr_info("%u channels, major number %u\n", channels, MAJOR(channel_first));
	return 0;

delete_cdev:
	cdev_del(channel_cdev);
unregister_class:
	class_unregister(&channel_class);
give_numbers_back:
	unregister_chrdev_region(channel_first, channels);
tear_down:
	channel_tear_down_all();
	return ret;
}

static void __exit channel_exit(void)
{
	channel_remove_nodes(channels);
	cdev_del(channel_cdev);
	class_unregister(&channel_class);
	unregister_chrdev_region(channel_first, channels);
	channel_tear_down_all();
	pr_info("unloaded\n");
}

module_init(channel_init);
module_exit(channel_exit);

MODULE_AUTHOR("the authors of ipcspec");
MODULE_DESCRIPTION("Pass messages between processes through a character device");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
