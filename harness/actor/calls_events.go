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

// PpollMasked is ppoll(2) with a struct timespec and a signal mask (each bytes, a Mem, or nil).
func (c Caller) PpollMasked(timeout, mask any, fds ...PollFD) *Call {
	return c.pollCall(unix.SYS_PPOLL, fds, nil, len(fds), timeout, mask, sigsetSize)
}

// PselectMasked is pselect6(2) with a struct timespec and the structure that holds address and size of a
// signal mask (each bytes, a Mem, or nil). When the call has returned, the sets (which may be nil) hold
// what it stored.
func (c Caller) PselectMasked(nfds int, read, write, except *FDSet, timeout, mask any) *Call {
	return c.selectCall(unix.SYS_PSELECT6, []*FDSet{read, write, except}, nfds, nil, nil, nil, timeout, mask)
}
