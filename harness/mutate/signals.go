package mutate

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// Lies about calls that have to do with signals and timers.

const (
	ssDisable    = 2
	ssAutodisarm = 1 << 31
)

// sends are the calls that send a signal: which argument names the target, and which the signal.
var sends = map[string]struct{ target, sig int }{
	"kill": {0, 1}, "tkill": {0, 1}, "tgkill": {1, 2}, "rt_sigqueueinfo": {0, 1}, "rt_tgsigqueueinfo": {1, 2}, "pidfd_send_signal": {-1, 1},
}

// makesParticulars are the calls that decide what is in the siginfo_t of a signal.
var makesParticulars = set("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
	"timer_create", "timer_settime", "setitimer", "alarm", "exit", "exit_group")

// another returns a signal that is easily taken for sig.
func another(sig uint64) uint64 {
	switch unix.Signal(sig) {
	case 0, unix.SIGUSR2:
		return uint64(unix.SIGUSR1)
	case unix.SIGUSR1:
		return uint64(unix.SIGUSR2)
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // one that stops nobody
		return uint64(unix.SIGURG)
	case unix.SIGTERM:
		return uint64(unix.SIGUSR1)
	case 64:
		return 63
	}
	return sig + 1
}

// signalArguments lies about signals, targets, masks and times that a call is given.
func (b *builder) signalArguments(c *call) {
	if at, ok := sends[c.name]; ok && c.harmless {
		b.sending(c, at.target, at.sig)
	}
	switch c.name {
	case "rt_sigaction":
		b.inMemory(c, 1, 8, 8, dispositionFlags)
		b.mask(c, 1, 24)
		if v := c.args[0]; v > 0 && v < 64 {
			b.add(c, Argument, fmt.Sprintf("was made with %s instead of %s", actor.SignalName(unix.Signal(another(v))), actor.SignalName(unix.Signal(v))), with(0, another(v)))
		}
	case "rt_sigprocmask":
		b.mask(c, 1, 0)
		if c.args[1] != 0 && c.args[0] <= unix.SIG_SETMASK {
			for how := range uint64(unix.SIG_SETMASK + 1) {
				if how != c.args[0] {
					m := b.add(c, Argument, "was made with "+actor.Flags("sighow", how)+" instead of "+actor.Flags("sighow", c.args[0]), with(0, how))
					m.liar = unlessSameMask(c.args[0], how, 0, m.liar)
				}
			}
		}
	case "rt_sigsuspend", "rt_sigtimedwait":
		b.mask(c, 0, 0)
	case "signalfd4":
		b.mask(c, 1, 0)
	case "sigaltstack":
		flags := []flag{{ssDisable, "SS_DISABLE"}, {ssAutodisarm, "SS_AUTODISARM"}}
		if disablesStack(c) {
			b.plan.exclude(ruleNoStack, 1)
			flags = flags[:1]
		}
		b.inMemory(c, 0, 8, 4, flags)
	case "setitimer":
		b.times(c, 1, 1e6)
	case "timer_settime", "timerfd_settime":
		b.times(c, 2, 1e9)
	}
}

// disablesStack says that a sigaltstack takes the stack away, with a flag of stacks.
func disablesStack(c *call) bool {
	const setting, flags = 0, 8
	region := slices.Index(c.regions, setting)
	if c.in == nil || region < 0 || len(c.in.Memory[region]) < flags+4 {
		return false
	}
	held := binary.NativeEndian.Uint32(c.in.Memory[region][flags:])
	return held&ssDisable != 0 && held&ssAutodisarm != 0
}

// scope is the flag that asks a pidfd_send_signal for the scope which its descriptor has by itself, 0 where
// that is not known.
func (r *recording) scope(c *call) uint64 {
	for i := c.index - 1; i >= 0; i-- {
		o := r.calls[i]
		if o.name != "pidfd_open" || o.actor != c.actor || o.out == nil || o.failed() || o.out.Result != int64(int32(c.args[0])) {
			continue
		}
		if o.args[1]&unix.PIDFD_THREAD != 0 {
			return unix.PIDFD_SIGNAL_THREAD
		}
		return unix.PIDFD_SIGNAL_THREAD_GROUP
	}
	return 0
}

const firstRealTime = 32

// unordered says that two signals which an actor has caught one after the other may come in either order:
// standard signals that were sent with nothing in between by which the spec could know that it had
// the first one.
func (r *recording) unordered(name string, i int) bool {
	one, next := r.events[name][i].Signal, r.events[name][i+1].Signal
	if one >= firstRealTime || next >= firstRealTime || r.seenBy[name][i] != r.seenBy[name][i+1] {
		return false
	}
	first, last := -1, -1 // calls that send one of them
	for _, c := range r.calls {
		if at, ok := sends[c.name]; ok && !c.failed() && (unix.Signal(c.args[at.sig]) == one || unix.Signal(c.args[at.sig]) == next) {
			if first < 0 {
				first = c.index
			}
			last = c.index
		}
	}
	return !slices.ContainsFunc(r.calls[first+1:last+1], func(c *call) bool { return c.actor == name })
}

