package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// si_code of signals for I/O.
const (
	pollInCode  = 1
	pollOutCode = 2
)

// oneMore is what is written to make input possible.
var oneMore = []byte("x")

// signalDriven has a descriptor raise signals for its owner.
func signalDriven(a *actor.Actor, fd int) {
	Must(a.Fcntl(fd, unix.F_SETFL, unix.O_ASYNC))
}

// expectSIGIO judges that a SIGIO without further particulars is there for the actor, who blocks it.
func expectSIGIO(a *actor.Actor) {
	GinkgoHelper()
	wait := a.Sigtimedwait(setOf(unix.SIGIO), noTimeout)
	Expect(wait).To(Accept(unix.SIGIO))
	Expect(wait.Siginfo().Code()).To(Equal(actor.SI_KERNEL))
}

// acceptIO accepts the signal that F_SETSIG has chosen, which must tell of input on a descriptor.
func acceptIO(a *actor.Actor, sig unix.Signal, fd int) {
	GinkgoHelper()
	wait := a.Sigtimedwait(setOf(sig), noTimeout)
	Expect(wait).To(Accept(sig))
	info := wait.Siginfo()
	Expect(info.Code()).To(Equal(pollInCode))
	Expect(info.FD()).To(Equal(fd))
	Expect(info.Band() & unix.POLLIN).To(Equal(int64(unix.POLLIN)))
}

// Sources of input: each gives an actor a descriptor to read from and one to write to.
var inputSources = []struct {
	name string
	make func(a *actor.Actor) (r, w int)
}{
	{"pipe", func(a *actor.Actor) (int, int) { return a.Pipe(0) }},
	{"FIFO", func(a *actor.Actor) (int, int) {
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		return r, Must(a.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0))
	}},
	{"stream socket", func(a *actor.Actor) (int, int) { return a.Sockets(unix.SOCK_STREAM) }},
	{"datagram socket", func(a *actor.Actor) (int, int) { return a.Sockets(unix.SOCK_DGRAM) }},
}

