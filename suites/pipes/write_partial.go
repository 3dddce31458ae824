package pipes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write that ends early", func() {
	Clause("write.partial-pipe-interrupted", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		content := sample(2 * Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)))
		expectCutShort(a, r, w, content)
	})

	Clause("write.partial-socket-interrupted", func() {
		a := actor.New()
		here, there := a.Sockets(unix.SOCK_STREAM)
		room := a.Alloc(4)
		room.PutUint32(0, 64<<10)
		Must(a.Raw(unix.SYS_SETSOCKOPT, here, unix.SOL_SOCKET, unix.SO_SNDBUF, room, 4))
		expectCutShort(a, there, here, sample(1<<20))
	})

	Clause("write.partial-no-space", func() {
		a := actor.New()
		fd := Must(a.Open(tinyFileSystem(a)+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		content := sample(2 * tinySize)

		write := a.Write(fd, content)
		Expect(write).To(ReturnSuccess())
		written := write.Value()
		Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<", len(content))))
		Expect(fileStatus(a, fd).Size).To(BeEquivalentTo(written))
		Expect(a.Pread64(fd, len(content), 0)).To(ReturnData(content[:written]))
	})

	Clause("write.partial-file-size-limit", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		content := sample(12000)
		a.SetRlimit(unix.RLIMIT_FSIZE, 10000)

		// SIGXFSZ would kill the actor.
		Expect(a.Write(fd, content[:9000])).To(Return(9000))
		Expect(a.Write(fd, content[9000:])).To(Return(1000))
		Expect(a.ReadFile(path)).To(Equal(string(content[:10000])))
	})

	Clause("write.partial-then-rest", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		content := sample(3 * Must(a.Fcntl(w, unix.F_GETPIPE_SZ, 0)))

		var got []byte
		for rest := content; len(rest) > 0; {
			write := a.Write(w, rest)
			Expect(write).To(ReturnSuccess())
			Expect(write.Value()).To(BeNumerically(">", 0))
			rest = rest[write.Value():]
			got = append(got, drain(a, r)...)
		}
		Expect(string(got) == string(content)).To(BeTrue(), "the reader gets what was written, once and in order")
	})

	Clause("write.partial-then-error", func() {
		a := actor.New()
		fd := Must(a.Open(tinyFileSystem(a)+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		content := sample(2 * tinySize)

		written := Must(a.Write(fd, content))
		write := a.Write(fd, content[written:])
		for write.OK() && written < len(content) {
			written += write.Value()
			write = a.Write(fd, content[written:])
		}
		Expect(write).To(FailWith(unix.ENOSPC))
		Expect(a.Pread64(fd, len(content), 0)).To(ReturnData(content[:written]))
	})
})

// expectCutShort checks that a blocking write of more than there is room for returns, when a signal
// handler interrupts it, how many bytes have gone in.
func expectCutShort(a *actor.Actor, r, w int, content []byte) {
	GinkgoHelper()
	a.Handle(unix.SIGUSR1, 0)
	other := a.Fork()
	write := a.Begin().Write(w, content)
	Expect(write).To(Block())
	Must(other.Kill(a.PID(), unix.SIGUSR1))
	Expect(write).To(ReturnSuccess())
	written := write.Value()
	Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<", len(content))))

	Must(a.Fcntl(r, unix.F_SETFL, unix.O_NONBLOCK))
	got := drain(a, r)
	Expect(got).To(HaveLen(written))
	Expect(string(got) == string(content[:written])).To(BeTrue(), "the first bytes have gone in")
}

// drain reads until nothing is left, from a descriptor with O_NONBLOCK.
func drain(a *actor.Actor, fd int) []byte {
	var got []byte
	for {
		read := a.Read(fd, 64<<10)
		if read.Errno() == unix.EAGAIN {
			return got
		}
		if Must(read) == 0 {
			return got
		}
		got = append(got, read.Data()...)
	}
}

// tinySize is how much a tinyFileSystem holds: a multiple of every page size.
const tinySize = 256 << 10

// tinyFileSystem mounts one in a folder, in the actor's own mount namespace.
func tinyFileSystem(a *actor.Actor) (folder string) {
	folder = actor.TempDir()
	Must(a.Mount("tiny", folder, "tmpfs", 0, "size=256k"))
	return folder
}
