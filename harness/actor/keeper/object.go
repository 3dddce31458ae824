package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Object is one of System V IPC, made where others live, too. Its id is not enough to remove it by:
// it may be gone, and its id another's by then.
type Object struct {
	Kind string `json:"kind"` // msg, sem or shm, as /proc/sysvipc names them
	ID   int    `json:"id"`
	Key  int    `json:"key"`
	UID  int    `json:"uid"` // of its creator; -1 where that is not known
	PID  int    `json:"pid"` // of its creator

	Nsems int `json:"-"` // of a set, as the kernel's table has it
}

// Kinds are those of objects.
var Kinds = []string{"msg", "sem", "shm"}

// Remove removes an object, unless it is gone, or is not the one that was made.
func (o Object) Remove() error {
	rows, err := Objects(o.Kind)
	if err == nil {
		for _, row := range rows {
			if row.ID == o.ID && o.is(row) {
				return o.remove()
			}
		}
		return nil
	}
	// A kernel that does not list them (gVisor) lets only the owner and the creator remove one.
	return o.remove()
}

// is says whether a row of the kernel's table is about the object.
func (o Object) is(row Object) bool {
	if o.UID >= 0 && row.UID != o.UID {
		return false
	}
	if o.Kind == "shm" && row.PID != o.PID {
		return false
	}
	return row.Key == o.Key // a segment that has lost it is marked to be destroyed already
}

// Find looks for an object whose id was never told, since the process that was to tell it was killed while
// it made the object, or right after. It returns the id, −1 where there is no such object, and an error
// where nobody can know.
//
// A key shows whose an object is: nobody else uses it. What has none is not looked for. Of a queue or a set the
// kernel tells who its creator was as a user and a group, the nine bits of the mode, the number of semaphores
// and the second in which it was made, and any process of the same user may have made such another one
// meanwhile. That it was not there before the call narrows the choice and settles nothing, and neither do the ids,
// which are given away in order to whoever comes. A mark would have to be in the mode, whose nine bits are the
// spec's; and /proc/sys/kernel/msg_next_id and its like choose the id for whoever is the next, who may be a
// stranger. A segment tells its creator's process id, but another process may have had that before, and have
// left a segment. To take somebody else's object would be worse than to leave one: it stays, and Doubt says so.
func (o Object) Find() (int, error) {
	if o.Key == 0 {
		return -1, errors.New("it has no key by which it could be told from those of others")
	}
	rows, err := Objects(o.Kind)
	if err != nil {
		return -1, err
	}
	for _, row := range rows {
		if o.is(row) {
			return row.ID, nil
		}
	}
	return -1, nil
}

// Doubt says that an object may have stayed, and why nobody can know.
func (o Object) Doubt(why error) string {
	kind, option := "message queue", "q"
	switch o.Kind {
	case "sem":
		kind, option = "semaphore set", "s"
	case "shm":
		kind, option = "shared memory segment", "m"
	}
	return fmt.Sprintf("process %d was killed while it made a %s, which may have stayed: %v; `ipcs -%s -c` lists such, `ipcrm -%s ID` removes one",
		o.PID, kind, why, option, option)
}

// Objects reads the kernel's table of a kind of objects.
func Objects(kind string) ([]Object, error) {
	text, err := os.ReadFile("/proc/sysvipc/" + kind)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	columns := map[string]int{}
	for i, name := range strings.Fields(lines[0]) {
		columns[name] = i
	}
	id := kind + "id"
	if kind == "msg" {
		id = "msqid"
	}
	if _, ok := columns[id]; !ok {
		return nil, fmt.Errorf("/proc/sysvipc/%s has no column %s", kind, id)
	}
	var rows []Object
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		value := func(name string) int {
			i, ok := columns[name]
			if !ok || i >= len(fields) {
				return -1
			}
			n, err := strconv.Atoi(fields[i])
			if err != nil {
				return -1
			}
			return n
		}
		rows = append(rows, Object{Kind: kind, ID: value(id), Key: value("key"), UID: value("cuid"), PID: value("cpid"), Nsems: value("nsems")})
	}
	return rows, nil
}

// remove removes the object as its creator: who that is may remove it without any capability.
func (o Object) remove() error {
	if own := os.Geteuid(); o.UID >= 0 && o.UID != own {
		// The raw call changes this thread alone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if errno := setEffective(o.UID); errno != 0 {
			return fmt.Errorf("become user %d, to remove what that user has made (%s %d): %w", o.UID, o.Kind, o.ID, errno)
		}
		defer func() {
			if errno := setEffective(own); errno != 0 {
				panic(fmt.Sprintf("become user %d again: %v", own, errno)) // its saved id: this is always allowed
			}
			// A process that has changed its user hides from its children in /proc, unless told not to.
			_ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
		}()
	}
	var errno syscall.Errno
	switch o.Kind {
	case "msg":
		_, _, errno = syscall.Syscall(syscall.SYS_MSGCTL, uintptr(o.ID), 0, 0)
	case "sem":
		_, _, errno = syscall.Syscall6(syscall.SYS_SEMCTL, uintptr(o.ID), 0, 0, 0, 0, 0)
	case "shm":
		_, _, errno = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(o.ID), 0, 0)
	}
	switch errno {
	case 0, syscall.EINVAL, syscall.EIDRM:
		return nil
	default:
		return fmt.Errorf("remove %s %d: %w", o.Kind, o.ID, errno)
	}
}

