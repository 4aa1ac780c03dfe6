package django

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newCodec(t testing.TB, keys ...string) *SessionCodec {
	t.Helper()
	c, err := NewSessionCodec(keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, text string) *SessionData {
	t.Helper()
	d, err := ParseSessionData([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func TestDjangosSessionDataIsReadAndWritten(t *testing.T) {
	v := readVectors(t)
	c := newCodec(t, v.SecretKey)
	for _, want := range v.SessionData {
		data, err := c.Decode(want.Encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(anyOf(t, want.Data), anyOf(t, data.JSON())); diff != "" {
			t.Errorf("Decode (-want +got):\n%s", diff)
		}
		got, err := c.Encode(data, time.Unix(want.Time, 0))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(want.Encoded, ".") { // what zlib compressed comes out otherwise here
			if got != want.Encoded {
				t.Errorf("Encode = %s, want %s", got, want.Encoded)
			}
			continue
		}
		again, err := c.Decode(got)
		if err != nil || !bytes.Equal(again.JSON(), data.JSON()) || !strings.HasPrefix(got, ".") {
			t.Errorf("%s came back as %s, %v", data.JSON(), again.JSON(), err)
		}
	}
}

func anyOf(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSessionsOfADjangoDatabaseSayWhoIsLoggedIn(t *testing.T) {
	db := readDatabase(t)
	c := newCodec(t, "a newer key", db.SecretKey)
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, row := range db.Sessions {
		t.Run(row.SessionKey, func(t *testing.T) {
			data, err := c.Decode(row.SessionData)
			if err != nil {
				t.Fatal(err)
			}
			expires, err := time.Parse(time.DateTime, row.ExpireDate)
			if err != nil {
				t.Fatal(err)
			}
			id, in := data.UserID()
			if id != row.UserID || in != (row.Username != "") {
				t.Fatalf("user %d, %v; want %d", id, in, row.UserID)
			}
			if in && data.Backend() != ModelBackend {
				t.Errorf("backend %s", data.Backend())
			}
			bound := SessionAuthHashKey([]string{"a newer key", db.SecretKey}, row.PasswordField, data.AuthHash())
			if valid := in && row.IsActive && now.Before(expires) && bound == 1; valid != row.Valid {
				t.Errorf("valid is %v, want %v (%s): bound by key %d", valid, row.Valid, row.Why, bound)
			}
		})
	}
}

func TestALoginKeepsTheCart(t *testing.T) {
	const cart = `{"cart":[1],"price":1.10,"big":123456789012345678901234567890,"nan":[NaN,-Infinity],"half":"\ud800","\udc00":{"b":1,"a":2,"b":3}}`
	c := newCodec(t, "key")
	data := parse(t, cart)
	data.LogIn(42, ModelBackend, "abc")
	want := cart[:len(cart)-1] + `,"_auth_user_id":"42","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"abc"}`
	text, err := c.Encode(data, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Decode(text)
	if err != nil || string(again.JSON()) != want {
		t.Fatalf("%s, %v\nwant %s", again.JSON(), err, want)
	}
	if id, in := again.UserID(); id != 42 || !in || again.Backend() != ModelBackend || again.AuthHash() != "abc" {
		t.Errorf("user %d %v, %s, %s", id, in, again.Backend(), again.AuthHash())
	}
	again.LogIn(43, ModelBackend, "def")
	if got := string(again.JSON()); got != strings.NewReplacer(`"42"`, `"43"`, "abc", "def").Replace(want) {
		t.Errorf("the next login made it %s", got)
	}
	again.Delete("_auth_user_id", "_auth_user_backend", "_auth_user_hash", "no such name")
	if got := string(again.JSON()); got != cart {
		t.Errorf("without the login %s", got)
	}
}

func TestTheZeroSessionDataIsEmpty(t *testing.T) {
	var d SessionData
	if d.Len() != 0 || string(d.JSON()) != "{}" || d.Get("a") != nil || d.Text("a") != "" || d.Backend() != "" || d.AuthHash() != "" {
		t.Errorf("%s", d.JSON())
	}
	if id, in := d.UserID(); in || id != 0 {
		t.Errorf("user %d", id)
	}
	d.Delete("a")
	d.SetText("a", "b")
	if d.Len() != 1 || string(d.JSON()) != `{"a":"b"}` {
		t.Errorf("%s", d.JSON())
	}
}

func TestSessionDataDoesNotShareTheTextItWasReadFrom(t *testing.T) {
	text := []byte(`{"a":"b"}`)
	d, err := ParseSessionData(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	if got := string(d.JSON()); got != `{"a":"b"}` {
		t.Errorf("%q", got)
	}
}

func TestUserIDIsThatOfAUser(t *testing.T) {
	for _, test := range []struct {
		value string
		id    int64
		in    bool
	}{
		{`"1"`, 1, true},
		{`1`, 1, true},
		{`"9223372036854775807"`, 9223372036854775807, true},
		{`"9223372036854775808"`, 0, false},
		{`"0"`, 0, false},
		{`"-1"`, 0, false},
		{`-1`, 0, false},
		{`1.0`, 0, false},
		{`1e3`, 0, false},
		{`""`, 0, false},
		{`"a"`, 0, false},
		{`"1 "`, 0, false},
		{`null`, 0, false},
		{`true`, 0, false},
		{`[1]`, 0, false},
		{`{"1":1}`, 0, false},
		{`"1","_auth_user_id":"2"`, 2, true}, // the last one counts, as in Python
	} {
		id, in := parse(t, `{"_auth_user_id":`+test.value+`}`).UserID()
		if in != test.in || in && id != test.id {
			t.Errorf("%s: user %d, %v", test.value, id, in)
		}
	}
}

func TestSessionDataIsReadAsPythonReadsJSON(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for _, test := range []struct {
		text string
		ok   bool
	}{
		{`{}`, true},
		{" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n", true},
		{`{"a":NaN,"b":Infinity,"c":-Infinity,"d":null,"e":true,"f":false}`, true},
		{`{"a":-0,"b":0.5,"c":1E5,"d":1e+5,"e":-1.25e-7,"f":0e0}`, true},
		{`{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00\ud800\u007f"}`, true},
		{"{\"a\":\"\x7f\xff\xc3\"}", true},
		{`{"":""}`, true},
		{`{"a":1,"a":2}`, true},
		{deep(999), true},
		{deep(1000), false},
		{deep(100000), false},
		{``, false},
		{` `, false},
		{`null`, false},
		{`[]`, false},
		{`"a"`, false},
		{`{`, false},
		{`{"`, false},
		{`{"a`, false},
		{`{"a"`, false},
		{`{"a":`, false},
		{`{"a":1`, false},
		{`{"a":1,`, false},
		{`{"a":1,}`, false},
		{`{,}`, false},
		{`{"a":[1,]}`, false},
		{`{"a":[1 2]}`, false},
		{`{"a":[1}}`, false},
		{`{"a" 1}`, false},
		{`{a:1}`, false},
		{`{'a':1}`, false},
		{`{1:1}`, false},
		{`{}x`, false},
		{`{}{}`, false},
		{`{"a":01}`, false},
		{`{"a":1.}`, false},
		{`{"a":.1}`, false},
		{`{"a":+1}`, false},
		{`{"a":-}`, false},
		{`{"a":1e}`, false},
		{`{"a":1e+}`, false},
		{`{"a":0x1}`, false},
		{`{"a":nan}`, false},
		{`{"a":+Infinity}`, false},
		{`{"a":-Inf}`, false},
		{`{"a":nul}`, false},
		{`{"a":nullx}`, false},
		{`{"a":True}`, false},
		{`{"a":"\x"}`, false},
		{`{"a":"\u12"}`, false},
		{`{"a":"\u12g4"}`, false},
		{`{"a":"\`, false},
		{"{\"a\":\"\n\"}", false},
		{"{\"a\":\"\x00\"}", false},
		{"\ufeff{}", false},
		{"{\"a\":\v1}", false},
	} {
		d, err := ParseSessionData([]byte(test.text))
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrSignedPayload) {
			t.Errorf("%.60q: %v", test.text, err)
		}
		if err == nil && d == nil {
			t.Errorf("%.60q: no data", test.text)
		}
	}
}

func TestTextIsReadAndWrittenAsPythonDoes(t *testing.T) {
	for _, test := range []struct{ text, quoted string }{
		{"", `""`},
		{"plain/</script>'", `"plain/</script>'"`},
		{"\"\\", `"\"\\"`},
		{"\b\f\n\r\t", `"\b\f\n\r\t"`},
		{"\x00\x1f\x7f", `"\u0000\u001f\u007f"`},
		{"é ключ\u2028\uffff", `"\u00e9 \u043a\u043b\u044e\u0447\u2028\uffff"`},
		{"🔑\U0010ffff", `"\ud83d\udd11\udbff\udfff"`},
	} {
		var d SessionData
		d.SetText(test.text, test.text)
		if got, want := string(d.JSON()), "{"+test.quoted+":"+test.quoted+"}"; got != want {
			t.Errorf("%q is written as %s, want %s", test.text, got, want)
		}
		if got := parse(t, string(d.JSON())).Text(test.text); got != test.text {
			t.Errorf("%q is read as %q", test.text, got)
		}
	}
	for _, test := range []struct{ value, text string }{
		{`"\uD83D\uDD11\/"`, "🔑/"},
		{`"\ud83d"`, "\ufffd"},
		{`"\ud83dx"`, "\ufffdx"},
		{`"\ud83d\n"`, "\ufffd\n"},
		{`"\ud83d\u0041"`, "\ufffdA"},
		{`"\udd11\ud83d"`, "\ufffd\ufffd"},
		{`"\ud83d\ud83d\udd11"`, "\ufffd🔑"},
		{"\"\xe9\"", "é"}, // Django's serializer reads Latin-1
		{`1`, ""},
		{`["a"]`, ""},
	} {
		if got := parse(t, `{"a":`+test.value+`}`).Text("a"); got != test.text {
			t.Errorf("%s is read as %q, want %q", test.value, got, test.text)
		}
	}
}

func TestDecodeRefusesWhatIsNotSessionData(t *testing.T) {
	c := newCodec(t, "key")
	signer, err := NewTimestampSigner([]string{"key"}, sessionSalt)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"signed for something else", newTimestampSigner(t, "key").Dumps([]byte("{}"), djangosTime), ErrBadSignature},
		{"another key", signer.Dumps([]byte("{}"), djangosTime) + "x", ErrBadSignature},
		{"an array", signer.Dumps([]byte("[]"), djangosTime), ErrSignedPayload},
		{"too much", signer.DumpsCompressed(make([]byte, MaxSigned+1), djangosTime), ErrTooLarge},
		{"nothing", "", ErrBadSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := c.Decode(test.text); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			} else if strings.Contains(err.Error(), "key") {
				t.Errorf("the error %q gives something away", err)
			}
		})
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	var d SessionData
	d.SetText("a", strings.Repeat("x", MaxSigned))
	if _, err := newCodec(t, "key").Encode(&d, djangosTime); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

func TestASessionCodecNeedsAKey(t *testing.T) {
	if _, err := NewSessionCodec(nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("error %v", err)
	}
}

func TestSessionDataIsAMapThatKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d SessionData
		want := map[string]string{}
		var order []string
		name := rapid.SampledFrom([]string{"", "a", "b", "ключ", "_auth_user_id", "\""})
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			n := name.Draw(t, "name")
			if rapid.Bool().Draw(t, "delete") {
				d.Delete(n)
				if _, there := want[n]; there {
					delete(want, n)
					order = remove(order, n)
				}
				continue
			}
			if _, there := want[n]; !there {
				order = append(order, n)
			}
			want[n] = rapid.String().Draw(t, "text")
			d.SetText(n, want[n])
		}
		d2, err := ParseSessionData(d.JSON())
		if err != nil || d2.Len() != len(order) {
			t.Fatalf("%s: %v", d.JSON(), err)
		}
		for i, n := range order {
			if d2.Text(n) != strings.ToValidUTF8(want[n], "\ufffd") || d2.members[i].name != n {
				t.Fatalf("%s: member %d is %q, want %q: %q", d.JSON(), i, d2.members[i].name, n, want[n])
			}
		}
	})
}

func remove(names []string, name string) (kept []string) {
	for _, n := range names {
		if n != name {
			kept = append(kept, n)
		}
	}
	return kept
}

func FuzzSessionData(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"cart":[1]}`, ` {"a" : {"b":[1.5e-7,null,true,NaN,-Infinity]} , "c":"\ud83d\udd11\ud800"} `,
		`{"_auth_user_id":"1","_auth_user_backend":"b","_auth_user_hash":"h","a":1,"a":2}`, `[`, "{\"\xff\":0}",
	} {
		f.Add([]byte(s))
	}
	c := newCodec(f, "key")
	signer, err := NewTimestampSigner([]string{"key"}, sessionSalt)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := c.Decode(string(text)); err == nil {
			t.Fatalf("%q is accepted without a signature", text)
		}
		d, err := c.Decode(signer.DumpsCompressed(text, djangosTime))
		if err != nil {
			if object := bytes.TrimLeft(text, " \t\r\n"); json.Valid(text) && object[0] == '{' && bytes.Count(text, []byte("[")) < 900 && bytes.Count(text, []byte("{")) < 900 {
				t.Fatalf("%q is JSON, but %v", text, err)
			}
			return
		}
		if !json.Valid(text) && !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
			t.Fatalf("%q is not JSON, but accepted", text)
		}
		before := d.JSON()
		d.LogIn(7, ModelBackend, "hash")
		encoded, err := c.Encode(d, djangosTime)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if id, in := again.UserID(); id != 7 || !in || again.Backend() != ModelBackend || again.AuthHash() != "hash" {
			t.Fatalf("user %d, %v after the login", id, in)
		}
		known := []string{userIDKey, backendKey, authHashKey}
		again.Delete(known...)
		d = parse(t, string(before))
		d.Delete(known...)
		if got, want := again.JSON(), d.JSON(); !bytes.Equal(got, want) {
			t.Fatalf("the login made %s of %s", got, want)
		}
		for _, m := range d.members {
			if !utf8.ValidString(m.name) || !bytes.Contains(text, m.value) {
				t.Fatalf("%q: member %q with %q", text, m.name, m.value)
			}
		}
	})
}

func BenchmarkDecodeSessionData(b *testing.B) {
	c := newCodec(b, strings.Repeat("k", 50))
	var d SessionData
	d.LogIn(1, ModelBackend, strings.Repeat("ab", 32))
	text, err := c.Encode(&d, djangosTime)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeSessionData(b *testing.B) {
	c := newCodec(b, strings.Repeat("k", 50))
	b.ReportAllocs()
	for b.Loop() {
		var d SessionData
		d.LogIn(1, ModelBackend, "abababababababababababababababababababababababababababababababab")
		if _, err := c.Encode(&d, djangosTime); err != nil {
			b.Fatal(err)
		}
	}
}
