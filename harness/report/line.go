package report

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// WholeLines gives a writer for a file that several processes share. For a regular file or a pipe
// that is the file itself. For a serial line, each Write is one piece, whatever others write
// meanwhile, and is on its way to the other end when Write returns: should the next thing that
// happens be a kernel panic, what had been written before is known there.
func WholeLines(file *os.File) io.Writer {
	if !IsSerial(file) {
		return file
	}
	return serialLine{file, int(file.Fd())}
}

// IsSerial says whether a file is a serial line, or any other terminal.
func IsSerial(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

type serialLine struct {
	*os.File // which must not be closed by the garbage collector
	fd       int
}

// Write writes with all signals blocked, since one that comes in the middle, such as those by which
// Go's runtime preempts a goroutine, lets the call return early and others go first.
func (s serialLine) Write(text []byte) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, err
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	written := 0
	for written < len(text) {
		n, err := unix.Write(s.fd, text[written:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return written, err
		}
		written += n
	}
	// What tcdrain(3) is made of: TCSBRK with an argument other than 0 waits until all is sent.
	return written, unix.IoctlSetInt(s.fd, unix.TCSBRK, 1)
}
