package sysv

import (
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What the specs about shared memory have in common. Each runs in an IPC namespace of its own, so that
// the key can be fixed and all segments end with the spec.

const (
	private = actor.IPC_PRIVATE
	creat   = actor.IPC_CREAT
	excl    = actor.IPC_EXCL
)

// shmKey is a key that nobody else has.
func shmKey() int { return actor.Key(0x73686d31) }

// shmPage is the page size, of which SHMLBA is a multiple: on amd64 and arm64 it is the same.
var shmPage = os.Getpagesize()

// newSegment makes a segment without a key that its owner may read and write.
func newSegment(a *actor.Actor, size int) int {
	return Must(a.Shmget(private, size, 0o600))
}

// attach attaches a segment where the kernel likes.
func attach(a *actor.Actor, id, flags int) actor.Mem {
	return actor.Mem{Addr: uint64(Must(a.Shmat(id, nil, flags)))}
}

// hole returns an address behind which an actor has this number of pages free.
func hole(a *actor.Actor, pages int) actor.Mem {
	at := Must(a.Mmap(0, pages*shmPage, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0))
	Must(a.Munmap(uint64(at), pages*shmPage))
	return actor.Mem{Addr: uint64(at)}
}

// segment looks at a segment by IPC_STAT.
func segment(a *actor.Actor, id int) actor.ShmidDS {
	GinkgoHelper()
	stat := a.ShmStat(id, actor.IPC_STAT)
	Expect(stat).To(Return(0))
	return stat.ShmidDS()
}

// expectMade checks that a shmget has returned the id of a segment with this key, size and mode, as its
// caller sees it, and returns the id.
func expectMade(get *actor.Call, key, size, mode int) int {
	GinkgoHelper()
	Expect(get).To(ReturnSuccess())
	ds := segment(get.Actor(), get.Value())
	Expect([]int{int(ds.Perm.Key), int(ds.Segsz), int(ds.Perm.Mode)}).To(Equal([]int{int(int32(key)), size, mode}))
	return get.Value()
}

// expectAttached checks that a shmat has attached a segment at an address that can be one, and returns
// that.
func expectAttached(shmat *actor.Call) actor.Mem {
	GinkgoHelper()
	Expect(shmat).To(ReturnSuccess())
	at := shmat.At()
	Expect(at.Addr % uint64(shmPage)).To(BeZero())
	return at
}

// expectNattch checks how often a segment is attached.
func expectNattch(a *actor.Actor, id, n int) {
	GinkgoHelper()
	Expect(segment(a, id).Nattch).To(BeEquivalentTo(n))
}

// setPerm sets owner, group and mode, as a step of the set-up that is seen to be done.
func setPerm(a *actor.Actor, id int, perm actor.IPCPerm) {
	GinkgoHelper()
	Must(a.ShmSet(id, actor.ShmidDS{Perm: perm}))
	Expect(segment(a, id).Perm).To(Equal(perm))
}

// usage is what SHM_INFO tells of all segments.
func usage(a *actor.Actor) actor.ShmInfo {
	info := a.ShmUsage()
	Must(info)
	return info.ShmInfo()
}

// expectSegments checks that a namespace has this number of segments, as far as they are not those of
// others.
func expectSegments(a *actor.Actor, n int) {
	GinkgoHelper()
	if !actor.OwnIPC() {
		segments, _ := actor.CountObjects("shm")
		Expect(segments).To(Equal(n), "segments of the spec")
		return
	}
	Expect(usage(a).UsedIDs).To(Equal(n))
}

// expectGone checks that nothing is left of a segment: not by its id, and not in the count.
func expectGone(a *actor.Actor, id, others int) {
	GinkgoHelper()
	Expect(a.ShmStat(id, actor.IPC_STAT)).To(goneIPC())
	expectSegments(a, others)
}

// expectHolds checks what an actor finds at an address.
func expectHolds(a *actor.Actor, at actor.Mem, content string) {
	GinkgoHelper()
	Expect(string(a.Load(at, len(content)).Data())).To(Equal(content))
}

// put has an actor store text at an address.
func put(a *actor.Actor, at actor.Mem, text string) {
	Must(a.Store(at, []byte(text)))
}

// zeros is n bytes of nothing.
func zeros(n int) string { return strings.Repeat("\x00", n) }

// faults has an actor return EFAULT from a Load or a Store that faults, rather than die.
func faults(a *actor.Actor) {
	a.Handle(unix.SIGSEGV, 0)
	a.Handle(unix.SIGBUS, 0)
}

// stranger returns a child of an actor's that is another user and in another group.
func stranger(a *actor.Actor) *actor.Actor {
	child := a.Fork()
	child.BecomeUser(FreshUser())
	return child
}

// setShm writes one of the limits of the actor's own IPC namespace.
func setShm(a *actor.Actor, name string, value int) {
	a.WriteFile("/proc/sys/kernel/"+name, fmt.Sprint(value))
}