var _ = Describe("The owner of a descriptor", func() {
	Clause("setown.process", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		other := a.Fork()
		signalDriven(a, r)

		for _, owner := range []*actor.Actor{a, other} {
			Expect(a.Fcntl(r, unix.F_SETOWN, owner.PID())).To(Return(0))
			Must(a.Write(w, oneMore))
			expectSIGIO(owner)
			expectNothing(a, unix.SIGIO)
			expectNothing(other, unix.SIGIO)
		}
	})

	Clause("setown.group", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		leader, member, outsider := a.Fork(), a.Fork(), a.Fork()
		Must(leader.Setpgid(0, 0))
		Must(member.Setpgid(0, leader.PID()))
		signalDriven(a, r)

		Expect(a.Fcntl(r, unix.F_SETOWN, -leader.PID())).To(Return(0))
		Must(a.Write(w, oneMore))
		expectSIGIO(leader)
		expectSIGIO(member)
		expectNothing(outsider, unix.SIGIO)
		expectNothing(a, unix.SIGIO)
	})

	Clause("setown.needs-async", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))

		Must(a.Write(w, oneMore))
		expectNothing(a, unix.SIGIO)
		signalDriven(a, r)
		Must(a.Write(w, oneMore))
		expectSIGIO(a)
		Must(a.Fcntl(r, unix.F_SETFL, 0))
		Must(a.Write(w, oneMore))
		expectNothing(a, unix.SIGIO)
	})

	for _, source := range inputSources {
		Clause("setown.input", source.name, func() {
			a := waiterFor(unix.SIGIO)
			r, w := source.make(a)
			Expect(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))
			signalDriven(a, r)

			expectNothing(a, unix.SIGIO)
			Must(a.Write(w, oneMore))
			expectSIGIO(a)
		})
	}

	Clause("setown.output", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		a.Fill(w)
		Expect(a.Fcntl(w, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))
		signalDriven(a, w)

		expectNothing(a, unix.SIGIO)
		Must(a.Read(r, 1<<16))
		expectSIGIO(a)
	})

	Clause("setown.output-socket", func() {
		a := waiterFor(unix.SIGIO)
		here, there := a.Sockets(unix.SOCK_STREAM)
		Expect(a.Fcntl(here, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))
		signalDriven(a, here)
		full := a.Fill(here)

		expectNothing(a, unix.SIGIO)
		for full > 0 {
			full -= Must(a.Read(there, full))
		}
		expectSIGIO(a)
	})

	Clause("setown.terminal", func() {
		a := waiterFor(unix.SIGIO)
		master, slave := a.Terminal(0)
		Expect(a.Fcntl(slave, unix.F_SETOWN, Must(a.Getpid()))).To(Return(0))
		signalDriven(a, slave)
		a.Sigtimedwait(setOf(unix.SIGIO), 0) // that output is possible may have been told

		Must(a.Write(master, []byte("x\n")))
		expectSIGIO(a)
	})

	Clause("setown.esrch", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))

		for _, nobody := range []int{0x3fffffff, -0x3fffffff} {
			Expect(a.Fcntl(r, unix.F_SETOWN, nobody)).To(FailWith(unix.ESRCH))
		}
		Expect(a.SetOwnEx(r, actor.Owner{Type: actor.F_OWNER_PID, PID: 0x3fffffff})).To(FailWith(unix.ESRCH))
		Expect(a.Fcntl(r, unix.F_GETOWN, 0)).To(Return(Must(a.Getpid())))
	})

	// strangers are two processes of two ordinary users, who may not signal each other.
	strangers := func() (owner, setter *actor.Actor) {
		owner = actor.New(actor.Unprivileged(FreshUser()))
		owner.SetMask(unix.SIGIO, unix.SIGUSR1)
		return owner, actor.New(actor.Unprivileged(FreshUser()))
	}
	// ownedBy has a process make a pipe with an owner, and write into it.
	ownedBy := func(setter, owner *actor.Actor) (r, w int) {
		r, w = setter.Pipe(0)
		Expect(setter.Fcntl(r, unix.F_SETOWN, owner.PID())).To(Return(0))
		signalDriven(setter, r)
		return r, w
	}

	Clause("setown.not-permitted", func() {
		owner, setter := strangers()
		Expect(setter.Kill(owner.PID(), unix.SIGIO)).To(FailWith(unix.EPERM))

		r, w := ownedBy(setter, owner)
		Expect(setter.Write(w, oneMore)).To(Return(1))
		expectNothing(owner, unix.SIGIO)
		Expect(setter.Fcntl(r, unix.F_GETOWN, 0)).To(Return(owner.PID()))
	})

	Clause("setown.permitted", func() {
		owner, _ := strangers()
		root := actor.New()
		_, w := ownedBy(root, owner)
		Must(root.Write(w, oneMore))
		expectSIGIO(owner)

		same := actor.New(actor.Unprivileged(Must(owner.Getuid())))
		_, w = ownedBy(same, owner)
		Must(same.Write(w, oneMore))
		expectSIGIO(owner)
	})

	Clause("setown.credentials-of-the-call", func() {
		owner, _ := strangers()
		setter := actor.New()
		_, w := ownedBy(setter, owner)

		// It is another user's now, who might not.
		setter.BecomeUser(FreshUser())
		Expect(setter.Kill(owner.PID(), unix.SIGIO)).To(FailWith(unix.EPERM))
		Must(setter.Write(w, oneMore))
		expectSIGIO(owner)
	})

	Clause("setown.sender-does-not-matter", func() {
		owner, _ := strangers()
		root := actor.New()
		r, w := root.Pipe(0)
		setter := root.Fork()
		setter.BecomeUser(FreshUser())
		Expect(setter.Fcntl(r, unix.F_SETOWN, owner.PID())).To(Return(0))
		signalDriven(setter, r)

		Must(root.Write(w, oneMore))
		expectNothing(owner, unix.SIGIO)
		Expect(root.Fcntl(r, unix.F_SETOWN, owner.PID())).To(Return(0))
		Must(root.Write(w, oneMore))
		expectSIGIO(owner)
	})

	Clause("setown.cap-kill-does-not-help", func() {
		const capKill = 5
		owner, _ := strangers()
		setter := actor.New(actor.Unprivileged(FreshUser()), actor.Keeping(1<<capKill))
		Expect(setter.Kill(owner.PID(), unix.SIGUSR1)).To(Return(0))

		_, w := ownedBy(setter, owner)
		Must(setter.Write(w, oneMore))
		expectNothing(owner, unix.SIGIO)
	})

	Clause("setown.urgent-data", func() {
		a := waiterFor(unix.SIGIO, unix.SIGURG)
		owner := a.Fork()
		one, two := a.TCP()
		Expect(a.Fcntl(two, unix.F_SETOWN, owner.PID())).To(Return(0))

		Must(a.Write(one, oneMore))
		Must(a.Raw(unix.SYS_SENDTO, one, []byte("!"), 1, unix.MSG_OOB, actor.Null, 0))
		Expect(owner.Sigtimedwait(setOf(unix.SIGURG), noTimeout)).To(Accept(unix.SIGURG))
		expectNothing(a, unix.SIGURG)
		exceptional := actor.NewFDSet(two)
		Must(a.Select(two+1, nil, nil, exceptional, noTimeout))
		Expect(exceptional.Has(two)).To(BeTrue())
	})

	Clause("setown.urgent-data-group", func() {
		a := waiterFor(unix.SIGURG)
		leader, member, outsider := a.Fork(), a.Fork(), a.Fork()
		Must(leader.Setpgid(0, 0))
		Must(member.Setpgid(0, leader.PID()))
		one, two := a.TCP()
		Expect(a.Fcntl(two, unix.F_SETOWN, -leader.PID())).To(Return(0))

		Must(a.Raw(unix.SYS_SENDTO, one, []byte("!"), 1, unix.MSG_OOB, actor.Null, 0))
		for _, each := range []*actor.Actor{leader, member} {
			Expect(each.Sigtimedwait(setOf(unix.SIGURG), noTimeout)).To(Accept(unix.SIGURG))
		}
		expectNothing(outsider, unix.SIGURG)
		expectNothing(a, unix.SIGURG)
	})

	Clause("setown-ex.urgent-data-thread", func() {
		a := waiterFor(unix.SIGURG)
		thread := a.Thread()
		one, two := a.TCP()
		Expect(a.SetOwnEx(two, actor.Owner{Type: actor.F_OWNER_TID, PID: thread.TID()})).To(Return(0))

		Must(a.Raw(unix.SYS_SENDTO, one, []byte("!"), 1, unix.MSG_OOB, actor.Null, 0))
		Expect(thread.Sigtimedwait(setOf(unix.SIGURG), noTimeout)).To(Accept(unix.SIGURG))
		expectNothing(a, unix.SIGURG)
	})
})

