package events

import (
	"encoding/binary"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// descriptors lists those below nfds that are in a set.
func descriptors(set *actor.FDSet, nfds int) []int {
	var found []int
	for fd := range nfds {
		if set.Has(fd) {
			found = append(found, fd)
		}
	}
	return found
}

// selects makes select of what can be read with a timeout (a struct timeval), and pselects pselect6 with
// a struct timespec and the structure of its mask; each bytes, a Mem or nil.
func selects(c actor.Caller, nfds int, read *actor.FDSet, timeout any) *actor.Call {
	return c.SelectFor(nfds, read, nil, nil, timeout)
}

func pselects(c actor.Caller, nfds int, read *actor.FDSet, timeout, mask any) *actor.Call {
	return c.PselectMasked(nfds, read, nil, nil, timeout, mask)
}

// expectSelected checks that a call which watches one descriptor for reading returns with it in the set,
// or with neither.
func expectSelected(fd int, ready bool, wait func(read *actor.FDSet) *actor.Call) {
	GinkgoHelper()
	read := actor.NewFDSet(fd)
	expectSelection(wait(read), read, fd, ready)
}

// expectSelection checks that a call has left a descriptor in its set and counted it if it is ready.
func expectSelection(call *actor.Call, read *actor.FDSet, fd int, ready bool) {
	GinkgoHelper()
	n := 0
	if ready {
		n = 1
	}
	Expect(call).To(Return(n))
	Expect(read.Has(fd)).To(Equal(ready))
}

// maskArgument lays out the last argument of pselect6: the address and the size of a mask.
func maskArgument(a *actor.Actor, size int, sigs ...unix.Signal) actor.Mem {
	argument := a.Alloc(16)
	argument.PutUint64(0, a.Bytes(signalMask(sigs...)).Addr)
	argument.PutUint64(8, uint64(size))
	return argument
}

var _ = Describe("The sets of select", func() {
	Clause("select.three-sets", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		Must(a.Write(there, oneByte))
		r, w := a.Pipe(0)
		nfds := w + 1
		read, write, except := actor.NewFDSet(here, r), actor.NewFDSet(here, there, w), actor.NewFDSet(here, r)
		Expect(a.Select(nfds, read, write, except, 0)).To(Return(4))
		Expect(descriptors(read, nfds)).To(Equal([]int{here}))
		Expect(descriptors(write, nfds)).To(Equal([]int{here, there, w}))
		Expect(descriptors(except, nfds)).To(BeEmpty())
	})

	Clause("select.null-sets", func() {
		a := actor.New()
		r, w := readyPipe(a)
		nfds := w + 1
		read, write := actor.NewFDSet(r), actor.NewFDSet(w)
		Expect(a.Select(nfds, read, nil, nil, 0)).To(Return(1))
		Expect(a.Select(nfds, nil, write, nil, 0)).To(Return(1))
		except := actor.NewFDSet(r, w)
		Expect(a.Select(nfds, nil, nil, except, 0)).To(Return(0))
		Expect(descriptors(except, nfds)).To(BeEmpty())
		Expect(a.Select(nfds, nil, nil, nil, 0)).To(Return(0))
		Expect(descriptors(read, nfds)).To(Equal([]int{r}))
		Expect(descriptors(write, nfds)).To(Equal([]int{w}))
	})

	Clause("select.read-set", func() {
		a := actor.New()
		var ready, not []int
		add := func(list *[]int, fd int) { *list = append(*list, fd) }
		pipe, _ := readyPipe(a)
		empty, _ := a.Pipe(0)
		ended, w := a.Pipe(0)
		Must(a.Close(w))
		add(&ready, pipe)
		add(&not, empty)
		add(&ready, ended)
		here, there := a.Sockets(unix.SOCK_STREAM)
		add(&not, here)
		Must(a.Write(here, oneByte))
		add(&ready, there)
		add(&ready, newEventfd(a, 1, 0))
		add(&not, newEventfd(a, 0, 0))
		add(&ready, expiredTimerfd(a, 0))
		add(&not, newTimerfd(a, 0))
		add(&ready, Must(a.Open("/dev/null", unix.O_RDONLY, 0)))
		const nfds = 32
		read := actor.NewFDSet(append(ready, not...)...)
		Expect(a.Select(nfds, read, nil, nil, 0)).To(Return(len(ready)))
		Expect(descriptors(read, nfds)).To(ConsistOf(ready))
	})

	Clause("select.write-set", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		_, full := a.Pipe(0)
		a.Fill(full)
		here, _ := a.Sockets(unix.SOCK_STREAM)
		atMost := fullEventfd(a, 0)
		const nfds = 16
		write := actor.NewFDSet(w, full, here, atMost)
		Expect(a.Select(nfds, nil, write, nil, 0)).To(Return(2))
		Expect(descriptors(write, nfds)).To(Equal([]int{w, here}))
	})

	Clause("select.except-set", func() {
		a := actor.New()
		master, slave := a.Terminal(0)
		r, _ := readyPipe(a)
		on := a.Alloc(4)
		on.PutUint32(0, 1)
		Must(a.Ioctl(master, unix.TIOCPKT, on))
		const nfds = 16
		except := actor.NewFDSet(master, r)
		Expect(a.Select(nfds, nil, nil, except, 0)).To(Return(0))
		Expect(descriptors(except, nfds)).To(BeEmpty())
		Must(a.Ioctl(slave, unix.TCFLSH, unix.TCIFLUSH))
		except = actor.NewFDSet(master, r)
		Expect(a.Select(nfds, nil, nil, except, 0)).To(Return(1))
		Expect(descriptors(except, nfds)).To(Equal([]int{master}))
	})

	Clause("select.sets-modified-in-place", func() {
		a := actor.New()
		one, w := a.Pipe(0)
		other, _ := readyPipe(a)
		const nfds = 16
		read := actor.NewFDSet(one, other)
		Expect(a.Select(nfds, read, nil, nil, 0)).To(Return(1))
		Expect(descriptors(read, nfds)).To(Equal([]int{other}))
		Must(a.Write(w, oneByte))
		Expect(a.Select(nfds, read, nil, nil, 0)).To(Return(1))
		Expect(descriptors(read, nfds)).To(Equal([]int{other}))
	})

	Clause("select.sets-cleared-on-timeout", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		_, full := a.Pipe(0)
		a.Fill(full)
		const nfds = 16
		read, write, except := actor.NewFDSet(r), actor.NewFDSet(full), actor.NewFDSet(r, full)
		Expect(a.Select(nfds, read, write, except, 1)).To(Return(0))
		for _, set := range []*actor.FDSet{read, write, except} {
			Expect(descriptors(set, nfds)).To(BeEmpty())
		}
	})

	Clause("select.large-sets", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		const high, nfds = 1500, 1501
		a.SetRlimit(unix.RLIMIT_NOFILE, nfds)
		Must(a.Dup2(r, high))
		const size = 192 // bytes, room for 1536 descriptors
		set := a.Alloc(size)
		setHigh := func() {
			clear(set.Bytes())
			set.Sub(high/8, 1).Bytes()[0] = 1 << (high % 8)
		}
		setHigh()
		Expect(a.Raw(unix.SYS_SELECT, nfds, set, nil, nil, duration(0, 0))).To(Return(0))
		Expect(set.Copy()).To(Equal(make([]byte, size)))
		setHigh()
		Must(a.Write(w, oneByte))
		Expect(a.Raw(unix.SYS_SELECT, nfds, set, nil, nil, duration(0, 0))).To(Return(1))
		Expect(set.Copy()[high/8]).To(Equal(byte(1 << (high % 8))))
	})

	Clause("select.beyond-table-ignored", func() {
		a := actor.New()
		r, w := readyPipe(a)
		read := actor.NewFDSet(r, 1000)
		Expect(a.Select(1001, read, nil, nil, 0)).To(Return(1))
		Expect(read.Has(r)).To(BeTrue())
		// One that the descriptor table has room for is refused.
		Expect(a.Select(w+2, actor.NewFDSet(r, w+1), nil, nil, 0)).To(FailWith(unix.EBADF))
	})

	Clause("select.closed-descriptor", func() {
		a := actor.New()
		r, w := readyPipe(a)
		closed := Must(a.Dup(r))
		Must(a.Close(closed))
		const nfds = 8
		for bad := range 3 {
			sets := []*actor.FDSet{actor.NewFDSet(r, w), actor.NewFDSet(r, w), actor.NewFDSet(r, w)}
			sets[bad] = actor.NewFDSet(r, w, closed)
			Expect(a.Select(nfds, sets[0], sets[1], sets[2], 0)).To(FailWith(unix.EBADF))
			for i, set := range sets {
				want := []int{r, w}
				if i == bad {
					want = append(want, closed)
				}
				Expect(descriptors(set, nfds)).To(Equal(want))
			}
		}
	})
})

