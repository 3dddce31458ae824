package pipes

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("What tee duplicates", func() {
	for _, data := range []string{"abcdef", countUp(3*page + 10)} {
		Clause("tee.duplicates", fmt.Sprintf("%d bytes", len(data)), func() {
			a := actor.New()
			r, w := a.Pipe(0)
			r2, w2 := a.Pipe(0)
			Must(a.Write(w, []byte(data)))

			Expect(a.Tee(r, w2, len(data), 0)).To(Return(len(data)))
			Expect(restOf(a, r2)).To(Equal(data))
			Expect(restOf(a, r)).To(Equal(data))
		})
	}

	Clause("tee.then-splice", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		file, arrived := intoFile.open(a)
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Tee(r, w2, 6, 0)).To(Return(6))
		Expect(a.Splice(r, nil, file, nil, 6, 0)).To(Return(6))
		Expect(arrived()).To(Equal("abcdef"))
		Expect(restOf(a, r2)).To(Equal("abcdef"))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("tee.again", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Tee(r, w2, 4, 0)).To(Return(4))
		Expect(a.Tee(r, w2, 6, 0)).To(Return(6))
		Expect(restOf(a, r2)).To(Equal("abcdabcdef"))
		Expect(restOf(a, r)).To(Equal("abcdef"))
	})

	Clause("tee.partial", func() {
		a := actor.New()
		data := countUp(3 * page)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))

		for _, n := range []int{1, page, page + 7, 3*page - 1} {
			Expect(a.Tee(r, w2, n, 0)).To(Return(n))
			Expect(restOf(a, r2)).To(Equal(data[:n]))
		}
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("tee.behind-earlier-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		Must(a.Write(w2, []byte("xyz")))

		Expect(a.Tee(r, w2, 3, 0)).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("xyzabc"))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.many-pages", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		r2, w2 := a.Pipe(unix.O_NONBLOCK)
		data := countUp(Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)))
		Must(a.Fcntl(w2, unix.F_SETPIPE_SZ, len(data)))
		data = data[:Must(a.Write(w, []byte(data)))]

		Expect(a.Tee(r, w2, len(data), 0)).To(Return(len(data)))
		Expect(restOf(a, r2)).To(Equal(data))
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("tee.short-source", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Tee(r, w2, 100, 0)).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abc"))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.short-destination", func() {
		a := actor.New()
		data := countUp(3 * page)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))
		old := a.Fill(w2)
		Must(a.Read(r2, page))

		tee := a.Tee(r, w2, len(data), unix.SPLICE_F_NONBLOCK)
		Expect(tee).To(ReturnSuccess())
		n := tee.Value()
		Expect(n).To(And(BeNumerically(">", 0), BeNumerically("<", len(data))))
		Expect(restOf(a, r2)).To(Equal(strings.Repeat("\x00", old-page) + data[:n]))
		Expect(restOf(a, r)).To(Equal(data))
	})

	Clause("tee.size-zero", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)

		Expect(a.Tee(r, w2, 0, 0)).To(Return(0), "from an empty pipe")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Tee(r, w2, 0, 0)).To(Return(0), "from a pipe with data")
		Expect(restOf(a, r2)).To(BeEmpty())
		old := a.Fill(w2)
		Expect(a.Tee(r, w2, 0, 0)).To(Return(0), "to a full pipe")
		Expect(restOf(a, r2)).To(HaveLen(old))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	for _, size := range []int{1 << 32, 1<<32 + 1, 1 << 40} {
		// In 32 bits these sizes would be 0 or 1.
		Clause("tee.size-large", fmt.Sprintf("%d bytes", size), func() {
			a := actor.New()
			r, w := a.Pipe(0)
			r2, w2 := a.Pipe(0)
			Must(a.Write(w, []byte("abc")))

			Expect(a.Tee(r, w2, size, 0)).To(Return(3))
			Expect(restOf(a, r2)).To(Equal("abc"))
			Expect(restOf(a, r)).To(Equal("abc"))
		})
	}

	Clause("tee.fifo", func() {
		a := actor.New()
		r, w := spliceFIFO(a)
		r2, w2 := spliceFIFO(a)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Tee(r, w2, 3, 0)).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abc"))
		Expect(restOf(a, r)).To(Equal("abc"))
	})
})

