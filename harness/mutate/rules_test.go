package mutate

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// A scene is a recorded run with a lie that a rule excludes, or must not exclude. The subject is the
// call that the lie names.
type scene struct {
	rule     string
	lie      string
	excluded bool
	calls    []*call
	last     bool // the spec makes no call afterwards
}

// kindsOf says what the arguments of calls are, as the table of package actor does.
var kindsOf = map[string][]string{
	"clone": {"clone", "ptr", "ptr", "ptr", "ptr"}, "close": {"fd"}, "dup": {"fd"}, "epoll_ctl": {"fd", "epollctl", "fd", "ptr"},
	"fcntl": {"fd", "fcntl", "hex"}, "kill": {"pid", "sig"}, "lseek": {"fd", "off", "whence"}, "openat": {"fd", "path", "open", "mode"},
	"pidfd_open": {"pid", "pidfd"}, "pidfd_send_signal": {"fd", "sig", "ptr", "pidfdsignal"}, "read": {"fd", "out", "size"},
	"rt_sigtimedwait": {"ptr", "ptr", "ptr", "size"}, "setns": {"fd", "clone"}, "shmget": {"key", "size", "shmget"},
	"splice": {"fd", "ptr", "fd", "ptr", "size", "splice"}, "timerfd_settime": {"fd", "tfdtimer", "ptr", "ptr"}, "write": {"fd", "in", "size"},
}

// made is a call as it was recorded, of which the spec has judged the result.
func made(name string, result int64, args ...uint64) *call {
	c := &call{name: name, args: args, actor: "A", regard: actor.Judged, in: &actor.Outcome{}, out: &actor.Outcome{Result: result}}
	if c.kinds = kindsOf[name]; c.kinds == nil {
		c.kinds = slices.Repeat([]string{"hex"}, len(args))
	}
	return c
}

func failed(name string, errno unix.Errno, args ...uint64) *call {
	return made(name, -int64(errno), args...)
}

// but changes what was recorded of a call.
func (c *call) but(change func(c *call)) *call {
	change(c)
	return c
}

// holding gives a call memory to which an argument points.
func (c *call) holding(arg int, content []byte) *call {
	c.regions = append(c.regions, arg)
	c.in.Memory = append(c.in.Memory, content)
	c.out.Memory = append(c.out.Memory, content)
	return c
}

func (c *call) seen(regard actor.Regard) *call { return c.but(func(c *call) { c.regard = regard }) }
func (c *call) slept() *call                   { return c.but(func(c *call) { c.regard |= actor.SeenBlocked }) }
func (c *call) killed() *call                  { return c.but(func(c *call) { c.died = true }) }

func recorded(calls []*call) *recording {
	r := newRecording(nil)
	for _, c := range calls {
		r.byName[c.name] = append(r.byName[c.name], c)
		c.occurrence, c.index = len(r.byName[c.name]), len(r.calls)
		r.calls = append(r.calls, c)
	}
	return r
}

const (
	stdin  = 0
	stdout = 1
)

func read(result int64, size uint64) *call {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i + 1)
	}
	return made("read", result, stdin, 0x1000, size).holding(1, content)
}

func write(size uint64) *call {
	return made("write", int64(size), stdout, 0x1000, size).holding(1, make([]byte, size))
}

func fullWrite() *call {
	return failed("write", unix.EAGAIN, stdout, 0x1000, 5).holding(1, make([]byte, 5))
}

func brokenPipe() *call {
	return failed("write", unix.EPIPE, stdout, 0x1000, 5).holding(1, make([]byte, 5))
}

func exclusive() *call {
	return made("epoll_ctl", 0, 3, unix.EPOLL_CTL_ADD, 4, 0x1000).holding(3, binary.NativeEndian.AppendUint32(nil, unix.EPOLLIN|unix.EPOLLEXCLUSIVE))
}

func settime(flags, seconds uint64) *call {
	setting := make([]byte, 32)
	binary.NativeEndian.PutUint64(setting[16:], seconds)
	return made("timerfd_settime", 0, 3, flags, 0x1000, 0).holding(2, setting)
}

