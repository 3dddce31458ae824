package signals

import (
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// What waitid tells of a child.
const (
	cldExited    = 1
	cldKilled    = 2
	cldDumped    = 3
	cldTrapped   = 4
	cldStopped   = 5
	cldContinued = 6
)

// expectChild judges all that a waitid tells of a child.
func expectChild(wait *actor.Call, child *actor.Actor, code, status int) {
	info := wait.Siginfo()
	ExpectWithOffset(1, info.Signo()).To(Equal(unix.SIGCHLD))
	ExpectWithOffset(1, info.PID()).To(Equal(child.PID()))
	ExpectWithOffset(1, info.Code()).To(Equal(code))
	ExpectWithOffset(1, info.Status()).To(Equal(status))
}
