package actor_test

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness/actor"
)

// TestDoubt has an actor killed that was ordered to make an object and has not told what became of it.
func TestDoubt(t *testing.T) {
	for name, order := range map[string]struct {
		call  func(a Caller) *Call
		doubt bool
	}{
		"without a key": {func(a Caller) *Call { return a.Msgget(IPC_PRIVATE, 0o600) }, true},
		"with a key":    {func(a Caller) *Call { return a.Semget(Key(7), 1, IPC_CREAT|0o600) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			perform(t)
			a := New()
			pid := a.PID()
			if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
				if err != nil || time.Now().After(deadline) {
					t.Fatal("it does not stop: ", err)
				}
				if strings.Contains(string(stat), ") T ") {
					break
				}
			}
			order.call(a.Begin())
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			a.AwaitGone()
			said := stderr(t, EndAll)
			if got := strings.Contains(said, "may have stayed"); got != order.doubt {
				t.Errorf("it said %q", said)
			}
		})
	}
}

// stderr returns what a function writes to standard error.
func stderr(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(old *os.File) { os.Stderr = old }(os.Stderr)
	os.Stderr = w
	f()
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
