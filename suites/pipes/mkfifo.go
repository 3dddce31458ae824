package pipes

import (
	"os"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// pathMax is PATH_MAX: the most that a path may have, with the NUL at its end.
const pathMax = 4096

// mkfifoat is the mknodat that mkfifoat(3) makes.
func mkfifoat(a *actor.Actor, dirfd int, path string, mode uint32) *actor.Call {
	return a.Mknodat(dirfd, path, unix.S_IFIFO|mode, 0)
}

// expectFIFO shows that the path itself, not what a symbolic link points to, is a FIFO, and returns
// its permissions.
func expectFIFO(a *actor.Actor, path string) (mode uint32) {
	GinkgoHelper()
	stat := a.Fstatat(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)
	Expect(stat).To(Return(0))
	Expect(stat.Stat().Mode&unix.S_IFMT).To(Equal(uint32(unix.S_IFIFO)), "file type")
	return stat.Stat().Mode & 0o7777
}

// expectNothing shows that the path does not exist.
func expectNothing(a *actor.Actor, path string) {
	GinkgoHelper()
	Expect(a.Fstatat(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)).To(FailWith(unix.ENOENT))
}

// openDir opens a directory to be a dirfd.
func openDir(a *actor.Actor, path string) int {
	return Must(a.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0))
}

// newDir makes a directory and returns its path.
func newDir(a *actor.Actor, path string) string {
	Must(a.Mkdir(path, 0o777))
	return path
}

// padded lengthens an absolute path to n bytes; slashes more do not make it another path.
func padded(dir, name string, n int) string {
	return dir + strings.Repeat("/", n-len(dir)-len(name)) + name
}

var _ = Describe("mknodat with S_IFIFO", func() {
	Clause("mkfifo.makes-a-fifo", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		expectNothing(a, path)
		Expect(a.Mkfifo(path, 0o644)).To(Return(0))
		expectFIFO(a, path)
	})

	Clause("mkfifo.returns-zero", func() {
		a := actor.New()
		dir := actor.TempDir()
		Expect(a.Mkfifo(dir+"/one", 0o644)).To(Return(0))
		Expect(mkfifoat(a, openDir(a, dir), "two", 0)).To(Return(0))
	})

	Clause("mkfifo.enters-the-directory", func() {
		maker, other := actor.New(), actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(maker.Mkfifo(path, 0o644)).To(Return(0))
		maker.Exit(0)
		expectFIFO(other, path)
		stat := other.Stat(path)
		Expect(stat).To(Return(0))
		Expect(stat.Stat().Nlink).To(Equal(uint64(1)), "st_nlink")
	})

	Clause("mkfifo.opens-nothing", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		r, w := nextDescriptors(a)
		Expect(a.Mkfifo(path, everyone)).To(Return(0))
		expectNextDescriptors(a, r, w)
		Expect(a.Open(path, writingNow, 0)).To(FailWith(unix.ENXIO))
		Expect(a.Begin().Open(path, forReading, 0)).To(Block())
	})

	Clause("mkfifo.needs-no-privilege", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(a.Mkfifo(path, 0o644)).To(Return(0))
		expectFIFO(a, path)
	})

	Clause("mkfifo.owned-by-maker", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(a.Mkfifo(path, 0o644)).To(Return(0))
		Expect(a.Stat(path).Stat().UID).To(Equal(uint32(Must(a.Getuid()))), "st_uid")
	})

	Clause("mkfifo.owned-by-effective-user", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		const effective = 1
		Must(a.Setresuid(-1, effective, -1))
		Expect(a.Mkfifo(path, 0o644)).To(Return(0))
		Expect(a.Stat(path).Stat().UID).To(Equal(uint32(effective)), "st_uid")
	})

	Clause("mkfifo.any-process-opens", func() {
		maker, reader, writer := actor.New(), actor.New(), actor.New()
		path := actor.TempDir() + "/fifo"
		Must(maker.Umask(0))
		Expect(maker.Mkfifo(path, everyone)).To(Return(0))
		r := reader.Begin().Open(path, forReading, 0)
		w := writer.Begin().Open(path, forWriting, 0)
		Expect(r).To(ReturnEnd(forReading))
		Expect(w).To(ReturnEnd(forWriting))
	})

	Clause("mkfifo.a-pipe-of-its-own", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(a.Mkfifo(path, 0o600)).To(Return(0))
		r, w := openEnds(a, path)
		Expect(a.Write(w, []byte("through"))).To(Return(7))
		Expect(a.Read(r, 100)).To(ReturnData("through"))
		Expect(a.Read(r, 100)).To(FailWith(unix.EAGAIN))
		Must(a.Close(w))
		Expect(a.Read(r, 100)).To(Return(0))
	})
})

