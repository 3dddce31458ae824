package signals

import (
	"encoding/binary"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// prctlSetting asks for a setting with one of the PR_GET_… operations.
func prctlSetting(a *actor.Actor, operation int) int {
	GinkgoHelper()
	get := a.PrctlGet(operation)
	Expect(get).To(Return(0))
	return get.Int()
}

func isSubreaper(a *actor.Actor) int {
	GinkgoHelper()
	return prctlSetting(a, unix.PR_GET_CHILD_SUBREAPER)
}

func parentDeathSignal(a *actor.Actor) unix.Signal {
	GinkgoHelper()
	return unix.Signal(prctlSetting(a, unix.PR_GET_PDEATHSIG))
}

// subreaper is an actor with the attribute.
func subreaper(a *actor.Actor) *actor.Actor {
	GinkgoHelper()
	Expect(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1)).To(Return(0))
	Expect(isSubreaper(a)).To(Equal(1))
	return a
}

// mourner forks a process that is to get SIGUSR1 when its parent ends.
func mourner(parent *actor.Actor) *actor.Actor {
	GinkgoHelper()
	child := parent.Fork()
	child.Handle(unix.SIGUSR1, 0)
	child.Handle(unix.SIGUSR2, 0)
	Expect(child.Prctl(unix.PR_SET_PDEATHSIG, unix.SIGUSR1)).To(Return(0))
	Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
	return child
}

// expectNoMourning judges that no parent-death signal has come, by a later signal that has.
func expectNoMourning(child *actor.Actor) {
	GinkgoHelper()
	Must(actor.New().Kill(child.PID(), unix.SIGUSR2))
	expectKills(child, unix.SIGUSR2)
}

// invalidPointers are addresses to which nothing can be stored.
func invalidPointers(a *actor.Actor) []actor.Mem {
	return []actor.Mem{actor.Null, a.Unmapped(), a.NoAccess(), a.ReadOnly(make([]byte, 8))}
}

// expectInt judges that a PR_GET_… operation stores an int of this value, and nothing behind it.
func expectInt(a *actor.Actor, operation, value int) {
	GinkgoHelper()
	m := a.Alloc(16)
	for i := range m.Bytes() {
		m.Bytes()[i] = 0x5a
	}
	Expect(a.Prctl(operation, m.At(4))).To(Return(0))
	want := binary.NativeEndian.AppendUint32([]byte("ZZZZ"), uint32(value))
	Expect(m.Copy()).To(Equal(append(want, "ZZZZZZZZ"...)))
}

