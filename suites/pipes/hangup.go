package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A pipe without writers", func() {
	ofEachKind("pipe.eof-no-writer", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		Must(a.Close(w))

		for range 3 {
			Expect(a.Read(r, 10)).To(Return(0))
		}
	})

	ofEachKind("pipe.eof-after-data", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		Must(a.Write(w, []byte("abc")))
		Must(a.Close(w))

		Expect(a.Read(r, 2)).To(ReturnData("ab"))
		Expect(a.Read(r, 2)).To(ReturnData("c"))
		Expect(a.Read(r, 2)).To(Return(0))
	})

	Clause("pipe.eof-after-data", "a full pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := noise(Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)), 1)
		Must(a.Write(w, data))
		Must(a.Close(w))

		Expect(a.Read(r, 2*len(data))).To(ReturnData(data))
		Expect(a.Read(r, 1)).To(Return(0))
	})

	ofEachKind("pipe.eof-nonblock", func(open newPipe) {
		a := actor.New()
		r, w := open(a, unix.O_NONBLOCK)
		Expect(a.Read(r, 10)).To(FailWith(unix.EAGAIN))
		Must(a.Close(w))

		Expect(a.Read(r, 10)).To(Return(0))
		Expect(a.Read(r, 10)).To(Return(0))
	})

	Clause("pipe.eof-not-before-last-dup", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		Must(reader.Close(w))
		first := Must(writer.Dup(w))
		second := Must(writer.Fcntl(w, unix.F_DUPFD, 20))

		read := reader.Begin().Read(r, 10)
		Expect(writer.Close(w)).To(Return(0))
		Expect(writer.Close(first)).To(Return(0))
		Expect(read).To(Block())
		Expect(writer.Close(second)).To(Return(0))
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-not-before-last-process", "after fork", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		one, other := reader.Fork(), reader.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 10)
		Expect(one.Close(w)).To(Return(0))
		Expect(read).To(Block())
		Expect(other.Close(w)).To(Return(0))
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-not-before-last-process", "after fork and execve", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		writer.Exec()
		Expect(reader.Close(w)).To(Return(0))

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		Expect(writer.Close(w)).To(Return(0))
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-at-exit", "exit", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		writer.Exit(0)
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-at-exit", "killed", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(actor.New().Kill(writer.PID(), unix.SIGKILL))
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-at-cloexec", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		Must(reader.Close(w))
		Must(writer.Fcntl(w, unix.F_SETFD, unix.FD_CLOEXEC))

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		writer.Exec()
		Expect(read).To(Return(0))
	})

	Clause("pipe.eof-wakes-all", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		var reads []*actor.Call
		for range 4 {
			reader := writer.Fork()
			Must(reader.Close(w))
			reads = append(reads, reader.Begin().Read(r, 10))
		}
		for _, read := range reads {
			Expect(read).To(Block())
		}

		Expect(writer.Close(w)).To(Return(0))
		for _, read := range reads {
			Expect(read).To(Return(0))
		}
	})
})

var _ = Describe("A pipe without readers", func() {
	ofEachKind("pipe.sigpipe-generated", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		a.Handle(unix.SIGPIPE, 0)
		Must(a.Close(r))

		var caught []unix.Signal
		for _, n := range []int{1, pipeBuf, pipeBuf + 1, 20 * page} {
			Expect(a.Write(w, noise(n, 1))).To(FailWith(unix.EPIPE))
			caught = append(caught, unix.SIGPIPE)
			Expect(a).To(Catch(caught...))
		}
	})

	ofEachKind("pipe.sigpipe-kills", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		Must(a.Close(r))

		Expect(a.Write(w, oneByte)).To(BeKilledBy(unix.SIGPIPE))
	})

	ofEachKind("pipe.sigpipe-ignored-epipe", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		a.Ignore(unix.SIGPIPE)
		Must(a.Close(r))

		for _, n := range []int{1, pipeBuf, pipeBuf + 1, 20 * page} {
			Expect(a.Write(w, noise(n, 1))).To(FailWith(unix.EPIPE))
		}
	})

	Clause("pipe.sigpipe-masked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.SetMask(unix.SIGPIPE)
		Must(a.Close(r))
		Expect(a.PendingSignals() & actor.Bit(unix.SIGPIPE)).To(BeZero())

		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a.PendingSignals() & actor.Bit(unix.SIGPIPE)).NotTo(BeZero())
	})

	Clause("pipe.sigpipe-for-caller-only", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGPIPE, 0)
		b := a.Fork()
		Must(a.Close(r))
		Must(b.Close(r))

		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
		// A signal for b would be there by now, and be delivered at the latest when b comes out
		// of a system call.
		Must(b.Getpid())
		Expect(b.Events()).To(BeEmpty())
	})

	Clause("pipe.epipe-before-eagain", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		a.Ignore(unix.SIGPIPE)
		full := a.Fill(w)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		Expect(unread(a, r)).To(Equal(full))
		Must(a.Close(r))

		for _, n := range []int{1, pipeBuf, pipeBuf + 1} {
			Expect(a.Write(w, noise(n, 1))).To(FailWith(unix.EPIPE))
		}
	})

	Clause("pipe.no-sigpipe-before-last-reader", "a duplicate", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGPIPE, 0)
		duplicate := Must(a.Dup(r))
		Expect(a.Close(r)).To(Return(0))

		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Events()).To(BeEmpty())
		Expect(a.Close(duplicate)).To(Return(0))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
	})

	Clause("pipe.no-sigpipe-before-last-reader", "another process", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGPIPE, 0)
		b := a.Fork()
		Expect(a.Close(r)).To(Return(0))

		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Events()).To(BeEmpty())
		Expect(b.Close(r)).To(Return(0))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
	})

	Clause("pipe.sigpipe-wakes-all", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		reader.Fill(w)
		var writes []*actor.Call
		for _, n := range []int{1, pipeBuf - 1, pipeBuf} {
			writer := reader.Fork()
			writer.Handle(unix.SIGPIPE, 0)
			Must(writer.Close(r))
			writes = append(writes, writer.Begin().Write(w, noise(n, 1)))
		}
		for _, write := range writes {
			Expect(write).To(Block())
		}

		Expect(reader.Close(r)).To(Return(0))
		for _, write := range writes {
			Expect(write).To(FailWith(unix.EPIPE))
			Expect(write.Actor()).To(Catch(unix.SIGPIPE))
		}
	})
})
