// Package kernels keeps kernels of Debian's in a cache folder: fetched by the system's own package
// tools, which verify who signed them, unpacked, and never installed. It uses a list of sources, a
// state and a cache of its own, so that the machine's package management does not notice.
package kernels

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/target/kbuild"
)

// A Kernel is one in the cache.
type Kernel struct {
	Name    string    `json:"name"`    // as it was asked for, debian:6.12-cloud
	Release string    `json:"release"` // as uname -r prints it
	Version string    `json:"version"` // of the package
	Image   string    `json:"image"`   // paths in the kernel's folder
	Modules string    `json:"modules"`
	Headers string    `json:"headers,omitempty"` // for KDIR
	Fetched time.Time `json:"fetched"`

	Folder string `json:"-"`
}

// Path makes a path in the kernel's folder absolute.
func (k Kernel) Path(name string) string { return filepath.Join(k.Folder, name) }

// A Cache is a folder for kernels.
type Cache struct {
	Folder string
	Words  io.Writer // what is going on
}

// prefix begins the name of every kernel that there is to be had so far.
const prefix = "debian:"

// IsName says whether a kernel is named that way, and not by the file of its image.
func IsName(text string) bool { return strings.HasPrefix(text, prefix) }

// Open gives the cache in a folder, "" for the usual one.
func Open(folder string, words io.Writer) (Cache, error) {
	if folder == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return Cache{}, fmt.Errorf("where is the cache? %w: say with --cache", err)
		}
		folder = filepath.Join(base, "ipcspec", "kernels")
	}
	folder, err := filepath.Abs(folder)
	return Cache{Folder: folder, Words: words}, err
}

// A request is a kernel by name, taken apart.
type request struct {
	release string // 6.12, or 6.12.118
	flavour string // "", cloud, rt
}

var numbers = regexp.MustCompile(`^\d+\.\d+(\.\d+)?$`)

func parse(name string) (request, error) {
	release, flavour, dashed := strings.Cut(strings.TrimPrefix(name, prefix), "-")
	r := request{release, flavour}
	fault := !IsName(name) || !numbers.MatchString(release)
	if fault || dashed && flavour != "cloud" && flavour != "rt" {
		return r, fmt.Errorf("%q is no kernel: write debian:RELEASE, debian:RELEASE-cloud or debian:RELEASE-rt, such as debian:6.12-cloud", name)
	}
	return r, nil
}

func (r request) name() string {
	if r.flavour == "" {
		return prefix + r.release
	}
	return prefix + r.release + "-" + r.flavour
}

// folder is the name of the kernel's folder.
func (r request) folder() string { return strings.Replace(r.name(), ":", "-", 1) }

const recordFile = "kernel.json"

// Find gives a kernel in the cache.
func (c Cache) Find(name string) (Kernel, error) {
	r, err := parse(name)
	if err != nil {
		return Kernel{}, err
	}
	k, err := c.read(r.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("%s is not in the cache: fetch it with ipcspec kernel fetch %s", name, name)
	}
	return k, err
}

func (c Cache) read(folder string) (Kernel, error) {
	k := Kernel{Folder: filepath.Join(c.Folder, folder)}
	text, err := os.ReadFile(k.Path(recordFile))
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	return k, err
}

