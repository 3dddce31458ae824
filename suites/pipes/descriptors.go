package pipes

import (
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// An actor starts without descriptors, so which numbers are in use is the spec's to say: a pipe made
// first has the numbers 0 and 1.

// newFD is the descriptor that a call under test has made.
func newFD(call *actor.Call) int {
	GinkgoHelper()
	Expect(call).To(ReturnFD())
	return call.Value()
}

// use puts the numbers 0 to n-1 in use, and none above: a pipe and duplicates of its read end.
func use(a *actor.Actor, n int) (r, w int) {
	GinkgoHelper()
	r, w = a.Pipe(0)
	for next := w + 1; next < n; next++ {
		Must(a.Dup2(r, next))
	}
	return r, w
}

// limitNumbers sets RLIMIT_NOFILE.
func limitNumbers(a *actor.Actor, n uint64) { a.SetRlimit(unix.RLIMIT_NOFILE, n) }

// unusedNumbers are numbers of no open descriptor in a process that has few.
var unusedNumbers = []int{77, 1000, -1, math.MaxInt32, math.MinInt32}

// dupOps are the two operations of fcntl that duplicate.
var dupOps = map[string]int{"F_DUPFD": unix.F_DUPFD, "F_DUPFD_CLOEXEC": unix.F_DUPFD_CLOEXEC}

// fdFlags is F_GETFD, which also tells whether a number is in use.
func fdFlags(a *actor.Actor, fd int) *actor.Call { return a.Fcntl(fd, unix.F_GETFD, 0) }

func setCloexec(a *actor.Actor, fd int) { Must(a.Fcntl(fd, unix.F_SETFD, unix.FD_CLOEXEC)) }

// expectSharedOffset judges whether two descriptors of a file with the ten bytes 0123456789, at its
// start, have one file offset.
func expectSharedOffset(a *actor.Actor, one, two int) {
	GinkgoHelper()
	Expect(a.Read(one, 3)).To(ReturnData("012"))
	Expect(a.Read(two, 2)).To(ReturnData("34"))
	Expect(a.Lseek(two, 8, unix.SEEK_SET)).To(Return(8))
	Expect(a.Read(one, 1)).To(ReturnData("8"))
	Expect(a.Lseek(one, 1, unix.SEEK_SET)).To(Return(1))
	Expect(a.Write(two, []byte("x"))).To(Return(1))
	Expect(a.Lseek(one, 0, unix.SEEK_CUR)).To(Return(2))
}

// tenBytes opens a new file with the bytes 0123456789.
func tenBytes(a *actor.Actor) int {
	GinkgoHelper()
	path := actor.TempDir() + "/file"
	a.WriteFile(path, "0123456789")
	return Must(a.Open(path, unix.O_RDWR, 0))
}

// expectSharedNonblock judges whether two descriptors of an empty pipe's read end have one
// O_NONBLOCK.
func expectSharedNonblock(a *actor.Actor, one, two int) {
	GinkgoHelper()
	for _, pair := range [][2]int{{one, two}, {two, one}} {
		set, other := pair[0], pair[1]
		Expect(statusFlags(a, other)&unix.O_NONBLOCK).To(BeZero(), "before it is set")
		Expect(a.Fcntl(set, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(statusFlags(a, other)&unix.O_NONBLOCK).To(Equal(unix.O_NONBLOCK), "set through the other")
		Expect(a.Read(other, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.Fcntl(set, unix.F_SETFL, 0)).To(Return(0))
	}
}

var _ = Describe("dup", func() {
	Clause("dup.lowest-unused", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		for next := 2; next < 140; next++ { // beyond the 64 that a new table holds, and 128
			Expect(a.Dup(w)).To(Return(next))
		}
	})

	Clause("dup.lowest-gap", func() {
		a := actor.New()
		r, _ := use(a, 200)
		gaps := []int{2, 3, 62, 63, 64, 65, 127, 128, 197}
		for _, fd := range gaps {
			Must(a.Close(fd))
		}
		for _, fd := range gaps {
			Expect(a.Dup(r)).To(Return(fd))
		}
		Expect(a.Dup(r)).To(Return(200))
		Expect(a.Dup(r)).To(Return(201))
	})

	Clause("dup.lowest-not-latest", func() {
		for _, closed := range [][]int{{5, 3, 8}, {8, 5, 3}, {3, 5, 8}, {3, 8, 5}} {
			a := actor.New()
			r, _ := use(a, 10)
			for _, fd := range closed {
				Must(a.Close(fd))
			}
			for _, fd := range []int{3, 5, 8, 10} {
				Expect(a.Dup(r)).To(Return(fd), "closed in the order %v", closed)
			}
		}
	})

	Clause("dup.lowest-zero", func() {
		a := actor.New()
		_, w := use(a, 4)
		Must(a.Close(0))
		Expect(a.Dup(w)).To(Return(0))
	})

	Clause("dup.lowest-own-process", func() {
		parent := actor.New()
		r, _ := use(parent, 6)
		child := parent.Fork()
		Must(child.Close(3))

		Expect(child.Dup(r)).To(Return(3))
		Expect(parent.Dup(r)).To(Return(6))
		Expect(child.Dup(r)).To(Return(6))
	})

	Clause("dup.lowest-all-threads", func() {
		a := actor.New()
		r, _ := use(a, 4)
		thread := a.Thread()

		Expect(thread.Dup(r)).To(Return(4))
		Expect(a.Dup(r)).To(Return(5))
		Must(thread.Close(2))
		Expect(a.Dup(r)).To(Return(2))
		Expect(thread.Dup(r)).To(Return(6))
	})

	Clause("dup.shares-offset", func() {
		a := actor.New()
		fd := tenBytes(a)
		expectSharedOffset(a, fd, newFD(a.Dup(fd)))
	})

	Clause("dup.shares-status-flags", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		expectSharedNonblock(a, r, newFD(a.Dup(r)))
	})

	Clause("dup.interchangeable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := newFD(a.Dup(r)), newFD(a.Dup(w))

		Expect(a.Write(w, []byte("ab"))).To(Return(2))
		Expect(a.Write(w2, []byte("cd"))).To(Return(2))
		Expect(a.Write(w, []byte("ef"))).To(Return(2))
		Expect(a.Read(r2, 3)).To(ReturnData("abc"))
		Expect(a.Read(r, 1)).To(ReturnData("d"))
		Expect(a.Read(r2, 10)).To(ReturnData("ef"))
	})

	Clause("dup.original-closed", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := newFD(a.Dup(r)), newFD(a.Dup(w))
		Must(a.Close(r))
		Must(a.Close(w))

		Expect(a.Write(w2, []byte("still"))).To(Return(5))
		Expect(a.Read(r2, 10)).To(ReturnData("still"))
	})

	Clause("dup.eof-after-last-duplicate", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		w2 := newFD(a.Dup(w))
		w3 := newFD(a.Dup(w2))
		reader := a.Fork()
		for _, fd := range []int{w, w2, w3} {
			Must(reader.Close(fd))
		}

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(a.Close(w))
		Must(a.Close(w2))
		// Had one of these closes ended the read, it would not be given what is written only now.
		Expect(a.Write(w3, oneByte)).To(Return(1))
		Expect(read).To(ReturnData(oneByte))

		read = reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(a.Close(w3))
		Expect(read).To(Return(0))
	})

	Clause("dup.epipe-after-last-duplicate", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		r, w := a.Pipe(0)
		r2 := newFD(a.Dup(r))

		Must(a.Close(r))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Must(a.Close(r2))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("dup.cloexec-off", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_CLOEXEC)
		Expect(fdFlags(a, newFD(a.Dup(r)))).To(Return(0))
		Expect(fdFlags(a, newFD(a.Dup(w)))).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dup.cloexec-not-shared", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		r2 := newFD(a.Dup(r))
		for _, pair := range [][2]int{{r, r2}, {r2, r}} {
			set, other := pair[0], pair[1]
			Expect(a.Fcntl(set, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
			Expect(fdFlags(a, other)).To(Return(0))
			setCloexec(a, other)
			Expect(a.Fcntl(set, unix.F_SETFD, 0)).To(Return(0))
			Expect(fdFlags(a, other)).To(Return(unix.FD_CLOEXEC))
			Must(a.Fcntl(other, unix.F_SETFD, 0))
		}
	})

	Clause("dup.ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range unusedNumbers {
			Expect(a.Dup(fd)).To(FailWith(unix.EBADF))
		}
		Must(a.Close(r))
		Expect(a.Dup(r)).To(FailWith(unix.EBADF))
		Expect(a.Dup(w)).To(Return(r))
	})

	Clause("dup.emfile", func() {
		a := actor.New()
		r, _ := use(a, 20)
		limitNumbers(a, 20)

		Expect(a.Dup(r)).To(FailWith(unix.EMFILE))
		for _, fd := range []int{7, 19, 1} {
			Must(a.Close(fd))
			Expect(a.Dup(r)).To(Return(fd))
			Expect(a.Dup(r)).To(FailWith(unix.EMFILE))
		}
	})

	Clause("dup.last-below-limit", func() {
		a := actor.New()
		r, _ := use(a, 18)
		limitNumbers(a, 20)

		Expect(a.Dup(r)).To(Return(18))
		Expect(a.Dup(r)).To(Return(19))
		Expect(a.Dup(r)).To(FailWith(unix.EMFILE))
	})
})

