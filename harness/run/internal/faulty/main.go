// Faulty is a program whose specs do what specs must not do. The tests of package run execute it
// to see that each of them gets its right verdict and harms no other.
package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/signal"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/run"
	"github.com/ipcspec/ipcspec/harness/spec"
)

//go:embed *.yaml
var pages embed.FS

var _ = Suite("faulty", pages)

var _ = Describe("A faulty spec", func() {
	carries := func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData("x"))
	}

	Clause("faulty.conforms-first", carries)

	Clause("faulty.deviates", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("x")))
		Expect(a.Read(r, 1)).To(ReturnData("y"))
		a.Getpid()
	})

	// Deviates in one variant, as clauses may do that are expected to deviate.
	Clause("faulty.half", "conforms", carries)
	Clause("faulty.half", "deviates", func() {
		a := actor.New()
		Expect(a.Getpid()).To(Return(0))
	})

	Clause("faulty.call-hangs", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Read(r, 1)).To(Return(0))
	})

	Clause("faulty.spec-hangs", func() {
		Expect(actor.New().Getpid()).To(ReturnFD())
		select {}
	})

	Clause("faulty.panics", func() {
		actor.New()
		panic("out of cheese")
	})

	Clause("faulty.asserts-nothing", func() {
		actor.New().Pipe(0)
	})

	Clause("faulty.leaks", func() {
		a := actor.New()
		child := a.Fork()
		grandchild := child.Fork()
		grandchild.Ignore(unix.SIGTERM)
		child.Thread()
		// A child of which no actor is made: it runs on in its parent's place in the arena.
		Must(grandchild.Begin().Raw(unix.SYS_FORK))
		child.Exit(0)
		Expect(a.Getpid()).To(Return(a.PID()))
		fmt.Fprintln(os.Stderr, "leaked\nipcspec: leaked")
	})

	Clause("faulty.killed", func() {
		Expect(actor.New().Getpid()).To(ReturnFD())
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	})

	Clause("faulty.crashes", func() {
		actor.New()
		go func() { panic("no spec can recover from this") }()
		select {}
	})

	Clause("faulty.exits", func() {
		actor.New()
		os.Exit(0)
	})

	Clause("faulty.setup-fails", func() {
		a := actor.New()
		Must(a.Close(12345))
		Expect(a.Getpid()).To(Return(0))
	})

	Clause("faulty.setup-hangs", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Begin().Read(r, 1))
		Expect(a.Getpid()).To(Return(0))
	})

	Clause("faulty.skips", func() {
		Skip("I do not feel like it")
	})

	Clause("faulty.needs-the-moon", func() {
		Expect("this").To(Equal("never reached"))
	})

	Clause("faulty.needs-no-sysctl", func() {
		Expect("this").To(Equal("never reached"))
	})

	Clause("faulty.needs-a-later-sysctl", func() {
		Expect("this").To(Equal("never reached"))
	})

	Clause("faulty.too-new", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Read(r, 1)).To(Return(1))
	})

	Clause("faulty.actor-dies", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Expect(a.Begin().Kill(a.PID(), unix.SIGKILL)).To(BeKilledBy(unix.SIGKILL))
		Expect(a.Write(w, []byte("x"))).To(Return(1))
	})

	Clause("faulty.serial", carries)

	Clause("faulty.conforms-last", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Write(w, []byte("xy"))).To(Return(2))
		Expect(a.Read(r, 3)).To(ReturnData("xy"))
	})
})

// suite is what ginkgo asks of a test.
type suite struct{}

func (suite) Fail() {}

// main runs the clauses that its arguments name (all where there are none) with two workers and
// writes the results to the file in $RESULTS. $IPCSPEC_EXPECT names files of expectations. With
// $AS_SUITE, a label filter, it runs them as ginkgo and go test would, in one process.
func main() {
	if InWorker() {
		os.Exit(RunWorker())
	}
	if filter := os.Getenv("AS_SUITE"); filter != "" {
		config, reporting := GinkgoConfiguration()
		config.LabelFilter = filter
		if !RunSpecs(suite{}, "faulty", config, reporting) {
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results := os.Getenv("RESULTS")
	found, err := run.Local(ctx, run.Options{
		Filter: spec.Filter{IDs: os.Args[1:]}, Procs: 2, TimeoutScale: 0.03,
		Expect: Settings.Expect, Journal: results + ".ndjson", Progress: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := found.WriteResults(results); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