var _ = Describe("A child subreaper", func() {
	Clause("subreaper.set-and-unset", func() {
		a := actor.New()
		Expect(isSubreaper(a)).To(BeZero())
		for _, set := range []int{1, 2, -1, 0x100} {
			Expect(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, set)).To(Return(0))
			Expect(isSubreaper(a)).To(Equal(1))
			Expect(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0)).To(Return(0))
			Expect(isSubreaper(a)).To(BeZero())
		}
	})

	Clause("subreaper.of-the-process", func() {
		a := actor.New()
		thread := a.Thread()
		subreaper(thread)
		Expect(isSubreaper(a)).To(Equal(1))
		Expect(isSubreaper(thread)).To(Equal(1))
		parent := a.Fork()
		child := parent.Fork()
		endThread(thread)
		parent.Exit(0)
		Expect(child.Getppid()).To(Return(a.PID()))
	})

	Clause("subreaper.gets-orphans", func() {
		a := subreaper(actor.New())
		parent := a.Fork()
		child, other := parent.Fork(), parent.Fork()
		Expect(child.Getppid()).To(Return(parent.PID()))
		parent.Exit(0)

		Expect(child.Getppid()).To(Return(a.PID()))
		Expect(other.Getppid()).To(Return(a.PID()))
	})

	Clause("subreaper.only-subreapers", func() {
		top := subreaper(actor.New())
		without, cleared := top.Fork(), subreaper(top.Fork())
		Expect(cleared.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0)).To(Return(0))
		for _, a := range []*actor.Actor{without, cleared} {
			parent := a.Fork()
			child := parent.Fork()
			parent.Exit(0)
			Expect(child.Getppid()).To(Return(top.PID()))
		}
	})

	Clause("subreaper.nearest", func() {
		top := subreaper(actor.New())
		near := subreaper(top.Fork())
		between := near.Fork()
		parent := between.Fork()
		child := parent.Fork()
		parent.Exit(0)
		Expect(child.Getppid()).To(Return(near.PID()))
		between.Exit(0)
		Expect(child.Getppid()).To(Return(near.PID()))
	})

	Clause("subreaper.nearest-living", func() {
		top := subreaper(actor.New())
		near := subreaper(top.Fork())
		parent := near.Fork()
		child := parent.Fork()
		orphan := child.Fork()
		child.Exit(0)
		Expect(orphan.Getppid()).To(Return(near.PID()))
		near.Exit(0)

		Expect(orphan.Getppid()).To(Return(top.PID()))
		Expect(parent.Getppid()).To(Return(top.PID()))
		grandchild := parent.Fork()
		parent.Exit(0)
		Expect(grandchild.Getppid()).To(Return(top.PID()))
	})

	Clause("subreaper.set-late", func() {
		top := subreaper(actor.New())
		a := top.Fork()
		parent := a.Fork()
		child := parent.Fork()
		subreaper(a)
		parent.Exit(0)
		Expect(child.Getppid()).To(Return(a.PID()))
	})

	Clause("subreaper.sigchld-and-wait", func() {
		a := subreaper(actor.New())
		a.Handle(unix.SIGCHLD, actor.SA_RESTART)
		parent := a.Fork()
		child := parent.Fork()
		parent.Exit(0)
		expectKillsAs(a, cldExited, unix.SIGCHLD)

		child.Exit(7)
		expectKillsAs(a, cldExited, unix.SIGCHLD, unix.SIGCHLD)
		info := a.Events()[1].Info
		Expect(info.PID()).To(Equal(child.PID()))
		Expect(info.Status()).To(Equal(7))
		expectExited(a.Wait4(child.PID(), 0), child, 7)
	})

	Clause("subreaper.no-orphan-while-a-thread-lives", func() {
		top := subreaper(actor.New())
		parent := top.Fork()
		thread := parent.Thread()
		child := thread.Fork()
		endThread(thread)
		Expect(child.Getppid()).To(Return(parent.PID()))
		parent.Exit(0)
		Expect(child.Getppid()).To(Return(top.PID()))
	})

	Clause("subreaper.not-inherited", func() {
		a := subreaper(actor.New())
		for _, heir := range []*actor.Actor{a.Fork(), a.Clone(0)} {
			Expect(isSubreaper(heir)).To(BeZero())
			parent := heir.Fork()
			child := parent.Fork()
			parent.Exit(0)
			Expect(child.Getppid()).To(Return(a.PID()))
		}
		Expect(isSubreaper(a)).To(Equal(1))
	})

	Clause("subreaper.kept-over-exec", func() {
		a := subreaper(actor.New())
		a.Exec()
		Expect(isSubreaper(a)).To(Equal(1))
		parent := a.Fork()
		child := parent.Fork()
		parent.Exit(0)
		Expect(child.Getppid()).To(Return(a.PID()))
	})

	Clause("get-subreaper.stores-setting", func() {
		a := actor.New()
		expectInt(a, unix.PR_GET_CHILD_SUBREAPER, 0)
		Must(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1))
		expectInt(a, unix.PR_GET_CHILD_SUBREAPER, 1)
		Must(a.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0))
		expectInt(a, unix.PR_GET_CHILD_SUBREAPER, 0)
	})

	Clause("get-subreaper.of-the-caller", func() {
		parent := actor.New()
		a := subreaper(parent.Fork())
		child := a.Fork()
		Expect(isSubreaper(parent)).To(BeZero())
		Expect(isSubreaper(a)).To(Equal(1))
		Expect(isSubreaper(child)).To(BeZero())
	})

	Clause("get-subreaper.efault", func() {
		a := actor.New()
		for _, m := range invalidPointers(a) {
			Expect(a.Prctl(unix.PR_GET_CHILD_SUBREAPER, m)).To(FailWith(unix.EFAULT))
		}
	})
})

