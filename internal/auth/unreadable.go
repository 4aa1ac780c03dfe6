package auth

import (
	"context"
	"log/slog"
)

const (
	// lookedAt is how many users UnreadableUsers looks at, and lookPage how many
	// it reads at once.
	lookedAt, lookPage = 10_000, 500
	// maxUnreadable ends the look early: the kind of fault is known by then.
	maxUnreadable = 20
)

// UserLister is the part of a UserStore that lists.
type UserLister interface {
	Users(ctx context.Context, f UserFilter) ([]User, error)
}

// UnreadableUsers looks at the 10,000 users with the highest ids and returns
// the first 20 of them whose rows can't be read. It returns ErrUnavailable.
func UnreadableUsers(ctx context.Context, store UserLister) ([]User, error) {
	var unreadable []User
	filter := UserFilter{Newest: true, Limit: lookPage}
	for range lookedAt / lookPage {
		page, err := store.Users(ctx, filter)
		if err != nil {
			return unreadable, err
		}
		for i := range page {
			if page[i].Unreadable != 0 {
				unreadable = append(unreadable, page[i])
			}
			if len(unreadable) == maxUnreadable {
				return unreadable, nil
			}
		}
		if len(page) < lookPage {
			break
		}
		filter.After = &page[len(page)-1].ID
	}
	return unreadable, nil
}

// lookForUnreadable has the store warn of users that can't be read: they can't
// log in, and nobody else would say so before they try.
func (r *Realm) lookForUnreadable(ctx context.Context) {
	if _, err := UnreadableUsers(ctx, r.users); err != nil && ctx.Err() == nil {
		r.log.LogAttrs(ctx, slog.LevelWarn, "could not look for unreadable users; each is logged when the user tries to log in", slog.Any("error", err))
	}
}
