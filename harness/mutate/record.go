package mutate

import (
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// A call is one call of a recorded run of a spec.
type call struct {
	name       string
	occurrence int // among the spec's calls of this name, from 1
	index      int // among all its calls
	actor      string
	text       string
	args       []uint64
	kinds      []string
	repeated   bool
	clones     bool
	harmless   bool            // it names no process but the spec's own
	self       int             // of a call that sends a signal: the caller's own id
	holds      string          // the structures of which its data consists
	places     []spec.Location // in the spec's own code, the innermost first
	setup      bool            // made by the harness as a step of the set-up
	in         *actor.Outcome  // memory before the call; nil where it was not kept
	regions    []int           // the argument of each region of memory
	out        *actor.Outcome
	beside     bool // other calls were under way
	raced      bool // another actor repeated the same call, or one like it, without pause
	died       bool // the actor ended during the call
	unended    bool // it had not returned when the spec ended
	regard     actor.Regard
	looked     actor.Looks
	open       uint64 // bits of what it told that the spec's matcher leaves open
	forgetful  bool   // its descriptor is of a device that keeps nothing
	device     bool   // it has opened a character device
	padded     bool   // it reads of a signalfd
	live       *actor.Call
}

func (c *call) failed() bool { return c.out != nil && c.out.Result < 0 && c.out.Result >= -4095 }

func (c *call) errno() unix.Errno {
	if c.failed() {
		return unix.Errno(-c.out.Result)
	}
	return 0
}

func (c *call) blocked() bool { return c.regard&actor.SeenBlocked != 0 }

func (c *call) inspected() bool { return c.regard&actor.Inspected != 0 }

// sleeps says whether a call of one of these names was seen asleep.
func (r *recording) sleeps(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.ContainsFunc(r.byName[name], (*call).blocked) })
}

// inspects says whether the spec looks at the data of any call of that name.
func (r *recording) inspects(name string) bool {
	return slices.ContainsFunc(r.byName[name], (*call).inspected)
}

// presupposed says that the spec's own code does not judge the call's result.
func (c *call) presupposed() bool {
	return c.setup || c.regard&actor.Presupposed != 0 && c.regard&actor.Judged == 0
}

// act is what the call does: its name, and the command of those that have one.
func (c *call) act() string {
	switch c.name {
	case "fcntl", "ioctl":
		return fmt.Sprintf("%s %d", c.name, c.args[1])
	case "lseek":
		return fmt.Sprintf("%s %d", c.name, c.args[2])
	case "prctl":
		return fmt.Sprintf("%s %d", c.name, c.args[0])
	}
	return c.name
}

// bytes returns what a call that reads got.
func (c *call) bytes() []byte {
	var all []byte
	for _, m := range c.out.Memory {
		all = append(all, m...)
	}
	return all[:min(int64(len(all)), max(c.out.Result, 0))]
}

// room is how many bytes its buffers hold.
func (c *call) room() int64 {
	n := 0
	for _, m := range c.in.Memory {
		n += len(m)
	}
	return int64(n)
}

// place is the line that makes the call, and, where that is in a function of the suite's, the line
// that calls it. The last place is where the body is given to Clause by another function.
func (c *call) place() string { return placeText(c.places) }

func placeText(places []spec.Location) string {
	if len(places) == 0 {
		return ""
	}
	text := places[0].String()
	for _, p := range places[1:] {
		text += fmt.Sprintf(" from %s:%d", path.Base(p.File), p.Line)
	}
	return text
}

// shape tells calls apart that are not the same call again in a loop.
func (c *call) shape() string {
	text := c.name
	for _, p := range c.places {
		text += " " + p.String()
	}
	if c.failed() {
		text += " failed"
	}
	return text
}

// made says whether the run made the same call, with the same arguments.
func (r *recording) made(live *actor.Call) bool {
	return slices.ContainsFunc(r.byName[live.Name()], func(c *call) bool { return slices.Equal(c.args, live.Args()) })
}

// used says whether a later call of the spec gets the descriptor that the call returned.
func (r *recording) used(c *call) bool { return r.usedLater(c, c.out.Result) }

// usedLater says whether a call after c gets a descriptor.
func (r *recording) usedLater(c *call, fd int64) bool {
	for _, o := range r.calls[c.index+1:] {
		for i, kind := range o.kinds {
			if kind == "fd" && int64(int32(o.args[i])) == fd {
				return true
			}
		}
	}
	return false
}

// A recording is what a spec did in one run.
type recording struct {
	calls  []*call
	byName map[string][]*call
	events map[string][]actor.Event     // what it saw of each actor's, last
	seenAt map[string][][]spec.Location // where it saw each of them first
	seenBy map[string][]int             // how many calls it had made by then
	looked map[string][]actor.Looks     // what it has read of each
	left   int                          // bytes of memory that may still be kept
	keep   func(name string) bool       // whether calls of that name will be lied about
	seen   map[*actor.Call]*call
}

// memoryKept bounds what is kept of one spec's buffers.
const memoryKept = 64 << 20

