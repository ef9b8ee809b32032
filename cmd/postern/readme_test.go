package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/cmd/internal/config"
	"postern/retry"
	"postern/webhook"
)

var update = flag.Bool("update", false, "write the generated parts of the documents")

const top = "../.."

// readDocuments are the Markdown files of the repository by their path in it.
func readDocuments(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := fs.WalkDir(os.DirFS(top), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			text, err := os.ReadFile(filepath.Join(top, path))
			texts[path] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// generated are the parts that the program writes, by the mark before them.
func generated(t *testing.T) map[string]string {
	t.Helper()
	var settings, answers, schedule strings.Builder
	if err := config.WriteTable(&settings); err != nil {
		t.Fatal(err)
	}
	answers.WriteString("| you answer | while the sender waits | without a queue | for mail that waits in the queue |\n|---|---|---|---|\n")
	for _, r := range webhook.Table() {
		fmt.Fprintf(&answers, "| %s | %s | %s | %s |\n", r.Answer, r.Waiting, r.NoQueue, r.Queued)
	}
	schedule.WriteString("| after attempt | the next one is |\n|---|---|\n")
	policy := retry.DefaultPolicy()
	for n, last := 1, time.Duration(0); ; n++ {
		wait, _ := policy.Next(n, policy.MaxAge, 0, 0.5)
		if wait == last {
			fmt.Fprintf(&schedule, "| each further one | %s later |\n", short(wait))
			break
		}
		fmt.Fprintf(&schedule, "| %d | %s later |\n", n, short(wait))
		last = wait
	}
	parts := map[string]string{"config": settings.String(), "answers": answers.String(), "schedule": schedule.String()}
	var all []string
	for _, r := range receivers {
		shown := r.fence(t)
		parts["receiver "+r.name] = shown
		all = append(all, fmt.Sprintf("%s:\n\n%s", r.label, shown))
	}
	parts["receivers"] = strings.Join(all, "\n")
	maps.Copy(parts, guides(t))
	return parts
}

// Tables and receivers are what the program says and the files that are tested.
func TestReadmeTables(t *testing.T) {
	parts, used := generated(t), map[string]bool{}
	for path, text := range readDocuments(t) {
		want := text
		for name, content := range parts {
			from, to := "<!-- "+name+" -->\n", "<!-- /"+strings.Fields(name)[0]+" -->"
			head, rest, ok := strings.Cut(want, from)
			_, tail, closed := strings.Cut(rest, to)
			if ok && !closed {
				t.Fatalf("%s: %q has no %q", path, from, to)
			}
			if ok {
				want, used[name] = head+from+content+to+tail, true
			}
		}
		if *update {
			if err := os.WriteFile(filepath.Join(top, path), []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if want != text {
			t.Errorf("%s is behind the program: go test ./cmd/postern -run TestReadmeTables -update", path)
		}
	}
	for _, name := range []string{"config", "answers", "schedule", "receivers"} {
		if !used[name] {
			t.Errorf("no document has the part %q", name)
		}
	}
}

// fence is a command block of a document and the mark before it.
type fence struct{ mark, what, lang, code string }

var fences = regexp.MustCompile("(?m)(?:^ *<!-- (run|background|never|receiver|env)(?:: (.*?))? -->\n)?^( *)```(\\w+)\n((?s:.*?))^ *```$")

func readFences(text string) []fence {
	var all []fence
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		code := strings.ReplaceAll("\n"+m[5], "\n"+m[3], "\n") // what stands in a list is indented
		all = append(all, fence{m[1], m[2], m[4], code[1:]})
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

// Every command of every document works, in the document's order. Who reads
// another one than the README has its gateway and webhook running.
func TestReadmeCommands(t *testing.T) {
	background := map[bool]int{}
	for path, text := range readDocuments(t) {
		t.Run(path, func(t *testing.T) {
			w := newReaderWorld(t)
			if all := readFences(text); slices.ContainsFunc(all, func(f fence) bool { return f.mark == "run" }) && path != "README.md" {
				w.start(t, "postern listen --addr 127.0.0.1:3000")
				w.start(t, "POSTERN_WEBHOOK_URL=http://127.0.0.1:3000/mail postern serve")
				w.run(t, "postern send --to you@in.example.com 127.0.0.1:2525")
			}
			for _, f := range readFences(text) {
				w.read(t, f)
				background[path == "README.md"] += strings.Count(f.mark, "background")
			}
		})
	}
	if background[true] < 3 {
		t.Errorf("the README starts %d programs: the demo, a webhook and a gateway are missing", background[true])
	}
}

// read does what a reader does with a block.
func (w *readerWorld) read(t *testing.T, f fence) {
	t.Helper()
	switch {
	case f.lang == "env":
		if _, err := config.Load(withoutFiles(t, f.code)); err != nil {
			t.Errorf("%v:\n%s", err, f.code)
		}
	case f.lang != "sh":
	case f.mark == "run" && f.what != "":
		t.Run(f.what, func(t *testing.T) { need(t, f.what); w.run(t, f.code) })
	case f.mark == "run":
		w.run(t, f.code)
	case f.mark == "background":
		said := w.start(t, f.code)
		waitFor(t, func() bool { out, _ := os.ReadFile(said); return bytes.Contains(out, []byte(f.what)) })
	case f.mark != "never":
		t.Errorf("this command has no mark that says whether it is run:\n%s", f.code)
	case f.what == "":
		t.Errorf("why is this never run?\n%s", f.code)
	}
}

// withoutFiles are the settings of a block without the need for a reader's
// files: those of secrets that it names are made.
func withoutFiles(t *testing.T, block string) []string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(demoSecret()), 0o600); err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(block) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
		case regexp.MustCompile("(SECRET|TOKEN|PASSWORD)_FILE$").MatchString(key):
			env = append(env, key+"="+secret)
		default:
			env = append(env, strings.TrimSpace(line))
		}
	}
	return env
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
	w := &readerWorld{ports: strings.NewReplacer("127.0.0.1:3000", web, "127.0.0.1:2525", smtp, "go run ./cmd/postern", "postern",
		">postern.rules.yaml", ">"+filepath.Join(dir, "postern.rules.yaml"))} // nothing is left in the tree
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
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = top, w.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, out
}

// run tries until the command works: a reader, too, waits for what was started.
func (w *readerWorld) run(t *testing.T, code string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
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
