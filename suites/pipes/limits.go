package pipes

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/kernel"
)

const (
	maxSizeFile   = "/proc/sys/fs/pipe-max-size"
	softLimitFile = "/proc/sys/fs/pipe-user-pages-soft"
	hardLimitFile = "/proc/sys/fs/pipe-user-pages-hard"
)

// setting is the number in a sysctl.
func setting(name string) int {
	text, err := kernel.Sysctl(name)
	Presuppose(err == nil, "to read the sysctl %s: %v", name, err)
	n, err := strconv.Atoi(text)
	Presuppose(err == nil, "a number in the sysctl %s: %v", name, err)
	return n
}

// settingOr is setting, and the value by default where the kernel shows no such sysctl: nobody can
// have changed it there.
func settingOr(name string, byDefault int) int {
	if _, err := kernel.Sysctl(name); errors.Is(err, fs.ErrNotExist) {
		return byDefault
	}
	return setting(name)
}

// maxSize is what /proc/sys/fs/pipe-max-size allows, in bytes.
func maxSize() int { return settingOr("fs.pipe-max-size", 1<<20) }

// defaultPages is the capacity of a new pipe.
const defaultPages = 16

// softLimit is the user's limit in pages, of a size that a process with a descriptor for each
// pipe can reach.
func softLimit() int {
	limit := setting("fs.pipe-user-pages-soft")
	most := maxSize() / page
	Presuppose(limit >= 4*defaultPages, "a limit in fs.pipe-user-pages-soft that leaves room for a few pipes; it is %d", limit)
	Presuppose(limit/most < 500, "a limit in fs.pipe-user-pages-soft that few pipes reach; %d pages are %d pipes", limit, limit/most)
	Presuppose(most >= defaultPages, "a limit in fs.pipe-max-size of %d pages or more; it is %d", defaultPages, most)
	return limit
}

// pagesOf is the capacity of a pipe, in pages.
func pagesOf(a *actor.Actor, fd int) int {
	size := a.Fcntl(fd, unix.F_GETPIPE_SZ, 0)
	ExpectWithOffset(1, size).To(ReturnSuccess())
	return size.Value() / page
}

// BeSmall succeeds when F_GETPIPE_SZ returns the capacity of a pipe made above the soft limit: two pages,
// or one before Linux 5.14.
func BeSmall() types.GomegaMatcher { return Or(Return(2*page), Return(page)) }

// showCapacity is F_GETPIPE_SZ; a call to judge.
func showCapacity(a *actor.Actor, fd int) *actor.Call { return a.Fcntl(fd, unix.F_GETPIPE_SZ, 0) }

// readSysctl reads a file of /proc/sys; a call to judge.
func readSysctl(a *actor.Actor, file string) *actor.Call {
	fd := Must(a.Open(file, unix.O_RDONLY, 0))
	defer func() { Must(a.Close(fd)) }()
	return a.Read(fd, 64)
}

// resize sets the capacity of a pipe, in pages; a call to judge.
func resize(a *actor.Actor, fd, pages int) *actor.Call {
	return a.Fcntl(fd, unix.F_SETPIPE_SZ, pages*page)
}

// spend makes pipes of so many pages altogether, with few descriptors, and returns one of each. The
// small ones come first: each begins with the default capacity, for which there must be room.
func spend(a *actor.Actor, pages int) []int {
	most := maxSize() / page
	var sizes []int
	for size := 1; size < most; size *= 2 {
		if pages%most&size != 0 {
			sizes = append(sizes, size)
		}
	}
	for range pages / most {
		sizes = append(sizes, most)
	}
	var pipes []int
	for _, size := range sizes {
		r, w := a.Pipe(0)
		Must(a.Close(w))
		if got := Must(resize(a, r, size)); got != size*page {
			Presuppose(false, "a pipe of %d pages; it has %d bytes", size, got)
		}
		pipes = append(pipes, r)
	}
	return pipes
}

