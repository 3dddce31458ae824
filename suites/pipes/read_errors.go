package pipes

import (
	"encoding/binary"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A read of a bad descriptor", func() {
	Clause("read.ebadf-closed", func() {
		a := actor.New()
		r, _ := holding(a, "abc")
		Must(a.Dup(r))
		Must(a.Close(r))

		Expect(a.Read(r, 1)).To(FailWith(unix.EBADF))
	})

	Clause("read.ebadf-no-descriptor", func() {
		a := actor.New()
		for _, fd := range noDescriptors {
			Expect(a.Read(fd, 1)).To(FailWith(unix.EBADF))
		}
	})

	Clause("read.ebadf-write-only", func() {
		a := actor.New()
		file, _ := scratchFile(a, "abc", unix.O_WRONLY)
		Expect(a.Read(file, 1)).To(FailWith(unix.EBADF))

		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		fifo := Must(a.Open(path, unix.O_WRONLY, 0))
		Must(a.Write(fifo, []byte("abc")))
		Expect(a.Read(fifo, 1)).To(FailWith(unix.EBADF))
	})

	Clause("read.ebadf-pipe-write-end", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Read(w, 1)).To(FailWith(unix.EBADF))
		Must(a.Write(w, []byte("abc")))
		Expect(a.Read(w, 1)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 10)).To(ReturnData("abc"))
	})

	Clause("read.ebadf-path", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "abc", unix.O_PATH)

		Expect(a.Read(fd, 1)).To(FailWith(unix.EBADF))
	})

	Clause("read.eisdir", func() {
		a := actor.New()
		fd := Must(a.Open(actor.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0))

		Expect(a.Read(fd, 1)).To(FailWith(unix.EISDIR))
		Expect(a.Read(fd, 4096)).To(FailWith(unix.EISDIR))
	})

	Clause("read.einval-epoll", func() {
		a := actor.New()
		fd := Must(a.EpollCreate1(0))

		Expect(a.Read(fd, 8)).To(FailWith(unix.EINVAL))
	})

	Clause("read.einval-pidfd", func() {
		a := actor.New()
		fd := Must(a.Raw(unix.SYS_PIDFD_OPEN, a.PID(), 0))

		Expect(a.Read(fd, 8)).To(FailWith(unix.EINVAL))
	})

	Clause("read.enotconn-tcp", func() {
		a := actor.New()
		fd := Must(a.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))

		Expect(a.Read(fd, 1)).To(FailWith(unix.ENOTCONN))
	})
})

// noDescriptors are numbers that no actor has as descriptors: the last one is beyond what
// fs.nr_open can be raised to.
var noDescriptors = []int{987, -1, math.MinInt32, math.MaxInt32}

// Which alignment O_DIRECT needs is up to the file system, and so is what becomes of a call without
// it: open(2) allows for EINVAL and for a transfer through the page cache. An odd number is
// aligned for no device.
var _ = Describe("A read with O_DIRECT", func() {
	Clause("read.einval-direct-address", func() {
		a := actor.New()
		fd, content, m := directFile(a)

		Expect(a.ReadInto(fd, m.At(1), 8192)).To(SatisfyAny(FailWith(unix.EINVAL), ReturnData(content[:8192])))
	})

	Clause("read.einval-direct-count", func() {
		a := actor.New()
		fd, content, m := directFile(a)

		Expect(a.ReadInto(fd, m, 8191)).To(SatisfyAny(FailWith(unix.EINVAL), ReturnData(content[:8191])))
	})

	Clause("read.einval-direct-offset", func() {
		a := actor.New()
		fd, content, m := directFile(a)
		Must(a.Lseek(fd, 1, unix.SEEK_SET))

		Expect(a.ReadInto(fd, m, 8192)).To(SatisfyAny(FailWith(unix.EINVAL), ReturnData(content[1:8193])))
	})
})

// directFile opens a file of 64 KiB with O_DIRECT and makes an aligned buffer for it.
func directFile(a *actor.Actor) (fd int, content []byte, m actor.Mem) {
	content = sample(64 << 10)
	plain, path := scratchFile(a, content, unix.O_RDWR)
	Must(a.Fsync(plain))
	return Must(a.Open(path, unix.O_RDWR|unix.O_DIRECT, 0)), content, a.AllocAligned(64<<10, 64<<10)
}

var _ = Describe("A read into a buffer of the wrong size", func() {
	Clause("read.timerfd-small-buffer", func() {
		a := actor.New()
		timer := newTimer(a, 0, 1)
		Must(a.Poll(-1, actor.PollFD{FD: timer, Events: unix.POLLIN}))

		for n := 1; n < 8; n++ {
			Expect(a.Read(timer, n)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Read(timer, 8)).To(ReturnData(number64(1)))
	})

	Clause("read.eventfd-small-buffer", func() {
		a := actor.New()
		event := Must(a.Eventfd2(5, unix.EFD_NONBLOCK))

		for n := 1; n < 8; n++ {
			Expect(a.Read(event, n)).To(FailWith(unix.EINVAL))
		}
		Expect(a.Read(event, 8)).To(ReturnData(number64(5)))
	})

	Clause("read.signalfd-small-buffer", func() {
		a := actor.New()
		signals := newSignalfd(a, unix.SIGUSR1)
		Must(a.Kill(a.PID(), unix.SIGUSR1))

		for _, n := range []int{1, 8, 64, signalfdSize - 1} {
			Expect(a.Read(signals, n)).To(FailWith(unix.EINVAL))
		}
		Expect(a.PendingSignals()).To(Equal(actor.Bit(unix.SIGUSR1)))
		read := a.Read(signals, signalfdSize)
		Expect(read).To(Return(signalfdSize))
		Expect(binary.NativeEndian.Uint32(read.Data())).To(BeEquivalentTo(unix.SIGUSR1), "ssi_signo")
	})

	Clause("read.inotify-small-buffer", func() {
		a := actor.New()
		dir := actor.TempDir()
		watch := Must(a.Raw(unix.SYS_INOTIFY_INIT1, unix.IN_NONBLOCK))
		wd := Must(a.Raw(unix.SYS_INOTIFY_ADD_WATCH, watch, dir, unix.IN_CREATE))
		const name = "a-name-of-some-length"
		a.WriteFile(dir+"/"+name, "")

		// The event is struct inotify_event and the name.
		for _, n := range []int{1, 15, 16, 16 + 20} {
			Expect(a.Read(watch, n)).To(FailWith(unix.EINVAL))
		}
		read := a.Read(watch, 4096)
		Expect(read).To(ReturnSuccess())
		event := read.Data()
		Expect(len(event)).To(And(Equal(read.Value()), BeNumerically(">", 16+len(name))))
		var want []byte
		for _, field := range []int{wd, unix.IN_CREATE, 0, len(event) - 16} {
			want = binary.NativeEndian.AppendUint32(want, uint32(field))
		}
		want = append(want, name...)
		want = append(want, make([]byte, len(event)-len(want))...) // null bytes, one or more
		Expect(event).To(Equal(want))
	})
})

// number64 is a number as the kernel reads and writes it.
func number64(n uint64) []byte { return binary.NativeEndian.AppendUint64(nil, n) }
