package kernels

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ipcspec/ipcspec/harness/kernel"
	"github.com/ipcspec/ipcspec/harness/target/kbuild"
)

// Debian's own mirrors, where the machine's sources name none of it.
const (
	archive  = "http://deb.debian.org/debian/"
	security = "http://deb.debian.org/debian-security/"

	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// suites hold a kernel of each line from 5.10 on. Each is small.
const (
	archiveSuites  = "trixie-backports"
	securitySuites = "bullseye-security bookworm-security trixie-security"
)

// librarySuite has the libraries that the kernels' tools are linked with: it is the newest that kernels come
// from, and what older ones want runs with its libraries as well.
const librarySuite = "trixie"

// apt is the system's package tools, in a folder of our own.
type apt struct {
	ctx    context.Context
	cache  Cache
	folder string
	main   string // the mirror
}

func newAPT(ctx context.Context, c Cache) (*apt, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is not here, which fetches Debian's kernels: run this on Debian or Ubuntu, or give vm an image by its path", tool)
		}
	}
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("the keys of Debian are not here (%s): install debian-archive-keyring", keyring)
	}
	main, secure := mirrors(ctx)
	a := &apt{ctx: ctx, cache: c, folder: filepath.Join(c.Folder, ".apt"), main: main}
	return a, a.begin(source(main, archiveSuites), source(secure, securitySuites))
}

// source is a part of a list of sources.
func source(mirror, suites string) string {
	return fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n", mirror, suites, keyring)
}

// begin makes the folder, where nothing is installed and these are the sources.
func (a *apt) begin(sources ...string) error {
	for _, folder := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.folder, folder), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(a.folder, "ipcspec.sources"), []byte(strings.Join(sources, "\n")), 0o666),
		os.WriteFile(filepath.Join(a.folder, "status"), nil, 0o666),
	)
}

// mirrors gives those of Debian that this machine uses, which may be nearer than Debian's own, or
// the only ones that it can reach.
func mirrors(ctx context.Context) (main, secure string) {
	main, secure = archive, security
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)").Output()
	if err != nil {
		return main, secure
	}
	for line := range strings.Lines(string(out)) {
		switch fields := strings.Fields(line); {
		case len(fields) != 3 || fields[0] != "Debian":
		case fields[1] == "Debian":
			main = fields[2]
		case fields[1] == "Debian-Security":
			secure = fields[2]
		}
	}
	return main, secure
}

// run runs one of the tools on our own state.
func (a *apt) run(dir, tool string, arguments ...string) ([]byte, error) {
	options := []string{
		"-o", "Dir::State=" + a.folder, "-o", "Dir::State::status=" + filepath.Join(a.folder, "status"),
		"-o", "Dir::Cache=" + a.folder, "-o", "Dir::Etc::sourcelist=" + filepath.Join(a.folder, "ipcspec.sources"),
		"-o", "Dir::Etc::sourceparts=-", "-o", "Dir::Etc::preferences=-", "-o", "Dir::Etc::preferencesparts=-",
		"-o", "APT::Architecture=" + runtime.GOARCH, "-o", "APT::Architectures=" + runtime.GOARCH,
		"-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		// Signatures are checked before anything else is believed; old suites are not renewed any more.
		"-o", "Acquire::Check-Valid-Until=false",
		// The folder belongs to whoever runs this, not to the user that apt would change to.
		"-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=0",
	}
	var words bytes.Buffer
	cmd := exec.CommandContext(a.ctx, tool, append(options, arguments...)...)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, &words, append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		if a.ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
		return nil, fmt.Errorf("%s %s: %w: %s", tool, arguments[0], err, strings.Join(strings.Fields(words.String()), " "))
	}
	return out, nil
}

// update fetches the lists of packages unless they are younger than that.
func (a *apt) update(age time.Duration) error {
	stamp := filepath.Join(a.folder, "updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < age {
		return nil
	}
	fmt.Fprintln(a.cache.Words, "fetching the lists of packages")
	if _, err := a.run("", "apt-get", "update", "-qq", "--error-on=any"); err != nil {
		return err
	}
	return os.WriteFile(stamp, nil, 0o666)
}

// A pkg is a package that can be had.
type pkg struct {
	name, version string
	depends       []string // names, of alternatives the first
}

// packages gives all that make up a kernel.
func (a *apt) packages() ([]pkg, error) {
	out, err := a.run("", "apt-cache", "search", "--full", "--names-only", "^linux-(image|binary|modules|headers|kbuild)-[0-9]")
	if err != nil {
		return nil, err
	}
	var all []pkg
	var p pkg
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
		case "Package":
			p = pkg{name: value}
		case "Version":
			p.version = value
		case "Depends":
			for _, d := range strings.Split(value, ",") {
				if f := strings.Fields(d); len(f) > 0 {
					name, _, _ := strings.Cut(f[0], ":")
					p.depends = append(p.depends, name)
				}
			}
		case "":
			if p.name != "" {
				all = append(all, p)
			}
			p = pkg{}
		}
	}
	if p.name != "" {
		all = append(all, p)
	}
	return all, lines.Err()
}