var _ = Describe("The permissions of a new FIFO", func() {
	Clause("mkfifo.mode-each-bit", func() {
		a := actor.New()
		Must(a.Umask(0))
		dir := actor.TempDir()
		modes := []uint32{0, 0o777}
		for bit := range 9 {
			modes = append(modes, 1<<bit)
		}
		for i, mode := range modes {
			path := dir + "/" + string(rune('a'+i))
			Expect(a.Mkfifo(path, mode)).To(Return(0))
			Expect(expectFIFO(a, path)).To(Equal(mode), "permissions for mode %#o", mode)
		}
	})

	Clause("mkfifo.mode-less-umask", func() {
		a := actor.New()
		for _, umask := range []uint32{0, 0o022, 0o027, 0o077, 0o111, 0o700, 0o777} {
			Must(a.Umask(umask))
			dir := actor.TempDir()
			for i, mode := range []uint32{0, 0o600, 0o644, 0o666, 0o777} {
				path := dir + "/" + string(rune('a'+i))
				Expect(a.Mkfifo(path, mode)).To(Return(0))
				Expect(expectFIFO(a, path)).To(Equal(mode&^umask), "permissions for mode %#o, umask %#o", mode, umask)
			}
			Expect(a.Umask(0)).To(Return(int(umask)))
		}
	})

	Clause("mkfifo.umask-of-the-caller", func() {
		parent := actor.New()
		Must(parent.Umask(0o022))
		child := parent.Fork()
		Must(child.Umask(0o077))
		dir := actor.TempDir()
		Expect(parent.Mkfifo(dir+"/parents", 0o666)).To(Return(0))
		Expect(child.Mkfifo(dir+"/childs", 0o666)).To(Return(0))
		Expect(expectFIFO(parent, dir+"/parents")).To(Equal(uint32(0o644)))
		Expect(expectFIFO(parent, dir+"/childs")).To(Equal(uint32(0o600)))
	})

	Clause("mkfifo.mode-does-not-bind-maker-now", func() {
		a := actor.New()
		path := actor.TempDir() + "/fifo"
		Expect(a.Mkfifo(path, 0)).To(Return(0))
		Expect(expectFIFO(a, path)).To(BeZero(), "permissions")
		Expect(a.Open(path, readingNow, 0)).To(FailWith(unix.EACCES))
		Expect(a.Open(path, forBoth, 0)).To(FailWith(unix.EACCES))
	})
})

var _ = Describe("The dirfd of mknodat", func() {
	Clause("mkfifo.at-fdcwd-relative", func() {
		dir, second := actor.TempDir(), actor.TempDir()
		a := actor.New(actor.Dir(dir))
		Expect(mkfifoat(a, unix.AT_FDCWD, "fifo", 0o644)).To(Return(0))
		expectFIFO(a, dir+"/fifo")
		Must(a.Chdir(second))
		Expect(mkfifoat(a, unix.AT_FDCWD, "fifo", 0o644)).To(Return(0))
		expectFIFO(a, second+"/fifo")
	})

	Clause("mkfifo.dirfd-relative", func() {
		dir, working := actor.TempDir(), actor.TempDir()
		a := actor.New(actor.Dir(working))
		newDir(a, dir+"/sub")
		fd := openDir(a, dir)
		Expect(mkfifoat(a, fd, "fifo", 0o644)).To(Return(0))
		Expect(mkfifoat(a, fd, "sub/fifo", 0o644)).To(Return(0))
		expectFIFO(a, dir+"/fifo")
		expectFIFO(a, dir+"/sub/fifo")
		expectNothing(a, working+"/fifo")
	})

	Clause("mkfifo.dirfd-follows-renamed-directory", func() {
		a := actor.New()
		dir := actor.TempDir()
		fd := openDir(a, newDir(a, dir+"/old"))
		Must(a.Rename(dir+"/old", dir+"/new"))
		newDir(a, dir+"/old")
		Expect(mkfifoat(a, fd, "fifo", 0o644)).To(Return(0))
		expectFIFO(a, dir+"/new/fifo")
		expectNothing(a, dir+"/old/fifo")
	})

	Clause("mkfifo.dirfd-same-rules", func() {
		a := actor.New()
		Must(a.Umask(0o027))
		dir := actor.TempDir()
		fd := openDir(a, dir)
		Expect(mkfifoat(a, fd, "fifo", 0o666)).To(Return(0))
		Expect(expectFIFO(a, dir+"/fifo")).To(Equal(uint32(0o640)), "permissions")
		Expect(mkfifoat(a, fd, "fifo", 0o666)).To(FailWith(unix.EEXIST))
		r, w := openEnds(a, dir+"/fifo")
		send(a, w, "through")
		Expect(a.Read(r, 100)).To(ReturnData("through"))
	})

	Clause("mkfifo.absolute-ignores-dirfd", func() {
		a := actor.New()
		dir, other := actor.TempDir(), actor.TempDir()
		r, _ := a.Pipe(0)
		for i, dirfd := range []int{openDir(a, other), r, -1, r + 1000} {
			path := dir + "/" + string(rune('a'+i))
			Expect(mkfifoat(a, dirfd, path, 0o644)).To(Return(0))
			expectFIFO(a, path)
		}
	})

	Clause("mkfifo.dirfd-ebadf", func() {
		a := actor.New(actor.Dir(actor.TempDir()))
		closed := openDir(a, actor.TempDir())
		Must(a.Close(closed))
		for _, dirfd := range []int{-1, closed, closed + 1000} {
			Expect(mkfifoat(a, dirfd, "fifo", 0o644)).To(FailWith(unix.EBADF))
		}
	})

	Clause("mkfifo.dirfd-enotdir", func() {
		dir := actor.TempDir()
		a := actor.New(actor.Dir(dir))
		a.WriteFile(dir+"/file", "text")
		newFIFOAt(a, dir+"/fifo")
		for _, dirfd := range []int{
			Must(a.Open(dir+"/file", unix.O_RDONLY, 0)), Must(a.Open(dir+"/fifo", forBoth, 0)),
		} {
			Expect(mkfifoat(a, dirfd, "new", 0o644)).To(FailWith(unix.ENOTDIR))
		}
	})
})

