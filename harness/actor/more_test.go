package actor_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

// told is a stage that keeps what it is told, and ends the attempt as a real one does.
type told struct {
	testStage
	failed, unresolved string
}

func (s *told) Fail(message string, _ ...int)       { s.failed = message; panic(s) }
func (s *told) Unresolved(message string, _ ...int) { s.unresolved = message; panic(s) }

// attempt runs f on a stage of its own and returns what the stage was told.
func attempt(t *testing.T, f func()) *told {
	t.Helper()
	s := &told{testStage: testStage{t}}
	SetStage(s)
	defer SetStage(testStage{t})
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(s) {
				panic(r)
			}
		}()
		f()
	}()
	return s
}

// status returns a field of /proc/PID/status.
func status(a *Actor, field string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID()))
	Expect(err).NotTo(HaveOccurred())
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func TestFreshActor(t *testing.T) {
	perform(t)
	a := New()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.PID()))
	Expect(err).NotTo(HaveOccurred())
	Expect(fds).To(BeEmpty(), "an actor has no descriptors")
	for _, field := range []string{"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"} {
		Expect(status(a, field)).To(Equal("0000000000000000"), field)
	}
	Expect(status(a, "Threads")).To(Equal("1"))
	Expect(a.Raw(unix.SYS_GETSID, 0)).To(Return(a.PID()), "it leads a session of its own")
	Expect(a.Getpgid(0)).To(Return(a.PID()))
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", a.PID()))
	Expect(err).NotTo(HaveOccurred())
	Expect(cwd).To(Equal("/"))
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", a.PID()))
	Expect(err).NotTo(HaveOccurred())
	Expect(env).To(BeEmpty())
}

