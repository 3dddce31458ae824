package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// kernelAddress is no address of user space on any 64-bit architecture: the user's part of the
// address space is the lower one, and at most 57 bits wide.
const kernelAddress = 0xffff_8880_0000_0000

// beyondUser are buffers that begin in the kernel's part of the address space, or go on after its
// end.
func beyondUser() []actor.Mem {
	return []actor.Mem{{Addr: kernelAddress}, {Addr: 1 << 63}, {Addr: ^uint64(0) - 9}, {Addr: ^uint64(0)}}
}

var _ = Describe("A read into a bad buffer", func() {
	Clause("read.efault-pipe", func() {
		a := actor.New()
		r, _ := holding(a, "0123456789")

		for _, n := range []int{1, 10, 4096} {
			Expect(a.ReadInto(r, a.Unmapped(), n)).To(FailWith(unix.EFAULT))
		}
		Expect(unread(a, r)).To(Equal(10))
	})

	Clause("read.efault-keeps-bytes", func() {
		a := actor.New()
		content := sample(10000)
		r, _ := holding(a, string(content))

		for _, n := range []int{1, 10, 10000} {
			Expect(a.ReadInto(r, a.Unmapped(), n)).To(FailWith(unix.EFAULT))
		}
		Expect(a.Read(r, 10000)).To(ReturnData(content))
	})

	Clause("read.efault-null", func() {
		a := actor.New()
		r, _ := holding(a, "0123456789")

		Expect(a.ReadInto(r, actor.Null, 1)).To(FailWith(unix.EFAULT))
		Expect(unread(a, r)).To(Equal(10))
	})

	Clause("read.efault-kernel-address", func() {
		a := actor.New()
		r, _ := holding(a, "0123456789")
		file, _ := scratchFile(a, "0123456789", unix.O_RDONLY)

		for _, m := range beyondUser() {
			Expect(a.ReadInto(r, m, 10)).To(FailWith(unix.EFAULT))
			Expect(a.ReadInto(file, m, 10)).To(FailWith(unix.EFAULT))
		}
		Expect(unread(a, r)).To(Equal(10))
		expectOffset(a, file, 0)
	})

	Clause("read.efault-no-write-access", func() {
		a := actor.New()
		r, _ := holding(a, "0123456789")
		readOnly := a.ReadOnly([]byte("keep this"))

		Expect(a.ReadInto(r, readOnly, 9)).To(FailWith(unix.EFAULT))
		Expect(string(readOnly.Copy())).To(Equal("keep this"))
		Expect(a.ReadInto(r, a.NoAccess(), 9)).To(FailWith(unix.EFAULT))
		Expect(unread(a, r)).To(Equal(10))
	})

	Clause("read.efault-regular", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)

		Expect(a.ReadInto(fd, a.Unmapped(), 10)).To(FailWith(unix.EFAULT))
	})

	Clause("read.bad-page-midway-pipe", func() {
		a := actor.New()
		content := sample(10000)
		for _, mapped := range []int{1, 100, 4096} {
			r, _ := holding(a, string(content))
			m := a.PageEnd(mapped)
			read := a.ReadInto(r, m, 10000)
			Expect(read).To(SatisfyAny(FailWith(unix.EFAULT), ReturnSuccess()))
			taken := 0
			if read.OK() {
				taken = read.Value()
				Expect(taken).To(And(BeNumerically(">", 0), BeNumerically("<=", mapped)))
				Expect(read).To(ReturnData(content[:taken]))
			}
			Expect(a.Read(r, 20000)).To(ReturnData(content[taken:]))
		}
	})

	Clause("read.bad-page-midway-regular", func() {
		a := actor.New()
		content := sample(10000)
		for _, mapped := range []int{1, 100, 4096} {
			fd, _ := scratchFile(a, content, unix.O_RDONLY)
			m := a.PageEnd(mapped)
			read := a.ReadInto(fd, m, 10000)
			Expect(read).To(SatisfyAny(FailWith(unix.EFAULT), ReturnSuccess()))
			// Where the offset is after a failure is left open.
			if read.OK() {
				taken := read.Value()
				Expect(taken).To(And(BeNumerically(">", 0), BeNumerically("<=", mapped)))
				Expect(read).To(ReturnData(content[:taken]))
				Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(taken))
			}
		}
	})
})
