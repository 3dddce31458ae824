package actor_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Leave()
	os.Exit(code)
}

// testStage lets actors perform in a plain test.
type testStage struct {
	testing.TB
}

func (s testStage) Fail(message string, _ ...int) { s.TB.Helper(); s.trace(); s.TB.Fatal(message) }
func (s testStage) Unresolved(message string, _ ...int) {
	s.TB.Helper()
	s.trace()
	s.TB.Fatal("unresolved: ", message)
}
func (s testStage) trace() {
	for _, line := range Trace() {
		s.TB.Log(line)
	}
}

func perform(t testing.TB) {
	SetStage(testStage{t})
	RegisterTestingT(t)
	t.Cleanup(func() {
		if t.Failed() {
			testStage{t}.trace()
		}
	})
}

func TestPipeRoundTrip(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(0)
	Expect([]int{r, w}).To(Equal([]int{0, 1}), "an actor starts with no descriptors")
	Expect(a.Write(w, []byte("hello"))).To(Return(5))
	Expect(a.Fionread(r).Int()).To(Equal(5))
	Expect(a.Read(r, 10)).To(ReturnData("hello"))
	Expect(a.Write(w, []byte("ab"))).To(Return(2))
	Expect(a.Readv(r, 1, 5)).To(ReturnData("ab"))
}

func TestMessages(t *testing.T) {
	perform(t)
	a := New()
	message := SatisfyAny(Return(1), FailWith(unix.EAGAIN, unix.EOPNOTSUPP), BeKilledBy(unix.SIGPIPE)).FailureMessage(a.Close(7))
	Expect(message).To(ContainSubstring("close(7) = -1 EBADF (bad file descriptor)"))
	Expect(message).To(ContainSubstring("[return 1 fail with EAGAIN or EOPNOTSUPP be killed by SIGPIPE]"))
}

func TestBlockAndWake(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(0)
	b := a.Fork()
	read := a.Begin().Read(r, 1)
	Expect(read).To(Block())
	Expect(read.Done()).To(BeFalse())
	Expect(b.Write(w, []byte("x"))).To(Return(1))
	Expect(read).To(ReturnData("x"))
	Expect(a.Fill(w)).To(Equal(65536))
	write := b.Begin().Write(w, []byte("y"))
	Expect(write).To(Block())
	Expect(a.Read(r, 65536)).To(Return(65536))
	Expect(write).To(Return(1))
}

