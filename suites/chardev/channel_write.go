package chardev

import (
	"bytes"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("write to a channel", func() {
	Clause("channel.write-at-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		Expect(a.Lseek(fd, 4, unix.SEEK_SET)).To(Return(4))
		Expect(a.Write(fd, []byte("abc"))).To(Return(3))
		expectMessage(a, 0, "0123abc")
	})

	Clause("channel.write-moves-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		at := 0
		for _, n := range []int{1, 5, 4000, 90} {
			Expect(a.Write(fd, noise(n, 1))).To(Return(n))
			at += n
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
		}
		Expect(a.Write(fd, []byte("no more"))).To(FailWith(unix.ENOSPC))
	})

	Clause("channel.write-one-after-another", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Expect(a.Write(fd, []byte("abc"))).To(Return(3))
		Expect(a.Write(fd, []byte("def"))).To(Return(3))
		expectMessage(a, 0, "abcdef")
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("abcdef"))
	})

	Clause("channel.write-ends-message", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("a long message")))
		Expect(a.Pwrite64(fd, []byte("short"), 0)).To(Return(5))
		Expect(lengthOf(a, fd)).To(Equal(5))
		Expect(a.Pread64(fd, 100, 0)).To(ReturnData("short"))
	})

	Clause("channel.write-keeps-other-bytes", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		m := mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED)
		content := noise(channelSize, 7)
		Expect(a.Write(fd, content)).To(Return(channelSize))
		for _, at := range []int{0, 1, 100, 4000, 4094, 4095} {
			Expect(a.Pwrite64(fd, []byte{0xff}, int64(at))).To(Return(1))
			content[at] = 0xff
			now := a.Load(m, channelSize)
			Must(now)
			Expect(bytes.Equal(now.Data(), content)).To(BeTrue(), "after the write at %d", at)
		}
	})

	Clause("channel.write-beyond-end-keeps-gap", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("abcdef")))
		Must(a.Pwrite64(fd, []byte("X"), 0))
		Expect(a.Pwrite64(fd, []byte("Y"), 3)).To(Return(1))
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("XbcY"))
	})

	Clause("channel.write-makes-fresh", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, n := range []int{1, 10, 100, channelSize} {
			Expect(a.Pwrite64(fd, noise(n, 2), 0)).To(Return(n))
			Expect(fresh(a, fd)).To(BeTrue())
			Expect(a.Pread64(fd, n, 0)).To(ReturnData(noise(n, 2)))
			Expect(fresh(a, fd)).To(BeFalse())
		}
	})

	Clause("channel.write-wakes-read", func() {
		writer, reader := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		read := reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Expect(writer.Write(w, []byte("awake"))).To(Return(5))
		Expect(read).To(ReturnData("awake"))
	})

	Clause("channel.write-wakes-poll", func() {
		writer := actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		var polls []*actor.Call
		for range 3 {
			poller := actor.New()
			polls = append(polls, beginPoll(poller, openChannel(poller, 0, unix.O_RDONLY), unix.POLLIN))
		}
		for _, poll := range polls {
			Expect(poll).To(Block())
		}
		Expect(writer.Write(w, []byte("awake"))).To(Return(5))
		for _, poll := range polls {
			expectPolled(poll, unix.POLLIN)
		}
	})

	Clause("channel.write-wakes-select", func() {
		writer, waiter := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		r := openChannel(waiter, 0, unix.O_RDONLY)
		set := actor.NewFDSet(r)
		wait := waiter.Begin().Pselect(r+1, set, nil, nil, -1)
		Expect(wait).To(Block())
		Expect(writer.Write(w, []byte("awake"))).To(Return(5))
		Expect(wait).To(Return(1))
		Expect(set.Has(r)).To(BeTrue())
	})

	Clause("channel.write-wakes-epoll", func() {
		writer, waiter := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		r := openChannel(waiter, 0, unix.O_RDONLY)
		epfd := Must(waiter.EpollCreate1(0))
		Must(waiter.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 7))
		wait := waiter.Begin().EpollPwait(epfd, 4, -1)
		Expect(wait).To(Block())
		Expect(writer.Write(w, []byte("awake"))).To(Return(5))
		Expect(wait).To(Return(1))
		Expect(wait.EpollEvents()[0]).To(Equal(actor.EpollEvent{Events: unix.EPOLLIN, Data: 7}))
	})

	Clause("channel.write-wakes-both", func() {
		writer, reader, poller := actor.New(), actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		p := openChannel(poller, 0, unix.O_RDONLY)
		epfd := Must(poller.EpollCreate1(0))
		Must(poller.EpollCtl(epfd, unix.EPOLL_CTL_ADD, p, unix.EPOLLIN|unix.EPOLLEXCLUSIVE|unix.EPOLLET, 0))
		wait := poller.Begin().EpollPwait(epfd, 4, -1)
		read := reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10)
		Expect(wait).To(Block())
		Expect(read).To(Block())
		Expect(writer.Write(w, []byte("awake"))).To(Return(5))
		Expect(read).To(ReturnData("awake"))
		// Whether the event is reported depends on who is faster; a second message is not taken by anybody.
		Must(writer.Pwrite64(w, []byte("again"), 0))
		Expect(wait).To(Return(1))
		Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN}}))
	})

	Clause("channel.write-never-waits", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, text := range []string{"first", "second", "third"} {
			Expect(a.Pwrite64(fd, []byte(text), 0)).To(Return(len(text)))
		}
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("third"))
		Expect(fresh(a, fd)).To(BeFalse())
	})

	Clause("channel.write-short", func() {
		for _, at := range []int{4000, 4095, 0} {
			a := actor.New()
			fd := newChannel(a, 0, unix.O_RDWR)
			data := noise(channelSize+100, 3)
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Write(fd, data)).To(Return(channelSize - at))
			Expect(offsetOf(a, fd)).To(Equal(channelSize))
			Expect(lengthOf(a, fd)).To(Equal(channelSize))
			Expect(a.Pread64(fd, channelSize, int64(at))).To(ReturnData(data[:channelSize-at]))
		}
	})

	Clause("channel.write-exactly-fits", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Lseek(fd, 4090, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("123456"))).To(Return(6))
		Expect(a.Pread64(fd, 10, 4090)).To(ReturnData("123456"))
	})

	for _, isFresh := range []bool{true, false} {
		name := map[bool]string{true: "while fresh", false: "while stale"}[isFresh]
		Clause("channel.write-enospc", name, func() {
			a := actor.New()
			fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
			Must(a.Write(fd, []byte("as before")))
			if !isFresh {
				Must(a.Pread64(fd, 1, 0))
			}
			Expect(a.Lseek(fd, channelSize, unix.SEEK_SET)).To(Return(channelSize))
			Expect(a.Write(fd, []byte("x"))).To(FailWith(unix.ENOSPC))
			for _, at := range []int64{channelSize, channelSize + 1, 1 << 20, 1 << 40, 1<<63 - 1000} {
				Expect(a.Pwrite64(fd, []byte("x"), at)).To(FailWith(unix.ENOSPC))
			}
			Expect(fresh(a, fd)).To(Equal(isFresh))
			Expect(offsetOf(a, fd)).To(Equal(channelSize))
			expectMessage(a, 0, "as before")
		})
	}

	Clause("channel.write-zero-bytes", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("as before")))
		for _, at := range []int64{0, 4, 9, channelSize} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Write(fd, nil)).To(Return(0))
			Expect(a.Pwrite64(fd, nil, 5000)).To(Return(0))
			Expect(offsetOf(a, fd)).To(Equal(int(at)))
			expectMessage(a, 0, "as before")
		}
	})

	Clause("channel.write-zero-not-fresh", func() {
		a, reader := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		efd := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
		read := reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Expect(a.Write(fd, nil)).To(Return(0))
		Expect(fresh(a, fd)).To(BeFalse())
		Expect(countOf(a, efd)).To(BeZero())
		Expect(read).To(Block())
		Must(a.Write(fd, []byte("later")))
		Expect(read).To(ReturnData("later"))
	})

	Clause("channel.append-without-effect", "open", func() {
		a := actor.New()
		Must(a.Write(newChannel(a, 0, unix.O_RDWR), []byte("0123456789")))
		fd := openChannel(a, 0, unix.O_RDWR|unix.O_APPEND)
		Expect(a.Write(fd, []byte("ab"))).To(Return(2))
		expectMessage(a, 0, "ab")
		Expect(offsetOf(a, fd)).To(Equal(2))
		Expect(a.Pwrite64(fd, []byte("X"), 1)).To(Return(1))
		expectMessage(a, 0, "aX")
	})

	Clause("channel.append-without-effect", "F_SETFL", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		Must(a.Fcntl(fd, unix.F_SETFL, unix.O_APPEND))
		Must(a.Lseek(fd, 3, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("abc"))).To(Return(3))
		expectMessage(a, 0, "012abc")
	})

	Clause("channel.writev-one-message", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		efd := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
		Expect(a.Writev(fd, []byte("one "), nil, []byte("message"), []byte("."))).To(Return(12))
		Expect(countOf(a, efd)).To(Equal(1))
		Expect(offsetOf(a, fd)).To(Equal(12))
		Expect(a.Pread64(fd, 100, 0)).To(ReturnData("one message."))
	})

	Clause("channel.writev-short", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		data := noise(5000, 4)
		Expect(a.Writev(fd, data[:3000], data[3000:])).To(Return(channelSize))
		Expect(a.Pread64(fd, 5000, 0)).To(ReturnData(data[:channelSize]))
	})

	Clause("channel.write-at-once", func() {
		writer, other, reader := actor.New(), actor.New(), actor.New()
		w, o := newChannel(writer, 0, unix.O_WRONLY), openChannel(other, 0, unix.O_WRONLY)
		r := openChannel(reader, 0, unix.O_RDONLY|unix.O_NONBLOCK)
		const rounds = 3000
		all := map[string]string{"A": strings.Repeat("A", channelSize), "B": strings.Repeat("B", channelSize)}
		a := writer.Begin().Repeat(rounds).Pwrite64(w, []byte(all["A"]), 0)
		b := other.Begin().Repeat(rounds).Pwrite64(o, []byte(all["B"]), 0)
		for reads := 0; reads < 100 && (!a.Done() || !b.Done()); {
			read := reader.Read(r, channelSize)
			if read.Errno() == unix.EAGAIN {
				continue
			}
			Expect(read).To(Return(channelSize))
			text := string(read.Data())
			Expect(text == all[text[:1]]).To(BeTrue(), "one message, and not parts of two")
			reads++
		}
		for _, writes := range []*actor.Call{a, b} {
			Expect(writes).To(Return(channelSize))
			Expect(writes.Count()).To(Equal(rounds))
		}
	})

	for _, isFresh := range []bool{true, false} {
		name := map[bool]string{true: "while fresh", false: "while stale"}[isFresh]
		Clause("channel.write-efault", name, func() {
			a := actor.New()
			fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
			Must(a.Write(fd, []byte("as before")))
			if !isFresh {
				Must(a.Pread64(fd, 1, 0))
			}
			Must(a.Lseek(fd, 2, unix.SEEK_SET))
			efd := Must(a.Eventfd2(0, unix.EFD_NONBLOCK))
			Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
			unchanged := func() {
				GinkgoHelper()
				Expect(fresh(a, fd)).To(Equal(isFresh))
				Expect(offsetOf(a, fd)).To(Equal(2))
				Expect(countOf(a, efd)).To(BeZero())
				expectMessage(a, 0, "as before")
			}
			for _, bad := range []struct {
				at actor.Mem
				n  int
			}{
				{actor.Null, 5}, {a.Unmapped(), 5}, {a.NoAccess(), 5}, {a.PageEnd(10), 11}, {a.PageEnd(1), 4000},
				{actor.Mem{Addr: kernelAddress}, 8},
			} {
				Expect(a.WriteFrom(fd, bad.at, bad.n)).To(FailWith(unix.EFAULT))
				unchanged()
			}
			vector := a.Alloc(32)
			vector.PutUint64(0, a.Bytes([]byte("good")).Addr)
			vector.PutUint64(8, 4)
			vector.PutUint64(16, a.Unmapped().Addr)
			vector.PutUint64(24, 4)
			Expect(a.Raw(unix.SYS_WRITEV, fd, vector, 2)).To(FailWith(unix.EFAULT))
			unchanged()
			Expect(a.WriteFrom(fd, a.PageEnd(10), 10)).To(Return(10))
			Expect(countOf(a, efd)).To(Equal(1))
		})
	}

	Clause("channel.write-efault-wakes-nobody", func() {
		a, reader := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_WRONLY)
		read := reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Expect(a.WriteFrom(fd, a.Unmapped(), 5)).To(FailWith(unix.EFAULT))
		Expect(read).To(Block())
		Must(a.Write(fd, []byte("good")))
		Expect(read).To(ReturnData("good"))
	})

	Clause("channel.write-looks-at-what-fits", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		m := a.PageEnd(6)
		copy(m.Bytes(), "123456")
		Must(a.Lseek(fd, 4090, unix.SEEK_SET))
		Expect(a.WriteFrom(fd, m, 100)).To(Return(6))
		Expect(a.Pread64(fd, 10, 4090)).To(ReturnData("123456"))
	})
})
