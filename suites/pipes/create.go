package pipes

import (
	"bytes"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// untouched is what pipefd holds before a call that must leave it alone: no pair of descriptors.
var untouched = bytes.Repeat([]byte{0xa5}, 8)

// O_NOTIFICATION_PIPE shares its bit with O_EXCL.
const notificationPipe = unix.O_EXCL

// makePipe makes a pipe by a pipe2 that is itself under test, unlike that of Actor.Pipe.
func makePipe(a *actor.Actor, flags int) (r, w int) {
	GinkgoHelper()
	pipe := a.Pipe2(flags)
	Expect(pipe).To(Return(0))
	return pipe.FDs()
}

// shown returns what an F_GET… that is under test shows.
func shown(a *actor.Actor, fd, cmd int) int {
	GinkgoHelper()
	call := a.Fcntl(fd, cmd, 0)
	Expect(call).To(ReturnSuccess())
	return call.Value()
}

// accessMode returns O_RDONLY, O_WRONLY or O_RDWR as F_GETFL shows it.
func accessMode(a *actor.Actor, fd int) int {
	GinkgoHelper()
	return shown(a, fd, unix.F_GETFL) & unix.O_ACCMODE
}

// hasFlag tells whether F_GETFL shows a status flag.
func hasFlag(a *actor.Actor, fd, flag int) bool {
	GinkgoHelper()
	return shown(a, fd, unix.F_GETFL)&flag != 0
}

// closesOnExec tells whether F_GETFD shows FD_CLOEXEC.
func closesOnExec(a *actor.Actor, fd int) bool {
	GinkgoHelper()
	return shown(a, fd, unix.F_GETFD)&unix.FD_CLOEXEC != 0
}

// capacityOf returns what F_GETPIPE_SZ shows.
func capacityOf(a *actor.Actor, fd int) int {
	GinkgoHelper()
	return shown(a, fd, unix.F_GETPIPE_SZ)
}

// openRow opens n descriptors with ascending numbers.
func openRow(a *actor.Actor, n int) []int {
	fds := []int{Must(a.Eventfd2(0, 0))}
	for len(fds) < n {
		fds = append(fds, Must(a.Dup(fds[0])))
	}
	return fds
}

// exhaustDescriptors opens descriptors until RLIMIT_NOFILE allows no more, and returns them.
func exhaustDescriptors(a *actor.Actor) []int {
	a.SetRlimit(unix.RLIMIT_NOFILE, 24)
	fds := openRow(a, 1)
	for {
		call := a.Dup(fds[0])
		if call.Errno() == unix.EMFILE {
			return fds
		}
		fds = append(fds, Must(call))
	}
}

// nextDescriptors returns the numbers that the next pipe is going to have.
func nextDescriptors(a *actor.Actor) (int, int) {
	r, w := a.Pipe(0)
	Must(a.Close(r))
	Must(a.Close(w))
	return r, w
}

// expectNextDescriptors shows that no descriptor has been left open since nextDescriptors.
func expectNextDescriptors(a *actor.Actor, r, w int) {
	GinkgoHelper()
	gotR, gotW := a.Pipe(0)
	Expect([]int{gotR, gotW}).To(Equal([]int{r, w}), "the descriptors of the next pipe")
}

var _ = Describe("A new pipe", func() {
	Clause("pipe2.returns-zero", func() {
		a := actor.New()
		for _, flags := range []int{0, unix.O_CLOEXEC, unix.O_NONBLOCK} {
			Expect(a.Pipe2(flags)).To(Return(0))
		}
	})

	Clause("pipe2.stores-two-descriptors", func() {
		a := actor.New()
		around := a.Bytes(bytes.Repeat([]byte{0xa5}, 16))
		Expect(a.Raw(unix.SYS_PIPE2, around.At(4), 0)).To(Return(0))

		r, w := int(int32(around.Uint32(4))), int(int32(around.Uint32(8)))
		Expect(r).NotTo(Equal(w))
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(ReturnSuccess())
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(ReturnSuccess())
		Expect(around.Uint32(0)).To(Equal(uint32(0xa5a5a5a5)), "the int before the array")
		Expect(around.Uint32(12)).To(Equal(uint32(0xa5a5a5a5)), "the int behind the array")
	})

	Clause("pipe2.lowest-descriptors", func() {
		a := actor.New()
		fds := openRow(a, 8)
		Must(a.Close(fds[5]))
		Must(a.Close(fds[2]))
		r, w := makePipe(a, 0)
		Expect([]int{r, w}).To(ConsistOf(fds[2], fds[5]))
		r, w = makePipe(a, 0)
		Expect([]int{r, w}).To(ConsistOf(fds[7]+1, fds[7]+2))
	})

	Clause("pipe2.first-is-read-end", func() {
		a := actor.New()
		first, second := makePipe(a, 0)
		send(a, second, "in at the second")
		Expect(a.Read(first, 100)).To(ReturnData("in at the second"))
		Expect(accessMode(a, first)).To(Equal(unix.O_RDONLY))
	})

	Clause("pipe2.second-is-write-end", func() {
		a := actor.New()
		_, second := makePipe(a, 0)
		Expect(a.Write(second, []byte("abc"))).To(Return(3))
		Expect(accessMode(a, second)).To(Equal(unix.O_WRONLY))
	})

	Clause("pipe2.read-end-refuses-write", func() {
		a := actor.New()
		r, _ := makePipe(a, unix.O_NONBLOCK)
		Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.write-end-refuses-read", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_NONBLOCK)
		send(a, w, "stays")
		Expect(a.Read(w, 5)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 100)).To(ReturnData("stays"))
	})

	Clause("pipe2.each-call-a-new-pipe", func() {
		a := actor.New()
		r1, w1 := makePipe(a, unix.O_NONBLOCK)
		r2, w2 := makePipe(a, unix.O_NONBLOCK)
		Expect(a.Write(w1, []byte("one"))).To(Return(3))
		Expect(a.Read(r2, 100)).To(FailWith(unix.EAGAIN))
		Expect(a.Write(w2, []byte("two"))).To(Return(3))
		Expect(a.Read(r1, 100)).To(ReturnData("one"))
		Expect(a.Read(r2, 100)).To(ReturnData("two"))
	})

	Clause("pipe2.connects-processes", func() {
		parent := actor.New()
		r, w := makePipe(parent, 0)
		child := parent.Fork()
		Must(parent.Close(r))
		Must(child.Close(w))

		read := child.Begin().Read(r, 100)
		Expect(read).To(Block())
		Expect(parent.Write(w, []byte("to the child"))).To(Return(12))
		Expect(read).To(ReturnData("to the child"))
	})

	Clause("pipe2.new-pipe-is-empty", func() {
		a := actor.New()
		r, _ := makePipe(a, unix.O_NONBLOCK)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.Fionread(r).Int()).To(Equal(0))
	})

	Clause("pipe2.buffers-until-read", func() {
		a := actor.New()
		r, w := makePipe(a, 0)
		Expect(a.Write(w, []byte("abcde"))).To(Return(5))
		Expect(a.Write(w, []byte("fgh"))).To(Return(3))
		Expect(a.Read(r, 3)).To(ReturnData("abc"))
		Expect(a.Read(r, 3)).To(ReturnData("def"))
		Expect(a.Read(r, 3)).To(ReturnData("gh"))
	})

	Clause("pipe2.buffers-beyond-writers-exit", func() {
		reader := actor.New()
		r, w := makePipe(reader, 0)
		writer := reader.Fork()
		Must(reader.Close(w))
		send(writer, w, "last words")
		writer.Exit(0)

		Expect(reader.Read(r, 100)).To(ReturnData("last words"))
		Expect(reader.Read(r, 100)).To(Return(0))
	})

	Clause("pipe2.buffers-beyond-readers-exit", func() {
		parent := actor.New()
		r, w := makePipe(parent, 0)
		send(parent, w, "abcdefgh")
		reader := parent.Fork()
		Expect(reader.Read(r, 3)).To(ReturnData("abc"))
		reader.Exit(0)
		Expect(parent.Read(r, 100)).To(ReturnData("defgh"))
	})
})

