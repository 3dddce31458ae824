package chardev

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("The readiness of a channel", func() {
	Clause("channel.poll-readable-while-fresh", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for range 2 {
			Expect(polled(a, fd, pollReadable)).To(BeZero())
			Must(a.Pwrite64(fd, []byte("x"), 0))
			for range 3 {
				Expect(polled(a, fd, pollReadable)).To(Equal(pollReadable))
				Expect(polled(a, fd, unix.POLLIN)).To(Equal(unix.POLLIN))
				Expect(polled(a, fd, pollRdnorm)).To(Equal(pollRdnorm))
			}
			Must(a.Pread64(fd, 1, 0))
		}
	})

	Clause("channel.poll-nothing-else", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Expect(polled(a, fd, pollAll)).To(Equal(pollWritable))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(polled(a, fd, pollAll)).To(Equal(pollReadable | pollWritable))
		Expect(polled(a, fd, 0)).To(BeZero())
	})

	Clause("channel.poll-after-what-leaves-it-fresh", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(a.ReadInto(fd, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(polled(a, fd, pollReadable)).To(Equal(pollReadable))
		Expect(a.Pread64(fd, 1, 1)).To(Return(0))
		Expect(polled(a, fd, pollReadable)).To(Equal(pollReadable))
	})

	Clause("channel.poll-writable-always", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, at := range []int64{0, channelSize} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(polled(a, fd, pollWritable)).To(Equal(pollWritable))
			Must(a.Pwrite64(fd, []byte("x"), 0))
			Expect(polled(a, fd, pollWritable)).To(Equal(pollWritable))
			Expect(polled(a, fd, unix.POLLOUT)).To(Equal(unix.POLLOUT))
			Must(a.Pread64(fd, 1, 0))
		}
	})

	Clause("channel.poll-two-channels", func() {
		a := actor.New()
		zero, one := newChannel(a, 0, unix.O_RDWR), newChannel(a, 1, unix.O_RDWR)
		both := func() []int16 {
			call := a.Poll(0, actor.PollFD{FD: zero, Events: unix.POLLIN}, actor.PollFD{FD: one, Events: unix.POLLIN})
			Must(call)
			return call.Revents()
		}
		Expect(both()).To(Equal([]int16{0, 0}))
		Must(a.Pwrite64(one, []byte("x"), 0))
		Expect(both()).To(Equal([]int16{0, unix.POLLIN}))
		Must(a.Pwrite64(zero, []byte("x"), 0))
		Expect(both()).To(Equal([]int16{unix.POLLIN, unix.POLLIN}))
		Must(a.Pread64(one, 1, 0))
		Expect(both()).To(Equal([]int16{unix.POLLIN, 0}))
		Must(a.Pread64(zero, 1, 0))
		Expect(both()).To(Equal([]int16{0, 0}))
	})

	Clause("channel.select", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		look := func() (readable, writable, exceptional bool) {
			r, w, x := actor.NewFDSet(fd), actor.NewFDSet(fd), actor.NewFDSet(fd)
			call := a.Pselect(fd+1, r, w, x, 0)
			Expect(call).To(ReturnSuccess())
			n := 0
			for _, set := range []*actor.FDSet{r, w, x} {
				if set.Has(fd) {
					n++
				}
			}
			Expect(call).To(Return(n))
			return r.Has(fd), w.Has(fd), x.Has(fd)
		}
		for range 2 {
			r, w, x := look()
			Expect([]bool{r, w, x}).To(Equal([]bool{false, true, false}))
			Must(a.Pwrite64(fd, []byte("x"), 0))
			r, w, x = look()
			Expect([]bool{r, w, x}).To(Equal([]bool{true, true, false}))
			Must(a.Pread64(fd, 1, 0))
		}
	})

	epoll := func(a *actor.Actor, fd int, events uint32) int {
		epfd := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, events, 1))
		return epfd
	}
	events := func(a *actor.Actor, epfd int) (got []uint32) {
		GinkgoHelper()
		wait := a.EpollPwait(epfd, 4, 0)
		Expect(wait).To(ReturnSuccess())
		for _, e := range wait.EpollEvents() {
			Expect(e.Data).To(BeEquivalentTo(1))
			got = append(got, e.Events)
		}
		return got
	}

	Clause("channel.epoll-level", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		in, out := epoll(a, fd, unix.EPOLLIN), epoll(a, fd, unix.EPOLLOUT|unix.EPOLLIN)
		Expect(events(a, in)).To(BeEmpty())
		Expect(events(a, out)).To(Equal([]uint32{unix.EPOLLOUT}))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		for range 3 {
			Expect(events(a, in)).To(Equal([]uint32{unix.EPOLLIN}))
			Expect(events(a, out)).To(Equal([]uint32{unix.EPOLLIN | unix.EPOLLOUT}))
		}
		Must(a.Pread64(fd, 1, 0))
		Expect(events(a, in)).To(BeEmpty())
		Expect(events(a, out)).To(Equal([]uint32{unix.EPOLLOUT}))
	})

	Clause("channel.epoll-edge", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		epfd := epoll(a, fd, unix.EPOLLIN|unix.EPOLLET)
		Expect(events(a, epfd)).To(BeEmpty())
		for range 3 {
			Must(a.Pwrite64(fd, []byte("x"), 0))
			Expect(events(a, epfd)).To(Equal([]uint32{unix.EPOLLIN}))
			Expect(events(a, epfd)).To(BeEmpty())
		}
		Must(a.Pread64(fd, 1, 0))
		Expect(events(a, epfd)).To(BeEmpty())
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(events(a, epfd)).To(Equal([]uint32{unix.EPOLLIN}))
	})

	Clause("channel.epoll-edge-not-for-what-is-stale", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		epfd := epoll(a, fd, unix.EPOLLIN|unix.EPOLLET)
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Must(a.Pread64(fd, 1, 0))
		Expect(events(a, epfd)).To(BeEmpty())
	})

	Clause("channel.epoll-edge-wakes", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		w := openChannel(other, 0, unix.O_WRONLY)
		epfd := epoll(a, fd, unix.EPOLLIN|unix.EPOLLET)
		for range 3 {
			wait := a.Begin().EpollPwait(epfd, 4, -1)
			Expect(wait).To(Block())
			Must(other.Pwrite64(w, []byte("x"), 0))
			Expect(wait).To(Return(1))
			Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: 1}}))
		}
	})

	Clause("channel.epoll-two-channels", func() {
		a := actor.New()
		epfd := Must(a.EpollCreate1(0))
		var fds []int
		for n := range 2 {
			fds = append(fds, newChannel(a, n, unix.O_RDWR))
			Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fds[n], unix.EPOLLIN, uint64(n)))
		}
		for n, fd := range fds {
			Must(a.Pwrite64(fd, []byte("x"), 0))
			wait := a.EpollPwait(epfd, 4, 0)
			Expect(wait).To(Return(1))
			Expect(wait.EpollEvents()).To(Equal([]actor.EpollEvent{{Events: unix.EPOLLIN, Data: uint64(n)}}))
			Must(a.Pread64(fd, 1, 0))
			Expect(a.EpollPwait(epfd, 4, 0)).To(Return(0))
		}
	})
})

