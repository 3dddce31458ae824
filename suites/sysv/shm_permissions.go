package sysv

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A shmRole is what somebody without capabilities may be to a segment, and where in its mode the bits
// for that are.
type shmRole struct {
	name  string
	shift int
	// play returns who plays the role, and a segment with the key shmKey and its creator, who may set its mode.
	play func(admin *actor.Actor) (caller, creator *actor.Actor, id int)
}

// settled is a segment with a creator and an owner of its own, in groups of their own.
func settled(admin *actor.Actor) (creator *actor.Actor, id int, ds actor.ShmidDS) {
	perm := actor.IPCPerm{
		Key: int32(shmKey()), UID: uint32(FreshUser()), GID: uint32(FreshUser()), CUID: uint32(FreshUser()), CGID: uint32(FreshUser()), Mode: 0o640,
	}
	creator = ipcUser(admin, int(perm.CUID), int(perm.CGID))
	id = expectMade(creator.Shmget(shmKey(), shmPage, creat|excl|0o600), shmKey(), shmPage, 0o600)
	perm.Seq = segment(creator, id).Perm.Seq
	setPerm(creator, id, perm)
	return creator, id, actor.ShmidDS{Perm: perm}
}

var shmRoles = []shmRole{
	{"self", 6, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		return capableOnly(admin), admin, expectMade(admin.Shmget(shmKey(), shmPage, creat|excl|0o600), shmKey(), shmPage, 0o600)
	}},
	{"owner", 6, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, ds := settled(admin)
		return ipcUser(admin, int(ds.Perm.UID), FreshUser()), creator, id
	}},
	{"creator", 6, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, ds := settled(admin)
		return ipcUser(admin, int(ds.Perm.CUID), FreshUser()), creator, id
	}},
	{"group", 3, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, ds := settled(admin)
		return ipcUser(admin, FreshUser(), int(ds.Perm.GID)), creator, id
	}},
	{"creators-group", 3, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, ds := settled(admin)
		return ipcUser(admin, FreshUser(), int(ds.Perm.CGID)), creator, id
	}},
	{"supplementary-group", 3, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, ds := settled(admin)
		return ipcUser(admin, FreshUser(), FreshUser(), int(ds.Perm.GID)), creator, id
	}},
	{"others", 0, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, _ := settled(admin)
		return ipcUser(admin, FreshUser(), FreshUser(), FreshUser()), creator, id
	}},
}

// eachMode plays a role under all modes that differ in what they grant it: the others are granted the
// contrary, so that a kernel which looks at the wrong bits shows it.
func (r shmRole) eachMode(try func(caller *actor.Actor, id int, read, write bool, mode uint32)) {
	caller, creator, id := r.play(actor.New())
	ds := segment(creator, id)
	for granted := range uint32(8) {
		contrary := granted ^ 7
		ds.Perm.Mode = (contrary<<6|contrary<<3|contrary)&^(7<<r.shift) | granted<<r.shift
		Must(creator.ShmSet(id, ds))
		try(caller, id, granted&4 != 0, granted&2 != 0, ds.Perm.Mode)
	}
	ds.Perm.Mode = 0o600
	Must(creator.ShmSet(id, ds))
	after := segment(creator, id)
	Expect(after.Perm).To(Equal(ds.Perm))
	Expect(after.Nattch).To(BeZero())
}

