package sysv

import (
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// mixture is messages of several types.
var mixture = []message{{3, "a"}, {1, "b"}, {2, "c"}, {1, "d"}, {3, "e"}}

var _ = Describe("Which message is received", func() {
	Clause("msgrcv.first", func() {
		a := actor.New()
		id := queueOf(a, mixture...)
		for _, m := range mixture {
			expectMessage(a.Msgrcv(id, 8, 0, 0), m)
		}
		Expect(a.Msgrcv(id, 8, 0, actor.IPC_NOWAIT)).To(FailWith(unix.ENOMSG))
	})

	for _, selection := range []struct {
		id    string
		mtype int64
		flags int
		order []int // of the mixture
	}{
		{"msgrcv.type", 1, 0, []int{1, 3}},
		{"msgrcv.type", 3, 0, []int{0, 4}},
		{"msgrcv.except", 3, actor.MSG_EXCEPT, []int{1, 2, 3}},
		{"msgrcv.except", 1, actor.MSG_EXCEPT, []int{0, 2, 4}},
		{"msgrcv.except-of-none", 9, actor.MSG_EXCEPT, []int{0, 1, 2, 3, 4}},
		{"msgrcv.negative", -3, 0, []int{1, 3, 2, 0, 4}},
		{"msgrcv.negative-below", -2, 0, []int{1, 3, 2}},
		{"msgrcv.negative-one", -1, 0, []int{1, 3}},
		{"msgrcv.negative-extreme", -1 << 63, 0, []int{1, 3, 2, 0, 4}},
		{"msgrcv.except-with-zero", 0, actor.MSG_EXCEPT, []int{0, 1, 2, 3, 4}},
		{"msgrcv.except-with-negative", -2, actor.MSG_EXCEPT, []int{1, 3, 2}},
	} {
		Clause(selection.id, strconv.Itoa(int(selection.mtype)), func() {
			a := actor.New()
			id := queueOf(a, mixture...)
			taken := map[int]bool{}
			for _, i := range selection.order {
				expectMessage(a.Msgrcv(id, 8, selection.mtype, selection.flags), mixture[i])
				taken[i] = true
			}
			Expect(a.Msgrcv(id, 8, selection.mtype, selection.flags|actor.IPC_NOWAIT)).To(FailWith(unix.ENOMSG))
			var rest []message
			for i, m := range mixture {
				if !taken[i] {
					rest = append(rest, m)
				}
			}
			expectMessages(a, id, rest...)
		})
	}

	Clause("msgrcv.wide-type", func() {
		a := actor.New()
		id := queueOf(a, message{1<<32 + 1, "wide"}, message{1, "narrow"})
		expectMessage(a.Msgrcv(id, 8, 1, actor.IPC_NOWAIT), message{1, "narrow"})
		expectMessage(a.Msgrcv(id, 8, 1<<32+1, actor.IPC_NOWAIT), message{1<<32 + 1, "wide"})
	})

	for _, empty := range []struct {
		name  string
		held  []message
		mtype int64
		flags int
	}{
		{"empty", nil, 0, 0},
		{"no such type", []message{{2, "x"}}, 1, 0},
		{"no other type", []message{{2, "x"}}, 2, actor.MSG_EXCEPT},
		{"no type so low", []message{{2, "x"}}, -1, 0},
	} {
		Clause("msgrcv.enomsg", empty.name, func() {
			a := actor.New()
			id := queueOf(a, empty.held...)
			was := queueStat(a, id)
			Expect(a.Msgrcv(id, 8, empty.mtype, empty.flags|actor.IPC_NOWAIT)).To(FailWith(unix.ENOMSG))
			Expect(queueStat(a, id)).To(Equal(was))
			expectMessages(a, id, empty.held...)
		})
	}
})

var _ = Describe("Room for a message", func() {
	Clause("msgrcv.e2big", func() {
		a := actor.New()
		id := queueOf(a, message{1, "01234"}, message{2, "x"})
		was := queueStat(a, id)
		for _, size := range []int{4, 0} {
			Expect(a.Msgrcv(id, size, 0, 0)).To(FailWith(unix.E2BIG))
		}
		Expect(queueStat(a, id)).To(Equal(was))
		expectMessages(a, id, message{1, "01234"}, message{2, "x"})
	})

	Clause("msgrcv.exact", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"})
		expectMessage(a.Msgrcv(id, 5, 0, 0), message{6, "01234"})
		expectMessages(a, id)
	})

	Clause("msgrcv.noerror", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"}, message{7, "x"})
		expectMessage(a.Msgrcv(id, 3, 0, actor.MSG_NOERROR), message{6, "012"})
		Expect(queueStat(a, id)).To(SatisfyAll(HaveField("Qnum", BeEquivalentTo(1)), HaveField("Cbytes", BeEquivalentTo(1))))
		expectMessages(a, id, message{7, "x"})
	})

	Clause("msgrcv.noerror-nothing", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"})
		expectMessage(a.Msgrcv(id, 0, 0, actor.MSG_NOERROR), message{6, ""})
		expectMessages(a, id)
	})

	Clause("msgrcv.noerror-with-room", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"})
		expectMessage(a.Msgrcv(id, 8, 0, actor.MSG_NOERROR), message{6, "01234"})
		expectMessages(a, id)
	})

	Clause("msgrcv.writes-no-more", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"}, message{7, "56789"})
		buffer := a.Bytes([]byte("................"))
		Expect(a.Raw(unix.SYS_MSGRCV, id, buffer, 8, 0, 0)).To(Return(5))
		Expect(string(buffer.Copy()[8:])).To(Equal("01234..."))
		Expect(a.Raw(unix.SYS_MSGRCV, id, buffer, 2, 0, actor.MSG_NOERROR)).To(Return(2))
		Expect(string(buffer.Copy()[8:])).To(Equal("56234..."))
		Expect(buffer.Uint64(0)).To(BeEquivalentTo(7))
	})

	Clause("msgrcv.negative-size", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"})
		buffer := a.Bytes([]byte("................"))
		for _, size := range []int{-1, -1 << 63} {
			Expect(a.Raw(unix.SYS_MSGRCV, id, buffer, size, 0, actor.MSG_NOERROR)).To(FailWith(unix.EINVAL))
		}
		Expect(string(buffer.Copy())).To(Equal("................"))
		expectMessages(a, id, message{6, "01234"})
	})

	Clause("msgrcv.efault", func() {
		a := actor.New()
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.ReadOnly(make([]byte, 16)), a.PageEnd(4), a.PageEnd(10)} {
			id := queueOf(a, message{6, "01234"})
			Expect(a.Raw(unix.SYS_MSGRCV, id, nowhere, 8, 0, actor.IPC_NOWAIT)).To(FailWith(unix.EFAULT))
		}
	})

	Clause("msgrcv.efault-loses-nothing", func() {
		a := actor.New()
		id := queueOf(a, message{6, "01234"})
		Expect(a.Raw(unix.SYS_MSGRCV, id, a.Unmapped(), 8, 0, actor.IPC_NOWAIT)).To(FailWith(unix.EFAULT))
		expectMessages(a, id, message{6, "01234"})
	})
})

