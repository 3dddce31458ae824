package chardev

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// newEventfd makes a non-blocking eventfd.
func newEventfd(a *actor.Actor) int { return Must(a.Eventfd2(0, unix.EFD_NONBLOCK)) }

// eventfdID returns the number that the kernel gives an eventfd for as long as anybody has it; the
// kernel gives the lowest one that is free.
func eventfdID(a *actor.Actor, efd int) int {
	GinkgoHelper()
	text := a.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", efd))
	_, text, ok := strings.Cut(text, "eventfd-id:")
	Presuppose(ok, "a kernel that shows eventfd-id in /proc/PID/fdinfo")
	id := -1
	_, _ = fmt.Sscan(text, &id)
	return id
}

var _ = Describe("The eventfd of a channel", func() {
	Clause("channel.eventfd-signalled", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
		Expect(countOf(a, efd)).To(BeZero())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("x")))
		Expect(countOf(a, efd)).To(Equal(1))
		Expect(countOf(a, efd)).To(BeZero())
	})

	Clause("channel.eventfd-each-write", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
		for _, writes := range []int{1, 3, 10} {
			for i := range writes {
				Must(a.Pwrite64(fd, noise(i+1, 1), 0))
			}
			Expect(countOf(a, efd)).To(Equal(writes))
		}
		Must(a.Pread64(fd, 1, 0))
		Must(a.Write(fd, nil))
		Expect(a.Pwrite64(fd, []byte("x"), channelSize)).To(FailWith(unix.ENOSPC))
		Expect(countOf(a, efd)).To(BeZero())
	})

	Clause("channel.eventfd-wakes", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
		poll := beginPoll(a, efd, unix.POLLIN)
		Expect(poll).To(Block())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("x")))
		expectPolled(poll, unix.POLLIN)
	})

	Clause("channel.eventfd-replaced", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		first, second := newEventfd(a), newEventfd(a)
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, first)))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, second))).To(Return(0))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(countOf(a, first)).To(Equal(1))
		Expect(countOf(a, second)).To(Equal(2))
	})

	Clause("channel.eventfd-of-each-channel", func() {
		a := actor.New()
		zero, one := newChannel(a, 0, unix.O_RDWR), newChannel(a, 1, unix.O_RDWR)
		efd, other := newEventfd(a), newEventfd(a)
		Must(a.Ioctl(zero, channelSetEvent, descriptorArgument(a, efd)))
		Expect(a.Ioctl(one, channelSetEvent, descriptorArgument(a, other))).To(Return(0))
		Must(a.Pwrite64(zero, []byte("x"), 0))
		Expect(countOf(a, efd)).To(Equal(1))
		Expect(countOf(a, other)).To(BeZero())
		Must(a.Pwrite64(one, []byte("x"), 0))
		Expect(countOf(a, efd)).To(BeZero())
		Expect(countOf(a, other)).To(Equal(1))
	})

	Clause("channel.eventfd-kept-without-descriptor", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		double := Must(a.Dup(efd))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
		expectClosed(a, efd)
		Must(a.Write(fd, []byte("x")))
		Expect(countOf(a, double)).To(Equal(1))
		expectClosed(a, fd)
		Must(a.Write(openChannel(a, 0, unix.O_WRONLY), []byte("x")))
		Expect(countOf(a, double)).To(Equal(1))
	})

	Clause("channel.eventfd-kept-alone", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
		Must(a.Write(fd, []byte("0")))
		Expect(countOf(a, efd)).To(Equal(1))
		expectClosed(a, efd)
		// Nobody is there to count any more; the channel goes on to work.
		for i := range 3 {
			Expect(a.Write(fd, []byte{byte('1' + i)})).To(Return(1))
		}
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("0123"))
		again := newEventfd(a)
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, again))).To(Return(0))
		Must(a.Write(fd, []byte("4")))
		Expect(countOf(a, again)).To(Equal(1))
	})

	Clause("channel.eventfd-taken-away", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, -1))).To(Return(0))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(countOf(a, efd)).To(Equal(1))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, -1))).To(Return(0))
	})

	for _, how := range []string{"taken away", "replaced"} {
		Clause("channel.eventfd-let-go", how, func() {
			a := actor.New()
			fd := newChannel(a, 0, unix.O_RDWR)
			probe := newEventfd(a)
			first := eventfdID(a, probe)
			Must(a.Close(probe))
			const rounds = 64
			for range rounds {
				efd := newEventfd(a)
				Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd))).To(Return(0))
				Must(a.Pwrite64(fd, []byte("x"), 0))
				Expect(countOf(a, efd)).To(Equal(1))
				Must(a.Close(efd))
				if how == "taken away" {
					Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, -1))).To(Return(0))
				}
			}
			Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, -1)))
			// Some other process may have made some, though nearly not as many.
			Expect(eventfdID(a, newEventfd(a))).To(BeNumerically("<", first+rounds/2))
		})
	}

	Clause("channel.eventfd-not-one", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		r, w := a.Pipe(0)
		for _, other := range []int{fd, r, w, Must(a.EpollCreate1(0)), Must(a.Open("/dev/null", unix.O_RDWR, 0))} {
			Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, other))).To(FailWith(unix.EINVAL))
		}
	})

	Clause("channel.eventfd-not-open", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		closed := newEventfd(a)
		Must(a.Close(closed))
		for _, other := range []int{closed, 1000, -2, -1000} {
			Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, other))).To(FailWith(unix.EBADF))
		}
	})

	Clause("channel.eventfd-kept-after-failure", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := newEventfd(a)
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, fd))).To(FailWith(unix.EINVAL))
		Expect(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, 1000))).To(FailWith(unix.EBADF))
		Expect(a.Ioctl(fd, channelSetEvent, a.Unmapped())).To(FailWith(unix.EFAULT))
		Must(a.Write(fd, []byte("x")))
		Expect(countOf(a, efd)).To(Equal(1))
	})
})

