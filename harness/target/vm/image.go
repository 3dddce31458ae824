package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// An image is what is known of a kernel image before it is booted.
type image struct {
	path    string
	release string // as uname -r will print it; "" where the image does not say
}

// inspect looks at a kernel image, so that what cannot boot is told at once. The layout of a bzImage
// is documented in the kernel's Documentation/arch/x86/boot.rst.
func inspect(path string) (image, error) {
	i := image{path: path}
	file, err := os.Open(path)
	if err != nil {
		return i, fmt.Errorf("the kernel image: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return i, err
	}
	refuse := func(format string, arguments ...any) error {
		return fmt.Errorf("%s is no kernel image that can be booted: %s", path, fmt.Sprintf(format, arguments...))
	}
	if !info.Mode().IsRegular() {
		return i, refuse("it is no regular file")
	}
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return i, refuse("%v", err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return i, inspectELF(file, refuse)
	case len(head) > 60 && string(head[56:60]) == "ARM\x64":
		return i, refuse("it is for arm64; ipcspec's actors run on amd64 only so far")
	case len(head) < 0x264 || string(head[0x202:0x206]) != "HdrS":
		return i, refuse("it begins neither as a bzImage nor as an ELF file: give arch/x86/boot/bzImage of a kernel tree, or /boot/vmlinuz-…")
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint16(head[at:])) }
	setup := int64(head[0x1f1])
	if setup == 0 {
		setup = 4
	}
	whole := 512*(setup+1) + 16*int64(binary.LittleEndian.Uint32(head[0x1f4:]))
	if info.Size() < whole {
		return i, refuse("it is truncated: %d of %d bytes", info.Size(), whole)
	}
	if word(0x206) < 0x20c || word(0x236)&1 == 0 {
		return i, refuse("it is no 64-bit kernel")
	}
	if at := word(0x20e) + 0x200; word(0x20e) != 0 && at < int64(len(head)) {
		text, _, _ := bytes.Cut(head[at:], []byte{0})
		i.release, _, _ = strings.Cut(string(text), " ")
	}
	return i, nil
}

// inspectELF looks at a vmlinux, which QEMU boots if it was configured with PVH.
func inspectELF(file *os.File, refuse func(string, ...any) error) error {
	f, err := elf.NewFile(file)
	if err != nil {
		return refuse("%v", err)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.Machine != elf.EM_X86_64 || f.Type != elf.ET_EXEC {
		return refuse("it is an ELF file for %s of type %s", f.Machine, f.Type)
	}
	pvh := false
	for _, p := range f.Progs {
		if uint64(info.Size()) < p.Off+p.Filesz {
			return refuse("it is truncated: %d of at least %d bytes", info.Size(), p.Off+p.Filesz)
		}
		if p.Type == elf.PT_NOTE {
			text, err := io.ReadAll(p.Open())
			pvh = pvh || err == nil && bytes.Contains(text, []byte("Xen\x00"))
		}
	}
	if !pvh {
		return refuse("it is a vmlinux without CONFIG_PVH: give arch/x86/boot/bzImage")
	}
	return nil
}
