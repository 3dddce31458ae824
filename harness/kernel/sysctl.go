package kernel

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// Sysctl reads a kernel parameter, named as sysctl(8) names it: fs.pipe-max-size, or
// fs/pipe-max-size. A parameter that does not exist gives an error that is fs.ErrNotExist.
func Sysctl(name string) (string, error) {
	file, err := SysctlFile(name)
	if err != nil {
		return "", err
	}
	value, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSuffix(string(value), "\n"), nil
}

// SysctlFile gives the file below /proc/sys that holds a kernel parameter.
func SysctlFile(name string) (string, error) {
	slashed := name
	// The first separator says which notation it is. In the dotted one a slash stands for a dot
	// within a name (net.ipv4.conf.eth0/1.forwarding).
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		slashed = strings.Map(func(r rune) rune {
			switch r {
			case '.':
				return '/'
			case '/':
				return '.'
			}
			return r
		}, name)
	}
	if slashed == "" || path.Clean("/"+slashed) != "/"+slashed || strings.ContainsRune(slashed, 0) {
		return "", fmt.Errorf("%q is not the name of a sysctl", name)
	}
	return "/proc/sys/" + slashed, nil
}
