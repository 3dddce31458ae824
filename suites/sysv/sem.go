package sysv

import (
	"encoding/binary"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What all specs about semaphores share.

const (
	semUndo   = actor.SEM_UNDO
	semNowait = actor.IPC_NOWAIT

	semMax = 32767 // SEMVMX
)

// semKey is a key that nobody else has.
func semKey() int { return actor.Key(0x53454d) }

// sop is an operation on one semaphore.
func sop(num, op int, flags ...int) actor.SemOp {
	o := actor.SemOp{Num: num, Op: op}
	for _, f := range flags {
		o.Flags |= f
	}
	return o
}

// semBytes is an array of struct sembuf, for calls that are given an address.
func semBytes(ops ...actor.SemOp) []byte {
	var b []byte
	for _, o := range ops {
		for _, v := range []int{o.Num, o.Op, o.Flags} {
			b = binary.NativeEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

// newSemSet makes a set with the given values.
func newSemSet(a *actor.Actor, values ...int) int {
	id := Must(a.Semget(actor.IPC_PRIVATE, len(values), 0o600))
	Must(a.SemSetAll(id, values...))
	return id
}

// expectSems checks the values of all semaphores of a set.
func expectSems(a *actor.Actor, id int, values ...int) {
	GinkgoHelper()
	all := a.SemGetAll(id, len(values))
	Expect(all).To(Return(0))
	Expect(all.Values()).To(Equal(values))
}

// expectSemWaiters checks how many wait for a semaphore to increase, and how many for zero.
func expectSemWaiters(a *actor.Actor, id, num, increase, zero int) {
	GinkgoHelper()
	Expect(a.Semctl(id, num, actor.GETNCNT, nil)).To(Return(increase))
	Expect(a.Semctl(id, num, actor.GETZCNT, nil)).To(Return(zero))
}

// semStat is what IPC_STAT tells of a set, which is not judged here.
func semStat(a *actor.Actor, id int) actor.SemidDS {
	stat := a.SemStat(id, actor.IPC_STAT)
	Must(stat)
	return stat.SemidDS()
}

// semSettable is what IPC_SET may be given to change nothing.
func semSettable(a *actor.Actor, id int) actor.SemidDS {
	stat := a.Quietly().SemStat(id, actor.IPC_STAT)
	Must(stat)
	return stat.SemidDS()
}

// setSemMode changes a set's permission bits.
func setSemMode(a *actor.Actor, id, mode int) {
	ds := semSettable(a, id)
	ds.Perm.Mode = uint32(mode)
	Must(a.SemSet(id, ds))
}

// sleepInSemop has a new child of the actor's sleep in a semop.
func sleepInSemop(a *actor.Actor, id int, ops ...actor.SemOp) *actor.Call {
	GinkgoHelper()
	call := a.Fork().Begin().Semop(id, ops...)
	Expect(call).To(Block())
	return call
}

// semLimits are the four numbers of /proc/sys/kernel/sem, which every IPC namespace has for itself.
type semLimits struct{ msl, mns, opm, mni int }

func readSemLimits(a *actor.Actor) (l semLimits) {
	_, err := fmt.Sscan(strings.TrimSpace(a.ReadFile("/proc/sys/kernel/sem")), &l.msl, &l.mns, &l.opm, &l.mni)
	Presuppose(err == nil, "four numbers in /proc/sys/kernel/sem")
	return l
}

func writeSemLimits(a *actor.Actor, l semLimits) {
	a.WriteFile("/proc/sys/kernel/sem", fmt.Sprintln(l.msl, l.mns, l.opm, l.mni))
}

// expectSemSet judges that a semget has returned the id of a set of n semaphores.
func expectSemSet(a *actor.Actor, semget *actor.Call, n int) {
	GinkgoHelper()
	Expect(semget).To(ReturnFD())
	Expect(semStat(a, semget.Value()).Nsems).To(Equal(int64(n)))
}

// expectSemUsage checks how many sets and semaphores there are in the namespace, as far as they are not
// those of others.
func expectSemUsage(a *actor.Actor, sets, semaphores int) {
	GinkgoHelper()
	if !actor.OwnIPC() {
		n, all := actor.CountObjects("sem")
		Expect([]int{n, all}).To(Equal([]int{sets, semaphores}), "sets and semaphores of the spec")
		return
	}
	usage := a.Quietly().SemInfo(actor.SEM_INFO)
	Must(usage)
	info := usage.Seminfo()
	Expect(info.Usz).To(Equal(sets), "sets in the namespace")
	Expect(info.Aem).To(Equal(semaphores), "semaphores in the namespace")
}

// A semRelation is what somebody can be to a set, as far as permissions go.
type semRelation struct {
	name string
	bits int // of the mode
	who  *actor.Actor
}

// semRelations makes a set of two semaphores whose owner, creator and their groups are all different,
// and somebody in each relation to it, without capabilities, the creator first. The creator may set the mode,
// whatever it is.
func semRelations(a *actor.Actor) (id int, relations []semRelation, setMode func(mode int)) {
	creator, owner, stranger := FreshUser(), FreshUser(), FreshUser()
	relations = []semRelation{
		{"creator", 0o600, ipcUser(a, creator, creator)},
		{"owner", 0o600, ipcUser(a, owner, stranger)},
		{"owner's group", 0o060, ipcUser(a, stranger, owner)},
		{"creator's group", 0o060, ipcUser(a, stranger, creator)},
		{"others", 0o006, ipcUser(a, stranger, stranger)},
	}
	id = Must(relations[0].who.Semget(semKey(), 2, actor.IPC_CREAT|0o600))
	var ds actor.SemidDS
	ds.Perm.UID, ds.Perm.GID, ds.Perm.Mode = uint32(owner), uint32(owner), 0o600
	by := relations[0].who
	Must(by.SemSet(id, ds))
	return id, relations, func(mode int) {
		ds.Perm.Mode = uint32(mode)
		Must(by.SemSet(id, ds))
	}
}

// expectSemPermission judges that an operation takes exactly the given permission (0444 or 0222) of
// whoever asks for it: that alone is enough, and everything else is not, and changes nothing. The set's
// values are 3 and 0, and its creator has set them.
func expectSemPermission(a *actor.Actor, permission int, succeed func(creator *actor.Actor, id int) types.GomegaMatcher, ask func(who *actor.Actor, id int) *actor.Call) {
	GinkgoHelper()
	id, relations, setMode := semRelations(a)
	creator := relations[0].who
	for _, r := range relations {
		for _, mode := range []int{r.bits & permission, 0o666 &^ (r.bits & permission)} {
			setMode(0o600)
			Must(creator.SemSetAll(id, 3, 0)) // so that a change shows
			setMode(mode)
			if mode == r.bits&permission {
				Expect(ask(r.who, id)).To(succeed(creator, id), r.name)
				continue
			}
			Expect(ask(r.who, id)).To(FailWith(unix.EACCES), r.name)
			setMode(0o600)
			expectSems(creator, id, 3, 0)
		}
	}
}
