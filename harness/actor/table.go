package actor

import "golang.org/x/sys/unix"

// How the trace shows a call: its name, and a kind for each argument. Kinds:
//
//	fd int uint hex mode pid sig size off  numbers
//	path in                                memory that the kernel reads
//	out                                    memory that the kernel fills, as far as the result says
//	ptr                                    an address
//	NAME                                   one of the flag sets below
type signature struct {
	name string
	args []string
}

func sig(name string, args ...string) signature { return signature{name, args} }

var signatures = map[uintptr]signature{
	unix.SYS_READ:              sig("read", "fd", "out", "size"),
	unix.SYS_WRITE:             sig("write", "fd", "in", "size"),
	unix.SYS_OPENAT:            sig("openat", "fd", "path", "open", "mode"),
	unix.SYS_CLOSE:             sig("close", "fd"),
	unix.SYS_LSEEK:             sig("lseek", "fd", "off", "whence"),
	unix.SYS_PREAD64:           sig("pread64", "fd", "out", "size", "off"),
	unix.SYS_PWRITE64:          sig("pwrite64", "fd", "in", "size", "off"),
	unix.SYS_READV:             sig("readv", "fd", "ptr", "int"),
	unix.SYS_WRITEV:            sig("writev", "fd", "ptr", "int"),
	unix.SYS_PREADV:            sig("preadv", "fd", "ptr", "int", "off", "off"),
	unix.SYS_PWRITEV:           sig("pwritev", "fd", "ptr", "int", "off", "off"),
	unix.SYS_PREADV2:           sig("preadv2", "fd", "ptr", "int", "off", "off", "rwf"),
	unix.SYS_PWRITEV2:          sig("pwritev2", "fd", "ptr", "int", "off", "off", "rwf"),
	unix.SYS_PIPE2:             sig("pipe2", "ptr", "pipe"),
	unix.SYS_DUP:               sig("dup", "fd"),
	unix.SYS_DUP3:              sig("dup3", "fd", "fd", "pipe"),
	unix.SYS_FCNTL:             sig("fcntl", "fd", "fcntl", "hex"),
	unix.SYS_IOCTL:             sig("ioctl", "fd", "ioctl", "ptr"),
	unix.SYS_FSTAT:             sig("fstat", "fd", "ptr"),
	unix.SYS_STATX:             sig("statx", "fd", "path", "hex", "hex", "ptr"),
	unix.SYS_MKNODAT:           sig("mknodat", "fd", "path", "mode", "hex"),
	unix.SYS_MKDIRAT:           sig("mkdirat", "fd", "path", "mode"),
	unix.SYS_UNLINKAT:          sig("unlinkat", "fd", "path", "hex"),
	unix.SYS_LINKAT:            sig("linkat", "fd", "path", "fd", "path", "hex"),
	unix.SYS_SYMLINKAT:         sig("symlinkat", "path", "fd", "path"),
	unix.SYS_RENAMEAT2:         sig("renameat2", "fd", "path", "fd", "path", "hex"),
	unix.SYS_FCHMODAT:          sig("fchmodat", "fd", "path", "mode"),
	unix.SYS_FCHOWNAT:          sig("fchownat", "fd", "path", "int", "int", "hex"),
	unix.SYS_FTRUNCATE:         sig("ftruncate", "fd", "off"),
	unix.SYS_FALLOCATE:         sig("fallocate", "fd", "hex", "off", "off"),
	unix.SYS_UMASK:             sig("umask", "mode"),
	unix.SYS_CHDIR:             sig("chdir", "path"),
	unix.SYS_FCHDIR:            sig("fchdir", "fd"),
	unix.SYS_SPLICE:            sig("splice", "fd", "ptr", "fd", "ptr", "size", "splice"),
	unix.SYS_TEE:               sig("tee", "fd", "fd", "size", "splice"),
	unix.SYS_VMSPLICE:          sig("vmsplice", "fd", "ptr", "size", "splice"),
	unix.SYS_PPOLL:             sig("ppoll", "ptr", "int", "ptr", "ptr", "size"),
	unix.SYS_PSELECT6:          sig("pselect6", "int", "ptr", "ptr", "ptr", "ptr", "ptr"),
	unix.SYS_EPOLL_CREATE1:     sig("epoll_create1", "epollcreate"),
	unix.SYS_EPOLL_CTL:         sig("epoll_ctl", "fd", "epollctl", "fd", "ptr"),
	unix.SYS_EPOLL_PWAIT:       sig("epoll_pwait", "fd", "ptr", "int", "int", "ptr", "size"),
	unix.SYS_EPOLL_PWAIT2:      sig("epoll_pwait2", "fd", "ptr", "int", "ptr", "ptr", "size"),
	unix.SYS_KCMP:              sig("kcmp", "pid", "pid", "int", "fd", "ptr"),
	unix.SYS_EVENTFD2:          sig("eventfd2", "uint", "eventfd"),
	unix.SYS_SOCKET:            sig("socket", "int", "hex", "int"),
	unix.SYS_SOCKETPAIR:        sig("socketpair", "int", "hex", "int", "ptr"),
	unix.SYS_MEMFD_CREATE:      sig("memfd_create", "path", "hex"),
	unix.SYS_KILL:              sig("kill", "pid", "sig"),
	unix.SYS_TKILL:             sig("tkill", "pid", "sig"),
	unix.SYS_TGKILL:            sig("tgkill", "pid", "pid", "sig"),
	unix.SYS_RT_SIGACTION:      sig("rt_sigaction", "sig", "ptr", "ptr", "size"),
	unix.SYS_RT_SIGPROCMASK:    sig("rt_sigprocmask", "sighow", "ptr", "ptr", "size"),
	unix.SYS_RT_SIGPENDING:     sig("rt_sigpending", "ptr", "size"),
	unix.SYS_RT_SIGSUSPEND:     sig("rt_sigsuspend", "ptr", "size"),
	unix.SYS_RT_SIGTIMEDWAIT:   sig("rt_sigtimedwait", "ptr", "ptr", "ptr", "size"),
	unix.SYS_RT_SIGQUEUEINFO:   sig("rt_sigqueueinfo", "pid", "sig", "ptr"),
	unix.SYS_RT_TGSIGQUEUEINFO: sig("rt_tgsigqueueinfo", "pid", "pid", "sig", "ptr"),
	unix.SYS_SIGALTSTACK:       sig("sigaltstack", "ptr", "ptr"),
	unix.SYS_GETPID:            sig("getpid"),
	unix.SYS_GETPPID:           sig("getppid"),
	unix.SYS_GETTID:            sig("gettid"),
	unix.SYS_GETPGID:           sig("getpgid", "pid"),
	unix.SYS_SETPGID:           sig("setpgid", "pid", "pid"),
	unix.SYS_GETSID:            sig("getsid", "pid"),
	unix.SYS_SETSID:            sig("setsid"),
	unix.SYS_GETUID:            sig("getuid"),
	unix.SYS_GETEUID:           sig("geteuid"),
	unix.SYS_SETRESUID:         sig("setresuid", "int", "int", "int"),
	unix.SYS_SETRESGID:         sig("setresgid", "int", "int", "int"),
	unix.SYS_SETGROUPS:         sig("setgroups", "int", "ptr"),
	unix.SYS_CAPGET:            sig("capget", "ptr", "ptr"),
	unix.SYS_CAPSET:            sig("capset", "ptr", "ptr"),
	unix.SYS_PRCTL:             sig("prctl", "int", "hex", "hex", "hex", "hex"),
	unix.SYS_PRLIMIT64:         sig("prlimit64", "pid", "rlimit", "ptr", "ptr"),
	unix.SYS_CLONE:             sig("clone", "clone", "ptr", "ptr", "ptr", "ptr"),
	unix.SYS_UNSHARE:           sig("unshare", "clone"),
	unix.SYS_SETNS:             sig("setns", "fd", "clone"),
	unix.SYS_EXECVE:            sig("execve", "path", "ptr", "ptr"),
	unix.SYS_EXIT:              sig("exit", "int"),
	unix.SYS_EXIT_GROUP:        sig("exit_group", "int"),
	unix.SYS_WAIT4:             sig("wait4", "pid", "ptr", "wait", "ptr"),
	unix.SYS_WAITID:            sig("waitid", "idtype", "pid", "ptr", "wait", "ptr"),
	unix.SYS_MMAP:              sig("mmap", "ptr", "size", "hex", "hex", "fd", "off"),
	unix.SYS_MUNMAP:            sig("munmap", "ptr", "size"),
	unix.SYS_MPROTECT:          sig("mprotect", "ptr", "size", "hex"),
	unix.SYS_MOUNT:             sig("mount", "path", "path", "path", "hex", "ptr"),
	unix.SYS_UMOUNT2:           sig("umount2", "path", "hex"),
	unix.SYS_INIT_MODULE:       sig("init_module", "ptr", "size", "path"),
	unix.SYS_FINIT_MODULE:      sig("finit_module", "fd", "path", "hex"),
	unix.SYS_DELETE_MODULE:     sig("delete_module", "path", "open"),
	unix.SYS_MREMAP:            sig("mremap", "ptr", "size", "size", "hex", "ptr"),
	unix.SYS_MADVISE:           sig("madvise", "ptr", "size", "int"),
	unix.SYS_FSYNC:             sig("fsync", "fd"),
	unix.SYS_SCHED_YIELD:       sig("sched_yield"),
	unix.SYS_CLOSE_RANGE:       sig("close_range", "fd", "fd", "hex"),
	unix.SYS_TRUNCATE:          sig("truncate", "path", "off"),
	unix.SYS_FCHMOD:            sig("fchmod", "fd", "mode"),
	unix.SYS_FLOCK:             sig("flock", "fd", "hex"),
	unix.SYS_ACCEPT4:           sig("accept4", "fd", "ptr", "ptr", "hex"),
	unix.SYS_ADD_KEY:           sig("add_key", "path", "path", "ptr", "size", "int"),
	unix.SYS_BIND:              sig("bind", "fd", "ptr", "int"),
	unix.SYS_CACHESTAT:         sig("cachestat", "fd", "ptr", "ptr", "hex"),
	unix.SYS_CONNECT:           sig("connect", "fd", "ptr", "int"),
	unix.SYS_FADVISE64:         sig("fadvise64", "fd", "off", "off", "int"),
	unix.SYS_GETGID:            sig("getgid"),
	unix.SYS_GETSOCKNAME:       sig("getsockname", "fd", "ptr", "ptr"),
	unix.SYS_INOTIFY_ADD_WATCH: sig("inotify_add_watch", "fd", "path", "hex"),
	unix.SYS_INOTIFY_INIT1:     sig("inotify_init1", "hex"),
	unix.SYS_KEYCTL:            sig("keyctl", "int", "hex", "hex", "hex", "hex"),
	unix.SYS_LISTEN:            sig("listen", "fd", "int"),
	unix.SYS_PIDFD_OPEN:        sig("pidfd_open", "pid", "pidfd"),
	unix.SYS_RECVFROM:          sig("recvfrom", "fd", "out", "size", "hex", "ptr", "ptr"),
	unix.SYS_SCHED_GETAFFINITY: sig("sched_getaffinity", "pid", "size", "ptr"),
	unix.SYS_SCHED_SETAFFINITY: sig("sched_setaffinity", "pid", "size", "ptr"),
	unix.SYS_SETSOCKOPT:        sig("setsockopt", "fd", "int", "int", "ptr", "int"),
	unix.SYS_SHUTDOWN:          sig("shutdown", "fd", "int"),
	unix.SYS_SIGNALFD4:         sig("signalfd4", "fd", "ptr", "size", "signalfd"),
	unix.SYS_STATFS:            sig("statfs", "path", "ptr"),
	unix.SYS_TIMERFD_CREATE:    sig("timerfd_create", "clock", "timerfd"),
	unix.SYS_TIMERFD_SETTIME:   sig("timerfd_settime", "fd", "tfdtimer", "ptr", "ptr"),
	unix.SYS_TIMERFD_GETTIME:   sig("timerfd_gettime", "fd", "ptr"),
	unix.SYS_TIMER_CREATE:      sig("timer_create", "clock", "ptr", "ptr"),
	unix.SYS_TIMER_SETTIME:     sig("timer_settime", "int", "timer", "ptr", "ptr"),
	unix.SYS_TIMER_GETTIME:     sig("timer_gettime", "int", "ptr"),
	unix.SYS_TIMER_GETOVERRUN:  sig("timer_getoverrun", "int"),
	unix.SYS_TIMER_DELETE:      sig("timer_delete", "int"),
	unix.SYS_GETITIMER:         sig("getitimer", "itimer", "ptr"),
	unix.SYS_SETITIMER:         sig("setitimer", "itimer", "ptr", "ptr"),
	unix.SYS_CLOCK_NANOSLEEP:   sig("clock_nanosleep", "clock", "timer", "ptr", "ptr"),
	unix.SYS_CLOCK_GETTIME:     sig("clock_gettime", "clock", "ptr"),
	unix.SYS_PIDFD_GETFD:       sig("pidfd_getfd", "fd", "int", "hex"),
	unix.SYS_PROCESS_MADVISE:   sig("process_madvise", "fd", "ptr", "int", "int", "hex"),
	unix.SYS_CLOCK_SETTIME:     sig("clock_settime", "clock", "ptr"),
	unix.SYS_PTRACE:            sig("ptrace", "int", "pid", "hex", "hex"),
	unix.SYS_MQ_NOTIFY:         sig("mq_notify", "fd", "ptr"),
	unix.SYS_PIDFD_SEND_SIGNAL: sig("pidfd_send_signal", "fd", "sig", "ptr", "pidfdsignal"),
	unix.SYS_UTIMENSAT:         sig("utimensat", "fd", "path", "ptr", "hex"),

	unix.SYS_ACCEPT:          sig("accept", "fd", "ptr", "ptr"),
	unix.SYS_RECVMSG:         sig("recvmsg", "fd", "ptr", "hex"),
	unix.SYS_RECVMMSG:        sig("recvmmsg", "fd", "ptr", "int", "hex", "ptr"),
	unix.SYS_SENDTO:          sig("sendto", "fd", "in", "size", "hex", "ptr", "int"),
	unix.SYS_SENDMSG:         sig("sendmsg", "fd", "ptr", "hex"),
	unix.SYS_MQ_OPEN:         sig("mq_open", "path", "open", "mode", "ptr"),
	unix.SYS_MQ_UNLINK:       sig("mq_unlink", "path"),
	unix.SYS_MQ_TIMEDSEND:    sig("mq_timedsend", "fd", "in", "size", "int", "ptr"),
	unix.SYS_MQ_TIMEDRECEIVE: sig("mq_timedreceive", "fd", "out", "size", "ptr", "ptr"),
	unix.SYS_FUTEX:           sig("futex", "ptr", "int", "int", "ptr", "ptr", "int"),
	unix.SYS_MSGGET:          sig("msgget", "key", "ipcget"),
	unix.SYS_MSGSND:          sig("msgsnd", "ipcid", "ptr", "size", "msgflg"),
	unix.SYS_MSGRCV:          sig("msgrcv", "ipcid", "ptr", "size", "mtype", "msgflg"),
	unix.SYS_MSGCTL:          sig("msgctl", "ipcid", "msgctl", "ptr"),
	unix.SYS_SEMGET:          sig("semget", "key", "int", "ipcget"),
	unix.SYS_SEMOP:           sig("semop", "ipcid", "ptr", "int"),
	unix.SYS_SEMTIMEDOP:      sig("semtimedop", "ipcid", "ptr", "int", "ptr"),
	unix.SYS_SEMCTL:          sig("semctl", "ipcid", "int", "semctl", "ptr"),
	unix.SYS_SHMGET:          sig("shmget", "key", "size", "shmget"),
	unix.SYS_SHMAT:           sig("shmat", "ipcid", "ptr", "shmat"),
	unix.SYS_SHMDT:           sig("shmdt", "ptr"),
	unix.SYS_SHMCTL:          sig("shmctl", "ipcid", "shmctl", "ptr"),
	unix.SYS_NANOSLEEP:       sig("nanosleep", "ptr", "ptr"),
	unix.SYS_IO_SETUP:        sig("io_setup", "int", "ptr"),
	unix.SYS_IO_GETEVENTS:    sig("io_getevents", "hex", "int", "int", "ptr", "ptr"),
	unix.SYS_SECCOMP:         sig("seccomp", "int", "hex", "ptr"),
}

