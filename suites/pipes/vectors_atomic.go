package pipes

import (
	"bytes"
	"encoding/binary"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// numbered returns n eight-byte words that count up from 0, so that every word tells where it
// belongs.
func numbered(n int) []byte {
	var data []byte
	for i := range n {
		data = binary.BigEndian.AppendUint64(data, uint64(i))
	}
	return data
}

// beContiguous succeeds for bytes that are whole words of numbered(n), which begins again after its
// end, without a gap between them.
func beContiguous(n int) types.GomegaMatcher {
	return WithTransform(func(data []byte) string {
		if len(data)%8 != 0 {
			return fmt.Sprintf("%d bytes, which are not whole words", len(data))
		}
		for i := 0; i+8 <= len(data); i += 8 {
			first, word := binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[i:])
			if word != (first+uint64(i/8))%uint64(n) {
				return fmt.Sprintf("word %d follows after %d words from word %d on", word, i/8, first)
			}
		}
		return "contiguous"
	}, Equal("contiguous"))
}

const (
	rounds = 150      // judged calls in a race of readers
	turns  = 500      // calls of each writer in a race of writers
	words  = 64 << 10 // in the file that is raced over

	forever = 1 << 40 // calls, ended with the spec
)

// shares are the sizes of members that make a call long enough for others to come in between.
var shares = []int{1000, 8, 3000, 16, 5000, 24, 7000, 32, 8000}

// race has readv make calls on the file fd while a rival makes its own without pause, and judges
// what each gets.
func race(a *actor.Actor, fd int, rival *actor.Call) {
	GinkgoHelper()
	whole := 0
	for _, n := range shares {
		whole += n
	}
	var next uint64 // the file offset only grows until it is set back
	for n := 0; n < rounds || rival.Progress() == 0; n++ {
		Expect(rival.Done()).To(BeFalse(), "the rival has stopped: %v", rival)
		read := a.Readv(fd, shares...)
		Expect(read).To(ReturnSuccess())
		Expect(read.Data()).To(beContiguous(words))
		Expect(read.Value()).To(BeNumerically("<=", whole))
		if read.Value() > 0 {
			first := binary.BigEndian.Uint64(read.Data())
			Expect(first).To(BeNumerically(">=", next))
			next = first + uint64(read.Value()/8)
		}
		if read.Value() < whole {
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(8 * words)) // the end of the file
			Must(a.Lseek(fd, 0, unix.SEEK_SET))
			next = 0
		}
	}
}

