package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// blockedOpen has the actor begin an open, and sees it asleep.
func blockedOpen(a *actor.Actor, path string, flags int) *actor.Call {
	GinkgoHelper()
	open := a.Begin().Open(path, flags, 0)
	Expect(open).To(Block())
	return open
}

// unreadWriter opens the FIFO for writing and takes every reader away again.
func unreadWriter(a *actor.Actor, path string) (w int) {
	r, w := openEnds(a, path)
	Must(a.Close(r))
	return w
}

var _ = Describe("Opening a FIFO that has no other end", func() {
	Clause("fifo.read-open-blocks", func() {
		a := actor.New()
		Expect(a.Begin().Open(newFIFO(a), forReading, 0)).To(Block())
	})

	Clause("fifo.write-open-blocks", func() {
		a := actor.New()
		Expect(a.Begin().Open(newFIFO(a), forWriting, 0)).To(Block())
	})

	Clause("fifo.read-open-not-released-by-reader", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		Must(a.Open(path, readingNow, 0))
		open := blockedOpen(reader, path, forReading)
		Must(a.Open(path, readingNow, 0))
		Expect(open).To(Block())
		Must(a.Open(path, writingNow, 0))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-not-released-by-writer", func() {
		a, writer := actor.New(), actor.New()
		path := newFIFO(a)
		unreadWriter(a, path)
		open := blockedOpen(writer, path, forWriting)
		second := blockedOpen(actor.New(), path, forWriting)
		Expect(open).To(Block())
		Must(a.Open(path, readingNow, 0))
		Expect(open).To(ReturnEnd(forWriting))
		Expect(second).To(ReturnEnd(forWriting))
	})
})

