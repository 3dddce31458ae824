// Package exercise puts load on /dev/channel: a soak, in which everything that can be done with a channel
// races on all CPUs, and round trips to be timed beside a pipe and a socket.
//
// The calls are made by this process, since actors make one at a time. What is judged is whether all
// messages arrive, each of them once and whole.
package exercise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	size      = 4096
	setEvent  = 0x4004c801 // CHANNEL_SET_EVENTFD
	getLength = 0x8004c802 // CHANNEL_GET_LENGTH

	// Messages end before that; what lies behind is for those who store through a mapping.
	most = 3840
)

// Counts are what a soak has done.
type Counts struct {
	Sent, Received       atomic.Int64 // messages that wait for being received
	Written, Read        atomic.Int64 // of those that need not be
	Refused, Interrupted atomic.Int64 // reads that took nothing: of bad memory, with EAGAIN, at the end; ended by a signal
	Polled, Mapped, Told atomic.Int64 // calls of poll and epoll_wait, accesses to mappings, ioctls
}

func (c *Counts) String() string {
	return fmt.Sprintf("%d messages sent and %d received, one by one; %d written and %d read, as it happens; %d reads refused and %d interrupted; %d polls; %d mappings; %d ioctls",
		c.Sent.Load(), c.Received.Load(), c.Written.Load(), c.Read.Load(), c.Refused.Load(), c.Interrupted.Load(), c.Polled.Load(), c.Mapped.Load(), c.Told.Load())
}

// patience is how long a message may take to be received before it counts as lost.
const patience = 60 * time.Second

type soak struct {
	Counts
	paths [2]string
	quit  atomic.Bool // no new messages
	stop  atomic.Bool // all else, too
	once  sync.Once
	fault error

	broken chan struct{} // closed once there is a fault

	writers, group sync.WaitGroup
}

// Soak races readers, writers, pollers, mappers and ioctls on two channels for so long. On the first each
// message is waited for; on the second, writers do not wait for readers. The error says what went
// wrong first.
func Soak(paths [2]string, duration time.Duration) (*Counts, error) {
	s := &soak{paths: paths, broken: make(chan struct{})}
	for _, path := range paths {
		if err := drain(path); err != nil {
			return &s.Counts, err
		}
	}
	s.exactlyOnce()
	s.freeForAll()
	for i := range 2 {
		s.run("poll", func() error { return s.poll(paths[i]) })
		s.run("epoll", func() error { return s.epoll(paths[i]) })
		s.run("map", func() error { return s.mapping(paths[i], i) })
		s.run("ioctl", func() error { return s.tell(paths[i]) })
		s.run("open", func() error { return s.open(paths[i]) })
	}
	for end := time.Now().Add(duration); time.Now().Before(end) && !s.stop.Load(); {
		time.Sleep(10 * time.Millisecond)
	}
	s.quit.Store(true)
	s.writers.Wait() // for what they have sent to be received
	s.stop.Store(true)
	ended := make(chan struct{})
	go func() { s.group.Wait(); close(ended) }()
	// Who waits in read is let go by a message that nobody counts.
	late := time.After(patience)
	for {
		select {
		case <-ended:
			if s.fault == nil && s.Sent.Load() != s.Received.Load() {
				s.fault = fmt.Errorf("%d messages were sent, and %d received", s.Sent.Load(), s.Received.Load())
			}
			return &s.Counts, s.fault
		case <-late:
			s.failed(fmt.Errorf("messages have come for %v, and somebody still waits for one", patience))
			return &s.Counts, s.fault
		case <-time.After(5 * time.Millisecond):
			for _, path := range paths {
				if fd, err := unix.Open(path, unix.O_WRONLY, 0); err == nil {
					_, _ = unix.Pwrite(fd, make([]byte, header), 0)
					_ = unix.Close(fd)
				}
			}
		}
	}
}

func (s *soak) failed(err error) {
	s.once.Do(func() {
		s.fault = err
		close(s.broken)
	})
	s.quit.Store(true)
	s.stop.Store(true)
}

// drain takes a message that somebody has left.
func drain(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err := unix.Read(fd, make([]byte, size)); err != nil {
			return ignore(err, unix.EAGAIN)
		}
	}
}

// write runs a part that sends messages.
func (s *soak) write(part func() error) {
	s.writers.Add(1)
	s.run("write", func() error {
		defer s.writers.Done()
		return part()
	})
}

// run runs a part on a thread of its own until it fails or the soak ends.
func (s *soak) run(what string, part func() error) {
	s.group.Add(1)
	go func() {
		defer s.group.Done()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := part(); err != nil {
			s.failed(fmt.Errorf("%s: %w", what, err))
		}
	}()
}

