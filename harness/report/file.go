package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

//go:embed results.schema.json
var resultsSchema []byte

// ResultsSchema gives the JSON schema (draft 2020-12) of the results file.
func ResultsSchema() []byte { return bytes.Clone(resultsSchema) }

// WriteResults writes the results file at path. It is complete before it takes the place of the
// one there, so that a write that fails loses nothing.
func (r Results) WriteResults(path string) error {
	text, err := marshal(r, "  ")
	if err != nil {
		return fmt.Errorf("cannot write the results: %w", err)
	}
	if err := replaceFile(path, text); err != nil {
		return fmt.Errorf("cannot write the results: %w", err)
	}
	return nil
}

// replaceFile gives the file at path a new content by renaming a new file over it.
func replaceFile(path string, text []byte) (err error) {
	if info, err := os.Lstat(path); err == nil {
		linked := info.Mode()&os.ModeSymlink != 0
		switch {
		case linked && !system(path):
			if path, err = filepath.EvalSymlinks(path); err != nil {
				return err
			}
		case !info.Mode().IsRegular() && !info.IsDir():
			// A terminal, a pipe, /dev/stdout or /dev/null: to rename over that would destroy it.
			return os.WriteFile(path, text, 0o666)
		}
	}
	// Not os.CreateTemp, whose files nobody else may read.
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%016x", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	// Without this a crash right after the rename could leave an empty file.
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// system says whether a path is one of the kernel's own.
func system(path string) bool {
	full, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(full, "/dev/") || strings.HasPrefix(full, "/proc/"))
}

// ReadResults reads the results file at path. An error says in one line what is wrong with it,
// where, and what to do.
func ReadResults(path string) (Results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Results{}, fmt.Errorf("cannot read the results: %w; ipcspec run writes such a file", err)
	}
	r, err := parseResults(text)
	if err != nil {
		return Results{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func parseResults(text []byte) (Results, error) {
	const alien = "this is not a results file of ipcspec; give the file that ipcspec run wrote"
	if len(bytes.TrimSpace(text)) == 0 {
		return Results{}, errors.New("the file is empty; run ipcspec again, or copy the file again")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var object map[string]json.RawMessage
	if err := d.Decode(&object); err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return Results{}, fmt.Errorf("the file is truncated: it ends in line %d after %d bytes, in the middle of a value; run ipcspec again, or copy the file again",
				lineAt(text, int64(len(text))), len(text))
		case errors.As(err, &syntax):
			return Results{}, fmt.Errorf("line %d: %v: %s", lineAt(text, syntax.Offset), syntax, alien)
		default:
			return Results{}, errors.New(alien)
		}
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		return Results{}, fmt.Errorf("line %d: something follows the results: %s", lineAt(text, d.InputOffset()), alien)
	}
	var version struct {
		Schema *int    `json:"schema"`
		Tool   *string `json:"tool"`
	}
	if json.Unmarshal(text, &version) != nil || version.Schema == nil || version.Tool == nil || object["clauses"] == nil {
		return Results{}, errors.New(alien)
	}
	if *version.Schema != Schema {
		return Results{}, fmt.Errorf("the results have schema %d, this ipcspec reads %d; use ipcspec %s, which wrote them, or run again",
			*version.Schema, Schema, oneLine(*version.Tool))
	}
	var r Results
	if err := json.Unmarshal(text, &r); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return Results{}, fmt.Errorf("line %d: %s cannot be a %s: the file was changed by hand; run ipcspec again",
				lineAt(text, wrong.Offset), wrong.Field, wrong.Value)
		}
		return Results{}, fmt.Errorf("%w: the file was changed by hand; run ipcspec again", err)
	}
	for i, clause := range r.Clauses {
		if clause.ID == "" || !clause.Verdict.Valid() {
			return Results{}, fmt.Errorf("clause number %d (%q) lacks an id or a verdict: the file was changed by hand; run ipcspec again", i+1, clause.ID)
		}
	}
	return r, nil
}

// lineAt gives the number of the line that the byte at offset belongs to.
func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(offset, 1), int64(len(text)))-1], []byte("\n"))
}
