package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("Descriptor flags", func() {
	Clause("getfd.initially-off", func() {
		a := actor.New()
		fifo := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(fifo, 0o600))
		r, w := a.Pipe(unix.O_NONBLOCK)
		for _, fd := range []int{r, w, Must(a.Open(fifo, unix.O_RDWR, 0)), tenBytes(a)} {
			Expect(fdFlags(a, fd)).To(Return(0))
		}
	})

	Clause("getfd.initially-on", func() {
		a := actor.New()
		fifo := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(fifo, 0o600))
		r, w := a.Pipe(unix.O_CLOEXEC)
		for _, fd := range []int{r, w, Must(a.Open(fifo, unix.O_RDWR|unix.O_CLOEXEC, 0))} {
			Expect(fdFlags(a, fd)).To(Return(unix.FD_CLOEXEC))
		}
	})

	Clause("getfd.set-and-cleared", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{r, w} {
			for range 2 {
				Expect(a.Fcntl(fd, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
				Expect(fdFlags(a, fd)).To(Return(unix.FD_CLOEXEC))
				Expect(a.Fcntl(fd, unix.F_SETFD, 0)).To(Return(0))
				Expect(fdFlags(a, fd)).To(Return(0))
			}
		}
	})

	Clause("getfd.arg-ignored", func() {
		a := actor.New()
		off, _ := a.Pipe(0)
		on, _ := a.Pipe(unix.O_CLOEXEC)
		for _, arg := range []int{0, unix.FD_CLOEXEC, 2, -1, int(a.Unmapped().Addr)} {
			Expect(a.Fcntl(off, unix.F_GETFD, arg)).To(Return(0))
			Expect(a.Fcntl(on, unix.F_GETFD, arg)).To(Return(unix.FD_CLOEXEC))
		}
	})

	Clause("getfd.only-cloexec", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_SETFD, -1)).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Fcntl(r, unix.F_SETFD, ^unix.FD_CLOEXEC)).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(0))
	})

	Clause("getfd.other-end-not-affected", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, ends := range [][2]int{{w, r}, {r, w}} {
			set, other := ends[0], ends[1]
			Expect(a.Fcntl(set, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
			Expect(fdFlags(a, set)).To(Return(unix.FD_CLOEXEC))
			Expect(fdFlags(a, other)).To(Return(0))
			Expect(a.Fcntl(set, unix.F_SETFD, 0)).To(Return(0))
		}
	})

	Clause("getfd.child-has-its-own", func() {
		parent := actor.New()
		r, w := parent.Pipe(0)
		setCloexec(parent, w)
		child := parent.Fork()
		Expect(fdFlags(child, r)).To(Return(0))
		Expect(fdFlags(child, w)).To(Return(unix.FD_CLOEXEC))

		Expect(child.Fcntl(r, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(child.Fcntl(w, unix.F_SETFD, 0)).To(Return(0))
		Expect(fdFlags(parent, r)).To(Return(0))
		Expect(fdFlags(parent, w)).To(Return(unix.FD_CLOEXEC))

		Expect(parent.Fcntl(r, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(child.Fcntl(r, unix.F_SETFD, 0)).To(Return(0))
		Expect(parent.Fcntl(w, unix.F_SETFD, 0)).To(Return(0))
		Expect(child.Fcntl(w, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(fdFlags(parent, r)).To(Return(unix.FD_CLOEXEC))
		Expect(fdFlags(parent, w)).To(Return(0))
	})

	Clause("getfd.threads-share", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		thread := a.Thread()
		Expect(thread.Fcntl(r, unix.F_SETFD, unix.FD_CLOEXEC)).To(Return(0))
		Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Fcntl(r, unix.F_SETFD, 0)).To(Return(0))
		Expect(fdFlags(thread, r)).To(Return(0))
	})

	Clause("getfd.ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Close(r))
		for _, fd := range append([]int{r}, unusedNumbers...) {
			Expect(a.Fcntl(fd, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
			Expect(a.Fcntl(fd, unix.F_SETFD, unix.FD_CLOEXEC)).To(FailWith(unix.EBADF))
		}
	})
})

var _ = Describe("execve", func() {
	Clause("getfd.exec-closes", func() {
		a := actor.New()
		fifo := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(fifo, 0o600))
		r, w := a.Pipe(0)
		setCloexec(a, r)
		setCloexec(a, w)
		r2, w2 := a.Pipe(unix.O_CLOEXEC)
		opened := Must(a.Open(fifo, unix.O_RDWR|unix.O_CLOEXEC, 0))
		Must(a.Dup2(w, 100)) // from here on the numbers are in the table's second word
		setCloexec(a, 100)

		a.Exec()
		for _, fd := range []int{r, w, r2, w2, opened, 100} {
			Expect(fdFlags(a, fd)).To(FailWith(unix.EBADF), "descriptor %d", fd)
			Expect(a.Read(fd, 1)).To(FailWith(unix.EBADF), "descriptor %d", fd)
		}
	})

	Clause("getfd.exec-closes", "called by another thread than the first", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		marked := Must(a.Dup(w))
		setCloexec(a, marked)
		thread := a.Thread()

		thread.Exec()
		Expect(fdFlags(thread, marked)).To(FailWith(unix.EBADF))
		Expect(thread.Write(w, oneByte)).To(Return(1))
		Expect(thread.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("getfd.exec-keeps", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Must(a.Write(w, []byte("in the pipe")))
		file := tenBytes(a)
		Must(a.Lseek(file, 4, unix.SEEK_SET))
		Must(a.Dup2(w, 100))

		a.Exec()
		for _, fd := range []int{r, w, file, 100} {
			Expect(fdFlags(a, fd)).To(Return(0), "descriptor %d", fd)
		}
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))
		Expect(a.Read(r, 20)).To(ReturnData("in the pipe"))
		Expect(a.Write(100, oneByte)).To(Return(1))
		Expect(a.Read(r, 20)).To(ReturnData(oneByte))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.Read(file, 20)).To(ReturnData("456789"))
	})

	Clause("getfd.exec-keeps-cleared", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_CLOEXEC)
		Expect(a.Fcntl(r, unix.F_SETFD, 0)).To(Return(0))
		Expect(a.Fcntl(w, unix.F_SETFD, 0)).To(Return(0))
		a.Exec()
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("getfd.exec-closes-last-writer", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		setCloexec(writer, w)
		reader := writer.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		writer.Exec()
		Expect(read).To(Return(0))
	})

	Clause("getfd.exec-keeps-last-writer", func() {
		writer := actor.New()
		r, w := writer.Pipe(0)
		reader := writer.Fork()
		Must(reader.Close(w))

		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		writer.Exec()
		// Had the execve ended the read, it would not be given what is written only now.
		Expect(writer.Write(w, oneByte)).To(Return(1))
		Expect(read).To(ReturnData(oneByte))
	})

	Clause("getfd.exec-per-descriptor", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		marked := Must(a.Dup(w))
		setCloexec(a, marked)
		a.Exec()
		Expect(fdFlags(a, marked)).To(FailWith(unix.EBADF))
		Expect(a.Write(w, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("getfd.exec-own-process", func() {
		parent := actor.New()
		r, w := parent.Pipe(unix.O_CLOEXEC)
		child := parent.Fork()
		child.Exec()
		Expect(fdFlags(child, r)).To(FailWith(unix.EBADF))
		Expect(fdFlags(child, w)).To(FailWith(unix.EBADF))
		Expect(parent.Write(w, oneByte)).To(Return(1))
		Expect(parent.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("getfd.exec-failed-keeps", func() {
		a := actor.New()
		dir := actor.TempDir()
		a.WriteFile(dir+"/not executable", "\x7fELF")
		Must(a.Chmod(dir+"/not executable", 0o600))
		a.WriteFile(dir+"/no format", "this is no program")
		Must(a.Chmod(dir+"/no format", 0o700))
		r, w := a.Pipe(unix.O_CLOEXEC)

		for _, program := range []struct {
			path string
			errs []unix.Errno
		}{
			{dir + "/missing", []unix.Errno{unix.ENOENT}},
			{dir + "/not executable", []unix.Errno{unix.EACCES}},
			{dir + "/no format", []unix.Errno{unix.ENOEXEC, unix.EACCES}}, // EACCES where it is mounted noexec
			{dir, []unix.Errno{unix.EACCES}},
		} {
			Expect(a.Execve(program.path, []string{"program"}, nil)).To(FailWith(program.errs...))
			Expect(fdFlags(a, r)).To(Return(unix.FD_CLOEXEC))
			Expect(fdFlags(a, w)).To(Return(unix.FD_CLOEXEC))
			Expect(a.Write(w, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})
})