var _ = Describe("mknodat where the name is taken", func() {
	Clause("mkfifo.eexist", func() {
		a := actor.New()
		dir := actor.TempDir()
		a.WriteFile(dir+"/file", "text")
		newDir(a, dir+"/dir")
		newFIFOAt(a, dir+"/fifo")
		for _, path := range []string{dir + "/file", dir + "/dir", dir + "/fifo", dir, dir + "/dir/.", dir + "/dir/.."} {
			Expect(a.Mkfifo(path, 0o644)).To(FailWith(unix.EEXIST))
		}
	})

	Clause("mkfifo.eexist-symlink", func() {
		a := actor.New()
		dir := actor.TempDir()
		a.WriteFile(dir+"/file", "text")
		newDir(a, dir+"/dir")
		newFIFOAt(a, dir+"/fifo")
		for _, target := range []string{"file", "dir", "fifo"} {
			Must(a.Symlink(target, dir+"/to-"+target))
			Expect(a.Mkfifo(dir+"/to-"+target, 0o644)).To(FailWith(unix.EEXIST))
		}
	})

	Clause("mkfifo.eexist-dangling-symlink", func() {
		a := actor.New()
		dir := actor.TempDir()
		Must(a.Symlink("nowhere", dir+"/link"))
		Expect(a.Mkfifo(dir+"/link", 0o644)).To(FailWith(unix.EEXIST))
		expectNothing(a, dir+"/nowhere")
	})

	Clause("mkfifo.eexist-changes-nothing", func() {
		a := actor.New()
		Must(a.Umask(0))
		path := actor.TempDir() + "/fifo"
		Must(a.Mkfifo(path, 0o640))
		r, w := openEnds(a, path)
		send(a, w, "still there")
		before := a.Stat(path).Stat()
		Expect(before.Mode).To(Equal(uint32(unix.S_IFIFO | 0o640)))
		Expect(a.Mkfifo(path, 0o777)).To(FailWith(unix.EEXIST))
		Expect(a.Stat(path).Stat()).To(Equal(before))
		Expect(a.Read(r, 100)).To(ReturnData("still there"))
	})

	Clause("mkfifo.eexist-for-one-of-two", func() {
		rivals := []*actor.Actor{actor.New(), actor.New(), actor.New()}
		dir := actor.TempDir()
		for round := range 40 {
			path := dir + "/" + strconv.Itoa(round)
			var calls []*actor.Call
			for _, rival := range rivals {
				calls = append(calls, rival.Begin().Mkfifo(path, 0o644))
			}
			made := 0
			for _, call := range calls {
				Expect(call).To(Or(Return(0), FailWith(unix.EEXIST)))
				made += 1 + call.Value() // −1 where it failed
			}
			Expect(made).To(Equal(1), "processes that made the FIFO")
		}
	})
})