var _ = Describe("A channel with O_ASYNC", func() {
	async := func(a *actor.Actor, fd int) {
		a.Handle(unix.SIGIO, 0)
		Must(a.Fcntl(fd, unix.F_SETOWN, Must(a.Getpid())))
		Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
	}

	Clause("channel.sigio-each-write", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		w := openChannel(other, 0, unix.O_WRONLY)
		async(a, fd)
		Expect(settledEvents(a)).To(BeEmpty())
		for n := 1; n <= 3; n++ {
			Expect(other.Pwrite64(w, []byte("x"), 0)).To(Return(1))
			Expect(a.NextEvent().Signal).To(Equal(unix.SIGIO))
			Expect(settledEvents(a)).To(HaveLen(n))
		}
		Expect(a.Read(fd, 1)).To(Return(1))
		Expect(settledEvents(a)).To(HaveLen(3))
	})

	Clause("channel.sigio-not-else", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		w, one := openChannel(other, 0, unix.O_WRONLY), newChannel(other, 1, unix.O_WRONLY)
		async(a, fd)
		Expect(other.Write(w, nil)).To(Return(0))
		Expect(other.WriteFrom(w, other.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(other.Pwrite64(w, []byte("x"), channelSize)).To(FailWith(unix.ENOSPC))
		Expect(other.Pwrite64(one, []byte("x"), 0)).To(Return(1))
		Expect(settledEvents(a)).To(BeEmpty())
		Expect(other.Pwrite64(w, []byte("x"), 0)).To(Return(1))
		Expect(a).To(Catch(unix.SIGIO))
	})

	Clause("channel.sigio-particulars", func() {
		const other = unix.Signal(40) // a real-time signal
		a, writer := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		async(a, fd)
		a.Handle(other, actor.SA_SIGINFO)
		Must(a.Fcntl(fd, unix.F_SETSIG, int(other)))
		Must(writer.Pwrite64(openChannel(writer, 0, unix.O_WRONLY), []byte("x"), 0))
		event := a.NextEvent()
		Expect(event.Signal).To(Equal(other))
		Expect(event.Info.FD()).To(Equal(fd))
		Expect(event.Info.Band()).To(BeEquivalentTo(pollReadable))
	})

	Clause("channel.sigio-off", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		w := openChannel(other, 0, unix.O_WRONLY)
		async(a, fd)
		Must(other.Pwrite64(w, []byte("x"), 0))
		Expect(a).To(Catch(unix.SIGIO))
		Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
		Must(other.Pwrite64(w, []byte("x"), 0))
		Expect(settledEvents(a)).To(HaveLen(1))

		Must(a.Fcntl(fd, unix.F_SETFL, unix.O_ASYNC))
		Must(other.Pwrite64(w, []byte("x"), 0))
		Expect(a).To(Catch(unix.SIGIO, unix.SIGIO))
		Expect(a.Close(fd)).To(Return(0))
		Must(other.Pwrite64(w, []byte("x"), 0))
		Expect(settledEvents(a)).To(HaveLen(2))
	})
})
