package mutate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// A Mutant is a run of a spec with one lie.
type Mutant struct {
	Kind    Kind   `json:"kind"`
	Subject string `json:"subject,omitempty"` // the clause's subject that the lie is about; "" for events
	Call    string `json:"call"`              // which call, as "read #3"
	Text    string `json:"text"`              // the call as the trace shows it
	Lie     string `json:"lie"`               // in words
	At      string `json:"at"`                // the line of the spec
	Group   string `json:"group,omitempty"`   // of alternatives: see Rules

	// For the rule about what other clauses notice: Prepares says that the spec takes the call for granted,
	// as a step towards what it judges; Act says what the call does, and Input which flag or argument
	// the kernel got otherwise.
	Prepares bool   `json:"prepares,omitempty"`
	Act      string `json:"act,omitempty"`
	Input    string `json:"input,omitempty"`

	// Particulars says that the lie is about what is told of a signal besides its number; Of names the
	// subjects that make it up.
	Particulars bool     `json:"particulars,omitempty"`
	Of          []string `json:"of,omitempty"`

	key    string // what it is, the same in each run, whatever numbers its words have: ids of processes, addresses
	liar   func() *liar
	either bool   // the spec accepted one of several outcomes of the call
	fails  bool   // it is told an error that the call did not return
	alone  bool   // the lie is about a flag that decides about this one call and nothing else
	excuse string // the rule that explains that nobody noticed
}

// A plan is what lies are to be told to one spec.
type plan struct {
	mutants  []*Mutant
	excluded map[string]int // how many lies each rule has excluded
}

func (p *plan) exclude(rule Rule, n int) {
	if n > 0 {
		p.excluded[rule.Name] += n
	}
}

// occurrences is how many calls of one shape are lied about: the first, one in the middle, the last.
const occurrences = 3

// newPlan chooses the lies.
func newPlan(r *recording, subjects []string, seed int64, most int) *plan {
	p := &plan{excluded: map[string]int{}}
	for _, subject := range subjects {
		for _, name := range names(r, subject) {
			b := &builder{plan: p, r: r, subject: subject, keys: map[string]int{}}
			for _, c := range b.sample(r.byName[name]) {
				b.tell(c)
			}
			b.exchanges(r.byName[name])
			b.exchangedMessages(r.byName[name])
		}
	}
	p.events(r, subjects)
	if len(p.mutants) > most {
		p.exclude(ruleSampled, len(p.mutants)-most)
		p.mutants = draw(p.mutants, seed, most)
	}
	return p
}

// names gives the calls by which a spec checks a subject.
func names(r *recording, subject string) []string {
	if len(r.byName[subject]) > 0 {
		return []string{subject}
	}
	return aliases[subject]
}

// draw chooses mutants by a hash of what they are, so that the same seed gives the same ones
// whatever else changes, and keeps their order.
func draw(all []*Mutant, seed int64, most int) []*Mutant {
	rank := func(m *Mutant) uint64 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s", seed, m.key)
		return h.Sum64()
	}
	drawn := slices.Clone(all)
	slices.SortStableFunc(drawn, func(a, b *Mutant) int { return cmp.Compare(rank(a), rank(b)) })
	drawn = drawn[:most]
	kept := map[*Mutant]bool{}
	for _, m := range drawn {
		kept[m] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(m *Mutant) bool { return !kept[m] })
}

// A builder makes the lies about the calls of one subject.
type builder struct {
	plan    *plan
	r       *recording
	subject string
	keys    map[string]int
}

// key tells one of the lies of a kind about a call apart from the others.
func (b *builder) key(which string, kind Kind) string {
	key := fmt.Sprintf("%s %s %s", b.subject, which, kind)
	b.keys[key]++
	return fmt.Sprintf("%s %d", key, b.keys[key])
}

// sample leaves out the same call again in a loop.
func (b *builder) sample(calls []*call) []*call {
	count := map[string]int{}
	for _, c := range calls {
		count[c.shape()]++
	}
	nth := map[string]int{}
	var chosen []*call
	for _, c := range calls {
		n, of := nth[c.shape()], count[c.shape()]
		nth[c.shape()]++
		if of <= occurrences || n == 0 || n == of/2 || n == of-1 {
			chosen = append(chosen, c)
		} else {
			b.plan.exclude(ruleSampled, 1)
		}
	}
	return chosen
}

