package drf

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"unicode/utf8"
)

// TestCharset_TablesArePythons compares what each byte means with what Python
// 3.11 made of it, U+FFFD for nothing.
func TestCharset_TablesArePythons(t *testing.T) {
	text, err := os.ReadFile("testdata/bytecharsets.json")
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string]string
	if err := json.Unmarshal(text, &tables); err != nil {
		t.Fatal(err)
	}
	if len(tables) != len(distinctByteCharsets())+2 { // Latin-1 and ASCII have no table
		t.Errorf("%d tables recorded, %d here", len(tables), len(distinctByteCharsets()))
	}
	for name, table := range tables {
		cs, ok := charsetOf(name)
		if !ok {
			t.Errorf("%s is not known", name)
		}
		for b, want := range []rune(table) {
			got, valid := cs.decode([]byte{byte(b)})
			if string(got) != string(want) || valid != (want != utf8.RuneError) {
				t.Errorf("%s: byte %#x is %q (%v), want %q", name, b, got, valid, want)
			}
		}
	}
}

func distinctByteCharsets() map[any]bool {
	distinct := map[any]bool{}
	for _, table := range byteCharsets {
		distinct[table] = true
	}
	return distinct
}

func TestCharset_JSONThatEndsWithinACharacter(t *testing.T) {
	const body = `{"username":"a"}`
	for tail, fine := range map[string]bool{"": true, "\xe2": true, "\xe2\x82": true, "\xf0\x9f\x98": true, "\x82": false, "\xff": false, "\xe2\x82\x20": false, "x": false} {
		_, err := Body("application/json", []byte(body+tail))
		if (err == nil) != fine {
			t.Errorf("%q: %v", tail, err)
		}
	}
}

// FuzzCharset holds every encoding to what its users count on: UTF-8 that is
// bounded by the input, and the same from both ways of reading valid text.
func FuzzCharset(f *testing.F) {
	for name, text := range map[string]string{
		"utf-16": "\xff\xfe=\xd8\x00\xdea", "utf-32": "\xff\xfe\x00\x00a\x00\x00\x00", "shift_jis": "\x83\x5c\xb1", "gb18030": "\x90\x30\x81\x30\x80",
		"iso2022_jp": "\x1b$B%+\x1b(B", "hz": "~{VP~}", "big5hkscs": "\x88\x62", "euc_kr": "\xb0\xa1\xff", "cp1252": "\x80\x81", "utf-8-sig": "\xef\xbb\xbf\xe2",
	} {
		f.Add(name, []byte(text))
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		cs, _ := charsetOf(name)
		before := string(b)
		text, ok := cs.decode(b)
		streamed, whole := cs.decodeStream(b)
		for _, got := range [][]byte{text, streamed} {
			if !utf8.Valid(got) || len(got) > 3*len(b) {
				t.Fatalf("%d bytes became %q", len(b), got)
			}
		}
		if string(b) != before {
			t.Fatal("the input was written to")
		}
		if ok && whole && !bytes.Equal(bytes.TrimPrefix(text, byteOrderMark), bytes.TrimPrefix(streamed, byteOrderMark)) {
			t.Fatalf("%q and %q", text, streamed)
		}
	})
}
