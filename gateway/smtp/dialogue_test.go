package smtp_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// TestDialogues plays testdata/*.txtar against running servers, a fresh
// connection for each case. A case is a file of the archive; its name is what
// it shows. Its lines:
//
//	@ key ...            the server (fixture.go), and how we connect
//	> text               a line is sent
//	>> octets            octets are sent as they are; \r \n \0 \xNN escaped
//	< codes [text]       the reply: codes are 250, 250|251, 5xx, any; the text is somewhere in it
//	<n count codes       so many of them
//	<close               the server hangs up
//	<eof-or codes        one or the other
//	!tls                 we make the handshake
//	!closed              the server hangs up, whatever it still says
//	!eof                 we close our direction
//	!sync                NOOP is answered 250 and nothing else came
//	!lines text|text     the last reply's lines were these, codes stripped
//	!messages n          so many messages arrived at the handler
//	!verb, !from, !to    of the last message
//	!body octets         of the last message, as they are
//	E EM EMR EMRD        hello; MAIL; RCPT; DATA, each with its 2xx or 3xx
//
// ${HDR} is a short header, %{x*n} repeats.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	var codes sync.Map // that some reply had
	t.Cleanup(func() { allReached(t, &codes) })
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(raw).Files {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar")+"/"+f.Name, func(t *testing.T) {
				t.Parallel()
				play(t, string(f.Data), &codes)
			})
		}
	}
}

// player is one case under way.
type player struct {
	t    *testing.T
	fix  *fixture
	conn net.Conn
	r    *bufio.Reader
	last []string

	codes *sync.Map // nil: nobody counts
}

// allReached: each code that the engine or its handler can give was given.
func allReached(t *testing.T, codes *sync.Map) {
	for _, code := range []string{"211", "214", "220", "221", "235", "250", "251", "252", "334", "354", "421", "450", "451", "452", "454",
		"500", "501", "502", "503", "504", "530", "534", "535", "538", "550", "551", "552", "553", "554", "555"} {
		if _, ok := codes.Load(code); !ok {
			t.Errorf("no dialogue reaches %s", code)
		}
	}
}

func play(t *testing.T, script string, codes *sync.Map) {
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	keys := ""
	if rest, ok := strings.CutPrefix(lines[0], "@"); ok {
		keys, lines = rest, lines[1:]
	}
	p := &player{t: t, fix: newFixture(t, strings.Fields(keys)...), codes: codes}
	p.dial()
	defer p.conn.Close()
	for i, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !p.step(line) {
			t.Fatalf("line %d: %s\nlast reply: %q", i+1, line, p.last)
		}
	}
}

func (p *player) dial() {
	p.conn = p.fix.dial(p.t)
	p.r = bufio.NewReader(p.conn)
	if p.fix.silent {
		return
	}
	p.expect("220")
}

func (p *player) step(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case ">":
		p.write(p.expand(arg) + "\r\n")
	case ">>":
		p.write(p.expand(arg))
	case "<":
		return p.expect(arg)
	case "<n":
		n, codes, _ := strings.Cut(arg, " ")
		for range number(n) {
			if !p.expect(codes) {
				return false
			}
		}
	case "<close":
		return p.closed()
	case "!closed": // whatever is still said
		_, err := io.Copy(io.Discard, p.r)
		return !os.IsTimeout(err)
	case "<eof-or":
		p.last = p.reply()
		return len(p.last) == 0 || p.matches(arg)
	case "!tls":
		return p.startTLS()
	case "!eof":
		return p.conn.(*net.TCPConn).CloseWrite() == nil
	case "!sync":
		p.write("NOOP\r\n")
		return p.expect("250") && p.r.Buffered() == 0
	case "!lines":
		return p.sameLines(strings.Split(p.expand(arg), "|"))
	case "!messages", "!verb", "!from", "!to", "!body", "!rcpt":
		return p.sameMessage(verb, p.expand(arg))
	case "E", "EM", "EMR", "EMRD":
		return p.prologue(verb)
	default:
		p.t.Fatalf("unknown step %q", line)
	}
	return true
}

// prologue plays the usual beginning up to DATA.
func (p *player) prologue(upTo string) bool {
	steps := []string{"> " + p.fix.hello + " client.test.example", "< 250", "> MAIL FROM:<ann@client.test.example>", "< 250",
		"> RCPT TO:<bob@here.example>", "< 250", "> DATA", "< 354"}
	for _, s := range steps[:2*len(upTo)] {
		if !p.step(s) {
			return false
		}
	}
	return true
}