var _ = Describe("F_GETOWN", func() {
	Clause("getown.none", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		Expect(a.Fcntl(r, unix.F_GETOWN, 0)).To(Return(0))
	})

	Clause("getown.process", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		other := a.Fork()

		Must(a.Fcntl(r, unix.F_SETOWN, other.PID()))
		Must(a.Fcntl(w, unix.F_SETOWN, Must(a.Getpid())))
		for _, ignored := range []int{0, -1, 12345} {
			Expect(a.Fcntl(r, unix.F_GETOWN, ignored)).To(Return(other.PID()))
			Expect(a.Fcntl(w, unix.F_GETOWN, ignored)).To(Return(Must(a.Getpid())))
		}
	})

	Clause("getown.group", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		leader := a.Fork()
		Must(leader.Setpgid(0, 0))
		group := leader.PID()

		Must(a.Fcntl(r, unix.F_SETOWN, -group))
		own := a.Fcntl(r, unix.F_GETOWN, 0)
		if group <= 4095 { // it is told likewise, and looks like an error: getown.small-group
			Expect(own).To(FailWith(unix.Errno(group)))
			return
		}
		Expect(own).To(Return(-group))
	})

	Clause("getown.small-group", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Setpgid(0, 0))
		group := Must(a.Getpid()) // one of the first in its PID namespace
		Must(a.Fcntl(r, unix.F_SETOWN, -group))

		Expect(a.Fcntl(r, unix.F_GETOWN, 0)).To(FailWith(unix.Errno(group)))
		own := a.GetOwnEx(r)
		Expect(own).To(Return(0))
		Expect(own.Owner()).To(Equal(actor.Owner{Type: actor.F_OWNER_PGRP, PID: group}))
	})
})

