package events

import (
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const (
	pollIn    = unix.POLLIN
	pollPri   = unix.POLLPRI
	pollOut   = unix.POLLOUT
	pollHup   = unix.POLLHUP
	pollErr   = unix.POLLERR
	pollNval  = unix.POLLNVAL
	pollRdHup = unix.POLLRDHUP
	pollMsg   = 0x400

	aWhile = 1 << 30 // ms; nothing here waits so long
)

// polled is a descriptor and what is asked about it.
func polled(fd int, events int16) actor.PollFD { return actor.PollFD{FD: fd, Events: events} }

// A state is a descriptor in a state, as the set-up makes it, with what poll reports of it among the
// events that are asked for.
type state struct {
	name        string
	make        func(a *actor.Actor) int
	asked, want int16
}

var states = []state{
	{"an empty pipe, to read", func(a *actor.Actor) int { r, _ := a.Pipe(0); return r }, pollIn, 0},
	{"a pipe with data, to read", func(a *actor.Actor) int { r, _ := readyPipe(a); return r }, pollIn, pollIn},
	{"an empty pipe, to write", func(a *actor.Actor) int { _, w := a.Pipe(0); return w }, pollOut, pollOut},
	{"a full pipe, to write", func(a *actor.Actor) int { _, w := a.Pipe(0); a.Fill(w); return w }, pollOut, 0},
	{"a pipe without writer", func(a *actor.Actor) int { r, w := a.Pipe(0); Must(a.Close(w)); return r }, pollIn, pollHup},
	{"a pipe without reader", func(a *actor.Actor) int { r, w := a.Pipe(0); Must(a.Close(r)); return w }, 0, pollErr},
	{"a FIFO with data", func(a *actor.Actor) int {
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		fd := Must(a.Open(path, unix.O_RDWR, 0))
		Must(a.Write(fd, oneByte))
		return fd
	}, pollIn | pollOut, pollIn | pollOut},
	{"a stream socket without data", func(a *actor.Actor) int { here, _ := a.Sockets(unix.SOCK_STREAM); return here }, pollIn | pollOut, pollOut},
	{"a stream socket with data", func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Write(there, oneByte))
		return here
	}, pollIn | pollOut, pollIn | pollOut},
	{"a full stream socket", func(a *actor.Actor) int {
		here, _ := a.Sockets(unix.SOCK_STREAM)
		a.Fill(here)
		return here
	}, pollIn | pollOut, 0},
	{"a stream socket whose peer has shut down its writing half", func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_WR))
		return here
	}, pollIn | pollRdHup, pollIn | pollRdHup},
	{"a stream socket whose peer is closed", func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Close(there))
		return here
	}, pollIn, pollIn | pollHup},
	{"a datagram socket with a datagram", func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_DGRAM)
		Must(a.Write(there, oneByte))
		return here
	}, pollIn | pollOut, pollIn | pollOut},
	{"an eventfd of 0", func(a *actor.Actor) int { return newEventfd(a, 0, 0) }, pollIn | pollOut, pollOut},
	{"an eventfd of 1", func(a *actor.Actor) int { return newEventfd(a, 1, 0) }, pollIn | pollOut, pollIn | pollOut},
	{"an eventfd at its maximum", func(a *actor.Actor) int { return fullEventfd(a, 0) }, pollIn | pollOut, pollIn},
	{"a timerfd that is disarmed", func(a *actor.Actor) int { return newTimerfd(a, 0) }, pollIn, 0},
	{"a timerfd that has expired", func(a *actor.Actor) int { return expiredTimerfd(a, 0) }, pollIn, pollIn},
	{"a signalfd without a signal", func(a *actor.Actor) int {
		a.SetMask(unix.SIGUSR1)
		return Must(a.Signalfd4(-1, []unix.Signal{unix.SIGUSR1}, 0))
	}, pollIn, 0},
	{"a signalfd with a signal", func(a *actor.Actor) int {
		a.SetMask(unix.SIGUSR1)
		Must(a.Kill(a.PID(), unix.SIGUSR1))
		return Must(a.Signalfd4(-1, []unix.Signal{unix.SIGUSR1}, 0))
	}, pollIn, pollIn},
	{"a pidfd of a process that lives", func(a *actor.Actor) int { return Must(a.PidfdOpen(a.Fork().PID(), 0)) }, pollIn, 0},
	{"a terminal without input", func(a *actor.Actor) int { _, slave := a.Terminal(0); return slave }, pollIn | pollOut, pollOut},
	{"a terminal with a line of input", func(a *actor.Actor) int {
		master, slave := a.Terminal(0)
		Must(a.Write(master, []byte("line\n")))
		return slave
	}, pollIn | pollOut, pollIn | pollOut},
	{"a terminal's master with output", func(a *actor.Actor) int {
		master, slave := a.Terminal(0)
		Must(a.Write(slave, oneByte))
		return master
	}, pollIn | pollOut, pollIn | pollOut},
	{"an epoll instance without an event", func(a *actor.Actor) int { return newEpoll(a) }, pollIn, 0},
	{"an epoll instance with an event", func(a *actor.Actor) int {
		epfd := newEpoll(a)
		r, _ := readyPipe(a)
		add(a, epfd, r, in, 0)
		return epfd
	}, pollIn, pollIn},
	{"a pipe without writer, of which nothing is asked", func(a *actor.Actor) int { r, w := a.Pipe(0); Must(a.Close(w)); return r }, 0, pollHup},
	{"a pipe with data and without writer", func(a *actor.Actor) int { r, w := readyPipe(a); Must(a.Close(w)); return r }, pollIn, pollIn | pollHup},
	{"a stream socket whose peer is closed, of which nothing is asked", func(a *actor.Actor) int {
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Close(there))
		return here
	}, 0, pollHup},
	{"a pidfd of a process that has ended", func(a *actor.Actor) int {
		child := a.Fork()
		fd := Must(a.PidfdOpen(child.PID(), 0))
		child.Exit(0)
		return fd
	}, pollIn, pollIn},
	{"/dev/null", func(a *actor.Actor) int { return Must(a.Open("/dev/null", unix.O_RDWR, 0)) }, pollIn | pollOut, pollIn | pollOut},
	{"/dev/zero", func(a *actor.Actor) int { return Must(a.Open("/dev/zero", unix.O_RDWR, 0)) }, pollIn | pollOut, pollIn | pollOut},
}

