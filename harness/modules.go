package harness

import (
	"os"
	"path/filepath"
)

// ModulesEnv is the variable that names the folder with the kernel modules that specs may load, in files such as
// channel.ko.
const ModulesEnv = "IPCSPEC_MODULES"

// DefaultModules is that folder where the variable is not set: what a virtual machine is given is there.
const DefaultModules = "/modules"

// ModuleFile returns the path of a module's file, which need not be there. In front of the name there may be a number, as
// a virtual machine has it.
func ModuleFile(name string) string {
	folder := os.Getenv(ModulesEnv)
	if folder == "" {
		folder = DefaultModules
	}
	file := filepath.Join(folder, name+".ko")
	if numbered, err := filepath.Glob(filepath.Join(folder, "[0-9]*-"+name+".ko")); err == nil && len(numbered) > 0 {
		return numbered[0]
	}
	return file
}
