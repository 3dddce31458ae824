package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A FIFO", func() {
	Clause("pipe.fifo-by-name", func() {
		path := actor.TempDir() + "/fifo"
		reader, writer := actor.New(), actor.New()

		Expect(reader.Mkfifo(path, 0o600)).To(Return(0))
		openToRead := reader.Begin().Open(path, unix.O_RDONLY, 0)
		openToWrite := writer.Begin().Open(path, unix.O_WRONLY, 0)
		Expect(openToRead).To(ReturnFD())
		Expect(openToWrite).To(ReturnFD())
		r, w := openToRead.Value(), openToWrite.Value()

		Expect(reader.Fstat(r).Stat().Mode & unix.S_IFMT).To(Equal(uint32(unix.S_IFIFO)))
		Expect(writer.Write(w, []byte("hello"))).To(Return(5))
		Expect(reader.Read(r, 10)).To(ReturnData("hello"))
	})

	Clause("pipe.fifo-other-user", func() {
		path := actor.TempDir() + "/fifo"
		maker, other := actor.New(), actor.New()
		Must(maker.Mkfifo(path, 0o600))
		r := Must(maker.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(maker.Open(path, unix.O_WRONLY, 0))
		other.BecomeUser(FreshUser())

		Expect(other.Open(path, unix.O_RDONLY, 0)).To(FailWith(unix.EACCES))
		Expect(other.Open(path, unix.O_WRONLY, 0)).To(FailWith(unix.EACCES))
		Must(maker.Chmod(path, 0o606))
		openToRead := other.Open(path, unix.O_RDONLY, 0)
		Expect(openToRead).To(ReturnFD())
		openToWrite := other.Open(path, unix.O_WRONLY, 0)
		Expect(openToWrite).To(ReturnFD())

		Must(maker.Write(w, []byte("down")))
		Expect(other.Read(openToRead.Value(), 10)).To(ReturnData("down"))
		Must(other.Write(openToWrite.Value(), []byte("up")))
		Expect(maker.Read(r, 10)).To(ReturnData("up"))
	})

	Clause("pipe.fifo-permission-needed", func() {
		path := actor.TempDir() + "/fifo"
		a := actor.New()
		Must(a.Mkfifo(path, 0o600))
		// With both ends open, no open waits for the other end or misses it.
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Must(a.Open(path, unix.O_WRONLY, 0))
		Must(a.Fcntl(r, unix.F_SETFL, 0))

		Must(a.Chmod(path, 0o400))
		Expect(a.Open(path, unix.O_WRONLY, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, unix.O_RDWR, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, unix.O_RDONLY, 0)).To(ReturnFD())

		Must(a.Chmod(path, 0o200))
		Expect(a.Open(path, unix.O_RDONLY, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, unix.O_RDWR, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, unix.O_WRONLY, 0)).To(ReturnFD())

		Must(a.Chmod(path, 0))
		Expect(a.Open(path, unix.O_RDONLY, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, unix.O_WRONLY, 0)).To(FailWith(unix.EACCES))
	})

	Clause("pipe.fifo-read-end", func() {
		path := actor.TempDir() + "/fifo"
		a := actor.New()
		Must(a.Mkfifo(path, 0o600))
		open := a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		Expect(open).To(ReturnFD())
		r := open.Value()
		w := Must(a.Open(path, unix.O_WRONLY, 0))
		Must(a.Write(w, []byte("abc")))

		Expect(a.Write(r, []byte("x"))).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 10)).To(ReturnData("abc"))
	})

	Clause("pipe.fifo-write-end", func() {
		path := actor.TempDir() + "/fifo"
		a := actor.New()
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		open := a.Open(path, unix.O_WRONLY, 0)
		Expect(open).To(ReturnFD())
		w := open.Value()

		Expect(a.Write(w, []byte("abc"))).To(Return(3))
		Expect(a.Read(w, 10)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 10)).To(ReturnData("abc"))
	})

	Clause("pipe.fifo-one-object", func() {
		dir := actor.TempDir()
		a := actor.New()
		open := func(name string) (r, w int) {
			readEnd := a.Open(dir+"/"+name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
			Expect(readEnd).To(ReturnFD())
			writeEnd := a.Open(dir+"/"+name, unix.O_WRONLY|unix.O_NONBLOCK, 0)
			Expect(writeEnd).To(ReturnFD())
			return readEnd.Value(), writeEnd.Value()
		}
		Must(a.Mkfifo(dir+"/one", 0o600))
		Must(a.Mkfifo(dir+"/other", 0o600))
		Must(a.Link(dir+"/one", dir+"/link"))
		r, w := open("one")
		linkR, linkW := open("link")
		againR, againW := open("one")
		otherR, _ := open("other")

		for _, writeEnd := range []int{w, linkW, againW} {
			for _, readEnd := range []int{r, linkR, againR} {
				Expect(a.Write(writeEnd, []byte("x"))).To(Return(1))
				Expect(a.Read(otherR, 1)).To(FailWith(unix.EAGAIN))
				Expect(a.Read(readEnd, 2)).To(ReturnData("x"))
			}
		}
	})

	Clause("pipe.fifo-nothing-on-device", func() {
		a := actor.New()
		r, w := openFIFO(a, 0)
		empty := a.Fstat(r)
		Expect(empty).To(Return(0))
		Expect(empty.Stat().Size).To(BeZero())
		Expect(a.Write(w, make([]byte, 2*page))).To(Return(2 * page))

		for _, fd := range []int{r, w} {
			stat := a.Fstat(fd)
			Expect(stat).To(Return(0))
			Expect(stat.Stat().Size).To(BeZero())
			// Not always zero: some file systems count the inode, or its attributes.
			Expect(stat.Stat().Blocks).To(Equal(empty.Stat().Blocks))
		}
	})

	// A file system of the actor's own, that nobody else sees and that ends with the actor.
	mounted := func(a *actor.Actor) (dir string) {
		dir = actor.TempDir()
		Must(a.Mount("none", dir, "tmpfs", 0, "size=64k"))
		Must(a.Mkfifo(dir+"/fifo", 0o600))
		return dir
	}

	Clause("pipe.fifo-on-full-device", func() {
		a := actor.New()
		dir := mounted(a)
		file := Must(a.Open(dir+"/file", unix.O_WRONLY|unix.O_CREAT, 0o600))
		for _, full := range []*actor.Call{a.Repeat(1000).Write(file, make([]byte, pipeBuf)), a.Write(file, []byte("x"))} {
			Presuppose(full.Errno() == unix.ENOSPC, "a tmpfs of limited size that can be filled; %v", full)
		}

		r := Must(a.Open(dir+"/fifo", unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(dir+"/fifo", unix.O_WRONLY|unix.O_NONBLOCK, 0))
		data := noise(Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)), 3)
		Expect(a.Write(w, data)).To(Return(len(data)))
		expectBytes(contents(a, r), data)
	})

	Clause("pipe.fifo-on-readonly-device", func() {
		a := actor.New()
		dir := mounted(a)
		// Opened before: open(2) has EROFS for any file of such a file system.
		r := Must(a.Open(dir+"/fifo", unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(dir+"/fifo", unix.O_WRONLY, 0))
		Must(a.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		readOnly := a.Open(dir+"/file", unix.O_WRONLY|unix.O_CREAT, 0o600)
		Presuppose(readOnly.Errno() == unix.EROFS, "a file system that can be mounted read-only; %v", readOnly)

		Expect(a.Write(w, []byte("hello"))).To(Return(5))
		Expect(a.Read(r, 10)).To(ReturnData("hello"))
	})
})
