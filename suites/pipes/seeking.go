package pipes

import (
	"math"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// expectOffset expects the file offset to be at a place.
func expectOffset(a *actor.Actor, fd, at int) {
	GinkgoHelper()
	Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
}

var _ = Describe("lseek", func() {
	Clause("lseek.set", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int64{7, 2, 0, 10} {
			Expect(a.Lseek(fd, offset, unix.SEEK_SET)).To(Return(int(offset)))
			expectOffset(a, fd, int(offset))
		}
	})

	Clause("lseek.cur", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		at := 0
		for _, offset := range []int64{3, 5, -6, 1, -3} {
			at += int(offset)
			Expect(a.Lseek(fd, offset, unix.SEEK_CUR)).To(Return(at))
			expectOffset(a, fd, at)
		}
	})

	Clause("lseek.cur-zero", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDWR)

		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(0))
		Must(a.Read(fd, 4))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Must(a.Write(fd, []byte("abc")))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Read(fd, 100)).To(ReturnData("789"))
	})

	Clause("lseek.end", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, before := range []int64{0, 5} {
			for _, offset := range []int64{0, -3, 4, -10} {
				Must(a.Lseek(fd, before, unix.SEEK_SET))
				Expect(a.Lseek(fd, offset, unix.SEEK_END)).To(Return(10 + int(offset)))
				expectOffset(a, fd, 10+int(offset))
			}
		}
	})

	Clause("lseek.end-follows-size", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_RDWR)
		b := actor.New()
		other := Must(b.Open(path, unix.O_RDWR, 0))

		Must(b.Pwrite64(other, []byte("abcde"), 10))
		Expect(a.Lseek(fd, 0, unix.SEEK_END)).To(Return(15))
		Must(b.Ftruncate(other, 4))
		Expect(a.Lseek(fd, -1, unix.SEEK_END)).To(Return(3))
	})

	Clause("lseek.next-read", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Lseek(fd, 6, unix.SEEK_SET)).To(Return(6))
		Expect(a.Read(fd, 2)).To(ReturnData("67"))
		Expect(a.Lseek(fd, 1, unix.SEEK_SET)).To(Return(1))
		Expect(a.Read(fd, 2)).To(ReturnData("12"))
	})

	Clause("lseek.next-write", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY)

		Expect(a.Lseek(fd, 6, unix.SEEK_SET)).To(Return(6))
		Must(a.Write(fd, []byte("ab")))
		Expect(a.Lseek(fd, 1, unix.SEEK_SET)).To(Return(1))
		Must(a.Write(fd, []byte("c")))
		Expect(a.ReadFile(path)).To(Equal("0c2345ab89"))
	})

	Clause("lseek.above-4gib", func() {
		a := actor.New()
		fd := Must(a.MemfdCreate("large", 0))

		Expect(a.Lseek(fd, 5<<32+7, unix.SEEK_SET)).To(Return(5<<32 + 7))
		Expect(a.Lseek(fd, 1<<33, unix.SEEK_CUR)).To(Return(7<<32 + 7))
		Expect(a.Lseek(fd, -1<<32, unix.SEEK_CUR)).To(Return(6<<32 + 7))
		expectOffset(a, fd, 6<<32+7)
	})
})

var _ = Describe("The file offset", func() {
	Clause("lseek.shared-by-dup", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		copied := Must(a.Dup(fd))

		Expect(a.Lseek(copied, 6, unix.SEEK_SET)).To(Return(6))
		Expect(a.Lseek(fd, 1, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Read(copied, 2)).To(ReturnData("78"))
	})

	Clause("lseek.shared-by-fork", func() {
		parent := actor.New()
		fd, _ := scratchFile(parent, digits, unix.O_RDONLY)
		child := parent.Fork()

		Expect(child.Lseek(fd, 6, unix.SEEK_SET)).To(Return(6))
		Expect(parent.Lseek(fd, 1, unix.SEEK_CUR)).To(Return(7))
		Expect(child.Lseek(fd, 1, unix.SEEK_CUR)).To(Return(8))
		Expect(parent.Read(fd, 2)).To(ReturnData("89"))
	})

	Clause("lseek.separate-by-open", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_RDONLY)
		other := Must(a.Open(path, unix.O_RDONLY, 0))
		Must(a.Lseek(other, 2, unix.SEEK_SET))

		Expect(a.Lseek(fd, 6, unix.SEEK_SET)).To(Return(6))
		Expect(a.Lseek(other, 0, unix.SEEK_CUR)).To(Return(2))
		Expect(a.Read(other, 2)).To(ReturnData("23"))
	})
})

