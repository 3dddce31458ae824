package signals

import (
	"encoding/binary"
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What waitid tells of a child in si_code.
const (
	cldExited    = 1
	cldKilled    = 2
	cldDumped    = 3
	cldTrapped   = 4
	cldStopped   = 5
	cldContinued = 6
)

// expectChild judges that a waitid has told this of a child, which is of the caller's user.
func expectChild(wait *actor.Call, child *actor.Actor, code, status int) {
	ExpectWithOffset(1, wait).To(Return(0))
	info := wait.Siginfo()
	ExpectWithOffset(1, info.Signo()).To(Equal(unix.SIGCHLD))
	ExpectWithOffset(1, info.PID()).To(Equal(child.PID()))
	ExpectWithOffset(1, info.Code()).To(Equal(code))
	ExpectWithOffset(1, info.Status()).To(Equal(status))
	ExpectWithOffset(1, info.UID()).To(Equal(Must(wait.Actor().Getuid())))
}

// expectNothingToTell judges that a waitid has found children and no change of theirs.
func expectNothingToTell(wait *actor.Call) {
	ExpectWithOffset(1, wait).To(Return(0))
	info := wait.Siginfo()
	ExpectWithOffset(1, info.Signo()).To(BeZero())
	ExpectWithOffset(1, info.PID()).To(BeZero())
}

// expectExited judges that a wait4 has told of a child's exit.
func expectExited(wait *actor.Call, child *actor.Actor, status int) {
	ExpectWithOffset(1, wait).To(Return(child.PID()))
	told := unix.WaitStatus(wait.Int())
	ExpectWithOffset(1, told.Exited()).To(BeTrue())
	ExpectWithOffset(1, told.ExitStatus()).To(Equal(status))
	ExpectWithOffset(1, told.Signaled() || told.Stopped() || told.Continued()).To(BeFalse())
}

// expectStopped judges that a wait4 has told of a child's stop.
func expectStopped(wait *actor.Call, child *actor.Actor, sig unix.Signal) {
	ExpectWithOffset(1, wait).To(Return(child.PID()))
	told := unix.WaitStatus(wait.Int())
	ExpectWithOffset(1, told.Stopped()).To(BeTrue())
	ExpectWithOffset(1, told.StopSignal()).To(Equal(sig))
	ExpectWithOffset(1, told.Exited() || told.Signaled() || told.Continued()).To(BeFalse())
}

// A childWait is one of the two calls that wait for children.
type childWait struct {
	name string
	// begin asks for the end of the child with that id, −1 for any.
	begin func(by actor.Caller, pid, options int) *actor.Call
	// group asks for the end of a child of that process group.
	group func(by actor.Caller, group, options int) *actor.Call
	// exited judges that the call has told of the child's exit.
	exited func(c *actor.Call, child *actor.Actor, status int)
}

// childWaits are the calls by which the clauses about both are checked.
var childWaits = []childWait{
	{
		"wait4",
		func(by actor.Caller, pid, options int) *actor.Call { return by.Wait4(pid, options) },
		func(by actor.Caller, group, options int) *actor.Call { return by.Wait4(-group, options) },
		func(c *actor.Call, child *actor.Actor, status int) {
			GinkgoHelper()
			expectExited(c, child, status)
		},
	},
	{
		"waitid",
		func(by actor.Caller, pid, options int) *actor.Call {
			if pid == -1 {
				return by.Waitid(unix.P_ALL, 0, options|unix.WEXITED)
			}
			return by.Waitid(unix.P_PID, pid, options|unix.WEXITED)
		},
		func(by actor.Caller, group, options int) *actor.Call {
			return by.Waitid(unix.P_PGID, group, options|unix.WEXITED)
		},
		func(c *actor.Call, child *actor.Actor, status int) {
			GinkgoHelper()
			expectChild(c, child, cldExited, status)
		},
	},
}

// ofEachWait names a clause that is checked by wait4 and by waitid.
func ofEachWait(id string, body func(wait childWait)) {
	for _, wait := range childWaits {
		Clause(id, wait.name, Offset(1), func() { body(wait) })
	}
}

// stoppedChild stops a child, and waits until it is.
func stopChild(parent, child *actor.Actor, sig unix.Signal) {
	Must(parent.Kill(child.PID(), sig))
	Presuppose(child.AwaitStopped(), "a child that stops")
}

// inOwnGroup forks a child that leads a process group of its own.
func inOwnGroup(parent *actor.Actor) *actor.Actor {
	child := parent.Fork()
	Must(child.Setpgid(0, 0))
	return child
}

// trace makes the parent the tracer of a child.
func trace(parent, child *actor.Actor) {
	Must(parent.Raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, child.PID(), 0, 0))
}

