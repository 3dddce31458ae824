package pipes

import (
	"math"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// setSize is the F_SETPIPE_SZ that is under test.
func setSize(a *actor.Actor, fd, size int) *actor.Call {
	return a.Fcntl(fd, unix.F_SETPIPE_SZ, size)
}

// largeSize is a capacity that everybody may set and that takes little memory to fill.
func largeSize() int { return min(maxSize(), 1<<20) }

// attainableMax is maxSize where the limits for all pipes of a user leave room for such a pipe. By
// default they do.
func attainableMax() int {
	most := maxSize()
	for _, name := range []string{"fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard"} {
		limit := settingOr(name, 0)
		Presuppose(limit == 0 || most/page <= limit/4, "a limit in %s far above fs.pipe-max-size; it is %d pages, for %d bytes", name, limit, most)
	}
	return most
}

// sizedPipe makes a pipe of so many pages.
func sizedPipe(a *actor.Actor, flags, pages int) (r, w int) {
	Presuppose(maxSize() >= defaultPages*page, "a limit in fs.pipe-max-size of %d pages or more; it is %d bytes", defaultPages, maxSize())
	r, w = a.Pipe(flags)
	got := Must(setSize(a, w, pages*page))
	Presuppose(got == pages*page, "a pipe of %d pages; it has %d bytes", pages, got)
	return r, w
}

// put writes so many whole pages, one a write, and returns what they hold.
func put(a *actor.Actor, w, pages int) []byte {
	data := noise(pages*page, 1)
	for i := range pages {
		send(a, w, string(data[i*page:(i+1)*page]))
	}
	return data
}

// expectContent reads as many bytes as want has and compares.
func expectContent(a *actor.Actor, r int, want []byte) {
	GinkgoHelper()
	var got []byte
	for len(got) < len(want) {
		left := len(want) - len(got)
		read := a.Read(r, left)
		Expect(read).To(ReturnSuccess())
		Expect(read.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", left)), "bytes read")
		got = append(got, read.Data()...)
	}
	expectBytes(got, want)
}

// turn moves the content's beginning in the pipe's ring on by so many pages.
func turn(a *actor.Actor, r, w, pages int) {
	for range pages {
		send(a, w, string(make([]byte, page)))
		Must(a.Read(r, page))
	}
}

var _ = Describe("F_GETPIPE_SZ", func() {
	Clause("pipesz.get-is-capacity", func() {
		a := actor.New()
		_, w := a.Pipe(unix.O_NONBLOCK)
		for range capacityOf(a, w) / page {
			Expect(a.Write(w, make([]byte, page))).To(Return(page))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.get-power-of-two-pages", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		size := capacityOf(a, r)
		Expect(size%page).To(Equal(0), "remainder of %d bytes over whole pages", size)
		pages := size / page
		Expect(pages).To(BeNumerically(">", 0))
		Expect(pages&(pages-1)).To(Equal(0), "%d pages are a power of two", pages)
	})

	Clause("pipesz.get-same-at-both-ends", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(capacityOf(a, w)))
		Must(setSize(a, w, 2*page))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
	})

	Clause("pipesz.get-ignores-content", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		empty := capacityOf(a, r)
		Must(a.Write(w, noise(page+1, 1)))
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
		Expect(setSize(a, r, 2*page)).To(Return(2 * page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		Expect(setSize(a, w, page)).To(Return(page))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(page))
		Expect(a.Write(w, make([]byte, page))).To(Return(page))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.get-seen-by-all-holders", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		duplicate := Must(parent.Dup(r))
		child := parent.Fork()
		Must(setSize(child, w, 2*page))
		Expect(parent.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		Expect(parent.Fcntl(duplicate, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		Must(setSize(parent, duplicate, page))
		Expect(child.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
	})
})

var _ = Describe("F_SETPIPE_SZ", func() {
	Clause("pipesz.set-at-least", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := largeSize()
		for _, size := range []int{1, page, page + 1, most / 3, most - 1, most} {
			set := setSize(a, w, size)
			Expect(set).To(ReturnSuccess())
			Expect(set.Value()).To(BeNumerically(">=", size))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(set.Value()))
		}
	})

	Clause("pipesz.set-returns-capacity", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		most := largeSize()
		for _, size := range []int{0, page, 2*page - 1, most/2 + 1, most, page} {
			set := setSize(a, w, size)
			Expect(set).To(ReturnSuccess())
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(set.Value()))
			Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(set.Value()))
		}
	})

	Clause("pipesz.set-through-read-end", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(setSize(a, r, 2*page)).To(Return(2 * page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		put(a, w, 2)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.set-only-this-pipe", func() {
		a := actor.New()
		_, other := a.Pipe(0)
		before := capacityOf(a, other)
		_, w := a.Pipe(0)
		Expect(setSize(a, w, page)).To(Return(page))
		Expect(a.Fcntl(other, unix.F_GETPIPE_SZ, 0)).To(Return(before))
		_, later := a.Pipe(0)
		Expect(a.Fcntl(later, unix.F_GETPIPE_SZ, 0)).To(Return(before))
	})

	Clause("pipesz.set-holds-for-writes", func() {
		a := actor.New()
		for _, size := range []int{page, 2 * page, 8 * page, largeSize()} {
			r, w := a.Pipe(unix.O_NONBLOCK)
			Expect(setSize(a, w, size)).To(Return(size))
			fill := a.Repeat(size/page+1).Write(w, make([]byte, page))
			Expect(fill).To(FailWith(unix.EAGAIN))
			Expect(fill.Total()).To(Equal(size), "bytes that the pipe took")
			Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
			Expect(unread(a, r)).To(Equal(size))
			Must(a.Close(r))
			Must(a.Close(w))
		}
	})

	Clause("pipesz.set-bounds-odd-writes", func() {
		a := actor.New()
		for _, n := range []int{1, 7, page/2 + 1, page - 1, page + 1, 3*page - 1} {
			r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
			fill := a.Repeat(8*page+1).Write(w, make([]byte, n))
			Expect(fill).To(FailWith(unix.EAGAIN))
			Expect(fill.Total()).To(And(BeNumerically("<=", 8*page), BeNumerically(">", 0)), "bytes taken of writes of %d", n)
			Expect(unread(a, r)).To(Equal(fill.Total()), "bytes in the pipe after writes of %d", n)
		}
	})

	Clause("pipesz.zero-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, 0)).To(Return(page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
	})

	Clause("pipesz.one-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, 1)).To(Return(page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
	})

	Clause("pipesz.page-less-one-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, page-1)).To(Return(page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
	})

	Clause("pipesz.page-is-a-page", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, page)).To(Return(page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
	})

	Clause("pipesz.page-and-one-is-two-pages", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, page+1)).To(Return(2 * page))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
	})

	Clause("pipesz.rounds-up-to-power-of-two", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := largeSize()
		for higher := 2 * page; higher <= most; higher *= 2 {
			for _, size := range []int{higher/2 + 1, higher - higher/4, higher - 1} {
				Expect(setSize(a, w, size)).To(Return(higher))
			}
		}
	})

	Clause("pipesz.every-power-up-to-max", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := attainableMax()
		for size := page; size <= most; size *= 2 {
			Expect(setSize(a, w, size)).To(Return(size))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
		}
	})

	Clause("pipesz.up-and-down", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		most := attainableMax()
		Expect(setSize(a, w, most)).To(Return(most))
		Expect(setSize(a, w, page)).To(Return(page))
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
		most := maxSize()
		for _, size := range []int{most + 1, 2 * most, math.MaxInt32} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EPERM))
		}
	})

	Clause("pipesz.above-max-unchanged", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 4)
		data := put(a, w, 3)
		Expect(setSize(a, w, maxSize()+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(4 * page))
		Expect(a.Fionread(r).Int()).To(Equal(len(data)), "bytes unread")
		expectContent(a, r, data)
	})

	Clause("pipesz.above-max-only-by-sys-resource", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(setSize(a, w, maxSize()+1)).To(FailWith(unix.EPERM))
	})

	Clause("pipesz.above-max-by-sys-resource", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		above := 2 * maxSize()
		Expect(setSize(a, w, above)).To(Return(above))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(above))
	})

	Clause("pipesz.eperm-at-soft-limit", func() {
		a := actor.New()
		spend(a, softLimit()-defaultPages)
		_, w := a.Pipe(0)
		size := capacityOf(a, w)
		Presuppose(size == defaultPages*page, "a pipe of %d pages that the user may still have; it has %d bytes", defaultPages, size)
		Expect(setSize(a, w, size+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
	})

	Clause("pipesz.eperm-at-hard-limit", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		size := capacityOf(a, w)
		actor.ChangeFile(softLimitFile, "0")
		actor.ChangeFile(hardLimitFile, strconv.Itoa(size/page))
		Expect(setSize(a, w, size+1)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(size))
	})
})

