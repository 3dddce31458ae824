package actor

import "golang.org/x/sys/unix"

// TimerfdCreate is timerfd_create(2).
func (c Caller) TimerfdCreate(clock, flags int) *Call {
	return c.call(unix.SYS_TIMERFD_CREATE, clock, flags)
}

// TimerfdSettime is timerfd_settime(2); the old value is in Call.Itimerspec.
func (c Caller) TimerfdSettime(fd, flags int, t Itimer) *Call {
	return c.into2(unix.SYS_TIMERFD_SETTIME, 32, 3, fd, flags, t.bytes(1), nil)
}

// TimerfdGettime is timerfd_gettime(2); the value is in Call.Itimerspec.
func (c Caller) TimerfdGettime(fd int) *Call {
	return c.into2(unix.SYS_TIMERFD_GETTIME, 32, 1, fd, nil)
}

// ClockSettime is clock_settime(2), with the time in nanoseconds.
func (c Caller) ClockSettime(clock int, ns int64) *Call {
	return c.call(unix.SYS_CLOCK_SETTIME, clock, timespec(ns))
}
