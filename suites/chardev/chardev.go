// Package chardev checks what is documented about character devices: channel(4), the device of the
// module in modules/channel, and what poll(2), read(2), write(2), lseek(2), mmap(2) and others say of
// those that every system has.
package chardev

import (
	"embed"

	"github.com/ipcspec/ipcspec/harness"
)

//go:embed *.yaml
var pages embed.FS

var _ = harness.Suite("chardev", pages)
