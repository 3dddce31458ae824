package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// abandoned are the descriptors from which nobody reads any more: a pipe's write end, and a stream
// socket.
func abandoned(a *actor.Actor) (pipe, socket int) { return abandonedPipe(a), abandonedSocket(a) }

func abandonedPipe(a *actor.Actor) int {
	r, w := a.Pipe(0)
	Must(a.Close(r))
	return w
}

func abandonedSocket(a *actor.Actor) int {
	here, there := a.Sockets(unix.SOCK_STREAM)
	Must(a.Close(there))
	return here
}

var _ = Describe("A write that nobody can read", func() {
	Clause("write.epipe-pipe", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		w := abandonedPipe(a)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a.Write(w, make([]byte, 100000))).To(FailWith(unix.EPIPE))

		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w = Must(a.Open(path, unix.O_WRONLY, 0))
		Must(a.Close(r))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("write.epipe-stream-socket", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		socket := abandonedSocket(a)
		Expect(a.Write(socket, oneByte)).To(FailWith(unix.EPIPE))

		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_RD))
		Expect(a.Write(here, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("write.sigpipe-kills", "pipe", func() {
		a := actor.New()
		w := abandonedPipe(a)
		Expect(a.Write(w, oneByte)).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("write.sigpipe-kills", "stream socket", func() {
		a := actor.New()
		socket := abandonedSocket(a)
		Expect(a.Write(socket, oneByte)).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("write.sigpipe-caught", func() {
		a := actor.New()
		a.Handle(unix.SIGPIPE, 0)
		pipe, socket := abandoned(a)
		var caught []unix.Signal
		for _, fd := range []int{pipe, socket} {
			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EPIPE))
			caught = append(caught, unix.SIGPIPE)
			Expect(a).To(Catch(caught...))
		}
	})

	Clause("write.sigpipe-blocked", func() {
		for i := range 2 {
			a := actor.New()
			a.SetMask(unix.SIGPIPE)
			pipe, socket := abandoned(a)
			fd := []int{pipe, socket}[i]

			Expect(a.PendingSignals()).To(BeZero())
			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EPIPE))
			Expect(a.PendingSignals()).To(Equal(actor.Bit(unix.SIGPIPE)))
		}
	})

	Clause("write.epipe-while-blocked", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		reader.Fill(w)
		writer := reader.Fork()
		Must(writer.Close(r))
		writer.Handle(unix.SIGPIPE, 0)

		write := writer.Begin().Write(w, oneByte)
		Expect(write).To(Block())
		Must(reader.Close(r))
		Expect(write).To(FailWith(unix.EPIPE))
		Expect(writer).To(Catch(unix.SIGPIPE))
	})

	Clause("write.epipe-seqpacket-no-signal", func() {
		a := actor.New()
		a.Handle(unix.SIGPIPE, 0)
		here, there := a.Sockets(unix.SOCK_SEQPACKET)
		Must(a.Close(there))

		Expect(a.Write(here, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a.Events()).To(BeEmpty())
	})

	Clause("write.unix-datagram-econnrefused", func() {
		a := actor.New()
		a.Handle(unix.SIGPIPE, 0)
		here, there := a.Sockets(unix.SOCK_DGRAM)
		Must(a.Close(there))

		Expect(a.Write(here, oneByte)).To(FailWith(unix.ECONNREFUSED))
		Expect(a.Events()).To(BeEmpty())
	})
})
