package pipes

import (
	"fmt"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A spliceSource makes something that holds data to be spliced or duplicated. What left tells is
// what its next reader would get: of a file, what follows the file offset.
type spliceSource struct {
	kind string
	open func(a *actor.Actor, data string) (fd int, left func() string)
}

var (
	fromPipe = spliceSource{"from a pipe", func(a *actor.Actor, data string) (int, func() string) {
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(data)))
		return r, func() string { return restOf(a, r) }
	}}
	fromFile = spliceSource{"from a file", func(a *actor.Actor, data string) (int, func() string) {
		fd := spliceFile(a, data, unix.O_RDONLY)
		return fd, func() string { return restOf(a, fd) }
	}}
	fromSocket = spliceSource{"from a socket", func(a *actor.Actor, data string) (int, func() string) {
		fd, peer := socketPair(a)
		Must(a.Write(peer, []byte(data)))
		return fd, func() string { return restOf(a, fd) }
	}}
)

// A spliceTarget makes something empty that bytes can be spliced to. What arrived tells is all
// that has come there since it was last asked.
type spliceTarget struct {
	kind string
	open func(a *actor.Actor) (fd int, arrived func() string)
}

var (
	intoPipe = spliceTarget{"into a pipe", func(a *actor.Actor) (int, func() string) {
		r, w := a.Pipe(0)
		return w, func() string { return restOf(a, r) }
	}}
	intoFile = spliceTarget{"into a file", func(a *actor.Actor) (int, func() string) {
		path := filepath.Join(actor.TempDir(), "target")
		a.WriteFile(path, "")
		reader := Must(a.Open(path, unix.O_RDONLY, 0))
		return Must(a.Open(path, unix.O_WRONLY, 0)), func() string { return restOf(a, reader) }
	}}
	intoSocket = spliceTarget{"into a socket", func(a *actor.Actor) (int, func() string) {
		fd, peer := socketPair(a)
		return fd, func() string { return restOf(a, peer) }
	}}
)

// restOf takes all that is there to be read from a descriptor, without waiting for more.
func restOf(a *actor.Actor, fd int) string {
	flags := Must(a.Fcntl(fd, unix.F_GETFL, 0))
	Must(a.Fcntl(fd, unix.F_SETFL, flags|unix.O_NONBLOCK))
	var text strings.Builder
	for {
		read := a.Read(fd, 64<<10)
		if read.Errno() == unix.EAGAIN || Must(read) == 0 {
			break
		}
		text.Write(read.Data())
	}
	Must(a.Fcntl(fd, unix.F_SETFL, flags))
	return text.String()
}

// spliceFile makes a file with the given content and opens it.
func spliceFile(a *actor.Actor, content string, flags int) int {
	path := filepath.Join(actor.TempDir(), "file")
	a.WriteFile(path, content)
	return Must(a.Open(path, flags, 0))
}

// spliceFIFO makes a FIFO and opens its two ends separately.
func spliceFIFO(a *actor.Actor) (r, w int) {
	path := filepath.Join(actor.TempDir(), "fifo")
	Must(a.Mkfifo(path, 0o600))
	r = Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)) // or it would wait for the writer
	Must(a.Fcntl(r, unix.F_SETFL, 0))
	return r, Must(a.Open(path, unix.O_WRONLY, 0))
}

func socketPair(a *actor.Actor) (fd, peer int) {
	pair := a.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	Must(pair)
	return pair.FDs()
}

// fileOffset returns where the next read or write of a file starts.
func fileOffset(a *actor.Actor, fd int) int { return Must(a.Lseek(fd, 0, unix.SEEK_CUR)) }

// countUp returns n bytes of text in which every piece of 16 bytes is another one, so that what is
// lost, doubled or out of order shows.
func countUp(n int) string {
	var text strings.Builder
	for i := 0; text.Len() < n; i++ {
		fmt.Fprintf(&text, "%015d\n", i)
	}
	return text.String()[:n]
}

// Flags that are not defined: the highest bits, which will be defined last.
var undefinedSpliceFlags = []uint{1 << 31, 1 << 30, 1<<31 | unix.SPLICE_F_NONBLOCK}

