package pgstore

import (
	"context"
	"flag"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
	"github.com/postern-auth/postern/internal/pgstore/pgtest"
)

var rosterUsers = flag.Int("users", 20_000, "how many users BenchmarkRoster lists")

// fillCrowd makes the users that storetest.LargeLists describes.
const fillCrowd = `insert into auth_user (username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined)
	select 'user' || i, 'user' || i || '@mail' || (i % 100) || '.example', case when i % 1000 = 7 then 'Zoe' else '' end, '',
		case when i % 1000 = 3 then 'md5$x$y' when i % 500 = 4 then '!x' else 'argon2$argon2id$v=19$m=19456,t=2,p=1$' || md5(i::text) || '$' || md5(i::text || 'x') end,
		i % 100 <> 5, i % 1000 = 3, i = 1,
		case when i % 10 <> 0 then timestamptz '2021-01-01 00:00Z' + (i * 7919 % 3000000) * interval '1 minute' end,
		timestamptz '2020-01-01 00:00Z' + i * interval '1 minute'
	from generate_series(1, $1::bigint) i`

func fill(t testing.TB, url string, users int) {
	t.Helper()
	pgtest.Exec(t, url, fillCrowd, users)
	pgtest.Exec(t, url, `insert into auth_group (id, name) values (1, 'group')`)
	pgtest.Exec(t, url, `insert into auth_user_groups (user_id, group_id) select id, 1 from auth_user where id % 1000 = 3`)
}

// openCrowd opens a store with a large crowd, and says so to the planner as the
// server does by itself after a while.
func openCrowd(t testing.TB, users int) (s *Store, url string) {
	t.Helper()
	url = pgtest.Database(t)
	s = openMigrated(t, url, Options{})
	fill(t, url, users)
	pgtest.Exec(t, url, `vacuum analyze auth_user, auth_user_groups`)
	return s, url
}

func sortedNames(lists map[string]auth.UserList) []string {
	var names []string
	for name := range lists {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func BenchmarkRoster(b *testing.B) {
	s, _ := openCrowd(b, *rosterUsers)
	lists := storetest.LargeLists(*rosterUsers)
	for _, name := range sortedNames(lists) {
		b.Run(name, func(b *testing.B) {
			l := lists[name]
			for b.Loop() {
				page, err := s.ListUsers(b.Context(), l)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(page.Users)), "rows")
				// The second page is no slower than the first.
				if l.Place == "" {
					l.Place = page.Next
				}
			}
		})
		b.Run(name+", counted", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.CountUsers(b.Context(), lists[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// asked remembers what is asked of the database, and with which parameters.
type asked struct {
	mu      sync.Mutex
	queries map[string][]any
}

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queries[q.SQL] = q.Args
	return ctx
}

func (a *asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// watched replaces the pool of a store with one whose queries are remembered.
func watched(t *testing.T, s *Store, url string) *asked {
	t.Helper()
	a := &asked{queries: make(map[string][]any)}
	config, err := parseURL(url, 4)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = a
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	s.pool.Close()
	s.pool = pool
	return a
}

// rowsRead are the rows that a step of a plan gave or passed over.
var rowsRead = regexp.MustCompile(`(?:rows=|Rows Removed by .*: )(\d+)`)

func TestLargeListsReadFewRows(t *testing.T) {
	const users = 20_000
	s, url := openCrowd(t, users)
	s.reach = reach{pick: 200, walk: 1000}
	a := watched(t, s, url)
	lists := storetest.LargeLists(users)
	for _, name := range sortedNames(lists) {
		l := lists[name]
		for range 3 {
			page, err := s.ListUsers(t.Context(), l)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if l.Place = page.Next; l.Place == "" {
				break
			}
		}
	}
	looked := 0
	for query, args := range a.queries {
		if !strings.Contains(query, "auth_user") {
			continue
		}
		looked++
		for _, step := range mustExplain(t, url, query, args) {
			for _, match := range rowsRead.FindAllStringSubmatch(step, -1) {
				if n, err := strconv.Atoi(match[1]); err != nil || n > s.reach.walk+1 {
					t.Errorf("%s\n%s\n%v", step, query, args)
				}
			}
		}
	}
	if looked < 25 {
		t.Errorf("only %d statements were looked at", looked)
	}
}

func mustExplain(t *testing.T, url, query string, args []any) []string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), strings.Replace(planByOrder, "true", "false", 1)); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(context.Background(), "explain (analyze, costs off, timing off, summary off) "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return steps
}
