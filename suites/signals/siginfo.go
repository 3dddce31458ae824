package signals

import (
	"encoding/binary"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// Values of si_code for SIGIO and SIGSYS.
const (
	pollIn          = 1
	pollOut         = 2
	pollMsg         = 3
	pollErr         = 4
	pollPri         = 5
	pollHup         = 6
	sysSeccomp      = 1
	sysUserDispatch = 2
)

// expectOne returns the only signal that an actor has caught, when it has come out of a system call.
func expectOne(a *actor.Actor, sig unix.Signal, code int) actor.Siginfo {
	GinkgoHelper()
	a.AwaitEvents(1)
	Must(a.Getpid())
	Expect(a).To(Catch(sig))
	info := a.Events()[0].Info
	Expect(info.Code()).To(Equal(code), "si_code")
	return info
}

// expectSender checks who has sent a signal.
func expectSender(info actor.Siginfo, sender *actor.Actor) {
	GinkgoHelper()
	Expect(info.PID()).To(Equal(sender.PID()), "si_pid")
	Expect(info.UID()).To(Equal(Must(sender.Getuid())), "si_uid")
}

var _ = Describe("The siginfo of a signal that somebody sent", func() {
	const usr1, usr2 = unix.SIGUSR1, unix.SIGUSR2

	for _, sig := range []unix.Signal{usr1, rtSignal, unix.SIGSEGV, unix.SIGCHLD} {
		Clause("siginfo.kill", actor.SignalName(sig), func() {
			a, sender := actor.New(), actor.New()
			catchFault(a, sig)

			Expect(sender.Kill(a.PID(), sig)).To(Return(0))
			expectSender(expectOne(a, sig, actor.SI_USER), sender)
		})
	}

	Clause("siginfo.kill-real-uid", func() {
		a, sender := actor.New(), actor.New()
		catchFault(a, usr1)
		real := FreshUser()
		Must(sender.Setresuid(real, -1, -1))

		Expect(sender.Kill(a.PID(), usr1)).To(Return(0))
		info := expectOne(a, usr1, actor.SI_USER)
		Expect(info.PID()).To(Equal(sender.PID()))
		Expect(info.UID()).To(Equal(real))
	})

	Clause("siginfo.tkill", "tgkill", func() {
		a, sender := actor.New(), actor.New()
		catchFault(a, usr1)

		Expect(sender.Tgkill(a.PID(), a.TID(), usr1)).To(Return(0))
		expectSender(expectOne(a, usr1, actor.SI_TKILL), sender)
	})

	Clause("siginfo.tkill", "tkill", func() {
		a, sender := actor.New(), actor.New()
		catchFault(a, usr1)

		Expect(sender.Tkill(a.TID(), usr1)).To(Return(0))
		expectSender(expectOne(a, usr1, actor.SI_TKILL), sender)
	})

	for _, sig := range []unix.Signal{usr1, rtSignal} {
		Clause("siginfo.sigqueue", actor.SignalName(sig), func() {
			const value = 0x123456789abcdef0
			a, sender := actor.New(), actor.New()
			catchFault(a, sig)

			Expect(sender.Sigqueue(a.PID(), sig, value)).To(Return(0))
			info := expectOne(a, sig, actor.SI_QUEUE)
			expectSender(info, sender)
			Expect(info.Value()).To(Equal(uint64(value)))
			Expect(info.Status()).To(Equal(int(uint32(value&0xffffffff))-1<<32), "si_int is the pointer's lower half")
		})
	}

	Clause("siginfo.no-errno", func() {
		a, sender := actor.New(), actor.New()
		for _, sig := range []unix.Signal{usr1, usr2, rtSignal} {
			catchFault(a, sig)
		}

		Expect(sender.Kill(a.PID(), usr1)).To(Return(0))
		a.AwaitEvents(1)
		Expect(sender.Tgkill(a.PID(), a.TID(), usr2)).To(Return(0))
		a.AwaitEvents(2)
		Expect(sender.Sigqueue(a.PID(), rtSignal, 1)).To(Return(0))
		Expect(a).To(Catch(usr1, usr2, rtSignal))
		for _, e := range a.Events() {
			Expect(e.Info.Errno()).To(BeZero())
			expectSender(e.Info, sender)
		}
	})

	Clause("siginfo.code-is-a-value", func() {
		a, sender := actor.New(), actor.New()
		catchFault(a, usr1)

		Expect(sender.Kill(a.PID(), usr1)).To(Return(0))
		Expect(a.NextEvent().Info.Code()).To(Equal(actor.SI_USER))
		Expect(sender.Tgkill(a.PID(), a.TID(), usr1)).To(Return(0))
		Expect(a.NextEvent().Info.Code()).To(Equal(actor.SI_TKILL))
		Expect(sender.Sigqueue(a.PID(), usr1, 7)).To(Return(0))
		Expect(a.NextEvent().Info.Code()).To(Equal(actor.SI_QUEUE))
		expectQueuedLast(a, 3)
		Expect(a).To(Catch(usr1, usr1, usr1))
	})

	Clause("siginfo.sigpipe", func() {
		a := actor.New()
		catchFault(a, unix.SIGPIPE)
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
		Expect(a.Events()[0].Info.Errno()).To(BeZero())
		Expect(a.Events()[0].InCall).To(BeTrue())
	})

	Clause("siginfo.mq-notify", func() {
		const value = 0x123456789abcdef0
		a := actor.New()
		catchFault(a, usr1)
		sender := a.Fork()
		queue := Must(a.Raw(unix.SYS_MQ_OPEN, "queue", unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK, 0o600, nil))
		event := a.Alloc(64) // struct sigevent
		event.PutUint64(0, value)
		event.PutUint32(8, uint32(usr1))
		event.PutUint32(12, actor.SIGEV_SIGNAL)
		Expect(a.Raw(unix.SYS_MQ_NOTIFY, queue, event)).To(Return(0))

		same := Must(sender.Raw(unix.SYS_MQ_OPEN, "queue", unix.O_RDWR, 0, nil))
		Expect(sender.Raw(unix.SYS_MQ_TIMEDSEND, same, "message", 7, 0, nil)).To(Return(0))
		info := expectOne(a, usr1, actor.SI_MESGQ)
		expectSender(info, sender)
		Expect(info.Value()).To(Equal(uint64(value)))
		buffer := a.Alloc(8192)
		Expect(a.Raw(unix.SYS_MQ_TIMEDRECEIVE, queue, buffer, 8192, nil, nil)).To(Return(7))
		Expect(string(buffer.Sub(0, 7).Copy())).To(Equal("message"))
		Expect(a.Raw(unix.SYS_MQ_TIMEDRECEIVE, queue, buffer, 8192, nil, nil)).To(FailWith(unix.EAGAIN))
	})
})

// expectQueuedLast checks the value of the last of so many signals.
func expectQueuedLast(a *actor.Actor, n int) {
	GinkgoHelper()
	events := a.Events()
	Expect(events).To(HaveLen(n))
	Expect(events[n-1].Info.Value()).To(BeEquivalentTo(7))
}

var _ = Describe("The siginfo of a timer's signal", func() {
	const usr1 = unix.SIGUSR1

	for _, value := range []uint64{0, 0x123456789abcdef0} {
		name := "default value"
		if value != 0 {
			name = "value"
		}
		Clause("siginfo.timer", name, func() {
			a := actor.New()
			catchFault(a, usr1)
			other := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Signo: unix.SIGUSR2, Notify: actor.SIGEV_SIGNAL})
			Expect(other).To(Return(0))
			create := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Signo: usr1, Notify: actor.SIGEV_SIGNAL, Value: value})
			Expect(create).To(Return(0))
			Expect(create.Int()).NotTo(Equal(other.Int()))

			Expect(a.TimerSettime(create.Int(), 0, actor.Itimer{Value: 1e6})).To(Return(0))
			info := expectOne(a, usr1, actor.SI_TIMER)
			Expect(info.Errno()).To(BeZero())
			Expect(info.Overrun()).To(BeZero())
			Expect(info.TimerID()).To(Equal(create.Int()))
			Expect(info.Value()).To(Equal(value))
			Expect(a.TimerGettime(create.Int()).Itimerspec()).To(Equal(actor.Itimer{}))
		})
	}

	Clause("siginfo.timer-overrun", func() {
		a := actor.New()
		a.Park(usr1, true)
		catchFault(a, usr1)
		a.SetMask(usr1)
		create := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Signo: usr1, Notify: actor.SIGEV_SIGNAL})
		Expect(create).To(Return(0))
		Expect(a.TimerSettime(create.Int(), 0, actor.Itimer{Interval: 1e6, Value: 1e6})).To(Return(0))
		Must(a.Nanosleep(unix.CLOCK_MONOTONIC, 0, 5e6))

		unblock := a.Begin().Sigprocmask(unix.SIG_SETMASK, uint64(0))
		info := a.AwaitPark(1).Info
		// While the handler blocks the signal no other is delivered, so that the count stays.
		overrun := a.TimerGetoverrun(create.Int())
		Expect(overrun).To(ReturnSuccess())
		Expect(info.Overrun()).To(Equal(overrun.Value()))
		Expect(info.Overrun()).To(BeNumerically(">=", 3))
		Expect(info.Code()).To(Equal(actor.SI_TIMER))
		Expect(a).To(Catch(usr1))
		Must(a.TimerDelete(create.Int()))
		a.Park(usr1, false) // one more may be pending, and it is open what becomes of that
		a.ReturnFromHandler()
		Expect(unblock).To(Return(0))
	})

	for _, c := range []struct {
		which int
		name  string
		sig   unix.Signal
	}{{unix.ITIMER_REAL, "ITIMER_REAL", unix.SIGALRM}, {unix.ITIMER_PROF, "ITIMER_PROF", unix.SIGPROF}} {
		Clause("siginfo.setitimer", c.name, func() {
			a := actor.New()
			catchFault(a, c.sig)

			Expect(a.Setitimer(c.which, actor.Itimer{Value: 1e6})).To(Return(0))
			for c.which == unix.ITIMER_PROF && len(a.Events()) == 0 {
				Must(a.Repeat(1000).Getpid()) // which takes processor time
			}
			info := expectOne(a, c.sig, actor.SI_KERNEL)
			Expect(info.Errno()).To(BeZero())
			Expect(a.Getitimer(c.which).Itimerval()).To(Equal(actor.Itimer{}))
		})
	}
})

