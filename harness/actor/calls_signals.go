package actor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Calls about signals, with the kernel's names and structures. A signal set is a word whose bit n−1
// is signal n, as Bit gives it; where the kernel may take a null pointer for one, so does the
// argument: nil.

// sigsetSize is the size of the kernel's signal set, which every call about masks takes.
const sigsetSize = 8

// Mask returns the set of the given signals.
func Mask(sigs ...unix.Signal) uint64 {
	var set uint64
	for _, sig := range sigs {
		set |= Bit(sig)
	}
	return set
}

// sigset is a signal set as an argument; nil for a null pointer.
func sigset(set any) any {
	switch set := set.(type) {
	case uint64:
		return binary.NativeEndian.AppendUint64(nil, set)
	case []unix.Signal:
		return binary.NativeEndian.AppendUint64(nil, Mask(set...))
	}
	return set // nil, or a Mem of the spec's own
}

// Word waits for a call that stores a 64-bit word, such as a signal set, and returns it.
func (c *Call) Word() uint64 {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(c.data)
}

// Sigprocmask is rt_sigprocmask(2). The set is a uint64 or []unix.Signal, a Mem, or nil to change
// nothing; the old set is in Call.Word.
func (c Caller) Sigprocmask(how int, set any) *Call {
	return c.into2(unix.SYS_RT_SIGPROCMASK, sigsetSize, 2, how, sigset(set), nil, sigsetSize)
}

// Sigpending is rt_sigpending(2); the set is in Call.Word.
func (c Caller) Sigpending() *Call {
	return c.into2(unix.SYS_RT_SIGPENDING, sigsetSize, 0, nil, sigsetSize)
}

// Sigsuspend is rt_sigsuspend(2).
func (c Caller) Sigsuspend(set any) *Call {
	return c.call(unix.SYS_RT_SIGSUSPEND, sigset(set), sigsetSize)
}

// Sigtimedwait is rt_sigtimedwait(2) with a timeout in nanoseconds (−1: none, as sigwaitinfo(2)
// does); the particulars of the signal are in Call.Siginfo.
func (c Caller) Sigtimedwait(set any, ns int64) *Call {
	var ts any
	if ns >= 0 {
		ts = timespec(ns)
	}
	return c.into2(unix.SYS_RT_SIGTIMEDWAIT, siginfoSize, 1, sigset(set), nil, ts, sigsetSize)
}

const siginfoSize = 128

// Siginfo waits for a call that stores a siginfo_t (rt_sigtimedwait, waitid) and returns it.
func (c *Call) Siginfo() Siginfo {
	c.regard |= Inspected
	c.wait()
	s := Siginfo{looks: &c.looked}
	copy(s.Raw[:], c.data)
	return s
}

// Queued returns a siginfo_t as sigqueue(3) gives it to the kernel: si_signo, si_code, and
// si_pid, si_uid and si_value of a queued signal.
func Queued(sig unix.Signal, code, pid, uid int, value uint64) []byte {
	b := make([]byte, siginfoSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(sig))
	binary.NativeEndian.PutUint32(b[8:], uint32(int32(code)))
	binary.NativeEndian.PutUint32(b[16:], uint32(pid))
	binary.NativeEndian.PutUint32(b[20:], uint32(uid))
	binary.NativeEndian.PutUint64(b[24:], value)
	return b
}

// Sigqueue is rt_sigqueueinfo(2) as sigqueue(3) makes it: SI_QUEUE, with the caller's own pid and
// uid, which it asks for first.
func (c Caller) Sigqueue(pid int, sig unix.Signal, value uint64) *Call {
	self := Caller{a: c.a, quiet: true}
	return c.RtSigqueueinfo(pid, sig, Queued(sig, SI_QUEUE, must(self.Getpid()), must(self.Getuid()), value))
}