var _ = Describe("What poll reports", func() {
	for _, s := range states {
		Clause("poll.state-table", s.name, func() {
			a := actor.New()
			fd := s.make(a)
			Expect(a.Poll(0, polled(fd, s.asked))).To(ReturnRevents(s.want))
			Expect(a.Ppoll(0, polled(fd, s.asked))).To(ReturnRevents(s.want))
		})
	}

	Clause("poll.regular-file", func() {
		a := actor.New(actor.Dir(actor.TempDir()))
		file := Must(a.Open("file", unix.O_RDWR|unix.O_CREAT, 0o600))
		directory := Must(a.Open(".", unix.O_RDONLY|unix.O_DIRECTORY, 0))
		Expect(a.Poll(-1, polled(file, pollIn|pollOut), polled(directory, pollIn))).To(ReturnRevents(pollIn|pollOut, pollIn))
	})

	for _, end := range []string{"master", "slave"} {
		Clause("poll.hup-terminal", "closed "+end, func() {
			a := actor.New()
			left, closed := a.Terminal(0)
			if end == "master" {
				left, closed = closed, left
			}
			Expect(a.Poll(0, polled(left, 0))).To(ReturnRevents(0))
			Must(a.Close(closed))
			Expect(a.Poll(0, polled(left, 0))).To(ReturnReventsPerhaps(pollErr, pollHup))
		})
	}

	Clause("poll.err-datagram-socket", func() {
		a := actor.New()
		address := a.Alloc(16) // struct sockaddr_in
		address.PutUint16(0, unix.AF_INET)
		copy(address.Sub(4, 4).Bytes(), []byte{127, 0, 0, 1})
		size := a.Alloc(4)
		size.PutUint32(0, 16)
		gone := Must(a.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
		Must(a.Raw(unix.SYS_BIND, gone, address, 16))
		Must(a.Raw(unix.SYS_GETSOCKNAME, gone, address, size))
		fd := Must(a.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
		Must(a.Raw(unix.SYS_CONNECT, fd, address, 16))
		Must(a.Close(gone))
		Expect(a.Poll(0, polled(fd, 0))).To(ReturnRevents(0))
		Must(a.Write(fd, oneByte)) // nobody is there
		Expect(a.Poll(-1, polled(fd, 0))).To(ReturnRevents(pollErr))
		Expect(a.Read(fd, 1)).To(FailWith(unix.ECONNREFUSED))
		Expect(a.Poll(0, polled(fd, 0))).To(ReturnRevents(0))
	})

	Clause("poll.pollnval-only-for-that-one", func() {
		a := actor.New()
		r, w := readyPipe(a)
		closed := Must(a.Dup(r))
		Must(a.Close(closed))
		Expect(a.Poll(-1, polled(r, pollIn), polled(closed, pollIn|pollOut), polled(w, 0), polled(1<<20, 0))).
			To(ReturnRevents(pollIn, pollNval, 0, pollNval))
	})

	Clause("poll.events-always-reported-not-set", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Poll(0, polled(r, pollErr|pollHup|pollNval))).To(ReturnRevents(0))
		ready, _ := readyPipe(a)
		Expect(a.Poll(0, polled(ready, pollIn|pollErr|pollHup|pollNval))).To(ReturnRevents(pollIn))
	})

	Clause("poll.pollmsg-unused", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Write(there, oneByte))
		Expect(a.Poll(0, polled(here, pollIn|pollMsg))).To(ReturnRevents(pollIn))
	})

	Clause("poll.same-descriptor-twice", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Write(there, oneByte))
		Expect(a.Poll(0, polled(here, pollIn), polled(here, pollOut), polled(here, 0))).To(ReturnRevents(pollIn, pollOut, 0))
	})

	Clause("poll.rdhup-on-shutdown", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		Expect(a.Poll(0, polled(here, pollRdHup))).To(ReturnRevents(0))
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_WR))
		Expect(a.Poll(0, polled(here, pollRdHup))).To(ReturnRevents(pollRdHup))
	})

	Clause("poll.rdhup-only-when-asked", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Raw(unix.SYS_SHUTDOWN, there, unix.SHUT_WR))
		Expect(a.Poll(0, polled(here, pollIn))).To(ReturnRevents(pollIn))
		Expect(a.Poll(0, polled(here, 0))).To(ReturnRevents(0))
	})

	Clause("poll.pri-terminal", func() {
		a := actor.New()
		master, slave := a.Terminal(0)
		on := a.Alloc(4)
		on.PutUint32(0, 1)
		Must(a.Ioctl(master, unix.TIOCPKT, on))
		Expect(a.Poll(0, polled(master, pollPri))).To(ReturnRevents(0))
		Must(a.Ioctl(slave, unix.TCFLSH, unix.TCIFLUSH))
		Expect(a.Poll(0, polled(master, pollPri))).To(ReturnRevents(pollPri))
	})

	Clause("poll.pri-out-of-band", func() {
		a := actor.New()
		here, there := a.TCP()
		Expect(a.Poll(0, polled(here, pollPri))).To(ReturnRevents(0))
		Must(a.Raw(unix.SYS_SENDTO, there, []byte("!"), 1, unix.MSG_OOB, nil, 0))
		Expect(a.Poll(-1, polled(here, pollPri))).To(ReturnRevents(pollPri))
		byteRead := a.Alloc(1)
		Must(a.Raw(unix.SYS_RECVFROM, here, byteRead, 1, unix.MSG_OOB, nil, nil))
		Expect(string(byteRead.Copy())).To(Equal("!"))
		Expect(a.Poll(0, polled(here, pollPri))).To(ReturnRevents(0))
	})
})

