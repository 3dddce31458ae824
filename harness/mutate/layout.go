package mutate

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// A field is a part of a structure that a call returns.
type field struct {
	name   string
	off    int
	size   int
	toggle uint64 // bits to be changed; 0: the value is changed by one
}

// A layout says what a call stores in the memory to which an argument points.
type layout struct {
	arg          int
	stride       int // of an array's elements; 0 for a single structure
	count        func(c *call) int
	fields       []field
	alternatives bool // the fields are independent: a clause is about one of them
}

// elements returns how many structures the call has stored.
func (l layout) elements(c *call) int {
	if l.count == nil {
		return 1
	}
	return l.count(c)
}

func byResult(c *call) int { return int(max(c.out.Result, 0)) }

func byArgument(i int) func(*call) int {
	return func(c *call) int { return int(min(c.args[i], 64)) }
}

func one(arg int, fields ...field) []layout { return []layout{{arg: arg, fields: fields}} }

func layouts(c *call) []layout {
	switch c.name {
	case "waitid":
		if c.word(2, siPID) == 0 { // nothing to tell: the other fields may hold anything
			return one(2, childSiginfo[0], childSiginfo[2])
		}
		return []layout{{arg: 2, fields: childSiginfo}, {arg: 4, fields: rusage, alternatives: true}}
	case "prctl":
		if c.args[0] == unix.PR_GET_PDEATHSIG || c.args[0] == unix.PR_GET_CHILD_SUBREAPER {
			return one(1, field{name: "the setting", size: 4})
		}
	case "msgctl", "semctl", "shmctl":
		return ipcLayouts(c)
	case "ioctl":
		if c.args[1] == unix.TIOCINQ {
			return one(2, field{name: "the count", size: 4})
		}
	case "wait4":
		return []layout{{arg: 1, fields: waitStatus(c)}, {arg: 3, fields: rusage, alternatives: true}}
	case "rt_sigpending":
		return []layout{{arg: 0, fields: signalSet(c, 0), alternatives: true}}
	case "rt_sigprocmask":
		return []layout{{arg: 2, fields: signalSet(c, 2), alternatives: true}}
	case "read":
		if c.holds == "signalfd_siginfo" {
			return []layout{{arg: 1, stride: 128, count: func(c *call) int { return byResult(c) / 128 }, fields: signalfdSiginfo, alternatives: true}}
		}
	case "fcntl":
		if c.args[1] == unix.F_GETOWN_EX {
			return one(2, field{name: "the type", size: 4}, field{name: "the pid", off: 4, size: 4})
		}
	case "splice":
		return []layout{
			{arg: 1, fields: []field{{name: "the input offset", size: 8}}},
			{arg: 3, fields: []field{{name: "the output offset", size: 8}}},
		}
	}
	return layoutTable[c.name]
}

var statLayout = []field{
	{name: "st_dev", off: 0, size: 8}, {name: "st_ino", off: 8, size: 8}, {name: "st_nlink", off: 16, size: 8},
	{name: "the permissions in st_mode", off: 24, size: 4, toggle: 0o200}, {name: "the type in st_mode", off: 24, size: 4, toggle: unix.S_IFCHR},
	{name: "st_uid", off: 28, size: 4}, {name: "st_gid", off: 32, size: 4}, {name: "st_rdev", off: 40, size: 8}, {name: "st_size", off: 48, size: 8},
	{name: "st_blksize", off: 56, size: 8}, {name: "st_blocks", off: 64, size: 8},
	{name: "st_atim", off: 72, size: 8}, {name: "st_mtim", off: 88, size: 8}, {name: "st_ctim", off: 104, size: 8},
}

