package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pages/browsertest"
)

// visit logs root in at the admin site.
func visit(t *testing.T, base string) *browsertest.Tab {
	t.Helper()
	p := browsertest.Start(t).Person(t, base)
	p.Open("/admin/")
	p.Fill("#id_username", "root")
	p.Fill("#id_password", goodPassword)
	p.Follow("form button.main")
	return p
}

// TestBrowser_RefusedForms looks at the pages that say what is wrong, in both
// languages, dark, and narrow.
func TestBrowser_RefusedForms(t *testing.T) {
	_, base := serve(t, siteConfig(t))
	p := visit(t, base)
	offer := func(id string) {
		browsertest.Eval[bool](p, `(() => { const box = document.querySelector('[name=permissions]'); box.value = '`+id+`'; box.checked = true; return true })()`)
	}
	look := p.Inspect
	for _, tag := range []string{"en", "de"} {
		p.Speak(tag)
		if tag != "en" {
			look = p.Fits // the words are longer, and all else the same
		}
		p.Open("/admin/auth/group/add/")
		p.Fill("#name", "Support")
		p.Fill("#your_password", goodPassword)
		offer("999999")
		if status := p.Follow("button[name=_save]"); status != http.StatusUnprocessableEntity || !p.Has("#wrong-permissions") {
			t.Errorf("%s: a permission that is none: %d", tag, status)
		}
		look("admin-group-no-choice-" + tag)
		p.Open("/admin/auth/user/2/change/")
		browsertest.Eval[bool](p, `document.querySelector('details.more').open = true`)
		offer("999999")
		if status := p.Follow("button[name=_save]"); status != http.StatusUnprocessableEntity || !p.Has("#wrong-permissions") {
			t.Errorf("%s: a user's permission that is none: %d", tag, status)
		}
		look("admin-user-no-choice-" + tag)
		p.Open("/admin/password_change/")
		p.Fill("#old_password", "wr0ng")
		p.Fill("#password1", "Xy9-longer-pass")
		p.Fill("#password2", " Xy9-longer-pass")
		if status := p.Follow("form button.main"); status != http.StatusUnprocessableEntity || !p.Has("#wrong-old_password") || p.Has("#wrong-password2") {
			t.Errorf("%s: a wrong password: %d", tag, status)
		}
		look("admin-own-password-wrong-" + tag)
		p.Open("/admin/audit/?act=reauthentication_failed")
		look("admin-audit-events-" + tag)
	}
}

// TestBrowser_SessionsRemain confirms the password in one tab, and goes on in
// another one, whose page is older than the session's new key.
func TestBrowser_SessionsRemain(t *testing.T) {
	_, base, redis := withRedis(t)
	ada := newBrowser(t, base)
	if a := ada.api("POST", "/api/login/", map[string]string{"username": "ada", "password": goodPassword}); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	p := visit(t, base)
	p.Open("/admin/auth/user/2/password/")
	p.Fill("#your_password", goodPassword)
	p.Fill("#password1", "12345")
	p.Fill("#password2", "12345")
	if status := p.Follow("button[value=set]"); status != http.StatusUnprocessableEntity || p.Has("#your_password") {
		t.Errorf("a weak password, confirmed: %d", status)
	}
	p.Open("/api/user/")
	p.WaitText("root")
	for _, tag := range []string{"en", "de"} {
		p.Speak(tag)
		p.Open("/admin/auth/user/2/change/")
		refuseWrites(t, redis, true)
		if browsertest.Eval[bool](p, `document.querySelector('#is_active').checked`) {
			p.Click("#is_active")
		} else {
			p.Open("/admin/auth/user/2/password/")
			p.Fill("#password1", "Xy9-longer-pass")
			p.Fill("#password2", "Xy9-longer-pass")
		}
		if status := p.Follow("form.card button.main, form[autocomplete=off] button.main"); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", tag, status)
		}
		if text := p.Text("main"); !strings.Contains(text, map[string]string{"en": "The change is saved.", "de": "Die Änderung ist gespeichert."}[tag]) {
			t.Errorf("%s: the page says %q", tag, text)
		}
		p.Fits("admin-sessions-remain-" + tag)
		refuseWrites(t, redis, false)
	}
}