// unlessUnmoved takes it for no lie that a signal was not sent, or another one, where neither does
// anything to the target.
func unlessUnmoved(c *call, make func() *liar) func() *liar {
	at, ok := sends[c.name]
	if !ok || at.target < 0 || c.failed() {
		return make
	}
	return func() *liar {
		l := make()
		redirect := l.lie.Before
		l.lie.Before = func(live *actor.Call) {
			a, id := live.Actor(), int(int32(live.Args()[at.target]))
			sig := unix.Signal(live.Args()[at.sig])
			otherID, other := id, unix.Signal(l.lie.Args[at.sig]) // 0, which moves nobody, where it is not sent
			if redirect != nil {
				redirect(live)
				otherID, other = int(l.lie.Args[at.target]), sig
			}
			l.told = !a.Unmoved(id, sig) || !a.Unmoved(otherID, other)
		}
		return l
	}
}

// sending lies about what is sent to whom.
func (b *builder) sending(c *call, target, sig int) {
	v := c.args[sig]
	if v <= 64 {
		b.add(c, Argument, fmt.Sprintf("sent %s instead of %s", name(another(v)), name(v)), with(sig, another(v)))
	}
	if target < 0 {
		return
	}
	switch id := int32(c.args[target]); {
	case id < -1:
		b.add(c, Argument, "went to the leader of the process group only", redirected(target, func(live *actor.Call) int { return -int(int32(live.Args()[target])) }))
	case target == 1 && int32(c.args[0]) != id && int32(c.args[0]) > 0:
		b.add(c, Argument, "went to the leader of the thread group instead", redirected(target, func(live *actor.Call) int { return int(int32(live.Args()[0])) }))
	case target == 0 && id > 0 && int(id) != c.self && c.self != 0:
		b.add(c, Argument, "went to the caller instead", redirected(target, func(live *actor.Call) int { return live.OwnID(c.name == "tkill") }))
	}
}

// redirected makes a lie that sends a signal to somebody else of the spec's own: ids are other ones in
// each run.
func redirected(target int, to func(live *actor.Call) int) func() *actor.Lie {
	return func() *actor.Lie {
		l := &actor.Lie{Args: map[int]uint64{}}
		l.Before = func(live *actor.Call) {
			if id := to(live); id > 0 && live.Harmless() {
				l.Args[target] = uint64(id)
			}
		}
		return l
	}
}

func name(sig uint64) string {
	if sig == 0 {
		return "no signal"
	}
	return actor.SignalName(unix.Signal(sig))
}

// mask removes signals from a set that an argument points to, or adds one.
func (b *builder) mask(c *call, arg, off int) {
	region := slices.Index(c.regions, arg)
	if c.in == nil || region < 0 || off+8 > len(c.in.Memory[region]) {
		return
	}
	held := binary.NativeEndian.Uint64(c.in.Memory[region][off:])
	for _, sig := range signalsOf(held, 3) {
		if sig == unix.SIGKILL || sig == unix.SIGSTOP {
			continue // the kernel takes them out of every set
		}
		for _, m := range b.inMemory(c, arg, off, 8, []flag{{actor.Bit(sig), actor.SignalName(sig) + " in the set"}}) {
			m.Group = fmt.Sprintf("set of %s #%d", c.name, c.occurrence) // what one of them is for, another need not be
			if c.name == "rt_sigprocmask" {
				m.liar = unlessSameMask(c.args[0], c.args[0], actor.Bit(sig), m.liar)
			}
		}
	}
}

// signalsOf lists the first signals of a set; more than most are taken for a full set, of which one
// of each kind is given.
func signalsOf(set uint64, most int) []unix.Signal {
	var list []unix.Signal
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if set&actor.Bit(sig) != 0 {
			list = append(list, sig)
		}
	}
	if len(list) > most {
		list = slices.DeleteFunc(list, func(sig unix.Signal) bool { return sig != unix.SIGUSR1 && sig != 34 })
	}
	return list
}

// disarms says that a call sets a timer to zero.
func disarms(c *call) bool {
	const setting = 2 // the argument of timer_settime and timerfd_settime
	region := slices.Index(c.regions, setting)
	if c.in == nil || region < 0 || len(c.in.Memory[region]) < 32 {
		return false
	}
	value := c.in.Memory[region][16:32]
	return !slices.ContainsFunc(value, func(b byte) bool { return b != 0 })
}

