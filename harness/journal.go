package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/onsi/ginkgo/v2"
	"golang.org/x/sys/unix"

	"github.com/ipcspec/ipcspec/harness/actor"
	"github.com/ipcspec/ipcspec/harness/report"
	"github.com/ipcspec/ipcspec/harness/spec"
)

// Settings are what a run was asked for. A test binary takes them from its environment:
//
//	IPCSPEC_OUT            folder for the journal, results and JUnit file of each suite; an
//	                       absolute path (default: none are written)
//	IPCSPEC_TIMEOUT_SCALE  multiplies all time limits (default 1)
//	IPCSPEC_DISPOSABLE     1: the machine may be changed as a whole, as sysctls are
//	IPCSPEC_EXPECT         absolute paths of files of expectations besides those that ipcspec
//	                       brings along, with colons between them; one of them may be none, for
//	                       leaving those out
var Settings = struct {
	Out          string
	TimeoutScale float64
	Disposable   bool
	Expect       []string
}{TimeoutScale: 1}

// settingsProblem is what is wrong with the environment; it is told when specs are run.
var settingsProblem error

func init() {
	Settings.Out = os.Getenv("IPCSPEC_OUT")
	Settings.Disposable = os.Getenv("IPCSPEC_DISPOSABLE") == "1"
	if text := os.Getenv("IPCSPEC_TIMEOUT_SCALE"); text != "" {
		scale, err := strconv.ParseFloat(text, 64)
		if err != nil || scale <= 0 {
			settingsProblem = fmt.Errorf("IPCSPEC_TIMEOUT_SCALE=%q: give a number above 0", text)
			return
		}
		Settings.TimeoutScale = scale
	}
	if Settings.Out != "" && !filepath.IsAbs(Settings.Out) {
		settingsProblem = fmt.Errorf("IPCSPEC_OUT=%q: give an absolute path, since each suite runs in its own folder", Settings.Out)
	}
	if text := os.Getenv("IPCSPEC_EXPECT"); text != "" {
		Settings.Expect = filepath.SplitList(text)
		for _, file := range Settings.Expect {
			if file != expectNone && !filepath.IsAbs(file) {
				settingsProblem = fmt.Errorf("IPCSPEC_EXPECT: %q: give absolute paths, since each suite runs in its own folder, or none", file)
			}
		}
	}
	if text := os.Getenv(workerEnv); text != "" {
		worker = &Worker{}
		if err := worker.read(text); err != nil {
			settingsProblem = fmt.Errorf("%s=%s: %w", workerEnv, text, err)
		}
	}
}

// read takes a worker's part from the descriptor of that number.
func (w *Worker) read(descriptor string) error {
	fd, err := strconv.Atoi(descriptor)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "part")
	if file == nil {
		return errors.New("not a descriptor")
	}
	defer file.Close()
	return json.NewDecoder(io.NewSectionReader(file, 0, 1<<30)).Decode(w)
}

const (
	workerEnv = "IPCSPEC_WORKER"

	// ExitReplace is the exit code of a worker that asks for another one to go on.
	ExitReplace = 75
)

// A Worker is the part that a process plays in a run that another process directs: it runs the
// specs that nobody else has claimed, and keeps journals.
type Worker struct {
	Proc     int        `json:"proc"`
	Journals []int      `json:"journals"` // descriptors
	Claims   int        `json:"claims"`   // descriptor of a shared file with 4 bytes a spec
	Clauses  []string   `json:"clauses"`  // the clauses to be checked
	Run      report.Run `json:"run"`

	LabelFilter  string `json:"label_filter,omitempty"`
	RandomizeAll bool   `json:"randomize_all,omitempty"`
}

var worker *Worker

// Part returns a file that holds the worker's part, and the setting that makes a process that
// inherits it as the given descriptor that worker. An environment could not hold so much.
func (w *Worker) Part(descriptor int) (file *os.File, setting string, err error) {
	text, err := json.Marshal(w)
	if err != nil {
		return nil, "", err
	}
	fd, err := unix.MemfdCreate("ipcspec-part", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", fmt.Errorf("make memory for a worker's part: %w", err)
	}
	file = os.NewFile(uintptr(fd), "part")
	if _, err := file.Write(text); err != nil {
		file.Close()
		return nil, "", fmt.Errorf("write a worker's part: %w", err)
	}
	return file, fmt.Sprintf("%s=%d", workerEnv, descriptor), nil
}

// claims is the shared memory in which workers claim specs: each spec has a word.
var claims = sync.OnceValues(func() ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(worker.Claims, &st); err != nil {
		return nil, err
	}
	return unix.Mmap(worker.Claims, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
})

var chosen = sync.OnceValue(func() map[string]bool {
	ids := map[string]bool{}
	for _, id := range worker.Clauses {
		ids[id] = true
	}
	return ids
})

// claim says whether a spec is this process's to run. Outside a directed run every spec is.
func claim(clause *spec.Clause, sequence int) bool {
	if !InWorker() {
		return true
	}
	if !chosen()[clause.ID] {
		return false
	}
	words, err := claims()
	if err != nil || 4*sequence+4 > len(words) {
		fault(fmt.Sprintf("claim the spec %d: %v", sequence, err))
	}
	return atomic.CompareAndSwapUint32((*uint32)(unsafe.Pointer(&words[4*sequence])), 0, uint32(worker.Proc))
}