// RtSigqueueinfo is rt_sigqueueinfo(2) with a siginfo_t: bytes (see Queued), a Mem or nil.
func (c Caller) RtSigqueueinfo(pid int, sig unix.Signal, info any) *Call {
	return c.call(unix.SYS_RT_SIGQUEUEINFO, pid, sig, info)
}

// RtTgsigqueueinfo is rt_tgsigqueueinfo(2), likewise.
func (c Caller) RtTgsigqueueinfo(tgid, tid int, sig unix.Signal, info any) *Call {
	return c.call(unix.SYS_RT_TGSIGQUEUEINFO, tgid, tid, sig, info)
}

// Values of si_code that say how a signal was sent.
const (
	SI_USER    = 0
	SI_KERNEL  = 0x80
	SI_QUEUE   = -1
	SI_TIMER   = -2
	SI_MESGQ   = -3
	SI_ASYNCIO = -4
	SI_SIGIO   = -5
	SI_TKILL   = -6
)

// Tkill is tkill(2).
func (c Caller) Tkill(tid int, sig unix.Signal) *Call { return c.call(unix.SYS_TKILL, tid, sig) }

// Sigaltstack is sigaltstack(2) with a stack_t to set, or nil; the old one is in Call.AltStack.
func (c Caller) Sigaltstack(stack *AltStack) *Call {
	var set any
	if stack != nil {
		b := binary.NativeEndian.AppendUint64(nil, stack.SP)
		b = binary.NativeEndian.AppendUint32(b, uint32(stack.Flags))
		b = binary.NativeEndian.AppendUint32(b, 0)
		set = binary.NativeEndian.AppendUint64(b, stack.Size)
	}
	return c.into2(unix.SYS_SIGALTSTACK, 24, 1, set, nil)
}

// AltStack waits for a sigaltstack and returns the stack that it stored.
func (c *Call) AltStack() AltStack {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 24 {
		return AltStack{}
	}
	return AltStack{
		SP: binary.NativeEndian.Uint64(c.data), Flags: int32(binary.NativeEndian.Uint32(c.data[8:])),
		Size: binary.NativeEndian.Uint64(c.data[16:]),
	}
}

// Signalfd4 is signalfd4(2).
func (c Caller) Signalfd4(fd int, set any, flags int) *Call {
	return c.call(unix.SYS_SIGNALFD4, fd, sigset(set), sigsetSize, flags)
}

// PidfdOpen is pidfd_open(2).
func (c Caller) PidfdOpen(pid int, flags uint) *Call {
	return c.call(unix.SYS_PIDFD_OPEN, pid, flags)
}

// PidfdSendSignal is pidfd_send_signal(2) with a siginfo_t: bytes (see Queued), a Mem or nil.
func (c Caller) PidfdSendSignal(fd int, sig unix.Signal, info any, flags uint) *Call {
	return c.call(unix.SYS_PIDFD_SEND_SIGNAL, fd, sig, info, flags)
}

// Waitid is waitid(2) without rusage; what it stores is in Call.Siginfo.
func (c Caller) Waitid(idtype, id, options int) *Call {
	return c.into2(unix.SYS_WAITID, siginfoSize, 2, idtype, id, nil, options, nil)
}

// Itimer is struct itimerval or itimerspec, in nanoseconds.
type Itimer struct {
	Interval, Value int64
}

// bytes lays an Itimer out in seconds and parts of them, each part of so many nanoseconds.
func (t Itimer) bytes(part int64) []byte {
	var b []byte
	for _, ns := range []int64{t.Interval, t.Value} {
		b = binary.NativeEndian.AppendUint64(b, uint64(ns/1e9))
		b = binary.NativeEndian.AppendUint64(b, uint64(ns%1e9/part))
	}
	return b
}

// itimer reads what a call about a timer has stored.
func (c *Call) itimer(part int64) Itimer {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 32 {
		return Itimer{}
	}
	at := func(off int) int64 { return int64(binary.NativeEndian.Uint64(c.data[off:])) }
	return Itimer{Interval: at(0)*1e9 + at(8)*part, Value: at(16)*1e9 + at(24)*part}
}

