package mail

import "strings"

// unflow joins the lines of format=flowed text (RFC 3676): a line that ends
// with a space goes on in the next one of the same quote depth. With DelSp=yes
// that space was added and goes.
func unflow(s string, delSp bool) string {
	var out strings.Builder
	out.Grow(len(s))
	joining, depth := false, 0
	for len(s) > 0 {
		line, rest, ended := strings.Cut(s, "\n")
		s = rest
		n := len(line) - len(strings.TrimLeft(line, ">"))
		text := strings.TrimPrefix(line[n:], " ") // space-stuffing
		signature := line[n:] == "-- "
		if signature {
			text = "-- "
		}
		if joining && (n != depth || signature) {
			out.WriteByte('\n')
			joining = false
		}
		if !joining {
			out.WriteString(line[:n])
			if n > 0 && text != "" {
				out.WriteByte(' ')
			}
		}
		joining, depth = ended && !signature && strings.HasSuffix(text, " "), n
		if joining && delSp {
			text = text[:len(text)-1]
		}
		out.WriteString(text)
		if ended && !joining {
			out.WriteByte('\n')
		}
	}
	return out.String()
}
