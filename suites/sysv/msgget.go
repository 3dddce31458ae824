package sysv

import (
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// messageKey is a key that nobody else has.
func messageKey() int { return actor.Key(0x4d534751) }

// queues returns how many queues the namespace has, as far as they are not those of others.
func queues(a *actor.Actor) int {
	GinkgoHelper()
	if !actor.OwnIPC() {
		n, _ := actor.CountObjects("msg")
		return n
	}
	call := a.MsgInfo(actor.MSG_INFO)
	Must(call)
	return call.Msginfo().Pool
}

var _ = Describe("A new message queue", func() {
	Clause("msgget.private-is-new", func() {
		a := actor.New()
		one := a.Msgget(actor.IPC_PRIVATE, 0o600)
		other := a.Msgget(actor.IPC_PRIVATE, 0o600)
		Expect(one).To(ReturnSuccess())
		Expect(other).To(ReturnSuccess())
		Expect(other.Value()).NotTo(Equal(one.Value()))
		Must(a.Msgsnd(one.Value(), 1, []byte("one"), 0))
		expectMessages(a, other.Value())
		expectMessages(a, one.Value(), message{1, "one"})
	})

	Clause("msgget.private-ignores-flags", func() {
		a := actor.New()
		for i, flags := range []int{0, actor.IPC_CREAT, actor.IPC_EXCL, actor.IPC_CREAT | actor.IPC_EXCL, 0o10000} {
			call := a.Msgget(actor.IPC_PRIVATE, flags|0o640|i)
			Expect(call).To(ReturnSuccess())
			Expect(queues(a)).To(Equal(i + 1))
			Expect(queueStat(a, call.Value()).Perm.Mode).To(BeEquivalentTo(0o640 | i))
		}
	})

	Clause("msgget.creat-is-new", func() {
		a := actor.New()
		call := a.Msgget(messageKey(), actor.IPC_CREAT|0o600)
		Expect(call).To(ReturnSuccess())
		Expect(queues(a)).To(Equal(1))
		Expect(queueStat(a, call.Value()).Perm.Key).To(BeEquivalentTo(messageKey()))
		Expect(a.Msgget(messageKey(), 0)).To(Return(call.Value()))
	})

	Clause("msgget.excl-is-new", func() {
		a := actor.New()
		call := a.Msgget(messageKey(), actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		Expect(call).To(ReturnSuccess())
		Expect(queues(a)).To(Equal(1))
		Expect(queueStat(a, call.Value()).Perm.Key).To(BeEquivalentTo(messageKey()))
		Expect(a.Msgget(messageKey(), 0)).To(Return(call.Value()))
	})

	Clause("msgget.any-key", func() {
		a := actor.New()
		ids := map[int]bool{}
		keys := []int{1, 2, 1<<31 - 1, -1 << 31, -1}
		for _, key := range keys {
			call := a.Msgget(key, actor.IPC_CREAT|actor.IPC_EXCL|0o600)
			Expect(call).To(ReturnSuccess(), "key %d", key)
			ids[call.Value()] = true
			Expect(queueStat(a, call.Value()).Perm.Key).To(BeEquivalentTo(key))
		}
		Expect(ids).To(HaveLen(len(keys)))
		for _, key := range keys {
			call := a.Msgget(key, 0)
			Expect(call).To(ReturnSuccess(), "key %d", key)
			Expect(queueStat(a, call.Value()).Perm.Key).To(BeEquivalentTo(key))
		}
	})

	Clause("msgget.private-has-no-key", func() {
		a := actor.New()
		first := newQueue(a)
		Expect(queueStat(a, first).Perm.Key).To(BeEquivalentTo(actor.IPC_PRIVATE))
		again := a.Msgget(0, 0)
		Expect(again).To(ReturnSuccess())
		Expect(again.Value()).NotTo(Equal(first))
		Expect(queueStat(a, again.Value()).Perm.Key).To(BeEquivalentTo(actor.IPC_PRIVATE))
		Expect(queues(a)).To(Equal(2))
	})

	Clause("msgget.owner", func() {
		a := actor.New()
		uid, gid := Must(a.Raw(unix.SYS_GETEUID)), Must(a.Raw(unix.SYS_GETEGID))
		perm := queueStat(a, Must(a.Msgget(actor.IPC_PRIVATE, 0o600))).Perm
		Expect([]uint32{perm.UID, perm.CUID}).To(HaveEach(BeEquivalentTo(uid)))
		Expect([]uint32{perm.GID, perm.CGID}).To(HaveEach(BeEquivalentTo(gid)))
	})

	Clause("msgget.effective-ids-own", func() {
		a := actor.New()
		b := a.Fork()
		uid, gid := FreshUser(), FreshUser()
		Must(b.Setresgid(-1, gid, -1))
		Must(b.Setresuid(-1, uid, -1))
		call := b.Msgget(messageKey(), actor.IPC_CREAT|0o600)
		Expect(call).To(ReturnSuccess())
		perm := queueStat(a, call.Value()).Perm
		Expect([]uint32{perm.UID, perm.CUID}).To(HaveEach(BeEquivalentTo(uid)))
		Expect([]uint32{perm.GID, perm.CGID}).To(HaveEach(BeEquivalentTo(gid)))
	})

	Clause("msgget.mode", func() {
		a := actor.New()
		for _, mode := range []int{0, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o777} {
			call := a.Msgget(actor.IPC_PRIVATE, actor.IPC_CREAT|mode)
			Expect(call).To(ReturnSuccess())
			Expect(queueStat(a, call.Value()).Perm.Mode & 0o777).To(BeEquivalentTo(mode))
		}
	})

	Clause("msgget.umask-does-not-matter", func() {
		a := actor.New()
		Must(a.Umask(0o777))
		call := a.Msgget(actor.IPC_PRIVATE, 0o666)
		Expect(call).To(ReturnSuccess())
		Expect(queueStat(a, call.Value()).Perm.Mode).To(BeEquivalentTo(0o666))
	})

	Clause("msgget.starts-empty", func() {
		a := actor.New()
		call := a.Msgget(actor.IPC_PRIVATE, 0o600)
		Expect(call).To(ReturnSuccess())
		ds := queueStat(a, call.Value())
		Expect([]int64{ds.Qnum, ds.Cbytes, ds.Stime, ds.Rtime, int64(ds.Lspid), int64(ds.Lrpid)}).To(HaveEach(BeZero()))
		expectMessages(a, call.Value())
	})

	Clause("msgget.ctime", func() {
		a := actor.New()
		before := ipcNow(a)
		call := a.Msgget(actor.IPC_PRIVATE, 0o600)
		after := ipcNow(a)
		Expect(call).To(ReturnSuccess())
		Expect(queueStat(a, call.Value()).Ctime).To(withinIPC(before, after))
	})

	Clause("msgget.qbytes", func() {
		a := actor.New()
		info := a.MsgInfo(actor.IPC_INFO)
		Must(info)
		call := a.Msgget(actor.IPC_PRIVATE, 0o600)
		Expect(call).To(ReturnSuccess())
		Expect(queueStat(a, call.Value()).Qbytes).To(BeEquivalentTo(info.Msginfo().Mnb))
	})

	Clause("msgget.qbytes-of-the-day", func() {
		a := actor.New()
		old := newQueue(a)
		was := queueStat(a, old).Qbytes
		messageLimit(a, "msgmnb", "4321")
		call := a.Msgget(actor.IPC_PRIVATE, 0o600)
		Expect(call).To(ReturnSuccess())
		Expect(queueStat(a, call.Value()).Qbytes).To(BeEquivalentTo(4321))
		Expect(queueStat(a, old).Qbytes).To(Equal(was))
	})
})

var _ = Describe("Finding a message queue", func() {
	Clause("msgget.finds", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		other := Must(a.Msgget(messageKey()+1, actor.IPC_CREAT|0o600))
		Must(a.Msgsnd(id, 1, []byte("text"), 0))
		for _, by := range []*actor.Actor{a, b} {
			Expect(by.Msgget(messageKey(), 0)).To(Return(id))
			Expect(by.Msgget(messageKey()+1, 0)).To(Return(other))
		}
		expectMessages(b, id, message{1, "text"})
	})

	Clause("msgget.creat-finds", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o640))
		before := queueStat(a, id)
		Expect(a.Msgget(messageKey(), actor.IPC_CREAT|0o600)).To(Return(id))
		Expect(queueStat(a, id)).To(Equal(before))
		Expect(queues(a)).To(Equal(1))
	})

	Clause("msgget.excl-exists", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o640))
		before := queueStat(a, id)
		Expect(a.Msgget(messageKey(), actor.IPC_CREAT|actor.IPC_EXCL|0o600)).To(FailWith(unix.EEXIST))
		Expect(queueStat(a, id)).To(Equal(before))
		Expect(queues(a)).To(Equal(1))
		Expect(a.Msgget(messageKey(), 0)).To(Return(id))
	})

	Clause("msgget.racing-creators", func() {
		a := actor.New()
		made := expectOneMade(a, func(by actor.Caller) *actor.Call {
			return by.Msgget(messageKey(), actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		})
		perm := queueStat(a, made.Value()).Perm
		Expect([]int{int(perm.Key), int(perm.Mode)}).To(Equal([]int{messageKey(), 0o600}))
		Expect(a.Msgget(messageKey(), 0)).To(Return(made.Value()))
		Expect(queues(a)).To(Equal(1))
	})

	Clause("msgget.excl-exists-whoever-owns-it", func() {
		a := actor.New()
		Must(a.Msgget(messageKey(), actor.IPC_CREAT))
		Expect(capableOnly(a).Msgget(messageKey(), actor.IPC_CREAT|actor.IPC_EXCL|0o600)).To(FailWith(unix.EEXIST))
	})

	Clause("msgget.excl-alone-finds", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		Expect(a.Msgget(messageKey(), actor.IPC_EXCL)).To(Return(id))
	})

	for _, flags := range []struct {
		name string
		bits int
	}{{"0", 0}, {"IPC_EXCL", actor.IPC_EXCL}, {"permissions", 0o666}} {
		Clause("msgget.enoent", flags.name, func() {
			a := actor.New()
			other := Must(a.Msgget(messageKey()+1, actor.IPC_CREAT|0o600))
			newQueue(a)
			Expect(a.Msgget(messageKey(), flags.bits)).To(FailWith(unix.ENOENT))
			Expect(queues(a)).To(Equal(2))
			Expect(a.Msgget(messageKey(), 0)).To(FailWith(unix.ENOENT))
			Expect(a.Msgget(messageKey()+1, 0)).To(Return(other))
			Expect(queues(a)).To(Equal(2))
		})
	}

	Clause("msgget.enoent-after-removal", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		Expect(a.Msgget(messageKey(), 0)).To(FailWith(unix.ENOENT))
	})

	Clause("msgget.key-is-free-after-removal", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		Must(a.Msgsnd(id, 1, []byte("old"), 0))
		Must(a.Msgctl(id, actor.IPC_RMID, nil))
		call := a.Msgget(messageKey(), actor.IPC_CREAT|actor.IPC_EXCL|0o600)
		Expect(call).To(ReturnSuccess())
		Expect(call.Value()).NotTo(Equal(id))
		expectMessages(a, call.Value())
	})

	Clause("msgget.id-is-not-used-again-at-once", func() {
		a := actor.New()
		seen := map[int]bool{}
		const rounds = 10
		for range rounds {
			call := a.Msgget(messageKey(), actor.IPC_CREAT|0o600)
			Expect(call).To(ReturnSuccess())
			seen[call.Value()] = true
			Must(a.Msgctl(call.Value(), actor.IPC_RMID, nil))
		}
		Expect(seen).To(HaveLen(rounds))
	})

	Clause("msgget.seq", func() {
		a := actor.New()
		type use struct {
			id  int
			seq uint16
		}
		used := map[int]use{} // by the index
		var old, young use
		for range 1 << 13 {
			call := a.Msgget(actor.IPC_PRIVATE, 0o600)
			Expect(call).To(ReturnSuccess())
			// The only queue there is has the highest index in use.
			info := a.MsgInfo(actor.MSG_INFO)
			index := Must(info)
			Expect(info.Msginfo().Pool).To(Equal(1))
			perm := queueStat(a, call.Value()).Perm
			Expect(perm.Key).To(BeEquivalentTo(actor.IPC_PRIVATE))
			young = use{call.Value(), perm.Seq}
			Must(a.Msgctl(young.id, actor.IPC_RMID, nil))
			if found, ok := used[index]; ok {
				old = found
				break
			}
			used[index] = young
		}
		Expect(young.id).NotTo(Equal(old.id))
		Expect(young.seq).NotTo(Equal(old.seq))
	})
})

