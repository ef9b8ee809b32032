package ops

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium's tab, or a skipped test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TOOLS") == "required" {
			t.Fatal("chromium is missing: install Debian's package chromium")
		}
		t.Skip("there is no chromium to open the page in")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// The form goes when the token was taken, and comes back when it is forgotten
// or turns out to be wrong: what is hidden must not be displayed.
func TestPageSignIn(t *testing.T) {
	tab := browser(t)
	srv := newTestServer(t, testQueue(t), nil)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	do(chromedp.Navigate(srv.URL+"/"),
		chromedp.WaitVisible("#enter"), chromedp.WaitNotVisible("#main"), chromedp.WaitNotVisible("#leave"),
		chromedp.SendKeys("#token", "not it\n"), chromedp.WaitVisible("#notice"), chromedp.WaitVisible("#enter"))
	wrong, err := chromedp.Run(tab, chromedp.Text("#notice"))
	if err != nil {
		t.Fatal(err)
	}
	if wrong != "The token is wrong." {
		t.Errorf("a wrong token says %q", wrong)
	}
	do(chromedp.SendKeys("#token", testToken+"\n"),
		chromedp.WaitVisible("#deliveries tr"), chromedp.WaitNotVisible("#enter"), chromedp.WaitNotVisible("#notice"),
		chromedp.Click("#leave"), chromedp.WaitVisible("#enter"), chromedp.WaitNotVisible("#main"))
}