// patience is how long a player waits for what a busy machine may be slow at.
const patience = time.Minute

func (p *player) write(s string) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = p.conn.Write([]byte(s)) // a server that hung up shows in what is read
}

// reply reads one reply, its lines with their codes; nil at the end.
func (p *player) reply() (lines []string) {
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			if line != "" || os.IsTimeout(err) {
				p.t.Logf("read: %q, %v", line, err)
			}
			return nil
		}
		if !replyLine.MatchString(line) {
			p.t.Errorf("not a reply line: %q", line)
		}
		lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		if line[3] == ' ' {
			if p.codes != nil {
				p.codes.Store(line[:3], true)
			}
			return lines
		}
	}
}

var replyLine = regexp.MustCompile(`^[2-5][0-5][0-9][ -][\t -~\x80-\xff]*\r\n$`)

func (p *player) expect(want string) bool {
	p.last = p.reply()
	return p.matches(want)
}

func (p *player) matches(want string) bool {
	codes, text, _ := strings.Cut(want, " ")
	if len(p.last) == 0 || !p.enhanced() {
		return false
	}
	for code := range strings.SplitSeq(codes, "|") {
		got := p.last[0][:3]
		if code == got || code == "any" || (strings.HasSuffix(code, "xx") && code[0] == got[0]) {
			return strings.Contains(strings.Join(p.last, "\n"), p.expand(text))
		}
	}
	return false
}

// enhanced checks that each line repeats the code, and its class in an
// enhanced code where one is due.
func (p *player) enhanced() bool {
	for _, line := range p.last {
		class := line[0]
		bare := class == '3' || strings.HasPrefix(line, "220") || p.fix.isHello(p.last)
		if line[:3] != p.last[0][:3] || len(line) > 510 {
			return false
		}
		if !bare && !regexp.MustCompile(`^... ?-?`+string(class)+`\.\d{1,3}\.\d{1,3} `).MatchString(line) {
			p.t.Errorf("no enhanced code: %q", line)
		}
	}
	return true
}

func (p *player) closed() bool {
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := p.r.ReadString('\n')
	return err != nil && !os.IsTimeout(err) && line == ""
}

func (p *player) startTLS() bool {
	if p.r.Buffered() > 0 {
		return false
	}
	conn := tls.Client(p.conn, p.fix.clientTLS())
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		p.t.Log(err)
		return false
	}
	p.conn, p.r = conn, bufio.NewReader(conn)
	return true
}

func (p *player) sameLines(want []string) bool {
	var got []string
	for _, line := range p.last {
		got = append(got, line[4:])
	}
	if strings.Join(got, "|") == strings.Join(want, "|") {
		return true
	}
	p.t.Logf("lines are %q", got)
	return false
}

func (p *player) sameMessage(what, want string) bool {
	list := p.fix.rec.got()
	if what == "!messages" {
		return strconv.Itoa(len(list)) == want
	}
	if len(list) == 0 {
		return false
	}
	m := list[len(list)-1]
	var got string
	switch what {
	case "!verb":
		got = m.verb
	case "!from":
		got = m.from
	case "!to":
		got = strings.Join(m.to, " ")
	case "!body":
		got = m.body
	case "!rcpt":
		got = fmt.Sprintf("%v %s", m.rcpts[0].Notify, m.rcpts[0].ORcpt)
	}
	if got != want {
		p.t.Logf("%s is %q, want %q", what, got, want)
	}
	return got == want
}

var repeat = regexp.MustCompile(`%\{([^*]+)\*(\d+)\}`)

// expand does the escapes and variables of a script.
func (p *player) expand(s string) string {
	s = strings.ReplaceAll(s, "${HDR}", `From: ann@client.test.example\r\nTo: bob@here.example\r\nSubject: hi\r\n\r\n`)
	for k, v := range p.fix.vars {
		s = strings.ReplaceAll(s, "${"+k+"}", v)
	}
	s = repeat.ReplaceAllStringFunc(s, func(m string) string {
		f := repeat.FindStringSubmatch(m)
		n, _ := strconv.Atoi(f[2])
		return strings.Repeat(f[1], n)
	})
	return unescape(s)
}

// unescape reads \r \n \t \0 \\ and \xNN.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '0':
			b.WriteByte(0)
		case 'x':
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
