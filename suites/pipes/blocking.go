package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("An empty pipe", func() {
	ofEachKind("pipe.read-empty-blocks", func(open newPipe) {
		writer := actor.New()
		r, w := open(writer, 0)
		reader := writer.Fork()

		read := reader.Begin().Read(r, 100)
		Expect(read).To(Block())
		Expect(writer.Write(w, []byte("x"))).To(Return(1))
		Expect(read).To(ReturnData("x"))
	})

	ofEachKind("pipe.read-empty-eagain", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, unix.O_NONBLOCK)
		Expect(reader.Read(r, 1)).To(FailWith(unix.EAGAIN))

		// A writer in another process is enough.
		reader.Fork()
		Must(reader.Close(w))
		Expect(reader.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.read-nonblock-data", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("hello")))

		Expect(a.Read(r, 3)).To(ReturnData("hel"))
		Expect(a.Read(r, 3)).To(ReturnData("lo"))
	})
})

var _ = Describe("A full pipe", func() {
	ofEachKind("pipe.write-full-blocks", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, 0)
		full := reader.Fill(w)
		writer := reader.Fork()

		write := writer.Begin().Write(w, []byte("x"))
		Expect(write).To(Block())
		Expect(reader.Read(r, page)).To(Return(page))
		Expect(write).To(Return(1))
		expectBytes(contents(reader, r), flow(make([]byte, full-page), []byte("x")))
	})

	ofEachKind("pipe.write-full-eagain", func(open newPipe) {
		a := actor.New()
		r, w := open(a, unix.O_NONBLOCK)
		full := a.Fill(w)

		for _, n := range []int{1, 2, pipeBuf - 1, pipeBuf} {
			Expect(a.Write(w, noise(n, 1))).To(FailWith(unix.EAGAIN))
		}
		expectBytes(contents(a, r), make([]byte, full))
	})
})

var _ = Describe("O_NONBLOCK", func() {
	ofEachKind("pipe.nonblock-by-setfl", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		b := a.Fork()

		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.Fcntl(r, unix.F_SETFL, 0)).To(Return(0))
		read := b.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(a.Write(w, []byte("x")))
		Expect(read).To(ReturnData("x"))

		full := a.Fill(w)
		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
		Expect(unread(a, r)).To(Equal(full))
		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		write := b.Begin().Write(w, []byte("x"))
		Expect(write).To(Block())
		Must(a.Read(r, page))
		Expect(write).To(Return(1))
	})

	Clause("pipe.nonblock-by-open", func() {
		path := actor.TempDir() + "/fifo"
		a := actor.New()
		Must(a.Mkfifo(path, 0o600))
		r := a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		Expect(r).To(ReturnFD())
		w := a.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0)
		Expect(w).To(ReturnFD())

		Expect(a.Read(r.Value(), 1)).To(FailWith(unix.EAGAIN))
		a.Fill(w.Value())
		Expect(a.Write(w.Value(), []byte("x"))).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.nonblock-of-one-end", "set on the read end", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		Expect(reader.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		full := reader.Fill(w)
		writer := reader.Fork()

		write := writer.Begin().Write(w, []byte("x"))
		Expect(write).To(Block())
		Must(reader.Read(r, page))
		Expect(write).To(Return(1))
		expectBytes(contents(reader, r), flow(make([]byte, full-page), []byte("x")))
		Expect(reader.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.nonblock-of-one-end", "set on the write end", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		Expect(writer.Fcntl(w, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		reader := writer.Fork()

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("x")))
		Expect(read).To(ReturnData("x"))
		writer.Fill(w)
		Expect(writer.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.nonblock-of-description", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		duplicate := Must(a.Dup(r))
		child := a.Fork()

		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(duplicate, 1)).To(FailWith(unix.EAGAIN))
		Expect(child.Read(r, 1)).To(FailWith(unix.EAGAIN))

		Expect(child.Fcntl(duplicate, unix.F_SETFL, 0)).To(Return(0))
		read := a.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(child.Write(w, []byte("x")))
		Expect(read).To(ReturnData("x"))
	})
})
