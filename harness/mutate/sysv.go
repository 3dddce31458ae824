package mutate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
)

// Lies about System V IPC.

// ipcGets are the calls that make an object or find one, and ipcControls those that control it: where
// they have their command and the structure.
var ipcGets = map[string]int{"msgget": 1, "semget": 2, "shmget": 2} // where the flags are

var ipcControls = map[string]struct{ cmd, buf int }{"msgctl": {1, 2}, "semctl": {2, 3}, "shmctl": {1, 2}}

var sysv = set("msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semtimedop", "semctl", "shmget", "shmat", "shmdt", "shmctl")

// command is what a control call is asked to do, −1 of other calls.
func (c *call) command() int {
	at, ok := ipcControls[c.name]
	if !ok {
		return -1
	}
	return int(int32(c.args[at.cmd]))
}

// creates says that a call of the msgget kind has made a new object, or may have.
func (c *call) creates() bool {
	at, ok := ipcGets[c.name]
	return ok && !c.failed() && (c.args[0] == actor.IPC_PRIVATE || c.args[at]&actor.IPC_CREAT != 0)
}

// looksAtIPC says that a call of System V IPC changes nothing.
func looksAtIPC(c *call) bool {
	if _, ok := ipcGets[c.name]; ok {
		return !c.creates()
	}
	switch c.name {
	case "msgrcv":
		return c.args[4]&actor.MSG_COPY != 0
	case "msgctl":
		return c.command() >= actor.IPC_STAT
	case "semctl":
		return c.command() >= actor.IPC_STAT && c.command() != actor.SETVAL && c.command() != actor.SETALL
	case "shmctl":
		return c.command() >= actor.IPC_STAT && c.command() != actor.SHM_LOCK && c.command() != actor.SHM_UNLOCK
	}
	return false
}

// setsIPC says that a call of System V IPC does the same once more, or fails without an effect.
func setsIPC(c *call) bool {
	if _, ok := ipcGets[c.name]; ok {
		return c.args[0] != actor.IPC_PRIVATE
	}
	return c.command() >= 0 || c.name == "shmdt"
}

// The fields of the structures.

func ipcPerm(more ...field) []field {
	return append([]field{
		{name: "the key", size: 4}, {name: "uid", off: 4, size: 4}, {name: "gid", off: 8, size: 4}, {name: "cuid", off: 12, size: 4},
		{name: "cgid", off: 16, size: 4}, {name: "the permissions", off: 20, size: 4, toggle: 0o200}, {name: "seq", off: 24, size: 2},
	}, more...)
}

var (
	msqidDS = ipcPerm(
		field{name: "msg_stime", off: 48, size: 8}, field{name: "msg_rtime", off: 56, size: 8}, field{name: "msg_ctime", off: 64, size: 8},
		field{name: "msg_cbytes", off: 72, size: 8}, field{name: "msg_qnum", off: 80, size: 8}, field{name: "msg_qbytes", off: 88, size: 8},
		field{name: "msg_lspid", off: 96, size: 4}, field{name: "msg_lrpid", off: 100, size: 4},
	)
	semidDS = ipcPerm( // as on amd64
		field{name: "sem_otime", off: 48, size: 8}, field{name: "sem_ctime", off: 64, size: 8}, field{name: "sem_nsems", off: 80, size: 8},
	)
	shmidDS = ipcPerm(
		field{name: "SHM_DEST", off: 20, size: 4, toggle: actor.SHM_DEST}, field{name: "SHM_LOCKED", off: 20, size: 4, toggle: actor.SHM_LOCKED},
		field{name: "shm_segsz", off: 48, size: 8}, field{name: "shm_atime", off: 56, size: 8}, field{name: "shm_dtime", off: 64, size: 8},
		field{name: "shm_ctime", off: 72, size: 8}, field{name: "shm_cpid", off: 80, size: 4}, field{name: "shm_lpid", off: 84, size: 4},
		field{name: "shm_nattch", off: 88, size: 8},
	)
)