// setEffective changes the effective user id of this thread.
func setEffective(uid int) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
	return errno
}

// A Telling is where the outcome of a call is to be read: memory that the process that makes the call
// shares with others, and places in it.
type Telling struct {
	File    int    `json:"-"`
	Command int64  `json:"command"` // uint32: counts what was ordered
	Done    int64  `json:"done"`    // uint32: counts what is done
	Result  int64  `json:"result"`  // int64
	Number  uint32 `json:"number"`  // the call is ordered, and done, when the counts have come to this
}

func (t Telling) counts(at int64) bool {
	var b [4]byte
	n, _ := syscall.Pread(t.File, b[:], at)
	return n == len(b) && binary.NativeEndian.Uint32(b[:]) == t.Number
}

// Outcome says what the call has returned; ok is false where it is not done.
func (t Telling) Outcome() (result int64, ok bool) {
	if !t.counts(t.Done) {
		return 0, false
	}
	var b [8]byte
	n, _ := syscall.Pread(t.File, b[:], t.Result)
	return int64(binary.NativeEndian.Uint64(b[:])), n == len(b)
}

// UnderWay says whether the call is ordered and not done; of a process that has ended, that its outcome will
// never be told.
func (t Telling) UnderWay() bool { return t.counts(t.Command) && !t.counts(t.Done) }

// tellingLimit bounds how long the end of a call is waited for that cannot sleep.
const tellingLimit = time.Second

// Await waits until the call is done, for a call that cannot sleep, or was never ordered.
func (t Telling) Await() {
	for deadline := time.Now().Add(tellingLimit); t.UnderWay() && time.Now().Before(deadline); {
		time.Sleep(100 * time.Microsecond)
	}
}

// A creation is an order about an object: first that a call is going to make it, then what became of it.
type creation struct {
	Number  int      `json:"number"`
	Object  *Object  `json:"object,omitempty"`  // as it is, or is going to be but for its id
	Telling *Telling `json:"telling,omitempty"` // where the id will be read; the memory comes with the order
}

// creations is what a keeper knows of objects.
type creations map[int]creation

func (c creations) heed(o creation, files *inbox) {
	if before, ok := c[o.Number]; ok && before.Telling != nil {
		_ = syscall.Close(before.Telling.File)
	}
	if o.Object == nil {
		delete(c, o.Number)
		return
	}
	if o.Telling != nil {
		o.Telling.File = files.file()
	}
	c[o.Number] = o
}

// await waits until all calls are done that make objects.
func (c creations) await() {
	for _, o := range c {
		if o.Telling != nil {
			o.Telling.Await()
		}
	}
}

func (c creations) remove() {
	for _, o := range c {
		if o.Telling != nil {
			id, ok := o.Telling.Outcome()
			switch {
			case ok && id >= 0:
				o.Object.ID = int(id)
			case !ok && o.Telling.UnderWay():
				found, err := o.Object.Find()
				if err != nil || found < 0 {
					continue // nobody is left to tell of a doubt
				}
				o.Object.ID = found
			default:
				continue
			}
		}
		_ = o.Object.Remove() // nobody is left to tell
	}
}

// An inbox is the keeper's end of the socket over which it gets orders, and files with some of them.
type inbox struct {
	socket int
	files  []int
}

func (b *inbox) Read(p []byte) (int, error) {
	control := make([]byte, 256)
	n, n2, _, _, err := syscall.Recvmsg(b.socket, p, control, syscall.MSG_CMSG_CLOEXEC)
	for err == syscall.EINTR {
		n, n2, _, _, err = syscall.Recvmsg(b.socket, p, control, syscall.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return 0, err
	}
	if messages, err := syscall.ParseSocketControlMessage(control[:n2]); err == nil {
		for i := range messages {
			if files, err := syscall.ParseUnixRights(&messages[i]); err == nil {
				b.files = append(b.files, files...)
			}
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// file returns the next file that has come.
func (b *inbox) file() int {
	if len(b.files) == 0 {
		return -1
	}
	f := b.files[0]
	b.files = b.files[1:]
	return f
}

// Making tells the keeper that a call is about to make an object. The number tells it from others.
func (k *Keeper) Making(number int, o Object, t Telling) error {
	return k.tell(order{Creation: &creation{Number: number, Object: &o, Telling: &t}}, t.File)
}

// Made tells the keeper of an object that it has to remove in the end.
func (k *Keeper) Made(number int, o Object) error {
	return k.tell(order{Creation: &creation{Number: number, Object: &o}})
}

// Unmade tells the keeper that there is nothing to be removed.
func (k *Keeper) Unmade(number int) error {
	return k.tell(order{Creation: &creation{Number: number}})
}
