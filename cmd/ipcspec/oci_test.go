package main

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/report"
)

// containers runs f for each OCI runtime that there is and that can run a container here at all.
// $IPCSPEC_RUNSC names a runsc that is not in the path.
func containers(t *testing.T, f func(t *testing.T, s *scene, runtime string)) {
	s := newScene(t)
	for _, runtime := range []string{"runc", "crun", "runsc"} {
		t.Run(runtime, func(t *testing.T) {
			if other := os.Getenv("IPCSPEC_RUNSC"); runtime == "runsc" && other != "" {
				runtime = other
			}
			path, err := exec.LookPath(runtime)
			if err != nil {
				t.Skip(err)
			}
			if out, err := s.command("oci", "--runtime", path, "-c", "pipe.two-ends").CombinedOutput(); err != nil {
				if strings.Count(string(out), "\n") != 1 {
					t.Errorf("not one clear line: %s", out)
				}
				if os.Getuid() != 0 || strings.Contains(string(out), "cgroups in hybrid mode not supported") {
					t.Skipf("%s", out)
				}
				t.Fatalf("%v\n%s", err, out)
			}
			s.t = t
			f(t, s, path)
		})
	}
}

// belonging lists the processes that have come from this scene, inside containers too: the tag is in
// their environment.
func (s *scene) belonging() map[int]string {
	found := map[int]string{}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		environ, _ := os.ReadFile(dir + "/environ")
		line, _ := os.ReadFile(dir + "/cmdline")
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (bytes.Contains(environ, []byte("IPCSPEC_TAG="+s.tag)) || bytes.Contains(line, []byte(s.tmp))) {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

// leftContainers lists what containers have left besides what left does.
func (s *scene) leftContainers() []string {
	var left []string
	for pid, line := range s.belonging() {
		left = append(left, "process "+strconv.Itoa(pid)+" "+line)
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, s.tmp) {
			left = append(left, "mount "+line)
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, _ fs.DirEntry, _ error) error {
		if strings.HasPrefix(filepath.Base(path), "ipcspec-") {
			left = append(left, "cgroup "+path)
		}
		return nil
	})
	return left
}

// cleanContainers waits until nothing of this scene is left. The control groups may be those of
// another run; what was there before is not counted.
func (s *scene) cleanContainers(before []string) {
	s.t.Helper()
	s.clean(nil)
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := slices.DeleteFunc(s.leftContainers(), func(what string) bool { return slices.Contains(before, what) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("left behind:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestRunInContainers(t *testing.T) {
	containers(t, func(t *testing.T, s *scene, runtime string) {
		for _, profile := range []string{"default", "privileged"} {
			before := s.leftContainers()
			expected := writeFile(t, "wrong.yaml", "expectations:\n  - clause: pipe.two-ends\n    where: {profile: default, runtime: [runc, crun, gvisor]}\n    why: a pipe has one end\n")
			results := filepath.Join(t.TempDir(), "r.json")
			cmd := s.command("oci", "--runtime", runtime, "--profile", profile, "-c", "pipe.two-ends", "-c", "pipe.write-*", "--results", results, "--expect", expected)
			out, _ := cmd.CombinedOutput()
			want := report.ExitConforms
			if profile == "default" {
				want = report.ExitDeviates // what was expected does not happen
			}
			if code := cmd.ProcessState.ExitCode(); code != want {
				t.Errorf("%s: exit code %d instead of %d\n%s", profile, code, want, out)
			}
			s.cleanContainers(before)
			found, err := report.ReadResults(results)
			if err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool { return slices.Contains(found.Target.Kernel.EffectiveCapabilities, name) }
			if found.Target.Kind != "oci" || found.Target.Profile != profile || found.Target.Detail == "" || found.Target.Kernel.Runtime == "" ||
				found.Interrupted || found.Total.Conforms < 5 || !has("CAP_CHOWN") || has("CAP_SYS_ADMIN") != (profile == "privileged") {
				t.Errorf("%s: %+v, %+v", profile, found.Target, found.Total)
			}
			// The journal makes the same results again.
			again, err := harness.FoldJournal(strings.TrimSuffix(results, ".json") + ".ndjson")
			if err != nil || again.Total != found.Total || again.Target.Detail != found.Target.Detail {
				t.Errorf("results of the journal: %v, %+v instead of %+v", err, again.Total, found.Total)
			}
		}
	})
}

// TestEndedContainers ends containers in the middle, in several ways.
func TestEndedContainers(t *testing.T) {
	for _, way := range []struct {
		name string
		end  func(s *scene, cmd *exec.Cmd) // of the ipcspec outside
		says string                        // "" where nobody is left to say anything
	}{
		{"interrupt", func(s *scene, cmd *exec.Cmd) { _ = cmd.Process.Signal(unix.SIGINT) }, "The run was interrupted"},
		{"kill of ipcspec", func(s *scene, cmd *exec.Cmd) { _ = cmd.Process.Kill() }, ""},
		{"kill of the container", func(s *scene, cmd *exec.Cmd) {
			for pid, line := range s.belonging() {
				if strings.HasPrefix(line, "/ipcspec ") || strings.HasPrefix(line, "runsc-sandbox ") {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}, "ended too early"},
		{"kill of the runtime", func(s *scene, cmd *exec.Cmd) {
			for pid, line := range s.belonging() {
				if strings.Contains(line, " run --bundle ") && !strings.HasPrefix(line, "runsc-") {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}, "ended too early"},
	} {
		t.Run(way.name, func(t *testing.T) {
			containers(t, func(t *testing.T, s *scene, runtime string) {
				before := s.leftContainers()
				results := filepath.Join(t.TempDir(), "r.json")
				cmd := s.command("oci", "--runtime", runtime, "--suite", "pipes", "--procs", "2", "--results", results)
				var out, said bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				s.awaitJournal(results, 5+rand.IntN(100))
				way.end(s, cmd)
				_ = cmd.Wait()
				s.cleanContainers(before)
				if way.says == "" {
					if _, err := harness.FoldJournal(strings.TrimSuffix(results, ".json") + ".ndjson"); err != nil {
						t.Errorf("the journal of a killed run: %v", err)
					}
					return
				}
				found, err := report.ReadResults(results)
				if err != nil {
					t.Fatalf("%v\n%s", err, said.String())
				}
				last := said.String()[strings.LastIndex(strings.TrimSpace(said.String()), "\n")+1:]
				if !found.Interrupted || cmd.ProcessState.ExitCode() != report.ExitFault || !strings.Contains(out.String()+last, way.says) {
					t.Errorf("interrupted %v, %v, last said %q\n%s", found.Interrupted, cmd.ProcessState, last, out.String())
				}
				if len(found.NotRun) == 0 || len(found.Clauses) == 0 || found.Total.Deviates > found.Total.Expected {
					t.Errorf("%+v", found.Total)
				}
				// No clause is to be blamed where the end came between two of them.
				if blamed := strings.Contains(last, " while it checked "); blamed != (found.Total.Faults > 0) {
					t.Errorf("last said %q, and %d clauses say that the container ended while they were being checked", last, found.Total.Faults)
				}
			})
		})
	}
}

func TestMisuseOfOCI(t *testing.T) {
	dir := t.TempDir()
	runtime := func(name, script string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\ncase \"$*\" in *--version*) echo fake version 7; exit;; esac\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for line, want := range map[string]string{
		"oci":                            "--runtime: give the path of an OCI runtime",
		"oci --runtime /no/such":         "--runtime /no/such: ",
		"oci --runtime nosuchruntime":    `executable file not found`,
		"oci --runtime /bin/false":       "/bin/false does not say its version",
		"oci --runtime runc --profile x": "--profile x: give one of default, privileged",
		"oci --runtime runc stray":       "stray",
		"oci --clause nope.* --runtime " + runtime("good", ""):                       "nope",
		"oci --runtime " + runtime("bad", "echo my fault >&2\nexit 3\n"):             "fake did not run the container (exit status 3): my fault",
		"oci --runtime " + runtime("quiet", "exit 0\n"):                              "fake did not run the container (with exit code 0)",
		"oci --runtime " + runtime("killed", "kill -9 $$\n"):                         "fake did not run the container (signal: killed)",
		"oci --runtime " + runtime("chatty", "echo hello; exec 2>&1; ls /no/such\n"): "hello",
	} {
		code, stdout, stderr := runCommand(strings.Fields(line)...)
		if code != report.ExitFault || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("ipcspec %s: exit code %d, said %q, %q", line, code, stderr, stdout)
		}
	}
}