var statxLayout = []field{
	{name: "stx_nlink", off: 16, size: 4}, {name: "stx_uid", off: 20, size: 4}, {name: "stx_gid", off: 24, size: 4},
	{name: "stx_mode", off: 28, size: 2}, {name: "stx_ino", off: 32, size: 8}, {name: "stx_size", off: 40, size: 8}, {name: "stx_blocks", off: 48, size: 8},
	{name: "stx_mask", off: 0, size: 4}, {name: "stx_blksize", off: 4, size: 4}, {name: "stx_atime", off: 64, size: 8}, {name: "stx_btime", off: 80, size: 8},
	{name: "stx_ctime", off: 96, size: 8}, {name: "stx_mtime", off: 112, size: 8}, {name: "stx_rdev_major", off: 128, size: 4},
	{name: "stx_rdev_minor", off: 132, size: 4}, {name: "stx_dev_major", off: 136, size: 4}, {name: "stx_dev_minor", off: 140, size: 4},
}

var layoutTable = map[string][]layout{
	"pipe":            one(0, field{name: "the first descriptor", size: 4}, field{name: "the second descriptor", off: 4, size: 4}),
	"pipe2":           one(0, field{name: "the first descriptor", size: 4}, field{name: "the second descriptor", off: 4, size: 4}),
	"socketpair":      one(3, field{name: "the first descriptor", size: 4}, field{name: "the second descriptor", off: 4, size: 4}),
	"waitid":          {{arg: 2, fields: childSiginfo}, {arg: 4, fields: rusage, alternatives: true}},
	"timerfd_settime": {{arg: 3, fields: itimer, alternatives: true}},
	"timerfd_gettime": {{arg: 1, fields: itimer, alternatives: true}},
	"fstat":           {{arg: 1, fields: statLayout, alternatives: true}},
	"statx":           {{arg: 4, fields: statxLayout, alternatives: true}},
	"newfstatat":      {{arg: 2, fields: statLayout, alternatives: true}},
	"prlimit64":       {{arg: 3, fields: []field{{name: "the soft limit", size: 8}, {name: "the hard limit", off: 8, size: 8}}, alternatives: true}},
	"epoll_wait":      {{arg: 1, stride: 12, count: byResult, fields: epollEvent}},
	"epoll_pwait":     {{arg: 1, stride: 12, count: byResult, fields: epollEvent}},
	"epoll_pwait2":    {{arg: 1, stride: 12, count: byResult, fields: epollEvent}},
	"rt_sigtimedwait": {{arg: 1, fields: siginfo, alternatives: true}},
	"timer_create":    one(2, field{name: "the id", size: 4}),
	"timer_settime":   {{arg: 3, fields: itimer, alternatives: true}},
	"timer_gettime":   {{arg: 1, fields: itimer, alternatives: true}},
	"setitimer":       {{arg: 2, fields: itimer, alternatives: true}},
	"getitimer":       {{arg: 1, fields: itimer, alternatives: true}},
	"poll":            {{arg: 0, stride: 8, count: byArgument(1), fields: pollFD}},
	"ppoll":           {{arg: 0, stride: 8, count: byArgument(1), fields: pollFD}},

	"rt_sigaction": {{arg: 2, fields: []field{
		{name: "sa_handler", size: 8}, {name: "sa_flags", off: 8, size: 8, toggle: 0x40000000}, {name: "sa_mask", off: 24, size: 8, toggle: 1 << 9},
	}, alternatives: true}},
	"sigaltstack": {{arg: 1, fields: []field{
		{name: "ss_sp", size: 8}, {name: "SS_ONSTACK", off: 8, size: 4, toggle: 1}, {name: "SS_DISABLE", off: 8, size: 4, toggle: 2},
		{name: "ss_size", off: 16, size: 8},
	}, alternatives: true}},
}

var epollEvent = append(told("EPOLL", 0, 4), field{name: "the data", off: 4, size: 8})

var pollFD = append(told("POLL", 6, 2), field{name: "POLLNVAL", off: 6, size: 2, toggle: unix.POLLNVAL})

// told are the bits that poll and epoll tell, in a word of that size.
func told(prefix string, off, size int) (fields []field) {
	for _, f := range named(prefix, append(slices.Clone(waited), flag{unix.POLLERR, "ERR"}, flag{unix.POLLHUP, "HUP"})) {
		fields = append(fields, field{name: f.name, off: off, size: size, toggle: f.bit})
	}
	return fields
}

