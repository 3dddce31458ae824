package events

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var oneByte = []byte("x")

// readyPipe makes a pipe with a byte in it, so that its read end is readable.
func readyPipe(a *actor.Actor) (r, w int) {
	r, w = a.Pipe(0)
	Must(a.Write(w, oneByte))
	return r, w
}

// expectInstance checks that epfd refers to an epoll instance of which nobody has made use yet: it
// takes a readable descriptor and reports that alone.
func expectInstance(a *actor.Actor, epfd int) {
	r, _ := readyPipe(a)
	ExpectWithOffset(1, a.EpollWait(epfd, 2, 0)).To(Return(0))
	ExpectWithOffset(1, a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 7)).To(Return(0))
	ExpectWithOffset(1, a.EpollWait(epfd, 2, 0)).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 7}))
}

// The two calls that make an instance, each without anything special.
var epollCreators = []struct {
	name   string
	create func(actor.Caller) *actor.Call
}{
	{"epoll_create", func(c actor.Caller) *actor.Call { return c.Raw(unix.SYS_EPOLL_CREATE, 1) }},
	{"epoll_create1", func(c actor.Caller) *actor.Call { return c.EpollCreate1(0) }},
}

var _ = Describe("A new epoll instance", func() {
	for i, id := range []string{"epollcreate.returns-descriptor", "epollcreate.create1-returns-descriptor"} {
		Clause(id, func() {
			a := actor.New()
			low, _ := a.Pipe(0)
			Must(a.Close(low))

			epfd := epollCreators[i].create(a.Caller)
			Expect(epfd).To(Return(low))
			expectInstance(a, low)
		})
	}

	Clause("epollcreate.instances-are-separate", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		one, other := a.EpollCreate1(0), a.EpollCreate1(0)
		Expect(one).To(ReturnFD())
		Expect(other).To(ReturnFD())
		Expect(other.Value()).NotTo(Equal(one.Value()))

		Must(a.EpollCtl(one.Value(), unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 1))
		Expect(a.EpollWait(other.Value(), 2, 0)).To(Return(0))
		Expect(a.EpollWait(one.Value(), 2, 0)).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 1}))
	})

	for _, size := range []struct {
		name string
		size int
	}{{"1", 1}, {"the greatest int", math.MaxInt32}} {
		Clause("epollcreate.size-ignored", size.name, func() {
			a := actor.New()
			epfd := a.Raw(unix.SYS_EPOLL_CREATE, size.size)
			Expect(epfd).To(ReturnFD())

			for i := range 3 {
				r, _ := readyPipe(a)
				Expect(a.EpollCtl(epfd.Value(), unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, uint64(i))).To(Return(0))
			}
			Expect(a.EpollWait(epfd.Value(), 8, 0)).To(Return(3))
		})
	}

	expectRefused := func(create func(actor.Caller) *actor.Call) {
		a := actor.New()
		ExpectWithOffset(1, create(a.Caller)).To(FailWith(unix.EINVAL))
		ExpectWithOffset(1, a.Fcntl(0, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	}
	Clause("epollcreate.size-zero", func() {
		expectRefused(func(c actor.Caller) *actor.Call { return c.Raw(unix.SYS_EPOLL_CREATE, 0) })
	})
	Clause("epollcreate.size-negative", func() {
		for _, size := range []int{-1, math.MinInt32} {
			expectRefused(func(c actor.Caller) *actor.Call { return c.Raw(unix.SYS_EPOLL_CREATE, size) })
		}
	})
	Clause("epollcreate.unknown-flags", func() {
		for bit := range 32 {
			if flags := 1 << bit; flags != unix.EPOLL_CLOEXEC {
				expectRefused(func(c actor.Caller) *actor.Call { return c.EpollCreate1(flags) })
				expectRefused(func(c actor.Caller) *actor.Call { return c.EpollCreate1(flags | unix.EPOLL_CLOEXEC) })
			}
		}
	})
})

var _ = Describe("The close-on-exec flag of a new epoll instance", func() {
	Clause("epollcreate.cloexec-off", func() {
		a := actor.New()
		epfd := a.EpollCreate1(0)
		Expect(epfd).To(ReturnFD())
		Expect(a.Fcntl(epfd.Value(), unix.F_GETFD, 0)).To(Return(0))

		a.Exec()
		Expect(a.Fcntl(epfd.Value(), unix.F_GETFD, 0)).To(Return(0))
	})

	Clause("epollcreate.cloexec-on", func() {
		a := actor.New()
		epfd := a.EpollCreate1(unix.EPOLL_CLOEXEC)
		Expect(epfd).To(ReturnFD())
		Expect(a.Fcntl(epfd.Value(), unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))

		a.Exec()
		Expect(a.Fcntl(epfd.Value(), unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("epollcreate.old-call-no-cloexec", func() {
		a := actor.New()
		epfd := a.Raw(unix.SYS_EPOLL_CREATE, 1)
		Expect(epfd).To(ReturnFD())
		Expect(a.Fcntl(epfd.Value(), unix.F_GETFD, 0)).To(Return(0))
	})
})

var _ = Describe("The end of an epoll instance", func() {
	Clause("epollcreate.survives-while-duplicate", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		epfd := Must(a.EpollCreate1(0))
		duplicate := Must(a.Dup(epfd))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 5))

		Expect(a.Close(epfd)).To(Return(0))
		Expect(a.EpollWait(duplicate, 2, 0)).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 5}))
		Expect(a.EpollWait(epfd, 2, 0)).To(FailWith(unix.EBADF))
	})

	Clause("epollcreate.last-close-releases-watches", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epfd, other := Must(a.EpollCreate1(0)), Must(a.EpollCreate1(0))
		actor.ChangeFile("/proc/sys/fs/epoll/max_user_watches", "1")
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 0))
		Expect(a.EpollCtl(other, unix.EPOLL_CTL_ADD, w, unix.EPOLLOUT, 0)).To(FailWith(unix.ENOSPC))

		Expect(a.Close(epfd)).To(Return(0))
		Expect(a.EpollCtl(other, unix.EPOLL_CTL_ADD, w, unix.EPOLLOUT, 0)).To(Return(0))
	})

	Clause("epollcreate.close-keeps-members", func() {
		a := actor.New()
		r, w := readyPipe(a)
		epfd := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 0))

		Expect(a.Close(epfd)).To(Return(0))
		Expect(a.EpollWait(epfd, 1, 0)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 2)).To(ReturnData("x"))
		Expect(a.Write(w, []byte("yz"))).To(Return(2))
		Expect(a.Read(r, 2)).To(ReturnData("yz"))
	})
})

var _ = Describe("An epoll instance that cannot be made", func() {
	for _, creator := range epollCreators {
		Clause("epollcreate.emfile", creator.name, func() {
			a := actor.New()
			a.Pipe(0)
			a.SetRlimit(unix.RLIMIT_NOFILE, 2)

			Expect(creator.create(a.Caller)).To(FailWith(unix.EMFILE))
			Must(a.Close(0))
			Expect(creator.create(a.Caller)).To(Return(0))
		})

		Clause("epollcreate.enfile", creator.name, func() {
			a := actor.New()
			free := a.ExhaustFiles()
			Expect(creator.create(a.Caller)).To(FailWith(unix.ENFILE))
			Expect(a.Fcntl(free, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		})
	}
})
