package vm

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programEnv has the test binary be a program in a guest.
const programEnv = "IPCSPEC_TEST_PROGRAM"

// programs are what it can be. They return an exit code.
var programs = map[string]func() int{
	"writes": func() int {
		stop := make(chan struct{})
		var chatter sync.WaitGroup
		chatter.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					_ = os.WriteFile("/dev/kmsg", fmt.Appendf(nil, "<0>chatter %d\n", i), 0)
				}
			}
		})
		var sides sync.WaitGroup
		for _, side := range []*os.File{os.Stdout, os.Stderr} {
			sides.Go(func() { _, _ = side.Write(everything()) })
		}
		sides.Wait()
		close(stop)
		chatter.Wait()
		return 7
	},
	"tells": func() int {
		dir, err := os.Getwd()
		fmt.Println(os.Args[1:], os.Getenv("TWICE"), os.Getenv("TMPDIR"), dir, err, os.Getpid() != 1)
		n, err := os.Stdin.Read(make([]byte, 1))
		fmt.Println(n, err)
		// And it leaves a process behind that would keep its output open.
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), programEnv+"=sleeps")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if cmd.Start() != nil {
			return 1
		}
		return 0
	},
	"sleeps": func() int {
		time.Sleep(time.Hour)
		return 0
	},
	"waits": func() int {
		fmt.Println("waits")
		time.Sleep(time.Hour)
		return 0
	},
	"dies": func() int {
		fmt.Print("dies")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	},
	"panics": func() int {
		fmt.Println("panics")
		time.Sleep(time.Second) // what is on its way is lost
		_ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
		select {}
	},
	"warns": func() int {
		_ = os.WriteFile("/dev/kmsg", []byte("<4>watchdog: BUG: soft lockup - CPU#0 stuck for 22s!\n"), 0)
		_ = os.WriteFile("/dev/kmsg", []byte("<4>WARNING: CPU: 0 PID: 1 at program.c:1\n"), 0)
		for i := range 3000 { // more than is kept
			_ = os.WriteFile("/dev/kmsg", fmt.Appendf(nil, "<4>%d %s\n", i, strings.Repeat("x", 100)), 0)
		}
		return 0
	},
	"hogs": func() int {
		all := map[int][]byte{}
		for {
			all[len(all)] = bytes.Repeat([]byte{1}, 16<<20)
		}
	},
}

// everything is what could be mistaken for something else, and more than a pipe holds.
func everything() []byte {
	text := []byte("\n" + notePrefix + "\"end\"}\n\r\x00\x03\x04\x11\x13\xff\n")
	for i := range 256 {
		text = append(text, byte(i))
	}
	return append(bytes.Repeat(text, 800), "no newline"...)
}

// program has o execute one of the programs.
func program(t *testing.T, what string, args ...string) (Options, Program, *bytes.Buffer, *bytes.Buffer) {
	o := options(t)
	var stdout, stderr bytes.Buffer
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return o, Program{Path: self, Args: args, Env: []string{programEnv + "=" + what}, Stdout: &stdout, Stderr: &stderr}, &stdout, &stderr
}

func oneLineWith(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("it said %v, expected one line with %q", err, want)
	}
}

func TestAProgramsOutputArrivesAsItIsAndItsExitCode(t *testing.T) {
	o, p, stdout, stderr := program(t, "writes")
	o.Console = filepath.Join(t.TempDir(), "console")
	end, err := Exec(context.Background(), o, p)
	if err != nil || end.Code != 7 || end.Complaint != "" {
		t.Errorf("%v, %+v", err, end)
	}
	if !bytes.Equal(stdout.Bytes(), everything()) || !bytes.Equal(stderr.Bytes(), everything()) {
		t.Errorf("of %d bytes %d and %d arrived, or others", len(everything()), stdout.Len(), stderr.Len())
	}
	if console, err := os.ReadFile(o.Console); err != nil || !bytes.Contains(console, []byte("chatter")) {
		t.Errorf("the kernel printed nothing meanwhile: %v", err)
	}
}

func TestAProgramGetsItsArgumentsAndEnvironmentAndEndsWithAllThatItStarted(t *testing.T) {
	o, p, stdout, stderr := program(t, "tells", "-a", "b c", "")
	p.Env = append(p.Env, "TWICE=1", "TWICE=2")
	end, err := Exec(context.Background(), o, p)
	if err != nil || end.Code != 0 || stderr.Len() > 0 {
		t.Errorf("%v, %+v, %q", err, end, stderr.String())
	}
	if got := stdout.String(); got != "[-a b c ] 2 /tmp /tmp <nil> true\n0 EOF\n" {
		t.Errorf("%q", got)
	}
}