// callName returns the kernel's name of a system call.
func callName(nr uintptr) string {
	if s, ok := signatures[nr]; ok {
		return s.name
	}
	if s, ok := archSignatures[nr]; ok {
		return s.name
	}
	return "syscall_" + itoa(int64(nr))
}

// A flag set: single bits, and values of a field under a mask.
type flagSet struct {
	mask   uint64 // the bits that are one value rather than flags
	octal  uint64 // the bits that are permissions
	values map[uint64]string
	bits   []flag
}

type flag struct {
	bit  uint64
	name string
}

var flagSets = map[string]flagSet{
	"open": {
		mask:   unix.O_ACCMODE,
		values: map[uint64]string{unix.O_RDONLY: "O_RDONLY", unix.O_WRONLY: "O_WRONLY", unix.O_RDWR: "O_RDWR"},
		bits: []flag{
			{unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_NOCTTY, "O_NOCTTY"}, {unix.O_TRUNC, "O_TRUNC"},
			{unix.O_APPEND, "O_APPEND"}, {unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_SYNC, "O_SYNC"}, {unix.O_DSYNC, "O_DSYNC"},
			{unix.O_ASYNC, "O_ASYNC"}, {unix.O_DIRECT, "O_DIRECT"}, {unix.O_TMPFILE, "O_TMPFILE"}, {unix.O_DIRECTORY, "O_DIRECTORY"},
			{unix.O_NOFOLLOW, "O_NOFOLLOW"}, {unix.O_NOATIME, "O_NOATIME"}, {unix.O_CLOEXEC, "O_CLOEXEC"}, {unix.O_PATH, "O_PATH"},
		},
	},
	"pipe": {bits: []flag{ // also of dup3
		{unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_DIRECT, "O_DIRECT"}, {unix.O_EXCL, "O_NOTIFICATION_PIPE"},
		{unix.O_CLOEXEC, "O_CLOEXEC"},
	}},
	"splice": {bits: []flag{
		{unix.SPLICE_F_MOVE, "SPLICE_F_MOVE"}, {unix.SPLICE_F_NONBLOCK, "SPLICE_F_NONBLOCK"},
		{unix.SPLICE_F_MORE, "SPLICE_F_MORE"}, {unix.SPLICE_F_GIFT, "SPLICE_F_GIFT"},
	}},
	"rwf": {bits: []flag{
		{0x1, "RWF_HIPRI"}, {0x2, "RWF_DSYNC"}, {0x4, "RWF_SYNC"}, {0x8, "RWF_NOWAIT"}, {0x10, "RWF_APPEND"},
		{0x20, "RWF_NOAPPEND"}, {0x40, "RWF_ATOMIC"}, {0x80, "RWF_DONTCACHE"},
	}},
	"whence": {mask: ^uint64(0), values: map[uint64]string{
		unix.SEEK_SET: "SEEK_SET", unix.SEEK_CUR: "SEEK_CUR", unix.SEEK_END: "SEEK_END", unix.SEEK_DATA: "SEEK_DATA", unix.SEEK_HOLE: "SEEK_HOLE",
	}},
	"fcntl": {mask: ^uint64(0), values: map[uint64]string{
		unix.F_DUPFD: "F_DUPFD", unix.F_DUPFD_CLOEXEC: "F_DUPFD_CLOEXEC", unix.F_GETFD: "F_GETFD", unix.F_SETFD: "F_SETFD",
		unix.F_GETFL: "F_GETFL", unix.F_SETFL: "F_SETFL", unix.F_GETOWN: "F_GETOWN", unix.F_SETOWN: "F_SETOWN",
		unix.F_GETSIG: "F_GETSIG", unix.F_SETSIG: "F_SETSIG", unix.F_GETOWN_EX: "F_GETOWN_EX", unix.F_SETOWN_EX: "F_SETOWN_EX",
		unix.F_GETPIPE_SZ: "F_GETPIPE_SZ", unix.F_SETPIPE_SZ: "F_SETPIPE_SZ", unix.F_GETLK: "F_GETLK", unix.F_SETLK: "F_SETLK",
		unix.F_SETLKW: "F_SETLKW", unix.F_ADD_SEALS: "F_ADD_SEALS", unix.F_GET_SEALS: "F_GET_SEALS",
		unix.F_SETLEASE: "F_SETLEASE", unix.F_GETLEASE: "F_GETLEASE",
	}},
	"ioctl": {mask: ^uint64(0), values: map[uint64]string{
		FIONREAD: "FIONREAD", unix.TCGETS: "TCGETS", unix.TCXONC: "TCXONC", unix.TIOCSCTTY: "TIOCSCTTY",
		unix.TIOCGPTN: "TIOCGPTN", unix.TIOCSPTLCK: "TIOCSPTLCK", unix.FS_IOC_GETFLAGS: "FS_IOC_GETFLAGS",
		unix.FS_IOC_SETFLAGS: "FS_IOC_SETFLAGS",
	}},
	"signalfd": {bits: []flag{{unix.SFD_NONBLOCK, "SFD_NONBLOCK"}, {unix.SFD_CLOEXEC, "SFD_CLOEXEC"}}},
	"timer":    {bits: []flag{{unix.TIMER_ABSTIME, "TIMER_ABSTIME"}}},
	"clock": {mask: ^uint64(0), values: map[uint64]string{
		unix.CLOCK_REALTIME: "CLOCK_REALTIME", unix.CLOCK_MONOTONIC: "CLOCK_MONOTONIC", unix.CLOCK_BOOTTIME: "CLOCK_BOOTTIME",
		unix.CLOCK_PROCESS_CPUTIME_ID: "CLOCK_PROCESS_CPUTIME_ID", unix.CLOCK_THREAD_CPUTIME_ID: "CLOCK_THREAD_CPUTIME_ID",
		unix.CLOCK_REALTIME_ALARM: "CLOCK_REALTIME_ALARM", unix.CLOCK_BOOTTIME_ALARM: "CLOCK_BOOTTIME_ALARM", unix.CLOCK_TAI: "CLOCK_TAI",
		unix.CLOCK_MONOTONIC_RAW: "CLOCK_MONOTONIC_RAW", unix.CLOCK_REALTIME_COARSE: "CLOCK_REALTIME_COARSE",
		unix.CLOCK_MONOTONIC_COARSE: "CLOCK_MONOTONIC_COARSE",
	}},
	"itimer": {mask: ^uint64(0), values: map[uint64]string{
		unix.ITIMER_REAL: "ITIMER_REAL", unix.ITIMER_VIRTUAL: "ITIMER_VIRTUAL", unix.ITIMER_PROF: "ITIMER_PROF",
	}},
	"sighow": {mask: ^uint64(0), values: map[uint64]string{
		unix.SIG_BLOCK: "SIG_BLOCK", unix.SIG_UNBLOCK: "SIG_UNBLOCK", unix.SIG_SETMASK: "SIG_SETMASK",
	}},
	"epollcreate": {bits: []flag{{unix.EPOLL_CLOEXEC, "EPOLL_CLOEXEC"}}},
	"epoll": {bits: []flag{
		{unix.EPOLLIN, "EPOLLIN"}, {unix.EPOLLPRI, "EPOLLPRI"}, {unix.EPOLLOUT, "EPOLLOUT"}, {unix.EPOLLERR, "EPOLLERR"},
		{unix.EPOLLHUP, "EPOLLHUP"}, {unix.EPOLLRDHUP, "EPOLLRDHUP"}, {unix.EPOLLRDNORM, "EPOLLRDNORM"}, {unix.EPOLLRDBAND, "EPOLLRDBAND"},
		{unix.EPOLLWRNORM, "EPOLLWRNORM"}, {unix.EPOLLWRBAND, "EPOLLWRBAND"}, {unix.EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
		{unix.EPOLLWAKEUP, "EPOLLWAKEUP"}, {unix.EPOLLONESHOT, "EPOLLONESHOT"}, {unix.EPOLLET, "EPOLLET"},
	}},
	"epollctl": {mask: ^uint64(0), values: map[uint64]string{
		unix.EPOLL_CTL_ADD: "EPOLL_CTL_ADD", unix.EPOLL_CTL_MOD: "EPOLL_CTL_MOD", unix.EPOLL_CTL_DEL: "EPOLL_CTL_DEL",
	}},
	"timerfd": {bits: []flag{{unix.TFD_NONBLOCK, "TFD_NONBLOCK"}, {unix.TFD_CLOEXEC, "TFD_CLOEXEC"}}},
	"tfdtimer": {bits: []flag{
		{unix.TFD_TIMER_ABSTIME, "TFD_TIMER_ABSTIME"}, {unix.TFD_TIMER_CANCEL_ON_SET, "TFD_TIMER_CANCEL_ON_SET"},
	}},
	"eventfd": {bits: []flag{
		{unix.EFD_SEMAPHORE, "EFD_SEMAPHORE"}, {unix.EFD_NONBLOCK, "EFD_NONBLOCK"}, {unix.EFD_CLOEXEC, "EFD_CLOEXEC"},
	}},
	"poll": {bits: []flag{
		{unix.POLLIN, "POLLIN"}, {unix.POLLPRI, "POLLPRI"}, {unix.POLLOUT, "POLLOUT"}, {unix.POLLERR, "POLLERR"},
		{unix.POLLHUP, "POLLHUP"}, {unix.POLLNVAL, "POLLNVAL"}, {0x40, "POLLRDNORM"}, {0x80, "POLLRDBAND"},
		{0x100, "POLLWRNORM"}, {0x200, "POLLWRBAND"}, {0x400, "POLLMSG"}, {unix.POLLRDHUP, "POLLRDHUP"},
	}},
	"rlimit": {mask: ^uint64(0), values: map[uint64]string{
		unix.RLIMIT_NOFILE: "RLIMIT_NOFILE", unix.RLIMIT_FSIZE: "RLIMIT_FSIZE", unix.RLIMIT_CORE: "RLIMIT_CORE",
		unix.RLIMIT_SIGPENDING: "RLIMIT_SIGPENDING",
	}},
	"wait": {bits: []flag{
		{unix.WNOHANG, "WNOHANG"}, {unix.WUNTRACED, "WUNTRACED"}, {unix.WEXITED, "WEXITED"}, {unix.WCONTINUED, "WCONTINUED"},
		{unix.WNOWAIT, "WNOWAIT"}, {unix.WNOTHREAD, "__WNOTHREAD"}, {unix.WALL, "__WALL"}, {unix.WCLONE, "__WCLONE"},
	}},
	"idtype": {mask: ^uint64(0), values: map[uint64]string{
		unix.P_ALL: "P_ALL", unix.P_PID: "P_PID", unix.P_PGID: "P_PGID", unix.P_PIDFD: "P_PIDFD",
	}},
	"pidfd": {bits: []flag{{unix.PIDFD_NONBLOCK, "PIDFD_NONBLOCK"}, {unix.PIDFD_THREAD, "PIDFD_THREAD"}}},
	"pidfdsignal": {bits: []flag{
		{unix.PIDFD_SIGNAL_THREAD, "PIDFD_SIGNAL_THREAD"}, {unix.PIDFD_SIGNAL_THREAD_GROUP, "PIDFD_SIGNAL_THREAD_GROUP"}, {unix.PIDFD_SIGNAL_PROCESS_GROUP, "PIDFD_SIGNAL_PROCESS_GROUP"},
	}},
	"key":    {mask: ^uint64(0), values: map[uint64]string{IPC_PRIVATE: "IPC_PRIVATE"}},
	"ipcget": {octal: 0o777, bits: []flag{{IPC_CREAT, "IPC_CREAT"}, {IPC_EXCL, "IPC_EXCL"}}},
	"shmget": {octal: 0o777, bits: []flag{
		{IPC_CREAT, "IPC_CREAT"}, {IPC_EXCL, "IPC_EXCL"}, {SHM_HUGETLB, "SHM_HUGETLB"}, {SHM_NORESERVE, "SHM_NORESERVE"},
	}},
	"msgflg": {bits: []flag{
		{IPC_NOWAIT, "IPC_NOWAIT"}, {MSG_NOERROR, "MSG_NOERROR"}, {MSG_EXCEPT, "MSG_EXCEPT"}, {MSG_COPY, "MSG_COPY"},
	}},
	"shmat": {bits: []flag{
		{SHM_RDONLY, "SHM_RDONLY"}, {SHM_RND, "SHM_RND"}, {SHM_REMAP, "SHM_REMAP"}, {SHM_EXEC, "SHM_EXEC"},
	}},
	"msgctl": {mask: ^uint64(0), values: map[uint64]string{
		IPC_RMID: "IPC_RMID", IPC_SET: "IPC_SET", IPC_STAT: "IPC_STAT", IPC_INFO: "IPC_INFO",
		MSG_STAT: "MSG_STAT", MSG_INFO: "MSG_INFO", MSG_STAT_ANY: "MSG_STAT_ANY",
	}},
	"semctl": {mask: ^uint64(0), values: map[uint64]string{
		IPC_RMID: "IPC_RMID", IPC_SET: "IPC_SET", IPC_STAT: "IPC_STAT", IPC_INFO: "IPC_INFO",
		GETPID: "GETPID", GETVAL: "GETVAL", GETALL: "GETALL", GETNCNT: "GETNCNT", GETZCNT: "GETZCNT", SETVAL: "SETVAL", SETALL: "SETALL",
		SEM_STAT: "SEM_STAT", SEM_INFO: "SEM_INFO", SEM_STAT_ANY: "SEM_STAT_ANY",
	}},
	"shmctl": {mask: ^uint64(0), values: map[uint64]string{
		IPC_RMID: "IPC_RMID", IPC_SET: "IPC_SET", IPC_STAT: "IPC_STAT", IPC_INFO: "IPC_INFO",
		SHM_LOCK: "SHM_LOCK", SHM_UNLOCK: "SHM_UNLOCK", SHM_STAT: "SHM_STAT", SHM_INFO: "SHM_INFO", SHM_STAT_ANY: "SHM_STAT_ANY",
	}},
	"clone": {
		mask:   0xff,
		values: map[uint64]string{0: "", uint64(unix.SIGCHLD): "SIGCHLD"},
		bits: []flag{
			{unix.CLONE_VM, "CLONE_VM"}, {unix.CLONE_FS, "CLONE_FS"}, {unix.CLONE_FILES, "CLONE_FILES"}, {unix.CLONE_SIGHAND, "CLONE_SIGHAND"},
			{unix.CLONE_THREAD, "CLONE_THREAD"}, {unix.CLONE_SYSVSEM, "CLONE_SYSVSEM"}, {unix.CLONE_VFORK, "CLONE_VFORK"}, {unix.CLONE_PARENT, "CLONE_PARENT"},
			{unix.CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"}, {unix.CLONE_PIDFD, "CLONE_PIDFD"}, {unix.CLONE_NEWNS, "CLONE_NEWNS"}, {unix.CLONE_NEWIPC, "CLONE_NEWIPC"},
			{unix.CLONE_NEWNET, "CLONE_NEWNET"}, {unix.CLONE_NEWPID, "CLONE_NEWPID"}, {unix.CLONE_NEWUSER, "CLONE_NEWUSER"}, {unix.CLONE_NEWUTS, "CLONE_NEWUTS"},
		},
	},
}