var _ = Describe("Who may receive, and from where", func() {
	Clause("msgrcv.unknown-id", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		for _, other := range []int{-1, id + 1, noID} {
			Expect(a.Msgrcv(other, 8, 0, actor.IPC_NOWAIT)).To(FailWith(unix.EINVAL))
		}
		expectMessages(a, id, message{1, "x"})
	})

	Clause("msgrcv.removed", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		Expect(a.Msgrcv(id, 8, 0, actor.IPC_NOWAIT)).To(goneIPC())
	})

	Clause("msgrcv.from-the-queue-it-names", func() {
		a := actor.New()
		one, other := queueOf(a, message{1, "one"}), queueOf(a, message{1, "other"})
		expectMessage(a.Msgrcv(other, 8, 0, 0), message{1, "other"})
		expectMessages(a, other)
		expectMessages(a, one, message{1, "one"})
	})

	Clause("msgrcv.by-another-process", func() {
		a := actor.New()
		b := a.Fork()
		id := queueOf(a, message{5, "text"})
		expectMessage(b.Msgrcv(id, 8, 0, 0), message{5, "text"})
		expectMessages(a, id)
	})

	Clause("msgrcv.eacces", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		poor := capableOnly(a)
		for _, mode := range []uint32{0o200, 0o377, 0} {
			setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = mode })
			Expect(poor.Msgrcv(id, 8, 0, 0)).To(FailWith(unix.EACCES), "%#o", mode)
		}
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = 0o400 })
		expectMessage(poor.Msgrcv(id, 8, 0, 0), message{1, "x"})
	})

	Clause("msgrcv.ipc-owner-may", func() {
		a := actor.New()
		id := Must(a.Msgget(actor.IPC_PRIVATE, 0))
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		Expect(incapable(a, unix.CAP_IPC_OWNER).Msgrcv(id, 8, 0, 0)).To(FailWith(unix.EACCES))
		expectMessage(capableOnly(a, unix.CAP_IPC_OWNER).Msgrcv(id, 8, 0, 0), message{1, "x"})
	})
})

