package chardev

import (
	"bytes"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// device opens one of the devices that every system has.
func device(a *actor.Actor, name string, flags int) int {
	GinkgoHelper()
	return Must(a.Open("/dev/"+name, flags, 0))
}

// ofEachDevice checks a clause for each of these devices.
func ofEachDevice(id string, names []string, body func(name string)) {
	for _, name := range names {
		Clause(id, Offset(1), "/dev/"+name, func() { body(name) })
	}
}

var (
	allDevices  = []string{"null", "zero", "full"}
	zeroDevices = []string{"zero", "full"}
	sinkDevices = []string{"null", "zero"}
)

// someNoise returns memory with no byte of value zero.
func someNoise(a *actor.Actor, n int) actor.Mem { return a.Bytes(noise(n, 3)) }

var _ = Describe("Devices that every system has", func() {
	ofEachDevice("device.numbers", allDevices, func(name string) {
		stat := actor.New().Stat("/dev/" + name)
		Expect(stat).To(Return(0))
		Expect(stat.Stat().Mode & unix.S_IFMT).To(BeEquivalentTo(unix.S_IFCHR))
		Expect(stat.Stat().Rdev).To(Equal(unix.Mkdev(1, map[string]uint32{"null": 3, "zero": 5, "full": 7}[name])))
	})

	ofEachDevice("device.write-discarded", sinkDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		for _, n := range []int{1, 10, 4096, 100_000} {
			Expect(a.Write(fd, noise(n, 1))).To(Return(n))
		}
		Expect(a.Pwrite64(fd, []byte("abc"), 1<<40)).To(Return(3))
		Expect(a.Writev(fd, []byte("ab"), []byte("cde"))).To(Return(5))
		read := a.Read(fd, 10)
		if name == "null" {
			Expect(read).To(Return(0))
		} else {
			Expect(read).To(ReturnData(make([]byte, 10)))
		}
	})

	Clause("device.null-read-eof", func() {
		a := actor.New()
		fd := device(a, "null", unix.O_RDWR)
		for _, n := range []int{1, 10, 100_000} {
			Expect(a.Read(fd, n)).To(Return(0))
			Must(a.Write(fd, noise(n, 1)))
		}
		Expect(a.Readv(fd, 4, 5)).To(Return(0))
		Expect(a.Pread64(fd, 4, 100)).To(Return(0))
		buffer := someNoise(a, 10)
		Expect(a.ReadInto(fd, buffer, 10)).To(Return(0))
		Expect(bytes.Equal(buffer.Bytes(), noise(10, 3))).To(BeTrue())
	})

	ofEachDevice("device.read-zeros", zeroDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		for _, n := range []int{1, 10, 4096, 100_000} {
			buffer := someNoise(a, n+1)
			Expect(a.ReadInto(fd, buffer, n)).To(Return(n))
			Expect(bytes.Equal(buffer.Bytes()[:n], make([]byte, n))).To(BeTrue())
			Expect(buffer.Bytes()[n]).To(Equal(noise(n+1, 3)[n]))
		}
		Expect(a.Readv(fd, 3, 4)).To(ReturnData(make([]byte, 7)))
		Expect(a.Pread64(fd, 5, 1<<40)).To(ReturnData(make([]byte, 5)))
	})

	Clause("device.full-write-enospc", func() {
		a := actor.New()
		fd := device(a, "full", unix.O_RDWR)
		for _, n := range []int{1, 10, 100_000} {
			Expect(a.Write(fd, noise(n, 1))).To(FailWith(unix.ENOSPC))
		}
		Expect(a.Pwrite64(fd, []byte("x"), 100)).To(FailWith(unix.ENOSPC))
		Expect(a.Writev(fd, []byte("ab"), []byte("cd"))).To(FailWith(unix.ENOSPC))
		Expect(a.Read(fd, 3)).To(ReturnData("\x00\x00\x00"))
	})

	Clause("device.full-seek", func() {
		a := actor.New()
		fd := device(a, "full", unix.O_RDWR)
		Expect(a.Lseek(fd, 0, unix.SEEK_SET)).To(Return(0))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(0))
		// Where a seek goes to is not said, only that it succeeds; there the offset is, in any case.
		for _, whence := range []int{unix.SEEK_SET, unix.SEEK_CUR, unix.SEEK_END} {
			seek := a.Lseek(fd, 100, whence)
			Expect(seek).To(ReturnSuccess())
			Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(seek.Value()))
		}
	})

	ofEachDevice("device.read-efault", zeroDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDONLY)
		for _, bad := range []actor.Mem{actor.Null, a.Unmapped(), a.NoAccess(), a.ReadOnly([]byte("0123456789"))} {
			Expect(a.ReadInto(fd, bad, 10)).To(FailWith(unix.EFAULT))
		}
	})

	ofEachDevice("device.read-count-zero", allDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDONLY)
		Expect(a.Read(fd, 0)).To(Return(0))
	})

	ofEachDevice("device.access-mode", allDevices, func(name string) {
		a := actor.New()
		Expect(a.Write(device(a, name, unix.O_RDONLY), []byte("x"))).To(FailWith(unix.EBADF))
		Expect(a.Read(device(a, name, unix.O_WRONLY), 1)).To(FailWith(unix.EBADF))
	})
})