func stack(flags uint32) *call {
	setting := make([]byte, 24)
	binary.NativeEndian.PutUint32(setting[8:], flags)
	return made("sigaltstack", 0, 0x1000, 0).holding(0, setting)
}

// caught is a signal that sigtimedwait has told, of which the spec has read some words.
func caught(looked actor.Looks) *call {
	return made("rt_sigtimedwait", int64(unix.SIGUSR1), 0x1000, 0x1008, 0, 8).holding(1, make([]byte, 128)).seen(actor.Judged | actor.Inspected).but(func(c *call) { c.looked = looked })
}

func oldMask(regard actor.Regard) *call {
	return made("rt_sigprocmask", 0, unix.SIG_BLOCK, 0, 0x1000, 8).holding(2, make([]byte, 8)).seen(regard)
}

var (
	openPID  = func(flags uint64) *call { return made("pidfd_open", 3, 100, flags) }
	sendTo   = func(flags uint64) *call { return made("pidfd_send_signal", 0, 3, uint64(unix.SIGUSR1), 0, flags) }
	usr1     = func() *call { return made("kill", 0, 100, uint64(unix.SIGUSR1)) }
	blocking = func() *call { return made("rt_sigprocmask", 0, unix.SIG_BLOCK, 0x1000, 0, 8) }
)