var _ = Describe("How long poll waits", func() {
	Clause("poll.timeout-never-early", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, timeout := range []int64{1, 3} {
			before := now(a, unix.CLOCK_MONOTONIC)
			Expect(a.Poll(int(timeout), polled(r, pollIn))).To(ReturnRevents(0))
			Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", timeout*ms))
		}
	})

	Clause("poll.no-descriptors", func() {
		a := actor.New()
		before := now(a, unix.CLOCK_MONOTONIC)
		Expect(a.Raw(unix.SYS_POLL, nil, 0, 2)).To(Return(0))
		Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", 2*ms))
	})

	// waits has an actor poll an empty pipe, sees it asleep, and ends that by a write.
	waits := func(begin func(c actor.Caller, fd actor.PollFD) *actor.Call, flags int) {
		GinkgoHelper()
		a := actor.New()
		r, w := a.Pipe(flags)
		other := a.Fork()
		call := begin(a.Begin(), polled(r, pollIn))
		Expect(call).To(Block())
		Must(other.Write(w, oneByte))
		Expect(call).To(ReturnRevents(pollIn))
	}
	Clause("poll.event-before-timeout", func() {
		waits(func(c actor.Caller, fd actor.PollFD) *actor.Call { return c.Poll(aWhile, fd) }, 0)
	})
	for _, timeout := range []int{-2, -1000, math.MinInt32} {
		Clause("poll.every-negative-timeout", fmt.Sprint(timeout), func() {
			waits(func(c actor.Caller, fd actor.PollFD) *actor.Call { return c.Poll(timeout, fd) }, 0)
		})
	}
	Clause("poll.ppoll-null-timeout", func() {
		waits(func(c actor.Caller, fd actor.PollFD) *actor.Call { return c.Ppoll(-1, fd) }, 0)
	})
	Clause("poll.nonblock-no-effect", "poll", func() {
		waits(func(c actor.Caller, fd actor.PollFD) *actor.Call { return c.Poll(-1, fd) }, unix.O_NONBLOCK)
	})
	Clause("poll.nonblock-no-effect", "ppoll", func() {
		waits(func(c actor.Caller, fd actor.PollFD) *actor.Call { return c.Ppoll(-1, fd) }, unix.O_NONBLOCK)
	})

	for _, restart := range []struct {
		name  string
		flags uint64
	}{{"", 0}, {"SA_RESTART", actor.SA_RESTART}} {
		Clause("poll.interrupted", restart.name, func() {
			a := actor.New()
			a.Handle(unix.SIGUSR1, restart.flags)
			r, _ := a.Pipe(0)
			interruptCall(a.Begin().Poll(-1, polled(r, pollIn)))
		})
		Clause("poll.interrupted-with-timeout", restart.name, func() {
			a := actor.New()
			a.Handle(unix.SIGUSR1, restart.flags)
			r, _ := a.Pipe(0)
			interruptCall(a.Begin().Poll(aWhile, polled(r, pollIn)))
		})
	}
})