var _ = Describe("pipe2 without flags", func() {
	Clause("pipe2.zero-flags-blocks", func() {
		reader := actor.New()
		r, w := makePipe(reader, 0)
		writer := reader.Fork()
		read := reader.Begin().Read(r, 1)
		Expect(read).To(Block())
		Must(writer.Write(w, oneByte))
		Expect(read).To(ReturnData("x"))
	})

	Clause("pipe2.zero-flags-a-byte-stream", func() {
		a := actor.New()
		r, w := makePipe(a, 0)
		send(a, w, "ab")
		send(a, w, "cd")
		Expect(a.Read(r, 100)).To(ReturnData("abcd"))
	})

	Clause("pipe2.zero-flags-inherited-by-exec", func() {
		a := actor.New()
		r, w := makePipe(a, 0)
		Expect(closesOnExec(a, r)).To(BeFalse(), "FD_CLOEXEC of the read end")
		Expect(closesOnExec(a, w)).To(BeFalse(), "FD_CLOEXEC of the write end")
		send(a, w, "before")
		a.Exec()
		Expect(a.Write(w, []byte(" and after"))).To(Return(10))
		Expect(a.Read(r, 100)).To(ReturnData("before and after"))
	})
})

var _ = Describe("pipe2 with O_CLOEXEC", func() {
	Clause("pipe2.cloexec-both-ends", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_CLOEXEC)
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(Return(unix.FD_CLOEXEC))
	})

	Clause("pipe2.cloexec-closed-by-exec", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_CLOEXEC)
		Expect(closesOnExec(a, r)).To(BeTrue())
		Expect(closesOnExec(a, w)).To(BeTrue())
		a.Exec()
		Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
	})

	Clause("pipe2.cloexec-read-end-gone", func() {
		writer := actor.New()
		writer.Ignore(unix.SIGPIPE)
		r, w := makePipe(writer, unix.O_CLOEXEC)
		reader := writer.Fork()
		Must(writer.Close(r))
		Must(writer.Write(w, oneByte))
		reader.Exec()
		Expect(writer.Write(w, oneByte)).To(FailWith(unix.EPIPE))
	})

	Clause("pipe2.cloexec-status-flags-clear", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_CLOEXEC)
		for _, fd := range []int{r, w} {
			Expect(closesOnExec(a, fd)).To(BeTrue(), "FD_CLOEXEC")
			Expect(hasFlag(a, fd, unix.O_NONBLOCK)).To(BeFalse(), "O_NONBLOCK")
			Expect(hasFlag(a, fd, unix.O_DIRECT)).To(BeFalse(), "O_DIRECT")
		}
	})
})