var scenes = []scene{
	{rule: "clone", lie: "clone #1 was made twice", excluded: true, calls: []*call{made("clone", 7, 17, 0, 0, 0, 0).but(func(c *call) { c.clones = true })}},
	{rule: "clone", lie: "clone #1 failed with ENOSYS instead of EINVAL", calls: []*call{failed("clone", unix.EINVAL, 17, 0, 0, 0, 0)}},

	{rule: "late", lie: "read #1 returned after those that follow", excluded: true, calls: []*call{read(5, 5)}},
	{rule: "late", lie: "read #1 did not sleep, and 5 bytes was told", calls: []*call{read(5, 5).slept()}},

	{rule: "isolation", lie: "unshare #1 was not made, and 0 was told", excluded: true, calls: []*call{made("unshare", 0, unix.CLONE_NEWIPC)}},
	{rule: "isolation", lie: "setns #1 was not made, and 0 was told", excluded: true, calls: []*call{made("setns", 0, 3, unix.CLONE_NEWIPC)}},
	{rule: "isolation", lie: "setns #1 failed with EINVAL instead of returning 0", calls: []*call{made("setns", 0, 3, unix.CLONE_NEWIPC)}},
	{rule: "isolation", lie: "prctl #1 was not made, and 0 was told", calls: []*call{made("prctl", 0, unix.PR_SET_PDEATHSIG, uint64(unix.SIGUSR1))}},

	{rule: "exec", lie: "execve #1 failed with EINVAL instead of returning 0", excluded: true, calls: []*call{made("execve", 0, 0x1000, 0, 0)}},
	{rule: "exec", lie: "execve #1 kept descriptors with FD_CLOEXEC", calls: []*call{made("execve", 0, 0x1000, 0, 0)}},
	{rule: "exec", lie: "execve #1 failed with EINVAL instead of ENOEXEC", calls: []*call{failed("execve", unix.ENOEXEC, 0x1000, 0, 0)}},

	{rule: "failure-changes-nothing", lie: "write #1 was not made, and EAGAIN was told", excluded: true, calls: []*call{fullWrite()}},
	{rule: "failure-changes-nothing", lie: "write #1 was made twice", calls: []*call{fullWrite().slept()}},
	{rule: "failure-changes-nothing", lie: "write #1 was not made, and EPIPE was told", excluded: true, calls: []*call{brokenPipe()}},
	{rule: "failure-changes-nothing", lie: "write #1 was not made, and EPIPE was told", calls: []*call{brokenPipe(), made("rt_sigpending", 0, 0x1000, 8)}},

	{rule: "race", lie: "read #1 was made twice", excluded: true, calls: []*call{read(5, 5).but(func(c *call) { c.raced = true })}},
	{rule: "race", lie: "read #1 was made twice", calls: []*call{read(5, 5)}},

	{rule: "only-looks", lie: "fcntl #1 was not made, and 2 was told", excluded: true, calls: []*call{made("fcntl", 2, 3, unix.F_GETFL, 0)}},
	{rule: "only-looks", lie: "fcntl #1 was not made, and 0 was told", calls: []*call{made("fcntl", 0, 3, unix.F_SETFL, unix.O_NONBLOCK)}},
	{rule: "only-looks", lie: "lseek #1 was made twice", excluded: true, calls: []*call{made("lseek", 5, 3, 0, unix.SEEK_CUR)}},
	{rule: "only-looks", lie: "lseek #1 was made twice", calls: []*call{made("lseek", 5, 3, 5, unix.SEEK_CUR)}},
	{rule: "only-looks", lie: "rt_sigaction #1 was not made, and 0 was told", excluded: true, calls: []*call{made("rt_sigaction", 0, 10, 0, 0x1000, 8)}},
	{rule: "only-looks", lie: "rt_sigaction #1 was not made, and 0 was told", calls: []*call{made("rt_sigaction", 0, 10, 0x1000, 0, 8)}},
	{rule: "only-looks", lie: "poll #1 was made twice", excluded: true, calls: []*call{made("poll", 1, 0x1000, 1, 0)}},

	{rule: "only-waits", lie: "poll #1 was made twice", excluded: true, calls: []*call{made("poll", 1, 0x1000, 1, 0).slept()}},
	{rule: "only-waits", lie: "wait4 #1 was made twice", excluded: true, calls: []*call{made("wait4", 7, 7, 0, 0, 0).slept()}},
	{rule: "only-waits", lie: "wait4 #1 was made twice", calls: []*call{failed("wait4", unix.ECHILD, 7, 0, 0, 0).slept()}},
	{rule: "only-waits", lie: "read #1 was made twice", calls: []*call{read(5, 5).slept()}},

	{rule: "nothing-transferred", lie: "read #1 was not made, and 0 bytes was told", excluded: true, calls: []*call{read(0, 5)}},
	{rule: "nothing-transferred", lie: "read #1 was made twice", calls: []*call{read(0, 5).slept()}},
	{rule: "nothing-transferred", lie: "read #1 was not made, and 1 bytes was told", calls: []*call{read(1, 5)}},

	// A thread that joins a namespace in which it is, stays there; one that asks for a new one gets another.
	{rule: "idempotent", lie: "setns #1 was made twice", excluded: true, calls: []*call{made("setns", 0, 3, unix.CLONE_NEWIPC)}},
	{rule: "idempotent", lie: "unshare #1 was made twice", calls: []*call{made("unshare", 0, unix.CLONE_NEWIPC)}},
	{rule: "idempotent", lie: "close #1 was made twice", excluded: true, calls: []*call{made("close", 0, 3)}},
	{rule: "idempotent", lie: "lseek #1 was made twice", excluded: true, calls: []*call{made("lseek", 5, 3, 5, unix.SEEK_SET)}},
	{rule: "idempotent", lie: "write #1 was made twice", calls: []*call{write(5)}},
	{rule: "idempotent", lie: "msgsnd #1 was made twice", calls: []*call{made("msgsnd", 0, 1, 0x1000, 5, 0)}},
	{rule: "idempotent", lie: "msgctl #1 was made twice", excluded: true, calls: []*call{made("msgctl", 0, 1, actor.IPC_RMID, 0)}},

	{rule: "coalesces", lie: "kill #1 was made twice", excluded: true, calls: []*call{usr1()}},
	{rule: "coalesces", lie: "kill #1 was made twice", calls: []*call{made("kill", 0, 100, firstRealTime+2)}},

	{rule: "coalesced", lie: "kill #1 was not made, and 0 was told", excluded: true, calls: []*call{blocking(), usr1(), usr1()}},
	{rule: "coalesced", lie: "kill #1 was not made, and 0 was told", calls: []*call{usr1(), usr1()}},
	{rule: "coalesced", lie: "kill #1 was not made, and 0 was told", calls: []*call{blocking(), usr1(), read(5, 5), usr1()}},

	{rule: "advice", lie: "madvise #1 was not made, and 0 was told", excluded: true, calls: []*call{made("madvise", 0, 0x1000, 4096, unix.MADV_COLD)}},
	{rule: "advice", lie: "madvise #1 was not made, and 0 was told", calls: []*call{made("madvise", 0, 0x1000, 4096, unix.MADV_DONTNEED)}},

	{rule: "untold-descriptor", lie: "dup #1 was made twice", excluded: true, calls: []*call{made("dup", 4, 3)}},
	{rule: "untold-descriptor", lie: "dup #1 was not made, and 4 was told", calls: []*call{made("dup", 4, 3)}},
	{rule: "untold-timer", lie: "timer_create #1 was made twice", excluded: true, calls: []*call{made("timer_create", 0, 0, 0, 0x1000)}},
	{rule: "untold-timer", lie: "timer_create #1 was not made, and 0 was told", calls: []*call{made("timer_create", 0, 0, 0, 0x1000)}},
	{rule: "untold-object", lie: "shmget #1 was made twice", excluded: true, calls: []*call{made("shmget", 7, actor.IPC_PRIVATE, 4096, 0o600)}},
	{rule: "untold-object", lie: "shmget #1 was not made, and 7 was told", calls: []*call{made("shmget", 7, actor.IPC_PRIVATE, 4096, 0o600)}},

	{rule: "repeated", lie: "write #1 was made twice", excluded: true, calls: []*call{fullWrite().slept().but(func(c *call) { c.repeated = true })}},
	{rule: "repeated", lie: "write #1 told one success fewer", calls: []*call{fullWrite().but(func(c *call) {
		c.repeated, c.out.Completed, c.regard = true, 9, c.regard|actor.Counted
	})}},

	{rule: "last-act", lie: "write #1 was made twice", excluded: true, calls: []*call{write(5)}, last: true},
	{rule: "last-act", lie: "write #1 was made twice", calls: []*call{write(5)}},
	{rule: "last-act", lie: "write #1 was made twice", calls: []*call{write(5).but(func(c *call) { c.beside = true })}, last: true},

	{rule: "failed-numbers", lie: "write #1 was made with size 4 instead of 5", excluded: true, calls: []*call{fullWrite()}},
	{rule: "failed-numbers", lie: "write #1 was made with size 4 instead of 5", calls: []*call{write(5)}},

	{rule: "presupposed", lie: "write #1 failed with EINVAL instead of returning 5 bytes", excluded: true, calls: []*call{write(5).seen(actor.Presupposed)}},
	{rule: "presupposed", lie: "write #1 failed with EINVAL instead of returning 5 bytes", calls: []*call{write(5).seen(actor.Presupposed | actor.Judged)}},
	{rule: "presupposed", lie: "write #1 failed with EINVAL instead of returning 5 bytes", calls: []*call{write(5).seen(0)}},

	{rule: "step-of-set-up", lie: "write #1 was made twice", excluded: true, calls: []*call{write(5).but(func(c *call) { c.setup = true }), write(5)}},
	{rule: "step-of-set-up", lie: "write #1 was made twice", calls: []*call{write(5).but(func(c *call) { c.setup = true })}},

	{rule: "not-inspected", lie: "read #1 returned another first byte", excluded: true, calls: []*call{read(5, 5), read(5, 5).seen(actor.Inspected)}},
	{rule: "not-inspected", lie: "read #1 returned another first byte", calls: []*call{read(5, 5), read(5, 5)}},

	{rule: "died", lie: "write #1 was made twice", excluded: true, calls: []*call{write(5).killed()}},
	{rule: "died", lie: "write #1 did not end the actor, but failed with EPIPE", calls: []*call{write(5).killed()}},
	{rule: "died-numbers", lie: "write #1 was made with size 4 instead of 5", excluded: true, calls: []*call{write(5).killed()}},
	{rule: "died-numbers", lie: "write #1 was made with size 4 instead of 5", calls: []*call{write(5).slept().killed()}},

	{rule: "hint", lie: "splice #1 was made without SPLICE_F_MOVE", excluded: true, calls: []*call{made("splice", 5, 3, 0, 4, 0, 5, unix.SPLICE_F_MOVE)}},
	{rule: "hint", lie: "splice #1 was made without SPLICE_F_NONBLOCK", calls: []*call{made("splice", 5, 3, 0, 4, 0, 5, unix.SPLICE_F_NONBLOCK)}},

	{rule: "clock-not-set", lie: "timerfd_settime #1 was made without TFD_TIMER_CANCEL_ON_SET", excluded: true, calls: []*call{settime(unix.TFD_TIMER_CANCEL_ON_SET, 5)}},
	{rule: "clock-not-set", lie: "timerfd_settime #1 was made without TFD_TIMER_CANCEL_ON_SET", calls: []*call{
		settime(unix.TFD_TIMER_CANCEL_ON_SET, 5), made("clock_settime", 0, unix.CLOCK_REALTIME, 0x1000),
	}},

	{rule: "at-least-one", lie: "epoll_ctl #1 was made without EPOLLEXCLUSIVE", excluded: true, calls: []*call{
		exclusive(), made("epoll_wait", 1, 3, 0x1000, 1, 0).slept(),
	}},
	{rule: "at-least-one", lie: "epoll_ctl #1 was made without EPOLLEXCLUSIVE", calls: []*call{exclusive(), made("epoll_wait", 1, 3, 0x1000, 1, 0)}},

	{rule: "disarms", lie: "timerfd_settime #1 was made without TFD_TIMER_ABSTIME", excluded: true, calls: []*call{settime(unix.TFD_TIMER_ABSTIME, 0)}},
	{rule: "disarms", lie: "timerfd_settime #1 was made without TFD_TIMER_ABSTIME", calls: []*call{settime(unix.TFD_TIMER_ABSTIME, 5)}},

	{rule: "unused-descriptor", lie: "openat #1 returned 6 instead of 5", excluded: true, calls: []*call{made("openat", 5, 3, 0x1000, 0, 0)}},
	{rule: "unused-descriptor", lie: "openat #1 returned 6 instead of 5", calls: []*call{made("openat", 5, 3, 0x1000, 0, 0), made("close", 0, 5)}},

	{rule: "count-not-reached", lie: "read #1 was made with size 9 instead of 10", excluded: true, calls: []*call{read(5, 10)}},
	{rule: "count-not-reached", lie: "read #1 was made with size 9 instead of 10", calls: []*call{read(10, 10)}},

	{rule: "memory", lie: "read #1 was not made, and 5 bytes was told", excluded: true, calls: []*call{read(5, 5).but(func(c *call) { c.in = nil })}},
	{rule: "memory", lie: "read #1 was not made, and 5 bytes was told", calls: []*call{read(5, 5)}},

	{rule: "sampled", lie: "write #2 was made twice", excluded: true, calls: []*call{write(1), write(1), write(1), write(1), write(1)}},
	{rule: "sampled", lie: "write #3 was made twice", calls: []*call{write(1), write(1), write(1), write(1), write(1)}},

	{rule: "unread", lie: "rt_sigtimedwait #1 told another value of si_pid, si_timerid or si_band", excluded: true, calls: []*call{caught(1 << (8 / 4))}},
	{rule: "unread", lie: "rt_sigtimedwait #1 told another value of si_code", calls: []*call{caught(1 << (8 / 4))}},

	{rule: "padding", lie: "read #1 returned another last byte", excluded: true, calls: []*call{read(128, 128).but(func(c *call) { c.padded = true })}},
	{rule: "padding", lie: "read #1 returned another first byte", calls: []*call{read(128, 128).but(func(c *call) { c.padded = true })}},
	{rule: "padding", lie: "read #1 returned another last byte", calls: []*call{read(128, 128)}},

	{rule: "unasked", lie: "rt_sigprocmask #1 told whether SIGUSR1 is in the set the other way round", excluded: true, calls: []*call{oldMask(actor.Judged)}},
	{rule: "unasked", lie: "rt_sigprocmask #1 told whether SIGUSR1 is in the set the other way round", calls: []*call{oldMask(actor.Inspected)}},

	{rule: "scope-of-descriptor", lie: "pidfd_send_signal #1 was made without PIDFD_SIGNAL_THREAD_GROUP", excluded: true, calls: []*call{
		openPID(0), sendTo(unix.PIDFD_SIGNAL_THREAD_GROUP),
	}},
	{rule: "scope-of-descriptor", lie: "pidfd_send_signal #1 was made without PIDFD_SIGNAL_THREAD", calls: []*call{openPID(0), sendTo(unix.PIDFD_SIGNAL_THREAD)}},

	{rule: "nothing-met", lie: "shmget #1 was made without SHM_NORESERVE", excluded: true, calls: []*call{
		made("shmget", 7, actor.IPC_PRIVATE, 8192, actor.SHM_NORESERVE|0o600),
	}},
	{rule: "nothing-met", lie: "shmget #1 was made without SHM_NORESERVE", calls: []*call{
		made("shmget", 7, actor.IPC_PRIVATE, 1<<40, actor.SHM_NORESERVE|0o600),
	}},

	{rule: "no-stack", lie: "sigaltstack #1 was made without SS_AUTODISARM", excluded: true, calls: []*call{stack(ssDisable | ssAutodisarm)}},
	{rule: "no-stack", lie: "sigaltstack #1 was made without SS_AUTODISARM", calls: []*call{stack(ssAutodisarm)}},
}

