// Package oci runs specs in a container of any OCI runtime.
//
// The bundle holds ipcspec and nothing else. Its first process has another one run, and reaps; orders
// come on standard input and the journal leaves by standard output, which every runtime hands through.
// Container, state and bundle are in one folder, which a keeper removes, whatever ends this process.
package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipcspec/ipcspec/harness/actor/keeper"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/run"
	"github.com/ipcspec/ipcspec/harness/target"
)

// A Runtime is an OCI runtime and how much it is to allow.
type Runtime struct {
	Path    string   // of the program, or its name
	Args    []string // before the command
	Profile string   // one of Profiles

	name, version string
}

// startLimit is from the start of the runtime to the first spec. Tests shorten it.
var startLimit = 60 * time.Second

const (
	silence     = 180 * time.Second // between two lines of the journal; workers have shorter limits
	lookLimit   = 10 * time.Second  // for the runtime to tell its version
	removeLimit = 30 * time.Second  // for it to kill and remove the container
	drainLimit  = 3 * time.Second   // from the runtime's end to that of what it told
)

// Run runs specs in a container. It returns what was found, also with an error: then the run did not
// come to its end. Cancelling the context interrupts it.
func (r Runtime) Run(ctx context.Context, o run.Options) (report.Results, error) {
	if r.Profile == "" {
		r.Profile = Default
	}
	if !slices.Contains(Profiles, r.Profile) {
		return report.Results{}, fmt.Errorf("--profile %s: give one of %s", r.Profile, strings.Join(Profiles, ", "))
	}
	if err := r.look(ctx); err != nil {
		return report.Results{}, err
	}
	o.Target = report.Target{Kind: "oci", Profile: r.Profile, Detail: strings.Join(append([]string{r.name, r.version}, r.Args...), " ")}
	o.Target.Kernel.Runtime = r.name
	plan, err := target.Prepare(&o)
	if err != nil {
		return report.Results{}, err
	}
	c, err := r.prepare()
	if err != nil {
		return report.Results{}, err
	}
	defer c.remove()
	return c.run(ctx, o, plan)
}

// look finds the program and asks it who it is.
func (r *Runtime) look(ctx context.Context) error {
	if r.Path == "" {
		return errors.New("--runtime: give the path of an OCI runtime, such as runc, crun or runsc")
	}
	path, err := exec.LookPath(r.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return fmt.Errorf("--runtime %s: %w", r.Path, err)
	}
	r.Path, r.name = path, filepath.Base(path)
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("--runtime %s does not say its version, as OCI runtimes do: %w%s", path, err, words(string(out)))
	}
	// runc version 1.1.5
	fields := strings.Fields(string(out))
	if len(fields) >= 3 && fields[1] == "version" {
		r.name, r.version = fields[0], strings.TrimPrefix(fields[2], "release-")
	}
	return nil
}

// words gives the last line or two of what a program said, for the end of a message.
func words(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	text = strings.Join(strings.Fields(strings.Join(lines[max(0, len(lines)-3):], "; ")), " ")
	if text == "" {
		return ""
	}
	const most = 600
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return ": " + text
}

// A container is one container, from its bundle to its removal.
type container struct {
	runtime Runtime
	keeper  *keeper.Keeper
	folder  string
	id      string
	removed sync.Once
}

func (r Runtime) prepare() (*container, error) {
	var rootless *mapping
	if os.Geteuid() != 0 {
		rootless = ownMapping()
	}
	spec, err := config(r.Profile, rootless)
	if err != nil {
		return nil, err
	}
	c := &container{runtime: r}
	if c.keeper, err = keeper.Start(""); err != nil {
		return nil, err
	}
	c.id = fmt.Sprintf("ipcspec-%d-%d", os.Getpid(), c.keeper.PID())
	if c.folder, err = c.keeper.Folder(); err == nil {
		err = errors.Join(writeBundle(c.folder, spec), os.Mkdir(c.state(), 0o711))
	}
	if err != nil {
		c.keeper.Stop()
		return nil, fmt.Errorf("the bundle: %w", err)
	}
	return c, nil
}

