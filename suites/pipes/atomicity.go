package pipes

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write of at most PIPE_BUF bytes", func() {
	Clause("pipe.block-small-room", "in an empty pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := noise(pipeBuf, 1)

		Expect(a.Write(w, data)).To(Return(pipeBuf))
		Expect(unread(a, r)).To(Equal(pipeBuf))
		Expect(a.Write(w, data[:100])).To(Return(100))
		Expect(unread(a, r)).To(Equal(pipeBuf + 100))
		expectBytes(contents(a, r), flow(data, data[:100]))
	})

	Clause("pipe.block-small-room", "in a pipe that was full", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		full := a.Fill(w)
		Must(a.Read(r, page))
		data := noise(pipeBuf, 1)

		Expect(a.Write(w, data)).To(Return(pipeBuf))
		expectBytes(contents(a, r), flow(make([]byte, full-page), data))
	})

	Clause("pipe.block-small-no-room", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		full := reader.Fill(w)
		writer := reader.Fork()
		Expect(reader.Read(r, pipeBuf-1)).To(Return(pipeBuf - 1))
		data := noise(pipeBuf, 1)

		write := writer.Begin().Write(w, data)
		Expect(write).To(Block())
		Expect(unread(reader, r)).To(Equal(full - (pipeBuf - 1)))
		Expect(reader.Read(r, page-(pipeBuf-1))).To(Return(page - (pipeBuf - 1)))
		Expect(write).To(Return(pipeBuf))
		Expect(unread(reader, r)).To(Equal(full - page + pipeBuf))
		expectBytes(contents(reader, r), flow(make([]byte, full-page), data))
	})

	Clause("pipe.nonblock-small-room", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		full := a.Fill(w)
		Must(a.Read(r, page))
		data := noise(pipeBuf, 1)

		Expect(a.Write(w, data)).To(Return(pipeBuf))
		Expect(unread(a, r)).To(Equal(full - page + pipeBuf))
		expectBytes(contents(a, r), flow(make([]byte, full-page), data))
	})

	Clause("pipe.nonblock-small-no-room", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		full := a.Fill(w)
		Must(a.Read(r, pipeBuf-1))

		Expect(a.Write(w, noise(pipeBuf, 1))).To(FailWith(unix.EAGAIN))
		Expect(unread(a, r)).To(Equal(full - (pipeBuf - 1)))
		expectBytes(contents(a, r), make([]byte, full-(pipeBuf-1)))
	})
})

var _ = Describe("A write of more than PIPE_BUF bytes", func() {
	Clause("pipe.block-large-room", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := noise(3*pipeBuf+1, 1)

		Expect(a.Write(w, data)).To(Return(len(data)))
		Expect(unread(a, r)).To(Equal(len(data)))
		expectBytes(contents(a, r), data)
	})

	Clause("pipe.block-large-waits", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		capacity := Must(reader.Fcntl(w, unix.F_GETPIPE_SZ, 0))
		writer := reader.Fork()
		data := noise(capacity+2*page, 1)

		write := writer.Begin().Write(w, data)
		Expect(write).To(Block())
		Expect(unread(reader, r)).To(BeNumerically("<=", capacity))
		// A page read makes room for one of the two pages that are not in the pipe yet.
		first := reader.Read(r, page)
		Expect(first).To(ReturnData(data[:page]))
		Expect(write).To(Block())
		second := reader.Read(r, page)
		Expect(second).To(ReturnData(data[page : 2*page]))
		Expect(write).To(Return(len(data)))
		Expect(unread(reader, r)).To(Equal(capacity))
		expectBytes(contents(reader, r), data[2*page:])
	})

	Clause("pipe.nonblock-large-full", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		full := a.Fill(w)

		for _, n := range []int{pipeBuf + 1, full, 2*full + 1} {
			Expect(a.Write(w, noise(n, 1))).To(FailWith(unix.EAGAIN))
			Expect(unread(a, r)).To(Equal(full))
		}
		expectBytes(contents(a, r), make([]byte, full))
	})

	Clause("pipe.nonblock-large-partial", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		full := a.Fill(w)
		Must(a.Read(r, page))
		data := noise(page+pipeBuf, 1)

		written := a.Write(w, data).Value()
		Expect(written).To(And(BeNumerically(">=", 1), BeNumerically("<=", page)))
		Expect(unread(a, r)).To(Equal(full - page + written))
		expectBytes(contents(a, r), flow(make([]byte, full-page), data[:written]))
	})

	Clause("pipe.nonblock-large-empty", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		capacity := Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0))

		for _, n := range []int{pipeBuf + 1, capacity, capacity + 1, 3*capacity + 1} {
			data := noise(n, uint64(n))
			written := a.Write(w, data).Value()
			Expect(written).To(And(BeNumerically(">=", 1), BeNumerically("<=", min(n, capacity))))
			Expect(unread(a, r)).To(Equal(written))
			expectBytes(contents(a, r), data[:written])
		}
	})
})

