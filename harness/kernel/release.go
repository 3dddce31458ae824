package kernel

import (
	"cmp"
	"fmt"
	"strings"
)

// Release is the version of a kernel, X.Y.Z, taken from what uname -r prints.
//
// Distributions append to the release whatever they like, and what they append often looks like a
// prerelease of the semantic versioning rules (6.1.0-13-amd64) although it is none, so everything
// after the third number is kept for the reader but never compared. Compare releases by Compare;
// == also compares the text.
type Release struct {
	Major, Minor, Patch int
	// Text is the release as the kernel gave it, or "" for a release made of its numbers.
	Text string
}

// ParseRelease reads a release as uname -r prints it. It needs two numbers; the third is 0 where
// it is missing (5.10, 6.12-rc3).
func ParseRelease(text string) (Release, error) {
	r := Release{Text: text}
	rest := text
	var ok bool
	if r.Major, rest, ok = number(rest); !ok || !strings.HasPrefix(rest, ".") {
		return Release{Text: text}, fmt.Errorf("kernel release %q does not start with X.Y", text)
	}
	if r.Minor, rest, ok = number(rest[1:]); !ok {
		return Release{Text: text}, fmt.Errorf("kernel release %q does not start with X.Y", text)
	}
	if strings.HasPrefix(rest, ".") {
		if n, _, ok := number(rest[1:]); ok {
			r.Patch = n
		}
	}
	return r, nil
}

// number takes the decimal number off the front of s.
func number(s string) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		if n = n*10 + int(s[i]-'0'); n > 1<<20 {
			return 0, s, false
		}
		i++
	}
	return n, s[i:], i > 0
}

// Compare returns a negative number, zero, or a positive one, as r is older than, the same as, or
// newer than other.
func (r Release) Compare(other Release) int {
	return cmp.Or(
		cmp.Compare(r.Major, other.Major),
		cmp.Compare(r.Minor, other.Minor),
		cmp.Compare(r.Patch, other.Patch),
	)
}

// AtLeast says whether r is other or newer.
func (r Release) AtLeast(other Release) bool { return r.Compare(other) >= 0 }

// Numbers gives the release as X.Y.Z, without what a distribution appended.
func (r Release) Numbers() string { return fmt.Sprintf("%d.%d.%d", r.Major, r.Minor, r.Patch) }

// String gives the release as the kernel does, or as X.Y.Z where no kernel gave it.
func (r Release) String() string {
	if r.Text != "" {
		return r.Text
	}
	return r.Numbers()
}

// MarshalText writes what String gives.
func (r Release) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote. A release without a version in it is kept as text,
// with zero numbers: a report on a kernel with an odd name must stay readable.
func (r *Release) UnmarshalText(text []byte) error {
	*r, _ = ParseRelease(string(text))
	return nil
}