func TestRulesThatExclude(t *testing.T) {
	for _, s := range scenes {
		calls := s.calls
		if !s.last {
			calls = append(slices.Clone(calls), made("sched_yield", 0))
		}
		subject, _, _ := strings.Cut(s.lie, " ")
		p := newPlan(recorded(calls), []string{subject}, 1, DefaultMost)
		var lies []string
		for _, m := range p.mutants {
			lies = append(lies, m.Lie)
		}
		if told := slices.Contains(lies, s.lie); told == s.excluded || s.excluded && p.excluded[s.rule] == 0 {
			t.Errorf("%s: %q: told: %v\nexcluded: %v\nlies:\n\t%s", s.rule, s.lie, told, p.excluded, strings.Join(lies, "\n\t"))
		}
	}
}

// A verdict of the rules that look at the outcomes of all clauses.
type afterwards struct {
	rule    string
	what    string
	applies bool // to the first mutant of the first clause
	results []SpecResult
}

func outcome(of Outcome, m Mutant) MutantResult { return MutantResult{Mutant: &m, Outcome: of} }

func of(clause string, mutants ...MutantResult) SpecResult {
	return SpecResult{Clause: clause, Verdict: report.Conforms, Mutants: mutants}
}

// without is the lie that a flag is ignored, tells that the call returns something else, and from another
// that its data is.
func without(flag string) Mutant {
	return Mutant{Kind: Flag, Subject: "pipe2", Call: "pipe2 #1", Act: "pipe2", Input: "without " + flag, Lie: "pipe2 #1 was made without " + flag}
}

