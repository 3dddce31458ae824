package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// Signals to processes that sleep in a call of System V IPC.

// handlers are the ways to catch a signal, of which none has such a call restarted.
var handlers = []struct {
	name  string
	flags uint64
}{{"", 0}, {"SA_RESTART", actor.SA_RESTART}}

// catching has a child of the actor catch SIGUSR1.
func catching(a *actor.Actor, flags uint64) *actor.Actor {
	child := a.Fork()
	child.Handle(unix.SIGUSR1, flags)
	return child
}

// ignoring has a child of the actor ignore SIGUSR1.
func ignoring(a *actor.Actor) *actor.Actor {
	child := a.Fork()
	child.Ignore(unix.SIGUSR1)
	return child
}

// expectInterrupted judges that a call sleeps, and fails with EINTR when the signal comes that its actor
// catches.
func expectInterrupted(a *actor.Actor, call *actor.Call) {
	GinkgoHelper()
	Expect(call).To(Block())
	Must(a.Kill(call.Actor().PID(), unix.SIGUSR1))
	Expect(call).To(FailWith(unix.EINTR))
	Expect(call.Actor()).To(Catch(unix.SIGUSR1))
}

// expectUninterrupted judges that a call sleeps, and goes on sleeping when the signal comes that its actor
// ignores.
func expectUninterrupted(a *actor.Actor, call *actor.Call) {
	GinkgoHelper()
	Expect(call).To(Block())
	Must(a.Kill(call.Actor().PID(), unix.SIGUSR1))
	Expect(call).To(Block())
}
