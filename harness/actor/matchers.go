package actor

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"
)

// A matcher judges a call, waiting for it where that is what it says.
type matcher struct {
	match func(c *Call) (bool, error)
	want  func() string
}

func (m matcher) Match(actual any) (bool, error) {
	c, err := asCall(actual)
	if err != nil {
		return false, err
	}
	c.regard |= Judged
	ok, err := m.match(c)
	if ok && c.refused { // by another matcher, which this one is an alternative to
		c.regard |= Either
	}
	c.refused = c.refused || !ok
	if !ok {
		troupe.Lock()
		troupe.wrong = c
		troupe.Unlock()
	}
	return ok, err
}

func (m matcher) FailureMessage(actual any) string {
	c, _ := asCall(actual)
	return fmt.Sprintf("expected %s\nto %s\nbut it %s", c.text(), m.want(), c.outcome())
}

func (m matcher) NegatedFailureMessage(actual any) string {
	c, _ := asCall(actual)
	return fmt.Sprintf("expected %s\nnot to %s\nbut it %s", c.text(), m.want(), c.outcome())
}

// String is how matchers that are made of others (SatisfyAny) name this one.
func (m matcher) String() string { return m.want() }

func asCall(actual any) (*Call, error) {
	c, ok := actual.(*Call)
	if !ok || c == nil {
		return nil, fmt.Errorf("this matcher judges a call, not a %T", actual)
	}
	return c, nil
}

// outcome says what became of the call, as the end of a sentence.
func (c *Call) outcome() string {
	switch c.look() {
	case pending:
		return "has not returned: " + c.actor.state()
	case stuck:
		return "did not return: " + c.actor.state()
	case died:
		return "did not return: " + c.actor.state()
	}
	if errno := c.Errno(); errno != 0 {
		text := fmt.Sprintf("failed with %s (%s)", ErrnoName(errno), errno.Error())
		if c.op == opRepeat {
			text += fmt.Sprintf(" after %d successes", c.completed)
		}
		return text
	}
	text := "returned " + itoa(c.result)
	if len(c.data) > 0 {
		text += " with " + quoteBytes(c.data, len(c.data))
	}
	return text
}

// Return succeeds when the call returns exactly n.
func Return(n int) types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) { return c.exactly(c.OK() && c.result == int64(n)), nil },
		want:  func() string { return "return " + strconv.Itoa(n) },
	}
}

// ReturnBetween succeeds when the call returns a number from low to high: for calls whose documentation
// leaves open which.
func ReturnBetween(low, high int) types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) {
			if low < high {
				c.regard |= Either
			}
			return c.exactly(c.OK() && int64(low) <= c.result && c.result <= int64(high)), nil
		},
		want: func() string { return fmt.Sprintf("return %d to %d", low, high) },
	}
}

// exactly remembers that a matcher has accepted this very result.
func (c *Call) exactly(ok bool) bool {
	if ok {
		c.regard |= Exact
	}
	return ok
}

// ReturnFD succeeds when the call returns a descriptor, or anything else that is not negative.
func ReturnFD() types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) { return c.OK() && c.result >= 0, nil },
		want:  func() string { return "return a descriptor" },
	}
}

// ReturnSuccess is ReturnFD for calls whose value does not matter.
func ReturnSuccess() types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) { return c.OK(), nil },
		want:  func() string { return "succeed" },
	}
}

// ReturnData succeeds when the call returns exactly these bytes (a string or a byte slice): their
// number as its result, and they themselves in the caller's buffers.
func ReturnData[T string | []byte](data T) types.GomegaMatcher {
	want := []byte(data)
	return matcher{
		match: func(c *Call) (bool, error) {
			c.regard |= Inspected
			return c.exactly(c.OK() && c.result == int64(len(want)) && bytes.Equal(c.data, want)), nil
		},
		want: func() string {
			return fmt.Sprintf("return %d bytes, %s", len(want), quoteBytes(want, len(want)))
		},
	}
}

// ReturnSomeOf succeeds when the call returns at least one byte, and what it returns is what the data
// begins with: for calls that may return fewer bytes than there are.
func ReturnSomeOf[T string | []byte](data T) types.GomegaMatcher {
	want := []byte(data)
	return matcher{
		match: func(c *Call) (bool, error) {
			c.regard |= Inspected | Shorter
			return c.OK() && c.result > 0 && c.result == int64(len(c.data)) && bytes.HasPrefix(want, c.data), nil
		},
		want: func() string {
			return fmt.Sprintf("return 1 to %d bytes, of %s", len(want), quoteBytes(want, len(want)))
		},
	}
}

// ReturnRevents succeeds when a poll or ppoll returns with these revents, one for each descriptor, and
// with the number of those that are not zero as its result.
func ReturnRevents(revents ...int16) types.GomegaMatcher { return ReturnReventsPerhaps(0, revents...) }

// ReturnReventsPerhaps is ReturnRevents where the documentation leaves some bits open: they may be
// there or not, in the revents of any of the descriptors.
func ReturnReventsPerhaps(perhaps int16, revents ...int16) types.GomegaMatcher {
	n := 0
	for _, r := range revents {
		if r != 0 {
			n++
		}
	}
	return matcher{
		match: func(c *Call) (bool, error) {
			c.open |= uint64(uint16(perhaps))
			equal := func(got, want int16) bool { return got&^perhaps == want&^perhaps }
			return c.OK() && c.result == int64(n) && slices.EqualFunc(c.Revents(), revents, equal), nil
		},
		want: func() string {
			text := fmt.Sprintf("return %d with revents", n)
			for i, r := range revents {
				if i > 0 {
					text += ","
				}
				text += " " + Flags("poll", uint64(uint16(r)))
			}
			if perhaps != 0 {
				text += ", perhaps with " + Flags("poll", uint64(uint16(perhaps)))
			}
			return text
		},
	}
}