var _ = Describe("dup2", func() {
	Clause("dup2.exact-number", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{42, 2, 3, 63, 64, 200} {
			Expect(a.Dup2(w, fd)).To(Return(fd))
			Expect(a.Write(fd, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
		for _, fd := range []int{4, 41, 43, 62, 65, 199, 201} {
			Expect(fdFlags(a, fd)).To(FailWith(unix.EBADF), "descriptor %d", fd)
		}
	})

	Clause("dup2.shares-offset", func() {
		a := actor.New()
		fd := tenBytes(a)
		expectSharedOffset(a, fd, newFD(a.Dup2(fd, 9)))
	})

	Clause("dup2.shares-status-flags", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		expectSharedNonblock(a, r, newFD(a.Dup2(r, 9)))
	})

	Clause("dup2.cloexec-off", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_CLOEXEC)
		Expect(fdFlags(a, newFD(a.Dup2(r, 9)))).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dup2.cloexec-off-reused", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		_, other := a.Pipe(unix.O_CLOEXEC)
		Expect(a.Dup2(r, other)).To(Return(other))
		Expect(fdFlags(a, other)).To(Return(0))
	})

	Clause("dup2.replaces-open", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(unix.O_NONBLOCK)
		kept := Must(a.Dup(w2))

		Expect(a.Dup2(w, w2)).To(Return(w2))
		Expect(a.Write(w2, []byte("one"))).To(Return(3))
		Expect(a.Read(r2, 10)).To(FailWith(unix.EAGAIN))
		Expect(a.Read(r, 10)).To(ReturnData("one"))
		Expect(a.Write(kept, []byte("two"))).To(Return(3))
		Expect(a.Read(r2, 10)).To(ReturnData("two"))
	})

	Clause("dup2.closes-last-writer", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		Must(a.Write(w, []byte("left")))

		Expect(a.Dup2(other, w)).To(Return(w))
		Expect(a.Read(r, 10)).To(ReturnData("left"))
		Expect(a.Read(r, 10)).To(Return(0))
	})

	Clause("dup2.wakes-blocked-reader", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		reader := a.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Expect(a.Dup2(other, w)).To(Return(w))
		Expect(read).To(Return(0))
	})

	Clause("dup2.closes-last-reader", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		Must(a.Write(w, oneByte))

		Expect(a.Dup2(other, r)).To(Return(r))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("dup2.closes-one-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		kept := Must(a.Dup(w))

		Expect(a.Dup2(other, w)).To(Return(w))
		Expect(a.Write(kept, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		Must(a.Close(kept))
		Expect(a.Read(r, 2)).To(Return(0))
	})

	Clause("dup2.never-unused", func() {
		a := actor.New()
		expectNeverUnused(a, func(by actor.Caller, old, new int) *actor.Call { return by.Dup2(old, new) })
	})

	Clause("dup2.never-taken", func() {
		a := actor.New()
		limitNumbers(a, 1024)
		r, w := a.Pipe(0)
		target := Must(a.Dup(w))
		thread := a.Thread()

		// The numbers that dup gives are consecutive ones, since all below are in use; had it been
		// given the target once, their sum would be smaller.
		const rounds, n = 40, 400
		sum := 0
		for i := 1; i <= n; i++ {
			sum += target + i
		}
		for range rounds {
			replace := thread.Begin().Repeat(4000).Dup2(w, target)
			taken := a.Repeat(n).Dup(r)
			Expect(taken).To(Return(target + n))
			Expect(taken.Total()).To(Equal(sum), "the sum of the numbers that dup has given")
			Expect(replace).To(Return(target))
			Must(a.Raw(unix.SYS_CLOSE_RANGE, target+1, target+n, 0))
		}
	})

	Clause("dup2.bad-oldfd", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, fd := range unusedNumbers {
			Expect(a.Dup2(fd, r)).To(FailWith(unix.EBADF))
			Expect(a.Dup2(fd, 9)).To(FailWith(unix.EBADF))
		}
		Must(a.Close(r))
		Expect(a.Dup2(r, 9)).To(FailWith(unix.EBADF))
	})

	Clause("dup2.bad-oldfd-newfd-open", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		setCloexec(a, w)
		for _, fd := range unusedNumbers {
			Expect(a.Dup2(fd, w)).To(FailWith(unix.EBADF))
			Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
			Expect(a.Write(w, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("dup2.bad-oldfd-newfd-unused", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, fd := range unusedNumbers {
			for _, unused := range []int{2, 50, 300} {
				Expect(a.Dup2(fd, unused)).To(FailWith(unix.EBADF))
				Expect(fdFlags(a, unused)).To(FailWith(unix.EBADF))
			}
		}
		Expect(a.Dup(r)).To(Return(2), "the number is still to be had")
	})

	Clause("dup2.same-number", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Dup2(r, r)).To(Return(r))
		Expect(a.Dup2(w, w)).To(Return(w))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dup2.same-number-not-closed", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		reader := a.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Expect(a.Dup2(w, w)).To(Return(w))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(read).To(ReturnData(oneByte))
	})

	Clause("dup2.same-number-keeps-cloexec", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		setCloexec(a, w)
		Expect(a.Dup2(r, r)).To(Return(r))
		Expect(a.Dup2(w, w)).To(Return(w))
		Expect(fdFlags(a, r)).To(Return(0))
		Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dup2.same-number-not-open", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, fd := range unusedNumbers {
			Expect(a.Dup2(fd, fd)).To(FailWith(unix.EBADF))
		}
		Must(a.Close(r))
		Expect(a.Dup2(r, r)).To(FailWith(unix.EBADF))
	})

	Clause("dup2.last-below-limit", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		limitNumbers(a, 20)
		Expect(a.Dup2(w, 19)).To(Return(19))
		Expect(a.Write(19, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dup2.newfd-at-limit", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		limitNumbers(a, 20)
		for _, fd := range []int{20, 21, 1000, math.MaxInt32} {
			Expect(a.Dup2(r, fd)).To(FailWith(unix.EBADF))
		}
	})

	Clause("dup2.newfd-negative", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, fd := range []int{-1, -2, math.MinInt32} {
			Expect(a.Dup2(r, fd)).To(FailWith(unix.EBADF))
		}
	})

	Clause("dup2.newfd-open-above-limit", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{20, 30} {
			Must(a.Dup2(w, fd))
		}
		limitNumbers(a, 20)
		for _, fd := range []int{20, 30} {
			Expect(a.Dup2(r, fd)).To(FailWith(unix.EBADF))
			Expect(a.Write(fd, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("dup2.all-numbers-used", func() {
		a := actor.New()
		r, w := use(a, 20)
		limitNumbers(a, 20)
		for _, fd := range []int{5, 19} {
			Expect(a.Dup2(w, fd)).To(Return(fd))
			Expect(a.Write(fd, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("dup2.open-in-progress", func() {
		a := actor.New()
		fifo := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(fifo, 0o600))
		r, w := a.Pipe(0)
		thread := a.Thread()

		open := thread.Begin().Open(fifo, unix.O_RDONLY, 0)
		Expect(open).To(Block())
		dup := a.Dup2(w, 2) // the lowest unused number
		Expect(dup).To(Or(FailWith(unix.EBUSY), Return(2)))

		writer := actor.New()
		end := Must(writer.Open(fifo, unix.O_WRONLY, 0))
		opened := newFD(open)
		Must(writer.Write(end, []byte("from the FIFO")))
		Expect(a.Read(opened, 20)).To(ReturnData("from the FIFO"))
		if dup.OK() {
			Expect(opened).NotTo(Equal(2))
			w = 2
		} else {
			Expect(opened).To(Equal(2))
		}
		Expect(a.Write(w, []byte("from the pipe"))).To(Return(13))
		Expect(a.Read(r, 20)).To(ReturnData("from the pipe"))
	})
})

// expectNeverUnused has one thread replace a descriptor as replace does while another looks
// whether its number is in use.
func expectNeverUnused(a *actor.Actor, replace func(by actor.Caller, old, new int) *actor.Call) {
	GinkgoHelper()
	r, w := a.Pipe(0)
	target := Must(a.Dup(w))
	thread := a.Thread()

	watch := thread.Begin().Repeat(100_000).Fcntl(target, unix.F_GETFD, 0)
	for i := 0; !watch.Done(); i++ {
		Expect(replace(a.Repeat(2000), []int{r, w}[i%2], target)).To(Return(target))
		// The target is the read end and the write end in turn.
		Expect(Must(a.Fcntl(target, unix.F_GETFL, 0)) & unix.O_ACCMODE).To(Equal([]int{unix.O_RDONLY, unix.O_WRONLY}[i%2]))
	}
	Expect(watch).To(Return(0), "F_GETFD in the other thread")
}

var _ = Describe("dup3", func() {
	Clause("dup3.exact-number", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{42, 2, 63, 64, 200} {
			for _, flags := range []int{0, unix.O_CLOEXEC} {
				Expect(a.Dup3(w, fd, flags)).To(Return(fd))
				Expect(a.Write(fd, oneByte)).To(Return(1))
				Expect(a.Read(r, 2)).To(ReturnData(oneByte))
			}
		}
		for _, fd := range []int{3, 41, 43, 199, 201} {
			Expect(fdFlags(a, fd)).To(FailWith(unix.EBADF), "descriptor %d", fd)
		}
	})

	Clause("dup3.shares-description", "file offset", func() {
		a := actor.New()
		fd := tenBytes(a)
		expectSharedOffset(a, fd, newFD(a.Dup3(fd, 9, unix.O_CLOEXEC)))
	})

	Clause("dup3.shares-description", "status flags", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		expectSharedNonblock(a, r, newFD(a.Dup3(r, 9, 0)))
	})

	Clause("dup3.closes-newfd", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		reader := a.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Expect(a.Dup3(other, w, 0)).To(Return(w))
		Expect(read).To(Return(0))
	})

	Clause("dup3.never-unused", func() {
		a := actor.New()
		expectNeverUnused(a, func(by actor.Caller, old, new int) *actor.Call { return by.Dup3(old, new, 0) })
	})

	Clause("dup3.cloexec-on", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Dup3(r, 9, unix.O_CLOEXEC)).To(Return(9))
		Expect(fdFlags(a, 9)).To(Return(unix.FD_CLOEXEC))
		Expect(fdFlags(a, r)).To(Return(0))
	})

	Clause("dup3.cloexec-on-reused", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Dup3(r, w, unix.O_CLOEXEC)).To(Return(w))
		Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dup3.cloexec-off", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_CLOEXEC)
		plain, _ := a.Pipe(0)
		Expect(a.Dup3(r, 9, 0)).To(Return(9))
		Expect(fdFlags(a, 9)).To(Return(0), "a duplicate of one with the flag")
		Expect(a.Dup3(plain, w, 0)).To(Return(w))
		Expect(fdFlags(a, w)).To(Return(0), "in place of one with the flag")
	})

	Clause("dup3.cloexec-closed-by-exec", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Dup3(w, 8, 0)).To(Return(8))
		Expect(a.Dup3(w, 9, unix.O_CLOEXEC)).To(Return(9))

		a.Exec()
		Expect(fdFlags(a, 9)).To(FailWith(unix.EBADF))
		Expect(a.Write(8, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dup3.same-number", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		setCloexec(a, w)
		for _, flags := range []int{0, unix.O_CLOEXEC} {
			Expect(a.Dup3(r, r, flags)).To(FailWith(unix.EINVAL))
			Expect(a.Dup3(w, w, flags)).To(FailWith(unix.EINVAL))
			Expect(fdFlags(a, r)).To(Return(0))
			Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
			Expect(a.Write(w, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("dup3.same-number-not-open", func() {
		a := actor.New()
		a.Pipe(0)
		for _, fd := range unusedNumbers {
			Expect(a.Dup3(fd, fd, 0)).To(FailWith(unix.EINVAL))
			Expect(a.Dup3(fd, fd, unix.O_CLOEXEC)).To(FailWith(unix.EINVAL))
		}
	})

	Clause("dup3.unknown-flags", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, flag := range allBitsBut(unix.O_CLOEXEC) {
			Expect(a.Dup3(r, w, flag)).To(FailWith(unix.EINVAL))
			Expect(a.Dup3(r, w, flag|unix.O_CLOEXEC)).To(FailWith(unix.EINVAL))
		}
		Must(a.Write(w, []byte("x"))) // each end is what it was
		Expect(a.Read(r, 10)).To(ReturnData("x"))
	})

	Clause("dup3.unknown-flags-newfd-open", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, flag := range []int{unix.O_NONBLOCK, unix.O_APPEND, unix.FD_CLOEXEC, unix.O_NONBLOCK | unix.O_CLOEXEC} {
			Expect(a.Dup3(r, w, flag)).To(FailWith(unix.EINVAL))
			Expect(fdFlags(a, w)).To(Return(0))
			Expect(a.Write(w, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
			Expect(a.Dup3(r, 9, flag)).To(FailWith(unix.EINVAL))
			Expect(fdFlags(a, 9)).To(FailWith(unix.EBADF))
		}
	})

	Clause("dup3.bad-oldfd", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range unusedNumbers {
			for _, flags := range []int{0, unix.O_CLOEXEC} {
				Expect(a.Dup3(fd, w, flags)).To(FailWith(unix.EBADF))
				Expect(fdFlags(a, w)).To(Return(0))
				Expect(a.Write(w, oneByte)).To(Return(1))
				Expect(a.Read(r, 2)).To(ReturnData(oneByte))
				Expect(a.Dup3(fd, 9, flags)).To(FailWith(unix.EBADF))
				Expect(fdFlags(a, 9)).To(FailWith(unix.EBADF))
			}
		}
	})

	Clause("dup3.last-below-limit", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		limitNumbers(a, 20)
		Expect(a.Dup3(w, 19, unix.O_CLOEXEC)).To(Return(19))
		Expect(a.Write(19, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dup3.newfd-out-of-range", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		limitNumbers(a, 20)
		for _, fd := range []int{20, 21, 1000, math.MaxInt32, -1, math.MinInt32} {
			Expect(a.Dup3(r, fd, 0)).To(FailWith(unix.EBADF))
			Expect(a.Dup3(r, fd, unix.O_CLOEXEC)).To(FailWith(unix.EBADF))
		}
	})
})

// allBitsBut returns the bits of an int, one by one, that are not in the mask.
func allBitsBut(mask int) (bits []int) {
	for i := range 32 {
		if bit := 1 << i; bit&mask == 0 {
			bits = append(bits, bit)
		}
	}
	return bits
}

var _ = Describe("F_DUPFD", func() {
	Clause("dupfd.arg-unused", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{42, 3, 63, 64, 200} {
			Expect(a.Fcntl(w, unix.F_DUPFD, fd)).To(Return(fd))
			Expect(a.Write(fd, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("dupfd.next-unused", func() {
		a := actor.New()
		r, _ := use(a, 10)
		Must(a.Close(2))
		for _, arg := range []int{3, 9} {
			Expect(a.Fcntl(r, unix.F_DUPFD, arg)).To(Return(10))
			Must(a.Close(10))
		}
	})

	Clause("dupfd.ascending", func() {
		a := actor.New()
		r, _ := use(a, 130)
		for _, fd := range []int{3, 40, 63, 64, 100, 128} {
			Must(a.Close(fd))
		}
		for _, fd := range []int{40, 63, 64, 100, 128, 130, 131} {
			Expect(a.Fcntl(r, unix.F_DUPFD, 40)).To(Return(fd))
		}
	})

	Clause("dupfd.arg-zero", func() {
		a := actor.New()
		_, w := use(a, 5)
		Must(a.Close(0))
		Must(a.Close(3))
		for _, fd := range []int{0, 3, 5} {
			Expect(a.Fcntl(w, unix.F_DUPFD, 0)).To(Return(fd))
		}
	})

	Clause("dupfd.arg-own-number", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		second := newFD(a.Fcntl(w, unix.F_DUPFD, w))
		Expect(second).To(Equal(2))
		Must(a.Close(w))
		Expect(a.Write(second, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dupfd.occupied-kept", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, _ := a.Pipe(0)
		setCloexec(a, w)
		Expect(a.Fcntl(other, unix.F_DUPFD, w)).To(Return(4))
		Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))

		Expect(a.Dup2(other, w)).To(Return(w))
		Expect(a.Read(r, 2)).To(Return(0))
	})

	for name, op := range dupOps {
		Clause("dupfd.shares-offset", name, func() {
			a := actor.New()
			fd := tenBytes(a)
			expectSharedOffset(a, fd, newFD(a.Fcntl(fd, op, 9)))
		})

		Clause("dupfd.shares-status-flags", name, func() {
			a := actor.New()
			r, _ := a.Pipe(0)
			expectSharedNonblock(a, r, newFD(a.Fcntl(r, op, 0)))
		})
	}

	Clause("dupfd.cloexec-off", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_CLOEXEC)
		Expect(fdFlags(a, newFD(a.Fcntl(r, unix.F_DUPFD, 0)))).To(Return(0))
		Expect(fdFlags(a, newFD(a.Fcntl(r, unix.F_DUPFD, 70)))).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dupfd.cloexec-on", func() {
		a := actor.New()
		without, _ := a.Pipe(0)
		with, _ := a.Pipe(unix.O_CLOEXEC)
		Expect(fdFlags(a, newFD(a.Fcntl(without, unix.F_DUPFD_CLOEXEC, 0)))).To(Return(unix.FD_CLOEXEC))
		Expect(fdFlags(a, newFD(a.Fcntl(with, unix.F_DUPFD_CLOEXEC, 70)))).To(Return(unix.FD_CLOEXEC))
		Expect(fdFlags(a, without)).To(Return(0))
		Expect(fdFlags(a, with)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("dupfd.cloexec-lowest", func() {
		a := actor.New()
		r, _ := use(a, 10)
		for _, fd := range []int{2, 4, 7} {
			Must(a.Close(fd))
		}
		for _, fd := range []int{4, 7, 10} {
			Expect(a.Fcntl(r, unix.F_DUPFD_CLOEXEC, 3)).To(Return(fd))
		}
		Expect(a.Fcntl(r, unix.F_DUPFD_CLOEXEC, 0)).To(Return(2))
		Expect(a.Fcntl(r, unix.F_DUPFD_CLOEXEC, 42)).To(Return(42))
	})

	Clause("dupfd.cloexec-closed-by-exec", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		kept := newFD(a.Fcntl(w, unix.F_DUPFD, 8))
		marked := newFD(a.Fcntl(w, unix.F_DUPFD_CLOEXEC, 8))
		Expect(fdFlags(a, marked)).To(Return(unix.FD_CLOEXEC))

		a.Exec()
		Expect(fdFlags(a, marked)).To(FailWith(unix.EBADF))
		Expect(a.Write(kept, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dupfd.arg-negative", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, op := range dupOps {
			for _, arg := range []int{-1, -2, math.MinInt32} {
				Expect(a.Fcntl(r, op, arg)).To(FailWith(unix.EINVAL))
			}
		}
	})

	Clause("dupfd.arg-at-limit", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		limitNumbers(a, 20)
		for _, op := range dupOps {
			for _, arg := range []int{20, 21, 1000, math.MaxInt32} {
				Expect(a.Fcntl(r, op, arg)).To(FailWith(unix.EINVAL))
			}
		}
	})

	Clause("dupfd.arg-last-below-limit", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		limitNumbers(a, 20)
		for _, op := range dupOps {
			Expect(a.Fcntl(r, op, 19)).To(Return(19))
			Must(a.Close(19))
		}
	})

	Clause("dupfd.emfile-from-arg", func() {
		a := actor.New()
		r, _ := use(a, 20)
		Must(a.Close(5))
		limitNumbers(a, 20)
		for _, op := range dupOps {
			for _, arg := range []int{6, 19} {
				Expect(a.Fcntl(r, op, arg)).To(FailWith(unix.EMFILE))
			}
			Expect(a.Fcntl(r, op, 5)).To(Return(5))
			Must(a.Close(5))
		}
	})

	Clause("dupfd.emfile-all-used", func() {
		a := actor.New()
		r, _ := use(a, 20)
		limitNumbers(a, 20)
		for _, op := range dupOps {
			Expect(a.Fcntl(r, op, 0)).To(FailWith(unix.EMFILE))
			Must(a.Close(7))
			Expect(a.Fcntl(r, op, 0)).To(Return(7))
			Expect(a.Fcntl(r, op, 0)).To(FailWith(unix.EMFILE))
		}
	})

	Clause("dupfd.ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, op := range dupOps {
			for _, fd := range unusedNumbers {
				Expect(a.Fcntl(fd, op, 0)).To(FailWith(unix.EBADF))
			}
		}
		Must(a.Close(r))
		for _, op := range dupOps {
			Expect(a.Fcntl(r, op, 0)).To(FailWith(unix.EBADF))
		}
	})
})

// fcntlOps are the operations on pipes, descriptors and status flags, with arguments that an open
// descriptor of a pipe accepts.
var fcntlOps = []struct {
	name    string
	op, arg int
}{
	{"F_DUPFD", unix.F_DUPFD, 0},
	{"F_DUPFD_CLOEXEC", unix.F_DUPFD_CLOEXEC, 0},
	{"F_GETFD", unix.F_GETFD, 0},
	{"F_SETFD", unix.F_SETFD, 0},
	{"F_GETFL", unix.F_GETFL, 0},
	{"F_SETFL", unix.F_SETFL, 0},
	{"F_GETPIPE_SZ", unix.F_GETPIPE_SZ, 0},
	{"F_SETPIPE_SZ", unix.F_SETPIPE_SZ, 4096},
}

// unknownOps are values that have stood for no operation of fcntl so far.
var unknownOps = []int{-1, 9999, 4321, math.MaxInt32, math.MinInt32}

var _ = Describe("fcntl", func() {
	Clause("fcntl.op-selects", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		const arg = unix.FD_CLOEXEC

		Expect(a.Fcntl(r, unix.F_GETFD, arg)).To(Return(0))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))

		Expect(a.Fcntl(r, unix.F_DUPFD, arg)).To(Return(2))
		Expect(fdFlags(a, r)).To(Return(0))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))

		Expect(a.Fcntl(r, unix.F_SETFL, arg)).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(0))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY))

		Expect(a.Fcntl(r, unix.F_SETFD, arg)).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY))
		Expect(fdFlags(a, 3)).To(FailWith(unix.EBADF), "only F_DUPFD makes a descriptor")
	})

	Clause("fcntl.return-value", func() {
		a := actor.New()
		_, w := a.Pipe(unix.O_NONBLOCK | unix.O_CLOEXEC)
		Expect(a.Fcntl(w, unix.F_DUPFD, 5)).To(Return(5))
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY | unix.O_NONBLOCK))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(a.Fill(w)))
		Expect(a.Fcntl(w, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
	})

	Clause("fcntl.op-unknown", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		fifo := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(fifo, 0o600))
		named := Must(a.Open(fifo, unix.O_RDWR, 0))
		file := tenBytes(a)
		for _, op := range unknownOps {
			for _, fd := range []int{r, w, named, file} {
				Expect(a.Fcntl(fd, op, 0)).To(FailWith(unix.EINVAL))
			}
		}
	})

	Clause("fcntl.op-unknown-no-effect", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		setCloexec(a, r)
		for _, op := range unknownOps {
			for _, arg := range []int{0, 1, -1} {
				Expect(a.Fcntl(r, op, arg)).To(FailWith(unix.EINVAL))
				Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
				Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))
			}
		}
		Expect(a.Dup(r)).To(Return(2), "nothing was opened")
	})

	Clause("fcntl.ebadf", func() {
		a := actor.New()
		a.Pipe(0)
		for _, c := range fcntlOps {
			for _, fd := range unusedNumbers {
				Expect(a.Fcntl(fd, c.op, c.arg)).To(FailWith(unix.EBADF), c.name)
			}
		}
	})

	Clause("fcntl.ebadf-closed", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		for _, c := range fcntlOps {
			const fd = 40 // what F_DUPFD makes is below
			duplicates := c.op == unix.F_DUPFD || c.op == unix.F_DUPFD_CLOEXEC
			result := Must(a.Fcntl(w, c.op, c.arg))
			expectSuccess := func() {
				GinkgoHelper()
				Expect(a.Fcntl(fd, c.op, c.arg)).To(Return(result), c.name)
				if duplicates {
					Must(a.Close(result))
				}
			}
			if duplicates {
				Must(a.Close(result))
			}
			Must(a.Dup2(w, fd))
			expectSuccess()
			Must(a.Close(fd))
			Expect(a.Fcntl(fd, c.op, c.arg)).To(FailWith(unix.EBADF), c.name)
			Must(a.Dup2(w, fd))
			expectSuccess()
		}
	})

	Clause("fcntl.path-descriptor", func() {
		a := actor.New()
		fd := pathDescriptor(a)
		Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(Return(0))
		Expect(a.Fcntl(fd, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(statusFlags(a, fd)).To(Equal(unix.O_PATH))
		for _, op := range dupOps {
			Expect(a.Fcntl(fd, op, 30)).To(Return(30))
			Expect(statusFlags(a, 30)).To(Equal(unix.O_PATH))
			Must(a.Close(30))
		}
	})

	Clause("fcntl.path-descriptor-not-open-file", func() {
		a := actor.New()
		fd := pathDescriptor(a)
		Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK)).To(FailWith(unix.EBADF))
		Expect(a.Fcntl(fd, unix.F_GETPIPE_SZ, 0)).To(FailWith(unix.EBADF))
		Expect(a.Fcntl(fd, unix.F_SETPIPE_SZ, 4096)).To(FailWith(unix.EBADF))
	})

	Clause("fcntl.locked-elsewhere", func() {
		a := actor.New()
		file := tenBytes(a)
		other := a.Fork()
		lock := func(by *actor.Actor, kind uint16) *actor.Call {
			m := by.Alloc(32) // struct flock, of the whole file
			m.PutUint16(0, kind)
			return by.Raw(unix.SYS_FCNTL, file, unix.F_SETLK, m)
		}
		Must(lock(other, unix.F_WRLCK))
		Expect(lock(a, unix.F_WRLCK)).To(FailWith(unix.EACCES, unix.EAGAIN))
		Expect(lock(a, unix.F_RDLCK)).To(FailWith(unix.EACCES, unix.EAGAIN))
		Must(lock(other, unix.F_UNLCK))
		Expect(lock(a, unix.F_WRLCK)).To(Return(0))
	})

	Clause("fcntl.mapped-elsewhere", func() {
		// A memory file rather than one in the temporary folder, whose file system may have no
		// leases.
		a := actor.New()
		made := Must(a.MemfdCreate("mapped", 0))
		Must(a.Ftruncate(made, 4096))
		path := fmt.Sprintf("/proc/self/fd/%d", made)
		read := Must(a.Open(path, unix.O_RDONLY, 0))
		file := Must(a.Open(path, unix.O_RDWR, 0))
		other := a.Fork()
		at := Must(other.Mmap(0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, file, 0))
		for _, by := range []*actor.Actor{a, other} {
			Must(by.Close(made))
			Must(by.Close(file))
		}

		Expect(a.Fcntl(read, unix.F_SETLEASE, unix.F_RDLCK)).To(FailWith(unix.EAGAIN))
		Must(other.Munmap(uint64(at), 4096))
		Expect(a.Fcntl(read, unix.F_SETLEASE, unix.F_RDLCK)).To(Return(0))
	})
})

// pathDescriptor opens a new FIFO with O_PATH.
func pathDescriptor(a *actor.Actor) int {
	GinkgoHelper()
	fifo := actor.TempDir() + "/fifo"
	Must(a.Mkfifo(fifo, 0o600))
	return Must(a.Open(fifo, unix.O_PATH, 0))
}
