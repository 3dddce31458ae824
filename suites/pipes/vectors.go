package pipes

import (
	"math"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// distinct returns n bytes, none of them zero, in which a byte that is lost, repeated or out of
// place shows.
func distinct(n int) []byte {
	data := make([]byte, n)
	x := uint32(1)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(1 + x>>16%255)
	}
	return data
}

// cut divides data into members of the given sizes.
func cut(data []byte, sizes ...int) [][]byte {
	var members [][]byte
	for _, n := range sizes {
		members = append(members, data[:n:n])
		data = data[n:]
	}
	return members
}

// many returns n one-byte members of data.
func many(data []byte) [][]byte {
	sizes := make([]int, len(data))
	for i := range sizes {
		sizes[i] = 1
	}
	return cut(data, sizes...)
}

// singles returns the sizes of n members of one byte.
func singles(n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = 1
	}
	return sizes
}

// notOpen is a descriptor that no actor has.
const notOpen = 987

// iovMax is the limit of Linux, which has had this value since 2.2.
const iovMax = 1024

var _ = Describe("The members of a readv", func() {
	Clause("readv.scatters-in-order", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(65)
		Must(a.Write(w, data))

		Expect(a.Readv(r, 10, 20, 30)).To(ReturnData(data[:60]))
		Expect(a.Read(r, 100)).To(ReturnData(data[60:]))
	})

	Clause("readv.scatters-over-writes", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(40)
		for _, part := range cut(data, 7, 1, 20, 12) {
			Must(a.Write(w, part))
		}

		Expect(a.Readv(r, 10, 3, 27)).To(ReturnData(data))
	})

	Clause("readv.order-by-array", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		m := a.Alloc(9)
		descending := a.Iovec(m.Sub(6, 3), m.Sub(3, 3), m.Sub(0, 3))
		ascending := a.Iovec(m.Sub(0, 3), m.Sub(3, 3), m.Sub(6, 3))

		Must(a.Write(w, []byte("ABCDEFGHI")))
		Expect(a.Raw(unix.SYS_READV, r, descending, 3)).To(Return(9))
		Expect(string(m.Bytes())).To(Equal("GHIDEFABC"))
		Must(a.Write(w, []byte("123456789")))
		Expect(a.Raw(unix.SYS_READV, r, ascending, 3)).To(Return(9))
		Expect(string(m.Bytes())).To(Equal("123456789"))
	})

	Clause("readv.crosses-pages", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		page := os.Getpagesize()
		data := distinct(2 * page)
		Must(a.Write(w, data))

		Expect(a.Readv(r, 1, page, page-1)).To(ReturnData(data))
	})

	Clause("readv.short-leaves-rest", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		m := a.Bytes([]byte("............"))
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Raw(unix.SYS_READV, r, a.Iovec(m.Sub(0, 4), m.Sub(4, 4), m.Sub(8, 4)), 3)).To(Return(6))
		Expect(string(m.Bytes())).To(Equal("abcdef......"))
	})

	Clause("readv.full-member-does-not-wait", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcdefgh")))

		Expect(a.Readv(r, 5, 3, 4, 4)).To(ReturnData("abcdefgh"))
	})

	Clause("readv.zero-length-members", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcdefgh")))

		Expect(a.Readv(r, 0, 3, 0, 0, 5, 0)).To(ReturnData("abcdefgh"))
	})

	Clause("readv.all-members-empty", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		Expect(a.Readv(r, 0)).To(Return(0))
		Expect(a.Readv(r, 0, 0, 0)).To(Return(0))
	})

	Clause("readv.iovcnt-zero", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))

		Expect(a.Readv(r)).To(Return(0))
		Expect(a.Read(r, 10)).To(ReturnData("abc"))
	})
})

var _ = Describe("readv, as read", func() {
	Clause("readv.empty-blocks", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()

		read := reader.Begin().Readv(r, 2, 8)
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("abcde")))
		Expect(read).To(ReturnData("abcde"))
	})

	Clause("readv.empty-eagain", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Readv(r, 2, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("readv.end-of-file", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		Must(a.Close(w))

		Expect(a.Readv(r, 2, 8)).To(ReturnData("abc"))
		Expect(a.Readv(r, 2, 8)).To(Return(0))
	})

	Clause("readv.advances-offset", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		Must(a.Lseek(fd, 2, unix.SEEK_SET))

		Expect(a.Readv(fd, 3, 2)).To(ReturnData("23456"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Readv(fd, 1, 1)).To(ReturnData("78"))
	})

	Clause("readv.file-end-short", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)

		Expect(a.Readv(fd, 4, 4, 4, 4)).To(ReturnData("0123456789"))
		Expect(a.Readv(fd, 4, 4, 4, 4)).To(Return(0))
	})

	Clause("readv.one-packet", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		Must(a.Write(w, []byte("abcde")))
		Must(a.Write(w, []byte("fgh")))

		Expect(a.Readv(r, 2, 10, 10)).To(ReturnData("abcde"))
		Expect(a.Readv(r, 2, 10, 10)).To(ReturnData("fgh"))
	})

	Clause("readv.one-datagram", func() {
		a := actor.New()
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		Must(pair)
		from, to := pair.FDs()
		Must(a.Write(from, []byte("abcde")))
		Must(a.Write(from, []byte("fgh")))

		Expect(a.Readv(to, 2, 10, 10)).To(ReturnData("abcde"))
		Expect(a.Readv(to, 2, 10, 10)).To(ReturnData("fgh"))
	})
})

