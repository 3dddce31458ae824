// Planted is a program with clauses whose checks are weak, and some whose checks are not. The tests
// of package mutate execute it to see that mutation testing tells them apart.
package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/spec"
)

//go:embed *.yaml
var pages embed.FS

var _ = Suite("planted", pages)

var _ = Describe("A check", func() {
	// full is a pipe with O_NONBLOCK that takes no more.
	full := func(a *actor.Actor) (r, w, count int) {
		r, w = a.Pipe(unix.O_NONBLOCK)
		return r, w, a.Fill(w)
	}

	Clause("planted.vacuous", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Write(w, []byte("hello"))
		read := a.Read(r, 5)
		Expect(read).NotTo(BeNil())
	})

	Clause("planted.sound", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Write(w, []byte("hello"))).To(Return(5))
		Expect(a.Read(r, 5)).To(ReturnData("hello"))
		Expect(a.Read(r, 5)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.error-only", func() {
		a := actor.New()
		r, w, _ := full(a)
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
		Must(a.Read(r, 1)) // and nobody looks how much is there
	})

	Clause("planted.error-and-state", func() {
		a := actor.New()
		r, w, count := full(a)
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EAGAIN))
		read := a.Repeat(count/64+1).Read(r, 64)
		Expect(read).To(FailWith(unix.EAGAIN))
		Expect(read.Total()).To(Equal(count))
	})

	Clause("planted.wrong-descriptor", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		other, _ := a.Pipe(unix.O_NONBLOCK)
		a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)
		Expect(a.Read(other, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.right-descriptor", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("planted.blocks", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		read := a.Fork().Begin().Read(r, 9)
		Expect(read).To(Block())
		Expect(a.Write(w, []byte("late"))).To(Return(4))
		Expect(read).To(ReturnData("late"))
	})

	Clause("planted.blocks-unseen", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		read := a.Fork().Begin().Read(r, 9)
		Expect(a.Write(w, []byte("late"))).To(Return(4))
		Expect(read).To(ReturnData("late"))
	})

	Clause("planted.signal", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		a.Handle(unix.SIGPIPE, 0)
		Must(a.Close(r))
		Expect(a.Write(w, []byte("x"))).To(FailWith(unix.EPIPE))
		events := a.Events()
		Expect(events).To(HaveLen(1))
		Expect(events[0].Signal).To(Equal(unix.SIGPIPE))
		Expect(events[0].Info.Signo()).To(Equal(unix.SIGPIPE))
	})

	Clause("planted.exec", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_CLOEXEC)
		a.Exec()
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("planted.steps", func() {
		By("using ginkgo's words")
		a := actor.New()
		Expect(a.Getpid()).To(Return(a.PID()))
	})

	Clause("planted.kills-whom-it-is-told", func() {
		a := actor.New()
		child := a.Fork()
		pid := child.Getpid().Value() // told −1 or another's, it would signal strangers
		if kill := a.Kill(pid, 0); pid == child.PID() {
			Expect(kill).To(Return(0))
		} else {
			Expect(kill).To(FailWith(unix.ESRCH), "kill of %d", pid)
		}
	})

	// carries has bytes go through a pipe with O_CLOEXEC, and does not look at the flag.
	carries := func() {
		a := actor.New()
		pipe := a.Pipe2(unix.O_CLOEXEC)
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 10)).To(ReturnData("x"))
	}
	Clause("planted.names-a-flag", carries)
	Clause("planted.names-no-flag", carries)

	Clause("planted.minds-a-flag", func() {
		a := actor.New()
		pipe := a.Pipe2(unix.O_CLOEXEC)
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("planted.deviates", func() {
		Expect(actor.New().Getpid()).To(Return(0))
	})

	Clause("planted.no-such-call", func() {
		Expect(actor.New().Getpid()).To(ReturnFD())
	})

	Clause("planted.loops", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for a.Read(r, 0).Value() != 0 { // a lie makes this wait for ever, without a call
			select {}
		}
		Expect(a.Write(w, []byte("x"))).To(Return(1))
		Expect(a.Read(r, 1)).To(ReturnData("x"))
	})
})

func main() {
	if mutate.InWorker() {
		os.Exit(mutate.RunWorker())
	}
	o := mutate.Options{Filter: spec.Filter{IDs: os.Args[1:]}, Procs: 2, Seed: 1, Silence: silence}
	if seed, err := strconv.ParseInt(os.Getenv("SEED"), 10, 64); err == nil {
		o.Seed, o.Most = seed, 10
	}
	var all strings.Builder
	o.Results = &all
	found, err := mutate.Local(context.Background(), o)
	if err == nil {
		err = found.WriteJSON(os.Stdout)
	}
	if err == nil && os.Getenv("RESULTS") != "" {
		err = os.WriteFile(os.Getenv("RESULTS"), []byte(all.String()), 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// silence is short, since a spec here does hang.
const silence = 3_000_000_000
