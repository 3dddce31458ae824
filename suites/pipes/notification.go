package pipes

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	. "github.com/ipcspec/ipcspec/harness"
	"github.com/ipcspec/ipcspec/harness/actor"
)

// What the kernel's linux/watch_queue.h defines.
const (
	watchQueueSetSize   = 0x5760 // IOC_WATCH_QUEUE_SET_SIZE
	watchQueueSetFilter = 0x5761 // IOC_WATCH_QUEUE_SET_FILTER

	watchTypeKeyNotify = 1 // WATCH_TYPE_KEY_NOTIFY
	notifyKeyLinked    = 2 // NOTIFY_KEY_LINKED
	notifyKeyUnlinked  = 3 // NOTIFY_KEY_UNLINKED

	keyctlUnlink   = 9  // KEYCTL_UNLINK
	keyctlWatchKey = 32 // KEYCTL_WATCH_KEY

	// The number that the owner gives a watch, by which it tells messages apart.
	watchID = 0x42
)

// watchedKeyring makes a keyring that lives as long as the actor, and watches it by a notification
// pipe.
func watchedKeyring(a *actor.Actor) (r, keyring int) {
	r, _ = a.Pipe(notificationPipe | unix.O_NONBLOCK)
	Must(a.Ioctl(r, watchQueueSetSize, 16))
	keyring = Must(a.Raw(unix.SYS_ADD_KEY, "keyring", "ipcspec", nil, 0, unix.KEY_SPEC_PROCESS_KEYRING))
	Must(a.Raw(unix.SYS_KEYCTL, keyctlWatchKey, keyring, r, watchID))
	return r, keyring
}

// linkKey makes a key in the keyring.
func linkKey(a *actor.Actor, keyring int) int {
	return Must(a.Raw(unix.SYS_ADD_KEY, "user", "ipcspec:key", []byte("secret"), 6, keyring))
}

// expectMessage reads one struct key_notification and checks what it tells.
func expectMessage(a *actor.Actor, r, subtype, keyring, key int) {
	GinkgoHelper()
	message := a.Alloc(128)
	Expect(a.ReadInto(r, message, 128)).To(Return(16))
	Expect(message.Uint32(0)).To(Equal(uint32(watchTypeKeyNotify|subtype<<24)), "type and subtype")
	Expect(message.Uint32(4)&0xffff).To(Equal(uint32(watchID<<8|16)), "length and id of the watch")
	Expect(message.Uint32(8)).To(Equal(uint32(keyring)), "key_id")
	Expect(message.Uint32(12)).To(Equal(uint32(key)), "aux")
}

// expectNotificationPipe judges whether a pipe2 that succeeded made a notification pipe, which has a
// queue of messages, as an ordinary pipe has not.
func expectNotificationPipe(a *actor.Actor, pipe *actor.Call) {
	GinkgoHelper()
	if pipe.OK() {
		r, _ := pipe.FDs()
		Expect(a.Ioctl(r, watchQueueSetSize, 16)).To(Return(0), "IOC_WATCH_QUEUE_SET_SIZE")
	}
}

var _ = Describe("A notification pipe", func() {
	Clause("pipe2.notification-or-enopkg", func() {
		a := actor.New()
		for _, flags := range []int{0, unix.O_CLOEXEC} {
			pipe := a.Pipe2(notificationPipe | flags)
			Expect(pipe).To(Or(Return(0), FailWith(unix.ENOPKG)))
			expectNotificationPipe(a, pipe)
		}
	})

	Clause("pipe2.notification-enopkg-unchanged", func() {
		a := actor.New()
		r, w := nextDescriptors(a)
		pipefd := a.Bytes(untouched)
		pipe := a.Raw(unix.SYS_PIPE2, pipefd, notificationPipe)
		Expect(pipe).To(Or(Return(0), FailWith(unix.ENOPKG)))
		Expect(bytes.Equal(pipefd.Bytes(), untouched)).NotTo(Equal(pipe.OK()), "pipefd is unchanged exactly where pipe2 failed")
		Expect(a.Fcntl(r, unix.F_GETFD, 0).OK()).To(Equal(pipe.OK()), "the first descriptor is open exactly where pipe2 succeeded")
		Expect(a.Fcntl(w, unix.F_GETFD, 0).OK()).To(Equal(pipe.OK()), "the second descriptor is open exactly where pipe2 succeeded")
		if pipe.OK() {
			Expect(a.Ioctl(r, watchQueueSetSize, 16)).To(Return(0), "which an ordinary pipe has not")
		}
	})

	Clause("pipe2.notification-silent-unwatched", func() {
		a := actor.New()
		r, _ := makePipe(a, notificationPipe|unix.O_NONBLOCK)
		Must(a.Ioctl(r, watchQueueSetSize, 16))
		keyring := Must(a.Raw(unix.SYS_ADD_KEY, "keyring", "ipcspec", nil, 0, unix.KEY_SPEC_PROCESS_KEYRING))
		linkKey(a, keyring)
		Expect(a.Read(r, 128)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.notification-message-arrives", func() {
		a := actor.New()
		r, keyring := watchedKeyring(a)
		Expect(a.Read(r, 128)).To(FailWith(unix.EAGAIN))
		key := linkKey(a, keyring)
		expectMessage(a, r, notifyKeyLinked, keyring, key)
		Expect(a.Read(r, 128)).To(FailWith(unix.EAGAIN))
	})

	Clause("pipe2.notification-filter", func() {
		a := actor.New()
		r, keyring := watchedKeyring(a)
		filter := a.Alloc(8 + 44) // one struct watch_notification_type_filter
		filter.PutUint32(0, 1)
		filter.PutUint32(8, watchTypeKeyNotify)
		filter.PutUint32(20, 1<<notifyKeyUnlinked)
		Must(a.Ioctl(r, watchQueueSetFilter, filter))

		key := linkKey(a, keyring)
		Expect(a.Read(r, 128)).To(FailWith(unix.EAGAIN))
		Must(a.Raw(unix.SYS_KEYCTL, keyctlUnlink, key, keyring))
		expectMessage(a, r, notifyKeyUnlinked, keyring, key)
	})
})