func newRecording(keep func(string) bool) *recording {
	return &recording{
		byName: map[string][]*call{}, events: map[string][]actor.Event{}, seenAt: map[string][][]spec.Location{}, seenBy: map[string][]int{}, looked: map[string][]actor.Looks{}, left: memoryKept,
		keep: keep, seen: map[*actor.Call]*call{},
	}
}

func (r *recording) Asked(live *actor.Call) *actor.Lie {
	name := live.Name()
	c := &call{
		name: name, occurrence: len(r.byName[name]) + 1, index: len(r.calls), actor: live.Actor().String(),
		text: live.Text(), args: slices.Clone(live.Args()), repeated: live.Repeated(), clones: live.Clones(), holds: live.Holds(), unended: true, live: live,
	}
	c.places, c.setup = harness.Script()
	if _, ok := sends[name]; ok {
		c.harmless, c.self = live.Harmless(), live.OwnID(name == "tkill")
	}
	for _, o := range r.calls {
		if done, dead := o.live.Ended(); !done && !dead {
			c.beside = true
			c.raced = c.raced || o.repeated && reads[o.name] && reads[name]
		}
	}
	for i := range c.args {
		c.kinds = append(c.kinds, live.Kind(i))
	}
	r.calls = append(r.calls, c)
	r.byName[name] = append(r.byName[name], c)
	r.seen[live] = c
	if r.keep(name) {
		c.padded = reads[name] && isSignalfd(live.Actor().PID(), c.args[0])
		c.forgetful = transfers[name] && forgets(live.Actor().PID(), c.args[0])
		size := 0
		for _, region := range live.Regions() {
			size += 2 * len(region.Bytes)
		}
		if r.left -= size; r.left >= 0 {
			c.in = live.Outcome()
			for _, region := range live.Regions() {
				c.regions = append(c.regions, region.Arg)
			}
		}
	}
	return nil
}

// isSignalfd says whether a process's descriptor is a signalfd.
func isSignalfd(pid int, fd uint64) bool {
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(fd)))
	return err == nil && to == "anon_inode:[signalfd]"
}

// device gives the number of the character device that a process's descriptor is of; false where it is
// of something else.
func device(pid int, fd uint64) (uint64, bool) {
	var stat unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(fd)), &stat)
	return stat.Rdev, err == nil && stat.Mode&unix.S_IFMT == unix.S_IFCHR
}

// forgets says whether a process's descriptor is of /dev/null, /dev/zero or /dev/full.
func forgets(pid int, fd uint64) bool {
	number, ok := device(pid, fd)
	return ok && (number == unix.Mkdev(1, 3) || number == unix.Mkdev(1, 5) || number == unix.Mkdev(1, 7))
}

func (r *recording) Told(live *actor.Call) {
	c := r.seen[live]
	if c == nil {
		return
	}
	done, died := live.Ended()
	c.unended, c.died = !done, died
	if c.name == "openat" && live.Result() >= 0 {
		_, c.device = device(live.Actor().PID(), uint64(live.Result()))
	}
	if c.in != nil {
		c.out = live.Outcome()
		return
	}
	completed, total := live.Tally()
	c.out = &actor.Outcome{Result: live.Result(), Completed: completed, Total: total}
}

func (r *recording) Delivered(a *actor.Actor, events []actor.Event) []actor.Event {
	name := a.String()
	r.events[name] = events
	for len(r.seenAt[name]) < len(events) {
		places, _ := harness.Script()
		r.seenAt[name] = append(r.seenAt[name], places)
		r.seenBy[name] = append(r.seenBy[name], len(r.calls))
	}
	return events
}

// close ends the recording: how the spec has looked at its calls is known now.
func (r *recording) close() {
	for _, c := range r.calls {
		c.regard, c.looked, c.open = c.live.Regards(), c.live.Looked(), c.live.LeftOpen()
		c.live = nil
	}
	for name, events := range r.events {
		for _, e := range events {
			r.looked[name] = append(r.looked[name], e.Info.Looks())
		}
	}
	r.seen = nil
}

// looksAtParticulars says whether the spec has read anything of a signal but its number.
func (r *recording) looksAtParticulars() bool {
	for _, all := range r.looked {
		if slices.ContainsFunc(all, func(l actor.Looks) bool { return l&^1 != 0 }) {
			return true
		}
	}
	return false
}

// eventPlace is where the spec saw a signal of an actor's first.
func (r *recording) eventPlace(actor string, i int) string {
	if i >= len(r.seenAt[actor]) {
		return ""
	}
	return placeText(r.seenAt[actor][i])
}

// same says whether two runs of the spec made the same calls.
func (r *recording) same(other *recording) bool {
	if len(r.calls) != len(other.calls) {
		return false
	}
	for i, c := range r.calls {
		o := other.calls[i]
		if c.name != o.name || c.actor != o.actor || c.failed() != o.failed() || c.blocked() != o.blocked() {
			return false
		}
	}
	return true
}
