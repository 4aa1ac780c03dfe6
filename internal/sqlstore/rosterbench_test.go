package sqlstore

import (
	"context"
	"database/sql"
	"flag"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/auth/storetest"
)

var rosterUsers = flag.Int("users", 20_000, "how many users BenchmarkRoster lists")

// fillCrowd makes the users that storetest.LargeLists describes.
const fillCrowd = `with recursive n (i) as (select 1 union all select i + 1 from n where i < $1)
	insert into auth_user (username, email, first_name, last_name, password, is_active, is_staff, is_superuser, last_login, date_joined)
	select 'user' || i, 'user' || i || '@mail' || (i % 100) || '.example', case when i % 1000 = 7 then 'Zoe' else '' end, '',
		case when i % 1000 = 3 then 'md5$x$y' when i % 500 = 4 then '!x' else 'argon2$argon2id$v=19$m=19456,t=2,p=1$' || hex(randomblob(16)) || '$' || hex(randomblob(20)) end,
		i % 100 <> 5, i % 1000 = 3, i = 1,
		case when i % 10 <> 0 then strftime('%Y-%m-%d %H:%M:%S', '2021-01-01', (i * 7919 % 3000000) || ' minutes') end,
		strftime('%Y-%m-%d %H:%M:%S', '2020-01-01', i || ' minutes')
	from n`

func openCrowd(t testing.TB, users int) *Store {
	t.Helper()
	s, err := OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "postern.sqlite3"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	err = s.write.do(context.Background(), func(x *tx) error {
		if _, err := x.exec(fillCrowd, users); err != nil {
			return err
		}
		if _, err := x.exec(`insert into auth_group (id, name) values (1, 'group')`); err != nil {
			return err
		}
		_, err := x.exec(`insert into auth_user_groups (user_id, group_id) select id, 1 from auth_user where id % 1000 = 3`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkRoster(b *testing.B) {
	s := openCrowd(b, *rosterUsers)
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

func sortedNames(lists map[string]auth.UserList) []string {
	var names []string
	for name := range lists {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestLargeListsAreReadByAnIndex(t *testing.T) {
	const users = 20_000
	s := openCrowd(t, users)
	s.reach = reach{pick: 200, walk: 1000}
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
	s.lists.mu.RLock()
	defer s.lists.mu.RUnlock()
	db := outside(t, s.path)
	looked := 0
	for query := range s.lists.prepared {
		if !strings.Contains(query, "auth_user") {
			continue
		}
		looked++
		for _, row := range mustExplain(t, db, query) {
			scans := strings.HasPrefix(row, "SCAN u") || strings.HasPrefix(row, "SCAN auth_user")
			sorts := strings.Contains(row, "TEMP B-TREE") && !strings.Contains(query, "json_each")
			byID := strings.Contains(query, "order by u.id")
			if scans && !strings.Contains(row, "INDEX") && !byID || sorts {
				t.Errorf("%s\n%s", row, query)
			}
		}
	}
	if looked < 25 {
		t.Errorf("only %d statements were looked at", looked)
	}
}

// mustExplain returns the steps of a query's plan, which does not depend on
// its parameters.
func mustExplain(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	most := 0
	for _, match := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(query, -1) {
		n, _ := strconv.Atoi(match[1])
		most = max(most, n)
	}
	rows, err := db.Query("explain query plan "+query, make([]any, most)...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var step string
		var ignored any
		if err := rows.Scan(&ignored, &ignored, &ignored, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatalf("no plan of %s: %v", query, err)
	}
	return steps
}
