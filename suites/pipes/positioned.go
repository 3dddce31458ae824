package pipes

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const digits = "0123456789"

var _ = Describe("preadv", func() {
	Clause("preadv.at-offset", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Preadv(fd, 3, 1, 2, 3)).To(ReturnData("345678"))
		Expect(a.Preadv(fd, 0, 2, 0, 1)).To(ReturnData("012"))
	})

	Clause("preadv.offset-unchanged", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 7, unix.SEEK_SET))

		Expect(a.Preadv(fd, 2, 2, 2)).To(ReturnData("2345"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Read(fd, 2)).To(ReturnData("78"))
	})

	Clause("preadv.end-of-file", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Preadv(fd, 6, 3, 3, 3)).To(ReturnData("6789"))
		Expect(a.Preadv(fd, 10, 3, 3)).To(Return(0))
		Expect(a.Preadv(fd, 1000, 3, 3)).To(Return(0))
	})

	Clause("preadv.negative-offset-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int64{-1, -2, math.MinInt64} {
			Expect(a.Preadv(fd, offset, 2, 2)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 0)
	})

	Clause("preadv.above-iov-max-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Preadv(fd, 0, singles(iovMax+1)...)).To(FailWith(unix.EINVAL))
		expectOffset(a, fd, 0)
	})

	Clause("preadv.negative-iovcnt-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Raw(unix.SYS_PREADV, fd, a.Iovec(a.Alloc(4)), -1, 0, 0)).To(FailWith(unix.EINVAL))
		expectOffset(a, fd, 0)
	})

	Clause("preadv.member-length-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Raw(unix.SYS_PREADV, fd, lengths(a, math.MaxInt64+1), 1, 0, 0)).To(FailWith(unix.EINVAL))
		Expect(a.Raw(unix.SYS_PREADV, fd, lengths(a, 4, math.MaxUint64), 2, 0, 0)).To(FailWith(unix.EINVAL))
		expectOffset(a, fd, 0)
	})

	Clause("preadv.bad-array-efault", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Raw(unix.SYS_PREADV, fd, a.Unmapped(), 1, 0, 0)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_PREADV, fd, halfArray(a), 2, 0, 0)).To(FailWith(unix.EFAULT))
		expectOffset(a, fd, 0)
	})

	Clause("preadv.bad-member-efault", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		iov := a.Iovec(a.Unmapped().Sub(0, 4), a.Alloc(4))

		Expect(a.Raw(unix.SYS_PREADV, fd, iov, 2, 0, 0)).To(FailWith(unix.EFAULT))
	})

	Clause("preadv.bad-fd-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Close(fd))

		for _, fd := range []int{fd, notOpen, -1} {
			Expect(a.Preadv(fd, 0, 2, 2)).To(FailWith(unix.EBADF))
		}
	})

	Clause("preadv.write-only-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Preadv(fd, 0, 2, 2)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("pwritev", func() {
	Clause("pwritev.at-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev(fd, 3, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal("012abcd789"))
	})

	Clause("pwritev.offset-unchanged", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 7, unix.SEEK_SET))

		Expect(a.Pwritev(fd, 1, []byte("a"), []byte("b"))).To(Return(2))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Must(a.Write(fd, []byte("c")))
		Expect(a.ReadFile(path)).To(Equal("0ab3456c89"))
	})

	Clause("pwritev.beyond-end", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev(fd, 13, []byte("a"), []byte("bc"))).To(Return(3))
		Expect(a.ReadFile(path)).To(Equal("0123456789\x00\x00\x00abc"))
	})

	Clause("pwritev.append-ignores-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY|unix.O_APPEND)

		Expect(a.Pwritev(fd, 3, []byte("a"), []byte("b"))).To(Return(2))
		Expect(a.Pwritev(fd, 100, []byte("c"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("0123456789abc"))
	})

	Clause("pwritev.negative-offset-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		for _, offset := range []int64{-1, -2, math.MinInt64} {
			Expect(a.Pwritev(fd, offset, []byte("a"), []byte("b"))).To(FailWith(unix.EINVAL))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.above-iov-max-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev(fd, 0, many(distinct(iovMax+1))...)).To(FailWith(unix.EINVAL))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.negative-iovcnt-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Raw(unix.SYS_PWRITEV, fd, a.Iovec(a.Alloc(4)), -1, 0, 0)).To(FailWith(unix.EINVAL))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.member-length-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Raw(unix.SYS_PWRITEV, fd, lengths(a, math.MaxInt64+1), 1, 0, 0)).To(FailWith(unix.EINVAL))
		Expect(a.Raw(unix.SYS_PWRITEV, fd, lengths(a, 4, math.MaxUint64), 2, 0, 0)).To(FailWith(unix.EINVAL))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.bad-array-efault", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Raw(unix.SYS_PWRITEV, fd, a.Unmapped(), 1, 0, 0)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_PWRITEV, fd, halfArray(a), 2, 0, 0)).To(FailWith(unix.EFAULT))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.bad-member-efault", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		iov := a.Iovec(a.Unmapped().Sub(0, 4), a.Alloc(4))

		Expect(a.Raw(unix.SYS_PWRITEV, fd, iov, 2, 0, 0)).To(FailWith(unix.EFAULT))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev.bad-fd-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Close(fd))

		for _, fd := range []int{fd, notOpen, -1} {
			Expect(a.Pwritev(fd, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EBADF))
		}
	})

	Clause("pwritev.read-only-ebadf", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Pwritev(fd, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EBADF))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})
})

