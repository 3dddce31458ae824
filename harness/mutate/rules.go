package mutate

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// A Kind is a sort of lie.
type Kind string

// The kinds of lies.
const (
	Omit     Kind = "omit"     // the call is not made, and its recorded outcome is told
	Early    Kind = "early"    // a call that slept returns at once
	Late     Kind = "late"     // it returns after those that follow
	Twice    Kind = "twice"    // it is made twice
	Flag     Kind = "flag"     // it is made without one of its flags
	Argument Kind = "argument" // it is made with one argument changed by one
	Errno    Kind = "errno"    // another error is told, or one instead of success
	Success  Kind = "success"  // success is told instead of an error
	Count    Kind = "count"    // another number is told
	Data     Kind = "data"     // other bytes are told
	Field    Kind = "field"    // another value in a structure is told
	Effect   Kind = "effect"   // a call that fails has an effect nevertheless
	Event    Kind = "event"    // a signal is dropped, told twice, out of order, or with other particulars
)

// A Rule excludes lies that nobody can notice, or that the clause has no reason to notice.
type Rule struct {
	Name string `json:"name"`
	Why  string `json:"why"`

	kinds   []Kind
	applies func(r *recording, c *call) bool
}

// Rules lists all rules that look at the call alone; the rules of single lies are in lieRules.
var rules = []Rule{
	{
		Name: "clone", Why: "the harness cannot do without the actor that a clone makes, and judges the clone itself",
		kinds:   []Kind{Omit, Early, Twice, Flag, Argument, Errno, Success, Count, Data, Field, Effect},
		applies: func(_ *recording, c *call) bool { return c.clones },
	},
	{
		Name: "late", Why: "that a call is late cannot be noticed: one for which the spec waits cannot be overtaken by those that follow, and one that it begins and does not see asleep may be late on any kernel; that a call never returns is noticed by the time limit of every call",
		kinds: []Kind{Late}, applies: func(*recording, *call) bool { return true },
	},
	{
		Name: "isolation", Why: "the call keeps the spec apart from the rest of the machine, which a spec that goes on without it might change",
		kinds: []Kind{Omit, Flag, Argument, Success}, applies: func(_ *recording, c *call) bool { return isolates[c.name] && !harmlessOption(c) },
	},
	{
		Name: "exec", Why: "after an execve there is no call that could tell a result; the lies that remain are that it did nothing and that flags of descriptors were ignored",
		kinds:   []Kind{Twice, Argument, Errno, Count, Data, Field},
		applies: func(_ *recording, c *call) bool { return c.name == "execve" && !c.failed() },
	},
	{
		Name: "failure-changes-nothing", Why: "a call that fails changes nothing, so that nobody can tell whether it was made once, twice or not at all; not so where it slept, or raised a signal (SIGPIPE, SIGXFSZ) that the spec catches or has kept pending",
		kinds: []Kind{Omit, Twice},
		applies: func(r *recording, c *call) bool {
			signal := c.errno() == unix.EPIPE || c.errno() == unix.EFBIG
			heard := len(r.events[c.actor]) > 0 || len(r.byName["rt_sigpending"]) > 0
			return c.failed() && !c.blocked() && c.errno() != unix.EINTR && (!signal || !heard)
		},
	},
	{
		Name: "race", Why: "another actor takes from the same place without pause: nobody can tell what this call has taken more, or less, from what the other has",
		kinds: []Kind{Omit, Twice}, applies: func(_ *recording, c *call) bool { return c.raced },
	},
	{
		Name: "only-looks", Why: "the call changes nothing that anybody can see",
		kinds: []Kind{Omit, Twice}, applies: func(_ *recording, c *call) bool { return onlyLooks(c) },
	},
	{
		Name: "only-waits", Why: "the call waits for something and takes nothing of it, so that once more it finds the same; or it takes a child that is not there any more",
		kinds: []Kind{Twice}, applies: func(_ *recording, c *call) bool {
			return c.blocked() && (waiters[c.name] || reapers[c.name] && !c.failed())
		},
	},
	{
		Name: "nothing-transferred", Why: "the call moved no byte: without it, and with another one, all is as with it",
		kinds: []Kind{Omit, Twice, Argument},
		applies: func(_ *recording, c *call) bool {
			return transfers[c.name] && c.out != nil && c.out.Result == 0 && !c.repeated && !c.blocked() && !c.died && !c.unended
		},
	},
	{
		Name: "keeps-nothing", Why: "the device (/dev/null, /dev/zero, /dev/full) forgets what is written and gives the same for ever: nobody can tell afterwards how often bytes were moved to or from it, and what a read stores is told with the lie",
		kinds: []Kind{Omit, Twice, Effect}, applies: func(_ *recording, c *call) bool { return c.forgetful && !c.blocked() && !c.died },
	},
	{
		Name: "idempotent", Why: "doing it again changes nothing more, or fails without an effect",
		kinds: []Kind{Twice}, applies: func(_ *recording, c *call) bool { return idempotent(c) },
	},
	{
		Name: "coalesces", Why: "a standard signal that is sent again is one with the first, unless that was handled in between, which is a matter of time",
		kinds:   []Kind{Twice},
		applies: func(_ *recording, c *call) bool { at, ok := sends[c.name]; return ok && c.args[at.sig] < 32 },
	},
	{
		Name: "coalesced", Why: "a standard signal that is already pending is not sent a second time, and the spec sends the same one right before or after",
		kinds: []Kind{Omit},
		applies: func(r *recording, c *call) bool {
			at, ok := sends[c.name]
			if !ok || c.args[at.sig] >= 32 || len(r.byName["rt_sigprocmask"]) == 0 {
				return false
			}
			same := func(i int) bool {
				return i >= 0 && i < len(r.calls) && r.calls[i].name == c.name && slices.Equal(r.calls[i].args, c.args)
			}
			return same(c.index-1) || same(c.index+1)
		},
	},
	{
		Name: "advice", Why: "the call gives advice about how memory will be used, which a kernel may leave alone",
		kinds: []Kind{Omit, Twice}, applies: func(_ *recording, c *call) bool { return advises(c) },
	},
	{
		Name: "untold-descriptor", Why: "the second call leaves a descriptor of which nobody was told",
		kinds: []Kind{Twice}, applies: func(_ *recording, c *call) bool { return makesDescriptor(c) },
	},
	{
		Name: "untold-timer", Why: "the second call makes a timer of which nobody was told, and which stays disarmed",
		kinds: []Kind{Twice}, applies: func(_ *recording, c *call) bool { return c.name == "timer_create" && !c.failed() },
	},
	{
		Name: "untold-object", Why: "the second call makes an object of which nobody was told",
		kinds: []Kind{Twice}, applies: func(_ *recording, c *call) bool { return c.creates() && c.args[0] == actor.IPC_PRIVATE },
	},
	{
		Name: "repeated", Why: "a call that is repeated until it fails can be made once more without a difference",
		kinds: []Kind{Twice, Argument, Data, Field}, applies: func(_ *recording, c *call) bool { return c.repeated },
	},
	{
		Name: "last-act", Why: "the spec makes no call afterwards by which the lie could show",
		kinds: []Kind{Omit, Twice, Effect},
		applies: func(r *recording, c *call) bool {
			return c.index == len(r.calls)-1 && !c.blocked() && !c.beside && !c.died && c.errno() != unix.EPIPE
		},
	},
	{
		Name: "failed-numbers", Why: "the call fails before it looks at the number, or it would fail with the next one, too",
		kinds: []Kind{Argument}, applies: func(_ *recording, c *call) bool { return c.failed() },
	},
	{
		Name: "presupposed", Why: "the spec takes this call for granted as a step of its set-up (Must): an error would leave it unresolved, and another number is not what it judges",
		kinds: []Kind{Errno, Success, Count}, applies: func(_ *recording, c *call) bool { return c.presupposed() },
	},
	{
		Name: "step-of-set-up", Why: "a step of the harness makes the call (Fill, ReadFile, …) and comes to its end in any case; not so where the spec makes no such call itself",
		kinds: []Kind{Omit, Early, Twice, Flag, Argument, Errno, Success, Count, Data, Field, Effect},
		applies: func(r *recording, c *call) bool {
			return c.setup && slices.ContainsFunc(r.byName[c.name], func(o *call) bool { return !o.setup })
		},
	},
	{
		Name: "not-inspected", Why: "the spec looks at the data of other calls of this subject, and only at the result of this one",
		kinds: []Kind{Data, Field}, applies: func(r *recording, c *call) bool { return !c.inspected() && r.inspects(c.name) },
	},
	{
		Name: "died", Why: "the actor ended during the call: there is no result",
		kinds: []Kind{Twice, Errno, Success, Count, Data, Field, Effect}, applies: func(_ *recording, c *call) bool { return c.died || c.unended },
	},
}

