package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What open is asked for, in short.
const (
	forReading  = unix.O_RDONLY
	forWriting  = unix.O_WRONLY
	forBoth     = unix.O_RDWR
	nonblocking = unix.O_NONBLOCK
	readingNow  = forReading | nonblocking
	writingNow  = forWriting | nonblocking
)

// everyone may read and write what has this mode.
const everyone = 0o666

// newFIFO makes a FIFO in a folder of its own and returns its path. Every user may open it.
func newFIFO(a *actor.Actor) string {
	path := actor.TempDir() + "/fifo"
	newFIFOAt(a, path)
	return path
}

func newFIFOAt(a *actor.Actor, path string) {
	Must(a.Mkfifo(path, everyone))
	Must(a.Chmod(path, everyone))
}

// openEnds opens both ends of a FIFO, neither of which blocks in open; the write end blocks in
// writes, the read end does not block in reads.
func openEnds(a *actor.Actor, path string) (r, w int) {
	r = Must(a.Open(path, readingNow, 0))
	w = Must(a.Open(path, forWriting, 0))
	return r, w
}

// ReturnEnd succeeds when an open returns a descriptor that has this access mode, with O_NONBLOCK or
// without.
func ReturnEnd(flags int) types.GomegaMatcher {
	return SatisfyAll(ReturnFD(), WithTransform(func(open *actor.Call) int {
		return open.Actor().Fcntl(open.Value(), unix.F_GETFL, 0).Value() & (unix.O_ACCMODE | unix.O_NONBLOCK)
	}, Equal(flags)))
}

// blocksOf returns stx_blocks of a file, how much of the filesystem its contents take.
func blocksOf(a *actor.Actor, path string) uint64 {
	GinkgoHelper()
	const statxBasicStats, blocksOffset = 0x7ff, 48
	statx := a.Alloc(256)
	Expect(a.Raw(unix.SYS_STATX, unix.AT_FDCWD, path, 0, statxBasicStats, statx)).To(Return(0))
	return statx.Uint64(blocksOffset)
}

// mountTmpfs mounts a tmpfs in the actor's own mount namespace.
func mountTmpfs(a *actor.Actor, options string) (dir string) {
	dir = actor.TempDir()
	Must(a.Mount("none", dir, "tmpfs", 0, options))
	return dir
}

