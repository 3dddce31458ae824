package chardev

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

const channelParameters = "/sys/module/channel/parameters/"

// A channelModule is the module as a spec loads and removes it. When the spec has ended it is loaded as it was.
type channelModule struct {
	a    *actor.Actor
	file string
}

// channelModuleOf gives the module to a spec that loads and removes it, which only a machine of its own may do.
func channelModuleOf(a *actor.Actor) channelModule {
	GinkgoHelper()
	m := channelModule{a: a, file: ModuleFile("channel")}
	Presuppose(Settings.Disposable, "to load and remove the module: on a machine of its own (a VM) run as root with --disposable")
	_, err := os.Stat(m.file)
	Presuppose(err == nil, "the module's file %s: IPCSPEC_MODULES names the folder with channel.ko, and ipcspec vm --module provides it", m.file)
	before := loadedParameters()
	actor.OnEnd(func() { reloadChannel(m.file, before) })
	return m
}

// loadedParameters returns the parameters with which the module was loaded.
func loadedParameters() string {
	var all []string
	for _, name := range []string{"major", "channels"} {
		text, err := os.ReadFile(channelParameters + name)
		if err == nil {
			all = append(all, name+"="+strings.TrimSpace(string(text)))
		}
	}
	return strings.Join(all, " ")
}

// reloadChannel has the module loaded with these parameters, whatever the spec has left.
func reloadChannel(file, parameters string) {
	for range 500 {
		err := unix.DeleteModule("channel", unix.O_NONBLOCK)
		if err == nil || err == unix.ENOENT {
			break
		}
		time.Sleep(10 * time.Millisecond) // what held it was killed, and is about to be gone
	}
	if f, err := os.Open(file); err == nil {
		_ = unix.FinitModule(int(f.Fd()), parameters, 0)
		_ = f.Close()
	}
}

// begin loads the module.
func (m channelModule) begin(parameters string) *actor.Call {
	fd := Must(m.a.Open(m.file, unix.O_RDONLY|unix.O_CLOEXEC, 0))
	defer m.a.Quietly().Close(fd)
	return m.a.FinitModule(fd, parameters, 0)
}

// end removes it.
func (m channelModule) end() *actor.Call { return m.a.DeleteModule("channel", unix.O_NONBLOCK) }

// majorOf returns the major number under which /proc/devices lists a driver of character devices, 0 for none.
func majorOf(a *actor.Actor, driver string) int {
	text, _, _ := strings.Cut(a.ReadFile("/proc/devices"), "Block devices:")
	for _, line := range strings.Split(text, "\n") {
		var number int
		var name string
		if n, _ := fmt.Sscan(line, &number, &name); n == 2 && name == driver {
			return number
		}
	}
	return 0
}

// expectNodes judges that there are the nodes of so many channels, with these numbers, and no more.
func expectNodes(a *actor.Actor, channels, major int) {
	GinkgoHelper()
	for n := range channels {
		stat := a.Stat(channelPath(n))
		Expect(stat).To(Return(0))
		Expect(stat.Stat().Mode & unix.S_IFMT).To(BeEquivalentTo(unix.S_IFCHR))
		Expect(stat.Stat().Rdev).To(Equal(unix.Mkdev(uint32(major), uint32(n))))
	}
	nodes, err := filepath.Glob("/dev/channel*")
	Expect(err).NotTo(HaveOccurred())
	Expect(nodes).To(HaveLen(channels))
}

// expectNothing judges that nothing of the module is there.
func expectNothing(a *actor.Actor) {
	GinkgoHelper()
	expectNodes(a, 0, 0)
	Expect(a.Open(channelPath(0), unix.O_RDWR, 0)).To(FailWith(unix.ENOENT))
	Expect(majorOf(a, "channel")).To(BeZero())
	for _, path := range []string{"/sys/module/channel", "/sys/class/channel"} {
		Expect(a.Stat(path)).To(FailWith(unix.ENOENT))
	}
}

// nodeByHand makes a node with mknod, in /dev, since other filesystems are mounted with nodev often.
func nodeByHand(a *actor.Actor, major, minor int) string {
	GinkgoHelper()
	path := fmt.Sprintf("/dev/ipcspec-%d-%d-%d", os.Getpid(), major, minor)
	actor.OnEnd(func() { _ = os.Remove(path) })
	Must(a.Mknodat(unix.AT_FDCWD, path, unix.S_IFCHR|0o600, unix.Mkdev(uint32(major), uint32(minor))))
	return path
}

// kernelLog opens the kernel's log at its end.
func kernelLog(a *actor.Actor) int {
	GinkgoHelper()
	log := Must(a.Quietly().Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK, 0))
	Must(a.Quietly().Lseek(log, 0, unix.SEEK_END))
	return log
}

