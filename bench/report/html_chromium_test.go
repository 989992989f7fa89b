package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// chromium is a headless browser, spoken to by its DevTools protocol over a
// pipe: it can be as narrow as a phone and as dark as asked for, which the
// command line can not say, and the page under test stays as it is.
type chromium struct {
	tb      testing.TB
	in      *os.File
	out     *bufio.Reader
	id      int
	session string // of the page
	events  []chromiumMessage
}

type chromiumMessage struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// chromiumTimeout is when a browser that hangs is killed, which ends the test.
const chromiumTimeout = 4 * time.Minute

func startChromium(tb testing.TB) *chromium {
	tb.Helper()
	var exe string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			exe = path
			break
		}
	}
	if exe == "" {
		tb.Skip("needs chromium, chromium-browser, google-chrome or chromium-headless-shell in PATH")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), chromiumTimeout)
	dir := tb.TempDir()
	// The sandbox refuses root. The only page is our own.
	cmd := exec.CommandContext(ctx, exe, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--hide-scrollbars",
		"--user-data-dir="+dir, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir)
	// All its processes have it: with a pipe, Wait waits for the last of them,
	// and nothing writes into a directory any more that is being removed.
	cmd.Stderr = new(bytes.Buffer)
	cmd.WaitDelay = chromiumTimeout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &chromium{tb: tb, in: in, out: bufio.NewReader(out)}
	tb.Cleanup(func() {
		_ = kill()
		_ = cmd.Wait()
		cancel()
		in.Close()
		out.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// call calls a method and decodes its result, if it is wanted.
func (b *chromium) call(method string, params, result any) {
	b.tb.Helper()
	b.id++
	message := map[string]any{"id": b.id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.tb.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.tb.Fatalf("call %s: %v", method, err)
	}
	for {
		m := b.read()
		if m.ID != b.id {
			continue
		}
		if m.Error != nil {
			b.tb.Fatalf("call %s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.tb.Fatalf("call %s: %v", method, err)
			}
		}
		return
	}
}

// read reads a message, and keeps it if it is an event.
func (b *chromium) read() chromiumMessage {
	b.tb.Helper()
	text, err := b.out.ReadBytes(0)
	if err != nil {
		b.tb.Fatalf("read from chromium: %v", err)
	}
	var m chromiumMessage
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.tb.Fatalf("read from chromium: %v", err)
	}
	if m.Method == "Page.javascriptDialogOpening" {
		b.tb.Fatalf("a script runs: %s", m.Params)
	}
	if m.ID == 0 {
		b.events = append(b.events, m)
	}
	return m
}

// chromiumView is how a page is looked at.
type chromiumView struct {
	media, scheme string
	width, height int
}

// open opens a file and waits until it is loaded. What happened before is
// forgotten.
func (b *chromium) open(path string, v chromiumView) {
	b.tb.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": v.width, "height": v.height, "deviceScaleFactor": 1, "mobile": v.width < 600,
	}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"media": v.media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": v.scheme}},
	}, nil)
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": "file://" + path}, nil)
	for b.count("Page.loadEventFired") == 0 {
		b.read()
	}
}

func (b *chromium) count(event string) (n int) {
	for _, m := range b.events {
		if m.Method == event {
			n++
		}
	}
	return n
}

// eval evaluates an expression in the page.
func (b *chromium) eval(expression string, value any) {
	b.tb.Helper()
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	if e := result.ExceptionDetails; e != nil {
		b.tb.Fatalf("evaluate: %s", e.Exception.Description)
	}
	if err := json.Unmarshal(result.Result.Value, value); err != nil {
		b.tb.Fatal(fmt.Errorf("evaluate: %w", err))
	}
}

const (
	// screenshotsEnv names a directory in which the tests leave pictures of
	// the page for a person to look at.
	screenshotsEnv = "SOCKACCEL_SCREENSHOTS"
	// screenshotHeight is what a picture viewer still shows sharply.
	screenshotHeight = 2000
)

// screenshots takes pictures of the whole page if there is where to put them.
func (b *chromium) screenshots(name string, width, height int) {
	b.tb.Helper()
	dir := os.Getenv(screenshotsEnv)
	for from := 0; dir != "" && from < height; from += screenshotHeight {
		var shot struct{ Data []byte }
		b.call("Page.captureScreenshot", map[string]any{
			"captureBeyondViewport": true,
			"clip":                  map[string]int{"x": 0, "y": from, "width": width, "height": min(screenshotHeight, height-from), "scale": 1},
		}, &shot)
		path := filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, from/screenshotHeight))
		if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
			b.tb.Fatal(err)
		}
	}
}
