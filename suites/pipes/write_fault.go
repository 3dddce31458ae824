package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write from a bad buffer", func() {
	Clause("write.efault-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		for _, m := range []actor.Mem{a.Unmapped(), a.NoAccess()} {
			for _, n := range []int{1, 4096, 10000} {
				Expect(a.WriteFrom(w, m, n)).To(FailWith(unix.EFAULT))
			}
		}
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.efault-null", func() {
		a := actor.New()
		_, w := a.Pipe(0)

		Expect(a.WriteFrom(w, actor.Null, 1)).To(FailWith(unix.EFAULT))
	})

	Clause("write.efault-kernel-address", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		file, path := scratchFile(a, "0123456789", unix.O_WRONLY)

		for _, m := range beyondUser() {
			Expect(a.WriteFrom(w, m, 10)).To(FailWith(unix.EFAULT))
			Expect(a.WriteFrom(file, m, 10)).To(FailWith(unix.EFAULT))
		}
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.efault-regular", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)

		for _, n := range []int{5, 10000} {
			Expect(a.WriteFrom(fd, a.Unmapped(), n)).To(FailWith(unix.EFAULT))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.efault-socket", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM | unix.SOCK_NONBLOCK)

		for _, n := range []int{1, 10000} {
			Expect(a.WriteFrom(here, a.Unmapped(), n)).To(FailWith(unix.EFAULT))
		}
		Expect(a.Read(there, 1)).To(FailWith(unix.EAGAIN, unix.EWOULDBLOCK))
	})

	Clause("write.bad-page-midway-pipe", func() {
		a := actor.New()
		for _, mapped := range []int{1, 100, 4096} {
			m := a.PageEnd(mapped)
			copy(m.Bytes(), sample(mapped))
			for _, n := range []int{mapped + 1, 4097, 10000} {
				r, w := a.Pipe(unix.O_NONBLOCK)
				write := a.WriteFrom(w, m, n)
				Expect(write).To(SatisfyAny(FailWith(unix.EFAULT), ReturnSuccess()))
				if write.OK() {
					written := write.Value()
					Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<=", mapped)))
					Expect(a.Read(r, n)).To(ReturnData(m.Copy()[:written]))
				}
				Expect(a.Read(r, n)).To(FailWith(unix.EAGAIN))
			}
		}
	})

	Clause("write.bad-page-midway-regular", func() {
		a := actor.New()
		for _, mapped := range []int{1, 100, 4096} {
			m := a.PageEnd(mapped)
			copy(m.Bytes(), sample(mapped))
			for _, n := range []int{mapped + 1, 4097, 10000} {
				fd, path := scratchFile(a, "", unix.O_WRONLY)
				write := a.WriteFrom(fd, m, n)
				Expect(write).To(SatisfyAny(FailWith(unix.EFAULT), ReturnSuccess()))
				written := 0
				if write.OK() {
					written = write.Value()
					Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<=", mapped)))
				}
				Expect(a.ReadFile(path)).To(Equal(string(m.Copy()[:written])))
				Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(written))
			}
		}
	})
})
