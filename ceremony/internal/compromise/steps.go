package compromise

import (
	"fmt"
	"strings"

	"tufceremony/ceremony/internal/tufmeta"
)

// Step is one thing to do, in its order. Commands are typed in the folder that
// has the ceremony folder in it.
type Step struct {
	Who      string   `json:"who"`
	Do       string   `json:"do"`
	Commands []string `json:"commands"`
}

// Event is what the steps speak of: the ceremony folder, and what the plan
// lists that is still to be made.
type Event struct {
	Dir     string
	Online  []string // files of new online keys, "keys/online-new.pem"
	Drafted bool     // it is drafted with the plan
	Carried bool     // the plan of a new first root writes delegations out
}

// Plan works out the steps.
func (a *Assessment) Plan(e Event) {
	a.Steps = nil
	switch a.Case {
	case "D", "F":
		a.outOfBand(e)
	case "B":
		a.targets(e)
	case "C":
		a.seal()
		a.onlineKeys(e)
		a.sign(e)
		a.publish(e)
	default:
		a.standby()
		a.sign(e)
		a.publish(e)
	}
	for i := range a.Steps {
		if a.Steps[i].Commands == nil {
			a.Steps[i].Commands = []string{}
		}
	}
}

func (a *Assessment) step(who, do string, commands ...string) {
	a.Steps = append(a.Steps, Step{who, do, commands})
}

// seal keeps the evidence and stops what goes on.
func (a *Assessment) seal() {
	a.step("publisher", "Stop the online signer. Copy metadata/ away as evidence, then put it back as it was in the last state that you know to be good: take out what the others have added.")
}

// standby reminds of what was signed for this day, where it is the loss of a
// single root key.
func (a *Assessment) standby() {
	if root := a.role("root"); len(a.Tokens()) != 1 || len(a.Weak()) > 0 || root.Compromised != 1 {
		return
	}
	name := a.Tokens()[0]
	a.step("publisher", "If the last ceremony left a standby revocation of "+name+", publish it: that is all for tonight, and what follows is then an ordinary rotation. If there is none, go on.",
		"ceremony publish revoke-"+name+".bundle REPOSITORY")
}

func (a *Assessment) onlineKeys(e Event) {
	if len(e.Online) == 0 {
		return
	}
	var commands []string
	for _, file := range e.Online {
		private := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".pem") + ".key"
		commands = append(commands,
			"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -out "+private,
			"openssl pkey -in "+private+" -pubout -out "+e.Dir+"/"+file)
	}
	a.step("publisher", "Make new online keys on a machine that was not broken into. The private halves stay with you; the public ones go into the ceremony folder. Both timestamp and snapshot get a new key: with one of the old ones kept, clients do not recover.", commands...)
}

// sign is the ceremony itself.
func (a *Assessment) sign(e Event) {
	if n := a.missing(); n != "" {
		a.step("coordinator", fmt.Sprintf("Find new devices: %s, of the same holders or of others. List them in plan.yaml under holders: and in the roles, then give each its key.", n),
			"ceremony token provision "+e.Dir+" --token NAME")
	}
	draft := []string{"ceremony draft " + e.Dir, "ceremony review " + e.Dir}
	if e.Drafted {
		draft = draft[1:]
	}
	a.step("coordinator", "Read plan.yaml aloud: who is out, who stays, what is new. Then draft and review; all present compare the event ID.", draft...)
	a.step(a.signers(), "Each with a copy of the folder and the device. Compare the event ID with the one that was read aloud, before you type anything.",
		"ceremony sign "+e.Dir+" --token NAME")
	a.step("coordinator", "Take the signatures from the copies, and seal.",
		"ceremony merge "+e.Dir+" COPY COPY COPY", "ceremony seal "+e.Dir+" -o "+e.Dir+".bundle")
}

// missing says how many new tokens have to be found.
func (a *Assessment) missing() string {
	var list []string
	for _, name := range []string{"root", "targets"} {
		if n := a.role(name).Missing(); n > 0 {
			list = append(list, fmt.Sprintf("%d for %s", n, name))
		}
	}
	return strings.Join(list, ", ")
}

// signers says who signs, and with what.
func (a *Assessment) signers() string {
	root := a.role("root")
	who := a.people("root", root.Threshold, root.Living)
	if a.missing() != "" {
		who += "; and the holders of the new tokens"
	}
	return who
}

