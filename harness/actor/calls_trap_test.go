package actor_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

func TestTrapsAreSignals(t *testing.T) {
	for _, trap := range []struct {
		kind Trap
		sig  unix.Signal
	}{{TrapIllegal, unix.SIGILL}, {TrapBreakpoint, unix.SIGTRAP}, {TrapDivide, unix.SIGFPE}} {
		t.Run(SignalName(trap.sig), func(t *testing.T) {
			perform(t)
			a := New()
			a.SetRlimit(unix.RLIMIT_CORE, 0)
			Expect(a.Fork().Trap(trap.kind)).To(BeKilledBy(trap.sig))
			a.Handle(trap.sig, 0)
			call := a.Trap(trap.kind)
			if trap.kind == TrapBreakpoint {
				Expect(call).To(Return(0))
			} else {
				Expect(call).To(FailWith(unix.EFAULT))
			}
			Expect(a).To(Catch(trap.sig))
			Expect(a.Getpid()).To(Return(a.PID()), "it goes on")
		})
	}
}
