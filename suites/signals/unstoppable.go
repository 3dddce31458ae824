package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// expectTakesEffect checks that SIGKILL ends a child and that SIGSTOP stops it.
func expectTakesEffect(parent, child *actor.Actor, sig unix.Signal) {
	GinkgoHelper()
	Expect(parent.Kill(child.PID(), sig)).To(Return(0))
	status := waitStatus(parent, child, unix.WUNTRACED)
	if sig == unix.SIGKILL {
		Expect(status).To(Equal(killedBy(sig)))
	} else {
		Expect(status).To(Equal(stoppedBy(sig)))
	}
}

var _ = Describe("A signal that is not to be stopped", func() {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
		name := lowName(sig)

		Clause("signal."+name+"-not-caught", func() {
			parent, child, _ := familyOf()

			Expect(child.Sigaction(sig, actor.SA_SIGINFO, 0)).To(FailWith(unix.EINVAL))
			expectTakesEffect(parent, child, sig)
		})

		Clause("signal."+name+"-not-ignored", func() {
			parent, child, _ := familyOf()

			Expect(child.Raw(unix.SYS_RT_SIGACTION, sig, ignoring, nil, 8)).To(FailWith(unix.EINVAL))
			expectTakesEffect(parent, child, sig)
		})

		for _, how := range []struct {
			name string
			how  int
		}{{"SIG_BLOCK", unix.SIG_BLOCK}, {"SIG_SETMASK", unix.SIG_SETMASK}} {
			Clause("signal."+name+"-not-blocked", how.name, func() {
				parent, child, _ := familyOf()

				Expect(child.Sigprocmask(how.how, actor.Mask(sig, unix.SIGUSR1))).To(Return(0))
				expectMaskIs(child, unix.SIGUSR1)
				expectTakesEffect(parent, child, sig)
			})
		}

		Clause("signal."+name+"-not-blocked-by-handler", func() {
			parent, child, _ := familyOf()
			Expect(child.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, actor.Mask(sig, unix.SIGUSR2))).To(Return(0))
			child.Park(unix.SIGUSR1, true)
			Must(parent.Kill(child.PID(), unix.SIGUSR1))
			child.AwaitPark(1)

			expectMaskIs(child, unix.SIGUSR1, unix.SIGUSR2)
			Expect(child).To(Catch(unix.SIGUSR1))
			expectTakesEffect(parent, child, sig)
		})

		Clause("signal."+name+"-not-blocked-by-sigsuspend", func() {
			parent, child, _ := familyOf()

			suspend := child.Begin().Sigsuspend(allSignals)
			Expect(suspend).To(Block())
			expectTakesEffect(parent, child, sig)
		})

		Clause("signal."+name+"-not-accepted", func() {
			parent, child, _ := familyOf()
			blockSignals(child, sig)

			wait := child.Begin().Sigtimedwait(actor.Mask(sig), -1)
			Expect(wait).To(Block())
			expectTakesEffect(parent, child, sig)
		})
	}

	Clause("signal.sigkill-ends-stopped", func() {
		parent, child, _ := familyOf()
		Must(parent.Kill(child.PID(), unix.SIGSTOP))
		Expect(child.AwaitStopped()).To(BeTrue())

		Expect(parent.Kill(child.PID(), unix.SIGKILL)).To(Return(0))
		Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(unix.SIGKILL)))
	})

	Clause("signal.sigkill-ends-all-threads", func() {
		parent, child, _ := familyOf()
		threads := []*actor.Actor{child.Thread(), child.Thread()}
		for _, thread := range threads {
			blockSignals(thread, unix.SIGTERM)
			beginPause(thread)
		}

		Expect(parent.Tgkill(child.PID(), threads[0].TID(), unix.SIGKILL)).To(Return(0))
		Expect(waitStatus(parent, child, 0)).To(Equal(killedBy(unix.SIGKILL)))
		for _, thread := range threads {
			Expect(thread.AwaitGone()).To(BeTrue())
		}
	})
})

// ignoring is a struct sigaction whose handler is SIG_IGN.
var ignoring = append([]byte{1}, make([]byte, 31)...)
