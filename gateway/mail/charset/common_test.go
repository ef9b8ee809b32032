package charset

import (
	"os/exec"
	"strings"
	"testing"
)

var oddLabels = map[string]string{
	"utf-8": "utf-8", "UTF-8": "UTF-8", "ISO-8859-1": "ISO-8859-1", "Windows-1251": "Windows-1251", "GB2312": "GB2312",
	"windows1251": "windows-1251", "cp-1251": "windows-1251", "win-1251": "windows-1251", "x-cp1250": "windows-1250", "koi8": "koi8-r",
	"x-sjis": "cp932", "windows-31j": "cp932", "x-gbk": "gb18030", "x-x-big5": "big5", "windows-949": "euc-kr", "windows-874": "cp874", "dos-874": "cp874",
	"x-mac-cyrillic": "maccyrillic", "iso-8859-8-i": "iso-8859-8", "sun_eu_greek": "iso-8859-7", "unicode-1-1-utf-8": "utf-8", "utf8mb4": "utf-8",
	"unknown-8bit": "utf-8", "default": "utf-8", "x-nobody": "utf-8", "x-user-defined": "utf-8", "": "utf-8", "utf-8'": "utf-8",
}

func TestCommon(t *testing.T) {
	for label, want := range oddLabels {
		if got := Common(label); got != want {
			t.Errorf("Common(%q) = %q, want %q", label, got, want)
		}
	}
}

// What Common says is known to the frameworks' languages, as they say themselves.
func TestCommonIsKnown(t *testing.T) {
	var names []string
	for label := range common {
		names = append(names, label)
	}
	for label := range oddLabels {
		names = append(names, Common(label))
	}
	for program, script := range map[string]string{
		"python3": "import codecs, sys\nfor l in sys.argv[1:]: codecs.lookup(l)",
		"ruby":    "ARGV.each { |l| Encoding.find(l) }",
	} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skip(err)
			}
			flag, known := "-c", names
			if program == "ruby" {
				flag, known = "-e", without(without(names, "iso-2022-kr"), "utf8") // Rails' mail library reads utf8 by itself
			}
			if out, err := exec.Command(program, append([]string{flag, script}, known...)...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func without(all []string, one string) []string {
	var rest []string
	for _, s := range all {
		if !strings.EqualFold(s, one) {
			rest = append(rest, s)
		}
	}
	return rest
}