// add keeps a lie unless a rule excludes it.
func (b *builder) add(c *call, kind Kind, words string, lie func() *actor.Lie) *Mutant {
	for _, rule := range rules {
		if slices.Contains(rule.kinds, kind) && rule.applies(b.r, c) {
			b.plan.exclude(rule, 1)
			return &Mutant{}
		}
	}
	which := fmt.Sprintf("%s #%d", c.name, c.occurrence)
	m := &Mutant{
		Kind: kind, Subject: b.subject, Call: which, Text: c.text, Lie: which + " " + words, At: c.place(),
		either: c.regard&actor.Either != 0, alone: kind == Flag && ofTheCallAlone(c, words), Prepares: c.presupposed(), Act: c.act(), Input: input(kind, words),
		key:  b.key(which, kind),
		liar: func() *liar { return &liar{name: c.name, occurrence: c.occurrence, lie: lie()} },
	}
	switch {
	case kind == Flag && waits[c.name] && (c.failed() || !strings.HasSuffix(words, "WNOWAIT")):
		m.liar = unlessToldSame(c, m.liar)
	case c.name == "msgrcv" && (kind == Argument || kind == Flag):
		m.liar = unlessReceivesSame(c, m.liar)
	case kind == Argument && telling(c) || kind == Flag && (onlyLooks(c) || waiters[c.name]):
		m.liar = unlessSame(c, m.liar)
	case kind == Flag && strings.HasSuffix(words, "IPC_NOWAIT"),
		kind == Flag && strings.HasSuffix(words, "IPC_CREAT"), kind == Flag && strings.HasSuffix(words, "IPC_EXCL"):
		m.liar = unlessSame(c, m.liar)
	case kind == Flag && c.failed():
		m.liar = unlessFailed(c, m.liar)
	case kind == Flag && strings.HasSuffix(words, "RWF_NOAPPEND") && c.name == "pwritev2":
		m.liar = ifAppending(c, m.liar)
	case kind == Flag && c.in != nil && ofTheCallAlone(c, words):
		m.liar = excusedIfSame(c, m.liar)
	case kind == Data || kind == Field:
		m.liar = ifSucceeds(m.liar)
	case kind == Count:
		m.liar = unlessTrue(m.liar)
	}
	if (kind == Flag || kind == Argument) && (c.blocked() && c.died || c.unended) {
		m.excuse = ruleAsleep.Name
	}
	_, sends := sends[c.name]
	switch {
	case sends && (kind == Omit || kind == Argument):
		m.liar = unlessUnmoved(c, m.liar)
	case kind == Omit:
		m.liar = unlessSo(c, m.liar)
	}
	b.plan.mutants = append(b.plan.mutants, m)
	return m
}

// waits are the calls of whose flags only WNOWAIT has an effect beyond what they tell.
var waits = set("wait4", "waitid")

// unlessToldSame takes it for no lie when a wait without a flag has told of a child just what it told
// with it. The children's ids are others in each run.
func unlessToldSame(c *call, make func() *liar) func() *liar {
	what := func(o *actor.Outcome) (told [4]uint64) {
		told[0] = uint64(min(o.Result, 1))
		at := func(arg, off int) uint64 {
			region := slices.Index(c.regions, arg)
			if region < 0 || region >= len(o.Memory) || off+4 > len(o.Memory[region]) {
				return 0
			}
			return patch{off: off, size: 4}.get(o.Memory[region])
		}
		if c.name == "wait4" {
			told[1] = at(1, 0)
		} else {
			told[1], told[2], told[3] = at(2, 8), at(2, 24), min(at(2, siPID), 1)
		}
		return told
	}
	return func() *liar {
		l := make()
		l.lie.After = func(live *actor.Call) { l.told = c.out == nil || what(live.Outcome()) != what(c.out) }
		return l
	}
}

// input is what the words of a lie say about what the kernel got otherwise.
func input(kind Kind, words string) string {
	words = strings.TrimPrefix(words, "was made ")
	switch kind {
	case Flag:
		return words
	case Argument:
		words, _, _ = strings.Cut(words, " instead of ")
		return strings.Join(slices.DeleteFunc(strings.Fields(words), func(w string) bool { return strings.ContainsAny(w, "0123456789") }), " ")
	}
	return ""
}

// unlessSo takes it for no lie that a call was not made which would have set what was so already.
func unlessSo(c *call, make func() *liar) func() *liar {
	get := func(*actor.Actor) (is, set int) { return 0, 1 }
	switch {
	case c.out == nil || c.failed():
		return make
	case c.name == "prctl":
		ask := map[uint64]int{
			unix.PR_SET_PDEATHSIG: unix.PR_GET_PDEATHSIG, unix.PR_SET_CHILD_SUBREAPER: unix.PR_GET_CHILD_SUBREAPER,
		}[c.args[0]]
		if ask == 0 {
			return make
		}
		get = func(a *actor.Actor) (int, int) {
			set := int(int32(c.args[1]))
			if ask == unix.PR_GET_CHILD_SUBREAPER && set != 0 {
				set = 1
			}
			return a.Quietly().PrctlGet(ask).Int(), set
		}
	case c.name == "lseek":
		get = func(a *actor.Actor) (int, int) {
			return a.Quietly().Lseek(int(c.args[0]), 0, unix.SEEK_CUR).Value(), int(c.out.Result)
		}
	case c.name == "ioctl" && c.args[1] == unix.TIOCSWINSZ && c.in != nil && len(c.in.Memory) == 1 && len(c.in.Memory[0]) == 8:
		get = func(a *actor.Actor) (int, int) {
			size := a.Alloc(8) // struct winsize
			a.Quietly().Ioctl(int(int32(c.args[0])), unix.TIOCGWINSZ, size)
			return int(size.Uint64(0)), int(binary.NativeEndian.Uint64(c.in.Memory[0]))
		}
	case c.name == "rt_sigprocmask" && c.args[1] != 0 && c.in != nil:
		return unlessSameMask(c.args[0], leavesMask, 0, make)
	case c.name == "fcntl":
		fd, arg := int(int32(c.args[0])), int(c.args[2])
		switch c.args[1] {
		case unix.F_SETFL:
			const may = unix.O_APPEND | unix.O_NONBLOCK | unix.O_ASYNC | unix.O_DIRECT | unix.O_NOATIME
			get = func(a *actor.Actor) (int, int) {
				return a.Quietly().Fcntl(fd, unix.F_GETFL, 0).Value() & may, arg & may
			}
		case unix.F_SETFD:
			get = func(a *actor.Actor) (int, int) {
				return a.Quietly().Fcntl(fd, unix.F_GETFD, 0).Value(), arg & unix.FD_CLOEXEC
			}
		case unix.F_SETPIPE_SZ:
			get = func(a *actor.Actor) (int, int) {
				return a.Quietly().Fcntl(fd, unix.F_GETPIPE_SZ, 0).Value(), int(c.out.Result)
			}
		}
	}
	return func() *liar {
		l := make()
		l.lie.Before = func(live *actor.Call) {
			is, set := get(live.Actor())
			l.told = is != set
		}
		return l
	}
}