var _ = Describe("A FIFO", func() {
	Clause("fifo.carries-data", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(writer)
		open := reader.Begin().Open(path, forReading, 0)
		w := writer.Open(path, forWriting, 0)
		Expect(w).To(ReturnEnd(forWriting))
		Expect(open).To(ReturnEnd(forReading))
		Expect(writer.Write(w.Value(), []byte("first, "))).To(Return(7))
		Expect(writer.Write(w.Value(), []byte("in"))).To(Return(2))
		Expect(reader.Read(open.Value(), 5)).To(ReturnData("first"))
		Expect(reader.Read(open.Value(), 100)).To(ReturnData(", in"))
	})

	Clause("fifo.end-of-file-when-writers-gone", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		r := Must(reader.Open(path, readingNow, 0))
		Must(reader.Fcntl(r, unix.F_SETFL, 0))
		w := Must(writer.Open(path, forWriting, 0))
		send(writer, w, "the rest")
		Must(writer.Close(w))
		Expect(reader.Read(r, 100)).To(ReturnData("the rest"))
		Expect(reader.Read(r, 100)).To(Return(0))
		Expect(reader.Read(r, 100)).To(Return(0))
	})

	Clause("fifo.not-seekable", func() {
		a := actor.New()
		r, w := openEnds(a, newFIFO(a))
		send(a, w, "data")
		for _, fd := range []int{r, w} {
			for _, whence := range []int{unix.SEEK_SET, unix.SEEK_CUR, unix.SEEK_END} {
				Expect(a.Lseek(fd, 0, whence)).To(FailWith(unix.ESPIPE))
			}
		}
	})

	Clause("fifo.two-readers-share", func() {
		writer, one, other := actor.New(), actor.New(), actor.New()
		path := newFIFO(writer)
		open1, open2 := one.Open(path, readingNow, 0), other.Open(path, readingNow, 0)
		Expect(open1).To(ReturnEnd(readingNow))
		Expect(open2).To(ReturnEnd(readingNow))
		r1, r2 := open1.Value(), open2.Value()
		w := Must(writer.Open(path, forWriting, 0))
		send(writer, w, "abcdef")
		Expect(one.Read(r1, 2)).To(ReturnData("ab"))
		Expect(other.Read(r2, 2)).To(ReturnData("cd"))
		Expect(one.Read(r1, 100)).To(ReturnData("ef"))
		Expect(other.Read(r2, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("fifo.two-readers-share", "both blocked", func() {
		writer, one, other := actor.New(), actor.New(), actor.New()
		path := newFIFO(writer)
		w := Must(writer.Open(path, forBoth, 0))
		open1, open2 := one.Open(path, forReading, 0), other.Open(path, forReading, 0)
		Expect(open1).To(ReturnEnd(forReading))
		Expect(open2).To(ReturnEnd(forReading))
		read1, read2 := one.Begin().Read(open1.Value(), 1), other.Begin().Read(open2.Value(), 1)
		Expect(read1).To(Block())
		Expect(read2).To(Block())
		send(writer, w, "a")
		send(writer, w, "b")
		Expect(read1).To(Return(1))
		Expect(read2).To(Return(1))
		Expect([]string{string(read1.Data()), string(read2.Data())}).To(ConsistOf("a", "b"))
	})

	Clause("fifo.two-writers-feed-one", func() {
		reader, one, other := actor.New(), actor.New(), actor.New()
		path := newFIFO(reader)
		r := Must(reader.Open(path, readingNow, 0))
		w1, w2 := one.Open(path, forWriting, 0), other.Open(path, forWriting, 0)
		Expect(w1).To(ReturnEnd(forWriting))
		Expect(w2).To(ReturnEnd(forWriting))
		Expect(one.Write(w1.Value(), []byte("one "))).To(Return(4))
		Expect(other.Write(w2.Value(), []byte("other "))).To(Return(6))
		Expect(one.Write(w1.Value(), []byte("again"))).To(Return(5))
		Expect(reader.Read(r, 100)).To(ReturnData("one other again"))
	})

	Clause("fifo.end-of-file-only-after-all-writers", func() {
		reader, one, other := actor.New(), actor.New(), actor.New()
		path := newFIFO(reader)
		r := Must(reader.Open(path, readingNow, 0))
		w1 := Must(one.Open(path, forWriting, 0))
		w2 := Must(other.Open(path, forWriting, 0))
		Must(one.Close(w1))
		Expect(reader.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Must(other.Close(w2))
		Expect(reader.Read(r, 1)).To(Return(0))
	})

	Clause("fifo.writers-bear-loss-of-one-reader", func() {
		writer, one, other := actor.New(), actor.New(), actor.New()
		path := newFIFO(writer)
		r1 := Must(one.Open(path, readingNow, 0))
		r2 := Must(other.Open(path, readingNow, 0))
		w := Must(writer.Open(path, forWriting, 0))
		Expect(one.Close(r1)).To(Return(0))
		Expect(writer.Write(w, []byte("for the other"))).To(Return(13))
		Expect(other.Read(r2, 100)).To(ReturnData("for the other"))
	})

	Clause("fifo.access-mode-read-only", func() {
		a := actor.New()
		r, _ := openEnds(a, newFIFO(a))
		Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("fifo.access-mode-write-only", func() {
		a := actor.New()
		r, w := openEnds(a, newFIFO(a))
		send(a, w, "stays")
		Expect(a.Read(w, 5)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 100)).To(ReturnData("stays"))
	})

	Clause("fifo.stat-type", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		for _, stat := range []*actor.Call{a.Stat(path), a.Fstat(r), a.Fstat(w)} {
			Expect(stat).To(Return(0))
			Expect(stat.Stat().Mode&unix.S_IFMT).To(Equal(uint32(unix.S_IFIFO)), "file type")
		}
	})
})

var _ = Describe("The filesystem's part in a FIFO", func() {
	Clause("fifo.size-stays-zero", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		Must(a.Write(w, make([]byte, 10000)))
		for _, stat := range []*actor.Call{a.Stat(path), a.Fstat(r), a.Fstat(w)} {
			Expect(stat).To(Return(0))
			Expect(stat.Stat().Size).To(BeZero(), "st_size")
		}
	})

	Clause("fifo.blocks-stay", func() {
		a := actor.New()
		path := newFIFO(a)
		before := blocksOf(a, path)
		_, w := openEnds(a, path)
		a.Fill(w)
		Expect(blocksOf(a, path)).To(Equal(before), "stx_blocks")
	})

	Clause("fifo.data-on-full-filesystem", func() {
		a := actor.New()
		dir := mountTmpfs(a, "size=64k")
		newFIFOAt(a, dir+"/fifo")
		file := Must(a.Open(dir+"/file", unix.O_WRONLY|unix.O_CREAT, everyone))
		Presuppose(a.Repeat(1000).Write(file, make([]byte, 1024)).Errno() == unix.ENOSPC, "a tmpfs of limited size that can be filled")

		r, w := openEnds(a, dir+"/fifo")
		data := noise(capacityOf(a, w), 1)
		Expect(a.Write(w, data)).To(Return(len(data)))
		expectContent(a, r, data)
	})

	Clause("fifo.data-on-read-only-filesystem", func() {
		a := actor.New()
		dir := mountTmpfs(a, "")
		newFIFOAt(a, dir+"/fifo")
		// Opened for writing before: open(2) has EROFS for any file of such a filesystem.
		_, w := openEnds(a, dir+"/fifo")
		Must(a.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		r := Must(a.Open(dir+"/fifo", readingNow, 0))
		Expect(a.Write(w, []byte("passed"))).To(Return(6))
		Expect(a.Read(r, 100)).To(ReturnData("passed"))
	})

	Clause("fifo.contents-gone-after-last-close", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		send(a, w, "nobody reads this")
		Must(a.Close(w))
		Must(a.Close(r))
		r, w = openEnds(a, path)
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
		send(a, w, "new")
		Expect(a.Read(r, 100)).To(ReturnData("new"))
	})

	Clause("fifo.contents-stay-while-reader-open", func() {
		a := actor.New()
		path := newFIFO(a)
		_, w := openEnds(a, path)
		send(a, w, "still there")
		Must(a.Close(w))
		second := a.Open(path, readingNow, 0)
		Expect(second).To(ReturnEnd(readingNow))
		Expect(a.Read(second.Value(), 100)).To(ReturnData("still there"))
		Expect(a.Read(second.Value(), 100)).To(Return(0))
	})

	Clause("fifo.capacity-reset-after-last-close", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		before := capacityOf(a, r)
		Must(setSize(a, r, page))
		Must(a.Close(r))
		Expect(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(page))
		Must(a.Close(w))
		r, _ = openEnds(a, path)
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(before))
	})
})