var _ = Describe("F_SETOWN_EX", func() {
	Clause("setown-ex.thread", func() {
		a := waiterFor(unix.SIGIO, lowRT)
		r, w := a.Pipe(0)
		one, two := a.Thread(), a.Thread()
		signalDriven(a, r)

		for _, owner := range []*actor.Actor{two, one, a} {
			Expect(a.SetOwnEx(r, actor.Owner{Type: actor.F_OWNER_TID, PID: owner.TID()})).To(Return(0))
			Must(a.Write(w, oneMore))
			for _, other := range []*actor.Actor{a, one, two} {
				if other != owner {
					expectNothing(other, unix.SIGIO)
				}
			}
			expectSIGIO(owner)
		}
	})

	Clause("setown-ex.process", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		owner := a.Fork()
		thread := owner.Thread()
		signalDriven(a, r)

		Expect(a.SetOwnEx(r, actor.Owner{Type: actor.F_OWNER_PID, PID: owner.PID()})).To(Return(0))
		Must(a.Write(w, oneMore))
		expectNothing(a, unix.SIGIO)
		expectSIGIO(thread) // any of its threads
		expectNothing(owner, unix.SIGIO)
	})

	Clause("setown-ex.group", func() {
		a := waiterFor(unix.SIGIO)
		r, w := a.Pipe(0)
		leader, member := a.Fork(), a.Fork()
		Must(leader.Setpgid(0, 0))
		Must(member.Setpgid(0, leader.PID()))
		signalDriven(a, r)

		Expect(a.SetOwnEx(r, actor.Owner{Type: actor.F_OWNER_PGRP, PID: leader.PID()})).To(Return(0))
		Must(a.Write(w, oneMore))
		expectSIGIO(leader)
		expectSIGIO(member)
		expectNothing(a, unix.SIGIO)
	})

	Clause("setown-ex.invalid-type", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))

		for _, kind := range []int{3, -1} {
			Expect(a.SetOwnEx(r, actor.Owner{Type: kind, PID: Must(a.Getpid())})).To(FailWith(unix.EINVAL))
		}
		Expect(a.Fcntl(r, unix.F_GETOWN, 0)).To(Return(Must(a.Getpid())))
	})

	Clause("getown-ex.what-was-set", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		thread, child := a.Thread(), a.Fork()
		Must(child.Setpgid(0, 0))

		for _, owner := range []actor.Owner{
			{Type: actor.F_OWNER_TID, PID: thread.TID()}, {Type: actor.F_OWNER_PID, PID: child.PID()}, {Type: actor.F_OWNER_PGRP, PID: child.PID()},
		} {
			Expect(a.SetOwnEx(r, owner)).To(Return(0))
			own := a.GetOwnEx(r)
			Expect(own).To(Return(0))
			Expect(own.Owner()).To(Equal(owner))
		}
	})

	Clause("getown-ex.of-setown", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		child := a.Fork()
		Must(child.Setpgid(0, 0))

		Must(a.Fcntl(r, unix.F_SETOWN, child.PID()))
		own := a.GetOwnEx(r)
		Expect(own).To(Return(0))
		Expect(own.Owner()).To(Equal(actor.Owner{Type: actor.F_OWNER_PID, PID: child.PID()}))
		Must(a.Fcntl(r, unix.F_SETOWN, -child.PID()))
		own = a.GetOwnEx(r)
		Expect(own).To(Return(0))
		Expect(own.Owner()).To(Equal(actor.Owner{Type: actor.F_OWNER_PGRP, PID: child.PID()}))
	})
})

