package pipes

import (
	"encoding/binary"
	"fmt"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// A badFile is a file whose writes and whose close fail with EIO: an actor serves a FUSE file system
// that has this file only and answers every WRITE, and every FLUSH, the request that a close makes,
// with EIO.
//
// The client is forked before /dev/fuse is opened. It must not hold the device: the requests of an
// actor that is killed end only when nobody has it open any more.
type badFile struct {
	server *actor.Actor
	client *actor.Actor
	path   string
	device int
}

// The requests of FUSE that a file like this gets, and the sizes of what is sent and answered.
const (
	fuseLookup  = 1
	fuseGetattr = 3
	fuseOpen    = 14
	fuseWrite   = 16
	fuseRelease = 18
	fuseFlush   = 25
	fuseInit    = 26
	fuseAccess  = 34

	fuseOutHeader = 16
	fuseAttr      = 88

	// The inodes. The protocol says which one is the root.
	fuseRoot = 1
	fuseFile = 2
)

// attributes are those of an inode, as the protocol has them.
func attributes(inode uint64) []byte {
	mode, links := unix.S_IFREG|0o600, 1
	if inode == fuseRoot {
		mode, links = unix.S_IFDIR|0o700, 2
	}
	attr := make([]byte, fuseAttr)
	binary.NativeEndian.PutUint64(attr[0:], inode)
	binary.NativeEndian.PutUint32(attr[60:], uint32(mode))
	binary.NativeEndian.PutUint32(attr[64:], uint32(links))
	return attr
}

func newBadFile() *badFile {
	GinkgoHelper()
	f := &badFile{server: actor.New(), path: actor.TempDir() + "/bad"}
	dir := filepath.Dir(f.path)
	f.client = f.server.Fork()
	f.device = Must(f.server.Open("/dev/fuse", unix.O_RDWR, 0))
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", f.device,
		Must(f.server.Getuid()), Must(f.server.Raw(unix.SYS_GETGID)))
	Must(f.server.Mount("bad", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
	f.serve(fuseInit)
	return f
}

// serve answers requests until it has answered one of the given kind.
func (f *badFile) serve(last uint32) {
	GinkgoHelper()
	for {
		request := f.server.Begin().Read(f.device, 64<<10)
		Must(request)
		data := request.Data()
		opcode, unique := binary.NativeEndian.Uint32(data[4:]), binary.NativeEndian.Uint64(data[8:])
		inode := binary.NativeEndian.Uint64(data[16:])
		var errno unix.Errno
		var body []byte
		switch opcode {
		case fuseInit:
			body = make([]byte, 64)
			binary.NativeEndian.PutUint32(body[0:], 7) // the protocol's version: 7.26
			binary.NativeEndian.PutUint32(body[4:], 26)
			binary.NativeEndian.PutUint32(body[20:], 4096) // max_write
		case fuseLookup:
			body = append(make([]byte, 40), attributes(fuseFile)...)
			binary.NativeEndian.PutUint64(body[0:], fuseFile)
		case fuseOpen:
			body = make([]byte, 16)
		case fuseGetattr:
			body = append(make([]byte, 16), attributes(inode)...)
		case fuseWrite, fuseFlush:
			errno = unix.EIO
		case fuseAccess, fuseRelease:
		default:
			errno = unix.ENOSYS
		}
		reply := make([]byte, fuseOutHeader, fuseOutHeader+len(body))
		binary.NativeEndian.PutUint32(reply[0:], uint32(fuseOutHeader+len(body)))
		binary.NativeEndian.PutUint32(reply[4:], uint32(-int32(errno)))
		binary.NativeEndian.PutUint64(reply[8:], unique)
		Must(f.server.Write(f.device, append(reply, body...)))
		if opcode == last {
			return
		}
	}
}

// open has the client open the file.
func (f *badFile) open(flags int) int {
	GinkgoHelper()
	open := f.client.Begin().Open(f.path, flags, 0)
	f.serve(fuseOpen)
	return Must(open)
}

// A close makes a FLUSH, and the last one of an open file description a RELEASE behind it, for which
// some kernels wait as well.
var _ = Describe("A file whose storage fails", func() {
	Clause("write.eio", func() {
		bad := newBadFile()
		a := bad.client
		fd := bad.open(unix.O_WRONLY)

		for range 2 {
			write := a.Begin().Write(fd, []byte("abc"))
			bad.serve(fuseWrite)
			Expect(write).To(FailWith(unix.EIO))
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(0))
		}
	})

	Clause("dup2.close-error-not-reported", func() {
		bad := newBadFile()
		a := bad.client
		r, w := a.Pipe(0)

		fd := bad.open(unix.O_RDONLY)
		close := a.Begin().Close(fd)
		bad.serve(fuseRelease)
		Expect(close).To(FailWith(unix.EIO))

		fd = bad.open(unix.O_RDONLY)
		dup := a.Begin().Dup2(w, fd)
		bad.serve(fuseRelease)
		Expect(dup).To(Return(fd))
		Expect(a.Write(fd, oneByte)).To(Return(1))
		Expect(a.Read(r, 2)).To(ReturnData(oneByte))
	})

	Clause("dup2.close-error-from-duplicate", func() {
		bad := newBadFile()
		a := bad.client
		_, w := a.Pipe(0)
		fd := bad.open(unix.O_RDONLY)
		kept := Must(a.Dup(fd))

		dup := a.Begin().Dup2(w, fd)
		bad.serve(fuseFlush)
		Expect(dup).To(Return(fd))
		close := a.Begin().Close(kept)
		bad.serve(fuseRelease)
		Expect(close).To(FailWith(unix.EIO))
	})
})