var _ = Describe("/proc/sys/fs/pipe-max-size", func() {
	Clause("pipe.max-pages-gone", func() {
		a := actor.New()
		Must(a.Open(maxSizeFile, unix.O_RDONLY, 0))
		Expect(a.Open("/proc/sys/fs/pipe-max-pages", unix.O_RDONLY, 0)).To(FailWith(unix.ENOENT))
	})

	Clause("pipe.max-size-file", func() {
		a := actor.New()
		folder := a.Open("/proc/sys/fs", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		Presuppose(folder.OK(), "the folder /proc/sys/fs: mount /proc")
		Must(a.Close(folder.Value()))
		open := a.Open(maxSizeFile, unix.O_RDONLY, 0)
		Expect(open).To(ReturnFD())
		read := a.Read(open.Value(), 64)
		Expect(read).To(ReturnSuccess())
		size, err := strconv.Atoi(strings.TrimSuffix(string(read.Data()), "\n"))
		Expect(err).NotTo(HaveOccurred())
		Expect(size).To(And(BeNumerically(">=", page), Equal(maxSize())))
		Expect(read).To(ReturnData(fmt.Sprintf("%d\n", size)))
	})

	Clause("pipe.max-size-reached", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		most := maxSize()

		Expect(a.Fcntl(w, unix.F_SETPIPE_SZ, most)).To(Return(most))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(most))
	})

	Clause("pipe.max-size-eperm", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		before := pagesOf(a, r)

		for _, fd := range []int{r, w} {
			Expect(a.Fcntl(fd, unix.F_SETPIPE_SZ, maxSize()+1)).To(FailWith(unix.EPERM))
			Expect(pagesOf(a, r)).To(Equal(before))
		}
	})

	Clause("pipe.max-size-admin-eperm", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		before := pagesOf(a, r)

		Expect(a.Fcntl(w, unix.F_SETPIPE_SZ, maxSize()+1)).To(FailWith(unix.EPERM))
		Expect(pagesOf(a, r)).To(Equal(before))
	})

	Clause("pipe.max-size-privileged", func() {
		a := actor.New()
		r, w := a.Pipe(0)
		more := 2 * maxSize()

		Expect(a.Fcntl(w, unix.F_SETPIPE_SZ, more)).To(Return(more))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(more))
	})

	Clause("pipe.max-size-decrease", func() {
		privileged := actor.New()
		r, w := privileged.Pipe(0)
		most := maxSize()
		Must(privileged.Fcntl(w, unix.F_SETPIPE_SZ, 4*most))
		other := privileged.Fork()
		other.DropCapabilities(^uint64(0))

		Expect(other.Fcntl(w, unix.F_SETPIPE_SZ, 8*most)).To(FailWith(unix.EPERM))
		Expect(other.Fcntl(w, unix.F_SETPIPE_SZ, 2*most)).To(Return(2 * most))
		Expect(other.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * most))
		Expect(other.Fcntl(w, unix.F_SETPIPE_SZ, 4*most)).To(FailWith(unix.EPERM))
		Expect(other.Fcntl(w, unix.F_SETPIPE_SZ, page)).To(Return(page))
	})

	Clause("pipe.max-size-default", func() {
		Expect(readSysctl(actor.New(), maxSizeFile)).To(ReturnData("1048576\n"))
	})

	// keepMaxSize has the file get its value back when the spec ends.
	keepMaxSize := func() { actor.ChangeFile(maxSizeFile, fmt.Sprint(maxSize())) }

	// assign writes a value to the file; a call to judge.
	assign := func(a *actor.Actor, value int) *actor.Call {
		fd := Must(a.Open(maxSizeFile, unix.O_WRONLY, 0))
		defer func() { Must(a.Close(fd)) }()
		return a.Write(fd, []byte(fmt.Sprint(value)))
	}

	Clause("pipe.max-size-rounded-up", func() {
		keepMaxSize()
		a := actor.New()
		ordinary := actor.New()
		ordinary.BecomeUser(FreshUser())
		_, w := ordinary.Pipe(0)
		value := 32*page + 1

		Expect(assign(a, value)).To(Return(len(fmt.Sprint(value))))
		back := readSysctl(a, maxSizeFile)
		Expect(back).To(ReturnSuccess())
		employed, err := strconv.Atoi(strings.TrimSpace(string(back.Data())))
		Expect(err).NotTo(HaveOccurred())
		Expect(employed).To(BeNumerically(">=", value))
		Expect(ordinary.Fcntl(w, unix.F_SETPIPE_SZ, employed).Value()).To(BeNumerically(">=", employed))
		Expect(ordinary.Fcntl(w, unix.F_SETPIPE_SZ, employed+1)).To(FailWith(unix.EPERM))
	})

	Clause("pipe.max-size-page-size", func() {
		keepMaxSize()
		a := actor.New()
		Expect(assign(a, page)).To(Return(len(fmt.Sprint(page))))
		Expect(readSysctl(a, maxSizeFile)).To(ReturnData(fmt.Sprintln(page)))
	})

	Clause("pipe.max-size-below-page", func() {
		keepMaxSize()
		a := actor.New()
		for _, value := range []int{page - 1, 1, 0} {
			Expect(assign(a, value)).To(Return(len(fmt.Sprint(value))))
			Expect(readSysctl(a, maxSizeFile)).To(ReturnData(fmt.Sprintln(page)))
		}
	})

	Clause("pipe.max-size-caps-new", func() {
		ordinary := actor.New()
		ordinary.BecomeUser(FreshUser())

		for _, pages := range []int{8, 2} {
			actor.ChangeFile(maxSizeFile, fmt.Sprint(pages*page))
			create := ordinary.Pipe2(0)
			Expect(create).To(Return(0))
			_, w := create.FDs()
			Expect(ordinary.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pages * page))
			_, w = openFIFO(ordinary, 0)
			Expect(ordinary.Fcntl(w, unix.F_GETPIPE_SZ, 0)).To(Return(pages * page))
		}
	})
})