var (
	otherCount = Mutant{Kind: Count, Subject: "pipe2", Call: "pipe2 #1", Act: "pipe2"}
	particular = Mutant{Kind: Event, Call: "signal #1", Particulars: true, Of: []string{"kill"}, Group: "particulars of signals"}
	ofOthers   = Mutant{Kind: Event, Call: "signal #1", Particulars: true, Of: []string{"alarm"}, Group: "particulars of signals"}
	thatIsRead = Mutant{Kind: Event, Call: "signal #1", Particulars: true, Of: []string{"kill"}}
	oneField   = Mutant{Kind: Field, Subject: "fstat", Call: "fstat #1", Group: "fstat #1"}
	otherField = Mutant{Kind: Field, Subject: "fstat", Call: "fstat #1", Group: "fstat #2"}
)

var hindsights = []afterwards{
	{
		rule: "elsewhere", what: "another clause notices", applies: true,
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_CLOEXEC")), outcome(Killed, otherCount)), of("a.two", outcome(Killed, without("O_CLOEXEC"))),
		},
	},
	{
		rule: "elsewhere", what: "no clause notices",
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_CLOEXEC")), outcome(Killed, otherCount)), of("a.two", outcome(Survived, without("O_CLOEXEC"))),
		},
	},
	{
		rule: "elsewhere", what: "another clause notices another flag",
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_CLOEXEC")), outcome(Killed, otherCount)), of("a.two", outcome(Killed, without("O_DIRECT"))),
		},
	},
	{
		rule: "elsewhere", what: "a clause of another suite notices",
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_CLOEXEC")), outcome(Killed, otherCount)), of("b.one", outcome(Killed, without("O_CLOEXEC"))),
		},
	},
	{
		rule: "elsewhere", what: "the clause names the flag",
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_NONBLOCK")), outcome(Killed, otherCount)), of("a.two", outcome(Killed, without("O_NONBLOCK"))),
		},
	},
	{
		rule: "elsewhere", what: "the spec does not notice whatever the call tells",
		results: []SpecResult{
			of("a.one", outcome(Survived, without("O_CLOEXEC")), outcome(Survived, otherCount)), of("a.two", outcome(Killed, without("O_CLOEXEC"))),
		},
	},
	{
		rule: "elsewhere", what: "the lie is about what the call tells",
		results: []SpecResult{of("a.one", outcome(Survived, otherCount), outcome(Killed, otherCount)), of("a.two", outcome(Killed, otherCount))},
	},
	{
		rule: "particulars-elsewhere", what: "another clause about the call notices", applies: true,
		results: []SpecResult{of("a.one", outcome(Survived, particular)), of("a.two", outcome(Killed, particular))},
	},
	{
		rule: "particulars-elsewhere", what: "no clause notices",
		results: []SpecResult{of("a.one", outcome(Survived, particular)), of("a.two", outcome(Survived, particular))},
	},
	{
		rule: "particulars-elsewhere", what: "a clause about another call notices",
		results: []SpecResult{of("a.one", outcome(Survived, particular)), of("a.two", outcome(Killed, ofOthers))},
	},
	{
		rule: "particulars-elsewhere", what: "the spec has read them",
		results: []SpecResult{of("a.one", outcome(Survived, thatIsRead)), of("a.two", outcome(Killed, particular))},
	},
	{
		rule: "alternatives", what: "another of the group was noticed", applies: true,
		results: []SpecResult{of("a.one", outcome(Survived, oneField), outcome(Killed, oneField))},
	},
	{
		rule: "alternatives", what: "none of the group was noticed",
		results: []SpecResult{of("a.one", outcome(Survived, oneField), outcome(Survived, oneField))},
	},
	{
		rule: "alternatives", what: "one of another group was noticed",
		results: []SpecResult{of("a.one", outcome(Survived, oneField), outcome(Killed, otherField))},
	},
}

