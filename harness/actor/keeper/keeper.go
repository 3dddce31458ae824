// Package keeper tidies up after a Go process, however it ends.
//
// Actors are processes of their own, so they and their files would outlive a Go process that is
// killed. The keeper is a second process of the same executable, in a session of its own, that
// holds one end of a socket. When that reports end-of-file the Go process is gone, and the keeper
// kills every process that carries the mark, removes System V objects, restores the files that it was
// told of, and removes the folder. It is started with the first actor and costs nothing until then.
package keeper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const env = "IPCSPEC_KEEPER"

// The keeper's part is played before the rest of the program is initialised further than needed:
// this package imports little.
func init() {
	if os.Getenv(env) == "" {
		return
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	keep(&inbox{socket: int(os.Stdin.Fd())})
	os.Exit(0)
}

// An order tells the keeper what to do in the end.
type order struct {
	Mark    string `json:"mark,omitempty"`
	Remove  string `json:"remove,omitempty"`
	Restore string `json:"restore,omitempty"` // a file…
	Value   string `json:"value,omitempty"`   // …and what to write into it
	Forget  string `json:"forget,omitempty"`  // a file or folder that is to stay as it is

	Run   []string `json:"run,omitempty"`   // a command to be run…
	After int      `json:"after,omitempty"` // …when this child of the Go process has ended, or else is killed

	Creation *creation `json:"creation,omitempty"` // an object of System V IPC
}

func keep(orders *inbox) {
	var mark string
	var folders []string
	restore := map[string]string{}
	made := creations{}
	var run order
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		var o order
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			continue // half a line: the writer died while writing it
		}
		switch {
		case o.Creation != nil:
			made.heed(*o.Creation, orders)
		case o.Mark != "":
			mark = o.Mark
		case o.Remove != "":
			folders = append(folders, o.Remove)
		case len(o.Run) > 0:
			run = o
		case o.Restore != "":
			restore[o.Restore] = o.Value
		case o.Forget != "":
			delete(restore, o.Forget)
			folders = slices.DeleteFunc(folders, func(f string) bool { return f == o.Forget })
		}
	}
	made.await()
	if mark != "" {
		for killMarked(mark) {
		}
	}
	made.remove()
	if len(run.Run) > 0 {
		run.run()
	}
	for file, value := range restore {
		_ = os.WriteFile(file, []byte(value), 0) // nobody is left to tell
	}
	for _, folder := range folders {
		_ = removeAll(folder)
	}
}

const (
	afterLimit = 10 * time.Second
	runLimit   = 20 * time.Second
)

// run waits for the end of a process that was a child of the Go process, and runs the command.
func (o order) run() {
	if o.After > 0 {
		at := fmt.Sprintf("/proc/%d/stat", o.After)
		deadline := time.Now().Add(afterLimit)
		for state, _ := os.ReadFile(at); len(state) > 0 && !bytes.Contains(state, []byte(") Z ")); state, _ = os.ReadFile(at) {
			if time.Now().After(deadline) {
				_ = syscall.Kill(o.After, syscall.SIGKILL)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	cmd, err := os.StartProcess(o.Run[0], o.Run, &os.ProcAttr{Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: "/"})
	if err != nil {
		return // nobody is left to tell
	}
	limit := time.AfterFunc(runLimit, func() { _ = cmd.Kill() })
	defer limit.Stop()
	_, _ = cmd.Wait()
}

// killMarked kills every process whose command line carries mark, and says whether there was one.
// A zombie has no command line, so the loop around it ends.
func killMarked(mark string) bool {
	found := false
	proc, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, entry := range proc {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err == nil && bytes.Contains(line, []byte(mark)) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			found = true
		}
	}
	return found
}

// removeAll removes a folder also where a spec took the permissions away.
func removeAll(folder string) error {
	if os.RemoveAll(folder) == nil {
		return nil
	}
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(folder)
}

// A Keeper is a running keeper.
type Keeper struct {
	mu     sync.Mutex
	orders int // a socket
	pid    int
	folder string
}

// Start starts a keeper that will kill all processes whose command line carries mark.
func Start(mark string) (*Keeper, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	defer syscall.Close(ends[0])
	devNull, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	out := ^uintptr(0)
	if err == nil {
		defer devNull.Close()
		out = devNull.Fd()
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"ipcspec-keeper"}, &syscall.ProcAttr{
		Dir: "/", Env: []string{env + "=1", "GOMAXPROCS=1", "PATH=" + os.Getenv("PATH")}, Files: []uintptr{uintptr(ends[0]), out, out},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		_ = syscall.Close(ends[1])
		return nil, fmt.Errorf("start the keeper (/proc/self/exe): %w", err)
	}
	k := &Keeper{orders: ends[1], pid: pid}
	return k, k.tell(order{Mark: mark})
}

// tell gives an order, perhaps with files.
func (k *Keeper) tell(o order, files ...int) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	line = append(line, '\n')
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	for len(line) > 0 {
		n, err := syscall.SendmsgN(k.orders, line, rights, nil, syscall.MSG_NOSIGNAL)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("tell the keeper: %w", err)
		}
		line, rights = line[n:], nil
	}
	return nil
}

