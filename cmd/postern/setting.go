package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redact"
)

// envPrefix starts the name of every variable of ours.
const envPrefix = "POSTERN_"

// setting is one row of the table: its flag, its environment variable, its
// key in the file, its line in the help and in docs/settings.md.
type setting struct {
	// name is Django's name, or one in its manner: the variable without
	// POSTERN_, and in lower case the key in the file.
	name string
	// flag is the flag when it is not the name in lower case with dashes.
	flag  string
	group string
	usage string
	// hint stands for the value in the help: "HOST:PORT"; "" for a switch.
	hint string
	// preset is the default as one would write it. When it is "", absent
	// says what that means.
	preset  string
	absent  string
	choices []string
	// scope says which commands take it beside dev and serve.
	scope scope
	// implied is set where the package itself knows the default: a setting
	// that nobody gave stays unset, which the package may tell from one that
	// was set to the default.
	implied bool
	// secret keeps the value out of flags, which every user of the machine
	// can see, and out of errors.
	secret bool
	// credentials keeps the value out of errors: it may hold a password.
	credentials bool
	set         setter
}

// hidesValue reports whether a value that is wrong must not be shown.
func (s *setting) hidesValue() bool { return s.secret || s.credentials }

// scope is a set of tasks that need a setting.
type scope uint8

const (
	forDatabase scope = 1 << iota
	forSessions
	forPasswords
	forServer = scope(0xff)
)

func (s *setting) env() string { return envPrefix + s.name }
func (s *setting) key() string { return strings.ToLower(s.name) }

// flagName is "" for a setting without a flag.
func (s *setting) flagName() string {
	switch {
	case s.secret:
		return ""
	case s.flag != "":
		return s.flag
	}
	return strings.ReplaceAll(s.key(), "_", "-")
}

// defaultText is the default for people.
func (s *setting) defaultText(preset string) string {
	if preset == "" {
		return s.absent
	}
	return preset
}

// flagValue is the flag of a setting. It keeps what was written: the meaning
// is found later, together with all other mistakes.
type flagValue struct {
	texts []string
	hint  string
}

// Set may be called again: a list goes on, of anything else the last counts.
func (f *flagValue) Set(s string) error { f.texts = append(f.texts, s); return nil }
func (f *flagValue) Type() string       { return f.hint }
func (f *flagValue) String() string     { return strings.Join(f.texts, ",") }

func (f *flagValue) given(isList bool) given {
	if isList {
		return given{text: f.String()}
	}
	return given{text: f.texts[len(f.texts)-1]}
}

// bound are the settings that a command takes.
type bound struct {
	program    *program
	settings   []setting
	presets    map[string]string // defaults of this command that differ from the table's
	flags      map[string]*flagValue
	configFile string
}

// bind gives cmd the settings of the scope, as flags.
func (p *program) bind(cmd *cobra.Command, tasks scope, presets map[string]string) *bound {
	b := &bound{program: p, presets: presets, flags: map[string]*flagValue{}}
	for _, s := range table {
		if tasks == forServer || s.scope&tasks != 0 {
			b.settings = append(b.settings, s)
		}
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&b.configFile, "config", "", "")
	for _, s := range b.settings {
		name := s.flagName()
		if name == "" {
			continue
		}
		value := &flagValue{hint: s.hint}
		b.flags[s.name] = value
		flag := flags.VarPF(value, name, "", s.usage)
		if s.hint == "" {
			flag.NoOptDefVal = "true"
		}
		if s.choices != nil {
			cobra.CheckErr(cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(s.choices, cobra.ShellCompDirectiveNoFileComp)))
		}
	}
	cmd.SetUsageFunc(b.usage)
	return b
}

// preset is the default of s for this command.
func (b *bound) preset(s *setting) string {
	if preset, ok := b.presets[s.name]; ok {
		return preset
	}
	return s.preset
}

// source is where a value came from; a greater one wins.
type source int

const (
	fromPreset source = iota
	fromFile
	fromEnvironment
	fromFlag
)

