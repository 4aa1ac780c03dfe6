package pgstore

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-auth/postern/internal/auth"
)

var _ auth.AuditStore = (*Store)(nil)

const (
	insertAudit = `insert into postern_audit
		(at, act, actor_id, actor_name, target_id, target_name, source, address, user_agent, detail)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	selectAudit = `select id, at, act, actor_id, actor_name, target_id, target_name, source, address, user_agent, detail
		from postern_audit where id < $1::bigint`
	countAudit = `select count(*) from (select 1 from postern_audit where act = $1 and at >= $2 and at < $3 limit $4::bigint) e`
	sweepAudit = `delete from postern_audit where id in (
		select id from postern_audit order by id limit $2::bigint) and at < $1`
)

// WriteAudit implements auth.AuditStore.
func (s *Store) WriteAudit(ctx context.Context, entries []auth.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	all := make([]*auth.AuditEntry, len(entries))
	for i := range entries {
		all[i] = s.storableEntry(ctx, &entries[i])
	}
	err := s.do(ctx, func(t *tx) error {
		for _, entry := range all {
			if err := t.insertAudit(entry); err != nil {
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
	_, err := t.exec(insertAudit, micros(e.At), string(e.Act), e.ActorID, textOnly(e.ActorName), e.TargetID, textOnly(e.TargetName),
		e.Source, addressOf(e.Address), textOnly(e.UserAgent), textOnly(e.Detail))
	return err
}

// Audit implements auth.AuditStore.
func (s *Store) Audit(ctx context.Context, f auth.AuditFilter) ([]auth.AuditEntry, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	if !isText(f.User) || !isText(string(f.Act)) || !isText(f.Source) {
		return nil, nil // no entry has what is no text
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
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
		where("address <> '' and address =", addressOf(f.Address))
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
	query += " order by id desc limit $" + strconv.Itoa(len(args)) + "::bigint"
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e auth.AuditEntry, err error) {
		var at storedTime
		var act, actor, target, source, address, agent, detail storedText
		err = row.Scan(&e.ID, &at, &act, &e.ActorID, &actor, &e.TargetID, &target, &source, &address, &agent, &detail)
		o := oddities{table: "postern_audit", id: strconv.FormatInt(e.ID, 10)}
		e.At, e.Act, e.ActorName, e.TargetName = o.time("at", at), auth.Act(o.text("act", act)), o.text("actor_name", actor), o.text("target_name", target)
		e.Source, e.UserAgent, e.Detail = o.text("source", source), o.text("user_agent", agent), o.text("detail", detail)
		e.Address, _ = netip.ParseAddr(string(address)) // "" is the zero address
		s.report(&o)
		return e, err
	})
	if code(err) == codeUnstorable { // no entry has what the database can't store
		return nil, nil
	}
	return entries, classify(err)
}

// CountAudit implements auth.AuditStore.
func (s *Store) CountAudit(ctx context.Context, act auth.Act, from, to time.Time, limit int) (n int, err error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.pool.QueryRow(ctx, countAudit, string(act), micros(from), micros(to), limit).Scan(&n); err != nil {
		return 0, fmt.Errorf("count in the audit log: %w", classify(err))
	}
	return n, nil
}

// SweepAudit implements auth.AuditStore.
func (s *Store) SweepAudit(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := s.do(ctx, func(t *tx) (err error) {
		n, err = t.exec(sweepAudit, micros(before), limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep the audit log: %w", err)
	}
	return int(n), nil
}

func addressOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
