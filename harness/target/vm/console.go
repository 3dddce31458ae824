package vm

import (
	"regexp"
	"strings"
	"sync"
)

// console keeps what the guest's kernel prints.
type console struct {
	mu   sync.Mutex
	kept []byte
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
	return len(text), nil
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
	trouble         = regexp.MustCompile(`WARNING: |BUG: |BUG [-\w]+ \(|pagealloc: |Oops: |Oops\[|general protection fault|Unable to handle|kernel BUG at|Kernel panic|Out of memory: |invoked oom-killer|divide error|INFO: task .* blocked|detected stall`)
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