var _ = Describe("The two pipes of a tee", func() {
	Clause("tee.copy-survives-source", func() {
		a := actor.New()
		data := countUp(2*page + 10)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))

		Expect(a.Tee(r, w2, len(data), 0)).To(Return(len(data)))
		Must(a.Read(r, len(data)))
		Must(a.Write(w, make([]byte, len(data)))) // what uses the freed pages again
		Must(a.Close(r))
		Must(a.Close(w))
		Expect(restOf(a, r2)).To(Equal(data))
	})

	Clause("tee.source-survives-copy", func() {
		a := actor.New()
		data := countUp(2*page + 10)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))

		Expect(a.Tee(r, w2, len(data), 0)).To(Return(len(data)))
		Must(a.Read(r2, len(data)))
		Must(a.Write(w2, make([]byte, len(data)))) // what uses the freed pages again
		Must(a.Close(r2))
		Must(a.Close(w2))
		Expect(restOf(a, r)).To(Equal(data))
	})

	// A small write may be merged into the page of the bytes before it. After a tee both pipes
	// refer to that page.

	for _, n := range []int{3, 6} {
		Clause("tee.later-write-to-source", fmt.Sprintf("after %d of 6 bytes", n), func() {
			a := actor.New()
			r, w := a.Pipe(0)
			r2, w2 := a.Pipe(0)
			Must(a.Write(w, []byte("abcdef")))

			Expect(a.Tee(r, w2, n, 0)).To(Return(n))
			Expect(a.Write(w, []byte("XYZ"))).To(Return(3))
			Expect(restOf(a, r2)).To(Equal("abcdef"[:n]))
			Expect(restOf(a, r)).To(Equal("abcdefXYZ"))
		})

		Clause("tee.later-write-to-copy", fmt.Sprintf("after %d of 6 bytes", n), func() {
			a := actor.New()
			r, w := a.Pipe(0)
			r2, w2 := a.Pipe(0)
			Must(a.Write(w, []byte("abcdef")))

			Expect(a.Tee(r, w2, n, 0)).To(Return(n))
			Expect(a.Write(w2, []byte("XYZ"))).To(Return(3))
			Expect(a.Write(w, []byte("123"))).To(Return(3))
			Expect(restOf(a, r)).To(Equal("abcdef123"))
			Expect(restOf(a, r2)).To(Equal("abcdef"[:n] + "XYZ"))
		})
	}
})

var _ = Describe("The end of input of tee", func() {
	Clause("tee.eof", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Close(w))

		Expect(a.Tee(r, w2, 10, 0)).To(Return(0))
		Expect(a.Tee(r, w2, 10, unix.SPLICE_F_NONBLOCK)).To(Return(0))
		Expect(restOf(a, r2)).To(BeEmpty())
	})

	Clause("tee.eof-data-remains", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		Must(a.Close(w))

		Expect(a.Tee(r, w2, 10, 0)).To(Return(3))
		Expect(a.Tee(r, w2, 10, 0)).To(Return(3))
		Must(a.Read(r, 2))
		Expect(a.Tee(r, w2, 10, 0)).To(Return(1))
		Must(a.Read(r, 1))
		Expect(a.Tee(r, w2, 10, 0)).To(Return(0))
		Expect(restOf(a, r2)).To(Equal("abcabcc"))
	})
})

var _ = Describe("A tee that has to wait", func() {
	Clause("tee.empty-blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		duplicator := a.Fork()

		tee := duplicator.Begin().Tee(r, w2, 10, 0)
		Expect(tee).To(Block())
		Must(a.Write(w, []byte("abc")))
		Expect(tee).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abc"))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.blocked-eof", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		duplicator := a.Fork()
		Must(duplicator.Close(w))

		tee := duplicator.Begin().Tee(r, w2, 10, 0)
		Expect(tee).To(Block())
		Must(a.Close(w))
		Expect(tee).To(Return(0))
		Expect(restOf(a, r2)).To(BeEmpty())
	})

	Clause("tee.full-blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		old := a.Fill(w2)
		duplicator := a.Fork()

		tee := duplicator.Begin().Tee(r, w2, 10, 0)
		Expect(tee).To(Block())
		Must(a.Read(r2, old))
		Expect(tee).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abc"))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.nonblock-flag-empty-eagain", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		r2, w2 := a.Pipe(0)

		Expect(a.Tee(r, w2, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(restOf(a, r2)).To(BeEmpty())
	})

	Clause("tee.nonblock-flag-full-eagain", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		r, w := a.Pipe(0)
		old := a.Fill(w)

		Expect(a.Tee(pipe, w, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(left()).To(Equal("abc"))
		Expect(restOf(a, r)).To(HaveLen(old))
	})

	for _, ends := range []struct {
		name    string
		in, out int
	}{
		{"O_NONBLOCK on the source", unix.O_NONBLOCK, 0},
		{"O_NONBLOCK on the target", 0, unix.O_NONBLOCK},
	} {
		Clause("tee.o-nonblock-empty-eagain", ends.name, func() {
			a := actor.New()
			r, _ := a.Pipe(ends.in)
			r2, w2 := a.Pipe(ends.out)

			Expect(a.Tee(r, w2, 10, 0)).To(FailWith(unix.EAGAIN))
			Expect(restOf(a, r2)).To(BeEmpty())
		})

		Clause("tee.o-nonblock-full-eagain", ends.name, func() {
			a := actor.New()
			r, w := a.Pipe(ends.in)
			r2, w2 := a.Pipe(ends.out)
			Must(a.Write(w, []byte("abc")))
			old := a.Fill(w2)

			Expect(a.Tee(r, w2, 10, 0)).To(FailWith(unix.EAGAIN))
			Expect(restOf(a, r)).To(Equal("abc"))
			Expect(restOf(a, r2)).To(HaveLen(old))
		})
	}
})

var _ = Describe("tee into a pipe without readers", func() {
	Clause("tee.no-readers-sigpipe", func() {
		a := actor.New()
		pipe, _ := fromPipe.open(a, "abc")
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Begin().Tee(pipe, w, 3, 0)).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("tee.no-readers-epipe", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		pipe, left := fromPipe.open(a, "abc")
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Tee(pipe, w, 3, 0)).To(FailWith(unix.EPIPE))
		Expect(left()).To(Equal("abc"))
	})

	Clause("tee.blocked-epipe", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		r, w := a.Pipe(0)
		a.Fill(w)
		duplicator := a.Fork()
		duplicator.Ignore(unix.SIGPIPE)
		Must(duplicator.Close(r))

		tee := duplicator.Begin().Tee(pipe, w, 3, 0)
		Expect(tee).To(Block())
		Must(a.Close(r))
		Expect(tee).To(FailWith(unix.EPIPE))
		Expect(left()).To(Equal("abc"))
	})
})

