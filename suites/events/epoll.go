package events

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("An epoll instance", func() {
	Clause("epoll.several-kinds-at-once", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		here, there := a.Sockets(unix.SOCK_STREAM)
		counter := newEventfd(a, 0, 0)
		for i, fd := range []int{r, here, counter} {
			Expect(a.EpollCtl(epfd, ctlAdd, fd, in, uint64(i))).To(Return(0))
		}
		expectEvents(a, epfd)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Write(counter, count(1)))
		Must(a.Write(w, oneByte))
		Expect(a.EpollWait(epfd, 8, 0).EpollEvents()).To(ConsistOf(event(in, 0), event(in, 1), event(in, 2)))
	})

	Clause("epoll.ready-list-follows", func() {
		a := actor.New()
		epfd := newEpoll(a)
		one, w := a.Pipe(0)
		other := newEventfd(a, 0, 0)
		add(a, epfd, one, in, 1)
		add(a, epfd, other, in, 2)

		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Write(other, count(1)))
		Expect(a.EpollWait(epfd, 8, 0).EpollEvents()).To(ConsistOf(event(in, 1), event(in, 2)))
		Must(a.Read(one, 1))
		expectEvents(a, epfd, event(in, 2))
		Must(a.Read(other, 8))
		expectEvents(a, epfd)
	})

	Clause("epoll.interest-list-per-instance", func() {
		a := actor.New()
		one, other := newEpoll(a), newEpoll(a)
		duplicate := Must(a.Dup(one))
		child := a.Fork()
		r, _ := readyPipe(a)
		Expect(a.EpollCtl(one, ctlAdd, r, in, 1)).To(Return(0))
		expectEvents(a, other)
		expectEvents(a, duplicate, event(in, 1))
		expectEvents(child, one, event(in, 1))
	})

	Clause("epoll.two-instances", func() {
		a := actor.New()
		one, other := newEpoll(a), newEpoll(a)
		r, w := a.Pipe(0)
		Expect(a.EpollCtl(one, ctlAdd, r, in|edge, 1)).To(Return(0))
		Expect(a.EpollCtl(other, ctlAdd, r, in|edge, 2)).To(Return(0))
		Must(a.Write(w, oneByte))
		expectEvents(a, one, event(in, 1))
		expectEvents(a, other, event(in, 2))
		expectEvents(a, one)
	})
})

var _ = Describe("The page's scenario", func() {
	scenario := func(flags uint32) (a *actor.Actor, epfd, w int) {
		GinkgoHelper()
		a = actor.New()
		epfd = newEpoll(a)
		rfd, w := a.Pipe(0)
		Expect(a.EpollCtl(epfd, ctlAdd, rfd, in|flags, 1)).To(Return(0))
		Expect(a.Write(w, make([]byte, 2048))).To(Return(2048))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.Read(rfd, 1024)).To(Return(1024))
		return a, epfd, w
	}
	Clause("epoll.scenario-edge", func() {
		a, epfd, w := scenario(edge)
		other := a.Fork()
		wait := a.Begin().EpollWait(epfd, 2, -1)
		Expect(wait).To(Block())
		Must(other.Write(w, oneByte))
		Expect(wait).To(ReturnEvents(event(in, 1)))
	})

	Clause("epoll.scenario-level", func() {
		a, epfd, _ := scenario(0)
		Expect(a.EpollWait(epfd, 2, -1)).To(ReturnEvents(event(in, 1)))
	})
})

