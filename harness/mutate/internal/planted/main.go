// Planted is a program with clauses whose checks are weak, and some whose checks are not. The tests
// of package mutate execute it to see that mutation testing tells them apart.
package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/spec"
)

//go:embed *.yaml
var pages embed.FS

var _ = Suite("planted", pages)

var _ = Describe("A check", func() {
	// full is a pipe with O_NONBLOCK that takes no more.
	full := func(a *actor.Actor) (r, w, count int) {
		r, w = a.Pipe(unix.O_NONBLOCK)
		return r, w, a.Fill(w)
	}

	Clause("planted.vacuous", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Write(w, []byte("hello"))
		read := a.Read(r, 5)
		Expect(read).NotTo(BeNil())
	})

	Clause("planted.sound", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Write(w, []byte("hello"))).To(Return(5))
		Expect(a.Read(r, 5)).To(ReturnData("hello"))
		Expect(a.Read(r, 5)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.error-only", func() {
		a := actor.New()
		r, w, _ := full(a)
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
		Must(a.Read(r, 1)) // and nobody looks how much is there
	})

	Clause("planted.error-and-state", func() {
		a := actor.New()
		r, w, count := full(a)
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
		read := a.Repeat(count/64+1).Read(r, 64)
		Expect(read).To(FailWith(unix.EAGAIN))
		Expect(read.Total()).To(Equal(count))
	})

	Clause("planted.wrong-descriptor", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		other, _ := a.Pipe(unix.O_NONBLOCK)
		a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)
		Expect(a.Read(other, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.right-descriptor", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		read := a.Fork().Begin().Read(r, 9)
		Expect(read).To(Block())
		Expect(a.Write(w, []byte("late"))).To(Return(4))
		Expect(read).To(ReturnData("late"))
	})

	Clause("planted.blocks-unseen", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		read := a.Fork().Begin().Read(r, 9)
		Expect(a.Write(w, []byte("late"))).To(Return(4))
		Expect(read).To(ReturnData("late"))
	})

	Clause("planted.signal", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGPIPE, 0)
		Must(a.Close(r))
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EPIPE))
		events := a.Events()
		Expect(events).To(HaveLen(1))
		Expect(events[0].Signal).To(Equal(unix.SIGPIPE))
		Expect(events[0].Info.Signo()).To(Equal(unix.SIGPIPE))
	})

	Clause("planted.exec", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_CLOEXEC)
		a.Exec()
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("planted.steps", func() {
		By("using ginkgo's words")
		a := actor.New()
		Expect(a.Getpid()).To(Return(a.PID()))
	})

	Clause("planted.kills-whom-it-is-told", func() {
		a := actor.New()
		child := a.Fork()
		pid := child.Getpid().Value() // told −1 or another's, it would signal strangers
		if kill := a.Kill(pid, 0); pid == child.PID() {
			Expect(kill).To(Return(0))
		} else {
			Expect(kill).To(FailWith(unix.ESRCH), "kill of %d", pid)
		}
	})

	// carries has bytes go through a pipe with O_CLOEXEC, and does not look at the flag.
	carries := func() {
		a := actor.New()
		pipe := a.Pipe2(unix.O_CLOEXEC)
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 10)).To(ReturnData("x"))
	}
	Clause("planted.names-a-flag", carries)
	Clause("planted.names-no-flag", carries)

	Clause("planted.minds-a-flag", func() {
		a := actor.New()
		pipe := a.Pipe2(unix.O_CLOEXEC)
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
	})

	// What the rules explain, and beside it what they must not.
	Clause("planted.either", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Read(r, 1)).To(Or(FailWith(unix.EAGAIN), FailWith(unix.EINTR)))
	})

	Clause("planted.either-number", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(a.Write(w, []byte("hello"))).To(Or(Return(5), Return(4)))
	})

	Clause("planted.either-unnamed", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(a.Write(w, []byte("hello"))).To(Or(FailWith(unix.EAGAIN), ReturnSuccess()))
	})

	Clause("planted.raced", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		const n = 100
		others := a.Fork().Begin().Repeat(n).Read(r, 1)
		Expect(others).To(Block())
		read := a.Fork().Begin().Read(r, 1)
		Must(a.Write(w, make([]byte, n+1)))
		Expect(read).To(ReturnData([]byte{0}))
		Expect(others).To(Return(1))
		Expect(others.Count()).To(Equal(n))
	})

	Clause("planted.uncounted", func() {
		a := actor.New()
		_, w := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Repeat(1000).Write(w, make([]byte, 4096))).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.counted", func() {
		a := actor.New()
		_, w := a.Pipe(unix.O_NONBLOCK)
		capacity := Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0))
		write := a.Repeat(1000).Write(w, make([]byte, 4096))
		Expect(write).To(FailWith(unix.EAGAIN))
		Expect(write.Total()).To(Equal(capacity))
	})

	Clause("planted.nothing-to-wait-for", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("hello")))
		Expect(a.Splice(r, nil, w2, nil, 5, unix.SPLICE_F_NONBLOCK)).To(Return(5))
		Expect(a.Read(r2, 9)).To(ReturnData("hello"))
	})

	Clause("planted.must-not-wait", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		_, w := a.Pipe(0)
		Expect(a.Splice(r, nil, w, nil, 5, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
	})

	pollWithoutReader := func() *actor.Call {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))
		return a.Poll(0, actor.PollFD{FD: w, Events: unix.POLLOUT})
	}

	Clause("planted.open", func() {
		Expect(pollWithoutReader()).To(ReturnReventsPerhaps(unix.POLLOUT, unix.POLLERR))
	})

	Clause("planted.masked", func() {
		poll := pollWithoutReader()
		Expect(poll).To(Return(1))
		Expect(poll.Revents()[0] & unix.POLLERR).NotTo(BeZero())
	})

	Clause("planted.some", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("hello")))
		Expect(a.Read(r, 5)).To(ReturnSomeOf("hello"))
	})

	Clause("planted.killed", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(r))
		Expect(a.Write(w, []byte("hello"))).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("planted.sigio", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGIO, 0)
		Must(a.Fcntl(r, unix.F_SETOWN, a.PID()))
		Must(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC))
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.NextEvent().Signal).To(Equal(unix.SIGIO))
	})

	Clause("planted.sigio-sent", func() {
		a := actor.New()
		a.Handle(unix.SIGIO, 0)
		Expect(a.Kill(a.PID(), unix.SIGIO)).To(Return(0))
		Expect(a.NextEvent().Signal).To(Equal(unix.SIGIO))
	})

	Clause("planted.sigio-queued", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(40, 0)
		Must(a.Fcntl(r, unix.F_SETSIG, 40))
		Must(a.Fcntl(r, unix.F_SETOWN, a.PID()))
		Must(a.Fcntl(r, unix.F_SETFL, unix.O_ASYNC))
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.NextEvent().Signal).To(Equal(unix.Signal(40)))
	})

	// catchesTwo sends two signals, and does not look at their order.
	catchesTwo := func(first, second unix.Signal, between func(a *actor.Actor)) {
		a := actor.New()
		for _, sig := range []unix.Signal{first, second} { // one handler after the other
			Must(a.Sigaction(sig, actor.SA_SIGINFO, ^uint64(0)))
		}
		sender := a.Fork()
		Expect(sender.Kill(a.PID(), first)).To(Return(0))
		between(a)
		Expect(sender.Kill(a.PID(), second)).To(Return(0))
		var caught []unix.Signal
		for _, e := range a.AwaitEvents(2) {
			caught = append(caught, e.Signal)
		}
		Expect(caught).To(ConsistOf(first, second))
	}
	Clause("planted.unordered", func() { catchesTwo(unix.SIGUSR1, unix.SIGUSR2, func(*actor.Actor) {}) })
	Clause("planted.ordered-by-a-call", func() {
		catchesTwo(unix.SIGUSR1, unix.SIGUSR2, func(a *actor.Actor) { Must(a.Getpid()) })
	})
	Clause("planted.ordered-by-a-look", func() {
		catchesTwo(unix.SIGUSR1, unix.SIGUSR2, func(a *actor.Actor) { a.AwaitEvents(1) })
	})

	Clause("planted.asleep-to-the-end", func() {
		a, sender := actor.New(), actor.New()
		wait := a.Begin().Sigtimedwait(actor.Mask(unix.SIGUSR1), -1)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGKILL))
		Expect(wait).To(BeKilledBy(unix.SIGKILL))
	})

	Clause("planted.asleep-and-woken", func() {
		a, sender := actor.New(), actor.New()
		a.SetMask(unix.SIGUSR1, unix.SIGUSR2)
		wait := a.Begin().Sigtimedwait(actor.Mask(unix.SIGUSR1, unix.SIGUSR2), -1)
		Expect(wait).To(Block())
		Must(sender.Kill(a.PID(), unix.SIGUSR1))
		Expect(wait).To(Return(int(unix.SIGUSR1)))
	})

	// waitsInVain begins a wait that nothing ends before the spec does.
	waitsInVain := func(interrupted types.GomegaMatcher) {
		a := actor.New()
		a.SetMask(unix.SIGUSR1)
		waiter := a.Fork()
		wait := waiter.Begin().Sigtimedwait(actor.Mask(unix.SIGUSR1), -1)
		Must(a.Kill(a.PID(), unix.SIGUSR1))
		Expect(a.Sigtimedwait(actor.Mask(unix.SIGUSR1), -1)).To(Return(int(unix.SIGUSR1)))
		Expect(wait).To(Or(Block(), interrupted))
	}
	Clause("planted.waits-to-the-end", func() { waitsInVain(Or(Return(int(unix.SIGUSR1)), FailWith(unix.EINTR))) })
	Clause("planted.waits-for-a-result", func() { waitsInVain(Return(int(unix.SIGUSR1))) })

	Clause("planted.no-stack", func() {
		a := actor.New()
		Must(a.Sigaltstack(&actor.AltStack{SP: a.Alloc(1 << 16).Addr, Size: 1 << 16}))
		disable := a.Sigaltstack(&actor.AltStack{Flags: actor.SS_DISABLE | actor.SS_AUTODISARM})
		Expect(disable).To(Return(0))
		Expect(disable.AltStack().Size).To(BeEquivalentTo(1 << 16))
		query := a.Sigaltstack(nil)
		Expect(query).To(Return(0))
		Expect(query.AltStack().Flags & actor.SS_DISABLE).NotTo(BeZero())
	})

	Clause("planted.advice", func() {
		a := actor.New()
		Expect(a.Raw(unix.SYS_MADVISE, a.AllocAligned(4096, 4096), 4096, unix.MADV_COLD)).To(Return(0))
		Must(a.Getpid())
	})

	// sizes sets the size of a terminal twice.
	sizes := func(first, second byte) {
		a := actor.New()
		_, tty := a.Terminal(0)
		for _, rows := range []byte{first, second} {
			Expect(a.Ioctl(tty, unix.TIOCSWINSZ, []byte{rows, 0, 80, 0, 0, 0, 0, 0})).To(Return(0))
		}
		Must(a.Getpid())
	}
	Clause("planted.same-size", func() { sizes(25, 25) })
	Clause("planted.other-size", func() { sizes(25, 50) })

	runs := 0
	Clause("planted.another-length", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		runs++
		data := make([]byte, 5+runs%2)
		Must(a.Write(w, data))
		Expect(a.Read(r, 9)).To(ReturnData(data))
	})

	waits := func(events uint32) {
		a := actor.New()
		r, w := a.Pipe(0)
		epoll := Must(a.EpollCreate1(0))
		Must(a.EpollCtl(epoll, unix.EPOLL_CTL_ADD, r, events, 7))
		wait := a.Fork().Begin().EpollWait(epoll, 1, -1)
		Expect(wait).To(Block())
		Must(a.Write(w, []byte("x")))
		Expect(wait).To(ReturnEvents(actor.EpollEvent{Events: unix.EPOLLIN, Data: 7}))
	}
	Clause("planted.level-triggered", func() { waits(unix.EPOLLIN) })
	Clause("planted.edge-triggered", func() { waits(unix.EPOLLIN | unix.EPOLLET) })

	Clause("planted.keeps-nothing", func() {
		a := actor.New()
		fd := Must(a.Open("/dev/null", unix.O_RDWR, 0))
		Expect(a.Write(fd, []byte("hello"))).To(Return(5))
		Expect(a.Read(fd, 5)).To(Return(0))
	})

	Clause("planted.keeps-all", func() {
		a := actor.New()
		fd := Must(a.Open(actor.TempDir()+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		Expect(a.Write(fd, []byte("hello"))).To(Return(5))
		Expect(a.Read(fd, 5)).To(Return(0))
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("hello"))
	})

	// mapped maps two pages where nothing could be read, and looks at both.
	mapped := func(length int) {
		a := actor.New()
		flags := unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
		at := Must(a.Quietly().Mmap(0, 2*unix.Getpagesize(), unix.PROT_NONE, flags, -1, 0))
		mmap := a.Mmap(uint64(at), length, unix.PROT_READ, flags|unix.MAP_FIXED, -1, 0)
		Expect(mmap).To(Return(at))
		Expect(a.Load(actor.Mem{Addr: uint64(mmap.Value())}, 2*unix.Getpagesize())).To(ReturnSuccess())
	}
	Clause("planted.whole-pages", func() { mapped(2 * unix.Getpagesize()) })
	Clause("planted.one-byte-of-a-page", func() { mapped(unix.Getpagesize() + 1) })

	Clause("planted.seeks", func() {
		a := actor.New()
		fd := Must(a.Open(actor.TempDir()+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		Expect(a.Lseek(fd, 100, unix.SEEK_CUR)).To(Return(100))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(100))
	})

	Clause("planted.seeks-to-where-it-is", func() {
		a := actor.New()
		fd := Must(a.Open("/dev/full", unix.O_RDWR, 0)) // where a seek leads nowhere
		seek := a.Lseek(fd, 100, unix.SEEK_CUR)
		Expect(seek).To(ReturnSuccess())
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(seek.Value()))
	})

	Clause("planted.padding", func() {
		a := actor.New()
		a.SetMask(unix.SIGUSR1)
		fd := Must(a.Signalfd4(-1, actor.Mask(unix.SIGUSR1), unix.SFD_NONBLOCK))
		Must(a.Kill(a.PID(), unix.SIGUSR1))
		read := a.Read(fd, actor.SignalfdSize)
		Expect(read).To(Return(actor.SignalfdSize))
		Expect(read.Data()[0]).To(BeEquivalentTo(unix.SIGUSR1)) // and what it ends in, nobody can know
		Expect(a.Read(fd, actor.SignalfdSize)).To(FailWith(unix.EAGAIN))
	})

	// overrides writes where O_APPEND would not.
	overrides := func(flags int) {
		a := actor.New()
		path := actor.TempDir() + "/file"
		fd := Must(a.Open(path, unix.O_RDWR|unix.O_CREAT|flags, 0o600))
		Must(a.Write(fd, []byte("hello")))
		Expect(a.Pwritev2(fd, 1, unix.RWF_NOAPPEND, []byte("a"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("hallo"))
	}
	Clause("planted.overrides-append", func() { overrides(unix.O_APPEND) })
	Clause("planted.overrides-nothing", func() { overrides(0) })

	// strikes sends a signal to a child, and looks whether that has ended.
	strikes := func(ignored bool) {
		a := actor.New()
		child := a.Fork()
		if ignored {
			child.Ignore(unix.SIGUSR1)
		}
		Expect(a.Kill(child.PID(), unix.SIGUSR1)).To(Return(0))
		if ignored {
			Must(child.Getpid())
			return
		}
		Expect(a.Wait4(child.PID(), 0)).To(Return(child.PID()))
	}
	Clause("planted.strikes-in-vain", func() { strikes(true) })
	Clause("planted.strikes", func() { strikes(false) })

	Clause("planted.sets-again", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	// blocks blocks a signal and sends it.
	blocks := func(before ...unix.Signal) {
		a := actor.New()
		Must(a.Quietly().Sigprocmask(unix.SIG_SETMASK, actor.Mask(before...)))
		Expect(a.Sigprocmask(unix.SIG_BLOCK, actor.Mask(unix.SIGUSR1))).To(Return(0))
		Must(a.Kill(a.PID(), unix.SIGUSR1))
		pending := a.Sigpending()
		Expect(pending).To(Return(0))
		Expect(pending.Word()).To(Equal(actor.Mask(unix.SIGUSR1)))
	}
	Clause("planted.blocks-again", func() { blocks(unix.SIGUSR1) })
	Clause("planted.blocks-a-signal", func() { blocks() })

	Clause("planted.finds-a-zombie", func() {
		a := actor.New()
		child := a.Fork()
		child.Exit(0)
		Expect(a.Wait4(child.PID(), unix.WNOHANG)).To(Return(child.PID()))
	})
	Clause("planted.finds-no-zombie", func() {
		a := actor.New()
		child := a.Fork()
		Expect(a.Wait4(child.PID(), unix.WNOHANG)).To(Return(0))
	})

	// writes writes to a pipe whose write end is 1, beside what descriptor 2 is.
	writes := func(beside func(a *actor.Actor)) {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		beside(a)
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 9)).To(ReturnData("x"))
	}
	Clause("planted.same-description", func() { writes(func(a *actor.Actor) { Must(a.Dup(1)) }) })
	Clause("planted.other-description", func() { writes(func(a *actor.Actor) { a.Pipe(unix.O_NONBLOCK) }) })

	// receives receives the first message of a queue.
	receives := func(types ...int64) {
		a := actor.New()
		id := Must(a.Msgget(actor.IPC_PRIVATE, 0o600))
		for _, mtype := range types {
			Must(a.Msgsnd(id, mtype, []byte{byte(mtype)}, 0))
		}
		receive := a.Msgrcv(id, 9, 0, actor.IPC_NOWAIT)
		Expect(receive).To(Return(1))
		Expect(receive.Data()[0]).To(BeEquivalentTo(types[0]))
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
	}
	Clause("planted.one-message", func() { receives(1) })
	Clause("planted.two-messages", func() { receives(2, 1) })

	Clause("planted.takes-for-granted", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Must(a.Read(r, 1))
	})

	Clause("planted.eventually", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Eventually(func() *actor.Call {
			return a.Write(w, []byte("eventually"))
		}).Should(Return(10))
		Expect(a.Read(r, 99)).To(ReturnData("eventually"))
	})

	Clause("planted.deviates", func() {
		Expect(actor.New().Getpid()).To(Return(0))
	})

	Clause("planted.no-such-call", func() {
		Expect(actor.New().Getpid()).To(ReturnFD())
	})

	Clause("planted.loops", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for a.Read(r, 0).Value() != 0 { // a lie makes this wait for ever, without a call
			select {}
		}
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 1)).To(ReturnData("x"))
	})

	const page = 4096
	// opens judges the flags that a file has which is opened with O_CREAT and O_TRUNC, and not what is in it.
	opens := func(a *actor.Actor, path string) {
		Expect(a.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC, 0o600)).To(Return(0))
		Expect(Must(a.Fcntl(0, unix.F_GETFL, 0)) & unix.O_ACCMODE).To(Equal(unix.O_RDWR))
	}
	Clause("planted.opens-device", func() { opens(actor.New(), "/dev/null") })
	Clause("planted.opens-file", func() {
		a := actor.New()
		file := actor.TempDir() + "/file"
		fd := Must(a.Quietly().Open(file, unix.O_WRONLY|unix.O_CREAT, 0o600))
		Must(a.Quietly().Close(fd))
		opens(a, file)
	})
	Clause("planted.ioctl-tells", func() {
		a := actor.New()
		fd := Must(a.Open("/dev/urandom", unix.O_RDONLY, 0))
		m := a.Bytes([]byte{0xff, 0xff, 0xff, 0xff})
		Expect(a.Ioctl(fd, 0x80045200, m)).To(Return(0)) // RNDGETENTCNT
		Expect(m.Uint32(0)).To(BeNumerically("<", 1<<16))
		Must(a.Close(fd))
	})

	// attaches judges where a shmat attaches a new segment, beside one at which nobody looks.
	attaches := func(a *actor.Actor, at, want, flags int) {
		id := Must(a.Shmget(actor.IPC_PRIVATE, page, 0o600))
		Expect(a.Shmat(id, at, flags)).To(Return(want))
		stat := a.ShmStat(id, actor.IPC_STAT)
		Must(stat)
		Expect(stat.ShmidDS().Nattch).To(BeEquivalentTo(1))
	}
	pages := func(a *actor.Actor) int {
		return Must(a.Mmap(0, 2*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0))
	}
	hole := func(a *actor.Actor) int {
		at := pages(a)
		Must(a.Munmap(uint64(at), 2*page))
		return at
	}
	Clause("planted.round-address", func() {
		a := actor.New()
		at := hole(a)
		attaches(a, at, at, actor.SHM_RND)
	})
	Clause("planted.round-down", func() {
		a := actor.New()
		at := hole(a)
		attaches(a, at+1, at, actor.SHM_RND)
	})
	Clause("planted.remap-hole", func() {
		a := actor.New()
		at := hole(a)
		attaches(a, at, at, actor.SHM_REMAP)
	})
	Clause("planted.remap-occupied", func() {
		a := actor.New()
		at := pages(a)
		attaches(a, at, at, actor.SHM_REMAP)
	})
	for _, removed := range []bool{true, false} {
		Clause(map[bool]string{true: "planted.undo-of-removed", false: "planted.undo-of-kept"}[removed], func() {
			a := actor.New()
			id := Must(a.Semget(actor.IPC_PRIVATE, 1, 0o600))
			child := a.Fork()
			Expect(child.Semop(id, actor.SemOp{Op: 3, Flags: actor.SEM_UNDO})).To(Return(0))
			Expect(a.Semctl(id, 0, actor.GETVAL, nil)).To(Return(3))
			if removed {
				Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
				child.Exit(0)
				return
			}
			child.Exit(0)
			Expect(a.Semctl(id, 0, actor.GETVAL, nil)).To(Return(0))
			Must(a.Semctl(id, 0, actor.IPC_RMID, nil))
		})
	}
})

func main() {
	if mutate.InWorker() {
		os.Exit(mutate.RunWorker())
	}
	o := mutate.Options{Filter: spec.Filter{IDs: os.Args[1:]}, Procs: 2, Seed: 1, Silence: silence}
	if seed, err := strconv.ParseInt(os.Getenv("SEED"), 10, 64); err == nil {
		o.Seed, o.Most = seed, 10
	}
	var all strings.Builder
	o.Results = &all
	found, err := mutate.Local(context.Background(), o)
	if err == nil {
		err = found.WriteJSON(os.Stdout)
	}
	if err == nil && os.Getenv("RESULTS") != "" {
		err = os.WriteFile(os.Getenv("RESULTS"), []byte(all.String()), 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// silence is short, since a spec here does hang.
const silence = 3_000_000_000
