package sysv

import (
	"github.com/onsi/gomega/types"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// The places of objects in the kernel's arrays: which one a new object gets is the kernel's affair, so it
// is looked for.

// An indexer finds the place of an object, −1 where it has none.
type indexer func(a *actor.Actor, id int) int

func queueIndex(a *actor.Actor, id int) int {
	return indexOf(id, Must(a.Quietly().MsgInfo(actor.IPC_INFO)), func(index int) *actor.Call { return a.Quietly().MsgStat(index, actor.MSG_STAT_ANY) })
}

func semIndex(a *actor.Actor, id int) int {
	return indexOf(id, Must(a.Quietly().SemInfo(actor.IPC_INFO)), func(index int) *actor.Call { return a.Quietly().SemStat(index, actor.SEM_STAT_ANY) })
}

func segmentIndex(a *actor.Actor, id int) int {
	return indexOf(id, Must(a.Quietly().ShmIPCInfo()), func(index int) *actor.Call { return a.Quietly().ShmStat(index, actor.SHM_STAT_ANY) })
}

func indexOf(id, highest int, stat func(index int) *actor.Call) int {
	for index := range highest + 1 {
		if stat(index).Value() == id {
			return index
		}
	}
	return -1
}

// returnHighest succeeds when a command that tells of all objects of a kind returns the highest of their
// indexes.
func returnHighest(index indexer, a *actor.Actor, ids ...int) types.GomegaMatcher {
	highest := -1
	for _, id := range ids {
		highest = max(highest, index(a, id))
	}
	return Return(highest)
}
