package events

import (
	"encoding/binary"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	efdSemaphore = unix.EFD_SEMAPHORE
	efdNonblock  = unix.EFD_NONBLOCK
	efdCloexec   = unix.EFD_CLOEXEC

	mostCount = 1<<64 - 2 // the greatest value of an eventfd's counter
)

// count is a value as an eventfd reads and writes it.
func count(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }

// returnCount succeeds when a read of an eventfd returns that value.
func returnCount(v uint64) types.GomegaMatcher { return ReturnData(count(v)) }

// newEventfd makes an eventfd as a step of the set-up.
func newEventfd(a *actor.Actor, initial uint32, flags int) int {
	return Must(a.Eventfd2(initial, flags))
}

// fullEventfd makes an eventfd whose counter is at its maximum.
func fullEventfd(a *actor.Actor, flags int) int {
	fd := newEventfd(a, 0, flags)
	Must(a.Write(fd, count(mostCount)))
	return fd
}

// expectCount checks that the counter of an eventfd has the value v, by emptying it. It
// makes the descriptor non-blocking, so that a counter of zero shows.
func expectCount(a *actor.Actor, fd int, v uint64) {
	GinkgoHelper()
	Must(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK))
	if v == 0 {
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		return
	}
	Expect(a.Read(fd, 8)).To(returnCount(v))
	Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
}

// expectReadiness checks what poll, select and epoll say of a descriptor.
func expectReadiness(a *actor.Actor, fd int, readable, writable bool) {
	GinkgoHelper()
	var events int16
	if readable {
		events |= unix.POLLIN
	}
	if writable {
		events |= unix.POLLOUT
	}
	Expect(a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN | unix.POLLOUT})).To(ReturnRevents(events))

	read, write := actor.NewFDSet(fd), actor.NewFDSet(fd)
	Must(a.Select(fd+1, read, write, nil, 0))
	Expect(read.Has(fd)).To(Equal(readable), "select's readfds")
	Expect(write.Has(fd)).To(Equal(writable), "select's writefds")

	epfd := Must(a.EpollCreate1(0))
	Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLOUT, 0))
	var want []actor.EpollEvent
	if events != 0 {
		want = []actor.EpollEvent{{Events: uint32(events)}}
	}
	Expect(a.EpollWait(epfd, 2, 0)).To(ReturnEvents(want...))
	Must(a.Close(epfd))
}

// interruptCall sends the actor of a call that sleeps a signal which it catches.
func interruptCall(call *actor.Call) {
	GinkgoHelper()
	a := call.Actor()
	Expect(call).To(Block())
	Must(actor.New().Kill(a.PID(), unix.SIGUSR1))
	Expect(call).To(FailWith(unix.EINTR))
	Expect(a).To(Catch(unix.SIGUSR1))
}