var _ = Describe("The permissions that msgget asks for", func() {
	Clause("msgget.eacces-owner", func() {
		a := actor.New()
		owner := capableOnly(a)
		for _, mode := range []int{0, 0o400, 0o200, 0o077} {
			id := Must(owner.Msgget(messageKey(), actor.IPC_CREAT|mode))
			for _, asked := range []int{0o400, 0o200, 0o600, 0o040, 0o002} {
				call := owner.Msgget(messageKey(), asked)
				if asks := (asked | asked<<3 | asked<<6) & 0o600; asks&^mode != 0 {
					Expect(call).To(FailWith(unix.EACCES), "%#o of %#o", asked, mode)
				} else {
					Expect(call).To(Return(id), "%#o of %#o", asked, mode)
				}
			}
			Must(a.Msgctl(id, actor.IPC_RMID, nil))
		}
	})

	Clause("msgget.eacces-classes", func() {
		a := actor.New()
		s := newIPCSociety(a)
		id, setMode := s.queue()
		for _, bit := range []int{0o400, 0o200, 0o040, 0o020, 0o004, 0o002} {
			for _, mode := range []int{bit, 0o666 &^ bit} {
				setMode(mode)
				for _, p := range s.people {
					for _, asked := range []int{0o444, 0o222} {
						if mode>>p.shift&asked&7 != 0 {
							Expect(p.Msgget(messageKey(), asked)).To(Return(id), "%s ask for %#o of %#o", p.who, asked, mode)
						} else {
							Expect(p.Msgget(messageKey(), asked)).To(FailWith(unix.EACCES), "%s ask for %#o of %#o", p.who, asked, mode)
						}
					}
				}
			}
		}
	})

	Clause("msgget.asks-for-nothing", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT))
		poor := capableOnly(a)
		Expect(poor.Msgget(messageKey(), 0)).To(Return(id))
		Expect(poor.Msgget(messageKey(), actor.IPC_CREAT)).To(Return(id))
		Expect(poor.Msgget(messageKey(), actor.IPC_CREAT|0o400)).To(FailWith(unix.EACCES))
	})

	Clause("msgget.ipc-owner-may", func() {
		a := actor.New()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT))
		Expect(capableOnly(a, unix.CAP_IPC_OWNER).Msgget(messageKey(), 0o666)).To(Return(id))
		Expect(incapable(a, unix.CAP_IPC_OWNER).Msgget(messageKey(), 0o666)).To(FailWith(unix.EACCES))
	})
})

