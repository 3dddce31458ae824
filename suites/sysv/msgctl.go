package sysv

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// setMode has an actor that may do so set a queue's permissions.
func setMode(a *actor.Actor, id int, mode uint32) {
	setQueue(a, id, func(ds *actor.MsqidDS) { ds.Perm.Mode = mode })
}

var _ = Describe("What IPC_STAT tells of a queue", func() {
	Clause("msgctl.stat", func() {
		a := actor.New()
		b := a.Fork()
		newQueue(a)
		before := ipcNow(a)
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o640))
		Must(b.Msgsnd(id, 1, []byte("0123"), 0))
		Must(b.Msgsnd(id, 1, []byte("45"), 0))
		Must(a.Msgrcv(id, 8, 0, 0))
		after := ipcNow(a)
		call := b.MsgStat(id, actor.IPC_STAT)
		Expect(call).To(Return(0))
		ds := call.MsqidDS()
		uid, gid := uint32(Must(a.Getuid())), uint32(Must(a.Raw(unix.SYS_GETGID)))
		Expect(ds.Perm).To(Equal(actor.IPCPerm{Key: int32(messageKey()), UID: uid, GID: gid, CUID: uid, CGID: gid, Mode: 0o640, Seq: ds.Perm.Seq}))
		Expect([]int64{ds.Stime, ds.Rtime, ds.Ctime}).To(HaveEach(withinIPC(before, after)))
		Expect([]int64{ds.Qnum, ds.Cbytes}).To(Equal([]int64{1, 2}))
		Expect([]int{ds.Lspid, ds.Lrpid}).To(Equal([]int{b.PID(), a.PID()}))
	})

	Clause("msgctl.stat-of-that-queue", func() {
		a := actor.New()
		one, other := queueOf(a, message{1, "1"}), queueOf(a, message{1, "12"}, message{1, "3"})
		for _, q := range []struct {
			id          int
			qnum, bytes int64
		}{{one, 1, 1}, {other, 2, 3}} {
			call := a.MsgStat(q.id, actor.IPC_STAT)
			Expect(call).To(Return(0))
			Expect([]int64{call.MsqidDS().Qnum, call.MsqidDS().Cbytes}).To(Equal([]int64{q.qnum, q.bytes}))
		}
	})

	Clause("msgctl.stat-changes-nothing", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		first := a.MsgStat(id, actor.IPC_STAT)
		Expect(first).To(Return(0))
		second := a.MsgStat(id, actor.IPC_STAT)
		Expect(second).To(Return(0))
		Expect(second.MsqidDS()).To(Equal(first.MsqidDS()))
		expectMessages(a, id, message{1, "x"})
	})

	Clause("msgctl.stat-eacces", func() {
		a := actor.New()
		id := newQueue(a)
		poor := capableOnly(a)
		for _, mode := range []uint32{0o200, 0o377, 0} {
			setMode(a, id, mode)
			Expect(queueStat(a, id).Perm.Mode).To(Equal(mode))
			call := poor.MsgStat(id, actor.IPC_STAT)
			Expect(call).To(FailWith(unix.EACCES), "%#o", mode)
		}
		setMode(a, id, 0o400)
		call := poor.MsgStat(id, actor.IPC_STAT)
		Expect(call).To(Return(0))
		Expect(call.MsqidDS().Perm.Mode).To(BeEquivalentTo(0o400))
	})

	Clause("msgctl.stat-ipc-owner-may", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT))
		Expect(incapable(a, unix.CAP_IPC_OWNER).MsgStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
		call := capableOnly(a, unix.CAP_IPC_OWNER).MsgStat(id, actor.IPC_STAT)
		Expect(call).To(Return(0))
		Expect(call.MsqidDS().Perm.Key).To(BeEquivalentTo(messageKey()))
	})

	for _, cmd := range []struct {
		name string
		cmd  int
		of   indexer // what the command is told
	}{
		{"IPC_STAT", actor.IPC_STAT, func(_ *actor.Actor, id int) int { return id }},
		{"MSG_STAT", actor.MSG_STAT, queueIndex}, {"MSG_STAT_ANY", actor.MSG_STAT_ANY, queueIndex},
		{"IPC_INFO", actor.IPC_INFO, queueIndex}, {"MSG_INFO", actor.MSG_INFO, queueIndex},
	} {
		Clause("msgctl.stat-efault", cmd.name, func() {
			a := actor.New()
			queue := cmd.of(a, newQueue(a))
			for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.ReadOnly(make([]byte, 128)), a.PageEnd(8)} {
				Expect(a.Msgctl(queue, cmd.cmd, nowhere)).To(FailWith(unix.EFAULT))
			}
		})
	}
})

