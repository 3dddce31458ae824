package pipes

import (
	"bytes"
	"fmt"
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// mostAtOnce is the number of bytes that Linux transfers in one call at most: the largest multiple
// of 4 KiB that an int holds.
const mostAtOnce = 0x7ffff000

// sample returns n bytes in which a byte that is lost, repeated or out of place shows.
func sample(n int) []byte {
	data := make([]byte, n)
	x := uint32(2463534242)
	for i := range data {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		data[i] = byte(x >> 8)
	}
	return data
}

// scratchFile makes a regular file with the given content and opens it.
func scratchFile[T string | []byte](a *actor.Actor, content T, flags int) (fd int, path string) {
	path = actor.TempDir() + "/file"
	a.WriteFile(path, string(content))
	return Must(a.Open(path, flags, 0)), path
}

// holding makes a pipe that holds the given bytes.
func holding(a *actor.Actor, content string) (r, w int) {
	r, w = a.Pipe(0)
	Must(a.Write(w, []byte(content)))
	return r, w
}

var _ = Describe("What a read takes", func() {
	Clause("read.pipe-exact-count", func() {
		a := actor.New()
		content := sample(10000)
		r, _ := holding(a, string(content))

		for _, n := range []int{1, 2, 4095, 4096, 1806} {
			Expect(a.Read(r, n)).To(ReturnData(content[:n]))
			content = content[n:]
		}
	})

	Clause("read.regular-exact-count", func() {
		a := actor.New()
		content := sample(10000)
		fd, _ := scratchFile(a, content, unix.O_RDONLY)

		for _, n := range []int{1, 2, 4095, 4096, 1806} {
			Expect(a.Read(fd, n)).To(ReturnData(content[:n]))
			content = content[n:]
		}
	})

	Clause("read.buffer-bounds", func() {
		a := actor.New()
		fromPipe, _ := holding(a, "0123456789")
		fromFile, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		for _, fd := range []int{fromPipe, fromFile} {
			m := a.Bytes(bytes.Repeat([]byte("#"), 64))
			Expect(a.ReadInto(fd, m.At(16), 7)).To(ReturnData("0123456"))
			Expect(string(m.Copy())).To(Equal("################" + "0123456" + "#########################################"))
		}
	})

	Clause("read.short-near-eof", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		Must(a.Lseek(fd, 7, unix.SEEK_SET))

		Expect(a.Read(fd, 100)).To(ReturnData("789"))
	})

	Clause("read.short-pipe", func() {
		a := actor.New()
		r, _ := holding(a, "abc")

		Expect(a.Read(r, 100)).To(ReturnData("abc"))
	})

	Clause("read.short-pipe-woken", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		writer := reader.Fork()

		read := reader.Begin().Read(r, 100)
		Expect(read).To(Block())
		Must(writer.Write(w, []byte("ab")))
		Expect(read).To(ReturnData("ab"))
	})

	Clause("read.short-terminal", func() {
		a := actor.New()
		master, slave := a.Terminal(0)
		// The terminal may still be busy with the second line when the first one is read, but hardly
		// in every round.
		for range 10 {
			Must(a.Write(master, []byte("one\ntwo\n")))
			Expect(a.Read(slave, 100)).To(ReturnData("one\n"))
			Expect(a.Read(slave, 100)).To(ReturnData("two\n"))
		}
	})

	Clause("read.short-interrupted", func() {
		a := actor.New()
		a.Handle(unix.SIGUSR1, 0)
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		Must(pair)
		here, there := pair.FDs()
		lowat := a.Alloc(4)
		lowat.PutUint32(0, 100)
		Must(a.Raw(unix.SYS_SETSOCKOPT, here, unix.SOL_SOCKET, unix.SO_RCVLOWAT, lowat, 4))
		Must(a.Write(there, []byte("0123456789")))
		other := a.Fork()

		read := a.Begin().Read(here, 100)
		Presuppose(read.Blocked(), "a stream socket that waits for as many bytes as SO_RCVLOWAT says")
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(read).To(ReturnData("0123456789"))
	})
})

var _ = Describe("A read of very many bytes", func() {
	Clause("read.count-limit", func() {
		a := actor.New()
		file := Must(a.MemfdCreate("sparse", 0))
		Must(a.Ftruncate(file, 1<<33))
		buffer := vastBuffer(a, 1<<31)

		Expect(a.ReadInto(file, buffer, 1<<31)).To(Return(mostAtOnce))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(mostAtOnce))
	})

	Clause("read.count-beyond-limit-pipe", func() {
		a := actor.New()
		const size = 1<<32 + 8
		buffer := actor.Mem{Addr: uint64(Must(a.Mmap(0, size, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, -1, 0)))}
		r, w := a.Pipe(0)
		// Counts that are negative, 0 or small if only 32 of their bits are looked at.
		for _, count := range []int{mostAtOnce + 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 4} {
			content := fmt.Sprintf("%010d", count) // which differs from what the buffer has from before
			Must(a.Write(w, []byte(content)))
			Expect(a.ReadInto(r, buffer, count)).To(Return(10))
			Expect(string(a.Load(buffer, 10).Data())).To(Equal(content))
		}
	})

	Clause("read.count-beyond-ssize-max", func() {
		a := actor.New()
		for _, count := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
			r, _ := holding(a, "0123456789")
			m := a.Alloc(64)
			read := a.Raw(unix.SYS_READ, r, m, count)
			Expect(read).To(SatisfyAny(Return(10), FailWith(unix.EINVAL, unix.EFAULT)))
			if read.OK() {
				Expect(string(m.Copy()[:10])).To(Equal("0123456789"))
			} else {
				Expect(a.Read(r, 64)).To(ReturnData("0123456789"))
			}
		}
	})
})