var _ = Describe("A readv that is refused", func() {
	// holding makes a pipe with data that a refused call must leave there.
	holding := func(a *actor.Actor) (r int) {
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("abcdefgh")))
		return r
	}
	untouched := func(a *actor.Actor, r int) {
		GinkgoHelper()
		Expect(a.Read(r, 100)).To(ReturnData("abcdefgh"))
	}

	Clause("readv.above-iov-max-einval", func() {
		a := actor.New()
		r := holding(a)

		Expect(a.Readv(r, singles(iovMax+1)...)).To(FailWith(unix.EINVAL))
		untouched(a, r)
	})

	Clause("readv.negative-iovcnt-einval", func() {
		a := actor.New()
		r := holding(a)
		iov := a.Iovec(a.Alloc(8))

		for _, n := range []int{-1, math.MinInt32} {
			Expect(a.Raw(unix.SYS_READV, r, iov, n)).To(FailWith(unix.EINVAL))
		}
		untouched(a, r)
	})

	Clause("readv.member-length-einval", func() {
		a := actor.New()
		r := holding(a)
		for _, length := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
			Expect(a.Raw(unix.SYS_READV, r, lengths(a, length), 1)).To(FailWith(unix.EINVAL))
			Expect(a.Raw(unix.SYS_READV, r, lengths(a, 4, length), 2)).To(FailWith(unix.EINVAL))
		}
		untouched(a, r)
	})

	Clause("readv.sum-overflow-refused", func() {
		a := actor.New()
		r := holding(a)

		Expect(a.Raw(unix.SYS_READV, r, lengths(a, 4, math.MaxInt64), 2)).To(FailWith(unix.EINVAL, unix.EFAULT))
		Expect(a.Raw(unix.SYS_READV, r, lengths(a, math.MaxInt64, math.MaxInt64, 4), 3)).To(FailWith(unix.EINVAL, unix.EFAULT))
		untouched(a, r)
	})

	Clause("readv.bad-array-efault", func() {
		a := actor.New()
		r := holding(a)

		Expect(a.Raw(unix.SYS_READV, r, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_READV, r, a.NoAccess(), 2)).To(FailWith(unix.EFAULT))
		untouched(a, r)
	})

	Clause("readv.bad-array-tail-efault", func() {
		a := actor.New()
		r := holding(a)

		Expect(a.Raw(unix.SYS_READV, r, halfArray(a), 2)).To(FailWith(unix.EFAULT))
		untouched(a, r)
	})

	Clause("readv.bad-member-efault", func() {
		a := actor.New()
		r := holding(a)
		for _, bad := range []actor.Mem{a.Unmapped().Sub(0, 4), a.ReadOnly([]byte("...."))} {
			Expect(a.Raw(unix.SYS_READV, r, a.Iovec(bad, a.Alloc(4)), 2)).To(FailWith(unix.EFAULT))
			Expect(a.Raw(unix.SYS_READV, r, a.Iovec(bad), 1)).To(FailWith(unix.EFAULT))
		}
		untouched(a, r)
	})

	Clause("readv.bad-fd-ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Close(r))

		for _, fd := range []int{r, notOpen, -1} {
			Expect(a.Readv(fd, 4, 4)).To(FailWith(unix.EBADF))
		}
	})

	Clause("readv.write-end-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("abcdefgh")))

		Expect(a.Readv(w, 4, 4)).To(FailWith(unix.EBADF))
		untouched(a, r)
	})

	Clause("readv.directory-eisdir", func() {
		a := actor.New()
		fd := Must(a.Open(actor.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0))

		Expect(a.Readv(fd, 4, 4)).To(FailWith(unix.EISDIR))
	})
})

// lengths lays out an array whose members all begin at one good address and have these lengths.
func lengths(a *actor.Actor, lengths ...uint64) actor.Mem {
	m := a.Alloc(64)
	members := make([]actor.Mem, len(lengths))
	for i := range members {
		members[i] = m
	}
	iov := a.Iovec(members...)
	for i, n := range lengths {
		iov.PutUint64(16*i+8, n)
	}
	return iov
}

