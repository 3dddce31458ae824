package pipes

import (
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// Events of poll(2) that golang.org/x/sys/unix has only under epoll's names.
const (
	pollRdnorm = unix.EPOLLRDNORM
	pollRdband = unix.EPOLLRDBAND
	pollWrnorm = unix.EPOLLWRNORM
	pollWrband = unix.EPOLLWRBAND
	pollRdhup  = unix.EPOLLRDHUP
)

// noLimit is the timeout that poll, select and epoll_wait take for none.
const noLimit = -1

// slotSize is what a slot of a pipe holds, a page.
var slotSize = os.Getpagesize()

// polled polls one descriptor without waiting and gives what came back for it.
func polled(a *actor.Actor, fd, events int) int {
	GinkgoHelper()
	call := a.Poll(0, actor.PollFD{FD: fd, Events: int16(events)})
	Expect(call).To(ReturnSuccess())
	got := int(uint16(call.Revents()[0]))
	Expect(call).To(Return(min(got, 1)), "the number of entries with something in revents")
	return got
}

// pollNow polls one descriptor without waiting; a call to judge.
func pollNow(a *actor.Actor, fd, events int) *actor.Call {
	return a.Poll(0, actor.PollFD{FD: fd, Events: int16(events)})
}

// bePolledErr judges a poll for POLLOUT of a write end that has no readers. That a write would not block
// now, since it fails, may be told as well.
var bePolledErr = ReturnReventsPerhaps(unix.POLLOUT, unix.POLLERR)

// beginPoll begins to poll one descriptor for as long as it takes.
func beginPoll(a *actor.Actor, fd, events int) *actor.Call {
	return a.Begin().Poll(noLimit, actor.PollFD{FD: fd, Events: int16(events)})
}

// expectPolled waits for a poll of one descriptor and judges what came back for it.
func expectPolled(poll *actor.Call, revents int) {
	GinkgoHelper()
	Expect(poll).To(Return(1))
	Expect(int(uint16(poll.Revents()[0]))).To(Equal(revents))
}

// A reader and a writer are two processes with one end of a pipe each, and no other descriptor.
func readerAndWriter(flags int) (reader, writer *actor.Actor, r, w int) {
	GinkgoHelper()
	reader = actor.New()
	r, w = reader.Pipe(flags)
	writer = reader.Fork()
	Must(reader.Close(w))
	Must(writer.Close(r))
	return reader, writer, r, w
}

// emptyFIFO makes a FIFO and returns its path.
func emptyFIFO(a *actor.Actor) string {
	GinkgoHelper()
	path := actor.TempDir() + "/fifo"
	Must(a.Mkfifo(path, 0o600))
	return path
}

var _ = Describe("poll for reading from a pipe", func() {
	Clause("pipe-poll.empty-not-readable", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(polled(a, r, unix.POLLIN)).To(BeZero())
	})

	Clause("pipe-poll.data-readable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN))
	})

	Clause("pipe-poll.readable-until-drained", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, make([]byte, slotSize+10)))
		for _, n := range []int{1, slotSize - 1, 9} {
			Must(a.Read(r, n))
			Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN))
		}
		Must(a.Read(r, 1))
		Expect(polled(a, r, unix.POLLIN)).To(BeZero())
		Must(a.Write(w, oneByte))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN))
	})

	Clause("pipe-poll.rdnorm", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		const both = unix.POLLIN | pollRdnorm
		Expect(polled(a, r, both)).To(BeZero())
		Must(a.Write(w, oneByte))
		Expect(polled(a, r, both)).To(Equal(both))
		Expect(polled(a, r, pollRdnorm)).To(Equal(pollRdnorm))
		Must(a.Read(r, 1))
		Expect(polled(a, r, both)).To(BeZero())
	})

	Clause("pipe-poll.write-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		poll := beginPoll(reader, r, unix.POLLIN)
		Expect(poll).To(Block())
		Must(writer.Write(w, oneByte))
		expectPolled(poll, unix.POLLIN)
	})

	Clause("pipe-poll.splice-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		file := tenBytes(writer)
		poll := beginPoll(reader, r, unix.POLLIN)
		Expect(poll).To(Block())
		Expect(writer.Splice(file, nil, w, nil, 10, 0)).To(Return(10))
		expectPolled(poll, unix.POLLIN)
	})

	Clause("pipe-poll.all-waiters-woken", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		var polls []*actor.Call
		for range 3 {
			polls = append(polls, beginPoll(a.Fork(), r, unix.POLLIN))
		}
		for _, poll := range polls {
			Expect(poll).To(Block())
		}
		Must(a.Write(w, oneByte))
		for _, poll := range polls {
			expectPolled(poll, unix.POLLIN)
		}
	})

	Clause("pipe-poll.nonblock-no-effect", func() {
		reader, writer, r, w := readerAndWriter(unix.O_NONBLOCK)
		poll := beginPoll(reader, r, unix.POLLIN)
		Expect(poll).To(Block())
		writer.Fill(w)
		expectPolled(poll, unix.POLLIN)

		poll = beginPoll(writer, w, unix.POLLOUT)
		Expect(poll).To(Block())
		Must(reader.Read(r, slotSize))
		expectPolled(poll, unix.POLLOUT)
	})
})

