package oci

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/target"
)

// Profiles say how much a container is allowed.
const (
	// Default is what an ordinary container gets from Docker, and from most that came after it.
	Default = "default"
	// Privileged is everything that the one who runs it has.
	Privileged = "privileged"
)

// Profiles are the names of all.
var Profiles = []string{Default, Privileged}

// program is the only file in the container's root.
const program = "/ipcspec"

// defaultCapabilities are those that Docker leaves to root in a container.
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// An ordinary container sees nothing behind the masked paths and cannot write to the others.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
		"/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// mountpoints are the folders that must be there in a root that cannot be written to.
var mountpoints = []string{"proc", "dev", "sys", "tmp"}

// config describes the container.
func config(profile string, rootless *mapping) (*specs.Spec, error) {
	privileged := profile == Privileged
	own, err := bounding(rootless != nil)
	if err != nil {
		return nil, err
	}
	var capabilities []string
	for _, name := range own {
		if privileged || slices.Contains(defaultCapabilities, name) {
			capabilities = append(capabilities, name)
		}
	}
	env := []string{"PATH=/", "HOME=/", "TMPDIR=/tmp", target.First}
	if tag := os.Getenv("IPCSPEC_TAG"); tag != "" {
		env = append(env, "IPCSPEC_TAG="+tag)
	}
	c := &specs.Spec{
		Version:  "1.0.2", // nothing here is younger
		Hostname: "ipcspec",
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			Args: []string{program}, Env: env, Cwd: "/", NoNewPrivileges: !privileged,
			Capabilities: &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
		},
		Mounts: mounts(privileged, rootless),
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace},
			},
		},
	}
	if rootless != nil {
		c.Linux.Namespaces = append(c.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		c.Linux.UIDMappings, c.Linux.GIDMappings = rootless.uids, rootless.gids
	} else {
		c.Linux.Resources = &specs.LinuxResources{Devices: devices(privileged)}
	}
	if privileged {
		return c, nil
	}
	c.Linux.MaskedPaths, c.Linux.ReadonlyPaths = maskedPaths, readonlyPaths
	c.Linux.Seccomp, err = seccomp.GetDefaultProfile(c)
	if err != nil {
		return nil, fmt.Errorf("the seccomp policy: %w", err)
	}
	return c, nil
}

// bounding gives the capabilities that a container can have: those of this process's bounding set, or
// in a user namespace all that the kernel knows.
func bounding(userns bool) ([]string, error) {
	field, base := "CapBnd:", 16
	file := "/proc/self/status"
	if userns {
		field, base, file = "", 10, "/proc/sys/kernel/cap_last_cap"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the capabilities that there are: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), base, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if userns {
				n = 1<<(n+1) - 1
			}
			return kernel.CapabilityNames(n), nil
		}
	}
	return nil, fmt.Errorf("%s has no line %s", file, field)
}

func mounts(privileged bool, rootless *mapping) []specs.Mount {
	pts := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if rootless == nil || rootless.many {
		pts = append(pts, "gid=5")
	}
	readonly := "ro"
	if privileged {
		readonly = "rw"
	}
	all := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: pts},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=67108864"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", readonly}},
		// Ordinary containers have a root that can be written to; here that is this folder.
		{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777"}},
	}
	return all
}

// devices are those that may be used: what Docker allows, or all.
func devices(privileged bool) []specs.LinuxDeviceCgroup {
	if privileged {
		return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	number := func(n int64) *int64 { return &n }
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}, {Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}}
	for _, d := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}} {
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: number(d[0]), Minor: number(d[1]), Access: "rwm"})
	}
	return append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: number(136), Access: "rwm"})
}

// writeBundle writes a bundle into a folder.
func writeBundle(folder string, c *specs.Spec) error {
	root := filepath.Join(folder, "rootfs")
	for _, dir := range append([]string{""}, mountpoints...) {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	// A program that is read through /proc/self/exe may be deleted, or in a namespace of its own.
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, program), text, 0o755); err != nil {
		return err
	}
	text, err = json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "config.json"), text, 0o644)
}