var _ = Describe("Beyond the end of a file", func() {
	size := func(a *actor.Actor, fd int) int {
		stat := a.Fstat(fd)
		Must(stat)
		return int(stat.Stat().Size)
	}

	Clause("lseek.beyond-end", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		Expect(a.Lseek(fd, 1000, unix.SEEK_SET)).To(Return(1000))
		expectOffset(a, fd, 1000)
		Expect(a.Lseek(fd, 1, unix.SEEK_CUR)).To(Return(1001))
		expectOffset(a, fd, 1001)
		Expect(a.Lseek(fd, 1, unix.SEEK_END)).To(Return(11))
		expectOffset(a, fd, 11)
	})

	Clause("lseek.beyond-end-keeps-size", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_RDWR)

		Expect(a.Lseek(fd, 1000, unix.SEEK_SET)).To(Return(1000))
		Expect(size(a, fd)).To(Equal(10))
		Expect(a.Read(fd, 10)).To(Return(0))
		Expect(size(a, fd)).To(Equal(10))
		Expect(a.ReadFile(path)).To(Equal(digits))
	})

	Clause("lseek.gap-reads-zero", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_RDWR)

		Expect(a.Lseek(fd, 20_000, unix.SEEK_SET)).To(Return(20_000))
		Expect(a.Write(fd, []byte("abc"))).To(Return(3))
		Expect(size(a, fd)).To(Equal(20_003))
		Expect(a.ReadFile(path)).To(Equal(digits + strings.Repeat("\x00", 20_000-10) + "abc"))
	})

	Clause("lseek.gap-after-cut", func() {
		a := actor.New()
		fd, path := scratchFile(a, string(distinct(10_000)), unix.O_RDWR)
		Must(a.Ftruncate(fd, 100))

		Expect(a.Lseek(fd, 9000, unix.SEEK_SET)).To(Return(9000))
		Expect(a.Write(fd, []byte("abc"))).To(Return(3))
		Expect(a.ReadFile(path)).To(Equal(string(distinct(100)) + strings.Repeat("\x00", 8900) + "abc"))
	})

	Clause("lseek.gap-filled", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_RDWR)

		Expect(a.Lseek(fd, 20_000, unix.SEEK_SET)).To(Return(20_000))
		Must(a.Write(fd, []byte("abc")))
		Expect(a.Lseek(fd, 9000, unix.SEEK_SET)).To(Return(9000))
		Must(a.Write(fd, []byte("def")))
		Expect(a.ReadFile(path)).To(Equal(strings.Repeat("\x00", 9000) + "def" + strings.Repeat("\x00", 20_000-9003) + "abc"))
	})

	Clause("lseek.append-writes-at-end", func() {
		a := actor.New()
		fd, path := scratchFile(a, digits, unix.O_WRONLY|unix.O_APPEND)

		Expect(a.Lseek(fd, 0, unix.SEEK_SET)).To(Return(0))
		Expect(a.Write(fd, []byte("ab"))).To(Return(2))
		expectOffset(a, fd, 12)
		Expect(a.Lseek(fd, 1000, unix.SEEK_SET)).To(Return(1000))
		Expect(a.Write(fd, []byte("c"))).To(Return(1))
		expectOffset(a, fd, 13)
		Expect(a.ReadFile(path)).To(Equal(digits + "abc"))
	})
})

