package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ways to run a guest's instructions, and kinds of machines.
const (
	auto = "auto"
	kvm  = "kvm"
	tcg  = "tcg" // translated, in a process as any other

	microvm = "microvm"
	pc      = "pc"
	q35     = "q35"
)

const qemuName = "qemu-system-x86_64"

// findQEMU gives the path of QEMU.
func findQEMU(path string) (string, error) {
	if path == "" {
		path = qemuName
	}
	found, err := exec.LookPath(path)
	switch {
	case err == nil:
		return found, nil
	case path == qemuName:
		return "", fmt.Errorf("%s is not here: install it (Debian: qemu-system-x86, Fedora: qemu-system-x86-core), or give its path with --qemu", qemuName)
	}
	return "", fmt.Errorf("--qemu: %w", err)
}

// commandLine is what QEMU is told for a guest. Descriptor 3 is for the console, 4 the line for
// results, 5 the initramfs.
func (o Options) commandLine(accel, machine string) []string {
	name, cpu := machine, "host"
	if accel == tcg {
		cpu = "max"
	}
	if machine == microvm {
		// Without ACPI there are no more CPUs than one, but with it, and translated, QEMU 7.2 does not
		// come far with most kernels.
		name = "microvm,x-option-roms=off,rtc=on,acpi=off"
	}
	command := []string{
		"ipcspec", "quiet", "console=ttyS0", "rdinit=" + initPath,
		"panic=-1",       // a panic restarts the machine at once, which ends QEMU
		"reboot=t",       // by a triple fault, for which nothing has to work
		"no_timer_check", // on a busy host the timer may come late, and the check would panic
		o.Append,
	}
	return []string{
		"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none",
		"-machine", name, "-accel", accel, "-cpu", cpu,
		"-smp", strconv.Itoa(o.CPUs), "-m", o.Memory,
		"-chardev", "file,id=console,path=/proc/self/fd/3",
		"-chardev", "socket,id=line,fd=4",
		"-kernel", o.image.path, "-initrd", "/proc/self/fd/5", "-append", strings.TrimSpace(strings.Join(command, " ")),
	}
}

// serialPorts are the two, on any machine.
func serialPorts(machine string) []string {
	second := []string{"-device", "isa-serial,chardev=line,iobase=0x2f8,irq=3"}
	if machine == microvm { // which brings the first along
		return append([]string{"-serial", "chardev:console"}, second...)
	}
	return append([]string{"-device", "isa-serial,chardev=console,iobase=0x3f8,irq=4"}, second...)
}

// A vm is a running QEMU.
type vm struct {
	cmd     *exec.Cmd
	console *os.File // what the guest prints, to be read
	line    *os.File // the near end of the line for results
	words   bytes.Buffer
	ended   chan struct{}

	translated bool // and not run by KVM
}

// start starts a virtual machine.
func (o Options) start(accel, machine string, initrd *os.File) (*vm, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the line for results: %w", err)
	}
	far := os.NewFile(uintptr(pair[1]), "line")
	defer far.Close()
	// Without blocking, so that closing it ends a read.
	_ = unix.SetNonblock(pair[0], true)
	v := &vm{line: os.NewFile(uintptr(pair[0]), "line"), ended: make(chan struct{}), translated: accel == tcg}
	var printed *os.File
	if v.console, printed, err = os.Pipe(); err != nil {
		return nil, err
	}
	defer printed.Close()
	v.cmd = exec.Command(o.QEMU, append(o.commandLine(accel, machine), serialPorts(machine)...)...)
	v.cmd.ExtraFiles = []*os.File{printed, far, initrd}
	v.cmd.Stderr = &v.words
	v.cmd.WaitDelay = time.Second
	// In a group of its own, so that ^C reaches ipcspec only, and gone when ipcspec is.
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	started := make(chan error)
	go func() {
		// The signal comes when the thread that forked ends, so that one has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := v.cmd.Start()
		started <- err
		if err == nil {
			_ = v.cmd.Wait()
			close(v.ended)
		}
	}()
	if err := <-started; err != nil {
		v.line.Close()
		v.console.Close()
		return nil, fmt.Errorf("start QEMU: %w", err)
	}
	return v, nil
}

// kill ends the virtual machine at once.
func (v *vm) kill() {
	_ = v.cmd.Process.Kill()
	<-v.ended
}

// how says how QEMU ended, where that was not as it should be.
func (v *vm) how() string {
	state := v.cmd.ProcessState
	status, ok := state.Sys().(syscall.WaitStatus)
	switch words := oneLine(v.words.String()); {
	case ok && status.Signaled():
		return fmt.Sprintf("QEMU was killed (%v)", status.Signal())
	case !state.Success():
		return strings.TrimSpace(fmt.Sprintf("QEMU failed (%v): %s", state, words))
	}
	return ""
}

// probeBIOS is a machine's firmware that writes a byte to a port which ends QEMU with an exit code
// that nothing else gives. It stands where an x86 CPU begins.
func probeBIOS() []byte {
	bios := make([]byte, 64<<10)
	copy(bios[len(bios)-16:], []byte{
		0xb0, 0x2a, // mov al, 42
		0xe6, 0xf4, // out 0xf4, al
		0xf4,       // hlt
		0xeb, 0xfd, // jmp back to it
	})
	return bios
}

// probeExit is the exit code: twice the byte, and one more.
const probeExit = 2*42 + 1

// probeLimit is how long the probe of KVM may take.
const probeLimit = 5 * time.Second

// kvmRuns finds out whether a guest really runs on KVM. That the device can be opened says little,
// as where virtualisation is not passed on to a virtual machine that ipcspec runs in.
func kvmRuns(ctx context.Context, qemu string) error {
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	device.Close()
	fd, err := unix.MemfdCreate("ipcspec-bios", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	bios := os.NewFile(uintptr(fd), "bios")
	defer bios.Close()
	if _, err := bios.Write(probeBIOS()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, qemu, "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none",
		"-machine", pc, "-accel", kvm, "-cpu", "host", "-m", "16M", "-bios", "/proc/self/fd/3",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=1")
	cmd.ExtraFiles = []*os.File{bios}
	cmd.Stderr = &words
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == probeExit:
		return nil
	case ctx.Err() != nil:
		return errors.New("a guest was started, and does not run")
	}
	return fmt.Errorf("no guest can be started: %s", oneLine(words.String()))
}

// accelerator decides between KVM and translation.
func (o Options) accelerator(ctx context.Context) (string, error) {
	switch o.Accel {
	case tcg:
		return tcg, nil
	case auto, kvm:
		err := kvmRuns(ctx, o.QEMU)
		if err == nil {
			return kvm, nil
		}
		if o.Accel == auto {
			return tcg, nil
		}
		return "", fmt.Errorf("--accel kvm: %w: give auto or tcg", err)
	}
	return "", fmt.Errorf("--accel %s: give auto, kvm or tcg", o.Accel)
}

// machines are those to try, one after the other.
func (o Options) machines() ([]string, error) {
	switch {
	case o.Machine == auto && o.CPUs == 1:
		return []string{microvm, pc}, nil
	case o.Machine == auto:
		return []string{pc}, nil
	case o.Machine == microvm && o.CPUs > 1:
		return nil, errors.New("--machine microvm has one CPU: give --cpus 1 too")
	case slices.Contains([]string{microvm, pc, q35}, o.Machine):
		return []string{o.Machine}, nil
	}
	return nil, fmt.Errorf("--machine %s: give auto, microvm, pc or q35", o.Machine)
}