var _ = Describe("An open that is blocked", func() {
	Clause("fifo.read-open-released-by-writer", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		open := blockedOpen(reader, path, forReading)
		Expect(writer.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-released-by-reader", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(writer)
		open := blockedOpen(writer, path, forWriting)
		Expect(reader.Open(path, forReading, 0)).To(ReturnEnd(forReading))
		Expect(open).To(ReturnEnd(forWriting))
	})

	Clause("fifo.read-open-released-by-nonblocking-writer", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		open := blockedOpen(reader, path, forReading)
		Expect(writer.Open(path, writingNow, 0)).To(ReturnEnd(writingNow))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-released-by-nonblocking-reader", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(writer)
		open := blockedOpen(writer, path, forWriting)
		Expect(reader.Open(path, readingNow, 0)).To(ReturnEnd(readingNow))
		Expect(open).To(ReturnEnd(forWriting))
	})

	Clause("fifo.read-open-released-by-read-write", func() {
		reader, both := actor.New(), actor.New()
		path := newFIFO(reader)
		open := blockedOpen(reader, path, forReading)
		Expect(both.Open(path, forBoth, 0)).To(ReturnEnd(forBoth))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-released-by-read-write", func() {
		writer, both := actor.New(), actor.New()
		path := newFIFO(writer)
		open := blockedOpen(writer, path, forWriting)
		Expect(both.Open(path, forBoth, 0)).To(ReturnEnd(forBoth))
		Expect(open).To(ReturnEnd(forWriting))
	})

	Clause("fifo.writer-releases-all-readers", func() {
		writer := actor.New()
		path := newFIFO(writer)
		var opens []*actor.Call
		for range 4 {
			opens = append(opens, blockedOpen(actor.New(), path, forReading))
		}
		Expect(writer.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))
		for _, open := range opens {
			Expect(open).To(ReturnEnd(forReading))
		}
	})

	Clause("fifo.reader-releases-all-writers", func() {
		reader := actor.New()
		path := newFIFO(reader)
		var opens []*actor.Call
		for range 4 {
			opens = append(opens, blockedOpen(actor.New(), path, forWriting))
		}
		Expect(reader.Open(path, forReading, 0)).To(ReturnEnd(forReading))
		for _, open := range opens {
			Expect(open).To(ReturnEnd(forWriting))
		}
	})

	Clause("fifo.read-open-returns-after-brief-writer", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		open := blockedOpen(reader, path, forReading)
		Must(writer.Close(Must(writer.Open(path, forWriting, 0))))
		Expect(open).To(ReturnEnd(forReading))
		Expect(reader.Read(open.Value(), 1)).To(Return(0))
	})

	Clause("fifo.write-open-returns-after-brief-reader", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(writer)
		writer.Ignore(unix.SIGPIPE)
		open := blockedOpen(writer, path, forWriting)
		Must(reader.Close(Must(reader.Open(path, forReading, 0))))
		Expect(open).To(ReturnEnd(forWriting))
		Expect(writer.Write(open.Value(), oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("fifo.blocked-open-of-thread", func() {
		a := actor.New()
		thread := a.Thread()
		path := newFIFO(a)
		r := blockedOpen(thread, path, forReading)
		w := a.Open(path, forWriting, 0)
		Expect(w).To(ReturnEnd(forWriting))
		Expect(r).To(ReturnEnd(forReading))
		send(a, w.Value(), "one process")
		Expect(a.Read(r.Value(), 100)).To(ReturnData("one process"))
	})

	Clause("fifo.unlinked-blocked-open-stays", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		Must(a.Link(path, path+"2"))
		open := blockedOpen(reader, path, forReading)
		Expect(a.Unlink(path)).To(Return(0))
		Expect(a.Open(path, readingNow, 0)).To(FailWith(unix.ENOENT))
		Expect(open).To(Block())
		Expect(a.Open(path+"2", forWriting, 0)).To(ReturnEnd(forWriting))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.data-passes-after-rendezvous", "reader first", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		r := blockedOpen(reader, path, forReading)
		w := writer.Open(path, forWriting, 0)
		Expect(writer.Write(w.Value(), []byte("data"))).To(Return(4))
		Expect(r).To(ReturnEnd(forReading))
		Expect(reader.Read(r.Value(), 100)).To(ReturnData("data"))
	})

	Clause("fifo.data-passes-after-rendezvous", "writer first", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		w := blockedOpen(writer, path, forWriting)
		r := reader.Open(path, forReading, 0)
		Expect(r).To(ReturnEnd(forReading))
		read := reader.Begin().Read(r.Value(), 100)
		Expect(w).To(ReturnEnd(forWriting))
		Expect(writer.Write(w.Value(), []byte("data"))).To(Return(4))
		Expect(read).To(ReturnData("data"))
	})
})

var _ = Describe("Opening a FIFO whose other end is open", func() {
	Clause("fifo.read-open-immediate-with-writer", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		w := unreadWriter(a, path)
		Expect(reader.Open(path, forReading, 0)).To(ReturnEnd(forReading))
		Must(a.Close(w))

		path = newFIFO(a)
		Must(a.Open(path, forBoth, 0))
		Expect(reader.Open(path, forReading, 0)).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-immediate-with-reader", func() {
		a, writer := actor.New(), actor.New()
		path := newFIFO(a)
		Must(a.Open(path, readingNow, 0))
		Expect(writer.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))

		path = newFIFO(a)
		Must(a.Open(path, forBoth, 0))
		Expect(writer.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))
	})
})

