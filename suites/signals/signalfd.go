package signals

import (
	"encoding/binary"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// newFD is the descriptor that signalfd takes for a wish for a new one.
const newFD = -1

// setOf is a signal set in the form in which calls take it.
func setOf(sigs ...unix.Signal) []unix.Signal { return sigs }

// signalfdOf starts an actor that blocks the given signals and has a signalfd of them.
func signalfdOf(flags int, sigs ...unix.Signal) (a *actor.Actor, fd int) {
	GinkgoHelper()
	a = waiterFor(sigs...)
	return a, Must(a.Signalfd4(newFD, sigs, flags))
}

// readSignal reads one signal from a signalfd, which must be that one.
func readSignal(a *actor.Actor, fd int, sig unix.Signal) actor.SignalfdSiginfo {
	GinkgoHelper()
	return toldSignal(a.ReadSignals(fd, 1), sig)
}

// toldSignal judges a read of a signalfd that has told of exactly one signal.
func toldSignal(read *actor.Call, sig unix.Signal) actor.SignalfdSiginfo {
	GinkgoHelper()
	Expect(read).To(Return(actor.SignalfdSize))
	told := read.Signals()
	Expect(told).To(HaveLen(1))
	Expect(told[0].Signo()).To(Equal(sig))
	return told[0]
}

// beginReadSignals has an actor read a signalfd and sees it asleep.
func beginReadSignals(a *actor.Actor, fd, n int) *actor.Call {
	GinkgoHelper()
	read := a.Begin().ReadSignals(fd, n)
	Expect(read).To(Block())
	return read
}

// expectNoSignal shows that a signalfd has nothing for the actor to read, whatever its O_NONBLOCK.
func expectNoSignal(a *actor.Actor, fd int) {
	GinkgoHelper()
	Expect(readableNow(a, fd)).To(BeFalse(), "the signalfd is readable")
}

// readableNow polls a descriptor without waiting.
func readableNow(a *actor.Actor, fd int) bool {
	GinkgoHelper()
	poll := a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN})
	ready := poll.Revents()[0] == unix.POLLIN
	if ready {
		Expect(poll).To(ReturnRevents(unix.POLLIN))
	} else {
		Expect(poll).To(ReturnRevents(0))
	}
	return ready
}

