package pipes

import (
	"bytes"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A write and the file offset", func() {
	Clause("write.offset-start", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR)

		Expect(a.Write(fd, []byte("a"))).To(Return(1))
		Must(a.Lseek(fd, 3, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("bc"))).To(Return(2))
		Must(a.Read(fd, 2))
		Expect(a.Write(fd, []byte("d"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("a12bc56d89"))
	})

	Clause("write.offset-advance", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDWR)

		Expect(a.Write(fd, []byte("abcd"))).To(Return(4))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.Write(fd, []byte("efghijkl"))).To(Return(8))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(12))
		a.SetRlimit(unix.RLIMIT_FSIZE, 15)
		Expect(a.Write(fd, []byte("mnopqrst"))).To(Return(3))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(15))
	})

	Clause("write.offset-shared", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		duplicate := Must(a.Dup(fd))
		child := a.Fork()

		Expect(a.Write(fd, []byte("ab"))).To(Return(2))
		Expect(a.Write(duplicate, []byte("cd"))).To(Return(2))
		Expect(child.Write(fd, []byte("ef"))).To(Return(2))
		Expect(a.Write(fd, []byte("gh"))).To(Return(2))
		Expect(child.Write(duplicate, []byte("ij"))).To(Return(2))
		Expect(a.ReadFile(path)).To(Equal("abcdefghij"))
	})

	Clause("write.offset-large", func() {
		a := actor.New()
		fd := Must(a.MemfdCreate("sparse", 0))
		for _, at := range []int64{1<<31 - 3, 1 << 31, 1<<32 - 3, 1 << 32, 1<<32 + 5} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Write(fd, []byte("abcdef"))).To(Return(6))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(int(at) + 6))
			Expect(a.Pread64(fd, 6, at)).To(ReturnData("abcdef"))
			Expect(a.Pread64(fd, 6, 0)).To(ReturnData(make([]byte, 6)))
		}
	})

	Clause("write.gap-zero", func() {
		a := actor.New()
		fd, path := scratchFile(a, "abc", unix.O_WRONLY)
		Must(a.Lseek(fd, 10000, unix.SEEK_SET))

		Expect(a.Write(fd, []byte("x"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("abc" + strings.Repeat("\x00", 9997) + "x"))
	})

	Clause("write.offset-failure", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR)
		a.Ignore(unix.SIGXFSZ)
		a.SetRlimit(unix.RLIMIT_FSIZE, 10)

		Must(a.Lseek(fd, 4, unix.SEEK_SET))
		Expect(a.WriteFrom(fd, a.Unmapped(), 5)).To(FailWith(unix.EFAULT))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Must(a.Lseek(fd, 12, unix.SEEK_SET))
		Expect(a.Write(fd, []byte("abc"))).To(FailWith(unix.EFBIG))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(12))
		Expect(a.ReadFile(path)).To(Equal("0123456789"))
	})
})

var _ = Describe("A write with O_APPEND", func() {
	Clause("write.append-at-end", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR|unix.O_APPEND)

		Expect(a.Write(fd, []byte("ab"))).To(Return(2))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(12))
		for i, at := range []int64{0, 5, 12, 13, 100} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Write(fd, []byte("cd"))).To(Return(2))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(14 + 2*i))
		}
		Expect(a.ReadFile(path)).To(Equal("0123456789abcdcdcdcdcd"))
	})

	Clause("write.append-end-as-it-is", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR|unix.O_APPEND)
		other := Must(a.Open(path, unix.O_WRONLY, 0))

		Must(a.Pwrite64(other, []byte("abc"), 10))
		Expect(a.Write(fd, []byte("X"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("0123456789abcX"))
		Must(a.Ftruncate(other, 4))
		Expect(a.Write(fd, []byte("Y"))).To(Return(1))
		Expect(a.ReadFile(path)).To(Equal("0123Y"))
	})

	Clause("write.append-atomic", func() {
		a := actor.New()
		one, path := scratchFile(a, "", unix.O_WRONLY|unix.O_APPEND)
		b := actor.New()
		two := Must(b.Open(path, unix.O_WRONLY|unix.O_APPEND, 0))
		apart(a, b)

		writes := a.Begin().Repeat(raceWrites).Write(one, shortRecord)
		others := b.Begin().Repeat(raceWrites).Write(two, longRecord)
		expectNoneLost(writes, others, path)
	})
})

