package main

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// docsMan holds docs/ceremony.1 to the commands, and has groff read it.
func docsMan(t *testing.T) {
	generated(t, "ceremony.1", manPage())
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not there to read the page")
	}
	out, err := exec.Command(groff, "-man", "-ww", "-Tutf8", "-z", docsDir+"/ceremony.1").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

// manPage writes the manual page in the macros of man(7).
func manPage() string {
	root := rootCommand(rehearsalEnv(io.Discard))
	m := &man{}
	m.macro(`TH CEREMONY 1 "" "ceremony" "User Commands"`)
	m.macro("SH NAME")
	m.text("ceremony - " + root.Short)
	m.macro("SH SYNOPSIS")
	for i, c := range shownCommands(root) {
		if i > 0 {
			m.macro("br")
		}
		m.synopsis(c)
	}
	m.macro("SH DESCRIPTION")
	m.paragraph(root.Long)
	m.paragraph(`A ceremony lives in a folder on a removable medium. Its coordinator types init, edits plan.yaml, types draft and ` +
		`review, and copies the folder for each holder. Each holder types sign on a machine of their own. The coordinator types ` +
		`merge, status and seal, and hands the bundle to the publisher, who types publish. Anybody types verify.`)
	m.macro("SH COMMANDS")
	for _, c := range shownCommands(root) {
		m.command(c)
	}
	m.section("EXIT STATUS", [][2]string{
		{"0", "Done."},
		{"1", "Refused or failed. Standard error says why, and what to do."},
		{"2", "The command line is not understood."},
	})
	m.section("FILES", [][2]string{
		{"plan.yaml", "What was decided: who, what, how many, until when. Written by people."},
		{"keys/", "The public key of each token, as PEM."},
		{"trusted/", "Published metadata that the ceremony goes on from."},
		{"payload/", "What is signed, byte for byte: sha256sum gives the digest that is read aloud."},
		{"signatures/", "One small file for each signature."},
		{"metadata/", "What clients fetch, made by seal."},
		{"record/", "What was done, each line with the digest of the line before."},
		{"../tokens/", "Software tokens, for rehearsals: beside the folder, never in it."},
	})
	m.section("TOKENS", [][2]string{
		{"pkcs11:token=LABEL;object=LABEL?module-path=/FILE", "A key on a device with a PKCS#11 module, by RFC 7512. " +
			"The module is named by its path, which must lie in a library folder of the machine unless it is typed after --uri; " +
			"the rest must describe one token. Give serial= where labels are alike. Labels that begin with rehearsal are for rehearsals."},
		{"piv:serial=NUMBER;slot=SLOT", "A key in a YubiKey, by the serial number that is printed on it and the slot, 9a, 9c, 9d, 9e or 82 to 95."},
		{"soft:NAME", "A software token, in a plan that is marked as a rehearsal."},
	})
	m.paragraph("x-init-reserved=TEXT in the query of a pkcs11 URI is the reserved argument of C_Initialize, which some modules need: NSS has the folder of its keys there. Review shows it.")
	m.paragraph("The PIN is asked for at the terminal. pkcs11 and soft may name a file that holds it, with pin-source=file:/FILE in its query; review reports that. A PIN never stands in a URI, a flag or the environment.")
	m.macro("SH SEE ALSO")
	m.text("sha256sum(1), tar(1), openssl-pkey(1)")
	m.paragraph("README.md, docs/formats.md, docs/checks.md and docs/security.md in the source.")
	return m.b.String()
}

func shownCommands(root *cobra.Command) []*cobra.Command {
	var shown []*cobra.Command
	for _, c := range root.Commands() {
		switch {
		case c.Hidden:
		case c.HasSubCommands():
			shown = append(shown, shownCommands(c)...)
		default:
			shown = append(shown, c)
		}
	}
	return shown
}

// man writes roff.
type man struct{ b strings.Builder }

func (m *man) macro(line string) { m.b.WriteString("." + line + "\n") }

// escape writes text so that roff shows it as it is: hyphens as those that are
// typed, no request where a line begins with a dot.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "“", `"`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`, "'", `\(aq`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func (m *man) text(s string) {
	for _, line := range strings.Split(s, "\n") {
		m.b.WriteString(escape(line) + "\n")
	}
}

func (m *man) paragraph(s string) {
	m.macro("PP")
	m.text(s)
}

func (m *man) section(name string, items [][2]string) {
	m.macro("SH " + name)
	for _, item := range items {
		m.item("", item[0], item[1])
	}
}

// item is a term in bold, what stands for a value in italics, and its text.
func (m *man) item(term, bold, text string) {
	m.macro("TP")
	m.b.WriteString(`\fB` + escape(bold) + `\fR`)
	if term != "" {
		m.b.WriteString(` \fI` + escape(term) + `\fR`)
	}
	m.b.WriteString("\n")
	m.text(text)
}

func (m *man) synopsis(c *cobra.Command) {
	line := `\fB` + escape(c.CommandPath()) + `\fR`
	if _, rest, ok := strings.Cut(c.Use, " "); ok {
		line += " " + escape(rest)
	}
	if hasFlags(c) {
		line += " [flags]"
	}
	m.b.WriteString(line + "\n")
}

func hasFlags(c *cobra.Command) bool { return len(flagsOf(c.Flags().VisitAll)) > 0 }

func (m *man) command(c *cobra.Command) {
	m.macro("SS " + escape(name(c)))
	m.synopsis(c)
	if c.Long != "" {
		m.paragraph(c.Long)
	} else {
		m.paragraph(strings.ToUpper(c.Short[:1]) + c.Short[1:] + ".")
	}
	for _, f := range flagsOf(c.Flags().VisitAll) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := "", f.Usage
		if parts := strings.Split(f.Usage, "`"); len(parts) == 3 {
			value, usage = parts[1], strings.Join(parts, "")
		}
		m.item(value, name, strings.ToUpper(usage[:1])+usage[1:]+".")
	}
}

// flagsOf collects the flags that visit passes.
func flagsOf[F any](visit func(func(*F))) []*F {
	var all []*F
	visit(func(f *F) { all = append(all, f) })
	return all
}