// halfArray lays out an array of two members, the second of which cannot be read.
func halfArray(a *actor.Actor) actor.Mem {
	iov := a.PageEnd(16)
	copy(iov.Bytes(), a.Iovec(a.Bytes([]byte("1234"))).Bytes())
	return iov
}

var _ = Describe("As many members as there may be", func() {
	Clause("readv.iov-max", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(iovMax)
		Must(a.Write(w, data))

		Expect(a.Readv(r, singles(iovMax)...)).To(ReturnData(data))
	})

	Clause("writev.iov-max", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(iovMax)

		Expect(a.Writev(w, many(data)...)).To(Return(iovMax))
		Expect(a.Read(r, 2*iovMax)).To(ReturnData(data))
	})

	Clause("preadv.iov-max", func() {
		a := actor.New()
		data := distinct(iovMax)
		fd, _ := scratchFile(a, "123"+string(data), unix.O_RDONLY)

		Expect(a.Preadv(fd, 3, singles(iovMax)...)).To(ReturnData(data))
	})

	Clause("pwritev.iov-max", func() {
		a := actor.New()
		data := distinct(iovMax)
		fd, path := scratchFile(a, "123", unix.O_WRONLY)

		Expect(a.Pwritev(fd, 3, many(data)...)).To(Return(iovMax))
		Expect(a.ReadFile(path)).To(Equal("123" + string(data)))
	})

	Clause("preadv2.iov-max", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(iovMax)
		Must(a.Write(w, data))

		Expect(a.Preadv2(r, -1, 0, singles(iovMax)...)).To(ReturnData(data))
	})

	Clause("pwritev2.iov-max", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(iovMax)

		Expect(a.Pwritev2(w, -1, 0, many(data)...)).To(Return(iovMax))
		Expect(a.Read(r, 2*iovMax)).To(ReturnData(data))
	})
})

var _ = Describe("The members of a writev", func() {
	Clause("writev.gathers-in-order", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := distinct(60)

		Expect(a.Writev(w, cut(data, 10, 20, 30)...)).To(Return(60))
		Expect(a.Read(r, 100)).To(ReturnData(data))
	})

	Clause("writev.repeated-member", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		ab, c := a.Bytes([]byte("ab")), a.Bytes([]byte("c"))

		Expect(a.Raw(unix.SYS_WRITEV, w, a.Iovec(ab, c, ab), 3)).To(Return(5))
		Expect(a.Read(r, 100)).To(ReturnData("abcab"))
	})

	Clause("writev.crosses-pages", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		page := os.Getpagesize()
		data := distinct(2 * page)

		Expect(a.Writev(w, cut(data, 1, page, page-1)...)).To(Return(2 * page))
		Expect(readExactly(a, r, 2*page)).To(Equal(data))
	})

	Clause("writev.zero-length-members", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Writev(w, nil, []byte("abc"), nil, nil, []byte("defgh"), nil)).To(Return(8))
		Expect(a.Read(r, 100)).To(ReturnData("abcdefgh"))
	})

	Clause("writev.iovcnt-zero", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		Expect(a.Writev(fd)).To(Return(0))
		Expect(a.Writev(fd, nil, nil)).To(Return(0))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("writev.partial-in-order", func() {
		a := actor.New()
		const stretch = 5000 // more than PIPE_BUF
		r, w := a.Pipe(unix.O_NONBLOCK)
		capacity := a.Fill(w)
		readExactly(a, r, capacity)
		data := distinct(capacity + 2*stretch)

		write := a.Writev(w, cut(data, 100, stretch, capacity-100, stretch)...)
		Expect(write.Value()).To(And(BeNumerically(">=", 1), BeNumerically("<=", capacity)), "%v", write)
		Expect(readExactly(a, r, write.Value())).To(Equal(data[:write.Value()]))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("writev.larger-than-pipe", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		capacity := reader.Fill(w)
		readExactly(reader, r, capacity)
		data := distinct(2*capacity + 300)
		writer := reader.Fork()

		write := writer.Begin().Writev(w, cut(data, 100, capacity, 100, capacity, 100)...)
		Expect(write).To(Block())
		Expect(readExactly(reader, r, len(data))).To(Equal(data))
		Expect(write).To(Return(len(data)))
	})
})

// readExactly reads exactly n bytes from a pipe or file.
func readExactly(a *actor.Actor, fd, n int) []byte {
	GinkgoHelper()
	var data []byte
	for len(data) < n {
		read := a.Read(fd, min(n-len(data), 64<<10))
		if Must(read) == 0 {
			break
		}
		data = append(data, read.Data()...)
	}
	Expect(len(data)).To(Equal(n), "bytes before the end of the file")
	return data
}

