package chardev

import (
	"runtime"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("read from a channel", func() {
	Clause("channel.read-waits", func() {
		writer, reader := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		r := openChannel(reader, 0, unix.O_RDONLY)
		for _, text := range []string{"one", "two", "three"} {
			read := reader.Begin().Read(r, 10)
			Expect(read).To(Block())
			Must(writer.Pwrite64(w, []byte(text), 0))
			Expect(read).To(ReturnData(text))
		}
	})

	Clause("channel.read-fresh-at-once", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Pwrite64(fd, []byte("here"), 0))
		Expect(a.Read(fd, 10)).To(ReturnData("here"))
	})

	Clause("channel.read-from-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, at := range []int{0, 1, 5, 9} {
			Must(a.Pwrite64(fd, []byte("0123456789"), 0))
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Read(fd, 100)).To(ReturnData("0123456789"[at:]))
		}
	})

	Clause("channel.read-at-most-what-was-asked", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, n := range []int{1, 4, 9, 10} {
			Must(a.Pwrite64(fd, []byte("0123456789"), 0))
			buffer := a.Bytes([]byte("############"))
			Expect(a.ReadInto(fd, buffer, n)).To(Return(n))
			Expect(string(buffer.Bytes())).To(Equal("0123456789"[:n] + "############"[n:]))
		}
	})

	Clause("channel.read-not-past-end", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Pwrite64(fd, noise(channelSize, 5), 0))
		Must(a.Pwrite64(fd, []byte("short"), 0))
		buffer := a.Bytes(noise(channelSize+100, 6))
		Expect(a.ReadInto(fd, buffer, channelSize+100)).To(Return(5))
		Expect(string(buffer.Bytes()[:5])).To(Equal("short"))
		Expect(slices.Equal(buffer.Bytes()[5:], noise(channelSize+100, 6)[5:])).To(BeTrue())
	})

	Clause("channel.read-zero-bytes-are-data", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, text := range []string{"a\x00b", "\x00", "\x00\x00x\x00", "x\x00"} {
			Expect(a.Pwrite64(fd, []byte(text), 0)).To(Return(len(text)))
			Expect(lengthOf(a, fd)).To(Equal(len(text)))
			Expect(a.Read(fd, 100)).To(ReturnData(text))
		}
	})

	Clause("channel.read-keeps-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, at := range []int{0, 3, 6} {
			Must(a.Pwrite64(fd, []byte("012345"), 0))
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Read(fd, 2)).To(ReturnData("012345"[at:min(6, at+2)]))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(at))
			if at == 6 {
				Must(a.Pread64(fd, 1, 0))
			}
		}
	})

	Clause("channel.read-makes-stale", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		Expect(a.Read(fd, 10)).To(ReturnData("0123456789"))
		Expect(fresh(a, fd)).To(BeFalse())
		Expect(a.Read(fd, 10)).To(FailWith(unix.EAGAIN))
		expectMessage(a, 0, "0123456789")
	})

	Clause("channel.read-of-a-part-makes-stale", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		for _, n := range []int{1, 5, 9} {
			Must(a.Pwrite64(fd, []byte("0123456789"), 0))
			Expect(a.Read(fd, n)).To(ReturnData("0123456789"[:n]))
			Expect(fresh(a, fd)).To(BeFalse())
			Expect(a.Pread64(fd, 10, int64(n))).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("channel.read-eagain", "open", func() {
		a := actor.New()
		newChannel(a, 0, unix.O_RDWR)
		fd := openChannel(a, 0, unix.O_RDONLY|unix.O_NONBLOCK)
		for _, at := range []int64{0, 10, channelSize} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Read(fd, 10)).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("channel.read-eagain", "F_SETFL", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK))
		Expect(a.Read(fd, 10)).To(FailWith(unix.EAGAIN))
		// O_NONBLOCK is the open file description's own.
		read := other.Begin().Read(openChannel(other, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Must(a.Fcntl(fd, unix.F_SETFL, 0))
		Must(a.Pwrite64(fd, []byte("x"), 0))
		Expect(read).To(ReturnData("x"))
		again := a.Begin().Read(fd, 10)
		Expect(again).To(Block())
		Must(other.Pwrite64(openChannel(other, 0, unix.O_WRONLY), []byte("y"), 0))
		Expect(again).To(ReturnData("y"))
	})

	Clause("channel.readers-one-gets-it", func() {
		writer := actor.New()
		w := newChannel(writer, 0, unix.O_RDWR|unix.O_NONBLOCK)
		var reads []*actor.Call
		for range 4 {
			reader := actor.New()
			reads = append(reads, reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10))
		}
		for _, read := range reads {
			Expect(read).To(Block())
		}
		messages := []string{"a", "bb", "ccc", "dddd"}
		for _, text := range messages {
			Expect(writer.Pwrite64(w, []byte(text), 0)).To(Return(len(text)))
			becomesStale(writer, w)
			Expect(writer.Pread64(w, 10, 0)).To(FailWith(unix.EAGAIN))
		}
		var got []string
		for _, read := range reads {
			Expect(read).To(ReturnSuccess())
			got = append(got, string(read.Data()))
		}
		Expect(got).To(ConsistOf(messages))
	})

	Clause("channel.readers-others-wait-on", func() {
		writer := actor.New()
		w := newChannel(writer, 0, unix.O_RDWR|unix.O_NONBLOCK)
		var reads []*actor.Call
		for range 3 {
			reader := actor.New()
			reads = append(reads, reader.Begin().Read(openChannel(reader, 0, unix.O_RDONLY), 10))
		}
		for _, read := range reads {
			Expect(read).To(Block())
		}
		for left := len(reads); left > 0; left-- {
			Must(writer.Pwrite64(w, []byte("x"), 0))
			becomesStale(writer, w)
			var waiting []*actor.Call
			for _, read := range reads {
				if read.Blocked() {
					waiting = append(waiting, read)
				} else {
					Expect(read).To(ReturnData("x"))
				}
			}
			Expect(waiting).To(HaveLen(left-1), "the reads that wait on")
			reads = waiting
		}
	})

	Clause("channel.readers-at-the-same-time", func() {
		writer, slow, quick := actor.New(), actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		s, q := openChannel(slow, 0, unix.O_RDONLY), openChannel(quick, 0, unix.O_RDONLY|unix.O_NONBLOCK)
		// To store into many pages that are not there yet takes a reader a while.
		const parts = 1024
		for round := range 3 {
			pages := mapping(slow.Mmap(0, parts*unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0))
			vector := slow.Alloc(16 * parts)
			// The first part is where it can be seen that the reader has begun.
			first := slow.Alloc(channelSize / parts)
			for i := range parts {
				vector.PutUint64(16*i, pages.Addr+uint64(i*unix.Getpagesize()))
				vector.PutUint64(16*i+8, channelSize/parts)
			}
			vector.PutUint64(0, first.Addr)
			data := noise(channelSize, round)
			Must(writer.Pwrite64(w, data, 0))
			read := slow.Begin().Raw(unix.SYS_READV, s, vector, parts)
			for first.Copy()[0] == 0 && !read.Done() {
				runtime.Gosched()
			}
			Expect(quick.Read(q, channelSize)).To(FailWith(unix.EAGAIN))
			Expect(read).To(Return(channelSize))
			Expect(first.Copy()).To(Equal(data[:channelSize/parts]))
			last := slow.Load(actor.Mem{Addr: pages.Addr + uint64((parts-1)*unix.Getpagesize())}, channelSize/parts)
			Must(last)
			Expect(last.Data()).To(Equal(data[channelSize-channelSize/parts:]))
			Expect(quick.Read(q, 1)).To(FailWith(unix.EAGAIN))
			Must(slow.Munmap(pages.Addr, parts*unix.Getpagesize()))
		}
	})

	Clause("channel.readers-race", func() {
		writer := actor.New()
		w := newChannel(writer, 0, unix.O_RDWR|unix.O_NONBLOCK)
		var readers []*actor.Actor
		var fds []int
		for range 3 {
			reader := actor.New()
			readers = append(readers, reader)
			fds = append(fds, openChannel(reader, 0, unix.O_RDONLY|unix.O_NONBLOCK))
		}
		for round := range 60 {
			data := noise(1000, round)
			Must(writer.Pwrite64(w, data, 0))
			var reads []*actor.Call
			for i, reader := range readers {
				reads = append(reads, reader.Begin().Read(fds[i], 1000))
			}
			got := 0
			for _, read := range reads {
				if read.Wait().OK() {
					Expect(read).To(ReturnData(data))
					got++
				} else {
					Expect(read).To(FailWith(unix.EAGAIN))
				}
			}
			Expect(got).To(Equal(1), "the readers that got the message")
		}
	})

	Clause("channel.readers-not-more-than-messages", func() {
		const rounds = 2000
		writer, closer := actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_WRONLY)
		last := openChannel(closer, 0, unix.O_WRONLY)
		var reads []*actor.Call
		for range 2 {
			reader := actor.New()
			reader.Handle(unix.SIGUSR1, 0)
			reads = append(reads, reader.Begin().Repeat(10*rounds).Read(openChannel(reader, 0, unix.O_RDONLY), 10))
		}
		writes := writer.Repeat(rounds).Pwrite64(w, []byte("x"), 0)
		Expect(writes).To(Return(1))
		Expect(writes.Count()).To(Equal(rounds))
		becomesStale(closer, last)
		total := 0
		for _, read := range reads {
			for !read.Done() {
				Must(closer.Kill(read.Actor().PID(), unix.SIGUSR1))
			}
			Expect(read).To(FailWith(unix.EINTR))
			total += read.Count()
		}
		Expect(total).To(And(BeNumerically(">", 0), BeNumerically("<=", rounds)))
	})

	for _, leaver := range []string{"at the end", "bad pointer"} {
		Clause("channel.readers-wake-up-is-passed-on", leaver, func() {
			writer, first, second := actor.New(), actor.New(), actor.New()
			w := newChannel(writer, 0, unix.O_WRONLY)
			f, s := openChannel(first, 0, unix.O_RDONLY), openChannel(second, 0, unix.O_RDONLY)
			var leaves *actor.Call
			if leaver == "at the end" {
				Must(first.Lseek(f, 100, unix.SEEK_SET))
				leaves = first.Begin().Read(f, 10)
			} else {
				leaves = first.Begin().ReadInto(f, first.Unmapped(), 10)
			}
			Expect(leaves).To(Block())
			read := second.Begin().Read(s, 10)
			Expect(read).To(Block())
			Must(writer.Pwrite64(w, []byte("passed on"), 0))
			Expect(read).To(ReturnData("passed on"))
			// Whether the first one was asked at all before the second had the message is open.
			if !leaves.Done() {
				Must(writer.Pwrite64(w, []byte("more"), 0))
			}
			if leaver == "at the end" {
				Expect(leaves).To(Return(0))
			} else {
				Expect(leaves).To(FailWith(unix.EFAULT))
			}
		})
	}

	Clause("channel.readers-killed", func() {
		writer, first, second := actor.New(), actor.New(), actor.New()
		w := newChannel(writer, 0, unix.O_RDWR|unix.O_NONBLOCK)
		doomed := first.Begin().Read(openChannel(first, 0, unix.O_RDONLY), 10)
		Expect(doomed).To(Block())
		read := second.Begin().Read(openChannel(second, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Must(writer.Kill(first.PID(), unix.SIGTERM))
		Expect(doomed).To(BeKilledBy(unix.SIGTERM))
		Must(writer.Pwrite64(w, []byte("survived"), 0))
		Expect(read).To(ReturnData("survived"))
	})

	Clause("channel.read-at-end", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		for _, at := range []int64{10, 11, 4095, channelSize} {
			Must(a.Lseek(fd, at, unix.SEEK_SET))
			Expect(a.Read(fd, 10)).To(Return(0))
			Expect(fresh(a, fd)).To(BeTrue())
			Expect(a.Pread64(fd, 10, at+1)).To(Return(0))
		}
		Expect(a.Pread64(fd, 10, 1<<40)).To(Return(0))
		Expect(fresh(a, fd)).To(BeTrue())
		Expect(a.Pread64(fd, 20, 0)).To(ReturnData("0123456789"))
	})

	Clause("channel.read-at-end-waits-while-stale", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Lseek(fd, 50, unix.SEEK_SET))
		read := a.Begin().Read(fd, 10)
		Expect(read).To(Block())
		w := openChannel(other, 0, unix.O_RDWR)
		Must(other.Write(w, []byte("abc")))
		Expect(read).To(Return(0))
		Expect(other.Pread64(w, 10, 0)).To(ReturnData("abc"))
	})

	Clause("channel.read-zero-bytes", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Expect(a.Read(fd, 0)).To(Return(0))
		Must(a.Pwrite64(fd, []byte("kept"), 0))
		Expect(a.Read(fd, 0)).To(Return(0))
		Expect(a.Pread64(fd, 0, 2)).To(Return(0))
		Expect(fresh(a, fd)).To(BeTrue())
		Expect(a.Read(fd, 10)).To(ReturnData("kept"))
	})

	Clause("channel.readv", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		Expect(a.Readv(fd, 3, 0, 4, 100)).To(ReturnData("0123456789"))
		Expect(a.Readv(fd, 3, 3)).To(FailWith(unix.EAGAIN))
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		Expect(a.Readv(fd, 2, 2)).To(ReturnData("0123"))
		Expect(fresh(a, fd)).To(BeFalse())
	})

	Clause("channel.read-eintr", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		a.Handle(unix.SIGUSR1, 0)
		for range 2 {
			read := a.Begin().Read(fd, 10)
			Expect(read).To(Block())
			Must(other.Kill(a.PID(), unix.SIGUSR1))
			Expect(read).To(FailWith(unix.EINTR))
		}
		Expect(a).To(Catch(unix.SIGUSR1, unix.SIGUSR1))
	})

	Clause("channel.read-restarts", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		a.Handle(unix.SIGUSR1, actor.SA_RESTART)
		read := a.Begin().Read(fd, 10)
		Expect(read).To(Block())
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(a).To(Catch(unix.SIGUSR1))
		Expect(read).To(Block())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("at last")))
		Expect(read).To(ReturnData("at last"))
	})

	Clause("channel.read-ignored-signal", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		a.Ignore(unix.SIGUSR1)
		read := a.Begin().Read(fd, 10)
		Expect(read).To(Block())
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Must(other.Kill(a.PID(), unix.SIGSTOP))
		Expect(a.AwaitStopped()).To(BeTrue())
		Must(other.Kill(a.PID(), unix.SIGCONT))
		Expect(read).To(Block())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("at last")))
		Expect(read).To(ReturnData("at last"))
	})

	Clause("channel.read-eintr-loses-nothing", func() {
		a, other, third := actor.New(), actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		a.Handle(unix.SIGUSR1, 0)
		read := a.Begin().Read(fd, 10)
		Expect(read).To(Block())
		waits := third.Begin().Read(openChannel(third, 0, unix.O_RDONLY), 10)
		Expect(waits).To(Block())
		Must(other.Kill(a.PID(), unix.SIGUSR1))
		Expect(read).To(FailWith(unix.EINTR))
		w := openChannel(other, 0, unix.O_WRONLY)
		Must(other.Pwrite64(w, []byte("first"), 0))
		Expect(waits).To(ReturnData("first"))
		Must(other.Pwrite64(w, []byte("second"), 0))
		Expect(a.Read(fd, 10)).To(ReturnData("second"))
	})

	Clause("channel.read-efault", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		for _, bad := range []struct {
			at actor.Mem
			n  int
		}{
			{actor.Null, 10}, {a.Unmapped(), 10}, {a.NoAccess(), 1}, {a.ReadOnly([]byte("0123456789")), 10}, {a.PageEnd(9), 10}, {a.PageEnd(1), 4000},
			{actor.Mem{Addr: kernelAddress}, 10},
		} {
			Expect(a.ReadInto(fd, bad.at, bad.n)).To(FailWith(unix.EFAULT))
			Expect(fresh(a, fd)).To(BeTrue())
			Expect(offsetOf(a, fd)).To(BeZero())
		}
		expectMessage(a, 0, "0123456789")
		end := a.PageEnd(10)
		Expect(a.ReadInto(fd, end, 100)).To(Return(10))
		Expect(string(end.Bytes())).To(Equal("0123456789"))
		Expect(fresh(a, fd)).To(BeFalse())
	})

	Clause("channel.read-efault-after-waiting", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		read := a.Begin().ReadInto(fd, a.Unmapped(), 10)
		Expect(read).To(Block())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("still here")))
		Expect(read).To(FailWith(unix.EFAULT))
		Expect(a.Read(fd, 10)).To(ReturnData("still here"))
	})

	Clause("channel.read-into-its-own-mapping", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		m := mapChannel(a, fd, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		Must(a.Pwrite64(fd, []byte("0123456789"), 0))
		Expect(a.ReadInto(fd, actor.Mem{Addr: m.Addr + 100}, 10)).To(Return(10))
		Expect(fresh(a, fd)).To(BeFalse())
		copied := a.Load(actor.Mem{Addr: m.Addr + 100}, 10)
		Must(copied)
		Expect(string(copied.Data())).To(Equal("0123456789"))
		Expect(a.WriteFrom(fd, actor.Mem{Addr: m.Addr + 104}, 6)).To(Return(6))
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("456789"))
	})
})

