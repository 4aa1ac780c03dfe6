package auth

import (
	"context"
	"time"
)

// Node is a process that serves a realm, as it says of itself.
type Node struct {
	ID       string // another one each time that a process starts
	Name     string // of the machine, and the process on it
	Version  string
	Started  time.Time
	Seen     time.Time // when it said so
	Problems string    // what is wrong, for people; "" when all is well
}

// NodeStore is where nodes say that they are there. Every method returns
// ErrUnavailable (wrapped) when the store can't be reached or is too busy.
type NodeStore interface {
	// ReportNode stores what a node says, in place of what it said before, and
	// removes the nodes that said nothing since before.
	ReportNode(ctx context.Context, n Node, before time.Time) error
	// RemoveNode removes a node that stops.
	RemoveNode(ctx context.Context, id string) error
	// Nodes lists the nodes in the order of their names, at most MaxNodes.
	Nodes(ctx context.Context) ([]Node, error)
}

// MaxNodes is how many nodes are listed.
const MaxNodes = 1000