// execAnew has an actor execute its image again, and shows that it has: a descriptor with
// FD_CLOEXEC is gone.
func execAnew(a *actor.Actor) {
	GinkgoHelper()
	closing := Must(a.Eventfd2(0, unix.EFD_CLOEXEC))
	a.Exec()
	Expect(a.Fcntl(closing, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
}

var _ = Describe("signalfd", func() {
	Clause("signalfd.new-descriptor", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()

		fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)
		Expect(fd).To(ReturnFD())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		readSignal(a, fd.Value(), unix.SIGUSR1)
		Expect(a.Fcntl(fd.Value()+1, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("signalfd.replaces-mask", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()
		fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Must(sender.Kill(a.PID(), unix.SIGUSR2))

		Expect(a.Signalfd4(fd, setOf(unix.SIGUSR2), 0)).To(Return(fd))
		readSignal(a, fd, unix.SIGUSR2)
		expectNoSignal(a, fd)
		Expect(a.Signalfd4(fd, setOf(unix.SIGUSR1), 0)).To(Return(fd))
		readSignal(a, fd, unix.SIGUSR1)
		expectNoSignal(a, fd)
	})

	Clause("signalfd.replaces-mask-of-reader", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		thread := a.Thread()
		sender := actor.New()

		read := beginReadSignals(thread, fd, 1)
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(read).To(Block())
		Expect(a.Signalfd4(fd, setOf(unix.SIGUSR2), 0)).To(Return(fd))
		toldSignal(read, unix.SIGUSR2)
	})

	Clause("signalfd.mask-shared", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		copied := Must(a.Dup(fd))
		child := a.Fork()

		Expect(a.Signalfd4(copied, setOf(unix.SIGUSR2), 0)).To(Return(copied))
		for _, reader := range []*actor.Actor{a, child} {
			Must(reader.Kill(Must(reader.Getpid()), unix.SIGUSR1))
			expectNoSignal(reader, fd)
			Must(reader.Kill(Must(reader.Getpid()), unix.SIGUSR2))
			readSignal(reader, fd, unix.SIGUSR2)
		}
	})

	Clause("signalfd.empty-mask", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		fd := a.Signalfd4(newFD, setOf(), 0)
		Expect(fd).To(ReturnFD())

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		expectNoSignal(a, fd.Value())
		Expect(a.Signalfd4(fd.Value(), setOf(unix.SIGUSR1), 0)).To(Return(fd.Value()))
		readSignal(a, fd.Value(), unix.SIGUSR1)
	})

	Clause("signalfd.ebadf", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		closed := Must(a.Dup(fd))
		Must(a.Close(closed))

		for _, bad := range []int{closed, -2, 1000} {
			Expect(a.Signalfd4(bad, setOf(unix.SIGUSR1), 0)).To(FailWith(unix.EBADF))
		}
		Expect(a.Fcntl(closed, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("signalfd.einval-other-file", func() {
		a := waiterFor(unix.SIGUSR1)
		r, w := a.Pipe(0)
		event := Must(a.Eventfd2(0, 0))

		for _, fd := range []int{r, w, event} {
			Expect(a.Signalfd4(fd, setOf(unix.SIGUSR1), 0)).To(FailWith(unix.EINVAL))
		}
		// They are what they were.
		Must(a.Write(w, []byte("x")))
		Expect(a.Read(r, 1)).To(ReturnData("x"))
	})

	Clause("signalfd.einval-flags", func() {
		a := waiterFor(unix.SIGUSR1)

		for _, flags := range []int{1, unix.O_APPEND, unix.SFD_CLOEXEC | 2, unix.SFD_NONBLOCK | 0x40000000} {
			Expect(a.Signalfd4(newFD, setOf(unix.SIGUSR1), flags)).To(FailWith(unix.EINVAL))
		}
		expectNoDescriptor(a, 0)
		fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		Expect(a.Signalfd4(fd, setOf(), 1)).To(FailWith(unix.EINVAL))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.nonblock", func() {
		a := waiterFor(unix.SIGUSR1)
		plain := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1), unix.SFD_NONBLOCK)
		Expect(fd).To(ReturnFD())

		Expect(Must(a.Fcntl(plain, unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(Equal(unix.O_NONBLOCK))
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFD, 0))).To(Equal(0))
		Expect(a.ReadSignals(fd.Value(), 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("signalfd.cloexec", func() {
		a := waiterFor(unix.SIGUSR1)
		plain := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1), unix.SFD_CLOEXEC)
		Expect(fd).To(ReturnFD())

		Expect(a.Fcntl(plain, unix.F_GETFD, 0)).To(Return(0))
		Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())
	})

	Clause("signalfd.both-flags", func() {
		a := waiterFor(unix.SIGUSR1)
		fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1), unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
		Expect(fd).To(ReturnFD())

		Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(a.ReadSignals(fd.Value(), 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("signalfd.emfile", func() {
		a := waiterFor(unix.SIGUSR1)
		fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		_, hard := a.Rlimit(unix.RLIMIT_NOFILE)
		a.SetRlimit(unix.RLIMIT_NOFILE, uint64(fd)+1)

		Expect(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)).To(FailWith(unix.EMFILE))
		// One that is there may be changed.
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		Expect(a.Signalfd4(fd, setOf(unix.SIGUSR2), 0)).To(Return(fd))
		expectNoSignal(a, fd)
		a.SetRlimit(unix.RLIMIT_NOFILE, hard)
		Expect(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)).To(Return(fd + 1))
		readSignal(a, fd+1, unix.SIGUSR1)
	})

	Clause("signalfd.enfile", func() {
		a := waiterFor(unix.SIGUSR1)
		fd := Must(a.Signalfd4(newFD, setOf(), 0))
		free := a.ExhaustFiles()
		Expect(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)).To(FailWith(unix.ENFILE))
		expectNoDescriptor(a, free)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		Expect(a.Signalfd4(fd, setOf(unix.SIGUSR1), 0)).To(Return(fd))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.mask-size", func() {
		a := waiterFor(unix.SIGUSR1)
		set := a.Alloc(16)
		set.PutUint64(0, actor.Bit(unix.SIGUSR1))

		for _, size := range []int{0, 4, 7, 9, 16, 128} {
			Expect(a.Raw(unix.SYS_SIGNALFD4, newFD, set, size, 0)).To(FailWith(unix.EINVAL))
		}
		expectNoDescriptor(a, 0)
		fd := a.Raw(unix.SYS_SIGNALFD4, newFD, set, 8, 0)
		Expect(fd).To(ReturnFD())
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		readSignal(a, fd.Value(), unix.SIGUSR1)
	})

	Clause("signalfd.efault", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)

		Expect(a.Signalfd4(newFD, a.Unmapped(), 0)).To(FailWith(unix.EFAULT))
		expectNoDescriptor(a, fd+1)
		Expect(a.Signalfd4(fd, a.Unmapped(), 0)).To(FailWith(unix.EFAULT))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.old-call", func() {
		a := waiterFor(unix.SIGUSR1)
		set := a.Sigset(unix.SIGUSR1)

		// The fourth argument is none: what is there must not matter.
		fd := a.Raw(unix.SYS_SIGNALFD, newFD, set, 8, -1)
		Expect(fd).To(ReturnFD())
		Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(0))
		Expect(Must(a.Fcntl(fd.Value(), unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		readSignal(a, fd.Value(), unix.SIGUSR1)
	})

	Clause("signalfd.kill-and-stop-ignored", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		fd := a.Signalfd4(newFD, setOf(unix.SIGKILL, unix.SIGSTOP), 0)
		Expect(fd).To(ReturnFD())
		Expect(a.Signalfd4(fd.Value(), setOf(unix.SIGSTOP, unix.SIGUSR1, unix.SIGKILL), 0)).To(Return(fd.Value()))

		read := beginReadSignals(a, fd.Value(), 1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		toldSignal(read, unix.SIGUSR1)
	})

	Clause("signalfd.stop-stops", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		fd := a.Signalfd4(newFD, setOf(unix.SIGSTOP, unix.SIGUSR1), 0)
		Expect(fd).To(ReturnFD())

		beginReadSignals(a, fd.Value(), 1)
		Must(sender.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
	})

	Clause("signalfd.kill-kills", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		fd := a.Signalfd4(newFD, setOf(unix.SIGKILL, unix.SIGUSR1), 0)
		Expect(fd).To(ReturnFD())

		read := beginReadSignals(a, fd.Value(), 1)
		Must(sender.Kill(a.PID(), unix.SIGKILL))
		Expect(read).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("signalfd.fdinfo", func() {
		a := waiterFor(unix.SIGUSR1)
		shown := func(fd int) string {
			for _, line := range strings.Split(a.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd)), "\n") {
				if value, ok := strings.CutPrefix(line, "sigmask:"); ok {
					return strings.TrimSpace(value)
				}
			}
			return "none"
		}
		fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1, lowRT, unix.SIGKILL, unix.SIGSTOP), 0)
		Expect(fd).To(ReturnFD())

		Expect(shown(fd.Value())).To(Equal(fmt.Sprintf("%016x", actor.Mask(unix.SIGUSR1, lowRT))))
		Expect(a.Signalfd4(fd.Value(), setOf(highRT), 0)).To(Return(fd.Value()))
		Expect(shown(fd.Value())).To(Equal(fmt.Sprintf("%016x", actor.Mask(highRT))))
	})

	Clause("signalfd.several-descriptors", func() {
		a, sender := waiterFor(unix.SIGUSR1, unix.SIGUSR2), actor.New()
		one := a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)
		two := a.Signalfd4(newFD, setOf(unix.SIGUSR2), 0)
		Expect(one).To(ReturnFD())
		Expect(two).To(ReturnFD())

		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(readableNow(a, one.Value())).To(BeFalse())
		Expect(readableNow(a, two.Value())).To(BeTrue())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		readSignal(a, one.Value(), unix.SIGUSR1)
		readSignal(a, two.Value(), unix.SIGUSR2)
	})

	Clause("signalfd.one-signal-in-several", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		var fds []int
		for range 3 {
			fd := a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0)
			Expect(fd).To(ReturnFD())
			Expect(fds).NotTo(ContainElement(fd.Value()))
			fds = append(fds, fd.Value())
		}

		for _, reading := range fds {
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			for _, fd := range fds {
				Expect(readableNow(a, fd)).To(BeTrue())
			}
			readSignal(a, reading, unix.SIGUSR1)
			for _, fd := range fds {
				Expect(readableNow(a, fd)).To(BeFalse())
			}
		}
	})
})

