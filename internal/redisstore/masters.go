package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/valkey-io/valkey-go"
)

// slotCount is how many slots the masters of a Cluster own together.
const slotCount = 16384

// masters returns the servers that take writes, by address. Each says itself
// that it is one.
func (s *Store) masters(ctx context.Context) (map[string]valkey.Client, error) {
	masters := make(map[string]valkey.Client)
	var failed error
	for address, node := range s.client.Nodes() {
		isMaster, err := roleOf(ctx, node)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", address, classify(err)))
			continue
		}
		if isMaster {
			masters[address] = node
		}
	}
	if len(masters) == 0 {
		return nil, failed
	}
	return masters, nil
}

// roleOf reports whether a server is a master.
func roleOf(ctx context.Context, node valkey.Client) (bool, error) {
	return readRole(node.Do(ctx, node.B().Role().Build()))
}

func readRole(result valkey.ValkeyResult) (bool, error) {
	role, err := result.ToArray()
	if err != nil {
		return false, err
	}
	if len(role) == 0 {
		return false, errors.New("a role that can't be read")
	}
	name, err := role[0].ToString()
	return name == "master", err
}

// countSlots reads of CLUSTER SLOTS how many slots the node of that id owns.
// Each entry has the first slot, the last, and the nodes, the owner first: its
// address, port and id.
func countSlots(result valkey.ValkeyResult, id string) (int, error) {
	entries, err := result.ToArray()
	if err != nil {
		return 0, err
	}
	owned := 0
	for i := range entries {
		entry, err := entries[i].ToArray()
		if err != nil {
			return 0, err
		}
		if len(entry) < 3 {
			return 0, errors.New("slots that can't be read")
		}
		first, err1 := entry[0].AsInt64()
		last, err2 := entry[1].AsInt64()
		owner, err3 := entry[2].ToArray()
		if err := errors.Join(err1, err2, err3); err != nil {
			return 0, err
		}
		if len(owner) < 3 {
			return 0, errors.New("slots that can't be read")
		}
		if name, err := owner[2].ToString(); err != nil {
			return 0, err
		} else if name == id {
			owned += int(last - first + 1)
		}
	}
	return owned, nil
}