var _ = Describe("Waiting for the end of a child", func() {
	Clause("wait.returns-child", func() {
		a := actor.New()
		child, other := a.Fork(), a.Fork()
		child.Exit(3)

		expectExited(a.Wait4(-1, 0), child, 3)
		other.Exit(4)
		expectExited(a.Wait4(-1, 0), other, 4)
	})

	Clause("wait.blocks-until-terminated", func() {
		a := actor.New()
		a.Fork()
		child := a.Fork()

		wait := a.Begin().Wait4(-1, 0)
		Expect(wait).To(Block())
		child.Exit(3)
		expectExited(wait, child, 3)
	})

	Clause("wait.immediate", func() {
		a := actor.New()
		left := map[int]int{}
		for status := range 3 {
			child := a.Fork()
			child.Exit(status)
			left[child.PID()] = status
		}

		for range 3 {
			wait := a.Wait4(-1, 0)
			status, ok := left[wait.Value()]
			Expect(ok).To(BeTrue())
			Expect(unix.WaitStatus(wait.Int()).ExitStatus()).To(Equal(status))
			delete(left, wait.Value())
		}
		Expect(a.Wait4(-1, unix.WNOHANG)).To(FailWith(unix.ECHILD))
	})

	Clause("wait.releases", func() {
		a, other := actor.New(), actor.New()
		child := a.Fork()
		child.Exit(3)
		Expect(child.ReadState()).To(Equal("Z"))
		Expect(other.Getpgid(child.PID())).To(Return(a.PID()))

		expectExited(a.Wait4(child.PID(), 0), child, 3)
		Expect(child.ReadState()).To(BeEmpty())
		Expect(other.Getpgid(child.PID())).To(FailWith(unix.ESRCH))
	})

	Clause("wait.null-status", func() {
		a := actor.New()
		child := a.Fork()

		wait := a.Begin().Raw(unix.SYS_WAIT4, -1, nil, 0, nil)
		Expect(wait).To(Block())
		child.Exit(3)
		Expect(wait).To(Return(child.PID()))
		Expect(a.Wait4(-1, unix.WNOHANG)).To(FailWith(unix.ECHILD))
	})

	Clause("waitpid.that-child", func() {
		a := actor.New()
		before, child, after := a.Fork(), a.Fork(), a.Fork()
		before.Exit(1)
		after.Exit(2)

		wait := a.Begin().Wait4(child.PID(), 0)
		Expect(wait).To(Block())
		child.Exit(3)
		expectExited(wait, child, 3)
		expectExited(a.Wait4(before.PID(), 0), before, 1)
		expectExited(a.Wait4(after.PID(), 0), after, 2)
	})

	Clause("waitpid.any-child", func() {
		a := actor.New()
		for status := range 2 {
			child := inOwnGroup(a)
			wait := a.Begin().Wait4(-1, 0)
			Expect(wait).To(Block())
			child.Exit(status)
			expectExited(wait, child, status)
		}
		child := a.Fork()
		child.Exit(3)
		expectExited(a.Wait4(-1, 0), child, 3)
	})

	Clause("waitpid.group", func() {
		a := actor.New()
		leader, member, group := killGroup(a)
		other, own := inOwnGroup(a), a.Fork()
		other.Exit(1)
		own.Exit(2)

		wait := a.Begin().Wait4(-group, 0)
		Expect(wait).To(Block())
		member.Exit(3)
		expectExited(wait, member, 3)
		leader.Exit(4)
		expectExited(a.Wait4(-group, 0), leader, 4)
		expectExited(a.Wait4(other.PID(), 0), other, 1)
		expectExited(a.Wait4(own.PID(), 0), own, 2)
	})

	Clause("waitpid.own-group", func() {
		a := actor.New()
		other, child := inOwnGroup(a), a.Fork()
		other.Exit(1)

		wait := a.Begin().Wait4(0, 0)
		Expect(wait).To(Block())
		child.Exit(3)
		expectExited(wait, child, 3)
		Expect(a.Wait4(0, unix.WNOHANG)).To(FailWith(unix.ECHILD))
		expectExited(a.Wait4(other.PID(), 0), other, 1)
	})

	Clause("waitpid.own-group-at-call", func() {
		parent := actor.New()
		a := parent.Fork()
		child := a.Fork()

		wait := a.Begin().Wait4(0, 0)
		Expect(wait).To(Block())
		Must(parent.Setpgid(a.PID(), 0))
		child.Exit(3)
		expectExited(wait, child, 3)
	})

	Clause("waitpid.only-terminated", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()

		wait := a.Begin().Wait4(-1, 0)
		Expect(wait).To(Block())
		stopChild(sender, child, unix.SIGSTOP)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGCONT))
		Must(child.Getpid())
		Expect(wait).To(Block())
		child.Exit(3)
		expectExited(wait, child, 3)
	})

	Clause("waitpid.nohang-zero", func() {
		a := actor.New()
		child := a.Fork()
		status := a.Alloc(4)
		const untouched = 0x5a5a5a5a
		status.PutUint32(0, untouched)

		for _, pid := range []int{-1, child.PID(), 0} {
			Expect(a.Raw(unix.SYS_WAIT4, pid, status, unix.WNOHANG, nil)).To(Return(0))
		}
		Expect(status.Uint32(0)).To(Equal(uint32(untouched)))
		Expect(child.ReadState()).NotTo(BeEmpty())
	})

	Clause("waitpid.nohang-child", func() {
		a := actor.New()
		a.Fork()
		child := a.Fork()
		child.Exit(3)

		expectExited(a.Wait4(-1, unix.WNOHANG), child, 3)
		Expect(a.Wait4(-1, unix.WNOHANG)).To(Return(0))
	})
})