var _ = Describe("The siginfo of SIGCHLD", func() {
	child := func(act func(parent, child *actor.Actor) (code, status int)) {
		GinkgoHelper()
		parent := actor.New()
		catchFault(parent, unix.SIGCHLD)
		c := childOf(parent)
		code, status := act(parent, c)
		expectSIGCHLD(parent, c, code, status)
		Expect(parent.Events()).To(HaveLen(1))
		Expect(parent.Events()[0].Info.Errno()).To(BeZero())
	}

	for _, code := range []int{0, 3, 255} {
		Clause("siginfo.child-exited", string(rune('0'+code%10)), func() {
			child(func(_, c *actor.Actor) (int, int) {
				c.Exit(code)
				return cldExited, code
			})
		})
	}

	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, rtSignal} {
		Clause("siginfo.child-killed", actor.SignalName(sig), func() {
			child(func(parent, c *actor.Actor) (int, int) {
				Expect(parent.Kill(c.PID(), sig)).To(Return(0))
				return cldKilled, int(sig)
			})
		})
	}

	Clause("siginfo.child-dumped", func() {
		pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
		Presuppose(err == nil && !strings.ContainsAny(string(pattern), "|/"), "core files in the working directory: a kernel.core_pattern that names neither a program nor a folder")
		dir := actor.TempDir()
		child(func(parent, c *actor.Actor) (int, int) {
			Must(c.Chdir(dir))
			c.WriteFile("/proc/self/coredump_filter", "0") // nothing of the large memory that actors share
			c.SetRlimit(unix.RLIMIT_CORE, 1<<30)
			Expect(parent.Kill(c.PID(), unix.SIGABRT)).To(Return(0))
			return cldDumped, int(unix.SIGABRT)
		})
	})

	Clause("siginfo.child-not-dumped", func() {
		child(func(parent, c *actor.Actor) (int, int) {
			c.SetRlimit(unix.RLIMIT_CORE, 0)
			Expect(parent.Kill(c.PID(), unix.SIGABRT)).To(Return(0))
			return cldKilled, int(unix.SIGABRT)
		})
	})

	for _, sig := range childStops {
		Clause("siginfo.child-stopped", actor.SignalName(sig), func() {
			child(func(parent, c *actor.Actor) (int, int) {
				Expect(parent.Kill(c.PID(), sig)).To(Return(0))
				return cldStopped, int(sig)
			})
		})
	}

	Clause("siginfo.child-continued", func() {
		parent := actor.New()
		catchFault(parent, unix.SIGCHLD)
		c := parent.Fork()
		Expect(parent.Kill(c.PID(), unix.SIGSTOP)).To(Return(0))
		expectSIGCHLD(parent, c, cldStopped, int(unix.SIGSTOP))

		Expect(parent.Kill(c.PID(), unix.SIGCONT)).To(Return(0))
		expectSIGCHLD(parent, c, cldContinued, int(unix.SIGCONT))
		Expect(parent.Events()).To(HaveLen(2))
	})

	Clause("siginfo.child-trapped", func() {
		parent := actor.New()
		catchFault(parent, unix.SIGCHLD)
		c := parent.Fork()
		Expect(c.Raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, nil, nil)).To(Return(0))

		call := c.Begin().Kill(c.PID(), unix.SIGUSR1)
		expectSIGCHLD(parent, c, cldTrapped, int(unix.SIGUSR1))
		Expect(parent.Events()).To(HaveLen(1))
		Must(parent.Wait4(c.PID(), 0))
		Expect(parent.Raw(unix.SYS_PTRACE, unix.PTRACE_CONT, c.PID(), nil, 0)).To(Return(0))
		Expect(call).To(Return(0))
	})

	Clause("siginfo.child-real-uid", func() {
		parent := actor.New()
		catchFault(parent, unix.SIGCHLD)
		c := parent.Fork()
		real := FreshUser()
		Must(c.Setresuid(real, -1, -1))

		c.Exit(3)
		e := parent.NextEvent()
		Expect(e.Info.UID()).To(Equal(real))
		Expect(e.Info.PID()).To(Equal(c.PID()))
		Expect(parent).To(Catch(unix.SIGCHLD))
	})

	Clause("siginfo.child-times", func() {
		parent := actor.New()
		catchFault(parent, unix.SIGCHLD)
		c := parent.Fork()
		grandchild := c.Fork()
		for _, a := range []*actor.Actor{c, grandchild} { // each more than what it may be off
			Must(a.Setitimer(unix.ITIMER_PROF, actor.Itimer{Value: profiled}))
			for actorTicks(a) < 10 {
				Must(a.Repeat(20_000).Getpid())
			}
		}
		grandchild.Exit(0)
		Must(c.Wait4(grandchild.PID(), 0))
		used := actorTicks(c)

		c.Exit(3)
		Expect(parent).To(Catch(unix.SIGCHLD))
		info := parent.Events()[0].Info
		Expect(info.Code()).To(Equal(cldExited))
		spent := int64(binary.NativeEndian.Uint64(info.Raw[32:])) + int64(binary.NativeEndian.Uint64(info.Raw[40:]))
		Expect(spent).To(BeNumerically("~", used, 5))
	})
})

