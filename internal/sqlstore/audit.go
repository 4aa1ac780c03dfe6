package sqlstore

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.AuditStore = (*Store)(nil)

const (
	insertAudit = `insert into postern_audit
		(at, act, actor_id, actor_name, target_id, target_name, source, address, user_agent, detail)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	selectAudit = `select id, at, act, actor_id, actor_name, target_id, target_name, source, address, user_agent, detail
		from postern_audit where id < $1`
	countAudit = `select count(*) from (select 1 from postern_audit where act = $1 and at >= $2 and at < $3 limit $4)`
	sweepAudit = `delete from postern_audit where id in (
		select id from postern_audit order by id limit $2) and at < $1`
)

var auditNames = []string{"id", "at", "act", "actor_id", "actor_name", "target_id", "target_name", "source", "address", "user_agent", "detail"}

// WriteAudit implements auth.AuditStore.
func (s *Store) WriteAudit(ctx context.Context, entries []auth.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	err := s.write.do(ctx, func(t *tx) error {
		for i := range entries {
			if err := t.insertAudit(&entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (t *tx) insertAudit(e *auth.AuditEntry) error {
	_, err := t.exec(insertAudit, micros(e.At), string(e.Act), e.ActorID, e.ActorName, e.TargetID, e.TargetName,
		e.Source, addressText(e.Address), e.UserAgent, e.Detail)
	return err
}

// Audit implements auth.AuditStore.
func (s *Store) Audit(ctx context.Context, f auth.AuditFilter) ([]auth.AuditEntry, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	if f.User == "" {
		entries, err := s.selectAudit(ctx, &f, "")
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		return entries, nil
	}
	// Each of the two has an index of its own.
	var all []auth.AuditEntry
	for _, column := range []string{"actor_name", "target_name"} {
		entries, err := s.selectAudit(ctx, &f, column)
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		all = append(all, entries...)
	}
	slices.SortFunc(all, func(a, b auth.AuditEntry) int { return int(b.ID - a.ID) })
	all = slices.CompactFunc(all, func(a, b auth.AuditEntry) bool { return a.ID == b.ID })
	return all[:min(len(all), f.Limit)], nil
}

// selectAudit lists entries; userColumn is where the filter's user is looked for.
func (s *Store) selectAudit(ctx context.Context, f *auth.AuditFilter, userColumn string) ([]auth.AuditEntry, error) {
	before := f.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	query, args := selectAudit, []any{before}
	where := func(condition string, value any) {
		args = append(args, value)
		query += " and " + condition + " $" + strconv.Itoa(len(args))
	}
	if userColumn != "" {
		where(userColumn+" <> '' and "+userColumn+" =", f.User)
	}
	if f.Act != "" {
		where("act =", string(f.Act))
	}
	if f.UserID != 0 {
		where("target_id <> 0 and act not like 'group%' and target_id =", f.UserID)
	}
	if f.GroupID != 0 {
		where("target_id <> 0 and act like 'group%' and target_id =", f.GroupID)
	}
	if f.Address.IsValid() {
		where("address <> '' and address =", addressText(f.Address))
	}
	if f.Source != "" {
		where("source =", f.Source)
	}
	if !f.From.IsZero() {
		where("at >=", micros(f.From))
	}
	if !f.To.IsZero() {
		where("at <", micros(f.To))
	}
	args = append(args, f.Limit)
	query += " order by id desc limit $" + strconv.Itoa(len(args))
	var entries []auth.AuditEntry
	err := s.lists.each(ctx, query, args, func(row scanner) error {
		r, err := scanRow(row, len(auditNames))
		if err != nil {
			return err
		}
		e := auth.AuditEntry{
			ID: r.int(0), At: r.micros(1), Act: auth.Act(r.text(2)), ActorID: r.int(3), ActorName: r.text(4), TargetID: r.int(5), TargetName: r.text(6),
			Source: r.text(7), UserAgent: r.text(9), Detail: r.text(10),
		}
		e.Address, _ = netip.ParseAddr(r.text(8)) // "" is the zero address
		s.report(r, "postern_audit", strconv.FormatInt(e.ID, 10), auditNames...)
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// CountAudit implements auth.AuditStore.
func (s *Store) CountAudit(ctx context.Context, act auth.Act, from, to time.Time, limit int) (n int, err error) {
	err = s.lists.each(ctx, countAudit, []any{string(act), micros(from), micros(to), limit}, func(row scanner) error { return row.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count in the audit log: %w", err)
	}
	return n, nil
}

// SweepAudit implements auth.AuditStore.
func (s *Store) SweepAudit(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.write.do(ctx, func(t *tx) (err error) {
		n, err = t.exec(sweepAudit, micros(before), limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep the audit log: %w", err)
	}
	return int(n), nil
}