var _ = Describe("Several that sleep on one epoll instance", func() {
	// oneOfTwo checks that of two that sleep in epoll_wait each event wakes one, and the other only with
	// the next event.
	oneOfTwo := func(a *actor.Actor, sleeper func() *actor.Actor) {
		GinkgoHelper()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in|edge, 1)
		waits := []*actor.Call{sleeper().Begin().EpollWait(epfd, 2, -1), sleeper().Begin().EpollWait(epfd, 2, -1)}
		Expect(waits[0]).To(Block())
		Expect(waits[1]).To(Block())

		Must(a.Write(w, oneByte))
		first, second := firstDone(waits)
		Expect(first).To(ReturnEvents(event(in, 1)))
		Expect(second).To(Block())
		Must(a.Write(w, oneByte))
		Expect(second).To(ReturnEvents(event(in, 1)))
	}
	Clause("epoll.edge-wakes-one-of-two", func() {
		a := actor.New()
		oneOfTwo(a, a.Thread)
	})
	Clause("epoll.edge-wakes-one-of-two-processes", func() {
		a := actor.New()
		oneOfTwo(a, a.Fork)
	})
})

var _ = Describe("The key of an interest list", func() {
	Clause("epoll.same-number-other-file", func() {
		a := actor.New()
		epfd := newEpoll(a)
		old, _ := readyPipe(a)
		Must(a.Dup(old))
		add(a, epfd, old, in, 1)
		other, _ := readyPipe(a)
		Must(a.Dup2(other, old))
		Expect(a.EpollCtl(epfd, ctlAdd, old, in, 2)).To(Return(0))
		Expect(a.EpollWait(epfd, 8, 0).EpollEvents()).To(ConsistOf(event(in, 1), event(in, 2)))
	})

	Clause("epoll.duplicate-can-be-added", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		duplicate := Must(a.Dup(here))
		Expect(a.EpollCtl(epfd, ctlAdd, here, in, 1)).To(Return(0))
		Expect(a.EpollCtl(epfd, ctlAdd, duplicate, out, 2)).To(Return(0))
		expectEvents(a, epfd, event(out, 2))
		Must(a.Write(there, oneByte))
		Expect(a.EpollWait(epfd, 8, 0).EpollEvents()).To(ConsistOf(event(in, 1), event(out, 2)))
		Must(a.EpollCtl(epfd, ctlDel, duplicate, 0, 0))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epoll.close-removes", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := readyPipe(a)
		add(a, epfd, r, in, 1)
		expectEvents(a, epfd, event(in, 1))
		Expect(a.Close(r)).To(Return(0))
		expectEvents(a, epfd)
		Must(a.Dup2(w, r))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.ENOENT))
		Expect(a.EpollCtl(epfd, ctlAdd, r, out, 2)).To(Return(0))
	})

	Clause("epoll.close-removes-everywhere", func() {
		a := actor.New()
		one, other := newEpoll(a), newEpoll(a)
		child := a.Fork()
		r, _ := readyPipe(a) // the child does not have it
		add(a, one, r, in, 1)
		add(a, other, r, in|edge, 2)
		expectEvents(child, one, event(in, 1))
		Expect(a.Close(r)).To(Return(0))
		expectEvents(a, one)
		expectEvents(child, one)
		expectEvents(a, other)
	})

	Clause("epoll.dup2-over-removes", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		expectEvents(a, epfd, event(in, 1))
		here, there := a.Sockets(unix.SOCK_STREAM)
		Expect(a.Dup2(here, r)).To(Return(r))
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd) // neither what was there nor what is there now
		Expect(a.EpollCtl(epfd, ctlMod, r, in, 2)).To(FailWith(unix.ENOENT))
		Expect(a.EpollCtl(epfd, ctlAdd, r, in, 3)).To(Return(0))
		expectEvents(a, epfd, event(in, 3))
	})

	Clause("epoll.close-with-duplicate", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		duplicate := Must(a.Dup(r))
		add(a, epfd, r, in, 77)
		Expect(a.Close(r)).To(Return(0))
		expectEvents(a, epfd, event(in, 77))
		Expect(a.Close(duplicate)).To(Return(0))
		expectEvents(a, epfd)
	})

	Clause("epoll.close-with-child", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 78)
		child := a.Fork()
		Expect(a.Close(r)).To(Return(0))
		expectEvents(a, epfd, event(in, 78))
		Expect(child.Close(r)).To(Return(0))
		expectEvents(a, epfd)
	})

	Clause("epoll.closed-cannot-be-removed", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		Must(a.Dup(r))
		add(a, epfd, r, in, 1)
		Must(a.Close(r))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(FailWith(unix.EBADF))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epoll.removed-before-duplicate", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 1)
		expectEvents(a, epfd, event(in, 1))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(Return(0))
		Must(a.Dup(r))
		Must(a.Close(r))
		expectEvents(a, epfd)
	})
})

