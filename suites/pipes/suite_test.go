package pipes

import (
	"testing"

	"github.com/ipcspec/ipcspec/harness"
)

func TestPipes(t *testing.T) { harness.RunSuite(t, "pipes") }