// vastBuffer returns n bytes of memory that may be written and that take little: the same 8 MiB again
// and again, few enough for a cache to hold and many enough for few mappings.
func vastBuffer(a *actor.Actor, n int) actor.Mem {
	const piece = 8 << 20
	memory := Must(a.MemfdCreate("piece", 0))
	Must(a.Ftruncate(memory, piece))
	start := Must(a.Mmap(0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, -1, 0))
	for at := 0; at < n; at += piece {
		// Populated here, so that the call under test has no more to do than to copy.
		Must(a.Mmap(uint64(start+at), min(piece, n-at), unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_SHARED|unix.MAP_FIXED|unix.MAP_POPULATE, memory, 0))
	}
	return actor.Mem{Addr: uint64(start)}
}

var _ = Describe("A read of no bytes", func() {
	Clause("read.count-zero-pipe", func() {
		a := actor.New()
		r, _ := holding(a, "abc")

		Expect(a.Read(r, 0)).To(Return(0))
		Expect(a.Read(r, 10)).To(ReturnData("abc"))
	})

	Clause("read.count-zero-empty-pipe", func() {
		a := actor.New()
		for _, flags := range []int{0, unix.O_NONBLOCK} {
			r, _ := a.Pipe(flags)
			Expect(a.Read(r, 0)).To(Return(0))
		}
	})

	Clause("read.count-zero-regular", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		for _, at := range []int{0, 4, 10, 20} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Read(fd, 0)).To(Return(0))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
		}
	})

	Clause("read.count-zero-atime", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDONLY)
		Presuppose(!onTmpfs(a, fd), "a folder for temporary files on another file system than tmpfs: set TMPDIR")
		setOldTimes(a, path)

		Expect(a.Read(fd, 0)).To(Return(0))
		Expect(fileStatus(a, fd).Atim).To(Equal(oldTime))
	})

	Clause("read.count-zero-atime-tmpfs", func() {
		a := actor.New()
		fd := Must(a.MemfdCreate("file", 0))
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		setOldTimes(a, fmt.Sprintf("/proc/self/fd/%d", fd))

		Expect(a.Read(fd, 0)).To(Return(0))
		Expect(fileStatus(a, fd).Atim).To(Equal(oldTime))
	})

	Clause("read.count-zero-datagram", func() {
		a := actor.New()
		pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		Must(pair)
		here, there := pair.FDs()
		Must(a.Write(there, []byte("one")))
		Must(a.Write(there, []byte("two")))

		Expect(a.Read(here, 0)).To(Return(0))
		Expect(a.Read(here, 10)).To(ReturnData("one"))
	})

	Clause("read.count-zero-bad-fd", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		writeOnly, _ := scratchFile(a, "0123456789", unix.O_WRONLY)
		Must(a.Close(r))
		for _, fd := range []int{r, w, writeOnly, -1} {
			Expect(a.Read(fd, 0)).To(SatisfyAny(Return(0), FailWith(unix.EBADF)))
		}
	})

	Clause("read.count-zero-bad-buffer", func() {
		a := actor.New()
		r, _ := holding(a, "abc")
		file, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		for _, fd := range []int{r, file} {
			for _, m := range []actor.Mem{actor.Null, a.Unmapped(), {Addr: kernelAddress}} {
				Expect(a.ReadInto(fd, m, 0)).To(SatisfyAny(Return(0), FailWith(unix.EFAULT)))
			}
		}
		Expect(unread(a, r)).To(Equal(3))
		expectOffset(a, file, 0)
	})

	Clause("read.count-zero-directory", func() {
		a := actor.New()
		fd := Must(a.Open(actor.TempDir(), unix.O_RDONLY|unix.O_DIRECTORY, 0))

		Expect(a.Read(fd, 0)).To(SatisfyAny(Return(0), FailWith(unix.EISDIR)))
	})
})

// oldTime is long ago, so that a time stamp that is renewed differs from it, also where access
// times are only renewed when they are a day old.
var oldTime = unix.Timespec{Sec: 1000000000}

// setOldTimes sets a file's times of last access and modification to oldTime.
func setOldTimes(a *actor.Actor, path string) {
	times := a.Alloc(32)
	times.PutUint64(0, uint64(oldTime.Sec))
	times.PutUint64(16, uint64(oldTime.Sec))
	Must(a.Raw(unix.SYS_UTIMENSAT, unix.AT_FDCWD, path, times, 0))
}

func onTmpfs(a *actor.Actor, fd int) bool {
	m := a.Alloc(120) // struct statfs, which begins with f_type
	Must(a.Raw(unix.SYS_FSTATFS, fd, m))
	return m.Uint64(0) == unix.TMPFS_MAGIC
}

func fileStatus(a *actor.Actor, fd int) actor.Stat {
	call := a.Fstat(fd)
	Must(call)
	return call.Stat()
}