var _ = Describe("Waiting for stops and continuations", func() {
	stops := []unix.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

	for _, sig := range stops {
		Clause("waitpid.untraced", actor.SignalName(sig), func() {
			a, sender := actor.New(), actor.New()
			child := inOwnGroup(a)

			wait := a.Begin().Wait4(-1, unix.WUNTRACED)
			Expect(wait).To(Block())
			Must(sender.Kill(child.PID(), sig))
			expectStopped(wait, child, sig)
			Expect(child.Stopped()).To(BeTrue())
		})
	}

	Clause("waitpid.untraced-once", func() {
		a := actor.New()
		child := inOwnGroup(a)
		for _, sig := range stops[:2] {
			stopChild(a, child, sig)
			expectStopped(a.Wait4(-1, unix.WUNTRACED), child, sig)
			Expect(a.Wait4(-1, unix.WUNTRACED|unix.WNOHANG)).To(Return(0))
			Expect(child.Stopped()).To(BeTrue())
			Must(a.Kill(child.PID(), unix.SIGCONT))
			Must(child.Getpid())
		}
	})

	Clause("waitpid.continued", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()
		stopChild(sender, child, unix.SIGSTOP)

		wait := a.Begin().Wait4(-1, unix.WCONTINUED)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGCONT))
		Expect(wait).To(Return(child.PID()))
		told := unix.WaitStatus(wait.Int())
		Expect(told.Continued()).To(BeTrue())
		Expect(told.Exited() || told.Signaled() || told.Stopped()).To(BeFalse())
		Expect(a.Wait4(-1, unix.WCONTINUED|unix.WNOHANG)).To(Return(0))
	})

	Clause("waitpid.continued-only-if-stopped", func() {
		a := actor.New()
		child := a.Fork()
		Must(a.Kill(child.PID(), unix.SIGCONT))
		Must(child.Getpid())

		Expect(a.Wait4(-1, unix.WCONTINUED|unix.WNOHANG)).To(Return(0))
		child.Exit(3)
		expectExited(a.Wait4(-1, unix.WCONTINUED), child, 3)
	})

	Clause("waitpid.traced-stop", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()
		trace(a, child)

		wait := a.Begin().Wait4(-1, 0)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		expectStopped(wait, child, unix.SIGUSR1)
	})
})

var _ = Describe("The wait status", func() {
	Clause("waitpid.exit-status", func() {
		a := actor.New()
		for _, status := range []int{0, 1, 2, 126, 127, 128, 254, 255} {
			child := a.Fork()
			child.Exit(status)
			expectExited(a.Wait4(child.PID(), 0), child, status)
		}
	})

	Clause("waitpid.exit-status-eight-bits", func() {
		a := actor.New()
		for _, status := range []int{256, 0x1ff, -1, 0x12345678, math.MinInt32} {
			child := a.Fork()
			child.Exit(status)
			expectExited(a.Wait4(child.PID(), 0), child, status&0xff)
		}
	})

	Clause("waitpid.signaled", func() {
		a := actor.New()
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGKILL, unix.SIGTERM, unix.SIGUSR1, rtSignal, lastSignal} {
			child := a.Fork()
			Must(a.Kill(child.PID(), sig))
			wait := a.Wait4(child.PID(), 0)
			Expect(wait).To(Return(child.PID()))
			told := unix.WaitStatus(wait.Int())
			Expect(told.Signaled()).To(BeTrue())
			Expect(told.Signal()).To(Equal(sig))
			Expect(told.Exited() || told.Stopped() || told.Continued() || told.CoreDump()).To(BeFalse())
		}
	})

	Clause("waitpid.no-core", func() {
		a := actor.New()
		child := a.Fork()
		keepCoresAway(child)
		Must(a.Kill(child.PID(), unix.SIGQUIT))

		expectChild(a.Waitid(unix.P_PID, child.PID(), unix.WEXITED|unix.WNOWAIT), child, cldKilled, int(unix.SIGQUIT))
		wait := a.Wait4(child.PID(), 0)
		Expect(wait).To(Return(child.PID()))
		told := unix.WaitStatus(wait.Int())
		Expect(told.Signaled()).To(BeTrue())
		Expect(told.Signal()).To(Equal(unix.SIGQUIT))
		Expect(told.CoreDump()).To(BeFalse())
	})

	Clause("waitpid.core", func() {
		dir := coreFolder()
		a := actor.New()
		child := a.Fork()
		readyToDump(child, dir)
		Must(a.Kill(child.PID(), unix.SIGQUIT))

		expectChild(a.Waitid(unix.P_PID, child.PID(), unix.WEXITED|unix.WNOWAIT), child, cldDumped, int(unix.SIGQUIT))
		wait := a.Wait4(child.PID(), 0)
		Expect(wait).To(Return(child.PID()))
		told := unix.WaitStatus(wait.Int())
		Expect(told.Signaled()).To(BeTrue())
		Expect(told.Signal()).To(Equal(unix.SIGQUIT))
		Expect(told.CoreDump()).To(BeTrue())
		Expect(filesIn(dir)).To(HaveLen(1))
	})
})

