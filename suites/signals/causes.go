package signals

import (
	"encoding/binary"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A terminalSession has a controlling terminal, whose other end another process holds.
type terminalSession struct {
	leader *actor.Actor // leads the session, and the foreground process group at first
	tty    int          // the leader's and its children's descriptor of the terminal
	user   *actor.Actor // sits at the terminal
	master int          // the user's descriptor of its other end
}

func newSession() terminalSession {
	const dialUp = unix.O_RDWR | unix.O_NOCTTY
	s := terminalSession{leader: actor.New(), user: actor.New()}
	s.master = Must(s.user.Open("/dev/ptmx", dialUp, 0))
	Must(s.user.Ioctl(s.master, unix.TIOCSPTLCK, s.user.Alloc(4)))
	number := s.user.Alloc(4)
	Must(s.user.Ioctl(s.master, unix.TIOCGPTN, number))
	s.tty = Must(s.leader.Open(fmt.Sprintf("/dev/pts/%d", number.Uint32(0)), dialUp, 0))
	Must(s.leader.Ioctl(s.tty, unix.TIOCSCTTY, 0))
	return s
}

// foreground has a process group be the terminal's.
func (s terminalSession) foreground(by *actor.Actor, group int) *actor.Call {
	return by.Ioctl(s.tty, unix.TIOCSPGRP, binary.NativeEndian.AppendUint32(nil, uint32(group)))
}

// job forks a child of the leader's that leads a process group of its own.
func (s terminalSession) job() *actor.Actor {
	child := s.leader.Fork()
	Must(child.Setpgid(0, 0))
	return child
}

// setLocalMode sets or clears a flag of the terminal's local modes.
func (s terminalSession) setLocalMode(flag uint32, on bool) {
	const localModes = 12 // in struct termios
	modes := s.leader.Alloc(64)
	Must(s.leader.Ioctl(s.tty, unix.TCGETS, modes))
	v := modes.Uint32(localModes) &^ flag
	if on {
		v |= flag
	}
	modes.PutUint32(localModes, v)
	Must(s.leader.Ioctl(s.tty, unix.TCSETS, modes))
}

var _ = Describe("A signal of the terminal's", func() {
	for _, key := range []struct {
		sig unix.Signal
		key byte
	}{{unix.SIGINT, 'C' & 0x1f}, {unix.SIGQUIT, '\\' & 0x1f}, {unix.SIGTSTP, 'Z' & 0x1f}} {
		Clause("signal."+lowName(key.sig)+"-from-keyboard", func() {
			s := newSession()
			job := s.job()
			member := job.Fork()
			for _, a := range []*actor.Actor{s.leader, job, member} {
				a.Handle(key.sig, 0)
			}
			Must(s.foreground(s.leader, job.PID()))

			Expect(s.user.Write(s.master, []byte{key.key})).To(Return(1))
			for _, a := range []*actor.Actor{job, member} {
				Expect(a).To(Catch(key.sig))
				Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
			}
			Expect(settledSignals(s.leader)).To(BeEmpty())
		})
	}

	Clause("signal.sighup-on-hangup", func() {
		s := newSession()
		job := s.job()
		s.leader.Handle(unix.SIGHUP, 0)
		job.Handle(unix.SIGHUP, 0)

		Expect(s.user.Close(s.master)).To(Return(0))
		Expect(s.leader).To(Catch(unix.SIGHUP))
		Expect(s.leader.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		Expect(s.leader.Read(s.tty, 1)).To(Return(0))
	})

	Clause("signal.sighup-at-death-of-leader", func() {
		s := newSession()
		job := s.job()
		background := s.job()
		job.Handle(unix.SIGHUP, 0)
		background.Handle(unix.SIGHUP, 0)
		Must(s.foreground(s.leader, job.PID()))

		Expect(s.user.Kill(s.leader.PID(), unix.SIGKILL)).To(Return(0))
		Expect(job).To(Catch(unix.SIGHUP))
		Expect(job.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		Expect(s.leader.AwaitGone()).To(BeTrue())
		Expect(settledSignals(background)).To(BeEmpty())
	})

	Clause("signal.sighup-terminates-session", func() {
		s := newSession()

		Expect(s.user.Close(s.master)).To(Return(0))
		Expect(s.leader).To(BeKilledBy(unix.SIGHUP))
	})

	Clause("signal.sigttin-from-read", func() {
		s := newSession()
		job := s.job()
		Must(s.user.Write(s.master, []byte("x\n")))

		read := job.Begin().Read(s.tty, 10)
		Expect(waitStatus(s.leader, job, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGTTIN)))
		Must(s.foreground(s.leader, job.PID()))
		Must(s.user.Kill(job.PID(), unix.SIGCONT))
		Expect(read).To(ReturnData("x\n"))
	})

	Clause("signal.sigttin-whole-group", func() {
		s := newSession()
		job := s.job()
		member := job.Fork()
		job.Handle(unix.SIGTTIN, 0)
		member.Handle(unix.SIGTTIN, 0)
		Must(s.user.Write(s.master, []byte("x\n")))

		Expect(job.Read(s.tty, 10)).To(FailWith(unix.EINTR))
		for _, a := range []*actor.Actor{job, member} {
			Expect(a).To(Catch(unix.SIGTTIN))
			Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		}
		Expect(s.leader.Read(s.tty, 10)).To(ReturnData("x\n"))
	})

	Clause("signal.no-sigttin-in-foreground", func() {
		s := newSession()
		s.leader.Handle(unix.SIGTTIN, 0)
		Must(s.user.Write(s.master, []byte("x\n")))

		Expect(s.leader.Read(s.tty, 10)).To(ReturnData("x\n"))
		Expect(settledSignals(s.leader)).To(BeEmpty())
	})

	Clause("signal.sigttou-from-write", func() {
		s := newSession()
		s.setLocalMode(unix.TOSTOP, true)
		job := s.job()

		write := job.Begin().Write(s.tty, aMoment)
		Expect(waitStatus(s.leader, job, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGTTOU)))
		Must(s.foreground(s.leader, job.PID()))
		Must(s.user.Kill(job.PID(), unix.SIGCONT))
		Expect(write).To(Return(1))
		Expect(s.user.Read(s.master, 10)).To(ReturnData(aMoment))
	})

	Clause("signal.no-sigttou-without-tostop", func() {
		s := newSession()
		s.setLocalMode(unix.TOSTOP, false)
		job := s.job()
		job.Handle(unix.SIGTTOU, 0)

		Expect(job.Write(s.tty, aMoment)).To(Return(1))
		Expect(s.user.Read(s.master, 10)).To(ReturnData(aMoment))
		Expect(settledSignals(job)).To(BeEmpty())
	})

	Clause("signal.sigttou-from-tcsetpgrp", func() {
		s := newSession()
		job := s.job()

		set := job.Begin().Ioctl(s.tty, unix.TIOCSPGRP, binary.NativeEndian.AppendUint32(nil, uint32(job.PID())))
		Expect(waitStatus(s.leader, job, unix.WUNTRACED)).To(Equal(stoppedBy(unix.SIGTTOU)))
		Expect(foregroundGroup(s.leader, s.tty)).To(Equal(s.leader.PID()))
		Must(s.foreground(s.leader, job.PID()))
		Must(s.user.Kill(job.PID(), unix.SIGCONT))
		Expect(set).To(Return(0))
		Expect(foregroundGroup(s.leader, s.tty)).To(Equal(job.PID()))
	})

	// An ioctl that is interrupted because the process may not make it now.
	Clause("signal.restart-ioctl", func() {
		s := newSession()
		job := s.job()
		job.HandleAndPark(unix.SIGTTOU, actor.SA_RESTART)

		set := job.Begin().Ioctl(s.tty, unix.TIOCSPGRP, binary.NativeEndian.AppendUint32(nil, uint32(job.PID())))
		job.AwaitPark(1)
		// It is tried again when the handler returns, and may be made then.
		Must(s.foreground(s.leader, job.PID()))
		job.ReturnFromHandler()
		Expect(set).To(Return(0))
		Expect(job).To(Catch(unix.SIGTTOU))
		Expect(job.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
	})

	Clause("signal.eintr-ioctl", func() {
		s := newSession()
		job := s.job()
		job.Handle(unix.SIGTTOU, 0)

		Expect(s.foreground(job, job.PID())).To(FailWith(unix.EINTR))
		Expect(job).To(Catch(unix.SIGTTOU))
		Expect(job.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		Expect(foregroundGroup(s.leader, s.tty)).To(Equal(s.leader.PID()))
	})

	Clause("signal.sigttou-ignored-allows", "ignored", func() {
		s := newSession()
		job := s.job()
		job.Ignore(unix.SIGTTOU)

		Expect(s.foreground(job, job.PID())).To(Return(0))
		Expect(foregroundGroup(s.leader, s.tty)).To(Equal(job.PID()))
	})

	Clause("signal.sigttou-ignored-allows", "blocked", func() {
		s := newSession()
		job := s.job()
		job.SetMask(unix.SIGTTOU)

		Expect(s.foreground(job, job.PID())).To(Return(0))
		Expect(foregroundGroup(s.leader, s.tty)).To(Equal(job.PID()))
		Expect(job.PendingSignals()).To(BeZero())
	})

	Clause("signal.sigwinch-on-resize", func() {
		s := newSession()
		s.leader.Handle(unix.SIGWINCH, 0)
		size := []byte{25, 0, 80, 0, 0, 0, 0, 0} // struct winsize: ws_row, ws_col

		Expect(s.user.Ioctl(s.master, unix.TIOCSWINSZ, size)).To(Return(0))
		Expect(s.leader).To(Catch(unix.SIGWINCH))
		Expect(s.leader.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		// The same size again is no change.
		Expect(s.user.Ioctl(s.master, unix.TIOCSWINSZ, size)).To(Return(0))
		Expect(settledSignals(s.leader)).To(HaveLen(1))
	})
})

// foregroundGroup returns the terminal's foreground process group.
func foregroundGroup(a *actor.Actor, tty int) int {
	GinkgoHelper()
	group := a.Alloc(4)
	Must(a.Ioctl(tty, unix.TIOCGPGRP, group))
	return int(group.Uint32(0))
}

var _ = Describe("A signal of the kernel's", func() {
	Clause("signal.sigalrm-from-timer", func() {
		a := actor.New()
		a.Handle(unix.SIGALRM, 0)

		setTimer(a, unix.ITIMER_REAL)
		Expect(a).To(Catch(unix.SIGALRM))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
	})

	for _, timer := range []struct {
		sig   unix.Signal
		which int
	}{{unix.SIGVTALRM, unix.ITIMER_VIRTUAL}, {unix.SIGPROF, unix.ITIMER_PROF}} {
		Clause("signal."+lowName(timer.sig)+"-from-timer", func() {
			a := actor.New()
			a.Handle(timer.sig, 0)

			setTimer(a, timer.which)
			// Only time that the process spends counts: as long as it takes.
			a.Begin().Repeat(1 << 40).Getpid()
			Expect(a).To(Catch(timer.sig))
			Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
		})
	}

	Clause("signal.sigio-from-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other := a.Fork()
		a.Handle(unix.SIGIO, 0)
		Expect(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))

		Expect(other.Write(w, aMoment)).To(Return(1))
		Expect(a).To(Catch(unix.SIGIO))
		Expect(a.Events()[0].Info.Code()).To(Equal(actor.SI_KERNEL))
	})

	Clause("signal.sigpipe-from-write", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))
		a.Handle(unix.SIGPIPE, 0)

		Expect(a.Write(w, aMoment)).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
		Expect(a.Fork().Write(w, aMoment)).To(FailWith(unix.EPIPE))
	})

	Clause("signal.sigurg-from-socket", func() {
		a := actor.New()
		here, there := a.TCP()
		a.Handle(unix.SIGURG, 0)
		Expect(a.Fcntl(here, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))

		Expect(a.Raw(unix.SYS_SENDTO, there, aMoment, 1, 0, nil, 0)).To(Return(1))
		Must(a.Read(here, 1))
		Expect(settledSignals(a)).To(BeEmpty()) // it is not urgent
		Expect(a.Raw(unix.SYS_SENDTO, there, aMoment, 1, unix.MSG_OOB, nil, 0)).To(Return(1))
		Expect(a).To(Catch(unix.SIGURG))
	})

	Clause("signal.sigxfsz-from-write", func() {
		a := actor.New()
		file := Must(a.Open(actor.TempDir()+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		a.Handle(unix.SIGXFSZ, 0)
		a.SetRlimit(unix.RLIMIT_FSIZE, 1)

		Expect(a.Write(file, aMoment)).To(Return(1))
		Expect(settledSignals(a)).To(BeEmpty())
		Expect(a.Write(file, aMoment)).To(FailWith(unix.EFBIG))
		Expect(a).To(Catch(unix.SIGXFSZ))
	})

	Clause("signal.sigxcpu-from-limit", func() {
		a := actor.New()
		a.Handle(unix.SIGXCPU, 0)
		start, below := cpuTime(a, unix.CLOCK_PROCESS_CPUTIME_ID), true
		burnUntil(a, func() bool {
			if below && cpuTime(a, unix.CLOCK_PROCESS_CPUTIME_ID)-start > 8*millisecond {
				Expect(settledSignals(a)).To(BeEmpty())
				_, hard := a.Rlimit(unix.RLIMIT_CPU)
				none := binary.NativeEndian.AppendUint64(make([]byte, 8), hard) // of which it has used up more already
				Expect(a.Raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CPU, none, nil)).To(Return(0))
				below = false
			}
			return len(a.Events()) > 0
		})
		Expect(a).To(Catch(unix.SIGXCPU))
	})

	Clause("signal.sigsys-from-seccomp", func() {
		a := actor.New()
		a.Handle(unix.SIGSYS, 0)
		filterCall(a, unix.SYS_GETPGID, unix.SECCOMP_RET_TRAP)

		Must(a.Getpid())
		Expect(settledSignals(a)).To(BeEmpty())
		a.Getpgid(0)
		Expect(a).To(Catch(unix.SIGSYS))
		Expect(a.Events()[0].Info.Code()).To(Equal(sysSeccomp))
	})

	for _, cause := range []struct {
		name   string
		what   func(parent, child *actor.Actor)
		status int // si_code of the signal
	}{
		{"terminated", func(_, child *actor.Actor) { child.Exit(1) }, 1},
		{"killed", func(parent, child *actor.Actor) { Must(parent.Kill(child.PID(), unix.SIGKILL)) }, 2},
		{"stopped", func(parent, child *actor.Actor) { Must(parent.Kill(child.PID(), unix.SIGSTOP)) }, 5},
		{"continued", func(parent, child *actor.Actor) {
			Must(parent.Kill(child.PID(), unix.SIGSTOP))
			Expect(child.AwaitStopped()).To(BeTrue())
			parent.AwaitEvents(1)
			Must(parent.Kill(child.PID(), unix.SIGCONT))
		}, 6},
	} {
		Clause("signal.sigchld-from-child", cause.name, func() {
			parent := actor.New()
			parent.Handle(unix.SIGCHLD, 0)
			child := parent.Fork()

			cause.what(parent, child)
			n := 1
			if cause.name == "continued" {
				n = 2
			}
			last := parent.AwaitEvents(n)[n-1]
			Expect(last.Signal).To(Equal(unix.SIGCHLD))
			Expect(last.Info.Code()).To(Equal(cause.status))
			Expect(last.Info.PID()).To(Equal(child.PID()))
			Expect(parent.Events()).To(HaveLen(n))
			Expect(parent.Events()[0].Signal).To(Equal(unix.SIGCHLD))
		})
	}
})