var _ = Describe("poll for writing to a pipe", func() {
	Clause("pipe-poll.empty-writable", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
	})

	Clause("pipe-poll.part-full-both", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, n := range []int{1, slotSize, 5 * slotSize} {
			Must(a.Write(w, make([]byte, n)))
			poll := a.Poll(noLimit, actor.PollFD{FD: r, Events: unix.POLLIN}, actor.PollFD{FD: w, Events: unix.POLLOUT})
			Expect(poll).To(Return(2))
			Expect(poll.Revents()).To(Equal([]int16{unix.POLLIN, unix.POLLOUT}))
		}
	})

	Clause("pipe-poll.full-not-writable", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		a.Fill(w)
		Expect(polled(a, w, unix.POLLOUT)).To(BeZero())
	})

	Clause("pipe-poll.wrnorm", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		const both = unix.POLLOUT | pollWrnorm
		Expect(polled(a, w, both)).To(Equal(both))
		Expect(polled(a, w, pollWrnorm)).To(Equal(pollWrnorm))
		a.Fill(w)
		Expect(polled(a, w, both)).To(BeZero())
		Must(a.Read(r, slotSize))
		Expect(polled(a, w, both)).To(Equal(both))
	})

	Clause("pipe-poll.writable-means-room", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		for left := a.Fill(w); left >= slotSize; left -= slotSize {
			writable := false
			for _, n := range []int{1, slotSize/2 - 1, slotSize/2 - 1, 1} {
				Must(a.Read(r, n))
				poll := pollNow(a, w, unix.POLLOUT)
				Expect(poll).To(Or(ReturnRevents(0), ReturnRevents(unix.POLLOUT)))
				if poll.Value() == 1 {
					writable = true
					Expect(a.Write(w, oneByte)).To(Return(1))
				}
			}
			Expect(writable).To(BeTrue(), "when a whole page has been read since the last write")
		}
	})

	Clause("pipe-poll.page-read-writable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Fill(w)
		Must(a.Read(r, slotSize))
		Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
		const pipeBuf = 4096
		Expect(a.Write(w, make([]byte, pipeBuf))).To(Return(pipeBuf))
	})

	Clause("pipe-poll.large-write-blocks", func() {
		reader, writer, r, w := readerAndWriter(0)
		n := writer.Fill(w)
		Must(reader.Read(r, slotSize))
		Expect(polled(writer, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
		write := writer.Begin().Write(w, make([]byte, 2*slotSize))
		Expect(write).To(Block())
		Must(reader.Read(r, n))
		Expect(write).To(Return(2 * slotSize))
	})

	Clause("pipe-poll.read-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		writer.Fill(w)
		poll := beginPoll(writer, w, unix.POLLOUT)
		Expect(poll).To(Block())
		Must(reader.Read(r, slotSize))
		expectPolled(poll, unix.POLLOUT)
	})

	Clause("pipe-poll.grow-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		Must(reader.Fcntl(r, unix.F_SETPIPE_SZ, slotSize))
		n := writer.Fill(w)
		poll := beginPoll(writer, w, unix.POLLOUT)
		Expect(poll).To(Block())
		Must(reader.Fcntl(r, unix.F_SETPIPE_SZ, 2*n))
		expectPolled(poll, unix.POLLOUT)
	})
})

