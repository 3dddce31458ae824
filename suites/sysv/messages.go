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

// setQueue changes settings of a queue, as a step of the set-up.
func setQueue(a *actor.Actor, id int, change func(ds *actor.MsqidDS)) {
	call := a.MsgStat(id, actor.IPC_STAT)
	Must(call)
	ds := call.MsqidDS()
	change(&ds)
	Must(a.MsgSet(id, ds))
}

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

// messageLimit sets one of the namespace's limits, which nobody outside has, and returns a function that
// tells what it is.
func messageLimit(a *actor.Actor, name, value string) {
	a.WriteFile("/proc/sys/kernel/"+name, value)
}

// noID is an id that no queue has had: of an index beyond those in use.
const noID = 30000
