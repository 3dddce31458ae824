package actor

import "golang.org/x/sys/unix"

// EpollPwaitMasked is epoll_pwait(2) with a timeout in milliseconds (−1: none) and a signal mask (bytes,
// a Mem, or nil); the events are in Call.EpollEvents.
func (c Caller) EpollPwaitMasked(epfd, maxEvents, timeout int, mask any) *Call {
	return c.epollWait(unix.SYS_EPOLL_PWAIT, maxEvents, epfd, nil, maxEvents, timeout, mask, sigsetSize)
}

// EpollPwait2 is epoll_pwait2(2) with a struct timespec and a signal mask (each bytes, a Mem, or nil);
// the events are in Call.EpollEvents.
func (c Caller) EpollPwait2(epfd, maxEvents int, timeout, mask any) *Call {
	return c.epollWait(unix.SYS_EPOLL_PWAIT2, maxEvents, epfd, nil, maxEvents, timeout, mask, sigsetSize)
}
