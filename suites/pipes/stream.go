package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A pipe as a stream of bytes", func() {
	Clause("pipe.two-ends", func() {
		a := actor.New()
		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, w := create.FDs()

		Expect(r).NotTo(Equal(w))
		Expect(a.Fcntl(r, unix.F_GETFL, 0).Value() & unix.O_ACCMODE).To(Equal(unix.O_RDONLY))
		Expect(a.Fcntl(w, unix.F_GETFL, 0).Value() & unix.O_ACCMODE).To(Equal(unix.O_WRONLY))
	})

	ofEachKind("pipe.write-then-read", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)

		Expect(a.Write(w, []byte("hello"))).To(Return(5))
		Expect(a.Read(r, 5)).To(ReturnData("hello"))
	})

	Clause("pipe.new-pipe-is-separate", func() {
		a := actor.New()
		one, other := a.Pipe2(unix.O_NONBLOCK), a.Pipe2(unix.O_NONBLOCK)
		Expect(one).To(Return(0))
		Expect(other).To(Return(0))
		r1, w1 := one.FDs()
		r2, w2 := other.FDs()

		Expect(a.Write(w1, []byte("one"))).To(Return(3))
		Expect(a.Read(r2, 10)).To(FailWith(unix.EAGAIN))
		Expect(a.Write(w2, []byte("two"))).To(Return(3))
		Expect(a.Read(r1, 10)).To(ReturnData("one"))
		Expect(a.Read(r2, 10)).To(ReturnData("two"))
	})

	Clause("pipe.read-end-not-writable", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Write(r, []byte("x"))).To(FailWith(unix.EBADF))
		Expect(contents(a, r)).To(BeEmpty())
	})

	Clause("pipe.write-end-not-readable", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("x")))

		Expect(a.Read(w, 1)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 2)).To(ReturnData("x"))
	})

	Clause("pipe.related-processes", "child to parent", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		child := parent.Fork()

		Expect(child.Write(w, []byte("up"))).To(Return(2))
		Expect(parent.Read(r, 10)).To(ReturnData("up"))
	})

	Clause("pipe.related-processes", "parent to child", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		child := parent.Fork()

		Expect(parent.Write(w, []byte("down"))).To(Return(4))
		Expect(child.Read(r, 10)).To(ReturnData("down"))
	})

	Clause("pipe.related-processes", "between siblings", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		one, other := parent.Fork(), parent.Fork()
		Must(parent.Close(r))
		Must(parent.Close(w))

		Expect(one.Write(w, []byte("across"))).To(Return(6))
		Expect(other.Read(r, 10)).To(ReturnData("across"))
	})

	Clause("pipe.kept-over-exec", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("before")))
		a.Exec()

		Expect(a.Write(w, []byte(" and after"))).To(Return(10))
		Expect(a.Read(r, 100)).To(ReturnData("before and after"))
	})

	Clause("pipe.read-takes", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		b := a.Fork()
		Must(a.Write(w, []byte("xyz")))

		Expect(a.Read(r, 1)).To(ReturnData("x"))
		Expect(b.Read(r, 1)).To(ReturnData("y"))
		Expect(a.Read(r, 10)).To(ReturnData("z"))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Expect(b.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	ofEachKind("pipe.read-joins-writes", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		Expect(a.Write(w, []byte("ab"))).To(Return(2))
		Expect(a.Write(w, []byte("c"))).To(Return(1))
		Expect(a.Write(w, []byte("defg"))).To(Return(4))

		Expect(a.Read(r, 5)).To(ReturnData("abcde"))
		Expect(a.Read(r, 5)).To(ReturnData("fg"))
	})

	Clause("pipe.read-joins-writes", "larger than a page", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := noise(3*page+300, 1)
		Expect(a.Write(w, data[:page+100])).To(Return(page + 100))
		Expect(a.Write(w, data[page+100:])).To(Return(2*page + 200))

		Expect(a.Read(r, len(data))).To(ReturnData(data))
	})

	ofEachKind("pipe.read-splits-write", func(open newPipe) {
		a := actor.New()
		r, w := open(a, unix.O_NONBLOCK)
		Must(a.Write(w, []byte("abcdefg")))

		Expect(a.Read(r, 1)).To(ReturnData("a"))
		Expect(a.Read(r, 3)).To(ReturnData("bcd"))
		Expect(a.Read(r, 3)).To(ReturnData("efg"))
		Expect(a.Read(r, 3)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe.read-short", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Read(r, 100)).To(ReturnData("abc"))
	})

	ofEachKind("pipe.keeps-order", func(open newPipe) {
		reader := actor.New()
		r, w := open(reader, 0)
		writer := reader.Fork()
		stream := noise(8*16*page, 2)
		writeSizes := []int{1, pipeBuf - 1, 20*page + 1, 7, pipeBuf, page / 2, 16 * page, pipeBuf + 1}
		readSizes := []int{3, 2*page + 1, pipeBuf, 1, 17 * page, 100}

		written, reads := 0, 0
		var got []byte
		for turn := 0; written < len(stream); turn++ {
			n := min(writeSizes[turn%len(writeSizes)], len(stream)-written)
			write := writer.Begin().Write(w, stream[written:written+n])
			written += n
			for len(got) < written {
				ask := min(readSizes[reads%len(readSizes)], written-len(got))
				reads++
				read := reader.Read(r, ask)
				Expect(read.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", ask)))
				got = append(got, read.Data()...)
			}
			Expect(write).To(Return(n))
		}
		expectBytes(got, stream)
	})

	ofEachKind("pipe.lseek-espipe", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		Must(a.Write(w, []byte("abc")))

		for _, fd := range []int{r, w} {
			for _, whence := range []int{unix.SEEK_SET, unix.SEEK_CUR, unix.SEEK_END} {
				for _, off := range []int64{0, 1, -1} {
					Expect(a.Lseek(fd, off, whence)).To(FailWith(unix.ESPIPE))
				}
			}
		}
	})

	Clause("pipe.direct-by-setfl", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
		Expect(a.Write(w, []byte("ab"))).To(Return(2))
		Expect(a.Write(w, []byte("cd"))).To(Return(2))
		Expect(a.Read(r, 10)).To(ReturnData("ab"))
		Expect(a.Read(r, 10)).To(ReturnData("cd"))

		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		Expect(a.Write(w, []byte("ab"))).To(Return(2))
		Expect(a.Write(w, []byte("cd"))).To(Return(2))
		Expect(a.Read(r, 10)).To(ReturnData("abcd"))
	})

	ofEachKind("pipe.setfl-sticks", func(open newPipe) {
		a := actor.New()
		r, w := open(a, 0)
		status := func(fd int) int { return a.Fcntl(fd, unix.F_GETFL, 0).Value() & (unix.O_NONBLOCK | unix.O_ASYNC) }

		for _, ends := range [][2]int{{r, w}, {w, r}} {
			fd, other := ends[0], ends[1]
			for _, flags := range []int{unix.O_NONBLOCK, unix.O_ASYNC, unix.O_NONBLOCK | unix.O_ASYNC, 0} {
				Expect(a.Fcntl(fd, unix.F_SETFL, flags)).To(Return(0))
				Expect(status(fd)).To(Equal(flags))
				Expect(status(other)).To(Equal(0))
			}
		}
	})
})