var _ = Describe("Reading a signalfd", func() {
	Clause("signalfd.read-pending", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, lowRT)
		sender := actor.New()

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		readSignal(a, fd, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), lowRT))
		readSignal(a, fd, lowRT)
	})

	Clause("signalfd.read-several", func() {
		a, fd := signalfdOf(0, lowRT)
		sender := actor.New()
		for value := range uint64(4) {
			Must(sender.Sigqueue(a.PID(), lowRT, value))
		}

		read := a.ReadSignals(fd, 3)
		Expect(read).To(Return(3 * actor.SignalfdSize))
		for i, told := range read.Signals() {
			Expect(told.Signo()).To(Equal(lowRT))
			Expect(told.Int()).To(Equal(i))
		}
		Expect(readSignal(a, fd, lowRT).Int()).To(Equal(3))
		expectNoSignal(a, fd)
	})

	Clause("signalfd.read-as-many-as-pending", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, lowRT)
		sender := actor.New()
		Must(sender.Kill(a.PID(), lowRT))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))

		read := a.ReadSignals(fd, 8)
		Expect(read).To(Return(2 * actor.SignalfdSize))
		var got uint64
		for _, told := range read.Signals() {
			got |= actor.Bit(told.Signo())
		}
		Expect(got).To(Equal(actor.Mask(unix.SIGUSR1, lowRT)))
		expectNoSignal(a, fd)
	})

	Clause("signalfd.read-whole-structures", func() {
		a, fd := signalfdOf(0, lowRT)
		sender := actor.New()
		for range 2 {
			Must(sender.Kill(a.PID(), lowRT))
		}

		for _, n := range []int{2*actor.SignalfdSize - 1, actor.SignalfdSize + 1} {
			into := a.Alloc(2 * actor.SignalfdSize)
			Expect(a.ReadInto(fd, into, n)).To(Return(actor.SignalfdSize))
			Expect(into.Uint32(0)).To(Equal(uint32(lowRT)))
			Expect(into.Sub(actor.SignalfdSize, actor.SignalfdSize).Copy()).To(HaveEach(byte(0)))
		}
		expectNoSignal(a, fd)
	})

	Clause("signalfd.read-too-small", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		Expect(a.Read(fd, actor.SignalfdSize-1)).To(FailWith(unix.EINVAL))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))

		Expect(a.Read(fd, 1)).To(FailWith(unix.EINVAL))
		Expect(a.Read(fd, actor.SignalfdSize-1)).To(FailWith(unix.EINVAL))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.read-consumes", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, unix.SIGUSR2)
		a.Handle(unix.SIGUSR1, 0)
		a.Handle(unix.SIGUSR2, 0)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR2))

		read := a.ReadSignals(fd, 2)
		Expect(read).To(Return(2 * actor.SignalfdSize))
		Expect(actor.Mask(read.Signals()[0].Signo(), read.Signals()[1].Signo())).To(Equal(actor.Mask(unix.SIGUSR1, unix.SIGUSR2)))
		expectLeft(a)
		expectNothing(a, unix.SIGUSR1, unix.SIGUSR2)
		a.SetMask()
		Must(a.Getpid())
		Expect(a).To(Catch())
	})

	Clause("signalfd.read-leaves-others", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR2))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))

		toldSignal(a.ReadSignals(fd, 2), unix.SIGUSR1)
		expectLeft(a, unix.SIGUSR2)
	})

	Clause("signalfd.read-blocks", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, lowRT)
		sender := actor.New()

		for _, sig := range []unix.Signal{unix.SIGUSR1, lowRT} {
			read := beginReadSignals(a, fd, 4)
			Must(sender.Kill(a.PID(), sig))
			toldSignal(read, sig)
		}
		expectLeft(a)
	})

	Clause("signalfd.read-not-woken-by-others", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		sender := actor.New()

		read := beginReadSignals(a, fd, 1)
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(read).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		toldSignal(read, unix.SIGUSR1)
		expectLeft(a, unix.SIGUSR2)
	})

	for _, by := range []string{"SFD_NONBLOCK", "F_SETFL"} {
		Clause("signalfd.read-eagain", by, func() {
			var a *actor.Actor
			var fd int
			if by == "F_SETFL" {
				a, fd = signalfdOf(0, unix.SIGUSR1)
				Must(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK))
			} else {
				a, fd = signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
			}
			a.SetMask(unix.SIGUSR1, unix.SIGUSR2)

			Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
			Must(a.Kill(Must(a.Getpid()), unix.SIGUSR2))
			Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
			Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
			readSignal(a, fd, unix.SIGUSR1)
			Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		})
	}

	Clause("signalfd.unblocked-is-handled", func() {
		a, sender := actor.New(), actor.New()
		a.Handle(unix.SIGUSR1, 0)
		fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), unix.SFD_NONBLOCK))

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(a.Events()[0].Info.PID()).To(Equal(Must(sender.Getpid())))
		Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("signalfd.read-realtime-order", func() {
		a, fd := signalfdOf(0, lowRT, highRT)
		sender := actor.New()
		for i, sig := range []unix.Signal{highRT, lowRT, highRT, lowRT} {
			Must(sender.Sigqueue(a.PID(), sig, uint64(i)))
		}

		read := a.ReadSignals(fd, 4)
		Expect(read).To(Return(4 * actor.SignalfdSize))
		for i, want := range []struct {
			sig   unix.Signal
			value int
		}{{lowRT, 1}, {lowRT, 3}, {highRT, 0}, {highRT, 2}} {
			Expect(read.Signals()[i].Signo()).To(Equal(want.sig))
			Expect(read.Signals()[i].Int()).To(Equal(want.value))
		}
	})

	for _, blocked := range []bool{false, true} {
		name := map[bool]string{false: "handled", true: "blocked"}[blocked]
		Clause("signalfd.not-synchronous", name, func() {
			a, fd := signalfdOf(0, unix.SIGSEGV)
			a.Handle(unix.SIGSEGV, 0)
			thread := a.Thread()
			read := beginReadSignals(thread, fd, 1)
			if blocked {
				Expect(a.Load(a.Unmapped(), 1)).To(BeKilledBy(unix.SIGSEGV))
				return
			}
			a.SetMask()
			Expect(a.Load(a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
			Expect(a).To(Catch(unix.SIGSEGV))
			Expect(a.Events()[0].Info.Addr()).To(Equal(a.Unmapped().Addr))
			Expect(read).To(Block())
			Must(a.Tgkill(Must(a.Getpid()), thread.TID(), unix.SIGSEGV))
			toldSignal(read, unix.SIGSEGV)
		})
	}
})