// The rules about single lies.
var (
	ruleHint = Rule{
		Name: "hint", Why: "the flag is a hint: the kernel documents no outcome that depends on it",
	}
	ruleClockNotSet = Rule{
		Name: "clock-not-set", Why: "TFD_TIMER_CANCEL_ON_SET matters when the real-time clock is set, which the spec does not do",
	}
	ruleAtLeastOne = Rule{
		Name: "at-least-one", Why: "with EPOLLEXCLUSIVE at least one of those that sleep is woken, which is true as well where the flag is ignored and all are",
	}
	ruleDisarms = Rule{
		Name: "disarms", Why: "a time of zero disarms the timer, whether or not it is meant to be absolute",
	}
	ruleUnused = Rule{
		Name: "unused-descriptor", Why: "any descriptor is right, and the spec has no further use for this one",
	}
	ruleNotReached = Rule{
		Name: "count-not-reached", Why: "the call moved no more than the smaller count allows",
	}
	ruleMemory = Rule{
		Name: "memory", Why: "the spec's buffers together are too large to be kept for the lie",
	}
	ruleSampled = Rule{
		Name: "sampled", Why: "the same call in a loop: its first, middle and last occurrence stand for the others; and of a spec with very many lies a sample is told",
	}
	ruleNotTold = Rule{
		Name: "not-told", Why: "in the run with the lie the spec did not come to that call, or the lie had no effect: the second call failed or moved nothing, the call would have set what was so already, or, with another argument, it told the same and changes nothing else, or the flag overrides what is not so, or failed all the same, or the signal does nothing to its target",
	}
	ruleUnresolved = Rule{
		Name: "unresolved", Why: "the lie made the set-up fail: the spec neither conforms nor deviates",
	}
	ruleUnread = Rule{
		Name: "unread", Why: "the spec reads other fields of what is told of signals, or none where its clause is about a call that does not make them up",
	}
	rulePadding = Rule{
		Name: "padding", Why: "struct signalfd_siginfo ends in room for fields that are yet to come, in which any value is right",
	}
	ruleUnasked = Rule{
		Name: "unasked", Why: "a caller need not ask for what the call stores there, and the spec does not look at it",
	}
	ruleWholePages = Rule{
		Name: "whole-pages", Why: "memory is mapped in whole pages: a length that ends in the same page maps the same",
	}
	ruleRace      = Rule{Name: "race"} // as above
	ruleUncounted = Rule{
		Name: "uncounted", Why: "the spec repeats the call until it fails, or beside others, and does not look at how often it succeeded",
	}
	ruleSame = Rule{
		Name: "same-without", Why: "the flag is about this one call, which told without it the very same: there was nothing to wait for, or the flag has no meaning for the call, which is what the clause may state",
	}
	ruleEither = Rule{
		Name: "either", Why: "the documentation leaves open which of several outcomes the call has, and the spec accepts each of them; of numbers, those that it names",
	}
	ruleOpen = Rule{
		Name: "open", Why: "the documentation leaves it open whether the call tells this bit, or so many bytes and not fewer, and the matcher by which the spec judges the call says so (ReturnReventsPerhaps, ReturnEventsPerhaps, ReturnSomeOf)",
	}
	ruleDied = Rule{
		Name: "died-numbers", Why: "the call raises the signal that ends the actor (SIGPIPE, SIGXFSZ) before it takes any bytes, whatever their number",
	}
	ruleToldAgain = Rule{
		Name: "told-again", Why: "the SIGIO, or the signal of F_SETSIG, that the kernel sends says that something can be done, and may be sent again while that is so",
	}
	ruleUnordered = Rule{
		Name: "unordered", Why: "of several standard signals that may be pending together, the documentation leaves open which comes first",
	}
	ruleScope = Rule{
		Name: "scope-of-descriptor", Why: "the flag asks for the scope that the descriptor of the process or thread has without it",
	}
	ruleNothingMet = Rule{
		Name: "nothing-met", Why: "the flag is about something that the call does not meet: an address off the boundary (SHM_RND), memory where the spec has just unmapped all (SHM_REMAP), a segment larger than what there may be of memory (SHM_NORESERVE), a set that is still there when the process ends (SEM_UNDO)",
	}
	ruleNoStack = Rule{
		Name: "no-stack", Why: "the flag is about an alternate stack, and the call takes that away",
	}
	ruleAsleep = Rule{
		Name: "asleep-to-the-end", Why: "the call sleeps until its actor is killed, or to the end of the spec: what it would have returned for, nobody learns",
	}
	ruleElsewhere = Rule{
		Name: "elsewhere", Why: "the lie is about what the call does, and not about what it tells, which the spec does judge, or takes for granted as a step of its set-up: another clause about the same call is about that and notices this very lie; not so for a flag that the clause names",
	}
	ruleParticulars = Rule{
		Name: "particulars-elsewhere", Why: "what such a signal tells about itself is what another clause about the same call is about, which notices the lie",
	}
	ruleAlternatives = Rule{
		Name: "alternatives", Why: "of lies about independent things that one call tells (a structure's fields), or about data at which a spec never looks, those that nobody noticed count as one where all went unnoticed, else not at all",
	}
)

