package harness

import (
	"testing"

	"github.com/onsi/ginkgo/v2"
)

// RunSuite runs the specs of a suite's package as a Go test; it is all that a suite's test file
// does. It fails, whatever specs were selected, when specs and catalogue do not fit each other.
func RunSuite(t *testing.T, name string) {
	if settingsProblem != nil {
		t.Fatal(settingsProblem)
	}
	if _, err := Catalogue(); err != nil {
		t.Fatalf("the catalogue is not in order:\n%v", err)
	}
	ginkgo.RunSpecs(t, name)
	for _, problem := range append(registry.problems, unused()...) {
		t.Error(problem)
	}
}