var _ = Describe("signalfd_siginfo", func() {
	Clause("signalfd.info-of-kill", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		sender := actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))

		told := readSignal(a, fd, unix.SIGUSR1)
		Expect(told.Code()).To(Equal(actor.SI_USER))
		Expect(told.PID()).To(Equal(Must(sender.Getpid())))
		Expect(told.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("signalfd.info-of-tgkill", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		sender := actor.New()
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))

		told := readSignal(a, fd, unix.SIGUSR1)
		Expect(told.Code()).To(Equal(actor.SI_TKILL))
		Expect(told.PID()).To(Equal(Must(sender.Getpid())))
		Expect(told.UID()).To(Equal(Must(sender.Getuid())))
	})

	Clause("signalfd.info-of-sigqueue", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, lowRT)
		sender := actor.New()
		for _, sig := range []unix.Signal{unix.SIGUSR1, lowRT} {
			Must(sender.Sigqueue(a.PID(), sig, 0x1122334455667788))

			told := readSignal(a, fd, sig)
			Expect(told.Code()).To(Equal(actor.SI_QUEUE))
			Expect(told.PID()).To(Equal(Must(sender.Getpid())))
			Expect(told.UID()).To(Equal(Must(sender.Getuid())))
			Expect(told.Ptr()).To(Equal(uint64(0x1122334455667788)))
		}
	})

	Clause("signalfd.info-int", func() {
		a, fd := signalfdOf(0, lowRT)
		sender := actor.New()
		for _, value := range []int32{0, 1, 0x7fffffff, -1} {
			Must(sender.Sigqueue(a.PID(), lowRT, uint64(uint32(value))))
			Expect(readSignal(a, fd, lowRT).Int()).To(Equal(int(value)))
		}
	})

	for _, killed := range []bool{false, true} {
		name := map[bool]string{false: "exited", true: "killed"}[killed]
		Clause("signalfd.info-of-child", name, func() {
			const cldExited, cldKilled = 1, 2
			a, fd := signalfdOf(0, unix.SIGCHLD)
			child, killer := a.Fork(), actor.New()
			code, status := cldExited, 7
			read := beginReadSignals(a, fd, 1)
			if killed {
				code, status = cldKilled, int(unix.SIGKILL)
				Must(killer.Kill(child.PID(), unix.SIGKILL))
			} else {
				child.Exit(7)
			}

			told := toldSignal(read, unix.SIGCHLD)
			Expect(told.Code()).To(Equal(code))
			Expect(told.PID()).To(Equal(child.PID()))
			Expect(told.UID()).To(Equal(Must(killer.Getuid())))
			Expect(told.Status()).To(Equal(status))
		})
	}

	Clause("signalfd.info-child-times", func() {
		a, fd := signalfdOf(0, unix.SIGCHLD)
		child := a.Fork()
		Must(child.Setitimer(unix.ITIMER_PROF, actor.Itimer{Value: profiled}))
		for actorTicks(child) < 8 { // more than what it may be off
			Must(child.Repeat(20_000).Getpid())
		}
		used := actorTicks(child)

		child.Exit(0)
		told := readSignal(a, fd, unix.SIGCHLD)
		Expect(told.Utime() + told.Stime()).To(BeNumerically("~", used, 5))
	})

	Clause("signalfd.info-errno", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		info := actor.Queued(unix.SIGUSR1, actor.SI_QUEUE, 0, 0, 0)
		binary.NativeEndian.PutUint32(info[4:], uint32(unix.EXDEV))
		Must(a.RtSigqueueinfo(Must(a.Getpid()), unix.SIGUSR1, info))

		Expect(readSignal(a, fd, unix.SIGUSR1).Errno()).To(Equal(int(unix.EXDEV)))
	})

	Clause("signalfd.info-of-memory-error", func() {
		a, fd := signalfdOf(0, unix.SIGBUS)
		info := actor.Queued(unix.SIGBUS, busMceerrAO, 0, 0, 0)
		binary.NativeEndian.PutUint64(info[16:], 0x1122334455667788)
		binary.NativeEndian.PutUint16(info[24:], 21)
		Must(a.RtSigqueueinfo(Must(a.Getpid()), unix.SIGBUS, info))

		told := readSignal(a, fd, unix.SIGBUS)
		Expect(told.Code()).To(Equal(busMceerrAO))
		Expect(told.Addr()).To(Equal(uint64(0x1122334455667788)))
		Expect(told.AddrLSB()).To(Equal(21))
	})

	Clause("signalfd.info-of-timer", func() {
		a, fd := signalfdOf(0, lowRT)
		// Another timer first, so that the id is not just 0.
		Must(a.TimerCreate(unix.CLOCK_MONOTONIC, nil))
		timer := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: lowRT, Value: 0x1122334455667788})
		Must(timer)
		Must(a.TimerSettime(timer.Int(), 0, actor.Itimer{Value: 1}))

		told := readSignal(a, fd, lowRT)
		Expect(told.Code()).To(Equal(actor.SI_TIMER))
		Expect(told.TimerID()).To(Equal(timer.Int()))
		Expect(told.Overrun()).To(Equal(0))
		Expect(told.Ptr()).To(Equal(uint64(0x1122334455667788)))
		Expect(told.Int()).To(Equal(0x55667788))
	})

	Clause("signalfd.info-overrun", func() {
		const period = 300_000 // 0.3 ms
		a, fd := signalfdOf(0, lowRT)
		timer := a.TimerCreate(unix.CLOCK_MONOTONIC, &actor.Sigevent{Notify: actor.SIGEV_SIGNAL, Signo: lowRT})
		Must(timer)
		first := monotonic(a) + period
		Must(a.TimerSettime(timer.Int(), unix.TIMER_ABSTIME, actor.Itimer{Value: first, Interval: period}))
		for monotonic(a) < first+5*period {
		}

		before := monotonic(a)
		told := readSignal(a, fd, lowRT)
		after := monotonic(a)
		Expect(told.Overrun()).To(BeNumerically(">=", (before-first)/period))
		Expect(told.Overrun()).To(BeNumerically("<=", (after-first)/period))
	})

	Clause("signalfd.info-of-io", func() {
		const pollIn = 1
		a, fd := signalfdOf(0, lowRT)
		r, w := a.Pipe(0)
		Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))
		Must(a.Fcntl(r, unix.F_SETSIG, int(lowRT)))
		Must(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC))
		Must(a.Write(w, []byte("x")))

		told := readSignal(a, fd, lowRT)
		Expect(told.Code()).To(Equal(pollIn))
		Expect(told.FD()).To(Equal(r))
		Expect(told.Band() & unix.POLLIN).To(Equal(unix.POLLIN))
	})

	Clause("signalfd.info-of-fault", func() {
		const segvMaperr = 1
		a, fd := signalfdOf(0, unix.SIGSEGV)
		// A true fault cannot be blocked, but a process may tell itself of one.
		info := actor.Queued(unix.SIGSEGV, segvMaperr, 0, 0, 0)
		binary.NativeEndian.PutUint64(info[16:], 0x1122334455667788)
		Must(a.RtSigqueueinfo(Must(a.Getpid()), unix.SIGSEGV, info))

		told := readSignal(a, fd, unix.SIGSEGV)
		Expect(told.Code()).To(Equal(segvMaperr))
		Expect(told.Addr()).To(Equal(uint64(0x1122334455667788)))
	})
})

