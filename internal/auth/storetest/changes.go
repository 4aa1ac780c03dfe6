package storetest

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

func superuser(u *auth.User) { u.IsSuperuser = true }

func inactiveSuperuser(u *auth.User) { u.IsSuperuser, u.IsActive = true, false }

var changes = []contract{
	{"an update changes what it names and nothing else", func(t *testing.T, h *home) {
		other := h.stored(t, "other", nil)
		u := h.stored(t, "changed", func(u *auth.User) {
			u.FirstName, u.LastName, u.IsStaff, u.LastLogin = "F", "L", true, epoch.Add(time.Hour)
		})
		for _, c := range []auth.UserChange{
			{Password: ptr("encoded$new")},
			{IsActive: ptr(false)},
			{IsActive: ptr(true), Password: ptr("encoded$newer")},
			{IsActive: ptr(true)},
			{},
			{Password: ptr("")},
		} {
			if err := h.Users.UpdateUser(t.Context(), u.ID, c); err != nil {
				t.Fatalf("UpdateUser: %v", err)
			}
			if c.Password != nil {
				u.Password = *c.Password
			}
			if c.IsActive != nil {
				u.IsActive = *c.IsActive
			}
			same(t, h.mustGet(t, u.ID), u)
		}
		same(t, h.mustGet(t, other.ID), other)
	}},
	{"updating and deleting nobody is no user", func(t *testing.T, h *home) {
		u := h.stored(t, "only", superuser)
		missing := u.ID + 1
		for _, c := range []auth.UserChange{{}, {Password: ptr("x")}, {IsActive: ptr(false)}, {IsActive: ptr(true)}} {
			wantError(t, "UpdateUser", h.Users.UpdateUser(t.Context(), missing, c), auth.ErrNoUser)
		}
		wantError(t, "DeleteUser", h.Users.DeleteUser(t.Context(), missing), auth.ErrNoUser)
		same(t, h.mustGet(t, u.ID), u)
	}},
	{"the last active superuser stays active", func(t *testing.T, h *home) {
		h.stored(t, "plain", nil)
		h.stored(t, "inactive", inactiveSuperuser)
		h.stored(t, "staff", func(u *auth.User) { u.IsStaff = true })
		last := h.stored(t, "last", superuser)
		err := h.Users.UpdateUser(t.Context(), last.ID, auth.UserChange{Password: ptr("encoded$new"), IsActive: ptr(false)})
		wantError(t, "UpdateUser", err, auth.ErrLastSuperuser)
		same(t, h.mustGet(t, last.ID), last)
	}},
	{"the last active superuser is not deleted", func(t *testing.T, h *home) {
		h.stored(t, "plain", nil)
		h.stored(t, "inactive", inactiveSuperuser)
		last := h.stored(t, "last", superuser)
		s := h.started(t, last.ID, nil)
		wantError(t, "DeleteUser", h.Users.DeleteUser(t.Context(), last.ID), auth.ErrLastSuperuser)
		same(t, h.mustGet(t, last.ID), last)
		h.mustHave(t, s)
	}},
	{"the last active superuser may get another password", func(t *testing.T, h *home) {
		last := h.stored(t, "last", superuser)
		for _, c := range []auth.UserChange{{Password: ptr("encoded$new")}, {IsActive: ptr(true)}} {
			if err := h.Users.UpdateUser(t.Context(), last.ID, c); err != nil {
				t.Errorf("UpdateUser: %v", err)
			}
		}
	}},
	{"a superuser may go while another one is active", func(t *testing.T, h *home) {
		first, second, third := h.stored(t, "first", superuser), h.stored(t, "second", superuser), h.stored(t, "third", superuser)
		if err := h.Users.DeleteUser(t.Context(), first.ID); err != nil {
			t.Errorf("DeleteUser: %v", err)
		}
		if err := h.Users.UpdateUser(t.Context(), second.ID, auth.UserChange{IsActive: ptr(false)}); err != nil {
			t.Errorf("UpdateUser: %v", err)
		}
		wantError(t, "DeleteUser", h.Users.DeleteUser(t.Context(), third.ID), auth.ErrLastSuperuser)
	}},
	{"who is no active superuser may always go", func(t *testing.T, h *home) {
		inactive, plain := h.stored(t, "inactive", inactiveSuperuser), h.stored(t, "plain", nil)
		for _, u := range []*auth.User{inactive, plain} {
			if err := h.Users.UpdateUser(t.Context(), u.ID, auth.UserChange{IsActive: ptr(false)}); err != nil {
				t.Errorf("UpdateUser(%s): %v", u.Username, err)
			}
			if err := h.Users.DeleteUser(t.Context(), u.ID); err != nil {
				t.Errorf("DeleteUser(%s): %v", u.Username, err)
			}
		}
	}},
	{"a deleted user is gone, with its sessions, and nobody else is", func(t *testing.T, h *home) {
		gone, stays := h.stored(t, "gone", nil), h.stored(t, "stays", nil)
		first, second := h.started(t, gone.ID, nil), h.started(t, gone.ID, nil)
		kept := h.started(t, stays.ID, nil)
		if err := h.Users.DeleteUser(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		_, err := h.Users.UserByID(t.Context(), gone.ID)
		wantError(t, "UserByID", err, auth.ErrNoUser)
		_, err = h.Users.UserByName(t.Context(), "gone")
		wantError(t, "UserByName", err, auth.ErrNoUser)
		wantError(t, "DeleteUser again", h.Users.DeleteUser(t.Context(), gone.ID), auth.ErrNoUser)
		h.mustLack(t, first.ID)
		h.mustLack(t, second.ID)
		same(t, h.mustGet(t, stays.ID), stays)
		h.mustHave(t, kept)
	}},
	{"the name of a deleted user is free again", func(t *testing.T, h *home) {
		gone := h.stored(t, "name", nil)
		if err := h.Users.DeleteUser(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		h.stored(t, "name", nil)
	}},
	{"a user that other tables refer to is not deleted, nor is anything of it", func(t *testing.T, h *home) {
		if h.Refer == nil {
			return
		}
		used, free := h.stored(t, "used", nil), h.stored(t, "free", nil)
		s := h.started(t, used.ID, nil)
		h.Refer(t, used.ID)
		wantError(t, "DeleteUser", h.Users.DeleteUser(t.Context(), used.ID), auth.ErrUserInUse)
		same(t, h.mustGet(t, used.ID), used)
		h.mustHave(t, s)
		if err := h.Users.DeleteUser(t.Context(), free.ID); err != nil {
			t.Errorf("DeleteUser of another user: %v", err)
		}
	}},
}