var _ = Describe("What each permission bit permits", func() {
	for _, bit := range []struct {
		id    string
		bit   int
		shift int
		write bool
	}{
		{"msgctl.read-by-user", 0o400, 6, false}, {"msgctl.write-by-user", 0o200, 6, true},
		{"msgctl.read-by-group", 0o040, 3, false}, {"msgctl.write-by-group", 0o020, 3, true},
		{"msgctl.read-by-others", 0o004, 0, false}, {"msgctl.write-by-others", 0o002, 0, true},
	} {
		Clause(bit.id, func() {
			a := actor.New()
			s := newIPCSociety(a)
			id, setMode := s.queue()
			// holds looks what the queue holds, by its creator, who may read it for a while.
			holds := func(mode int, messages ...message) {
				GinkgoHelper()
				setMode(0o600)
				expectMessages(s.creator, id, messages...)
				setMode(mode)
			}
			for _, mode := range []int{bit.bit, 0o777 &^ bit.bit} {
				setMode(mode)
				for _, p := range s.people {
					may := mode&bit.bit != 0
					if p.shift != bit.shift {
						may = !may // the other classes have all other bits
					}
					if bit.write {
						send := p.Msgsnd(id, 1, []byte("x"), actor.IPC_NOWAIT)
						if may {
							Expect(send).To(Return(0), "%s, %#o", p.who, mode)
							holds(mode, message{1, "x"})
						} else {
							Expect(send).To(FailWith(unix.EACCES), "%s, %#o", p.who, mode)
							holds(mode)
						}
						continue
					}
					receive, look := p.Msgrcv(id, 8, 0, actor.IPC_NOWAIT), p.MsgStat(id, actor.IPC_STAT)
					if may {
						Expect(receive).To(FailWith(unix.ENOMSG), "%s, %#o", p.who, mode)
						Expect(look).To(Return(0), "%s, %#o", p.who, mode)
						Expect(look.MsqidDS().Perm.Mode).To(BeEquivalentTo(mode))
					} else {
						Expect(receive).To(FailWith(unix.EACCES), "%s, %#o", p.who, mode)
						Expect(look).To(FailWith(unix.EACCES), "%s, %#o", p.who, mode)
					}
				}
			}
		})
	}

	Clause("msgctl.execute-bits-permit-nothing", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o111))
		poor := capableOnly(a)
		Expect(poor.Msgsnd(id, 1, nil, 0)).To(FailWith(unix.EACCES))
		Expect(poor.Msgrcv(id, 8, 0, actor.IPC_NOWAIT)).To(FailWith(unix.EACCES))
		Expect(poor.MsgStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
		expectMessages(a, id)
	})
})

