package strict

import (
	"slices"
	"testing"
)

func TestNear(t *testing.T) {
	for word, want := range map[string][]string{
		"pipe.7":    {"pipe.7", "pipe.2"},
		"pip.7":     {"pipe.7", "pipe.2"},
		"shmget":    {"shmget.2"},
		"unrelated": nil,
	} {
		if got := Near(word, []string{"pipe.2", "pipe.7", "shmget.2", "semctl.2"}); !slices.Equal(got, want) {
			t.Errorf("Near(%s) = %v, want %v", word, got, want)
		}
	}
	if got := Near("aa", []string{"ab", "ac", "ad", "aa", "ae"}); !slices.Equal(got, []string{"aa", "ab", "ac"}) {
		t.Errorf("the three nearest are %v", got)
	}
}

func TestDistance(t *testing.T) {
	for _, d := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3}} {
		if got := distance(d.a, d.b); got != d.want {
			t.Errorf("distance(%q, %q) = %d, want %d", d.a, d.b, got, d.want)
		}
	}
}