var _ = Describe("pread and pwrite of a channel", func() {
	Clause("channel.pread", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		for _, at := range []int{0, 1, 9} {
			Must(a.Pwrite64(fd, []byte("0123456789"), 0))
			Expect(a.Pread64(fd, 100, int64(at))).To(ReturnData("0123456789"[at:]))
			Expect(fresh(a, fd)).To(BeFalse())
			Expect(a.Pread64(fd, 100, int64(at))).To(FailWith(unix.EAGAIN))
		}
	})

	Clause("channel.pread-waits", func() {
		a, other := actor.New(), actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		read := a.Begin().Pread64(fd, 10, 2)
		Expect(read).To(Block())
		Must(other.Write(openChannel(other, 0, unix.O_WRONLY), []byte("abcd")))
		Expect(read).To(ReturnData("cd"))
	})

	Clause("channel.pwrite", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		Expect(a.Pwrite64(fd, []byte("ab"), 4)).To(Return(2))
		Expect(fresh(a, fd)).To(BeTrue())
		Expect(a.Pread64(fd, 100, 0)).To(ReturnData("0123ab"))
		Expect(a.Pwrite64(fd, noise(100, 1), 4090)).To(Return(6))
		Expect(lengthOf(a, fd)).To(Equal(channelSize))
	})

	Clause("channel.positioned-keeps-offset", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, at := range []int{0, 5, channelSize} {
			Must(a.Lseek(fd, int64(at), unix.SEEK_SET))
			Expect(a.Pwrite64(fd, []byte("0123456789"), 3)).To(Return(10))
			Expect(offsetOf(a, fd)).To(Equal(at))
			Expect(a.Pread64(fd, 2, 4)).To(ReturnData("12"))
			Expect(offsetOf(a, fd)).To(Equal(at))
		}
	})
})