// A record begins with a byte that tells its writer and does not occur elsewhere in it.
func record(writer, n int) []byte {
	b := noise(n, uint64(writer))
	for i := range b {
		b[i] &= 0x7f
	}
	b[0] = byte(0x80 | writer)
	return b
}

// countRecords takes a stream apart into whole records and returns how many of each writer there
// are; anything else in the stream is a deviation.
func countRecords(stream []byte, records ...[]byte) []int {
	counts := make([]int, len(records))
	for at := 0; at < len(stream); {
		writer := int(stream[at] &^ 0x80)
		ExpectWithOffset(1, stream[at] >= 0x80 && writer < len(records)).To(BeTrue(), func() string {
			return fmt.Sprintf("byte %d of the stream, %#x, begins no write", at, stream[at])
		})
		want := records[writer]
		got := stream[at:min(at+len(want), len(stream))]
		ExpectWithOffset(1, string(got) == string(want)).To(BeTrue(), func() string {
			return fmt.Sprintf("the write of %d bytes of writer %d that begins at byte %d of the stream is not contiguous", len(want), writer, at)
		})
		counts[writer]++
		at += len(want)
	}
	return counts
}

var _ = Describe("Writers at the same time", func() {
	// race has a writer for each record write it n times, as fast as it can, and returns what a
	// reader reads meanwhile.
	race := func(open newPipe, n int, records ...[]byte) []byte {
		reader := actor.New()
		r, w := open(reader, 0)
		total := 0
		var writers []*actor.Actor
		for _, rec := range records {
			writers = append(writers, reader.Fork())
			total += n * len(rec)
		}
		Must(reader.Close(w))

		var writes []*actor.Call
		for i, writer := range writers {
			writes = append(writes, writer.Begin().Repeat(n).Write(w, records[i]))
		}
		var stream []byte
		for len(stream) < total {
			// An odd size, so that a kernel that counts room in bytes has some that is no multiple
			// of PIPE_BUF.
			read := reader.Read(r, 10007)
			Expect(read.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", 10007)))
			stream = append(stream, read.Data()...)
		}
		for i, write := range writes {
			Expect(write).To(Return(len(records[i])))
			Expect(write.Total()).To(Equal(n * len(records[i])))
			Must(writers[i].Close(w))
		}
		Expect(reader.Read(r, 1)).To(Return(0))
		return stream
	}

	ofEachKind("pipe.atomic-pipe-buf", func(open newPipe) {
		records := [][]byte{record(0, pipeBuf), record(1, pipeBuf), record(2, pipeBuf)}
		stream := race(open, 300, records...)
		Expect(countRecords(stream, records...)).To(Equal([]int{300, 300, 300}))
	})

	Clause("pipe.atomic-unequal", func() {
		records := [][]byte{record(0, 1000), record(1, 3333), record(2, pipeBuf-1), record(3, 2), record(4, 511)}
		stream := race((*actor.Actor).Pipe, 300, records...)
		Expect(countRecords(stream, records...)).To(Equal([]int{300, 300, 300, 300, 300}))
	})

	Clause("pipe.atomic-nonblock", func() {
		reader := actor.New()
		r, w := reader.Pipe(unix.O_NONBLOCK)
		records := [][]byte{record(0, pipeBuf), record(1, pipeBuf), record(2, pipeBuf)}
		var writers []*actor.Actor
		for range records {
			writers = append(writers, reader.Fork())
		}
		const most = 1 << 20 // far more than a pipe takes in: each writer ends with EAGAIN

		for round := range 30 {
			// Another number of bytes left in the pipe each time, so that the room at the end is
			// not always a multiple of PIPE_BUF.
			rest := record(3, 1+113*round)
			Must(reader.Write(w, rest))
			var writes []*actor.Call
			for i, writer := range writers {
				writes = append(writes, writer.Begin().Repeat(most).Write(w, records[i]))
			}
			var counts []int
			for _, write := range writes {
				Expect(write).To(FailWith(unix.EAGAIN))
				Expect(write.Total()).To(Equal(write.Count() * pipeBuf))
				counts = append(counts, write.Count())
			}
			stream := contents(reader, r)
			Expect(countRecords(stream, append(records, rest)...)).To(Equal(append(counts, 1)))
		}
	})

	Clause("pipe.large-loses-nothing", func() {
		const n = 300
		records := [][]byte{noise(pipeBuf+1, 1), noise(pipeBuf+1, 2)}
		for i := range records[0] {
			records[0][i] &^= 0x80
			records[1][i] |= 0x80
		}
		stream := race((*actor.Actor).Pipe, n, records...)

		var parts, want [2][]byte
		for _, b := range stream {
			parts[b>>7] = append(parts[b>>7], b)
		}
		for i, rec := range records {
			for range n {
				want[i] = append(want[i], rec...)
			}
			expectBytes(parts[i], want[i])
		}
	})
})
