package pipes

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// send writes a text at once, as a step of the set-up.
func send(a *actor.Actor, w int, text string) {
	n := Must(a.Write(w, []byte(text)))
	Presuppose(n == len(text), "a write of %d bytes that writes them all; it wrote %d", len(text), n)
}

// readPackets reads with buffers of size n until the pipe, which is in non-blocking mode, is empty,
// and returns what each read got.
func readPackets(a *actor.Actor, r, n int) [][]byte {
	GinkgoHelper()
	var all [][]byte
	for {
		read := a.Read(r, n)
		if read.Errno() == unix.EAGAIN {
			return all
		}
		Expect(read).To(ReturnSuccess())
		Expect(read.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", n)), "bytes read")
		all = append(all, read.Data())
	}
}

var _ = Describe("A pipe in packet mode", func() {
	Clause("pipe2.packet-created", func() {
		a := actor.New()
		_, w := makePipe(a, unix.O_DIRECT)
		Expect(hasFlag(a, w, unix.O_DIRECT)).To(BeTrue(), "O_DIRECT of the write end")
	})

	Clause("pipe2.packet-one-read-one-write", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		Expect(a.Write(w, []byte("first"))).To(Return(5))
		Expect(a.Write(w, []byte("2nd"))).To(Return(3))
		Expect(a.Write(w, []byte("the third"))).To(Return(9))
		Expect(a.Read(r, 100)).To(ReturnData("first"))
		Expect(a.Read(r, 100)).To(ReturnData("2nd"))
		Expect(a.Read(r, 100)).To(ReturnData("the third"))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.packet-equal-writes-stay-apart", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		for i := range 10 {
			Expect(a.Write(w, []byte{'0' + byte(i)})).To(Return(1))
		}
		for i := range 10 {
			Expect(a.Read(r, 100)).To(ReturnData([]byte{'0' + byte(i)}))
		}
	})

	Clause("pipe2.packet-writers-stay-apart", func() {
		reader := actor.New()
		r, w := reader.Pipe(unix.O_DIRECT)
		one, other := reader.Fork(), reader.Fork()
		Expect(one.Write(w, []byte("one"))).To(Return(3))
		Expect(other.Write(w, []byte("other"))).To(Return(5))
		Expect(one.Write(w, []byte("one more"))).To(Return(8))
		Expect(reader.Read(r, 100)).To(ReturnData("one"))
		Expect(reader.Read(r, 100)).To(ReturnData("other"))
		Expect(reader.Read(r, 100)).To(ReturnData("one more"))
	})

	Clause("pipe2.packet-writev-is-one", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		Expect(a.Writev(w, []byte("ab"), []byte("c"), nil, []byte("def"))).To(Return(6))
		send(a, w, "next")
		Expect(a.Read(r, 100)).To(ReturnData("abcdef"))

		data := noise(pipeBuf, 1)
		Must(a.Read(r, 100))
		Expect(a.Writev(w, data[:1000], data[1000:])).To(Return(pipeBuf))
		Expect(a.Read(r, 2*pipeBuf)).To(ReturnData(data))
	})

	Clause("pipe2.packet-readv-reads-one", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "abcdefgh")
		send(a, w, "next")
		Expect(a.Readv(r, 3, 3, 100)).To(ReturnData("abcdefgh"))
		Expect(a.Readv(r, 3, 3, 100)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-read-blocks-then-gets-one", func() {
		reader := actor.New()
		r, w := reader.Pipe(unix.O_DIRECT)
		writer := reader.Fork()
		read := reader.Begin().Read(r, 100)
		Expect(read).To(Block())
		send(writer, w, "first")
		send(writer, w, "second")
		Expect(read).To(ReturnData("first"))
		Expect(reader.Read(r, 100)).To(ReturnData("second"))
	})

	Clause("pipe2.packet-end-of-file-after-last", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "last")
		send(a, w, "but one")
		Must(a.Close(w))
		Expect(a.Read(r, 100)).To(ReturnData("last"))
		Expect(a.Read(r, 100)).To(ReturnData("but one"))
		Expect(a.Read(r, 100)).To(Return(0))
	})
})

