package drf

import (
	"fmt"
	"strings"
	"testing"
)

// manyMembers are bodies with n members and items in all, each of another shape.
func manyMembers(n int) map[string]string {
	list := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	return map[string]string{
		"members of one name":           "{" + list(`"":0`, n) + "}",
		"members with spaces":           "{ " + list(`"a" : "b" `, n) + "\n}",
		"names in order":                "{" + numbered(n) + "}",
		"items":                         "[" + list("0", n) + "]",
		"items of a member":             `{"a":[` + list(`"x"`, n-1) + "]}",
		"members of a member":           `{"a":{` + list(`"x":null`, n-1) + "}}",
		"empty arrays":                  "[" + list("[]", n) + "]",
		"empty objects":                 `{"a":[` + list("{}", n-1) + "]}",
		"half above and half below":     "{" + list(`"a":1`, n/2) + `,"b":[` + list("true", n-n/2-1) + "]}",
		"one in each of a deep nesting": strings.Repeat(`{"a":[`, 20) + list("0", n-39) + strings.Repeat("]}", 20),
		"lists of names and values":     `{"a":[` + list(`{"b":[1,2]}`, (n-1)/4) + strings.Repeat(",0", (n-1)%4) + "]}",
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":%d`, i, i)
	}
	return b.String()[1:]
}

func TestJSON_MembersAndItems(t *testing.T) {
	for name, body := range manyMembers(MaxMembers) {
		if _, err := Body("application/json", []byte(body)); err != nil {
			t.Errorf("%s: %d are refused: %v", name, MaxMembers, err)
		}
	}
	for name, body := range manyMembers(MaxMembers + 1) {
		_, err := Body("application/json", []byte(body))
		if err == nil || err.Error() != "JSON parse error - more than 1000 members and items" {
			t.Errorf("%s: %d: %v", name, MaxMembers+1, err)
		}
	}
}

// What is over the limit must not take memory before it is refused.
func TestBody_TooManyFieldsTakeNoMemory(t *testing.T) {
	const head = "--X\r\nContent-Disposition: form-data; name=a"
	multipart := func(part string, n int) string { return strings.Repeat(part, n) + "--X--" }
	tests := []struct {
		name, contentType string
		body              func(n int) string
	}{
		{"JSON", "application/json", func(n int) string { return manyMembers(n)["members of one name"] }},
		{"JSON in Latin-1", "application/json; charset=latin-1", func(n int) string { return manyMembers(n)["items"] }},
		{"JSON within an array", "application/json", func(n int) string { return manyMembers(n)["members of a member"] }},
		{"form", "application/x-www-form-urlencoded", func(n int) string { return strings.Repeat("a&", n) }},
		{"fields", multipartHeader, func(n int) string { return multipart(head+"\r\n\r\n1\r\n", n) }},
		{"files", multipartHeader, func(n int) string { return multipart(head+"; filename=f\r\n\r\n1\r\n", n) }},
		{"files without a name", multipartHeader, func(n int) string {
			return multipart("--X\r\nContent-Disposition: form-data; filename=f\r\n\r\n1\r\n", n)
		}},
		{"parts without headers", multipartHeader, func(n int) string { return multipart("--X", n) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			allocations := func(n int) float64 {
				body := []byte(tt.body(n))
				return testing.AllocsPerRun(3, func() {
					if _, err := Body(tt.contentType, body); err == nil {
						t.Fatal("accepted")
					}
				})
			}
			if few, many := allocations(2_000), allocations(12_000); many > few+8 {
				t.Errorf("%.0f allocations for 12,000, %.0f for 2,000", many, few)
			}
		})
	}
}

func TestMultipart_EveryPartCounts(t *testing.T) {
	nameless := "--X\r\nContent-Disposition: form-data; filename=f\r\n\r\n1\r\n"
	// The text before the first delimiter and the one after the last are parts as well.
	if _, err := Body(multipartHeader, []byte(strings.Repeat(nameless, maxParts-2)+"--X--")); err != nil {
		t.Error(err)
	}
	_, err := Body(multipartHeader, []byte(strings.Repeat(nameless, maxParts-1)+"--X--"))
	if err == nil || err.Error() != "The form has more than 1102 parts." {
		t.Error(err)
	}
}
