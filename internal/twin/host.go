package twin

// Host is a Node process with TypeScript replicas.
type Host struct{}

func newHostDevice(*Host, uint64, int, bool) device { return nil }