// logged returns the lines in which the module is named that have come into the kernel's log since.
func logged(a *actor.Actor, log int) (lines []string) {
	GinkgoHelper()
	for {
		read := a.Quietly().Read(log, 8192)
		if read.Errno() == unix.EPIPE {
			continue // some were overwritten
		}
		if !read.OK() {
			return lines
		}
		_, text, _ := strings.Cut(string(read.Data()), ";")
		text, _, _ = strings.Cut(text, "\n")
		if strings.HasPrefix(text, "channel: ") && !strings.Contains(text, "module") { // which the kernel says itself
			lines = append(lines, text)
		}
	}
}

var _ = Describe("The nodes of channels", func() {
	Clause("channel.node-each", func() {
		a := actor.New()
		var channels, major int
		_, _ = fmt.Sscan(a.ReadFile(channelParameters+"channels"), &channels)
		major = majorOf(a, "channel")
		expectNodes(a, channels, major)
		for n := range channels {
			fd := a.Open(channelPath(n), unix.O_RDWR, 0)
			Expect(fd).To(ReturnFD())
			Must(a.Close(fd.Value()))
		}
	})

	Clause("channel.node-mode", func() {
		stat := actor.New().Stat(channelPath(0))
		Expect(stat).To(Return(0))
		Expect(stat.Stat().Mode).To(BeEquivalentTo(unix.S_IFCHR | 0o600))
		Expect([]uint32{stat.Stat().UID, stat.Stat().GID}).To(Equal([]uint32{0, 0}))
	})

	Clause("channel.node-by-hand", func() {
		a, b := actor.New(), actor.New()
		for n := range 2 {
			fd := newChannel(a, n, unix.O_RDWR)
			open := b.Open(nodeByHand(b, majorOf(b, "channel"), n), unix.O_RDWR, 0)
			Expect(open).To(ReturnFD())
			Expect(a.Write(fd, []byte("by the driver"))).To(Return(13))
			Expect(b.Read(open.Value(), 20)).To(ReturnData("by the driver"))
			Expect(b.Write(open.Value(), []byte("by hand"))).To(Return(7))
			Expect(a.Pread64(fd, 20, 0)).To(ReturnData("by hand"))
		}
	})

	Clause("channel.node-without-channel", func() {
		a := actor.New()
		var channels int
		_, _ = fmt.Sscan(a.ReadFile(channelParameters+"channels"), &channels)
		for _, minor := range []int{channels, channels + 1, 255, 256, 1 << 19} {
			path := nodeByHand(a, majorOf(a, "channel"), minor)
			Expect(a.Open(path, unix.O_RDWR, 0)).To(FailWith(unix.ENXIO))
			Expect(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)).To(FailWith(unix.ENXIO))
		}
	})
})