var _ = Describe("Waiting for a message", func() {
	Clause("msgrcv.blocks", func() {
		a := actor.New()
		receiver := a.Fork()
		id := newQueue(a)
		receive := receiver.Begin().Msgrcv(id, 8, 0, 0)
		Expect(receive).To(Block())
		Must(a.Msgsnd(id, 5, []byte("text"), 0))
		expectMessage(receive, message{5, "text"})
		expectMessages(a, id)
	})

	for _, wait := range []struct {
		name         string
		mtype        int64
		flags        int
		wrong, right message
	}{
		{"type", 2, 0, message{1, "no"}, message{2, "yes"}},
		{"MSG_EXCEPT", 2, actor.MSG_EXCEPT, message{2, "no"}, message{1, "yes"}},
		{"negative", -2, 0, message{3, "no"}, message{2, "yes"}},
	} {
		Clause("msgrcv.blocks-for-its-type", wait.name, func() {
			a := actor.New()
			receiver := a.Fork()
			id := queueOf(a, wait.wrong)
			receive := receiver.Begin().Msgrcv(id, 8, wait.mtype, wait.flags)
			Expect(receive).To(Block())
			Must(a.Msgsnd(id, wait.wrong.mtype, []byte(wait.wrong.text), 0))
			Expect(receive).To(Block())
			Must(a.Msgsnd(id, wait.right.mtype, []byte(wait.right.text), 0))
			expectMessage(receive, wait.right)
			expectMessages(a, id, wait.wrong, wait.wrong)
		})
	}

	Clause("msgrcv.each-gets-its-own", func() {
		a := actor.New()
		one, other := a.Fork(), a.Fork()
		id := newQueue(a)
		first, second := one.Begin().Msgrcv(id, 8, 1, 0), other.Begin().Msgrcv(id, 8, 2, 0)
		Expect(first).To(Block())
		Expect(second).To(Block())
		Must(a.Msgsnd(id, 2, []byte("two"), 0))
		expectMessage(second, message{2, "two"})
		Expect(first).To(Block())
		Must(a.Msgsnd(id, 1, []byte("one"), 0))
		expectMessage(first, message{1, "one"})
	})

	Clause("msgrcv.one-message-for-one", func() {
		a := actor.New()
		one, other := a.Fork(), a.Fork()
		id := newQueue(a)
		first := one.Begin().Msgrcv(id, 8, 0, 0)
		Expect(first).To(Block())
		second := other.Begin().Msgrcv(id, 8, 0, 0)
		Expect(second).To(Block())
		Must(a.Msgsnd(id, 1, []byte("a"), 0))
		Must(a.Msgsnd(id, 2, []byte("b"), 0))
		Expect(first).To(Return(1))
		Expect(second).To(Return(1))
		Expect([]message{{first.Mtype(), string(first.Data())}, {second.Mtype(), string(second.Data())}}).To(ConsistOf(message{1, "a"}, message{2, "b"}))
		expectMessages(a, id)
	})

	Clause("msgrcv.e2big-when-woken", func() {
		a := actor.New()
		receiver := a.Fork()
		id := newQueue(a)
		receive := receiver.Begin().Msgrcv(id, 3, 0, 0)
		Expect(receive).To(Block())
		Must(a.Msgsnd(id, 1, []byte("four"), 0))
		Expect(receive).To(FailWith(unix.E2BIG))
		Expect(queueStat(a, id)).To(SatisfyAll(HaveField("Qnum", BeEquivalentTo(1)), HaveField("Lrpid", BeZero())))
		expectMessages(a, id, message{1, "four"})
	})

	Clause("msgrcv.noerror-when-woken", func() {
		a := actor.New()
		receiver := a.Fork()
		id := newQueue(a)
		receive := receiver.Begin().Msgrcv(id, 3, 0, actor.MSG_NOERROR)
		Expect(receive).To(Block())
		Must(a.Msgsnd(id, 1, []byte("four"), 0))
		expectMessage(receive, message{1, "fou"})
		expectMessages(a, id)
	})

	Clause("msgrcv.removal-wakes", func() {
		a := actor.New()
		one, other := a.Fork(), a.Fork()
		id := queueOf(a, message{5, "x"})
		receives := []*actor.Call{one.Begin().Msgrcv(id, 8, 1, 0), other.Begin().Msgrcv(id, 8, -2, 0)}
		Expect(receives[0]).To(Block())
		Expect(receives[1]).To(Block())
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		for _, receive := range receives {
			Expect(receive).To(FailWith(unix.EIDRM))
		}
	})

	for _, handler := range handlers {
		Clause("msgrcv.eintr", handler.name, func() {
			a := actor.New()
			id := newQueue(a)
			was := queueStat(a, id)
			expectInterrupted(a, catching(a, handler.flags).Begin().Msgrcv(id, 8, 0, 0))
			Expect(queueStat(a, id)).To(Equal(was))
			Must(a.Msgsnd(id, 1, []byte("x"), 0))
			expectMessages(a, id, message{1, "x"})
		})
	}

	Clause("msgrcv.ignored-signal", func() {
		a := actor.New()
		id := newQueue(a)
		receive := ignoring(a).Begin().Msgrcv(id, 8, 0, 0)
		expectUninterrupted(a, receive)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		expectMessage(receive, message{1, "x"})
	})

	Clause("msgrcv.setting-leaves-it-asleep", func() {
		a := actor.New()
		receiver := a.Fork()
		id := newQueue(a)
		receive := receiver.Begin().Msgrcv(id, 8, 0, 0)
		Expect(receive).To(Block())
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Qbytes = 100 })
		Expect(receive).To(Block())
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		expectMessage(receive, message{1, "x"})
	})
})

