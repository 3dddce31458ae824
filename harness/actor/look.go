package actor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What can be seen of an actor from outside.

type stat struct {
	comm  string
	state byte
	ppid  int
}

func readStat(file string) (stat, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return stat{}, err
	}
	// The name may hold anything, also parentheses: the last one ends it.
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[end+1:]))
	if open < 0 || end < open || len(fields) < 2 {
		return stat{}, fmt.Errorf("%s: not in the format of proc_pid_stat(5)", file)
	}
	ppid, _ := strconv.Atoi(fields[1])
	return stat{comm: string(text[open+1 : end]), state: fields[0][0], ppid: ppid}, nil
}

func (a *Actor) procFile(name string) string {
	return fmt.Sprintf("/proc/%d/task/%d/%s", a.proc.pid, a.tid, name)
}

// gone looks whether the actor has ended.
func (a *Actor) gone() bool {
	if a.proc.exited() {
		return true
	}
	s, err := readStat(a.procFile("stat"))
	return err != nil || s.state == 'Z' || s.state == 'X'
}

// Gone looks whether the actor has ended: it is a zombie or is not there any more.
func (a *Actor) Gone() bool { return a.gone() }

// Stopped looks whether the actor is stopped by a signal.
func (a *Actor) Stopped() bool {
	s, err := readStat(a.procFile("stat"))
	return err == nil && s.state == 'T'
}

// AwaitStopped waits until the actor is stopped by a signal; false after the limit.
func (a *Actor) AwaitStopped() bool { return eventually(a.Stopped) }

// AwaitGone waits until the actor has ended; false after the limit.
func (a *Actor) AwaitGone() bool { return eventually(a.gone) }

// eventually looks until cond holds; false after the limit.
func eventually(cond func() bool) bool {
	deadline := time.Now().Add(limit())
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		if cond() {
			return true
		}
		if time.Now().After(deadline) {
			return cond()
		}
		time.Sleep(wait)
	}
}

// state describes where the actor is, as evidence.
func (a *Actor) state() string {
	if a.proc == nil {
		return "not started"
	}
	if a.proc.reaped {
		return fmt.Sprintf("%s (pid %d) %s", a.name, a.proc.pid, describe(a.proc.status))
	}
	text := fmt.Sprintf("%s (pid %d)", a.name, a.proc.pid)
	s, err := readStat(a.procFile("stat"))
	if err != nil {
		return text + " is not there any more"
	}
	text += " is in state " + string(s.state)
	if line, err := os.ReadFile(a.procFile("syscall")); err == nil {
		fields := strings.Fields(string(line))
		if nr, err := strconv.Atoi(fields[0]); err == nil && nr >= 0 {
			text += ", in " + callName(uintptr(nr))
		} else {
			text += ", " + strings.TrimSpace(string(line))
		}
	}
	if where, err := os.ReadFile(a.procFile("wchan")); err == nil && len(where) > 1 {
		text += " at " + string(where)
	}
	return text
}

func describe(s unix.WaitStatus) string {
	switch {
	case s.Exited():
		return fmt.Sprintf("exited with %d", s.ExitStatus())
	case s.Signaled():
		text := "was killed by " + unix.SignalName(s.Signal())
		if s.CoreDump() {
			text += " (core dumped)"
		}
		return text
	default:
		return fmt.Sprintf("has wait status %#x", uint32(s))
	}
}

// asleep looks whether the call sleeps in the kernel: the actor has marked that it enters it, has
// not come back, sleeps interruptibly, and is in that very system call as far as the kernel tells.
func (c *Call) asleep() (yes, sure bool) {
	if atomic.LoadUint32(word32(c.frame, frameState)) != stateCall {
		return false, true
	}
	s, err := readStat(c.actor.procFile("stat"))
	if err != nil {
		return true, false // nothing to look at: only time can tell
	}
	if s.state != 'S' {
		return false, true
	}
	line, err := os.ReadFile(c.actor.procFile("syscall"))
	if err != nil {
		return true, false
	}
	nr, _, _ := strings.Cut(string(line), " ")
	n, err := strconv.Atoi(nr)
	if err != nil {
		return false, true // "running"
	}
	// An interrupted sleep may go on as restart_syscall.
	return (uintptr(n) == c.nr || uintptr(n) == unix.SYS_RESTART_SYSCALL) && !c.answered(), true
}

// Blocked waits until the call is seen asleep in the kernel: true then, false when it returns
// instead or its actor ends. Where the kernel does not tell in which system call a process
// sleeps, a call counts as asleep when it has looked so for a while.
func (c *Call) Blocked() bool {
	if c.status != pending {
		return false
	}
	deadline := time.Now().Add(limit())
	looks := 0
	for wait := 20 * time.Microsecond; ; wait = min(2*wait, 5*time.Millisecond) {
		if c.look() != pending {
			return false
		}
		yes, sure := c.asleep()
		switch {
		case yes && sure:
			return c.sleeps()
		case yes:
			if looks++; looks >= unsureLooks {
				return c.sleeps()
			}
			wait = unsureWait
		default:
			looks = 0
			if c.actor.gone() {
				c.wait()
				return false
			}
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(wait)
	}
}

// sleeps says that the call has not returned though it was seen asleep.
func (c *Call) sleeps() bool {
	if c.look() != pending {
		return false
	}
	c.regard |= SeenBlocked
	return true
}

const (
	unsureLooks = 10
	unsureWait  = 2 * time.Millisecond
)

// ReadState looks up the actor's state in /proc, as one of the letters of proc_pid_stat(5); it is ""
// where there is no such process any more.
func (a *Actor) ReadState() string {
	s, err := readStat(a.procFile("stat"))
	if err != nil {
		return ""
	}
	return string(s.state)
}