func TestRulesAboutOutcomes(t *testing.T) {
	clauses := []*spec.Clause{
		{ID: "a.one", Suite: "a", Text: "A pipe made with O_NONBLOCK carries bytes.", Subjects: []string{"pipe2"}},
		{ID: "a.two", Suite: "a", Subjects: []string{"pipe2"}},
		{ID: "b.one", Suite: "b", Subjects: []string{"pipe2"}},
	}
	for _, h := range hindsights {
		first := h.results[0].Mutants[0].Mutant
		found := newReport(clauses, h.results).Clauses[0]
		at := slices.IndexFunc(found.Survivors, func(s Survivor) bool { return s.Mutant == first })
		excluded := found.Excluded[h.rule] > 0 && at < 0
		explained := at >= 0 && found.Survivors[at].Rule == h.rule
		if (excluded || explained) != h.applies || !h.applies && (at < 0 || found.Survivors[at].Rule != "") {
			t.Errorf("%s: %s: excluded %v, survivors %+v", h.rule, h.what, found.Excluded, found.Survivors)
		}
	}
}

// For each rule there is a case in which it applies, and one in which it must not.
func TestEachRuleIsTested(t *testing.T) {
	applies, not := map[string]bool{}, map[string]bool{}
	has := func(rule string, yes bool) {
		if yes {
			applies[rule] = true
		} else {
			not[rule] = true
		}
	}
	for _, s := range scenes {
		has(s.rule, s.excluded)
	}
	for _, h := range hindsights {
		has(h.rule, h.applies)
	}
	for _, c := range plantedCases {
		has(c.rule, c.applies())
	}
	known := map[string]bool{}
	for _, rule := range Rules() {
		if known[rule.Name] {
			t.Errorf("there are two rules %q", rule.Name)
		}
		known[rule.Name] = true
		if rule.Why == "" {
			t.Errorf("the rule %q has no reason", rule.Name)
		}
		if !applies[rule.Name] || !not[rule.Name] {
			t.Errorf("the rule %q: a case where it applies: %v, one where it must not: %v", rule.Name, applies[rule.Name], not[rule.Name])
		}
	}
	for _, tested := range []map[string]bool{applies, not} {
		for _, name := range sortedKeys(tested) {
			if !known[name] {
				t.Errorf("a test speaks of a rule %q, which there is not", name)
			}
		}
	}
}

