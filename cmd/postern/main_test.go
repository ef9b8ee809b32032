package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": main})
}

// TestScripts runs whole-program dialogues: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){"eventually": eventually, "misuse": misuse}, RequireExplicitExec: true, RequireUniqueNames: true})
}

// setup gives a script addresses to serve at, and a store of its own.
func setup(e *testscript.Env) error {
	for _, name := range []string{"SMTP", "SMTP2", "SMTPS", "HTTP", "WEB"} {
		addr, err := freeAddress()
		if err != nil {
			return err
		}
		e.Setenv(name, addr)
	}
	e.Setenv("POSTERN_RETRY_STORE", "sqlite://"+e.WorkDir+"/store")
	return writeCertificate(filepath.Join(e.WorkDir, "tls.crt"), filepath.Join(e.WorkDir, "tls.key"))
}

// writeCertificate makes a certificate of its own authority for mx.example.com.
func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

// misuse ARGS... runs postern, which must end with 2 and say why on its error
// output alone.
func misuse(ts *testscript.TestScript, _ bool, args []string) {
	var exit *exec.ExitError
	err := ts.Exec("postern", args...)
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || ts.ReadFile("stdout") != "" || ts.ReadFile("stderr") == "" {
		ts.Fatalf("postern %q ends with %v, want 2", args, err)
	}
}

// eventually PATTERN COMMAND... runs a command until its output matches; what
// the pattern's group matched is then in $MATCH.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: eventually pattern command...")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil {
			if m := pattern.FindStringSubmatch(ts.ReadFile("stdout")); m != nil {
				ts.Setenv("MATCH", m[len(m)-1])
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %q in 2 min: %v", args[0], err)
		}
	}
}