// setTimer sets an interval timer, which was not set, to expire once, soon.
func setTimer(a *actor.Actor, which int) {
	GinkgoHelper()
	set := a.Setitimer(which, actor.Itimer{Value: 1e6})
	Expect(set).To(Return(0))
	Expect(set.Itimerval()).To(Equal(actor.Itimer{}))
}

var _ = Describe("A signal of the processor's", func() {
	for _, fault := range []struct {
		sig   unix.Signal
		code  int // si_code
		cause func(a *actor.Actor) *actor.Call
	}{
		{unix.SIGILL, 2, func(a *actor.Actor) *actor.Call { return a.Trap(actor.TrapIllegal) }},
		{unix.SIGTRAP, actor.SI_KERNEL, func(a *actor.Actor) *actor.Call { return a.Trap(actor.TrapBreakpoint) }},
		{unix.SIGFPE, 1, func(a *actor.Actor) *actor.Call { return a.Trap(actor.TrapDivide) }},
		{unix.SIGSEGV, 1, func(a *actor.Actor) *actor.Call { return a.Load(a.Unmapped(), 1) }},
		{unix.SIGBUS, 2, func(a *actor.Actor) *actor.Call { return a.Load(behindFile(a), 1) }},
	} {
		Clause("signal."+lowName(fault.sig)+"-from-instruction", func() {
			a := actor.New()
			Expect(a.Sigaction(fault.sig, actor.SA_SIGINFO, 0)).To(Return(0))

			fault.cause(a)
			Expect(a).To(Catch(fault.sig))
			event := a.Events()[0]
			Expect(event.Info.Code()).To(Equal(fault.code))
			Expect(event.InCall).To(BeFalse())
		})

		Clause("signal.fault-kills", actor.SignalName(fault.sig), func() {
			parent := actor.New()
			child := parent.Fork()
			keepCoresAway(child)

			fault.cause(child)
			Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(fault.sig)))
		})

		Clause("signal.fault-kills-when-blocked", actor.SignalName(fault.sig), func() {
			a := actor.New()
			keepCoresAway(a)
			a.Handle(fault.sig, 0)
			Expect(a.Sigprocmask(unix.SIG_SETMASK, actor.Mask(fault.sig))).To(Return(0))

			Expect(fault.cause(a)).To(BeKilledBy(fault.sig))
			Expect(a.Events()).To(BeEmpty())
		})

		Clause("signal.fault-is-threads-own", actor.SignalName(fault.sig), func() {
			a := actor.New()
			other := a.Thread()
			a.Handle(fault.sig, 0)

			fault.cause(other)
			Expect(other).To(Catch(fault.sig))
			Expect(settledSignals(a)).To(BeEmpty())
		})
	}
})

// behindFile maps a page of an empty file.
func behindFile(a *actor.Actor) actor.Mem {
	const page = 4096
	file := Must(a.MemfdCreate("empty", 0))
	return actor.Mem{Addr: uint64(Must(a.Mmap(0, page, unix.PROT_READ, unix.MAP_SHARED, file, 0)))}
}
