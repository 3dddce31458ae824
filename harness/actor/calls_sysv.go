package actor

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Calls of System V IPC, with the kernel's names and structures (sysvipc(7)).

// Commands and flags of shmget(2), semget(2), msgget(2) and their companions that package unix lacks.
const (
	IPC_CREAT   = 0o1000
	IPC_EXCL    = 0o2000
	IPC_NOWAIT  = 0o4000
	IPC_PRIVATE = 0
	IPC_RMID    = 0
	IPC_SET     = 1
	IPC_STAT    = 2
	IPC_INFO    = 3

	SHM_RDONLY    = 0o10000
	SHM_RND       = 0o20000
	SHM_REMAP     = 0o40000
	SHM_EXEC      = 0o100000
	SHM_HUGETLB   = 0o4000
	SHM_NORESERVE = 0o10000
	SHM_LOCK      = 11
	SHM_UNLOCK    = 12
	SHM_STAT      = 13
	SHM_INFO      = 14
	SHM_STAT_ANY  = 15
	SHM_DEST      = 0o1000 // in the mode that IPC_STAT gives
	SHM_LOCKED    = 0o2000

	SEM_UNDO     = 0x1000
	GETPID       = 11
	GETVAL       = 12
	GETALL       = 13
	GETNCNT      = 14
	GETZCNT      = 15
	SETVAL       = 16
	SETALL       = 17
	SEM_STAT     = 18
	SEM_INFO     = 19
	SEM_STAT_ANY = 20

	MSG_STAT     = 11
	MSG_INFO     = 12
	MSG_STAT_ANY = 13
	MSG_NOERROR  = 0o10000
	MSG_EXCEPT   = 0o20000
	MSG_COPY     = 0o40000
)

// IPCPerm is struct ipc_perm.
type IPCPerm struct {
	Key                  int32
	UID, GID, CUID, CGID uint32
	Mode                 uint32
	Seq                  uint16
}

func ipcPerm(b []byte) IPCPerm {
	u := func(off int) uint32 { return binary.NativeEndian.Uint32(b[off:]) }
	return IPCPerm{
		Key: int32(u(0)), UID: u(4), GID: u(8), CUID: u(12), CGID: u(16), Mode: u(20), Seq: binary.NativeEndian.Uint16(b[24:]),
	}
}

