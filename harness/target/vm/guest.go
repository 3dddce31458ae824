package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/target"
)

// A note is what the guest's init says over the line, besides the journal.
type note struct {
	Guest string `json:"guest"`          // what it is about
	Text  string `json:"text,omitempty"` // details
	Code  int    `json:"code,omitempty"` // a program's exit code
	Data  []byte `json:"data,omitempty"` // what it has written
}

const (
	notePrefix = `{"guest":`

	noteHello  = "hello"  // init runs
	noteLoad   = "load"   // a module is about to be loaded
	noteReady  = "ready"  // the run is about to begin
	noteAlive  = "alive"  // still there
	noteWarn   = "warn"   // something is not as it should be
	noteFailed = "failed" // and here it ends
	noteEnd    = "end"    // the run has ended, which may have said how
	noteOut    = "out"    // the user's program has written this to its standard output
	noteErr    = "err"    // or to its standard error

	alive = 2 * time.Second // between two signs of life
)

// partEnv tells the run's process, which init starts, to be that.
const partEnv = "IPCSPEC_GUEST"

// InGuest says whether this process is init of a guest of ours, or the run there.
func InGuest() bool {
	if os.Getenv(partEnv) != "" {
		return true
	}
	if os.Getpid() != 1 || os.Args[0] != initPath {
		return false
	}
	_, err := os.Stat(partPath)
	return err == nil
}

// PlayGuest plays that part. Init never returns.
func PlayGuest() int {
	if os.Getenv(partEnv) != "" {
		_ = os.Unsetenv(partEnv)
		order, err := readPart()
		if err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec:", err)
			return report.ExitFault
		}
		line := os.NewFile(3, "line")
		if order.Mutate != nil {
			return mutate.Inside(*order.Mutate, report.WholeLines(line))
		}
		text, err := json.Marshal(order.Order)
		if err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec:", err)
			return report.ExitFault
		}
		return target.Inside(io.MultiReader(bytes.NewReader(append(text, '\n')), line), line)
	}
	i := &guestInit{}
	if err := i.play(); err != nil {
		i.say(noteFailed, err.Error())
	}
	halt()
	return 0
}

func readPart() (part, error) {
	var p part
	text, err := os.ReadFile(partPath)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

type guestInit struct {
	line *os.File
}

// say tells the host something. Before there is a line, and should it fail, the console has to do.
func (i *guestInit) say(about, text string) {
	if about != noteAlive && text != "" {
		fmt.Fprintf(os.Stderr, "ipcspec: %s\n", text)
	}
	i.tell(note{Guest: about, Text: oneLine(text)})
}

// tell tells the host something over the line, if there is one.
func (i *guestInit) tell(n note) {
	if i.line == nil {
		return
	}
	if out, err := json.Marshal(n); err == nil {
		_, _ = report.WholeLines(i.line).Write(append(out, '\n'))
	}
}

// play does what init has to do, and returns when the run has ended.
func (i *guestInit) play() error {
	_ = os.Setenv("PATH", "/")
	_ = os.Setenv("HOME", "/")
	unix.Umask(0o022)
	problems := mountAll()
	p, err := readPart()
	if err != nil {
		return err
	}
	if i.line, err = openLine(p.Line); err != nil {
		return fmt.Errorf("open %s, the line for results: %w", p.Line, err)
	}
	i.say(noteHello, "")
	for _, problem := range problems {
		i.say(noteWarn, problem.Error())
	}
	go func() {
		for range time.Tick(alive) {
			i.say(noteAlive, "")
		}
	}()
	// Quiet is for the time until here. What a kernel has to complain of from now on is wanted.
	consoleLevel(7)
	if err := unix.Sethostname([]byte("ipcspec")); err != nil {
		i.say(noteWarn, fmt.Sprintf("set the name of the machine: %v", err))
	}
	for _, m := range p.Modules {
		i.say(noteLoad, m.Name)
		err := load(m)
		if err != nil && !m.Optional {
			return fmt.Errorf("the module %s cannot be loaded: %w%s", m.Name, err, lastWords())
		}
	}
	// A module may bring a file system along that is mounted in a fixed place.
	_ = mountBinfmt()
	if err := loopbackUp(); err != nil {
		i.say(noteWarn, fmt.Sprintf("bring up lo: %v", err))
	}
	passProcessIDs(firstPID)
	i.say(noteReady, "")
	var end note
	if p.Exec != nil {
		end, err = i.exec(*p.Exec)
	} else {
		end, err = i.run()
	}
	if err != nil {
		return err
	}
	i.tell(end)
	return nil
}

// run has the run made. What it gives says how that ended, with "" for well.
func (i *guestInit) run() (note, error) {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"ipcspec"}, &syscall.ProcAttr{
		Dir:   "/tmp",
		Env:   append(os.Environ(), partEnv+"=run", "TMPDIR=/tmp"),
		Files: []uintptr{0, 1, 2, i.line.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return note{}, fmt.Errorf("start the run: %w", err)
	}
	status, err := reap(pid)
	end := note{Guest: noteEnd}
	switch {
	case status.Signaled():
		end.Text = fmt.Sprintf("the run was killed by a signal in the guest: %v", status.Signal())
	case status.ExitStatus() != 0:
		end.Text = fmt.Sprintf("the run ended with exit code %d", status.ExitStatus())
	}
	return end, err
}

// reap reaps whatever is left to init until that process ends.
func reap(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return status, fmt.Errorf("wait for process %d: %w", pid, err)
		case ended == pid:
			return status, nil
		}
	}
}

