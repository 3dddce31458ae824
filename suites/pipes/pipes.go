// Package pipes checks what Linux documents about pipes and FIFOs: pipe(2), pipe(7), fifo(7),
// mkfifo(3), and of read(2), write(2), readv(2), lseek(2), dup(2), splice(2), tee(2), vmsplice(2)
// and fcntl(2) what concerns them.
package pipes

import (
	"embed"

	"github.com/ipcspec/ipcspec/harness"
)

//go:embed *.yaml
var pages embed.FS

var _ = harness.Suite("pipes", pages)

var oneByte = []byte("x")
