package sysv

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// ipcUser has a child of the actor be another user, without any capability.
func ipcUser(a *actor.Actor, uid, gid int, groups ...int) *actor.Actor {
	child := a.Fork()
	list := child.Alloc(4 * (len(groups) + 1))
	for i, group := range groups {
		list.PutUint32(4*i, uint32(group))
	}
	Must(child.Raw(unix.SYS_SETGROUPS, len(groups), list))
	Must(child.Setresgid(gid, gid, gid))
	Must(child.Setresuid(uid, uid, uid))
	return child
}

// userInRealityOnly has a child of the actor be a user by its real and its saved id, and somebody else by the
// effective one, without any capability.
func userInRealityOnly(a *actor.Actor, uid int) *actor.Actor {
	child := a.Fork()
	Must(child.Setresuid(uid, FreshUser(), uid))
	return child
}

// capableOnly has a child of the actor keep no capabilities but the given ones: still the same user.
func capableOnly(a *actor.Actor, capabilities ...uint) *actor.Actor {
	child := a.Fork()
	child.DropCapabilities(^capabilitySet(capabilities))
	return child
}

// incapable has a child of the actor do without the given capabilities.
func incapable(a *actor.Actor, capabilities ...uint) *actor.Actor {
	child := a.Fork()
	child.DropCapabilities(capabilitySet(capabilities))
	return child
}

func capabilitySet(capabilities []uint) (set uint64) {
	for _, c := range capabilities {
		set |= 1 << c
	}
	return set
}

// ipcPerson is a user to whom one class of an object's permission bits applies.
type ipcPerson struct {
	*actor.Actor
	who   string
	shift int // of the class in the mode
}

// ipcSociety is all users that an object can tell apart, none of whom has a capability: the object's
// creator has given it to an owner and to a group of which he is no member.
type ipcSociety struct {
	creator, owner, other *actor.Actor
	ownerID, groupID      int
	people                []ipcPerson
}

func newIPCSociety(a *actor.Actor) ipcSociety {
	creatorID, ownerID, groupID := FreshUser(), FreshUser(), FreshUser()
	user := func(gid int, groups ...int) *actor.Actor { return ipcUser(a, FreshUser(), gid, groups...) }
	stranger := FreshUser()
	s := ipcSociety{
		creator: ipcUser(a, creatorID, creatorID), owner: ipcUser(a, ownerID, ownerID), other: user(stranger),
		ownerID: ownerID, groupID: groupID,
	}
	s.people = []ipcPerson{
		{s.creator, "the creator", 6}, {s.owner, "the owner", 6},
		{user(groupID), "the group", 3}, {user(creatorID), "the creator's group", 3}, {user(stranger, groupID), "a member of the group", 3},
		{s.other, "others", 0},
	}
	return s
}

// queue makes a queue with the key messageKey that belongs to the owner and the group. Its creator may set
// the mode, whatever it is.
func (s ipcSociety) queue() (id int, setMode func(mode int)) {
	id = Must(s.creator.Msgget(messageKey(), actor.IPC_CREAT|0o600))
	ds := queueSettings(s.creator, id)
	ds.Perm.UID, ds.Perm.GID = uint32(s.ownerID), uint32(s.groupID)
	return id, func(mode int) {
		ds.Perm.Mode = uint32(mode)
		Must(s.creator.MsgSet(id, ds))
	}
}

// expectOneMade judges that of several processes which ask for an object at the same time, all of them
// exclusively, exactly one makes it: it returns that one's call.
func expectOneMade(a *actor.Actor, ask func(by actor.Caller) *actor.Call) *actor.Call {
	GinkgoHelper()
	var calls, made []*actor.Call
	for range 3 {
		calls = append(calls, ask(a.Fork().Begin()))
	}
	for _, call := range calls {
		if call.OK() {
			made = append(made, call)
		} else {
			Expect(call).To(FailWith(unix.EEXIST))
		}
	}
	Expect(made).To(HaveLen(1), "calls that have made an object")
	return made[0]
}

// goneIPC is how calls fail with the id of an object that was removed: the pages say EIDRM, and Linux
// says EINVAL unless the call was under way then.
func goneIPC() OmegaMatcher { return FailWith(unix.EIDRM, unix.EINVAL) }

// ipcNow returns the time as objects' times tell it, in seconds.
func ipcNow(a *actor.Actor) int64 {
	return a.ClockGettime(unix.CLOCK_REALTIME_COARSE).Nanoseconds() / 1e9
}

// ipcNextSecond waits until it is later than times that an object tells: these are in seconds, so that a
// new one cannot be told from an old one before the next second. It returns the time then.
func ipcNextSecond(a *actor.Actor, times ...int64) int64 {
	for {
		if now := ipcNow(a); now > slices.Max(times) {
			return now
		}
		Must(a.Quietly().Nanosleep(unix.CLOCK_MONOTONIC, 0, 20e6)) // far below every limit of a call
	}
}

// withinIPC checks that a time lies between two that were taken before and after it.
func withinIPC(before, after int64) OmegaMatcher {
	return SatisfyAll(BeNumerically(">=", before), BeNumerically("<=", after))
}
