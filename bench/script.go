package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
)

const (
	keyLength = 32
	keyChars  = "abcdefghijklmnopqrstuvwxyz0123456789"
	// password is that of every user. It is no secret: the databases are made
	// for the run and deleted after it.
	password = "tr0ub4dor-x9-bench"
)

// appendKey appends the key of the session of user n: 32 of a-z0-9.
func appendKey(to []byte, n int) []byte {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("session"), uint64(n)))
	for _, b := range sum[:keyLength] {
		to = append(to, keyChars[int(b)%len(keyChars)])
	}
	return to
}

// appendUsername appends the name of user n. All names are equally long, so
// that all answers are.
func appendUsername(to []byte, n int) []byte {
	return appendPadded(append(to, "user"...), n)
}

// appendPadded appends n with seven digits.
func appendPadded(to []byte, n int) []byte { return strconv.AppendInt(to, int64(firstID+n), 10) }

// jar holds the keys of the sessions of the users 0 to n-1, one after another.
type jar []byte

func newJar(n int) jar {
	j := make(jar, 0, n*keyLength)
	for i := range n {
		j = appendKey(j, i)
	}
	return j
}

func (j jar) key(n int) []byte { return j[n*keyLength : (n+1)*keyLength] }

// checks asks GET /api/user/ with the session that next names, and with the
// CSRF cookie that a browser sends along.
func checks(j jar, next func() int) script {
	return checksBy(func(to []byte, n int) []byte { return append(to, j.key(n)...) }, next)
}

// checksBy makes each key when it is needed, for more sessions than a jar
// should hold.
func checksBy(appendKey func(to []byte, n int) []byte, next func() int) script {
	const head = "GET /api/user/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nCookie: csrftoken=" + csrfSecret + "; sessionid="
	return func(to []byte) []byte {
		to = appendKey(append(to, head...), next())
		return append(to, "\r\n\r\n"...)
	}
}

// inTurn names 0 to n-1, over and over.
func inTurn(n int) func() int {
	last := -1
	return func() int {
		last = (last + 1) % n
		return last
	}
}

// atRandom names any of 0 to n-1.
func atRandom(n int) func() int {
	random := rand.New(rand.NewPCG(1, 2))
	return func() int { return random.IntN(n) }
}

// onceEach names all of 0 to n-1 in a random order before it names one again.
func onceEach(n int) func() int {
	order, next := rand.New(rand.NewPCG(3, 4)).Perm(n), inTurn(n)
	return func() int { return order[next()] }
}

// logins logs in as one of n users after another.
func logins(n int) script {
	next := inTurn(n)
	return func(to []byte) []byte {
		return appendPost(to, "login", func(body []byte) []byte {
			body = appendUsername(append(body, `{"username":"`...), next())
			return append(body, `","password":"`+password+`"}`...)
		})
	}
}

// registrations registers a new user each time; series makes the names of two
// scripts differ.
func registrations(series string) script {
	n := 0
	return func(to []byte) []byte {
		n++
		name := series + strconv.Itoa(n)
		return appendPost(to, "register", func(body []byte) []byte {
			return fmt.Appendf(body, `{"username":"%s","email":"%s@example.com","password":"%s","password2":"%s"}`, name, name, password, password)
		})
	}
}

func appendPost(to []byte, endpoint string, appendBody func([]byte) []byte) []byte {
	var room [256]byte
	body := appendBody(room[:0])
	to = fmt.Appendf(to, "POST /api/%s/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", endpoint, len(body))
	return append(to, body...)
}
