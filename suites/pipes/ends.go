package pipes

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// pipeBuf is PIPE_BUF, which is 4096 on Linux whatever the page size.
const pipeBuf = 4096

// page is what the kernel counts the capacity of a pipe in.
var page = os.Getpagesize()

// newPipe makes a pipe of either kind and returns its two ends, with the given O_NONBLOCK.
type newPipe func(a *actor.Actor, flags int) (r, w int)

// ofEachKind states a clause for pipes and for FIFOs: pipe(7) says that they differ in how they
// are made and opened only.
func ofEachKind(id string, check func(open newPipe)) {
	Clause(id, "pipe", ginkgo.Offset(1), func() { check((*actor.Actor).Pipe) })
	Clause(id, "FIFO", ginkgo.Offset(1), func() { check(openFIFO) })
}

// openFIFO makes a FIFO and opens both of its ends, which one process can do only with O_NONBLOCK.
func openFIFO(a *actor.Actor, flags int) (r, w int) {
	path := actor.TempDir() + "/fifo"
	Must(a.Mkfifo(path, 0o600))
	r = Must(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0))
	w = Must(a.Open(path, unix.O_WRONLY|flags, 0))
	Must(a.Fcntl(r, unix.F_SETFL, flags))
	return r, w
}

// noise returns n bytes that do not repeat; another seed gives others.
func noise(n int, seed uint64) []byte {
	source := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(source.Uint32())
	}
	return b
}

// contents takes out what is in a pipe and returns it, without waiting for more.
func contents(a *actor.Actor, r int) []byte {
	ginkgo.GinkgoHelper()
	flags := Must(a.Fcntl(r, unix.F_GETFL, 0))
	Must(a.Fcntl(r, unix.F_SETFL, flags|unix.O_NONBLOCK))
	var all []byte
	for {
		read := a.Read(r, 64<<10)
		if read.Errno() == unix.EAGAIN {
			break
		}
		n := Must(read)
		if n == 0 {
			break
		}
		Expect(n).To(Equal(len(read.Data())), "a read of %d bytes", 64<<10)
		all = append(all, read.Data()...)
	}
	Must(a.Fcntl(r, unix.F_SETFL, flags))
	return all
}

// unread is what FIONREAD says of the pipe.
func unread(a *actor.Actor, fd int) int {
	call := a.Fionread(fd)
	Must(call)
	return call.Int()
}

// expectBytes compares long runs of bytes and tells where they differ, rather than print them.
func expectBytes(got, want []byte) {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	ExpectWithOffset(1, bytes.Equal(got, want)).To(BeTrue(), func() string {
		return fmt.Sprintf("%d bytes came out of the pipe where there should be %d; the first %d are right", len(got), len(want), at)
	})
}

// flow joins parts of a stream.
func flow(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