var _ = Describe("A signal to a process that is blocked in open", func() {
	Clause("fifo.read-open-eintr", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, 0)
		open := blockedOpen(a, path, forReading)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(open).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR1))
	})

	Clause("fifo.write-open-eintr", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, 0)
		open := blockedOpen(a, path, forWriting)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(open).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR1))
	})

	Clause("fifo.read-open-restarts", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		open := blockedOpen(a, path, forReading)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(open).To(Block())
		Expect(other.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.write-open-restarts", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		open := blockedOpen(a, path, forWriting)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(open).To(Block())
		Expect(other.Open(path, forReading, 0)).To(ReturnEnd(forReading))
		Expect(open).To(ReturnEnd(forWriting))
	})

	Clause("fifo.interrupted-read-open-no-reader", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, 0)
		open := blockedOpen(a, path, forReading)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(open).To(FailWith(unix.EINTR))
		Expect(other.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
	})

	Clause("fifo.interrupted-write-open-no-writer", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, 0)
		open := blockedOpen(a, path, forWriting)
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(open).To(FailWith(unix.EINTR))
		Expect(other.Begin().Open(path, forReading, 0)).To(Block())
	})

	Clause("fifo.interrupted-open-no-descriptor", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		a.Handle(unix.SIGUSR1, 0)
		for _, flags := range []int{forReading, forWriting} {
			r, w := nextDescriptors(a)
			open := blockedOpen(a, path, flags)
			Must(other.Kill(a.PID(), unix.SIGUSR1))
			Expect(open).To(FailWith(unix.EINTR))
			expectNextDescriptors(a, r, w)
		}
	})

	Clause("fifo.killed-in-open-no-reader", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		open := blockedOpen(a, path, forReading)
		Must(other.Kill(a.PID(), unix.SIGKILL))
		Expect(open).To(BeKilledBy(unix.SIGKILL))
		Expect(other.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
	})
})