// The particulars of a signal: which fields there are depends on its cause, and a clause is about one
// of them.
var siginfo = []field{
	{name: "si_signo", size: 4}, {name: "si_code", off: 8, size: 4}, {name: "si_pid, si_timerid or si_band", off: 16, size: 4},
	{name: "si_uid or si_overrun", off: 20, size: 4}, {name: "si_value, si_status or si_fd", off: 24, size: 4}, {name: "si_errno", off: 4, size: 4},
}

// What waitid tells of a child.
var childSiginfo = []field{
	{name: "si_signo", size: 4}, {name: "si_code", off: 8, size: 4}, {name: "si_pid", off: 16, size: 4},
	{name: "si_uid", off: 20, size: 4}, {name: "si_status", off: 24, size: 4},
}

const siPID = 16

// word is the 32-bit word that the call has stored at an offset of what an argument points to, 0 where
// it has stored nothing.
func (c *call) word(arg, off int) uint64 {
	region := slices.Index(c.regions, arg)
	if c.out == nil || region < 0 || region >= len(c.out.Memory) || off+4 > len(c.out.Memory[region]) {
		return 0
	}
	return patch{off: off, size: 4}.get(c.out.Memory[region])
}

var rusage = []field{
	{name: "ru_utime", size: 8}, {name: "ru_stime", off: 16, size: 8}, {name: "ru_maxrss", off: 32, size: 8}, {name: "ru_minflt", off: 64, size: 8},
	{name: "ru_majflt", off: 72, size: 8}, {name: "ru_inblock", off: 88, size: 8}, {name: "ru_oublock", off: 96, size: 8},
	{name: "ru_nvcsw", off: 128, size: 8}, {name: "ru_nivcsw", off: 136, size: 8},
}

var signalfdSiginfo = []field{
	{name: "ssi_signo", size: 4}, {name: "ssi_code", off: 8, size: 4}, {name: "ssi_pid", off: 12, size: 4}, {name: "ssi_uid", off: 16, size: 4},
	{name: "ssi_fd", off: 20, size: 4}, {name: "ssi_tid", off: 24, size: 4}, {name: "ssi_band", off: 28, size: 4}, {name: "ssi_overrun", off: 32, size: 4},
	{name: "ssi_status", off: 40, size: 4}, {name: "ssi_int", off: 44, size: 4}, {name: "ssi_ptr", off: 48, size: 8},
	{name: "ssi_addr", off: 72, size: 8}, {name: "ssi_errno", off: 4, size: 4}, {name: "ssi_trapno", off: 36, size: 4}, {name: "ssi_utime", off: 56, size: 8},
	{name: "ssi_stime", off: 64, size: 8}, {name: "ssi_addr_lsb", off: 80, size: 2},
}

// A timer's nanoseconds run down meanwhile, so that only its seconds say what nobody can take for
// the passing of time.
var itimer = []field{
	{name: "the interval's seconds", size: 8}, {name: "the interval's fraction", off: 8, size: 8}, {name: "the value's seconds", off: 16, size: 8},
}

// A patch changes a value in memory.
type patch struct {
	region, off, size int
	toggle            uint64 // bits to change; 0: add one
}

func (p patch) get(b []byte) uint64 {
	b = b[p.off:]
	switch p.size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	default:
		return binary.NativeEndian.Uint64(b)
	}
}

func (p patch) apply(b []byte) {
	if p.off+p.size > len(b) {
		return
	}
	v := p.get(b) + 1
	if p.toggle != 0 {
		v = p.get(b) ^ p.toggle
	}
	b = b[p.off:]
	switch p.size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.NativeEndian.PutUint16(b, uint16(v))
	case 4:
		binary.NativeEndian.PutUint32(b, uint32(v))
	default:
		binary.NativeEndian.PutUint64(b, v)
	}
}
