package actor_test

import (
	"testing"

	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

// TestSysV looks whether the structures of System V IPC stand where the kernel has them.
func TestSysV(t *testing.T) {
	perform(t)
	if why := TryNamespaces(unix.CLONE_NEWIPC); why != "" {
		t.Skip(why)
	}
	a := New(Namespaces(unix.CLONE_NEWIPC))
	uid, pid := uint32(a.Getuid().Value()), a.Getpid().Value()

	shm := Must(a.Shmget(0x1234, 5000, IPC_CREAT|0o640))
	at := a.Shmat(shm, nil, 0)
	Must(a.Store(at.At(), []byte("hello")))
	if got := a.Load(at.At(), 6); string(got.Data()) != "hello\x00" {
		t.Errorf("the segment holds %q", got.Data())
	}
	ds := a.ShmStat(shm, IPC_STAT).ShmidDS()
	if ds.Perm.Key != 0x1234 || ds.Perm.Mode != 0o640 || ds.Perm.UID != uid || ds.Segsz != 5000 || ds.Nattch != 1 || ds.Cpid != pid || ds.Lpid != pid || ds.Atime == 0 || ds.Dtime != 0 {
		t.Errorf("shmid_ds: %+v", ds)
	}
	ds.Perm.Mode = 0o600
	Must(a.ShmSet(shm, ds))
	if mode := a.ShmStat(shm, IPC_STAT).ShmidDS().Perm.Mode; mode != 0o600 {
		t.Errorf("mode %o after IPC_SET", mode)
	}
	if info := a.ShmIPCInfo().Shminfo(); info.Min != 1 || info.Mni == 0 {
		t.Errorf("shminfo: %+v", info)
	}
	if info := a.ShmUsage().ShmInfo(); info.UsedIDs != 1 || info.Tot != 2 {
		t.Errorf("shm_info: %+v", info)
	}
	Must(a.Shmdt(at.At()))

	sem := Must(a.Semget(IPC_PRIVATE, 3, 0o600))
	Must(a.SemSetAll(sem, 1, 2, 3))
	Must(a.Semop(sem, SemOp{Num: 1, Op: 5}, SemOp{Num: 2, Op: -3}))
	if got := a.SemGetAll(sem, 3).Values(); len(got) != 3 || got[0] != 1 || got[1] != 7 || got[2] != 0 {
		t.Errorf("semaphores: %v", got)
	}
	if ds := a.SemStat(sem, IPC_STAT).SemidDS(); ds.Nsems != 3 || ds.Otime == 0 || ds.Ctime == 0 || ds.Perm.Mode != 0o600 {
		t.Errorf("semid_ds: %+v", ds)
	}
	if info := a.SemInfo(SEM_INFO).Seminfo(); info.Vmx != 32767 || info.Usz != 1 || info.Aem != 3 {
		t.Errorf("seminfo: %+v", info)
	}
	if errno := a.Semtimedop(sem, 1000, SemOp{Num: 2, Op: -1}).Errno(); errno != unix.EAGAIN {
		t.Errorf("semtimedop: %v", errno)
	}

	msg := Must(a.Msgget(IPC_PRIVATE, 0o600))
	Must(a.Msgsnd(msg, 7, []byte("text"), 0))
	if ds := a.MsgStat(msg, IPC_STAT).MsqidDS(); ds.Qnum != 1 || ds.Cbytes != 4 || ds.Lspid != pid || ds.Stime == 0 || ds.Rtime != 0 || ds.Qbytes < 4 {
		t.Errorf("msqid_ds: %+v", ds)
	}
	if info := a.MsgInfo(MSG_INFO).Msginfo(); info.Pool != 1 || info.Map != 1 || info.Tql != 4 {
		t.Errorf("msginfo: %+v", info)
	}
	if rcv := a.Msgrcv(msg, 10, 0, 0); string(rcv.Data()) != "text" || rcv.Mtype() != 7 {
		t.Errorf("msgrcv: %q of type %d", rcv.Data(), rcv.Mtype())
	}
}