// profiled is more time than a profiling timer of an actor that is measured by it takes to expire.
const profiled = 1000 * 1e9

// actorTicks is the processor time that an actor has used since its profiling timer was set, in clock
// ticks (sysconf(_SC_CLK_TCK), 100 a second). A kernel that takes samples of who runs counts those
// there, too, while its clocks of processor time know better.
func actorTicks(a *actor.Actor) int64 {
	get := a.Getitimer(unix.ITIMER_PROF)
	Must(get)
	return (profiled - get.Itimerval().Value) / 1e7
}

var _ = Describe("The siginfo of SIGIO", func() {
	// async has a descriptor raise a real-time signal, so that all of them queue.
	async := func(a *actor.Actor, fd int) {
		GinkgoHelper()
		catchFault(a, rtSignal)
		Expect(a.Fcntl(fd, unix.F_SETSIG, int(rtSignal))).To(Return(0))
		Expect(a.Fcntl(fd, unix.F_SETOWN, a.PID())).To(Return(0))
		Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
	}
	expectIO := func(a *actor.Actor, fd, code int, band int64) {
		GinkgoHelper()
		e := a.NextEvent()
		Expect(e.Signal).To(Equal(rtSignal))
		Expect(e.Info.Signo()).To(Equal(rtSignal))
		Expect(e.Info.Code()).To(Equal(code), "si_code")
		Expect(e.Info.FD()).To(Equal(fd), "si_fd")
		Expect(e.Info.Band()).To(Equal(band), "si_band")
		Expect(a.Events()).To(HaveLen(1))
	}

	Clause("siginfo.poll-in", func() {
		a := actor.New()
		Must(a.Eventfd2(0, 0)) // so that the descriptor is not 0
		r, w := a.Pipe(0)
		async(a, r)

		Expect(a.Write(w, []byte("x"))).To(Return(1))
		expectIO(a, r, pollIn, unix.POLLIN|pollRdNorm)
	})

	Clause("siginfo.poll-out", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		full := a.Fill(w)
		async(a, w)

		Expect(a.Read(r, full)).To(Return(full))
		expectIO(a, w, pollOut, unix.POLLOUT|pollWrNorm|pollWrBand)
	})

	Clause("siginfo.poll-hup", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		async(a, here)

		Expect(a.Close(there)).To(Return(0))
		e := a.AwaitEvents(1)
		Expect(e[len(e)-1].Info.Code()).To(Equal(pollHup))
		Expect(e[len(e)-1].Info.FD()).To(Equal(here))
		Expect(e[len(e)-1].Info.Band()).To(BeEquivalentTo(unix.POLLHUP | unix.POLLERR))
		Expect(e[len(e)-1].Signal).To(Equal(rtSignal))
	})

	// expectAmong has an actor accept the signals of a descriptor until one has a code, and checks what
	// that one tells.
	expectAmong := func(a *actor.Actor, fd, code int, band int64) {
		GinkgoHelper()
		info := accept(a, rtSignal)
		for info.Code() != code {
			info = accept(a, rtSignal)
		}
		Expect(info.Signo()).To(Equal(rtSignal))
		Expect(info.FD()).To(Equal(fd), "si_fd")
		Expect(info.Band()).To(Equal(band), "si_band")
	}
	// connection is a TCP connection, one end of which raises a signal that its owner blocks.
	connection := func() (a *actor.Actor, here, there int) {
		GinkgoHelper()
		a = waiterFor(rtSignal)
		here, there = a.TCP()
		Expect(a.Fcntl(here, unix.F_SETSIG, int(rtSignal))).To(Return(0))
		Expect(a.Fcntl(here, unix.F_SETOWN, a.PID())).To(Return(0))
		Expect(a.Fcntl(here, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		return a, here, there
	}

	Clause("siginfo.poll-err", func() {
		a, here, there := connection()
		linger := a.Alloc(8) // struct linger; the connection is broken off
		linger.PutUint32(0, 1)
		Must(a.Raw(unix.SYS_SETSOCKOPT, there, unix.SOL_SOCKET, unix.SO_LINGER, linger, 8))
		Expect(a.Close(there)).To(Return(0))
		expectAmong(a, here, pollErr, unix.POLLERR)
	})

	Clause("siginfo.poll-pri", func() {
		a, here, there := connection()
		Expect(a.Raw(unix.SYS_SENDTO, there, []byte("!"), 1, unix.MSG_OOB, nil, 0)).To(Return(1))
		expectAmong(a, here, pollPri, unix.POLLPRI|pollRdBand)
	})

	Clause("siginfo.poll-msg", func() {
		a := actor.New()
		path := actor.TempDir() + "/leased"
		fd := Must(a.Open(path, unix.O_RDWR|unix.O_CREAT, 0o600))
		catchFault(a, rtSignal)
		Expect(a.Fcntl(fd, unix.F_SETSIG, int(rtSignal))).To(Return(0))
		Must(a.Fcntl(fd, unix.F_SETLEASE, unix.F_WRLCK))

		Must(a.Getpid())
		Expect(a.Events()).To(BeEmpty())
		other := actor.New()
		Expect(other.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)).To(FailWith(unix.EWOULDBLOCK))
		expectIO(a, fd, pollMsg, unix.POLLIN|pollRdNorm|pollMsgEvent)
	})

	Clause("siginfo.sigio-by-default", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		catchFault(a, unix.SIGIO)
		Expect(a.Fcntl(r, unix.F_SETOWN, a.PID())).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))

		Expect(a.Write(w, []byte("x"))).To(Return(1))
		expectOne(a, unix.SIGIO, actor.SI_KERNEL)
	})

	Clause("siginfo.sigio-itself", func() {
		a := actor.New()
		Must(a.Eventfd2(0, 0))
		r, w := a.Pipe(0)
		catchFault(a, unix.SIGIO)
		Expect(a.Fcntl(r, unix.F_SETSIG, int(unix.SIGIO))).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETOWN, a.PID())).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))

		Expect(a.Write(w, []byte("x"))).To(Return(1))
		info := expectOne(a, unix.SIGIO, pollIn)
		Expect(info.FD()).To(Equal(r))
		Expect(info.Band()).To(BeEquivalentTo(unix.POLLIN | pollRdNorm))
	})
})

