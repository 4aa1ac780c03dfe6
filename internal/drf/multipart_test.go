package drf

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const multipartHeader = "multipart/form-data; boundary=X"

// fieldsOf lists what a form holds, one field after the other.
func fieldsOf(d Data) []string {
	var fields []string
	for _, m := range d.members {
		fields = append(fields, fmt.Sprintf("%s %s=%q", kindNames[m.value.kind], m.name, m.value.text))
	}
	return fields
}

func TestMultipart(t *testing.T) {
	part := func(disposition, content string) string {
		return "--X\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
	}
	const end = "--X--\r\n"
	tests := []struct {
		name, body string
		want       []string
	}{
		{"a field", part(`name="a"`, "1") + end, []string{`str a="1"`}},
		{"a name without quotes", part("name=a", "1") + end, []string{`str a="1"`}},
		{"space around a name does not count", part(`name=" a "`, "1") + end, []string{`str a="1"`}},
		{"an empty field", part("name=a", "") + end, []string{`str a=""`}},
		{"line ends within a field stay", part("name=a", "1\r\n\r\n2\n") + end, []string{`str a="1\r\n\r\n2\n"`}},
		{"a field twice", part("name=a", "1") + part("name=a", "2") + end, []string{`str a="1"`, `str a="2"`}},
		{"an encoded name", part("name*=utf-8''%C3%A9", "1") + end, []string{`str é="1"`}},
		{"a part without a name is passed over", part("x=a", "1") + part("name=b", "2") + end, []string{`str b="2"`}},
		{"the last delimiter may be missing", part("name=a", "1") + "--X\r\nContent-Disposition: x; name=b\r\n\r\n2\r\n", []string{`str a="1"`, `str b="2\r\n"`}},
		{"what follows the last delimiter is a part as well", part("name=a", "1") + "--X--\r\nContent-Disposition: x; name=b\r\n\r\n2", []string{`str a="1"`, `str b="2"`}},
		{"what comes before the first delimiter too", "Content-Disposition: x; name=a\r\n\r\n1\r\n" + end, []string{`str a="1"`}},
		{"a delimiter within a line parts as well", part("name=a", "1--X2") + end, []string{`str a="1"`}},
		{"bare line feeds end no headers", "--X\nContent-Disposition: x; name=a\n\n1\n" + end, nil},
		{"header names are without case and may have space after them", "--X\r\nCONTENT-disposition : x; Name=a\r\n\r\n1\r\n" + end, []string{`str a="1"`}},
		{"a header that is not UTF-8 is passed over", "--X\r\n\xff: x\r\nContent-Disposition: x; name=a\r\n\r\n1\r\n" + end, []string{`str a="1"`}},
		{"bytes that are not UTF-8 are replaced, one for each broken sequence", part("name=a", "\xe2\x82x\xff\xed\xa0\x80") + end, []string{`str a="�x����"`}},
		{"a file hides texts of its name", part("name=a; filename=f", "1") + part("name=a", "2") + end, []string{`str a="2"`, `InMemoryUploadedFile a="f"`}},
		{"a file without a name is a field", part(`name=a; filename=""`, "1") + end, []string{`str a="1"`}},
		{"a file whose name is nothing but a path is passed over", part(`name=a; filename="../.."`, "1") + end, nil},
		{"of a path the last name counts", part(`name=a; filename="C:\\dir\\f&#46;txt"`, "1") + end, []string{`InMemoryUploadedFile a="f.txt"`}},
		{"a file that nothing follows does not count", part("name=a; filename=f", "1") + "--X", nil},
		{"an empty body of parts", end, nil},
		{"no delimiter at all", "nothing", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body(multipartHeader, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, fieldsOf(data)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestMultipartBase64(t *testing.T) {
	tests := []struct {
		name, content, want string
		ok                  bool // as a file
	}{
		{"decoded", "aGk=", "hi", true},
		{"line ends and other characters are passed over", "aG\r\n!k=", "hi", true},
		{"padding ends the text", "aGk=aGk=", "hi", true},
		{"padding at the beginning does not count", "=aGk=", "hi", true},
		{"padding that is not whole leaves the text as sent", "aA=", "aA=", false},
		{"no padding leaves the text as sent", "aGk", "aGk", false},
		{"a digit too many leaves the text as sent", "aGkxa", "aGkxa", false},
		{"nothing", "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := "--X\r\nContent-Disposition: x; name=a%s\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" + tt.content + "\r\n--X--\r\n"
			data, err := Body(multipartHeader, fmt.Appendf(nil, body, ""))
			if got := data.FormValue("a"); err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if _, err := Body(multipartHeader, fmt.Appendf(nil, body, "; filename=f")); (err == nil) != tt.ok {
				t.Errorf("as a file: %v", err)
			}
		})
	}
}

func TestMultipartBoundary(t *testing.T) {
	longest := strings.Repeat("b", 201)
	tests := []struct {
		name, header, boundary string
		ok                     bool
	}{
		{"plain", "multipart/form-data; boundary=X", "X", true},
		{"quoted, with what would end it", `multipart/form-data; boundary="a;b\"c"`, `a;b"c`, true},
		{"in capitals", "multipart/form-data; BOUNDARY=X", "X", true},
		{"encoded", "multipart/form-data; boundary*=utf-8''%58", "X", true},
		{"by wildcard", "multipart/*; boundary=X", "X", true},
		{"the longest", "multipart/form-data; boundary=" + longest, longest, true},
		{"too long", "multipart/form-data; boundary=b" + longest, "b" + longest, false},
		{"empty", "multipart/form-data; boundary=", "", false},
		{"a space at its end", `multipart/form-data; boundary="X "`, "X ", false},
		{"a control character", "multipart/form-data; boundary=\"a\tb\"", "a\tb", false},
		{"beyond ASCII anywhere in the header", "multipart/form-data; boundary=X; x=\xe9", "X", false},
		{"not multipart in lower case", "MULTIPART/form-data; boundary=X", "X", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := "--" + tt.boundary + "\r\nContent-Disposition: x; name=a\r\n\r\n1\r\n--" + tt.boundary + "--\r\n"
			data, err := Body(tt.header, []byte(body))
			if got := data.lookup("a").text; (err == nil) != tt.ok || tt.ok && got != "1" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestMultipartBounds(t *testing.T) {
	part := func(parameters string, more int) string {
		return "--X\r\nX: " + strings.Repeat("y", more) + "\r\nContent-Disposition: x; " + parameters + "\r\n\r\n1\r\n"
	}
	headers := len(part("name=a", 0)) - len("--X1\r\n") // of a part, with the line end before and the two after them
	tests := []struct{ name, body, want string }{
		{"a thousand fields", strings.Repeat(part("name=a", 0), 1000) + "--X--", ""},
		{"more", strings.Repeat(part("name=a", 0), 1001) + "--X--", "The form has more than 1000 fields."},
		{"a hundred files", strings.Repeat(part("name=a; filename=f", 0), 100) + "--X--", ""},
		{"more files", strings.Repeat(part("name=a; filename=f", 0), 101) + "--X--", "The form has more than 100 files."},
		{"headers of 1024 bytes", part("name=a", 1024-headers) + "--X--", ""},
		{"headers of 1025 bytes", part("name=a", 1025-headers) + "--X--", "Multipart form parse error - the headers of a part are too long"},
		{"a part of that length without headers", "--X" + strings.Repeat("y", 1024), "Multipart form parse error - the headers of a part are too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Body(multipartHeader, []byte(tt.body))
			if got := fmt.Sprint(err); got != tt.want && !(tt.want == "" && err == nil) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMultipartReadsWhatTheStandardLibraryWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "fields") {
			name := rapid.StringMatching(`[a-z;="\\]{1,8}`).Draw(t, "name")
			text := rapid.String().Draw(t, "text")
			if err := w.WriteField(name, text); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, `\`) || strings.Count(name, `"`) > 0 {
				continue // escaped by rules that are not Django's
			}
			want = append(want, fmt.Sprintf("str %s=%q", name, text))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := Body(w.FormDataContentType(), body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, m := range data.members {
			if !strings.ContainsAny(m.name, `\"`) {
				got = append(got, fieldsOf(data)[i])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add(multipartHeader, []byte("--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n"))
	f.Add(multipartHeader, []byte("--X\r\nContent-Disposition: x; name*=utf-8''%e9; filename=f\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--X\r\n"))
	f.Add(`multipart/form-data; boundary="a;b"; charset=latin-1`, []byte("--a;b\r\n\r\n\r\n\xff--a;b"))
	f.Add("multipart/*; boundary*=utf-8'en'%58", []byte("--X--X--X"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		data, err := Body(contentType, body)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Status != 400 && e.Status != 415 {
				t.Fatal(err)
			}
			return
		}
		texts, files := 0, 0
		for _, m := range data.members {
			switch m.value.kind {
			case kindText:
				texts++
			case kindFile:
				files++
			}
			if !utf8.ValidString(m.name) || !utf8.ValidString(m.value.text) {
				t.Fatalf("%q=%q is not UTF-8", m.name, m.value.text)
			}
		}
		if main, _ := cutHeader(contentType); main == multipartType && (texts > maxFields+2 || files > maxFiles || texts+files != len(data.members)) {
			t.Fatalf("%d texts, %d files of %d", texts, files, len(data.members))
		}
	})
}