var _ = Describe("An offset above 4 GiB in the raw call", func() {
	const far = 5<<32 + 3

	// sparse makes a file with letters near its start and digits far beyond 4 GiB.
	sparse := func(a *actor.Actor) (fd int) {
		fd = Must(a.MemfdCreate("sparse", 0))
		Must(a.Pwrite64(fd, []byte("abcdefghij"), 0))
		Must(a.Pwrite64(fd, []byte(digits), far))
		return fd
	}

	Clause("preadv.raw-offset-one-register", func() {
		a := actor.New()
		fd := sparse(a)
		m := a.Alloc(4)
		for _, upper := range []int64{0, far >> 32} { // as Go passes it, and as glibc does
			clear(m.Bytes())
			Expect(a.Raw(unix.SYS_PREADV, fd, a.Iovec(m), 1, int64(far), upper)).To(Return(4))
			Expect(string(m.Bytes())).To(Equal("0123"))
		}
	})

	Clause("pwritev.raw-offset-one-register", func() {
		a := actor.New()
		fd := sparse(a)
		for i, upper := range []int64{0, far >> 32} {
			text := []string{"wxyz", "WXYZ"}[i]
			Expect(a.Raw(unix.SYS_PWRITEV, fd, a.Iovec(a.Bytes([]byte(text))), 1, int64(far), upper)).To(Return(4))
			Expect(a.Pread64(fd, 10, far)).To(ReturnData(text + "456789"))
		}
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("abcdefghij"))
	})
})