var _ = Describe("Waiting for devices that are always ready", func() {
	const both = unix.POLLIN | unix.POLLOUT
	ofEachDevice("device.poll-ready", allDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		for range 2 {
			Expect(polled(a, fd, both)).To(Equal(both))
			Expect(polled(a, fd, unix.POLLIN)).To(Equal(unix.POLLIN))
			Expect(polled(a, fd, unix.POLLOUT)).To(Equal(unix.POLLOUT))
			a.Write(fd, []byte("x"))
			Must(a.Read(fd, 1))
		}
		expectPolled(a.Poll(-1, actor.PollFD{FD: fd, Events: both}), both)
	})

	ofEachDevice("device.poll-norm", allDevices, func(name string) {
		a := actor.New()
		Expect(polled(a, device(a, name, unix.O_RDWR), pollReadable|pollWritable)).To(Equal(pollReadable | pollWritable))
	})

	ofEachDevice("device.poll-nothing-asked", allDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		Expect(polled(a, fd, 0)).To(BeZero())
		Must(a.Close(fd))
		Expect(polled(a, fd, 0)).To(Equal(unix.POLLNVAL))
	})

	ofEachDevice("device.select-ready", allDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		for _, timeout := range []int{0, -1} {
			r, w := actor.NewFDSet(fd), actor.NewFDSet(fd)
			Expect(a.Pselect(fd+1, r, w, nil, timeout)).To(Return(2))
			Expect([]bool{r.Has(fd), w.Has(fd)}).To(Equal([]bool{true, true}))
		}
	})

	ofEachDevice("device.epoll-eperm", allDevices, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		epfd := Must(a.EpollCreate1(0))
		for _, events := range []uint32{unix.EPOLLIN, unix.EPOLLOUT, unix.EPOLLIN | unix.EPOLLET} {
			Expect(a.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, events, 0)).To(FailWith(unix.EPERM))
		}
		Expect(a.EpollPwait(epfd, 1, 0)).To(Return(0))
	})
})

