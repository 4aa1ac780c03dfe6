package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redact"
)

// checkup is what the command found, as programs get it.
type checkup struct {
	Ready      bool           `json:"ready"` // serve would start
	Database   databaseJSON   `json:"database"`
	Problems   []string       `json:"problems"`
	Hashes     string         `json:"hashes,omitempty"`   // how new passwords are hashed beside a Django, and why
	Warnings   []string       `json:"warnings,omitempty"` // what to know beside a Django
	Weaknesses []weaknessJSON `json:"weaknesses"`         // null: not asked for
	Silenced   int            `json:"silenced"`
	Replica    *replicaJSON   `json:"replica,omitempty"` // of the database
	Memory     memoryJSON     `json:"memory_limit"`

	sessions   string             // where they are, "": in the database
	weakStores []postern.Weakness // of the servers that hold users and sessions
}

type databaseJSON struct {
	URL     string   `json:"url"`
	Exists  bool     `json:"exists"`
	Pending []string `json:"pending"` // steps of the schema
}

type memoryJSON struct {
	Bytes int64  `json:"bytes"` // 0: no limit
	From  string `json:"from"`
}

type replicaJSON struct {
	URL     string `json:"url"`
	Problem string `json:"problem"` // why it would not be asked, "": it would
}

type weaknessJSON struct {
	ID      string `json:"id"`
	Level   string `json:"level"` // "weak" or "advice"
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Why     string `json:"why"`
	WayOut  string `json:"way_out"`
}

// errNotReady and errWeak end the command after its report.
var (
	errNotReady = errors.New("serve would not start")
	errWeak     = errors.New("weak settings were found; change them, or silence what is meant so with --silence ID")
)

func (p *program) checkCommand() *cobra.Command {
	var deploy, asJSON bool
	var silenced []string
	cmd := &cobra.Command{
		Use:     "check [flags]",
		GroupID: groupServer,
		Short:   "Say whether serve would start, and what is weak for production",
		Long: "Say whether serve would start with these settings: all mistakes are told at once, and the\n" +
			"database, its replica and the session store are looked at and left as they are. With\n" +
			"--deploy, name every setting that is weak in production, with its way out. The exit code is\n" +
			"0 when serve would start and nothing is weak (advice does not count), 1 otherwise, and 2 for\n" +
			"mistakes in the settings.",
		Example: "  postern check --deploy --config /etc/postern.toml --silence postern.W020",
		Args:    cobra.NoArgs,
	}
	b := p.bind(cmd, forServer, nil)
	cmd.Flags().BoolVar(&deploy, "deploy", false, "name the settings that are weak in production")
	cmd.Flags().StringSliceVar(&silenced, "silence", nil, "leave out the weakness of that `ID`; may come several times")
	jsonFlag(cmd, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkIDs(silenced); err != nil {
			return err
		}
		r := b.resolve()
		r.checkListening()
		r.validate()
		if err := r.err(); err != nil {
			return err
		}
		r.config.Log = p.logger(r)
		found, err := r.checkUp(cmd.Context())
		if err != nil {
			return err
		}
		if deploy {
			found.weigh(slices.Concat(r.weaknesses(), found.weakStores), silenced)
		}
		return p.tell(r, found, asJSON)
	}
	return cmd
}

var weaknessID = regexp.MustCompile(`^postern\.W[0-9]{3}$`)

func checkIDs(ids []string) error {
	for _, id := range ids {
		if !weaknessID.MatchString(id) {
			return &usageError{fmt.Sprintf("--silence=%q: is not the ID of a weakness, such as postern.W020", id)}
		}
	}
	return nil
}

