package harness

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// facts are those of the kernel under test, gathered once.
var facts = sync.OnceValue(kernel.Gather)

// provide sets up what a clause needs, or ends the spec saying what is missing and how to provide
// it.
func provide(clause *spec.Clause) {
	n := clause.Needs
	lack := func(format string, args ...any) { unresolved("needs "+fmt.Sprintf(format, args...), 2) }

	if n.CPUs > facts().CPUs {
		lack("%d CPUs, and this process may run on %d: give it more (taskset, cpuset)", n.CPUs, facts().CPUs)
	}
	for _, device := range n.Devices {
		if info, err := os.Stat(device); err != nil || info.Mode()&os.ModeDevice == 0 {
			lack("the device %s, which is not there: %s", device, providing(device))
		}
	}
	for _, name := range slices.Concat(n.Sysctls, n.SysctlsWrite) {
		if file, err := kernel.SysctlFile(name); err == nil {
			if _, err := os.Stat(file); err == nil {
				continue
			}
		}
		if why := outdated(clause); why != "" && facts().Proc {
			endEarly(report.Unsupported, why, 1)
		}
		if _, err := os.Stat("/proc/sys"); err != nil {
			lack("the sysctl %s: mount /proc", name)
		}
		lack("the sysctl %s, which this kernel does not show in /proc/sys", name)
	}
	for _, name := range n.Sysctls {
		if _, err := kernel.Sysctl(name); err != nil {
			lack("the sysctl %s, which cannot be read: %v", name, errors.Unwrap(err))
		}
	}
	for _, name := range n.SysctlsWrite {
		file, err := kernel.SysctlFile(name)
		switch {
		case err != nil:
			lack("the sysctl %s: %v", name, err)
		case !Settings.Disposable:
			lack("to change the sysctl %s for the whole system for a moment: on a machine of its own (a VM) run as root with --disposable", name)
		case unix.Access(file, unix.W_OK) != nil:
			lack("to write the sysctl %s: run as root, with /proc/sys writable", name)
		}
	}
	if n.Disposable != "" && !Settings.Disposable {
		lack("to %s: on a machine of its own (a VM) run as root with --disposable", n.Disposable)
	}
	own, err := kernel.Effective()
	if err != nil {
		lack("to know its capabilities: %v", err)
	}
	var keep uint64
	for _, name := range n.Capabilities {
		bit, ok := kernel.Capability(name)
		if !ok || own>>bit&1 == 0 {
			lack("%s: run as root, in a container with that capability", name)
		}
		keep |= 1 << bit
	}

	var options []actor.Option
	var without uint64
	for _, name := range n.Without {
		if bit, ok := kernel.Capability(name); ok {
			without |= 1 << bit
		}
	}
	if without&own != 0 {
		options = append(options, actor.Without(without))
	}
	if n.FreshUser && !mayChangeUser(own) {
		lack("a user of its own, whose pipes, queues and signals are counted apart: run as root (CAP_SETUID and CAP_SETGID)")
	}
	if n.Unprivileged || n.FreshUser {
		user, _ := freshUser() // where there is none, to become it fails
		options = append(options, actor.Unprivileged(user), actor.Keeping(keep))
	}
	if len(n.Namespaces) > 0 {
		flags := namespaceFlags(n.Namespaces)
		if why := namespacesMissing(flags); why != "" {
			lack("new namespaces (%s), which cannot be had here: %s. Run as root, or allow unprivileged user namespaces", strings.Join(n.Namespaces, ", "), why)
		}
		options = append(options, actor.Namespaces(flags))
	}
	if len(n.IfPossible) > 0 {
		// With the others at once, so that all of them belong to the same user namespace.
		flags := namespaceFlags(n.Namespaces) | namespaceFlags(n.IfPossible)
		if why := namespacesMissing(flags); why == "" {
			options = append(options, actor.Namespaces(flags))
		} else if unlike := unlikeFreshIPC(); unlike != "" {
			lack("new namespaces (%s), which cannot be had here: %s. Among others it could be judged only if %s", strings.Join(n.IfPossible, ", "), why, unlike)
		}
	}
	actor.SetDefaults(options...)

	if clause.Optional != "" {
		probe, ok := probes[clause.Optional]
		if !ok {
			fault("the clause is optional for " + clause.Optional + ", for which there is no probe: add one to harness/probes.go")
		}
		if !has(probe, clause.Optional) {
			endEarly(report.Unsupported, "this kernel was built without "+clause.Optional, 1)
		}
	}
}

