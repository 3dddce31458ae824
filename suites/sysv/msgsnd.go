package sysv

import (
	"bytes"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// pattern is n bytes of which no two neighbours, and no two pages, are alike.
func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + i>>8*31)
	}
	return string(b)
}

var _ = Describe("Sending a message", func() {
	Clause("msgsnd.appends", func() {
		a := actor.New()
		b := a.Fork()
		id := newQueue(a)
		Expect(a.Msgsnd(id, 7, []byte("one"), 0)).To(Return(0))
		Expect(b.Msgsnd(id, 5, []byte("two"), 0)).To(Return(0))
		Expect(a.Msgsnd(id, 7, []byte("three"), 0)).To(Return(0))
		expectMessages(b, id, message{7, "one"}, message{5, "two"}, message{7, "three"})
	})

	Clause("msgsnd.to-the-queue-it-names", func() {
		a := actor.New()
		one, other := newQueue(a), newQueue(a)
		Expect(a.Msgsnd(other, 1, []byte("x"), 0)).To(Return(0))
		expectMessages(a, one)
		expectMessages(a, other, message{1, "x"})
	})

	Clause("msgsnd.copies", func() {
		a := actor.New()
		id := newQueue(a)
		buffer := a.Bytes([]byte("\x03\x00\x00\x00\x00\x00\x00\x00text"))
		Expect(a.Raw(unix.SYS_MSGSND, id, buffer, 4, 0)).To(Return(0))
		clear(buffer.Bytes())
		expectMessages(a, id, message{3, "text"})
		Expect(buffer.Copy()).To(HaveEach(BeZero()))
	})

	Clause("msgsnd.part-of-a-buffer", func() {
		a := actor.New()
		id := newQueue(a)
		buffer := a.Bytes([]byte("\x03\x00\x00\x00\x00\x00\x00\x00text"))
		Expect(a.Raw(unix.SYS_MSGSND, id, buffer, 2, 0)).To(Return(0))
		expectMessages(a, id, message{3, "te"})
	})

	Clause("msgsnd.zero-length", func() {
		a := actor.New()
		id := newQueue(a)
		Expect(a.Msgsnd(id, 9, nil, 0)).To(Return(0))
		ds := queueStat(a, id)
		Expect([]int64{ds.Qnum, ds.Cbytes}).To(Equal([]int64{1, 0}))
		expectMessages(a, id, message{9, ""})
	})

	Clause("msgsnd.zero-length-needs-no-text", func() {
		a := actor.New()
		id := newQueue(a)
		buffer := a.PageEnd(8)
		buffer.PutUint64(0, 9)
		Expect(a.Raw(unix.SYS_MSGSND, id, buffer, 0, 0)).To(Return(0))
		expectMessages(a, id, message{9, ""})
	})

	for _, size := range []int{1, 4000, 4096, 8000, 8192} {
		Clause("msgsnd.every-byte", strconv.Itoa(size), func() {
			a := actor.New()
			id := newQueue(a)
			text := pattern(size)
			Expect(a.Msgsnd(id, 1, []byte(text), 0)).To(Return(0))
			Expect(queueStat(a, id).Cbytes).To(BeEquivalentTo(size))
			received := a.Msgrcv(id, size, 0, actor.IPC_NOWAIT)
			Expect(received).To(Return(size))
			Expect(received.Mtype()).To(BeEquivalentTo(1))
			Expect(bytes.Equal(received.Data(), []byte(text))).To(BeTrue(), "the text is the one that was sent")
		})
	}

	Clause("msgsnd.mtype-positive", func() {
		a := actor.New()
		id := newQueue(a)
		for _, mtype := range []int64{0, -1, -1 << 63} {
			Expect(a.Msgsnd(id, mtype, []byte("x"), 0)).To(FailWith(unix.EINVAL), "type %d", mtype)
		}
		Expect(queueStat(a, id).Qnum).To(BeZero())
		expectMessages(a, id)
	})

	Clause("msgsnd.mtype-extremes", func() {
		a := actor.New()
		id := newQueue(a)
		for _, mtype := range []int64{1, 1 << 32, 1<<63 - 1} {
			Expect(a.Msgsnd(id, mtype, []byte("x"), 0)).To(Return(0), "type %d", mtype)
			expectMessages(a, id, message{mtype, "x"})
		}
	})

	Clause("msgsnd.msgmax", func() {
		a := actor.New()
		id := newQueue(a)
		info := a.MsgInfo(actor.IPC_INFO)
		Must(info)
		most := info.Msginfo().Max
		Expect(a.Msgsnd(id, 1, make([]byte, most+1), actor.IPC_NOWAIT)).To(FailWith(unix.EINVAL))
		Expect(queueStat(a, id).Qnum).To(BeZero())
		Expect(a.Msgsnd(id, 1, make([]byte, most), actor.IPC_NOWAIT)).To(Return(0))
		Expect(queueStat(a, id).Cbytes).To(BeEquivalentTo(most))
	})

	Clause("msgsnd.msgmax-lowered", func() {
		a := actor.New()
		id := newQueue(a)
		messageLimit(a, "msgmax", "10")
		Expect(a.Msgsnd(id, 1, make([]byte, 11), 0)).To(FailWith(unix.EINVAL))
		expectMessages(a, id)
		Expect(a.Msgsnd(id, 1, []byte("0123456789"), 0)).To(Return(0))
		expectMessages(a, id, message{1, "0123456789"})
	})

	Clause("msgsnd.negative-size", func() {
		a := actor.New()
		id := newQueue(a)
		buffer := a.Bytes([]byte("\x03\x00\x00\x00\x00\x00\x00\x00text"))
		for _, size := range []int{-1, -1 << 63} {
			Expect(a.Raw(unix.SYS_MSGSND, id, buffer, size, 0)).To(FailWith(unix.EINVAL))
		}
		expectMessages(a, id)
	})

	Clause("msgsnd.efault", func() {
		a := actor.New()
		id := newQueue(a)
		short := a.PageEnd(10)
		short.PutUint64(0, 1)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.NoAccess(), a.PageEnd(4), short} {
			Expect(a.Raw(unix.SYS_MSGSND, id, nowhere, 4, 0)).To(FailWith(unix.EFAULT))
		}
		Expect(queueStat(a, id)).To(HaveField("Qnum", BeZero()))
		expectMessages(a, id)
	})

	Clause("msgsnd.unknown-id", func() {
		a := actor.New()
		id := newQueue(a)
		for _, other := range []int{-1, id + 1, noID} {
			Expect(a.Msgsnd(other, 1, []byte("x"), 0)).To(FailWith(unix.EINVAL))
		}
		expectMessages(a, id)
	})

	Clause("msgsnd.removed", func() {
		a := actor.New()
		id := newQueue(a)
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		Expect(a.Msgsnd(id, 1, []byte("x"), 0)).To(goneIPC())
	})

	Clause("msgsnd.eacces", func() {
		a := actor.New()
		id := newQueue(a)
		poor := capableOnly(a)
		for _, mode := range []uint32{0o400, 0o577, 0} {
			setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = mode })
			Expect(poor.Msgsnd(id, 1, []byte("x"), 0)).To(FailWith(unix.EACCES), "%#o", mode)
			expectMessages(a, id)
		}
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = 0o200 })
		Expect(poor.Msgsnd(id, 1, []byte("x"), 0)).To(Return(0))
		expectMessages(a, id, message{1, "x"})
	})

	Clause("msgsnd.ipc-owner-may", func() {
		a := actor.New()
		id := Must(a.Msgget(actor.IPC_PRIVATE, 0))
		Expect(incapable(a, unix.CAP_IPC_OWNER).Msgsnd(id, 1, []byte("x"), 0)).To(FailWith(unix.EACCES))
		Expect(capableOnly(a, unix.CAP_IPC_OWNER).Msgsnd(id, 1, []byte("y"), 0)).To(Return(0))
		expectMessages(a, id, message{1, "y"})
	})
})

