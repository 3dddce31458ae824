package pipes

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// sparseFile makes a file in a temporary folder, on whatever filesystem that is, with three
// stretches of data, the last of which does not reach the end.
func sparseFile(a *actor.Actor) (fd int, content []byte) {
	content = make([]byte, 3<<20)
	fd, _ = scratchFile(a, "", unix.O_RDWR)
	Must(a.Ftruncate(fd, int64(len(content))))
	for _, part := range []struct{ at, n int }{{0, 100}, {1<<20 + 17, 5000}, {2 << 20, 1}} {
		data := distinct(part.n)
		copy(content[part.at:], data)
		Must(a.Pwrite64(fd, data, int64(part.at)))
	}
	return fd, content
}

var _ = Describe("SEEK_DATA and SEEK_HOLE on any filesystem", func() {
	Clause("lseek.data-in-data", func() {
		a := actor.New()
		fd, _ := scratchFile(a, string(distinct(10_000)), unix.O_RDONLY)

		for _, offset := range []int{5000, 0, 1, 4095, 9999} {
			Expect(a.Lseek(fd, int64(offset), unix.SEEK_DATA)).To(Return(offset))
			expectOffset(a, fd, offset)
		}
	})

	Clause("lseek.hole-after-data", func() {
		a := actor.New()
		fd, _ := scratchFile(a, string(distinct(10_000)), unix.O_RDONLY)

		for _, offset := range []int64{0, 1, 4096, 9999} {
			Must(a.Lseek(fd, 0, unix.SEEK_SET))
			Expect(a.Lseek(fd, offset, unix.SEEK_HOLE)).To(Return(10_000))
			expectOffset(a, fd, 10_000)
		}
	})

	Clause("lseek.hole-after-last-data", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "", unix.O_RDWR)
		const at = 1 << 20
		Must(a.Pwrite64(fd, distinct(100), at))

		Expect(a.Lseek(fd, at, unix.SEEK_HOLE)).To(Return(at + 100))
		Expect(a.Lseek(fd, at+99, unix.SEEK_HOLE)).To(Return(at + 100))
		expectOffset(a, fd, at+100)
	})

	Clause("lseek.hole-is-zeros", func() {
		a := actor.New()
		fd, content := sparseFile(a)
		Must(a.Fsync(fd)) // so that the filesystem has no more blocks to assign

		hole := make([]bool, len(content)) // as reported
		for at := 0; at < len(content); {
			data := a.Lseek(fd, int64(at), unix.SEEK_DATA)
			Expect(data).To(Or(ReturnSuccess(), FailWith(unix.ENXIO)))
			begin := len(content)
			if data.OK() {
				begin = data.Value()
			}
			Expect(begin).To(And(BeNumerically(">=", at), BeNumerically("<=", len(content))), "%v", data)
			if data.OK() { // it is the first such offset, from wherever one looks
				Expect(a.Lseek(fd, int64(begin), unix.SEEK_DATA)).To(Return(begin))
				Expect(a.Lseek(fd, int64(max(at, begin-1)), unix.SEEK_DATA)).To(Return(begin))
			}
			for ; at < begin; at++ {
				hole[at] = true
			}
			if data.OK() {
				end := a.Lseek(fd, int64(begin), unix.SEEK_HOLE)
				Expect(end.Value()).To(And(BeNumerically(">", begin), BeNumerically("<=", len(content))), "%v", end)
				at = end.Value()
				Expect(a.Lseek(fd, int64(at-1), unix.SEEK_HOLE)).To(Return(at))
				if at < len(content) {
					Expect(a.Lseek(fd, int64(at), unix.SEEK_HOLE)).To(Return(at))
				}
			}
		}
		for at := 0; at < len(content); at += 1 << 20 {
			Expect(a.Pread64(fd, 1<<20, int64(at))).To(ReturnData(content[at : at+1<<20]))
		}
		for at, b := range content {
			if b != 0 && hole[at] {
				Expect(at).To(BeNumerically("<", 0), "the offset of a byte that is not zero, in what is reported as a hole")
			}
		}
	})

	Clause("lseek.data-or-hole-everywhere", func() {
		a := actor.New()
		fd, content := sparseFile(a)

		for _, offset := range []int{0, 50, 99, 5000, 1 << 19, 1<<20 + 17, 1<<20 + 100, 3 << 19, 2 << 20, 5 << 19, len(content) - 1} {
			data, hole := a.Lseek(fd, int64(offset), unix.SEEK_DATA), a.Lseek(fd, int64(offset), unix.SEEK_HOLE)
			Expect(data).To(Or(ReturnSuccess(), FailWith(unix.ENXIO)))
			Expect(hole).To(ReturnSuccess())
			for _, seek := range []*actor.Call{data, hole} {
				if seek.OK() {
					Expect(seek.Value()).To(BeNumerically(">=", offset), "%v", seek)
				}
			}
			Expect(data.Value() == offset).NotTo(Equal(hole.Value() == offset), "%v; %v", data, hole)
		}
	})

	// refused has lseek fail with ENXIO and leave the file offset alone.
	refused := func(a *actor.Actor, fd int, offset int64, whence int) {
		GinkgoHelper()
		Must(a.Lseek(fd, 4, unix.SEEK_SET))
		Expect(a.Lseek(fd, offset, whence)).To(FailWith(unix.ENXIO))
		expectOffset(a, fd, 4)
	}

	Clause("lseek.data-past-end-enxio", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int64{11, 5000, 1 << 40} {
			refused(a, fd, offset, unix.SEEK_DATA)
		}
	})

	Clause("lseek.hole-past-end-enxio", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		for _, offset := range []int64{11, 5000, 1 << 40} {
			refused(a, fd, offset, unix.SEEK_HOLE)
		}
	})

	Clause("lseek.data-at-end-enxio", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		refused(a, fd, 10, unix.SEEK_DATA)
	})

	Clause("lseek.hole-at-end-enxio", func() {
		a := actor.New()
		fd, _ := scratchFile(a, digits, unix.O_RDONLY)

		refused(a, fd, 10, unix.SEEK_HOLE)
	})

	Clause("lseek.empty-file-enxio", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "", unix.O_RDONLY)

		Expect(a.Lseek(fd, 0, unix.SEEK_DATA)).To(FailWith(unix.ENXIO))
		Expect(a.Lseek(fd, 0, unix.SEEK_HOLE)).To(FailWith(unix.ENXIO))
	})
})