// providing says how a device is had.
func providing(device string) string {
	if strings.HasPrefix(device, "/dev/channel") {
		return "load the module (make -C modules/channel && insmod modules/channel/channel.ko), or have a VM do it: " +
			"ipcspec vm --kernel debian:6.12 --module modules/channel --suite chardev"
	}
	return "provide the node in this /dev"
}

var namespaces = map[string]int{
	"mount": unix.CLONE_NEWNS, "net": unix.CLONE_NEWNET, "ipc": unix.CLONE_NEWIPC,
	"pid": unix.CLONE_NEWPID, "user": unix.CLONE_NEWUSER, "uts": unix.CLONE_NEWUTS,
}

func namespaceFlags(names []string) (flags int) {
	for _, name := range names {
		flags |= namespaces[name]
	}
	return flags
}

// unlikeFreshIPC says which limits of the IPC namespace that this process lives in would have to be as
// they are in a new one, for what does not need one of its own; "" where they are.
func unlikeFreshIPC() string {
	for _, limit := range []struct{ name, fresh string }{
		{"kernel.msgmax", "8192"}, {"kernel.msgmnb", "16384"}, {"kernel.shm_rmid_forced", "0"},
	} {
		// A limit that cannot be seen, as in gVisor, is nobody's to change either.
		if is, err := kernel.Sysctl(limit.name); err == nil && is != limit.fresh {
			return fmt.Sprintf("%s were %s as in a new one, and not %s", limit.name, limit.fresh, is)
		}
	}
	return ""
}

func mayChangeUser(effective uint64) bool {
	setuid, _ := kernel.Capability("CAP_SETUID")
	setgid, _ := kernel.Capability("CAP_SETGID")
	return effective>>setuid&1 == 1 && effective>>setgid&1 == 1
}

var users atomic.Int64

// FreshUser returns a user id that nobody else is likely to use: far beyond those that systems
// hand out, and another one at each call in each process. Where this process lives in a user
// namespace that maps fewer, it is one of the last of those. A spec calls it for a user besides
// the one that its clause's need of a fresh user gives to all its actors.
func FreshUser() int {
	id, ok := freshUser()
	Presuppose(ok, "more users than this user namespace has: run in one that maps more than %d ids", fewIDs)
	return id
}

// fewIDs are too few for one of them to be nobody's.
const fewIDs = 2000

func freshUser() (id int, ok bool) {
	n := int(users.Add(1))
	const first = 0x20000000
	id = first + os.Getpid()%100000*1000 + n%1000
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return id, true
	}
	most := 0
	for _, line := range strings.Split(string(text), "\n") {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err == nil {
			most = max(most, inside+count)
		}
	}
	if id >= most && most > fewIDs {
		return most - 2 - (os.Getpid()*7+n)%1000, true
	}
	return id, id < most || most == 0
}

// namespacesMissing tries once whether the namespaces can be made, by an actor that tells nobody.
func namespacesMissing(flags int) string {
	tried.Lock()
	defer tried.Unlock()
	if why, ok := tried.why[flags]; ok {
		return why
	}
	if tried.why == nil {
		tried.why = map[int]string{}
	}
	if os.Getenv("IPCSPEC_NO_NAMESPACES") != "" {
		return "IPCSPEC_NO_NAMESPACES says so" // for those who work on specs
	}
	tried.why[flags] = actor.TryNamespaces(flags)
	return tried.why[flags]
}

var tried struct {
	sync.Mutex
	why map[int]string
}

// outdated says why a deviation on this kernel shows no more than that the kernel is older than
// the interface, or younger than the end of the behaviour; "" where it is neither. A kernel that is
// no release of Linux is measured by what the catalogue says of the youngest.
func outdated(clause *spec.Clause) string {
	release, linux := facts().LinuxRelease()
	at := func(v spec.Version) kernel.Release {
		return kernel.Release{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
	}
	var zero spec.Version
	if !linux {
		if clause.Until != zero {
			return fmt.Sprintf("it ended with Linux %s, and this is another kernel", at(clause.Until))
		}
		return ""
	}
	if clause.Since != zero && release.Compare(at(clause.Since)) < 0 {
		return fmt.Sprintf("it came with Linux %s, and this is %s, which does not have it", at(clause.Since), release.Numbers())
	}
	if clause.Until != zero && release.Compare(at(clause.Until)) >= 0 {
		return fmt.Sprintf("it ended with Linux %s, and this is %s", at(clause.Until), release.Numbers())
	}
	return ""
}

// Presuppose ends the spec where what its clause presupposes of this system is not so, which a
// need cannot say: the reason completes "needs …".
func Presuppose(holds bool, format string, args ...any) {
	if !holds {
		unresolved("needs "+fmt.Sprintf(format, args...), 1)
	}
}
