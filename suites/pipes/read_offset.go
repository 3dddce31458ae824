package pipes

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("A read and the file offset", func() {
	Clause("read.offset-start", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)

		Expect(a.Read(fd, 2)).To(ReturnData("01"))
		for _, at := range []int{7, 1, 0} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Read(fd, 2)).To(ReturnData("0123456789"[at : at+2]))
		}
	})

	Clause("read.offset-advance", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)

		Expect(a.Read(fd, 4)).To(ReturnData("0123"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(4))
		Expect(a.Read(fd, 1)).To(ReturnData("4"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(5))
		Expect(a.Read(fd, 100)).To(ReturnData("56789"))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(10))
	})

	Clause("read.offset-large", func() {
		a := actor.New()
		fd := Must(a.MemfdCreate("sparse", 0))
		for _, at := range []int64{1<<31 - 3, 1 << 31, 1<<32 - 3, 1 << 32, 1<<32 + 5} {
			Must(a.Pwrite64(fd, []byte("abcdef"), at))
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Read(fd, 6)).To(ReturnData("abcdef"))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(int(at) + 6))
		}
	})

	Clause("read.offset-shared", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		duplicate := Must(a.Dup(fd))
		child := a.Fork()

		Expect(a.Read(fd, 2)).To(ReturnData("01"))
		Expect(a.Read(duplicate, 2)).To(ReturnData("23"))
		Expect(child.Read(fd, 2)).To(ReturnData("45"))
		Expect(a.Read(fd, 2)).To(ReturnData("67"))
		Expect(child.Read(duplicate, 2)).To(ReturnData("89"))
	})

	Clause("read.offset-own", func() {
		a := actor.New()
		fd, path := scratchFile(a, "0123456789", unix.O_RDONLY)
		second := Must(a.Open(path, unix.O_RDONLY, 0))

		Expect(a.Read(fd, 7)).To(ReturnData("0123456"))
		Expect(a.Read(second, 2)).To(ReturnData("01"))
		Expect(a.Read(fd, 2)).To(ReturnData("78"))
	})

	Clause("read.eof-zero", func() {
		a := actor.New()
		empty, _ := scratchFile(a, "", unix.O_RDONLY)
		Expect(a.Read(empty, 10)).To(Return(0))
		Expect(a.Lseek(empty, 0, unix.SEEK_CUR)).To(Return(0))

		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		Expect(a.Read(fd, 10)).To(ReturnData("0123456789"))
		for range 2 {
			Expect(a.Read(fd, 10)).To(Return(0))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(10))
		}
	})

	Clause("read.past-eof-zero", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "0123456789", unix.O_RDONLY)
		for _, at := range []int{11, 4096, 100000, 1 << 33} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Read(fd, 10)).To(Return(0))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
		}
	})

	Clause("read.pipe-eof-zero", func() {
		a := actor.New()
		r, w := holding(a, "abc")
		Must(a.Close(w))

		Expect(a.Read(r, 10)).To(ReturnData("abc"))
		for range 2 {
			Expect(a.Read(r, 10)).To(Return(0))
		}
	})
})

// How often the calls of a race are repeated: enough that two actors overlap many times.
const raceCalls = 16384

// apart puts two actors on CPUs of their own, so that what they do meanwhile is at the same time and
// not in turns.
func apart(one, two *actor.Actor) {
	const most = 8192 // CPUs
	allowed := one.Alloc(most / 8)
	Must(one.Raw(unix.SYS_SCHED_GETAFFINITY, 0, most/8, allowed))
	var cpus []int
	for cpu := range most {
		if allowed.Uint64(cpu/64*8)>>(cpu%64)&1 == 1 {
			cpus = append(cpus, cpu)
		}
	}
	for i, a := range []*actor.Actor{one, two} {
		cpu := cpus[i%len(cpus)]
		own := a.Alloc(most / 8)
		own.PutUint64(cpu/64*8, 1<<(cpu%64))
		Must(a.Raw(unix.SYS_SCHED_SETAFFINITY, 0, most/8, own))
	}
}