var _ = Describe("pipe2 with O_NONBLOCK", func() {
	Clause("pipe2.nonblock-both-ends", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_NONBLOCK)
		Expect(hasFlag(a, r, unix.O_NONBLOCK)).To(BeTrue(), "O_NONBLOCK of the read end")
		Expect(hasFlag(a, w, unix.O_NONBLOCK)).To(BeTrue(), "O_NONBLOCK of the write end")
	})

	Clause("pipe2.nonblock-read-eagain", func() {
		a := actor.New()
		r, _ := makePipe(a, unix.O_NONBLOCK)
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.nonblock-write-eagain", func() {
		a := actor.New()
		_, w := makePipe(a, unix.O_NONBLOCK)
		a.Fill(w)
		Expect(a.Write(w, oneByte)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.nonblock-in-open-file-description", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_NONBLOCK)
		for _, fd := range []int{r, w} {
			duplicate := Must(a.Dup(fd))
			Expect(hasFlag(a, duplicate, unix.O_NONBLOCK)).To(BeTrue(), "O_NONBLOCK of the duplicate")
			Expect(a.Fcntl(duplicate, unix.F_SETFL, 0)).To(Return(0))
			Expect(hasFlag(a, fd, unix.O_NONBLOCK)).To(BeFalse(), "O_NONBLOCK of the original")
		}
	})

	Clause("pipe2.nonblock-as-by-setfl", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_NONBLOCK)
		laterR, laterW := makePipe(a, 0)
		for _, fd := range []int{laterR, laterW} {
			Must(a.Fcntl(fd, unix.F_SETFL, Must(a.Fcntl(fd, unix.F_GETFL, 0))|unix.O_NONBLOCK))
		}
		Expect(a.Fcntl(r, unix.F_GETFL, 0)).To(Return(shown(a, laterR, unix.F_GETFL)))
		Expect(a.Fcntl(w, unix.F_GETFL, 0)).To(Return(shown(a, laterW, unix.F_GETFL)))
	})

	Clause("pipe2.nonblock-not-cloexec", func() {
		a := actor.New()
		r, w := makePipe(a, unix.O_NONBLOCK)
		Expect(hasFlag(a, r, unix.O_NONBLOCK)).To(BeTrue(), "O_NONBLOCK")
		Expect(closesOnExec(a, r)).To(BeFalse(), "FD_CLOEXEC of the read end")
		Expect(closesOnExec(a, w)).To(BeFalse(), "FD_CLOEXEC of the write end")
	})

	Clause("pipe2.flags-combine", func() {
		a := actor.New()
		for set := range 8 {
			flags, first := 0, "abc" // the data of the first read: a packet, or all
			for bit, flag := range []int{unix.O_CLOEXEC, unix.O_NONBLOCK, unix.O_DIRECT} {
				if set>>bit&1 == 1 {
					flags |= flag
				}
			}
			if flags&unix.O_DIRECT != 0 {
				first = "ab"
			}
			By("flags " + strconv.FormatInt(int64(flags), 8))
			r, w := makePipe(a, flags)
			for _, fd := range []int{r, w} {
				Expect(closesOnExec(a, fd)).To(Equal(flags&unix.O_CLOEXEC != 0), "FD_CLOEXEC")
				Expect(hasFlag(a, fd, unix.O_NONBLOCK)).To(Equal(flags&unix.O_NONBLOCK != 0), "O_NONBLOCK")
			}
			send(a, w, "ab")
			send(a, w, "c")
			Expect(a.Read(r, 100)).To(ReturnData(first))
		}
	})
})

