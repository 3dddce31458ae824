package actor

import "golang.org/x/sys/unix"

const rusageSize = 144

// WaitRusage is wait4(2) with rusage: Call.Int is the wait status, and the usage is what it stored in
// the Mem, a struct rusage, which stays as it was where the call fails.
func (c Caller) WaitRusage(pid, options int) (*Call, Mem) {
	usage := c.a.Alloc(rusageSize)
	return c.into2(unix.SYS_WAIT4, 4, 1, pid, nil, options, usage), usage
}

// WaitidRusage is waitid(2) with rusage, likewise; what it tells of the child is in Call.Siginfo.
func (c Caller) WaitidRusage(idtype, id, options int) (*Call, Mem) {
	usage := c.a.Alloc(rusageSize)
	return c.into2(unix.SYS_WAITID, siginfoSize, 2, idtype, id, nil, options, usage), usage
}

// Getsid is getsid(2).
func (c Caller) Getsid(pid int) *Call { return c.call(unix.SYS_GETSID, pid) }

// PrctlGet is prctl(2) with an operation that stores an int, as most of PR_GET_… do: Call.Int.
func (c Caller) PrctlGet(op int) *Call { return c.into2(unix.SYS_PRCTL, 4, 1, op, nil, 0, 0, 0) }