var _ = Describe("The pipe of a FIFO", func() {
	Clause("fifo.every-open-same-pipe", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		readers, writers := []int{r}, []int{w}
		for range 3 {
			open := a.Open(path, readingNow, 0)
			Expect(open).To(ReturnEnd(readingNow))
			readers = append(readers, open.Value())
			open = a.Open(path, forWriting, 0)
			Expect(open).To(ReturnEnd(forWriting))
			writers = append(writers, open.Value())
		}
		for _, w := range writers {
			for _, r := range readers {
				Expect(a.Write(w, []byte("here"))).To(Return(4))
				Expect(a.Read(r, 100)).To(ReturnData("here"))
			}
		}
	})

	Clause("fifo.hard-links-same-pipe", func() {
		a := actor.New()
		path := newFIFO(a)
		Must(a.Link(path, path+"2"))
		r := Must(a.Open(path, readingNow, 0))
		w := a.Open(path+"2", writingNow, 0)
		Expect(w).To(ReturnEnd(writingNow))
		send(a, w.Value(), "by the other name")
		Expect(a.Read(r, 100)).To(ReturnData("by the other name"))
	})

	Clause("fifo.hard-links-meet-in-open", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(writer)
		Must(writer.Link(path, path+"2"))
		open := reader.Begin().Open(path, forReading, 0)
		Expect(open).To(Block())
		Expect(writer.Open(path+"2", forWriting, 0)).To(ReturnEnd(forWriting))
		Expect(open).To(ReturnEnd(forReading))
	})

	Clause("fifo.symlink-same-pipe", func() {
		a := actor.New()
		path := newFIFO(a)
		Must(a.Symlink("fifo", path+"2"))
		r := Must(a.Open(path, readingNow, 0))
		w := a.Open(path+"2", writingNow, 0)
		Expect(w).To(ReturnEnd(writingNow))
		send(a, w.Value(), "through the link")
		Expect(a.Read(r, 100)).To(ReturnData("through the link"))
	})

	Clause("fifo.renamed-same-pipe", func() {
		a := actor.New()
		path := newFIFO(a)
		r := Must(a.Open(path, readingNow, 0))
		Must(a.Rename(path, path+"2"))
		w := a.Open(path+"2", writingNow, 0)
		Expect(w).To(ReturnEnd(writingNow))
		send(a, w.Value(), "by the new name")
		Expect(a.Read(r, 100)).To(ReturnData("by the new name"))
	})

	Clause("fifo.two-fifos-apart", func() {
		a := actor.New()
		one, other := newFIFO(a), newFIFO(a)
		r1, w1 := openEnds(a, one)
		Expect(a.Open(other, writingNow, 0)).To(FailWith(unix.ENXIO))
		r2, w2 := openEnds(a, other)
		send(a, w1, "one")
		Expect(a.Read(r2, 100)).To(FailWith(unix.EAGAIN))
		send(a, w2, "other")
		Expect(a.Read(r1, 100)).To(ReturnData("one"))
		Expect(a.Read(r2, 100)).To(ReturnData("other"))
	})

	Clause("fifo.unlinked-still-works", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		Expect(a.Write(w, []byte("before "))).To(Return(7))
		Must(a.Unlink(path))
		Expect(a.Write(w, []byte("and after"))).To(Return(9))
		Expect(a.Read(r, 100)).To(ReturnData("before and after"))
		Must(a.Close(w))
		Expect(a.Read(r, 100)).To(Return(0))
	})

	Clause("fifo.same-name-new-pipe", func() {
		a := actor.New()
		path := newFIFO(a)
		oldR, oldW := openEnds(a, path)
		send(a, oldW, "old")
		Must(a.Unlink(path))
		newFIFOAt(a, path)
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
		newR, newW := openEnds(a, path)
		Expect(a.Read(newR, 100)).To(FailWith(unix.EAGAIN))
		send(a, newW, "new")
		Expect(a.Read(oldR, 100)).To(ReturnData("old"))
		Expect(a.Read(newR, 100)).To(ReturnData("new"))
	})

	Clause("fifo.reopened-works-again", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		for _, text := range []string{"once", "again", "and again"} {
			open := reader.Begin().Open(path, forReading, 0)
			w := writer.Open(path, forWriting, 0)
			Expect(w).To(ReturnEnd(forWriting))
			Expect(open).To(ReturnEnd(forReading))
			Expect(writer.Write(w.Value(), []byte(text))).To(Return(len(text)))
			Must(writer.Close(w.Value()))
			Expect(reader.Read(open.Value(), 100)).To(ReturnData(text))
			Expect(reader.Read(open.Value(), 100)).To(Return(0))
			Must(reader.Close(open.Value()))
		}
	})

	Clause("fifo.next-writer-serves-same-reader", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		Must(a.Close(w))
		Expect(a.Read(r, 100)).To(Return(0))
		next := a.Open(path, forWriting, 0)
		Expect(next).To(ReturnEnd(forWriting))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
		send(a, next.Value(), "from the next")
		Expect(a.Read(r, 100)).To(ReturnData("from the next"))
	})
})

