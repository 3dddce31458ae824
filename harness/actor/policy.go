package actor

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// A container's seccomp policy refuses calls before the kernel under test sees them: what they return
// is the policy's, and says nothing about the kernel, whether a spec expects it or not. So a call that
// fails as policies have calls fail, where there is a policy, is made once more by a process that cannot
// harm: it has a filter of its own, which has the kernel hand just this call to a listener. Among the
// answers of several filters an error comes before that, so that the listener is told of the call if,
// and only if, the policy would have let it pass. The call is never executed.

// filtered says whether the calls of this process, and so of its actors, pass a filter.
var filtered = sync.OnceValue(func() bool {
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && mode == unix.SECCOMP_MODE_FILTER
})

// probing says that the calls being made are those that find out about another one.
var probing bool

// refusals remembers what the policy does to a call.
var refusals = map[string]bool{}

// mindPolicy ends the spec where a call's error is none of the kernel's.
func (c *Call) mindPolicy(errno unix.Errno) {
	switch errno {
	case unix.EPERM, unix.ENOSYS, unix.EACCES:
	default:
		return
	}
	if probing || !filtered() || interposer != nil || c.nr == unix.SYS_FUTEX || c.actor.ended {
		return // an actor needs futexes to be told what to do
	}
	key := fmt.Sprint(c.nr, c.args, errno)
	refused, known := refusals[key]
	if !known {
		refused = refuses(c.nr, c.args, errno)
		refusals[key] = refused
	}
	switch {
	case !refused:
	case c.quiet:
		c.note = "refused by a seccomp policy"
	default:
		stage.Unresolved(fmt.Sprintf("needs %s, which a seccomp policy refuses here with %s: allow it (docker run --security-opt seccomp=unconfined, ipcspec oci --profile privileged)",
			c.name(), ErrnoName(errno)), 3)
	}
}

// refuses says whether a call fails with an error because of a filter that this process has. Where
// that cannot be found out it says no.
func refuses(nr uintptr, args [6]uint64, errno unix.Errno) (refused bool) {
	held := stage
	attempt := &trial{held: held}
	stage, probing = attempt, true
	var probers []*Actor
	defer func() {
		stage, probing = held, false
		dismiss(probers)
		if r := recover(); r != nil && r != attempt {
			panic(r)
		}
	}()
	prober, err := spawn(options{dir: "/"})
	if err != nil {
		return false
	}
	probers = append(probers, prober)
	witness := prober.Thread()
	probers = append(probers, witness)
	// if nr then have the listener notified, else allow
	program := prober.Bytes(encode(
		unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, 0, // seccomp_data.nr
		unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 1, uint32(nr),
		unix.BPF_RET|unix.BPF_K, 0, 0, unix.SECCOMP_RET_USER_NOTIF,
		unix.BPF_RET|unix.BPF_K, 0, 0, unix.SECCOMP_RET_ALLOW,
	))
	fprog := prober.Alloc(16)
	binary.NativeEndian.PutUint16(fprog.view, 4)
	binary.NativeEndian.PutUint64(fprog.view[8:], program.Addr)
	if !prober.setup().call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).ok() {
		return false
	}
	listener := prober.setup().call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, fprog)
	if !listener.ok() {
		return false
	}
	again := prober.setup().Begin().call(nr, args[0], args[1], args[2], args[3], args[4], args[5])
	again.quiet = true
	pollfd := witness.Alloc(8)
	binary.NativeEndian.PutUint32(pollfd.view, uint32(listener.value()))
	binary.NativeEndian.PutUint16(pollfd.view[4:], unix.POLLIN)
	timeout := witness.Bytes(make([]byte, 16))
	binary.NativeEndian.PutUint64(timeout.view[8:], 1e6)
	for range 10000 {
		if again.look() == done {
			return again.result == -int64(errno)
		}
		if again.status != pending || prober.gone() {
			return false
		}
		told := witness.setup().call(unix.SYS_PPOLL, pollfd, 1, timeout, nil, 0)
		if !told.ok() || told.value() > 0 {
			return false
		}
	}
	return false
}

// encode lays out instructions of a filter: code, jt, jf and k of each.
func encode(words ...uint32) []byte {
	var program []byte
	for i := 0; i+3 < len(words); i += 4 {
		program = binary.NativeEndian.AppendUint16(program, uint16(words[i]))
		program = append(program, byte(words[i+1]), byte(words[i+2]))
		program = binary.NativeEndian.AppendUint32(program, words[i+3])
	}
	return program
}

// dismiss ends actors that were no part of the spec and takes them from its troupe.
func dismiss(actors []*Actor) {
	troupe.Lock()
	defer troupe.Unlock()
	for _, a := range actors {
		if a.proc.direct && !a.proc.reaped {
			_ = unix.Kill(a.proc.pid, unix.SIGKILL)
			a.proc.reap()
		}
		a.ended = true
		for i, b := range troupe.actors {
			if a == b {
				troupe.actors = append(troupe.actors[:i:i], troupe.actors[i+1:]...)
				break
			}
		}
	}
}