var _ = Describe("What splice transfers", func() {
	Clause("splice.pipe-to-pipe", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))
		Must(a.Write(w2, []byte("xyz")))

		Expect(a.Splice(r, nil, w2, nil, 6, 0)).To(Return(6))
		Expect(restOf(a, r2)).To(Equal("xyzabcdef"))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.pipe-to-pipe", "many pages", func() {
		a := actor.New()
		data := countUp(5*page + 100)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))

		Expect(a.Splice(r, nil, w2, nil, len(data), 0)).To(Return(len(data)))
		Expect(restOf(a, r2)).To(Equal(data))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.pipe-to-pipe-rest-stays", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Splice(r, nil, w2, nil, 1, 0)).To(Return(1))
		Expect(a.Splice(r, nil, w2, nil, 3, 0)).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abcd"))
		Expect(restOf(a, r)).To(Equal("ef"))
	})

	Clause("splice.pipe-to-pipe-rest-stays", "inside a page", func() {
		a := actor.New()
		data := countUp(3 * page)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte(data)))

		Expect(a.Splice(r, nil, w2, nil, page+7, 0)).To(Return(page + 7))
		Expect(restOf(a, r2)).To(Equal(data[:page+7]))
		Expect(restOf(a, r)).To(Equal(data[page+7:]))
	})

	Clause("splice.file-to-pipe", func() {
		a := actor.New()
		data := countUp(3*page + 10)
		path := filepath.Join(actor.TempDir(), "file")
		a.WriteFile(path, data)
		file := Must(a.Open(path, unix.O_RDONLY, 0))
		r, w := a.Pipe(0)

		Expect(a.Splice(file, nil, w, nil, page-5, 0)).To(Return(page - 5))
		Expect(restOf(a, r)).To(Equal(data[:page-5]))
		Expect(a.Splice(file, nil, w, nil, page+20, 0)).To(Return(page+20), "from inside a page, past the next one")
		Expect(restOf(a, r)).To(Equal(data[page-5 : 2*page+15]))
		Expect(a.ReadFile(path)).To(Equal(data))
	})

	Clause("splice.pipe-to-file", func() {
		a := actor.New()
		data := countUp(3*page + 10)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(data)))
		file, arrived := intoFile.open(a)

		Expect(a.Splice(r, nil, file, nil, len(data), 0)).To(Return(len(data)))
		Expect(arrived()).To(Equal(data))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.pipe-to-file-rest-stays", func() {
		a := actor.New()
		data := countUp(3 * page)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte(data)))
		file, arrived := intoFile.open(a)

		Expect(a.Splice(r, nil, file, nil, 5, 0)).To(Return(5))
		Expect(arrived()).To(Equal(data[:5]))
		Expect(a.Splice(r, nil, file, nil, page, 0)).To(Return(page))
		Expect(arrived()).To(Equal(data[5 : page+5]))
		Expect(restOf(a, r)).To(Equal(data[page+5:]))
	})

	Clause("splice.socket-to-pipe", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		r, w := a.Pipe(0)
		Must(a.Write(peer, []byte("abcdef")))

		Expect(a.Splice(socket, nil, w, nil, 4, 0)).To(Return(4))
		Expect(restOf(a, r)).To(Equal("abcd"))
		Expect(restOf(a, socket)).To(Equal("ef"))
	})

	Clause("splice.socket-to-pipe", "all and more asked for", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		r, w := a.Pipe(0)
		Must(a.Write(peer, []byte("abcdef")))

		Expect(a.Splice(socket, nil, w, nil, 100, 0)).To(Return(6))
		Expect(restOf(a, r)).To(Equal("abcdef"))
	})

	Clause("splice.pipe-to-socket", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Splice(r, nil, socket, nil, 4, 0)).To(Return(4))
		Expect(restOf(a, peer)).To(Equal("abcd"))
		Expect(restOf(a, r)).To(Equal("ef"))
	})

	Clause("splice.fifo", func() {
		a := actor.New()
		source, _ := fromFile.open(a, "abcdef")
		target, arrived := intoFile.open(a)
		r, w := spliceFIFO(a)

		Expect(a.Splice(source, nil, w, nil, 6, 0)).To(Return(6))
		Expect(a.Splice(r, nil, target, nil, 6, 0)).To(Return(6))
		Expect(arrived()).To(Equal("abcdef"))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.copy-through-pipe", func() {
		a := actor.New()
		data := countUp(40*page + 17)
		source, _ := fromFile.open(a, data)
		target, arrived := intoFile.open(a)
		r, w := a.Pipe(0)

		in := []int{1, page - 1, 3*page + 1, 16 * page, page, 100}
		out := []int{page + 1, 7, 2 * page}
		moved := 0
		for i := 0; moved < len(data); i++ {
			// The pipe is empty here: a splice that waits for room waits in vain.
			fill := a.Splice(source, nil, w, nil, in[i%len(in)], unix.SPLICE_F_NONBLOCK)
			Expect(fill).To(ReturnSuccess())
			Expect(fill.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", in[i%len(in)])))
			for j, held := 0, fill.Value(); held > 0; j++ {
				empty := a.Splice(r, nil, target, nil, out[j%len(out)], unix.SPLICE_F_NONBLOCK)
				Expect(empty).To(ReturnSuccess())
				Expect(empty.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", min(held, out[j%len(out)]))))
				held -= empty.Value()
				moved += empty.Value()
			}
		}
		Expect(a.Splice(source, nil, w, nil, 1, 0)).To(Return(0))
		Expect(arrived()).To(Equal(data))
	})

	Clause("splice.source-file-unshared", func() {
		a := actor.New()
		path := filepath.Join(actor.TempDir(), "file")
		a.WriteFile(path, "abcdef")
		file := Must(a.Open(path, unix.O_RDONLY, 0))
		r, w := a.Pipe(0)
		// A pipe that has been full has seen every buffer used for written data before. A kernel
		// that takes the spliced page for one of those appends to it, which is the file's.
		Must(a.Read(r, a.Fill(w)))

		Expect(a.Splice(file, nil, w, nil, 1, 0)).To(Return(1))
		Expect(a.Write(w, []byte("XYZ"))).To(Return(3))
		Expect(a.ReadFile(path)).To(Equal("abcdef"))
		Expect(restOf(a, r)).To(Equal("aXYZ"))
		Expect(a.ReadFile(path)).To(Equal("abcdef"))
	})

	Clause("splice.pipes-unshared", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))

		Expect(a.Splice(r, nil, w2, nil, 3, 0)).To(Return(3))
		Expect(a.Write(w2, []byte("123"))).To(Return(3))
		Expect(a.Write(w, []byte("XYZ"))).To(Return(3))
		Expect(restOf(a, r2)).To(Equal("abc123"))
		Expect(restOf(a, r)).To(Equal("defXYZ"))
	})

	for _, into := range []spliceTarget{intoPipe, intoFile, intoSocket} {
		Clause("splice.pipe-short-source", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			Must(a.Write(w, []byte("abc")))
			target, arrived := into.open(a)

			Expect(a.Splice(r, nil, target, nil, 100, 0)).To(Return(3))
			Expect(arrived()).To(Equal("abc"))
		})
	}

	for _, from := range []spliceSource{fromPipe, fromFile} {
		Clause("splice.short-destination", from.kind, func() {
			a := actor.New()
			data := countUp(3 * page)
			source, left := from.open(a, data)
			r, w := a.Pipe(0)
			old := a.Fill(w)
			Must(a.Read(r, page))

			splice := a.Splice(source, nil, w, nil, len(data), unix.SPLICE_F_NONBLOCK)
			Expect(splice).To(ReturnSuccess())
			n := splice.Value()
			Expect(n).To(And(BeNumerically(">", 0), BeNumerically("<", len(data))))
			Expect(restOf(a, r)).To(Equal(strings.Repeat("\x00", old-page) + data[:n]))
			Expect(left()).To(Equal(data[n:]))
		})
	}

	Clause("splice.size-zero", func() {
		a := actor.New()
		file, left := fromFile.open(a, "abc")
		target, arrived := intoFile.open(a)
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)

		Expect(a.Splice(r, nil, w2, nil, 0, 0)).To(Return(0), "from an empty pipe")
		Expect(a.Splice(r, nil, target, nil, 0, 0)).To(Return(0), "from an empty pipe to a file")
		Expect(a.Splice(file, nil, w, nil, 0, 0)).To(Return(0), "from a file")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Splice(r, nil, target, nil, 0, 0)).To(Return(0), "from a pipe with data to a file")
		old := a.Fill(w2)
		Expect(a.Splice(r, nil, w2, nil, 0, 0)).To(Return(0), "to a full pipe")
		Expect(a.Splice(file, nil, w2, nil, 0, 0)).To(Return(0), "from a file to a full pipe")
		Expect(left()).To(Equal("abc"))
		Expect(restOf(a, r)).To(Equal("abc"))
		Expect(restOf(a, r2)).To(HaveLen(old))
		Expect(arrived()).To(BeEmpty())
	})

	for _, size := range []int{1 << 32, 1<<32 + 1, 1 << 40} {
		// In 32 bits these sizes would be 0 or 1.
		Clause("splice.size-large", fmt.Sprintf("%d bytes", size), func() {
			a := actor.New()
			file, _ := fromFile.open(a, "abc")
			target, arrived := intoFile.open(a)
			r, w := a.Pipe(0)
			r2, w2 := a.Pipe(0)

			Expect(a.Splice(file, nil, w, nil, size, 0)).To(Return(3), "from a file to a pipe")
			Expect(a.Splice(r, nil, w2, nil, size, 0)).To(Return(3), "from a pipe to a pipe")
			Expect(a.Splice(r2, nil, target, nil, size, 0)).To(Return(3), "from a pipe to a file")
			Expect(arrived()).To(Equal("abc"))
		})
	}
})

