package events

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A maskedWait is a call that waits with a signal mask, and the ids of its clauses about that.
type maskedWait struct {
	nullMask, pending, masked, restored string // "" where there is none

	// on has an actor be ready to wait until it can read from a descriptor. The mask is nil for none, the
	// timeout in milliseconds, −1 for none.
	on func(a *actor.Actor, fd int) func(c actor.Caller, mask []unix.Signal, timeout int) maskedCall

	// The mask that the handler's return restores, when a signal has interrupted the call, is the actor's.
	handlerRestores bool
}

// A maskedCall is such a call, and how to judge whether it tells that the descriptor is ready.
type maskedCall struct {
	*actor.Call
	expect func(ready bool)
}

// blocking is a mask of these signals, perhaps of none.
func blocking(sigs ...unix.Signal) []unix.Signal { return append([]unix.Signal{}, sigs...) }

var maskedWaits = []maskedWait{
	{
		nullMask: "poll.ppoll-null-mask", pending: "poll.ppoll-pending-signal",
		masked: "poll.ppoll-masked-signal", restored: "poll.ppoll-mask-restored",
		on: func(_ *actor.Actor, fd int) func(actor.Caller, []unix.Signal, int) maskedCall {
			return func(c actor.Caller, mask []unix.Signal, timeout int) maskedCall {
				call := polls(c, fd, waitTimeout(timeout), maskOf(mask))
				return maskedCall{call, func(ready bool) {
					GinkgoHelper()
					if ready {
						Expect(call).To(ReturnRevents(pollIn))
					} else {
						Expect(call).To(ReturnRevents(0))
					}
				}}
			}
		},
	},
	{
		nullMask: "select.pselect-null-mask", pending: "select.pselect-pending-signal",
		masked: "select.pselect-masked-signal", restored: "select.pselect-mask-restored",
		on: func(a *actor.Actor, fd int) func(actor.Caller, []unix.Signal, int) maskedCall {
			return func(c actor.Caller, mask []unix.Signal, timeout int) maskedCall {
				var argument any
				if mask != nil {
					argument = maskArgument(a, 8, mask...)
				}
				read := actor.NewFDSet(fd)
				call := pselects(c, fd+1, read, waitTimeout(timeout), argument)
				return maskedCall{call, func(ready bool) {
					GinkgoHelper()
					expectSelection(call, read, fd, ready)
				}}
			}
		},
	},
	{
		nullMask: "epollwait.pwait-null-mask", pending: "epollwait.pwait-pending-signal",
		masked: "epollwait.pwait-event-before-signal-mask", restored: "epollwait.pwait-mask-restored",
		on: onEpoll(func(c actor.Caller, epfd int, mask any, timeout int) *actor.Call {
			return c.EpollPwaitMasked(epfd, 2, timeout, mask)
		}),
		handlerRestores: true,
	},
	{
		restored: "epollwait.pwait2-mask",
		on: onEpoll(func(c actor.Caller, epfd int, mask any, timeout int) *actor.Call {
			return c.EpollPwait2(epfd, 2, waitTimeout(timeout), mask)
		}),
		handlerRestores: true,
	},
}

// onEpoll is for calls that wait for a descriptor by an epoll instance.
func onEpoll(wait func(c actor.Caller, epfd int, mask any, timeout int) *actor.Call) func(*actor.Actor, int) func(actor.Caller, []unix.Signal, int) maskedCall {
	return func(a *actor.Actor, fd int) func(actor.Caller, []unix.Signal, int) maskedCall {
		epfd := newEpoll(a)
		add(a, epfd, fd, unix.EPOLLIN, 1)
		return func(c actor.Caller, mask []unix.Signal, timeout int) maskedCall {
			call := wait(c, epfd, maskOf(mask), timeout)
			return maskedCall{call, func(ready bool) {
				GinkgoHelper()
				if ready {
					Expect(call).To(ReturnEvents(fired))
				} else {
					Expect(call).To(Return(0))
				}
			}}
		}
	}
}

// waitTimeout lays out a timeout in milliseconds, nil for none.
func waitTimeout(timeout int) any {
	if timeout < 0 {
		return nil
	}
	return duration(0, int64(timeout)*ms)
}

// maskOf lays out a mask, nil for none.
func maskOf(mask []unix.Signal) any {
	if mask == nil {
		return nil
	}
	return signalMask(mask...)
}

// expectMask checks that the actor blocks exactly these signals.
func expectMask(a *actor.Actor, sigs ...unix.Signal) {
	GinkgoHelper()
	mask := a.Sigprocmask(unix.SIG_BLOCK, nil)
	Expect(mask).To(Return(0))
	Expect(mask.Word()).To(Equal(actor.Mask(sigs...)))
}

var _ = Describe("A wait with a signal mask", func() {
	for _, m := range maskedWaits {
		// begin makes an actor that handles SIGUSR1, and another; the first waits for a pipe.
		begin := func() (a, other *actor.Actor, r, w int, wait func(actor.Caller, []unix.Signal, int) maskedCall) {
			a = actor.New()
			a.Handle(unix.SIGUSR1, 0)
			r, w = a.Pipe(0)
			wait = m.on(a, r)
			return a, a.Fork(), r, w, wait
		}

		if m.nullMask != "" {
			Clause(m.nullMask, func() {
				a, other, _, w, wait := begin()
				a.SetMask(unix.SIGUSR1)
				wait(a.Caller, nil, 0).expect(false)
				call := wait(a.Begin(), nil, -1)
				Expect(call.Call).To(Block())
				Must(other.Kill(a.PID(), unix.SIGUSR1))
				Expect(call.Call).To(Block())
				Must(other.Write(w, oneByte))
				call.expect(true)
				Expect(a).To(Catch())
			})

			Clause(m.pending, func() {
				a, other, _, _, wait := begin()
				a.SetMask(unix.SIGUSR1)
				Must(other.Kill(a.PID(), unix.SIGUSR1))
				Expect(wait(a.Caller, blocking(), -1).Call).To(FailWith(unix.EINTR))
				Expect(a).To(Catch(unix.SIGUSR1))
			})

			Clause(m.masked, func() {
				a, other, _, w, wait := begin()
				call := wait(a.Begin(), blocking(unix.SIGUSR1), -1)
				Expect(call.Call).To(Block())
				Must(other.Kill(a.PID(), unix.SIGUSR1))
				Expect(call.Call).To(Block())
				Expect(a).To(Catch())
				Must(other.Write(w, oneByte))
				call.expect(true)
				Expect(a).To(Catch(unix.SIGUSR1))
			})
		}

		Clause(m.restored, func() {
			a, other, r, w, wait := begin()
			a.SetMask(unix.SIGUSR1, unix.SIGHUP)
			wait(a.Caller, blocking(unix.SIGTERM), 1).expect(false)
			expectMask(a, unix.SIGUSR1, unix.SIGHUP)
			Must(other.Write(w, oneByte))
			wait(a.Caller, blocking(unix.SIGTERM), -1).expect(true)
			expectMask(a, unix.SIGUSR1, unix.SIGHUP)
			Must(a.Read(r, 1))
			interruptCall(wait(a.Begin(), blocking(unix.SIGTERM), -1).Call)
			expectMask(a, unix.SIGUSR1, unix.SIGHUP)
			if m.handlerRestores {
				Expect(a.Events()[0].Mask).To(Equal(actor.Mask(unix.SIGUSR1, unix.SIGHUP)), "the mask that the handler's return restores")
			}
		})
	}
})
