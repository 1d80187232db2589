package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	cronLine     = regexp.MustCompile(`^([0-9*/,-]+ +){5}(.+)$`)
	cronVariable = regexp.MustCompile(`^([A-Z]+)=\S+$`)
)

// crontab runs what documents have cron run: a monitor must be silent on a
// quiet day, and say on the others what to do. Where a line has a variable, the
// rehearsal has the place.
func (d *docs) crontab(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	dir := d.kept(t)
	places := map[string]string{"REPOSITORY": filepath.Join(dir, "repository"), "ROSTER": filepath.Join(dir, "rotation.bundle")}
	ran := 0
	for _, file := range documents(t) {
		fenced, _ := blocks(t, file)
		for _, b := range fenced {
			if b.kind != "sh crontab" {
				continue
			}
			env := os.Environ()
			for _, line := range b.text {
				if m := cronVariable.FindStringSubmatch(line); m != nil && places[m[1]] != "" {
					env = append(env, m[1]+"="+places[m[1]])
					continue
				}
				m := cronLine.FindStringSubmatch(line)
				if m == nil || strings.Contains(line, "%") {
					t.Fatalf("%s:%d: cron does not read %q so", b.file, b.line, line)
				}
				ran++
				if out, err := cron(m[2], env, "2027-12-31T09:00:00Z"); err != nil || out != "" {
					t.Errorf("%s:%d: on a quiet day: %v\n%s", b.file, b.line, err, out)
				}
				if out, err := cron(m[2], env, "2028-11-15T09:00:00Z"); err == nil || !strings.Contains(out, "root 3 must be made") {
					t.Errorf("%s:%d: inside the margin: %v\n%s", b.file, b.line, err, out)
				}
			}
		}
	}
	if ran == 0 {
		t.Error("no document shows a line of cron")
	}
}

// cron runs a command at a time, as cron does.
func cron(command string, env []string, at string) (string, error) {
	c := exec.Command("sh", "-c", command)
	c.Env = append(env, clockVariable+"="+at)
	out, err := c.CombinedOutput()
	return string(out), err
}