var _ = Describe("The offsets of splice", func() {
	Clause("splice.off-in-null", func() {
		a := actor.New()
		file := spliceFile(a, "abcdefghij", unix.O_RDONLY)
		r, w := a.Pipe(0)
		Must(a.Lseek(file, 2, unix.SEEK_SET))

		Expect(a.Splice(file, nil, w, nil, 4, 0)).To(Return(4))
		Expect(restOf(a, r)).To(Equal("cdef"))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(6))
		Expect(a.Splice(file, nil, w, nil, 1, 0)).To(Return(1))
		Expect(restOf(a, r)).To(Equal("g"))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(7))
	})

	Clause("splice.off-in-given", func() {
		a := actor.New()
		file := spliceFile(a, "abcdefghij", unix.O_RDONLY)
		r, w := a.Pipe(0)
		Must(a.Lseek(file, 1, unix.SEEK_SET))
		off := a.Offset(3)

		Expect(a.Splice(file, off, w, nil, 4, 0)).To(Return(4))
		Expect(restOf(a, r)).To(Equal("defg"))
		Expect(off.Uint64(0)).To(BeEquivalentTo(7))
		Expect(a.Splice(file, off, w, nil, 100, 0)).To(Return(3))
		Expect(restOf(a, r)).To(Equal("hij"))
		Expect(off.Uint64(0)).To(BeEquivalentTo(10))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(1))
	})

	Clause("splice.off-out-null", func() {
		a := actor.New()
		file := spliceFile(a, "abcdefghij", unix.O_RDWR)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("XYZ12")))
		Must(a.Lseek(file, 2, unix.SEEK_SET))

		Expect(a.Splice(r, nil, file, nil, 3, 0)).To(Return(3))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(5))
		Expect(a.Splice(r, nil, file, nil, 2, 0)).To(Return(2))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(7))
		Expect(a.Pread64(file, 100, 0)).To(ReturnData("abXYZ12hij"))
	})

	Clause("splice.off-out-given", func() {
		a := actor.New()
		file := spliceFile(a, "abcdefghij", unix.O_RDWR)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("XYZ12")))
		Must(a.Lseek(file, 1, unix.SEEK_SET))
		off := a.Offset(3)

		Expect(a.Splice(r, nil, file, off, 3, 0)).To(Return(3))
		Expect(off.Uint64(0)).To(BeEquivalentTo(6))
		Expect(a.Splice(r, nil, file, off, 2, 0)).To(Return(2))
		Expect(off.Uint64(0)).To(BeEquivalentTo(8))
		Expect(a.Pread64(file, 100, 0)).To(ReturnData("abcXYZ12ij"))
		Expect(a.Lseek(file, 0, unix.SEEK_CUR)).To(Return(1))
	})

	Clause("splice.off-out-beyond-end", func() {
		a := actor.New()
		file := spliceFile(a, "abc", unix.O_RDWR)
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("XYZ")))
		off := a.Offset(5)

		Expect(a.Splice(r, nil, file, off, 3, 0)).To(Return(3))
		Expect(off.Uint64(0)).To(BeEquivalentTo(8))
		Expect(a.Pread64(file, 100, 0)).To(ReturnData("abc\x00\x00XYZ"))
	})

	Clause("splice.off-in-unreadable", func() {
		a := actor.New()
		file, left := fromFile.open(a, "abc")
		r, w := a.Pipe(0)

		Expect(a.Splice(file, a.Unmapped(), w, nil, 3, 0)).To(FailWith(unix.EFAULT))
		Expect(left()).To(Equal("abc"))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.off-out-unreadable", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		file, arrived := intoFile.open(a)

		Expect(a.Splice(pipe, nil, file, a.Unmapped(), 3, 0)).To(FailWith(unix.EFAULT))
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
		Expect(fileOffset(a, file)).To(BeZero())
	})

	for _, into := range []spliceTarget{intoPipe, intoFile} {
		Clause("splice.off-in-pipe-espipe", into.kind, func() {
			a := actor.New()
			pipe, left := fromPipe.open(a, "abc")
			target, arrived := into.open(a)
			off := a.Offset(1)

			Expect(a.Splice(pipe, off, target, nil, 2, 0)).To(FailWith(unix.ESPIPE))
			Expect(off.Uint64(0)).To(BeEquivalentTo(1))
			Expect(left()).To(Equal("abc"))
			Expect(arrived()).To(BeEmpty())
		})
	}

	for _, from := range []spliceSource{fromPipe, fromFile} {
		Clause("splice.off-out-pipe-espipe", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			pipe, arrived := intoPipe.open(a)
			off := a.Offset(1)

			Expect(a.Splice(source, nil, pipe, off, 2, 0)).To(FailWith(unix.ESPIPE))
			Expect(off.Uint64(0)).To(BeEquivalentTo(1))
			Expect(left()).To(Equal("abc"))
			Expect(arrived()).To(BeEmpty())
		})
	}

	Clause("splice.off-in-nonseekable-einval", func() {
		a := actor.New()
		socket, left := fromSocket.open(a, "abc")
		pipe, arrived := intoPipe.open(a)

		Expect(a.Splice(socket, a.Offset(0), pipe, nil, 2, 0)).To(FailWith(unix.EINVAL))
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
	})

	Clause("splice.off-out-nonseekable-einval", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		socket, arrived := intoSocket.open(a)

		Expect(a.Splice(pipe, nil, socket, a.Offset(0), 2, 0)).To(FailWith(unix.EINVAL))
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
	})
})