var _ = Describe("waitid", func() {
	Clause("waitid.pid", func() {
		a := actor.New()
		other, child := a.Fork(), a.Fork()
		other.Exit(1)

		wait := a.Begin().Waitid(unix.P_PID, child.PID(), unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		expectChild(wait, child, cldExited, 3)
		expectChild(a.Waitid(unix.P_PID, other.PID(), unix.WEXITED), other, cldExited, 1)
	})

	Clause("waitid.pidfd", func() {
		a := actor.New()
		other, child := a.Fork(), a.Fork()
		fd := pidfdOf(a, child, 0)
		other.Exit(1)

		wait := a.Begin().Waitid(unix.P_PIDFD, fd, unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		expectChild(wait, child, cldExited, 3)
		expectChild(a.Waitid(unix.P_PIDFD, pidfdOf(a, other, 0), unix.WEXITED), other, cldExited, 1)
	})

	Clause("waitid.group", func() {
		a := actor.New()
		leader, member, group := killGroup(a)
		other := inOwnGroup(a)
		other.Exit(1)

		wait := a.Begin().Waitid(unix.P_PGID, group, unix.WEXITED)
		Expect(wait).To(Block())
		member.Exit(3)
		expectChild(wait, member, cldExited, 3)
		leader.Exit(4)
		expectChild(a.Waitid(unix.P_PGID, group, unix.WEXITED), leader, cldExited, 4)
		expectChild(a.Waitid(unix.P_PGID, other.PID(), unix.WEXITED), other, cldExited, 1)
	})

	Clause("waitid.group-zero", func() {
		a := actor.New()
		other, child := inOwnGroup(a), a.Fork()
		other.Exit(1)

		wait := a.Begin().Waitid(unix.P_PGID, 0, unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		expectChild(wait, child, cldExited, 3)
		Expect(a.Waitid(unix.P_PGID, 0, unix.WEXITED|unix.WNOHANG)).To(FailWith(unix.ECHILD))
	})

	Clause("waitid.group-zero-at-call", func() {
		parent := actor.New()
		a := parent.Fork()
		child := a.Fork()

		wait := a.Begin().Waitid(unix.P_PGID, 0, unix.WEXITED)
		Expect(wait).To(Block())
		Must(parent.Setpgid(a.PID(), 0))
		child.Exit(3)
		expectChild(wait, child, cldExited, 3)
	})

	Clause("waitid.all", func() {
		a := actor.New()
		for _, id := range []int{0, a.PID(), 1, -1, math.MinInt32} {
			child := inOwnGroup(a)
			wait := a.Begin().Waitid(unix.P_ALL, id, unix.WEXITED)
			Expect(wait).To(Block())
			child.Exit(3)
			expectChild(wait, child, cldExited, 3)
		}
	})

	Clause("waitid.exited", func() {
		a := actor.New()
		for _, status := range []int{0, 1, 128, 255} {
			child := a.Fork()
			child.Exit(status)
			expectChild(a.Waitid(unix.P_ALL, 0, unix.WEXITED), child, cldExited, status)
			Expect(a.Waitid(unix.P_PID, child.PID(), unix.WEXITED|unix.WNOHANG)).To(FailWith(unix.ECHILD))
			Expect(a.Kill(child.PID(), 0)).To(FailWith(unix.ESRCH))
		}
	})

	Clause("waitid.killed", func() {
		a := actor.New()
		for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGKILL, unix.SIGTERM, rtSignal, lastSignal} {
			child := a.Fork()
			Must(a.Kill(child.PID(), sig))
			expectChild(a.Waitid(unix.P_ALL, 0, unix.WEXITED), child, cldKilled, int(sig))
		}
	})

	Clause("waitid.stopped", func() {
		a := actor.New()
		child := inOwnGroup(a)
		for _, sig := range []unix.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU} {
			stopChild(a, child, sig)
			expectChild(a.Waitid(unix.P_ALL, 0, unix.WSTOPPED), child, cldStopped, int(sig))
			expectNothingToTell(a.Waitid(unix.P_ALL, 0, unix.WSTOPPED|unix.WNOHANG))
			Must(a.Kill(child.PID(), unix.SIGCONT))
			Must(child.Getpid())
		}
	})

	Clause("waitid.continued", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()
		stopChild(sender, child, unix.SIGSTOP)

		wait := a.Begin().Waitid(unix.P_ALL, 0, unix.WCONTINUED)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGCONT))
		expectChild(wait, child, cldContinued, int(unix.SIGCONT))
		expectNothingToTell(a.Waitid(unix.P_ALL, 0, unix.WCONTINUED|unix.WNOHANG))
	})

	Clause("waitid.trapped", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()
		trace(a, child)

		wait := a.Begin().Waitid(unix.P_ALL, 0, unix.WSTOPPED)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		expectChild(wait, child, cldTrapped, int(unix.SIGUSR1))
	})

	Clause("waitid.only-what-is-asked", func() {
		a := actor.New()
		child := a.Fork()
		stopChild(a, child, unix.SIGSTOP)

		expectNothingToTell(a.Waitid(unix.P_ALL, 0, unix.WEXITED|unix.WCONTINUED|unix.WNOHANG))
		expectChild(a.Waitid(unix.P_ALL, 0, unix.WSTOPPED), child, cldStopped, int(unix.SIGSTOP))
		Must(a.Kill(child.PID(), unix.SIGCONT))
		Must(child.Getpid())
		expectNothingToTell(a.Waitid(unix.P_ALL, 0, unix.WEXITED|unix.WSTOPPED|unix.WNOHANG))
		expectChild(a.Waitid(unix.P_ALL, 0, unix.WCONTINUED), child, cldContinued, int(unix.SIGCONT))
		child.Exit(3)
		// Of a child that can neither stop nor go on any more a kernel may say that there is none.
		last := a.Waitid(unix.P_ALL, 0, unix.WSTOPPED|unix.WCONTINUED|unix.WNOHANG)
		Expect(last).To(Or(Return(0), FailWith(unix.ECHILD)))
		Expect(last.Siginfo().PID()).To(BeZero())
		expectChild(a.Waitid(unix.P_ALL, 0, unix.WEXITED), child, cldExited, 3)
	})

	Clause("waitid.nohang", func() {
		a := actor.New()
		child := a.Fork()
		info := a.Alloc(128)
		for i := range info.Bytes() {
			info.Bytes()[i] = 0xff
		}

		Expect(a.Raw(unix.SYS_WAITID, unix.P_ALL, 0, info, unix.WEXITED|unix.WNOHANG, nil)).To(Return(0))
		Expect(info.Uint32(0)).To(BeZero())
		Expect(info.Uint32(16)).To(BeZero())
		child.Exit(3)
		Expect(a.Raw(unix.SYS_WAITID, unix.P_ALL, 0, info, unix.WEXITED|unix.WNOHANG, nil)).To(Return(0))
		Expect(info.Uint32(0)).To(Equal(uint32(unix.SIGCHLD)))
		Expect(info.Uint32(16)).To(Equal(uint32(child.PID())))
	})

	Clause("waitid.nowait", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)

		for range 3 {
			expectChild(a.Waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOWAIT), child, cldExited, 3)
		}
		expectExited(a.Wait4(-1, unix.WNOHANG), child, 3)
		Expect(a.Waitid(unix.P_ALL, 0, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG)).To(FailWith(unix.ECHILD))
	})

	Clause("waitid.nowait-stopped", func() {
		a := actor.New()
		child := a.Fork()
		twice := func(option, code int, sig unix.Signal) {
			GinkgoHelper()
			for range 2 {
				expectChild(a.Waitid(unix.P_ALL, 0, option|unix.WNOWAIT), child, code, int(sig))
			}
			expectChild(a.Waitid(unix.P_ALL, 0, option), child, code, int(sig))
			expectNothingToTell(a.Waitid(unix.P_ALL, 0, option|unix.WNOHANG))
		}

		stopChild(a, child, unix.SIGSTOP)
		twice(unix.WSTOPPED, cldStopped, unix.SIGSTOP)
		Must(a.Kill(child.PID(), unix.SIGCONT))
		twice(unix.WCONTINUED, cldContinued, unix.SIGCONT)
	})

	Clause("waitid.uid", func() {
		a := actor.New()
		child := a.Fork()
		uid := FreshUser()
		Must(child.Setresuid(uid, FreshUser(), FreshUser()))
		child.Exit(3)

		wait := a.Waitid(unix.P_ALL, 0, unix.WEXITED)
		Expect(wait).To(Return(0))
		info := wait.Siginfo()
		Expect(info.PID()).To(Equal(child.PID()))
		Expect(info.UID()).To(Equal(uid))
		Expect(info.Code()).To(Equal(cldExited))
		Expect(info.Status()).To(Equal(3))
		Expect(info.Signo()).To(Equal(unix.SIGCHLD))
	})

	Clause("waitid.blocks", func() {
		a, sender := actor.New(), actor.New()
		child := a.Fork()

		wait := a.Begin().Waitid(unix.P_ALL, 0, unix.WEXITED)
		Expect(wait).To(Block())
		stopChild(sender, child, unix.SIGSTOP)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGKILL))
		expectChild(wait, child, cldKilled, int(unix.SIGKILL))
	})

	Clause("waitid.null-info", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)

		Expect(a.Raw(unix.SYS_WAITID, unix.P_ALL, 0, nil, unix.WEXITED, nil)).To(Return(0))
		Expect(a.Wait4(child.PID(), unix.WNOHANG)).To(FailWith(unix.ECHILD))
	})
})