var _ = Describe("poll of a pipe whose other end is closed", func() {
	Clause("pipe-poll.hup-no-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Must(a.Read(r, 1))
		Must(a.Close(w))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLHUP))
		Expect(a.Read(r, 1)).To(Return(0))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLHUP), "after the end of the file was read")
	})

	Clause("pipe-poll.hup-with-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("left")))
		Must(a.Close(w))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN | unix.POLLHUP))
		Expect(a.Read(r, 3)).To(ReturnData("lef"))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN | unix.POLLHUP))
		Expect(a.Read(r, 3)).To(ReturnData("t"))
		Expect(a.Read(r, 3)).To(Return(0))
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLHUP))
	})

	Clause("pipe-poll.hup-unasked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Must(a.Close(w))
		Expect(polled(a, r, 0)).To(Equal(unix.POLLHUP))
		Must(a.Read(r, 1))
		Expect(polled(a, r, 0)).To(Equal(unix.POLLHUP))
	})

	Clause("pipe-poll.hup-last-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		w2 := Must(a.Dup(w))
		child := a.Fork()
		for _, close := range []func() *actor.Call{
			func() *actor.Call { return a.Close(w) },
			func() *actor.Call { return child.Close(w2) },
			func() *actor.Call { return a.Close(w2) },
			func() *actor.Call { return child.Close(w) },
		} {
			Expect(polled(a, r, unix.POLLIN)).To(BeZero())
			Must(close())
		}
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLHUP))
	})

	Clause("pipe-poll.close-wakes", func() {
		for _, events := range []int{unix.POLLIN, 0} {
			reader, writer, r, w := readerAndWriter(0)
			poll := beginPoll(reader, r, events)
			Expect(poll).To(Block())
			Must(writer.Close(w))
			expectPolled(poll, unix.POLLHUP)
		}
	})

	Clause("pipe-poll.exit-wakes", func() {
		reader, writer, r, _ := readerAndWriter(0)
		poll := beginPoll(reader, r, unix.POLLIN)
		Expect(poll).To(Block())
		Must(actor.New().Kill(writer.PID(), unix.SIGKILL))
		expectPolled(poll, unix.POLLHUP)
	})

	Clause("pipe-poll.err-no-reader", func() {
		a := actor.New()
		for _, fill := range []bool{false, true} {
			r, w := a.Pipe(0)
			if fill {
				a.Fill(w)
			}
			Must(a.Close(r))
			Expect(pollNow(a, w, unix.POLLOUT)).To(bePolledErr, "full: %t", fill)
		}
	})

	Clause("pipe-poll.err-unasked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))
		Expect(polled(a, w, 0)).To(Equal(unix.POLLERR))
	})

	Clause("pipe-poll.err-last-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2 := Must(a.Dup(r))
		child := a.Fork()
		for _, close := range []func() *actor.Call{
			func() *actor.Call { return a.Close(r) },
			func() *actor.Call { return child.Close(r2) },
			func() *actor.Call { return a.Close(r2) },
			func() *actor.Call { return child.Close(r) },
		} {
			Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
			Must(close())
		}
		Expect(pollNow(a, w, unix.POLLOUT)).To(bePolledErr)
	})

	Clause("pipe-poll.reader-close-wakes", func() {
		for _, events := range []int{unix.POLLOUT, 0} {
			reader, writer, r, w := readerAndWriter(0)
			writer.Fill(w)
			poll := beginPoll(writer, w, events)
			Expect(poll).To(Block())
			Must(reader.Close(r))
			if events == 0 {
				Expect(poll).To(ReturnRevents(unix.POLLERR))
			} else {
				Expect(poll).To(bePolledErr)
			}
		}
	})
})

var _ = Describe("poll of several pipes", func() {
	Clause("pipe-poll.nothing-asked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		both := func() *actor.Call { return a.Poll(0, actor.PollFD{FD: r}, actor.PollFD{FD: w}) }
		Expect(both()).To(ReturnRevents(0, 0))
		Must(a.Write(w, oneByte))
		Expect(both()).To(ReturnRevents(0, 0))
		a.Fill(w)
		Expect(both()).To(ReturnRevents(0, 0))
	})

	Clause("pipe-poll.only-asked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Expect(polled(a, r, unix.POLLOUT)).To(BeZero())
		Expect(polled(a, w, unix.POLLIN)).To(BeZero())
	})

	Clause("pipe-poll.no-priority", func() {
		const events = unix.POLLPRI | pollRdband | pollWrband | pollRdhup
		a := actor.New()
		// What was not asked for is told as ever.
		expectOnly := func(revents int16, state string, fds ...int) {
			GinkgoHelper()
			for _, fd := range fds {
				Expect(pollNow(a, fd, events)).To(ReturnRevents(revents), state)
			}
		}
		r, w := a.Pipe(0)
		expectOnly(0, "empty", r, w)
		Must(a.Write(w, oneByte))
		expectOnly(0, "some data", r, w)
		a.Fill(w)
		expectOnly(0, "full", r, w)
		Must(a.Close(w))
		expectOnly(unix.POLLHUP, "no writer", r)
		r, w = a.Pipe(0)
		Must(a.Close(r))
		expectOnly(unix.POLLERR, "no reader", w)
	})

	Clause("pipe-poll.closed-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		Must(a.Close(r))
		for _, fd := range []int{r, w} {
			for _, events := range []int{0, unix.POLLIN, unix.POLLOUT} {
				expectPolled(beginPoll(a, fd, events), unix.POLLNVAL)
			}
		}
	})

	Clause("pipe-poll.negative-ignored", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		poll := a.Poll(0,
			actor.PollFD{FD: ^r, Events: unix.POLLIN},
			actor.PollFD{FD: -1, Events: unix.POLLIN | unix.POLLOUT},
			actor.PollFD{FD: ^w, Events: unix.POLLOUT})
		Expect(poll).To(Return(0))
		Expect(poll.Revents()).To(Equal([]int16{0, 0, 0}))

		poll = a.Poll(noLimit,
			actor.PollFD{FD: ^w, Events: unix.POLLOUT},
			actor.PollFD{FD: r, Events: unix.POLLIN})
		Expect(poll).To(Return(1))
		Expect(poll.Revents()).To(Equal([]int16{0, unix.POLLIN}))
	})

	Clause("pipe-poll.counts-entries", func() {
		a := actor.New()
		empty, _ := a.Pipe(0)
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		poll := a.Poll(noLimit,
			actor.PollFD{FD: r, Events: unix.POLLIN},
			actor.PollFD{FD: empty, Events: unix.POLLIN},
			actor.PollFD{FD: w, Events: unix.POLLOUT},
			actor.PollFD{FD: r, Events: unix.POLLIN},
			actor.PollFD{FD: 77, Events: unix.POLLIN})
		Expect(poll).To(Return(4))
		Expect(poll.Revents()).To(Equal([]int16{unix.POLLIN, 0, unix.POLLOUT, unix.POLLIN, unix.POLLNVAL}))
	})
})

