package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/webhook"
)

var update = flag.Bool("update", false, "write the generated parts of README.md")

const readme = "../../README.md"

// section replaces what stands between two marks.
func section(t *testing.T, text, from, to, content string) string {
	t.Helper()
	head, rest, ok := strings.Cut(text, from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("README.md has no %q … %q", from, to)
	}
	return head + from + content + to + tail
}

// The configuration's table and the answers' table are what the program says,
// the receivers are the files that are tested.
func TestReadmeTables(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var settings, answers bytes.Buffer
	if err := config.WriteTable(&settings); err != nil {
		t.Fatal(err)
	}
	for _, r := range webhook.Table() {
		fmt.Fprintf(&answers, "| %s | %s | %s | %s |\n", r.Answer, r.Waiting, r.NoQueue, r.Queued)
	}
	want := section(t, string(text), "<!-- config -->\n", "<!-- /config -->", settings.String())
	want = section(t, want, "waits in the queue |\n|---|---|---|---|\n", "\n2xx takes", answers.String())
	want = section(t, want, "<!-- receivers -->\n", "<!-- /receivers -->", receiverFences(t))
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want != string(text) && !*update {
		t.Error("README.md is behind the program: go test ./cmd/postern -run TestReadmeTables -update")
	}
}

// fence is a command block of the README and the mark before it.
type fence struct{ mark, what, lang, code string }

var fences = regexp.MustCompile("(?m)(?:^<!-- (run|background|never|receiver)(?:: (.*?))? -->\n)?^```(\\w+)\n((?s:.*?))^```$")

func readFences(t *testing.T) []fence {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var all []fence
	for _, m := range fences.FindAllStringSubmatch(string(text), -1) {
		all = append(all, fence{m[1], m[2], m[3], m[4]})
	}
	return all
}

// need skips a test whose program isn't on this machine; in CI, which installs
// all but kubectl, it fails.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("TOOLS") == "required" && program != "kubectl" {
			t.Fatalf("%v, but this machine must have all tools", err)
		}
		t.Skip(err)
	}
}

// Every command of the README works, in the README's order.
func TestReadmeCommands(t *testing.T) {
	w := newReaderWorld(t)
	n := map[string]int{}
	for _, f := range readFences(t) {
		if f.lang != "sh" {
			continue
		}
		n[f.mark]++
		switch f.mark {
		case "run":
			if f.what == "" {
				w.run(t, f.code)
				continue
			}
			t.Run(f.what, func(t *testing.T) { need(t, f.what); w.run(t, f.code) })
		case "background":
			said := w.start(t, f.code)
			waitFor(t, func() bool { out, _ := os.ReadFile(said); return bytes.Contains(out, []byte(f.what)) })
		case "never":
			if f.what == "" {
				t.Errorf("why is this never run?\n%s", f.code)
			}
		default:
			t.Errorf("this command has no mark that says whether it is run:\n%s", f.code)
		}
	}
	if n["run"] < 10 || n["background"] < 2 || n["never"] > 3 {
		t.Errorf("the README's commands changed more than this test expects: %v", n)
	}
}

// readerWorld is a reader's machine: the repository, a postern on the PATH,
// the README's ports exchanged for free ones.
type readerWorld struct {
	env   []string
	ports *strings.Replacer
}

func newReaderWorld(t *testing.T) *readerWorld {
	t.Helper()
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(bin, filepath.Join(dir, "postern")); err != nil {
		t.Fatal(err)
	}
	smtp, web, ops := freePort(t), freePort(t), freePort(t)
	w := &readerWorld{ports: strings.NewReplacer("127.0.0.1:3000", web, "127.0.0.1:2525", smtp, "go run ./cmd/postern", "postern")}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, config.Prefix) {
			w.env = append(w.env, kv)
		}
	}
	w.env = append(w.env, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+t.TempDir(),
		"POSTERN_SMTP_ADDR="+smtp, "POSTERN_HTTP_ADDR="+ops, "POSTERN_RETRY_STORE=sqlite://"+t.TempDir(), "POSTERN_AUTHENTICATE=false")
	return w
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// command is a shell's, in a process group of its own.
func (w *readerWorld) command(code string) (*exec.Cmd, *bytes.Buffer) {
	cmd, out := exec.Command("sh", "-ec", w.ports.Replace(code)), new(bytes.Buffer)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "../..", w.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, out
}

// run tries until the command works: a reader, too, waits for what was started.
func (w *readerWorld) run(t *testing.T, code string) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		cmd, out := w.command(code)
		err := cmd.Run()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s\n%v:\n%s", code, err, out)
		}
	}
}

// start leaves the command running until the test ends; it returns the file
// that holds what it says.
func (w *readerWorld) start(t *testing.T, code string) string {
	t.Helper()
	cmd, _ := w.command(code)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		out.Close()
		if said, _ := os.ReadFile(out.Name()); t.Failed() {
			t.Logf("%s\n%s", code, said)
		}
	})
	return out.Name()
}