var _ = Describe("A new eventfd", func() {
	Clause("eventfd.returns-descriptor", func() {
		a := actor.New()
		low, _ := a.Pipe(0)
		Must(a.Close(low))

		Expect(a.Eventfd2(3, 0)).To(Return(low))
		Expect(a.Fcntl(low, unix.F_GETFL, 0)).To(Return(unix.O_RDWR))
		Expect(a.Write(low, count(4))).To(Return(8))
		Expect(a.Read(low, 8)).To(returnCount(7))
	})

	Clause("eventfd.objects-are-separate", func() {
		a := actor.New()
		one, other := a.Eventfd2(0, 0), a.Eventfd2(0, efdNonblock)
		Expect(one).To(ReturnFD())
		Expect(other).To(ReturnFD())

		Expect(a.Write(one.Value(), count(5))).To(Return(8))
		Expect(a.Read(other.Value(), 8)).To(FailWith(unix.EAGAIN))
		Expect(a.Read(one.Value(), 8)).To(returnCount(5))
	})

	for _, initial := range []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		Clause("eventfd.initial-value", fmt.Sprint(initial), func() {
			a := actor.New()
			fd := a.Eventfd2(initial, 0)
			Expect(fd).To(ReturnFD())
			Must(a.Write(fd.Value(), count(1))) // a counter of zero cannot be read

			Expect(a.Read(fd.Value(), 8)).To(returnCount(uint64(initial) + 1))
		})
	}

	Clause("eventfd.initial-zero-not-readable", func() {
		a := actor.New()
		fd := a.Eventfd2(0, efdNonblock)
		Expect(fd).To(ReturnFD())
		Expect(a.Read(fd.Value(), 8)).To(FailWith(unix.EAGAIN))
	})

	// expectFlags checks the flags of a new eventfd's descriptor and description.
	expectFlags := func(a *actor.Actor, fd *actor.Call, descriptor, status int) {
		GinkgoHelper()
		Expect(fd).To(ReturnFD())
		Expect(a.Fcntl(fd.Value(), unix.F_GETFD, 0)).To(Return(descriptor))
		Expect(a.Fcntl(fd.Value(), unix.F_GETFL, 0)).To(Return(unix.O_RDWR | status))
	}
	Clause("eventfd.cloexec-off", func() {
		a := actor.New()
		expectFlags(a, a.Eventfd2(0, efdNonblock), 0, unix.O_NONBLOCK)
		expectFlags(a, a.Eventfd2(0, 0), 0, 0)
	})
	Clause("eventfd.cloexec-on", func() {
		a := actor.New()
		expectFlags(a, a.Eventfd2(0, efdCloexec), unix.FD_CLOEXEC, 0)
	})
	Clause("eventfd.nonblock-off", func() {
		a := actor.New()
		fd := a.Eventfd2(0, 0)
		expectFlags(a, fd, 0, 0)
		Expect(a.Begin().Read(fd.Value(), 8)).To(Block())
	})
	Clause("eventfd.nonblock-on", func() {
		a := actor.New()
		fd := a.Eventfd2(0, efdNonblock)
		expectFlags(a, fd, 0, unix.O_NONBLOCK)
		Expect(a.Read(fd.Value(), 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.nonblock-by-setfl", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		Expect(a.Write(fd, count(mostCount))).To(Return(8))
		Expect(a.Write(fd, count(1))).To(FailWith(unix.EAGAIN))
		Expect(a.Read(fd, 8)).To(returnCount(mostCount))

		Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
		Expect(a.Begin().Read(fd, 8)).To(Block())
	})

	Clause("eventfd.all-flags", func() {
		a := actor.New()
		fd := a.Eventfd2(2, efdCloexec|efdNonblock|efdSemaphore)
		expectFlags(a, fd, unix.FD_CLOEXEC, unix.O_NONBLOCK)
		Expect(a.Read(fd.Value(), 8)).To(returnCount(1))
		Expect(a.Read(fd.Value(), 8)).To(returnCount(1))
		Expect(a.Read(fd.Value(), 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.unknown-flags", func() {
		a := actor.New()
		for bit := range 32 {
			flags := 1 << bit
			if flags&(efdCloexec|efdNonblock|efdSemaphore) == 0 {
				Expect(a.Eventfd2(0, flags)).To(FailWith(unix.EINVAL))
				Expect(a.Eventfd2(0, flags|efdNonblock)).To(FailWith(unix.EINVAL))
			}
		}
		Expect(a.Fcntl(0, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("eventfd.old-call", func() {
		a := actor.New()
		fd := a.Raw(unix.SYS_EVENTFD, 3)
		expectFlags(a, fd, 0, 0)
		Expect(a.Read(fd.Value(), 8)).To(returnCount(3))
	})

	Clause("eventfd.old-call-ignores-flags", func() {
		a := actor.New()
		fd := a.Raw(unix.SYS_EVENTFD, 3, -1)
		expectFlags(a, fd, 0, 0)
		Expect(a.Read(fd.Value(), 8)).To(returnCount(3))
	})
})

var _ = Describe("An eventfd that cannot be made", func() {
	Clause("eventfd.emfile", func() {
		a := actor.New()
		a.Pipe(0)
		a.SetRlimit(unix.RLIMIT_NOFILE, 2)

		Expect(a.Eventfd2(0, 0)).To(FailWith(unix.EMFILE))
		Must(a.Close(1))
		Expect(a.Eventfd2(0, 0)).To(Return(1))
	})

	Clause("eventfd.enfile", func() {
		a := actor.New()
		free := a.ExhaustFiles()
		Expect(a.Eventfd2(0, 0)).To(FailWith(unix.ENFILE))
		Expect(a.Fcntl(free, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("A read of an eventfd", func() {
	Clause("eventfd.read-eight-bytes", func() {
		a := actor.New()
		fd := newEventfd(a, 9, efdNonblock)
		buffer := a.Bytes([]byte("replaced|as it was"))

		Expect(a.ReadInto(fd, buffer, 18)).To(Return(8))
		Expect(buffer.Copy()).To(Equal(append(count(9), "|as it was"...)))
	})

	for _, semaphore := range []int{0, efdSemaphore} {
		Clause("eventfd.read-short-buffer", actor.Flags("eventfd", uint64(semaphore)), func() {
			a := actor.New()
			fd := newEventfd(a, 9, semaphore|efdNonblock)
			for n := range 8 {
				buffer := a.Bytes([]byte("untouched"))
				Expect(a.ReadInto(fd, buffer, n)).To(FailWith(unix.EINVAL))
				Expect(string(buffer.Copy())).To(Equal("untouched"))
			}
			if semaphore == 0 {
				expectCount(a, fd, 9)
				return
			}
			for range 9 {
				Expect(a.Read(fd, 8)).To(returnCount(1))
			}
			expectCount(a, fd, 0)
		})
	}

	Clause("eventfd.read-short-buffer-zero", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		Expect(a.Read(fd, 7)).To(FailWith(unix.EINVAL))
		Expect(a.Read(fd, 0)).To(FailWith(unix.EINVAL))
		expectCount(a, fd, 0)
	})

	Clause("eventfd.read-host-order", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		Must(a.Write(fd, count(0x0102030405060708)))
		Expect(a.Read(fd, 8)).To(returnCount(0x0102030405060708))
		expectCount(a, fd, 0)
		order := newEventfd(a, 0x01020304, 0)
		Expect(a.Read(order, 8)).To(returnCount(0x01020304))
	})

	Clause("eventfd.read-value-and-reset", func() {
		a := actor.New()
		fd := newEventfd(a, 1000, efdNonblock)
		Expect(a.Read(fd, 8)).To(returnCount(1000))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		Must(a.Write(fd, count(2)))
		Expect(a.Read(fd, 8)).To(returnCount(2))
	})

	Clause("eventfd.read-into-two-buffers", func() {
		a := actor.New()
		fd := newEventfd(a, 0, efdNonblock)
		Must(a.Write(fd, count(0x1122334455667788)))
		Expect(a.Readv(fd, 3, 5)).To(returnCount(0x1122334455667788))
		expectCount(a, fd, 0)
	})

	Clause("eventfd.readv-short-buffers", func() {
		a := actor.New()
		fd := newEventfd(a, 6, efdNonblock)
		Expect(a.Readv(fd, 4, 3)).To(FailWith(unix.EINVAL))
		expectCount(a, fd, 6)
	})

	Clause("eventfd.read-zero-eagain", func() {
		a := actor.New()
		fd := newEventfd(a, 0, efdNonblock)
		buffer := a.Bytes([]byte("untouched"))
		Expect(a.ReadInto(fd, buffer, 8)).To(FailWith(unix.EAGAIN))
		Expect(string(buffer.Copy())).To(Equal("untouched"))
	})

	Clause("eventfd.read-zero-blocks", func() {
		reader := actor.New()
		fd := newEventfd(reader, 0, 0)
		writer := reader.Fork()

		read := reader.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Expect(writer.Write(fd, count(77))).To(Return(8))
		Expect(read).To(returnCount(77))
		expectCount(writer, fd, 0)
	})

	Clause("eventfd.read-interrupted", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, 0)
		fd := newEventfd(a, 0, 0)
		interruptCall(a.Begin().Read(fd, 8))
		Must(a.Write(fd, count(4)))
		expectCount(a, fd, 4)
	})

	Clause("eventfd.read-fault", func() {
		a := actor.New()
		fd := newEventfd(a, 4, efdNonblock)
		Expect(a.ReadInto(fd, a.Unmapped(), 8)).To(FailWith(unix.EFAULT))
		Expect(a.ReadInto(fd, a.ReadOnly(count(0)), 8)).To(Or(FailWith(unix.EFAULT), FailWith(unix.EAGAIN)))
	})

	Clause("eventfd.write-of-zero", func() {
		reader := actor.New()
		fd := newEventfd(reader, 0, 0)
		writer := reader.Fork()

		read := reader.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Expect(writer.Write(fd, count(0))).To(Return(8))
		Expect(read).To(Block())
		Expect(writer.Write(fd, count(3))).To(Return(8))
		Expect(read).To(returnCount(3))
		expectCount(writer, fd, 0)
	})

	Clause("eventfd.one-reader-takes-all", func() {
		writer := actor.New()
		fd := newEventfd(writer, 0, 0)
		one, other := writer.Fork(), writer.Fork()

		reads := []*actor.Call{one.Begin().Read(fd, 8), other.Begin().Read(fd, 8)}
		Expect(reads[0]).To(Block())
		Expect(reads[1]).To(Block())
		Must(writer.Write(fd, count(5)))
		first, second := firstDone(reads)
		Expect(first).To(returnCount(5))
		Expect(second).To(Block())
		Must(writer.Write(fd, count(6)))
		Expect(second).To(returnCount(6))
		expectCount(writer, fd, 0)
	})
})

// firstDone waits until one of two pending calls is done, and returns that and the other one.
func firstDone(calls []*actor.Call) (done, other *actor.Call) {
	GinkgoHelper()
	Eventually(func() bool { return calls[0].Done() || calls[1].Done() }).Should(BeTrue(), "one of the calls returns")
	if calls[0].Done() {
		return calls[0], calls[1]
	}
	return calls[1], calls[0]
}

var _ = Describe("An eventfd with EFD_SEMAPHORE", func() {
	Clause("eventfd.semaphore-reads-one", func() {
		a := actor.New()
		fd := newEventfd(a, 3, efdSemaphore|efdNonblock)
		for range 3 {
			Expect(a.Read(fd, 8)).To(returnCount(1))
		}
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.semaphore-last-read", func() {
		a := actor.New()
		fd := newEventfd(a, 1, efdSemaphore|efdNonblock)
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
		Must(a.Write(fd, count(1)))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("eventfd.semaphore-write-adds", func() {
		a := actor.New()
		fd := newEventfd(a, 1, efdSemaphore|efdNonblock)
		Expect(a.Write(fd, count(2))).To(Return(8))
		for range 3 {
			Expect(a.Read(fd, 8)).To(returnCount(1))
		}
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.semaphore-read-blocks", func() {
		reader := actor.New()
		fd := newEventfd(reader, 0, efdSemaphore)
		writer := reader.Fork()

		read := reader.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Must(writer.Write(fd, count(2)))
		Expect(read).To(returnCount(1))
		expectCount(writer, fd, 1)
	})

	// sleepers makes two processes that sleep in a read of a semaphore eventfd.
	sleepers := func() (writer *actor.Actor, fd int, reads []*actor.Call) {
		GinkgoHelper()
		writer = actor.New()
		fd = newEventfd(writer, 0, efdSemaphore)
		for range 2 {
			reads = append(reads, writer.Fork().Begin().Read(fd, 8))
		}
		Expect(reads[0]).To(Block())
		Expect(reads[1]).To(Block())
		return writer, fd, reads
	}
	Clause("eventfd.semaphore-readers-one-each", func() {
		writer, fd, reads := sleepers()

		Expect(writer.Write(fd, count(1))).To(Return(8))
		first, second := firstDone(reads)
		Expect(first).To(returnCount(1))
		Expect(second).To(Block())
		Expect(writer.Write(fd, count(1))).To(Return(8))
		Expect(second).To(returnCount(1))
		expectCount(writer, fd, 0)
	})

	Clause("eventfd.semaphore-write-of-two", func() {
		writer, fd, reads := sleepers()

		Expect(writer.Write(fd, count(2))).To(Return(8))
		Expect(reads[0]).To(returnCount(1))
		Expect(reads[1]).To(returnCount(1))
		expectCount(writer, fd, 0)
	})

	Clause("eventfd.semaphore-read-wakes-writer", func() {
		a := actor.New()
		fd := fullEventfd(a, efdSemaphore)
		reader := a.Fork()

		write := a.Begin().Write(fd, count(1))
		Expect(write).To(Block())
		Expect(reader.Read(fd, 8)).To(returnCount(1))
		Expect(write).To(Return(8))
		Must(reader.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK))
		Expect(reader.Write(fd, count(1))).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.semaphore-readable", func() {
		a := actor.New()
		fd := newEventfd(a, 2, efdSemaphore)
		poll := func() *actor.Call { return a.Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN}) }

		Expect(poll()).To(ReturnRevents(unix.POLLIN))
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(poll()).To(ReturnRevents(unix.POLLIN))
		Expect(a.Read(fd, 8)).To(returnCount(1))
		Expect(poll()).To(ReturnRevents(0))
	})

	Clause("eventfd.racing-readers-count-once", func() {
		const each = 2000
		a := actor.New()
		fd := newEventfd(a, 2*each, efdSemaphore|efdNonblock)
		b := a.Fork()

		one, other := a.Begin().Repeat(2*each+1).Read(fd, 8), b.Begin().Repeat(2*each+1).Read(fd, 8)
		Expect(one).To(FailWith(unix.EAGAIN))
		Expect(other).To(FailWith(unix.EAGAIN))
		Expect(one.Count() + other.Count()).To(Equal(2 * each))
	})
})

var _ = Describe("A write to an eventfd", func() {
	Clause("eventfd.write-adds", func() {
		a := actor.New()
		fd := newEventfd(a, 10, efdNonblock)
		Expect(a.Write(fd, count(5))).To(Return(8))
		Expect(a.Write(fd, count(1<<40))).To(Return(8))
		Expect(a.Read(fd, 8)).To(returnCount(15 + 1<<40))
		Expect(a.Write(fd, count(6))).To(Return(8))
		Expect(a.Read(fd, 8)).To(returnCount(6))
	})

	Clause("eventfd.write-short-buffer", func() {
		a := actor.New()
		fd := newEventfd(a, 3, efdNonblock)
		for n := range 8 {
			Expect(a.Write(fd, count(1)[:n])).To(FailWith(unix.EINVAL))
		}
		expectCount(a, fd, 3)
	})

	for _, flags := range []int{0, efdNonblock} {
		Clause("eventfd.write-all-ones", actor.Flags("eventfd", uint64(flags)), func() {
			a := actor.New()
			empty, other := newEventfd(a, 0, flags), newEventfd(a, 3, flags)
			Expect(a.Write(empty, count(1<<64-1))).To(FailWith(unix.EINVAL))
			Expect(a.Write(other, count(1<<64-1))).To(FailWith(unix.EINVAL))
			expectCount(a, empty, 0)
			expectCount(a, other, 3)
		})
	}

	Clause("eventfd.maximum-at-once", func() {
		a := actor.New()
		fd := newEventfd(a, 0, efdNonblock)
		Expect(a.Write(fd, count(mostCount))).To(Return(8))
		Expect(a.Read(fd, 8)).To(returnCount(mostCount))
	})

	Clause("eventfd.maximum-by-adding", func() {
		a := actor.New()
		fd := newEventfd(a, 1, efdNonblock)
		Expect(a.Write(fd, count(mostCount-3))).To(Return(8))
		Expect(a.Write(fd, count(2))).To(Return(8))
		Expect(a.Read(fd, 8)).To(returnCount(mostCount))
	})

	Clause("eventfd.beyond-maximum-eagain", func() {
		a := actor.New()
		fd := newEventfd(a, 2, efdNonblock)
		Expect(a.Write(fd, count(mostCount-1))).To(FailWith(unix.EAGAIN))
		Expect(a.Write(fd, count(mostCount))).To(FailWith(unix.EAGAIN))
		Expect(a.Write(fd, count(mostCount-2))).To(Return(8))
		Expect(a.Write(fd, count(1))).To(FailWith(unix.EAGAIN))
		Expect(a.Read(fd, 8)).To(returnCount(mostCount))
	})

	Clause("eventfd.zero-at-maximum", func() {
		a := actor.New()
		fd := fullEventfd(a, 0)
		Expect(a.Write(fd, count(0))).To(Return(8))
		expectCount(a, fd, mostCount)
	})

	Clause("eventfd.beyond-maximum-blocks", func() {
		writer := actor.New()
		fd := newEventfd(writer, 2, 0)
		reader := writer.Fork()

		write := writer.Begin().Write(fd, count(mostCount-1))
		Expect(write).To(Block())
		Expect(reader.Read(fd, 8)).To(returnCount(2))
		Expect(write).To(Return(8))
		expectCount(reader, fd, mostCount-1)
	})

	Clause("eventfd.small-write-passes-blocked-one", func() {
		writer := actor.New()
		fd := newEventfd(writer, 0, 0)
		Must(writer.Write(fd, count(mostCount-1)))
		other := writer.Fork()

		write := writer.Begin().Write(fd, count(2))
		Expect(write).To(Block())
		Expect(other.Write(fd, count(1))).To(Return(8))
		Expect(write).To(Block())
		Expect(other.Read(fd, 8)).To(returnCount(mostCount))
		Expect(write).To(Return(8))
		expectCount(other, fd, 2)
	})

	Clause("eventfd.write-interrupted", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, 0)
		fd := fullEventfd(a, 0)
		interruptCall(a.Begin().Write(fd, count(1)))
		expectCount(a, fd, mostCount)
	})

	Clause("eventfd.write-fault", func() {
		a := actor.New()
		fd := newEventfd(a, 4, efdNonblock)
		Expect(a.WriteFrom(fd, a.Unmapped(), 8)).To(FailWith(unix.EFAULT))
		Expect(a.WriteFrom(fd, a.PageEnd(7), 8)).To(FailWith(unix.EFAULT))
		expectCount(a, fd, 4)
	})

	Clause("eventfd.racing-writers-lose-nothing", func() {
		const each = 5000
		a := actor.New()
		fd := newEventfd(a, 0, efdNonblock)
		b := a.Fork()

		one, other := a.Begin().Repeat(each).Write(fd, count(1)), b.Begin().Repeat(each).Write(fd, count(1))
		for _, writes := range []*actor.Call{one, other} {
			Expect(writes).To(Return(8))
			Expect(writes.Count()).To(Equal(each))
			Expect(writes.Total()).To(Equal(8 * each))
		}
		Expect(a.Read(fd, 8)).To(returnCount(2 * each))
	})
})

var _ = Describe("The readiness of an eventfd", func() {
	Clause("eventfd.readable-while-positive", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		expectReadiness(a, fd, false, true)
		Must(a.Write(fd, count(1)))
		expectReadiness(a, fd, true, true)
		Must(a.Write(fd, count(1)))
		expectReadiness(a, fd, true, true)
		Must(a.Read(fd, 8))
		expectReadiness(a, fd, false, true)
	})

	Clause("eventfd.writable-while-one-fits", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		Must(a.Write(fd, count(mostCount-1)))
		expectReadiness(a, fd, true, true)
		Must(a.Write(fd, count(1)))
		expectReadiness(a, fd, true, false)
		Must(a.Read(fd, 8))
		expectReadiness(a, fd, false, true)
	})

	Clause("eventfd.ppoll-pselect", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		for _, step := range []struct {
			write              uint64
			readable, writable bool
		}{{0, false, true}, {mostCount - 1, true, true}, {1, true, false}} {
			Must(a.Write(fd, count(step.write)))
			var events int16
			if step.readable {
				events |= unix.POLLIN
			}
			if step.writable {
				events |= unix.POLLOUT
			}
			Expect(a.Ppoll(0, actor.PollFD{FD: fd, Events: unix.POLLIN | unix.POLLOUT})).To(ReturnRevents(events))
			read, write := actor.NewFDSet(fd), actor.NewFDSet(fd)
			Must(a.Pselect(fd+1, read, write, nil, 0))
			Expect(read.Has(fd)).To(Equal(step.readable))
			Expect(write.Has(fd)).To(Equal(step.writable))
		}
	})

	Clause("eventfd.write-wakes-poll", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		writer := a.Fork()

		poll := a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLIN})
		Expect(poll).To(Block())
		Expect(writer.Write(fd, count(1))).To(Return(8))
		Expect(poll).To(ReturnRevents(unix.POLLIN))
		expectCount(writer, fd, 1)
	})

	Clause("eventfd.read-wakes-poll", func() {
		a := actor.New()
		fd := fullEventfd(a, 0)
		reader := a.Fork()

		poll := a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: unix.POLLOUT})
		Expect(poll).To(Block())
		Expect(reader.Read(fd, 8)).To(returnCount(mostCount))
		Expect(poll).To(ReturnRevents(unix.POLLOUT))
	})

	Clause("eventfd.write-wakes-epoll", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		epfd := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLET, 9))
		writer := a.Fork()

		for range 2 { // the counter is not read in between: it is the write that makes the event
			wait := a.Begin().EpollWait(epfd, 2, -1)
			Expect(wait).To(Block())
			Expect(writer.Write(fd, count(1))).To(Return(8))
			Expect(wait).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 9}))
		}
		expectCount(writer, fd, 2)
	})

	Clause("eventfd.multiplexed-with-pipe", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		r, w := a.Pipe(0)
		other := a.Fork()
		both := []actor.PollFD{{FD: fd, Events: unix.POLLIN}, {FD: r, Events: unix.POLLIN}}

		poll := a.Begin().Poll(-1, both...)
		Expect(poll).To(Block())
		Must(other.Write(fd, count(1)))
		Expect(poll).To(ReturnRevents(unix.POLLIN, 0))
		Must(a.Read(fd, 8))

		poll = a.Begin().Poll(-1, both...)
		Expect(poll).To(Block())
		Must(other.Write(w, oneByte))
		Expect(poll).To(ReturnRevents(0, unix.POLLIN))
	})
})