var _ = Describe("An lseek that is refused", func() {
	Clause("lseek.set-negative-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{-1, -4, -1 << 32, math.MinInt64} {
			Expect(a.Lseek(fd, offset, unix.SEEK_SET)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 4)
	})

	Clause("lseek.cur-negative-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{-5, -1 << 32, math.MinInt64} {
			Expect(a.Lseek(fd, offset, unix.SEEK_CUR)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 4)
	})

	Clause("lseek.end-negative-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{-11, -1 << 32, math.MinInt64} {
			Expect(a.Lseek(fd, offset, unix.SEEK_END)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 4)
	})

	Clause("lseek.start-by-cur-and-end", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		Expect(a.Lseek(fd, -4, unix.SEEK_CUR)).To(Return(0))
		Expect(a.Lseek(fd, -10, unix.SEEK_END)).To(Return(0))
		Expect(a.Read(fd, 3)).To(ReturnData("012"))
	})

	Clause("lseek.bad-whence-einval", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, whence := range []int{99, -1, math.MaxInt32, math.MinInt32} {
			Expect(a.Lseek(fd, 0, whence)).To(FailWith(unix.EINVAL))
		}
		expectOffset(a, fd, 4)
	})

	Clause("lseek.device-end-einval", func() {
		a := actor.New()
		fd := Must(a.Open("/dev/loop0", unix.O_RDONLY, 0))
		end := a.Lseek(fd, 0, unix.SEEK_END)
		Expect(end).To(ReturnSuccess())
		size := int64(end.Value())

		Expect(a.Lseek(fd, size, unix.SEEK_SET)).To(Return(int(size)))
		Expect(a.Lseek(fd, size+1, unix.SEEK_SET)).To(FailWith(unix.EINVAL))
		Expect(a.Lseek(fd, 1, unix.SEEK_CUR)).To(FailWith(unix.EINVAL))
		Expect(a.Lseek(fd, 1, unix.SEEK_END)).To(FailWith(unix.EINVAL))
		expectOffset(a, fd, int(size))
	})

	Clause("lseek.unrepresentable-refused", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))

		for _, offset := range []int64{math.MaxInt64, math.MaxInt64 - 3} {
			Expect(a.Lseek(fd, offset, unix.SEEK_CUR)).To(FailWith(unix.EINVAL, unix.EOVERFLOW))
			Expect(a.Lseek(fd, offset, unix.SEEK_END)).To(FailWith(unix.EINVAL, unix.EOVERFLOW))
		}
		expectOffset(a, fd, 4)
	})

	// refuses has lseek fail with ESPIPE for each of the three that set an offset.
	refuses := func(a *actor.Actor, fd int) {
		GinkgoHelper()
		for _, whence := range []int{unix.SEEK_SET, unix.SEEK_CUR, unix.SEEK_END} {
			for _, offset := range []int64{0, 1, 3} {
				Expect(a.Lseek(fd, offset, whence)).To(FailWith(unix.ESPIPE))
			}
		}
	}

	Clause("lseek.pipe-read-end-espipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(digits)))

		refuses(a, r)
		Expect(a.Read(r, 100)).To(ReturnData(digits))
	})

	Clause("lseek.pipe-write-end-espipe", func() {
		a := actor.New()
		_, w := a.Pipe(0)

		refuses(a, w)
	})

	Clause("lseek.fifo-espipe", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))

		refuses(a, Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)))
		refuses(a, Must(a.Open(path, unix.O_WRONLY, 0)))
		refuses(a, Must(a.Open(path, unix.O_RDWR, 0)))
	})

	Clause("lseek.socket-espipe", func() {
		a := actor.New()
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			pair := a.Socketpair(unix.AF_UNIX, kind, 0)
			Must(pair)
			one, _ := pair.FDs()
			refuses(a, one)
			refuses(a, Must(a.Socket(unix.AF_UNIX, kind, 0)))
		}
	})

	Clause("lseek.data-and-hole-espipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		fifo := Must(a.Open(path, unix.O_RDWR, 0))
		socket := Must(a.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))

		for _, fd := range []int{r, w, fifo, socket} {
			Expect(a.Lseek(fd, 0, unix.SEEK_DATA)).To(FailWith(unix.ESPIPE))
			Expect(a.Lseek(fd, 0, unix.SEEK_HOLE)).To(FailWith(unix.ESPIPE))
		}
	})

	Clause("lseek.terminal-espipe", func() {
		a := actor.New()
		master, slave := a.Terminal(0)

		refuses(a, slave)
		refuses(a, master)
	})

	Clause("lseek.bad-fd-ebadf", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)
		Must(a.Close(fd))

		for _, fd := range []int{fd, notOpen, -1} {
			for _, whence := range []int{unix.SEEK_SET, unix.SEEK_CUR, unix.SEEK_END} {
				Expect(a.Lseek(fd, 0, whence)).To(FailWith(unix.EBADF))
			}
		}
	})
})