var _ = Describe("The end of input of splice", func() {
	for _, into := range []spliceTarget{intoPipe, intoFile, intoSocket} {
		Clause("splice.eof-pipe", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			Must(a.Close(w))
			target, arrived := into.open(a)

			Expect(a.Splice(r, nil, target, nil, 10, 0)).To(Return(0))
			Expect(arrived()).To(BeEmpty())
		})

		Clause("splice.eof-pipe-nonblock", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			Must(a.Close(w))
			target, arrived := into.open(a)

			Expect(a.Splice(r, nil, target, nil, 10, unix.SPLICE_F_NONBLOCK)).To(Return(0))
			Expect(arrived()).To(BeEmpty())
		})

		Clause("splice.eof-pipe-data-first", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			Must(a.Write(w, []byte("abc")))
			Must(a.Close(w))
			target, arrived := into.open(a)

			Expect(a.Splice(r, nil, target, nil, 2, 0)).To(Return(2))
			Expect(a.Splice(r, nil, target, nil, 2, 0)).To(Return(1))
			Expect(a.Splice(r, nil, target, nil, 2, 0)).To(Return(0))
			Expect(arrived()).To(Equal("abc"))
		})
	}

	Clause("splice.eof-pipe", "offsets", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Close(w))
		file := spliceFile(a, "abcdef", unix.O_RDWR)
		Must(a.Lseek(file, 2, unix.SEEK_SET))
		off := a.Offset(4)

		Expect(a.Splice(r, nil, file, nil, 10, 0)).To(Return(0))
		Expect(a.Splice(r, nil, file, off, 10, 0)).To(Return(0))
		Expect(off.Uint64(0)).To(BeEquivalentTo(4))
		Expect(fileOffset(a, file)).To(Equal(2))
		Expect(a.Pread64(file, 100, 0)).To(ReturnData("abcdef"))
	})

	for _, at := range []int64{3, 100} {
		Clause("splice.eof-file", fmt.Sprintf("at %d of 3", at), func() {
			a := actor.New()
			file := spliceFile(a, "abc", unix.O_RDONLY)
			r, w := a.Pipe(0)
			off := a.Offset(at)

			Expect(a.Splice(file, off, w, nil, 10, 0)).To(Return(0))
			Expect(off.Uint64(0)).To(BeEquivalentTo(at))
			Must(a.Lseek(file, at, unix.SEEK_SET))
			Expect(a.Splice(file, nil, w, nil, 10, 0)).To(Return(0))
			Expect(fileOffset(a, file)).To(BeEquivalentTo(at))
			Expect(restOf(a, r)).To(BeEmpty())
		})
	}

	Clause("splice.file-short-at-end", func() {
		a := actor.New()
		file := spliceFile(a, "abcdef", unix.O_RDONLY)
		r, w := a.Pipe(0)
		Must(a.Lseek(file, 2, unix.SEEK_SET))

		Expect(a.Splice(file, nil, w, nil, 10, 0)).To(Return(4))
		Expect(restOf(a, r)).To(Equal("cdef"))
		Expect(fileOffset(a, file)).To(Equal(6))
	})

	Clause("splice.eof-socket", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		r, w := a.Pipe(0)
		Must(a.Write(peer, []byte("abc")))
		Must(a.Raw(unix.SYS_SHUTDOWN, peer, unix.SHUT_WR))

		Expect(a.Splice(socket, nil, w, nil, 10, 0)).To(Return(3))
		Expect(a.Splice(socket, nil, w, nil, 10, 0)).To(Return(0))
		Expect(restOf(a, r)).To(Equal("abc"))
	})
})

