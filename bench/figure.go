package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// round is what one round of A B A B measured: A, and B beside it.
type round struct{ measured, baseline float64 }

// figure is one line of the table.
type figure struct {
	name    string
	against string  // what the baseline is; "" for an absolute figure
	unit    string  // of what was measured
	goal    float64 // 0 for none: the figure is there to be known
	atMost  bool    // whether goal is the most, not the least
	rounds  []round
	failure error // why there is no figure
}

// values are the ratios of the rounds, each of its own two measures, or for an
// absolute figure what was measured.
func (f figure) values() []float64 {
	var values []float64
	for _, r := range f.rounds {
		if f.against == "" {
			values = append(values, r.measured)
		} else {
			values = append(values, r.measured/r.baseline)
		}
	}
	return values
}

func (f figure) measured() float64 {
	return medianOf(f.rounds, func(r round) float64 { return r.measured })
}

func (f figure) baseline() float64 {
	return medianOf(f.rounds, func(r round) float64 { return r.baseline })
}

func (f figure) hasGoal() bool { return f.goal != 0 }

// holds reports whether the median of the rounds reaches the goal.
func (f figure) holds() bool {
	if f.failure != nil || len(f.rounds) == 0 {
		return false
	}
	if f.atMost {
		return median(f.values()) <= f.goal
	}
	return median(f.values()) >= f.goal
}

func medianOf(rounds []round, of func(round) float64) float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, of(r))
	}
	return median(values)
}

// median returns the middle of values, 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread returns the least and the most of values.
func spread(values []float64) (least, most float64) {
	if len(values) == 0 {
		return 0, 0
	}
	return slices.Min(values), slices.Max(values)
}

// amount writes a measure with three digits or more, and thousands apart.
func amount(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }
