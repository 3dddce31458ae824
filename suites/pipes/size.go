package pipes

import (
	"math"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	softLimitFile = "/proc/sys/fs/pipe-user-pages-soft"
	hardLimitFile = "/proc/sys/fs/pipe-user-pages-hard"
)

// maxSize returns fs.pipe-max-size.
func maxSize(a *actor.Actor) int {
	n, err := strconv.Atoi(strings.TrimSpace(a.ReadFile("/proc/sys/fs/pipe-max-size")))
	Expect(err).NotTo(HaveOccurred())
	return n
}

// setSize is the F_SETPIPE_SZ that is under test.
func setSize(a *actor.Actor, fd, size int) *actor.Call {
	return a.Fcntl(fd, unix.F_SETPIPE_SZ, size)
}

// sizedPipe makes a pipe of so many pages.
func sizedPipe(a *actor.Actor, flags, pages int) (r, w int) {
	r, w = a.Pipe(flags)
	Must(setSize(a, w, pages*pageSize))
	return r, w
}

// put writes so many whole pages, one a write, and returns what they hold.
func put(a *actor.Actor, w, pages int) []byte {
	data := pageMarked(pages * pageSize)
	for i := range pages {
		Must(a.Write(w, data[i*pageSize:(i+1)*pageSize]))
	}
	return data
}

// expectContent reads as many bytes as want has and compares.
func expectContent(a *actor.Actor, r int, want []byte) {
	GinkgoHelper()
	var got []byte
	for len(got) < len(want) {
		read := a.Read(r, len(want)-len(got))
		Expect(read).To(ReturnSuccess())
		Expect(read.Value()).To(BeNumerically(">", 0), "bytes read")
		got = append(got, read.Data()...)
	}
	for i := range want {
		if got[i] != want[i] {
			Expect(got[i]).To(Equal(want[i]), "byte %d of %d", i, len(want))
		}
	}
}

// turn moves the content's beginning in the pipe's ring on by so many pages.
func turn(a *actor.Actor, r, w, pages int) {
	for range pages {
		Must(a.Write(w, make([]byte, pageSize)))
		Must(a.Read(r, pageSize))
	}
}

var _ = Describe("F_GETPIPE_SZ", func() {
	Clause("pipesz.get-is-capacity", func() {
		a := actor.New()
		_, w := a.Pipe(unix.O_NONBLOCK)
		for range capacityOf(a, w) / pageSize {
			Expect(a.Write(w, make([]byte, pageSize))).To(Return(pageSize))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.get-power-of-two-pages", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		size := capacityOf(a, r)
		Expect(size%pageSize).To(Equal(0), "remainder of %d bytes over whole pages", size)
		pages := size / pageSize
		Expect(pages).To(BeNumerically(">", 0))
		Expect(pages&(pages-1)).To(Equal(0), "%d pages are a power of two", pages)
	})

	Clause("pipesz.get-same-at-both-ends", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(capacityOf(a, w)))
		Must(setSize(a, w, 2*pageSize))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
	})

	Clause("pipesz.get-ignores-content", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		empty := capacityOf(a, r)
		Must(a.Write(w, pageMarked(pageSize+1)))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(empty))
		a.Fill(w)
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(empty))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(empty))
	})

	Clause("pipesz.get-on-fifo", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(capacityOf(a, w)))
		Expect(setSize(a, r, 2*pageSize)).To(Return(2 * pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
		Expect(setSize(a, w, pageSize)).To(Return(pageSize))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
		Expect(a.Write(w, make([]byte, pageSize))).To(Return(pageSize))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.get-seen-by-all-holders", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		duplicate := Must(parent.Dup(r))
		child := parent.Fork()
		Must(setSize(child, w, 2*pageSize))
		Expect(parent.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
		Expect(parent.Fcntl(duplicate, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
		Must(setSize(parent, duplicate, pageSize))
		Expect(child.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
	})
})

var _ = Describe("F_SETPIPE_SZ", func() {
	Clause("pipesz.set-at-least", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := maxSize(a)
		for _, size := range []int{1, pageSize, pageSize + 1, most / 3, most - 1, most} {
			set := setSize(a, w, size)
			Expect(set).To(ReturnSuccess())
			Expect(set.Value()).To(BeNumerically(">=", size))
			Expect(capacityOf(a, w)).To(BeNumerically(">=", size))
		}
	})

	Clause("pipesz.set-returns-capacity", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		most := maxSize(a)
		for _, size := range []int{0, pageSize, 2*pageSize - 1, most/2 + 1, most, pageSize} {
			set := setSize(a, w, size)
			Expect(set).To(ReturnSuccess())
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(set.Value()))
			Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(set.Value()))
		}
	})

	Clause("pipesz.set-through-read-end", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(setSize(a, r, 2*pageSize)).To(Return(2 * pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
		put(a, w, 2)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.set-only-this-pipe", func() {
		a := actor.New()
		_, other := a.Pipe(0)
		before := capacityOf(a, other)
		_, w := a.Pipe(0)
		Expect(setSize(a, w, pageSize)).To(Return(pageSize))
		Expect(a.Fcntl(other, unix.F_GETPIPE_SZ, 0)).To(Return(before))
		_, later := a.Pipe(0)
		Expect(a.Fcntl(later, unix.F_GETPIPE_SZ, 0)).To(Return(before))
	})

	Clause("pipesz.set-holds-for-writes", func() {
		a := actor.New()
		for _, size := range []int{pageSize, 2 * pageSize, 8 * pageSize, maxSize(a)} {
			r, w := a.Pipe(unix.O_NONBLOCK)
			Expect(setSize(a, w, size)).To(Return(size))
			fill := a.Repeat(size/pageSize+1).Write(w, make([]byte, pageSize))
			Expect(fill.Total()).To(Equal(size), "bytes that the pipe took")
			Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
			Must(a.Close(r))
			Must(a.Close(w))
		}
	})

	Clause("pipesz.set-bounds-odd-writes", func() {
		a := actor.New()
		for _, n := range []int{1, 7, pageSize/2 + 1, pageSize - 1, pageSize + 1, 3*pageSize - 1} {
			_, w := sizedPipe(a, unix.O_NONBLOCK, 8)
			fill := a.Repeat(8*pageSize+1).Write(w, make([]byte, n))
			Expect(fill).To(FailWith(unix.EAGAIN))
			Expect(fill.Total()).To(And(BeNumerically("<=", 8*pageSize), BeNumerically(">", 0)), "bytes taken of writes of %d", n)
		}
	})

	Clause("pipesz.zero-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, 0)).To(Return(pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
	})

	Clause("pipesz.one-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, 1)).To(Return(pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
	})

	Clause("pipesz.page-less-one-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, pageSize-1)).To(Return(pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
	})

	Clause("pipesz.page-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, pageSize)).To(Return(pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pageSize))
	})

	Clause("pipesz.page-and-one-is-two-pages", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, pageSize+1)).To(Return(2 * pageSize))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * pageSize))
	})

	Clause("pipesz.rounds-up-to-power-of-two", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := maxSize(a)
		for higher := 2 * pageSize; higher <= most; higher *= 2 {
			for _, size := range []int{higher/2 + 1, higher - higher/4, higher - 1} {
				Expect(setSize(a, w, size)).To(Return(higher))
			}
		}
	})

	Clause("pipesz.every-power-up-to-max", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := maxSize(a)
		for size := pageSize; size <= most; size *= 2 {
			Expect(setSize(a, w, size)).To(Return(size))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
		}
	})

	Clause("pipesz.up-and-down", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := maxSize(a)
		Expect(setSize(a, w, most)).To(Return(most))
		Expect(setSize(a, w, pageSize)).To(Return(pageSize))
		Expect(setSize(a, w, most)).To(Return(most))
	})

	Clause("pipesz.same-size-again", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		size := capacityOf(a, w)
		data := put(a, w, 2)
		Expect(setSize(a, w, size)).To(Return(size))
		Expect(a.Fionread(r).Int()).To(Equal(len(data)), "bytes unread")
		expectContent(a, r, data)
	})
})

var _ = Describe("The limits of F_SETPIPE_SZ", func() {
	Clause("pipesz.above-max-eperm", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := maxSize(a)
		for _, size := range []int{most + 1, 2 * most, math.MaxInt32} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EPERM))
		}
	})

	Clause("pipesz.above-max-unchanged", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 4)
		data := put(a, w, 3)
		Expect(setSize(a, w, maxSize(a)+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(4 * pageSize))
		Expect(a.Fionread(r).Int()).To(Equal(len(data)), "bytes unread")
		expectContent(a, r, data)
	})

	Clause("pipesz.above-max-only-by-sys-resource", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, maxSize(a)+1)).To(FailWith(unix.EPERM))
	})

	Clause("pipesz.above-max-by-sys-resource", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		above := 2 * maxSize(a)
		Expect(setSize(a, w, above)).To(Return(above))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(above))
	})

	Clause("pipesz.eperm-at-soft-limit", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		size := capacityOf(a, w)
		actor.ChangeFile(hardLimitFile, "0")
		actor.ChangeFile(softLimitFile, strconv.Itoa(size/pageSize))
		Expect(setSize(a, w, size+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
	})

	Clause("pipesz.eperm-at-hard-limit", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		size := capacityOf(a, w)
		actor.ChangeFile(softLimitFile, "0")
		actor.ChangeFile(hardLimitFile, strconv.Itoa(size/pageSize))
		Expect(setSize(a, w, size+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
	})
})

var _ = Describe("Shrinking a pipe", func() {
	Clause("pipesz.shrink-below-content-ebusy", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 8)
		put(a, w, 5)
		for _, size := range []int{4 * pageSize, 2 * pageSize, pageSize, 1, 0} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EBUSY))
			Expect(setSize(a, r, size)).To(FailWith(unix.EBUSY))
		}
	})

	Clause("pipesz.shrink-ebusy-keeps-size", func() {
		a := actor.New()
		_, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		put(a, w, 5)
		Expect(setSize(a, w, 4*pageSize)).To(FailWith(unix.EBUSY))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(8 * pageSize))
		for range 3 {
			Expect(a.Write(w, make([]byte, pageSize))).To(Return(pageSize))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-ebusy-keeps-content", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		turn(a, r, w, 6) // the content is going to begin before the ring's end and go on at its start
		data := put(a, w, 5)
		Expect(setSize(a, w, 4*pageSize)).To(FailWith(unix.EBUSY))
		Expect(a.Fionread(r).Int()).To(Equal(len(data)), "bytes unread")
		expectContent(a, r, data)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-to-content", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		data := put(a, w, 4)
		Expect(setSize(a, w, 4*pageSize)).To(Return(4 * pageSize))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		expectContent(a, r, data)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-after-reading", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 8)
		data := put(a, w, 5)
		Expect(setSize(a, w, 4*pageSize)).To(FailWith(unix.EBUSY))
		Must(a.Read(r, pageSize))
		Expect(setSize(a, w, 4*pageSize)).To(Return(4 * pageSize))
		expectContent(a, r, data[pageSize:])
	})

	Clause("pipesz.shrink-keeps-order", func() {
		a := actor.New()
		for start := range 8 {
			r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
			turn(a, r, w, start)
			data := put(a, w, 3)
			tail := pageMarked(100)
			Must(a.Write(w, tail))
			Expect(setSize(a, w, 4*pageSize)).To(Return(4 * pageSize))
			expectContent(a, r, data)
			expectContent(a, r, tail)
			Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		}
	})
})

var _ = Describe("Growing a pipe", func() {
	Clause("pipesz.grow-keeps-content", func() {
		a := actor.New()
		for start := range 8 {
			r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
			turn(a, r, w, start)
			data := put(a, w, 8)
			Expect(setSize(a, w, 16*pageSize)).To(Return(16 * pageSize))
			expectContent(a, r, data)
			Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("pipesz.grow-makes-room", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 4)
		turn(a, r, w, 3)
		old := put(a, w, 4)
		Expect(setSize(a, w, 8*pageSize)).To(Return(8 * pageSize))
		for i := range 4 {
			Expect(a.Write(w, pageMarked(5 * pageSize)[(i+1)*pageSize:(i+2)*pageSize])).To(Return(pageSize))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		expectContent(a, r, old)
		expectContent(a, r, pageMarked(5 * pageSize)[pageSize:])
	})

	Clause("pipesz.grow-releases-writer", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 2)
		old := put(a, w, 2)
		writer := a.Fork()
		write := writer.Begin().Write(w, []byte("waited for room"))
		Expect(write).To(Block())
		Expect(setSize(a, r, 4*pageSize)).To(Return(4 * pageSize))
		Expect(write).To(Return(15))
		expectContent(a, r, old)
		Expect(a.Read(r, 100)).To(ReturnData("waited for room"))
	})

	Clause("pipesz.grow-releases-all-writers", func() {
		a := actor.New()
		_, w := sizedPipe(a, 0, 2)
		put(a, w, 2)
		var writes []*actor.Call
		for range 4 {
			write := a.Fork().Begin().Write(w, make([]byte, pageSize))
			Expect(write).To(Block())
			writes = append(writes, write)
		}
		Expect(setSize(a, w, 8*pageSize)).To(Return(8 * pageSize))
		for _, write := range writes {
			Expect(write).To(Return(pageSize))
		}
	})

	Clause("pipesz.grow-wakes-poller", func() {
		a := actor.New()
		_, w := sizedPipe(a, 0, 2)
		put(a, w, 2)
		poll := a.Fork().Begin().Poll(-1, actor.PollFD{FD: w, Events: unix.POLLOUT})
		Expect(poll).To(Block())
		Expect(setSize(a, w, 4*pageSize)).To(Return(4 * pageSize))
		Expect(poll).To(Return(1))
		Expect(poll.Revents()).To(Equal([]int16{unix.POLLOUT}))
	})

	Clause("pipesz.resize-keeps-blocked-reader", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 4)
		read := a.Fork().Begin().Read(r, 100)
		Expect(read).To(Block())
		Expect(setSize(a, w, pageSize)).To(Return(pageSize))
		Expect(setSize(a, w, 8*pageSize)).To(Return(8 * pageSize))
		Expect(read).To(Block())
		Must(a.Write(w, []byte("at last")))
		Expect(read).To(ReturnData("at last"))
	})

	Clause("pipesz.resize-keeps-packets", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_DIRECT, 8)
		turn(a, r, w, 6)
		for _, packet := range []string{"one", "two", "three"} {
			Must(a.Write(w, []byte(packet)))
		}
		Expect(setSize(a, w, 16*pageSize)).To(Return(16 * pageSize))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(setSize(a, w, 2*pageSize)).To(Return(2 * pageSize))
		Expect(a.Read(r, 100)).To(ReturnData("two"))
		Expect(a.Read(r, 100)).To(ReturnData("three"))
	})
})

var _ = Describe("F_GETPIPE_SZ and F_SETPIPE_SZ that fail", func() {
	Clause("pipesz.get-not-a-pipe-ebadf", func() {
		a := actor.New()
		socket, _ := a.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0).FDs()
		dir := actor.TempDir()
		a.WriteFile(dir+"/file", "text")
		for _, fd := range []int{
			Must(a.Eventfd2(0, 0)), Must(a.MemfdCreate("ipcspec", 0)), socket,
			Must(a.Open(dir+"/file", unix.O_RDWR, 0)), Must(a.Open(dir, unix.O_RDONLY, 0)),
		} {
			Expect(a.Fcntl(fd, unix.F_GETPIPE_SZ, 0)).To(FailWith(unix.EBADF))
			Expect(setSize(a, fd, pageSize)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipesz.closed-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		for _, fd := range []int{w, r + 1000, -1} {
			Expect(a.Fcntl(fd, unix.F_GETPIPE_SZ, 0)).To(FailWith(unix.EBADF))
			Expect(setSize(a, fd, pageSize)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipesz.negative-einval", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		before := capacityOf(a, w)
		for _, size := range []int{-1, -pageSize, math.MinInt32 + 1} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EINVAL))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(before))
		}
	})
})
