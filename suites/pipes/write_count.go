package pipes

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("What a write transfers", func() {
	Clause("write.buffer-start", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		m := a.Bytes([]byte("0123456789"))

		Expect(a.WriteFrom(w, m.At(2), 5)).To(Return(5))
		Expect(a.Read(r, 10)).To(ReturnData("23456"))
		Expect(a.Read(r, 10)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.regular-content", func() {
		a := actor.New()
		for _, n := range []int{1, 4095, 4096, 4097, 100000} {
			fd, path := scratchFile(a, "", unix.O_WRONLY)
			content := sample(n)
			Expect(a.Write(fd, content)).To(Return(n))
			Expect(a.ReadFile(path)).To(Equal(string(content)))
		}
	})

	Clause("write.takes-copy", func() {
		a := actor.New()
		for _, n := range []int{10, 4096, 8000} {
			r, w := a.Pipe(0)
			content := sample(n)
			m := a.Bytes(content)
			Expect(a.WriteFrom(w, m, n)).To(Return(n))
			clear(m.Bytes())
			Expect(a.Read(r, n)).To(ReturnData(content))
		}
	})
})

var _ = Describe("A write of very many bytes", func() {
	// /dev/null takes whatever it is offered, without looking at it.
	Clause("write.count-limit", func() {
		a := actor.New()
		null := Must(a.Open("/dev/null", unix.O_WRONLY, 0))
		buffer := vastReadable(a, 1<<33)

		for _, count := range []int{mostAtOnce + 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 33} {
			Expect(a.WriteFrom(null, buffer, count)).To(Return(mostAtOnce))
		}
	})

	Clause("write.count-at-limit", func() {
		a := actor.New()
		null := Must(a.Open("/dev/null", unix.O_WRONLY, 0))
		buffer := vastReadable(a, mostAtOnce)

		Expect(a.WriteFrom(null, buffer, mostAtOnce-1)).To(Return(mostAtOnce - 1))
		Expect(a.WriteFrom(null, buffer, mostAtOnce)).To(Return(mostAtOnce))
	})

	Clause("write.count-beyond-ssize-max", func() {
		a := actor.New()
		for _, count := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
			r, w := a.Pipe(unix.O_NONBLOCK)
			m := a.Bytes([]byte("0123456789"))
			write := a.Raw(unix.SYS_WRITE, w, m, count)
			Expect(write).To(SatisfyAny(ReturnSuccess(), FailWith(unix.EINVAL, unix.EFAULT)))
			written := 0
			if write.OK() {
				written = write.Value()
				Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<=", mostAtOnce)))
			}
			Expect(a.Fionread(r).Int()).To(Equal(written))
		}
	})
})

// vastReadable returns n bytes of memory that may be read and that take none.
func vastReadable(a *actor.Actor, n int) actor.Mem {
	return actor.Mem{Addr: uint64(Must(a.Mmap(0, n, unix.PROT_READ,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, -1, 0)))}
}

var _ = Describe("A write of no bytes", func() {
	Clause("write.count-zero-regular", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR)
		for _, at := range []int{0, 4, 10, 20, 1 << 33} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Write(fd, nil)).To(Return(0))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
			Expect(fileStatus(a, fd).Size).To(BeEquivalentTo(10))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.count-zero-append", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR|unix.O_APPEND)
		for _, at := range []int{0, 4, 20} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Write(fd, nil)).To(Return(0))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.count-zero-mtime", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR)
		setOldTimes(a, path)
		before := fileStatus(a, fd)

		Expect(a.Write(fd, nil)).To(Return(0))
		Expect(fileStatus(a, fd).Mtim).To(Equal(oldTime))
		Expect(fileStatus(a, fd).Ctim).To(Equal(before.Ctim))
	})

	Clause("write.count-zero-bad-fd", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDONLY)

		Expect(a.Write(fd, nil)).To(SatisfyAny(Return(0), FailWith(unix.EBADF)))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.count-zero-bad-buffer", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		for _, m := range []actor.Mem{actor.Null, a.Unmapped(), {Addr: kernelAddress}} {
			Expect(a.WriteFrom(fd, m, 0)).To(SatisfyAny(Return(0), FailWith(unix.EFAULT)))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.count-zero-file-size-limit", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		Must(a.Lseek(fd, 0, unix.SEEK_END))
		a.Ignore(unix.SIGXFSZ)
		a.SetRlimit(unix.RLIMIT_FSIZE, 10)

		Expect(a.Write(fd, nil)).To(SatisfyAny(Return(0), FailWith(unix.EFBIG)))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})
})
