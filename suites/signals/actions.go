package signals

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/kernel"
)

// The standard signals by their default actions.
var (
	terminating = []unix.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGKILL, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGTERM,
		unix.SIGSTKFLT, unix.SIGVTALRM, unix.SIGPROF, unix.SIGIO, unix.SIGPWR,
	}
	dumping = []unix.Signal{
		unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGXCPU,
		unix.SIGXFSZ, unix.SIGSYS,
	}
	discarding = []unix.Signal{unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH}
	stopping   = []unix.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}
)

// The kernel's real-time signals; a C library keeps two or three of them for itself.
const firstRealTime, lastRealTime = unix.Signal(32), unix.Signal(64)

// lowName is how clauses name a signal: sighup.
func lowName(sig unix.Signal) string { return strings.ToLower(actor.SignalName(sig)) }

// familyOf makes a parent, whose child is to get signals, and a process that sends them. The child
// is in its parent's session and in a process group of its own, so that the group is no orphan.
func familyOf() (parent, child, sender *actor.Actor) {
	parent = actor.New()
	child = parent.Fork()
	Must(child.Setpgid(0, 0))
	return parent, child, parent.Fork()
}

// keepCoresAway has a process leave no core file behind, wherever this system puts them.
func keepCoresAway(a *actor.Actor) {
	limit := uint64(0)
	if pattern, err := kernel.Sysctl("kernel.core_pattern"); err == nil && strings.HasPrefix(pattern, "|") {
		limit = 1 // by which a program that gets cores through a pipe is not started, as by 0 it is
	}
	a.SetRlimit(unix.RLIMIT_CORE, limit)
}

// waitStatus waits for a child and returns what wait4 tells of it.
func waitStatus(parent, child *actor.Actor, options int) int {
	GinkgoHelper()
	wait := parent.Wait4(child.PID(), options)
	Expect(wait).To(Return(child.PID()))
	return wait.Int()
}

// The wait statuses of a process that a signal has ended, stopped or continued.
func killedBy(sig unix.Signal) int  { return int(sig) }
func dumpedBy(sig unix.Signal) int  { return int(sig) | 0x80 }
func stoppedBy(sig unix.Signal) int { return int(sig)<<8 | 0x7f }

const continued = 0xffff