var _ = Describe("poll that fails", func() {
	Clause("poll.fault", func() {
		a := actor.New()
		for _, array := range []actor.Mem{a.Unmapped(), a.PageEnd(7)} {
			Expect(a.Raw(unix.SYS_POLL, array, 1, 0)).To(FailWith(unix.EFAULT))
		}
	})

	Clause("poll.nfds-above-limit", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		a.SetRlimit(unix.RLIMIT_NOFILE, 8)
		fds := make([]actor.PollFD, 9)
		for i := range fds {
			fds[i] = polled(r, pollIn)
		}
		Expect(a.Poll(0, fds...)).To(FailWith(unix.EINVAL))
		Expect(a.Ppoll(0, fds...)).To(FailWith(unix.EINVAL))
		Expect(a.Poll(0, fds[:1]...)).To(ReturnRevents(pollIn))
	})

	Clause("poll.nfds-at-limit", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		a.SetRlimit(unix.RLIMIT_NOFILE, 8)
		fds, want := make([]actor.PollFD, 8), make([]int16, 8)
		for i := range fds {
			fds[i], want[i] = polled(r, pollIn), pollIn
		}
		Expect(a.Poll(0, fds...)).To(ReturnRevents(want...))
	})
})

// polls makes ppoll of a descriptor for POLLIN with a timeout (a struct timespec) and a mask, each
// bytes, a Mem or nil.
func polls(c actor.Caller, fd int, timeout, mask any) *actor.Call {
	return c.PpollMasked(timeout, mask, polled(fd, pollIn))
}