var _ = Describe("poll of a FIFO", func() {
	Clause("pipe-poll.fifo-no-writer-yet", func() {
		a := actor.New()
		r := Must(a.Open(emptyFIFO(a), unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Expect(polled(a, r, unix.POLLIN)).To(BeZero())
		Expect(polled(a, r, 0)).To(BeZero())
	})

	Clause("pipe-poll.fifo-first-writer-no-wake", func() {
		reader, writer := actor.New(), actor.New()
		fifo := emptyFIFO(reader)
		r := Must(reader.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		poll := beginPoll(reader, r, unix.POLLIN)
		Expect(poll).To(Block())
		w := Must(writer.Open(fifo, unix.O_WRONLY, 0))
		Expect(poll).To(Block())
		Must(writer.Write(w, oneByte))
		expectPolled(poll, unix.POLLIN)
	})

	Clause("pipe-poll.fifo-writer-left", func() {
		a := actor.New()
		fifo := emptyFIFO(a)
		r := Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		for range 2 {
			w := Must(a.Open(fifo, unix.O_WRONLY, 0))
			Expect(polled(a, r, unix.POLLIN)).To(BeZero())
			Must(a.Close(w))
			Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLHUP))
		}
	})

	Clause("pipe-poll.fifo-new-reader", func() {
		a := actor.New()
		fifo := emptyFIFO(a)
		old := Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Must(a.Close(Must(a.Open(fifo, unix.O_WRONLY, 0))))
		Expect(polled(a, old, unix.POLLIN)).To(Equal(unix.POLLHUP))
		Must(a.Close(old))
		anew := Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Expect(polled(a, anew, unix.POLLIN)).To(BeZero())
	})

	Clause("pipe-poll.fifo-reader-left", func() {
		a := actor.New()
		fifo := emptyFIFO(a)
		r := Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(fifo, unix.O_WRONLY, 0))
		for range 2 {
			Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
			Must(a.Close(r))
			Expect(pollNow(a, w, unix.POLLOUT)).To(bePolledErr)
			r = Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		}
	})

	Clause("pipe-poll.fifo-read-write", func() {
		a := actor.New()
		fd := Must(a.Open(emptyFIFO(a), unix.O_RDWR, 0))
		const both = unix.POLLIN | unix.POLLOUT
		Expect(polled(a, fd, both)).To(Equal(unix.POLLOUT))
		Must(a.Write(fd, oneByte))
		Expect(polled(a, fd, both)).To(Equal(both))
		a.Fill(fd)
		Expect(polled(a, fd, both)).To(Equal(unix.POLLIN))
		Expect(polled(a, fd, 0)).To(BeZero())
	})
})

var _ = Describe("poll of a packet-mode pipe", func() {
	Clause("pipe-poll.packets-readable", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		for _, packet := range []string{"one", "two", "three"} {
			Must(a.Write(w, []byte(packet)))
		}
		for _, got := range []string{"o", "t"} {
			Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN))
			Expect(a.Read(r, 1)).To(ReturnData(got))
		}
		Expect(polled(a, r, unix.POLLIN)).To(Equal(unix.POLLIN))
		Expect(a.Read(r, 10)).To(ReturnData("three"))
		Expect(polled(a, r, unix.POLLIN)).To(BeZero())
	})

	Clause("pipe-poll.packets-full", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
		fill := a.Repeat(1<<20).Write(w, oneByte)
		Expect(fill).To(FailWith(unix.EAGAIN))
		Expect(polled(a, w, unix.POLLOUT)).To(BeZero())

		Must(a.Read(r, 1))
		Expect(polled(a, w, unix.POLLOUT)).To(Equal(unix.POLLOUT))
		Expect(a.Write(w, oneByte)).To(Return(1))
	})
})

// selected selects on one descriptor, in one of the three sets and without waiting, and says
// whether it is ready.
func selected(a *actor.Actor, fd int, set func(s *actor.FDSet) (read, write, except *actor.FDSet)) bool {
	GinkgoHelper()
	fds := actor.NewFDSet(fd)
	read, write, except := set(fds)
	call := a.Select(fd+1, read, write, except, 0)
	Expect(call).To(ReturnSuccess())
	if fds.Has(fd) {
		Expect(call).To(Return(1))
		return true
	}
	Expect(call).To(Return(0))
	return false
}

func inReadfds(s *actor.FDSet) (read, write, except *actor.FDSet)   { return s, nil, nil }
func inWritefds(s *actor.FDSet) (read, write, except *actor.FDSet)  { return nil, s, nil }
func inExceptfds(s *actor.FDSet) (read, write, except *actor.FDSet) { return nil, nil, s }

