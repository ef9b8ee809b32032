package htmltext

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// letter is a mail of about 80 KB as services send them: tables, styles, links.
func letter() string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html><head><meta charset="utf-8"><style>.p{color:#333}.pre{display:none}a{color:#06c}@media screen and (max-width:600px){.p{width:100%}}</style></head><body style="margin:0"><div class="pre" style="display:none;max-height:0">A preheader</div><table width="100%" cellpadding="0" role="presentation">`)
	for i := 0; b.Len() < 80_000; i++ {
		fmt.Fprintf(&b, `<tr><td class="p" style="font-family:Arial,sans-serif;font-size:14px;line-height:20px;color:#%06x;padding:8px 0;border-bottom:1px solid #eee"><p style="margin:0 0 12px">Order &amp; shipment <b>number</b> %d is on its way to you, with caf&eacute; and a long line of words that a reader reads.</p><a href="https://click.example.net/t/%024x?u=%d&amp;c=3" style="color:#0066cc;text-decoration:none">Track your parcel</a> <img src="https://img.example.net/%d.png" width="24" height="24" alt="parcel"></td></tr>`, i*7919&0x7f7f7f, i, i*i, i, i)
	}
	b.WriteString("</table></body></html>")
	return b.String()
}

func BenchmarkRead(b *testing.B) {
	s := letter()
	for name, f := range map[string]func(){
		"html.Parse": func() { html.Parse(strings.NewReader(s)) },
		"Read":       func() { Read(s) },
		"Text":       func() { Read(s).Text() },
		"Markdown":   func() { Read(s).Markdown() },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
