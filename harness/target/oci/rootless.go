package oci

import (
	"bufio"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// mapping is what the ids inside a container's user namespace are outside.
type mapping struct {
	uids, gids []specs.LinuxIDMapping
	many       bool // there are others besides root
}

// ownMapping makes the ordinary user who runs this root in a container, and gives him the ids that
// /etc/subuid and /etc/subgid leave to him, if the programs are there that may map them.
func ownMapping() *mapping {
	m := &mapping{
		uids: []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Getuid()), Size: 1}},
		gids: []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Getgid()), Size: 1}},
	}
	uids, gids := subordinate("/etc/subuid"), subordinate("/etc/subgid")
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return m
		}
	}
	if uids != nil && gids != nil {
		m.uids, m.gids, m.many = append(m.uids, *uids), append(m.gids, *gids), true
	}
	return m
}

// subordinate finds the first range of ids that a file gives to the user.
func subordinate(name string) *specs.LinuxIDMapping {
	file, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	own := strconv.Itoa(os.Getuid())
	names := []string{own}
	if u, err := user.LookupId(own); err == nil {
		names = append(names, u.Username)
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 || !slices.Contains(names, fields[0]) {
			continue
		}
		first, err := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err == nil && err2 == nil && count > 0 {
			return &specs.LinuxIDMapping{ContainerID: 1, HostID: uint32(first), Size: uint32(count)}
		}
	}
	return nil
}