// TestInheritance starts this test binary as a careless parent would, with ignored signals and an
// open descriptor, and checks that its actors have neither.
func TestInheritance(t *testing.T) {
	if os.Getenv("IPCSPEC_TEST_INHERITANCE") != "" {
		TestFreshActor(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `trap '' HUP INT PIPE USR1 RTMIN; exec 7</dev/null 5>&1; exec "$0" -test.run '^TestInheritance$' -test.v`, self)
	cmd.Env = append(os.Environ(), "IPCSPEC_TEST_INHERITANCE=1")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestStuckCall(t *testing.T) {
	perform(t)
	defer func(scale float64) { TimeoutScale = scale }(TimeoutScale)
	TimeoutScale = 0.01
	a := New()
	r, _ := a.Pipe(0)
	s := attempt(t, func() { a.Read(r, 1) })
	Expect(s.failed).To(ContainSubstring("A: read(0, "))
	Expect(s.failed).To(ContainSubstring("did not return within 100ms"))
	Expect(s.failed).To(ContainSubstring("is in state S, in read"))
	New().Getpid()
	trace, failing := FailingTrace()
	Expect(trace[failing-1]).To(ContainSubstring("= ? (did not return)"))
}

// TestSlowLoop has a loop that takes longer than the limit, but goes on.
func TestSlowLoop(t *testing.T) {
	perform(t)
	defer func(scale float64) { TimeoutScale = scale }(TimeoutScale)
	TimeoutScale = 0.1 // 1 s, in which an actor gets some CPU on a busy machine, too
	a := New()
	const times = 30_000_000 // of a call that takes more than 40 ns
	Expect(a.Repeat(times).Getppid().Count()).To(Equal(times))
}

func TestSetUpThatFails(t *testing.T) {
	perform(t)
	a := New()
	Expect(attempt(t, func() { Must(a.Close(99)) }).unresolved).To(Equal("set-up failed: close(99) = -1 EBADF (bad file descriptor)"))
	Expect(attempt(t, func() { a.Pipe(0x7fffffff) }).unresolved).To(ContainSubstring("set-up failed: pipe2("))
	Expect(attempt(t, func() { New(Dir("/no/such/folder")) }).unresolved).To(ContainSubstring("/no/such/folder"))
	Expect(attempt(t, func() { a.Alloc(1 << 30) }).unresolved).To(ContainSubstring("no room"))
	Expect(attempt(t, func() { a.ReturnFromHandler() }).unresolved).To(ContainSubstring("no parked handler"))
	r, _ := a.Pipe(0)
	a.Begin().Read(r, 1)
	Expect(attempt(t, func() { a.Getpid() }).unresolved).To(ContainSubstring("still in read(0"))
}

func TestDeadActor(t *testing.T) {
	perform(t)
	a := New()
	Expect(a.Begin().Kill(a.PID(), unix.SIGTERM)).To(BeKilledBy(unix.SIGTERM))
	Expect(attempt(t, func() { a.Getpid() }).unresolved).To(ContainSubstring("was killed by SIGTERM"))
	// One that is killed while nobody asks anything of it.
	b, c := New(), New()
	Expect(c.Kill(b.PID(), unix.SIGKILL)).To(Return(0))
	Expect(b).To(BeKilledBy(unix.SIGKILL))
	Expect(b.Gone()).To(BeTrue())
	Expect(b.Begin().Getpid()).To(BeKilledBy(unix.SIGKILL))
}

// The thread that is looked at may be gone long before the rest of its process.
func TestHowAProcessEndedIsKnownWithItsLastThread(t *testing.T) {
	perform(t)
	a := New().Fork()
	a.Thread()
	end := a.Begin().Raw(unix.SYS_EXIT, 0)
	a.AwaitGone()
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = unix.Kill(a.PID(), unix.SIGUSR2)
	}()
	Expect(end).To(BeKilledBy(unix.SIGUSR2))
}

func TestMatchersSayWhatHappened(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(unix.O_NONBLOCK)
	say := func(c *Call, m interface {
		Match(any) (bool, error)
		FailureMessage(any) string
	}) string {
		ok, err := m.Match(c)
		Expect(err).NotTo(HaveOccurred())
		Expect(ok).To(BeFalse())
		return m.FailureMessage(c)
	}
	Expect(say(a.Read(r, 1), Return(0))).To(HaveSuffix("to return 0\nbut it failed with EAGAIN (resource temporarily unavailable)"))
	Expect(say(a.Write(w, []byte("abc")), FailWith(unix.EPIPE, unix.EBADF))).To(Equal(
		"expected write(1, \"abc\", 3)\nto fail with EPIPE or EBADF\nbut it returned 3"))
	Expect(say(a.Read(r, 9), ReturnData("abd"))).To(HaveSuffix("to return 3 bytes, \"abd\"\nbut it returned 3 with \"abc\""))
	Expect(say(a.Begin().Getpid(), Block())).To(ContainSubstring("to block\nbut it returned"))
	Expect(say(a.Getpid(), BeKilledBy(unix.SIGPIPE))).To(ContainSubstring("to be killed by SIGPIPE"))
	if _, err := Return(0).Match(7); err == nil {
		t.Error("a matcher of calls accepts an int")
	}
	// A failure is no success whose value happens to be looked for.
	Expect(a.Close(99)).NotTo(Return(-9))
	Expect(a.Close(99).Value()).To(Equal(-1))
}

func TestTrace(t *testing.T) {
	perform(t)
	a := New()
	r, w := a.Pipe(unix.O_CLOEXEC | unix.O_NONBLOCK)
	a.Write(w, []byte("hi\x00"))
	b := a.Fork()
	b.Fcntl(r, unix.F_GETFL, 0)
	b.Kill(0x7ffffff, unix.SIGUSR1)
	b.Repeat(3).Write(w, []byte("x"))
	b.Splice(r, nil, w, nil, 5, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	text := strings.Join(Trace(), "\n")
	for _, line := range []string{
		", O_NONBLOCK|O_CLOEXEC) = 0   // descriptors 0, 1",
		`A  write(1, "hi\x00", 3) = 3`,
		"B  fcntl(0, F_GETFL, 0) = 2048",
		"B  kill(134217727, SIGUSR1) = -1 ESRCH (no such process)",
		`B  write(1, "x", 1) × 3 = 1 (3 times, 3 in all)`,
		"B  splice(0, NULL, 1, NULL, 5, SPLICE_F_MOVE|SPLICE_F_NONBLOCK) = -1 EINVAL (invalid argument)",
	} {
		Expect(text).To(ContainSubstring(line))
	}
}

// TestRace has two actors write at full speed into one pipe, of which a third process reads.
func TestRace(t *testing.T) {
	perform(t)
	reader := New()
	r, w := reader.Pipe(0)
	one, two := reader.Fork(), reader.Fork()
	const rounds = 2000
	first := one.Begin().Repeat(rounds).Write(w, []byte("aaaaaaaa"))
	second := two.Begin().Repeat(rounds).Write(w, []byte("bbbbbbbb"))
	seen := map[string]int{}
	for n := 0; n < 2*rounds*8; n += 8 {
		call := reader.Read(r, 8)
		Expect(call).To(Return(8))
		seen[string(call.Data())]++
	}
	Expect(first.Count()).To(Equal(rounds))
	Expect(second.Total()).To(Equal(8 * rounds))
	Expect(seen).To(Equal(map[string]int{"aaaaaaaa": rounds, "bbbbbbbb": rounds}))
}

func TestEndAllLeavesNobody(t *testing.T) {
	perform(t)
	a := New()
	b := a.Fork()
	c := b.Fork()
	b.Thread()
	Must(c.Setsid())
	orphan := c.Fork()
	dir := TempDir()
	Expect(os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)).To(Succeed())
	Expect(os.Chmod(dir, 0)).To(Succeed())
	c.Exit(0)
	pids := []int{a.PID(), b.PID(), c.PID(), orphan.PID()}
	EndAll()
	for _, pid := range pids {
		Expect(unix.Kill(pid, 0)).To(Equal(unix.ESRCH))
	}
	_, err := os.Stat(dir)
	Expect(os.IsNotExist(err)).To(BeTrue())
}

func TestOrdinaryUserNamespace(t *testing.T) {
	perform(t)
	if why := TryNamespaces(unix.CLONE_NEWUSER | unix.CLONE_NEWNS); why != "" {
		t.Skip("no user namespaces here: ", why)
	}
	a := New(Namespaces(unix.CLONE_NEWUSER | unix.CLONE_NEWNS))
	Expect(a.Getuid()).To(Return(0))
	dir := TempDir()
	Expect(a.Mount("none", dir, "tmpfs", 0, "")).To(Return(0))
	a.WriteFile(dir+"/only-here", "x")
	_, err := os.Stat(dir + "/only-here")
	Expect(os.IsNotExist(err)).To(BeTrue(), "the mount is in the actor's namespace")
}

func TestFailingExec(t *testing.T) {
	perform(t)
	a := New()
	Expect(a.Execve("/no/such/program", []string{"x"}, nil)).To(FailWith(unix.ENOENT))
	Expect(a.Getpid()).To(Return(a.PID()), "the actor is as it was")
}

func TestVfork(t *testing.T) {
	perform(t)
	a := New()
	child := a.Clone(unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD))
	Expect(child.Getppid()).To(Return(a.PID()))
	child.Exit(3)
	if clone := a.Pending(); clone != nil {
		Expect(clone).To(Return(child.PID()))
	}
	Expect(a.Wait4(child.PID(), 0).Int()).To(Equal(3 << 8))
}