// leavesMask stands for a how by which the mask stays as it is.
const leavesMask = ^uint64(0)

// unlessSameMask takes it for no lie that sigprocmask did something else than its how says, or to a
// set without some signals, where the mask becomes the same.
func unlessSameMask(how, other, without uint64, make func() *liar) func() *liar {
	mask := func(how, was, set uint64) uint64 {
		switch how {
		case unix.SIG_BLOCK:
			return was | set
		case unix.SIG_UNBLOCK:
			return was &^ set
		case unix.SIG_SETMASK:
			return set
		}
		return was
	}
	return func() *liar {
		l := make()
		before := l.lie.Before
		l.lie.Before = func(live *actor.Call) {
			was := live.Actor().Quietly().Sigprocmask(unix.SIG_BLOCK, nil).Word()
			set := was
			for _, r := range live.Regions() {
				if r.Arg == 1 && len(r.Bytes) >= 8 {
					set = binary.NativeEndian.Uint64(r.Bytes)
				}
			}
			l.told = mask(how, was, set) != mask(other, was, set&^without)
			if before != nil {
				before(live)
			}
		}
		return l
	}
}

// unlessSame takes it for no lie when a call that changes nothing has told, with another argument,
// just what it told with the right one.
func unlessSame(c *call, make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		before := l.lie.Before
		l.lie.After = func(live *actor.Call) {
			if before != nil { // the kernel had other flags to look at; the spec gets its own back
				before(live)
			}
			l.told = c.in == nil || !reflect.DeepEqual(live.Outcome(), c.out)
		}
		return l
	}
}

// unlessFailed takes it for no lie when a call that fails has, without a flag, failed all the same.
func unlessFailed(c *call, make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		l.lie.After = func(live *actor.Call) { l.told = live.Result() != c.out.Result }
		return l
	}
}

// ofTheCallAlone says that a flag decides about one call and about nothing that outlives it.
func ofTheCallAlone(c *call, words string) bool {
	if waiters[c.name] { // what it asks for
		return true
	}
	switch flag := strings.TrimPrefix(words, "was made without "); flag {
	case "SPLICE_F_NONBLOCK", "RWF_NOWAIT", "WNOHANG":
		return true
	case "O_CREAT": // a file that opens without it was there
		return c.name == "openat"
	case "O_DIRECTORY": // it is one
		return c.name == "openat"
	case "O_TRUNC": // which a device has no use for
		return c.device
	case "O_NONBLOCK":
		return c.name == "delete_module"
	default:
		return c.name == "preadv2" && strings.HasPrefix(flag, "RWF_")
	}
}

// ifAppending takes it for no lie that a write was made without RWF_NOAPPEND where the description has
// no O_APPEND that the flag could override.
func ifAppending(c *call, make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		l.lie.Before = func(live *actor.Call) {
			flags := live.Actor().Quietly().Fcntl(int(int32(c.args[0])), unix.F_GETFL, 0)
			l.told = !flags.OK() || flags.Value()&unix.O_APPEND != 0
		}
		return l
	}
}

// excusedIfSame explains that nobody noticed where the call told without the flag just what it told with
// it, as it should where there is nothing to wait for.
func excusedIfSame(c *call, make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		l.lie.After = func(live *actor.Call) {
			if reflect.DeepEqual(live.Outcome(), c.out) {
				l.excuse = ruleSame.Name
			}
		}
		return l
	}
}

// ifSucceeds takes it for no lie when the call fails this time and so tells no data.
func ifSucceeds(make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		if after := l.lie.After; after != nil {
			l.lie.After = func(live *actor.Call) {
				after(live)
				l.told = live.Result() >= 0
			}
		}
		return l
	}
}

// unlessTrue takes it for no lie when the call has returned, this time, the number that is told.
func unlessTrue(make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		after := l.lie.After
		l.lie.After = func(live *actor.Call) {
			result := live.Result()
			completed, total := live.Tally()
			after(live)
			toldCompleted, toldTotal := live.Tally()
			l.told = live.Result() != result || toldCompleted != completed || toldTotal != total
		}
		return l
	}
}

// tell makes all lies about one call.
func (b *builder) tell(c *call) {
	b.omission(c)
	b.twice(c)
	b.add(c, Late, "returned after those that follow", noLie)
	b.arguments(c)
	b.results(c)
	b.data(c)
	b.effects(c)
}

// twice has a call made once more. That is a lie only if the second one does something.
func (b *builder) twice(c *call) {
	m := b.add(c, Twice, "was made twice", noLie)
	m.liar = func() *liar {
		l := &liar{name: c.name, occurrence: c.occurrence}
		takes := transfers[c.name] || c.name == "rt_sigtimedwait" || c.name == "wait4"
		at, does := sends[c.name]
		unmoved := false
		var second *actor.Call
		l.lie = &actor.Lie{Twice: true, Before: func(live *actor.Call) {
			second = live
			unmoved = does && at.target >= 0 && live.Actor().Unmoved(int(int32(live.Args()[at.target])), unix.Signal(live.Args()[at.sig]))
		}, Second: func(result int64) {
			if c.name == "lseek" { // what has told the same again, or failed, has not moved
				l.told = result >= 0 && result != l.lie.Omit.Result
				return
			}
			does := does || c.name == "waitid" || sysv[c.name] // what fails has done nothing
			if eventWaits[c.name] {                            // what is level-triggered is told again
				l.told = !reflect.DeepEqual(second.Outcome().Memory, l.lie.Omit.Memory) || result != l.lie.Omit.Result
				return
			}
			l.told = !unmoved && (result > 0 || result == -int64(unix.EPIPE) || !takes && (!does || result == 0))
		}}
		return l
	}
}

