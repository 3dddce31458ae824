package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cavaliergopher/cpio"
	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/mutate"
	"github.com/ipcspec/ipcspec/harness/run"
)

// Where things are in the initramfs.
const (
	initPath = "/init"
	partPath = "/ipcspec.json"
)

// A part is what the guest's init is told to do.
type part struct {
	Line    string          `json:"line"`    // the device of the serial line for results
	Modules []guestFile     `json:"modules"` // to be loaded, in this order
	Order   run.Options     `json:"order"`
	Mutate  *mutate.Options `json:"mutate,omitempty"` // lie to specs instead of a run
	Exec    *Program        `json:"exec,omitempty"`   // or execute this
}

// A guestFile is a kernel module in the initramfs.
type guestFile struct {
	Name     string `json:"name"` // as the user knows it
	Path     string `json:"path"`
	Params   string `json:"params,omitempty"`
	Optional bool   `json:"optional,omitempty"` // that it cannot be loaded is no reason to stop
}

// initramfs writes an archive with this very program as init, its part, and the modules. It is in
// memory, so that no way of ending leaves it behind.
func initramfs(p part, modules []module) (*os.File, error) {
	fd, err := unix.MemfdCreate("ipcspec-initramfs", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make memory for the initramfs: %w", err)
	}
	file := os.NewFile(uintptr(fd), "initramfs")
	if err := writeInitramfs(file, p, modules); err != nil {
		file.Close()
		return nil, fmt.Errorf("write the initramfs: %w", err)
	}
	return file, nil
}

func writeInitramfs(w io.Writer, p part, modules []module) error {
	program, err := ownProgram()
	if err != nil {
		return err
	}
	archive := cpio.NewWriter(w)
	add := func(name string, mode cpio.FileMode, text []byte) error {
		// The kernel wants names without a slash in front, and folders before what is in them.
		if err := archive.WriteHeader(&cpio.Header{Name: name[1:], Mode: mode, Size: int64(len(text)), Links: 1}); err != nil {
			return err
		}
		_, err := archive.Write(text)
		return err
	}
	for _, folder := range []string{"/dev", "/proc", "/sys", "/tmp", "/run", "/bin", "/modules"} {
		if err := add(folder, cpio.TypeDir|0o755, nil); err != nil {
			return err
		}
	}
	for i, m := range modules {
		f := guestFile{Name: m.name, Path: fmt.Sprintf("/modules/%02d-%s.ko", i, m.name), Params: m.params, Optional: m.optional}
		p.Modules = append(p.Modules, f)
		if err := add(f.Path, cpio.TypeReg|0o644, m.image); err != nil {
			return err
		}
	}
	if p.Exec != nil {
		if err := add(p.Exec.inGuest(), cpio.TypeReg|0o755, p.Exec.image); err != nil {
			return err
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return errors.Join(
		add(partPath, cpio.TypeReg|0o644, text),
		add(initPath, cpio.TypeReg|0o755, program),
		archive.Close(),
	)
}

// ownProgram reads the file of this program, which has to do without any other file.
func ownProgram() ([]byte, error) {
	image, err := readProgram("/proc/self/exe")
	if errors.Is(err, errDynamic) {
		err = errors.New("this ipcspec is not a static binary, and there is no C library in the guest: build it with CGO_ENABLED=0")
	}
	return image, err
}