func TestSignalDuringManyCalls(t *testing.T) {
	perform(t)
	a, b := New(), New()
	a.Handle(unix.SIGUSR1, SA_RESTART)
	kills := b.Begin().Repeat(500).Kill(a.PID(), unix.SIGUSR1)
	for range 500 {
		Expect(a.Getppid()).To(Return(os.Getpid()), "a handler in the middle does not disturb a call")
	}
	Expect(kills.Count()).To(Equal(500))
	Expect(len(a.Events())).To(And(BeNumerically(">", 0), BeNumerically("<=", 500)))
}

func TestSignalStack(t *testing.T) {
	perform(t)
	a := New()
	area := a.Alloc(64 << 10)
	m := a.Alloc(24)
	m.PutUint64(0, area.Addr)
	m.PutUint64(16, uint64(area.Len()))
	Must(a.Raw(unix.SYS_SIGALTSTACK, m, nil))
	a.HandleAndPark(unix.SIGUSR1, SA_ONSTACK)
	kill := a.Begin().Kill(a.PID(), unix.SIGUSR1)
	e := a.AwaitPark(1)
	Expect(e.SP).To(And(BeNumerically(">", area.Addr), BeNumerically("<", area.Addr+uint64(area.Len()))))
	Expect(e.AltStack.SP).To(Equal(area.Addr))
	Expect(a.Fork().Getppid()).To(Return(a.PID()), "a parked actor can fork")
	a.ReturnFromHandler()
	Expect(kill).To(Return(0))
	Expect(a.Getpid()).To(Return(a.PID()))
}

func TestTraps(t *testing.T) {
	perform(t)
	a := New()
	for _, c := range []struct {
		kind   Trap
		sig    unix.Signal
		result any
	}{
		{TrapIllegal, unix.SIGILL, FailWith(unix.EFAULT)},
		{TrapBreakpoint, unix.SIGTRAP, Return(0)},
		{TrapDivide, unix.SIGFPE, FailWith(unix.EFAULT)},
	} {
		a.Handle(c.sig, 0)
		Expect(a.Trap(c.kind)).To(c.result.(types.GomegaMatcher))
		Expect(a.NextEvent().Signal).To(Equal(c.sig))
	}
	code := a.Executable(append([]byte{0xb8, 42, 0, 0, 0}, CodeReturn...)) // MOV EAX, 42
	Expect(a.Execute(code)).To(Return(42))
	Expect(New().Trap(TrapIllegal)).To(BeKilledBy(unix.SIGILL))
}
