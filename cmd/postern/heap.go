package main

import "runtime"

// heapFloor is a piece of memory, in bytes, that is held and never touched, so
// that no page of it exists: for the garbage collector the heap is that much larger. It
// collects when the heap has doubled, and a server that remembers little has a
// small heap, which the garbage of requests doubles many times a second. With the floor
// it collects a few times less often, for at most so much more memory. For a memory limit
// the floor counts, too, so limitMemory adds it.
const heapFloor = 20 << 20

// holdHeapFloor takes the floor until release is called.
func holdHeapFloor() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
