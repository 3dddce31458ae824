package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// controlled makes an actor whose controlling terminal is a new one with a line of input, and whose
// process group is the foreground one.
func controlled() (leader *actor.Actor, slave int) {
	leader = actor.New() // which leads a session of its own
	master, slave := leader.Terminal(0)
	Must(leader.Ioctl(slave, unix.TIOCSCTTY, 0))
	Must(leader.Write(master, []byte("line\n")))
	return leader, slave
}

var _ = Describe("A read of the terminal by a background process", func() {
	Clause("read.eio-sigttin-ignored", func() {
		leader, tty := controlled()
		background := leader.Fork()
		Must(background.Setpgid(0, 0))
		background.Ignore(unix.SIGTTIN)

		Expect(background.Read(tty, 10)).To(FailWith(unix.EIO))
		Expect(leader.Read(tty, 10)).To(ReturnData("line\n"))
	})

	Clause("read.eio-sigttin-blocked", func() {
		leader, tty := controlled()
		background := leader.Fork()
		Must(background.Setpgid(0, 0))
		background.SetMask(unix.SIGTTIN)

		Expect(background.Read(tty, 10)).To(FailWith(unix.EIO))
		Expect(background.PendingSignals()).To(BeZero())
	})

	Clause("read.eio-orphaned", func() {
		leader, tty := controlled()
		parent := leader.Fork()
		Must(parent.Setpgid(0, 0))
		orphan := parent.Fork()
		// Nobody is left in the group whose parent is in another group of the session.
		parent.Exit(0)

		Expect(orphan.Read(tty, 10)).To(FailWith(unix.EIO))
	})
})