// PID returns the keeper's process id.
func (k *Keeper) PID() int { return k.pid }

// Folder returns a folder that is removed in the end, with all that is in it. It is in the first of
// the usual places, beginning with $TMPDIR, that every user can reach: actors may run as others.
func (k *Keeper) Folder() (string, error) {
	if k.folder != "" {
		return k.folder, nil
	}
	var problems []error
	for _, place := range []string{os.TempDir(), "/tmp", "/var/tmp", "/dev/shm"} {
		if err := reachable(place); err != nil {
			problems = append(problems, err)
			continue
		}
		folder := filepath.Join(place, fmt.Sprintf("ipcspec-%d", k.pid))
		// The keeper is told first, so that there is no moment in which the folder is there and
		// nobody knows of it. Should the name be taken, the keeper is told to leave it alone.
		if err := k.tell(order{Remove: folder}); err != nil {
			return "", err
		}
		err := os.Mkdir(folder, 0o711)
		if err == nil {
			err = os.Chmod(folder, 0o711) // whatever the umask
		}
		if err == nil {
			k.folder = folder
			return folder, nil
		}
		problems = append(problems, err)
		if err := k.tell(order{Forget: folder}); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("no place for files that every user can reach: set TMPDIR to one: %w", errors.Join(problems...))
}

// reachable says why not every user can come to a folder.
func reachable(folder string) error {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	for ; ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s has mode %v, which keeps others out", folder, info.Mode().Perm())
		}
		if folder == filepath.Dir(folder) {
			return nil
		}
	}
}

// Change writes value into a file (a sysctl) and has it restored in the end, or by the function
// that it returns.
func (k *Keeper) Change(file, value string) (restore func() error, err error) {
	old, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := k.tell(order{Restore: file, Value: string(old)}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return nil, err
	}
	return func() error {
		if err := os.WriteFile(file, old, 0); err != nil {
			return err
		}
		return k.tell(order{Forget: file})
	}, nil
}

// Run has the keeper run a command in the end, before it removes folders: when the given child of this
// process has ended, for which it waits a while before it kills it. Another Run takes the place of the
// first.
func (k *Keeper) Run(after int, command ...string) error {
	return k.tell(order{Run: command, After: after})
}

// Stop has the keeper do its work and waits until it is done.
func (k *Keeper) Stop() {
	_ = syscall.Close(k.orders)
	for {
		_, err := syscall.Wait4(k.pid, nil, 0, nil)
		if err != syscall.EINTR {
			return
		}
	}
}

// RemoveAll removes a folder of a spec also where it took the permissions away.
func RemoveAll(folder string) error { return removeAll(folder) }
