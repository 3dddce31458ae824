package harness

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/report"
)

// kernelLog is the kernel's log from where it was last read; nil where the kernel is not this run's
// own and could be complaining of somebody else.
var kernelLog *kmsg

// kmsg reads /dev/kmsg, which gives one record a read. A record is in it before the call returns
// that made the kernel write it, which cannot be said of a console.
type kmsg struct{ fd int }

// openKernelLog goes to the end of the kernel's log. What cannot be read is not looked at.
func openKernelLog() *kmsg {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return nil
	}
	return &kmsg{fd}
}

// next returns what has come since it was last called.
func (k *kmsg) next() []string {
	var lines []string
	buf := make([]byte, 8<<10) // the longest record
	for {
		n, err := unix.Read(k.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EPIPE): // some records were overwritten
		case err != nil || n <= 0:
			return lines
		default:
			lines = append(lines, logLine(string(buf[:n])))
		}
	}
}

// logLine is a record as the console shows it: "6,339,5140900,-;text" and fields in lines below.
func logLine(record string) string {
	text, _, _ := strings.Cut(record, "\n")
	head, text, ok := strings.Cut(text, ";")
	fields := strings.Split(head, ",")
	if !ok || len(fields) < 3 {
		return record
	}
	if micros, err := strconv.ParseUint(fields[2], 10, 64); err == nil {
		return fmt.Sprintf("[%5d.%06d] %s", micros/1e6, micros%1e6, text)
	}
	return text
}

var (
	// Programs have faults, too, which the kernel mentions: "traps: name[pid] general protection
	// fault". Those do not begin the line. "BUG kmalloc-8 (Not tainted): Right Redzone overwritten" is what
	// slub_debug finds, and pagealloc: begins what page_poison does.
	complaint = regexp.MustCompile(`^\[ *[0-9.]+\] (WARNING: |BUG: |BUG [-\w]+ \(|pagealloc: |UBSAN: |Oops: |Oops\[|Internal error: |kernel BUG at |general protection fault|stack segment|Unable to handle kernel |divide error: |invalid opcode: )`)
	// A machine that is short of CPU makes these.
	overloaded = regexp.MustCompile(`BUG: (soft lockup|workqueue lockup)`)
)

// What is shown of a log around a complaint.
const (
	linesBefore = 3
	mostLines   = 80
)

// complaintIn finds the first complaint of the kernel's about itself, and gives the part of the log
// around it.
func complaintIn(lines []string) (what string, part []string) {
	for i, l := range lines {
		if m := complaint.FindStringIndex(l); m != nil && !overloaded.MatchString(l) {
			_, what, _ = strings.Cut(l, "] ")
			from := max(0, i-linesBefore)
			return what, lines[from:min(len(lines), from+mostLines)]
		}
	}
	return "", nil
}

// blame has a clause deviate, whatever its spec found, when the kernel complained of itself while it
// was being checked: no page documents that. Of clauses that run side by side each may be the one.
func blame(o *report.Outcome, lines []string) {
	what, part := complaintIn(lines)
	if what == "" {
		return
	}
	message := "the kernel complained while this clause was being checked: " + what
	o.Verdict, o.Reason = report.Deviates, ""
	if o.Evidence == nil {
		o.Evidence = &report.Evidence{Message: message, Location: o.Location, Trace: part}
		return
	}
	e := *o.Evidence
	e.Message = strings.Join(append([]string{e.Message, "", message}, part...), "\n")
	o.Evidence = &e
}
