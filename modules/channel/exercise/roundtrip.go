package exercise

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Link is a way for messages there, and one back.
type Link struct {
	There, Back [2]int // to be read, to be written
	positioned  bool   // messages begin at offset 0
}

// Channels opens two channels as a link.
func Channels(there, back string) (l Link, err error) {
	l.positioned = true
	for i, path := range []string{there, back} {
		fd, err := unix.Open(path, unix.O_RDWR, 0)
		if err != nil {
			return l, fmt.Errorf("open %s: %w", path, err)
		}
		*[]*[2]int{&l.There, &l.Back}[i] = [2]int{fd, fd}
	}
	return l, nil
}

// Pipes makes a link of two pipes.
func Pipes() (l Link, err error) {
	if err = unix.Pipe(l.There[:]); err == nil {
		err = unix.Pipe(l.Back[:])
	}
	return l, err
}

// Sockets makes a link of a pair of UNIX domain sockets for packets.
func Sockets() (l Link, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	return Link{There: [2]int{pair[0], pair[1]}, Back: [2]int{pair[1], pair[0]}}, err
}

// Close closes it.
func (l Link) Close() {
	for _, fd := range []int{l.There[0], l.There[1], l.Back[0], l.Back[1]} {
		_ = unix.Close(fd)
	}
}

// RoundTrips sends a message of so many bytes there and back n times. Each side waits in poll, reads,
// and writes.
func (l Link) RoundTrips(n, bytes int) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		buffer := make([]byte, bytes)
		for range n {
			if err := receive(l.There[0], buffer); err != nil {
				failed <- err
				return
			}
			if err := send(l.Back[1], buffer, l.positioned); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buffer := make([]byte, bytes)
	for range n {
		if err := send(l.There[1], buffer, l.positioned); err != nil {
			return err
		}
		if err := receive(l.Back[0], buffer); err != nil {
			return err
		}
	}
	return <-failed
}

func send(fd int, message []byte, positioned bool) (err error) {
	var n int
	if positioned {
		n, err = unix.Pwrite(fd, message, 0)
	} else {
		n, err = unix.Write(fd, message)
	}
	if err == nil && n != len(message) {
		err = fmt.Errorf("%d of %d bytes were written", n, len(message))
	}
	return err
}

func receive(fd int, buffer []byte) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err == unix.EINTR || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return err
		}
		if n, err = unix.Read(fd, buffer); err == unix.EINTR {
			continue
		}
		if err == nil && n != len(buffer) {
			err = fmt.Errorf("%d of %d bytes were read", n, len(buffer))
		}
		return err
	}
}