var _ = Describe("The flags of tee", func() {
	for _, hint := range []struct {
		id   string
		flag uint
	}{
		{"tee.move-no-effect", unix.SPLICE_F_MOVE},
		{"tee.more-no-effect", unix.SPLICE_F_MORE},
		{"tee.gift-unused", unix.SPLICE_F_GIFT},
	} {
		Clause(hint.id, func() {
			a := actor.New()
			data := countUp(3 * page)
			pipe, left := fromPipe.open(a, data)
			target, arrived := intoPipe.open(a)

			for _, n := range []int{2 * page, 100} {
				Expect(a.Tee(pipe, target, n, hint.flag)).To(Return(n))
				Expect(arrived()).To(Equal(data[:n]))
			}
			Expect(left()).To(Equal(data))
		})
	}

	Clause("tee.unknown-flag-einval", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		target, arrived := intoPipe.open(a)

		for _, flags := range undefinedSpliceFlags {
			Expect(a.Tee(pipe, target, 3, flags)).To(FailWith(unix.EINVAL))
		}
		Expect(arrived()).To(BeEmpty())
		Expect(left()).To(Equal("abc"))
	})
})

var _ = Describe("The descriptors of tee", func() {
	for _, from := range []spliceSource{fromFile, fromSocket} {
		Clause("tee.in-not-pipe-einval", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			target, arrived := intoPipe.open(a)

			Expect(a.Tee(source, target, 3, 0)).To(FailWith(unix.EINVAL))
			Expect(arrived()).To(BeEmpty())
			Expect(left()).To(Equal("abc"))
		})
	}

	for _, into := range []spliceTarget{intoFile, intoSocket} {
		Clause("tee.out-not-pipe-einval", into.kind, func() {
			a := actor.New()
			pipe, left := fromPipe.open(a, "abc")
			target, arrived := into.open(a)

			Expect(a.Tee(pipe, target, 3, 0)).To(FailWith(unix.EINVAL))
			Expect(arrived()).To(BeEmpty())
			Expect(left()).To(Equal("abc"))
		})
	}

	Clause("tee.same-pipe-einval", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Tee(r, w, 3, 0)).To(FailWith(unix.EINVAL), "an empty pipe")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Tee(r, w, 3, 0)).To(FailWith(unix.EINVAL), "a pipe with data")
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.same-fifo-einval", func() {
		a := actor.New()
		r, w := spliceFIFO(a)

		Expect(a.Tee(r, w, 3, 0)).To(FailWith(unix.EINVAL), "an empty FIFO")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Tee(r, w, 3, 0)).To(FailWith(unix.EINVAL), "a FIFO with data")
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("tee.not-open-ebadf", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		target, arrived := intoPipe.open(a)
		closed := Must(a.Dup(pipe))
		Must(a.Close(closed))

		for _, bad := range []int{closed, -1} {
			Expect(a.Tee(bad, target, 3, 0)).To(FailWith(unix.EBADF))
			Expect(a.Tee(pipe, bad, 3, 0)).To(FailWith(unix.EBADF))
			Expect(a.Tee(bad, bad, 3, 0)).To(FailWith(unix.EBADF))
		}
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
	})

	Clause("tee.wrong-end-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Tee(w, w2, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Tee(r, r2, 3, 0)).To(FailWith(unix.EBADF))
		Expect(restOf(a, r)).To(Equal("abc"))
		Expect(restOf(a, r2)).To(BeEmpty())
	})
})
