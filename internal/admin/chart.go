package admin

import "time"

// chart is bars for each hour, in the units of its view box.
type chart struct {
	Width, Height, Base int
	Bars                []bar
	Labels              []label
	Top                 int // the number that the highest bar stands for
	Table               []hour
}

type bar struct {
	X, Y, Width, Height int
	Bad                 bool // of failures
	Begin               time.Time
	N                   int
}

type label struct {
	X    int
	At   string // RFC 3339, for the viewer's own zone
	Text string // in UTC
}

const (
	chartBase   = 110 // where the bars stand
	chartRoom   = 100 // for the highest bar
	chartHour   = 26  // the width of an hour
	chartBar    = 11  // the width of a bar
	labelEvery  = 6   // hours
	chartMargin = 2
	chartText   = 30 // below the bars, for the hours
)

// draw draws two bars for each hour: logins and failures.
func draw(hours []hour) *chart {
	c := &chart{Table: hours, Width: len(hours)*chartHour + 2*chartMargin, Height: chartBase + chartText, Base: chartBase}
	for _, h := range hours {
		c.Top = max(c.Top, h.Logins, h.Failures)
	}
	for i, h := range hours {
		x := chartMargin + i*chartHour
		c.Bars = append(c.Bars, c.bar(x, h.Begin, h.Logins, false), c.bar(x+chartBar+1, h.Begin, h.Failures, true))
		if i%labelEvery == 0 {
			c.Labels = append(c.Labels, label{X: x, At: h.Begin.Format(time.RFC3339), Text: h.Begin.Format("15:04")})
		}
	}
	return c
}

func (c *chart) bar(x int, begin time.Time, n int, bad bool) bar {
	height := 0
	if n > 0 {
		height = max(2, n*chartRoom/c.Top)
	}
	return bar{X: x, Y: chartBase - height, Width: chartBar, Height: height, Bad: bad, Begin: begin, N: n}
}
