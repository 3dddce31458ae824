package chardev

import (
	"encoding/binary"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What linux/channel.h defines.
const (
	channelSize      = 4096       // CHANNEL_SIZE
	channelMajor     = 96         // CHANNEL_MAJOR
	channelSetEvent  = 0x4004c801 // CHANNEL_SET_EVENTFD
	channelGetLength = 0x8004c802 // CHANNEL_GET_LENGTH
)

// Events of poll(2) that golang.org/x/sys/unix has only under epoll's names.
const (
	pollRdnorm = unix.EPOLLRDNORM
	pollWrnorm = unix.EPOLLWRNORM

	pollReadable = unix.POLLIN | pollRdnorm
	pollWritable = unix.POLLOUT | pollWrnorm
	pollAll      = pollReadable | pollWritable | unix.POLLPRI
)

// kernelAddress is one that no process may use.
const kernelAddress = 0xffff_8880_0000_0000

func channelPath(n int) string { return "/dev/channel" + strconv.Itoa(n) }

// newChannel opens a channel that is as if nobody had ever used it, but for the length of a stale
// message and the bytes of the buffer.
func newChannel(a *actor.Actor, n, flags int) int {
	GinkgoHelper()
	quiet := a.Quietly()
	fd := Must(quiet.Open(channelPath(n), unix.O_RDWR|unix.O_NONBLOCK, 0))
	Must(quiet.Ioctl(fd, channelSetEvent, descriptorArgument(a, -1)))
	for range 3 { // once will do, where the channel is in order
		quiet.Read(fd, 1)
	}
	Must(quiet.Close(fd))
	return openChannel(a, n, flags)
}

// openChannel opens a channel as it is: an open file description more.
func openChannel(a *actor.Actor, n, flags int) int {
	GinkgoHelper()
	return Must(a.Open(channelPath(n), flags, 0))
}

// descriptorArgument is what CHANNEL_SET_EVENTFD takes.
func descriptorArgument(a *actor.Actor, fd int) actor.Mem {
	return a.Bytes(binary.NativeEndian.AppendUint32(nil, uint32(int32(fd))))
}

// lengthOf returns the length of a channel's message.
func lengthOf(a *actor.Actor, fd int) int {
	GinkgoHelper()
	m := a.Bytes([]byte{0xa5, 0xa5, 0xa5, 0xa5})
	Expect(a.Ioctl(fd, channelGetLength, m)).To(Return(0))
	return int(m.Uint32(0))
}

// offsetOf returns an open file description's offset.
func offsetOf(a *actor.Actor, fd int) int {
	GinkgoHelper()
	return Must(a.Lseek(fd, 0, unix.SEEK_CUR))
}

// polled polls one descriptor without waiting and gives what came back for it.
func polled(a *actor.Actor, fd, events int) int {
	GinkgoHelper()
	call := a.Poll(0, actor.PollFD{FD: fd, Events: int16(events)})
	Expect(call).To(ReturnSuccess())
	got := int(uint16(call.Revents()[0]))
	Expect(call).To(Return(min(got, 1)), "the number of entries with something in revents")
	return got
}

// fresh says whether poll calls a channel readable.
func fresh(a *actor.Actor, fd int) bool {
	GinkgoHelper()
	return polled(a, fd, unix.POLLIN) == unix.POLLIN
}

// beginPoll begins to poll one descriptor for as long as it takes.
func beginPoll(a *actor.Actor, fd, events int) *actor.Call {
	return a.Begin().Poll(-1, actor.PollFD{FD: fd, Events: int16(events)})
}

// expectPolled waits for a poll of one descriptor and judges what came back for it.
func expectPolled(poll *actor.Call, revents int) {
	GinkgoHelper()
	Expect(poll).To(Return(1))
	Expect(int(uint16(poll.Revents()[0]))).To(Equal(revents))
}

// becomesStale waits until somebody who is about to take the message has done so.
func becomesStale(a *actor.Actor, fd int) {
	GinkgoHelper()
	for range 100_000 {
		if a.Quietly().Poll(0, actor.PollFD{FD: fd, Events: unix.POLLIN}).Value() == 0 {
			return
		}
	}
	Fail("nobody takes the message")
}

// expectMessage judges the message of a channel, length and bytes, without taking it.
func expectMessage(a *actor.Actor, n int, want string) {
	GinkgoHelper()
	fd := openChannel(a, n, unix.O_RDWR)
	Expect(lengthOf(a, fd)).To(Equal(len(want)))
	got := a.Load(mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED), len(want))
	Must(got)
	Expect(string(got.Data())).To(Equal(want))
	Must(a.Close(fd))
}

// expectClosed closes a descriptor and judges that it is closed.
func expectClosed(a *actor.Actor, fd int) {
	GinkgoHelper()
	Expect(a.Close(fd)).To(Return(0))
	Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
}

// bufferLength is the length of a mapping of all of a channel's buffer.
var bufferLength = (channelSize + unix.Getpagesize() - 1) / unix.Getpagesize() * unix.Getpagesize()

// mapChannel maps all of a channel's buffer.
func mapChannel(a *actor.Actor, fd, prot, flags int) actor.Mem {
	GinkgoHelper()
	return mapping(a.Mmap(0, bufferLength, prot, flags, fd, 0))
}

// mapping is the memory that an mmap gave.
func mapping(mmap *actor.Call) actor.Mem {
	GinkgoHelper()
	Expect(mmap).To(ReturnSuccess())
	return actor.Mem{Addr: uint64(Must(mmap))}
}

// noise returns n bytes without a pattern of a power of two, and without a zero.
func noise(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((i*7+seed*13)%251) + 1
	}
	return b
}

// countOf reads an eventfd's counter, which it sets to 0.
func countOf(a *actor.Actor, efd int) int {
	GinkgoHelper()
	read := a.Read(efd, 8)
	if read.Errno() == unix.EAGAIN {
		return 0
	}
	Must(read)
	return int(binary.NativeEndian.Uint64(read.Data()))
}

// settledEvents returns the signals that the actor has handled. One that was sent before is among
// them: at the latest it is delivered when the actor comes out of the system call made here.
func settledEvents(a *actor.Actor) []actor.Event {
	Must(a.Getpid())
	return a.Events()
}
