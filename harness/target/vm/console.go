package vm

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// console keeps what the guest's kernel prints.
type console struct {
	mu      sync.Mutex
	kept    []byte
	partial []byte // a line that has not ended yet
	part    []string
	what    string // the first trouble, which that part is around; "" while there was none
}

// mostKept bounds what is kept of it; a file can keep it all.
const mostKept = 256 << 10

func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, text...)
	if len(c.kept) > mostKept {
		c.kept = c.kept[len(c.kept)-mostKept:]
	}
	c.partial = append(c.partial, text...)
	for {
		line, rest, ended := bytes.Cut(c.partial, []byte("\n"))
		if !ended {
			return len(text), nil
		}
		c.look(strings.Trim(string(line), "\r"))
		c.partial = rest
	}
}

// look looks for the first trouble, and keeps what is around it.
func (c *console) look(line string) {
	if c.what == "" && trouble.MatchString(line) && !excused.MatchString(line) {
		c.what = oneLine(line)
	}
	switch {
	case c.what == "" && len(c.part) == before:
		c.part = append(c.part[1:], line)
	case len(c.part) < most:
		c.part = append(c.part, line)
	}
}

// complaint gives the first trouble, or "", and the part of the console around it. It is for the end.
func (c *console) complaint() (what string, part []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.partial) > 0 {
		c.look(strings.Trim(string(c.partial), "\r"))
		c.partial = nil
	}
	if c.what == "" {
		return "", nil
	}
	return c.what, c.part
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(strings.ReplaceAll(string(c.kept), "\r", ""))
}

func (c *console) lines() []string { return strings.Split(c.text(), "\n") }

// last is the last line.
func (c *console) last() string {
	lines := c.lines()
	return oneLine(lines[len(lines)-1])
}

var (
	panicked        = regexp.MustCompile(`Kernel panic - not syncing: (.*)`)
	strayBreakpoint = regexp.MustCompile(`(?m)^(\[ *[0-9.]+\] *)?(Oops: )?int3: [0-9a-f]{4} `)
	noMemory        = regexp.MustCompile(`Out of memory: .*|System is deadlocked on memory.*|Initramfs unpacking failed: write error.*`)
	trouble         = regexp.MustCompile(`WARNING: |BUG: |BUG [-\w]+ \(|pagealloc: |UBSAN: |Oops: |Oops\[|general protection fault|Unable to handle|kernel BUG at|Kernel panic|Out of memory: |invoked oom-killer|divide error|INFO: task .* blocked|detected stall`)

	// Of this the machine, which was short of CPU, or a program is the cause.
	excused = regexp.MustCompile(`BUG: (soft lockup|workqueue lockup)|detected stall|traps: `)
)

// complaints gives what a kernel that panicked or had no memory left has to say of it, each in one
// line, and "" where it has not.
func (c *console) complaints() (panic, memory string) {
	for _, l := range c.lines() {
		if m := panicked.FindStringSubmatch(l); m != nil && panic == "" {
			panic = oneLine(m[1])
		}
		if m := noMemory.FindString(l); m != "" {
			memory = oneLine(m)
		}
	}
	return panic, memory
}

// Parts of the console that are shown.
const (
	before = 5  // lines before the trouble
	most   = 80 // lines in all
)

// around gives the part of the console around the last trouble, or its end where there was none.
func (c *console) around() []string {
	lines := c.lines()
	from := max(0, len(lines)-20)
	for i := len(lines) - 1; i >= max(0, len(lines)-most); i-- {
		if trouble.MatchString(lines[i]) {
			from = max(0, i-before)
		}
	}
	return lines[from:min(len(lines), from+most)]
}
