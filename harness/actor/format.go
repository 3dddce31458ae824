package actor

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (c *Call) signature() signature {
	if s, ok := signatures[c.nr]; ok {
		return s
	}
	if s, ok := archSignatures[c.nr]; ok {
		return s
	}
	s := signature{name: callName(c.nr)}
	for range c.n {
		s.args = append(s.args, "hex")
	}
	return s
}

func (c *Call) name() string {
	switch c.op {
	case opReturn:
		return "return from the handler"
	case opCopy:
		return "copy memory"
	case opTrap:
		return "trap"
	}
	return callName(c.nr)
}

// Name returns the kernel's name of the system call.
func (c *Call) Name() string { return c.name() }

// text is the call as strace would write it, without its result.
func (c *Call) text() string {
	if c.op != opCall && c.op != opRepeat && c.op != opClone {
		return c.name()
	}
	s := c.signature()
	args := make([]string, 0, c.n)
	for i := range c.n {
		kind := "hex"
		if i < len(s.args) {
			kind = s.args[i]
		}
		args = append(args, c.argText(i, kind))
	}
	text := s.name + "(" + strings.Join(args, ", ") + ")"
	if c.op == opRepeat {
		text += fmt.Sprintf(" × %d", c.repeat)
	}
	return text
}

func (c *Call) argText(i int, kind string) string {
	v := c.args[i]
	switch kind {
	case "fd":
		if int32(v) == unix.AT_FDCWD {
			return "AT_FDCWD"
		}
		return itoa(int64(int32(v)))
	case "int", "pid", "ipcid":
		return itoa(int64(int32(v)))
	case "size", "off", "mtype":
		return itoa(int64(v))
	case "uint":
		return strconv.FormatUint(v, 10)
	case "mode":
		return "0" + strconv.FormatUint(v, 8)
	case "sig":
		return SignalName(unix.Signal(v))
	case "path":
		if c.mem[i].view != nil {
			return strconv.Quote(c.mem[i].CString())
		}
	case "in":
		if c.mem[i].view != nil {
			return quoteBytes(c.mem[i].view, int(c.args[i+1]))
		}
	case "out":
		if c.status == done && c.mem[i].view != nil && c.result >= 0 && c.op == opCall {
			return quoteBytes(c.mem[i].view, int(c.result))
		}
	case "hex":
		if v < 10 {
			return strconv.FormatUint(v, 10)
		}
	case "ptr":
		if v == 0 {
			return "NULL"
		}
	default:
		if set, ok := flagSets[kind]; ok {
			return set.text(v)
		}
	}
	return fmt.Sprintf("%#x", v)
}

// text names the bits of v; what has no name is given as a number.
func (s flagSet) text(v uint64) string {
	var names []string
	if s.values != nil {
		field := v & s.mask
		name, ok := s.values[field]
		if !ok {
			name = fmt.Sprintf("%#x", field)
		}
		if name != "" {
			names = append(names, name)
		}
		v &^= s.mask
	}
	for _, f := range s.bits {
		if v&f.bit == f.bit && f.bit != 0 {
			names = append(names, f.name)
			v &^= f.bit
		}
	}
	if permissions := v & s.octal; permissions != 0 {
		names = append(names, fmt.Sprintf("%#o", permissions))
		v &^= permissions
	}
	if v != 0 {
		names = append(names, fmt.Sprintf("%#x", v))
	}
	if len(names) == 0 {
		return "0"
	}
	return strings.Join(names, "|")
}

// Flags names the bits of v in one of the sets of the trace: "open", "poll", "splice", "rwf", ….
func Flags(set string, v uint64) string { return flagSets[set].text(v) }

// quoteBytes shows the first of n bytes.
func quoteBytes(b []byte, n int) string {
	const most = 32
	if n < 0 || n > len(b) {
		n = len(b)
	}
	b = b[:n]
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "..."
	}
	return strconv.QuoteToASCII(string(b))
}

// resultText is what comes behind the equals sign.
func (c *Call) resultText() string {
	switch c.status {
	case pending:
		return "…"
	case stuck:
		return "? (did not return)"
	case died:
		if c.actor.proc.reaped {
			return "? (" + describe(c.actor.proc.status) + ")"
		}
		return "? (the actor ended)"
	}
	if c.result < 0 && c.result >= -4095 {
		errno := unix.Errno(-c.result)
		text := fmt.Sprintf("-1 %s (%s)", ErrnoName(errno), errno.Error())
		if c.op == opRepeat {
			text += fmt.Sprintf(" after %d successes", c.completed)
		}
		return text
	}
	if c.op == opRepeat {
		return fmt.Sprintf("%d (%d times, %d in all)", c.result, c.completed, c.total)
	}
	if c.result > 1<<32 {
		return fmt.Sprintf("%#x", c.result)
	}
	return itoa(c.result)
}

// String returns the call as strace would write it.
func (c *Call) String() string {
	c.look()
	text := c.text() + " = " + c.resultText()
	if c.note != "" {
		text += "   // " + c.note
	}
	return text
}

// GomegaString is how gomega's own matchers (Or, And) show a call; otherwise they would print its
// fields, with all the memory that it shares with the kernel under test.
func (c *Call) GomegaString() string { return c.String() }

// GomegaString is how gomega's own matchers show an actor.
func (a *Actor) GomegaString() string { return a.name }

// Trace returns the calls of the running spec in the order in which they were asked for.
func Trace() []string {
	troupe.Lock()
	calls, dropped := append([]*Call(nil), troupe.trace...), troupe.dropped
	troupe.Unlock()
	var lines []string
	if dropped > 0 {
		lines = append(lines, fmt.Sprintf("(%d earlier calls)", dropped))
	}
	for _, c := range calls {
		lines = append(lines, fmt.Sprintf("%s  %s", c.actor.name, c.traceText()))
	}
	return lines
}

// traceText is String without looking into an arena that may be gone.
func (c *Call) traceText() string {
	if c.actor.ended {
		text := c.text() + " = " + c.resultText()
		return text
	}
	return c.String()
}

// ErrnoName returns an errno's name as the kernel's headers give it.
func ErrnoName(errno unix.Errno) string {
	if errno == 0 {
		return "0"
	}
	if errno == unix.EOPNOTSUPP {
		return "EOPNOTSUPP" // which the C library also calls ENOTSUP
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// SignalName returns a signal's name, SIGRTMIN+n for real-time signals (the kernel's SIGRTMIN, 32).
func SignalName(s unix.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	switch {
	case s == 32:
		return "SIGRTMIN"
	case s > 32 && s <= 64:
		return fmt.Sprintf("SIGRTMIN+%d", int(s)-32)
	default:
		return itoa(int64(s))
	}
}

// FailingTrace returns Trace and the number of the line, counted from 1, of the call that a
// matcher has found wrong last, or else of the last call; 0 where there is none.
func FailingTrace() (lines []string, failing int) {
	lines = Trace()
	troupe.Lock()
	defer troupe.Unlock()
	failing = len(lines)
	for i, c := range troupe.trace {
		if c == troupe.wrong {
			failing = len(lines) - len(troupe.trace) + i + 1
		}
	}
	return lines, failing
}