var _ = Describe("Positioned vectors on what cannot seek", func() {
	// Each gives an actor a descriptor to read from and one to write to, with data in between.
	pipe := func(a *actor.Actor) (from, to int) {
		from, to = a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(to, []byte(digits)))
		return from, to
	}
	fifo := func(a *actor.Actor) (from, to int) {
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		from = Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		to = Must(a.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0))
		Must(a.Write(to, []byte(digits)))
		return from, to
	}
	socket := func(a *actor.Actor) (from, to int) {
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		Must(pair)
		from, to = pair.FDs()
		Must(a.Write(to, []byte(digits)))
		return from, to
	}
	untouched := func(a *actor.Actor, from int) {
		GinkgoHelper()
		Expect(a.Read(from, 100)).To(ReturnData(digits))
	}
	refusesRead := func(open func(*actor.Actor) (int, int)) func() {
		return func() {
			a := actor.New()
			from, _ := open(a)
			for _, offset := range []int64{0, 3} {
				Expect(a.Preadv(from, offset, 2, 2)).To(FailWith(unix.ESPIPE))
			}
			untouched(a, from)
		}
	}
	refusesWrite := func(open func(*actor.Actor) (int, int)) func() {
		return func() {
			a := actor.New()
			from, to := open(a)
			for _, offset := range []int64{0, 3} {
				Expect(a.Pwritev(to, offset, []byte("a"), []byte("b"))).To(FailWith(unix.ESPIPE))
			}
			untouched(a, from)
		}
	}

	Clause("preadv.pipe-espipe", refusesRead(pipe))
	Clause("preadv.fifo-espipe", refusesRead(fifo))
	Clause("preadv.socket-espipe", refusesRead(socket))
	Clause("pwritev.pipe-espipe", refusesWrite(pipe))
	Clause("pwritev.fifo-espipe", refusesWrite(fifo))
	Clause("pwritev.socket-espipe", refusesWrite(socket))

	Clause("preadv2.pipe-espipe", func() {
		a := actor.New()
		from, _ := pipe(a)
		for _, offset := range []int64{0, 3} {
			Expect(a.Preadv2(from, offset, 0, 2, 2)).To(FailWith(unix.ESPIPE))
		}
		untouched(a, from)
	})

	Clause("pwritev2.pipe-espipe", func() {
		a := actor.New()
		from, to := pipe(a)
		for _, offset := range []int64{0, 3} {
			Expect(a.Pwritev2(to, offset, 0, []byte("a"), []byte("b"))).To(FailWith(unix.ESPIPE))
		}
		untouched(a, from)
	})
})

