package pipes

import (
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/kernel"
)

// pagesTaken is how many pages of bytes a pipe with O_NONBLOCK takes in, one page a write.
func pagesTaken(a *actor.Actor, w int) int {
	const most = 1 << 16 // more than any capacity here
	write := a.Repeat(most).Write(w, make([]byte, page))
	ExpectWithOffset(1, write).To(FailWith(unix.EAGAIN))
	ExpectWithOffset(1, write.Total()).To(Equal(write.Count() * page))
	return write.Count()
}

// presupposeDefault ends the spec where the administrator has set a ceiling below the default
// capacity. A kernel without that ceiling is none of its business.
func presupposeDefault() {
	text, err := kernel.Sysctl("fs.pipe-max-size")
	if most, notANumber := strconv.Atoi(text); err == nil && notANumber == nil {
		Presuppose(most >= defaultPages*page, "a limit in fs.pipe-max-size of %d pages or more; it is %d bytes", defaultPages, most)
	}
}

var _ = Describe("The capacity of a pipe", func() {
	Clause("pipe.capacity-limited", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		const most = 1 << 16 // 256 MiB: no pipe of an ordinary user takes in that much

		write := a.Repeat(most).Write(w, noise(pipeBuf, 1))
		Expect(write).To(FailWith(unix.EAGAIN))
		Expect(write.Count()).To(BeNumerically(">", 0))
		read := a.Repeat(most).Read(r, pipeBuf)
		Expect(read).To(FailWith(unix.EAGAIN))
		Expect(read.Total()).To(Equal(write.Count() * pipeBuf))
	})

	ofEachKind("pipe.capacity-default", func(open newPipe) {
		a := actor.New()
		presupposeDefault()
		r, w := open(a, unix.O_NONBLOCK)

		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(16 * page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(16 * page))
		Expect(pagesTaken(a, w)).To(Equal(16))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.capacity-last-byte", func() {
		a := actor.New()
		presupposeDefault()
		r, w := a.Pipe(unix.O_NONBLOCK)
		data := noise(16*page, 1)

		Expect(a.Write(w, data[:len(data)-1])).To(Return(len(data) - 1))
		Expect(a.Write(w, data[len(data)-1:])).To(Return(1))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		expectBytes(contents(a, r), data)
	})

	Clause("pipe.capacity-last-byte-blocks", func() {
		reader := actor.New()
		presupposeDefault()
		r, w := reader.Pipe(0)
		writer := reader.Fork()
		data := noise(16*page+1, 1)

		Expect(writer.Write(w, data[:16*page-1])).To(Return(16*page - 1))
		Expect(writer.Write(w, data[16*page-1:16*page])).To(Return(1))
		write := writer.Begin().Write(w, data[16*page:])
		Expect(write).To(Block())
		Expect(reader.Read(r, page)).To(ReturnData(data[:page]))
		Expect(write).To(Return(1))
		expectBytes(contents(reader, r), data[page:])
	})

	Clause("pipe.capacity-set", func() {
		a := actor.New()
		presupposeDefault()
		r, w := a.Pipe(unix.O_NONBLOCK)

		// No more than 16 pages: with large pages that is all that fs.pipe-max-size allows.
		for i, pages := range []int{8, 4, 16, 1, 2} {
			through := []int{r, w}[i%2]
			Expect(a.Fcntl(through, unix.F_SETPIPE_SZ, pages*page)).To(Return(pages * page))
			Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(pages * page))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pages * page))
			Expect(pagesTaken(a, w)).To(Equal(pages))
			Expect(contents(a, r)).To(HaveLen(pages * page))
		}
	})

	Clause("pipe.capacity-set-keeps-data", func() {
		a := actor.New()
		// From 8 pages to 16 and back.
		r, w := sizedPipe(a, 0, 8)
		data := noise(10*page, 1)
		// Where the pipe's pages form a ring, the data goes round its end.
		send(a, w, string(data[:6*page]))
		Must(a.Read(r, 5*page))
		send(a, w, string(data[6*page:]))

		Expect(a.Fcntl(w, unix.F_SETPIPE_SZ, 16*page)).To(Return(16 * page))
		Expect(a.Read(r, page)).To(ReturnData(data[5*page : 6*page]))
		send(a, w, string(data[:page]))
		Expect(a.Fcntl(w, unix.F_SETPIPE_SZ, 8*page)).To(Return(8 * page))
		expectBytes(contents(a, r), flow(data[6*page:], data[:page]))
	})
})

var _ = Describe("FIONREAD", func() {
	ofEachKind("pipe.fionread", func(open newPipe) {
		a := actor.New()
		r, w := open(a, unix.O_NONBLOCK)
		expectUnread := func(n int) {
			for _, fd := range []int{r, w} {
				count := a.Fionread(fd)
				ExpectWithOffset(1, count).To(Return(0))
				ExpectWithOffset(1, count.Int()).To(Equal(n))
			}
		}

		expectUnread(0)
		Must(a.Write(w, noise(1, 1)))
		expectUnread(1)
		Must(a.Write(w, noise(page, 1)))
		expectUnread(page + 1)
		Must(a.Read(r, 3))
		expectUnread(page - 2)
		full := page - 2 + a.Fill(w)
		expectUnread(full)
		Must(a.Read(r, page))
		expectUnread(full - page)
		Expect(contents(a, r)).To(HaveLen(full - page))
		expectUnread(0)
	})

	Clause("pipe.fionread-takes-nothing", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("hello")))

		for range 3 {
			for _, fd := range []int{r, w} {
				count := a.Fionread(fd)
				Expect(count).To(Return(0))
				Expect(count.Int()).To(Equal(5))
			}
		}
		Expect(a.Read(r, 10)).To(ReturnData("hello"))
	})

	Clause("pipe.fionread-after-hangup", "of the writer", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("hello")))
		Must(a.Close(w))

		count := a.Fionread(r)
		Expect(count).To(Return(0))
		Expect(count.Int()).To(Equal(5))
		Must(a.Read(r, 10))
		count = a.Fionread(r)
		Expect(count).To(Return(0))
		Expect(count.Int()).To(Equal(0))
	})

	Clause("pipe.fionread-after-hangup", "of the reader", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("hello")))
		Must(a.Close(r))

		count := a.Fionread(w)
		Expect(count).To(Return(0))
		Expect(count.Int()).To(Equal(5))
	})
})
