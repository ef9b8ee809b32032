package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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
	u, err := Open(file, reload.Deps{})
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
	if r, err := u.SCRAM(ctx, "user"); err != nil || r.Iterations != 4096 || r.Identity.Name != "user" {
		t.Errorf("SCRAM: %+v, %v", r, err)
	}
	write("user:" + scramPencil)
	if v, err := Open(file, reload.Deps{}); err != nil || v.Mechanisms()[0] != "SCRAM-SHA-256" {
		t.Errorf("with SCRAM records alone: %v", err)
	}
	for _, bad := range []string{"ann", ":x", "ann:plain", "ann:$2b$zz", "ann:SCRAM-SHA-256$0:AA==$AA==:AA==", "user:" + scramPencil + "\nuser:" + scramPencil} {
		_, err := parse([]byte(bad))
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "plain") || strings.Contains(err.Error(), "zz") {
			t.Errorf("the error shows a record: %v", err)
		}
	}
}

// TestStranger: who doesn't exist has the forms of those who do, each as often,
// and the same on every replica.
func TestStranger(t *testing.T) {
	hash := func(cost int) string {
		h, err := bcrypt.GenerateFromPassword([]byte("s3cret"), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	cheap, dear := hash(4), hash(6)
	open := func(lines ...string) *Users {
		file := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		u, err := Open(file, reload.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, c := range map[string]struct {
		lines []string
		share map[form]int // of 4
	}{
		"one bcrypt":    {[]string{"a:" + dear}, map[form]int{{cost: 6}: 4}},
		"one SCRAM":     {[]string{"a:" + scramPencil}, map[form]int{{iterations: 4096, salt: 16}: 4}},
		"three and one": {[]string{"a:" + dear, "b:" + dear, "c:" + cheap, "d:" + scramPencil}, map[form]int{{cost: 6}: 2, {cost: 4}: 1, {iterations: 4096, salt: 16}: 1}},
		"nobody":        {[]string{"# nobody"}, map[form]int{{cost: bcrypt.DefaultCost}: 4}},
	} {
		u, replica := open(c.lines...), open(c.lines...)
		const asked = 400
		got := map[form]int{}
		for i := range asked {
			who := fmt.Sprint("stranger", i)
			one, known := u.find(who)
			other, _ := replica.find(who)
			if known || !reflect.DeepEqual(one, other) {
				t.Fatalf("%s: %s is known %t, and differs: %v %v", name, who, known, one, other)
			}
			got[formOf(one)]++
		}
		for f, quarters := range c.share {
			if n := got[f]; n < asked/4*quarters-60 || n > asked/4*quarters+60 {
				t.Errorf("%s: %d of %d strangers have %+v, want %d in four", name, n, asked, f, quarters)
			}
		}
		if len(got) != len(c.share) {
			t.Errorf("%s: %v", name, got)
		}
	}
	u := open("a:" + scramPencil)
	one, _ := u.SCRAM(context.Background(), "x")
	two, _ := u.SCRAM(context.Background(), "y")
	if bytes.Equal(one.Salt, two.Salt) || len(one.Salt) != 16 {
		t.Errorf("salts %x %x", one.Salt, two.Salt)
	}
	more := open("a:"+scramPencil, "b:"+strings.Replace(scramPencil, "W22Z", "X22Z", 1))
	if again, _ := more.SCRAM(context.Background(), "x"); !bytes.Equal(again.Salt, one.Salt) {
		t.Error("another user with other records changed a stranger's salt") // its keys are the same: so is the smallest hash
	}
}
