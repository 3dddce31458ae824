package spec

import (
	"encoding/json"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]Version{
		"2.6.35": {2, 6, 35},
		"6.5":    {6, 5, 0},
		"6.10":   {6, 10, 0},
		"2.6.0":  {2, 6, 0},
		"0.99.1": {0, 99, 1},
	} {
		if got, err := ParseVersion(text); err != nil || got != want {
			t.Errorf("ParseVersion(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "6", "6.", ".6", "6.1.2.3", "v6.1", "6.1-rc1", "6.01", "+6.1", "-1.2", "6. 1", "6.x", "0.0", "0.0.0", "6.99999999999999999999"} {
		if got, err := ParseVersion(text); err == nil || !got.IsZero() {
			t.Errorf("ParseVersion(%q) = %v, %v; want an error", text, got, err)
		}
	}
}

func TestVersionCompare(t *testing.T) {
	ascending := []Version{{}, {2, 4, 20}, {2, 6, 9}, {2, 6, 35}, {5, 10, 0}, {6, 9, 1}, {6, 10, 0}, {6, 10, 1}}
	for i, v := range ascending {
		for j, w := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", v, w, got, want)
			}
		}
	}
}

func TestVersionText(t *testing.T) {
	for v, want := range map[Version]string{{}: "", {6, 5, 0}: "6.5", {2, 6, 35}: "2.6.35", {6, 10, 0}: "6.10"} {
		if v.String() != want {
			t.Errorf("%#v is %q, want %q", v, v, want)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		back := Version{9, 9, 9}
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s comes back as %v, %v", text, back, err)
		}
	}
	var v Version
	if err := json.Unmarshal([]byte(`"6"`), &v); err == nil {
		t.Error(`"6" is taken for a version`)
	}
}