// checkUp finds out what stands against a start. Its error is a mistake in the
// settings that only the database shows.
func (r *resolved) checkUp(ctx context.Context) (*checkup, error) {
	c := &checkup{Problems: []string{}, Database: databaseJSON{URL: redact.URL(r.config.Database), Pending: []string{}}}
	condition, err := postern.CheckDatabase(ctx, r.config)
	if isUsage(err) {
		return nil, err
	}
	if err != nil {
		c.Problems = append(c.Problems, oneLine(err.Error()))
	}
	if condition != nil {
		c.Database.Exists = condition.Exists
		for _, m := range condition.Pending() {
			c.Database.Pending = append(c.Database.Pending, m.Name)
		}
		c.weakStores = condition.Weaknesses
		c.Hashes, c.Warnings = condition.Hashes, condition.Warnings
		if err == nil && r.config.DatabaseReplica != "" {
			c.Replica = &replicaJSON{URL: redact.URL(r.config.DatabaseReplica)}
			if condition.Replica != nil {
				c.Replica.Problem = oneLine(condition.Replica.Error())
			}
		}
	}
	if r.config.SessionStore != "" {
		c.sessions = redact.URL(r.config.SessionStore)
		weak, err := postern.CheckSessionStore(ctx, r.config)
		if err != nil {
			c.Problems = append(c.Problems, oneLine(err.Error()))
		}
		c.weakStores = append(c.weakStores, weak...)
	}
	if r.listen.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(r.listen.TLSCert, r.listen.TLSKey); err != nil {
			c.Problems = append(c.Problems, fmt.Sprintf("%s and %s: %s", r.label("TLS_CERT"), r.label("TLS_KEY"), oneLine(err.Error())))
		}
	}
	limit := r.memoryLimit()
	c.Memory = memoryJSON{limit.bytes, limit.source}
	c.Ready = len(c.Problems) == 0
	return c, nil
}

// weaknesses are those of the settings, of the place to listen and of the files.
func (r *resolved) weaknesses() []postern.Weakness {
	return slices.Concat(r.config.Weaknesses(), r.listen.Weaknesses(r.config), r.weakFiles())
}

// weigh keeps the weaknesses that are not silenced.
func (c *checkup) weigh(all []postern.Weakness, silenced []string) {
	c.Weaknesses = []weaknessJSON{}
	for _, w := range all {
		if slices.Contains(silenced, w.ID) {
			c.Silenced++
			continue
		}
		level := "weak"
		if w.Advice {
			level = "advice"
		}
		c.Weaknesses = append(c.Weaknesses, weaknessJSON{ID: w.ID, Level: level, Setting: w.Setting, Value: w.Value, Why: w.Why, WayOut: w.WayOut})
	}
}

// tell reports what was found; its error is for the exit code.
func (p *program) tell(r *resolved, c *checkup, asJSON bool) error {
	if err := p.report(asJSON, c, c.text(r)); err != nil {
		return err
	}
	if !c.Ready {
		return errNotReady
	}
	if slices.ContainsFunc(c.Weaknesses, func(w weaknessJSON) bool { return w.Level == "weak" }) {
		return errWeak
	}
	return nil
}

// text is what was found, for people.
func (c *checkup) text(r *resolved) string {
	lines := []string{"settings: no mistakes"}
	if c.Ready {
		lines = append(lines, "database: "+c.Database.describe())
		if c.Replica != nil {
			lines = append(lines, c.Replica.describe())
		}
		if c.sessions != "" {
			lines = append(lines, "session store: "+printable(c.sessions)+" answers, its version and the user's rights suffice")
		}
	}
	if c.Hashes != "" {
		lines = append(lines, "new password hashes: "+printable(c.Hashes))
	}
	for _, warning := range c.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	lines = append(lines, fmt.Sprintf("memory limit: %s (%s)", chosenLimit{c.Memory.Bytes, c.Memory.From}, c.Memory.From))
	for _, problem := range c.Problems {
		lines = append(lines, "problem: "+problem)
	}
	for _, w := range c.Weaknesses {
		setting := r.label(strings.TrimPrefix(w.Setting, envPrefix))
		if w.Value != "" {
			setting += fmt.Sprintf("=%q", w.Value)
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s\n    why: %s\n    way out: %s", w.Level, w.ID, printable(setting), w.Why, w.WayOut))
	}
	if c.Weaknesses != nil {
		lines = append(lines, fmt.Sprintf("weaknesses: %s, %d silenced", c.count(), c.Silenced))
	}
	return strings.Join(lines, "\n")
}

func (r *replicaJSON) describe() string {
	line := "replica: " + printable(r.URL)
	if r.Problem != "" {
		return line + " would not be asked: " + r.Problem
	}
	return line + " follows the database"
}

func (d *databaseJSON) describe() string {
	url := printable(d.URL)
	switch n := len(d.Pending); {
	case !d.Exists:
		return url + " is not there yet; serve makes it"
	case n > 0:
		return fmt.Sprintf("%s can be written; serve takes %s of the schema at its start", url, plural(n, "pending step"))
	}
	return url + " can be written, its schema is complete"
}

func (c *checkup) count() string {
	weak := 0
	for _, w := range c.Weaknesses {
		if w.Level == "weak" {
			weak++
		}
	}
	return fmt.Sprintf("%d weak, %s", weak, plural(len(c.Weaknesses)-weak, "piece")+" of advice")
}
