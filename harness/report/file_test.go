package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ipcspec/ipcspec/harness/kernel"
)

// schema compiles the published schema, with formats checked.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ResultsSchema()))
	check(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	check(t, c.AddResource("results.schema.json", doc))
	s, err := c.Compile("results.schema.json")
	check(t, err)
	if s.DraftVersion != 2020 {
		t.Fatalf("draft %d", s.DraftVersion)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	check(t, err)
	return s.Validate(v)
}

func TestResultsMatchSchema(t *testing.T) {
	s := schema(t)
	real := sampleResults(t)
	real.Target.Kernel = kernel.Gather()
	interrupted := Fold(sampleLines(t)[:7], sampleClauses, Died("the kernel panicked"))
	for name, r := range map[string]Results{
		"sample":      sampleResults(t),
		"this kernel": real,
		"interrupted": interrupted,
		"nothing":     Fold(sampleLines(t)[:1], nil),
	} {
		text, err := marshal(r, "  ")
		check(t, err)
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// The schema refuses what no results file may hold; otherwise to match it would mean little.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	whole, err := marshal(sampleResults(t), "  ")
	check(t, err)
	for _, change := range [][2]string{
		{`"schema": 1,`, `"schema": 2,`},
		{`"schema": 1,`, ``},
		{`"verdict": "deviates"`, `"verdict": "fails"`},
		{`"verdict": "conforms"`, `"verdict": "untested"`},
		{`"id": "pipe.later"`, `"id": "Pipe Later"`},
		{`"level": "posix"`, `"level": "bsd"`},
		{`"not_run": [],`, `"not_run": null,`},
		{`"interrupted": false,`, `"interrupted": "no",`},
		{`"interrupted": false,`, `"interrupted": false, "extra": 1,`},
		{`"suite": "pipes",`, `"suite": "pipes", "extra": 1,`},
		{`"kind": "local"`, `"kind": "cloud"`},
		{`"cpus": 2`, `"cpus": 0`},
		{`"failing": 2`, `"failing": 0`},
		{`"CAP_CHOWN"`, `"chown"`},
		{`"started": "2026-`, `"started": "26-`},
		{`"fault": "the spec`, `"fault": "the\nspec`},
	} {
		text := bytes.Replace(whole, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(text, whole) {
			t.Errorf("the results do not hold %s", change[0])
			continue
		}
		if validate(t, s, text) == nil {
			t.Errorf("%s may become %s", change[0], change[1])
		}
	}
}

func TestResultsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	want := sampleResults(t)
	check(t, want.WriteResults(path))
	got, err := ReadResults(path)
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	info, err := os.Stat(path)
	check(t, err)
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	if info.Mode().Perm() != 0o666&^fs.FileMode(umask) {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestWriteResultsReplaces(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "results.json"), filepath.Join(dir, "latest.json")
	check(t, os.WriteFile(path, bytes.Repeat([]byte("old"), 1<<20), 0o600))
	check(t, os.Symlink("results.json", link))
	check(t, sampleResults(t).WriteResults(link))
	if _, err := ReadResults(path); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	onlyFiles(t, dir, "latest.json", "results.json")
}

// onlyFiles checks what is in a folder: a write leaves no file of its own behind.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
}

// A write that fails at any step leaves the file there as it was.
func TestWriteResultsFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.json")
	check(t, sampleResults(t).WriteResults(path))
	old, err := os.ReadFile(path)
	check(t, err)

	// What cannot be written as JSON.
	r := sampleResults(t)
	r.Total.Seconds = nan()
	if err := r.WriteResults(path); err == nil || !strings.HasPrefix(err.Error(), "cannot write the results: ") {
		t.Errorf("got %v", err)
	}
	// A disk that is full after some bytes, which a limit on the size of files looks like.
	limit := syscall.Rlimit{}
	check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	small := limit
	small.Cur = 100
	check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
	err = sampleResults(t).WriteResults(path)
	check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v", err)
	}

	now, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(now, old) {
		t.Error("the old results are gone")
	}
	onlyFiles(t, dir, "results.json")

	// A folder stands where the file should go.
	if err := r.WriteResults(dir); err == nil {
		t.Error("replaced a folder")
	}
	check(t, os.Mkdir(filepath.Join(dir, "taken"), 0o700))
	if err := sampleResults(t).WriteResults(filepath.Join(dir, "taken")); err == nil {
		t.Error("replaced a folder")
	}
	onlyFiles(t, dir, "results.json", "taken")
	if err := sampleResults(t).WriteResults(filepath.Join(dir, "missing", "results.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// Renaming over a device or a pipe would put a file in its place.
func TestWriteResultsKeepsSpecialFiles(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(fifo, 0o600))
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	check(t, sampleResults(t).WriteResults(fifo))
	if info, err := os.Lstat(fifo); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the FIFO became %v, %v", info.Mode(), err)
	}
	var r Results
	check(t, json.NewDecoder(f).Decode(&r))
	if r.Total.Clauses != 8 {
		t.Errorf("%+v", r.Total)
	}
	if !system("/dev/stdout") || !system("/proc/self/fd/1") || system("/developers/x") {
		t.Error("wrong about what is the kernel's own")
	}
}

func TestReadResultsErrors(t *testing.T) {
	whole, err := marshal(sampleResults(t), "  ")
	check(t, err)
	swap := func(old, new string) string {
		if !bytes.Contains(whole, []byte(old)) {
			t.Fatalf("the results do not hold %s", old)
		}
		return string(bytes.Replace(whole, []byte(old), []byte(new), 1))
	}
	path := filepath.Join(t.TempDir(), "results.json")
	for _, test := range []struct{ text, want, mend string }{
		{"", "the file is empty", "run ipcspec again"},
		{" \n", "the file is empty", "run ipcspec again"},
		{"hello\n", "line 1: invalid character 'h'", "give the file that ipcspec run wrote"},
		{"{\n\"schema\": 1,\n!}", "line 3: invalid character '!'", "give the file"},
		{"[]", "not a results file", "give the file"},
		{"null", "not a results file", "give the file"},
		{"{}", "not a results file", "give the file"},
		{`{"schema":1}`, "not a results file", "give the file"},
		{`{"schema":"1","tool":"x","clauses":[]}`, "not a results file", "give the file"},
		{string(whole) + "{}", "something follows the results", "give the file"},
		{string(sampleJournal(t)), "something follows the results", "give the file"},
		{swap(`"schema": 1`, `"schema": 2`), "the results have schema 2, this ipcspec reads 1", "use ipcspec v0.1.0, which wrote them, or run again"},
		{swap(`"verdict": "deviates"`, `"verdict": "fails"`), `unknown verdict "fails"`, "changed by hand"},
		{swap(`"verdict": "deviates",`, ``), `clause number 2 ("pipe.write-full-eagain") lacks an id or a verdict`, "changed by hand"},
		{swap(`"seed": 42`, `"seed": "x"`), "options.seed cannot be a string", "changed by hand"},
	} {
		check(t, os.WriteFile(path, []byte(test.text), 0o600))
		_, err := ReadResults(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.mend) {
			t.Errorf("%.40q: got %v, want %s ... %s", test.text, err, test.want, test.mend)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: several lines: %v", test.text, err)
		}
	}
	if _, err := ReadResults(path + "x"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path+"x") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReadResultsTruncatedAnywhere(t *testing.T) {
	whole, err := marshal(sampleResults(t), " ")
	check(t, err)
	whole = bytes.TrimSpace(whole)
	for n := 1; n < len(whole); n++ {
		if _, err := parseResults(whole[:n]); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
	}
	_, err = parseResults(whole[:bytes.Index(whole, []byte("tool"))])
	if want := "it ends in line 3 after 18 bytes"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