// Whatever ids the kernel gives out in a run, the same seed draws the same lies.
func TestSeedInAnotherRun(t *testing.T) {
	drawn := func(pid int64) (lies []string) {
		p := newPlan(recorded([]*call{made("getpid", pid), made("kill", 0, uint64(pid), 34), read(9, 9), made("wait4", pid, uint64(pid), 0, 0, 0)}),
			[]string{"getpid", "kill", "read", "wait4"}, 1, 8)
		for _, m := range p.mutants {
			lies = append(lies, strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(m.Lie, fmt.Sprint(pid-1), "ID"), fmt.Sprint(pid+1), "ID"), fmt.Sprint(pid), "ID"))
		}
		return lies
	}
	if one, other := drawn(1000), drawn(20003); len(one) != 8 || !slices.Equal(one, other) {
		t.Errorf("%q in one run, %q in another", one, other)
	}
}

// A worker that takes over from one that has died may have recorded other calls.
func TestResume(t *testing.T) {
	plan := func(lies ...string) (p specPlan) {
		p.Verdict = report.Conforms
		for _, lie := range lies {
			p.Mutants = append(p.Mutants, &Mutant{Lie: lie})
		}
		return p
	}
	for _, c := range []struct{ again, want []string }{
		{[]string{"a", "b", "c"}, []string{"a", "b", "c"}},
		{[]string{"a", "x", "y", "z"}, []string{"a", "b", "y", "z"}},
		{[]string{"x"}, []string{"a", "b"}},
	} {
		var s SpecResult
		s.take(plan("a", "b", "c"))
		s.Mutants[0].Outcome, s.Mutants[1].Outcome = Survived, Killed
		s.resume(plan(c.again...), 2)
		var lies []string
		for _, m := range s.Mutants {
			lies = append(lies, m.Lie)
		}
		if !slices.Equal(lies, c.want) || s.Mutants[1].Outcome != Killed {
			t.Errorf("after %q: %q", c.again, lies)
		}
	}
}

// Each flag that the trace knows by name can be ignored; an access mode is no flag.
func TestEachFlagIsLiedAbout(t *testing.T) {
	for _, kind := range sortedKeys(flagTable) {
		for bit := range 32 {
			name := actor.Flags(kind, 1<<bit)
			known := slices.ContainsFunc(flagTable[kind], func(f flag) bool { return f.bit&(1<<bit) != 0 })
			if _, rest, ok := strings.Cut(name, "|"); ok { // the access mode 0, which comes first
				name = rest
			}
			if mode := kind == "open" && bit < 2; strings.Contains(name, "_") && !mode && !known {
				t.Errorf("%s: %s", kind, name)
			}
		}
	}
}