var _ = Describe("Descriptors of one eventfd", func() {
	Clause("eventfd.duplicate-same-counter", func() {
		a := actor.New()
		fd := newEventfd(a, 1, efdNonblock)
		duplicate := Must(a.Dup(fd))

		Expect(a.Write(fd, count(2))).To(Return(8))
		Expect(a.Read(duplicate, 8)).To(returnCount(3))
		Expect(a.Write(duplicate, count(4))).To(Return(8))
		Must(a.Close(duplicate))
		Expect(a.Read(fd, 8)).To(returnCount(4))
	})

	Clause("eventfd.close-frees-number", func() {
		a := actor.New()
		fd := newEventfd(a, 1, efdNonblock)
		Expect(a.Close(fd)).To(Return(0))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EBADF))
		Expect(a.Write(fd, count(1))).To(FailWith(unix.EBADF))

		// What takes the number is another object.
		Expect(a.Eventfd2(0, efdNonblock)).To(Return(fd))
		Expect(a.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.shared-after-fork", func() {
		parent := actor.New()
		fd := newEventfd(parent, 1, efdNonblock)
		child := parent.Fork()

		Expect(child.Write(fd, count(2))).To(Return(8))
		Expect(parent.Read(fd, 8)).To(returnCount(3))
		Expect(parent.Write(fd, count(4))).To(Return(8))
		Expect(child.Read(fd, 8)).To(returnCount(4))
		Expect(parent.Read(fd, 8)).To(FailWith(unix.EAGAIN))
	})

	Clause("eventfd.survives-parent", func() {
		parent := actor.New()
		fd := newEventfd(parent, 1, efdNonblock)
		child := parent.Fork()
		Must(parent.Write(fd, count(5)))

		Must(parent.Close(fd))
		Expect(child.Read(fd, 8)).To(returnCount(6))
	})

	Clause("eventfd.shared-by-threads", func() {
		a := actor.New()
		thread := a.Thread()
		fd := newEventfd(a, 0, 0)

		read := thread.Begin().Read(fd, 8)
		Expect(read).To(Block())
		Expect(a.Write(fd, count(8))).To(Return(8))
		Expect(read).To(returnCount(8))
		expectCount(a, fd, 0)
	})

	Clause("eventfd.kept-by-exec", func() {
		a := actor.New()
		fd := newEventfd(a, 5, efdNonblock)
		other := newEventfd(a, 0, efdCloexec)
		a.Exec()
		Expect(a.Fcntl(other, unix.F_GETFD, 0)).To(FailWith(unix.EBADF), "the program was executed")
		Expect(a.Read(fd, 8)).To(returnCount(5))
		Expect(a.Write(fd, count(1))).To(Return(8))
		Expect(a.Read(fd, 8)).To(returnCount(1))
	})

	Clause("eventfd.cloexec-closed-by-exec", func() {
		a := actor.New()
		closed, kept := newEventfd(a, 5, efdCloexec|efdNonblock), newEventfd(a, 6, efdNonblock)
		a.Exec()
		Expect(a.Read(closed, 8)).To(FailWith(unix.EBADF))
		Expect(a.Read(kept, 8)).To(returnCount(6))
	})

	Clause("eventfd.cloexec-by-setfd", func() {
		a := actor.New()
		given, taken := newEventfd(a, 5, efdNonblock), newEventfd(a, 6, efdCloexec|efdNonblock)
		Expect(a.Fcntl(given, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(a.Fcntl(taken, unix.F_SETFD, 0)).To(Return(0))
		a.Exec()
		Expect(a.Read(given, 8)).To(FailWith(unix.EBADF))
		Expect(a.Read(taken, 8)).To(returnCount(6))
	})

	Clause("eventfd.fdinfo-count", func() {
		a := actor.New()
		fd := newEventfd(a, 0, 0)
		Expect(fdinfoLine(a, fd, "eventfd-count")).To(Equal("0"))
		for _, v := range []uint64{0x1c, mostCount} {
			Expect(a.Write(fd, count(v))).To(Return(8))
			Expect(fdinfoLine(a, fd, "eventfd-count")).To(Equal(fmt.Sprintf("%x", v)))
			expectCount(a, fd, v)
		}
	})
})

// fdinfoLine returns the value of a field in the actor's fdinfo of a descriptor, without blanks; "" where
// there is no such field.
func fdinfoLine(a *actor.Actor, fd int, field string) string {
	for _, line := range strings.Split(a.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd)), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && name == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