// sameUsage judges two struct rusage that were told of one zombie. When it was looked at first, it may
// have had a last bit of its way to go: some time, and to be switched away from for good.
func sameUsage(first, then []byte) {
	GinkgoHelper()
	const user, system, voluntary, involuntary = 0, 16, 128, 136
	field := func(usage []byte, off int) int64 { return int64(binary.NativeEndian.Uint64(usage[off:])) }
	for off := 32; off < voluntary; off += 8 {
		Expect(field(then, off)).To(Equal(field(first, off)), "what is at %d", off)
	}
	for _, off := range []int{user, system} {
		microseconds := func(usage []byte) int64 { return field(usage, off)*1_000_000 + field(usage, off+8) }
		Expect(microseconds(then)).To(BeNumerically(">=", microseconds(first)))
	}
	Expect(field(then, voluntary) - field(first, voluntary)).To(BeElementOf(int64(0), int64(1)))
	Expect(field(then, involuntary)).To(BeNumerically(">=", field(first, involuntary)))
}

var _ = Describe("The usage that a wait tells", func() {
	Clause("wait.rusage", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)

		wait, byWaitid := a.WaitidRusage(unix.P_PID, child.PID(), unix.WEXITED|unix.WNOWAIT)
		expectChild(wait, child, cldExited, 3)
		again, byWait4 := a.WaitRusage(child.PID(), 0)
		expectExited(again, child, 3)
		sameUsage(byWaitid.Copy(), byWait4.Copy())
		Expect(byWaitid.Copy()).NotTo(Equal(make([]byte, byWaitid.Len())))
	})

	for _, name := range []string{"wait4", "waitid"} {
		Clause("wait.rusage-of-that-child", name, func() {
			// The offsets of some fields in struct rusage, and what they hold together.
			sums := [][]int{{0, 16}, {64}, {128}} // seconds used, minor faults, voluntary switches
			of := func(usage []byte, offsets []int) (sum uint64) {
				for _, off := range offsets {
					sum += binary.NativeEndian.Uint64(usage[off:])
				}
				return sum
			}
			microseconds := func(usage []byte) uint64 { // of processor time
				return 1_000_000*of(usage, []int{0, 16}) + of(usage, []int{8, 24})
			}
			a := actor.New()
			child, idle := a.Fork(), a.Fork()
			Must(child.Repeat(30).Nanosleep(unix.CLOCK_MONOTONIC, 0, 1000))
			own := child.Alloc(144)
			Must(child.Raw(unix.SYS_GETRUSAGE, unix.RUSAGE_SELF, own))
			child.Exit(3)
			idle.Exit(4)

			seen := own.Copy()
			var told, idles []byte
			if name == "wait4" {
				wait, usage := a.WaitRusage(child.PID(), 0)
				expectExited(wait, child, 3)
				other, idleUsage := a.WaitRusage(idle.PID(), 0)
				expectExited(other, idle, 4)
				told, idles = usage.Copy(), idleUsage.Copy()
			} else {
				wait, usage := a.WaitidRusage(unix.P_PID, child.PID(), unix.WEXITED)
				expectChild(wait, child, cldExited, 3)
				other, idleUsage := a.WaitidRusage(unix.P_PID, idle.PID(), unix.WEXITED)
				expectChild(other, idle, cldExited, 4)
				told, idles = usage.Copy(), idleUsage.Copy()
			}
			for _, offsets := range sums {
				Expect(of(told, offsets)).To(BeNumerically(">=", of(seen, offsets)), fmt.Sprint(offsets))
			}
			Expect(told).NotTo(Equal(idles))
			// Both together are the children that the parent has waited for. The usage is taken while they may
			// be at the last steps of their ends.
			children := a.Alloc(144)
			Must(a.Raw(unix.SYS_GETRUSAGE, unix.RUSAGE_CHILDREN, children))
			Expect(microseconds(told) + microseconds(idles)).To(BeNumerically("~", microseconds(children.Copy()), 100_000))
		})
	}
})

