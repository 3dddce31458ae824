package harness

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// has says whether the kernel was built with an option, by a probe that is made once. It is nobody's
// part of a spec, so that no lie is told about it.
func has(probe func() bool, option string) bool {
	probed.Lock()
	defer probed.Unlock()
	found, ok := probed.found[option]
	if !ok {
		if probed.found == nil {
			probed.found = map[string]bool{}
		}
		actor.Unobserved(func() { found = probe() })
		probed.found[option] = found
	}
	return found
}

var probed struct {
	sync.Mutex
	found map[string]bool
}

// probes tell whether the kernel was built with an option that a clause allows it to lack. A probe
// says no only when the documented sign of the lack is there: whatever else is wrong is for the
// clause to find.
var probes = map[string]func() bool{
	// Without it there is no such call.
	"CONFIG_KCMP": func() bool {
		a := actor.New()
		const kcmpVM = 1
		return a.Raw(unix.SYS_KCMP, a.PID(), a.PID(), kcmpVM, 0, 0).Errno() != unix.ENOSYS
	},
	// timerfd_create(2): without it there is no such ioctl. With it, 0 expirations are refused.
	"CONFIG_CHECKPOINT_RESTORE": func() bool {
		a := actor.New()
		const setTicks = 0x40085400 // TFD_IOC_SET_TICKS
		return a.Ioctl(actor.Must(a.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)), setTicks, make([]byte, 8)).Errno() != unix.ENOTTY
	},
	// pipe(2): ENOPKG without support for notifications. O_NOTIFICATION_PIPE is O_EXCL.
	"CONFIG_WATCH_QUEUE": func() bool {
		return actor.New().Pipe2(unix.O_EXCL).Errno() != unix.ENOPKG
	},
	// tmpfs(5): an option that the filesystem does not know makes mount fail with EINVAL. The actor has
	// a mount namespace of its own, so that nobody else sees the mount.
	"CONFIG_TMPFS_QUOTA": func() bool {
		a := actor.New(actor.Namespaces(unix.CLONE_NEWNS))
		return a.Mount("none", actor.TempDir(), "tmpfs", 0, "usrquota").Errno() != unix.EINVAL
	},
	// memfd_create(2): without huge pages there is no such kind of memory. What else may be wrong (no huge
	// page to be had) says that there is.
	"CONFIG_HUGETLBFS": func() bool {
		return actor.New().MemfdCreate("huge", unix.MFD_HUGETLB).Errno() != unix.ENOSYS
	},
	// madvise(2): EINVAL where there is no such advice. No memory is given, so that none breaks.
	"CONFIG_MEMORY_FAILURE": func() bool {
		const hwpoison = 100 // MADV_HWPOISON
		return actor.New().Raw(unix.SYS_MADVISE, 0, 0, hwpoison).Errno() != unix.EINVAL
	},
	// Without it there are no such calls. IPC_INFO needs no queue.
	"CONFIG_SYSVIPC": func() bool {
		return actor.New().MsgInfo(actor.IPC_INFO).Errno() != unix.ENOSYS
	},
	// mq_overview(7): without it there is no mq_open, and none of the other calls.
	"CONFIG_POSIX_MQUEUE": func() bool {
		return actor.New().Raw(unix.SYS_MQ_UNLINK, "").Errno() != unix.ENOSYS
	},
	// io_setup(2): ENOSYS without it.
	"CONFIG_AIO": func() bool {
		return actor.New().Raw(unix.SYS_IO_SETUP, 0, nil).Errno() != unix.ENOSYS
	},
	// timer_create(2): support for POSIX timers can be left out. There is no such clock, so that no timer
	// is left, which would count for a user whose timers the clause counts.
	"CONFIG_POSIX_TIMERS": func() bool {
		return actor.New().TimerCreate(-1, nil).Errno() != unix.ENOSYS
	},
	// timer_create(2): ENOTSUP where the kernel has no timers on this clock: without a clock that runs
	// while the system sleeps there is nothing to wake it.
	"CONFIG_RTC_CLASS": func() bool {
		return actor.New().TimerCreate(unix.CLOCK_REALTIME_ALARM, nil).Errno() != unix.ENOTSUP
	},
	// keyctl_watch_key(3) without support for it; without CONFIG_KEYS there is no keyctl at all. No
	// pipe is given, so that nothing comes to be watched.
	"CONFIG_KEY_NOTIFICATIONS": func() bool {
		const watchKey = 32
		switch actor.New().Raw(unix.SYS_KEYCTL, watchKey, unix.KEY_SPEC_PROCESS_KEYRING, -1, 0).Errno() {
		case unix.EOPNOTSUPP, unix.ENOSYS:
			return false
		}
		return true
	},
}