var _ = Describe("The mode of a segment", func() {
	for _, role := range shmRoles {
		Clause("shmget.permission-"+role.name, func() {
			role.eachMode(func(caller *actor.Actor, id int, read, write bool, mode uint32) {
				for _, ask := range []struct {
					flags   int
					granted bool
				}{
					{0, true}, {0o400, read}, {0o200, write}, {0o600, read && write},
					{0o040, read}, {0o020, write}, {0o004, read}, {0o002, write},
				} {
					if ask.granted {
						Expect(caller.Shmget(shmKey(), 0, ask.flags)).To(Return(id), "mode %#o", mode)
					} else {
						Expect(caller.Shmget(shmKey(), 0, ask.flags)).To(FailWith(unix.EACCES), "mode %#o", mode)
					}
				}
				if read && write {
					Expect(caller.Shmget(shmKey(), 0, creat|0o666)).To(Return(id), "mode %#o", mode)
				} else {
					Expect(caller.Shmget(shmKey(), 0, creat|0o666)).To(FailWith(unix.EACCES), "mode %#o", mode)
				}
			})
		})

		Clause("shmat.permission-"+role.name, func() {
			role.eachMode(func(caller *actor.Actor, id int, read, write bool, mode uint32) {
				for _, ask := range []struct {
					flags   int
					granted bool
				}{{actor.SHM_RDONLY, read}, {0, read && write}} {
					shmat := caller.Shmat(id, nil, ask.flags)
					if ask.granted {
						Must(caller.Shmdt(expectAttached(shmat)))
					} else {
						Expect(shmat).To(FailWith(unix.EACCES), "mode %#o", mode)
					}
				}
			})
		})

		Clause("shmctl.permission-"+role.name, func() {
			role.eachMode(func(caller *actor.Actor, id int, read, _ bool, mode uint32) {
				stat := caller.ShmStat(id, actor.IPC_STAT)
				if read {
					Expect(stat).To(Return(0), "mode %#o", mode)
					Expect(stat.ShmidDS().Perm.Mode).To(Equal(mode))
				} else {
					Expect(stat).To(FailWith(unix.EACCES), "mode %#o", mode)
				}
			})
		})
	}

	Clause("shmget.cap-ipc-owner", func() {
		a := actor.New()
		id := expectMade(a.Shmget(shmKey(), shmPage, creat), shmKey(), shmPage, 0)
		Expect(capableOnly(a, unix.CAP_IPC_OWNER).Shmget(shmKey(), shmPage, 0o666)).To(Return(id))
		Expect(incapable(a, unix.CAP_IPC_OWNER).Shmget(shmKey(), shmPage, 0o400)).To(FailWith(unix.EACCES))
	})

	Clause("shmat.cap-ipc-owner", func() {
		a := actor.New()
		id := Must(a.Shmget(private, shmPage, 0))
		owner, without := capableOnly(a, unix.CAP_IPC_OWNER), incapable(a, unix.CAP_IPC_OWNER)
		put(a, attach(a, id, 0), "old")
		for _, flags := range []int{0, actor.SHM_RDONLY, actor.SHM_EXEC} {
			shmat := owner.Shmat(id, nil, flags)
			expectHolds(owner, expectAttached(shmat), "old")
			Expect(without.Shmat(id, nil, flags)).To(FailWith(unix.EACCES))
		}
		expectNattch(a, id, 4)
	})

	Clause("shmctl.cap-ipc-owner", func() {
		a := actor.New()
		id := Must(a.Shmget(private, shmPage, 0))
		index := Must(a.ShmUsage())
		owner, without := capableOnly(a, unix.CAP_IPC_OWNER), incapable(a, unix.CAP_IPC_OWNER)
		Expect(segment(owner, id).Segsz).To(BeEquivalentTo(shmPage))
		Expect(owner.ShmStat(index, actor.SHM_STAT)).To(Return(id))
		Expect(without.ShmStat(id, actor.IPC_STAT)).To(FailWith(unix.EACCES))
		Expect(without.ShmStat(index, actor.SHM_STAT)).To(FailWith(unix.EACCES))
	})

	Clause("shmctl.stat-eacces-writes-nothing", func() {
		a := actor.New()
		id := Must(a.Shmget(private, shmPage, 0o200))
		b := capableOnly(a)
		buf := b.Bytes([]byte(zeros(112)))
		copy(buf.Bytes(), "untouched")
		before := buf.Copy()
		Expect(b.Shmctl(id, actor.IPC_STAT, buf)).To(FailWith(unix.EACCES))
		Expect(b.Shmctl(0, actor.SHM_STAT, buf)).To(FailWith(unix.EACCES))
		Expect(buf.Bytes()).To(Equal(before))
	})
})