// resolved is what the settings of one run come to.
type resolved struct {
	options
	bound    *bound
	sources  map[string]source // by the setting's name
	failed   map[string]bool   // settings with a mistake
	mistakes []error
	written  map[string]string // settings as they were written
	// generated says that dev makes the secret key.
	generated bool
}

// resolve reads flags, environment and file. Its mistakes are kept, so that
// all can be told at once; see [resolved.err].
func (b *bound) resolve() *resolved {
	r := &resolved{bound: b, sources: map[string]source{}, failed: map[string]bool{}, written: map[string]string{}}
	env := environment(b.program.environ)
	if b.configFile == "" {
		b.configFile = env["POSTERN_CONFIG"]
	}
	file := r.readConfigFile(b.configFile)
	for i := range b.settings {
		s := &b.settings[i]
		value := given{text: b.preset(s)}
		if g, ok := file[s.key()]; ok {
			value, r.sources[s.name] = g, fromFile
		}
		if text, ok := env[s.env()]; ok && (text != "" || s.isList()) {
			value, r.sources[s.name] = given{text: text}, fromEnvironment
		}
		if f := b.flags[s.name]; f != nil && len(f.texts) > 0 {
			value, r.sources[s.name] = f.given(s.isList()), fromFlag
		}
		r.written[s.name] = value.shown()
		if s.implied && !r.isSet(s.name) {
			continue
		}
		if !s.secret && value.isQuoted() {
			r.reject(s.name, value.shown(), "is in quotation marks, which a shell or a parser takes off and an --env-file of Docker does not; take them off")
			continue
		}
		if err := s.set(&r.options, value); err != nil {
			r.reject(s.name, value.shown(), err.Error())
		}
	}
	warnUnknown(b.program.stderr, env)
	r.readSecretKeyFile()
	return r
}

func (s *setting) isList() bool { return strings.HasSuffix(s.hint, ",…") }

func (r *resolved) isSet(name string) bool { return r.sources[name] > fromPreset }

// reject notes a mistake in a setting.
func (r *resolved) reject(name, value, problem string) {
	r.failed[name] = true
	written := r.written[name]
	if s := settingNamed(name); s != nil && s.hidesValue() || name == "SECRET_KEY_FILE" && mayBeKey(written) {
		value = ""
	} else if redact.Mistake(written) != written { // also of a part of it
		value, problem = "", redact.Quotes(problem, written)
	}
	r.mistakes = append(r.mistakes, &postern.ConfigError{Setting: r.label(name), Value: redact.Mistake(value), Problem: problem})
}

// settingNamed is nil when there is none.
func settingNamed(name string) *setting {
	i := slices.IndexFunc(table, func(s setting) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &table[i]
}

// label names the setting as whoever set it knows it.
func (r *resolved) label(name string) string {
	if name == "SECRET_KEY" && !r.isSet(name) && r.secretKeyFile != "" {
		name = "SECRET_KEY_FILE"
	}
	s := settingNamed(name)
	if s == nil {
		return envPrefix + name
	}
	switch r.sources[name] {
	case fromFlag:
		return "--" + s.flagName()
	case fromFile:
		return r.bound.configFile + ": " + s.key()
	}
	return s.env()
}

// validate adds the mistakes that the settings make together. Those of
// settings that this command does not take, or that have a mistake already,
// are left out.
func (r *resolved) validate() {
	joined, ok := r.config.Validate().(interface{ Unwrap() []error })
	if !ok {
		return
	}
	told := maps.Clone(r.failed)
	for _, err := range joined.Unwrap() {
		mistake, ok := err.(*postern.ConfigError)
		if !ok {
			r.mistakes = append(r.mistakes, err)
			continue
		}
		name := strings.TrimPrefix(mistake.Setting, envPrefix)
		if told[name] || !r.takes(name) {
			continue
		}
		r.reject(name, mistake.Value, mistake.Problem)
	}
}

// takes reports whether the setting must be right for this command.
func (r *resolved) takes(name string) bool {
	if name == "SECRET_KEY" && r.generated {
		return false
	}
	return slices.ContainsFunc(r.bound.settings, func(s setting) bool { return s.name == name })
}
