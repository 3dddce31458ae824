package pipes

import (
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write to a bad descriptor", func() {
	Clause("write.ebadf-closed", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		Must(a.Dup(w))
		Must(a.Close(w))

		Expect(a.Write(w, oneByte)).To(FailWith(unix.EBADF))
	})

	Clause("write.ebadf-no-descriptor", func() {
		a := actor.New()
		for _, fd := range noDescriptors {
			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EBADF))
		}
	})

	Clause("write.ebadf-read-only", func() {
		a := actor.New()
		file, path := scratchFile(a, "0123456789", unix.O_RDONLY)
		Expect(a.Write(file, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(0))

		path = actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		Must(a.Open(path, unix.O_WRONLY, 0))
		Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.ebadf-pipe-read-end", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)

		Expect(a.Write(r, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("write.ebadf-path", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_PATH)

		Expect(a.Write(fd, oneByte)).To(FailWith(unix.EBADF))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.einval-unsuitable", "epoll", func() {
		a := actor.New()
		Expect(a.Write(Must(a.EpollCreate1(0)), make([]byte, 8))).To(FailWith(unix.EINVAL))
	})

	Clause("write.einval-unsuitable", "timerfd", func() {
		a := actor.New()
		Expect(a.Write(newTimer(a, 3600, 0), make([]byte, 8))).To(FailWith(unix.EINVAL))
	})

	Clause("write.einval-unsuitable", "signalfd", func() {
		a := actor.New()
		Expect(a.Write(newSignalfd(a, unix.SIGUSR1), make([]byte, signalfdSize))).To(FailWith(unix.EINVAL))
	})

	Clause("write.eventfd-small-buffer", func() {
		a := actor.New()
		event := Must(a.Eventfd2(5, unix.EFD_NONBLOCK))

		for n := 1; n < 8; n++ {
			Expect(a.Write(event, make([]byte, n))).To(FailWith(unix.EINVAL))
		}
		Expect(a.Read(event, 8)).To(ReturnData(number64(5)))
	})

	Clause("write.edestaddrreq-udp", func() {
		a := actor.New()
		fd := Must(a.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))

		Expect(a.Write(fd, oneByte)).To(FailWith(unix.EDESTADDRREQ))
	})

	Clause("write.unix-datagram-enotconn", func() {
		a := actor.New()
		fd := Must(a.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0))

		Expect(a.Write(fd, oneByte)).To(FailWith(unix.ENOTCONN))
	})
})

// As for reads, open(2) allows for EINVAL and for a transfer through the page cache. After an error
// the content is not to be relied on.
var _ = Describe("A write with O_DIRECT", func() {
	// expectDirect judges a write of new at a place in a file that held old.
	expectDirect := func(a *actor.Actor, fd int, write *actor.Call, old, new []byte, at int) {
		GinkgoHelper()
		Expect(write).To(SatisfyAny(FailWith(unix.EINVAL), Return(len(new))))
		if write.OK() {
			want := append([]byte(nil), old...)
			copy(want[at:], new)
			Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
			Expect(a.Pread64(fd, len(old), 0)).To(ReturnData(want))
		}
	}

	Clause("write.einval-direct-address", func() {
		a := actor.New()
		fd, old, m := directFile(a)
		new := make([]byte, 8192)
		expectDirect(a, fd, a.WriteFrom(fd, m.At(1), len(new)), old, new, 0)
	})

	Clause("write.einval-direct-count", func() {
		a := actor.New()
		fd, old, m := directFile(a)
		new := make([]byte, 8191)
		expectDirect(a, fd, a.WriteFrom(fd, m, len(new)), old, new, 0)
	})

	Clause("write.einval-direct-offset", func() {
		a := actor.New()
		fd, old, m := directFile(a)
		Must(a.Lseek(fd, 1, unix.SEEK_SET))
		new := make([]byte, 8192)
		expectDirect(a, fd, a.WriteFrom(fd, m, len(new)), old, new, 1)
	})
})

