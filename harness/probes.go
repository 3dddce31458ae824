package harness

import (
	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// probes tell whether the kernel was built with an option that a clause allows it to lack. A probe
// says no only when the documented sign of the lack is there: whatever else is wrong is for the
// clause to find.
var probes = map[string]func() bool{
	// pipe(2): ENOPKG without support for notifications. O_NOTIFICATION_PIPE is O_EXCL.
	"CONFIG_WATCH_QUEUE": func() bool {
		return actor.New().Pipe2(unix.O_EXCL).Errno() != unix.ENOPKG
	},
}