var _ = Describe("select on a pipe", func() {
	Clause("pipe-select.empty-not-readable", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(selected(a, r, inReadfds)).To(BeFalse())
	})

	Clause("pipe-select.data-readable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("ab")))
		Expect(selected(a, r, inReadfds)).To(BeTrue())
		Must(a.Read(r, 1))
		Expect(selected(a, r, inReadfds)).To(BeTrue())
		Must(a.Read(r, 1))
		Expect(selected(a, r, inReadfds)).To(BeFalse())
	})

	Clause("pipe-select.eof-readable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		Expect(selected(a, r, inReadfds)).To(BeTrue())
		Expect(a.Read(r, 1)).To(Return(0))
		Expect(selected(a, r, inReadfds)).To(BeTrue())
	})

	Clause("pipe-select.empty-writable", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(selected(a, w, inWritefds)).To(BeTrue())
	})

	Clause("pipe-select.full-not-writable", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		a.Fill(w)
		Expect(selected(a, w, inWritefds)).To(BeFalse())
	})

	Clause("pipe-select.page-read-writable", func() {
		reader, writer, r, w := readerAndWriter(0)
		n := writer.Fill(w)
		Must(reader.Read(r, slotSize))
		Expect(selected(writer, w, inWritefds)).To(BeTrue())
		write := writer.Begin().Write(w, make([]byte, 2*slotSize))
		Expect(write).To(Block())
		Must(reader.Read(r, n))
		Expect(write).To(Return(2 * slotSize))
	})

	Clause("pipe-select.no-reader-writable", func() {
		a := actor.New()
		a.Ignore(unix.SIGPIPE)
		r, w := a.Pipe(0)
		a.Fill(w)
		Must(a.Close(r))
		Expect(selected(a, w, inWritefds)).To(BeTrue())
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("pipe-select.both-ends", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		read, write := actor.NewFDSet(r), actor.NewFDSet(w)
		Expect(a.Select(w+1, read, write, nil, noLimit)).To(Return(2))
		Expect(read).To(Equal(actor.NewFDSet(r)))
		Expect(write).To(Equal(actor.NewFDSet(w)))
	})

	Clause("pipe-select.only-ready-left", func() {
		a := actor.New()
		var ends []int
		for i := range 5 {
			r, w := a.Pipe(0)
			if i%2 == 1 {
				Must(a.Write(w, oneByte))
			}
			ends = append(ends, Must(a.Dup2(r, 60+i))) // across the border between two words of a set
		}
		read := actor.NewFDSet(ends...)
		Expect(a.Select(65, read, nil, nil, noLimit)).To(Return(2))
		Expect(read).To(Equal(actor.NewFDSet(61, 63)))
	})

	Clause("pipe-select.no-exceptions", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		expectNone := func(state string, fds ...int) {
			GinkgoHelper()
			for _, fd := range fds {
				Expect(selected(a, fd, inExceptfds)).To(BeFalse(), state)
			}
		}
		expectNone("empty", r, w)
		Must(a.Write(w, oneByte))
		expectNone("some data", r, w)
		a.Fill(w)
		expectNone("full", r, w)
		Must(a.Close(w))
		expectNone("no writer", r)
		r, w = a.Pipe(0)
		Must(a.Close(r))
		expectNone("no reader", w)
	})

	Clause("pipe-select.write-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		read := actor.NewFDSet(r)
		call := reader.Begin().Select(r+1, read, nil, nil, noLimit)
		Expect(call).To(Block())
		Must(writer.Write(w, oneByte))
		Expect(call).To(Return(1))
		Expect(read).To(Equal(actor.NewFDSet(r)))
	})

	Clause("pipe-select.close-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		read := actor.NewFDSet(r)
		call := reader.Begin().Select(r+1, read, nil, nil, noLimit)
		Expect(call).To(Block())
		Must(writer.Close(w))
		Expect(call).To(Return(1))
		Expect(read).To(Equal(actor.NewFDSet(r)))
	})

	Clause("pipe-select.read-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		writer.Fill(w)
		write := actor.NewFDSet(w)
		call := writer.Begin().Select(w+1, nil, write, nil, noLimit)
		Expect(call).To(Block())
		Must(reader.Read(r, slotSize))
		Expect(call).To(Return(1))
		Expect(write).To(Equal(actor.NewFDSet(w)))
	})

	Clause("pipe-select.reader-close-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		writer.Fill(w)
		write := actor.NewFDSet(w)
		call := writer.Begin().Select(w+1, nil, write, nil, noLimit)
		Expect(call).To(Block())
		Must(reader.Close(r))
		Expect(call).To(Return(1))
		Expect(write).To(Equal(actor.NewFDSet(w)))
	})

	Clause("pipe-select.nonblock-no-effect", func() {
		reader, writer, r, w := readerAndWriter(unix.O_NONBLOCK)
		read, write := actor.NewFDSet(r), actor.NewFDSet(w)
		call := reader.Begin().Select(r+1, read, nil, nil, noLimit)
		Expect(call).To(Block())
		writer.Fill(w)
		Expect(call).To(Return(1))
		Expect(read).To(Equal(actor.NewFDSet(r)))

		call = writer.Begin().Select(w+1, nil, write, nil, noLimit)
		Expect(call).To(Block())
		Must(reader.Read(r, slotSize))
		Expect(call).To(Return(1))
		Expect(write).To(Equal(actor.NewFDSet(w)))
	})

	Clause("pipe-select.closed-descriptor", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		readable, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Must(a.Close(r))
		read, write := actor.NewFDSet(r, readable), actor.NewFDSet(w)
		Expect(a.Select(w+1, read, write, nil, 0)).To(FailWith(unix.EBADF))
		Expect(read).To(Equal(actor.NewFDSet(r, readable)))
		Expect(write).To(Equal(actor.NewFDSet(w)))
		for _, set := range [][3]*actor.FDSet{
			{nil, actor.NewFDSet(r), nil}, {nil, nil, actor.NewFDSet(r)},
		} {
			Expect(a.Select(w+1, set[0], set[1], set[2], 0)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipe-select.above-nfds-not-checked", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		low, high := Must(a.Dup2(r, 10)), Must(a.Dup2(r, 11))
		Expect(a.Select(high, actor.NewFDSet(high), nil, nil, 0)).To(Return(0))
		both := actor.NewFDSet(low, high)
		Expect(a.Select(high, both, nil, nil, 0)).To(Return(1))
		Expect(both.Has(low)).To(BeTrue())
		both = actor.NewFDSet(low, high)
		Expect(a.Select(high+1, both, nil, nil, 0)).To(Return(2))
		Expect(both).To(Equal(actor.NewFDSet(low, high)))
	})

	Clause("pipe-select.fifo-read-write", func() {
		a := actor.New()
		fd := Must(a.Open(emptyFIFO(a), unix.O_RDWR, 0))
		expectReady := func(read, write bool) {
			GinkgoHelper()
			Expect(selected(a, fd, inReadfds)).To(Equal(read), "for reading")
			Expect(selected(a, fd, inWritefds)).To(Equal(write), "for writing")
		}
		expectReady(false, true)
		Must(a.Write(fd, oneByte))
		expectReady(true, true)
		a.Fill(fd)
		expectReady(true, false)
	})
})

