package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("Those who wait for a pipe", func() {
	// readersOfOneByte are so many processes that wait in a read of one byte.
	readersOfOneByte := func(a *actor.Actor, r, count int) []*actor.Call {
		var reads []*actor.Call
		for range count {
			reads = append(reads, a.Fork().Begin().Read(r, 1))
		}
		for _, read := range reads {
			Expect(read).To(Block())
		}
		return reads
	}

	Clause("pipe.write-wakes-every-reader", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		reads := readersOfOneByte(writer, r, 4)

		Expect(writer.Write(w, []byte("abcd"))).To(Return(4))
		var got []string
		for _, read := range reads {
			Expect(read).To(Return(1))
			got = append(got, string(read.Data()))
		}
		Expect(got).To(ConsistOf("a", "b", "c", "d"))
	})

	Clause("pipe.write-wakes-next-reader", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		reads := readersOfOneByte(writer, r, 2)

		Expect(writer.Write(w, []byte("a"))).To(Return(1))
		Expect(writer.Write(w, []byte("b"))).To(Return(1))
		Expect(reads[0]).To(Return(1))
		Expect(reads[1]).To(Return(1))
		Expect([]string{string(reads[0].Data()), string(reads[1].Data())}).To(ConsistOf("a", "b"))
	})

	Clause("pipe.read-wakes-every-writer", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		full := reader.Fill(w)
		var writes []*actor.Call
		for _, text := range []string{"a", "b", "c"} {
			writes = append(writes, reader.Fork().Begin().Write(w, []byte(text)))
		}
		for _, write := range writes {
			Expect(write).To(Block())
		}

		Expect(reader.Read(r, 3*page)).To(Return(3 * page))
		for _, write := range writes {
			Expect(write).To(Return(1))
		}
		rest := contents(reader, r)
		Expect(rest).To(HaveLen(full - 3*page + 3))
		expectBytes(rest[:full-3*page], make([]byte, full-3*page))
		Expect(rest[full-3*page:]).To(ConsistOf(byte('a'), byte('b'), byte('c')))
	})

	Clause("pipe.read-wakes-next-writer", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		full := reader.Fill(w)
		one := reader.Fork().Begin().Write(w, record(0, pipeBuf))
		other := reader.Fork().Begin().Write(w, record(1, pipeBuf))
		Expect(one).To(Block())
		Expect(other).To(Block())

		Expect(reader.Read(r, page)).To(Return(page))
		Expect(reader.Read(r, page)).To(Return(page))
		Expect(one).To(Return(pipeBuf))
		Expect(other).To(Return(pipeBuf))
		rest := contents(reader, r)
		expectBytes(rest[:full-2*page], make([]byte, full-2*page))
		Expect(countRecords(rest[full-2*page:], record(0, pipeBuf), record(1, pipeBuf))).To(Equal([]int{1, 1}))
	})
})

var _ = Describe("A signal during a call that waits for a pipe", func() {
	ofEachKind("pipe.read-interrupted", func(open newPipe) {
		writer := actor.New()
		r, w := open(writer, 0)
		reader := writer.Fork()
		reader.Handle(unix.SIGUSR1, 0)

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		Must(writer.Kill(reader.PID(), unix.SIGUSR1))
		Expect(read).To(FailWith(unix.EINTR))
		Expect(reader).To(Catch(unix.SIGUSR1))

		Must(writer.Write(w, []byte("hello")))
		Expect(reader.Read(r, 10)).To(ReturnData("hello"))
	})

	ofEachKind("pipe.read-restarted", func(open newPipe) {
		writer := actor.New()
		r, w := open(writer, 0)
		reader := writer.Fork()
		reader.Handle(unix.SIGUSR1, actor.SA_RESTART)

		read := reader.Begin().Read(r, 10)
		Expect(read).To(Block())
		var caught []unix.Signal
		for range 3 {
			Must(writer.Kill(reader.PID(), unix.SIGUSR1))
			caught = append(caught, unix.SIGUSR1)
			Expect(reader).To(Catch(caught...))
			Expect(read).To(Block())
		}
		Must(writer.Write(w, []byte("hello")))
		Expect(read).To(ReturnData("hello"))
	})

	ofEachKind("pipe.write-interrupted", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, 0)
		full := reader.Fill(w)
		writer := reader.Fork()
		writer.Handle(unix.SIGUSR1, 0)

		var caught []unix.Signal
		for _, n := range []int{1, pipeBuf, pipeBuf + 1} {
			write := writer.Begin().Write(w, noise(n, 1))
			Expect(write).To(Block())
			Must(reader.Kill(writer.PID(), unix.SIGUSR1))
			Expect(write).To(FailWith(unix.EINTR))
			caught = append(caught, unix.SIGUSR1)
			Expect(writer).To(Catch(caught...))
		}
		expectBytes(contents(reader, r), make([]byte, full))
	})

	ofEachKind("pipe.write-restarted", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, 0)
		full := reader.Fill(w)
		writer := reader.Fork()
		writer.Handle(unix.SIGUSR1, actor.SA_RESTART)
		data := noise(pipeBuf, 1)

		write := writer.Begin().Write(w, data)
		Expect(write).To(Block())
		var caught []unix.Signal
		for range 3 {
			Must(reader.Kill(writer.PID(), unix.SIGUSR1))
			caught = append(caught, unix.SIGUSR1)
			Expect(writer).To(Catch(caught...))
			Expect(write).To(Block())
		}
		Must(reader.Read(r, page))
		Expect(write).To(Return(pipeBuf))
		expectBytes(contents(reader, r), flow(make([]byte, full-page), data))
	})

	for _, handler := range []struct {
		name  string
		flags uint64
	}{{"without SA_RESTART", 0}, {"with SA_RESTART", actor.SA_RESTART}} {
		Clause("pipe.write-interrupted-partial", handler.name, func() {
			reader := actor.New()
			r, w := reader.Pipe(0)
			capacity := Must(reader.Fcntl(w, unix.F_GETPIPE_SZ, 0))
			writer := reader.Fork()
			writer.Handle(unix.SIGUSR1, handler.flags)
			data := noise(2*capacity, 1)

			write := writer.Begin().Write(w, data)
			Expect(write).To(Block())
			Expect(unread(reader, r)).To(BeNumerically(">", 0))
			Must(reader.Kill(writer.PID(), unix.SIGUSR1))
			written := write.Value()
			Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<=", capacity)))
			Expect(writer).To(Catch(unix.SIGUSR1))
			Expect(unread(reader, r)).To(Equal(written))
			expectBytes(contents(reader, r), data[:written])
		})
	}
})
