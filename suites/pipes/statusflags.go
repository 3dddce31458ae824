package pipes

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// changeable are the flags that F_SETFL changes on Linux.
const changeable = unix.O_APPEND | unix.O_ASYNC | unix.O_DIRECT | unix.O_NOATIME | unix.O_NONBLOCK

// fileCreation are flags of open(2) that concern the opening alone.
const fileCreation = unix.O_CREAT | unix.O_EXCL | unix.O_NOCTTY | unix.O_TRUNC

// wholeFlags is what F_GETFL returns, to be compared with what it returned before. There can be
// bits in it that the kernel has added for itself, such as its O_LARGEFILE.
func wholeFlags(a *actor.Actor, fd int) int {
	GinkgoHelper()
	call := a.Fcntl(fd, unix.F_GETFL, 0)
	Expect(call).To(ReturnSuccess())
	return call.Value()
}

// statusFlags is the access mode, the status flags and the creation flags in what F_GETFL returns.
func statusFlags(a *actor.Actor, fd int) int {
	GinkgoHelper()
	return wholeFlags(a, fd) & (unix.O_ACCMODE | unix.O_PATH | unix.O_SYNC | changeable | fileCreation)
}

var _ = Describe("F_GETFL", func() {
	Clause("getfl.access-mode-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(statusFlags(a, r) & unix.O_ACCMODE).To(Equal(unix.O_RDONLY))
		Expect(statusFlags(a, w) & unix.O_ACCMODE).To(Equal(unix.O_WRONLY))
	})

	Clause("getfl.access-mode-open", func() {
		a := actor.New()
		dir := actor.TempDir()
		Must(a.Mkfifo(dir+"/fifo", 0o600))
		a.WriteFile(dir+"/file", "")
		for _, name := range []string{"/fifo", "/file"} {
			Must(a.Open(dir+name, unix.O_RDWR, 0)) // with it no other open of the FIFO blocks
			for _, mode := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR} {
				fd := Must(a.Open(dir+name, mode, 0))
				Expect(statusFlags(a, fd)&unix.O_ACCMODE).To(Equal(mode), name)
			}
		}
	})

	Clause("getfl.flags-from-open", func() {
		a := actor.New()
		file := actor.TempDir() + "/file"
		a.WriteFile(file, "")
		// O_SYNC has O_DSYNC in it.
		const all = unix.O_APPEND | unix.O_NONBLOCK | unix.O_SYNC | unix.O_NOATIME
		for _, flags := range []int{
			0, unix.O_APPEND, unix.O_NONBLOCK, unix.O_DSYNC, unix.O_SYNC, unix.O_NOATIME,
			unix.O_APPEND | unix.O_NONBLOCK, all,
		} {
			fd := Must(a.Open(file, unix.O_RDWR|flags, 0))
			Expect(statusFlags(a, fd)&all).To(Equal(flags), "opened with %#o", flags)
			Must(a.Close(fd))
		}
	})

	Clause("getfl.flags-from-pipe2", func() {
		a := actor.New()
		for _, flags := range []int{0, unix.O_NONBLOCK} {
			r, w := a.Pipe(flags)
			Expect(statusFlags(a, r)&unix.O_NONBLOCK).To(Equal(flags), "the read end")
			Expect(statusFlags(a, w)&unix.O_NONBLOCK).To(Equal(flags), "the write end")
		}
	})

	Clause("getfl.no-creation-flags", func() {
		a := actor.New()
		file := actor.TempDir() + "/file"
		made := Must(a.Open(file, unix.O_RDWR|fileCreation, 0o600))
		Expect(statusFlags(a, made)).To(Equal(unix.O_RDWR))
		again := Must(a.Open(file, unix.O_RDWR|fileCreation&^unix.O_EXCL, 0o600))
		Expect(statusFlags(a, again)).To(Equal(unix.O_RDWR))
	})

	Clause("getfl.arg-ignored", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		for _, fd := range []int{r, w} {
			flags := wholeFlags(a, fd)
			for _, arg := range []int{0, 1, unix.O_APPEND, unix.O_RDWR, -1, int(a.Unmapped().Addr)} {
				Expect(a.Fcntl(fd, unix.F_GETFL, arg)).To(Return(flags))
				Expect(wholeFlags(a, fd)).To(Equal(flags))
			}
		}
	})

	Clause("getfl.dup-shares", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		fds := []int{
			r, newFD(a.Dup(r)), newFD(a.Dup2(r, 20)), newFD(a.Dup3(r, 30, unix.O_CLOEXEC)),
			newFD(a.Fcntl(r, unix.F_DUPFD, 40)), newFD(a.Fcntl(r, unix.F_DUPFD_CLOEXEC, 50)),
		}
		for _, set := range fds {
			for _, flags := range []int{unix.O_NONBLOCK, unix.O_APPEND, 0} {
				Expect(a.Fcntl(set, unix.F_SETFL, flags)).To(Return(0))
				for _, fd := range fds {
					Expect(statusFlags(a, fd)).To(Equal(unix.O_RDONLY|flags), "set through %d, seen through %d", set, fd)
				}
			}
		}
	})

	Clause("getfl.fork-shares", func() {
		parent := actor.New()
		r, _ := parent.Pipe(0)
		child := parent.Fork()
		for _, pair := range [][2]*actor.Actor{{child, parent}, {parent, child}} {
			set, other := pair[0], pair[1]
			Expect(statusFlags(other, r)).To(Equal(unix.O_RDONLY))
			Expect(set.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
			Expect(statusFlags(other, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))
			Expect(other.Read(r, 1)).To(FailWith(unix.EAGAIN))
			Expect(set.Fcntl(r, unix.F_SETFL, 0)).To(Return(0))
		}
	})

	Clause("getfl.exec-kept", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK))
		a.Exec()
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("getfl.other-end-not-affected", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Fcntl(w, unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY))
		reader := a.Fork()
		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(a.Write(w, oneByte))
		Expect(read).To(ReturnData(oneByte))

		Must(a.Fcntl(w, unix.F_SETFL, 0))
		Must(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY))
		a.Fill(w)
		write := reader.Begin().Write(w, oneByte)
		Expect(write).To(Block())
	})

	Clause("getfl.other-open-not-affected", func() {
		a := actor.New()
		dir := actor.TempDir()
		Must(a.Mkfifo(dir+"/fifo", 0o600))
		a.WriteFile(dir+"/file", "")
		for _, name := range []string{"/fifo", "/file"} {
			one := Must(a.Open(dir+name, unix.O_RDWR, 0))
			two := Must(a.Open(dir+name, unix.O_RDWR, 0))
			Must(a.Fcntl(one, unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND))
			Expect(statusFlags(a, two)&changeable).To(BeZero(), name)
			Expect(statusFlags(a, one)&changeable).To(Equal(unix.O_NONBLOCK|unix.O_APPEND), name)
		}
	})

	Clause("getfl.cloexec-apart", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		file := tenBytes(a)
		for _, fd := range []int{r, w, file} {
			before := wholeFlags(a, fd)
			for _, flag := range []int{unix.FD_CLOEXEC, 0} {
				Expect(a.Fcntl(fd, unix.F_SETFD, flag)).To(Return(0))
				Expect(fdFlags(a, fd)).To(Return(flag))
				Expect(wholeFlags(a, fd)).To(Equal(before))
			}
		}
	})

	Clause("getfl.ebadf", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		Must(a.Close(r))
		for _, fd := range append([]int{r}, unusedNumbers...) {
			Expect(a.Fcntl(fd, unix.F_GETFL, 0)).To(FailWith(unix.EBADF))
			Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK)).To(FailWith(unix.EBADF))
		}
	})
})