var _ = Describe("A write to a FIFO that nobody reads", func() {
	Clause("fifo.sigpipe-kills", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		Must(a.Close(r))
		Expect(a.Begin().Write(w, oneByte)).To(BeKilledBy(unix.SIGPIPE))
	})

	Clause("fifo.sigpipe-handled", func() {
		a := actor.New()
		r, w := openEnds(a, newFIFO(a))
		a.Handle(unix.SIGPIPE, 0)
		Must(a.Close(r))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		Expect(a).To(Catch(unix.SIGPIPE))
	})

	Clause("fifo.sigpipe-ignored-epipe", func() {
		a := actor.New()
		r, w := openEnds(a, newFIFO(a))
		a.Ignore(unix.SIGPIPE)
		Must(a.Close(r))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("fifo.reader-returns-no-sigpipe", func() {
		a := actor.New()
		path := newFIFO(a)
		r, w := openEnds(a, path)
		a.Ignore(unix.SIGPIPE)
		Must(a.Close(r))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EPIPE))
		r = Must(a.Open(path, readingNow, 0))
		Expect(a.Write(w, []byte("back"))).To(Return(4))
		Expect(a.Read(r, 100)).To(ReturnData("back"))
	})

	Clause("fifo.sigpipe-ends-blocked-write", func() {
		reader, writer := actor.New(), actor.New()
		path := newFIFO(reader)
		r := Must(reader.Open(path, readingNow, 0))
		w := Must(writer.Open(path, forWriting, 0))
		writer.Handle(unix.SIGPIPE, 0)
		writer.Fill(w)
		write := writer.Begin().Write(w, oneByte)
		Expect(write).To(Block())
		Must(reader.Close(r))
		Expect(write).To(FailWith(unix.EPIPE))
		Expect(writer).To(Catch(unix.SIGPIPE))
	})
})