var _ = Describe("ioctl on a channel", func() {
	Clause("channel.get-length", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		for _, n := range []int{1, 2, 255, 256, 4095, channelSize, 5} {
			Must(a.Pwrite64(fd, noise(n, 1), 0))
			m := a.Bytes([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			Expect(a.Ioctl(fd, channelGetLength, m)).To(Return(0))
			Expect(m.Uint32(0)).To(BeEquivalentTo(n))
			Expect(m.Uint32(4)).To(BeEquivalentTo(0xffffffff))
			Expect(fresh(a, fd)).To(BeTrue())
			Must(a.Pread64(fd, 1, 0))
			Expect(lengthOf(a, fd)).To(Equal(n))
		}
	})

	Clause("channel.ioctl-efault", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, bad := range []actor.Mem{actor.Null, a.Unmapped(), a.NoAccess(), a.PageEnd(3), {Addr: kernelAddress}} {
			Expect(a.Ioctl(fd, channelGetLength, bad)).To(FailWith(unix.EFAULT))
			Expect(a.Ioctl(fd, channelSetEvent, bad)).To(FailWith(unix.EFAULT))
		}
		Expect(a.Ioctl(fd, channelGetLength, a.ReadOnly([]byte("1234")))).To(FailWith(unix.EFAULT))
		Expect(a.Ioctl(fd, channelGetLength, a.PageEnd(4))).To(Return(0))
	})

	Clause("channel.ioctl-enotty", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("as before")))
		m := a.Alloc(256)
		for _, request := range []uint{
			unix.TCGETS, unix.TIOCINQ, 0, 0xc801, 0xc802, 0xc803, 0x4004c802, 0x8004c801, 0x4008c801, 0x4004c800, 0x8004c803, 0x4004c901, 0xffffffff,
		} {
			Expect(a.Ioctl(fd, request, m)).To(FailWith(unix.ENOTTY))
		}
		Expect(fresh(a, fd)).To(BeTrue())
		expectMessage(a, 0, "as before")
	})
})