// An instance is an epoll instance; what is added has its descriptor number as its data.
type instance struct {
	*actor.Actor
	epfd int
}

func newInstance(a *actor.Actor) instance {
	GinkgoHelper()
	return instance{a, Must(a.EpollCreate1(0))}
}

func (i instance) add(fd int, events uint32) {
	GinkgoHelper()
	Must(i.EpollCtl(i.epfd, unix.EPOLL_CTL_ADD, fd, events, uint64(fd)))
}

// event is what epoll_wait returns for a descriptor that was added with add.
func event(fd int, events uint32) actor.EpollEvent {
	return actor.EpollEvent{Events: events, Data: uint64(fd)}
}

// ready gives what epoll_wait returns without waiting.
func (i instance) ready() []actor.EpollEvent {
	GinkgoHelper()
	call := i.look()
	Expect(call).To(ReturnSuccess())
	events := call.EpollEvents()
	Expect(call).To(Return(len(events)))
	return events
}

// look is an epoll_wait without waiting; a call to judge.
func (i instance) look() *actor.Call { return i.EpollWait(i.epfd, 8, 0) }

// begin begins to wait for as long as it takes.
func (i instance) begin() *actor.Call { return i.Begin().EpollWait(i.epfd, 8, noLimit) }

// expectEvent waits for an epoll_wait and judges the one event that it has returned.
func expectEvent(wait *actor.Call, want actor.EpollEvent) {
	GinkgoHelper()
	Expect(wait).To(Return(1))
	Expect(wait.EpollEvents()).To(ConsistOf(want))
}

var _ = Describe("epoll on a pipe, level-triggered", func() {
	Clause("pipe-epoll.lt-empty", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.lt-until-drained", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Must(a.Write(w, []byte("abc")))
		for range 3 {
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
			Must(a.Read(r, 1))
		}
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.lt-half-read", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Must(a.Write(w, make([]byte, 2048)))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Must(a.Read(r, 1024))
		expectEvent(epoll.begin(), event(r, unix.EPOLLIN))
	})

	Clause("pipe-epoll.lt-writable", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(w, unix.EPOLLOUT)
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		a.Fill(w)
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Read(r, slotSize))
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
	})

	Clause("pipe-epoll.both-ends", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		const both = unix.EPOLLIN | unix.EPOLLOUT
		Must(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, r, both, 0x1122334455667788))
		Must(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, w, both, ^uint64(0)))
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(
			actor.EpollEvent{Events: unix.EPOLLIN, Data: 0x1122334455667788},
			actor.EpollEvent{Events: unix.EPOLLOUT, Data: ^uint64(0)}))
	})

	Clause("pipe-epoll.hup-no-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, 0)
		asking := newInstance(a)
		asking.add(r, unix.EPOLLIN)
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Close(w))
		for range 2 {
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLHUP)))
			Expect(asking.ready()).To(ConsistOf(event(r, unix.EPOLLHUP)))
		}
	})

	Clause("pipe-epoll.hup-with-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Must(a.Write(w, []byte("left")))
		Must(a.Close(w))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN|unix.EPOLLHUP)))
		Expect(a.Read(r, 3)).To(ReturnData("lef"))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN|unix.EPOLLHUP)))
		Expect(a.Read(r, 3)).To(ReturnData("t"))
		Expect(a.Read(r, 3)).To(Return(0))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLHUP)))
	})

	Clause("pipe-epoll.err-no-reader", func() {
		a := actor.New()
		for _, fill := range []bool{false, true} {
			r, w := a.Pipe(0)
			if fill {
				a.Fill(w)
			}
			epoll := newInstance(a)
			epoll.add(w, 0)
			Expect(epoll.ready()).To(BeEmpty())
			Must(a.Close(r))
			Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLERR)), "full: %t", fill)
		}
	})
})