var _ = Describe("The parent-death signal", func() {
	Clause("pdeathsig.set-and-clear", func() {
		a := actor.New()
		Expect(parentDeathSignal(a)).To(BeZero())
		for sig := unix.Signal(1); sig <= lastSignal; sig++ {
			Expect(a.Prctl(unix.PR_SET_PDEATHSIG, sig)).To(Return(0))
			Expect(parentDeathSignal(a)).To(Equal(sig))
		}
		Expect(a.Prctl(unix.PR_SET_PDEATHSIG, 0)).To(Return(0))
		Expect(parentDeathSignal(a)).To(BeZero())
	})

	Clause("pdeathsig.einval", func() {
		a := actor.New()
		for _, before := range []unix.Signal{0, unix.SIGUSR1} {
			Must(a.Prctl(unix.PR_SET_PDEATHSIG, before))
			for _, sig := range []int{int(lastSignal) + 1, 128, math.MaxInt32, -1} {
				Expect(a.Prctl(unix.PR_SET_PDEATHSIG, sig)).To(FailWith(unix.EINVAL))
			}
			Expect(parentDeathSignal(a)).To(Equal(before))
		}
	})

	for _, how := range []string{"exit", "killed"} {
		Clause("pdeathsig.sent", how, func() {
			parent := actor.New()
			child := mourner(parent)
			expectKills(child)
			if how == "exit" {
				parent.Exit(0)
			} else {
				Must(actor.New().Kill(parent.PID(), unix.SIGKILL))
			}
			Expect(child).To(Catch(unix.SIGUSR1))
			expectKills(child, unix.SIGUSR1)
		})
	}

	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, rtSignal} {
		Clause("pdeathsig.kills", actor.SignalName(sig), func() {
			top := actor.New()
			Must(top.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1)) // and so it can say how the child ended
			parent := top.Fork()
			child := parent.Fork()
			Expect(child.Prctl(unix.PR_SET_PDEATHSIG, sig)).To(Return(0))
			parent.Exit(0)

			Expect(child.AwaitGone()).To(BeTrue())
			wait := top.Wait4(child.PID(), 0)
			Must(wait)
			Expect(unix.WaitStatus(wait.Int())).To(Equal(unix.WaitStatus(sig)))
		})
	}

	Clause("pdeathsig.none-when-cleared", func() {
		parent := actor.New()
		child := mourner(parent)
		Expect(child.Prctl(unix.PR_SET_PDEATHSIG, 0)).To(Return(0))
		parent.Exit(0)
		expectNoMourning(child)
	})

	Clause("pdeathsig.parent-only", func() {
		grandparent := actor.New()
		parent := grandparent.Fork()
		child := mourner(parent)
		sibling, grandchild := parent.Fork(), child.Fork()
		grandchild.Exit(0)
		sibling.Exit(0)
		grandparent.Exit(0)
		expectKills(child)
		parent.Exit(0)
		expectKills(child, unix.SIGUSR1)
	})

	Clause("pdeathsig.each-subreaper", func() {
		top := actor.New()
		Must(top.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1))
		near := top.Fork()
		Must(near.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1))
		parent := near.Fork()
		child := mourner(parent)

		var died []int
		for _, a := range []*actor.Actor{parent, near, top} {
			a.Exit(0)
			died = append(died, a.PID())
			var came []int
			Must(child.Getpid())
			for _, e := range child.AwaitEvents(len(died)) {
				came = append(came, e.Info.PID())
			}
			Expect(came).To(Equal(died))
		}
		Expect(child).To(Catch(unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR1))
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
	})

	Clause("pdeathsig.set-too-late", func() {
		parent := actor.New()
		child := parent.Fork()
		child.Handle(unix.SIGUSR1, 0)
		child.Handle(unix.SIGUSR2, 0)
		parent.Exit(0)
		Expect(child.Prctl(unix.PR_SET_PDEATHSIG, unix.SIGUSR1)).To(Return(0))
		expectNoMourning(child)
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
	})

	Clause("pdeathsig.process-directed", func() {
		parent := actor.New()
		child := mourner(parent)
		thread := child.Thread()
		child.SetMask(unix.SIGUSR1)
		parent.Exit(0)

		Expect(thread).To(Catch(unix.SIGUSR1))
		expectKills(thread, unix.SIGUSR1)
		expectKills(child)
	})

	Clause("pdeathsig.si-pid", "a process", func() {
		parent := actor.New()
		child := mourner(parent)
		parent.Exit(0)
		expectKills(child, unix.SIGUSR1)
		Expect(child.Events()[0].Info.PID()).To(Equal(parent.PID()))
	})

	Clause("pdeathsig.si-pid", "a thread", func() {
		parent := actor.New()
		thread := parent.Thread()
		child := mourner(thread)
		endThread(thread)
		expectKills(child, unix.SIGUSR1)
		Expect(child.Events()[0].Info.PID()).To(Equal(parent.PID()))
	})

	Clause("pdeathsig.parent-thread", func() {
		parent := actor.New()
		thread := parent.Thread()
		child := mourner(thread)
		expectKills(child)
		endThread(thread)

		expectKills(child, unix.SIGUSR1)
		Must(parent.Getpid())
	})

	Clause("pdeathsig.not-another-thread", func() {
		parent := actor.New()
		thread := parent.Thread()
		child := mourner(parent)
		endThread(thread)
		expectNoMourning(child)
		parent.Exit(0)
		expectKills(child, unix.SIGUSR2, unix.SIGUSR1)
	})

	Clause("pdeathsig.not-inherited", func() {
		parent := actor.New()
		child := mourner(parent)
		grandchild := child.Fork()
		Expect(parentDeathSignal(grandchild)).To(BeZero())
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
		child.Exit(0)
		expectNoMourning(grandchild)
	})

	Clause("pdeathsig.kept-over-exec", func() {
		parent := actor.New()
		child := mourner(parent)
		child.Exec()
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
		child.Handle(unix.SIGUSR1, 0)
		parent.Exit(0)
		expectKills(child, unix.SIGUSR1)
	})

	for _, mode := range []uint32{0o4755, 0o2755} {
		name := map[uint32]string{0o4755: "set-user-ID", 0o2755: "set-group-ID"}[mode]
		Clause("pdeathsig.cleared-by-set-id-exec", name, func() {
			parent := actor.New()
			program := actor.TempDir() + "/program"
			parent.CopyImage(program)
			other := FreshUser()
			Must(parent.Chown(program, other, other))
			Must(parent.Chmod(program, mode))
			child := parent.Fork()
			child.BecomeUser(FreshUser())
			Expect(child.Prctl(unix.PR_SET_PDEATHSIG, unix.SIGUSR1)).To(Return(0))
			Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
			child.ExecFile(program)
			id := Must(child.Raw(unix.SYS_GETEUID))
			if mode == 0o2755 {
				id = Must(child.Raw(unix.SYS_GETEGID))
			}
			Presuppose(id == other, "a temporary folder (TMPDIR) where programs can be set-user-ID: a filesystem without the option nosuid")

			Expect(parentDeathSignal(child)).To(BeZero())
			parent.Exit(0)
			Must(child.Getpid())
		})
	}

	Clause("pdeathsig.cleared-by-capable-exec", func() {
		const capability = unix.CAP_NET_BIND_SERVICE
		parent := actor.New()
		program := actor.TempDir() + "/program"
		parent.CopyImage(program)
		var attribute []byte // struct vfs_cap_data, revision 2, effective
		for _, v := range []uint32{0x02000001, 1 << capability, 0, 0, 0} {
			attribute = binary.LittleEndian.AppendUint32(attribute, v)
		}
		set := parent.Raw(unix.SYS_SETXATTR, program, "security.capability", attribute, len(attribute), 0)
		Presuppose(set.OK(), "a temporary folder (TMPDIR) where programs can have capabilities: %v", set.Errno())
		child := parent.Fork()
		child.BecomeUser(FreshUser())
		Expect(child.Prctl(unix.PR_SET_PDEATHSIG, unix.SIGUSR1)).To(Return(0))
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
		child.ExecFile(program)
		Presuppose(child.Capabilities() == 1<<capability, "a temporary folder (TMPDIR) on a filesystem without the option nosuid")

		Expect(parentDeathSignal(child)).To(BeZero())
		parent.Exit(0)
		Must(child.Getpid())
	})

	for _, change := range []struct {
		name string
		make func(a *actor.Actor, id int) *actor.Call
	}{
		{"effective user id", func(a *actor.Actor, id int) *actor.Call { return a.Setresuid(-1, id, -1) }},
		{"effective group id", func(a *actor.Actor, id int) *actor.Call { return a.Setresgid(-1, id, -1) }},
		{"filesystem user id", func(a *actor.Actor, id int) *actor.Call { return a.Raw(unix.SYS_SETFSUID, id) }},
		{"filesystem group id", func(a *actor.Actor, id int) *actor.Call { return a.Raw(unix.SYS_SETFSGID, id) }},
	} {
		Clause("pdeathsig.cleared-by-credentials", change.name, func() {
			parent := actor.New()
			child := mourner(parent)
			Must(change.make(child, FreshUser()))
			Expect(parentDeathSignal(child)).To(BeZero())
			parent.Exit(0)
			expectNoMourning(child)
		})
	}

	Clause("pdeathsig.kept-by-other-credentials", func() {
		parent := actor.New()
		child := mourner(parent)
		id := FreshUser()
		for _, change := range []*actor.Call{
			child.Setresgid(id, -1, -1), child.Setresgid(-1, -1, id), child.Setresgid(-1, Must(child.Raw(unix.SYS_GETEGID)), -1),
			child.Setresuid(id, -1, -1), child.Setresuid(-1, -1, id), child.Setresuid(-1, Must(child.Raw(unix.SYS_GETEUID)), -1),
		} {
			Must(change)
		}
		Expect(parentDeathSignal(child)).To(Equal(unix.SIGUSR1))
		parent.Exit(0)
		expectKills(child, unix.SIGUSR1)
	})

	Clause("get-pdeathsig.stores-setting", func() {
		a := actor.New()
		for _, sig := range []unix.Signal{0, unix.SIGUSR1, lastSignal} {
			Must(a.Prctl(unix.PR_SET_PDEATHSIG, sig))
			expectInt(a, unix.PR_GET_PDEATHSIG, int(sig))
		}
	})

	Clause("get-pdeathsig.efault", func() {
		a := actor.New()
		for _, m := range invalidPointers(a) {
			Expect(a.Prctl(unix.PR_GET_PDEATHSIG, m)).To(FailWith(unix.EFAULT))
		}
	})
})

var _ = Describe("prctl", func() {
	Clause("prctl.einval-operation", func() {
		a := actor.New()
		for _, operation := range []int{0, -1, math.MaxInt32, math.MinInt32, 0x7a7a} {
			Expect(a.Prctl(operation, 1)).To(FailWith(unix.EINVAL))
		}
	})
})