var _ = Describe("F_SETSIG", func() {
	// asynchronous is a pipe of an actor's that signals it.
	asynchronous := func(a *actor.Actor) (r, w int) {
		r, w = a.Pipe(0)
		Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))
		signalDriven(a, r)
		return r, w
	}

	Clause("getsig.default", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		for _, ignored := range []int{0, -1, 12345} {
			Expect(a.Fcntl(r, unix.F_GETSIG, ignored)).To(Return(0))
		}
	})

	Clause("getsig.what-was-set", func() {
		a := actor.New()
		r, _ := a.Pipe(0)

		for _, sig := range []int{int(unix.SIGIO), int(unix.SIGUSR1), 64, 0} {
			Expect(a.Fcntl(r, unix.F_SETSIG, sig)).To(Return(0))
			Expect(a.Fcntl(r, unix.F_GETSIG, 12345)).To(Return(sig))
		}
	})

	for _, sig := range []unix.Signal{lowRT, unix.SIGUSR1, unix.SIGIO} {
		Clause("setsig.signal", actor.SignalName(sig), func() {
			a := waiterFor(sig, unix.SIGIO)
			r, w := asynchronous(a)

			Expect(a.Fcntl(r, unix.F_SETSIG, int(sig))).To(Return(0))
			Must(a.Write(w, oneMore))
			acceptIO(a, sig, r)
			expectNothing(a, sig, unix.SIGIO)
		})
	}

	for _, source := range inputSources {
		Clause("setsig.input", source.name, func() {
			a := waiterFor(lowRT)
			r, w := source.make(a)
			Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))
			Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))
			signalDriven(a, r)

			Must(a.Write(w, oneMore))
			acceptIO(a, lowRT, r)
		})
	}

	Clause("setsig.output", func() {
		a := waiterFor(lowRT)
		r, w := a.Pipe(0)
		a.Fill(w)
		Must(a.Fcntl(w, unix.F_SETOWN, Must(a.Getpid())))
		Expect(a.Fcntl(w, unix.F_SETSIG, int(lowRT))).To(Return(0))
		signalDriven(a, w)

		Must(a.Read(r, 1<<16))
		info := accept(a, lowRT)
		Expect(info.Code()).To(Equal(pollOutCode))
		Expect(info.FD()).To(Equal(w))
		Expect(info.Band() & unix.POLLOUT).To(Equal(int64(unix.POLLOUT)))
	})

	Clause("setsig.handler", func() {
		a := actor.New()
		a.Handle(lowRT, 0)
		r, w := asynchronous(a)
		Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))

		Must(a.Write(w, oneMore))
		Expect(a).To(Catch(lowRT))
		Expect(a.Events()[0].Info.Code()).To(Equal(pollInCode))
		Expect(a.Events()[0].Info.FD()).To(Equal(r))
	})

	Clause("setsig.zero", func() {
		a := waiterFor(unix.SIGIO, lowRT)
		r, w := asynchronous(a)
		Must(a.Fcntl(r, unix.F_SETSIG, int(lowRT)))

		Expect(a.Fcntl(r, unix.F_SETSIG, 0)).To(Return(0))
		Must(a.Write(w, oneMore))
		expectSIGIO(a)
		expectNothing(a, lowRT)
	})

	Clause("setsig.invalid", func() {
		a := waiterFor(lowRT)
		r, w := asynchronous(a)
		Must(a.Fcntl(r, unix.F_SETSIG, int(lowRT)))

		for _, sig := range []int{65, -1, 1000} {
			Expect(a.Fcntl(r, unix.F_SETSIG, sig)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Fcntl(r, unix.F_GETSIG, 0)).To(Return(int(lowRT)))
		Must(a.Write(w, oneMore))
		acceptIO(a, lowRT, r)
	})

	for _, sig := range []unix.Signal{unix.SIGCHLD, unix.SIGTRAP} {
		Clause("setsig.si-sigio", actor.SignalName(sig), func() {
			a := waiterFor(sig)
			r, w := asynchronous(a)

			Expect(a.Fcntl(r, unix.F_SETSIG, int(sig))).To(Return(0))
			Must(a.Write(w, oneMore))
			info := accept(a, sig)
			Expect(info.Code()).To(Equal(actor.SI_SIGIO))
			Expect(info.FD()).To(Equal(r))
		})
	}

	Clause("setsig.queues", func() {
		a := waiterFor(lowRT)
		one, two := a.Sockets(unix.SOCK_DGRAM)
		for _, fd := range []int{one, two} {
			Must(a.Fcntl(fd, unix.F_SETOWN, Must(a.Getpid())))
			Expect(a.Fcntl(fd, unix.F_SETSIG, int(lowRT))).To(Return(0))
			signalDriven(a, fd)
		}

		// What has come in is told of one after the other, and so is on which descriptor.
		for _, to := range []int{one, two, two} {
			Must(a.Write(one+two-to, oneMore))
		}
		for _, fd := range []int{one, two, two} {
			acceptIO(a, lowRT, fd)
		}
		expectNothing(a, lowRT)
	})

	Clause("setsig.overflow-is-sigio", func() {
		a := waiterFor(lowRT, unix.SIGIO)
		r, w := asynchronous(a)
		Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		Must(a.Write(w, oneMore))
		expectSIGIO(a)
		expectNothing(a, lowRT)
	})

	Clause("setsig.overflow-to-the-thread", func() {
		a := waiterFor(lowRT, unix.SIGIO)
		thread := a.Thread()
		r, w := asynchronous(a)
		Must(a.SetOwnEx(r, actor.Owner{Type: actor.F_OWNER_TID, PID: thread.TID()}))
		Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 0)

		Must(a.Write(w, oneMore))
		expectNothing(a, unix.SIGIO)
		expectSIGIO(thread)
	})

	Clause("setsig.fd-of-setfl", func() {
		a := waiterFor(lowRT)
		r, w := a.Pipe(0)
		copied := Must(a.Dup(r))
		Must(a.Fcntl(r, unix.F_SETOWN, Must(a.Getpid())))
		Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))
		signalDriven(a, copied)

		Must(a.Write(w, oneMore))
		acceptIO(a, lowRT, copied)
	})

	Clause("setsig.fd-closed", func() {
		a := waiterFor(lowRT)
		r, w := asynchronous(a)
		Expect(a.Fcntl(r, unix.F_SETSIG, int(lowRT))).To(Return(0))
		Must(a.Dup(r))
		Must(a.Close(r))

		Must(a.Write(w, oneMore))
		acceptIO(a, lowRT, r)
	})
})