var _ = Describe("Shrinking a pipe", func() {
	Clause("pipesz.shrink-below-content-ebusy", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 8)
		put(a, w, 5)
		for _, size := range []int{4 * page, 2 * page, page, 1, 0} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EBUSY))
			Expect(setSize(a, r, size)).To(FailWith(unix.EBUSY))
		}
	})

	Clause("pipesz.shrink-ebusy-keeps-size", func() {
		a := actor.New()
		_, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		put(a, w, 5)
		Expect(setSize(a, w, 4*page)).To(FailWith(unix.EBUSY))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(8 * page))
		for range 3 {
			Expect(a.Write(w, make([]byte, page))).To(Return(page))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-ebusy-keeps-content", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		turn(a, r, w, 6) // the content is going to begin before the ring's end and go on at its start
		data := put(a, w, 5)
		Expect(setSize(a, w, 4*page)).To(FailWith(unix.EBUSY))
		Expect(a.Fionread(r).Int()).To(Equal(len(data)), "bytes unread")
		expectContent(a, r, data)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-to-content", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
		data := put(a, w, 4)
		Expect(setSize(a, w, 4*page)).To(Return(4 * page))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		expectContent(a, r, data)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipesz.shrink-after-reading", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 8)
		data := put(a, w, 5)
		Expect(setSize(a, w, 4*page)).To(FailWith(unix.EBUSY))
		Must(a.Read(r, page))
		Expect(setSize(a, w, 4*page)).To(Return(4 * page))
		expectContent(a, r, data[page:])
	})

	Clause("pipesz.shrink-keeps-order", func() {
		a := actor.New()
		for start := range 8 {
			r, w := sizedPipe(a, unix.O_NONBLOCK, 8)
			turn(a, r, w, start)
			data := put(a, w, 3)
			tail := noise(100, 2)
			Must(a.Write(w, tail))
			Expect(setSize(a, w, 4*page)).To(Return(4 * page))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(4 * page))
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
			Expect(setSize(a, w, 16*page)).To(Return(16 * page))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(16 * page))
			expectContent(a, r, data)
			Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("pipesz.grow-makes-room", func() {
		a := actor.New()
		r, w := sizedPipe(a, unix.O_NONBLOCK, 4)
		turn(a, r, w, 3)
		old := put(a, w, 4)
		Expect(setSize(a, w, 8*page)).To(Return(8 * page))
		further := noise(4*page, 2)
		for i := range 4 {
			Expect(a.Write(w, further[i*page:(i+1)*page])).To(Return(page))
		}
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
		expectContent(a, r, old)
		expectContent(a, r, further)
	})

	Clause("pipesz.grow-releases-writer", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 2)
		old := put(a, w, 2)
		writer := a.Fork()
		write := writer.Begin().Write(w, []byte("waited for room"))
		Expect(write).To(Block())
		Expect(setSize(a, r, 4*page)).To(Return(4 * page))
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
			write := a.Fork().Begin().Write(w, make([]byte, page))
			Expect(write).To(Block())
			writes = append(writes, write)
		}
		Expect(setSize(a, w, 8*page)).To(Return(8 * page))
		for _, write := range writes {
			Expect(write).To(Return(page))
		}
	})

	Clause("pipesz.grow-wakes-poller", func() {
		a := actor.New()
		_, w := sizedPipe(a, 0, 2)
		put(a, w, 2)
		poll := a.Fork().Begin().Poll(-1, actor.PollFD{FD: w, Events: unix.POLLOUT})
		Expect(poll).To(Block())
		Expect(setSize(a, w, 4*page)).To(Return(4 * page))
		Expect(poll).To(Return(1))
		Expect(poll.Revents()).To(Equal([]int16{unix.POLLOUT}))
	})

	Clause("pipesz.resize-keeps-blocked-reader", func() {
		a := actor.New()
		r, w := sizedPipe(a, 0, 4)
		read := a.Fork().Begin().Read(r, 100)
		Expect(read).To(Block())
		Expect(setSize(a, w, page)).To(Return(page))
		Expect(setSize(a, w, 8*page)).To(Return(8 * page))
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
		Expect(setSize(a, w, 16*page)).To(Return(16 * page))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(setSize(a, w, 2*page)).To(Return(2 * page))
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
			Expect(setSize(a, fd, page)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipesz.closed-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		for _, fd := range []int{w, r + 1000, -1} {
			Expect(a.Fcntl(fd, unix.F_GETPIPE_SZ, 0)).To(FailWith(unix.EBADF))
			Expect(setSize(a, fd, page)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipesz.negative-einval", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		before := capacityOf(a, w)
		for _, size := range []int{-1, -page, math.MinInt32 + 1} {
			Expect(setSize(a, w, size)).To(FailWith(unix.EINVAL))
			Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(before))
		}
	})
})
