package postgres

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"postern/retry/postgres/pgtest"
)

// shared is the server of all tests but those that kill theirs.
var shared pgtest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	shared.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
