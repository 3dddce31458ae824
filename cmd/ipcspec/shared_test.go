package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/report"
)

// amongOthers runs the test once more in an IPC namespace in which nobody can make another one, as in
// many containers, and in which nothing but the test makes objects. It returns false in the process
// that only waits for that.
func amongOthers(t *testing.T) bool {
	t.Helper()
	const env = "IPCSPEC_TEST_AMONG_OTHERS"
	if os.Getenv(env) != "" {
		if err := os.WriteFile("/proc/sys/user/max_ipc_namespaces", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skip("no user namespace: ", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return false
}

// objects lists the System V objects of the namespace.
func (s *scene) objects() []string {
	var rows []string
	for _, row := range s.left() {
		if kind, _, _ := strings.Cut(row, " "); kind == "msg" || kind == "sem" || kind == "shm" {
			rows = append(rows, row)
		}
	}
	return rows
}

func TestRunAmongOthers(t *testing.T) {
	if !amongOthers(t) {
		return
	}
	s := newScene(t)
	before := s.left()
	results := filepath.Join(t.TempDir(), "r.json")
	if out, err := s.command("run", "--suite", "sysv", "--results", results).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := s.objects(); len(left) > 0 {
		t.Errorf("left for later: %q", left)
	}
	s.clean(before)
	found, err := report.ReadResults(results)
	if err != nil {
		t.Fatal(err)
	}
	if found.Total.Conforms < 300 || found.Total.Unresolved == 0 {
		t.Errorf("without a namespace of their own %d clauses conform, %d are unresolved", found.Total.Conforms, found.Total.Unresolved)
	}
}

// TestEndsAmongOthers ends runs in all ways while their objects are there.
func TestEndsAmongOthers(t *testing.T) {
	if !amongOthers(t) {
		return
	}
	s := newScene(t)
	before := s.left()
	for name, end := range map[string]func(run *exec.Cmd){
		"the director is killed": func(run *exec.Cmd) { _ = run.Process.Kill() },
		"a worker is killed": func(run *exec.Cmd) {
			workers := s.workers(run.Process.Pid)
			if len(workers) > 0 {
				_ = unix.Kill(workers[rand.IntN(len(workers))], unix.SIGKILL)
			}
		},
		"an actor is killed": func(*exec.Cmd) {
			if actors := s.actors(); len(actors) > 0 {
				_ = unix.Kill(actors[rand.IntN(len(actors))], unix.SIGKILL)
			}
		},
		"it is interrupted": func(run *exec.Cmd) { _ = run.Process.Signal(unix.SIGINT) },
		"all is killed": func(run *exec.Cmd) {
			for _, pid := range append(s.workers(run.Process.Pid), s.actors()...) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			_ = run.Process.Kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				run := s.command("run", "--clause", "msgsnd.*", "--clause", "semop.*", "--clause", "shmat.*", "--procs", "2")
				if err := run.Start(); err != nil {
					t.Fatal(err)
				}
				for deadline := time.Now().Add(20 * time.Second); len(s.objects()) == 0; {
					if time.Now().After(deadline) {
						t.Fatal("the run makes no object")
					}
				}
				time.Sleep(time.Duration(rand.IntN(20000)) * time.Microsecond)
				end(run)
				_ = run.Wait()
				s.clean(before)
			}
		})
	}
}

// workers lists the processes that a run has started, but for keepers.
func (s *scene) workers(director int) []int {
	var pids []int
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", director, director))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", director))
	for _, task := range tasks {
		more, _ := os.ReadFile(task)
		text = append(append(text, ' '), more...)
	}
	for _, field := range strings.Fields(string(text)) {
		line, _ := os.ReadFile("/proc/" + field + "/cmdline")
		if pid, err := strconv.Atoi(field); err == nil && !bytes.HasPrefix(line, []byte("ipcspec-keeper")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// actors lists the actors of all runs of the scene.
func (s *scene) actors() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if pid, err := strconv.Atoi(e.Name()); err == nil && bytes.Contains(line, []byte("ipcspec-actor:"+s.tag+":")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
