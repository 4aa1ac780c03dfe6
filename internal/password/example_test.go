package password_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/postern-auth/postern/internal/password"
)

// A login: through the gate, the password is compared with the hash of the
// user's row, and an outdated hash is made anew.
func ExampleHashing_Verify() {
	hashing, err := password.New(password.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	gate := password.NewGate(password.GateOptions{Workers: 2})

	// As an old Django made it.
	stored := "pbkdf2_sha256$1000$seasalt2$vVHZGEs7v6quz+ZQJ3YUviKmZHPrpr5OATMMKlICjVY="
	err = gate.Do(context.Background(), netip.MustParseAddr("192.0.2.1"), func() {
		ok, outdated := hashing.Verify("correct horse battery staple", stored)
		fmt.Println(ok, outdated)
		if ok && outdated {
			if upgraded, err := hashing.Hash("correct horse battery staple"); err == nil {
				stored = upgraded
			}
		}
	})
	fmt.Println(err, password.Describe(stored))
	// Output:
	// true true
	// <nil> argon2id m=19456 t=2 p=1
}

func ExampleNew() {
	_, err := password.New(password.Options{Algorithm: "sha1", BcryptCost: 99})
	fmt.Println(err)
	// Output:
	// algorithm is "sha1", must be one of argon2, pbkdf2_sha256, pbkdf2_sha1, bcrypt_sha256, bcrypt, scrypt or (for tests) md5
	// bcrypt cost is 99, must be from 4 to 16
}

func ExampleValidate() {
	validators := password.Validators(8)
	for _, message := range password.Validate(validators, "john99", password.Attributes{Username: "john"}) {
		fmt.Println(message)
	}
	// Output:
	// The password is too similar to the username.
	// This password is too short. It must contain at least 8 characters.
}

func ExampleDescribe() {
	fmt.Println(password.Describe("bcrypt_sha256$$2b$12$rDNOp1fAkjeJIk.p8G7rhOysxvGZ5By4kGYHyvlsq./x4gwK9p/k6"))
	fmt.Println(password.Describe("!9SbJaFfPzzNqF2w5UzKeuzqPzLPfMGbZDJqAvtXn"))
	fmt.Println(password.Describe("sha1$salt$0000000000000000000000000000000000000000"))
	// Output:
	// bcrypt_sha256 cost 12
	// unusable
	// unknown
}