func numbers(size int, names ...string) []field {
	var fields []field
	for i, name := range names {
		if name != "" {
			fields = append(fields, field{name: name, off: i * size, size: size})
		}
	}
	return fields
}

var (
	msginfo = numbers(4, "msgpool", "msgmap", "msgmax", "msgmnb", "msgmni", "msgssz", "msgtql")
	seminfo = numbers(4, "semmap", "semmni", "semmns", "semmnu", "semmsl", "semopm", "semume", "semusz", "semvmx", "semaem")
	shminfo = numbers(8, "shmmax", "shmmin", "shmmni", "shmseg", "shmall")
	shmInfo = numbers(8, "used_ids", "shm_tot", "shm_rss", "shm_swp")
)

// ipcLayouts says what a control call stores.
func ipcLayouts(c *call) []layout {
	independent := func(fields []field) []layout {
		return []layout{{arg: ipcControls[c.name].buf, fields: fields, alternatives: true}}
	}
	switch c.name {
	case "msgctl":
		switch c.command() {
		case actor.IPC_STAT, actor.MSG_STAT, actor.MSG_STAT_ANY:
			return independent(msqidDS)
		case actor.IPC_INFO, actor.MSG_INFO:
			return independent(msginfo)
		}
	case "semctl":
		switch c.command() {
		case actor.IPC_STAT, actor.SEM_STAT, actor.SEM_STAT_ANY:
			return independent(semidDS)
		case actor.IPC_INFO, actor.SEM_INFO:
			return independent(seminfo)
		case actor.GETALL:
			return []layout{{arg: 3, stride: 2, fields: []field{{name: "the value", size: 2}}, count: func(c *call) int {
				return len(c.out.Memory[slices.Index(c.regions, 3)]) / 2
			}}}
		}
	case "shmctl":
		switch c.command() {
		case actor.IPC_STAT, actor.SHM_STAT, actor.SHM_STAT_ANY:
			return independent(shmidDS)
		case actor.IPC_INFO:
			return independent(shminfo)
		case actor.SHM_INFO:
			return independent(shmInfo)
		}
	}
	return nil
}

// A message stands in memory as its type and its text.
const messageText = 8

// message lies about a message that was received.
func (b *builder) message(c *call) {
	region := slices.Index(c.regions, 1)
	n := int(c.out.Result)
	if region < 0 || messageText+n > len(c.out.Memory[region]) {
		return
	}
	lie := func(words string, patches ...patch) {
		if m := b.add(c, Data, words, memory(patches...)); !c.inspected() {
			m.Group = "data of " + c.name
		}
	}
	lie("told another type", patch{region: region, size: 8})
	if n == 0 {
		return
	}
	first := patch{region: region, off: messageText, size: 1}
	lie("told another first byte", first)
	if n == 1 {
		return
	}
	last := patch{region: region, off: messageText + n - 1, size: 1}
	lie("told another last byte", last)
}

// exchangedMessages has two calls receive each other's messages: they come in the wrong order.
func (b *builder) exchangedMessages(calls []*call) {
	last := map[string]*call{} // by the queue
	told := map[string]int{}
	for _, c := range calls {
		if c.name != "msgrcv" || c.out == nil || c.in == nil || c.failed() || c.args[4]&actor.MSG_COPY != 0 || slices.Index(c.regions, 1) < 0 {
			continue
		}
		key := fmt.Sprint(c.args[0])
		one := last[key]
		last[key] = c
		if one != nil && one.blocked() && c.blocked() && one.args[3] == c.args[3] {
			continue // either might have got either
		}
		if one == nil || bytes.Equal(one.received(), c.received()) || len(one.received()) > len(c.out.Memory[0]) || len(c.received()) > len(one.out.Memory[0]) {
			continue
		}
		if told[one.shape()]++; told[one.shape()] > occurrences {
			b.plan.exclude(ruleSampled, 1)
			continue
		}
		b.exchanged(one, c, fmt.Sprintf("and #%d told each other's messages", c.occurrence), func(other *call) *actor.Lie {
			return receiving(other.received())
		})
	}
}