var _ = Describe("The limit MSGMNI", func() {
	Clause("msgget.enospc", func() {
		a := actor.New()
		messageLimit(a, "msgmni", "3")
		first := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o600))
		for _, mode := range []int{0o640, 0o604} {
			call := a.Msgget(actor.IPC_PRIVATE, mode)
			Expect(call).To(ReturnSuccess())
			Expect(queueStat(a, call.Value()).Perm.Mode).To(BeEquivalentTo(mode))
		}
		Expect(a.Msgget(actor.IPC_PRIVATE, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(a.Msgget(messageKey()+1, actor.IPC_CREAT|0o600)).To(FailWith(unix.ENOSPC))
		Expect(queues(a)).To(Equal(3))
		Expect(a.Msgget(messageKey()+1, 0)).To(FailWith(unix.ENOENT))
		Expect(a.Msgget(messageKey(), actor.IPC_CREAT|0o600)).To(Return(first))
	})

	Clause("msgget.room-after-removal", func() {
		a := actor.New()
		messageLimit(a, "msgmni", "2")
		one := newQueue(a)
		newQueue(a)
		Expect(a.Msgget(actor.IPC_PRIVATE, 0o600)).To(FailWith(unix.ENOSPC))
		Must(a.Msgctl(one, actor.IPC_RMID, nil))
		call := a.Msgget(actor.IPC_PRIVATE, 0o640)
		Expect(call).To(ReturnSuccess())
		Expect(queueStat(a, call.Value()).Perm.Mode).To(BeEquivalentTo(0o640))
		Expect(a.Msgget(actor.IPC_PRIVATE, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(queues(a)).To(Equal(2))
	})

	Clause("msgget.lower-limit-keeps-queues", func() {
		a := actor.New()
		id := queueOf(a, message{1, "text"})
		newQueue(a)
		messageLimit(a, "msgmni", "1")
		Expect(a.Msgget(actor.IPC_PRIVATE, 0o600)).To(FailWith(unix.ENOSPC))
		Expect(queues(a)).To(Equal(2))
		expectMessages(a, id, message{1, "text"})
	})

	for _, limit := range []struct {
		id      string
		name    string
		initial int
		tell    func(actor.Msginfo) int
	}{
		{"msgget.msgmni", "msgmni", 32000, func(m actor.Msginfo) int { return m.Mni }},
		{"msgop.msgmax", "msgmax", 8192, func(m actor.Msginfo) int { return m.Max }},
		{"msgop.msgmnb", "msgmnb", 16384, func(m actor.Msginfo) int { return m.Mnb }},
	} {
		Clause(limit.id+"-default", func() {
			info := actor.New().MsgInfo(actor.IPC_INFO)
			Must(info)
			Expect(limit.tell(info.Msginfo())).To(Equal(limit.initial))
		})

		Clause(limit.id+"-in-proc", func() {
			a := actor.New()
			file := "/proc/sys/kernel/" + limit.name
			told := func() int {
				info := a.MsgInfo(actor.IPC_INFO)
				Must(info)
				n, err := strconv.Atoi(strings.TrimSpace(a.ReadFile(file)))
				Expect(err).NotTo(HaveOccurred())
				Expect(limit.tell(info.Msginfo())).To(Equal(n))
				return n
			}
			was := told()
			a.WriteFile(file, strconv.Itoa(was-7))
			Expect(told()).To(Equal(was - 7))
		})
	}
})