var _ = Describe("An epoll descriptor as something to wait for", func() {
	Clause("epoll.pollable", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in, 1)
		expectReadable(a, epfd, false)
		Must(a.Write(w, oneByte))
		expectReadable(a, epfd, true)
		Must(a.Read(r, 1))
		expectReadable(a, epfd, false)
	})

	Clause("epoll.nested-wakes", func() {
		a := actor.New()
		inner, outer := newEpoll(a), newEpoll(a)
		r, w := a.Pipe(0)
		add(a, inner, r, in, 1)
		add(a, outer, inner, in, 2)
		other := a.Fork()
		wait := a.Begin().EpollWait(outer, 2, -1)
		Expect(wait).To(Block())
		Must(other.Write(w, oneByte))
		Expect(wait).To(ReturnEvents(event(in, 2)))
		expectEvents(a, inner, event(in, 1))
	})

	Clause("epoll.nested-unready", func() {
		a := actor.New()
		inner, outer := newEpoll(a), newEpoll(a)
		r, _ := readyPipe(a)
		add(a, inner, r, in, 1)
		add(a, outer, inner, in, 2)
		expectEvents(a, outer, event(in, 2))
		Must(a.Read(r, 1))
		expectEvents(a, outer)
	})

	Clause("epoll.sent-over-socket", func() {
		sender := actor.New()
		here, there := sender.Sockets(unix.SOCK_STREAM)
		receiver := sender.Fork() // before there is anything to inherit
		epfd := newEpoll(sender)
		r, w := sender.Pipe(0)
		add(sender, epfd, r, in, 5)
		sender.SendDescriptor(here, epfd)
		received := receiver.ReceiveDescriptor(there)

		wait := receiver.Begin().EpollWait(received, 2, -1)
		Expect(wait).To(Block())
		Must(sender.Write(w, oneByte))
		Expect(wait).To(ReturnEvents(event(in, 5)))
	})
})

var _ = Describe("Events between two calls of epoll_wait", func() {
	Clause("epoll.events-combined", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in|edge, 1)
		Must(a.Write(w, oneByte))
		Must(a.Close(w))
		expectEvents(a, epfd, event(in|hup, 1))
		expectEvents(a, epfd)
	})

	Clause("epoll.two-writes-one-event", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in|edge, 1)
		Must(a.Write(w, oneByte))
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		expectEvents(a, epfd)
	})

	Clause("epoll.mod-rereads-level", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, in, 1)
		Must(a.Write(there, oneByte)) // collected, not reported yet
		Expect(a.EpollCtl(epfd, ctlMod, here, out, 2)).To(Return(0))
		expectEvents(a, epfd, event(out, 2))
	})

	Clause("epoll.del-of-ready", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in, 1)
		Must(a.Write(w, oneByte))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(Return(0))
		expectEvents(a, epfd)
	})

	Clause("epoll.oneshot-after-chunks", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in|edge|oneshot, 1)
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd, event(in, 1))
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd)
		Expect(a.EpollCtl(epfd, ctlMod, r, in|edge|oneshot, 2)).To(Return(0))
		expectEvents(a, epfd, event(in, 2))
		Must(a.Write(w, oneByte))
		expectEvents(a, epfd)
	})
})

