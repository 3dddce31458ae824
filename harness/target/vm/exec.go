package vm

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Program is one of the user's that a guest executes in place of a run.
type Program struct {
	Path string   `json:"path"` // of its file; it has to be static
	Args []string `json:"args"`
	Env  []string `json:"env"` // NAME=VALUE

	Limit          time.Duration `json:"-"` // from when init runs; 0 for none
	Stdout, Stderr io.Writer     `json:"-"`

	image []byte
}

// inGuest is where the program is in the guest.
func (p Program) inGuest() string { return "/bin/" + filepath.Base(p.Path) }

// An Ending says how a program in a guest ended.
type Ending struct {
	Code int // its exit code

	// What the guest's kernel complained of first, and the part of the console around that; or, where
	// the guest hung, the last on the console.
	Complaint string
	Console   []string
}

// Exec boots the kernel, executes the program there, and passes on what it writes while it runs. With
// an error it did not come to its end.
func Exec(ctx context.Context, o Options, p Program) (Ending, error) {
	var err error
	if p.image, err = readProgram(p.Path); err != nil {
		return Ending{}, err
	}
	machines, err := o.check()
	if err != nil {
		return Ending{}, err
	}
	accel, modules, err := o.prepare(ctx)
	if err != nil {
		return Ending{}, err
	}
	outer := ctx
	ctx, stop := context.WithCancelCause(outer)
	defer stop(nil)
	o.output = map[string]io.Writer{noteOut: stopper{p.Stdout, stop}, noteErr: stopper{p.Stderr, stop}}
	g, err := o.launch(ctx, accel, machines, part{Exec: &p}, modules)
	if err != nil {
		return Ending{}, err
	}
	defer g.keep.Close()
	go func() { _, _ = io.Copy(io.Discard, g.told) }()
	defer context.AfterFunc(ctx, func() { _ = g.vm.cmd.Process.Kill() })()
	if p.Limit > 0 {
		defer time.AfterFunc(p.Limit, func() {
			stop(fmt.Errorf("%s did not end within %v and was ended, with the guest", p.Path, p.Limit))
		}).Stop()
	}
	select {
	case <-g.over:
	case <-g.vm.ended:
	}
	g.end()

	var e Ending
	e.Complaint, e.Console = g.console.complaint()
	panicked, memory := g.console.complaints()
	end, over := g.last(noteEnd)
	e.Code = end.Code
	switch {
	case outer.Err() != nil:
		err = errors.New("interrupted")
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !over || end.Text != "" || panicked != "":
		err = errors.New(g.why())
	case memory != "": // and another process was killed
		err = g.needsMemory(memory)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.silent && len(e.Console) == 0 {
		e.Console = g.console.around()
	}
	return e, err
}

// A stopper passes on what it gets, and stops all when it cannot.
type stopper struct {
	to   io.Writer
	stop context.CancelCauseFunc
}

func (s stopper) Write(text []byte) (int, error) {
	n, err := s.to.Write(text)
	if err != nil {
		s.stop(fmt.Errorf("pass on what the program writes: %w", err))
	}
	return n, err
}

// lastOutput is how long it may take until what a program has written has been told, when it has ended.
const lastOutput = time.Minute

// exec executes the program, and tells the host what it writes, until it ends. What it has started
// and not waited for is ended then.
func (i *guestInit) exec(p Program) (note, error) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return note{}, fmt.Errorf("open /dev/null: %w", err)
	}
	files := []uintptr{uintptr(null)}
	var told sync.WaitGroup
	for _, about := range []string{noteOut, noteErr} {
		var ends [2]int
		if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
			return note{}, fmt.Errorf("make a pipe: %w", err)
		}
		files = append(files, uintptr(ends[1]))
		told.Go(func() { _, _ = io.Copy(teller{i, about}, os.NewFile(uintptr(ends[0]), about)) })
	}
	// Of several settings of a variable the first counts.
	env := slices.Clone(p.Env)
	slices.Reverse(env)
	pid, err := syscall.ForkExec(p.inGuest(), append([]string{p.inGuest()}, p.Args...), &syscall.ProcAttr{
		Dir:   "/tmp",
		Env:   append(env, "PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	for _, fd := range files {
		_ = unix.Close(int(fd))
	}
	if err != nil {
		return note{}, fmt.Errorf("start %s: %w", p.Path, err)
	}
	status, err := reap(pid)
	if err != nil {
		return note{}, err
	}
	_ = unix.Kill(-1, unix.SIGKILL) // all but init itself
	all := make(chan struct{})
	go func() { told.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(lastOutput):
		i.say(noteWarn, "not all that the program has written was told")
	}
	if status.Signaled() {
		return note{Guest: noteEnd, Text: fmt.Sprintf("%s was killed by a signal in the guest: %v", p.Path, status.Signal())}, nil
	}
	return note{Guest: noteEnd, Code: status.ExitStatus()}, nil
}

// A teller tells the host what a program writes.
type teller struct {
	init  *guestInit
	about string
}

func (t teller) Write(text []byte) (int, error) {
	t.init.tell(note{Guest: t.about, Data: text})
	return len(text), nil
}

var errDynamic = errors.New("it is dynamically linked, and there is no C library there: link it statically (Go: CGO_ENABLED=0)")

// readProgram reads a program that is to be executed in a guest, where there is nothing else.
func readProgram(path string) ([]byte, error) {
	refuse := func(format string, arguments ...any) ([]byte, error) {
		return nil, fmt.Errorf("%s is no program for the guest: %w", path, fmt.Errorf(format, arguments...))
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return refuse("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, err := elf.NewFile(file)
	switch {
	case err != nil:
		return refuse("it is no ELF file, or not a whole one")
	case f.Machine != elf.EM_X86_64 || f.Class != elf.ELFCLASS64:
		return refuse("it is for %s, %s", f.Machine, f.Class)
	case f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN:
		return refuse("it is an ELF file of type %s", f.Type)
	}
	for _, segment := range f.Progs {
		if uint64(info.Size()) < segment.Off+segment.Filesz {
			return refuse("it is truncated: %d of at least %d bytes", info.Size(), segment.Off+segment.Filesz)
		}
		if segment.Type == elf.PT_INTERP {
			return refuse("%w", errDynamic)
		}
	}
	if f.Entry == 0 {
		return refuse("it is a library")
	}
	return os.ReadFile(path)
}
