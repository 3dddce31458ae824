package chardev

import (
	"testing"

	// Ginkgo's command takes a package for one of its suites only if a test file names it.
	_ "github.com/onsi/ginkgo/v2"

	"github.com/ipcspec/ipcspec/harness"
)

func TestCharDev(t *testing.T) { harness.RunSuite(t, "chardev") }