var _ = Describe("How long select waits", func() {
	Clause("select.timeout-never-early", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, timeout := range []int64{1, 3} {
			before := now(a, unix.CLOCK_MONOTONIC)
			read := actor.NewFDSet(r)
			Expect(a.Select(r+1, read, nil, nil, int(timeout))).To(Return(0))
			Expect(read.Has(r)).To(BeFalse())
			Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", timeout*ms))
		}
	})

	Clause("select.sleeps-without-sets", func() {
		a := actor.New()
		before := now(a, unix.CLOCK_MONOTONIC)
		Expect(a.Select(0, nil, nil, nil, 2)).To(Return(0))
		Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", 2*ms))
	})

	for _, restart := range []struct {
		name  string
		flags uint64
	}{{"", 0}, {"SA_RESTART", actor.SA_RESTART}} {
		Clause("select.interrupted", restart.name, func() {
			a := actor.New()
			a.Handle(unix.SIGUSR1, restart.flags)
			r, _ := a.Pipe(0)
			read, except := actor.NewFDSet(r), actor.NewFDSet(r)
			interruptCall(a.Begin().Select(r+1, read, nil, except, -1))
			Expect(read.Has(r)).To(BeTrue())
			Expect(except.Has(r)).To(BeTrue())
		})
	}

	for _, nonblock := range []struct {
		name  string
		begin func(c actor.Caller, nfds int, read *actor.FDSet) *actor.Call
	}{
		{"select", func(c actor.Caller, nfds int, read *actor.FDSet) *actor.Call { return selects(c, nfds, read, nil) }},
		{"pselect6", func(c actor.Caller, nfds int, read *actor.FDSet) *actor.Call {
			return pselects(c, nfds, read, nil, nil)
		}},
	} {
		Clause("select.nonblock-no-effect", nonblock.name, func() {
			a := actor.New()
			r, w := a.Pipe(unix.O_NONBLOCK)
			other := a.Fork()
			read := actor.NewFDSet(r)
			call := nonblock.begin(a.Begin(), r+1, read)
			Expect(call).To(Block())
			Must(other.Write(w, oneByte))
			Expect(call).To(Return(1))
			Expect(read.Has(r)).To(BeTrue())
		})
	}

	Clause("select.self-pipe", func() {
		a := actor.New()
		a.HandleAndPark(unix.SIGUSR1, 0)
		r, w := a.Pipe(unix.O_NONBLOCK)
		other := a.Fork()
		wait := a.Begin().Select(r+1, actor.NewFDSet(r), nil, nil, -1)
		Expect(wait).To(Block())
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		a.AwaitPark(1)
		Expect(a.Write(w, oneByte)).To(Return(1)) // from inside the handler
		a.ReturnFromHandler()
		Expect(wait).To(FailWith(unix.EINTR))
		Expect(a).To(Catch(unix.SIGUSR1))
		read := actor.NewFDSet(r)
		Expect(a.Select(r+1, read, nil, nil, -1)).To(Return(1))
		Expect(read.Has(r)).To(BeTrue())
	})
})

