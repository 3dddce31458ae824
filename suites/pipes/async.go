package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// settledEvents returns the signals that the actor has handled. One that was sent before is among
// them: at the latest it is delivered when the actor comes out of the system call made here.
func settledEvents(a *actor.Actor) []actor.Event {
	Must(a.Getpid())
	return a.Events()
}

var _ = Describe("A pipe with O_ASYNC", func() {
	ofEachKind("pipe.async-input", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, 0)
		writer := reader.Fork()
		reader.Handle(unix.SIGIO, 0)

		Expect(reader.Fcntl(r, unix.F_SETOWN, Must(reader.Getpid()))).To(Return(0))
		Expect(reader.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		Expect(settledEvents(reader)).To(BeEmpty())
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(reader.NextEvent().Signal).To(Equal(unix.SIGIO))
	})

	Clause("pipe.async-each-write", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		reader.Handle(unix.SIGIO, 0)
		Must(reader.Fcntl(r, unix.F_SETOWN, Must(reader.Getpid())))
		Must(reader.Fcntl(r, unix.F_SETFL, unix.O_ASYNC))

		for n := 1; n <= 5; n++ {
			Expect(writer.Write(w, oneByte)).To(Return(1))
			Expect(reader.NextEvent().Signal).To(Equal(unix.SIGIO))
		}
		Expect(unread(reader, r)).To(Equal(5))
	})

	Clause("pipe.async-room", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		writer.Fill(w)
		reader := writer.Fork()
		writer.Handle(unix.SIGIO, 0)

		Expect(writer.Fcntl(w, unix.F_SETOWN, Must(writer.Getpid()))).To(Return(0))
		Expect(writer.Fcntl(w, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		Expect(settledEvents(writer)).To(BeEmpty())
		Expect(reader.Read(r, page)).To(ReturnData(make([]byte, page)))
		Expect(writer.NextEvent().Signal).To(Equal(unix.SIGIO))
	})

	Clause("pipe.async-needs-owner", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		reader.Handle(unix.SIGIO, 0)
		Expect(reader.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))

		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(settledEvents(reader)).To(BeEmpty())
		Must(reader.Read(r, 1))
		Expect(reader.Fcntl(r, unix.F_SETOWN, Must(reader.Getpid()))).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(reader.NextEvent().Signal).To(Equal(unix.SIGIO))
		Expect(settledEvents(reader)).To(HaveLen(1))
	})

	Clause("pipe.async-owner-gets-it", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGIO, 0)
		owner, writer := a.Fork(), a.Fork()

		Expect(a.Fcntl(r, unix.F_SETOWN, Must(owner.Getpid()))).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(owner.NextEvent().Signal).To(Equal(unix.SIGIO))
		Expect(settledEvents(a)).To(BeEmpty())
		Expect(settledEvents(writer)).To(BeEmpty())
	})

	Clause("pipe.async-group-gets-it", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGIO, 0)
		leader, member, outsider := a.Fork(), a.Fork(), a.Fork()
		group := Must(leader.Getpid())
		Must(leader.Setpgid(0, 0))
		Must(member.Setpgid(0, group))

		Expect(a.Fcntl(r, unix.F_SETOWN, -group)).To(Return(0))
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(leader.NextEvent().Signal).To(Equal(unix.SIGIO))
		Expect(member.NextEvent().Signal).To(Equal(unix.SIGIO))
		Expect(settledEvents(outsider)).To(BeEmpty())
		Expect(settledEvents(a)).To(BeEmpty())
	})

	Clause("pipe.async-off", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		reader.Handle(unix.SIGIO, 0)

		Expect(reader.Fcntl(r, unix.F_SETOWN, Must(reader.Getpid()))).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(settledEvents(reader)).To(BeEmpty())
		Must(reader.Read(r, 1))

		Expect(reader.Fcntl(r, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Must(reader.Getpid())
		Expect(reader).To(Catch(unix.SIGIO))
		Must(reader.Read(r, 1))

		Expect(reader.Fcntl(r, unix.F_SETFL, 0)).To(Return(0))
		// Whether the read, which has made room, is told of is not what this is about.
		before := len(settledEvents(reader))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(settledEvents(reader)).To(HaveLen(before))
	})

	Clause("pipe.async-other-signal", func() {
		const other = unix.Signal(40) // a real-time signal
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		reader.Handle(unix.SIGIO, 0)
		reader.Handle(other, 0)
		Must(reader.Fcntl(r, unix.F_SETOWN, Must(reader.Getpid())))
		Must(reader.Fcntl(r, unix.F_SETFL, unix.O_ASYNC))

		Expect(reader.Fcntl(r, unix.F_SETSIG, int(other))).To(Return(0))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		event := reader.NextEvent()
		Expect(event.Signal).To(Equal(other))
		Expect(event.Info.FD()).To(Equal(r))
		Must(reader.Read(r, 1))

		Expect(reader.Fcntl(r, unix.F_SETSIG, 0)).To(Return(0))
		before := len(settledEvents(reader))
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(reader.AwaitEvents(before + 1)[before].Signal).To(Equal(unix.SIGIO))
		Expect(settledEvents(reader)).To(HaveLen(before + 1))
	})
})