var _ = Describe("/proc/sys/fs/pipe-user-pages-soft", func() {
	Clause("pipe.soft-limit-small", func() {
		a := actor.New()
		spend(a, softLimit())

		for range 3 {
			create := a.Pipe2(0)
			Expect(create).To(Return(0))
			r, _ := create.FDs()
			Expect(showCapacity(a, r)).To(BeSmall())
		}
	})

	Clause("pipe.soft-limit-two-pages", func() {
		a := actor.New()
		spend(a, softLimit())

		create := a.Pipe2(unix.O_NONBLOCK)
		Expect(create).To(Return(0))
		r, w := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(2 * page))
		Expect(pagesTaken(a, w)).To(Equal(2))
	})

	Clause("pipe.soft-limit-fifo", func() {
		a := actor.New()
		spend(a, softLimit())
		r, _ := a.Pipe(0)

		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		open := a.Open(path, unix.O_RDWR, 0)
		Expect(open).To(ReturnFD())
		Expect(pagesOf(a, open.Value())).To(And(BeNumerically("<", defaultPages), Equal(pagesOf(a, r))))
	})

	Clause("pipe.soft-limit-raise-eperm", func() {
		a := actor.New()
		large := spend(a, softLimit()-defaultPages)
		normal, _ := a.Pipe(0)
		small, _ := a.Pipe(0)

		for _, r := range []int{small, normal, large[0]} {
			before := pagesOf(a, r)
			Expect(resize(a, r, 2*before)).To(FailWith(unix.EPERM))
			Expect(pagesOf(a, r)).To(Equal(before))
		}
	})

	Clause("pipe.soft-limit-default-pipes", func() {
		a := actor.New()
		limit := softLimit()
		number := limit / defaultPages
		_, most := a.Rlimit(unix.RLIMIT_NOFILE)
		Presuppose(uint64(number+100) <= most, "%d descriptors for so many pipes, and the hard limit is %d", number+100, most)
		a.SetRlimit(unix.RLIMIT_NOFILE, uint64(number+100))

		made := map[int]bool{}
		for range number {
			create := a.Pipe2(0)
			Expect(create).To(Return(0))
			r, w := create.FDs()
			Expect(made[r]).To(BeFalse(), "descriptor %d was in use", r)
			made[r] = true
			Must(a.Close(w))
			Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
		}
		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(showCapacity(a, r)).To(BeSmall())
	})

	Clause("pipe.soft-limit-exact", func() {
		a := actor.New()
		spend(a, softLimit()-defaultPages)

		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
	})

	Clause("pipe.soft-limit-counts-new-pipe", func() {
		a := actor.New()
		spend(a, softLimit()-defaultPages+1)

		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(showCapacity(a, r)).To(BeSmall())
	})

	Clause("pipe.soft-limit-counts-raise", func() {
		a := actor.New()
		spend(a, softLimit()-2*defaultPages)
		r, _ := a.Pipe(0)

		Expect(resize(a, r, 4*defaultPages)).To(FailWith(unix.EPERM))
		Expect(pagesOf(a, r)).To(Equal(defaultPages))
		Expect(resize(a, r, 2*defaultPages)).To(Return(2 * defaultPages * page))
		Expect(resize(a, r, 4*defaultPages)).To(FailWith(unix.EPERM))
	})

	Clause("pipe.soft-limit-race", func() {
		const racers = 4
		first := actor.New()
		// Room for the racers' pipes, and for one of these to be twice as large.
		spend(first, softLimit()-(racers+1)*defaultPages)
		var pipes []int
		for range racers {
			r, _ := first.Pipe(0)
			pipes = append(pipes, r)
		}
		var others []*actor.Actor
		for range racers {
			others = append(others, first.Fork())
		}

		for range 50 {
			var raises []*actor.Call
			for i, other := range others {
				raises = append(raises, other.Begin().Fcntl(pipes[i], unix.F_SETPIPE_SZ, 2*defaultPages*page))
			}
			// No pipe is made small again before all have tried.
			for _, raise := range raises {
				raise.Wait()
			}
			raised := 0
			for i, raise := range raises {
				if raise.OK() {
					Expect(raise).To(Return(2 * defaultPages * page))
					raised++
					Must(resize(others[i], pipes[i], defaultPages))
					continue
				}
				Expect(raise).To(FailWith(unix.EPERM))
				Expect(pagesOf(others[i], pipes[i])).To(Equal(defaultPages))
			}
			Expect(raised).To(BeNumerically("<=", 1))
		}
		// What the race charged and gave back is balanced: one may still be raised.
		Expect(resize(first, pipes[0], 2*defaultPages)).To(Return(2 * defaultPages * page))
		Expect(resize(first, pipes[1], 2*defaultPages)).To(FailWith(unix.EPERM))
	})

	Clause("pipe.soft-limit-decrease", func() {
		a := actor.New()
		large := spend(a, softLimit())
		biggest := large[len(large)-1]
		size := pagesOf(a, biggest)
		// New pipes, small as they are, bring the user further above the limit than what the
		// decrease below gives back.
		for excess := 0; excess <= size/2; {
			r, w := a.Pipe(0)
			Must(a.Close(w))
			small := showCapacity(a, r)
			Expect(small).To(BeSmall())
			excess += small.Value() / page
		}

		Expect(resize(a, biggest, size/2)).To(Return(size / 2 * page))
		Expect(pagesOf(a, biggest)).To(Equal(size / 2))
		r, _ := a.Pipe(0)
		Expect(showCapacity(a, r)).To(BeSmall()) // it is above the limit still
	})

	Clause("pipe.soft-limit-given-back", "by closing", func() {
		a := actor.New()
		large := spend(a, softLimit())
		r, w := a.Pipe(0)
		Expect(showCapacity(a, r)).To(BeSmall())
		Must(a.Close(r))
		Must(a.Close(w))

		Expect(a.Close(large[len(large)-1])).To(Return(0))
		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ = create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
	})

	Clause("pipe.soft-limit-given-back", "by decreasing", func() {
		a := actor.New()
		large := spend(a, softLimit())
		biggest := large[len(large)-1]
		half := pagesOf(a, biggest) / 2

		Expect(resize(a, biggest, half)).To(Return(half * page))
		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
	})

	Clause("pipe.soft-limit-given-back", "by the end of a process", func() {
		a := actor.New()
		b := actor.New()
		spend(b, softLimit())
		small, _ := a.Pipe(0)
		Expect(showCapacity(a, small)).To(BeSmall())
		Must(a.Close(small))
		b.Exit(0)

		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
	})

	Clause("pipe.soft-limit-processes-add-up", func() {
		limit := softLimit()
		a, b := actor.New(), actor.New()
		spend(a, limit/2)
		spend(b, limit-limit/2-defaultPages)

		for _, want := range []OmegaMatcher{Return(defaultPages * page), BeSmall()} {
			create := b.Pipe2(0)
			Expect(create).To(Return(0))
			r, _ := create.FDs()
			Expect(showCapacity(b, r)).To(want)
		}
		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(showCapacity(a, r)).To(BeSmall())
	})

	Clause("pipe.soft-limit-of-one-user", func() {
		a := actor.New()
		other := a.Fork()
		other.BecomeUser(FreshUser())
		spend(a, softLimit())
		small, _ := a.Pipe(0)
		Expect(showCapacity(a, small)).To(BeSmall())

		create := other.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(other.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
		Expect(resize(other, r, 2*defaultPages)).To(Return(2 * defaultPages * page))
	})

	// The clauses' needs say which capability the actors have.
	notLimited := func() {
		a := actor.New()
		spend(a, softLimit())
		ordinary := a.Fork()
		ordinary.DropCapabilities(^uint64(0))
		small, _ := ordinary.Pipe(0)
		Expect(showCapacity(ordinary, small)).To(BeSmall())

		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
		Expect(resize(a, r, 2*defaultPages)).To(Return(2 * defaultPages * page))
	}
	Clause("pipe.soft-limit-not-resource", notLimited)
	Clause("pipe.soft-limit-not-admin", notLimited)

	Clause("pipe.soft-limit-zero", func() {
		a := actor.New()
		spend(a, softLimit())
		small, _ := a.Pipe(0)
		Expect(showCapacity(a, small)).To(BeSmall())
		actor.ChangeFile(softLimitFile, "0")

		create := a.Pipe2(0)
		Expect(create).To(Return(0))
		r, _ := create.FDs()
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
		Expect(resize(a, r, 2*defaultPages)).To(Return(2 * defaultPages * page))
	})

	Clause("pipe.soft-limit-default", func() {
		Expect(readSysctl(actor.New(), softLimitFile)).To(ReturnData("16384\n"))
	})
})