var _ = Describe("A splice that has to wait", func() {
	for _, into := range []spliceTarget{intoPipe, intoFile, intoSocket} {
		Clause("splice.empty-pipe-blocks", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			target, arrived := into.open(a)
			splicer := a.Fork()

			splice := splicer.Begin().Splice(r, nil, target, nil, 10, 0)
			Expect(splice).To(Block())
			Must(a.Write(w, []byte("abc")))
			Expect(splice).To(Return(3))
			Expect(arrived()).To(Equal("abc"))
		})

		Clause("splice.empty-pipe-blocked-eof", into.kind, func() {
			a := actor.New()
			r, w := a.Pipe(0)
			target, arrived := into.open(a)
			splicer := a.Fork()
			Must(splicer.Close(w))

			splice := splicer.Begin().Splice(r, nil, target, nil, 10, 0)
			Expect(splice).To(Block())
			Must(a.Close(w))
			Expect(splice).To(Return(0))
			Expect(arrived()).To(BeEmpty())
		})

		Clause("splice.nonblock-flag-empty-eagain", into.kind, func() {
			a := actor.New()
			r, _ := a.Pipe(0)
			target, arrived := into.open(a)

			Expect(a.Splice(r, nil, target, nil, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
			Expect(arrived()).To(BeEmpty())
		})
	}

	for _, from := range []spliceSource{fromPipe, fromFile} {
		Clause("splice.full-pipe-blocks", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			r, w := a.Pipe(0)
			old := a.Fill(w)
			splicer := a.Fork()

			splice := splicer.Begin().Splice(source, nil, w, nil, 3, 0)
			Expect(splice).To(Block())
			Must(a.Read(r, old))
			Expect(splice).To(Return(3))
			Expect(restOf(a, r)).To(Equal("abc"))
			Expect(left()).To(BeEmpty())
		})

		Clause("splice.nonblock-flag-full-eagain", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			r, w := a.Pipe(0)
			old := a.Fill(w)

			Expect(a.Splice(source, nil, w, nil, 3, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
			Expect(left()).To(Equal("abc"))
			Expect(restOf(a, r)).To(HaveLen(old))
		})
	}

	Clause("splice.empty-socket-blocks", func() {
		a := actor.New()
		socket, peer := socketPair(a)
		r, w := a.Pipe(0)
		splicer := a.Fork()

		splice := splicer.Begin().Splice(socket, nil, w, nil, 10, 0)
		Expect(splice).To(Block())
		Must(a.Write(peer, []byte("abc")))
		Expect(splice).To(Return(3))
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("splice.full-socket-blocks", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		socket, peer := a.Sockets(unix.SOCK_SEQPACKET)
		old := a.Fill(socket)
		splicer := a.Fork()

		splice := splicer.Begin().Splice(pipe, nil, socket, nil, 3, 0)
		Expect(splice).To(Block())
		for old > 0 {
			old -= Must(a.Read(peer, old))
		}
		Expect(splice).To(Return(3))
		Expect(restOf(a, peer)).To(Equal("abc"))
		Expect(left()).To(BeEmpty())
	})

	Clause("splice.nonblock-flag-empty-eagain", "offsets", func() {
		a := actor.New()
		r, _ := a.Pipe(0)
		file := spliceFile(a, "abcdef", unix.O_RDWR)
		Must(a.Lseek(file, 2, unix.SEEK_SET))
		off := a.Offset(4)

		Expect(a.Splice(r, nil, file, nil, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(a.Splice(r, nil, file, off, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(off.Uint64(0)).To(BeEquivalentTo(4))
		Expect(fileOffset(a, file)).To(Equal(2))
	})

	Clause("splice.nonblock-flag-full-eagain", "offsets", func() {
		a := actor.New()
		_, w := a.Pipe(0)
		a.Fill(w)
		file := spliceFile(a, "abcdef", unix.O_RDONLY)
		Must(a.Lseek(file, 2, unix.SEEK_SET))
		off := a.Offset(4)

		Expect(a.Splice(file, nil, w, nil, 2, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(a.Splice(file, off, w, nil, 2, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(off.Uint64(0)).To(BeEquivalentTo(4))
		Expect(fileOffset(a, file)).To(Equal(2))
	})

	for _, ends := range []struct {
		name    string
		in, out int
	}{
		{"O_NONBLOCK on the source", unix.O_NONBLOCK, 0},
		{"O_NONBLOCK on the target", 0, unix.O_NONBLOCK},
	} {
		Clause("splice.o-nonblock-empty-eagain", ends.name, func() {
			a := actor.New()
			r, _ := a.Pipe(ends.in)
			r2, w2 := a.Pipe(ends.out)

			Expect(a.Splice(r, nil, w2, nil, 10, 0)).To(FailWith(unix.EAGAIN))
			Expect(restOf(a, r2)).To(BeEmpty())
		})

		Clause("splice.o-nonblock-full-eagain", ends.name, func() {
			a := actor.New()
			r, w := a.Pipe(ends.in)
			Must(a.Write(w, []byte("abc")))
			r2, w2 := a.Pipe(ends.out)
			old := a.Fill(w2)

			Expect(a.Splice(r, nil, w2, nil, 3, 0)).To(FailWith(unix.EAGAIN))
			Expect(restOf(a, r)).To(Equal("abc"))
			Expect(restOf(a, r2)).To(HaveLen(old))
		})
	}

	Clause("splice.o-nonblock-empty-eagain", "into a file", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_NONBLOCK)
		file, arrived := intoFile.open(a)

		Expect(a.Splice(r, nil, file, nil, 10, 0)).To(FailWith(unix.EAGAIN))
		Expect(arrived()).To(BeEmpty())
	})

	Clause("splice.o-nonblock-full-eagain", "from a file", func() {
		a := actor.New()
		file, left := fromFile.open(a, "abc")
		_, w := a.Pipe(unix.O_NONBLOCK)
		a.Fill(w)

		Expect(a.Splice(file, nil, w, nil, 3, 0)).To(FailWith(unix.EAGAIN))
		Expect(left()).To(Equal("abc"))
	})

	Clause("splice.o-nonblock-empty-socket-eagain", func() {
		a := actor.New()
		socket, _ := socketPair(a)
		Must(a.Fcntl(socket, unix.F_SETFL, unix.O_NONBLOCK))
		r, w := a.Pipe(0)

		Expect(a.Splice(socket, nil, w, nil, 10, 0)).To(FailWith(unix.EAGAIN))
		Expect(restOf(a, r)).To(BeEmpty())
	})

	Clause("splice.o-nonblock-full-socket-eagain", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		socket, peer := a.Sockets(unix.SOCK_SEQPACKET | unix.SOCK_NONBLOCK)
		old := a.Fill(socket)

		Expect(a.Splice(pipe, nil, socket, nil, 3, 0)).To(FailWith(unix.EAGAIN))
		Expect(left()).To(Equal("abc"))
		Expect(restOf(a, peer)).To(HaveLen(old))
	})

	for _, into := range []spliceTarget{intoPipe, intoFile, intoSocket} {
		Clause("splice.nonblock-flag-ready", into.kind, func() {
			a := actor.New()
			pipe, left := fromPipe.open(a, "abcdef")
			target, arrived := into.open(a)

			Expect(a.Splice(pipe, nil, target, nil, 4, unix.SPLICE_F_NONBLOCK)).To(Return(4))
			Expect(arrived()).To(Equal("abcd"))
			Expect(left()).To(Equal("ef"))
		})
	}

	for _, from := range []spliceSource{fromFile, fromSocket} {
		Clause("splice.nonblock-flag-ready", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abcdef")
			pipe, arrived := intoPipe.open(a)

			Expect(a.Splice(source, nil, pipe, nil, 4, unix.SPLICE_F_NONBLOCK)).To(Return(4))
			Expect(arrived()).To(Equal("abcd"))
			Expect(left()).To(Equal("ef"))
		})
	}

	Clause("splice.nonblock-flag-per-call", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		r2, w2 := a.Pipe(0)
		splicer := a.Fork()

		Expect(splicer.Splice(r, nil, w2, nil, 10, unix.SPLICE_F_NONBLOCK)).To(FailWith(unix.EAGAIN))
		Expect(Must(a.Fcntl(r, unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())
		Expect(Must(a.Fcntl(w2, unix.F_GETFL, 0)) & unix.O_NONBLOCK).To(BeZero())
		splice := splicer.Begin().Splice(r, nil, w2, nil, 10, 0)
		Expect(splice).To(Block())
		Must(a.Write(w, oneByte))
		Expect(splice).To(Return(1))
		Expect(restOf(a, r2)).To(Equal("x"))
	})
})

var _ = Describe("splice into a pipe without readers", func() {
	for _, from := range []spliceSource{fromPipe, fromFile} {
		Clause("splice.no-readers-sigpipe", from.kind, func() {
			a := actor.New()
			source, _ := from.open(a, "abc")
			r, w := a.Pipe(0)
			Must(a.Close(r))

			Expect(a.Begin().Splice(source, nil, w, nil, 3, 0)).To(BeKilledBy(unix.SIGPIPE))
		})

		Clause("splice.no-readers-epipe", from.kind, func() {
			a := actor.New()
			a.Ignore(unix.SIGPIPE)
			source, left := from.open(a, "abc")
			r, w := a.Pipe(0)
			Must(a.Close(r))

			Expect(a.Splice(source, nil, w, nil, 3, 0)).To(FailWith(unix.EPIPE))
			Expect(left()).To(Equal("abc"))
		})

		Clause("splice.blocked-epipe", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			r, w := a.Pipe(0)
			a.Fill(w)
			splicer := a.Fork()
			splicer.Ignore(unix.SIGPIPE)
			Must(splicer.Close(r))

			splice := splicer.Begin().Splice(source, nil, w, nil, 3, 0)
			Expect(splice).To(Block())
			Must(a.Close(r))
			Expect(splice).To(FailWith(unix.EPIPE))
			Expect(left()).To(Equal("abc"))
		})
	}
})

var _ = Describe("The hints of splice", func() {
	for _, hint := range []struct {
		id    string
		flag  uint
		pairs []splicePair
	}{
		{"splice.move-accepted", unix.SPLICE_F_MOVE, []splicePair{
			{fromPipe, intoPipe}, {fromPipe, intoFile}, {fromFile, intoPipe},
		}},
		{"splice.more-accepted", unix.SPLICE_F_MORE, []splicePair{
			{fromPipe, intoPipe}, {fromPipe, intoFile}, {fromPipe, intoSocket}, {fromFile, intoPipe},
		}},
		{"splice.gift-ignored", unix.SPLICE_F_GIFT, []splicePair{
			{fromPipe, intoPipe}, {fromPipe, intoFile}, {fromFile, intoPipe},
		}},
	} {
		for _, pair := range hint.pairs {
			Clause(hint.id, pair.from.kind+" "+pair.into.kind, func() {
				a := actor.New()
				data := countUp(3*page + 10)
				source, left := pair.from.open(a, data)
				target, arrived := pair.into.open(a)

				Expect(a.Splice(source, nil, target, nil, 2*page, hint.flag)).To(Return(2*page), "whole pages")
				Expect(a.Splice(source, nil, target, nil, 100, hint.flag)).To(Return(100), "part of a page")
				Expect(arrived()).To(Equal(data[:2*page+100]))
				Expect(left()).To(Equal(data[2*page+100:]))
			})
		}
	}

	Clause("splice.more-tcp-complete", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abcdef")))
		client, server := loopbackTCP(a)

		Expect(a.Splice(r, nil, client, nil, 2, unix.SPLICE_F_MORE)).To(Return(2))
		Expect(a.Splice(r, nil, client, nil, 3, unix.SPLICE_F_MORE)).To(Return(3))
		Expect(a.Splice(r, nil, client, nil, 1, 0)).To(Return(1))
		received := a.Alloc(6)
		Expect(a.Raw(unix.SYS_RECVFROM, server, received, 6, unix.MSG_WAITALL, nil, nil)).To(Return(6))
		Expect(string(received.Bytes())).To(Equal("abcdef"))
	})

	for _, from := range []spliceSource{fromPipe, fromFile} {
		Clause("splice.unknown-flag-einval", from.kind, func() {
			a := actor.New()
			source, left := from.open(a, "abc")
			pipe, arrived := intoPipe.open(a)

			for _, flags := range undefinedSpliceFlags {
				Expect(a.Splice(source, nil, pipe, nil, 3, flags)).To(FailWith(unix.EINVAL))
			}
			Expect(left()).To(Equal("abc"))
			Expect(arrived()).To(BeEmpty())
		})
	}
})

type splicePair struct {
	from spliceSource
	into spliceTarget
}

// loopbackTCP connects two TCP sockets over the loopback interface.
func loopbackTCP(a *actor.Actor) (client, server int) {
	// struct sockaddr_in: AF_INET in host order, any port, 127.0.0.1.
	address := a.Bytes([]byte{0, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	address.PutUint16(0, unix.AF_INET)
	length := a.Alloc(4)
	length.PutUint32(0, 16)

	listener := Must(a.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	Must(a.Raw(unix.SYS_BIND, listener, address, 16))
	Must(a.Raw(unix.SYS_LISTEN, listener, 1))
	Must(a.Raw(unix.SYS_GETSOCKNAME, listener, address, length)) // the port that it got
	client = Must(a.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	Must(a.Raw(unix.SYS_CONNECT, client, address, 16))
	server = Must(a.Raw(unix.SYS_ACCEPT4, listener, nil, nil, 0))
	return client, server
}

var _ = Describe("The descriptors of splice", func() {
	Clause("splice.not-open-ebadf", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		target, arrived := intoPipe.open(a)
		closed := Must(a.Dup(pipe))
		Must(a.Close(closed))

		for _, bad := range []int{closed, -1} {
			Expect(a.Splice(bad, nil, target, nil, 3, 0)).To(FailWith(unix.EBADF))
			Expect(a.Splice(pipe, nil, bad, nil, 3, 0)).To(FailWith(unix.EBADF))
			Expect(a.Splice(bad, nil, bad, nil, 3, 0)).To(FailWith(unix.EBADF))
		}
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
	})

	Clause("splice.in-write-only-ebadf", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Must(a.Write(w, []byte("abc")))
		file := spliceFile(a, "abc", unix.O_WRONLY)
		target, arrived := intoPipe.open(a)

		Expect(a.Splice(w, nil, target, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Splice(file, nil, target, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Splice(file, a.Offset(0), target, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(arrived()).To(BeEmpty())
		Expect(restOf(a, r)).To(Equal("abc"))
		Expect(fileOffset(a, file)).To(BeZero())
	})

	Clause("splice.out-read-only-ebadf", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		r, _ := a.Pipe(0)
		file := spliceFile(a, "old", unix.O_RDONLY)

		Expect(a.Splice(pipe, nil, r, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Splice(pipe, nil, file, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Splice(pipe, nil, file, a.Offset(0), 3, 0)).To(FailWith(unix.EBADF))
		Expect(left()).To(Equal("abc"))
		Expect(restOf(a, r)).To(BeEmpty())
		Expect(restOf(a, file)).To(Equal("old"))
	})

	Clause("splice.o-path-ebadf", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		target, arrived := intoPipe.open(a)
		file := spliceFile(a, "old", unix.O_PATH)

		Expect(a.Splice(pipe, nil, file, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(a.Splice(file, nil, target, nil, 3, 0)).To(FailWith(unix.EBADF))
		Expect(left()).To(Equal("abc"))
		Expect(arrived()).To(BeEmpty())
	})

	for _, pair := range []splicePair{
		{fromFile, intoFile}, {fromFile, intoSocket}, {fromSocket, intoFile}, {fromSocket, intoSocket},
	} {
		Clause("splice.no-pipe-einval", pair.from.kind+" "+pair.into.kind, func() {
			a := actor.New()
			source, left := pair.from.open(a, "abc")
			target, arrived := pair.into.open(a)

			Expect(a.Splice(source, nil, target, nil, 3, 0)).To(FailWith(unix.EINVAL))
			Expect(left()).To(Equal("abc"))
			Expect(arrived()).To(BeEmpty())
		})
	}

	Clause("splice.same-pipe-einval", func() {
		a := actor.New()
		r, w := a.Pipe(0)

		Expect(a.Splice(r, nil, w, nil, 3, 0)).To(FailWith(unix.EINVAL), "an empty pipe")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Splice(r, nil, w, nil, 3, 0)).To(FailWith(unix.EINVAL), "a pipe with data")
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("splice.same-fifo-einval", func() {
		a := actor.New()
		r, w := spliceFIFO(a)

		Expect(a.Splice(r, nil, w, nil, 3, 0)).To(FailWith(unix.EINVAL), "an empty FIFO")
		Must(a.Write(w, []byte("abc")))
		Expect(a.Splice(r, nil, w, nil, 3, 0)).To(FailWith(unix.EINVAL), "a FIFO with data")
		Expect(restOf(a, r)).To(Equal("abc"))
	})

	Clause("splice.append-target-einval", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		file := spliceFile(a, "old", unix.O_RDWR|unix.O_APPEND)
		off := a.Offset(1)

		Expect(a.Splice(pipe, nil, file, nil, 3, 0)).To(FailWith(unix.EINVAL))
		Expect(a.Splice(pipe, nil, file, off, 3, 0)).To(FailWith(unix.EINVAL))
		Expect(left()).To(Equal("abc"))
		Expect(off.Uint64(0)).To(BeEquivalentTo(1))
		Expect(restOf(a, file)).To(Equal("old"))
	})

	Clause("splice.append-follows-setfl", func() {
		a := actor.New()
		pipe, _ := fromPipe.open(a, "abc")
		file := spliceFile(a, "old", unix.O_RDWR)

		Must(a.Fcntl(file, unix.F_SETFL, unix.O_APPEND))
		Expect(a.Splice(pipe, nil, file, nil, 1, 0)).To(FailWith(unix.EINVAL))
		Must(a.Fcntl(file, unix.F_SETFL, 0))
		Expect(a.Splice(pipe, nil, file, nil, 1, 0)).To(Return(1))
		Expect(a.Pread64(file, 10, 0)).To(ReturnData("ald"))
	})

	Clause("splice.append-source", func() {
		a := actor.New()
		file := spliceFile(a, "abcdef", unix.O_RDWR|unix.O_APPEND)
		pipe, arrived := intoPipe.open(a)

		Expect(a.Splice(file, nil, pipe, nil, 4, 0)).To(Return(4))
		Expect(arrived()).To(Equal("abcd"))
		Expect(restOf(a, file)).To(Equal("ef"))
	})

	Clause("splice.unsupported-target-einval", func() {
		a := actor.New()
		pipe, left := fromPipe.open(a, "abc")
		epoll := Must(a.EpollCreate1(0))
		timer := Must(a.Raw(unix.SYS_TIMERFD_CREATE, unix.CLOCK_MONOTONIC, 0))

		Expect(a.Splice(pipe, nil, epoll, nil, 3, 0)).To(FailWith(unix.EINVAL))
		Expect(a.Splice(pipe, nil, timer, nil, 3, 0)).To(FailWith(unix.EINVAL))
		Expect(left()).To(Equal("abc"))
	})
})