// Itimerval waits for a getitimer or setitimer and returns the (old) value that it stored.
func (c *Call) Itimerval() Itimer { return c.itimer(1000) }

// Itimerspec waits for a timer_gettime, timer_settime, timerfd_gettime or timerfd_settime and
// returns the (old) value that it stored.
func (c *Call) Itimerspec() Itimer { return c.itimer(1) }

// Getitimer is getitimer(2); the value is in Call.Itimerval.
func (c Caller) Getitimer(which int) *Call {
	return c.into2(unix.SYS_GETITIMER, 32, 1, which, nil)
}

// Setitimer is setitimer(2), whole microseconds of t; the old value is in Call.Itimerval.
func (c Caller) Setitimer(which int, t Itimer) *Call {
	return c.into2(unix.SYS_SETITIMER, 32, 2, which, t.bytes(1000), nil)
}

// SIGEV_… of sigevent(3type).
const (
	SIGEV_SIGNAL    = 0
	SIGEV_NONE      = 1
	SIGEV_THREAD    = 2
	SIGEV_THREAD_ID = 4
)

// Sigevent is struct sigevent as the kernel knows it.
type Sigevent struct {
	Value  uint64
	Signo  unix.Signal
	Notify int
	TID    int
}

func (e Sigevent) bytes() []byte {
	b := binary.NativeEndian.AppendUint64(nil, e.Value)
	b = binary.NativeEndian.AppendUint32(b, uint32(e.Signo))
	b = binary.NativeEndian.AppendUint32(b, uint32(e.Notify))
	b = binary.NativeEndian.AppendUint32(b, uint32(e.TID))
	return append(b, make([]byte, 64-len(b))...)
}

// TimerCreate is timer_create(2), with nil for the default notification; the timer's id is in
// Call.Int.
func (c Caller) TimerCreate(clock int, event *Sigevent) *Call {
	var e any
	if event != nil {
		e = event.bytes()
	}
	return c.into2(unix.SYS_TIMER_CREATE, 4, 2, clock, e, nil)
}

// TimerSettime is timer_settime(2); the old value is in Call.Itimerspec.
func (c Caller) TimerSettime(timer, flags int, t Itimer) *Call {
	return c.into2(unix.SYS_TIMER_SETTIME, 32, 3, timer, flags, t.bytes(1), nil)
}

// TimerGettime is timer_gettime(2); the value is in Call.Itimerspec.
func (c Caller) TimerGettime(timer int) *Call {
	return c.into2(unix.SYS_TIMER_GETTIME, 32, 1, timer, nil)
}

// TimerGetoverrun is timer_getoverrun(2).
func (c Caller) TimerGetoverrun(timer int) *Call {
	return c.call(unix.SYS_TIMER_GETOVERRUN, timer)
}

// TimerDelete is timer_delete(2).
func (c Caller) TimerDelete(timer int) *Call { return c.call(unix.SYS_TIMER_DELETE, timer) }

// Nanosleep is clock_nanosleep(2) for so many nanoseconds (or until then, with TIMER_ABSTIME); what
// is left is in Call.Data, a struct timespec.
func (c Caller) Nanosleep(clock, flags int, ns int64) *Call {
	return c.into2(unix.SYS_CLOCK_NANOSLEEP, 16, 3, clock, flags, timespec(ns), nil)
}

// ClockGettime is clock_gettime(2), made by the kernel and not by the vDSO; the time is in
// Call.Nanoseconds.
func (c Caller) ClockGettime(clock int) *Call {
	return c.into2(unix.SYS_CLOCK_GETTIME, 16, 1, clock, nil)
}

// Nanoseconds waits for a call that stores a struct timespec and returns that.
func (c *Call) Nanoseconds() int64 {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 16 {
		return 0
	}
	return int64(binary.NativeEndian.Uint64(c.data))*1e9 + int64(binary.NativeEndian.Uint64(c.data[8:]))
}
