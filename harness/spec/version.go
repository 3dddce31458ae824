package spec

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a kernel version as the manual pages give it: X.Y or X.Y.Z. It is what a clause was
// written against, not what uname(2) reports: releases with suffixes are read elsewhere.
// The zero Version means that none was given.
type Version struct {
	Major, Minor, Patch int
}

// ParseVersion reads "X.Y" or "X.Y.Z", decimal numbers without signs or leading zeros. A missing Z
// is 0. It gives an error for anything else and for 0.0.0, which stands for "none".
func ParseVersion(s string) (Version, error) {
	bad := fmt.Errorf("version %q is not X.Y or X.Y.Z", s)
	parts := strings.Split(s, ".")
	if len(parts) != 2 && len(parts) != 3 {
		return Version{}, bad
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		// The round trip refuses signs and leading zeros, which Atoi accepts.
		if err != nil || strconv.Itoa(n) != part || n < 0 {
			return Version{}, bad
		}
		numbers[i] = n
	}
	v := Version{numbers[0], numbers[1], numbers[2]}
	if v.IsZero() {
		return Version{}, bad
	}
	return v, nil
}

// Compare gives -1, 0 or 1 as v is older than, the same as or newer than w.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Patch, w.Patch),
	)
}

// IsZero says whether no version was given.
func (v Version) IsZero() bool { return v == Version{} }

// String gives X.Y.Z, or X.Y where Z is 0, or "" for the zero Version.
func (v Version) String() string {
	switch {
	case v.IsZero():
		return ""
	case v.Patch == 0:
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// MarshalText gives String, so that a Version is a string in JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText gives, "" included.
func (v *Version) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*v = Version{}
		return nil
	}
	parsed, err := ParseVersion(string(text))
	if err == nil {
		*v = parsed
	}
	return err
}
