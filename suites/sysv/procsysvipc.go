package sysv

import (
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// procColumns are the names in the headers of the files of /proc/sysvipc.
var procColumns = map[string][]string{
	"msg": {"key", "msqid", "perms", "cbytes", "qnum", "lspid", "lrpid", "uid", "gid", "cuid", "cgid", "stime", "rtime", "ctime"},
	"sem": {"key", "semid", "perms", "nsems", "uid", "gid", "cuid", "cgid", "otime", "ctime"},
	"shm": {"key", "shmid", "perms", "size", "cpid", "lpid", "nattch", "uid", "gid", "cuid", "cgid", "atime", "dtime", "ctime", "rss", "swap"},
}

// readWhole reads a file to its end, and judges the calls that do.
func readWhole(a *actor.Actor, path string) string {
	GinkgoHelper()
	open := a.Open(path, unix.O_RDONLY, 0)
	Expect(open).To(ReturnFD())
	var text strings.Builder
	for {
		read := a.Read(open.Value(), 4096)
		Expect(read).To(ReturnSuccess())
		if read.Value() == 0 {
			break
		}
		text.Write(read.Data())
	}
	Must(a.Close(open.Value()))
	return text.String()
}

// procTable reads one of the files of /proc/sysvipc: a row for each object, by the columns' names. The
// header and all rows end with a newline, and have as many columns; what is behind those that are known is not
// looked at.
func procTable(a *actor.Actor, name string) []map[string]int64 {
	GinkgoHelper()
	text := readWhole(a, "/proc/sysvipc/"+name)
	Expect(text).To(HaveSuffix("\n"))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	columns := procColumns[name]
	names := strings.Fields(lines[0])
	Expect(names[:min(len(columns), len(names))]).To(Equal(columns))
	var rows []map[string]int64
	for _, line := range lines[1:] {
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' })
		Expect(fields).To(HaveLen(len(names)), line)
		row := map[string]int64{}
		for i, column := range columns {
			base := 10
			if column == "perms" {
				base = 8
			}
			n, err := strconv.ParseInt(fields[i], base, 64)
			Expect(err).NotTo(HaveOccurred(), "%s in %q", column, line)
			row[column] = n
		}
		rows = append(rows, row)
	}
	return rows
}

// permRow is the part of a row that is about a struct ipc_perm.
func permRow(row map[string]int64, perm actor.IPCPerm) map[string]int64 {
	row["key"], row["perms"] = int64(perm.Key), int64(perm.Mode)
	row["uid"], row["gid"], row["cuid"], row["cgid"] = int64(perm.UID), int64(perm.GID), int64(perm.CUID), int64(perm.CGID)
	return row
}

// messageRow is a queue's row.
func messageRow(id int, ds actor.MsqidDS) map[string]int64 {
	return permRow(map[string]int64{
		"msqid": int64(id), "cbytes": ds.Cbytes, "qnum": ds.Qnum, "lspid": int64(ds.Lspid), "lrpid": int64(ds.Lrpid),
		"stime": ds.Stime, "rtime": ds.Rtime, "ctime": ds.Ctime,
	}, ds.Perm)
}

func semaphoreRow(id int, ds actor.SemidDS) map[string]int64 {
	return permRow(map[string]int64{"semid": int64(id), "nsems": ds.Nsems, "otime": ds.Otime, "ctime": ds.Ctime}, ds.Perm)
}

// segmentRow is a segment's row, with the pages that it has in memory.
func segmentRow(id int, ds actor.ShmidDS, rss int64) map[string]int64 {
	return permRow(map[string]int64{
		"shmid": int64(id), "size": ds.Segsz, "cpid": int64(ds.Cpid), "lpid": int64(ds.Lpid), "nattch": ds.Nattch,
		"atime": ds.Atime, "dtime": ds.Dtime, "ctime": ds.Ctime, "rss": rss, "swap": 0,
	}, ds.Perm)
}

const (
	semaphoreKey = 0x53454d53
	segmentKey   = -2 // a key is a signed number
)

var _ = Describe("/proc/sysvipc", func() {
	for _, name := range []string{"msg", "sem", "shm"} {
		Clause("procsysvipc.header", name, func() {
			a := actor.New()
			Expect(procTable(a, name)).To(BeEmpty())
		})
	}

	Clause("procsysvipc.msg", func() {
		a := actor.New()
		b := a.Fork()
		id := Must(a.Msgget(messageKey(), actor.IPC_CREAT|0o640))
		other := newQueue(a)
		Must(a.Msgsnd(id, 1, []byte("0123"), 0))
		Must(a.Msgsnd(id, 1, []byte("45"), 0))
		Must(b.Msgrcv(id, 8, 0, 0))
		Expect(procTable(a, "msg")).To(ConsistOf(messageRow(id, queueStat(a, id)), messageRow(other, queueStat(a, other))))
	})

	Clause("procsysvipc.sem", func() {
		a := actor.New()
		id, other := Must(a.Semget(semaphoreKey, 7, actor.IPC_CREAT|0o604)), Must(a.Semget(actor.IPC_PRIVATE, 1, 0o600))
		Must(a.Semop(id, actor.SemOp{Num: 0, Op: 1}))
		stat := func(id int) actor.SemidDS {
			call := a.SemStat(id, actor.IPC_STAT)
			Must(call)
			return call.SemidDS()
		}
		Expect(procTable(a, "sem")).To(ConsistOf(semaphoreRow(id, stat(id)), semaphoreRow(other, stat(other))))
	})

	Clause("procsysvipc.shm", func() {
		a := actor.New()
		b := a.Fork()
		id, other := Must(a.Shmget(segmentKey, 3*4096+1, actor.IPC_CREAT|0o604)), Must(a.Shmget(actor.IPC_PRIVATE, 1, 0o600))
		at := a.Shmat(id, nil, 0)
		Must(at)
		Must(a.Store(at.At(), []byte("x")))
		gone := b.Shmat(id, nil, 0)
		Must(gone)
		Must(b.Shmdt(gone.At()))
		stat := func(id int) actor.ShmidDS {
			call := a.ShmStat(id, actor.IPC_STAT)
			Must(call)
			return call.ShmidDS()
		}
		Expect(procTable(a, "shm")).To(SatisfyAny( // a huge page may hold all of it
			ConsistOf(segmentRow(id, stat(id), 4096), segmentRow(other, stat(other), 0)),
			ConsistOf(segmentRow(id, stat(id), 16384), segmentRow(other, stat(other), 0)),
		))
	})

	for _, kind := range []struct {
		name   string
		make   func(a *actor.Actor) int
		remove func(a *actor.Actor, id int) *actor.Call
		id     string
	}{
		{"msg", newQueue, func(a *actor.Actor, id int) *actor.Call { return a.Msgctl(id, actor.IPC_RMID, nil) }, "msqid"},
		{
			"sem", func(a *actor.Actor) int { return Must(a.Semget(actor.IPC_PRIVATE, 1, 0)) },
			func(a *actor.Actor, id int) *actor.Call { return a.Semctl(id, 0, actor.IPC_RMID, nil) }, "semid",
		},
		{
			"shm", func(a *actor.Actor) int { return Must(a.Shmget(actor.IPC_PRIVATE, 1, 0)) },
			func(a *actor.Actor, id int) *actor.Call { return a.Shmctl(id, actor.IPC_RMID, nil) }, "shmid",
		},
	} {
		ids := func(a *actor.Actor) (list []int64) {
			for _, row := range procTable(a, kind.name) {
				list = append(list, row[kind.id])
			}
			return list
		}

		Clause("procsysvipc.one-line-an-object", kind.name, func() {
			a := actor.New()
			var made []any
			for range 40 { // more than fit into a page
				made = append(made, int64(kind.make(a)))
			}
			Expect(ids(a)).To(ConsistOf(made...))
		})

		Clause("procsysvipc.gone-after-removal", kind.name, func() {
			a := actor.New()
			one, other := kind.make(a), kind.make(a)
			Expect(ids(a)).To(ConsistOf(int64(one), int64(other)))
			Must(kind.remove(a, one))
			Expect(ids(a)).To(ConsistOf(int64(other)))
			Must(kind.remove(a, other))
			Expect(ids(a)).To(BeEmpty())
		})

		Clause("procsysvipc.for-anybody", kind.name, func() {
			a := actor.New()
			made := kind.make(a)
			Expect(ids(capableOnly(a))).To(ConsistOf(int64(made)))
		})
	}
})
