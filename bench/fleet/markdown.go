package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// table is a piece of the page, between markers with its name.
type table struct{ name, text string }

func (t table) begin() string { return "<!-- make fleet: " + t.name + " -->\n" }

const tableEnd = "<!-- end -->"

// rewrite puts the tables between their markers on the page.
func rewrite(path string, tables []table) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	text := string(page)
	for _, t := range tables {
		if text, err = t.replace(text); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// replace puts the table on a page.
func (t table) replace(page string) (string, error) {
	before, rest, found := strings.Cut(page, t.begin())
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		return "", fmt.Errorf("it has no place for the table %q: %s…%s", t.name, strings.TrimSpace(t.begin()), tableEnd)
	}
	return before + t.begin() + "\n" + t.text + "\n" + tableEnd + after, nil
}

// amount writes a number with three digits or more, and thousands apart.
func amount(v float64) string {
	places := 0
	for limit := 100.0; places < 2 && math.Abs(v) < limit && v != math.Trunc(v); limit /= 10 {
		places++
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', places, 64), ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// short writes a number that need not be exact: three digits count.
func short(v float64) string {
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64); err == nil {
		v = rounded
	}
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, " trillion"}, {1e9, " billion"}, {1e6, " million"}} {
		if math.Abs(v) >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'f', -1, 64) + unit.name
		}
	}
	if math.Abs(v) >= 1000 {
		return amount(v)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

// bytesText writes bytes in decimal units.
func bytesText(v float64) string { return unit(v, "bytes", "kB", "MB", "GB", "TB", "PB") }

// bits writes bytes a second as bits a second.
func bits(v float64) string {
	return unit(8*v, "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s")
}

func unit(v float64, names ...string) string {
	for len(names) > 1 && v >= 999.5 {
		v, names = v/1000, names[1:]
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + " " + names[0]
}