var _ = Describe("What a queue tells of its last receive", func() {
	Clause("msgrcv.statistics", func() {
		a := actor.New()
		receiver := a.Fork()
		id := queueOf(a, message{1, "four"}, message{1, "x"})
		was := queueStat(a, id)
		before := ipcNow(a)
		expectMessage(receiver.Msgrcv(id, 8, 0, 0), message{1, "four"})
		after := ipcNow(a)
		is := queueStat(a, id)
		Expect(is.Rtime).To(withinIPC(before, after))
		want := was
		want.Rtime, want.Lrpid, want.Qnum, want.Cbytes = is.Rtime, receiver.PID(), 1, 1
		Expect(is).To(Equal(want))
		expectMessage(a.Msgrcv(id, 8, 0, 0), message{1, "x"})
		is = queueStat(a, id)
		want.Rtime, want.Lrpid, want.Qnum, want.Cbytes = is.Rtime, a.PID(), 0, 0
		Expect(is).To(Equal(want))
	})

	Clause("msgrcv.statistics-of-a-thread", func() {
		a := actor.New()
		thread := a.Thread()
		id := queueOf(a, message{1, "x"})
		expectMessage(thread.Msgrcv(id, 8, 0, 0), message{1, "x"})
		Expect(queueStat(a, id).Lrpid).To(Equal(a.PID()))
	})

	Clause("msgrcv.failure-leaves-statistics", func() {
		a := actor.New()
		receiver := a.Fork()
		id := queueOf(a, message{1, "four"})
		was := queueStat(a, id)
		Expect(receiver.Msgrcv(id, 8, 2, actor.IPC_NOWAIT)).To(FailWith(unix.ENOMSG))
		Expect(receiver.Msgrcv(id, 3, 0, 0)).To(FailWith(unix.E2BIG))
		Expect(queueStat(a, id)).To(Equal(was))
	})
})

