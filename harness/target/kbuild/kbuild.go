// Package kbuild builds kernel modules against the headers of a kernel that is not installed: those in
// Debian packages that were only unpacked, on a machine with another compiler and perhaps an older C
// library than the kernel's tools expect.
package kbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Build builds the module whose sources are in a folder, with a Kbuild file, and returns the path of
// the module. It works on a copy of the sources in the folder work. The headers are a kernel's build folder
// (/lib/modules/VERSION/build), or a folder into which the packages linux-headers-VERSION, its -common and
// linux-kbuild-VERSION were unpacked (dpkg-deb -x). Settings are for make: MUTANT=…, W=1.
func Build(ctx context.Context, source, headers, work string, settings ...string) (string, error) {
	if _, err := os.Stat(filepath.Join(source, "Kbuild")); err != nil {
		return "", fmt.Errorf("%s: this is no folder with the sources of a module: %w", source, err)
	}
	for _, tool := range []string{"make", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("building a module takes %s: install it (Debian: make, gcc)", tool)
		}
	}
	build, err := prepare(headers)
	if err != nil {
		return "", err
	}
	if work, err = filepath.Abs(work); err != nil {
		return "", err
	}
	if err := copySources(source, work); err != nil {
		return "", fmt.Errorf("copy %s: %w", source, err)
	}
	arguments := slices.Concat([]string{"-C", build, "M=" + work}, compiler(build), settings, []string{"modules"})
	make := exec.CommandContext(ctx, "make", arguments...)
	out, err := make.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make %s: %w\n%s", strings.Join(arguments, " "), err, lastLines(out, 20))
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, ": warning: ") || strings.Contains(line, ": error: ") { // of sparse, too
			return "", fmt.Errorf("make %s: warnings are errors here:\n%s", strings.Join(arguments, " "), lastLines(out, 20))
		}
	}
	built, err := filepath.Glob(filepath.Join(work, "*.ko"))
	if err != nil || len(built) != 1 {
		return "", fmt.Errorf("make has built %d modules in %s, and not one", len(built), work)
	}
	return built[0], nil
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// sources are the files that a build needs.
var sources = []string{".c", ".h", ".S"}

func copySources(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || entry.IsDir() {
			return err
		}
		if !slices.Contains(sources, filepath.Ext(name)) && name != "Kbuild" || strings.HasSuffix(name, ".mod.c") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
		return err
	})
}

// prepare finds the build folder, and mends what of unpacked packages expects to be installed.
func prepare(headers string) (string, error) {
	headers, err := filepath.Abs(headers)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(headers, "Module.symvers")); err == nil {
		root, unpacked := strings.CutSuffix(filepath.Dir(headers), "/usr/src")
		if !unpacked || root == "" {
			return headers, nil
		}
		build := headers
		if err := relocate(build, root); err != nil {
			return "", fmt.Errorf("%s: %w", build, err)
		}
		return build, provideTools(root)
	}
	found, _ := filepath.Glob(filepath.Join(headers, "usr/src/linux-headers-*/Module.symvers"))
	if len(found) != 1 {
		return "", fmt.Errorf("%s: no kernel's build folder (with Module.symvers), and none in usr/src: give /lib/modules/VERSION/build, or a folder with the unpacked packages linux-headers-VERSION, linux-headers-…-common and linux-kbuild-…", headers)
	}
	build := filepath.Dir(found[0])
	if err := relocate(build, headers); err != nil {
		return "", fmt.Errorf("%s: %w", build, err)
	}
	return build, provideTools(headers)
}

// relocate has the Makefile of an unpacked package name the others where they are.
func relocate(build, root string) error {
	file := filepath.Join(build, "Makefile")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const installed = "/usr/src/"
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		for _, before := range []string{"include ", "KBUILD_OUTPUT="} {
			if rest, ok := strings.CutPrefix(line, before+installed); ok {
				lines[i] = before + filepath.Join(root, installed, rest)
			}
		}
	}
	if changed := strings.Join(lines, "\n"); changed != string(text) {
		return replace(file, []byte(changed), 0o644)
	}
	return nil
}

// replace replaces a file at once, so that nobody sees a part of it.
func replace(file string, text []byte, mode os.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if e := temporary.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(temporary.Name(), mode)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	return err
}

// HostFolder is the folder in that of unpacked packages with the C library and what else the kernel's tools
// were linked with, or newer: the packages HostPackages, unpacked. It is needed
// where this machine's C library is older.
const HostFolder = "host"