var _ = Describe("IPC_SET of a queue", func() {
	// changed returns a structure that differs from what is in each field.
	changed := func(is actor.MsqidDS) actor.MsqidDS {
		is.Perm.Mode, is.Qbytes = 0o1640, 4000
		return is
	}

	Clause("msgctl.set", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		want := queueStat(a, id)
		before := ipcNow(a)
		Expect(a.MsgSet(id, changed(want))).To(Return(0))
		after := ipcNow(a)
		is := queueStat(a, id)
		Expect(is.Ctime).To(withinIPC(before, after))
		want.Perm.Mode, want.Qbytes, want.Ctime = 0o640, 4000, is.Ctime
		Expect(is).To(Equal(want))
		expectMessages(a, id, message{1, "x"})
	})

	Clause("msgctl.times-move-on", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		expectMessage(a.Msgrcv(id, 8, 0, 0), message{1, "x"})
		was := queueStat(a, id)
		Expect([]int64{was.Stime, was.Rtime, was.Ctime}).To(HaveEach(BeNumerically("<=", ipcNow(a))))
		before := ipcNextSecond(a, was.Stime, was.Rtime, was.Ctime)
		for range 2 {
			Expect(a.Msgsnd(id, 1, []byte("x"), 0)).To(Return(0))
		}
		is := queueStat(a, id)
		Expect([]bool{is.Stime >= before, is.Rtime == was.Rtime, is.Ctime == was.Ctime}).To(HaveEach(BeTrue()))
		expectMessage(a.Msgrcv(id, 8, 0, 0), message{1, "x"})
		is = queueStat(a, id)
		Expect([]bool{is.Rtime >= before, is.Ctime == was.Ctime}).To(HaveEach(BeTrue()))
		Expect(a.MsgSet(id, is)).To(Return(0))
		Expect(queueStat(a, id).Ctime).To(withinIPC(before, ipcNow(a)))
	})

	Clause("msgctl.set-ignores-the-rest", func() {
		a := actor.New()
		id := queueOf(a, message{1, "x"})
		was := queueStat(a, id)
		given := a.Alloc(120)
		for i := range given.Bytes() {
			given.Bytes()[i] = 0x55
		}
		key := actor.Key(0x55555555)
		given.PutUint32(0, uint32(key))
		given.PutUint32(4, was.Perm.UID)
		given.PutUint32(8, was.Perm.GID)
		given.PutUint32(20, 0o640)
		given.PutUint64(88, uint64(was.Qbytes))
		since := ipcNow(a)
		Expect(a.Msgctl(id, actor.IPC_SET, given)).To(Return(0))
		is := queueStat(a, id)
		Expect(is.Ctime).To(withinIPC(since, ipcNow(a)))
		was.Perm.Mode, was.Ctime = 0o640, is.Ctime
		Expect(is).To(Equal(was))
		Expect(a.Msgget(key, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("msgctl.set-ids", func() {
		a := actor.New()
		id := newQueue(a)
		want := queueStat(a, id)
		want.Perm.UID, want.Perm.GID = uint32(FreshUser()), uint32(FreshUser())
		Expect(a.MsgSet(id, want)).To(Return(0))
		is := queueStat(a, id)
		want.Ctime = is.Ctime
		Expect(is).To(Equal(want))
	})

	Clause("msgctl.set-by-owner-and-creator", func() {
		a := actor.New()
		s := newIPCSociety(a)
		id := Must(s.creator.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		ds := queueSettings(s.creator, id)
		ds.Perm.UID, ds.Perm.Mode = uint32(s.ownerID), 0
		Expect(s.creator.MsgSet(id, ds)).To(Return(0))
		is := queueStat(a, id)
		Expect([]uint32{is.Perm.UID, is.Perm.Mode}).To(Equal([]uint32{uint32(s.ownerID), 0}))
		for i, by := range []*actor.Actor{s.owner, s.creator} {
			ds.Qbytes = int64(100 + i)
			Expect(by.MsgSet(id, ds)).To(Return(0))
			Expect(queueStat(a, id).Qbytes).To(Equal(ds.Qbytes))
		}
	})

	Clause("msgctl.set-eperm", func() {
		a := actor.New()
		s := newIPCSociety(a)
		id, setMode := s.queue()
		setMode(0o777)
		was := queueStat(s.creator, id)
		for _, p := range s.people[2:] {
			Expect(p.MsgSet(id, changed(was))).To(FailWith(unix.EPERM), p.who)
		}
		Expect(queueStat(s.creator, id)).To(Equal(was))
	})

	Clause("msgctl.set-former-owner", func() {
		a := actor.New()
		s := newIPCSociety(a)
		id := Must(s.creator.Msgget(messageKey(), actor.IPC_CREAT|0o666))
		setQueue(s.creator, id, func(ds *actor.MsqidDS) { ds.Perm.UID = uint32(s.ownerID) })
		ds := queueSettings(s.creator, id)
		ds.Qbytes = 200
		Expect(s.owner.MsgSet(id, ds)).To(Return(0))
		Expect(queueStat(s.creator, id).Qbytes).To(BeEquivalentTo(200))
		ds.Perm.UID = uint32(FreshUser())
		Expect(s.owner.MsgSet(id, ds)).To(Return(0))
		was := queueStat(s.creator, id)
		ds.Perm.UID = uint32(s.ownerID)
		Expect(s.owner.MsgSet(id, ds)).To(FailWith(unix.EPERM))
		Expect(queueStat(s.creator, id)).To(Equal(was))
	})

	Clause("msgctl.real-uid-does-not-count", func() {
		a := actor.New()
		uid := FreshUser()
		id := Must(ipcUser(a, uid, FreshUser()).Msgget(messageKey(), actor.IPC_CREAT|0o666))
		was := queueStat(a, id)
		not := userInRealityOnly(a, uid)
		Expect(not.MsgSet(id, changed(was))).To(FailWith(unix.EPERM))
		Expect(not.Msgctl(id, actor.IPC_RMID, nil)).To(FailWith(unix.EPERM))
		Expect(queueStat(a, id)).To(Equal(was))
	})

	Clause("msgctl.set-sys-admin-may", func() {
		a := actor.New()
		stranger := ipcUser(a, FreshUser(), FreshUser())
		id := Must(stranger.Msgget(messageKey(), actor.IPC_CREAT|0o666))
		ds := queueSettings(a, id)
		was := ds
		ds.Qbytes = 100
		Expect(incapable(a, unix.CAP_SYS_ADMIN).MsgSet(id, ds)).To(FailWith(unix.EPERM))
		Expect(queueStat(a, id)).To(Equal(was))
		Expect(capableOnly(a, unix.CAP_SYS_ADMIN).MsgSet(id, ds)).To(Return(0))
		Expect(queueStat(a, id).Qbytes).To(BeEquivalentTo(100))
	})

	Clause("msgctl.set-qbytes-to-msgmnb", func() {
		a := actor.New()
		poor := capableOnly(a)
		id := smallQueue(a, 10)
		ds := queueSettings(a, id)
		ds.Qbytes = int64(messageLimits(a).Mnb)
		Expect(poor.MsgSet(id, ds)).To(Return(0))
		Expect(queueStat(a, id).Qbytes).To(Equal(ds.Qbytes))
	})

	Clause("msgctl.set-qbytes-eperm", func() {
		a := actor.New()
		poor := capableOnly(a)
		id := newQueue(a)
		was := queueStat(a, id)
		ds := was
		ds.Qbytes, ds.Perm.Mode = int64(messageLimits(a).Mnb+1), 0o666
		Expect(poor.MsgSet(id, ds)).To(FailWith(unix.EPERM))
		Expect(queueStat(a, id)).To(Equal(was))
	})

	Clause("msgctl.set-wide-qbytes-eperm", func() {
		a := actor.New()
		poor := capableOnly(a)
		id := newQueue(a)
		was := queueStat(a, id)
		ds := was
		ds.Qbytes = 1<<32 + 1
		Expect(poor.MsgSet(id, ds)).To(FailWith(unix.EPERM))
		Expect(queueStat(a, id)).To(Equal(was))
	})

	Clause("msgctl.set-qbytes-sys-resource-may", func() {
		a := actor.New()
		rich := capableOnly(a, unix.CAP_SYS_RESOURCE)
		id := newQueue(a)
		ds := queueSettings(a, id)
		limit := messageLimits(a)
		ds.Qbytes = int64(limit.Mnb + limit.Max)
		Expect(rich.MsgSet(id, ds)).To(Return(0))
		Expect(queueStat(a, id).Qbytes).To(Equal(ds.Qbytes))
		sent := a.Repeat(100).Msgsnd(id, 1, make([]byte, limit.Max), actor.IPC_NOWAIT)
		Expect(sent).To(FailWith(unix.EAGAIN))
		Expect(sent.Count()).To(Equal(limit.Mnb/limit.Max + 1))
	})

	Clause("msgctl.set-efault", func() {
		a := actor.New()
		id := newQueue(a)
		was := queueStat(a, id)
		for _, nowhere := range []actor.Mem{actor.Null, a.Unmapped(), a.NoAccess(), a.PageEnd(64)} {
			Expect(a.Msgctl(id, actor.IPC_SET, nowhere)).To(FailWith(unix.EFAULT))
		}
		Expect(queueStat(a, id)).To(Equal(was))
	})
})

var _ = Describe("Removing a queue", func() {
	Clause("msgctl.rmid", func() {
		a := actor.New()
		other := queueOf(a, message{1, "other"})
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		Expect(a.Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
		Expect(queues(a)).To(Equal(1))
		Expect(a.Msgget(messageKey(), 0)).To(FailWith(unix.ENOENT))
		Expect(a.Msgrcv(id, 8, 0, actor.IPC_NOWAIT)).To(goneIPC())
		expectMessages(a, other, message{1, "other"})
	})

	Clause("msgctl.rmid-frees-its-messages", func() {
		a := actor.New()
		id := queueOf(a, message{1, "one"}, message{1, "two"})
		queueOf(a, message{1, "other"})
		Expect(a.Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
		info := a.MsgInfo(actor.MSG_INFO)
		Must(info)
		Expect([]int{info.Msginfo().Map, info.Msginfo().Tql}).To(Equal([]int{1, 5}))
	})

	Clause("msgctl.rmid-wakes-everybody", func() {
		a := actor.New()
		sender, receiver := a.Fork(), a.Fork()
		id := smallQueue(a, 1)
		Must(a.Msgsnd(id, 1, []byte("x"), 0))
		send, receive := sender.Begin().Msgsnd(id, 1, []byte("y"), 0), receiver.Begin().Msgrcv(id, 8, 2, 0)
		Expect(send).To(Block())
		Expect(receive).To(Block())
		Expect(a.Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
		Expect(send).To(FailWith(unix.EIDRM))
		Expect(receive).To(FailWith(unix.EIDRM))
	})

	Clause("msgctl.rmid-ignores-buf", func() {
		a := actor.New()
		for _, buf := range []actor.Mem{actor.Null, a.Unmapped(), a.Bytes(make([]byte, 120))} {
			id := newQueue(a)
			Expect(a.Msgctl(id, actor.IPC_RMID, buf)).To(Return(0))
			Expect(queues(a)).To(BeZero())
		}
	})

	Clause("msgctl.rmid-whatever-the-mode", func() {
		a := actor.New()
		owner := capableOnly(a)
		id := Must(owner.Msgget(actor.IPC_PRIVATE, 0))
		Expect(owner.Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
		Expect(queues(a)).To(BeZero())
	})

	for i, who := range []string{"the creator", "the owner"} {
		Clause("msgctl.rmid-by-owner-and-creator", who, func() {
			a := actor.New()
			s := newIPCSociety(a)
			id, setMode := s.queue()
			setMode(0)
			Expect([]*actor.Actor{s.creator, s.owner}[i].Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
			Expect(queues(a)).To(BeZero())
		})
	}

	Clause("msgctl.rmid-eperm", func() {
		a := actor.New()
		s := newIPCSociety(a)
		id, setMode := s.queue()
		Must(s.creator.Msgsnd(id, 1, []byte("x"), 0))
		setMode(0o777)
		for _, p := range s.people[2:] {
			Expect(p.Msgctl(id, actor.IPC_RMID, nil)).To(FailWith(unix.EPERM), p.who)
		}
		Expect(queues(a)).To(Equal(1))
		expectMessages(s.creator, id, message{1, "x"})
	})

	Clause("msgctl.rmid-sys-admin-may", func() {
		a := actor.New()
		stranger := ipcUser(a, FreshUser(), FreshUser())
		id := Must(stranger.Msgget(messageKey(), actor.IPC_CREAT|0o666))
		Expect(incapable(a, unix.CAP_SYS_ADMIN).Msgctl(id, actor.IPC_RMID, nil)).To(FailWith(unix.EPERM))
		Expect(queues(a)).To(Equal(1))
		Expect(capableOnly(a, unix.CAP_SYS_ADMIN).Msgctl(id, actor.IPC_RMID, nil)).To(Return(0))
		Expect(queues(a)).To(BeZero())
	})
})

var _ = Describe("An id or a command that is none", func() {
	Clause("msgctl.unknown-command", func() {
		a := actor.New()
		id := newQueue(a)
		was := queueStat(a, id)
		for _, cmd := range []int{4, 10, 14, 100, -1} {
			Expect(a.Msgctl(id, cmd, a.Alloc(128))).To(FailWith(unix.EINVAL), "command %d", cmd)
		}
		Expect(queueStat(a, id)).To(Equal(was))
	})

	commands := []int{actor.IPC_STAT, actor.IPC_SET, actor.IPC_RMID}

	Clause("msgctl.unknown-id", func() {
		a := actor.New()
		id := newQueue(a)
		was := queueStat(a, id)
		for _, cmd := range commands {
			for _, other := range []int{-1, id + 1, noID} {
				Expect(a.Msgctl(other, cmd, make([]byte, 128))).To(FailWith(unix.EINVAL), "command %d, id %d", cmd, other)
			}
		}
		Expect(queueStat(a, id)).To(Equal(was))
	})

	Clause("msgctl.removed", func() {
		a := actor.New()
		other := newQueue(a)
		was := queueStat(a, other)
		id := newQueue(a)
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		for _, cmd := range commands {
			Expect(a.Msgctl(id, cmd, make([]byte, 128))).To(goneIPC(), "command %d", cmd)
		}
		Expect(queueStat(a, other)).To(Equal(was))
	})

	Clause("msgctl.id-of-a-predecessor", func() {
		a := actor.New()
		old := newQueue(a)
		index := lastIndex(a)
		Must(a.Msgctl(old, actor.IPC_RMID, nil))
		// Make queues until one has the index of the first.
		young := 0
		for range 1 << 13 {
			young = Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
			if lastIndex(a) == index {
				break
			}
			Must(a.Msgctl(young, actor.IPC_RMID, nil))
		}
		Must(a.Msgsnd(young, 2, []byte("x"), 0))
		was := queueStat(a, young)
		for _, cmd := range commands {
			Expect(a.Msgctl(old, cmd, make([]byte, 128))).To(goneIPC(), "command %d", cmd)
		}
		Expect(a.Msgsnd(old, 1, []byte("y"), 0)).To(goneIPC())
		Expect(a.Msgrcv(old, 8, 0, actor.IPC_NOWAIT)).To(goneIPC())
		Expect(queueStat(a, young)).To(Equal(was))
		expectMessages(a, young, message{2, "x"})
	})
})

var _ = Describe("What is known of all queues", func() {
	Clause("msgctl.ipc-info", func() {
		a := actor.New()
		messageLimit(a, "msgmni", "11")
		messageLimit(a, "msgmax", "22")
		messageLimit(a, "msgmnb", "33")
		id := newQueue(a)
		info := a.MsgInfo(actor.IPC_INFO)
		Expect(info).To(ReturnSuccess())
		Expect(a.MsgStat(info.Value(), actor.MSG_STAT)).To(Return(id))
		Expect(info.Msginfo()).To(SatisfyAll(HaveField("Mni", 11), HaveField("Max", 22), HaveField("Mnb", 33)))
	})

	Clause("msgctl.info-of-no-queue", func() {
		a := actor.New()
		info := a.MsgInfo(actor.MSG_INFO)
		Expect(info).To(Return(0))
		Expect(info.Msginfo()).To(SatisfyAll(HaveField("Pool", 0), HaveField("Map", 0), HaveField("Tql", 0)))
	})

	Clause("msgctl.msg-info", func() {
		a := actor.New()
		one := queueOf(a, message{1, "one"}, message{2, ""})
		ids := []int{one, queueOf(a, message{1, "three"}), newQueue(a)}
		info := a.MsgInfo(actor.MSG_INFO)
		Expect(info).To(returnHighest(queueIndex, a, ids...))
		want := messageLimits(a)
		want.Pool, want.Map, want.Tql = 3, 3, 8
		Expect(info.Msginfo()).To(Equal(want))
		Must(a.Msgrcv(one, 8, 0, 0))
		info = a.MsgInfo(actor.MSG_INFO)
		Expect(info).To(returnHighest(queueIndex, a, ids...))
		want.Map, want.Tql = 2, 5
		Expect(info.Msginfo()).To(Equal(want))
	})

	for _, cmd := range []struct {
		name string
		cmd  int
	}{{"IPC_INFO", actor.IPC_INFO}, {"MSG_INFO", actor.MSG_INFO}} {
		Clause("msgctl.highest-index", cmd.name, func() {
			a := actor.New()
			limits := messageLimits(a)
			ids := []int{newQueue(a), newQueue(a), newQueue(a)}
			for len(ids) > 0 {
				highest := a.MsgInfo(cmd.cmd)
				Expect(highest).To(returnHighest(queueIndex, a, ids...))
				Expect(highest.Msginfo().Max).To(Equal(limits.Max))
				last := a.MsgStat(highest.Value(), actor.MSG_STAT)
				Expect(last).To(ReturnSuccess())
				Expect(queueIndex(a, last.Value())).To(Equal(highest.Value()))
				Expect(a.MsgStat(highest.Value()+1, actor.MSG_STAT)).To(FailWith(unix.EINVAL))
				Must(a.Msgctl(last.Value(), actor.IPC_RMID, nil))
				ids = slices.DeleteFunc(ids, func(id int) bool { return id == last.Value() })
			}
		})

		Clause("msgctl.info-for-anybody", cmd.name, func() {
			a := actor.New()
			Must(a.Msgget(messageKey(), actor.IPC_CREAT))
			info := a.MsgInfo(cmd.cmd)
			Expect(info).To(ReturnSuccess())
			same := capableOnly(a).MsgInfo(cmd.cmd)
			Expect(same).To(Return(info.Value()))
			Expect(same.Msginfo()).To(Equal(info.Msginfo()))
		})
	}

	for _, cmd := range []struct {
		name string
		cmd  int
	}{{"msgctl.msg-stat", actor.MSG_STAT}, {"msgctl.msg-stat-any", actor.MSG_STAT_ANY}} {
		Clause(cmd.name, func() {
			a := actor.New()
			gone, other := newQueue(a), queueOf(a, message{1, "other"})
			id := queueOf(a, message{1, "one"}, message{2, "two"})
			Must(a.Msgctl(gone, actor.IPC_RMID, nil))
			found := map[int]actor.MsqidDS{}
			for index := range Must(a.MsgInfo(actor.MSG_INFO)) + 1 {
				call := a.MsgStat(index, cmd.cmd)
				if call.Errno() == unix.EINVAL {
					continue
				}
				Expect(call).To(ReturnSuccess())
				found[call.Value()] = call.MsqidDS()
			}
			Expect(found).To(HaveLen(2))
			Expect(found[id]).To(Equal(queueStat(a, id)))
			Expect(found[other]).To(Equal(queueStat(a, other)))
		})

		Clause(cmd.name+"-unused-index", func() {
			a := actor.New()
			newQueue(a)
			index := lastIndex(a)
			for _, unused := range []int{index + 1, index + 1000, -1} {
				Expect(a.MsgStat(unused, cmd.cmd)).To(FailWith(unix.EINVAL))
			}
		})
	}

	Clause("msgctl.msg-stat-takes-an-index", func() {
		a := actor.New()
		// Ids that are greater than any index: those of an index that was used before.
		id := 0
		for range 1 << 13 {
			id = newQueue(a)
			if lastIndex(a) != id {
				break
			}
			Must(a.Msgctl(id, actor.IPC_RMID, nil))
		}
		index := lastIndex(a)
		call := a.MsgStat(index, actor.MSG_STAT)
		Expect(call).To(Return(id))
		Expect(call.MsqidDS()).To(Equal(queueStat(a, id)))
	})

	Clause("msgctl.msg-stat-eacces", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o377))
		index := lastIndex(a)
		poor := capableOnly(a)
		Expect(poor.MsgStat(index, actor.MSG_STAT)).To(FailWith(unix.EACCES))
		setMode(a, id, 0o400)
		call := poor.MsgStat(index, actor.MSG_STAT)
		Expect(call).To(Return(id))
		Expect(call.MsqidDS()).To(Equal(queueStat(a, id)))
	})

	Clause("msgctl.msg-stat-any-for-anybody", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT))
		call := capableOnly(a).MsgStat(lastIndex(a), actor.MSG_STAT_ANY)
		Expect(call).To(Return(id))
		Expect(call.MsqidDS()).To(Equal(queueStat(a, id)))
	})
})
