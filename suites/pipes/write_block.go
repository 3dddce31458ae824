package pipes

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write that would block", func() {
	Clause("write.eagain-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		filled := a.Fill(w)

		for _, n := range []int{1, 4096, 100000} {
			Expect(a.Write(w, make([]byte, n))).To(FailWith(unix.EAGAIN))
		}
		Expect(a.Fionread(r).Int()).To(Equal(filled))
	})

	Clause("write.eagain-fifo", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0))
		a.Fill(w)

		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.eagain-terminal", func() {
		a := actor.New()
		_, slave := a.Terminal(unix.O_NONBLOCK)
		const suspend = 0 // TCOOFF
		Must(a.Ioctl(slave, unix.TCXONC, suspend))

		Expect(a.Write(slave, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.eagain-eventfd", func() {
		a := actor.New()
		event := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))
		Must(a.Write(event, number64(math.MaxUint64-1-5)))

		Expect(a.Write(event, number64(6))).To(FailWith(unix.EAGAIN))
		Expect(a.Write(event, number64(5))).To(Return(8))
		Expect(a.Write(event, number64(1))).To(FailWith(unix.EAGAIN))
	})

	Clause("write.eagain-marked-later", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		full := writer.Fill(w)
		duplicate := Must(writer.Dup(w))
		reader := writer.Fork()

		Expect(reader.Fcntl(duplicate, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		Expect(unread(reader, r)).To(Equal(full))
		Expect(writer.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		write := writer.Begin().Write(duplicate, oneByte)
		Expect(write).To(Block())
		Must(reader.Read(r, 1<<20))
		Expect(write).To(Return(1))
	})

	fullSocket := func(kind int) {
		a := actor.New()
		here, _ := a.Sockets(kind | unix.SOCK_NONBLOCK)
		a.Fill(here)

		Expect(a.Write(here, oneByte)).To(FailWith(unix.EAGAIN, unix.EWOULDBLOCK))
	}
	Clause("write.eagain-stream-socket", func() { fullSocket(unix.SOCK_STREAM) })
	Clause("write.eagain-datagram-socket", func() { fullSocket(unix.SOCK_DGRAM) })
	Clause("write.eagain-seqpacket-socket", func() { fullSocket(unix.SOCK_SEQPACKET) })
})

var _ = Describe("A write that a signal interrupts", func() {
	Clause("write.eintr-pipe", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		a.Fill(w)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Write(w, oneByte) })
	})

	Clause("write.eintr-puts-nothing", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		filled := a.Fill(w)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Write(w, oneByte) })

		Expect(a.Read(r, 2*filled)).To(ReturnData(make([]byte, filled)))
	})

	Clause("write.eintr-atomic-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		filled := a.Fill(w)
		Must(a.Read(r, 100))
		content := sample(4096) // PIPE_BUF
		expectInterrupted(a, func() *actor.Call { return a.Begin().Write(w, content) })

		Expect(a.Read(r, 2*filled)).To(ReturnData(make([]byte, filled-100)))
	})

	Clause("write.eintr-socket", func() {
		a := actor.New()
		here, _ := a.Sockets(unix.SOCK_STREAM)
		a.Fill(here)
		expectInterrupted(a, func() *actor.Call { return a.Begin().Write(here, oneByte) })
	})
})
