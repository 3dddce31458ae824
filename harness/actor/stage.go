package actor

import (
	"sync"
	"time"
)

// A Stage is where actors perform: what a spec's runner does for them.
type Stage interface {
	// Fail reports a deviation. It does not return. The optional skip counts stack frames, as
	// ginkgo.Fail's does.
	Fail(message string, skip ...int)
	// Unresolved reports that the spec cannot be judged, because its set-up failed. It does not
	// return.
	Unresolved(message string, skip ...int)
	// Cleanup registers what is to be done when the spec has ended, in whatever way.
	Cleanup(func())
}

var (
	stage Stage

	// TimeoutScale multiplies every limit; more than 1 for slow (emulated) kernels.
	TimeoutScale = 1.0
)

// SetStage says where actors perform from now on.
func SetStage(s Stage) { stage = s }

// callLimit bounds every wait for an actor. It is far beyond what any call needs that is going to
// return, also on a loaded machine.
const callLimit = 10 * time.Second

func limit() time.Duration { return time.Duration(float64(callLimit) * TimeoutScale) }

// troupe is all that belongs to the running spec.
var troupe struct {
	sync.Mutex
	actors   []*Actor
	arenas   []*arena
	trace    []*Call
	wrong    *Call // the call that a matcher found wrong last
	dropped  int   // calls that the trace no longer holds
	forked   bool  // something may have descendants that are not known as actors
	prepared bool  // EndAll is registered for this spec
	onEnd    []func()
}

// maxTrace bounds the calls kept for the trace; the last ones are what a reader needs.
const maxTrace = 400