var _ = Describe("What waiting refuses", func() {
	ofEachWait("wait.echild-none", func(wait childWait) {
		a := actor.New()
		for _, options := range []int{0, unix.WNOHANG} {
			Expect(wait.begin(a.Caller, -1, options)).To(FailWith(unix.ECHILD))
		}
	})

	ofEachWait("wait.echild-all-told", func(wait childWait) {
		a := actor.New()
		for range 2 {
			child := a.Fork()
			child.Exit(3)
			wait.exited(wait.begin(a.Caller, -1, 0), child, 3)
			Expect(wait.begin(a.Caller, -1, 0)).To(FailWith(unix.ECHILD))
		}
	})

	ofEachWait("wait.echild-not-a-child", func(wait childWait) {
		parent := actor.New()
		a, sibling := parent.Fork(), parent.Fork()
		child := a.Fork()
		grandchild := child.Fork()
		strangers := []int{grandchild.PID(), sibling.PID(), parent.PID(), a.PID(), deadAndReaped(a, false)}

		for _, pid := range strangers {
			for _, options := range []int{0, unix.WNOHANG} {
				Expect(wait.begin(a.Caller, pid, options)).To(FailWith(unix.ECHILD))
			}
		}
		child.Exit(3)
		wait.exited(wait.begin(a.Caller, child.PID(), 0), child, 3)
	})

	ofEachWait("wait.echild-group", func(wait childWait) {
		a := actor.New()
		child := a.Fork()
		_, _, elsewhere := killGroup(actor.New())
		for _, group := range []int{child.PID(), elsewhere} {
			for _, options := range []int{0, unix.WNOHANG} {
				Expect(wait.group(a.Caller, group, options)).To(FailWith(unix.ECHILD))
			}
		}
		child.Exit(3)
		wait.exited(wait.group(a.Caller, a.PID(), 0), child, 3)
	})

	Clause("wait.eagain-pidfd", func() {
		a := actor.New()
		child := a.Fork()
		fd := pidfdOf(a, child, 0)
		flags := Must(a.Fcntl(fd, unix.F_GETFL, 0))
		Must(a.Fcntl(fd, unix.F_SETFL, flags|unix.O_NONBLOCK))

		Expect(a.Waitid(unix.P_PIDFD, fd, unix.WEXITED)).To(FailWith(unix.EAGAIN))
		Must(a.Fcntl(fd, unix.F_SETFL, flags))
		wait := a.Begin().Waitid(unix.P_PIDFD, fd, unix.WEXITED)
		Expect(wait).To(Block())
		child.Exit(3)
		expectChild(wait, child, cldExited, 3)
	})

	ofEachWait("wait.eintr", func(wait childWait) {
		a, sender := killTarget(), actor.New()
		child := a.Fork()

		call := wait.begin(a.Begin(), -1, 0)
		Expect(call).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(call).To(FailWith(unix.EINTR))
		expectKills(a, unix.SIGUSR1)
		child.Exit(3)
		wait.exited(wait.begin(a.Caller, -1, 0), child, 3)
	})

	ofEachWait("wait.restarted", func(wait childWait) {
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		child := a.Fork()

		call := wait.begin(a.Begin(), -1, 0)
		Expect(call).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(call).To(Block())
		child.Exit(3)
		wait.exited(call, child, 3)
	})

	Clause("wait.sigchld-caught", func() {
		a := actor.New()
		a.Handle(unix.SIGCHLD, 0)
		child, other := a.Fork(), a.Fork()

		wait := a.Begin().Wait4(child.PID(), 0)
		Expect(wait).To(Block())
		other.Exit(4)
		Expect(wait).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGCHLD))
		expectExited(a.Wait4(other.PID(), 0), other, 4)
	})

	Clause("wait.einval-options", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)
		for _, options := range []int{unix.WEXITED, unix.WNOWAIT, 0x10, unix.WNOHANG | 0x100, 0x10000000} {
			Expect(a.Wait4(-1, options)).To(FailWith(unix.EINVAL))
		}
		expectExited(a.Wait4(-1, 0), child, 3)
	})

	Clause("waitid.einval-options", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)
		for _, options := range []int{0, unix.WNOHANG, unix.WNOWAIT, unix.WALL, unix.WEXITED | 0x10, unix.WEXITED | 0x10000000} {
			Expect(a.Waitid(unix.P_ALL, 0, options)).To(FailWith(unix.EINVAL))
		}
		expectChild(a.Waitid(unix.P_ALL, 0, unix.WEXITED), child, cldExited, 3)
	})

	Clause("waitpid.esrch-int-min", func() {
		a := actor.New()
		a.Fork()
		for _, options := range []int{0, unix.WNOHANG} {
			Expect(a.Wait4(math.MinInt32, options)).To(FailWith(unix.ESRCH))
		}
	})
})