var _ = Describe("Draining an edge-triggered descriptor", func() {
	Clause("epoll.edge-datagrams", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_DGRAM | unix.SOCK_NONBLOCK)
		add(a, epfd, here, in|edge, 1)
		Must(a.Write(there, []byte("one")))
		Must(a.Write(there, []byte("two")))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.Read(here, 8)).To(ReturnData("one"))
		Expect(a.Read(here, 8)).To(ReturnData("two"))
		Expect(a.Read(here, 8)).To(FailWith(unix.EAGAIN))
		expectEvents(a, epfd)
		Must(a.Write(there, []byte("three")))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epoll.edge-short-read", func() {
		a := actor.New()
		epfd := newEpoll(a)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(a, epfd, here, in|edge, 1)
		Must(a.Write(there, []byte("abc")))
		expectEvents(a, epfd, event(in, 1))
		Expect(a.Read(here, 8)).To(ReturnData("abc"))
		expectEvents(a, epfd)
		Must(a.Write(there, oneByte))
		expectEvents(a, epfd, event(in, 1))
	})

	Clause("epoll.edge-short-write", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(unix.O_NONBLOCK)
		capacity := Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0))
		add(a, epfd, w, out|edge, 1)
		expectEvents(a, epfd, event(out, 1))
		Expect(a.Write(w, make([]byte, 2*capacity))).To(Return(capacity))
		expectEvents(a, epfd)
		Must(a.Read(r, capacity))
		expectEvents(a, epfd, event(out, 1))
	})
})

var _ = Describe("Looking at an interest list", func() {
	Clause("epoll.fdinfo-members", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		// members returns number, events and data of each member, as fdinfo has them.
		members := func() [][3]uint64 {
			var found [][3]uint64
			for _, line := range strings.Split(a.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", epfd)), "\n") {
				var fd, events, data uint64
				if n, _ := fmt.Sscanf(line, "tfd: %d events: %x data: %x", &fd, &events, &data); n == 3 {
					found = append(found, [3]uint64{fd, events, data})
				}
			}
			return found
		}
		Expect(members()).To(BeEmpty())
		Expect(a.EpollCtl(epfd, ctlAdd, r, in|edge, 0x1234567890)).To(Return(0))
		Expect(a.EpollCtl(epfd, ctlAdd, w, out, 2)).To(Return(0))
		// What is always reported may stand there, too.
		always := uint64(unix.EPOLLERR | hup)
		found := members()
		Expect(found).To(HaveLen(2))
		for i := range found {
			found[i][1] |= always
		}
		Expect(found).To(ConsistOf([3]uint64{uint64(r), in | edge | always, 0x1234567890}, [3]uint64{uint64(w), out | always, 2}))
		Expect(a.EpollCtl(epfd, ctlDel, r, 0, 0)).To(Return(0))
		Expect(members()).To(HaveLen(1))
	})

	Clause("epoll.kcmp", func() {
		a := actor.New()
		epfd := newEpoll(a)
		r, w := a.Pipe(0)
		add(a, epfd, r, in, 1)
		const kcmpEpollTFD = 7
		// compare asks whether fd is the member of that number at the instance.
		compare := func(fd, member int) *actor.Call {
			slot := a.Alloc(12) // struct kcmp_epoll_slot: efd, tfd, toff
			slot.PutUint32(0, uint32(epfd))
			slot.PutUint32(4, uint32(member))
			return a.Raw(unix.SYS_KCMP, a.PID(), a.PID(), kcmpEpollTFD, fd, slot)
		}
		Expect(compare(r, r)).To(Return(0))
		Expect(compare(w, w)).To(FailWith(unix.ENOENT))
		unequal := compare(w, r)
		Expect(unequal.Value()).To(BeElementOf(1, 2, 3))
		// The order is that in which the kernel has the two, whichever of them is the member.
		add(a, epfd, w, in, 2)
		Expect(compare(r, w)).To(Return([]int{0, 2, 1, 3}[unequal.Value()]))
	})
})