var _ = Describe("/proc/sys/fs/pipe-user-pages-hard", func() {
	// The user who is limited is the clause's own, but the limit is everybody's for a moment: it is
	// far above what an ordinary program has.
	const hardLimit = 4096

	Clause("pipe.hard-limit-pipe-denied", func() {
		a := actor.New()
		spend(a, hardLimit)
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit))

		Expect(a.Pipe2(0)).To(FailWith(unix.ENFILE))
	})

	Clause("pipe.hard-limit-fifo-denied", func() {
		a := actor.New()
		spend(a, hardLimit)
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o600))
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit))

		Expect(a.Open(path, unix.O_RDWR, 0)).To(FailWith(unix.ENOMEM))
		Expect(a.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)).To(FailWith(unix.ENOMEM))
	})

	Clause("pipe.hard-limit-raise-denied", func() {
		a := actor.New()
		spend(a, hardLimit-defaultPages)
		r, _ := a.Pipe(0)
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit))

		Expect(resize(a, r, 2*defaultPages)).To(FailWith(unix.EPERM))
		Expect(a.Fcntl(r, unix.F_GETPIPE_SZ, 0)).To(Return(defaultPages * page))
		Expect(resize(a, r, defaultPages/2)).To(Return(defaultPages / 2 * page))
		Expect(resize(a, r, defaultPages)).To(Return(defaultPages * page))
	})

	Clause("pipe.hard-limit-counts-new-pipe", func() {
		a := actor.New()
		spend(a, hardLimit-2*defaultPages+1)
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit))

		Expect(a.Pipe2(0)).To(Return(0))
		Expect(a.Pipe2(0)).To(FailWith(unix.ENFILE))
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit+1))
		Expect(a.Pipe2(0)).To(Return(0))
		Expect(a.Pipe2(0)).To(FailWith(unix.ENFILE))
	})

	Clause("pipe.hard-limit-not-privileged", func() {
		const capSysAdmin, capSysResource = 21, 24
		a := actor.New()
		spend(a, hardLimit)
		resource, admin, neither := a.Fork(), a.Fork(), a.Fork()
		resource.DropCapabilities(1 << capSysAdmin)
		admin.DropCapabilities(1 << capSysResource)
		neither.DropCapabilities(^uint64(0))
		actor.ChangeFile(hardLimitFile, fmt.Sprint(hardLimit))

		Expect(neither.Pipe2(0)).To(FailWith(unix.ENFILE))
		Expect(resource.Pipe2(0)).To(Return(0))
		Expect(admin.Pipe2(0)).To(Return(0))
	})

	Clause("pipe.hard-limit-default", func() {
		Expect(readSysctl(actor.New(), hardLimitFile)).To(ReturnData("0\n"))
	})

	Clause("pipe.hard-limit-zero", func() {
		limit := setting("fs.pipe-user-pages-hard")
		Presuppose(limit == 0, "no limit in fs.pipe-user-pages-hard; it is %d", limit)
		a := actor.New()
		spend(a, softLimit())
		small, _ := a.Pipe(0)
		Expect(showCapacity(a, small)).To(BeSmall())

		for range 100 {
			Expect(a.Pipe2(0)).To(Return(0))
		}
	})
})
