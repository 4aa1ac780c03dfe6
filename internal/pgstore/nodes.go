package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.NodeStore = (*Store)(nil)

const (
	reportNode = `insert into postern_node (id, name, version, started, seen, problems) values ($1, $2, $3, $4, $5, $6)
		on conflict (id) do update set seen = excluded.seen, problems = excluded.problems`
	deleteSilentNodes = `delete from postern_node where seen < $1`
	deleteNode        = `delete from postern_node where id = $1`
	selectNodes       = `select id, name, version, started, seen, problems from postern_node order by name, id limit $1`
)

// ReportNode implements auth.NodeStore.
func (s *Store) ReportNode(ctx context.Context, n auth.Node, before time.Time) error {
	name, problems := s.storable(ctx, n.Name), s.storable(ctx, n.Problems)
	err := s.do(ctx, func(t *tx) error {
		if _, err := t.exec(reportNode, n.ID, name, textOnly(n.Version), micros(n.Started), micros(n.Seen), problems); err != nil {
			return err
		}
		_, err := t.exec(deleteSilentNodes, micros(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("report a node: %w", err)
	}
	return nil
}

// RemoveNode implements auth.NodeStore.
func (s *Store) RemoveNode(ctx context.Context, id string) error {
	err := s.do(ctx, func(t *tx) error {
		_, err := t.exec(deleteNode, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove a node: %w", err)
	}
	return nil
}

// Nodes implements auth.NodeStore.
func (s *Store) Nodes(ctx context.Context) ([]auth.Node, error) {
	var nodes []auth.Node
	err := s.each(ctx, selectNodes, []any{auth.MaxNodes}, func(row pgx.Row) error {
		var n auth.Node
		var id, name, version, problems storedText
		var started, seen storedTime
		err := row.Scan(&id, &name, &version, &started, &seen, &problems)
		o := oddities{table: "postern_node", id: string(id)}
		n.ID, n.Name, n.Version, n.Problems = o.text("id", id), o.text("name", name), o.text("version", version), o.text("problems", problems)
		n.Started, n.Seen = o.time("started", started), o.time("seen", seen)
		s.report(&o)
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	return nodes, nil
}