var _ = Describe("A zombie", func() {
	Clause("zombie.keeps-id", func() {
		a, other := actor.New(), actor.New()
		child := inOwnGroup(a)
		child.Exit(3)

		for range 10 {
			Expect(a.Fork().PID()).NotTo(Equal(child.PID()))
		}
		Expect(other.Getpgid(child.PID())).To(Return(child.PID()))
		Expect(other.Kill(-child.PID(), 0)).To(Return(0))
		reap(a, child)
		Expect(other.Getpgid(child.PID())).To(FailWith(unix.ESRCH))
		Expect(other.Kill(-child.PID(), 0)).To(FailWith(unix.ESRCH))
	})

	Clause("zombie.keeps-status", func() {
		a := actor.New()
		child := a.Fork()
		Must(a.Kill(child.PID(), unix.SIGTERM))
		Expect(child.AwaitGone()).To(BeTrue())
		first, before := a.WaitidRusage(unix.P_PID, child.PID(), unix.WEXITED|unix.WNOWAIT)
		expectChild(first, child, cldKilled, int(unix.SIGTERM))
		for status := range 5 {
			other := a.Fork()
			other.Exit(status)
			expectExited(a.Wait4(other.PID(), 0), other, status)
		}

		wait, after := a.WaitRusage(child.PID(), 0)
		Expect(wait).To(Return(child.PID()))
		Expect(unix.WaitStatus(wait.Int()).Signal()).To(Equal(unix.SIGTERM))
		sameUsage(before.Copy(), after.Copy())
	})

	noZombies := func(id string, prepare func(a *actor.Actor)) {
		for _, wait := range childWaits {
			Clause(id, wait.name, Offset(1), func() {
				a, other := actor.New(), actor.New()
				prepare(a)
				one, last := a.Fork(), a.Fork()

				call := wait.begin(a.Begin(), -1, 0)
				Expect(call).To(Block())
				one.Exit(3)
				Expect(call).To(Block())
				Must(other.Getpid())
				last.Exit(4)
				Expect(call).To(FailWith(unix.ECHILD))
				Expect(wait.begin(a.Caller, one.PID(), unix.WNOHANG)).To(FailWith(unix.ECHILD))
				Expect(one.ReadState()).To(BeEmpty())
				Expect(last.ReadState()).To(BeEmpty())
			})
		}
	}
	noZombies("zombie.ignored-sigchld", func(a *actor.Actor) { a.Ignore(unix.SIGCHLD) })
	noZombies("zombie.nocldwait", func(a *actor.Actor) { a.Handle(unix.SIGCHLD, actor.SA_NOCLDWAIT|actor.SA_RESTART) })

	Clause("zombie.default-sigchld", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)
		Expect(child.ReadState()).To(Equal("Z"))
		expectExited(a.Wait4(-1, 0), child, 3)
	})

	Clause("zombie.default-after-ignored", func() {
		a := actor.New()
		a.Ignore(unix.SIGCHLD)
		child := a.Fork()
		a.Default(unix.SIGCHLD)
		child.Exit(3)
		Expect(child.ReadState()).To(Equal("Z"))
		expectExited(a.Wait4(-1, 0), child, 3)
	})

	Clause("zombie.adopted-by-init", func() {
		first, parent := pidNamespace(actor.New())
		child := parent.Fork()
		pid := Must(child.Getpid())
		child.Exit(6)
		Expect(first.Wait4(pid, unix.WNOHANG)).To(FailWith(unix.ECHILD))
		parent.Exit(0)

		wait := first.Wait4(pid, 0)
		Expect(wait).To(Return(pid))
		Expect(unix.WaitStatus(wait.Int()).ExitStatus()).To(Equal(6))
	})

	Clause("zombie.adopted-by-subreaper", func() {
		a := actor.New()
		Must(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1))
		parent := a.Fork()
		child := parent.Fork()
		child.Exit(6)
		Expect(a.Wait4(child.PID(), unix.WNOHANG)).To(FailWith(unix.ECHILD))
		parent.Exit(0)

		expectExited(a.Wait4(child.PID(), 0), child, 6)
	})
})

