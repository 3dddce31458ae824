package actor

import "golang.org/x/sys/unix"

// The system calls that load and remove kernel modules.

// FinitModule is finit_module(2).
func (c Caller) FinitModule(fd int, params string, flags int) *Call {
	return c.call(unix.SYS_FINIT_MODULE, fd, params, flags)
}

// InitModule is init_module(2) with an image in memory.
func (c Caller) InitModule(image Mem, params string) *Call {
	return c.call(unix.SYS_INIT_MODULE, image, image.Len(), params)
}

// DeleteModule is delete_module(2).
func (c Caller) DeleteModule(name string, flags int) *Call {
	return c.call(unix.SYS_DELETE_MODULE, name, flags)
}