// HostPackages are the packages that have these libraries, by their names in Debian 13.
var HostPackages = []string{"libc6", "libelf1t64", "zlib1g", "libzstd1"}

// fixdep is one of the kernel's tools, by which the others are found.
func fixdep(root string) string {
	tools, _ := filepath.Glob(filepath.Join(root, "usr/lib/linux-kbuild-*/scripts/basic/fixdep"))
	if len(tools) != 1 {
		return ""
	}
	return tools[0]
}

// WantsLibraries says whether the kernel's tools in a folder of unpacked packages want newer libraries than
// this machine has.
func WantsLibraries(root string) bool {
	var words bytes.Buffer
	// fixdep complains of its usage; objtool, which is linked with more, does so too.
	objtools, _ := filepath.Glob(filepath.Join(root, "usr/lib/linux-kbuild-*/tools/objtool/objtool"))
	for _, tool := range append(objtools, fixdep(root)) {
		try := exec.Command(tool)
		try.Env = append(os.Environ(), "SRCARCH=x86") // Debian's objtool is a script that looks at it
		try.Stderr = &words
		_ = try.Run()
	}
	return strings.Contains(words.String(), "GLIBC_")
}

// provideTools has the kernel's tools run on this machine: where they are linked with a newer C library, by
// that one's loader.
func provideTools(root string) error {
	tool := fixdep(root)
	if tool == "" {
		return fmt.Errorf("%s: the package linux-kbuild-… is missing, which has the tools for a build", root)
	}
	if !WantsLibraries(root) {
		return nil
	}
	var loader string
	for _, place := range []string{"usr/lib64", "lib64", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"} {
		path := filepath.Join(root, HostFolder, place, "ld-linux-x86-64.so.2")
		if _, err := os.Stat(path); err == nil { // a link may lead outside
			loader = path
		}
	}
	if loader == "" {
		return fmt.Errorf("the kernel's tools want a newer C library than this machine has: unpack libc6, libelf1, zlib1g and libzstd1 of the kernel's release of Debian into %s", filepath.Join(root, HostFolder))
	}
	kbuild := filepath.Dir(filepath.Dir(filepath.Dir(tool)))
	return filepath.WalkDir(kbuild, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, ".elf") {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&0o111 == 0 {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(text, []byte("\x7fELF")) {
			return err
		}
		if err := replace(path+".elf", text, 0o755); err != nil {
			return err
		}
		libraries := filepath.Join(root, HostFolder, "usr/lib/x86_64-linux-gnu") + ":" + filepath.Join(root, HostFolder, "lib/x86_64-linux-gnu")
		script := fmt.Sprintf("#!/bin/sh\nexec '%s' --library-path '%s' --argv0 \"$0\" '%s.elf' \"$@\"\n", loader, libraries, path)
		return replace(path, []byte(script), 0o755)
	})
}

// compiler returns what make has to be told where this machine's compiler is another one than the kernel's.
func compiler(build string) []string {
	// Type information is for tools that look at the kernel, and takes pahole and a vmlinux to make.
	settings := []string{"CONFIG_DEBUG_INFO_BTF_MODULES="}
	cc := kernelCompiler(build)
	if cc == "" {
		cc = "gcc"
		settings = append(settings, "CC=gcc", "HOSTCC=gcc")
	}
	for option, flag := range map[string]string{"CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT": "-fmin-function-alignment=16"} {
		if exec.Command(cc, flag, "-x", "c", "-c", "-o", os.DevNull, os.DevNull).Run() != nil {
			settings = append(settings, option+"=")
		}
	}
	return settings
}

// kernelCompiler returns the compiler that a Debian kernel was built with, where this machine has it.
func kernelCompiler(build string) string {
	text, err := os.ReadFile(filepath.Join(build, ".kernelvariables"))
	if err != nil {
		return ""
	}
	for _, word := range strings.Fields(string(text)) {
		if i := strings.LastIndex(word, "gcc-"); i >= 0 {
			if path, err := exec.LookPath(word[i:]); err == nil {
				return path
			}
		}
	}
	return ""
}

// ErrNoHeaders says that a folder with sources was given, and no headers to build it against.
var ErrNoHeaders = errors.New("a folder is built against the kernel's headers: bring them with ipcspec kernel fetch --headers, or say with --headers where they are")
