package chardev

import (
	"math"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

var _ = Describe("lseek on a channel", func() {
	Clause("channel.seek-set", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, at := range []int{10, 0, 1, 4095, channelSize, 2048} {
			Expect(a.Lseek(fd, int64(at), unix.SEEK_SET)).To(Return(at))
			Expect(offsetOf(a, fd)).To(Equal(at))
		}
		Expect(a.Write(fd, []byte("there"))).To(Return(5))
		Expect(a.Pread64(fd, 10, 2048)).To(ReturnData("there"))
	})

	Clause("channel.seek-cur", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		at := 0
		for _, by := range []int{10, 0, -3, 4089, -1, -4095, channelSize, -channelSize} {
			at += by
			Expect(a.Lseek(fd, int64(by), unix.SEEK_CUR)).To(Return(at))
			Expect(offsetOf(a, fd)).To(Equal(at))
		}
	})

	Clause("channel.seek-end", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, n := range []int{1, 100, channelSize} {
			Must(a.Pwrite64(fd, noise(n, 1), 0))
			for _, by := range []int{0, -1, -100, -channelSize} {
				Expect(a.Lseek(fd, int64(by), unix.SEEK_END)).To(Return(channelSize + by))
				Expect(offsetOf(a, fd)).To(Equal(channelSize + by))
			}
		}
	})

	Clause("channel.seek-both-ends", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Expect(a.Lseek(fd, channelSize, unix.SEEK_SET)).To(Return(channelSize))
		Expect(a.Lseek(fd, 0, unix.SEEK_CUR)).To(Return(channelSize))
		Expect(a.Lseek(fd, -channelSize, unix.SEEK_CUR)).To(Return(0))
		Expect(a.Lseek(fd, 0, unix.SEEK_END)).To(Return(channelSize))
		Expect(a.Lseek(fd, -channelSize, unix.SEEK_END)).To(Return(0))
		Expect(a.Lseek(fd, channelSize, unix.SEEK_CUR)).To(Return(channelSize))
	})

	Clause("channel.seek-out-of-range", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		for _, start := range []int64{0, 100, channelSize} {
			Must(a.Lseek(fd, start, unix.SEEK_SET))
			for _, to := range []struct {
				by     int64
				whence int
			}{
				{-1, unix.SEEK_SET}, {channelSize + 1, unix.SEEK_SET}, {math.MaxInt64, unix.SEEK_SET}, {math.MinInt64, unix.SEEK_SET}, {1 << 32, unix.SEEK_SET},
				{-start - 1, unix.SEEK_CUR}, {channelSize - start + 1, unix.SEEK_CUR}, {math.MaxInt64, unix.SEEK_CUR}, {math.MinInt64, unix.SEEK_CUR},
				{1, unix.SEEK_END}, {-channelSize - 1, unix.SEEK_END}, {math.MaxInt64, unix.SEEK_END}, {math.MinInt64, unix.SEEK_END},
			} {
				Expect(a.Lseek(fd, to.by, to.whence)).To(FailWith(unix.EINVAL))
				Expect(offsetOf(a, fd)).To(Equal(int(start)))
			}
		}
	})

	Clause("channel.seek-other-whence", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		for _, whence := range []int{unix.SEEK_DATA, unix.SEEK_HOLE, 5, 6, 100, -1} {
			Expect(a.Lseek(fd, 0, whence)).To(FailWith(unix.EINVAL))
			Expect(a.Lseek(fd, 5, whence)).To(FailWith(unix.EINVAL))
			Expect(offsetOf(a, fd)).To(Equal(10))
		}
	})

	Clause("channel.seek-changes-no-message", func() {
		a := actor.New()
		fd := newChannel(a, 0, unix.O_RDWR)
		Must(a.Write(fd, []byte("0123456789")))
		for _, at := range []int64{0, 5, channelSize} {
			Expect(a.Lseek(fd, at, unix.SEEK_SET)).To(Return(int(at)))
			Expect(fresh(a, fd)).To(BeTrue())
			expectMessage(a, 0, "0123456789")
		}
	})
})
