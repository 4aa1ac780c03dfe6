package django

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// vectors are testdata/sessions.json, made by Django 5.2.
type vectors struct {
	SecretKey   string `json:"secret_key"`
	SessionData []struct {
		Time    int64
		Data    json.RawMessage
		Encoded string
	} `json:"session_data"`
	AuthHash []struct {
		PasswordField   string `json:"password_field"`
		SessionAuthHash string `json:"session_auth_hash"`
	} `json:"auth_hash"`
	CSRF        []struct{ Secret, Masked string } `json:"csrf"`
	ResetTokens []struct {
		PK            int64
		Email         string
		PasswordField string     `json:"password_field"`
		LastLogin     *time.Time `json:"last_login"`
		NowUTC        string     `json:"now_utc"`
		Token         string
	} `json:"password_reset_tokens"`
	SessionCookie struct {
		Alphabet string
		Length   int
	} `json:"session_cookie"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	var v vectors
	readJSON(t, "testdata/sessions.json", &v)
	if len(v.SessionData) != 10 || len(v.AuthHash) != 3 || len(v.CSRF) != 8 || len(v.ResetTokens) != 2 {
		t.Fatalf("%d, %d, %d and %d vectors", len(v.SessionData), len(v.AuthHash), len(v.CSRF), len(v.ResetTokens))
	}
	return v
}

// database is testdata/database.json: the sessions in the database of a Django
// 5.2, each with its user.
type database struct {
	SecretKey string `json:"secret_key"`
	Sessions  []struct {
		SessionKey    string `json:"session_key"`
		SessionData   string `json:"session_data"`
		ExpireDate    string `json:"expire_date"`
		Valid         bool
		Why           string
		Username      string
		UserID        int64  `json:"user_id"`
		PasswordField string `json:"password_field"`
		IsActive      bool   `json:"is_active"`
	}
}

func readDatabase(t *testing.T) database {
	t.Helper()
	var d database
	readJSON(t, "testdata/database.json", &d)
	if len(d.Sessions) != 7 {
		t.Fatalf("%d sessions", len(d.Sessions))
	}
	return d
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
