package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// makeSuperuser lets user 0 enter the admin site.
const makeSuperuser = `update auth_user set is_staff = 1, is_superuser = 1 where id = $1`

// adminPages are those that the wire carries most for: full lists.
var adminPages = []string{
	"/admin/", "/admin/auth/user/", "/admin/auth/user/?sort=-date_joined", "/admin/sessions/session/", "/admin/audit/",
	fmt.Sprintf("/admin/auth/user/%d/change/", firstID+1),
}

// askAdmin asks for a page of the admin site as user 0, and says how long the
// answer took and how large it was, headers and all.
func (l *lab) askAdmin(s *server, path string) (time.Duration, int, error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n" +
		"Cookie: csrftoken=" + csrfSecret + "; sessionid=" + string(l.jar.key(0)) + "\r\n\r\n"
	begin := time.Now()
	response, wire, err := s.exchange([]byte(request))
	took := time.Since(begin)
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("ask for %s: %w", path, err)
	case response.StatusCode != http.StatusOK:
		return 0, 0, fmt.Errorf("ask for %s: %s", path, response.Status)
	}
	return took, len(wire), nil
}

// askedInARow is how often a page is asked for in a round; the median counts.
const askedInARow = 11

// administer measures the pages of the admin site over the large database.
func (l *lab) administer(ctx context.Context) ([][]round, error) {
	s, err := l.start(l.large)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var first, found, heaviest []round
	for range l.rounds {
		took, err := l.medianOfPage(ctx, s, func(int) string { return "/admin/auth/user/" })
		if err != nil {
			return nil, err
		}
		first = append(first, round{measured: took})
		// A prefix that a hundred names have, another one each time.
		took, err = l.medianOfPage(ctx, s, func(i int) string {
			return fmt.Sprintf("/admin/auth/user/?q=user%d", (firstID+i*l.many/askedInARow)/100)
		})
		if err != nil {
			return nil, err
		}
		found = append(found, round{measured: took})
		most := 0
		for _, path := range adminPages {
			_, size, err := l.askAdmin(s, path)
			if err != nil {
				return nil, err
			}
			most = max(most, size)
		}
		heaviest = append(heaviest, round{measured: float64(most) / 1000})
	}
	return [][]round{first, found, heaviest}, nil
}

func (l *lab) medianOfPage(ctx context.Context, s *server, path func(int) string) (float64, error) {
	var took []float64
	for i := range askedInARow {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		one, _, err := l.askAdmin(s, path(i))
		if err != nil {
			return 0, err
		}
		took = append(took, milliseconds(one))
	}
	return median(took), nil
}
