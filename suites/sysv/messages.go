package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// message is a message's type and text.
type message struct {
	mtype int64
	text  string
}

// newQueue makes a queue without a key.
func newQueue(a *actor.Actor) int { return Must(a.Msgget(actor.IPC_PRIVATE, 0o600)) }

// queueOf makes a queue that holds messages.
func queueOf(a *actor.Actor, messages ...message) int {
	id := newQueue(a)
	for _, m := range messages {
		Must(a.Msgsnd(id, m.mtype, []byte(m.text), 0))
	}
	return id
}

// smallQueue makes a queue that takes so many bytes, and as many messages.
func smallQueue(a *actor.Actor, qbytes int64) int {
	id := newQueue(a)
	setQueue(a, id, func(ds *actor.MsqidDS) { ds.Qbytes = qbytes })
	return id
}

// queueStat returns what IPC_STAT tells of a queue.
func queueStat(a *actor.Actor, id int) actor.MsqidDS {
	GinkgoHelper()
	call := a.MsgStat(id, actor.IPC_STAT)
	Expect(call).To(Return(0))
	return call.MsqidDS()
}

// queueSettings returns what IPC_STAT tells, as a step of the harness: for what is to be set.
func queueSettings(a *actor.Actor, id int) actor.MsqidDS {
	call := a.Quietly().MsgStat(id, actor.IPC_STAT)
	Must(call)
	return call.MsqidDS()
}

// setQueue changes settings of a queue, as a step of the set-up.
func setQueue(a *actor.Actor, id int, change func(ds *actor.MsqidDS)) {
	ds := queueSettings(a, id)
	change(&ds)
	Must(a.MsgSet(id, ds))
}

// messageLimits returns the namespace's limits, as a step of the harness, and lastIndex the highest index
// at which there is a queue.
func messageLimits(a *actor.Actor) actor.Msginfo {
	call := a.Quietly().MsgInfo(actor.IPC_INFO)
	Must(call)
	return call.Msginfo()
}

func lastIndex(a *actor.Actor) int { return Must(a.Quietly().MsgInfo(actor.IPC_INFO)) }

// expectMessage checks what a msgrcv has received.
func expectMessage(call *actor.Call, want message) {
	GinkgoHelper()
	Expect(call).To(ReturnData(want.text))
	Expect(call.Mtype()).To(Equal(want.mtype))
}

// expectMessages checks that a queue holds exactly these messages, in this order, and takes them.
func expectMessages(a *actor.Actor, id int, messages ...message) {
	GinkgoHelper()
	for _, m := range messages {
		expectMessage(a.Msgrcv(id, 64, 0, actor.IPC_NOWAIT), m)
	}
	Expect(a.Msgrcv(id, 64, 0, actor.IPC_NOWAIT)).To(FailWith(unix.ENOMSG))
}

// messageLimit sets one of the namespace's limits, which nobody outside has.
func messageLimit(a *actor.Actor, name, value string) {
	a.WriteFile("/proc/sys/kernel/"+name, value)
}

// noID is an id that no queue has had: of an index beyond those in use.
const noID = 30000
