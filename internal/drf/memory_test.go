package drf

import (
	"runtime"
	"strings"
	"testing"
)

// TestCharset_MemoryIsBoundedByTheBody: whatever the encoding, reading a body
// takes a few times its length.
func TestCharset_MemoryIsBoundedByTheBody(t *testing.T) {
	const size = 1 << 20
	for _, test := range []struct{ charset, quote, worst, end string }{
		{"utf-8", `{"username":"`, "a", `"}`},
		{"cp1252", `{"username":"`, "\x80", `"}`},
		{"koi8-r", `{"username":"`, "\x80", `"}`},
		{"utf-16-be", "\x00{\x00\"\x00u\x00\"\x00:\x00\"", "\x30\x42", "\x00\"\x00}"},
		{"utf-32-be", "\x00\x00\x00{\x00\x00\x00\"\x00\x00\x00\"\x00\x00\x00:\x00\x00\x00\"", "\x00\x01\xf6\x00", "\x00\x00\x00\"\x00\x00\x00}"},
		{"shift_jis", `{"username":"`, "\xb1", `"}`},
		{"gb18030", `{"username":"`, "\xb0\xa1", `"}`},
		{"big5", `{"username":"`, "\xa4\x40", `"}`},
		{"euc-kr", `{"username":"`, "\xb0\xa1", `"}`},
		{"iso-2022-jp", `{"username":"`, "\x1b$B%+\x1b(B", `"}`},
	} {
		value := strings.Repeat(test.worst, (size-100)/len(test.worst))
		for contentType, body := range map[string]string{
			"application/json":                  test.quote + value + test.end,
			"application/x-www-form-urlencoded": "username=" + value,
			"multipart/form-data; boundary=b":   "--b\r\nContent-Disposition: form-data; name=u\r\n\r\n" + value + "\r\n--b--\r\n",
		} {
			raw := []byte(body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Body(contentType+"; charset="+test.charset, raw)
			runtime.ReadMemStats(&after)
			if err != nil && strings.HasPrefix(contentType, "application/json") {
				t.Errorf("%s in %s: %v", contentType, test.charset, err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) / size; took > 12 {
				t.Errorf("%s in %s takes %d times the body", contentType, test.charset, took)
			} else {
				t.Logf("%s in %s: %.1f", contentType, test.charset, float64(after.TotalAlloc-before.TotalAlloc)/size)
			}
		}
	}
}