func TestAProgramMayBeKilled(t *testing.T) {
	o, p, stdout, _ := program(t, "dies")
	_, err := Exec(context.Background(), o, p)
	oneLineWith(t, err, "was killed by a signal in the guest: killed")
	if stdout.String() != "dies" {
		t.Errorf("%q", stdout.String())
	}
}

func TestAProgramMayPanicTheKernel(t *testing.T) {
	o, p, stdout, _ := program(t, "panics")
	end, err := Exec(context.Background(), o, p)
	oneLineWith(t, err, "the guest's kernel panicked")
	if stdout.String() != "panics\n" || !strings.Contains(strings.Join(end.Console, "\n"), "sysrq") {
		t.Errorf("%q, console %q", stdout.String(), end.Console)
	}
}

func TestAProgramMayMakeTheKernelComplain(t *testing.T) {
	o, p, _, _ := program(t, "warns")
	end, err := Exec(context.Background(), o, p)
	if err != nil || end.Code != 0 || !strings.HasSuffix(end.Complaint, "WARNING: CPU: 0 PID: 1 at program.c:1") {
		t.Errorf("%v, %+v", err, end)
	}
	if part := strings.Join(end.Console, "\n"); len(end.Console) != most || !strings.Contains(part, "soft lockup") {
		t.Errorf("%q", part)
	}
}

func TestAProgramMayUseUpTheMemory(t *testing.T) {
	o, p, _, _ := program(t, "hogs")
	_, err := Exec(context.Background(), o, p)
	oneLineWith(t, err, "ran out of memory")
}

// fails fails to be written to.
type fails struct{ io.Writer }

func (f fails) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestAProgramMayBeEnded(t *testing.T) {
	for want, c := range map[string]struct {
		do    func(*Options, *Program)
		first func(*os.Process, context.CancelFunc)
	}{
		"did not end within 1s":   {do: func(_ *Options, p *Program) { p.Limit = time.Second }},
		"interrupted":             {first: func(_ *os.Process, cancel context.CancelFunc) { cancel() }},
		"no space left on device": {do: func(_ *Options, p *Program) { p.Stdout = fails{} }},
		"the guest hangs": {
			do:    func(o *Options, _ *Program) { o.Quiet = 10 * time.Second },
			first: func(q *os.Process, _ context.CancelFunc) { _ = q.Signal(syscall.SIGSTOP) },
		},
	} {
		t.Run(want, func(t *testing.T) {
			o, p, _, _ := program(t, "waits")
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var qemu *os.Process
			o.started = func(p *os.Process) { qemu = p }
			if c.first != nil {
				p.Stdout = &first{sync.OnceFunc(func() { c.first(qemu, cancel) })}
			}
			if c.do != nil {
				c.do(&o, &p)
			}
			end, err := Exec(ctx, o, p)
			oneLineWith(t, err, want)
			if want == "the guest hangs" && len(end.Console) == 0 {
				t.Error("nothing was told of the console")
			}
			if err := syscall.Kill(qemu.Pid, 0); err != syscall.ESRCH {
				t.Errorf("QEMU is still there: %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// What cannot be executed there is told before anything is started.
func TestProgramsThatAreNone(t *testing.T) {
	o := options(t)
	o.started = func(*os.Process) { t.Error("it booted") }
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, value uint16) []byte {
		text := bytes.Clone(self)
		binary.LittleEndian.PutUint16(text[at:], value)
		return text
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"script":    {[]byte("#!/bin/sh\n"), "no ELF file"},
		"empty":     {nil, "no ELF file"},
		"truncated": {self[:8192], "truncated"},
		"arm":       {with(18, uint16(elf.EM_AARCH64)), "EM_AARCH64"},
		"object":    {with(16, uint16(elf.ET_REL)), "ET_REL"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.text, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := Exec(context.Background(), o, Program{Path: path})
		oneLineWith(t, err, c.want)
	}
	_, err = Exec(context.Background(), o, Program{Path: filepath.Join(dir, "missing")})
	oneLineWith(t, err, "no such file")
	_, err = Exec(context.Background(), o, Program{Path: dir})
	oneLineWith(t, err, "no regular file")
	if sh, err := filepath.EvalSymlinks("/bin/sh"); err == nil {
		if _, err := readProgram(sh); !errors.Is(err, errDynamic) && err != nil {
			t.Error(err)
		}
	}
}