var _ = Describe("Mapping devices that every system has", func() {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	ofEachDevice("device.map-enodev", []string{"null", "full"}, func(name string) {
		a := actor.New()
		fd := device(a, name, unix.O_RDWR)
		for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
			Expect(a.Mmap(0, 4096, unix.PROT_READ, flags, fd, 0)).To(FailWith(unix.ENODEV))
		}
	})

	Clause("device.map-eacces", func() {
		a := actor.New()
		Expect(a.Mmap(0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, device(a, "zero", unix.O_WRONLY), 0)).To(FailWith(unix.EACCES))
		Expect(a.Mmap(0, 4096, rw, unix.MAP_SHARED, device(a, "zero", unix.O_RDONLY), 0)).To(FailWith(unix.EACCES))
		mmap := a.Mmap(0, 4096, rw, unix.MAP_PRIVATE, device(a, "zero", unix.O_RDONLY), 0)
		Expect(mmap).To(ReturnSuccess())
		Expect(mmap.Value() % unix.Getpagesize()).To(BeZero())
	})
})

// deviceWithoutDriver makes a node whose major number no driver of character devices has.
func deviceWithoutDriver(a *actor.Actor, folder string) string {
	GinkgoHelper()
	used := a.ReadFile("/proc/devices")
	for major := uint32(500); major > 300; major-- {
		if !bytes.Contains([]byte(used), fmt.Appendf(nil, "\n%3d ", major)) {
			path := folder + "/node"
			Must(a.Mknodat(unix.AT_FDCWD, path, unix.S_IFCHR|0o666, unix.Mkdev(major, 5)))
			return path
		}
	}
	Presuppose(false, "a major number that is free")
	return ""
}

