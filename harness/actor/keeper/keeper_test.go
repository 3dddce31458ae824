package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start starts a keeper for a mark of this test's own.
func start(t *testing.T) (*Keeper, string) {
	t.Helper()
	mark := fmt.Sprintf("keeper-test-%d-%s", os.Getpid(), t.Name())
	k, err := Start(mark)
	if err != nil {
		t.Fatal(err)
	}
	return k, mark
}

func TestKillsTheMarked(t *testing.T) {
	k, mark := start(t)
	marked := exec.Command("sleep", "1000")
	marked.Args = []string{mark, "1000"}
	other := exec.Command("sleep", "1000")
	for _, cmd := range []*exec.Cmd{marked, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	// The mark is there only once sleep has been executed, which Start has waited for.
	k.Stop()
	if err := marked.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the marked process: %v", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Errorf("a process without the mark is gone: %v", err)
	}
	_ = other.Wait()
}

func TestRemovesTheFolder(t *testing.T) {
	k, _ := start(t)
	folder, err := k.Folder()
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.Folder()
	if err != nil || again != folder {
		t.Errorf("a second folder: %s, %v", again, err)
	}
	locked := filepath.Join(folder, "a", "b")
	if err := os.MkdirAll(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(locked, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(locked), 0); err != nil {
		t.Fatal(err)
	}
	k.Stop()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestFolderWhereEverybodyMayGo(t *testing.T) {
	private := t.TempDir()
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", private)
	k, _ := start(t)
	defer k.Stop()
	folder, err := k.Folder()
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(folder, private) {
		t.Errorf("%s cannot be reached by other users", folder)
	}
}

func TestRestoresFiles(t *testing.T) {
	k, _ := start(t)
	dir := t.TempDir()
	changed, restored := filepath.Join(dir, "changed"), filepath.Join(dir, "restored")
	for _, f := range []string{changed, restored} {
		if err := os.WriteFile(f, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Change(changed, "new"); err != nil {
		t.Fatal(err)
	}
	restore, err := k.Change(restored, "new")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{changed, restored} {
		if text, _ := os.ReadFile(f); string(text) != "new" {
			t.Errorf("%s has not been changed: %q", f, text)
		}
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	// What is restored is the keeper's no more.
	if err := os.WriteFile(restored, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Stop()
	if text, _ := os.ReadFile(changed); string(text) != "old" {
		t.Errorf("%s has not been put back: %q", changed, text)
	}
	if text, _ := os.ReadFile(restored); string(text) != "mine" {
		t.Errorf("%s was put back twice: %q", restored, text)
	}
}

// TestOutlivesItsMaster has a process with a keeper killed.
func TestOutlivesItsMaster(t *testing.T) {
	if os.Getenv("KEEPER_TEST_MASTER") != "" {
		k, _ := start(t)
		folder, err := k.Folder()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("folder", folder)
		select {}
	}
	master := exec.Command("/proc/self/exe", "-test.run", "^TestOutlivesItsMaster$")
	master.Env = append(os.Environ(), "KEEPER_TEST_MASTER=1")
	out, err := master.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	var folder string
	if _, err := fmt.Fscanf(out, "folder %s\n", &folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	if err := master.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = master.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", folder)
		}
	}
}