var _ = Describe("A copy of a message", func() {
	const nowait = actor.MSG_COPY | actor.IPC_NOWAIT

	Clause("msgrcv.copy", func() {
		a := actor.New()
		id := queueOf(a, mixture...)
		was := queueStat(a, id)
		for _, i := range []int{4, 0, 2, 2} {
			expectMessage(a.Msgrcv(id, 8, int64(i), nowait), mixture[i])
		}
		expectMessage(a.Msgrcv(id, 1, 1, nowait), mixture[1]) // with room for the text and no more
		Expect(queueStat(a, id)).To(Equal(was))
		expectMessages(a, id, mixture...)
	})

	Clause("msgrcv.copy-enomsg", func() {
		a := actor.New()
		id := queueOf(a, message{1, "a"}, message{2, "b"})
		expectMessage(a.Msgrcv(id, 8, 1, nowait), message{2, "b"})
		for _, position := range []int64{2, 3, 1 << 40, -1} {
			Expect(a.Msgrcv(id, 8, position, nowait)).To(FailWith(unix.ENOMSG), "position %d", position)
		}
		expectMessages(a, id, message{1, "a"}, message{2, "b"})
		Expect(a.Msgrcv(id, 8, 0, nowait)).To(FailWith(unix.ENOMSG))
	})

	for _, refused := range []struct {
		id        string
		size      int // of the room for a text of five bytes
		flags     int
		positions []int64
		errno     unix.Errno
	}{
		{"msgrcv.copy-needs-nowait", 5, actor.MSG_COPY, []int64{0, 1, 2}, unix.EINVAL},
		{"msgrcv.copy-excludes-except", 5, nowait | actor.MSG_EXCEPT, []int64{0, 1, 2}, unix.EINVAL},
		{"msgrcv.copy-e2big", 4, nowait, []int64{0, 1}, unix.E2BIG},
		{"msgrcv.copy-is-not-truncated", 4, nowait | actor.MSG_NOERROR, []int64{0, 1}, unix.EINVAL},
	} {
		Clause(refused.id, func() {
			a := actor.New()
			id := queueOf(a, message{1, "01234"}, message{2, "56789"})
			was := queueStat(a, id)
			for _, position := range refused.positions {
				Expect(a.Msgrcv(id, refused.size, position, refused.flags)).To(FailWith(refused.errno), "position %d", position)
			}
			Expect(queueStat(a, id)).To(Equal(was))
			expectMessages(a, id, message{1, "01234"}, message{2, "56789"})
		})
	}

	Clause("msgrcv.copy-needs-read-permission", func() {
		a := actor.New()
		id := queueOf(a, message{1, "a"})
		poor := capableOnly(a)
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = 0o200 })
		Expect(poor.Msgrcv(id, 8, 0, nowait)).To(FailWith(unix.EACCES))
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = 0o400 })
		expectMessage(poor.Msgrcv(id, 8, 0, nowait), message{1, "a"})
		expectMessages(a, id, message{1, "a"})
	})
})