// received is the type and the text that a msgrcv got.
func (c *call) received() []byte {
	memory := c.out.Memory[slices.Index(c.regions, 1)]
	return memory[:min(messageText+int(max(c.out.Result, 0)), len(memory))]
}

func receiving(message []byte) *actor.Lie {
	return &actor.Lie{After: func(live *actor.Call) {
		if live.Result() < 0 || len(live.Regions()) == 0 {
			return
		}
		live.Forge(int64(len(message)-messageText), 0, 0)
		copy(live.Regions()[0].Bytes, message)
	}}
}

// unlessReceivesSame takes it for no lie when a msgrcv has, with another argument, received the same
// message all the same, or failed the same way.
func unlessReceivesSame(c *call, make func() *liar) func() *liar {
	return func() *liar {
		l := make()
		l.lie.After = func(live *actor.Call) {
			l.told = true
			if c.out == nil || c.in == nil || live.Result() != c.out.Result {
				return
			}
			for _, r := range live.Regions() {
				if i := slices.Index(c.regions, r.Arg); i >= 0 && !c.failed() {
					n := min(messageText+int(c.out.Result), len(r.Bytes), len(c.out.Memory[i]))
					l.told = !bytes.Equal(r.Bytes[:n], c.out.Memory[i][:n])
					return
				}
			}
			l.told = false
		}
		return l
	}
}

// ipcArguments lies about what calls of System V IPC are given.
func (b *builder) ipcArguments(c *call) {
	switch c.name {
	case "msgget", "semget", "shmget":
		b.creation(c)
	case "msgsnd":
		if c.failed() {
			return
		}
		b.given(c, 1, "with another type", patch{size: 8})
		if c.args[2] > 0 {
			b.given(c, 1, "with another first byte", patch{off: messageText, size: 1})
		}
		if n := int(c.args[2]); n > 1 {
			b.given(c, 1, "with another last byte", patch{off: messageText + n - 1, size: 1})
		}
	case "msgrcv":
		v := c.args[3]
		b.add(c, Argument, fmt.Sprintf("was made with type %d instead of %d", int64(v)+1, int64(v)), with(3, v+1))
	case "semop", "semtimedop":
		for i := range min(int(c.args[2]), 4) {
			at := 6 * i
			b.inMemory(c, 1, at+4, 2, []flag{{actor.IPC_NOWAIT, "IPC_NOWAIT"}, {actor.SEM_UNDO, "SEM_UNDO"}})
			if !c.failed() {
				b.given(c, 1, fmt.Sprintf("with another number in operation %d", i), patch{off: at + 2, size: 2})
			}
		}
	case "msgctl", "semctl", "shmctl":
		b.control(c)
	}
}

// creation lies about what a new object is to be.
func (b *builder) creation(c *call) {
	if !c.creates() {
		return
	}
	at := ipcGets[c.name]
	v := c.args[at]
	b.add(c, Argument, fmt.Sprintf("was made with the permissions %#o instead of %#o", v&0o777^0o200, v&0o777), with(at, v^0o200))
	if key := c.args[0]; key != actor.IPC_PRIVATE {
		b.add(c, Argument, fmt.Sprintf("was made with key %#x instead of %#x", key+1, key), with(0, key+1))
	}
	if c.name == "semget" && c.args[1] > 0 {
		b.add(c, Argument, fmt.Sprintf("was made with %d semaphores instead of %d", c.args[1]+1, c.args[1]), with(1, c.args[1]+1))
	}
}

