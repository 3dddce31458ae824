package mutate

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// The flags of pidfd_send_signal and PIDFD_THREAD are younger than some kernels on which this is tested.
func TestScopeOfADescriptor(t *testing.T) {
	var r recording
	made := func(name, by string, result int64, args ...uint64) *call {
		c := &call{name: name, index: len(r.calls), actor: by, args: args, out: &actor.Outcome{Result: result}}
		r.calls = append(r.calls, c)
		return c
	}
	send := func(by string, fd uint64) *call {
		return made("pidfd_send_signal", by, 0, fd, uint64(unix.SIGUSR1), 0, 0)
	}

	made("pidfd_open", "A", 3, 100, 0)
	ofProcess := send("A", 3)
	made("pidfd_open", "A", 4, 100, unix.PIDFD_THREAD)
	ofThread := send("A", 4)
	made("pidfd_open", "A", -int64(unix.ESRCH), 100, 0)
	made("close", "A", 0, 4)
	made("pidfd_open", "A", 4, 100, 0)
	ofProcessAgain := send("A", 4)
	unknown := send("A", 5)
	ofAnother := send("B", 3)

	for _, c := range []struct {
		send *call
		want uint64
	}{
		{ofProcess, unix.PIDFD_SIGNAL_THREAD_GROUP},
		{ofThread, unix.PIDFD_SIGNAL_THREAD},
		{ofProcessAgain, unix.PIDFD_SIGNAL_THREAD_GROUP},
		{unknown, 0},
		{ofAnother, 0},
	} {
		if got := r.scope(c.send); got != c.want {
			t.Errorf("call %d of %s with descriptor %d: %#x, not %#x", c.send.index, c.send.actor, c.send.args[0], got, c.want)
		}
	}
}