var _ = Describe("Loading the module", func() {
	Clause("channel.load-defaults", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		Expect(m.begin("")).To(Return(0))
		expectNodes(a, 2, channelMajor)
		Expect(majorOf(a, "channel")).To(Equal(channelMajor))
	})

	Clause("channel.load-by-image", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		image, err := os.ReadFile(m.file)
		Expect(err).NotTo(HaveOccurred())
		Expect(a.InitModule(a.Bytes(image), "channels=3")).To(Return(0))
		expectNodes(a, 3, channelMajor)
	})

	Clause("channel.load-channels", func() {
		a := actor.New()
		m := channelModuleOf(a)
		for _, n := range []int{1, 2, 5, 64} {
			Must(m.end())
			Expect(m.begin(fmt.Sprintf("channels=%d", n))).To(Return(0))
			expectNodes(a, n, channelMajor)
			last := openChannel(a, n-1, unix.O_RDWR)
			Must(a.Write(last, []byte("the last")))
			Expect(a.Pread64(last, 10, 0)).To(ReturnData("the last"))
			Must(a.Close(last))
			Expect(a.Open(nodeByHand(a, channelMajor, n), unix.O_RDWR, 0)).To(FailWith(unix.ENXIO))
		}
	})

	Clause("channel.load-wrong-number", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		for _, n := range []string{"0", "65", "66", "1000000", "-1", "4294967296"} {
			load := m.begin("channels=" + n)
			if n == "4294967296" {
				Expect(load).To(FailWith(unix.EINVAL, unix.ERANGE)) // the kernel's own word for a number of more than 32 bits
			} else {
				Expect(load).To(FailWith(unix.EINVAL))
			}
			expectNothing(a)
		}
		Expect(m.begin("channels=1")).To(Return(0))
	})

	Clause("channel.load-major", func() {
		a := actor.New()
		m := channelModuleOf(a)
		for _, major := range []int{200, 97, 511} {
			Must(m.end())
			Expect(m.begin(fmt.Sprintf("major=%d", major))).To(Return(0))
			Expect(majorOf(a, "channel")).To(Equal(major))
			expectNodes(a, 2, major)
		}
	})

	Clause("channel.load-free-major", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		before := a.ReadFile("/proc/devices")
		Expect(m.begin("major=0")).To(Return(0))
		major := majorOf(a, "channel")
		Expect(major).NotTo(BeZero())
		Expect(before).NotTo(ContainSubstring(fmt.Sprintf("\n%3d ", major)))
		expectNodes(a, 2, major)
		fd := openChannel(a, 1, unix.O_RDWR)
		Must(a.Write(fd, []byte("x")))
		Expect(a.Pread64(fd, 10, 0)).To(ReturnData("x"))
		Must(a.Close(fd))
	})

	Clause("channel.load-taken-major", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		Presuppose(majorOf(a, "mem") == 1, "the driver mem, which has the major number 1")
		Expect(m.begin("major=1")).To(FailWith(unix.EBUSY))
		expectNothing(a)
		Expect(a.Read(Must(a.Open("/dev/null", unix.O_RDONLY, 0)), 1)).To(Return(0))
		Expect(m.begin("")).To(Return(0))
		expectNodes(a, 2, channelMajor)
	})

	Clause("channel.load-no-such-major", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		for _, major := range []int{512, 4095, 4096, 4096 + channelMajor, 1 << 30} {
			Expect(m.begin(fmt.Sprintf("major=%d", major))).To(FailWith(unix.EINVAL))
			expectNothing(a)
		}
	})

	Clause("channel.load-parameters-shown", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		Expect(m.begin("channels=7 major=201")).To(Return(0))
		Expect(a.ReadFile(channelParameters + "channels")).To(Equal("7\n"))
		Expect(a.ReadFile(channelParameters + "major")).To(Equal("201\n"))
	})

	Clause("channel.load-starts-stale", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		Expect(m.begin("channels=3")).To(Return(0))
		for n := range 3 {
			fd := openChannel(a, n, unix.O_RDWR|unix.O_NONBLOCK)
			Expect(lengthOf(a, fd)).To(BeZero())
			Expect(fresh(a, fd)).To(BeFalse())
			Expect(a.Read(fd, 10)).To(FailWith(unix.EAGAIN))
			Must(a.Close(fd))
		}
	})
})

var _ = Describe("Removing the module", func() {
	Clause("channel.remove-refused", "open", func() {
		a := actor.New()
		m := channelModuleOf(a)
		fd := openChannel(a, 1, unix.O_RDONLY)
		child := a.Fork()
		Expect(m.end()).To(FailWith(unix.EWOULDBLOCK))
		Must(a.Close(fd))
		Expect(m.end()).To(FailWith(unix.EWOULDBLOCK))
		Must(child.Close(fd))
		Expect(m.end()).To(Return(0))
	})

	Clause("channel.remove-refused", "mapped", func() {
		a := actor.New()
		m := channelModuleOf(a)
		fd := openChannel(a, 0, unix.O_RDWR)
		at := mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED)
		Must(a.Close(fd))
		Expect(m.end()).To(FailWith(unix.EWOULDBLOCK))
		Must(a.Munmap(at.Addr, bufferLength))
		Expect(m.end()).To(Return(0))
	})

	Clause("channel.remove-refused-changes-nothing", func() {
		a, other := actor.New(), actor.New()
		m := channelModuleOf(a)
		fd := newChannel(a, 0, unix.O_RDWR)
		read := other.Begin().Read(openChannel(other, 0, unix.O_RDONLY), 10)
		Expect(read).To(Block())
		Expect(m.end()).To(FailWith(unix.EWOULDBLOCK))
		expectNodes(a, 2, majorOf(a, "channel"))
		Expect(openChannel(a, 1, unix.O_RDWR)).To(BeNumerically(">=", 0))
		Expect(read).To(Block())
		Expect(a.Write(fd, []byte("still here"))).To(Return(10))
		Expect(read).To(ReturnData("still here"))
	})

	Clause("channel.remove-leaves-nothing", func() {
		a := actor.New()
		m := channelModuleOf(a)
		major := majorOf(a, "channel")
		path := nodeByHand(a, major, 0)
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("x")))
		Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, newEventfd(a))))
		Must(a.Close(fd))
		Expect(m.end()).To(Return(0))
		expectNothing(a)
		Expect(a.Open(path, unix.O_RDWR, 0)).To(FailWith(unix.ENXIO))
		Expect(m.end()).To(FailWith(unix.ENOENT))
	})

	Clause("channel.remove-lets-eventfds-go", func() {
		a := actor.New()
		m := channelModuleOf(a)
		probe := newEventfd(a)
		first := eventfdID(a, probe)
		Must(a.Close(probe))
		Must(m.end())
		for range 2 {
			Must(m.begin("channels=64"))
			for n := range 64 {
				fd, efd := openChannel(a, n, unix.O_RDWR), newEventfd(a)
				Must(a.Ioctl(fd, channelSetEvent, descriptorArgument(a, efd)))
				Must(a.Close(efd))
				Must(a.Close(fd))
			}
			Expect(m.end()).To(Return(0))
		}
		Expect(eventfdID(a, newEventfd(a))).To(BeNumerically("<", first+32))
	})

	Clause("channel.remove-lets-memory-go", func() {
		a := actor.New()
		m := channelModuleOf(a)
		Must(m.end())
		cycle := func() {
			Must(m.begin("channels=64"))
			fd := openChannel(a, 63, unix.O_RDWR)
			Must(a.Write(fd, noise(channelSize, 1)))
			Must(a.Pread64(fd, channelSize, 0))
			Must(a.Close(fd))
			Expect(m.end()).To(Return(0))
		}
		// What is lost is lost each time; what the kernel keeps for later is so only at first.
		const times, rounds = 2, 6
		least := math.MaxInt
		for range times {
			before := memoryInUse(a)
			for range rounds {
				cycle()
			}
			least = min(least, memoryInUse(a)-before)
		}
		Expect(least).To(BeNumerically("<", rounds*64*4/2), "KiB more in use each time; a page for each channel would be twice as much")
	})

	Clause("channel.remove-and-load-again", func() {
		a := actor.New()
		m := channelModuleOf(a)
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("from before")))
		Must(a.Close(fd))
		Must(m.end())
		Expect(m.begin("")).To(Return(0))
		fd = openChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Expect(lengthOf(a, fd)).To(BeZero())
		Expect(a.Read(fd, 20)).To(FailWith(unix.EAGAIN))
		Expect(contentAt(a, mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED), 0, channelSize)).To(Equal(strings.Repeat("\x00", channelSize)))
	})
})