var _ = Describe("pipe2 that fails", func() {
	Clause("pipe2.efault-unmapped", func() {
		a := actor.New()
		Expect(a.Raw(unix.SYS_PIPE2, a.Unmapped(), 0)).To(FailWith(unix.EFAULT))
		Expect(a.Raw(unix.SYS_PIPE2, actor.Null, 0)).To(FailWith(unix.EFAULT))
	})

	Clause("pipe2.efault-read-only", func() {
		a := actor.New()
		pipefd := a.ReadOnly(untouched)
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.EFAULT))
		Expect(pipefd.Bytes()).To(Equal(untouched))
	})

	Clause("pipe2.efault-half-mapped", func() {
		a := actor.New()
		Expect(a.Raw(unix.SYS_PIPE2, a.PageEnd(4), 0)).To(FailWith(unix.EFAULT))
	})

	Clause("pipe2.efault-cut-array", func() {
		a := actor.New()
		openRow(a, 3) // so that the descriptors are not 0
		r, w := nextDescriptors(a)
		numbers := a.Alloc(len(untouched))
		numbers.PutUint32(0, uint32(r))
		numbers.PutUint32(4, uint32(w))
		for n := 1; n < len(untouched); n++ {
			pipefd := a.PageEnd(n)
			copy(pipefd.Bytes(), untouched)
			Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.EFAULT))
			for i, b := range pipefd.Bytes() {
				Expect(b).To(BeElementOf(untouched[i], numbers.Bytes()[i]), "byte %d of %d that are mapped", i, n)
			}
			Expect(a.Fcntl(r, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
			Expect(a.Fcntl(w, unix.F_GETFD, 0)).To(FailWith(unix.EBADF))
		}
	})

	Clause("pipe2.efault-no-descriptor", func() {
		a := actor.New()
		r, w := nextDescriptors(a)
		for _, pipefd := range []actor.Mem{a.Unmapped(), a.ReadOnly(untouched), a.PageEnd(4)} {
			Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.EFAULT))
		}
		expectNextDescriptors(a, r, w)
	})

	Clause("pipe2.einval-other-flags", func() {
		a := actor.New()
		valid := unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_DIRECT | notificationPipe
		for bit := range 32 {
			if flag := 1 << bit; flag&valid == 0 {
				Expect(a.Pipe2(flag)).To(FailWith(unix.EINVAL))
			}
		}
	})

	Clause("pipe2.einval-among-valid-flags", func() {
		a := actor.New()
		for _, flag := range []int{unix.O_RDWR, unix.O_APPEND, unix.O_CREAT, unix.O_PATH, 1 << 31} {
			Expect(a.Pipe2(flag | unix.O_CLOEXEC)).To(FailWith(unix.EINVAL))
			Expect(a.Pipe2(flag | unix.O_NONBLOCK)).To(FailWith(unix.EINVAL))
			Expect(a.Pipe2(flag | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_DIRECT)).To(FailWith(unix.EINVAL))
		}
	})

	Clause("pipe2.einval-unchanged", func() {
		a := actor.New()
		r, w := nextDescriptors(a)
		pipefd := a.Bytes(untouched)
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, unix.O_APPEND|unix.O_CLOEXEC)).To(FailWith(unix.EINVAL))
		Expect(pipefd.Bytes()).To(Equal(untouched))
		expectNextDescriptors(a, r, w)
	})

	Clause("pipe2.emfile-none-free", func() {
		a := actor.New()
		exhaustDescriptors(a)
		Expect(a.Pipe2(0)).To(FailWith(unix.EMFILE))
	})

	Clause("pipe2.emfile-one-free", func() {
		a := actor.New()
		fds := exhaustDescriptors(a)
		for _, free := range []int{fds[0], fds[len(fds)/2], fds[len(fds)-1]} {
			Must(a.Close(free))
			Expect(a.Pipe2(0)).To(FailWith(unix.EMFILE))
			Must(a.Eventfd2(0, 0))
		}
	})

	Clause("pipe2.emfile-two-free", func() {
		a := actor.New()
		fds := exhaustDescriptors(a)
		last := len(fds) - 1
		for _, free := range [][]int{{fds[last-1], fds[last]}, {fds[0], fds[last]}} {
			Must(a.Close(free[0]))
			Must(a.Close(free[1]))
			pipe := a.Pipe2(0)
			Expect(pipe).To(Return(0))
			r, w := pipe.FDs()
			Expect([]int{r, w}).To(ConsistOf(free))
		}
	})

	Clause("pipe2.emfile-unchanged", func() {
		a := actor.New()
		fds := exhaustDescriptors(a)
		pipefd := a.Bytes(untouched)
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.EMFILE))
		Expect(pipefd.Bytes()).To(Equal(untouched), "with no number left")
		Must(a.Close(fds[3]))
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.EMFILE))
		Expect(pipefd.Bytes()).To(Equal(untouched), "with one number left")
	})

	Clause("pipe2.emfile-no-descriptor", func() {
		a := actor.New()
		fds := exhaustDescriptors(a)
		Must(a.Close(fds[3]))
		Expect(a.Pipe2(0)).To(FailWith(unix.EMFILE))
		Expect(a.Dup(fds[0])).To(Return(fds[3]))
	})

	Clause("pipe2.enfile-file-max", func() {
		a := actor.New()
		pipefd := a.Bytes(untouched)
		a.ExhaustFiles()
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.ENFILE))
		Expect(pipefd.Bytes()).To(Equal(untouched))
	})

	Clause("pipe2.enfile-user-pages-hard", func() {
		a := actor.New()
		_, w := makePipe(a, 0)
		pages := capacityOf(a, w) / page
		actor.ChangeFile("/proc/sys/fs/pipe-user-pages-soft", "0")
		actor.ChangeFile("/proc/sys/fs/pipe-user-pages-hard", strconv.Itoa(2*pages))

		r2, w2 := makePipe(a, 0) // the user is at the limit now
		pipefd := a.Bytes(untouched)
		Expect(a.Raw(unix.SYS_PIPE2, pipefd, 0)).To(FailWith(unix.ENFILE))
		Expect(pipefd.Bytes()).To(Equal(untouched))

		Must(a.Close(r2))
		Must(a.Close(w2))
		Expect(a.Pipe2(0)).To(Return(0))
	})

	Clause("pipe2.user-pages-hard-not-for-privileged", func() {
		a := actor.New()
		a.Pipe(0) // more pages than the limit is going to be
		actor.ChangeFile("/proc/sys/fs/pipe-user-pages-hard", "1")
		Expect(a.Pipe2(0)).To(Return(0))
	})
})