func (c *container) state() string { return filepath.Join(c.folder, "state") }

// command gives the arguments of a command of the runtime's.
func (c *container) command(words ...string) []string {
	return slices.Concat([]string{c.runtime.Path, "--root", c.state()}, c.runtime.Args, words)
}

// remove removes the container if it is still there, and all that belongs to it.
func (c *container) remove() {
	c.kill()
	c.keeper.Stop()
}

// kill has the runtime kill and remove the container.
func (c *container) kill() {
	c.removed.Do(func() {
		if left, err := os.ReadDir(c.state()); err == nil && len(left) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), removeLimit)
		defer cancel()
		args := c.command("delete", "--force", c.id)
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.WaitDelay = time.Second
		_ = cmd.Run() // there may be nothing to remove
	})
}

func (c *container) run(ctx context.Context, o run.Options, plan run.Plan) (report.Results, error) {
	args := c.command("run", "--bundle", c.folder, c.id)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.folder
	var said tail
	ordersOut, orders, err := os.Pipe()
	if err != nil {
		return report.Results{}, err
	}
	told, tellIn, err := os.Pipe()
	if err != nil {
		return report.Results{}, err
	}
	defer orders.Close()
	defer told.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ordersOut, tellIn, &said
	// In a group of its own, so that ^C reaches this process only, which passes it on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	ordersOut.Close()
	tellIn.Close()
	if err != nil {
		return report.Results{}, fmt.Errorf("start %s: %w", c.runtime.Path, err)
	}
	// From here on the keeper removes the container should this process be killed.
	if err := c.keeper.Run(cmd.Process.Pid, c.command("delete", "--force", c.id)...); err != nil {
		return report.Results{}, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		ended <- err
		close(ended)
		// What the container still holds open after the runtime's end, as when that was killed, is not
		// worth waiting for.
		time.Sleep(drainLimit)
		c.kill()
		time.Sleep(drainLimit)
		_ = told.SetReadDeadline(time.Now())
	}()
	hang := func() {
		c.kill()
		_ = cmd.Process.Kill()
		_ = told.SetReadDeadline(time.Now().Add(drainLimit))
	}
	scale := max(o.TimeoutScale, 1)
	found, end, err := target.Follow(ctx, o, plan, target.Line{
		Orders: orders, Told: told, Hang: hang,
		Start: time.Duration(scale * float64(startLimit)), Silence: time.Duration(scale * float64(silence)),
	})
	// It ends now by itself, unless it hangs.
	orders.Close()
	limit := time.AfterFunc(removeLimit, hang)
	status := <-ended
	limit.Stop()
	return found, errors.Join(err, c.explain(end, status, said.String()))
}

// explain says in one line why a run did not come to its end.
func (c *container) explain(end target.End, status error, said string) error {
	how := "with exit code 0"
	if status != nil {
		how = status.Error()
	}
	name := c.runtime.name
	during := ""
	if len(end.Running) > 0 {
		slices.Sort(end.Running)
		during = " while it checked " + strings.Join(end.Running, ", ")
	}
	switch {
	case end.Silent && !end.Began:
		return fmt.Errorf("the container of %s did not begin to run within its limit%s", name, words(said))
	case end.Silent:
		return fmt.Errorf("the container of %s said nothing any more%s, and was killed", name, during)
	case end.Error != "":
		return fmt.Errorf("in the container of %s: %s", name, end.Error)
	case end.Over:
		return nil
	case end.Stubborn:
		return fmt.Errorf("the container of %s went on after the interrupt%s, and was killed", name, during)
	case !end.Began:
		return fmt.Errorf("%s did not run the container (%s)%s", name, how, words(end.Noise+said))
	}
	return fmt.Errorf("the container of %s ended too early%s (%s)%s", name, during, how, words(end.Noise+said))
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if more := t.text.Len() - tailSize; more > 0 {
		t.text.Next(more)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