func (b *builder) omission(c *call) {
	if c.name == "execve" && !c.failed() {
		b.flagsOfDescriptors(c)
	}
	outcome := c.out
	if outcome == nil {
		outcome = &actor.Outcome{}
	}
	kind, words, fails := Omit, "was not made, and "+result(c.name, outcome.Result)+" was told", false
	switch {
	case c.died:
		outcome = &actor.Outcome{Result: -int64(unix.EPIPE)}
		words = "did not end the actor, but failed with EPIPE"
	case c.unended:
		outcome = &actor.Outcome{Result: -int64(unix.EINTR)}
		kind, words, fails = Early, "did not sleep, but failed with EINTR", true
	case c.blocked():
		kind, words = Early, "did not sleep, and "+result(c.name, outcome.Result)+" was told"
	}
	if c.in == nil {
		b.plan.exclude(ruleMemory, 1)
		return
	}
	b.add(c, kind, words, func() *actor.Lie { return &actor.Lie{Omit: outcome} }).fails = fails
	if c.blocked() && !c.failed() {
		b.add(c, kind, "did not sleep, but failed with EAGAIN", func() *actor.Lie {
			return &actor.Lie{Omit: &actor.Outcome{Result: -int64(unix.EAGAIN)}}
		}).fails = true
	}
}

// flagsOfDescriptors has an execve that happens ignore the descriptors' flags.
func (b *builder) flagsOfDescriptors(c *call) {
	for _, on := range []bool{false, true} {
		words := "kept descriptors with FD_CLOEXEC"
		if on {
			words = "closed descriptors without FD_CLOEXEC"
		}
		m := b.add(c, Flag, words, noLie)
		m.liar = func() *liar {
			l := &liar{name: c.name, occurrence: c.occurrence, effect: true}
			l.lie = &actor.Lie{Before: func(live *actor.Call) { l.told = live.Actor().CloexecAll(on) }}
			return l
		}
	}
}

// result says a result in words.
func result(name string, v int64) string {
	if v < 0 && v >= -4095 {
		return actor.ErrnoName(unix.Errno(-v))
	}
	if transfers[name] {
		return fmt.Sprintf("%d bytes", v)
	}
	return strconv.FormatInt(v, 10)
}

// with makes a lie that gives the kernel another argument.
func with(i int, v uint64) func() *actor.Lie {
	return func() *actor.Lie { return &actor.Lie{Args: map[int]uint64{i: v}} }
}