// memoryInUse returns how much memory is in use, in KiB, that belongs neither to processes nor to files, and
// cannot be had at once. What each CPU keeps at hand of free pages is not counted as free in meminfo.
func memoryInUse(a *actor.Actor) int {
	GinkgoHelper()
	total, others := 0, 0
	for line := range strings.Lines(a.ReadFile("/proc/meminfo")) {
		name, rest, _ := strings.Cut(line, ":")
		n := 0
		_, _ = fmt.Sscan(rest, &n)
		switch name {
		case "MemTotal":
			total = n
		case "MemFree", "Buffers", "Cached", "AnonPages", "SReclaimable", "PageTables", "KernelStack":
			others += n
		}
	}
	for line := range strings.Lines(a.ReadFile("/proc/zoneinfo")) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "count:"); ok {
			pages := 0
			_, _ = fmt.Sscan(rest, &pages)
			others += pages * unix.Getpagesize() >> 10
		}
	}
	return total - others
}

var _ = Describe("The kernel's log", func() {
	Clause("channel.log-load-and-unload", func() {
		a := actor.New()
		m := channelModuleOf(a)
		log := kernelLog(a)
		Expect(m.end()).To(Return(0))
		Expect(logged(a, log)).To(HaveLen(1))
		Expect(m.begin("channels=3 major=202")).To(Return(0))
		lines := logged(a, log)
		Expect(lines).To(HaveLen(1))
		Expect(lines[0]).To(And(ContainSubstring("3 channels"), ContainSubstring("202")))
	})

	Clause("channel.log-quiet", func() {
		a := actor.New()
		log := kernelLog(a)
		fd := newChannel(a, 0, unix.O_RDWR|unix.O_NONBLOCK)
		Expect(a.Write(fd, []byte("x"))).To(Return(1))
		Expect(a.Pread64(fd, 1, 0)).To(Return(1))
		Expect(a.Read(fd, 1)).To(FailWith(unix.EAGAIN))
		Expect(a.ReadInto(fd, a.Unmapped(), 1)).To(FailWith(unix.EAGAIN))
		Expect(a.WriteFrom(fd, a.Unmapped(), 1)).To(FailWith(unix.EFAULT))
		Expect(a.Lseek(fd, -1, unix.SEEK_SET)).To(FailWith(unix.EINVAL))
		Expect(a.Ioctl(fd, 0, 0)).To(FailWith(unix.ENOTTY))
		Expect(polled(a, fd, unix.POLLOUT)).To(Equal(unix.POLLOUT))
		mapChannel(a, fd, unix.PROT_READ, unix.MAP_SHARED)
		Must(a.Close(fd))
		Expect(logged(a, log)).To(BeEmpty())
	})
})
