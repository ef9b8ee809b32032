package scram

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// vector is RFC 7677's example: user "user", password "pencil".
func vector(t testing.TB) (Hello, Record, string) {
	hello, err := ParseFirst("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
	if err != nil {
		t.Fatal(err)
	}
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return hello, Record{
		Salt: decode("W22ZaJ0SNY7soEsUEjb6gQ=="), Iterations: 4096,
		StoredKey: decode("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="), ServerKey: decode("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
	}, "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
}

const (
	serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	clientFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)

func TestVector(t *testing.T) {
	hello, rec, nonce := vector(t)
	signature, err := CheckFinal(clientFinal, hello, nonce, serverFirst, rec)
	if got := base64.StdEncoding.EncodeToString(signature); err != nil || got != "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("%s, %v", got, err)
	}
	for wrong, want := range map[string]error{
		strings.Replace(clientFinal, "p=dH", "p=dI", 1):     ErrProof,
		strings.Replace(clientFinal, "c=biws", "c=eSws", 1): ErrSyntax,
		strings.Replace(clientFinal, "r=rO", "r=rP", 1):     ErrSyntax,
		"c=biws": ErrSyntax, "": ErrSyntax, ",p=": ErrSyntax,
	} {
		if _, err := CheckFinal(wrong, hello, nonce, serverFirst, rec); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", wrong, err, want)
		}
	}
}

// Whatever a client says, it is read or refused; a proof is for this exchange alone.
func FuzzMessages(f *testing.F) {
	f.Add("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", clientFinal)
	f.Add("y,a=b,n=a=2Cb=3D,r=x,ext=1", "c=,r=,p=")
	f.Add("p=tls-unique,,n=a,r=b", "")
	f.Fuzz(func(t *testing.T, first, final string) {
		hello, err := ParseFirst(first)
		if err == nil && (hello.User == "" || hello.Nonce == "") {
			t.Errorf("%q: %+v", first, hello)
		}
		known, rec, nonce := vector(t)
		if _, err := CheckFinal(final, known, nonce, serverFirst, rec); err == nil && !strings.HasPrefix(final, "c=biws,r="+nonce) {
			t.Errorf("%q is taken", final)
		}
	})
}
