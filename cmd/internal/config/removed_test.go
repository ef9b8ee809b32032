package config

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A setting that is gone names others, which are there.
func TestRemovedSettings(t *testing.T) {
	known := knownVariables(nil)
	named := regexp.MustCompile(Prefix + `[A-Z_]+`)
	for name, words := range removed {
		if slices.Contains(known, Prefix+name) {
			t.Errorf("%s is a setting, and said to be gone", name)
		}
		for _, successor := range named.FindAllString(words, -1) {
			if !slices.Contains(known, successor) {
				t.Errorf("%s: there is no %s", name, successor)
			}
		}
		_, err := Load([]string{anEndpoint, Prefix + name + "=x"})
		if err == nil || !strings.Contains(err.Error(), Prefix+name+" is no variable of ours any more: "+words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, never := range []string{"POSTERN_", "POSTER", "", "POSTERN_TRUSTED_FORWARDER"} {
		if got := removedSetting(never); got != "" {
			t.Errorf("%q: %s", never, got)
		}
	}
}