// The time that is left, as select and pselect6 store it: for each a timeout of so much, and the
// nanoseconds in the second field's unit.
var remainders = []struct {
	id, name string
	part     int64
	wait     func(c actor.Caller, nfds int, read *actor.FDSet, timeout any) *actor.Call
}{
	{"select.remaining-after-", "", 1000, selects},
	{"select.pselect-remaining-time", "after an ", 1, func(c actor.Caller, nfds int, read *actor.FDSet, timeout any) *actor.Call {
		return pselects(c, nfds, read, timeout, nil)
	}},
}

var _ = Describe("The time that is left", func() {
	for _, r := range remainders {
		// clause names what the time is left after.
		clause := func(after string, body func()) {
			if r.name == "" {
				Clause(r.id+after, Offset(1), body)
			} else {
				Clause(r.id, r.name+after, Offset(1), body)
			}
		}
		clause("event", func() {
			a := actor.New()
			ready, _ := readyPipe(a)
			timeout := a.Bytes(duration(never/second, 0))
			expectSelected(ready, true, func(read *actor.FDSet) *actor.Call { return r.wait(a.Caller, ready+1, read, timeout) })
			expectRemaining(timeout, r.part)
		})
		clause("timeout", func() {
			a := actor.New()
			empty, _ := a.Pipe(0)
			timeout := a.Bytes(duration(0, soon/r.part))
			expectSelected(empty, false, func(read *actor.FDSet) *actor.Call { return r.wait(a.Caller, empty+1, read, timeout) })
			seconds, parts := remaining(timeout)
			Expect(seconds).To(BeZero())
			Expect(parts).To(BeZero())
		})
		clause("signal", func() {
			a := actor.New()
			a.Handle(unix.SIGUSR1, 0)
			empty, _ := a.Pipe(0)
			timeout := a.Bytes(duration(never/second, 0))
			interruptCall(r.wait(a.Begin(), empty+1, actor.NewFDSet(empty), timeout))
			expectRemaining(timeout, r.part)
		})
	}
})

