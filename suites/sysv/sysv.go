// Package sysv checks what Linux documents about System V IPC: shared memory segments, semaphore sets
// and message queues, their keys, ids, permissions and limits, /proc/sysvipc, and IPC namespaces.
package sysv

import (
	"embed"

	"github.com/ipcspec/ipcspec/harness"
)

//go:embed *.yaml
var pages embed.FS

var _ = harness.Suite("sysv", pages)