var _ = Describe("F_SETFL", func() {
	Clause("setfl.nonblock-set", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | unix.O_NONBLOCK))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))

		a.Fill(w)
		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_NONBLOCK)).To(Return(0))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY | unix.O_NONBLOCK))
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("setfl.nonblock-cleared", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		Expect(a.Fcntl(r, unix.F_SETFL, 0)).To(Return(0))
		Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY))
		other := a.Fork()
		read := other.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(a.Write(w, oneByte))
		Expect(read).To(ReturnData(oneByte))

		n := a.Fill(w)
		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY))
		write := other.Begin().Write(w, oneByte)
		Expect(write).To(Block())
		Must(a.Read(r, n))
		Expect(write).To(Return(1))
	})

	Clause("setfl.append-set", func() {
		a := actor.New()
		file := tenBytes(a)
		Expect(a.Fcntl(file, unix.F_SETFL, unix.O_APPEND)).To(Return(0))
		Expect(statusFlags(a, file) & changeable).To(Equal(unix.O_APPEND))
		Expect(a.Write(file, []byte("end"))).To(Return(3))
		Expect(a.Pread64(file, 20, 0)).To(ReturnData("0123456789end"))
	})

	Clause("setfl.append-cleared", func() {
		a := actor.New()
		path := actor.TempDir() + "/file"
		a.WriteFile(path, "0123456789")
		file := Must(a.Open(path, unix.O_RDWR|unix.O_APPEND, 0))
		Must(a.Lseek(file, 2, unix.SEEK_SET))
		Expect(a.Fcntl(file, unix.F_SETFL, 0)).To(Return(0))
		Expect(statusFlags(a, file) & changeable).To(BeZero())
		Expect(a.Write(file, []byte("here"))).To(Return(4))
		Expect(a.Pread64(file, 20, 0)).To(ReturnData("01here6789"))
	})

	Clause("setfl.async", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{r, w} {
			mode := statusFlags(a, fd) & unix.O_ACCMODE
			for range 2 {
				Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_ASYNC)).To(Return(0))
				Expect(statusFlags(a, fd)).To(Equal(mode | unix.O_ASYNC))
				Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
				Expect(statusFlags(a, fd)).To(Equal(mode))
			}
		}
	})

	Clause("setfl.direct", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY | unix.O_DIRECT))
		Must(a.Write(w, []byte("one")))
		Must(a.Write(w, []byte("two")))
		Expect(a.Read(r, 10)).To(ReturnData("one"))
		Expect(a.Read(r, 10)).To(ReturnData("two"))

		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		Expect(statusFlags(a, w)).To(Equal(unix.O_WRONLY))
		Must(a.Write(w, []byte("one")))
		Must(a.Write(w, []byte("two")))
		Expect(a.Read(r, 10)).To(ReturnData("onetwo"))
	})

	Clause("setfl.noatime", func() {
		a := actor.New()
		file := tenBytes(a)
		Expect(a.Fcntl(file, unix.F_SETFL, unix.O_NOATIME)).To(Return(0))
		Expect(statusFlags(a, file) & changeable).To(Equal(unix.O_NOATIME))
		Expect(a.Fcntl(file, unix.F_SETFL, 0)).To(Return(0))
		Expect(statusFlags(a, file) & changeable).To(BeZero())
	})

	Clause("setfl.replaces", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		for _, flags := range []int{
			unix.O_NONBLOCK, unix.O_APPEND, unix.O_NONBLOCK | unix.O_ASYNC, unix.O_APPEND | unix.O_NONBLOCK,
			unix.O_ASYNC, unix.O_NOATIME, 0,
		} {
			Expect(a.Fcntl(r, unix.F_SETFL, flags)).To(Return(0))
			Expect(statusFlags(a, r)).To(Equal(unix.O_RDONLY | flags))
		}
	})

	Clause("setfl.access-mode-ignored", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, mode := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR} {
			for _, fd := range []int{r, w} {
				before := statusFlags(a, fd) & unix.O_ACCMODE
				Expect(a.Fcntl(fd, unix.F_SETFL, mode|unix.O_NONBLOCK)).To(Return(0))
				Expect(statusFlags(a, fd)).To(Equal(before | unix.O_NONBLOCK))
			}
			Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
			Expect(a.Read(w, 1)).To(FailWith(unix.EBADF))
			Expect(a.Write(w, oneByte)).To(Return(1))
			Expect(a.Read(r, 2)).To(ReturnData(oneByte))
		}
	})

	Clause("setfl.creation-flags-ignored", func() {
		a := actor.New()
		file := tenBytes(a)
		r, w := a.Pipe(0)
		Must(a.Write(w, oneByte))
		for _, flags := range []int{unix.O_CREAT, unix.O_EXCL, unix.O_NOCTTY, unix.O_TRUNC, fileCreation} {
			for _, fd := range []int{file, r, w} {
				before := wholeFlags(a, fd)
				Expect(a.Fcntl(fd, unix.F_SETFL, flags)).To(Return(0))
				Expect(wholeFlags(a, fd)).To(Equal(before))
			}
		}
		Expect(a.Pread64(file, 20, 0)).To(ReturnData("0123456789"))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("setfl.only-documented-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{r, w} {
			before := wholeFlags(a, fd)
			Expect(a.Fcntl(fd, unix.F_SETFL, ^unix.O_DIRECT)).To(Return(0))
			now := wholeFlags(a, fd)
			Expect(now &^ (changeable &^ unix.O_DIRECT)).To(Equal(before))
			const set = changeable &^ unix.O_DIRECT
			Expect(now & set).To(Equal(set))
			Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
			Expect(wholeFlags(a, fd)).To(Equal(before))
		}
	})

	Clause("setfl.only-documented-file", func() {
		a := actor.New()
		path := actor.TempDir() + "/file"
		a.WriteFile(path, "")
		file := Must(a.Open(path, unix.O_RDWR|unix.O_SYNC|unix.O_NONBLOCK, 0))
		before := wholeFlags(a, file)
		for _, bit := range allBitsBut(changeable) {
			for _, arg := range []int{before | bit, before &^ bit} {
				Expect(a.Fcntl(file, unix.F_SETFL, arg)).To(Return(0))
				Expect(wholeFlags(a, file)).To(Equal(before), "after F_SETFL with %#o", arg)
			}
		}
	})

	Clause("setfl.sync-not-set", func() {
		a := actor.New()
		file := tenBytes(a)
		for _, flags := range []int{unix.O_DSYNC, unix.O_SYNC} {
			Expect(a.Fcntl(file, unix.F_SETFL, flags)).To(Return(0))
			Expect(statusFlags(a, file)).To(Equal(unix.O_RDWR))
		}
	})

	Clause("setfl.sync-not-cleared", func() {
		a := actor.New()
		path := actor.TempDir() + "/file"
		a.WriteFile(path, "")
		for _, flags := range []int{unix.O_DSYNC, unix.O_SYNC} {
			file := Must(a.Open(path, unix.O_RDWR|flags, 0))
			Expect(a.Fcntl(file, unix.F_SETFL, 0)).To(Return(0))
			Expect(statusFlags(a, file)).To(Equal(unix.O_RDWR | flags))
		}
	})

	Clause("setfl.cloexec-not-affected", func() {
		a := actor.New()
		off, _ := a.Pipe(0)
		on, _ := a.Pipe(unix.O_CLOEXEC)
		for _, flags := range []int{0, unix.O_NONBLOCK, unix.O_CLOEXEC, unix.FD_CLOEXEC, unix.O_CLOEXEC | unix.FD_CLOEXEC} {
			Expect(a.Fcntl(off, unix.F_SETFL, flags)).To(Return(0))
			Expect(fdFlags(a, off)).To(Return(0))
			Expect(a.Fcntl(on, unix.F_SETFL, flags)).To(Return(0))
			Expect(fdFlags(a, on)).To(Return(unix.FD_CLOEXEC))
		}
	})

	Clause("setfl.append-only-eperm", func() {
		a := actor.New()
		file := appendOnly(a)
		for _, flags := range []int{0, unix.O_NONBLOCK} {
			Expect(a.Fcntl(file, unix.F_SETFL, flags)).To(FailWith(unix.EPERM))
			Expect(statusFlags(a, file) & changeable).To(Equal(unix.O_APPEND))
		}
	})

	Clause("setfl.append-only-others", func() {
		a := actor.New()
		file := appendOnly(a)
		for _, flags := range []int{unix.O_APPEND | unix.O_NONBLOCK, unix.O_APPEND} {
			Expect(a.Fcntl(file, unix.F_SETFL, flags)).To(Return(0))
			Expect(statusFlags(a, file) & changeable).To(Equal(flags))
		}
	})
})

// appendOnly opens, with O_APPEND, a file that has the append-only attribute. It is a memory file:
// it is gone with its last descriptor, whatever happens, while a file in a folder could not even
// be removed. Memory files have attributes since Linux 6.1.
func appendOnly(a *actor.Actor) int {
	GinkgoHelper()
	const appendAttribute = 0x20 // FS_APPEND_FL
	made := Must(a.MemfdCreate("append-only", 0))
	flags := a.Alloc(8)
	flags.PutUint32(0, appendAttribute)
	Must(a.Ioctl(made, unix.FS_IOC_SETFLAGS, flags))
	return Must(a.Open(fmt.Sprintf("/proc/self/fd/%d", made), unix.O_WRONLY|unix.O_APPEND, 0))
}
