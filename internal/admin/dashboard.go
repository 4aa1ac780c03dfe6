package admin

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// overview is what the first page shows.
type overview struct {
	Sessions     auth.Count
	CountedLive  bool // this home of sessions can count them
	Nodes        []Node
	Weaknesses   []string
	Hours        *chart // nil for who may not see the audit log
	Logins       int
	Failures     int
	MoreLogins   bool
	MoreFailures bool
	Recent       []auditRow
}

func (a *Admin) dashboard(v *visit) error {
	ctx := v.Request.Context()
	o := &overview{CountedLive: true}
	var err error
	if o.Nodes, err = a.Nodes(ctx); err != nil {
		return err
	}
	if o.Sessions, err = v.steward.CountSessions(ctx); errors.Is(err, auth.ErrNotListed) {
		o.CountedLive = false
	} else if err != nil {
		return err
	}
	if v.steward.IsSuperuser() && a.Weaknesses != nil {
		o.Weaknesses = a.Weaknesses()
	}
	if v.steward.Can("admin.view_logentry") {
		if err := a.addActivity(ctx, v, o); err != nil {
			return err
		}
	}
	return a.show(v, http.StatusOK, "dashboard", "Overview", o)
}

func (a *Admin) addActivity(ctx context.Context, v *visit, o *overview) error {
	hours, err := a.activity.hours(ctx, a.Realm, a.Now())
	if err != nil {
		return err
	}
	for _, h := range hours {
		o.Logins += h.Logins
		o.Failures += h.Failures
		o.MoreLogins = o.MoreLogins || h.Logins == maxHourly
		o.MoreFailures = o.MoreFailures || h.Failures == maxHourly
	}
	o.Hours = draw(hours)
	recent, err := v.steward.Audit(ctx, auth.AuditFilter{Limit: 10})
	o.Recent = auditRows(recent)
	return err
}

const (
	// shownHours is how many hours the chart goes back.
	shownHours = 24
	// maxHourly is how far the entries of an hour are counted.
	maxHourly = 10_000
	// activityAge is for how long a count is shown again: the page costs the
	// database the same, however many look at it.
	activityAge = 20 * time.Second
)

// hour is what happened in an hour.
type hour struct {
	Begin            time.Time
	Logins, Failures int
}

// activity remembers the counts of the last hours.
type activity struct {
	mu     sync.Mutex
	read   time.Time
	counts []hour
}

func (c *activity) hours(ctx context.Context, realm *auth.Realm, now time.Time) ([]hour, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.read); c.counts != nil && age >= 0 && age < activityAge {
		return c.counts, nil
	}
	begin := now.UTC().Truncate(time.Hour).Add(-(shownHours - 1) * time.Hour)
	counts := make([]hour, shownHours)
	for i := range counts {
		h := &counts[i]
		h.Begin = begin.Add(time.Duration(i) * time.Hour)
		if i < len(counts)-1 { // an hour that is over does not change
			if past, ok := c.known(h.Begin, now); ok {
				*h = past
				continue
			}
		}
		var err error
		if h.Logins, err = realm.CountAudit(ctx, auth.ActLogin, h.Begin, h.Begin.Add(time.Hour), maxHourly); err != nil {
			return nil, err
		}
		if h.Failures, err = realm.CountAudit(ctx, auth.ActLoginFailed, h.Begin, h.Begin.Add(time.Hour), maxHourly); err != nil {
			return nil, err
		}
	}
	c.counts, c.read = counts, now
	return counts, nil
}

// known is the count of an hour that was over for long enough when it was
// counted: failures are written a moment late.
func (c *activity) known(begin, now time.Time) (hour, bool) {
	if c.read.Before(begin.Add(time.Hour + time.Minute)) {
		return hour{}, false
	}
	for _, h := range c.counts {
		if h.Begin.Equal(begin) && !now.Before(c.read) {
			return h, true
		}
	}
	return hour{}, false
}
