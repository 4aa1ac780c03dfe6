package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"
)

// Condition is how a master is set up.
type Condition struct {
	Address  string
	Eviction string // its maxmemory-policy
	Logs     bool   // it has an append-only file
	Replicas int    // that follow it now
}

// Inspect opens the servers as Open does, with its errors, asks each master
// how it is set up, in the order of their addresses, and closes them. It
// changes nothing.
func Inspect(ctx context.Context, url string, o Options) (_ []Condition, err error) {
	o.Heartbeat = nil
	s, err := Open(ctx, url, nil, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	masters, err := s.masters(ctx)
	if err != nil {
		return nil, explain(s.name, err)
	}
	var conditions []Condition
	for address, node := range masters {
		condition, err := inspect(ctx, address, node)
		if err != nil {
			return nil, explain(s.name, fmt.Errorf("%s: %w", address, err))
		}
		conditions = append(conditions, condition)
	}
	slices.SortFunc(conditions, func(a, b Condition) int { return strings.Compare(a.Address, b.Address) })
	return conditions, nil
}

func inspect(ctx context.Context, address string, node valkey.Client) (Condition, error) {
	text, err := node.Do(ctx, node.B().Info().Section("memory", "persistence", "replication").Build()).ToString()
	if err != nil {
		return Condition{}, err
	}
	c := Condition{Address: address}
	for line := range strings.SplitSeq(text, "\r\n") {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "maxmemory_policy":
			c.Eviction = value
		case "aof_enabled":
			c.Logs = value == "1"
		case "connected_slaves":
			c.Replicas, err = strconv.Atoi(value)
		}
	}
	return c, err
}