var _ = Describe("mknodat that fails", func() {
	Clause("mkfifo.enoent-missing-directory", func() {
		dir := actor.TempDir()
		a := actor.New(actor.Dir(dir))
		Expect(a.Mkfifo(dir+"/missing/fifo", 0o644)).To(FailWith(unix.ENOENT))
		Expect(a.Mkfifo("missing/fifo", 0o644)).To(FailWith(unix.ENOENT))
		Expect(mkfifoat(a, openDir(a, dir), "missing/fifo", 0o644)).To(FailWith(unix.ENOENT))
	})

	Clause("mkfifo.enoent-dangling-directory", func() {
		a := actor.New()
		dir := actor.TempDir()
		Must(a.Symlink("nowhere", dir+"/link"))
		Expect(a.Mkfifo(dir+"/link/fifo", 0o644)).To(FailWith(unix.ENOENT))
	})

	Clause("mkfifo.enoent-empty-path", func() {
		a := actor.New(actor.Dir(actor.TempDir()))
		Expect(a.Mkfifo("", 0o644)).To(FailWith(unix.ENOENT))
		Expect(mkfifoat(a, openDir(a, actor.TempDir()), "", 0o644)).To(FailWith(unix.ENOENT))
	})

	Clause("mkfifo.enoent-removed-directory", func() {
		a := actor.New()
		dir := newDir(a, actor.TempDir()+"/removed")
		fd := openDir(a, dir)
		Must(a.Chdir(dir))
		Must(a.Raw(unix.SYS_UNLINKAT, unix.AT_FDCWD, dir, unix.AT_REMOVEDIR))
		Expect(mkfifoat(a, fd, "fifo", 0o644)).To(FailWith(unix.ENOENT))
		Expect(a.Mkfifo("fifo", 0o644)).To(FailWith(unix.ENOENT))
	})

	Clause("mkfifo.enotdir-component", func() {
		a := actor.New()
		dir := actor.TempDir()
		a.WriteFile(dir+"/file", "text")
		newFIFOAt(a, dir+"/fifo")
		Must(a.Symlink("file", dir+"/link"))
		for _, name := range []string{"/file/new", "/fifo/new", "/link/new", "/file/missing/new"} {
			Expect(a.Mkfifo(dir+name, 0o644)).To(FailWith(unix.ENOTDIR))
		}
	})

	Clause("mkfifo.enametoolong-component", func() {
		a := actor.New()
		dir := actor.TempDir()
		const nameMax = 255
		Expect(a.Mkfifo(dir+"/"+strings.Repeat("n", nameMax+1), 0o644)).To(FailWith(unix.ENAMETOOLONG))
		Expect(mkfifoat(a, openDir(a, dir), strings.Repeat("n", nameMax+1), 0o644)).To(FailWith(unix.ENAMETOOLONG))
	})

	Clause("mkfifo.name-of-filesystem-maximum", func() {
		a := actor.New()
		dir := actor.TempDir()
		statfs := a.Alloc(256)
		const namelenOffset = 64 // of struct statfs, on 64-bit architectures
		Must(a.Raw(unix.SYS_STATFS, dir, statfs))
		most := int(statfs.Uint64(namelenOffset))
		Expect(a.Mkfifo(dir+"/"+strings.Repeat("n", most), 0o644)).To(Return(0))
		expectFIFO(a, dir+"/"+strings.Repeat("n", most))
		Expect(a.Mkfifo(dir+"/"+strings.Repeat("n", most+1), 0o644)).To(FailWith(unix.ENAMETOOLONG))
	})

	Clause("mkfifo.enametoolong-path", func() {
		a := actor.New()
		dir := actor.TempDir()
		Expect(a.Mkfifo(padded(dir, "fifo", pathMax), 0o644)).To(FailWith(unix.ENAMETOOLONG))
		Expect(a.Mkfifo(padded(dir, "fifo", pathMax+1000), 0o644)).To(FailWith(unix.ENAMETOOLONG))
		expectNothing(a, dir+"/fifo")
	})

	Clause("mkfifo.path-below-path-max", func() {
		a := actor.New()
		dir := actor.TempDir()
		Expect(a.Mkfifo(padded(dir, "fifo", pathMax-1), 0o644)).To(Return(0))
		expectFIFO(a, dir+"/fifo")
	})

	Clause("mkfifo.erofs", "the filesystem", func() {
		a := actor.New()
		dir := mountTmpfs(a, "")
		newDir(a, dir+"/sub")
		Must(a.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		Expect(a.Mkfifo(dir+"/fifo", 0o644)).To(FailWith(unix.EROFS))
		Expect(mkfifoat(a, openDir(a, dir+"/sub"), "fifo", 0o644)).To(FailWith(unix.EROFS))
	})

	Clause("mkfifo.erofs", "this mount of it", func() {
		a := actor.New()
		dir := mountTmpfs(a, "")
		readOnly := actor.TempDir()
		Must(a.Mount(dir, readOnly, "", unix.MS_BIND, ""))
		Must(a.Mount("", readOnly, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		Expect(a.Mkfifo(readOnly+"/fifo", 0o644)).To(FailWith(unix.EROFS))
		Expect(a.Mkfifo(dir+"/fifo", 0o644)).To(Return(0))
	})

	// expectLimit makes FIFOs until there may be no more of them, and again when one is gone.
	expectLimit := func(a *actor.Actor, dir string, errno unix.Errno) {
		GinkgoHelper()
		var last *actor.Call
		made := 0
		for ; made < 16; made++ {
			path := dir + "/" + strconv.Itoa(made)
			if last = a.Mkfifo(path, 0o644); !last.OK() {
				break
			}
			Expect(last).To(Return(0))
			expectFIFO(a, path)
		}
		Expect(last).To(FailWith(errno))
		Expect(made).To(BeNumerically(">", 0), "FIFOs for which there was room")
		expectNothing(a, dir+"/"+strconv.Itoa(made))
		Must(a.Unlink(dir + "/0"))
		Expect(a.Mkfifo(dir+"/again", 0o644)).To(Return(0))
	}

	Clause("mkfifo.enospc", func() {
		a := actor.New()
		expectLimit(a, mountTmpfs(a, "nr_inodes=8"), unix.ENOSPC)
	})

	Clause("mkfifo.edquot", func() {
		a := actor.New()
		dir := mountTmpfs(a, "usrquota,usrquota_inode_hardlimit=4")
		Must(a.Chmod(dir, 0o777))
		user := a.Fork()
		user.BecomeUser(1)
		expectLimit(user, dir, unix.EDQUOT)
	})

	Clause("mkfifo.failure-makes-nothing", func() {
		dir := actor.TempDir()
		a := actor.New(actor.Dir(dir))
		a.WriteFile(dir+"/file", "text")
		Expect(a.Mkfifo("missing/new", 0o644)).To(FailWith(unix.ENOENT))
		Expect(a.Mkfifo("file/new", 0o644)).To(FailWith(unix.ENOTDIR))
		Expect(a.Mkfifo("file", 0o644)).To(FailWith(unix.EEXIST))
		Expect(a.Mkfifo(strings.Repeat("n", 5000), 0o644)).To(FailWith(unix.ENAMETOOLONG))
		Expect(mkfifoat(a, -1, "new", 0o644)).To(FailWith(unix.EBADF))
		entries, err := os.ReadDir(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(entries).To(HaveLen(1), "only the regular file is there")
		Expect(a.Stat("file").Stat().Mode&unix.S_IFMT).To(Equal(uint32(unix.S_IFREG)), "file type")
	})
})

var _ = Describe("mknodat without permission", func() {
	// deep makes directories one inside the other and returns the path of each.
	deep := func(a *actor.Actor) (one, two, three string) {
		one = newDir(a, actor.TempDir()+"/one")
		two = newDir(a, one+"/two")
		return one, two, newDir(a, two+"/three")
	}

	Clause("mkfifo.eacces-search", func() {
		a := actor.New()
		one, two, three := deep(a)
		for _, closed := range []string{one, two, three} {
			Must(a.Chmod(closed, 0o600)) // all but search
			Expect(a.Mkfifo(three+"/fifo", 0o644)).To(FailWith(unix.EACCES))
			Must(a.Chmod(closed, 0o700))
		}
		Expect(a.Mkfifo(three+"/fifo", 0o644)).To(Return(0))
	})

	Clause("mkfifo.search-needs-no-read", func() {
		a := actor.New()
		one, two, three := deep(a)
		Must(a.Chmod(three, 0o300))
		Must(a.Chmod(two, 0o100))
		Must(a.Chmod(one, 0o100))
		call := a.Mkfifo(three+"/fifo", 0o644)
		for _, dir := range []string{one, two, three} {
			Must(a.Chmod(dir, 0o700))
		}
		Expect(call).To(Return(0))
		expectFIFO(a, three+"/fifo")
	})

	Clause("mkfifo.eacces-directory-not-writable", func() {
		a := actor.New()
		dir := newDir(a, actor.TempDir()+"/dir")
		Must(a.Chmod(dir, 0o500))
		Expect(a.Mkfifo(dir+"/fifo", 0o644)).To(FailWith(unix.EACCES))
	})
})