var _ = Describe("The size of a packet", func() {
	Clause("pipe2.packet-below-pipe-buf", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		data := noise(pipeBuf-1, 1)
		Expect(a.Write(w, data)).To(Return(len(data)))
		send(a, w, "next")
		Expect(a.Read(r, 2*pipeBuf)).To(ReturnData(data))
		Expect(a.Read(r, 2*pipeBuf)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-of-pipe-buf", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		data := noise(pipeBuf, 1)
		Expect(a.Write(w, data)).To(Return(len(data)))
		send(a, w, "next")
		Expect(a.Read(r, 2*pipeBuf)).To(ReturnData(data))
		Expect(a.Read(r, 2*pipeBuf)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-above-pipe-buf-is-split", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		data := noise(pipeBuf+1, 1)
		Expect(a.Write(w, data)).To(Return(len(data)))
		parts := readPackets(a, r, 2*pipeBuf)
		Expect(len(parts)).To(BeNumerically(">", 1), "number of packets")
		Expect(bytes.Join(parts, nil)).To(Equal(data))
	})

	Clause("pipe2.packet-writev-above-pipe-buf-is-split", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		data := noise(pipeBuf+1, 1)
		Expect(a.Writev(w, data[:5], data[5:3000], data[3000:])).To(Return(len(data)))
		parts := readPackets(a, r, 2*pipeBuf)
		Expect(len(parts)).To(BeNumerically(">", 1), "number of packets")
		Expect(bytes.Join(parts, nil)).To(Equal(data))
	})

	Clause("pipe2.packet-none-above-pipe-buf", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		for _, n := range []int{1, pipeBuf, pipeBuf + 1, 2 * pipeBuf, 3*pipeBuf + 17} {
			Expect(a.Write(w, noise(n, 1))).To(Return(n))
			packets := readPackets(a, r, 4*pipeBuf)
			for _, packet := range packets {
				Expect(len(packet)).To(BeNumerically("<=", pipeBuf), "size of a packet of a write of %d bytes", n)
			}
			expectBytes(bytes.Join(packets, nil), noise(n, 1))
		}
	})

	Clause("pipe2.packet-pipe-buf-suffices", func() {
		reader := actor.New()
		r, w := reader.Pipe(unix.O_DIRECT)
		writer := reader.Fork()
		Must(reader.Close(w))
		data := noise(capacityOf(writer, w)+3*pipeBuf+7, 1)
		write := writer.Begin().Write(w, data)
		Expect(write).To(Block())

		var got []byte
		for len(got) < len(data) {
			read := reader.Read(r, pipeBuf)
			Expect(read).To(ReturnSuccess())
			Expect(read.Value()).To(And(BeNumerically(">", 0), BeNumerically("<=", pipeBuf)), "bytes read")
			got = append(got, read.Data()...)
		}
		Expect(got).To(Equal(data))
		Expect(write).To(Return(len(data)))
	})
})

var _ = Describe("A short read in packet mode", func() {
	Clause("pipe2.packet-short-read-gets-what-it-asked", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "abcdefgh")
		Expect(a.Read(r, 3)).To(ReturnData("abc"))
		send(a, w, "abcdefgh")
		Expect(a.Read(r, 7)).To(ReturnData("abcdefg"))
	})

	Clause("pipe2.packet-short-read-discards-rest", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		for _, packet := range []string{"one long packet", "another", "third"} {
			send(a, w, packet)
		}
		Expect(a.Read(r, 1)).To(ReturnData("o"))
		Expect(a.Read(r, 6)).To(ReturnData("anothe"))
		Expect(a.Read(r, 100)).To(ReturnData("third"))
	})

	Clause("pipe2.packet-short-readv-discards-rest", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "abcdefgh")
		send(a, w, "next")
		Expect(a.Readv(r, 2, 3)).To(ReturnData("abcde"))
		Expect(a.Read(r, 100)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-short-read-of-last-empties", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		send(a, w, "abcdefgh")
		Expect(a.Read(r, 3)).To(ReturnData("abc"))
		count := a.Fionread(r)
		Expect(count).To(Return(0))
		Expect(count.Int()).To(Equal(0), "FIONREAD")
		poll := a.Poll(0, actor.PollFD{FD: r, Events: unix.POLLIN})
		Expect(poll).To(Return(0))
		Expect(poll.Revents()[0]).To(BeZero())
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.packet-exact-read-keeps-next", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "abcd")
		send(a, w, "next")
		Expect(a.Read(r, 4)).To(ReturnData("abcd"))
		Expect(a.Read(r, 100)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-zero-write-adds-none", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT | unix.O_NONBLOCK)
		Expect(a.Write(w, nil)).To(Return(0))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
		Expect(a.Write(w, []byte("one"))).To(Return(3))
		Expect(a.Write(w, nil)).To(Return(0))
		Expect(a.Write(w, []byte("two"))).To(Return(3))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(a.Read(r, 100)).To(ReturnData("two"))
	})

	Clause("pipe2.packet-zero-read-keeps-packet", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "whole")
		send(a, w, "next")
		Expect(a.Read(r, 0)).To(Return(0))
		Expect(a.Read(r, 100)).To(ReturnData("whole"))
		Expect(a.Read(r, 0)).To(Return(0))
		Expect(a.Read(r, 100)).To(ReturnData("next"))
	})

	Clause("pipe2.packet-zero-read-does-not-block", func() {
		a := actor.New()
		r, _ := a.Pipe(unix.O_DIRECT)
		Expect(a.Read(r, 0)).To(Return(0))
	})
})