// A message is its checksum, its number, its length, and noise. One with the number 0 tells that the soak has ended.
const header = 16

func message(number uint64, random *rand.Rand) []byte {
	m := make([]byte, header+random.IntN(most-header))
	binary.NativeEndian.PutUint64(m[4:], number)
	binary.NativeEndian.PutUint32(m[12:], uint32(len(m)))
	for i := header; i+8 <= len(m); i += 8 {
		binary.NativeEndian.PutUint64(m[i:], random.Uint64())
	}
	binary.NativeEndian.PutUint32(m, crc32.ChecksumIEEE(m[4:]))
	return m
}

func parse(m []byte) (uint64, error) {
	if len(m) < header {
		return 0, fmt.Errorf("a message of %d bytes", len(m))
	}
	number := binary.NativeEndian.Uint64(m[4:])
	if number == 0 {
		return 0, nil
	}
	if n := binary.NativeEndian.Uint32(m[12:]); int(n) != len(m) {
		return 0, fmt.Errorf("message %d of %d bytes came with %d", number, n, len(m))
	}
	if binary.NativeEndian.Uint32(m) != crc32.ChecksumIEEE(m[4:]) {
		return 0, fmt.Errorf("message %d is not what was sent", number)
	}
	return number, nil
}

func ignore(err error, expected ...unix.Errno) error {
	for _, e := range expected {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// exactlyOnce has three writers send messages, each waiting until somebody has received the last one, and
// readers of all kinds receive them.
func (s *soak) exactlyOnce() {
	turn, got := make(chan uint64, 1), make(chan uint64, 1)
	turn <- 1
	for i := range 3 {
		s.write(func() error {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			fd, err := unix.Open(s.paths[0], unix.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			for {
				var number uint64
				select {
				case number = <-turn:
				case <-s.broken: // whose turn it was has given up
					return nil
				}
				if s.quit.Load() {
					turn <- number
					return nil
				}
				m := message(number, random)
				s.Sent.Add(1)
				if n, err := unix.Pwrite(fd, m, 0); n != len(m) || err != nil {
					return fmt.Errorf("pwrite of %d bytes: %d, %w", len(m), n, err)
				}
				select {
				case back := <-got:
					if back != number {
						return fmt.Errorf("message %d was received, and not %d", back, number)
					}
				case <-s.broken:
					return nil
				case <-time.After(patience):
					return fmt.Errorf("message %d was lost", number)
				}
				turn <- number + 1
			}
		})
	}
	receive := func(m []byte) error {
		number, err := parse(m)
		if err != nil || number == 0 {
			return err
		}
		s.Received.Add(1)
		select {
		case got <- number:
			return nil
		default:
			return fmt.Errorf("message %d was received twice", number)
		}
	}
	for i := range 4 {
		s.run("read", func() error { return s.reader(s.paths[0], i%2 == 1, receive) })
	}
	s.run("leave", func() error { return s.leaver(s.paths[0]) })
	s.run("interrupt", func() error { return s.interrupted(s.paths[0], receive) })
}

// reader reads, waiting in read or in poll.
func (s *soak) reader(path string, nonblock bool, receive func([]byte) error) error {
	flags := unix.O_RDONLY
	if nonblock {
		flags |= unix.O_NONBLOCK
	}
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buffer := make([]byte, size)
	for !s.stop.Load() {
		if nonblock {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10); ignore(err, unix.EINTR) != nil {
				return err
			}
		}
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
			s.Refused.Add(1)
		case err != nil:
			return err
		default:
			if err := receive(buffer[:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaver waits for messages that it then leaves to others: its memory is bad, or its offset at the end.
func (s *soak) leaver(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := 0; !s.stop.Load(); i++ {
		if i%2 == 0 {
			_, _, errno := unix.Syscall6(unix.SYS_PREAD64, uintptr(fd), 8, size, 0, 0, 0)
			if errno != unix.EFAULT && errno != unix.EINTR {
				return fmt.Errorf("a read into bad memory ended with %v", errno)
			}
		} else if n, err := unix.Pread(fd, make([]byte, 10), size); n > 0 || ignore(err, unix.EINTR) != nil {
			return fmt.Errorf("a read at the end gave %d bytes, %v", n, err)
		}
		s.Refused.Add(1)
	}
	return nil
}

// interrupted reads while signals come.
func (s *soak) interrupted(path string, receive func([]byte) error) error {
	self := unix.Gettid()
	var ended atomic.Bool
	defer ended.Store(true)
	s.run("signal", func() error {
		for !ended.Load() {
			// The runtime handles this one, and takes no notice of it.
			_ = unix.Tgkill(unix.Getpid(), self, unix.SIGURG)
			time.Sleep(200 * time.Microsecond)
		}
		return nil
	})
	return s.reader(path, false, func(m []byte) error {
		s.Interrupted.Add(1)
		return receive(m)
	})
}

// freeForAll has writers replace each other's messages, and readers see that what they get is whole and new.
func (s *soak) freeForAll() {
	var next atomic.Uint64
	var mu sync.Mutex
	seen := map[uint64]bool{}
	for i := range 2 {
		s.write(func() error {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			fd, err := unix.Open(s.paths[1], unix.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			for !s.quit.Load() {
				m := message(next.Add(1), random)
				if n, err := unix.Pwrite(fd, m, 0); n != len(m) || err != nil {
					return fmt.Errorf("pwrite of %d bytes: %d, %w", len(m), n, err)
				}
				s.Written.Add(1)
				if _, _, errno := unix.Syscall6(unix.SYS_PWRITE64, uintptr(fd), 8, 100, 0, 0, 0); errno != unix.EFAULT {
					return fmt.Errorf("a write from bad memory ended with %v", errno)
				}
				if _, err := unix.Pwrite(fd, m, size); !errors.Is(err, unix.ENOSPC) {
					return fmt.Errorf("a write at the end ended with %w", err)
				}
			}
			return nil
		})
	}
	for i := range 3 {
		s.run("read", func() error {
			return s.reader(s.paths[1], i == 0, func(m []byte) error {
				number, err := parse(m)
				if err != nil || number == 0 {
					return err
				}
				s.Read.Add(1)
				mu.Lock()
				defer mu.Unlock()
				if seen[number] {
					return fmt.Errorf("message %d was read twice", number)
				}
				if len(seen) > 1<<20 {
					clear(seen)
				}
				seen[number] = true
				return nil
			})
		})
	}
}

func (s *soak) poll(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for !s.stop.Load() {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 5); ignore(err, unix.EINTR) != nil {
			return err
		}
		if fds[0].Revents&^unix.POLLIN != 0 {
			return fmt.Errorf("poll gave %#x", fds[0].Revents)
		}
		s.Polled.Add(1)
	}
	return nil
}

func (s *soak) epoll(path string) error {
	epfd, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	defer unix.Close(epfd)
	for !s.stop.Load() {
		fd, err := unix.Open(path, unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET})
		for range 20 {
			if _, e := unix.EpollWait(epfd, make([]unix.EpollEvent, 4), 2); ignore(e, unix.EINTR) != nil {
				err = e
			}
			s.Polled.Add(1)
		}
		_ = unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// mapping stores behind the messages, through new mappings all the time, and sees that it stays.
func (s *soak) mapping(path string, mark int) error {
	fd, err := unix.Open(path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := 0; !s.stop.Load(); i++ {
		m, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		value := byte(i ^ mark)
		for at := most; at < size; at++ {
			m[at] = value
		}
		for at := most; at < size; at++ {
			if m[at] != value {
				return fmt.Errorf("byte %d was changed", at)
			}
		}
		own, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		if err == nil {
			own[most]++
			err = unix.Munmap(own)
		}
		if e := unix.Munmap(m); e != nil {
			err = e
		}
		if err != nil {
			return err
		}
		s.Mapped.Add(1)
	}
	return nil
}

func (s *soak) tell(path string) error {
	fd, err := unix.Open(path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ioctl := func(request uintptr, arg *int32) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			return errno
		}
		return nil
	}
	for i := 0; !s.stop.Load(); i++ {
		efd, err := unix.Eventfd(0, unix.EFD_NONBLOCK)
		if err != nil {
			return err
		}
		with, without, length := int32(efd), int32(-1), int32(-1)
		err = ioctl(setEvent, &with)
		if err == nil {
			err = ioctl(getLength, &length)
		}
		if err == nil && (length < 0 || length > size) {
			err = fmt.Errorf("a length of %d", length)
		}
		if err == nil && i%2 == 0 {
			err = ioctl(setEvent, &without)
		}
		if e := unix.Close(efd); e != nil {
			err = e
		}
		if err != nil {
			return err
		}
		s.Told.Add(1)
	}
	without := int32(-1)
	return ioctl(setEvent, &without)
}

// open opens and closes, and seeks and asks for signals in between.
func (s *soak) open(path string) error {
	for !s.stop.Load() {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		if at, e := unix.Seek(fd, 0, unix.SEEK_END); at != size || e != nil {
			err = fmt.Errorf("lseek to the end gave %d, %v", at, e)
		}
		if _, e := unix.Seek(fd, 1, unix.SEEK_CUR); !errors.Is(e, unix.EINVAL) {
			err = fmt.Errorf("lseek beyond the end gave %w", e)
		}
		if _, e := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_ASYNC); e != nil {
			err = e
		}
		_ = unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}
