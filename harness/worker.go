package harness

import (
	"fmt"
	"io"
	"os"

	"github.com/onsi/ginkgo/v2"
	"golang.org/x/sys/unix"
)

// InWorker says whether this process was started as a worker (package run). A program that holds
// suites asks this first and calls RunWorker then.
func InWorker() bool { return worker != nil }

// verdictIsInTheJournal is what ginkgo asks of a test's runner.
type verdictIsInTheJournal struct{}

func (verdictIsInTheJournal) Fail() {}

// RunWorker plays a worker's part and returns the exit code. What the specs find is in the
// journals; ginkgo's own words go to standard output.
func RunWorker() int {
	if settingsProblem != nil {
		fmt.Fprintln(os.Stderr, settingsProblem)
		return 2
	}
	go endWithDirector()
	Settings.TimeoutScale = worker.Run.Options.TimeoutScale
	Settings.Disposable = worker.Run.Options.Disposable
	config, reporting := ginkgo.GinkgoConfiguration()
	config.RandomSeed = worker.Run.Options.Seed
	config.RandomizeAllSpecs = worker.RandomizeAll
	config.LabelFilter = worker.LabelFilter
	config.Timeout = 0
	reporting.NoColor = true
	ginkgo.RunSpecs(verdictIsInTheJournal{}, "ipcspec", config, reporting)
	return 0
}

// endWithDirector ends this process when the one that directs it is gone: the director holds the
// other end of standard input. Nobody is left to whom results would matter; the keeper tidies up.
func endWithDirector() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
}