var _ = Describe("A write for which there is no room", func() {
	Clause("write.enospc-device", func() {
		a := actor.New()
		fd := Must(a.Open("/dev/full", unix.O_WRONLY, 0))

		for _, n := range []int{1, 4096, 100000} {
			Expect(a.Write(fd, make([]byte, n))).To(FailWith(unix.ENOSPC))
		}
	})

	Clause("write.enospc-file-system", func() {
		a := actor.New()
		folder := tinyFileSystem(a)
		large := Must(a.Open(folder+"/large", unix.O_WRONLY|unix.O_CREAT, 0o600))
		small := Must(a.Open(folder+"/small", unix.O_WRONLY|unix.O_CREAT, 0o600))

		filling := a.Repeat(2*tinySize/4096).Write(large, make([]byte, 4096))
		Expect(filling).To(FailWith(unix.ENOSPC))
		Expect(a.Write(small, oneByte)).To(FailWith(unix.ENOSPC))
		Must(a.Ftruncate(large, 0))
		Expect(a.Write(small, oneByte)).To(Return(1))
	})

	Clause("write.edquot", func() {
		a := actor.New()
		folder := mountTmpfs(a, fmt.Sprintf("usrquota,usrquota_block_hardlimit=%d", tinySize))
		Must(a.Chmod(folder, 0o777))
		user := a.Fork()
		user.BecomeUser(1)
		fd := Must(user.Open(folder+"/file", unix.O_RDWR|unix.O_CREAT, 0o600))
		content := sample(2 * tinySize)

		written := 0
		write := user.Write(fd, content)
		for write.OK() && written < len(content) {
			written += write.Value()
			write = user.Write(fd, content[written:])
		}
		Expect(write).To(FailWith(unix.EDQUOT))
		Expect(written).To(And(BeNumerically(">", 0), BeNumerically("<=", tinySize)))
		Expect(user.Pread64(fd, len(content), 0)).To(ReturnData(content[:written]))

		other := Must(a.Open(folder+"/other", unix.O_WRONLY|unix.O_CREAT, 0o600))
		Expect(a.Write(other, oneByte)).To(Return(1))
		Must(user.Ftruncate(fd, 0))
		Expect(user.Write(fd, oneByte)).To(Return(1))
	})

	Clause("write.efbig-file-size-limit", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		a.Ignore(unix.SIGXFSZ)
		a.SetRlimit(unix.RLIMIT_FSIZE, 10)

		for _, at := range []int64{10, 11, 100000} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EFBIG))
			Expect(a.Write(fd, make([]byte, 100000))).To(FailWith(unix.EFBIG))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})

	Clause("write.efbig-sigxfsz", "default", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_WRONLY|unix.O_APPEND)
		Must(a.Prctl(unix.PR_SET_DUMPABLE, 0)) // no core file
		a.SetRlimit(unix.RLIMIT_FSIZE, 10)

		Expect(a.Write(fd, oneByte)).To(BeKilledBy(unix.SIGXFSZ))
	})

	Clause("write.efbig-sigxfsz", "caught", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_WRONLY|unix.O_APPEND)
		a.Handle(unix.SIGXFSZ, 0)
		a.SetRlimit(unix.RLIMIT_FSIZE, 10)

		Expect(a.Write(fd, oneByte)).To(FailWith(unix.EFBIG))
		Expect(a).To(Catch(unix.SIGXFSZ))
	})

	Clause("write.efbig-largest-offset", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_WRONLY)
		// lseek(2) refuses what is beyond the largest offset of a file system.
		largest := int64(0)
		for step := int64(1) << 62; step > 0; step /= 2 {
			if a.Lseek(fd, largest+step, unix.SEEK_SET).OK() {
				largest += step
			}
		}
		Must(a.Lseek(fd, largest, unix.SEEK_SET))

		allowed := FailWith(unix.EFBIG)
		if largest == math.MaxInt64 {
			// Linux checks first that the end of the write is an offset at all.
			allowed = FailWith(unix.EFBIG, unix.EINVAL)
		}
		Expect(a.Write(fd, oneByte)).To(allowed)
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})
})

var _ = Describe("A write to a sealed memfd", func() {
	for _, c := range []struct {
		id   string
		seal int
	}{
		{"write.eperm-seal-write", unix.F_SEAL_WRITE},
		{"write.eperm-seal-future-write", unix.F_SEAL_FUTURE_WRITE},
	} {
		Clause(c.id, func() {
			a := actor.New()
			fd := sealed(a, "0123456789", c.seal)

			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EPERM))
			Must(a.Lseek(fd, 0, unix.SEEK_SET))
			Expect(a.Write(fd, oneByte)).To(FailWith(unix.EPERM))
			Expect(a.Pread64(fd, 20, 0)).To(ReturnData("0123456789"))
		})
	}

	Clause("write.eperm-seal-grow", func() {
		a := actor.New()
		fd := sealed(a, "0123456789", unix.F_SEAL_GROW)

		Expect(a.Write(fd, oneByte)).To(FailWith(unix.EPERM))
		Must(a.Lseek(fd, 4, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("abcdef"))).To(Return(6))
		Expect(a.Pread64(fd, 20, 0)).To(ReturnData("0123abcdef"))
	})
})

// sealed makes a memfd that holds content, with the file offset at its end, and seals it.
func sealed(a *actor.Actor, content string, seals int) int {
	fd := Must(a.MemfdCreate("sealed", unix.MFD_ALLOW_SEALING))
	Must(a.Write(fd, []byte(content)))
	Must(a.Fcntl(fd, unix.F_ADD_SEALS, seals))
	return fd
}
