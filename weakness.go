package postern

import (
	"fmt"
	"strings"
)

// Weakness is a setting that works, and protects less than it should in
// production. Mistakes, with which nothing works, are a [ConfigError].
type Weakness struct {
	// ID names the kind of weakness, "postern.W001". It never changes its
	// meaning, so that one can be left out of a report by its ID.
	ID string
	// Setting is the setting as the environment names it: "POSTERN_ALLOWED_HOSTS".
	Setting string
	// Value is as it was set, or the part of a list that is weak; "" for secrets.
	Value string
	// Advice tells what would be better still from what is weak: sound
	// installations may have reasons not to follow it.
	Advice bool
	// AtStart says that a server should log it at every start.
	AtStart bool
	Why     string // what an attacker gains, a sentence without a full stop
	WayOut  string // what to set instead
}

// String is the weakness in one line.
func (w Weakness) String() string {
	setting := w.Setting
	if w.Value != "" {
		setting = fmt.Sprintf("%s=%q", w.Setting, w.Value)
	}
	return fmt.Sprintf("%s %s: %s; %s", w.ID, setting, w.Why, w.WayOut)
}

// Weaknesses returns what is weak in a configuration that is to serve in
// production, as "manage.py check --deploy" does for Django, in the order of
// the IDs. It reads no files, and does not know where the handler listens: see
// [Listen.Weaknesses]. A configuration with mistakes may give nonsense; call
// [Config.Validate] before.
func (c Config) Weaknesses() []Weakness {
	c = c.withDefaults()
	var found []Weakness
	for _, rule := range weakConfigs {
		for _, value := range rule.values(&c) {
			found = append(found, rule.weakness(value))
		}
	}
	return found
}

// Weaknesses returns what is weak in listening there with that configuration.
func (l Listen) Weaknesses(c Config) []Weakness {
	c = c.withDefaults()
	var found []Weakness
	for _, rule := range weakListens {
		for _, value := range rule.values(&listening{Listen: l, config: &c}) {
			found = append(found, rule.weakness(value))
		}
	}
	return found
}

// weakRule is one kind of weakness of a T.
type weakRule[T any] struct {
	number  int
	setting string // without POSTERN_
	advice  bool
	atStart bool
	// values returns the values of the setting that are weak, none if it is
	// sound. The values of secrets are "".
	values func(T) []string
	why    string
	wayOut string
}

func (r *weakRule[T]) weakness(value string) Weakness {
	return Weakness{
		ID:      fmt.Sprintf("postern.W%03d", r.number),
		Setting: "POSTERN_" + r.setting,
		Value:   value,
		Advice:  r.advice,
		AtStart: r.atStart,
		Why:     r.why,
		WayOut:  r.wayOut,
	}
}

// when is the value, if it is weak.
func when(weak bool, value any) []string {
	if !weak {
		return nil
	}
	return []string{fmt.Sprint(value)}
}

// which are the values that are weak.
func which(values []string, weak func(string) bool) []string {
	var found []string
	for _, v := range values {
		if weak(v) {
			found = append(found, v)
		}
	}
	return found
}

func isPlainOrigin(origin string) bool {
	return strings.HasPrefix(strings.ToLower(origin), "http://") || origin == "null"
}