var _ = Describe("The block that a readv gets", func() {
	Clause("readv.contiguous-processes", func() {
		a := actor.New()
		fd, _ := scratchFile(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Fork()

		race(a, fd, rival.Begin().Repeat(forever).Readv(fd, 8, 8, 8))
	})

	Clause("readv.contiguous-threads", func() {
		a := actor.New()
		fd, _ := scratchFile(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Thread()

		race(a, fd, rival.Begin().Repeat(forever).Readv(fd, 8, 8, 8))
	})

	Clause("readv.contiguous-beside-read", func() {
		a := actor.New()
		fd, _ := scratchFile(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Fork()

		race(a, fd, rival.Begin().Repeat(forever).Read(fd, 8))
	})

	Clause("readv.contiguous-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		const cycle = 256
		writer, rival := a.Fork(), a.Fork()

		// Each write is within PIPE_BUF, and everybody writes and reads whole words.
		writer.Begin().Repeat(forever).Write(w, numbered(cycle))
		other := rival.Begin().Repeat(forever).Readv(r, 8, 8, 8)
		for n := 0; n < rounds || other.Progress() == 0; n++ {
			Expect(other.Done()).To(BeFalse(), "the rival has stopped: %v", other)
			read := a.Readv(r, 8, 160, 8, 240, 16, 800)
			Expect(read).To(ReturnSuccess())
			Expect(read.Data()).NotTo(BeEmpty())
			Expect(read.Value()).To(Equal(len(read.Data())))
			Expect(read.Data()).To(beContiguous(cycle))
		}
	})
})

// blocks says how often each of two blocks occurs in data, which holds nothing else; an error
// where it does.
func blocks(data, one, two []byte) (ones, twos int, err error) {
	for at := 0; at < len(data); {
		switch rest := data[at:]; {
		case bytes.HasPrefix(rest, one):
			ones++
			at += len(one)
		case bytes.HasPrefix(rest, two):
			twos++
			at += len(two)
		default:
			return ones, twos, fmt.Errorf("at byte %d, after %d and %d whole blocks, neither begins: %.80q", at, ones, twos, rest)
		}
	}
	return ones, twos, nil
}

// Two blocks of several members each, of which every part tells whose it is.
var (
	upper = [][]byte{[]byte("A"), bytes.Repeat([]byte("B"), 700), []byte("C"), bytes.Repeat([]byte("D"), 1300), bytes.Repeat([]byte("E"), 90)}
	lower = [][]byte{bytes.Repeat([]byte("a"), 1100), []byte("b"), bytes.Repeat([]byte("c"), 500), []byte("d")}

	upperBlock = bytes.Join(upper, nil)
	lowerBlock = bytes.Join(lower, nil)
)

var _ = Describe("The block that a writev writes", func() {
	Clause("writev.within-pipe-buf-all-or-nothing", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_NONBLOCK)
		filled := a.Fill(w)
		readExactly(a, r, 50)

		Expect(a.Writev(w, bytes.Repeat([]byte("a"), 40), bytes.Repeat([]byte("b"), 40))).To(FailWith(unix.EAGAIN))
		Expect(readExactly(a, r, filled-50)).To(Equal(make([]byte, filled-50)))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("writev.within-pipe-buf-waits-whole", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		filled := reader.Fill(w)
		readExactly(reader, r, 50)
		first, second := reader.Fork(), reader.Fork()
		as, bs := bytes.Repeat([]byte("a"), 80), bytes.Repeat([]byte("b"), 10)

		vector := first.Begin().Writev(w, as[:40], as[40:])
		Expect(vector).To(Block())
		write := second.Begin().Write(w, bs) // goes in at once only where a pipe's room is counted in bytes
		data := readExactly(reader, r, filled-50+len(as)+len(bs))
		Expect(data[filled-50:]).To(Or(Equal(append(as, bs...)), Equal(append(bs, as...))))
		Expect(vector).To(Return(80))
		Must(write)
	})

	Clause("writev.atomic-on-pipe", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		one, two := reader.Fork(), reader.Fork()

		ones := one.Begin().Repeat(turns).Writev(w, upper...)
		twos := two.Begin().Repeat(turns).Writev(w, lower...)
		data := readExactly(reader, r, turns*(len(upperBlock)+len(lowerBlock)))
		uppers, lowers, err := blocks(data, upperBlock, lowerBlock)
		Expect(err).NotTo(HaveOccurred())
		Expect([]int{uppers, lowers}).To(Equal([]int{turns, turns}))
		eachWhole(ones, upperBlock)
		eachWhole(twos, lowerBlock)
	})

	Clause("writev.atomic-beside-write", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		one, two := reader.Fork(), reader.Fork()

		vectors := one.Begin().Repeat(turns).Writev(w, upper...)
		plain := two.Begin().Repeat(10*turns).Write(w, []byte("abc"))
		data := readExactly(reader, r, turns*len(upperBlock)+10*turns*3)
		uppers, _, err := blocks(data, upperBlock, []byte("abc"))
		Expect(err).NotTo(HaveOccurred())
		Expect(uppers).To(Equal(turns))
		eachWhole(vectors, upperBlock)
		Must(plain)
	})

	Clause("writev.atomic-on-shared-file", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		b := a.Fork()

		ones := a.Begin().Repeat(turns).Writev(fd, upper...)
		twos := b.Begin().Repeat(turns).Writev(fd, lower...)
		bothWhole(a, path, ones, twos)
	})

	Clause("writev.atomic-append", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY|unix.O_APPEND)
		b := actor.New()
		other := Must(b.Open(path, unix.O_WRONLY|unix.O_APPEND, 0))

		ones := a.Begin().Repeat(turns).Writev(fd, upper...)
		twos := b.Begin().Repeat(turns).Writev(other, lower...)
		bothWhole(a, path, ones, twos)
	})

	Clause("pwritev2.append-atomic", func() {
		a := actor.New()
		fd, path := scratchFile(a, "", unix.O_WRONLY)
		b := actor.New()
		other := Must(b.Open(path, unix.O_WRONLY, 0))

		ones := a.Begin().Repeat(turns).Pwritev2(fd, 0, unix.RWF_APPEND, upper...)
		twos := b.Begin().Repeat(turns).Pwritev2(other, 0, unix.RWF_APPEND, lower...)
		bothWhole(a, path, ones, twos)
	})
})

// eachWhole judges the results of a writer's turns.
func eachWhole(call *actor.Call, block []byte) {
	GinkgoHelper()
	Expect(call).To(Return(len(block)))
	Expect(call.Count()).To(Equal(turns))
	Expect(call.Total()).To(Equal(turns * len(block)))
}

// bothWhole judges the file that two writers have raced to fill with their blocks.
func bothWhole(a *actor.Actor, path string, ones, twos *actor.Call) {
	GinkgoHelper()
	eachWhole(ones, upperBlock)
	eachWhole(twos, lowerBlock)
	uppers, lowers, err := blocks([]byte(a.ReadFile(path)), upperBlock, lowerBlock)
	Expect(err).NotTo(HaveOccurred())
	Expect([]int{uppers, lowers}).To(Equal([]int{turns, turns}))
}