var _ = Describe("preadv2 without flags", func() {
	Clause("preadv2.as-preadv", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 7, unix.SEEK_SET))

		Expect(a.Preadv2(fd, 3, 0, 1, 2, 3)).To(ReturnData("345678"))
		Expect(a.Preadv2(fd, 0, 0, 2)).To(ReturnData("01"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
	})

	Clause("preadv2.current-offset", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 2, unix.SEEK_SET))

		Expect(a.Preadv2(fd, -1, 0, 3, 2)).To(ReturnData("23456"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Preadv2(fd, -1, 0, 3, 2)).To(ReturnData("789"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(10))
	})

	Clause("preadv2.current-offset-pipe", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		Must(reader.Write(w, []byte("abcdefgh")))
		writer := reader.Fork()

		Expect(reader.Preadv2(r, -1, 0, 2, 3)).To(ReturnData("abcde"))
		Expect(reader.Preadv2(r, -1, 0, 2, 3)).To(ReturnData("fgh"))
		read := reader.Begin().Preadv2(r, -1, 0, 2, 3)
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("ijk")))
		Expect(read).To(ReturnData("ijk"))
	})

	Clause("preadv2.negative-offset-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{-2, -1 << 32, math.MinInt64} {
			Expect(a.Preadv2(fd, offset, 0, 2, 2)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
	})

	Clause("preadv2.above-iov-max-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Preadv2(fd, 0, 0, singles(iovMax+1)...)).To(FailWith(unix.EINVAL))
		Expect(a.Preadv2(fd, -1, 0, singles(iovMax+1)...)).To(FailWith(unix.EINVAL))
		expectOffset(a, fd, 0)
	})

	Clause("preadv2.negative-iovcnt-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PREADV2, fd, a.Iovec(a.Alloc(4)), -1, offset, 0, 0)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 0)
	})

	Clause("preadv2.member-length-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PREADV2, fd, lengths(a, 4, math.MaxInt64+1), 2, offset, 0, 0)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 0)
	})

	Clause("preadv2.bad-array-efault", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PREADV2, fd, a.Unmapped(), 1, offset, 0, 0)).To(FailWith(unix.EFAULT))
		}
		expectOffset(a, fd, 0)
	})

	Clause("preadv2.bad-member-efault", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		iov := a.Iovec(a.Unmapped().Sub(0, 4), a.Alloc(4))

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PREADV2, fd, iov, 2, offset, 0, 0)).To(FailWith(unix.EFAULT))
		}
		expectOffset(a, fd, 0)
	})

	Clause("preadv2.bad-fd-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Close(fd))

		for _, fd := range []int{fd, notOpen, -1} {
			Expect(a.Preadv2(fd, 0, 0, 2, 2)).To(FailWith(unix.EBADF))
			Expect(a.Preadv2(fd, -1, 0, 2, 2)).To(FailWith(unix.EBADF))
		}
	})

	Clause("preadv2.write-end-ebadf", func() {
		a := actor.New()
		_, w := a.Pipe(0)

		Expect(a.Preadv2(w, -1, 0, 2, 2)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("pwritev2 without flags", func() {
	Clause("pwritev2.as-pwritev", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 7, unix.SEEK_SET))

		Expect(a.Pwritev2(fd, 3, 0, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.Pwritev2(fd, 0, 0, []byte("z"))).To(Return(1))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.ReadFile(path)).To(Equal("z12abcd789"))
	})

	Clause("pwritev2.current-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 2, unix.SEEK_SET))

		Expect(a.Pwritev2(fd, -1, 0, []byte("a"), []byte("bcd"))).To(Return(4))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(6))
		Expect(a.Pwritev2(fd, -1, 0, []byte("e"))).To(Return(1))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.ReadFile(path)).To(Equal("01abcde789"))
	})

	Clause("pwritev2.current-offset-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Pwritev2(w, -1, 0, []byte("ab"), []byte("cde"))).To(Return(5))
		Expect(a.Pwritev2(w, -1, 0, []byte("f"))).To(Return(1))
		Expect(a.Read(r, 100)).To(ReturnData("abcdef"))
	})

	Clause("pwritev2.negative-offset-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{-2, -1 << 32, math.MinInt64} {
			Expect(a.Pwritev2(fd, offset, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EINVAL))
		}
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.above-iov-max-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Pwritev2(fd, 0, 0, many(distinct(iovMax+1))...)).To(FailWith(unix.EINVAL))
		Expect(a.Pwritev2(fd, -1, 0, many(distinct(iovMax+1))...)).To(FailWith(unix.EINVAL))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.negative-iovcnt-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PWRITEV2, fd, a.Iovec(a.Alloc(4)), -1, offset, 0, 0)).To(FailWith(unix.EINVAL))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.member-length-einval", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PWRITEV2, fd, lengths(a, 4, math.MaxInt64+1), 2, offset, 0, 0)).To(FailWith(unix.EINVAL))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.bad-array-efault", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PWRITEV2, fd, a.Unmapped(), 1, offset, 0, 0)).To(FailWith(unix.EFAULT))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.bad-member-efault", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)
		iov := a.Iovec(a.Unmapped().Sub(0, 4), a.Alloc(4))

		for _, offset := range []int{0, -1} {
			Expect(a.Raw(unix.SYS_PWRITEV2, fd, iov, 2, offset, 0, 0)).To(FailWith(unix.EFAULT))
		}
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("pwritev2.bad-fd-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_WRONLY)
		Must(a.Close(fd))

		for _, fd := range []int{fd, notOpen, -1} {
			Expect(a.Pwritev2(fd, 0, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EBADF))
			Expect(a.Pwritev2(fd, -1, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EBADF))
		}
	})

	Clause("pwritev2.read-end-ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		Expect(a.Pwritev2(r, -1, 0, []byte("a"), []byte("b"))).To(FailWith(unix.EBADF))
	})
})
