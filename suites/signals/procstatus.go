package signals

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// statusField returns a field of a status file in /proc.
func statusField(reader *actor.Actor, file, field string) string {
	GinkgoHelper()
	fd := Must(reader.Open(file, unix.O_RDONLY, 0))
	read := reader.Read(fd, 16384)
	Expect(read).To(ReturnSuccess())
	Expect(string(read.Data())).To(HavePrefix("Name:"))
	Expect(string(read.Data())).To(HaveSuffix("\n"))
	Must(reader.Close(fd))
	for _, line := range strings.Split(string(read.Data()), "\n") {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	Fail(fmt.Sprintf("%s has no line %s", file, field))
	return ""
}

// expectSets checks sets of signals in a status file: pairs of a field and a set.
func expectSets(reader *actor.Actor, file string, sets ...any) {
	GinkgoHelper()
	for i := 0; i < len(sets); i += 2 {
		field := sets[i].(string)
		got, err := strconv.ParseUint(statusField(reader, file, field), 16, 64)
		Expect(err).NotTo(HaveOccurred())
		Expect(got).To(Equal(sets[i+1].(uint64)), field+" of "+file)
	}
}

func statusFile(a *actor.Actor) string { return fmt.Sprintf("/proc/%d/status", a.PID()) }

func taskStatusFile(a *actor.Actor) string {
	return fmt.Sprintf("/proc/%d/task/%d/status", a.PID(), a.TID())
}

var _ = Describe("The status of a process in /proc", func() {
	Clause("signal.status-blocked", func() {
		a := actor.New()
		thread := a.Thread()
		reader := actor.New()
		expectSets(reader, statusFile(a), "SigBlk", uint64(0))

		blockSignals(a, unix.SIGUSR1, 64)
		blockSignals(thread, unix.SIGUSR2)
		expectSets(reader, taskStatusFile(a), "SigBlk", actor.Mask(unix.SIGUSR1, 64))
		expectSets(reader, taskStatusFile(thread), "SigBlk", actor.Mask(unix.SIGUSR2))
		unblockSignals(a, unix.SIGUSR1)
		expectSets(reader, taskStatusFile(a), "SigBlk", actor.Mask(64))
	})

	Clause("signal.status-caught-and-ignored", func() {
		a := actor.New()
		thread := a.Thread()
		reader := actor.New()
		expectSets(reader, statusFile(a), "SigCgt", uint64(0), "SigIgn", uint64(0))

		Expect(a.Sigaction(unix.SIGUSR1, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(thread.Sigaction(40, actor.SA_SIGINFO, 0)).To(Return(0))
		Expect(setDisposition(a, unix.SIGUSR2, isIgnored)).To(Return(0))
		for _, file := range []string{statusFile(a), taskStatusFile(a), taskStatusFile(thread)} {
			expectSets(reader, file, "SigCgt", actor.Mask(unix.SIGUSR1, 40), "SigIgn", actor.Mask(unix.SIGUSR2))
		}
		Expect(setDisposition(a, unix.SIGUSR1, isDefault)).To(Return(0))
		Expect(setDisposition(a, unix.SIGUSR2, isDefault)).To(Return(0))
		expectSets(reader, statusFile(a), "SigCgt", actor.Mask(40), "SigIgn", uint64(0))
	})

	Clause("signal.status-pending", func() {
		a := actor.New()
		blockSignals(a, unix.SIGUSR1, unix.SIGUSR2, 40, 41)
		thread := a.Thread()
		reader := actor.New()

		Expect(reader.Kill(a.PID(), unix.SIGUSR1)).To(Return(0))
		Expect(reader.Sigqueue(a.PID(), 40, 1)).To(Return(0))
		Expect(reader.Tgkill(a.PID(), a.TID(), unix.SIGUSR2)).To(Return(0))
		Expect(reader.Tgkill(a.PID(), thread.TID(), 41)).To(Return(0))
		shared := actor.Mask(unix.SIGUSR1, 40)
		expectSets(reader, taskStatusFile(a), "SigPnd", actor.Mask(unix.SIGUSR2), "ShdPnd", shared)
		expectSets(reader, taskStatusFile(thread), "SigPnd", actor.Mask(41), "ShdPnd", shared)
	})

	Clause("signal.status-is-of-main-thread", func() {
		a := actor.New()
		thread := a.Thread()
		reader := actor.New()
		blockSignals(a, unix.SIGUSR1)
		blockSignals(thread, unix.SIGUSR2, unix.SIGTERM)
		Expect(reader.Tgkill(a.PID(), a.TID(), unix.SIGUSR1)).To(Return(0))
		Expect(reader.Tgkill(a.PID(), thread.TID(), unix.SIGUSR2)).To(Return(0))
		Expect(reader.Tgkill(a.PID(), thread.TID(), unix.SIGTERM)).To(Return(0))

		expectSets(reader, statusFile(a), "SigBlk", actor.Mask(unix.SIGUSR1), "SigPnd", actor.Mask(unix.SIGUSR1), "ShdPnd", uint64(0))
	})

	Clause("signal.status-queue", func() {
		a := actor.New()
		reader := a.Fork()
		blockSignals(a, 40)
		soft, _ := a.Rlimit(unix.RLIMIT_SIGPENDING)
		Expect(statusField(reader, statusFile(a), "SigQ")).To(Equal(fmt.Sprintf("0/%d", soft)))
		a.SetRlimit(unix.RLIMIT_SIGPENDING, 17)
		Expect(statusField(reader, statusFile(a), "SigQ")).To(Equal("0/17"))

		queue(reader, a, 40, 1, 2, 3)
		Expect(statusField(reader, statusFile(a), "SigQ")).To(Equal("3/17"))
		Expect(a.Sigtimedwait(actor.Mask(40), 0)).To(Return(40))
		Expect(statusField(reader, statusFile(a), "SigQ")).To(Equal("2/17"))
	})
})
