package keeper

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A maker makes objects as a stranger would, and looks after them.
type maker struct {
	t    *testing.T
	kind string
}

func (m maker) make(key int) Object {
	m.t.Helper()
	const flags = 0o1600 // IPC_CREAT
	var id uintptr
	var errno unix.Errno
	switch m.kind {
	case "msg":
		id, _, errno = unix.Syscall(unix.SYS_MSGGET, uintptr(key), flags, 0)
	case "sem":
		id, _, errno = unix.Syscall(unix.SYS_SEMGET, uintptr(key), 1, flags)
	case "shm":
		id, _, errno = unix.Syscall(unix.SYS_SHMGET, uintptr(key), 1, flags)
	}
	if errno != 0 {
		m.t.Fatal(errno)
	}
	o := Object{Kind: m.kind, ID: int(id), Key: key, UID: os.Geteuid(), PID: os.Getpid()}
	m.t.Cleanup(func() { _ = o.remove() })
	return o
}

func (m maker) there(o Object) bool {
	m.t.Helper()
	rows, err := Objects(m.kind)
	if err != nil {
		m.t.Skip(err)
	}
	for _, row := range rows {
		if row.ID == o.ID {
			return true
		}
	}
	return false
}

func ofEachKind(t *testing.T, test func(t *testing.T, m maker)) {
	for _, kind := range Kinds {
		t.Run(kind, func(t *testing.T) { test(t, maker{t, kind}) })
	}
}

func TestRemovesAnObjectThatIsTheOneThatWasMade(t *testing.T) {
	ofEachKind(t, func(t *testing.T, m maker) {
		for _, key := range []int{0, 1 + rand.IntN(1<<30)} {
			o := m.make(key)
			others := []Object{o, o}
			others[0].UID++
			others[1].Key++
			if m.kind == "shm" {
				other := o
				other.PID++
				others = append(others, other)
			}
			for _, other := range others {
				if err := other.Remove(); err != nil || !m.there(o) {
					t.Errorf("%+v was removed, or %v, for %+v", o, err, other)
				}
			}
			if err := o.Remove(); err != nil || m.there(o) {
				t.Errorf("%+v was not removed: %v", o, err)
			}
			if err := o.Remove(); err != nil {
				t.Errorf("what is gone: %v", err)
			}
		}
	})
}

// TestRemovesWhatItWasToldOf has a keeper learn of objects in all ways.
func TestRemovesWhatItWasToldOf(t *testing.T) {
	ofEachKind(t, func(t *testing.T, m maker) {
		k, _ := start(t)
		memory, err := unix.MemfdCreate("telling", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(memory)
		// announce is a call as its process would tell it: ordered, and perhaps done.
		announce := func(number int, o Object, done bool, result int) {
			at := int64(number) * 64
			if err := k.Making(number, Object{Kind: o.Kind, Key: o.Key, UID: o.UID, PID: o.PID},
				Telling{File: memory, Command: at, Done: at + 4, Result: at + 8, Number: 7}); err != nil {
				t.Fatal(err)
			}
			told := binary.NativeEndian.AppendUint32(nil, 7)
			count := uint32(6)
			if done {
				count = 7
			}
			told = binary.NativeEndian.AppendUint32(told, count)
			told = binary.NativeEndian.AppendUint64(told, uint64(result))
			if _, err := unix.Pwrite(memory, told, at); err != nil {
				t.Fatal(err)
			}
		}
		objects := make([]Object, 6)
		for i := range objects[:5] {
			objects[i] = m.make(0)
		}
		objects[5] = m.make(1 + rand.IntN(1<<30))
		announce(0, objects[0], true, objects[0].ID) // its master died before it could say so
		announce(1, objects[1], true, objects[1].ID)
		announce(2, objects[2], false, objects[2].ID) // not done: the number is from an earlier call, and nothing shows whose it is
		announce(3, objects[3], true, -int(unix.ENOSPC))
		announce(5, objects[5], false, objects[5].ID) // not done either, and found by its key
		for _, err := range []error{k.Made(1, objects[1]), k.Made(4, objects[4]), k.Unmade(4)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		k.Stop()
		for i, want := range []bool{false, false, true, true, true, false} {
			if m.there(objects[i]) != want {
				t.Errorf("object %d is there: %v", i, !want)
			}
		}
	})
}
