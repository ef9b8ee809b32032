package smtp

func blank(c byte) bool { return c == ' ' || c == '\t' }