var _ = Describe("A blocked epoll_wait", func() {
	Clause("pipe-epoll.write-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		epoll := newInstance(reader)
		epoll.add(r, unix.EPOLLIN)
		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(writer.Write(w, oneByte))
		expectEvent(wait, event(r, unix.EPOLLIN))
	})

	Clause("pipe-epoll.read-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		writer.Fill(w)
		epoll := newInstance(writer)
		epoll.add(w, unix.EPOLLOUT)
		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(reader.Read(r, slotSize))
		expectEvent(wait, event(w, unix.EPOLLOUT))
	})

	Clause("pipe-epoll.close-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		epoll := newInstance(reader)
		epoll.add(r, unix.EPOLLIN)
		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(writer.Close(w))
		expectEvent(wait, event(r, unix.EPOLLHUP))
	})

	Clause("pipe-epoll.reader-close-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		writer.Fill(w)
		epoll := newInstance(writer)
		epoll.add(w, unix.EPOLLOUT)
		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(reader.Close(r))
		Expect(wait).To(ReturnEventsPerhaps(unix.EPOLLOUT, event(w, unix.EPOLLERR)))
	})
})

var _ = Describe("epoll on a pipe, edge-triggered", func() {
	Clause("pipe-epoll.et-once", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(epoll.ready()).To(BeEmpty())
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.et-half-read", func() {
		reader, writer, r, w := readerAndWriter(0)
		epoll := newInstance(reader)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(writer.Write(w, make([]byte, 2048)))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Must(reader.Read(r, 1024))
		Expect(epoll.ready()).To(BeEmpty())

		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(writer.Write(w, oneByte))
		expectEvent(wait, event(r, unix.EPOLLIN))
	})

	Clause("pipe-epoll.et-each-write", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		for range 4 {
			Must(a.Write(w, []byte("ab")))
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
			Expect(epoll.ready()).To(BeEmpty())
		}
		Must(a.Read(r, 7)) // one byte is left
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Must(a.Read(r, 2)) // none is left
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
	})

	Clause("pipe-epoll.et-write-wakes", func() {
		reader, writer, r, w := readerAndWriter(0)
		epoll := newInstance(reader)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(writer.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		wait := epoll.begin()
		Expect(wait).To(Block())
		Must(writer.Write(w, oneByte))
		expectEvent(wait, event(r, unix.EPOLLIN))
	})

	Clause("pipe-epoll.combined", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(a.Write(w, oneByte))
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.et-ready-when-added", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		epoll := newInstance(a)
		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN|unix.EPOLLET, uint64(r))).To(Return(0))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.et-modified", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(a.Write(w, oneByte))
		for range 2 {
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
			Expect(epoll.ready()).To(BeEmpty())
			Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_MOD, r, unix.EPOLLIN|unix.EPOLLET, uint64(r))).To(Return(0))
		}
	})

	Clause("pipe-epoll.et-writable", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		epoll := newInstance(a)
		epoll.add(w, unix.EPOLLOUT|unix.EPOLLET)
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		Expect(epoll.ready()).To(BeEmpty())
		for range 2 {
			a.Fill(w)
			Expect(epoll.ready()).To(BeEmpty())
			Must(a.Read(r, slotSize))
			Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		}
	})

	Clause("pipe-epoll.et-hup", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Must(a.Close(w))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN|unix.EPOLLHUP)))
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.et-err", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(w, unix.EPOLLOUT|unix.EPOLLET)
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		Must(a.Close(r))
		Expect(epoll.look()).To(ReturnEventsPerhaps(unix.EPOLLOUT, event(w, unix.EPOLLERR)))
		Expect(epoll.ready()).To(BeEmpty())
	})

	Clause("pipe-epoll.et-packets", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		for range 2 {
			Must(a.Write(w, []byte("packet")))
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		}
		Must(a.Read(r, 10))
		Expect(epoll.ready()).To(BeEmpty())
		Expect(a.Read(r, 10)).To(ReturnData("packet"))
	})

	Clause("pipe-epoll.oneshot", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN|unix.EPOLLONESHOT)
		for range 2 {
			Must(a.Write(w, oneByte))
			Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
			Must(a.Write(w, oneByte))
			Expect(epoll.ready()).To(BeEmpty())
			Must(a.Read(r, 1))
			Expect(epoll.ready()).To(BeEmpty())
			Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_MOD, r, unix.EPOLLIN|unix.EPOLLONESHOT, uint64(r))).To(Return(0))
		}
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(epoll.ready()).To(BeEmpty())
	})
})