// How often two writers write in a race, and what. The lengths have no common divisor, so that a
// misplaced record does not cover another one exactly.
const raceWrites = 2000

var (
	shortRecord = append(bytes.Repeat([]byte("a"), 60), 'A')
	longRecord  = append(bytes.Repeat([]byte("b"), 1998), 'B')
)

// expectNoneLost checks that a file holds all records of two writers, each whole.
func expectNoneLost(writes, others *actor.Call, path string) {
	GinkgoHelper()
	Expect(writes).To(Return(len(shortRecord)))
	Expect(others).To(Return(len(longRecord)))
	Expect(writes.Count()).To(Equal(raceWrites))
	Expect(others.Count()).To(Equal(raceWrites))
	content := actor.New().ReadFile(path)
	Expect(countRecordsIn(content)).To(Equal(fmt.Sprintf("%d short, %d long", raceWrites, raceWrites)))
}

// countRecordsIn tells what a file holds.
func countRecordsIn(content string) string {
	short, long := 0, 0
	for rest := content; rest != ""; {
		switch {
		case strings.HasPrefix(rest, string(shortRecord)):
			short++
			rest = rest[len(shortRecord):]
		case strings.HasPrefix(rest, string(longRecord)):
			long++
			rest = rest[len(longRecord):]
		default:
			return fmt.Sprintf("after %d short and %d long, at %d, no whole record: %.80q", short, long, len(content)-len(rest), rest)
		}
	}
	return fmt.Sprintf("%d short, %d long", short, long)
}

// As for reads: files that are opened by name, since a memfd's offset has no lock.
var _ = Describe("Writes to one open file description at the same time", func() {
	Clause("write.shared-offset-processes", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		b := a.Fork()
		apart(a, b)

		writes := a.Begin().Repeat(raceWrites).Write(fd, shortRecord)
		others := b.Begin().Repeat(raceWrites).Write(fd, longRecord)
		expectNoneLost(writes, others, path)
	})

	Clause("write.shared-offset-threads", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		b := a.Thread()
		apart(a, b)

		writes := a.Begin().Repeat(raceWrites).Write(fd, shortRecord)
		others := b.Begin().Repeat(raceWrites).Write(fd, longRecord)
		expectNoneLost(writes, others, path)
	})

	Clause("write.shared-offset-writev", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		b := a.Fork()
		apart(a, b)

		writes := a.Begin().Repeat(raceWrites).Writev(fd, shortRecord[:7], shortRecord[7:])
		others := b.Begin().Repeat(raceWrites).Writev(fd, longRecord[:990], longRecord[990:])
		expectNoneLost(writes, others, path)
	})
})

var _ = Describe("A read after a write", func() {
	Clause("write.visible", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDWR)
		second := Must(a.Open(path, unix.O_RDONLY, 0))
		child := a.Fork()
		stranger := actor.New()
		third := Must(stranger.Open(path, unix.O_RDONLY, 0))
		// What a cache could hold back is there.
		Must(a.Read(second, 10))
		Must(stranger.Read(third, 10))

		for _, text := range []string{"abcdefghij", "ABCDEFGHIJ"} {
			Must(a.Lseek(fd, 0, unix.SEEK_SET))
			Expect(a.Write(fd, []byte(text))).To(Return(10))
			for _, reader := range []struct {
				actor *actor.Actor
				fd    int
			}{{a, fd}, {a, second}, {child, second}, {stranger, third}} {
				Must(reader.actor.Lseek(reader.fd, 0, unix.SEEK_SET))
				Expect(reader.actor.Read(reader.fd, 10)).To(ReturnData(text))
			}
		}
	})

	Clause("write.visible-at-eof", func() {
		a := actor.New()
		reading, path := scratchFile(a, "abc", unix.O_RDONLY)
		writer := actor.New()
		writing := Must(writer.Open(path, unix.O_WRONLY|unix.O_APPEND, 0))

		Expect(a.Read(reading, 10)).To(ReturnData("abc"))
		Expect(a.Read(reading, 10)).To(Return(0))
		Expect(writer.Write(writing, []byte("def"))).To(Return(3))
		Expect(a.Read(reading, 10)).To(ReturnData("def"))
	})
})
