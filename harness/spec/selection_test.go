package spec

import (
	"testing"
)

func TestSelect(t *testing.T) {
	c := loadTwoSuites(t)
	for name, s := range map[string]struct {
		filter    Filter
		ids, fail string
	}{
		"all":                {Filter{}, "pipe.b pipe.a pipe.c write.full-eagain msg.removed-eidrm", ""},
		"a suite":            {Filter{Suites: []string{"sysv"}}, "msg.removed-eidrm", ""},
		"two suites":         {Filter{Suites: []string{"sysv", "pipes"}}, "pipe.b pipe.a pipe.c write.full-eagain msg.removed-eidrm", ""},
		"an id":              {Filter{IDs: []string{"pipe.a"}}, "pipe.a", ""},
		"a glob":             {Filter{IDs: []string{"pipe.*"}}, "pipe.b pipe.a pipe.c", ""},
		"a glob over dots":   {Filter{IDs: []string{"*e*"}}, "pipe.b pipe.a pipe.c write.full-eagain msg.removed-eidrm", ""},
		"a class":            {Filter{IDs: []string{"pipe.[ac]"}}, "pipe.a pipe.c", ""},
		"globs that overlap": {Filter{IDs: []string{"*.a", "pipe.?"}}, "pipe.b pipe.a pipe.c", ""},
		"suite and glob":     {Filter{Suites: []string{"pipes"}, IDs: []string{"*-e*"}}, "write.full-eagain", ""},
		"a part is no match": {Filter{IDs: []string{"pipe"}}, "", `no clause matches "pipe": did you mean pipe.a or pipe.b or pipe.c?`},
		"unknown suite":      {Filter{Suites: []string{"pipes", "pipe"}}, "", `no suite "pipe" in the catalogue: suites are pipes, sysv`},
		"bad glob":           {Filter{IDs: []string{"pipe.["}}, "", `clause glob "pipe.[": syntax error in pattern`},
		"one glob for none":  {Filter{IDs: []string{"pipe.*", "shm.*"}}, "", `no clause matches "shm.*"`},
		"nothing in common":  {Filter{Suites: []string{"sysv"}, IDs: []string{"pipe.*"}}, "", "no clause selected"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Select(s.filter)
			fail := ""
			if err != nil {
				fail = err.Error()
			}
			if ids(got) != s.ids || fail != s.fail {
				t.Errorf("selects %q, %q; want %q, %q", ids(got), fail, s.ids, s.fail)
			}
		})
	}
	if _, err := newCatalogue(testIndex(t)).Select(Filter{}); err == nil {
		t.Error("selecting from an empty catalogue is no error")
	}
	if _, err := newCatalogue(testIndex(t)).Select(Filter{Suites: []string{"x"}}); err == nil || err.Error() != `no suite "x" in the catalogue: it has no suites` {
		t.Errorf("the error is %v", err)
	}
}

func TestFind(t *testing.T) {
	c := loadTwoSuites(t)
	if clause, err := c.Find("pipe.a"); err != nil || clause.ID != "pipe.a" {
		t.Errorf("Find gives %v, %v", clause, err)
	}
	for id, want := range map[string]string{
		"write.full-eagian": `no clause "write.full-eagian": did you mean write.full-eagain?`,
		"full-eagain":       `no clause "full-eagain": did you mean write.full-eagain?`,
		"zzz.zzz":           `no clause "zzz.zzz"`,
		"":                  `no clause ""`,
	} {
		if _, err := c.Find(id); err == nil || err.Error() != want {
			t.Errorf("Find(%q) says %v, want %s", id, err, want)
		}
	}
}