// Cached gives the kernels in the cache.
func (c Cache) Cached() ([]Kernel, error) {
	entries, err := os.ReadDir(c.Folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Kernel
	for _, e := range entries {
		if k, err := c.read(e.Name()); err == nil {
			all = append(all, k)
		}
	}
	return all, nil
}

// Fetch brings the newest kernel of that name, with what is needed to build a module if headers is
// set. What is in the cache already and the newest is left alone.
func (c Cache) Fetch(ctx context.Context, name string, headers bool) (Kernel, error) {
	r, err := parse(name)
	if err != nil {
		return Kernel{}, err
	}
	if err := os.MkdirAll(c.Folder, 0o777); err != nil {
		return Kernel{}, err
	}
	a, err := newAPT(ctx, c)
	if err != nil {
		return Kernel{}, err
	}
	if err := a.update(time.Hour); err != nil {
		return Kernel{}, err
	}
	all, err := a.packages()
	if err != nil {
		return Kernel{}, err
	}
	found, ok := newest(all, r)
	if !ok {
		return Kernel{}, fmt.Errorf("%s cannot be had: ipcspec kernel list shows what can", name)
	}
	have, err := c.read(r.folder())
	if err == nil && have.Version == found.version && have.Release == found.release && (have.Headers != "" || !headers) {
		return have, nil
	}
	work, err := os.MkdirTemp(c.Folder, ".fetch-")
	if err != nil {
		return Kernel{}, err
	}
	defer os.RemoveAll(work)
	k := Kernel{Name: r.name(), Release: found.release, Version: found.version, Fetched: time.Now().UTC().Truncate(time.Second), Folder: work}
	wanted := found.images(all)
	if headers {
		wanted = append(wanted, found.headers(all)...)
	}
	if err := a.unpack(wanted, work); err != nil {
		return k, err
	}
	if err := k.look(headers); err != nil {
		return k, err
	}
	final := filepath.Join(c.Folder, r.folder())
	if headers && kbuild.WantsLibraries(work) {
		if err := a.libraries(filepath.Join(work, kbuild.HostFolder)); err != nil {
			return k, err
		}
	}
	if headers {
		if err := relocate(work, final); err != nil {
			return k, err
		}
	}
	text, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = os.WriteFile(k.Path(recordFile), append(text, '\n'), 0o666)
	}
	if err == nil {
		err = os.Chmod(work, 0o755)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(final), os.Rename(work, final))
	}
	k.Folder = final
	return k, err
}

// look finds out where things are in the kernel's folder.
func (k *Kernel) look(headers bool) error {
	first := func(what string, patterns ...string) (string, error) {
		for _, p := range patterns {
			if found, err := filepath.Glob(k.Path(p)); err == nil && len(found) > 0 {
				return filepath.Rel(k.Folder, found[0])
			}
		}
		return "", fmt.Errorf("there is no %s in the packages of %s", what, k.Release)
	}
	var err error
	if k.Image, err = first("kernel image", "boot/vmlinuz-"+k.Release, "usr/lib/modules/"+k.Release+"/vmlinuz", "lib/modules/"+k.Release+"/vmlinuz"); err != nil {
		return err
	}
	if k.Modules, err = first("folder of modules", "usr/lib/modules/"+k.Release+"/kernel", "lib/modules/"+k.Release+"/kernel"); err != nil || !headers {
		return err
	}
	k.Headers, err = first("folder of headers", "usr/src/linux-headers-"+k.Release)
	return err
}

// relocate makes headers that were meant to be in / usable in another folder: their Makefiles and
// links name each other by absolute paths.
func relocate(folder, final string) error {
	makefiles, err := filepath.Glob(filepath.Join(folder, "usr/src/linux-headers-*/Makefile"))
	if err != nil {
		return err
	}
	for _, file := range makefiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte(" /usr/"), []byte(" "+final+"/usr/"))
		if err := os.WriteFile(file, text, 0o666); err != nil {
			return err
		}
	}
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() != fs.ModeSymlink {
			return err
		}
		to, err := os.Readlink(path)
		if err != nil || !filepath.IsAbs(to) {
			return err
		}
		return errors.Join(os.Remove(path), os.Symlink(filepath.Join(final, to), path))
	})
}

// Available gives the newest of each kernel that can be had, as if it were in the cache.
func (c Cache) Available(ctx context.Context) ([]Kernel, error) {
	if err := os.MkdirAll(c.Folder, 0o777); err != nil {
		return nil, err
	}
	a, err := newAPT(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := a.update(24 * time.Hour); err != nil {
		return nil, err
	}
	all, err := a.packages()
	if err != nil {
		return nil, err
	}
	best := map[request]candidate{}
	for _, one := range candidates(all) {
		r := request{fmt.Sprintf("%d.%d", one.parsed.Major, one.parsed.Minor), one.flavour}
		if have, ok := best[r]; !ok || one.compare(have) > 0 {
			best[r] = one
		}
	}
	var found []Kernel
	for r, one := range best {
		found = append(found, Kernel{Name: r.name(), Release: one.release, Version: one.version})
	}
	slices.SortFunc(found, func(a, b Kernel) int {
		one, _ := kernel.ParseRelease(a.Release)
		other, _ := kernel.ParseRelease(b.Release)
		return cmp.Or(cmp.Compare(one.Major, other.Major), cmp.Compare(one.Minor, other.Minor), cmp.Compare(a.Name, b.Name))
	})
	return found, nil
}
