package main

import (
	"fmt"

	"github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/spec"

	// The suites register themselves.
	_ "github.com/ipcspec/ipcspec/suites/chardev"
	_ "github.com/ipcspec/ipcspec/suites/events"
	_ "github.com/ipcspec/ipcspec/suites/pipes"
	_ "github.com/ipcspec/ipcspec/suites/signals"
	_ "github.com/ipcspec/ipcspec/suites/sysv"
)

// What the commands are about. They are variables so that tests can set them.
var (
	// loadCatalogue gives the clauses of all suites.
	loadCatalogue = harness.Catalogue
	// checks gives, by clause id, where its specs are.
	checks = harness.Checks
)

// wholeCatalogue gives the clauses of all suites, references between the suites checked.
func wholeCatalogue() (*spec.Catalogue, error) {
	catalogue, err := loadCatalogue()
	if err == nil {
		err = catalogue.CheckReferences()
	}
	if err != nil {
		return nil, fmt.Errorf("the catalogue has faults:\n%w", err)
	}
	return catalogue, nil
}
