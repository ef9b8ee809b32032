package mail

import "testing"

func TestUnflow(t *testing.T) {
	tests := []struct {
		in, want string
		delSp    bool
	}{
		{"one \ntwo\nthree\n", "one two\nthree\n", false},
		{"one \ntwo", "onetwo", true},
		{" stuffed\n >x\n", "stuffed\n>x\n", false},
		{"> a \n> b\n>> c \n> d\n", "> a b\n>> c \n> d\n", false},
		{"text \n-- \nsig\n", "text \n-- \nsig\n", false},
		{"", "", false},
		{"end ", "end ", false},
	}
	for _, tt := range tests {
		if got := unflow(tt.in, tt.delSp); got != tt.want {
			t.Errorf("unflow(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