var _ = Describe("ppoll", func() {
	Clause("poll.ppoll-nanoseconds", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		const ns = 1_234_567
		before := now(a, unix.CLOCK_MONOTONIC)
		Expect(polls(a.Caller, r, duration(0, ns), nil)).To(ReturnRevents(0))
		Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", ns))
	})

	Clause("poll.ppoll-zero-timeout", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(polls(a.Caller, r, duration(0, 0), nil)).To(ReturnRevents(0))
		Must(a.Write(w, oneByte))
		Expect(polls(a.Caller, r, duration(0, 0), nil)).To(ReturnRevents(pollIn))
	})

	Clause("poll.ppoll-bad-timeout", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		for _, bad := range [][]byte{duration(-1, 0), duration(0, -1), duration(0, second)} {
			Expect(polls(a.Caller, r, bad, nil)).To(FailWith(unix.EINVAL))
		}
		Expect(polls(a.Caller, r, duration(0, second-1), nil)).To(ReturnRevents(pollIn))
	})

	Clause("poll.ppoll-remaining-time", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		timeout := a.Bytes(duration(0, soon))
		Expect(polls(a.Caller, r, timeout, nil)).To(ReturnRevents(0))
		Expect(remaining(timeout)).To(BeZero())

		ready, _ := readyPipe(a)
		timeout = a.Bytes(duration(never/second, 0))
		Expect(polls(a.Caller, ready, timeout, nil)).To(ReturnRevents(pollIn))
		expectRemaining(timeout, 1)
	})

	Clause("poll.ppoll-remaining-after-signal", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, 0)
		r, _ := a.Pipe(0)
		timeout := a.Bytes(duration(never/second, 0))
		interruptCall(polls(a.Begin(), r, timeout, nil))
		expectRemaining(timeout, 1)
	})

	Clause("poll.ppoll-sigsetsize", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		fds := a.Alloc(8)
		fds.PutUint32(0, uint32(r))
		fds.PutUint16(4, pollIn)
		for _, size := range []int{0, 4, 7, 9, 16, 128} {
			Expect(a.Raw(unix.SYS_PPOLL, fds, 1, nil, make([]byte, 128), size)).To(FailWith(unix.EINVAL), "size %d", size)
		}
		Expect(fds.Uint16(6)).To(BeZero(), "revents")
	})

	Clause("poll.ppoll-fault", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		Expect(polls(a.Caller, r, nil, a.Unmapped())).To(FailWith(unix.EFAULT))
		Expect(polls(a.Caller, r, a.Unmapped(), nil)).To(FailWith(unix.EFAULT))
		Expect(polls(a.Caller, r, a.PageEnd(15), nil)).To(FailWith(unix.EFAULT))
	})
})

// remaining is what a call has stored into a struct timespec or timeval, in the second's parts.
func remaining(m actor.Mem) (seconds, parts int64) { return int64(m.Uint64(0)), int64(m.Uint64(8)) }

// expectRemaining checks that a call has stored a time that is less than never, from which it started,
// and more than a spec lasts; a part is so many nanoseconds.
func expectRemaining(m actor.Mem, part int64) {
	GinkgoHelper()
	seconds, parts := remaining(m)
	Expect(parts).To(And(BeNumerically(">=", 0), BeNumerically("<", second/part)))
	Expect(seconds*second + parts*part).To(And(BeNumerically("<=", never), BeNumerically(">", never/2)))
}