// Sequence returns how many specs there are, which is how many claims can be made.
func Sequence() int {
	preview()
	registry.Lock()
	defer registry.Unlock()
	return registry.sequence
}

var journals []*report.Journal

// begin is what the first of several ginkgo processes tells the others.
type begin struct {
	File string `json:"file,omitempty"`
}

// openJournals starts the journal of a test binary's run; it runs in the first process only.
func openJournals() []byte {
	if settingsProblem != nil {
		ginkgo.Fail(settingsProblem.Error())
	}
	if _, err := entries(); !InWorker() && err != nil {
		ginkgo.Fail("the expectations are not in order:\n" + err.Error())
	}
	var b begin
	if !InWorker() && Settings.Out != "" {
		suites := Suites()
		b.File = filepath.Join(Settings.Out, suites[0]+".ndjson")
		err := os.MkdirAll(Settings.Out, 0o777)
		if err == nil {
			err = os.Remove(b.File)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ginkgo.Fail(fmt.Sprintf("IPCSPEC_OUT: cannot start a journal there: %v", err))
		}
	}
	text, err := json.Marshal(b)
	if err != nil {
		ginkgo.Fail(err.Error())
	}
	return text
}

// joinJournals opens the journals in every process.
func joinJournals(text []byte) {
	if InWorker() {
		if worker.Run.Target.Kind == "vm" {
			kernelLog = openKernelLog()
		}
		for _, fd := range worker.Journals {
			unix.CloseOnExec(fd)
			journals = append(journals, report.NewJournal(report.WholeLines(os.NewFile(uintptr(fd), "journal")), worker.Proc))
		}
		keepJournal(func(j *report.Journal) error { return j.Run(worker.Run) })
		return
	}
	var b begin
	if err := json.Unmarshal(text, &b); err != nil {
		ginkgo.Fail(err.Error())
	}
	if b.File == "" {
		return
	}
	j, err := report.OpenJournal(b.File, ginkgo.GinkgoParallelProcess(), false)
	if err != nil {
		ginkgo.Fail(err.Error())
	}
	journals = append(journals, j)
	config, _ := ginkgo.GinkgoConfiguration()
	keepJournal(func(j *report.Journal) error {
		return j.Run(report.Run{
			Tool: Version(), Target: here(),
			Options: report.Options{
				Command: os.Args, Seed: config.RandomSeed, Procs: config.ParallelTotal,
				TimeoutScale: Settings.TimeoutScale, Disposable: Settings.Disposable,
			},
			Expected: expected(),
		})
	})
}

// keepJournal writes a line into each journal. A journal that cannot be written is no reason to
// stop, but it must be known.
func keepJournal(write func(*report.Journal) error) {
	for _, j := range journals {
		if err := write(j); err != nil {
			fmt.Fprintln(os.Stderr, "ipcspec: the journal cannot be written:", err)
		}
	}
}

// leave ends a process's part in a run.
func leave() {
	keepJournal(func(j *report.Journal) error {
		return j.Stop(report.Stop{Interrupted: interrupted.Load()})
	})
	for _, j := range journals {
		j.Close()
	}
	journals = nil
	actor.Leave()
}

// closeJournals makes the results of a test binary's journal; it runs in the first process, when
// all others have ended.
func closeJournals() {
	config, _ := ginkgo.GinkgoConfiguration()
	if InWorker() || Settings.Out == "" || config.DryRun {
		return
	}
	for _, name := range Suites()[:1] {
		base := filepath.Join(Settings.Out, name)
		found, err := FoldJournal(base + ".ndjson")
		if err == nil {
			err = errors.Join(found.WriteResults(base+".json"), WriteJUnit(base+".junit.xml", found))
		}
		if err != nil {
			ginkgo.Fail(err.Error())
		}
	}
}

// FoldJournal makes results of a journal file. It is what a run does in its end, and can be done
// again for a run that was killed.
func FoldJournal(path string) (report.Results, error) {
	file, err := os.Open(path)
	if err != nil {
		return report.Results{}, err
	}
	defer file.Close()
	lines, err := report.ReadJournal(file, path)
	if err != nil {
		return report.Results{}, err
	}
	var ids []string
	for _, l := range lines {
		if l.Run != nil {
			ids = append(ids, l.Run.Selected...)
		}
	}
	clauses, err := ClauseInfos(ids)
	if err != nil {
		return report.Results{}, err
	}
	return report.Fold(lines, clauses), nil
}

// WriteJUnit writes results as a JUnit file.
func WriteJUnit(path string, results report.Results) error {
	var text bytes.Buffer
	if err := report.WriteJUnit(&text, results); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o666)
}

// ClauseInfos returns what a report says of the given clauses, of all where ids is nil.
func ClauseInfos(ids []string) ([]report.ClauseInfo, error) {
	all, err := Catalogue()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var infos []report.ClauseInfo
	for _, c := range all.Clauses() {
		if ids == nil || wanted[c.ID] {
			infos = append(infos, report.ClauseInfo{
				ID: c.ID, Suite: c.Suite, Text: c.Text, Page: spec.PageTitle(c.Page), Cites: c.Cites, Level: string(c.Level),
			})
		}
	}
	return infos, nil
}