var _ = Describe("O_DIRECT by F_SETFL", func() {
	Clause("pipe2.packet-setfl-on", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Write(w, []byte("st"))).To(Return(2))
		Expect(a.Write(w, []byte("ream"))).To(Return(4))
		Expect(a.Read(r, 100)).To(ReturnData("stream"))

		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
		Expect(a.Write(w, []byte("one"))).To(Return(3))
		Expect(a.Write(w, []byte("two"))).To(Return(3))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(a.Read(r, 1)).To(ReturnData("t"))
		Expect(a.Write(w, []byte("three"))).To(Return(5))
		Expect(a.Read(r, 100)).To(ReturnData("three"))
	})

	Clause("pipe2.packet-setfl-on-behind-data", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		Expect(a.Write(w, []byte("stream"))).To(Return(6))

		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
		Expect(a.Write(w, []byte("one"))).To(Return(3))
		Expect(a.Write(w, []byte("two"))).To(Return(3))
		Expect(a.Read(r, 6)).To(ReturnData("stream"))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(a.Read(r, 100)).To(ReturnData("two"))
	})

	Clause("pipe2.packet-setfl-off", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		Expect(a.Write(w, []byte("st"))).To(Return(2))
		Expect(a.Write(w, []byte("ream"))).To(Return(4))
		Expect(a.Read(r, 3)).To(ReturnData("str"))
		Expect(a.Read(r, 100)).To(ReturnData("eam"))
	})

	Clause("pipe2.packet-setfl-off-keeps-packets", func() {
		a := actor.New()
		r, w := a.Pipe(unix.O_DIRECT)
		send(a, w, "one")
		send(a, w, "two")
		Expect(a.Fcntl(w, unix.F_SETFL, 0)).To(Return(0))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(a.Read(r, 100)).To(ReturnData("two"))
	})

	Clause("pipe2.packet-setfl-shown-by-getfl", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		for _, fd := range []int{r, w} {
			Expect(hasFlag(a, fd, unix.O_DIRECT)).To(BeFalse(), "O_DIRECT before")
			Expect(a.Fcntl(fd, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
			Expect(hasFlag(a, fd, unix.O_DIRECT)).To(BeTrue(), "O_DIRECT when set")
			Expect(a.Fcntl(fd, unix.F_SETFL, 0)).To(Return(0))
			Expect(hasFlag(a, fd, unix.O_DIRECT)).To(BeFalse(), "O_DIRECT when taken away")
		}
	})

	Clause("pipe2.packet-setfl-on-fifo", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		r := Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
		w := Must(a.Open(path, unix.O_WRONLY, 0))
		Expect(a.Fcntl(w, unix.F_SETFL, unix.O_DIRECT)).To(Return(0))
		Expect(a.Write(w, []byte("one"))).To(Return(3))
		Expect(a.Write(w, []byte("two"))).To(Return(3))
		Expect(a.Read(r, 100)).To(ReturnData("one"))
		Expect(a.Read(r, 2)).To(ReturnData("tw"))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
	})
})
