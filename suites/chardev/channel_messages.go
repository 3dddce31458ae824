package chardev

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A channel", func() {
	Clause("channel.message-returned", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Expect(a.Write(fd, []byte("hello"))).To(Return(5))
		Must(a.Lseek(fd, 0, unix.SEEK_SET))
		Expect(a.Read(fd, 100)).To(ReturnData("hello"))
	})

	Clause("channel.full-message", func() {
		writer, reader := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		r := openChannel(reader, 0, unix.O_RDONLY)
		for seed := range 3 {
			data := noise(channelSize, seed)
			Expect(writer.Pwrite64(w, data, 0)).To(Return(channelSize))
			Expect(reader.Read(r, channelSize)).To(ReturnData(data))
		}
	})

	Clause("channel.states", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		for range 3 {
			Expect(fresh(a, fd)).To(BeFalse())
			Expect(a.Pread64(fd, 1, 0)).To(FailWith(unix.EAGAIN))
			Must(a.Pwrite64(fd, []byte("x"), 0))
			Expect(fresh(a, fd)).To(BeTrue())
			Expect(a.Pread64(fd, 1, 0)).To(ReturnData("x"))
		}
	})

	Clause("channel.independent-messages", func() {
		a := actor.New()
		zero, one := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK), newChannel(a, 1, unix.O_RDWR|unix.O_NONBLOCK)
		Expect(a.Pwrite64(one, []byte("of one"), 0)).To(Return(6))
		Expect(a.Pread64(zero, 10, 0)).To(FailWith(unix.EAGAIN))
		Expect(a.Pwrite64(zero, []byte("zero"), 0)).To(Return(4))
		expectMessage(a, 1, "of one")
		expectMessage(a, 0, "zero")
		Expect(a.Pread64(zero, 10, 0)).To(ReturnData("zero"))
		Expect(fresh(a, zero)).To(BeFalse())
		Expect(fresh(a, one)).To(BeTrue())
		Expect(a.Pread64(one, 10, 0)).To(ReturnData("of one"))
	})

	for _, pair := range [][2]int{{0, 1}, {1, 0}} {
		name := channelPath(pair[0]) + " while another waits for " + channelPath(pair[1])
		Clause("channel.independent-wakeups", name, func() {
			writer, reader, poller := actor.New(), actor.New(), actor.New()
			w, other := newChannel(writer, pair[0], unix.O_RDWR|unix.O_NONBLOCK), newChannel(writer, pair[1], unix.O_WRONLY)
			read := reader.Begin().Read(openChannel(reader, pair[1], unix.O_RDONLY), 10)
			poll := beginPoll(poller, openChannel(poller, pair[1], unix.O_RDONLY), unix.POLLIN)
			Expect(read).To(Block())
			Expect(poll).To(Block())

			Must(writer.Pwrite64(w, []byte("a"), 0))
			Expect(writer.Pread64(w, 10, 0)).To(ReturnData("a"))
			Must(writer.Pwrite64(w, []byte("b"), 0))
			Expect(read).To(Block())
			Expect(poll).To(Block())
			Must(writer.Pwrite64(other, []byte("c"), 0))
			Expect(read).To(ReturnData("c"))
			// The poll may have come too late to see the message.
			Must(writer.Pwrite64(other, []byte("d"), 0))
			expectPolled(poll, unix.POLLIN)
			Expect(writer.Pread64(w, 10, 0)).To(ReturnData("b"))
		})
	}

	Clause("channel.independent-particulars", func() {
		a := actor.New()
		zero, one := newChannel(a, 0, unix.O_RDWR), newChannel(a, 1, unix.O_RDWR)
		Must(a.Write(one, []byte("12345")))
		efd := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))
		Must(a.Ioctl(one, channelSetEvent, descriptorArgument(a, efd)))

		Must(a.Write(zero, []byte("123")))
		Expect(offsetOf(a, zero)).To(Equal(3))
		Expect(lengthOf(a, one)).To(Equal(5))
		Expect(offsetOf(a, one)).To(Equal(5))
		Expect(countOf(a, efd)).To(BeZero())
		Must(a.Write(one, []byte("6")))
		Expect(countOf(a, efd)).To(Equal(1))
		Expect(lengthOf(a, zero)).To(Equal(3))
	})

	Clause("channel.offset-of-its-own", func() {
		a, b := actor.New(), actor.New()
		here, again := newChannel(a, 0, unix.O_RDWR), openChannel(a, 0, unix.O_RDWR)
		there := openChannel(b, 0, unix.O_RDWR)
		Expect(a.Write(here, []byte("hello"))).To(Return(5))
		Expect(offsetOf(a, here)).To(Equal(5))
		Expect(offsetOf(a, again)).To(BeZero())
		Expect(offsetOf(b, there)).To(BeZero())
		Expect(b.Lseek(there, 17, unix.SEEK_SET)).To(Return(17))
		Expect(offsetOf(b, there)).To(Equal(17))
		Expect(offsetOf(a, here)).To(Equal(5))
		Expect(offsetOf(a, again)).To(BeZero())
	})

	Clause("channel.offset-zero-after-open", func() {
		a := actor.New()
		for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR, unix.O_RDWR | unix.O_APPEND, unix.O_RDWR | unix.O_TRUNC} {
			fd := newChannel(a, 0, unix.O_RDWR)
			Must(a.Write(fd, []byte("hello")))
			Expect(a.Lseek(openChannel(a, 0, flags), 0, unix.SEEK_CUR)).To(Return(0))
		}
	})

	Clause("channel.offset-shared-by-dup", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		double := Must(a.Dup(fd))
		child := a.Fork()
		Expect(child.Write(fd, []byte("hello"))).To(Return(5))
		Expect(offsetOf(a, fd)).To(Equal(5))
		Expect(a.Lseek(double, 2, unix.SEEK_SET)).To(Return(2))
		Expect(offsetOf(child, fd)).To(Equal(2))
	})

	Clause("channel.message-shared", func() {
		a, b, c := actor.New(), actor.New(), actor.New()
		w := newChannel(a, 0, unix.O_WRONLY)
		r, other := openChannel(b, 0, unix.O_RDONLY|unix.O_NONBLOCK), openChannel(c, 0, unix.O_RDONLY|unix.O_NONBLOCK)
		Expect(a.Write(w, []byte("shared"))).To(Return(6))
		Expect(fresh(b, r)).To(BeTrue())
		Expect(fresh(c, other)).To(BeTrue())
		Expect(lengthOf(c, other)).To(Equal(6))
		Expect(b.Read(r, 10)).To(ReturnData("shared"))
		Expect(fresh(c, other)).To(BeFalse())
		Expect(c.Read(other, 10)).To(FailWith(unix.EAGAIN))
	})

	Clause("channel.outlives-close", "close", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("kept")))
		expectClosed(a, fd)
		again := openChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Expect(fresh(a, again)).To(BeTrue())
		Expect(a.Read(again, 10)).To(ReturnData("kept"))
		expectClosed(a, again)
		Expect(a.Read(openChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK), 10)).To(FailWith(unix.EAGAIN))
	})

	Clause("channel.outlives-close", "the writer's end", func() {
		writer, reader := actor.New(), actor.New()
		Must(writer.Write(newChannel(writer, 0, unix.O_RDWR), []byte("a will")))
		writer.Exit(0)
		fd := Must(reader.Open(channelPath(0), unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Expect(reader.Read(fd, 10)).To(ReturnData("a will"))
	})

	for _, flags := range []int{unix.O_RDONLY, unix.O_RDWR | unix.O_TRUNC, unix.O_WRONLY | unix.O_APPEND, unix.O_RDWR | unix.O_CREAT} {
		Clause("channel.open-changes-nothing", actor.Flags("open", uint64(flags)), func() {
			a := actor.New()
			fd := newChannel(a, 0, unix.O_RDWR)
			Must(a.Write(fd, []byte("as before")))
			opened := func() {
				GinkgoHelper()
				open := a.Open(channelPath(0), flags, 0o600)
				Expect(open).To(ReturnFD())
				const kept = unix.O_ACCMODE | unix.O_APPEND
				Expect(Must(a.Fcntl(open.Value(), unix.F_GETFL, 0)) & kept).To(Equal(flags & kept))
			}
			opened()
			Expect(fresh(a, fd)).To(BeTrue())
			expectMessage(a, 0, "as before")
			Expect(offsetOf(a, fd)).To(Equal(9))
			Must(a.Pread64(fd, 10, 0))
			opened()
			Expect(fresh(a, fd)).To(BeFalse())
			expectMessage(a, 0, "as before")
		})
	}
})