var _ = Describe("select that fails", func() {
	Clause("select.bad-timeout", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		for _, bad := range [][]byte{duration(-1, 0), duration(0, -1)} {
			read := actor.NewFDSet(r)
			Expect(selects(a.Caller, r+1, read, bad)).To(FailWith(unix.EINVAL))
			Expect(read.Has(r)).To(BeTrue())
		}
	})

	Clause("select.pselect-bad-timeout", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		for _, bad := range [][]byte{duration(-1, 0), duration(0, -1), duration(0, second)} {
			Expect(pselects(a.Caller, r+1, actor.NewFDSet(r), bad, nil)).To(FailWith(unix.EINVAL))
		}
		expectSelected(r, true, func(read *actor.FDSet) *actor.Call { return pselects(a.Caller, r+1, read, duration(0, second-1), nil) })
	})

	Clause("select.nfds-negative", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		read := actor.NewFDSet(r)
		Expect(selects(a.Caller, -1, read, nil)).To(FailWith(unix.EINVAL))
		Expect(pselects(a.Caller, -1, read, nil, nil)).To(FailWith(unix.EINVAL))
		Expect(read.Has(r)).To(BeTrue())
	})

	Clause("select.nfds-above-limit", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		a.SetRlimit(unix.RLIMIT_NOFILE, 8)
		read := actor.NewFDSet(r)
		Expect(a.Select(1024, read, nil, nil, 0)).To(Return(1))
		Expect(read.Has(r)).To(BeTrue())
	})
})

var _ = Describe("pselect6", func() {
	Clause("select.pselect-nanoseconds", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		const ns = 1_234_567
		before := now(a, unix.CLOCK_MONOTONIC)
		expectSelected(r, false, func(read *actor.FDSet) *actor.Call { return pselects(a.Caller, r+1, read, duration(0, ns), nil) })
		Expect(now(a, unix.CLOCK_MONOTONIC) - before).To(BeNumerically(">=", ns))
	})

	Clause("select.pselect-mask-argument", func() {
		a := actor.New()
		r, _ := readyPipe(a)
		for _, size := range []int{0, 4, 7, 9, 16, 128} {
			Expect(pselects(a.Caller, r+1, actor.NewFDSet(r), nil, maskArgument(a, size))).To(FailWith(unix.EINVAL), "size %d", size)
		}
		expectSelected(r, true, func(read *actor.FDSet) *actor.Call { return pselects(a.Caller, r+1, read, nil, maskArgument(a, 8)) })
		// A null address means no mask, whatever the size.
		expectSelected(r, true, func(read *actor.FDSet) *actor.Call {
			return pselects(a.Caller, r+1, read, nil, binary.NativeEndian.AppendUint64(make([]byte, 8), 8))
		})
	})
})
