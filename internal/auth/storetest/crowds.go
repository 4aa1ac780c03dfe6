package storetest

import (
	"time"

	"github.com/postern-auth/postern/internal/auth"
)

// Joined is when the first user of a large crowd joined; one joined each minute.
var Joined = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// LargeLists are the lists that a store must answer in no time, however large
// the crowd. The users of the crowd are numbered from 1: user N has the name
// "userN", the e-mail address "userN@mail(N mod 100).example" and every
// thousandth a first name; one in ten has never logged in, one in a hundred is inactive,
// one in a thousand is staff, has an md5 hash and is in the group 1.
func LargeLists(users int) map[string]auth.UserList {
	late := Joined.Add(time.Duration(users) * time.Minute * 9 / 10)
	lists := map[string]auth.UserList{
		"first page":             {},
		"search a rare prefix":   {Search: "user77777", Sort: auth.ByUsername},
		"search a prefix of all": {Search: "user", Sort: auth.ByUsername},
		"search by first name":   {Search: "zoe", Sort: auth.ByLastLogin},
		"search in the middle":   {Search: "*mail42.", Sort: auth.ByUsername},
		"search nobody anywhere": {Search: "*nobody", Sort: auth.ByJoined, Descending: true},
		"search, wide, by email": {Search: "USER9", Sort: auth.ByEmail, Descending: true},
		"search, wide, by login": {Search: "USER9", Sort: auth.ByLastLogin, Descending: true},
		"staff by name":          {Staff: ptr(true), Sort: auth.ByUsername},
		"inactive by login":      {Active: ptr(false), Sort: auth.ByLastLogin, Descending: true},
		"active staff who joined": {
			Active: ptr(true), Staff: ptr(true), JoinedFrom: late, Sort: auth.ByEmail,
		},
		"joined late, by id":      {JoinedFrom: late},
		"joined late, by joining": {JoinedFrom: late, Sort: auth.ByJoined},
		"never logged in":         {NeverLoggedIn: true, Sort: auth.ByLastLogin},
		"old hashes":              {Algorithm: "md5", Sort: auth.ByJoined},
		"usual hashes":            {Algorithm: "argon2", Sort: auth.ByUsername},
		"unusable passwords":      {Algorithm: "!", Sort: auth.ByUsername},
		"a group":                 {Group: 1, Sort: auth.ByUsername},
		"nobody at all":           {Staff: ptr(true), Algorithm: "bcrypt", Superuser: ptr(false)},
	}
	for name, sort := range map[string]auth.UserSort{
		"id": auth.ByID, "name": auth.ByUsername, "email": auth.ByEmail, "joining": auth.ByJoined, "login": auth.ByLastLogin,
	} {
		lists["by "+name] = auth.UserList{Sort: sort}
		lists["by "+name+", backwards"] = auth.UserList{Sort: sort, Descending: true}
	}
	return lists
}