// times lies about when a timer is to expire: struct itimerval or itimerspec.
func (b *builder) times(c *call, arg int, part uint64) {
	region := slices.Index(c.regions, arg)
	if c.in == nil || region < 0 || len(c.in.Memory[region]) < 32 {
		return
	}
	at := func(off int) uint64 { return binary.NativeEndian.Uint64(c.in.Memory[region][off:]) }
	put := func(words string, off int, v uint64) {
		m := b.add(c, Argument, words, func() *actor.Lie {
			return &actor.Lie{Before: func(live *actor.Call) {
				for i, r := range live.Regions() {
					if i == region && len(r.Bytes) >= off+16 {
						binary.NativeEndian.PutUint64(r.Bytes[off:], v/part)
						binary.NativeEndian.PutUint64(r.Bytes[off+8:], v%part)
					}
				}
			}}
		})
		m.Group = fmt.Sprintf("times of %s #%d", c.name, c.occurrence)
	}
	interval, value := at(0)*part+at(8), at(16)*part+at(24)
	if int64(at(0)) < 0 || int64(at(16)) < 0 || at(8) >= part || at(24) >= part || at(0) > 1<<32 || at(16) > 1<<32 {
		return
	}
	if interval != 0 {
		put("was made without the interval", 0, 0)
	} else if value != 0 {
		put("was made with an interval", 0, value)
	}
	if value > 1 {
		put("was made with half the time", 16, value/2)
	}
}

// signalEffects has a failing call about signals have an effect.
func signalEffects(c *call, put func(string, func(*actor.Call) bool)) {
	if at, ok := sends[c.name]; ok {
		sig, target := c.args[at.sig], at.target
		if target >= 0 && c.errno() != unix.ESRCH && sig > 0 && sig <= 64 && c.harmless && int32(c.args[target]) > 0 {
			put("the signal was sent", func(live *actor.Call) bool {
				return live.Actor().Strike(int(int32(live.Args()[target])), unix.Signal(sig))
			})
		}
		return
	}
	switch c.name {
	case "rt_sigprocmask":
		if region := slices.Index(c.regions, 1); c.errno() == unix.EINVAL && c.in != nil && region >= 0 && len(c.in.Memory[region]) == 8 {
			set := binary.NativeEndian.Uint64(c.in.Memory[region])
			put("the signals were blocked", func(live *actor.Call) bool {
				old := live.Actor().Quietly().Sigprocmask(unix.SIG_BLOCK, set)
				return old.OK() && old.Word()|set&^(actor.Bit(unix.SIGKILL)|actor.Bit(unix.SIGSTOP)) != old.Word()
			})
		}
	case "timer_settime":
		put("the timer was disarmed", func(live *actor.Call) bool {
			old := live.Actor().Quietly().TimerSettime(int(int32(live.Args()[0])), 0, actor.Itimer{})
			return old.OK() && old.Itimerspec().Value != 0
		})
	case "setitimer":
		put("the timer was disarmed", func(live *actor.Call) bool {
			old := live.Actor().Quietly().Setitimer(int(int32(c.args[0])), actor.Itimer{})
			return old.OK() && old.Itimerval().Value != 0
		})
	case "sigaltstack":
		put("the alternate stack was disabled", func(live *actor.Call) bool {
			old := live.Actor().Quietly().Sigaltstack(&actor.AltStack{Flags: ssDisable})
			return old.OK() && old.AltStack().Flags&ssDisable == 0
		})
	}
}

// sets of signals that a call tells.
func signalSet(c *call, arg int) []field {
	region := slices.Index(c.regions, arg)
	if region < 0 || c.out == nil || len(c.out.Memory[region]) < 8 {
		return nil
	}
	told := binary.NativeEndian.Uint64(c.out.Memory[region])
	list := signalsOf(told, 3)
	for _, sig := range []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, 34} {
		if told&actor.Bit(sig) == 0 {
			list = append(list, sig)
			break
		}
	}
	var fields []field
	for _, sig := range list {
		fields = append(fields, field{name: "whether " + actor.SignalName(sig) + " is in the set", size: 8, toggle: actor.Bit(sig)})
	}
	return fields
}

// waitStatus is the field of a wait status that tells most.
func waitStatus(c *call) []field {
	region := slices.Index(c.regions, 1)
	if region < 0 || len(c.out.Memory[region]) < 4 {
		return nil
	}
	if s := unix.WaitStatus(binary.NativeEndian.Uint32(c.out.Memory[region])); s.Signaled() {
		return []field{{name: "the signal in the wait status", size: 4, toggle: 0x3}}
	}
	return []field{{name: "the wait status", size: 4, toggle: 0x100}}
}
