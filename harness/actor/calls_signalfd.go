package actor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What read(2) of a signalfd and fcntl(2) about signals for I/O tell.

// SignalfdSize is the size of struct signalfd_siginfo.
const SignalfdSize = 128

// SignalfdSiginfo is struct signalfd_siginfo of signalfd(2).
type SignalfdSiginfo struct {
	Raw [SignalfdSize]byte
}

func (s SignalfdSiginfo) u32(off int) uint32 { return binary.NativeEndian.Uint32(s.Raw[off:]) }
func (s SignalfdSiginfo) u64(off int) uint64 { return binary.NativeEndian.Uint64(s.Raw[off:]) }

// Signo and the others are the fields ssi_signo and so on.
func (s SignalfdSiginfo) Signo() unix.Signal { return unix.Signal(s.u32(0)) }

// Errno is ssi_errno.
func (s SignalfdSiginfo) Errno() int { return int(int32(s.u32(4))) }

// Code is ssi_code.
func (s SignalfdSiginfo) Code() int { return int(int32(s.u32(8))) }

// PID is ssi_pid.
func (s SignalfdSiginfo) PID() int { return int(s.u32(12)) }

// UID is ssi_uid.
func (s SignalfdSiginfo) UID() int { return int(s.u32(16)) }

// FD is ssi_fd.
func (s SignalfdSiginfo) FD() int { return int(int32(s.u32(20))) }

// TimerID is ssi_tid, the kernel's id of a timer.
func (s SignalfdSiginfo) TimerID() int { return int(s.u32(24)) }

// Band is ssi_band.
func (s SignalfdSiginfo) Band() int { return int(s.u32(28)) }

// Overrun is ssi_overrun.
func (s SignalfdSiginfo) Overrun() int { return int(s.u32(32)) }

// Status is ssi_status.
func (s SignalfdSiginfo) Status() int { return int(int32(s.u32(40))) }

// Int is ssi_int.
func (s SignalfdSiginfo) Int() int { return int(int32(s.u32(44))) }

// Ptr is ssi_ptr.
func (s SignalfdSiginfo) Ptr() uint64 { return s.u64(48) }

// Utime is ssi_utime, and Stime ssi_stime, in ticks.
func (s SignalfdSiginfo) Utime() uint64 { return s.u64(56) }

// Stime is ssi_stime.
func (s SignalfdSiginfo) Stime() uint64 { return s.u64(64) }

// Addr is ssi_addr.
func (s SignalfdSiginfo) Addr() uint64 { return s.u64(72) }

// AddrLSB is ssi_addr_lsb.
func (s SignalfdSiginfo) AddrLSB() int { return int(binary.NativeEndian.Uint16(s.Raw[80:])) }

// ReadSignals is read(2) of a signalfd into room for n signals; they are in Call.Signals.
func (c Caller) ReadSignals(fd, n int) *Call {
	call := c.prepare(unix.SYS_READ, fd, nil, n*SignalfdSize)
	m := c.buffer(call, n*SignalfdSize)
	call.args[1], call.mem[1] = m.Addr, m
	call.holds = "signalfd_siginfo"
	call.keepData(m)
	return call.post(c)
}

// Signals waits for a read of a signalfd and returns the signals that it told, as far as they are
// whole.
func (c *Call) Signals() []SignalfdSiginfo {
	c.regard |= Inspected
	c.wait()
	var list []SignalfdSiginfo
	for off := 0; off+SignalfdSize <= len(c.data); off += SignalfdSize {
		var s SignalfdSiginfo
		copy(s.Raw[:], c.data[off:])
		list = append(list, s)
	}
	return list
}

// Holds names the structures of which the call's data consists, where it was asked for as such.
func (c *Call) Holds() string { return c.holds }

// F_OWNER_… of F_SETOWN_EX.
const (
	F_OWNER_TID  = 0
	F_OWNER_PID  = 1
	F_OWNER_PGRP = 2
)

// Owner is struct f_owner_ex of F_GETOWN_EX and F_SETOWN_EX.
type Owner struct {
	Type, PID int
}

// SetOwnEx is fcntl(2) with F_SETOWN_EX.
func (c Caller) SetOwnEx(fd int, owner Owner) *Call {
	b := binary.NativeEndian.AppendUint32(nil, uint32(int32(owner.Type)))
	b = binary.NativeEndian.AppendUint32(b, uint32(int32(owner.PID)))
	return c.call(unix.SYS_FCNTL, fd, unix.F_SETOWN_EX, b)
}

// GetOwnEx is fcntl(2) with F_GETOWN_EX; the owner is in Call.Owner.
func (c Caller) GetOwnEx(fd int) *Call {
	return c.into2(unix.SYS_FCNTL, 8, 2, fd, unix.F_GETOWN_EX, nil)
}

// Owner waits for F_GETOWN_EX and returns what it stored.
func (c *Call) Owner() Owner {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < 8 {
		return Owner{-1, -1}
	}
	return Owner{int(int32(binary.NativeEndian.Uint32(c.data))), int(int32(binary.NativeEndian.Uint32(c.data[4:])))}
}