var _ = Describe("The default action of a signal", func() {
	for _, sig := range terminating {
		Clause("signal.default-"+lowName(sig), func() {
			parent, child, sender := familyOf()

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(sig)))
		})

		Clause("signal.term-no-core", actor.SignalName(sig), func() {
			dir := coreFolder()
			parent, child, sender := familyOf()
			readyToDump(child, dir)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(sig)))
			Expect(filesIn(dir)).To(BeEmpty())
		})
	}

	for _, sig := range dumping {
		Clause("signal.default-"+lowName(sig), func() {
			parent, child, sender := familyOf()
			keepCoresAway(child)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(sig)))
		})

		Clause("signal.core-dumped", actor.SignalName(sig), func() {
			dir := coreFolder()
			parent, child, sender := familyOf()
			readyToDump(child, dir)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, 0)).To(Equal(dumpedBy(sig)))
			cores := filesIn(dir)
			Expect(cores).To(HaveLen(1))
			core, err := os.ReadFile(dir + "/" + cores[0])
			Expect(err).NotTo(HaveOccurred())
			Expect(core).To(HavePrefix("\x7fELF"))
		})

		Clause("signal.core-limit-zero", actor.SignalName(sig), func() {
			dir := coreFolder()
			parent, child, sender := familyOf()
			readyToDump(child, dir)
			child.SetRlimit(unix.RLIMIT_CORE, 0)

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(sig)))
			Expect(filesIn(dir)).To(BeEmpty())
		})
	}

	for _, sig := range discarding {
		Clause("signal.default-"+lowName(sig), func() {
			_, child, sender := familyOf()
			child.Handle(unix.SIGUSR1, 0)

			sleeping := beginPause(child)
			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(sleeping).To(Block())
			Must(sender.Kill(child.PID(), unix.SIGUSR1))
			Expect(sleeping).To(FailWith(unix.EINTR))
			// Had it been kept for later, a handler would get it now.
			child.Handle(sig, 0)
			Expect(settledSignals(child)).To(Equal([]unix.Signal{unix.SIGUSR1}))
			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			expectCaughtFrom(child, sender, unix.SIGUSR1, sig)
		})
	}

	for _, sig := range stopping {
		Clause("signal.default-"+lowName(sig), func() {
			parent, child, sender := familyOf()

			Expect(sender.Kill(child.PID(), sig)).To(Return(0))
			Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(sig)))
			Expect(child.Stopped()).To(BeTrue())
			// It does nothing while it is stopped.
			call := child.Begin().Getpid()
			Must(sender.Getpid())
			Expect(call.Done()).To(BeFalse())
			Must(sender.Kill(child.PID(), unix.SIGCONT))
			Expect(call).To(Return(child.PID()))
		})
	}

	Clause("signal.default-sigcont", func() {
		parent, child, sender := familyOf()
		Must(sender.Kill(child.PID(), unix.SIGSTOP))
		Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGSTOP)))

		Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
		Expect(waitStatus(parent, child, unix.WCONTINUED)).To(Equal(continued))
		Expect(child.Getpid()).To(Return(child.PID()))
	})

	Clause("signal.sigcont-while-running", func() {
		parent, child, sender := familyOf()
		child.Handle(unix.SIGUSR1, 0)

		sleeping := beginPause(child)
		Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
		Expect(sleeping).To(Block())
		Expect(parent.Wait4(child.PID(), unix.WCONTINUED|unix.WUNTRACED|unix.WNOHANG)).To(Return(0))
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		Expect(sleeping).To(FailWith(unix.EINTR))
		Expect(sender.Kill(child.PID(), unix.SIGSTOP)).To(Return(0)) // which no SIGCONT from before undoes
		Expect(waitStatus(parent, child, unix.WUNTRACED|unix.WCONTINUED)).To(Equal(stoppedBy(unix.SIGSTOP)))
	})

	Clause("signal.default-whole-process", "terminated", func() {
		parent, child, sender := familyOf()
		thread := child.Thread()
		Must(child.Sigprocmask(unix.SIG_SETMASK, actor.Mask(unix.SIGTERM)))

		// By one thread, which is not the first, all end.
		Expect(sender.Tgkill(child.PID(), thread.TID(), unix.SIGTERM)).To(Return(0))
		Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(unix.SIGTERM)))
		Expect(thread.AwaitGone()).To(BeTrue())
	})

	Clause("signal.default-whole-process", "stopped", func() {
		parent, child, sender := familyOf()
		thread := child.Thread()

		Expect(sender.Tgkill(child.PID(), thread.TID(), unix.SIGTSTP)).To(Return(0))
		Expect(waitStatus(parent, child, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGTSTP)))
		Expect(child.AwaitStopped()).To(BeTrue())
		Expect(thread.AwaitStopped()).To(BeTrue())
		calls := []*actor.Call{child.Begin().Gettid(), thread.Begin().Gettid()}
		Expect(sender.Kill(child.PID(), unix.SIGCONT)).To(Return(0))
		Expect(calls[0]).To(Return(child.TID()))
		Expect(calls[1]).To(Return(thread.TID()))
	})

	Clause("signal.default-realtime", func() {
		sender := actor.New()
		for sig := firstRealTime; sig <= lastRealTime; sig++ {
			a := actor.New()

			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			Expect(a).To(BeKilledBy(sig))
		}
	})
})

// settledSignals returns what the actor has caught. A signal that was sent before is among that: at
// the latest it is delivered when the actor comes out of the system call made here.
func settledSignals(a *actor.Actor) []unix.Signal {
	Must(a.Getpid())
	var sigs []unix.Signal
	for _, e := range a.Events() {
		sigs = append(sigs, e.Signal)
	}
	return sigs
}

// coreFolder makes a folder for the core file of a process that works there.
func coreFolder() string {
	pattern, err := kernel.Sysctl("kernel.core_pattern")
	Presuppose(err == nil && pattern != "" && !strings.HasPrefix(pattern, "@") && !strings.ContainsAny(pattern, "|/"),
		"core files in the working directory of the process: write the sysctl kernel.core_pattern, such as core; it is %q", pattern)
	return actor.TempDir()
}

// readyToDump lets a process leave a core file in the folder, a small one.
func readyToDump(a *actor.Actor, dir string) {
	Must(a.Chdir(dir))
	Must(a.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) // also where it has changed its user
	_, hard := a.Rlimit(unix.RLIMIT_CORE)
	const enough = 64 << 20
	Presuppose(hard >= enough, "a hard limit RLIMIT_CORE of %d bytes or more; it is %d", enough, hard)
	a.SetRlimit(unix.RLIMIT_CORE, hard)
	a.WriteFile("/proc/self/coredump_filter", "0x11")
}

func filesIn(dir string) []string {
	entries, err := os.ReadDir(dir)
	Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