var _ = Describe("SEEK_DATA and SEEK_HOLE on tmpfs", func() {
	// tmpfs counts as data the whole of a page that was written to, and pages may be huge; so the
	// stretches are far apart.
	const gib = 1 << 30

	// sparse makes a file of 16 GiB on tmpfs, which is where memfd_create puts it, with 100 bytes at
	// its start and in its middle.
	sparse := func(a *actor.Actor) (fd int) {
		fd = Must(a.MemfdCreate("sparse", 0))
		Must(a.Ftruncate(fd, 16*gib))
		Must(a.Pwrite64(fd, distinct(100), 0))
		Must(a.Pwrite64(fd, distinct(100), 8*gib))
		return fd
	}
	// between expects a seek to go behind data and not as far as the next.
	between := func(a *actor.Actor, fd int, call *actor.Call, after, before int) {
		GinkgoHelper()
		Expect(call.Value()).To(And(BeNumerically(">=", after), BeNumerically("<", before)), "%v", call)
		expectOffset(a, fd, call.Value())
		Expect(a.Pread64(fd, 4096, int64(call.Value()))).To(ReturnData(bytes.Repeat([]byte{0}, 4096)))
	}

	Clause("lseek.tmpfs-data-in-hole", func() {
		a := actor.New()
		fd := sparse(a)
		for _, offset := range []int64{1 * gib, 4*gib + 12345, 8*gib - 1} {
			Expect(a.Lseek(fd, offset, unix.SEEK_DATA)).To(Return(8 * gib))
			expectOffset(a, fd, 8*gib)
		}
	})

	Clause("lseek.tmpfs-hole-after-data", func() {
		a := actor.New()
		fd := sparse(a)
		for _, offset := range []int64{0, 50, 99} {
			between(a, fd, a.Lseek(fd, offset, unix.SEEK_HOLE), 100, 1*gib)
			between(a, fd, a.Lseek(fd, 8*gib+offset, unix.SEEK_HOLE), 8*gib+100, 9*gib)
		}
	})

	Clause("lseek.tmpfs-hole-in-hole", func() {
		a := actor.New()
		fd := sparse(a)
		for _, offset := range []int{1 * gib, 4*gib + 12345, 8*gib - 1, 16*gib - 1} {
			Expect(a.Lseek(fd, int64(offset), unix.SEEK_HOLE)).To(Return(offset))
			expectOffset(a, fd, offset)
		}
	})

	Clause("lseek.tmpfs-data-in-last-hole-enxio", func() {
		a := actor.New()
		fd := sparse(a)
		Must(a.Lseek(fd, 4, unix.SEEK_SET))
		for _, offset := range []int64{9 * gib, 12*gib + 12345, 16*gib - 1} {
			Expect(a.Lseek(fd, offset, unix.SEEK_DATA)).To(FailWith(unix.ENXIO))
		}
		expectOffset(a, fd, 4)
	})

	Clause("lseek.tmpfs-data-written-into-hole", func() {
		a := actor.New()
		fd := sparse(a)
		Must(a.Pwrite64(fd, distinct(100), 4*gib))

		Expect(a.Lseek(fd, 2*gib, unix.SEEK_DATA)).To(Return(4 * gib))
		Expect(a.Lseek(fd, 2*gib, unix.SEEK_HOLE)).To(Return(2 * gib))
		between(a, fd, a.Lseek(fd, 4*gib, unix.SEEK_HOLE), 4*gib+100, 5*gib)
	})

	Clause("lseek.tmpfs-punched-hole", func() {
		a := actor.New()
		fd := sparse(a)
		Must(a.Pwrite64(fd, distinct(100), 4*gib))
		Expect(a.Lseek(fd, 2*gib, unix.SEEK_DATA)).To(Return(4 * gib))
		Must(a.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4*gib, gib))

		Expect(a.Lseek(fd, 2*gib, unix.SEEK_DATA)).To(Return(8 * gib))
		Expect(a.Lseek(fd, 4*gib, unix.SEEK_HOLE)).To(Return(4 * gib))
	})
})
