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

// BeContiguous succeeds for bytes that are whole words of numbered without a gap between them.
func BeContiguous() types.GomegaMatcher {
	return WithTransform(func(data []byte) string {
		for i := 0; i+8 <= len(data); i += 8 {
			first, word := binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[i:])
			if word != first+uint64(i/8) {
				return fmt.Sprintf("word %d follows after %d words from word %d on", word, i/8, first)
			}
		}
		return "contiguous"
	}, Equal("contiguous"))
}

const (
	rounds = 150      // judged calls in a race
	words  = 64 << 10 // in the file that is raced over
)

// members are sizes that make a call long enough for others to come in between, in whole words.
var members = []int{1000, 8, 3000, 16, 5000, 24, 7000, 32, 8000}

// race has readv make calls on fd while rival makes its own without pause, and judges each.
func race(a *actor.Actor, fd int, rival *actor.Call) {
	GinkgoHelper()
	for range rounds {
		read := a.Readv(fd, members...)
		Expect(read).To(ReturnSuccess())
		Expect(read.Data()).To(BeContiguous())
		if read.Value() < 24080 {
			Must(a.Lseek(fd, 0, unix.SEEK_SET))
		}
	}
	Expect(rival.Progress()).To(BeNumerically(">", 0), "the rival never ran")
}

var _ = Describe("The block that a readv gets", func() {
	Clause("readv.contiguous-processes", func() {
		a := actor.New()
		fd, _ := file(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Fork()

		race(a, fd, rival.Begin().Repeat(1<<40).Readv(fd, 8, 8, 8))
	})

	Clause("readv.contiguous-threads", func() {
		a := actor.New()
		fd, _ := file(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Thread()

		race(a, fd, rival.Begin().Repeat(1<<40).Readv(fd, 8, 8, 8))
	})

	Clause("readv.contiguous-beside-read", func() {
		a := actor.New()
		fd, _ := file(a, string(numbered(words)), unix.O_RDONLY)
		rival := a.Fork()

		race(a, fd, rival.Begin().Repeat(1<<40).Read(fd, 8))
	})

	Clause("readv.contiguous-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		data := numbered(256)
		writer, rival := a.Fork(), a.Fork()

		// The writer writes the same 256 words again and again, so that contiguous means contiguous
		// modulo 256. Its writes are within PIPE_BUF, and all calls take whole words.
		write := writer.Begin().Repeat(1<<40).Write(w, data)
		other := rival.Begin().Repeat(1<<40).Readv(r, 8, 8, 8)
		for range rounds {
			read := a.Readv(r, 8, 160, 8, 240, 16, 800)
			Expect(read).To(ReturnSuccess())
			Expect(around(data)).To(ContainSubstring(string(read.Data())))
		}
		Expect(write.Progress()).To(BeNumerically(">", 0), "the writer never ran")
		Expect(other.Progress()).To(BeNumerically(">", 0), "the rival never ran")
	})
})

// around returns data twice in a row: what contiguous bytes of its repetition are part of.
func around(data []byte) string { return string(data) + string(data) }

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
		drain(a, r, 50)

		Expect(a.Writev(w, bytes.Repeat([]byte("a"), 40), bytes.Repeat([]byte("b"), 40))).To(FailWith(unix.EAGAIN))
		Expect(drain(a, r, filled-50)).To(Equal(make([]byte, filled-50)))
		Expect(a.Read(r, 1)).To(FailWith(unix.EAGAIN))
	})

	Clause("writev.within-pipe-buf-waits-whole", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		filled := reader.Fill(w)
		drain(reader, r, 50)
		first, second := reader.Fork(), reader.Fork()
		as, bs := bytes.Repeat([]byte("a"), 80), bytes.Repeat([]byte("b"), 10)

		vector := first.Begin().Writev(w, as[:40], as[40:])
		Expect(vector).To(Block())
		write := second.Begin().Write(w, bs) // goes in at once only where a pipe's room is counted in bytes
		data := drain(reader, r, filled-50+len(as)+len(bs))
		Expect(data[filled-50:]).To(Or(Equal(append(as, bs...)), Equal(append(bs, as...))))
		Expect(vector).To(Return(80))
		Must(write)
	})

	Clause("writev.atomic-on-pipe", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		one, two := reader.Fork(), reader.Fork()

		ones := one.Begin().Repeat(rounds).Writev(w, upper...)
		twos := two.Begin().Repeat(rounds).Writev(w, lower...)
		data := drain(reader, r, rounds*(len(upperBlock)+len(lowerBlock)))
		Expect(blocks(data, upperBlock, lowerBlock)).Error().NotTo(HaveOccurred())
		Expect(ones.Count()).To(Equal(rounds))
		Expect(twos.Count()).To(Equal(rounds))
	})

	Clause("writev.atomic-beside-write", func() {
		reader := actor.New()
		r, w := reader.Pipe(0)
		one, two := reader.Fork(), reader.Fork()

		vectors := one.Begin().Repeat(rounds).Writev(w, upper...)
		plain := two.Begin().Repeat(10*rounds).Write(w, []byte("abc"))
		data := drain(reader, r, rounds*len(upperBlock)+10*rounds*3)
		Expect(blocks(data, upperBlock, []byte("abc"))).Error().NotTo(HaveOccurred())
		Expect(vectors.Count()).To(Equal(rounds))
		Must(plain)
	})

	Clause("writev.atomic-on-shared-file", func() {
		a := actor.New()
		fd, path := file(a, "", unix.O_WRONLY)
		b := a.Fork()

		ones := a.Begin().Repeat(rounds).Writev(fd, upper...)
		twos := b.Begin().Repeat(rounds).Writev(fd, lower...)
		bothWhole(a, path, ones, twos)
	})

	Clause("writev.atomic-append", func() {
		a := actor.New()
		fd, path := file(a, "", unix.O_WRONLY|unix.O_APPEND)
		b := actor.New()
		other := Must(b.Open(path, unix.O_WRONLY|unix.O_APPEND, 0))

		ones := a.Begin().Repeat(rounds).Writev(fd, upper...)
		twos := b.Begin().Repeat(rounds).Writev(other, lower...)
		bothWhole(a, path, ones, twos)
	})

	Clause("pwritev2.append-atomic", func() {
		a := actor.New()
		fd, path := file(a, "", unix.O_WRONLY)
		b := actor.New()
		other := Must(b.Open(path, unix.O_WRONLY, 0))

		ones := a.Begin().Repeat(rounds).Pwritev2(fd, 0, unix.RWF_APPEND, upper...)
		twos := b.Begin().Repeat(rounds).Pwritev2(other, 0, unix.RWF_APPEND, lower...)
		bothWhole(a, path, ones, twos)
	})
})

// bothWhole judges the file that two writers have raced to fill with their blocks.
func bothWhole(a *actor.Actor, path string, ones, twos *actor.Call) {
	GinkgoHelper()
	Expect(ones.Count()).To(Equal(rounds), "%v", ones)
	Expect(twos.Count()).To(Equal(rounds), "%v", twos)
	uppers, lowers, err := blocks([]byte(a.ReadFile(path)), upperBlock, lowerBlock)
	Expect(err).NotTo(HaveOccurred())
	Expect([]int{uppers, lowers}).To(Equal([]int{rounds, rounds}))
}
