package admin

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// csvWriter writes rows of comma-separated values (RFC 4180) for people who
// open them in a spreadsheet: every cell is quoted, and none is a formula.
type csvWriter struct{ to *bufio.Writer }

func newCSVWriter(w io.Writer) *csvWriter { return &csvWriter{bufio.NewWriter(w)} }

var doubleQuotes = strings.NewReplacer(`"`, `""`)

// Write adds a row. An error stays, and Flush returns it.
func (w *csvWriter) Write(row []string) {
	for i, cell := range row {
		if i > 0 {
			_ = w.to.WriteByte(',')
		}
		_ = w.to.WriteByte('"')
		_, _ = doubleQuotes.WriteString(w.to, inert(cell))
		_ = w.to.WriteByte('"')
	}
	_, _ = w.to.WriteString("\r\n")
}

// Flush sends what was written and returns the first error there was.
func (w *csvWriter) Flush() error { return w.to.Flush() }

// inert returns the text of a cell, changed so that no spreadsheet takes any
// part of it for a formula: an apostrophe is put in front of what begins like
// one. (OWASP, "CSV Injection")
//
// What a cell is depends on the reader's locale: where the separator is a
// semicolon, a file of commas is split at the semicolons within its cells, so
// each part of the text counts as a cell. Spreadsheets pass over spaces, quotes
// and invisible characters before a formula, and read full-width forms of the
// operators as the operators.
func inert(cell string) string {
	var out strings.Builder // only once something changes
	kept, part := 0, 0      // cell[:kept] is in out; cell[part:] is the part looked at
	beginning := true
	for at, r := range cell {
		switch {
		case part == at && at == 0 && isSeparator(r) && r != ',' && r != ';':
			// A tab or a line break is dangerous by itself at the beginning.
			out.WriteByte('\'')
			part = at + 1
		case isSeparator(r):
			beginning, part = true, at+1
		case !beginning || isPassedOver(r):
		case startsFormula(r):
			out.WriteString(cell[kept:part])
			out.WriteByte('\'')
			kept, beginning = part, false
		default:
			beginning = false
		}
	}
	if out.Len() == 0 {
		return cell
	}
	out.WriteString(cell[kept:])
	return out.String()
}

// isSeparator reports whether the character ends a cell in some locale or program.
func isSeparator(r rune) bool { return strings.ContainsRune(",;\t\r\n", r) }

// isPassedOver reports whether a spreadsheet may skip the character at the
// beginning of a cell: spaces, quotes, and what is not seen.
func isPassedOver(r rune) bool {
	if r < utf8.RuneSelf {
		return r <= ' ' || r == '"' || r == '\'' || r == '`' || r == 0x7f
	}
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zs, unicode.Mn, unicode.Pi, unicode.Pf, unicode.Other_Default_Ignorable_Code_Point) ||
		r == utf8.RuneError || r == '\uff02' || r == '\uff07'
}

// startsFormula reports whether a cell that begins with the character is a
// formula: = + - @, and every form of them.
func startsFormula(r rune) bool {
	if r >= utf8.RuneSelf {
		r, _ = utf8.DecodeRuneInString(norm.NFKC.String(string(r)))
	}
	switch r {
	case '=', '+', '-', '@', '\u2212': // the last is the minus sign
		return true
	}
	return false
}
