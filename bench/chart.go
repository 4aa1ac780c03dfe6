package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartWidth   = 880
	labelWidth   = 400
	barsWidth    = 350
	barHeight    = 16
	rowHeight    = 30
	headerHeight = 44
	chartMargin  = 20
)

// chartStyle follows the reader's choice of light or dark.
const chartStyle = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .scale { fill: #59636e; font-size: 11px; text-anchor: middle; }
    .label { text-anchor: end; }
    .grid { stroke: #d1d9e0; stroke-width: 1; }
    .holds { fill: #2da44e; }
    .short { fill: #d4762c; }
    .range { stroke: #1f2328; stroke-width: 1.5; opacity: .5; }
    .target { stroke: #1f2328; stroke-width: 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .scale { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .holds { fill: #3fb950; }
      .short { fill: #e0883e; }
      .range { stroke: #f0f6fc; }
      .target { stroke: #f0f6fc; }
    }
`

// panel is a group of bars with one scale from 0 to most.
type panel struct {
	title string
	bars  []bar
	most  float64
}

// bar is a figure in its panel's scale.
type bar struct {
	label, value           string
	median, lowest, utmost float64
	target                 float64
	holds                  bool
}

// chart is docs/benchmarks.svg: what should be high above what should be low.
// What should be low is drawn as a share of its limit, for its units differ.
// What has no target is not drawn.
func (r report) chart() string {
	high := panel{title: "At least: ratio to the baseline, higher is better; the mark is the target"}
	low := panel{title: "At most: share of the limit, lower is better; the mark is the limit"}
	for _, f := range r.figures {
		if f.failure != nil || len(f.rounds) == 0 || !f.hasGoal() {
			continue
		}
		if f.atMost {
			low.add(f.bar(f.goal))
		} else {
			high.add(f.bar(1))
		}
	}
	var body strings.Builder
	y := chartMargin
	for _, p := range []panel{high, low} {
		if len(p.bars) > 0 {
			y = p.draw(&body, y)
		}
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%[1]d\" height=\"%[2]d\" role=\"img\" aria-label=\"Benchmarks: ratios and their targets\">\n  <style>%s  </style>\n%s</svg>\n",
		chartWidth, y, chartStyle, body.String())
}

// bar draws the figure in units of unit.
func (f figure) bar(unit float64) bar {
	values := f.values()
	least, most := spread(values)
	b := bar{label: f.name, median: median(values) / unit, lowest: least / unit, utmost: most / unit, target: f.goal / unit, holds: f.holds()}
	switch {
	case f.against == "":
		b.value = fmt.Sprintf("%s of %s %s", amount(median(values)), amount(f.goal), f.unit)
	case f.atMost:
		b.value = ratio(median(values)) + " of " + ratio(f.goal)
	default:
		b.value = ratio(median(values))
	}
	return b
}

// widest is the longest bar that is drawn; a longer one is cut off.
const widest = 3

func (p *panel) add(b bar) {
	p.bars = append(p.bars, b)
	p.most = max(p.most, 1.2, math.Ceil(min(b.utmost, widest)*5)/5)
}

// x is where a value stands.
func (p *panel) x(v float64) float64 {
	return labelWidth + barsWidth*min(max(v, 0), p.most)/p.most
}

// draw returns where the next panel begins.
func (p *panel) draw(to *strings.Builder, y int) int {
	fmt.Fprintf(to, "  <text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", chartMargin, y+12, escape(p.title))
	top := y + headerHeight
	bottom := top + len(p.bars)*rowHeight
	step := 0.2
	if p.most > 2 {
		step = 0.5
	}
	for tick := 0.0; tick <= p.most+step/100; tick += step {
		fmt.Fprintf(to, "  <text class=\"scale\" x=\"%.1f\" y=\"%d\">%.1f</text>\n", p.x(tick), top-6, tick)
		p.line(to, "grid", tick, top, bottom)
	}
	for i, b := range p.bars {
		p.drawBar(to, b, top+i*rowHeight+rowHeight/2)
	}
	return bottom + chartMargin
}

// drawBar draws the bar, the spread of the rounds as a thin line over it, and
// the target as a thick mark across it.
func (p *panel) drawBar(to *strings.Builder, b bar, middle int) {
	class := "short"
	if b.holds {
		class = "holds"
	}
	up, down := middle-barHeight/2, middle+barHeight/2
	fmt.Fprintf(to, "  <text class=\"label\" x=\"%d\" y=\"%d\">%s</text>\n", labelWidth-10, middle+5, escape(b.label))
	fmt.Fprintf(to, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, labelWidth, up, p.x(b.median)-labelWidth, barHeight)
	fmt.Fprintf(to, "  <line class=\"range\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", p.x(b.lowest), middle, p.x(b.utmost), middle)
	p.line(to, "target", b.target, up-4, down+4)
	fmt.Fprintf(to, "  <text x=\"%.1f\" y=\"%d\">%s</text>\n", max(p.x(b.utmost), p.x(b.target), p.x(b.median))+8, middle+5, escape(b.value))
}

func (p *panel) line(to *strings.Builder, class string, at float64, from, until int) {
	fmt.Fprintf(to, "  <line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", class, p.x(at), from, p.x(at), until)
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
