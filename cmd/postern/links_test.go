package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	fenced   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
)

// Links between documents lead to a file and a heading that exist.
func TestReadmeLinks(t *testing.T) {
	documents := readDocuments(t)
	for path, text := range documents {
		for _, m := range links.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			link := m[1]
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join(top, target)); err != nil {
				t.Errorf("%s: (%s) leads nowhere", path, link)
			} else if anchor != "" && !anchors(documents[target])[anchor] {
				t.Errorf("%s: (%s): %s has no such heading", path, link, target)
			}
		}
	}
}

// anchors are the names that GitHub gives to a document's headings.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range headings.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all[strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1])] = true
	}
	return all
}

// The README is what a newcomer reads: what grows stands beside what it describes.
func TestReadmeIsShort(t *testing.T) {
	const most = 260
	if n := strings.Count(readDocuments(t)["README.md"], "\n"); n > most {
		t.Errorf("README.md has %d lines, more than %d", n, most)
	}
}