// The calls that tell whether a descriptor is readable.
var signalfdMultiplexers = []struct {
	name  string
	begin func(by actor.Caller, fd, timeout int) *actor.Call
	ready func(call *actor.Call, fd int) bool
}{
	{
		"poll",
		func(by actor.Caller, fd, timeout int) *actor.Call {
			return by.Poll(timeout, actor.PollFD{FD: fd, Events: unix.POLLIN})
		},
		func(call *actor.Call, _ int) bool { return call.Revents()[0] == unix.POLLIN },
	},
	{
		"ppoll",
		func(by actor.Caller, fd, timeout int) *actor.Call {
			return by.Ppoll(timeout, actor.PollFD{FD: fd, Events: unix.POLLIN})
		},
		func(call *actor.Call, _ int) bool { return call.Revents()[0] == unix.POLLIN },
	},
}

var _ = Describe("Waiting for a signalfd", func() {
	for _, by := range signalfdMultiplexers {
		Clause("signalfd."+by.name, func() {
			a, fd := signalfdOf(0, unix.SIGUSR1)
			a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
			sender := actor.New()

			Expect(by.begin(a.Caller, fd, 0)).To(Return(0))
			wait := by.begin(a.Begin(), fd, noTimeout)
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait).To(Return(1))
			Expect(by.ready(wait, fd)).To(BeTrue())
			// It stays so until the signal is read.
			again := by.begin(a.Caller, fd, noTimeout)
			Expect(again).To(Return(1))
			Expect(by.ready(again, fd)).To(BeTrue())
			readSignal(a, fd, unix.SIGUSR1)
			Expect(by.begin(a.Caller, fd, 0)).To(Return(0))
		})
	}

	for _, name := range []string{"select", "pselect"} {
		Clause("signalfd."+name, func() {
			a, fd := signalfdOf(0, unix.SIGUSR1)
			a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
			sender := actor.New()
			begin := func(by actor.Caller, timeout int) (*actor.Call, *actor.FDSet) {
				set := actor.NewFDSet(fd)
				if name == "select" {
					return by.Select(fd+1, set, nil, nil, timeout), set
				}
				return by.Pselect(fd+1, set, nil, nil, timeout), set
			}

			none, set := begin(a.Caller, 0)
			Expect(none).To(Return(0))
			Expect(set.Has(fd)).To(BeFalse())
			wait, set := begin(a.Begin(), noTimeout)
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR2))
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait).To(Return(1))
			Expect(set.Has(fd)).To(BeTrue())
			again, set := begin(a.Caller, noTimeout)
			Expect(again).To(Return(1))
			Expect(set.Has(fd)).To(BeTrue())
			readSignal(a, fd, unix.SIGUSR1)
			none, set = begin(a.Caller, 0)
			Expect(none).To(Return(0))
			Expect(set.Has(fd)).To(BeFalse())
		})
	}

	Clause("signalfd.epoll", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		sender := actor.New()
		ep := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 4711))
		ready := []actor.EpollEvent{{Events: unix.EPOLLIN, Data: 4711}}

		Expect(a.EpollPwait(ep, 1, 0)).To(Return(0))
		wait := a.Begin().EpollPwait(ep, 1, noTimeout)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR2))
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Return(1))
		Expect(wait.EpollEvents()).To(Equal(ready))
		again := a.EpollPwait(ep, 1, noTimeout)
		Expect(again).To(Return(1))
		Expect(again.EpollEvents()).To(Equal(ready))
		readSignal(a, fd, unix.SIGUSR1)
		Expect(a.EpollPwait(ep, 1, 0)).To(Return(0))
	})

	Clause("signalfd.ready-at-once", func() {
		a, sender := waiterFor(unix.SIGUSR1), actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))

		// The signal was there before the signalfd was.
		fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		poll := a.Poll(noTimeout, actor.PollFD{FD: fd, Events: unix.POLLIN})
		Expect(poll).To(Return(1))
		Expect(poll.Revents()[0]).To(Equal(int16(unix.POLLIN)))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.accepted-elsewhere", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))

		Expect(readableNow(a, fd)).To(BeTrue())
		Expect(a.Sigtimedwait(setOf(unix.SIGUSR1), 0)).To(Accept(unix.SIGUSR1))
		Expect(readableNow(a, fd)).To(BeFalse())
	})

	Clause("signalfd.poll-own-signals-only", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		thread := a.Thread()
		sender := actor.New()

		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		Expect(readableNow(a, fd)).To(BeFalse())
		Expect(readableNow(thread, fd)).To(BeTrue())
		readSignal(thread, fd, unix.SIGUSR1)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(readableNow(a, fd)).To(BeTrue())
		Expect(readableNow(thread, fd)).To(BeTrue())
		readSignal(a, fd, unix.SIGUSR1)
		Expect(readableNow(thread, fd)).To(BeFalse())
	})

	// An epoll instance, with a signalfd in it, and a child that has inherited both.
	epollAndChild := func() (parent, child *actor.Actor, ep, fd int) {
		parent, fd = signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
		ep = Must(parent.EpollCreate1(0))
		Must(parent.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 1))
		return parent, parent.Fork(), ep, fd
	}

	Clause("signalfd.epoll-not-for-the-child", func() {
		_, child, ep, fd := epollAndChild()
		sender := actor.New()

		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		Expect(child.EpollPwait(ep, 1, 0)).To(Return(0))
		readSignal(child, fd, unix.SIGUSR1)
	})

	Clause("signalfd.epoll-for-who-added", func() {
		parent, child, ep, fd := epollAndChild()
		sender := actor.New()

		wait := parent.Begin().EpollPwait(ep, 1, noTimeout)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		Expect(wait).To(Block())
		Must(sender.Kill(parent.PID(), unix.SIGUSR1))
		Expect(wait).To(Return(1))
		Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: 1}}))
		readSignal(parent, fd, unix.SIGUSR1)
		Expect(parent.EpollPwait(ep, 1, 0)).To(Return(0))
	})

	Clause("signalfd.epoll-own-after-fork", func() {
		_, child, ep, fd := epollAndChild()
		sender := actor.New()

		Must(child.Close(fd))
		own := Must(child.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
		Expect(child.EpollCtl(ep, unix.EPOLL_CTL_ADD, own, unix.EPOLLIN, 2)).To(Return(0))
		wait := child.Begin().EpollPwait(ep, 2, noTimeout)
		Expect(wait).To(Block())
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		Expect(wait).To(Return(1))
		Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: 2}}))
		readSignal(child, own, unix.SIGUSR1)
	})

	Clause("signalfd.epoll-both-after-fork", func() {
		parent, sender := waiterFor(unix.SIGUSR1), actor.New()
		ep := Must(parent.EpollCreate1(0))
		child := parent.Fork()

		for i, a := range []*actor.Actor{parent, child} {
			fd := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), 0))
			Expect(a.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, uint64(i))).To(Return(0))
			wait := a.Begin().EpollPwait(ep, 2, noTimeout)
			Expect(wait).To(Block())
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			Expect(wait).To(Return(1))
			Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: uint64(i)}}))
			readSignal(a, fd, unix.SIGUSR1)
		}
	})
})