// ReturnEvents succeeds when an epoll_wait or epoll_pwait returns with exactly these events, in this
// order.
func ReturnEvents(events ...EpollEvent) types.GomegaMatcher {
	return ReturnEventsPerhaps(0, events...)
}

// ReturnEventsPerhaps is ReturnEvents where the documentation leaves some bits open: they may be there
// or not, in any of the events.
func ReturnEventsPerhaps(perhaps uint32, events ...EpollEvent) types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) {
			c.open |= uint64(perhaps)
			equal := func(got, want EpollEvent) bool {
				return got.Data == want.Data && got.Events&^perhaps == want.Events&^perhaps
			}
			return c.OK() && c.result == int64(len(events)) && slices.EqualFunc(c.EpollEvents(), events, equal), nil
		},
		want: func() string {
			text := fmt.Sprintf("return %d events", len(events))
			for i, e := range events {
				separator := ","
				if i == 0 {
					separator = ":"
				}
				text += fmt.Sprintf("%s %s with data %#x", separator, Flags("epoll", uint64(e.Events)), e.Data)
			}
			if perhaps != 0 {
				text += ", perhaps with " + Flags("epoll", uint64(perhaps))
			}
			return text
		},
	}
}

// FailWith succeeds when the call fails with one of the given errors.
func FailWith(errnos ...unix.Errno) types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) {
			got := c.Errno()
			for _, errno := range errnos {
				if got == errno && errno != 0 {
					if len(errnos) > 1 {
						c.regard |= Either
					}
					return true, nil
				}
			}
			return false, nil
		},
		want: func() string {
			text := "fail with "
			for i, errno := range errnos {
				if i > 0 {
					text += " or "
				}
				text += ErrnoName(errno)
			}
			return text
		},
	}
}

// Block succeeds when a pending call (made with Begin) is seen asleep in the kernel.
func Block() types.GomegaMatcher {
	return matcher{
		match: func(c *Call) (bool, error) { return c.Blocked(), nil },
		want:  func() string { return "block" },
	}
}

// An ending judges how a process ended: an actor, or the one that was making a call.
type ending struct {
	ok   func(unix.WaitStatus) bool
	want string
	got  string
}

func (e *ending) Match(actual any) (bool, error) {
	var a *Actor
	switch actual := actual.(type) {
	case *Actor:
		a = actual
	case *Call:
		actual.regard |= Judged
		if actual.wait() == done {
			e.got = actual.outcome()
			return false, nil
		}
		a = actual.actor
	default:
		return false, fmt.Errorf("this matcher judges an actor or a call, not a %T", actual)
	}
	status, why := a.waitStatus()
	if why != "" {
		e.got = why
		return false, nil
	}
	e.got = a.name + " " + describe(status)
	return e.ok(status), nil
}

func (e *ending) String() string { return e.want }

func (e *ending) FailureMessage(actual any) string {
	return fmt.Sprintf("expected %v\nto %s\nbut: %s", actual, e.want, e.got)
}

func (e *ending) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("expected %v\nnot to %s\nbut: %s", actual, e.want, e.got)
}

// BeKilledBy succeeds when the actor, or the actor of the call, ends by the signal.
func BeKilledBy(sig unix.Signal) types.GomegaMatcher {
	return &ending{
		ok:   func(s unix.WaitStatus) bool { return s.Signaled() && s.Signal() == sig },
		want: "be killed by " + SignalName(sig),
	}
}

// Exit succeeds when the actor, or the actor of the call, exits with the code.
func Exit(code int) types.GomegaMatcher {
	return &ending{
		ok:   func(s unix.WaitStatus) bool { return s.Exited() && s.ExitStatus() == code },
		want: fmt.Sprintf("exit with %d", code),
	}
}

// caught judges the log of an actor's recording handler.
type caught struct {
	want []unix.Signal
	got  []Event
}

// Catch succeeds when the actor's recording handler has run for exactly these signals so far, in
// this order, each with a siginfo_t that names it. It waits for as many as it wants.
func Catch(sigs ...unix.Signal) types.GomegaMatcher { return &caught{want: sigs} }

func (m *caught) Match(actual any) (bool, error) {
	a, ok := actual.(*Actor)
	if !ok {
		return false, fmt.Errorf("this matcher judges an actor, not a %T", actual)
	}
	m.got = a.AwaitEvents(len(m.want))
	if len(m.got) != len(m.want) {
		return false, nil
	}
	for i, e := range m.got {
		if e.Signal != m.want[i] || e.Info.Signo() != m.want[i] {
			return false, nil
		}
	}
	return true, nil
}

func (m *caught) String() string {
	if len(m.want) == 0 {
		return "catch no signal"
	}
	text := "catch"
	for i, sig := range m.want {
		if i > 0 {
			text += ","
		}
		text += " " + SignalName(sig)
	}
	return text
}

func (m *caught) FailureMessage(actual any) string {
	text := fmt.Sprintf("expected %v\nto %s\nbut it caught", actual, m)
	if len(m.got) == 0 {
		return text + " none"
	}
	for i, e := range m.got {
		if i > 0 {
			text += ","
		}
		text += " " + e.GomegaString()
	}
	return text
}

func (m *caught) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("expected %v\nnot to %s\nbut it did", actual, m)
}
