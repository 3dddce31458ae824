package actor_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

// underPolicy has the whole process pass a filter that refuses some calls, as a container's does.
func underPolicy(t *testing.T) {
	t.Helper()
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	program := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: equal, Jf: 1, K: unix.SYS_SETHOSTNAME},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: equal, Jf: 1, K: unix.SYS_ACCT},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: equal, Jf: 3, K: unix.SYS_UMOUNT2}, // if its flags are MNT_EXPIRE
		{Code: load, K: 24},
		{Code: equal, Jf: 1, K: unix.MNT_EXPIRE},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread() // whose no_new_privs the others get with the filter
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog))); errno != 0 {
		t.Skipf("seccomp: %v", errno)
	}
}

// TestPolicyIsNotTheKernel runs in a process of its own, which never gets rid of the filter.
func TestPolicyIsNotTheKernel(t *testing.T) {
	const env = "IPCSPEC_TEST_POLICY"
	if os.Getenv(env) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPolicyIsNotTheKernel$", "-test.v")
		cmd.Env = append(os.Environ(), env+"=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		return
	}
	underPolicy(t)
	for _, test := range []struct {
		name    string
		nr      uintptr
		args    []any
		refused bool
	}{
		{"EPERM of the policy", unix.SYS_SETHOSTNAME, []any{Null, 0}, true},
		{"ENOSYS of the policy", unix.SYS_ACCT, []any{Null}, true},
		{"ENOSYS of the kernel", 9999, nil, false},
		{"EPERM of the kernel", unix.SYS_KILL, []any{1, 0}, false},
		{"arguments that the policy refuses", unix.SYS_UMOUNT2, []any{"/nowhere", unix.MNT_EXPIRE}, true},
		{"arguments that it does not", unix.SYS_UMOUNT2, []any{"/nowhere", 0}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			perform(t)
			s := attempt(t, func() {
				a := New(Unprivileged(4242))
				call := a.Raw(test.nr, test.args...)
				Expect(call.OK()).To(BeFalse())
				Expect(New().String()).To(Equal("B"), "who finds out is no part of the spec")
			})
			EndAll()
			if refused := strings.Contains(s.unresolved, "a seccomp policy refuses here"); refused != test.refused {
				t.Errorf("refused: %v, unresolved: %q, failed: %q", refused, s.unresolved, s.failed)
			}
		})
	}
}
