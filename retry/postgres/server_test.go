package postgres

import (
	"testing"

	"postern/retry/postgres/pgtest"
)

// shared is the server of all tests but those that kill theirs.
var shared pgtest.Shared

func TestMain(m *testing.M) { shared.Main(m) }
