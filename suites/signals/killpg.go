package signals

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("killpg", func() {
	Clause("killpg.members-only", func() {
		a := killTarget()
		leader, member, group := killGroup(a)
		child := member.Fork() // in the group by inheritance
		outsider := member.Fork()
		Must(outsider.Setpgid(0, 0))

		Expect(a.Kill(-group, unix.SIGUSR1)).To(Return(0))
		for _, in := range []*actor.Actor{leader, member, child} {
			expectKills(in, unix.SIGUSR1)
		}
		expectNoKills(a, outsider)
	})

	Clause("killpg.other-session", func() {
		a := killTarget()
		leader := a.Fork()
		Must(leader.Setsid())
		member := leader.Fork()

		Expect(a.Kill(-leader.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(leader, unix.SIGUSR1)
		expectKills(member, unix.SIGUSR1)
		expectNoKills(a)
	})

	Clause("killpg.zero-own-group", func() {
		a := killTarget()
		leader, member, _ := killGroup(a)

		Expect(member.Kill(0, unix.SIGUSR1)).To(Return(0))
		expectKills(member, unix.SIGUSR1)
		expectKills(leader, unix.SIGUSR1)
		Expect(leader.Kill(0, unix.SIGUSR2)).To(Return(0))
		expectKills(member, unix.SIGUSR1, unix.SIGUSR2)
		expectKills(leader, unix.SIGUSR1, unix.SIGUSR2)
		expectNoKills(a)
	})

	Clause("killpg.zero-after-change", func() {
		a := killTarget()
		old, mover, _ := killGroup(a)
		another, _, group := killGroup(a)
		Must(mover.Setpgid(0, group))

		Expect(mover.Kill(0, unix.SIGUSR1)).To(Return(0))
		expectKills(mover, unix.SIGUSR1)
		expectKills(another, unix.SIGUSR1)
		expectNoKills(old, a)
	})

	Clause("killpg.einval", func() {
		a := killTarget()
		leader, member, group := killGroup(a)

		for _, sig := range invalidSignals {
			Expect(a.Kill(-group, sig)).To(FailWith(unix.EINVAL))
			Expect(leader.Kill(0, sig)).To(FailWith(unix.EINVAL))
		}
		expectNoKills(leader, member)
	})

	Clause("killpg.eperm-all-refuse", func() {
		a := killTarget()
		leader, member, group := killGroup(a)
		others := FreshUser()
		leader.BecomeUser(others)
		member.BecomeUser(others)
		sender := actor.New()
		sender.BecomeUser(FreshUser())

		for _, sig := range []unix.Signal{0, unix.SIGUSR1, unix.SIGCONT} {
			Expect(sender.Kill(-group, sig)).To(FailWith(unix.EPERM))
		}
		expectNoKills(leader, member)
	})

	Clause("killpg.some-refuse", func() {
		own, others := FreshUser(), FreshUser()
		sender := actor.New()
		sender.BecomeUser(own)
		for permitted := range 3 {
			a := killTarget()
			leader, member, group := killGroup(a)
			members := []*actor.Actor{leader, member, member.Fork()}
			for i, m := range members {
				if i == permitted {
					m.BecomeUser(own)
				} else {
					m.BecomeUser(others)
				}
			}

			Expect(sender.Kill(-group, unix.SIGUSR1)).To(Return(0))
			for i, m := range members {
				if i == permitted {
					expectKills(m, unix.SIGUSR1)
				} else {
					expectNoKills(m)
				}
			}
		}
	})

	Clause("killpg.esrch", func() {
		a := killTarget()
		child := a.Fork()
		Expect(a.Kill(-child.PID(), unix.SIGUSR1)).To(FailWith(unix.ESRCH))
		Expect(a.Kill(-deadAndReaped(a, true), unix.SIGUSR1)).To(FailWith(unix.ESRCH))
		expectNoKills(a, child)
	})

	Clause("killpg.esrch-left", func() {
		a := killTarget()
		child := a.Fork()
		Must(child.Setpgid(0, 0))
		Expect(a.Kill(-child.PID(), unix.SIGUSR1)).To(Return(0))
		expectKills(child, unix.SIGUSR1)
		Must(child.Setpgid(0, a.PID()))

		Expect(a.Kill(-child.PID(), unix.SIGUSR2)).To(FailWith(unix.ESRCH))
		expectKills(child, unix.SIGUSR1)
	})
})