// A filesystem is one that init mounts.
type filesystem struct {
	kind, on, data string
	flags          uintptr
	optional       bool // not every kernel has it
}

const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

var filesystems = []filesystem{
	{kind: "devtmpfs", on: "/dev", data: "mode=755", flags: unix.MS_NOSUID, optional: true},
	{kind: "proc", on: "/proc", flags: plain},
	{kind: "sysfs", on: "/sys", flags: plain, optional: true},
	{kind: "devpts", on: "/dev/pts", data: "ptmxmode=666,mode=620,gid=5", flags: unix.MS_NOSUID | unix.MS_NOEXEC, optional: true},
	{kind: "tmpfs", on: "/dev/shm", data: "mode=1777", flags: unix.MS_NOSUID | unix.MS_NODEV, optional: true},
	{kind: "mqueue", on: "/dev/mqueue", flags: plain, optional: true},
	{kind: "tmpfs", on: "/tmp", data: "mode=1777", flags: unix.MS_NODEV, optional: true}, // specs make set-user-ID programs there
	{kind: "tmpfs", on: "/run", data: "mode=755", flags: unix.MS_NOSUID | unix.MS_NODEV, optional: true},
	{kind: "cgroup2", on: "/sys/fs/cgroup", flags: plain, optional: true},
}

// mountAll mounts what there is. What is optional and missing is no problem; the specs find out.
func mountAll() []error {
	var problems []error
	for _, f := range filesystems {
		// A folder below /sys is there or cannot be made.
		_ = os.MkdirAll(f.on, 0o755)
		err := unix.Mount(f.kind, f.on, f.kind, f.flags, f.data)
		if f.kind == "devtmpfs" && err != nil && !errors.Is(err, unix.EBUSY) {
			makeNodes()
		}
		if err != nil && !f.optional {
			problems = append(problems, fmt.Errorf("mount %s on %s: %w", f.kind, f.on, err))
		}
	}
	_ = os.Chmod("/tmp", 0o1777)
	for link, to := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		_ = os.Symlink(to, link)
	}
	return problems
}

func mountBinfmt() error {
	return unix.Mount("binfmt_misc", "/proc/sys/fs/binfmt_misc", "binfmt_misc", plain, "")
}

// makeNodes makes the devices that everybody takes for granted where the kernel does not.
func makeNodes() {
	for _, n := range []struct {
		name         string
		major, minor uint32
		mode         uint32
	}{
		{"null", 1, 3, 0o666}, {"zero", 1, 5, 0o666}, {"full", 1, 7, 0o666}, {"random", 1, 8, 0o666},
		{"urandom", 1, 9, 0o666}, {"kmsg", 1, 11, 0o644}, {"tty", 5, 0, 0o666}, {"console", 5, 1, 0o600},
		{"ptmx", 5, 2, 0o666}, {"ttyS0", 4, 64, 0o600}, {"ttyS1", 4, 65, 0o600},
	} {
		path := "/dev/" + n.name
		if unix.Mknod(path, unix.S_IFCHR|n.mode, int(unix.Mkdev(n.major, n.minor))) == nil {
			_ = os.Chmod(path, os.FileMode(n.mode))
		}
	}
}

// openLine opens the serial line for results and has it pass every byte as it is.
func openLine(device string) (*os.File, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), device), nil
}

// consoleLevel has the kernel print what is more urgent than that on the console.
func consoleLevel(level int) {
	_ = os.WriteFile("/proc/sys/kernel/printk", fmt.Appendf(nil, "%d\n", level), 0)
}

// firstPID is the process id that the guest's processes begin at: one that is no errno, negated, as
// specs about negative results need it, and as every machine has that has been up for a while.
const firstPID = 5000

// passProcessIDs has the kernel give ids from there on, where it can be told so.
func passProcessIDs(next int) {
	_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Appendf(nil, "%d\n", next-1), 0)
}

// load loads a kernel module.
func load(m guestFile) error {
	file, err := os.Open(m.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = unix.FinitModule(int(file.Fd()), m.Params, 0)
	if errors.Is(err, unix.ENOSYS) { // a kernel without the call can have the older one
		var text []byte
		if text, err = os.ReadFile(m.Path); err == nil {
			err = unix.InitModule(text, m.Params)
		}
	}
	if errors.Is(err, unix.EEXIST) {
		return nil // compiled in, or loaded by the kernel itself
	}
	return err
}

// lastWords is the last line of the kernel's log, which often explains an error.
func lastWords() string {
	buf := make([]byte, 4<<10)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil || n <= 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(buf[:n])), "\n")
	return fmt.Sprintf(" (the kernel's last words: %s)", oneLine(lines[len(lines)-1]))
}

// loopbackUp brings up the interface lo.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.ENOSYS) {
		return nil // a kernel without IP has no use for it
	}
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, r); err != nil {
		return err
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// halt ends the virtual machine. QEMU has been told not to start it again.
func halt() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	time.Sleep(10 * time.Second)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