// Rules returns all rules with their reasons.
func Rules() []Rule {
	return append(slices.Clone(rules), ruleHint, ruleClockNotSet, ruleAtLeastOne, ruleDisarms, ruleUnused, ruleNotReached, ruleMemory, ruleSampled, ruleUnread, rulePadding, ruleUnasked, ruleWholePages, ruleUncounted, ruleSame, ruleEither, ruleOpen, ruleDied, ruleToldAgain, ruleUnordered, ruleScope, ruleNothingMet, ruleNoStack, ruleAsleep, ruleElsewhere, ruleParticulars, ruleNotTold, ruleUnresolved, ruleAlternatives)
}

var isolates = set("unshare", "setns", "mount", "umount2", "chroot", "pivot_root", "chdir", "fchdir", "capset", "setgroups",
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "prctl", "setsid", "setpgid")

var transfers = set("read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"splice", "tee", "vmsplice", "sendfile")

// harmlessOption says that a prctl is about the calling process and its children alone.
func harmlessOption(c *call) bool {
	if c.name != "prctl" {
		return false
	}
	switch c.args[0] {
	case unix.PR_SET_PDEATHSIG, unix.PR_GET_PDEATHSIG, unix.PR_SET_CHILD_SUBREAPER, unix.PR_GET_CHILD_SUBREAPER:
		return true
	}
	return false
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

var observers = set("fstat", "statx", "stat", "lstat", "newfstatat", "poll", "ppoll", "select", "pselect6", "getpid", "getppid", "gettid",
	"getpgid", "getsid", "kcmp", "getuid", "geteuid", "rt_sigpending", "getitimer", "timer_gettime", "timerfd_gettime", "timer_getoverrun", "clock_gettime", "capget", "epoll_wait", "epoll_pwait", "epoll_pwait2")

var waiters = set("poll", "ppoll", "select", "pselect6")

// eventWaits tell of level-triggered interest each time, of other interest once.
var eventWaits = set("epoll_wait", "epoll_pwait", "epoll_pwait2")

var reapers = set("wait4", "waitid")

// telling says that two calls with the same outcome have done the same.
func telling(c *call) bool {
	switch c.name {
	case "lseek":
		return true
	case "fcntl":
		return c.args[1] == unix.F_DUPFD || c.args[1] == unix.F_DUPFD_CLOEXEC || onlyLooks(c)
	}
	return onlyLooks(c)
}

// onlyLooks says that a call changes nothing. Of epoll_wait that is true for level-triggered
// interest only; with EPOLLET or EPOLLONESHOT the call's own outcome shows it, which other lies
// are about.
func onlyLooks(c *call) bool {
	if c.blocked() {
		return false
	}
	if looksAtIPC(c) {
		return true
	}
	switch c.name {
	case "prctl":
		return c.args[0] == unix.PR_GET_PDEATHSIG || c.args[0] == unix.PR_GET_CHILD_SUBREAPER
	case "wait4":
		return c.out != nil && c.out.Result == 0
	case "waitid":
		return c.args[3]&unix.WNOWAIT != 0 || c.out != nil && c.word(2, siPID) == 0 && c.args[2] != 0
	case "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal":
		return c.args[sends[c.name].sig] == 0 // the null signal
	case "fcntl":
		switch c.args[1] {
		case unix.F_GETFD, unix.F_GETFL, unix.F_GETPIPE_SZ, unix.F_GETOWN, unix.F_GETSIG, unix.F_GETOWN_EX, unix.F_GETLK, unix.F_GET_SEALS:
			return true
		}
		return false
	case "ioctl":
		switch c.args[1] {
		case unix.TIOCINQ, unix.TCGETS, unix.TIOCGPTN, unix.TIOCGPGRP:
			return true
		}
		return direction(c) == ioctlTells
	case "lseek":
		return c.args[2] == unix.SEEK_CUR && c.args[1] == 0
	case "rt_sigprocmask", "rt_sigaction", "sigaltstack": // with nothing to set
		return c.args[lookingArgument[c.name]] == 0
	case "pread64", "preadv", "preadv2": // at an offset of their own
		return int64(c.args[3]) != -1 && !c.failed()
	}
	return observers[c.name]
}

// lookingArgument is where calls that only look have a null pointer.
var lookingArgument = map[string]int{"rt_sigprocmask": 1, "rt_sigaction": 1, "sigaltstack": 0}

// Directions of data that the number of an ioctl request says, where it has been made with _IOR or _IOW:
// one that only tells has nothing to change, and one that only takes sets something.
const (
	ioctlTakes = 1
	ioctlTells = 2
)

func direction(c *call) uint64 { return c.args[1] >> 30 & 3 }

func idempotent(c *call) bool {
	if setsIPC(c) {
		return true
	}
	switch c.name {
	case "prctl":
		switch c.args[0] {
		case unix.PR_SET_NO_NEW_PRIVS, unix.PR_SET_SECCOMP, unix.PR_SET_SYSCALL_USER_DISPATCH:
			return true // the same filter once more decides as it does alone
		}
		return harmlessOption(c)
	case "fcntl":
		switch c.args[1] {
		case unix.F_DUPFD, unix.F_DUPFD_CLOEXEC:
			return false
		}
		return true
	case "lseek":
		return c.args[2] != unix.SEEK_CUR
	case "signalfd4":
		return int32(c.args[0]) != -1
	case "alarm", "setitimer", "timer_settime": // it starts anew, a moment later
		return true
	case "timer_delete": // there is nothing left to be deleted
		return true
	case "ioctl":
		switch c.args[1] {
		case unix.TIOCSPTLCK, unix.TIOCSCTTY, unix.TIOCSPGRP, unix.TIOCSWINSZ, unix.TCSETS, unix.TCXONC:
			return true
		}
		return direction(c) == ioctlTakes
	case "mmap": // of what is shared there is one more view, at an address that nobody has heard of
		return true
	case "init_module", "finit_module", "delete_module": // it is loaded already, or gone
		return true
	case "dup2", "dup3", "close", "umask", "chdir", "fchdir", "unlink", "unlinkat", "mknod", "mknodat", "mkdirat", "epoll_ctl",
		"ftruncate", "truncate", "rt_sigaction", "rt_sigprocmask", "ptrace", "mq_notify", "setsid", "fsync", "fchmodat", "fchownat", "prlimit64", "munmap", "mprotect",
		"linkat", "symlinkat", "renameat2", "flock", "sigaltstack", "timerfd_settime", "clock_settime", "setns":
		return true
	}
	return false
}

// advises says that a call gives nothing but advice.
func advises(c *call) bool {
	advice, ok := map[string]int{"madvise": 2, "process_madvise": 3}[c.name]
	if !ok || c.failed() {
		return false
	}
	switch c.args[advice] {
	case unix.MADV_NORMAL, unix.MADV_RANDOM, unix.MADV_SEQUENTIAL, unix.MADV_WILLNEED, unix.MADV_COLD, unix.MADV_PAGEOUT:
		return true
	}
	return false
}

func makesDescriptor(c *call) bool {
	switch c.name {
	case "pidfd_open", "pidfd_getfd", "mq_open", "dup", "pipe", "pipe2", "open", "openat", "creat", "epoll_create", "epoll_create1", "eventfd", "eventfd2", "timerfd_create", "memfd_create", "socket", "socketpair":
		return true
	case "fcntl":
		return c.args[1] == unix.F_DUPFD || c.args[1] == unix.F_DUPFD_CLOEXEC
	case "signalfd", "signalfd4":
		return int32(c.args[0]) == -1
	}
	return false
}

var hints = set("SPLICE_F_MOVE", "SPLICE_F_MORE", "SPLICE_F_GIFT", "O_NOCTTY", "RWF_HIPRI", "RWF_DONTCACHE", "EPOLLWAKEUP",
	"RWF_DSYNC", "RWF_SYNC") // how durable a write is shows when the power fails

// waited are the bits for which poll and epoll wait.
var waited = []flag{
	{unix.POLLIN, "IN"}, {unix.POLLPRI, "PRI"}, {unix.POLLOUT, "OUT"}, {unix.EPOLLRDNORM, "RDNORM"}, {unix.EPOLLRDBAND, "RDBAND"},
	{unix.EPOLLWRNORM, "WRNORM"}, {unix.EPOLLWRBAND, "WRBAND"}, {unix.POLLRDHUP, "RDHUP"},
}

// named gives flags names that begin so.
func named(prefix string, flags []flag) []flag {
	flags = slices.Clone(flags)
	for i := range flags {
		flags[i].name = prefix + flags[i].name
	}
	return flags
}

// flags names the bits that make a call's argument a set of flags which the kernel may ignore one
// by one.
func flags(c *call, i int) []flag {
	kind := c.kinds[i]
	if c.name == "fcntl" && i == 2 {
		switch c.args[1] {
		case unix.F_SETFL:
			kind = "setfl"
		case unix.F_SETFD:
			return []flag{{unix.FD_CLOEXEC, "FD_CLOEXEC"}}
		}
	}
	return flagTable[kind]
}

type flag struct {
	bit  uint64
	name string
}

var flagTable = map[string][]flag{
	"open": {
		{unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_NOCTTY, "O_NOCTTY"}, {unix.O_TRUNC, "O_TRUNC"}, {unix.O_APPEND, "O_APPEND"},
		{unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_ASYNC, "O_ASYNC"}, {unix.O_DIRECT, "O_DIRECT"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
		{unix.O_CLOEXEC, "O_CLOEXEC"}, {unix.O_PATH, "O_PATH"}, {unix.O_DIRECTORY, "O_DIRECTORY"},
		{unix.O_DSYNC, "O_DSYNC"}, {unix.O_SYNC, "O_SYNC"}, {unix.O_NOATIME, "O_NOATIME"},
	},
	"setfl": {
		{unix.O_APPEND, "O_APPEND"}, {unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_ASYNC, "O_ASYNC"}, {unix.O_DIRECT, "O_DIRECT"},
		{unix.O_NOATIME, "O_NOATIME"},
	},
	"splice": {
		{unix.SPLICE_F_MOVE, "SPLICE_F_MOVE"}, {unix.SPLICE_F_NONBLOCK, "SPLICE_F_NONBLOCK"},
		{unix.SPLICE_F_MORE, "SPLICE_F_MORE"}, {unix.SPLICE_F_GIFT, "SPLICE_F_GIFT"},
	},
	"rwf": {
		{0x1, "RWF_HIPRI"}, {0x2, "RWF_DSYNC"}, {0x4, "RWF_SYNC"}, {0x8, "RWF_NOWAIT"}, {0x10, "RWF_APPEND"}, {0x20, "RWF_NOAPPEND"},
		{0x40, "RWF_ATOMIC"}, {0x80, "RWF_DONTCACHE"},
	},
	"signalfd": {{unix.SFD_NONBLOCK, "SFD_NONBLOCK"}, {unix.SFD_CLOEXEC, "SFD_CLOEXEC"}},
	"timer":    {{unix.TIMER_ABSTIME, "TIMER_ABSTIME"}, {unix.TFD_TIMER_CANCEL_ON_SET, "TFD_TIMER_CANCEL_ON_SET"}},
	"wait": {
		{unix.WNOHANG, "WNOHANG"}, {unix.WUNTRACED, "WUNTRACED"}, {unix.WEXITED, "WEXITED"}, {unix.WCONTINUED, "WCONTINUED"}, {unix.WNOWAIT, "WNOWAIT"},
		{unix.WNOTHREAD, "__WNOTHREAD"}, {unix.WALL, "__WALL"}, {unix.WCLONE, "__WCLONE"},
	},
	"pidfd":       {{unix.PIDFD_NONBLOCK, "PIDFD_NONBLOCK"}, {unix.PIDFD_THREAD, "PIDFD_THREAD"}},
	"pidfdsignal": {{unix.PIDFD_SIGNAL_THREAD, "PIDFD_SIGNAL_THREAD"}, {unix.PIDFD_SIGNAL_THREAD_GROUP, "PIDFD_SIGNAL_THREAD_GROUP"}, {unix.PIDFD_SIGNAL_PROCESS_GROUP, "PIDFD_SIGNAL_PROCESS_GROUP"}},
	"pipe":        {{unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_DIRECT, "O_DIRECT"}, {unix.O_EXCL, "O_NOTIFICATION_PIPE"}, {unix.O_CLOEXEC, "O_CLOEXEC"}},
	"epollcreate": {{unix.EPOLL_CLOEXEC, "EPOLL_CLOEXEC"}},
	"timerfd":     {{unix.TFD_NONBLOCK, "TFD_NONBLOCK"}, {unix.TFD_CLOEXEC, "TFD_CLOEXEC"}},
	"tfdtimer":    {{unix.TFD_TIMER_ABSTIME, "TFD_TIMER_ABSTIME"}, {unix.TFD_TIMER_CANCEL_ON_SET, "TFD_TIMER_CANCEL_ON_SET"}},
	"ipcget":      {{actor.IPC_CREAT, "IPC_CREAT"}, {actor.IPC_EXCL, "IPC_EXCL"}},
	"shmget":      {{actor.IPC_CREAT, "IPC_CREAT"}, {actor.IPC_EXCL, "IPC_EXCL"}, {actor.SHM_HUGETLB, "SHM_HUGETLB"}, {actor.SHM_NORESERVE, "SHM_NORESERVE"}},
	"msgflg":      {{actor.IPC_NOWAIT, "IPC_NOWAIT"}, {actor.MSG_NOERROR, "MSG_NOERROR"}, {actor.MSG_EXCEPT, "MSG_EXCEPT"}, {actor.MSG_COPY, "MSG_COPY"}},
	"shmat":       {{actor.SHM_RDONLY, "SHM_RDONLY"}, {actor.SHM_RND, "SHM_RND"}, {actor.SHM_REMAP, "SHM_REMAP"}, {actor.SHM_EXEC, "SHM_EXEC"}},
	"eventfd":     {{1, "EFD_SEMAPHORE"}, {unix.O_NONBLOCK, "EFD_NONBLOCK"}, {unix.O_CLOEXEC, "EFD_CLOEXEC"}},
}

// dispositionFlags are in the flags of struct sigaction.
var dispositionFlags = []flag{
	{actor.SA_NOCLDSTOP, "SA_NOCLDSTOP"}, {actor.SA_NOCLDWAIT, "SA_NOCLDWAIT"}, {actor.SA_ONSTACK, "SA_ONSTACK"},
	{actor.SA_RESTART, "SA_RESTART"}, {actor.SA_SIGINFO, "SA_SIGINFO"}, {actor.SA_NODEFER, "SA_NODEFER"}, {actor.SA_RESETHAND, "SA_RESETHAND"},
}

// neighbours are the errors that an error is easily taken for.
func neighbours(e unix.Errno) []unix.Errno {
	if list, ok := errnoNeighbours[e]; ok {
		return list
	}
	return slices.DeleteFunc([]unix.Errno{unix.EINVAL, unix.EIO}, func(n unix.Errno) bool { return n == e })
}

var errnoNeighbours = map[unix.Errno][]unix.Errno{
	unix.EAGAIN: {unix.EINTR, unix.EINVAL}, unix.EINTR: {unix.EAGAIN, unix.EIO},
	unix.EINVAL: {unix.ENOSYS, unix.EPERM}, unix.EPERM: {unix.EACCES, unix.EINVAL}, unix.EACCES: {unix.EPERM, unix.ENOENT},
	unix.EBADF: {unix.EINVAL, unix.EPERM}, unix.EPIPE: {unix.EIO, unix.EAGAIN}, unix.EFAULT: {unix.EINVAL, unix.EIO},
	unix.ESPIPE: {unix.EINVAL, unix.ENXIO}, unix.EMFILE: {unix.ENFILE, unix.ENOMEM}, unix.ENFILE: {unix.EMFILE, unix.ENOMEM},
	unix.ENOENT: {unix.ENOTDIR, unix.EACCES}, unix.EEXIST: {unix.EACCES, unix.EINVAL}, unix.ENXIO: {unix.ENODEV, unix.EAGAIN},
	unix.EBUSY: {unix.EAGAIN, unix.EPERM}, unix.EISDIR: {unix.EINVAL, unix.EACCES}, unix.EFBIG: {unix.ENOSPC, unix.EINVAL},
	unix.EOPNOTSUPP: {unix.EINVAL, unix.ENOSYS}, unix.ENOMSG: {unix.EAGAIN, unix.EINVAL}, unix.EIDRM: {unix.EINVAL, unix.EINTR},
	unix.ENOSPC: {unix.ENOMEM, unix.EINVAL},
}

// aliases are other calls of the kernel by which a subject may be checked, where a spec does not
// call it by its own name.
var aliases = map[string][]string{
	"open": {"openat"}, "creat": {"openat"}, "poll": {"ppoll"}, "ppoll": {"poll"}, "select": {"pselect6"}, "pselect6": {"select"},
	"epoll_wait": {"epoll_pwait"}, "epoll_pwait": {"epoll_wait"}, "mknod": {"mknodat"}, "mkdir": {"mkdirat"}, "unlink": {"unlinkat"},
	"rename": {"renameat2"}, "link": {"linkat"}, "symlink": {"symlinkat"}, "chmod": {"fchmodat"}, "stat": {"newfstatat"}, "lstat": {"newfstatat"},
	"fork": {"clone"}, "vfork": {"clone"}, "pipe": {"pipe2"}, "sigaction": {"rt_sigaction"}, "sigprocmask": {"rt_sigprocmask"},
	"sigpending": {"rt_sigpending"}, "sigsuspend": {"rt_sigsuspend"}, "sigqueue": {"rt_sigqueueinfo"}, "raise": {"tgkill"}, "killpg": {"kill"},
	"siginterrupt": {"rt_sigaction"}, "signal": {"rt_sigaction"}, "pthread_kill": {"tgkill"}, "pthread_sigmask": {"rt_sigprocmask"}, "sigwait": {"rt_sigtimedwait"},
	"wait": {"wait4"}, "nanosleep": {"clock_nanosleep"}, "sleep": {"clock_nanosleep"}, "sigreturn": {"rt_sigreturn"},
	"waitpid": {"wait4"}, "sigtimedwait": {"rt_sigtimedwait"}, "sigwaitinfo": {"rt_sigtimedwait"}, "signalfd": {"signalfd4"}, "dup2": {"dup3"}, "_exit": {"exit_group"}, "exit": {"exit_group"}, "getrlimit": {"prlimit64"}, "setrlimit": {"prlimit64"},
}