var _ = Describe("writev, as write", func() {
	Clause("writev.full-blocks", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		capacity := reader.Fill(w)
		writer := reader.Fork()

		write := writer.Begin().Writev(w, []byte("abc"), []byte("defgh"))
		Expect(write).To(Block())
		readExactly(reader, r, capacity)
		Expect(write).To(Return(8))
		Expect(reader.Read(r, 100)).To(ReturnData("abcdefgh"))
	})

	Clause("writev.full-eagain", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		capacity := a.Fill(w)

		Expect(a.Writev(w, []byte("abc"), []byte("defgh"))).To(FailWith(unix.EAGAIN))
		readExactly(a, r, capacity)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("writev.no-reader-epipe", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Writev(w, []byte("abc"), []byte("defgh"))).To(FailWith(unix.EPIPE))
	})

	Clause("writev.no-reader-sigpipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))

		Expect(a.Begin().Writev(w, []byte("abc"), []byte("defgh"))).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("writev.advances-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		Must(a.Lseek(fd, 2, unix.SEEK_SET))

		Expect(a.Writev(fd, []byte("abc"), []byte("de"))).To(Return(5))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Writev(fd, []byte("f"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("01abcdef89"))
	})

	Clause("writev.append", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123", unix.O_WRONLY|unix.O_APPEND)

		Expect(a.Writev(fd, []byte("abc"), []byte("de"))).To(Return(5))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(9))
		Expect(a.ReadFile(path)).To(Equal("0123abcde"))
	})

	Clause("writev.one-packet", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)

		Expect(a.Writev(w, []byte("ab"), []byte("cde"), []byte("f"))).To(Return(6))
		Expect(a.Read(r, 100)).To(ReturnData("abcdef"))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("writev.one-datagram", func() {
		a := actor.New()
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
		Must(pair)
		from, to := pair.FDs()

		Expect(a.Writev(from, []byte("ab"), []byte("cde"), []byte("f"))).To(Return(6))
		Expect(a.Read(to, 100)).To(ReturnData("abcdef"))
		Expect(a.Read(to, 100)).To(FailWith(unix.EAGAIN))
	})
})

var _ = Describe("A writev that is refused", func() {
	nothing := func(a *actor.Actor, r int) {
		GinkgoHelper()
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	}

	Clause("writev.above-iov-max-einval", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Writev(w, many(distinct(iovMax+1))...)).To(FailWith(unix.EINVAL))
		nothing(a, r)
	})

	Clause("writev.negative-iovcnt-einval", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		iov := a.Iovec(a.Alloc(8))

		for _, n := range []int{-1, math.MinInt32} {
			Expect(a.Raw(unix.SYS_WRITEV, w, iov, n)).To(FailWith(unix.EINVAL))
		}
		nothing(a, r)
	})

	Clause("writev.member-length-einval", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		for _, length := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
			Expect(a.Raw(unix.SYS_WRITEV, w, lengths(a, length), 1)).To(FailWith(unix.EINVAL))
			Expect(a.Raw(unix.SYS_WRITEV, w, lengths(a, 4, length), 2)).To(FailWith(unix.EINVAL))
		}
		nothing(a, r)
	})

	Clause("writev.sum-overflow-refused", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Raw(unix.SYS_WRITEV, w, lengths(a, 4, math.MaxInt64), 2)).To(FailWith(unix.EINVAL, unix.EFAULT))
		Expect(a.Raw(unix.SYS_WRITEV, w, lengths(a, math.MaxInt64, math.MaxInt64, 4), 3)).To(FailWith(unix.EINVAL, unix.EFAULT))
		nothing(a, r)
	})

	Clause("writev.bad-array-efault", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Raw(unix.SYS_WRITEV, w, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_WRITEV, w, a.NoAccess(), 2)).To(FailWith(unix.EFAULT))
		nothing(a, r)
	})

	Clause("writev.bad-array-tail-efault", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Raw(unix.SYS_WRITEV, w, halfArray(a), 2)).To(FailWith(unix.EFAULT))
		nothing(a, r)
	})

	Clause("writev.bad-member-efault", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		for _, bad := range []actor.Mem{a.Unmapped().Sub(0, 4), a.NoAccess().Sub(0, 4)} {
			Expect(a.Raw(unix.SYS_WRITEV, w, a.Iovec(bad, a.Alloc(4)), 2)).To(FailWith(unix.EFAULT))
			Expect(a.Raw(unix.SYS_WRITEV, w, a.Iovec(bad), 1)).To(FailWith(unix.EFAULT))
		}
		nothing(a, r)
	})

	Clause("writev.bad-fd-ebadf", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Must(a.Close(w))

		for _, fd := range []int{w, notOpen, -1} {
			Expect(a.Writev(fd, []byte("abc"), []byte("d"))).To(FailWith(unix.EBADF))
		}
	})

	Clause("writev.read-end-ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Writev(r, []byte("abc"), []byte("d"))).To(FailWith(unix.EBADF))
		nothing(a, r)
	})
})
