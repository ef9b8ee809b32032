package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"postern/gateway/reload"
	"postern/gateway/smtp"
)

// scramPencil is RFC 7677's example: user "user", password "pencil".
const scramPencil = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users")
	write := func(lines ...string) {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# who may sign in", "", "ann:"+string(hash)+":collect=a,b", "user:"+scramPencil)
	u, err := newUsers(file, reload.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"ann", "s3cret", true}, {"ann", "S3cret", false}, {"ann", "", false},
		{"user", "pencil", true}, {"user", "pencils", false}, {"bob", "s3cret", false}, {"", "", false},
	} {
		id, err := u.Plain(ctx, c.name, c.password)
		if (err == nil) != c.ok || c.ok && id.Name != c.name || !c.ok && !errors.Is(err, smtp.ErrBadCredentials) {
			t.Errorf("%s/%s: %+v, %v", c.name, c.password, id, err)
		}
	}
	if id, _ := u.Plain(ctx, "ann", "s3cret"); !slices.Equal(id.Collect, []string{"a", "b"}) {
		t.Errorf("collect: %v", id.Collect)
	}
	if slices.Contains(u.Mechanisms(), "SCRAM-SHA-256") {
		t.Error("SCRAM is offered although a record is bcrypt")
	}
	if r, err := u.SCRAM(ctx, "user"); err != nil || r.Iterations != 4096 {
		t.Errorf("SCRAM: %+v, %v", r, err)
	}
	write("user:" + scramPencil)
	if v, err := newUsers(file, reload.Deps{}); err != nil || v.Mechanisms()[0] != "SCRAM-SHA-256" {
		t.Errorf("with SCRAM records alone: %v", err)
	}
	for _, bad := range []string{"ann", ":x", "ann:plain", "ann:$2b$zz", "ann:SCRAM-SHA-256$0:AA==$AA==:AA==", "user:" + scramPencil + "\nuser:" + scramPencil} {
		_, err := parseUsers([]byte(bad))
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "plain") || strings.Contains(err.Error(), "zz") {
			t.Errorf("the error shows a record: %v", err)
		}
	}
}