var _ = Describe("A signalfd of several processes and threads", func() {
	Clause("signalfd.close-frees", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		copied := Must(a.Dup(fd))
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))

		Expect(a.Close(fd)).To(Return(0))
		Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EBADF))
		// The other one is as good as ever.
		readSignal(a, copied, unix.SIGUSR1)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		Expect(a.Close(copied)).To(Return(0))
		Expect(a.ReadSignals(copied, 1)).To(FailWith(unix.EBADF))
		// What was pending is pending still.
		Expect(a.Sigtimedwait(setOf(unix.SIGUSR1), 0)).To(Accept(unix.SIGUSR1))
	})

	Clause("signalfd.child-reads-its-own", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1, unix.SIGUSR2)
		child := a.Fork()
		sender := actor.New()

		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(child.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		Must(sender.Kill(child.PID(), unix.SIGUSR2))
		readSignal(child, fd, unix.SIGUSR2)
		expectLeft(child)
		readSignal(a, fd, unix.SIGUSR1)
		Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("signalfd.child-wakes", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		child := a.Fork()
		sender := actor.New()

		mine, theirs := beginReadSignals(a, fd, 1), beginReadSignals(child, fd, 1)
		Must(sender.Kill(child.PID(), unix.SIGUSR1))
		toldSignal(theirs, unix.SIGUSR1)
		Expect(mine).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		toldSignal(mine, unix.SIGUSR1)
	})

	Clause("signalfd.pending-not-inherited", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
		Must(a.Kill(Must(a.Getpid()), unix.SIGUSR1))
		child := a.Fork()

		Expect(child.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.passed", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
		out, in := a.Sockets(unix.SOCK_STREAM)
		receiver := a.Fork()
		sender := actor.New()
		Must(receiver.Close(fd))

		a.SendDescriptor(out, fd)
		got := receiver.ReceiveDescriptor(in)
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(receiver.ReadSignals(got, 1)).To(FailWith(unix.EAGAIN))
		Must(sender.Sigqueue(receiver.PID(), unix.SIGUSR1, 5))
		Expect(readSignal(receiver, got, unix.SIGUSR1).Int()).To(Equal(5))
		expectLeft(receiver)
		readSignal(a, fd, unix.SIGUSR1)
		expectLeft(a)
	})

	Clause("signalfd.over-exec", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1, lowRT)
		sender := actor.New()
		Must(sender.Sigqueue(a.PID(), lowRT, 99))

		execAnew(a)
		Expect(readSignal(a, fd, lowRT).Int()).To(Equal(99))
		Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.exec-closes", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		closing := Must(a.Signalfd4(newFD, setOf(unix.SIGUSR1), unix.SFD_CLOEXEC))

		a.Exec()
		Expect(a.Fcntl(closing, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(Return(0))
	})

	Clause("signalfd.thread-reads-of-process", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
		thread := a.Thread()
		sender := actor.New()

		for _, reader := range []*actor.Actor{thread, a} {
			Must(sender.Kill(a.PID(), unix.SIGUSR1))
			readSignal(reader, fd, unix.SIGUSR1)
			Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
			Expect(thread.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("signalfd.thread-reads-its-own", func() {
		a, fd := signalfdOf(unix.SFD_NONBLOCK, unix.SIGUSR1)
		thread, sender := a.Thread(), actor.New()

		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		Expect(a.ReadSignals(fd, 1)).To(FailWith(unix.EAGAIN))
		Expect(readSignal(thread, fd, unix.SIGUSR1).PID()).To(Equal(Must(sender.Getpid())))
	})

	Clause("signalfd.thread-not-woken-by-anothers", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1)
		thread, sender := a.Thread(), actor.New()

		read := beginReadSignals(thread, fd, 1)
		Must(sender.Tgkill(a.PID(), a.TID(), unix.SIGUSR1))
		Expect(read).To(Block())
		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR1))
		toldSignal(read, unix.SIGUSR1)
		readSignal(a, fd, unix.SIGUSR1)
	})

	Clause("signalfd.thread-reads-both", func() {
		a, fd := signalfdOf(0, unix.SIGUSR1, unix.SIGUSR2)
		thread, sender := a.Thread(), actor.New()
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Must(sender.Tgkill(a.PID(), thread.TID(), unix.SIGUSR2))

		read := thread.ReadSignals(fd, 3)
		Expect(read).To(Return(2 * actor.SignalfdSize))
		Expect(actor.Mask(read.Signals()[0].Signo(), read.Signals()[1].Signo())).To(Equal(actor.Mask(unix.SIGUSR1, unix.SIGUSR2)))
		expectNoSignal(thread, fd)
	})
})