// control lies about commands and what they are to set.
func (b *builder) control(c *call) {
	at := ipcControls[c.name]
	as := func(cmd int) {
		b.add(c, Flag, "was made as "+actor.Flags(c.kinds[at.cmd], uint64(cmd)), with(at.cmd, uint64(cmd)))
	}
	switch cmd := c.command(); {
	case c.name == "msgctl" && cmd == actor.MSG_STAT_ANY:
		as(actor.MSG_STAT)
	case c.name == "semctl" && cmd == actor.SEM_STAT_ANY:
		as(actor.SEM_STAT)
	case c.name == "shmctl" && cmd == actor.SHM_STAT_ANY:
		as(actor.SHM_STAT)
	case c.name == "msgctl" && cmd == actor.MSG_INFO, c.name == "semctl" && cmd == actor.SEM_INFO:
		as(actor.IPC_INFO)
	case c.name == "semctl" && cmd == actor.SETVAL && !c.failed():
		b.add(c, Argument, fmt.Sprintf("set %d instead of %d", c.args[3]+1, c.args[3]), with(3, c.args[3]+1))
	case c.name == "semctl" && cmd == actor.SETALL && !c.failed():
		b.given(c, 3, "with another first value", patch{size: 2})
	case cmd == actor.IPC_SET && !c.failed():
		for _, f := range ipcSettable {
			if f.name != "msg_qbytes" || c.name == "msgctl" {
				b.ignoring(c, f)
			}
		}
	}
}

// ipcSettable are the fields that IPC_SET sets.
var ipcSettable = []field{
	{name: "uid", off: 4, size: 4}, {name: "gid", off: 8, size: 4}, {name: "the permissions", off: 20, size: 4}, {name: "msg_qbytes", off: 88, size: 8},
}

// ignoring has IPC_SET leave a field as it is, which is a lie if that would have changed it.
func (b *builder) ignoring(c *call, f field) {
	at := ipcControls[c.name]
	m := b.add(c, Argument, "left "+f.name+" as it was", noLie)
	m.liar = func() *liar {
		l := &liar{name: c.name, occurrence: c.occurrence, effect: true}
		l.lie = &actor.Lie{Before: func(live *actor.Call) {
			is, ok := ipcStat(live.Actor(), live)
			for _, r := range live.Regions() {
				if ok && r.Arg == at.buf && f.off+f.size <= len(r.Bytes) {
					p := patch{off: f.off, size: f.size}
					l.told = p.get(is) != p.get(r.Bytes)
					copy(r.Bytes[f.off:f.off+f.size], is[f.off:])
				}
			}
		}}
		return l
	}
}

// ipcStat has an actor look at the object that a control call is about.
func ipcStat(a *actor.Actor, live *actor.Call) ([]byte, bool) {
	at := ipcControls[live.Name()]
	m := a.Alloc(128)
	args := []any{int(live.Args()[0])}
	for len(args) < at.cmd {
		args = append(args, 0)
	}
	ok := a.Quietly().Raw(live.Number(), append(args, actor.IPC_STAT, m)...).OK()
	return m.Copy(), ok
}

// given changes what the kernel is given in memory.
func (b *builder) given(c *call, arg int, words string, p patch) {
	region := slices.Index(c.regions, arg)
	if c.in == nil || region < 0 || p.off+p.size > len(c.in.Memory[region]) {
		return
	}
	p.region = region
	b.add(c, Argument, "was made "+words, func() *actor.Lie {
		return &actor.Lie{Before: func(live *actor.Call) { patchMemory(live, p) }}
	})
}

