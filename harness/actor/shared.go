package actor

import (
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor/keeper"
)

// Where a spec's actors have no IPC namespace of their own, the System V objects that they make are
// in one that others live in, and would stay. So each is removed when the spec ends, or by the keeper.
// The keeper is told of a call before it is made, so that there is no moment in which an object is
// there and nobody knows of it: the memory in which the actor tells the call's result is given to it.

// A madeObject is an object that is to be removed, or a call that may have made one.
type madeObject struct {
	keeper.Object
	by      *Actor
	number  int
	known   bool // the object is there, and its id is known
	telling keeper.Telling
}

var made struct {
	sync.Mutex
	objects []*madeObject
	count   int
	ids     map[string][]int // of all objects that the spec has made, by kind
	keys    map[int]int      // the first key of the block that stands for a spec's number
}

// keyBlock is how many keys stand for each number, one below the one that Key returns, the others above.
const keyBlock = 256

// Key returns a key of System V IPC for a number that a spec has chosen. In an IPC namespace of their own
// the actors may have that number itself. Where they live with others it is a key that nobody uses, nor its
// neighbours, the same until the spec ends.
func Key(number int) int {
	if OwnIPC() {
		return number
	}
	if err := gather(); err != nil {
		stage.Unresolved("find a key that nobody uses: "+err.Error(), 1)
	}
	prepare()
	made.Lock()
	defer made.Unlock()
	if key, ok := made.keys[number]; ok {
		return key + 1
	}
	used := map[int]bool{}
	for _, kind := range keeper.Kinds {
		rows, _ := keeper.Objects(kind) // where there is no table (gVisor) chance has to do
		for _, row := range rows {
			used[row.Key&^(keyBlock-1)] = true
		}
	}
	for _, key := range made.keys {
		used[key] = true
	}
	for attempt := 0; ; attempt++ {
		hash := fnv.New32a()
		fmt.Fprint(hash, company.mark, number, attempt)
		key := int(hash.Sum32() >> 1 &^ (keyBlock - 1))
		if key == 0 || used[key] {
			continue
		}
		if made.keys == nil {
			made.keys = map[int]int{}
		}
		made.keys[number] = key
		return key + 1
	}
}

// OwnIPC says whether actors that New makes have an IPC namespace of their own.
func OwnIPC() bool {
	var o options
	for _, opt := range defaults {
		opt(&o)
	}
	return o.namespaces&unix.CLONE_NEWIPC != 0
}

// CountObjects counts those objects of a kind (msg, sem or shm) in an IPC namespace that is shared with others
// which can only be the spec's, and the semaphores of its sets: by a key of its own, by an id that one of its
// calls has returned, or, a segment, by the process that made it.
func CountObjects(kind string) (objects, semaphores int) {
	rows, err := keeper.Objects(kind)
	if err != nil {
		stage.Unresolved("needs an IPC namespace of its own: what there is in this one cannot be seen: "+err.Error(), 1)
	}
	made.Lock()
	ids := append([]int(nil), made.ids[kind]...)
	made.Unlock()
	for _, row := range rows {
		if slices.Contains(ids, row.ID) || row.Key != IPC_PRIVATE && reserved(row.Key) || kind == "shm" && isActor(row.PID) {
			objects++
			semaphores += max(row.Nsems, 0)
		}
	}
	return objects, semaphores
}

// isActor says whether a process id is that of one of the spec's actors.
func isActor(pid int) bool {
	troupe.Lock()
	defer troupe.Unlock()
	return slices.ContainsFunc(troupe.actors, func(a *Actor) bool { return a.proc.pid == pid })
}

// reserved says whether a key is one of those that Key has returned, or a neighbour of one.
func reserved(key int) bool {
	made.Lock()
	defer made.Unlock()
	return slices.Contains(slices.Collect(maps.Values(made.keys)), key&^(keyBlock-1))
}

// objectKind is the kind of object that a call makes, "" for none.
func (c *Call) objectKind() string {
	switch c.nr {
	case unix.SYS_MSGGET:
		return "msg"
	case unix.SYS_SEMGET:
		return "sem"
	case unix.SYS_SHMGET:
		return "shm"
	}
	return ""
}