var _ = Describe("The permissions of a FIFO", func() {
	// withMode makes a FIFO with exactly these permissions.
	withMode := func(a *actor.Actor, mode uint32) string {
		path := newFIFO(a)
		Must(a.Chmod(path, mode))
		return path
	}

	Clause("fifo.open-needs-permission", func() {
		a := actor.New()
		for _, denied := range []struct {
			mode  uint32
			flags int
		}{
			{0o000, forReading}, {0o000, forWriting}, {0o000, forBoth},
			{0o200, forReading}, {0o400, forWriting}, {0o200, forBoth}, {0o400, forBoth},
			{0o077, forReading}, {0o077, forWriting}, // the owner's bits count for the owner, not the others'
		} {
			path := withMode(a, denied.mode)
			Expect(a.Open(path, denied.flags, 0)).To(FailWith(unix.EACCES))
			Expect(a.Open(path, denied.flags|nonblocking, 0)).To(FailWith(unix.EACCES))
		}
	})

	Clause("fifo.open-permission-before-enxio", func() {
		a := actor.New()
		Expect(a.Open(withMode(a, 0o400), writingNow, 0)).To(FailWith(unix.EACCES))
	})

	Clause("fifo.open-permission-suffices", func() {
		a := actor.New()
		Expect(a.Open(withMode(a, 0o400), readingNow, 0)).To(ReturnEnd(readingNow))
		Expect(a.Open(withMode(a, 0o600), forBoth, 0)).To(ReturnEnd(forBoth))

		path := withMode(a, 0o600)
		Must(a.Open(path, readingNow, 0))
		Must(a.Chmod(path, 0o200))
		Expect(a.Open(path, forWriting, 0)).To(ReturnEnd(forWriting))
	})

	Clause("fifo.denied-open-is-no-end", func() {
		a, reader := actor.New(), actor.New()
		path := withMode(a, 0o200)
		Expect(a.Open(path, readingNow, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))

		path = withMode(a, 0o444)
		Expect(a.Open(path, forWriting, 0)).To(FailWith(unix.EACCES))
		Expect(reader.Begin().Open(path, forReading, 0)).To(Block())
	})
})

var _ = Describe("The permissions of a FIFO for others", func() {
	Clause("fifo.open-class-of-permissions", func() {
		owner := actor.New()
		for _, class := range []struct {
			uid, gid int
			allowed  uint32
		}{
			{1, 1, 0o006}, // neither owner nor in the group
			{1, 0, 0o060}, // in the group
		} {
			path := newFIFO(owner)
			Must(owner.Chown(path, 0, 0))
			user := owner.Fork()
			Must(user.Raw(unix.SYS_SETGROUPS, 0, nil))
			Must(user.Setresgid(class.gid, class.gid, class.gid))
			Must(user.Setresuid(class.uid, class.uid, class.uid))

			Must(owner.Chmod(path, class.allowed))
			Expect(user.Open(path, forBoth, 0)).To(ReturnEnd(forBoth))
			Must(owner.Chmod(path, 0o666&^class.allowed))
			Expect(user.Open(path, readingNow, 0)).To(FailWith(unix.EACCES))
			Expect(user.Open(path, forBoth, 0)).To(FailWith(unix.EACCES))
			Must(owner.Chmod(path, class.allowed&0o444))
			Expect(user.Open(path, readingNow, 0)).To(ReturnEnd(readingNow))
			Expect(user.Open(path, forWriting, 0)).To(FailWith(unix.EACCES))
		}
	})
})