// expectSharedOut has two actors, who share an open file description that stands at the beginning of
// a file of records, read all of it at the same time, and checks that each record goes to one of
// them.
func expectSharedOut(fd int, one, two *actor.Actor, records []string) {
	GinkgoHelper()
	size := len(records[0])
	most := len(records) + 1 // the last read finds the end of the file
	forOne, forTwo := one.Alloc(size*most), two.Alloc(size*most)
	apart(one, two)
	reads := one.Begin().Repeat(most).Filling().ReadInto(fd, forOne, size)
	others := two.Begin().Repeat(most).Filling().ReadInto(fd, forTwo, size)
	Expect(reads).To(Return(0))
	Expect(others).To(Return(0))

	var got []string
	got = slices.AppendSeq(got, recordsOf(forOne.Copy()[:reads.Total()], size))
	got = slices.AppendSeq(got, recordsOf(forTwo.Copy()[:others.Total()], size))
	slices.Sort(got)
	Expect(slices.Equal(got, records)).To(BeTrue(), "%s", difference(got, records))
}

// recordsOf divides data into records of the given size.
func recordsOf(data []byte, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for chunk := range slices.Chunk(data, size) {
			if !yield(string(chunk)) {
				return
			}
		}
	}
}

// difference describes where two sorted lists of records part.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d records, not %d; where %q should come there is %q", len(got), len(want), want[i], got[i])
		}
	}
	return fmt.Sprintf("%d records, not %d", len(got), len(want))
}

// numberedRecords returns n records of 64 bytes, sorted.
func numberedRecords(n int) []string {
	records := make([]string, n)
	for i := range records {
		records[i] = fmt.Sprintf("%064d", i)
	}
	return records
}

// The files of these races are opened by name. A memfd, although it is a regular file, has never had
// the lock on its file offset that open files got in Linux 3.14.
var _ = Describe("Reads of one open file description at the same time", func() {
	Clause("read.shared-offset-processes", func() {
		a := actor.New()
		records := numberedRecords(raceCalls)
		fd, _ := scratchFile(a, strings.Join(records, ""), unix.O_RDONLY)
		expectSharedOut(fd, a, a.Fork(), records)
	})

	Clause("read.shared-offset-threads", func() {
		a := actor.New()
		records := numberedRecords(raceCalls)
		fd, _ := scratchFile(a, strings.Join(records, ""), unix.O_RDONLY)
		expectSharedOut(fd, a, a.Thread(), records)
	})

	Clause("read.shared-offset-readv", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "", unix.O_RDWR)
		Must(a.Ftruncate(fd, 1<<20))
		b := a.Fork()
		apart(a, b)

		reads := a.Begin().Repeat(raceCalls).Readv(fd, 7, 5)
		others := b.Begin().Repeat(raceCalls).Readv(fd, 3, 4)
		Expect(reads).To(Return(12))
		Expect(others).To(Return(7))
		Expect(reads.Total()).To(Equal(12 * raceCalls))
		Expect(others.Total()).To(Equal(7 * raceCalls))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(19 * raceCalls))
	})

	Clause("read.shared-offset-with-write", func() {
		a := actor.New()
		fd, _ := scratchFile(a, "", unix.O_RDWR)
		Must(a.Ftruncate(fd, 1<<20))
		b := a.Fork()
		apart(a, b)

		reads := a.Begin().Repeat(raceCalls).Read(fd, 5)
		writes := b.Begin().Repeat(raceCalls).Write(fd, []byte("abc"))
		Expect(reads).To(Return(5))
		Expect(writes).To(Return(3))
		Expect(reads.Total()).To(Equal(5 * raceCalls))
		Expect(writes.Total()).To(Equal(3 * raceCalls))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(8 * raceCalls))
	})
})