func (p IPCPerm) put(b []byte) {
	for i, v := range []uint32{uint32(p.Key), p.UID, p.GID, p.CUID, p.CGID, p.Mode} {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	binary.NativeEndian.PutUint16(b[24:], p.Seq)
}

// stored waits for a call that stores a structure of at least n bytes and returns it, all zeros where
// the call failed.
func (c *Call) stored(n int) []byte {
	c.regard |= Inspected
	c.wait()
	if len(c.data) < n {
		return make([]byte, n)
	}
	return c.data
}

func word(b []byte, off int) int64 { return int64(binary.NativeEndian.Uint64(b[off:])) }

func half(b []byte, off int) int { return int(int32(binary.NativeEndian.Uint32(b[off:]))) }

// Shmget is shmget(2).
func (c Caller) Shmget(key, size, flags int) *Call { return c.call(unix.SYS_SHMGET, key, size, flags) }

// Shmat is shmat(2) with an address (a Mem, a number or nil); Call.At is where it was attached.
func (c Caller) Shmat(id int, addr any, flags int) *Call {
	return c.call(unix.SYS_SHMAT, id, addr, flags)
}

// At waits for a call that returns an address, and gives the memory there for Load and Store.
func (c *Call) At() Mem { return Mem{Addr: uint64(c.Value())} }

// Shmdt is shmdt(2).
func (c Caller) Shmdt(addr any) *Call { return c.call(unix.SYS_SHMDT, addr) }

// ShmidDS is struct shmid_ds; times are in seconds.
type ShmidDS struct {
	Perm                IPCPerm
	Segsz               int64
	Atime, Dtime, Ctime int64
	Cpid, Lpid          int
	Nattch              int64
}

const shmidSize = 112

// Shmctl is shmctl(2) with any third argument. See ShmStat and ShmSet.
func (c Caller) Shmctl(id, cmd int, buf any) *Call { return c.call(unix.SYS_SHMCTL, id, cmd, buf) }

// ShmStat is shmctl(2) with IPC_STAT, SHM_STAT or SHM_STAT_ANY; the structure is in Call.ShmidDS.
func (c Caller) ShmStat(id, cmd int) *Call {
	return c.into2(unix.SYS_SHMCTL, shmidSize, 2, id, cmd, nil)
}

// ShmidDS waits for a ShmStat and returns what it stored.
func (c *Call) ShmidDS() ShmidDS {
	b := c.stored(shmidSize)
	return ShmidDS{
		Perm: ipcPerm(b), Segsz: word(b, 48), Atime: word(b, 56), Dtime: word(b, 64), Ctime: word(b, 72),
		Cpid: half(b, 80), Lpid: half(b, 84), Nattch: word(b, 88),
	}
}

// ShmSet is shmctl(2) with IPC_SET.
func (c Caller) ShmSet(id int, ds ShmidDS) *Call {
	b := make([]byte, shmidSize)
	ds.Perm.put(b)
	binary.NativeEndian.PutUint64(b[48:], uint64(ds.Segsz))
	return c.call(unix.SYS_SHMCTL, id, IPC_SET, b)
}

// Shminfo is struct shminfo, which IPC_INFO gives.
type Shminfo struct{ Max, Min, Mni, Seg, All uint64 }

// ShmIPCInfo is shmctl(2) with IPC_INFO; the structure is in Call.Shminfo.
func (c Caller) ShmIPCInfo() *Call { return c.into2(unix.SYS_SHMCTL, 72, 2, 0, IPC_INFO, nil) }

// Shminfo waits for a ShmIPCInfo and returns what it stored.
func (c *Call) Shminfo() Shminfo {
	b := c.stored(72)
	u := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	return Shminfo{Max: u(0), Min: u(1), Mni: u(2), Seg: u(3), All: u(4)}
}

// ShmInfo is struct shm_info, which SHM_INFO gives; sizes are in pages.
type ShmInfo struct {
	UsedIDs       int
	Tot, Rss, Swp uint64
}

// ShmUsage is shmctl(2) with SHM_INFO; the structure is in Call.ShmInfo.
func (c Caller) ShmUsage() *Call { return c.into2(unix.SYS_SHMCTL, 48, 2, 0, SHM_INFO, nil) }

// ShmInfo waits for a ShmUsage and returns what it stored.
func (c *Call) ShmInfo() ShmInfo {
	b := c.stored(48)
	return ShmInfo{UsedIDs: half(b, 0), Tot: uint64(word(b, 8)), Rss: uint64(word(b, 16)), Swp: uint64(word(b, 24))}
}

// Semget is semget(2).
func (c Caller) Semget(key, nsems, flags int) *Call {
	return c.call(unix.SYS_SEMGET, key, nsems, flags)
}

// SemOp is struct sembuf.
type SemOp struct {
	Num   int
	Op    int
	Flags int
}

func semOps(ops []SemOp) []byte {
	var b []byte
	for _, op := range ops {
		for _, v := range []int{op.Num, op.Op, op.Flags} {
			b = binary.NativeEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

// Semop is semop(2).
func (c Caller) Semop(id int, ops ...SemOp) *Call {
	return c.call(unix.SYS_SEMOP, id, semOps(ops), len(ops))
}

// Semtimedop is semtimedop(2) with a timeout in nanoseconds (−1: none).
func (c Caller) Semtimedop(id int, ns int64, ops ...SemOp) *Call {
	var ts any
	if ns >= 0 {
		ts = timespec(ns)
	}
	return c.call(unix.SYS_SEMTIMEDOP, id, semOps(ops), len(ops), ts)
}

// SemidDS is struct semid_ds; times are in seconds.
type SemidDS struct {
	Perm         IPCPerm
	Otime, Ctime int64
	Nsems        int64
}

// Semctl is semctl(2) with any fourth argument (a number, a Mem, bytes or nil).
func (c Caller) Semctl(id, num, cmd int, arg any) *Call {
	return c.call(unix.SYS_SEMCTL, id, num, cmd, arg)
}

// SemStat is semctl(2) with IPC_STAT, SEM_STAT or SEM_STAT_ANY; the structure is in Call.SemidDS.
func (c Caller) SemStat(id, cmd int) *Call {
	return c.into2(unix.SYS_SEMCTL, semidSize, 3, id, 0, cmd, nil)
}

// SemidDS waits for a SemStat and returns what it stored.
func (c *Call) SemidDS() SemidDS {
	b := c.stored(semidSize)
	return SemidDS{Perm: ipcPerm(b), Otime: word(b, semidOtime), Ctime: word(b, semidCtime), Nsems: word(b, semidNsems)}
}

// SemSet is semctl(2) with IPC_SET.
func (c Caller) SemSet(id int, ds SemidDS) *Call {
	b := make([]byte, semidSize)
	ds.Perm.put(b)
	return c.call(unix.SYS_SEMCTL, id, 0, IPC_SET, b)
}

// SemGetAll is semctl(2) with GETALL on a set of n semaphores; the values are in Call.Values.
func (c Caller) SemGetAll(id, n int) *Call {
	return c.into2(unix.SYS_SEMCTL, 2*n, 3, id, 0, GETALL, nil)
}

// Values waits for a SemGetAll and returns the semaphores' values.
func (c *Call) Values() []int {
	c.regard |= Inspected
	c.wait()
	var values []int
	for i := 0; i+2 <= len(c.data); i += 2 {
		values = append(values, int(binary.NativeEndian.Uint16(c.data[i:])))
	}
	return values
}

// SemSetAll is semctl(2) with SETALL.
func (c Caller) SemSetAll(id int, values ...int) *Call {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint16(b, uint16(v))
	}
	return c.call(unix.SYS_SEMCTL, id, 0, SETALL, b)
}

// Seminfo is struct seminfo, which IPC_INFO and SEM_INFO give.
type Seminfo struct{ Map, Mni, Mns, Mnu, Msl, Opm, Ume, Usz, Vmx, Aem int }

// SemInfo is semctl(2) with IPC_INFO or SEM_INFO; the structure is in Call.Seminfo.
func (c Caller) SemInfo(cmd int) *Call { return c.into2(unix.SYS_SEMCTL, 40, 3, 0, 0, cmd, nil) }

// Seminfo waits for a SemInfo and returns what it stored.
func (c *Call) Seminfo() Seminfo {
	b := c.stored(40)
	h := func(i int) int { return half(b, 4*i) }
	return Seminfo{h(0), h(1), h(2), h(3), h(4), h(5), h(6), h(7), h(8), h(9)}
}

// Msgget is msgget(2).
func (c Caller) Msgget(key, flags int) *Call { return c.call(unix.SYS_MSGGET, key, flags) }

// Msgsnd is msgsnd(2) of a message of the given type and text.
func (c Caller) Msgsnd(id int, mtype int64, text []byte, flags int) *Call {
	b := binary.NativeEndian.AppendUint64(nil, uint64(mtype))
	return c.call(unix.SYS_MSGSND, id, append(b, text...), len(text), flags)
}

// Msgrcv is msgrcv(2) of at most size bytes of text; the text is in Call.Data, the message's type in
// Call.Mtype.
func (c Caller) Msgrcv(id, size int, mtype int64, flags int) *Call {
	call := c.prepare(unix.SYS_MSGRCV, id, nil, size, mtype, flags)
	m := c.buffer(call, 8+max(size, 0))
	call.args[1], call.mem[1] = m.Addr, m
	call.finish = func(c *Call) {
		if c.result >= 0 {
			c.mtype = int64(m.Uint64(0))
			c.data = append([]byte(nil), m.view[8:8+min(int(c.result), len(m.view)-8)]...)
		}
	}
	return call.post(c)
}

// Mtype waits for a Msgrcv and returns the type of the message that it received.
func (c *Call) Mtype() int64 {
	c.regard |= Inspected
	c.wait()
	return c.mtype
}

// MsqidDS is struct msqid_ds; times are in seconds.
type MsqidDS struct {
	Perm                IPCPerm
	Stime, Rtime, Ctime int64
	Cbytes, Qnum        int64
	Qbytes              int64
	Lspid, Lrpid        int
}

const msqidSize = 120

// Msgctl is msgctl(2) with any third argument. See MsgStat and MsgSet.
func (c Caller) Msgctl(id, cmd int, buf any) *Call { return c.call(unix.SYS_MSGCTL, id, cmd, buf) }

// MsgStat is msgctl(2) with IPC_STAT, MSG_STAT or MSG_STAT_ANY; the structure is in Call.MsqidDS.
func (c Caller) MsgStat(id, cmd int) *Call {
	return c.into2(unix.SYS_MSGCTL, msqidSize, 2, id, cmd, nil)
}

// MsqidDS waits for a MsgStat and returns what it stored.
func (c *Call) MsqidDS() MsqidDS {
	b := c.stored(msqidSize)
	return MsqidDS{
		Perm: ipcPerm(b), Stime: word(b, 48), Rtime: word(b, 56), Ctime: word(b, 64), Cbytes: word(b, 72),
		Qnum: word(b, 80), Qbytes: word(b, 88), Lspid: half(b, 96), Lrpid: half(b, 100),
	}
}

// MsgSet is msgctl(2) with IPC_SET.
func (c Caller) MsgSet(id int, ds MsqidDS) *Call {
	b := make([]byte, msqidSize)
	ds.Perm.put(b)
	binary.NativeEndian.PutUint64(b[88:], uint64(ds.Qbytes))
	return c.call(unix.SYS_MSGCTL, id, IPC_SET, b)
}

// Msginfo is struct msginfo, which IPC_INFO and MSG_INFO give.
type Msginfo struct{ Pool, Map, Max, Mnb, Mni, Ssz, Tql, Seg int }

// MsgInfo is msgctl(2) with IPC_INFO or MSG_INFO; the structure is in Call.Msginfo.
func (c Caller) MsgInfo(cmd int) *Call { return c.into2(unix.SYS_MSGCTL, 32, 2, 0, cmd, nil) }

// Msginfo waits for a MsgInfo and returns what it stored.
func (c *Call) Msginfo() Msginfo {
	b := c.stored(32)
	h := func(i int) int { return half(b, 4*i) }
	return Msginfo{h(0), h(1), h(2), h(3), h(4), h(5), h(6), int(binary.NativeEndian.Uint16(b[28:]))}
}