func TestForkThreadExec(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(0)
	child := a.Fork()
	Expect(child.Getppid()).To(Return(a.PID()))
	thread := a.Thread()
	Expect(thread.Getpid()).To(Return(a.PID()))
	Expect(thread.Gettid()).To(Return(thread.TID()))
	Expect(thread.TID()).NotTo(Equal(a.TID()))
	Expect(thread.Close(r)).To(Return(0))
	Expect(a.Read(r, 1)).To(FailWith(unix.EBADF))
	Expect(child.Write(w, []byte("x"))).To(Return(1))

	kept := Must(child.Fcntl(w, unix.F_DUPFD, 10))
	gone := Must(child.Fcntl(w, unix.F_DUPFD_CLOEXEC, 20))
	pid := child.PID()
	child.Handle(unix.SIGUSR1, 0)
	child.Exec()
	Expect(child.Getpid()).To(Return(pid))
	Expect(child.Fcntl(kept, unix.F_GETFD, 0)).To(Return(0))
	Expect(child.Fcntl(gone, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	Expect(child.Fcntl(2, unix.F_GETFD, 0)).To(FailWith(unix.EBADF), "the new image's arena is closed again")
	Expect(child.Read(r, 1)).To(ReturnData("x"))
	Expect(child.Begin().Kill(pid, unix.SIGUSR1)).To(BeKilledBy(unix.SIGUSR1), "handlers do not survive execve")
}

func TestExecFromThread(t *testing.T) {
	perform(t)
	a := New()
	thread := a.Thread()
	thread.Exec()
	Expect(thread.Gettid()).To(Return(a.PID()))
}

func TestEndings(t *testing.T) {
	perform(t)
	a := New()
	child := a.Fork()
	child.Exit(7)
	Expect(child).To(Exit(7))
	wait := a.Wait4(child.PID(), 0)
	Expect(wait).To(Return(child.PID()))
	Expect(wait.Int()).To(Equal(7 << 8))

	r, w := a.Pipe(0)
	victim := a.Fork()
	Must(a.Close(r))
	Must(victim.Close(r))
	Expect(victim.Write(w, []byte("x"))).To(BeKilledBy(unix.SIGPIPE))
	Expect(victim).To(BeKilledBy(unix.SIGPIPE))
	Expect(a.Write(w, []byte("x"))).To(BeKilledBy(unix.SIGPIPE))
	Expect(a).NotTo(Exit(0))
}

func TestThreadExits(t *testing.T) {
	perform(t)
	a := New()
	thread := a.Thread()
	thread.Begin().Raw(unix.SYS_EXIT, 0)
	Expect(thread.AwaitGone()).To(BeTrue())
	Expect(a.Getpid()).To(Return(a.PID()))
}

func TestHandlerRecords(t *testing.T) {
	perform(t)
	a := New()
	a.Handle(unix.SIGUSR1, 0)
	b := New()
	r, _ := a.Pipe(0)
	read := a.Begin().Read(r, 1)
	Expect(read).To(Block())
	Expect(b.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
	Expect(read).To(FailWith(unix.EINTR))
	e := a.NextEvent()
	Expect(e.Signal).To(Equal(unix.SIGUSR1))
	Expect(e.Info.Signo()).To(Equal(unix.SIGUSR1))
	Expect(e.Info.PID()).To(Equal(b.PID()))
	Expect(e.Info.Code()).To(Equal(0))
	Expect(e.Mask).To(BeZero())
	Expect(e.InCall).To(BeTrue())
	Expect(e.SP).To(BeNumerically("<", e.OldSP))

	a.Handle(unix.SIGUSR1, SA_RESTART)
	read = a.Begin().Read(r, 1)
	Expect(read).To(Block())
	Expect(b.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
	a.NextEvent()
	Expect(read).To(Block())
}

func TestSignalWhileIdle(t *testing.T) {
	perform(t)
	a, b := New(), New()
	a.Handle(unix.SIGUSR2, 0)
	for range 50 {
		Expect(b.Kill(a.PID(), unix.SIGUSR2)).To(Return(0))
		a.NextEvent()
		Expect(a.Getpid()).To(Return(a.PID()))
	}
	Expect(a.Events()).To(HaveLen(50))
}

func TestHandlerParks(t *testing.T) {
	perform(t)
	a, b := New(), New()
	a.HandleAndPark(unix.SIGUSR1, SA_RESTART)
	a.HandleAndPark(unix.SIGUSR2, SA_RESTART)
	r, _ := a.Pipe(0)
	read := a.Begin().Read(r, 1)
	Expect(read).To(Block())
	Expect(b.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
	Expect(a.AwaitPark(1).Signal).To(Equal(unix.SIGUSR1))
	// Inside the handler: the signal is blocked, another one is not.
	Expect(b.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
	Expect(a.PendingSignals()).To(Equal(Bit(unix.SIGUSR1)))
	Expect(b.Kill(a.PID(), unix.SIGUSR2)).To(Return(0))
	e := a.AwaitPark(2)
	Expect(e.Signal).To(Equal(unix.SIGUSR2))
	Expect(e.Mask).To(Equal(Bit(unix.SIGUSR1)))
	Expect(a.Getpid()).To(Return(a.PID()))
	a.ReturnFromHandler()
	a.Park(unix.SIGUSR1, false)
	a.ReturnFromHandler()
	Expect(a.AwaitEvents(3)).To(HaveLen(3), "the pending signal comes when the handler returns")
	Expect(read).To(Block(), "the read restarts")
	Expect(New().Kill(a.PID(), unix.SIGKILL)).To(Return(0))
	Expect(read).To(BeKilledBy(unix.SIGKILL))
}

func TestMemoryForFaults(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(0)
	Expect(a.Raw(unix.SYS_WRITE, w, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
	Expect(a.Raw(unix.SYS_WRITE, w, a.NoAccess(), 1)).To(FailWith(unix.EFAULT))
	edge := a.PageEnd(8)
	copy(edge.Bytes(), "12345678")
	Expect(a.WriteFrom(w, edge, 8)).To(Return(8))
	Expect(a.Read(r, 8)).To(ReturnData("12345678"))
	Expect(a.WriteFrom(w, a.PageEnd(0), 1)).To(FailWith(unix.EFAULT))
	ro := a.ReadOnly([]byte("keep"))
	Expect(a.WriteFrom(w, ro, 4)).To(Return(4))
	Expect(a.Raw(unix.SYS_READ, r, ro, 4)).To(FailWith(unix.EFAULT))
	Expect(string(ro.Bytes())).To(Equal("keep"))
	// The actor's own access: a handler for the fault ends the command.
	a.Handle(unix.SIGSEGV, 0)
	Expect(a.Store(a.Unmapped(), []byte("x"))).To(FailWith(unix.EFAULT))
	Expect(a.NextEvent().Info.Addr()).To(Equal(a.Unmapped().Addr))
	Expect(a.Load(ro, 4).Data()).To(Equal([]byte("keep")))
}

func TestRepeat(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(unix.O_NONBLOCK)
	call := a.Repeat(10).Write(w, []byte("abc"))
	Expect(call).To(Return(3))
	Expect(call.Count()).To(Equal(10))
	Expect(call.Total()).To(Equal(30))
	m := a.Alloc(100)
	call = a.Repeat(10).Filling().ReadInto(r, m, 7)
	Expect(call).To(FailWith(unix.EAGAIN))
	Expect(call.Total()).To(Equal(30))
	Expect(string(m.Bytes()[:30])).To(Equal(strings.Repeat("abc", 10)))
}

func TestUserAndNamespaces(t *testing.T) {
	perform(t)
	a := New(Unprivileged(54321))
	if os.Getuid() == 0 {
		Expect(a.Getuid()).To(Return(54321))
	}
	Expect(a.Capabilities()).To(BeZero())
	b := New(Namespaces(unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNS))
	Expect(b.Getpid()).To(Return(2))
	c := b.Fork()
	Expect(c.Getpid()).To(Return(3))
	c.Exit(1)
	Expect(c).To(Exit(1))
}

func TestWorkingDirectory(t *testing.T) {
	perform(t)
	dir := TempDir()
	a := New(Dir(dir))
	Expect(a.Mkfifo("f", 0o600)).To(Return(0))
	_, err := os.Stat(dir + "/f")
	Expect(err).NotTo(HaveOccurred())
	Expect(a.Stat("f").Stat().Mode).To(Equal(uint32(unix.S_IFIFO | 0o600)))
}

func TestBusyActor(t *testing.T) {
	perform(t)
	a := New()
	Expect(a.Poll(0, PollFD{FD: 77, Events: unix.POLLIN}).Revents()).To(Equal([]int16{unix.POLLNVAL}))
	ep := Must(a.EpollCreate1(0))
	r, w := a.Pipe(0)
	Expect(a.EpollCtl(ep, unix.EPOLL_CTL_ADD, r, unix.EPOLLIN, 0x1122334455667788)).To(Return(0))
	Must(a.Write(w, []byte("x")))
	Expect(a.EpollWait(ep, 4, 0).EpollEvents()).To(Equal([]EpollEvent{{unix.EPOLLIN, 0x1122334455667788}}))
	set := NewFDSet(r, w)
	Expect(a.Select(w+1, set, nil, nil, 0)).To(Return(1))
	Expect(set.Has(r)).To(BeTrue())
	Expect(set.Has(w)).To(BeFalse())
}

func BenchmarkActor(b *testing.B) {
	perform(b)
	for b.Loop() {
		New()
		EndAll()
	}
}

func BenchmarkCall(b *testing.B) {
	perform(b)
	a := New()
	for b.Loop() {
		a.Getppid()
	}
}

func BenchmarkBlockAndWake(b *testing.B) {
	perform(b)
	a := New()
	r, w := a.Pipe(0)
	c := a.Fork()
	for b.Loop() {
		read := a.Begin().Read(r, 1)
		if !read.Blocked() {
			b.Fatal(read)
		}
		c.Write(w, []byte("x"))
		read.Wait()
	}
}