const (
	pollRdNorm   = 0x40
	pollRdBand   = 0x80
	pollWrNorm   = 0x100
	pollWrBand   = 0x200
	pollMsgEvent = 0x400
)

var _ = Describe("The siginfo of SIGSYS", func() {
	Clause("siginfo.sys-seccomp", func() {
		const data = 0x1234
		a := actor.New()
		catchFault(a, unix.SIGSYS)
		filterCall(a, unix.SYS_SCHED_YIELD, unix.SECCOMP_RET_TRAP|data)
		code := a.Executable(codeYield)

		a.Execute(code)
		info := expectOne(a, unix.SIGSYS, sysSeccomp)
		Expect(info.Addr()).To(Equal(code.Addr+codeBehindYield), "si_call_addr")
		Expect(info.Status()).To(Equal(unix.SYS_SCHED_YIELD), "si_syscall")
		Expect(siginfoWord(a.Events()[0], 28)).To(BeEquivalentTo(unix.AUDIT_ARCH_X86_64), "si_arch")
		Expect(info.Errno()).To(Equal(data), "si_errno")
	})

	Clause("siginfo.sys-user-dispatch", func() {
		const on, block = 1, 1
		a := actor.New()
		catchFault(a, unix.SIGSYS)
		code := a.Executable(codeYield)
		selector := a.Alloc(1)
		// The actor's own program is the range from which calls are made as ever.
		program := actor.Recording(0, 0).Handler &^ 0xffff
		Expect(a.Prctl(unix.PR_SET_SYSCALL_USER_DISPATCH, on, program, 0x10000, selector)).To(Return(0))
		Expect(a.Execute(code)).To(Return(0))
		Expect(a.Events()).To(BeEmpty())

		selector.Bytes()[0] = block
		a.Execute(code)
		selector.Bytes()[0] = 0
		info := expectOne(a, unix.SIGSYS, sysUserDispatch)
		Expect(info.Addr()).To(Equal(code.Addr+codeBehindYield), "si_call_addr")
		Expect(info.Status()).To(Equal(unix.SYS_SCHED_YIELD), "si_syscall")
	})
})