var _ = Describe("An epoll instance's interest list", func() {
	Clause("pipe-epoll.duplicate-added", func() {
		a := actor.New()
		fd := Must(a.Open(emptyFIFO(a), unix.O_RDWR, 0))
		second := Must(a.Dup(fd))
		epoll := newInstance(a)
		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, uint64(fd))).To(Return(0))
		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, second, unix.EPOLLOUT, uint64(second))).To(Return(0))
		Must(a.Write(fd, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(fd, unix.EPOLLIN), event(second, unix.EPOLLOUT)))
	})

	Clause("pipe-epoll.added-twice", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		for _, fd := range []int{r, w} {
			epoll.add(fd, unix.EPOLLIN)
			Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, 0)).To(FailWith(unix.EEXIST))
			Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT|unix.EPOLLET, 0)).To(FailWith(unix.EEXIST))
		}
	})

	Clause("pipe-epoll.two-instances", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		one, two := newInstance(a), newInstance(a)
		one.add(r, unix.EPOLLIN|unix.EPOLLET)
		two.add(r, unix.EPOLLIN|unix.EPOLLET)
		Must(a.Write(w, oneByte))
		Expect(one.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(two.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
	})

	Clause("pipe-epoll.closed-with-duplicate", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Dup(r))
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Expect(a.Close(r)).To(Return(0))
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
	})

	Clause("pipe-epoll.closed-removed", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(a.Close(r)).To(Return(0))
		Expect(epoll.ready()).To(BeEmpty())

		again, w := a.Pipe(0)
		Expect(again).To(Equal(r), "the lowest unused number")
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(BeEmpty())
		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, uint64(r))).To(Return(0))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
	})

	Clause("pipe-epoll.dup2-removed", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other, w2 := a.Pipe(0)
		Must(a.Write(w, oneByte))
		Must(a.Write(w2, oneByte))
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
		Expect(a.Dup2(other, r)).To(Return(r))
		Expect(epoll.ready()).To(BeEmpty())
		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, uint64(r))).To(Return(0))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN)))
	})

	Clause("pipe-epoll.deleted", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		epoll.add(w, unix.EPOLLOUT)
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLIN), event(w, unix.EPOLLOUT)))
		Expect(a.Raw(unix.SYS_EPOLL_CTL, epoll.epfd, unix.EPOLL_CTL_DEL, r, actor.Null)).To(Return(0))
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
		Must(a.Write(w, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(w, unix.EPOLLOUT)))
	})

	Clause("fdinfo.epoll-lists-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := newInstance(a)
		Expect(listed(epoll)).To(BeEmpty())
		epoll.add(r, unix.EPOLLIN|unix.EPOLLET)
		epoll.add(w, unix.EPOLLOUT)
		list := listed(epoll)
		Expect(list).To(HaveLen(2))
		Expect(list[r] & (unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET)).To(BeEquivalentTo(unix.EPOLLIN | unix.EPOLLET))
		Expect(list[w] & (unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET)).To(BeEquivalentTo(unix.EPOLLOUT))

		Expect(a.EpollCtl(epoll.epfd, unix.EPOLL_CTL_DEL, r, 0, 0)).To(Return(0))
		Expect(listed(epoll)).To(HaveLen(1))
		Expect(listed(epoll)).To(HaveKey(w))
	})
})

// listed reads from /proc which descriptors an epoll instance monitors, and for which events.
func listed(epoll instance) map[int]uint32 {
	GinkgoHelper()
	list := map[int]uint32{}
	for _, line := range strings.Split(epoll.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", epoll.epfd)), "\n") {
		if strings.HasPrefix(line, "tfd:") {
			var fd int
			var events uint32
			_, err := fmt.Sscanf(line, "tfd: %d events: %x", &fd, &events)
			Expect(err).NotTo(HaveOccurred(), line)
			list[fd] = events
		}
	}
	return list
}

var _ = Describe("epoll on a FIFO", func() {
	Clause("pipe-epoll.fifo-no-writer-yet", func() {
		a := actor.New()
		fifo := emptyFIFO(a)
		r := Must(a.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		epoll := newInstance(a)
		epoll.add(r, unix.EPOLLIN)
		Expect(epoll.ready()).To(BeEmpty())
		w := Must(a.Open(fifo, unix.O_WRONLY, 0))
		Expect(epoll.ready()).To(BeEmpty())
		Must(a.Close(w))
		Expect(epoll.ready()).To(ConsistOf(event(r, unix.EPOLLHUP)))
	})

	Clause("pipe-epoll.fifo-read-write", func() {
		a := actor.New()
		fd := Must(a.Open(emptyFIFO(a), unix.O_RDWR, 0))
		epoll := newInstance(a)
		epoll.add(fd, unix.EPOLLIN|unix.EPOLLOUT)
		Expect(epoll.ready()).To(ConsistOf(event(fd, unix.EPOLLOUT)))
		Must(a.Write(fd, oneByte))
		Expect(epoll.ready()).To(ConsistOf(event(fd, unix.EPOLLIN|unix.EPOLLOUT)))
		a.Fill(fd)
		Expect(epoll.ready()).To(ConsistOf(event(fd, unix.EPOLLIN)))
	})
})
