package nearest

import "testing"

func TestMeant(t *testing.T) {
	known := []string{"serve", "send", "queue", "healthcheck", "check"}
	for word, want := range map[string]string{
		"sned": "--send", "snd": "--send", "sends": "--send", "quue": "--queue", "qeueu": "--queue", "healthchek": "--healthcheck", "Send": "--send",
		"frobnicate": "", "x": "", "": "", "trace": "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := Meant("--", word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Meant("", "x", nil); got != "" {
		t.Errorf("of nothing known: %q", got)
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"TIMOUT", "TIMEOUT", 1}, {"ca", "abc", 3}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
