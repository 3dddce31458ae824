package signals

// Values of si_code for faults.
const (
	segvMapErr = 1
	segvAccErr = 2
)
