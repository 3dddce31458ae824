package exercise

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// soakEnv says how long the soak takes: 10m. Who says so wants one, and the devices have to be there.
const soakEnv = "IPCSPEC_SOAK"

var devices = [2]string{"/dev/channel0", "/dev/channel1"}

func needsDevices(t testing.TB) {
	for _, path := range devices {
		_, err := os.Stat(path)
		switch {
		case err != nil && os.Getenv(soakEnv) != "":
			t.Fatalf("%v: load the module modules/channel first", err)
		case err != nil:
			t.Skipf("%v: load the module modules/channel first", err)
		}
	}
}

func TestSoak(t *testing.T) {
	needsDevices(t)
	duration, err := time.ParseDuration(cmp.Or(os.Getenv(soakEnv), "1s"))
	if err != nil {
		t.Fatalf("%s: %v", soakEnv, err)
	}
	counts, err := Soak(devices, duration)
	t.Log(counts)
	if err != nil {
		t.Error(err)
	}
}

// What the soak looks for, it finds where it is there.
func TestMessagesAreChecked(t *testing.T) {
	m := message(5, rand.New(rand.NewPCG(1, 2)))
	if number, err := parse(m); number != 5 || err != nil {
		t.Errorf("message 5 is %d, %v", number, err)
	}
	for _, at := range []int{0, 5, 12, len(m) - 1} {
		m[at] ^= 0x40
		if _, err := parse(m); err == nil {
			t.Errorf("nobody notices that byte %d is another", at)
		}
		m[at] ^= 0x40
	}
	if _, err := parse(m[:len(m)-1]); err == nil {
		t.Error("nobody notices that the last byte is missing")
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, bytes := range []int{16, 4096} {
		for _, link := range []struct {
			name string
			make func() (Link, error)
		}{
			{"channel", func() (Link, error) { return Channels(devices[0], devices[1]) }},
			{"pipe", Pipes},
			{"socket", Sockets},
		} {
			b.Run(fmt.Sprintf("%s/%d", link.name, bytes), func(b *testing.B) {
				if link.name == "channel" {
					needsDevices(b)
				}
				l, err := link.make()
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				if err := l.RoundTrips(1, bytes); err != nil { // takes what was left in a channel
					b.Fatal(err)
				}
				b.ResetTimer()
				if err := l.RoundTrips(b.N, bytes); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
