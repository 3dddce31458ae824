package actor

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// image returns the address of the program's bytes in this process (loop_*.s).
func image() (start unsafe.Pointer)

// codeBase is where the program stands in an actor: behind the ELF header and two program headers,
// at the next multiple of 64.
const codeBase = imageBase + 192

var endOfProgram = []byte("ipcspec.")

// program returns the machine code of the actor, position-independent, as bytes.
func program() []byte {
	const most = 8 << 10
	start := (*byte)(image())
	for n := 0; n < most; n += 64 {
		code := unsafe.Slice(start, n+len(endOfProgram))
		if bytes.HasSuffix(code, endOfProgram) {
			return code[:n]
		}
	}
	panic("actor: the end of the program is not marked")
}

// elfImage returns a static ELF executable that is nothing but the program.
func elfImage() []byte {
	code := program()
	var out bytes.Buffer
	size := uint64(codeBase - imageBase + len(code))
	write := func(v any) {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			panic(err) // a fixed-size struct into a buffer
		}
	}
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: codeBase, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	write(header)
	write(elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: imageBase, Paddr: imageBase, Filesz: size, Memsz: size, Align: 0x10000,
	})
	write(elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16})
	out.Write(make([]byte, codeBase-imageBase-out.Len()))
	out.Write(code)
	return out.Bytes()
}

// imageFile returns the descriptor of a memfd with the image, made once a process.
var imageFile = sync.OnceValues(func() (int, error) {
	fd, err := memfd("ipcspec-actor", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err != nil {
		return -1, err
	}
	code := elfImage()
	if n, err := unix.Write(fd, code); err != nil || n != len(code) {
		return -1, fmt.Errorf("write the actor's image: %d of %d bytes: %w", n, len(code), err)
	}
	return fd, nil
})

// memfd is memfd_create(2). Kernels before 6.3 refuse MFD_EXEC and need no permission to execute.
func memfd(name string, flags int) (int, error) {
	fd, err := unix.MemfdCreate(name, flags)
	if err == unix.EINVAL && flags&unix.MFD_EXEC != 0 {
		fd, err = unix.MemfdCreate(name, flags&^unix.MFD_EXEC)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd_create %s: %w", name, err)
	}
	return fd, nil
}