func (a *Assessment) publish(e Event) {
	command := "ceremony publish " + e.Dir + ".bundle REPOSITORY"
	do := "Publish, and start the online signer again."
	if a.Online() {
		do = "Publish, with the new online key; versions of snapshot and timestamp begin anew, which clients take since both keys are others. Then give your own signer the new keys."
		command += " --online-key " + newKey(e)
	} else if a.SignsTargets() {
		do = "Publish. Have the repository's signer sign snapshot and timestamp, or add --online-key FILE."
	}
	a.step("publisher", do, command)
	a.step("anybody", "Check what is published, from a root that was trusted before.", "ceremony verify "+e.Dir+".bundle --trusted-root ROOT")
}

func newKey(e Event) string {
	if len(e.Online) != 1 {
		return "FILE"
	}
	file := e.Online[0]
	return strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".pem") + ".key"
}

// targets is PEP 458's recovery from the loss of a threshold of targets, in its
// five steps. Bins and what else targets delegates are signed with tools of the
// repository's own: this program makes none of it.
func (a *Assessment) targets(e Event) {
	a.seal()
	a.onlineKeys(e)
	bins := ""
	if t := a.known.Targets; t != nil && t.Delegations.Len() > 0 {
		bins = fmt.Sprintf(" Targets delegates to %s: their keys stand in targets, and whoever has a threshold of targets could have changed them. Make them anew with the tools that made them.", plural(t.Delegations.Len(), "role"))
	}
	a.step("coordinator", "Compare the trusted targets, entry by entry, with the last state that you know to be good; take out of plan.yaml, or add to it, what differs."+bins)
	a.sign(e)
	a.publish(e)
	if bins != "" {
		a.step("publisher", "Compare what each delegated role lists with the last good snapshot, sign it again with the new keys, with a higher version and a later expiry, and have a new snapshot made that lists all of it.")
	}
}

// Dropped names what the trusted targets delegates to, in order: a new first targets
// delegates nothing unless somebody says so.
func (a *Assessment) Dropped() []string {
	if a.known.Targets == nil || !a.OutOfBand() {
		return nil
	}
	var names []string
	for _, d := range a.known.Targets.Delegations.All() {
		names = append(names, tufmeta.Printable(d.Name))
	}
	return names
}

// delegations says what becomes of them.
func (a *Assessment) delegations(e Event) string {
	names := a.Dropped()
	if len(names) == 0 {
		return ""
	}
	list := strings.Join(names[:min(len(names), 10)], ", ")
	if n := len(names) - 10; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	if e.Carried {
		return " The old targets delegates to " + list + ", which the plan carries over: compare paths and keys with the last good state as well, take out what is to go, and have each role signed anew, under targets 1."
	}
	return " The old targets delegates to " + list + ": all of it is dropped, and clients find nothing of these roles under the new root. What is to go on stands in no plan yet: begin again in a new folder with --delegations, which writes them out, or write them under targets in plan.yaml."
}

// outOfBand is what is left where root itself has fallen: users must be given
// another first root, and told.
func (a *Assessment) outOfBand(e Event) {
	a.step("coordinator", "Tell users, by every way that is not the repository, to take nothing new from it. Do not publish a next root: it would restore nothing, and show the others how.")
	a.onlineKeys(e)
	a.step("coordinator", "Find a new device for each that is out, and more if thresholds ask for it. List them in plan.yaml, decide thresholds, and give each device its key.",
		"ceremony token provision "+e.Dir+" --token NAME")
	a.step("coordinator", "Read plan.yaml aloud: it makes a new first root, version 1, of the same repository. Compare the listed targets with the last state that you know to be good."+a.delegations(e)+" Then draft and review.",
		"ceremony draft "+e.Dir, "ceremony review "+e.Dir)
	a.step("holders of the new root", "Each with a copy of the folder and the device; as many as the thresholds in plan.yaml say.",
		"ceremony sign "+e.Dir+" --token NAME")
	a.step("coordinator", "Take the signatures from the copies, and seal.",
		"ceremony merge "+e.Dir+" COPY COPY COPY", "ceremony seal "+e.Dir+" -o "+e.Dir+".bundle")
	a.step("publisher", "Publish into a new, empty folder; the old repository stays as evidence.",
		"ceremony publish "+e.Dir+".bundle NEW-REPOSITORY --online-key "+newKey(e))
	a.step("coordinator", "Print the SHA-256 of the new root.json and its words, and write both into BULLETIN.md.",
		"ceremony inspect NEW-REPOSITORY/root.json")
	a.step("all holders", "Each publishes the bulletin by a way of their own, so that users can compare: release notes, signed mail, a page on another site, the phone.")
	a.step("users", "Compare the new root.json with the bulletin, put it in the place of the old one, and remove the folder in which the client keeps metadata.")
}