// ipcEffects has a failing call of System V IPC take effect, in the name of whoever of the spec may do
// that.
func ipcEffects(c *call, put func(words string, effect func(live *actor.Call) bool)) {
	id := func(live *actor.Call) int { return int(int32(live.Args()[0])) }
	anybody := func(live *actor.Call, try func(a *actor.Actor) bool) bool {
		return slices.ContainsFunc(live.Actor().SameIPC(), try)
	}
	switch c.name {
	case "msgget", "semget", "shmget":
		if c.args[0] == actor.IPC_PRIVATE {
			return
		}
		put("an object was made for the key", func(live *actor.Call) bool {
			args := []any{int(live.Args()[0]), 1, actor.IPC_CREAT | actor.IPC_EXCL | 0o600}
			if c.name == "msgget" {
				args = slices.Delete(args, 1, 2)
			}
			return live.Actor().Quietly().Raw(live.Number(), args...).OK()
		})
	case "msgsnd":
		if c.errno() == unix.EAGAIN { // it is full: what can go wrong is that it makes room
			put("a message was taken", func(live *actor.Call) bool {
				return anybody(live, func(a *actor.Actor) bool { return takeMessage(a, id(live)) })
			})
			return
		}
		put("a message was sent", func(live *actor.Call) bool {
			return anybody(live, func(a *actor.Actor) bool { return a.Quietly().Msgsnd(id(live), 1, []byte("x"), actor.IPC_NOWAIT).OK() })
		})
	case "msgrcv":
		put("a message was taken", func(live *actor.Call) bool {
			return anybody(live, func(a *actor.Actor) bool { return takeMessage(a, id(live)) })
		})
	case "semop", "semtimedop":
		put("a semaphore was incremented", func(live *actor.Call) bool {
			num := 0
			for _, r := range live.Regions() {
				if r.Arg == 1 && len(r.Bytes) >= 2 {
					num = int(binary.NativeEndian.Uint16(r.Bytes))
				}
			}
			return anybody(live, func(a *actor.Actor) bool {
				return a.Quietly().Semop(id(live), actor.SemOp{Num: num, Op: 1, Flags: actor.IPC_NOWAIT}).OK()
			})
		})
	case "msgctl", "semctl", "shmctl":
		at := ipcControls[c.name]
		control := func(a *actor.Actor, live *actor.Call, cmd int, buf any) bool {
			args := []any{id(live)}
			for len(args) < at.cmd {
				args = append(args, 0)
			}
			return a.Quietly().Raw(live.Number(), append(args, cmd, buf)...).OK()
		}
		switch c.command() {
		case actor.IPC_RMID:
			put("the object was removed", func(live *actor.Call) bool {
				return anybody(live, func(a *actor.Actor) bool { return control(a, live, actor.IPC_RMID, nil) })
			})
		case actor.IPC_SET:
			put("the permissions were set", func(live *actor.Call) bool {
				return anybody(live, func(a *actor.Actor) bool {
					is, ok := ipcStat(a, live)
					is[20] ^= 0o40
					return ok && control(a, live, actor.IPC_SET, is)
				})
			})
		}
	}
}

func takeMessage(a *actor.Actor, id int) bool {
	return a.Quietly().Msgrcv(id, 8192, 0, actor.IPC_NOWAIT|actor.MSG_NOERROR).OK()
}

// meetsNothing says that a call does not meet that which its flag is about.
func (r *recording) meetsNothing(c *call, f flag) bool {
	if c.failed() {
		return false
	}
	switch f.name {
	case "SHM_RND":
		return c.args[1]%uint64(os.Getpagesize()) == 0
	case "SHM_NORESERVE":
		const much = 1 << 30
		return c.args[1] < much
	case "SHM_REMAP":
		// The latest call about that address has taken away what there was.
		for i := c.index - 1; i >= 0; i-- {
			if o := r.calls[i]; o.actor == c.actor && slices.Contains(o.args, c.args[1]) {
				return o.name == "munmap" && !o.failed()
			}
		}
	case "SEM_UNDO":
		for _, o := range r.calls[c.index+1:] {
			switch {
			case o.name == "exit_group" && o.actor == c.actor:
				return false
			case o.name == "semctl" && o.args[0] == c.args[0] && o.args[2] == actor.IPC_RMID && !o.failed():
				return true
			}
		}
	}
	return false
}