// announce tells the keeper of a call that may make an object outside a namespace of its own.
func (c *Call) announce() {
	kind := c.objectKind()
	if kind == "" || c.actor.ownIPC || probing {
		return
	}
	key, flags := int(int32(c.args[0])), c.args[2] // the kernel takes the key as an int
	if kind == "msg" {
		flags = c.args[1]
	}
	switch {
	case key != IPC_PRIVATE && flags&IPC_CREAT == 0:
		return
	case c.op == opRepeat, interposer != nil:
		stage.Unresolved("needs an IPC namespace of its own: what is made in a loop or under a lie could not be found again", 3)
	case key != IPC_PRIVATE && !reserved(key):
		stage.Unresolved(fmt.Sprintf("needs an IPC namespace of its own: the key %#x may be somebody's (actor.Key gives one that is not)", key), 3)
	}
	frame := int64(c.actor.slot)*slotSize + slotFrames + frameSize*int64(c.depth)
	o := &madeObject{
		by:     c.actor,
		Object: keeper.Object{Kind: kind, Key: key, UID: c.actor.euid(), PID: c.actor.proc.pid},
		telling: keeper.Telling{
			File: c.actor.arena.fd, Command: frame + frameCommand, Done: frame + frameDone, Result: frame + frameResult,
			Number: atomic.LoadUint32(word32(c.frame, frameCommand)) + 1,
		},
	}
	made.Lock()
	defer made.Unlock()
	made.count++
	o.number = made.count
	if err := company.keeper.Making(o.number, o.Object, o.telling); err != nil {
		stage.Unresolved("make an object that is certain to be removed: "+err.Error(), 3)
	}
	made.objects = append(made.objects, o)
	c.makes = o
}

// noteObject sees what has become of objects when a call is done.
func (c *Call) noteObject() {
	if o := c.makes; o != nil {
		c.makes = nil
		made.Lock()
		defer made.Unlock()
		o.settle(c.result)
		return
	}
	if c.result != 0 || c.actor.ownIPC || interposer != nil {
		return
	}
	kind, cmd := "", c.args[1]
	switch c.nr {
	case unix.SYS_MSGCTL:
		kind = "msg"
	case unix.SYS_SHMCTL:
		kind = "shm"
	case unix.SYS_SEMCTL:
		kind, cmd = "sem", c.args[2]
	}
	if kind == "" || int32(cmd) != IPC_RMID {
		return
	}
	made.Lock()
	defer made.Unlock()
	for _, o := range made.objects {
		if o.known && o.Kind == kind && o.ID == int(int32(c.args[0])) {
			o.forget()
			return
		}
	}
}

// settle learns what the call has returned that may have made the object.
func (o *madeObject) settle(result int64) {
	if result < 0 {
		o.forget()
		return
	}
	for _, other := range made.objects {
		if other.known && other.Kind == o.Kind && other.ID == int(result) {
			o.forget() // it was there
			return
		}
	}
	o.ID, o.known = int(result), true
	if made.ids == nil {
		made.ids = map[string][]int{}
	}
	made.ids[o.Kind] = append(made.ids[o.Kind], o.ID)
	if err := company.keeper.Made(o.number, o.Object); err != nil {
		fmt.Fprintln(os.Stderr, "ipcspec:", err) // this process removes it all the same, while it lives
	}
}

// trace is for an object that may be there, of which its dead maker could not tell.
func (o *madeObject) trace() {
	id, err := o.Find()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "ipcspec:", o.Doubt(err))
	case id >= 0:
		o.settle(int64(id))
		return
	}
	o.forget()
}

// forget is for an object that is gone, or never was.
func (o *madeObject) forget() {
	for i, other := range made.objects {
		if other == o {
			made.objects = append(made.objects[:i:i], made.objects[i+1:]...)
			break
		}
	}
	if err := company.keeper.Unmade(o.number); err != nil {
		fmt.Fprintln(os.Stderr, "ipcspec:", err)
	}
}

// awaitObjects waits until all calls are done that are under way and make objects. They cannot sleep.
func awaitObjects() {
	made.Lock()
	defer made.Unlock()
	for _, o := range made.objects {
		if !o.known && !o.by.gone() {
			o.telling.Await()
		}
	}
}

// removeObjects removes what the spec's actors, who are gone, have made.
func removeObjects() {
	made.Lock()
	defer made.Unlock()
	made.keys = nil
	for _, o := range append([]*madeObject(nil), made.objects...) {
		if !o.known {
			id, ok := o.telling.Outcome()
			switch {
			case ok:
				o.settle(id)
			case o.telling.UnderWay():
				o.trace()
			default:
				o.forget()
			}
		}
	}
	for _, o := range append([]*madeObject(nil), made.objects...) {
		if err := o.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec: an object of a spec is left to the keeper:", err)
			continue
		}
		o.forget()
	}
	made.objects, made.ids = nil, nil
}

// euid is the actor's effective user id as this process sees it, −1 where that cannot be found out.
func (a *Actor) euid() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", a.proc.pid, a.tid))
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(text), "\nUid:")
	var real, effective int
	if n, _ := fmt.Sscan(rest, &real, &effective); n < 2 {
		return -1
	}
	return effective
}
