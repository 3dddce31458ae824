package chardev

import (
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const readWrite = unix.PROT_READ | unix.PROT_WRITE

// contentAt returns what a mapping of the actor's holds from byte off on.
func contentAt(a *actor.Actor, m actor.Mem, off, n int) string {
	GinkgoHelper()
	load := a.Load(actor.Mem{Addr: m.Addr + uint64(off)}, n)
	Must(load)
	return string(load.Data())
}

// storeAt stores into a mapping of the actor's from byte off on.
func storeAt(a *actor.Actor, m actor.Mem, off int, text string) {
	GinkgoHelper()
	Must(a.Store(actor.Mem{Addr: m.Addr + uint64(off)}, []byte(text)))
}

// flagsOf returns the VmFlags of the mapping at an address.
func flagsOf(a *actor.Actor, m actor.Mem) []string {
	GinkgoHelper()
	inside := false
	for _, line := range strings.Split(a.ReadFile("/proc/self/smaps"), "\n") {
		if first, _, ok := strings.Cut(line, "-"); ok && !strings.Contains(first, ":") {
			if at, err := strconv.ParseUint(first, 16, 64); err == nil {
				inside = at == m.Addr
			}
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.Fields(flags)
		}
	}
	return nil
}

var _ = Describe("mmap of a channel", func() {
	Clause("channel.map-shows-message", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		data := noise(channelSize, 9)
		Must(a.Write(fd, data))
		mmap := a.Mmap(0, bufferLength, unix.PROT_READ, unix.MAP_SHARED, fd, 0)
		Expect(contentAt(a, mapping(mmap), 0, channelSize)).To(Equal(string(data)))
	})

	Clause("channel.map-of-read-only-descriptor", func() {
		a := actor.New()
		Must(a.Write(newChannel(a, 0, unix.O_RDWR), []byte("readable")))
		fd := openChannel(a, 0, unix.O_RDONLY)
		Expect(a.Mmap(0, bufferLength, readWrite, unix.MAP_SHARED, fd, 0)).To(FailWith(unix.EACCES))
		mmap := a.Mmap(0, bufferLength, unix.PROT_READ, unix.MAP_SHARED, fd, 0)
		Expect(contentAt(a, mapping(mmap), 0, 8)).To(Equal("readable"))
	})

	Clause("channel.map-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			for _, pages := range []int64{1, 2, 1 << 20, 1 << 40} {
				for _, length := range []int{1, bufferLength} {
					Expect(a.Mmap(0, length, unix.PROT_READ, flags, fd, pages*int64(unix.Getpagesize()))).To(FailWith(unix.EINVAL))
				}
			}
			Expect(contentAt(a, mapping(a.Mmap(0, bufferLength, unix.PROT_READ, flags, fd, 0)), bufferLength-1, 1)).To(HaveLen(1))
		}
	})

	Clause("channel.map-length", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			for _, length := range []int{bufferLength + 1, 2 * bufferLength, 100 * bufferLength} {
				Expect(a.Mmap(0, length, readWrite, flags, fd, 0)).To(FailWith(unix.EINVAL))
			}
			for _, length := range []int{1, channelSize - 1, channelSize, bufferLength} {
				m := mapping(a.Mmap(0, length, readWrite, flags, fd, 0))
				storeAt(a, m, length-1, "x")
				Expect(contentAt(a, m, length-1, 1)).To(Equal("x"))
			}
		}
	})

	Clause("channel.map-two-processes", func() {
		a, b := actor.New(), actor.New()
		here := mapChannel(a, newChannel(a, 0, unix.O_RDWR), readWrite, unix.MAP_SHARED)
		there := mapChannel(b, openChannel(b, 0, unix.O_RDWR), readWrite, unix.MAP_SHARED)
		for i, off := range []int{0, 1, 2000, channelSize - 5} {
			text := "move" + strconv.Itoa(i)
			storeAt(a, here, off, text)
			Expect(contentAt(b, there, off, 5)).To(Equal(text))
			text = "back" + strconv.Itoa(i)
			storeAt(b, there, off, text)
			Expect(contentAt(a, here, off, 5)).To(Equal(text))
		}
	})

	Clause("channel.map-store-is-read", func() {
		a, b := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		m := mapChannel(a, fd, readWrite, unix.MAP_SHARED)
		r := openChannel(b, 0, unix.O_RDONLY)
		Must(a.Write(fd, []byte("0123456789")))
		storeAt(a, m, 3, "abc")
		Expect(b.Read(r, 20)).To(ReturnData("012abc6789"))
	})

	Clause("channel.map-shows-write", func() {
		a, b := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		one, two := mapChannel(a, fd, readWrite, unix.MAP_SHARED), mapChannel(b, openChannel(b, 0, unix.O_RDONLY), unix.PROT_READ, unix.MAP_SHARED)
		for _, text := range []string{"first", "2nd", "the third"} {
			Expect(a.Pwrite64(fd, []byte(text), 7)).To(Return(len(text)))
			Expect(contentAt(a, one, 7, len(text))).To(Equal(text))
			Expect(contentAt(b, two, 7, len(text))).To(Equal(text))
		}
	})

	Clause("channel.map-of-each-channel", func() {
		a := actor.New()
		zero, one := newChannel(a, 0, unix.O_RDWR), newChannel(a, 1, unix.O_RDWR)
		m, n := mapChannel(a, zero, readWrite, unix.MAP_SHARED), mapChannel(a, one, readWrite, unix.MAP_SHARED)
		storeAt(a, m, 0, "zero")
		storeAt(a, n, 0, "one.")
		Expect(contentAt(a, m, 0, 4)).To(Equal("zero"))
		Expect(contentAt(a, n, 0, 4)).To(Equal("one."))
	})

	Clause("channel.map-store-not-fresh", func() {
		a, b := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Must(a.Write(fd, []byte("abc")))
		Must(a.Pread64(fd, 3, 0))
		read := b.Begin().Read(openChannel(b, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		m := mapChannel(a, fd, readWrite, unix.MAP_SHARED)
		storeAt(a, m, 0, "0123456789")
		Expect(fresh(a, fd)).To(BeFalse())
		Expect(a.Pread64(fd, 3, 0)).To(FailWith(unix.EAGAIN))
		Expect(lengthOf(a, fd)).To(Equal(3))
		Expect(read).To(Block())
		Must(a.Pwrite64(fd, []byte("x"), 5))
		Expect(read).To(ReturnData("01234x"))
	})

	Clause("channel.map-private", func() {
		a, b := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("original")))
		private, shared := mapChannel(a, fd, readWrite, unix.MAP_PRIVATE), mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED)
		other := mapChannel(b, openChannel(b, 0, unix.O_RDONLY), readWrite, unix.MAP_PRIVATE)
		Expect(contentAt(a, private, 0, 8)).To(Equal("original"))
		storeAt(a, private, 0, "my own")
		Expect(contentAt(a, private, 0, 8)).To(Equal("my ownal"))
		Expect(contentAt(a, shared, 0, 8)).To(Equal("original"))
		Expect(contentAt(b, other, 0, 8)).To(Equal("original"))
		Must(a.Lseek(fd, 0, unix.SEEK_SET))
		Expect(a.Read(fd, 8)).To(ReturnData("original"))
	})

	Clause("channel.map-not-executable", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			for _, prot := range []int{unix.PROT_EXEC, unix.PROT_EXEC | unix.PROT_READ, unix.PROT_EXEC | readWrite} {
				Expect(a.Mmap(0, bufferLength, prot, flags, fd, 0)).To(FailWith(unix.EPERM))
			}
		}
	})

	Clause("channel.map-not-made-executable", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			m := mapChannel(a, fd, readWrite, flags)
			Expect(flagsOf(a, m)).To(ContainElements("rd", "wr"))
			Expect(a.Raw(unix.SYS_MPROTECT, m, bufferLength, unix.PROT_READ|unix.PROT_EXEC)).To(FailWith(unix.EACCES))
			Expect(flagsOf(a, m)).To(And(ContainElement("wr"), Not(ContainElement("ex"))))
			Expect(a.Raw(unix.SYS_MPROTECT, m, bufferLength, unix.PROT_READ)).To(Return(0))
			Expect(flagsOf(a, m)).NotTo(ContainElement("wr"))
			Expect(a.Raw(unix.SYS_MPROTECT, m, bufferLength, readWrite)).To(Return(0))
			Expect(flagsOf(a, m)).To(ContainElement("wr"))
		}
	})

	Clause("channel.map-not-grown", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			m := mapChannel(a, fd, readWrite, flags)
			for _, to := range []int{2 * bufferLength, 100 * bufferLength} {
				Expect(a.Raw(unix.SYS_MREMAP, m, bufferLength, to, unix.MREMAP_MAYMOVE)).To(FailWith(unix.EFAULT))
				Expect(a.Raw(unix.SYS_MREMAP, m, bufferLength, to, 0)).To(FailWith(unix.EFAULT))
			}
			storeAt(a, m, 0, "still")
			Expect(contentAt(a, m, 0, 5)).To(Equal("still"))
		}
	})

	Clause("channel.map-not-dumped", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			mmap := a.Mmap(0, bufferLength, readWrite, flags, fd, 0)
			Expect(flagsOf(a, mapping(mmap))).To(ContainElements("rd", "wr", "dd"))
			Expect(a.Raw(unix.SYS_MADVISE, mapping(mmap), bufferLength, unix.MADV_DODUMP)).To(FailWith(unix.EINVAL))
			Expect(flagsOf(a, mapping(mmap))).To(ContainElement("dd"))
		}
	})

	Clause("channel.map-inherited", func() {
		a := actor.New()
		m := mapChannel(a, newChannel(a, 0, unix.O_RDWR), readWrite, unix.MAP_SHARED)
		storeAt(a, m, 0, "before")
		child := a.Fork()
		Expect(contentAt(child, m, 0, 6)).To(Equal("before"))
		storeAt(child, m, 0, "child.")
		Expect(contentAt(a, m, 0, 6)).To(Equal("child."))
		storeAt(a, m, 0, "parent")
		Expect(contentAt(child, m, 0, 6)).To(Equal("parent"))
	})

	Clause("channel.map-outlives-close", func() {
		a, b := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		m := mapChannel(a, fd, readWrite, unix.MAP_SHARED)
		expectClosed(a, fd)
		storeAt(a, m, 0, "mapped")
		w := openChannel(b, 0, unix.O_RDWR)
		Must(b.Pwrite64(w, []byte("!"), 6))
		Expect(b.Pread64(w, 10, 0)).To(ReturnData("mapped!"))
		Expect(contentAt(a, m, 0, 7)).To(Equal("mapped!"))
		Expect(a.Munmap(m.Addr, bufferLength)).To(Return(0))
	})

	Clause("channel.map-whole-buffer", func() {
		a := actor.New()
		m := mapChannel(a, newChannel(a, 0, unix.O_RDWR), readWrite, unix.MAP_SHARED)
		text := strings.Repeat("x", bufferLength)
		storeAt(a, m, 0, text)
		Expect(contentAt(a, m, 0, bufferLength)).To(Equal(text))
		Expect(a.Raw(unix.SYS_MADVISE, m, bufferLength, unix.MADV_DONTNEED)).To(Return(0))
		Expect(contentAt(a, m, 0, bufferLength)).To(Equal(text))
	})
})
