package app

import (
	"strings"
	"testing"

	"postern/cmd/internal/config"
)

// Replicas of one database count the same mail, two folders don't; a password is in
// no metric.
func TestStoreName(t *testing.T) {
	a, b := storeName("postgres://a:geheim@db/postern"), storeName("postgres://a:other@db/postern")
	if a != b || strings.Contains(a, "geheim") {
		t.Errorf("%q and %q are one database", a, b)
	}
	if one, two := storeName(config.Store("sqlite:///var/a")), storeName(config.Store("sqlite:///var/b")); one == two || one == a {
		t.Errorf("%q, %q and %q are three stores", one, two, a)
	}
}
