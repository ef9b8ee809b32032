package main

import (
	"net"
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
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: setup, Cmds: map[string]func(*testscript.TestScript, bool, []string){"eventually": eventually}, RequireExplicitExec: true, RequireUniqueNames: true})
}

// setup gives a script addresses to serve at, and a store of its own.
func setup(e *testscript.Env) error {
	for _, name := range []string{"SMTP", "SMTP2", "HTTP", "WEB"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		e.Setenv(name, ln.Addr().String())
		ln.Close()
	}
	e.Setenv("POSTERN_RETRY_STORE", "sqlite://"+e.WorkDir+"/store")
	return nil
}

// eventually PATTERN COMMAND... runs a command until its output matches; what
// the pattern's group matched is then in $MATCH.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: eventually pattern command...")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil {
			if m := pattern.FindStringSubmatch(ts.ReadFile("stdout")); m != nil {
				ts.Setenv("MATCH", m[len(m)-1])
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %q in 20 s: %v", args[0], err)
		}
	}
}
