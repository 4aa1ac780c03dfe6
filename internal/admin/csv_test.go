package admin

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

func TestCSV_NoCellIsAFormula(t *testing.T) {
	for _, test := range []struct{ cell, want string }{
		{"", ""},
		{"ada", "ada"},
		{"a=b+c-d@example.com", "a=b+c-d@example.com"},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(1)", "'@SUM(1)"},
		{"\tx", "'\tx"},
		{"\rx", "'\rx"},
		{"\nx", "'\nx"},
		{"\t=1", "'\t'=1"},
		{"\r\n=1", "'\r\n'=1"},
		{"＝1", "'＝1"},
		{"＋1", "'＋1"},
		{"－1", "'－1"},
		{"＠x", "'＠x"},
		{"﹦1", "'﹦1"},             // small form
		{"⁼1", "'⁼1"},             // superscript
		{"⩵1", "'⩵1"},             // two of them in one
		{"−1", "'−1"},             // minus sign
		{" =1", "' =1"},           // a space
		{"\u00a0=1", "'\u00a0=1"}, // one that does not break
		{"\u3000=1", "'\u3000=1"}, // as wide as an ideograph
		{`"=1`, `'"=1`},
		{"'=1", "''=1"},
		{"“=1", "'“=1"},
		{"\u200b=1", "'\u200b=1"}, // zero width
		{"\ufeff=1", "'\ufeff=1"}, // byte-order mark
		{"\u202e=1", "'\u202e=1"}, // turns the direction
		{"\u00ad=1", "'\u00ad=1"}, // soft hyphen
		{"\u3164=1", "'\u3164=1"}, // Hangul filler
		{"\ufe0f=1", "'\ufe0f=1"}, // variation selector
		{"\x00=1", "'\x00=1"},
		{"\x1b=1", "'\x1b=1"},
		{"\xff=1", "'\xff=1"}, // no UTF-8
		{" \"\u200b ' =1", "' \"\u200b ' =1"},
		{"x;=1", "x;'=1"},
		{"x; =1", "x;' =1"},
		{`x;"=1`, `x;'"=1`},
		{"x;;＝1", "x;;'＝1"},
		{"x,=1", "x,'=1"},
		{"x\t=1", "x\t'=1"},
		{"x\n@1", "x\n'@1"},
		{"=1;=2;x=3", "'=1;'=2;x=3"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"},
		{`{"email":"changed","is_staff":true}`, `{"email":"changed","is_staff":true}`},
		{"ü=1", "ü=1"},
	} {
		if got := inert(test.cell); got != test.want {
			t.Errorf("inert(%q) = %q, want %q", test.cell, got, test.want)
		}
	}
}

func TestCSV_EveryCellIsQuoted(t *testing.T) {
	var file bytes.Buffer
	w := newCSVWriter(&file)
	rows := [][]string{{"id", "agent"}, {"1", `say "hi", you`}, {"", "two\nlines"}}
	for _, row := range rows {
		w.Write(row)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "\"id\",\"agent\"\r\n\"1\",\"say \"\"hi\"\", you\"\r\n\"\",\"two\nlines\"\r\n"
	if got := file.String(); got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	read, err := csv.NewReader(&file).ReadAll()
	if err != nil || !slices.EqualFunc(read, rows, slices.Equal[[]string]) {
		t.Errorf("read back: %q, %v", read, err)
	}
}

// FuzzCSV_Inert splits what a cell became as programs of every locale may do.
func FuzzCSV_Inert(f *testing.F) {
	for _, seed := range []string{"=1", "x;=1", " \t=1", "x;\u200b＝1", "\xff,@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		got := inert(cell)
		for _, part := range strings.FieldsFunc(got, isSeparator) {
			bare := strings.TrimLeftFunc(part, isPassedOver)
			if r := []rune(bare); len(r) > 0 && startsFormula(r[0]) && !strings.HasPrefix(part, "'") {
				t.Errorf("%q in %q, made of %q", part, got, cell)
			}
		}
		if strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(cell, "'", "") {
			t.Errorf("%q became %q", cell, got)
		}
	})
}