func (b *builder) arguments(c *call) {
	for i, v := range c.args {
		for _, f := range flags(c, i) {
			if v&f.bit != f.bit || f.bit == 0 {
				continue
			}
			switch {
			case f.name == "TFD_TIMER_CANCEL_ON_SET" && len(b.r.byName["clock_settime"]) == 0:
				b.plan.exclude(ruleClockNotSet, 1)
				continue
			case f.name == "TFD_TIMER_ABSTIME" && disarms(c):
				b.plan.exclude(ruleDisarms, 1)
				continue
			case c.kinds[i] == "pidfdsignal" && b.r.scope(c) == f.bit:
				b.plan.exclude(ruleScope, 1)
				continue
			case b.r.meetsNothing(c, f):
				b.plan.exclude(ruleNothingMet, 1)
				continue
			}
			if hints[f.name] && !c.failed() {
				b.plan.exclude(ruleHint, 1)
				continue
			}
			b.add(c, Flag, "was made without "+f.name, with(i, v&^f.bit))
		}
		switch kind := c.kinds[i]; kind {
		case "fd":
			if int32(v) >= 0 {
				m := b.add(c, Argument, fmt.Sprintf("was made with descriptor %d instead of %d", v+1, v), with(i, v+1))
				m.liar = unlessOne(c, i, m.liar)
			}
		case "size":
			if v == 0 || c.name == "vmsplice" || ofNullMask(c, i) {
				continue
			}
			if c.died && transfers[c.name] && !c.blocked() {
				b.plan.exclude(ruleDied, 1)
				continue
			}
			if c.out != nil && transfers[c.name] && c.out.Result >= 0 && uint64(c.out.Result) < v && !c.died {
				b.plan.exclude(ruleNotReached, 1)
				continue
			}
			if c.name == "msgrcv" && c.out != nil && c.out.Result >= 0 && uint64(c.out.Result) < v {
				b.plan.exclude(ruleNotReached, 1)
				continue
			}
			if page := uint64(unix.Getpagesize()); mapsPages[c.name] && (v-1)%page != 0 {
				b.plan.exclude(ruleWholePages, 1)
				continue
			}
			b.add(c, Argument, fmt.Sprintf("was made with size %d instead of %d", v-1, v), with(i, v-1))
		case "off":
			if c.name == "lseek" || i == 3 {
				b.add(c, Argument, fmt.Sprintf("was made with offset %d instead of %d", int64(v)+1, int64(v)), with(i, v+1))
			}
		case "whence":
			b.add(c, Argument, "was made with another whence", with(i, (v+1)%3))
		case "mode":
			if c.device || c.name == "openat" && c.args[2]&unix.O_CREAT == 0 || c.name == "mq_open" && c.args[1]&unix.O_CREAT == 0 {
				continue
			}
			b.add(c, Argument, fmt.Sprintf("was made with mode %#o instead of %#o", v^0o200, v), with(i, v^0o200))
		}
	}
	b.signalArguments(c)
	b.ipcArguments(c)
	switch c.name {
	case "fcntl":
		switch c.args[1] {
		case unix.F_SETPIPE_SZ:
			b.add(c, Argument, fmt.Sprintf("was made with size %d instead of %d", 2*c.args[2], c.args[2]), with(2, 2*c.args[2]))
		case unix.F_DUPFD, unix.F_DUPFD_CLOEXEC:
			b.add(c, Argument, fmt.Sprintf("was made with least descriptor %d instead of %d", c.args[2]+1, c.args[2]), with(2, c.args[2]+1))
			if c.args[1] == unix.F_DUPFD_CLOEXEC {
				b.add(c, Flag, "was made as F_DUPFD", with(1, unix.F_DUPFD))
			}
		}
	case "epoll_ctl":
		b.inMemory(c, 3, 0, 4, append(named("EPOLL", waited), []flag{
			{unix.EPOLLET, "EPOLLET"}, {unix.EPOLLONESHOT, "EPOLLONESHOT"}, {unix.EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"}, {unix.EPOLLWAKEUP, "EPOLLWAKEUP"},
		}...))
	case "poll", "ppoll":
		for i := range min(int(c.args[1]), 8) {
			b.inMemory(c, 0, 8*i+4, 2, named("POLL", waited))
		}
	}
}

// mapsPages are the calls that take a length for the pages in which it lies.
var mapsPages = set("mmap", "munmap", "mremap", "mprotect")

// ofNullMask says that a size is that of a signal mask which is not there, and so not looked at.
func ofNullMask(c *call, i int) bool {
	return (c.name == "ppoll" || c.name == "epoll_pwait") && i > 0 && c.args[i-1] == 0
}

// unlessOne takes it for no lie that a call got another descriptor for what it had a descriptor of:
// of the same open file description, or, where the call is about the pipe itself, of the same pipe.
func unlessOne(c *call, i int, make func() *liar) func() *liar {
	if c.name == "close" || c.name == "dup2" || c.name == "dup3" {
		return make // about the descriptor itself
	}
	aboutFile := c.name == "fstat" || c.name == "ioctl"
	if c.name == "fcntl" {
		switch c.args[1] {
		case unix.F_GETFD, unix.F_SETFD:
			return make
		case unix.F_GETPIPE_SZ, unix.F_SETPIPE_SZ:
			aboutFile = true
		}
	}
	return func() *liar {
		l := make()
		l.lie.Before = func(live *actor.Call) {
			a, fd := live.Actor(), int(int32(c.args[i]))
			l.told = !a.SameDescription(fd, fd+1) && (!aboutFile || !a.SameFile(fd, fd+1))
		}
		return l
	}
}

// inMemory removes flags from a word that an argument points to.
func (b *builder) inMemory(c *call, arg, off, size int, flags []flag) (all []*Mutant) {
	region := slices.Index(c.regions, arg)
	if c.in == nil || region < 0 {
		return nil
	}
	p := patch{region: region, off: off, size: size}
	if off+p.size > len(c.in.Memory[region]) {
		return nil
	}
	held := p.get(c.in.Memory[region])
	for _, f := range flags {
		if held&f.bit == 0 {
			continue
		}
		if hints[f.name] && !c.failed() {
			b.plan.exclude(ruleHint, 1)
			continue
		}
		if f.name == "EPOLLEXCLUSIVE" && b.r.sleeps("epoll_wait", "epoll_pwait", "epoll_pwait2") {
			b.plan.exclude(ruleAtLeastOne, 1)
			continue
		}
		if b.r.meetsNothing(c, f) {
			b.plan.exclude(ruleNothingMet, 1)
			continue
		}
		if c.open&f.bit != 0 { // what is asked for may be told or not
			b.plan.exclude(ruleOpen, 1)
			continue
		}
		change := p
		change.toggle = f.bit
		all = append(all, b.add(c, Flag, "was made without "+f.name, func() *actor.Lie {
			return &actor.Lie{Before: func(live *actor.Call) { patchMemory(live, change) }}
		}))
	}
	return all
}

func patchMemory(live *actor.Call, patches ...patch) {
	regions := live.Regions()
	for _, p := range patches {
		if p.region < len(regions) {
			p.apply(regions[p.region].Bytes)
		}
	}
}

// forge makes a lie that tells another result.
func forge(v int64) func() *actor.Lie {
	return func() *actor.Lie {
		return &actor.Lie{After: func(live *actor.Call) {
			completed, total := live.Tally()
			live.Forge(v, completed, total)
		}}
	}
}

// forgeOther makes a lie that tells a number, or where the call has returned just that this time, the next
// one in the direction given: the length of a file in /proc, or how often a timer has expired, is not the
// same in each run.
func forgeOther(v, direction int64) func() *actor.Lie {
	return func() *actor.Lie {
		return &actor.Lie{After: func(live *actor.Call) {
			told := v
			if live.Result() == v {
				told += direction
			}
			completed, total := live.Tally()
			live.Forge(told, completed, total)
		}}
	}
}

func (b *builder) results(c *call) {
	if c.out == nil {
		return
	}
	v := c.out.Result
	if c.repeated && c.out.Completed > 0 && c.regard&actor.Counted == 0 {
		b.plan.exclude(ruleUncounted, 1)
	} else if c.repeated && c.out.Completed > 0 {
		m := b.add(c, Count, "told one success fewer", func() *actor.Lie {
			return &actor.Lie{After: func(live *actor.Call) {
				completed, total := live.Tally()
				live.Forge(live.Result(), completed-1, total-total/int64(max(completed, 1)))
			}}
		})
		if slices.ContainsFunc(b.r.byName[c.name], func(o *call) bool { return o.raced && o.repeated }) {
			m.excuse = ruleRace.Name
		}
	}
	if c.failed() {
		for _, e := range neighbours(c.errno()) {
			b.add(c, Errno, fmt.Sprintf("failed with %s instead of %s", actor.ErrnoName(e), actor.ErrnoName(c.errno())), forge(-int64(e)))
		}
		told := int64(0)
		if transfers[c.name] && c.args[len(c.args)-1] != 0 {
			told = 1
		} else if makesDescriptor(c) && c.name != "pipe" && c.name != "pipe2" && c.name != "socketpair" {
			told = 3
		}
		b.add(c, Success, fmt.Sprintf("returned %s instead of failing with %s", result(c.name, told), actor.ErrnoName(c.errno())), forge(told))
		return
	}
	for _, e := range []unix.Errno{unix.EINVAL, unix.EINTR} {
		b.add(c, Errno, fmt.Sprintf("failed with %s instead of returning %s", actor.ErrnoName(e), result(c.name, v)), forge(-int64(e)))
	}
	if c.name == "fcntl" {
		switch c.args[1] {
		case unix.F_GETFL:
			for _, f := range []flag{{unix.O_NONBLOCK, "O_NONBLOCK"}, {unix.O_APPEND, "O_APPEND"}, {unix.O_DIRECT, "O_DIRECT"}, {1, "the access mode"}} {
				m := b.add(c, Count, "told "+f.name+" the other way round", forge(v^int64(f.bit)))
				m.Group = fmt.Sprintf("F_GETFL #%d", c.occurrence)
			}
			return
		case unix.F_GETFD:
			b.add(c, Count, "told FD_CLOEXEC the other way round", forge(v^1))
			return
		}
	}
	var others []int64
	group := ""
	switch {
	case c.name == "fcntl" && c.args[1] == unix.F_GETPIPE_SZ: // a spec may care for pages alone
		page := int64(os.Getpagesize())
		others, group = []int64{v - page, v - 1, v + 1, v + page}, fmt.Sprintf("capacity of fcntl #%d", c.occurrence)
	case transfers[c.name], counts[c.name]:
		others = []int64{v - 1, v + 1, 0}
	case v == 0:
		others = []int64{1}
	case makesDescriptor(c):
		others = []int64{v + 1}
		if c.name == "openat" && !b.r.used(c) {
			b.plan.exclude(ruleUnused, 1)
			others = nil
		}
	default:
		others = []int64{v - 1, v + 1}
	}
	slices.Sort(others)
	for _, o := range slices.Compact(others) {
		if o > 0 && o < v && c.regard&actor.Shorter != 0 {
			b.plan.exclude(ruleOpen, 1)
			continue
		}
		if o >= 0 && o != v {
			lie := forge(o)
			if o > 0 {
				lie = forgeOther(o, o-v)
			}
			m := b.add(c, Count, fmt.Sprintf("returned %s instead of %s", result(c.name, o), result(c.name, v)), lie)
			m.Group = group
		}
	}
}

// counts are the calls, beside those that transfer bytes, that return how many there are of something.
var counts = set("msgrcv", "sendto", "sendmsg", "recvfrom", "recvmsg", "recvmmsg", "mq_timedreceive", "io_getevents",
	"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "timer_getoverrun")

// memory makes a lie that changes what the call stored.
func memory(patches ...patch) func() *actor.Lie {
	return func() *actor.Lie {
		return &actor.Lie{After: func(live *actor.Call) { patchMemory(live, patches...) }}
	}
}

func (b *builder) data(c *call) {
	if c.out == nil || c.in == nil || c.failed() {
		return
	}
	switch {
	case reads[c.name] && c.holds == "":
		b.bytes(c)
	case c.name == "select", c.name == "pselect6":
		b.sets(c)
	case c.name == "msgrcv":
		b.message(c)
	}
	for _, l := range layouts(c) {
		region := slices.Index(c.regions, l.arg)
		if region < 0 {
			continue
		}
		if at, ok := optional[c.name]; ok && at == l.arg && !c.inspected() {
			b.plan.exclude(ruleUnasked, len(l.fields))
			continue
		}
		for i := range min(l.elements(c), 4) {
			for _, f := range l.fields {
				p := patch{region: region, off: i*l.stride + f.off, size: f.size, toggle: f.toggle}
				if p.off+p.size > len(c.out.Memory[region]) {
					continue
				}
				if makesPair[c.name] && !b.r.usedLater(c, int64(int32(p.get(c.out.Memory[region])))) {
					b.plan.exclude(ruleUnused, 1)
					continue
				}
				if makesPair[c.name] {
					p.toggle = 1 << 6 // one that is not in use, rather than the other end
				}
				if f.toggle != 0 && c.open&f.toggle == f.toggle {
					b.plan.exclude(ruleOpen, 1)
					continue
				}
				words := "told another value of " + f.name
				if f.toggle != 0 {
					words = "told " + f.name + " the other way round"
				}
				if l.stride != 0 {
					words += fmt.Sprintf(" in element %d", i)
				}
				if c.looked != 0 && !c.looked.Has(f.off) {
					b.plan.exclude(ruleUnread, 1)
					continue
				}
				m := b.add(c, Field, words, memory(p))
				if c.looked != 0 {
					continue // the spec has read just this
				}
				if !c.inspected() {
					m.Group = "data of " + c.name
				} else if l.alternatives {
					m.Group = fmt.Sprintf("%s #%d", c.name, c.occurrence)
				}
			}
		}
	}
}

// bytes lies about a stream of bytes that was read.
func (b *builder) bytes(c *call) {
	at := func(n int64) (p patch, ok bool) {
		for i, m := range c.out.Memory {
			if n < int64(len(m)) {
				return patch{region: i, off: int(n), size: 1}, true
			}
			n -= int64(len(m))
		}
		return patch{}, false
	}
	lie := func(words string, lie func() *actor.Lie) {
		m := b.add(c, Data, words, lie)
		if !c.inspected() {
			m.Group = "data of " + c.name
		}
	}
	n := c.out.Result
	first, ok := at(0)
	if n <= 0 || !ok {
		return
	}
	lie("returned another first byte", memory(first))
	last, ok := at(n - 1)
	if n < 2 || !ok {
		return
	}
	if c.padded { // for fields that are yet to come
		b.plan.exclude(rulePadding, 1)
		return
	}
	lie("returned another last byte", memory(last))
	x, y := first.get(c.out.Memory[first.region]), last.get(c.out.Memory[last.region])
	if x == y {
		return
	}
	swap := []patch{first, last}
	swap[0].toggle, swap[1].toggle = x^y, x^y
	lie("returned its first and last byte swapped", memory(swap...))
}

// exchanges has two reads return each other's bytes: messages that arrive in the wrong order.
func (b *builder) exchanges(calls []*call) {
	last := map[string]*call{} // by who reads, and from what
	told := map[string]int{}
	for _, c := range calls {
		if !reads[c.name] || c.out == nil || c.in == nil || c.failed() || c.out.Result <= 0 || c.repeated {
			continue
		}
		key := fmt.Sprintf("%s %d", c.actor, c.args[0])
		one := last[key]
		last[key] = c
		if one == nil || bytes.Equal(one.bytes(), c.bytes()) || one.room() < c.out.Result || c.room() < one.out.Result {
			continue
		}
		if told[one.shape()]++; told[one.shape()] > occurrences {
			b.plan.exclude(ruleSampled, 1)
			continue
		}
		if one.raced || c.raced {
			b.plan.exclude(ruleRace, 1)
			continue
		}
		b.exchanged(one, c, fmt.Sprintf("and #%d returned each other's bytes", c.occurrence), func(other *call) *actor.Lie {
			return returning(other.bytes())
		})
	}
}

// exchanged has two calls tell what the other got.
func (b *builder) exchanged(one, other *call, words string, as func(c *call) *actor.Lie) {
	m := b.add(one, Data, words, noLie)
	m.liar = func() *liar {
		return &liar{name: one.name, occurrence: one.occurrence, lie: as(other), otherAt: other.occurrence, other: as(one)}
	}
	if !one.inspected() && !other.inspected() {
		m.Group = "data of " + other.name
	}
}

var reads = set("read", "pread64", "readv", "preadv", "preadv2")

// returning makes a lie by which a call returns other bytes.
func returning(data []byte) *actor.Lie {
	return &actor.Lie{After: func(live *actor.Call) {
		if live.Result() < 0 {
			return
		}
		completed, total := live.Tally()
		live.Forge(int64(len(data)), completed, total)
		left := data
		for _, r := range live.Regions() {
			left = left[copy(r.Bytes, left):]
		}
	}}
}

// sets lies about sets of descriptors, bit by bit.
func (b *builder) sets(c *call) {
	for set, name := range []string{"readable", "writable", "exceptional"} {
		region := slices.Index(c.regions, set+1)
		if region < 0 {
			continue
		}
		for fd := range min(int(int32(c.args[0])), 64) {
			p := patch{region: region, off: fd / 8, size: 1, toggle: 1 << (fd % 8)}
			if p.get(c.in.Memory[region])&p.toggle != 0 {
				b.add(c, Field, fmt.Sprintf("told the other way round whether descriptor %d is %s", fd, name), memory(p))
			}
		}
	}
}

// effects has a failing call have an effect.
func (b *builder) effects(c *call) {
	if !c.failed() || c.repeated {
		return
	}
	switch c.errno() {
	case unix.EBADF, unix.EPIPE:
		return // there is nothing on which it could take effect
	}
	put := func(words string, effect func(live *actor.Call) bool) {
		m := b.add(c, Effect, fmt.Sprintf("failed with %s, but %s", actor.ErrnoName(c.errno()), words), noLie)
		m.liar = func() *liar {
			l := &liar{name: c.name, occurrence: c.occurrence, effect: true}
			l.lie = &actor.Lie{Effect: func(live *actor.Call) {
				if _, dead := live.Ended(); !dead {
					l.told = effect(live)
				}
			}}
			return l
		}
	}
	signalEffects(c, put)
	ipcEffects(c, put)
	add := func(i int) {
		put("a byte was written", func(live *actor.Call) bool { return live.Actor().Add(int(int32(c.args[i]))) })
	}
	take := func(i int) {
		put("a byte was taken", func(live *actor.Call) bool { return live.Actor().Take(int(int32(c.args[i]))) })
	}
	switch c.name {
	case "write", "writev", "pwrite64", "pwritev", "pwritev2", "vmsplice":
		if c.errno() == unix.EAGAIN {
			take(0) // it is full: what can go wrong is that it makes room
		} else {
			add(0)
		}
	case "read", "readv", "pread64", "preadv", "preadv2":
		take(0)
	case "splice":
		take(0)
		add(2)
	case "tee":
		take(0)
		add(1)
	case "dup2", "dup3":
		put("the new descriptor was closed", func(live *actor.Call) bool { return live.Actor().Drop(int(int32(c.args[1]))) })
	}
}

// makesPair are the calls that store two descriptors.
var makesPair = set("pipe", "pipe2", "socketpair")

// optional is the argument of calls whose callers need not ask for what is stored there.
var optional = map[string]int{
	"rt_sigaction": 2, "rt_sigprocmask": 2, "rt_sigtimedwait": 1, "sigaltstack": 1, "setitimer": 2, "timer_settime": 3,
	"timerfd_settime": 3, "waitid": 2, "wait4": 1,
}

func noLie() *actor.Lie { return nil }

// events lies about signals that the spec has looked at.
func (p *plan) events(r *recording, subjects []string) {
	var of []string // the subjects that make up what is told of a signal
	for _, subject := range subjects {
		if slices.ContainsFunc(names(r, subject), func(name string) bool { return makesParticulars[name] }) {
			of = append(of, subject)
		}
	}
	var actors []string
	for name, events := range r.events {
		if len(events) > 0 {
			actors = append(actors, name)
		}
	}
	slices.Sort(actors)
	for _, name := range actors {
		events := r.events[name]
		for i, e := range events {
			if i >= 2 && i < len(events)-1 {
				p.exclude(ruleSampled, 1)
				continue
			}
			add := func(words string, change func([]actor.Event) []actor.Event) *Mutant {
				which := fmt.Sprintf("signal #%d of %s (%s)", i+1, name, actor.SignalName(e.Signal))
				m := &Mutant{
					Kind: Event, Call: which, Text: which, Lie: which + " " + words, At: r.eventPlace(name, i),
					key: which + " " + words,
					liar: func() *liar {
						return &liar{actor: name, change: func(list []actor.Event) []actor.Event {
							if len(list) <= i {
								return list
							}
							return change(slices.Clone(list))
						}}
					},
				}
				p.mutants = append(p.mutants, m)
				return m
			}
			add("was not delivered", func(l []actor.Event) []actor.Event { return slices.Delete(l, i, i+1) })
			twice := add("was delivered twice", func(l []actor.Event) []actor.Event { return slices.Insert(l, i, l[i]) })
			if ofReadiness(e) {
				twice.excuse = ruleToldAgain.Name
			}
			if i+1 < len(events) && !bytes.Equal(e.Info.Raw[:], events[i+1].Info.Raw[:]) {
				swapped := add("came after the next one", func(l []actor.Event) []actor.Event {
					if i+1 < len(l) {
						l[i], l[i+1] = l[i+1], l[i]
					}
					return l
				})
				if r.unordered(name, i) {
					swapped.excuse = ruleUnordered.Name
				}
			}
			for _, f := range siginfo {
				read := r.looked[name][i].Has(f.off)
				switch {
				case f.off == 0: // si_signo
					if !read {
						p.exclude(ruleUnread, 1)
						continue
					}
				case read:
				case r.looksAtParticulars() || len(of) == 0:
					p.exclude(ruleUnread, 1)
					continue
				}
				m := add("had another "+f.name, func(l []actor.Event) []actor.Event {
					l[i].Info.Raw[f.off]++
					return l
				})
				if m.Particulars, m.Of = f.off != 0, of; !read {
					m.Group = "particulars of signals"
				}
			}
			add("was another signal", func(l []actor.Event) []actor.Event {
				l[i].Signal++
				l[i].Info.Raw[0]++
				return l
			})
		}
	}
}

// ofReadiness says that the kernel has sent the signal because something can be done with a descriptor:
// SIGIO, or the real-time signal that F_SETSIG has chosen.
func ofReadiness(e actor.Event) bool {
	const last = 6 // POLL_HUP, of the codes from POLL_IN on
	return rawCode(e) > 0 && (e.Signal == unix.SIGIO || e.Signal >= firstRealTime && rawCode(e) <= last)
}

// rawCode is si_code, of which the spec need not have read anything: more than 0 where the kernel has
// sent the signal of its own accord.
func rawCode(e actor.Event) int32 { return int32(binary.NativeEndian.Uint32(e.Info.Raw[8:])) }

// A liar is the interposer of a mutant's run.
type liar struct {
	name       string // the call
	occurrence int
	lie        *actor.Lie
	effect     bool // told is up to the lie

	actor  string // or the actor whose events are changed
	change func([]actor.Event) []actor.Event

	otherAt int // another call of the same name to be lied about
	other   *actor.Lie

	known func(*actor.Call) bool // whether the recorded run made the same call

	count  int
	told   bool
	live   *actor.Call // that was lied about
	excuse string      // the rule that explains that nobody noticed
	dead   int         // actors that ended during a call
}

func (l *liar) Asked(c *actor.Call) *actor.Lie {
	if !c.Harmless() && !l.known(c) {
		// The lie has led the spec to a process that is not its own.
		return &actor.Lie{Omit: &actor.Outcome{Result: -int64(unix.ESRCH)}}
	}
	if l.lie == nil || c.Name() != l.name {
		return nil
	}
	if l.count++; l.count == l.otherAt {
		return l.other
	}
	if l.count != l.occurrence {
		return nil
	}
	l.told, l.live = l.told || !l.effect, c
	return l.lie
}

func (l *liar) Told(c *actor.Call) {
	if _, dead := c.Ended(); dead {
		l.dead++
	}
}

func (l *liar) Delivered(a *actor.Actor, events []actor.Event) []actor.Event {
	if l.change == nil || a.String() != l.actor {
		return events
	}
	changed := l.change(events)
	l.told = l.told || !slices.Equal(changed, events) // it may have caught fewer this time
	return changed
}
