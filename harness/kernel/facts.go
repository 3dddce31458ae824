// Package kernel tells facts about the kernel under test. They are found by probing, not assumed
// from a version or a distribution, and a kernel that lacks /proc or one of the calls gives fewer
// facts, not an error.
package kernel

import (
	"bytes"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Facts describe the kernel under test and what this process may do there. The name of the machine
// is left out on purpose: reports are passed on.
type Facts struct {
	// System is the name that uname gives, Linux.
	System string `json:"system"`
	// Release is the kernel's version.
	Release Release `json:"release"`
	// Version tells one build of a release from another.
	Version string `json:"version"`
	// Machine is the architecture as uname gives it, such as x86_64 or aarch64.
	Machine string `json:"machine"`
	// PageSize is the size of a page of memory, in bytes.
	PageSize int `json:"page_size"`
	// CPUs is the number of CPUs that this process may run on.
	CPUs int `json:"cpus"`
	// Runtime is what stands between this process and a plain kernel: gvisor, docker, podman, lxc,
	// systemd-nspawn, kubernetes, container (of an unknown sort), or "" where no hint was found.
	Runtime string `json:"runtime"`
	// EffectiveCapabilities are the effective capabilities by name.
	EffectiveCapabilities []string `json:"effective_capabilities"`
	// UID and GID are the effective ids.
	UID int `json:"uid"`
	GID int `json:"gid"`
	// NoNewPrivs says that execve cannot give this process privileges.
	NoNewPrivs bool `json:"no_new_privs"`
	// Proc says that a procfs is mounted on /proc.
	Proc bool `json:"proc"`
}

// Gather probes the kernel that runs this process.
func Gather() Facts {
	f := Facts{
		PageSize: unix.Getpagesize(),
		CPUs:     cpus(),
		UID:      unix.Geteuid(),
		GID:      unix.Getegid(),
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		f.System = unix.ByteSliceToString(name.Sysname[:])
		f.Version = unix.ByteSliceToString(name.Version[:])
		f.Machine = unix.ByteSliceToString(name.Machine[:])
		f.Release, _ = ParseRelease(unix.ByteSliceToString(name.Release[:]))
	}
	// Without an answer the list stays empty: privileges are never claimed on a guess.
	set, _ := Effective()
	f.EffectiveCapabilities = CapabilityNames(set)
	if v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil {
		f.NoNewPrivs = v == 1
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		f.Proc = true
	}
	f.Runtime = detectRuntime(os.DirFS("/"), f.Version, logStart(), os.Getenv)
	return f
}

// LinuxRelease gives the release of Linux that answers the calls. It is false where another kernel
// does, which names a release only for the programs that want one: gVisor has called itself 4.4.0
// ever since, with interfaces that are much younger, and without some that are older.
func (f Facts) LinuxRelease() (Release, bool) {
	return f.Release, f.Runtime != "gvisor"
}

// Has says whether a capability is among the effective ones.
func (f Facts) Has(capability string) bool {
	for _, name := range f.EffectiveCapabilities {
		if name == capability {
			return true
		}
	}
	return false
}

// cpus counts the CPUs in the affinity mask of the calling thread.
func cpus() int {
	var set unix.CPUSet
	// A kernel built for more CPUs than a CPUSet holds answers EINVAL. The runtime asked the same
	// question at start, with a larger mask.
	if unix.SchedGetaffinity(0, &set) != nil || set.Count() == 0 {
		return runtime.NumCPU()
	}
	return set.Count()
}

// logStart reads the end of the kernel's log, which for a young or small log is its start too.
// Most kernels refuse that to an ordinary user.
func logStart() []byte {
	buf := make([]byte, 8<<10)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil || n < 0 || n > len(buf) {
		return nil
	}
	return buf[:n]
}

// gvisorVersion is the version that gVisor's kernel has given by uname since its first release,
// whatever the release it claims.
const gvisorVersion = "#1 SMP Sun Jan 10 15:06:54 PST 2016"

// detectRuntime looks for the hints that sandboxes and container engines leave on purpose. It
// prefers no answer to a wrong one.
func detectRuntime(root fs.FS, version string, log []byte, getenv func(string) string) string {
	read := func(name string) string {
		text, _ := fs.ReadFile(root, name)
		return string(text)
	}
	exists := func(name string) bool {
		_, err := fs.Stat(root, name)
		return err == nil
	}

	first, _, _ := bytes.Cut(log, []byte("\n"))
	if version == gvisorVersion || strings.Contains(read("proc/version"), gvisorVersion) ||
		bytes.Contains(first, []byte("Starting gVisor")) {
		return "gvisor"
	}

	if exists("run/.containerenv") {
		return "podman"
	}
	// The container interface of systemd: the engine's name in the environment of the first
	// process, which systemd as the first process passes on in this file.
	for _, name := range []string{
		getenv("container"),
		strings.TrimSpace(read("run/systemd/container")),
		environ(read("proc/1/environ"), "container"),
	} {
		switch name {
		case "":
		case "docker", "podman", "lxc", "systemd-nspawn":
			return name
		default:
			return "container"
		}
	}
	if getenv("KUBERNETES_SERVICE_HOST") != "" || exists("run/secrets/kubernetes.io") ||
		exists("var/run/secrets/kubernetes.io") {
		return "kubernetes"
	}
	if exists(".dockerenv") {
		return "docker"
	}
	// Only the control groups version 1 hierarchies show the path from outside.
	cgroup := read("proc/1/cgroup")
	for _, hint := range []struct{ part, name string }{
		{"/kubepods", "kubernetes"}, {"/docker/", "docker"}, {"/docker-", "docker"},
		{"/libpod-", "podman"}, {"/lxc/", "lxc"},
	} {
		if strings.Contains(cgroup, hint.part) {
			return hint.name
		}
	}
	return ""
}

// environ finds a variable in the text of /proc/PID/environ.
func environ(text, name string) string {
	for _, variable := range strings.Split(text, "\x00") {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}
