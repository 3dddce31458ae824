// Package signals checks what Linux documents about signals, the calls that send, wait for, block
// and handle them, the timers that raise them, and the end of processes.
package signals

import (
	"embed"

	"github.com/ipcspec/ipcspec/harness"
)

//go:embed *.yaml
var pages embed.FS

var _ = harness.Suite("signals", pages)
