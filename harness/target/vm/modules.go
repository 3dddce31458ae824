package vm

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A module is a kernel module that goes into the guest.
type module struct {
	name     string // as in the kernel: with _, not -
	params   string
	optional bool
	image    []byte // not compressed: not every kernel can decompress it
	depends  []string
	release  string // of the kernel that it was made for
}

// helpful are the modules that are loaded where there are any: other machines have what they provide
// compiled in, or loaded when it is first asked for.
var helpful = []string{"binfmt_misc", "fuse", "loop"}

// A tree holds the modules that come with a kernel.
type tree struct {
	files  map[string]string // by name
	from   string            // as messages name it
	remove func()
}

// openTree finds the modules below a folder or in a Debian package. It has to be closed.
func openTree(path string) (*tree, error) {
	t := &tree{files: map[string]string{}, from: path, remove: func() {}}
	if path == "" {
		return t, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--modules: %w", err)
	}
	if !info.IsDir() {
		dir, err := os.MkdirTemp("", "ipcspec-modules-")
		if err != nil {
			return nil, err
		}
		t.remove = func() { os.RemoveAll(dir) }
		if err := unpack(path, dir); err != nil {
			t.remove()
			return nil, fmt.Errorf("--modules %s: %w", path, err)
		}
		path = dir
	}
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := moduleName(file); ok && entry.Type().IsRegular() {
			t.files[name] = file
		}
		return nil
	})
	if err == nil && len(t.files) == 0 {
		err = errors.New("there is no kernel module (*.ko) in it")
	}
	if err != nil {
		t.remove()
		return nil, fmt.Errorf("--modules %s: %w", t.from, err)
	}
	return t, nil
}

// unpack unpacks a Debian package, without installing it.
func unpack(deb, dir string) error {
	tool, err := exec.LookPath("dpkg-deb")
	if err != nil {
		return errors.New("a package takes dpkg-deb to unpack, which is not here: install dpkg, or unpack it and name the folder")
	}
	var words bytes.Buffer
	cmd := exec.Command(tool, "-x", deb, dir)
	cmd.Stderr = &words
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("dpkg-deb: %s", oneLine(words.String()+" "+err.Error()))
	}
	return nil
}

// moduleName tells the name of the module in a file, and whether there is one.
func moduleName(file string) (string, bool) {
	base := filepath.Base(file)
	for _, suffix := range []string{".gz", ".xz", ".zst"} {
		base = strings.TrimSuffix(base, suffix)
	}
	name, ok := strings.CutSuffix(base, ".ko")
	return strings.ReplaceAll(name, "-", "_"), ok
}

// gather reads the modules that are asked for, each FILE.ko[,param=value]... or, with a tree, the
// name of a module, and what they depend on, in an order in which they can be loaded.
func (t *tree) gather(wanted []string, release string) ([]module, error) {
	var all []module
	for _, word := range wanted {
		file, params, _ := strings.Cut(word, ",")
		m, err := t.find(file)
		if err == nil {
			err = m.fits(release)
		}
		if err != nil {
			return nil, fmt.Errorf("--module %s: %w", file, err)
		}
		m.params = strings.Join(strings.Split(params, ","), " ")
		if all, err = t.add(all, m); err != nil {
			return nil, fmt.Errorf("--module %s: %w", file, err)
		}
	}
	for _, name := range helpful {
		if t.files[name] == "" {
			continue
		}
		m, err := t.find(name)
		if err == nil && m.fits(release) == nil {
			m.optional = true
			if more, err := t.add(all, m); err == nil {
				all = more
			}
		}
	}
	return all, nil
}

// find reads a module from its file, or finds it by its name in the tree.
func (t *tree) find(file string) (module, error) {
	if name, ok := moduleName(file); ok || strings.Contains(file, "/") {
		return readModule(file, name)
	}
	name := strings.ReplaceAll(file, "-", "_")
	found, ok := t.files[name]
	switch {
	case !ok && t.from == "":
		return module{}, errors.New("this is no file *.ko: name one, or say with --modules where the kernel's modules are")
	case !ok:
		return module{}, fmt.Errorf("there is no module of that name in %s", t.from)
	}
	return readModule(found, name)
}

// add appends a module behind those that it depends on, unless it is there already.
func (t *tree) add(all []module, m module) ([]module, error) {
	if slices.ContainsFunc(all, func(have module) bool { return have.name == m.name }) {
		return all, nil
	}
	for _, name := range m.depends {
		if slices.ContainsFunc(all, func(have module) bool { return have.name == name }) {
			continue
		}
		if t.files[name] == "" {
			return nil, fmt.Errorf("it depends on the module %s: name that before it, or say with --modules where the kernel's modules are", name)
		}
		d, err := t.find(name)
		if err != nil {
			return nil, err
		}
		d.optional = m.optional
		if all, err = t.add(all, d); err != nil {
			return nil, err
		}
	}
	return append(all, m), nil
}

// readModule reads a module and what it says of itself.
func readModule(file, name string) (module, error) {
	m := module{name: name}
	text, err := os.ReadFile(file)
	if err == nil {
		m.image, err = decompress(text)
	}
	if err != nil {
		return m, err
	}
	image, err := elf.NewFile(bytes.NewReader(m.image))
	if err != nil {
		return m, fmt.Errorf("this is no kernel module: %w", err)
	}
	section := image.Section(".modinfo")
	if image.Type != elf.ET_REL || section == nil {
		return m, errors.New("this is no kernel module: it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return m, fmt.Errorf("read its .modinfo: %w", err)
	}
	for _, entry := range strings.Split(string(info), "\x00") {
		switch key, value, _ := strings.Cut(entry, "="); key {
		case "depends":
			m.depends = slices.DeleteFunc(strings.Split(value, ","), func(s string) bool { return s == "" })
			for i, d := range m.depends {
				m.depends[i] = strings.ReplaceAll(d, "-", "_")
			}
		case "vermagic":
			m.release, _, _ = strings.Cut(value, " ")
		case "name":
			m.name = value
		}
	}
	return m, nil
}

// fits says whether the module was made for the kernel of that release, as far as either is known.
func (m module) fits(release string) error {
	if m.release != "" && release != "" && m.release != release {
		return fmt.Errorf("it was made for the kernel %s, and this one is %s: build it against this kernel", m.release, release)
	}
	return nil
}

// decompress decompresses what is compressed in a way that kernel modules are.
func decompress(text []byte) ([]byte, error) {
	in := bytes.NewReader(text)
	switch {
	case bytes.HasPrefix(text, []byte("\xfd7zXZ\x00")):
		r, err := xz.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case bytes.HasPrefix(text, []byte("\x28\xb5\x2f\xfd")):
		r, err := zstd.NewReader(in)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	return text, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