var _ = Describe("Waiting among threads", func() {
	ofEachWait("wait.other-threads-child", func(wait childWait) {
		first := actor.New()
		second := first.Thread()
		for i, parent := range []*actor.Actor{first, second} {
			child := parent.Fork()
			child.Exit(3)
			waiter := []*actor.Actor{second, first}[i]
			wait.exited(wait.begin(waiter.Caller, child.PID(), 0), child, 3)
		}
	})

	Clause("wait.other-threads-child-wakes", func() {
		first := actor.New()
		second := first.Thread()
		first.Fork()

		wait := second.Begin().Wait4(-1, 0)
		Expect(wait).To(Block())
		child := first.Fork()
		child.Exit(3)
		expectExited(wait, child, 3)
	})

	ofEachWait("wait.nothread", func(wait childWait) {
		first := actor.New()
		second := first.Thread()
		child, own := first.Fork(), second.Fork()
		child.Exit(3)
		own.Exit(4)

		Expect(wait.begin(second.Caller, child.PID(), unix.WNOTHREAD)).To(FailWith(unix.ECHILD))
		wait.exited(wait.begin(second.Caller, -1, unix.WNOTHREAD), own, 4)
		Expect(wait.begin(second.Caller, -1, unix.WNOTHREAD)).To(FailWith(unix.ECHILD))
		wait.exited(wait.begin(first.Caller, -1, unix.WNOTHREAD), child, 3)
	})
})

var _ = Describe("Waiting for clone children", func() {
	// cloneParent makes a process that can bear the exit signal of its children, one of which has none
	// and the other SIGUSR1.
	cloneChildren := func() (parent *actor.Actor, children []*actor.Actor) {
		parent = actor.New()
		parent.Handle(unix.SIGUSR1, actor.SA_RESTART)
		return parent, []*actor.Actor{parent.Clone(0), parent.Clone(uint64(unix.SIGUSR1))}
	}

	ofEachWait("wait.clone-child-not-without-flag", func(wait childWait) {
		a, children := cloneChildren()
		for _, child := range children {
			child.Exit(3)
			for _, pid := range []int{-1, child.PID()} {
				Expect(wait.begin(a.Caller, pid, 0)).To(FailWith(unix.ECHILD))
			}
			Expect(child.ReadState()).To(Equal("Z"))
		}
	})

	ofEachWait("wait.wclone", func(wait childWait) {
		a, children := cloneChildren()
		for _, child := range children {
			call := wait.begin(a.Begin(), -1, unix.WCLONE)
			Expect(call).To(Block())
			child.Exit(3)
			wait.exited(call, child, 3)
		}
	})

	ofEachWait("wait.wclone-only", func(wait childWait) {
		a := actor.New()
		child := a.Fork()
		child.Exit(3)
		for _, pid := range []int{-1, child.PID()} {
			Expect(wait.begin(a.Caller, pid, unix.WCLONE)).To(FailWith(unix.ECHILD))
		}
		wait.exited(wait.begin(a.Caller, -1, 0), child, 3)
	})

	for _, options := range []int{unix.WALL, unix.WALL | unix.WCLONE} {
		for _, wait := range childWaits {
			Clause("wait.wall", fmt.Sprintf("%s, %#x", wait.name, options), func() {
				a, children := cloneChildren()
				for _, child := range append(children, a.Fork()) {
					call := wait.begin(a.Begin(), -1, options)
					Expect(call).To(Block())
					child.Exit(3)
					wait.exited(call, child, 3)
				}
			})
		}
	}

	ofEachWait("wait.wall-implied-by-ptrace", func(wait childWait) {
		a, children := cloneChildren()
		for _, child := range children {
			Expect(wait.begin(a.Caller, child.PID(), unix.WNOHANG)).To(FailWith(unix.ECHILD))
			trace(a, child)
			call := wait.begin(a.Begin(), child.PID(), 0)
			Expect(call).To(Block())
			child.Exit(3)
			wait.exited(call, child, 3)
		}
	})
})