// mountedFolder is a folder that only the actor sees, on a filesystem of its own, with these flags.
func mountedFolder(a *actor.Actor, flags uintptr) string {
	GinkgoHelper()
	folder := actor.TempDir()
	Must(a.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	Must(a.Mount("none", folder, "tmpfs", flags, ""))
	return folder
}

var _ = Describe("Device nodes", func() {
	Clause("device.open-enxio", func() {
		a := actor.New()
		path := deviceWithoutDriver(a, mountedFolder(a, 0))
		for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR | unix.O_NONBLOCK} {
			Expect(a.Open(path, flags, 0)).To(FailWith(unix.ENXIO))
		}
		open := a.Open(path, unix.O_PATH, 0)
		Expect(open).To(ReturnFD())
		Must(a.Close(open.Value()))
	})

	Clause("device.open-nodev", func() {
		a := actor.New()
		folder := mountedFolder(a, unix.MS_NODEV)
		Must(a.Mknodat(unix.AT_FDCWD, folder+"/null", unix.S_IFCHR|0o666, unix.Mkdev(1, 3)))
		for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR} {
			Expect(a.Open(folder+"/null", flags, 0)).To(FailWith(unix.EACCES))
		}
		Must(a.Mount("none", folder, "", unix.MS_REMOUNT, ""))
		open := a.Open(folder+"/null", unix.O_RDWR, 0)
		Expect(open).To(ReturnFD())
		Must(a.Write(open.Value(), []byte("x")))
	})

	for _, how := range []struct {
		what  string
		flags uintptr
	}{{"filesystem", unix.MS_REMOUNT | unix.MS_RDONLY}, {"mount", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY}} {
		Clause("device.open-on-read-only-filesystem", how.what, func() {
			a := actor.New()
			folder := mountedFolder(a, 0)
			Must(a.Mknodat(unix.AT_FDCWD, folder+"/null", unix.S_IFCHR|0o666, unix.Mkdev(1, 3)))
			quiet := a.Quietly()
			Must(quiet.Close(Must(quiet.Open(folder+"/file", unix.O_WRONLY|unix.O_CREAT, 0o666))))
			Must(a.Mount("none", folder, "", how.flags, ""))
			readOnly := quiet.Open(folder+"/file", unix.O_WRONLY, 0)
			Presuppose(readOnly.Errno() == unix.EROFS, "a %s that can be made read-only; %v", how.what, readOnly)
			// What is written goes to the device and not to the filesystem.
			open := a.Open(folder+"/null", unix.O_WRONLY, 0)
			Expect(open).To(ReturnFD())
			Expect(a.Write(open.Value(), []byte("x"))).To(Return(1))
		})
	}

	Clause("device.mknod-numbers", func() {
		a := actor.New()
		folder := mountedFolder(a, 0)
		for i, numbers := range [][2]uint32{{1, 3}, {1, 5}, {255, 255}, {300, 1000}, {4095, 1<<20 - 1}} {
			path := fmt.Sprintf("%s/%d", folder, i)
			Expect(a.Mknodat(unix.AT_FDCWD, path, unix.S_IFCHR|0o600, unix.Mkdev(numbers[0], numbers[1]))).To(Return(0))
			stat := a.Stat(path)
			Must(stat)
			Expect(stat.Stat().Mode).To(BeEquivalentTo(unix.S_IFCHR | 0o600))
			Expect(stat.Stat().Rdev).To(Equal(unix.Mkdev(numbers[0], numbers[1])))
		}
		zero := Must(a.Open(folder+"/1", unix.O_RDONLY, 0))
		Expect(a.Read(zero, 3)).To(ReturnData("\x00\x00\x00"))
	})

	Clause("device.mknod-dev-ignored", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(a.Mknodat(unix.AT_FDCWD, path, unix.S_IFIFO|0o600, unix.Mkdev(1, 3))).To(Return(0))
		stat := a.Stat(path)
		Must(stat)
		Expect(stat.Stat().Mode).To(BeEquivalentTo(unix.S_IFIFO | 0o600))
		Expect(stat.Stat().Rdev).To(BeZero())
	})

	Clause("device.mknod-umask-and-owner", func() {
		a := actor.New()
		folder := mountedFolder(a, 0)
		Must(a.Umask(0o027))
		Expect(a.Mknodat(unix.AT_FDCWD, folder+"/node", unix.S_IFCHR|0o666, unix.Mkdev(1, 3))).To(Return(0))
		stat := a.Stat(folder + "/node")
		Must(stat)
		Expect(stat.Stat().Mode & 0o7777).To(BeEquivalentTo(0o640))
		Expect(stat.Stat().UID).To(BeEquivalentTo(Must(a.Raw(unix.SYS_GETEUID))))
	})

	Clause("device.mknod-exists", func() {
		a := actor.New()
		folder := mountedFolder(a, 0)
		Must(a.Mknodat(unix.AT_FDCWD, folder+"/node", unix.S_IFCHR|0o600, unix.Mkdev(1, 3)))
		before := a.Stat(folder + "/node")
		Must(before)
		Must(a.Symlink("nowhere", folder+"/link"))
		for _, name := range []string{"/node", "/link"} {
			Expect(a.Mknodat(unix.AT_FDCWD, folder+name, unix.S_IFCHR|0o666, unix.Mkdev(1, 5))).To(FailWith(unix.EEXIST))
		}
		stat := a.Stat(folder + "/node")
		Must(stat)
		Expect(stat.Stat()).To(Equal(before.Stat()))
		Expect([]uint64{uint64(stat.Stat().Mode), stat.Stat().Rdev}).To(Equal([]uint64{unix.S_IFCHR | 0o600, unix.Mkdev(1, 3)}))
		Expect(a.Stat(folder + "/nowhere")).To(FailWith(unix.ENOENT))
	})

	Clause("device.mknod-eperm", func() {
		a := actor.New()
		path := actor.TempDir() + "/node"
		for _, kind := range []uint32{unix.S_IFCHR, unix.S_IFBLK} {
			Expect(a.Mknodat(unix.AT_FDCWD, path, kind|0o600, unix.Mkdev(1, 3))).To(FailWith(unix.EPERM))
			Expect(a.Stat(path)).To(FailWith(unix.ENOENT))
		}
		Expect(a.Mknodat(unix.AT_FDCWD, path, unix.S_IFIFO|0o600, 0)).To(Return(0))
		stat := a.Stat(path)
		Must(stat)
		Expect(stat.Stat().Mode).To(BeEquivalentTo(unix.S_IFIFO | 0o600))
	})
})
