// Package events checks what Linux documents about waiting for events: poll(2), select(2), epoll(7) and
// its calls, eventfd(2) and timerfd_create(2) with its companions.
package events

import (
	"embed"

	"github.com/ipcspec/ipcspec/harness"
)

//go:embed *.yaml
var pages embed.FS

var _ = harness.Suite("events", pages)