var _ = Describe("Opening a FIFO with O_NONBLOCK", func() {
	Clause("fifo.nonblocking-read-open-alone", func() {
		a := actor.New()
		Expect(a.Open(newFIFO(a), readingNow, 0)).To(ReturnEnd(readingNow))
	})

	Clause("fifo.nonblocking-read-alone-empty", func() {
		a := actor.New()
		r := Must(a.Open(newFIFO(a), readingNow, 0))
		Expect(a.Read(r, 100)).To(Return(0))
	})

	Clause("fifo.nonblocking-read-with-writer-eagain", func() {
		a := actor.New()
		r, _ := openEnds(a, newFIFO(a))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("fifo.nonblocking-write-eagain", func() {
		a := actor.New()
		path := newFIFO(a)
		Must(a.Open(path, readingNow, 0))
		w := Must(a.Open(path, writingNow, 0))
		a.Fill(w)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("fifo.nonblocking-flag-is-set", func() {
		a := actor.New()
		path := newFIFO(a)
		Must(a.Open(path, forBoth, 0))
		for _, mode := range []int{forReading, forWriting, forBoth} {
			for _, flag := range []int{0, nonblocking} {
				fd := a.Open(path, mode|flag, 0)
				Expect(fd).To(ReturnEnd(mode | flag))
				Expect(hasFlag(a, fd.Value(), nonblocking)).To(Equal(flag != 0), "O_NONBLOCK")
				Expect(accessMode(a, fd.Value())).To(Equal(mode))
			}
		}
	})

	Clause("fifo.nonblocking-write-open-enxio", func() {
		a := actor.New()
		Expect(a.Open(newFIFO(a), writingNow, 0)).To(FailWith(unix.ENXIO))
	})

	Clause("fifo.nonblocking-write-open-enxio-beside-writer", func() {
		a := actor.New()
		path := newFIFO(a)
		unreadWriter(a, path)
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
	})

	Clause("fifo.nonblocking-write-open-enxio-beside-blocked-writer", func() {
		a, writer := actor.New(), actor.New()
		path := newFIFO(a)
		open := blockedOpen(writer, path, forWriting)
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
		Expect(open).To(Block())
		Must(a.Open(path, forReading, 0))
		Expect(open).To(ReturnEnd(forWriting))
	})

	Clause("fifo.nonblocking-write-open-enxio-again", func() {
		a := actor.New()
		path := newFIFO(a)
		r := Must(a.Open(path, readingNow, 0))
		w := Must(a.Open(path, forWriting, 0))
		Must(a.Close(w))
		Must(a.Close(r))
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
	})

	Clause("fifo.nonblocking-write-open-enxio-leaves-nothing", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		r, w := nextDescriptors(a)
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
		expectNextDescriptors(a, r, w)
		Expect(reader.Begin().Open(path, forReading, 0)).To(Block())
	})

	Clause("fifo.nonblocking-write-open-with-reader", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		Must(reader.Open(path, readingNow, 0))
		Expect(a.Open(path, writingNow, 0)).To(ReturnEnd(writingNow))
	})
})

var _ = Describe("Opening a FIFO with O_RDWR", func() {
	Clause("fifo.read-write-open-alone", func() {
		a := actor.New()
		Expect(a.Open(newFIFO(a), forBoth, 0)).To(ReturnEnd(forBoth))
		Expect(a.Open(newFIFO(a), forBoth|nonblocking, 0)).To(ReturnEnd(forBoth | nonblocking))
	})

	Clause("fifo.read-write-open-beside-others", func() {
		a, both := actor.New(), actor.New()
		path := newFIFO(a)
		Must(a.Open(path, readingNow, 0))
		Expect(both.Open(path, forBoth, 0)).To(ReturnEnd(forBoth))
		Expect(both.Open(path, forBoth|nonblocking, 0)).To(ReturnEnd(forBoth | nonblocking))

		path = newFIFO(a)
		unreadWriter(a, path)
		Expect(both.Open(path, forBoth, 0)).To(ReturnEnd(forBoth))
		Expect(both.Open(path, forBoth|nonblocking, 0)).To(ReturnEnd(forBoth | nonblocking))
	})

	Clause("fifo.read-write-talks-to-itself", func() {
		a := actor.New()
		fd := Must(a.Open(newFIFO(a), forBoth, 0))
		Expect(a.Write(fd, []byte("to myself"))).To(Return(9))
		Expect(a.Read(fd, 100)).To(ReturnData("to myself"))
	})

	Clause("fifo.read-write-writes-without-reader", func() {
		a, reader := actor.New(), actor.New()
		path := newFIFO(a)
		fd := Must(a.Open(path, forBoth, 0))
		Expect(a.Write(fd, []byte("for later"))).To(Return(9))
		r := reader.Open(path, forReading, 0)
		Expect(r).To(ReturnEnd(forReading))
		Expect(reader.Read(r.Value(), 100)).To(ReturnData("for later"))
	})

	Clause("fifo.read-write-lets-write-only-open", func() {
		a := actor.New()
		path := newFIFO(a)
		Must(a.Open(path, forBoth, 0))
		Expect(a.Open(path, writingNow, 0)).To(ReturnEnd(writingNow))
	})

	Clause("fifo.read-write-no-end-of-file", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		fd := Must(a.Open(path, forBoth, 0))
		read := a.Begin().Read(fd, 100)
		Expect(read).To(Block())
		w := Must(other.Open(path, writingNow, 0))
		Must(other.Close(w))
		Expect(read).To(Block())
		w = Must(other.Open(path, writingNow, 0))
		send(other, w, "from outside")
		Expect(read).To(ReturnData("from outside"))
	})

	Clause("fifo.read-write-no-sigpipe", func() {
		a, other := actor.New(), actor.New()
		path := newFIFO(a)
		fd := Must(a.Open(path, forBoth, 0))
		n := a.Fill(fd)
		write := a.Begin().Write(fd, oneByte)
		Expect(write).To(Block())
		r := Must(other.Open(path, readingNow, 0))
		Expect(write).To(Block())
		Must(other.Read(r, n))
		Expect(write).To(Return(1))
	})

	Clause("fifo.read-write-counts-as-both", func() {
		a, other := actor.New(), actor.New()
		other.Ignore(unix.SIGPIPE)
		path := newFIFO(a)
		both := Must(a.Open(path, forBoth, 0))
		w := Must(other.Open(path, forWriting, 0))
		Must(other.Write(w, oneByte))
		Must(a.Close(both))
		Expect(other.Write(w, oneByte)).To(FailWith(unix.EPIPE))

		path = newFIFO(a)
		both = Must(a.Open(path, forBoth, 0))
		r := Must(other.Open(path, readingNow, 0))
		Expect(other.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Must(a.Close(both))
		Expect(other.Read(r, 1)).To(Return(0))
	})
})