var _ = Describe("A full message queue", func() {
	Clause("msgsnd.full-of-bytes", func() {
		a := actor.New()
		id := smallQueue(a, 10)
		Expect(a.Msgsnd(id, 1, []byte("01234"), 0)).To(Return(0))
		Expect(a.Msgsnd(id, 1, []byte("012345"), actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(a.Msgsnd(id, 2, []byte("56789"), actor.IPC_NOWAIT)).To(Return(0))
		Expect(a.Msgsnd(id, 3, []byte("x"), actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(queueStat(a, id)).To(SatisfyAll(HaveField("Cbytes", BeEquivalentTo(10)), HaveField("Qnum", BeEquivalentTo(2))))
		expectMessages(a, id, message{1, "01234"}, message{2, "56789"})
	})

	Clause("msgsnd.full-of-bytes-takes-empty-ones", func() {
		a := actor.New()
		id := smallQueue(a, 4)
		Must(a.Msgsnd(id, 1, []byte("0123"), 0))
		Expect(a.Msgsnd(id, 2, nil, actor.IPC_NOWAIT)).To(Return(0))
		expectMessages(a, id, message{1, "0123"}, message{2, ""})
	})

	Clause("msgsnd.full-of-messages", func() {
		a := actor.New()
		id := smallQueue(a, 3)
		for mtype := range int64(3) {
			Expect(a.Msgsnd(id, mtype+1, nil, actor.IPC_NOWAIT)).To(Return(0))
		}
		Expect(a.Msgsnd(id, 4, nil, actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(queueStat(a, id).Qnum).To(BeEquivalentTo(3))
		expectMessages(a, id, message{1, ""}, message{2, ""}, message{3, ""})
	})

	Clause("msgsnd.room-after-receive", func() {
		a := actor.New()
		id := smallQueue(a, 4)
		Must(a.Msgsnd(id, 1, []byte("0123"), 0))
		Must(a.Msgrcv(id, 4, 0, 0))
		Expect(a.Msgsnd(id, 2, []byte("4567"), actor.IPC_NOWAIT)).To(Return(0))
		expectMessages(a, id, message{2, "4567"})
	})

	Clause("msgsnd.queues-are-full-apart", func() {
		a := actor.New()
		full, other := smallQueue(a, 1), smallQueue(a, 1)
		Must(a.Msgsnd(full, 1, []byte("x"), 0))
		Expect(a.Msgsnd(full, 1, []byte("y"), actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(a.Msgsnd(other, 1, []byte("y"), actor.IPC_NOWAIT)).To(Return(0))
		expectMessages(a, full, message{1, "x"})
		expectMessages(a, other, message{1, "y"})
	})

	for _, full := range []struct{ id, held, text string }{
		{"msgsnd.blocks-on-bytes", "0123", "text"},
		{"msgsnd.blocks-on-messages", "", ""},
	} {
		Clause(full.id, func() {
			a := actor.New()
			sender := a.Fork()
			id := smallQueue(a, max(1, int64(len(full.held))))
			Must(a.Msgsnd(id, 1, []byte(full.held), 0))
			send := sender.Begin().Msgsnd(id, 2, []byte(full.text), 0)
			Expect(send).To(Block())
			Expect(queueStat(a, id).Qnum).To(BeEquivalentTo(1))
			expectMessage(a.Msgrcv(id, 8, 0, actor.IPC_NOWAIT), message{1, full.held})
			Expect(send).To(Return(0))
			expectMessages(a, id, message{2, full.text})
		})
	}

	Clause("msgsnd.waits-for-enough-room", func() {
		a := actor.New()
		sender := a.Fork()
		id := smallQueue(a, 6)
		for _, text := range []string{"01", "23", "45"} {
			Must(a.Msgsnd(id, 1, []byte(text), 0))
		}
		send := sender.Begin().Msgsnd(id, 2, []byte("text"), 0)
		Expect(send).To(Block())
		Must(a.Msgrcv(id, 2, 0, 0))
		Expect(send).To(Block())
		Must(a.Msgrcv(id, 2, 0, 0))
		Expect(send).To(Return(0))
		expectMessages(a, id, message{1, "45"}, message{2, "text"})
	})

	Clause("msgsnd.woken-by-qbytes", func() {
		a := actor.New()
		sender := a.Fork()
		id := smallQueue(a, 4)
		Must(a.Msgsnd(id, 1, []byte("0123"), 0))
		send := sender.Begin().Msgsnd(id, 2, []byte("text"), 0)
		Expect(send).To(Block())
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Qbytes = 7 })
		Expect(send).To(Block())
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Qbytes = 8 })
		Expect(send).To(Return(0))
		expectMessages(a, id, message{1, "0123"}, message{2, "text"})
	})

	Clause("msgsnd.lowered-qbytes", func() {
		a := actor.New()
		id := newQueue(a)
		for _, text := range []string{"0123", "4567"} {
			Must(a.Msgsnd(id, 1, []byte(text), 0))
		}
		setQueue(a, id, func(ds *actor.MsqidDS) { ds.Qbytes = 5 })
		Expect(a.Msgsnd(id, 2, nil, actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		expectMessage(a.Msgrcv(id, 4, 0, 0), message{1, "0123"})
		Expect(a.Msgsnd(id, 2, []byte("xy"), actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(a.Msgsnd(id, 2, []byte("x"), actor.IPC_NOWAIT)).To(Return(0))
		expectMessages(a, id, message{1, "4567"}, message{2, "x"})
	})

	Clause("msgsnd.removal-wakes", func() {
		a := actor.New()
		one, other := a.Fork(), a.Fork()
		id := smallQueue(a, 1)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		sends := []*actor.Call{one.Begin().Msgsnd(id, 2, []byte("y"), 0), other.Begin().Msgsnd(id, 3, nil, 0)}
		Expect(sends[0]).To(Block())
		Expect(sends[1]).To(Block())
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		for _, send := range sends {
			Expect(send).To(FailWith(unix.EIDRM))
		}
	})

	for _, handler := range handlers {
		Clause("msgsnd.eintr", handler.name, func() {
			a := actor.New()
			id := smallQueue(a, 1)
			Must(a.Msgsnd(id, 1, []byte("x"), 0))
			was := queueStat(a, id)
			expectInterrupted(a, catching(a, handler.flags).Begin().Msgsnd(id, 2, []byte("y"), 0))
			Expect(queueStat(a, id)).To(Equal(was))
			expectMessages(a, id, message{1, "x"})
		})
	}

	Clause("msgsnd.ignored-signal", func() {
		a := actor.New()
		id := smallQueue(a, 1)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		send := ignoring(a).Begin().Msgsnd(id, 2, []byte("y"), 0)
		expectUninterrupted(a, send)
		Must(a.Msgrcv(id, 1, 0, 0))
		Expect(send).To(Return(0))
		expectMessages(a, id, message{2, "y"})
	})
})

var _ = Describe("What a queue tells of its last send", func() {
	Clause("msgsnd.statistics", func() {
		a := actor.New()
		sender := a.Fork()
		id := newQueue(a)
		was := queueStat(a, id)
		before := ipcNow(a)
		Expect(sender.Msgsnd(id, 1, []byte("four"), 0)).To(Return(0))
		after := ipcNow(a)
		is := queueStat(a, id)
		Expect(is.Stime).To(withinIPC(before, after))
		want := was
		want.Stime, want.Lspid, want.Qnum, want.Cbytes = is.Stime, sender.PID(), 1, 4
		Expect(is).To(Equal(want))
		Expect(a.Msgsnd(id, 1, []byte("five5"), 0)).To(Return(0))
		is = queueStat(a, id)
		want.Stime, want.Lspid, want.Qnum, want.Cbytes = is.Stime, a.PID(), 2, 9
		Expect(is).To(Equal(want))
	})

	Clause("msgsnd.statistics-of-a-thread", func() {
		a := actor.New()
		thread := a.Thread()
		id := newQueue(a)
		Expect(thread.Msgsnd(id, 1, nil, 0)).To(Return(0))
		Expect(queueStat(a, id).Lspid).To(Equal(a.PID()))
	})

	Clause("msgsnd.statistics-of-a-blocked-one", func() {
		a := actor.New()
		sender := a.Fork()
		id := smallQueue(a, 1)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		send := sender.Begin().Msgsnd(id, 2, []byte("y"), 0)
		Expect(send).To(Block())
		Expect(queueStat(a, id)).To(SatisfyAll(HaveField("Lspid", a.PID()), HaveField("Qnum", BeEquivalentTo(1)), HaveField("Cbytes", BeEquivalentTo(1))))
		Must(a.Msgrcv(id, 1, 0, 0))
		Expect(send).To(Return(0))
		Expect(queueStat(a, id)).To(SatisfyAll(HaveField("Lspid", sender.PID()), HaveField("Qnum", BeEquivalentTo(1)), HaveField("Cbytes", BeEquivalentTo(1))))
	})

	Clause("msgsnd.failure-leaves-statistics", func() {
		a := actor.New()
		sender := a.Fork()
		id := smallQueue(a, 1)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		was := queueStat(a, id)
		Expect(sender.Msgsnd(id, 1, []byte("y"), actor.IPC_NOWAIT)).To(FailWith(unix.EAGAIN))
		Expect(sender.Msgsnd(id, 0, nil, 0)).To(FailWith(unix.EINVAL))
		Expect(sender.Raw(unix.SYS_MSGSND, id, actor.Null, 1, 0)).To(FailWith(unix.EFAULT))
		Expect(queueStat(a, id)).To(Equal(was))
	})

	Clause("msgsnd.to-a-waiting-receiver", func() {
		a := actor.New()
		receiver := a.Fork()
		id := newQueue(a)
		receive := receiver.Begin().Msgrcv(id, 8, 0, 0)
		Expect(receive).To(Block())
		Expect(a.Msgsnd(id, 4, []byte("text"), 0)).To(Return(0))
		expectMessage(receive, message{4, "text"})
		Expect(queueStat(a, id)).To(SatisfyAll(
			HaveField("Qnum", BeZero()), HaveField("Cbytes", BeZero()),
			HaveField("Lspid", a.PID()), HaveField("Lrpid", receiver.PID()), HaveField("Rtime", Not(BeZero())),
		))
	})
})