// filterCall has seccomp do something with one system call and let all others through.
func filterCall(a *actor.Actor, nr, action uint32) {
	GinkgoHelper()
	const loadNr, equal, ret = 0x20, 0x15, 0x06
	program := a.Alloc(4 * 8)
	for i, in := range []struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}{{loadNr, 0, 0, 0}, {equal, 0, 1, nr}, {ret, 0, 0, action}, {ret, 0, 0, unix.SECCOMP_RET_ALLOW}} {
		program.PutUint16(8*i, in.code)
		program.Bytes()[8*i+2], program.Bytes()[8*i+3] = in.jt, in.jf
		program.PutUint32(8*i+4, in.k)
	}
	filter := a.Alloc(16)
	filter.PutUint16(0, 4)
	filter.PutUint64(8, program.Addr)
	Expect(a.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)).To(Return(0))
	Expect(a.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, filter)).To(Return(0))
}

var _ = Describe("The siginfo of a ptrace event", func() {
	// event has a traced child come to an event, and checks what its tracer is told of the signal.
	event := func(options, number int, start func(child *actor.Actor) *actor.Call) *actor.Call {
		GinkgoHelper()
		const seize, getSiginfo = 0x4206, 0x4202
		tracer := actor.New()
		child := tracer.Fork()
		Expect(tracer.Raw(unix.SYS_PTRACE, seize, child.PID(), nil, options)).To(Return(0))
		call := start(child)
		wait := tracer.Wait4(child.PID(), 0)
		Expect(wait).To(Return(child.PID()))
		Expect(wait.Int()).To(Equal(number<<16 | int(unix.SIGTRAP)<<8 | 0x7f))
		m := tracer.Alloc(128)
		Expect(tracer.Raw(unix.SYS_PTRACE, getSiginfo, child.PID(), nil, m)).To(Return(0))
		var info actor.Siginfo
		copy(info.Raw[:], m.Bytes())
		Expect(info.Signo()).To(Equal(unix.SIGTRAP))
		Expect(info.Code()).To(Equal(number<<8 | int(unix.SIGTRAP)))
		Expect(info.PID()).To(Equal(child.PID()))
		Expect(info.UID()).To(Equal(Must(tracer.Getuid()))) // the child's, too
		Expect(tracer.Raw(unix.SYS_PTRACE, unix.PTRACE_CONT, child.PID(), nil, 0)).To(Return(0))
		return call
	}

	Clause("siginfo.ptrace-event", func() {
		exit := event(unix.PTRACE_O_TRACEEXIT, unix.PTRACE_EVENT_EXIT, func(child *actor.Actor) *actor.Call {
			return child.Begin().Raw(unix.SYS_EXIT_GROUP, 3)
		})
		Expect(exit).To(Exit(3))
	})

	Clause("siginfo.ptrace-event-seccomp", func() {
		yield := event(unix.PTRACE_O_TRACESECCOMP, unix.PTRACE_EVENT_SECCOMP, func(child *actor.Actor) *actor.Call {
			filterCall(child, unix.SYS_SCHED_YIELD, unix.SECCOMP_RET_TRACE|1)
			return child.Begin().Raw(unix.SYS_SCHED_YIELD)
		})
		Expect(yield).To(Return(0))
	})
})