// A candidate is a kernel that can be had.
type candidate struct {
	pkg
	release string // as uname -r prints it
	flavour string
	parsed  kernel.Release // of the package's version, which is upstream's
}

func candidates(all []pkg) []candidate {
	var found []candidate
	for _, p := range all {
		// Debugging symbols and what is not signed have further words at the end.
		release, ok := strings.CutPrefix(p.name, "linux-image-")
		base, plain := strings.CutSuffix(release, "-"+runtime.GOARCH)
		if !ok || !plain {
			continue
		}
		c := candidate{pkg: p, release: release}
		for _, flavour := range []string{"cloud", "rt"} {
			if rest, ok := strings.CutSuffix(base, "-"+flavour); ok {
				base, c.flavour = rest, flavour
			}
		}
		var err error
		// A name that says no more than 6.12-amd64 stands for whatever is the newest.
		if c.parsed, err = kernel.ParseRelease(p.version); err == nil && strings.Count(base, ".") >= 2 {
			found = append(found, c)
		}
	}
	return found
}

var number = regexp.MustCompile(`\d+`)

// compare compares the versions of two kernels: each number in them, one after the other.
func (c candidate) compare(other candidate) int {
	one, two := number.FindAllString(c.version, -1), number.FindAllString(other.version, -1)
	return slices.CompareFunc(one, two, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// newest gives the newest kernel that was asked for.
func newest(all []pkg, r request) (candidate, bool) {
	var best candidate
	for _, c := range candidates(all) {
		full := fmt.Sprintf("%d.%d.%d", c.parsed.Major, c.parsed.Minor, c.parsed.Patch)
		if c.flavour == r.flavour && strings.HasPrefix(full+".", r.release+".") && (best.name == "" || c.compare(best) > 0) {
			best = c
		}
	}
	return best, best.name != ""
}

// images gives the packages with the kernel and its modules: one, or since 6.19 several that it
// depends on.
func (c candidate) images(all []pkg) []pkg {
	return c.closure(all, "linux-image-"+c.release, "linux-binary-"+c.release, "linux-modules-"+c.release)
}

// headers gives the packages with what it takes to build a module.
func (c candidate) headers(all []pkg) []pkg {
	found := c.closure(all, "linux-headers-"+c.release)
	for _, p := range found {
		for _, name := range p.depends {
			if strings.HasPrefix(name, "linux-headers-") || strings.HasPrefix(name, "linux-kbuild-") {
				found = append(found, c.closure(all, name)...)
			}
		}
	}
	return found
}

// closure gives those of the named packages that there are.
func (c candidate) closure(all []pkg, names ...string) []pkg {
	var found []pkg
	for _, name := range names {
		if i := slices.IndexFunc(all, func(p pkg) bool { return p.name == name }); i >= 0 {
			found = append(found, all[i])
		}
	}
	return found
}

// libraries brings what the kernel's tools are linked with, where this machine's C library is older.
func (a *apt) libraries(folder string) error {
	// Its list of packages is large, and needed here alone.
	b := &apt{ctx: a.ctx, cache: a.cache, folder: filepath.Join(a.folder, librarySuite), main: a.main}
	if err := b.begin(source(b.main, librarySuite)); err != nil {
		return err
	}
	if err := b.update(7 * 24 * time.Hour); err != nil {
		return err
	}
	var wanted []pkg
	for _, name := range kbuild.HostPackages {
		wanted = append(wanted, pkg{name: name})
	}
	return b.unpack(wanted, folder)
}

// unpack fetches packages and unpacks them into a folder.
func (a *apt) unpack(packages []pkg, folder string) error {
	debs, err := os.MkdirTemp(a.folder, "debs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(debs)
	words := []string{"download", "-qq"}
	for _, p := range packages {
		fmt.Fprintln(a.cache.Words, strings.TrimSpace("fetching "+p.name+" "+p.version))
		if p.version == "" { // the newest
			words = append(words, p.name)
		} else {
			words = append(words, p.name+"="+p.version)
		}
	}
	if _, err := a.run(debs, "apt-get", words...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) != len(packages) {
		return fmt.Errorf("of %d packages %d came", len(packages), len(files))
	}
	for _, file := range files {
		var words bytes.Buffer
		cmd := exec.CommandContext(a.ctx, "dpkg-deb", "-x", file, folder)
		cmd.Stderr = &words
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(file), err, strings.Join(strings.Fields(words.String()), " "))
		}
	}
	return nil
}
