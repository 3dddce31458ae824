package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A read that would block", func() {
	Clause("read.eagain-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Must(a.Write(w, oneByte))
		Expect(a.Read(r, 1)).To(ReturnData(oneByte))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-fifo", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Must(a.Open(path, unix.O_WRONLY, 0))

		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-terminal", func() {
		a := actor.New()
		_, slave := a.Terminal(unix.O_NONBLOCK)

		Expect(a.Read(slave, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-eventfd", func() {
		a := actor.New()
		event := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))

		Expect(a.Read(event, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-timerfd", func() {
		a := actor.New()
		timer := newTimer(a, 3600, 0)

		Expect(a.Read(timer, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-signalfd", func() {
		a := actor.New()
		signals := newSignalfd(a, unix.SIGUSR1)

		Expect(a.Read(signals, signalfdSize)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-inotify", func() {
		a := actor.New()
		watch := Must(a.Raw(unix.SYS_INOTIFY_INIT1, unix.IN_NONBLOCK))

		Expect(a.Read(watch, 4096)).To(FailWith(unix.EAGAIN))
	})

	Clause("read.eagain-marked-later", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		duplicate := Must(reader.Dup(r))
		writer := reader.Fork()

		Expect(writer.Fcntl(duplicate, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(reader.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Expect(reader.Fcntl(r, unix.F_SETFL, 0)).To(Return(0))
		read := reader.Begin().Read(duplicate, 1)
		Expect(read).To(Block())
		Must(writer.Write(w, oneByte))
		Expect(read).To(ReturnData(oneByte))
	})

	Clause("read.nonblock-has-data", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Read(r, 1)).To(ReturnData("a"))
		Expect(a.Read(r, 100)).To(ReturnData("bc"))
	})

	Clause("read.nonblock-eof-zero", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Close(w))

		Expect(a.Read(r, 1)).To(Return(0))
	})

	emptySocket := func(kind int) {
		a := actor.New()
		here, there := a.Sockets(kind | unix.SOCK_NONBLOCK)

		Expect(a.Read(here, 1)).To(FailWith(unix.EAGAIN, unix.EWOULDBLOCK))
		Must(a.Write(there, oneByte))
		Expect(a.Read(here, 1)).To(ReturnData(oneByte))
		Expect(a.Read(here, 1)).To(FailWith(unix.EAGAIN, unix.EWOULDBLOCK))
	}
	Clause("read.eagain-stream-socket", func() { emptySocket(unix.SOCK_STREAM) })
	Clause("read.eagain-datagram-socket", func() { emptySocket(unix.SOCK_DGRAM) })
	Clause("read.eagain-seqpacket-socket", func() { emptySocket(unix.SOCK_SEQPACKET) })
})

var _ = Describe("A read that a signal interrupts", func() {
	Clause("read.eintr-pipe", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Read(r, 10) })
	})

	Clause("read.eintr-takes-nothing", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Read(r, 4) })

		Must(a.Write(w, []byte("0123456789")))
		Expect(a.Read(r, 10)).To(ReturnData("0123456789"))
	})

	Clause("read.eintr-socket", func() {
		a := actor.New()
		here, _ := a.Sockets(unix.SOCK_STREAM)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Read(here, 10) })
	})

	Clause("read.eintr-terminal", func() {
		a := actor.New()
		_, slave := a.Terminal(0)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Read(slave, 10) })
	})
})

// expectInterrupted checks that a call that sleeps fails with EINTR when a handler without
// SA_RESTART has caught a signal.
func expectInterrupted(a *actor.Actor, begin func() *actor.Call) {
	GinkgoHelper()
	a.Handle(unix.SIGUSR1, 0)
	other := a.Fork()
	call := begin()
	Expect(call).To(Block())
	Must(other.Kill(a.PID(), unix.SIGUSR1))
	Expect(call).To(FailWith(unix.EINTR))
}

// newTimer makes a timerfd with O_NONBLOCK that expires once, so much from now.
func newTimer(a *actor.Actor, seconds, nanoseconds uint64) int {
	timer := Must(a.Raw(unix.SYS_TIMERFD_CREATE, unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK))
	when := a.Alloc(32) // interval, then value
	when.PutUint64(16, seconds)
	when.PutUint64(24, nanoseconds)
	Must(a.Raw(unix.SYS_TIMERFD_SETTIME, timer, 0, when, nil))
	return timer
}

// signalfdSize is the size of struct signalfd_siginfo.
const signalfdSize = 128

// newSignalfd blocks a signal and makes a signalfd for it, with O_NONBLOCK.
func newSignalfd(a *actor.Actor, sig unix.Signal) int {
	a.SetMask(sig)
	return Must(a.Raw(unix.SYS_SIGNALFD4, -1, a.Sigset(sig), 8, unix.SFD_NONBLOCK))
}