// mayControl is who may set the permissions of a segment and remove it, whatever its mode.
var mayControl = []struct {
	name string
	may  bool
	play func(admin *actor.Actor) (caller, creator *actor.Actor, id int)
}{
	{"self", true, shmRoles[0].play},
	{"owner", true, shmRoles[1].play},
	{"creator", true, shmRoles[2].play},
	{"group", false, shmRoles[3].play},
	{"creators-group", false, shmRoles[4].play},
	{"others", false, shmRoles[6].play},
	{"cap-sys-admin", true, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, _ := settled(admin)
		return capableOnly(admin, unix.CAP_SYS_ADMIN), creator, id
	}},
	{"cap-ipc-owner", false, func(admin *actor.Actor) (*actor.Actor, *actor.Actor, int) {
		creator, id, _ := settled(admin)
		return incapable(admin, unix.CAP_SYS_ADMIN), creator, id
	}},
}

var _ = Describe("Who controls a segment", func() {
	for _, who := range mayControl {
		Clause("shmctl.set-by-"+who.name, func() {
			admin := actor.New()
			caller, _, id := who.play(admin)
			for _, mode := range []uint32{0, 0o777} {
				ds := segment(admin, id)
				ds.Perm.Mode = mode
				setPerm(admin, id, ds.Perm)
				before := segment(admin, id)

				wanted := before
				wanted.Perm.Mode = 0o640
				Expect(before.Perm).To(Equal(ds.Perm))
				if !who.may {
					Expect(caller.ShmSet(id, wanted)).To(FailWith(unix.EPERM))
					Expect(segment(admin, id)).To(Equal(before))
					continue
				}
				Expect(caller.ShmSet(id, wanted)).To(Return(0))
				Expect(segment(admin, id).Perm).To(Equal(wanted.Perm))
			}
		})

		Clause("shmctl.rmid-by-"+who.name, func() {
			admin := actor.New()
			caller, _, id := who.play(admin)
			ds := segment(admin, id)
			ds.Perm.Mode = 0
			if !who.may {
				ds.Perm.Mode = 0o777
			}
			setPerm(admin, id, ds.Perm)
			if who.may {
				Expect(caller.Shmctl(id, actor.IPC_RMID, nil)).To(Return(0))
				expectGone(admin, id, 0)
				return
			}
			Expect(caller.Shmctl(id, actor.IPC_RMID, nil)).To(FailWith(unix.EPERM))
			Expect(segment(admin, id).Perm).To(Equal(ds.Perm))
			Expect(admin.Shmget(shmKey(), 0, 0)).To(Return(id))
		})
	}

	Clause("shmctl.owner-given-away", func() {
		a := actor.New()
		creator := ipcUser(a, FreshUser(), FreshUser())
		id := newSegment(creator, shmPage)
		ds := segment(creator, id)
		former := FreshUser()
		ds.Perm.UID = uint32(former)
		Expect(creator.ShmSet(id, ds)).To(Return(0))
		ds.Perm.UID = uint32(FreshUser())
		Expect(ipcUser(a, former, FreshUser()).ShmSet(id, ds)).To(Return(0))
		// Who was the owner is nobody now, and who created it is that for ever.
		other := ds
		other.Perm.Mode = 0o644
		Expect(ipcUser(a, former, FreshUser()).ShmSet(id, other)).To(FailWith(unix.EPERM))
		Expect(segment(a, id).Perm).To(Equal(ds.Perm))
		Expect(creator.ShmSet(id, ds)).To(Return(0))
		Expect(segment(a, id).Perm).To(Equal(ds.Perm))
	})

	Clause("shmctl.real-uid-does-not-count", func() {
		a := actor.New()
		uid := FreshUser()
		id := newSegment(ipcUser(a, uid, FreshUser()), shmPage)
		before := segment(a, id)
		not := userInRealityOnly(a, uid)
		wanted := before
		wanted.Perm.Mode = 0o666
		Expect(not.ShmSet(id, wanted)).To(FailWith(unix.EPERM))
		Expect(not.Shmctl(id, actor.IPC_RMID, nil)).To(FailWith(unix.EPERM))
		Expect(segment(a, id)).To(Equal(before))
	})
})
