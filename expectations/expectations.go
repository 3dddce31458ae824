// Package expectations holds the deviations that are known and explained, for each kind of target,
// so that every program with suites in it knows them. Package expect says how they are written.
package expectations

import "embed"

// Files are the files of expectations.
//
//go:embed *.yaml
var Files embed.FS
