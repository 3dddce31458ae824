package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("pipe, the call without flags", func() {
	Clause("pipe2.pipe-makes-a-pipe", func() {
		a := actor.New()
		pipe := a.OldPipe()
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect(r).NotTo(Equal(w))
		Expect(a.Write(w, []byte("old"))).To(Return(3))
		Expect(a.Read(r, 100)).To(ReturnData("old"))
		Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.Read(w, 1)).To(FailWith(unix.EBADF))
	})

	Clause("pipe2.pipe-lowest-descriptors", func() {
		a := actor.New()
		fds := openRow(a, 8)
		Must(a.Close(fds[1]))
		Must(a.Close(fds[6]))
		pipe := a.OldPipe()
		Expect(pipe).To(Return(0))
		r, w := pipe.FDs()
		Expect([]int{r, w}).To(ConsistOf(fds[1], fds[6]))
	})

	Clause("pipe2.zero-flags-as-pipe", func() {
		a := actor.New()
		pipe := a.OldPipe()
		Expect(pipe).To(Return(0))
		oldR, oldW := pipe.FDs()
		newR, newW := makePipe(a, 0)
		for _, cmd := range []int{unix.F_GETFD, unix.F_GETFL, unix.F_GETPIPE_SZ} {
			Expect(a.Fcntl(newR, cmd, 0)).To(Return(shown(a, oldR, cmd)))
			Expect(a.Fcntl(newW, cmd, 0)).To(Return(shown(a, oldW, cmd)))
		}
	})

	Clause("pipe2.pipe-efault", func() {
		a := actor.New()
		r, w := nextDescriptors(a)
		pipefd := a.ReadOnly(untouched)
		Expect(a.Raw(unix.SYS_PIPE, pipefd)).To(FailWith(unix.EFAULT))
		Expect(pipefd.Bytes()).To(Equal(untouched))
		Expect(a.Raw(unix.SYS_PIPE, a.Unmapped())).To(FailWith(unix.EFAULT))
		expectNextDescriptors(a, r, w)
	})

	Clause("pipe2.pipe-emfile", func() {
		a := actor.New()
		fds := exhaustDescriptors(a)
		Must(a.Close(fds[3]))
		pipefd := a.Bytes(untouched)
		Expect(a.Raw(unix.SYS_PIPE, pipefd)).To(FailWith(unix.EMFILE))
		Expect(pipefd.Bytes()).To(Equal(untouched))
		Expect(a.Dup(fds[0])).To(Return(fds[3]))
	})
})
