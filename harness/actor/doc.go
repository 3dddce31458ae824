// Package actor makes processes that do nothing but the system calls they are asked for.
//
// An actor is a process (or a thread of one) with no language runtime in it: one thread, default
// dispositions, nothing blocked, a session of its own, and no descriptors. It waits on a futex in
// an arena that it shares with the Go process, makes the system call it finds there, stores the
// result, and waits again. So the Go process, which has many threads and signal handlers of its
// own and cannot fork, never makes a call whose behaviour is being judged: it directs and looks.
//
// Each system call is a method of [Actor] with the kernel's name and gives a [Call]:
//
//	a := actor.New()
//	r, w := a.Pipe(0)
//	write := a.Write(w, []byte("hello"))  // done when it returns
//	read := b.Begin().Read(r, 5)          // perhaps not done yet
//
// The matchers [Return], [ReturnData], [FailWith], [Block], [BeKilledBy] and [Exit] judge calls.
//
// Whatever goes wrong is reported to the [Stage]: a call under test that never returns is a
// deviation, a set-up step that fails is not. All actors end with the spec that made them, and
// with the Go process, however that ends (package keeper). So do the System V objects that actors make
// outside an IPC namespace of their own; [Key] gives keys for them.
package actor
